/*
 * Models as JavaScript, without an engine that runs it: the numbers, names and labels that stand in the source. A model's tables
 * are read back from the text, and walking them gives the golden margins bit for bit; examples/javascript runs the function.
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

#include "export/code.h"
#include "exported_js.h"
#include "sample_forests.h"

#define MOST_NUMBERS 4096
#define MOST_SETS 256
#define MOST_OUTPUTS 8

/* ---- reading the source back --------------------------------------------------------------------------------------- */

/* What follows "var NAME = ". */
static const char *value_of(const char *source, const char *name)
{
	char start[64];
	snprintf(start, sizeof start, "\n  var %s = ", name);
	const char *at = strstr(source, start);
	if (at == NULL)
		fail_msg("the source has no variable %s", name);
	return at + strlen(start);
}

/* A number of the list and what separates it from the next one. */
static double next_number(const char **at)
{
	char *end;
	double x = strtod(*at, &end); /* reads NaN, Infinity and -0 as well */
	assert_ptr_not_equal(end, *at);
	*at = end + (*end == ',') + (end[0] == ',' && end[1] == '\n');
	return x;
}

static size_t whole_numbers(const char *source, const char *name, int64_t *out)
{
	const char *at = value_of(source, name);
	size_t n = 0;
	assert_int_equal(*at++, '[');
	while (*at != ']') {
		assert_true(n < MOST_NUMBERS);
		out[n++] = (int64_t)next_number(&at);
	}
	assert_memory_equal(at, "];\n", 3);
	return n;
}

/* Mantissas and exponents of two. */
static size_t numbers_at(const char *at, double *out)
{
	size_t n = 0;
	assert_memory_equal(at, "numbers([", 9);
	for (at += 9; *at != ']'; n++) {
		assert_true(n < MOST_NUMBERS);
		out[n] = next_number(&at);
		out[n] = ldexp(out[n], (int)next_number(&at));
	}
	assert_memory_equal(at, "])", 2);
	return n;
}

static size_t numbers(const char *source, const char *name, double *out)
{
	return numbers_at(value_of(source, name), out);
}

static bool flag(const char *source, const char *name)
{
	const char *at = value_of(source, name);
	const bool is_true = strncmp(at, "true;\n", 6) == 0;
	assert_true(is_true || strncmp(at, "false;\n", 7) == 0);
	return is_true;
}

static int64_t variable(const char *source, const char *name)
{
	return strtoll(value_of(source, name), NULL, 10);
}

static double single(const char *source, const char *name)
{
	double x[MOST_NUMBERS];
	assert_int_equal(numbers(source, name, x), 1);
	return x[0];
}

/* ---- walking the tables that were read ----------------------------------------------------------------------------- */

typedef struct tables {
	bool is_float, compares_floats, base_first, skip_missing;
	int64_t rule, width, average, iterations;
	double scale, base[MOST_NUMBERS], cuts[MOST_NUMBERS], leaves[MOST_NUMBERS], weights[MOST_NUMBERS];
	int64_t features[MOST_NUMBERS], kinds[MOST_NUMBERS], split_counts[MOST_NUMBERS], outputs[MOST_NUMBERS];
	int64_t split_tests[MOST_NUMBERS], lefts[MOST_NUMBERS], rights[MOST_NUMBERS];
	const char *sets[MOST_SETS]; /* behind "members([" */
	size_t n_trees, n_outputs;
} tables;

static void read_sets(tables *t, const char *source)
{
	const char *at = value_of(source, "sets");
	assert_int_equal(*at, '[');
	for (size_t n = 0; *++at != ']'; n++) {
		at += *at == '\n';
		assert_true(n < MOST_SETS);
		assert_memory_equal(at, "members([", 9);
		t->sets[n] = at + 9;
		at = strstr(at, "])") + 1;
		at += at[1] == ',';
	}
}

static void read_tables(tables *t, const char *source, const forest *f)
{
	t->is_float = flag(source, "isFloat");
	t->compares_floats = flag(source, "comparesFloats");
	t->base_first = flag(source, "baseFirst");
	t->average = variable(source, "average");
	t->iterations = variable(source, "iterations");
	t->scale = single(source, "scale");
	t->n_outputs = numbers(source, "base", t->base);
	assert_int_equal(t->n_outputs, f->contract.n_outputs);
	if (f->kind == SCORE_KIND_LINEAR) {
		t->skip_missing = flag(source, "skipMissing");
		assert_int_equal(numbers(source, "weights", t->weights), f->n_features * f->contract.n_outputs);
		return;
	}
	t->rule = variable(source, "rule");
	t->width = variable(source, "width");
	assert_int_equal(whole_numbers(source, "features", t->features), f->n_tests);
	assert_int_equal(whole_numbers(source, "kinds", t->kinds), f->n_tests);
	assert_int_equal(numbers(source, "cuts", t->cuts), f->n_tests);
	read_sets(t, source);
	t->n_trees = whole_numbers(source, "splitCounts", t->split_counts);
	assert_int_equal(t->n_trees, f->n_trees);
	assert_int_equal(whole_numbers(source, "outputs", t->outputs), f->n_trees);
	assert_int_equal(whole_numbers(source, "splitTests", t->split_tests), f->n_splits);
	assert_int_equal(whole_numbers(source, "lefts", t->lefts), f->n_splits);
	assert_int_equal(whole_numbers(source, "rights", t->rights), f->n_splits);
	assert_int_equal(numbers(source, "leaves", t->leaves), f->n_leaves * f->leaf_width);
}

static double narrow(const tables *t, double x)
{
	return t->is_float ? (double)(float)x : x;
}

static bool is_member(const char *set, double x, int64_t rule)
{
	if (!(x < 2147483648.0) || !(x > -1.0) || (rule != 0 && x < 0.0))
		return false;
	const double category = trunc(x);
	while (*set != ']') {
		if (next_number(&set) == category)
			return rule != 3 || category == x;
	}
	return false;
}

static bool goes_right(const tables *t, int64_t test, double x)
{
	const int64_t kind = t->kinds[test];
	if (t->compares_floats)
		x = (double)(float)x;
	if (isnan(x) || (kind & 8 && fabs(x) <= (double)1e-35f))
		return kind & 4;
	assert_int_equal((kind & 16) != 0, isnan(t->cuts[test]));
	if ((kind & 3) == 0)
		return x >= t->cuts[test];
	return is_member(t->sets[(size_t)t->cuts[test]], x, t->rule) == ((kind & 3) == 1);
}

static void sum_trees(const tables *t, const double *row, double *out)
{
	size_t first_split = 0, first_leaf = 0;
	for (size_t tree = 0; tree < t->n_trees; tree++) {
		int64_t at = t->split_counts[tree] ? 0 : -1;
		while (at >= 0) {
			const size_t split = first_split + (size_t)at;
			const int64_t test = t->split_tests[split];
			at = goes_right(t, test, row[t->features[test]]) ? t->rights[split] : t->lefts[split];
		}
		const size_t leaf = (first_leaf + (size_t)(-at - 1)) * (size_t)t->width;
		for (size_t i = 0; i < (size_t)t->width; i++) {
			double *o = out + t->outputs[tree] + i;
			*o = narrow(t, *o + t->leaves[leaf + i]);
		}
		first_split += (size_t)t->split_counts[tree];
		first_leaf += (size_t)t->split_counts[tree] + 1;
	}
}

static void sum_weights(const tables *t, const double *row, size_t n_features, double *out)
{
	for (size_t i = 0; i < n_features; i++) {
		const double x = t->compares_floats ? (double)(float)row[i] : row[i];
		for (size_t o = 0; o < t->n_outputs && !(t->skip_missing && isnan(x)); o++)
			out[o] = narrow(t, out[o] + narrow(t, x * t->weights[i * t->n_outputs + o]));
	}
}

static void margins(const tables *t, const forest *f, const double *row, double *out)
{
	for (size_t i = 0; i < t->n_outputs; i++)
		out[i] = t->base_first ? t->base[i] : 0.0;
	if (f->kind == SCORE_KIND_LINEAR)
		sum_weights(t, row, f->n_features, out);
	else
		sum_trees(t, row, out);
	for (size_t i = 0; i < t->n_outputs && !t->base_first; i++) {
		if (t->average == 1 && t->iterations)
			out[i] = narrow(t, out[i] / (double)t->iterations);
		if (t->scale != 1.0)
			out[i] = narrow(t, t->average == 3 ? out[i] / t->scale : out[i] * t->scale);
		if (t->base[i] != 0.0)
			out[i] = narrow(t, out[i] + t->base[i]);
	}
}

/* ---- models --------------------------------------------------------------------------------------------------------- */

/* Margins of n outputs are the features. */
static void add_identity(score_builder *b, uint32_t n)
{
	double weights[MOST_OUTPUTS * MOST_OUTPUTS] = {0.0};
	score_error error;
	for (size_t i = 0; i < n; i++)
		weights[i * n + i] = 1.0;
	must(score_builder_set_linear(b, weights, 0, &error), &error);
}

static score_model *linked_model(score_link link, uint32_t n, double parameter)
{
	const score_contract c = SCORE_CONTRACT_INIT(n, n);
	score_builder *b = export_builder(&c);
	score_error error;
	must(score_builder_set_link(b, link, parameter, &error), &error);
	add_identity(b, n);
	return export_finish(b);
}

/* ---- tests ---------------------------------------------------------------------------------------------------------- */

static void every_number_of_a_stump(void **state)
{
	static const char *const lines[] = {
		"// Risk: written by Scoreline " SCORE_VERSION_STRING ". Do not edit.\nfunction main(f0,f1) {\n  'use strict';\n",
		"  var isFloat = true;\n", "  var comparesFloats = false;\n", "  var baseFirst = true;\n", "  var linked = true;\n",
		"  var average = 0;\n", "  var iterations = 2;\n", "  var scale = numbers([1,0])[0];\n", "  var base = numbers([-3,-2]);\n",
		"  var dictionaries = [null,null];\n", "  var rule = 0;\n", "  var width = 1;\n", "  var features = [0];\n",
		"  var kinds = [4];\n", "  var cuts = numbers([1,-1]);\n", "  var sets = [];\n", "  var splitCounts = [1,1];\n",
		"  var outputs = [0,0];\n", "  var splitTests = [0,0];\n", "  var lefts = [-1,-1];\n", "  var rights = [-2,-2];\n",
		"  var leaves = numbers([3,-1,-1,-2,5,1,-0,0]);\n", "  var link = 'sigmoid';\n", "  var parameter = numbers([5,-1])[0];\n",
		"  }());\n  return main.score([f0,f1]);\n}\n",
	};
	score_contract c = SCORE_CONTRACT_INIT(2, 1);
	score_error error;
	const double base = -0.75;
	(void)state;
	c.sum = SCORE_F32;
	score_builder *b = export_builder(&c);
	must(score_builder_set_base(b, &base, 1, &error), &error);
	must(score_builder_set_link(b, SCORE_LINK_SIGMOID, 2.5, &error), &error);
	export_add_stump(b, 1.5, -0.25);
	export_add_stump(b, 10.0, -0.0);
	score_model *model = export_finish(b);
	char *source = export_source(model, "Risk", SCORE_OUTPUT_PREDICTION);
	assert_memory_equal(source, lines[0], strlen(lines[0]));
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		expect_text(source, lines[i]);
	free(source);
	score_model_free(model);
}

/* Samples of every construct: the tables in the source give the golden margins. */
static void tables_give_the_golden_margins(void **state)
{
	tables *t = calloc(1, sizeof *t);
	size_t n_walked = 0;
	(void)state;
	for (size_t i = 0; i < n_samples; i++) {
		sl_arena arena;
		sl_vector text;
		sl_arena_init(&arena, NULL, (size_t)1 << 30);
		sl_vector_init(&text, NULL, 1);
		const forest *f = sample_make(samples + i, &arena);
		assert_non_null(f);
		if (export_js(f, samples[i].name, false, &text, NULL) == SCORE_OK) {
			assert_true(sl_vector_push(&text, "", 1));
			read_tables(t, text.data, f);
			assert_true(f->n_golden > 1);
			for (uint32_t r = 0; r < f->n_golden; r++) {
				double out[MOST_OUTPUTS];
				margins(t, f, f->golden_rows + (size_t)r * f->n_features, out);
				for (size_t o = 0; o < t->n_outputs; o++) {
					const double expected = f->golden_margins[r * t->n_outputs + o];
					if (memcmp(out + o, &expected, sizeof expected) != 0 && !(isnan(out[o]) && isnan(expected)))
						fail_msg("%s, row %u: %a, expected %a", samples[i].name, r, out[o], expected);
				}
			}
			n_walked++;
		}
		sl_vector_free(&text);
		sl_arena_free(&arena);
	}
	assert_int_equal(n_walked, n_samples - 3); /* derived, derived-linear, linear-leaves */
	free(t);
}

/* No line of a list is longer than an editor likes. */
static void lists_are_broken_into_lines(void **state)
{
	sl_arena arena;
	sl_vector text;
	(void)state;
	sl_arena_init(&arena, NULL, (size_t)1 << 30);
	sl_vector_init(&text, NULL, 1);
	const forest *f = sample_make(sample_find("chain"), &arena);
	assert_int_equal(export_js(f, "chain", true, &text, NULL), SCORE_OK);
	assert_true(sl_vector_push(&text, "", 1));
	size_t n_lines = 0;
	for (const char *line = value_of(text.data, "leaves"); *line != ']'; n_lines++) {
		const size_t length = strcspn(line, "\n");
		assert_true(length < 160);
		if (line[length - 1] == ';')
			break;
		line += length + 1;
	}
	assert_true(n_lines > 40);
	sl_vector_free(&text);
	sl_arena_free(&arena);
}

static void links(void **state)
{
	static const struct {
		score_link link;
		uint32_t n;
		const char *name;
		bool has_table;
	} supported[] = {
		{SCORE_LINK_IDENTITY, 1, "identity", false}, {SCORE_LINK_SIGMOID_XGBOOST, 1, "sigmoid_xgboost", true},
		{SCORE_LINK_SIGMOID, 2, "sigmoid", true}, {SCORE_LINK_EXP, 1, "exp", true}, {SCORE_LINK_HINGE, 1, "hinge", false},
		{SCORE_LINK_SOFTMAX_XGBOOST, 3, "softmax_xgboost", true}, {SCORE_LINK_SOFTMAX, 3, "softmax", true},
		{SCORE_LINK_ARGMAX, 3, "argmax", false}, {SCORE_LINK_SIGNED_SQUARE, 1, "signed_square", false},
		{SCORE_LINK_BINARY_PAIR, 1, "binary_pair", true}, {SCORE_LINK_OVR_NORMALISED, 3, "ovr_normalised", true},
		{SCORE_LINK_SOFTMAX_PAIR, 1, "softmax_pair", true}, {SCORE_LINK_EXP_F64, 1, "exp_f64", true},
		{SCORE_LINK_MEAN_VARIANCE, 2, "mean_variance", true}, {SCORE_LINK_FLOAT, 1, "float", false},
		{SCORE_LINK_EXP_SCALED, 1, "exp_scaled", true}, {SCORE_LINK_EXP_CATBOOST, 1, "exp_catboost", false},
		{SCORE_LINK_SOFTMAX_CATBOOST, 5, "softmax_catboost", false},
		{SCORE_LINK_MEAN_VARIANCE_CATBOOST, 2, "mean_variance_catboost", false},
	};
	double table[MOST_NUMBERS];
	char line[64];
	(void)state;
	for (size_t i = 0; i < sizeof supported / sizeof supported[0]; i++) {
		score_model *model = linked_model(supported[i].link, supported[i].n, 0.0);
		char *source = export_source(model, "L", SCORE_OUTPUT_PREDICTION);
		snprintf(line, sizeof line, "  var link = '%s';\n", supported[i].name);
		expect_text(source, line);
		if (supported[i].link != SCORE_LINK_IDENTITY) { /* what the function does with it */
			snprintf(line, sizeof line, "    case '%s':", supported[i].name);
			expect_text(source, line);
		}
		assert_int_equal(numbers(source, "table", table), supported[i].has_table ? 256 : 0);
		for (int k = 0; supported[i].has_table && k < 128; k++) {
			/* The nearest double and what it lacks: exp2l() is within a few units of its own last place. */
			const long double exact = exp2l((long double)k / 128), share = (exact - (long double)table[2 * k]) / exact;
			assert_true(fabsl(share) <= 0x1.01p-53L && fabsl(share - (long double)table[2 * k + 1]) < 0x1p-60L);
		}
		free(source);
		source = export_source(model, "L", SCORE_OUTPUT_MARGIN);
		expect_text(source, "  var linked = false;\n");
		expect_no_text(source, "function predict(");
		expect_no_text(source, "var link =");
		free(source);
		score_model_free(model);
	}
}

/* The link is refused, the margin is not. */
static void links_that_are_refused(void **state)
{
	static const struct {
		score_link link;
		const char *name;
	} refused[] = {
		{SCORE_LINK_LOG1P_EXP, "log1p_exp"}, {SCORE_LINK_SORT, "sort"}, {SCORE_LINK_MODIFIED_HUBER, "modified_huber"},
		{SCORE_LINK_SIGMOID_ONNX, "sigmoid_onnx"}, {SCORE_LINK_SOFTMAX_ONNX, "softmax_onnx"},
		{SCORE_LINK_SOFTMAX_ZERO_ONNX, "softmax_zero_onnx"}, {SCORE_LINK_PROBIT_ONNX, "probit_onnx"},
		{SCORE_LINK_COMPLEMENT_ONNX, "complement_onnx"}, {SCORE_LINK_OPPOSITE_ONNX, "opposite_onnx"},
		{SCORE_LINK_SIGMOID_PAIR_ONNX, "sigmoid_pair_onnx"}, {SCORE_LINK_ISOLATION, "isolation"},
		{SCORE_LINK_COMPLEMENT, "complement"}, {SCORE_LINK_NORMALISED, "normalised"},
	};
	char message[128];
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		score_model *model = linked_model(refused[i].link, 1, 0.0);
		snprintf(message, sizeof message, "the link \"%s\" cannot be written as JavaScript; the margin can", refused[i].name);
		export_refused(model, SCORE_OUTPUT_PREDICTION, message);
		char *source = export_source(model, "L", SCORE_OUTPUT_MARGIN);
		expect_text(source, "  var weights = numbers([1,0]);\n");
		free(source);
		score_model_free(model);
	}
}

/* What parts answer is no link of the margins. */
static void parts_are_refused(void **state)
{
	const score_contract c = SCORE_CONTRACT_INIT(2, 2);
	score_part part = SCORE_PART_INIT(0, 2);
	score_error error;
	(void)state;
	score_builder *b = export_builder(&c);
	part.link = SCORE_LINK_SOFTMAX;
	must(score_builder_add_part(b, &part, &error), &error);
	must(score_builder_combine(b, SCORE_COMBINE_SUM, 0.0, 2, &error), &error);
	add_identity(b, 2);
	score_model *model = export_finish(b);
	export_refused(model, SCORE_OUTPUT_PREDICTION, "the link \"parts\" cannot be written as JavaScript; the margin can");
	char *source = export_source(model, "P", SCORE_OUTPUT_MARGIN);
	expect_text(source, "  var weights = numbers([1,0,0,0,0,0,1,0]);\n");
	free(source);
	score_model_free(model);
}

static void models_that_are_refused(void **state)
{
	static const struct {
		const char *sample, *message;
	} refused[] = {
		{"derived", "a model that computes columns from its features cannot be written as JavaScript"},
		{"derived-linear", "a model that computes columns from its features cannot be written as JavaScript"},
		{"linear-leaves", "a model with linear leaves cannot be written as JavaScript"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		sl_arena arena;
		sl_vector text;
		score_error error;
		sl_arena_init(&arena, NULL, (size_t)1 << 30);
		sl_vector_init(&text, NULL, 1);
		const forest *f = sample_make(sample_find(refused[i].sample), &arena);
		for (int prediction = 0; prediction < 2; prediction++) {
			assert_int_equal(export_js(f, "R", prediction, &text, &error), SCORE_ERR_UNSUPPORTED);
			assert_string_equal(error.message, refused[i].message);
			assert_int_equal(text.length, 0);
		}
		sl_arena_free(&arena);
	}
}

static void only_features_that_are_hashed_are_refused(void **state)
{
	(void)state;
	for (int is_hashed = 0; is_hashed < 2; is_hashed++) {
		score_contract c = SCORE_CONTRACT_INIT(2, 1);
		c.category_rule = SCORE_CATEGORY_HASH;
		score_builder *b = export_builder(&c);
		must(score_builder_set_feature(b, 1, "x", is_hashed ? SCORE_FEATURE_CATEGORY : SCORE_FEATURE_NUMERIC, NULL), NULL);
		export_add_stump(b, 1.0, 2.0);
		score_model *model = export_finish(b);
		if (is_hashed) {
			export_refused(model, SCORE_OUTPUT_MARGIN,
				"a model that knows categories by their hash (CatBoost) cannot be written as JavaScript");
		} else {
			char *source = export_source(model, NULL, SCORE_OUTPUT_MARGIN);
			expect_text(source, "function main(");
			free(source);
		}
		score_model_free(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_of_a_stump),
		cmocka_unit_test(tables_give_the_golden_margins),
		cmocka_unit_test(lists_are_broken_into_lines),
		cmocka_unit_test(links),
		cmocka_unit_test(links_that_are_refused),
		cmocka_unit_test(parts_are_refused),
		cmocka_unit_test(models_that_are_refused),
		cmocka_unit_test(only_features_that_are_hashed_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
