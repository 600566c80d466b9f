/*
 * The graph of an ONNX file, node by node: which columns of the input reach the operator that scores, and what becomes of
 * its scores behind it.
 *
 * Comes in: a parsed graph, its nodes in the order in which they can run. Goes out: an onnx_model. Every value that the
 * graph names is followed; an operator that is not understood is refused by its name.
 */
#include "onnx_graph.h"

#define MAX_NODES 4096u /* names are looked up one by one */
#define MAX_OPERANDS (16 * MAX_NODES)

/* ---- values ------------------------------------------------------------------------------------------ */

const onnx_value *import_onnx_find(const onnx_graph *g, onnx_text name)
{
	for (size_t i = g->n_values; i-- > 0;) {
		if (import_onnx_same(g->values[i].name, name))
			return g->values + i;
	}
	return NULL;
}

score_status import_onnx_input(const onnx_graph *g, const onnx_op *op, size_t i, const onnx_value **out)
{
	*out = i < op->n_input ? import_onnx_find(g, op->input[i]) : NULL;
	if (*out)
		return SCORE_OK;
	if (i >= op->n_input)
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "has %zu inputs", op->n_input);
	return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "its input '%s' is made by no operator before it",
		sl_quote((const char *)op->input[i].data, op->input[i].len).text);
}

/* A result of `op`. Results without a name are not used. */
score_status import_onnx_add(onnx_graph *g, const onnx_op *op, size_t i, onnx_value v)
{
	if (i >= op->n_output || op->output[i].len == 0)
		return SCORE_OK;
	v.name = op->output[i];
	/* There is room for every result of every operator. */
	if (import_onnx_find(g, v.name) || SL_NEVER(g->n_values == g->max_values))
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "its result '%s' has the name of another value",
			sl_quote((const char *)v.name.data, v.name.len).text);
	g->values[g->n_values++] = v;
	return SCORE_OK;
}

score_status import_onnx_refuse(const onnx_graph *g, const onnx_op *op, const char *what)
{
	return import_onnx_fail(g->file, op, SCORE_ERR_UNSUPPORTED, "%s", what);
}

/* Columns [0, n) of a value that does not exist yet. */
score_status import_onnx_new_columns(onnx_graph *g, size_t n, onnx_value *out)
{
	if (n > ONNX_MAX_FEATURES)
		return sl_fail(g->file->error, SCORE_ERR_LIMIT, "%zu columns in the graph, the limit is %u", n, ONNX_MAX_FEATURES);
	out->kind = ONNX_COLUMNS;
	out->n = (uint32_t)n;
	out->column = sl_arena_alloc(&g->file->arena, n, sizeof *out->column);
	return out->column ? SCORE_OK : import_onnx_no_memory(g->file, n * sizeof *out->column);
}

/* ---- operators that score ----------------------------------------------------------------------------- */

score_status import_onnx_take_columns(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	onnx_model *m = g->model;
	if (m->op)
		return import_onnx_fail(g->file, op, SCORE_ERR_UNSUPPORTED,
			"is a second model beside '%s'; supported is one: convert each step alone",
			sl_quote((const char *)m->op->name.data, m->op->name.len).text);
	m->op = op;
	m->columns = (onnx_columns){first->column, first->n, first->type == ONNX_F64, first->narrowed};
	if (first->type == ONNX_STRING)
		return import_onnx_refuse(g, op, "scores text; encode it before, by a LabelEncoder or a OneHotEncoder");
	return SCORE_OK;
}

static score_status read_ensemble(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	onnx_model *m = g->model;
	onnx_ensemble *e = &m->ensemble;
	bool classifier = import_onnx_is(op->op_type, "TreeEnsembleClassifier");
	score_status status = import_onnx_take_columns(g, op, first);
	if (status == SCORE_OK)
		status = import_onnx_is(op->op_type, "TreeEnsemble") ? import_onnx_trees5(g->file, op, e) :
			import_onnx_trees(g->file, op, classifier, e);
	if (status != SCORE_OK)
		return status;
	if (e->is_f64 && !m->columns.is_f64)
		return import_onnx_refuse(g, op, "has double thresholds for float columns; cast the columns to double, or the thresholds to float");
	if (!e->is_f64 && m->columns.is_f64 && !e->float_output)
		return import_onnx_refuse(g, op, "has float thresholds for double columns; cast the columns to float");
	status = import_onnx_ensemble_scores(g->file, e, m->columns.is_f64, &m->scores);
	if (status != SCORE_OK)
		return status;
	onnx_value label = {.kind = ONNX_LABEL, .n = 1, .type = ONNX_I64};
	onnx_value scores = {.kind = ONNX_SCORES, .link = m->scores.link, .parameter = m->scores.parameter, .chosen = -1,
		.base = m->scores.base,
		.type = m->columns.is_f64 && !e->float_output ? ONNX_F64 : ONNX_F32,
		.n = e->is_classifier ? e->n_targets : m->scores.n_outputs};
	if (classifier)
		status = import_onnx_add(g, op, 0, label);
	return status == SCORE_OK ? import_onnx_add(g, op, classifier, scores) : status;
}

/* ---- all operators ------------------------------------------------------------------------------------- */

#define ON(kind) (1u << ONNX_##kind)

static const struct operator {
	const char *domain, *name;
	uint32_t kinds; /* of the first input, ON(…) */
	onnx_reader *read;
} operators[] = {
	{"", "Identity", ON(COLUMNS) | ON(ENCODED) | ON(PLANES) | ON(CONSTANT) | ON(SCORES) | ON(LABEL), import_onnx_same_value},
	{"", "Cast", ON(COLUMNS) | ON(ENCODED) | ON(PLANES) | ON(SCORES) | ON(LABEL), import_onnx_cast},
	{"", "Concat", ON(COLUMNS) | ON(ENCODED), import_onnx_concat},
	{"", "Gather", ON(COLUMNS) | ON(ENCODED), import_onnx_select},
	{"", "Reshape", ON(COLUMNS) | ON(ENCODED) | ON(PLANES) | ON(SCORES) | ON(LABEL), import_onnx_reshape},
	{"", "Flatten", ON(COLUMNS) | ON(ENCODED) | ON(PLANES), import_onnx_flatten},
	{"", "Add", ON(COLUMNS), import_onnx_arithmetic},
	{"", "Sub", ON(COLUMNS), import_onnx_arithmetic},
	{"", "Mul", ON(COLUMNS), import_onnx_arithmetic},
	{"", "Div", ON(COLUMNS), import_onnx_arithmetic},
	{"", "MatMul", ON(COLUMNS), import_onnx_matmul},
	{"", "Add", ON(SCORES), import_onnx_bias},
	{"", "Exp", ON(SCORES), import_onnx_exp},
	{"", "Sigmoid", ON(SCORES), import_onnx_sigmoid},
	{"", "Mul", ON(SCORES), import_onnx_mul},
	{"", "ArgMax", ON(SCORES), import_onnx_argmax},
	{"", "Slice", ON(SCORES), import_onnx_slice},
	{"ai.onnx.ml", "ArrayFeatureExtractor", ON(COLUMNS) | ON(ENCODED), import_onnx_select},
	{"ai.onnx.ml", "ArrayFeatureExtractor", ON(SCORES), import_onnx_choose},
	{"ai.onnx.ml", "ArrayFeatureExtractor", ON(CONSTANT), import_onnx_name_classes},
	{"ai.onnx.ml", "FeatureVectorizer", ON(COLUMNS), import_onnx_vectorizer},
	{"ai.onnx.ml", "Scaler", ON(COLUMNS), import_onnx_scaler},
	{"ai.onnx.ml", "Imputer", ON(COLUMNS), import_onnx_imputer},
	{"ai.onnx.ml", "Binarizer", ON(COLUMNS), import_onnx_binarizer},
	{"ai.onnx.ml", "Normalizer", ON(COLUMNS), import_onnx_normalizer},
	{"ai.onnx.ml", "Normalizer", ON(SCORES), import_onnx_normalise},
	{"ai.onnx.ml", "LabelEncoder", ON(COLUMNS), import_onnx_encoder},
	{"ai.onnx.ml", "LabelEncoder", ON(CONSTANT), import_onnx_list_classes},
	{"ai.onnx.ml", "CategoryMapper", ON(COLUMNS), import_onnx_mapper},
	{"ai.onnx.ml", "OneHotEncoder", ON(COLUMNS), import_onnx_one_hot},
	{"ai.onnx.ml", "ZipMap", ON(SCORES), import_onnx_same_value},
	{"ai.onnx.ml", "LinearRegressor", ON(COLUMNS), import_onnx_linear_regressor},
	{"ai.onnx.ml", "LinearClassifier", ON(COLUMNS), import_onnx_linear_classifier},
	{"ai.onnx.ml", "TreeEnsembleRegressor", ON(COLUMNS), read_ensemble},
	{"ai.onnx.ml", "TreeEnsembleClassifier", ON(COLUMNS), read_ensemble},
	{"ai.onnx.ml", "TreeEnsemble", ON(COLUMNS), read_ensemble},
};

static const struct refused {
	const char *name, *why;
} refused[] = {
	{"SVMClassifier", "is a support vector machine; supported are trees and linear models (LinearSVC instead of SVC)"},
	{"SVMRegressor", "is a support vector machine; supported are trees and linear models (LinearSVC instead of SVC)"},
};

static score_status refuse_operator(const onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	static const char *const kinds[] = {"columns", "one-hot columns of three dimensions", "one-hot columns of three dimensions", "a constant", "scores", "a label"};
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		if (import_onnx_is(op->op_type, refused[i].name))
			return import_onnx_refuse(g, op, refused[i].why);
	}
	return import_onnx_fail(g->file, op, SCORE_ERR_UNSUPPORTED,
		"this operator is not supported%s%s; export the model's own step alone, and do before it what this step does", first ? " on " : "",
		first ? kinds[first->kind] : "");
}

static score_status read_operator(onnx_graph *g, const onnx_op *op)
{
	const onnx_value *first;
	bool ml = import_onnx_is(op->domain, "ai.onnx.ml");
	if (op->n_input == 0)
		return refuse_operator(g, op, NULL);
	score_status status = import_onnx_input(g, op, 0, &first);
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
static void guess_width(onnx_graph *g)
{
	const Import__Onnx__Graph *from = g->file->graph;
	g->guessed_width = 1;
	for (size_t i = 0; i < from->n_node; i++) {
		const onnx_op *op = from->node[i];
		for (size_t k = 0; k < op->n_attribute; k++) {
			const Import__Onnx__Attribute *a = op->attribute[k];
			for (size_t j = 0; j < a->n_ints && import_onnx_is(a->name, "nodes_featureids"); j++) {
				if (a->ints[j] >= g->guessed_width && a->ints[j] < ONNX_MAX_FEATURES)
					g->guessed_width = (uint32_t)a->ints[j] + 1;
			}
		}
	}
}

static score_status read_shape(const onnx_graph *g, const Import__Onnx__ValueInfo *in, int32_t *type, uint32_t *width)
{
	sl_quoted name = sl_quote((const char *)in->name.data, in->name.len);
	const Import__Onnx__TensorType *t = in->n_type == 1 && in->type[0]->n_tensor_type == 1 ? in->type[0]->tensor_type[0] :
		NULL;
	if (!t)
		return sl_fail(g->file->error, SCORE_ERR_UNSUPPORTED, "the graph's input '%s' is no tensor; expected tensors of [rows, columns]", name.text);
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
		return sl_fail(g->file->error, SCORE_ERR_UNSUPPORTED, "the graph's input '%s' has %zu dimensions, expected 2: [rows, columns]",
			name.text, t->shape[0]->n_dim);
	const Import__Onnx__Dimension *d = t->shape[0]->dim[1];
	if (!d->has_dim_value)
		return SCORE_OK;
	if (d->dim_value < 1 || d->dim_value > ONNX_MAX_FEATURES)
		return sl_fail(g->file->error, SCORE_ERR_LIMIT, "the graph's input '%s' has %lld columns, expected 1 to %u",
			name.text, (long long)d->dim_value, ONNX_MAX_FEATURES);
	*width = (uint32_t)d->dim_value;
	return SCORE_OK;
}

static score_status add_input(onnx_graph *g, const Import__Onnx__ValueInfo *in)
{
	onnx_model *m = g->model;
	uint32_t width = 0;
	onnx_value v = {.name = in->name};
	if (import_onnx_find(g, in->name)) /* a constant with a default value that callers could replace, in old files */
		return SCORE_OK;
	score_status status = read_shape(g, in, &v.type, &width);
	if (status == SCORE_OK)
		status = import_onnx_new_columns(g, width, &v);
	if (status != SCORE_OK)
		return status;
	if (width > ONNX_MAX_FEATURES - m->n_features)
		return sl_fail(g->file->error, SCORE_ERR_LIMIT, "the graph's inputs have more than %u columns", ONNX_MAX_FEATURES);
	for (uint32_t i = 0; i < width; i++)
		v.column[i] = m->n_features + i;
	v.narrowed = v.type == ONNX_F32;
	g->values[g->n_values++] = v;
	m->inputs[m->n_inputs++] = (onnx_input){in->name, m->n_features, width, NULL};
	if (v.type == ONNX_STRING)
		status = import_onnx_text_input(g, m->inputs + m->n_inputs - 1);
	m->n_features += width;
	return status;
}

static score_status read_inputs(onnx_graph *g)
{
	const Import__Onnx__Graph *from = g->file->graph;
	size_t n_results = 0, n_operands = 0;
	for (size_t i = 0; i < from->n_node; i++) {
		n_results += from->node[i]->n_output;
		n_operands += from->node[i]->n_input;
	}
	if (from->n_node > MAX_NODES || from->n_initializer > MAX_NODES || from->n_input > MAX_NODES || n_results > 2 * MAX_NODES)
		return sl_fail(g->file->error, SCORE_ERR_LIMIT, "the graph has %zu operators, %zu constants and %zu inputs, at most %u are read",
			from->n_node, from->n_initializer, from->n_input, MAX_NODES);
	if (n_operands > MAX_OPERANDS)
		return sl_fail(g->file->error, SCORE_ERR_LIMIT, "the graph's operators have %zu inputs together, at most %u are read", n_operands,
			MAX_OPERANDS);
	g->max_values = from->n_initializer + from->n_input + n_results;
	g->values = sl_arena_alloc(&g->file->arena, g->max_values, sizeof *g->values);
	g->model->inputs = sl_arena_alloc(&g->file->arena, from->n_input, sizeof *g->model->inputs);
	if (!g->values || !g->model->inputs)
		return import_onnx_no_memory(g->file, g->max_values * sizeof *g->values);
	for (size_t i = 0; i < from->n_initializer; i++) {
		const onnx_tensor *t = from->initializer[i];
		g->values[g->n_values++] = (onnx_value){.name = t->name, .kind = ONNX_CONSTANT, .type = t->data_type, .constant = t};
	}
	guess_width(g);
	score_status status = SCORE_OK;
	for (size_t i = 0; i < from->n_input && status == SCORE_OK; i++)
		status = add_input(g, from->input[i]);
	return status;
}

/* ---- outputs ------------------------------------------------------------------------------------------- */

/* The first output that is made of scores is the prediction. */
static score_status read_outputs(onnx_graph *g)
{
	const Import__Onnx__Graph *from = g->file->graph;
	const onnx_value *prediction = NULL;
	for (size_t i = from->n_output; i-- > 0;) {
		const onnx_value *v = import_onnx_find(g, from->output[i]->name);
		if (!v)
			return sl_fail(g->file->error, SCORE_ERR_CORRUPT, "the graph's output '%s' is made by no operator",
				sl_quote((const char *)from->output[i]->name.data, from->output[i]->name.len).text);
		prediction = v->kind == ONNX_SCORES ? v : prediction;
	}
	if (!g->model->op)
		return sl_fail(g->file->error, SCORE_ERR_UNSUPPORTED,
			"the ONNX graph of %zu operators has no tree ensemble and no linear model, which are what is supported; export the pipeline with its model", from->n_node);
	if (prediction) {
		g->model->scores.link = prediction->link;
		g->model->scores.parameter = prediction->parameter;
		g->model->scores.base = prediction->base;
		g->model->linear.chosen = prediction->chosen;
	}
	return SCORE_OK;
}

score_status import_onnx_graph(onnx_file *file, onnx_model *out)
{
	onnx_graph g = {.file = file, .model = out, .columns_left = ONNX_MAX_DERIVED, .keys_left = ONNX_MAX_KEYS};
	score_status status = read_inputs(&g);
	if (status == SCORE_OK)
		status = import_onnx_collect_labels(&g);
	for (size_t i = 0; i < file->graph->n_node && status == SCORE_OK; i++)
		status = read_operator(&g, file->graph->node[i]);
	if (status == SCORE_OK)
		status = import_onnx_make_dictionaries(&g);
	return status == SCORE_OK ? read_outputs(&g) : status;
}
