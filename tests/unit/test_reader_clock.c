/* The clock of an endpoint's readers beside the system's: it must stay between two readings of theirs, whatever the counter does. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deploy/reader_clock.h"

#include <time.h>

/* 30,000 for the monotonic clock, and 10,000 may lie between two readings for UTC. */
#define SLACK_NS 40000

static int64_t system_ns(clockid_t which)
{
	struct timespec t;
	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void check(deploy_clock *clock)
{
	const int64_t before = system_ns(CLOCK_MONOTONIC), utc_before = system_ns(CLOCK_REALTIME);
	const int64_t now = deploy_clock_now(clock), utc = deploy_clock_utc(clock, now);
	const int64_t utc_after = system_ns(CLOCK_REALTIME), after = system_ns(CLOCK_MONOTONIC);
	assert_true(now >= before - SLACK_NS && now <= after + SLACK_NS);
	assert_true(utc >= utc_before - SLACK_NS - (after - before) && utc <= utc_after + SLACK_NS + (after - before));
}

static void follow(deploy_clock *clock, int64_t ns)
{
	const int64_t end = system_ns(CLOCK_MONOTONIC) + ns;
	while (system_ns(CLOCK_MONOTONIC) < end)
		check(clock);
}

static void agrees_with_the_system(void **state)
{
	deploy_clock clock;
	struct timespec pause = {0, 150000000};
	(void)state;
	deploy_clock_init(&clock);
	follow(&clock, 250000000);
	nanosleep(&pause, NULL); /* longer than it goes by itself */
	check(&clock);
	follow(&clock, 20000000);
}

static void without_a_steady_counter(void **state)
{
	deploy_clock clock;
	(void)state;
	deploy_clock_init(&clock);
	clock.has_ticks = 0;
	follow(&clock, 10000000);
	assert_int_equal(clock.anchor_ns, 0);
}

static void a_counter_that_jumps_is_not_believed(void **state)
{
	deploy_clock clock;
	struct timespec pause = {0, 5000000}; /* long enough to measure the length of a tick anew */
	(void)state;
	deploy_clock_init(&clock);
	if (!clock.has_ticks)
		skip();
	while (clock.ticks_good_for == 0)
		check(&clock);
	nanosleep(&pause, NULL);
	clock.anchor_ticks += (uint64_t)1 << 60; /* as if the counter had gone back */
	while (clock.ticks_good_for != 0)
		check(&clock);
	while (clock.ticks_good_for == 0)
		check(&clock);
	nanosleep(&pause, NULL);
	clock.anchor_ticks -= (uint64_t)1 << 60; /* as if it had leapt ahead */
	while (clock.ticks_good_for != 0)
		check(&clock);
	while (clock.ticks_good_for == 0)
		check(&clock);
	check(&clock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_system),
		cmocka_unit_test(without_a_steady_counter),
		cmocka_unit_test(a_counter_that_jumps_is_not_believed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
