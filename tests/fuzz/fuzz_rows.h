/*
 * Descriptors of rows that the input dictates: layouts, types, strides, bitmaps, sparse rows. Memory that a descriptor speaks of is
 * exactly as large as it says, so that a sanitizer sees a byte too much; contents are anything.
 */
#ifndef TEST_FUZZ_ROWS_H
#define TEST_FUZZ_ROWS_H

#include "fuzz.h"

/* Everything that a call borrows. */
typedef struct fuzz_store {
	void *blocks[128];
	size_t n;
} fuzz_store;

/* Memory of exactly `size` bytes (1 if 0), filled from the input. */
void *fuzz_block(fuzz_store *store, fuzz_bytes *in, size_t size);
void fuzz_store_free(fuzz_store *store);

/* A column of strings, with indices or without: no offset is beyond the data, now and then one descends or is negative. */
score_column fuzz_texts(fuzz_store *store, fuzz_bytes *in, int64_t n_rows);

/* At most 12 columns. */
score_input fuzz_rows(fuzz_store *store, fuzz_bytes *in, int64_t n_rows, int64_t n_columns);

#endif
