/* The engine's front: compile once, then choose a regime for each call. */
#include "parts.h"

/* Rows from which on the batch regime is faster for oblivious trees that need no planes: 1,000 trees of depth 6, a call of 9 to 32 rows
 * takes 7.1 us, and one of up to 8 rows 5.3, if most trees have numbers for answers. 8 rows of the row regime take 5.5 us, 10 rows 7.0 and
 * 11 rows 8.5, if the trees are full; five others through heaps take 7.1 us, and a call of up to 8 rows 4.7 to 6.4 us. */
#define BATCH_INSTEAD_OF_ROW_LEVELS 11u
#define BATCH_OF_LEVELS_ROWS 5u
/* The same for trees that are planes without operations, as oblivious ones are, beside the walk of eight rows: 59 us against 5 us a row. */
#define BATCH_OF_PREDICATES_ROWS 12u

const kernels *engine_kernels(score_isa isa)
{
	switch (isa) {
	case SCORE_ISA_PORTABLE:
		return &engine_kernels_portable;
#if HAVE_X86
	case SCORE_ISA_SSE42:
		return &engine_kernels_sse42;
	case SCORE_ISA_AVX2:
		return &engine_kernels_avx2;
	case SCORE_ISA_AVX512:
		return &engine_kernels_avx512;
#endif
#if HAVE_NEON
	case SCORE_ISA_NEON:
		return &engine_kernels_neon;
#endif
	default:
		return NULL;
	}
}

bool engine_is_small(const engine *e)
{
	return e->small;
}

score_isa engine_isa(const engine *e)
{
	return e->k->isa;
}

score_regime engine_batch_regime(const engine *e)
{
	return e->batch.usable ? SCORE_REGIME_BATCH : engine_row_regime(e);
}

score_regime engine_row_regime(const engine *e)
{
	if (e->f->kind == SCORE_KIND_LINEAR)
		return SCORE_REGIME_LINEAR;
	return e->rows.shape != ROW_NONE ? SCORE_REGIME_ROW : SCORE_REGIME_WALK;
}

uint32_t engine_code_bytes(const engine *e)
{
	return e->code_bytes;
}

size_t engine_scratch_bytes(const engine *e)
{
	if (e->f->kind == SCORE_KIND_LINEAR)
		return 0;
	return e->batch.usable ? engine_batch_scratch(e) : engine_walk_scratch(e);
}

size_t engine_output_width(const engine *e, score_output output, uint32_t n_trees)
{
	if (output == SCORE_OUTPUT_LEAF)
		return n_trees;
	return output == SCORE_OUTPUT_MARGIN ? e->f->contract.n_outputs : e->f->n_predictions;
}

const char *engine_batch_cannot(const engine *e, const engine_call *call)
{
	if (e->small)
		return "the model was opened with SCORE_OPEN_SMALL";
	if (!e->batch.usable)
		return "a tree has more than 256 leaves, or the model too many outputs or cuts";
	if (call->output == SCORE_OUTPUT_LEAF)
		return "leaf numbers come from the regimes of few rows";
	return call->scratch_bytes < engine_batch_scratch(e) ? "the scratch is smaller than score_scratch_bytes()" : NULL;
}

static const char *walk_cannot(const engine *e, const engine_call *call)
{
	uint32_t n_outputs = e->f->contract.n_outputs;
	if (!engine_walk_fits(e, call))
		return "one row's codes do not fit the stack, and there is no scratch for them";
	if (engine_lacks_room(e, call) && n_outputs > OUTPUTS_ON_STACK)
		return "the model has too many outputs for sums on the stack";
	return NULL;
}

const char *engine_cannot_serve(const engine *e, const engine_call *call)
{
	bool is_linear = e->f->kind == SCORE_KIND_LINEAR;
	if (is_linear != (call->regime == SCORE_REGIME_LINEAR))
		return is_linear ? "the model is linear" : "the model has trees";
	switch (call->regime) {
	case SCORE_REGIME_LINEAR:
		return NULL;
	case SCORE_REGIME_BATCH:
		return engine_batch_cannot(e, call);
	case SCORE_REGIME_WALK:
		return walk_cannot(e, call);
	case SCORE_REGIME_ROW:
		return engine_rows_cannot(e, call);
	default:
		return "there is no such regime";
	}
}

/* From how many rows on the batch regime is faster than the walk. Where eight rows can walk at a time, a row costs half as much,
 * and where there are narrow blocks, they cost less, too. */
static uint32_t batch_instead_of_walk_rows(const engine *e)
{
	if (!e->walk.eight || e->k->narrow)
		return engine_batch_instead_of_rows(e);
	return e->batch.operations == 0 ? BATCH_OF_PREDICATES_ROWS : e->k->eight_rows + e->batch.operations / e->k->eight_operations;
}

/* What the sum over a tree's table of doubles costs 64 rows on a Zen 4, in tenths of a nanosecond. */
static uint64_t sum_cost(const engine *e)
{
	const tree_program *t = e->batch.trees;
	if (e->f->contract.sum != SCORE_F64)
		return 0;
	return (t->leaf_planes ? t->leaf_planes : t->n_planes) > NUMBERED_PLANES ? 290 : 130;
}

/* What a narrow block of up to 64 rows costs, in the same: predicates, and per tree the operations or, where it follows cursors, two
 * steps each, and a sum. Within a quarter of what bench/regimes.c measures. */
static uint64_t block_cost(const engine *e)
{
	const uint64_t operation = e->batch.trees[0].n_steps ? 16 : 11, sum = sum_cost(e);
	return 19 * (uint64_t)e->f->n_tests + e->f->n_trees * (operation * e->batch.operations + sum);
}

/* What the second word of 64 rows adds to that: sums of doubles, and what operations cost more than steps of cursors. */
static uint64_t word_cost(const engine *e)
{
	const uint64_t operation = e->batch.trees[0].n_steps ? 7 : 0;
	return e->f->n_trees * (operation * e->batch.operations + sum_cost(e));
}

/* Rows from which on the batch regime is faster than the other that can serve; docs/engine.md has this as a table. */
static uint32_t batch_rows(const engine *e)
{
	if (!e->batch.usable)
		return UINT32_MAX;
	if (e->levels)
		return e->rows.shape == ROW_LEVELS ? BATCH_INSTEAD_OF_ROW_LEVELS : BATCH_OF_LEVELS_ROWS;
	if (e->rows.shape == ROW_NONE)
		return batch_instead_of_walk_rows(e);
	uint64_t rows = block_cost(e) / e->rows.row_cost; /* thousands, at most: a tree has so many operations */
	return rows < 2 ? 2 : (uint32_t)rows;
}

/* What is left of a call behind whole blocks, if another regime is faster for so few rows, or 0. */
static size_t rows_behind_blocks(const engine *e, const engine_call *call, size_t n_rows)
{
	const kernels *narrow = e->k->narrow;
	if (call->regime != SCORE_REGIME_AUTO || e->levels || !narrow || engine_rows_cannot(e, call))
		return 0;
	size_t left = n_rows % ((size_t)64 * e->k->plane_words);
	if (left <= e->batch.narrow_rows)
		left %= (size_t)64 * narrow->plane_words;
	if (left < e->batch_rows)
		return left;
	return left <= e->batch.narrow_rows && left % 64 * e->rows.row_cost < word_cost(e) ? left % 64 : 0;
}

static score_regime choose(const engine *e, const engine_call *call, size_t n_rows)
{
	if (call->regime != SCORE_REGIME_AUTO)
		return call->regime;
	if (e->f->kind == SCORE_KIND_LINEAR)
		return SCORE_REGIME_LINEAR;
	bool row = !engine_rows_cannot(e, call);
	uint32_t least = row || e->levels ? e->batch_rows : batch_instead_of_walk_rows(e);
	if (n_rows >= least && !engine_batch_cannot(e, call))
		return SCORE_REGIME_BATCH;
	return row ? SCORE_REGIME_ROW : SCORE_REGIME_WALK;
}

static score_status compile(const forest *f, score_isa isa, bool small, sl_arena *arena, engine **out, score_error *error)
{
	*out = NULL;
	engine *e = sl_arena_alloc(arena, 1, sizeof *e);
	if (!e)
		return sl_fail_memory(error, sizeof *e);
	e->f = f;
	e->k = engine_kernels(isa == SCORE_ISA_AUTO ? engine_best_isa() : isa);
	e->code_bytes = 1;
	e->small = small;
	score_status status = SCORE_OK;
	if (f->kind == SCORE_KIND_TREES) {
		status = engine_make_columns(e, arena, error);
		if (status == SCORE_OK)
			status = engine_hash_bins(e, &arena->allocator, error);
		if (status == SCORE_OK && !small) /* it needs most working memory: while there is least beside it */
			status = engine_make_batch(e, arena, error);
		if (status == SCORE_OK)
			status = engine_make_pages(e, arena, error);
		if (status == SCORE_OK)
			status = engine_make_levels(e, arena, error);
		if (status == SCORE_OK)
			status = engine_make_rows(e, arena, error);
		e->batch_rows = batch_rows(e);
		if (status == SCORE_OK)
			status = engine_make_walk(e, arena, error);
		if (status == SCORE_OK)
			status = engine_make_terms(e, arena, error);
		if (status == SCORE_OK)
			status = engine_make_bounds(e, arena, error);
		if (status == SCORE_OK)
			status = engine_make_contribution(e, arena, error);
	} else {
		status = engine_make_linear(e, arena, error);
	}
	if (status == SCORE_OK)
		*out = e;
	return status;
}

/* Cuts can be denormal: tables are made under the control word that scores run under. */
score_status engine_compile(const forest *f, score_isa isa, bool small, sl_arena *arena, engine **out, score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = compile(f, isa, small, arena, out, error);
	sl_leave_default_float(host);
	return status;
}

void engine_serve(const engine *e, const engine_call *call, row_range rows)
{
	size_t left;
	switch (choose(e, call, rows.n)) {
	case SCORE_REGIME_LINEAR:
		engine_linear(e, call, rows);
		break;
	case SCORE_REGIME_BATCH:
		left = rows_behind_blocks(e, call, rows.n);
		engine_batch(e, call, (row_range){rows.first, rows.n - left});
		if (left)
			engine_rows(e, call, (row_range){rows.first + (int64_t)(rows.n - left), left});
		break;
	case SCORE_REGIME_ROW:
		engine_rows(e, call, rows);
		break;
	default:
		if (walk_cannot(e, call))
			engine_direct(e, call, rows);
		else
			engine_walk(e, call, rows);
		break;
	}
}

void engine_bin(const engine *e, const input_view *view, void *codes, size_t stride)
{
	unsigned host = sl_enter_default_float();
	engine_bin_table(e, view, codes, stride);
	sl_leave_default_float(host);
}

void engine_score(const engine *e, const engine_call *call)
{
	unsigned host = sl_enter_default_float();
	engine_serve(e, call, (row_range){0, (size_t)call->view->n_rows});
	sl_leave_default_float(host);
}

bool engine_score_classes(const engine *e, const engine_call *call, const engine_class_rule *rule)
{
	unsigned host = sl_enter_default_float();
	bool done = engine_classes(e, call, rule);
	sl_leave_default_float(host);
	return done;
}

bool engine_score_stages(const engine *e, const engine_call *call, const engine_stages *stages)
{
	unsigned host = sl_enter_default_float();
	bool done = engine_serve_stages(e, call, stages);
	sl_leave_default_float(host);
	return done;
}

void engine_contribute(const engine *e, const engine_call *call, const engine_background *background)
{
	unsigned host = sl_enter_default_float();
	engine_contribute_rows(e, call, background);
	sl_leave_default_float(host);
}

score_status engine_make_background(const engine *e, const input_view *view, sl_arena *arena,
	const engine_background **out, score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = engine_compile_background(e, view, arena, out, error);
	sl_leave_default_float(host);
	return status;
}
