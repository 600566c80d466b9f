/* Questions to a model beyond what it has, and to none: an answer that says so, never a fault. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "expect_error.h"

#include <scoreline/bins.h>
#include <scoreline/build.h>

static score_error error;
/* Features "town" with a dictionary, "kind" without; metadata "author". A stump on "kind". */
static score_model *model;

static int make_model(void **state)
{
	static const score_node nodes[] = {{.left = 1, .right = 2, .feature = 1, .test = SCORE_TEST_LT, .value = 2.5}, {.value = 1},
		{.value = 2}};
	static const char *const labels[] = {"Rome", "Oslo"};
	static const double codes[] = {3.0, 4.0};
	const score_contract c = SCORE_CONTRACT_INIT(2, 1);
	score_builder *b = NULL;
	score_tree t = SCORE_TREE_INIT;
	(void)state;
	t.nodes = nodes;
	t.n_nodes = 3;
	assert_int_equal(score_builder_new(&c, NULL, &b, &error), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 0, "town", SCORE_FEATURE_CATEGORY, &error), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 1, "kind", SCORE_FEATURE_NUMERIC, &error), SCORE_OK);
	assert_int_equal(score_builder_set_dictionary(b, 0, labels, codes, 2, -1.0, SCORE_DICTIONARY_NUMBERS, &error), SCORE_OK);
	assert_int_equal(score_builder_set_metadata(b, "author", "us", &error), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	score_builder_free(b);
	return 0;
}

static int free_model(void **state)
{
	(void)state;
	score_model_free(model);
	return 0;
}

static void features(void **state)
{
	(void)state;
	assert_string_equal(score_model_feature_name(model, 1), "kind");
	assert_null(score_model_feature_name(model, 2));
	assert_null(score_model_feature_name(NULL, 0));
	assert_int_equal(score_model_feature_type(model, 0), SCORE_FEATURE_CATEGORY);
	assert_int_equal(score_model_feature_type(model, 1), SCORE_FEATURE_NUMERIC);
	assert_int_equal(score_model_feature_type(model, 2), SCORE_FEATURE_NUMERIC);
	assert_int_equal(score_model_feature_type(NULL, 0), SCORE_FEATURE_NUMERIC);
}

static void dictionaries(void **state)
{
	double code = 7.0;
	(void)state;
	assert_int_equal(score_model_dictionary(model, 0), SCORE_DICTIONARY | SCORE_DICTIONARY_NUMBERS);
	assert_int_equal(score_model_dictionary(model, 1), 0);
	assert_int_equal(score_model_dictionary(model, 2), 0);
	assert_int_equal(score_model_dictionary(NULL, 0), 0);
	assert_true(score_model_category_unknown(model, 0) == -1.0);
	assert_true(isnan(score_model_category_unknown(model, 1)));
	assert_true(isnan(score_model_category_unknown(NULL, 0)));
	assert_int_equal(score_model_category_count(model, 0), 2);
	assert_int_equal(score_model_category_count(model, 2), 0);
	assert_string_equal(score_model_category_name(model, 0, 1), "Oslo");
	assert_null(score_model_category_name(model, 0, 2));
	assert_null(score_model_category_name(model, 1, 0));
	assert_true(score_model_category_code(model, 0, 1) == 4.0);
	assert_true(isnan(score_model_category_code(model, 0, 2)));
	assert_true(isnan(score_model_category_code(model, 1, 0)));
	assert_int_equal(score_model_category_find(model, 0, "Oslo!", 4, &code), 1);
	assert_true(code == 4.0);
	assert_int_equal(score_model_category_find(model, 0, "Oslo", 4, NULL), 1);
	assert_int_equal(score_model_category_find(model, 0, "Bonn", 4, &code), 0);
	assert_true(code == -1.0);
	assert_int_equal(score_model_category_find(model, 0, NULL, 0, &code), 0);
	assert_true(isnan(code));
	assert_int_equal(score_model_category_find(model, 1, "Oslo", 4, &code), 0);
	assert_true(isnan(code));
	assert_int_equal(score_model_category_find(NULL, 0, "Oslo", 4, NULL), 0);
}

/* Categories that are hashed need no dictionary: every text has a code. */
static void hashed_categories(void **state)
{
	static const score_node nodes[] = {{.left = 1, .right = 2, .test = SCORE_TEST_IN_LEFT}, {.value = 1}, {.value = 2}};
	score_contract c = SCORE_CONTRACT_INIT(2, 1);
	score_builder *b = NULL;
	score_model *hashed = NULL;
	score_tree t = SCORE_TREE_INIT;
	double code = 7.0;
	(void)state;
	t.nodes = nodes; /* of no category: every row goes right */
	t.n_nodes = 3;
	c.category_rule = SCORE_CATEGORY_HASH;
	assert_int_equal(score_builder_new(&c, NULL, &b, &error), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 0, "town", SCORE_FEATURE_CATEGORY, &error), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &hashed, &error), SCORE_OK);
	score_builder_free(b);
	assert_int_equal(score_model_dictionary(hashed, 0), SCORE_DICTIONARY | SCORE_DICTIONARY_HASH);
	assert_int_equal(score_model_dictionary(hashed, 1), 0);
	assert_int_equal(score_model_category_count(hashed, 0), 0);
	assert_int_equal(score_model_category_find(hashed, 0, "", 0, &code), 1);
	assert_true(code == 0x2f90404f + 0.5);
	const double rows[] = {1.0, 0.0, -1e300, 0.0, 1e300, 0.0, NAN, 0.0};
	const score_input in = score_input_rows_f64(rows, 4, 2);
	double out[4];
	assert_int_equal(score_batch(hashed, &in, out, 4, NULL, &error), SCORE_OK);
	for (int i = 0; i < 4; i++)
		assert_true(out[i] == 2.0);
	score_model_free(hashed);
}

static void metadata(void **state)
{
	const double *rows = (const double *)&error, *margins = rows;
	(void)state;
	assert_int_equal(score_model_metadata_count(model), 1);
	assert_int_equal(score_model_metadata_count(NULL), 0);
	assert_string_equal(score_model_metadata_key(model, 0), "author");
	assert_null(score_model_metadata_key(model, 1));
	assert_null(score_model_metadata_key(NULL, 0));
	assert_string_equal(score_model_metadata_value(model, 0), "us");
	assert_null(score_model_metadata_value(model, 1));
	assert_null(score_model_metadata_value(NULL, 0));
	assert_string_equal(score_model_metadata_get(model, "author"), "us");
	assert_null(score_model_metadata_get(model, "date"));
	assert_null(score_model_metadata_get(model, NULL));
	assert_null(score_model_metadata_get(NULL, "author"));
	assert_string_equal(score_model_link_name(model), "identity");
	assert_string_equal(score_model_link_name(NULL), "unknown");
	assert_true(score_model_golden(model, &rows, &margins) > 0 && rows && margins);
	assert_int_equal(score_model_golden(NULL, &rows, &margins), 0);
	assert_true(!rows && !margins);
	assert_int_equal(score_model_class_count(NULL), 0);
	assert_null(score_model_class_label(NULL, 0));
	assert_null(score_model_class_label(model, 0));
}

static void sizes(void **state)
{
	score_plan *plan = (score_plan *)&error;
	const char *const names[] = {"kind", "town"};
	(void)state;
	assert_int_equal(score_scratch_bytes(NULL), 0);
	assert_int_equal(score_contribution_scratch_bytes(NULL), 0);
	assert_int_equal(score_output_width(NULL, NULL), 0);
	assert_int_equal(score_plan_column(NULL, 0), -1);
	expect_error(score_bind(model, NULL, NULL, 2, &plan, &error), &error, SCORE_ERR_ARGUMENT,
		"score_bind: model and column_names must not be NULL");
	assert_null(plan);
	expect_error(score_bind(NULL, names, NULL, 2, &plan, &error), &error, SCORE_ERR_ARGUMENT,
		"score_bind: model and column_names must not be NULL");
	expect_error(score_bind(model, names, NULL, 2, NULL, &error), &error, SCORE_ERR_ARGUMENT, "score_bind: out is NULL");
	assert_int_equal(score_bind(model, NULL, NULL, 0, &plan, &error), SCORE_ERR_SHAPE); /* it has no columns at all */
	assert_null(plan);
	assert_int_equal(score_bind(model, names, NULL, 2, &plan, &error), SCORE_OK);
	assert_int_equal(score_plan_column(plan, 0), 1);
	assert_int_equal(score_plan_column(plan, 1), 0);
	assert_int_equal(score_plan_column(plan, 2), -1);
	score_plan_free(plan);
}

/* The sizes of structs that callers fill in. */
static void structs(void **state)
{
	score_bins bins = {.struct_size = sizeof bins};
	score_bin_column column = {.struct_size = sizeof column};
	score_model_info info = {.struct_size = 1};
	const char *message = "score_model_get_bin_column: model and column must not be NULL, and struct_size set";
	(void)state;
	assert_int_equal(score_model_get_info(model, &info), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_model_get_info(model, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_model_get_info(NULL, &info), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_model_get_bins(NULL, &bins), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_model_get_bins(model, NULL), SCORE_ERR_ARGUMENT);
	bins.struct_size = 7;
	assert_int_equal(score_model_get_bins(model, &bins), SCORE_ERR_ARGUMENT);
	bins.struct_size = 4097;
	assert_int_equal(score_model_get_bins(model, &bins), SCORE_ERR_ARGUMENT);
	/* An older caller's struct ends before code_bytes, and is not written beyond. */
	memset(&bins, 0xa5, sizeof bins);
	bins.struct_size = offsetof(score_bins, code_bytes);
	assert_int_equal(score_model_get_bins(model, &bins), SCORE_OK);
	assert_int_equal(bins.n_columns, 1);
	assert_int_equal(bins.code_bytes, 0xa5a5a5a5u);
	expect_error(score_model_get_bin_column(NULL, 0, &column, &error), &error, SCORE_ERR_ARGUMENT, message);
	expect_error(score_model_get_bin_column(model, 0, NULL, &error), &error, SCORE_ERR_ARGUMENT, message);
	column.struct_size = 7;
	expect_error(score_model_get_bin_column(model, 0, &column, &error), &error, SCORE_ERR_ARGUMENT, message);
	column.struct_size = 4097;
	expect_error(score_model_get_bin_column(model, 0, &column, &error), &error, SCORE_ERR_ARGUMENT, message);
	column.struct_size = offsetof(score_bin_column, missing);
	memset((char *)&column + column.struct_size, 0xa5, sizeof column - column.struct_size);
	assert_int_equal(score_model_get_bin_column(model, 0, &column, &error), SCORE_OK);
	assert_int_equal(column.feature, 1);
	assert_int_equal(column.missing, 0xa5a5a5a5u);
	expect_error(score_model_get_bin_column(model, 1, &column, &error), &error, SCORE_ERR_ARGUMENT,
		"there is no column 1 of codes, the model has 1");
}

/* A struct of a newer caller: what we do not know is zero, never what stood there. */
static void newer_callers_get_zeros(void **state)
{
	struct {
		score_model_info info;
		uint64_t newer[4];
	} s;
	(void)state;
	memset(&s, 0xa5, sizeof s);
	s.info.struct_size = sizeof s;
	assert_int_equal(score_model_get_info(model, &s.info), SCORE_OK);
	assert_int_equal(s.info.struct_size, sizeof s);
	assert_int_equal(s.info.n_features, 2);
	for (int i = 0; i < 4; i++)
		assert_int_equal(s.newer[i], 0);
	s.info.struct_size = 4097; /* no size, but what stood there */
	assert_int_equal(score_model_get_info(model, &s.info), SCORE_ERR_ARGUMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features),
		cmocka_unit_test(dictionaries),
		cmocka_unit_test(hashed_categories),
		cmocka_unit_test(metadata),
		cmocka_unit_test(sizes),
		cmocka_unit_test(structs),
		cmocka_unit_test(newer_callers_get_zeros),
	};
	return cmocka_run_group_tests(tests, make_model, free_model);
}
