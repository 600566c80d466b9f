/*
 * Rows as codes: bin them once, score them many times.
 *
 * All that trees ask of a value is in which bin it lies. score_bin() answers that for all columns of some rows; score_batch() and
 * every other call take the answers (SCORE_BINNED) instead of the rows. That serves one model with several outputs or tree
 * ranges, and any other model whose bins have the same hash: one whose leaves were refitted, or another copy of it.
 *
 *     score_bins bins = SCORE_BINS_INIT;
 *     score_model_get_bins(model, &bins);
 *     score_bin(model, &input, plan, codes, codes_bytes, n_rows * bins.code_bytes, &error);
 *     score_input binned = score_input_binned(&bins, codes, n_rows * bins.code_bytes, n_rows);
 *
 * Codes are columns of unsigned integers. What they mean can be read, so that they can be counted: score_model_get_bin_column().
 * Linear models have no bins, and models with linear leaves (LightGBM's linear trees) need the values themselves: score_bin()
 * refuses both (SCORE_ERR_UNSUPPORTED).
 */
#ifndef SCORELINE_BINS_H
#define SCORELINE_BINS_H

#include <scoreline.h>

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All columns of codes of a model. */
typedef struct score_bins {
	size_t struct_size;
	uint8_t hash[16];    /* of what the codes of all columns mean: features (by name), cuts, categories, missing values */
	uint32_t n_columns;  /* columns of codes; 0 if the model has no bins */
	uint32_t code_bytes; /* of a code: 1, 2 or 4 */
} score_bins;

#define SCORE_BINS_INIT { sizeof(score_bins), { 0 }, 0, 0 }

SCORE_API SCORE_MUST_CHECK score_status score_model_get_bins(const score_model *model, score_bins *bins);

/*
 * One column of codes. Features that no tree asks have none; a feature whose splits differ in their rule for missing values has
 * one per rule, and one more if it is asked for categories too. Columns stand in the order of their features.
 *
 * Of numbers: a code is the number of `cuts` that are <= x, from 0 to n_cuts. Missing values have the code `missing`: 0, which
 * they share with values below the first cut, or all bits set, which values may have too where n_cuts is 255 (or 65,535).
 * Of categories: a code is 1 + the position among `categories`, 0 for any other value, n_categories + 1 = `missing` for a
 * missing one.
 */
typedef struct score_bin_column {
	size_t struct_size;
	uint32_t feature;           /* an input, or n_features + i: derived column i of the model              */
	uint32_t flags;             /* SCORE_BIN_*                                                             */
	uint32_t missing;           /* code of missing values                                                  */
	uint32_t n_cuts;
	uint32_t n_categories;
	uint32_t reserved;
	const double *cuts;         /* [n_cuts] ascending, a NaN (never reached) last; borrowed from the model */
	const uint32_t *categories; /* [n_categories] ascending; borrowed from the model                       */
} score_bin_column;

#define SCORE_BIN_COLUMN_INIT { sizeof(score_bin_column), 0, 0, 0, 0, 0, 0, NULL, NULL }

#define SCORE_BIN_CATEGORY 1u        /* a column of categories                          */
#define SCORE_BIN_ZERO_IS_MISSING 2u /* |x| <= (double)1e-35f counts as missing         */
#define SCORE_BIN_DERIVED 4u         /* of a column that the model computes             */

/* Column `i` of codes; ARGUMENT if there is none. A model that compares floats makes doubles of its cuts for the first call, in memory of
 * its allocator (else MEMORY), which the model keeps; any number of threads may call it. */
SCORE_API SCORE_MUST_CHECK score_status score_model_get_bin_column(const score_model *model, uint32_t i,
	score_bin_column *column, score_error *error);

/* Codes of all rows of `input`: that of row r in column c goes to codes + c * column_stride_bytes + r * code_bytes. The
 * stride is a multiple of code_bytes and at least n_rows * code_bytes, and codes_bytes at least n_columns times the stride.
 * `plan` may be NULL: by position. Never allocates; any number of threads may bin runs of the same rows into one table. */
SCORE_API SCORE_MUST_CHECK score_status score_bin(const score_model *model, const score_input *input,
	const score_plan *plan, void *codes, size_t codes_bytes, int64_t column_stride_bytes, score_error *error);

/* Codes as rows to score, without a plan: names were bound when they were made. A model whose bins have another hash refuses
 * them (SCORE_ERR_SHAPE). To score a run of rows, let `codes` point to the first one in column 0. Codes are not checked: one that
 * score_bin() never gives (a category's above n_categories + 1) is safe, but what is answered may depend on the number of rows. */
static inline score_input score_input_binned(const score_bins *bins, const void *codes, int64_t column_stride_bytes,
	int64_t n_rows)
{
	score_input in = score_input_columns(NULL, n_rows, bins->n_columns);
	in.layout = SCORE_BINNED;
	in.u.binned.codes = codes;
	in.u.binned.column_stride_bytes = column_stride_bytes;
	memcpy(in.u.binned.hash, bins->hash, sizeof bins->hash);
	in.u.binned.code_bytes = bins->code_bytes;
	return in;
}

#ifdef __cplusplus
}
#endif
#endif
