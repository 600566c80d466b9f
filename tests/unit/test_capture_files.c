/*
 * Segment files and what can go wrong with them: rotation, dead processes, torn tails at every byte, every
 * byte changed, hostile frames with right checksums, a full and a failing disk (write() goes through this
 * test), no memory.
 */
#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700
#include "capture_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <xxhash.h>

#include "deploy/capture_parts.h"

/* ---- write() and ftruncate() that fail
 * -------------------------------------------------------------------- */

static long writes_left = -1; /* bytes until the disk is full; -1: it is not */
static int write_errno = ENOSPC;
static int truncate_errno; /* 0: it works */

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	if (writes_left < 0 || fd <= 2)
		return __real_write(fd, data, size);
	if (writes_left == 0) {
		errno = write_errno;
		return -1;
	}
	const size_t n = size < (size_t)writes_left ? size : (size_t)writes_left;
	writes_left -= (long)n;
	return __real_write(fd, data, n);
}

int __wrap_ftruncate(int fd, off_t size)
{
	errno = truncate_errno;
	return truncate_errno ? -1 : __real_ftruncate(fd, size);
}

/* ---- helpers
 * ------------------------------------------------------------------------------------------------ */

typedef struct setting {
	fixture_directory directory;
	score_model *model;
	score_capture *capture;
} setting;

static setting begin_with(const score_capture_options *given)
{
	setting s = { .model = fixture_model(5) };
	score_error error;
	fixture_directory_make(&s.directory);
	score_capture_options o = given ? *given : fixture_options(&s.directory);
	o.directory = s.directory.path;
	if (score_capture_new(&o, &s.capture, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(score_capture_add_model(s.capture, s.model, NULL), SCORE_OK);
	return s;
}

static void end(setting *s)
{
	score_capture_free(s->capture);
	score_model_free(s->model);
	fixture_directory_remove(&s->directory);
}

static void drain(setting *s)
{
	score_error error;
	if (score_capture_drain(s->capture, NULL, &error) != SCORE_OK)
		fail_msg("%s", error.message);
}

typedef struct bytes {
	uint8_t *data;
	size_t size;
} bytes;

static bytes read_whole(const char *path)
{
	bytes b = { malloc(1 << 20), 0 };
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	b.size = fread(b.data, 1, 1 << 20, file);
	fclose(file);
	return b;
}

static void write_whole(const char *path, const uint8_t *data, size_t size)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	fclose(file);
}

/* Reads one file to its end; whatever is in it, no call may be half. */
static score_log_segment read_segment(const char *path, uint64_t *n_calls)
{
	const char *paths[] = { path };
	score_log_segment segment = { .struct_size = sizeof segment };
	const score_log_call *call;
	score_log *log;
	*n_calls = 0;
	assert_int_equal(score_log_open(paths, 1, NULL, &log, NULL), SCORE_OK);
	while (score_log_next(log, &call, NULL) == SCORE_OK && call)
		for (uint64_t i = (++*n_calls, 0); i < (uint64_t)call->n_rows * call->model->n_features; i++)
			assert_true(call->inputs[i].kind >= SCORE_LOG_MISSING && call->inputs[i].kind <= SCORE_LOG_TEXT);
	assert_int_equal(score_log_get_segment(log, 0, &segment), SCORE_OK);
	segment.path = NULL;
	score_log_close(log);
	return segment;
}

/* A closed segment of `n` calls, as bytes, and where its frames end. */
static bytes make_segment(uint64_t n, size_t *ends, size_t *n_ends)
{
	setting s = begin_with(NULL);
	char path[600];
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(fixture_record(s.capture, s.model, i), 1);
	assert_int_equal(score_capture_rotate(s.capture, NULL), SCORE_OK);
	fixture_segment(&s.directory, ".slog", path, sizeof path);
	const bytes b = read_whole(path);
	*n_ends = 0;
	for (size_t at = 8; at < b.size; ends[(*n_ends)++] = at)
		at += 12 + (b.data[at] | (size_t)b.data[at + 1] << 8);
	end(&s);
	return b;
}

static void temporary(char *path, size_t size)
{
	snprintf(path, size, "%s/segment-XXXXXX", fixture_base());
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
}

/* ---- rotation and dead processes
 * ------------------------------------------------------------------------------ */

static void segments_rotate_by_size_and_age(void **state)
{
	score_capture_options o = SCORE_CAPTURE_OPTIONS_INIT;
	(void)state;
	o.segment_bytes = 2000;
	o.sync = SCORE_CAPTURE_SYNC_DRAIN;
	setting s = begin_with(&o);
	for (uint64_t i = 0; i < 100; i++) {
		assert_int_equal(fixture_record(s.capture, s.model, i), 1);
		drain(&s);
	}
	const uint64_t n = fixture_info(s.capture).n_segments;
	assert_true(n > 3 && n < 20);
	assert_true(fixture_count(&s.directory, ".slog") + fixture_count(&s.directory, ".active") == n);
	bool seen[100] = { false };
	assert_int_equal(fixture_read(&s.directory, seen, 100), 100);
	end(&s);

	o = (score_capture_options)SCORE_CAPTURE_OPTIONS_INIT;
	o.segment_age_ns = INT64_C(3600000000000);
	o.sync = SCORE_CAPTURE_SYNC_SEGMENT;
	s = begin_with(&o);
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(fixture_record(s.capture, s.model, i), 1);
		drain(&s);
		assert_int_equal(fixture_count(&s.directory, ".active"), 1);
		s.capture->segment.begun_ns -= o.segment_age_ns; /* as if an hour had passed */
		drain(&s); /* closes without anything to write */
		assert_int_equal(fixture_count(&s.directory, ".active"), 0);
	}
	assert_int_equal(fixture_count(&s.directory, ".slog"), 3);
	end(&s);
}

static void segments_of_dead_processes_are_closed(void **state)
{
	setting s = begin_with(NULL);
	int status;
	(void)state;
	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal(fixture_record(s.capture, s.model, i), 1);
	drain(&s);
	const pid_t child = fork();
	if (child == 0) {
		/* The parent's capture is of no use here. */
		score_error error;
		const bool refused = score_capture_drain(s.capture, NULL, &error) == SCORE_ERR_ARGUMENT && strstr(error.message, "fork");
		score_capture_free(s.capture);
		s.capture = fixture_capture(&s.directory);
		const bool added = score_capture_add_model(s.capture, s.model, NULL) == SCORE_OK;
		fixture_record(s.capture, s.model, 20);
		const bool drained = score_capture_drain(s.capture, NULL, NULL) == SCORE_OK;
		_exit(refused && added && drained ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	/* The child's segment is left; this process' own is in use. */
	assert_int_equal(fixture_count(&s.directory, ".active"), 2);
	score_capture *other = fixture_capture(&s.directory);
	assert_int_equal(fixture_count(&s.directory, ".active"), 1);
	assert_int_equal(fixture_record(s.capture, s.model, 21), 1);
	score_capture_free(other);
	drain(&s);
	bool seen[22] = { false };
	assert_int_equal(fixture_read(&s.directory, seen, 22), 22);
	end(&s);
}

/* A process that dies while it closes what another left: both names, one file, each record once. */
static void a_segment_with_both_names_is_one(void **state)
{
	setting s = begin_with(NULL);
	char closed[600], active[700];
	bool seen[1] = { false };
	(void)state;
	assert_int_equal(fixture_record(s.capture, s.model, 0), 1);
	assert_int_equal(score_capture_rotate(s.capture, NULL), SCORE_OK);
	fixture_segment(&s.directory, ".slog", closed, sizeof closed);
	snprintf(active, sizeof active, "%s.active", closed);
	assert_int_equal(link(closed, active), 0);
	assert_int_equal(fixture_read(&s.directory, seen, 1), 1);
	score_capture_free(fixture_capture(&s.directory));
	assert_int_equal(fixture_count(&s.directory, ".active"), 0);
	assert_int_equal(fixture_count(&s.directory, ".slog"), 1);
	/* Another file of that name stays. */
	write_whole(active, (const uint8_t *)"x", 1);
	score_capture_free(fixture_capture(&s.directory));
	assert_int_equal(fixture_count(&s.directory, ".active"), 1);
	end(&s);
}

/* ---- damage
 * ----------------------------------------------------------------------------------------------------- */

static void torn_tails_are_found_at_every_byte(void **state)
{
	size_t ends[32], n_ends;
	const bytes b = make_segment(6, ends, &n_ends);
	char path[600];
	(void)state;
	assert_int_equal(n_ends, 8); /* header, model, six calls */
	temporary(path, sizeof path);
	for (size_t size = 0; size <= b.size; size++) {
		uint64_t n_calls, whole = 0;
		size_t good = size >= 8 ? 8 : 0;
		for (size_t k = 0; k < n_ends && ends[k] <= size; k++) {
			good = ends[k];
			whole = k >= 2 ? k - 1 : 0;
		}
		write_whole(path, b.data, size);
		score_log_segment segment = read_segment(path, &n_calls);
		assert_int_equal(n_calls, whole);
		assert_int_equal(segment.good_bytes, good);
		assert_int_equal(segment.end, size == good && size > 0 ? SCORE_LOG_WHOLE : SCORE_LOG_TORN);
		if (segment.end == SCORE_LOG_TORN)
			assert_true(segment.damage.code == SCORE_ERR_CORRUPT && segment.damage.offset == (int64_t)good && segment.damage.line == -1);
		/* The same after a loss of power: zeros to the end. */
		uint8_t *zeroed = calloc(b.size + 100, 1);
		memcpy(zeroed, b.data, good);
		write_whole(path, zeroed, b.size + 100);
		segment = read_segment(path, &n_calls);
		assert_int_equal(n_calls, whole);
		if (good > 0)
			assert_int_equal(segment.end, SCORE_LOG_TORN);
		free(zeroed);
	}
	unlink(path);
	free(b.data);
}

static void changed_bytes_are_noticed(void **state)
{
	static const uint8_t changes[] = { 0x01, 0x80, 0xff };
	size_t ends[32], n_ends;
	const bytes b = make_segment(3, ends, &n_ends);
	char path[600];
	(void)state;
	temporary(path, sizeof path);
	for (size_t at = 0; at < b.size; at++) {
		for (size_t c = 0; c < sizeof changes; c++) {
			uint64_t n_calls;
			size_t good = at >= 8 ? 8 : 0;
			for (size_t k = 0; k < n_ends && ends[k] <= at; k++)
				good = ends[k];
			b.data[at] ^= changes[c];
			write_whole(path, b.data, b.size);
			b.data[at] ^= changes[c];
			const score_log_segment segment = read_segment(path, &n_calls);
			assert_int_equal(segment.good_bytes, good);
			assert_int_not_equal(segment.end, SCORE_LOG_WHOLE);
		}
	}
	unlink(path);
	free(b.data);
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

/* Anyone can compute a checksum: bodies changed at random, with the checksum made right. */
static void hostile_frames_are_refused_or_read(void **state)
{
	size_t ends[32], n_ends;
	const bytes b = make_segment(4, ends, &n_ends);
	uint64_t seed = 88172645463325252u, n_refused = 0, n_calls;
	char path[600];
	(void)state;
	temporary(path, sizeof path);
	uint8_t *copy = malloc(b.size);
	for (int round = 0; round < 6000; round++) {
		memcpy(copy, b.data, b.size);
		const size_t frame = random_next(&seed) % n_ends, begin = frame ? ends[frame - 1] : 8;
		const size_t length = ends[frame] - begin - 12;
		for (uint64_t k = 1 + random_next(&seed) % 4; k > 0; k--) {
			/* Most of the time where the structure is: among the first items. */
			const size_t range = random_next(&seed) % 4 ? (length < 48 ? length : 48) : length;
			static const uint8_t odd[] = { 0xc0, 0xc1, 0xcf, 0xd3, 0xdb, 0xdc, 0xdd, 0xde, 0xff, 0x00, 0x9f, 0xc7, 0xcb };
			copy[begin + 4 + random_next(&seed) % range] = random_next(&seed) % 2 ? odd[random_next(&seed) % sizeof odd] :
				(uint8_t)random_next(&seed);
		}
		const uint64_t sum = XXH3_64bits(copy + begin, length + 4);
		for (int i = 0; i < 8; i++)
			copy[begin + 4 + length + (size_t)i] = (uint8_t)(sum >> 8 * i);
		write_whole(path, copy, b.size);
		n_refused += read_segment(path, &n_calls).end == SCORE_LOG_CORRUPT;
		assert_true(n_calls <= 4);
	}
	assert_true(n_refused > 2000 && n_refused < 6000);
	free(copy);
	unlink(path);
	free(b.data);
}

static void a_frame_of_promises_costs_no_memory(void **state)
{
	/* An array of 2^32 - 1 items; a length of 60 MiB in a file of a few bytes. */
	static const uint8_t body[] = { 0xdd, 0xff, 0xff, 0xff, 0xff, 0x02 };
	size_t ends[32], n_ends;
	const bytes b = make_segment(1, ends, &n_ends);
	uint8_t *copy = calloc(b.size + 100, 1);
	char path[600];
	uint64_t n_calls;
	(void)state;
	temporary(path, sizeof path);
	memcpy(copy, b.data, ends[1]);
	copy[ends[1]] = sizeof body;
	memcpy(copy + ends[1] + 4, body, sizeof body);
	const uint64_t sum = XXH3_64bits(copy + ends[1], 4 + sizeof body);
	memcpy(copy + ends[1] + 4 + sizeof body, &sum, 8);
	write_whole(path, copy, ends[1] + 12 + sizeof body);
	assert_int_equal(read_segment(path, &n_calls).end, SCORE_LOG_CORRUPT);
	copy[ends[1] + 3] = 0x03;
	write_whole(path, copy, ends[1] + 12 + sizeof body);
	assert_int_equal(read_segment(path, &n_calls).end, SCORE_LOG_TORN);
	copy[ends[1] + 3] = 0x7f;
	write_whole(path, copy, ends[1] + 12 + sizeof body);
	assert_int_equal(read_segment(path, &n_calls).end, SCORE_LOG_CORRUPT);
	unlink(path);
	free(copy);
	free(b.data);
}

static void paths_that_are_no_log_are_refused(void **state)
{
	static const char *const nowhere[] = { "/nowhere/at/all" };
	score_log *log = (score_log *)&nowhere;
	score_error error;
	uint64_t n_calls;
	char path[600];
	(void)state;
	assert_int_equal(score_log_open(nowhere, 1, NULL, &log, &error), SCORE_ERR_IO);
	assert_null(log);
	assert_non_null(strstr(error.message, "/nowhere"));
	assert_int_equal(score_log_open(nowhere, 0, NULL, &log, &error), SCORE_ERR_ARGUMENT);
	temporary(path, sizeof path);
	write_whole(path, (const uint8_t *)"a text file", 11);
	const score_log_segment segment = read_segment(path, &n_calls);
	assert_true(segment.end == SCORE_LOG_CORRUPT && segment.good_bytes == 0);
	unlink(path);
}

/* ---- full and failing disks
 * --------------------------------------------------------------------------------------- */

/* Room for any number of bytes, then none, then enough: nothing that was kept is missing or there twice. */
static void a_full_disk_loses_nothing_that_was_kept(void **state)
{
	(void)state;
	for (long room = 0; room < 3000; room += 7) {
		setting s = begin_with(NULL);
		bool seen[24] = { false };
		score_error error;
		write_errno = room % 2 ? ENOSPC : EIO;
		truncate_errno = room % 3 ? 0 : EIO;
		for (uint64_t i = 0; i < 12; i++)
			assert_int_equal(fixture_record(s.capture, s.model, i), 1);
		writes_left = room;
		const score_status status = score_capture_drain(s.capture, NULL, &error);
		if (status != SCORE_OK) {
			assert_int_equal(status, SCORE_ERR_IO);
			assert_non_null(strstr(error.message, room % 2 ? "no space left" : "input/output error"));
			assert_int_equal(fixture_info(s.capture).last_drain, SCORE_ERR_IO);
		}
		for (uint64_t i = 12; i < 24; i++)
			assert_int_equal(fixture_record(s.capture, s.model, i), 1);
		writes_left = -1;
		drain(&s);
		const score_capture_info info = fixture_info(s.capture);
		assert_true(info.n_kept == 24 && info.n_written == 24 && info.ring_used == 0);
		assert_int_equal(info.n_failed_drains, status != SCORE_OK);
		assert_int_equal(fixture_read(&s.directory, seen, 24), 24);
		truncate_errno = 0;
		end(&s);
	}
}

/* The disk stays full: what the ring cannot take is lost, and counted exactly. */
static void a_disk_that_stays_full_costs_counted_calls(void **state)
{
	setting s = begin_with(NULL);
	uint64_t kept = 0, lost = 0;
	bool seen[5001] = { false };
	(void)state;
	writes_left = 5000;
	write_errno = ENOSPC;
	for (uint64_t i = 0; i < 5000; i++) {
		const int result = fixture_record(s.capture, s.model, i);
		kept += result == 1;
		lost += result == -1;
		if (i % 100 == 0) {
			score_status status = score_capture_drain(s.capture, NULL, NULL);
			assert_true(status == SCORE_OK || status == SCORE_ERR_IO);
		}
	}
	score_capture_info info = fixture_info(s.capture);
	assert_true(kept + lost == 5000 && lost > 0 && info.n_kept == kept && info.n_lost_full == lost);
	assert_true(info.n_written < kept && info.n_failed_drains > 0);
	writes_left = -1;
	drain(&s);
	assert_int_equal(fixture_record(s.capture, s.model, 5000), 1);
	drain(&s);
	info = fixture_info(s.capture);
	assert_true(info.n_written == kept + 1 && info.n_kept == kept + 1);
	assert_int_equal(fixture_read(&s.directory, seen, 5001), kept + 1);
	end(&s);
}

/* ---- no memory
 * ------------------------------------------------------------------------------------------------------ */

typedef struct counted {
	long left, live;
} counted;

static void *counted_alloc(void *context, size_t size, size_t align)
{
	counted *c = context;
	if (c->left-- <= 0)
		return NULL;
	c->live++;
	return aligned_alloc(align < 16 ? 16 : align, (size + align + 15) & ~(size_t)(align < 16 ? 15 : align - 1));
}

static void counted_free(void *context, void *pointer, size_t size, size_t align)
{
	(void)size;
	(void)align;
	((counted *)context)->live--;
	free(pointer);
}

static void every_refused_allocation_is_an_error(void **state)
{
	counted c = { 0, 0 };
	const score_allocator allocator = { counted_alloc, counted_free, &c };
	fixture_directory d;
	bool done = false;
	(void)state;
	score_model *model = fixture_model(5);
	for (long n = 0; !done; n++) {
		fixture_directory_make(&d);
		score_capture_options o = fixture_options(&d);
		score_log_options lo = SCORE_LOG_OPTIONS_INIT;
		const char *paths[] = { d.path };
		const score_log_call *call = NULL;
		score_capture *capture = NULL;
		score_log *log = NULL;
		o.allocator = lo.allocator = &allocator;
		c.left = n;
		score_status status = score_capture_new(&o, &capture, NULL);
		assert_true(status == SCORE_OK ? capture != NULL : capture == NULL && status == SCORE_ERR_MEMORY);
		if (status == SCORE_OK)
			status = score_capture_add_model(capture, model, NULL);
		if (status == SCORE_OK) {
			assert_int_equal(fixture_record(capture, model, 1), 1);
			status = score_capture_rotate(capture, NULL);
		}
		score_capture_free(capture);
		if (status == SCORE_OK)
			status = score_log_open(paths, 1, &lo, &log, NULL);
		if (status == SCORE_OK)
			status = score_log_next(log, &call, NULL);
		done = status == SCORE_OK && call;
		assert_true(done || status == SCORE_ERR_MEMORY);
		score_log_close(log);
		assert_int_equal(c.live, 0);
		fixture_directory_remove(&d);
		assert_true(n < 500);
	}
	score_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_rotate_by_size_and_age),
		cmocka_unit_test(segments_of_dead_processes_are_closed),
		cmocka_unit_test(a_segment_with_both_names_is_one),
		cmocka_unit_test(torn_tails_are_found_at_every_byte),
		cmocka_unit_test(changed_bytes_are_noticed),
		cmocka_unit_test(hostile_frames_are_refused_or_read),
		cmocka_unit_test(a_frame_of_promises_costs_no_memory),
		cmocka_unit_test(paths_that_are_no_log_are_refused),
		cmocka_unit_test(a_full_disk_loses_nothing_that_was_kept),
		cmocka_unit_test(a_disk_that_stays_full_costs_counted_calls),
		cmocka_unit_test(every_refused_allocation_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
