/*
 * Tables whose hashes are right and whose header or indices are not: each is refused by the name of what is wrong. And tables in the
 * place of others: only those of the same keys and columns are taken.
 */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deploy/table.h"
#include "expect_error.h"
#include "sample_tables.h"

enum { KEYS = 600 };

static score_error error;
static score_column data[4];

static const score_table_field keys[] = {{"id", SCORE_I64, 0}, {"shop", SCORE_STRING, 0}};
static const score_table_field columns[] = {{"town", SCORE_STRING, 0}, {"x", SCORE_F64, 0}};

/* ---- files with right hashes --------------------------------------------------------------------------------------------- */

static void seal(uint8_t *bytes, size_t size, uint64_t header_offset)
{
	const uint64_t size64 = size, header = size - SFT_HASH_BYTES - header_offset;
	memcpy(bytes + 16, &size64, 8);
	memcpy(bytes + 24, &header_offset, 8);
	memcpy(bytes + 32, &header, 8);
	sample_seal(bytes, size);
}

/* The bytes of a table before its header, this header, and hashes that are right: in the file "forged.sft". */
static void forge(const score_table *t, const void *header, size_t header_bytes)
{
	const uint64_t offset = sl_load_u64(t->data + 24);
	const size_t size = (size_t)offset + header_bytes + SFT_HASH_BYTES;
	uint8_t *bytes = calloc(size, 1);
	memcpy(bytes, t->data, (size_t)offset);
	memcpy(bytes + offset, header, header_bytes);
	seal(bytes, size, offset);
	sample_write(sample_path("forged.sft"), bytes, size);
	free(bytes);
}

static void forge_layout(const score_table *t, const sft_layout *l)
{
	const score_allocator a = sl_allocator(NULL);
	sl_vector header;
	sl_vector_init(&header, &a, 1);
	assert_int_equal(deploy_write_header(l, &header, NULL), SCORE_OK);
	forge(t, header.data, header.length);
	sl_vector_free(&header);
}

static void refused(score_status status, const char *message)
{
	score_table *t = (score_table *)&error;
	expect_error(score_table_open(sample_path("forged.sft"), NULL, &t, &error), &error, status, message);
	assert_null(t);
}

static void layout_refused(const score_table *t, const sft_layout *l, const char *key, const char *expected)
{
	char message[160];
	snprintf(message, sizeof message, "the table's header: expected '%s' to be %s; the file is damaged", key, expected);
	forge_layout(t, l);
	refused(SCORE_ERR_CORRUPT, message);
}

/* The header with some of its bytes replaced by others. */
static void splice_refused(const score_table *t, const char *from, size_t n_from, const char *to, size_t n_to, const char *message)
{
	const uint64_t offset = sl_load_u64(t->data + 24), bytes = sl_load_u64(t->data + 32);
	const uint8_t *header = t->data + offset, *at = NULL;
	for (size_t i = 0; !at && i + n_from <= bytes; i++)
		at = memcmp(header + i, from, n_from) == 0 ? header + i : NULL;
	assert_non_null(at);
	uint8_t *spliced = malloc((size_t)bytes + n_to);
	const size_t before = (size_t)(at - header);
	memcpy(spliced, header, before);
	memcpy(spliced + before, to, n_to);
	memcpy(spliced + before + n_to, at + n_from, (size_t)bytes - before - n_from);
	forge(t, spliced, (size_t)bytes - n_from + n_to);
	free(spliced);
	refused(SCORE_ERR_CORRUPT, message);
}

static score_table *make_table(const char *timestamp)
{
	const size_t n = timestamp ? 4 : 3;
	static int64_t id[KEYS];
	static double x[KEYS];
	static const char *shops[KEYS], *towns[KEYS];
	for (int r = 0; r < KEYS; r++) {
		id[r] = r;
		x[r] = r;
		shops[r] = r % 2 ? "a shop of a long name" : "shop";
		towns[r] = r % 3 ? "Oslo" : "Rome";
	}
	score_column all[5] = {sample_column(SCORE_I64, id, NULL), sample_texts(shops, KEYS), sample_column(SCORE_I64, id, NULL),
		sample_texts(towns, KEYS), sample_column(SCORE_F64, x, NULL)};
	if (!timestamp)
		memmove(all + 2, all + 3, 2 * sizeof *all);
	const sample_table spec = {keys, 2, timestamp, columns, 2, all, KEYS, NULL, 0};
	memcpy(data, all, n * sizeof *all);
	return sample_table_make("good.sft", &spec);
}

static void layouts(void **state)
{
	static sft_column many[SFT_MAX_COLUMNS + 1];
	static sft_key more[SFT_MAX_KEYS + 1];
	(void)state;
	score_table *t = make_table("at");
	sft_layout l = t->layout;
	forge_layout(t, &l); /* as it was */
	score_table *again;
	assert_int_equal(score_table_open(sample_path("forged.sft"), NULL, &again, &error), SCORE_OK);
	assert_int_equal(score_table_verify(again, &error), SCORE_OK);
	score_table_close(again);
	l.n_keys = 0;
	layout_refused(t, &l, "keys", "1 to 16 columns");
	for (uint32_t i = 0; i <= SFT_MAX_KEYS; i++)
		more[i] = l.keys[0];
	l.keys = more;
	l.n_keys = SFT_MAX_KEYS + 1;
	layout_refused(t, &l, "keys", "1 to 16 columns");
	l = t->layout;
	l.n_columns = 0;
	layout_refused(t, &l, "columns", "1 to 65536 columns");
	for (uint32_t i = 0; i <= SFT_MAX_COLUMNS; i++)
		many[i] = l.columns[1];
	l.columns = many;
	l.n_columns = SFT_MAX_COLUMNS + 1;
	layout_refused(t, &l, "columns", "1 to 65536 columns");
	l = t->layout;
	l.unit = "min";
	layout_refused(t, &l, "unit", "s, ms, us, ns or empty");
	l = t->layout;
	many[0] = l.columns[0];
	many[1] = l.columns[1];
	l.columns = many;
	many[0].n_texts++;
	layout_refused(t, &l, "starts", "one offset more than n_texts");
	many[0].n_texts--;
	many[0].text.offset += 1;
	layout_refused(t, &l, "text", "an aligned section inside the file");
	l = t->layout;
	l.n_buckets = 0;
	l.sections[SFT_BUCKETS].bytes = 0;
	layout_refused(t, &l, "n_buckets", "at least 1");
	score_table_close(t);
}

static void a_section_of_three_numbers(void **state)
{
	(void)state;
	score_table *t = make_table(NULL);
	splice_refused(t, "\xa7" "buckets\x92", 9, "\xa7" "buckets\x93\0", 10,
		"the table's header: expected 'buckets' to be [offset, bytes]; the file is damaged");
	score_table_close(t);
}

static void a_header_that_is_no_map(void **state)
{
	(void)state;
	score_table *t = make_table(NULL);
	forge(t, "\x01", 1);
	refused(SCORE_ERR_CORRUPT, "the table's header: expected 'header' to be a map; the file is damaged");
	score_table_close(t);
}

static void a_header_of_seventeen_megabytes(void **state)
{
	enum { BYTES = 17 << 20 };
	(void)state;
	score_table *t = make_table(NULL);
	uint8_t *header = calloc(BYTES, 1);
	forge(t, header, BYTES);
	refused(SCORE_ERR_CORRUPT, "the header should end 16 bytes before the file does; the file is damaged");
	free(header);
	score_table_close(t);
}

/* ---- indices ------------------------------------------------------------------------------------------------------------------ */

/* The file "good.sft" with other eight bytes somewhere. */
static void patch(const score_table *t, const uint8_t *where, uint64_t word)
{
	const size_t at = (size_t)(where - t->data);
	uint8_t *bytes = malloc(t->size);
	memcpy(bytes, t->data, t->size);
	memcpy(bytes + at, &word, 8);
	seal(bytes, t->size, sl_load_u64(t->data + 24));
	sample_write(sample_path("forged.sft"), bytes, t->size);
	free(bytes);
}

static void damage_is_found(const char *verified, const char *asked)
{
	score_table_options o = SCORE_TABLE_OPTIONS_INIT;
	const score_table_query q = {sizeof q, data, 2, NULL, 0};
	uint8_t found[KEYS];
	score_table *t = (score_table *)&error;
	o.flags = SCORE_TABLE_VERIFY;
	expect_error(score_table_open(sample_path("forged.sft"), &o, &t, &error), &error, SCORE_ERR_CORRUPT, verified);
	assert_null(t);
	if (!asked)
		return;
	assert_int_equal(score_table_open(sample_path("forged.sft"), NULL, &t, &error), SCORE_OK);
	expect_error(score_table_lookup(t, &q, KEYS, NULL, 0, found, &error), &error, SCORE_ERR_CORRUPT, asked);
	score_table_close(t);
}

static void indices(void **state)
{
	const char *const bucket = "a bucket of the feature table points outside its section; the file is damaged";
	const char *const key = "a key of the feature table points outside its section; the file is damaged";
	(void)state;
	score_table *t = make_table("at");
	const sft_layout *l = &t->layout;
	patch(t, t->buckets, (uint64_t)300 << 48); /* 300 keys, all of which there are */
	damage_is_found("the table's bucket number 0 points outside its section; the file is damaged", bucket);
	patch(t, t->buckets, KEYS + 1);
	damage_is_found("the table's bucket number 0 points outside its section; the file is damaged", bucket);
	patch(t, t->entries + l->row_offset, 1);
	damage_is_found("the table's key number 0 points outside its section; the file is damaged", NULL);
	patch(t, t->entries + l->row_offset, KEYS + 1);
	damage_is_found("the table's key number 0 points outside its section; the file is damaged", key);
	patch(t, t->entries + l->row_offset + 8, KEYS + 1);
	damage_is_found("the table's key number 0 points outside its section; the file is damaged", key);
	/* A row that no key has. */
	sft_layout longer = *l;
	longer.n_rows++;
	longer.sections[SFT_TIMES].bytes += 8;
	longer.sections[SFT_ROWS].bytes += l->row_bytes;
	forge_layout(t, &longer);
	damage_is_found("the table's key number 600 points outside its section; the file is damaged", NULL);
	score_table_close(t);
}

static void a_changed_byte_is_found_when_asked_for(void **state)
{
	size_t size;
	(void)state;
	score_table_close(make_table(NULL));
	uint8_t *bytes = sample_read(sample_path("good.sft"), &size);
	bytes[200] ^= 1;
	sample_write(sample_path("forged.sft"), bytes, size);
	free(bytes);
	damage_is_found("the table does not have the hash that stands at its end; the file is damaged", NULL);
}

/* ---- in the place of another --------------------------------------------------------------------------------------------------- */

static void write_live(const score_table_field *key, size_t n_keys, const char *timestamp, const char *unit, const score_table_field *column,
	size_t n_columns)
{
	static const int64_t id[] = {1};
	static const double x[] = {1};
	static const char *const texts[] = {"a"};
	score_table_schema s = SCORE_TABLE_SCHEMA_INIT;
	score_table_builder *b;
	score_column all[8];
	size_t n = 0;
	for (size_t i = 0; i < n_keys; i++)
		all[n++] = key[i].type == SCORE_STRING ? sample_texts(texts, 1) : sample_column(SCORE_I64, id, NULL);
	if (timestamp)
		all[n++] = sample_column(SCORE_I64, id, NULL);
	for (size_t i = 0; i < n_columns; i++)
		all[n++] = sample_column(column[i].type, column[i].type == SCORE_F64 ? (const void *)x : id, NULL);
	s.keys = key;
	s.n_keys = n_keys;
	s.timestamp = timestamp;
	s.timestamp_unit = unit;
	s.columns = column;
	s.n_columns = n_columns;
	assert_int_equal(score_table_builder_new(sample_path("live.sft"), &s, &b, NULL), SCORE_OK);
	assert_int_equal(score_table_builder_add(b, all, n, 1, NULL, NULL), SCORE_OK);
	assert_int_equal(score_table_builder_finish(b, NULL), SCORE_OK);
	score_table_builder_free(b);
}

static void only_the_same_keys_and_columns_replace(void **state)
{
	static const score_table_field ab[] = {{"a", SCORE_I64, 0}, {"b", SCORE_I64, 0}}, text[] = {{"a", SCORE_STRING, 0}},
		other[] = {{"c", SCORE_I64, 0}};
	static const score_table_field xy[] = {{"x", SCORE_F64, 0}, {"y", SCORE_F64, 0}}, whole[] = {{"x", SCORE_I64, 0}}, z[] = {{"z", SCORE_F64, 0}};
	const struct {
		const score_table_field *key;
		size_t n_keys;
		const char *timestamp, *unit;
		const score_table_field *column;
		size_t n_columns;
	} cases[] = {
		{ab, 2, "at", "s", xy, 1}, {text, 1, "at", "s", xy, 1}, {other, 1, "at", "s", xy, 1}, {ab, 1, NULL, NULL, xy, 1},
		{ab, 1, "at", "ms", xy, 1}, {ab, 1, "at", "s", xy, 2}, {ab, 1, "at", "s", whole, 1}, {ab, 1, "at", "s", z, 1},
	};
	score_table_source *source;
	int32_t changed;
	(void)state;
	write_live(ab, 1, "at", "s", xy, 1);
	assert_int_equal(score_table_source_open(sample_path("live.sft"), NULL, &source, NULL), SCORE_OK);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		write_live(cases[i].key, cases[i].n_keys, cases[i].timestamp, cases[i].unit, cases[i].column, cases[i].n_columns);
		assert_int_equal(score_table_source_refresh(source, &changed, &error), SCORE_ERR_SHAPE);
		assert_int_equal(changed, 0);
		assert_non_null(strstr(error.message, "has other keys or columns than the one in use; open it as a new source"));
	}
	write_live(ab, 1, "at", "s", xy, 1);
	assert_int_equal(score_table_source_refresh(source, &changed, &error), SCORE_OK);
	assert_int_equal(changed, 1);
	score_table_source_free(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts),
		cmocka_unit_test(a_section_of_three_numbers),
		cmocka_unit_test(a_header_that_is_no_map),
		cmocka_unit_test(a_header_of_seventeen_megabytes),
		cmocka_unit_test(indices),
		cmocka_unit_test(a_changed_byte_is_found_when_asked_for),
		cmocka_unit_test(only_the_same_keys_and_columns_replace),
	};
	return cmocka_run_group_tests(tests, NULL, sample_cleanup);
}
