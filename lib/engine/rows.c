/*
 * The row regime: a few rows at a time, with the splits of many trees in the lanes of a vector.
 *
 * Comes in: trees of up to 256 leaves over at most 128 numeric columns of byte codes, laid out by row_plan.c. A call bins some rows, asks
 * for the leaves of up to 64 trees for eight rows at a time, and adds them in the source's order. Needs no scratch.
 * rows_template.h explains the layouts.
 */
#include "parts.h"

#define SCRATCH_ROWS 32u /* with scratch: tables of some trees serve so many rows before those of the next */
#define STACK_SUMS 96u   /* of rows whose outputs are fewer than their sums */

/* Add trees [first, end), whose leaves `at` lists. */
static void add_some(const engine *e, const uint32_t *at, uint32_t first, uint32_t end, double *sums)
{
	const row_plan *p = &e->rows;
	for (uint32_t t = first; t < end; t++, at++) {
		double *to = sums + e->f->trees[t].output;
		*to = p->values_f32 ? (double)((float)*to + p->values_f32[*at]) : *to + p->values_f64[*at];
	}
}

/* One output, `n` rows: sums stay in registers. `at` has the leaves of n_trees trees from `skip` on. */
static ALWAYS_INLINE void add_single(const row_plan *p, uint32_t (*at)[ROW_MOST], uint32_t skip, size_t n,
	uint32_t n_trees, double *const *sums)
{
	float narrow[ROW_ROWS];
	double wide[ROW_ROWS];
	if (p->values_f32) {
		for (size_t r = 0; r < n; r++)
			narrow[r] = (float)*sums[r];
		for (uint32_t i = skip; i < skip + n_trees; i++)
			for (size_t r = 0; r < n; r++)
				narrow[r] += p->values_f32[at[r][i]];
		for (size_t r = 0; r < n; r++)
			*sums[r] = (double)narrow[r];
		return;
	}
	for (size_t r = 0; r < n; r++)
		wide[r] = *sums[r];
	for (uint32_t i = skip; i < skip + n_trees; i++)
		for (size_t r = 0; r < n; r++)
			wide[r] += p->values_f64[at[r][i]];
	for (size_t r = 0; r < n; r++)
		*sums[r] = wide[r];
}

/* A build per number of rows. */
static void add_rows(const row_plan *p, uint32_t (*at)[ROW_MOST], uint32_t skip, size_t n, uint32_t n_trees,
	double *const *sums)
{
	if (n == 1)
		add_single(p, at, skip, 1, n_trees, sums);
	else if (n == 2)
		add_single(p, at, skip, 2, n_trees, sums);
	else if (n == 4)
		add_single(p, at, skip, 4, n_trees, sums);
	else if (n == ROW_ROWS)
		add_single(p, at, skip, ROW_ROWS, n_trees, sums);
	else
		add_single(p, at, skip, n, n_trees, sums);
}

/* Trees [first, end), at most ROW_MOST from a portion's first on, for up to ROW_ROWS rows: their additions do not wait
 * for each other, and they share what a tree loads. `at` is room for the rows' leaves. */
static void sum_some(const engine *e, const uint8_t *codes, size_t n, uint32_t first, uint32_t end, uint32_t (*at)[ROW_MOST],
	double *const *sums)
{
	uint32_t portion = first / ROW_TREES, skip = first % ROW_TREES;
	e->k->row_leaves(&e->rows, codes, n, portion, (end + ROW_TREES - 1) / ROW_TREES, at);
	if (e->f->contract.n_outputs == 1) {
		add_rows(&e->rows, at, skip, n, end - first, sums);
		return;
	}
	for (size_t r = 0; r < n; r++)
		add_some(e, at[r] + skip, first, end, sums[r]);
}

static uint32_t next_trees(const engine_call *call, uint32_t tree)
{
	uint32_t next = tree / ROW_TREES * ROW_TREES + ROW_MOST;
	return next < call->tree_end ? next : call->tree_end;
}

static NEVER_INLINE void sum_row(const engine *e, const engine_call *call, const uint8_t *codes, double **sums)
{
	uint32_t at[1][ROW_MOST];
	for (uint32_t t = call->tree_begin, next; t < call->tree_end; t = next) {
		next = next_trees(call, t);
		sum_some(e, codes, 1, t, next, at, sums);
	}
}

/* The tables of some trees serve all rows before those of the next. */
static NEVER_INLINE void sum_rows(const engine *e, const engine_call *call, const uint8_t *codes, size_t n, double **sums)
{
	uint32_t at[ROW_ROWS][ROW_MOST];
	for (uint32_t t = call->tree_begin, next; t < call->tree_end; t = next) {
		next = next_trees(call, t);
		for (size_t r = 0; r < n; r += ROW_ROWS)
			sum_some(e, codes + r * ROW_COLUMNS, n - r < ROW_ROWS ? n - r : ROW_ROWS, t, next, at, sums + r);
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
		return "it needs AVX-512, trees of up to 256 leaves, up to 128 columns of up to 255 cuts, and no categories";
	if (call->output == SCORE_OUTPUT_PREDICTION && !has_room_for_sums(e))
		return "the model has too many outputs for sums on the stack";
	return NULL;
}

/* Aligned by hand: what stands in a table look-up's registers. Columns that are not there are never asked for. */
#define CODES_ROOM(n_rows) ((n_rows) * ROW_COLUMNS + SL_CACHE_LINE)

static uint8_t *align_codes(void *room, size_t n_rows)
{
	uint8_t *codes = (uint8_t *)sl_round_up((uintptr_t)room, SL_CACHE_LINE);
	memset(codes, 0, n_rows * ROW_COLUMNS);
	return codes;
}

/* ---- leaf numbers and stages: one row after the other ------------------------------------------------------------- */

/* The leaf, counted in the model, of a value that row_leaves() found for a tree's heap: six steps lead to it. */
static uint32_t leaf_of_heap(const forest *f, const forest_tree *t, uint32_t at)
{
	forest_side side = forest_whole(t);
	for (uint32_t bit = ROW_HEAP_DEPTH; !forest_is_leaf(&side);)
		side = forest_go(f, &side, at >> --bit & 1);
	return side.leaf;
}

static void list_leaves(const engine *e, const engine_call *call, const uint8_t *codes, double *out)
{
	const forest *f = e->f;
	const forest_numbers ids = f->leaf_ids;
	const bool is_heap = e->rows.shape == ROW_HEAP;
	for (uint32_t t = call->tree_begin, next; t < call->tree_end; t = next) {
		uint32_t at[1][ROW_MOST], portion = t / ROW_TREES;
		next = portion * ROW_TREES + ROW_MOST;
		next = next < call->tree_end ? next : call->tree_end;
		e->k->row_leaves(&e->rows, codes, 1, portion, (next + ROW_TREES - 1) / ROW_TREES, at);
		const uint32_t *leaves = at[0] + (t - portion * ROW_TREES), n = next - t;
		for (uint32_t i = 0; i < n && is_heap; i++)
			out[i] = (double)forest_number(&ids, leaf_of_heap(f, f->trees + t + i, leaves[i]));
		for (uint32_t i = 0; i < n && !is_heap; i++)
			out[i] = (double)forest_number(&ids, leaves[i]);
		out += n;
	}
}

static void leaves_of_rows(const engine *e, const engine_call *call, row_range rows)
{
	uint8_t room[CODES_ROOM(1)], *codes = align_codes(room, 1);
	size_t width = engine_output_width(e, call->output, call->tree_end - call->tree_begin);
	for (size_t r = 0; r < rows.n; r++) {
		int64_t row = rows.first + (int64_t)r;
		engine_bin_rows8(e, call->view, (row_range){row, 1}, codes, ROW_COLUMNS);
		list_leaves(e, call, codes, engine_row_out(call, row, width));
	}
}

/* The leaves of a portion of trees are found once, whatever its number of stages. */
void engine_rows_stages(const engine *e, const engine_call *call, const engine_stages *stages, double *room)
{
	uint8_t unaligned[CODES_ROOM(1)], *codes = align_codes(unaligned, 1);
	for (int64_t row = 0; row < call->view->n_rows; row++) {
		uint32_t at[1][ROW_MOST], portion = UINT32_MAX;
		bool wanted = true;
		engine_bin_rows8(e, call->view, (row_range){row, 1}, codes, ROW_COLUMNS);
		engine_start_sums(e->f, room);
		for (uint32_t t = call->tree_begin, end; t < call->tree_end && wanted; t = end) {
			uint32_t into = (t - call->tree_begin) % stages->step, stop = (t / ROW_TREES + 1) * ROW_TREES;
			end = call->tree_end - t < stages->step - into ? call->tree_end : t + (stages->step - into);
			bool due = end <= stop;
			end = due ? end : stop;
			if (t / ROW_TREES != portion) {
				portion = t / ROW_TREES;
				e->k->row_leaves(&e->rows, codes, 1, portion, portion + 1, at);
			}
			add_some(e, at[0] + t % ROW_TREES, t, end, room);
			wanted = !due || stages->visit(stages->context, row, 1, room, end);
		}
	}
}

/* ---- sums ---------------------------------------------------------------------------------------------------------- */

/* At most SCRATCH_ROWS rows. */
static void score_run(const engine *e, const engine_call *call, row_range rows, uint8_t *codes, double *few)
{
	size_t width = engine_output_width(e, call->output, 0), n_outputs = e->f->contract.n_outputs;
	double *sums[SCRATCH_ROWS];
	engine_bin_rows8(e, call->view, rows, codes, ROW_COLUMNS);
	for (size_t r = 0; r < rows.n; r++) {
		int64_t row = rows.first + (int64_t)r;
		sums[r] = width >= n_outputs ? engine_row_out(call, row, width) : few + r * n_outputs;
		engine_start_sums(e->f, sums[r]);
	}
	if (rows.n == 1)
		sum_row(e, call, codes, sums);
	else
		sum_rows(e, call, codes, rows.n, sums);
	for (size_t r = 0; r < rows.n; r++)
		engine_finish_row(e, call, sums[r], engine_row_out(call, rows.first + (int64_t)r, width));
}

/* `most` rows at a time, whose codes go to `codes`. */
static void score_runs(const engine *e, const engine_call *call, row_range rows, uint8_t *codes, size_t most, double *few)
{
	for (size_t done = 0, n; done < rows.n; done += n) {
		n = rows.n - done < most ? rows.n - done : most;
		score_run(e, call, (row_range){rows.first + (int64_t)done, n}, codes, few);
	}
}

/* Sums that the output has no room for. */
static NEVER_INLINE void score_few_outputs(const engine *e, const engine_call *call, row_range rows, uint8_t *codes, size_t most)
{
	double few[STACK_SUMS];
	size_t fit = STACK_SUMS / e->f->contract.n_outputs;
	score_runs(e, call, rows, codes, most < fit ? most : fit, few);
}

static void score_rows(const engine *e, const engine_call *call, row_range rows, void *room, size_t most)
{
	uint8_t *codes = align_codes(room, rows.n < most ? rows.n : most);
	if (engine_lacks_room(e, call))
		score_few_outputs(e, call, rows, codes, most);
	else
		score_runs(e, call, rows, codes, most, NULL);
}

static NEVER_INLINE void score_one_by_one(const engine *e, const engine_call *call, row_range rows)
{
	uint8_t room[CODES_ROOM(1)];
	score_rows(e, call, rows, room, 1);
}

static NEVER_INLINE void score_eights(const engine *e, const engine_call *call, row_range rows)
{
	uint8_t room[CODES_ROOM(ROW_ROWS)];
	score_rows(e, call, rows, room, ROW_ROWS);
}

void engine_rows(const engine *e, const engine_call *call, row_range rows)
{
	if (call->output == SCORE_OUTPUT_LEAF)
		leaves_of_rows(e, call, rows);
	else if (call->scratch_bytes >= CODES_ROOM(SCRATCH_ROWS))
		score_rows(e, call, rows, call->scratch, SCRATCH_ROWS);
	else if (rows.n == 1 || call->stack_taken)
		score_one_by_one(e, call, rows);
	else
		score_eights(e, call, rows);
}
