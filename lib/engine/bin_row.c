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

/* Values of used features [first, first + n), n at most RUN_F32: all inputs, or all derived columns. */
static void fetch_f32(const engine *e, const input_view *view, int64_t row, uint32_t first, uint32_t n, float *x)
{
	const uint32_t *feature = e->used_features + first;
	if (first >= e->n_used_inputs) {
		for (uint32_t i = 0; i < n; i++)
			input_derive_f32(e->f, view, feature[i], row, 1, x + i);
		return;
	}
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
		input_column_f64(e->f, view, e->used_features[first + i], row, 1, x + i);
}

/* Floats that lie side by side in the caller's row are ranked where they are. */
static const float *adjacent_f32(const engine *e, const input_view *view, int64_t row, uint32_t first, uint32_t n)
{
	const uint32_t *feature = e->used_features + first; /* ascending */
	if (!view->data || view->dtype != SCORE_F32 || view->column_of_feature || view->column_stride != (int64_t)sizeof(float) ||
		first >= e->n_used_inputs || feature[n - 1] - feature[0] != n - 1)
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
#define FETCH input_column_f32
#include "bin_row_template.h"
#define VALUE double
#define NAME(name) name##_f64
#define RUN RUN_F64
#define DTYPE SCORE_F64
#define FETCH input_column_f64
#include "bin_row_template.h"

/* Used features [first, end) of rows that are not columns. */
static ALWAYS_INLINE void bin_narrow(const engine *e, const input_view *view, int64_t row, uint32_t first, uint32_t end, uint8_t *codes)
{
	for (uint32_t u = first; u < end; u += RUN_F32) {
		uint32_t n = end - u < RUN_F32 ? end - u : RUN_F32;
		float room[RUN_F32];
		const float *adjacent = adjacent_f32(e, view, row, u, n);
		if (!adjacent)
			fetch_f32(e, view, row, u, n, room);
		rank_f32(e, u, n, adjacent ? adjacent : room, codes);
	}
}

static ALWAYS_INLINE void bin_wide(const engine *e, const input_view *view, int64_t row, uint32_t first, uint32_t end, uint8_t *codes)
{
	for (uint32_t u = first; u < end; u += RUN_F64) {
		uint32_t n = end - u < RUN_F64 ? end - u : RUN_F64;
		double room[RUN_F64];
		fetch_f64(e, view, row, u, n, room);
		rank_f64(e, u, n, room, codes);
	}
}

/* Used features [first, end) of up to GATHERED rows, which are one unless they are columns. */
static ALWAYS_INLINE void bin_some(const engine *e, const input_view *view, row_range rows, uint32_t first, uint32_t end, bool narrow, uint8_t *codes,
	size_t stride)
{
	if (view->columns && narrow)
		bin_gathered_f32(e, view, rows, first, end, codes, stride);
	else if (view->columns)
		bin_gathered_f64(e, view, rows, first, end, codes, stride);
	else if (narrow)
		bin_narrow(e, view, rows.first, first, end, codes);
	else
		bin_wide(e, view, rows.first, first, end, codes);
}

void engine_bin_rows8(const engine *e, const input_view *view, row_range rows, uint8_t *codes, size_t stride)
{
	for (size_t done = 0, n; done < rows.n; done += n) {
		row_range some = {rows.first + (int64_t)done, 1};
		uint8_t *to = codes + done * stride;
		if (view->columns)
			some.n = rows.n - done < GATHERED ? rows.n - done : GATHERED;
		n = some.n;
		if (view->codes) {
			engine_copy_row(e, view, some.first, to);
			continue;
		}
		bin_some(e, view, some, 0, e->n_used_inputs, engine_uses_narrow(e, view), to, stride);
		if (e->n_used_inputs < e->n_used_features)
			bin_some(e, view, some, e->n_used_inputs, e->n_used_features, engine_derives_narrow(e), to, stride);
	}
}
