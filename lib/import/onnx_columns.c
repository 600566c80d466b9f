/*
 * ONNX operators on columns: joined, selected, cast, and computed by preprocessing.
 *
 * Comes in: an operator and the columns it reads. Goes out: columns of the model's inputs, or derived columns that compute
 * what the operator says, each rounding where onnxruntime rounds.
 */
#include "onnx_graph.h"


/* ---- joined, selected, cast --------------------------------------------------------------------------- */

static score_status concat(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	size_t n = 0;
	const onnx_value *part;
	onnx_value v = {.type = first->type, .narrowed = first->narrowed, .rounded = first->rounded};
	for (size_t i = 0; i < op->n_input; i++) {
		score_status status = import_onnx_input(g, op, i, &part);
		if (status != SCORE_OK)
			return status;
		if (part->kind != first->kind || part->type != first->type || part->narrowed != first->narrowed)
			return import_onnx_refuse(g, op, "joins values of different kinds or types; supported are columns of one type: cast them to float before");
		n += part->n;
		v.rounded = v.rounded && part->rounded;
	}
	score_status status = import_onnx_new_columns(g, n, &v);
	if (status != SCORE_OK)
		return status;
	v.kind = first->kind;
	n = 0;
	for (size_t i = 0; i < op->n_input; i++) {
		part = import_onnx_find(g, op->input[i]);
		memcpy(v.column + n, part->column, part->n * sizeof *v.column);
		n += part->n;
	}
	return import_onnx_add(g, op, 0, v);
}

score_status import_onnx_concat(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	int64_t axis;
	score_status status = import_onnx_int(g->file, op, "axis", 1, &axis);
	if (status != SCORE_OK)
		return status;
	if (axis != (first->kind == ONNX_ENCODED ? 2 : 1) && axis != -1)
		return import_onnx_refuse(g, op, "joins along another axis than the last; supported is joining columns (axis -1)");
	return concat(g, op, first);
}

/* FeatureVectorizer: joined columns as floats. */
score_status import_onnx_vectorizer(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	if (first->type != ONNX_F32)
		return import_onnx_refuse(g, op, "joins columns that are not of type float; use Concat, or cast them to float before");
	return concat(g, op, first);
}

/* ArrayFeatureExtractor, or Gather along axis 1, of constant columns. */
score_status import_onnx_select(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	const onnx_value *which;
	onnx_ints numbers;
	int64_t axis = -1;
	onnx_value v = {.type = first->type, .narrowed = first->narrowed, .rounded = first->rounded};
	score_status status = import_onnx_input(g, op, 1, &which);
	if (status == SCORE_OK && import_onnx_is(op->op_type, "Gather"))
		status = import_onnx_int(g->file, op, "axis", 0, &axis);
	if (status != SCORE_OK)
		return status;
	if (which->kind != ONNX_CONSTANT || (axis != (first->kind == ONNX_ENCODED ? 2 : 1) && axis != -1))
		return import_onnx_refuse(g, op, "selects by what the graph computes, or rows; supported are constant columns of the last axis");
	status = import_onnx_tensor_ints(g->file, op, which->constant, &numbers);
	if (status == SCORE_OK && numbers.n == 0)
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "selects no columns");
	if (status == SCORE_OK)
		status = import_onnx_new_columns(g, numbers.n, &v);
	v.kind = first->kind;
	for (size_t i = 0; i < numbers.n && status == SCORE_OK; i++) {
		int64_t at = numbers.v[i] < 0 ? numbers.v[i] + first->n : numbers.v[i];
		if (at < 0 || at >= first->n)
			return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "selects column %lld of %u", (long long)numbers.v[i],
				first->n);
		v.column[i] = first->column[at];
	}
	return status == SCORE_OK ? import_onnx_add(g, op, 0, v) : status;
}

score_status import_onnx_cast(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	int64_t to;
	onnx_value v = *first;
	score_status status = import_onnx_int(g->file, op, "to", 0, &to);
	if (status != SCORE_OK)
		return status;
	v.type = (int32_t)to;
	if (first->kind == ONNX_LABEL)
		return import_onnx_add(g, op, 0, v);
	if (to != ONNX_F32 && to != ONNX_F64)
		return to == first->type ? import_onnx_add(g, op, 0, v) : import_onnx_refuse(g, op, "casts to another type than float and double; cast to one of those, or leave the cast out");
	if (first->kind == ONNX_COLUMNS && first->type == ONNX_STRING)
		return import_onnx_refuse(g, op, "reads numbers in text; make the graph's input one of numbers");
	if (to == ONNX_F32 && !v.narrowed) {
		v.narrowed = true;
		v.rounded = false;
	}
	if (first->kind == ONNX_SCORES && to == ONNX_F32 && first->type == ONNX_F64) {
		if (first->link != SCORE_LINK_IDENTITY)
			return import_onnx_refuse(g, op, "rounds transformed predictions from double to float; leave the cast out");
		v.link = SCORE_LINK_FLOAT;
	}
	return import_onnx_add(g, op, 0, v);
}

/* ---- derived columns ----------------------------------------------------------------------------------- */

score_status import_onnx_derive(onnx_graph *g, const score_column_program *program, uint32_t *column)
{
	score_column_program p = *program;
	score_step *steps = sl_arena_copy(&g->file->arena, p.steps, p.n_steps, sizeof *steps);
	if (g->columns_left-- == 0)
		return sl_fail(g->file->error, SCORE_ERR_LIMIT, "the graph's preprocessing makes more than %u columns",
			ONNX_MAX_DERIVED);
	p.steps = steps;
	*column = g->model->n_features + (uint32_t)g->model->programs.length;
	if (!steps || !sl_vector_push(&g->model->programs, &p, 1))
		return sl_fail_memory(g->file->error, sizeof p);
	return SCORE_OK;
}

/* One step: `a` and `b` per column, or one for all. */
typedef struct part {
	score_operation operation;
	uint32_t flags;
	onnx_reals a, b;
} part;

static double at(const onnx_reals *r, uint32_t i)
{
	return r->n == 0 ? 0.0 : r->v[r->n == 1 ? 0 : i];
}

/* Every column of `v` becomes a derived one. */
static score_status apply(onnx_graph *g, const onnx_op *op, const part *parts, size_t n_parts, onnx_value *v)
{
	const uint32_t *from = v->column;
	bool round_first = v->narrowed && !v->rounded;
	for (size_t k = 0; k < n_parts; k++) {
		if ((parts[k].a.n > 1 && parts[k].a.n != v->n) || (parts[k].b.n > 1 && parts[k].b.n != v->n))
			return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "has %zu numbers for %u columns",
				parts[k].a.n > 1 ? parts[k].a.n : parts[k].b.n, v->n);
	}
	score_status status = import_onnx_new_columns(g, v->n, v);
	for (uint32_t i = 0; i < v->n && status == SCORE_OK; i++) {
		score_step steps[4] = {{.operation = SCORE_STEP_IDENTITY, .flags = SCORE_STEP_F32}};
		score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
		p.n_steps = round_first;
		for (size_t k = 0; k < n_parts; k++)
			steps[p.n_steps++] = (score_step){.operation = parts[k].operation, .flags = parts[k].flags,
				.a = at(&parts[k].a, i), .b = at(&parts[k].b, i)};
		p.steps = steps;
		p.source = from[i];
		status = import_onnx_derive(g, &p, v->column + i);
	}
	return status;
}

score_status import_onnx_round(onnx_graph *g, onnx_value *v)
{
	if (!v->narrowed || v->rounded)
		return SCORE_OK;
	score_status status = apply(g, NULL, NULL, 0, v);
	v->rounded = true;
	return status;
}

static score_status need_numbers(const onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	return first->type == ONNX_STRING ? import_onnx_refuse(g, op, "computes with text; encode it before, by a LabelEncoder or a OneHotEncoder") : SCORE_OK;
}

/* Add, Sub, Mul and Div by constants. */
score_status import_onnx_arithmetic(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	static const char *const names[] = {"Add", "Sub", "Mul", "Div"};
	static const score_operation operations[] = {SCORE_STEP_ADD, SCORE_STEP_SUBTRACT, SCORE_STEP_MULTIPLY,
		SCORE_STEP_DIVIDE};
	const onnx_value *second;
	onnx_value v = *first;
	part step = {.flags = first->type == ONNX_F32 ? SCORE_STEP_F32 : 0};
	score_status status = import_onnx_input(g, op, 1, &second);
	if (status != SCORE_OK)
		return status;
	if (second->kind != ONNX_CONSTANT || second->type != first->type)
		return import_onnx_refuse(g, op, "computes with two columns, or with a constant of another type; supported are constants of the columns' type");
	for (int i = 0; i < 4; i++)
		step.operation = import_onnx_is(op->op_type, names[i]) ? operations[i] : step.operation;
	status = import_onnx_tensor_reals(g->file, op, second->constant, &step.a);
	if (status == SCORE_OK && step.a.n != 1 && step.a.n != first->n)
		return import_onnx_refuse(g, op, "has a constant of another size; supported is one number, or one per column");
	if (status == SCORE_OK)
		status = apply(g, op, &step, 1, &v);
	v.narrowed = v.rounded = first->type == ONNX_F32;
	return status == SCORE_OK ? import_onnx_add(g, op, 0, v) : status;
}

/* (x - offset) * scale, a float; in float unless the columns are doubles. */
score_status import_onnx_scaler(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	onnx_value v = *first;
	part steps[2] = {{.operation = SCORE_STEP_SUBTRACT}, {.operation = SCORE_STEP_MULTIPLY, .flags = SCORE_STEP_F32}};
	score_status status = need_numbers(g, op, first);
	if (status == SCORE_OK)
		status = import_onnx_reals(g->file, op, "offset", &steps[0].a);
	if (status == SCORE_OK)
		status = import_onnx_reals(g->file, op, "scale", &steps[1].a);
	if (status != SCORE_OK)
		return status;
	if (steps[0].a.n == 0 || steps[1].a.n == 0)
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "has no offset or no scale");
	if (first->type != ONNX_F64) {
		v.narrowed = true;
		steps[0].flags = SCORE_STEP_F32;
	}
	status = apply(g, op, steps, 2, &v);
	v.type = ONNX_F32;
	v.narrowed = v.rounded = true;
	return status == SCORE_OK ? import_onnx_add(g, op, 0, v) : status;
}

score_status import_onnx_as_reals(const onnx_graph *g, const onnx_op *op, const onnx_ints *ints, onnx_reals *out)
{
	const int64_t most = (int64_t)1 << 53;
	double *v = sl_arena_alloc(&g->file->arena, ints->n, sizeof *v);
	if (!v)
		return import_onnx_no_memory(g->file, ints->n * sizeof *v);
	for (size_t i = 0; i < ints->n; i++) {
		if (ints->v[i] < -most || ints->v[i] > most)
			return import_onnx_fail(g->file, op, SCORE_ERR_UNSUPPORTED,
				"names the integer %lld; values are read as doubles, which tell integers apart up to 2^53: "
				"number the categories anew before training", (long long)ints->v[i]);
		v[i] = (double)ints->v[i];
	}
	*out = (onnx_reals){v, ints->n, true};
	return SCORE_OK;
}

score_status import_onnx_imputer(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	onnx_value v = *first;
	onnx_ints ints = {NULL, 0};
	float replaced = 0.0f;
	int64_t replaced_int = 0;
	double from;
	part step = {.operation = SCORE_STEP_REPLACE};
	bool is_real = first->type == ONNX_F32 || first->type == ONNX_F64;
	score_status status = need_numbers(g, op, first);
	if (status == SCORE_OK && is_real)
		status = import_onnx_reals(g->file, op, "imputed_value_floats", &step.b);
	if (status == SCORE_OK && is_real)
		status = import_onnx_real(g->file, op, "replaced_value_float", 0.0f, &replaced);
	if (status == SCORE_OK && !is_real)
		status = import_onnx_ints(g->file, op, "imputed_value_int64s", &ints);
	if (status == SCORE_OK && !is_real)
		status = import_onnx_int(g->file, op, "replaced_value_int64", 0, &replaced_int);
	if (status == SCORE_OK && !is_real)
		status = import_onnx_as_reals(g, op, &ints, &step.b);
	if (status != SCORE_OK)
		return status;
	if (step.b.n == 0)
		return import_onnx_fail(g->file, op, SCORE_ERR_CORRUPT, "has no imputed values for columns of this type");
	from = is_real ? (double)replaced : (double)replaced_int;
	if (from != from) {
		step.operation = SCORE_STEP_REPLACE_MISSING;
		step.a = step.b;
	} else {
		step.a = (onnx_reals){&from, 1, true};
	}
	status = apply(g, op, &step, 1, &v);
	v.rounded = v.narrowed;
	return status == SCORE_OK ? import_onnx_add(g, op, 0, v) : status;
}

score_status import_onnx_binarizer(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	onnx_value v = *first;
	float threshold;
	score_status status = need_numbers(g, op, first);
	if (status == SCORE_OK)
		status = import_onnx_real(g->file, op, "threshold", 0.0f, &threshold);
	if (status != SCORE_OK)
		return status;
	double wide = (double)threshold;
	part step = {.operation = SCORE_STEP_GREATER, .a = {&wide, 1, true}};
	status = apply(g, op, &step, 1, &v);
	v.rounded = v.narrowed;
	return status == SCORE_OK ? import_onnx_add(g, op, 0, v) : status;
}

score_status import_onnx_normalizer(onnx_graph *g, const onnx_op *op, const onnx_value *first)
{
	static const char *const norms[] = {"MAX", "L1", "L2"};
	static const score_root roots[] = {SCORE_ROOT_NORM_SIGNED_MAX, SCORE_ROOT_NORM_L1, SCORE_ROOT_NORM_L2_RATIO};
	onnx_value from = *first, v = *first;
	uint32_t norm;
	score_status status = import_onnx_word(g->file, op, "norm", norms, 3, &norm);
	if (status != SCORE_OK)
		return status;
	if (first->type != ONNX_F32)
		return import_onnx_refuse(g, op, "normalises columns that are not of type float; cast them to float before");
	status = import_onnx_round(g, &from);
	if (status == SCORE_OK)
		status = import_onnx_new_columns(g, from.n, &v);
	/* Each column's program names all columns: not out of proportion. */
	if (status == SCORE_OK && from.n > 1024)
		return sl_fail(g->file->error, SCORE_ERR_LIMIT, "Normalizer has %u columns, at most 1024 are supported", from.n);
	for (uint32_t i = 0; i < from.n && status == SCORE_OK; i++) {
		score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
		p.root = roots[norm];
		p.flags = SCORE_STEP_F32;
		p.source = from.column[i];
		p.sources = from.column;
		p.n_sources = from.n;
		status = import_onnx_derive(g, &p, v.column + i);
	}
	v.narrowed = v.rounded = true;
	return status == SCORE_OK ? import_onnx_add(g, op, 0, v) : status;
}
