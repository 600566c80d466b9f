/*
 * Feature tables from rows that the input describes: refused with a message, or a file that is whole, in which every key that was put
 * in is found with its values, in batches as one by one.
 */
#define _XOPEN_SOURCE 700
#include "capture_fixture.h"
#include "fuzz_rows.h"

#include <scoreline/features.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_ROWS 24
#define MOST_KEYS 3
#define MOST_COLUMNS 4

typedef struct sample {
	score_table_schema schema;
	score_table_field keys[MOST_KEYS], fields[MOST_COLUMNS];
	score_column data[MOST_KEYS + 1 + MOST_COLUMNS]; /* keys, timestamp, features */
	int64_t n_rows;
} sample;

static const char *const names[] = {"a", "b", "gr\xc3\xbcn", "d", "e", "f", "g"};
static fixture_directory directory;

static void finish(void)
{
	fixture_directory_remove(&directory);
}

/* Mostly small numbers, so that keys meet. */
static score_column take_numbers(fuzz_store *s, fuzz_bytes *in, int64_t n, score_dtype type)
{
	static const size_t bytes[] = {0, 4, 8, 1, 1, 2, 2, 4, 4, 8, 8, 1};
	const size_t each = bytes[type], stride = each * (1 + fuzz_below(in, 2));
	score_column c = {NULL, NULL, (int64_t)fuzz_below(in, 4), 0, type, 0};
	const size_t n_values = (size_t)(c.offset + n);
	char *values = calloc(n_values ? n_values : 1, stride);
	s->blocks[s->n++] = values;
	const uint32_t is_small = fuzz_below(in, 4);
	for (size_t i = 0; i < n_values; i++) {
		const uint64_t v = fuzz_take(in, is_small ? 1 : 8);
		memcpy(values + i * stride, &v, each);
	}
	c.values = values;
	c.stride_bytes = (int64_t)stride;
	if (fuzz_below(in, 3) == 0)
		c.validity = fuzz_block(s, in, (n_values + 7) / 8);
	return c;
}

static score_column take_column(fuzz_store *s, fuzz_bytes *in, int64_t n, score_dtype type)
{
	return type == SCORE_STRING ? fuzz_texts(s, in, n) : take_numbers(s, in, n, type);
}

static void take_sample(fuzz_store *s, fuzz_bytes *in, sample *t)
{
	static const score_dtype types[] = {SCORE_F64, SCORE_F32, SCORE_I64, SCORE_I32, SCORE_BOOL, SCORE_STRING};
	score_column *data = t->data;
	t->n_rows = (int64_t)fuzz_below(in, MOST_ROWS + 1);
	t->schema = (score_table_schema)SCORE_TABLE_SCHEMA_INIT;
	t->schema.keys = t->keys;
	t->schema.n_keys = 1 + fuzz_below(in, MOST_KEYS);
	t->schema.columns = t->fields;
	t->schema.n_columns = 1 + fuzz_below(in, MOST_COLUMNS);
	for (size_t i = 0; i < t->schema.n_keys; i++) {
		t->keys[i] = (score_table_field){names[i], fuzz_below(in, 2) ? SCORE_I64 : SCORE_STRING, 0};
		*data++ = take_column(s, in, t->n_rows, t->keys[i].type == SCORE_STRING ? SCORE_STRING : SCORE_I8 + (score_dtype)fuzz_below(in, 8));
		if (fuzz_below(in, 4))
			data[-1].validity = NULL;
	}
	if (fuzz_below(in, 3) == 0) {
		t->schema.timestamp = "at";
		*data++ = take_column(s, in, t->n_rows, fuzz_below(in, 2) ? SCORE_I64 : SCORE_I32);
		if (fuzz_below(in, 4))
			data[-1].validity = NULL;
	}
	for (size_t i = 0; i < t->schema.n_columns; i++) {
		t->fields[i] = (score_table_field){names[MOST_KEYS + i], types[fuzz_below(in, 6)], 0};
		*data++ = take_column(s, in, t->n_rows, t->fields[i].type);
	}
}

static score_status build(const sample *t, const char *path)
{
	score_table_builder *b = NULL;
	score_error error;
	const size_t n = t->schema.n_keys + t->schema.n_columns + (t->schema.timestamp ? 1 : 0);
	score_status status = score_table_builder_new(path, &t->schema, &b, &error);
	if (status != SCORE_OK)
		fuzz_check_failure(status, b, &error);
	if (status == SCORE_OK)
		status = score_table_builder_add(b, t->data, n, (size_t)t->n_rows, NULL, &error);
	if (status == SCORE_OK)
		status = score_table_builder_finish(b, &error);
	if (status != SCORE_OK)
		fuzz_check_failure(status, NULL, &error);
	score_table_builder_free(b);
	return status;
}

/* ---- what is found ------------------------------------------------------------------------------ */

typedef struct answer {
	uint64_t values[MOST_COLUMNS][MOST_ROWS]; /* of the column's own width, packed */
	uint8_t validity[MOST_COLUMNS][(MOST_ROWS + 7) / 8], found[MOST_ROWS];
} answer;

static void look_up(const score_table *table, const sample *t, int64_t first, size_t n, answer *a)
{
	score_table_query query = SCORE_TABLE_QUERY_INIT;
	score_table_output outputs[MOST_COLUMNS];
	score_column moved[MOST_KEYS + 1];
	score_error error;
	const size_t n_given = t->schema.n_keys + (t->schema.timestamp ? 1 : 0);
	for (size_t i = 0; i < n_given; i++) {
		moved[i] = t->data[i];
		moved[i].offset += first;
	}
	query.keys = moved;
	query.n_keys = t->schema.n_keys;
	query.timestamp = t->schema.timestamp ? moved + t->schema.n_keys : NULL;
	for (uint32_t i = 0; i < t->schema.n_columns; i++)
		outputs[i] = (score_table_output){i, 0, a->values[i], a->validity[i]};
	if (score_table_lookup(table, &query, n, outputs, t->schema.n_columns, a->found, &error) != SCORE_OK)
		fuzz_fail("keys that were put in cannot be looked up: %s", error.message);
}

static size_t value_bytes(score_dtype type)
{
	return type == SCORE_F64 || type == SCORE_I64 ? 8 : type == SCORE_BOOL ? 1 : 4;
}

/* The value that was put in, or NULL where it is null or a NaN. */
static const char *given(const score_column *c, int64_t row)
{
	const int64_t e = c->offset + row;
	const char *at = (const char *)c->values + e * c->stride_bytes;
	double wide;
	float narrow;
	if (c->validity && !(c->validity[e / 8] >> e % 8 & 1))
		return NULL;
	memcpy(&wide, at, c->dtype == SCORE_F64 ? sizeof wide : 0);
	memcpy(&narrow, at, c->dtype == SCORE_F32 ? sizeof narrow : 0);
	return (c->dtype == SCORE_F64 && wide != wide) || (c->dtype == SCORE_F32 && narrow != narrow) ? NULL : at;
}

static void check_row(const sample *t, const answer *all, const answer *one, int64_t row)
{
	const score_column *features = t->data + t->schema.n_keys + (t->schema.timestamp ? 1 : 0);
	if (!all->found[row] || !one->found[0])
		fuzz_fail("the key of row %lld is not found", (long long)row);
	for (size_t i = 0; i < t->schema.n_columns; i++) {
		const size_t each = value_bytes(t->fields[i].type);
		const char *got = (const char *)all->values[i] + (size_t)row * each;
		const int is_valid = all->validity[i][row / 8] >> row % 8 & 1;
		if (is_valid != (one->validity[i][0] & 1) || memcmp(got, one->values[i], each) != 0)
			fuzz_fail("row %lld, column %zu: alone it has another value", (long long)row, i);
		if (t->fields[i].type == SCORE_STRING)
			continue;
		const char *expected = given(features + i, row);
		const char truth = (char)(expected && *expected != 0);
		if (is_valid != (expected != NULL) ||
			(expected && memcmp(got, t->fields[i].type == SCORE_BOOL ? &truth : expected, each) != 0))
			fuzz_fail("row %lld, column %zu has not the value that was put in", (long long)row, i);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_bytes in = {data, size};
	fuzz_store s = {{NULL}, 0};
	score_table_options options = SCORE_TABLE_OPTIONS_INIT;
	score_table *table = NULL;
	score_error error;
	sample t;
	char path[300];
	if (!directory.path[0]) {
		fixture_directory_make(&directory);
		atexit(finish);
	}
	take_sample(&s, &in, &t);
	snprintf(path, sizeof path, "%s/table.sft", directory.path);
	options.flags = SCORE_TABLE_VERIFY;
	if (build(&t, path) == SCORE_OK) {
		answer all, one;
		if (score_table_open(path, &options, &table, &error) != SCORE_OK)
			fuzz_fail("a table that was built cannot be opened: %s", error.message);
		look_up(table, &t, 0, (size_t)t.n_rows, &all);
		for (int64_t row = 0; row < t.n_rows; row++) {
			look_up(table, &t, row, 1, &one);
			check_row(&t, &all, &one, row);
		}
		score_table_close(table);
		(void)unlink(path);
	}
	fuzz_store_free(&s);
	return 0;
}
