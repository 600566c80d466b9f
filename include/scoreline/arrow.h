/*
 * Arrow tables: score record batches and streams of the Arrow C data interface as they lie in memory.
 *
 *     score_arrow_bind(model, &schema, 0, &binding, &error);
 *     score_arrow_batch(binding, &batch, out, out_len, NULL, &error);
 *
 * Nothing is copied, nothing of Arrow's is linked. Schemas and batches are borrowed for the call. Taken are all integers,
 * half, single and double floats, booleans, null columns, utf8, large_utf8 and utf8_view, and dictionaries of these strings, for
 * features whose labels the model knows; the strings of dictionaries and of views become codes once per batch. Nulls are missing
 * values. Columns of other types are refused by name where the model uses them.
 */
#ifndef SCORELINE_ARROW_H
#define SCORELINE_ARROW_H

#include <scoreline.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The interface's own structs, as its specification tells everybody to repeat them. */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
	const char *format;
	const char *name;
	const char *metadata;
	int64_t flags;
	int64_t n_children;
	struct ArrowSchema **children;
	struct ArrowSchema *dictionary;
	void (*release)(struct ArrowSchema *);
	void *private_data;
};

struct ArrowArray {
	int64_t length;
	int64_t null_count;
	int64_t offset;
	int64_t n_buffers;
	int64_t n_children;
	const void **buffers;
	struct ArrowArray **children;
	struct ArrowArray *dictionary;
	void (*release)(struct ArrowArray *);
	void *private_data;
};
#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
	int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
	int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
	const char *(*get_last_error)(struct ArrowArrayStream *);
	void (*release)(struct ArrowArrayStream *);
	void *private_data;
};
#endif

/* How the columns of one schema feed a model. Immutable; share it between threads. The model must outlive it. */
typedef struct score_arrow_binding score_arrow_binding;

/* Column i is feature i, whatever it is called. Without it columns are found by name, and others are ignored. */
#define SCORE_ARROW_BY_POSITION 1u

/* Bind a schema: that of a record batch, a struct. Missing, doubled or mistyped columns are SCORE_ERR_SHAPE, which lists them. */
SCORE_API SCORE_MUST_CHECK score_status score_arrow_bind(const score_model *model, const struct ArrowSchema *schema,
	uint32_t flags, score_arrow_binding **out, score_error *error);
/* NULL is allowed. */
SCORE_API void score_arrow_binding_free(score_arrow_binding *binding);

/* score_batch() for a record batch of the bound schema; `options` without a plan. Descriptors, and the codes of text, are
 * allocated through the model's allocator and freed before it returns. */
SCORE_API SCORE_MUST_CHECK score_status score_arrow_batch(const score_arrow_binding *binding, const struct ArrowArray *batch,
	double *out, size_t out_len, const score_options *options, score_error *error);

/* Codes of rows first_row … first_row + n_rows - 1 of a column of text, under the dictionary of `feature`: utf8, large_utf8,
 * utf8_view, or a dictionary of them. NaN for nulls; what the model's rule says for texts that are no label, SCORE_ERR_SHAPE where
 * it refuses them. For hosts that take tables apart themselves: the codes are values of a SCORE_F64 column. */
SCORE_API SCORE_MUST_CHECK score_status score_arrow_encode(const score_model *model, uint32_t feature,
	const struct ArrowSchema *schema, const struct ArrowArray *column, int64_t first_row, int64_t n_rows, double *codes,
	score_error *error);

/* What score_arrow_stream() does with the values [n_rows, width] of rows first_row …: 0 to go on, anything else to stop. The
 * values are gone when it returns. */
typedef int (*score_arrow_visit)(void *context, int64_t first_row, int64_t n_rows, const double *values, size_t width);

/* Score every batch of a stream, which the caller still has to release. An error of the stream itself is SCORE_ERR_IO, with its
 * message. */
SCORE_API SCORE_MUST_CHECK score_status score_arrow_stream(const score_model *model, struct ArrowArrayStream *stream,
	uint32_t flags, const score_options *options, score_arrow_visit visit, void *context, score_error *error);

#ifdef __cplusplus
}
#endif
#endif
