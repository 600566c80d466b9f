/*
 * Exact evaluation by comparing values with cuts, one row and one split at a time.
 *
 * This is what a model means. It shares nothing with the engine, so that each can be held against the other.
 */
#include "forest.h"

#include <math.h>

/* A whole number by its decimal text; k + 0.5 is a hash itself. */
static int64_t hashed_category(double x)
{
	if (!(fabs(x) <= 18446744073709549568.0)) /* the largest double of 64 bits */
		return -1;
	if (x == floor(x))
		return x < -9223372036854775808.0 ? -1 : (int64_t)sl_category_hash_integer((uint64_t)fabs(x), x < 0.0);
	return x > 0.0 && x < 4294967296.0 && x - floor(x) == 0.5 ? (int64_t)x : -1;
}

int64_t forest_category(score_category_rule rule, double x)
{
	if (rule == SCORE_CATEGORY_HASH)
		return hashed_category(x);
	if (!(x < 2147483648.0) || !(x > -1.0) || (rule != SCORE_CATEGORY_TRUNCATE && x < 0.0))
		return -1;
	int64_t category = (int64_t)x;
	return rule == SCORE_CATEGORY_EXACT && (double)category != x ? -1 : category;
}

static bool in_set(const forest *f, uint32_t set, int64_t category)
{
	uint32_t low = forest_set_first(f, set), high = forest_set_first(f, set + 1);
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const int64_t member = forest_set_member(f, middle);
		if (member == category)
			return true;
		if (member < category)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

bool forest_goes_right(const forest *f, const forest_test *t, double x)
{
	if (f->contract.compare == SCORE_F32 && !forest_is_hashed(f, t->feature))
		x = (double)(float)x;
	if (x != x || (t->zero_is_missing && fabs(x) <= FOREST_ZERO))
		return t->missing_right;
	if (t->kind == FOREST_NUMERIC)
		return x >= forest_real(&f->cuts, f->features[t->feature].first_cut + t->index);
	int64_t category = forest_category(f->contract.category_rule, x);
	bool in = category >= 0 && in_set(f, t->index, category);
	return in == (t->kind == FOREST_CATEGORY);
}

uint32_t forest_walk(const forest *f, uint32_t tree, const double *row)
{
	forest_side at = forest_whole(f->trees + tree);
	while (!forest_is_leaf(&at)) {
		const forest_test test = forest_test_at(f, forest_number(&f->split_test, at.split));
		at = forest_goes_right(f, &test, forest_value(f, row, test.feature)) ? forest_right(f, &at) : forest_left(f, &at);
	}
	return at.leaf - f->trees[tree].first_leaf;
}

static double add(const forest *f, double sum, double x)
{
	return f->contract.sum == SCORE_F32 ? (double)((float)sum + (float)x) : sum + x;
}

static double multiply(const forest *f, double x, double y)
{
	return f->contract.sum == SCORE_F32 ? (double)((float)x * (float)y) : x * y;
}

static void linear_sums(const forest *f, const double *row, double *out)
{
	uint32_t n = f->contract.n_outputs;
	for (uint32_t i = f->linear_first; i < forest_columns(f); i++) {
		double x = forest_value(f, row, i);
		if (f->contract.compare == SCORE_F32)
			x = (double)(float)x;
		if (f->linear_skip_missing && x != x)
			continue;
		for (uint32_t o = 0; o < n; o++)
			out[o] = add(f, out[o], multiply(f, x, f->linear_weights[(size_t)(i - f->linear_first) * n + o]));
	}
}

double forest_linear_leaf(const forest *f, uint32_t leaf, const double *row)
{
	const forest_linear_leaves *l = &f->linear_leaves;
	double sum = l->constants[leaf];
	for (uint32_t i = l->first_term[leaf]; i < l->first_term[leaf + 1]; i++) {
		double x = forest_value(f, row, l->features[i]);
		if (x != x)
			return forest_real(&f->leaves, leaf);
		sum += l->coefficients[i] * forest_linear_value(x);
	}
	return sum;
}

static void tree_sums(const forest *f, const double *row, uint32_t begin, uint32_t end, double *out)
{
	for (uint32_t t = begin; t < end; t++) {
		size_t leaf = (size_t)f->trees[t].first_leaf + forest_walk(f, t, row);
		if (f->linear_leaves.first_term) {
			out[f->trees[t].output] += forest_linear_leaf(f, (uint32_t)leaf, row);
			continue;
		}
		for (uint32_t i = 0; i < f->leaf_width; i++) {
			double *sum = out + f->trees[t].output + i;
			*sum = add(f, *sum, forest_real(&f->leaves, leaf * f->leaf_width + i));
		}
	}
}

void forest_margins(const forest *f, const double *row, uint32_t begin, uint32_t end, double *out)
{
	const score_contract *c = &f->contract;
	for (uint32_t o = 0; o < c->n_outputs; o++)
		out[o] = c->base_position == SCORE_BASE_FIRST ? f->base[o] : 0.0;
	if (f->kind == SCORE_KIND_LINEAR)
		linear_sums(f, row, out);
	else
		tree_sums(f, row, begin, end, out);
	uint32_t iterations = (end - begin) / c->trees_per_iteration;
	for (uint32_t o = 0; o < c->n_outputs; o++)
		out[o] = forest_finish_margin(c, out[o], f->base[o], iterations);
}
