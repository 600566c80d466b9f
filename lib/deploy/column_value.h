/*
 * One value of a caller's rows, whatever their layout and type: for keys, times, statistics and the log. Scoring itself reads whole
 * columns (lib/input).
 *
 * The caller's arrays are trusted to be as long as the call says, as in score_batch(); what deploy_check_column() refuses is not read.
 */
#ifndef DEPLOY_COLUMN_VALUE_H
#define DEPLOY_COLUMN_VALUE_H

#include "../base/base.h"

#include <scoreline.h>

/* Bytes of an element; 0 for SCORE_STRING, SCORE_BOOL_BITS and what is no type. */
size_t deploy_type_bytes(score_dtype type);
bool deploy_is_integer(score_dtype type);

/* Whether `n_rows` values can be read there, whatever they mean; `what` begins the message. */
score_status deploy_check_column(const score_column *column, size_t n_rows, const char *what, score_error *error);

static inline bool deploy_bit_at(const void *bits, int64_t i)
{
	return ((const uint8_t *)bits)[i >> 3] >> (i & 7) & 1;
}

static inline bool deploy_is_valid(const score_column *c, size_t r)
{
	return !c->validity || deploy_bit_at(c->validity, c->offset + (int64_t)r);
}

/* Of a column of integers, whether the row is valid or not. */
int64_t deploy_integer_at(const score_column *c, size_t r);
/* Text of a row of a SCORE_STRING column; NULL where it is missing. */
const char *deploy_text_at(const score_column *c, size_t r, size_t *length);
/* A row of any numeric column; NaN where it is missing. */
double deploy_number_at(const score_column *c, size_t r);
/* A cell of SCORE_CSR rows: what `absent` says where there is no entry. */
double deploy_sparse_at(const score_input *input, int64_t row, int64_t column);

/* The column that feeds a feature: by the plan, or by position. */
static inline int64_t deploy_column_of(const score_plan *plan, uint32_t feature)
{
	return plan ? score_plan_column(plan, feature) : (int64_t)feature;
}

#endif
