/*
 * Arrays in the narrowest type that holds all their values: most of a model's memory are arrays that a few bits would do for.
 *
 * Comes in: values. Goes out: the same values in an arena; forest_number() and forest_weight() read them.
 */
#include "forest.h"

#include <math.h>

uint32_t forest_number_bytes(uint32_t most)
{
	return most <= UINT8_MAX ? 1 : most <= UINT16_MAX ? 2 : 4;
}

void forest_put_number(void *values, uint32_t bytes, size_t i, uint32_t value)
{
	if (bytes == 1)
		((uint8_t *)values)[i] = (uint8_t)value;
	else if (bytes == 2)
		((uint16_t *)values)[i] = (uint16_t)value;
	else
		((uint32_t *)values)[i] = value;
}

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

/* Counts of rows are whole; what fits neither of the narrow types is kept as it is, whatever it is. */
static uint32_t weight_bytes(const double *values, size_t n)
{
	bool whole = true, narrow = true;
	for (size_t i = 0; i < n && narrow; i++) {
		double x = values[i];
		whole = whole && x >= 0.0 && x <= (double)UINT16_MAX && (double)(uint16_t)x == x && !signbit(x);
		narrow = forest_fits(SCORE_F32, x) && x == x;
	}
	return !narrow ? sizeof(double) : whole ? sizeof(uint16_t) : sizeof(float);
}

bool forest_narrow_weights(const double *values, size_t n, sl_arena *arena, forest_weights *out)
{
	uint32_t bytes = weight_bytes(values, n);
	void *to = sl_arena_alloc(arena, n, bytes);
	for (size_t i = 0; to && i < n; i++) {
		if (bytes == sizeof(uint16_t))
			((uint16_t *)to)[i] = (uint16_t)values[i];
		else if (bytes == sizeof(float))
			((float *)to)[i] = (float)values[i];
		else
			((double *)to)[i] = values[i];
	}
	*out = (forest_weights){to, bytes};
	return to != NULL;
}
