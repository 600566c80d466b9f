/* Class numbers and labels: every rule, every kind of label text, and rooms of all sizes for the margins. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <scoreline/build.h>

#define MOST_OUTPUTS 400u

/* A linear model whose margins are its n features. */
static score_model *identity_model(uint32_t n, score_link link, const char *rule, const char *labels)
{
	score_contract contract = SCORE_CONTRACT_INIT(n, n);
	score_builder *b = NULL;
	score_model *model = NULL;
	double *weights = calloc((size_t)n * n, sizeof *weights);
	for (size_t i = 0; i < n; i++)
		weights[i * n + i] = 1.0;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_link(b, link, 0.0, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, weights, 1, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_metadata(b, "class_rule", rule, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_metadata(b, "class_labels", labels, NULL), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
	score_builder_free(b);
	free(weights);
	return model;
}

/* The class number of one row of n margins; -1 if it is refused. */
static int class_of(score_link link, const char *rule, uint32_t n, const double *row, score_status *status)
{
	score_model *model = identity_model(n, link, rule, NULL);
	score_options o = SCORE_OPTIONS_INIT;
	score_input in = score_input_rows_f64(row, 1, n);
	double out[8] = {-1};
	o.output = SCORE_OUTPUT_CLASS;
	*status = score_batch(model, &in, out, 8, &o, NULL);
	assert_int_equal(score_output_width(model, &o) == 0, *status != SCORE_OK);
	score_model_free(model);
	return *status == SCORE_OK ? (int)out[0] : -1;
}

static int one(score_link link, const char *rule, double x)
{
	score_status status;
	int number = class_of(link, rule, 1, &x, &status);
	assert_int_equal(status, SCORE_OK);
	return number;
}

static void decides_by_the_link(void **state)
{
	(void)state;
	score_status status;
	const double tied[] = {1.0, 3.0, 3.0}, missing[] = {3.0, INFINITY - INFINITY, 9.0};
	assert_int_equal(one(SCORE_LINK_SIGMOID, NULL, 0.0), 0);
	assert_int_equal(one(SCORE_LINK_SIGMOID, NULL, 1e-30), 0); /* its probability is 0.5 */
	assert_int_equal(one(SCORE_LINK_SIGMOID, NULL, 0.1), 1);
	assert_int_equal(one(SCORE_LINK_SIGMOID_XGBOOST, NULL, 0.1), 1);
	assert_int_equal(one(SCORE_LINK_HINGE, NULL, 1e-30), 1);
	assert_int_equal(one(SCORE_LINK_BINARY_PAIR, NULL, 1e-30), 1); /* by the margin */
	assert_int_equal(one(SCORE_LINK_SOFTMAX_PAIR, NULL, -1e-30), 0);
	assert_int_equal(class_of(SCORE_LINK_SOFTMAX, NULL, 3, tied, &status), 1);
	assert_int_equal(class_of(SCORE_LINK_SOFTMAX_XGBOOST, NULL, 3, tied, &status), 1);
	assert_int_equal(class_of(SCORE_LINK_ARGMAX, NULL, 3, tied, &status), 1);
	assert_int_equal(class_of(SCORE_LINK_SIGMOID, NULL, 3, tied, &status), 1);
	assert_int_equal(class_of(SCORE_LINK_OVR_NORMALISED, NULL, 3, tied, &status), 1);
	/* A NaN margin: the models skip missing values, so it comes from the bias. */
	assert_int_equal(class_of(SCORE_LINK_SOFTMAX, NULL, 3, missing, &status), 2);
	assert_int_equal(class_of(SCORE_LINK_IDENTITY, NULL, 3, tied, &status), -1);
	assert_int_equal(status, SCORE_ERR_ARGUMENT);
	assert_int_equal(class_of(SCORE_LINK_EXP, NULL, 1, tied, &status), -1);
}

static void decides_by_the_rule(void **state)
{
	(void)state;
	static const char *const unknown[] = {"", "largest", "largest margin ", "margin > ", "margin > x", "margin > 1 ",
		"margin < 1", "prediction >1"};
	score_status status;
	const double tied[] = {1.0, 3.0, 3.0};
	assert_int_equal(one(SCORE_LINK_IDENTITY, "margin > 2.5", 2.5), 0);
	assert_int_equal(one(SCORE_LINK_IDENTITY, "margin >= 2.5", 2.5), 1);
	assert_int_equal(one(SCORE_LINK_SIGMOID, "prediction > 0.75", 1.0), 0);
	assert_int_equal(one(SCORE_LINK_SIGMOID, "prediction > 0.75", 1.2), 1);
	assert_int_equal(one(SCORE_LINK_BINARY_PAIR, "largest prediction", 1e-30), 0);
	assert_int_equal(one(SCORE_LINK_BINARY_PAIR, "largest prediction", 0.1), 1);
	assert_int_equal(class_of(SCORE_LINK_IDENTITY, "largest margin", 3, tied, &status), 1);
	assert_int_equal(class_of(SCORE_LINK_IDENTITY, "largest prediction", 3, tied, &status), 1);
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
		assert_int_equal(class_of(SCORE_LINK_SIGMOID, unknown[i], 1, tied, &status), -1);
		assert_int_equal(status, SCORE_ERR_UNSUPPORTED);
	}
	assert_int_equal(class_of(SCORE_LINK_SIGMOID, "largest margin", 1, tied, &status), -1);
	assert_int_equal(status, SCORE_ERR_UNSUPPORTED);
	assert_int_equal(one(SCORE_LINK_ARGMAX, "largest margin", -7.0), 0); /* of one */
	assert_int_equal(class_of(SCORE_LINK_ARGMAX, "prediction > 0.5", 3, tied, &status), -1);
	assert_int_equal(status, SCORE_ERR_UNSUPPORTED);
}

static void several_labels_per_row(void **state)
{
	(void)state;
	score_model *model = identity_model(3, SCORE_LINK_SIGMOID_XGBOOST, NULL, NULL);
	const double rows[] = {1, -1, 2, -3, 4, 0};
	score_options o = SCORE_OPTIONS_INIT;
	score_input in = score_input_rows_f64(rows, 2, 3);
	double out[6];
	o.output = SCORE_OUTPUT_CLASS;
	assert_int_equal(score_output_width(model, &o), 3);
	assert_int_equal(score_batch(model, &in, out, 6, &o, NULL), SCORE_OK);
	for (size_t i = 0; i < 6; i++)
		assert_true(out[i] == (rows[i] > 0 ? 1.0 : 0.0));
	score_model_free(model);
}

static void labels_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint32_t n;
		const char *labels[3];
	} lists[] = {
		{"[\"no\", \"yes\"]", 2, {"no", "yes"}}, {" [ 0,1 , -2.5e3 ] ", 3, {"0", "1", "-2.5e3"}},
		{"[true,false]", 2, {"true", "false"}}, {"[\"a,b\\n\\\"\\\\\\/\\t\", \"\"]", 2, {"a,b\n\"\\/\t", ""}},
		{"[\"\\u0041\\u00e4\\u20ac\\ud83d\\ude00\"]", 1, {"A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"}},
		{"[\"\xc3\xa4]\"]", 1, {"\xc3\xa4]"}}, {"", 0, {NULL}}, {"[]", 0, {NULL}}, {"[1", 0, {NULL}}, {"[1,]", 0, {NULL}},
		{"[1] 2", 0, {NULL}}, {"{\"a\":1}", 0, {NULL}}, {"[[1]]", 0, {NULL}}, {"[null]", 0, {NULL}}, {"[\"a]", 0, {NULL}},
		{"[\"\\", 0, {NULL}}, {"[\"\\x\"]", 0, {NULL}}, {"[\"\\u00\"]", 0, {NULL}}, {"[\"\\u0000\"]", 0, {NULL}},
		{"[\"\\ud83d\"]", 0, {NULL}}, {"[\"\\ude00\"]", 0, {NULL}}, {"[\"\\ud83d\\u0041\"]", 0, {NULL}}, {"[\"a\nb\"]", 0, {NULL}},
		{"[truth]", 0, {NULL}}, {"[\"\\u", 0, {NULL}}, {"\t\r\n[\t1\r\n]\n", 1, {"1"}}, {"[\"\\u00E4\\uE000\"]", 1, {"\xc3\xa4\xee\x80\x80"}},
		{"[\"\\ud83d\\n\"]", 0, {NULL}}, {"[\"\\ud83d\\u00g0\"]", 0, {NULL}}, {"[\"\\ud83d\\ue000\"]", 0, {NULL}},
		{"[+1]", 0, {NULL}}, {"[:]", 0, {NULL}},
	};
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		score_model *model = identity_model(2, SCORE_LINK_SOFTMAX, NULL, lists[i].text);
		assert_int_equal(score_model_class_count(model), lists[i].n);
		for (uint32_t k = 0; k < lists[i].n; k++)
			assert_string_equal(score_model_class_label(model, k), lists[i].labels[k]);
		assert_null(score_model_class_label(model, lists[i].n));
		score_model_free(model);
	}
	assert_int_equal(score_model_class_count(NULL), 0);
	assert_null(score_model_class_label(NULL, 0));
}

/* "[1,1,…,1]" of n labels; the caller frees it. */
static char *labels_of_ones(size_t n)
{
	char *text = malloc(2 * n + 2);
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + 2 * i, ",1", 2);
	text[0] = '[';
	memcpy(text + 2 * n, "]", 2);
	return text;
}

/* A list beyond all sense counts as absent, like any other text that is none. */
static void too_many_labels(void **state)
{
	const uint32_t most = 1u << 20;
	(void)state;
	for (uint32_t extra = 0; extra < 2; extra++) {
		char *text = labels_of_ones(most + extra);
		score_model *model = identity_model(2, SCORE_LINK_SOFTMAX, NULL, text);
		assert_int_equal(score_model_class_count(model), extra ? 0 : most);
		assert_true(extra || strcmp(score_model_class_label(model, most - 1), "1") == 0);
		score_model_free(model);
		free(text);
	}
}

/* With scratch, with less of it, and without: the same numbers, or a clear refusal. */
static void many_classes(void **state)
{
	(void)state;
	score_model *model = identity_model(MOST_OUTPUTS, SCORE_LINK_SOFTMAX, NULL, NULL);
	enum { ROWS = 700 };
	double *rows = calloc((size_t)ROWS * MOST_OUTPUTS, sizeof *rows), out[ROWS];
	for (size_t r = 0; r < ROWS; r++)
		rows[r * MOST_OUTPUTS + r * 7 % MOST_OUTPUTS] = 1.0;
	score_options o = SCORE_OPTIONS_INIT;
	score_input in = score_input_rows_f64(rows, ROWS, MOST_OUTPUTS);
	score_error error;
	o.output = SCORE_OUTPUT_CLASS;
	size_t full = score_scratch_bytes(model);
	char *scratch = malloc(full + 1);
	o.scratch = scratch + 1;
	for (int more = 0; more < 2; more++) {
		o.scratch_bytes = more ? full : full - 1;
		assert_int_equal(score_batch(model, &in, out, ROWS, &o, &error), more ? SCORE_OK : SCORE_ERR_ARGUMENT);
	}
	for (size_t r = 0; r < ROWS; r++)
		assert_true(out[r] == (double)(r * 7 % MOST_OUTPUTS));
	score_model_free(model);
	free(scratch);
	free(rows);
}

/* So many that only one row's margins fit the stack, where there is no scratch. */
static void dozens_of_classes_without_scratch(void **state)
{
	(void)state;
	enum { CLASSES = 200, ROWS = 30 };
	score_model *model = identity_model(CLASSES, SCORE_LINK_SOFTMAX, NULL, NULL);
	double *rows = calloc((size_t)ROWS * CLASSES, sizeof *rows), out[ROWS];
	score_options o = SCORE_OPTIONS_INIT;
	score_input in = score_input_rows_f64(rows, ROWS, CLASSES);
	for (size_t r = 0; r < ROWS; r++)
		rows[r * CLASSES + r * 7 % CLASSES] = 1.0;
	o.output = SCORE_OUTPUT_CLASS;
	assert_int_equal(score_batch(model, &in, out, ROWS, &o, NULL), SCORE_OK);
	for (size_t r = 0; r < ROWS; r++)
		assert_true(out[r] == (double)(r * 7 % CLASSES));
	score_model_free(model);
	free(rows);
}

/* Three stumps per iteration, each on its own feature. */
static score_model *stumps(void)
{
	score_contract contract = SCORE_CONTRACT_INIT(3, 3);
	score_builder *b = NULL;
	score_model *model = NULL;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	for (uint32_t i = 0; i < 60; i++) {
		score_node nodes[] = {
			{.left = 1, .right = 2, .feature = i % 3, .test = SCORE_TEST_LT, .value = (double)(i / 3)},
			{.test = SCORE_TEST_LEAF, .value = 0.0, .leaf_id = 0}, {.test = SCORE_TEST_LEAF, .value = 0.125, .leaf_id = 1},
		};
		score_tree t = SCORE_TREE_INIT;
		t.nodes = nodes;
		t.n_nodes = 3;
		t.output = i % 3;
		assert_int_equal(score_builder_add_tree(b, &t, NULL), SCORE_OK);
	}
	assert_int_equal(score_builder_set_link(b, SCORE_LINK_SOFTMAX, 0.0, NULL), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
	score_builder_free(b);
	return model;
}

static void every_regime_and_room(void **state)
{
	(void)state;
	enum { ROWS = 1100 };
	static const score_regime regimes[] = {SCORE_REGIME_AUTO, SCORE_REGIME_WALK, SCORE_REGIME_BATCH, SCORE_REGIME_ROW};
	static double rows[3 * ROWS], out[ROWS];
	score_model *model = stumps();
	score_model_info info = {.struct_size = sizeof info};
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	for (size_t i = 0; i < 3 * ROWS; i++)
		rows[i] = (double)(i * 7919 % 23) - 1.0;
	score_input in = score_input_rows_f64(rows, ROWS, 3);
	size_t full = score_scratch_bytes(model);
	void *scratch = malloc(full);
	for (size_t k = 0; k < 8; k++) {
		score_options o = SCORE_OPTIONS_INIT;
		o.output = SCORE_OUTPUT_CLASS;
		o.regime = regimes[k % 4];
		o.scratch = scratch;
		o.scratch_bytes = k < 4 ? full : 0;
		if ((k >= 4 && o.regime == SCORE_REGIME_BATCH) || (o.regime == SCORE_REGIME_ROW && info.row_regime != o.regime))
			continue;
		memset(out, 0xff, sizeof out);
		assert_int_equal(score_batch(model, &in, out, ROWS, &o, NULL), SCORE_OK);
		for (size_t r = 0; r < ROWS; r++) {
			const double *x = rows + 3 * r;
			double most[3];
			for (size_t i = 0; i < 3; i++)
				most[i] = x[i] < 0 ? 0 : x[i] >= 19 ? 20 : x[i] + 1;
			size_t best = most[1] > most[0] ? 1 : 0;
			best = most[2] > most[best] ? 2 : best;
			assert_true(out[r] == (double)best);
		}
	}
	free(scratch);
	score_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_by_the_link), cmocka_unit_test(decides_by_the_rule),
		cmocka_unit_test(several_labels_per_row), cmocka_unit_test(labels_are_read),
		cmocka_unit_test(too_many_labels), cmocka_unit_test(many_classes), cmocka_unit_test(dozens_of_classes_without_scratch),
		cmocka_unit_test(every_regime_and_room),
	};
	return cmocka_run_group_tests_name("classes", tests, NULL, NULL);
}
