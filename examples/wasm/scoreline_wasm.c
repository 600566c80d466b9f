/*
 * The library as a WebAssembly module: what scoreline.mjs calls.
 *
 * Comes in: bytes and rows that JavaScript put into the module's memory. Goes out: models, scores there, and after a
 * failure the library's words for it. Relies on: the library in memory only (amalgamate.py --memory-only), wasi-libc's malloc;
 * nothing of the host: the module has no imports.
 */
#include "scoreline.h"

#include <stdlib.h>

#define EXPORT(NAME) __attribute__((export_name(NAME)))

/* Of the last call that failed. A module's instance has one thread. */
static score_error failure;

EXPORT("version") const char *version(void)
{
	return score_version_string();
}

EXPORT("failure_message") const char *failure_message(void)
{
	return failure.message;
}

EXPORT("failure_name") const char *failure_name(void)
{
	return score_status_name(failure.code);
}

EXPORT("allocate") void *allocate(size_t size)
{
	return malloc(size);
}

EXPORT("release") void release(void *bytes)
{
	free(bytes);
}

/* NULL, and a failure, if the bytes are no model. They are not kept. */
EXPORT("open_model") score_model *open_model(const void *bytes, size_t size)
{
	score_model *model;
	return score_model_open_memory(bytes, size, NULL, &model, &failure) == SCORE_OK ? model : NULL;
}

EXPORT("close_model") void close_model(score_model *model)
{
	score_model_free(model);
}

EXPORT("features") uint32_t features(const score_model *model)
{
	score_model_info info = { .struct_size = sizeof info };
	return score_model_get_info(model, &info) == SCORE_OK ? info.n_features : 0;
}

EXPORT("feature_name") const char *feature_name(const score_model *model, uint32_t i)
{
	return score_model_feature_name(model, i);
}

/* What a label of a category is in a row. Infinity if the model refuses rows with such a label, -Infinity (which is no code) if
 * the feature has no labels. */
EXPORT("category_code") double category_code(const score_model *model, uint32_t i, const char *label, size_t length)
{
	double code = 0;
	if (score_model_dictionary(model, i) == 0)
		return -HUGE_VAL;
	score_model_category_find(model, i, label, length, &code);
	return code;
}

/* Doubles that a row's output takes. */
EXPORT("width") size_t width(const score_model *model, score_output output)
{
	score_options options = SCORE_OPTIONS_INIT;
	options.output = output;
	return score_output_width(model, &options);
}

EXPORT("scratch_bytes") size_t scratch_bytes(const score_model *model)
{
	return score_scratch_bytes(model);
}

/* value_bytes: 4 for rows of float, 8 for rows of double. `out` has room for n_rows times width(). 1, or 0 and a failure. */
EXPORT("score") int score(const score_model *model, const void *rows, size_t value_bytes, size_t n_rows, size_t n_columns,
	score_output output, double *out, void *scratch)
{
	score_input input = value_bytes == sizeof(float) ?
		score_input_rows_f32(rows, (int64_t)n_rows, (int64_t)n_columns) :
		score_input_rows_f64(rows, (int64_t)n_rows, (int64_t)n_columns);
	score_options options = SCORE_OPTIONS_INIT;
	options.output = output;
	options.scratch = scratch;
	options.scratch_bytes = score_scratch_bytes(model);
	return score_batch(model, &input, out, n_rows * width(model, output), &options, &failure) == SCORE_OK;
}
