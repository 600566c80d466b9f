/*
 * What does an endpoint cost beside score_batch()? Both score the same rows of the same model in turn, in one process; of every
 * pair of rounds the difference is taken, and the median of the differences is printed.
 *
 *   cc -O2 -Iinclude bench/endpoint.c -Lbuild/lib -lscoreline -o endpoint_cost && ./endpoint_cost MODEL.slm …
 *
 * Goes out: per number of rows the time of a bare call, and how much more an endpoint takes: alone, with a sticky key, and with
 * an observer that only counts.
 */
#define _POSIX_C_SOURCE 200809L
#include <scoreline/endpoint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N_ROUNDS 301
#define MOST_ROWS 512

typedef struct subject {
	const score_model *model;
	score_endpoint_reader *reader; /* NULL: bare */
	score_request request;
	score_options options;
	score_input input;
	double *out;
	size_t out_len;
	int calls;
} subject;

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static void fail(const char *what, const score_error *error)
{
	fprintf(stderr, "%s: %s\n", what, error->message);
	exit(1);
}

static void count_call(void *context, const score_call *call)
{
	*(uint64_t *)context += (uint64_t)call->input->n_rows;
}

/* Nanoseconds per call. */
static double time_round(subject *s)
{
	score_error error;
	double began = now_ns();
	for (int i = 0; i < s->calls; i++) {
		score_status status = s->reader ?
			score_endpoint_batch(s->reader, &s->input, s->out, s->out_len, &s->request, NULL, &error) :
			score_batch(s->model, &s->input, s->out, s->out_len, &s->options, &error);
		if (status != SCORE_OK)
			fail("scoring", &error);
	}
	return (now_ns() - began) / s->calls;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, N_ROUNDS, sizeof *values, ascending);
	return values[N_ROUNDS / 2];
}

/* Median time of a bare call, and of what the endpoint's takes longer; rounds alternate which goes first. */
static void compare(subject *bare, subject *through, double *base, double *more)
{
	static double times[N_ROUNDS], differences[N_ROUNDS];
	bare->calls = through->calls = 1;
	double once = time_round(bare);
	bare->calls = through->calls = once > 2e5 ? 1 : (int)(2e5 / once);
	for (int i = 0; i < N_ROUNDS; i++) {
		double a, b;
		if (i % 2) {
			b = time_round(through);
			a = time_round(bare);
		} else {
			a = time_round(bare);
			b = time_round(through);
		}
		times[i] = a;
		differences[i] = b - a;
	}
	*base = median(times);
	*more = median(differences);
}

static score_endpoint *serve(const score_model *model, const score_observer *observer)
{
	score_served_entity entities[] = {{.entity_name = "m", .entity_version = "1", .model = model},
		{.entity_name = "m", .entity_version = "2", .model = model}};
	const score_route routes[] = {{"m-1", 90, 0}, {"m-2", 10, 0}};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint_options options = SCORE_ENDPOINT_OPTIONS_INIT;
	score_endpoint *endpoint = NULL;
	score_error error;
	config.served_entities = entities;
	config.routes = routes;
	config.n_served_entities = config.n_routes = 2;
	options.observers = observer;
	options.n_observers = observer != NULL;
	if (score_endpoint_new(&options, &config, &endpoint, &error) != SCORE_OK)
		fail("an endpoint", &error);
	return endpoint;
}

static void measure(subject *bare, const char *what, const score_observer *observer, const char *key)
{
	subject through = *bare;
	score_error error;
	double base, more;
	score_endpoint *endpoint = serve(bare->model, observer);
	if (score_endpoint_reader_new(endpoint, &through.reader, &error) != SCORE_OK)
		fail("a reader", &error);
	through.request = (score_request)SCORE_REQUEST_INIT;
	through.request.scratch = bare->options.scratch;
	through.request.scratch_bytes = bare->options.scratch_bytes;
	through.request.key = key;
	through.request.key_length = key ? strlen(key) : 0;
	compare(bare, &through, &base, &more);
	printf("%6lld rows  %-28s bare %10.0f ns  endpoint %+8.0f ns  %+6.2f %%\n", (long long)bare->input.n_rows, what, base,
		more, 100.0 * more / base);
	score_endpoint_reader_free(through.reader);
	score_endpoint_free(endpoint);
}

static void measure_model(const char *path)
{
	static const int sizes[] = {1, 16, 512};
	score_model_info info = {.struct_size = sizeof info};
	score_model *model = NULL;
	score_error error;
	const double *golden;
	uint64_t counted = 0;
	score_observer counter = {count_call, &counted};
	if (score_model_open_file(path, NULL, &model, &error) != SCORE_OK)
		fail(path, &error);
	uint32_t n_golden = score_model_golden(model, &golden, NULL);
	if (score_model_get_info(model, &info) != SCORE_OK || n_golden == 0) {
		fprintf(stderr, "%s: has no golden rows to score\n", path);
		exit(1);
	}
	printf("%s: %u trees, %u features, %s\n", path, info.n_trees, info.n_features, score_isa_name(info.isa));
	float *rows = malloc((size_t)MOST_ROWS * info.n_features * sizeof *rows);
	subject bare = {.model = model, .options = SCORE_OPTIONS_INIT};
	for (size_t i = 0; i < (size_t)MOST_ROWS * info.n_features; i++)
		rows[i] = (float)golden[i % ((size_t)n_golden * info.n_features)];
	bare.options.scratch_bytes = score_scratch_bytes(model);
	bare.options.scratch = malloc(bare.options.scratch_bytes);
	bare.out_len = (size_t)MOST_ROWS * info.n_predictions;
	bare.out = malloc(bare.out_len * sizeof *bare.out);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		bare.input = score_input_rows_f32(rows, sizes[i], info.n_features);
		measure(&bare, "no key, no observer", NULL, NULL);
		measure(&bare, "sticky key", NULL, "customer-4711");
		measure(&bare, "sticky key, one observer", &counter, "customer-4711");
	}
	free(rows);
	free(bare.out);
	free(bare.options.scratch);
	score_model_free(model);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		measure_model(argv[i]);
	return 0;
}
