/* What the DuckDB extension's files share: one call of the function, and a vector of DuckDB as a column. */
#ifndef SCORELINE_DUCKDB_CALL_H
#define SCORELINE_DUCKDB_CALL_H

#include "../plugin.h"

#include <duckdb_extension.h>

DUCKDB_EXTENSION_EXTERN

/* One call of the function: what it allocates is freed at its end. */
typedef struct call {
	duckdb_function_info info;
	const plugin_model *model;
	idx_t begin, end;      /* rows of one model */
	uint8_t *no_score;     /* [end] rows whose score is NULL */
	score_column *columns; /* [model->n_features] */
	double **converted;    /* [model->n_features], or NULL each */
	score_error error;
} call;

static inline bool is_valid(uint64_t *validity, idx_t row)
{
	return validity == NULL || (validity[row / 64] >> (row % 64) & 1);
}

static inline bool out_of_memory(call *c)
{
	plugin_set_error(&c->error, SCORE_ERR_MEMORY, "out of memory");
	return false;
}

/* The vector as a column for a feature. Rows [begin, end) are converted where the library cannot read them in place, into
 * c->converted[feature]. False and c->error when its type is of no use. */
bool duckdb_take_column(call *c, uint32_t feature, duckdb_vector vector, idx_t begin, idx_t end, score_column *column);

#endif
