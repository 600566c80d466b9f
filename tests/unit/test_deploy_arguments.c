/* Options of what serves, logs, counts and looks up, with one thing wrong: refused by name, and no object is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "expect_error.h"
#include "served_models.h"

#include <scoreline/capture.h>
#include <scoreline/features.h>
#include <scoreline/statistics.h>

static score_model *model; /* linear, of features "a" and "b" */
static score_error error;

/* `*OUT` is not what it was before the call, but NULL. */
#define REFUSED(CALL, OUT, CODE, MESSAGE) \
	do { \
		*(void **)(OUT) = &error; \
		expect_error(CALL, &error, CODE, MESSAGE); \
		assert_null(*(OUT)); \
	} while (0)

static int make_model(void **state)
{
	(void)state;
	model = scaling_model(2.0);
	return 0;
}

static int free_model(void **state)
{
	(void)state;
	score_model_free(model);
	return 0;
}

static void capture(void **state)
{
	score_capture_options o = SCORE_CAPTURE_OPTIONS_INIT;
	score_capture *c;
	(void)state;
	REFUSED(score_capture_new(&o, &c, &error), &c, SCORE_ERR_ARGUMENT,
		"score_capture_options.directory is NULL: say where segments go");
	o.directory = "/there/is/none";
	REFUSED(score_capture_new(&o, &c, &error), &c, SCORE_ERR_IO,
		"score_capture_options.directory: '/there/is/none' is no directory");
	o.sync = 99;
	REFUSED(score_capture_new(&o, &c, &error), &c, SCORE_ERR_ARGUMENT,
		"score_capture_options.sync is 99: give SCORE_CAPTURE_SYNC_…");
	o.sync = -1;
	REFUSED(score_capture_new(&o, &c, &error), &c, SCORE_ERR_ARGUMENT,
		"score_capture_options.sync is -1: give SCORE_CAPTURE_SYNC_…");
	o.segment_age_ns = -1;
	REFUSED(score_capture_new(&o, &c, &error), &c, SCORE_ERR_ARGUMENT, "score_capture_options.segment_age_ns is negative");
	o.sampling_fraction = 1.5;
	REFUSED(score_capture_new(&o, &c, &error), &c, SCORE_ERR_ARGUMENT,
		"score_capture_options.sampling_fraction is 1.5: give more than 0 and at most 1");
	o.prefix = "a/b";
	REFUSED(score_capture_new(&o, &c, &error), &c, SCORE_ERR_ARGUMENT,
		"score_capture_options.prefix is 'a/b': give up to 63 letters, digits, '_' or '-'");
}

static void endpoint(void **state)
{
	const score_observer observer = {NULL, NULL};
	score_served_entity entity = {.entity_name = "a", .entity_version = "1", .model = model};
	score_endpoint_options o = SCORE_ENDPOINT_OPTIONS_INIT;
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint *e;
	(void)state;
	config.served_entities = &entity;
	config.n_served_entities = 1;
	o.n_observers = 1;
	REFUSED(score_endpoint_new(&o, &config, &e, &error), &e, SCORE_ERR_ARGUMENT,
		"score_endpoint_options.observers: NULL, but n_observers is 1");
	o.observers = &observer;
	REFUSED(score_endpoint_new(&o, &config, &e, &error), &e, SCORE_ERR_ARGUMENT,
		"score_endpoint_options.observers[0].finished: NULL");
	o.n_observers = 0;
	o.flags = 0x80;
	REFUSED(score_endpoint_new(&o, &config, &e, &error), &e, SCORE_ERR_ARGUMENT,
		"score_endpoint_options.flags has unknown bits: 0x80");
	config.n_routes = 2;
	REFUSED(score_endpoint_new(NULL, &config, &e, &error), &e, SCORE_ERR_ARGUMENT,
		"traffic_config.routes: NULL, but n_routes is 2");
	config.n_routes = 0;
	config.n_shadows = 1;
	REFUSED(score_endpoint_new(NULL, &config, &e, &error), &e, SCORE_ERR_ARGUMENT, "shadow_names: NULL, but n_shadows is 1");
	config.n_shadows = 0;
	entity.reserved[0] = &error;
	REFUSED(score_endpoint_new(NULL, &config, &e, &error), &e, SCORE_ERR_VERSION,
		"served_entities[0].reserved: expected NULL");
}

static void statistics(void **state)
{
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	score_statistics *s;
	(void)state;
	REFUSED(score_statistics_new(NULL, NULL, &s, &error), &s, SCORE_ERR_ARGUMENT, "score_statistics_new: model is NULL");
	o.output = SCORE_OUTPUT_LEAF;
	REFUSED(score_statistics_new(model, &o, &s, &error), &s, SCORE_ERR_ARGUMENT,
		"score_statistics_options.output is 2: expected prediction, margin or class");
	o.output = SCORE_OUTPUT_PREDICTION;
	o.n_shards = 257;
	REFUSED(score_statistics_new(model, &o, &s, &error), &s, SCORE_ERR_ARGUMENT,
		"score_statistics_options.n_shards is 257: at most 256 are possible");
	o.n_shards = 256;
	o.max_features = (1u << 20) + 1;
	REFUSED(score_statistics_new(model, &o, &s, &error), &s, SCORE_ERR_LIMIT,
		"score_statistics_options.max_features is 1048577: at most 1,048,576 are possible");
}

static void reference(void **state)
{
	const double row[] = {1.0, 2.0};
	const score_input in = score_input_rows_f64(row, 1, 2), none = score_input_rows_f64(row, 0, 2);
	score_reference_options o = SCORE_REFERENCE_OPTIONS_INIT;
	score_snapshot *s;
	(void)state;
	expect_error(score_reference_new(model, &in, NULL, NULL, &error), &error, SCORE_ERR_ARGUMENT, "score_reference_new: out is NULL");
	REFUSED(score_reference_new(model, NULL, NULL, &s, &error), &s, SCORE_ERR_ARGUMENT,
		"score_reference_new: model and input must not be NULL");
	REFUSED(score_reference_new(NULL, &in, NULL, &s, &error), &s, SCORE_ERR_ARGUMENT,
		"score_reference_new: model and input must not be NULL");
	REFUSED(score_reference_new(model, &none, NULL, &s, &error), &s, SCORE_ERR_SHAPE, "a reference needs rows, found 0");
	o.output = SCORE_OUTPUT_LEAF;
	REFUSED(score_reference_new(model, &in, &o, &s, &error), &s, SCORE_ERR_ARGUMENT,
		"score_reference_options.output is 2: expected prediction, margin or class");
	o.n_bins = 1;
	REFUSED(score_reference_new(model, &in, &o, &s, &error), &s, SCORE_ERR_ARGUMENT,
		"score_reference_options asks for 1 bins and 0 categories: expected 2 to 32 bins and at most 32 categories");
	o.n_bins = 0;
	o.n_categories = 33;
	REFUSED(score_reference_new(model, &in, &o, &s, &error), &s, SCORE_ERR_ARGUMENT,
		"score_reference_options asks for 0 bins and 33 categories: expected 2 to 32 bins and at most 32 categories");
	o = (score_reference_options)SCORE_REFERENCE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_CLASS;
	REFUSED(score_reference_new(model, &in, &o, &s, &error), &s, SCORE_ERR_ARGUMENT,
		"no class numbers: the model's link 'identity' is no classifier's, and its metadata have no \"class_rule\"");
}

static void feature_tables(void **state)
{
	static const char *const names[] = {"a"};
	score_table_options o = SCORE_TABLE_OPTIONS_INIT;
	score_table *t;
	score_table_builder *b;
	score_feature_plan *p;
	(void)state;
	REFUSED(score_table_open(NULL, NULL, &t, &error), &t, SCORE_ERR_ARGUMENT, "path is NULL");
	o.flags = 0x80;
	REFUSED(score_table_open("x", &o, &t, &error), &t, SCORE_ERR_ARGUMENT, "score_table_options.flags has unknown bits: 0x80");
	REFUSED(score_table_builder_new("x", NULL, &b, &error), &b, SCORE_ERR_ARGUMENT, "schema is NULL");
	REFUSED(score_feature_plan_new(NULL, names, NULL, 1, NULL, 0, &p, &error), &p, SCORE_ERR_ARGUMENT, "model is NULL");
	REFUSED(score_feature_plan_new(model, NULL, NULL, 1, NULL, 0, &p, &error), &p, SCORE_ERR_ARGUMENT,
		"column_names or lookups is NULL");
	REFUSED(score_feature_plan_new(model, names, NULL, 1, NULL, 1, &p, &error), &p, SCORE_ERR_ARGUMENT,
		"column_names or lookups is NULL");
	char message[96];
	snprintf(message, sizeof message, "%zu request columns and 0 lookups are too many", SIZE_MAX);
	REFUSED(score_feature_plan_new(model, names, NULL, SIZE_MAX, NULL, 0, &p, &error), &p, SCORE_ERR_LIMIT, message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capture),
		cmocka_unit_test(endpoint),
		cmocka_unit_test(statistics),
		cmocka_unit_test(reference),
		cmocka_unit_test(feature_tables),
	};
	return cmocka_run_group_tests(tests, make_model, free_model);
}
