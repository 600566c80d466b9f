/* How a reader tells the time: see reader_clock.h. */
#define _POSIX_C_SOURCE 200809L
#include "reader_clock.h"

#include <time.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#define HAVE_TICKS 1
#else
#define HAVE_TICKS 0
#endif

#define GOOD_NS 100000000 /* how long a reader goes without the system's clocks, at most */
/* The least time over which the length of a tick is measured, and how many times as long the measure is believed: two
 * readings that lie 1.5 us apart at either end make 20 times that, 30 us, of it. */
#define CALIBRATION_NS 2000000
#define BELIEVED_TIMES 20
/* What lies between two readings that follow each other without an interruption, at most. */
#define UNDISTURBED_TICKS 4000
#define UNDISTURBED_NS 10000

static int64_t clock_ns(clockid_t which)
{
	struct timespec t;
	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t ticks(void)
{
#if HAVE_TICKS
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

/* Whether the counter runs at one rate, whatever the processor does. */
static int32_t has_steady_ticks(void)
{
#if HAVE_TICKS
	unsigned a, b, c, d;
	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d >> 8 & 1);
#else
	return 0;
#endif
}

void deploy_clock_init(deploy_clock *clock)
{
	*clock = (deploy_clock){.has_ticks = has_steady_ticks()};
}

static int64_t good_ns(int64_t measured_ns)
{
	return measured_ns < GOOD_NS / BELIEVED_TIMES ? measured_ns * BELIEVED_TIMES : GOOD_NS;
}

/* Ask the system; learn the length of a tick if enough time has passed since the last time. Two clocks between whose readings
 * the thread was interrupted say nothing of each other: then the next call asks again. */
static int64_t ask(deploy_clock *clock)
{
	const uint64_t before = ticks();
	const int64_t now = clock_ns(CLOCK_MONOTONIC);
	const uint64_t after = ticks();
	const int64_t passed = now - clock->anchor_ns;
	if (after - before > UNDISTURBED_TICKS || (clock->anchor_ns != 0 && passed < CALIBRATION_NS))
		return now;
	clock->ticks_good_for = 0;
	if (clock->anchor_ns != 0 && before > clock->anchor_ticks) {
		clock->ns_per_tick = (double)passed / (double)(before - clock->anchor_ticks);
		/* Counters of 100 kHz to 100 GHz: any other did not count what passed. */
		if (clock->ns_per_tick > 1e-2 && clock->ns_per_tick < 1e4)
			clock->ticks_good_for = (uint64_t)((double)good_ns(passed) / clock->ns_per_tick);
	}
	clock->anchor_ns = now;
	clock->anchor_ticks = before;
	return now;
}

int64_t deploy_clock_now(deploy_clock *clock)
{
	if (!clock->has_ticks)
		return clock_ns(CLOCK_MONOTONIC);
	const uint64_t passed = ticks() - clock->anchor_ticks;
	if (passed < clock->ticks_good_for)
		return clock->anchor_ns + (int64_t)((double)passed * clock->ns_per_tick);
	return ask(clock);
}

int64_t deploy_clock_utc(deploy_clock *clock, int64_t monotonic)
{
	if (monotonic >= clock->offset_good_to) {
		const int64_t before = clock_ns(CLOCK_MONOTONIC), utc = clock_ns(CLOCK_REALTIME);
		const int64_t between = clock_ns(CLOCK_MONOTONIC) - before;
		clock->utc_offset = utc - (before + between / 2);
		if (between < UNDISTURBED_NS)
			clock->offset_good_to = monotonic + GOOD_NS;
	}
	return monotonic + clock->utc_offset;
}
