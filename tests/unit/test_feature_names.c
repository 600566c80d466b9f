/*
 * Which feature a name means: the question itself, and everything in the library that asks it: binding, feature plans and
 * endpoints. A name with spaces means a feature with underscores where LightGBM or skl2onnx wrote the model, and nowhere else.
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
#include "finish_model.h"
#include "sample_tables.h"

#include <scoreline/build.h>
#include <scoreline/endpoint.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static score_error error;

/* The sum of 2^i times feature i. */
static score_model *make_model(const char *library, const char *const *names, uint32_t n)
{
	const score_contract contract = SCORE_CONTRACT_INIT(n, 1);
	score_builder *b = NULL;
	double *weights = malloc(n * sizeof *weights);
	assert_non_null(weights);
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	for (uint32_t i = 0; i < n; i++) {
		weights[i] = (double)(1u << i % 16);
		assert_int_equal(score_builder_set_feature(b, i, names[i], SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	}
	assert_int_equal(score_builder_set_metadata(b, "name", "m", NULL), SCORE_OK);
	if (library)
		assert_int_equal(score_builder_set_metadata(b, "source.library", library, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, weights, 0, NULL), SCORE_OK);
	free(weights);
	return finish_model(b);
}

/* ---- the question ------------------------------------------------------------------------------------------- */

static void means(const score_model *model, const char *name, size_t length, score_name_match match, uint32_t feature)
{
	/* Not terminated: a byte read beyond the end is seen by the sanitizers. */
	char *text = malloc(length ? length : 1);
	uint32_t found = 7;
	assert_non_null(text);
	memcpy(text, name, length);
	if (score_model_feature_find(model, text, length, &found) != match || found != feature)
		fail_msg("\"%.*s\" means feature %u", (int)length, name, found);
	assert_int_equal(score_model_feature_find(model, text, length, NULL), match);
	free(text);
}

#define MEANS(model, name, match, feature) means(model, name, sizeof(name) - 1, match, feature)

static const char *const some_names[] = {"b_c", "a_b", "größe_in_m", "a b", "x y", "_", "a_b_c_d", "\xff_\xfe"};

static void own_names_go_before_others(void **state)
{
	static const char *const libraries[] = {"lightgbm", "onnx", "xgboost", NULL};
	(void)state;
	for (size_t i = 0; i < COUNT(libraries); i++) {
		score_model *model = make_model(libraries[i], some_names, COUNT(some_names));
		for (uint32_t k = 0; k < COUNT(some_names); k++)
			means(model, some_names[k], strlen(some_names[k]), SCORE_NAME_OWN, k);
		score_model_free(model);
	}
}

static void spaces_are_underscores_where_the_source_writes_them_so(void **state)
{
	static const char *const libraries[] = {"lightgbm", "onnx", "xgboost", "LightGBM", "", NULL};
	(void)state;
	for (size_t i = 0; i < COUNT(libraries); i++) {
		score_model *model = make_model(libraries[i], some_names, COUNT(some_names));
		const score_name_match spaced = i < 2 ? SCORE_NAME_SPACED : SCORE_NAME_NONE;
		MEANS(model, "b c", spaced, i < 2 ? 0 : UINT32_MAX);
		MEANS(model, "größe in_m", spaced, i < 2 ? 2 : UINT32_MAX);
		MEANS(model, "a_b c d", spaced, i < 2 ? 6 : UINT32_MAX);
		MEANS(model, " ", spaced, i < 2 ? 5 : UINT32_MAX);
		MEANS(model, "\xff \xfe", spaced, i < 2 ? 7 : UINT32_MAX);
		score_model_free(model);
	}
}

static void what_no_feature_is_called(void **state)
{
	score_model *model = make_model("lightgbm", some_names, COUNT(some_names));
	uint32_t found = 7;
	(void)state;
	MEANS(model, "", SCORE_NAME_NONE, UINT32_MAX);
	MEANS(model, "a", SCORE_NAME_NONE, UINT32_MAX);
	MEANS(model, "a_bc", SCORE_NAME_NONE, UINT32_MAX);
	MEANS(model, "a_b_c_d ", SCORE_NAME_NONE, UINT32_MAX);
	MEANS(model, "x_y", SCORE_NAME_NONE, UINT32_MAX); /* underscores are no spaces */
	MEANS(model, "a\tb", SCORE_NAME_NONE, UINT32_MAX);
	MEANS(model, "a_b\0", SCORE_NAME_NONE, UINT32_MAX);
	MEANS(model, "a_\0b", SCORE_NAME_NONE, UINT32_MAX);
	MEANS(model, "größe", SCORE_NAME_NONE, UINT32_MAX);
	MEANS(model, "GRÖßE_IN_M", SCORE_NAME_NONE, UINT32_MAX);
	MEANS(model, "\xff\xff\xff", SCORE_NAME_NONE, UINT32_MAX);
	assert_int_equal(score_model_feature_find(NULL, "a_b", 3, &found), SCORE_NAME_NONE);
	assert_int_equal(found, UINT32_MAX);
	assert_int_equal(score_model_feature_find(model, NULL, 0, &found), SCORE_NAME_NONE);
	assert_int_equal(found, UINT32_MAX);
	score_model_free(model);
}

static void a_file_keeps_it(void **state)
{
	score_model *model = make_model("onnx", some_names, COUNT(some_names)), *opened;
	void *bytes;
	size_t size;
	(void)state;
	assert_int_equal(score_model_save_memory(model, NULL, &bytes, &size, &error), SCORE_OK);
	assert_int_equal(score_model_open_memory(bytes, size, NULL, &opened, &error), SCORE_OK);
	score_model_free_bytes(model, bytes, size);
	for (uint32_t k = 0; k < COUNT(some_names); k++)
		means(opened, some_names[k], strlen(some_names[k]), SCORE_NAME_OWN, k);
	MEANS(opened, "größe in m", SCORE_NAME_SPACED, 2);
	MEANS(opened, "c b", SCORE_NAME_NONE, UINT32_MAX);
	score_model_free(opened);
	score_model_free(model);
}

static void every_one_of_many_is_found(void **state)
{
	enum { N = 3001 };
	static char texts[N][16];
	static const char *names[N];
	score_plan *plan;
	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		snprintf(texts[i], sizeof texts[i], "f_%u_x", i * 1201u % N);
		names[i] = texts[i];
	}
	score_model *model = make_model("lightgbm", names, N);
	for (uint32_t i = 0; i < N; i++)
		means(model, names[i], strlen(names[i]), SCORE_NAME_OWN, i);
	for (uint32_t i = 0; i < N; i++) {
		texts[i][1] = ' ';
		means(model, names[i], strlen(names[i]), SCORE_NAME_SPACED, i);
	}
	assert_int_equal(score_bind(model, names, NULL, N, &plan, &error), SCORE_OK);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(score_plan_column(plan, i), i);
	score_plan_free(plan);
	score_model_free(model);
}

/* ---- feature plans ------------------------------------------------------------------------------------------ */

static const char *const key[] = {"id"};
static const int64_t ids[] = {1, 2};

/* A table of two keys whose columns hold `first` and `first` + 1, the next column 10 more, and so on. */
static score_feature_lookup lookup_of(const char *file, const char *const *names, size_t n, double first)
{
	static const score_table_field keys[] = {{"id", SCORE_I64, 0}};
	score_feature_lookup l = SCORE_FEATURE_LOOKUP_INIT;
	score_table_field fields[2];
	score_column data[3] = {sample_column(SCORE_I64, ids, NULL)};
	double values[2][2];
	for (size_t i = 0; i < n; i++) {
		fields[i] = (score_table_field){names[i], SCORE_F64, 0};
		values[i][0] = first + 10.0 * (double)i;
		values[i][1] = values[i][0] + 1;
		data[i + 1] = sample_column(SCORE_F64, values[i], NULL);
	}
	const sample_table spec = {keys, 1, NULL, fields, n, data, 2, NULL, 0};
	l.table_name = file;
	l.table = sample_table_make(file, &spec);
	l.lookup_key = key;
	l.n_lookup_key = 1;
	return l;
}

static const char *const two_features[] = {"the_amount", "risk_level"};

/* What feature "risk_level" is in the rows of `ids`; the request's further columns hold 100 and 200. */
static void gives(const score_model *model, const char *const *names, size_t n, const score_feature_lookup *l, size_t n_lookups,
	double first, double second)
{
	static const double own[] = {100, 200};
	const score_dtype types[] = {SCORE_I64, SCORE_F64, SCORE_F64};
	const score_column request[] = {sample_column(SCORE_I64, ids, NULL), sample_column(SCORE_F64, own, NULL), sample_column(SCORE_F64, own, NULL)};
	score_input in = score_input_columns(request, 2, (int64_t)n), features;
	score_feature_plan *plan;
	uint8_t scratch[1024];
	if (score_feature_plan_new(model, names, types, n, l, n_lookups, &plan, &error) != SCORE_OK ||
		score_feature_lookup_batch(plan, &in, scratch, sizeof scratch, &features, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	const double *amount = features.u.columns.columns[0].values, *risk = features.u.columns.columns[1].values;
	assert_true(amount[0] == 100 && amount[1] == 200);
	if (risk[0] != first || risk[1] != second)
		fail_msg("found %g and %g, expected %g and %g", risk[0], risk[1], first, second);
	score_feature_plan_free(plan);
}

static int answer(void *context, size_t n_rows, const score_column *keys, size_t n_keys, const score_column *timestamp,
	double *const *columns, size_t n_columns)
{
	(void)context, (void)keys, (void)n_keys, (void)timestamp;
	for (size_t r = 0; r < n_rows && n_columns == 1; r++)
		columns[0][r] = 55;
	return 0;
}

static void feature_plans_ask_the_same(void **state)
{
	static const char *const spaced[] = {"risk level"}, *const both[] = {"risk level", "risk_level"}, *const request[] = {"id", "the amount"},
		*const with_own[] = {"id", "the amount", "risk level"};
	score_model *model = make_model("lightgbm", two_features, 2), *exact = make_model("xgboost", two_features, 2);
	score_feature_lookup l[2] = {lookup_of("spaced.sft", spaced, 1, 5), lookup_of("both.sft", both, 2, 7)};
	score_feature_lookup call = SCORE_FEATURE_LOOKUP_INIT, twice[2] = {l[0], l[0]}, crossed[2] = {l[1], l[0]};
	score_feature_plan *plan;
	(void)state;
	gives(model, request, 2, l, 1, 5, 6);
	gives(model, request, 2, l + 1, 1, 17, 18);   /* the column of its own name */
	gives(model, request, 2, l, 2, 17, 18);       /* in whichever table it is */
	gives(model, request, 2, crossed, 2, 17, 18);
	gives(model, with_own, 3, l, 1, 100, 200);    /* the request's own value wins */
	gives(model, with_own, 3, l + 1, 1, 100, 200);
	call.callback = answer;
	call.lookup_key = key;
	call.n_lookup_key = 1;
	call.feature_names = spaced;
	call.n_feature_names = 1;
	gives(model, request, 2, &call, 1, 55, 55);
	/* A table's column gives way, a callback fills in all that it names. */
	score_feature_lookup better[2] = {l[0], call}, worse[2] = {call, l[1]};
	better[1].feature_names = two_features + 1;
	gives(model, request, 2, better, 2, 55, 55);
	const score_dtype types[] = {SCORE_I64, SCORE_F64, SCORE_F64};
	expect_error(score_feature_plan_new(model, request, types, 2, twice, 2, &plan, &error), &error, SCORE_ERR_SHAPE,
		"the feature 'risk_level' is looked up twice, in 'spaced.sft' and in 'spaced.sft'");
	expect_error(score_feature_plan_new(model, request, types, 2, worse, 2, &plan, &error), &error, SCORE_ERR_SHAPE,
		"the feature 'risk_level' is looked up twice, in 'a feature table' and in 'both.sft'");
	expect_error(score_feature_plan_new(exact, request, types, 2, &call, 1, &plan, &error), &error, SCORE_ERR_SHAPE,
		"the model has no feature 'risk level', which 'a feature table' is to look up");
	expect_error(score_feature_plan_new(exact, request, types, 2, l, 1, &plan, &error), &error, SCORE_ERR_SHAPE,
		"the input lacks 2 of the model's features: the_amount, risk_level");
	for (int i = 0; i < 2; i++)
		score_table_close(l[i].table);
	score_model_free(exact);
	score_model_free(model);
}

static void ambiguous_columns_of_a_request_are_refused(void **state)
{
	static const char *const features[] = {"a_b_c"}, *const request[] = {"a b_c", "a_b c"}, *const own[] = {"a b_c", "a_b c", "a_b_c"};
	score_model *model = make_model("onnx", features, 1);
	score_feature_plan *plan;
	(void)state;
	expect_error(score_feature_plan_new(model, request, NULL, 2, NULL, 0, &plan, &error), &error, SCORE_ERR_SHAPE,
		"the input has twice 1 of the model's features: a_b_c");
	assert_int_equal(score_feature_plan_new(model, own, NULL, 3, NULL, 0, &plan, &error), SCORE_OK);
	score_feature_plan_free(plan);
	score_model_free(model);
}

/* ---- endpoints ---------------------------------------------------------------------------------------------- */

static score_status serve(score_model *first, score_model *second, const char *const *columns)
{
	const score_served_entity entities[] = {{.name = "first", .entity_name = "m", .entity_version = "1", .model = first},
		{.name = "second", .entity_name = "m", .entity_version = "2", .model = second}};
	const score_route routes[] = {{"first", 50, 0}, {"second", 50, 0}};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint *endpoint = NULL;
	score_plan *plan = NULL;
	config.served_entities = entities;
	config.n_served_entities = 2;
	config.routes = routes;
	config.n_routes = 2;
	score_status status = score_endpoint_new(NULL, &config, &endpoint, &error);
	if (status == SCORE_OK)
		status = score_endpoint_bind(endpoint, columns, NULL, 2, &plan, &error);
	score_plan_free(plan);
	score_endpoint_free(endpoint);
	return status;
}

/* XGBoost keeps the spaces of the frame that both were trained on. */
static void versions_may_be_spelled_as_their_libraries_do(void **state)
{
	static const char *const frame[] = {"the amount", "risk level"}, *const other[] = {"the-amount", "risk level"};
	score_model *lightgbm = make_model("lightgbm", two_features, 2), *xgboost = make_model("xgboost", frame, 2);
	score_model *underscored = make_model("xgboost", two_features, 2), *another = make_model("lightgbm", other, 2);
	(void)state;
	assert_int_equal(serve(lightgbm, xgboost, frame), SCORE_OK);
	assert_int_equal(serve(xgboost, lightgbm, frame), SCORE_OK);
	expect_error(serve(xgboost, underscored, frame), &error, SCORE_ERR_SHAPE, "served_entities[1].model: feature 0 is 'the_amount', "
		"expected 'the amount' as in the other versions");
	expect_error(serve(lightgbm, another, frame), &error, SCORE_ERR_SHAPE, "served_entities[1].model: feature 0 is 'the-amount', "
		"expected 'the_amount' as in the other versions");
	score_model_free(another);
	score_model_free(underscored);
	score_model_free(xgboost);
	score_model_free(lightgbm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_names_go_before_others),
		cmocka_unit_test(spaces_are_underscores_where_the_source_writes_them_so),
		cmocka_unit_test(what_no_feature_is_called),
		cmocka_unit_test(a_file_keeps_it),
		cmocka_unit_test(every_one_of_many_is_found),
		cmocka_unit_test(feature_plans_ask_the_same),
		cmocka_unit_test(ambiguous_columns_of_a_request_are_refused),
		cmocka_unit_test(versions_may_be_spelled_as_their_libraries_do),
	};
	return cmocka_run_group_tests(tests, NULL, sample_cleanup);
}
