/*
 * Read the header: every key that this version knows must be there once, with the right type and range.
 *
 * Comes in: untrusted msgpack. Goes out: counts, contract, features, metadata and the section table, checked against each
 * other so that no count asks for more memory than the file's own bytes justify. Keys it does not know are ignored,
 * unless the list `requires` names them.
 */
#include "slm_reader.h"
#include "../base/msgpack.h"


typedef struct reader {
	sl_arena *arena;
	score_error *error;
	const char *where; /* the map that is being read, for messages */
	sl_arena *items;   /* of the item of a list that is being read, and some before it */
	const uint8_t *end;
} reader;

static const char *const type_names[] = { "nil", "a truth value", "a count", "a negative number", "a float", "text",
	"bytes", "an array", "a map", "an array" };

static score_status corrupt(const reader *r, const char *key, const char *what)
{
	return sl_fail_at(r->error, SCORE_ERR_CORRUPT, SLM_PRELUDE_BYTES, -1, "header, %s, key '%s': %s", r->where,
		sl_quote(key, strlen(key)).text, what);
}

static score_status get(const reader *r, const sl_value *map, const char *key, sl_value_type type, const sl_value **out)
{
	bool twice;
	const sl_value *value = sl_map_get(map, key, &twice);
	if (value == NULL)
		return corrupt(r, key, "is missing; the file is damaged or not written by Scoreline");
	if (twice)
		return corrupt(r, key, "is there twice");
	if (value->type != type)
		return sl_fail_at(r->error, SCORE_ERR_CORRUPT, SLM_PRELUDE_BYTES, -1,
			"header, %s, key '%s': expected %s, found %s", r->where, key, type_names[type], type_names[value->type]);
	*out = value;
	return SCORE_OK;
}

/* The next item of a list. */
static score_status next_item(const reader *r, sl_value *list, sl_value *item)
{
	if (list->n % SL_LIST_ITEMS == 0)
		sl_arena_free(r->items);
	return sl_msgpack_next(list, r->end, r->items, item) ? SCORE_OK : sl_fail_memory(r->error, sizeof *item);
}

static score_status get_u64(const reader *r, const sl_value *map, const char *key, uint64_t max, uint64_t *out)
{
	const sl_value *value = NULL;
	const score_status status = get(r, map, key, SL_UINT, &value);
	if (status != SCORE_OK)
		return status;
	if (value->u.uint > max)
		return corrupt(r, key, "is larger than this file can hold");
	*out = value->u.uint;
	return SCORE_OK;
}

static score_status get_count(const reader *r, const sl_value *map, const char *key, uint32_t *out)
{
	uint64_t value = 0;
	const score_status status = get_u64(r, map, key, INT32_MAX, &value);
	*out = (uint32_t)value;
	return status;
}

static score_status get_number(const reader *r, const sl_value *map, const char *key, double *out)
{
	const sl_value *value = NULL;
	const score_status status = get(r, map, key, SL_FLOAT, &value);
	if (status == SCORE_OK)
		*out = value->u.number;
	return status;
}

static score_status get_bool(const reader *r, const sl_value *map, const char *key, int32_t *out)
{
	const sl_value *value = NULL;
	const score_status status = get(r, map, key, SL_BOOL, &value);
	if (status == SCORE_OK)
		*out = value->u.uint != 0;
	return status;
}

static score_status get_word(const reader *r, const sl_value *map, const char *key, const slm_words *words, int32_t *out)
{
	const sl_value *value = NULL;
	const score_status status = get(r, map, key, SL_TEXT, &value);
	if (status != SCORE_OK)
		return status;
	for (uint32_t i = 0; i < words->count; i++) {
		if (words->names[i][0] != '\0' && sl_text_is(value, words->names[i])) {
			*out = (int32_t)i;
			return SCORE_OK;
		}
	}
	return sl_fail_at(r->error, SCORE_ERR_UNSUPPORTED, SLM_PRELUDE_BYTES, -1,
		"header, %s, key '%s': this library does not know '%s'; a newer release may", r->where, key,
		sl_quote(value->u.text, value->n).text);
}

/* A terminated copy in the arena. */
static score_status copy_text(const reader *r, const sl_value *value, const char *key, const char **out)
{
	if (value->type != SL_TEXT)
		return corrupt(r, key, "expected text");
	if (memchr(value->u.text, '\0', value->n) != NULL)
		return corrupt(r, key, "text holds a zero byte");
	*out = sl_arena_string(r->arena, value->u.text, value->n);
	return *out == NULL ? sl_fail_memory(r->error, (size_t)value->n + 1) : SCORE_OK;
}

static score_status read_requires(const reader *r, const sl_value *root, slm_table *table)
{
	const sl_value *words = NULL;
	TRY(get(r, root, "requires", SL_LIST, &words));
	for (sl_value list = *words, word; list.n > 0;) {
		int known = 0;
		TRY(next_item(r, &list, &word));
		if (word.type != SL_TEXT)
			return corrupt(r, "requires", "expected a list of names");
		while (known < SLM_N_REQUIREMENTS && !sl_text_is(&word, slm_requirement_names[known]))
			known++;
		if (known == SLM_N_REQUIREMENTS)
			return sl_fail_at(r->error, SCORE_ERR_UNSUPPORTED, SLM_PRELUDE_BYTES, -1,
				"the file requires '%s', which this library does not have; use a newer release",
				sl_quote(word.u.text, word.n).text);
		if (table->needs[known])
			return corrupt(r, "requires", "a name is there twice");
		table->needs[known] = true;
	}
	return SCORE_OK;
}

/* `room` is the size of all sections: a derived column takes at least four bytes of them. */
static score_status read_derived(reader *r, const sl_value *root, uint64_t room, forest *f, slm_table *table)
{
	forest_derived *d = &f->derived;
	const sl_value *map = NULL;
	TRY(get(r, root, "derived", SL_MAP, &map));
	r->where = "derived";
	TRY(get_count(r, map, "columns", &d->n));
	TRY(get_count(r, map, "cuts", &table->n_derived_cuts));
	TRY(get_count(r, map, "steps", &d->n_steps));
	TRY(get_count(r, map, "lists", &d->n_lists));
	TRY(get_count(r, map, "tables", &d->n_tables));
	TRY(get_count(r, map, "hash_tables", &d->n_hash_tables));
	TRY(get_count(r, map, "linear_first", &f->linear_first));
	if (d->n == 0 || d->n > room / 4)
		return corrupt(r, "columns", "is 0, or more than this file can hold");
	return SCORE_OK;
}

static score_status read_metadata(reader *r, const sl_value *root, forest *f)
{
	const sl_value *map = NULL;
	TRY(get(r, root, "metadata", SL_MAP, &map));
	forest_metadata *metadata = sl_arena_alloc(r->arena, map->n, sizeof *metadata);
	if (metadata == NULL)
		return sl_fail_memory(r->error, map->n * sizeof *metadata);
	r->where = "metadata";
	for (uint32_t i = 0; i < map->n; i++) {
		TRY(copy_text(r, map->u.items + 2 * (size_t)i, "key", &metadata[i].key));
		TRY(copy_text(r, map->u.items + 2 * (size_t)i + 1, metadata[i].key, &metadata[i].value));
		if (i > 0 && strcmp(metadata[i - 1].key, metadata[i].key) >= 0)
			return corrupt(r, metadata[i].key, "keys are not in ascending order, or there twice");
	}
	f->metadata = metadata;
	f->n_metadata = map->n;
	return SCORE_OK;
}

static score_status index_names(const reader *r, forest *f)
{
	const char *twice;
	if (!forest_index_names(f, &r->arena->allocator, &twice))
		return sl_fail_memory(r->error, f->n_features * sizeof *f->features);
	if (twice)
		return sl_fail_at(r->error, SCORE_ERR_CORRUPT, SLM_PRELUDE_BYTES, -1, "header: two features are named '%s'",
			sl_quote(twice, strlen(twice)).text);
	return SCORE_OK;
}

/* The optional key of feature `i` of `n`. */
static score_status read_dictionary(const reader *r, const sl_value *feature, uint32_t i, uint32_t n, slm_table *table)
{
	bool twice;
	int32_t numbers = 0;
	const sl_value *map = sl_map_get(feature, "dictionary", &twice);
	if (map == NULL)
		return SCORE_OK;
	TRY(get(r, feature, "dictionary", SL_MAP, &map));
	if (table->dictionaries == NULL)
		table->dictionaries = sl_arena_alloc(r->arena, n, sizeof *table->dictionaries);
	if (table->dictionaries == NULL)
		return sl_fail_memory(r->error, n * sizeof *table->dictionaries);
	slm_dictionary *d = table->dictionaries + i;
	TRY(get_count(r, map, "labels", &d->n_labels));
	TRY(get_number(r, map, "unknown", &d->unknown));
	TRY(get_bool(r, map, "numbers", &numbers));
	if (d->n_labels > (uint32_t)INT32_MAX - table->n_labels)
		return corrupt(r, "labels", "more labels than a file can hold");
	table->n_labels += d->n_labels;
	d->flags = SCORE_DICTIONARY | (numbers ? SCORE_DICTIONARY_NUMBERS : 0);
	return SCORE_OK;
}

/* One feature of `n`; its cuts begin where `cuts` says. */
static score_status read_feature(const reader *r, const sl_value *map, uint32_t i, uint32_t n, uint64_t cuts, forest_feature *feature,
	slm_table *table)
{
	const sl_value *name;
	int32_t type = 0;
	if (map->type != SL_MAP)
		return corrupt(r, "features", "expected one map per feature");
	TRY(get(r, map, "name", SL_TEXT, &name));
	TRY(copy_text(r, name, "name", &feature->name));
	TRY(get_word(r, map, "type", &slm_words_feature, &type));
	TRY(get_count(r, map, "cuts", &feature->n_cuts));
	feature->type = (uint32_t)type;
	feature->first_cut = (uint32_t)cuts;
	return read_dictionary(r, map, i, n, table);
}

static score_status read_features(reader *r, const sl_value *root, forest *f, slm_table *table)
{
	const sl_value *maps = NULL;
	TRY(get(r, root, "features", SL_LIST, &maps));
	const uint32_t n = maps->n;
	const size_t n_columns = (size_t)n + f->derived.n;
	forest_feature *features = sl_arena_alloc(r->arena, n_columns, sizeof *features);
	if (features == NULL)
		return sl_fail_memory(r->error, n_columns * sizeof *features);
	uint64_t cuts = 0;
	sl_value list = *maps, map;
	r->where = "features";
	for (uint32_t i = 0; i < n; i++) {
		TRY(next_item(r, &list, &map));
		TRY(read_feature(r, &map, i, n, cuts, features + i, table));
		cuts += features[i].n_cuts;
		if (cuts > INT32_MAX)
			return corrupt(r, "cuts", "more cuts than a file can hold");
	}
	for (size_t i = n; i < n_columns; i++)
		features[i].name = "";
	sl_arena_free(r->items);
	f->features = features;
	f->n_features = f->contract.n_features = n;
	f->n_cuts = (uint32_t)cuts;
	return index_names(r, f);
}

static score_status read_link(reader *r, const sl_value *root, forest *f)
{
	const sl_value *map = NULL;
	TRY(get_count(r, root, "outputs", &f->contract.n_outputs));
	TRY(get(r, root, "link", SL_MAP, &map));
	r->where = "link";
	TRY(get_word(r, map, "name", &slm_words_link, &f->link));
	TRY(get_number(r, map, "parameter", &f->link_parameter));
	return get_count(r, map, "predictions", &f->n_predictions);
}

/* A list of n elements and memory for them of `size` bytes each; both NULL if it is empty. */
static score_status get_list(const reader *r, const sl_value *map, const char *key, uint32_t n, size_t size,
	const sl_value **items, void **memory)
{
	const sl_value *list = NULL;
	*items = NULL;
	*memory = NULL;
	TRY(get(r, map, key, SL_ARRAY, &list));
	if (list->n == 0)
		return SCORE_OK;
	if (list->n != n)
		return corrupt(r, key, "has another length than its part says");
	*memory = sl_arena_alloc(r->arena, n, size);
	if (*memory == NULL)
		return sl_fail_memory(r->error, n * size);
	*items = list->u.items;
	return SCORE_OK;
}

/* A list of numbers, or NULL if it is empty. */
static score_status get_numbers(const reader *r, const sl_value *map, const char *key, uint32_t n, const double **out)
{
	const sl_value *items;
	void *memory;
	*out = NULL;
	TRY(get_list(r, map, key, n, sizeof(double), &items, &memory));
	double *values = memory;
	for (uint32_t i = 0; items != NULL && i < n; i++) {
		if (items[i].type != SL_FLOAT)
			return corrupt(r, key, "expected floats");
		values[i] = items[i].u.number;
	}
	*out = values;
	return SCORE_OK;
}

static score_status get_integers(const reader *r, const sl_value *map, const char *key, uint32_t n, const uint32_t **out)
{
	const sl_value *items;
	void *memory;
	*out = NULL;
	TRY(get_list(r, map, key, n, sizeof(uint32_t), &items, &memory));
	uint32_t *values = memory;
	for (uint32_t i = 0; items != NULL && i < n; i++) {
		if (items[i].type != SL_UINT || items[i].u.uint > INT32_MAX)
			return corrupt(r, key, "expected counts");
		values[i] = (uint32_t)items[i].u.uint;
	}
	*out = values;
	return SCORE_OK;
}

static score_status read_part(const reader *r, const sl_value *map, uint32_t n_outputs, score_part *p)
{
	if (map->type != SL_MAP)
		return corrupt(r, "list", "expected one map per part");
	p->struct_size = sizeof *p;
	TRY(get_count(r, map, "first_output", &p->first_output));
	TRY(get_count(r, map, "outputs", &p->n_outputs));
	TRY(get_number(r, map, "divisor", &p->divisor));
	TRY(get_word(r, map, "link", &slm_words_link, &p->link));
	TRY(get_number(r, map, "parameter", &p->link_parameter));
	TRY(get_word(r, map, "vote", &slm_words_vote, &p->vote));
	TRY(get_number(r, map, "weight", &p->weight));
	if (p->n_outputs == 0 || p->n_outputs > n_outputs || p->divisor == 0.0 || p->link_parameter == 0.0)
		return corrupt(r, "outputs", "a part has no outputs, more than the model, or divides by 0");
	TRY(get_numbers(r, map, "slopes", p->n_outputs, &p->slopes));
	TRY(get_numbers(r, map, "offsets", p->n_outputs, &p->offsets));
	TRY(get_integers(r, map, "curve_ends", p->n_outputs, &p->curve_ends));
	const uint32_t n_curve = p->curve_ends ? p->curve_ends[p->n_outputs - 1] : 0;
	TRY(get_numbers(r, map, "curve_x", n_curve, &p->curve_x));
	TRY(get_numbers(r, map, "curve_y", n_curve, &p->curve_y));
	TRY(get_integers(r, map, "predictions", forest_part_values(p), &p->columns));
	return p->columns ? SCORE_OK : corrupt(r, "predictions", "a part names none, or its link does not fit its outputs");
}

static score_status read_parts(reader *r, const sl_value *root, forest *f)
{
	const sl_value *map = NULL;
	const sl_value *list = NULL;
	TRY(get(r, root, "parts", SL_MAP, &map));
	r->where = "parts";
	TRY(get_word(r, map, "combine", &slm_words_combine, &f->parts.combine));
	TRY(get_number(r, map, "total", &f->parts.total));
	TRY(get(r, map, "list", SL_ARRAY, &list));
	score_part *parts = sl_arena_alloc(r->arena, list->n, sizeof *parts);
	if (parts == NULL)
		return sl_fail_memory(r->error, list->n * sizeof *parts);
	for (uint32_t i = 0; i < list->n; i++)
		TRY(read_part(r, list->u.items + i, f->contract.n_outputs, parts + i));
	f->parts.n = list->n;
	f->parts.list = parts;
	return SCORE_OK;
}

static score_status read_contract(reader *r, const sl_value *root, forest *f)
{
	score_contract *c = &f->contract;
	const sl_value *map = NULL;
	TRY(get(r, root, "contract", SL_MAP, &map));
	r->where = "contract";
	c->struct_size = sizeof *c;
	TRY(get_word(r, map, "compare", &slm_words_dtype, &c->compare));
	TRY(get_word(r, map, "sum", &slm_words_dtype, &c->sum));
	TRY(get_count(r, map, "trees_per_iteration", &c->trees_per_iteration));
	TRY(get_word(r, map, "base_position", &slm_words_base, &c->base_position));
	TRY(get_word(r, map, "average", &slm_words_average, &c->average));
	TRY(get_number(r, map, "scale", &c->scale));
	TRY(get_word(r, map, "category_rule", &slm_words_category, &c->category_rule));
	return get_bool(r, map, "linear_skip_missing", &f->linear_skip_missing);
}

static score_status read_counts(reader *r, const sl_value *root, forest *f, slm_table *table)
{
	const sl_value *map = NULL;
	uint32_t cuts;
	TRY(get(r, root, "counts", SL_MAP, &map));
	r->where = "counts";
	TRY(get_count(r, map, "trees", &f->n_trees));
	TRY(get_count(r, map, "splits", &f->n_splits));
	TRY(get_count(r, map, "leaves", &f->n_leaves));
	TRY(get_count(r, map, "leaf_width", &f->leaf_width));
	TRY(get_count(r, map, "cuts", &cuts));
	TRY(get_count(r, map, "tests", &f->n_tests));
	TRY(get_count(r, map, "set_tests", &table->n_set_tests));
	TRY(get_count(r, map, "sets", &f->n_sets));
	TRY(get_count(r, map, "set_members", &f->n_set_members));
	TRY(get_count(r, map, "golden_rows", &f->n_golden));
	f->n_cuts += table->n_derived_cuts;
	if (cuts != f->n_cuts)
		return corrupt(r, "cuts", "is not the sum of the features' cuts");
	if ((uint64_t)f->n_splits + f->n_trees != f->n_leaves)
		return corrupt(r, "leaves", "is not splits + trees");
	return SCORE_OK;
}

/* "f32", "f64", "u1" … "u32". */
static bool read_type(const sl_value *text, slm_section *s)
{
	uint32_t bits = 0;
	if (text->n < 2 || text->n > 3)
		return false;
	for (uint32_t i = 1; i < text->n; i++) {
		const char c = text->u.text[i];
		if (c < '0' || c > '9')
			return false;
		bits = bits * 10 + (uint32_t)(c - '0');
	}
	s->bits = (uint8_t)bits;
	s->is_float = text->u.text[0] == 'f';
	if (s->is_float)
		return bits == 32 || bits == 64;
	return text->u.text[0] == 'u' && text->u.text[1] != '0' && bits <= 32;
}

static score_status read_section(const reader *r, const sl_value *map, uint64_t room, uint64_t *at, slm_table *table)
{
	const sl_value *name = NULL;
	const sl_value *type = NULL;
	slm_section s = { .present = true };
	uint64_t bytes;
	int id = 0;
	TRY(get(r, map, "name", SL_TEXT, &name));
	TRY(get_u64(r, map, "offset", room, &s.offset));
	TRY(get_u64(r, map, "bytes", room - s.offset, &s.bytes));
	if (s.offset != ((*at + SLM_ALIGN - 1) & ~(uint64_t)(SLM_ALIGN - 1)))
		return corrupt(r, sl_quote(name->u.text, name->n).text,
			"offset is not the first multiple of 64 after the section before it");
	*at = s.offset + s.bytes;
	while (id < SLM_N_SECTIONS && !sl_text_is(name, slm_section_names[id]))
		id++;
	if (id == SLM_N_SECTIONS)
		return SCORE_OK;
	if (table->sections[id].present)
		return corrupt(r, slm_section_names[id], "section is there twice");
	TRY(get(r, map, "type", SL_TEXT, &type));
	TRY(get_u64(r, map, "count", UINT64_MAX, &s.count));
	if (!read_type(type, &s))
		return corrupt(r, slm_section_names[id], "type is none of f32, f64, u1 to u32");
	if (s.count == 0 || !slm_array_bytes(s.count, s.bits, &bytes) || bytes != s.bytes)
		return corrupt(r, slm_section_names[id], "count, type and bytes do not fit together");
	table->sections[id] = s;
	return SCORE_OK;
}

static score_status read_sections(reader *r, const sl_value *root, uint64_t room, slm_table *table)
{
	const sl_value *maps = NULL;
	uint64_t at = 0;
	TRY(get(r, root, "sections", SL_LIST, &maps));
	r->where = "sections";
	for (sl_value list = *maps, map; list.n > 0;) {
		TRY(next_item(r, &list, &map));
		if (map.type != SL_MAP)
			return corrupt(r, "sections", "expected one map per section");
		TRY(read_section(r, &map, room, &at, table));
	}
	if (at != room)
		return corrupt(r, "sections", "the last section does not end where the hash begins");
	table->section_bytes = at;
	return SCORE_OK;
}

static score_status read_root(reader *r, const sl_value *root, uint64_t room, forest *f, slm_table *table)
{
	static const char top[] = "top level";
	const sl_value *name = NULL;
	r->where = top;
	if (root->type != SL_MAP)
		return corrupt(r, "format", "the header is not a map");
	TRY(get(r, root, "format", SL_TEXT, &name));
	if (!sl_text_is(name, "scoreline model"))
		return corrupt(r, "format", "expected 'scoreline model'");
	TRY(read_requires(r, root, table));
	if (table->needs[SLM_NEEDS_DERIVED])
		TRY(read_derived(r, root, room, f, table));
	r->where = top;
	TRY(get_word(r, root, "kind", &slm_words_kind, &f->kind));
	TRY(get_word(r, root, "leaf_id_rule", &slm_words_leaf_rule, &table->leaf_rule));
	TRY(read_metadata(r, root, f));
	r->where = top;
	TRY(read_features(r, root, f, table));
	r->where = top;
	TRY(read_link(r, root, f));
	/* The first writers stored a slope that these links did not have. */
	if (forest_needs_slope(f) && !table->needs[SLM_NEEDS_SLOPE])
		f->link_parameter = 1.0;
	r->where = top;
	if (table->needs[SLM_NEEDS_PARTS])
		TRY(read_parts(r, root, f));
	r->where = top;
	TRY(read_contract(r, root, f));
	r->where = top;
	TRY(read_counts(r, root, f, table));
	r->where = top;
	return read_sections(r, root, room, table);
}

score_status slm_header_read(const uint8_t *header, size_t size, uint64_t section_bytes, sl_arena *arena, forest *f,
	slm_table *table, score_error *error)
{
	sl_arena scratch, items;
	sl_value root;
	reader r = { arena, error, "", &items, header + size };
	slm_begin_scratch(&scratch, arena);
	slm_begin_scratch(&items, arena);
	score_status status = sl_msgpack_outline(header, size, SLM_PRELUDE_BYTES, &scratch, &root, error);
	if (status == SCORE_OK)
		status = read_root(&r, &root, section_bytes, f, table);
	slm_end_scratch(&items, arena);
	slm_end_scratch(&scratch, arena);
	return status;
}
