/*
 * Every system call failed in turn while feature tables are built, opened and replaced and references are saved: see failing_calls.h.
 * No object, no file left behind, the old file whole. Then the same over files that are slow.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "expect_error.h"
#include "failing_calls.h"
#include "sample_tables.h"
#include "served_models.h"

#include <scoreline/statistics.h>

/* ---- tables --------------------------------------------------------------------------------------------------------------- */

enum { ROWS = 1400, LONG_KEY = 40000, LONG_TEXT = 300000 };

static struct {
	const char *shops[ROWS], *towns[ROWS];
	int64_t time[ROWS];
	double x[ROWS];
	char long_key[LONG_KEY + 1], long_text[LONG_TEXT + 1];
	uint8_t *old, *new;
	size_t old_size, new_size;
} history;

static const score_table_field shop_key[] = {{"shop", SCORE_STRING, 0}};
static const score_table_field town_and_x[] = {{"town", SCORE_STRING, 0}, {"x", SCORE_F64, 0}};

/* One key with more rows than a part's buffer takes, a key and a text that are longer than the buffers. */
static score_status build_history(size_t n, score_error *error)
{
	static score_column data[4];
	if (!data[0].values) {
		data[0] = sample_texts(history.shops, ROWS);
		data[1] = sample_column(SCORE_I64, history.time, NULL);
		data[2] = sample_texts(history.towns, ROWS);
		data[3] = sample_column(SCORE_F64, history.x, NULL);
	}
	const sample_table spec = {shop_key, 1, "at", town_and_x, 2, data, n, NULL, 0};
	return sample_table_build(sample_path("table.sft"), &spec, error);
}

static void make_history(void)
{
	static char names[ROWS][24];
	if (history.old)
		return;
	memset(history.long_key, 'k', LONG_KEY);
	memset(history.long_text, 't', LONG_TEXT);
	for (int r = 0; r < ROWS; r++) {
		snprintf(names[r], sizeof names[r], "town %d", r % 100);
		history.shops[r] = r % 7 ? "a shop of a name that is long" : r % 14 ? "short" : history.long_key;
		history.towns[r] = r == 3 ? history.long_text : names[r];
		history.time[r] = r;
		history.x[r] = r * 0.5;
	}
	assert_int_equal(build_history(10, NULL), SCORE_OK);
	history.old = sample_read(sample_path("table.sft"), &history.old_size);
	assert_int_equal(build_history(ROWS, NULL), SCORE_OK);
	history.new = sample_read(sample_path("table.sft"), &history.new_size);
}

/* Files in the folder of the tables. */
static int count_files(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int count_tables(void)
{
	char folder[512];
	snprintf(folder, sizeof folder, "%s", sample_path(""));
	return count_files(folder);
}

static void put_old_table(void)
{
	make_history();
	sample_write(sample_path("table.sft"), history.old, history.old_size);
}

static score_status build_table(score_error *error)
{
	return build_history(ROWS, error);
}

/* The old table or the new one, whole, and nothing beside it. */
static void check_table(score_status status)
{
	size_t size;
	uint8_t *found = sample_read(sample_path("table.sft"), &size);
	const bool is_new = size == history.new_size && memcmp(found, history.new, size) == 0;
	assert_true(is_new || (size == history.old_size && memcmp(found, history.old, size) == 0));
	if (status == SCORE_OK)
		assert_true(is_new);
	else if (is_new) /* only the folder could not be synced */
		assert_true(strcmp(calls.failed, "open") == 0 || strcmp(calls.failed, "fsync") == 0);
	assert_int_equal(count_tables(), 1);
	free(found);
}

static void tables_are_built_whole_or_not_at_all(void **state)
{
	(void)state;
	calls_in_turn(&(calls_scene){"table", put_old_table, build_table, check_table, "", 0});
	calls_in_turn(&(calls_scene){"table where all files have names", put_old_table, build_table, check_table, "", 1});
}

static void slow_files_give_the_same_table(void **state)
{
	(void)state;
	for (int n = 999; n < 400000; n *= 7) {
		put_old_table();
		calls = (failing_calls){.inside = 1, .fail_at = -1, .n_short = n, .interrupt = 1};
		assert_int_equal(build_table(NULL), SCORE_OK);
		calls.inside = 0;
		check_table(SCORE_OK);
	}
}

/* Calls that neither fail nor do anything, which a broken file system may have. */
static void calls_that_do_nothing_are_failures(void **state)
{
	score_error error;
	(void)state;
	put_old_table();
	calls = (failing_calls){.inside = 1, .fail_at = 0, .only = "pwrite"};
	assert_int_equal(build_table(&error), SCORE_ERR_IO);
	calls.inside = 0;
	assert_non_null(strstr(error.message, "no space left"));
	check_table(SCORE_ERR_IO);
	calls = (failing_calls){.inside = 1, .fail_at = 0, .only = "pread"};
	assert_int_equal(build_table(&error), SCORE_ERR_IO);
	calls.inside = 0;
	assert_non_null(strstr(error.message, "cannot read back"));
	assert_non_null(strstr(error.message, "input/output error"));
	check_table(SCORE_ERR_IO);
}

/* Some file systems cannot sync a folder, and say so. */
static void a_folder_that_cannot_be_synced_is_no_failure(void **state)
{
	(void)state;
	put_old_table();
	calls = (failing_calls){.inside = 1, .fail_at = 1, .code = EINVAL, .only = "fsync"};
	assert_int_equal(build_table(NULL), SCORE_OK);
	assert_string_equal(calls.failed, "fsync");
	calls.inside = 0;
	check_table(SCORE_OK);
}

static void a_failed_builder_can_only_be_freed(void **state)
{
	static const int64_t id[] = {1};
	static const score_table_field key[] = {{"id", SCORE_I64, 0}}, column[] = {{"x", SCORE_I64, 0}};
	const score_column data[] = {sample_column(SCORE_I64, id, NULL), sample_column(SCORE_I64, id, NULL)};
	score_table_schema schema = SCORE_TABLE_SCHEMA_INIT;
	score_table_builder *b = NULL;
	score_error error;
	(void)state;
	schema.keys = key;
	schema.columns = column;
	schema.n_keys = schema.n_columns = 1;
	assert_int_equal(score_table_builder_new(sample_path("failed.sft"), &schema, &b, NULL), SCORE_OK);
	assert_int_equal(score_table_builder_add(b, data, 1, 1, NULL, NULL), SCORE_ERR_SHAPE);
	expect_error(score_table_builder_add(b, data, 2, 1, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"an earlier call for this builder failed; it can only be freed");
	expect_error(score_table_builder_finish(b, &error), &error, SCORE_ERR_ARGUMENT,
		"an earlier call for this builder failed or finished it; it can only be freed");
	score_table_builder_free(b);
	assert_int_equal(access(sample_path("failed.sft"), F_OK), -1);
}

/* A disk that is full in the middle of many keys is noticed before the last of them. */
static void a_full_disk_ends_it_early(void **state)
{
	enum { MANY = 40000 };
	static int64_t id[MANY];
	static const score_table_field key[] = {{"id", SCORE_I64, 0}}, column[] = {{"x", SCORE_I64, 0}};
	const score_column data[] = {sample_column(SCORE_I64, id, NULL), sample_column(SCORE_I64, id, NULL)};
	const sample_table spec = {key, 1, NULL, column, 1, data, MANY, NULL, 0};
	score_error error;
	(void)state;
	for (int r = 0; r < MANY; r++)
		id[r] = r;
	calls = (failing_calls){.inside = 1, .fail_at = 0, .code = ENOSPC, .only = "pwrite"};
	assert_int_equal(sample_table_build(sample_path("many.sft"), &spec, &error), SCORE_ERR_IO);
	calls.inside = 0;
	assert_int_equal(calls.n, 1);
	assert_non_null(strstr(error.message, "no space left"));
	assert_int_equal(access(sample_path("many.sft"), F_OK), -1);
}

/* Paths that have no room for the ending of a temporary file. */
static void long_paths_are_refused(void **state)
{
	static const int64_t id[] = {1};
	static const score_table_field key[] = {{"id", SCORE_I64, 0}}, column[] = {{"x", SCORE_I64, 0}};
	const score_column data[] = {sample_column(SCORE_I64, id, NULL), sample_column(SCORE_I64, id, NULL)};
	const sample_table spec = {key, 1, NULL, column, 1, data, 1, NULL, 0};
	static char path[5000], text[LONG_KEY];
	const char *const keys[] = {text};
	score_error error;
	(void)state;
	memset(path, 'p', sizeof path - 1);
	expect_error(sample_table_build(path, &spec, &error), &error, SCORE_ERR_ARGUMENT, "the path is longer than 4055 bytes");
	/* A key that goes to a file at once. */
	memset(text, 'k', sizeof text - 1);
	const score_column far[] = {sample_texts(keys, 1), sample_column(SCORE_I64, id, NULL)};
	const sample_table spilled = {shop_key, 1, NULL, column, 1, far, 1, NULL, 0};
	expect_error(sample_table_build(path, &spilled, &error), &error, SCORE_ERR_ARGUMENT, "the path is longer than 4055 bytes");
}

/* ---- open tables ---------------------------------------------------------------------------------------------------------- */

static score_table_source *source;

static score_status open_and_replace(score_error *error)
{
	const score_table_options o = {sizeof o, NULL, 0, SCORE_TABLE_COPY | SCORE_TABLE_PRELOAD | SCORE_TABLE_VERIFY, 0};
	score_status status = score_table_source_open(sample_path("table.sft"), &o, &source, error);
	assert_true((status == SCORE_OK) == (source != NULL));
	if (status != SCORE_OK)
		return status;
	const int inside = calls.inside;
	calls.inside = 0; /* the host replaces the file */
	sample_write(sample_path("table.sft"), history.new, history.new_size);
	calls.inside = inside;
	int32_t changed = -1;
	status = score_table_source_refresh(source, &changed, error);
	assert_int_equal(changed, status == SCORE_OK);
	return status;
}

static void check_source(score_status status)
{
	score_table_info info = {.struct_size = sizeof info};
	if (!source) {
		assert_int_not_equal(status, SCORE_OK);
		return;
	}
	score_table *t = score_table_acquire(source);
	assert_int_equal(score_table_get_info(t, &info), SCORE_OK);
	assert_int_equal(info.n_rows, status == SCORE_OK ? ROWS : 10);
	score_table_close(t);
	score_table_source_free(source);
	source = NULL;
}

static void a_source_keeps_what_it_has(void **state)
{
	(void)state;
	calls_in_turn(&(calls_scene){"source", put_old_table, open_and_replace, check_source, "", 0});
}

/* ---- references ----------------------------------------------------------------------------------------------------------- */

static score_snapshot *reference;

static void make_reference(void)
{
	static const double rows[] = {1, 2, 3, 4, 5, 6};
	const score_input in = score_input_rows_f64(rows, 3, 2);
	score_model *model = scaling_model(2);
	if (!reference)
		assert_int_equal(score_reference_new(model, &in, NULL, &reference, NULL), SCORE_OK);
	score_model_free(model);
	unlink(sample_path("reference.sls"));
}

static score_status save_reference(score_error *error)
{
	score_snapshot *again = NULL;
	score_status status = score_snapshot_save_file(reference, sample_path("reference.sls"), error);
	if (status == SCORE_OK) {
		status = score_snapshot_open_file(sample_path("reference.sls"), NULL, &again, error);
		assert_true((status == SCORE_OK) == (again != NULL));
	}
	score_snapshot_free(again);
	return status;
}

static void check_reference(score_status status)
{
	score_snapshot *again = NULL;
	const bool is_there = access(sample_path("reference.sls"), F_OK) == 0;
	assert_int_equal(count_tables(), 1 + is_there);
	if (status == SCORE_OK)
		assert_true(is_there);
	if (is_there) /* whole, then */
		assert_int_equal(score_snapshot_open_file(sample_path("reference.sls"), NULL, &again, NULL), SCORE_OK);
	score_snapshot_free(again);
}

static void references_are_saved_whole_or_not_at_all(void **state)
{
	(void)state;
	put_old_table();
	calls_in_turn(&(calls_scene){"reference", make_reference, save_reference, check_reference, "", 0});
	calls_in_turn(&(calls_scene){"reference where all files have names", make_reference, save_reference, check_reference, "", 1});
	score_snapshot_free(reference);
}

/* As where there is no /proc, or a policy permits no links: the file is written once more, with a name. */
static void a_table_stands_where_nothing_may_be_linked(void **state)
{
	static const int codes[] = {ENOENT, EPERM, EACCES, EXDEV, EOPNOTSUPP};
	(void)state;
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		for (int is_there = 0; is_there < 2; is_there++) {
			put_old_table();
			if (!is_there)
				assert_int_equal(unlink(sample_path("table.sft")), 0);
			calls = (failing_calls){.inside = 1, .fail_at = 0, .code = codes[i], .only = "linkat"};
			const score_status status = build_table(NULL);
			calls.inside = 0;
			assert_string_equal(calls.failed, "linkat");
			assert_int_equal(status, SCORE_OK);
			check_table(status);
		}
	}
}

static int tear_down(void **state)
{
	free(history.old);
	free(history.new);
	return sample_cleanup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_built_whole_or_not_at_all),
		cmocka_unit_test(slow_files_give_the_same_table),
		cmocka_unit_test(calls_that_do_nothing_are_failures),
		cmocka_unit_test(a_folder_that_cannot_be_synced_is_no_failure),
		cmocka_unit_test(a_failed_builder_can_only_be_freed),
		cmocka_unit_test(a_full_disk_ends_it_early),
		cmocka_unit_test(long_paths_are_refused),
		cmocka_unit_test(a_source_keeps_what_it_has),
		cmocka_unit_test(a_table_stands_where_nothing_may_be_linked),
		cmocka_unit_test(references_are_saved_whole_or_not_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, tear_down);
}
