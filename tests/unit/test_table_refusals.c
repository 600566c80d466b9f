/*
 * What a feature table refuses: schemas, columns and queries that do not fit, keys that collide, more memory than is allowed, and
 * headers whose hashes are right and whose content is not. And what it takes beside the obvious: narrower columns, every unit, keys
 * that lie anywhere.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "deploy/table.h"
#include "expect_error.h"
#include "sample_tables.h"

static score_error error;

static const score_table_field id_key[] = {{"id", SCORE_I64, 0}}, x_column[] = {{"x", SCORE_F64, 0}};
static const int64_t ids[] = {1, 2, 3};
static const double xs[] = {0.5, 1.5, 2.5};

/* ---- schemas -------------------------------------------------------------------------------------------------------------- */

static void schema_refused(const score_table_schema *schema, const char *message)
{
	score_table_builder *b = (score_table_builder *)&error;
	expect_error(score_table_builder_new(sample_path("refused.sft"), schema, &b, &error), &error, SCORE_ERR_ARGUMENT, message);
	assert_null(b);
}

static void schemas(void **state)
{
	static const score_table_field unnamed[] = {{NULL, SCORE_I64, 0}}, empty[] = {{"", SCORE_F64, 0}}, odd[] = {{"K\xf6ln", SCORE_F64, 0}};
	static const score_table_field twice[] = {{"id", SCORE_I64, 0}, {"id", SCORE_STRING, 0}}, xx[] = {{"x", SCORE_F64, 0}, {"x", SCORE_F32, 0}};
	const char *const bad_name = "a column's name is NULL, empty or not UTF-8";
	score_table_schema s = SCORE_TABLE_SCHEMA_INIT;
	(void)state;
	s.n_keys = s.n_columns = 1;
	schema_refused(&s, "a table has 1 to 16 key columns, found 1"); /* and no list of them */
	s.keys = unnamed;
	schema_refused(&s, bad_name);
	s.keys = twice;
	s.n_keys = 2;
	schema_refused(&s, "the column name 'id' is given twice");
	s.n_keys = 17;
	schema_refused(&s, "a table has 1 to 16 key columns, found 17");
	s.keys = id_key;
	s.n_keys = 1;
	schema_refused(&s, "a table has 1 to 65536 feature columns beside its keys, found 1");
	s.columns = empty;
	schema_refused(&s, bad_name);
	s.columns = odd;
	schema_refused(&s, bad_name);
	s.n_columns = 0;
	schema_refused(&s, "a table has 1 to 65536 feature columns beside its keys, found 0");
	s.n_columns = 65537;
	schema_refused(&s, "a table has 1 to 65536 feature columns beside its keys, found 65537");
	s.columns = xx;
	s.n_columns = 2;
	schema_refused(&s, "the column name 'x' is given twice");
	s.columns = x_column;
	s.n_columns = 1;
	s.timestamp = "";
	schema_refused(&s, bad_name);
	s.timestamp = "id";
	schema_refused(&s, "the column name 'id' is given twice");
	s.timestamp = "at";
	s.timestamp_unit = "min";
	schema_refused(&s, "timestamp_unit is 'min': expected s, ms, us, ns or nothing");
}

/* ---- a table in bytes ------------------------------------------------------------------------------------------------------- */

static score_status build(const char *name, const char *timestamp, const char *unit, const score_column *data, size_t n_rows)
{
	score_table_schema s = SCORE_TABLE_SCHEMA_INIT;
	score_table_builder *b;
	s.keys = id_key;
	s.columns = x_column;
	s.n_keys = s.n_columns = 1;
	s.timestamp = timestamp;
	s.timestamp_unit = unit;
	assert_int_equal(score_table_builder_new(sample_path(name), &s, &b, &error), SCORE_OK);
	score_status status = score_table_builder_add(b, data, timestamp ? 3 : 2, n_rows, NULL, &error);
	if (status == SCORE_OK)
		status = score_table_builder_finish(b, &error);
	score_table_builder_free(b);
	return status;
}

static void every_unit_comes_back(void **state)
{
	static const char *const units[] = {NULL, "", "s", "ms", "us", "ns"};
	const score_column data[] = {sample_column(SCORE_I64, ids, NULL), sample_column(SCORE_I64, ids, NULL), sample_column(SCORE_F64, xs, NULL)};
	(void)state;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		score_table_info info = {.struct_size = sizeof info};
		score_table *t;
		assert_int_equal(build("units.sft", "at", units[i], data, 3), SCORE_OK);
		assert_int_equal(score_table_open(sample_path("units.sft"), NULL, &t, NULL), SCORE_OK);
		assert_int_equal(score_table_get_info(t, &info), SCORE_OK);
		assert_string_equal(info.timestamp_name, "at");
		assert_string_equal(info.timestamp_unit, units[i] ? units[i] : "");
		score_table_close(t);
	}
}

static void what_a_table_says_of_itself(void **state)
{
	static const score_table_field keys[] = {{"id", SCORE_I64, 0}, {"shop", SCORE_STRING, 0}};
	static const score_table_field columns[] = {{"town", SCORE_STRING, 0}, {"on", SCORE_BOOL, 0}};
	static const char *const shops[] = {"a", "b", "c"}, *const towns[] = {"Oslo", NULL, "Rome"};
	static const uint8_t on[] = {1, 0, 1}, missing[] = {0x01};
	const score_column data[] = {sample_column(SCORE_I64, ids, NULL), sample_texts(shops, 3), sample_texts(towns, 3),
		sample_column(SCORE_BOOL, on, missing)};
	const sample_table spec = {keys, 2, NULL, columns, 2, data, 3, NULL, 0};
	size_t length = 7;
	(void)state;
	score_table *t = sample_table_make("itself.sft", &spec);
	assert_string_equal(score_table_column_name(t, 1), "on");
	assert_null(score_table_column_name(t, 2));
	assert_int_equal(score_table_column_type(t, 0), SCORE_STRING);
	assert_int_equal(score_table_column_type(t, 1), SCORE_BOOL);
	assert_int_equal(score_table_column_type(t, 2), 0);
	assert_int_equal(score_table_column_nulls(t, 0), 1);
	assert_int_equal(score_table_column_nulls(t, 1), 2);
	assert_int_equal(score_table_column_nulls(t, 2), 0);
	assert_string_equal(score_table_key_name(t, 1), "shop");
	assert_null(score_table_key_name(t, 2));
	assert_int_equal(score_table_key_type(t, 0), SCORE_I64);
	assert_int_equal(score_table_key_type(t, 1), SCORE_STRING);
	assert_int_equal(score_table_key_type(t, 2), 0);
	assert_int_equal(score_table_text_count(t, 0), 2);
	assert_int_equal(score_table_text_count(t, 1), 0);
	assert_int_equal(score_table_text_count(t, 2), 0);
	assert_null(score_table_text(t, 0, 2, &length));
	assert_int_equal(length, 0);
	score_table_close(t);
}

/* ---- columns ------------------------------------------------------------------------------------------------------------------ */

static void narrower_columns_are_taken(void **state)
{
	static const score_table_field columns[] = {{"d", SCORE_F64, 0}, {"l", SCORE_I64, 0}, {"i", SCORE_I32, 0}, {"b", SCORE_BOOL, 0}};
	static const float f[] = {0.5f, -1.5f, 2};
	static const uint8_t u8[] = {1, 200, 255}, bits[] = {0x05};
	static const int16_t i16[] = {-32768, 0, 32767};
	const score_column data[] = {sample_column(SCORE_U8, u8, NULL), sample_column(SCORE_F32, f, NULL), sample_column(SCORE_U8, u8, NULL),
		sample_column(SCORE_I16, i16, NULL), sample_column(SCORE_BOOL_BITS, bits, NULL)};
	score_column keyed[5];
	memcpy(keyed, data, sizeof keyed);
	keyed[0] = sample_column(SCORE_I64, ids, NULL);
	const sample_table spec = {id_key, 1, NULL, columns, 4, keyed, 3, NULL, 0};
	double d[3];
	int64_t l[3];
	int32_t i[3];
	uint8_t b[3];
	const score_table_output outputs[] = {{0, 0, d, NULL}, {1, 0, l, NULL}, {2, 0, i, NULL}, {3, 0, b, NULL}};
	const score_table_query q = {sizeof q, keyed, 1, NULL, 0};
	(void)state;
	score_table *t = sample_table_make("narrower.sft", &spec);
	assert_int_equal(score_table_lookup(t, &q, 3, outputs, 4, NULL, NULL), SCORE_OK);
	for (int r = 0; r < 3; r++)
		assert_true(d[r] == (double)f[r] && l[r] == u8[r] && i[r] == i16[r] && b[r] == (bits[0] >> r & 1));
	score_table_close(t);
}

static void columns_that_do_not_fit(void **state)
{
	static const score_table_field all[] = {{"f", SCORE_F32, 0}, {"l", SCORE_I64, 0}, {"i", SCORE_I32, 0}, {"b", SCORE_BOOL, 0},
		{"s", SCORE_STRING, 0}, {"d", SCORE_F64, 0}};
	static const uint16_t half[] = {0};
	static const uint64_t huge[] = {UINT64_MAX};
	static const int64_t low[] = {INT64_MIN};
	const score_column i64 = sample_column(SCORE_I64, ids, NULL), f64 = sample_column(SCORE_F64, xs, NULL),
		none = sample_column(SCORE_I64, NULL, NULL);
	const score_column f16 = sample_column(SCORE_F16, half, NULL), u64 = sample_column(SCORE_U64, huge, NULL),
		i64_low = sample_column(SCORE_I64, low, NULL);
	const struct {
		int column;
		score_column key, value;
		const char *message;
	} cases[] = {
		{0, i64, f64, "column 'f' is f32; found f64"},
		{1, i64, f64, "column 'l' is i64; found f64"},
		{2, i64, f16, "column 'i' is i32; found another type"},
		{3, i64, f64, "column 'b' is bool; found f64"},
		{4, i64, i64, "column 's' is string; found i64"},
		{5, i64, i64, "column 'd' is f64; found i64"},
		{5, f64, f64, "column 'id' is i64; found f64"},
		{1, i64, none, "column 'l' is i64; found no values (NULL)"},
		{1, i64, u64, "column 'l' has a number outside the range of its type"},
		{2, i64, i64_low, "column 'i' has a number outside the range of its type"},
		{1, u64, i64, "column 'id' has a number above the range of int64"},
	};
	(void)state;
	for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
		const score_column data[] = {cases[k].key, cases[k].value};
		const sample_table spec = {id_key, 1, NULL, all + cases[k].column, 1, data, 1, NULL, 0};
		expect_error(sample_table_build(sample_path("refused.sft"), &spec, &error), &error, SCORE_ERR_SHAPE, cases[k].message);
	}
	const score_column timed[] = {i64, f64, f64};
	const sample_table spec = {id_key, 1, "at", x_column, 1, timed, 1, NULL, 0};
	expect_error(sample_table_build(sample_path("refused.sft"), &spec, &error), &error, SCORE_ERR_SHAPE, "column 'at' is i64; found f64");
	const score_column late[] = {i64, u64, f64};
	const sample_table of_late = {id_key, 1, "at", x_column, 1, late, 1, NULL, 0};
	expect_error(sample_table_build(sample_path("refused.sft"), &of_late, &error), &error, SCORE_ERR_SHAPE,
		"column 'at' has a number above the range of int64");
	const score_strings no_offsets = SCORE_STRINGS_INIT;
	score_column unreadable[] = {i64, sample_column(SCORE_STRING, &no_offsets, NULL)};
	const sample_table of_texts = {id_key, 1, NULL, all + 4, 1, unreadable, 1, NULL, 0};
	expect_error(sample_table_build(sample_path("refused.sft"), &of_texts, &error), &error, SCORE_ERR_ARGUMENT,
		"column 's': the strings have no offsets (NULL)");
	unreadable[0].offset = -1;
	expect_error(sample_table_build(sample_path("refused.sft"), &of_texts, &error), &error, SCORE_ERR_ARGUMENT,
		"column 'id': has no values or a negative offset");
}

/* Lengths alone are looked at: these texts have no bytes. */
static void texts_beyond_two_gigabytes(void **state)
{
	static const score_table_field text_key[] = {{"k", SCORE_STRING, 0}}, text[] = {{"t", SCORE_STRING, 0}};
	static const int64_t offsets[] = {0, (int64_t)1 << 31};
	score_strings strings = SCORE_STRINGS_INIT;
	(void)state;
	strings.offsets = offsets;
	strings.offset_type = SCORE_I64;
	strings.data = "";
	const score_column endless = sample_column(SCORE_STRING, &strings, NULL), i64 = sample_column(SCORE_I64, ids, NULL);
	const score_column as_key[] = {endless, sample_column(SCORE_F64, xs, NULL)}, as_value[] = {i64, endless};
	const sample_table keyed = {text_key, 1, NULL, x_column, 1, as_key, 1, NULL, 0}, valued = {id_key, 1, NULL, text, 1, as_value, 1, NULL, 0};
	expect_error(sample_table_build(sample_path("refused.sft"), &keyed, &error), &error, SCORE_ERR_SHAPE,
		"column 'k' is a key of more than 2 GiB");
	expect_error(sample_table_build(sample_path("refused.sft"), &valued, &error), &error, SCORE_ERR_LIMIT,
		"more than 2 GiB of distinct texts; texts are meant as categories");
}

/* ---- keys made to collide -------------------------------------------------------------------------------------------------------- */

/* What the hash of an int64 adds of its seed before it mixes; XXH3's first constant is the same for all. */
static uint64_t keyed_by(uint64_t seed)
{
	return seed ^ (uint64_t)__builtin_bswap32((uint32_t)seed) << 32;
}

static uint64_t halves_swapped(uint64_t x)
{
	return x << 32 | x >> 32;
}

/* The second part that gives the key whose first part has the hash `seed` the hash of (first, second). */
static int64_t colliding(uint64_t first, int64_t second, uint64_t seed)
{
	const uint64_t constant = 0x1cad21f72c81017cu ^ 0xdb979083e96dd4deu;
	const uint64_t mixed = halves_swapped((uint64_t)second) ^ (constant - keyed_by(first));
	return (int64_t)halves_swapped(mixed ^ (constant - keyed_by(seed)));
}

enum { COLLIDING = 300 };

static void keys_of_one_hash_are_told_apart(void **state)
{
	static const score_table_field keys[] = {{"a", SCORE_I64, 0}, {"b", SCORE_I64, 0}};
	static int64_t a[COLLIDING], b[COLLIDING];
	static double x[COLLIDING], out[COLLIDING];
	static uint8_t found[COLLIDING];
	const uint64_t first = deploy_hash_i64(0, 0), hash = deploy_hash_i64(7, first);
	(void)state;
	for (int r = 0; r < COLLIDING; r++) {
		a[r] = r * 37 % COLLIDING;
		b[r] = colliding(first, 7, deploy_hash_i64(a[r], 0));
		x[r] = r;
		assert_true(deploy_hash_i64(b[r], deploy_hash_i64(a[r], 0)) == hash);
	}
	const score_column data[] = {sample_column(SCORE_I64, a, NULL), sample_column(SCORE_I64, b, NULL), sample_column(SCORE_F64, x, NULL)};
	const sample_table few = {keys, 2, NULL, x_column, 1, data, 200, NULL, 0}, many = {keys, 2, NULL, x_column, 1, data, COLLIDING, NULL, 0};
	score_table *t = sample_table_make("colliding.sft", &few);
	const score_table_query q = {sizeof q, data, 2, NULL, 0};
	const score_table_output output = {0, 0, out, NULL};
	assert_int_equal(score_table_lookup(t, &q, COLLIDING, &output, 1, found, NULL), SCORE_OK);
	for (int r = 0; r < COLLIDING; r++)
		assert_true(found[r] == (r < 200) && out[r] == (r < 200 ? x[r] : 0));
	score_table_close(t);
	expect_error(sample_table_build(sample_path("refused.sft"), &many, &error), &error, SCORE_ERR_LIMIT,
		"300 keys fall into one bucket of the hash table: keys made to collide?");
}

static void texts_of_one_hash_are_told_apart(void **state)
{
	static const score_table_field keys[] = {{"a", SCORE_STRING, 0}, {"b", SCORE_I64, 0}};
	static const char *const texts[] = {"Oslo", "Rome", "a", "a text that is far away", "a text that is far aloft", "Oslo"};
	enum { N = 6 };
	int64_t b[N];
	double x[N], out[N];
	uint8_t found[N];
	const uint64_t first = deploy_hash_text(texts[0], strlen(texts[0]), 0), hash = deploy_hash_i64(7, first);
	(void)state;
	for (int r = 0; r < N; r++) {
		const uint64_t seed = deploy_hash_text(texts[r], strlen(texts[r]), 0);
		b[r] = colliding(first, 7, seed);
		x[r] = r + 1;
		assert_true(deploy_hash_i64(b[r], seed) == hash);
	}
	const score_column data[] = {sample_texts(texts, N), sample_column(SCORE_I64, b, NULL), sample_column(SCORE_F64, x, NULL)};
	const sample_table spec = {keys, 2, NULL, x_column, 1, data, N - 1, NULL, 0}, doubled = {keys, 2, NULL, x_column, 1, data, N, NULL, 0};
	score_table *t = sample_table_make("texts.sft", &spec);
	const score_table_query q = {sizeof q, data, 2, NULL, 0};
	const score_table_output output = {0, 0, out, NULL};
	assert_int_equal(score_table_lookup(t, &q, N - 1, &output, 1, found, NULL), SCORE_OK);
	for (int r = 0; r < N - 1; r++)
		assert_true(found[r] && out[r] == x[r]);
	score_table_close(t);
	expect_error(sample_table_build(sample_path("refused.sft"), &doubled, &error), &error, SCORE_ERR_SHAPE,
		"the key of line 1 is there again; a table with several rows of a key needs a timestamp");
	assert_int_equal(error.line, 6);
}

/* ---- limits ------------------------------------------------------------------------------------------------------------------------ */

static void one_key_of_many_rows_needs_memory(void **state)
{
	enum { ROWS = 130000 };
	static int64_t id[ROWS], at[ROWS];
	static double x[ROWS];
	(void)state;
	for (int r = 0; r < ROWS; r++)
		at[r] = r;
	const score_column data[] = {sample_column(SCORE_I64, id, NULL), sample_column(SCORE_I64, at, NULL), sample_column(SCORE_F64, x, NULL)};
	sample_table spec = {id_key, 1, "at", x_column, 1, data, ROWS, NULL, (uint64_t)8 << 20};
	assert_int_equal(sample_table_build(sample_path("refused.sft"), &spec, &error), SCORE_ERR_LIMIT);
	assert_non_null(strstr(error.message, "one of 256 parts of the table takes 9360000 bytes of memory to sort, memory_bytes is 8388608"));
	spec.memory_bytes = 9360000;
	assert_int_equal(sample_table_build(sample_path("refused.sft"), &spec, &error), SCORE_OK);
}

static void names_fit_in_a_header(void **state)
{
	enum { COLUMNS = 100, NAME = 200000 };
	static char names[COLUMNS][NAME + 1];
	score_table_field fields[COLUMNS];
	score_column data[COLUMNS + 1] = {sample_column(SCORE_I64, ids, NULL)};
	(void)state;
	for (int i = 0; i < COLUMNS; i++) {
		memset(names[i], 'n', NAME);
		names[i][0] = (char)('a' + i % 26);
		names[i][1] = (char)('a' + i / 26);
		fields[i] = (score_table_field){names[i], SCORE_F64, 0};
		data[i + 1] = sample_column(SCORE_F64, xs, NULL);
	}
	const sample_table spec = {id_key, 1, NULL, fields, COLUMNS, data, 1, NULL, 0};
	expect_error(sample_table_build(sample_path("refused.sft"), &spec, &error), &error, SCORE_ERR_LIMIT,
		"the names of the columns take more than 16777216 bytes");
}

static void files_beyond_a_limit(void **state)
{
	const score_column data[] = {sample_column(SCORE_I64, ids, NULL), sample_column(SCORE_F64, xs, NULL)};
	score_table_options o = SCORE_TABLE_OPTIONS_INIT;
	score_table *t = (score_table *)&error;
	(void)state;
	assert_int_equal(build("limited.sft", NULL, NULL, data, 3), SCORE_OK);
	o.max_bytes = 100;
	assert_int_equal(score_table_open(sample_path("limited.sft"), &o, &t, &error), SCORE_ERR_LIMIT);
	assert_null(t);
	assert_non_null(strstr(error.message, "the limit (max_bytes) is 100"));
}

/* ---- queries ------------------------------------------------------------------------------------------------------------------------ */

static void queries(void **state)
{
	static const char *const texts[] = {"1", "2", "3"};
	static const uint8_t second_missing[] = {0x05};
	const score_column i64 = sample_column(SCORE_I64, ids, NULL), f64 = sample_column(SCORE_F64, xs, NULL), text = sample_texts(texts, 3);
	const score_column timed[] = {i64, i64, f64}, pair[] = {i64, text, f64}, gaps = sample_column(SCORE_I64, ids, second_missing);
	static const score_table_field both[] = {{"id", SCORE_I64, 0}, {"name", SCORE_STRING, 0}};
	const sample_table of_two = {both, 2, NULL, x_column, 1, pair, 3, NULL, 0};
	uint8_t found[3];
	score_table *t;
	(void)state;
	assert_int_equal(build("timed.sft", "at", NULL, timed, 3), SCORE_OK);
	assert_int_equal(score_table_open(sample_path("timed.sft"), NULL, &t, NULL), SCORE_OK);
	score_table_query q = {sizeof q, &i64, 1, &f64, 0};
	char message[128];
	snprintf(message, sizeof message, "expected the query's timestamp as SCORE_I64, _I32 or _U32, found type %d", (int)SCORE_F64);
	expect_error(score_table_lookup(t, &q, 3, NULL, 0, found, &error), &error, SCORE_ERR_SHAPE, message);
	q.timestamp = NULL;
	q.lookback = -1;
	expect_error(score_table_lookup(t, &q, 3, NULL, 0, found, &error), &error, SCORE_ERR_ARGUMENT,
		"lookback is -1: it takes a timestamp, and is 0 or more");
	q.lookback = 1;
	expect_error(score_table_lookup(t, &q, 3, NULL, 0, found, &error), &error, SCORE_ERR_ARGUMENT,
		"lookback is 1: it takes a timestamp, and is 0 or more");
	const int32_t early[] = {0, 2, 3};
	const score_column narrow = sample_column(SCORE_I32, early, NULL), unsigned_ = sample_column(SCORE_U32, early, NULL);
	for (int k = 0; k < 2; k++) {
		q.timestamp = k ? &unsigned_ : &narrow;
		assert_int_equal(score_table_lookup(t, &q, 3, NULL, 0, found, &error), SCORE_OK);
		assert_true(!found[0] && found[1] && found[2]);
	}
	const score_column nothing = sample_column(SCORE_I64, NULL, NULL);
	q.timestamp = &nothing;
	expect_error(score_table_lookup(t, &q, 3, NULL, 0, found, &error), &error, SCORE_ERR_ARGUMENT,
		"score_table_query.timestamp: has no values or a negative offset");
	q.timestamp = &gaps; /* nobody knows what was true at no time */
	assert_int_equal(score_table_lookup(t, &q, 3, NULL, 0, found, &error), SCORE_OK);
	assert_true(found[0] && !found[1] && found[2]);
	score_table_close(t);
	assert_int_equal(build("untimed.sft", NULL, NULL, (const score_column[]){i64, f64}, 3), SCORE_OK);
	assert_int_equal(score_table_open(sample_path("untimed.sft"), NULL, &t, NULL), SCORE_OK);
	q = (score_table_query){sizeof q, &i64, 1, &i64, 0};
	expect_error(score_table_lookup(t, &q, 3, NULL, 0, found, &error), &error, SCORE_ERR_SHAPE,
		"the query has a timestamp, but the table has none: build it with one");
	q = (score_table_query){sizeof q, &text, 1, NULL, 0};
	expect_error(score_table_lookup(t, &q, 3, NULL, 0, found, &error), &error, SCORE_ERR_SHAPE,
		"key column 'id' of the table holds integers; found another type in the query");
	score_table_close(t);
	t = sample_table_make("two.sft", &of_two);
	const uint64_t high[] = {UINT64_MAX, 2, 3};
	const score_column beyond[] = {sample_column(SCORE_U64, high, NULL), text},
		untold[] = {i64, sample_texts((const char *const[]){NULL, "2", "3"}, 3)};
	for (int k = 0; k < 2; k++) {
		q = (score_table_query){sizeof q, k ? untold : beyond, 2, NULL, 0};
		assert_int_equal(score_table_lookup(t, &q, 3, NULL, 0, found, &error), SCORE_OK);
		assert_true(!found[0] && found[1] && found[2]);
	}
	q = (score_table_query){sizeof q, pair, 1, NULL, 0};
	expect_error(score_table_lookup(t, &q, 3, NULL, 0, found, &error), &error, SCORE_ERR_SHAPE, "the table has 2 key columns, the query 1");
	const score_strings none = SCORE_STRINGS_INIT, odd = {sizeof odd, "", "", NULL, NULL, 0, SCORE_I16, 0};
	score_column keys[2];
	const struct {
		int key;
		score_column value;
		const char *message;
	} unreadable[] = {
		{0, sample_column(SCORE_I64, NULL, NULL), "score_table_query.keys[0]: has no values or a negative offset"},
		{0, {.values = ids, .offset = -1, .dtype = SCORE_I64}, "score_table_query.keys[0]: has no values or a negative offset"},
		{1, sample_column(SCORE_STRING, NULL, NULL), "score_table_query.keys[1]: has no values or a negative offset"},
		{1, sample_column(SCORE_STRING, &none, NULL), "score_table_query.keys[1]: the strings have no offsets (NULL)"},
		{1, sample_column(SCORE_STRING, &odd, NULL), message},
	};
	snprintf(message, sizeof message, "score_table_query.keys[1]: the offsets of strings have dtype %d, not SCORE_I32 or SCORE_I64",
		(int)SCORE_I16);
	q = (score_table_query){sizeof q, keys, 2, NULL, 0};
	for (size_t k = 0; k < sizeof unreadable / sizeof unreadable[0]; k++) {
		memcpy(keys, pair, sizeof keys);
		keys[unreadable[k].key] = unreadable[k].value;
		expect_error(score_table_lookup(t, &q, 3, NULL, 0, found, &error), &error, SCORE_ERR_ARGUMENT, unreadable[k].message);
	}
	assert_int_equal(score_table_lookup(t, &q, 0, NULL, 0, found, &error), SCORE_OK); /* no rows, nothing to read */
	const score_column numbers[] = {i64, i64};
	q = (score_table_query){sizeof q, numbers, 2, NULL, 0};
	expect_error(score_table_lookup(t, &q, 3, NULL, 0, found, &error), &error, SCORE_ERR_SHAPE,
		"key column 'name' of the table holds texts; found another type in the query");
	score_table_close(t);
}

static void keys_lie_anywhere(void **state)
{
	const score_column data[] = {sample_column(SCORE_I64, ids, NULL), sample_column(SCORE_F64, xs, NULL)};
	_Alignas(8) char odd[3 * 16 + 1];
	double out[3];
	const score_table_output output = {0, 0, out, NULL};
	score_table *t;
	(void)state;
	assert_int_equal(build("anywhere.sft", NULL, NULL, data, 3), SCORE_OK);
	assert_int_equal(score_table_open(sample_path("anywhere.sft"), NULL, &t, NULL), SCORE_OK);
	for (int64_t stride = 8; stride <= 16; stride += 8) {
		for (int r = 0; r < 3; r++)
			memcpy(odd + 1 + r * stride, ids + 2 - r, 8);
		const score_column key = {.values = odd + 1, .stride_bytes = stride, .dtype = SCORE_I64};
		const score_table_query q = {sizeof q, &key, 1, NULL, 0};
		assert_int_equal(score_table_lookup(t, &q, 3, &output, 1, NULL, NULL), SCORE_OK);
		for (int r = 0; r < 3; r++)
			assert_true(out[r] == xs[2 - r]);
	}
	score_table_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schemas),
		cmocka_unit_test(every_unit_comes_back),
		cmocka_unit_test(what_a_table_says_of_itself),
		cmocka_unit_test(narrower_columns_are_taken),
		cmocka_unit_test(columns_that_do_not_fit),
		cmocka_unit_test(texts_beyond_two_gigabytes),
		cmocka_unit_test(keys_of_one_hash_are_told_apart),
		cmocka_unit_test(texts_of_one_hash_are_told_apart),
		cmocka_unit_test(one_key_of_many_rows_needs_memory),
		cmocka_unit_test(names_fit_in_a_header),
		cmocka_unit_test(files_beyond_a_limit),
		cmocka_unit_test(queries),
		cmocka_unit_test(keys_lie_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, sample_cleanup);
}
