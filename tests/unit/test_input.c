/*
 * The caller's rows, as far as no other test looks: descriptors that are refused, binding that lists what is wrong, tiles of sparse
 * rows, hashes of what is no category, and strides that are said although they are the usual ones.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/model.h"
#include "expect_error.h"
#include "finish_model.h"
#include "input/view.h"

#include <scoreline/build.h>

static score_error error;

static score_builder *begin(uint32_t n_features, score_category_rule rule)
{
	score_contract contract = SCORE_CONTRACT_INIT(n_features, 1);
	score_builder *b = NULL;
	contract.category_rule = rule;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	return b;
}

/* The sum of `n` features with long names. */
static score_model *make_sum(uint32_t n)
{
	double weights[16];
	score_builder *b = begin(n, SCORE_CATEGORY_TRUNCATE);
	for (uint32_t i = 0; i < n; i++) {
		char name[64];
		snprintf(name, sizeof name, "a_feature_with_a_long_name_%02u", i);
		weights[i] = 1;
		assert_int_equal(score_builder_set_feature(b, i, name, SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	}
	assert_int_equal(score_builder_set_linear(b, weights, 0, NULL), SCORE_OK);
	return finish_model(b);
}

/* 1 if feature 0, a category known by its hash, is the text "x", else 2. */
static score_model *make_hashed(void)
{
	const uint32_t x = sl_category_hash("x", 1);
	score_builder *b = begin(1, SCORE_CATEGORY_HASH);
	score_node nodes[3] = {{.test = SCORE_TEST_IN_LEFT, .left = 1, .right = 2, .n_categories = 1, .missing = SCORE_MISSING_RIGHT},
		{.test = SCORE_TEST_LEAF, .value = 1}, {.test = SCORE_TEST_LEAF, .value = 2}};
	score_tree tree = SCORE_TREE_INIT;
	tree.nodes = nodes;
	tree.n_nodes = 3;
	tree.categories = &x;
	tree.n_categories = 1;
	assert_int_equal(score_builder_set_feature(b, 0, "c", SCORE_FEATURE_CATEGORY, NULL), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &tree, &error), SCORE_OK);
	return finish_model(b);
}

/* ---- binding ------------------------------------------------------------------------------------------------ */

static void lists_what_does_not_fit(void **state)
{
	static const char *const other[] = {"other"};
	static const char *const names[] = {"a_feature_with_a_long_name_00", "a_feature_with_a_long_name_01"};
	const score_dtype odd[] = {(score_dtype)-1, SCORE_F64}, unknown[] = {SCORE_F64, (score_dtype)15};
	score_model *model = make_sum(12);
	score_plan *plan;
	(void)state;
	expect_error(score_bind(model, other, NULL, 1, &plan, &error), &error, SCORE_ERR_SHAPE,
		"the input lacks 12 of the model's features: a_feature_with_a_long_name_00, a_feature_with_a_long_name_01, "
		"a_feature_with_a_long_name_02 and 9 more");
	expect_error(score_bind(model, other, NULL, UINT32_MAX, &plan, &error), &error, SCORE_ERR_LIMIT, "the input has 4294967295 columns");
	score_model_free(model);
	model = make_sum(2);
	expect_error(score_bind(model, names, odd, 2, &plan, &error), &error, SCORE_ERR_SHAPE,
		"the input has in a type that cannot be scored 1 of the model's features: a_feature_with_a_long_name_00");
	expect_error(score_bind(model, names, unknown, 2, &plan, &error), &error, SCORE_ERR_SHAPE,
		"the input has in a type that cannot be scored 1 of the model's features: a_feature_with_a_long_name_01");
	score_model_free(model);
}

/* The column that feeds feature 0, whose name is "a_b_c", of a model from `library`; -1: none, -2: two. */
static int64_t column_of(const char *library, const char *const *names, size_t n)
{
	const double weight = 1;
	score_builder *b = begin(1, SCORE_CATEGORY_TRUNCATE);
	score_plan *plan = NULL;
	assert_int_equal(score_builder_set_feature(b, 0, "a_b_c", SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_metadata(b, "source.library", library, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, &weight, 0, NULL), SCORE_OK);
	score_model *model = finish_model(b);
	score_status status = score_bind(model, names, NULL, n, &plan, &error);
	int64_t column = status == SCORE_OK ? (int64_t)score_plan_column(plan, 0) : strstr(error.message, "has twice") ? -2 : -1;
	score_plan_free(plan);
	score_model_free(model);
	return column;
}

static void some_names_have_underscores_for_spaces(void **state)
{
	static const char *const spaced[] = {"a b", "a_b c", "z"}, *const own[] = {"a b c", "a_b c", "a_b_c", "a_b_d"},
		*const two[] = {"a_b c", "x", "a b_c"}, *const doubled[] = {"a_b_c", "a b c", "a_b_c"}, *const other[] = {"a-b-c", "a b", "a b cd"};
	(void)state;
	assert_int_equal(column_of("lightgbm", spaced, 3), 1);
	assert_int_equal(column_of("lightgbm", own, 4), 2);
	assert_int_equal(column_of("lightgbm", two, 3), -2);
	assert_int_equal(column_of("lightgbm", doubled, 3), -2);
	assert_int_equal(column_of("lightgbm", other, 3), -1);
	assert_int_equal(column_of("onnx", spaced, 3), 1);
	assert_int_equal(column_of("xgboost", spaced, 3), -1);
	assert_int_equal(column_of("xgboost", own, 4), 2);
}

static void a_plan_has_a_number_of_columns(void **state)
{
	static const char *const names[] = {"a_feature_with_a_long_name_01", "x", "a_feature_with_a_long_name_00"};
	const double row[] = {1, 2, 4};
	score_model *model = make_sum(2);
	score_plan *plan;
	score_options o = SCORE_OPTIONS_INIT;
	double out;
	(void)state;
	assert_int_equal(score_bind(model, names, NULL, 3, &plan, NULL), SCORE_OK);
	o.plan = plan;
	score_input in = score_input_rows_f64(row, 1, 3);
	assert_int_equal(score_batch(model, &in, &out, 1, &o, NULL), SCORE_OK);
	assert_true(out == 5);
	in.n_columns = 2;
	expect_error(score_batch(model, &in, &out, 1, &o, &error), &error, SCORE_ERR_SHAPE, "the input has 2 columns, the plan was bound to 3");
	score_plan_free(plan);
	score_model_free(model);
}

/* ---- descriptors --------------------------------------------------------------------------------------------- */

static void structs_say_their_size(void **state)
{
	const double row[] = {1, 2};
	score_model *model = make_sum(2), *hashed = make_hashed();
	struct {
		score_strings known;
		uint64_t unknown;
	} strings = {SCORE_STRINGS_INIT, 1};
	double out;
	(void)state;
	struct {
		score_input known;
		uint64_t unknown;
	} in = {score_input_rows_f64(row, 1, 2), 1};
	in.known.struct_size = sizeof in;
	expect_error(score_batch(model, &in.known, &out, 1, NULL, &error), &error, SCORE_ERR_VERSION,
		"score_input has a member set that library version " SCORE_VERSION_STRING " does not know");
	strings.known.struct_size = sizeof strings;
	expect_error(score_encode(hashed, 0, &strings.known, &out, &error), &error, SCORE_ERR_VERSION,
		"score_strings has a member set that library version " SCORE_VERSION_STRING " does not know");
	expect_error(score_encode(hashed, 0, NULL, &out, &error), &error, SCORE_ERR_ARGUMENT, "score_encode: the score_strings is NULL");
	strings.known.struct_size = sizeof strings.known;
	strings.known.indices = row;
	for (score_dtype type = 0; type < 15; type++) {
		bool integer = type >= SCORE_I8 && type <= SCORE_U64;
		strings.known.index_type = type;
		assert_int_equal(score_encode(hashed, 0, &strings.known, &out, &error), integer ? SCORE_OK : SCORE_ERR_ARGUMENT);
	}
	score_model_free(hashed);
	score_model_free(model);
}

/* Indices into no strings at all are missing values. */
static void a_dictionary_may_be_empty(void **state)
{
	const int32_t indices[] = {0, 5};
	score_strings none = SCORE_STRINGS_INIT;
	const score_column column = {.values = &none, .dtype = SCORE_STRING};
	score_model *model = make_hashed();
	double out[2];
	(void)state;
	none.indices = indices;
	none.index_type = SCORE_I32;
	score_input in = score_input_columns(&column, 2, 1);
	if (score_batch(model, &in, out, 2, NULL, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_true(out[0] == 2 && out[1] == 2);
	score_model_free(model);
}

/* Strides: of columns in rows, and of integers that a double cannot hold. */
static void strides_may_be_said(void **state)
{
	const double rows[] = {1, 9, 2, 9, 4, 9, 8, 9};
	score_model *model = make_sum(2), *hashed = make_hashed();
	double out[2];
	(void)state;
	score_input in = score_input_rows_f64(rows, 2, 2);
	in.u.rows.column_stride_bytes = 16;
	in.u.rows.row_stride_bytes = 32;
	assert_int_equal(score_batch(model, &in, out, 2, NULL, NULL), SCORE_OK);
	assert_true(out[0] == 3 && out[1] == 12);
	const uint64_t large[] = {UINT64_C(18446744073709551615), 0, 7, 0};
	for (int64_t stride = 0; stride <= 16; stride += 8) {
		const score_column column = {.values = large, .dtype = SCORE_U64, .stride_bytes = stride};
		input_view view = {.columns = &column};
		input_fetch_hashed(&view, 0, 0, 2, out);
		assert_true(out[0] == (double)sl_category_hash("18446744073709551615", 20) + 0.5);
		assert_true(out[1] == (stride == 16 ? 7 : 0));
	}
	score_model_free(hashed);
	score_model_free(model);
}

/* ---- sparse tiles ---------------------------------------------------------------------------------------------- */

/* A tile that begins behind columns nobody asked for, and the one behind it. */
static void tiles_skip_what_is_before_them(void **state)
{
	const int32_t starts[] = {0, 5, 5, 7};
	const int32_t numbers[] = {0, 1, 3, 4, 6, 2, 5};
	const float values[] = {1, 2, 3, 4, 5, 6, 7};
	const float wanted[2][2][3] = {{{0, 0, 6}, {3, 0, 0}}, {{4, 0, 0}, {0, 0, 7}}};
	score_input in = score_input_csr(starts, SCORE_I32, numbers, SCORE_I32, values, SCORE_F32, 3, 7, SCORE_ABSENT_ZERO);
	input_view view = {.n_rows = 3};
	uint32_t cursors[3] = {0}, wide_cursors[3] = {0};
	(void)state;
	assert_int_equal(input_open_csr(&in, &view, NULL), SCORE_OK);
	for (uint32_t t = 0; t < 2; t++) {
		float tile[2][4];
		double wide[2][4];
		input_csr_tile_f32(&view, 0, 3, 2 + 2 * t, 2, cursors, tile[0], 4);
		input_csr_tile_f64(&view, 0, 3, 2 + 2 * t, 2, wide_cursors, wide[0], 4);
		for (int c = 0; c < 2; c++) {
			for (int r = 0; r < 3; r++)
				assert_true(tile[c][r] == wanted[t][c][r] && wide[c][r] == (double)wanted[t][c][r]);
		}
		assert_memory_equal(cursors, wide_cursors, sizeof cursors);
	}
}

/* ---- hashes ------------------------------------------------------------------------------------------------------- */

/* 16 where the two features' hash is known, else 1; `n_known` hashes: none, or those of (1, 2) and of (-1, 2). */
static score_model *make_hashes(size_t n_known)
{
	const uint64_t one = forest_hash(forest_hash(0, 1), 2), minus = forest_hash(forest_hash(0, UINT64_MAX), 2);
	const uint64_t hashes[] = {one < minus ? one : minus, one < minus ? minus : one};
	const uint32_t sources[] = {0, 1};
	const double values[] = {16, 16}, weights[] = {1};
	const score_step step = {.operation = SCORE_STEP_LOOKUP, .a = 1, .b = 1, .values = values, .n_keys = n_known};
	score_column_program program = SCORE_COLUMN_PROGRAM_INIT;
	score_builder *b = begin(2, SCORE_CATEGORY_TRUNCATE);
	program.root = SCORE_ROOT_HASH;
	program.sources = sources;
	program.n_sources = 2;
	program.hashes = hashes;
	program.n_hashes = n_known;
	program.steps = &step;
	program.n_steps = 1;
	if (score_builder_add_column(b, &program, NULL, &error) != SCORE_OK || score_builder_set_linear_columns(b, 2, &error) != SCORE_OK ||
		score_builder_set_linear(b, weights, 0, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	return finish_model(b);
}

static void hashes_are_of_whole_numbers_of_32_bits(void **state)
{
	static const struct {
		double row[2];
		double wanted;
	} cases[] = {{{1, 2}, 16}, {{-1, 2}, 16}, {{4294967295.0, 2}, 16}, {{2, 1}, 1}, {{1.5, 2}, 1}, {{1, 2.5}, 1}, {{NAN, 2}, 1},
		{{-2147483649.0, 2}, 1}, {{4294967297.0, 2}, 1}, {{1e300, 2}, 1}, {{-1e300, 2}, 1}, {{1, NAN}, 1}};
	(void)state;
	for (size_t n_known = 0; n_known <= 2; n_known += 2) {
		score_model *model = make_hashes(n_known);
		for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			double out;
			score_input in = score_input_rows_f64(cases[i].row, 1, 2);
			assert_int_equal(score_batch(model, &in, &out, 1, NULL, NULL), SCORE_OK);
			if (out != (n_known ? cases[i].wanted : 1))
				fail_msg("row %zu with %zu hashes: %g", i, n_known, out);
			assert_true(forest_value(model->f, cases[i].row, 2) == out);
		}
		score_model_free(model);
	}
}

/* A look-up without keys gives its default, and to what is missing its own. */
static void tables_may_be_empty(void **state)
{
	const double weights[] = {1}, keys[] = {0}, rows[] = {0, NAN, 7};
	const score_step step = {.operation = SCORE_STEP_LOOKUP, .a = 3, .b = 5, .keys = keys, .values = keys, .n_keys = 0};
	score_column_program program = SCORE_COLUMN_PROGRAM_INIT;
	score_builder *b = begin(1, SCORE_CATEGORY_TRUNCATE);
	double out[3];
	(void)state;
	program.steps = &step;
	program.n_steps = 1;
	if (score_builder_add_column(b, &program, NULL, &error) != SCORE_OK || score_builder_set_linear_columns(b, 1, &error) != SCORE_OK ||
		score_builder_set_linear(b, weights, 0, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	score_model *model = finish_model(b);
	score_input in = score_input_rows_f64(rows, 3, 1);
	assert_int_equal(score_batch(model, &in, out, 3, NULL, NULL), SCORE_OK);
	assert_true(out[0] == 3 && out[1] == 5 && out[2] == 3);
	score_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_what_does_not_fit),
		cmocka_unit_test(some_names_have_underscores_for_spaces),
		cmocka_unit_test(a_plan_has_a_number_of_columns),
		cmocka_unit_test(structs_say_their_size),
		cmocka_unit_test(a_dictionary_may_be_empty),
		cmocka_unit_test(strides_may_be_said),
		cmocka_unit_test(tiles_skip_what_is_before_them),
		cmocka_unit_test(hashes_are_of_whole_numbers_of_32_bits),
		cmocka_unit_test(tables_may_be_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
