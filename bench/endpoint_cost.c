/*
 * What does an endpoint cost beside score_batch()? Both score the same rows of the same model in turn, in one process; of every
 * pair of rounds the difference is taken, and the median of the differences is printed.
 *
 *   cc -O2 -Iinclude bench/endpoint_cost.c -Lbuild/lib -lscoreline -o endpoint_cost && ./endpoint_cost MODEL.slm …
 *
 * Goes out: per number of rows the time of a bare call, and how much more an endpoint takes: alone, with a sticky key, with
 * statistics, and with statistics and a capture of every call (drained between the rounds, not in them) in the folder
 * $TMPDIR or /tmp, from which its files are removed again.
 */
#define _XOPEN_SOURCE 700
#include <scoreline/deploy.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
	score_capture *capture;
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

/* Nanoseconds per call. */
static double time_round(subject *s)
{
	score_error error;
	if (s->capture && score_capture_drain(s->capture, NULL, &error) != SCORE_OK)
		fail("draining", &error);
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

/* What an endpoint does besides scoring. */
typedef struct watch {
	const char *what, *key;
	bool has_statistics, has_capture;
} watch;

static score_endpoint *serve(const score_model *model, score_statistics *statistics, score_capture *capture)
{
	score_served_entity entities[] = {{.entity_name = "m", .entity_version = "1", .model = model, .statistics = statistics},
		{.entity_name = "m", .entity_version = "2", .model = model, .statistics = statistics}};
	const score_route routes[] = {{"m-1", 90, 0}, {"m-2", 10, 0}};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint_options options = SCORE_ENDPOINT_OPTIONS_INIT;
	score_endpoint *endpoint = NULL;
	score_error error;
	config.served_entities = entities;
	config.routes = routes;
	config.n_served_entities = config.n_routes = 2;
	options.capture = capture;
	if (score_endpoint_new(&options, &config, &endpoint, &error) != SCORE_OK)
		fail("an endpoint", &error);
	return endpoint;
}

static score_capture *new_capture(char *folder)
{
	score_capture_options options = SCORE_CAPTURE_OPTIONS_INIT;
	score_capture *capture = NULL;
	score_error error;
	const char *parent = getenv("TMPDIR");
	snprintf(folder, 200, "%s/scoreline-bench-XXXXXX", parent && strlen(parent) < 150 ? parent : "/tmp");
	options.directory = mkdtemp(folder);
	options.ring_bytes = 64 << 20;
	options.max_record_bytes = 1 << 20;
	if (!options.directory || score_capture_new(&options, &capture, &error) != SCORE_OK)
		fail("a capture", &error);
	return capture;
}

static void end_capture(score_capture *capture, const char *folder)
{
	score_capture_info info = {.struct_size = sizeof info};
	char command[300];
	if (score_capture_get_info(capture, &info) == SCORE_OK && info.n_kept == 0)
		printf("nothing was captured\n");
	if (info.n_lost_full + info.n_lost_size + info.n_lost_invalid)
		printf("%llu calls were lost, of %llu\n",
			(unsigned long long)(info.n_lost_full + info.n_lost_size + info.n_lost_invalid),
			(unsigned long long)info.n_kept);
	score_capture_free(capture);
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	if (system(command) != 0)
		fprintf(stderr, "%s could not be removed\n", folder);
}

static void measure(subject *bare, const watch *w)
{
	subject through = *bare;
	score_error error;
	double base, more;
	char folder[200];
	score_statistics *statistics = NULL;
	if (w->has_statistics && score_statistics_new(bare->model, NULL, &statistics, &error) != SCORE_OK)
		fail("statistics", &error);
	through.capture = w->has_capture ? new_capture(folder) : NULL;
	score_endpoint *endpoint = serve(bare->model, statistics, through.capture);
	if (score_endpoint_reader_new(endpoint, &through.reader, &error) != SCORE_OK)
		fail("a reader", &error);
	through.request = (score_request)SCORE_REQUEST_INIT;
	through.request.scratch = bare->options.scratch;
	through.request.scratch_bytes = bare->options.scratch_bytes;
	through.request.key = w->key;
	through.request.key_length = w->key ? strlen(w->key) : 0;
	compare(bare, &through, &base, &more);
	printf("%6lld rows  %-32s bare %10.0f ns  endpoint %+8.0f ns  %+6.2f %%\n", (long long)bare->input.n_rows, w->what,
		base, more, 100.0 * more / base);
	score_endpoint_reader_free(through.reader);
	score_endpoint_free(endpoint);
	score_statistics_free(statistics);
	if (through.capture)
		end_capture(through.capture, folder);
}

static void measure_model(const char *path)
{
	static const int sizes[] = {1, 16, 512};
	static const watch watches[] = {{"no key", NULL, false, false}, {"sticky key", "customer-4711", false, false},
		{"sticky key, statistics", "customer-4711", true, false},
		{"sticky key, capture", "customer-4711", false, true},
		{"sticky key, statistics, capture", "customer-4711", true, true}};
	score_model_info info = {.struct_size = sizeof info};
	score_model *model = NULL;
	score_error error;
	const double *golden;
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
		for (size_t k = 0; k < sizeof watches / sizeof watches[0]; k++)
			measure(&bare, watches + k);
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
