/*
 * The header: a msgpack map that tells people and machines what the model is.
 *
 * Comes in: a checked forest and the table of its encoded sections. Goes out: bytes. Keys have a fixed order.
 */
#include "slm_layout.h"

#include <msgpack/pack.h>

typedef struct writer {
	msgpack_packer pack;
	sl_vector *out;
	score_error *error;
	score_status status;
} writer;

static int append(void *data, const char *bytes, size_t n)
{
	writer *w = data;
	if (w->status == SCORE_OK && !sl_vector_push(w->out, bytes, n))
		w->status = sl_fail_memory(w->error, w->out->length + n);
	return 0;
}

static void put_text(writer *w, const char *text)
{
	const size_t n = strlen(text);
	msgpack_pack_str(&w->pack, n);
	msgpack_pack_str_body(&w->pack, text, n);
}

static void put_map(writer *w, const char *key, uint32_t n)
{
	put_text(w, key);
	msgpack_pack_map(&w->pack, n);
}

static void put_array(writer *w, const char *key, uint32_t n)
{
	put_text(w, key);
	msgpack_pack_array(&w->pack, n);
}

static void put_count(writer *w, const char *key, uint64_t value)
{
	put_text(w, key);
	msgpack_pack_uint64(&w->pack, value);
}

static void put_number(writer *w, const char *key, double value)
{
	put_text(w, key);
	msgpack_pack_double(&w->pack, value);
}

static void put_word(writer *w, const char *key, const slm_words *words, int32_t value)
{
	put_text(w, key);
	if ((uint32_t)value >= words->count)
		w->status = sl_fail(w->error, SCORE_ERR_UNSUPPORTED, "the file format has no word for '%s' number %d", key,
			(int)value);
	else
		put_text(w, words->names[value]);
}

static void put_bool(writer *w, const char *key, bool value)
{
	put_text(w, key);
	if (value)
		msgpack_pack_true(&w->pack);
	else
		msgpack_pack_false(&w->pack);
}

static void put_feature(writer *w, const forest_feature *feature)
{
	const forest_dictionary *d = feature->dictionary;
	msgpack_pack_map(&w->pack, d ? 4 : 3);
	put_text(w, "name");
	put_text(w, feature->name);
	put_word(w, "type", &slm_words_feature, (int32_t)feature->type);
	put_count(w, "cuts", feature->n_cuts);
	if (!d)
		return;
	put_map(w, "dictionary", 3);
	put_count(w, "labels", d->n_labels);
	put_number(w, "unknown", d->unknown);
	put_bool(w, "numbers", d->flags & SCORE_DICTIONARY_NUMBERS);
}

static void put_model(writer *w, const forest *f)
{
	put_map(w, "metadata", f->n_metadata);
	for (uint32_t i = 0; i < f->n_metadata; i++) {
		put_text(w, f->metadata[i].key);
		put_text(w, f->metadata[i].value);
	}
	put_word(w, "kind", &slm_words_kind, f->kind);
	put_array(w, "features", f->n_features);
	for (uint32_t i = 0; i < f->n_features; i++)
		put_feature(w, f->features + i);
	put_count(w, "outputs", f->contract.n_outputs);
	put_map(w, "link", 3);
	put_word(w, "name", &slm_words_link, f->link);
	put_number(w, "parameter", f->link_parameter);
	put_count(w, "predictions", f->n_predictions);
}

static void put_contract(writer *w, const forest *f)
{
	const score_contract *c = &f->contract;
	put_map(w, "contract", 8);
	put_word(w, "compare", &slm_words_dtype, c->compare);
	put_word(w, "sum", &slm_words_dtype, c->sum);
	put_count(w, "trees_per_iteration", c->trees_per_iteration);
	put_word(w, "base_position", &slm_words_base, c->base_position);
	put_word(w, "average", &slm_words_average, c->average);
	put_number(w, "scale", c->scale);
	put_word(w, "category_rule", &slm_words_category, c->category_rule);
	put_bool(w, "linear_skip_missing", f->linear_skip_missing != 0);
}

static void put_counts(writer *w, const forest *f, const slm_table *table)
{
	put_map(w, "counts", 10);
	put_count(w, "trees", f->n_trees);
	put_count(w, "splits", f->n_splits);
	put_count(w, "leaves", f->n_leaves);
	put_count(w, "leaf_width", f->leaf_width);
	put_count(w, "cuts", f->n_cuts);
	put_count(w, "tests", f->n_tests);
	put_count(w, "set_tests", table->n_set_tests);
	put_count(w, "sets", f->n_sets);
	put_count(w, "set_members", f->n_set_members);
	put_count(w, "golden_rows", f->n_golden);
}

static void put_derived(writer *w, const forest *f)
{
	const forest_derived *d = &f->derived;
	uint64_t cuts = 0;
	for (uint32_t i = f->n_features; i < forest_columns(f); i++)
		cuts += f->features[i].n_cuts;
	put_map(w, "derived", 7);
	put_count(w, "columns", d->n);
	put_count(w, "cuts", cuts);
	put_count(w, "steps", d->n_steps);
	put_count(w, "lists", d->n_lists);
	put_count(w, "tables", d->n_tables);
	put_count(w, "hash_tables", d->n_hash_tables);
	put_count(w, "linear_first", f->linear_first);
}

static void put_numbers(writer *w, const char *key, const double *values, uint32_t n)
{
	put_array(w, key, values ? n : 0);
	for (uint32_t i = 0; i < n && values; i++)
		msgpack_pack_double(&w->pack, values[i]);
}

static void put_integers(writer *w, const char *key, const uint32_t *values, uint32_t n)
{
	put_array(w, key, values ? n : 0);
	for (uint32_t i = 0; i < n && values; i++)
		msgpack_pack_uint64(&w->pack, values[i]);
}

static void put_part(writer *w, const score_part *p)
{
	uint32_t n_curve = p->curve_ends ? p->curve_ends[p->n_outputs - 1] : 0;
	msgpack_pack_map(&w->pack, 13);
	put_count(w, "first_output", p->first_output);
	put_count(w, "outputs", p->n_outputs);
	put_number(w, "divisor", p->divisor);
	put_word(w, "link", &slm_words_link, p->link);
	put_number(w, "parameter", p->link_parameter);
	put_word(w, "vote", &slm_words_vote, p->vote);
	put_number(w, "weight", p->weight);
	put_numbers(w, "slopes", p->slopes, p->n_outputs);
	put_numbers(w, "offsets", p->offsets, p->n_outputs);
	put_integers(w, "curve_ends", p->curve_ends, p->n_outputs);
	put_numbers(w, "curve_x", p->curve_x, n_curve);
	put_numbers(w, "curve_y", p->curve_y, n_curve);
	put_integers(w, "predictions", p->columns, forest_part_values(p));
}

static void put_parts(writer *w, const forest_parts *parts)
{
	put_map(w, "parts", 3);
	put_word(w, "combine", &slm_words_combine, parts->combine);
	put_number(w, "total", parts->total);
	put_array(w, "list", parts->n);
	for (uint32_t i = 0; i < parts->n; i++)
		put_part(w, parts->list + i);
}

static void put_section(writer *w, const char *name, const slm_section *s)
{
	char type[4] = { s->is_float ? 'f' : 'u', 0, 0, 0 };
	if (s->bits < 10) {
		type[1] = (char)('0' + s->bits);
	} else {
		type[1] = (char)('0' + s->bits / 10);
		type[2] = (char)('0' + s->bits % 10);
	}
	msgpack_pack_map(&w->pack, 5);
	put_text(w, "name");
	put_text(w, name);
	put_text(w, "type");
	put_text(w, type);
	put_count(w, "count", s->count);
	put_count(w, "offset", s->offset);
	put_count(w, "bytes", s->bytes);
}

static void put_sections(writer *w, const slm_table *table)
{
	uint32_t n = 0;
	for (int i = 0; i < SLM_N_SECTIONS; i++)
		n += table->sections[i].present;
	put_array(w, "sections", n);
	for (int i = 0; i < SLM_N_SECTIONS; i++) {
		if (table->sections[i].present)
			put_section(w, slm_section_names[i], table->sections + i);
	}
}

static void put_requires(writer *w, const slm_table *table)
{
	uint32_t n = 0;
	for (int i = 0; i < SLM_N_REQUIREMENTS; i++)
		n += table->needs[i];
	put_array(w, "requires", n);
	for (int i = 0; i < SLM_N_REQUIREMENTS; i++) {
		if (table->needs[i])
			put_text(w, slm_requirement_names[i]);
	}
}

score_status slm_header_write(const forest *f, const slm_table *table, sl_vector *out, score_error *error)
{
	writer w = { .out = out, .error = error, .status = SCORE_OK };
	msgpack_packer_init(&w.pack, &w, append);
	msgpack_pack_map(&w.pack, 11u + (f->derived.n > 0) + (f->parts.n > 0));
	put_text(&w, "format");
	put_text(&w, "scoreline model");
	put_requires(&w, table);
	put_model(&w, f);
	put_contract(&w, f);
	put_counts(&w, f, table);
	put_word(&w, "leaf_id_rule", &slm_words_leaf_rule, table->leaf_rule);
	if (f->derived.n > 0)
		put_derived(&w, f);
	if (f->parts.n > 0)
		put_parts(&w, &f->parts);
	put_sections(&w, table);
	return w.status;
}
