/*
 * The ring and the capture under threads. Built with a thread sanitizer too
 * (tests/house/check_capture_threads.sh).
 */
#define _DEFAULT_SOURCE
#include "capture_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "deploy/capture_parts.h"

#define N_THREADS 4

/* ---- the ring by itself --------------------------------------------------------------------------------- */

/* Records of all lengths: thread, number, length in words, then words that follow from these. */
typedef struct producer {
	deploy_ring *ring;
	uint64_t thread, n;
} producer;

static void *produce(void *argument)
{
	producer *p = argument;
	for (uint64_t i = 0; i < p->n; i++) {
		const uint64_t words = 3 + (i * 7 + p->thread) % 40;
		uint64_t position;
		uint64_t *to;
		while (!(to = deploy_ring_reserve(p->ring, words * 8, &position)))
			sched_yield();
		to[0] = p->thread;
		to[1] = i;
		to[2] = words;
		for (uint64_t k = 3; k < words; k++)
			to[k] = i * 1000003 + k;
		deploy_ring_commit(p->ring, position);
	}
	return NULL;
}

#define PER_THREAD 20000u

typedef struct consumer {
	uint8_t seen[N_THREADS][PER_THREAD];
	uint64_t n, n_drains;
} consumer;

static void consume(deploy_ring *ring, consumer *c)
{
	uint64_t cursor = deploy_ring_begin(ring), taken = 0;
	/* Now and then a write fails, and everything comes again. */
	const bool fails = c->n_drains++ % 5 == 4;
	for (const uint64_t *r; taken < 50 && (r = deploy_ring_take(ring, &cursor)) != NULL; taken++) {
		assert_true(r[0] < N_THREADS && r[1] < PER_THREAD);
		for (uint64_t k = 3; k < r[2]; k++)
			assert_true(r[k] == r[1] * 1000003 + k);
		if (fails)
			continue;
		assert_int_equal(c->seen[r[0]][r[1]]++, 0);
		c->n++;
	}
	deploy_ring_settle(ring, !fails);
}

static void the_ring_keeps_every_record_whole(void **state)
{
	deploy_ring ring;
	pthread_t threads[N_THREADS];
	producer p[N_THREADS];
	consumer *c = calloc(1, sizeof *c);
	const score_allocator allocator = sl_allocator(NULL);
	(void)state;
	assert_true(deploy_ring_init(&ring, &allocator, 8192)); /* small: it wraps and fills all the time */
	for (uint64_t i = 0; i < N_THREADS; i++) {
		p[i] = (producer){ &ring, i, PER_THREAD };
		assert_int_equal(pthread_create(threads + i, NULL, produce, p + i), 0);
	}
	while (c->n < N_THREADS * PER_THREAD)
		consume(&ring, c);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	consume(&ring, c);
	assert_int_equal(c->n, N_THREADS * PER_THREAD);
	deploy_ring_settle(&ring, true);
	assert_int_equal(deploy_ring_used(&ring), 0);
	deploy_ring_free(&ring, &allocator);
	free(c);
}

static void put(deploy_ring *ring, uint64_t value, size_t size)
{
	uint64_t position, *to = deploy_ring_reserve(ring, size, &position);
	assert_non_null(to);
	*to = value;
	deploy_ring_commit(ring, position);
}

/* A producer that stops in the middle hides no other record, and costs room only until it goes on. */
static void a_stopped_producer_hides_nothing(void **state)
{
	deploy_ring ring;
	const score_allocator allocator = sl_allocator(NULL);
	uint64_t stopped, cursor, n = 0;
	(void)state;
	assert_true(deploy_ring_init(&ring, &allocator, 4096));
	put(&ring, 1, 64);
	uint64_t *late = deploy_ring_reserve(&ring, 200, &stopped);
	assert_non_null(late);
	for (uint64_t i = 0; i < 10; i++)
		put(&ring, 2 + i, 100);
	cursor = deploy_ring_begin(&ring);
	for (const uint64_t *r; (r = deploy_ring_take(&ring, &cursor)) != NULL; n++)
		assert_true(*r == (n == 0 ? 1 : n + 1));
	assert_int_equal(n, 11);
	deploy_ring_settle(&ring, true);
	/* None of them comes again, and the ring fills up behind the stopped one. */
	cursor = deploy_ring_begin(&ring);
	assert_null(deploy_ring_take(&ring, &cursor));
	uint64_t position;
	for (n = 0; deploy_ring_reserve(&ring, 64, &position) != NULL; n++)
		deploy_ring_commit(&ring, position);
	assert_int_equal(n, 64 - 1 - 4 - 20 + 1);
	*late = 99;
	deploy_ring_commit(&ring, stopped);
	cursor = deploy_ring_begin(&ring);
	assert_true(*(const uint64_t *)deploy_ring_take(&ring, &cursor) == 99);
	while (deploy_ring_take(&ring, &cursor))
		;
	deploy_ring_settle(&ring, true);
	assert_int_equal(deploy_ring_used(&ring), 0);
	deploy_ring_free(&ring, &allocator);
}

/* ---- the capture ---------------------------------------------------------------------------------------- */

typedef struct recorder {
	score_capture *capture;
	const score_model *model;
	uint64_t first, n, kept, lost;
} recorder;

static void *record_all(void *argument)
{
	recorder *r = argument;
	for (uint64_t i = 0; i < r->n; i++) {
		const int result = fixture_record(r->capture, r->model, r->first + i);
		r->kept += result == 1;
		r->lost += result == -1;
	}
	return NULL;
}

/* Threads record while the helper thread drains, this one drains too, and models come and go. */
static void threads_record_while_others_drain(void **state)
{
	enum { N = 5000 };
	fixture_directory d;
	score_model *model = fixture_model(28);
	pthread_t threads[N_THREADS];
	recorder r[N_THREADS];
	uint64_t kept = 0, lost = 0;
	bool *seen = calloc(N_THREADS * N, sizeof *seen);
	(void)state;
	fixture_directory_make(&d);
	score_capture *capture = fixture_capture(&d);
	assert_int_equal(score_capture_add_model(capture, model, NULL), SCORE_OK);
	assert_int_equal(score_capture_start(capture, 1000000, NULL), SCORE_OK);
	assert_int_equal(score_capture_start(capture, 1000000, NULL), SCORE_ERR_ARGUMENT);
	for (uint64_t i = 0; i < N_THREADS; i++) {
		r[i] = (recorder){ capture, model, i * N, N, 0, 0 };
		assert_int_equal(pthread_create(threads + i, NULL, record_all, r + i), 0);
	}
	for (int i = 0; i < 50; i++) {
		score_model *other = fixture_model(2);
		assert_int_equal(score_capture_add_model(capture, other, NULL), SCORE_OK);
		assert_int_equal(score_capture_drain(capture, NULL, NULL), SCORE_OK);
		score_capture_remove_model(capture, other);
		score_model_free(other);
		(void)fixture_info(capture);
	}
	for (int i = 0; i < N_THREADS; i++) {
		pthread_join(threads[i], NULL);
		kept += r[i].kept;
		lost += r[i].lost;
	}
	assert_int_equal(score_capture_stop(capture, NULL), SCORE_OK);
	assert_int_equal(score_capture_stop(capture, NULL), SCORE_OK);
	const score_capture_info info = fixture_info(capture);
	assert_true(info.n_kept == kept && info.n_lost_full == lost && kept + lost == N_THREADS * N);
	assert_int_equal(info.n_written, kept);
	assert_int_equal(fixture_read(&d, seen, N_THREADS * N), kept);
	/* Once more after a stop; free ends the thread. */
	assert_int_equal(score_capture_start(capture, 0, NULL), SCORE_OK);
	score_capture_free(capture);
	score_model_free(model);
	free(seen);
	fixture_directory_remove(&d);
}

/* The child has no helper thread: free must not wait for it. */
static void a_child_frees_what_the_parent_uses(void **state)
{
	fixture_directory d;
	int status;
	(void)state;
	fixture_directory_make(&d);
	score_capture *capture = fixture_capture(&d);
	assert_int_equal(score_capture_start(capture, 0, NULL), SCORE_OK);
	usleep(20000);
	const pid_t child = fork();
	if (child == 0) {
		alarm(120);
		score_capture_free(capture);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	score_capture_free(capture);
	fixture_directory_remove(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ring_keeps_every_record_whole),
		cmocka_unit_test(a_stopped_producer_hides_nothing),
		cmocka_unit_test(threads_record_while_others_drain),
		cmocka_unit_test(a_child_frees_what_the_parent_uses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
