/*
 * Read a model file.
 *
 * Comes in: untrusted bytes. Goes out: a forest in the arena that forest_check() accepted. The hash proves that the
 * file is whole, not that its author is honest: every count and number is checked again behind it.
 */
#include "slm_reader.h"

#include <xxhash.h>

/* ---- prelude -------------------------------------------------------------------------------------- */

static score_status check_magic(const uint8_t *data, size_t size, score_error *error)
{
	const size_t n = size < SLM_MAGIC_BYTES ? size : SLM_MAGIC_BYTES;
	if (size == 0 || memcmp(data, SLM_MAGIC, n) != 0)
		return sl_fail_at(error, SCORE_ERR_CORRUPT, 0, -1,
			"not a Scoreline model file (.slm); convert other libraries' models with `scoreline convert`");
	if (size < SLM_PRELUDE_BYTES + SLM_HASH_BYTES)
		return sl_fail_at(error, SCORE_ERR_CORRUPT, (int64_t)size, -1,
			"the file ends after %llu bytes, inside its first fields; it was cut short", (unsigned long long)size);
	return SCORE_OK;
}

static score_status check_prelude(const uint8_t *data, size_t size, size_t *header_size, score_error *error)
{
	TRY(check_magic(data, size, error));
	const uint32_t written = slm_get_u32(data + 8);
	const uint32_t readable = slm_get_u32(data + 12);
	const uint64_t file_size = slm_get_u64(data + 16);
	const uint64_t header = slm_get_u64(data + 24);
	if (readable > SLM_VERSION)
		return sl_fail_at(error, SCORE_ERR_VERSION, 12, -1,
			"the file needs a reader of format version %u, this library reads up to %u; use a newer release",
			(unsigned)readable, SLM_VERSION);
	if (readable == 0 || written < readable)
		return sl_fail_at(error, SCORE_ERR_CORRUPT, 8, -1, "format version %u, readable from %u: no such version",
			(unsigned)written, (unsigned)readable);
	if (file_size != size)
		return sl_fail_at(error, SCORE_ERR_CORRUPT, 16, -1,
			"the file says that it has %llu bytes, found %llu; it was cut short or something was added",
			(unsigned long long)file_size, (unsigned long long)size);
	if (header > SLM_MAX_HEADER_BYTES || header > size - SLM_PRELUDE_BYTES - SLM_HASH_BYTES
		|| sl_round_up(SLM_PRELUDE_BYTES + (size_t)header, SLM_ALIGN) > size - SLM_HASH_BYTES)
		return sl_fail_at(error, SCORE_ERR_CORRUPT, 24, -1, "a header of %llu bytes does not fit into the file",
			(unsigned long long)header);
	*header_size = (size_t)header;
	return SCORE_OK;
}

static score_status check_hash(const uint8_t *data, size_t size, uint8_t hash[16], score_error *error)
{
	XXH128_canonical_t found;
	XXH128_canonicalFromHash(&found, XXH3_128bits(data, size - SLM_HASH_BYTES));
	if (memcmp(found.digest, data + size - SLM_HASH_BYTES, SLM_HASH_BYTES) != 0)
		return sl_fail_at(error, SCORE_ERR_CORRUPT, (int64_t)(size - SLM_HASH_BYTES), -1,
			"the content does not match the file's hash; the file is damaged, get it again from its source");
	memcpy(hash, found.digest, SLM_HASH_BYTES);
	return SCORE_OK;
}

/* ---- sections -------------------------------------------------------------------------------------- */

score_status slm_find(const slm_reader *r, int id, uint64_t n, bool is_float, const slm_section **out)
{
	const slm_section *s = r->table.sections + id;
	*out = NULL;
	if (!s->present && n == 0)
		return SCORE_OK;
	if (!s->present || s->count != n || s->is_float != is_float)
		return sl_fail(r->error, SCORE_ERR_CORRUPT,
			"section %s: expected %llu %s, found %llu %s; the file is damaged", slm_section_names[id],
			(unsigned long long)n, is_float ? "floats" : "integers", (unsigned long long)(s->present ? s->count : 0),
			s->present && !s->is_float ? "integers" : "floats");
	*out = s;
	return SCORE_OK;
}

void *slm_take(const slm_reader *r, sl_arena *arena, uint64_t n, size_t size)
{
	void *memory = n <= SIZE_MAX ? sl_arena_alloc(arena, (size_t)n, size) : NULL;
	if (memory == NULL)
		(void)sl_fail_memory(r->error, (size_t)n * size);
	return memory;
}

static score_status get_floats(const slm_reader *r, sl_arena *arena, int id, uint64_t n, const double **out)
{
	const slm_section *s;
	TRY(slm_find(r, id, n, true, &s));
	double *values = slm_take(r, arena, n, sizeof *values);
	if (values == NULL)
		return SCORE_ERR_MEMORY;
	if (s != NULL)
		slm_floats_from_bytes(r->sections + s->offset, s->bits, values, (size_t)n);
	*out = values;
	return SCORE_OK;
}

score_status slm_get_ints(const slm_reader *r, sl_arena *arena, int id, uint64_t n, uint32_t **out)
{
	const slm_section *s;
	TRY(slm_find(r, id, n, false, &s));
	*out = slm_take(r, arena, n, sizeof **out);
	if (*out == NULL)
		return SCORE_ERR_MEMORY;
	if (s != NULL)
		slm_unpack(r->sections + s->offset, (size_t)s->bytes, s->bits, *out, (size_t)n);
	return SCORE_OK;
}

score_status slm_get_numbers(const slm_reader *r, sl_arena *arena, int id, uint64_t n, forest_numbers *out)
{
	const slm_section *s;
	TRY(slm_find(r, id, n, false, &s));
	const uint32_t bytes = s == NULL ? 1 : forest_number_bytes((uint32_t)(((uint64_t)1 << s->bits) - 1));
	void *values = slm_take(r, arena, n, bytes);
	if (values == NULL)
		return SCORE_ERR_MEMORY;
	for (size_t i = 0; s != NULL && i < (size_t)n; i++)
		forest_put_number(values, bytes, i, slm_unpack_one(r->sections + s->offset, (size_t)s->bytes, s->bits, i));
	*out = (forest_numbers){ values, bytes };
	return SCORE_OK;
}

static score_status get_reals(const slm_reader *r, sl_arena *arena, int id, uint64_t n, forest_reals *out)
{
	const slm_section *s = r->table.sections + id;
	const double *wide;
	if (!s->present || s->bits != 32) {
		TRY(get_floats(r, arena, id, n, &wide));
		*out = (forest_reals){ wide, sizeof *wide };
		return SCORE_OK;
	}
	TRY(slm_find(r, id, n, true, &s));
	float *values = slm_take(r, arena, n, sizeof *values);
	if (values == NULL)
		return SCORE_ERR_MEMORY;
	slm_narrow_floats_from_bytes(r->sections + s->offset, values, (size_t)n);
	*out = (forest_reals){ values, sizeof *values };
	return SCORE_OK;
}

/* ---- sets and tests --------------------------------------------------------------------------------- */

static score_status expand_sets(const slm_reader *r, const uint32_t *sizes, const uint32_t *firsts, const uint32_t *gaps,
	size_t n_gaps, uint32_t *set_first, uint32_t *members)
{
	const uint32_t n_members = r->f->n_set_members;
	uint32_t at = 0;
	size_t gap = 0;
	for (uint32_t i = 0; i < r->f->n_sets; i++) {
		uint64_t member = firsts[i];
		set_first[i] = at;
		if (sizes[i] > n_members - at || (sizes[i] > 0 && sizes[i] - 1 > n_gaps - gap))
			break;
		for (uint32_t k = 0; k < sizes[i]; k++) {
			member += k > 0 ? (uint64_t)gaps[gap++] + 1 : 0;
			if (member > UINT32_MAX)
				return sl_fail(r->error, SCORE_ERR_CORRUPT, "section set_gaps: a category exceeds 32 bits");
			members[at++] = (uint32_t)member;
		}
		set_first[i + 1] = at;
	}
	if (at != n_members || gap != n_gaps)
		return sl_fail(r->error, SCORE_ERR_CORRUPT, "section set_sizes does not add up to %u categories",
			(unsigned)n_members);
	return SCORE_OK;
}

static score_status get_sets(const slm_reader *r, sl_arena *scratch)
{
	forest *f = r->f;
	const uint64_t n_gaps = r->table.sections[SLM_SET_GAPS].present ? r->table.sections[SLM_SET_GAPS].count : 0;
	uint32_t *sizes;
	uint32_t *firsts;
	uint32_t *gaps;
	TRY(slm_get_ints(r, scratch, SLM_SET_SIZES, f->n_sets, &sizes));
	TRY(slm_get_ints(r, scratch, SLM_SET_FIRSTS, f->n_sets, &firsts));
	TRY(slm_get_ints(r, scratch, SLM_SET_GAPS, n_gaps, &gaps));
	if (f->n_set_members > n_gaps + f->n_sets)
		return sl_fail(r->error, SCORE_ERR_CORRUPT, "section set_gaps is too short for %u categories",
			(unsigned)f->n_set_members);
	uint32_t *set_first = slm_take(r, scratch, (uint64_t)f->n_sets + 1, sizeof *set_first);
	uint32_t *members = slm_take(r, scratch, f->n_set_members, sizeof *members);
	if (set_first == NULL || members == NULL)
		return SCORE_ERR_MEMORY;
	TRY(expand_sets(r, sizes, firsts, gaps, (size_t)n_gaps, set_first, members));
	return forest_narrow_numbers(set_first, (size_t)f->n_sets + 1, r->arena, &f->set_first) &&
		forest_narrow_numbers(members, f->n_set_members, r->arena, &f->set_members) ? SCORE_OK :
		sl_fail_memory(r->error, f->n_set_members * sizeof *members);
}

typedef struct test_source {
	uint32_t *masks;
	uint32_t *features; /* of set tests */
	uint32_t *sets;
	uint32_t *flags;
	uint32_t next_set_test;
} test_source;

/* Tests of one feature: those of its cuts, then those of its sets. Returns how many there are now. */
static uint32_t expand_feature_tests(const slm_reader *r, test_source *from, uint32_t feature, forest_test *tests, uint32_t n)
{
	const forest_feature *ft = r->f->features + feature;
	for (uint32_t cut = 0; cut < ft->n_cuts; cut++) {
		const uint32_t mask = from->masks[ft->first_cut + cut];
		for (uint32_t bit = 0; bit < 4; bit++) {
			if (mask >> bit & 1)
				tests[n++] = forest_make_test(feature, cut, FOREST_NUMERIC, bit >> 1, bit & 1);
		}
	}
	while (from->next_set_test < r->table.n_set_tests && from->features[from->next_set_test] == feature) {
		const uint32_t i = from->next_set_test++;
		const forest_test_kind kind = from->flags[i] & 2 ? FOREST_CATEGORY_NOT : FOREST_CATEGORY;
		tests[n++] = forest_make_test(feature, from->sets[i], kind, from->flags[i] & 1, 0);
	}
	return n;
}

static score_status get_tests(const slm_reader *r, sl_arena *scratch)
{
	static const uint8_t bits_set[16] = { 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4 };
	forest *f = r->f;
	const uint32_t n_set_tests = r->table.n_set_tests;
	test_source from = { 0 };
	uint64_t n = n_set_tests;
	uint32_t filled = 0;
	TRY(slm_get_ints(r, scratch, SLM_CUT_TESTS, f->n_cuts, &from.masks));
	TRY(slm_get_ints(r, scratch, SLM_SET_TEST_FEATURES, n_set_tests, &from.features));
	TRY(slm_get_ints(r, scratch, SLM_SET_TEST_SETS, n_set_tests, &from.sets));
	TRY(slm_get_ints(r, scratch, SLM_SET_TEST_FLAGS, n_set_tests, &from.flags));
	for (uint32_t i = 0; i < f->n_cuts; i++) {
		if (from.masks[i] > 15)
			return sl_fail(r->error, SCORE_ERR_CORRUPT, "section cut_tests: expected values up to 15, found %u",
				(unsigned)from.masks[i]);
		n += bits_set[from.masks[i]];
	}
	if (n != f->n_tests)
		return sl_fail(r->error, SCORE_ERR_CORRUPT, "the header counts %u tests, the sections hold %llu",
			(unsigned)f->n_tests, (unsigned long long)n);
	forest_test *tests = slm_take(r, scratch, n, sizeof *tests);
	if (tests == NULL)
		return SCORE_ERR_MEMORY;
	for (uint32_t i = 0; i < forest_columns(f); i++)
		filled = expand_feature_tests(r, &from, i, tests, filled);
	if (filled != n)
		return sl_fail(r->error, SCORE_ERR_CORRUPT, "section set_test_features is not ascending, or beyond the features");
	for (uint32_t i = 0; i < n_set_tests; i++) {
		if (from.flags[i] > 3)
			return sl_fail(r->error, SCORE_ERR_CORRUPT, "section set_test_flags: expected values up to 3, found %u",
				(unsigned)from.flags[i]);
	}
	return forest_narrow_tests(tests, (size_t)n, r->arena, &f->tests) ? SCORE_OK : sl_fail_memory(r->error, (size_t)n * sizeof *tests);
}

/* ---- dictionaries ------------------------------------------------------------------------------------ */

static score_status get_labels(const slm_reader *r, sl_arena *scratch)
{
	const slm_section *text = r->table.sections + SLM_LABEL_TEXT;
	const double *codes;
	uint32_t *sizes;
	slm_labels labels = { .n = r->table.n_labels, .n_bytes = text->present ? (size_t)text->count : 0 };
	if (text->present && text->bits != 8)
		return sl_fail(r->error, SCORE_ERR_CORRUPT, "section label_text: expected type u8, found %u bits",
			(unsigned)text->bits);
	TRY(slm_get_ints(r, scratch, SLM_LABEL_SIZES, labels.n, &sizes));
	TRY(get_floats(r, scratch, SLM_LABEL_CODES, labels.n, &codes));
	labels.text = text->present ? r->sections + text->offset : NULL;
	labels.sizes = sizes;
	labels.codes = codes;
	return slm_take_labels(&labels, &r->table, scratch, r->arena, r->f, r->error);
}

/* ---- derived columns -------------------------------------------------------------------------------- */

/* Sizes one after the other become places; they must add up to the elements of section `elements`. */
static score_status get_places(const slm_reader *r, sl_arena *scratch, int sizes_id, int elements, uint32_t n,
	const uint32_t **first, uint32_t *total)
{
	const slm_section *s = r->table.sections + elements;
	const uint64_t n_elements = s->present ? s->count : 0;
	uint64_t at = 0;
	uint32_t *sizes;
	TRY(slm_get_ints(r, scratch, sizes_id, n, &sizes));
	uint32_t *places = slm_take(r, r->arena, (uint64_t)n + 1, sizeof *places);
	if (places == NULL)
		return SCORE_ERR_MEMORY;
	for (uint32_t i = 0; i < n && at <= n_elements; i++) {
		places[i] = (uint32_t)at;
		at += sizes[i];
	}
	if (at != n_elements || at > INT32_MAX)
		return sl_fail(r->error, SCORE_ERR_CORRUPT, "section %s does not add up to the elements of section %s",
			slm_section_names[sizes_id], slm_section_names[elements]);
	places[n] = (uint32_t)at;
	*first = places;
	*total = (uint32_t)at;
	return SCORE_OK;
}

static score_status get_programs(const slm_reader *r, sl_arena *scratch)
{
	static const int ids[6] = { SLM_DERIVED_CUTS, SLM_DERIVED_ROOTS, SLM_DERIVED_SOURCES, SLM_DERIVED_LISTS,
		SLM_DERIVED_HASHES, SLM_DERIVED_STEPS };
	forest *f = r->f;
	forest_derived *d = &f->derived;
	forest_feature *features = (forest_feature *)(uintptr_t)f->features;
	uint32_t *fields[6];
	const double *least;
	uint64_t cuts = (uint64_t)f->n_cuts - r->table.n_derived_cuts;
	uint64_t steps = 0;
	for (int k = 0; k < 6; k++)
		TRY(slm_get_ints(r, scratch, ids[k], d->n, &fields[k]));
	TRY(get_floats(r, scratch, SLM_DERIVED_LEAST, d->n, &least));
	forest_program *programs = slm_take(r, r->arena, d->n, sizeof *programs);
	if (programs == NULL)
		return SCORE_ERR_MEMORY;
	for (uint32_t i = 0; i < d->n && cuts <= f->n_cuts && steps <= d->n_steps; i++) {
		forest_feature *column = features + f->n_features + i;
		column->first_cut = (uint32_t)cuts;
		column->n_cuts = fields[0][i];
		programs[i] = (forest_program){ .root = fields[1][i] / 2 > UINT8_MAX ? UINT8_MAX : (uint8_t)(fields[1][i] / 2),
			.is_f32 = fields[1][i] & 1, .source = fields[2][i], .list = fields[3][i], .hashes = fields[4][i],
			.n_steps = fields[5][i], .first_step = (uint32_t)steps, .least = least[i] };
		cuts += fields[0][i];
		steps += fields[5][i];
	}
	if (cuts != f->n_cuts || steps != d->n_steps)
		return sl_fail(r->error, SCORE_ERR_CORRUPT,
			"sections derived_cuts and derived_steps do not add up to the header's cuts and steps");
	d->programs = programs;
	return SCORE_OK;
}

static score_status get_steps(const slm_reader *r, sl_arena *scratch)
{
	forest_derived *d = &r->f->derived;
	uint32_t *operations;
	uint32_t *keys;
	uint32_t *values;
	const double *a;
	const double *b;
	TRY(slm_get_ints(r, scratch, SLM_STEP_OPERATIONS, d->n_steps, &operations));
	TRY(get_floats(r, scratch, SLM_STEP_A, d->n_steps, &a));
	TRY(get_floats(r, scratch, SLM_STEP_B, d->n_steps, &b));
	TRY(slm_get_ints(r, scratch, SLM_STEP_KEYS, d->n_steps, &keys));
	TRY(slm_get_ints(r, scratch, SLM_STEP_VALUES, d->n_steps, &values));
	forest_step *steps = slm_take(r, r->arena, d->n_steps, sizeof *steps);
	if (steps == NULL)
		return SCORE_ERR_MEMORY;
	for (uint32_t i = 0; i < d->n_steps; i++) {
		const uint32_t operation = operations[i] / 2;
		const bool looks_up = operation == SCORE_STEP_LOOKUP;
		steps[i] = (forest_step){ .a = a[i], .b = b[i], .is_f32 = operations[i] & 1,
			.operation = operation > UINT8_MAX ? UINT8_MAX : (uint8_t)operation, .values = values[i],
			.keys = !looks_up ? 0 : keys[i] == 0 ? FOREST_DENSE : keys[i] - 1 };
	}
	d->steps = steps;
	return SCORE_OK;
}

static score_status get_derived(const slm_reader *r, sl_arena *scratch)
{
	forest_derived *d = &r->f->derived;
	uint32_t *members;
	uint32_t *low;
	uint32_t *high;
	TRY(get_programs(r, scratch));
	TRY(get_steps(r, scratch));
	TRY(get_places(r, scratch, SLM_LIST_SIZES, SLM_LIST_MEMBERS, d->n_lists, &d->list_first, &d->n_list_members));
	TRY(slm_get_ints(r, r->arena, SLM_LIST_MEMBERS, d->n_list_members, &members));
	TRY(get_places(r, scratch, SLM_TABLE_SIZES, SLM_TABLE_VALUES, d->n_tables, &d->table_first, &d->n_table_values));
	TRY(get_floats(r, r->arena, SLM_TABLE_VALUES, d->n_table_values, &d->table_values));
	TRY(get_places(r, scratch, SLM_HASH_SIZES, SLM_HASH_LOW, d->n_hash_tables, &d->hash_first, &d->n_hashes));
	TRY(slm_get_ints(r, scratch, SLM_HASH_LOW, d->n_hashes, &low));
	TRY(slm_get_ints(r, scratch, SLM_HASH_HIGH, d->n_hashes, &high));
	uint64_t *hashes = slm_take(r, r->arena, d->n_hashes, sizeof *hashes);
	if (hashes == NULL)
		return SCORE_ERR_MEMORY;
	for (uint32_t i = 0; i < d->n_hashes; i++)
		hashes[i] = (uint64_t)high[i] << 32 | low[i];
	d->list_members = members;
	d->hashes = hashes;
	return SCORE_OK;
}

/* ---- linear leaves ---------------------------------------------------------------------------------- */

/* The sum of leaf_terms must be the number of terms, which the file's size bounds. */
static score_status get_linear_leaves(const slm_reader *r, sl_arena *scratch)
{
	forest *f = r->f;
	forest_linear_leaves *l = &f->linear_leaves;
	const slm_section *s = r->table.sections + SLM_TERM_FEATURES;
	const uint64_t n_terms = s->present ? s->count : 0;
	uint32_t *counts;
	uint32_t *features;
	uint64_t end = 0;
	for (int id = SLM_LEAF_CONSTANTS; id <= SLM_TERM_COEFFICIENTS && !r->table.needs[SLM_NEEDS_LINEAR_LEAVES]; id++)
		TRY(slm_find(r, id, 0, true, &s));
	if (!r->table.needs[SLM_NEEDS_LINEAR_LEAVES])
		return SCORE_OK;
	if (n_terms > INT32_MAX)
		return sl_fail(r->error, SCORE_ERR_CORRUPT, "section term_features has more than 2^31 - 1 terms");
	TRY(get_floats(r, r->arena, SLM_LEAF_CONSTANTS, f->n_leaves, &l->constants));
	TRY(slm_get_ints(r, scratch, SLM_LEAF_TERMS, f->n_leaves, &counts));
	TRY(slm_get_ints(r, r->arena, SLM_TERM_FEATURES, n_terms, &features));
	TRY(get_floats(r, r->arena, SLM_TERM_COEFFICIENTS, n_terms, &l->coefficients));
	uint32_t *first = slm_take(r, r->arena, (uint64_t)f->n_leaves + 1, sizeof *first);
	if (first == NULL)
		return SCORE_ERR_MEMORY;
	for (uint32_t i = 0; i < f->n_leaves; i++) {
		end += counts[i];
		if (end > n_terms)
			break;
		first[i + 1] = (uint32_t)end;
	}
	if (end != n_terms)
		return sl_fail(r->error, SCORE_ERR_CORRUPT, "section leaf_terms does not add up to %llu terms",
			(unsigned long long)n_terms);
	l->n_terms = (uint32_t)n_terms;
	l->features = features;
	l->first_term = first;
	return SCORE_OK;
}

/* ---- all -------------------------------------------------------------------------------------------- */

/* What a part left behind in the scratch is let go before the next: a file may ask for little more than its model keeps. */
static score_status get_trees(const slm_reader *r, sl_arena *scratch)
{
	static score_status (*const parts[])(const slm_reader *, sl_arena *) = { get_sets, get_tests, slm_get_trees, get_labels,
		get_linear_leaves };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		const score_status status = parts[i](r, scratch);
		sl_arena_free(scratch);
		TRY(status);
	}
	return SCORE_OK;
}

static score_status get_all(const slm_reader *r, sl_arena *scratch)
{
	forest *f = r->f;
	const uint64_t n_outputs = f->contract.n_outputs;
	if (f->linear_first >= forest_columns(f))
		return sl_fail(r->error, SCORE_ERR_CORRUPT, "the header: a sum from column %u on, the model has %u columns",
			(unsigned)f->linear_first, (unsigned)forest_columns(f));
	const uint64_t n_weights = f->kind == SCORE_KIND_LINEAR ? forest_linear_weights(f) : 0;
	if (f->derived.n > 0)
		TRY(get_derived(r, scratch));
	TRY(get_reals(r, r->arena, SLM_CUTS, f->n_cuts, &f->cuts));
	TRY(get_reals(r, r->arena, SLM_LEAVES, (uint64_t)f->n_leaves * f->leaf_width, &f->leaves));
	TRY(get_floats(r, r->arena, SLM_BASE, n_outputs, &f->base));
	TRY(get_floats(r, r->arena, SLM_LINEAR_WEIGHTS, n_weights, &f->linear_weights));
	if (n_weights == 0)
		f->linear_weights = NULL;
	TRY(get_floats(r, r->arena, SLM_GOLDEN_ROWS, (uint64_t)f->n_golden * f->n_features, &f->golden_rows));
	TRY(get_floats(r, r->arena, SLM_GOLDEN_MARGINS, f->n_golden * n_outputs, &f->golden_margins));
	return get_trees(r, scratch);
}

static score_status read_checked(slm_reader *r, const uint8_t *data, size_t size, size_t header_size)
{
	const size_t first_section = sl_round_up(SLM_PRELUDE_BYTES + header_size, SLM_ALIGN);
	sl_arena scratch;
	TRY(slm_header_read(data + SLM_PRELUDE_BYTES, header_size, size - SLM_HASH_BYTES - first_section, r->arena, r->f,
		&r->table, r->error));
	r->sections = data + first_section;
	slm_begin_scratch(&scratch, r->arena);
	score_status status = get_all(r, &scratch);
	slm_end_scratch(&scratch, r->arena);
	if (status == SCORE_OK)
		status = forest_check(r->f, r->error);
	if (status == SCORE_OK && !forest_index_hashes(&r->f->derived, r->arena))
		status = forest_fail_memory(r->arena, r->f->derived.n_hashes * sizeof(uint32_t), r->error);
	return status;
}

score_status slm_read(const void *data, size_t size, sl_arena *arena, forest **out, uint8_t hash[16],
	score_error *error)
{
	slm_reader r = { .arena = arena, .error = error };
	size_t header_size = 0;
	*out = NULL;
	TRY(check_prelude(data, size, &header_size, error));
	TRY(check_hash(data, size, hash, error));
	r.f = slm_take(&r, arena, 1, sizeof *r.f);
	score_status status = r.f != NULL ? read_checked(&r, data, size, header_size) : SCORE_ERR_MEMORY;
	/* Who reads a section does not ask why its arena gave nothing. */
	if (status == SCORE_ERR_MEMORY && arena->over_limit)
		status = forest_fail_memory(arena, arena->used, error);
	if (status == SCORE_OK)
		*out = r.f;
	return status;
}
