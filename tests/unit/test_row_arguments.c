/* Rows that no host should give: each layout with one thing wrong is refused by name, and nothing is scored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "expect_error.h"
#include "served_models.h"

static score_model *model; /* linear, of features "a" and "b" */
static score_error error;

static void refuses_as(const score_input *in, score_status code, const char *message)
{
	double out[2] = {7.0, 7.0};
	expect_error(score_batch(model, in, out, 2, NULL, &error), &error, code, message);
	assert_true(out[0] == 7.0 && out[1] == 7.0);
}

static void refuses(const score_input *in, const char *message)
{
	refuses_as(in, SCORE_ERR_ARGUMENT, message);
}

static int make_model(void **state)
{
	(void)state;
	model = scaling_model(2.0);
	return 0;
}

static int free_model(void **state)
{
	(void)state;
	score_model_free(model);
	return 0;
}

static void rows(void **state)
{
	const double values[] = {1.0, 2.0, 3.0, 4.0};
	const score_input good = score_input_rows_f64(values, 2, 2);
	score_input in = good;
	double out[2];
	(void)state;
	assert_int_equal(score_batch(model, &in, out, 2, NULL, &error), SCORE_OK);
	assert_true(out[0] == 4.0 && out[1] == 10.0);
	in.dtype = SCORE_I32;
	refuses(&in, "row-major input has dtype 7, expected SCORE_F32 or SCORE_F64");
	in = good;
	in.u.rows.data = NULL;
	refuses(&in, "row-major input has no data (NULL)");
	in = good;
	in.u.rows.data = (const char *)values + 4;
	refuses(&in, "the data and strides of the rows must be multiples of 8 bytes");
	in = good;
	in.u.rows.row_stride_bytes = 12;
	refuses(&in, "the data and strides of the rows must be multiples of 8 bytes");
	in = good;
	in.u.rows.column_stride_bytes = 4;
	refuses(&in, "the data and strides of the rows must be multiples of 8 bytes");
	in = good;
	in.layout = 99;
	refuses(&in, "the input has the unknown layout 99");
	in.layout = SCORE_ROWS;
	in.n_rows = -1;
	refuses(&in, "the input has -1 rows and 2 columns");
	in.n_rows = 2;
	in.n_columns = -1;
	refuses(&in, "the input has 2 rows and -1 columns");
	in.n_columns = 3;
	refuses_as(&in, SCORE_ERR_SHAPE, "the input has 3 columns, the model has 2");
}

static void columns(void **state)
{
	const double values[] = {1.0, 2.0};
	const score_column good = {.values = values, .dtype = SCORE_F64};
	score_column list[] = {good, good};
	score_strings strings = {.struct_size = sizeof strings, .offset_type = SCORE_I32};
	score_input in = score_input_columns(NULL, 2, 2);
	(void)state;
	refuses(&in, "columnar input has no columns (NULL)");
	in = score_input_columns(list, 2, 2);
	list[1].values = NULL;
	refuses(&in, "column 1 has no values (NULL)");
	list[1] = good;
	list[1].offset = -3;
	refuses(&in, "column 1 has the negative offset -3");
	list[1] = good;
	list[1].dtype = 99;
	refuses(&in, "column 1 has dtype 99, which cannot be scored, or is not aligned to it");
	list[1] = good;
	list[1].stride_bytes = 12;
	refuses(&in, "column 1 has dtype 2, which cannot be scored, or is not aligned to it");
	list[1].dtype = SCORE_BOOL_BITS;
	refuses(&in, "column 1 has dtype 12, which cannot be scored, or is not aligned to it");
	list[1] = good;
	list[1].dtype = SCORE_STRING;
	list[1].values = &strings;
	refuses_as(&in, SCORE_ERR_SHAPE,
		"column 1 holds strings, but the model has no dictionary for feature 'b': give numbers");
}

static void sparse_rows(void **state)
{
	const int64_t starts[] = {0, 1, 2};
	const int32_t numbers[] = {0, 1};
	const float values[] = {1.0f, 2.0f};
	const score_input good =
		score_input_csr(starts, SCORE_I64, numbers, SCORE_I32, values, SCORE_F32, 2, 2, SCORE_ABSENT_ZERO);
	score_input in = good;
	double out[2];
	(void)state;
	assert_int_equal(score_batch(model, &in, out, 2, NULL, &error), SCORE_OK);
	assert_true(out[0] == 2.0 && out[1] == 2.0);
	in.dtype = SCORE_I64;
	refuses(&in, "sparse input has dtype 9, expected SCORE_F32 or SCORE_F64");
	in = good;
	in.u.csr.start_type = SCORE_F32;
	refuses(&in, "row starts and column numbers have dtypes 1 and 7, expected SCORE_I32 or SCORE_I64");
	in = good;
	in.u.csr.number_type = SCORE_F64;
	refuses(&in, "row starts and column numbers have dtypes 9 and 2, expected SCORE_I32 or SCORE_I64");
	in = good;
	in.u.csr.absent = 0;
	refuses(&in,
		"sparse input must say what absent entries mean: SCORE_ABSENT_ZERO or SCORE_ABSENT_MISSING, not 0");
	in = good;
	in.u.csr.row_starts = NULL;
	refuses(&in, "sparse input has no row starts (NULL)");
	in = good;
	in.u.csr.column_numbers = NULL;
	refuses(&in, "sparse input has no column numbers or no values (NULL)");
	in = good;
	in.u.csr.values = NULL;
	refuses(&in, "sparse input has no column numbers or no values (NULL)");
}

/* Strings as they come with a dictionary's feature. */
static void strings_of_a_dictionary(void **state)
{
	static const char *const labels[] = {"x", "y"};
	const int32_t offsets[] = {0, 1, 2};
	const score_strings good = {.struct_size = sizeof good, .offsets = offsets, .data = "xy", .offset_type = SCORE_I32,
		.n_strings = 2};
	const score_contract c = SCORE_CONTRACT_INIT(1, 1);
	const double weight = 1.0;
	score_strings s = good;
	score_builder *b = NULL;
	score_model *linear = NULL;
	double codes[2] = {7.0, 7.0};
	(void)state;
	assert_int_equal(score_builder_new(&c, NULL, &b, &error), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 0, "town", SCORE_FEATURE_CATEGORY, &error), SCORE_OK);
	assert_int_equal(score_builder_set_dictionary(b, 0, labels, NULL, 2, -1.0, 0, &error), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, &weight, 0, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &linear, &error), SCORE_OK);
	score_builder_free(b);
	assert_int_equal(score_encode(linear, 0, &s, codes, &error), SCORE_OK);
	assert_true(codes[0] == 0.0 && codes[1] == 1.0);
	score_column column = {.values = &s, .dtype = SCORE_STRING};
	const score_input in = score_input_columns(&column, 2, 1);
	s.offsets = NULL;
	expect_error(score_batch(linear, &in, codes, 2, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"column 0: the strings have no offsets (NULL)");
	/* Nothing but empty strings may come without bytes. */
	static const int32_t nothing[] = {0, 0, 0};
	s.data = NULL;
	s.offsets = nothing;
	assert_int_equal(score_encode(linear, 0, &s, codes, &error), SCORE_OK);
	assert_true(codes[0] == -1.0 && codes[1] == -1.0);
	codes[0] = 0.0;
	codes[1] = 1.0;
	s = good;
	s.offset_type = SCORE_F32;
	expect_error(score_batch(linear, &in, codes, 2, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"column 0: the offsets of strings have dtype 1, not SCORE_I32 or SCORE_I64");
	s = good;
	s.indices = offsets;
	s.index_type = SCORE_F64;
	expect_error(score_batch(linear, &in, codes, 2, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"column 0: the indices of strings have dtype 2, expected integers");
	s.index_type = SCORE_I32;
	s.n_strings = -1;
	expect_error(score_batch(linear, &in, codes, 2, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"column 0: the number of strings is -1");
	s = good;
	column.stride_bytes = 8;
	expect_error(score_batch(linear, &in, codes, 2, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"column 0: SCORE_STRING columns have no stride");
	assert_true(codes[0] == 0.0 && codes[1] == 1.0);
	score_model_free(linear);
}

static void unnamed_columns(void **state)
{
	const char *const names[] = {"a", NULL};
	score_plan *plan = (score_plan *)&error;
	(void)state;
	expect_error(score_bind(model, names, NULL, 2, &plan, &error), &error, SCORE_ERR_ARGUMENT, "column 1 has no name (NULL)");
	assert_null(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(columns),
		cmocka_unit_test(sparse_rows),
		cmocka_unit_test(strings_of_a_dictionary),
		cmocka_unit_test(unnamed_columns),
	};
	return cmocka_run_group_tests(tests, make_model, free_model);
}
