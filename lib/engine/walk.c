/*
 * The walk regime: rows as codes, trees as small nodes, sixteen walks interleaved so that their memory latencies overlap.
 *
 * Serves any tree and any batch. Few rows: one row walks sixteen trees at a time. Many rows: sixteen rows walk one tree at a
 * time, tree by tree over as many rows as the scratch holds, so that a tree stays in cache while it is used. Both add leaf
 * values tree by tree in the source's order.
 */
#include "parts.h"

#define LANES 16 /* more than registers hold: a forest beyond the cache waits for memory, and sixteen loads wait at once */
#define LEAST_OF_EIGHT 5 /* rows that are worth eight walks */
#define STACK_CODES 4096u /* bytes of codes that go on the stack when there is no scratch */
#define FEW_STACK_CODES 2048u /* the same where the caller has something there */

#define MOST_ROWS 16384u /* of a block: more gain nothing */
#define BLOCK_CODES ((size_t)768 << 10) /* bytes of codes of a block: they share the second-level cache with one tree */
#define MOST_BIN_BYTES ((size_t)1 << 20) /* more is not asked for to bin column by column */

/* How nodes of leaves say which they are. */
typedef struct leaf_marks {
	uint32_t first_pad; /* 0: there are none */
	bool numbered;
} leaf_marks;

static inline leaf_marks marks_of(const engine *e)
{
	return (leaf_marks){e->walk.n_pads ? e->n_columns : 0, e->walk.numbered};
}

#define CODE uint8_t
#define NODE walk_small_node
#define NODES(e) ((e)->walk.small_nodes)
#define WALK_NAME(name) name##_small
#include "walk_template.h"
#define CODE uint8_t
#define NODE walk_columns_node
#define NODES(e) ((e)->walk.columns_nodes)
#define WALK_NAME(name) name##_columns
#include "walk_template.h"
#define CODE uint8_t
#define NODE walk_cuts_node
#define NODES(e) ((e)->walk.cuts_nodes)
#define WALK_NAME(name) name##_cuts_u8
#include "walk_template.h"
#define CODE uint16_t
#define NODE walk_cuts_node
#define NODES(e) ((e)->walk.cuts_nodes)
#define WALK_NAME(name) name##_cuts_u16
#include "walk_template.h"
#define CODE uint8_t
#define NODE walk_short_node
#define NODES(e) ((e)->walk.short_nodes)
#define WALK_NAME(name) name##_short_u8
#include "walk_template.h"
#define CODE uint16_t
#define NODE walk_short_node
#define NODES(e) ((e)->walk.short_nodes)
#define WALK_NAME(name) name##_short_u16
#include "walk_template.h"
#define CODE uint8_t
#define NODE walk_node
#define NODES(e) ((e)->walk.nodes)
#define WALK_NAME(name) name##_u8
#include "walk_template.h"
#define CODE uint16_t
#define NODE walk_node
#define NODES(e) ((e)->walk.nodes)
#define WALK_NAME(name) name##_u16
#include "walk_template.h"
#define CODE uint32_t
#define NODE walk_wide_node
#define NODES(e) ((e)->walk.wide_nodes)
#define WALK_NAME(name) name##_u32
#include "walk_template.h"

static size_t row_bytes(const engine *e)
{
	return engine_row_codes(e) * e->code_bytes;
}

/* Behind the last row's codes, what walks read beside them. */
static size_t tail_bytes(const engine *e)
{
	return e->walk.read_codes > e->n_columns ? (size_t)(e->walk.read_codes - e->n_columns) * e->code_bytes : 0;
}

static size_t stack_codes(const engine_call *call)
{
	return call->stack_taken ? FEW_STACK_CODES : STACK_CODES;
}

bool engine_walk_fits(const engine *e, const engine_call *call)
{
	if (e->pages.kind != PAGE_NONE)
		return true;
	size_t bytes = row_bytes(e) + tail_bytes(e);
	return bytes <= stack_codes(call) || bytes + 64 <= call->scratch_bytes;
}

/* Room to bin BLOCK_ROWS rows column by column before their codes are laid row by row. */
static size_t bin_bytes(const engine *e)
{
	return sl_round_up(BIN_TILE_BYTES, SL_CACHE_LINE) + (size_t)e->n_columns * e->code_bytes * BLOCK_ROWS;
}

size_t engine_walk_scratch(const engine *e)
{
	if (e->pages.kind != PAGE_NONE)
		return engine_pages_scratch(e);
	size_t rows = BLOCK_CODES / (row_bytes(e) + 1), bin = bin_bytes(e) <= MOST_BIN_BYTES ? bin_bytes(e) : 0;
	rows = rows < LANES ? LANES : rows > MOST_ROWS ? MOST_ROWS : rows;
	return bin + sl_round_up(rows * row_bytes(e) + tail_bytes(e), SL_CACHE_LINE) + SL_CACHE_LINE;
}

/* What the row regime serves has no nodes: whoever asks for the walk all the same gets one over the forest's splits. The leaf is
 * counted in the model. */
static uint32_t walk_splits(const engine *e, uint32_t tree, const uint8_t *codes)
{
	const forest *f = e->f;
	forest_side at = forest_whole(f->trees + tree);
	while (!forest_is_leaf(&at)) {
		const question q = question_at(&e->questions, forest_number(&f->split_test, at.split));
		at = forest_go(f, &at, codes[q.column] > q.cut);
	}
	return at.leaf;
}

/* Up to LANES trees × one row. `arrived` receives the place of each tree's leaf. */
static void walk_trees(const engine *e, uint32_t first, uint32_t n, const void *codes, uint32_t *arrived)
{
	if (!e->walk.trees) {
		for (uint32_t i = 0; i < n; i++)
			arrived[i] = walk_splits(e, first + i, codes);
	} else if (e->walk.small_nodes)
		walk_trees_small(e, first, n, codes, arrived);
	else if (e->walk.columns_nodes)
		walk_trees_columns(e, first, n, codes, arrived);
	else if (e->walk.cuts_nodes && e->code_bytes == 1)
		walk_trees_cuts_u8(e, first, n, codes, arrived);
	else if (e->walk.cuts_nodes)
		walk_trees_cuts_u16(e, first, n, codes, arrived);
	else if (e->walk.short_nodes && e->code_bytes == 1)
		walk_trees_short_u8(e, first, n, codes, arrived);
	else if (e->walk.short_nodes)
		walk_trees_short_u16(e, first, n, codes, arrived);
	else if (e->code_bytes == 1)
		walk_trees_u8(e, first, n, codes, arrived);
	else if (e->code_bytes == 2)
		walk_trees_u16(e, first, n, codes, arrived);
	else
		walk_trees_u32(e, first, n, codes, arrived);
}

/* One tree × up to LANES rows of codes, row after row. */
static void walk_rows(const engine *e, uint32_t tree, uint32_t n, const char *codes, uint32_t *arrived)
{
	if (!e->walk.trees) {
		for (uint32_t i = 0; i < n; i++)
			arrived[i] = walk_splits(e, tree, (const uint8_t *)codes + i * row_bytes(e));
	} else if (e->walk.small_nodes)
		walk_rows_small(e, tree, n, codes, arrived);
	else if (e->walk.columns_nodes)
		walk_rows_columns(e, tree, n, codes, arrived);
	else if (e->walk.cuts_nodes && e->code_bytes == 1)
		walk_rows_cuts_u8(e, tree, n, codes, arrived);
	else if (e->walk.cuts_nodes)
		walk_rows_cuts_u16(e, tree, n, codes, arrived);
	else if (e->walk.short_nodes && e->code_bytes == 1)
		walk_rows_short_u8(e, tree, n, codes, arrived);
	else if (e->walk.short_nodes)
		walk_rows_short_u16(e, tree, n, codes, arrived);
	else if (e->code_bytes == 1)
		walk_rows_u8(e, tree, n, codes, arrived);
	else if (e->code_bytes == 2)
		walk_rows_u16(e, tree, n, codes, arrived);
	else
		walk_rows_u32(e, tree, n, codes, arrived);
}

static uint32_t leaf_at(const engine *e, uint32_t tree, uint32_t place)
{
	return e->walk.leaf_of_place.values ? e->f->trees[tree].first_leaf + forest_number(&e->walk.leaf_of_place, place) : place;
}

void engine_add_leaf(const engine *e, const input_view *view, int64_t row, uint32_t tree, uint32_t leaf, double *sums)
{
	const forest *f = e->f;
	double *to = sums + f->trees[tree].output;
	if (engine_has_linear_leaves(e)) {
		*to += engine_linear_leaf(e, view, row, leaf);
		return;
	}
	for (uint32_t i = 0; i < f->leaf_width; i++)
		to[i] = engine_add(f, to[i], forest_real(&f->leaves, (size_t)leaf * f->leaf_width + i));
}

/* Add the leaf at a place to the sums of one row of the call. */
static void add_leaf(const engine *e, const engine_call *call, int64_t row, uint32_t tree, uint32_t place, double *sums)
{
	double *to = sums + e->f->trees[tree].output;
	if (engine_has_linear_leaves(e) || !(e->walk.values_f32 || e->walk.values_f64))
		engine_add_leaf(e, call->view, row, tree, leaf_at(e, tree, place), sums);
	else if (e->walk.values_f32)
		*to = (double)((float)*to + e->walk.values_f32[place]);
	else
		*to += e->walk.values_f64[place];
}

void engine_start_sums(const forest *f, double *sums)
{
	bool base_first = f->contract.base_position == SCORE_BASE_FIRST;
	for (uint32_t o = 0; o < f->contract.n_outputs; o++)
		sums[o] = base_first ? f->base[o] : 0.0;
}

void engine_finish_row(const engine *e, const engine_call *call, double *sums, double *out)
{
	const forest *f = e->f;
	uint32_t iterations = engine_iterations(e, call);
	for (uint32_t o = 0; o < f->contract.n_outputs; o++)
		sums[o] = forest_finish_margin(&f->contract, sums[o], f->base[o], iterations);
	if (call->output == SCORE_OUTPUT_PREDICTION)
		engine_link_row(f, iterations, sums, out);
	else if (sums != out)
		memcpy(out, sums, f->contract.n_outputs * sizeof *out);
}

/* ---- few rows: trees side by side --------------------------------------------------------------------------- */

/* One output: the sum, of the type of `values`, stays in a register. */
#define SUM_ONE(e, call, codes, values, sum) \
	do { \
		uint32_t places[LANES], t = (call)->tree_begin; \
		for (; (call)->tree_end - t >= LANES; t += LANES) { \
			walk_trees(e, t, LANES, codes, places); \
			for (uint32_t i = 0; i < LANES; i++) \
				(sum) += (values)[places[i]]; \
		} \
		if (t < (call)->tree_end) \
			walk_trees(e, t, (call)->tree_end - t, codes, places); \
		for (uint32_t i = 0; i < (call)->tree_end - t; i++) \
			(sum) += (values)[places[i]]; \
	} while (0)

static double sum_one_f32(const engine *e, const engine_call *call, const void *codes, float sum)
{
	const float *values = e->walk.values_f32;
	SUM_ONE(e, call, codes, values, sum);
	return (double)sum;
}

static double sum_one_f64(const engine *e, const engine_call *call, const void *codes, double sum)
{
	const double *values = e->walk.values_f64;
	SUM_ONE(e, call, codes, values, sum);
	return sum;
}

static void sum_trees(const engine *e, const engine_call *call, int64_t row, const void *codes, double *sums)
{
	if (e->walk.values_f32 && e->f->contract.n_outputs == 1) {
		sums[0] = sum_one_f32(e, call, codes, (float)sums[0]);
		return;
	}
	if (e->walk.values_f64 && e->f->contract.n_outputs == 1 && !engine_has_linear_leaves(e)) {
		sums[0] = sum_one_f64(e, call, codes, sums[0]);
		return;
	}
	for (uint32_t t = call->tree_begin; t < call->tree_end; t += LANES) {
		uint32_t places[LANES], n = call->tree_end - t < LANES ? call->tree_end - t : LANES;
		walk_trees(e, t, n, codes, places);
		for (uint32_t i = 0; i < n; i++)
			add_leaf(e, call, row, t + i, places[i], sums);
	}
}

static void list_leaves(const engine *e, const engine_call *call, const void *codes, double *out)
{
	for (uint32_t t = call->tree_begin; t < call->tree_end; t += LANES) {
		uint32_t places[LANES], n = call->tree_end - t < LANES ? call->tree_end - t : LANES;
		walk_trees(e, t, n, codes, places);
		for (uint32_t i = 0; i < n; i++)
			*out++ = (double)forest_number(&e->f->leaf_ids, leaf_at(e, t + i, places[i]));
	}
}

static void score_row(const engine *e, const engine_call *call, int64_t row, const void *codes, double *sums, double *out)
{
	engine_start_sums(e->f, sums);
	sum_trees(e, call, row, codes, sums);
	engine_finish_row(e, call, sums, out);
}

/* A row whose output has no room for its sums. */
static NEVER_INLINE void score_few_outputs(const engine *e, const engine_call *call, int64_t row, const void *codes, double *out)
{
	double few[OUTPUTS_ON_STACK];
	score_row(e, call, row, codes, few, out);
}

static void one_row(const engine *e, const engine_call *call, int64_t row, void *codes, size_t width)
{
	double *out = engine_row_out(call, row, width);
	engine_bin_row(e, call->view, row, codes);
	if (call->output == SCORE_OUTPUT_LEAF)
		list_leaves(e, call, codes, out);
	else if (engine_lacks_room(e, call))
		score_few_outputs(e, call, row, codes, out);
	else
		score_row(e, call, row, codes, out, out);
}

/* ---- many rows: rows side by side ----------------------------------------------------------------------------- */

/* Codes of a block, row after row, and where they are binned column by column; no `bin`: one row at a time. */
typedef struct walk_space {
	char *codes;
	char *bin;
	size_t most_rows;
} walk_space;

/* Columns of BLOCK_ROWS codes → rows of codes. */
static void lay_by_row(const engine *e, const char *columns, size_t n, char *codes)
{
	size_t width = engine_row_codes(e);
	for (size_t c = 0; c < e->n_columns; c++) {
		if (e->code_bytes == 1) {
			const uint8_t *from = (const uint8_t *)columns + c * BLOCK_ROWS;
			uint8_t *to = (uint8_t *)codes + c;
			for (size_t r = 0; r < n; r++)
				to[r * width] = from[r];
		} else if (e->code_bytes == 2) {
			const uint16_t *from = (const uint16_t *)(const void *)columns + c * BLOCK_ROWS;
			uint16_t *to = (uint16_t *)(void *)codes + c;
			for (size_t r = 0; r < n; r++)
				to[r * width] = from[r];
		} else {
			const uint32_t *from = (const uint32_t *)(const void *)columns + c * BLOCK_ROWS;
			uint32_t *to = (uint32_t *)(void *)codes + c;
			for (size_t r = 0; r < n; r++)
				to[r * width] = from[r];
		}
	}
}

/* The codes behind those of each of n rows, and some behind all of them, so that walks read nothing that was never written. */
static void clear_tail(const engine *e, void *codes, size_t n)
{
	const size_t pads = (size_t)e->walk.n_pads * e->code_bytes;
	for (size_t r = 1; r <= n && pads; r++)
		memset((char *)codes + r * row_bytes(e) - pads, 0, pads);
	memset((char *)codes + n * row_bytes(e), 0, tail_bytes(e));
}

static void bin_rows(const engine *e, const engine_call *call, row_range rows, const walk_space *space)
{
	size_t stride = row_bytes(e);
	if (!space->bin) {
		for (size_t r = 0; r < rows.n; r++)
			engine_bin_row(e, call->view, rows.first + (int64_t)r, space->codes + r * stride);
		return;
	}
	char *columns = space->bin + sl_round_up(BIN_TILE_BYTES, SL_CACHE_LINE);
	size_t step = (size_t)64 * e->k->plane_words;
	for (size_t r = 0; r < rows.n; r += step) {
		row_range part = {rows.first + (int64_t)r, rows.n - r < step ? rows.n - r : step};
		engine_bin_columns(e, call->view, part, part.n, false, space->bin, columns);
		lay_by_row(e, columns, part.n, space->codes + r * stride);
	}
}

/* Rows whose codes are there. */
static NEVER_INLINE void block_of_rows(const engine *e, const engine_call *call, row_range rows, const char *codes, size_t width)
{
	const forest *f = e->f;
	size_t stride = row_bytes(e);
	double *out = engine_row_out(call, rows.first, width);
	bool leaf_output = call->output == SCORE_OUTPUT_LEAF;
	for (size_t r = 0; r < rows.n && !leaf_output; r++)
		engine_start_sums(f, out + r * width);
	for (uint32_t t = call->tree_begin; t < call->tree_end; t++) {
		for (size_t r = 0; r < rows.n; r += LANES) {
			uint32_t places[LANES], n = (uint32_t)(rows.n - r < LANES ? rows.n - r : LANES);
			walk_rows(e, t, n, codes + r * stride, places);
			for (uint32_t i = 0; i < n; i++) {
				double *row = out + (r + i) * width;
				if (leaf_output)
					row[t - call->tree_begin] = (double)forest_number(&f->leaf_ids, leaf_at(e, t, places[i]));
				else
					add_leaf(e, call, rows.first + (int64_t)(r + i), t, places[i], row);
			}
		}
	}
	for (size_t r = 0; r < rows.n && !leaf_output; r++)
		engine_finish_row(e, call, out + r * width, out + r * width);
}

/* Some bytes of room. Binning by columns gets its part if a worthwhile block remains. */
static walk_space divide(const engine *e, char *codes, size_t room)
{
	size_t bytes = row_bytes(e), bin = bin_bytes(e);
	room -= tail_bytes(e);
	walk_space space = {codes, NULL, 0};
	if (bytes && room > bin && (room - bin) / bytes >= BLOCK_ROWS) {
		space.bin = space.codes;
		space.codes += sl_round_up(bin, SL_CACHE_LINE);
		room -= sl_round_up(bin, SL_CACHE_LINE);
	}
	space.most_rows = bytes && room / bytes < MOST_ROWS ? room / bytes : MOST_ROWS;
	return space;
}

static void walk_in(const engine *e, const engine_call *call, row_range rows, char *room, size_t bytes)
{
	size_t width = engine_output_width(e, call->output, call->tree_end - call->tree_begin);
	walk_space space = divide(e, room, bytes);
	/* Two groups of rows in a tree cost what trees side by side cost, however large the forest; more share its nodes. */
	if (rows.n < 2 * LANES || space.most_rows < LANES || engine_lacks_room(e, call)) {
		clear_tail(e, space.codes, 1);
		for (size_t r = 0; r < rows.n; r++)
			one_row(e, call, rows.first + (int64_t)r, space.codes, width);
		return;
	}
	for (size_t done = 0; done < rows.n; done += space.most_rows) {
		size_t left = rows.n - done;
		row_range part = {rows.first + (int64_t)done, left < space.most_rows ? left : space.most_rows};
		bin_rows(e, call, part, &space);
		clear_tail(e, space.codes, part.n);
		block_of_rows(e, call, part, space.codes, width);
	}
}

static NEVER_INLINE void walk_on_stack(const engine *e, const engine_call *call, row_range rows)
{
	uint64_t codes[STACK_CODES / sizeof(uint64_t)];
	walk_in(e, call, rows, (char *)codes, sizeof codes);
}

static NEVER_INLINE void walk_on_less_stack(const engine *e, const engine_call *call, row_range rows)
{
	uint64_t codes[FEW_STACK_CODES / sizeof(uint64_t)];
	walk_in(e, call, rows, (char *)codes, sizeof codes);
}

/* As many of the rows, from the first on, as eight at a time are worth it. */
static size_t walk_eights(const engine *e, const engine_call *call, row_range rows)
{
	size_t done = 0;
	for (size_t n; rows.n - done >= LEAST_OF_EIGHT; done += n) {
		n = rows.n - done < 8 ? rows.n - done : 8;
		engine_walk_eight(e, call, (row_range){rows.first + (int64_t)done, n});
	}
	return done;
}

void engine_walk(const engine *e, const engine_call *call, row_range rows)
{
	if (e->pages.kind != PAGE_NONE) {
		engine_walk_pages(e, call, rows);
		return;
	}
	size_t done = engine_walks_eight(e, call) ? walk_eights(e, call, rows) : 0;
	rows = (row_range){rows.first + (int64_t)done, rows.n - done};
	if (!rows.n)
		return;
	if (call->scratch_bytes > stack_codes(call) + SL_CACHE_LINE)
		walk_in(e, call, rows, (char *)sl_round_up((uintptr_t)call->scratch, SL_CACHE_LINE), call->scratch_bytes - SL_CACHE_LINE);
	else if (call->stack_taken)
		walk_on_less_stack(e, call, rows);
	else
		walk_on_stack(e, call, rows);
}

static void bin_stage_row(const engine *e, const engine_call *call, int64_t row, void *codes)
{
	if (e->pages.kind != PAGE_NONE)
		engine_bin_page_row(e, call, row, codes);
	else
		engine_bin_row(e, call->view, row, codes);
}

static void sum_stage(const engine *e, const engine_call *call, int64_t row, const void *codes, double *sums)
{
	if (e->pages.kind != PAGE_NONE)
		engine_sum_page_row(e, call, row, codes, sums);
	else
		sum_trees(e, call, row, codes, sums);
}

/* One row after the other; its codes are made once. */
static void walk_stages(const engine *e, const engine_call *call, const engine_stages *stages, double *room, void *codes)
{
	engine_call part = *call;
	clear_tail(e, codes, 1);
	for (int64_t row = 0; row < call->view->n_rows; row++) {
		bool wanted = true;
		bin_stage_row(e, call, row, codes);
		engine_start_sums(e->f, room);
		for (part.tree_begin = call->tree_begin; part.tree_begin < call->tree_end && wanted; part.tree_begin = part.tree_end) {
			uint32_t left = call->tree_end - part.tree_begin;
			part.tree_end = part.tree_begin + (left < stages->step ? left : stages->step);
			sum_stage(e, &part, row, codes, room);
			wanted = stages->visit(stages->context, row, 1, room, part.tree_end);
		}
	}
}

static NEVER_INLINE void stages_on_stack(const engine *e, const engine_call *call, const engine_stages *stages, double *room)
{
	uint64_t codes[STACK_CODES / sizeof(uint64_t)];
	walk_stages(e, call, stages, room, codes);
}

static NEVER_INLINE void stages_on_less_stack(const engine *e, const engine_call *call, const engine_stages *stages, double *room)
{
	_Alignas(SL_CACHE_LINE) uint64_t codes[FEW_STACK_CODES / sizeof(uint64_t)];
	walk_stages(e, call, stages, room, codes);
}

void engine_walk_stages(const engine *e, const engine_call *call, const engine_stages *stages, double *room)
{
	size_t bytes = row_bytes(e) + tail_bytes(e);
	if (e->pages.kind != PAGE_NONE || bytes <= FEW_STACK_CODES)
		stages_on_less_stack(e, call, stages, room);
	else if (bytes <= STACK_CODES)
		stages_on_stack(e, call, stages, room);
	else
		walk_stages(e, call, stages, room, (void *)sl_round_up((uintptr_t)call->scratch, SL_CACHE_LINE));
}
