/*
 * Columns of every type through an endpoint whose rows go to two versions: the scores are those of rows of doubles, whoever
 * answered, and statistics see every value that was scored.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture_fixture.h"
#include "deploy/column_value.h"
#include "served_models.h"

#include <scoreline/statistics.h>

#define N 1100 /* rows: more than two blocks */
#define OFFSET 3

static score_error error;

typedef struct served {
	score_model *models[2]; /* equal */
	score_statistics *statistics[2];
	score_endpoint *endpoint;
	score_endpoint_reader *reader;
} served;

static served serve(score_model *(*make)(void))
{
	static const score_route routes[] = {{"one", 50, 0}, {"two", 50, 0}};
	score_endpoint_config config = SCORE_ENDPOINT_CONFIG_INIT;
	score_statistics_options options = SCORE_STATISTICS_OPTIONS_INIT;
	score_served_entity entities[2] = {{.name = "one", .entity_name = "m", .entity_version = "1"},
		{.name = "two", .entity_name = "m", .entity_version = "2"}};
	served s = {0};
	options.sample_every = 1;
	options.flags = SCORE_STATISTICS_NO_REFERENCE;
	for (int i = 0; i < 2; i++) {
		entities[i].model = s.models[i] = make();
		assert_int_equal(score_statistics_new(s.models[i], &options, s.statistics + i, &error), SCORE_OK);
		entities[i].statistics = s.statistics[i];
	}
	config.served_entities = entities;
	config.n_served_entities = config.n_routes = 2;
	config.routes = routes;
	if (score_endpoint_new(NULL, &config, &s.endpoint, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(score_endpoint_reader_new(s.endpoint, &s.reader, &error), SCORE_OK);
	return s;
}

static void stop(served *s)
{
	score_endpoint_reader_free(s->reader);
	score_endpoint_free(s->endpoint);
	for (int i = 0; i < 2; i++) {
		score_statistics_free(s->statistics[i]);
		score_model_free(s->models[i]);
	}
}

/* Scores through the endpoint, by a key per row and then by one for all, and compares. */
static void check(served *s, const score_input *input, const double *expected)
{
	static double out[N];
	static int64_t keys[N];
	static uint32_t who[N];
	const score_column key_column = {keys, NULL, 0, 0, SCORE_I64, 0};
	score_request request = SCORE_REQUEST_INIT;
	uint32_t both = 0;
	for (int i = 0; i < N; i++)
		keys[i] = i * 7;
	request.row_keys = &key_column;
	request.row_served = who;
	static char scratch[1 << 20];
	request.scratch = scratch;
	request.scratch_bytes = sizeof scratch;
	if (score_endpoint_batch(s->reader, input, out, N, &request, NULL, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_memory_equal(out, expected, sizeof out);
	for (int i = 0; i < N; i++)
		both |= 1u << who[i];
	assert_int_equal(both, 3);
	request = (score_request)SCORE_REQUEST_INIT;
	request.key = "k";
	request.key_length = 1;
	assert_int_equal(score_endpoint_batch(s->reader, input, out, N, &request, NULL, &error), SCORE_OK);
	assert_memory_equal(out, expected, sizeof out);
}

/* What the two versions counted together of feature `i`: all rows twice, `missing` of them missing. */
static void check_counts(const served *s, uint32_t feature, uint64_t missing)
{
	uint64_t seen = 0, absent = 0;
	for (int i = 0; i < 2; i++) {
		score_histogram h = {.struct_size = sizeof h};
		score_snapshot *snapshot = NULL;
		assert_int_equal(score_statistics_snapshot(s->statistics[i], &snapshot, &error), SCORE_OK);
		assert_int_equal(score_snapshot_feature(snapshot, feature, &h), SCORE_OK);
		for (uint32_t k = 0; k <= h.n_edges; k++)
			seen += h.counts[k];
		seen += h.unknown;
		absent += h.missing;
		score_snapshot_free(snapshot);
	}
	assert_int_equal(seen + absent, 2 * N);
	assert_int_equal(absent, 2 * missing);
}

/* ---- numbers ------------------------------------------------------------------------------------------------------ */

static score_model *thrice(void)
{
	return scaling_model(3.0);
}

/* Row r holds r % 2, which every type can. */
static size_t fill(score_dtype type, void *values)
{
#define FILL(TYPE, X) \
	do { \
		TYPE *to = values; \
		for (int r = 0; r < N + OFFSET; r++) \
			to[r] = (TYPE)(X); \
		return sizeof(TYPE); \
	} while (0)
	const int first = OFFSET % 2;
	switch (type) {
	case SCORE_F32: FILL(float, (r + first) % 2);
	case SCORE_F64: FILL(double, (r + first) % 2);
	case SCORE_I8: case SCORE_U8: case SCORE_BOOL: FILL(uint8_t, (r + first) % 2);
	case SCORE_I16: case SCORE_U16: FILL(uint16_t, (r + first) % 2);
	case SCORE_I32: case SCORE_U32: FILL(uint32_t, (r + first) % 2);
	case SCORE_I64: case SCORE_U64: FILL(uint64_t, (r + first) % 2);
	case SCORE_F16: FILL(uint16_t, (r + first) % 2 ? 0x3c00 : 0);
	default:
		memset(values, first ? 0x55 : 0xaa, (N + OFFSET) / 8 + 1);
		return 0;
	}
#undef FILL
}

static void numbers(void **state)
{
	static double values[N + OFFSET], second[N], rows[N][2], expected[N];
	static uint8_t validity[N / 8 + 2];
	(void)state;
	for (score_dtype type = SCORE_F32; type <= SCORE_F16; type++) {
		if (type == SCORE_STRING)
			continue;
		for (int with_nulls = 0; with_nulls < 2; with_nulls++) {
			served s = serve(thrice);
			uint64_t missing = 0;
			memset(validity, 0xff, sizeof validity);
			fill(type, values);
			for (int r = 0; r < N; r++) {
				bool is_null = with_nulls && r % 7 == 0;
				rows[r][0] = is_null ? (double)NAN : r % 2;
				rows[r][1] = second[r] = r;
				missing += is_null;
				if (is_null)
					validity[(r + OFFSET) / 8] &= (uint8_t)~(1u << (r + OFFSET) % 8);
			}
			const score_column columns[] = {{values, with_nulls ? validity : NULL, OFFSET, 0, type, 0},
				{second, NULL, 0, 0, SCORE_F64, 0}};
			score_input plain = score_input_rows_f64(rows[0], N, 2), input = score_input_columns(columns, N, 2);
			assert_int_equal(score_batch(s.models[0], &plain, expected, N, NULL, &error), SCORE_OK);
			check(&s, &input, expected);
			check_counts(&s, 0, missing);
			stop(&s);
		}
	}
}

/* Values that stand apart, backwards. */
static void strides(void **state)
{
	static double values[3 * N], second[N], rows[N][2], expected[N];
	served s = serve(thrice);
	(void)state;
	for (int r = 0; r < N; r++) {
		values[3 * (N - 1 - r)] = rows[r][0] = r;
		second[r] = rows[r][1] = -r;
	}
	const score_column columns[] = {{values + 3 * (N - 1), NULL, 0, -3 * (int64_t)sizeof *values, SCORE_F64, 0},
		{second, NULL, 0, 0, SCORE_F64, 0}};
	score_input plain = score_input_rows_f64(rows[0], N, 2), input = score_input_columns(columns, N, 2);
	assert_int_equal(score_batch(s.models[0], &plain, expected, N, NULL, &error), SCORE_OK);
	check(&s, &input, expected);
	stop(&s);
	s = serve(thrice);
	check(&s, &plain, expected);
	check_counts(&s, 0, 0);
	stop(&s);
}

/* ---- strings ------------------------------------------------------------------------------------------------------- */

/* Plain, and as a dictionary with indices of every integer type. */
static void strings(void **state)
{
	static const char data[] = "DEFRxx";
	static const int32_t word_ends[] = {0, 2, 4, 6, 6};
	static int32_t ends[N + 1];
	static char text[2 * N];
	static uint64_t indices[N];
	static double amounts[N], expected[N];
	(void)state;
	for (int r = 0; r < N; r++) {
		amounts[r] = r % 5;
		memcpy(text + 2 * r, data + 2 * (r % 3), 2);
		ends[r + 1] = 2 * (r + 1);
	}
	for (score_dtype type = SCORE_F64; type <= SCORE_U64; type++) {
		score_strings strings = SCORE_STRINGS_INIT;
		served s = serve(fixture_string_model);
		strings.offset_type = SCORE_I32;
		strings.offsets = type == SCORE_F64 ? ends : word_ends;
		strings.data = type == SCORE_F64 ? text : data;
		if (type != SCORE_F64) {
			for (int r = 0; r < N; r++) {
				switch (type) {
				case SCORE_I8: case SCORE_U8: ((uint8_t *)indices)[r] = (uint8_t)(r % 3); break;
				case SCORE_I16: case SCORE_U16: ((uint16_t *)(void *)indices)[r] = (uint16_t)(r % 3); break;
				case SCORE_I32: case SCORE_U32: ((uint32_t *)(void *)indices)[r] = (uint32_t)(r % 3); break;
				default: indices[r] = (uint64_t)(r % 3);
				}
			}
			strings.indices = indices;
			strings.index_type = type;
			strings.n_strings = 4;
		}
		const score_column columns[] = {{amounts, NULL, 0, 0, SCORE_F64, 0}, {&strings, NULL, 0, 0, SCORE_STRING, 0},
			{&strings, NULL, 0, 0, SCORE_STRING, 0}};
		score_input input = score_input_columns(columns, N, 3);
		if (score_batch(s.models[0], &input, expected, N, NULL, &error) != SCORE_OK)
			fail_msg("%s", error.message);
		check(&s, &input, expected);
		check_counts(&s, 0, 0);
		stop(&s);
	}
}

/* ---- one value ---------------------------------------------------------------------------------------------------- */

/* Against the float whose bits follow from a half's, but for the smallest ones. */
static void every_half(void **state)
{
	static uint16_t halves[65536];
	const score_column c = {.values = halves, .dtype = SCORE_F16};
	(void)state;
	for (uint32_t h = 0; h < 65536; h++)
		halves[h] = (uint16_t)h;
	for (uint32_t h = 0; h < 65536; h++) {
		const uint32_t sign = h >> 15, exponent = h >> 10 & 0x1f, fraction = h & 0x3ff;
		const uint32_t bits = sign << 31 | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13;
		float expected;
		memcpy(&expected, &bits, sizeof expected);
		if (exponent == 0)
			expected = (sign ? -1.0f : 1.0f) * (float)fraction / 16777216.0f;
		const double found = deploy_number_at(&c, h);
		if (isnan(expected) ? !isnan(found) : found != (double)expected || !signbit(found) != !signbit(expected))
			fail_msg("half %04x is %g, expected %g", h, found, (double)expected);
	}
}

static void every_text_of_a_dictionary(void **state)
{
	static const int32_t offsets[] = {0, 4, 4, 9};
	static const int8_t indices[] = {0, 1, 2, 3, -1};
	static const char *const expected[] = {"Oslo", "", "Paris", NULL, NULL};
	score_strings strings = SCORE_STRINGS_INIT;
	(void)state;
	strings.offsets = offsets;
	strings.data = "OsloParis";
	strings.indices = indices;
	strings.n_strings = 3;
	strings.index_type = SCORE_I8;
	const score_column c = {.values = &strings, .dtype = SCORE_STRING};
	for (size_t r = 0; r < sizeof indices; r++) {
		size_t length = 7;
		const char *text = deploy_text_at(&c, r, &length);
		assert_int_equal(length, expected[r] ? strlen(expected[r]) : 0);
		assert_true(!text == !expected[r] && (!text || memcmp(text, expected[r], length) == 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(strides),
		cmocka_unit_test(strings),
		cmocka_unit_test(every_half),
		cmocka_unit_test(every_text_of_a_dictionary),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
