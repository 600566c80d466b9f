/*
 * Feature tables: what is built is found again, by every kind of key, in every batch size, as of every time; damaged files
 * give errors or bounded answers; files are replaced under readers.
 */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "deploy/table.h"
#include "sample_tables.h"

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* ---- all types, integer keys ---------------------------------------------------------------------------------- */

#define N 200000 /* enough for buckets with more keys than fingerprints, and for a spill on the disk */

static const score_table_field one_key[] = {{"id", SCORE_I64, 0}};
static const score_table_field all_types[] = {{"flag", SCORE_BOOL, 0}, {"d", SCORE_F64, 0}, {"f", SCORE_F32, 0},
	{"l", SCORE_I64, 0}, {"i", SCORE_I32, 0}, {"city", SCORE_STRING, 0}};
static const char *const cities[] = {"Oslo", "", "Bergen on the western coast", "K\xc3\xb6ln", "Rome"};

typedef struct wide {
	int64_t id[N];
	uint8_t flag[N];
	double d[N];
	float f[N];
	int64_t l[N];
	int32_t i[N];
	int32_t city[N];
	uint8_t validity[6][N / 8 + 1];
	score_strings strings;
	int64_t offsets[6];
	char text[64];
} wide;

static wide *make_wide(void)
{
	wide *w = calloc(1, sizeof *w);
	for (size_t k = 0; k < 5; k++) {
		strcpy(w->text + w->offsets[k], cities[k]);
		w->offsets[k + 1] = w->offsets[k] + (int64_t)strlen(cities[k]);
	}
	for (size_t r = 0; r < N; r++) {
		w->id[r] = r == 0 ? INT64_MIN : r == 1 ? INT64_MAX : r == 2 ? 0 : (int64_t)(r * 3) - N;
		w->flag[r] = mix(r) & 1;
		w->d[r] = r % 11 == 3 ? (double)NAN : (double)r * 0.1;
		w->f[r] = (float)r / 3;
		w->l[r] = (int64_t)mix(r);
		w->i[r] = (int32_t)mix(r + 1);
		w->city[r] = (int32_t)(mix(r) % 5);
		for (int c = 0; c < 6; c++)
			w->validity[c][r / 8] |= (uint8_t)((mix(r * 6 + (uint64_t)c) % 7 != 0) << (r % 8));
	}
	w->strings = (score_strings){sizeof w->strings, w->offsets, w->text, w->city, NULL, 5, SCORE_I64, SCORE_I32};
	return w;
}

static void describe_wide(const wide *w, score_column columns[7])
{
	const void *values[] = {w->id, w->flag, w->d, w->f, w->l, w->i, &w->strings};
	columns[0] = sample_column(SCORE_I64, values[0], NULL);
	for (int c = 0; c < 6; c++)
		columns[c + 1] = sample_column(all_types[c].type, values[c + 1], w->validity[c]);
}

static bool is_valid(const wide *w, int c, size_t r)
{
	return (w->validity[c][r / 8] >> (r % 8) & 1) && !(c == 1 && isnan(w->d[r]));
}

typedef struct answer {
	uint8_t flag[1024];
	double d[1024];
	float f[1024];
	int64_t l[1024];
	int32_t i[1024];
	int32_t city[1024];
	uint8_t validity[6][128];
	uint8_t found[1024];
} answer;

static score_status ask(const score_table *t, const int64_t *keys, size_t n, answer *a, score_error *error)
{
	const score_column key = sample_column(SCORE_I64, keys, NULL);
	const score_table_query q = {sizeof q, &key, 1, NULL, 0};
	void *values[] = {a->flag, a->d, a->f, a->l, a->i, a->city};
	score_table_output outputs[6];
	memset(a, 0xa5, sizeof *a);
	for (uint32_t c = 0; c < 6; c++)
		outputs[c] = (score_table_output){c, 0, values[c], a->validity[c]};
	return score_table_lookup(t, &q, n, outputs, 6, a->found, error);
}

static void check_row(const score_table *t, const wide *w, size_t r, const answer *a, size_t at)
{
	bool valid[6];
	for (int c = 0; c < 6; c++) {
		valid[c] = is_valid(w, c, r);
		assert_int_equal(a->validity[c][at / 8] >> (at % 8) & 1, valid[c]);
	}
	assert_int_equal(a->found[at], 1);
	assert_int_equal(a->flag[at], valid[0] ? w->flag[r] : 0);
	assert_true(a->d[at] == (valid[1] ? w->d[r] : 0));
	assert_true(a->f[at] == (valid[2] ? w->f[r] : 0));
	assert_true(a->l[at] == (valid[3] ? w->l[r] : 0));
	assert_int_equal(a->i[at], valid[4] ? w->i[r] : 0);
	if (!valid[5]) {
		assert_int_equal(a->city[at], -1);
		return;
	}
	size_t length;
	const char *text = score_table_text(t, 5, (uint32_t)a->city[at], &length);
	assert_int_equal(length, strlen(cities[w->city[r]]));
	assert_memory_equal(text, cities[w->city[r]], length);
}

static void every_type_comes_back(void **state)
{
	wide *w = make_wide();
	score_column columns[7];
	(void)state;
	describe_wide(w, columns);
	const sample_table spec = {one_key, 1, NULL, all_types, 6, columns, N, NULL, 0};
	score_table_close(sample_table_make("wide.sft", &spec));
	const score_table_options copied = {sizeof copied, NULL, 0, SCORE_TABLE_COPY | SCORE_TABLE_PRELOAD, 0};
	score_table *t;
	assert_int_equal(score_table_open(sample_path("wide.sft"), &copied, &t, NULL), SCORE_OK);
	answer *a = malloc(sizeof *a);
	static const size_t sizes[] = {1, 7, 128, 129, 1000};
	int64_t keys[1024];
	size_t overflowing = 0;
	for (uint64_t b = 0; b < t->layout.n_buckets; b++)
		overflowing += (sl_load_u64(t->buckets + b * 64) >> 48) > SFT_FINGERPRINTS;
	assert_true(overflowing > 0);
	for (size_t first = 0, s = 0; first < N; s++) {
		size_t n = sizes[s % 5] < N - first ? sizes[s % 5] : N - first;
		for (size_t k = 0; k < n; k++)
			keys[k] = w->id[first + k];
		assert_int_equal(ask(t, keys, n, a, NULL), SCORE_OK);
		for (size_t k = 0; k < n; k++)
			check_row(t, w, first + k, a, k);
		first += n;
	}
	for (size_t k = 0; k < 1000; k++)
		keys[k] = (int64_t)(k * 3) - N + 1; /* between the keys */
	assert_int_equal(ask(t, keys, 1000, a, NULL), SCORE_OK);
	for (size_t k = 0; k < 1000; k++)
		assert_true(!a->found[k] && a->city[k] == -1 && a->d[k] == 0 && !(a->validity[1][k / 8] >> (k % 8) & 1));
	score_table_info info = {.struct_size = sizeof info};
	assert_int_equal(score_table_get_info(t, &info), SCORE_OK);
	assert_true(info.n_rows == N && info.n_keys == N && info.n_columns == 6 && !info.has_timestamp);
	assert_int_equal(score_table_find_column(t, "city"), 5);
	assert_int_equal(score_table_find_column(t, "town"), -1);
	score_table_close(t);
	free(a);
	free(w);
}

static void the_same_rows_give_the_same_bytes(void **state)
{
	enum { M = 1000 };
	int64_t id[2][M];
	double x[2][M];
	uint8_t *bytes[2];
	size_t size[2];
	static const score_table_field column[] = {{"x", SCORE_F64, 0}};
	(void)state;
	for (int k = 0; k < 2; k++) {
		const char *path = sample_path(k ? "a.sft" : "b.sft");
		for (size_t r = 0; r < M; r++) {
			id[k][r] = (int64_t)(k ? M - 1 - r : r);
			x[k][r] = (double)id[k][r] * 0.5;
		}
		const score_column data[] = {sample_column(SCORE_I64, id[k], NULL), sample_column(SCORE_F64, x[k], NULL)};
		const sample_table spec = {one_key, 1, NULL, column, 1, data, M, NULL, 0};
		assert_int_equal(sample_table_build(path, &spec, NULL), SCORE_OK);
		bytes[k] = sample_read(path, size + k);
	}
	assert_int_equal(size[0], size[1]);
	assert_memory_equal(bytes[0], bytes[1], size[0]);
	free(bytes[0]);
	free(bytes[1]);
}

/* ---- other keys ------------------------------------------------------------------------------------------------- */

static void composite_keys_are_compared_whole(void **state)
{
	static const score_table_field keys[] = {{"country", SCORE_STRING, 0}, {"id", SCORE_I64, 0}, {"shop", SCORE_STRING, 0}};
	static const score_table_field column[] = {{"x", SCORE_I32, 0}};
	static const char *const country[] = {"no", "no", "se", "", "no", "a country of a long name", "a country of a long nami"};
	static const int64_t id[] = {1, 2, 1, 1, 1, 1, 1};
	static const char *const shop[] = {"x", "x", "x", "nox", "exactly12byt", "another long name", "another long name"};
	static const int32_t x[] = {10, 20, 30, 40, 50, 60, 70};
	(void)state;
	const score_column data[] = {sample_texts(country, 7), sample_column(SCORE_I64, id, NULL), sample_texts(shop, 7),
		sample_column(SCORE_I32, x, NULL)};
	const sample_table spec = {keys, 3, NULL, column, 1, data, 7, NULL, 0};
	score_table *t = sample_table_make("composite.sft", &spec);
	int32_t out[8];
	uint8_t found[8];
	const score_table_output output = {0, 0, out, NULL};
	const score_table_query q = {sizeof q, data, 3, NULL, 0};
	assert_int_equal(score_table_lookup(t, &q, 7, &output, 1, found, NULL), SCORE_OK);
	for (int r = 0; r < 7; r++)
		assert_true(found[r] && out[r] == x[r]);
	static const char *const absent_country[] = {"n", "no", NULL, "a country of a long name"};
	static const char *const absent_shop[] = {"ox", "exactly12by", "x", "another long namo"};
	const score_column absent[] = {sample_texts(absent_country, 4), sample_column(SCORE_I64, id + 3, NULL),
		sample_texts(absent_shop, 4)};
	const score_table_query none = {sizeof none, absent, 3, NULL, 0};
	assert_int_equal(score_table_lookup(t, &none, 4, &output, 1, found, NULL), SCORE_OK);
	for (int r = 0; r < 4; r++)
		assert_int_equal(found[r], 0);
	score_table_close(t);
}

/* The first alone looks like a key that is one int64. */
static void both_of_two_integers_count(void **state)
{
	static const score_table_field keys[] = {{"customer", SCORE_I64, 0}, {"shop", SCORE_I64, 0}}, column[] = {{"x", SCORE_I32, 0}};
	static const int64_t customer[] = {1, 1, 2, 2}, shop[] = {1, 2, 1, 3};
	static const int32_t x[] = {11, 12, 21, 23};
	(void)state;
	const score_column data[] = {sample_column(SCORE_I64, customer, NULL), sample_column(SCORE_I64, shop, NULL), sample_column(SCORE_I32, x, NULL)};
	const sample_table spec = {keys, 2, NULL, column, 1, data, 3, NULL, 0};
	score_table *t = sample_table_make("integers.sft", &spec);
	int32_t out[4];
	uint8_t found[4];
	const score_table_output output = {0, 0, out, NULL};
	const score_table_query q = {sizeof q, data, 2, NULL, 0};
	assert_int_equal(score_table_lookup(t, &q, 4, &output, 1, found, NULL), SCORE_OK);
	for (int r = 0; r < 4; r++)
		assert_true(found[r] == (r < 3) && (r == 3 || out[r] == x[r]));
	score_table_close(t);
}

/* In every type, from every place, and not at all. */
static void integers_are_keys(void **state)
{
	static const score_table_field column[] = {{"x", SCORE_I32, 0}};
	static const int64_t id[] = {-1, 200, INT64_MAX};
	static const int32_t x[] = {1, 2, 3};
	(void)state;
	const score_column data[] = {sample_column(SCORE_I64, id, NULL), sample_column(SCORE_I32, x, NULL)};
	const sample_table spec = {one_key, 1, NULL, column, 1, data, 3, NULL, 0};
	score_table *t = sample_table_make("narrow.sft", &spec);
	static const int8_t i8[] = {-1, 100};
	static const uint8_t u8[] = {200, 255};
	static const uint64_t u64[] = {UINT64_MAX, 200};
	static const int64_t i64[] = {200, 7, -1, 7}, reversed[] = {INT64_MAX, 7};
	static const uint8_t second[] = {2};
	static const struct {
		int64_t before, key;
	} within[] = {{0, 200}, {0, 201}};
	score_column keys[] = {sample_column(SCORE_I8, i8, NULL), sample_column(SCORE_U8, u8, NULL), sample_column(SCORE_U64, u64, NULL),
		sample_column(SCORE_I64, i64, NULL), sample_column(SCORE_I64, i64 + 1, NULL), sample_column(SCORE_I64, i64, NULL),
		sample_column(SCORE_I64, reversed + 1, NULL), sample_column(SCORE_I64, i64, second), sample_column(SCORE_I64, &within[0].key, NULL)};
	static const uint8_t expected[][2] = {{1, 0}, {1, 0}, {0, 1}, {1, 0}, {0, 1}, {1, 1}, {0, 1}, {0, 0}, {1, 0}};
	keys[4].stride_bytes = 8;
	keys[5].stride_bytes = 16;
	keys[6].stride_bytes = -8;
	keys[8].stride_bytes = sizeof within[0];
	for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
		uint8_t found[2];
		const score_table_query q = {sizeof q, keys + k, 1, NULL, 0};
		assert_int_equal(score_table_lookup(t, &q, 2, NULL, 0, found, NULL), SCORE_OK);
		assert_memory_equal(found, expected[k], 2);
	}
	score_table_close(t);
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

#define T_ROWS 4000

typedef struct history {
	int64_t id[T_ROWS], time[T_ROWS];
	int32_t x[T_ROWS];
} history;

static history *make_history(void)
{
	history *h = calloc(1, sizeof *h);
	for (size_t r = 0; r < T_ROWS; r++) {
		h->id[r] = (int64_t)(mix(r) % 37);
		h->time[r] = (int64_t)(mix(r + 7) % 100000) * 4000 + (int64_t)r - 200000000; /* no two alike */
		h->x[r] = (int32_t)r;
	}
	return h;
}

static int32_t as_of(const history *h, int64_t id, int64_t now, int64_t lookback)
{
	int32_t best = -1;
	for (int32_t r = 0; r < T_ROWS; r++)
		if (h->id[r] == id && h->time[r] <= now && (!lookback || h->time[r] >= now - lookback) &&
			(best < 0 || h->time[r] > h->time[best]))
			best = r;
	return best;
}

static void the_latest_row_before_the_event_is_taken(void **state)
{
	static const score_table_field column[] = {{"x", SCORE_I32, 0}};
	history *h = make_history();
	(void)state;
	const score_column data[] = {sample_column(SCORE_I64, h->id, NULL), sample_column(SCORE_I64, h->time, NULL),
		sample_column(SCORE_I32, h->x, NULL)};
	const sample_table spec = {one_key, 1, "ts", column, 1, data, T_ROWS, NULL, 0};
	score_table *t = sample_table_make("history.sft", &spec);
	static const int64_t lookbacks[] = {0, 1, 100000, INT64_MAX};
	int64_t id[2000], now[2000];
	int32_t out[2000];
	uint8_t found[2000];
	for (size_t r = 0; r < 2000; r++) {
		id[r] = (int64_t)(mix(r + 99) % 40); /* three keys are unknown */
		now[r] = r == 0 ? INT64_MIN : r == 1 ? INT64_MAX : r % 2 ? h->time[mix(r) % T_ROWS] : (int64_t)(mix(r) % 400000000) - 200000000;
	}
	const score_column key = sample_column(SCORE_I64, id, NULL), time = sample_column(SCORE_I64, now, NULL);
	const score_table_output output = {0, 0, out, NULL};
	for (int k = 0; k < 4; k++) {
		const score_table_query q = {sizeof q, &key, 1, &time, lookbacks[k]};
		assert_int_equal(score_table_lookup(t, &q, 2000, &output, 1, found, NULL), SCORE_OK);
		for (size_t r = 0; r < 2000; r++) {
			const bool is_far = now[r] < INT64_MIN + lookbacks[k];
			const int32_t expected = as_of(h, id[r], now[r], is_far ? 0 : lookbacks[k]);
			assert_int_equal(found[r] ? out[r] : -1, expected);
		}
	}
	const score_table_query latest = {sizeof latest, &key, 1, NULL, 0};
	assert_int_equal(score_table_lookup(t, &latest, 2000, &output, 1, found, NULL), SCORE_OK);
	for (size_t r = 0; r < 2000; r++)
		assert_int_equal(found[r] ? out[r] : -1, as_of(h, id[r], INT64_MAX, 0));
	score_table_close(t);
	free(h);
}

/* ---- what is refused ---------------------------------------------------------------------------------------------- */

static void bad_rows_are_refused_by_line(void **state)
{
	static const score_table_field x_column[] = {{"x", SCORE_I32, 0}};
	static const int64_t id[] = {5, 6, 5}, time[] = {1, 1, 1};
	static const int32_t x[] = {1, 2, 3};
	static const int64_t big[] = {1, 2, 3000000000};
	static const uint64_t lines[] = {2, 3, 7};
	static const uint8_t second_missing[] = {5};
	const score_column i = sample_column(SCORE_I64, id, NULL), v = sample_column(SCORE_I32, x, NULL);
	const score_column t = sample_column(SCORE_I64, time, NULL);
	const struct {
		score_column data[3];
		const char *timestamp, *message;
		int64_t line;
	} cases[] = {
		{{i, v}, NULL, "the key of line 2 is there again; a table with several rows of a key needs a timestamp", 7},
		{{i, t, v}, "ts", "the key and time of line 2 is there again", 7},
		{{sample_column(SCORE_I64, id, second_missing), v}, NULL, "column 'id' is a key and has no value", 3},
		{{i, sample_column(SCORE_I64, time, second_missing), v}, "ts", "column 'ts' is the timestamp and has no value", 3},
		{{sample_column(SCORE_I64, big, NULL), sample_column(SCORE_I64, big, NULL)}, NULL,
			"column 'x' has a number outside the range of its type", 7},
	};
	(void)state;
	for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
		const sample_table spec = {one_key, 1, cases[k].timestamp, x_column, 1, cases[k].data, 3, lines, 0};
		score_error error;
		assert_int_equal(sample_table_build(sample_path("bad.sft"), &spec, &error), SCORE_ERR_SHAPE);
		assert_string_equal(error.message, cases[k].message);
		assert_int_equal(error.line, cases[k].line);
		assert_int_equal(access(sample_path("bad.sft"), F_OK), -1);
	}
}

/* Found by fuzzing: such a table was written, and then refused as damaged. */
static void texts_that_are_not_utf8_are_refused(void **state)
{
	static const score_table_field texts[] = {{"city", SCORE_STRING, 0}};
	static const int64_t id[] = {5, 6, 7};
	static const char *const names[] = {"Oslo", "Oslo", "K\xf6ln"};
	const score_column data[] = {sample_column(SCORE_I64, id, NULL), sample_texts(names, 3)};
	const sample_table spec = {one_key, 1, NULL, texts, 1, data, 3, NULL, 0};
	score_error error;
	(void)state;
	assert_int_equal(sample_table_build(sample_path("bad.sft"), &spec, &error), SCORE_ERR_SHAPE);
	assert_string_equal(error.message, "column 'city' has a text that is not UTF-8");
	assert_int_equal(error.line, 3);
	assert_int_equal(access(sample_path("bad.sft"), F_OK), -1);
}

static void bad_schemas_and_queries_are_refused(void **state)
{
	static const score_table_field x[] = {{"x", SCORE_I32, 0}}, same[] = {{"id", SCORE_I32, 0}}, odd[] = {{"x", SCORE_F16, 0}};
	static const score_table_field float_key[] = {{"id", SCORE_F64, 0}};
	static const int64_t id[] = {5};
	static const int32_t v[] = {1};
	const score_column data[] = {sample_column(SCORE_I64, id, NULL), sample_column(SCORE_I32, v, NULL)};
	const struct {
		sample_table spec;
		const char *message;
	} cases[] = {
		{{one_key, 1, NULL, same, 1, data, 1, NULL, 0}, "the column name 'id' is given twice"},
		{{one_key, 1, "x", x, 1, data, 1, NULL, 0}, "the column name 'x' is given twice"},
		{{one_key, 1, NULL, odd, 1, data, 1, NULL, 0}, "column 'x' has type number 14: expected f64, f32, i64, i32, bool or string"},
		{{float_key, 1, NULL, x, 1, data, 1, NULL, 0}, "key column 'id' has type f64: keys are i64 or string"},
		{{one_key, 0, NULL, x, 1, data, 1, NULL, 0}, "a table has 1 to 16 key columns, found 0"},
	};
	score_error error;
	(void)state;
	for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
		assert_int_equal(sample_table_build(sample_path("bad.sft"), &cases[k].spec, &error), SCORE_ERR_ARGUMENT);
		assert_string_equal(error.message, cases[k].message);
	}
	const sample_table little = {one_key, 1, NULL, x, 1, data, 1, NULL, 1000};
	assert_int_equal(sample_table_build(sample_path("bad.sft"), &little, &error), SCORE_ERR_LIMIT);
	const sample_table good = {one_key, 1, NULL, x, 1, data, 1, NULL, 0};
	score_table *t = sample_table_make("one.sft", &good);
	const score_column text = sample_texts((const char *const[]){"5"}, 1);
	const score_table_query wrong_type = {sizeof wrong_type, &text, 1, NULL, 0}, no_time = {sizeof no_time, data, 1, data, 0},
		two = {sizeof two, data, 2, NULL, 0};
	assert_int_equal(score_table_lookup(t, &wrong_type, 1, NULL, 0, NULL, &error), SCORE_ERR_SHAPE);
	assert_string_equal(error.message, "key column 'id' of the table holds integers; found another type in the query");
	assert_int_equal(score_table_lookup(t, &no_time, 1, NULL, 0, NULL, &error), SCORE_ERR_SHAPE);
	assert_int_equal(score_table_lookup(t, &two, 1, NULL, 0, NULL, &error), SCORE_ERR_SHAPE);
	const score_table_output outside = {1, 0, &error, NULL};
	const score_table_query fine = {sizeof fine, data, 1, NULL, 0};
	assert_int_equal(score_table_lookup(t, &fine, 1, &outside, 1, NULL, &error), SCORE_ERR_ARGUMENT);
	score_table_close(t);
	t = (score_table *)1;
	assert_int_equal(score_table_open(sample_path("absent.sft"), NULL, &t, &error), SCORE_ERR_IO);
	assert_null(t);
}

static void a_table_may_be_empty(void **state)
{
	static const score_table_field column[] = {{"city", SCORE_STRING, 0}};
	int64_t id = 3;
	int32_t out;
	uint8_t found;
	(void)state;
	const score_column data[] = {sample_column(SCORE_I64, &id, NULL), sample_texts((const char *const[]){"x"}, 1)};
	const sample_table spec = {one_key, 1, NULL, column, 1, data, 0, NULL, 0};
	score_table *t = sample_table_make("empty.sft", &spec);
	const score_table_query q = {sizeof q, data, 1, NULL, 0};
	const score_table_output output = {0, 0, &out, NULL};
	assert_int_equal(score_table_lookup(t, &q, 1, &output, 1, &found, NULL), SCORE_OK);
	assert_true(!found && out == -1);
	score_table_close(t);
}

/* ---- damaged files -------------------------------------------------------------------------------------------------- */

static const score_table_field damaged_keys[] = {{"id", SCORE_I64, 0}, {"shop", SCORE_STRING, 0}};
static const score_table_field damaged_columns[] = {{"city", SCORE_STRING, 0}, {"x", SCORE_F64, 0}};

static uint8_t *make_small(const char *timestamp, size_t *size, score_column keys[2])
{
	static const int64_t id[] = {1, 2, 3, 4, 5, 5};
	static const int64_t time[] = {10, 20, 30, 40, 50, 60};
	static const char *const shops[] = {"a", "b", "a shop of a long name", "d", "e", "e"};
	static const char *const towns[] = {"Oslo", "Rome", "Oslo", NULL, "Bergen", "Rome"};
	static const double x[] = {1, 2, 3, 4, 5, 6};
	score_column data[5] = {sample_column(SCORE_I64, id, NULL), sample_texts(shops, 6)};
	size_t n = 2;
	if (timestamp)
		data[n++] = sample_column(SCORE_I64, time, NULL);
	data[n++] = sample_texts(towns, 6);
	data[n] = sample_column(SCORE_F64, x, NULL);
	const sample_table spec = {damaged_keys, 2, timestamp, damaged_columns, 2, data, timestamp ? 6 : 5, NULL, 0};
	score_error error;
	if (sample_table_build(sample_path("small.sft"), &spec, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	memcpy(keys, data, 2 * sizeof *keys);
	return sample_read(sample_path("small.sft"), size);
}

/* The same table in a heap block of exactly its size, around which a sanitizer or valgrind sees every read; moved back by a
 * second call with what the first one returned. */
static const uint8_t *move_to(score_table *t, const uint8_t *data)
{
	const uint8_t *before = t->data;
	const uint8_t **sections[] = {&t->buckets, &t->entries, &t->key_text, &t->times, &t->rows};
	for (size_t i = 0; i < 5; i++)
		*sections[i] = data + (*sections[i] - before);
	t->data = data;
	return before;
}

static score_status use_file(const void *bytes, size_t size, const score_column keys[2], bool *verified)
{
	score_table *t;
	score_error error;
	int32_t city[5];
	double x[5];
	uint8_t found[5];
	*verified = false;
	sample_write(sample_path("damaged.sft"), bytes, size);
	const score_status opened = score_table_open(sample_path("damaged.sft"), NULL, &t, &error);
	if (opened != SCORE_OK) {
		assert_null(t);
		assert_true(error.message[0] != '\0');
		return opened;
	}
	uint8_t *exact = malloc(t->size);
	memcpy(exact, t->data, t->size);
	const uint8_t *mapped = move_to(t, exact);
	const score_table_output outputs[] = {{0, 0, city, NULL}, {1, 0, x, NULL}};
	const score_table_query q = {sizeof q, keys, 2, NULL, 0};
	const score_status status = t->layout.n_columns == 2 && t->layout.columns[0].type == SCORE_STRING &&
		t->layout.columns[1].type == SCORE_F64 ? score_table_lookup(t, &q, 5, outputs, 2, found, &error) : SCORE_ERR_SHAPE;
	if (status == SCORE_OK)
		for (int r = 0; r < 5; r++) {
			size_t length;
			(void)score_table_text(t, 0, (uint32_t)city[r], &length);
		}
	*verified = score_table_verify(t, &error) == SCORE_OK;
	(void)move_to(t, mapped);
	free(exact);
	score_table_close(t);
	return status;
}

/* `sealed`: hashes are made right again, so that what is behind them is reached. */
static void damage_every_byte(const char *timestamp, bool sealed)
{
	score_column keys[2];
	size_t size;
	uint8_t *good = make_small(timestamp, &size, keys), *bad = malloc(size);
	bool verified;
	assert_int_equal(use_file(good, size, keys, &verified), SCORE_OK);
	assert_true(verified);
	const uint64_t header = sl_load_u64(good + 24);
	for (size_t at = 0; at < size; at++) {
		const uint8_t values[] = {0, 0xff, good[at] ^ 1, good[at] ^ 0x80};
		for (int k = 0; k < 4; k++) {
			if (values[k] == good[at])
				continue;
			memcpy(bad, good, size);
			bad[at] = values[k];
			if (sealed)
				sample_seal(bad, size);
			const score_status status = use_file(bad, size, keys, &verified);
			assert_true(status == SCORE_OK || (status >= SCORE_ERR_CORRUPT && status <= SCORE_ERR_SHAPE));
			if (!sealed)
				assert_false(verified);
			if (!sealed && (at < 56 || (at >= header && at < size - 16)))
				assert_int_not_equal(status, SCORE_OK);
		}
	}
	for (size_t cut = 0; !sealed && cut < size; cut++) {
		memcpy(bad, good, cut);
		assert_int_not_equal(use_file(bad, cut, keys, &verified), SCORE_OK);
	}
	free(good);
	free(bad);
}

static void damaged_bytes_and_cuts_are_found(void **state)
{
	(void)state;
	damage_every_byte(NULL, false);
	damage_every_byte("ts", false);
}

static void forged_files_stay_within_their_bounds(void **state)
{
	(void)state;
	damage_every_byte(NULL, true);
	damage_every_byte("ts", true);
}

/* ---- files that are replaced ------------------------------------------------------------------------------------------ */

enum { SWAP_KEYS = 500, SWAPS = 50 };

static void write_version(double version)
{
	static const score_table_field column[] = {{"x", SCORE_F64, 0}, {"y", SCORE_F64, 0}};
	int64_t id[SWAP_KEYS];
	double x[SWAP_KEYS];
	for (int r = 0; r < SWAP_KEYS; r++) {
		id[r] = r;
		x[r] = version;
	}
	const score_column data[] = {sample_column(SCORE_I64, id, NULL), sample_column(SCORE_F64, x, NULL), sample_column(SCORE_F64, x, NULL)};
	const sample_table spec = {one_key, 1, NULL, column, 2, data, SWAP_KEYS, NULL, 0};
	assert_int_equal(sample_table_build(sample_path("live.sft"), &spec, NULL), SCORE_OK);
}

typedef struct shared {
	score_table_source *source;
	atomic_int stop, mixed, calls;
} shared;

static void *read_versions(void *context)
{
	shared *s = context;
	int64_t id[SWAP_KEYS];
	double out[2][SWAP_KEYS], last = 0;
	for (int r = 0; r < SWAP_KEYS; r++)
		id[r] = r;
	const score_column key = {id, NULL, 0, 0, SCORE_I64, 0};
	const score_table_query q = {sizeof q, &key, 1, NULL, 0};
	const score_table_output outputs[] = {{0, 0, out[0], NULL}, {1, 0, out[1], NULL}};
	while (!atomic_load(&s->stop)) {
		score_table *t = score_table_acquire(s->source);
		const bool done = score_table_lookup(t, &q, SWAP_KEYS, outputs, 2, NULL, NULL) == SCORE_OK;
		score_table_close(t);
		bool same = done && out[0][0] >= last;
		for (int r = 0; r < SWAP_KEYS; r++)
			same = same && out[0][r] == out[0][0] && out[1][r] == out[0][0];
		last = out[0][0];
		atomic_fetch_add(&s->mixed, !same);
		atomic_fetch_add(&s->calls, 1);
	}
	return NULL;
}

static void readers_see_one_version_while_files_are_replaced(void **state)
{
	shared s = {0};
	pthread_t threads[3];
	int32_t changed;
	(void)state;
	write_version(1);
	assert_int_equal(score_table_source_open(sample_path("live.sft"), NULL, &s.source, NULL), SCORE_OK);
	for (int k = 0; k < 3; k++)
		assert_int_equal(pthread_create(threads + k, NULL, read_versions, &s), 0);
	while (atomic_load(&s.calls) == 0)
		sched_yield();
	for (int v = 2; v < SWAPS; v++) {
		write_version(v);
		assert_int_equal(score_table_source_refresh(s.source, &changed, NULL), SCORE_OK);
		assert_int_equal(changed, 1);
	}
	atomic_store(&s.stop, 1);
	for (int k = 0; k < 3; k++)
		pthread_join(threads[k], NULL);
	assert_int_equal(s.mixed, 0);
	assert_int_equal(score_table_source_refresh(s.source, &changed, NULL), SCORE_OK);
	assert_int_equal(changed, 0);
	score_table_source_free(s.source);
}

static void a_bad_replacement_leaves_the_old_table(void **state)
{
	static const score_table_field other[] = {{"z", SCORE_F64, 0}, {"y", SCORE_F64, 0}};
	score_table_source *source;
	score_error error;
	int64_t id = 1;
	double x = 2;
	(void)state;
	write_version(7);
	assert_int_equal(score_table_source_open(sample_path("live.sft"), NULL, &source, &error), SCORE_OK);
	score_table *held = score_table_acquire(source);
	const score_column data[] = {sample_column(SCORE_I64, &id, NULL), sample_column(SCORE_F64, &x, NULL), sample_column(SCORE_F64, &x, NULL)};
	const sample_table spec = {one_key, 1, NULL, other, 2, data, 1, NULL, 0};
	assert_int_equal(sample_table_build(sample_path("live.sft"), &spec, NULL), SCORE_OK);
	assert_int_equal(score_table_source_refresh(source, NULL, &error), SCORE_ERR_SHAPE);
	assert_non_null(strstr(error.message, "other keys or columns"));
	sample_write(sample_path("junk"), "junk", 4);
	assert_int_equal(rename(sample_path("junk"), sample_path("live.sft")), 0);
	assert_int_equal(score_table_source_refresh(source, NULL, &error), SCORE_ERR_CORRUPT);
	assert_int_equal(unlink(sample_path("live.sft")), 0);
	assert_int_equal(score_table_source_refresh(source, NULL, &error), SCORE_ERR_IO);
	score_table *still = score_table_acquire(source);
	assert_ptr_equal(still, held);
	score_table_close(still);
	score_table_source_free(source);
	double out;
	const score_table_output output = {0, 0, &out, NULL};
	const score_table_query q = {sizeof q, data, 1, NULL, 0};
	assert_int_equal(score_table_lookup(held, &q, 1, &output, 1, NULL, NULL), SCORE_OK);
	assert_true(out == 7);
	score_table_close(held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_comes_back),
		cmocka_unit_test(the_same_rows_give_the_same_bytes),
		cmocka_unit_test(composite_keys_are_compared_whole),
		cmocka_unit_test(both_of_two_integers_count),
		cmocka_unit_test(integers_are_keys),
		cmocka_unit_test(the_latest_row_before_the_event_is_taken),
		cmocka_unit_test(bad_rows_are_refused_by_line),
		cmocka_unit_test(texts_that_are_not_utf8_are_refused),
		cmocka_unit_test(bad_schemas_and_queries_are_refused),
		cmocka_unit_test(a_table_may_be_empty),
		cmocka_unit_test(damaged_bytes_and_cuts_are_found),
		cmocka_unit_test(forged_files_stay_within_their_bounds),
		cmocka_unit_test(readers_see_one_version_while_files_are_replaced),
		cmocka_unit_test(a_bad_replacement_leaves_the_old_table),
	};
	return cmocka_run_group_tests(tests, NULL, sample_cleanup);
}
