/*
 * The row regime: one row at a time, with the splits of many trees in the lanes of a vector.
 *
 * Comes in: trees of up to 64 leaves over at most 128 numeric columns of byte codes. At load time their splits are laid out
 * for the kernels' row_leaves(), which answers 64 of them at once; a call bins a few rows, asks for the leaves of a few trees,
 * and adds them in the source's order. Needs no scratch. rows_template.h explains the layouts.
 */
#include "parts.h"

#define HEAP_LEAVES ((uint32_t)1 << ROW_HEAP_DEPTH)

/* ---- the plan ---------------------------------------------------------------------------------------------------- */

static row_shape shape_of(const engine *e)
{
	const forest *f = e->f;
	uint32_t depth = 0, splits = 0;
	for (uint32_t t = 0; t < f->n_trees; t++) {
		depth = f->trees[t].depth > depth ? f->trees[t].depth : depth;
		splits = f->trees[t].n_splits > splits ? f->trees[t].n_splits : splits;
	}
	/* Masks of up to 16 splits are shorter than the 63 nodes of a heap. */
	if (depth <= ROW_HEAP_DEPTH && splits > 16)
		return ROW_HEAP;
	return splits < 32 ? ROW_MASKS32 : splits < 64 ? ROW_MASKS64 : ROW_NONE;
}

static bool is_usable(const engine *e)
{
	const forest *f = e->f;
	if (!e->k->row_leaves || f->leaf_width != 1 || engine_has_linear_leaves(e) || e->code_bytes != 1 || e->n_columns > ROW_COLUMNS)
		return false;
	for (uint32_t c = 0; c < e->n_columns; c++) {
		if (e->columns[c].is_category)
			return false;
	}
	return shape_of(e) != ROW_NONE;
}

static void put_value(const engine *e, void *values, size_t at, double value)
{
	if (e->f->contract.sum == SCORE_F32)
		((float *)values)[at] = (float)value;
	else
		((double *)values)[at] = value;
}

static question question_of(const engine *e, uint32_t split)
{
	return question_at(&e->questions, forest_number(&e->f->split_test, split));
}

/* A side of a split and where it stands. */
typedef struct heap_place {
	forest_side side;
	uint32_t at;
} heap_place;

/* Where each split of a tree stands in a heap; a leaf above the bottom is reached by answering left below it. No `values`: the
 * forest's own serve. */
static void lay_heap(const engine *e, const forest_tree *t, uint8_t *nodes, void *values, size_t first_value)
{
	const forest *f = e->f;
	heap_place open[ROW_HEAP_DEPTH + 1];
	uint32_t n = 0;
	open[n++] = (heap_place){forest_whole(t), 1};
	while (n) {
		heap_place place = open[--n];
		if (!forest_is_leaf(&place.side)) {
			const question q = question_of(e, place.side.split);
			nodes[place.at] = (uint8_t)q.column;
			nodes[64 + place.at] = (uint8_t)q.cut;
			open[n++] = (heap_place){forest_right(f, &place.side), 2 * place.at + 1};
			open[n++] = (heap_place){forest_left(f, &place.side), 2 * place.at};
			continue;
		}
		while (place.at < 64)
			place.at *= 2;
		if (values)
			put_value(e, values, first_value + place.at - 64, forest_real(&f->leaves, place.side.leaf));
	}
}

/* Leaves that a tree keeps when a split answers right: all but those on its left side. */
static void list_masks(const forest *f, const forest_tree *t, uint64_t *masks)
{
	forest_side open[64];
	uint32_t n = 0;
	if (t->n_splits)
		open[n++] = forest_whole(t);
	while (n) {
		const forest_side at = open[--n], left = forest_left(f, &at), right = forest_right(f, &at);
		masks[at.split - t->first_split] = ~((((uint64_t)1 << left.n_leaves) - 1) << (at.leaf - t->first_leaf));
		if (!forest_is_leaf(&left))
			open[n++] = left;
		if (!forest_is_leaf(&right))
			open[n++] = right;
	}
}

static void lay_masks(const engine *e, const forest_tree *t, uint32_t lane, uint32_t lanes, uint8_t *nodes)
{
	uint32_t slots = 64 / lanes;
	uint64_t masks[64];
	list_masks(e->f, t, masks);
	for (uint32_t s = 0; s < t->n_splits; s++) {
		const question q = question_of(e, t->first_split + s);
		uint8_t *step = nodes + (size_t)(s / slots) * ROW_STEP_BYTES(slots);
		uint32_t slot = s % slots, at = slot * lanes + lane;
		/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): list_masks() comes by every split */
		uint32_t narrow = (uint32_t)masks[s];
		step[at] = (uint8_t)q.column;
		step[64 + at] = (uint8_t)q.cut;
		if (lanes == 16)
			memcpy(step + 128 + 4 * (size_t)at, &narrow, sizeof narrow);
		else
			memcpy(step + 128 + 8 * (size_t)at, masks + s, sizeof masks[s]);
	}
}

static uint32_t steps_of_group(const forest *f, const row_plan *plan, uint32_t group)
{
	uint32_t most = 0, slots = 64 / plan->lanes;
	for (uint32_t t = group * plan->lanes; t < (group + 1) * plan->lanes && t < f->n_trees; t++)
		most = f->trees[t].n_splits > most ? f->trees[t].n_splits : most;
	return (most + slots - 1) / slots;
}

static size_t group_bytes(const forest *f, const row_plan *plan, uint32_t group)
{
	if (plan->shape == ROW_HEAP)
		return (size_t)128 * plan->lanes;
	return steps_of_group(f, plan, group) * ROW_STEP_BYTES(64 / plan->lanes);
}

/* Splits that are not there: a comparison with the highest code, which no code is above, so that no mask is applied. */
static void lay_nothing(uint8_t *nodes, size_t bytes, size_t step)
{
	for (size_t at = 0; at < bytes; at += step)
		memset(nodes + at + 64, UINT8_MAX, 64);
}

static void lay_groups(const engine *e, const row_plan *plan, const row_group *groups, uint8_t *nodes, void *values)
{
	const forest *f = e->f;
	size_t step = plan->shape == ROW_HEAP ? 128 : ROW_STEP_BYTES(64 / plan->lanes);
	for (uint32_t g = 0; g < plan->n_groups; g++)
		lay_nothing(nodes + groups[g].first, group_bytes(f, plan, g), step);
	for (uint32_t t = 0; t < f->n_trees; t++) {
		uint32_t lane = t % plan->lanes;
		uint8_t *group = nodes + groups[t / plan->lanes].first;
		if (plan->shape == ROW_HEAP)
			lay_heap(e, f->trees + t, group + (size_t)128 * lane, values, (size_t)t * plan->leaf_stride);
		else
			lay_masks(e, f->trees + t, lane, plan->lanes, group);
		for (uint32_t i = 0; plan->shape != ROW_HEAP && values && i <= f->trees[t].n_splits; i++)
			put_value(e, values, (size_t)t * plan->leaf_stride + i, forest_real(&f->leaves, (size_t)f->trees[t].first_leaf + i));
	}
}

/* Values in the order of the leaves that row_leaves() gives: masks number them as the forest does, and so does a full heap. Where
 * trees have equally many, the forest's own serve. Returns what is to be filled, or NULL. */
static void *take_values(const engine *e, sl_arena *arena, row_plan *plan)
{
	const forest *f = e->f;
	uint32_t bytes = f->contract.sum == SCORE_F32 ? sizeof(float) : sizeof(double), n_leaves = f->trees[0].n_splits + 1;
	bool shared = f->leaves.bytes == bytes && (plan->shape != ROW_HEAP || n_leaves == HEAP_LEAVES);
	for (uint32_t t = 1; t < f->n_trees && shared; t++)
		shared = f->trees[t].n_splits + 1 == n_leaves;
	plan->leaf_stride = shared ? n_leaves : plan->shape == ROW_MASKS32 ? 32 : 64;
	void *own = shared ? NULL : sl_arena_alloc(arena, (size_t)f->n_trees * plan->leaf_stride, bytes);
	const void *values = shared ? f->leaves.values : own;
	plan->values_f32 = bytes == sizeof(float) ? values : NULL;
	plan->values_f64 = bytes == sizeof(float) ? NULL : values;
	return own;
}

score_status engine_make_rows(engine *e, sl_arena *arena, score_error *error)
{
	const forest *f = e->f;
	if (!is_usable(e))
		return SCORE_OK;
	row_plan plan = {.shape = shape_of(e), .wide_codes = e->n_columns > 64};
	plan.lanes = plan.shape == ROW_MASKS32 ? 16 : 8;
	/* Whole portions of ROW_TREES trees; the last trees may be none. */
	plan.n_groups = (f->n_trees + ROW_TREES - 1) / ROW_TREES * (ROW_TREES / plan.lanes);
	size_t bytes = 0;
	row_group *groups = sl_arena_alloc(arena, plan.n_groups, sizeof *groups);
	for (uint32_t g = 0; groups && g < plan.n_groups; g++) {
		groups[g] = (row_group){bytes, steps_of_group(f, &plan, g)};
		bytes += group_bytes(f, &plan, g);
	}
	uint8_t *nodes = sl_arena_alloc(arena, bytes + SL_CACHE_LINE, 1);
	void *values = take_values(e, arena, &plan);
	if (!groups || !nodes || (!plan.values_f32 && !plan.values_f64))
		return sl_fail_memory(error, bytes);
	nodes = (uint8_t *)sl_round_up((uintptr_t)nodes, SL_CACHE_LINE);
	lay_groups(e, &plan, groups, nodes, values);
	plan.groups = groups;
	plan.nodes = nodes;
	e->rows = plan;
	return SCORE_OK;
}

/* Codes are aligned by hand: what stands in a table look-up's registers. Columns that are not there are never asked for. */
#define ROW_CODES (ROWS_TOGETHER * ROW_COLUMNS + SL_CACHE_LINE)
#define ROWS_TOGETHER 4 /* their additions do not wait for each other, and they share what a portion loads */

/* ---- a row --------------------------------------------------------------------------------------------------------- */

/* Add trees [first, end) of one portion; `at` has the portion's leaves. */
static void add_portion(const engine *e, const uint32_t *at, uint32_t first, uint32_t end, double *sums)
{
	const row_plan *p = &e->rows;
	const forest_tree *trees = e->f->trees;
	for (uint32_t t = first; t < end; t++) {
		size_t value = (size_t)t * p->leaf_stride + at[t % ROW_TREES];
		double *to = sums + trees[t].output;
		*to = p->values_f32 ? (double)((float)*to + p->values_f32[value]) : *to + p->values_f64[value];
	}
}

/* One output, a whole portion, `n` rows: sums stay in registers. */
static inline void add_whole(const row_plan *p, uint32_t (*at)[ROW_TREES], size_t n, uint32_t first, double *const *sums)
{
	size_t stride = p->leaf_stride;
	if (p->values_f32) {
		const float *values = p->values_f32 + first * stride;
		float narrow[ROWS_TOGETHER];
		for (size_t r = 0; r < n; r++)
			narrow[r] = (float)*sums[r];
		for (uint32_t i = 0; i < ROW_TREES; i++)
			for (size_t r = 0; r < n; r++)
				narrow[r] += values[i * stride + at[r][i]];
		for (size_t r = 0; r < n; r++)
			*sums[r] = (double)narrow[r];
		return;
	}
	const double *values = p->values_f64 + first * stride;
	double wide[ROWS_TOGETHER];
	for (size_t r = 0; r < n; r++)
		wide[r] = *sums[r];
	for (uint32_t i = 0; i < ROW_TREES; i++)
		for (size_t r = 0; r < n; r++)
			wide[r] += values[i * stride + at[r][i]];
	for (size_t r = 0; r < n; r++)
		*sums[r] = wide[r];
}

/* A build per number of rows. */
static void add_whole_rows(const row_plan *p, uint32_t (*at)[ROW_TREES], size_t n, uint32_t first, double *const *sums)
{
	if (n == 1)
		add_whole(p, at, 1, first, sums);
	else if (n == 2)
		add_whole(p, at, 2, first, sums);
	else if (n == 3)
		add_whole(p, at, 3, first, sums);
	else
		add_whole(p, at, ROWS_TOGETHER, first, sums);
}

/* n up to ROWS_TOGETHER rows. */
static void sum_rows(const engine *e, const engine_call *call, const uint8_t *codes, size_t n, double *const *sums)
{
	bool single = e->f->contract.n_outputs == 1;
	for (uint32_t t = call->tree_begin, next; t < call->tree_end; t = next) {
		uint32_t at[ROWS_TOGETHER][ROW_TREES], portion = t / ROW_TREES;
		next = (portion + 1) * ROW_TREES;
		next = next < call->tree_end ? next : call->tree_end;
		for (size_t r = 0; r < n; r++)
			e->k->row_leaves(&e->rows, codes + r * ROW_COLUMNS, portion, at[r]);
		if (single && next - t == ROW_TREES) {
			add_whole_rows(&e->rows, at, n, t, sums);
			continue;
		}
		for (size_t r = 0; r < n; r++)
			add_portion(e, at[r], t, next, sums[r]);
	}
}

/* A leaf that row_leaves() gave, counted in the model. */
static uint32_t leaf_at(const engine *e, uint32_t tree, uint32_t at)
{
	const forest *f = e->f;
	forest_side side = forest_whole(f->trees + tree);
	if (e->rows.shape != ROW_HEAP || side.n_leaves == HEAP_LEAVES)
		return side.leaf + at;
	for (uint32_t bit = ROW_HEAP_DEPTH; !forest_is_leaf(&side);)
		side = forest_go(f, &side, at >> --bit & 1);
	return side.leaf;
}

static void list_leaves(const engine *e, const engine_call *call, const uint8_t *codes, double *out)
{
	for (uint32_t t = call->tree_begin, next; t < call->tree_end; t = next) {
		uint32_t at[ROW_TREES], portion = t / ROW_TREES;
		next = (portion + 1) * ROW_TREES;
		next = next < call->tree_end ? next : call->tree_end;
		e->k->row_leaves(&e->rows, codes, portion, at);
		for (uint32_t i = t; i < next; i++)
			*out++ = (double)forest_number(&e->f->leaf_ids, leaf_at(e, i, at[i % ROW_TREES]));
	}
}

static bool has_room_for_sums(const engine *e)
{
	return e->f->n_predictions >= e->f->contract.n_outputs || e->f->contract.n_outputs <= OUTPUTS_ON_STACK;
}

bool engine_rows_serve_all(const engine *e)
{
	return e->rows.shape != ROW_NONE && has_room_for_sums(e);
}

const char *engine_rows_cannot(const engine *e, const engine_call *call)
{
	if (e->rows.shape == ROW_NONE)
		return "it needs AVX-512, trees of up to 64 leaves, up to 128 columns of up to 255 cuts, and no categories";
	if (call->output == SCORE_OUTPUT_PREDICTION && !has_room_for_sums(e))
		return "the model has too many outputs for sums on the stack";
	return NULL;
}

static uint8_t *align_codes(uint8_t *room)
{
	uint8_t *codes = (uint8_t *)sl_round_up((uintptr_t)room, SL_CACHE_LINE);
	memset(codes, 0, (size_t)ROWS_TOGETHER * ROW_COLUMNS);
	return codes;
}

static void leaves_of_rows(const engine *e, const engine_call *call, row_range rows, uint8_t *codes)
{
	size_t width = engine_output_width(e, call->output, call->tree_end - call->tree_begin);
	for (size_t r = 0; r < rows.n; r++) {
		int64_t row = rows.first + (int64_t)r;
		engine_bin_row8(e, call->view, row, codes);
		list_leaves(e, call, codes, engine_row_out(call, row, width));
	}
}

/* One row after the other. The leaves of a portion of trees are found once, whatever its number of stages. */
void engine_rows_stages(const engine *e, const engine_call *call, const engine_stages *stages, double *room)
{
	uint8_t unaligned[ROW_CODES];
	uint8_t *codes = align_codes(unaligned);
	for (int64_t row = 0; row < call->view->n_rows; row++) {
		uint32_t at[ROW_TREES], portion = UINT32_MAX;
		bool wanted = true;
		engine_bin_row8(e, call->view, row, codes);
		engine_start_sums(e->f, room);
		for (uint32_t t = call->tree_begin, end; t < call->tree_end && wanted; t = end) {
			uint32_t into = (t - call->tree_begin) % stages->step, stop = (t / ROW_TREES + 1) * ROW_TREES;
			end = call->tree_end - t < stages->step - into ? call->tree_end : t + (stages->step - into);
			bool due = end <= stop;
			end = due ? end : stop;
			if (t / ROW_TREES != portion)
				e->k->row_leaves(&e->rows, codes, portion = t / ROW_TREES, at);
			add_portion(e, at, t, end, room);
			wanted = !due || stages->visit(stages->context, row, 1, room, end);
		}
	}
}

void engine_rows(const engine *e, const engine_call *call, row_range rows)
{
	uint8_t unaligned[ROW_CODES];
	uint8_t *codes = align_codes(unaligned);
	size_t width = engine_output_width(e, call->output, 0);
	if (call->output == SCORE_OUTPUT_LEAF) {
		leaves_of_rows(e, call, rows, codes);
		return;
	}
	for (size_t done = 0, n; done < rows.n; done += n) {
		double few[ROWS_TOGETHER][OUTPUTS_ON_STACK], *sums[ROWS_TOGETHER];
		n = rows.n - done < ROWS_TOGETHER ? rows.n - done : ROWS_TOGETHER;
		for (size_t r = 0; r < n; r++) {
			int64_t row = rows.first + (int64_t)(done + r);
			sums[r] = width >= e->f->contract.n_outputs ? engine_row_out(call, row, width) : few[r];
			engine_bin_row8(e, call->view, row, codes + r * ROW_COLUMNS);
			engine_start_sums(e->f, sums[r]);
		}
		sum_rows(e, call, codes, n, sums);
		for (size_t r = 0; r < n; r++)
			engine_finish_row(e, call, sums[r], engine_row_out(call, rows.first + (int64_t)(done + r), width));
	}
}
