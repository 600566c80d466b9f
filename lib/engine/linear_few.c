/*
 * Linear models of a few rows whose values lie side by side: one addition waits for the one before it, so nothing is gained by
 * columns, and up to four rows are summed together, which do not wait for each other.
 *
 * Comes in: rows as a kernel for whole rows takes them. Goes out: the same sums.
 */
#include "parts.h"

#define FEW_ROWS 4

#define VALUE float
#define SUM float
#define NAME(name) name##_f32
#include "linear_few_template.h"
#define VALUE float
#define SUM double
#define NAME(name) name##_mixed
#include "linear_few_template.h"
#define VALUE double
#define SUM double
#define NAME(name) name##_f64
#include "linear_few_template.h"
void engine_linear_few_rows(const linear_rows *rows, score_dtype value, score_dtype sum, const double *weights, void *sums)
{
	if (value == SCORE_F64)
		few_rows_f64(rows, weights, sums);
	else if (sum == SCORE_F32)
		few_rows_f32(rows, weights, sums);
	else
		few_rows_mixed(rows, weights, sums);
}
