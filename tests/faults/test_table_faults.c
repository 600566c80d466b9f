/*
 * Every allocation failed in turn while a table of every kind of key and of many texts is built and looked up through a plan, and
 * while statistics with labels are kept, merged, written and read: see failing_memory.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture_fixture.h"
#include "failing_memory.h"
#include "sample_tables.h"

#include <scoreline/build.h>
#include <scoreline/statistics.h>

static score_model *model; /* "f0" a number, "city" and "shop" texts */

/* ---- tables --------------------------------------------------------------------------------------------------------------- */

enum { ROWS = 1500, LONG_KEY = 40001 };

/* Keys: a number and a text, one of which is longer than a part's buffer, one of which has more rows than a buffer takes. */
static score_column data[5];

static void make_rows(void)
{
	static char names[ROWS][16], long_key[LONG_KEY + 1];
	static const char *keys[ROWS], *cities[ROWS];
	static int64_t id[ROWS], at[ROWS];
	static double f0[ROWS];
	memset(long_key, 'k', LONG_KEY);
	for (int r = 0; r < ROWS; r++) {
		snprintf(names[r], sizeof names[r], "city %d", r % 200);
		keys[r] = r == 9 ? long_key : "a key that is not short";
		cities[r] = r % 200 == 1 ? "Bonn" : names[r];
		id[r] = 5;
		at[r] = r;
		f0[r] = r;
	}
	data[0] = sample_column(SCORE_I64, id, NULL);
	data[1] = sample_texts(keys, ROWS);
	data[2] = sample_column(SCORE_I64, at, NULL);
	data[3] = sample_texts(cities, ROWS);
	data[4] = sample_column(SCORE_F64, f0, NULL);
}

static score_status builds_history(const void **out, score_error *error)
{
	static const score_table_field keys[] = {{"id", SCORE_I64, 0}, {"name", SCORE_STRING, 0}};
	static const score_table_field columns[] = {{"city", SCORE_STRING, 0}, {"f0", SCORE_F64, 0}};
	score_table_schema schema = SCORE_TABLE_SCHEMA_INIT;
	score_table_builder *b = NULL;
	schema.keys = keys;
	schema.n_keys = 2;
	schema.columns = columns;
	schema.n_columns = 2;
	schema.timestamp = "at";
	schema.timestamp_unit = "ms";
	score_status status = score_table_builder_new(faults_path("history.sft"), &schema, &b, error);
	*out = status == SCORE_OK ? NULL : b;
	if (status == SCORE_OK)
		status = score_table_builder_add(b, data, 5, ROWS, NULL, error);
	if (status == SCORE_OK)
		status = score_table_builder_finish(b, error);
	score_table_builder_free(b);
	return status;
}

static score_status asks_plan(const score_feature_plan *plan, score_error *error)
{
	static const int64_t id[] = {5, 6}, now[] = {1, 1};
	static const char *const keys[] = {"a key that is not short", "none"}, *const shops[] = {"Bonn", "Bonn"};
	static score_column request[4];
	static double scratch[4096];
	score_input in, filled;
	failing_memory.inside = 0; /* the columns are the host's */
	if (!request[0].values) {
		request[0] = sample_column(SCORE_I64, id, NULL);
		request[1] = sample_texts(keys, 2);
		request[2] = sample_column(SCORE_I64, now, NULL);
		request[3] = sample_texts(shops, 2);
	}
	failing_memory.inside = 1;
	in = score_input_columns(request, 2, 4);
	assert_true(score_feature_scratch_bytes(plan, 2) <= sizeof scratch);
	const score_status status = score_feature_lookup_batch(plan, &in, scratch, sizeof scratch, &filled, error);
	if (status == SCORE_OK)
		assert_int_equal(filled.n_columns, 3);
	return status;
}

static score_status looks_up(const void **out, score_error *error)
{
	static const char *const request[] = {"id", "name", "at", "shop"}, *const key[] = {"id", "name"};
	static const score_dtype types[] = {SCORE_I64, SCORE_STRING, SCORE_I64, SCORE_STRING};
	score_table *table = NULL;
	score_feature_plan *plan = NULL;
	score_feature_lookup lookup = SCORE_FEATURE_LOOKUP_INIT;
	score_status status = builds_history(out, error);
	if (status == SCORE_OK) {
		status = score_table_open(faults_path("history.sft"), NULL, &table, error);
		*out = table;
	}
	lookup.table = table;
	lookup.lookup_key = key;
	lookup.n_lookup_key = 2;
	lookup.timestamp_lookup_key = "at";
	if (status == SCORE_OK) {
		status = score_feature_plan_new(model, request, types, 4, &lookup, 1, &plan, error);
		*out = plan;
	}
	if (status == SCORE_OK) {
		*out = NULL;
		status = asks_plan(plan, error);
	}
	score_feature_plan_free(plan);
	score_table_close(table);
	return status;
}

/* ---- statistics ------------------------------------------------------------------------------------------------------------ */

static score_status counts(const void **out, score_error *error)
{
	static const double rows[] = {1, 2, 0, 3, 1, 1};
	const score_input in = score_input_rows_f64(rows, 2, 3);
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	score_statistics *s = NULL;
	score_snapshot *first = NULL, *second = NULL;
	score_call call = SCORE_CALL_INIT;
	void *bytes = NULL;
	size_t size = 0;
	o.endpoint = "fraud";
	o.served_name = "fraud-1";
	o.entity_name = "model";
	o.entity_version = "1";
	score_status status = score_statistics_new(model, &o, &s, error);
	*out = s;
	call.model = model;
	call.input = &in;
	if (status == SCORE_OK) {
		score_statistics_record(s, &call);
		status = score_statistics_snapshot(s, &first, error);
		*out = first;
	}
	if (status == SCORE_OK) {
		status = score_snapshot_serialise(first, &bytes, &size, error);
		*out = bytes;
	}
	if (status == SCORE_OK) {
		status = score_snapshot_read(bytes, size, NULL, &second, error);
		*out = second;
		score_snapshot_free_bytes(first, bytes, size);
	}
	if (status == SCORE_OK) {
		*out = NULL;
		status = score_snapshot_merge(first, second, error);
	}
	score_snapshot_free(first);
	score_snapshot_free(second);
	score_statistics_free(s);
	return status;
}

static score_model *referred; /* with a reference in its metadata */

static void make_referred(void)
{
	static const double rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
	const score_input in = score_input_rows_f64(rows, 2, 5);
	score_contract contract = SCORE_CONTRACT_INIT(5, 1);
	static const double weights[5] = {1, 1, 1, 1, 1};
	score_builder *b;
	score_model *plain = NULL;
	score_snapshot *reference;
	char *text;
	size_t length;
	for (int with = 0; with < 2; with++) {
		assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
		assert_int_equal(score_builder_set_linear(b, weights, 0, NULL), SCORE_OK);
		if (with) {
			assert_int_equal(score_reference_new(plain, &in, NULL, &reference, NULL), SCORE_OK);
			assert_int_equal(score_reference_text(reference, &text, &length, NULL), SCORE_OK);
			assert_int_equal(score_builder_set_metadata(b, SCORE_REFERENCE_KEY, text, NULL), SCORE_OK);
			score_snapshot_free_bytes(reference, text, length + 1);
			score_snapshot_free(reference);
		}
		assert_int_equal(score_builder_finish(b, with ? &referred : &plain, NULL), SCORE_OK);
		score_builder_free(b);
	}
	score_model_free(plain);
}

static score_status refers(const void **out, score_error *error)
{
	score_snapshot *reference = NULL;
	score_statistics *s = NULL;
	score_status status = score_reference_of(referred, NULL, &reference, error);
	*out = reference;
	if (status == SCORE_OK) {
		status = score_statistics_new(referred, NULL, &s, error);
		*out = s;
	}
	score_statistics_free(s);
	score_snapshot_free(reference);
	return status;
}

/* ---- failing them ------------------------------------------------------------------------------------------------------------ */

static void survives_tables(void **state)
{
	(void)state;
	faults_in_turn(looks_up, "tables", 1); /* the table, when it was finished */
}

static void survives_statistics(void **state)
{
	(void)state;
	faults_in_turn(counts, "statistics", 0);
}

static void survives_references(void **state)
{
	(void)state;
	faults_in_turn(refers, "references of models", 0);
}

static int set_up(void **state)
{
	(void)state;
	faults_make_folder();
	model = fixture_string_model();
	make_referred();
	make_rows();
	return 0;
}

static int tear_down(void **state)
{
	score_model_free(model);
	score_model_free(referred);
	(void)sample_cleanup(state);
	return faults_remove_folder();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_tables), cmocka_unit_test(survives_statistics), cmocka_unit_test(survives_references),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
