/*
 * Scoreline: feature tables and lookups by key.
 *
 *   score_table          an immutable `.sft` file, mapped: keys to typed columns, optionally rows over time
 *   score_table_builder  writes one, from any number of rows, in bounded memory
 *   score_table_source   a path whose file is replaced under its readers
 *   score_feature_plan   the features of a model, from the request and from tables by keys in the request
 *
 * Ownership.  As in scoreline.h: what an `out` parameter hands out is given back to its function, inputs are borrowed for
 *             the call. Texts that a table returns live until the table is closed.
 * Threads.    Tables, sources and plans may be used by any number of threads at once; a builder by one.
 *             Lookups take no lock, allocate nothing and use at most 24 KiB of stack.
 * Files.      A table file is checked in its header when it is opened; whatever else is wrong in it can give wrong answers
 *             or SCORE_ERR_CORRUPT, never a read outside of the file. SCORE_TABLE_VERIFY reads and hashes all of it. Replace
 *             files by rename only: a mapped file that is cut short raises SIGBUS. Processors: little-endian.
 */
#ifndef SCORELINE_FEATURES_H
#define SCORELINE_FEATURES_H

#include <scoreline.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- tables ------------------------------------------------------------------------------------- */

typedef struct score_table score_table;

typedef struct score_table_options {
	size_t struct_size;
	const score_allocator *allocator; /* NULL: malloc and free. Must outlive the table */
	uint64_t max_bytes;               /* refuse larger files; 0: no limit              */
	uint32_t flags;                   /* SCORE_TABLE_*                                 */
	uint32_t reserved;
} score_table_options;

#define SCORE_TABLE_VERIFY 1u  /* read all of the file and compare its hash                       */
#define SCORE_TABLE_PRELOAD 2u /* bring all pages into memory now, so that no lookup waits for one */
#define SCORE_TABLE_COPY 4u    /* copy the file into memory of this process, in huge pages where the system has them: lookups
                                * in large tables wait less for the translation of addresses, but processes share nothing */

#define SCORE_TABLE_OPTIONS_INIT { sizeof(score_table_options), NULL, 0, 0, 0 }

/* Map a table. `options` may be NULL. */
SCORE_API SCORE_MUST_CHECK score_status score_table_open(const char *path, const score_table_options *options,
	score_table **out, score_error *error);
/* One more holder; returns `table`. Each holder closes once, the last one unmaps. */
SCORE_API score_table *score_table_retain(score_table *table);
/* NULL is allowed. */
SCORE_API void score_table_close(score_table *table);
/* Read everything, compare the hash and check every index, as SCORE_TABLE_VERIFY. */
SCORE_API SCORE_MUST_CHECK score_status score_table_verify(const score_table *table, score_error *error);

typedef struct score_table_info {
	size_t struct_size; /* set by the caller */
	uint64_t n_rows;
	uint64_t n_keys;       /* distinct; equals n_rows without a timestamp                     */
	uint32_t n_key_columns;
	uint32_t n_columns;    /* feature columns: without keys and timestamp                     */
	uint64_t file_bytes;
	uint64_t index_bytes;  /* of the hash buckets                                             */
	uint32_t row_bytes;    /* of one key's packed row                                         */
	int32_t has_timestamp;
	const char *timestamp_name; /* NULL without one                                           */
	const char *timestamp_unit; /* "s", "ms", "us", "ns" since 1970 UTC, or "" for plain numbers */
	uint8_t hash[16];      /* XXH3-128 of the file                                            */
} score_table_info;

SCORE_API SCORE_MUST_CHECK score_status score_table_get_info(const score_table *table, score_table_info *info);

/* Column `i` of n_columns; SCORE_F64, SCORE_F32, SCORE_I64, SCORE_I32, SCORE_BOOL or SCORE_STRING. NULL and 0 out of
 * range, and, as of all that is asked here, of no table (NULL). */
SCORE_API const char *score_table_column_name(const score_table *table, uint32_t i);
SCORE_API score_dtype score_table_column_type(const score_table *table, uint32_t i);
SCORE_API uint64_t score_table_column_nulls(const score_table *table, uint32_t i);
/* Number of the column of that name, or -1. */
SCORE_API int64_t score_table_find_column(const score_table *table, const char *name);
/* Key column `i` of n_key_columns; SCORE_I64 or SCORE_STRING. */
SCORE_API const char *score_table_key_name(const score_table *table, uint32_t i);
SCORE_API score_dtype score_table_key_type(const score_table *table, uint32_t i);

/* Dictionary of a SCORE_STRING column: text number `k`, not terminated; NULL out of range. */
SCORE_API uint32_t score_table_text_count(const score_table *table, uint32_t column);
SCORE_API const char *score_table_text(const score_table *table, uint32_t column, uint32_t k, size_t *length);

/* Where a looked-up column goes: n_rows values of the column's own type, densely packed (SCORE_BOOL: bytes; SCORE_STRING:
 * int32_t numbers of the column's texts). A value that is missing is 0, or -1 for SCORE_STRING, and its validity bit
 * (least significant first) is cleared; the bitmap is written whole, up to its last byte. */
typedef struct score_table_output {
	uint32_t column;
	uint32_t reserved;
	void *values;
	uint8_t *validity; /* [(n_rows + 7) / 8], or NULL */
} score_table_output;

/* What to look up. */
typedef struct score_table_query {
	size_t struct_size;
	const score_column *keys;      /* n_key_columns, in the table's order: any integer type for SCORE_I64 keys, SCORE_STRING
	                                * for texts. A key with a cleared validity bit is not found                       */
	size_t n_keys;
	const score_column *timestamp; /* tables with a timestamp: SCORE_I64, SCORE_I32 or SCORE_U32 in the table's unit; the latest
	                                * row with a time ≤ this one is taken. NULL: the latest row                       */
	int64_t lookback;              /* 0: any age; else rows older than timestamp - lookback are not found             */
} score_table_query;

#define SCORE_TABLE_QUERY_INIT { sizeof(score_table_query), NULL, 0, NULL, 0 }

/* Look `n_rows` keys up. `found`, if not NULL, is [n_rows] bytes: 1 where there is a row. Faster per key in batches:
 * cache misses of different keys overlap. */
SCORE_API SCORE_MUST_CHECK score_status score_table_lookup(const score_table *table, const score_table_query *query,
	size_t n_rows, const score_table_output *outputs, size_t n_outputs, uint8_t *found, score_error *error);

/* ---- building ----------------------------------------------------------------------------------- */

/* Columns that a table will have. */
typedef struct score_table_field {
	const char *name;
	score_dtype type; /* keys: SCORE_I64 or SCORE_STRING; features: SCORE_F64, _F32, _I64, _I32, _BOOL or _STRING */
	int32_t reserved;
} score_table_field;

typedef struct score_table_schema {
	size_t struct_size;
	const score_table_field *keys; /* at least one, in order */
	size_t n_keys;
	const score_table_field *columns;
	size_t n_columns;
	const char *timestamp;      /* name of the time column, or NULL: one row per key */
	const char *timestamp_unit; /* as in score_table_info; NULL: ""                  */
	const score_allocator *allocator;
	uint64_t memory_bytes;      /* upper bound of what the builder allocates; 0: 512 MiB */
} score_table_schema;

#define SCORE_TABLE_SCHEMA_INIT { sizeof(score_table_schema), NULL, 0, NULL, 0, NULL, NULL, NULL, 0 }

typedef struct score_table_builder score_table_builder;

/* Begin a table that will stand at `path`. Temporary files stand beside it: rows without a name, and while it is finished the
 * table, which has none either where the file system can (Linux: O_TMPFILE). Elsewhere, and for the moment in which it replaces another
 * file, it is PATH.PROCESS.NUMBER.tmp, which a process that is killed just then leaves behind. */
SCORE_API SCORE_MUST_CHECK score_status score_table_builder_new(const char *path, const score_table_schema *schema,
	score_table_builder **out, score_error *error);
/* Add rows: columns in the order keys, timestamp (if there is one), features; values of the field's own type, or any integer
 * type for SCORE_I64 keys, the timestamp and SCORE_I64; SCORE_BOOL_BITS for SCORE_BOOL. NaN and cleared validity bits are nulls;
 * keys and timestamps must not be null. `lines`, if not NULL, are the n_rows line numbers that errors name; else rows
 * are counted from 1. After an error the builder can only be freed. */
SCORE_API SCORE_MUST_CHECK score_status score_table_builder_add(score_table_builder *builder, const score_column *columns,
	size_t n_columns, size_t n_rows, const uint64_t *lines, score_error *error);
/* Write the file; it appears at its path only when it is complete, as with score_model_save_file(). Two rows of one key (and time) are
 * an error that names both lines. The same rows give the same bytes. The builder is then still to be freed. */
SCORE_API SCORE_MUST_CHECK score_status score_table_builder_finish(score_table_builder *builder, score_error *error);
/* NULL is allowed. */
SCORE_API void score_table_builder_free(score_table_builder *builder);

/* ---- files that are replaced --------------------------------------------------------------------- */

/* A path, and the table that was last seen there. */
typedef struct score_table_source score_table_source;

SCORE_API SCORE_MUST_CHECK score_status score_table_source_open(const char *path, const score_table_options *options,
	score_table_source **out, score_error *error);
/* Look whether another file stands at the path, and if so open and check it and hand it to all later score_table_acquire().
 * Calls that hold the old table go on with it; the last one unmaps it. A new file that is unreadable, or has other keys or
 * columns, is an error, and the old table stays. `*changed` may be NULL. The host decides when to call; calls wait for each
 * other, readers for nobody. */
SCORE_API SCORE_MUST_CHECK score_status score_table_source_refresh(score_table_source *source, int32_t *changed,
	score_error *error);
/* The current table, retained: close it after use. Wait-free. */
SCORE_API score_table *score_table_acquire(score_table_source *source);
/* NULL is allowed. Must be the last use of the source; acquired tables live on. */
SCORE_API void score_table_source_free(score_table_source *source);

/* ---- features of a model -------------------------------------------------------------------------- */

/* A host's own store. `n_rows` keys in columns as they stand in the request; for each of the lookup's features, in order, n_rows
 * doubles (codes for categories), which hold NaN when the call begins: leave it where there is no value. Returns 0, or a number
 * that the error then names. Called by the thread that looks up. */
typedef int (*score_feature_callback)(void *context, size_t n_rows, const score_column *keys, size_t n_keys,
	const score_column *timestamp, double *const *columns, size_t n_columns);

/* One table and what is taken from it. Exactly one of table, source and callback is set. */
typedef struct score_feature_lookup {
	size_t struct_size;
	const char *table_name;             /* for messages, or NULL                                          */
	score_table *table;
	score_table_source *source;
	score_feature_callback callback;
	void *context;
	const char *const *lookup_key;      /* request columns, in the order of the table's keys              */
	size_t n_lookup_key;
	const char *const *feature_names;   /* columns of the table; NULL: all of them                        */
	size_t n_feature_names;
	const char *const *output_names;    /* [n_feature_names] names of the model's features; NULL: the same */
	const double *default_values;       /* [n_feature_names] for what is missing; NaN or NULL: missing     */
	const char *timestamp_lookup_key;   /* request column, or NULL                                        */
	int64_t lookback_window;            /* as in score_table_query                                        */
} score_feature_lookup;

#define SCORE_FEATURE_LOOKUP_INIT \
	{ sizeof(score_feature_lookup), NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, NULL, NULL, 0 }

/* Where each feature of a model comes from. Immutable. Keeps the model, sources and contexts borrowed; retains tables. */
typedef struct score_feature_plan score_feature_plan;

/* Plan for requests with these columns. Every feature of the model must be a request column or come from a lookup; looked-up
 * names that are no features are left out. If a request has the column of a looked-up feature, its own value wins wherever it is
 * not missing. Names of request columns and of looked-up features mean what score_model_feature_find() says; of the columns of all
 * tables that mean one feature the best match is taken, and two of the same match are refused. `types` may be NULL: all numeric.
 * Errors name the feature, column or key (SCORE_ERR_SHAPE). The plan's memory is that of malloc(). */
SCORE_API SCORE_MUST_CHECK score_status score_feature_plan_new(const score_model *model, const char *const *column_names,
	const score_dtype *types, size_t n_columns, const score_feature_lookup *lookups, size_t n_lookups,
	score_feature_plan **out, score_error *error);
/* NULL is allowed. */
SCORE_API void score_feature_plan_free(score_feature_plan *plan);

/* Bytes of scratch for calls of at most `n_rows` rows; 0 if they overflow. */
SCORE_API size_t score_feature_scratch_bytes(const score_feature_plan *plan, size_t n_rows);

/* Look everything up: `request` has SCORE_COLUMNS in the plan's order and types. `*out` becomes the model's rows, by position (no
 * score_plan), and points into `scratch` and the request until either changes. Allocates nothing (a callback may). */
SCORE_API SCORE_MUST_CHECK score_status score_feature_lookup_batch(const score_feature_plan *plan,
	const score_input *request, void *scratch, size_t scratch_bytes, score_input *out, score_error *error);

#ifdef __cplusplus
}
#endif
#endif
