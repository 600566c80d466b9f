/*
 * ONNX operators that tell categories apart: LabelEncoder, CategoryMapper, OneHotEncoder.
 *
 * Comes in: an operator and columns of numbers or text; a text is its place among all texts of the graph
 * (onnx_dictionaries.c). Goes out: derived columns that look the category up, or compare with it.
 */
#include "onnx_graph.h"

/* ---- lists of keys and values ---------------------------------------------------------------------------- */

typedef struct list {
	onnx_reals v; /* texts as places */
	int32_t type; /* of its elements; 0: there is no list */
} list;

/* Where a list may stand; NULL: nowhere. */
typedef struct list_names {
	const char *floats, *ints, *texts, *tensor;
} list_names;

static score_status take_floats(onnx_graph *g, const onnx_op *op, const char *name, list *out)
{
	onnx_reals found;
	score_status status = import_onnx_reals(g->file, op, name, &found);
	if (status == SCORE_OK && found.n)
		*out = (list){found, ONNX_F32};
	return status;
}

static score_status take_ints(onnx_graph *g, const onnx_op *op, const char *name, list *out)
{
	onnx_ints found;
	score_status status = import_onnx_ints(g->file, op, name, &found);
	if (status != SCORE_OK || found.n == 0)
		return status;
	out->type = ONNX_I64;
	return import_onnx_as_reals(g, op, &found, &out->v);
}

static score_status take_texts(onnx_graph *g, const onnx_op *op, const char *name, list *out)
{
	onnx_texts found;
	score_status status = import_onnx_texts(g->file, op, name, &found);
	if (status != SCORE_OK || found.n == 0)
		return status;
	out->type = ONNX_STRING;
	return import_onnx_places(g, &found, &out->v);
}

static score_status take_tensor(onnx_graph *g, const onnx_op *op, const char *name, list *out)
{
	const onnx_tensor *t;
	onnx_texts texts;
	onnx_ints ints;
	score_status status = import_onnx_tensor(g->file, op, name, &t);
	if (status != SCORE_OK || !t)
		return status;
	out->type = t->data_type;
	if (t->data_type == ONNX_STRING) {
		status = import_onnx_tensor_texts(g->file, op, t, &texts);
		return status == SCORE_OK ? import_onnx_places(g, &texts, &out->v) : status;
	}
	if (t->data_type == ONNX_F32 || t->data_type == ONNX_F64)
		return import_onnx_tensor_reals(g->file, op, t, &out->v);
	status = import_onnx_tensor_ints(g->file, op, t, &ints);
	return status == SCORE_OK ? import_onnx_as_reals(g, op, &ints, &out->v) : status;
}

static score_status get_list(onnx_graph *g, const onnx_op *op, const list_names *names, list *out)
{
	typedef score_status taking(onnx_graph *, const onnx_op *, const char *, list *);
	taking *const takes[] = {take_floats, take_ints, take_texts, take_tensor};
	const char *const at[] = {names->floats, names->ints, names->texts, names->tensor};
	*out = (list){{NULL, 0, false}, 0};
	for (int i = 0; i < 4; i++) {
		list found = {{NULL, 0, false}, 0};
		score_status status = at[i] ? takes[i](g, op, at[i], &found) : SCORE_OK;
		if (status != SCORE_OK)
			return status;
		if (found.type && out->type)
			return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "has two lists of keys or values where one is expected: %s, "
				"and one of another type", at[i]);
		*out = found.type ? found : *out;
	}
	return SCORE_OK;
}

/* What categories become that are not among the keys; by the type of the values. */
static score_status get_default(onnx_graph *g, const onnx_op *op, const list *values, double *out)
{
	const list_names tensor = {NULL, NULL, NULL, "default_tensor"};
	const Import__Onnx__Attribute *text = NULL;
	float as_float = -0.0f;
	int64_t as_int = -1;
	list found;
	score_status status = get_list(g, op, &tensor, &found);
	if (status != SCORE_OK)
		return status;
	if (found.type && (found.type != values->type || found.v.n != 1))
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "default_tensor has %zu elements of type %d, expected 1 of type %d",
			found.v.n, (int)found.type, (int)values->type);
	if (found.type) {
		*out = found.v.v[0];
		return SCORE_OK;
	}
	status = import_onnx_real(g->file, op, "default_float", -0.0f, &as_float);
	if (status == SCORE_OK)
		status = import_onnx_int(g->file, op, "default_int64", -1, &as_int);
	if (status != SCORE_OK)
		return status;
	for (size_t i = 0; i < op->n_attribute; i++)
		text = import_onnx_is(op->attribute[i]->name, "default_string") ? op->attribute[i] : text;
	onnx_text word = text ? text->s : g->unknown_text;
	onnx_texts words = {&word, 1};
	onnx_reals place;
	if (values->type == ONNX_STRING) {
		status = import_onnx_places(g, &words, &place);
		if (status == SCORE_OK)
			*out = place.v[0];
		return status;
	}
	*out = values->type == ONNX_F32 || values->type == ONNX_F64 ? (double)as_float : (double)as_int;
	return SCORE_OK;
}

/* ---- tables ---------------------------------------------------------------------------------------------- */

typedef struct entry {
	double key, value;
} entry;

static int compare_entries(const void *a, const void *b)
{
	double x = ((const entry *)a)->key, y = ((const entry *)b)->key;
	return (x > y) - (x < y);
}

/* NaN finds a key that is NaN since version 4 of the operator set. */
static bool finds_nan(const onnx_file *file)
{
	for (size_t i = 0; i < file->model->n_opset_import; i++) {
		const Import__Onnx__OperatorSet *set = file->model->opset_import[i];
		if (import_onnx_is(set->domain, "ai.onnx.ml"))
			return set->version >= 4;
	}
	return false;
}

static score_status refuse_twice(const onnx_graph *g, const onnx_op *op, const list *keys, double key)
{
	if (keys->type == ONNX_STRING)
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "the key '%s' is there twice; remove one of them",
			sl_quote(g->label_strings[(size_t)key], strlen(g->label_strings[(size_t)key])).text);
	return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "the key %.9g is there twice; remove one of them", key);
}

/* Keys ascending; the value of a NaN among them is the step's own for NaN. */
static score_status make_table(onnx_graph *g, const onnx_op *op, const list *keys, const list *values, score_step *out)
{
	size_t n_all = keys->v.n, n = 0;
	bool nan_is_a_key = finds_nan(g->file);
	entry *entries = sl_arena_alloc(&g->file->arena, n_all, sizeof *entries);
	double *k = sl_arena_alloc(&g->file->arena, n_all, sizeof *k), *v = sl_arena_alloc(&g->file->arena, n_all, sizeof *v);
	if (!entries || !k || !v)
		return import_onnx_no_memory(g->file, n_all * sizeof *entries);
	for (size_t i = 0; i < n_all; i++) {
		double key = keys->v.v[i];
		if (key == key)
			entries[n++] = (entry){key + 0.0, values->v.v[i]};
		else if (nan_is_a_key)
			out->b = values->v.v[i];
	}
	if (n > 1)
		sl_sort(entries, n, sizeof *entries, compare_entries);
	for (size_t i = 0; i < n; i++) {
		if (i && entries[i].key == entries[i - 1].key)
			return refuse_twice(g, op, keys, entries[i].key);
		k[i] = entries[i].key;
		v[i] = entries[i].value;
	}
	out->keys = k;
	out->values = v;
	out->n_keys = n;
	return SCORE_OK;
}

static score_status spend_keys(onnx_graph *g, const onnx_op *op, size_t n_keys, uint32_t n_columns)
{
	size_t n;
	if (!sl_mul(n_keys, n_columns, &n) || n > g->keys_left)
		return import_onnx_fail(g->file, op, SCORE_ERR_LIMIT, "%zu categories for each of %u columns; all encoders of a graph may "
			"have %u together", n_keys, n_columns, ONNX_MAX_KEYS);
	g->keys_left -= n;
	return SCORE_OK;
}

/* ---- LabelEncoder, CategoryMapper -------------------------------------------------------------------------- */

static score_status look_up(onnx_graph *g, const onnx_op *op, const onnx_value *first, const list *keys, const list *values)
{
	onnx_value from = *first, v = *first;
	score_step step = {.operation = SCORE_STEP_LOOKUP};
	if (keys->v.n != values->v.n)
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "has %zu keys and %zu values; expected as many", keys->v.n,
			values->v.n);
	score_status status = get_default(g, op, values, &step.a);
	step.b = step.a;
	if (status == SCORE_OK)
		status = spend_keys(g, op, keys->v.n, first->n);
	if (status == SCORE_OK)
		status = make_table(g, op, keys, values, &step);
	if (status == SCORE_OK)
		status = import_onnx_round(g, &from);
	onnx_reals known = {step.keys, step.n_keys, true};
	if (status == SCORE_OK && first->type == ONNX_STRING)
		status = import_onnx_use_text(g, op, first, &known, false);
	if (status == SCORE_OK)
		status = import_onnx_new_columns(g, from.n, &v);
	for (uint32_t i = 0; i < from.n && status == SCORE_OK; i++) {
		score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
		p.source = from.column[i];
		p.steps = &step;
		p.n_steps = 1;
		status = import_onnx_derive(g, &p, v.column + i);
	}
	v.type = values->type;
	v.narrowed = v.rounded = values->type == ONNX_F32;
	return status == SCORE_OK ? import_onnx_add(g, op, 0, v) : status;
}

/* Version 1 has one list of texts, which are numbered. */
static score_status number_classes(onnx_graph *g, const onnx_op *op, const onnx_value *first, const list *classes)
{
	double *numbers = sl_arena_alloc(&g->file->arena, classes->v.n, sizeof *numbers);
	if (!numbers)
		return import_onnx_no_memory(g->file, classes->v.n * sizeof *numbers);
	for (size_t i = 0; i < classes->v.n; i++)
		numbers[i] = (double)i;
	const list places = {{numbers, classes->v.n, true}, ONNX_I64};
	return first->type == ONNX_STRING ? look_up(g, op, first, classes, &places) : look_up(g, op, first, &places, classes);
}

score_status import_onnx_encoder(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	static const list_names key_names = {"keys_floats", "keys_int64s", "keys_strings", "keys_tensor"};
	static const list_names value_names = {"values_floats", "values_int64s", "values_strings", "values_tensor"};
	static const list_names class_names = {NULL, NULL, "classes_strings", NULL};
	list keys, values, classes;
	score_status status = get_list(g, op, &class_names, &classes);
	if (status == SCORE_OK && classes.type && (first->type == ONNX_STRING || first->type == ONNX_I64))
		return number_classes(g, op, first, &classes);
	if (status == SCORE_OK)
		status = get_list(g, op, &key_names, &keys);
	if (status == SCORE_OK)
		status = get_list(g, op, &value_names, &values);
	if (status != SCORE_OK)
		return status;
	if (keys.type == 0 || values.type == 0)
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "has no keys or no values; expected keys_* and values_*");
	if (first->type != keys.type)
		return import_onnx_fail(g->file, op, SCORE_ERR_UNSUPPORTED,
			"has keys of type %d for columns of type %d (TensorProto.DataType); cast the columns before", (int)keys.type,
			(int)first->type);
	return look_up(g, op, first, &keys, &values);
}

score_status import_onnx_mapper(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	static const list_names text_names = {NULL, NULL, "cats_strings", NULL}, int_names = {NULL, "cats_int64s", NULL, NULL};
	list texts, ints;
	score_status status = get_list(g, op, &text_names, &texts);
	if (status == SCORE_OK)
		status = get_list(g, op, &int_names, &ints);
	if (status != SCORE_OK)
		return status;
	if (texts.type == 0 || ints.type == 0)
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "has no cats_strings or no cats_int64s; expected both");
	if (first->type != ONNX_STRING && first->type != ONNX_I64)
		return import_onnx_refuse(g, op, "reads columns that are neither text nor int64; cast them to int64 before");
	return first->type == ONNX_STRING ? look_up(g, op, first, &texts, &ints) : look_up(g, op, first, &ints, &texts);
}

/* ---- OneHotEncoder ----------------------------------------------------------------------------------------- */

/* A column per category: 1 where the value is the category. Numbers are truncated, as the specification casts them. */
static score_status compare_each(onnx_graph *g, const onnx_value *from, const list *categories,
	onnx_value *out)
{
	size_t n = categories->v.n;
	bool is_real = from->type == ONNX_F32 || from->type == ONNX_F64;
	score_status status = import_onnx_new_columns(g, n * from->n, out);
	for (size_t i = 0; i < n * from->n && status == SCORE_OK; i++) {
		score_step steps[2] = {{.operation = SCORE_STEP_TRUNCATE}};
		score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
		p.n_steps = is_real;
		steps[p.n_steps++] = (score_step){.operation = SCORE_STEP_EQUAL, .a = categories->v.v[i % n]};
		p.source = from->column[i / n];
		p.steps = steps;
		status = import_onnx_derive(g, &p, out->column + i);
	}
	return status;
}

score_status import_onnx_one_hot(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	static const list_names names = {NULL, "cats_int64s", "cats_strings", NULL};
	onnx_value from = *first, v = *first;
	list categories;
	int64_t zeros = 1;
	score_step table = {.operation = SCORE_STEP_LOOKUP};
	score_status status = get_list(g, op, &names, &categories);
	if (status == SCORE_OK)
		status = import_onnx_int(g->file, op, "zeros", 1, &zeros);
	if (status != SCORE_OK)
		return status;
	if (categories.type == 0)
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "has no categories; expected cats_strings or cats_int64s");
	if ((first->type == ONNX_STRING) != (categories.type == ONNX_STRING))
		return import_onnx_refuse(g, op, "compares text with numbers; supported are cats_strings of text, cats_int64s of numbers");
	status = spend_keys(g, op, categories.v.n, first->n);
	if (status == SCORE_OK)
		status = make_table(g, op, &categories, &categories, &table);
	if (status == SCORE_OK)
		status = import_onnx_round(g, &from);
	onnx_reals known = {table.keys, table.n_keys, true};
	if (status == SCORE_OK && first->type == ONNX_STRING)
		status = import_onnx_use_text(g, op, first, &known, zeros == 0);
	if (status == SCORE_OK)
		status = compare_each(g, &from, &categories, &v);
	v.kind = first->n == 1 ? ONNX_ENCODED : ONNX_PLANES;
	v.type = ONNX_F32;
	v.narrowed = v.rounded = true;
	return status == SCORE_OK ? import_onnx_add(g, op, 0, v) : status;
}
