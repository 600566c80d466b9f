/*
 * NULL where an object, a place or a struct is needed, and structs without their size, in every function that serves, logs, counts and
 * looks up: refused by name, no object is made, what is asked is nothing.
 */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "capture_fixture.h"
#include "expect_error.h"
#include "sample_tables.h"
#include "served_models.h"

#include <scoreline/statistics.h>

static score_model *model; /* linear, of features "a" and "b" */
static score_error error;

/* The call is refused with this message. */
#define ARGUMENT(CALL, MESSAGE) expect_error(CALL, &error, SCORE_ERR_ARGUMENT, MESSAGE)

/* … and `*OUT` is not what it was before the call, but NULL. */
#define NO_OBJECT(CALL, OUT, MESSAGE) \
	do { \
		*(void **)(OUT) = &error; \
		ARGUMENT(CALL, MESSAGE); \
		assert_null(*(OUT)); \
	} while (0)

static void captures(void **state)
{
	score_capture_options no_size = SCORE_CAPTURE_OPTIONS_INIT;
	score_capture_info info = {.struct_size = 0};
	fixture_directory d;
	uint64_t n = 7;
	(void)state;
	fixture_directory_make(&d);
	score_capture *c;
	no_size.struct_size = 1;
	NO_OBJECT(score_capture_new(&no_size, &c, &error), &c,
		"score_capture_options.struct_size is 1: set it to sizeof(score_capture_options)");
	ARGUMENT(score_capture_new(NULL, NULL, &error), "out is NULL");
	ARGUMENT(score_capture_start(NULL, 0, &error), "the capture is NULL");
	ARGUMENT(score_capture_stop(NULL, &error), "the capture is NULL");
	ARGUMENT(score_capture_drain(NULL, &n, &error), "the capture is NULL");
	assert_int_equal(n, 0);
	ARGUMENT(score_capture_rotate(NULL, &error), "the capture is NULL");
	ARGUMENT(score_capture_add_model(NULL, model, &error), "the capture is NULL");
	assert_int_equal(score_capture_get_info(NULL, &info), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_capture_record(NULL, NULL), -1);
	score_capture_free(NULL);
	c = fixture_capture(&d);
	ARGUMENT(score_capture_start(c, -1, &error), "interval_ns is negative");
	ARGUMENT(score_capture_add_model(c, NULL, &error), "the model is NULL");
	assert_int_equal(score_capture_get_info(c, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_capture_get_info(c, &info), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_capture_record(c, NULL), -1);
	score_call older = SCORE_CALL_INIT;
	older.struct_size = sizeof(size_t);
	assert_int_equal(score_capture_record(c, &older), -1);
	assert_int_equal(fixture_info(c).n_lost_invalid, 2);
	/* Neither does anything. */
	assert_int_equal(score_capture_add_model(c, model, &error), SCORE_OK);
	score_capture_remove_model(c, NULL);
	score_capture_remove_model(NULL, model);
	const double row[] = {1, 2};
	const score_input in = score_input_rows_f64(row, 1, 2);
	const score_call call = fixture_call(model, &in, row, 1);
	assert_int_equal(score_capture_record(c, &call), 1);
	score_capture_free(c);
	fixture_directory_remove(&d);
}

static void logs(void **state)
{
	const char *paths[] = {"/tmp", NULL};
	const score_log_call *call = (const score_log_call *)&error;
	score_log_options no_size = {.struct_size = 1};
	score_log_segment segment = {.struct_size = sizeof segment};
	fixture_directory d;
	score_log *log;
	(void)state;
	fixture_directory_make(&d);
	paths[0] = d.path;
	ARGUMENT(score_log_open(paths, 1, NULL, NULL, &error), "out is NULL");
	NO_OBJECT(score_log_open(NULL, 1, NULL, &log, &error), &log, "no paths were given");
	NO_OBJECT(score_log_open(paths, 2, NULL, &log, &error), &log, "a path is NULL");
	NO_OBJECT(score_log_open(paths, 1, &no_size, &log, &error), &log,
		"score_log_options.struct_size is 1: set it to sizeof(score_log_options)");
	ARGUMENT(score_log_next(NULL, &call, &error), "the log is NULL");
	assert_null(call);
	assert_int_equal(score_log_segment_count(NULL), 0);
	assert_int_equal(score_log_get_segment(NULL, 0, &segment), SCORE_ERR_ARGUMENT);
	score_log_close(NULL);
	score_capture *c = fixture_capture(&d);
	score_model *logged = fixture_model(2);
	assert_int_equal(score_capture_add_model(c, logged, NULL), SCORE_OK);
	assert_int_equal(fixture_record(c, logged, 0), 1);
	score_capture_free(c);
	score_model_free(logged);
	assert_int_equal(score_log_open(paths, 1, NULL, &log, &error), SCORE_OK);
	ARGUMENT(score_log_next(log, NULL, &error), "call is NULL");
	assert_int_equal(score_log_segment_count(log), 1);
	assert_int_equal(score_log_get_segment(log, 0, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_log_get_segment(log, 1, &segment), SCORE_ERR_ARGUMENT);
	segment.struct_size = 0;
	assert_int_equal(score_log_get_segment(log, 0, &segment), SCORE_ERR_ARGUMENT);
	/* An older caller gets as much as it knows. */
	segment = (score_log_segment){.struct_size = offsetof(score_log_segment, bytes), .bytes = 99};
	assert_int_equal(score_log_get_segment(log, 0, &segment), SCORE_OK);
	assert_true(segment.bytes == 99 && strncmp(segment.path, d.path, strlen(d.path)) == 0);
	score_log_close(log);
	fixture_directory_remove(&d);
}

static void tables(void **state)
{
	static const score_table_field key[] = {{"id", SCORE_I64, 0}}, column[] = {{"x", SCORE_F64, 0}};
	static const int64_t id[] = {1, 2};
	static const double x[] = {0.5, 1.5};
	const score_column data[] = {sample_column(SCORE_I64, id, NULL), sample_column(SCORE_F64, x, NULL)};
	const sample_table spec = {key, 1, NULL, column, 1, data, 2, NULL, 0};
	score_table_schema schema = SCORE_TABLE_SCHEMA_INIT;
	score_table_options no_size = {.struct_size = 1};
	score_table_info info = {.struct_size = 0};
	const score_table_query q = {sizeof q, data, 1, NULL, 0}, keyless = {sizeof keyless, NULL, 1, NULL, 0}, sizeless = {1, data, 1, NULL, 0};
	const score_table_output nowhere = {0, 0, NULL, NULL};
	score_table_builder *b;
	score_table *t;
	size_t length = 1;
	(void)state;
	schema.keys = key;
	schema.columns = column;
	schema.n_keys = schema.n_columns = 1;
	ARGUMENT(score_table_builder_new("x", &schema, NULL, &error), "out is NULL");
	NO_OBJECT(score_table_builder_new(NULL, &schema, &b, &error), &b, "path is NULL");
	schema.struct_size = 1;
	NO_OBJECT(score_table_builder_new("x", &schema, &b, &error), &b,
		"score_table_schema.struct_size is 1: set it to sizeof(score_table_schema)");
	schema.struct_size = sizeof schema;
	ARGUMENT(score_table_builder_add(NULL, data, 2, 1, NULL, &error), "builder is NULL");
	ARGUMENT(score_table_builder_finish(NULL, &error), "builder is NULL");
	assert_int_equal(score_table_builder_new(sample_path("nulls.sft"), &schema, &b, &error), SCORE_OK);
	ARGUMENT(score_table_builder_add(b, NULL, 2, 1, NULL, &error), "columns is NULL");
	assert_int_equal(score_table_builder_add(b, data, 2, 2, NULL, &error), SCORE_OK); /* nothing was spoilt */
	score_table_builder_free(b);
	score_table_builder_free(NULL);
	ARGUMENT(score_table_open("x", NULL, NULL, &error), "out is NULL");
	NO_OBJECT(score_table_open("x", &no_size, &t, &error), &t,
		"score_table_options.struct_size is 1: set it to sizeof(score_table_options)");
	t = sample_table_make("nulls.sft", &spec);
	ARGUMENT(score_table_verify(NULL, &error), "table is NULL");
	assert_int_equal(score_table_get_info(NULL, &info), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_table_get_info(t, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_table_get_info(t, &info), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_table_find_column(t, NULL), -1);
	assert_int_equal(score_table_find_column(NULL, "x"), -1);
	assert_null(score_table_column_name(NULL, 0));
	assert_null(score_table_key_name(NULL, 0));
	assert_null(score_table_text(NULL, 0, 0, &length));
	assert_int_equal(length, 0);
	assert_true(score_table_column_type(NULL, 0) == 0 && score_table_key_type(NULL, 0) == 0 && score_table_column_nulls(NULL, 0) == 0 &&
		score_table_text_count(NULL, 0) == 0);
	assert_null(score_table_retain(NULL));
	ARGUMENT(score_table_lookup(NULL, &q, 1, NULL, 0, NULL, &error), "table is NULL");
	ARGUMENT(score_table_lookup(t, NULL, 1, NULL, 0, NULL, &error), "query is NULL");
	ARGUMENT(score_table_lookup(t, &q, 1, NULL, 1, NULL, &error), "outputs is NULL");
	ARGUMENT(score_table_lookup(t, &q, 1, &nowhere, 1, NULL, &error), "output 0 has no values (NULL)");
	ARGUMENT(score_table_lookup(t, &sizeless, 1, NULL, 0, NULL, &error),
		"score_table_query.struct_size is 1: set it to sizeof(score_table_query)");
	ARGUMENT(score_table_lookup(t, &keyless, 1, NULL, 0, NULL, &error), "score_table_query.keys is NULL");
	score_table_close(t);
	score_table_close(NULL);
}

static void sources(void **state)
{
	score_table_options no_size = {.struct_size = 1};
	score_table_source *s;
	int32_t changed = 5;
	(void)state;
	ARGUMENT(score_table_source_open("x", NULL, NULL, &error), "out is NULL");
	NO_OBJECT(score_table_source_open(NULL, NULL, &s, &error), &s, "path is NULL");
	NO_OBJECT(score_table_source_open("x", &no_size, &s, &error), &s,
		"score_table_options.struct_size is 1: set it to sizeof(score_table_options)");
	ARGUMENT(score_table_source_refresh(NULL, &changed, &error), "source is NULL");
	assert_int_equal(changed, 0);
	score_table_source_free(NULL);
}

static void plans(void **state)
{
	static const char *const names[] = {"a", NULL}, *const both[] = {"a", "b"};
	static const double values[] = {1, 2};
	const score_column columns[] = {sample_column(SCORE_F64, values, NULL), sample_column(SCORE_F64, values, NULL)};
	const score_input in = score_input_columns(columns, 2, 2);
	score_feature_lookup no_size = {.struct_size = 1};
	score_feature_plan *p;
	score_input out;
	double scratch[100];
	(void)state;
	ARGUMENT(score_feature_plan_new(model, names, NULL, 1, NULL, 0, NULL, &error), "out is NULL");
	NO_OBJECT(score_feature_plan_new(model, names, NULL, 2, NULL, 0, &p, &error), &p, "column 1 has no name (NULL)");
	NO_OBJECT(score_feature_plan_new(model, names, NULL, 1, &no_size, 1, &p, &error), &p,
		"score_feature_lookup.struct_size is 1: set it to sizeof(score_feature_lookup)");
	assert_int_equal(score_feature_scratch_bytes(NULL, 1), 0);
	assert_int_equal(score_feature_plan_new(model, both, NULL, 2, NULL, 0, &p, &error), SCORE_OK);
	const score_input *const inputs[] = {&in, NULL, &in, &in, &in};
	for (int i = 0; i < 4; i++)
		ARGUMENT(score_feature_lookup_batch(i ? p : NULL, inputs[i], i == 2 ? NULL : scratch, sizeof scratch, i == 3 ? NULL : &out,
			&error), "plan, request, scratch or out is NULL");
	assert_int_equal(score_feature_lookup_batch(p, &in, scratch, sizeof scratch, &out, &error), SCORE_OK);
	score_feature_plan_free(p);
	score_feature_plan_free(NULL);
}

static void caches(void **state)
{
	score_model_cache_options no_size = {.struct_size = 1};
	score_model_cache_counts counts = {.struct_size = 0};
	score_model_cache *cache;
	score_model_ref *ref;
	(void)state;
	ARGUMENT(score_model_cache_new(NULL, NULL, &error), "score_model_cache_new: out is NULL");
	NO_OBJECT(score_model_cache_new(&no_size, &cache, &error), &cache,
		"score_model_cache_options.struct_size is 1: set it to sizeof(score_model_cache_options)");
	assert_int_equal(score_model_cache_new(NULL, &cache, &error), SCORE_OK);
	ARGUMENT(score_model_cache_open(cache, "x", NULL, &error), "score_model_cache_open: out is NULL");
	NO_OBJECT(score_model_cache_open(cache, NULL, &ref, &error), &ref, "score_model_cache_open: cache and path must not be NULL");
	NO_OBJECT(score_model_cache_open(NULL, "x", &ref, &error), &ref, "score_model_cache_open: cache and path must not be NULL");
	ARGUMENT(score_model_cache_open_memory(cache, "x", 1, NULL, &error), "score_model_cache_open_memory: out is NULL");
	NO_OBJECT(score_model_cache_open_memory(cache, NULL, 1, &ref, &error), &ref,
		"score_model_cache_open_memory: cache and data must not be NULL");
	NO_OBJECT(score_model_cache_open_memory(NULL, "x", 1, &ref, &error), &ref,
		"score_model_cache_open_memory: cache and data must not be NULL");
	assert_int_equal(score_model_cache_get_counts(cache, &counts), SCORE_ERR_ARGUMENT);
	counts.struct_size = sizeof counts;
	assert_int_equal(score_model_cache_get_counts(NULL, &counts), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_model_cache_get_counts(cache, NULL), SCORE_ERR_ARGUMENT);
	assert_null(score_model_ref_acquire(NULL));
	assert_null(score_model_ref_model(NULL));
	score_model_ref_release(NULL);
	score_model_cache_free(cache);
	score_model_cache_free(NULL);
}

static score_endpoint *new_endpoint(void)
{
	const score_served_entity entity = {.entity_name = "a", .entity_version = "1", .model = model};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint *e;
	config.served_entities = &entity;
	config.n_served_entities = 1;
	assert_int_equal(score_endpoint_new(NULL, &config, &e, &error), SCORE_OK);
	return e;
}

static void endpoints(void **state)
{
	score_endpoint_options no_size = {.struct_size = 1};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	const score_served_entity entity = {.entity_name = "b", .entity_version = "1", .model = model};
	score_served_info info = {.struct_size = 0};
	uint8_t slots[SCORE_TRAFFIC_SLOTS];
	score_endpoint_reader *r;
	score_plan *plan;
	score_endpoint *e;
	(void)state;
	ARGUMENT(score_endpoint_new(NULL, &config, NULL, &error), "score_endpoint_new: out is NULL");
	NO_OBJECT(score_endpoint_new(&no_size, &config, &e, &error), &e,
		"score_endpoint_options.struct_size is 1: set it to sizeof(score_endpoint_options)");
	NO_OBJECT(score_endpoint_new(NULL, NULL, &e, &error), &e, "served_entities: expected 1 to 255, found 0");
	config.n_served_entities = 3;
	NO_OBJECT(score_endpoint_new(NULL, &config, &e, &error), &e, "served_entities: expected 1 to 255, found 0");
	config.struct_size = 1;
	NO_OBJECT(score_endpoint_new(NULL, &config, &e, &error), &e,
		"score_endpoint_config.struct_size is 1: set it to sizeof(score_endpoint_config)");
	e = new_endpoint();
	ARGUMENT(score_endpoint_update(NULL, &config, &error), "score_endpoint_update: endpoint and config must not be NULL");
	ARGUMENT(score_endpoint_update(e, NULL, &error), "score_endpoint_update: endpoint and config must not be NULL");
	ARGUMENT(score_endpoint_rollback(NULL, &error), "score_endpoint_rollback: endpoint is NULL");
	ARGUMENT(score_endpoint_add(NULL, &entity, &error), "the endpoint is NULL");
	ARGUMENT(score_endpoint_add(e, NULL, &error), "score_endpoint_add: entity is NULL");
	ARGUMENT(score_endpoint_replace(e, "a-1", NULL, &error), "score_endpoint_replace: entity is NULL");
	ARGUMENT(score_endpoint_replace(e, NULL, &entity, &error), "name: expected a served name, found NULL");
	ARGUMENT(score_endpoint_remove(NULL, "a-1", &error), "the endpoint is NULL");
	assert_int_equal(score_endpoint_settle(NULL), 0);
	assert_int_equal(score_endpoint_get_served(e, 0, &info), SCORE_ERR_ARGUMENT);
	info.struct_size = sizeof info;
	assert_int_equal(score_endpoint_get_served(NULL, 0, &info), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_endpoint_get_served(e, 0, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_endpoint_get_served(e, 1, &info), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_endpoint_slots(NULL, slots), 0);
	assert_int_equal(score_endpoint_slots(e, NULL), 0);
	assert_int_equal(score_endpoint_slot(NULL, "k", 1), 0);
	assert_int_equal(score_endpoint_slot(e, NULL, 0), score_endpoint_slot(e, "k", 0));
	assert_int_equal(score_endpoint_slot(e, NULL, 1), 0);
	assert_int_equal(score_endpoint_scratch_bytes(NULL, SCORE_OUTPUT_MARGIN, 2), 0);
	ARGUMENT(score_endpoint_bind(e, NULL, NULL, 0, NULL, &error), "score_endpoint_bind: out is NULL");
	NO_OBJECT(score_endpoint_bind(NULL, NULL, NULL, 0, &plan, &error), &plan, "score_endpoint_bind: endpoint is NULL");
	ARGUMENT(score_endpoint_reader_new(e, NULL, &error), "score_endpoint_reader_new: out is NULL");
	NO_OBJECT(score_endpoint_reader_new(NULL, &r, &error), &r, "score_endpoint_reader_new: endpoint is NULL");
	score_endpoint_reader_free(NULL);
	score_endpoint_free(e);
	score_endpoint_free(NULL);
}

static void calls_of_endpoints(void **state)
{
	const double row[] = {1, 2};
	score_input in = score_input_rows_f64(row, 1, 2);
	score_answer answer = {.struct_size = 0};
	score_request request = {.struct_size = 1};
	score_endpoint_reader *r;
	double out;
	(void)state;
	score_endpoint *e = new_endpoint();
	assert_int_equal(score_endpoint_reader_new(e, &r, &error), SCORE_OK);
	ARGUMENT(score_endpoint_batch(NULL, &in, &out, 1, NULL, NULL, &error), "score_endpoint_batch: reader is NULL");
	ARGUMENT(score_endpoint_batch(r, &in, &out, 1, NULL, &answer, &error), "score_endpoint_batch: answer has no struct_size");
	ARGUMENT(score_endpoint_batch(r, &in, &out, 1, &request, NULL, &error),
		"score_request.struct_size is 1: set it to sizeof(score_request)");
	ARGUMENT(score_endpoint_batch(r, NULL, &out, 1, NULL, NULL, &error),
		"score_endpoint_batch: input is NULL or has a wrong struct_size");
	in.struct_size = 1;
	ARGUMENT(score_endpoint_batch(r, &in, &out, 1, NULL, NULL, &error),
		"score_endpoint_batch: input is NULL or has a wrong struct_size");
	score_endpoint_reader_free(r);
	score_endpoint_free(e);
}

static void statistics(void **state)
{
	const double row[] = {1, 2};
	const score_input in = score_input_rows_f64(row, 1, 2);
	score_statistics_options no_size = {.struct_size = 1};
	score_reference_options sizeless = {.struct_size = 1};
	score_call call = SCORE_CALL_INIT;
	score_snapshot_info info = {.struct_size = sizeof info};
	score_statistics *s;
	score_snapshot *found;
	(void)state;
	ARGUMENT(score_statistics_new(model, NULL, NULL, &error), "score_statistics_new: out is NULL");
	NO_OBJECT(score_statistics_new(model, &no_size, &s, &error), &s,
		"score_statistics_options.struct_size is 1: set it to sizeof(score_statistics_options)");
	NO_OBJECT(score_reference_new(model, &in, &sizeless, &found, &error), &found,
		"score_reference_options.struct_size is 1: set it to sizeof(score_reference_options)");
	assert_int_equal(score_statistics_new(model, NULL, &s, &error), SCORE_OK);
	ARGUMENT(score_statistics_snapshot(s, NULL, &error), "score_statistics_snapshot: out is NULL");
	NO_OBJECT(score_statistics_snapshot(NULL, &found, &error), &found, "score_statistics_snapshot: statistics is NULL");
	/* Calls that cannot be counted are not. */
	score_statistics_record(NULL, &call);
	score_statistics_record(s, NULL);
	call.struct_size = sizeof(size_t);
	score_statistics_record(s, &call);
	assert_int_equal(score_statistics_snapshot(s, &found, &error), SCORE_OK);
	assert_int_equal(score_snapshot_get_info(found, &info), SCORE_OK);
	assert_int_equal(info.calls, 0);
	score_snapshot_free(found);
	score_statistics_free(s);
	score_statistics_free(NULL);
}

static void snapshots(void **state)
{
	score_snapshot_info info = {.struct_size = 0};
	score_histogram h = {.struct_size = 0};
	score_snapshot *s, *found;
	score_statistics *of;
	void *bytes;
	size_t size;
	(void)state;
	assert_int_equal(score_statistics_new(model, NULL, &of, &error), SCORE_OK);
	assert_int_equal(score_statistics_snapshot(of, &s, &error), SCORE_OK);
	score_statistics_free(of);
	ARGUMENT(score_snapshot_serialise(s, NULL, &size, &error), "score_snapshot_serialise: out and out_size must not be NULL");
	ARGUMENT(score_snapshot_serialise(s, &bytes, NULL, &error), "score_snapshot_serialise: out and out_size must not be NULL");
	NO_OBJECT(score_snapshot_serialise(NULL, &bytes, &size, &error), &bytes, "score_snapshot_serialise: snapshot is NULL");
	ARGUMENT(score_snapshot_read("x", 1, NULL, NULL, &error), "score_snapshot_read: out is NULL");
	NO_OBJECT(score_snapshot_read(NULL, 1, NULL, &found, &error), &found, "score_snapshot_read: bytes is NULL");
	ARGUMENT(score_snapshot_save_file(s, NULL, &error), "score_snapshot_save_file: path is NULL");
	ARGUMENT(score_snapshot_save_file(NULL, "/x", &error), "score_snapshot_serialise: snapshot is NULL");
	NO_OBJECT(score_snapshot_open_file(NULL, NULL, &found, &error), &found, "score_snapshot_open_file: path and out must not be NULL");
	ARGUMENT(score_snapshot_open_file("x", NULL, NULL, &error), "score_snapshot_open_file: path and out must not be NULL");
	ARGUMENT(score_snapshot_merge(s, NULL, &error), "score_snapshot_merge: a snapshot is NULL");
	ARGUMENT(score_snapshot_merge(NULL, s, &error), "score_snapshot_merge: a snapshot is NULL");
	assert_int_equal(score_snapshot_get_info(s, &info), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_snapshot_get_info(s, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_snapshot_get_info(NULL, &info), SCORE_ERR_ARGUMENT);
	score_status (*const get[])(const score_snapshot *, uint32_t, score_histogram *) = {score_snapshot_feature, score_snapshot_score};
	for (int k = 0; k < 2; k++) {
		h.struct_size = sizeof h;
		assert_int_equal(get[k](NULL, 0, &h), SCORE_ERR_ARGUMENT);
		assert_int_equal(get[k](s, 0, NULL), SCORE_ERR_ARGUMENT);
		assert_int_equal(get[k](s, 2, &h), SCORE_ERR_ARGUMENT);
		h.struct_size = 0;
		assert_int_equal(get[k](s, 0, &h), SCORE_ERR_ARGUMENT);
	}
	assert_int_equal(score_snapshot_errors(NULL, SCORE_ERR_IO), 0);
	assert_true(isnan(score_snapshot_latency(NULL, 0.5)) && isnan(score_snapshot_latency(s, 0.5)));
	assert_int_equal(score_snapshot_latency_within(NULL, 3), 0);
	score_snapshot_free_bytes(NULL, NULL, 0);
	score_snapshot_free(s);
	score_snapshot_free(NULL);
}

static void references_and_metrics(void **state)
{
	const double row[] = {1, 2};
	const score_input in = score_input_rows_f64(row, 1, 2);
	const uint64_t counts[3] = {1, 2, 3};
	score_histogram h = {.struct_size = sizeof h, .n_edges = 33, .counts = counts};
	score_prometheus_options o = SCORE_PROMETHEUS_OPTIONS_INIT;
	score_drift d = {.struct_size = 0};
	score_snapshot *s, *found;
	char *text;
	size_t length;
	(void)state;
	assert_int_equal(score_reference_new(model, &in, NULL, &s, &error), SCORE_OK);
	ARGUMENT(score_reference_text(s, NULL, &length, &error), "score_reference_text: out and length must not be NULL");
	ARGUMENT(score_reference_text(s, &text, NULL, &error), "score_reference_text: out and length must not be NULL");
	NO_OBJECT(score_reference_text(NULL, &text, &length, &error), &text, "score_snapshot_serialise: snapshot is NULL");
	ARGUMENT(score_reference_of(model, NULL, NULL, &error), "score_reference_of: out is NULL");
	NO_OBJECT(score_reference_of(NULL, NULL, &found, &error), &found, "score_reference_of: model is NULL");
	ARGUMENT(score_drift_of(&h, NULL, &error), "score_drift_of: out is NULL or has no struct_size");
	ARGUMENT(score_drift_of(&h, &d, &error), "score_drift_of: out is NULL or has no struct_size");
	d.struct_size = sizeof d;
	ARGUMENT(score_drift_of(NULL, &d, &error), "score_drift_of: histogram is NULL");
	ARGUMENT(score_drift_of(&h, &d, &error),
		"score_histogram has 33 edges and its counts: at most 32 edges and a count for every bin are needed");
	h.n_edges = 2;
	h.counts = NULL;
	ARGUMENT(score_drift_of(&h, &d, &error),
		"score_histogram has 2 edges and no counts: at most 32 edges and a count for every bin are needed");
	h.struct_size = 1;
	ARGUMENT(score_drift_of(&h, &d, &error), "score_histogram.struct_size is 1: set it to sizeof(score_histogram)");
	const score_snapshot *list[] = {s, NULL};
	ARGUMENT(score_prometheus_text(list, 1, NULL, NULL, 5, &length, &error), "score_prometheus_text: out is NULL");
	ARGUMENT(score_prometheus_text(NULL, 1, NULL, NULL, 0, &length, &error), "score_prometheus_write: snapshots is NULL");
	assert_int_equal(length, 0);
	ARGUMENT(score_prometheus_text(list, 2, NULL, NULL, 0, NULL, &error), "score_prometheus_write: snapshot 1 is NULL");
	ARGUMENT(score_prometheus_write(list, 1, NULL, NULL, NULL, &error), "score_prometheus_write: sink is NULL");
	o.flags = 0x80;
	ARGUMENT(score_prometheus_text(list, 1, &o, NULL, 0, NULL, &error), "score_prometheus_options.flags has unknown bits: 0x80");
	o.struct_size = 1;
	ARGUMENT(score_prometheus_text(list, 1, &o, NULL, 0, NULL, &error),
		"score_prometheus_options.struct_size is 1: set it to sizeof(score_prometheus_options)");
	score_snapshot_free(s);
}

static int make_model(void **state)
{
	(void)state;
	model = scaling_model(2.0);
	return 0;
}

static int clean_up(void **state)
{
	score_model_free(model);
	return sample_cleanup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captures), cmocka_unit_test(logs), cmocka_unit_test(tables), cmocka_unit_test(sources), cmocka_unit_test(plans),
		cmocka_unit_test(caches), cmocka_unit_test(endpoints), cmocka_unit_test(calls_of_endpoints), cmocka_unit_test(statistics),
		cmocka_unit_test(snapshots), cmocka_unit_test(references_and_metrics),
	};
	return cmocka_run_group_tests(tests, make_model, clean_up);
}
