/*
 * Columns of text in an ONNX graph, and the dictionaries that stand for them in the model.
 *
 * Comes in: the texts that encoders name, and which encoder reads which input. Goes out: per text input a dictionary of the
 * labels that its encoders know, with codes 0, 1, 2, … While the graph is read a text is its place among all texts of the
 * graph; in the end the programs that read an input are rewritten to the codes of its dictionary.
 */
#include "onnx_graph.h"

#include <math.h>

/* ---- all texts ----------------------------------------------------------------------------------------- */

static int compare_texts(const void *x, const void *y)
{
	const onnx_text *a = x, *b = y;
	size_t n = a->len < b->len ? a->len : b->len;
	int order = n ? memcmp(a->data, b->data, n) : 0;
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static bool is_encoder(const onnx_op *op)
{
	return import_onnx_is(op->domain, "ai.onnx.ml") && (import_onnx_is(op->op_type, "LabelEncoder") ||
		import_onnx_is(op->op_type, "CategoryMapper") || import_onnx_is(op->op_type, "OneHotEncoder"));
}

/* How many texts an operator names; written to `out` unless it is NULL. */
static size_t texts_of(const onnx_op *op, onnx_text *out)
{
	size_t n = 0;
	for (size_t i = 0; i < op->n_attribute; i++) {
		const Import__Onnx__Attribute *a = op->attribute[i];
		for (size_t k = 0; k < a->n_strings; k++, n++) {
			if (out)
				out[n] = a->strings[k];
		}
		for (size_t t = 0; t < a->n_t; t++) {
			for (size_t k = 0; k < a->t[t]->n_string_data; k++, n++) {
				if (out)
					out[n] = a->t[t]->string_data[k];
			}
		}
		if (import_onnx_is(a->name, "default_string")) {
			if (out)
				out[n] = a->s;
			n++;
		}
	}
	return n;
}

/* Sorted, each once, each as text that ends with a zero byte. */
static score_status keep_labels(onnx_graph *g, onnx_text *all, size_t n)
{
	size_t kept = 0;
	sl_sort(all, n, sizeof *all, compare_texts);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || compare_texts(all + i, all + kept - 1) != 0)
			all[kept++] = all[i];
	}
	g->labels = all;
	g->n_labels = kept;
	g->label_strings = sl_arena_alloc(&g->file->arena, kept, sizeof *g->label_strings);
	if (!g->label_strings)
		return import_onnx_no_memory(g->file, kept * sizeof *g->label_strings);
	for (size_t i = 0; i < kept; i++) {
		const char *text = (const char *)all[i].data;
		g->label_strings[i] = sl_arena_string(&g->file->arena, all[i].len ? text : "", all[i].len);
		if (!g->label_strings[i])
			return import_onnx_no_memory(g->file, all[i].len + 1);
	}
	return SCORE_OK;
}

static score_status check_texts(const onnx_graph *g, const onnx_op *op, const onnx_text *texts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!import_onnx_is_text(texts[i]))
			return import_onnx_fail(g->file, op, SCORE_ERR_UNSUPPORTED,
				"names the category '%s', which is not UTF-8 or has a zero byte; rename it before training",
				sl_quote((const char *)texts[i].data, texts[i].len).text);
	}
	return SCORE_OK;
}

score_status import_onnx_collect_labels(onnx_graph *g)
{
	static const char unused[] = "_Unused"; /* the specification's default_string */
	const Import__Onnx__Graph *from = g->file->graph;
	size_t n = 1;
	for (size_t i = 0; i < from->n_node; i++)
		n += is_encoder(from->node[i]) ? texts_of(from->node[i], NULL) : 0;
	onnx_text *all = sl_arena_alloc(&g->file->arena, n, sizeof *all);
	uint8_t *word = sl_arena_copy(&g->file->arena, unused, sizeof unused, 1);
	if (!all || !word)
		return import_onnx_no_memory(g->file, n * sizeof *all);
	all[0] = g->unknown_text = (onnx_text){sizeof unused - 1, word};
	n = 1;
	for (size_t i = 0; i < from->n_node; i++) {
		size_t found = is_encoder(from->node[i]) ? texts_of(from->node[i], all + n) : 0;
		score_status status = check_texts(g, from->node[i], all + n, found);
		if (status != SCORE_OK)
			return status;
		n += found;
	}
	return keep_labels(g, all, n);
}

/* Place among ascending texts; they are all there. */
static double place_of(const onnx_graph *g, const onnx_text *text)
{
	size_t low = 0, high = g->n_labels;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_texts(g->labels + middle, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return (double)low;
}

score_status import_onnx_places(const onnx_graph *g, const onnx_texts *texts, onnx_reals *out)
{
	double *places = sl_arena_alloc(&g->file->arena, texts->n, sizeof *places);
	if (!places)
		return import_onnx_no_memory(g->file, texts->n * sizeof *places);
	for (size_t i = 0; i < texts->n; i++)
		places[i] = place_of(g, texts->v + i);
	*out = (onnx_reals){places, texts->n, true};
	return SCORE_OK;
}

/* ---- who reads them ------------------------------------------------------------------------------------ */

score_status import_onnx_text_input(onnx_graph *g, onnx_input *in)
{
	in->dictionaries = sl_arena_alloc(&g->file->arena, in->n, sizeof *in->dictionaries);
	if (!in->dictionaries)
		return import_onnx_no_memory(g->file, in->n * sizeof *in->dictionaries);
	for (uint32_t i = 0; i < in->n; i++)
		in->dictionaries[i] = (onnx_dictionary){.unknown = (double)NAN};
	return SCORE_OK;
}

/* Of a column of text that the caller gives; NULL of other columns. Inputs come in ascending order. */
static onnx_dictionary *dictionary_of(const onnx_graph *g, uint32_t column)
{
	const onnx_model *m = g->model;
	size_t low = 0, high = m->n_inputs;
	if (column >= m->n_features)
		return NULL;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (m->inputs[middle].first <= column)
			low = middle;
		else
			high = middle;
	}
	return m->inputs[low].dictionaries ? m->inputs[low].dictionaries + (column - m->inputs[low].first) : NULL;
}

score_status import_onnx_use_text(onnx_graph *g, const onnx_op *op, const onnx_value *columns, const onnx_reals *known,
	bool must_be_known)
{
	for (uint32_t i = 0; i < columns->n; i++) {
		onnx_dictionary *d = dictionary_of(g, columns->column[i]);
		if (!d && must_be_known)
			return import_onnx_refuse(g, op, "fails at categories that it does not know (zeros = 0), and reads text that another "
				"operator makes; train with handle_unknown='ignore' (zeros = 1)");
		if (!d)
			continue;
		onnx_text_use *use = sl_arena_alloc(&g->file->arena, 1, sizeof *use);
		if (!use)
			return import_onnx_no_memory(g->file, sizeof *use);
		*use = (onnx_text_use){d->uses, *known, must_be_known};
		d->uses = use;
	}
	return SCORE_OK;
}

/* ---- dictionaries -------------------------------------------------------------------------------------- */

typedef struct mention {
	double place;
	bool must_be_known;
} mention;

static int compare_mentions(const void *a, const void *b)
{
	double x = ((const mention *)a)->place, y = ((const mention *)b)->place;
	return (x > y) - (x < y);
}

/* Labels that any of its encoders knows, and that all know which fail at others. */
static score_status make_dictionary(onnx_graph *g, onnx_dictionary *d)
{
	size_t n = 0, n_strict = 0, done = 0;
	for (const onnx_text_use *use = d->uses; use; use = use->next) {
		n += use->known.n;
		n_strict += use->must_be_known;
	}
	mention *all = sl_arena_alloc(&g->file->arena, n, sizeof *all);
	double *places = sl_arena_alloc(&g->file->arena, n, sizeof *places);
	d->labels = sl_arena_alloc(&g->file->arena, n, sizeof *d->labels);
	if (!all || !places || !d->labels)
		return import_onnx_no_memory(g->file, n * sizeof *all);
	for (const onnx_text_use *use = d->uses; use; use = use->next) {
		for (size_t i = 0; i < use->known.n; i++)
			all[done++] = (mention){use->known.v[i], use->must_be_known};
	}
	if (n)
		sl_sort(all, n, sizeof *all, compare_mentions);
	for (size_t i = 0, end; i < n; i = end) {
		size_t strict = 0;
		for (end = i; end < n && all[end].place == all[i].place; end++)
			strict += all[end].must_be_known;
		if (strict != n_strict)
			continue;
		places[d->n] = all[i].place;
		d->labels[d->n++] = g->label_strings[(size_t)all[i].place];
	}
	d->places = places;
	d->unknown = n_strict ? SCORE_REFUSE : (double)NAN;
	return SCORE_OK;
}

/* Code of a place, or -1. */
static double code_of(const onnx_dictionary *d, double place)
{
	size_t low = 0, high = d->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (d->places[middle] < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low < d->n && d->places[low] == place ? (double)low : -1.0;
}

/* Keys become codes; those that no row can have are left out. */
static score_status recode_table(const onnx_graph *g, const onnx_dictionary *d, score_step *step)
{
	double *keys = sl_arena_alloc(&g->file->arena, step->n_keys, sizeof *keys);
	double *values = sl_arena_alloc(&g->file->arena, step->n_keys, sizeof *values);
	size_t n = 0;
	if (!keys || !values)
		return import_onnx_no_memory(g->file, step->n_keys * sizeof *keys);
	for (size_t i = 0; i < step->n_keys; i++) {
		keys[n] = code_of(d, step->keys[i]);
		values[n] = step->values[i];
		n += keys[n] >= 0.0;
	}
	step->keys = keys;
	step->values = values;
	step->n_keys = n;
	return SCORE_OK;
}

score_status import_onnx_make_dictionaries(onnx_graph *g)
{
	onnx_model *m = g->model;
	score_column_program *p = m->programs.data;
	score_status status = SCORE_OK;
	for (size_t i = 0; i < m->n_inputs; i++) {
		onnx_input *in = m->inputs + i;
		for (uint32_t k = 0; in->dictionaries && k < in->n && status == SCORE_OK; k++)
			status = make_dictionary(g, in->dictionaries + k);
	}
	for (size_t i = 0; i < m->programs.length && status == SCORE_OK; i++) {
		const onnx_dictionary *d = dictionary_of(g, p[i].source);
		score_step step;
		if (!d)
			continue;
		step = p[i].steps[0]; /* encoders are all that reads text */
		if (step.operation == SCORE_STEP_LOOKUP)
			status = recode_table(g, d, &step);
		else
			step.a = code_of(d, step.a);
		p[i].steps = sl_arena_copy(&g->file->arena, &step, 1, sizeof step);
		if (!p[i].steps)
			return import_onnx_no_memory(g->file, sizeof step);
	}
	return status;
}
