/* Calls between trees, of codes and of contributions, with one thing wrong: refused by name, and nothing is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "expect_error.h"
#include "random_model.h"

#include <scoreline/bins.h>
#include <scoreline/import.h>

#define N_FEATURES 3

static score_model *model; /* 6 trees of 2 outputs */
static score_error error;
static const double row[N_FEATURES] = {0.5, 1.0, 2.0};

static int make_model(void **state)
{
	const random_spec spec = {.seed = 3, .n_features = N_FEATURES, .n_outputs = 2, .n_trees = 6, .max_leaves = 8,
		.cuts_per_feature = 5, .has_covers = 1, .compare = SCORE_F64, .sum = SCORE_F64};
	(void)state;
	model = random_model(&spec);
	return 0;
}

static int free_model(void **state)
{
	(void)state;
	score_model_free(model);
	return 0;
}

static void stages(void **state)
{
	const score_input in = score_input_rows_f64(row, 1, N_FEATURES);
	score_options o = SCORE_OPTIONS_INIT;
	double out[6];
	(void)state;
	assert_int_equal(score_stage_count(model, 1, NULL), 3);
	assert_int_equal(score_stage_count(model, 2, NULL), 2);
	assert_int_equal(score_stage_count(model, 0, NULL), 0);
	assert_int_equal(score_stage_count(NULL, 1, NULL), 0);
	assert_int_equal(score_staged(model, &in, 1, out, 6, NULL, &error), SCORE_OK);
	expect_error(score_staged(NULL, &in, 1, out, 6, NULL, &error), &error, SCORE_ERR_ARGUMENT, "score_staged: model is NULL");
	expect_error(score_staged(model, &in, 0, out, 6, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"score_staged: every is 0, expected at least 1 iteration");
	o.tree_end = 3;
	expect_error(score_staged(model, &in, 1, out, 6, &o, &error), &error, SCORE_ERR_ARGUMENT,
		"score_staged: the tree range [0, 3) has no whole iterations of 2 trees");
	o.tree_end = 0;
	o.output = SCORE_OUTPUT_LEAF;
	expect_error(score_staged(model, &in, 1, out, 6, &o, &error), &error, SCORE_ERR_ARGUMENT,
		"score_staged gives predictions or margins, not output 2");
	o.output = 99;
	expect_error(score_staged(model, &in, 1, out, 6, &o, &error), &error, SCORE_ERR_ARGUMENT, "unknown output 99");
	assert_int_equal(score_stage_count(model, 1, &o), 0);
	o.output = -1;
	expect_error(score_batch(model, &in, out, 6, &o, &error), &error, SCORE_ERR_ARGUMENT, "unknown output -1");
}

static void contributions(void **state)
{
	const score_input in = score_input_rows_f64(row, 1, N_FEATURES);
	score_options o = SCORE_OPTIONS_INIT;
	double out[2 * (N_FEATURES + 1)];
	score_reason reason;
	char message[128];
	(void)state;
	o.output = SCORE_OUTPUT_CONTRIBUTION;
	snprintf(message, sizeof message, "contributions need scratch of %zu bytes (score_contribution_scratch_bytes()), found 0",
		score_contribution_scratch_bytes(model));
	expect_error(score_batch(model, &in, out, 8, &o, &error), &error, SCORE_ERR_ARGUMENT, message);
	o.regime = SCORE_REGIME_WALK;
	expect_error(score_batch(model, &in, out, 8, &o, &error), &error, SCORE_ERR_ARGUMENT,
		"contributions have no regimes: expected SCORE_REGIME_AUTO, found 'walk'");
	memset(out, 0, sizeof out);
	expect_error(score_top_reasons(model, out, 1, 0, 99, 1, &reason, &error), &error, SCORE_ERR_ARGUMENT, "unknown direction 99");
	expect_error(score_top_reasons(model, out, 1, 0, -1, 1, &reason, &error), &error, SCORE_ERR_ARGUMENT, "unknown direction -1");
	expect_error(score_top_reasons(model, out, 1, 2, SCORE_DIRECTION_UP, 1, &reason, &error), &error, SCORE_ERR_ARGUMENT,
		"reasons of output 2 were asked for, the model has 2");
	expect_error(score_top_reasons(model, NULL, 1, 0, SCORE_DIRECTION_UP, 1, &reason, &error), &error, SCORE_ERR_ARGUMENT,
		"score_top_reasons: model, contributions and out must not be NULL");
}

static void codes(void **state)
{
	const score_input in = score_input_rows_f64(row, 1, N_FEATURES);
	score_bins bins = {.struct_size = sizeof bins};
	uint64_t room[16] = {0};
	double out[2];
	(void)state;
	assert_int_equal(score_model_get_bins(model, &bins), SCORE_OK);
	const int64_t stride = (int64_t)bins.code_bytes;
	assert_int_equal(score_bin(model, &in, NULL, room, sizeof room, stride, &error), SCORE_OK);
	score_input binned = score_input_binned(&bins, room, stride, 1);
	assert_int_equal(score_batch(model, &binned, out, 2, NULL, &error), SCORE_OK);
	expect_error(score_bin(model, &binned, NULL, room, sizeof room, stride, &error), &error, SCORE_ERR_ARGUMENT,
		"score_bin: the rows are codes already");
	expect_error(score_bin(NULL, &in, NULL, room, sizeof room, stride, &error), &error, SCORE_ERR_ARGUMENT,
		"score_bin: model is NULL");
	out[0] = 7.0;
	binned.u.binned.codes = NULL;
	assert_int_equal(score_batch(model, &binned, out, 2, NULL, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "the input has 1 rows, and codes at "));
	binned.n_rows = -1;
	assert_int_equal(score_batch(model, &binned, out, 2, NULL, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "the input has -1 rows, and codes at "));
	assert_true(out[0] == 7.0);
}

/* Sets that no processor has. */
static void instruction_sets(void **state)
{
	score_import_options import = SCORE_IMPORT_OPTIONS_INIT;
	score_open_options open = SCORE_OPEN_OPTIONS_INIT;
	score_model *made = model;
	void *bytes = NULL;
	size_t size = 0;
	(void)state;
	import.isa = open.isa = 99;
	assert_int_equal(score_import_memory("{}", 2, &import, &made, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "this processor or build has no instruction set '"));
	assert_null(made);
	import.isa = SCORE_ISA_AUTO;
	import.onnx_compat = 99;
	expect_error(score_import_memory("{}", 2, &import, &made, &error), &error, SCORE_ERR_ARGUMENT,
		"score_import_options.onnx_compat is the unknown 99");
	assert_int_equal(score_model_save_memory(model, NULL, &bytes, &size, &error), SCORE_OK);
	made = model;
	assert_int_equal(score_model_open_memory(bytes, size, &open, &made, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "this processor or build has no instruction set '"));
	assert_null(made);
	score_model_free_bytes(model, bytes, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages),
		cmocka_unit_test(contributions),
		cmocka_unit_test(codes),
		cmocka_unit_test(instruction_sets),
	};
	return cmocka_run_group_tests(tests, make_model, free_model);
}
