/*
 * The caller's rows as values to log, in the order of the model's features.
 *
 * Comes in: an input that score_batch() has accepted. Goes out: rows of floats, of doubles, or of tagged
 * values where there are strings and integers that a double cannot hold.
 */
#include "capture_parts.h"

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

static int64_t column_of(const score_plan *plan, uint32_t feature)
{
	return plan ? score_plan_column(plan, feature) : (int64_t)feature;
}

static capture_cells columns_form(const score_input *in, const score_plan *plan, uint32_t n_features)
{
	capture_cells form = CELLS_F32;
	for (uint32_t i = 0; i < n_features; i++) {
		const int64_t c = column_of(plan, i);
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

static int64_t integer_at(const void *values, score_dtype type, int64_t i)
{
	const char *p = values;
	int64_t wide;
	int32_t four;
	uint32_t four_u;
	int16_t two;
	uint16_t two_u;
	switch (type) {
	case SCORE_I8:
		return ((const int8_t *)values)[i];
	case SCORE_U8:
		return ((const uint8_t *)values)[i];
	case SCORE_I16:
		memcpy(&two, p + i * 2, sizeof two);
		return two;
	case SCORE_U16:
		memcpy(&two_u, p + i * 2, sizeof two_u);
		return two_u;
	case SCORE_I32:
		memcpy(&four, p + i * 4, sizeof four);
		return four;
	case SCORE_U32:
		memcpy(&four_u, p + i * 4, sizeof four_u);
		return four_u;
	default:
		memcpy(&wide, p + i * 8, sizeof wide);
		return wide;
	}
}

static double half_at(const void *p)
{
	uint16_t h;
	memcpy(&h, p, sizeof h);
	const int exponent = h >> 10 & 31, fraction = h & 1023;
	double value = exponent == 31 ? (fraction ? (double)NAN : (double)INFINITY) :
		exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
	return h >> 15 ? -value : value;
}

static cell text_at(const score_strings *s, int64_t i)
{
	if (s->indices) {
		i = integer_at(s->indices, s->index_type, i);
		if (i < 0 || i >= s->n_strings)
			return (cell){ .tag = CELL_MISSING };
	}
	size_t n;
	const char *text = sl_string_at(s, i, &n);
	if (n >= TEXT_NULL)
		return (cell){ .tag = CELL_MISSING };
	return (cell){ .tag = CELL_TEXT, .length = (uint32_t)n, .u.text = text };
}

static cell column_cell(const score_column *c, int64_t row)
{
	static const uint8_t sizes[] = { 0, 4, 8, 1, 1, 2, 2, 4, 4, 8, 8, 1, 0, 0, 2 };
	const int64_t e = c->offset + row;
	if (c->validity && !(c->validity[e / 8] >> (e % 8) & 1))
		return (cell){ .tag = CELL_MISSING };
	if (c->dtype == SCORE_STRING)
		return text_at(c->values, e);
	if (c->dtype == SCORE_BOOL_BITS)
		return (cell){ .tag = CELL_F64, .u.f64 = ((const uint8_t *)c->values)[e / 8] >> (e % 8) & 1 };
	const void *p = (const char *)c->values + e * (c->stride_bytes ? c->stride_bytes : sizes[c->dtype]);
	cell out = { .tag = CELL_F64 };
	switch (c->dtype) {
	case SCORE_F32:
		out.u.f64 = (double)sl_f32_from_bits(sl_load_u32(p));
		break;
	case SCORE_F64:
		out.u.f64 = sl_f64_from_bits(sl_load_u64(p));
		break;
	case SCORE_F16:
		out.u.f64 = half_at(p);
		break;
	case SCORE_BOOL:
		out.u.f64 = *(const uint8_t *)p != 0;
		break;
	case SCORE_I64:
		out.tag = CELL_I64;
		out.u.i64 = integer_at(p, SCORE_I64, 0);
		break;
	case SCORE_U64:
		out.tag = CELL_U64;
		out.u.u64 = sl_load_u64(p);
		break;
	default:
		out.u.f64 = (double)integer_at(p, c->dtype, 0);
		break;
	}
	return out;
}

/* ---- rows and sparse rows -------------------------------------------------------------------------- */

static double entry_at(const score_input *in, int64_t row, int64_t column)
{
	const int64_t end = integer_at(in->u.csr.row_starts, in->u.csr.start_type, row + 1);
	int64_t low = integer_at(in->u.csr.row_starts, in->u.csr.start_type, row), high = end;
	while (low < high) {
		const int64_t middle = low + (high - low) / 2;
		if (integer_at(in->u.csr.column_numbers, in->u.csr.number_type, middle) < column)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == end || integer_at(in->u.csr.column_numbers, in->u.csr.number_type, low) != column)
		return in->u.csr.absent == SCORE_ABSENT_ZERO ? 0 : (double)NAN;
	const char *values = in->u.csr.values;
	return in->dtype == SCORE_F32 ? (double)sl_f32_from_bits(sl_load_u32(values + low * 4)) :
		sl_f64_from_bits(sl_load_u64(values + low * 8));
}

static double value_at(const score_input *in, int64_t row, int64_t column)
{
	if (in->layout == SCORE_CSR)
		return entry_at(in, row, column);
	const cell c = column_cell(in->u.columns.columns + column, row);
	return c.tag == CELL_F64 ? c.u.f64 : (double)NAN;
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
		memcpy(to, from + column_of(plan, i) * stride, (size_t)size);
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
		const int64_t column = column_of(plan, i);
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
		const cell c = column_cell(input->u.columns.columns + column_of(plan, i), row);
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
