/* Calls of the library's front door with one argument wrong: a status, a message that names it, and no object. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "served_models.h"

#include <scoreline/bins.h>
#include <scoreline/export.h>
#include <scoreline/import.h>

static score_error error;

static void refused(score_status status, score_status code, const char *text)
{
	if (status != code || error.code != code || !strstr(error.message, text))
		fail_msg("%s (%s), expected %s, \"%s\"", score_status_name(status), status == SCORE_OK ? "" : error.message,
			score_status_name(code), text);
}

#define WRONG(CALL, TEXT) refused(CALL, SCORE_ERR_ARGUMENT, TEXT)

static void opening(void **state)
{
	score_model *source = answering_model(1), *model = source;
	size_t size = 0;
	void *bytes = model_bytes(source, 0.0, &size);
	score_open_options o = SCORE_OPEN_OPTIONS_INIT;
	(void)state;
	WRONG(score_model_open_memory(bytes, size, NULL, NULL, &error), "out is NULL");
	WRONG(score_model_open_memory(NULL, size, NULL, &model, &error), "data is NULL");
	assert_null(model);
	WRONG(score_model_open_file("x", NULL, NULL, &error), "out is NULL");
	WRONG(score_model_open_file(NULL, NULL, &model, &error), "path is NULL");
	refused(score_model_open_file("/there/is/none.slm", NULL, &model, &error), SCORE_ERR_IO, "none.slm");
	o.flags = 0x80;
	WRONG(score_model_open_memory(bytes, size, &o, &model, &error), "unknown bits: 0x80");
	WRONG(score_model_open_file("x", &o, &model, &error), "unknown bits: 0x80");
	o.flags = 0;
	o.max_bytes = size - 1;
	refused(score_model_open_memory(bytes, size, &o, &model, &error), SCORE_ERR_LIMIT, "max_bytes");
	o.struct_size = 3;
	WRONG(score_model_open_memory(bytes, size, &o, &model, &error), "struct_size");
	WRONG(score_model_open_file("x", &o, &model, &error), "struct_size");
	assert_null(model);
	score_model_free(NULL);
	free(bytes);
	score_model_free(source);
}

static void saving(void **state)
{
	score_model *model = answering_model(1);
	score_save_options o = SCORE_SAVE_OPTIONS_INIT;
	void *bytes = model;
	size_t size = 7;
	(void)state;
	WRONG(score_model_save_memory(model, NULL, NULL, &size, &error), "out and out_size");
	WRONG(score_model_save_memory(model, NULL, &bytes, NULL, &error), "out and out_size");
	WRONG(score_model_save_memory(NULL, NULL, &bytes, &size, &error), "model is NULL");
	assert_null(bytes);
	assert_int_equal(size, 0);
	WRONG(score_model_save_file(model, NULL, NULL, &error), "path is NULL");
	refused(score_model_save_file(model, "/there/is/none.slm", NULL, &error), SCORE_ERR_IO, "none.slm");
	o.n_golden_rows = 2;
	WRONG(score_model_save_memory(model, &o, &bytes, &size, &error), "lacks rows or margins");
	o.n_golden_rows = 0;
	o.n_metadata = 2;
	WRONG(score_model_save_memory(model, &o, &bytes, &size, &error), "lacks them");
	o.n_metadata = 0;
	o.flags = 0x80;
	WRONG(score_model_save_memory(model, &o, &bytes, &size, &error), "unknown bits: 0x80");
	score_model_free_bytes(model, NULL, 0);
	score_model_free(model);
}

static void importing(void **state)
{
	static const char json[] = "{\"learner\": 1}";
	score_model *model = (score_model *)(uintptr_t)1;
	score_import_options o = SCORE_IMPORT_OPTIONS_INIT;
	double odd = 1e300, zero = 0.0;
	(void)state;
	WRONG(score_import_memory(json, sizeof json, NULL, NULL, &error), "out is NULL");
	WRONG(score_import_memory(NULL, 5, NULL, &model, &error), "there is no data");
	assert_null(model);
	WRONG(score_import_file("x", NULL, NULL, &error), "out is NULL");
	WRONG(score_import_file(NULL, NULL, &model, &error), "path is NULL");
	refused(score_import_file("/there/is/none.json", NULL, &model, &error), SCORE_ERR_IO, "none.json");
#define OPTION(FIELD, VALUE, TEXT) \
	o = (score_import_options)SCORE_IMPORT_OPTIONS_INIT; \
	o.FIELD = VALUE; \
	WRONG(score_import_memory(json, sizeof json - 1, &o, &model, &error), TEXT); \
	WRONG(score_import_file("x", &o, &model, &error), TEXT); \
	assert_null(model)
	OPTION(iteration_begin, 5; o.iteration_end = 4, "[5, 4) is empty or reversed");
	OPTION(iteration_begin, 5; o.iteration_end = 5, "[5, 5) is empty or reversed");
	OPTION(iteration_begin, 1; o.iteration_end = 0, "[1, 0) is empty or reversed");
	OPTION(isa, 99, "instruction set");
	OPTION(onnx_compat, 99, "onnx_compat");
	OPTION(missing, &odd, "expected a float value");
	OPTION(struct_size, 2, "struct_size");
#undef OPTION
	o = (score_import_options)SCORE_IMPORT_OPTIONS_INIT;
	o.format = 99;
	WRONG(score_import_memory(json, sizeof json - 1, &o, &model, &error), "unknown format 99");
	o.format = SCORE_FORMAT_LIGHTGBM_TEXT;
	o.missing = &zero;
	WRONG(score_import_memory(json, sizeof json - 1, &o, &model, &error), "is for XGBoost models");
	o = (score_import_options)SCORE_IMPORT_OPTIONS_INIT;
	o.max_bytes = 3;
	refused(score_import_memory(json, sizeof json - 1, &o, &model, &error), SCORE_ERR_LIMIT, "max_bytes");
	assert_int_equal(score_import_detect(NULL, 3), SCORE_FORMAT_AUTO);
	assert_string_equal(score_format_name(99), "unknown");
	assert_string_equal(score_format_name(SCORE_FORMAT_ONNX), "ONNX");
}

static void scoring(void **state)
{
	static const double row[2];
	static const char *const names[] = {"a", "b"};
	score_model *model = answering_model(1), *wider = NULL;
	score_input in = score_input_rows_f64(row, 1, 2);
	score_options o = SCORE_OPTIONS_INIT;
	score_plan *plan = NULL;
	double out = 0;
	(void)state;
	WRONG(score_batch(NULL, &in, &out, 1, NULL, &error), "model is NULL");
	WRONG(score_bind(model, names, NULL, 2, NULL, &error), "out is NULL");
	WRONG(score_bind(NULL, names, NULL, 2, &plan, &error), "must not be NULL");
	WRONG(score_bind(model, NULL, NULL, 2, &plan, &error), "must not be NULL");
	assert_null(plan);
	assert_int_equal(score_bind(model, names, NULL, 2, &plan, &error), SCORE_OK);
	/* A model of one feature, and the plan of two. */
	score_contract contract = SCORE_CONTRACT_INIT(1, 1);
	score_builder *b = NULL;
	assert_int_equal(score_builder_new(&contract, NULL, &b, &error), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, row, 0, &error), SCORE_OK);
	WRONG(score_builder_finish(b, NULL, &error), "out is NULL");
	assert_int_equal(score_builder_finish(b, &wider, &error), SCORE_OK);
	score_builder_free(b);
	o.plan = plan;
	WRONG(score_batch(wider, &in, &out, 1, &o, &error), "bound to another model");
	score_explainer *explainer = NULL;
	o = (score_options)SCORE_OPTIONS_INIT;
	score_strings strings = SCORE_STRINGS_INIT;
	WRONG(score_encode(NULL, 0, &strings, &out, &error), "model is NULL");
	WRONG(score_encode(model, 9, &strings, &out, &error), "feature 9");
	WRONG(score_encode(model, 0, &strings, &out, &error), "no dictionary");
	assert_int_equal(score_output_width(NULL, NULL), 0);
	assert_int_not_equal(score_explainer_new(NULL, &in, NULL, &explainer, &error), SCORE_OK);
	assert_null(explainer);
	score_plan_free(plan);
	score_plan_free(NULL);
	score_model_free(wider);
	score_model_free(model);
}

static void verifying(void **state)
{
	score_model *model = answering_model(1);
	score_model_info info = {.struct_size = sizeof info};
	const double *rows = &(const double){0}, *margins = rows;
	(void)state;
	WRONG(score_model_verify(NULL, SCORE_ISA_AUTO, NULL, &error), "model is NULL");
	assert_int_equal(score_model_golden(NULL, &rows, &margins), 0);
	assert_null(rows);
	assert_null(margins);
	assert_int_not_equal(score_model_golden(model, NULL, NULL), 0);
	assert_int_equal(score_model_get_info(NULL, &info), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_model_get_info(model, NULL), SCORE_ERR_ARGUMENT);
	info.struct_size = 1;
	assert_int_equal(score_model_get_info(model, &info), SCORE_ERR_ARGUMENT);
	size_t size = 0;
	void *bytes = model_bytes(model, 0.0, &size);
	score_model *golden = model_of_bytes(bytes, size);
	assert_int_equal(score_model_golden(golden, &rows, &margins), 2);
	assert_true(rows[3] == 4.0 && margins[1] == 1.0);
	WRONG(score_model_verify(golden, 99, NULL, &error), "instruction set");
	assert_int_equal(score_model_verify(golden, SCORE_ISA_AUTO, NULL, &error), SCORE_OK);
	score_model_free(golden);
	free(bytes);
	score_model_free(model);
}

static void exporting(void **state)
{
	score_model *model = answering_model(1);
	score_export_options o = SCORE_EXPORT_OPTIONS_INIT;
	void *text = model;
	size_t size = 7;
	(void)state;
	WRONG(score_model_export_js(model, NULL, NULL, &size, &error), "out and out_size");
	WRONG(score_model_export_js(model, NULL, &text, NULL, &error), "out and out_size");
	WRONG(score_model_export_js(NULL, NULL, &text, &size, &error), "model is NULL");
	assert_null(text);
	assert_int_equal(size, 0);
	o.output = SCORE_OUTPUT_LEAF;
	WRONG(score_model_export_js(model, &o, &text, &size, &error), "PREDICTION or MARGIN");
	o.struct_size = 1;
	WRONG(score_model_export_js(model, &o, &text, &size, &error), "struct_size");
	assert_int_equal(score_model_export_js(model, NULL, &text, &size, &error), SCORE_OK);
	assert_true(size > 100);
	score_model_free_bytes(model, text, size);
	score_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening),
		cmocka_unit_test(saving),
		cmocka_unit_test(importing),
		cmocka_unit_test(scoring),
		cmocka_unit_test(verifying),
		cmocka_unit_test(exporting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
