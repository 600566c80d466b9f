/*
 * Every allocation failed in turn, once and from there on, while a model is built, explained, exported and saved, a cache and an
 * endpoint serve it, calls are captured and read back, a feature table is built, opened and asked, and a reference is made: no
 * crash, no object, SCORE_ERR_MEMORY and a message, nothing kept, no file left behind. The linker sends the library's own
 * allocator here, so that what a call allocates behind a caller's allocator fails as well.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_memory.h"

#include <scoreline/build.h>
#include <scoreline/capture.h>
#include <scoreline/endpoint.h>
#include <scoreline/export.h>
#include <scoreline/features.h>
#include <scoreline/log.h>
#include <scoreline/statistics.h>

/* ---- what the scenes share -------------------------------------------------------------------------------------------- */

static score_model *model; /* of two features, with golden rows */
static const double rows[] = {0.1, 1.0, 0.9, 2.0, NAN, 3.0, 0.5, -1.0};
#define N_FEATURES 2u
#define N_ROWS 4

static score_status add_trees(score_builder *b, score_error *error)
{
	static const score_node nodes[] = {{.left = 1, .right = 2, .feature = 0, .test = SCORE_TEST_LT, .value = 0.4},
		{.test = SCORE_TEST_LEAF, .value = -1.0}, {.left = 3, .right = 4, .feature = 1, .test = SCORE_TEST_IN_LEFT, .n_categories = 2},
		{.test = SCORE_TEST_LEAF, .value = 2.0}, {.test = SCORE_TEST_LEAF, .value = 0.25}};
	static const uint32_t categories[] = {1, 3};
	static const double covers[] = {6, 3, 3, 1, 2};
	static const char *const labels[] = {"Oslo", "Rome", "Lund", "Bern"};
	score_tree tree = SCORE_TREE_INIT;
	tree.nodes = nodes;
	tree.n_nodes = 5;
	tree.categories = categories;
	tree.n_categories = 2;
	tree.covers = covers;
	score_status status = score_builder_set_feature(b, 0, "risk", SCORE_FEATURE_NUMERIC, error);
	if (status == SCORE_OK)
		status = score_builder_set_feature(b, 1, "town", SCORE_FEATURE_CATEGORY, error);
	if (status == SCORE_OK)
		status = score_builder_set_dictionary(b, 1, labels, NULL, 4, -1.0, 0, error);
	for (int i = 0; status == SCORE_OK && i < 3; i++)
		status = score_builder_add_tree(b, &tree, error);
	return status == SCORE_OK ? score_builder_set_metadata(b, "class_labels", "[\"no\", \"yes\"]", error) : status;
}

/* A sum of a column that is computed, and a part of a model of parts. */
static score_status add_columns(score_builder *b, score_error *error)
{
	static const double keys[] = {0.0, 1.0}, values[] = {3.0, 4.0}, weights[] = {1.0};
	static const score_step step = {SCORE_STEP_LOOKUP, 0, 0.0, 0.0, keys, values, 2};
	static const uint32_t both[] = {0, 1};
	score_column_program column = SCORE_COLUMN_PROGRAM_INIT, norm = SCORE_COLUMN_PROGRAM_INIT;
	score_part part = SCORE_PART_INIT(0, 1);
	column.steps = &step;
	column.n_steps = 1;
	norm.root = SCORE_ROOT_NORM_L2;
	norm.source = N_FEATURES;
	norm.sources = both;
	norm.n_sources = 2;
	score_status status = score_builder_add_column(b, &column, NULL, error);
	if (status == SCORE_OK)
		status = score_builder_add_column(b, &norm, NULL, error);
	if (status == SCORE_OK)
		status = score_builder_set_linear_columns(b, N_FEATURES + 1, error);
	if (status == SCORE_OK)
		status = score_builder_set_linear(b, weights, 0, error);
	if (status == SCORE_OK)
		status = score_builder_add_part(b, &part, error);
	return status == SCORE_OK ? score_builder_combine(b, SCORE_COMBINE_SUM, 2.0, 1, error) : status;
}

typedef score_status filling(score_builder *b, score_error *error);

static score_status build(filling *fill, score_model **out, score_error *error)
{
	score_contract c = SCORE_CONTRACT_INIT(N_FEATURES, 1);
	score_builder *b = NULL;
	*out = NULL;
	score_status status = score_builder_new(&c, NULL, &b, error);
	if (status != SCORE_OK) {
		assert_null(b);
		return status;
	}
	status = fill(b, error);
	if (status == SCORE_OK)
		status = score_builder_finish(b, out, error);
	score_builder_free(b);
	return status;
}

/* ---- scenes ------------------------------------------------------------------------------------------------------------ */

static score_status builds(const void **out, score_error *error)
{
	score_model *made = NULL;
	score_explainer *explainer = NULL;
	void *text = NULL;
	size_t size = 0;
	score_input background = score_input_rows_f64(rows, N_ROWS, N_FEATURES);
	score_status status = build(add_columns, &made, error);
	*out = made;
	if (status == SCORE_OK) {
		score_model_free(made);
		status = build(add_trees, &made, error);
		*out = made;
	}
	if (status == SCORE_OK) {
		status = score_explainer_new(made, &background, NULL, &explainer, error);
		*out = explainer;
	}
	if (status == SCORE_OK) {
		status = score_model_export_js(made, NULL, &text, &size, error);
		*out = text;
	}
	if (status == SCORE_OK) {
		score_model_free_bytes(made, text, size);
		*out = NULL;
		status = score_model_save_file(made, faults_path("saved.slm"), NULL, error);
	}
	score_explainer_free(explainer);
	score_model_free(made);
	return status;
}

static score_status caches(const void **out, score_error *error)
{
	static const char *const names[] = {"one.slm", "two.slm"};
	score_model_cache *cache = NULL;
	score_model_ref *refs[3] = {NULL, NULL, NULL};
	score_status status = score_model_cache_new(NULL, &cache, error);
	*out = cache;
	for (int i = 0; status == SCORE_OK && i < 3; i++) {
		status = score_model_cache_open(cache, faults_path(names[i / 2]), refs + i, error);
		*out = refs[i];
	}
	for (int i = 0; i < 3; i++)
		score_model_ref_release(refs[i]);
	score_model_cache_free(cache);
	return status;
}

static score_status serves_calls(score_endpoint *endpoint, score_endpoint_config *config, const score_served_entity *entities,
	const void **out, score_error *error)
{
	static const char *const columns[] = {"town", "risk"};
	const score_route back[] = {{"b-1", 100, 0}};
	score_input in = score_input_rows_f64(rows, N_ROWS, N_FEATURES);
	score_endpoint_reader *reader = NULL;
	score_plan *plan = NULL;
	double scores[N_ROWS];
	score_status status = score_endpoint_reader_new(endpoint, &reader, error);
	*out = reader;
	if (status == SCORE_OK)
		status = score_endpoint_batch(reader, &in, scores, N_ROWS, NULL, NULL, error);
	if (status == SCORE_OK)
		status = score_endpoint_set_traffic(endpoint, back, 1, error);
	*out = NULL;
	if (status == SCORE_OK)
		status = score_endpoint_replace(endpoint, "a-1", entities, error);
	if (status == SCORE_OK)
		status = score_endpoint_update(endpoint, config, error);
	if (status == SCORE_OK)
		status = score_endpoint_rollback(endpoint, error);
	if (status == SCORE_OK) {
		status = score_endpoint_bind(endpoint, columns, NULL, N_FEATURES, &plan, error);
		*out = plan;
	}
	score_plan_free(plan);
	score_endpoint_reader_free(reader);
	return status;
}

static score_status serves(const void **out, score_error *error)
{
	const score_served_entity entities[] = {{.entity_name = "a", .entity_version = "1", .model = model},
		{.entity_name = "b", .entity_version = "1", .model = model}};
	const score_route routes[] = {{"a-1", 60, 0}, {"b-1", 40, 0}};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint *endpoint = NULL;
	config.served_entities = entities;
	config.n_served_entities = 2;
	config.routes = routes;
	config.n_routes = 2;
	score_status status = score_endpoint_new(NULL, &config, &endpoint, error);
	*out = endpoint;
	if (status == SCORE_OK)
		status = serves_calls(endpoint, &config, entities, out, error);
	score_endpoint_free(endpoint);
	return status;
}

static score_status reads_log(const void **out, score_error *error)
{
	const char *paths[] = {faults_folder};
	const score_log_call *found = NULL;
	score_log *log = NULL;
	score_status status = score_log_open(paths, 1, NULL, &log, error);
	*out = log;
	if (status == SCORE_OK) {
		status = score_log_next(log, &found, error);
		*out = found;
	}
	score_log_close(log);
	return status;
}

static score_status captures(const void **out, score_error *error)
{
	score_capture_options o = SCORE_CAPTURE_OPTIONS_INIT;
	score_input in = score_input_rows_f64(rows, N_ROWS, N_FEATURES);
	score_call call = SCORE_CALL_INIT;
	score_capture *capture = NULL;
	o.directory = faults_folder;
	o.ring_bytes = 1 << 16;
	call.model = model;
	call.input = &in;
	call.out = rows;
	call.out_width = 1;
	score_status status = score_capture_new(&o, &capture, error);
	*out = capture;
	if (status == SCORE_OK) {
		*out = NULL;
		status = score_capture_add_model(capture, model, error);
	}
	if (status == SCORE_OK) {
		assert_int_equal(score_capture_record(capture, &call), 1);
		status = score_capture_rotate(capture, error);
	}
	score_capture_free(capture);
	return status == SCORE_OK ? reads_log(out, error) : status;
}

static score_status builds_table(score_error *error)
{
	static const score_table_field keys[] = {{"customer", SCORE_STRING, 0}}, columns[] = {{"risk", SCORE_F32, 0}};
	static const int64_t offsets[] = {0, 2, 4, 7};
	static const float risk[] = {0.25f, 0.5f, 0.75f};
	score_strings texts = SCORE_STRINGS_INIT;
	score_table_schema schema = SCORE_TABLE_SCHEMA_INIT;
	score_table_builder *builder = NULL;
	texts.offsets = offsets;
	texts.offset_type = SCORE_I64;
	texts.data = "c1c2c33";
	schema.keys = keys;
	schema.n_keys = 1;
	schema.columns = columns;
	schema.n_columns = 1;
	const score_column data[] = {{&texts, NULL, 0, 0, SCORE_STRING, 0}, {risk, NULL, 0, 0, SCORE_F32, 0}};
	score_status status = score_table_builder_new(faults_path("table.sft"), &schema, &builder, error);
	if (status != SCORE_OK)
		assert_null(builder);
	if (status == SCORE_OK)
		status = score_table_builder_add(builder, data, 2, 3, NULL, error);
	if (status == SCORE_OK)
		status = score_table_builder_finish(builder, error);
	score_table_builder_free(builder);
	return status;
}

static score_status looks_up(const void **out, score_error *error)
{
	static const char *const request[] = {"customer", "town"}, *const key[] = {"customer"};
	static const score_dtype types[] = {SCORE_STRING, SCORE_F64};
	score_table_options options = SCORE_TABLE_OPTIONS_INIT;
	score_table_source *source = NULL;
	score_feature_plan *plan = NULL;
	score_feature_lookup lookup = SCORE_FEATURE_LOOKUP_INIT;
	options.flags = SCORE_TABLE_VERIFY;
	score_status status = builds_table(error);
	if (status == SCORE_OK) {
		status = score_table_source_open(faults_path("table.sft"), &options, &source, error);
		*out = source;
	}
	lookup.source = source;
	lookup.lookup_key = key;
	lookup.n_lookup_key = 1;
	if (status == SCORE_OK) {
		status = score_feature_plan_new(model, request, types, 2, &lookup, 1, &plan, error);
		*out = plan;
	}
	if (status == SCORE_OK) {
		*out = NULL;
		status = score_table_source_refresh(source, NULL, error);
	}
	score_feature_plan_free(plan);
	score_table_source_free(source);
	return status;
}

static score_status refers(const void **out, score_error *error)
{
	score_input in = score_input_rows_f64(rows, N_ROWS, N_FEATURES);
	score_snapshot *reference = NULL;
	char *text = NULL;
	size_t length = 0;
	score_status status = score_reference_new(model, &in, NULL, &reference, error);
	*out = reference;
	if (status == SCORE_OK) {
		status = score_reference_text(reference, &text, &length, error);
		*out = text;
	}
	if (status == SCORE_OK)
		score_snapshot_free_bytes(reference, text, length + 1);
	score_snapshot_free(reference);
	return status;
}

/* ---- failing them ------------------------------------------------------------------------------------------------------ */

static void survives_building(void **state)
{
	(void)state;
	faults_in_turn(builds, "build", 0);
}

static score_status caches_files(const void **out, score_error *error)
{
	failing_memory.inside = 0;
	assert_int_equal(score_model_save_file(model, faults_path("one.slm"), NULL, NULL), SCORE_OK);
	score_save_options other = SCORE_SAVE_OPTIONS_INIT;
	other.flags = SCORE_SAVE_NO_COVERS;
	assert_int_equal(score_model_save_file(model, faults_path("two.slm"), &other, NULL), SCORE_OK);
	failing_memory.inside = 1;
	return caches(out, error);
}

static void survives_caching(void **state)
{
	(void)state;
	faults_in_turn(caches_files, "cache", 2);
}

static void survives_serving(void **state)
{
	(void)state;
	faults_in_turn(serves, "endpoint", 0);
}

static void survives_capturing(void **state)
{
	(void)state;
	faults_in_turn(captures, "capture", 1); /* the log of calls that could still be written */
}

static void survives_looking_up(void **state)
{
	(void)state;
	faults_in_turn(looks_up, "features", 1); /* the table, when it was finished */
}

static void survives_references(void **state)
{
	(void)state;
	faults_in_turn(refers, "reference", 0);
}

static int set_up(void **state)
{
	(void)state;
	faults_make_folder();
	return build(add_trees, &model, NULL) != SCORE_OK;
}

static int tear_down(void **state)
{
	(void)state;
	score_model_free(model);
	return faults_remove_folder();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_building), cmocka_unit_test(survives_caching), cmocka_unit_test(survives_serving),
		cmocka_unit_test(survives_capturing), cmocka_unit_test(survives_looking_up), cmocka_unit_test(survives_references),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
