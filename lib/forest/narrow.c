/*
 * Arrays in the narrowest type that holds all their values: most of a model's memory are arrays that a few bits would do for.
 *
 * Comes in: values. Goes out: the same values in an arena; forest_number(), forest_real(), forest_weight() and forest_test_at() read
 * them.
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

static bool same_rule(const forest_test *a, const forest_test *b)
{
	return a->feature == b->feature && a->kind == b->kind && a->missing_right == b->missing_right &&
		a->zero_is_missing == b->zero_is_missing;
}

/* Numbers the rules of some tests, of which those of a feature lie together. `rules` may be NULL, and so may `narrow`. Returns how
 * many there are. */
static size_t list_rules(const forest_test *tests, size_t n, forest_test *rules, forest_short_test *narrow)
{
	forest_test open[256]; /* rules of the feature at hand: more cannot differ */
	size_t n_rules = 0, n_open = 0;
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;
		if (i && tests[i].feature != tests[i - 1].feature)
			n_open = 0;
		while (k < n_open && !same_rule(open + k, tests + i))
			k++;
		if (k == n_open) {
			open[n_open++] = tests[i];
			if (rules) {
				rules[n_rules] = tests[i];
				rules[n_rules].index = 0;
			}
			n_rules++;
		}
		if (narrow)
			narrow[i] = (forest_short_test){(uint16_t)(n_rules - n_open + k), (uint16_t)tests[i].index};
	}
	return n_rules;
}

bool forest_narrow_tests(const forest_test *tests, size_t n, sl_arena *arena, forest_tests *out)
{
	size_t n_rules = list_rules(tests, n, NULL, NULL);
	bool fits = n_rules <= (size_t)UINT16_MAX + 1;
	for (size_t i = 0; i < n && fits; i++)
		fits = tests[i].index <= UINT16_MAX;
	if (!fits) {
		*out = (forest_tests){.wide = sl_arena_copy(arena, tests, n, sizeof *tests)};
		return out->wide != NULL;
	}
	forest_short_test *narrow = sl_arena_alloc(arena, n, sizeof *narrow);
	forest_test *rules = sl_arena_alloc(arena, n_rules, sizeof *rules);
	if (narrow && rules)
		list_rules(tests, n, rules, narrow);
	*out = (forest_tests){.narrow = narrow, .rules = rules};
	return narrow && rules;
}
