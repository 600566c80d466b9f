/* Endpoints: what is refused, who answers, what observers see, when models are given back. */
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "served_models.h"

#include <scoreline/log.h>

#define N_MODELS 4

/* Model i answers i + 1. */
typedef struct fixture {
	score_model *models[N_MODELS];
	score_endpoint *endpoint;
	score_endpoint_reader *reader;
	int released[N_MODELS];
} fixture;

static const char *const version_names[] = {"1", "2", "3", "4"};

static void count_release(void *context)
{
	++*(int *)context;
}

static score_served_entity entity_of(fixture *f, int i)
{
	return (score_served_entity){.entity_name = "fraud_model", .entity_version = version_names[i], .model = f->models[i],
		.release = count_release, .release_context = f->released + i};
}

/* An endpoint that serves fraud_model-1 … -n by these percentages. */
static fixture serve(int n, const int32_t *percentages, const score_endpoint_options *options)
{
	fixture f = {.endpoint = NULL};
	static score_served_entity entities[N_MODELS];
	static const char *const names[] = {"fraud_model-1", "fraud_model-2", "fraud_model-3", "fraud_model-4"};
	score_route routes[N_MODELS];
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_error error;
	for (int i = 0; i < N_MODELS; i++)
		f.models[i] = answering_model(i + 1.0);
	for (int i = 0; i < n; i++) {
		entities[i] = entity_of(&f, i);
		entities[i].release = NULL; /* `f` moves */
		entities[i].release_context = NULL;
		routes[i] = (score_route){names[i], percentages[i], 0};
	}
	config.served_entities = entities;
	config.routes = routes;
	config.n_served_entities = config.n_routes = (size_t)n;
	if (score_endpoint_new(options, &config, &f.endpoint, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(score_endpoint_reader_new(f.endpoint, &f.reader, NULL), SCORE_OK);
	return f;
}

static void stop(fixture *f)
{
	score_endpoint_reader_free(f->reader);
	score_endpoint_free(f->endpoint);
	for (int i = 0; i < N_MODELS; i++)
		score_model_free(f->models[i]);
}

/* Score one row; returns the answer of the version. */
static double ask(const fixture *f, const score_request *request)
{
	const double row[] = {0.0, 0.0};
	double out = NAN;
	score_input in = score_input_rows_f64(row, 1, 2);
	score_error error;
	if (score_endpoint_batch(f->reader, &in, &out, 1, request, NULL, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	return out;
}

static double ask_key(const fixture *f, const char *key)
{
	score_request r = SCORE_REQUEST_INIT;
	r.key = key;
	r.key_length = strlen(key);
	return ask(f, &r);
}

#define N_KEYS 20000

static void ask_keys(const fixture *f, int *answers)
{
	char key[32];
	for (int i = 0; i < N_KEYS; i++) {
		snprintf(key, sizeof key, "customer-%d", i);
		answers[i] = (int)ask_key(f, key);
	}
}

static int count(const int *answers, int wanted)
{
	int n = 0;
	for (int i = 0; i < N_KEYS; i++)
		n += answers[i] == wanted;
	return n;
}

static void set_traffic(fixture *f, int n, const int32_t *percentages)
{
	static const char *const names[] = {"fraud_model-1", "fraud_model-2", "fraud_model-3", "fraud_model-4"};
	score_route routes[N_MODELS];
	score_error error;
	for (int i = 0; i < n; i++)
		routes[i] = (score_route){names[i], percentages[i], 0};
	if (score_endpoint_set_traffic(f->endpoint, routes, (size_t)n, &error) != SCORE_OK)
		fail_msg("%s", error.message);
}

/* ---- traffic ----------------------------------------------------------------------------------------------------- */

static void keys_are_split_by_percentage(void **state)
{
	int first[N_KEYS], again[N_KEYS];
	fixture f = serve(2, (const int32_t[]){90, 10}, NULL);
	(void)state;
	ask_keys(&f, first);
	ask_keys(&f, again);
	assert_memory_equal(first, again, sizeof first);
	/* Binomial: 18000 expected of 20000, standard deviation 42; five of them. */
	assert_in_range(count(first, 1), 18000 - 212, 18000 + 212);
	stop(&f);
	/* Another endpoint with the same name and configuration agrees, one with another salt does not. */
	f = serve(2, (const int32_t[]){90, 10}, NULL);
	ask_keys(&f, again);
	assert_memory_equal(first, again, sizeof first);
	stop(&f);
	score_endpoint_options salted = SCORE_ENDPOINT_OPTIONS_INIT;
	salted.salt = 12345;
	f = serve(2, (const int32_t[]){90, 10}, &salted);
	ask_keys(&f, again);
	assert_memory_not_equal(first, again, sizeof first);
	stop(&f);
}

/* Slots count what moves exactly, keys that they move with their slots. */
static void expect_moved(fixture *f, int n, const int32_t *from, const int32_t *to)
{
	uint8_t before[SCORE_TRAFFIC_SLOTS], after[SCORE_TRAFFIC_SLOTS];
	int keys_before[N_KEYS], keys_after[N_KEYS], moved = 0, must_move = 0;
	set_traffic(f, n, from);
	score_endpoint_slots(f->endpoint, before);
	ask_keys(f, keys_before);
	set_traffic(f, n, to);
	score_endpoint_slots(f->endpoint, after);
	ask_keys(f, keys_after);
	for (int i = 0; i < n; i++)
		must_move += to[i] > from[i] ? to[i] - from[i] : 0;
	for (int s = 0; s < SCORE_TRAFFIC_SLOTS; s++)
		moved += before[s] != after[s];
	assert_int_equal(moved, must_move);
	for (int i = 0; i < N_KEYS; i++) {
		char key[32];
		snprintf(key, sizeof key, "customer-%d", i);
		uint32_t slot = score_endpoint_slot(f->endpoint, key, strlen(key));
		assert_int_equal(keys_before[i], before[slot] + 1);
		assert_int_equal(keys_after[i], after[slot] + 1);
	}
}

static void a_change_of_weight_moves_only_what_must(void **state)
{
	fixture f = serve(3, (const int32_t[]){100, 0, 0}, NULL);
	(void)state;
	expect_moved(&f, 3, (const int32_t[]){90, 10, 0}, (const int32_t[]){80, 20, 0});
	expect_moved(&f, 3, (const int32_t[]){50, 30, 20}, (const int32_t[]){40, 30, 30});
	expect_moved(&f, 3, (const int32_t[]){50, 30, 20}, (const int32_t[]){0, 0, 100});
	expect_moved(&f, 3, (const int32_t[]){33, 33, 34}, (const int32_t[]){34, 33, 33});
	expect_moved(&f, 3, (const int32_t[]){0, 100, 0}, (const int32_t[]){1, 98, 1});
	stop(&f);
}

static void calls_without_keys_are_dealt_exactly(void **state)
{
	const int32_t percentages[] = {63, 27, 10};
	fixture f = serve(3, percentages, NULL);
	int answers[1000];
	(void)state;
	for (int i = 0; i < 1000; i++)
		answers[i] = (int)ask(&f, NULL);
	for (int from = 0; from + 100 <= 1000; from++) {
		int n[3] = {0};
		for (int i = from; i < from + 100; i++)
			n[answers[i] - 1]++;
		for (int v = 0; v < 3; v++)
			assert_int_equal(n[v], percentages[v]);
	}
	stop(&f);
}

static void a_request_id_chooses_like_a_key(void **state)
{
	fixture f = serve(2, (const int32_t[]){50, 50}, NULL);
	(void)state;
	for (int i = 0; i < 200; i++) {
		char id[16];
		score_request r = SCORE_REQUEST_INIT;
		snprintf(id, sizeof id, "r%d", i);
		r.flags = SCORE_REQUEST_BY_ID;
		r.request_id = id;
		assert_true(ask(&f, &r) == ask_key(&f, id));
	}
	stop(&f);
}

static void a_name_overrides(void **state)
{
	fixture f = serve(2, (const int32_t[]){100, 0}, NULL);
	const double row[] = {0.0, 0.0};
	double out;
	score_input in = score_input_rows_f64(row, 1, 2);
	score_request r = SCORE_REQUEST_INIT;
	score_answer answer = SCORE_ANSWER_INIT;
	score_error error;
	(void)state;
	r.served_name = "fraud_model-2";
	r.key = "x";
	r.key_length = 1;
	assert_int_equal(score_endpoint_batch(f.reader, &in, &out, 1, &r, &answer, NULL), SCORE_OK);
	assert_true(out == 2.0);
	assert_int_equal(answer.served, 1);
	assert_int_equal(answer.n_served, 1);
	assert_int_equal(answer.out_width, 1);
	assert_int_equal(answer.generation, 1);
	assert_string_equal(answer.served_name, "fraud_model-2");
	r.served_name = "fraud_model-9";
	assert_int_equal(score_endpoint_batch(f.reader, &in, &out, 1, &r, &answer, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "score_request.served_name: 'fraud_model-9'"));
	stop(&f);
}

static void slots_can_be_taken_over(void **state)
{
	uint8_t slots[SCORE_TRAFFIC_SLOTS], other[SCORE_TRAFFIC_SLOTS];
	fixture a = serve(2, (const int32_t[]){50, 50}, NULL), b;
	score_served_info info = {.struct_size = sizeof info};
	score_served_entity entities[2];
	const score_route routes[] = {{"fraud_model-1", 90, 0}, {"fraud_model-2", 10, 0}};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_error error;
	(void)state;
	set_traffic(&a, 2, (const int32_t[]){0, 100});
	set_traffic(&a, 2, (const int32_t[]){90, 10});
	assert_int_equal(score_endpoint_slots(a.endpoint, slots), 3);
	assert_int_equal(slots[0], 1); /* not what a fresh endpoint would deal */
	b = serve(2, (const int32_t[]){100, 0}, NULL);
	for (int i = 0; i < 2; i++) {
		entities[i] = entity_of(&b, i);
		entities[i].release = NULL;
	}
	config.served_entities = entities;
	config.routes = routes;
	config.n_served_entities = config.n_routes = 2;
	config.slots = slots;
	assert_int_equal(score_endpoint_update(b.endpoint, &config, NULL), SCORE_OK);
	score_endpoint_slots(b.endpoint, other);
	assert_memory_equal(slots, other, sizeof slots);
	assert_int_equal(score_endpoint_get_served(b.endpoint, 1, &info), SCORE_OK);
	assert_int_equal(info.traffic_percentage, 10);
	assert_string_equal(info.name, "fraud_model-2");
	assert_int_equal(score_endpoint_get_served(b.endpoint, 2, &info), SCORE_ERR_ARGUMENT);
	slots[0] = 0;
	assert_int_equal(score_endpoint_update(b.endpoint, &config, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "traffic_config.slots: 91 are of 'fraud_model-1'"));
	slots[0] = 2;
	assert_int_equal(score_endpoint_update(b.endpoint, &config, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "traffic_config.slots[0]: is 2"));
	stop(&a);
	stop(&b);
}

/* ---- a key per row ----------------------------------------------------------------------------------------------- */

#define N_ROWS 1700

typedef struct seen {
	int calls, shadow_calls, failed, failed_shadows;
	int64_t rows, shadow_rows;
	double last;
	score_call call;
	char served[128];
	double first_a; /* feature a of the first row of the last call that had rows as an array */
} seen;

static void observe(void *context, const score_call *call)
{
	seen *s = context;
	bool is_shadow = call->flags & SCORE_CALL_SHADOW;
	s->calls += !is_shadow;
	s->shadow_calls += is_shadow;
	s->failed += call->status != SCORE_OK && !is_shadow;
	s->failed_shadows += call->status != SCORE_OK && is_shadow;
	s->rows += is_shadow ? 0 : call->input->n_rows;
	s->shadow_rows += is_shadow && call->out ? call->input->n_rows : 0;
	if (call->out && call->input->n_rows)
		s->last = call->out[0];
	s->call = *call;
	snprintf(s->served, sizeof s->served, "%s", call->served_name);
}

typedef struct table {
	double rows[N_ROWS][2];
	float rows32[N_ROWS][2];
	double a[N_ROWS], b[N_ROWS];
	uint8_t valid[(N_ROWS + 7) / 8 + 1];
	int64_t keys[N_ROWS + 3];
	int32_t starts[N_ROWS + 1];
	int64_t numbers[2 * N_ROWS];
	double values[2 * N_ROWS];
	score_column columns[2];
} table;

static table *make_table(void)
{
	table *t = calloc(1, sizeof *t);
	assert_non_null(t);
	for (int i = 0; i < N_ROWS; i++) {
		t->rows[i][0] = t->a[i] = t->values[2 * i] = i;
		t->rows[i][1] = t->b[i] = t->values[2 * i + 1] = i % 3 * 0.25;
		t->rows32[i][0] = (float)i;
		t->rows32[i][1] = (float)(i % 3 * 0.25);
		t->keys[i + 3] = i / 2 * 7919;
		t->starts[i + 1] = 2 * (i + 1);
		t->numbers[2 * i + 1] = 1;
	}
	memset(t->valid, 0xff, sizeof t->valid);
	t->columns[0] = (score_column){.values = t->a, .validity = t->valid, .dtype = SCORE_F64};
	t->columns[1] = (score_column){.values = t->b, .dtype = SCORE_F64};
	return t;
}

static fixture serve_scales(const score_endpoint_options *options)
{
	fixture f = serve(1, (const int32_t[]){100}, NULL);
	score_served_entity entities[3];
	const score_route routes[] = {{"s-1", 90, 0}, {"s-2", 9, 0}, {"s-3", 1, 0}};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	stop(&f);
	memset(&f, 0, sizeof f);
	for (int i = 0; i < N_MODELS; i++)
		f.models[i] = scaling_model(i == 0 ? 1.0 : i * 10.0);
	for (int i = 0; i < 3; i++)
		entities[i] = (score_served_entity){.entity_name = "s", .entity_version = version_names[i], .model = f.models[i]};
	config.served_entities = entities;
	config.routes = routes;
	config.n_served_entities = config.n_routes = 3;
	assert_int_equal(score_endpoint_new(options, &config, &f.endpoint, NULL), SCORE_OK);
	assert_int_equal(score_endpoint_reader_new(f.endpoint, &f.reader, NULL), SCORE_OK);
	return f;
}

static void expect_rows_by_key(fixture *f, const table *t, const score_input *in, size_t scratch_bytes)
{
	double *out = calloc((size_t)in->n_rows, sizeof *out);
	uint32_t *served = calloc((size_t)in->n_rows, sizeof *served);
	void *scratch = scratch_bytes ? malloc(scratch_bytes) : NULL;
	score_column keys = {.values = t->keys, .offset = 3, .dtype = SCORE_I64};
	score_request r = SCORE_REQUEST_INIT;
	score_answer answer = SCORE_ANSWER_INIT;
	score_error error;
	int n[3] = {0};
	r.row_keys = &keys;
	r.row_served = served;
	r.scratch = scratch;
	r.scratch_bytes = scratch_bytes;
	if (score_endpoint_batch(f->reader, in, out, (size_t)in->n_rows, &r, &answer, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(answer.n_served, 3);
	assert_true(answer.served == UINT32_MAX && answer.served_name[0] == '\0');
	for (int64_t i = 0; i < in->n_rows; i++) {
		double expected, row[2] = {t->a[i], t->b[i]};
		score_input one = score_input_rows_f64(row, 1, 2);
		score_request by_key = SCORE_REQUEST_INIT;
		unsigned char key[8];
		for (int b = 0; b < 8; b++)
			key[b] = (unsigned char)((uint64_t)t->keys[i + 3] >> 8 * b);
		by_key.key = key;
		by_key.key_length = 8;
		assert_int_equal(score_endpoint_batch(f->reader, &one, &expected, 1, &by_key, &answer, NULL), SCORE_OK);
		assert_true(out[i] == expected);
		assert_int_equal(served[i], answer.served);
		n[served[i]]++;
	}
	assert_true(n[0] > n[1] && n[1] > n[2] && n[2] > 0);
	free(out);
	free(served);
	free(scratch);
}

static void row_keys_split_a_batch_and_keep_its_order(void **state)
{
	fixture f = serve_scales(NULL);
	table *t = make_table();
	size_t best = score_endpoint_scratch_bytes(f.endpoint, SCORE_OUTPUT_PREDICTION, 2);
	score_input rows = score_input_rows_f64(&t->rows[0][0], N_ROWS, 2);
	score_input rows32 = score_input_rows_f32(&t->rows32[0][0], N_ROWS, 2);
	score_input columns = score_input_columns(t->columns, N_ROWS, 2);
	score_input csr = score_input_csr(t->starts, SCORE_I32, t->numbers, SCORE_I64, t->values, SCORE_F64, N_ROWS, 2,
		SCORE_ABSENT_ZERO);
	(void)state;
	const score_input *all[] = {&rows, &rows32, &columns, &csr};
	for (int i = 0; i < 4; i++)
		expect_rows_by_key(&f, t, all[i], best);
	expect_rows_by_key(&f, t, &rows, 0);
	expect_rows_by_key(&f, t, &csr, 0);
	expect_rows_by_key(&f, t, &columns, score_scratch_bytes(f.models[0]) + 300); /* slices only */
	stop(&f);
	free(t);
}

static void missing_and_textual_row_keys_work(void **state)
{
	fixture f = serve_scales(NULL);
	const char text[] = "customer-1customer-2customer-3";
	const int32_t offsets[] = {0, 10, 20, 30, 30};
	const int32_t indices[] = {2, 1, 0, 3, -1, 2};
	const uint8_t valid[] = {0xdf}; /* row 5 is missing */
	const double rows[12] = {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
	double out[6];
	uint32_t served[6];
	uint8_t slots[SCORE_TRAFFIC_SLOTS];
	score_strings strings = SCORE_STRINGS_INIT;
	score_column keys = {.values = &strings, .validity = valid, .dtype = SCORE_STRING};
	score_input in = score_input_rows_f64(rows, 6, 2);
	score_request r = SCORE_REQUEST_INIT;
	score_error error;
	(void)state;
	strings.offsets = offsets;
	strings.data = text;
	strings.indices = indices;
	strings.n_strings = 4;
	strings.index_type = SCORE_I32;
	r.row_keys = &keys;
	r.row_served = served;
	score_endpoint_slots(f.endpoint, slots);
	assert_int_equal(score_endpoint_batch(f.reader, &in, out, 6, &r, NULL, NULL), SCORE_OK);
	const char *expected[] = {"customer-3", "customer-2", "customer-1", "", "", ""};
	for (int i = 0; i < 6; i++)
		assert_int_equal(served[i], slots[score_endpoint_slot(f.endpoint, expected[i], strlen(expected[i]))]);
	keys.dtype = SCORE_F64;
	assert_int_equal(score_endpoint_batch(f.reader, &in, out, 6, &r, NULL, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "score_request.row_keys: dtype 2"));
	keys.dtype = SCORE_STRING;
	assert_int_equal(score_endpoint_batch(f.reader, &in, out, 5, &r, NULL, &error), SCORE_ERR_SHAPE);
	stop(&f);
}

/* ---- observers and shadows --------------------------------------------------------------------------------------- */

static void observers_see_calls_and_shadows(void **state)
{
	seen s = {0};
	score_observer observer = {observe, &s};
	score_endpoint_options o = SCORE_ENDPOINT_OPTIONS_INIT;
	const char *shadows[] = {"fraud_model-2"};
	(void)state;
	o.observers = &observer;
	o.n_observers = 1;
	o.name = "fraud-detection-endpoint";
	fixture f = serve(2, (const int32_t[]){100, 0}, &o);
	assert_true(ask(&f, NULL) == 1.0);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.shadow_calls, 0);
	assert_true(s.last == 1.0 && s.call.latency_ns > 0 && s.call.started_unix_ns > 1700000000ll * 1000000000);
	assert_string_equal(s.served, "fraud_model-1");
	assert_int_equal(score_endpoint_set_shadows(f.endpoint, shadows, 1, NULL), SCORE_OK);
	assert_true(ask(&f, NULL) == 1.0);
	assert_int_equal(s.calls, 2);
	assert_int_equal(s.shadow_calls, 1);
	assert_true(s.last == 2.0);
	assert_string_equal(s.served, "fraud_model-2");
	/* Many rows without scratch: the shadow goes through them a few at a time. */
	double rows[1000][2] = {{0}}, out[1000];
	score_input in = score_input_rows_f64(&rows[0][0], 1000, 2);
	s.shadow_rows = 0;
	assert_int_equal(score_endpoint_batch(f.reader, &in, out, 1000, NULL, NULL, NULL), SCORE_OK);
	assert_int_equal(s.shadow_rows, 1000);
	assert_int_equal(s.shadow_calls, 1 + 4);
	for (int i = 0; i < 1000; i++)
		assert_true(out[i] == 1.0);
	/* A version is no shadow of itself. */
	score_request r = SCORE_REQUEST_INIT;
	r.served_name = "fraud_model-2";
	assert_true(ask(&f, &r) == 2.0);
	assert_int_equal(s.shadow_calls, 5);
	/* A failed call is told too. */
	in.n_columns = 3;
	assert_int_equal(score_endpoint_batch(f.reader, &in, out, 1000, NULL, NULL, NULL), SCORE_ERR_SHAPE);
	assert_int_equal(s.failed, 1);
	assert_null(s.call.out);
	assert_int_equal(s.call.status, SCORE_ERR_SHAPE);
	stop(&f);
}

static void a_failing_shadow_fails_no_call(void **state)
{
	seen s = {0};
	score_observer observer = {observe, &s};
	score_endpoint_options o = SCORE_ENDPOINT_OPTIONS_INIT;
	const char *shadows[] = {"fraud_model-2"};
	double a[300] = {0}, out[300];
	score_column columns[2] = {{.values = a, .dtype = SCORE_F64}, {.values = a, .dtype = SCORE_F64}};
	score_input in = score_input_columns(columns, 300, 2);
	(void)state;
	o.observers = &observer;
	o.n_observers = 1;
	fixture f = serve(2, (const int32_t[]){100, 0}, &o);
	assert_int_equal(score_endpoint_set_shadows(f.endpoint, shadows, 1, NULL), SCORE_OK);
	/* 300 outputs do not fit the stack, and columns cannot be cut without room. */
	assert_int_equal(score_endpoint_batch(f.reader, &in, out, 300, NULL, NULL, NULL), SCORE_OK);
	assert_int_equal(s.failed_shadows, 1);
	assert_int_equal(s.call.status, SCORE_ERR_LIMIT);
	assert_true(out[299] == 1.0);
	stop(&f);
}

static void rows_by_key_are_observed_once(void **state)
{
	seen s = {0};
	score_observer observer = {observe, &s};
	score_endpoint_options o = SCORE_ENDPOINT_OPTIONS_INIT;
	const char *shadows[] = {"s-1"};
	table *t = make_table();
	(void)state;
	o.observers = &observer;
	o.n_observers = 1;
	fixture f = serve_scales(&o);
	assert_int_equal(score_endpoint_set_shadows(f.endpoint, shadows, 1, NULL), SCORE_OK);
	size_t best = score_endpoint_scratch_bytes(f.endpoint, SCORE_OUTPUT_PREDICTION, 2);
	score_input columns = score_input_columns(t->columns, N_ROWS, 2);
	double out[N_ROWS];
	uint32_t served[N_ROWS];
	score_column keys = {.values = t->keys, .offset = 3, .dtype = SCORE_I64};
	score_request r = SCORE_REQUEST_INIT;
	for (int with_scratch = 0; with_scratch < 2; with_scratch++) {
		score_input rows = score_input_rows_f64(&t->rows[0][0], N_ROWS, 2);
		int64_t others = 0;
		memset(&s, 0, sizeof s);
		r.row_keys = &keys;
		r.row_served = served;
		r.scratch = with_scratch ? malloc(best) : NULL;
		r.scratch_bytes = with_scratch ? best : 0;
		assert_int_equal(score_endpoint_batch(f.reader, with_scratch ? &columns : &rows, out, N_ROWS, &r, NULL, NULL),
			SCORE_OK);
		for (int i = 0; i < N_ROWS; i++)
			others += served[i] != 0;
		assert_int_equal(s.rows, N_ROWS);
		assert_int_equal(s.shadow_rows, others);
		assert_int_equal(s.failed + s.failed_shadows, 0);
		if (with_scratch)
			assert_in_range(s.calls, 4, 12);
		free(r.scratch);
	}
	stop(&f);
	free(t);
}

/* The log has the names of all of them, though none was read before the last was written. */
static void names_of_calls(const char *folder, uint64_t n)
{
	const score_log_call *call;
	score_log *log;
	int n_of[2] = {0};
	assert_int_equal(score_log_open(&folder, 1, NULL, &log, NULL), SCORE_OK);
	for (uint64_t i = 0; i < n; i++) {
		assert_int_equal(score_log_next(log, &call, NULL), SCORE_OK);
		assert_non_null(call);
		assert_string_equal(call->endpoint, "endpoint");
		assert_string_equal(call->entity_name, "fraud_model");
		const bool replaced = strcmp(call->served_name, "fraud_model-1") != 0;
		assert_string_equal(call->served_name, replaced ? "fraud_model-2" : "fraud_model-1");
		assert_string_equal(call->entity_version, replaced ? "3" : "1");
		n_of[replaced]++;
	}
	assert_true(n_of[0] == 100 && n_of[1] == 60);
	score_log_close(log);
}

/* A capture into a folder of its own, and statistics of version 1. */
static void statistics_and_capture_are_fed(void **state)
{
	char folder[] = "/tmp/scoreline-endpoint-XXXXXX", command[100];
	score_capture_options to_folder = SCORE_CAPTURE_OPTIONS_INIT;
	score_statistics_options every = SCORE_STATISTICS_OPTIONS_INIT;
	score_capture *capture = NULL;
	score_statistics *statistics = NULL;
	score_snapshot *snapshot = NULL;
	score_endpoint_options o = SCORE_ENDPOINT_OPTIONS_INIT;
	score_capture_info captured = {.struct_size = sizeof captured};
	score_snapshot_info counted = {.struct_size = sizeof counted};
	const char *shadows[] = {"fraud_model-1"};
	uint64_t n_records = 0;
	(void)state;
	assert_non_null(mkdtemp(folder));
	to_folder.directory = folder;
	assert_int_equal(score_capture_new(&to_folder, &capture, NULL), SCORE_OK);
	o.capture = capture;
	fixture f = serve(2, (const int32_t[]){100, 0}, &o);
	assert_int_equal(score_statistics_new(f.models[2], &every, &statistics, NULL), SCORE_OK);
	score_served_entity third = entity_of(&f, 2);
	third.statistics = statistics;
	assert_int_equal(score_endpoint_replace(f.endpoint, "fraud_model-2", &third, NULL), SCORE_OK);
	assert_int_equal(score_endpoint_set_shadows(f.endpoint, shadows, 1, NULL), SCORE_OK);
	set_traffic(&f, 2, (const int32_t[]){40, 60});
	for (int i = 0; i < 100; i++)
		ask(&f, NULL);
	assert_int_equal(score_statistics_snapshot(statistics, &snapshot, NULL), SCORE_OK);
	assert_int_equal(score_snapshot_get_info(snapshot, &counted), SCORE_OK);
	assert_int_equal(counted.calls, 60);
	assert_int_equal(counted.rows, 60);
	score_snapshot_free(snapshot);
	assert_int_equal(score_capture_drain(capture, &n_records, NULL), SCORE_OK);
	assert_int_equal(n_records, 100 + 60); /* and the shadow of 60 */
	names_of_calls(folder, n_records);
	/* A model that left is unknown to the log, one that two versions share is not. */
	set_traffic(&f, 1, (const int32_t[]){100});
	assert_int_equal(score_endpoint_remove(f.endpoint, "fraud_model-2", NULL), SCORE_OK);
	assert_int_equal(score_endpoint_settle(f.endpoint), 0);
	assert_int_equal(f.released[2], 1);
	double row[2] = {0, 0}, out = 3.0;
	score_input in = score_input_rows_f64(row, 1, 2);
	score_call call = SCORE_CALL_INIT;
	call.model = f.models[2];
	call.input = &in;
	call.out = &out;
	call.out_width = 1;
	assert_int_equal(score_capture_record(capture, &call), -1);
	call.model = f.models[0];
	assert_int_equal(score_capture_record(capture, &call), 1);
	assert_int_equal(score_capture_get_info(capture, &captured), SCORE_OK);
	assert_int_equal(captured.n_kept, 161);
	assert_int_equal(captured.n_lost_full + captured.n_lost_size, 0);
	stop(&f);
	score_statistics_free(statistics);
	score_capture_free(capture);
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	assert_int_equal(system(command), 0);
}

static void nested_use_of_a_reader_is_refused(void *context, const score_call *call)
{
	const fixture *f = context;
	double out[8];
	score_error error;
	assert_int_equal(score_endpoint_batch(f->reader, call->input, out, 8, NULL, NULL, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "inside a call already"));
}

static void readers_are_not_shared(void **state)
{
	static fixture f;
	score_observer observer = {nested_use_of_a_reader_is_refused, &f};
	score_endpoint_options o = SCORE_ENDPOINT_OPTIONS_INIT;
	(void)state;
	o.observers = &observer;
	o.n_observers = 1;
	f = serve(1, (const int32_t[]){100}, &o);
	assert_true(ask(&f, NULL) == 1.0);
	stop(&f);
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

static void versions_come_go_and_come_back(void **state)
{
	fixture f = serve(1, (const int32_t[]){100}, NULL);
	score_served_entity second = entity_of(&f, 1), third = entity_of(&f, 2);
	score_error error;
	uint8_t before[SCORE_TRAFFIC_SLOTS], after[SCORE_TRAFFIC_SLOTS];
	(void)state;
	assert_int_equal(score_endpoint_rollback(f.endpoint, &error), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_endpoint_add(f.endpoint, &second, NULL), SCORE_OK);
	assert_true(ask(&f, NULL) == 1.0);
	set_traffic(&f, 2, (const int32_t[]){30, 70});
	score_endpoint_slots(f.endpoint, before);
	assert_int_equal(score_endpoint_remove(f.endpoint, "fraud_model-2", &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "name: 'fraud_model-2' has 70 %"));
	assert_int_equal(score_endpoint_replace(f.endpoint, "fraud_model-2", &third, NULL), SCORE_OK);
	score_endpoint_slots(f.endpoint, after);
	assert_memory_equal(before, after, sizeof before);
	score_request r = SCORE_REQUEST_INIT;
	r.served_name = "fraud_model-2";
	assert_true(ask(&f, &r) == 3.0);
	assert_int_equal(score_endpoint_rollback(f.endpoint, NULL), SCORE_OK);
	assert_true(ask(&f, &r) == 2.0);
	assert_int_equal(score_endpoint_slots(f.endpoint, after), 3);
	assert_int_equal(score_endpoint_rollback(f.endpoint, NULL), SCORE_OK);
	assert_true(ask(&f, &r) == 3.0);
	assert_int_equal(f.released[1] + f.released[2], 0);
	assert_int_equal(score_endpoint_settle(f.endpoint), 0);
	assert_int_equal(f.released[1], 1);
	assert_int_equal(score_endpoint_rollback(f.endpoint, &error), SCORE_ERR_ARGUMENT);
	set_traffic(&f, 1, (const int32_t[]){100});
	assert_int_equal(score_endpoint_remove(f.endpoint, "fraud_model-2", NULL), SCORE_OK);
	assert_int_equal(f.released[2], 0); /* rollback could need it */
	set_traffic(&f, 1, (const int32_t[]){100});
	assert_int_equal(f.released[2], 1);
	stop(&f);
}

/* An observer that keeps the call open while the endpoint changes. */
static void change_inside(void *context, const score_call *call)
{
	fixture *f = context;
	static const char *const names[] = {"fraud_model-1"};
	if (strcmp(call->served_name, "fraud_model-2") != 0)
		return;
	assert_int_equal(score_endpoint_set_traffic(f->endpoint, (const score_route[]){{names[0], 100, 0}}, 1, NULL), SCORE_OK);
	assert_int_equal(score_endpoint_remove(f->endpoint, "fraud_model-2", NULL), SCORE_OK);
	assert_int_equal(score_endpoint_settle(f->endpoint), 2); /* what this call uses, and what was retired meanwhile */
	assert_int_equal(f->released[1], 0);
	assert_string_equal(call->served_name, "fraud_model-2"); /* still there */
}

static void a_model_lives_until_its_last_call_ends(void **state)
{
	static fixture f;
	score_observer observer = {change_inside, &f};
	score_endpoint_options o = SCORE_ENDPOINT_OPTIONS_INIT;
	(void)state;
	o.observers = &observer;
	o.n_observers = 1;
	f = serve(1, (const int32_t[]){100}, &o);
	score_served_entity second = entity_of(&f, 1);
	assert_int_equal(score_endpoint_add(f.endpoint, &second, NULL), SCORE_OK);
	set_traffic(&f, 2, (const int32_t[]){0, 100});
	assert_true(ask(&f, NULL) == 2.0);
	assert_int_equal(f.released[1], 0);
	assert_int_equal(score_endpoint_settle(f.endpoint), 0);
	assert_int_equal(f.released[1], 1);
	assert_true(ask(&f, NULL) == 1.0);
	stop(&f);
}

static void refused(fixture *f, const score_endpoint_config *config, score_status expected, const char *words)
{
	score_error error;
	uint8_t before[SCORE_TRAFFIC_SLOTS], after[SCORE_TRAFFIC_SLOTS];
	uint64_t generation = score_endpoint_slots(f->endpoint, before);
	score_status status = score_endpoint_update(f->endpoint, config, &error);
	if (status != expected || strncmp(error.message, words, strlen(words)) != 0)
		fail_msg("expected %s '%s', found %s '%s'", score_status_name(expected), words, score_status_name(status),
			status ? error.message : "");
	assert_int_equal(score_endpoint_slots(f->endpoint, after), generation);
	assert_memory_equal(before, after, sizeof before);
	assert_true(ask(f, NULL) == 1.0);
	for (int i = 0; i < N_MODELS; i++)
		assert_int_equal(f->released[i], 0);
}

static void bad_configurations_name_their_field(void **state)
{
	fixture f = serve(1, (const int32_t[]){100}, NULL);
	score_served_entity entities[3];
	score_route routes[3] = {{"fraud_model-1", 90, 0}, {"fraud_model-2", 10, 0}, {"fraud_model-2", 0, 0}};
	const char *shadows[] = {"fraud_model-2", "fraud_model-2"};
	char long_name[200];
	(void)state;
	for (int i = 0; i < 3; i++)
		entities[i] = entity_of(&f, i);
	score_endpoint_config good = SCORE_ENDPOINT_CONFIG_INIT, c;
	good.served_entities = entities;
	good.routes = routes;
	good.n_served_entities = good.n_routes = 2;
	c = good;
	c.n_served_entities = 0;
	refused(&f, &c, SCORE_ERR_ARGUMENT, "served_entities: expected 1 to 255, found 0");
	c = good;
	c.n_routes = 0;
	refused(&f, &c, SCORE_ERR_ARGUMENT, "traffic_config.routes: expected percentages for 2 served_entities");
	c.n_routes = 3;
	refused(&f, &c, SCORE_ERR_ARGUMENT, "traffic_config.routes[2].served_model_name: 'fraud_model-2' has a route already");
	routes[1].served_model_name = "fraud_model-7";
	refused(&f, &good, SCORE_ERR_ARGUMENT, "traffic_config.routes[1].served_model_name: 'fraud_model-7'");
	routes[1].served_model_name = NULL;
	refused(&f, &good, SCORE_ERR_ARGUMENT, "traffic_config.routes[1].served_model_name: expected a served name, found NULL");
	routes[1] = (score_route){"fraud_model-2", 9, 0};
	refused(&f, &good, SCORE_ERR_ARGUMENT, "traffic_config.routes: traffic_percentage sums to 99, expected 100");
	routes[1].traffic_percentage = -1;
	refused(&f, &good, SCORE_ERR_ARGUMENT, "traffic_config.routes[1].traffic_percentage: expected 0 to 100, found -1");
	routes[1].traffic_percentage = 10;
	c = good;
	c.shadow_names = shadows;
	c.n_shadows = 2;
	refused(&f, &c, SCORE_ERR_ARGUMENT, "shadow_names[1]: 'fraud_model-2' stands there twice");
	shadows[0] = "x";
	refused(&f, &c, SCORE_ERR_ARGUMENT, "shadow_names[0]: 'x' is not the name of a served entity");
	entities[1].name = "fraud_model-1";
	refused(&f, &good, SCORE_ERR_ARGUMENT, "served_entities[1].name: 'fraud_model-1' is the name of served_entities[0] too");
	entities[1].name = "";
	refused(&f, &good, SCORE_ERR_ARGUMENT, "served_entities[1].name: expected a name, found an empty one");
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	entities[1].name = long_name;
	refused(&f, &good, SCORE_ERR_ARGUMENT, "served_entities[1].name: 'xxx");
	entities[1].name = "\xff";
	refused(&f, &good, SCORE_ERR_ARGUMENT, "served_entities[1].name: '\\xff' is not UTF-8");
	entities[1] = entity_of(&f, 1);
	entities[1].entity_version = NULL;
	refused(&f, &good, SCORE_ERR_ARGUMENT, "served_entities[1].entity_version: expected a name, found NULL");
	entities[1] = entity_of(&f, 1);
	entities[1].model = NULL;
	refused(&f, &good, SCORE_ERR_ARGUMENT, "served_entities[1].model: expected a model or a model_ref, found neither");
	entities[1] = entity_of(&f, 1);
	entities[1].reserved[2] = &f;
	refused(&f, &good, SCORE_ERR_VERSION, "served_entities[1].reserved");
	stop(&f);
}

static score_model *other_shape(uint32_t n_features, uint32_t n_outputs, const char *first_name)
{
	const double weights[16] = {0};
	score_contract contract = SCORE_CONTRACT_INIT(n_features, n_outputs);
	score_builder *b = NULL;
	score_model *model = NULL;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 0, first_name, SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 1, "b", SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, weights, 0, NULL), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
	score_builder_free(b);
	return model;
}

static void models_that_do_not_fit_are_refused(void **state)
{
	fixture f = serve(1, (const int32_t[]){100}, NULL);
	score_served_entity entities[] = {entity_of(&f, 0), entity_of(&f, 1)};
	const score_route routes[] = {{"fraud_model-1", 100, 0}};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	size_t size;
	void *bytes = model_bytes(f.models[1], 1e-9, &size);
	score_model *models[] = {other_shape(3, 1, "a"), other_shape(2, 1, "x"), other_shape(2, 2, "a"),
		model_of_bytes(bytes, size)};
	const char *words[] = {"served_entities[1].model: has 3 features, expected the 2",
		"served_entities[1].model: feature 0 is 'x', expected 'a'", "served_entities[1].model: gives 2 margins",
		"served_entities[1].model: its self-test fails: golden row 1"};
	(void)state;
	config.served_entities = entities;
	config.n_served_entities = 2;
	config.routes = routes;
	config.n_routes = 1;
	for (int i = 0; i < 4; i++) {
		entities[1].model = models[i];
		refused(&f, &config, i == 3 ? SCORE_ERR_VERIFY : SCORE_ERR_SHAPE, words[i]);
		score_model_free(models[i]);
	}
	free(bytes);
	stop(&f);
}

/* ---- the process ------------------------------------------------------------------------------------------------- */

static int score_in_child(fixture *f)
{
	score_endpoint_reader *own = NULL;
	const double row[] = {0.0, 0.0};
	double out = 0.0;
	score_input in = score_input_rows_f64(row, 1, 2);
	if (score_endpoint_reader_new(f->endpoint, &own, NULL) != SCORE_OK)
		return 1;
	if (score_endpoint_batch(own, &in, &out, 1, NULL, NULL, NULL) != SCORE_OK || out != 1.0)
		return 2;
	if (score_endpoint_batch(f->reader, &in, &out, 1, NULL, NULL, NULL) != SCORE_OK || out != 1.0)
		return 3;
	set_traffic(f, 2, (const int32_t[]){0, 100});
	if (score_endpoint_batch(own, &in, &out, 1, NULL, NULL, NULL) != SCORE_OK || out != 2.0)
		return 4;
	score_endpoint_reader_free(own);
	return score_endpoint_settle(f->endpoint) == 0 ? 0 : 5;
}

static void a_child_goes_on(void **state)
{
	fixture f = serve(2, (const int32_t[]){100, 0}, NULL);
	int status = 0;
	(void)state;
	ask(&f, NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(score_in_child(&f));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(ask(&f, NULL) == 1.0); /* what the child changed is its own */
	stop(&f);
}

static void wrong_calls_are_refused(void **state)
{
	fixture f = serve(1, (const int32_t[]){100}, NULL);
	const double row[] = {0.0, 0.0};
	double out;
	score_input in = score_input_rows_f64(row, 1, 2);
	score_request r = SCORE_REQUEST_INIT;
	score_endpoint *none = (score_endpoint *)&r;
	score_error error;
	(void)state;
	assert_int_equal(score_endpoint_batch(NULL, &in, &out, 1, NULL, NULL, &error), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_endpoint_batch(f.reader, NULL, &out, 1, NULL, NULL, &error), SCORE_ERR_ARGUMENT);
	r.output = 99;
	assert_int_equal(score_endpoint_batch(f.reader, &in, &out, 1, &r, NULL, &error), SCORE_ERR_ARGUMENT);
	r.output = 0;
	r.flags = 8;
	assert_int_equal(score_endpoint_batch(f.reader, &in, &out, 1, &r, NULL, &error), SCORE_ERR_ARGUMENT);
	r.flags = SCORE_REQUEST_BY_ID;
	assert_int_equal(score_endpoint_batch(f.reader, &in, &out, 1, &r, NULL, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "score_request.request_id"));
	assert_int_equal(score_endpoint_new(NULL, NULL, &none, &error), SCORE_ERR_ARGUMENT);
	assert_null(none);
	assert_int_equal(score_endpoint_reader_new(NULL, NULL, &error), SCORE_ERR_ARGUMENT);
	score_endpoint_free(NULL);
	score_endpoint_reader_free(NULL);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_split_by_percentage),
		cmocka_unit_test(a_change_of_weight_moves_only_what_must),
		cmocka_unit_test(calls_without_keys_are_dealt_exactly),
		cmocka_unit_test(a_request_id_chooses_like_a_key),
		cmocka_unit_test(a_name_overrides),
		cmocka_unit_test(slots_can_be_taken_over),
		cmocka_unit_test(row_keys_split_a_batch_and_keep_its_order),
		cmocka_unit_test(missing_and_textual_row_keys_work),
		cmocka_unit_test(observers_see_calls_and_shadows),
		cmocka_unit_test(a_failing_shadow_fails_no_call),
		cmocka_unit_test(rows_by_key_are_observed_once),
		cmocka_unit_test(statistics_and_capture_are_fed),
		cmocka_unit_test(readers_are_not_shared),
		cmocka_unit_test(versions_come_go_and_come_back),
		cmocka_unit_test(a_model_lives_until_its_last_call_ends),
		cmocka_unit_test(bad_configurations_name_their_field),
		cmocka_unit_test(models_that_do_not_fit_are_refused),
		cmocka_unit_test(a_child_goes_on),
		cmocka_unit_test(wrong_calls_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
