/*
 * The bind and bin stages: the caller's values become codes.
 *
 * Exact: code = number of cuts <= x. One feature at a time for a block of rows, or all features of one row. Columns that
 * differ only in their rule for missing values are derived from the feature's base column.
 */
#include "parts.h"

#define ROW_TILE 16u /* features transposed together */
#define LINES_AHEAD 128u /* of columns that are asked for before the first one is binned */
#define CUTS_AHEAD 8u /* features whose cuts are asked for before they are sliced */
#define FAR_ROWS 512  /* bytes from row to row: a block of them is more than the batch regime asks for ahead */
#define ROW_SLOTS 32u /* sources of hashes that a single row remembers */

/* Values of one feature of a run, at most BLOCK_ROWS: exactly one of the two is set. */
typedef struct values {
	const float *narrow;
	const double *wide;
	size_t n;
	const uint64_t *marked; /* those that are missing whatever the value that stands there; NULL: none */
} values;

#define MARK_WORDS (BLOCK_ROWS / 64)

static values dense_values(const float *narrow, const double *wide, size_t n)
{
	return (values){narrow, wide, n, NULL};
}

static double value_at(const values *v, size_t i)
{
	return v->narrow ? (double)v->narrow[i] : v->wide[i];
}

/* ---- codes of one feature -------------------------------------------------------------------------------- */

static uint32_t category_code(const engine *e, const code_column *column, double x)
{
	const column_tables *known = e->tables + (column - e->columns);
	if (x != x)
		return known->n_categories + 1;
	int64_t category = forest_category(e->f->contract.category_rule, x);
	uint32_t low = 0, high = known->n_categories;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if ((int64_t)known->categories[middle] < category)
			low = middle + 1;
		else
			high = middle;
	}
	return low < known->n_categories && (int64_t)known->categories[low] == category ? low + 1 : 0;
}

#define CODE uint8_t
#define CODE_NAME(name) name##_u8
#include "bin_template.h"
#define CODE uint16_t
#define CODE_NAME(name) name##_u16
#include "bin_template.h"
#define CODE uint32_t
#define CODE_NAME(name) name##_u32
#include "bin_template.h"

/* Where codes go: column c starts at codes + c * stride codes, or, where columns of few cuts are sliced, at its place. `done` rows of the
 * block come before those at hand. */
typedef struct code_room {
	char *codes;
	size_t stride;
	bool sliced;
	size_t done;
} code_room;

static uint32_t slices_in(const engine *e, const code_room *room, uint32_t column)
{
	return room->sliced ? engine_slices(e, column) : 0;
}

/* Of a byte column, or one of a block without slices. */
static char *codes_at(const engine *e, const code_room *room, uint32_t column)
{
	size_t at = room->sliced ? engine_place(e, column) + room->done : (column * room->stride + room->done) * e->code_bytes;
	return room->codes + at;
}

/* ---- sliced columns ----------------------------------------------------------------------------------------- */

/* Rows that a bitmap marks as missing get the lowest or the highest code. */
static void mark_planes(const uint64_t *marked, size_t n, bool high, uint32_t planes, uint64_t *bits)
{
	for (uint32_t k = 0; k < planes; k++, bits += SLICE_WORDS) {
		for (size_t w = 0; 64 * w < n; w++)
			bits[w] = high ? bits[w] | marked[w] : bits[w] & ~marked[w];
	}
}

/* One of a feature's columns by way of byte codes, of whose bits the lowest are kept: the highest code stays above all cuts. */
static NEVER_INLINE void slice_codes(const engine *e, uint32_t used, const values *v, uint32_t column, uint32_t planes, uint64_t *bits)
{
	_Alignas(SL_CACHE_LINE) uint8_t codes[BLOCK_ROWS];
	bool may_be_missing = rank_u8(e, used, v, codes);
	place_missing_u8(e, e->columns + column, v, may_be_missing, codes, codes);
	memset(codes + v->n, 0, sl_round_up(v->n, 64) - v->n);
	e->k->slice(codes, planes, v->n, bits);
}

static NEVER_INLINE void slice_feature(const engine *e, uint32_t used, const values *v, const code_room *room)
{
	const uint32_t planes = slices_in(e, room, e->first_column[used]);
	const bin_table *t = e->bins + used;
	if (used + CUTS_AHEAD < e->n_used_features) {
		__builtin_prefetch(t[CUTS_AHEAD].narrow, 0, 3);
		__builtin_prefetch(t[CUTS_AHEAD].narrow + t[CUTS_AHEAD].n, 0, 3);
	}
	const bool at_once = v->narrow && room->done % SLICE_ROWS == 0 && isfinite(t->narrow[0]) && isfinite(t->narrow[t->n - 1]);
	for (uint32_t c = e->first_column[used]; c < e->first_column[used + 1]; c++) {
		const bool high = e->columns[c].missing == MISSING_HIGH;
		uint64_t *bits = (uint64_t *)(void *)(room->codes + engine_place(e, c)) + room->done / 64;
		if (at_once && !e->columns[c].zero_is_missing)
			e->k->slice_f32(t, planes, v->narrow, v->n, high, bits);
		else
			slice_codes(e, used, v, c, planes, bits);
		if (v->marked)
			mark_planes(v->marked, v->n, high, planes, bits);
	}
}

static NEVER_INLINE void bin_feature(const engine *e, uint32_t used, const values *v, const code_room *room)
{
	if (slices_in(e, room, e->first_column[used])) {
		slice_feature(e, used, v, room);
		return;
	}
	char *codes = codes_at(e, room, e->first_column[used]);
	if (e->code_bytes == 1)
		bin_feature_u8(e, used, v, codes, room->stride);
	else if (e->code_bytes == 2)
		bin_feature_u16(e, used, v, codes, room->stride);
	else
		bin_feature_u32(e, used, v, codes, room->stride);
}

/* ---- a block, column by column ---------------------------------------------------------------------------- */

/* Values that lie densely in the caller's memory are binned where they are. Those that a bitmap marks as missing get their codes
 * afterwards, unless a column of the feature looks at more than whether a value is NaN. */
static bool in_place(const engine *e, const input_view *view, uint32_t used, row_range rows, bool narrow, uint64_t marks[MARK_WORDS],
	values *v)
{
	uint32_t feature = e->used_features[used];
	const void *from = input_dense(view, feature, narrow ? SCORE_F32 : SCORE_F64, rows.first);
	if (!from)
		return false;
	const score_column *column = view->columns + input_column(view, feature);
	if (column->validity && input_missing_words(column->validity, column->offset + rows.first, rows.n, marks))
		v->marked = marks;
	for (uint32_t c = e->first_column[used]; v->marked && c < e->first_column[used + 1]; c++) {
		if (e->columns[c].is_category || e->columns[c].zero_is_missing)
			return false;
	}
	if (narrow)
		v->narrow = from;
	else
		v->wide = from;
	return true;
}

/* Derived columns [first, end) of a few rows after the other, as they share hashes. The tile is room for those, too. */
static NEVER_INLINE void bin_derived(const engine *e, const input_view *view, row_range rows, uint32_t first, uint32_t end, void *tile,
	size_t tile_bytes, code_room codes)
{
	const size_t most = rows.n < INPUT_RUN ? rows.n : INPUT_RUN;
	double *wide = tile;
	float *narrow = (float *)(wide + most);
	char *room = (char *)(wide + 2 * most);
	const uint32_t n_slots = input_memo_slots(most, tile_bytes - 2 * most * sizeof *wide);
	for (size_t done = 0; done < rows.n; done += INPUT_RUN) {
		codes.done = done;
		size_t n = rows.n - done < INPUT_RUN ? rows.n - done : INPUT_RUN;
		values v = engine_derives_narrow(e) ? dense_values(narrow, NULL, n) : dense_values(NULL, wide, n);
		input_memo memo;
		input_memo_begin(&memo, n, room, n_slots);
		for (uint32_t u = first; u < end; u++) {
			input_derive_run(e->f, view, e->used_features[u], rows.first + (int64_t)done, n, &memo, wide);
			for (size_t i = 0; i < n && v.narrow; i++)
				narrow[i] = (float)wide[i];
			bin_feature(e, u, &v, &codes);
		}
	}
}

/* Of an input. The tile and the marks are room for them. */
static values fetch(const engine *e, const input_view *view, uint32_t used, row_range rows, void *tile, uint64_t marks[MARK_WORDS])
{
	uint32_t feature = e->used_features[used];
	values v = dense_values(NULL, NULL, rows.n);
	if (forest_is_hashed(e->f, feature)) {
		input_fetch_hashed(view, feature, rows.first, rows.n, tile);
		v.wide = tile;
	} else if (view->columns && in_place(e, view, used, rows, engine_uses_narrow(e, view), marks, &v)) {
		return v;
	} else if (engine_uses_narrow(e, view)) {
		input_fetch_f32(view, feature, rows.first, rows.n, tile);
		v = dense_values(tile, NULL, rows.n);
	} else {
		input_fetch_f64(view, feature, rows.first, rows.n, tile);
		v = dense_values(NULL, tile, rows.n);
	}
	return v;
}

static void bin_input(const engine *e, const input_view *view, row_range rows, uint32_t used, void *tile, const code_room *codes)
{
	uint64_t marks[MARK_WORDS];
	values v = fetch(e, view, used, rows, tile, marks);
	bin_feature(e, used, &v, codes);
}

/* Rows are adjacent floats, as many as a tile has columns or more. */
static bool can_transpose(const engine *e, const input_view *view)
{
	return view->data && view->dtype == SCORE_F32 && !view->column_of_feature &&
		view->column_stride == (int64_t)sizeof(float) && e->f->n_features >= ROW_TILE;
}

/* Pad the codes of n rows up to `to`, which are more, so that kernels read nothing that was never written. */
static NEVER_INLINE void pad_rows(const engine *e, uint32_t first, uint32_t end, size_t n, size_t to, const code_room *codes)
{
	const size_t words = (n + 63) / 64;
	for (uint32_t c = first; c < end; c++) {
		const uint32_t planes = slices_in(e, codes, c);
		char *at = planes ? codes->codes + engine_place(e, c) : codes_at(e, codes, c);
		for (uint32_t k = 0; k < planes; k++)
			memset(at + (k * SLICE_WORDS + words) * sizeof(uint64_t), 0, (SLICE_WORDS - words) * sizeof(uint64_t));
		if (!planes)
			memset(at + n * e->code_bytes, 0, (to - n) * e->code_bytes);
	}
}

static inline void pad_codes(const engine *e, uint32_t first, uint32_t end, size_t n, size_t to, const code_room *codes)
{
	if (to > n)
		pad_rows(e, first, end, n, to, codes);
}

/* The first column of the tile that used feature `used` is in. Near the right edge it starts earlier, so that it stays within
 * the row. */
static uint32_t tile_column(const engine *e, uint32_t used)
{
	uint32_t feature = e->used_features[used];
	return feature + ROW_TILE <= e->f->n_features ? feature : e->f->n_features - ROW_TILE;
}

static const char *tile_at(const input_view *view, row_range rows, uint32_t feature)
{
	return view->data + rows.first * view->row_stride + (int64_t)feature * (int64_t)sizeof(float);
}

/* Ask for part `i` of `parts` of a tile's rows: they come while a feature of the tile before is binned. Where a tile begins
 * within a cache line, its neighbour has read that line already. */
static void fetch_tile(const input_view *view, const char *from, size_t n, size_t i, size_t parts)
{
	const int64_t last_byte = ROW_TILE * (int64_t)sizeof(float) - 1;
	for (size_t r = n * i / parts; r < n * (i + 1) / parts; r++)
		__builtin_prefetch(from + (int64_t)r * view->row_stride + last_byte, 0, 2);
}

/* As many used features as one 16-column tile covers, starting at used feature `used`; returns how many were binned. */
static uint32_t bin_tile(const engine *e, const input_view *view, row_range rows, uint32_t used, float *tile,
	size_t tile_rows, const code_room *codes)
{
	uint32_t feature = tile_column(e, used), end = used;
	e->k->transpose16(tile_at(view, rows, feature), view->row_stride, rows.n, tile, tile_rows);
	while (end < e->n_used_features && e->used_features[end] < feature + ROW_TILE)
		end++;
	const char *next = NULL;
	if (end < e->n_used_inputs && view->row_stride >= FAR_ROWS)
		next = tile_at(view, rows, tile_column(e, end));
	for (uint32_t u = used; u < end; u++) {
		values v = dense_values(tile + (size_t)(e->used_features[u] - feature) * tile_rows, NULL, rows.n);
		if (forest_is_hashed(e->f, e->used_features[u])) /* beside the transposed floats */
			v = fetch(e, view, u, rows, tile + ROW_TILE * tile_rows, NULL);
		if (next)
			fetch_tile(view, next, rows.n, u - used, end - used);
		bin_feature(e, u, &v, codes);
	}
	return end - used;
}

/* Sparse rows, 16 adjacent columns at a time from left to right, so that each entry is met once; used features up to the
 * first that is derived. */
static void bin_sparse(const engine *e, const input_view *view, row_range rows, size_t padded, void *tile, const code_room *codes)
{
	uint32_t cursors[BLOCK_ROWS];
	bool narrow = engine_uses_narrow(e, view);
	memset(cursors, 0, rows.n * sizeof *cursors);
	for (uint32_t u = 0, end; u < e->n_used_inputs; u = end) {
		uint32_t feature = e->used_features[u];
		for (end = u + 1; end < e->n_used_inputs && e->used_features[end] < feature + ROW_TILE;)
			end++;
		uint32_t n = e->used_features[end - 1] - feature + 1;
		if (narrow)
			input_csr_tile_f32(view, rows.first, rows.n, feature, n, cursors, tile, TILE_ROWS);
		else
			input_csr_tile_f64(view, rows.first, rows.n, feature, n, cursors, tile, TILE_ROWS);
		for (uint32_t i = u; i < end; i++) {
			size_t at = (size_t)(e->used_features[i] - feature) * TILE_ROWS;
			values v = dense_values(narrow ? (const float *)tile + at : NULL, narrow ? NULL : (const double *)tile + at, rows.n);
			bin_feature(e, i, &v, codes);
		}
		pad_codes(e, e->first_column[u], e->first_column[end], rows.n, padded, codes);
	}
}

static size_t lines_of(const score_column *c, row_range rows)
{
	return (rows.n * input_dense_bytes(c) + SL_CACHE_LINE - 1) / SL_CACHE_LINE;
}

/* Go on to the next column of dense values, and ask for its bitmap, which is a line or two. */
static bool next_lines(const engine *e, column_lines *ahead)
{
	while (ahead->next < e->n_used_inputs) {
		const score_column *c = ahead->view->columns + input_column(ahead->view, e->used_features[ahead->next++]);
		size_t size = input_dense_bytes(c);
		if (c->validity) {
			int64_t first = c->offset + ahead->rows.first;
			__builtin_prefetch(c->validity + first / 8, 0, 2);
			__builtin_prefetch(c->validity + (first + (int64_t)ahead->rows.n - 1) / 8, 0, 2);
		}
		if (!size)
			continue;
		ahead->at = (const char *)c->values + (c->offset + ahead->rows.first) * (int64_t)size;
		ahead->lines = lines_of(c, ahead->rows);
		__builtin_prefetch(ahead->at + ahead->rows.n * size - 1, 0, 2); /* the last line, wherever lines begin */
		return true;
	}
	return false;
}

void engine_fetch_columns(const engine *e, column_lines *ahead, size_t n_lines)
{
	for (size_t n; n_lines; n_lines -= n) {
		if (!ahead->lines && !next_lines(e, ahead))
			return;
		n = ahead->lines < n_lines ? ahead->lines : n_lines;
		for (size_t i = 0; i < n; i++)
			__builtin_prefetch(ahead->at + i * SL_CACHE_LINE, 0, 2);
		ahead->at += n * SL_CACHE_LINE;
		ahead->lines -= n;
	}
}

static column_lines start_lines(const engine *e, const input_view *view, row_range rows)
{
	column_lines ahead = {.view = view->columns ? view : NULL, .rows = rows};
	if (ahead.view)
		engine_fetch_columns(e, &ahead, LINES_AHEAD);
	return ahead;
}

/* As many more as the used feature that is binned next has. */
static void follow_lines(const engine *e, uint32_t used, column_lines *ahead)
{
	if (ahead->view && used < e->n_used_inputs)
		engine_fetch_columns(e, ahead, lines_of(ahead->view->columns + input_column(ahead->view, e->used_features[used]), ahead->rows));
}

void engine_bin_columns(const engine *e, const input_view *view, row_range rows, size_t padded, bool sliced, void *tile, void *codes)
{
	const code_room room = {codes, BLOCK_ROWS, sliced, 0};
	bool tiles = can_transpose(e, view);
	uint32_t u = 0;
	if (view->codes) {
		engine_copy_columns(e, view, rows, codes);
		return;
	}
	if (view->is_csr && !view->column_of_feature && e->f->contract.category_rule != SCORE_CATEGORY_HASH) {
		bin_sparse(e, view, rows, padded, tile, &room);
		u = e->n_used_inputs;
	}
	column_lines ahead = start_lines(e, view, rows);
	while (u < e->n_used_inputs) {
		uint32_t first = u;
		follow_lines(e, u, &ahead);
		if (tiles) {
			u += bin_tile(e, view, rows, u, tile, TILE_ROWS, &room);
		} else {
			bin_input(e, view, rows, u++, tile, &room);
		}
		pad_codes(e, e->first_column[first], e->first_column[u], rows.n, padded, &room);
	}
	if (u < e->n_used_features)
		bin_derived(e, view, rows, u, e->n_used_features, tile, BIN_TILE_BYTES, room);
	pad_codes(e, e->first_column[u], e->n_columns, rows.n, padded, &room);
}

void engine_bin_used(const engine *e, const input_view *view, row_range rows, uint32_t used, void *tile, void *codes)
{
	const code_room room = {codes, BLOCK_ROWS, false, 0};
	if (used < e->n_used_inputs)
		bin_input(e, view, rows, used, tile, &room);
	else
		bin_derived(e, view, rows, used, used + 1, tile, BIN_TILE_BYTES, room);
}

/* ---- some rows, without scratch ----------------------------------------------------------------------------- */

#define RUN_ROWS 48u /* so few that a tile of their values fits the stack, in frames of any compiler */
#define EIGHT_ROWS 8u
#define PADDED(rows) ((rows) + 16) /* in a tile */
#define RUN_TILE(rows) (ROW_TILE * PADDED(rows) + 2 * (rows)) /* floats, and a column of doubles behind them */

static void bin_run(const engine *e, const input_view *view, row_range rows, float *tile, size_t most_rows, void *codes, size_t stride)
{
	const code_room room = {codes, stride, false, 0};
	bool tiles = can_transpose(e, view);
	column_lines ahead = start_lines(e, view, rows);
	for (uint32_t u = 0; u < e->n_used_inputs;) {
		follow_lines(e, u, &ahead);
		if (tiles) {
			u += bin_tile(e, view, rows, u, tile, PADDED(most_rows), &room);
		} else {
			bin_input(e, view, rows, u++, tile, &room);
		}
	}
	if (e->n_used_inputs < e->n_used_features)
		bin_derived(e, view, rows, e->n_used_inputs, e->n_used_features, tile, RUN_TILE(most_rows) * sizeof *tile, room);
}

void engine_bin_eight(const engine *e, const input_view *view, row_range rows, uint8_t *codes)
{
	_Alignas(64) float tile[RUN_TILE(EIGHT_ROWS)];
	bin_run(e, view, rows, tile, EIGHT_ROWS, codes, EIGHT_ROWS);
}

void engine_bin_table(const engine *e, const input_view *view, void *codes, size_t stride)
{
	_Alignas(64) float tile[RUN_TILE(RUN_ROWS)];
	for (int64_t first = 0; first < view->n_rows; first += RUN_ROWS) {
		int64_t left = view->n_rows - first;
		row_range rows = {first, left < (int64_t)RUN_ROWS ? (size_t)left : RUN_ROWS};
		bin_run(e, view, rows, tile, RUN_ROWS, (char *)codes + (size_t)first * e->code_bytes, stride);
	}
}

/* ---- one row ------------------------------------------------------------------------------------------------ */

static inline void bin_one(const engine *e, uint32_t used, const values *v, void *codes)
{
	if (e->code_bytes == 1)
		bin_one_u8(e, used, v, codes);
	else if (e->code_bytes == 2)
		bin_one_u16(e, used, v, codes);
	else
		bin_one_u32(e, used, v, codes);
}

/* With derived columns or hashed categories. */
static NEVER_INLINE void bin_any_row(const engine *e, const input_view *view, int64_t row, void *codes)
{
	double room[2 + INPUT_MEMO_BYTES(1, ROW_SLOTS) / sizeof(double)];
	const row_range one = {row, 1};
	const code_room to = {codes, 1, false, 0};
	for (uint32_t u = 0; u < e->n_used_inputs; u++)
		bin_input(e, view, one, u, room, &to);
	bin_derived(e, view, one, e->n_used_inputs, e->n_used_features, room, sizeof room, to);
}

void engine_bin_row(const engine *e, const input_view *view, int64_t row, void *codes)
{
	bool narrow = engine_uses_narrow(e, view);
	if (view->codes) {
		engine_copy_row(e, view, row, codes);
		return;
	}
	if (e->k->rank_f32 && e->code_bytes == 1 && !e->tables) {
		engine_bin_rows8(e, view, (row_range){row, 1}, codes, 0);
		return;
	}
	if (e->n_used_inputs < e->n_used_features || e->f->contract.category_rule == SCORE_CATEGORY_HASH) {
		bin_any_row(e, view, row, codes);
		return;
	}
	for (uint32_t u = 0; u < e->n_used_features; u++) {
		float x32;
		double x64;
		values v = dense_values(narrow ? &x32 : NULL, narrow ? NULL : &x64, 1);
		if (narrow)
			input_fetch_f32(view, e->used_features[u], row, 1, &x32);
		else
			input_fetch_f64(view, e->used_features[u], row, 1, &x64);
		bin_one(e, u, &v, codes);
	}
}
