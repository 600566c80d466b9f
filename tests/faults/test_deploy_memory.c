/*
 * Every allocation failed in turn, once and from there on, in what stands around a model: feature tables, statistics, the
 * capture log and its reader, caches and endpoints. No crash, nothing kept, SCORE_ERR_MEMORY and a message.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture_fixture.h"
#include "sample_tables.h"
#include "served_models.h"

#include <scoreline/statistics.h>

typedef struct budget {
	size_t n, fail_at; /* allocations so far; the first that fails */
	int once;          /* only that one */
	size_t held;
} budget;

static void *budget_alloc(void *context, size_t size, size_t align)
{
	budget *b = context;
	const size_t number = b->n++, a = align < 16 ? 16 : align;
	if (b->once ? number == b->fail_at : number >= b->fail_at)
		return NULL;
	b->held += size;
	return aligned_alloc(a, (size + a - 1) & ~(a - 1));
}

static void budget_free(void *context, void *pointer, size_t size, size_t align)
{
	(void)align;
	((budget *)context)->held -= size;
	free(pointer);
}

/* ---- feature tables ------------------------------------------------------------------------------------------------ */

#define N_KEYS 300

static score_status build_table(const score_allocator *allocator, score_error *error)
{
	static const score_table_field keys[] = {{"id", SCORE_I64, 0}, {"country", SCORE_STRING, 0}},
		columns[] = {{"balance", SCORE_F64, 0}, {"city", SCORE_STRING, 0}};
	static int64_t ids[N_KEYS], times[N_KEYS];
	static double balances[N_KEYS];
	static const char *texts[N_KEYS];
	static char words[N_KEYS][16];
	for (int i = 0; i < N_KEYS; i++) {
		ids[i] = i / 2;
		times[i] = i;
		balances[i] = i;
		snprintf(words[i], sizeof words[i], "text %d", i);
		texts[i] = words[i];
	}
	const score_column text = sample_texts(texts, N_KEYS);
	const score_column data[] = {sample_column(SCORE_I64, ids, NULL), text, sample_column(SCORE_I64, times, NULL),
		sample_column(SCORE_F64, balances, NULL), text};
	score_table_schema schema = SCORE_TABLE_SCHEMA_INIT;
	score_table_builder *b = NULL;
	schema.keys = keys;
	schema.columns = columns;
	schema.n_keys = schema.n_columns = 2;
	schema.timestamp = "at";
	schema.timestamp_unit = "s";
	schema.allocator = allocator;
	score_status status = score_table_builder_new(sample_path("memory.sft"), &schema, &b, error);
	for (int i = 0; i < 2 && status == SCORE_OK; i++) {
		for (int k = 0; k < N_KEYS; k++)
			ids[k] += i * N_KEYS;
		status = score_table_builder_add(b, data, 5, N_KEYS, NULL, error);
	}
	if (status == SCORE_OK)
		status = score_table_builder_finish(b, error);
	score_table_builder_free(b);
	return status;
}

static score_status open_table(const score_allocator *allocator, score_error *error)
{
	score_table_options options = SCORE_TABLE_OPTIONS_INIT;
	score_table *table = NULL;
	options.allocator = allocator;
	options.flags = SCORE_TABLE_VERIFY;
	score_status status = score_table_open(sample_path("memory.sft"), &options, &table, error);
	assert_true((status == SCORE_OK) == (table != NULL));
	score_table_close(table);
	return status;
}

/* ---- statistics ------------------------------------------------------------------------------------------------------ */

static score_status count_calls(const score_allocator *allocator, score_error *error)
{
	static const double row[2];
	score_model *model = fixture_model(2);
	score_input input = score_input_rows_f64(row, 1, 2);
	double out = 0;
	score_statistics_options options = SCORE_STATISTICS_OPTIONS_INIT;
	score_statistics *statistics = NULL;
	score_snapshot *snapshot = NULL, *again = NULL, *reference = NULL;
	score_reference_options reference_options = SCORE_REFERENCE_OPTIONS_INIT;
	void *bytes = NULL;
	size_t size = 0;
	assert_int_equal(score_reference_new(model, &input, &reference_options, &reference, error), SCORE_OK);
	options.allocator = allocator;
	options.reference = reference;
	options.sample_every = 1;
	options.n_shards = 2;
	score_status status = score_statistics_new(model, &options, &statistics, error);
	if (status == SCORE_OK) {
		score_call call = fixture_call(model, &input, &out, 1);
		score_statistics_record(statistics, &call);
		status = score_statistics_snapshot(statistics, &snapshot, error);
	}
	if (status == SCORE_OK)
		status = score_snapshot_serialise(snapshot, &bytes, &size, error);
	if (status == SCORE_OK)
		status = score_snapshot_read(bytes, size, allocator, &again, error);
	if (status == SCORE_OK)
		status = score_snapshot_merge(again, snapshot, error);
	score_snapshot_free_bytes(snapshot, bytes, size);
	score_snapshot_free(again);
	score_snapshot_free(snapshot);
	score_snapshot_free(reference);
	score_statistics_free(statistics);
	score_model_free(model);
	return status;
}

/* ---- capture log ----------------------------------------------------------------------------------------------------- */

static fixture_directory directory;

static score_status capture_calls(const score_allocator *allocator, score_error *error)
{
	score_model *model = fixture_string_model();
	score_capture *capture = NULL;
	fixture_directory_make(&directory);
	score_capture_options options = fixture_options(&directory);
	options.allocator = allocator;
	score_status status = score_capture_new(&options, &capture, error);
	if (status == SCORE_OK)
		status = score_capture_add_model(capture, model, error);
	if (status == SCORE_OK)
		status = score_capture_drain(capture, NULL, error);
	score_capture_free(capture);
	score_model_free(model);
	fixture_directory_remove(&directory);
	return status;
}

static score_status read_calls(const score_allocator *allocator, score_error *error)
{
	const char *paths[] = {directory.path};
	score_log_options options = SCORE_LOG_OPTIONS_INIT;
	score_log *log = NULL;
	options.allocator = allocator;
	score_status status = score_log_open(paths, 1, &options, &log, error);
	const score_log_call *call = NULL;
	for (bool more = status == SCORE_OK; more;) {
		status = score_log_next(log, &call, error);
		more = status == SCORE_OK && call != NULL;
	}
	score_log_close(log);
	return status;
}

/* ---- caches and endpoints -------------------------------------------------------------------------------------------- */

static void *bytes_of_a_model;
static size_t n_bytes;

static score_status cache_models(const score_allocator *allocator, score_error *error)
{
	score_model_cache_options options = SCORE_MODEL_CACHE_OPTIONS_INIT;
	score_model_cache *cache = NULL;
	score_model_ref *ref = NULL, *by_file = NULL;
	options.allocator = allocator;
	score_status status = score_model_cache_new(&options, &cache, error);
	if (status == SCORE_OK)
		status = score_model_cache_open_memory(cache, bytes_of_a_model, n_bytes, &ref, error);
	if (status == SCORE_OK)
		status = score_model_cache_open(cache, sample_path("cached.slm"), &by_file, error);
	score_model_ref_release(by_file);
	score_model_ref_release(ref);
	score_model_cache_free(cache);
	return status;
}

static score_status serve_models(const score_allocator *allocator, score_error *error)
{
	score_model *models[] = {answering_model(1), answering_model(2)};
	const score_served_entity entities[] = {{.name = "one", .entity_name = "m", .entity_version = "1", .model = models[0]},
		{.name = "two", .entity_name = "m", .entity_version = "2", .model = models[1]}};
	const score_route routes[] = {{"one", 40, 0}, {"two", 60, 0}};
	const char *shadows[] = {"two"};
	const score_observer observer = {NULL, NULL};
	score_endpoint_options options = SCORE_ENDPOINT_OPTIONS_INIT;
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint *endpoint = NULL;
	score_endpoint_reader *reader = NULL;
	options.allocator = allocator;
	options.observers = &observer;
	config.served_entities = entities;
	config.n_served_entities = 2;
	config.routes = routes;
	config.n_routes = 2;
	config.shadow_names = shadows;
	config.n_shadows = 1;
	score_status status = score_endpoint_new(&options, &config, &endpoint, error);
	if (status == SCORE_OK)
		status = score_endpoint_update(endpoint, &config, error);
	if (status == SCORE_OK)
		status = score_endpoint_reader_new(endpoint, &reader, error);
	score_endpoint_reader_free(reader);
	score_endpoint_free(endpoint);
	score_model_free(models[0]);
	score_model_free(models[1]);
	return status;
}

/* ---- the faults ------------------------------------------------------------------------------------------------------ */

static void fail_each(const char *name, score_status (*run)(const score_allocator *, score_error *))
{
	size_t n_faults = 0;
	for (int once = 0; once < 2; once++) {
		for (size_t k = 0;; k++) {
			budget b = {.fail_at = k, .once = once};
			const score_allocator allocator = {budget_alloc, budget_free, &b};
			score_error error;
			memset(&error, 0x5a, sizeof error);
			score_status status = run(&allocator, &error);
			if (b.held)
				fail_msg("%s, allocation %zu: %zu bytes are kept", name, k, b.held);
			if (b.n <= k) {
				if (status != SCORE_OK)
					fail_msg("%s: %s", name, error.message);
				break;
			}
			n_faults++;
			if (status == SCORE_OK && once)
				continue; /* memory that it could do without */
			if (status != SCORE_ERR_MEMORY || error.code != status || !strstr(error.message, "memory"))
				fail_msg("%s, allocation %zu: %s (%s)", name, k, score_status_name(status), error.message);
		}
	}
	printf("%s: %zu faults\n", name, n_faults);
	assert_true(n_faults > 1);
}

static void tables_survive(void **state)
{
	score_error error;
	(void)state;
	fail_each("table built", build_table);
	assert_int_equal(build_table(NULL, &error), SCORE_OK);
	fail_each("table opened", open_table);
}

static void statistics_survive(void **state)
{
	(void)state;
	fail_each("statistics", count_calls);
}

static void logs_survive(void **state)
{
	score_model *model = fixture_model(3);
	(void)state;
	fail_each("capture", capture_calls);
	fixture_directory_make(&directory);
	score_capture *capture = fixture_capture(&directory);
	assert_int_equal(score_capture_add_model(capture, model, NULL), SCORE_OK);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(fixture_record(capture, model, i), 1);
	score_capture_free(capture);
	score_model_free(model);
	fail_each("log read", read_calls);
	fixture_directory_remove(&directory);
}

static void endpoints_survive(void **state)
{
	score_model *model = answering_model(3);
	(void)state;
	bytes_of_a_model = model_bytes(model, 0.0, &n_bytes);
	sample_write(sample_path("cached.slm"), bytes_of_a_model, n_bytes);
	fail_each("cache", cache_models);
	fail_each("endpoint", serve_models);
	free(bytes_of_a_model);
	score_model_free(model);
}

static int clean_up(void **state)
{
	(void)state;
	sample_cleanup();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_survive),
		cmocka_unit_test(statistics_survive),
		cmocka_unit_test(logs_survive),
		cmocka_unit_test(endpoints_survive),
	};
	return cmocka_run_group_tests(tests, NULL, clean_up);
}
