/*
 * The capture log as an object: options, counts, the helper thread, the end.
 *
 * Relies on pthreads for the drain's lock and for the thread that the host may start.
 */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#include "capture_parts.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)

/* Frames wait here for one write(). */
#define BUFFER_BYTES ((size_t)256 << 10)

#define LOOKS_PER_INTERVAL 10

static score_status check_number(uint64_t *value, uint64_t usual, uint64_t least, uint64_t most, const char *name,
	score_error *error)
{
	if (*value == 0)
		*value = usual;
	if (*value >= least && *value <= most)
		return SCORE_OK;
	return sl_fail(error, SCORE_ERR_ARGUMENT, "score_capture_options.%s is %llu: give 0 or %llu to %llu", name,
		(unsigned long long)*value, (unsigned long long)least, (unsigned long long)most);
}

static bool is_plain(const char *text)
{
	size_t n = 0;
	for (; text[n]; n++) {
		const char c = text[n];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
	}
	return n > 0 && n < 64;
}

static score_status check_sizes(score_capture_options *o, score_error *error)
{
	score_status status = check_number(&o->ring_bytes, 4 * MIB, 64 * KIB, 1024 * MIB, "ring_bytes", error);
	uint64_t ring = 64 * KIB;
	while (status == SCORE_OK && ring < o->ring_bytes)
		ring *= 2;
	o->ring_bytes = ring;
	const uint64_t quarter = ring / 4 < 16 * MIB ? ring / 4 : 16 * MIB;
	if (status == SCORE_OK)
		status = check_number(&o->max_record_bytes, quarter < 64 * KIB ? quarter : 64 * KIB, KIB, quarter,
			"max_record_bytes", error);
	if (status == SCORE_OK)
		status = check_number(&o->segment_bytes, 64 * MIB, KIB, (uint64_t)1 << 50, "segment_bytes", error);
	return status;
}

static score_status check_options(score_capture_options *o, score_error *error)
{
	struct stat st;
	score_status status = check_sizes(o, error);
	if (status != SCORE_OK)
		return status;
	if (!o->prefix)
		o->prefix = "calls";
	if (!is_plain(o->prefix))
		return sl_fail(error, SCORE_ERR_ARGUMENT,
			"score_capture_options.prefix is '%s': give up to 63 letters, digits, '_' or '-'",
			sl_quote(o->prefix, strlen(o->prefix)).text);
	if (o->sampling_fraction == 0)
		o->sampling_fraction = 1;
	if (!(o->sampling_fraction > 0 && o->sampling_fraction <= 1))
		return sl_fail(error, SCORE_ERR_ARGUMENT,
			"score_capture_options.sampling_fraction is %g: give more than 0 and at most 1", o->sampling_fraction);
	if (o->segment_age_ns == 0)
		o->segment_age_ns = (int64_t)3600 * 1000000000;
	if (o->segment_age_ns < 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_capture_options.segment_age_ns is negative");
	if (o->sync < SCORE_CAPTURE_SYNC_NEVER || o->sync > SCORE_CAPTURE_SYNC_DRAIN)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_capture_options.sync is %d: give SCORE_CAPTURE_SYNC_…",
			(int)o->sync);
	if (!o->directory)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_capture_options.directory is NULL: say where segments go");
	if (stat(o->directory, &st) != 0 || !S_ISDIR(st.st_mode))
		return sl_fail(error, SCORE_ERR_IO, "score_capture_options.directory: '%.120s' is no directory", o->directory);
	return SCORE_OK;
}

/* ---- making and freeing ----------------------------------------------------------------------------- */

static bool start_wake(score_capture *c)
{
	pthread_condattr_t clock;
	if (pthread_condattr_init(&clock) != 0)
		return false;
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	const bool done = pthread_cond_init(&c->thread_wake, &clock) == 0;
	pthread_condattr_destroy(&clock);
	return done;
}

/* All three or none. */
static bool start_locks(score_capture *c)
{
	if (pthread_mutex_init(&c->drain_lock, NULL) != 0)
		return false;
	if (pthread_mutex_init(&c->thread_lock, NULL) == 0) {
		if (start_wake(c))
			return true;
		pthread_mutex_destroy(&c->thread_lock);
	}
	pthread_mutex_destroy(&c->drain_lock);
	return false;
}

static score_status allocate(score_capture *c, const score_capture_options *o, score_error *error)
{
	const size_t path_bytes = strlen(o->directory) + 256;
	sl_arena_init(&c->arena, o->allocator, 0);
	c->directory = sl_arena_string(&c->arena, o->directory, strlen(o->directory));
	c->prefix = sl_arena_string(&c->arena, o->prefix, strlen(o->prefix));
	c->segment.active = sl_arena_alloc(&c->arena, path_bytes, 1);
	c->segment.closed = sl_arena_alloc(&c->arena, path_bytes, 1);
	/* msgpack takes up to five bytes where the ring has one (a missing value among tagged ones has one in
	 * both), never more than twice the record. */
	c->buffer_bytes = BUFFER_BYTES > 2 * c->max_record_bytes + KIB ? BUFFER_BYTES : 2 * c->max_record_bytes + KIB;
	c->buffer = sl_alloc(&c->allocator, c->buffer_bytes, SL_CACHE_LINE);
	if (!c->directory || !c->prefix || !c->segment.active || !c->segment.closed || !c->buffer)
		return sl_fail_memory(error, c->buffer_bytes);
	if (!deploy_ring_init(&c->ring, &c->allocator, o->ring_bytes))
		return sl_fail_memory(error, (size_t)o->ring_bytes);
	return SCORE_OK;
}

static void release(score_capture *c)
{
	const score_allocator allocator = c->allocator;
	/* In a child of fork() they may be held by threads that do not exist there: destroying would wait for them. */
	if (c->process == (int64_t)getpid()) {
		pthread_mutex_destroy(&c->drain_lock);
		pthread_mutex_destroy(&c->thread_lock);
		pthread_cond_destroy(&c->thread_wake);
	}
	deploy_ring_free(&c->ring, &allocator);
	sl_free(&allocator, c->buffer, c->buffer_bytes, SL_CACHE_LINE);
	sl_arena_free(&c->arena);
	sl_free(&allocator, c, sizeof *c, SL_CACHE_LINE);
}

static uint64_t threshold_of(double fraction)
{
	return fraction >= 1 ? UINT64_MAX : (uint64_t)ldexp(fraction, 64);
}

score_status score_capture_new(const score_capture_options *options, score_capture **out, score_error *error)
{
	score_capture_options o;
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "out is NULL");
	*out = NULL;
	sl_error_clear(error);
	score_status status = sl_take_struct(&o, sizeof o, options, "score_capture_options", error);
	if (status == SCORE_OK)
		status = check_options(&o, error);
	if (status != SCORE_OK)
		return status;
	const score_allocator allocator = sl_allocator(o.allocator);
	score_capture *c = sl_alloc(&allocator, sizeof *c, SL_CACHE_LINE);
	if (!c)
		return sl_fail_memory(error, sizeof *c);
	memset(c, 0, sizeof *c);
	if (!start_locks(c)) {
		sl_free(&allocator, c, sizeof *c, SL_CACHE_LINE);
		return sl_fail(error, SCORE_ERR_MEMORY, "the system has no room for a mutex");
	}
	c->allocator = allocator;
	c->sampling_fraction = o.sampling_fraction;
	c->threshold = threshold_of(o.sampling_fraction);
	c->max_record_bytes = (size_t)o.max_record_bytes;
	c->segment_bytes = o.segment_bytes;
	c->segment_age_ns = o.segment_age_ns;
	c->sync = o.sync;
	c->process = (int64_t)getpid();
	c->segment.fd = -1;
	status = allocate(c, &o, error);
	if (status == SCORE_OK)
		status = deploy_segment_adopt(c, error);
	if (status != SCORE_OK) {
		release(c);
		return status;
	}
	*out = c;
	return SCORE_OK;
}

void score_capture_free(score_capture *capture)
{
	if (!capture)
		return;
	if (capture->process == (int64_t)getpid()) {
		score_status stopped = score_capture_stop(capture, NULL), drained = score_capture_rotate(capture, NULL);
		(void)stopped;
		(void)drained;
		/* The disk is full: what is written stands, under its final name. */
		(void)deploy_segment_close(capture, NULL);
	} else if (capture->segment.fd >= 0) {
		close(capture->segment.fd);
	}
	release(capture);
}

/* ---- the helper thread ------------------------------------------------------------------------------ */

static struct timespec after(int64_t ns)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	ns += t.tv_nsec;
	t.tv_sec += (time_t)(ns / 1000000000);
	t.tv_nsec = (long)(ns % 1000000000);
	return t;
}

/* Nobody wakes the thread, as producers make no system calls: it looks now and then whether calls come
 * faster than the interval allows for. After a failure it waits in any case. */
static void wait_for_work(score_capture *c, score_status status)
{
	for (int i = 0; i < LOOKS_PER_INTERVAL && !c->thread_ends; i++) {
		const struct timespec until = after(c->thread_interval_ns / LOOKS_PER_INTERVAL + 1);
		if (status == SCORE_OK && deploy_ring_used(&c->ring) > c->ring.n_granules * (RING_GRANULE / 2))
			return;
		pthread_cond_timedwait(&c->thread_wake, &c->thread_lock, &until);
	}
}

static void *drain_again_and_again(void *argument)
{
	score_capture *c = argument;
	pthread_mutex_lock(&c->thread_lock);
	for (bool last = false; !last;) {
		last = c->thread_ends;
		pthread_mutex_unlock(&c->thread_lock);
		score_error error;
		const score_status status = score_capture_drain(c, NULL, &error);
		pthread_mutex_lock(&c->thread_lock);
		c->thread_status = status;
		c->thread_error = error;
		if (!last)
			wait_for_work(c, status);
	}
	pthread_mutex_unlock(&c->thread_lock);
	return NULL;
}

score_status score_capture_start(score_capture *capture, int64_t interval_ns, score_error *error)
{
	sigset_t all, before;
	if (!capture || interval_ns < 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, capture ? "interval_ns is negative" : "the capture is NULL");
	sl_error_clear(error);
	pthread_mutex_lock(&capture->thread_lock);
	score_status status = SCORE_OK;
	if (capture->thread_runs) {
		status = sl_fail(error, SCORE_ERR_ARGUMENT, "the helper thread runs already");
	} else {
		capture->thread_ends = false;
		capture->thread_interval_ns = interval_ns ? interval_ns : 100000000;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		const int code = pthread_create(&capture->thread, NULL, drain_again_and_again, capture);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		capture->thread_runs = code == 0;
		if (code != 0)
			status = sl_fail(error, SCORE_ERR_MEMORY, "the helper thread cannot be started: errno %d", code);
	}
	pthread_mutex_unlock(&capture->thread_lock);
	return status;
}

score_status score_capture_stop(score_capture *capture, score_error *error)
{
	if (!capture)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the capture is NULL");
	sl_error_clear(error);
	pthread_mutex_lock(&capture->thread_lock);
	const bool runs = capture->thread_runs;
	capture->thread_runs = false;
	capture->thread_ends = true;
	pthread_cond_signal(&capture->thread_wake);
	pthread_mutex_unlock(&capture->thread_lock);
	if (!runs)
		return SCORE_OK;
	pthread_join(capture->thread, NULL);
	if (error)
		*error = capture->thread_error;
	return capture->thread_status;
}

/* ---- counts ----------------------------------------------------------------------------------------- */

static uint64_t read_count(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

score_status score_capture_get_info(const score_capture *capture, score_capture_info *out)
{
	if (!capture || !sl_has_size(out))
		return SCORE_ERR_ARGUMENT;
	const score_capture_info info = {
		.n_sampled_out = read_count(&capture->n_sampled_out),
		.n_kept = read_count(&capture->n_kept),
		.n_lost_full = read_count(&capture->n_lost_full),
		.n_lost_size = read_count(&capture->n_lost_size),
		.n_lost_invalid = read_count(&capture->n_lost_invalid),
		.n_records = read_count(&capture->n_kept) + read_count(&capture->n_parts),
		.n_written = read_count(&capture->n_written),
		.n_bytes = read_count(&capture->n_bytes),
		.n_segments = read_count(&capture->n_segments),
		.n_failed_drains = read_count(&capture->n_failed_drains),
		.ring_bytes = capture->ring.n_granules * RING_GRANULE,
		.ring_used = deploy_ring_used(&capture->ring),
		.last_drain = atomic_load_explicit(&capture->last_drain, memory_order_relaxed),
	};
	sl_give_struct(out, &info, sizeof info);
	return SCORE_OK;
}
