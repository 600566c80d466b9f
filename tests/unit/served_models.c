#include "served_models.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static score_model *linear_model(double a, double b, double base)
{
	const double weights[] = {a, b};
	score_contract contract = SCORE_CONTRACT_INIT(2, 1);
	score_builder *builder = NULL;
	score_model *model = NULL;
	contract.sum = contract.compare = SCORE_F64;
	assert_int_equal(score_builder_new(&contract, NULL, &builder, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_feature(builder, 0, "a", SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_feature(builder, 1, "b", SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_base(builder, &base, 1, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_linear(builder, weights, 0, NULL), SCORE_OK);
	assert_int_equal(score_builder_finish(builder, &model, NULL), SCORE_OK);
	score_builder_free(builder);
	return model;
}

score_model *answering_model(double answer)
{
	return linear_model(0.0, 0.0, answer);
}

score_model *scaling_model(double scale)
{
	return linear_model(scale, 1.0, 0.0);
}

void *model_bytes(const score_model *model, double wrong, size_t *size)
{
	const double rows[] = {1.0, 2.0, 3.0, 4.0};
	double margins[2];
	score_save_options o = SCORE_SAVE_OPTIONS_INIT;
	score_options margin = SCORE_OPTIONS_INIT;
	score_input in = score_input_rows_f64(rows, 2, 2);
	void *bytes = NULL;
	margin.output = SCORE_OUTPUT_MARGIN;
	assert_int_equal(score_batch(model, &in, margins, 2, &margin, NULL), SCORE_OK);
	margins[1] += wrong;
	o.golden_rows = rows;
	o.golden_margins = margins;
	o.n_golden_rows = 2;
	assert_int_equal(score_model_save_memory(model, &o, &bytes, size, NULL), SCORE_OK);
	void *copy = malloc(*size);
	assert_non_null(copy);
	memcpy(copy, bytes, *size);
	score_model_free_bytes(model, bytes, *size);
	return copy;
}

score_model *model_of_bytes(const void *bytes, size_t size)
{
	score_model *model = NULL;
	score_error error;
	if (score_model_open_memory(bytes, size, NULL, &model, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	return model;
}

score_endpoint *two_versions(score_model *first, score_model *second, int32_t first_percent, int32_t second_percent, const char *shadow,
	const score_observer *observer)
{
	const score_served_entity entities[] = {{.entity_name = "m", .entity_version = "1", .model = first},
		{.entity_name = "m", .entity_version = "2", .model = second}};
	const score_route routes[] = {{"m-1", first_percent, 0}, {"m-2", second_percent, 0}};
	score_endpoint_options options = SCORE_ENDPOINT_OPTIONS_INIT;
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint *endpoint = NULL;
	options.observers = observer;
	options.n_observers = observer ? 1 : 0;
	config.served_entities = entities;
	config.routes = routes;
	config.n_served_entities = config.n_routes = 2;
	config.shadow_names = &shadow;
	config.n_shadows = shadow ? 1 : 0;
	assert_int_equal(score_endpoint_new(&options, &config, &endpoint, NULL), SCORE_OK);
	return endpoint;
}
