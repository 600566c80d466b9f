/* Statistics: every counter is compared with what a plain loop over the same rows counts. */
#define _POSIX_C_SOURCE 200809L
#include "deploy/statistics_parts.h"
#include "random_model.h"

#include <scoreline/statistics.h>

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define N_ROWS 4000
#define N_FEATURES 5

static const random_spec spec = { .seed = 7, .n_features = N_FEATURES, .n_outputs = 1, .n_trees = 20, .max_leaves = 16,
	.cuts_per_feature = 20, .category_features = 1, .compare = SCORE_F32, .sum = SCORE_F32, .link = SCORE_LINK_SIGMOID };

typedef struct bench {
	score_model *model;
	double *rows;
	double *out;
} bench;

/* Rows of one distribution: smooth numbers, a twentieth missing, feature 0 a category. */
static void fill_rows(double *rows, size_t n, uint64_t seed, double shift)
{
	for (size_t i = 0; i < n * N_FEATURES; i++) {
		const double u = (double)(random_u64(&seed) >> 11) * 0x1p-53, v = (double)(random_u64(&seed) >> 11) * 0x1p-53;
		rows[i] = i % N_FEATURES == 0 ? floor(u * v * 8) : u + v + shift;
		if (random_u64(&seed) % 20 == 0)
			rows[i] = (double)NAN;
	}
}

static void score(const score_model *model, const double *rows, size_t n, double *out)
{
	score_input in = score_input_rows_f64(rows, (int64_t)n, N_FEATURES);
	assert_int_equal(score_batch(model, &in, out, n, NULL, NULL), SCORE_OK);
}

static int setup(void **state)
{
	bench *b = calloc(1, sizeof *b);
	b->model = random_model(&spec);
	b->rows = malloc(N_ROWS * N_FEATURES * sizeof *b->rows);
	b->out = malloc(N_ROWS * sizeof *b->out);
	fill_rows(b->rows, N_ROWS, 1, 0);
	score(b->model, b->rows, N_ROWS, b->out);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bench *b = *state;
	score_model_free(b->model);
	free(b->rows);
	free(b->out);
	free(b);
	return 0;
}

static score_statistics *new_statistics(const bench *b, const score_snapshot *reference, uint32_t every, uint32_t shards)
{
	score_statistics *s;
	score_error error;
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	o.reference = reference;
	o.sample_every = every;
	o.n_shards = shards;
	o.entity_name = "fraud";
	o.entity_version = "3";
	o.endpoint = "scoring \"a\\b\"\n";
	if (score_statistics_new(b->model, &o, &s, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	return s;
}

static score_call call_of(const bench *b, const score_input *in, const double *out, int64_t latency)
{
	score_call c = SCORE_CALL_INIT;
	c.model = b->model;
	c.input = in;
	c.out = out;
	c.out_width = 1;
	c.latency_ns = latency;
	c.started_unix_ns = 1700000000000000000 + latency;
	return c;
}

static void record(const bench *b, score_statistics *s, size_t begin, size_t n, int64_t latency)
{
	score_input in = score_input_rows_f64(b->rows + begin * N_FEATURES, (int64_t)n, N_FEATURES);
	score_call c = call_of(b, &in, b->out + begin, latency);
	score_statistics_record(s, &c);
}

static score_snapshot *snapshot_of(const score_statistics *s)
{
	score_snapshot *out;
	assert_int_equal(score_statistics_snapshot(s, &out, NULL), SCORE_OK);
	return out;
}

static score_snapshot_info info_of(const score_snapshot *s)
{
	score_snapshot_info info = { .struct_size = sizeof info };
	assert_int_equal(score_snapshot_get_info(s, &info), SCORE_OK);
	return info;
}

static score_snapshot *reference_of(const bench *b)
{
	score_snapshot *reference;
	score_input in = score_input_rows_f64(b->rows, N_ROWS, N_FEATURES);
	assert_int_equal(score_reference_new(b->model, &in, NULL, &reference, NULL), SCORE_OK);
	return reference;
}

/* ---- counting ------------------------------------------------------------------------------------ */

static void check_numeric(const score_histogram *h, const double *x, size_t n, size_t stride)
{
	uint64_t counts[SCORE_MAX_EDGES + 1] = { 0 }, missing = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t bin = 0;
		if (isnan(x[i * stride])) {
			missing++;
			continue;
		}
		while (bin < h->n_edges && h->edges[bin] < x[i * stride])
			bin++;
		counts[bin]++;
	}
	assert_memory_equal(counts, h->counts, (h->n_edges + 1) * sizeof *counts);
	assert_int_equal(missing, h->missing);
	assert_int_equal(h->unknown, 0);
}

static void test_counts_are_those_of_a_loop(void **state)
{
	const bench *b = *state;
	score_snapshot *reference = reference_of(b);
	for (int with = 0; with < 2; with++) {
		score_statistics *s = new_statistics(b, with ? reference : NULL, 1, 0);
		static const size_t sizes[] = { 1, 7, 32, 33, 512, 1, 1000, 2414 };
		size_t at = 0;
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; at += sizes[i++])
			record(b, s, at, sizes[i], 1000);
		assert_int_equal(at, N_ROWS);
		score_snapshot *snapshot = snapshot_of(s);
		const score_snapshot_info info = info_of(snapshot);
		assert_int_equal(info.calls, 8);
		assert_int_equal(info.rows, N_ROWS);
		assert_int_equal(info.sampled_rows, N_ROWS);
		assert_int_equal(info.expected_rows, with ? N_ROWS : 0);
		assert_int_equal(info.n_features, N_FEATURES);
		assert_string_equal(info.entity_name, "fraud");
		score_histogram h = { .struct_size = sizeof h };
		for (uint32_t f = 1; f < N_FEATURES; f++) {
			assert_int_equal(score_snapshot_feature(snapshot, f, &h), SCORE_OK);
			check_numeric(&h, b->rows + f, N_ROWS, N_FEATURES);
			/* Ten equal shares of what was learned from. */
			for (uint32_t k = 0; with && k <= h.n_edges; k++)
				assert_true(h.counts[k] >= 370 && h.counts[k] <= 390 && h.expected[k] == h.counts[k]);
		}
		assert_int_equal(score_snapshot_score(snapshot, 0, &h), SCORE_OK);
		assert_string_equal(h.name, "prediction");
		check_numeric(&h, b->out, N_ROWS, 1);
		double sum = 0;
		for (size_t i = 0; i < N_ROWS; i++)
			sum += b->out[i];
		assert_true(fabs(sum - h.sum) < 1e-8); /* a 2^-32th per call, and other orders of adding */
		assert_int_equal(score_snapshot_feature(snapshot, N_FEATURES, &h), SCORE_ERR_ARGUMENT);
		assert_int_equal(score_snapshot_score(snapshot, 1, &h), SCORE_ERR_ARGUMENT);
		score_snapshot_free(snapshot);
		score_statistics_free(s);
	}
	score_snapshot_free(reference);
}

static void test_categories(void **state)
{
	const bench *b = *state;
	score_statistics *s = new_statistics(b, NULL, 1, 1);
	double rows[8][N_FEATURES] = { { 0 }, { 3 }, { 3 }, { -1 }, { 1.5 }, { 1e9 }, { 0 }, { 0 } }, out[8];
	rows[7][0] = (double)NAN;
	score(b->model, &rows[0][0], 8, out);
	score_input in = score_input_rows_f64(&rows[0][0], 8, N_FEATURES);
	score_call c = call_of(b, &in, out, 5);
	score_statistics_record(s, &c);
	score_snapshot *snapshot = snapshot_of(s);
	score_histogram h = { .struct_size = sizeof h };
	assert_int_equal(score_snapshot_feature(snapshot, 0, &h), SCORE_OK);
	assert_int_equal(h.type, SCORE_FEATURE_CATEGORY);
	assert_int_equal(h.counts[0], 2);
	assert_int_equal(h.counts[3], 2);
	assert_int_equal(h.counts[h.n_edges], 1); /* 1e9 may be a category */
	assert_int_equal(h.unknown, 2);           /* -1 and 1.5 are none   */
	assert_int_equal(h.missing, 1);
	score_snapshot_free(snapshot);
	score_statistics_free(s);
}

static void test_layouts_count_alike(void **state)
{
	const bench *b = *state;
	static float values[N_ROWS * N_FEATURES];
	static double by_column[N_FEATURES][N_ROWS], packed[N_ROWS * N_FEATURES];
	static uint8_t validity[N_ROWS / 8 + 1];
	static int32_t starts[N_ROWS + 1], numbers[N_ROWS * N_FEATURES];
	score_column columns[N_FEATURES];
	memset(columns, 0, sizeof columns);
	memset(validity, 0, sizeof validity);
	for (size_t i = 0; i < N_ROWS * N_FEATURES; i++) {
		values[i] = (float)b->rows[i];
		by_column[i % N_FEATURES][i / N_FEATURES] = (double)values[i];
		if (i % N_FEATURES == 0)
			starts[i / N_FEATURES + 1] = starts[i / N_FEATURES];
		if (!isnan(values[i])) {
			packed[starts[i / N_FEATURES + 1]] = (double)values[i];
			numbers[starts[i / N_FEATURES + 1]++] = (int32_t)(i % N_FEATURES);
		}
	}
	for (size_t r = 0; r < N_ROWS; r++) { /* column 1 says by a bitmap what is missing */
		if (isnan(by_column[1][r]))
			by_column[1][r] = 12345;
		else
			validity[r / 8] |= (uint8_t)(1u << r % 8);
	}
	for (uint32_t f = 0; f < N_FEATURES; f++)
		columns[f] = (score_column){ by_column[f], f == 1 ? validity : NULL, 0, 0, SCORE_F64, 0 };
	const score_input inputs[] = { score_input_rows_f32(values, N_ROWS, N_FEATURES),
		score_input_columns(columns, N_ROWS, N_FEATURES),
		score_input_csr(starts, SCORE_I32, numbers, SCORE_I32, packed, SCORE_F64, N_ROWS, N_FEATURES, SCORE_ABSENT_MISSING) };
	void *first = NULL;
	size_t first_size = 0;
	for (size_t i = 0; i < 3; i++) {
		void *bytes;
		size_t size;
		score_statistics *s = new_statistics(b, NULL, 1, 1);
		score_call c = call_of(b, inputs + i, b->out, 5);
		score_statistics_record(s, &c);
		score_snapshot *snapshot = snapshot_of(s);
		assert_int_equal(score_snapshot_serialise(snapshot, &bytes, &size, NULL), SCORE_OK);
		if (i) {
			assert_int_equal(size, first_size);
			assert_memory_equal(bytes, first, size);
		} else {
			first = malloc(size);
			first_size = size;
			memcpy(first, bytes, size);
		}
		score_snapshot_free_bytes(snapshot, bytes, size);
		score_snapshot_free(snapshot);
		score_statistics_free(s);
	}
	free(first);
}

static void test_errors_and_other_outputs(void **state)
{
	const bench *b = *state;
	score_statistics *s = new_statistics(b, NULL, 1, 1);
	score_input in = score_input_rows_f64(b->rows, 10, N_FEATURES);
	score_call c = call_of(b, &in, b->out, 5);
	c.status = SCORE_ERR_SHAPE;
	c.out = NULL;
	score_statistics_record(s, &c);
	c.status = 1234;
	c.flags = SCORE_CALL_SHADOW;
	score_statistics_record(s, &c);
	c = call_of(b, &in, b->out, -5);
	c.output = SCORE_OUTPUT_MARGIN;
	score_statistics_record(s, &c);
	score_statistics_record(s, NULL);
	score_statistics_record(NULL, &c);
	score_snapshot *snapshot = snapshot_of(s);
	const score_snapshot_info info = info_of(snapshot);
	assert_int_equal(info.calls, 3);
	assert_int_equal(info.errors, 2);
	assert_int_equal(info.rows, 10);
	assert_int_equal(info.unscored_rows, 10);
	assert_int_equal(info.sampled_rows, 10);
	assert_int_equal(info.shadow_calls, 1);
	assert_int_equal(score_snapshot_errors(snapshot, SCORE_ERR_SHAPE), 1);
	assert_int_equal(score_snapshot_errors(snapshot, SCORE_ERR_IO), 0);
	assert_int_equal(score_snapshot_errors(snapshot, -1), 1);
	assert_int_equal(info.first_unix_ns, 1699999999999999995);
	assert_int_equal(info.last_unix_ns, 1700000000000000005);
	score_snapshot_free(snapshot);
	score_statistics_free(s);
}

static void test_sampling(void **state)
{
	const bench *b = *state;
	score_statistics *s = new_statistics(b, NULL, 16, 1);
	for (int i = 0; i < 100; i++)
		record(b, s, 0, N_ROWS, 5);
	score_snapshot *snapshot = snapshot_of(s);
	const score_snapshot_info info = info_of(snapshot);
	/* 400,000 / 16 = 25,000; distances are uniform in 1 … 31, whose deviation is 8.9: 5 deviations of the sum are 450 */
	assert_true(info.sampled_rows > 24500 && info.sampled_rows < 25500);
	score_histogram h = { .struct_size = sizeof h };
	assert_int_equal(score_snapshot_feature(snapshot, 1, &h), SCORE_OK);
	uint64_t all = h.missing;
	for (uint32_t k = 0; k <= h.n_edges; k++)
		all += h.counts[k];
	assert_int_equal(all, info.sampled_rows);
	assert_int_equal(score_snapshot_score(snapshot, 0, &h), SCORE_OK);
	all = h.missing;
	for (uint32_t k = 0; k <= h.n_edges; k++)
		all += h.counts[k];
	assert_int_equal(all, 100 * N_ROWS); /* scores are never sampled */
	score_snapshot_free(snapshot);
	score_statistics_free(s);
}

/* ---- latency ------------------------------------------------------------------------------------- */

static int compare_i64(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void test_latency(void **state)
{
	enum { N = 20000 };
	const bench *b = *state;
	static int64_t latencies[N];
	uint64_t seed = 3, within[43] = { 0 };
	score_statistics *s = new_statistics(b, NULL, 1, 1);
	for (int i = 0; i < N; i++) {
		latencies[i] = i < 2000 ? i + 1 : (int64_t)exp((double)(random_u64(&seed) >> 11) * 0x1p-53 * 29.1);
		latencies[i] = i % 50 == 7 ? INT64_C(1) << (i / 50 % 42) : latencies[i];
		for (int k = 0; k < 43; k++)
			within[k] += latencies[i] <= INT64_C(1) << k;
		record(b, s, 0, 0, latencies[i]);
	}
	qsort(latencies, N, sizeof *latencies, compare_i64);
	score_snapshot *snapshot = snapshot_of(s);
	for (int i = 1; i <= 1000; i++) {
		const double q = i / 1000.0;
		const double exact = (double)latencies[(int)ceil(q * N) - 1], found = score_snapshot_latency(snapshot, q);
		if (fabs(found - exact) > 0.01 * exact)
			fail_msg("quantile %g: %g instead of %g", q, found, exact);
	}
	for (uint32_t k = 0; k < 43; k++)
		assert_int_equal(score_snapshot_latency_within(snapshot, k), within[k]);
	assert_true(isnan(score_snapshot_latency(snapshot, 1.5)));
	score_snapshot_free(snapshot);
	score_statistics_free(s);
	for (int64_t ns = 1; ns < 1 << 20; ns++) /* buckets ascend and none is left out */
		assert_true(deploy_latency_bucket(ns + 1) - deploy_latency_bucket(ns) <= 1);
	assert_int_equal(deploy_latency_bucket(INT64_MAX), DEPLOY_LATENCY_BUCKETS - 1);
	assert_int_equal(deploy_latency_bucket(INT64_C(1) << 42), DEPLOY_LATENCY_BUCKETS - 1);
}

/* ---- threads ------------------------------------------------------------------------------------- */

typedef struct job {
	const bench *b;
	score_statistics *s;
} job;

static void *work(void *argument)
{
	const job *j = argument;
	for (int i = 0; i < 2000; i++)
		record(j->b, j->s, (size_t)i % 100, 20, 100 + i % 7);
	return NULL;
}

static void check_threads(const bench *b, uint32_t shards, bool complete)
{
	enum { THREADS = 6 };
	pthread_t threads[THREADS];
	score_statistics *s = new_statistics(b, NULL, 1, shards);
	job j = { b, s };
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(threads + i, NULL, work, &j), 0);
	for (int i = 0; i < 50; i++) /* reading meanwhile never goes backwards */
		score_snapshot_free(snapshot_of(s));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	score_snapshot *snapshot = snapshot_of(s);
	const score_snapshot_info info = info_of(snapshot);
	score_histogram h = { .struct_size = sizeof h };
	assert_int_equal(info.calls, THREADS * 2000);
	assert_int_equal(info.rows, THREADS * 2000 * 20);
	assert_true(complete ? info.sampled_rows == info.rows : info.sampled_rows <= info.rows);
	assert_int_equal(score_snapshot_score(snapshot, 0, &h), SCORE_OK);
	uint64_t all = h.missing;
	for (uint32_t k = 0; k <= h.n_edges; k++)
		all += h.counts[k];
	assert_int_equal(all, info.rows);
	assert_int_equal(score_snapshot_latency_within(snapshot, 7), info.calls);
	score_snapshot_free(snapshot);
	score_statistics_free(s);
}

static void test_threads(void **state)
{
	check_threads(*state, 16, true);
	check_threads(*state, 1, false); /* most share: nothing is lost but samples */
}

/* ---- bytes --------------------------------------------------------------------------------------- */

static score_snapshot *filled(const bench *b, bool with_reference)
{
	score_snapshot *reference = with_reference ? reference_of(b) : NULL;
	score_statistics *s = new_statistics(b, reference, 1, 2);
	record(b, s, 0, 100, 12345);
	record(b, s, 100, 57, 77);
	score_snapshot *snapshot = snapshot_of(s);
	score_statistics_free(s);
	score_snapshot_free(reference);
	return snapshot;
}

static void assert_same_snapshot(const score_snapshot *a, const score_snapshot *b)
{
	void *x, *y;
	size_t n, m;
	assert_int_equal(score_snapshot_serialise(a, &x, &n, NULL), SCORE_OK);
	assert_int_equal(score_snapshot_serialise(b, &y, &m, NULL), SCORE_OK);
	assert_int_equal(n, m);
	assert_memory_equal(x, y, n);
	score_snapshot_free_bytes(a, x, n);
	score_snapshot_free_bytes(b, y, m);
}

static void test_bytes_and_merging(void **state)
{
	const bench *b = *state;
	for (int with = 0; with < 2; with++) {
		score_snapshot *a = filled(b, with), *back, *more;
		char path[] = "/tmp/scoreline-statistics-XXXXXX";
		const int fd = mkstemp(path);
		assert_true(fd >= 0);
		close(fd);
		assert_int_equal(score_snapshot_save_file(a, path, NULL), SCORE_OK);
		assert_int_equal(score_snapshot_open_file(path, NULL, &back, NULL), SCORE_OK);
		assert_int_equal(score_snapshot_open_file(path, NULL, &more, NULL), SCORE_OK);
		unlink(path);
		assert_same_snapshot(a, back);
		assert_int_equal(score_snapshot_merge(a, more, NULL), SCORE_OK);
		for (size_t i = 0; i < a->shape.n_cells; i++) {
			const bool time = i == DEPLOY_CELL_FIRST || i == DEPLOY_CELL_LAST;
			assert_int_equal(a->cells[i], back->cells[i] * (time ? 1 : 2));
		}
		assert_string_equal(info_of(a).entity_version, "3");
		more->shape.labels[3] = "4";
		assert_int_equal(score_snapshot_merge(a, more, NULL), SCORE_OK);
		assert_string_equal(info_of(a).entity_version, "");
		score_snapshot_free(more);
		score_snapshot_free(back);
		score_snapshot_free(a);
	}
	score_snapshot *with = filled(b, true), *without = filled(b, false);
	score_error error;
	assert_int_equal(score_snapshot_merge(with, without, &error), SCORE_ERR_SHAPE);
	assert_non_null(strstr(error.message, "reference"));
	assert_int_equal(score_snapshot_merge(with, NULL, &error), SCORE_ERR_ARGUMENT);
	score_snapshot_free(with);
	score_snapshot_free(without);
}

/* Every truncation, and every byte replaced: an error with a message, or a snapshot that can be used. */
static void use_bytes(const uint8_t *bytes, size_t size)
{
	score_snapshot *s = NULL;
	score_error error;
	char text[256];
	if (score_snapshot_read(bytes, size, NULL, &s, &error) != SCORE_OK) {
		assert_null(s);
		assert_true(error.message[0] != '\0');
		return;
	}
	const score_snapshot *const one[] = { s };
	score_status status = score_prometheus_text(one, 1, NULL, text, sizeof text, NULL, NULL);
	assert_true(status == SCORE_ERR_LIMIT || status == SCORE_OK);
	assert_int_equal(score_snapshot_merge(s, s, NULL), SCORE_OK);
	score_snapshot_free(s);
}

static void test_hostile_bytes(void **state)
{
	static const uint8_t replacements[] = { 0x00, 0x7f, 0x80, 0xc1, 0xdf, 0xff };
	score_snapshot *s = filled(*state, true);
	void *bytes;
	size_t size;
	assert_int_equal(score_snapshot_serialise(s, &bytes, &size, NULL), SCORE_OK);
	uint8_t *copy = malloc(size);
	for (size_t n = 0; n < size; n++) {
		memcpy(copy, bytes, n);
		score_snapshot *out;
		assert_true(score_snapshot_read(copy, n, NULL, &out, NULL) != SCORE_OK);
		assert_null(out);
	}
	for (size_t i = 0; i < size; i++) {
		for (size_t k = 0; k < sizeof replacements; k++) {
			memcpy(copy, bytes, size);
			copy[i] = replacements[k];
			use_bytes(copy, size);
		}
	}
	free(copy);
	score_snapshot_free_bytes(s, bytes, size);
	score_snapshot_free(s);
}

/* An array that promises four thousand million items in five bytes. */
static void test_a_bomb_is_refused(void **state)
{
	(void)state;
	static const uint8_t bomb[] = { 0x81, 0xa8, 'f', 'e', 'a', 't', 'u', 'r', 'e', 's', 0xdd, 0xff, 0xff, 0xff, 0xff };
	score_snapshot *out;
	score_error error;
	assert_int_equal(score_snapshot_read(bomb, sizeof bomb, NULL, &out, &error), SCORE_ERR_CORRUPT);
	assert_int_equal(score_snapshot_read("\xa3" "abc", 4, NULL, &out, &error), SCORE_ERR_CORRUPT);
	assert_int_equal(score_snapshot_read(NULL, 0, NULL, &out, &error), SCORE_ERR_CORRUPT);
}

/* ---- the reference in a model -------------------------------------------------------------------- */

static score_model *with_metadata(const score_model *model, const char *value)
{
	const char *const keys[] = { SCORE_REFERENCE_KEY }, *const values[] = { value };
	score_save_options o = SCORE_SAVE_OPTIONS_INIT;
	score_model *again;
	void *bytes;
	size_t size;
	o.n_metadata = 1;
	o.metadata_keys = keys;
	o.metadata_values = values;
	assert_int_equal(score_model_save_memory(model, &o, &bytes, &size, NULL), SCORE_OK);
	assert_int_equal(score_model_open_memory(bytes, size, NULL, &again, NULL), SCORE_OK);
	score_model_free_bytes(model, bytes, size);
	return again;
}

static void test_reference_travels_in_the_model(void **state)
{
	const bench *b = *state;
	score_snapshot *reference = reference_of(b), *back;
	score_error error;
	char *text;
	size_t length;
	assert_int_equal(score_reference_text(reference, &text, &length, NULL), SCORE_OK);
	assert_int_equal(strlen(text), length);
	score_model *model = with_metadata(b->model, text);
	score_snapshot_free_bytes(reference, text, length + 1);
	assert_int_equal(score_reference_of(model, NULL, &back, NULL), SCORE_OK);
	assert_same_snapshot(reference, back);
	score_snapshot_free(back);
	assert_int_equal(score_reference_of(b->model, NULL, &back, NULL), SCORE_OK);
	assert_null(back);
	bench own = *b;
	own.model = model;
	score_statistics *s = new_statistics(&own, NULL, 1, 1);
	score_snapshot *snapshot = snapshot_of(s);
	assert_int_equal(info_of(snapshot).expected_rows, N_ROWS);
	score_snapshot_free(snapshot);
	score_statistics_free(s);
	score_model_free(model);
	model = with_metadata(b->model, "no base64!");
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	assert_int_equal(score_statistics_new(model, &o, &s, &error), SCORE_ERR_CORRUPT);
	assert_null(s);
	assert_non_null(strstr(error.message, SCORE_REFERENCE_KEY));
	o.flags = SCORE_STATISTICS_NO_REFERENCE;
	assert_int_equal(score_statistics_new(model, &o, &s, &error), SCORE_OK);
	score_statistics_free(s);
	score_model_free(model);
	score_snapshot_free(reference);
}

static void test_base64(void **state)
{
	(void)state;
	static const struct {
		const char *bytes, *text;
	} pairs[] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "\xfb\xff\xfe", "+//+" } };
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		char text[16];
		uint8_t bytes[16];
		size_t n;
		deploy_base64_encode((const uint8_t *)pairs[i].bytes, strlen(pairs[i].bytes), text);
		assert_string_equal(text, pairs[i].text);
		assert_true(deploy_base64_decode(text, strlen(text), bytes, &n));
		assert_int_equal(n, strlen(pairs[i].bytes));
		assert_memory_equal(bytes, pairs[i].bytes, n);
	}
	static const char *const wrong[] = { "Zg=", "Z===", "=Zg=", "Zm 9", "Zm9v=", "Zm9*" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		uint8_t bytes[16];
		size_t n;
		assert_false(deploy_base64_decode(wrong[i], strlen(wrong[i]), bytes, &n));
	}
}

/* ---- drift --------------------------------------------------------------------------------------- */

static score_drift drift_of_feature(const bench *b, const score_snapshot *reference, double shift, uint32_t feature)
{
	enum { N = 3000 };
	double *rows = malloc(N * N_FEATURES * sizeof *rows), *out = malloc(N * sizeof *out);
	fill_rows(rows, N, 99, shift);
	score(b->model, rows, N, out);
	const bench other = { b->model, rows, out };
	score_statistics *s = new_statistics(b, reference, 1, 1);
	record(&other, s, 0, N, 5);
	score_snapshot *snapshot = snapshot_of(s);
	score_histogram h = { .struct_size = sizeof h };
	score_drift d = { .struct_size = sizeof d };
	assert_int_equal(score_snapshot_feature(snapshot, feature, &h), SCORE_OK);
	assert_int_equal(score_drift_of(&h, &d, NULL), SCORE_OK);
	score_snapshot_free(snapshot);
	score_statistics_free(s);
	free(rows);
	free(out);
	return d;
}

static void test_drift_tells_shifted_from_same(void **state)
{
	const bench *b = *state;
	score_snapshot *reference = reference_of(b);
	for (uint32_t f = 0; f < N_FEATURES; f++) {
		const score_drift same = drift_of_feature(b, reference, 0, f), other = drift_of_feature(b, reference, 0.4, f);
		assert_int_equal(same.level, SCORE_DRIFT_STABLE);
		assert_true(same.psi < 0.02 && same.js_distance < 0.1);
		if (f == 0) {
			assert_true(isnan(same.ks_statistic) && same.chi2_p_value > 1e-3);
			continue;
		}
		assert_true(same.ks_p_value > 1e-3 && fabs(same.missing_change) < 0.02);
		assert_int_equal(other.level, SCORE_DRIFT_SHIFTED);
		assert_true(other.ks_p_value < 1e-9 && other.js_distance > 0.2);
	}
	score_snapshot_free(reference);
}

static void test_drift_without_counts(void **state)
{
	(void)state;
	static const double edges[] = { 1 };
	static const uint64_t counts[] = { 3, 4 }, none[] = { 0, 0 };
	score_histogram h = { .struct_size = sizeof h, .name = "x", .n_edges = 1, .edges = edges, .counts = counts };
	score_drift d = { .struct_size = sizeof d };
	assert_int_equal(score_drift_of(&h, &d, NULL), SCORE_OK);
	assert_int_equal(d.level, SCORE_DRIFT_UNKNOWN);
	assert_true(isnan(d.psi) && isnan(d.ks_statistic) && isnan(d.chi2));
	h.expected = none;
	assert_int_equal(score_drift_of(&h, &d, NULL), SCORE_OK);
	assert_int_equal(d.level, SCORE_DRIFT_UNKNOWN);
	h.expected = counts;
	assert_int_equal(score_drift_of(&h, &d, NULL), SCORE_OK);
	assert_true(d.psi == 0 && d.ks_statistic == 0 && d.js_distance == 0 && isnan(d.ks_p_value) && isnan(d.chi2_p_value));
	h.n_edges = SCORE_MAX_EDGES + 1;
	assert_int_equal(score_drift_of(&h, &d, NULL), SCORE_ERR_ARGUMENT);
	assert_string_equal(score_drift_level_name(SCORE_DRIFT_SHIFTED), "shifted");
	assert_string_equal(score_drift_level_name(77), "unknown");
}

/* ---- Prometheus ---------------------------------------------------------------------------------- */

static void test_prometheus_text(void **state)
{
	score_snapshot *s = filled(*state, true);
	const score_snapshot *const one[] = { s, s };
	size_t needed, again;
	score_error error;
	assert_int_equal(score_prometheus_text(one, 1, NULL, NULL, 0, &needed, NULL), SCORE_OK);
	char *text = malloc(needed + 1);
	assert_int_equal(score_prometheus_text(one, 1, NULL, text, needed, &again, &error), SCORE_ERR_LIMIT);
	assert_int_equal(score_prometheus_text(one, 1, NULL, text, needed + 1, &again, NULL), SCORE_OK);
	assert_int_equal(strlen(text), needed);
	assert_non_null(strstr(text, "# TYPE scoreline_rows_total counter\nscoreline_rows_total{endpoint=\"scoring \\\"a\\\\b\\\"\\n\","
		"model=\"fraud\",version=\"3\"} 157\n"));
	assert_non_null(strstr(text, "le=\"+Inf\"} 2\nscoreline_batch_duration_seconds_sum{"));
	free(text);
	assert_int_equal(score_prometheus_text(one, 2, NULL, NULL, 0, &needed, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "merge"));
	score_snapshot_free(s);
}

static int refuse(void *context, const char *text, size_t length)
{
	(void)text;
	(void)length;
	return --*(int *)context == 0;
}

static void test_a_sink_may_stop(void **state)
{
	score_snapshot *s = filled(*state, true);
	const score_snapshot *const one[] = { s };
	int left = 3;
	assert_int_equal(score_prometheus_write(one, 1, NULL, refuse, &left, NULL), SCORE_ERR_IO);
	assert_int_equal(left, 0);
	score_snapshot_free(s);
}

static void test_numbers_as_text(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *text;
	} all[] = { { 0.1, "0.1" }, { 1, "1" }, { -2.5e-7, "-2.5e-07" }, { 1e300, "1e+300" }, { HUGE_VAL, "+Inf" },
		{ -HUGE_VAL, "-Inf" }, { 0.1 + 0.2, "0.30000000000000004" } };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		char text[DEPLOY_NUMBER_TEXT];
		assert_int_equal(deploy_number_text(all[i].value, text), strlen(all[i].text));
		assert_string_equal(text, all[i].text);
	}
}

/* ---- arguments and memory ------------------------------------------------------------------------ */

static void test_arguments(void **state)
{
	const bench *b = *state;
	score_statistics *s;
	score_snapshot *snapshot;
	score_error error;
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	score_reference_options r = SCORE_REFERENCE_OPTIONS_INIT;
	score_input in = score_input_rows_f64(b->rows, 0, N_FEATURES);
	assert_int_equal(score_statistics_new(NULL, &o, &s, &error), SCORE_ERR_ARGUMENT);
	o.output = SCORE_OUTPUT_LEAF;
	assert_int_equal(score_statistics_new(b->model, &o, &s, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "output"));
	o.output = 0;
	o.n_shards = 257;
	assert_int_equal(score_statistics_new(b->model, &o, &s, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "n_shards"));
	o.n_shards = 0;
	o.flags = 8;
	assert_int_equal(score_statistics_new(b->model, &o, &s, &error), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_reference_new(b->model, &in, &r, &snapshot, &error), SCORE_ERR_SHAPE);
	r.n_bins = 33;
	in.n_rows = 10;
	assert_int_equal(score_reference_new(b->model, &in, &r, &snapshot, &error), SCORE_ERR_ARGUMENT);
	assert_null(snapshot);
	random_spec smaller = spec;
	smaller.n_features = 3;
	score_model *other = random_model(&smaller);
	score_snapshot *reference = reference_of(b);
	o = (score_statistics_options)SCORE_STATISTICS_OPTIONS_INIT;
	o.reference = reference;
	assert_int_equal(score_statistics_new(other, &o, &s, &error), SCORE_ERR_SHAPE);
	assert_null(s);
	score_snapshot_free(reference);
	score_model_free(other);
}

typedef struct countdown {
	int left;
	int live;
} countdown;

static void *failing_alloc(void *context, size_t size, size_t align)
{
	countdown *c = context;
	if (c->left-- <= 0)
		return NULL;
	c->live++;
	return aligned_alloc(align < 8 ? 8 : align, (size + align - 1) / align * align);
}

static void counted_free(void *context, void *pointer, size_t size, size_t align)
{
	(void)size;
	(void)align;
	((countdown *)context)->live--;
	free(pointer);
}

static score_status whole_life(const bench *b, const score_allocator *allocator, const score_snapshot *reference)
{
	score_statistics *s = NULL;
	score_snapshot *snapshot = NULL, *back = NULL;
	void *bytes = NULL;
	size_t size = 0;
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	o.allocator = allocator;
	o.reference = reference;
	score_status status = score_statistics_new(b->model, &o, &s, NULL);
	if (status == SCORE_OK) {
		record(b, s, 0, 100, 5);
		status = score_statistics_snapshot(s, &snapshot, NULL);
	}
	if (status == SCORE_OK)
		status = score_snapshot_serialise(snapshot, &bytes, &size, NULL);
	if (status == SCORE_OK)
		status = score_snapshot_read(bytes, size, allocator, &back, NULL);
	score_snapshot_free_bytes(snapshot, bytes, size);
	score_snapshot_free(back);
	score_snapshot_free(snapshot);
	score_statistics_free(s);
	return status;
}

static void test_out_of_memory(void **state)
{
	const bench *b = *state;
	score_snapshot *reference = reference_of(b);
	score_status status = SCORE_ERR_MEMORY;
	for (int k = 0; status != SCORE_OK; k++) {
		countdown c = { k, 0 };
		const score_allocator allocator = { failing_alloc, counted_free, &c };
		status = whole_life(b, &allocator, reference);
		assert_int_equal(c.live, 0);
		assert_true(status == SCORE_OK || status == SCORE_ERR_MEMORY);
		assert_true(k < 10000);
	}
	score_snapshot_free(reference);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_are_those_of_a_loop),
		cmocka_unit_test(test_categories),
		cmocka_unit_test(test_layouts_count_alike),
		cmocka_unit_test(test_errors_and_other_outputs),
		cmocka_unit_test(test_sampling),
		cmocka_unit_test(test_latency),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_bytes_and_merging),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_a_bomb_is_refused),
		cmocka_unit_test(test_reference_travels_in_the_model),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_drift_tells_shifted_from_same),
		cmocka_unit_test(test_drift_without_counts),
		cmocka_unit_test(test_prometheus_text),
		cmocka_unit_test(test_a_sink_may_stop),
		cmocka_unit_test(test_numbers_as_text),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
