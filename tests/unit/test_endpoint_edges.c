/*
 * Endpoints at their edges: versions whose labels, types and widths differ, models that are handed in again, shadows for which there is
 * no room, and rows with a key each in every layout, type and size of scratch.
 */
#define _XOPEN_SOURCE 700
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

#include "capture_fixture.h"
#include "deploy/capture_parts.h"
#include "expect_error.h"
#include "metered_memory.h"
#include "served_models.h"

static score_error error;

/* ---- models ------------------------------------------------------------------------------------------------------------------ */

enum { F_A, F_B, F_ON, F_CITY, N_FEATURES };

typedef struct version_spec {
	const char *const *labels; /* of "city"; NULL: categories without */
	const double *codes;
	size_t n_labels;
	double unknown;
	uint32_t flags;
	bool city_is_number;
	uint32_t n_outputs;
	score_link link;
	double scale;
	uint32_t more_trees;
} version_spec;

static const char *const cities[] = {"Oslo", "Rome", "Bonn"};
#define USUAL .labels = cities, .n_labels = 3, .unknown = -1, .n_outputs = 1, .scale = 1

/* A stump per feature, whose leaf is a power of two times the scale: any changed value changes the sum. */
static score_model *make_version(const version_spec *spec)
{
	static const char *const names[] = {"a", "b", "on", "city"};
	static const double cuts[] = {10, 20, 0.5};
	static const uint32_t set[] = {0};
	score_contract contract = SCORE_CONTRACT_INIT(N_FEATURES, spec->n_outputs);
	score_builder *b;
	score_model *model;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	for (uint32_t i = 0; i < N_FEATURES; i++)
		assert_int_equal(score_builder_set_feature(b, i, names[i], i == F_CITY && !spec->city_is_number ? SCORE_FEATURE_CATEGORY :
			SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	if (spec->labels)
		assert_int_equal(score_builder_set_dictionary(b, F_CITY, spec->labels, spec->codes, spec->n_labels, spec->unknown, spec->flags,
			&error), SCORE_OK);
	for (uint32_t i = 0; i < N_FEATURES + spec->more_trees; i++) {
		const bool in_set = i == F_CITY && !spec->city_is_number;
		const uint32_t feature = i < N_FEATURES ? i : 0;
		const score_node nodes[] = {{.left = 1, .right = 2, .feature = feature, .test = in_set ? SCORE_TEST_IN_LEFT : SCORE_TEST_LE,
			.value = in_set ? 0 : cuts[feature % 3], .n_categories = in_set ? 1 : 0},
			{.test = SCORE_TEST_LEAF, .value = spec->scale * (1u << feature)}, {.test = SCORE_TEST_LEAF, .value = 0}};
		score_tree tree = SCORE_TREE_INIT;
		tree.nodes = nodes;
		tree.n_nodes = 3;
		tree.categories = set;
		tree.n_categories = 1;
		assert_int_equal(score_builder_add_tree(b, &tree, &error), SCORE_OK);
	}
	assert_int_equal(score_builder_set_link(b, spec->link, 1, NULL), SCORE_OK);
	if (score_builder_finish(b, &model, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	score_builder_free(b);
	return model;
}

static int n_released;

static void count_release(void *context)
{
	(void)context;
	n_released++;
}

/* ---- what fits --------------------------------------------------------------------------------------------------------------------- */

static score_status serve_two(const score_model *first, const score_model *second, uint32_t flags, score_endpoint **out)
{
	const score_served_entity entities[] = {{.entity_name = "m", .entity_version = "1", .model = first},
		{.entity_name = "m", .entity_version = "2", .model = second}};
	const score_route routes[] = {{"m-1", 50, 0}, {"m-2", 50, 0}};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint_options o = SCORE_ENDPOINT_OPTIONS_INIT;
	config.served_entities = entities;
	config.routes = routes;
	config.n_served_entities = config.n_routes = 2;
	o.flags = flags;
	*out = (score_endpoint *)&error;
	return score_endpoint_new(&o, &config, out, &error);
}

static void refused_beside(const score_model *first, const version_spec *spec, uint32_t flags, const char *message)
{
	score_endpoint *e;
	score_model *second = make_version(spec);
	expect_error(serve_two(first, second, flags, &e), &error, SCORE_ERR_SHAPE, message);
	assert_null(e);
	score_model_free(second);
}

static void versions_of_other_shapes(void **state)
{
	const char *const type = "served_entities[1].model: feature 'city' is of another type than in the other versions (number, category, "
		"category with labels)";
	score_model *first = make_version(&(version_spec){USUAL});
	(void)state;
	refused_beside(first, &(version_spec){.n_outputs = 1, .scale = 1}, 0, type);
	refused_beside(first, &(version_spec){.n_outputs = 1, .scale = 1, .city_is_number = true}, 0, type);
	refused_beside(first, &(version_spec){.labels = cities, .n_labels = 3, .n_outputs = 2, .scale = 1}, 0,
		"served_entities[1].model: gives 2 margins and 2 predictions per row, expected 1 and 1 as from the other versions");
	refused_beside(first, &(version_spec){USUAL, .link = SCORE_LINK_BINARY_PAIR}, 0,
		"served_entities[1].model: gives 1 margins and 2 predictions per row, expected 1 and 1 as from the other versions");
	score_model_free(first);
}

static void versions_of_other_labels(void **state)
{
	static const char *const turned[] = {"Rome", "Bonn", "Oslo"}, *const others[] = {"Oslo", "Rome", "Lund"};
	static const double turned_codes[] = {1, 2, 0}, other_codes[] = {0, 1, 5};
	const char *const message = "served_entities[1].model: the labels of feature 'city' are not those of the other versions, or have other "
		"codes";
	const version_spec differing[] = {
		{.labels = cities, .n_labels = 2, .unknown = -1, .n_outputs = 1, .scale = 1},
		{.labels = others, .n_labels = 3, .unknown = -1, .n_outputs = 1, .scale = 1},
		{.labels = cities, .codes = other_codes, .n_labels = 3, .unknown = -1, .n_outputs = 1, .scale = 1},
		{.labels = cities, .n_labels = 3, .unknown = (double)NAN, .n_outputs = 1, .scale = 1},
		{.labels = cities, .n_labels = 3, .unknown = -2, .n_outputs = 1, .scale = 1},
		{.labels = (const char *const[]){"1", "2", "3"}, .n_labels = 3, .unknown = -1, .flags = SCORE_DICTIONARY_NUMBERS, .n_outputs = 1, .scale = 1},
	};
	score_model *first = make_version(&(version_spec){USUAL}), *same = make_version(&(version_spec){.labels = turned, .codes = turned_codes,
		.n_labels = 3, .unknown = -1, .n_outputs = 1, .scale = 2});
	score_endpoint *e;
	(void)state;
	for (size_t i = 0; i < sizeof differing / sizeof differing[0]; i++) {
		score_model *second = make_version(differing + i);
		refused_beside(first, differing + i, SCORE_ENDPOINT_SAME_LABELS, message);
		assert_int_equal(serve_two(first, second, 0, &e), SCORE_OK); /* who does not ask for it has both */
		score_endpoint_free(e);
		score_model_free(second);
	}
	assert_int_equal(serve_two(first, same, SCORE_ENDPOINT_SAME_LABELS, &e), SCORE_OK);
	score_endpoint_free(e);
	score_model *missing[2];
	for (int i = 0; i < 2; i++) /* NaN is the same code as NaN */
		missing[i] = make_version(&(version_spec){.labels = cities, .n_labels = 3, .unknown = (double)NAN, .n_outputs = 1, .scale = 1});
	assert_int_equal(serve_two(missing[0], missing[1], SCORE_ENDPOINT_SAME_LABELS, &e), SCORE_OK);
	score_endpoint_free(e);
	for (int i = 0; i < 2; i++)
		score_model_free(missing[i]);
	score_model_free(first);
	score_model_free(same);
}

/* Codes that the host has looked up belong to all versions or to none. */
static void codes_of_labels(void **state)
{
	static const double numbers[] = {1, 1}, codes[] = {1, 0};
	static const int32_t offsets[] = {0, 4, 8};
	score_strings strings = SCORE_STRINGS_INIT;
	score_model *first = make_version(&(version_spec){USUAL});
	(void)state;
	strings.offsets = offsets;
	strings.offset_type = SCORE_I32;
	strings.data = "OsloRome";
	strings.codes = codes;
	const int32_t indices[] = {0, 1};
	strings.indices = indices;
	strings.index_type = SCORE_I32;
	strings.n_strings = 2;
	const score_column number = {.values = numbers, .dtype = SCORE_F64};
	const score_column columns[] = {number, number, number, {.values = &strings, .dtype = SCORE_STRING}};
	const score_input in = score_input_columns(columns, 2, 4);
	for (int same = 0; same < 2; same++) {
		score_endpoint *e;
		score_endpoint_reader *r;
		double out[2];
		assert_int_equal(serve_two(first, first, same ? SCORE_ENDPOINT_SAME_LABELS : 0, &e), SCORE_OK);
		assert_int_equal(score_endpoint_reader_new(e, &r, NULL), SCORE_OK);
		const score_status status = score_endpoint_batch(r, &in, out, 2, NULL, NULL, &error);
		if (same)
			assert_true(status == SCORE_OK && out[0] == 3 && out[1] == 11); /* the codes are believed: Oslo is 1, Rome is 0 */
		else
			expect_error(status, &error, SCORE_ERR_ARGUMENT, "column 3 has codes of one model; through an endpoint give the strings alone");
		score_endpoint_reader_free(r);
		score_endpoint_free(e);
	}
	score_model_free(first);
}

static void entities_without_one_model(void **state)
{
	score_model *model = answering_model(1);
	size_t size;
	void *bytes = model_bytes(model, 0, &size);
	score_model_cache *cache;
	score_model_ref *ref;
	score_served_entity entity = {.entity_name = "m", .entity_version = "1"};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint *e;
	(void)state;
	config.served_entities = &entity;
	config.n_served_entities = 1;
	assert_int_equal(score_model_cache_new(NULL, &cache, NULL), SCORE_OK);
	assert_int_equal(score_model_cache_open_memory(cache, bytes, size, &ref, NULL), SCORE_OK);
	expect_error(score_endpoint_new(NULL, &config, &e, &error), &error, SCORE_ERR_ARGUMENT,
		"served_entities[0].model: expected a model or a model_ref, found neither");
	entity.model = model;
	entity.model_ref = ref;
	expect_error(score_endpoint_new(NULL, &config, &e, &error), &error, SCORE_ERR_ARGUMENT,
		"served_entities[0].model: expected a model or a model_ref, found both");
	config.n_served_entities = 256;
	expect_error(score_endpoint_new(NULL, &config, &e, &error), &error, SCORE_ERR_ARGUMENT, "served_entities: expected 1 to 255, found 256");
	/* A claim is kept through every change, as long as its version is served. */
	config.n_served_entities = 1;
	entity.model = NULL;
	assert_int_equal(score_endpoint_new(NULL, &config, &e, &error), SCORE_OK);
	score_model_ref_release(ref);
	const score_served_entity second = {.entity_name = "m", .entity_version = "2", .model = model};
	assert_int_equal(score_endpoint_add(e, &second, &error), SCORE_OK);
	score_model_cache_counts counts = {.struct_size = sizeof counts};
	assert_int_equal(score_model_cache_get_counts(cache, &counts), SCORE_OK);
	assert_int_equal(counts.n_claimed, 1);
	score_endpoint_free(e);
	assert_int_equal(score_model_cache_get_counts(cache, &counts), SCORE_OK);
	assert_int_equal(counts.n_claimed, 0);
	score_model_cache_free(cache);
	score_model_free(model);
	free(bytes);
}

static void a_capture_may_refuse_a_model(void **state)
{
	fixture_directory folder;
	score_model *model = answering_model(1);
	const score_served_entity entity = {.entity_name = "m", .entity_version = "1", .model = model};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint_options o = SCORE_ENDPOINT_OPTIONS_INIT;
	score_endpoint *e;
	(void)state;
	fixture_directory_make(&folder);
	score_capture *c = fixture_capture(&folder);
	c->n_models = CAPTURE_MAX_MODELS;
	config.served_entities = &entity;
	config.n_served_entities = 1;
	o.capture = c;
	expect_error(score_endpoint_new(&o, &config, &e, &error), &error, SCORE_ERR_LIMIT, "served_entities[0].model: the capture refuses it: a "
		"capture logs at most 65536 different models: make a new one");
	c->n_models = 0;
	/* One model under two names leaves the log with the last of them. */
	const score_served_entity second = {.entity_name = "m", .entity_version = "2", .model = model, .release = count_release};
	assert_int_equal(score_endpoint_new(&o, &config, &e, &error), SCORE_OK);
	assert_int_equal(score_endpoint_add(e, &second, &error), SCORE_OK);
	assert_int_equal(score_endpoint_remove(e, "m-2", &error), SCORE_OK);
	assert_int_equal(score_endpoint_settle(e), 0);
	assert_non_null(deploy_capture_find_model(c, model));
	score_endpoint_free(e);
	assert_null(deploy_capture_find_model(c, model));
	score_capture_free(c);
	fixture_directory_remove(&folder);
	score_model_free(model);
}

/* ---- models that come again -------------------------------------------------------------------------------------------------------- */

static struct {
	score_endpoint *endpoint;
	score_served_entity entity;
	int n_calls;
} again;

/* While a call is inside, what serves it is replaced twice, and handed in anew: it is the same model, released once. */
static void replace_twice(void *context, const score_call *call)
{
	static score_model *other;
	(void)context;
	(void)call;
	if (again.n_calls++)
		return;
	other = answering_model(9);
	const score_served_entity third = {.entity_name = "m", .entity_version = "1", .model = other};
	assert_int_equal(score_endpoint_replace(again.endpoint, "m-1", &third, &error), SCORE_OK);
	assert_int_equal(score_endpoint_replace(again.endpoint, "m-1", &third, &error), SCORE_OK);
	assert_int_equal(score_endpoint_replace(again.endpoint, "m-1", &again.entity, &error), SCORE_OK);
	assert_int_equal(n_released, 0);
	assert_int_equal(score_endpoint_settle(again.endpoint), 3); /* all that ran since the call began */
}

static void a_model_that_is_handed_in_again_is_released_once(void **state)
{
	const double row[] = {0, 0};
	const score_input in = score_input_rows_f64(row, 1, 2);
	const score_observer observer = {replace_twice, NULL};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_model *model = answering_model(3);
	score_endpoint_reader *r;
	double out = 0;
	(void)state;
	n_released = 0;
	again.n_calls = 0;
	again.entity = (score_served_entity){.entity_name = "m", .entity_version = "1", .model = model, .release = count_release,
		.observer = observer};
	config.served_entities = &again.entity;
	config.n_served_entities = 1;
	assert_int_equal(score_endpoint_new(NULL, &config, &again.endpoint, &error), SCORE_OK);
	assert_int_equal(score_endpoint_reader_new(again.endpoint, &r, NULL), SCORE_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(score_endpoint_batch(r, &in, &out, 1, NULL, NULL, &error), SCORE_OK);
		assert_true(out == 3);
	}
	assert_int_equal(again.n_calls, 2);
	assert_int_equal(score_endpoint_settle(again.endpoint), 0);
	assert_int_equal(n_released, 0);
	score_endpoint_reader_free(r);
	score_endpoint_free(again.endpoint);
	assert_int_equal(n_released, 1);
	score_model_free(model);
}

/* Readers that the host forgot go with the endpoint. */
static void forgotten_readers(void **state)
{
	metered_memory m = {SIZE_MAX, 0, 0};
	const score_allocator allocator = metered_allocator(&m);
	score_model *model = answering_model(3);
	const score_served_entity entity = {.entity_name = "m", .entity_version = "1", .model = model};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint_options o = SCORE_ENDPOINT_OPTIONS_INIT;
	score_endpoint_reader *r;
	score_endpoint *e;
	(void)state;
	o.allocator = &allocator;
	config.served_entities = &entity;
	config.n_served_entities = 1;
	assert_int_equal(score_endpoint_new(&o, &config, &e, &error), SCORE_OK);
	for (int i = 0; i < 2; i++)
		assert_int_equal(score_endpoint_reader_new(e, &r, &error), SCORE_OK);
	assert_true(m.held > 0);
	score_endpoint_free(e);
	assert_int_equal(m.held, 0);
	score_model_free(model);
}

/* ---- shadows ------------------------------------------------------------------------------------------------------------------------- */

static struct {
	int n, n_shadow;
	score_status shadow_status;
	int64_t shadow_rows;
} told;

static void note(void *context, const score_call *call)
{
	(void)context;
	told.n++;
	if (call->flags & SCORE_CALL_SHADOW) {
		told.n_shadow++;
		told.shadow_status = call->status;
		told.shadow_rows += call->status == SCORE_OK ? call->input->n_rows : 0;
	}
}

static score_endpoint *shadowed(const score_model *first, const score_model *second, score_endpoint_reader **r)
{
	const score_observer observer = {note, NULL};
	const char *const shadow[] = {"m-2"};
	score_endpoint *e;
	const score_served_entity entities[] = {{.entity_name = "m", .entity_version = "1", .model = first, .observer = observer},
		{.entity_name = "m", .entity_version = "2", .model = second, .observer = observer}};
	const score_route routes[] = {{"m-1", 100, 0}, {"m-2", 0, 0}};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	config.served_entities = entities;
	config.routes = routes;
	config.n_served_entities = config.n_routes = 2;
	config.shadow_names = shadow;
	config.n_shadows = 1;
	if (score_endpoint_new(NULL, &config, &e, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(score_endpoint_reader_new(e, r, NULL), SCORE_OK);
	memset(&told, 0, sizeof told);
	return e;
}

static void shadows_without_room(void **state)
{
	enum { WIDE = 300, ROWS = 3 };
	static const double rows[ROWS * N_FEATURES];
	static double out[ROWS * WIDE];
	static _Alignas(64) char scratch[8 << 20];
	score_model *wide = make_version(&(version_spec){.labels = cities, .n_labels = 3, .n_outputs = WIDE, .scale = 1,
		.more_trees = WIDE - N_FEATURES});
	const score_input in = score_input_rows_f64(rows, ROWS, N_FEATURES), none = score_input_rows_f64(rows, 0, N_FEATURES);
	score_request request = SCORE_REQUEST_INIT;
	score_endpoint_reader *r;
	(void)state;
	score_endpoint *e = shadowed(wide, wide, &r);
	/* A row of it is wider than the stack that there is without scratch. */
	assert_int_equal(score_endpoint_batch(r, &in, out, ROWS * WIDE, &request, NULL, &error), SCORE_OK);
	assert_true(told.n == 2 && told.n_shadow == 1 && told.shadow_status == SCORE_ERR_LIMIT);
	memset(&told, 0, sizeof told);
	assert_int_equal(score_endpoint_batch(r, &none, out, ROWS * WIDE, &request, NULL, &error), SCORE_OK);
	assert_int_equal(told.n_shadow, 0);
	request.scratch = scratch;
	request.scratch_bytes = score_endpoint_scratch_bytes(e, SCORE_OUTPUT_PREDICTION, N_FEATURES);
	assert_true(request.scratch_bytes > 0 && request.scratch_bytes <= sizeof scratch);
	memset(&told, 0, sizeof told);
	assert_int_equal(score_endpoint_batch(r, &in, out, ROWS * WIDE, &request, NULL, &error), SCORE_OK);
	assert_true(told.shadow_status == SCORE_OK && told.shadow_rows == ROWS);
	score_endpoint_reader_free(r);
	score_endpoint_free(e);
	score_model_free(wide);
}

/* The answering version has leaves, the shadow is linear. */
static void shadows_that_cannot_answer(void **state)
{
	score_contract contract = SCORE_CONTRACT_INIT(2, 1);
	static const score_node nodes[] = {{.left = 1, .right = 2, .test = SCORE_TEST_LE, .value = 1}, {.value = 1}, {.value = 2}};
	const double row[] = {0, 0};
	const score_input in = score_input_rows_f64(row, 1, 2);
	score_tree tree = SCORE_TREE_INIT;
	score_request request = SCORE_REQUEST_INIT;
	score_model *linear = answering_model(1), *trees;
	score_endpoint_reader *r;
	score_builder *b;
	double out;
	(void)state;
	tree.nodes = nodes;
	tree.n_nodes = 3;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 0, "a", SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 1, "b", SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &tree, NULL), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &trees, NULL), SCORE_OK);
	score_builder_free(b);
	score_endpoint *e = shadowed(trees, linear, &r);
	request.output = SCORE_OUTPUT_LEAF;
	assert_int_equal(score_endpoint_batch(r, &in, &out, 1, &request, NULL, &error), SCORE_OK);
	assert_true(told.n_shadow == 1 && told.shadow_status == SCORE_ERR_UNSUPPORTED);
	request.output = 99;
	expect_error(score_endpoint_batch(r, &in, &out, 1, &request, NULL, &error), &error, SCORE_ERR_ARGUMENT, "unknown output 99");
	request.output = -1;
	expect_error(score_endpoint_batch(r, &in, &out, 1, &request, NULL, &error), &error, SCORE_ERR_ARGUMENT, "unknown output -1");
	assert_int_equal(score_endpoint_scratch_bytes(e, 99, 2), 0);
	assert_int_equal(score_endpoint_scratch_bytes(e, -1, 2), 0);
	assert_int_equal(score_endpoint_scratch_bytes(e, SCORE_OUTPUT_LEAF, SIZE_MAX), 0);
	score_endpoint_reader_free(r);
	score_endpoint_free(e);
	score_model_free(linear);
	score_model_free(trees);
}

/* ---- rows with a key each ---------------------------------------------------------------------------------------------------------------- */

enum { KEYED = 1100, LAYOUTS = 8 };

static struct {
	int64_t keys[KEYED];
	double rows[KEYED][N_FEATURES], strided[KEYED][2 * N_FEATURES];
	float a32[KEYED], rows32[KEYED][N_FEATURES];
	int16_t b16[KEYED];
	uint8_t bits[KEYED / 8 + 1], valid[KEYED / 8 + 1], bytes[KEYED];
	int8_t index8[KEYED];
	int64_t index64[KEYED];
	int32_t plain_offsets[KEYED + 1], word_offsets[4];
	char text[4 * KEYED + 1];
	score_strings plain, coded, coded64;
	score_column columns[N_FEATURES];
} keyed;

static void make_keyed(void)
{
	for (int r = 0; r < KEYED; r++) {
		const int city = r % 3;
		keyed.keys[r] = r * 7919;
		keyed.rows[r][F_A] = keyed.a32[r] = (float)(r % 21);
		keyed.rows[r][F_B] = keyed.b16[r] = (int16_t)(r % 41);
		keyed.rows[r][F_ON] = r % 5 == 0;
		keyed.rows[r][F_CITY] = city;
		keyed.bits[r / 8] |= (uint8_t)((r % 5 == 0) << r % 8);
		keyed.valid[r / 8] |= (uint8_t)(1u << r % 8);
		keyed.bytes[r] = r % 5 == 0;
		keyed.index8[r] = (int8_t)city;
		keyed.index64[r] = city;
		memcpy(keyed.text + 4 * (size_t)r, cities[city], 4);
		keyed.plain_offsets[r + 1] = 4 * (r + 1);
		for (int k = 0; k < N_FEATURES; k++) {
			keyed.rows32[r][k] = (float)keyed.rows[r][k];
			keyed.strided[r][2 * k] = keyed.rows[r][k];
			keyed.strided[r][2 * k + 1] = -99;
		}
	}
	for (int k = 0; k < 4; k++)
		keyed.word_offsets[k] = 4 * k;
	keyed.plain = (score_strings){.struct_size = sizeof(score_strings), .offsets = keyed.plain_offsets, .offset_type = SCORE_I32, .data = keyed.text};
	keyed.coded = (score_strings){.struct_size = sizeof(score_strings), .offsets = keyed.word_offsets, .offset_type = SCORE_I32,
		.data = "OsloRomeBonn", .indices = keyed.index8, .index_type = SCORE_I8, .n_strings = 3};
	keyed.coded64 = keyed.coded;
	keyed.coded64.indices = keyed.index64;
	keyed.coded64.index_type = SCORE_I64;
}

/* The same rows in every layout that can be copied together. */
static score_input keyed_input(int layout)
{
	score_input in = score_input_rows_f64(keyed.rows[0], KEYED, N_FEATURES);
	if (layout == 0)
		return in;
	if (layout == 1) {
		in.u.rows.column_stride_bytes = 0; /* that of the type */
		return in;
	}
	if (layout == 2) {
		in = score_input_rows_f64(keyed.strided[0], KEYED, N_FEATURES);
		in.u.rows.row_stride_bytes = sizeof keyed.strided[0];
		in.u.rows.column_stride_bytes = 16;
		return in;
	}
	if (layout == 3)
		return score_input_rows_f32(keyed.rows32[0], KEYED, N_FEATURES);
	keyed.columns[F_A] = (score_column){.values = keyed.a32, .validity = layout == 5 ? keyed.valid : NULL, .dtype = SCORE_F32};
	keyed.columns[F_B] = layout == 7 ? (score_column){.values = &keyed.rows[0][F_B], .stride_bytes = sizeof keyed.rows[0], .dtype = SCORE_F64} :
		(score_column){.values = keyed.b16, .dtype = SCORE_I16};
	keyed.columns[F_ON] = layout == 4 ? (score_column){.values = keyed.bytes, .dtype = SCORE_BOOL} :
		(score_column){.values = keyed.bits, .dtype = SCORE_BOOL_BITS};
	keyed.columns[F_CITY] = (score_column){.values = layout == 4 ? &keyed.plain : layout == 5 ? &keyed.coded : &keyed.coded64, .dtype = SCORE_STRING};
	return score_input_columns(keyed.columns, KEYED, N_FEATURES);
}

typedef struct keyed_setting {
	score_model *models[2];
	score_endpoint *endpoint;
	score_endpoint_reader *reader;
	double expected[2][KEYED];
} keyed_setting;

static int begin_keyed(void **state)
{
	keyed_setting *s = calloc(1, sizeof *s);
	make_keyed();
	const score_input in = keyed_input(0);
	for (int i = 0; i < 2; i++) {
		s->models[i] = make_version(&(version_spec){.labels = cities, .n_labels = 3, .unknown = -1, .n_outputs = 1, .scale = i ? 100 : 1,
			.more_trees = (uint32_t)i});
		assert_int_equal(score_batch(s->models[i], &in, s->expected[i], KEYED, NULL, NULL), SCORE_OK);
	}
	assert_int_equal(serve_two(s->models[0], s->models[1], 0, &s->endpoint), SCORE_OK);
	assert_int_equal(score_endpoint_reader_new(s->endpoint, &s->reader, NULL), SCORE_OK);
	*state = s;
	return 0;
}

static int end_keyed(void **state)
{
	keyed_setting *s = *state;
	score_endpoint_reader_free(s->reader);
	score_endpoint_free(s->endpoint);
	for (int i = 0; i < 2; i++)
		score_model_free(s->models[i]);
	free(s);
	return 0;
}

/* Whatever there is room for: copies together, rows where they stand, or a word that there must be more. */
static void every_layout_and_scratch_gives_the_same(void **state)
{
	keyed_setting *s = *state;
	static _Alignas(64) char scratch[(1 << 18) + 64];
	const score_column keys = {.values = keyed.keys, .dtype = SCORE_I64};
	static uint32_t served[KEYED];
	static double out[KEYED];
	for (int layout = 0; layout < LAYOUTS; layout++) {
		const score_input in = keyed_input(layout);
		const size_t full = score_endpoint_scratch_bytes(s->endpoint, SCORE_OUTPUT_PREDICTION, N_FEATURES);
		int n_refused = 0;
		assert_true(full > 0 && full <= 1 << 18);
		for (size_t bytes = 0; bytes <= full; bytes += bytes < full && bytes + 192 > full ? full - bytes : 192) {
			score_request request = SCORE_REQUEST_INIT;
			request.row_keys = &keys;
			request.row_served = bytes % 384 ? NULL : served;
			request.scratch = scratch + (bytes == full ? 0 : 1); /* any alignment will do */
			request.scratch_bytes = bytes;
			memset(out, 0, sizeof out);
			const score_status status = score_endpoint_batch(s->reader, &in, out, KEYED, &request, NULL, &error);
			if (status != SCORE_OK) {
				expect_error(status, &error, SCORE_ERR_ARGUMENT,
					"columns with a key per row need scratch: give score_endpoint_scratch_bytes() of it");
				assert_true(layout > 3 && bytes < full);
				n_refused++;
				continue;
			}
			for (int r = 0; r < KEYED; r++) {
				const bool second = out[r] == s->expected[1][r] && s->expected[1][r] != s->expected[0][r];
				assert_true(second || out[r] == s->expected[0][r]);
				if (request.row_served && s->expected[1][r] != s->expected[0][r])
					assert_int_equal(served[r], second);
			}
			if (bytes == full)
				break;
		}
		assert_true((n_refused > 0) == (layout > 3));
	}
}

static score_status ask_keyed(const keyed_setting *s, const score_input *in, const score_column *keys, score_output output, size_t out_len)
{
	static _Alignas(64) char scratch[1 << 18];
	static double out[KEYED * N_FEATURES * 2];
	score_request request = SCORE_REQUEST_INIT;
	request.row_keys = keys;
	request.output = output;
	request.scratch = scratch;
	request.scratch_bytes = sizeof scratch;
	return score_endpoint_batch(s->reader, in, out_len ? out : NULL, out_len, &request, NULL, &error);
}

/* score_strings.codes is of no use without indices, whatever stands there, in rows that are copied together too. */
static void codes_of_plain_strings_are_ignored(void **state)
{
	const keyed_setting *s = *state;
	score_endpoint *endpoint;
	score_endpoint_reader *reader;
	static _Alignas(64) char scratch[1 << 18];
	static double out[KEYED], wrong[KEYED];
	static uint32_t served[KEYED];
	const score_column keys = {.values = keyed.keys, .dtype = SCORE_I64};
	score_strings strings = keyed.plain;
	score_request request = SCORE_REQUEST_INIT;
	score_input in = keyed_input(4);
	assert_int_equal(serve_two(s->models[0], s->models[1], SCORE_ENDPOINT_SAME_LABELS, &endpoint), SCORE_OK);
	assert_int_equal(score_endpoint_reader_new(endpoint, &reader, NULL), SCORE_OK);
	for (int r = 0; r < KEYED; r++)
		wrong[r] = 7;
	strings.codes = wrong;
	keyed.columns[F_CITY].values = &strings;
	request.row_keys = &keys;
	request.row_served = served;
	request.scratch = scratch;
	request.scratch_bytes = sizeof scratch;
	assert_int_equal(score_endpoint_batch(reader, &in, out, KEYED, &request, NULL, &error), SCORE_OK);
	for (int r = 0; r < KEYED; r++)
		assert_true(out[r] == s->expected[served[r]][r]);
	score_endpoint_reader_free(reader);
	score_endpoint_free(endpoint);
}

/* A key's value decides, not the type that holds it. */
static void keys_of_every_type(void **state)
{
	const keyed_setting *s = *state;
	static int8_t n8[KEYED];
	static uint8_t u8[KEYED];
	static int16_t n16[KEYED];
	static uint16_t u16[KEYED];
	static int32_t n32[KEYED];
	static uint32_t u32[KEYED];
	static int64_t n64[KEYED];
	static uint64_t u64[KEYED];
	static double out[KEYED];
	static uint32_t served[2][KEYED];
	const score_input in = keyed_input(0);
	const score_column columns[] = {{.values = n64, .dtype = SCORE_I64}, {.values = u64, .dtype = SCORE_U64}, {.values = n32, .dtype = SCORE_I32},
		{.values = u32, .dtype = SCORE_U32}, {.values = n16, .dtype = SCORE_I16}, {.values = u16, .dtype = SCORE_U16},
		{.values = n8, .dtype = SCORE_I8}, {.values = u8, .dtype = SCORE_U8}};
	for (int r = 0; r < KEYED; r++) {
		u64[r] = u32[r] = u16[r] = u8[r] = (uint8_t)(r % 128);
		n64[r] = n32[r] = n16[r] = n8[r] = (int8_t)(r % 128);
	}
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
		score_request request = SCORE_REQUEST_INIT;
		request.row_keys = columns + i;
		request.row_served = served[i > 0];
		if (score_endpoint_batch(s->reader, &in, out, KEYED, &request, NULL, &error) != SCORE_OK)
			fail_msg("%s", error.message);
		assert_true(i == 0 || memcmp(served[0], served[1], sizeof served[0]) == 0);
	}
}

static void keys_that_are_none(void **state)
{
	const keyed_setting *s = *state;
	const score_input in = keyed_input(0);
	score_strings strings = keyed.coded64;
	score_column keys = {.values = NULL, .dtype = SCORE_I64};
	char message[120];
	const char *const nothing = "score_request.row_keys: has no values or a negative offset";
	expect_error(ask_keyed(s, &in, &keys, 0, KEYED), &error, SCORE_ERR_ARGUMENT, nothing);
	keys.values = keyed.keys;
	keys.offset = -1;
	expect_error(ask_keyed(s, &in, &keys, 0, KEYED), &error, SCORE_ERR_ARGUMENT, nothing);
	keys.offset = 0;
	keys.dtype = SCORE_F64;
	snprintf(message, sizeof message, "score_request.row_keys: dtype %d, expected strings or integers", (int)SCORE_F64);
	expect_error(ask_keyed(s, &in, &keys, 0, KEYED), &error, SCORE_ERR_ARGUMENT, message);
	keys = (score_column){.values = &strings, .dtype = SCORE_STRING};
	assert_int_equal(ask_keyed(s, &in, &keys, 0, KEYED), SCORE_OK);
	strings.index_type = SCORE_I32;
	strings.indices = keyed.plain_offsets; /* most are no number of a string: missing keys */
	assert_int_equal(ask_keyed(s, &in, &keys, 0, KEYED), SCORE_OK);
	strings = keyed.coded; /* by numbers of 8 bits */
	assert_int_equal(ask_keyed(s, &in, &keys, 0, KEYED), SCORE_OK);
	strings.index_type = SCORE_F32;
	snprintf(message, sizeof message, "score_request.row_keys: the indices of strings have dtype %d, expected integers", (int)SCORE_F32);
	expect_error(ask_keyed(s, &in, &keys, 0, KEYED), &error, SCORE_ERR_ARGUMENT, message);
	strings = keyed.plain;
	strings.struct_size = 16;
	snprintf(message, sizeof message, "score_request.row_keys: score_strings.struct_size is 16, expected %zu", sizeof strings);
	expect_error(ask_keyed(s, &in, &keys, 0, KEYED), &error, SCORE_ERR_ARGUMENT, message);
	strings.struct_size = sizeof strings;
	strings.offset_type = SCORE_I16;
	snprintf(message, sizeof message, "score_request.row_keys: the offsets of strings have dtype %d, not SCORE_I32 or SCORE_I64", (int)SCORE_I16);
	expect_error(ask_keyed(s, &in, &keys, 0, KEYED), &error, SCORE_ERR_ARGUMENT, message);
	strings.offset_type = SCORE_I32;
	strings.offsets = NULL;
	expect_error(ask_keyed(s, &in, &keys, 0, KEYED), &error, SCORE_ERR_ARGUMENT,
		"score_request.row_keys: the strings have no offsets (NULL)");
}

/* A missing number is an empty key, as a missing text is. */
static void missing_keys_are_empty(void **state)
{
	const keyed_setting *s = *state;
	static const uint8_t none[KEYED / 8 + 1];
	static uint32_t served[KEYED];
	double out[KEYED];
	uint8_t slots[SCORE_TRAFFIC_SLOTS];
	const score_input in = keyed_input(0);
	const score_column keys = {.values = keyed.keys, .validity = none, .dtype = SCORE_I64};
	score_request request = SCORE_REQUEST_INIT;
	request.row_keys = &keys;
	request.row_served = served;
	assert_int_equal(score_endpoint_batch(s->reader, &in, out, KEYED, &request, NULL, &error), SCORE_OK);
	assert_int_equal(score_endpoint_slots(s->endpoint, slots), 1);
	for (int r = 0; r < KEYED; r++)
		assert_int_equal(served[r], slots[score_endpoint_slot(s->endpoint, "", 0)]);
}

static void outputs_that_cannot_be_mixed(void **state)
{
	const keyed_setting *s = *state;
	const score_column keys = {.values = keyed.keys, .dtype = SCORE_I64};
	score_input in = keyed_input(0);
	char message[120];
	expect_error(ask_keyed(s, &in, &keys, SCORE_OUTPUT_LEAF, KEYED), &error, SCORE_ERR_SHAPE,
		"the versions give different numbers of values per row for this output: they cannot be mixed in one batch");
	snprintf(message, sizeof message, "out has room for %d values, %d rows of 1 values need %d", KEYED - 1, KEYED, KEYED);
	expect_error(ask_keyed(s, &in, &keys, 0, KEYED - 1), &error, SCORE_ERR_SHAPE, message);
	snprintf(message, sizeof message, "out has room for 0 values, %d rows of 1 values need %d", KEYED, KEYED);
	expect_error(ask_keyed(s, &in, &keys, 0, 0), &error, SCORE_ERR_SHAPE, message);
	score_request request = SCORE_REQUEST_INIT;
	request.row_keys = &keys;
	snprintf(message, sizeof message, "out has room for %d values, %d rows of 1 values need %d", KEYED, KEYED, KEYED);
	expect_error(score_endpoint_batch(s->reader, &in, NULL, KEYED, &request, NULL, &error), &error, SCORE_ERR_SHAPE, message);
	in.n_rows = -1;
	expect_error(ask_keyed(s, &in, &keys, 0, KEYED), &error, SCORE_ERR_SHAPE, "out has room for 1100 values, -1 rows of 1 values need 0");
	in.n_rows = 0;
	assert_int_equal(ask_keyed(s, &in, &keys, 0, 0), SCORE_OK);
}

/* What is wrong with rows is what score_batch() says of them. */
static void malformed_rows(void **state)
{
	const keyed_setting *s = *state;
	const score_column keys = {.values = keyed.keys, .dtype = SCORE_I64};
	double out[KEYED];
	score_error alone;
	for (int k = 0; k < 11; k++) {
		score_input in = keyed_input(k < 3 || k > 8 ? 0 : 4);
		score_strings strings = keyed.plain;
		if (k == 0)
			in.u.rows.data = NULL;
		else if (k == 1)
			in.dtype = SCORE_I16;
		else if (k == 2)
			in.n_columns = 3;
		else if (k == 3)
			keyed.columns[F_A].values = NULL;
		else if (k == 4)
			keyed.columns[F_A].offset = -1;
		else if (k == 5)
			keyed.columns[F_A].dtype = (score_dtype)99;
		else if (k == 6)
			in.u.columns.columns = NULL;
		else if (k == 7)
			in.n_columns = 2;
		else if (k > 8)
			in.n_columns = (int64_t)1 << (k == 9 ? 62 : 58); /* bytes of a row, of all rows, that no number holds */
		else
			strings.struct_size = 1;
		keyed.columns[F_CITY].values = &strings;
		const score_status status = score_batch(s->models[0], &in, out, KEYED, NULL, &alone);
		assert_int_not_equal(status, SCORE_OK);
		if (k == 6) /* nothing is there that could be cut into parts */
			continue;
		const score_status asked = ask_keyed(s, &in, &keys, 0, KEYED);
		assert_int_equal(asked, status);
		assert_int_equal(error.code, status);
	}
}

#define KEYED_TEST(TEST) cmocka_unit_test_setup_teardown(TEST, begin_keyed, end_keyed)

/* The log must not know a model that the host may free: another one may come to lie there. */
static void a_failed_endpoint_leaves_no_models_in_the_log(void **state)
{
	score_model *model = answering_model(1);
	const score_served_entity entity = {.entity_name = "m", .entity_version = "1", .model = model};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint_options o = SCORE_ENDPOINT_OPTIONS_INIT;
	score_endpoint *endpoint = NULL;
	metered_memory memory = {0};
	const score_allocator a = metered_allocator(&memory);
	fixture_directory d;
	size_t n_refused = 0;
	(void)state;
	fixture_directory_make(&d);
	score_capture *capture = fixture_capture(&d);
	config.served_entities = &entity;
	config.n_served_entities = 1;
	o.allocator = &a;
	o.capture = capture;
	for (; memory.left = n_refused, score_endpoint_new(&o, &config, &endpoint, &error) != SCORE_OK; n_refused++) {
		assert_int_equal(error.code, SCORE_ERR_MEMORY);
		assert_int_equal(capture->n_live_models, 0);
	}
	assert_true(n_refused > 2);
	assert_int_equal(capture->n_live_models, 1);
	score_endpoint_free(endpoint);
	assert_int_equal(capture->n_live_models, 0);
	score_capture_free(capture);
	fixture_directory_remove(&d);
	score_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_of_other_shapes),
		cmocka_unit_test(versions_of_other_labels),
		cmocka_unit_test(codes_of_labels),
		cmocka_unit_test(entities_without_one_model),
		cmocka_unit_test(a_capture_may_refuse_a_model),
		cmocka_unit_test(a_model_that_is_handed_in_again_is_released_once),
		cmocka_unit_test(forgotten_readers),
		cmocka_unit_test(shadows_without_room),
		cmocka_unit_test(shadows_that_cannot_answer),
		KEYED_TEST(every_layout_and_scratch_gives_the_same),
		KEYED_TEST(codes_of_plain_strings_are_ignored),
		KEYED_TEST(keys_of_every_type),
		KEYED_TEST(keys_that_are_none),
		KEYED_TEST(missing_keys_are_empty),
		KEYED_TEST(outputs_that_cannot_be_mixed),
		KEYED_TEST(malformed_rows),
		cmocka_unit_test(a_failed_endpoint_leaves_no_models_in_the_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
