/*
 * How much memory a process holds while it scores, beyond the rows, the results and the model itself.
 *
 *   memory MODEL ROWS.f32 N_COLUMNS THREADS
 *
 * Prints JSON: the bytes that the model says it holds, and the growth of the resident set (its highest value) over the
 * process with rows and results, model included.
 */
#define _POSIX_C_SOURCE 200809L
#include <scoreline.h>
#include <scoreline/import.h>

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct worker {
	pthread_t thread;
	const score_model *model;
	const float *rows;
	int64_t n_rows, n_columns;
	double *out;
	int failed;
} worker;

static long status_bytes(const char *key)
{
	char line[256];
	long kb = 0;
	FILE *f = fopen("/proc/self/status", "r");
	while (f != NULL && fgets(line, sizeof line, f))
		if (strncmp(line, key, strlen(key)) == 0)
			kb = atol(line + strlen(key));
	if (f != NULL)
		fclose(f);
	return kb * 1024;
}

static int open_model(const char *path, score_model **model)
{
	size_t length = strlen(path);
	int failed = length > 4 && strcmp(path + length - 4, ".slm") == 0 ? score_model_open_file(path, NULL, model, NULL)
	                                                                  : score_import_file(path, NULL, model, NULL);
	if (failed)
		fprintf(stderr, "memory: %s cannot be opened\n", path);
	return failed;
}

static void *work(void *argument)
{
	worker *w = argument;
	score_options options = SCORE_OPTIONS_INIT;
	score_input in = score_input_rows_f32(w->rows, w->n_rows, w->n_columns);
	options.output = SCORE_OUTPUT_MARGIN;
	options.scratch_bytes = score_scratch_bytes(w->model);
	options.scratch = malloc(options.scratch_bytes + 1);
	w->failed = options.scratch == NULL || score_batch(w->model, &in, w->out, (size_t)w->n_rows, &options, NULL);
	free(options.scratch);
	return NULL;
}

/* The rows of a file, read into memory that is then all in use. */
static float *read_rows(const char *path, int64_t n_columns, int64_t *n_rows)
{
	FILE *f = fopen(path, "rb");
	long size;
	float *rows;
	if (f == NULL || fseek(f, 0, SEEK_END) || (size = ftell(f)) <= 0)
		return NULL;
	rewind(f);
	*n_rows = size / (long)sizeof(float) / n_columns;
	rows = malloc((size_t)size);
	if (rows != NULL && fread(rows, 1, (size_t)size, f) != (size_t)size)
		return NULL;
	fclose(f);
	return rows;
}

int main(int argc, char **argv)
{
	enum { MOST_THREADS = 16 };
	worker workers[MOST_THREADS] = { 0 };
	score_model *model;
	int64_t n_rows = 0, n_columns = argc == 5 ? atoll(argv[3]) : 0;
	int n = argc == 5 ? atoi(argv[4]) : 0;
	score_model_info info = { .struct_size = sizeof info };
	if (n_columns < 1 || n < 1 || n > MOST_THREADS)
		return fprintf(stderr, "usage: memory MODEL ROWS.f32 N_COLUMNS THREADS\n"), 2;
	float *rows = read_rows(argv[2], n_columns, &n_rows);
	double *out = malloc((size_t)n * (size_t)n_rows * sizeof *out + 1);
	if (rows == NULL || out == NULL)
		return fprintf(stderr, "memory: %s cannot be read\n", argv[2]), 1;
	memset(out, 1, (size_t)n * (size_t)n_rows * sizeof *out);
	long before = status_bytes("VmRSS:"), loaded;
	if (open_model(argv[1], &model) || score_model_get_info(model, &info))
		return 1;
	malloc_trim(0); /* what was freed while it was opened is no part of it, though malloc may keep it */
	loaded = status_bytes("VmRSS:");
	FILE *reset = fopen("/proc/self/clear_refs", "w"); /* the highest value starts anew: importing takes more */
	if (reset != NULL) {
		fputs("5", reset);
		fclose(reset);
	}
	for (int i = 0; i < n; i++) {
		workers[i] = (worker){ .model = model, .rows = rows, .n_rows = n_rows, .n_columns = n_columns,
			.out = out + i * n_rows };
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 1;
	}
	for (int i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].failed)
			return fprintf(stderr, "memory: scoring failed\n"), 1;
	}
	printf("{\"threads\": %d, \"model_bytes\": %llu, \"scratch_bytes\": %llu, \"resident_loaded\": %ld, "
	       "\"resident_scoring\": %ld}\n", n, (unsigned long long)info.memory_bytes,
		(unsigned long long)score_scratch_bytes(model), loaded - before, status_bytes("VmHWM:") - before);
	score_model_free(model);
	free(rows);
	free(out);
	return 0;
}
