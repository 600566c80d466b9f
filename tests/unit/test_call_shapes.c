/* Calls that do not fit their model: what it is, the codes and the room that it needs, the text that it was not trained on. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect_error.h"
#include "random_model.h"
#include "served_models.h"

#include <scoreline/bins.h>

static score_error error;

/* ---- what the model is ------------------------------------------------------------------------------------------- */

static void linear_models(void **state)
{
	const double row[] = {1.0, 2.0};
	const score_input in = score_input_rows_f64(row, 1, 2);
	score_model *model = scaling_model(2.0);
	score_options o = SCORE_OPTIONS_INIT;
	score_bins bins = SCORE_BINS_INIT;
	score_bin_column column = SCORE_BIN_COLUMN_INIT;
	score_explainer *explainer = (score_explainer *)&error;
	double out = 7.0;
	uint8_t decision = 7;
	(void)state;
	expect_error(score_staged(model, &in, 1, &out, 1, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"score_staged: a linear model has no trees");
	expect_error(score_decide(model, &in, 0.0, &decision, 1, NULL, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"score_decide: a linear model has no trees");
	assert_int_equal(score_stage_count(model, 1, NULL), 0);
	const char *no_trees = "a linear model has no trees: no leaves, no tree range";
	o.tree_begin = 1;
	expect_error(score_batch(model, &in, &out, 1, &o, &error), &error, SCORE_ERR_ARGUMENT, no_trees);
	o.tree_begin = 0;
	o.tree_end = 1;
	expect_error(score_batch(model, &in, &out, 1, &o, &error), &error, SCORE_ERR_ARGUMENT, no_trees);
	o.tree_end = 0;
	o.output = SCORE_OUTPUT_LEAF;
	expect_error(score_batch(model, &in, &out, 1, &o, &error), &error, SCORE_ERR_ARGUMENT, no_trees);
	assert_int_equal(score_model_get_bins(model, &bins), SCORE_OK);
	assert_true(bins.n_columns == 0 && bins.code_bytes == 0);
	expect_error(score_model_get_bin_column(model, 0, &column, &error), &error, SCORE_ERR_ARGUMENT,
		"there is no column 0 of codes, the model has 0");
	expect_error(score_bin(model, &in, NULL, &out, sizeof out, 8, &error), &error, SCORE_ERR_UNSUPPORTED,
		"rows cannot be binned: a linear model sums values, not bins; give score_batch() the rows");
	const score_input codes = score_input_binned(&bins, row, 8, 1);
	expect_error(score_batch(model, &codes, &out, 1, NULL, &error), &error, SCORE_ERR_UNSUPPORTED,
		"codes cannot be scored: a linear model sums values, not bins");
	expect_error(score_explainer_new(model, &in, NULL, &explainer, &error), &error, SCORE_ERR_UNSUPPORTED,
		"no contributions: a linear model needs no background");
	assert_null(explainer);
	assert_true(out == 7.0 && decision == 7);
	score_model_free(model);
}

/* The margins of a row on the way to one class number must fit the stack, between trees too. */
static void many_outputs(void **state)
{
	const random_spec spec = {.seed = 5, .n_features = 3, .n_outputs = 65, .n_trees = 65, .max_leaves = 4,
		.cuts_per_feature = 5, .compare = SCORE_F32, .sum = SCORE_F32, .link = SCORE_LINK_ARGMAX};
	const double row[] = {0.5, 1.0, 2.0};
	const score_input in = score_input_rows_f64(row, 1, 3);
	score_model *model = random_model(&spec);
	score_options o = SCORE_OPTIONS_INIT;
	double out[65], margins[65];
	(void)state;
	expect_error(score_staged(model, &in, 1, out, 65, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"score_staged: too many outputs for this link; ask for margins");
	o.output = SCORE_OUTPUT_MARGIN;
	char message[128];
	snprintf(message, sizeof message, "this call needs scratch of score_scratch_bytes(), %zu bytes", score_scratch_bytes(model));
	expect_error(score_staged(model, &in, 1, out, 65, &o, &error), &error, SCORE_ERR_ARGUMENT, message);
	o.scratch_bytes = score_scratch_bytes(model);
	o.scratch = malloc(o.scratch_bytes);
	assert_int_equal(score_staged(model, &in, 1, out, 65, &o, &error), SCORE_OK);
	assert_int_equal(score_batch(model, &in, margins, 65, &o, &error), SCORE_OK);
	assert_memory_equal(out, margins, sizeof out);
	free(o.scratch);
	score_model_free(model);
	/* The most that fit. */
	random_spec fits = spec;
	fits.n_outputs = fits.n_trees = 64;
	model = random_model(&fits);
	o = (score_options)SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_MARGIN;
	assert_int_equal(score_staged(model, &in, 1, out, 64, &o, &error), SCORE_OK);
	assert_int_equal(score_batch(model, &in, margins, 64, &o, &error), SCORE_OK);
	assert_memory_equal(out, margins, 64 * sizeof *out);
	score_model_free(model);
}

static score_model *stump_model(const score_contract *c, uint32_t n_nodes)
{
	static const score_node nodes[] = {{.left = 1, .right = 2, .test = SCORE_TEST_LT, .value = 2.5}, {.value = 1.0}, {.value = 2.0}};
	score_builder *b = NULL;
	score_model *model = NULL;
	score_tree t = SCORE_TREE_INIT;
	t.nodes = n_nodes == 1 ? nodes + 1 : nodes;
	t.n_nodes = n_nodes;
	assert_int_equal(score_builder_new(c, NULL, &b, &error), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	score_builder_free(b);
	return model;
}

/* A scale that turns the order of sums around bounds nothing: every tree is asked, and the answer is that of the margin. */
static void negative_scale(void **state)
{
	const double rows[] = {1.0, 3.0};
	const score_input in = score_input_rows_f64(rows, 2, 1);
	score_contract c = SCORE_CONTRACT_INIT(1, 1);
	uint8_t out[2];
	double scores[2];
	uint64_t n_trees = 0;
	(void)state;
	c.base_position = SCORE_BASE_LAST;
	c.scale = -1.0;
	score_model *model = stump_model(&c, 3);
	assert_int_equal(score_decide(model, &in, -1.5, out, 2, NULL, &n_trees, &error), SCORE_OK);
	assert_true(out[0] == 1 && out[1] == 0 && n_trees == 2);
	expect_error(score_early_stop(model, &in, 1, 0.5, scores, 2, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"score_early_stop: the model averages, scales or adds a base after its trees, so its sums are no margins");
	score_options o = SCORE_OPTIONS_INIT;
	o.tree_begin = o.tree_end = 1;
	expect_error(score_decide(model, &in, 0.0, out, 2, &o, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"score_decide: it takes all trees, and a cut-off that is a number");
	o.tree_end = 0;
	expect_error(score_batch(model, &in, scores, 2, &o, &error), &error, SCORE_ERR_ARGUMENT,
		"tree range [1, 0) is not within the model's 1 trees");
	score_model_free(model);
}

/* The last trees turn the answer around, by any of their leaves: it is not known before them. */
static void late_trees(void **state)
{
	enum { TREES = 40 };
	const score_contract c = SCORE_CONTRACT_INIT(2, 1);
	(void)state;
	for (int kind = 0; kind < 6; kind++) {
		const double sign = kind % 2 ? -1.0 : 1.0, row[] = {kind / 2 == 0 ? 0.0 : 1.0, kind / 2 == 1 ? 0.0 : 1.0};
		const score_input in = score_input_rows_f64(row, 1, 2);
		score_builder *b = NULL;
		score_model *model = NULL;
		uint8_t out = 7;
		assert_int_equal(score_builder_new(&c, NULL, &b, &error), SCORE_OK);
		for (int i = 0; i < TREES; i++) {
			/* Three leaves, of which the row reaches the one that matters. */
			score_node nodes[] = {{.left = 1, .right = 2, .feature = 0, .test = SCORE_TEST_LT, .value = 0.5}, {.value = 0.0},
				{.left = 3, .right = 4, .feature = 1, .test = SCORE_TEST_LT, .value = 0.5}, {.value = 0.0}, {.value = 0.0}};
			const int reached = kind / 2 == 0 ? 1 : kind / 2 == 1 ? 3 : 4;
			nodes[reached].value = sign * (i < 32 ? -1.0 : 10.0);
			score_tree t = SCORE_TREE_INIT;
			t.nodes = nodes;
			t.n_nodes = 5;
			assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
		}
		assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
		score_builder_free(b);
		assert_int_equal(score_decide(model, &in, 0.0, &out, 1, NULL, NULL, &error), SCORE_OK);
		assert_int_equal(out, kind % 2 == 0); /* 48 or -48 */
		score_model_free(model);
	}
}

/* Leaves that depend on the row are not bounded either. */
static void linear_leaves(void **state)
{
	static const score_node node = {.value = 1.0};
	static const score_linear_leaf leaf = {0.5, 0, 1};
	static const uint32_t feature = 0;
	static const double coefficient = 2.0;
	const double rows[] = {1.0, -1.0};
	const score_input in = score_input_rows_f64(rows, 2, 1);
	const score_contract c = SCORE_CONTRACT_INIT(1, 1);
	score_builder *b = NULL;
	score_model *model = NULL;
	score_tree t = SCORE_TREE_INIT;
	uint64_t n_trees = 0;
	uint8_t out[2];
	double scores[2];
	(void)state;
	t.nodes = &node;
	t.n_nodes = 1;
	t.linear_leaves = &leaf;
	t.term_features = &feature;
	t.term_coefficients = &coefficient;
	t.n_terms = 1;
	assert_int_equal(score_builder_new(&c, NULL, &b, &error), SCORE_OK);
	for (int i = 0; i < 40; i++)
		assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	score_builder_free(b);
	assert_int_equal(score_decide(model, &in, 0.0, out, 2, NULL, &n_trees, &error), SCORE_OK);
	assert_true(out[0] == 1 && out[1] == 0 && n_trees == 80);
	assert_int_equal(score_early_stop(model, &in, 1, 1e9, scores, 2, NULL, &error), SCORE_OK);
	assert_true(scores[0] == 100.0 && scores[1] == -60.0);
	expect_error(score_early_stop(model, &in, 0, 1.0, scores, 2, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"score_early_stop: every must be at least 1, and margin a number");
	score_model_free(model);
}

/* A model that asks nothing has no codes, and needs none. */
static void no_questions(void **state)
{
	const score_contract c = SCORE_CONTRACT_INIT(1, 1);
	score_model *model = stump_model(&c, 1);
	score_bins bins = SCORE_BINS_INIT;
	double out[3];
	(void)state;
	assert_int_equal(score_model_get_bins(model, &bins), SCORE_OK);
	assert_int_equal(bins.n_columns, 0);
	const score_input in = score_input_binned(&bins, NULL, 3, 3);
	assert_int_equal(score_batch(model, &in, out, 3, NULL, &error), SCORE_OK);
	assert_true(out[0] == 1.0 && out[1] == 1.0 && out[2] == 1.0);
	const double rows[] = {1.0, 2.0, 3.0};
	const score_input values = score_input_rows_f64(rows, 3, 1), none = score_input_binned(&bins, NULL, 0, 0);
	assert_int_equal(score_bin(model, &values, NULL, NULL, 0, 3, &error), SCORE_OK);
	assert_int_equal(score_batch(model, &none, out, 0, NULL, &error), SCORE_OK);
	score_model_free(model);
}

/* ---- rooms -------------------------------------------------------------------------------------------------------- */

#define N_ROWS 4

/* Codes of two bytes in three columns. */
static score_model *wide_model(score_bins *bins, double *rows)
{
	const random_spec spec = {.seed = 8, .n_features = 3, .n_outputs = 2, .n_trees = 10, .max_leaves = 250, .cuts_per_feature = 2000,
		.leafwise = 1, .compare = SCORE_F64, .sum = SCORE_F64};
	score_model *model = random_model(&spec);
	random_rows(&spec, 1, N_ROWS, rows);
	*bins = (score_bins)SCORE_BINS_INIT;
	assert_int_equal(score_model_get_bins(model, bins), SCORE_OK);
	assert_true(bins->code_bytes == 2 && bins->n_columns >= 3);
	return model;
}

static void tables_of_codes(void **state)
{
	score_bins bins;
	double rows[3 * N_ROWS], out[2 * N_ROWS], wanted[2 * N_ROWS];
	score_model *model = wide_model(&bins, rows);
	const score_input in = score_input_rows_f64(rows, N_ROWS, 3);
	const size_t bytes = 8 * bins.n_columns;
	uint16_t *codes = malloc(bytes + 2);
	char *odd = (char *)codes + 1, message[256];
	(void)state;
#define WRONG(TO, BYTES, STRIDE, CODE, MESSAGE) \
	expect_error(score_bin(model, &in, NULL, TO, BYTES, STRIDE, &error), &error, CODE, MESSAGE)
	WRONG(codes, bytes, -8, SCORE_ERR_ARGUMENT,
		"columns of 4 rows of codes of 2 bytes cannot be -8 bytes apart: expected a multiple of 2, at least 8");
	WRONG(codes, bytes, 9, SCORE_ERR_ARGUMENT,
		"columns of 4 rows of codes of 2 bytes cannot be 9 bytes apart: expected a multiple of 2, at least 8");
	WRONG(codes, bytes, 6, SCORE_ERR_ARGUMENT,
		"columns of 4 rows of codes of 2 bytes cannot be 6 bytes apart: expected a multiple of 2, at least 8");
	WRONG(odd, bytes, 8, SCORE_ERR_ARGUMENT, "codes must be aligned to 2 bytes");
	snprintf(message, sizeof message, "codes has room for %zu bytes, %u columns that are 8 bytes apart need %zu", bytes - 1,
		bins.n_columns, bytes);
	WRONG(codes, bytes - 1, 8, SCORE_ERR_SHAPE, message);
	snprintf(message, sizeof message, "codes has room for 0 bytes, %u columns that are 8 bytes apart need %zu", bins.n_columns, bytes);
	WRONG(NULL, bytes, 8, SCORE_ERR_SHAPE, message);
	snprintf(message, sizeof message, "codes has room for %zu bytes, %u columns that are %lld bytes apart need %zu", bytes,
		bins.n_columns, (long long)INT64_MAX - 1, SIZE_MAX);
	WRONG(codes, bytes, INT64_MAX - 1, SCORE_ERR_SHAPE, message);
#undef WRONG
	assert_int_equal(score_bin(model, &in, NULL, codes, bytes, 8, &error), SCORE_OK);
	const score_input good = score_input_binned(&bins, codes, 8, N_ROWS);
	assert_int_equal(score_batch(model, &in, wanted, 2 * N_ROWS, NULL, &error), SCORE_OK);
	assert_int_equal(score_batch(model, &good, out, 2 * N_ROWS, NULL, &error), SCORE_OK);
	assert_memory_equal(out, wanted, sizeof out);
	score_input wrong = good;
#define WRONG(STATEMENT, CODE, MESSAGE) \
	wrong = good; \
	STATEMENT; \
	expect_error(score_batch(model, &wrong, out, 2 * N_ROWS, NULL, &error), &error, CODE, MESSAGE)
	const char *overlap = "codes and the distance of their columns, %d, must be multiples of their 2 bytes, and columns must not overlap";
	snprintf(message, sizeof message, overlap, -8);
	WRONG(wrong.u.binned.column_stride_bytes = -8, SCORE_ERR_ARGUMENT, message);
	snprintf(message, sizeof message, overlap, 9);
	WRONG(wrong.u.binned.column_stride_bytes = 9, SCORE_ERR_ARGUMENT, message);
	snprintf(message, sizeof message, overlap, 6);
	WRONG(wrong.u.binned.column_stride_bytes = 6, SCORE_ERR_ARGUMENT, message);
	snprintf(message, sizeof message, overlap, 8);
	WRONG(wrong.u.binned.codes = odd, SCORE_ERR_ARGUMENT, message);
	const char *other = "the codes were made for other bins than this model has: bin the rows with this model, or with one whose "
		"score_bins.hash is the same";
	WRONG(wrong.u.binned.hash[3] ^= 1, SCORE_ERR_SHAPE, other);
	WRONG(wrong.u.binned.code_bytes = 1, SCORE_ERR_SHAPE, other);
	WRONG(wrong.n_columns++, SCORE_ERR_SHAPE, other);
	WRONG(wrong.struct_size = 3, SCORE_ERR_ARGUMENT, "score_input.struct_size is 3: set it to sizeof(score_input)");
#undef WRONG
	free(codes);
	score_model_free(model);
}

static void rooms_for_answers(void **state)
{
	score_bins bins;
	double rows[3 * N_ROWS], out[100];
	score_model *model = wide_model(&bins, rows);
	score_options o = SCORE_OPTIONS_INIT;
	score_input in = score_input_rows_f64(rows, N_ROWS, 3);
	(void)state;
	expect_error(score_batch(model, &in, out, 7, NULL, &error), &error, SCORE_ERR_SHAPE,
		"out has room for 7 values, 4 rows of 2 values need 8");
	expect_error(score_batch(model, &in, NULL, 8, NULL, &error), &error, SCORE_ERR_SHAPE,
		"out has room for 0 values, 4 rows of 2 values need 8");
	expect_error(score_staged(model, &in, 1, out, 39, NULL, &error), &error, SCORE_ERR_SHAPE,
		"out has room for 39 values, 4 rows of 10 values need 40");
	expect_error(score_staged(model, &in, 1, NULL, 40, NULL, &error), &error, SCORE_ERR_SHAPE,
		"out has room for 0 values, 4 rows of 10 values need 40");
	in.n_rows = INT64_MAX;
	o.output = SCORE_OUTPUT_LEAF;
	expect_error(score_batch(model, &in, out, 100, &o, &error), &error, SCORE_ERR_SHAPE,
		"out has room for 100 values, 9223372036854775807 rows of 10 values need 18446744073709551615");
	expect_error(score_staged(model, &in, 1, out, 100, NULL, &error), &error, SCORE_ERR_SHAPE,
		"out has room for 100 values, 9223372036854775807 rows of 10 values need 18446744073709551615");
	in.n_rows = 0; /* nothing to do, and nothing needed */
	assert_int_equal(score_staged(model, &in, 1, NULL, 0, NULL, &error), SCORE_OK);
	assert_int_equal(score_bin(model, &in, NULL, NULL, 0, 0, &error), SCORE_OK);
	in.n_rows = N_ROWS;
	char message[128];
	o = (score_options)SCORE_OPTIONS_INIT;
	o.regime = SCORE_REGIME_BATCH;
	snprintf(message, sizeof message, "this call needs scratch of score_scratch_bytes(), %zu bytes, or the model is not for batches",
		score_scratch_bytes(model));
	expect_error(score_staged(model, &in, 1, out, 100, &o, &error), &error, SCORE_ERR_ARGUMENT, message);
	score_model_free(model);
}

/* ---- text that the model refuses ------------------------------------------------------------------------------------ */

/* Every label but Rome and Oslo is refused; asked by a tree with covers, or summed. */
static score_model *strict_model(bool linear)
{
	static const char *const labels[] = {"Rome", "Oslo"};
	static const score_node nodes[] = {{.left = 1, .right = 2, .test = SCORE_TEST_IN_LEFT, .n_categories = 1}, {.value = 1.0},
		{.value = 2.0}};
	static const uint32_t rome[] = {0};
	static const double covers[] = {3.0, 1.0, 2.0}, weight = 1.0;
	const score_contract c = SCORE_CONTRACT_INIT(1, 1);
	score_builder *b = NULL;
	score_model *model = NULL;
	score_tree t = SCORE_TREE_INIT;
	t.nodes = nodes;
	t.n_nodes = 3;
	t.categories = rome;
	t.n_categories = 1;
	t.covers = covers;
	assert_int_equal(score_builder_new(&c, NULL, &b, &error), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 0, "town", SCORE_FEATURE_CATEGORY, &error), SCORE_OK);
	assert_int_equal(score_builder_set_dictionary(b, 0, labels, NULL, 2, SCORE_REFUSE, 0, &error), SCORE_OK);
	if (linear)
		assert_int_equal(score_builder_set_linear(b, &weight, 0, &error), SCORE_OK);
	else
		assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	score_builder_free(b);
	return model;
}

static const int32_t starts[] = {0, 4, 8, 12};
static const score_strings towns = {.struct_size = sizeof towns, .offsets = starts, .data = "OsloBonnRome", .offset_type = SCORE_I32,
	.n_strings = 3};

static void refused(score_status status)
{
	expect_error(status, &error, SCORE_ERR_SHAPE,
		"feature 'town' has the category 'Bonn' in row 1, and the model was trained without it");
}

static void text_unknown_to_the_model(void **state)
{
	const score_column column = {.values = &towns, .dtype = SCORE_STRING};
	const score_input in = score_input_columns(&column, 3, 1);
	score_model *model = strict_model(false), *linear = strict_model(true);
	score_options o = SCORE_OPTIONS_INIT;
	score_explainer *explainer = (score_explainer *)&error;
	double out[6];
	uint8_t decisions[3], codes[3];
	(void)state;
	refused(score_batch(model, &in, out, 3, NULL, &error));
	refused(score_batch(linear, &in, out, 3, NULL, &error));
	refused(score_staged(model, &in, 1, out, 3, NULL, &error));
	refused(score_early_stop(model, &in, 1, 1.0, out, 3, NULL, &error));
	refused(score_decide(model, &in, 1.5, decisions, 3, NULL, NULL, &error));
	refused(score_bin(model, &in, NULL, codes, 3, 3, &error));
	refused(score_explainer_new(model, &in, NULL, &explainer, &error));
	assert_null(explainer);
	o.output = SCORE_OUTPUT_CONTRIBUTION;
	o.scratch_bytes = score_contribution_scratch_bytes(model);
	o.scratch = malloc(o.scratch_bytes);
	refused(score_batch(model, &in, out, 6, &o, &error));
	free(o.scratch);
	score_model_free(model);
	score_model_free(linear);
}

static void encoding(void **state)
{
	score_model *model = strict_model(false);
	score_strings wrong = towns;
	double codes[3] = {7.0, 7.0, 7.0};
	(void)state;
	assert_int_equal(score_encode(model, 0, &towns, codes, &error), SCORE_OK);
	assert_true(codes[0] == 1.0 && codes[1] == SCORE_REFUSE && codes[2] == 0.0);
	expect_error(score_encode(model, 0, &towns, NULL, &error), &error, SCORE_ERR_ARGUMENT, "score_encode: codes is NULL");
	wrong.offset_type = SCORE_F64;
	expect_error(score_encode(model, 0, &wrong, codes, &error), &error, SCORE_ERR_ARGUMENT,
		"score_encode: the offsets of strings have dtype 2, not SCORE_I32 or SCORE_I64");
	expect_error(score_encode(model, 0, NULL, codes, &error), &error, SCORE_ERR_ARGUMENT,
		"score_encode: the score_strings is NULL");
	wrong = towns;
	wrong.n_strings = 0;
	assert_int_equal(score_encode(model, 0, &wrong, NULL, &error), SCORE_OK);
	score_model_free(model);
}

/* ---- what goes with contributions ------------------------------------------------------------------------------------ */

static void backgrounds_and_reasons(void **state)
{
	static const char *const names[] = {"a", "b"};
	const double row[] = {0.0};
	const score_input in = score_input_rows_f64(row, 1, 1), none = score_input_rows_f64(row, 0, 1);
	score_model *model = strict_model(false), *other = scaling_model(1.0);
	score_explainer *explainer = NULL;
	score_plan *plan = NULL;
	const double contributions[] = {-2.0, 0.5};
	score_reason reason = {0};
	const char *null = "score_top_reasons: model, contributions and out must not be NULL";
	(void)state;
	assert_int_equal(score_bind(other, names, NULL, 2, &plan, &error), SCORE_OK);
	expect_error(score_explainer_new(model, &in, NULL, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"score_explainer_new: out is NULL");
	expect_error(score_explainer_new(NULL, &in, NULL, &explainer, &error), &error, SCORE_ERR_ARGUMENT,
		"score_explainer_new: model is NULL");
	expect_error(score_explainer_new(model, &in, plan, &explainer, &error), &error, SCORE_ERR_ARGUMENT,
		"the plan was bound to another model: it has 2 features, not 1");
	expect_error(score_explainer_new(model, &none, NULL, &explainer, &error), &error, SCORE_ERR_SHAPE,
		"a background needs at least one row");
	assert_null(explainer);
	expect_error(score_explainer_new(model, NULL, NULL, &explainer, &error), &error, SCORE_ERR_ARGUMENT, "the input is NULL");
	assert_int_equal(score_explainer_new(model, &in, NULL, &explainer, &error), SCORE_OK);
	score_explainer_free(explainer);
	static const char *const town[] = {"size", "town"};
	score_plan *own = NULL;
	const double swapped[] = {5.0, 0.0};
	const score_input both = score_input_rows_f64(swapped, 1, 2);
	assert_int_equal(score_bind(model, town, NULL, 2, &own, &error), SCORE_OK);
	assert_int_equal(score_explainer_new(model, &both, own, &explainer, &error), SCORE_OK);
	score_explainer_free(explainer);
	score_plan_free(own);
	score_explainer_free(NULL);
	score_plan_free(plan);
	assert_int_equal(score_top_reasons(model, contributions, 1, 0, SCORE_DIRECTION_DOWN, 1, &reason, &error), SCORE_OK);
	assert_true(reason.contribution == -2.0 && reason.feature == 0);
	assert_int_equal(score_top_reasons(model, NULL, 0, 0, SCORE_DIRECTION_UP, 1, &reason, &error), SCORE_OK);
	assert_int_equal(score_top_reasons(model, contributions, 1, 0, SCORE_DIRECTION_UP, 0, NULL, &error), SCORE_OK);
	expect_error(score_top_reasons(model, contributions, 1, 0, SCORE_DIRECTION_UP, 1, NULL, &error), &error, SCORE_ERR_ARGUMENT, null);
	expect_error(score_top_reasons(NULL, contributions, 1, 0, SCORE_DIRECTION_UP, 1, &reason, &error), &error, SCORE_ERR_ARGUMENT,
		null);
	assert_true(reason.contribution == -2.0);
	score_model_free(model);
	score_model_free(other);
}

/* What a save must come with. */
static void saving(void **state)
{
	static const char *const keys[] = {"author", ""}, *const nulls[] = {"author", NULL}, *const values[] = {"us", "them"};
	const double rows[] = {1.0, 2.0};
	score_model *model = scaling_model(1.0);
	score_save_options o = SCORE_SAVE_OPTIONS_INIT;
	void *bytes = model;
	size_t size = 7;
	(void)state;
#define WRONG(MESSAGE) \
	bytes = model; \
	expect_error(score_model_save_memory(model, &o, &bytes, &size, &error), &error, SCORE_ERR_ARGUMENT, MESSAGE); \
	assert_true(!bytes && size == 0)
	o.n_golden_rows = 1;
	o.golden_rows = rows;
	WRONG("score_save_options names 1 golden rows but lacks rows or margins");
	o = (score_save_options)SCORE_SAVE_OPTIONS_INIT;
	o.n_metadata = 2;
	o.metadata_keys = keys;
	WRONG("score_save_options names 2 metadata entries but lacks them");
	o.metadata_values = values;
	WRONG("metadata key 1 is NULL or empty");
	o.metadata_keys = nulls;
	WRONG("metadata key 1 is NULL or empty");
#undef WRONG
	score_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linear_models),
		cmocka_unit_test(many_outputs),
		cmocka_unit_test(negative_scale),
		cmocka_unit_test(late_trees),
		cmocka_unit_test(linear_leaves),
		cmocka_unit_test(no_questions),
		cmocka_unit_test(tables_of_codes),
		cmocka_unit_test(rooms_for_answers),
		cmocka_unit_test(text_unknown_to_the_model),
		cmocka_unit_test(encoding),
		cmocka_unit_test(backgrounds_and_reasons),
		cmocka_unit_test(saving),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
