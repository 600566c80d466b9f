/*
 * Values of one feature in a few rows, from every layout that score_batch() takes.
 *
 * Comes in: rows that have been scored, so that their descriptor is known to be sound. Goes out: doubles, NaN where missing;
 * for a category its code, or DEPLOY_UNKNOWN_CATEGORY.
 */
#include "statistics_parts.h"

#include <math.h>
#include <stdlib.h>

/* ---- categories ---------------------------------------------------------------------------------- */

static int compare_codes(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

score_status deploy_categories_of(const score_model *model, uint32_t feature, sl_arena *arena, deploy_categories *out,
	score_error *error)
{
	const uint32_t n = score_model_category_count(model, feature), flags = score_model_dictionary(model, feature);
	memset(out, 0, sizeof *out);
	out->hashed = (flags & SCORE_DICTIONARY_HASH) != 0;
	if (out->hashed || !flags)
		return SCORE_OK;
	double *codes = sl_arena_alloc(arena, n, sizeof *codes);
	if (!codes)
		return sl_fail_memory(error, n * sizeof *codes);
	for (uint32_t k = 0; k < n; k++) {
		const double code = score_model_category_code(model, feature, k);
		if (!isnan(code))
			codes[out->n_codes++] = code;
	}
	sl_sort(codes, out->n_codes, sizeof *codes, compare_codes);
	out->codes = codes;
	return SCORE_OK;
}

/* A number that stands for a category. */
static double known_category(const deploy_categories *c, double x)
{
	if (isnan(x))
		return x;
	if (c->hashed) /* hash + 0.5 is the code of a text; a whole number stands for its decimal text */
		return x == trunc(x) && fabs(x) < 0x1p64 ? sl_category_hash_integer((uint64_t)fabs(x), x < 0) + 0.5 : x;
	if (c->codes)
		return bsearch(&x, c->codes, c->n_codes, sizeof *c->codes, compare_codes) ? x : DEPLOY_UNKNOWN_CATEGORY;
	return x >= 0 && x == trunc(x) ? x : DEPLOY_UNKNOWN_CATEGORY;
}

/* ---- rows ---------------------------------------------------------------------------------------- */

static void take_rows(const score_input *in, int64_t column, const int64_t *rows, size_t n, double *out)
{
	const int64_t width = in->dtype == SCORE_F32 ? (int64_t)sizeof(float) : (int64_t)sizeof(double);
	const int64_t step = in->u.rows.column_stride_bytes ? in->u.rows.column_stride_bytes : width;
	const char *base = (const char *)in->u.rows.data + column * step;
	const int64_t stride = in->u.rows.row_stride_bytes;
	if (in->dtype == SCORE_F32) {
		for (size_t i = 0; i < n; i++) {
			float x;
			memcpy(&x, base + rows[i] * stride, sizeof x);
			out[i] = (double)x;
		}
	} else {
		for (size_t i = 0; i < n; i++)
			memcpy(out + i, base + rows[i] * stride, sizeof *out);
	}
}

/* ---- sparse rows --------------------------------------------------------------------------------- */

static int64_t integer_at(const void *base, score_dtype type, int64_t i)
{
	return type == SCORE_I32 ? ((const int32_t *)base)[i] : ((const int64_t *)base)[i];
}

static void take_csr(const score_input *in, int64_t column, const int64_t *rows, size_t n, double *out)
{
	const score_dtype numbers = in->u.csr.number_type;
	const double absent = in->u.csr.absent == SCORE_ABSENT_ZERO ? 0 : (double)NAN;
	for (size_t i = 0; i < n; i++) {
		int64_t begin = integer_at(in->u.csr.row_starts, in->u.csr.start_type, rows[i]);
		const int64_t end = integer_at(in->u.csr.row_starts, in->u.csr.start_type, rows[i] + 1);
		for (int64_t length = end - begin; length > 0;) {
			const int64_t half = length / 2;
			const bool right = integer_at(in->u.csr.column_numbers, numbers, begin + half) < column;
			begin = right ? begin + half + 1 : begin;
			length = right ? length - half - 1 : half;
		}
		const bool there = begin < end && integer_at(in->u.csr.column_numbers, numbers, begin) == column;
		if (!there)
			out[i] = absent;
		else if (in->dtype == SCORE_F32)
			out[i] = (double)((const float *)in->u.csr.values)[begin];
		else
			out[i] = ((const double *)in->u.csr.values)[begin];
	}
}

/* ---- columns ------------------------------------------------------------------------------------- */

static double half_value(uint16_t h)
{
	const int exponent = h >> 10 & 31, fraction = h & 1023;
	double x;
	if (exponent == 31)
		x = fraction ? (double)NAN : HUGE_VAL;
	else
		x = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
	return h >> 15 ? -x : x;
}

#define READ(TYPE) \
	do { \
		TYPE v; \
		memcpy(&v, p, sizeof v); \
		return (double)v; \
	} while (0)

static double number_at(const char *p, score_dtype type)
{
	uint16_t half;
	switch (type) {
	case SCORE_F32: READ(float);
	case SCORE_F64: READ(double);
	case SCORE_I8: READ(int8_t);
	case SCORE_U8: READ(uint8_t);
	case SCORE_I16: READ(int16_t);
	case SCORE_U16: READ(uint16_t);
	case SCORE_I32: READ(int32_t);
	case SCORE_U32: READ(uint32_t);
	case SCORE_I64: READ(int64_t);
	case SCORE_U64: READ(uint64_t);
	case SCORE_BOOL: return *p != 0;
	case SCORE_F16:
		memcpy(&half, p, sizeof half);
		return half_value(half);
	default: return (double)NAN;
	}
}
#undef READ

static int64_t width_of(score_dtype type)
{
	static const int8_t widths[] = { 0, 4, 8, 1, 1, 2, 2, 4, 4, 8, 8, 1, 0, 0, 2 };
	return type > 0 && type < (score_dtype)sizeof widths ? widths[type] : 0;
}

static bool bit_at(const void *bits, int64_t i)
{
	return ((const uint8_t *)bits)[i >> 3] >> (i & 7) & 1;
}

/* The text itself is looked up: a code alone does not tell an unknown label from a missing value. */
static double label_at(const score_model *model, uint32_t feature, const score_strings *s, int64_t i)
{
	double code = (double)NAN;
	if (s->indices) {
		const double at = number_at((const char *)s->indices + i * width_of(s->index_type), s->index_type);
		if (!(at >= 0 && at < (double)s->n_strings))
			return (double)NAN;
		i = (int64_t)at;
	}
	size_t length;
	const char *text = sl_string_at(s, i, &length);
	const int found = score_model_category_find(model, feature, text, length, &code);
	return found || score_model_dictionary(model, feature) & SCORE_DICTIONARY_HASH ? code : DEPLOY_UNKNOWN_CATEGORY;
}

static void take_column(const score_model *model, const score_column *c, uint32_t feature, const int64_t *rows, size_t n,
	double *out)
{
	const int64_t stride = c->stride_bytes ? c->stride_bytes : width_of(c->dtype);
	for (size_t i = 0; i < n; i++) {
		const int64_t at = c->offset + rows[i];
		if (c->validity && !bit_at(c->validity, at))
			out[i] = (double)NAN;
		else if (c->dtype == SCORE_STRING)
			out[i] = label_at(model, feature, c->values, at);
		else if (c->dtype == SCORE_BOOL_BITS)
			out[i] = bit_at(c->values, at);
		else
			out[i] = number_at((const char *)c->values + at * stride, c->dtype);
	}
}

void deploy_values_take(const score_model *model, const score_input *input, const score_plan *plan, uint32_t feature,
	const deploy_categories *categories, const int64_t *rows, size_t n, double *out)
{
	const int64_t column = plan ? score_plan_column(plan, feature) : feature;
	bool text = false;
	if (column < 0 || column >= input->n_columns) {
		for (size_t i = 0; i < n; i++)
			out[i] = (double)NAN;
		return;
	}
	if (input->layout == SCORE_ROWS) {
		take_rows(input, column, rows, n, out);
	} else if (input->layout == SCORE_CSR) {
		take_csr(input, column, rows, n, out);
	} else {
		const score_column *c = input->u.columns.columns + column;
		text = c->dtype == SCORE_STRING;
		take_column(model, c, feature, rows, n, out);
	}
	for (size_t i = 0; categories && !text && i < n; i++)
		out[i] = known_category(categories, out[i]);
}
