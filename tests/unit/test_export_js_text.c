/*
 * What a model's own texts and settings become in JavaScript: names of features and models, labels of categories, averages,
 * and memory that runs out while the source is written.
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

#include "metered_memory.h"
#include "exported_js.h"

static char *source_of(score_builder *b, const char *name)
{
	score_model *model = export_finish(b);
	char *source = export_source(model, name, SCORE_OUTPUT_MARGIN);
	score_model_free(model);
	return source;
}

/* ---- names ---------------------------------------------------------------------------------------------------------- */

/* The parameter of a feature with this name. */
static void expect_parameter(const char *name, const char *parameter)
{
	const score_contract c = SCORE_CONTRACT_INIT(1, 1);
	score_builder *b = export_builder(&c);
	score_error error;
	char start[128], end[128];
	must(score_builder_set_feature(b, 0, name, SCORE_FEATURE_NUMERIC, &error), &error);
	export_add_stump(b, 1.0, 2.0);
	char *source = source_of(b, "N");
	snprintf(start, sizeof start, "\nfunction main(%s) {\n", parameter);
	snprintf(end, sizeof end, "  return main.score([%s]);\n}\n", parameter);
	expect_text(source, start);
	expect_text(source, end);
	free(source);
}

static void parameters_are_named_after_features(void **state)
{
	static const char *const plain[] = {"age", "Age", "a", "Z9_", "income_2026", "breaks", "Main", "infinity"};
	static const char *const other[] = {"9lives", "_x", "a b", "a-b", "a,b", "a)", "$0", "K\xc3\xb6ln", "a\nb", "[", "@", "`", "{", "a{",
		"a[", "a:", "a/", "break", "case", "class", "eval", "arguments", "let", "await", "with", "main", "Math", "NaN", "Infinity",
		"undefined"};
	(void)state;
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		expect_parameter(plain[i], plain[i]);
	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
		expect_parameter(other[i], "$0");
}

/* Some engines take no more than 255 parameters by name: from 251 on they are numbered, and broken into lines. */
static void many_parameters_are_numbered(void **state)
{
	(void)state;
	for (uint32_t n = 250; n <= 251; n++) {
		const score_contract c = SCORE_CONTRACT_INIT(n, 1);
		score_builder *b = export_builder(&c);
		export_add_stump(b, 1.0, 2.0);
		char *source = source_of(b, "N");
		expect_text(source, n == 250 ? "function main(f0,f1,f2," : "function main($0,$1,$2,");
		expect_text(source, n == 250 ? ",f248,f249) {\n" : ",$249,$250) {\n");
		const char *line = strstr(source, "function main(");
		assert_true(strcspn(line, "\n") < 160);
		free(source);
	}
}

static void the_comment_ends_with_its_line(void **state)
{
	const score_contract c = SCORE_CONTRACT_INIT(1, 1);
	(void)state;
	for (int named = 0; named < 2; named++) {
		score_builder *b = export_builder(&c);
		score_error error;
		if (named)
			must(score_builder_set_metadata(b, "name", "churn\n2026", &error), &error);
		export_add_stump(b, 1.0, 2.0);
		score_model *model = export_finish(b);
		char *source = export_source(model, NULL, SCORE_OUTPUT_PREDICTION);
		const char *start = named ? "// churn?2026: written by Scoreline " : "// a model: written by Scoreline ";
		assert_memory_equal(source, start, strlen(start));
		free(source);
		source = export_source(model, "a\r\tb\x7f\xe2\x80\xa8*/ \x1f~", SCORE_OUTPUT_PREDICTION);
		start = "// a??b????*/ ?~: written by Scoreline ";
		assert_memory_equal(source, start, strlen(start));
		free(source);
		score_model_free(model);
	}
}

/* ---- labels --------------------------------------------------------------------------------------------------------- */

static void expect_dictionary(const char *const *labels, const double *codes, size_t n, double unknown, const char *text)
{
	const score_contract c = SCORE_CONTRACT_INIT(2, 1);
	score_builder *b = export_builder(&c);
	score_error error;
	char line[512];
	must(score_builder_set_feature(b, 1, "town", SCORE_FEATURE_CATEGORY, &error), &error);
	must(score_builder_set_dictionary(b, 1, labels, codes, n, unknown, 0, &error), &error);
	export_add_stump(b, 1.0, 2.0);
	char *source = source_of(b, "D");
	snprintf(line, sizeof line, "  var dictionaries = [null,%s];\n", text);
	expect_text(source, line);
	free(source);
}

static void labels_and_codes(void **state)
{
	static const char *const towns[] = {"Ulm", "K\xc3\xb6ln", ""};
	const double codes[] = {7.0, -4294967301.0, NAN};
	(void)state;
	expect_dictionary(towns, NULL, 3, NAN, "labels(numbers([NaN,0])[0], ['Ulm','K\xc3\xb6ln',''], numbers([0,0,1,0,1,1]))");
	expect_dictionary(towns, codes, 3, SCORE_REFUSE,
		"labels(refused, ['Ulm','K\xc3\xb6ln',''], numbers([7,0,-4294967301,0,NaN,0]))");
	expect_dictionary(NULL, NULL, 0, -1.0, "labels(numbers([-1,0])[0], [], numbers([]))");
}

/* Not only -1 and NaN: the code of a label that stands for all others. */
static void unknown_labels_have_any_code(void **state)
{
	static const char *const towns[] = {"Ulm"};
	(void)state;
	expect_dictionary(towns, NULL, 1, 0.0, "labels(numbers([0,0])[0], ['Ulm'], numbers([0,0]))");
	expect_dictionary(towns, NULL, 1, 6.0, "labels(numbers([3,1])[0], ['Ulm'], numbers([0,0]))");
}

static void labels_are_escaped(void **state)
{
	static const char *const labels[] = {"it's", "back\\slash", "line\nend", "\x01\x1f\x7f", "\xe2\x80\xa8", "<\xe2\x80\xa9>",
		"\xe2\x80\xa7", "\xe2\x82\xac", "\"\xf0\x9f\x8c\x8d\""};
	(void)state;
	expect_dictionary(labels, NULL, 1, -1.0, "labels(numbers([-1,0])[0], ['it\\u0027s'], numbers([0,0]))");
	expect_dictionary(labels + 1, NULL, 1, -1.0, "labels(numbers([-1,0])[0], ['back\\u005cslash'], numbers([0,0]))");
	expect_dictionary(labels + 2, NULL, 1, -1.0, "labels(numbers([-1,0])[0], ['line\\u000aend'], numbers([0,0]))");
	expect_dictionary(labels + 3, NULL, 1, -1.0, "labels(numbers([-1,0])[0], ['\\u0001\\u001f\\u007f'], numbers([0,0]))");
	expect_dictionary(labels + 4, NULL, 1, -1.0, "labels(numbers([-1,0])[0], ['\\u2028'], numbers([0,0]))");
	expect_dictionary(labels + 5, NULL, 1, -1.0, "labels(numbers([-1,0])[0], ['<\\u2029>'], numbers([0,0]))");
	for (size_t i = 6; i < 9; i++) { /* everything else stays what it is */
		char text[128];
		snprintf(text, sizeof text, "labels(numbers([-1,0])[0], ['%s'], numbers([0,0]))", labels[i]);
		expect_dictionary(labels + i, NULL, 1, -1.0, text);
	}
}

/* ---- settings ------------------------------------------------------------------------------------------------------- */

static void averages_and_scales(void **state)
{
	static const struct {
		score_average average;
		score_dtype sum;
		double scale;
		const char *average_line, *scale_line;
	} cases[] = {
		{SCORE_AVERAGE_NONE, SCORE_F64, 0.375, "  var average = 0;\n", "  var scale = numbers([3,-3])[0];\n"},
		{SCORE_AVERAGE_MARGIN, SCORE_F64, 1.0, "  var average = 1;\n", "  var scale = numbers([1,0])[0];\n"},
		{SCORE_AVERAGE_PREDICTION, SCORE_F64, 1.0, "  var average = 2;\n", "  var scale = numbers([1,0])[0];\n"},
		{SCORE_AVERAGE_SCALE, SCORE_F32, 12.0, "  var average = 3;\n", "  var scale = numbers([3,2])[0];\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		score_contract c = SCORE_CONTRACT_INIT(1, 1);
		c.compare = c.sum = cases[i].sum;
		c.base_position = SCORE_BASE_LAST;
		c.average = cases[i].average;
		c.scale = cases[i].scale;
		score_builder *b = export_builder(&c);
		for (int tree = 0; tree < 3; tree++)
			export_add_stump(b, 1.0, 2.0);
		char *source = source_of(b, "A");
		expect_text(source, "  var baseFirst = false;\n");
		expect_text(source, "  var iterations = 3;\n");
		expect_text(source, cases[i].sum == SCORE_F32 ? "  var isFloat = true;\n" : "  var isFloat = false;\n");
		expect_text(source, cases[i].sum == SCORE_F32 ? "  var comparesFloats = true;\n" : "  var comparesFloats = false;\n");
		expect_text(source, cases[i].average_line);
		expect_text(source, cases[i].scale_line);
		free(source);
	}
}

/* A float model's slope is the float of it. */
static void the_slope_is_of_the_sums_type(void **state)
{
	(void)state;
	for (int is_float = 0; is_float < 2; is_float++) {
		score_contract c = SCORE_CONTRACT_INIT(1, 1);
		score_error error;
		c.sum = is_float ? SCORE_F32 : SCORE_F64;
		score_builder *b = export_builder(&c);
		must(score_builder_set_link(b, SCORE_LINK_SIGMOID, 0.1, &error), &error);
		export_add_stump(b, 1.0, 2.0);
		score_model *model = export_finish(b);
		char *source = export_source(model, "S", SCORE_OUTPUT_PREDICTION);
		expect_text(source, is_float ? "  var parameter = numbers([13421773,-27])[0];\n" :
			"  var parameter = numbers([3602879701896397,-55])[0];\n");
		free(source);
		score_model_free(model);
	}
}

static void linear_models(void **state)
{
	const double weights[] = {0.5, -3.0, 0.0, -0.0, 1e-310, 1.7976931348623157e308};
	(void)state;
	for (int skips = 0; skips < 2; skips++) {
		const score_contract c = SCORE_CONTRACT_INIT(3, 2);
		score_builder *b = export_builder(&c);
		score_error error;
		must(score_builder_set_linear(b, weights, skips, &error), &error);
		char *source = source_of(b, "W");
		expect_text(source, skips ? "  var skipMissing = true;\n" : "  var skipMissing = false;\n");
		expect_text(source, "  var weights = numbers([1,-1,-3,0,0,0,-0,0,20240225330731,-1074,9007199254740991,971]);\n");
		expect_no_text(source, "splitCounts");
		free(source);
	}
}

/* ---- memory --------------------------------------------------------------------------------------------------------- */

/* Wherever memory ends, there is a message, no text, and nothing kept. */
static void memory_that_runs_out(void **state)
{
	metered_memory memory = {SIZE_MAX, 0, 0};
	const score_allocator allocator = metered_allocator(&memory);
	const score_contract c = SCORE_CONTRACT_INIT(1, 1);
	score_build_options o = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b = NULL;
	score_error error;
	void *text;
	size_t size, n_failed = 0;
	(void)state;
	o.allocator = &allocator;
	must(score_builder_new(&c, &o, &b, &error), &error);
	for (int tree = 0; tree < 300; tree++)
		export_add_stump(b, tree, 2.0);
	score_model *model = export_finish(b);
	const size_t held = memory.held;
	for (;; n_failed++) {
		memory.left = n_failed;
		text = &error;
		size = 7;
		score_status status = score_model_export_js(model, NULL, &text, &size, &error);
		if (status == SCORE_OK)
			break;
		assert_int_equal(status, SCORE_ERR_MEMORY);
		assert_non_null(strstr(error.message, "memory"));
		assert_null(text);
		assert_int_equal(size, 0);
		assert_int_equal(memory.held, held);
	}
	assert_true(n_failed > 5);
	score_model_free_bytes(model, text, size);
	assert_int_equal(memory.held, held);
	score_model_free(model);
	assert_int_equal(memory.held, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_named_after_features),
		cmocka_unit_test(many_parameters_are_numbered),
		cmocka_unit_test(the_comment_ends_with_its_line),
		cmocka_unit_test(labels_and_codes),
		cmocka_unit_test(unknown_labels_have_any_code),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(averages_and_scales),
		cmocka_unit_test(the_slope_is_of_the_sums_type),
		cmocka_unit_test(linear_models),
		cmocka_unit_test(memory_that_runs_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
