/*
 * Parts: a model whose prediction combines what several models answer, each from outputs of its own.
 *
 * Comes in: parts as a caller or a file describes them. Goes out: checked copies, whose every index is in range.
 */
#include "forest.h"

#include <math.h>

/* Values of a part before they are combined; 0: its link does not fit its outputs. */
uint32_t forest_part_values(const score_part *p)
{
	if (p->vote == SCORE_VOTE_ABOVE || p->vote == SCORE_VOTE_AT_LEAST)
		return p->n_outputs == 1 && p->link == SCORE_LINK_IDENTITY ? 2 : 0;
	return p->link == SCORE_LINK_PARTS ? 0 : forest_link_predictions(p->link, p->n_outputs);
}

static bool are_finite(const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(x[i]))
			return false;
	}
	return true;
}

/* Each output's curve has points, in ascending order. */
static bool curves_fit(const score_part *p)
{
	uint32_t from = 0;
	if (!p->curve_ends)
		return true;
	if (!p->curve_x || !p->curve_y)
		return false;
	for (uint32_t i = 0; i < p->n_outputs; from = p->curve_ends[i++]) {
		if (p->curve_ends[i] <= from || p->curve_ends[i] > FOREST_MAX_CURVE)
			return false;
		for (uint32_t k = from; k < p->curve_ends[i]; k++) {
			if (!isfinite(p->curve_x[k]) || !isfinite(p->curve_y[k]) || (k > from && p->curve_x[k] <= p->curve_x[k - 1]))
				return false;
		}
	}
	return true;
}

score_status forest_check_part(const score_part *p, uint32_t n_outputs, score_error *error)
{
	if (p->n_outputs == 0 || p->n_outputs > n_outputs || p->first_output > n_outputs - p->n_outputs)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "a part takes outputs %u to %llu, the model has %u", p->first_output,
			(unsigned long long)p->first_output + p->n_outputs, n_outputs);
	if (n_outputs > FOREST_MAX_PART_OUTPUTS)
		return sl_fail(error, SCORE_ERR_LIMIT, "a model of parts has %u outputs, the limit is %u", n_outputs,
			FOREST_MAX_PART_OUTPUTS);
	if ((uint32_t)p->vote > SCORE_VOTE_AT_LEAST || forest_part_values(p) == 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "link %d or vote %d of a part is unknown or does not fit its %u outputs",
			(int)p->link, (int)p->vote, p->n_outputs);
	if (!isfinite(p->divisor) || !isfinite(p->weight) || !isfinite(p->link_parameter) || p->weight < 0.0 ||
		!p->slopes != !p->offsets || (p->slopes && (!are_finite(p->slopes, p->n_outputs) || !are_finite(p->offsets, p->n_outputs))))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "a part's divisor, weight, slopes and offsets must be finite, the weight "
			"not negative, and slopes and offsets come together");
	if (!curves_fit(p))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "each curve of a part must have at least one point, and x must ascend");
	return SCORE_OK;
}

score_status forest_copy_part(const score_part *from, sl_arena *arena, score_part *to, score_error *error)
{
	uint32_t n = from->n_outputs, n_curve = from->curve_ends ? from->curve_ends[n - 1] : 0;
	*to = *from;
	to->struct_size = sizeof *to;
	to->divisor = from->divisor == 0.0 ? 1.0 : from->divisor;
	to->link_parameter = from->link_parameter == 0.0 ? 1.0 : from->link_parameter;
	if (from->slopes) {
		to->slopes = sl_arena_copy(arena, from->slopes, n, sizeof(double));
		to->offsets = sl_arena_copy(arena, from->offsets, n, sizeof(double));
	}
	if (from->curve_ends) {
		to->curve_ends = sl_arena_copy(arena, from->curve_ends, n, sizeof(uint32_t));
		to->curve_x = sl_arena_copy(arena, from->curve_x, n_curve, sizeof(double));
		to->curve_y = sl_arena_copy(arena, from->curve_y, n_curve, sizeof(double));
	}
	uint32_t n_values = forest_part_values(from);
	uint32_t *columns = sl_arena_alloc(arena, n_values, sizeof *columns);
	for (uint32_t i = 0; i < n_values && columns; i++)
		columns[i] = from->columns ? from->columns[i] : i;
	to->columns = columns;
	if (!columns || (from->slopes && (!to->slopes || !to->offsets)) ||
		(from->curve_ends && (!to->curve_ends || !to->curve_x || !to->curve_y)))
		return forest_fail_memory(arena, n_curve * sizeof(double), error);
	return SCORE_OK;
}

score_status forest_check_parts(const forest *f, score_error *error)
{
	const forest_parts *parts = &f->parts;
	if (f->link != SCORE_LINK_PARTS)
		return parts->n ? sl_fail(error, SCORE_ERR_CORRUPT, "the model has parts that nothing combines") : SCORE_OK;
	if (parts->n > FOREST_MAX_PART_OUTPUTS)
		return sl_fail(error, SCORE_ERR_LIMIT, "the model has %u parts, the limit is %u", parts->n, FOREST_MAX_PART_OUTPUTS);
	if (!parts->n || f->contract.sum != SCORE_F64 || !isfinite(parts->total) || f->contract.average == SCORE_AVERAGE_PREDICTION ||
		(uint32_t)parts->combine > SCORE_COMBINE_MEDIAN || f->n_predictions == 0 || f->n_predictions > FOREST_MAX_PART_OUTPUTS ||
		(parts->combine == SCORE_COMBINE_MEDIAN && f->n_predictions != 1))
		return sl_fail(error, SCORE_ERR_CORRUPT, "the parts cannot be combined: expected at least one, sums in double, a finite "
			"total, 1 to %u predictions, and one prediction of a median", FOREST_MAX_PART_OUTPUTS);
	for (uint32_t i = 0; i < parts->n; i++) {
		const score_part *p = parts->list + i;
		score_status status = forest_check_part(p, f->contract.n_outputs, error);
		if (status == SCORE_ERR_ARGUMENT && error)
			error->code = SCORE_ERR_CORRUPT;
		if (status != SCORE_OK)
			return status == SCORE_ERR_ARGUMENT ? SCORE_ERR_CORRUPT : status;
		uint32_t n = forest_part_values(p);
		if (parts->combine == SCORE_COMBINE_MEDIAN && n != 1)
			return sl_fail(error, SCORE_ERR_CORRUPT, "part %u has %u values, a median takes one of each", i, n);
		for (uint32_t k = 0; k < n; k++) {
			if (p->columns[k] >= f->n_predictions)
				return sl_fail(error, SCORE_ERR_CORRUPT, "part %u adds to prediction %u, the model has %u", i, p->columns[k],
					f->n_predictions);
		}
	}
	return SCORE_OK;
}
