/*
 * Feature tables, frames of capture logs and snapshots that end where the process's memory ends: every truncation, and every byte set
 * to four values, with and without hashes that are right. An error or an answer, no read beyond the end, no write at all, and never
 * more memory than a small file may ask for. The linker sends here what maps a table.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture_fixture.h"
#include "deploy/log_parts.h"
#include "guarded_room.h"
#include "metered_memory.h"
#include "sample_tables.h"

#include <scoreline/statistics.h>

#define MOST_MEMORY ((size_t)16 << 20) /* of a file of a few KiB */

typedef struct tally {
	size_t n, accepted, most;
} tally;

/* Tries `n` bytes at the end of the room: whether they were accepted. */
typedef bool attempt(const unsigned char *bytes, size_t n, const score_allocator *a);

static void try_once(attempt *try, const unsigned char *bytes, size_t n, tally *t)
{
	metered_memory m = {SIZE_MAX, 0, 0};
	const score_allocator a = metered_allocator(&m);
	t->accepted += try(bytes, n, &a);
	t->n++;
	t->most = m.most > t->most ? m.most : t->most;
	assert_int_equal(m.held, 0);
}

/* `seal`, if not NULL, makes the hashes right again. */
static void try_all(attempt *try, const char *name, const void *whole, size_t size, void (*seal)(uint8_t *bytes, size_t size))
{
	static const unsigned char values[] = {0x00, 0x7f, 0x80, 0xff};
	static unsigned char changed[GUARDED_BYTES];
	tally t = {0, 0, 0};
	assert_true(size > 0 && size < GUARDED_BYTES);
	for (size_t n = 1; n < size; n++)
		try_once(try, guarded_copy(whole, n), n, &t);
	try_once(try, guarded_copy(whole, size), size, &t);
	assert_true(t.accepted > 0);
	for (size_t at = 0; at < size; at++) {
		for (size_t k = 0; k < sizeof values; k++) {
			memcpy(changed, whole, size);
			changed[at] = values[k];
			if (seal)
				seal(changed, size);
			unsigned char *bytes = guarded_copy(changed, size);
			try_once(try, bytes, size, &t);
			assert_memory_equal(bytes, changed, size);
		}
	}
	printf("%s: %zu inputs, %zu of them good, at most %zu bytes of memory\n", name, t.n, t.accepted, t.most);
	assert_true(t.most <= MOST_MEMORY);
}

/* ---- tables ------------------------------------------------------------------------------------------------------------------- */

static const unsigned char *placed; /* what the next mapping of a file shows, or NULL */

void *__real_mmap64(void *at, size_t n, int protection, int flags, int fd, off_t from);
void *__wrap_mmap64(void *at, size_t n, int protection, int flags, int fd, off_t from);
int __real_munmap(void *at, size_t n);
int __wrap_munmap(void *at, size_t n);

void *__wrap_mmap64(void *at, size_t n, int protection, int flags, int fd, off_t from)
{
	return placed && fd >= 0 ? (void *)(uintptr_t)placed : __real_mmap64(at, n, protection, flags, fd, from);
}

int __wrap_munmap(void *at, size_t n)
{
	return placed && at == placed ? 0 : __real_munmap(at, n);
}

enum { ROWS = 5 };
static score_column keys[2];

static uint8_t *make_table(const char *timestamp, size_t *size)
{
	static const score_table_field names[] = {{"id", SCORE_I64, 0}, {"shop", SCORE_STRING, 0}};
	static const score_table_field columns[] = {{"city", SCORE_STRING, 0}, {"x", SCORE_F64, 0}, {"on", SCORE_BOOL, 0}};
	static const int64_t id[] = {1, 2, 3, 4, 4}, time[] = {10, 20, 30, 40, 50};
	static const char *const shops[] = {"a", "b", "a shop of a long name", "d", "d"}, *const towns[] = {"Oslo", "Rome", "Oslo", NULL, "Bergen"};
	static const double x[] = {1, 2, 3, 4, 5};
	static const uint8_t on[] = {1, 0, 1, 0, 1};
	score_column data[6] = {sample_column(SCORE_I64, id, NULL), sample_texts(shops, ROWS)};
	size_t n = 2;
	if (timestamp)
		data[n++] = sample_column(SCORE_I64, time, NULL);
	data[n++] = sample_texts(towns, ROWS);
	data[n++] = sample_column(SCORE_F64, x, NULL);
	data[n++] = sample_column(SCORE_BOOL, on, NULL);
	const sample_table spec = {names, 2, timestamp, columns, 3, data, timestamp ? ROWS : ROWS - 1, NULL, 0};
	assert_int_equal(sample_table_build(sample_path("guarded.sft"), &spec, NULL), SCORE_OK);
	memcpy(keys, data, sizeof keys);
	return sample_read(sample_path("guarded.sft"), size);
}

static bool use_table(const score_table *t)
{
	int32_t city[ROWS];
	double x[ROWS];
	uint8_t on[ROWS], validity[3], found[ROWS];
	score_error error;
	const score_table_output outputs[] = {{0, 0, city, validity}, {1, 0, x, validity + 1}, {2, 0, on, validity + 2}};
	const score_table_query q = {sizeof q, keys, 2, NULL, 0};
	/* Columns of other types would need other room. */
	if (score_table_column_type(t, 0) != SCORE_STRING || score_table_column_type(t, 1) != SCORE_F64 ||
		score_table_column_type(t, 2) != SCORE_BOOL || score_table_lookup(t, &q, ROWS, outputs, 3, found, &error) != SCORE_OK)
		return false;
	for (int r = 0; r < ROWS; r++) {
		size_t length, sum = 0;
		const char *text = score_table_text(t, 0, (uint32_t)city[r], &length);
		for (size_t i = 0; text && i < length; i++)
			sum += (unsigned char)text[i];
		assert_true(sum <= 255 * length);
	}
	return score_table_verify(t, &error) == SCORE_OK;
}

static bool try_table(const unsigned char *bytes, size_t n, const score_allocator *a)
{
	score_table_options o = SCORE_TABLE_OPTIONS_INIT;
	score_table *t = (score_table *)&o;
	score_error error;
	o.allocator = a;
	o.flags = SCORE_TABLE_PRELOAD;
	assert_int_equal(truncate(sample_path("guarded.sft"), (off_t)n), 0); /* what is there shows the size only */
	placed = bytes;
	const score_status status = score_table_open(sample_path("guarded.sft"), &o, &t, &error);
	assert_true((status == SCORE_OK) == (t != NULL));
	if (!t)
		assert_true(status > 0 && error.message[0] != '\0');
	const bool good = t && use_table(t);
	score_table_close(t);
	placed = NULL;
	return good;
}

static void tables(void **state)
{
	(void)state;
	for (int timed = 0; timed < 2; timed++) {
		size_t size;
		uint8_t *bytes = make_table(timed ? "at" : NULL, &size);
		try_all(try_table, timed ? "table over time" : "table", bytes, size, NULL);
		try_all(try_table, timed ? "table over time, sealed" : "table, sealed", bytes, size, sample_seal);
		free(bytes);
	}
}

/* ---- logs ---------------------------------------------------------------------------------------------------------------------- */

static const uint8_t *model_frame; /* what calls name, and its size */
static size_t model_size;
static bool is_first;

static size_t text_bytes(const char *text)
{
	return text ? strlen(text) : 0;
}

static bool use_call(const score_log_call *call)
{
	size_t sum = text_bytes(call->request_id) + text_bytes(call->endpoint) + text_bytes(call->served_name) + text_bytes(call->entity_name) +
		text_bytes(call->entity_version);
	for (uint64_t i = 0; i < (uint64_t)call->n_rows * call->model->n_features; i++)
		sum += call->inputs[i].kind == SCORE_LOG_TEXT ? text_bytes(call->inputs[i].u.text) : 1;
	for (uint64_t i = 0; i < (uint64_t)call->n_rows * call->out_width; i++)
		sum += call->outputs[i] == call->outputs[i];
	for (uint32_t i = 0; i < call->model->n_features; i++)
		sum += text_bytes(call->model->features[i]);
	return sum > 0;
}

static bool try_frame(const unsigned char *bytes, size_t n, const score_allocator *a)
{
	log_models models;
	sl_arena arena;
	score_log_call call;
	score_error error;
	bool is_call = false;
	sl_arena_init(&models.arena, a, 0);
	sl_arena_init(&arena, a, 0);
	sl_vector_init(&models.by_number, a, sizeof(score_log_model *));
	if (model_frame)
		assert_int_equal(deploy_log_frame(model_frame, model_size, false, &models, &arena, &call, &is_call, NULL), SCORE_OK);
	const score_status status = deploy_log_frame(bytes, n, is_first, &models, &arena, &call, &is_call, &error);
	if (status != SCORE_OK)
		assert_true(error.code == status && error.message[0] != '\0');
	else if (is_call)
		(void)use_call(&call);
	sl_arena_free(&models.arena);
	sl_arena_free(&arena);
	sl_vector_free(&models.by_number);
	return status == SCORE_OK;
}

static void frames(void **state)
{
	static const char *const cities[] = {"Oslo", "K\xc3\xb6ln"}, *const names[] = {"header", "model", "call"};
	static const double numbers[] = {1, 2}, out[] = {0.25, -0.0};
	fixture_directory folder;
	char path[600];
	size_t size;
	(void)state;
	fixture_directory_make(&folder);
	score_capture *c = fixture_capture(&folder);
	score_model *model = fixture_string_model();
	const score_column columns[] = {sample_column(SCORE_F64, numbers, NULL), sample_texts(cities, 2), sample_texts(cities, 2)};
	const score_input in = score_input_columns(columns, 2, 3);
	const score_call call = fixture_call(model, &in, out, 1);
	assert_int_equal(score_capture_add_model(c, model, NULL), SCORE_OK);
	assert_int_equal(score_capture_record(c, &call), 1);
	score_capture_free(c);
	score_model_free(model);
	fixture_segment(&folder, ".slog", path, sizeof path);
	uint8_t *bytes = sample_read(path, &size);
	size_t at = 8;
	for (int k = 0; k < 3; k++) {
		const size_t length = bytes[at] | (size_t)bytes[at + 1] << 8;
		is_first = k == 0;
		try_all(try_frame, names[k], bytes + at + 4, length, NULL);
		if (k == 1) {
			model_frame = bytes + at + 4;
			model_size = length;
		}
		at += length + 12;
	}
	assert_int_equal(at, size);
	model_frame = NULL;
	free(bytes);
	fixture_directory_remove(&folder);
}

/* ---- snapshots -------------------------------------------------------------------------------------------------------------------- */

static bool try_snapshot(const unsigned char *bytes, size_t n, const score_allocator *a)
{
	score_snapshot *s = (score_snapshot *)(uintptr_t)bytes;
	score_error error;
	const score_status status = score_snapshot_read(bytes, n, a, &s, &error);
	assert_true((status == SCORE_OK) == (s != NULL));
	if (!s) {
		assert_true(status > 0 && error.message[0] != '\0');
		return false;
	}
	const score_snapshot *const list[] = {s};
	size_t needed = 0;
	assert_int_equal(score_prometheus_text(list, 1, NULL, NULL, 0, &needed, &error), SCORE_OK);
	assert_true(needed > 0);
	score_snapshot_free(s);
	return true;
}

static void snapshots(void **state)
{
	static const double rows[] = {1, 2, 0, 3, 1, 1, 5, 0, 2};
	const score_input in = score_input_rows_f64(rows, 3, 3);
	score_model *model = fixture_string_model();
	score_snapshot *reference;
	void *bytes;
	size_t size;
	(void)state;
	assert_int_equal(score_reference_new(model, &in, NULL, &reference, NULL), SCORE_OK);
	assert_int_equal(score_snapshot_serialise(reference, &bytes, &size, NULL), SCORE_OK);
	try_all(try_snapshot, "snapshot", bytes, size, NULL);
	score_snapshot_free_bytes(reference, bytes, size);
	score_snapshot_free(reference);
	score_model_free(model);
}

static int set_up(void **state)
{
	(void)state;
	return guarded_make();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(tables), cmocka_unit_test(frames), cmocka_unit_test(snapshots)};
	return cmocka_run_group_tests(tests, set_up, sample_cleanup);
}
