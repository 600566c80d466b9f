/*
 * The value of a derived column in one row, operation by operation: what a program means. The engine has its own way.
 */
#include "forest.h"

#include <math.h>

static double rounded(bool is_f32, double x)
{
	return is_f32 ? (double)(float)x : x;
}

static double look_up(const forest_derived *d, const forest_step *s, double x)
{
	uint32_t n = d->table_first[s->values + 1] - d->table_first[s->values];
	const double *values = d->table_values + d->table_first[s->values];
	if (x != x)
		return s->b;
	for (uint32_t low = 0, high = n; low < high;) {
		uint32_t middle = low + (high - low) / 2;
		double key = s->keys == FOREST_DENSE ? (double)middle : d->table_values[d->table_first[s->keys] + middle];
		if (key == x)
			return values[middle];
		if (key < x)
			low = middle + 1;
		else
			high = middle;
	}
	return s->a;
}

static double take_step(const forest_derived *d, const forest_step *s, double x)
{
	switch (s->operation) {
	case SCORE_STEP_ADD:
		return x + s->a;
	case SCORE_STEP_SUBTRACT:
		return x - s->a;
	case SCORE_STEP_MULTIPLY:
		return x * s->a;
	case SCORE_STEP_DIVIDE:
		return x / s->a;
	case SCORE_STEP_CLIP:
		return x < s->a ? s->a : x > s->b ? s->b : x;
	case SCORE_STEP_REPLACE_MISSING:
		return x != x ? s->a : x;
	case SCORE_STEP_REPLACE:
		return x == s->a ? s->b : x;
	case SCORE_STEP_GREATER:
		return x != x ? s->b : x > s->a ? 1.0 : 0.0;
	case SCORE_STEP_EQUAL:
		return x != x ? s->b : x == s->a ? 1.0 : 0.0;
	case SCORE_STEP_IS_MISSING:
		return x != x ? 1.0 : 0.0;
	case SCORE_STEP_TRUNCATE:
		return trunc(x);
	case SCORE_STEP_LOOKUP:
		return look_up(d, s, x);
	default:
		return x;
	}
}

static double take_steps(const forest *f, const forest_program *p, double x)
{
	for (uint32_t i = p->first_step; i < p->first_step + p->n_steps; i++)
		x = rounded(f->derived.steps[i].is_f32, take_step(&f->derived, f->derived.steps + i, x));
	return x;
}

/* Of a category that is known by its hash, the hash. */
static double input_value(const forest *f, const double *row, uint32_t input)
{
	if (!forest_is_hashed(f, input))
		return row[input];
	int64_t category = forest_category(f->contract.category_rule, row[input]);
	return category < 0 ? (double)NAN : (double)category;
}

/* An input, or a column made of one input. */
static double plain_value(const forest *f, const double *row, uint32_t column)
{
	if (column < f->n_features)
		return input_value(f, row, column);
	const forest_program *p = f->derived.programs + (column - f->n_features);
	return take_steps(f, p, input_value(f, row, p->source));
}

static double hash_place(const forest *f, const double *row, const forest_program *p)
{
	const forest_derived *d = &f->derived;
	uint64_t hash = 0;
	for (uint32_t i = d->list_first[p->list]; i < d->list_first[p->list + 1]; i++) {
		double v = plain_value(f, row, d->list_members[i]);
		if (!(v >= -2147483648.0 && v <= 4294967295.0) || trunc(v) != v)
			return (double)NAN;
		int64_t whole = (int64_t)v;
		if (whole > INT32_MAX)
			whole -= (int64_t)1 << 32;
		hash = forest_hash(hash, (uint64_t)whole);
	}
	for (uint32_t i = d->hash_first[p->hashes]; i < d->hash_first[p->hashes + 1]; i++) {
		if (d->hashes[i] == hash)
			return (double)(i - d->hash_first[p->hashes]);
	}
	return (double)NAN;
}

/* The norm over all sources; 0 if it is one that leaves x as it is. */
static double norm_of(const forest *f, const double *row, const forest_program *p)
{
	const forest_derived *d = &f->derived;
	bool is_max = p->root == SCORE_ROOT_NORM_MAX || p->root == SCORE_ROOT_NORM_SIGNED_MAX;
	double norm = p->root == SCORE_ROOT_NORM_SIGNED_MAX ? -INFINITY : 0.0;
	for (uint32_t i = d->list_first[p->list]; i < d->list_first[p->list + 1]; i++) {
		double s = rounded(p->is_f32, plain_value(f, row, d->list_members[i]));
		double term = p->root == SCORE_ROOT_NORM_SIGNED_MAX ? s : fabs(s);
		if (p->root == SCORE_ROOT_NORM_L2 || p->root == SCORE_ROOT_NORM_L2_RATIO)
			term = rounded(p->is_f32, s * s);
		if (!is_max)
			norm = rounded(p->is_f32, norm + term);
		else if (term > norm)
			norm = term;
	}
	if (p->root == SCORE_ROOT_NORM_L2)
		norm = rounded(p->is_f32, sqrt(norm));
	return fabs(norm) < p->least ? 0.0 : norm;
}

double forest_value(const forest *f, const double *row, uint32_t column)
{
	if (column < f->n_features)
		return row[column];
	const forest_program *p = f->derived.programs + (column - f->n_features);
	if (p->root == SCORE_ROOT_VALUE)
		return plain_value(f, row, column);
	if (p->root == SCORE_ROOT_HASH)
		return take_steps(f, p, hash_place(f, row, p));
	double x = rounded(p->is_f32, plain_value(f, row, p->source)), norm = norm_of(f, row, p);
	if (norm == 0.0)
		return take_steps(f, p, x);
	if (p->root != SCORE_ROOT_NORM_L2_RATIO)
		return take_steps(f, p, rounded(p->is_f32, x / norm));
	double ratio = rounded(p->is_f32, rounded(p->is_f32, x * x) / norm);
	return take_steps(f, p, copysign(rounded(p->is_f32, sqrt(ratio)), x));
}
