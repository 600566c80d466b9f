/* One value of a caller's rows, whatever their layout and type. */
#include "column_value.h"

#include <math.h>

size_t deploy_type_bytes(score_dtype type)
{
	switch (type) {
	case SCORE_I8: case SCORE_U8: case SCORE_BOOL:
		return 1;
	case SCORE_I16: case SCORE_U16: case SCORE_F16:
		return 2;
	case SCORE_F32: case SCORE_I32: case SCORE_U32:
		return 4;
	case SCORE_F64: case SCORE_I64: case SCORE_U64:
		return 8;
	default:
		return 0;
	}
}

bool deploy_is_integer(score_dtype type)
{
	return type >= SCORE_I8 && type <= SCORE_U64;
}

score_status deploy_check_column(const score_column *c, size_t n_rows, const char *what, score_error *error)
{
	if (n_rows == 0) /* an empty array may be NULL */
		return SCORE_OK;
	if (!c->values || c->offset < 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: has no values or a negative offset", what);
	if (c->dtype == SCORE_STRING)
		return sl_check_strings(c->values, false, what, error);
	if (deploy_type_bytes(c->dtype) == 0 && c->dtype != SCORE_BOOL_BITS)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: there is no dtype %d", what, (int)c->dtype);
	return SCORE_OK;
}

static const char *element(const score_column *c, size_t r)
{
	const int64_t stride = c->stride_bytes ? c->stride_bytes : (int64_t)deploy_type_bytes(c->dtype);
	return (const char *)c->values + (c->offset + (int64_t)r) * stride;
}

int64_t deploy_integer_at(const score_column *c, size_t r)
{
	return sl_integer_at(element(c, r), c->dtype, 0);
}

const char *deploy_text_at(const score_column *c, size_t r, size_t *length)
{
	const score_strings *s = c->values;
	int64_t i = c->offset + (int64_t)r;
	*length = 0;
	if (!deploy_is_valid(c, r))
		return NULL;
	if (s->indices) {
		i = sl_integer_at(s->indices, s->index_type, i);
		if (i < 0 || i >= s->n_strings)
			return NULL;
	}
	return sl_string_at(s, i, length);
}

static double half_value(uint16_t h)
{
	const int exponent = h >> 10 & 31, fraction = h & 1023;
	double magnitude = exponent == 31 ? (fraction ? (double)NAN : (double)INFINITY) :
		exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
	return h & 0x8000 ? -magnitude : magnitude;
}

double deploy_number_at(const score_column *c, size_t r)
{
	if (!deploy_is_valid(c, r))
		return (double)NAN;
	if (c->dtype == SCORE_BOOL_BITS)
		return deploy_bit_at(c->values, c->offset + (int64_t)r);
	const char *p = element(c, r);
	uint16_t half;
	switch (c->dtype) {
	case SCORE_F64:
		return sl_f64_from_bits(sl_load_u64(p));
	case SCORE_F32:
		return (double)sl_f32_from_bits(sl_load_u32(p));
	case SCORE_F16:
		memcpy(&half, p, sizeof half);
		return half_value(half);
	case SCORE_BOOL:
		return *p != 0;
	case SCORE_U64:
		return (double)sl_load_u64(p);
	default:
		return (double)sl_integer_at(p, c->dtype, 0);
	}
}

double deploy_sparse_at(const score_input *input, int64_t row, int64_t column)
{
	const score_dtype starts = input->u.csr.start_type, numbers = input->u.csr.number_type;
	const int64_t end = sl_integer_at(input->u.csr.row_starts, starts, row + 1);
	int64_t low = sl_integer_at(input->u.csr.row_starts, starts, row), high = end;
	while (low < high) {
		const int64_t middle = low + (high - low) / 2;
		if (sl_integer_at(input->u.csr.column_numbers, numbers, middle) < column)
			low = middle + 1;
		else
			high = middle;
	}
	if (low >= end || sl_integer_at(input->u.csr.column_numbers, numbers, low) != column)
		return input->u.csr.absent == SCORE_ABSENT_ZERO ? 0 : (double)NAN;
	const char *values = input->u.csr.values;
	return input->dtype == SCORE_F32 ? (double)sl_f32_from_bits(sl_load_u32(values + low * 4)) :
		sl_f64_from_bits(sl_load_u64(values + low * 8));
}
