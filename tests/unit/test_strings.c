/*
 * Columns of strings against the same rows as codes: every layout of strings, regime, instruction set and batch size; and
 * everything that a builder or a call must refuse.
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

#include "api/model.h"

#include <scoreline/statistics.h>

#define N_ROWS 700
#define N_LABELS 40
#define N_STRINGS (N_LABELS + 2)  /* two that no dictionary knows */
#define OFFSET 5

/* Feature 0 is a number, 1 has a dictionary of positions, 2 one with codes of its own. */
static score_builder *new_builder(score_isa isa)
{
	score_contract contract = SCORE_CONTRACT_INIT(3, 1);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b = NULL;
	options.isa = isa;
	assert_int_equal(score_builder_new(&contract, &options, &b, NULL), SCORE_OK);
	return b;
}

static char texts[N_STRINGS][24];
static const char *labels[N_LABELS];
static double codes_of[2][N_STRINGS]; /* under the dictionaries of features 1 and 2 */

static void make_labels(void)
{
	for (int i = 0; i < N_STRINGS; i++) {
		snprintf(texts[i], sizeof texts[i], i % 7 == 3 ? "K\xc3\xb6ln %d and more of it" : "c%d", i);
		if (i == 0)
			texts[i][0] = '\0';
		codes_of[0][i] = i < N_LABELS ? i : (double)NAN;
		codes_of[1][i] = i < N_LABELS ? 3.0 * (N_LABELS - i) : -1.0;
		if (i < N_LABELS)
			labels[i] = texts[i];
	}
	codes_of[1][5] = (double)NAN; /* a label that means missing */
}

static void add_trees(score_builder *b)
{
	for (uint32_t t = 0; t < 40; t++) {
		uint32_t feature = 1 + t % 2, set[3] = {t * 3 % 120, t * 7 % 120, t * 11 % 120};
		score_node nodes[5] = {{1, 2, feature, t % 3 ? SCORE_TEST_IN_LEFT : SCORE_TEST_IN_RIGHT, t % 2, 0, 0, 0, 3, 0, 0},
			{3, 4, 0, SCORE_TEST_LE, t & 1, 0, t * 0.25 - 5, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0, t + 0.1, 0, 0, 2, 0},
			{0, 0, 0, 0, 0, 0, -0.3 * t, 0, 0, 3, 0}, {0, 0, 0, 0, 0, 0, 1.7 * t, 0, 0, 4, 0}};
		score_tree tree = SCORE_TREE_INIT;
		tree.nodes = nodes;
		tree.n_nodes = 5;
		tree.categories = set;
		tree.n_categories = 3;
		assert_int_equal(score_builder_add_tree(b, &tree, NULL), SCORE_OK);
	}
}

static score_model *make_model(score_isa isa, double unknown)
{
	score_builder *b = new_builder(isa);
	score_model *model = NULL;
	make_labels();
	assert_int_equal(score_builder_set_feature(b, 1, "city", SCORE_FEATURE_CATEGORY, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 2, "zone", SCORE_FEATURE_CATEGORY, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_dictionary(b, 1, labels, NULL, N_LABELS, unknown, 0, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_dictionary(b, 2, labels, codes_of[1], N_LABELS, -1.0, SCORE_DICTIONARY_NUMBERS,
		NULL), SCORE_OK);
	add_trees(b);
	assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
	score_builder_free(b);
	return model;
}

/* ---- rows --------------------------------------------------------------------------------------------------- */

typedef struct table {
	int64_t pick[2][N_ROWS]; /* string of features 1 and 2, or -1 for a missing one */
	double numbers[N_ROWS];
	uint8_t validity[2][(N_ROWS + OFFSET) / 8 + 1];
	int32_t offsets32[2][N_ROWS + OFFSET + 1];
	int64_t offsets64[2][N_ROWS + OFFSET + 1];
	char data[2][(N_ROWS + OFFSET) * 24];
	int64_t dictionary_offsets[N_STRINGS + 1];
	char dictionary[N_STRINGS * 24];
	int8_t indices8[2][N_ROWS + OFFSET];
	uint64_t indices64[2][N_ROWS + OFFSET];
	double codes[2][N_STRINGS];
	double expected[N_ROWS];
} table;

static void lay_out(table *t, int f)
{
	for (int64_t e = 0; e < N_ROWS + OFFSET; e++) {
		int64_t pick = e < OFFSET ? 1 : t->pick[f][e - OFFSET];
		const char *text = texts[pick < 0 ? 2 : pick]; /* what stands behind a missing value must not matter */
		memcpy(t->data[f] + t->offsets32[f][e], text, strlen(text));
		t->offsets32[f][e + 1] = t->offsets32[f][e] + (int32_t)strlen(text);
		t->offsets64[f][e + 1] = t->offsets32[f][e + 1];
		t->validity[f][e / 8] |= (uint8_t)((pick >= 0) << (e % 8));
		t->indices8[f][e] = (int8_t)(pick < 0 && e % 2 ? N_STRINGS : pick);
		t->indices64[f][e] = pick < 0 ? (e % 2 ? UINT64_MAX : N_STRINGS) : (uint64_t)pick;
	}
}

static table *make_table(const score_model *model, bool with_unknown)
{
	table *t = calloc(1, sizeof *t);
	assert_non_null(t);
	for (int64_t i = 0; i < N_STRINGS; i++) {
		memcpy(t->dictionary + t->dictionary_offsets[i], texts[i], strlen(texts[i]));
		t->dictionary_offsets[i + 1] = t->dictionary_offsets[i] + (int64_t)strlen(texts[i]);
	}
	for (int64_t r = 0; r < N_ROWS; r++) {
		t->pick[0][r] = r * 7919 % (with_unknown ? N_STRINGS : N_LABELS);
		t->pick[1][r] = r % 13 == 5 ? -1 : r * 104729 % N_STRINGS;
		t->numbers[r] = (double)(r % 41) * 0.25 - 5;
		double row[3] = {t->numbers[r], codes_of[0][t->pick[0][r]],
			t->pick[1][r] < 0 ? (double)NAN : codes_of[1][t->pick[1][r]]};
		forest_margins(model->f, row, 0, model->f->n_trees, t->expected + r);
	}
	lay_out(t, 0);
	lay_out(t, 1);
	return t;
}

enum { PLAIN32, PLAIN64, INDICES8, INDICES64, CODES, N_WAYS };

static score_strings strings_of(table *t, int f, int way)
{
	score_strings s = SCORE_STRINGS_INIT;
	s.offsets = way == PLAIN32 ? (const void *)t->offsets32[f] : t->offsets64[f];
	s.data = t->data[f];
	s.offset_type = way == PLAIN32 ? SCORE_I32 : SCORE_I64;
	if (way < INDICES8)
		return s;
	s.offsets = t->dictionary_offsets;
	s.data = t->dictionary;
	s.n_strings = N_STRINGS;
	s.indices = way == INDICES8 ? (const void *)t->indices8[f] : t->indices64[f];
	s.index_type = way == INDICES8 ? SCORE_I8 : SCORE_U64;
	return s;
}

static void check_way(const score_model *model, table *t, int way, score_options *o)
{
	static const int64_t sizes[] = {1, 2, 8, 64, 130, 513, N_ROWS};
	score_strings s[2] = {strings_of(t, 0, way), strings_of(t, 1, way)};
	score_column columns[3] = {{.values = t->numbers, .dtype = SCORE_F64}};
	double out[N_ROWS];
	for (uint32_t f = 0; f < 2; f++) {
		columns[1 + f] = (score_column){.values = s + f, .dtype = SCORE_STRING, .offset = OFFSET};
		if (way < INDICES8)
			columns[1 + f].validity = t->validity[f];
		if (way != CODES)
			continue;
		assert_int_equal(score_encode(model, 1 + f, s + f, t->codes[f], NULL), SCORE_OK);
		s[f].codes = t->codes[f];
	}
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		score_error error;
		score_input in = score_input_columns(columns, sizes[i], 3);
		if (score_batch(model, &in, out, N_ROWS, o, &error) != SCORE_OK)
			fail_msg("way %d: %s", way, error.message);
		for (int64_t r = 0; r < sizes[i]; r++) {
			if (memcmp(out + r, t->expected + r, sizeof *out) != 0)
				fail_msg("way %d, %s, %s, row %lld of %lld: %a, expected %a", way,
					score_isa_name(o->regime), "strings", (long long)r, (long long)sizes[i], out[r], t->expected[r]);
		}
	}
}

static void strings_score_as_their_codes(void **state)
{
	static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512, SCORE_ISA_NEON};
	static const score_regime regimes[] = {SCORE_REGIME_AUTO, SCORE_REGIME_BATCH, SCORE_REGIME_WALK};
	(void)state;
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		score_model *model = make_model(isas[i], (double)NAN);
		table *t = make_table(model, true);
		score_options o = SCORE_OPTIONS_INIT;
		o.output = SCORE_OUTPUT_MARGIN;
		o.scratch_bytes = score_scratch_bytes(model);
		o.scratch = malloc(o.scratch_bytes);
		for (int way = 0; way < N_WAYS; way++) {
			for (size_t k = 0; k < 3; k++) {
				o.regime = regimes[k];
				check_way(model, t, way, &o);
			}
		}
		free(o.scratch);
		o.scratch = NULL;
		o.regime = SCORE_REGIME_AUTO;
		check_way(model, t, PLAIN32, &o);
		free(t);
		score_model_free(model);
	}
}

/* ---- refusals ------------------------------------------------------------------------------------------------ */

static void expect_batch(const score_model *model, const score_column *columns, int64_t n, const score_plan *plan,
	score_status expected, const char *words)
{
	double out[N_ROWS];
	score_error error = {.code = SCORE_OK};
	score_options o = SCORE_OPTIONS_INIT;
	o.plan = plan;
	score_input in = score_input_columns(columns, n, 3);
	score_status status = score_batch(model, &in, out, N_ROWS, &o, &error);
	if (status != expected || (words && !strstr(error.message, words)))
		fail_msg("expected %s with '%s', found %s: %s", score_status_name(expected), words ? words : "",
			score_status_name(status), error.message);
}

static void unknown_strings_can_be_refused(void **state)
{
	(void)state;
	score_model *model = make_model(SCORE_ISA_AUTO, SCORE_REFUSE);
	table *t = make_table(model, true);
	for (int way = 0; way < N_WAYS; way++) {
		score_strings s[2] = {strings_of(t, 0, way), strings_of(t, 1, way)};
		score_column columns[3] = {{.values = t->numbers, .dtype = SCORE_F64},
			{.values = s, .dtype = SCORE_STRING, .offset = OFFSET},
			{.values = s + 1, .dtype = SCORE_STRING, .offset = OFFSET}};
		if (way == CODES) {
			assert_int_equal(score_encode(model, 1, s, t->codes[0], NULL), SCORE_OK);
			s[0].codes = t->codes[0];
		}
		expect_batch(model, columns, N_ROWS, NULL, SCORE_ERR_SHAPE, "feature 'city' has the category 'c40' in row 20");
		expect_batch(model, columns, 20, NULL, SCORE_OK, NULL);
	}
	free(t);
	score_model_free(model);
}

static void malformed_columns_are_refused(void **state)
{
	(void)state;
	score_model *model = make_model(SCORE_ISA_AUTO, (double)NAN);
	table *t = make_table(model, true);
	score_strings good = strings_of(t, 0, INDICES8), s = good;
	score_column columns[3] = {{.values = t->numbers, .dtype = SCORE_F64}, {.values = &s, .dtype = SCORE_STRING},
		{.values = &good, .dtype = SCORE_STRING}};
	expect_batch(model, columns, N_ROWS, NULL, SCORE_OK, NULL);
	s.struct_size = 8;
	expect_batch(model, columns, N_ROWS, NULL, SCORE_ERR_ARGUMENT, "struct_size");
	s = good, s.offset_type = SCORE_I16;
	expect_batch(model, columns, N_ROWS, NULL, SCORE_ERR_ARGUMENT, "offsets of strings have dtype 5");
	s = good, s.index_type = SCORE_F64;
	expect_batch(model, columns, N_ROWS, NULL, SCORE_ERR_ARGUMENT, "indices of strings have dtype 2");
	s = good, s.n_strings = -1;
	expect_batch(model, columns, N_ROWS, NULL, SCORE_ERR_ARGUMENT, "number of strings is -1");
	s = good, s.offsets = NULL;
	expect_batch(model, columns, N_ROWS, NULL, SCORE_ERR_ARGUMENT, "no offsets");
	s = good, columns[1].stride_bytes = 4;
	expect_batch(model, columns, N_ROWS, NULL, SCORE_ERR_ARGUMENT, "no stride");
	columns[1] = (score_column){.values = NULL, .dtype = SCORE_STRING};
	expect_batch(model, columns, N_ROWS, NULL, SCORE_ERR_ARGUMENT, "no values");
	columns[1] = columns[2];
	columns[0] = columns[2];
	expect_batch(model, columns, N_ROWS, NULL, SCORE_ERR_SHAPE, "no dictionary for feature 'f0'");
	free(t);
	score_model_free(model);
}

static void binding_knows_dictionaries(void **state)
{
	(void)state;
	const char *names[] = {"zone", "f0", "city"};
	score_dtype types[] = {SCORE_STRING, SCORE_F16, SCORE_STRING};
	score_model *model = make_model(SCORE_ISA_AUTO, (double)NAN);
	score_plan *plan = NULL;
	score_error error;
	assert_int_equal(score_bind(model, names, types, 3, &plan, NULL), SCORE_OK);
	table *t = make_table(model, true);
	score_strings s[2] = {strings_of(t, 0, PLAIN32), strings_of(t, 1, PLAIN32)};
	const score_column columns[3] = {{.values = s + 1, .dtype = SCORE_STRING, .validity = t->validity[1]},
		{.values = t->numbers, .dtype = SCORE_F64}, {.values = s, .dtype = SCORE_STRING}};
	expect_batch(model, columns, N_ROWS, plan, SCORE_OK, NULL);
	score_plan_free(plan);
	types[1] = SCORE_STRING;
	assert_int_equal(score_bind(model, names, types, 3, &plan, &error), SCORE_ERR_SHAPE);
	assert_non_null(strstr(error.message, "no dictionary, 1 of the model's features: f0"));
	free(t);
	score_model_free(model);
}

/* Found by fuzzing batches of Arrow: a negative offset was read as an address before the data, by statistics a descending one as a
 * length of almost 2^64. */
static void odd_offsets_are_empty_strings(void **state)
{
	(void)state;
	static const int32_t narrow[] = {0, 2, 1, 4, -3, 3, 3};
	static const char data[] = "c7c9";
	static const double expected[] = {7.0, 0.0, (double)NAN, 0.0, 0.0, 0.0}; /* "c7", "", "7c9" and three empty ones: label 0 */
	score_model *model = make_model(SCORE_ISA_AUTO, (double)NAN);
	double numbers[6] = {0}, codes[6], scores[2][6];
	int64_t wide[7];
	for (int i = 0; i < 7; i++)
		wide[i] = narrow[i];
	wide[4] = INT64_MIN;
	for (int is_wide = 0; is_wide < 2; is_wide++) {
		score_strings s = SCORE_STRINGS_INIT;
		s.offsets = is_wide ? (const void *)wide : (const void *)narrow;
		s.offset_type = is_wide ? SCORE_I64 : SCORE_I32;
		s.data = data;
		s.n_strings = 6;
		assert_int_equal(score_encode(model, 1, &s, codes, NULL), SCORE_OK);
		for (int i = 0; i < 6; i++)
			assert_true(codes[i] == expected[i] || (isnan(codes[i]) && isnan(expected[i])));
		score_column columns[3] = {{.values = numbers, .dtype = SCORE_F64}, {.values = &s, .dtype = SCORE_STRING},
			{.values = &s, .dtype = SCORE_STRING}};
		const score_input in = score_input_columns(columns, 6, 3);
		assert_int_equal(score_batch(model, &in, scores[is_wide], 6, NULL, NULL), SCORE_OK);
		score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
		score_statistics *statistics = NULL;
		o.sample_every = 1;
		assert_int_equal(score_statistics_new(model, &o, &statistics, NULL), SCORE_OK);
		score_call call = SCORE_CALL_INIT;
		call.model = model;
		call.input = &in;
		call.out = scores[is_wide];
		call.out_width = 1;
		score_statistics_record(statistics, &call);
		score_statistics_free(statistics);
	}
	assert_memory_equal(scores[0], scores[1], sizeof scores[0]);
	score_model_free(model);
}

static void models_tell_their_labels(void **state)
{
	(void)state;
	double code;
	score_model *model = make_model(SCORE_ISA_AUTO, SCORE_REFUSE);
	assert_int_equal(score_model_dictionary(model, 0), 0);
	assert_int_equal(score_model_dictionary(model, 1), SCORE_DICTIONARY);
	assert_int_equal(score_model_dictionary(model, 2), SCORE_DICTIONARY | SCORE_DICTIONARY_NUMBERS);
	assert_int_equal(score_model_dictionary(model, 3), 0);
	assert_int_equal(score_model_category_count(model, 0), 0);
	assert_int_equal(score_model_category_count(model, 2), N_LABELS);
	assert_string_equal(score_model_category_name(model, 2, 39), "c39");
	assert_null(score_model_category_name(model, 2, N_LABELS));
	assert_true(score_model_category_code(model, 2, 39) == 3.0);
	assert_true(isnan(score_model_category_code(model, 2, N_LABELS)));
	assert_true(score_model_category_unknown(model, 1) == SCORE_REFUSE);
	assert_true(score_model_category_unknown(model, 2) == -1.0);
	assert_true(isnan(score_model_category_unknown(model, 0)));
	assert_true(score_model_category_find(model, 1, "c12", 3, &code) && code == 12.0);
	assert_true(score_model_category_find(model, 2, "c12", 2, &code) && code == 117.0);
	assert_true(!score_model_category_find(model, 2, "c1234", 5, &code) && code == -1.0);
	assert_true(!score_model_category_find(model, 0, "c12", 3, &code) && isnan(code));
	score_model_free(model);
}

static void expect_dictionary(const char *const *names, const double *codes, size_t n, uint32_t feature, double unknown,
	uint32_t flags, score_status expected, const char *words)
{
	score_builder *b = new_builder(SCORE_ISA_AUTO);
	score_error error;
	score_status status = score_builder_set_dictionary(b, feature, names, codes, n, unknown, flags, &error);
	if (status != expected || !strstr(error.message, words))
		fail_msg("expected '%s', found %s: %s", words, score_status_name(status), error.message);
	score_builder_free(b);
}

static void bad_dictionaries_are_refused(void **state)
{
	const char *twice[] = {"a", "b", "a"}, *empty[] = {"a", NULL}, *binary[] = {"\xff"}, *cut[] = {"K\xc3"};
	const double codes[] = {1.0, INFINITY, 2.0};
	(void)state;
	expect_dictionary(twice, NULL, 3, 1, 0, 0, SCORE_ERR_ARGUMENT, "label 'a' twice");
	expect_dictionary(twice, codes, 2, 1, 0, 0, SCORE_ERR_ARGUMENT, "code of label 1 of feature 1 is infinite");
	expect_dictionary(empty, NULL, 2, 1, 0, 0, SCORE_ERR_ARGUMENT, "label 1 of feature 1 is NULL");
	expect_dictionary(binary, NULL, 1, 1, 0, 0, SCORE_ERR_ARGUMENT, "not UTF-8");
	expect_dictionary(cut, NULL, 1, 1, 0, 0, SCORE_ERR_ARGUMENT, "not UTF-8");
	expect_dictionary(twice, NULL, 2, 3, 0, 0, SCORE_ERR_ARGUMENT, "feature 3 does not exist");
	expect_dictionary(NULL, NULL, 2, 1, 0, 0, SCORE_ERR_ARGUMENT, "labels is NULL");
	expect_dictionary(twice, NULL, 2, 1, -INFINITY, 0, SCORE_ERR_ARGUMENT, "-inf");
	expect_dictionary(twice, NULL, 2, 1, 0, 8, SCORE_ERR_ARGUMENT, "unknown flags 0x8");
	expect_dictionary(twice, NULL, (size_t)INT32_MAX + 1, 1, 0, 0, SCORE_ERR_LIMIT, "labels");
}

static void large_dictionaries_are_whole(void **state)
{
	enum { N = 50000 };
	char (*text)[16] = calloc(N, sizeof *text);
	const char **names = calloc(N, sizeof *names);
	score_builder *b = new_builder(SCORE_ISA_AUTO);
	score_model *model = NULL;
	(void)state;
	for (int i = 0; i < N; i++) {
		snprintf(text[i], sizeof text[i], "%d", i * 17);
		names[i] = text[i];
	}
	assert_int_equal(score_builder_set_dictionary(b, 2, names, NULL, N, -1.0, 0, NULL), SCORE_OK);
	add_trees(b);
	assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
	for (int i = 0; i < N; i++) {
		double code = -5.0;
		assert_true(score_model_category_find(model, 2, text[i], strlen(text[i]), &code) && code == (double)i);
	}
	score_builder_free(b);
	score_model_free(model);
	free(text);
	free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_score_as_their_codes),
		cmocka_unit_test(unknown_strings_can_be_refused),
		cmocka_unit_test(malformed_columns_are_refused),
		cmocka_unit_test(odd_offsets_are_empty_strings),
		cmocka_unit_test(binding_knows_dictionaries),
		cmocka_unit_test(models_tell_their_labels),
		cmocka_unit_test(bad_dictionaries_are_refused),
		cmocka_unit_test(large_dictionaries_are_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
