/*
 * The capture log at its edges: every byte of a prefix, the largest records, buffers that are full, calls that cannot be kept, models
 * that are the same or too many, segments of others, frames that are larger than a buffer.
 */
#define _DEFAULT_SOURCE
#define _LARGEFILE64_SOURCE
#define _XOPEN_SOURCE 700
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <sched.h>
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
#include "served_models.h"

#include <scoreline/build.h>

static score_error error;
static fixture_directory folder;
static score_model *model; /* of three features */

static int begin(void **state)
{
	(void)state;
	fixture_directory_make(&folder);
	model = fixture_model(3);
	return 0;
}

static int end(void **state)
{
	(void)state;
	score_model_free(model);
	fixture_directory_remove(&folder);
	return 0;
}

static score_capture *capture_of(const score_capture_options *o, const score_model *added)
{
	score_capture *c;
	if (score_capture_new(o, &c, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(score_capture_add_model(c, added, NULL), SCORE_OK);
	return c;
}

/* ---- options ------------------------------------------------------------------------------------------------------------------ */

static void prefixes_are_plain(void **state)
{
	const char *const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	score_capture_options o = fixture_options(&folder);
	char prefix[65];
	(void)state;
	o.prefix = prefix;
	for (int c = 1; c < 256; c++) {
		score_capture *capture = NULL;
		prefix[0] = 'p';
		prefix[1] = (char)c;
		prefix[2] = '\0';
		assert_int_equal(score_capture_new(&o, &capture, &error), strchr(plain, c) ? SCORE_OK : SCORE_ERR_ARGUMENT);
		score_capture_free(capture);
	}
	for (size_t n = 0; n <= 64; n += n == 0 ? 63 : 1) {
		score_capture *capture = NULL;
		memset(prefix, 'p', sizeof prefix);
		prefix[n] = '\0';
		assert_int_equal(score_capture_new(&o, &capture, &error), n == 63 ? SCORE_OK : SCORE_ERR_ARGUMENT);
		score_capture_free(capture);
	}
}

static void a_record_is_at_most_a_quarter_of_the_ring(void **state)
{
	score_capture_options o = fixture_options(&folder);
	score_capture *c = (score_capture *)&error;
	(void)state;
	o.ring_bytes = (uint64_t)128 << 20;
	o.max_record_bytes = ((uint64_t)16 << 20) + 1;
	expect_error(score_capture_new(&o, &c, &error), &error, SCORE_ERR_ARGUMENT,
		"score_capture_options.max_record_bytes is 16777217: give 0 or 1024 to 16777216");
	assert_null(c);
	o.ring_bytes = 65536;
	o.max_record_bytes = 16385;
	expect_error(score_capture_new(&o, &c, &error), &error, SCORE_ERR_ARGUMENT,
		"score_capture_options.max_record_bytes is 16385: give 0 or 1024 to 16384");
}

/* ---- calls --------------------------------------------------------------------------------------------------------------------- */

static void calls_that_cannot_be_kept_are_counted(void **state)
{
	static const double rows[] = {1, 2, 3};
	static char id[20000];
	score_capture *c = fixture_capture(&folder);
	score_input in = score_input_rows_f64(rows, 1, 3);
	score_call call = fixture_call(model, &in, rows, 1);
	uint64_t n = 0;
	(void)state;
	assert_int_equal(score_capture_add_model(c, model, NULL), SCORE_OK);
	memset(id, 'i', sizeof id - 1);
	call.request_id = id; /* longer than any record */
	assert_int_equal(score_capture_record(c, &call), -1);
	assert_int_equal(fixture_info(c).n_lost_size, 1);
	call.request_id = NULL;
	call.out_width = (size_t)1 << 40;
	assert_int_equal(score_capture_record(c, &call), -1);
	call.out_width = 1;
	/* Inputs that are none, too short, of other widths, layouts and types. */
	call.input = NULL;
	assert_int_equal(score_capture_record(c, &call), -1);
	call.input = &in;
	const score_input good = in;
	score_column columns[3] = {{.values = rows, .dtype = SCORE_F64}, {.values = rows, .dtype = SCORE_F64},
		{.values = rows, .dtype = (score_dtype)99}};
	in.struct_size = 1;
	assert_int_equal(score_capture_record(c, &call), -1);
	in = good;
	in.n_rows = -1;
	assert_int_equal(score_capture_record(c, &call), -1);
	in = good;
	in.n_columns = 2;
	assert_int_equal(score_capture_record(c, &call), -1);
	in = good;
	in.layout = 99;
	assert_int_equal(score_capture_record(c, &call), -1);
	in = good;
	in.dtype = SCORE_I32;
	assert_int_equal(score_capture_record(c, &call), -1);
	in = score_input_columns(columns, 1, 3);
	assert_int_equal(score_capture_record(c, &call), -1);
	columns[2].dtype = (score_dtype)-1;
	assert_int_equal(score_capture_record(c, &call), -1);
	assert_int_equal(fixture_info(c).n_lost_invalid, 9);
	/* A plan that was made for more columns than come. */
	static const char *const names[] = {"f1", "amount", "f2", "f3"};
	score_plan *plan;
	assert_int_equal(score_bind(model, names, NULL, 3, &plan, &error), SCORE_OK);
	columns[2].dtype = SCORE_F64;
	in = score_input_columns(columns, 1, 2);
	call.plan = plan;
	assert_int_equal(score_capture_record(c, &call), -1);
	assert_int_equal(fixture_info(c).n_lost_invalid, 10);
	score_plan_free(plan);
	score_model *narrow = fixture_model(2);
	assert_int_equal(score_bind(narrow, names, NULL, 2, &plan, &error), SCORE_OK);
	in = score_input_columns(columns, 1, 3);
	call.plan = plan; /* of a model that has fewer features */
	assert_int_equal(score_capture_record(c, &call), -1);
	assert_int_equal(fixture_info(c).n_lost_invalid, 11);
	score_plan_free(plan);
	score_model_free(narrow);
	/* What failed has no rows, and may have no input; what has no outputs is kept without. */
	call.plan = NULL;
	call.input = NULL;
	call.status = SCORE_ERR_SHAPE;
	assert_int_equal(score_capture_record(c, &call), 1);
	call.input = &good;
	call.status = SCORE_OK;
	call.out = NULL;
	assert_int_equal(score_capture_record(c, &call), 1);
	assert_int_equal(score_capture_drain(c, &n, &error), SCORE_OK);
	assert_int_equal(n, 2);
	score_capture_free(c);
}

/* Texts of four gigabytes are missing, whoever has them; the outputs of a row must fit in a record too. */
static void large_texts_and_outputs(void **state)
{
	static const int64_t offsets[] = {0, 4, 4 + ((int64_t)1 << 32)};
	static const double numbers[] = {1, 2}, out[4000];
	const char *paths[] = {folder.path};
	score_strings strings = SCORE_STRINGS_INIT;
	const score_log_call *call;
	score_log *log;
	(void)state;
	strings.offsets = offsets;
	strings.offset_type = SCORE_I64;
	strings.data = "Bonn";
	const score_column text = {.values = &strings, .dtype = SCORE_STRING}, columns[] = {{.values = numbers, .dtype = SCORE_F64}, text, text};
	const score_input in = score_input_columns(columns, 2, 3);
	score_model *of_texts = fixture_string_model();
	const score_capture_options o = fixture_options(&folder);
	score_capture *c = capture_of(&o, of_texts);
	score_call large = fixture_call(of_texts, &in, out, 2000);
	assert_int_equal(score_capture_record(c, &large), 1); /* in two records */
	large.out_width = 3000;
	assert_int_equal(score_capture_record(c, &large), -1);
	assert_int_equal(fixture_info(c).n_lost_size, 1);
	assert_int_equal(fixture_info(c).n_records, 2);
	score_capture_free(c);
	assert_int_equal(score_log_open(paths, 1, NULL, &log, &error), SCORE_OK);
	assert_int_equal(score_log_next(log, &call, &error), SCORE_OK);
	assert_string_equal(call->inputs[1].u.text, "Bonn");
	assert_int_equal(score_log_next(log, &call, &error), SCORE_OK);
	assert_true(call->first_row == 1 && call->inputs[0].u.number == 2);
	assert_int_equal(call->inputs[1].kind, SCORE_LOG_MISSING);
	score_log_close(log);
	score_model_free(of_texts);
}

/* A stride of 0 is that of the type. */
static void rows_without_a_stride(void **state)
{
	static const double rows[] = {1, 2, 3};
	const char *paths[] = {folder.path};
	score_input in = score_input_rows_f64(rows, 1, 3);
	const score_capture_options o = fixture_options(&folder);
	const score_log_call *call;
	score_log *log;
	(void)state;
	in.u.rows.column_stride_bytes = 0;
	score_capture *c = capture_of(&o, model);
	const score_call of_rows = fixture_call(model, &in, rows, 1);
	assert_int_equal(score_capture_record(c, &of_rows), 1);
	score_capture_free(c);
	assert_int_equal(score_log_open(paths, 1, NULL, &log, &error), SCORE_OK);
	assert_int_equal(score_log_next(log, &call, &error), SCORE_OK);
	for (int k = 0; k < 3; k++)
		assert_true(call->inputs[k].u.number == rows[k]);
	score_log_close(log);
}

static uint64_t count_calls(score_log_segment *segment, const score_log_options *o)
{
	const char *paths[] = {folder.path};
	const score_log_call *call;
	score_log *log;
	uint64_t n = 0;
	assert_int_equal(score_log_open(paths, 1, o, &log, &error), SCORE_OK);
	for (;; n += call != NULL) {
		if (score_log_next(log, &call, &error) != SCORE_OK)
			fail_msg("%s", error.message);
		if (!call)
			break;
	}
	if (segment)
		assert_int_equal(score_log_get_segment(log, 0, segment), SCORE_OK);
	if (segment)
		segment->path = NULL;
	score_log_close(log);
	return n;
}

/* More frames than one write takes. */
static void a_drain_may_take_many_writes(void **state)
{
	score_capture_options o = fixture_options(&folder);
	uint64_t n = 0;
	(void)state;
	o.ring_bytes = (uint64_t)4 << 20;
	score_capture *c = capture_of(&o, model);
	for (uint64_t i = 0; i < 5000; i++)
		assert_int_equal(fixture_record(c, model, i), 1);
	assert_int_equal(score_capture_drain(c, &n, &error), SCORE_OK);
	assert_int_equal(n, 5000);
	assert_true(fixture_info(c).n_bytes > (300 << 10));
	score_capture_free(c);
	bool *seen = calloc(5000, sizeof *seen);
	assert_int_equal(fixture_read(&folder, seen, 5000), 5000);
	free(seen);
}

/* Waits of the helper thread end when the test says so, whatever the time is. */
static score_capture *watched;
static atomic_int n_waits, n_ends;

int __real_pthread_cond_timedwait(pthread_cond_t *wake, pthread_mutex_t *lock, const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *wake, pthread_mutex_t *lock, const struct timespec *until);

int __wrap_pthread_cond_timedwait(pthread_cond_t *wake, pthread_mutex_t *lock, const struct timespec *until)
{
	if (!watched)
		return __real_pthread_cond_timedwait(wake, lock, until);
	atomic_fetch_add(&n_waits, 1);
	while (atomic_load(&n_ends) == 0 && !watched->thread_ends) {
		pthread_mutex_unlock(lock);
		sched_yield();
		pthread_mutex_lock(lock);
	}
	if (atomic_load(&n_ends) > 0)
		atomic_fetch_sub(&n_ends, 1);
	return ETIMEDOUT;
}

static void wait_until_written(score_capture *c, uint64_t n)
{
	alarm(120);
	while (fixture_info(c).n_written < n)
		sched_yield();
	alarm(0);
	assert_int_equal(fixture_info(c).n_written, n);
}

/* The helper thread looks ten times per interval whether half of the ring is in use. */
static void a_ring_that_fills_is_drained_early(void **state)
{
	const score_capture_options o = fixture_options(&folder);
	score_capture *c = capture_of(&o, model);
	uint64_t n = 0;
	(void)state;
	watched = c;
	assert_int_equal(fixture_record(c, model, n++), 1);
	assert_int_equal(score_capture_start(c, INT64_C(3600000000000), &error), SCORE_OK);
	wait_until_written(c, n);
	while (atomic_load(&n_waits) == 0)
		sched_yield();
	while (fixture_info(c).ring_used <= 40000)
		assert_int_equal(fixture_record(c, model, n++), 1);
	atomic_store(&n_ends, 1);
	wait_until_written(c, n);
	assert_int_equal(score_capture_stop(c, &error), SCORE_OK);
	watched = NULL;
	score_capture_free(c);
	assert_int_equal(fixture_read(&folder, NULL, 0), n);
}

/* Frames that are larger than what is read at once, and than what the reader may take. */
static void large_frames_come_back(void **state)
{
	enum { ROWS = 30000 };
	static double rows[3 * ROWS]; /* the first ROWS of them are the outputs, too */
	score_capture_options o = fixture_options(&folder);
	score_log_options small = SCORE_LOG_OPTIONS_INIT;
	score_log_segment segment = {.struct_size = sizeof segment};
	const char *paths[] = {folder.path};
	const score_log_call *call;
	score_log *log;
	(void)state;
	for (int i = 0; i < 3 * ROWS; i++)
		rows[i] = i / 3 + 0.1 * (i % 3);
	o.ring_bytes = (uint64_t)16 << 20;
	o.max_record_bytes = (uint64_t)1 << 20;
	score_capture *c = capture_of(&o, model);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(fixture_record(c, model, i), 1);
	const score_input in = score_input_rows_f64(rows, ROWS, 3);
	const score_call large = fixture_call(model, &in, rows, 1);
	assert_int_equal(score_capture_record(c, &large), 1);
	score_capture_free(c);
	assert_int_equal(score_log_open(paths, 1, NULL, &log, &error), SCORE_OK);
	for (int i = 0; i < 4; i++)
		assert_int_equal(score_log_next(log, &call, &error), SCORE_OK);
	assert_int_equal(call->n_rows, ROWS);
	for (int i = 0; i < 3 * ROWS; i++)
		assert_true(call->inputs[i].u.number == rows[i] && call->outputs[i / 3] == rows[i / 3]);
	assert_int_equal(score_log_next(log, &call, &error), SCORE_OK);
	assert_null(call);
	score_log_close(log);
	small.max_frame_bytes = 1000;
	assert_int_equal(count_calls(&segment, &small), 3);
	assert_int_equal(segment.end, SCORE_LOG_CORRUPT);
	assert_string_equal(segment.damage.message, "a frame is longer than max_frame_bytes; the rest of the segment cannot be read");
	small.max_frame_bytes = segment.bytes - segment.good_bytes - 12; /* beside the length and the checksum */
	assert_int_equal(count_calls(&segment, &small), 4);
	assert_int_equal(segment.end, SCORE_LOG_WHOLE);
	small.max_frame_bytes--;
	assert_int_equal(count_calls(&segment, &small), 3);
	small.max_frame_bytes = 0;
	small.max_memory_bytes = 100000;
	assert_int_equal(score_log_open(paths, 1, &small, &log, &error), SCORE_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(score_log_next(log, &call, &error), SCORE_OK);
	expect_error(score_log_next(log, &call, &error), &error, SCORE_ERR_LIMIT, "a call needs more memory than max_memory_bytes allows");
	assert_null(call);
	assert_int_equal(score_log_next(log, &call, &error), SCORE_OK); /* the segment is left, there is no other */
	assert_null(call);
	score_log_close(log);
}

/* ---- models --------------------------------------------------------------------------------------------------------------------- */

/* One file that is opened twice is one model of the log; what was built is one each time. */
static void a_file_is_one_model(void **state)
{
	size_t size;
	score_model *built[] = {answering_model(1), answering_model(1)};
	void *bytes = model_bytes(built[0], 0, &size);
	score_model *opened[] = {model_of_bytes(bytes, size), model_of_bytes(bytes, size)};
	(void)state;
	score_capture *c = fixture_capture(&folder);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(score_capture_add_model(c, opened[i], &error), SCORE_OK);
		assert_int_equal(score_capture_add_model(c, built[i], &error), SCORE_OK);
	}
	assert_ptr_equal(deploy_capture_find_model(c, opened[0]), deploy_capture_find_model(c, opened[1]));
	assert_ptr_not_equal(deploy_capture_find_model(c, built[0]), deploy_capture_find_model(c, built[1]));
	assert_int_equal(c->n_models, 3);
	c->n_models = CAPTURE_MAX_MODELS;
	expect_error(score_capture_add_model(c, model, &error), &error, SCORE_ERR_LIMIT,
		"a capture logs at most 65536 different models: make a new one");
	score_capture_remove_model(c, opened[1]);
	assert_int_equal(score_capture_add_model(c, opened[1], &error), SCORE_OK); /* is none more */
	score_capture_free(c);
	for (int i = 0; i < 2; i++) {
		score_model_free(built[i]);
		score_model_free(opened[i]);
	}
	free(bytes);
}

/* Every slot has had a model once. */
static void slots_are_used_again(void **state)
{
	static char places[CAPTURE_MODEL_SLOTS];
	(void)state;
	score_capture *c = fixture_capture(&folder);
	for (uint32_t i = 0; i < CAPTURE_MODEL_SLOTS; i++)
		atomic_store(&c->slots[i].model, (const score_model *)(const void *)(places + i));
	assert_null(deploy_capture_find_model(c, model));
	assert_int_equal(fixture_record(c, model, 0), -1);
	score_capture_remove_model(c, model); /* is not there */
	assert_int_equal(score_capture_add_model(c, model, &error), SCORE_OK);
	assert_int_equal(fixture_record(c, model, 0), 1);
	score_capture_remove_model(c, model);
	assert_int_equal(fixture_record(c, model, 0), -1);
	score_capture_free(c);
}

/* ---- segments -------------------------------------------------------------------------------------------------------------------- */

static void touch(const char *name)
{
	char path[600];
	snprintf(path, sizeof path, "%s/%s", folder.path, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	fclose(file);
}

/* Only what has the prefix, a hyphen and both endings is a segment of a dead process. */
static void files_of_others_are_left_alone(void **state)
{
	static const char *const others[] = {"calls.slog.active", "callsx-1.slog.active", "cells-1.slog.active", "calls-1.slog", "calls-1.slag.active",
		"calls-.slog.active.", "calls-.slog.active", "c"};
	char link[600], target[600];
	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		touch(others[i]);
	touch("calls-1-2.slog.active");
	touch("calls-7.slog.active");
	snprintf(link, sizeof link, "%s/calls-3.slog.active", folder.path);
	snprintf(target, sizeof target, "%s/c", folder.path);
	assert_int_equal(symlink(target, link), 0); /* whoever may write here names no other file */
	score_capture_free(fixture_capture(&folder));
	assert_int_equal(fixture_count(&folder, ".slog.active"), 5);
	assert_int_equal(fixture_count(&folder, "calls-3.slog.active"), 1);
	assert_int_equal(fixture_count(&folder, "calls-7.slog"), 1);
	assert_int_equal(fixture_count(&folder, "calls-1-2.slog"), 1);
	assert_int_equal(fixture_count(&folder, "calls-1.slog"), 1);
}

/* A record that comes when its segment has become too old goes into the next one. */
static void an_old_segment_takes_no_more(void **state)
{
	bool seen[2] = {false};
	(void)state;
	score_capture *c = capture_of(&(score_capture_options){.struct_size = sizeof(score_capture_options), .directory = folder.path}, model);
	assert_int_equal(fixture_record(c, model, 0), 1);
	assert_int_equal(score_capture_drain(c, NULL, &error), SCORE_OK);
	c->segment_age_ns = 1;
	assert_int_equal(fixture_record(c, model, 1), 1);
	assert_int_equal(score_capture_drain(c, NULL, &error), SCORE_OK);
	assert_int_equal(fixture_info(c).n_segments, 2);
	assert_int_equal(fixture_count(&folder, ".slog"), 2);
	score_capture_free(c);
	assert_int_equal(fixture_read(&folder, seen, 2), 2);
}

/* What is said of a model may be larger than a segment, and a segment older than its time before its first call stands in it. */
static void every_segment_has_a_call(void **state)
{
	score_capture_options o = fixture_options(&folder);
	bool seen[3] = {false};
	score_model *wide = fixture_model(60);
	(void)state;
	o.segment_bytes = 1024;
	for (int k = 0; k < 2; k++) {
		score_capture *c = capture_of(&o, wide);
		c->segment_bytes = k ? c->segment_bytes : 50;
		c->segment_age_ns = k ? 1 : c->segment_age_ns;
		alarm(60); /* it once filled the disk */
		for (uint64_t i = 0; i < 3; i++) {
			assert_int_equal(fixture_record(c, wide, i), 1);
			assert_int_equal(score_capture_drain(c, NULL, &error), SCORE_OK);
		}
		alarm(0);
		assert_int_equal(fixture_info(c).n_segments, 3);
		score_capture_free(c);
		if (k == 0)
			assert_int_equal(fixture_read(&folder, seen, 3), 3);
	}
	assert_int_equal(fixture_count(&folder, ".slog"), 6);
	score_model_free(wide);
}

/* A file that is renamed while its directory is listed may be in the listing under neither name. */
static score_capture *closing;

struct dirent64 *__real_readdir64(DIR *directory);
struct dirent64 *__wrap_readdir64(DIR *directory);

struct dirent64 *__wrap_readdir64(DIR *directory)
{
	if (!closing)
		return __real_readdir64(directory);
	assert_int_equal(score_capture_rotate(closing, &error), SCORE_OK);
	closing = NULL;
	return NULL; /* there was nothing else */
}

static void a_segment_that_is_closed_meanwhile_is_read(void **state)
{
	bool seen[2] = {false};
	(void)state;
	score_capture *c = fixture_capture(&folder);
	assert_int_equal(score_capture_add_model(c, model, &error), SCORE_OK);
	assert_int_equal(fixture_record(c, model, 0), 1);
	assert_int_equal(score_capture_drain(c, NULL, &error), SCORE_OK);
	closing = c;
	assert_int_equal(fixture_read(&folder, seen, 2), 1);
	assert_null(closing);
	assert_int_equal(fixture_record(c, model, 1), 1);
	score_capture_free(c);
	assert_int_equal(fixture_count(&folder, ".slog"), 2);
	seen[0] = false;
	assert_int_equal(fixture_read(&folder, seen, 2), 2);
}

static void what_is_no_file_is_no_segment(void **state)
{
	char path[600];
	const char *paths[] = {folder.path};
	const score_log_call *call;
	score_log *log;
	(void)state;
	snprintf(path, sizeof path, "%s/calls-1.slog", folder.path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(score_log_open(paths, 1, NULL, &log, &error), SCORE_OK);
	assert_int_equal(score_log_next(log, &call, &error), SCORE_ERR_IO);
	assert_non_null(strstr(error.message, path));
	score_log_close(log);
	assert_int_equal(rmdir(path), 0);
	touch(".slog"); /* an ending without a name */
	const char *two[] = {"/nowhere/at/all", folder.path};
	assert_int_equal(score_log_open(two, 2, NULL, &log, &error), SCORE_ERR_IO);
	assert_null(log);
	assert_int_equal(score_log_open(paths, 1, NULL, &log, &error), SCORE_OK);
	assert_int_equal(score_log_segment_count(log), 0);
	score_log_close(log);
	snprintf(path, sizeof path, "%s/.slog", folder.path);
	assert_int_equal(unlink(path), 0);
}

#define EDGE(TEST) cmocka_unit_test_setup_teardown(TEST, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EDGE(prefixes_are_plain),
		EDGE(a_record_is_at_most_a_quarter_of_the_ring),
		EDGE(calls_that_cannot_be_kept_are_counted),
		EDGE(large_texts_and_outputs),
		EDGE(rows_without_a_stride),
		EDGE(a_drain_may_take_many_writes),
		EDGE(a_ring_that_fills_is_drained_early),
		EDGE(large_frames_come_back),
		EDGE(a_file_is_one_model),
		EDGE(slots_are_used_again),
		EDGE(files_of_others_are_left_alone),
		EDGE(an_old_segment_takes_no_more),
		EDGE(every_segment_has_a_call),
		EDGE(a_segment_that_is_closed_meanwhile_is_read),
		EDGE(what_is_no_file_is_no_segment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
