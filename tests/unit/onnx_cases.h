/*
 * Cases for tests of the ONNX importer: a graph in a few lines (onnx_text.h) with the answers of a row, or with the message that
 * refuses it. Include after cmocka.h.
 */
#ifndef TESTS_ONNX_CASES_H
#define TESTS_ONNX_CASES_H

#include "onnx_text.h"

#include <scoreline/import.h>

#include <stdlib.h>
#include <string.h>

static inline score_status import_text(const char *text, score_onnx_compat compat, score_model **out, score_error *error)
{
	onnx_bytes *file = onnx_from_text(text);
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	options.format = SCORE_FORMAT_ONNX;
	options.onnx_compat = compat;
	score_status status = score_import_memory(file->data, file->size, &options, out, error);
	assert_int_equal(status == SCORE_OK, *out != NULL);
	free(file);
	return status;
}

static inline score_model *import_good(const char *text, score_onnx_compat compat)
{
	score_error error;
	score_model *model;
	if (import_text(text, compat, &model, &error) != SCORE_OK)
		fail_msg("%s\n%s", error.message, text);
	return model;
}

#define SPEC SCORE_ONNX_SPECIFICATION
#define RUNTIME SCORE_ONNX_RUNTIME

typedef struct answer {
	const char *text;
	double row[3];
	double wanted[3];
	score_onnx_compat compat;
} answer;

/* All outputs of the prediction; the tests' files have 1 to 3 features. */
static inline void gives(const answer *a)
{
	score_error error;
	score_model *model = import_good(a->text, a->compat);
	score_model_info info = {.struct_size = sizeof info};
	double out[3];
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	size_t n = score_output_width(model, NULL);
	assert_in_range(n, 1, 3);
	score_input input = score_input_rows_f64(a->row, 1, info.n_features);
	if (score_batch(model, &input, out, n, NULL, &error) != SCORE_OK)
		fail_msg("%s\n%s", error.message, a->text);
	for (size_t i = 0; i < n; i++) {
		if (out[i] != a->wanted[i] && !(out[i] != out[i] && a->wanted[i] != a->wanted[i]))
			fail_msg("score %zu is %.17g instead of %.17g of\n%s", i, out[i], a->wanted[i], a->text);
	}
	score_model_free(model);
}

#define GIVE_ALL(answers) \
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) \
	gives(answers + i)

typedef struct refusal {
	const char *text;
	score_status status;
	const char *says;
	score_onnx_compat compat;
} refusal;

static inline void refuse(const refusal *r)
{
	score_error error = {0};
	score_model *model;
	score_status status = import_text(r->text, r->compat, &model, &error);
	if (status != r->status || error.code != status || !strstr(error.message, r->says))
		fail_msg("%s: \"%s\", expected %s: \"%s\" of\n%s", score_status_name(status), error.message,
			score_status_name(r->status), r->says, r->text);
	score_model_free(model);
}

#define REFUSE_ALL(refusals) \
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) \
	refuse(refusals + i)

#define BAD SCORE_ERR_CORRUPT
#define NOT SCORE_ERR_UNSUPPORTED
#define MUCH SCORE_ERR_LIMIT

#endif
