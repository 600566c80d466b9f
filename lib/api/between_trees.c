/*
 * Calls that look at sums between trees: staged scores, LightGBM's early stopping, and decisions against a cut-off.
 *
 * Comes in: rows, options, and what to look for. Goes out: values per row. Rows come in blocks; of each block a set of flags
 * says which rows are done.
 */
#include "model.h"

#include <math.h>

/* A call that has been checked. */
typedef struct stage_call {
	const score_model *model;
	score_options options;
	input_view view;
	input_refusal refusal;
} stage_call;

static score_status open_call(stage_call *c, const score_model *model, const score_input *input,
	const score_options *options, const char *name, score_error *error)
{
	sl_error_clear(error);
	c->model = model;
	if (!model)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: model is NULL", name);
	score_status status = sl_model_take_options(model, options, &c->options, error);
	if (status != SCORE_OK)
		return status;
	const score_options *o = &c->options;
	if (o->output != SCORE_OUTPUT_PREDICTION && o->output != SCORE_OUTPUT_MARGIN)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s gives predictions or margins, not output %d", name, (int)o->output);
	if (o->regime != SCORE_REGIME_AUTO && o->regime != SCORE_REGIME_BATCH && o->regime != SCORE_REGIME_WALK)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: regime '%s' cannot serve this call", name,
			score_regime_name(o->regime));
	if (model->f->kind != SCORE_KIND_TREES)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: a linear model has no trees", name);
	if ((o->tree_end - o->tree_begin) % model->f->contract.trees_per_iteration)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: the tree range [%u, %u) has no whole iterations of %u trees", name,
			o->tree_begin, o->tree_end, model->f->contract.trees_per_iteration);
	if (model->f->n_predictions < model->f->contract.n_outputs && model->f->contract.n_outputs > SL_MODEL_MARGINS &&
		o->output == SCORE_OUTPUT_PREDICTION)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: too many outputs for this link; ask for margins", name);
	return sl_model_open_input(model, input, o->plan, &c->view, error);
}

static score_status run(stage_call *c, const engine_stages *stages, score_error *error)
{
	const score_options *o = &c->options;
	engine_call call = {&c->view, SCORE_OUTPUT_MARGIN, o->regime, o->tree_begin, o->tree_end, o->scratch, o->scratch_bytes,
		NULL, 0, 0};
	c->refusal = (input_refusal){-1, 0};
	c->view.refusal = &c->refusal;
	if (c->view.n_rows && !engine_score_stages(c->model->e, &call, stages))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "this call needs scratch of score_scratch_bytes(), %zu bytes%s",
			score_scratch_bytes(c->model), o->regime == SCORE_REGIME_BATCH ? ", or the model is not for batches" : "");
	return c->refusal.row < 0 ? SCORE_OK : input_refuse(&c->view, error);
}

/* Running sums of one row over trees [tree_begin, tree_end) → margins or predictions. */
static void put_row(const stage_call *c, const double *sums, uint32_t tree_end, double *out)
{
	const forest *f = c->model->f;
	uint32_t n = f->contract.n_outputs;
	uint32_t iterations = (tree_end - c->options.tree_begin) / f->contract.trees_per_iteration;
	double few[SL_MODEL_MARGINS];
	double *margins = c->options.output == SCORE_OUTPUT_PREDICTION && f->n_predictions < n ? few : out;
	for (uint32_t o = 0; o < n; o++)
		margins[o] = forest_finish_margin(&f->contract, sums[o], f->base[o], iterations);
	if (c->options.output == SCORE_OUTPUT_PREDICTION)
		engine_link_margins(f, iterations, margins, out);
}

static size_t values_per_row(const stage_call *c)
{
	return c->options.output == SCORE_OUTPUT_MARGIN ? c->model->f->contract.n_outputs : c->model->f->n_predictions;
}

static score_status check_room(const stage_call *c, size_t n_stages, size_t n_values, const void *out, size_t out_len,
	score_error *error)
{
	size_t needed = SIZE_MAX, width = SIZE_MAX;
	if (!sl_mul(n_stages, n_values, &width) || !sl_mul((size_t)c->view.n_rows, width, &needed) || (needed && !out) || out_len < needed)
		return sl_fail(error, SCORE_ERR_SHAPE, "out has room for %zu values, %lld rows of %zu values need %zu",
			out ? out_len : 0, (long long)c->view.n_rows, width, needed);
	return SCORE_OK;
}

/* ---- staged ------------------------------------------------------------------------------------------------------ */

typedef struct staged {
	stage_call call;
	uint32_t n_stages, step;
	double *out;
} staged;

static bool put_stage(void *context, int64_t first_row, size_t n_rows, const double *sums, uint32_t tree_end)
{
	const staged *s = context;
	size_t width = values_per_row(&s->call), n_outputs = s->call.model->f->contract.n_outputs;
	size_t stage = (tree_end - s->call.options.tree_begin - 1) / s->step;
	for (size_t r = 0; r < n_rows; r++)
		put_row(&s->call, sums + r * n_outputs, tree_end,
			s->out + (((size_t)first_row + r) * s->n_stages + stage) * width);
	return true;
}

static uint32_t count_stages(const score_model *model, const score_options *o, uint32_t every)
{
	uint32_t iterations = (o->tree_end - o->tree_begin) / model->f->contract.trees_per_iteration;
	return iterations / every + (iterations % every != 0);
}

size_t score_stage_count(const score_model *model, uint32_t every, const score_options *options)
{
	score_options o;
	if (!model || !every || model->f->kind != SCORE_KIND_TREES ||
		sl_model_take_options(model, options, &o, NULL) != SCORE_OK)
		return 0;
	return count_stages(model, &o, every);
}

score_status score_staged(const score_model *model, const score_input *input, uint32_t every, double *out,
	size_t out_len, const score_options *options, score_error *error)
{
	staged s = {.out = out};
	score_status status = open_call(&s.call, model, input, options, "score_staged", error);
	if (status == SCORE_OK && every == 0)
		status = sl_fail(error, SCORE_ERR_ARGUMENT, "score_staged: every is 0, expected at least 1 iteration");
	if (status != SCORE_OK)
		return status;
	uint64_t step = (uint64_t)every * model->f->contract.trees_per_iteration;
	s.step = step < model->f->n_trees ? (uint32_t)step : model->f->n_trees;
	s.n_stages = count_stages(model, &s.call.options, every);
	status = check_room(&s.call, s.n_stages, values_per_row(&s.call), out, out_len, error);
	const engine_stages stages = {s.step, put_stage, &s};
	return status == SCORE_OK && s.n_stages ? run(&s.call, &stages, error) : status;
}

/* ---- early stopping ---------------------------------------------------------------------------------------------- */

typedef struct stopping {
	stage_call call;
	double margin;
	double *out;
	uint8_t done[ENGINE_STAGE_ROWS];
} stopping;

/* LightGBM's rule: twice the magnitude of one sum, or the distance of the two largest. */
static bool is_sure(const double *sums, uint32_t n, double margin)
{
	if (n == 1)
		return 2.0 * fabs(sums[0]) > margin;
	double first = sums[0] > sums[1] ? sums[0] : sums[1], second = sums[0] > sums[1] ? sums[1] : sums[0];
	for (uint32_t i = 2; i < n; i++) {
		if (sums[i] > first) {
			second = first;
			first = sums[i];
		} else if (sums[i] > second) {
			second = sums[i];
		}
	}
	return first - second > margin;
}

static bool stop_rows(void *context, int64_t first_row, size_t n_rows, const double *sums, uint32_t tree_end)
{
	stopping *s = context;
	uint32_t n_outputs = s->call.model->f->contract.n_outputs;
	size_t width = values_per_row(&s->call), n_done = 0;
	bool last = tree_end == s->call.options.tree_end;
	for (size_t r = 0; r < n_rows; r++, sums += n_outputs) {
		if (!s->done[r] && (last || is_sure(sums, n_outputs, s->margin))) {
			put_row(&s->call, sums, s->call.options.tree_end, s->out + ((size_t)first_row + r) * width);
			s->done[r] = 1;
		}
		n_done += s->done[r];
	}
	if (n_done < n_rows)
		return true;
	memset(s->done, 0, n_rows); /* for the next block */
	return false;
}

/* A range without trees has nobody who looks at its sums, which are the base. */
static void put_bases(const stopping *s)
{
	const size_t width = values_per_row(&s->call);
	const unsigned host = sl_enter_default_float();
	for (int64_t row = 0; row < s->call.view.n_rows; row++)
		put_row(&s->call, s->call.model->f->base, s->call.options.tree_end, s->out + (size_t)row * width);
	sl_leave_default_float(host);
}

score_status score_early_stop(const score_model *model, const score_input *input, uint32_t every, double margin,
	double *out, size_t out_len, const score_options *options, score_error *error)
{
	stopping s = {.margin = margin, .out = out};
	score_status status = open_call(&s.call, model, input, options, "score_early_stop", error);
	if (status == SCORE_OK && (every == 0 || margin != margin))
		status = sl_fail(error, SCORE_ERR_ARGUMENT, "score_early_stop: every must be at least 1, and margin a number");
	if (status == SCORE_OK && model->f->contract.base_position != SCORE_BASE_FIRST)
		status = sl_fail(error, SCORE_ERR_ARGUMENT, "score_early_stop: the model averages, scales or adds a base after its "
			"trees, so its sums are no margins");
	if (status == SCORE_OK)
		status = check_room(&s.call, 1, values_per_row(&s.call), out, out_len, error);
	if (status != SCORE_OK)
		return status;
	if (s.call.options.tree_begin == s.call.options.tree_end) {
		put_bases(&s);
		return SCORE_OK;
	}
	uint64_t step = (uint64_t)every * model->f->contract.trees_per_iteration;
	const engine_stages stages = {step < model->f->n_trees ? (uint32_t)step : model->f->n_trees, stop_rows, &s};
	return run(&s.call, &stages, error);
}

/* ---- decisions --------------------------------------------------------------------------------------------------- */

typedef struct decision {
	stage_call call;
	const engine_bound *bounds;
	double cutoff;
	uint8_t *out;
	uint64_t n_trees;
	uint8_t done[ENGINE_STAGE_ROWS];
} decision;

/*
 * What the margin can still become, as the source computes it: a running sum in float or double. The exact sum lies within
 * [low, high] of the remaining trees; n additions move the computed one away from it by less than n u (|sum| + magnitude)
 * (1 + a little), u the unit roundoff, as long as nothing overflows. Eight times that covers the rounding of the bounds, too.
 * What follows the sum (average, positive scale, base) is monotonic, rounded or not.
 */
static bool is_decided(const decision *d, double sum, uint32_t tree_end, bool *above)
{
	const forest *f = d->call.model->f;
	bool is_f32 = f->contract.sum == SCORE_F32;
	const engine_bound *b = d->bounds ? d->bounds + tree_end / ENGINE_BOUND_TREES : NULL;
	if (!b || f->contract.scale <= 0.0)
		return false;
	double n = (double)(f->n_trees - tree_end), size = fabs(sum) + b->magnitude;
	double slack = 8.0 * n * (is_f32 ? 0x1p-24 : 0x1p-53) * size;
	if (!(size < (is_f32 ? 1e38 : 1e307)))
		return false;
	uint32_t iterations = f->n_trees / f->contract.trees_per_iteration;
	double low = forest_finish_margin(&f->contract, sum + b->low - slack, f->base[0], iterations);
	double high = forest_finish_margin(&f->contract, sum + b->high + slack, f->base[0], iterations);
	*above = low > d->cutoff;
	return *above || high <= d->cutoff;
}

static bool decide_rows(void *context, int64_t first_row, size_t n_rows, const double *sums, uint32_t tree_end)
{
	decision *d = context;
	const forest *f = d->call.model->f;
	size_t n_done = 0;
	d->n_trees += (tree_end - 1) % ENGINE_BOUND_TREES * n_rows + n_rows;
	for (size_t r = 0; r < n_rows; r++) {
		bool above = false;
		if (!d->done[r] && tree_end == f->n_trees) {
			above = forest_finish_margin(&f->contract, sums[r], f->base[0], f->n_trees / f->contract.trees_per_iteration) >
				d->cutoff;
			d->done[r] = 1;
			d->out[first_row + (int64_t)r] = above;
		} else if (!d->done[r] && is_decided(d, sums[r], tree_end, &above)) {
			d->done[r] = 1;
			d->out[first_row + (int64_t)r] = above;
		}
		n_done += d->done[r];
	}
	if (n_done < n_rows)
		return true;
	memset(d->done, 0, n_rows);
	return false;
}

score_status score_decide(const score_model *model, const score_input *input, double cutoff, uint8_t *out,
	size_t out_len, const score_options *options, uint64_t *n_trees, score_error *error)
{
	decision d = {.cutoff = cutoff, .out = out};
	if (n_trees)
		*n_trees = 0;
	score_status status = open_call(&d.call, model, input, options, "score_decide", error);
	if (status != SCORE_OK)
		return status;
	if (model->f->contract.n_outputs != 1)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_decide: the model has %u outputs, expected 1",
			model->f->contract.n_outputs);
	if (d.call.options.tree_begin || d.call.options.tree_end != model->f->n_trees || cutoff != cutoff)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_decide: it takes all trees, and a cut-off that is a number");
	status = check_room(&d.call, 1, 1, out, out_len, error);
	d.bounds = engine_bounds(model->e);
	const engine_stages stages = {ENGINE_BOUND_TREES, decide_rows, &d};
	if (status == SCORE_OK)
		status = run(&d.call, &stages, error);
	if (n_trees)
		*n_trees = d.n_trees;
	return status;
}
