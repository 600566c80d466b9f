/*
 * Recognising files, UBJSON byte by byte, and files that are cut off, flipped, or read while memory runs out:
 * an error or a model, never more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metered_memory.h"
#include "import/importers.h"

#define BYTES(literal) literal, sizeof(literal) - 1

static size_t read_data(const char *name, uint8_t *out, size_t room)
{
	char path[512];
	snprintf(path, sizeof path, "%s/xgboost/%s", getenv("SCORELINE_TEST_DATA"), name);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	size_t size = fread(out, 1, room, f);
	assert_true(size > 0 && size < room);
	fclose(f);
	return size;
}

static score_status import_bytes(
	const void *data, size_t size, score_format format, const score_allocator *allocator, score_error *error)
{
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	score_builder *builder = NULL;
	score_model *model = NULL;
	options.allocator = allocator;
	score_status status = import_xgboost(data, size, format, &options, &builder, error);
	assert_int_equal(status == SCORE_OK, builder != NULL);
	if (status == SCORE_OK) {
		status = score_builder_finish(builder, &model, error);
		assert_int_equal(status == SCORE_OK, model != NULL);
	}
	score_builder_free(builder);
	score_model_free(model);
	return status;
}

/* ---- recognition -------------------------------------------------------------------------------- */

static void recognises(const char *text, size_t size, score_format expected)
{
	if (import_detect(text, size) != expected)
		fail_msg("\"%.20s\" is format %d, expected %d", text, (int)import_detect(text, size), (int)expected);
}

static void recognises_formats(void **state)
{
	static const char ubjson[] = "{L\0\0\0\0\0\0\0\7learner{}}", other[] = "{L\0\0\0\0\0\0\0\1a{}}";
	(void)state;
	recognises(BYTES("{\"learner\":{}}"), SCORE_FORMAT_XGBOOST_JSON);
	recognises(BYTES("\xEF\xBB\xBF \n{ \"version\":[1,0,0], \"learner\" : {}}"), SCORE_FORMAT_XGBOOST_JSON);
	recognises(BYTES("{\"Config\":{},\"Model\":{\"learner\":0}}"), SCORE_FORMAT_XGBOOST_JSON);
	recognises(BYTES(ubjson), SCORE_FORMAT_XGBOOST_UBJSON);
	recognises(BYTES(other), SCORE_FORMAT_AUTO);
	recognises(BYTES("tree\nversion=v4\n"), SCORE_FORMAT_LIGHTGBM_TEXT);
	recognises(BYTES("\xEF\xBB\xBFtree\r\nversion=v4\r\n"), SCORE_FORMAT_LIGHTGBM_TEXT);
	recognises(BYTES("trees\n"), SCORE_FORMAT_AUTO);
	recognises(BYTES("tree"), SCORE_FORMAT_AUTO);
	recognises(BYTES("{\"features_info\":{},\"oblivious_trees\":[]}"), SCORE_FORMAT_CATBOOST_JSON);
	recognises(BYTES("{\"scale_and_bias\":[1,[0]],\"trees\":[]}"), SCORE_FORMAT_CATBOOST_JSON);
	recognises(BYTES("{}"), SCORE_FORMAT_AUTO);
	recognises(BYTES("{"), SCORE_FORMAT_AUTO);
	recognises(BYTES(""), SCORE_FORMAT_AUTO);
	assert_int_equal(import_detect(NULL, 9), SCORE_FORMAT_AUTO);
}

static void names_what_it_refuses(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		const char *says;
	} cases[] = {
		{BYTES("\x80\x04\x95"), "Python pickle"},
		{BYTES("CBM1\0\0"), "CatBoost binary"},
		{BYTES("{\"name\":\"tree\",\"num_tree_per_iteration\":1,\"tree_info\":[]}"), "JSON dump of LightGBM"},
		{BYTES("[ { \"nodeid\": 0, \"leaf\": 1 }]"), "JSON dump of XGBoost"},
		{BYTES("{\"a\":1}"), "without the key \"learner\""},
		{BYTES("{L\0\0\0\0\0\0\0\1a{}}"), "UBJSON without the key"},
		{BYTES("binf"), "before 1.0"},
		{BYTES("\x1F\x8B\x08"), "compressed"},
		{BYTES("PK\x03\x04"), "compressed"},
		{BYTES("\x08\x07\x12\x04onnx"), "ONNX"},
		{BYTES("booster[0]:\n0:leaf=1\n"), "text dump"},
		{BYTES("<?xml version"), "PMML"},
		{BYTES("hello, world"), "of no known model format"},
		{BYTES("{\"tree_info\":[]}"), "without the key \"learner\""},
		{BYTES("[ { \"node\": 0 }]"), "of no known model format"},
	};
	uint8_t old[200] = {0};
	score_error error;
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(import_detect(cases[i].text, cases[i].size), SCORE_FORMAT_AUTO);
		assert_int_equal(import_refuse_unknown(cases[i].text, cases[i].size, &error), SCORE_ERR_UNSUPPORTED);
		if (!strstr(error.message, cases[i].says))
			fail_msg("expected \"%s\", got \"%s\"", cases[i].says, error.message);
	}
	memcpy(old + 144, "reg:linear\6\0\0\0\0\0\0\0gbtree", 24);
	assert_int_equal(import_refuse_unknown(old, sizeof old, &error), SCORE_ERR_UNSUPPORTED);
	assert_non_null(strstr(error.message, "before 1.0"));
	/* The same in plain text, of another booster, and of none. */
	memset(old, 1, 144);
	assert_int_equal(import_refuse_unknown(old, sizeof old, &error), SCORE_ERR_UNSUPPORTED);
	assert_non_null(strstr(error.message, "of no known model format"));
	memset(old, 0, 144);
	memcpy(old + 162, "dart\0", 6);
	assert_int_equal(import_refuse_unknown(old, sizeof old, &error), SCORE_ERR_UNSUPPORTED);
	assert_non_null(strstr(error.message, "before 1.0"));
	memcpy(old + 162, "tree", 4);
	assert_int_equal(import_refuse_unknown(old, sizeof old, &error), SCORE_ERR_UNSUPPORTED);
	assert_non_null(strstr(error.message, "of no known model format"));
	assert_int_equal(import_refuse_unknown("", 0, &error), SCORE_ERR_CORRUPT);
	assert_int_equal(import_refuse_unknown(NULL, 1, &error), SCORE_ERR_CORRUPT);
	assert_int_equal(import_refuse_unknown("x", 1, NULL), SCORE_ERR_UNSUPPORTED);
}

/* ---- UBJSON ------------------------------------------------------------------------------------- */

static void refuses_wrong_ubjson(void **state)
{
	static const struct {
		const char *data;
		size_t size;
		const char *says;
	} cases[] = {
		{BYTES(""), "expected an object"},
		{BYTES("[]"), "expected an object"},
		{BYTES("{"), "ends inside an object"},
		{BYTES("{i\1"), "longer than the rest"},
		{BYTES("{L\0\0"), "in the middle of a length"},
		{BYTES("{i\1a"), "in the middle of a value"},
		{BYTES("{i\xFF" "a"), "negative"},
		{BYTES("{d\0\0\0\0"), "expected an integer type letter"},
		{BYTES("{S\1aZ}"), "expected an integer type letter"},
		{BYTES("{i\1aN}"), "expected the type letter of a value"},
		{BYTES("{i\1aH}"), "expected the type letter of a value"},
		{BYTES("{i\1ad\0\0}"), "in the middle of a number"},
		{BYTES("{i\1a[$S#i\1}"), "no known number type"},
		{BYTES("{i\1a[$di\1}"), "expected '#'"},
		{BYTES("{i\1a[$d#i\2\0\0\0\0\0\0\0"), "longer than the rest"},
		{BYTES("{i\1a[$L#L\x20\0\0\0\0\0\0\0"), "longer than the rest"},
		{BYTES("{i\1a[#L\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF}"), "longer than the rest"},
		{BYTES("{i\1a[#i\2Z"), "longer than the rest"},
		{BYTES("{i\1a[Z"), "ends inside"},
		{BYTES("{i\1a{#i\1"), "an object with a type or a count"},
		{BYTES("{i\1aSi\2\xC3("), "not UTF-8"},
		{BYTES("{i\1aSi\1\xC3}"), "not UTF-8"},
		{BYTES("{i\1aSi\3\xED\xA0\x80}"), "not UTF-8"},
		{BYTES("{i\1aZ}x"), "behind the end"},
		{BYTES("{i\1aZ}"), "not an XGBoost model"},
		{BYTES("{i\7versionZ}"), "\"version\": expected an object or an array"},
		{BYTES("{i\7version[$D#i\1\x3F\xF0\0\0\0\0\0\0}"), "\"version\": expected whole numbers"},
		{BYTES("{i\7version[$d#i\1\x3F\x80\0\0i\7version[]}"), "\"version\": expected whole numbers"},
		{BYTES("{i\7learner[$d#i\1\x3F\x80\0\0}"), "\"learner\": expected no array"},
		{BYTES("{i\7learner{i\20gradient_booster{i\5model{i\7weights[D\x3F\xB9\x99\x99\x99\x99\x99\x9A]}}}}"),
			"\"weights\": expected numbers that are float"},
		{BYTES("{i\1a{$"), "an object with a type or a count"},
		{BYTES("{i\1a{"), "ends inside an object"},
	};
	char deep[256] = "{i\1a";
	score_error error;
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		score_status status = import_bytes(
			cases[i].data, cases[i].size, SCORE_FORMAT_XGBOOST_UBJSON, NULL, &error);
		if (status != SCORE_ERR_CORRUPT || !strstr(error.message, cases[i].says))
			fail_msg("case %zu: expected \"%s\", got \"%s\"", i, cases[i].says,
				status ? error.message : "success");
	}
	memset(deep + 4, '[', sizeof deep - 4);
	assert_int_equal(
		import_bytes(deep, sizeof deep, SCORE_FORMAT_XGBOOST_UBJSON, NULL, &error), SCORE_ERR_LIMIT);
}

/* gblinear in every way of writing a number: packed doubles, single values of each type, plain and counted
 * arrays. */
static void reads_every_ubjson_number(void **state)
{
	static const char head[] =
		"{i\7learner{i\20gradient_booster{i\4nameSi\10gblineari\5model{i\7weights";
	static const char tail[] = "}}i\23learner_model_param{i\12base_scoreSi\1" "0i\13num_featureU\2}"
		"i\11objective{i\4nameSi\20reg:squarederror}}i\7version[i\3i\2C\1]}";
	static const struct {
		const char *data;
		size_t size;
	} weights[] = {
		{BYTES("[$D#i\3\x40\x08\0\0\0\0\0\0\xC0\0\0\0\0\0\0\0\x3F\xF0\0\0\0\0\0\0")},
		{BYTES("[$d#L\0\0\0\0\0\0\0\3\x40\x40\0\0\xC0\0\0\0\x3F\x80\0\0")},
		{BYTES("[$I#U\3\0\3\xFF\xFE\0\1")},
		{BYTES("[i\3I\xFF\xFEl\0\0\0\1]")},
		{BYTES("[#i\3L\0\0\0\0\0\0\0\3i\xFEU\1")},
		{BYTES("[D\x40\x08\0\0\0\0\0\0d\xC0\0\0\0T]")},
	};
	(void)state;
	for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
		char file[400];
		score_builder *builder;
		score_model *model;
		score_error error;
		const float row[] = {10.0f, 100.0f};
		double out;
		size_t size = sizeof head - 1 + weights[i].size + sizeof tail - 1;
		assert_true(size < sizeof file);
		memcpy(file, head, sizeof head - 1);
		memcpy(file + sizeof head - 1, weights[i].data, weights[i].size);
		memcpy(file + sizeof head - 1 + weights[i].size, tail, sizeof tail - 1);
		if (import_xgboost(file, size, import_detect(file, size), NULL, &builder, &error) != SCORE_OK)
			fail_msg("case %zu: %s at %lld", i, error.message, (long long)error.offset);
		assert_int_equal(score_builder_finish(builder, &model, &error), SCORE_OK);
		score_builder_free(builder);
		score_input in = score_input_rows_f32(row, 1, 2);
		assert_int_equal(score_batch(model, &in, &out, 1, NULL, &error), SCORE_OK);
		assert_true(out == 1 + 30 - 200);
		score_model_free(model);
	}
}

/* ---- damage ------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	score_format format;
} small_files[] = {
	{"regression-3.2.0.json", SCORE_FORMAT_XGBOOST_JSON},
	{"categorical-3.2.0.ubj", SCORE_FORMAT_XGBOOST_UBJSON},
	{"vectors-3.2.0.ubj", SCORE_FORMAT_XGBOOST_UBJSON},
};

/* Exactly `size` bytes on the heap, so that a sanitizer sees a read behind them. */
static score_status import_copy(const uint8_t *data, size_t size, score_format format)
{
	score_error error;
	uint8_t *copy = malloc(size ? size : 1);
	assert_non_null(copy);
	memcpy(copy, data, size);
	score_status status = import_bytes(copy, size, format, NULL, &error);
	assert_true(status == SCORE_OK || error.message[0]);
	free(copy);
	return status;
}

static void survives_truncation(void **state)
{
	static uint8_t data[1 << 16];
	(void)state;
	for (size_t i = 0; i < sizeof small_files / sizeof small_files[0]; i++) {
		size_t size = read_data(small_files[i].name, data, sizeof data);
		for (size_t n = 0; n < size; n++)
			assert_int_equal(import_copy(data, n, small_files[i].format), SCORE_ERR_CORRUPT);
		assert_int_equal(import_copy(data, size, small_files[i].format), SCORE_OK);
	}
}

static void survives_flipped_bytes(void **state)
{
	static const uint8_t masks[] = {0x01, 0x10, 0x80, 0xFF};
	static uint8_t data[1 << 16];
	size_t refused = 0;
	(void)state;
	for (size_t i = 0; i < sizeof small_files / sizeof small_files[0]; i++) {
		size_t size = read_data(small_files[i].name, data, sizeof data);
		for (size_t n = 0; n < size; n++) {
			uint8_t mask = masks[n % sizeof masks];
			data[n] ^= mask;
			refused += import_copy(data, size, small_files[i].format) != SCORE_OK;
			data[n] ^= mask;
		}
	}
	assert_true(refused > 1000);
}

/* ---- memory ------------------------------------------------------------------------------------- */

static void survives_the_end_of_memory(void **state)
{
	static uint8_t data[1 << 16];
	(void)state;
	for (size_t i = 0; i < sizeof small_files / sizeof small_files[0]; i++) {
		size_t size = read_data(small_files[i].name, data, sizeof data), n = 0;
		score_status status = SCORE_ERR_MEMORY;
		for (; status != SCORE_OK; n++) {
			metered_memory b = {n, 0, 0};
			score_allocator allocator = metered_allocator(&b);
			score_error error;
			status = import_bytes(data, size, small_files[i].format, &allocator, &error);
			assert_true(status == SCORE_OK || status == SCORE_ERR_MEMORY);
			assert_int_equal(b.held, 0);
		}
		assert_true(n > 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recognises_formats),
		cmocka_unit_test(names_what_it_refuses),
		cmocka_unit_test(refuses_wrong_ubjson),
		cmocka_unit_test(reads_every_ubjson_number),
		cmocka_unit_test(survives_truncation),
		cmocka_unit_test(survives_flipped_bytes),
		cmocka_unit_test(survives_the_end_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
