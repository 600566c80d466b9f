/*
 * Sparse rows: single values by bisection, or tiles of some columns and some rows made dense in the caller's memory.
 *
 * Relies on input_open_csr() having seen that the entries of every row ascend.
 */
#include "view.h"

#include <math.h>

static int64_t integer_at(const void *values, score_dtype type, int64_t i)
{
	if (type == SCORE_I32) {
		int32_t v;
		memcpy(&v, (const char *)values + i * 4, sizeof v);
		return v;
	}
	int64_t v;
	memcpy(&v, (const char *)values + i * 8, sizeof v);
	return v;
}

static int64_t row_start(const input_view *view, int64_t row)
{
	return integer_at(view->row_starts, view->start_type, row);
}

static int64_t column_number(const input_view *view, int64_t entry)
{
	return integer_at(view->column_numbers, view->number_type, entry);
}

static double entry_value(const input_view *view, int64_t entry)
{
	if (view->dtype == SCORE_F32) {
		float v;
		memcpy(&v, (const char *)view->entries + entry * 4, sizeof v);
		return (double)v;
	}
	double v;
	memcpy(&v, (const char *)view->entries + entry * 8, sizeof v);
	return v;
}

/* ---- checks ---------------------------------------------------------------------------------------------- */

static score_status check_row(const input_view *view, int64_t row, int64_t n_columns, score_error *error)
{
	int64_t begin = row_start(view, row), end = row_start(view, row + 1), last = -1;
	if (begin < 0 || end < begin)
		return sl_fail(error, SCORE_ERR_SHAPE, "sparse row %lld starts at entry %lld and ends at %lld", (long long)row,
			(long long)begin, (long long)end);
	if (end > begin && (!view->column_numbers || !view->entries))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "sparse input has no column numbers or no values (NULL)");
	for (int64_t i = begin; i < end; i++) {
		int64_t column = column_number(view, i);
		if (column <= last || column >= n_columns)
			return sl_fail(error, SCORE_ERR_SHAPE,
				"sparse row %lld: column %lld follows column %lld, expected ascending numbers below %lld without repeats "
				"(sort them, sum duplicates)", (long long)row, (long long)column, (long long)last, (long long)n_columns);
		last = column;
	}
	return SCORE_OK;
}

score_status input_open_csr(const score_input *in, input_view *out, score_error *error)
{
	if (in->dtype != SCORE_F32 && in->dtype != SCORE_F64)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "sparse input has dtype %d, expected SCORE_F32 or SCORE_F64",
			(int)in->dtype);
	out->start_type = in->u.csr.start_type;
	out->number_type = in->u.csr.number_type;
	if ((out->start_type != SCORE_I32 && out->start_type != SCORE_I64) ||
		(out->number_type != SCORE_I32 && out->number_type != SCORE_I64))
		return sl_fail(error, SCORE_ERR_ARGUMENT,
			"row starts and column numbers have dtypes %d and %d, expected SCORE_I32 or SCORE_I64", (int)out->start_type,
			(int)out->number_type);
	if (in->u.csr.absent != SCORE_ABSENT_ZERO && in->u.csr.absent != SCORE_ABSENT_MISSING)
		return sl_fail(error, SCORE_ERR_ARGUMENT,
			"sparse input must say what absent entries mean: SCORE_ABSENT_ZERO or SCORE_ABSENT_MISSING, not %d",
			(int)in->u.csr.absent);
	if (!in->u.csr.row_starts)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "sparse input has no row starts (NULL)");
	out->is_csr = true;
	out->row_starts = in->u.csr.row_starts;
	out->column_numbers = in->u.csr.column_numbers;
	out->entries = in->u.csr.values;
	out->dtype = in->dtype;
	out->all_f32 = in->dtype == SCORE_F32;
	out->absent = in->u.csr.absent == SCORE_ABSENT_ZERO ? 0.0 : (double)NAN;
	for (int64_t row = 0; row < in->n_rows; row++) {
		score_status status = check_row(out, row, in->n_columns, error);
		if (status != SCORE_OK)
			return status;
	}
	return SCORE_OK;
}

/* ---- single values ------------------------------------------------------------------------------------------ */

static double value_at(const input_view *view, int64_t row, int64_t column)
{
	int64_t low = row_start(view, row), end = row_start(view, row + 1), high = end;
	while (low < high) {
		int64_t middle = low + (high - low) / 2;
		if (column_number(view, middle) < column)
			low = middle + 1;
		else
			high = middle;
	}
	return low < end && column_number(view, low) == column ? entry_value(view, low) : view->absent;
}

void input_csr_f32(const input_view *view, uint32_t feature, int64_t first, size_t n, float *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (float)value_at(view, first + (int64_t)i, input_column(view, feature));
}

void input_csr_f64(const input_view *view, uint32_t feature, int64_t first, size_t n, double *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = value_at(view, first + (int64_t)i, input_column(view, feature));
}

/* ---- tiles -------------------------------------------------------------------------------------------------- */

#define TILE(NAME, TYPE) \
	void NAME(const input_view *view, int64_t first, size_t n, uint32_t column, uint32_t n_columns, uint32_t *cursors, \
		TYPE *out, size_t stride) \
	{ \
		for (uint32_t c = 0; c < n_columns; c++) { \
			for (size_t r = 0; r < n; r++) \
				out[c * stride + r] = (TYPE)view->absent; \
		} \
		for (size_t r = 0; r < n; r++) { \
			int64_t begin = row_start(view, first + (int64_t)r), end = row_start(view, first + (int64_t)r + 1); \
			int64_t at = begin + cursors[r], number = -1; \
			for (; at < end && (number = column_number(view, at)) < (int64_t)column + n_columns; at++) { \
				if (number >= (int64_t)column) \
					out[(size_t)(number - column) * stride + r] = (TYPE)entry_value(view, at); \
			} \
			cursors[r] = (uint32_t)(at - begin); \
		} \
	}

TILE(input_csr_tile_f32, float)
TILE(input_csr_tile_f64, double)
