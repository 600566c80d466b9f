/*
 * Single rows as byte codes, for models without categories: all features are ranked together.
 *
 * The same codes as engine_bin_row() gives, sooner: values are fetched in one go, if they are not read where they lie, and the kernels rank
 * a run of features without a call for each. Of columns, some rows' values are brought together, as rows would have them.
 */
#include "parts.h"

#define RUN_F32 64u /* features at a time */
#define RUN_F64 32u
#define GATHERED 8u /* rows of columns whose values are brought together */
#define DERIVED 16u /* derived columns at a time */
#define MEMO_SLOTS 16u /* sources of hashes that a few rows remember */

/* Values of used inputs [first, first + n), n at most RUN_F32. */
static void fetch_f32(const engine *e, const input_view *view, int64_t row, uint32_t first, uint32_t n, float *x)
{
	const uint32_t *feature = e->used_features + first;
	if (!view->data || view->dtype != SCORE_F32) {
		for (uint32_t i = 0; i < n; i++)
			input_fetch_f32(view, feature[i], row, 1, x + i);
		return;
	}
	const char *from = view->data + row * view->row_stride;
	for (uint32_t i = 0; i < n; i++)
		memcpy(x + i, from + (int64_t)input_column(view, feature[i]) * view->column_stride, sizeof *x);
}

static void fetch_f64(const engine *e, const input_view *view, int64_t row, uint32_t first, uint32_t n, double *x)
{
	for (uint32_t i = 0; i < n; i++)
		input_fetch_f64(view, e->used_features[first + i], row, 1, x + i);
}

/* Floats that lie side by side in the caller's row are ranked where they are. */
static const float *adjacent_f32(const engine *e, const input_view *view, int64_t row, uint32_t first, uint32_t n)
{
	const uint32_t *feature = e->used_features + first; /* ascending */
	if (!view->data || view->dtype != SCORE_F32 || view->column_of_feature || view->column_stride != (int64_t)sizeof(float) ||
		feature[n - 1] - feature[0] != n - 1)
		return NULL;
	return (const float *)(const void *)(view->data + row * view->row_stride + (int64_t)feature[0] * view->column_stride);
}

/* The feature's columns from its rank. */
static void put_columns(const engine *e, uint32_t used, double x, uint8_t rank, uint8_t *codes)
{
	for (uint32_t c = e->first_column[used]; c < e->first_column[used + 1]; c++) {
		const code_column *column = e->columns + c;
		codes[c] = !engine_is_missing(column, x) ? rank : column->missing == MISSING_HIGH ? UINT8_MAX : 0;
	}
}

#define VALUE float
#define NAME(name) name##_f32
#define RUN RUN_F32
#define DTYPE SCORE_F32
#define FETCH input_fetch_f32
#include "bin_row_template.h"
#define VALUE double
#define NAME(name) name##_f64
#define RUN RUN_F64
#define DTYPE SCORE_F64
#define FETCH input_fetch_f64
#include "bin_row_template.h"

/* Inputs of one row. */
static ALWAYS_INLINE void bin_narrow(const engine *e, const input_view *view, int64_t row, uint8_t *codes)
{
	for (uint32_t u = 0; u < e->n_used_inputs; u += RUN_F32) {
		uint32_t n = e->n_used_inputs - u < RUN_F32 ? e->n_used_inputs - u : RUN_F32;
		float room[RUN_F32];
		const float *adjacent = adjacent_f32(e, view, row, u, n);
		if (!adjacent)
			fetch_f32(e, view, row, u, n, room);
		rank_f32(e, u, n, adjacent ? adjacent : room, codes);
	}
}

static ALWAYS_INLINE void bin_wide(const engine *e, const input_view *view, int64_t row, uint8_t *codes)
{
	for (uint32_t u = 0; u < e->n_used_inputs; u += RUN_F64) {
		uint32_t n = e->n_used_inputs - u < RUN_F64 ? e->n_used_inputs - u : RUN_F64;
		double room[RUN_F64];
		fetch_f64(e, view, row, u, n, room);
		rank_f64(e, u, n, room, codes);
	}
}

/* Inputs of up to GATHERED rows. */
static ALWAYS_INLINE void bin_some(const engine *e, const input_view *view, row_range rows, uint8_t *codes, size_t stride)
{
	bool narrow = engine_uses_narrow(e, view);
	if (view->columns && rows.n == 1) {
		if (narrow)
			bin_gathered_one_f32(e, view, rows.first, codes);
		else
			bin_gathered_one_f64(e, view, rows.first, codes);
		return;
	}
	if (view->columns) {
		if (narrow)
			bin_gathered_some_f32(e, view, rows, codes, stride);
		else
			bin_gathered_some_f64(e, view, rows, codes, stride);
		return;
	}
	for (size_t r = 0; r < rows.n; r++) {
		if (narrow)
			bin_narrow(e, view, rows.first + (int64_t)r, codes + r * stride);
		else
			bin_wide(e, view, rows.first + (int64_t)r, codes + r * stride);
	}
}

/* As many rows as the memo and `x`, which has the values of some columns, are made for. */
static void bin_derived(const engine *e, const input_view *view, row_range rows, input_memo *memo, void *x, uint8_t *codes, size_t stride)
{
	if (engine_derives_narrow(e))
		bin_derived_row_f32(e, view, rows, memo, x, codes, stride);
	else
		bin_derived_row_f64(e, view, rows, memo, x, codes, stride);
}

static NEVER_INLINE void bin_derived_one(const engine *e, const input_view *view, int64_t row, uint8_t *codes)
{
	uint64_t room[INPUT_MEMO_BYTES(1, MEMO_SLOTS) / sizeof(uint64_t)];
	double x[DERIVED];
	input_memo memo;
	input_memo_begin(&memo, 1, room, MEMO_SLOTS);
	bin_derived(e, view, (row_range){row, 1}, &memo, x, codes, 0);
}

static NEVER_INLINE void bin_derived_some(const engine *e, const input_view *view, row_range rows, uint8_t *codes, size_t stride)
{
	uint64_t room[INPUT_MEMO_BYTES(GATHERED, MEMO_SLOTS) / sizeof(uint64_t)];
	double x[GATHERED * DERIVED];
	input_memo memo;
	input_memo_begin(&memo, GATHERED, room, MEMO_SLOTS);
	bin_derived(e, view, rows, &memo, x, codes, stride);
}

static NEVER_INLINE void bin_inputs(const engine *e, const input_view *view, row_range rows, uint8_t *codes, size_t stride)
{
	for (size_t done = 0; done < rows.n; done += GATHERED) {
		row_range some = {rows.first + (int64_t)done, rows.n - done < GATHERED ? rows.n - done : GATHERED};
		bin_some(e, view, some, codes + done * stride, stride);
	}
}

static void bin_all_derived(const engine *e, const input_view *view, row_range rows, uint8_t *codes, size_t stride)
{
	for (size_t done = 0; done < rows.n; done += GATHERED) {
		row_range some = {rows.first + (int64_t)done, rows.n - done < GATHERED ? rows.n - done : GATHERED};
		if (some.n == 1)
			bin_derived_one(e, view, some.first, codes + done * stride);
		else
			bin_derived_some(e, view, some, codes + done * stride, stride);
	}
}

void engine_bin_rows8(const engine *e, const input_view *view, row_range rows, uint8_t *codes, size_t stride)
{
	if (view->codes) {
		for (size_t r = 0; r < rows.n; r++)
			engine_copy_row(e, view, rows.first + (int64_t)r, codes + r * stride);
		return;
	}
	bin_inputs(e, view, rows, codes, stride);
	if (e->n_used_inputs < e->n_used_features)
		bin_all_derived(e, view, rows, codes, stride);
}
