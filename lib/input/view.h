/*
 * input: the caller's rows, made uniform.
 *
 * Comes in: a score_input and an optional score_plan. Goes out: an input_view, from which the engine fetches feature
 * values of runs of rows as float or double, with every missing value as NaN. Checks the descriptor once per call.
 */
#ifndef SL_INPUT_VIEW_H
#define SL_INPUT_VIEW_H

#include "../forest/forest.h"

struct score_plan {
	score_allocator allocator;
	size_t bytes;         /* of this allocation */
	uint32_t n_features;
	uint32_t n_columns;   /* of the caller's schema */
	uint32_t column[];    /* [n_features] */
};

/* The first row, in the order of reading, whose string the model's dictionary refuses. */
typedef struct input_refusal {
	int64_t row; /* -1: none so far */
	uint32_t feature;
} input_refusal;

/* Small enough for the stack; refers to the caller's descriptor. */
typedef struct input_view {
	int64_t n_rows;
	const forest *f;
	input_refusal *refusal;             /* filled while values are fetched; NULL if there are no strings */
	const uint32_t *column_of_feature;  /* NULL: identity */
	const score_column *columns;        /* SCORE_COLUMNS, else NULL */
	const char *data;                   /* SCORE_ROWS */
	int64_t row_stride;
	int64_t column_stride;
	score_dtype dtype;                  /* SCORE_ROWS, SCORE_CSR: F32 or F64 */
	bool is_csr;
	score_dtype start_type, number_type; /* SCORE_CSR, as in score_input */
	const void *row_starts, *column_numbers, *entries;
	double absent;                      /* SCORE_CSR: 0 or NaN */
	const char *codes;                  /* SCORE_BINNED: codes of the model's columns, instead of values */
	int64_t code_stride;                /* from one column of them to the next, in bytes */
	bool all_f32;                       /* every used value is a float */
} input_view;

/* Check the descriptor against the model's features. */
score_status input_open(const score_input *input, const score_plan *plan, const forest *f, input_view *out,
	score_error *error);

/* Values of one feature in rows [first, first + n). A double, or an integer that float cannot hold, is rounded to
 * nearest float in the first, and an integer to nearest double in the second. */
void input_fetch_f32(const input_view *view, uint32_t feature, int64_t first, size_t n, float *out);
void input_fetch_f64(const input_view *view, uint32_t feature, int64_t first, size_t n, double *out);

/* Whether a bitmap marks none of the n elements from `element` on as missing. */
bool input_all_valid(const uint8_t *validity, int64_t element, size_t n);
/* Bit k of words[i]: the bitmap marks element + 64 * i + k, of n, as missing. Whether there is one. */
bool input_missing_words(const uint8_t *validity, int64_t element, size_t n, uint64_t *words);


/* Values of a feature whose categories are known by their hash: as doubles, but integers that a double cannot hold
 * as hash + 0.5. */
void input_fetch_hashed(const input_view *view, uint32_t feature, int64_t first, size_t n, double *out);

/* ---- sparse rows (csr.c) ------------------------------------------------------------------------------- */

score_status input_open_csr(const score_input *in, input_view *out, score_error *error);
void input_csr_f32(const input_view *view, uint32_t feature, int64_t first, size_t n, float *out);
void input_csr_f64(const input_view *view, uint32_t feature, int64_t first, size_t n, double *out);

/* Columns [column, column + n_columns) of rows [first, first + n), column after column, `stride` values apart. `cursors[r]`
 * counts the entries of row r before `column`: start with zeros and go from left to right. */
void input_csr_tile_f32(const input_view *view, int64_t first, size_t n, uint32_t column, uint32_t n_columns,
	uint32_t *cursors, float *out, size_t stride);
void input_csr_tile_f64(const input_view *view, int64_t first, size_t n, uint32_t column, uint32_t n_columns,
	uint32_t *cursors, double *out, size_t stride);

/* ---- strings (strings.c) ------------------------------------------------------------------------------ */

/* Whether strings have codes: the feature has a dictionary, or its categories are known by their hash. */
bool input_takes_strings(const forest *f, uint32_t feature);
/* Code of one string; false if it is no label of the dictionary. */
bool input_string_code(const forest *f, uint32_t feature, const char *text, size_t length, double *code);
/* Codes of a column of strings, NaN for missing ones. */
void input_string_codes_f32(const input_view *view, uint32_t feature, int64_t first, size_t n, float *out);
void input_string_codes_f64(const input_view *view, uint32_t feature, int64_t first, size_t n, double *out);
void input_encode(const forest *f, uint32_t feature, const score_strings *strings, double *codes);
/* The error about a text that the feature must not have; about view->refusal, which has a row. */
score_status input_refuse_text(const forest *f, uint32_t feature, const char *text, size_t length, int64_t row,
	score_error *error);
score_status input_refuse(const input_view *view, score_error *error);

static inline uint32_t input_column(const input_view *view, uint32_t feature)
{
	return view->column_of_feature ? view->column_of_feature[feature] : feature;
}

/* Bytes of a value of a column whose numbers lie side by side, else 0. */
size_t input_dense_bytes(const score_column *c);

/* Where a column's values from row `first` on lie, if they are of this type, F32 or F64, and side by side; a bitmap may say that some
 * are missing. Else NULL. */
static inline const void *input_dense(const input_view *view, uint32_t feature, score_dtype dtype, int64_t first)
{
	const score_column *c = view->columns + input_column(view, feature);
	const int64_t size = dtype == SCORE_F32 ? sizeof(float) : sizeof(double);
	if (c->dtype != dtype || (c->stride_bytes && c->stride_bytes != size))
		return NULL;
	return (const char *)c->values + (c->offset + first) * size;
}

/* The same if no bitmap marks one of these `n` as missing. */
static inline const void *input_dense_valid(const input_view *view, uint32_t feature, score_dtype dtype, int64_t first, size_t n)
{
	const score_column *c = view->columns + input_column(view, feature);
	const void *values = input_dense(view, feature, dtype, first);
	return values && c->validity && !input_all_valid(c->validity, c->offset + first, n) ? NULL : values;
}

#endif
