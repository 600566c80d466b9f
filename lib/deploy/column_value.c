/*
 * One value of a caller's score_column, whatever its type: for keys, times, and values that a request has itself.
 *
 * The caller's arrays are trusted to be as long as the call says, as in score_batch().
 */
#include "table.h"

#include <math.h>

bool deploy_is_integer(score_dtype type)
{
	return type >= SCORE_I8 && type <= SCORE_U64;
}

int64_t deploy_integer_at(const score_column *c, size_t r)
{
#define CASE(TYPE, C) \
	case TYPE: { \
		C v; \
		memcpy(&v, deploy_element(c, r, sizeof v), sizeof v); \
		return (int64_t)v; \
	}
	switch (c->dtype) {
		CASE(SCORE_I8, int8_t)
		CASE(SCORE_U8, uint8_t)
		CASE(SCORE_I16, int16_t)
		CASE(SCORE_U16, uint16_t)
		CASE(SCORE_I32, int32_t)
		CASE(SCORE_U32, uint32_t)
		CASE(SCORE_I64, int64_t)
		CASE(SCORE_U64, uint64_t)
	}
#undef CASE
	return 0;
}

const char *deploy_text_at(const score_column *c, size_t r, size_t *length)
{
	const score_strings *s = c->values;
	int64_t i = c->offset + (int64_t)r;
	*length = 0;
	if (!deploy_is_valid(c, r))
		return NULL;
	if (s->indices) {
		const score_column indices = {s->indices, NULL, 0, 0, s->index_type, 0};
		i = deploy_integer_at(&indices, (size_t)i);
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
	if (c->dtype == SCORE_F64) {
		double v;
		memcpy(&v, deploy_element(c, r, sizeof v), sizeof v);
		return v;
	}
	if (c->dtype == SCORE_F32) {
		float v;
		memcpy(&v, deploy_element(c, r, sizeof v), sizeof v);
		return (double)v;
	}
	if (c->dtype == SCORE_F16) {
		uint16_t v;
		memcpy(&v, deploy_element(c, r, sizeof v), sizeof v);
		return half_value(v);
	}
	if (c->dtype == SCORE_BOOL)
		return *deploy_element(c, r, 1) != 0;
	if (c->dtype == SCORE_BOOL_BITS) {
		const int64_t bit = c->offset + (int64_t)r;
		return ((const uint8_t *)c->values)[bit >> 3] >> (bit & 7) & 1;
	}
	if (c->dtype == SCORE_U64) {
		uint64_t v;
		memcpy(&v, deploy_element(c, r, sizeof v), sizeof v);
		return (double)v;
	}
	return (double)deploy_integer_at(c, r);
}
