/*
 * The caller's rows as values to log, in the order of the model's features.
 *
 * Comes in: an input that score_batch() has accepted. Goes out: rows of floats, of doubles, or of tagged
 * values where there are strings and integers that a double cannot hold.
 */
#include "capture_parts.h"
#include "column_value.h"

#include <math.h>

typedef struct cell {
	unsigned tag;
	uint32_t length;
	union {
		double f64;
		int64_t i64;
		uint64_t u64;
		const char *text;
	} u;
} cell;

static capture_cells columns_form(const score_input *in, const score_plan *plan, uint32_t n_features)
{
	capture_cells form = CELLS_F32;
	for (uint32_t i = 0; i < n_features; i++) {
		const int64_t c = deploy_column_of(plan, i);
		if (c < 0 || c >= in->n_columns)
			return CELLS_NONE;
		const score_dtype dtype = in->u.columns.columns[c].dtype;
		if (dtype < SCORE_F32 || dtype > SCORE_F16)
			return CELLS_NONE;
		switch (dtype) {
		case SCORE_STRING:
		case SCORE_I64:
		case SCORE_U64:
			return CELLS_TAGGED;
		case SCORE_F64:
		case SCORE_I32:
		case SCORE_U32:
			form = CELLS_F64;
			break;
		default:
			break;
		}
	}
	return form;
}

capture_cells deploy_cells_form(const score_input *input, const score_plan *plan, uint32_t n_features)
{
	if (!input || input->struct_size < sizeof *input || input->n_rows < 0 || (!plan && input->n_columns != n_features))
		return CELLS_NONE;
	if (input->layout == SCORE_COLUMNS)
		return columns_form(input, plan, n_features);
	if (input->layout != SCORE_ROWS && input->layout != SCORE_CSR)
		return CELLS_NONE;
	return input->dtype == SCORE_F32 ? CELLS_F32 : input->dtype == SCORE_F64 ? CELLS_F64 : CELLS_NONE;
}

/* ---- columns -------------------------------------------------------------------------------------- */

static cell text_cell(const score_column *c, int64_t row)
{
	size_t n;
	const char *text = deploy_text_at(c, (size_t)row, &n);
	if (!text || n >= TEXT_NULL)
		return (cell){ .tag = CELL_MISSING };
	return (cell){ .tag = CELL_TEXT, .length = (uint32_t)n, .u.text = text };
}

static cell column_cell(const score_column *c, int64_t row)
{
	if (c->dtype == SCORE_STRING)
		return text_cell(c, row);
	if (!deploy_is_valid(c, (size_t)row))
		return (cell){ .tag = CELL_MISSING };
	if (c->dtype == SCORE_I64)
		return (cell){ .tag = CELL_I64, .u.i64 = deploy_integer_at(c, (size_t)row) };
	if (c->dtype == SCORE_U64)
		return (cell){ .tag = CELL_U64, .u.u64 = (uint64_t)deploy_integer_at(c, (size_t)row) };
	return (cell){ .tag = CELL_F64, .u.f64 = deploy_number_at(c, (size_t)row) };
}

/* ---- rows and sparse rows -------------------------------------------------------------------------- */

static double value_at(const score_input *in, int64_t row, int64_t column)
{
	return in->layout == SCORE_CSR ? deploy_sparse_at(in, row, column) :
		deploy_number_at(in->u.columns.columns + column, (size_t)row);
}

/* Row-major values of the width that they have in the record already. */
static unsigned char *write_row(const score_input *in, const score_plan *plan, uint32_t n_features, int64_t row,
	unsigned char *to)
{
	const int64_t size = in->dtype == SCORE_F32 ? 4 : 8;
	const int64_t stride = in->u.rows.column_stride_bytes ? in->u.rows.column_stride_bytes : size;
	const char *from = (const char *)in->u.rows.data + row * in->u.rows.row_stride_bytes;
	if (!plan && stride == size) {
		memcpy(to, from, n_features * (size_t)size);
		return to + n_features * (size_t)size;
	}
	for (uint32_t i = 0; i < n_features; i++, to += size)
		memcpy(to, from + deploy_column_of(plan, i) * stride, (size_t)size);
	return to;
}

static unsigned char *write_cell(const cell *c, unsigned char *to)
{
	*to++ = (unsigned char)c->tag;
	if (c->tag == CELL_TEXT) {
		memcpy(to, &c->length, sizeof c->length);
		memcpy(to + sizeof c->length, c->u.text, c->length);
		return to + sizeof c->length + c->length;
	}
	if (c->tag == CELL_MISSING)
		return to;
	memcpy(to, &c->u, 8);
	return to + 8;
}

static unsigned char *write_values(const score_input *in, const score_plan *plan, uint32_t n_features,
	capture_cells form, int64_t row, unsigned char *to)
{
	for (uint32_t i = 0; i < n_features; i++) {
		const int64_t column = deploy_column_of(plan, i);
		if (form == CELLS_TAGGED) {
			const cell c = column_cell(in->u.columns.columns + column, row);
			to = write_cell(&c, to);
		} else if (form == CELLS_F32) {
			const float value = (float)value_at(in, row, column);
			memcpy(to, &value, sizeof value);
			to += sizeof value;
		} else {
			const double value = value_at(in, row, column);
			memcpy(to, &value, sizeof value);
			to += sizeof value;
		}
	}
	return to;
}

size_t deploy_cells_row_bytes(const score_input *input, const score_plan *plan, uint32_t n_features, capture_cells form,
	int64_t row)
{
	size_t sum = 0;
	if (form != CELLS_TAGGED)
		return (size_t)n_features * (form == CELLS_F32 ? sizeof(float) : sizeof(double));
	for (uint32_t i = 0; i < n_features; i++) {
		const cell c = column_cell(input->u.columns.columns + deploy_column_of(plan, i), row);
		sum += c.tag == CELL_TEXT ? 5 + (size_t)c.length : c.tag == CELL_MISSING ? 1 : 9;
	}
	return sum;
}

unsigned char *deploy_cells_write(const score_input *input, const score_plan *plan, uint32_t n_features,
	capture_cells form, int64_t first, int64_t n, unsigned char *to)
{
	for (int64_t row = first; row < first + n; row++)
		to = input->layout == SCORE_ROWS ? write_row(input, plan, n_features, row, to) :
			write_values(input, plan, n_features, form, row, to);
	return to;
}
