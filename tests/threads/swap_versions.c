/*
 * Versions, weights and shadows of an endpoint are swapped while all processors score. Every answer is compared with what the
 * configuration that served it must answer.
 *
 *   swap_versions SECONDS SWAPS [THREADS]
 *
 * Goes out: one line of numbers; exit code 1 if a call failed, a batch was mixed, a model leaked or was freed in use, or a thread
 * exists that was not started here. Sanitizers make the same run find races and use after free.
 */
#define _GNU_SOURCE
#include <scoreline/build.h>
#include <scoreline/endpoint.h>

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ThreadSanitizer has a thread of its own. */
#if defined(__SANITIZE_THREAD__)
#define OTHER_THREADS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define OTHER_THREADS 1
#endif
#endif
#ifndef OTHER_THREADS
#define OTHER_THREADS 0
#endif

#define N_MODELS 64
#define MOST_ROWS 512
#define MOST_THREADS 64

/* What a configuration serves: model numbers of its two entities. */
typedef struct pair {
	int first, second;
} pair;

typedef struct world {
	score_endpoint *endpoint;
	void *bytes[N_MODELS]; /* model i answers i */
	size_t sizes[N_MODELS];
	pair *pairs;           /* by generation */
	atomic_bool is_over;
	atomic_ullong n_failed, n_mixed, n_calls, n_rows, n_observed, n_shadows, n_released;
	unsigned long long n_opened;
} world;

typedef struct worker {
	world *w;
	pthread_t thread;
	uint64_t random;
} worker;

static void die(const char *what, const score_error *error)
{
	fprintf(stderr, "%s: %s\n", what, error ? error->message : "");
	exit(1);
}

static uint32_t draw(uint64_t *state, uint32_t below)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*state >> 32) * below >> 32);
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- models ------------------------------------------------------------------------------------------------------ */

static void make_bytes(world *w, int answer)
{
	const double weights[] = {0.0, 0.0}, base = answer, rows[] = {1.0, 2.0}, margins[] = {answer};
	score_contract contract = SCORE_CONTRACT_INIT(2, 1);
	score_save_options save = SCORE_SAVE_OPTIONS_INIT;
	score_builder *builder = NULL;
	score_model *model = NULL;
	void *bytes = NULL;
	score_error e;
	contract.sum = contract.compare = SCORE_F64;
	save.golden_rows = rows;
	save.golden_margins = margins;
	save.n_golden_rows = 1;
	if (score_builder_new(&contract, NULL, &builder, &e) || score_builder_set_base(builder, &base, 1, &e) ||
		score_builder_set_linear(builder, weights, 0, &e) || score_builder_finish(builder, &model, &e) ||
		score_model_save_memory(model, &save, &bytes, &w->sizes[answer], &e))
		die("making a model", &e);
	w->bytes[answer] = malloc(w->sizes[answer]);
	memcpy(w->bytes[answer], bytes, w->sizes[answer]);
	score_model_free_bytes(model, bytes, w->sizes[answer]);
	score_model_free(model);
	score_builder_free(builder);
}

typedef struct handed {
	world *w;
	score_model *model;
} handed;

static void take_back(void *context)
{
	handed *h = context;
	atomic_fetch_add(&h->w->n_released, 1);
	score_model_free(h->model);
	free(h);
}

static score_served_entity new_version(world *w, int number, char version[16])
{
	score_error e;
	handed *h = malloc(sizeof *h);
	h->w = w;
	if (score_model_open_memory(w->bytes[number], w->sizes[number], NULL, &h->model, &e) != SCORE_OK)
		die("opening a model", &e);
	w->n_opened++;
	snprintf(version, 16, "%d", number);
	return (score_served_entity){.entity_name = "m", .entity_version = version, .model = h->model, .release = take_back,
		.release_context = h};
}

/* ---- scoring ----------------------------------------------------------------------------------------------------- */

static void observe(void *context, const score_call *call)
{
	world *w = context;
	atomic_fetch_add_explicit(call->flags & SCORE_CALL_SHADOW ? &w->n_shadows : &w->n_observed, 1, memory_order_relaxed);
	int number = atoi(call->served_name + 2);
	for (int64_t i = 0; call->out && i < call->input->n_rows; i++) {
		if (call->out[i] != number) {
			atomic_fetch_add(&w->n_mixed, 1);
			return;
		}
	}
}

static bool is_right(const world *w, const score_answer *answer, const double *out, const uint32_t *served, size_t n)
{
	pair p = w->pairs[answer->generation];
	for (size_t i = 0; i < n; i++) {
		if (served[i] > 1 || out[i] != (served[i] ? p.second : p.first))
			return false;
	}
	return answer->served == UINT32_MAX || atoi(answer->served_name + 2) == out[0];
}

static void *score(void *context)
{
	worker *me = context;
	world *w = me->w;
	score_endpoint_reader *reader = NULL;
	static const size_t sizes[] = {1, 1, 7, 100, MOST_ROWS};
	double rows[MOST_ROWS][2] = {{0}}, out[MOST_ROWS];
	uint32_t served[MOST_ROWS];
	int64_t keys[MOST_ROWS];
	char scratch[65536];
	unsigned long long n_calls = 0, n_rows = 0;
	score_error error;
	if (score_endpoint_reader_new(w->endpoint, &reader, &error) != SCORE_OK)
		die("a reader", &error);
	while (!atomic_load_explicit(&w->is_over, memory_order_relaxed)) {
		size_t n = sizes[draw(&me->random, 5)];
		score_input in = score_input_rows_f64(&rows[0][0], (int64_t)n, 2);
		score_column column = {.values = keys, .dtype = SCORE_I64};
		score_request r = SCORE_REQUEST_INIT;
		score_answer answer = SCORE_ANSWER_INIT;
		uint32_t way = draw(&me->random, 3);
		for (size_t i = 0; i < n; i++)
			keys[i] = draw(&me->random, 1000000);
		r.scratch = scratch;
		r.scratch_bytes = sizeof scratch;
		r.row_served = served;
		if (way == 0)
			r.row_keys = &column;
		if (way == 1) {
			r.key = keys;
			r.key_length = sizeof keys[0];
		}
		if (score_endpoint_batch(reader, &in, out, n, &r, &answer, &error) != SCORE_OK) {
			fprintf(stderr, "a call failed: %s\n", error.message);
			atomic_fetch_add(&w->n_failed, 1);
		} else if (!is_right(w, &answer, out, served, n)) {
			atomic_fetch_add(&w->n_mixed, 1);
		}
		n_calls++;
		n_rows += n;
		if (draw(&me->random, 5000) == 0) { /* readers come and go too */
			score_endpoint_reader_free(reader);
			if (score_endpoint_reader_new(w->endpoint, &reader, &error) != SCORE_OK)
				die("a reader", &error);
		}
	}
	score_endpoint_reader_free(reader);
	atomic_fetch_add(&w->n_calls, n_calls);
	atomic_fetch_add(&w->n_rows, n_rows);
	return NULL;
}

/* ---- swapping ---------------------------------------------------------------------------------------------------- */

static void configure(world *w, uint64_t *random, uint64_t generation, bool is_first)
{
	char versions[2][16];
	int first = (int)draw(random, N_MODELS), second = (first + 1 + (int)draw(random, N_MODELS - 1)) % N_MODELS;
	score_served_entity entities[2] = {new_version(w, first, versions[0]), new_version(w, second, versions[1])};
	char names[2][24];
	const char *shadow = names[draw(random, 2)];
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_observer observer = {observe, w};
	score_endpoint_options options = SCORE_ENDPOINT_OPTIONS_INIT;
	score_error error;
	snprintf(names[0], sizeof names[0], "m-%d", first);
	snprintf(names[1], sizeof names[1], "m-%d", second);
	int32_t share = (int32_t)draw(random, 101);
	const score_route routes[] = {{names[0], share, 0}, {names[1], 100 - share, 0}};
	config.served_entities = entities;
	config.routes = routes;
	config.n_served_entities = config.n_routes = 2;
	config.shadow_names = &shadow;
	config.n_shadows = draw(random, 4) == 0 || is_first;
	w->pairs[generation] = (pair){first, second};
	options.observers = &observer;
	options.n_observers = 1;
	if (is_first ? score_endpoint_new(&options, &config, &w->endpoint, &error) :
			score_endpoint_update(w->endpoint, &config, &error))
		die("a configuration", &error);
}

static void swap(world *w, uint64_t *random, uint64_t *generation)
{
	score_error error;
	uint32_t what = draw(random, 10);
	if (what == 0) {
		score_status status = score_endpoint_rollback(w->endpoint, &error);
		if (status != SCORE_OK && status != SCORE_ERR_ARGUMENT)
			die("rolling back", &error);
	} else if (what == 1) {
		score_endpoint_settle(w->endpoint);
	} else {
		configure(w, random, ++*generation, false);
	}
}

static int count_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	int n = 0;
	for (struct dirent *entry; tasks && (entry = readdir(tasks));)
		n += entry->d_name[0] != '.';
	if (tasks)
		closedir(tasks);
	return n;
}

int main(int argc, char **argv)
{
	static world w;
	static worker workers[MOST_THREADS];
	double seconds = argc > 1 ? atof(argv[1]) : 1.0;
	long n_swaps = argc > 2 ? atol(argv[2]) : 500, n_threads = argc > 3 ? atol(argv[3]) : sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t random = 42, generation = 1;
	n_threads = n_threads < 2 ? 2 : n_threads > MOST_THREADS ? MOST_THREADS : n_threads;
	w.pairs = calloc((size_t)n_swaps + 2, sizeof *w.pairs);
	for (int i = 0; i < N_MODELS; i++)
		make_bytes(&w, i);
	int n_before = count_threads();
	configure(&w, &random, generation, true);
	for (long t = 0; t < n_threads; t++) {
		workers[t] = (worker){.w = &w, .random = (uint64_t)t * 977 + 1};
		if (pthread_create(&workers[t].thread, NULL, score, workers + t) != 0)
			die("a thread", NULL);
	}
	/* On a busy machine all swaps might be made before the first call of a thread. */
	while (atomic_load(&w.n_shadows) == 0 && atomic_load(&w.n_failed) == 0)
		sched_yield();
	double began = now_s();
	for (long i = 0; i < n_swaps; i++) {
		double left = began + seconds * (double)(i + 1) / (double)n_swaps - now_s();
		if (left > 0.0)
			nanosleep(&(struct timespec){(time_t)left, (long)((left - (double)(time_t)left) * 1e9)}, NULL);
		swap(&w, &random, &generation);
	}
	int n_during = count_threads();
	atomic_store(&w.is_over, true);
	for (long t = 0; t < n_threads; t++)
		pthread_join(workers[t].thread, NULL);
	size_t left = score_endpoint_settle(w.endpoint);
	unsigned long long in_use = w.n_opened - w.n_released;
	score_endpoint_free(w.endpoint);
	printf("%.1f s, %ld swaps, %ld threads: %llu calls of %llu rows, %llu shadows; %llu failed, %llu mixed, %llu of %llu "
		"models not given back, %d threads started by others\n", now_s() - began, n_swaps, n_threads, w.n_calls, w.n_rows,
		w.n_shadows, w.n_failed, w.n_mixed, w.n_opened - w.n_released, w.n_opened, n_during - n_before - (int)n_threads);
	for (int i = 0; i < N_MODELS; i++)
		free(w.bytes[i]);
	free(w.pairs);
	bool is_good = w.n_failed == 0 && w.n_mixed == 0 && w.n_opened == w.n_released && left == 0 && in_use == 2 &&
		w.n_calls > 0 && w.n_observed > 0 && w.n_shadows > 0 && n_during - n_before <= n_threads + OTHER_THREADS;
	return is_good ? 0 : 1;
}
