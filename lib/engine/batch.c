/*
 * The batch regime: blocks of 256 or 512 rows through bind, bin, predicate, select, sum and link.
 *
 * Everything a block needs lies in the caller's scratch. Sums are kept per output in the contract's type and grow tree by
 * tree in the source's order, so the result does not depend on where blocks begin.
 */
#include "parts.h"

/* Rows of the next block that are still to be asked for. The processor does not foresee them while it sums trees, and would
 * wait for them when the block begins. */
typedef struct rows_ahead {
	const char *at;
	size_t lines, step;   /* cache lines; after so many trees, step of them */
	column_lines columns; /* instead, if there is a view */
} rows_ahead;

#define MOST_LINES_AHEAD 4096u /* 256 KB: more would drive the model out of the second-level cache */

/* Where things lie in the scratch. */
typedef struct workspace {
	const kernels *k; /* of the block at hand */
	const level_tree *levels; /* they serve it instead of planes; or NULL */
	bool sliced; /* its columns of few cuts are */
	size_t sum_words; /* of 64 rows, that the sums work on */
	void *tile;      /* of the bin stage, then of the predicate stage */
	char *codes;
	uint64_t *planes;
	uint8_t (*leaf_codes)[BLOCK_ROWS];
	void *sums;      /* [n_outputs][BLOCK_ROWS] of the sum's type */
	double *margins; /* of one row */
	double *terms;   /* values for linear leaves */
	rows_ahead *ahead;
} workspace;

/* Somebody looks at the sums between trees. */
typedef struct stage_room {
	const engine_stages *stages;
	double *listed; /* [rows, n_outputs] */
	void *sums;     /* a copy of the workspace's, that may be put in order */
} stage_room;

static size_t sum_bytes(const engine *e)
{
	return e->f->contract.sum == SCORE_F32 ? sizeof(float) : sizeof(double);
}

/* Lay the workspace out from `base` (NULL: only measure) and return its size. */
static size_t lay_out(const engine *e, char *base, workspace *w)
{
	uint32_t n_outputs = e->f->contract.n_outputs;
	const size_t sizes[] = {BIN_TILE_BYTES, (size_t)e->n_columns * BLOCK_ROWS * e->code_bytes,
		(size_t)e->batch.n_slots * e->k->plane_words * sizeof(uint64_t), (size_t)SUM_TREES * BLOCK_ROWS,
		n_outputs * BLOCK_ROWS * sum_bytes(e), n_outputs * sizeof(double),
		(size_t)e->terms.n_features * BLOCK_ROWS * sizeof(double)};
	size_t at[8] = {0};
	for (size_t i = 0; i < 7; i++)
		at[i + 1] = at[i] + sl_round_up(sizes[i], SL_CACHE_LINE);
	if (base) {
		w->tile = base + at[0];
		w->codes = base + at[1];
		w->planes = (uint64_t *)(void *)(base + at[2]);
		w->leaf_codes = (uint8_t(*)[BLOCK_ROWS])(void *)(base + at[3]);
		w->sums = base + at[4];
		w->margins = (double *)(void *)(base + at[5]);
		w->terms = (double *)(void *)(base + at[6]);
	}
	return at[7];
}

size_t engine_batch_scratch(const engine *e)
{
	workspace unused = {0};
	return lay_out(e, NULL, &unused) + SL_CACHE_LINE;
}

/* ---- predicate -------------------------------------------------------------------------------------------------- */

static void look_up(const engine *e, const predicate_run *run, const char *codes, size_t words, size_t plane_words,
	uint64_t *planes)
{
	for (uint32_t i = 0; i < run->n; i++, planes += plane_words) {
		const uint8_t *table = engine_table(e->tables, &(question){run->column, e->batch.set_cuts[run->first + i]});
		for (size_t w = 0; w < words; w++) {
			uint64_t bits = 0;
			for (size_t r = 0; r < 64; r++) {
				size_t row = 64 * w + r;
				uint32_t code = e->code_bytes == 1 ? ((const uint8_t *)codes)[row]
					: ((const uint16_t *)(const void *)codes)[row];
				bits |= (uint64_t)engine_table_bit(table, code) << r;
			}
			planes[w] = bits;
		}
	}
}

static const char *codes_of(const engine *e, const workspace *w, uint32_t column)
{
	return w->codes + (w->sliced ? engine_place(e, column) : (size_t)column * BLOCK_ROWS * e->code_bytes);
}

static void compute_predicates(const engine *e, const tree_group *group, const workspace *w, size_t words)
{
	const batch_plan *plan = &e->batch;
	for (uint32_t i = group->first_run; i < group->first_run + group->n_runs; i++) {
		const predicate_run *run = plan->runs + i;
		const char *codes = codes_of(e, w, run->column);
		uint64_t *planes = w->planes + (size_t)run->slot * w->k->plane_words;
		const uint32_t n_slices = w->sliced ? engine_slices(e, run->column) : 0;
		if (n_slices)
			w->k->sliced_predicates((const uint64_t *)(const void *)codes, n_slices, plan->cuts8 + run->first, run->n, planes);
		else if (e->columns[run->column].is_category)
			look_up(e, run, codes, words, w->k->plane_words, planes);
		else if (e->code_bytes == 1)
			w->k->predicates8((const uint8_t *)codes, words, plan->cuts8 + run->first, run->n, w->tile, planes);
		else
			w->k->predicates16((const uint16_t *)(const void *)codes, words, plan->cuts16 + run->first, run->n, w->tile,
				planes);
	}
}

/* ---- select and sum ------------------------------------------------------------------------------------------------ */

/* Table of a tree; `of_vector` is the output of a vector tree, 0 of a scalar one. */
static leaf_table table_of(const engine *e, const tree_program *t, uint32_t of_vector)
{
	size_t at = (size_t)of_vector << t->n_planes;
	return (leaf_table){(const char *)t->table + at * sum_bytes(e), t->n_planes, t->leaf_planes};
}

/* Add the leaves of `n` trees to the sums of one output. */
static void sum_output(const engine *e, const workspace *w, uint32_t output, const uint8_t *which,
	const leaf_table *tables, size_t n)
{
	const uint8_t(*codes)[BLOCK_ROWS] = (const uint8_t(*)[BLOCK_ROWS])w->leaf_codes;
	if (e->f->contract.sum == SCORE_F32)
		w->k->sum_f32(codes, which, tables, n, w->sum_words, (float *)w->sums + (size_t)output * BLOCK_ROWS);
	else
		w->k->sum_f64(codes, which, tables, n, w->sum_words, (double *)w->sums + (size_t)output * BLOCK_ROWS);
}

/* Trees [first, first + n), n at most SUM_TREES: those of each output in their order. */
static void sum_by_output(const engine *e, const workspace *w, uint32_t first, uint32_t n)
{
	const forest *f = e->f;
	bool done[SUM_TREES] = {false};
	for (uint32_t i = 0; i < n; i++) {
		uint32_t output = f->trees[first + i].output;
		uint8_t which[SUM_TREES];
		leaf_table tables[SUM_TREES];
		size_t count = 0;
		if (done[i])
			continue;
		for (uint32_t k = i; k < n; k++) {
			if (f->trees[first + k].output != output)
				continue;
			done[k] = true;
			which[count] = (uint8_t)k;
			tables[count++] = table_of(e, e->batch.trees + first + k, 0);
		}
		sum_output(e, w, output, which, tables, count);
	}
}

/* The same where every tree adds to every output: vector trees, or a single output. */
static void sum_in_order(const engine *e, const workspace *w, uint32_t first, uint32_t n)
{
	for (uint32_t o = 0; o < e->f->leaf_width; o++) {
		uint8_t which[SUM_TREES];
		leaf_table tables[SUM_TREES];
		for (uint32_t i = 0; i < n; i++) {
			which[i] = (uint8_t)i;
			tables[i] = table_of(e, e->batch.trees + first + i, o);
		}
		sum_output(e, w, o, which, tables, n);
	}
}

/* The same for trees with linear leaves, row by row; these sums are in the order of the rows. */
static void sum_linear(const engine *e, const workspace *w, uint32_t first, uint32_t n, size_t n_rows)
{
	const uint16_t *place = w->k == e->k ? e->terms.place : e->terms.narrow_place;
	for (uint32_t i = 0; i < n; i++) {
		const forest_tree *t = e->f->trees + first + i;
		const uint8_t *numbers = e->batch.trees[first + i].table;
		double *sums = (double *)w->sums + (size_t)t->output * BLOCK_ROWS;
		for (size_t r = 0; r < n_rows; r++)
			sums[r] += engine_linear_leaf_of_block(e, w->terms, r,
				t->first_leaf + numbers[w->leaf_codes[i][place[r]]]);
	}
}

/* Oblivious trees, straight from the columns' codes. */
static void run_levels(const engine *e, const workspace *w, uint32_t first, uint32_t end, size_t n_rows)
{
	for (uint32_t t = first; t < end; t += SUM_TREES)
		e->k->level_sum_f64((const uint8_t *)w->codes, w->levels + t, end - t < SUM_TREES ? end - t : SUM_TREES, n_rows,
			w->sums);
}

static void find_ahead(const engine *e, const engine_call *call, row_range rows, rows_ahead *ahead)
{
	const input_view *view = call->view;
	size_t bytes = rows.n * (size_t)view->row_stride, times = (call->tree_end - call->tree_begin) / SUM_TREES + 1;
	size_t of_columns = rows.n * (size_t)e->n_used_inputs * (view->all_f32 ? sizeof(float) : sizeof(double)) / SL_CACHE_LINE;
	*ahead = (rows_ahead){.at = NULL};
	if (view->columns && rows.n && of_columns <= MOST_LINES_AHEAD) {
		ahead->columns = (column_lines){.view = view, .rows = rows};
		ahead->step = of_columns / times + 1;
	}
	/* Not where rows are far apart, or not rows. */
	if (!view->data || view->row_stride <= 0 || (size_t)view->row_stride > 8 * (size_t)e->f->n_features ||
		bytes / SL_CACHE_LINE > MOST_LINES_AHEAD)
		return;
	ahead->at = view->data + rows.first * view->row_stride;
	ahead->lines = bytes / SL_CACHE_LINE;
	ahead->step = ahead->lines / times + 1;
}

static void fetch_ahead(const engine *e, rows_ahead *ahead)
{
	size_t n = ahead->lines < ahead->step ? ahead->lines : ahead->step;
	if (ahead->columns.view)
		engine_fetch_columns(e, &ahead->columns, ahead->step);
	if (!ahead->at)
		return;
	for (size_t i = 0; i < n; i++)
		__builtin_prefetch(ahead->at + i * SL_CACHE_LINE, 0, 2);
	ahead->at += n * SL_CACHE_LINE;
	ahead->lines -= n;
}

/* The same trees in a whole block, whose predicates are planes. */
static void run_level_planes(const engine *e, const workspace *w, uint32_t first, uint32_t end)
{
	for (uint32_t t = first; t < end; t += SUM_TREES) {
		fetch_ahead(e, w->ahead);
		e->k->level_planes_sum_f64(w->planes, e->level_planes + t, end - t < SUM_TREES ? end - t : SUM_TREES, w->leaf_codes,
			w->sums);
	}
}

static NEVER_INLINE void gather_long(const workspace *w, const tree_program *p, size_t words, uint8_t *leaf_codes)
{
	_Alignas(SL_CACHE_LINE) uint8_t low[BLOCK_ROWS];
	w->k->gather_bits(w->planes, p->planes, 8, words, leaf_codes);
	w->k->gather_bits(w->planes, p->codes->low, p->codes->n_low, words, low);
	w->k->number_leaves(p->codes, low, words, leaf_codes);
}

static void run_program(const engine *e, const workspace *w, uint32_t tree, size_t words, uint8_t *leaf_codes)
{
	const batch_plan *plan = &e->batch;
	const tree_program *p = plan->trees + tree;
	if (p->full_depth) {
		w->k->full_tree(w->planes, p->full_slots, p->full_depth, p->n_planes, words, leaf_codes);
	} else {
		if (p->n_pairs)
			w->k->select(p->pairs, p->n_pairs, words, w->planes);
		if (p->codes)
			gather_long(w, p, words, leaf_codes);
		else
			w->k->gather_bits(w->planes, p->planes, p->n_planes, words, leaf_codes);
	}
	if (p->folded)
		w->k->fold_codes((const code_fold *)p->table - 1, words, leaf_codes);
}

/* Some of the n trees from `tree` on that few rows follow by cursors; returns how many. */
static uint32_t follow_cursors(const engine *e, const workspace *w, uint32_t tree, uint32_t n,
	uint8_t (*leaf_codes)[BLOCK_ROWS])
{
	cursor_tree trees[CURSOR_TREES];
	uint32_t some = 0;
	for (const tree_program *p = e->batch.trees + tree; some < n && some < CURSOR_TREES && p->n_steps; some++, p++)
		trees[some] = (cursor_tree){p->steps, p->n_steps, p->start};
	if (some)
		w->k->follow_cursors(w->planes, trees, some, leaf_codes);
	return some;
}

static void run_trees(const engine *e, const workspace *w, uint32_t first, uint32_t end, size_t words, size_t n_rows)
{
	const bool by_cursors = w->k->follow_cursors && n_rows <= CURSOR_ROWS;
	if (w->levels) {
		run_levels(e, w, first, end, n_rows);
		return;
	}
	if (e->level_planes && !SL_NEVER(w->k != e->k)) { /* narrow blocks have fewer rows than levels serve */
		run_level_planes(e, w, first, end);
		return;
	}
	for (uint32_t t = first; t < end; t += SUM_TREES) {
		uint32_t n = end - t < SUM_TREES ? end - t : SUM_TREES;
		fetch_ahead(e, w->ahead);
		for (uint32_t i = 0; i < n;) {
			uint32_t followed = by_cursors ? follow_cursors(e, w, t + i, n - i, w->leaf_codes + i) : 0;
			if (!followed)
				run_program(e, w, t + i, words, w->leaf_codes[i]);
			i += followed ? followed : 1;
		}
		if (engine_has_linear_leaves(e))
			sum_linear(e, w, t, n, n_rows);
		else if (e->f->leaf_width > 1 || e->f->contract.n_outputs == 1)
			sum_in_order(e, w, t, n);
		else
			sum_by_output(e, w, t, n);
	}
}

/* ---- a block --------------------------------------------------------------------------------------------------------- */

static void start_sums(const engine *e, const workspace *w)
{
	const forest *f = e->f;
	size_t n = (size_t)64 * w->k->plane_words;
	for (uint32_t o = 0; o < f->contract.n_outputs; o++) {
		double base = f->contract.base_position == SCORE_BASE_FIRST ? f->base[o] : 0.0;
		for (size_t r = 0; r < n; r++) {
			if (f->contract.sum == SCORE_F32)
				((float *)w->sums)[o * BLOCK_ROWS + r] = (float)base;
			else
				((double *)w->sums)[o * BLOCK_ROWS + r] = base;
		}
	}
}

static void order_sums(const engine *e, const workspace *w, size_t n_rows)
{
	if (w->levels) {
		e->k->level_order_f64(w->sums, n_rows);
		return;
	}
	for (uint32_t o = 0; o < e->f->contract.n_outputs; o++) {
		if (e->f->contract.sum == SCORE_F32 && w->k->order_f32)
			w->k->order_f32((float *)w->sums + (size_t)o * BLOCK_ROWS);
		if (e->f->contract.sum == SCORE_F64 && w->k->order_f64)
			w->k->order_f64((double *)w->sums + (size_t)o * BLOCK_ROWS);
	}
}

/* Sums that are margins already. */
static void write_sums(const engine *e, const workspace *w, size_t n, double *out)
{
	uint32_t n_outputs = e->f->contract.n_outputs;
	for (uint32_t o = 0; o < n_outputs; o++) {
		const float *narrow = (const float *)w->sums + (size_t)o * BLOCK_ROWS;
		const double *wide = (const double *)w->sums + (size_t)o * BLOCK_ROWS;
		bool is_f32 = e->f->contract.sum == SCORE_F32;
		for (size_t r = 0; r < n; r++)
			out[r * n_outputs + o] = is_f32 ? (double)narrow[r] : wide[r];
	}
}

static void write_rows(const engine *e, const engine_call *call, const workspace *w, row_range rows)
{
	const forest *f = e->f;
	uint32_t n_outputs = f->contract.n_outputs, iterations = engine_iterations(e, call);
	size_t width = engine_output_width(e, call->output, call->tree_end - call->tree_begin);
	double *out = engine_row_out(call, rows.first, width);
	if (call->output == SCORE_OUTPUT_MARGIN && f->contract.base_position == SCORE_BASE_FIRST) {
		write_sums(e, w, rows.n, out);
		return;
	}
	for (size_t r = 0; r < rows.n; r++, out += width) {
		for (uint32_t o = 0; o < n_outputs; o++) {
			size_t at = (size_t)o * BLOCK_ROWS + r;
			double sum = f->contract.sum == SCORE_F32 ? (double)((float *)w->sums)[at] : ((double *)w->sums)[at];
			w->margins[o] = forest_finish_margin(&f->contract, sum, f->base[o], iterations);
		}
		if (call->output == SCORE_OUTPUT_PREDICTION)
			engine_link_row(f, iterations, w->margins, out);
		else
			memcpy(out, w->margins, n_outputs * sizeof *out);
	}
}

/* The sums so far, row by row, to whoever looks at them. */
static bool show_sums(const engine *e, const workspace *w, row_range rows, const stage_room *stage, uint32_t tree_end)
{
	workspace copy = *w;
	copy.sums = stage->sums;
	memcpy(copy.sums, w->sums, e->f->contract.n_outputs * BLOCK_ROWS * sum_bytes(e));
	if (!engine_has_linear_leaves(e))
		order_sums(e, &copy, rows.n);
	write_sums(e, &copy, rows.n, stage->listed);
	return stage->stages->visit(stage->stages->context, rows.first, rows.n, stage->listed, tree_end);
}

/* Trees of one group, up to the next stage at a time. False: nobody wants more. */
static bool run_group(const engine *e, const engine_call *call, const workspace *w, row_range rows, uint32_t first,
	uint32_t end, size_t words, const stage_room *stage)
{
	for (uint32_t t = first, stop; t < end; t = stop) {
		uint32_t step = stage ? stage->stages->step : 0, into = step ? (t - call->tree_begin) % step : 0;
		stop = step && end - t > step - into ? t + (step - into) : end;
		run_trees(e, w, t, stop, words, rows.n);
		bool due = step && ((stop - call->tree_begin) % step == 0 || stop == call->tree_end);
		if (due && !show_sums(e, w, rows, stage, stop))
			return false;
	}
	return true;
}

static void score_block(const engine *e, const engine_call *call, const workspace *w, row_range rows,
	const stage_room *stage)
{
	size_t words = sl_round_up((rows.n + 63) / 64, w->k->vector_words);
	memset(w->planes, 0, w->k->plane_words * sizeof(uint64_t));
	memset(w->planes + w->k->plane_words, 0xff, w->k->plane_words * sizeof(uint64_t));
	engine_bin_columns(e, call->view, rows, w->levels ? sl_round_up(rows.n, 64) : (size_t)64 * w->k->plane_words, w->sliced, w->tile,
		w->codes);
	if (engine_has_linear_leaves(e))
		engine_fetch_terms(e, call->view, rows, w->terms);
	start_sums(e, w);
	for (uint32_t g = 0; g < e->batch.n_groups; g++) {
		const tree_group *group = e->batch.groups + g;
		uint32_t first = group->first_tree, end = first + group->n_trees;
		first = first > call->tree_begin ? first : call->tree_begin;
		end = end < call->tree_end ? end : call->tree_end;
		if (first >= end)
			continue;
		if (!w->levels)
			compute_predicates(e, group, w, words);
		if (!run_group(e, call, w, rows, first, end, words, stage))
			return;
	}
	if (stage)
		return;
	if (!engine_has_linear_leaves(e))
		order_sums(e, w, rows.n);
	write_rows(e, call, w, rows);
}

static void score_blocks(const engine *e, const engine_call *call, row_range rows, const stage_room *stage)
{
	rows_ahead ahead;
	workspace w = {.ahead = &ahead};
	lay_out(e, (char *)sl_round_up((uintptr_t)call->scratch, SL_CACHE_LINE), &w);
	for (size_t done = 0, n; done < rows.n; done += n) {
		size_t left = rows.n - done;
		w.levels = left <= e->k->level_rows ? e->levels : NULL;
		w.k = e->k->narrow && left <= e->batch.narrow_rows && !w.levels ? e->k->narrow : e->k;
		w.sliced = w.k->slice && e->places && !w.levels && !call->view->codes;
		n = (size_t)64 * w.k->plane_words;
		n = left < n ? left : n;
		w.sum_words = sl_round_up((n + 63) / 64, w.k->sum_words);
		find_ahead(e, call, (row_range){rows.first + (int64_t)(done + n), left - n < n ? left - n : n}, &ahead);
		score_block(e, call, &w, (row_range){rows.first + (int64_t)done, n}, stage);
	}
}

void engine_batch(const engine *e, const engine_call *call, row_range rows)
{
	score_blocks(e, call, rows, NULL);
}

void engine_batch_stages(const engine *e, const engine_call *call, const engine_stages *stages, double *room)
{
	stage_room stage = {stages, room, room + (size_t)BLOCK_ROWS * e->f->contract.n_outputs};
	score_blocks(e, call, (row_range){0, (size_t)call->view->n_rows}, &stage);
}
