/*
 * One row as byte codes, for models without categories: all features are ranked together.
 *
 * The same codes as engine_bin_row() gives, sooner: values are fetched in one go, if they are not read where they lie, and the kernels rank
 * a run of features without a call for each.
 */
#include "parts.h"

#define RUN 64u /* features at a time */

/* Values of used features [first, first + n), n at most RUN: all inputs, or all derived columns. */
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

static bool some_nan_f32(const float *x, uint32_t n)
{
	bool some = false;
	for (uint32_t i = 0; i < n; i++)
		some |= x[i] != x[i];
	return some;
}

static bool some_nan_f64(const double *x, uint32_t n)
{
	bool some = false;
	for (uint32_t i = 0; i < n; i++)
		some |= x[i] != x[i];
	return some;
}

/* Used features [first, end). Where each has one column, ranks are its codes unless values are missing. */
static ALWAYS_INLINE void bin_some(const engine *e, const input_view *view, int64_t row, uint32_t first, uint32_t end, bool narrow,
	uint8_t *codes)
{
	for (uint32_t u = first; u < end; u += RUN) {
		uint32_t n = end - u < RUN ? end - u : RUN;
		float room32[RUN];
		double x64[RUN];
		uint8_t room[RUN], *ranks = e->plain_columns ? codes + u : room;
		const float *x32 = room32;
		bool missing;
		if (narrow) {
			const float *adjacent = adjacent_f32(e, view, row, u, n);
			if (adjacent)
				x32 = adjacent;
			else
				fetch_f32(e, view, row, u, n, room32);
			e->k->rank_f32(e->bins + u, x32, n, ranks);
			missing = some_nan_f32(x32, n);
		} else {
			fetch_f64(e, view, row, u, n, x64);
			e->k->rank_f64(e->bins + u, x64, n, ranks);
			missing = some_nan_f64(x64, n);
		}
		for (uint32_t i = 0; i < n && (missing || !e->plain_columns); i++)
			put_columns(e, u + i, narrow ? (double)x32[i] : x64[i], ranks[i], codes);
	}
}

void engine_bin_row8(const engine *e, const input_view *view, int64_t row, uint8_t *codes)
{
	if (view->codes) {
		engine_copy_row(e, view, row, codes);
		return;
	}
	bin_some(e, view, row, 0, e->n_used_inputs, engine_uses_narrow(e, view), codes);
	if (e->n_used_inputs < e->n_used_features)
		bin_some(e, view, row, e->n_used_inputs, e->n_used_features, engine_derives_narrow(e), codes);
}
