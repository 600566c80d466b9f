/*
 * The clock: how long a side takes for a pass over rows, for single calls, and for passes by several threads at once.
 */
#define _POSIX_C_SOURCE 200809L
#include "contest.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_THREADS = 64 };

char contest_message[512];

const char *contest_error(void)
{
	return contest_message;
}

int contest_fail(const char *what, const char *why)
{
	snprintf(contest_message, sizeof contest_message, "%s: %s", what, why ? why : "?");
	return 1;
}

contest_side *contest_new(const contest_rows *rows, size_t state_size)
{
	contest_side *side = calloc(1, sizeof *side);
	if (side == NULL)
		return NULL;
	side->rows = rows;
	side->out = calloc((size_t)rows->n_rows, sizeof *side->out);
	side->state = calloc(1, state_size);
	if (side->out != NULL && side->state != NULL)
		return side;
	free(side->out);
	free(side->state);
	free(side);
	contest_fail("contest_new", "no memory");
	return NULL;
}

void *contest_library(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		contest_fail(path, dlerror());
	return library;
}

/* ISO C has no cast from void * to a function pointer; POSIX promises that the bits are the same. */
int contest_bind(void *slot, void *library, const char *name)
{
	void *found = dlsym(library, name);
	if (found == NULL)
		return contest_fail(name, dlerror());
	memcpy(slot, &found, sizeof found);
	return 0;
}

static double read_clock(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/*
 * Nanoseconds of processor time, of all threads together, for rows [0, n), `batch` rows per call: what other programs do
 * meanwhile does not count. Negative on failure.
 */
double contest_pass(contest_side *side, int64_t n, int64_t batch)
{
	double began = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	for (int64_t first = 0; first < n; first += batch)
		if (side->score(side, first, batch < n - first ? batch : n - first))
			return -1.0;
	return read_clock(CLOCK_PROCESS_CPUTIME_ID) - began;
}

/* One call per row, another row each time: nanoseconds of every call. */
int contest_calls(contest_side *side, int64_t first, int64_t n, double *ns)
{
	for (int64_t i = 0; i < n; i++) {
		double began = now_ns();
		if (side->score(side, (first + i) % side->rows->n_rows, 1))
			return 1;
		ns[i] = now_ns() - began;
	}
	return 0;
}

typedef struct worker {
	pthread_t thread;
	pthread_barrier_t *start;
	contest_side *side;
	int64_t n;
	int n_passes, failed;
	double finished;
} worker;

static void *work(void *argument)
{
	worker *w = argument;
	pthread_barrier_wait(w->start);
	for (int i = 0; i < w->n_passes; i++)
		w->failed |= contest_pass(w->side, w->n, w->n) < 0.0;
	w->finished = now_ns();
	return NULL;
}

/* Every side scores rows [0, n) `n_passes` times on a thread of its own, all starting together: nanoseconds until the
 * last is done. Negative on failure. */
double contest_threads(contest_side **sides, int n_sides, int64_t n, int n_passes)
{
	worker workers[MOST_THREADS];
	pthread_barrier_t start;
	double began, last = 0.0;
	int started = 0, failed = 0;
	if (n_sides < 1 || n_sides > MOST_THREADS || pthread_barrier_init(&start, NULL, (unsigned)n_sides + 1))
		return -1.0;
	for (; started < n_sides; started++) {
		workers[started] = (worker){ .start = &start, .side = sides[started], .n = n, .n_passes = n_passes };
		if (pthread_create(&workers[started].thread, NULL, work, &workers[started])) {
			fprintf(stderr, "contest_threads: no thread\n");
			abort(); /* the others wait at the barrier for good */
		}
	}
	pthread_barrier_wait(&start);
	began = now_ns();
	for (int i = 0; i < n_sides; i++) {
		pthread_join(workers[i].thread, NULL);
		failed |= workers[i].failed;
		last = workers[i].finished > last ? workers[i].finished : last;
	}
	pthread_barrier_destroy(&start);
	return failed ? -1.0 : last - began;
}
