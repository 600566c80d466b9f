/*
 * CatBoost files against the answers of the release that wrote them, margins and predictions bit for bit. Models and answers
 * are made by tests/data/make_catboost.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "import/importers.h"

#define N_ROWS 48
#define N_FEATURES 4
#define MOST 4 /* outputs */

typedef struct blob {
	uint8_t *data;
	size_t size;
} blob;

static blob read_data(const char *name, const char *ending)
{
	char path[512];
	snprintf(path, sizeof path, "%s/catboost/%s%s", getenv("SCORELINE_TEST_DATA"), name, ending);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	blob b = {malloc(1 << 20), 0};
	assert_non_null(b.data);
	b.size = fread(b.data, 1, 1 << 20, f);
	assert_true(b.size > 0 && b.size < 1 << 20);
	fclose(f);
	return b;
}

static double double_at(const blob *b, size_t i)
{
	assert_true(8 * i + 8 <= b->size);
	return sl_f64_from_bits(sl_load_le64(b->data + 8 * i));
}

static score_model *import_named(const char *name)
{
	score_builder *builder = NULL;
	score_model *model = NULL;
	score_error error;
	blob file = read_data(name, ".json");
	assert_int_equal(import_detect(file.data, file.size), SCORE_FORMAT_CATBOOST_JSON);
	if (import_catboost(file.data, file.size, NULL, &builder, &error) != SCORE_OK ||
		score_builder_finish(builder, &model, &error) != SCORE_OK)
		fail_msg("%s: %s (at %lld)", name, error.message, (long long)error.offset);
	score_builder_free(builder);
	free(file.data);
	return model;
}

static void compare(const char *name, const score_model *model, const double *rows, score_output output,
	const blob *answers, size_t *at)
{
	double out[N_ROWS * MOST];
	score_options o = SCORE_OPTIONS_INIT;
	score_error error;
	o.output = output;
	score_input in = score_input_rows_f64(rows, N_ROWS, N_FEATURES);
	size_t n = N_ROWS * score_output_width(model, &o);
	assert_in_range(n, N_ROWS, N_ROWS * MOST);
	if (score_batch(model, &in, out, n, &o, &error) != SCORE_OK)
		fail_msg("score_batch: %s", error.message);
	for (size_t i = 0; i < n; i++) {
		double wanted = double_at(answers, (*at)++);
		if (memcmp(out + i, &wanted, sizeof wanted) != 0)
			fail_msg("%s, output %d, value %zu: expected %a, found %a", name, (int)output, i, wanted, out[i]);
	}
}

static void files_give_the_answers_of_their_release(void **state)
{
	static const char *const names[] = {"one_hot-1.2.10", "ctr-1.2.10", "multiclass-1.2.10", "lossguide-1.2.10", "uncertainty-1.2.10"};
	double rows[N_ROWS * N_FEATURES];
	blob file = read_data("rows", ".f64");
	(void)state;
	for (size_t i = 0; i < N_ROWS * N_FEATURES; i++)
		rows[i] = double_at(&file, i);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		score_model *model = import_named(names[i]);
		blob answers = read_data(names[i], ".f64");
		size_t at = 0;
		compare(names[i], model, rows, SCORE_OUTPUT_MARGIN, &answers, &at);
		compare(names[i], model, rows, SCORE_OUTPUT_PREDICTION, &answers, &at);
		assert_int_equal(8 * at, answers.size);
		assert_string_equal(score_model_metadata_get(model, "source.version"), "1.2.10");
		free(answers.data);
		score_model_free(model);
	}
	free(file.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_give_the_answers_of_their_release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
