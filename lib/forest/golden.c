/*
 * Golden rows: a model's own self-test.
 *
 * Rows that lie where implementations differ: exactly on thresholds, just below them, missing, zero, on known categories and
 * on one that no set names. Chosen from the model alone by a fixed generator, so that the same model gives the same file. No infinities
 * and, where the source library refuses them, no NaN: the source must be able to score the rows too.
 */
#include "golden.h"

#include <math.h>

#define MAX_GOLDEN_ROWS 16u
#define MIN_GOLDEN_ROWS 4u
#define GOLDEN_VALUES 4096u
#define WIDE_FEATURES 65536u /* more than that: two rows must do */

uint64_t forest_golden_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static double below(const forest *f, double x)
{
	return f->contract.compare == SCORE_F32 ? (double)nextafterf((float)x, -INFINITY) : nextafter(x, -INFINITY);
}

double forest_golden_number(const forest *f, const forest_feature *feature, uint64_t *state)
{
	uint64_t r = forest_golden_random(state);
	if (feature->n_cuts == 0)
		return (double)(int64_t)(r % 9) * 0.25 - 1.0;
	double cut = forest_real(&f->cuts, feature->first_cut + (uint32_t)(r >> 32) % feature->n_cuts);
	double x = (r & 7) == 0 ? 0.0 : (r & 7) < 4 ? cut : below(f, cut);
	return isfinite(x) ? x : 0.0;
}

/* First test on a category set of this feature, or n_tests. */
static uint32_t find_set_test(const forest *f, uint32_t feature)
{
	uint32_t low = 0, high = f->n_tests;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const forest_test t = forest_test_at(f, middle);
		if (t.feature < feature || (t.feature == feature && t.kind == FOREST_NUMERIC))
			low = middle + 1;
		else
			high = middle;
	}
	return low < f->n_tests && forest_test_at(f, low).feature == feature ? low : f->n_tests;
}

static double pick_category(const forest *f, uint32_t feature, uint32_t test, uint64_t *state)
{
	uint32_t n = 0;
	while (test + n < f->n_tests && forest_test_at(f, test + n).feature == feature)
		n++;
	uint64_t r = forest_golden_random(state);
	uint32_t set = forest_test_at(f, test + (uint32_t)(r >> 40) % n).index;
	uint32_t first = forest_set_first(f, set), length = forest_set_first(f, set + 1) - first;
	if (length == 0)
		return 0.0;
	uint32_t member = forest_set_member(f, first + (uint32_t)(r >> 8) % length);
	/* Beside a member may lie a category that no set names. */
	bool beside = (r & 3) == 0;
	if (f->contract.category_rule == SCORE_CATEGORY_HASH)
		return beside ? (double)(r >> 8 & 63) : (double)member + 0.5;
	return (double)(beside && member < 16777215u ? member + 1 : member);
}

/* A category that no set of the feature names. */
static double unseen_category(const forest *f, uint32_t feature, uint32_t test)
{
	uint32_t next = 0;
	if (f->contract.category_rule == SCORE_CATEGORY_HASH)
		return 1000003.0;
	for (; test < f->n_tests && forest_test_at(f, test).feature == feature; test++) {
		uint32_t set = forest_test_at(f, test).index, end = forest_set_first(f, set + 1);
		if (end > forest_set_first(f, set) && forest_set_member(f, end - 1) >= next)
			next = forest_set_member(f, end - 1) + 1;
	}
	return next < 16777216u ? (double)next : 16777215.0;
}

static double pick(const forest *f, const golden_askers *askers, uint32_t row, uint32_t feature, uint64_t *state)
{
	bool is_asked = askers->first && askers->first[feature] < askers->first[feature + 1];
	bool has_nan = f->kind == SCORE_KIND_TREES || f->linear_skip_missing ||
		(is_asked && forest_answers_missing(f, askers, feature));
	if (row == 0)
		return 0.0;
	uint32_t test = find_set_test(f, feature);
	if (row == 2 && test < f->n_tests)
		return unseen_category(f, feature, test);
	if (has_nan && (row == 1 || forest_golden_random(state) % 8 == 0))
		return (double)NAN;
	if (is_asked && (test == f->n_tests || forest_golden_random(state) % 2))
		return forest_pick_for_programs(f, askers, feature, state);
	return test < f->n_tests ? pick_category(f, feature, test, state) : forest_golden_number(f, f->features + feature, state);
}

static score_status fill(forest *f, const golden_askers *askers, sl_arena *arena, score_error *error)
{
	uint32_t n = GOLDEN_VALUES / f->n_features, least = f->n_features > WIDE_FEATURES ? 2 : MIN_GOLDEN_ROWS;
	n = n < least ? least : n > MAX_GOLDEN_ROWS ? MAX_GOLDEN_ROWS : n;
	uint64_t state = 0x5c04e11e;
	double *rows = sl_arena_alloc(arena, (size_t)n * f->n_features, sizeof *rows);
	double *margins = sl_arena_alloc(arena, (size_t)n * f->contract.n_outputs, sizeof *margins);
	if (!rows || !margins)
		return forest_fail_memory(arena, (size_t)n * f->n_features * sizeof *rows, error);
	for (uint32_t r = 0; r < n; r++) {
		double *row = rows + (size_t)r * f->n_features;
		for (uint32_t i = 0; i < f->n_features; i++)
			row[i] = pick(f, askers, r, i, &state);
		forest_margins(f, row, 0, f->n_trees, margins + (size_t)r * f->contract.n_outputs);
	}
	f->golden_rows = rows;
	f->golden_margins = margins;
	f->n_golden = n;
	return SCORE_OK;
}

score_status forest_choose_golden(forest *f, sl_arena *arena, score_error *error)
{
	golden_askers askers = {NULL, NULL};
	sl_arena scratch;
	sl_arena_init(&scratch, &arena->allocator, arena->limit - arena->used);
	score_status status = !f->derived.n || forest_list_askers(f, &scratch, &askers) ? fill(f, &askers, arena, error)
		: forest_fail_memory(&scratch, f->derived.n * sizeof(uint32_t), error);
	sl_arena_free(&scratch);
	return status;
}
