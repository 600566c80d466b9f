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

/* Of a source of hashes. */
typedef struct input_hashes {
	uint64_t known; /* a bit per row: whether it is a whole number */
	uint32_t column;
	uint32_t low[]; /* [rows of the memo] */
} input_hashes;

#define INPUT_HASHES_BYTES(rows) (sizeof(input_hashes) + ((rows) + 1) / 2 * sizeof(uint64_t))

/* What derived columns of the same rows share; fits the stack. */
typedef struct input_memo {
	uint32_t list, hashes; /* whose root is kept */
	uint8_t kind, is_f32;
	uint32_t n_slots, slot_bytes;
	char *slots; /* of input_hashes */
	union {
		uint32_t place[INPUT_RUN]; /* of hashes in their table */
		double norm[INPUT_RUN];
	};
} input_memo;

/* Before the first column of at most INPUT_RUN other rows. `room`, for doubles, may be NULL with 0 bytes. */
void input_memo_begin(input_memo *memo, size_t n_rows, void *room, size_t bytes);

/* The memo's rows. */
void input_derive_run(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n, input_memo *memo, double *out);

void input_derive_f32(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n, float *out);
void input_derive_f64(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n, double *out);

static inline void input_column_f32(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n,
	float *out)
{
	if (column < f->n_features)
		input_fetch_f32(view, column, first, n, out);
	else
		input_derive_f32(f, view, column, first, n, out);
}

static inline void input_column_f64(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n,
	double *out)
{
	if (column < f->n_features)
		input_fetch_f64(view, column, first, n, out);
	else
		input_derive_f64(f, view, column, first, n, out);
}

#endif
