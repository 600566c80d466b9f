/*
 * Keys of a request in, doubles from LMDB out.
 */
#include "lmdb_source.h"

#include <errno.h>
#include <string.h>

static int is_valid(const score_column *column, int64_t at)
{
	return column->validity == NULL || (column->validity[at >> 3] >> (at & 7) & 1);
}

int lmdb_source_lookup(void *context, size_t n_rows, const score_column *keys, size_t n_keys,
	const score_column *timestamp, double *const *columns, size_t n_columns)
{
	const lmdb_source *source = context;
	const int64_t stride = keys->stride_bytes != 0 ? keys->stride_bytes : (int64_t)sizeof(int64_t);
	MDB_txn *txn;
	int code;
	if (n_keys != 1 || keys->dtype != SCORE_I64 || timestamp != NULL)
		return EINVAL;
	code = mdb_txn_begin(source->env, NULL, MDB_RDONLY, &txn);
	if (code != 0)
		return code;
	for (size_t r = 0; r < n_rows && code == 0; r++) {
		const int64_t at = keys->offset + (int64_t)r;
		int64_t key;
		MDB_val k = { sizeof key, &key }, value;
		if (!is_valid(keys, at))
			continue;
		memcpy(&key, (const char *)keys->values + at * stride, sizeof key);
		code = mdb_get(txn, source->dbi, &k, &value);
		if (code == MDB_NOTFOUND) {
			code = 0; /* the columns hold NaN already */
			continue;
		}
		if (code == 0 && value.mv_size != n_columns * sizeof(double))
			code = MDB_CORRUPTED;
		for (size_t c = 0; c < n_columns && code == 0; c++)
			memcpy(columns[c] + r, (const char *)value.mv_data + c * sizeof(double), sizeof(double));
	}
	mdb_txn_abort(txn);
	return code;
}
