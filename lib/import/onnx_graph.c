/*
 * The graph of an ONNX file, node by node: which columns of the input reach the operator that scores, and what becomes of
 * its scores behind it.
 *
 * Comes in: a parsed graph, its nodes in the order in which they can run. Goes out: an onnx_model. Every value that the
 * graph names is followed; an operator that is not understood is refused by its name.
 */
#include "onnx.h"

#include <math.h>

#define MAX_NODES 4096u    /* names are looked up one by one */
#define MAX_FEATURES (1u << 20)

typedef enum value_kind {
	COLUMNS,
	CONSTANT,
	SCORES,
	LABEL,
} value_kind;

typedef struct value {
	onnx_text name;
	value_kind kind;
	int32_t type;          /* of its elements: ONNX_* */
	bool narrowed;         /* COLUMNS: float values, whatever the type */
	uint32_t *feature;     /* COLUMNS */
	uint32_t n;            /* columns of COLUMNS and SCORES */
	const onnx_tensor *constant;
	score_link link;       /* SCORES */
	double parameter;
} value;

typedef struct graph {
	onnx_file *file;
	onnx_model *model;
	value *values;
	size_t n_values, max_values;
	uint32_t guessed_width; /* of the only input, when the file does not say */
} graph;

typedef score_status operator_reader(graph *g, const onnx_op *op, const value *first);

/* ---- values ------------------------------------------------------------------------------------------ */

static const value *find(const graph *g, onnx_text name)
{
	for (size_t i = g->n_values; i-- > 0;) {
		if (import_onnx_same(g->values[i].name, name))
			return g->values + i;
	}
	return NULL;
}

static score_status input_of(const graph *g, const onnx_op *op, size_t i, const value **out)
{
	*out = i < op->n_input ? find(g, op->input[i]) : NULL;
	if (*out)
		return SCORE_OK;
	if (i >= op->n_input)
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "has %zu inputs", op->n_input);
	return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "its input '%s' is made by no operator before it",
		sl_quote((const char *)op->input[i].data, op->input[i].len).text);
}

/* A result of `op`. Results without a name are not used. */
static score_status add(graph *g, const onnx_op *op, size_t i, value v)
{
	if (i >= op->n_output || op->output[i].len == 0)
		return SCORE_OK;
	v.name = op->output[i];
	if (find(g, v.name) || g->n_values == g->max_values)
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "its result '%s' has the name of another value",
			sl_quote((const char *)v.name.data, v.name.len).text);
	g->values[g->n_values++] = v;
	return SCORE_OK;
}

static score_status refuse(const graph *g, const onnx_op *op, const char *what)
{
	return import_onnx_fail(g->file, op, SCORE_ERR_UNSUPPORTED, "%s", what);
}

/* Columns [0, n) of a value that does not exist yet. */
static score_status new_columns(graph *g, size_t n, value *out)
{
	if (n > MAX_FEATURES)
		return sl_fail(g->file->error, SCORE_ERR_LIMIT, "%zu columns in the graph, the limit is %u", n, MAX_FEATURES);
	out->kind = COLUMNS;
	out->n = (uint32_t)n;
	out->feature = sl_arena_alloc(&g->file->arena, n, sizeof *out->feature);
	return out->feature ? SCORE_OK : import_onnx_no_memory(g->file, n * sizeof *out->feature);
}

/* ---- operators on columns ---------------------------------------------------------------------------- */

static score_status concat(graph *g, const onnx_op *op, const value *first)
{
	size_t n = 0;
	const value *part;
	value v = {.type = first->type, .narrowed = first->narrowed};
	for (size_t i = 0; i < op->n_input; i++) {
		score_status status = input_of(g, op, i, &part);
		if (status != SCORE_OK)
			return status;
		if (part->kind != COLUMNS || part->type != first->type || part->narrowed != first->narrowed)
			return refuse(g, op, "joins values of different kinds or types; only columns of one type are supported");
		n += part->n;
	}
	score_status status = new_columns(g, n, &v);
	if (status != SCORE_OK)
		return status;
	n = 0;
	for (size_t i = 0; i < op->n_input; i++) {
		part = find(g, op->input[i]);
		memcpy(v.feature + n, part->feature, part->n * sizeof *v.feature);
		n += part->n;
	}
	return add(g, op, 0, v);
}

static score_status read_concat(graph *g, const onnx_op *op, const value *first)
{
	int64_t axis;
	score_status status = import_onnx_int(g->file, op, "axis", 1, &axis);
	if (status != SCORE_OK)
		return status;
	if (axis != 1 && axis != -1)
		return refuse(g, op, "joins rows; only columns (axis 1) can be joined");
	return concat(g, op, first);
}

/* FeatureVectorizer: joined columns as floats. */
static score_status read_vectorizer(graph *g, const onnx_op *op, const value *first)
{
	if (first->type != ONNX_F32)
		return refuse(g, op, "supported for float columns only; use Concat");
	return concat(g, op, first);
}

/* ArrayFeatureExtractor, or Gather along axis 1, of constant columns. */
static score_status read_selection(graph *g, const onnx_op *op, const value *first)
{
	const value *which;
	onnx_ints numbers;
	int64_t axis = 1;
	value v = {.type = first->type, .narrowed = first->narrowed};
	score_status status = input_of(g, op, 1, &which);
	if (status == SCORE_OK && import_onnx_is(op->op_type, "Gather"))
		status = import_onnx_int(g->file, op, "axis", 0, &axis);
	if (status != SCORE_OK)
		return status;
	if (which->kind != CONSTANT || (axis != 1 && axis != -1))
		return refuse(g, op, "selects by what it computes, or by row; only constant columns are supported");
	status = import_onnx_tensor_ints(g->file, op, which->constant, &numbers);
	if (status == SCORE_OK)
		status = new_columns(g, numbers.n, &v);
	for (size_t i = 0; i < numbers.n && status == SCORE_OK; i++) {
		int64_t at = numbers.v[i] < 0 ? numbers.v[i] + first->n : numbers.v[i];
		if (at < 0 || at >= first->n)
			return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "selects column %lld of %u", (long long)numbers.v[i],
				first->n);
		v.feature[i] = first->feature[at];
	}
	return status == SCORE_OK ? add(g, op, 0, v) : status;
}

static score_status read_cast(graph *g, const onnx_op *op, const value *first)
{
	int64_t to;
	value v = *first;
	score_status status = import_onnx_int(g->file, op, "to", 0, &to);
	if (status != SCORE_OK)
		return status;
	v.type = (int32_t)to;
	if (first->kind == LABEL)
		return add(g, op, 0, v);
	if (to != ONNX_F32 && to != ONNX_F64)
		return to == first->type ? add(g, op, 0, v) : refuse(g, op, "a cast to other types than float and double is not supported");
	if (first->kind == COLUMNS && first->type == ONNX_STRING)
		return refuse(g, op, "numbers in text are not supported; convert the columns before scoring");
	if (to == ONNX_F32)
		v.narrowed = true;
	if (first->kind == SCORES && to == ONNX_F32 && first->type == ONNX_F64) {
		if (first->link != SCORE_LINK_IDENTITY)
			return refuse(g, op, "predictions of type double can not be rounded to float");
		v.link = SCORE_LINK_FLOAT;
	}
	return add(g, op, 0, v);
}

/* Reshape, Flatten, Squeeze, Unsqueeze: a row stays a row as long as the number of columns stays. */
static score_status read_reshape(graph *g, const onnx_op *op, const value *first)
{
	const value *shape;
	onnx_ints dims;
	if (first->kind == LABEL)
		return add(g, op, 0, *first);
	score_status status = input_of(g, op, 1, &shape);
	if (status != SCORE_OK)
		return status;
	if (shape->kind != CONSTANT)
		return refuse(g, op, "a computed shape is not supported");
	status = import_onnx_tensor_ints(g->file, op, shape->constant, &dims);
	if (status != SCORE_OK)
		return status;
	bool rows_stay = dims.n > 0 && (dims.v[0] == -1 || dims.v[0] == 0);
	if (!rows_stay || dims.n > 2 || (dims.n == 1 ? first->n != 1 : dims.v[1] != first->n))
		return refuse(g, op, "changes the number of columns, which is not supported");
	return add(g, op, 0, *first);
}

static score_status read_identity(graph *g, const onnx_op *op, const value *first)
{
	return add(g, op, 0, *first);
}

/* ---- operators that score ----------------------------------------------------------------------------- */

static score_status take_columns(graph *g, const onnx_op *op, const value *first)
{
	onnx_model *m = g->model;
	if (m->op)
		return import_onnx_fail(g->file, op, SCORE_ERR_UNSUPPORTED,
			"is a second model beside '%s'; only graphs with one are supported",
			sl_quote((const char *)m->op->name.data, m->op->name.len).text);
	m->op = op;
	m->columns = (onnx_columns){first->feature, first->n, first->type == ONNX_F64, first->narrowed};
	if (first->type == ONNX_STRING)
		return refuse(g, op, "scores text");
	return SCORE_OK;
}

static score_status read_ensemble(graph *g, const onnx_op *op, const value *first)
{
	onnx_model *m = g->model;
	onnx_ensemble *e = &m->ensemble;
	bool classifier = import_onnx_is(op->op_type, "TreeEnsembleClassifier");
	score_status status = take_columns(g, op, first);
	if (status == SCORE_OK)
		status = import_onnx_is(op->op_type, "TreeEnsemble") ? import_onnx_trees5(g->file, op, e) :
			import_onnx_trees(g->file, op, classifier, e);
	if (status != SCORE_OK)
		return status;
	if (e->is_f64 && !m->columns.is_f64)
		return refuse(g, op, "has double thresholds for float columns; cast the columns to double, or the thresholds to float");
	if (!e->is_f64 && m->columns.is_f64 && !e->float_output)
		return refuse(g, op, "has float thresholds for double columns; cast the columns to float");
	status = import_onnx_ensemble_scores(g->file, e, m->columns.is_f64, &m->scores);
	if (status != SCORE_OK)
		return status;
	value label = {.kind = LABEL, .n = 1, .type = ONNX_I64};
	value scores = {.kind = SCORES, .link = m->scores.link, .parameter = m->scores.parameter,
		.type = m->columns.is_f64 && !e->float_output ? ONNX_F64 : ONNX_F32,
		.n = e->is_classifier ? e->n_targets : m->scores.n_outputs};
	if (classifier)
		status = add(g, op, 0, label);
	return status == SCORE_OK ? add(g, op, classifier, scores) : status;
}

/* ---- operators on scores ------------------------------------------------------------------------------ */

static score_status read_exp(graph *g, const onnx_op *op, const value *first)
{
	value v = *first;
	if (first->link != SCORE_LINK_IDENTITY)
		return refuse(g, op, "is supported on scores without another transform only");
	v.link = SCORE_LINK_EXP;
	return add(g, op, 0, v);
}

static score_status read_sigmoid(graph *g, const onnx_op *op, const value *first)
{
	value v = *first;
	if (first->link != SCORE_LINK_IDENTITY)
		return refuse(g, op, "is supported on scores without another transform only");
	v.link = SCORE_LINK_SIGMOID;
	return add(g, op, 0, v);
}

/* By one, which changes nothing, or by a number behind Exp. */
static score_status read_mul(graph *g, const onnx_op *op, const value *first)
{
	const value *factor;
	onnx_reals x;
	value v = *first;
	score_status status = input_of(g, op, 1, &factor);
	if (status != SCORE_OK)
		return status;
	if (factor->kind != CONSTANT)
		return refuse(g, op, "multiplies scores by what it computes; only a constant number is supported");
	status = import_onnx_tensor_reals(g->file, op, factor->constant, &x);
	if (status != SCORE_OK)
		return status;
	if (x.n != 1 || (x.v[0] != 1.0 && first->link != SCORE_LINK_EXP) || x.v[0] == 0.0 || !isfinite(x.v[0]))
		return refuse(g, op, "multiplies scores; supported are the factor 1, and a number behind Exp");
	if (x.v[0] != 1.0) {
		v.link = SCORE_LINK_EXP_SCALED;
		v.parameter = x.v[0];
	}
	return add(g, op, 0, v);
}

/* ---- all operators ------------------------------------------------------------------------------------- */

#define PREPROCESSING \
	"preprocessing inside the graph is not supported; convert the model alone and prepare its columns before scoring"

static const struct operator {
	const char *domain, *name;
	uint32_t kinds; /* bits: kinds of the first input that `read` takes */
	operator_reader *read;
} operators[] = {
	{"", "Identity", 15, read_identity},
	{"", "Cast", 1 << COLUMNS | 1 << SCORES | 1 << LABEL, read_cast},
	{"", "Concat", 1 << COLUMNS, read_concat},
	{"", "Gather", 1 << COLUMNS, read_selection},
	{"", "Reshape", 1 << COLUMNS | 1 << SCORES | 1 << LABEL, read_reshape},
	{"", "Exp", 1 << SCORES, read_exp},
	{"", "Sigmoid", 1 << SCORES, read_sigmoid},
	{"", "Mul", 1 << SCORES, read_mul},
	{"ai.onnx.ml", "ArrayFeatureExtractor", 1 << COLUMNS, read_selection},
	{"ai.onnx.ml", "FeatureVectorizer", 1 << COLUMNS, read_vectorizer},
	{"ai.onnx.ml", "ZipMap", 1 << SCORES, read_identity},
	{"ai.onnx.ml", "TreeEnsembleRegressor", 1 << COLUMNS, read_ensemble},
	{"ai.onnx.ml", "TreeEnsembleClassifier", 1 << COLUMNS, read_ensemble},
	{"ai.onnx.ml", "TreeEnsemble", 1 << COLUMNS, read_ensemble},
};

static const struct refused {
	const char *name, *why;
} refused[] = {
	{"Scaler", PREPROCESSING},
	{"Imputer", PREPROCESSING},
	{"Normalizer", PREPROCESSING},
	{"Binarizer", PREPROCESSING},
	{"LabelEncoder", PREPROCESSING},
	{"OneHotEncoder", PREPROCESSING},
	{"SVMClassifier", "support vector machines are not supported, only trees and linear models"},
	{"SVMRegressor", "support vector machines are not supported, only trees and linear models"},
};

static score_status refuse_operator(const graph *g, const onnx_op *op, const value *first)
{
	static const char *const kinds[] = {"columns", "a constant", "scores", "a label"};
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		if (import_onnx_is(op->op_type, refused[i].name))
			return refuse(g, op, refused[i].why);
	}
	return import_onnx_fail(g->file, op, SCORE_ERR_UNSUPPORTED,
		"this operator is not supported%s%s; export the model's own step alone", first ? " on " : "",
		first ? kinds[first->kind] : "");
}

static score_status read_operator(graph *g, const onnx_op *op)
{
	const value *first;
	bool ml = import_onnx_is(op->domain, "ai.onnx.ml");
	if (op->n_input == 0)
		return refuse_operator(g, op, NULL);
	score_status status = input_of(g, op, 0, &first);
	if (status != SCORE_OK)
		return status;
	for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
		const struct operator *o = operators + i;
		bool domain = *o->domain ? ml : op->domain.len == 0 || import_onnx_is(op->domain, "ai.onnx");
		if (domain && import_onnx_is(op->op_type, o->name) && (o->kinds >> first->kind & 1))
			return o->read(g, op, first);
	}
	return refuse_operator(g, op, first);
}

/* ---- inputs and constants ------------------------------------------------------------------------------ */

/* Features that the file itself asks for: only needed when an input does not say how many columns it has. */
static void guess_width(graph *g)
{
	const Import__Onnx__Graph *from = g->file->graph;
	g->guessed_width = 1;
	for (size_t i = 0; i < from->n_node; i++) {
		const onnx_op *op = from->node[i];
		for (size_t k = 0; k < op->n_attribute; k++) {
			const Import__Onnx__Attribute *a = op->attribute[k];
			for (size_t j = 0; j < a->n_ints && import_onnx_is(a->name, "nodes_featureids"); j++) {
				if (a->ints[j] >= g->guessed_width && a->ints[j] < MAX_FEATURES)
					g->guessed_width = (uint32_t)a->ints[j] + 1;
			}
		}
	}
}

static score_status read_shape(const graph *g, const Import__Onnx__ValueInfo *in, int32_t *type, uint32_t *width)
{
	sl_quoted name = sl_quote((const char *)in->name.data, in->name.len);
	const Import__Onnx__TensorType *t = in->n_type == 1 && in->type[0]->n_tensor_type == 1 ? in->type[0]->tensor_type[0] :
		NULL;
	if (!t)
		return sl_fail(g->file->error, SCORE_ERR_UNSUPPORTED, "the graph's input '%s' is no tensor", name.text);
	*type = t->elem_type;
	*width = g->guessed_width;
	bool known = *type == ONNX_F32 || *type == ONNX_F64 || *type == ONNX_I64 || *type == ONNX_I32 || *type == ONNX_BOOL ||
		*type == ONNX_STRING;
	if (!known)
		return sl_fail(g->file->error, SCORE_ERR_UNSUPPORTED,
			"the graph's input '%s' is of type %d; supported are float, double, int32, int64, bool and string", name.text,
			(int)*type);
	if (t->n_shape != 1)
		return SCORE_OK;
	if (t->shape[0]->n_dim != 2)
		return sl_fail(g->file->error, SCORE_ERR_UNSUPPORTED, "the graph's input '%s' has %zu dimensions, expected 2",
			name.text, t->shape[0]->n_dim);
	const Import__Onnx__Dimension *d = t->shape[0]->dim[1];
	if (!d->has_dim_value)
		return SCORE_OK;
	if (d->dim_value < 1 || d->dim_value > MAX_FEATURES)
		return sl_fail(g->file->error, SCORE_ERR_LIMIT, "the graph's input '%s' has %lld columns, expected 1 to %u",
			name.text, (long long)d->dim_value, MAX_FEATURES);
	*width = (uint32_t)d->dim_value;
	return SCORE_OK;
}

static score_status add_input(graph *g, const Import__Onnx__ValueInfo *in)
{
	onnx_model *m = g->model;
	uint32_t width = 0;
	value v = {.name = in->name};
	if (find(g, in->name)) /* a constant with a default value that callers could replace, in old files */
		return SCORE_OK;
	score_status status = read_shape(g, in, &v.type, &width);
	if (status == SCORE_OK)
		status = new_columns(g, width, &v);
	if (status != SCORE_OK)
		return status;
	if (width > MAX_FEATURES - m->n_features)
		return sl_fail(g->file->error, SCORE_ERR_LIMIT, "the graph's inputs have more than %u columns", MAX_FEATURES);
	for (uint32_t i = 0; i < width; i++)
		v.feature[i] = m->n_features + i;
	v.narrowed = v.type == ONNX_F32;
	g->values[g->n_values++] = v;
	m->inputs[m->n_inputs++] = (onnx_input){in->name, m->n_features, width};
	m->n_features += width;
	return SCORE_OK;
}

static score_status read_inputs(graph *g)
{
	const Import__Onnx__Graph *from = g->file->graph;
	size_t n_results = 0;
	for (size_t i = 0; i < from->n_node; i++)
		n_results += from->node[i]->n_output;
	if (from->n_node > MAX_NODES || from->n_initializer > MAX_NODES || from->n_input > MAX_NODES || n_results > 2 * MAX_NODES)
		return sl_fail(g->file->error, SCORE_ERR_LIMIT, "the graph has %zu operators, %zu constants and %zu inputs, at most %u are read",
			from->n_node, from->n_initializer, from->n_input, MAX_NODES);
	g->max_values = from->n_initializer + from->n_input + n_results;
	g->values = sl_arena_alloc(&g->file->arena, g->max_values, sizeof *g->values);
	g->model->inputs = sl_arena_alloc(&g->file->arena, from->n_input, sizeof *g->model->inputs);
	if (!g->values || !g->model->inputs)
		return import_onnx_no_memory(g->file, g->max_values * sizeof *g->values);
	for (size_t i = 0; i < from->n_initializer; i++) {
		const onnx_tensor *t = from->initializer[i];
		g->values[g->n_values++] = (value){.name = t->name, .kind = CONSTANT, .type = t->data_type, .constant = t};
	}
	guess_width(g);
	score_status status = SCORE_OK;
	for (size_t i = 0; i < from->n_input && status == SCORE_OK; i++)
		status = add_input(g, from->input[i]);
	return status;
}

/* ---- outputs ------------------------------------------------------------------------------------------- */

/* The first output that is made of scores is the prediction. */
static score_status read_outputs(graph *g)
{
	const Import__Onnx__Graph *from = g->file->graph;
	const value *prediction = NULL;
	for (size_t i = from->n_output; i-- > 0;) {
		const value *v = find(g, from->output[i]->name);
		if (!v)
			return sl_fail(g->file->error, SCORE_ERR_CORRUPT, "the graph's output '%s' is made by no operator",
				sl_quote((const char *)from->output[i]->name.data, from->output[i]->name.len).text);
		prediction = v->kind == SCORES ? v : prediction;
	}
	if (!g->model->op)
		return sl_fail(g->file->error, SCORE_ERR_UNSUPPORTED,
			"the ONNX graph has no tree ensemble and no linear model; neural networks and preprocessing alone are not supported");
	if (prediction) {
		g->model->scores.link = prediction->link;
		g->model->scores.parameter = prediction->parameter;
	}
	return SCORE_OK;
}

score_status import_onnx_graph(onnx_file *file, onnx_model *out)
{
	graph g = {.file = file, .model = out};
	*out = (onnx_model){.op = NULL};
	score_status status = read_inputs(&g);
	for (size_t i = 0; i < file->graph->n_node && status == SCORE_OK; i++)
		status = read_operator(&g, file->graph->node[i]);
	return status == SCORE_OK ? read_outputs(&g) : status;
}
