/*
 * Features from LMDB for a score_feature_plan: keys are int64, values are packed doubles in the order of the lookup's
 * feature_names. Set `lookup.callback = lmdb_source_lookup` and `lookup.context` to an lmdb_source.
 */
#ifndef LMDB_SOURCE_H
#define LMDB_SOURCE_H

#include <scoreline/features.h>

#include <lmdb.h>

typedef struct lmdb_source {
	MDB_env *env; /* open; shared by all threads */
	MDB_dbi dbi;  /* opened with MDB_INTEGERKEY  */
} lmdb_source;

/* A score_feature_callback. One read transaction for the batch, values read in place; NaN in a value stays missing. Returns
 * LMDB's error code, or EINVAL if the key is not one int64 column. */
int lmdb_source_lookup(void *context, size_t n_rows, const score_column *keys, size_t n_keys,
	const score_column *timestamp, double *const *columns, size_t n_columns);

#endif
