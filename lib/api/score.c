/* score_batch() and what belongs to a call: binding, output width, scratch, self-test. */
#include "../input/plan.h"
#include "model.h"

score_status score_bind(const score_model *model, const char *const *names, const score_dtype *types, size_t n_columns,
	score_plan **out, score_error *error)
{
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_bind: out is NULL");
	*out = NULL;
	if (!model || (!names && n_columns))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_bind: model and column_names must not be NULL");
	return input_bind(model->f, &model->arena.allocator, names, types, n_columns, out, error);
}

void score_plan_free(score_plan *plan)
{
	input_plan_free(plan);
}

int64_t score_plan_column(const score_plan *plan, uint32_t i)
{
	return plan && i < plan->n_features ? (int64_t)plan->column[i] : -1;
}

size_t score_scratch_bytes(const score_model *model)
{
	if (!model)
		return 0;
	size_t classes = engine_class_scratch(model->e), stages = engine_stages_scratch(model->e);
	return engine_scratch_bytes(model->e) + (classes > stages ? classes : stages);
}

static score_status check_classes(const score_model *model, score_error *error)
{
	engine_class_kind kind = model->class_rule.kind;
	if (kind == ENGINE_CLASS_NONE)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "no class numbers: the model's link '%s' is no classifier's, and its "
			"metadata have no \"class_rule\"", score_model_link_name(model));
	if (kind == ENGINE_CLASS_UNKNOWN)
		return sl_fail(error, SCORE_ERR_UNSUPPORTED, "the model's \"class_rule\" is '%.80s', which this version does not "
			"know", score_model_metadata_get(model, "class_rule"));
	if (engine_class_width(model->f, &model->class_rule) == 0)
		return sl_fail(error, SCORE_ERR_UNSUPPORTED, "the model's \"class_rule\" does not fit %u outputs and %u "
			"predictions", model->f->contract.n_outputs, model->f->n_predictions);
	return SCORE_OK;
}

static score_status check_contributions(const score_model *model, const score_options *o, score_error *error)
{
	const char *reason = engine_cannot_contribute(model->e, o->explainer != NULL);
	if (reason)
		return sl_fail(error, SCORE_ERR_UNSUPPORTED, "no contributions: %s", reason);
	if (o->regime != SCORE_REGIME_AUTO)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "contributions have no regimes: expected SCORE_REGIME_AUTO, found '%s'",
			score_regime_name(o->regime));
	return SCORE_OK;
}

/* Checks that need only the model and the options. */
score_status sl_model_take_options(const score_model *model, const score_options *given, score_options *o,
	score_error *error)
{
	const forest *f = model->f;
	score_status status = sl_take_struct(o, sizeof *o, given, "score_options", error);
	if (status != SCORE_OK)
		return status;
	if (o->output < SCORE_OUTPUT_PREDICTION || o->output > SCORE_OUTPUT_CONTRIBUTION)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "unknown output %d", (int)o->output);
	if (f->kind == SCORE_KIND_LINEAR && (o->output == SCORE_OUTPUT_LEAF || o->tree_begin || o->tree_end))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "a linear model has no trees: no leaves, no tree range");
	if (o->tree_begin == 0 && o->tree_end == 0)
		o->tree_end = f->n_trees;
	if (o->tree_begin > o->tree_end || o->tree_end > f->n_trees)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "tree range [%u, %u) is not within the model's %u trees",
			o->tree_begin, o->tree_end, f->n_trees);
	if (o->plan && o->plan->n_features != f->n_features)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the plan was bound to another model: it has %u features, not %u",
			o->plan->n_features, f->n_features);
	if (!o->scratch)
		o->scratch_bytes = 0;
	if (o->explainer && (o->output != SCORE_OUTPUT_CONTRIBUTION || o->explainer->model != model))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "an explainer goes with SCORE_OUTPUT_CONTRIBUTION and with its own model");
	if (o->output == SCORE_OUTPUT_CONTRIBUTION)
		return check_contributions(model, o, error);
	return o->output == SCORE_OUTPUT_CLASS ? check_classes(model, error) : SCORE_OK;
}

static size_t output_width(const score_model *model, const score_options *o)
{
	if (o->output == SCORE_OUTPUT_CLASS)
		return engine_class_width(model->f, &model->class_rule);
	if (o->output == SCORE_OUTPUT_CONTRIBUTION)
		return (size_t)model->f->contract.n_outputs * ((size_t)model->f->n_features + 1);
	return engine_output_width(model->e, o->output, o->tree_end - o->tree_begin);
}

size_t score_output_width(const score_model *model, const score_options *options)
{
	score_options o;
	if (!model || sl_model_take_options(model, options, &o, NULL) != SCORE_OK)
		return 0;
	return output_width(model, &o);
}

score_status score_batch(const score_model *model, const score_input *input, double *out, size_t out_len,
	const score_options *options, score_error *error)
{
	score_options o;
	input_view view;
	size_t needed = SIZE_MAX;
	if (!model)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_batch: model is NULL");
	score_status status = sl_model_take_options(model, options, &o, error);
	if (status == SCORE_OK)
		status = sl_model_open_input(model, input, o.plan, &view, error);
	if (status != SCORE_OK || view.n_rows == 0)
		return status;
	input_refusal refusal = {-1, 0};
	view.refusal = &refusal;
	engine_call call = {&view, o.output, o.regime, o.tree_begin, o.tree_end, o.scratch, o.scratch_bytes, out, 0, 0};
	size_t width = output_width(model, &o);
	if (o.output == SCORE_OUTPUT_CLASS)
		call.output = SCORE_OUTPUT_MARGIN;
	if (!sl_mul((size_t)view.n_rows, width, &needed) || (needed && !out) || out_len < needed)
		return sl_fail(error, SCORE_ERR_SHAPE, "out has room for %zu values, %lld rows of %zu values need %zu",
			out ? out_len : 0, (long long)view.n_rows, width, needed);
	if (o.regime != SCORE_REGIME_AUTO) {
		const char *reason = engine_cannot_serve(model->e, &call);
		if (reason)
			return sl_fail(error, SCORE_ERR_ARGUMENT, "regime '%s' cannot serve this call: %s",
				score_regime_name(o.regime), reason);
	}
	if (o.output == SCORE_OUTPUT_CONTRIBUTION && o.scratch_bytes < engine_contribution_scratch(model->e))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "contributions need scratch of %zu bytes "
			"(score_contribution_scratch_bytes()), found %zu", engine_contribution_scratch(model->e), o.scratch_bytes);
	if (o.output == SCORE_OUTPUT_CONTRIBUTION)
		engine_contribute(model->e, &call, o.explainer ? o.explainer->background : NULL);
	else if (o.output != SCORE_OUTPUT_CLASS)
		engine_score(model->e, &call);
	else if (!engine_score_classes(model->e, &call, &model->class_rule))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "class numbers of %u outputs need scratch of %zu bytes",
			model->f->contract.n_outputs, score_scratch_bytes(model));
	return refusal.row < 0 ? SCORE_OK : input_refuse(&view, error);
}

score_status score_encode(const score_model *model, uint32_t i, const score_strings *strings, double *codes,
	score_error *error)
{
	sl_error_clear(error);
	if (!model || i >= model->f->n_features)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_encode: model is NULL, or has no feature %u", i);
	if (!input_takes_strings(model->f, i))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_encode: feature %u has no dictionary", i);
	score_status status = sl_check_strings(strings, true, "score_encode", error);
	if (status != SCORE_OK)
		return status;
	if (!codes && strings->n_strings)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_encode: codes is NULL");
	input_encode(model->f, i, strings, codes);
	return SCORE_OK;
}
