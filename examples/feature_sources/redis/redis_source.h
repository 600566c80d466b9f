/*
 * Features from Redis for a score_feature_plan: a hash per key, "PREFIX:KEY", with a decimal number per feature. Set
 * `lookup.callback = redis_source_lookup` and `lookup.context` to a redis_source.
 */
#ifndef REDIS_SOURCE_H
#define REDIS_SOURCE_H

#include <scoreline/features.h>

#include <hiredis/hiredis.h>

typedef struct redis_source {
	redisContext *connection;    /* open; of one thread. Set a timeout: the lookup waits for the server */
	const char *prefix;
	const char *const *features; /* fields of the hashes, in the order of the lookup's feature_names */
	size_t n_features;
} redis_source;

/* A score_feature_callback. All keys of the batch go out in one pipeline of HMGET. Keys are one column of int64 or of plain
 * strings; a field that is absent or no number is missing. Returns hiredis' error code, or EINVAL for other keys. */
int redis_source_lookup(void *context, size_t n_rows, const score_column *keys, size_t n_keys,
	const score_column *timestamp, double *const *columns, size_t n_columns);

#endif
