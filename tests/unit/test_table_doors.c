/*
 * A reader that is about to take hold of a table while another replaces it: the one that replaces waits until it has. The linker sends
 * here what a reader does between loading the table and counting itself in, and what the waiting one does meanwhile.
 */
#define _XOPEN_SOURCE 700
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sample_tables.h"

static atomic_int pauses, inside, waited;

score_table *__real_score_table_retain(score_table *table);
score_table *__wrap_score_table_retain(score_table *table);
int __real_sched_yield(void);
int __wrap_sched_yield(void);

score_table *__wrap_score_table_retain(score_table *table)
{
	if (atomic_load(&pauses)) {
		atomic_store(&inside, 1);
		while (atomic_load(&waited) < 3)
			__real_sched_yield();
	}
	return __real_score_table_retain(table);
}

int __wrap_sched_yield(void)
{
	atomic_fetch_add(&waited, 1);
	return __real_sched_yield();
}

static void write_version(double version)
{
	static const score_table_field key[] = {{"id", SCORE_I64, 0}}, column[] = {{"x", SCORE_F64, 0}};
	static const int64_t id[] = {1};
	const score_column data[] = {sample_column(SCORE_I64, id, NULL), sample_column(SCORE_F64, &version, NULL)};
	const sample_table spec = {key, 1, NULL, column, 1, data, 1, NULL, 0};
	assert_int_equal(sample_table_build(sample_path("live.sft"), &spec, NULL), SCORE_OK);
}

static double look_up(const score_table *t)
{
	static const int64_t id[] = {1};
	const score_column key = sample_column(SCORE_I64, id, NULL);
	const score_table_query q = {sizeof q, &key, 1, NULL, 0};
	double out = 0;
	const score_table_output output = {0, 0, &out, NULL};
	assert_int_equal(score_table_lookup(t, &q, 1, &output, 1, NULL, NULL), SCORE_OK);
	return out;
}

static void *acquire(void *source)
{
	return score_table_acquire(source);
}

static void a_reader_in_the_door_is_waited_for(void **state)
{
	score_table_source *source;
	pthread_t reader;
	void *held;
	int32_t changed;
	(void)state;
	write_version(1);
	assert_int_equal(score_table_source_open(sample_path("live.sft"), NULL, &source, NULL), SCORE_OK);
	write_version(2);
	atomic_store(&pauses, 1);
	assert_int_equal(pthread_create(&reader, NULL, acquire, source), 0);
	while (!atomic_load(&inside))
		__real_sched_yield();
	assert_int_equal(score_table_source_refresh(source, &changed, NULL), SCORE_OK);
	assert_int_equal(changed, 1);
	assert_true(atomic_load(&waited) >= 3);
	assert_int_equal(pthread_join(reader, &held), 0);
	atomic_store(&pauses, 0);
	assert_true(look_up(held) == 1); /* held before the old one was given up */
	score_table *now = score_table_acquire(source);
	assert_true(look_up(now) == 2);
	score_table_close(now);
	score_table_close(held);
	score_table_source_free(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_reader_in_the_door_is_waited_for)};
	return cmocka_run_group_tests(tests, NULL, sample_cleanup);
}
