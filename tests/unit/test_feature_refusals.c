/*
 * Feature plans that do not fit, requests that are not those of the plan, values of every type of a table, and texts of tables that
 * replace the plan's own: what is refused is refused by name.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deploy/table.h"
#include "expect_error.h"
#include "sample_tables.h"

#include <scoreline/build.h>

static score_error error;
static score_model *model; /* of "a", "b", "c", "d" and "city", which has labels */
static score_table *table; /* of customers: "a" f64, "b" f32, "c" i64, "d" i32, "city", "on" bool, "note" text */

enum { N_FEATURES = 5 };

static score_model *make_model(void)
{
	static const char *const names[N_FEATURES] = {"a", "b", "c", "d", "city"}, *const cities[] = {"Oslo", "Rome"};
	static const score_node leaf[] = {{.test = SCORE_TEST_LEAF, .value = 1}};
	score_contract contract = SCORE_CONTRACT_INIT(N_FEATURES, 1);
	score_tree tree = SCORE_TREE_INIT;
	score_builder *b;
	score_model *made;
	tree.nodes = leaf;
	tree.n_nodes = 1;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	for (uint32_t i = 0; i < N_FEATURES; i++)
		assert_int_equal(score_builder_set_feature(b, i, names[i], i == 4 ? SCORE_FEATURE_CATEGORY : SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_dictionary(b, 4, cities, NULL, 2, -1, 0, NULL), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &tree, NULL), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &made, NULL), SCORE_OK);
	score_builder_free(b);
	return made;
}

static score_table *make_table(const char *name, const char *timestamp)
{
	static const score_table_field key[] = {{"customer", SCORE_I64, 0}};
	static const score_table_field columns[] = {{"a", SCORE_F64, 0}, {"b", SCORE_F32, 0}, {"c", SCORE_I64, 0}, {"d", SCORE_I32, 0},
		{"city", SCORE_STRING, 0}, {"on", SCORE_BOOL, 0}, {"note", SCORE_STRING, 0}};
	static const int64_t id[] = {1, 2}, c[] = {-5, (int64_t)1 << 40};
	static const double a[] = {0.1, 1e300};
	static const float b[] = {0.5f, -2};
	static const int32_t d[] = {-7, 7};
	static const uint8_t on[] = {1, 0};
	static const char *const city[] = {"Rome", "Lund"}, *const note[] = {"x", "y"};
	score_column data[9] = {sample_column(SCORE_I64, id, NULL), sample_column(SCORE_I64, id, NULL)};
	const size_t n = timestamp ? 2 : 1;
	data[n] = sample_column(SCORE_F64, a, NULL);
	data[n + 1] = sample_column(SCORE_F32, b, NULL);
	data[n + 2] = sample_column(SCORE_I64, c, NULL);
	data[n + 3] = sample_column(SCORE_I32, d, NULL);
	data[n + 4] = sample_texts(city, 2);
	data[n + 5] = sample_column(SCORE_BOOL, on, NULL);
	data[n + 6] = sample_texts(note, 2);
	const sample_table spec = {key, 1, timestamp, columns, 7, data, 2, NULL, 0};
	return sample_table_make(name, &spec);
}

static const char *const customer[] = {"customer"};
static const char *const request_names[] = {"customer"};
static const score_dtype request_types[] = {SCORE_I64};

static score_feature_lookup lookup_in(score_table *t)
{
	score_feature_lookup l = SCORE_FEATURE_LOOKUP_INIT;
	l.table = t;
	l.lookup_key = customer;
	l.n_lookup_key = 1;
	return l;
}

static int no_callback(void *context, size_t n_rows, const score_column *keys, size_t n_keys, const score_column *timestamp,
	double *const *columns, size_t n_columns)
{
	(void)context;
	(void)keys;
	(void)n_keys;
	(void)timestamp;
	for (size_t k = 0; k < n_columns; k++)
		for (size_t r = 0; r < n_rows; r++)
			columns[k][r] = (double)(k + 1);
	return 0;
}

/* ---- values ------------------------------------------------------------------------------------------------------------------- */

static void values_of_every_type(void **state)
{
	static const int64_t id[] = {1, 2, 3};
	static const char *const flags[] = {"on", "on"}, *const as[] = {"a", NULL};
	const score_column request = sample_column(SCORE_I64, id, NULL);
	const score_input in = score_input_columns(&request, 3, 1);
	score_feature_lookup l = lookup_in(table);
	score_feature_plan *plan;
	score_input out;
	double scratch[200];
	(void)state;
	assert_int_equal(score_feature_plan_new(model, request_names, request_types, 1, &l, 1, &plan, &error), SCORE_OK);
	assert_int_equal(score_feature_lookup_batch(plan, &in, scratch, sizeof scratch, &out, &error), SCORE_OK);
	static const double expected[2][N_FEATURES] = {{0.1, 0.5, -5, -7, 1}, {1e300, -2, 0x1p40, 7, -1}};
	for (int f = 0; f < N_FEATURES; f++) {
		const double *values = out.u.columns.columns[f].values;
		assert_true(values[0] == expected[0][f] && values[1] == expected[1][f] && isnan(values[2]));
	}
	score_feature_plan_free(plan);
	/* A flag feeds a number; an output name that is NULL is that of the column, which is no feature. */
	static const char *const names[] = {"customer", "b", "c", "d", "city"};
	static const score_dtype types[] = {SCORE_I64, SCORE_F64, SCORE_F64, SCORE_F64, SCORE_F64};
	const score_column five[] = {request, request, request, request, request};
	const score_input numbers = score_input_columns(five, 2, 5);
	l.feature_names = flags;
	l.n_feature_names = 2;
	l.output_names = as;
	assert_int_equal(score_feature_plan_new(model, names, types, 5, &l, 1, &plan, &error), SCORE_OK);
	assert_int_equal(score_feature_lookup_batch(plan, &numbers, scratch, sizeof scratch, &out, &error), SCORE_OK);
	const double *on = out.u.columns.columns[0].values;
	assert_true(on[0] == 1 && on[1] == 0);
	score_feature_plan_free(plan);
}

/* The request's own text wins, and is that of no table. */
static void own_texts_win(void **state)
{
	static const int64_t id[] = {1, 2, 1};
	static const char *const names[] = {"customer", "city"}, *const own[] = {"Oslo", NULL, "Bergen"};
	static const score_dtype types[] = {SCORE_I64, SCORE_STRING};
	const score_column request[] = {sample_column(SCORE_I64, id, NULL), sample_texts(own, 3)};
	const score_input in = score_input_columns(request, 3, 2);
	const score_feature_lookup l = lookup_in(table);
	score_feature_plan *plan;
	score_input out;
	double scratch[200];
	(void)state;
	assert_int_equal(score_feature_plan_new(model, names, types, 2, &l, 1, &plan, &error), SCORE_OK);
	assert_int_equal(score_feature_lookup_batch(plan, &in, scratch, sizeof scratch, &out, &error), SCORE_OK);
	const double *city = out.u.columns.columns[4].values;
	assert_true(city[0] == 0 && city[1] == -1 && city[2] == -1);
	const score_strings none = SCORE_STRINGS_INIT;
	const score_column unreadable[] = {request[0], sample_column(SCORE_STRING, &none, NULL)};
	const score_input untold = score_input_columns(unreadable, 3, 2);
	expect_error(score_feature_lookup_batch(plan, &untold, scratch, sizeof scratch, &out, &error), &error, SCORE_ERR_ARGUMENT,
		"request column 1: the strings have no offsets (NULL)");
	score_feature_plan_free(plan);
}

/* An array of structs of a newer caller has its own distance from one to the next. */
static void lookups_of_another_size(void **state)
{
	static const char *const only_a[] = {"a"}, *const others[] = {"b", "c", "d", "city"};
	struct {
		score_feature_lookup lookup;
		uint64_t newer[3];
	} l[2] = {{.lookup = lookup_in(table)}, {.lookup = lookup_in(table)}};
	score_feature_plan *plan = NULL;
	(void)state;
	l[0].lookup.feature_names = only_a;
	l[0].lookup.n_feature_names = 1;
	l[1].lookup.feature_names = others;
	l[1].lookup.n_feature_names = 4;
	l[0].lookup.struct_size = l[1].lookup.struct_size = sizeof l[0];
	if (score_feature_plan_new(model, request_names, request_types, 1, &l[0].lookup, 2, &plan, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	score_feature_plan_free(plan);
}

/* Numbers and offsets of texts that a damaged file has lead nowhere. */
static void damaged_texts_are_missing(void **state)
{
	static const int64_t id[] = {1, 2};
	const score_column request = sample_column(SCORE_I64, id, NULL);
	const score_input in = score_input_columns(&request, 2, 1);
	const score_feature_lookup of_table = lookup_in(table);
	score_feature_plan *plan;
	score_table_source *source;
	score_input out;
	double scratch[200];
	size_t size;
	(void)state;
	const sft_column *city = table->layout.columns + 4;
	uint8_t *bytes = sample_read(sample_path("features.sft"), &size);
	/* The first text ends before it begins. */
	const uint32_t backwards[] = {9, 4};
	memcpy(bytes + city->starts.offset, backwards, sizeof backwards);
	sample_write(sample_path("damaged.sft"), bytes, size);
	assert_int_equal(score_table_source_open(sample_path("damaged.sft"), NULL, &source, &error), SCORE_OK);
	score_feature_lookup of_source = of_table;
	of_source.table = NULL;
	of_source.source = source;
	assert_int_equal(score_feature_plan_new(model, request_names, request_types, 1, &of_source, 1, &plan, &error), SCORE_OK);
	for (int replaced = 0; replaced < 2; replaced++) {
		assert_int_equal(score_feature_lookup_batch(plan, &in, scratch, sizeof scratch, &out, &error), SCORE_OK);
		const double *codes = out.u.columns.columns[4].values;
		assert_true(isnan(codes[0]) && codes[1] == -1);
		/* The same in a file that replaces it. */
		sample_write(sample_path("again.sft"), bytes, size);
		assert_int_equal(rename(sample_path("again.sft"), sample_path("damaged.sft")), 0);
		int32_t changed = 0;
		assert_int_equal(score_table_source_refresh(source, &changed, &error), SCORE_OK);
		assert_int_equal(changed, 1);
	}
	score_feature_plan_free(plan);
	score_table_source_free(source);
	free(bytes);
	/* A row with the number of a text that there is not, and a bucket of more keys than there are. */
	bytes = sample_read(sample_path("features.sft"), &size);
	const size_t row = table->layout.sections[SFT_ENTRIES].offset + table->layout.row_offset;
	const uint32_t beyond = 77;
	for (size_t r = 0; r < 2; r++)
		memcpy(bytes + row + r * table->layout.entry_bytes + city->offset, &beyond, 4);
	for (int k = 0; k < 2; k++) {
		score_table *t;
		const uint64_t head = (uint64_t)200 << 48;
		if (k)
			memcpy(bytes + table->layout.sections[SFT_BUCKETS].offset, &head, 8);
		sample_write(sample_path("numbers.sft"), bytes, size);
		assert_int_equal(score_table_open(sample_path("numbers.sft"), NULL, &t, &error), SCORE_OK);
		const score_feature_lookup l = lookup_in(t);
		assert_int_equal(score_feature_plan_new(model, request_names, request_types, 1, &l, 1, &plan, &error), SCORE_OK);
		const score_status status = score_feature_lookup_batch(plan, &in, scratch, sizeof scratch, &out, &error);
		if (k) {
			expect_error(status, &error, SCORE_ERR_CORRUPT, "a bucket of the feature table points outside its section; the file is damaged");
		} else {
			const double *codes = out.u.columns.columns[4].values;
			assert_true(status == SCORE_OK && isnan(codes[0]) && isnan(codes[1]));
		}
		score_feature_plan_free(plan);
		score_table_close(t);
	}
	free(bytes);
}

/* ---- plans ---------------------------------------------------------------------------------------------------------------------- */

static void refused(const score_feature_lookup *l, score_status status, const char *message)
{
	score_feature_plan *plan = (score_feature_plan *)&error;
	expect_error(score_feature_plan_new(model, request_names, request_types, 1, l, 1, &plan, &error), &error, status, message);
	assert_null(plan);
}

static void plans(void **state)
{
	static const char *const nothing[] = {NULL}, *const note[] = {"note"}, *const a[] = {"a"}, *const none[] = {"nobody"};
	static const char *const many[17] = {"customer", "customer"};
	static const double defaults[] = {1};
	score_table *timed = make_table("timed.sft", "at");
	score_feature_lookup l = lookup_in(table);
	(void)state;
	l.n_lookup_key = 0;
	refused(&l, SCORE_ERR_SHAPE, "lookup_key of 'a feature table' names 0 columns, its key has 1");
	l.lookup_key = many;
	l.n_lookup_key = 17;
	refused(&l, SCORE_ERR_SHAPE, "lookup_key of 'a feature table' names 17 columns, its key has 1");
	l.n_lookup_key = 1;
	l.lookup_key = NULL;
	refused(&l, SCORE_ERR_SHAPE, "lookup_key of 'a feature table' names 1 columns, its key has 1");
	l.lookup_key = nothing;
	refused(&l, SCORE_ERR_SHAPE, "the request lacks the column '(NULL)', which is the lookup_key of 'a feature table'");
	l = lookup_in(timed);
	l.timestamp_lookup_key = "when";
	refused(&l, SCORE_ERR_SHAPE, "the request lacks the column 'when', which is the timestamp_lookup_key of 'a feature table'");
	l.timestamp_lookup_key = "customer";
	l.lookback_window = -1;
	refused(&l, SCORE_ERR_ARGUMENT, "lookback_window of 'a feature table' is -1: it is not negative and needs a timestamp_lookup_key");
	l.lookback_window = 5;
	score_feature_plan *plan;
	assert_int_equal(score_feature_plan_new(model, request_names, request_types, 1, &l, 1, &plan, &error), SCORE_OK);
	score_feature_plan_free(plan);
	/* A text feeds a number. */
	l = lookup_in(table);
	l.feature_names = note;
	l.n_feature_names = 1;
	l.output_names = a;
	refused(&l, SCORE_ERR_SHAPE, "column 'note' of 'a feature table' holds texts, for which the model has no dictionary");
	l.feature_names = nothing;
	l.output_names = NULL;
	refused(&l, SCORE_ERR_ARGUMENT, "feature_names of 'a feature table' has no name (NULL) at 0");
	l.output_names = a; /* whose the value is does not say where it stands */
	refused(&l, SCORE_ERR_ARGUMENT, "feature_names of 'a feature table' has no name (NULL) at 0");
	l.n_feature_names = 65537;
	refused(&l, SCORE_ERR_ARGUMENT, "the lookup in 'a feature table' names 65537 features; a callback needs feature_names");
	l = lookup_in(table);
	l.default_values = defaults;
	refused(&l, SCORE_ERR_ARGUMENT, "output_names and default_values of 'a feature table' need feature_names, in whose order they stand");
	l.default_values = NULL;
	l.output_names = a;
	refused(&l, SCORE_ERR_ARGUMENT, "output_names and default_values of 'a feature table' need feature_names, in whose order they stand");
	/* Callbacks. */
	l = lookup_in(NULL);
	refused(&l, SCORE_ERR_ARGUMENT, "the lookup in 'a feature table' has 0 of table, source and callback: exactly one is set");
	l.callback = no_callback;
	refused(&l, SCORE_ERR_ARGUMENT, "the lookup in 'a feature table' names 0 features; a callback needs feature_names");
	l.feature_names = none;
	l.n_feature_names = 1;
	refused(&l, SCORE_ERR_SHAPE, "the model has no feature 'nobody', which 'a feature table' is to look up");
	l.n_lookup_key = 0;
	refused(&l, SCORE_ERR_SHAPE, "lookup_key of 'a feature table' names 0 columns, its key has 1");
	/* Types that are not given are numbers, of which no key is sure to be an integer. */
	l = lookup_in(table);
	expect_error(score_feature_plan_new(model, request_names, NULL, 1, &l, 1, &plan, &error), &error, SCORE_ERR_SHAPE, "lookup_key 'customer' "
		"of 'a feature table': the table's key 'customer' is an integer, the request's column is not (give its type)");
	score_table_close(timed);
}

static void text_keys_need_text(void **state)
{
	static const score_table_field key[] = {{"name", SCORE_STRING, 0}}, column[] = {{"a", SCORE_F64, 0}};
	static const char *const texts[] = {"x"}, *const names[] = {"customer"};
	static const double a[] = {1};
	const score_column data[] = {sample_texts(texts, 1), sample_column(SCORE_F64, a, NULL)};
	const sample_table spec = {key, 1, NULL, column, 1, data, 1, NULL, 0};
	score_table *t = sample_table_make("named.sft", &spec);
	const score_feature_lookup l = lookup_in(t);
	score_feature_plan *plan;
	(void)state;
	expect_error(score_feature_plan_new(model, names, request_types, 1, &l, 1, &plan, &error), &error, SCORE_ERR_SHAPE, "lookup_key 'customer' of "
		"'a feature table': the table's key 'name' is text, the request's column is not (give its type)");
	score_table_close(t);
}

static void a_plan_of_lookups_only(void **state)
{
	static const char *const all[] = {"a", "b", "c", "d", "city"};
	score_feature_lookup l = lookup_in(NULL);
	score_feature_plan *plan;
	score_input in = score_input_columns(NULL, 2, 0), out;
	double scratch[200];
	(void)state;
	l.callback = no_callback;
	l.feature_names = all;
	l.n_feature_names = 5;
	/* A callback too has keys, which a request without columns lacks. */
	expect_error(score_feature_plan_new(model, NULL, NULL, 0, &l, 1, &plan, &error), &error, SCORE_ERR_SHAPE,
		"the request lacks the column 'customer', which is the lookup_key of 'a feature table'");
	static const int64_t id[] = {1, 2};
	const score_column request = sample_column(SCORE_I64, id, NULL);
	in = score_input_columns(&request, 2, 1);
	assert_int_equal(score_feature_plan_new(model, request_names, NULL, 1, &l, 1, &plan, &error), SCORE_OK);
	assert_int_equal(score_feature_lookup_batch(plan, &in, scratch, sizeof scratch, &out, &error), SCORE_OK);
	for (int f = 0; f < 5; f++)
		assert_true(((const double *)out.u.columns.columns[f].values)[1] == f + 1);
	score_feature_plan_free(plan);
}

static void too_many_of_everything(void **state)
{
	score_feature_lookup l = lookup_in(table);
	score_feature_plan *plan;
	(void)state;
	expect_error(score_feature_plan_new(model, request_names, request_types, 1, &l, 65537, &plan, &error), &error, SCORE_ERR_LIMIT,
		"1 request columns and 65537 lookups are too many");
	assert_int_equal(score_feature_plan_new(model, request_names, request_types, 1, &l, 1, &plan, &error), SCORE_OK);
	assert_int_equal(score_feature_scratch_bytes(plan, SIZE_MAX), 0);
	assert_int_equal(score_feature_scratch_bytes(plan, SIZE_MAX / 40), 0); /* and the rest */
	score_feature_plan_free(plan);
}

/* ---- requests -------------------------------------------------------------------------------------------------------------------- */

static void requests(void **state)
{
	static const int64_t id[] = {1};
	static const double numbers[] = {1};
	const score_feature_lookup l = lookup_in(table);
	score_column request = sample_column(SCORE_I64, id, NULL);
	score_input in = score_input_columns(&request, 1, 1), out;
	const score_input good = in;
	score_feature_plan *plan;
	double scratch[200];
	char message[160];
	(void)state;
	assert_int_equal(score_feature_plan_new(model, request_names, request_types, 1, &l, 1, &plan, &error), SCORE_OK);
	const char *const no_columns = "expected the request as columns: make it with score_input_columns()";
	in.struct_size = 1;
	expect_error(score_feature_lookup_batch(plan, &in, scratch, sizeof scratch, &out, &error), &error, SCORE_ERR_ARGUMENT, no_columns);
	in = score_input_rows_f64(numbers, 1, 1);
	expect_error(score_feature_lookup_batch(plan, &in, scratch, sizeof scratch, &out, &error), &error, SCORE_ERR_ARGUMENT, no_columns);
	for (int k = 0; k < 3; k++) {
		in = good;
		in.n_columns = k == 0 ? 2 : 1;
		in.n_rows = k == 1 ? -1 : 1;
		in.u.columns.columns = k == 2 ? NULL : &request;
		snprintf(message, sizeof message, "the plan was made for requests of 1 columns, this one has %d columns and %d rows", k == 0 ? 2 : 1,
			k == 1 ? -1 : 1);
		expect_error(score_feature_lookup_batch(plan, &in, scratch, sizeof scratch, &out, &error), &error, SCORE_ERR_SHAPE, message);
	}
	request = sample_texts((const char *const[]){"1"}, 1);
	expect_error(score_feature_lookup_batch(plan, &good, scratch, sizeof scratch, &out, &error), &error, SCORE_ERR_SHAPE,
		"request column 0 has another type than the plan was made for");
	request = sample_column(SCORE_F64, numbers, NULL); /* a number, and no key */
	expect_error(score_feature_lookup_batch(plan, &good, scratch, sizeof scratch, &out, &error), &error, SCORE_ERR_SHAPE,
		"key column 'customer' of the table holds integers; found another type in the query");
	request = sample_column(SCORE_I64, NULL, NULL);
	expect_error(score_feature_lookup_batch(plan, &good, scratch, sizeof scratch, &out, &error), &error, SCORE_ERR_ARGUMENT,
		"request column 0: has no values or a negative offset");
	request = sample_column(99, id, NULL);
	expect_error(score_feature_lookup_batch(plan, &good, scratch, sizeof scratch, &out, &error), &error, SCORE_ERR_ARGUMENT,
		"request column 0: there is no dtype 99");
	request = sample_column(SCORE_I64, id, NULL);
	const size_t wanted = score_feature_scratch_bytes(plan, 1);
	snprintf(message, sizeof message, "1 rows need %zu bytes of scratch (score_feature_scratch_bytes()), found %zu", wanted, wanted - 1);
	expect_error(score_feature_lookup_batch(plan, &good, scratch, wanted - 1, &out, &error), &error, SCORE_ERR_ARGUMENT, message);
	in = good;
	in.n_rows = INT64_MAX;
	snprintf(message, sizeof message, "%lld rows need 0 bytes of scratch (score_feature_scratch_bytes()), found 8", (long long)INT64_MAX);
	expect_error(score_feature_lookup_batch(plan, &in, scratch, 8, &out, &error), &error, SCORE_ERR_ARGUMENT, message);
	assert_int_equal(score_feature_lookup_batch(plan, &good, scratch, wanted, &out, &error), SCORE_OK);
	score_feature_plan_free(plan);
}

static int begin(void **state)
{
	(void)state;
	model = make_model();
	table = make_table("features.sft", NULL);
	return 0;
}

static int end(void **state)
{
	score_table_close(table);
	score_model_free(model);
	return sample_cleanup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_every_type),
		cmocka_unit_test(own_texts_win),
		cmocka_unit_test(lookups_of_another_size),
		cmocka_unit_test(damaged_texts_are_missing),
		cmocka_unit_test(plans),
		cmocka_unit_test(text_keys_need_text),
		cmocka_unit_test(a_plan_of_lookups_only),
		cmocka_unit_test(too_many_of_everything),
		cmocka_unit_test(requests),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
