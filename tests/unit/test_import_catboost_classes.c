/*
 * CatBoost models with classes that training did not see: which outputs their values belong to, and files that say it wrong.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "import/importers.h"
#include "replaced.h"

#define HEAD \
	"{\"features_info\":{\"float_features\":[{\"borders\":[0.5],\"feature_index\":0,\"flat_feature_index\":0}]},\"model_info\":{" \
	"\"params\":{\"loss_function\":{\"type\":\"MultiClass\"}},\"class_params\":{\"class_names\":[\"a\",\"b\",\"c\",\"d\"]," \
	"\"class_to_label\":[0,2]}},\"scale_and_bias\":[2,[0.25,0.5]],"
#define SPLIT "{\"border\":0.5,\"float_feature_index\":0,\"split_index\":0,\"split_type\":\"FloatFeature\"}"

static const char symmetric_file[] = HEAD "\"oblivious_trees\":[{\"leaf_values\":[1,2,4,8],\"splits\":[" SPLIT "]},"
	"{\"leaf_values\":[16,32],\"splits\":[]}]}";
static const char nodes_file[] = HEAD "\"trees\":[{\"left\":{\"value\":[1,2]},\"right\":{\"value\":[4,8]},\"split\":" SPLIT "},"
	"{\"value\":[16,32]}]}";

static score_status import_text(const char *text, score_model **out, score_error *error)
{
	score_builder *builder = NULL;
	score_status status = import_catboost(text, strlen(text), NULL, &builder, error);
	*out = NULL;
	if (status == SCORE_OK)
		status = score_builder_finish(builder, out, error);
	score_builder_free(builder);
	return status;
}

/* Margins of 0 and of 1. */
static void gives(const char *text, const double *expected, size_t n)
{
	const double rows[] = {0.0, 1.0};
	double out[8];
	score_options o = SCORE_OPTIONS_INIT;
	score_error error;
	score_model *model;
	if (import_text(text, &model, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	o.output = SCORE_OUTPUT_MARGIN;
	assert_int_equal(2 * score_output_width(model, &o), n);
	score_input in = score_input_rows_f64(rows, 2, 1);
	assert_int_equal(score_batch(model, &in, out, n, &o, &error), SCORE_OK);
	for (size_t i = 0; i < n; i++) {
		if (!(out[i] == expected[i]))
			fail_msg("value %zu: expected %g, found %g", i, expected[i], out[i]);
	}
	score_model_free(model);
}

static void answers_for_every_class(void **state)
{
	const double expected[] = {34.25, -INFINITY, 68.5, -INFINITY, 40.25, -INFINITY, 80.5, -INFINITY};
	const double same_bias[] = {34.25, -INFINITY, 68.25, -INFINITY, 40.25, -INFINITY, 80.25, -INFINITY};
	const double no_bias[] = {17, -INFINITY, 34, -INFINITY, 20, -INFINITY, 40, -INFINITY};
	const double only_seen[] = {34.25, 68.5, 40.25, 80.5};
	static const char *const files[] = {symmetric_file, nodes_file};
	(void)state;
	for (int i = 0; i < 2; i++) {
		gives(files[i], expected, 8);
		char *one = replaced_once(files[i], "[0.25,0.5]", "[0.25]");
		char *none = replaced_once(files[i], "\"scale_and_bias\":[2,[0.25,0.5]],", "");
		char *counted = replaced_once(files[i], "\"class_names\":[\"a\",\"b\",\"c\",\"d\"]", "\"classes_count\":4");
		char *seen = replaced_once(files[i], "[\"a\",\"b\",\"c\",\"d\"]", "[\"a\",\"c\"]");
		gives(one, same_bias, 8);
		gives(none, no_bias, 8);
		gives(counted, expected, 8);
		gives(seen, only_seen, 4);
		free(one);
		free(none);
		free(counted);
		free(seen);
	}
}

static void refuses_wrong_class_numbers(void **state)
{
	static const struct {
		const char *from, *to, *says;
		score_status status;
	} cases[] = {
		{"[0,2]", "[2,0]", "class of its own", SCORE_ERR_CORRUPT},
		{"[0,2]", "[0,4]", "class of its own", SCORE_ERR_CORRUPT},
		{"[0,2]", "[-1,2]", "class of its own", SCORE_ERR_CORRUPT},
		{"[0,2]", "[0,1.5]", "class of its own", SCORE_ERR_CORRUPT},
		{"[0,2]", "[0,NaN]", "class of its own", SCORE_ERR_CORRUPT},
		{"[0,2]", "[0,1,2]", "class of its own", SCORE_ERR_CORRUPT},
		{"\"class_to_label\":[0,2]", "\"class_to_labels\":[0,2]", "class of its own", SCORE_ERR_CORRUPT},
		{"[16,32]", "[16]", "has 1 leaf values", SCORE_ERR_CORRUPT},
		{"\"class_names\":[\"a\",\"b\",\"c\",\"d\"]", "\"classes_count\":\"a\"", "expected a whole number", SCORE_ERR_CORRUPT},
		{"\"class_names\":[\"a\",\"b\",\"c\",\"d\"]", "\"classes_count\":66000", "66000 classes", SCORE_ERR_LIMIT},
		{"\"class_names\":[\"a\",\"b\",\"c\",\"d\"]", "\"classes_count\":40000", "40000 classes", SCORE_ERR_LIMIT},
		{"\"class_names\":[\"a\",\"b\",\"c\",\"d\"]", "\"classes_count\":9223372036854775807", "4294967295 classes", SCORE_ERR_LIMIT},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *bad = replaced_once(symmetric_file, cases[i].from, cases[i].to);
		score_error error;
		score_model *model;
		score_status status = import_text(bad, &model, &error);
		if (status != cases[i].status || !strstr(error.message, cases[i].says))
			fail_msg("%s -> %s: %s: %s", cases[i].from, cases[i].to, score_status_name(status), status ? error.message : "");
		assert_null(model);
		free(bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_for_every_class),
		cmocka_unit_test(refuses_wrong_class_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
