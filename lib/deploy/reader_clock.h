/*
 * The clock of a reader: nanoseconds of the monotonic clock, and their difference from UTC.
 *
 * Comes in: the system's clocks and, where it runs at one rate (x86-64 with an invariant counter), the processor's time stamp
 * counter. Goes out: times that differ from the system's by no more than some 30 us, their differences by no more
 * than a part in 1,000.
 *
 * Asking the system twice in every call costs more than the rest of an endpoint. So a reader asks it every 100 ms, learns how
 * long a tick is from one asking to the next, and counts ticks in between. A machine that is moved or changes its rate is
 * followed from the next asking on; a counter that runs backwards is not believed.
 */
#ifndef DEPLOY_READER_CLOCK_H
#define DEPLOY_READER_CLOCK_H

#include <stdint.h>

typedef struct deploy_clock {
	int64_t utc_offset;      /* from the monotonic clock to UTC … */
	int64_t offset_good_to;  /* … until then */
	int64_t anchor_ns;       /* both clocks, when the system was last asked; 0: never */
	uint64_t anchor_ticks;
	uint64_t ticks_good_for; /* 0: the length of a tick is not known */
	double ns_per_tick;
	int32_t has_ticks;
} deploy_clock;

void deploy_clock_init(deploy_clock *clock);
/* Monotonic nanoseconds. */
int64_t deploy_clock_now(deploy_clock *clock);
/* The same moment as nanoseconds since 1970. */
int64_t deploy_clock_utc(deploy_clock *clock, int64_t monotonic);

#endif
