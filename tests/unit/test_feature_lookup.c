/*
 * Feature plans: every feature of the model has the value that the rules say, from request, table, callback or default; what
 * does not fit is refused with its name.
 */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample_tables.h"
#include <scoreline/build.h>

#define NAN_ ((double)NAN)

/* Features amount, risk, city (texts), limit. The linear part is not needed: predictions are leaf sums of one tree per
 * feature, so that a changed value changes a sum. */
static score_model *make_model(double unknown)
{
	static const char *const names[] = {"amount", "risk", "city", "limit"};
	static const char *const cities[] = {"Oslo", "Rome", "Bergen"};
	score_contract contract = SCORE_CONTRACT_INIT(4, 1);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b = NULL;
	score_model *model = NULL;
	assert_int_equal(score_builder_new(&contract, &options, &b, NULL), SCORE_OK);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(score_builder_set_feature(b, i, names[i], i == 2 ? SCORE_FEATURE_CATEGORY : SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_dictionary(b, 2, cities, NULL, 3, unknown, 0, NULL), SCORE_OK);
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t set[1] = {1};
		score_node nodes[3] = {{1, 2, i, i == 2 ? SCORE_TEST_IN_LEFT : SCORE_TEST_LE, SCORE_MISSING_RIGHT, 0, i == 2 ? 0 : 10, 0,
			i == 2 ? 1 : 0, 0, 0}, {0, 0, 0, 0, 0, 0, (double)(1u << i), 0, 0, 1, 0}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0}};
		score_tree tree = SCORE_TREE_INIT;
		tree.nodes = nodes;
		tree.n_nodes = 3;
		tree.categories = set;
		tree.n_categories = 1;
		assert_int_equal(score_builder_add_tree(b, &tree, NULL), SCORE_OK);
	}
	assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
	score_builder_free(b);
	return model;
}

/* customer 1: risk 5, Oslo; 2: risk null, Rome; 3: risk 50, town unknown to the model; 4: risk 6, no town. */
static score_table *make_table(const char *name, bool reversed)
{
	static const score_table_field keys[] = {{"customer_id", SCORE_I64, 0}};
	static const score_table_field columns[] = {{"risk", SCORE_F32, 0}, {"town", SCORE_STRING, 0}, {"unused", SCORE_BOOL, 0}};
	static const int64_t id[] = {1, 2, 3, 4};
	static const int64_t back[] = {4, 3, 2, 1};
	static const float risk[] = {5, NAN, 50, 6}, risk_back[] = {6, 50, NAN, 5};
	static const char *const town[] = {"Oslo", "Rome", "Nowhere", NULL}, *const town_back[] = {NULL, "Nowhere", "Rome", "Oslo"};
	static const uint8_t unused[] = {0, 1, 0, 1};
	const score_column data[] = {sample_column(SCORE_I64, reversed ? back : id, NULL),
		sample_column(SCORE_F32, reversed ? risk_back : risk, NULL), sample_texts(reversed ? town_back : town, 4),
		sample_column(SCORE_BOOL, unused, NULL)};
	const sample_table spec = {keys, 1, NULL, columns, 3, data, 4, NULL, 0};
	return sample_table_make(name, &spec);
}

static const char *const table_features[] = {"risk", "town"};
static const char *const model_features[] = {"risk", "city"};
static const char *const customer[] = {"customer_id"};

static score_feature_lookup lookup_in(score_table *t)
{
	score_feature_lookup l = SCORE_FEATURE_LOOKUP_INIT;
	l.table_name = "ml.features.customer_profile";
	l.table = t;
	l.lookup_key = customer;
	l.n_lookup_key = 1;
	l.feature_names = table_features;
	l.n_feature_names = 2;
	l.output_names = model_features;
	return l;
}

/* What the plan gives for the features, row by row. */
static void fetch(const score_feature_plan *plan, const score_column *request, size_t n_columns, size_t n_rows, double *out)
{
	const size_t bytes = score_feature_scratch_bytes(plan, n_rows);
	uint8_t *scratch = malloc(bytes + 1);
	score_input in = score_input_columns(request, (int64_t)n_rows, (int64_t)n_columns), features;
	score_error error;
	/* Any alignment will do. */
	if (score_feature_lookup_batch(plan, &in, scratch + 1, bytes, &features, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(features.n_rows, n_rows);
	assert_int_equal(features.n_columns, 4);
	for (int f = 0; f < 4; f++)
		for (size_t r = 0; r < n_rows; r++) {
			const score_column *c = features.u.columns.columns + f;
			assert_int_equal(c->dtype, SCORE_F64);
			out[r * 4 + (size_t)f] = ((const double *)c->values)[r];
		}
	free(scratch);
}

static void assert_rows(const double *found, const double *expected, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (isnan(expected[i]) ? !isnan(found[i]) : found[i] != expected[i])
			fail_msg("value %zu is %g, expected %g", i, found[i], expected[i]);
}

static void tables_fill_what_the_request_lacks(void **state)
{
	score_model *model = make_model(-1);
	score_table *t = make_table("plan.sft", false);
	static const char *const names[] = {"limit", "customer_id", "amount", "extra"};
	static const score_dtype types[] = {SCORE_F64, SCORE_I32, SCORE_F64, SCORE_F64};
	static const double limit[] = {1, 2, 3, 4, 5, 6}, amount[] = {10, 20, 30, 40, 50, 60};
	static const int32_t id[] = {1, 2, 3, 4, 99, 1};
	static const uint8_t last_missing[] = {0x1f};
	const score_column request[] = {sample_column(SCORE_F64, limit, NULL), sample_column(SCORE_I32, id, last_missing),
		sample_column(SCORE_F64, amount, NULL), sample_column(SCORE_F64, amount, NULL)};
	score_feature_lookup l = lookup_in(t);
	score_feature_plan *plan;
	double out[24];
	(void)state;
	assert_int_equal(score_feature_plan_new(model, names, types, 4, &l, 1, &plan, NULL), SCORE_OK);
	fetch(plan, request, 4, 6, out);
	static const double expected[] = {10, 5, 0, 1, 20, NAN_, 1, 2, 30, 50, -1, 3, 40, 6, NAN_, 4, 50, NAN_, NAN_, 5, 60, NAN_, NAN_, 6};
	assert_rows(out, expected, 24);
	score_feature_plan_free(plan);
	static const double defaults[] = {7.5, NAN};
	l.default_values = defaults;
	assert_int_equal(score_feature_plan_new(model, names, types, 4, &l, 1, &plan, NULL), SCORE_OK);
	fetch(plan, request, 4, 6, out);
	static const double with_default[] = {10, 5, 0, 1, 20, 7.5, 1, 2, 30, 50, -1, 3, 40, 6, NAN_, 4, 50, 7.5, NAN_, 5, 60, 7.5, NAN_, 6};
	assert_rows(out, with_default, 24);
	score_table_close(t); /* the plan holds it */
	fetch(plan, request, 4, 6, out);
	assert_rows(out, with_default, 24);
	score_feature_plan_free(plan);
	score_model_free(model);
}

static void the_requests_own_values_win(void **state)
{
	score_model *model = make_model(-1);
	score_table *t = make_table("own.sft", false);
	static const char *const names[] = {"customer_id", "amount", "limit", "risk", "city"};
	static const score_dtype types[] = {SCORE_I64, SCORE_F64, SCORE_F64, SCORE_I16, SCORE_STRING};
	static const double limit[] = {1, 2, 3, 4};
	static const int64_t id[] = {1, 2, 1, 99};
	static const int16_t risk[] = {70, 71, 72, 73};
	static const uint8_t risk_valid[] = {0x3};
	static const char *const city[] = {"Bergen", NULL, "Atlantis", NULL};
	const score_column request[] = {sample_column(SCORE_I64, id, NULL), sample_column(SCORE_F64, limit, NULL),
		sample_column(SCORE_F64, limit, NULL), sample_column(SCORE_I16, risk, risk_valid), sample_texts(city, 4)};
	const score_feature_lookup l = lookup_in(t);
	score_feature_plan *plan;
	double out[16];
	(void)state;
	assert_int_equal(score_feature_plan_new(model, names, types, 5, &l, 1, &plan, NULL), SCORE_OK);
	fetch(plan, request, 5, 4, out);
	static const double expected[] = {1, 70, 2, 1, 2, 71, 1, 2, 3, 5, -1, 3, 4, NAN_, NAN_, 4};
	assert_rows(out, expected, 16);
	score_feature_plan_free(plan);
	score_table_close(t);
	score_model_free(model);
}

static void scores_equal_those_of_joined_rows(void **state)
{
	enum { N = 1000 };
	score_model *model = make_model(NAN);
	score_table *t = make_table("score.sft", false);
	static const char *const names[] = {"customer_id", "amount", "limit"};
	static const score_dtype types[] = {SCORE_I64, SCORE_F64, SCORE_F64};
	static int64_t id[N];
	static double amount[N], limit[N], joined[N][4], expected[N], found[N];
	static const double risk[] = {NAN_, 5, NAN_, 50, 6}, city[] = {NAN_, 0, 1, NAN_, NAN_};
	(void)state;
	for (int r = 0; r < N; r++) {
		id[r] = r * 7 % 5;
		joined[r][0] = amount[r] = r * 13 % 20;
		joined[r][1] = risk[id[r]];
		joined[r][2] = city[id[r]];
		joined[r][3] = limit[r] = r * 17 % 20;
	}
	const score_column request[] = {sample_column(SCORE_I64, id, NULL), sample_column(SCORE_F64, amount, NULL), sample_column(SCORE_F64, limit, NULL)};
	const score_feature_lookup l = lookup_in(t);
	score_feature_plan *plan;
	score_input in = score_input_columns(request, N, 3), features, rows = score_input_rows_f64(&joined[0][0], N, 4);
	assert_int_equal(score_feature_plan_new(model, names, types, 3, &l, 1, &plan, NULL), SCORE_OK);
	const size_t bytes = score_feature_scratch_bytes(plan, N);
	void *scratch = malloc(bytes);
	score_error error;
	assert_int_equal(score_feature_lookup_batch(plan, &in, scratch, bytes - 1, &features, &error), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_feature_lookup_batch(plan, &in, scratch, bytes, &features, &error), SCORE_OK);
	assert_int_equal(score_batch(model, &features, found, N, NULL, &error), SCORE_OK);
	assert_int_equal(score_batch(model, &rows, expected, N, NULL, &error), SCORE_OK);
	assert_memory_equal(found, expected, sizeof found);
	free(scratch);
	score_feature_plan_free(plan);
	score_table_close(t);
	score_model_free(model);
}

static void a_replaced_table_keeps_the_meaning_of_its_texts(void **state)
{
	score_model *model = make_model(-1);
	score_table *first = make_table("swap.sft", false);
	score_table_source *source;
	static const char *const names[] = {"limit", "customer_id", "amount"};
	static const score_dtype types[] = {SCORE_F64, SCORE_I64, SCORE_F64};
	static const double limit[] = {1, 2, 3, 4};
	static const int64_t id[] = {1, 2, 3, 4};
	const score_column request[] = {sample_column(SCORE_F64, limit, NULL), sample_column(SCORE_I64, id, NULL), sample_column(SCORE_F64, limit, NULL)};
	score_feature_lookup l = lookup_in(NULL);
	score_feature_plan *plan;
	double out[16];
	int32_t changed;
	(void)state;
	assert_int_equal(score_table_source_open(sample_path("swap.sft"), NULL, &source, NULL), SCORE_OK);
	l.source = source;
	assert_int_equal(score_feature_plan_new(model, names, types, 3, &l, 1, &plan, NULL), SCORE_OK);
	static const double expected[] = {1, 5, 0, 1, 2, NAN_, 1, 2, 3, 50, -1, 3, 4, 6, NAN_, 4};
	for (int k = 0; k < 2; k++) {
		fetch(plan, request, 3, 4, out);
		assert_rows(out, expected, 16);
		score_table_close(make_table("swap.sft", true)); /* the same, but the texts have other numbers */
		assert_int_equal(score_table_source_refresh(source, &changed, NULL), SCORE_OK);
		assert_int_equal(changed, 1);
	}
	score_feature_plan_free(plan);
	score_table_source_free(source);
	score_table_close(first);
	score_model_free(model);
}

/* ---- a host's own store ------------------------------------------------------------------------------------------ */

typedef struct store {
	int code;
	size_t calls;
} store;

static int look_up(void *context, size_t n_rows, const score_column *keys, size_t n_keys, const score_column *timestamp,
	double *const *columns, size_t n_columns)
{
	store *s = context;
	assert_int_equal(n_keys, 1);
	assert_int_equal(n_columns, 2);
	assert_null(timestamp);
	s->calls++;
	for (size_t r = 0; r < n_rows; r++)
		if (((const int64_t *)keys[0].values)[r] == 1) {
			columns[0][r] = 77;
			columns[1][r] = 2;
		}
	return s->code;
}

static void a_callback_serves_as_a_table(void **state)
{
	score_model *model = make_model(-1);
	static const char *const names[] = {"limit", "customer_id", "amount"};
	static const score_dtype types[] = {SCORE_F64, SCORE_I64, SCORE_F64};
	static const double limit[] = {1, 2};
	static const int64_t id[] = {1, 2};
	static const double defaults[] = {-3, NAN};
	const score_column request[] = {sample_column(SCORE_F64, limit, NULL), sample_column(SCORE_I64, id, NULL), sample_column(SCORE_F64, limit, NULL)};
	store s = {0, 0};
	score_feature_lookup l = lookup_in(NULL);
	score_feature_plan *plan;
	score_error error;
	double out[8];
	(void)state;
	l.callback = look_up;
	l.context = &s;
	l.feature_names = model_features;
	l.default_values = defaults;
	assert_int_equal(score_feature_plan_new(model, names, types, 3, &l, 1, &plan, NULL), SCORE_OK);
	fetch(plan, request, 3, 2, out);
	static const double expected[] = {1, 77, 2, 1, 2, -3, NAN_, 2};
	assert_rows(out, expected, 8);
	assert_int_equal(s.calls, 1);
	s.code = 42;
	uint8_t scratch[2048];
	score_input in = score_input_columns(request, 2, 3), features;
	assert_int_equal(score_feature_lookup_batch(plan, &in, scratch, sizeof scratch, &features, &error), SCORE_ERR_IO);
	assert_string_equal(error.message, "the host's lookup in 'ml.features.customer_profile' failed with 42");
	score_feature_plan_free(plan);
	score_model_free(model);
}

/* ---- what is refused ------------------------------------------------------------------------------------------------ */

static void refused(const score_model *model, const score_feature_lookup *l, size_t n_lookups, const char *missing_column,
	score_dtype key_type, score_status status, const char *message)
{
	const char *names[] = {"limit", "customer_id", "amount"};
	const score_dtype types[] = {SCORE_F64, key_type, SCORE_F64};
	score_feature_plan *plan = (score_feature_plan *)1;
	score_error error;
	for (int i = 0; i < 3; i++)
		if (missing_column && strcmp(names[i], missing_column) == 0)
			names[i] = "other";
	assert_int_equal(score_feature_plan_new(model, names, types, 3, l, n_lookups, &plan, &error), status);
	assert_null(plan);
	if (!strstr(error.message, message))
		fail_msg("found \"%s\", expected \"%s\"", error.message, message);
}

static void what_does_not_fit_is_refused_by_name(void **state)
{
	score_model *model = make_model(-1);
	score_table *t = make_table("refused.sft", false);
	const score_feature_lookup good = lookup_in(t);
	score_feature_lookup l[2] = {good, good};
	static const char *const absent[] = {"risk", "village"}, *const two_keys[] = {"customer_id", "limit"};
	(void)state;
	refused(model, l, 1, "customer_id", SCORE_I64, SCORE_ERR_SHAPE, "lacks the column 'customer_id', which is the lookup_key of 'ml.features");
	refused(model, l, 1, "limit", SCORE_I64, SCORE_ERR_SHAPE, "lacks 1 of the model's features: limit");
	refused(model, l, 0, NULL, SCORE_I64, SCORE_ERR_SHAPE, "lacks 2 of the model's features: risk, city");
	refused(model, l, 1, NULL, SCORE_STRING, SCORE_ERR_SHAPE, "the table's key 'customer_id' is an integer");
	refused(model, l, 1, NULL, SCORE_F64, SCORE_ERR_SHAPE, "the table's key 'customer_id' is an integer");
	refused(model, l, 2, NULL, SCORE_I64, SCORE_ERR_SHAPE, "the feature 'risk' is looked up twice");
	l[0].feature_names = absent;
	refused(model, l, 1, NULL, SCORE_I64, SCORE_ERR_SHAPE, "has no column 'village'");
	l[0] = good;
	l[0].lookup_key = two_keys;
	l[0].n_lookup_key = 2;
	refused(model, l, 1, NULL, SCORE_I64, SCORE_ERR_SHAPE, "names 2 columns, its key has 1");
	l[0] = good;
	l[0].timestamp_lookup_key = "limit";
	refused(model, l, 1, NULL, SCORE_I64, SCORE_ERR_SHAPE, "has no timestamp");
	l[0] = good;
	l[0].lookback_window = 5;
	refused(model, l, 1, NULL, SCORE_I64, SCORE_ERR_ARGUMENT, "lookback_window");
	l[0] = good;
	l[0].callback = look_up;
	refused(model, l, 1, NULL, SCORE_I64, SCORE_ERR_ARGUMENT, "exactly one is set");
	l[0] = good;
	l[0].output_names = NULL; /* town is no feature, so city is missing */
	refused(model, l, 1, NULL, SCORE_I64, SCORE_ERR_SHAPE, "lacks 1 of the model's features: city");
	score_table_close(t);
	score_model_free(model);
}

static void a_refused_category_is_an_error_of_its_row(void **state)
{
	score_model *model = make_model(SCORE_REFUSE);
	score_table *t = make_table("category.sft", false);
	static const char *const names[] = {"limit", "customer_id", "amount"};
	static const score_dtype types[] = {SCORE_F64, SCORE_I64, SCORE_F64};
	static const double limit[] = {1, 2};
	static const int64_t id[] = {1, 3};
	const score_column request[] = {sample_column(SCORE_F64, limit, NULL), sample_column(SCORE_I64, id, NULL), sample_column(SCORE_F64, limit, NULL)};
	const score_feature_lookup l = lookup_in(t);
	score_feature_plan *plan;
	score_error error;
	uint8_t scratch[2048];
	score_input in = score_input_columns(request, 2, 3), features;
	(void)state;
	assert_int_equal(score_feature_plan_new(model, names, types, 3, &l, 1, &plan, &error), SCORE_OK);
	assert_int_equal(score_feature_lookup_batch(plan, &in, scratch, sizeof scratch, &features, &error), SCORE_ERR_SHAPE);
	assert_non_null(strstr(error.message, "row 1: the category"));
	score_feature_plan_free(plan);
	score_table_close(t);
	score_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_fill_what_the_request_lacks),
		cmocka_unit_test(the_requests_own_values_win),
		cmocka_unit_test(scores_equal_those_of_joined_rows),
		cmocka_unit_test(a_replaced_table_keeps_the_meaning_of_its_texts),
		cmocka_unit_test(a_callback_serves_as_a_table),
		cmocka_unit_test(what_does_not_fit_is_refused_by_name),
		cmocka_unit_test(a_refused_category_is_an_error_of_its_row),
	};
	return cmocka_run_group_tests(tests, NULL, sample_cleanup);
}
