/*
 * input: the caller's rows, made uniform.
 *
 * Comes in: a score_input and an optional score_plan. Goes out: an input_view, from which the engine fetches feature
 * values of runs of rows as float or double, with every missing value as NaN. Checks the descriptor once per call.
 */
#ifndef SL_INPUT_VIEW_H
#define SL_INPUT_VIEW_H

#include "../base/base.h"

struct score_plan {
	score_allocator allocator;
	size_t bytes;         /* of this allocation */
	uint32_t n_features;
	uint32_t n_columns;   /* of the caller's schema */
	uint32_t column[];    /* [n_features] */
};

/* Small enough for the stack; refers to the caller's descriptor. */
typedef struct input_view {
	int64_t n_rows;
	const uint32_t *column_of_feature;  /* NULL: identity */
	const score_column *columns;        /* SCORE_COLUMNS, else NULL */
	const char *data;                   /* SCORE_ROWS */
	int64_t row_stride;
	int64_t column_stride;
	score_dtype dtype;                  /* SCORE_ROWS: F32 or F64 */
	bool all_f32;                       /* every used value is a float */
} input_view;

/* Check the descriptor against a model of `n_features` features. */
score_status input_open(const score_input *input, const score_plan *plan, uint32_t n_features, input_view *out,
	score_error *error);

/* Values of one feature in rows [first, first + n). A double, or an integer that float cannot hold, is rounded to
 * nearest float in the first, and an integer to nearest double in the second. */
void input_fetch_f32(const input_view *view, uint32_t feature, int64_t first, size_t n, float *out);
void input_fetch_f64(const input_view *view, uint32_t feature, int64_t first, size_t n, double *out);

/* Values of a feature whose categories are known by their hash: as doubles, but integers that a double cannot hold
 * as hash + 0.5. */
void input_fetch_hashed(const input_view *view, uint32_t feature, int64_t first, size_t n, double *out);

static inline uint32_t input_column(const input_view *view, uint32_t feature)
{
	return view->column_of_feature ? view->column_of_feature[feature] : feature;
}

#endif
