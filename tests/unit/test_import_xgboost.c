/*
 * XGBoost files against the answers of the release that wrote them, margins bit for bit. Models and answers are
 * made by tests/data/make_xgboost.py.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "import/importers.h"

#define N_ROWS 64
#define N_FEATURES 5

typedef struct blob {
	uint8_t *data;
	size_t size;
} blob;

static blob read_data(const char *name)
{
	char path[512];
	snprintf(path, sizeof path, "%s/xgboost/%s", getenv("SCORELINE_TEST_DATA"), name);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	blob b = {malloc(1 << 20), 0};
	assert_non_null(b.data);
	b.size = fread(b.data, 1, 1 << 20, f);
	assert_true(b.size > 0 && b.size < 1 << 20);
	fclose(f);
	return b;
}

static score_status import_bytes(
	const void *data, size_t size, const score_import_options *options, score_model **out, score_error *error)
{
	score_builder *builder = NULL;
	score_format format = import_detect(data, size);
	*out = NULL;
	if (format != SCORE_FORMAT_XGBOOST_JSON && format != SCORE_FORMAT_XGBOOST_UBJSON)
		return import_refuse_unknown(data, size, error);
	score_status status = import_xgboost(data, size, format, options, &builder, error);
	assert_int_equal(status == SCORE_OK, builder != NULL);
	if (status == SCORE_OK)
		status = score_builder_finish(builder, out, error);
	score_builder_free(builder);
	return status;
}

static score_model *import_named(const char *name, const score_import_options *options)
{
	score_error error;
	score_model *model;
	blob file = read_data(name);
	if (import_bytes(file.data, file.size, options, &model, &error) != SCORE_OK)
		fail_msg("%s: %s (at %lld)", name, error.message, (long long)error.offset);
	free(file.data);
	return model;
}

/* ---- real files --------------------------------------------------------------------------------- */

static double *score_rows(const score_model *model, const float *rows, score_output output, size_t *width)
{
	score_options o = SCORE_OPTIONS_INIT;
	score_error error;
	o.output = output;
	score_input in = score_input_rows_f32(rows, N_ROWS, N_FEATURES);
	*width = score_output_width(model, &o);
	double *out = malloc(N_ROWS * *width * sizeof *out);
	assert_non_null(out);
	if (score_batch(model, &in, out, N_ROWS * *width, &o, &error) != SCORE_OK)
		fail_msg("score_batch: %s", error.message);
	return out;
}

/* Distance of two floats in representable values; 0 for the same bits. */
static int64_t ulps(float a, float b)
{
	int32_t x, y;
	memcpy(&x, &a, 4);
	memcpy(&y, &b, 4);
	if (x == y)
		return 0;
	return (x < 0) != (y < 0) ? INT32_MAX : llabs((long long)x - y);
}

static const float *compare(const char *name, const char *what, const score_model *model, const float *rows,
	score_output output, const float *answer, int64_t tolerance)
{
	size_t width;
	double *out = score_rows(model, rows, output, &width);
	for (size_t i = 0; i < N_ROWS * width; i++) {
		float ours = (float)out[i];
		if ((double)ours != out[i] || ulps(ours, answer[i]) > tolerance)
			fail_msg("%s, %s, row %zu, value %zu: %a instead of %a", name, what, i / width, i % width, out[i],
				(double)answer[i]);
	}
	free(out);
	return answer + N_ROWS * width;
}

static const uint8_t *compare_all(const char *name, const score_model *model, const float *rows, const blob *answers)
{
	score_model_info info;
	info.struct_size = sizeof info;
	const float *end = compare(name, "margin", model, rows, SCORE_OUTPUT_MARGIN, (const float *)(void *)answers->data, 0);
	end = compare(name, "prediction", model, rows, SCORE_OUTPUT_PREDICTION, end, 1);
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	if (info.kind == SCORE_KIND_TREES)
		end = compare(name, "leaf", model, rows, SCORE_OUTPUT_LEAF, end, 0);
	return (const uint8_t *)end;
}

/* The same rows and answers with a value, no float, that stands for NaN. */
static void check_missing(const char *name, float *rows, const blob *answers)
{
	const double missing = -777.1;
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	options.missing = &missing;
	score_model *model = import_named(name, &options);
	for (size_t i = 0; i < N_ROWS * N_FEATURES; i++)
		rows[i] = rows[i] != rows[i] ? -777.1f : rows[i];
	compare_all(name, model, rows, answers);
	score_model_free(model);
}

/* Margins and leaves have the same bits; a prediction may differ in the last one, by another mathematical
 * library. */
static void check_file(const char *stem, const char *ending)
{
	char name[128];
	blob rows = read_data("rows.f32");
	assert_int_equal(rows.size, N_ROWS * N_FEATURES * sizeof(float));
	snprintf(name, sizeof name, "%s.f32", stem);
	blob answers = read_data(name);
	snprintf(name, sizeof name, "%s.%s", stem, ending);
	score_model *model = import_named(name, NULL);
	float *x = (float *)(void *)rows.data;
	assert_int_equal(compare_all(name, model, x, &answers) - answers.data, answers.size);
	check_missing(name, x, &answers);
	assert_string_equal(score_model_metadata_get(model, "best_iteration"), "1");
	assert_string_equal(score_model_metadata_get(model, "note"), "f\xC3\xBCr den Test");
	assert_string_equal(score_model_metadata_get(model, "source.library"), "xgboost");
	assert_string_equal(score_model_metadata_get(model, "source.version"), strrchr(stem, '-') + 1);
	score_model_free(model);
	free(rows.data);
	free(answers.data);
}

static void answers_as_every_release(void **state)
{
	static const char *const releases[] = {"1.2.1", "1.3.3", "1.5.2", "1.7.6", "2.1.4", "3.1.3", "3.2.0"};
	static const struct {
		const char *name;
		size_t since; /* release of the list above */
		bool ubjson;
	} models[] = {{"regression", 0, true}, {"softprob", 0, true}, {"dart", 0, true}, {"linear", 0, true},
		{"pruned", 0, false}, {"logistic", 0, false}, {"poisson", 0, false}, {"categorical", 3, true},
		{"onehot", 3, false}, {"targets", 3, false}, {"vectors", 4, true}, {"quantile", 4, false}};
	char stem[64];
	(void)state;
	for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
		for (size_t k = models[i].since; k < sizeof releases / sizeof releases[0]; k++) {
			snprintf(stem, sizeof stem, "%s-%s", models[i].name, releases[k]);
			check_file(stem, "json");
			if (models[i].ubjson && k >= 3)
				check_file(stem, "ubj");
		}
	}
}

static void answers_for_every_objective(void **state)
{
	static const char *const objectives[] = {"reg_squaredlogerror", "reg_pseudohubererror",
		"reg_absoluteerror", "reg_logistic", "binary_logitraw", "binary_hinge", "reg_gamma", "reg_tweedie",
		"survival_cox", "multi_softmax", "rank_pairwise", "rank_ndcg", "rank_map", "survival_aft"};
	char stem[64];
	(void)state;
	for (size_t i = 0; i < sizeof objectives / sizeof objectives[0]; i++) {
		snprintf(stem, sizeof stem, "%s-3.2.0", objectives[i]);
		check_file(stem, "json");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_as_every_release),
		cmocka_unit_test(answers_for_every_objective),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
