/*
 * Importing as users call it: what a file may be, which options belong to it, and the same model from memory and from a file.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect_error.h"
#include "metered_memory.h"

#include <scoreline/import.h>

static score_error error;
static char text[1 << 16]; /* a LightGBM model of four trees */
static size_t size;
static char path[512];

static int read_model(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "%s/lightgbm/binary.txt", getenv("SCORELINE_TEST_DATA"));
	FILE *f = fopen(path, "rb");
	if (!f)
		return 1;
	size = fread(text, 1, sizeof text, f);
	fclose(f);
	return size == 0 || size == sizeof text;
}

static double score_of(const score_model *model)
{
	const double row[] = {0.5, -1.0, 1.5, 2.0};
	const score_input in = score_input_rows_f64(row, 1, 4);
	double out = 7.0;
	assert_int_equal(score_batch(model, &in, &out, 1, NULL, &error), SCORE_OK);
	return out;
}

/* From a file, from memory with the format guessed and given: one model. Memory is the caller's, and all of it comes back. */
static void files_and_memory(void **state)
{
	metered_memory memory = {.left = SIZE_MAX};
	const score_allocator metered = metered_allocator(&memory);
	score_import_options o = SCORE_IMPORT_OPTIONS_INIT;
	score_model *from_file = NULL, *from_memory = NULL, *given = NULL;
	(void)state;
	o.allocator = &metered;
	assert_int_equal(score_import_file(path, &o, &from_file, &error), SCORE_OK);
	assert_int_equal(score_import_memory(text, size, NULL, &from_memory, &error), SCORE_OK);
	o.format = SCORE_FORMAT_LIGHTGBM_TEXT;
	assert_int_equal(score_import_memory(text, size, &o, &given, &error), SCORE_OK);
	const double score = score_of(from_file);
	assert_true(score > 0.0 && score < 1.0);
	assert_true(score_of(from_memory) == score && score_of(given) == score);
	score_model_free(from_file);
	score_model_free(from_memory);
	score_model_free(given);
	assert_int_equal(memory.held, 0);
	o.max_bytes = 100;
	assert_int_equal(score_import_file(path, &o, &from_file, &error), SCORE_ERR_LIMIT);
	assert_null(from_file);
	assert_int_equal(memory.held, 0);
}

/* What is no model, or another, is named. */
static void what_the_file_is(void **state)
{
	static const char known[] = "the content is of no known model format; expected XGBoost JSON or UBJSON, LightGBM text, CatBoost "
		"JSON, or ONNX";
	score_import_options o = SCORE_IMPORT_OPTIONS_INIT;
	const double zero = 0.0;
	score_model *model = (score_model *)&error;
	(void)state;
	expect_error(score_import_memory("hello", 5, NULL, &model, &error), &error, SCORE_ERR_UNSUPPORTED, known);
	assert_null(model);
	o.missing = &zero; /* says nothing of a format that nobody knows */
	expect_error(score_import_memory("hello", 5, &o, &model, &error), &error, SCORE_ERR_UNSUPPORTED, known);
	expect_error(score_import_memory(text, size, &o, &model, &error), &error, SCORE_ERR_ARGUMENT,
		"score_import_options.missing is for XGBoost models, the file is LightGBM text: leave it out, such a model says itself what "
		"is missing");
	expect_error(score_import_memory("", 0, NULL, &model, &error), &error, SCORE_ERR_ARGUMENT,
		"score_import_memory: there is no data");
	assert_string_equal(score_format_name(0), "unknown");
	assert_string_equal(score_format_name(-1), "unknown");
	assert_string_equal(score_format_name(SCORE_FORMAT_CATBOOST_JSON), "CatBoost JSON");
	assert_int_equal(score_import_detect(text, size), SCORE_FORMAT_LIGHTGBM_TEXT);
}

static void iterations(void **state)
{
	score_import_options o = SCORE_IMPORT_OPTIONS_INIT;
	score_model *model = NULL;
	score_model_info info = {.struct_size = sizeof info};
	const double no_number = NAN;
	(void)state;
	o.iteration_begin = 1;
	o.iteration_end = 3;
	assert_int_equal(score_import_memory(text, size, &o, &model, &error), SCORE_OK);
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	assert_int_equal(info.n_trees, 2);
	score_model_free(model);
	o.iteration_begin = 3;
	expect_error(score_import_memory(text, size, &o, &model, &error), &error, SCORE_ERR_ARGUMENT,
		"iteration range [3, 3) is empty or reversed");
	o = (score_import_options)SCORE_IMPORT_OPTIONS_INIT;
	o.missing = &no_number; /* as if there were none */
	assert_int_equal(score_import_memory(text, size, &o, &model, &error), SCORE_OK);
	score_model_free(model);
	const double far = INFINITY;
	o.missing = &far; /* a value that a float holds */
	expect_error(score_import_memory("{\"learner\": 1}", 14, &o, &model, &error), &error, SCORE_ERR_CORRUPT, error.message);
	assert_null(model);
	o = (score_import_options)SCORE_IMPORT_OPTIONS_INIT;
	o.onnx_compat = SCORE_ONNX_RUNTIME; /* of no matter to other formats */
	assert_int_equal(score_import_memory(text, size, &o, &model, &error), SCORE_OK);
	score_model_free(model);
}

/* What the builder would call a wrong call is a wrong file. */
static void wrong_files(void **state)
{
	char *names = strstr(text, "Column_0 Column_1");
	score_model *model = NULL;
	(void)state;
	assert_non_null(names);
	names[16] = '0';
	expect_error(score_import_memory(text, size, NULL, &model, &error), &error, SCORE_ERR_CORRUPT,
		"two features have the name 'Column_0'");
	assert_null(model);
	assert_int_equal(score_import_memory(text, size, NULL, &model, NULL), SCORE_ERR_CORRUPT);
	assert_null(model);
	names[16] = '1';
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_and_memory),
		cmocka_unit_test(what_the_file_is),
		cmocka_unit_test(iterations),
		cmocka_unit_test(wrong_files),
	};
	return cmocka_run_group_tests(tests, read_model, NULL);
}
