/*
 * Arrays in the narrowest type that holds all their values: most of a model's memory are arrays that a few bits would do for.
 *
 * Comes in: values. Goes out: the same values in an arena; forest_number(), forest_real() and forest_weight() read them.
 */
#include "forest.h"

#include <math.h>

bool forest_narrow_numbers(const uint32_t *values, size_t n, sl_arena *arena, forest_numbers *out)
{
	uint32_t all = 0;
	for (size_t i = 0; i < n; i++)
		all |= values[i];
	uint32_t bytes = forest_number_bytes(all);
	void *to = sl_arena_alloc(arena, n, bytes);
	for (size_t i = 0; to && i < n; i++)
		forest_put_number(to, bytes, i, values[i]);
	*out = (forest_numbers){to, bytes};
	return to != NULL;
}

bool forest_narrow_reals(const double *values, size_t n, sl_arena *arena, forest_reals *out)
{
	bool narrow = true;
	for (size_t i = 0; i < n && narrow; i++)
		narrow = sl_f64_bits((double)(float)values[i]) == sl_f64_bits(values[i]);
	uint32_t bytes = narrow ? sizeof(float) : sizeof(double);
	void *to = sl_arena_alloc(arena, n, bytes);
	for (size_t i = 0; to && i < n; i++) {
		if (narrow)
			((float *)to)[i] = (float)values[i];
		else
			((double *)to)[i] = values[i];
	}
	*out = (forest_reals){to, bytes};
	return to != NULL;
}

/* Counts of rows are whole; what fits neither of the narrow types is kept as it is, whatever it is. */
uint32_t forest_weight_bytes(double x)
{
	if (x >= 0.0 && x <= (double)UINT16_MAX && (double)(uint16_t)x == x && !signbit(x))
		return sizeof(uint16_t);
	return forest_fits(SCORE_F32, x) && x == x ? sizeof(float) : sizeof(double);
}

bool forest_narrow_weights(const double *values, size_t n, sl_arena *arena, forest_weights *out)
{
	uint32_t bytes = sizeof(uint16_t);
	for (size_t i = 0; i < n; i++) {
		uint32_t needed = forest_weight_bytes(values[i]);
		bytes = needed > bytes ? needed : bytes;
	}
	void *to = sl_arena_alloc(arena, n, bytes);
	for (size_t i = 0; to && i < n; i++)
		forest_put_weight(to, bytes, i, values[i]);
	*out = (forest_weights){to, bytes};
	return to != NULL;
}
