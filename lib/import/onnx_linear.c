/*
 * LinearRegressor, LinearClassifier, and MatMul with Add, to weights and bias.
 *
 * Comes in: an operator and the columns it reads. Goes out: an onnx_linear in the model. Sums are in the order of the
 * columns; onnxruntime's order is that of its matrix library, so scores agree to rounding, not to the bit.
 */
#include "onnx_graph.h"

/* `columns` × `n_outputs` weights, output by output or column by column, into the model. */
static score_status set_weights(onnx_graph *g, const onnx_reals *from, uint32_t n, uint32_t n_outputs, bool by_output)
{
	double *w = sl_arena_alloc(&g->file->arena, (size_t)n * n_outputs, sizeof *w);
	if (!w)
		return import_onnx_no_memory(g->file, (size_t)n * n_outputs * sizeof *w);
	for (size_t i = 0; i < n; i++) {
		for (size_t o = 0; o < n_outputs; o++)
			w[i * n_outputs + o] = from->v[by_output ? o * n + i : i * n_outputs + o];
	}
	g->model->linear = (onnx_linear){w, n_outputs, -1};
	g->model->scores.n_outputs = n_outputs;
	return SCORE_OK;
}

typedef struct spoken {
	onnx_reals coefficients, intercepts;
	uint32_t transform;
} spoken;

static score_status listen(onnx_graph *g, const onnx_op *op, const onnx_value *first, spoken *out)
{
	score_status status = import_onnx_take_columns(g, op, first);
	if (status == SCORE_OK)
		status = import_onnx_reals(g->file, op, "coefficients", &out->coefficients);
	if (status == SCORE_OK)
		status = import_onnx_reals(g->file, op, "intercepts", &out->intercepts);
	if (status == SCORE_OK)
		status = import_onnx_word(g->file, op, "post_transform", import_onnx_transforms, 5, &out->transform);
	if (status == SCORE_OK && first->type == ONNX_F64)
		return import_onnx_refuse(g, op, "reads double columns; cast them to float before");
	return status;
}

static score_status wrong_counts(const onnx_graph *g, const onnx_op *op, const spoken *s, uint32_t n, int64_t scores)
{
	return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "has %zu coefficients and %zu intercepts for %u columns and %lld scores",
		s->coefficients.n, s->intercepts.n, n, (long long)scores);
}

static onnx_value scores_of(const onnx_graph *g, int32_t type, uint32_t n)
{
	const onnx_scores *scores = &g->model->scores;
	return (onnx_value){.kind = ONNX_SCORES, .type = type, .n = n, .link = scores->link, .parameter = 1.0, .chosen = -1,
		.base = scores->base};
}

score_status import_onnx_linear_regressor(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	spoken s;
	int64_t targets;
	score_status status = listen(g, op, first, &s);
	if (status == SCORE_OK)
		status = import_onnx_int(g->file, op, "targets", 1, &targets);
	if (status != SCORE_OK)
		return status;
	if (targets < 1 || targets > INT32_MAX || s.coefficients.n != (uint64_t)targets * first->n ||
		(s.intercepts.n && s.intercepts.n != (uint64_t)targets))
		return wrong_counts(g, op, &s, first->n, targets);
	/* onnxruntime applies no transform but PROBIT to a single target. */
	onnx_transform transform = g->file->like_runtime && targets == 1 && s.transform != ONNX_PROBIT ? ONNX_NONE :
		(onnx_transform)s.transform;
	g->model->scores = (onnx_scores){.base = s.intercepts.n ? s.intercepts.v : NULL, .parameter = 1.0,
		.link = import_onnx_link(transform, false, true)};
	status = set_weights(g, &s.coefficients, first->n, (uint32_t)targets, true);
	return status == SCORE_OK ? import_onnx_add(g, op, 0, scores_of(g, ONNX_F32, (uint32_t)targets)) : status;
}

/* One row of coefficients for two classes: its score is the second class's. */
static score_status one_row(onnx_graph *g, const onnx_op *op, onnx_transform transform, onnx_scores *out)
{
	bool softmax = transform == ONNX_SOFTMAX || transform == ONNX_SOFTMAX_ZERO;
	out->class_rule = "margin > 0";
	if (transform == ONNX_NONE || (softmax && g->file->like_runtime))
		out->link = SCORE_LINK_COMPLEMENT_ONNX;
	else if (transform == ONNX_LOGISTIC)
		out->link = SCORE_LINK_SIGMOID_PAIR_ONNX;
	else if (transform == ONNX_SOFTMAX)
		out->link = SCORE_LINK_SOFTMAX_PAIR;
	else
		return import_onnx_refuse(g, op, "transforms one score for two classes; supported are NONE and LOGISTIC: give both classes coefficients");
	return SCORE_OK;
}

score_status import_onnx_linear_classifier(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	spoken s;
	onnx_scores *out = &g->model->scores;
	const char *labels = NULL;
	uint32_t n_labels = 0;
	score_status status = listen(g, op, first, &s);
	if (status == SCORE_OK)
		status = import_onnx_labels(g->file, op, "classlabels_ints", "classlabels_strings", &n_labels, &labels);
	if (status != SCORE_OK)
		return status;
	size_t rows = s.intercepts.n ? s.intercepts.n : s.coefficients.n / first->n;
	if (rows == 0 || rows > INT32_MAX || s.coefficients.n != (uint64_t)rows * first->n ||
		(rows != n_labels && (rows != 1 || n_labels != 2)))
		return wrong_counts(g, op, &s, first->n, n_labels);
	*out = (onnx_scores){.base = s.intercepts.n ? s.intercepts.v : NULL, .parameter = 1.0,
		.link = import_onnx_link((onnx_transform)s.transform, false, true)};
	if (rows > 1)
		out->class_rule = "largest margin";
	if (rows == 1 && n_labels == 2)
		status = one_row(g, op, (onnx_transform)s.transform, out);
	out->labels = n_labels > 1 ? labels : NULL;
	if (status == SCORE_OK)
		status = set_weights(g, &s.coefficients, first->n, (uint32_t)rows, true);
	if (status == SCORE_OK)
		status = import_onnx_add(g, op, 0, (onnx_value){.kind = ONNX_LABEL, .n = 1, .type = ONNX_I64});
	return status == SCORE_OK ? import_onnx_add(g, op, 1, scores_of(g, ONNX_F32, n_labels)) : status;
}

/* Columns by a constant matrix. */
score_status import_onnx_matmul(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	const onnx_value *second;
	onnx_reals w;
	score_status status = import_onnx_input(g, op, 1, &second);
	if (status != SCORE_OK)
		return status;
	if (second->kind != ONNX_CONSTANT || second->type != first->type)
		return import_onnx_refuse(g, op, "multiplies by what is no constant of the columns' type; supported are constant coefficients");
	status = import_onnx_take_columns(g, op, first);
	if (status == SCORE_OK)
		status = import_onnx_tensor_reals(g->file, op, second->constant, &w);
	if (status != SCORE_OK)
		return status;
	const onnx_tensor *t = second->constant;
	size_t n_outputs = t->n_dims == 2 ? w.n / first->n : 1;
	if (t->n_dims == 0 || t->n_dims > 2 || t->dims[0] != first->n || n_outputs == 0 || n_outputs > INT32_MAX)
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "has a constant that does not fit %u columns", first->n);
	g->model->scores = (onnx_scores){.parameter = 1.0};
	status = set_weights(g, &w, first->n, (uint32_t)n_outputs, false);
	return status == SCORE_OK ? import_onnx_add(g, op, 0, scores_of(g, first->type, (uint32_t)n_outputs)) : status;
}

/* Add behind MatMul. */
score_status import_onnx_bias(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	const onnx_value *second;
	onnx_reals b;
	onnx_value v = *first;
	uint32_t n_all = g->model->linear.n_outputs;
	score_status status = import_onnx_input(g, op, 1, &second);
	if (status != SCORE_OK)
		return status;
	if (second->kind != ONNX_CONSTANT || !g->model->linear.weights || first->base || first->link != SCORE_LINK_IDENTITY)
		return import_onnx_refuse(g, op, "adds to scores; supported is one constant behind MatMul: give the model an intercept instead");
	status = import_onnx_tensor_reals(g->file, op, second->constant, &b);
	if (status != SCORE_OK)
		return status;
	if (b.n != 1 && b.n != first->n)
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "adds %zu numbers to %u scores", b.n, first->n);
	double *base = sl_arena_alloc(&g->file->arena, n_all, sizeof *base);
	if (!base)
		return import_onnx_no_memory(g->file, n_all * sizeof *base);
	for (uint32_t i = 0; i < n_all; i++)
		base[i] = b.v[b.n == 1 ? 0 : i];
	v.base = base;
	return import_onnx_add(g, op, 0, v);
}
