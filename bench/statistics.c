/*
 * What statistics cost beside scoring: the same calls bare and followed by score_statistics_record(), in turn, in one run.
 * Rows are drawn between the edges of the model's own reference, or from its golden rows without one. The clock's two
 * readings, which the host needs for the latency, are counted with the statistics.
 *
 *   cc -O2 -Iinclude bench/statistics.c -Lbuild/lib -lscoreline -o statistics && ./statistics MODEL.slm …
 */
#define _POSIX_C_SOURCE 200809L
#include <scoreline/statistics.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 8192, ROUNDS = 41 };

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return INT64_C(1000000000) * t.tv_sec + t.tv_nsec;
}

typedef struct bench {
	const score_model *model;
	score_statistics *statistics;
	score_options options;
	uint32_t n_features;
	size_t width;
	const float *rows;
	double *out;
} bench;

static void score_rows(const bench *b, size_t first, size_t n, int with)
{
	score_input in = score_input_rows_f32(b->rows + first * b->n_features, (int64_t)n, b->n_features);
	const int64_t began = with ? now_ns(CLOCK_MONOTONIC) : 0;
	score_status status = score_batch(b->model, &in, b->out, n * b->width, &b->options, NULL);
	if (!with)
		return;
	score_call call = SCORE_CALL_INIT;
	call.model = b->model;
	call.input = &in;
	call.out = b->out;
	call.out_width = b->width;
	call.status = status;
	call.started_unix_ns = began;
	call.latency_ns = now_ns(CLOCK_MONOTONIC) - began;
	score_statistics_record(b->statistics, &call);
}

/* Nanoseconds of processor time per row, of one round of about a millisecond: other programs are not counted. */
static double round_ns(const bench *b, size_t n, int with)
{
	const int64_t began = now_ns(CLOCK_THREAD_CPUTIME_ID);
	int64_t elapsed;
	size_t rows = 0;
	do {
		for (size_t at = 0; at + n <= MOST; at += n, rows += n)
			score_rows(b, at, n, with);
		elapsed = now_ns(CLOCK_THREAD_CPUTIME_ID) - began;
	} while (elapsed < 1000000);
	return (double)elapsed / (double)rows;
}

static int compare_doubles(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Lower quartiles of rounds that take turns: what interrupts a round only makes it longer. */
static void measure(const bench *b, size_t n)
{
	double bare[ROUNDS], with[ROUNDS];
	const int quartile = ROUNDS / 4;
	for (int i = 0; i < ROUNDS; i++) {
		bare[i] = round_ns(b, n, 0);
		with[i] = round_ns(b, n, 1);
	}
	qsort(bare, ROUNDS, sizeof *bare, compare_doubles);
	qsort(with, ROUNDS, sizeof *with, compare_doubles);
	printf("%8zu %12.1f %12.1f %+11.2f%% %14.1f\n", n, bare[quartile], with[quartile],
		100 * (with[quartile] / bare[quartile] - 1), (with[quartile] - bare[quartile]) * (double)n);
}

/* Values spread over the reference's edges, so that no bin is favoured. */
static void fill_rows(const bench *b, float *rows)
{
	score_snapshot *reference = NULL;
	const double *golden;
	const uint32_t n_golden = score_model_golden(b->model, &golden, NULL);
	uint32_t random = 1;
	if (score_reference_of(b->model, NULL, &reference, NULL) != SCORE_OK)
		exit(1);
	for (size_t i = 0; i < (size_t)MOST * b->n_features; i++) {
		score_histogram h = { .struct_size = sizeof h };
		random = random * 1664525u + 1013904223u;
		if (reference && score_snapshot_feature(reference, (uint32_t)(i % b->n_features), &h) == SCORE_OK && h.n_edges)
			rows[i] = (float)h.edges[(random >> 16) % h.n_edges] + (float)(random >> 8) * 1e-9f;
		else
			rows[i] = n_golden ? (float)golden[i % ((size_t)n_golden * b->n_features)] : 0.0f;
	}
	score_snapshot_free(reference);
}

static int run(const char *path, uint32_t every)
{
	static const size_t sizes[] = { 1, 8, 64, 512, 4096 };
	score_model *model;
	score_error error;
	score_model_info info = { .struct_size = sizeof info };
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	bench b = { .options = SCORE_OPTIONS_INIT };
	o.sample_every = every;
	if (score_model_open_file(path, NULL, &model, &error) || score_model_get_info(model, &info) ||
		score_statistics_new(model, &o, &b.statistics, &error)) {
		fprintf(stderr, "%s: %s\n", path, error.message);
		return 1;
	}
	b.model = model;
	b.n_features = info.n_features;
	b.width = score_output_width(model, &b.options);
	b.options.scratch_bytes = score_scratch_bytes(model);
	b.options.scratch = malloc(b.options.scratch_bytes);
	float *rows = malloc((size_t)MOST * info.n_features * sizeof *rows);
	b.rows = rows;
	b.out = malloc(MOST * b.width * sizeof *b.out);
	fill_rows(&b, rows);
	printf("%s, %s, 1 row in %u looked at\n%8s %12s %12s %12s %14s\n", path, score_isa_name(info.isa), every ? every : 128,
		"rows", "bare ns/row", "with ns/row", "ratio", "more ns/call");
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		measure(&b, sizes[i]);
	free(rows);
	free(b.out);
	free(b.options.scratch);
	score_statistics_free(b.statistics);
	score_model_free(model);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = argc < 2;
	for (int i = 1; i < argc; i++) {
		failed |= run(argv[i], 0);
		failed |= run(argv[i], 1);
	}
	return failed;
}
