/*
 * What a row costs in the process: processor time per row of one thread, for each model and number of rows per call.
 *
 *   cc -std=c11 -O2 -Iinclude bench/row_cost.c -Lbuild/lib -lscoreline -o row_cost && ./row_cost MODEL.slm …
 *
 * Comes in: models of numeric features. Goes out, for each model, a line "MODEL TREES FEATURES", then a line "ROWS NS" for each size of
 * a call: the least of several passes over many rows of doubles, which come from memory and not from the cache. Each value is
 * that of a golden row's same column, moved by a tenth at most.
 */
#define _POSIX_C_SOURCE 200809L
#include <scoreline.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { N_ROWS = 100000, N_PASSES = 9 };

static double thread_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* xorshift64: the same rows on every machine. */
static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void fill_rows(double *rows, const double *golden, uint32_t n_golden, uint32_t n_features)
{
	uint64_t state = 88172645463325252u;
	for (size_t i = 0; i < (size_t)N_ROWS * n_features; i++) {
		const double value = golden[draw(&state) % n_golden * n_features + i % n_features];
		rows[i] = value * (0.9 + 0.2 * (double)(draw(&state) >> 11) / 9007199254740992.0);
	}
}

/* ns per row of calls with n rows each, or negative if a call fails. */
static double time_calls(const score_model *model, const double *rows, uint32_t n_features, size_t n, double *out, size_t width,
	const score_options *options, score_error *error)
{
	const size_t n_used = n == 1 ? N_ROWS / 10 : N_ROWS;
	double least = -1.0;
	for (int pass = 0; pass < N_PASSES; pass++) {
		const double began = thread_ns();
		for (size_t first = 0; first < n_used; first += n) {
			score_input input = score_input_rows_f64(rows + first * n_features, (int64_t)n, n_features);
			if (score_batch(model, &input, out, n * width, options, error) != SCORE_OK)
				return -1.0;
		}
		const double ns = (thread_ns() - began) / (double)n_used;
		least = least < 0.0 || ns < least ? ns : least;
	}
	return least;
}

static int measure(const char *path)
{
	static const size_t sizes[] = {1, 10, 100, 1000, 10000};
	score_model *model;
	score_model_info info = {.struct_size = sizeof info};
	score_options options = SCORE_OPTIONS_INIT;
	score_error error;
	const double *golden;
	if (score_model_open_file(path, NULL, &model, &error) != SCORE_OK)
		return fprintf(stderr, "%s: %s\n", path, error.message), 1;
	const uint32_t n_golden = score_model_golden(model, &golden, NULL);
	if (score_model_get_info(model, &info) != SCORE_OK || n_golden == 0)
		return fprintf(stderr, "%s: no golden rows to make rows from\n", path), 1;
	const size_t width = score_output_width(model, &options);
	double *rows = malloc((size_t)N_ROWS * info.n_features * sizeof *rows);
	double *out = malloc(sizes[4] * width * sizeof *out);
	options.scratch_bytes = score_scratch_bytes(model);
	options.scratch = malloc(options.scratch_bytes);
	if (rows == NULL || out == NULL || options.scratch == NULL)
		return fprintf(stderr, "no memory\n"), 1;
	fill_rows(rows, golden, n_golden, info.n_features);
	printf("%s %u %u\n", path, (unsigned)info.n_trees, (unsigned)info.n_features);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		const double ns = time_calls(model, rows, info.n_features, sizes[i], out, width, &options, &error);
		if (ns < 0.0)
			return fprintf(stderr, "%s: %s\n", path, error.message), 1;
		printf("%zu %.1f\n", sizes[i], ns);
	}
	free(rows);
	free(out);
	free(options.scratch);
	score_model_free(model);
	return 0;
}

int main(int argc, char **argv)
{
	int code = argc < 2;
	if (argc < 2)
		fprintf(stderr, "usage: row_cost MODEL.slm …\n");
	for (int i = 1; i < argc && code == 0; i++)
		code = measure(argv[i]);
	return code;
}
