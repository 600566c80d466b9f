/*
 * Predictions of a model of parts: what each part answers from its margins, and their mean, sum or weighted median.
 *
 * As scikit-learn computes it: a part's values in the order of its own operations, parts in their order.
 */
#include "kernels.h"
#include "link.h"

#include <math.h>

/* Between the points of a curve as numpy.interp() computes it, beyond them the first or last y. */
static double on_curve(const double *x, const double *y, uint32_t n, double at)
{
	if (at != at)
		return at;
	if (at <= x[0] || n == 1)
		return y[0];
	if (at >= x[n - 1])
		return y[n - 1];
	uint32_t low = 0, high = n - 1; /* x[low] <= at < x[high] */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (x[middle] <= at)
			low = middle;
		else
			high = middle;
	}
	if (x[low] == at)
		return y[low];
	double slope = (y[low + 1] - y[low]) / (x[low + 1] - x[low]);
	return slope * (at - x[low]) + y[low];
}

static uint32_t first_largest(const double *x, uint32_t n)
{
	uint32_t best = 0;
	for (uint32_t i = 1; i < n; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): links give as many values as forest_part_values() says */
		best = x[i] > x[best] ? i : best;
	return best;
}

/* Values of a part into `out`, which has room for one more than its outputs; returns how many. */
static uint32_t answer(const score_part *p, const double *margins, double *out)
{
	uint32_t n = forest_part_values(p);
	double *x = out; /* links take values where they put theirs */
	for (uint32_t i = 0; i < p->n_outputs; i++) {
		x[i] = margins[p->first_output + i];
		if (p->divisor != 1.0)
			x[i] /= p->divisor;
		if (p->slopes)
			x[i] = x[i] * p->slopes[i] + p->offsets[i];
		if (p->curve_ends) {
			uint32_t from = i ? p->curve_ends[i - 1] : 0;
			x[i] = on_curve(p->curve_x + from, p->curve_y + from, p->curve_ends[i] - from, x[i]);
		}
	}
	if (p->vote == SCORE_VOTE_ABOVE || p->vote == SCORE_VOTE_AT_LEAST) {
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): a part has at least one output */
		bool second = p->vote == SCORE_VOTE_ABOVE ? x[0] > 0.0 : x[0] >= 0.0;
		out[0] = !second;
		out[1] = second;
		return n;
	}
	engine_link_values(p->link, p->link_parameter, SCORE_F64, p->n_outputs, x, out);
	if (p->vote == SCORE_VOTE_LARGEST) {
		uint32_t best = first_largest(out, n);
		for (uint32_t i = 0; i < n; i++)
			out[i] = i == best;
	}
	return n;
}

/* The first value, in ascending order, at which half of all weight is reached. */
static NEVER_INLINE double weighted_median(const forest_parts *parts, const double *values)
{
	uint8_t order[FOREST_MAX_PART_OUTPUTS];
	double sum = 0.0, cumulated[FOREST_MAX_PART_OUTPUTS];
	uint32_t at = 0;
	order[0] = 0;
	for (uint32_t i = 1; i < parts->n; i++) {
		uint32_t k = i;
		for (; k && values[order[k - 1]] > values[i]; k--)
			order[k] = order[k - 1];
		order[k] = (uint8_t)i;
	}
	for (uint32_t i = 0; i < parts->n; i++)
		cumulated[i] = sum += parts->list[order[i]].weight;
	while (at + 1 < parts->n && !(cumulated[at] >= 0.5 * sum))
		at++;
	return values[order[at]];
}

void engine_combine(const forest *f, const double *margins, double *out)
{
	const forest_parts *parts = &f->parts;
	double sums[FOREST_MAX_PART_OUTPUTS] = {0.0}, values[FOREST_MAX_PART_OUTPUTS + 1];
	if (parts->combine == SCORE_COMBINE_MEDIAN) {
		for (uint32_t i = 0; i < parts->n; i++) {
			answer(parts->list + i, margins, values);
			/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): a part has at least one output */
			sums[i] = values[0];
		}
		out[0] = weighted_median(parts, sums);
		return;
	}
	for (uint32_t i = 0; i < parts->n; i++) {
		const score_part *p = parts->list + i;
		uint32_t n = answer(p, margins, values);
		for (uint32_t k = 0; k < n; k++)
			/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): as many as answer() says that it gave */
			sums[p->columns[k]] += p->weight * values[k];
	}
	for (uint32_t i = 0; i < f->n_predictions; i++)
		out[i] = parts->total != 0.0 ? sums[i] / parts->total : sums[i];
}
