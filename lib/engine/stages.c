/*
 * Sums between trees, and what the trees behind them can still add.
 *
 * Comes in: a call and somebody who looks at the sums. Goes out: his answers decide when rows are done. Blocks of rows go
 * through the batch regime, few rows through the row regime or the walk; all keep the order of the additions.
 */
#include "parts.h"

#define BATCH_OUTPUTS 16u /* more make the room for sums too large */

static bool may_batch(const engine *e)
{
	return e->batch.usable && e->f->contract.n_outputs <= BATCH_OUTPUTS;
}

size_t engine_stages_scratch(const engine *e)
{
	size_t sums = e->f->contract.n_outputs * sizeof(double);
	if (e->f->kind == SCORE_KIND_LINEAR)
		return 0;
	if (may_batch(e))
		return 2 * ENGINE_STAGE_ROWS * sums + SL_CACHE_LINE;
	return e->f->contract.n_outputs > OUTPUTS_ON_STACK ? sl_round_up(sums, SL_CACHE_LINE) + SL_CACHE_LINE : 0;
}

/* `room` is for the sums of a row. */
static void serve_rows(const engine *e, const engine_call *call, const engine_stages *stages, double *room)
{
	if (call->regime != SCORE_REGIME_WALK && engine_rows_serve_all(e))
		engine_rows_stages(e, call, stages, room);
	else
		engine_walk_stages(e, call, stages, room);
}

static NEVER_INLINE void serve_with_sums_on_stack(const engine *e, const engine_call *call, const engine_stages *stages)
{
	double sums[OUTPUTS_ON_STACK];
	serve_rows(e, call, stages, sums);
}

bool engine_serve_stages(const engine *e, const engine_call *call, const engine_stages *stages)
{
	double single, *room = &single;
	size_t kept = engine_stages_scratch(e), n_outputs = e->f->contract.n_outputs;
	engine_call rest = *call;
	bool fits = kept && call->scratch_bytes >= kept;
	if (fits) {
		room = (double *)(void *)sl_round_up((uintptr_t)call->scratch, SL_CACHE_LINE);
		rest.scratch = (char *)call->scratch + kept;
		rest.scratch_bytes -= kept;
	}
	bool batch = fits && may_batch(e) && !engine_batch_cannot(e, &rest) && call->regime != SCORE_REGIME_WALK;
	if (call->regime == SCORE_REGIME_BATCH || (batch && call->view->n_rows >= engine_batch_instead_of_rows(e))) {
		if (batch)
			engine_batch_stages(e, &rest, stages, room);
		return batch;
	}
	if ((n_outputs > OUTPUTS_ON_STACK && !fits) || !engine_walk_fits(e, &rest))
		return false;
	if (fits || n_outputs == 1)
		serve_rows(e, &rest, stages, room);
	else
		serve_with_sums_on_stack(e, &rest, stages);
	return true;
}

/* ---- what is still to come ------------------------------------------------------------------------------------ */

static void add_tree(const forest *f, const forest_tree *t, engine_bound *b)
{
	double first = forest_real(&f->leaves, t->first_leaf), low = first, high = first;
	bool ordered = first == first;
	for (uint32_t i = 1; i <= t->n_splits; i++) {
		double x = forest_real(&f->leaves, (size_t)t->first_leaf + i);
		low = x < low ? x : low;
		high = x > high ? x : high;
		ordered = ordered && x == x;
	}
	b->low += low;
	b->high += high;
	/* A NaN leaf: nothing is known. */
	b->magnitude += ordered ? fmax(fabs(low), fabs(high)) : (double)INFINITY;
}

score_status engine_make_bounds(engine *e, sl_arena *arena, score_error *error)
{
	const forest *f = e->f;
	if (f->contract.n_outputs != 1 || engine_has_linear_leaves(e))
		return SCORE_OK;
	size_t n = f->n_trees / ENGINE_BOUND_TREES + 1;
	engine_bound *bounds = sl_arena_alloc(arena, n, sizeof *bounds);
	if (!bounds)
		return sl_fail_memory(error, n * sizeof *bounds);
	engine_bound sum = {0.0, 0.0, 0.0};
	for (uint32_t t = f->n_trees; t-- > 0;) {
		add_tree(f, f->trees + t, &sum);
		if (t % ENGINE_BOUND_TREES == 0)
			bounds[t / ENGINE_BOUND_TREES] = sum;
	}
	e->bounds = bounds;
	return SCORE_OK;
}

void engine_link_margins(const forest *f, uint32_t iterations, const double *margins, double *out)
{
	engine_link_row(f, iterations, margins, out);
}

const engine_bound *engine_bounds(const engine *e)
{
	return e->bounds;
}
