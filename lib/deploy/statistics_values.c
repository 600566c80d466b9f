/*
 * Values of one feature in a few rows, from every layout that score_batch() takes.
 *
 * Comes in: rows that have been scored, so that their descriptor is known to be sound. Goes out: doubles, NaN where missing;
 * for a category its code, or DEPLOY_UNKNOWN_CATEGORY.
 */
#include "statistics_parts.h"
#include "column_value.h"

#include <math.h>
#include <stdlib.h>

/* ---- categories ---------------------------------------------------------------------------------- */

static int compare_codes(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

score_status deploy_categories_of(const score_model *model, uint32_t feature, sl_arena *arena, deploy_categories *out,
	score_error *error)
{
	const uint32_t n = score_model_category_count(model, feature), flags = score_model_dictionary(model, feature);
	memset(out, 0, sizeof *out);
	out->hashed = (flags & SCORE_DICTIONARY_HASH) != 0;
	if (out->hashed || !flags)
		return SCORE_OK;
	double *codes = sl_arena_alloc(arena, n, sizeof *codes);
	if (!codes)
		return sl_fail_memory(error, n * sizeof *codes);
	for (uint32_t k = 0; k < n; k++) {
		const double code = score_model_category_code(model, feature, k);
		if (!isnan(code))
			codes[out->n_codes++] = code;
	}
	sl_sort(codes, out->n_codes, sizeof *codes, compare_codes);
	out->codes = codes;
	return SCORE_OK;
}

/* A number that stands for a category. */
static double known_category(const deploy_categories *c, double x)
{
	if (isnan(x))
		return x;
	if (c->hashed) /* hash + 0.5 is the code of a text; a whole number stands for its decimal text */
		return x == trunc(x) && fabs(x) < 0x1p64 ? sl_category_hash_integer((uint64_t)fabs(x), x < 0) + 0.5 : x;
	if (c->codes)
		return bsearch(&x, c->codes, c->n_codes, sizeof *c->codes, compare_codes) ? x : DEPLOY_UNKNOWN_CATEGORY;
	return x >= 0 && x == trunc(x) ? x : DEPLOY_UNKNOWN_CATEGORY;
}

/* ---- rows ---------------------------------------------------------------------------------------- */

static void take_rows(const score_input *in, int64_t column, const int64_t *rows, size_t n, double *out)
{
	const int64_t width = in->dtype == SCORE_F32 ? (int64_t)sizeof(float) : (int64_t)sizeof(double);
	const int64_t step = in->u.rows.column_stride_bytes ? in->u.rows.column_stride_bytes : width;
	const char *base = (const char *)in->u.rows.data + column * step;
	const int64_t stride = in->u.rows.row_stride_bytes;
	if (in->dtype == SCORE_F32) {
		for (size_t i = 0; i < n; i++) {
			float x;
			memcpy(&x, base + rows[i] * stride, sizeof x);
			out[i] = (double)x;
		}
	} else {
		for (size_t i = 0; i < n; i++)
			memcpy(out + i, base + rows[i] * stride, sizeof *out);
	}
}

/* ---- columns ------------------------------------------------------------------------------------- */

/* The text itself is looked up: a code alone does not tell an unknown label from a missing value. */
static double label_at(const score_model *model, uint32_t feature, const score_column *c, int64_t row)
{
	double code = (double)NAN;
	size_t n;
	const char *text = deploy_text_at(c, (size_t)row, &n);
	if (!text)
		return code;
	const int found = score_model_category_find(model, feature, text, n, &code);
	return found || score_model_dictionary(model, feature) & SCORE_DICTIONARY_HASH ? code : DEPLOY_UNKNOWN_CATEGORY;
}

void deploy_values_take(const score_model *model, const score_input *input, const score_plan *plan, uint32_t feature,
	const deploy_categories *categories, const int64_t *rows, size_t n, double *out)
{
	const int64_t column = deploy_column_of(plan, feature);
	if (column < 0 || column >= input->n_columns) {
		for (size_t i = 0; i < n; i++)
			out[i] = (double)NAN;
		return;
	}
	const score_column *c = input->layout == SCORE_COLUMNS ? input->u.columns.columns + column : NULL;
	const bool text = c && c->dtype == SCORE_STRING;
	if (input->layout == SCORE_ROWS)
		take_rows(input, column, rows, n, out);
	for (size_t i = 0; input->layout != SCORE_ROWS && i < n; i++)
		out[i] = text ? label_at(model, feature, c, rows[i]) :
			c ? deploy_number_at(c, (size_t)rows[i]) : deploy_sparse_at(input, rows[i], column);
	for (size_t i = 0; categories && !text && i < n; i++)
		out[i] = known_category(categories, out[i]);
}
