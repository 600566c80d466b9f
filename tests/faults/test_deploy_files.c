/*
 * Every system call failed in turn while calls are captured and read back and models are cached: see failing_calls.h. No object, and
 * nothing lost that can be tried again. Then the same over files that are slow: short reads and writes, interrupted calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture_fixture.h"
#include "deploy/capture_parts.h"
#include "expect_error.h"
#include "failing_calls.h"
#include "sample_tables.h"
#include "served_models.h"


/* ---- captures -------------------------------------------------------------------------------------------------------------- */

enum { CALLS = 24, ORPHANS = 3 };

static fixture_directory log_folder;
static score_model *logged;
static uint8_t *orphan; /* a segment of calls CALLS … CALLS + ORPHANS - 1 */
static size_t orphan_size;
static score_capture *capture;

static void leave_orphan(void)
{
	char path[600];
	if (!orphan) {
		fixture_directory_make(&log_folder);
		capture = fixture_capture(&log_folder);
		assert_int_equal(score_capture_add_model(capture, logged, NULL), SCORE_OK);
		for (uint64_t i = CALLS; i < CALLS + ORPHANS; i++)
			assert_int_equal(fixture_record(capture, logged, i), 1);
		score_capture_free(capture);
		fixture_segment(&log_folder, ".slog", path, sizeof path);
		orphan = sample_read(path, &orphan_size);
		fixture_directory_remove(&log_folder);
	}
	capture = NULL;
	fixture_directory_make(&log_folder);
	snprintf(path, sizeof path, "%s/calls-19700101T000000Z-1-000000.slog.active", log_folder.path);
	sample_write(path, orphan, orphan_size);
}

static score_status record_and_drain(score_error *error)
{
	score_capture_options o = fixture_options(&log_folder);
	o.sync = SCORE_CAPTURE_SYNC_DRAIN;
	o.segment_bytes = 1500;
	score_status status = score_capture_new(&o, &capture, error);
	assert_true((status == SCORE_OK) == (capture != NULL));
	if (status == SCORE_OK)
		status = score_capture_add_model(capture, logged, error);
	for (uint64_t i = 0; status == SCORE_OK && i < CALLS; i++) {
		assert_int_equal(fixture_record(capture, logged, i), 1);
		if (i % 4 == 3)
			status = score_capture_drain(capture, NULL, error);
	}
	return status == SCORE_OK ? score_capture_rotate(capture, error) : status;
}

/* A failed drain costs time only: every call that was kept is in the log, once. */
static void check_log(score_status status)
{
	bool seen[CALLS + ORPHANS] = {false};
	uint64_t kept = 0;
	if (capture) {
		const score_capture_info info = fixture_info(capture);
		kept = info.n_kept;
		assert_int_equal(info.last_drain, status);
		assert_int_equal(info.n_failed_drains, status != SCORE_OK);
		assert_int_equal(score_capture_rotate(capture, NULL), SCORE_OK);
		assert_int_equal(fixture_info(capture).n_written, kept);
	}
	assert_int_equal(fixture_read(&log_folder, seen, CALLS + ORPHANS), kept + ORPHANS);
	for (uint64_t i = 0; i < kept; i++)
		assert_true(seen[i]);
	score_capture_free(capture);
	fixture_directory_remove(&log_folder);
}

/* In a folder of its own, and not drained. */
static void capture_a_call(void)
{
	fixture_directory_make(&log_folder);
	capture = fixture_capture(&log_folder);
	assert_int_equal(score_capture_add_model(capture, logged, NULL), SCORE_OK);
	assert_int_equal(fixture_record(capture, logged, 0), 1);
}

static void a_failed_drain_loses_nothing(void **state)
{
	(void)state;
	/* What another process left is adopted if that is possible. */
	calls_in_turn(&(calls_scene){"capture", leave_orphan, record_and_drain, check_log, "openat linkat fstat", 0});
}

static void adopt_all(void)
{
	score_capture_free(fixture_capture(&log_folder));
}

/* Another capture of the folder looks for what dead processes left while a segment has its name and not yet its lock. */
static void a_segment_that_is_adopted_unborn_is_made_again(void **state)
{
	bool seen[1] = {false};
	score_error error;
	(void)state;
	capture_a_call();
	calls = (failing_calls){.inside = 1, .fail_at = -1, .before_flock = adopt_all};
	assert_int_equal(score_capture_drain(capture, NULL, NULL), SCORE_OK);
	calls.inside = 0;
	assert_null(calls.before_flock);
	assert_int_equal(fixture_count(&log_folder, ".slog.active"), 1);
	if (score_capture_rotate(capture, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(fixture_count(&log_folder, ".slog.active"), 0);
	assert_int_equal(fixture_read(&log_folder, seen, 1), 1);
	score_capture_free(capture);
	fixture_directory_remove(&log_folder);
}

static void slow_files_give_the_same_log(void **state)
{
	score_error error;
	(void)state;
	leave_orphan();
	calls = (failing_calls){.inside = 1, .fail_at = -1, .n_short = 100, .interrupt = 1};
	if (record_and_drain(&error) != SCORE_OK)
		fail_msg("%s", error.message);
	check_log(SCORE_OK); /* reads through slow files too */
	calls.inside = 0;
}

static void a_write_that_does_nothing_is_a_full_disk(void **state)
{
	score_error error;
	(void)state;
	leave_orphan();
	calls = (failing_calls){.inside = 1, .fail_at = 0, .only = "write"};
	assert_int_equal(record_and_drain(&error), SCORE_ERR_IO);
	calls.inside = 0;
	assert_non_null(strstr(error.message, "no space left"));
	check_log(SCORE_ERR_IO);
}

/* The write fails, what it left cannot be cut off, or the place in the file cannot be found again: the segment ends torn. */
static void a_segment_that_cannot_be_cut_ends(void **state)
{
	static const char *const second[] = {"ftruncate", "lseek"};
	(void)state;
	for (int k = 0; k < 2; k++) {
		const char *paths[] = {log_folder.path};
		bool seen[CALLS] = {false};
		score_log *log;
		score_error error;
		fixture_directory_make(&log_folder);
		capture = fixture_capture(&log_folder);
		assert_int_equal(score_capture_add_model(capture, logged, NULL), SCORE_OK);
		assert_int_equal(fixture_record(capture, logged, 0), 1);
		assert_int_equal(score_capture_drain(capture, NULL, NULL), SCORE_OK);
		assert_int_equal(fixture_record(capture, logged, 1), 1);
		/* 50 bytes of the frame are written, then nothing more. */
		calls = (failing_calls){.inside = 1, .fail_at = 1, .code = ENOSPC, .only = "write", .n_short = 50, .also = second[k]};
		assert_int_equal(score_capture_drain(capture, NULL, &error), SCORE_ERR_IO);
		calls.inside = 0;
		assert_int_equal(fixture_count(&log_folder, ".slog"), 1);
		score_capture_free(capture);
		assert_int_equal(fixture_count(&log_folder, ".slog"), 2);
		assert_int_equal(fixture_read(&log_folder, seen, CALLS), 2);
		assert_int_equal(score_log_open(paths, 1, NULL, &log, NULL), SCORE_OK);
		score_log_segment segment = {.struct_size = sizeof segment};
		for (const score_log_call *call = NULL; score_log_next(log, &call, NULL) == SCORE_OK && call;)
			;
		assert_int_equal(score_log_get_segment(log, 0, &segment), SCORE_OK);
		assert_true((segment.end == SCORE_LOG_TORN) == (k == 0)); /* lseek() comes when the file is cut already */
		score_log_close(log);
		fixture_directory_remove(&log_folder);
	}
}

/* A segment that is too old for the next call cannot be closed: the call waits for the next drain. */
static void a_segment_that_cannot_be_closed_keeps_its_calls(void **state)
{
	score_capture_options o;
	bool seen[2] = {false};
	score_error error;
	(void)state;
	fixture_directory_make(&log_folder);
	o = fixture_options(&log_folder);
	o.segment_age_ns = INT64_C(3600000000000);
	assert_int_equal(score_capture_new(&o, &capture, NULL), SCORE_OK);
	assert_int_equal(score_capture_add_model(capture, logged, NULL), SCORE_OK);
	assert_int_equal(fixture_record(capture, logged, 0), 1);
	assert_int_equal(score_capture_drain(capture, NULL, NULL), SCORE_OK);
	capture->segment.begun_ns -= o.segment_age_ns; /* as if an hour had passed */
	assert_int_equal(fixture_record(capture, logged, 1), 1);
	calls = (failing_calls){.inside = 1, .fail_at = 0, .once = 1, .code = EACCES, .only = "rename"};
	assert_int_equal(score_capture_drain(capture, NULL, &error), SCORE_ERR_IO);
	calls.inside = 0;
	assert_non_null(strstr(error.message, "permission denied"));
	score_capture_free(capture);
	assert_int_equal(fixture_read(&log_folder, seen, 2), 2);
	fixture_directory_remove(&log_folder);
}

/* What a child of fork() may do with its parent's capture: free its memory. */
static void a_child_leaves_the_log_alone(void **state)
{
	char message[120];
	score_error error;
	(void)state;
	for (int is_open = 0; is_open < 2; is_open++) {
		fixture_directory_make(&log_folder);
		capture = fixture_capture(&log_folder);
		assert_int_equal(score_capture_add_model(capture, logged, NULL), SCORE_OK);
		assert_int_equal(fixture_record(capture, logged, 0), 1);
		if (is_open)
			assert_int_equal(score_capture_drain(capture, NULL, NULL), SCORE_OK);
		snprintf(message, sizeof message, "this capture belongs to process %lld, which forked: make a new one here", (long long)getpid());
		calls = (failing_calls){.inside = 1, .fail_at = -1, .other_process = 1};
		expect_error(score_capture_drain(capture, NULL, &error), &error, SCORE_ERR_ARGUMENT, message);
		score_capture_free(capture);
		calls.inside = 0;
		assert_int_equal(fixture_count(&log_folder, ".slog"), 0);
		assert_int_equal(fixture_count(&log_folder, ".slog.active"), is_open);
		fixture_directory_remove(&log_folder);
	}
}

/* Reads of a few bytes that fail sooner or later, over a log whose end is zero. */
static void every_read_may_fail(void **state)
{
	const char *paths[] = {log_folder.path};
	static const uint8_t zeros[3000];
	char path[600];
	(void)state;
	fixture_directory_make(&log_folder);
	capture = fixture_capture(&log_folder);
	assert_int_equal(score_capture_add_model(capture, logged, NULL), SCORE_OK);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(fixture_record(capture, logged, i), 1);
	score_capture_free(capture);
	fixture_segment(&log_folder, ".slog", path, sizeof path);
	FILE *file = fopen(path, "ab");
	assert_int_equal(fwrite(zeros, 1, sizeof zeros, file), sizeof zeros);
	fclose(file);
	bool fails = true;
	for (int k = 0; fails; k++) {
		const score_log_call *call = NULL;
		score_log_segment segment = {.struct_size = sizeof segment};
		score_error error;
		score_log *log;
		uint64_t n = 0;
		score_status status;
		assert_int_equal(score_log_open(paths, 1, NULL, &log, NULL), SCORE_OK);
		calls = (failing_calls){.inside = 1, .fail_at = k, .code = EIO, .only = "read", .n_short = 64};
		while ((status = score_log_next(log, &call, &error)) == SCORE_OK && call)
			n++;
		calls.inside = 0;
		fails = calls.failed != NULL;
		assert_int_equal(status, fails ? SCORE_ERR_IO : SCORE_OK);
		if (fails)
			assert_non_null(strstr(error.message, path));
		assert_int_equal(score_log_get_segment(log, 0, &segment), SCORE_OK);
		assert_int_equal(segment.n_records, n);
		if (!fails)
			assert_true(n == 3 && segment.end == SCORE_LOG_TORN);
		score_log_close(log);
		assert_true(k < 1000);
	}
	fixture_directory_remove(&log_folder);
}

static void a_thread_that_cannot_start_is_an_error(void **state)
{
	score_error error;
	char message[80];
	(void)state;
	fixture_directory_make(&log_folder);
	capture = fixture_capture(&log_folder);
	calls = (failing_calls){.inside = 1, .fail_at = 0, .once = 1, .code = EAGAIN, .only = "pthread_create"};
	snprintf(message, sizeof message, "the helper thread cannot be started: errno %d", EAGAIN);
	expect_error(score_capture_start(capture, 0, &error), &error, SCORE_ERR_MEMORY, message);
	calls.inside = 0;
	assert_int_equal(score_capture_stop(capture, &error), SCORE_OK);
	assert_int_equal(score_capture_start(capture, 0, &error), SCORE_OK);
	expect_error(score_capture_start(capture, 0, &error), &error, SCORE_ERR_ARGUMENT, "the helper thread runs already");
	score_capture_free(capture);
	fixture_directory_remove(&log_folder);
}

/* What the helper thread met last is what stop() says. */
static void the_helper_threads_failure_is_told_at_the_end(void **state)
{
	score_error error;
	(void)state;
	capture_a_call();
	calls = (failing_calls){.inside = 1, .fail_at = 0, .code = EACCES, .only = "open"};
	assert_int_equal(score_capture_start(capture, 1000000, NULL), SCORE_OK);
	while (fixture_info(capture).n_failed_drains < 2)
		usleep(1000);
	assert_int_equal(score_capture_stop(capture, &error), SCORE_ERR_IO);
	assert_non_null(strstr(error.message, "permission denied"));
	calls.inside = 0;
	score_capture_free(capture);
	assert_int_equal(fixture_read(&log_folder, NULL, 0), 1);
	fixture_directory_remove(&log_folder);
}

/* ---- logs -------------------------------------------------------------------------------------------------------------------- */

enum { PER_SEGMENT = 5 };
static uint64_t n_read;

static void write_two_segments(void)
{
	fixture_directory_make(&log_folder);
	capture = fixture_capture(&log_folder);
	assert_int_equal(score_capture_add_model(capture, logged, NULL), SCORE_OK);
	for (uint64_t i = 0; i < 2 * PER_SEGMENT; i++) {
		assert_int_equal(fixture_record(capture, logged, i), 1);
		if (i % PER_SEGMENT == PER_SEGMENT - 1)
			assert_int_equal(score_capture_rotate(capture, NULL), SCORE_OK);
	}
	score_capture_free(capture);
	n_read = 0;
}

static score_status read_log(score_error *error)
{
	const char *paths[] = {log_folder.path};
	const score_log_call *call = NULL;
	score_error other;
	score_log *log = NULL;
	score_status first = score_log_open(paths, 1, NULL, &log, error);
	assert_true((first == SCORE_OK) == (log != NULL));
	for (bool more = log != NULL; more; n_read += call != NULL) {
		const score_status status = score_log_next(log, &call, first == SCORE_OK ? error : &other);
		first = first == SCORE_OK ? status : first;
		more = status != SCORE_OK || call;
	}
	score_log_close(log);
	return first;
}

/* An unreadable segment does not take the next one with it. */
static void check_read(score_status status)
{
	const bool is_opened = !calls.failed || (strcmp(calls.failed, "stat") != 0 && strcmp(calls.failed, "opendir") != 0);
	if (status == SCORE_OK)
		assert_int_equal(n_read, 2 * PER_SEGMENT);
	else if (!is_opened)
		assert_int_equal(n_read, 0);
	else if (calls.once)
		assert_true(n_read == PER_SEGMENT || n_read == 2 * PER_SEGMENT);
	fixture_directory_remove(&log_folder);
}

static void an_unreadable_segment_costs_itself_only(void **state)
{
	(void)state;
	calls_in_turn(&(calls_scene){"log", write_two_segments, read_log, check_read, "", 0});
}

/* A file that has fewer bytes than it said: torn, where it ends. */
static void a_file_that_shrinks_is_torn(void **state)
{
	const char *paths[] = {log_folder.path};
	const score_log_call *call;
	score_log_segment segment = {.struct_size = sizeof segment};
	score_log *log;
	(void)state;
	write_two_segments();
	assert_int_equal(score_log_open(paths, 1, NULL, &log, NULL), SCORE_OK);
	calls = (failing_calls){.inside = 1, .fail_at = 3, .only = "read", .n_short = 100}; /* 300 bytes, then none */
	for (int i = 0; i < 100 && score_log_next(log, &call, NULL) == SCORE_OK && call; i++)
		;
	calls.inside = 0;
	assert_int_equal(score_log_get_segment(log, 0, &segment), SCORE_OK);
	assert_true(segment.end == SCORE_LOG_TORN && segment.good_bytes < 300 && segment.bytes > 300);
	assert_non_null(strstr(segment.damage.message, "ends in the middle of a frame"));
	score_log_close(log);
	fixture_directory_remove(&log_folder);
}

/* Found under its working name, closed by its owner before it was read. */
static void a_segment_that_is_closed_meanwhile_is_read(void **state)
{
	const char *paths[] = {log_folder.path};
	const score_log_call *call;
	score_log_segment segment = {.struct_size = sizeof segment};
	score_log *log;
	(void)state;
	capture_a_call();
	assert_int_equal(score_capture_drain(capture, NULL, NULL), SCORE_OK);
	assert_int_equal(score_log_open(paths, 1, NULL, &log, NULL), SCORE_OK);
	score_capture_free(capture);
	assert_int_equal(score_log_next(log, &call, NULL), SCORE_OK);
	assert_string_equal(call->request_id, "r0");
	assert_int_equal(score_log_get_segment(log, 0, &segment), SCORE_OK);
	assert_true(segment.is_closed && strlen(segment.path) > 5 && strcmp(segment.path + strlen(segment.path) - 5, ".slog") == 0);
	score_log_close(log);
	/* Gone under both names. */
	score_error error;
	char path[600];
	fixture_segment(&log_folder, ".slog", path, sizeof path);
	assert_int_equal(score_log_open(paths, 1, NULL, &log, NULL), SCORE_OK);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(score_log_next(log, &call, &error), SCORE_ERR_IO);
	assert_non_null(strstr(error.message, path));
	score_log_close(log);
	fixture_directory_remove(&log_folder);
}

/* ---- models and references --------------------------------------------------------------------------------------------------- */

static score_model_cache *cache;
static uint32_t cache_flags;

/* Once, and older than a tick of the file system's clock, so that every look takes the same calls. */
static void save_model(void)
{
	struct timespec long_ago[2] = {{1000000000, 0}, {1000000000, 0}};
	cache = NULL;
	if (access(sample_path("cached.slm"), F_OK) == 0)
		return;
	score_model *model = answering_model(7);
	assert_int_equal(score_model_save_file(model, sample_path("cached.slm"), NULL, NULL), SCORE_OK);
	score_model_free(model);
	assert_int_equal(utimensat(AT_FDCWD, sample_path("cached.slm"), long_ago, 0), 0);
	nanosleep(&(struct timespec){0, 50000000}, NULL);
}

static score_status cache_model(score_error *error)
{
	score_model_cache_options o = SCORE_MODEL_CACHE_OPTIONS_INIT;
	score_model_ref *refs[2] = {NULL, NULL};
	o.open_flags = cache_flags;
	score_status status = score_model_cache_new(&o, &cache, error);
	assert_true((status == SCORE_OK) == (cache != NULL));
	for (int i = 0; status == SCORE_OK && i < 2; i++) {
		status = score_model_cache_open(cache, sample_path("cached.slm"), refs + i, error);
		assert_true((status == SCORE_OK) == (refs[i] != NULL));
	}
	for (int i = 0; i < 2; i++)
		score_model_ref_release(refs[i]);
	return status;
}

static void check_cache(score_status status)
{
	score_model_cache_counts counts = {.struct_size = sizeof counts};
	score_model_ref *ref;
	if (!cache) {
		assert_int_equal(status, SCORE_ERR_MEMORY);
		return;
	}
	assert_int_equal(score_model_cache_open(cache, sample_path("cached.slm"), &ref, NULL), SCORE_OK);
	assert_int_equal(score_model_cache_get_counts(cache, &counts), SCORE_OK);
	assert_int_equal(counts.opened, 1);
	score_model_ref_release(ref);
	score_model_cache_free(cache);
}

static void a_cache_tries_again(void **state)
{
	(void)state;
	cache_flags = 0;
	calls_in_turn(&(calls_scene){"cache", save_model, cache_model, check_cache, "", 0});
	cache_flags = SCORE_OPEN_MMAP;
	calls_in_turn(&(calls_scene){"mapping cache", save_model, cache_model, check_cache, "", 0});
	assert_int_equal(unlink(sample_path("cached.slm")), 0);
}

static score_model_ref *claimed;

static void claim_again(void)
{
	assert_ptr_equal(score_model_ref_acquire(claimed), claimed);
}

/* The last claim is being given up when another thread, which had the model from it, claims once more. */
static void a_claim_that_comes_in_time_keeps_the_model(void **state)
{
	score_model_cache_counts counts = {.struct_size = sizeof counts};
	(void)state;
	save_model();
	assert_int_equal(score_model_cache_new(NULL, &cache, NULL), SCORE_OK);
	assert_int_equal(score_model_cache_open(cache, sample_path("cached.slm"), &claimed, NULL), SCORE_OK);
	calls = (failing_calls){.inside = 1, .fail_at = -1, .before_lock = claim_again};
	score_model_ref_release(claimed);
	calls.inside = 0;
	assert_null(calls.before_lock);
	assert_int_equal(score_model_cache_get_counts(cache, &counts), SCORE_OK);
	assert_true(counts.n_claimed == 1 && counts.n_idle == 0);
	score_model_ref_release(claimed);
	assert_int_equal(score_model_cache_get_counts(cache, &counts), SCORE_OK);
	assert_true(counts.n_claimed == 0 && counts.n_idle == 1);
	score_model_cache_free(cache);
	assert_int_equal(unlink(sample_path("cached.slm")), 0);
}

static void release_host(void *context)
{
	++*(int *)context;
}

/* Without a lock there is no endpoint, and the models stay the host's. */
static void an_endpoint_needs_a_lock(void **state)
{
	int n_released = 0;
	score_model *model = answering_model(1);
	const score_served_entity entity = {.entity_name = "a", .entity_version = "1", .model = model, .release = release_host,
		.release_context = &n_released};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_endpoint *endpoint = (score_endpoint *)&config;
	score_error error;
	(void)state;
	config.served_entities = &entity;
	config.n_served_entities = 1;
	calls = (failing_calls){.inside = 1, .fail_at = 0, .code = EAGAIN, .only = "pthread_mutex_init"};
	expect_error(score_endpoint_new(NULL, &config, &endpoint, &error), &error, SCORE_ERR_MEMORY,
		"the system has no room for a mutex");
	calls.inside = 0;
	assert_null(endpoint);
	assert_int_equal(n_released, 0);
	score_model_free(model);
}

static int set_up(void **state)
{
	(void)state;
	logged = fixture_model(5);
	return 0;
}

static int tear_down(void **state)
{
	free(orphan);
	score_model_free(logged);
	return sample_cleanup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_drain_loses_nothing),
		cmocka_unit_test(a_segment_that_is_adopted_unborn_is_made_again),
		cmocka_unit_test(slow_files_give_the_same_log),
		cmocka_unit_test(a_write_that_does_nothing_is_a_full_disk),
		cmocka_unit_test(a_segment_that_cannot_be_cut_ends),
		cmocka_unit_test(a_segment_that_cannot_be_closed_keeps_its_calls),
		cmocka_unit_test(a_child_leaves_the_log_alone),
		cmocka_unit_test(every_read_may_fail),
		cmocka_unit_test(a_thread_that_cannot_start_is_an_error),
		cmocka_unit_test(the_helper_threads_failure_is_told_at_the_end),
		cmocka_unit_test(an_unreadable_segment_costs_itself_only),
		cmocka_unit_test(a_file_that_shrinks_is_torn),
		cmocka_unit_test(a_segment_that_is_closed_meanwhile_is_read),
		cmocka_unit_test(a_cache_tries_again),
		cmocka_unit_test(a_claim_that_comes_in_time_keeps_the_model),
		cmocka_unit_test(an_endpoint_needs_a_lock),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
