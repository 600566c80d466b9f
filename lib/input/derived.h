/*
 * Values of columns, inputs and derived ones alike.
 *
 * Comes in: a checked forest's programs and an input_view. Goes out: values of runs of rows, as input_fetch_f32() and
 * input_fetch_f64() give them for inputs. A derived value is computed in double whatever the caller's type.
 * Most columns of a model share what they begin with: computed one after the other for the same rows, they find it in a memo.
 */
#ifndef SL_INPUT_DERIVED_H
#define SL_INPUT_DERIVED_H

#include "../forest/forest.h"
#include "view.h"

#define INPUT_RUN 64u /* rows of a memo */
#define INPUT_MOST_SLOTS 64u /* sources of hashes that it keeps: it begins with clearing them */

/* Of a source of hashes. */
typedef struct input_hashes {
	uint64_t known; /* a bit per row: whether it is a whole number */
	uint32_t column;
	uint32_t low[]; /* [rows of the memo] */
} input_hashes;

#define INPUT_HASHES_BYTES(rows) (sizeof(input_hashes) + ((rows) + 1) / 2 * sizeof(uint64_t))

/* What derived columns of the same rows share, and room to work in: in memory of the caller's, as much as his rows need. */
typedef struct input_memo {
	uint32_t list, hashes; /* whose root is kept */
	uint8_t kind, is_f32;
	uint32_t n_slots, slot_bytes;
	char *slots; /* of input_hashes */
	union {
		uint32_t *place; /* [rows] of hashes in their table */
		double *norm;
	};
	uint64_t *hash; /* [rows] of a list, as far as it was read */
	double *source; /* [rows] */
} input_memo;

/* Bytes of a memo that keeps so many sources of hashes, at least one. */
#define INPUT_MEMO_BYTES(rows, slots) (3 * (rows) * sizeof(double) + (slots) * INPUT_HASHES_BYTES(rows))

/* How many sources fit in some bytes, at least INPUT_MEMO_BYTES(n_rows, 1). */
static inline uint32_t input_memo_slots(size_t n_rows, size_t bytes)
{
	size_t fit = (bytes - INPUT_MEMO_BYTES(n_rows, 0)) / INPUT_HASHES_BYTES(n_rows);
	return fit < INPUT_MOST_SLOTS ? (uint32_t)fit : INPUT_MOST_SLOTS;
}

/* Before the first column of at most INPUT_RUN other rows. `room`, for doubles, has INPUT_MEMO_BYTES(n_rows, n_slots). */
void input_memo_begin(input_memo *memo, size_t n_rows, void *room, uint32_t n_slots);

/* The memo's rows. */
void input_derive_run(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n, input_memo *memo, double *out);

/* `n_columns` derived columns from `first_column` on, of any rows, as SCORE_F32 or SCORE_F64 values: a column begins `stride` values after
 * the one before it. */
void input_derive_columns(const forest *f, const input_view *view, uint32_t first_column, size_t n_columns, int64_t first, size_t n,
	score_dtype type, void *out, size_t stride);

/* The memo's rows of any column. */
static inline void input_column_run(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n, input_memo *memo,
	double *out)
{
	if (column < f->n_features)
		input_fetch_f64(view, column, first, n, out);
	else
		input_derive_run(f, view, column, first, n, memo, out);
}

static inline void input_column_f32(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n,
	float *out)
{
	if (column < f->n_features)
		input_fetch_f32(view, column, first, n, out);
	else
		input_derive_columns(f, view, column, 1, first, n, SCORE_F32, out, n);
}

static inline void input_column_f64(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n,
	double *out)
{
	if (column < f->n_features)
		input_fetch_f64(view, column, first, n, out);
	else
		input_derive_columns(f, view, column, 1, first, n, SCORE_F64, out, n);
}

#endif
