/*
 * The walk through deep trees, which lie in pages.
 *
 * Comes in: a call to a model that has a page_plan. Goes out: sums, tree after tree in the source's order, or leaf numbers. The
 * codes of a row lie side by side, so that the kernels look up those that a page asks for. Many rows: one tree at a time for as
 * many rows as the scratch holds. Few rows: several trees at a time.
 */
#include "parts.h"

#define STACK_CODES 3072u             /* bytes of codes that go on the stack when there is no scratch */
#define FEW_STACK_CODES 1024u         /* the same where the caller has something there */
#define ROW_BYTES 256u                /* of codes of one row before they are laid, at most */
#define MOST_ROWS 16384u              /* of a portion: more gain nothing */
#define MOST_CODES ((size_t)768 << 10) /* bytes of a portion's codes: they share the second-level cache with two trees */
#define MOST_MAP_LINES 8192u          /* of all features' maps, that a second-level cache keeps while rows pass by */
#define MOST_STRIDE 512               /* bytes: beyond it, each feature would fetch rows from memory for itself */
#define STREAM_ROWS 400u              /* so many rows meet most pages of a tree: all are asked for, in order, a tree ahead */

static size_t bin_bytes(const engine *e)
{
	return sl_round_up(sl_round_up(BIN_TILE_BYTES, SL_CACHE_LINE) + (size_t)e->n_columns * e->code_bytes * BLOCK_ROWS, SL_CACHE_LINE);
}

static size_t stride_of(const engine *e)
{
	return PAGE_STRIDE(e->pages.kind);
}

size_t engine_pages_scratch(const engine *e)
{
	size_t rows = MOST_CODES / stride_of(e);
	return bin_bytes(e) + (rows < MOST_ROWS ? rows : MOST_ROWS) * stride_of(e) + SL_CACHE_LINE;
}

/* ---- codes -------------------------------------------------------------------------------------------------- */

/* Where a row's codes of two bytes go. */
typedef struct wide_row {
	size_t stride, high; /* bytes from row to row; to the high bytes, or 0: a code's bytes are side by side */
} wide_row;

static inline void put_wide(const wide_row *w, uint8_t *codes, size_t row, size_t column, uint16_t code)
{
	uint8_t *to = codes + row * w->stride;
	if (w->high) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): scratch that has bytes is somewhere */
		to[column] = (uint8_t)code;
		to[w->high + column] = (uint8_t)(code >> 8);
	} else {
		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): scratch that has bytes is somewhere */
		memcpy(to + 2 * column, &code, sizeof code);
	}
}

/* What of a code of four bytes lies above a base, as far as two bytes hold it. */
static inline uint16_t above_base(uint32_t code, uint32_t base)
{
	uint32_t above = code > base ? code - base : 0;
	return (uint16_t)(above < UINT16_MAX ? above : UINT16_MAX);
}

/* Columns [first, end) of pages, from codes column after column, `step` codes apart → rows of n_rows. */
static void lay_columns(const engine *e, const void *columns, size_t step, size_t first, size_t end, size_t n_rows, uint8_t *codes)
{
	const page_plan *p = &e->pages;
	const wide_row w = {stride_of(e), e->k->page_split_codes ? stride_of(e) / 2 : 0};
	for (size_t c = first; c < end; c++) {
		const char *from = (const char *)columns + (p->sources ? p->sources[c] : c) * step * e->code_bytes;
		if (e->code_bytes == 1) {
			for (size_t r = 0; r < n_rows; r++)
				/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): scratch that has bytes is somewhere */
				codes[r * w.stride + c] = ((const uint8_t *)from)[r];
		} else if (e->code_bytes == 2) {
			for (size_t r = 0; r < n_rows; r++)
				put_wide(&w, codes, r, c, ((const uint16_t *)(const void *)from)[r]);
		} else {
			for (size_t r = 0; r < n_rows; r++)
				put_wide(&w, codes, r, c, above_base(((const uint32_t *)(const void *)from)[r], p->bases[c]));
		}
	}
}

/* What no page asks for: kernels load a row's codes as whole registers, and nobody need wonder what their ends hold. */
static void clear_ends(const engine *e, size_t n_rows, uint8_t *codes)
{
	const bool is_wide = e->code_bytes > 1, is_split = is_wide && e->k->page_split_codes;
	const size_t parts = is_split ? 2 : 1, bytes = stride_of(e) / parts, used = e->pages.n_columns * (is_wide && !is_split ? 2u : 1u);
	for (size_t i = 0; i < n_rows * parts && used < bytes; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): scratch that has bytes is somewhere */
		memset(codes + i * bytes + used, 0, bytes - used);
}

static void lay_rows(const engine *e, const void *columns, size_t step, size_t n_rows, uint8_t *codes)
{
	lay_columns(e, columns, step, 0, e->pages.n_columns, n_rows, codes);
	clear_ends(e, n_rows, codes);
}

void engine_bin_page_row(const engine *e, const engine_call *call, int64_t row, void *codes)
{
	uint64_t one[ROW_BYTES / sizeof(uint64_t)];
	engine_bin_row(e, call->view, row, one);
	lay_rows(e, one, 1, 1, codes);
}

/* What binning one feature looks at: lines from `starts` on, then from `cuts` on. */
typedef struct map_lines {
	const char *starts, *cuts;
	size_t n_starts, n;
} map_lines;

static map_lines lines_of_map(const engine *e, const input_view *view, uint32_t used)
{
	const bin_table *t = e->bins + used;
	bool narrow = engine_uses_narrow(e, view);
	const bin_map *map = narrow ? &t->narrow_map : &t->wide->map;
	map_lines l = {map->start, narrow ? (const char *)t->narrow : (const char *)t->wide->cuts, 0, 0};
	l.n_starts = ((size_t)map->last + 1) * e->code_bytes / SL_CACHE_LINE;
	l.n = l.n_starts + t->n * (narrow ? sizeof(float) : sizeof(double)) / SL_CACHE_LINE;
	return l;
}

/* Maps that do not fit a second-level cache together do so one by one. Rows that are sparse, codes or far apart come all features
 * at a time. */
static bool bins_by_feature(const engine *e, const input_view *view)
{
	size_t lines = 0;
	bool far = view->data && (view->row_stride > MOST_STRIDE || view->row_stride < -MOST_STRIDE);
	if (far || view->codes || view->is_csr)
		return false;
	for (uint32_t u = 0; u < e->n_used_features; u++)
		lines += lines_of_map(e, view, u).n;
	return lines > MOST_MAP_LINES;
}

static void bin_by_feature(const engine *e, const input_view *view, row_range rows, char *tile, char *columns, uint8_t *codes)
{
	const page_plan *p = &e->pages;
	for (uint32_t u = 0, c = 0, end; u < e->n_used_features; u++, c = end) {
		map_lines l = lines_of_map(e, view, u);
		for (end = c; end < p->n_columns && (p->sources ? p->sources[end] : end) < e->first_column[u + 1];)
			end++;
		for (size_t i = 0; i < l.n; i++)
			__builtin_prefetch(i < l.n_starts ? l.starts + i * SL_CACHE_LINE : l.cuts + (i - l.n_starts) * SL_CACHE_LINE, 0, 2);
		for (size_t r = 0; r < rows.n; r += BLOCK_ROWS) {
			row_range part = {rows.first + (int64_t)r, rows.n - r < BLOCK_ROWS ? rows.n - r : BLOCK_ROWS};
			engine_bin_used(e, view, part, u, tile, columns);
			lay_columns(e, columns, BLOCK_ROWS, c, end, part.n, codes + r * stride_of(e));
		}
	}
	clear_ends(e, rows.n, codes);
}

/* `bin`: room to bin BLOCK_ROWS rows column by column; NULL: one row at a time. */
static void bin_rows(const engine *e, const engine_call *call, row_range rows, char *bin, uint8_t *codes)
{
	if (!bin) {
		for (size_t r = 0; r < rows.n; r++)
			engine_bin_page_row(e, call, rows.first + (int64_t)r, codes + r * stride_of(e));
		return;
	}
	char *columns = bin + sl_round_up(BIN_TILE_BYTES, SL_CACHE_LINE);
	size_t step = (size_t)64 * e->k->plane_words;
	if (rows.n > BLOCK_ROWS && bins_by_feature(e, call->view)) {
		bin_by_feature(e, call->view, rows, bin, columns, codes);
		return;
	}
	for (size_t r = 0; r < rows.n; r += step) {
		row_range part = {rows.first + (int64_t)r, rows.n - r < step ? rows.n - r : step};
		engine_bin_columns(e, call->view, part, part.n, false, bin, columns);
		lay_rows(e, columns, BLOCK_ROWS, part.n, codes + r * stride_of(e));
	}
}

/* ---- leaves ------------------------------------------------------------------------------------------------- */

/* Some rows of a call that have codes. */
typedef struct coded_rows {
	const uint8_t *codes;
	int64_t first;
	uint32_t n;
	double *out;   /* sums, or leaf numbers, `width` per row */
	size_t width;
	bool far;      /* pages and leaves are asked for one by one */
} coded_rows;

static uint32_t leaf_of(const forest_tree *t, uint32_t exit)
{
	return t->first_leaf + (exit & (PAGE_LEAF - 1));
}

/* Leaves of one value as they lie in the forest: a build per type. */
static void add_f32(const float *leaves, bool narrow, const uint32_t *exits, size_t n, double *to, size_t width)
{
	for (size_t r = 0; r < n && narrow; r++)
		to[r * width] = (double)((float)to[r * width] + leaves[exits[r] & (PAGE_LEAF - 1)]);
	for (size_t r = 0; r < n && !narrow; r++)
		to[r * width] += (double)leaves[exits[r] & (PAGE_LEAF - 1)];
}

static void add_f64(const double *leaves, const uint32_t *exits, size_t n, double *to, size_t width)
{
	for (size_t r = 0; r < n; r++)
		to[r * width] += leaves[exits[r] & (PAGE_LEAF - 1)];
}

/* Add the leaves of one tree to the sums of some rows. */
static void add_tree(const engine *e, const engine_call *call, const coded_rows *rows, uint32_t tree, const uint32_t *exits,
	size_t first, size_t n)
{
	const forest *f = e->f;
	const forest_tree *t = f->trees + tree;
	double *to = rows->out + first * rows->width;
	bool narrow = f->contract.sum == SCORE_F32;
	if (call->output == SCORE_OUTPUT_LEAF) {
		for (size_t r = 0; r < n; r++)
			to[r * rows->width + tree - call->tree_begin] = (double)forest_number(&f->leaf_ids, leaf_of(t, exits[r]));
	} else if (f->leaf_width != 1 || engine_has_linear_leaves(e)) {
		for (size_t r = 0; r < n; r++)
			engine_add_leaf(e, call->view, rows->first + (int64_t)(first + r), tree, leaf_of(t, exits[r]), to + r * rows->width);
	} else if (f->leaves.bytes == sizeof(float)) {
		add_f32((const float *)f->leaves.values + t->first_leaf, narrow, exits, n, to + t->output, rows->width);
	} else {
		add_f64((const double *)f->leaves.values + t->first_leaf, exits, n, to + t->output, rows->width);
	}
}

/* A leaf's value is far from all others: those of many walks are asked for together. */
static void fetch_leaves(const engine *e, const page_call *walks)
{
	const forest *f = e->f;
	size_t bytes = (size_t)f->leaf_width * f->leaves.bytes;
	for (uint32_t t = 0; t < walks->n_trees; t++) {
		const uint32_t *exits = walks->exits + ((size_t)t << walks->row_bits);
		for (uint32_t r = 0; r < walks->n_rows; r++)
			__builtin_prefetch((const char *)f->leaves.values + leaf_of(f->trees + walks->first_tree + t, exits[r]) * bytes);
	}
}

/* What many rows ask for while they walk the tree before: its pages, then its leaves. */
typedef struct tree_lines {
	const char *pages, *leaves;
	size_t n_pages, n;
} tree_lines;

static tree_lines lines_of(const engine *e, uint32_t tree)
{
	const forest *f = e->f;
	const page_plan *p = &e->pages;
	size_t bytes = (size_t)f->leaf_width * f->leaves.bytes;
	tree_lines l = {(const char *)p->pages + (size_t)p->first_page[tree] * PAGE_BYTES,
		(const char *)f->leaves.values + f->trees[tree].first_leaf * bytes, 0, 0};
	l.n_pages = (size_t)(p->first_page[tree + 1] - p->first_page[tree]) * (PAGE_BYTES / SL_CACHE_LINE);
	l.n = l.n_pages + (f->trees[tree].n_splits + 1) * bytes / SL_CACHE_LINE;
	return l;
}

/* Part of them, for rows [done, done + n) of n_rows. */
static void share_lines(const tree_lines *l, size_t done, size_t n, size_t n_rows, page_call *walks)
{
	size_t from = l->n * done / n_rows, to = l->n * (done + n) / n_rows;
	to = from < l->n_pages && to > l->n_pages ? l->n_pages : to;
	walks->fetch = from < l->n_pages ? l->pages + from * SL_CACHE_LINE : l->leaves + (from - l->n_pages) * SL_CACHE_LINE;
	walks->n_fetch = (uint32_t)(to - from);
}

static NEVER_INLINE void sum_trees(const engine *e, const engine_call *call, const coded_rows *rows)
{
	uint32_t exits[PAGE_WALKS], row_bits = 0;
	while ((uint32_t)1 << row_bits < rows->n && (uint32_t)1 << row_bits < PAGE_WALKS)
		row_bits++;
	page_call walks = {.plan = &e->pages, .exits = exits, .row_bits = row_bits, .ahead = rows->far};
	for (uint32_t t = call->tree_begin; t < call->tree_end; t += walks.n_trees) {
		walks.first_tree = t;
		walks.n_trees = PAGE_WALKS >> row_bits;
		walks.n_trees = walks.n_trees < call->tree_end - t ? walks.n_trees : call->tree_end - t;
		for (uint32_t r = 0; r < rows->n; r += walks.n_rows) {
			walks.n_rows = rows->n - r < PAGE_WALKS ? rows->n - r : PAGE_WALKS;
			walks.codes = rows->codes + r * stride_of(e);
			if (!rows->far && t + 1 < call->tree_end) {
				tree_lines l = lines_of(e, t + 1);
				share_lines(&l, r, walks.n_rows, rows->n, &walks);
			} else {
				walks.n_fetch = 0;
			}
			e->k->page_leaves(&walks);
			if (rows->far)
				fetch_leaves(e, &walks);
			for (uint32_t i = 0; i < walks.n_trees; i++)
				add_tree(e, call, rows, t + i, exits + ((size_t)i << row_bits), r, walks.n_rows);
		}
	}
}

/* ---- a call ------------------------------------------------------------------------------------------------- */

static void start_rows(const engine *e, const coded_rows *rows)
{
	for (size_t r = 0; r < rows->n; r++)
		engine_start_sums(e->f, rows->out + r * rows->width);
}

/* Rows whose output has no room for their sums. */
static NEVER_INLINE void sum_few_outputs(const engine *e, const engine_call *call, row_range rows, const uint8_t *codes, double *out,
	size_t width)
{
	double few[OUTPUTS_ON_STACK];
	for (size_t r = 0; r < rows.n; r++) {
		const coded_rows one = {codes + r * stride_of(e), rows.first + (int64_t)r, 1, few, 0, true};
		start_rows(e, &one);
		sum_trees(e, call, &one);
		engine_finish_row(e, call, few, out + r * width);
	}
}

/* As many rows as have codes. */
static void score_portion(const engine *e, const engine_call *call, row_range rows, const uint8_t *codes)
{
	size_t width = engine_output_width(e, call->output, call->tree_end - call->tree_begin);
	double *out = engine_row_out(call, rows.first, width);
	const coded_rows part = {codes, rows.first, (uint32_t)rows.n, out, width, rows.n < STREAM_ROWS};
	if (call->output == SCORE_OUTPUT_LEAF) {
		sum_trees(e, call, &part);
	} else if (engine_lacks_room(e, call)) {
		sum_few_outputs(e, call, rows, codes, out, width);
	} else {
		start_rows(e, &part);
		sum_trees(e, call, &part);
		for (size_t r = 0; r < rows.n; r++)
			engine_finish_row(e, call, out + r * width, out + r * width);
	}
}

static void score_portions(const engine *e, const engine_call *call, row_range rows, char *bin, uint8_t *codes, size_t most)
{
	for (size_t done = 0; done < rows.n; done += most) {
		row_range part = {rows.first + (int64_t)done, rows.n - done < most ? rows.n - done : most};
		bin_rows(e, call, part, bin, codes);
		score_portion(e, call, part, codes);
	}
}

static NEVER_INLINE void score_on_stack(const engine *e, const engine_call *call, row_range rows)
{
	_Alignas(SL_CACHE_LINE) uint8_t codes[STACK_CODES];
	score_portions(e, call, rows, NULL, codes, sizeof codes / stride_of(e));
}

static NEVER_INLINE void score_on_less_stack(const engine *e, const engine_call *call, row_range rows)
{
	_Alignas(SL_CACHE_LINE) uint8_t codes[FEW_STACK_CODES];
	score_portions(e, call, rows, NULL, codes, sizeof codes / stride_of(e));
}

void engine_walk_pages(const engine *e, const engine_call *call, row_range rows)
{
	if (call->scratch_bytes >= bin_bytes(e) + STACK_CODES + SL_CACHE_LINE) {
		char *bin = (char *)sl_round_up((uintptr_t)call->scratch, SL_CACHE_LINE);
		size_t most = (call->scratch_bytes - SL_CACHE_LINE - bin_bytes(e)) / stride_of(e);
		score_portions(e, call, rows, bin, (uint8_t *)bin + bin_bytes(e), most < MOST_ROWS ? most : MOST_ROWS);
	} else if (call->stack_taken || engine_lacks_room(e, call)) {
		score_on_less_stack(e, call, rows);
	} else {
		score_on_stack(e, call, rows);
	}
}

void engine_sum_page_row(const engine *e, const engine_call *call, int64_t row, const void *codes, double *sums)
{
	const coded_rows one = {codes, row, 1, sums, 0, true};
	sum_trees(e, call, &one);
}
