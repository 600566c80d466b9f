/*
 * Changes of an endpoint that the input dictates, sensible and not: served entities, routes, shadows, slots. A refused change leaves
 * all as it was; after each one the slots have the percentages, and every way to call is answered by who should answer.
 */
#include "fuzz_rows.h"
#include "served_models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_MODELS 4u
#define MOST_ENTITIES 5u
#define MOST_CHANGES 24u
#define N_ROWS 7u

static const char *const some_names[] = {"a-1", "a-2", "b-1", "a", "b", "1", "2", "", NULL, "bad \xff", "gr\xc3\xbcn",
	"a name that is much longer than any name of a version may be, since one hundred and twenty-seven bytes are all that there are for it"};

typedef struct config {
	score_served_entity entities[MOST_ENTITIES];
	score_route routes[MOST_ENTITIES];
	const char *shadows[MOST_ENTITIES];
	uint8_t slots[SCORE_TRAFFIC_SLOTS];
	score_endpoint_config c;
} config;

typedef struct state {
	score_endpoint *endpoint;
	score_endpoint_reader *reader;
	score_model **models;
	uint8_t is_held[N_MODELS]; /* taken and not yet given back */
} state;

static const char *take_name(fuzz_bytes *in)
{
	return some_names[fuzz_below(in, fuzz_below(in, 4) ? 6 : sizeof some_names / sizeof some_names[0])];
}

static void given_back(void *context)
{
	uint8_t *is_held = context;
	if (!*is_held)
		fuzz_fail("a model is given back that was not taken, or twice");
	*is_held = 0;
}

static score_served_entity take_entity(fuzz_bytes *in, state *s)
{
	score_served_entity e = {.name = take_name(in), .release = given_back};
	e.entity_name = fuzz_below(in, 2) ? "a" : take_name(in);
	e.entity_version = fuzz_below(in, 2) ? "1" : take_name(in);
	const uint32_t which = fuzz_below(in, 4) ? fuzz_below(in, 3) : 3;
	e.model = fuzz_below(in, 16) == 15 ? NULL : s->models[which];
	e.release_context = s->is_held + which;
	return e;
}

static void take_models(const score_served_entity *entities, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*(uint8_t *)entities[i].release_context = 1;
}

/* Percentages that often add up to 100. */
static size_t take_routes(fuzz_bytes *in, score_route *routes)
{
	const size_t n = fuzz_below(in, MOST_ENTITIES + 1);
	int32_t left = 100;
	for (size_t i = 0; i < n; i++) {
		routes[i] = (score_route){take_name(in), i + 1 == n ? left : (int32_t)fuzz_below(in, (uint32_t)left + 1), 0};
		left -= routes[i].traffic_percentage;
		if (fuzz_below(in, 32) == 31)
			routes[i].traffic_percentage = (int32_t)fuzz_take(in, 4);
	}
	return n;
}

static size_t take_shadows(fuzz_bytes *in, const char **shadows)
{
	const size_t n = fuzz_below(in, 3) ? 0 : fuzz_below(in, MOST_ENTITIES);
	for (size_t i = 0; i < n; i++)
		shadows[i] = take_name(in);
	return n;
}

static void take_config(fuzz_bytes *in, state *s, config *c)
{
	c->c = (score_endpoint_config)SCORE_ENDPOINT_CONFIG_INIT;
	c->c.n_served_entities = fuzz_below(in, MOST_ENTITIES + 1);
	for (size_t i = 0; i < c->c.n_served_entities; i++)
		c->entities[i] = take_entity(in, s);
	c->c.served_entities = c->entities;
	c->c.n_routes = take_routes(in, c->routes);
	c->c.routes = c->routes;
	c->c.n_shadows = take_shadows(in, c->shadows);
	c->c.shadow_names = c->shadows;
	if (fuzz_below(in, 4) == 3) {
		for (size_t i = 0; i < SCORE_TRAFFIC_SLOTS; i++)
			c->slots[i] = (uint8_t)fuzz_below(in, fuzz_below(in, 16) == 15 ? 256 : 2);
		c->c.slots = c->slots;
	}
}

/* ---- what must hold ----------------------------------------------------------------------------- */

static uint32_t check_slots(const state *s, score_served_info *served)
{
	uint8_t slots[SCORE_TRAFFIC_SLOTS];
	int32_t counts[256] = {0}, total = 0;
	const uint64_t generation = score_endpoint_slots(s->endpoint, slots);
	uint32_t n = 0;
	for (size_t i = 0; i < SCORE_TRAFFIC_SLOTS; i++)
		counts[slots[i]]++;
	for (; n < 256; n++, total += counts[n - 1]) {
		served[n] = (score_served_info){.struct_size = sizeof *served};
		if (score_endpoint_get_served(s->endpoint, n, served + n) != SCORE_OK)
			break;
		if (served[n].traffic_percentage != counts[n] || served[n].generation != generation)
			fuzz_fail("entity %u has %d %% and %d slots", n, (int)served[n].traffic_percentage, (int)counts[n]);
	}
	if (n == 0 || total != SCORE_TRAFFIC_SLOTS || n != served[0].n_served_entities)
		fuzz_fail("%u entities with %d slots", n, (int)total);
	return n;
}

static void check_answer(const score_served_info *served, const double *out, const score_answer *answer, uint32_t n)
{
	if (answer->n_served == 1 && (answer->served >= n || strcmp(answer->served_name, served[answer->served].name) != 0))
		fuzz_fail("'%s' answers as number %u", answer->served_name, answer->served);
	for (size_t r = 1; r < N_ROWS && answer->n_served == 1; r++)
		if (out[r] != out[0])
			fuzz_fail("two versions in one call");
}

static void call(fuzz_bytes *in, state *s, const score_served_info *served, uint32_t n)
{
	static const double rows[N_ROWS * 2] = {1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2};
	static const int64_t keys[N_ROWS] = {1, 2, 3, 4, 5, 6, 7};
	const score_column row_keys = {keys, NULL, 0, 0, SCORE_I64, 0};
	const score_input input = score_input_rows_f64(rows, N_ROWS, 2);
	score_request request = SCORE_REQUEST_INIT;
	score_answer answer = SCORE_ANSWER_INIT;
	score_error error;
	double out[N_ROWS];
	uint32_t row_served[N_ROWS];
	char key[4];
	const uint32_t way = fuzz_below(in, 6);
	memcpy(key, &(uint32_t){(uint32_t)fuzz_take(in, 4)}, sizeof key);
	request.output = fuzz_below(in, 4) ? SCORE_OUTPUT_MARGIN : (score_output)fuzz_below(in, 6);
	request.request_id = "r";
	request.flags = way == 0 ? SCORE_REQUEST_BY_ID : 0;
	request.served_name = way == 1 ? take_name(in) : NULL;
	request.key = way == 2 ? key : NULL;
	request.key_length = way == 2 ? fuzz_below(in, 5) : 0;
	request.row_keys = way == 3 ? &row_keys : NULL;
	request.row_served = way == 3 ? row_served : NULL;
	request.scratch_bytes = fuzz_below(in, 3) ? score_endpoint_scratch_bytes(s->endpoint, request.output, 2) : fuzz_below(in, 4000);
	request.scratch = malloc(request.scratch_bytes + 1);
	const score_status status = score_endpoint_batch(s->reader, &input, out, N_ROWS, &request, &answer, &error);
	free(request.scratch);
	if (status != SCORE_OK) {
		fuzz_check_failure(status, NULL, &error);
		return;
	}
	check_answer(served, out, &answer, n);
	for (size_t r = 0; r < N_ROWS && way == 3; r++)
		if (row_served[r] >= n || served[row_served[r]].traffic_percentage == 0)
			fuzz_fail("row %zu was scored by number %u", r, row_served[r]);
	if (way == 2 && served[answer.served].traffic_percentage == 0)
		fuzz_fail("'%s' has no traffic and answers", answer.served_name);
}

/* ---- changes ------------------------------------------------------------------------------------ */

static score_status change(fuzz_bytes *in, state *s, score_error *error)
{
	config c;
	score_served_entity entity;
	score_status status;
	switch (fuzz_below(in, 8)) {
	case 0:
		take_config(in, s, &c);
		status = score_endpoint_update(s->endpoint, &c.c, error);
		take_models(c.entities, status == SCORE_OK ? c.c.n_served_entities : 0);
		return status;
	case 1:
		entity = take_entity(in, s);
		status = score_endpoint_add(s->endpoint, &entity, error);
		take_models(&entity, status == SCORE_OK);
		return status;
	case 2:
		entity = take_entity(in, s);
		status = score_endpoint_replace(s->endpoint, take_name(in), &entity, error);
		take_models(&entity, status == SCORE_OK);
		return status;
	case 3: return score_endpoint_remove(s->endpoint, take_name(in), error);
	case 4:
		c.c.n_routes = take_routes(in, c.routes);
		return score_endpoint_set_traffic(s->endpoint, c.routes, c.c.n_routes, error);
	case 5:
		c.c.n_shadows = take_shadows(in, c.shadows);
		return score_endpoint_set_shadows(s->endpoint, c.shadows, c.c.n_shadows, error);
	case 6: return score_endpoint_rollback(s->endpoint, error);
	default:
		if (score_endpoint_settle(s->endpoint) != 0)
			fuzz_fail("a configuration waits, and no call runs");
		return SCORE_OK;
	}
}

static void run(fuzz_bytes *in, state *s)
{
	score_served_info served[257];
	uint8_t before[SCORE_TRAFFIC_SLOTS], after[SCORE_TRAFFIC_SLOTS];
	score_error error;
	for (uint32_t i = 0; i < MOST_CHANGES && in->size > 0; i++) {
		const uint64_t was = score_endpoint_slots(s->endpoint, before);
		const score_status status = change(in, s, &error);
		if (status != SCORE_OK) {
			fuzz_check_failure(status, NULL, &error);
			if (score_endpoint_slots(s->endpoint, after) != was || memcmp(before, after, sizeof after) != 0)
				fuzz_fail("a refused change has changed the slots");
		}
		const uint32_t n = check_slots(s, served);
		call(in, s, served, n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static score_model *models[N_MODELS];
	fuzz_bytes in = {data, size};
	fuzz_memory memory;
	score_error error;
	config c;
	state s = {NULL, NULL, models, {0}};
	score_allocator allocator = fuzz_allocator(&memory, (size_t)16 << 20);
	score_endpoint_options options = SCORE_ENDPOINT_OPTIONS_INIT;
	if (!models[0]) {
		for (uint32_t i = 0; i < 3; i++)
			models[i] = answering_model(i + 1.0);
		models[3] = scaling_model(2.0);
	}
	options.allocator = &allocator;
	options.name = fuzz_below(&in, 8) == 7 ? take_name(&in) : "endpoint";
	options.salt = fuzz_below(&in, 2) ? 0 : fuzz_take(&in, 8);
	take_config(&in, &s, &c);
	if (fuzz_below(&in, 4)) { /* begin with something that serves */
		c.entities[0] = (score_served_entity){.entity_name = "a", .entity_version = "1", .model = models[0], .release = given_back,
			.release_context = s.is_held};
		c.c.n_served_entities = 1;
		c.c.n_routes = c.c.n_shadows = 0;
		c.c.slots = NULL;
	}
	const score_status status = score_endpoint_new(&options, &c.c, &s.endpoint, &error);
	if (status != SCORE_OK) {
		fuzz_check_failure(status, s.endpoint, &error);
	} else {
		take_models(c.entities, c.c.n_served_entities);
		if (score_endpoint_reader_new(s.endpoint, &s.reader, &error) != SCORE_OK)
			fuzz_fail("no reader: %s", error.message);
		run(&in, &s);
		score_endpoint_reader_free(s.reader);
		score_endpoint_free(s.endpoint);
	}
	for (uint32_t i = 0; i < N_MODELS; i++)
		if (s.is_held[i])
			fuzz_fail("model %u was not given back", i);
	if (memory.held)
		fuzz_fail("%zu bytes were not freed", memory.held);
	return 0;
}
