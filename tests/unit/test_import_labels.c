/*
 * Labels of categories in files of XGBoost (key "cats") and LightGBM (the last line): dictionaries where the file says what they
 * are, metadata where it does not, and no harm in either case.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replaced.h"

#include <scoreline/import.h>

/* Two features with categories; their labels stand for the stars. */
static const char xgboost_file[] = "{\"learner\":{\"feature_names\":[\"a\",\"b\"],\"feature_types\":[\"c\",\"c\"],\"gradient_booster\":{"
	"\"model\":{\"cats\":{\"enc\":[***]},\"gbtree_model_param\":{\"num_trees\":\"1\"},\"tree_info\":[0],\"trees\":[{\"left_children\":[-1],"
	"\"right_children\":[-1],\"split_indices\":[0],\"split_conditions\":[1],\"default_left\":[0],\"tree_param\":{\"num_nodes\":\"1\"}}]},\"name\":\"gbtree\"},"
	"\"learner_model_param\":{\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"2\"},\"objective\":{\"name\":\"reg:squarederror\"}},"
	"\"version\":[3,2,0]}";
static const char lightgbm_file[] = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=2\n"
	"objective=regression\nfeature_names=x a b\nfeature_infos=none 0:1 1:-1:0\ntree_sizes=10\n\nTree=0\nnum_leaves=1\nnum_cat=0\n"
	"leaf_value=0.5\n\nend of trees\n\npandas_categorical:***\n";

static score_model *import_labelled(const char *file, const char *labels)
{
	char *text = replaced_once(file, "***", labels);
	score_model *model;
	score_error error;
	if (score_import_memory(text, strlen(text), NULL, &model, &error) != SCORE_OK)
		fail_msg("%s: %s", labels, error.message);
	free(text);
	return model;
}

typedef struct labelled {
	const char *labels;      /* in the file */
	uint32_t n[2];           /* of features a and b in the model */
	const char *last[2];     /* the last of each, or NULL */
	const char *lost;        /* metadata "source.lost_labels" */
} labelled;

/* `first` is the number of feature a. */
static void check(const char *file, uint32_t first, const labelled *l)
{
	score_model *model = import_labelled(file, l->labels);
	const char *lost = score_model_metadata_get(model, "source.lost_labels");
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t n = score_model_category_count(model, first + i);
		if (n != l->n[i])
			fail_msg("%s: feature %u has %u labels instead of %u", l->labels, i, n, l->n[i]);
		if (n)
			assert_string_equal(score_model_category_name(model, first + i, n - 1), l->last[i]);
	}
	assert_int_equal(lost != NULL, l->lost != NULL);
	if (lost)
		assert_string_equal(lost, l->lost);
	score_model_free(model);
}

static void reads_the_labels_of_xgboost(void **state)
{
	static const labelled cases[] = {
		{"{\"values\":[]},{\"offsets\":[0,2,3],\"values\":[97,98,99]}", {0, 2}, {NULL, "c"}, NULL},
		{"{\"offsets\":[0,0,3],\"values\":[97,98,99]},{\"offsets\":[],\"values\":[]}", {2, 0}, {"abc", NULL}, NULL},
		{"{\"values\":[5,-7]},{\"values\":[5]}", {2, 1}, {"-7", "5"}, NULL},
		/* Offsets that are not those of the bytes, and bytes that are no whole characters. */
		{"{\"offsets\":[1,3],\"values\":[97,98,99]},{\"values\":[5]}", {0, 1}, {NULL, "5"}, "0"},
		{"{\"offsets\":[0,2],\"values\":[97,98,99]},{\"values\":[5]}", {0, 1}, {NULL, "5"}, "0"},
		{"{\"offsets\":[0,2,1,3],\"values\":[97,98,99]},{\"values\":[5]}", {0, 1}, {NULL, "5"}, "0"},
		{"{\"offsets\":[0,9,3],\"values\":[97,98,99]},{\"values\":[5]}", {0, 1}, {NULL, "5"}, "0"},
		{"{\"offsets\":[],\"values\":[97]},{\"offsets\":[0,1,2],\"values\":[195,188]}", {0, 0}, {NULL, NULL}, "0 1"},
		/* A label twice, and one with a zero byte. */
		{"{\"values\":[5]},{\"values\":[5,5]}", {1, 0}, {"5", NULL}, "1"},
		{"{\"values\":[5]},{\"offsets\":[0,2],\"values\":[97,0]}", {1, 0}, {"5", NULL}, "1"},
	};
	score_model *model;
	score_error error;
	char *text = replaced_once(xgboost_file, "***", "{\"values\":[5]}");
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check(xgboost_file, 0, cases + i);
	assert_int_equal(score_import_memory(text, strlen(text), NULL, &model, &error), SCORE_ERR_CORRUPT);
	assert_string_equal(error.message, "\"cats\" has the labels of 1 features, the model has 2");
	free(text);
}

static void reads_the_labels_of_lightgbm(void **state)
{
	static const labelled cases[] = {
		{"[[\"u\", \"v\"], [\"w\", \"x\"]]", {2, 2}, {"v", "x"}, NULL},
		{"[[1, -2], [3.0, 4]]", {2, 2}, {"-2", "4"}, NULL},
		{"[[false, true], [2e3, 0.5]]", {2, 2}, {"1", "0.5"}, NULL},
		/* Not the package's own: the line stays what it is. */
		{"[[\"u\", \"v\", null], [\"w\", \"x\"]]", {0, 2}, {NULL, "x"}, NULL},
		{"[[\"u\", null], [\"w\", \"x\"]]", {0, 0}, {NULL, NULL}, NULL},
		{"[[\"u\", \"u\"], [\"w\", \"x\"]]", {0, 2}, {NULL, "x"}, NULL},
		{"[[\"u\", \"v\\u0000\"], [\"w\", \"x\"]]", {0, 2}, {NULL, "x"}, NULL},
		{"[[\"u\", \"v\"]]", {0, 0}, {NULL, NULL}, NULL},
		{"[[\"u\", \"v\"], [\"w\", \"x\"], [\"y\"]]", {0, 0}, {NULL, NULL}, NULL},
		{"[[\"u\"], [\"w\", \"x\"]]", {0, 0}, {NULL, NULL}, NULL},
		{"[[[\"u\"], \"v\"], [\"w\", \"x\"]]", {0, 0}, {NULL, NULL}, NULL},
		{"[[{}, \"v\"], [\"w\", \"x\"]]", {0, 0}, {NULL, NULL}, NULL},
		{"[\"u\", [\"w\", \"x\"]]", {0, 0}, {NULL, NULL}, NULL},
		{"{\"a\": []}", {0, 0}, {NULL, NULL}, NULL},
		{"[[\"u\"", {0, 0}, {NULL, NULL}, NULL},
		{"[[\"u\", \"v\"], [\"w\", 9e99]]", {2, 2}, {"v", "9e99"}, NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check(lightgbm_file, 1, cases + i);
	for (int i = 0; i < 3; i++) {
		static const char *const none[] = {"null", "[]", "[[]]"};
		score_model *model = import_labelled(lightgbm_file, none[i]);
		assert_int_equal(score_model_metadata_get(model, "source.pandas_categorical") != NULL, i == 2);
		score_model_free(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_labels_of_xgboost),
		cmocka_unit_test(reads_the_labels_of_lightgbm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
