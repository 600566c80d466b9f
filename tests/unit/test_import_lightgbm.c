/*
 * The LightGBM importer on files of the real LightGBM (tests/data/make_lightgbm.py): margins and leaves bit
 * for bit.
 *
 * Predictions of links without exp() must agree bit for bit too. Where exp() is involved, LightGBM's recorded
 * answers came from the C library of another machine, and the last bits of libm are no promise: 2 units in
 * the last place are allowed.
 */
#include "lightgbm_files.h"

#include "base/base.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What LightGBM answered: the parts of a .f64 file. */
typedef struct answers {
	double *data;
	size_t n_rows, n_features, n_outputs, n_predictions, n_trees;
	const double *rows, *margins, *predictions, *leaves;
} answers;

static answers read_answers(const char *name, const char *suffix)
{
	text_file file = read_data(name, suffix);
	answers a = {.data = (double *)(void *)file.text};
	a.n_rows = (size_t)a.data[0];
	a.n_features = (size_t)a.data[1];
	a.n_outputs = (size_t)a.data[2];
	a.n_predictions = (size_t)a.data[3];
	a.n_trees = (size_t)a.data[4];
	a.rows = a.data + 5;
	a.margins = a.rows + a.n_rows * a.n_features;
	a.predictions = a.margins + a.n_rows * a.n_outputs;
	a.leaves = a.predictions + a.n_rows * a.n_predictions;
	assert_int_equal(file.length, (size_t)(a.leaves + a.n_rows * a.n_trees - a.data) * sizeof(double));
	return a;
}

/* Distance in units in the last place; equal bits are 0, and different signs are far apart. Every NaN is the same: its sign
 * is the processor's choice. */
static uint64_t ulps(double a, double b)
{
	uint64_t x = sl_f64_bits(a), y = sl_f64_bits(b);
	if (a != a && b != b)
		return 0;
	return x > y ? x - y : y - x;
}

static void compare(const char *what, const char *name, const double *got, const double *want, size_t n_rows,
	size_t width, uint64_t tolerance)
{
	for (size_t i = 0; i < n_rows * width; i++) {
		if (ulps(got[i], want[i]) > tolerance)
			fail_msg("%s of %s, row %zu, value %zu: %a, LightGBM says %a", what, name, i / width, i % width,
				got[i], want[i]);
	}
}

static double *score_all(const score_model *model, const answers *a, score_output output, size_t width)
{
	score_input in = score_input_rows_f64(a->rows, (int64_t)a->n_rows, (int64_t)a->n_features);
	score_options options = SCORE_OPTIONS_INIT;
	score_error error;
	double *out = malloc(a->n_rows * width * sizeof *out);
	assert_non_null(out);
	options.output = output;
	assert_int_equal(score_output_width(model, &options), width);
	if (score_batch(model, &in, out, a->n_rows * width, &options, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	return out;
}

static bool uses_exp(const score_model *model)
{
	const char *link = score_model_link_name(model);
	return strcmp(link, "identity") != 0 && strcmp(link, "signed_square") != 0;
}

static void check_scores(const score_model *model, const answers *a, const char *name)
{
	double *margins = score_all(model, a, SCORE_OUTPUT_MARGIN, a->n_outputs);
	double *predictions = score_all(model, a, SCORE_OUTPUT_PREDICTION, a->n_predictions);
	double *leaves = score_all(model, a, SCORE_OUTPUT_LEAF, a->n_trees);
	compare("leaf", name, leaves, a->leaves, a->n_rows, a->n_trees, 0);
	compare("margin", name, margins, a->margins, a->n_rows, a->n_outputs, 0);
	compare("prediction", name, predictions, a->predictions, a->n_rows, a->n_predictions,
		uses_exp(model) ? 2 : 0);
	free(margins);
	free(predictions);
	free(leaves);
}

static void check_file(const text_file *file, const char *name, const char *suffix,
	const score_import_options *options)
{
	answers a = read_answers(name, suffix);
	score_model *model = import_good(file, options);
	check_scores(model, &a, name);
	score_model_free(model);
	free(a.data);
}

/* ---- the real library's models -------------------------------------------------------------------- */

static void test_models(void **state)
{
	static const char *const names[] = {
		"missing_nan", "missing_none", "missing_zero", "every_decision", "categorical", "categorical_onehot",
		"pandas", "multiclass", "multiclassova", "rf_regression", "rf_binary", "rf_multiclass", "dart", "goss",
		"regression_l1", "huber", "fair", "quantile", "mape", "poisson", "gamma", "tweedie", "sqrt", "binary",
		"cross_entropy", "cross_entropy_lambda", "lambdarank", "rank_xendcg", "custom", "single_leaf",
		"no_objective", "linear",
	};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		text_file file = read_data(names[i], ".txt");
		check_file(&file, names[i], ".f64", NULL);
		free(file.text);
	}
}

static void test_iterations(void **state)
{
	static const struct {
		const char *name, *suffix;
		uint32_t begin, end;
	} slices[] = {
		{"missing_nan", ".0-1.f64", 0, 1}, {"missing_nan", ".1-3.f64", 1, 3},
		{"multiclass", ".1-2.f64", 1, 2},
		{"rf_regression", ".2-5.f64", 2, 5}, {"missing_nan", ".f64", 0, 4},
	};
	(void)state;
	for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
		score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
		text_file file = read_data(slices[i].name, ".txt");
		options.iteration_begin = slices[i].begin;
		options.iteration_end = slices[i].end;
		check_file(&file, slices[i].name, slices[i].suffix, &options);
		free(file.text);
	}
}

/* Every line of objectives.tsv: an objective, and "refused" or LightGBM's predictions of three rows. */
static void test_objective_lines(void **state)
{
	static const double rows[] = {-1, -1, 1, -1, 1, 1};
	text_file file = read_data("objectives", ".txt"), table = read_data("objectives", ".tsv");
	size_t n_lines = 0, n_refused = 0;
	(void)state;
	for (char *line = strtok(table.text, "\n"); line; line = strtok(NULL, "\n"), n_lines++) {
		char *answer = strchr(line, '\t'), objective[256];
		score_error error;
		double out[3];
		assert_non_null(answer);
		*answer++ = '\0';
		snprintf(objective, sizeof objective, "objective=%s\n", line);
		text_file edited = replaced(&file, "objective=regression\n", objective);
		score_model *model = import_text(edited.text, edited.length, NULL, &error);
		free(edited.text);
		if (strcmp(answer, "refused") == 0) {
			if (model || error.line != 7)
				fail_msg("objective \"%s\": not refused, or not in line 7", line);
			n_refused++;
			continue;
		}
		if (!model)
			fail_msg("objective \"%s\": %s", line, error.message);
		score_input in = score_input_rows_f64(rows, 3, 2);
		assert_int_equal(score_batch(model, &in, out, 3, NULL, &error), SCORE_OK);
		for (int i = 0; i < 3; i++) {
			double want = strtod(answer, &answer);
			if (ulps(out[i], want) > (uses_exp(model) ? 2u : 0u))
				fail_msg("objective \"%s\", row %d: %a, LightGBM says %a", line, i, out[i], want);
		}
		assert_string_equal(score_model_metadata_get(model, "objective"), line);
		score_model_free(model);
	}
	assert_true(n_lines > 60 && n_refused > 10);
	free(file.text);
	free(table.text);
}

/* ---- forms of the same file ------------------------------------------------------------------------- */

static void test_line_ends(void **state)
{
	text_file file = read_data("categorical", ".txt");
	text_file crlf = replaced(&file, "\n", "\r\n"), cr = replaced(&file, "\n", "\r");
	(void)state;
	check_file(&crlf, "categorical", ".f64", NULL);
	check_file(&cr, "categorical", ".f64", NULL);
	free(file.text);
	free(crlf.text);
	free(cr.text);
}

static void test_without_tree_sizes(void **state)
{
	text_file file = read_data("multiclass", ".txt"), edited = replaced(&file, "tree_sizes=", "sizes=");
	(void)state;
	check_file(&edited, "multiclass", ".f64", NULL);
	free(file.text);
	free(edited.text);
}

static void test_optional_lines(void **state)
{
	static const char *const lines[][2] = {
		{"num_tree_per_iteration=1\n", ""}, {"version=v4\n", ""}, {"is_linear=0\n", ""},
		{"shrinkage=1\n", ""},
		{"objective=regression\n", "unknown_key=a=b\nobjective=regression\nbare_key\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		text_file file = read_data("missing_nan", ".txt"), edited = replaced(&file, lines[i][0], lines[i][1]);
		check_file(&edited, "missing_nan", ".f64", NULL);
		free(file.text);
		free(edited.text);
	}
}

/* No decision_type: all splits are plain, as with 0. */
static void test_without_decision_type(void **state)
{
	text_file file = read_data("missing_none", ".txt");
	text_file edited = replaced(&file, "decision_type=", "ignored=");
	answers a = read_answers("missing_none", ".f64");
	score_model *model = import_good(&edited, NULL);
	(void)state;
	check_scores(model, &a, "missing_none without decision_type");
	score_model_free(model);
	free(a.data);
	free(file.text);
	free(edited.text);
}

/* ---- what the model says of itself ------------------------------------------------------------------- */

static void test_description(void **state)
{
	text_file file = read_data("pandas", ".txt");
	score_model *model = import_good(&file, NULL);
	score_model_info info = {.struct_size = sizeof info};
	(void)state;
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	assert_int_equal(info.n_features, 4);
	assert_int_equal(info.trees_per_iteration, 1);
	assert_string_equal(score_model_feature_name(model, 0), "size=x");
	assert_string_equal(score_model_feature_name(model, 3), "größe");
	assert_int_equal(score_model_feature_type(model, 0), SCORE_FEATURE_NUMERIC);
	assert_int_equal(score_model_feature_type(model, 1), SCORE_FEATURE_CATEGORY);
	assert_string_equal(score_model_metadata_get(model, "source.library"), "lightgbm");
	assert_string_equal(score_model_metadata_get(model, "source.version"), "v4");
	assert_string_equal(score_model_metadata_get(model, "objective"), "regression");
	assert_string_equal(score_model_metadata_get(model, "source.pandas_categorical"),
		"[[\"blue\", \"gr\\u00fcn\", \"red\"], [5, 7, 11]]");
	score_model_free(model);
	free(file.text);
}

static void test_no_pandas(void **state)
{
	text_file file = read_data("binary", ".txt");
	score_model *model = import_good(&file, NULL);
	(void)state;
	assert_null(score_model_metadata_get(model, "source.pandas_categorical"));
	assert_string_equal(score_model_metadata_get(model, "objective"), "binary sigmoid:1.7");
	score_model_free(model);
	free(file.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_models),
		cmocka_unit_test(test_iterations),
		cmocka_unit_test(test_objective_lines),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_without_tree_sizes),
		cmocka_unit_test(test_optional_lines),
		cmocka_unit_test(test_without_decision_type),
		cmocka_unit_test(test_description),
		cmocka_unit_test(test_no_pandas),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
