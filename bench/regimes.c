/*
 * From how many rows on is the batch regime faster than the walk, and than the row regime? Prints nanoseconds per row of
 * each, -1 where it cannot serve, for each instruction set of this machine, over rows that come from the model's own golden
 * rows. The engine's choice follows from it.
 *
 *   cc -O2 -Iinclude bench/regimes.c -Lbuild/lib -lscoreline -o regimes && ./regimes MODEL.slm …
 */
#define _POSIX_C_SOURCE 200809L
#include <scoreline.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* Best of several rounds, each of at least a millisecond. Negative if the regime cannot serve the call. */
static double time_call(const score_model *model, const score_input *in, double *out, size_t out_len, score_options *o)
{
	double best = -1.0;
	for (int round = 0; round < 7; round++) {
		double began = now_ns(), elapsed;
		int calls = 0;
		do {
			if (score_batch(model, in, out, out_len, o, NULL) != SCORE_OK)
				return -1.0;
			calls++;
			elapsed = now_ns() - began;
		} while (elapsed < 1e6);
		elapsed /= (double)calls * (double)in->n_rows;
		if (best < 0.0 || elapsed < best)
			best = elapsed;
	}
	return best;
}

static void compare(const score_model *model, const char *path)
{
	static const int sizes[] = {1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 200, 256, 512, 2048};
	enum { MOST = 2048 };
	score_model_info info = {.struct_size = sizeof info};
	const double *golden;
	uint32_t n_golden = score_model_golden(model, &golden, NULL);
	if (score_model_get_info(model, &info) != SCORE_OK || n_golden == 0)
		return;
	float *rows = malloc((size_t)MOST * info.n_features * sizeof *rows);
	double *out = malloc((size_t)MOST * info.n_outputs * sizeof *out);
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_MARGIN;
	o.scratch_bytes = score_scratch_bytes(model);
	o.scratch = malloc(o.scratch_bytes);
	for (size_t i = 0; i < (size_t)MOST * info.n_features; i++)
		rows[i] = (float)golden[i % ((size_t)n_golden * info.n_features)];
	printf("%s, %s: ns per row\n%8s %10s %10s %10s\n", path, score_isa_name(info.isa), "rows", "row", "walk",
		"batch");
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		score_input in = score_input_rows_f32(rows, sizes[i], info.n_features);
		size_t len = (size_t)sizes[i] * info.n_outputs;
		o.regime = SCORE_REGIME_ROW;
		double row = time_call(model, &in, out, len, &o);
		o.regime = SCORE_REGIME_WALK;
		double walk = time_call(model, &in, out, len, &o);
		o.regime = SCORE_REGIME_BATCH;
		double batch = time_call(model, &in, out, len, &o);
		printf("%8d %10.0f %10.0f %10.0f\n", sizes[i], row, walk, batch);
	}
	free(rows);
	free(out);
	free(o.scratch);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		for (score_isa isa = SCORE_ISA_PORTABLE; isa <= SCORE_ISA_NEON; isa++) {
			score_open_options options = SCORE_OPEN_OPTIONS_INIT;
			score_model *model;
			score_error error;
			if (!score_isa_available(isa))
				continue;
			options.isa = isa;
			if (score_model_open_file(argv[i], &options, &model, &error) != SCORE_OK) {
				fprintf(stderr, "%s: %s\n", argv[i], error.message);
				return 1;
			}
			compare(model, argv[i]);
			score_model_free(model);
		}
	}
	return 0;
}
