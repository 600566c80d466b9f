/*
 * ONNX operators behind the one that scores: on scores and labels.
 *
 * Comes in: an operator and the scores it reads. Goes out: scores with another link, or the same ones; what has no link is
 * refused.
 */
#include "onnx_graph.h"

#include <math.h>

/* Three dimensions become two. */
static score_status as_columns(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	onnx_value v = *first;
	if (v.kind == ONNX_ENCODED || v.kind == ONNX_PLANES)
		v.kind = ONNX_COLUMNS;
	return import_onnx_add(g, op, 0, v);
}

/* Reshape: a row stays a row as long as the number of columns stays. */
score_status import_onnx_reshape(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	const onnx_value *shape;
	onnx_ints dims;
	if (first->kind == ONNX_LABEL)
		return import_onnx_add(g, op, 0, *first);
	score_status status = import_onnx_input(g, op, 1, &shape);
	if (status != SCORE_OK)
		return status;
	if (shape->kind != ONNX_CONSTANT)
		return import_onnx_refuse(g, op, "reshapes by a shape that the graph computes; export it with a constant shape");
	status = import_onnx_tensor_ints(g->file, op, shape->constant, &dims);
	if (status != SCORE_OK)
		return status;
	bool rows_stay = dims.n > 0 && (dims.v[0] == -1 || dims.v[0] == 0);
	if (!rows_stay || dims.n > 2 || (dims.n == 1 ? first->n != 1 : dims.v[1] != first->n))
		return import_onnx_refuse(g, op, "changes the number of columns; supported is the constant shape [-1, columns], with as many as before");
	return as_columns(g, op, first);
}

score_status import_onnx_flatten(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	int64_t axis;
	score_status status = import_onnx_int(g->file, op, "axis", 1, &axis);
	if (status == SCORE_OK && axis != 1)
		return import_onnx_refuse(g, op, "changes the number of rows; supported is axis 1");
	return status == SCORE_OK ? as_columns(g, op, first) : status;
}

score_status import_onnx_same_value(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	return import_onnx_add(g, op, 0, *first);
}

score_status import_onnx_exp(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	onnx_value v = *first;
	if (first->link != SCORE_LINK_IDENTITY)
		return import_onnx_refuse(g, op, "reads scores that were transformed before; supported on plain scores: export with post_transform NONE");
	v.link = SCORE_LINK_EXP;
	return import_onnx_add(g, op, 0, v);
}

score_status import_onnx_sigmoid(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	onnx_value v = *first;
	if (first->link != SCORE_LINK_IDENTITY)
		return import_onnx_refuse(g, op, "reads scores that were transformed before; supported on plain scores: export with post_transform NONE");
	v.link = SCORE_LINK_SIGMOID;
	return import_onnx_add(g, op, 0, v);
}

/* By one, which changes nothing, or by a number behind Exp. */
score_status import_onnx_mul(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	const onnx_value *factor;
	onnx_reals x;
	onnx_value v = *first;
	score_status status = import_onnx_input(g, op, 1, &factor);
	if (status != SCORE_OK)
		return status;
	if (factor->kind != ONNX_CONSTANT)
		return import_onnx_refuse(g, op, "multiplies scores by what the graph computes; supported is a constant number");
	status = import_onnx_tensor_reals(g->file, op, factor->constant, &x);
	if (status != SCORE_OK)
		return status;
	if (x.n != 1 || (x.v[0] != 1.0 && first->link != SCORE_LINK_EXP) || x.v[0] == 0.0 || !isfinite(x.v[0]))
		return import_onnx_refuse(g, op, "multiplies scores; supported are the factor 1, and a number behind Exp");
	if (x.v[0] != 1.0) {
		v.link = SCORE_LINK_EXP_SCALED;
		v.parameter = x.v[0];
	}
	return import_onnx_add(g, op, 0, v);
}

/* ArrayFeatureExtractor of one of a linear model's scores. */
score_status import_onnx_choose(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	const onnx_value *which;
	onnx_ints numbers;
	onnx_value v = *first;
	score_status status = import_onnx_input(g, op, 1, &which);
	if (status != SCORE_OK)
		return status;
	if (which->kind != ONNX_CONSTANT || !g->model->linear.weights || first->link != SCORE_LINK_IDENTITY || first->chosen >= 0)
		return import_onnx_refuse(g, op, "selects some of the scores; supported of a linear model's untransformed ones: export all scores");
	status = import_onnx_tensor_ints(g->file, op, which->constant, &numbers);
	if (status != SCORE_OK)
		return status;
	if (numbers.n != 1 || numbers.v[0] < 0 || numbers.v[0] >= first->n)
		return import_onnx_refuse(g, op, "selects several of the scores; supported is one of them, or export all");
	v.chosen = (int32_t)numbers.v[0];
	v.n = 1;
	return import_onnx_add(g, op, 0, v);
}

/* An output for each class, as skl2onnx writes them with zipmap="columns", or one class of several. */
score_status import_onnx_slice(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	(void)first;
	return import_onnx_refuse(g, op, "takes some of the scores; export all of them as one output, with skl2onnx by options={\"zipmap\": False}");
}

/* Normalizer behind probabilities that sum to one, or one per class. */
score_status import_onnx_normalise(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	static const char *const norms[] = {"MAX", "L1", "L2"};
	uint32_t norm;
	onnx_value v = *first;
	score_status status = import_onnx_word(g->file, op, "norm", norms, 3, &norm);
	if (status != SCORE_OK)
		return status;
	if (norm == 1 && first->link == SCORE_LINK_SIGMOID_ONNX)
		v.link = SCORE_LINK_OVR_NORMALISED;
	else if (norm != 1 || (first->link != SCORE_LINK_SOFTMAX_ONNX && first->link != SCORE_LINK_SIGMOID_PAIR_ONNX))
		return import_onnx_refuse(g, op, "normalises scores; supported is norm L1 behind LOGISTIC and SOFTMAX: export the scores before it");
	return import_onnx_add(g, op, 0, v);
}

score_status import_onnx_argmax(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	onnx_value label = {.kind = ONNX_LABEL, .n = 1, .type = ONNX_I64};
	if (g->model->linear.weights && first->chosen < 0 && first->n > 1 && !g->model->scores.class_rule)
		g->model->scores.class_rule = "largest margin";
	return import_onnx_add(g, op, 0, label);
}

/* ArrayFeatureExtractor of a list of classes by a label. */
score_status import_onnx_name_classes(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	const onnx_value *which;
	onnx_value label = {.kind = ONNX_LABEL, .n = 1, .type = first->type};
	score_status status = import_onnx_input(g, op, 1, &which);
	if (status == SCORE_OK && which->kind != ONNX_LABEL)
		return import_onnx_refuse(g, op, "selects of a constant by what is no label; supported are the classes of a label");
	return status == SCORE_OK ? import_onnx_add(g, op, 0, label) : status;
}

/* LabelEncoder of the numbers of all classes, whose names then are an output of their own: nothing that depends on rows. */
score_status import_onnx_list_classes(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	onnx_value labels = {.kind = ONNX_LABEL, .n = first->n, .type = ONNX_STRING};
	return import_onnx_add(g, op, 0, labels);
}
