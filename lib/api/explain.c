/* What goes with contributions: the rows to compare with, and the features that matter most. */
#include "../input/plan.h"
#include "model.h"

#include <math.h>

size_t score_contribution_scratch_bytes(const score_model *model)
{
	return model ? engine_contribution_scratch(model->e) : 0;
}

static score_status make_explainer(const score_model *model, const input_view *view, score_explainer **out,
	score_error *error)
{
	sl_arena arena;
	const engine_background *background = NULL;
	sl_arena_init(&arena, &model->arena.allocator, 0);
	score_explainer *explainer = sl_arena_alloc(&arena, 1, sizeof *explainer);
	score_status status = explainer ? engine_make_background(model->e, view, &arena, &background, error) :
		sl_fail_memory(error, sizeof *explainer);
	if (status != SCORE_OK) {
		sl_arena_free(&arena);
		return status;
	}
	*explainer = (score_explainer){arena, model, background};
	*out = explainer;
	return SCORE_OK;
}

static score_status new_explainer(const score_model *model, const score_input *input, const score_plan *plan,
	score_explainer **out, score_error *error)
{
	input_view view;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_explainer_new: out is NULL");
	*out = NULL;
	if (!model)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_explainer_new: model is NULL");
	if (plan && plan->n_features != model->f->n_features)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the plan was bound to another model: it has %u features, not %u",
			plan->n_features, model->f->n_features);
	const char *reason = engine_cannot_contribute(model->e, true);
	if (reason)
		return sl_fail(error, SCORE_ERR_UNSUPPORTED, "no contributions: %s", reason);
	input_refusal refusal = {-1, 0};
	score_status status = sl_model_open_input(model, input, plan, &view, error);
	if (status == SCORE_OK && view.n_rows == 0)
		status = sl_fail(error, SCORE_ERR_SHAPE, "a background needs at least one row");
	if (status != SCORE_OK)
		return status;
	view.refusal = &refusal;
	status = make_explainer(model, &view, out, error);
	if (status == SCORE_OK && refusal.row >= 0) {
		score_explainer_free(*out);
		*out = NULL;
		status = input_refuse(&view, error);
	}
	return status;
}

score_status score_explainer_new(const score_model *model, const score_input *input, const score_plan *plan,
	score_explainer **out, score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = new_explainer(model, input, plan, out, error);
	sl_leave_default_float(host);
	return status;
}

void score_explainer_free(score_explainer *explainer)
{
	if (!explainer)
		return;
	sl_arena arena = explainer->arena; /* the explainer itself lies in it */
	sl_arena_free(&arena);
}

static bool is_reason(double x, score_direction direction)
{
	return direction == SCORE_DIRECTION_UP ? x > 0.0 : direction == SCORE_DIRECTION_DOWN ? x < 0.0 : x != 0.0 && x == x;
}

/* Kept in order by insertion: k is small. */
static void choose_reasons(const forest *f, const double *row, score_direction direction, size_t k, score_reason *out)
{
	size_t n = 0;
	for (uint32_t i = 0; i < f->n_features; i++) {
		if (!is_reason(row[i], direction) || (n == k && !(fabs(row[i]) > fabs(out[k - 1].contribution))))
			continue;
		size_t at = n < k ? n++ : k - 1;
		for (; at && fabs(row[i]) > fabs(out[at - 1].contribution); at--)
			out[at] = out[at - 1];
		out[at] = (score_reason){row[i], f->features[i].name, i, 0};
	}
	for (; n < k; n++)
		out[n] = (score_reason){0.0, NULL, UINT32_MAX, 0};
}

score_status score_top_reasons(const score_model *model, const double *contributions, size_t n_rows, uint32_t output,
	score_direction direction, size_t k, score_reason *out, score_error *error)
{
	if (!model || ((!contributions || !out) && n_rows && k))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_top_reasons: model, contributions and out must not be NULL");
	if (output >= model->f->contract.n_outputs)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "reasons of output %u were asked for, the model has %u", output,
			model->f->contract.n_outputs);
	if (direction < SCORE_DIRECTION_BOTH || direction > SCORE_DIRECTION_DOWN)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "unknown direction %d", (int)direction);
	size_t width = (size_t)model->f->n_features + 1;
	unsigned host = sl_enter_default_float(); /* a denormal is no zero */
	for (size_t r = 0; r < n_rows && k; r++)
		choose_reasons(model->f, contributions + (r * model->f->contract.n_outputs + output) * width, direction, k, out + r * k);
	sl_leave_default_float(host);
	return SCORE_OK;
}
