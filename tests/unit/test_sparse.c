/* Sparse rows that must be refused, and those that are odd but right. Scores of sparse rows: test_engine.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <scoreline/build.h>

/* margin = 100 a + 10 b + c; NaN propagates. */
static score_model *make_model(void)
{
	const double weights[] = {100.0, 10.0, 1.0};
	score_contract contract = SCORE_CONTRACT_INIT(3, 1);
	score_builder *b = NULL;
	score_model *model = NULL;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, weights, 0, NULL), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
	score_builder_free(b);
	return model;
}

static const int32_t starts[] = {0, 2, 2, 5};
static const int64_t numbers[] = {0, 2, 0, 1, 2};
static const float values[] = {1, 2, 3, 4, 5};

static void expect(const score_input *in, const score_options *o, score_status expected, const char *words)
{
	double out[3];
	score_error error;
	score_model *model = make_model();
	score_status status = score_batch(model, in, out, 3, o, &error);
	if (status != expected || (words && !strstr(error.message, words)))
		fail_msg("expected %s with '%s', found %s: %s", score_status_name(expected), words ? words : "",
			score_status_name(status), status ? error.message : "");
	score_model_free(model);
}

static score_input good(void)
{
	return score_input_csr(starts, SCORE_I32, numbers, SCORE_I64, values, SCORE_F32, 3, 3, SCORE_ABSENT_ZERO);
}

static void absent_entries_follow_the_rule(void **state)
{
	double out[3];
	score_model *model = make_model();
	score_input in = good();
	(void)state;
	assert_int_equal(score_batch(model, &in, out, 3, NULL, NULL), SCORE_OK);
	assert_true(out[0] == 102.0 && out[1] == 0.0 && out[2] == 345.0);
	in.u.csr.absent = SCORE_ABSENT_MISSING;
	assert_int_equal(score_batch(model, &in, out, 3, NULL, NULL), SCORE_OK);
	assert_true(isnan(out[0]) && isnan(out[1]) && out[2] == 345.0);
	score_model_free(model);
}

static void names_are_bound(void **state)
{
	const char *names[] = {"f2", "f0", "f1"};
	double out[3];
	score_model *model = make_model();
	score_plan *plan = NULL;
	score_options o = SCORE_OPTIONS_INIT;
	score_input in = good();
	(void)state;
	assert_int_equal(score_bind(model, names, NULL, 3, &plan, NULL), SCORE_OK);
	o.plan = plan;
	assert_int_equal(score_batch(model, &in, out, 3, &o, NULL), SCORE_OK);
	assert_true(out[0] == 21.0 && out[1] == 0.0 && out[2] == 453.0);
	score_plan_free(plan);
	score_model_free(model);
}

static void rows_without_entries_need_no_arrays(void **state)
{
	const int32_t nothing[] = {7, 7, 7, 7};
	score_input in = good();
	(void)state;
	in.u.csr.row_starts = nothing;
	in.u.csr.column_numbers = NULL;
	in.u.csr.values = NULL;
	expect(&in, NULL, SCORE_OK, NULL);
	in.u.csr.row_starts = starts;
	expect(&in, NULL, SCORE_ERR_ARGUMENT, "no column numbers or no values");
}

static void wrong_entries_are_refused(void **state)
{
	static const struct {
		int32_t starts[4];
		int64_t numbers[5];
		const char *words;
	} cases[] = {
		{{0, 2, 2, 5}, {2, 0, 0, 1, 2}, "sparse row 0: column 0 follows column 2"},
		{{0, 2, 2, 5}, {0, 2, 0, 1, 1}, "sparse row 2: column 1 follows column 1"},
		{{0, 2, 2, 5}, {0, 3, 0, 1, 2}, "sparse row 0: column 3 follows column 0, expected ascending numbers below 3"},
		{{0, 2, 2, 5}, {-1, 2, 0, 1, 2}, "sparse row 0: column -1 follows column -1"},
		{{0, 2, 1, 5}, {0, 2, 0, 1, 2}, "sparse row 1 starts at entry 2 and ends at 1"},
		{{-1, 2, 2, 5}, {0, 2, 0, 1, 2}, "sparse row 0 starts at entry -1"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		score_input in = good();
		in.u.csr.row_starts = cases[i].starts;
		in.u.csr.column_numbers = cases[i].numbers;
		expect(&in, NULL, SCORE_ERR_SHAPE, cases[i].words);
	}
}

static void wrong_descriptors_are_refused(void **state)
{
	score_input in = good();
	(void)state;
	in.u.csr.absent = 0;
	expect(&in, NULL, SCORE_ERR_ARGUMENT, "must say what absent entries mean");
	in = good(), in.u.csr.absent = 3;
	expect(&in, NULL, SCORE_ERR_ARGUMENT, "must say what absent entries mean");
	in = good(), in.dtype = SCORE_I32;
	expect(&in, NULL, SCORE_ERR_ARGUMENT, "dtype 7");
	in = good(), in.u.csr.start_type = SCORE_U32;
	expect(&in, NULL, SCORE_ERR_ARGUMENT, "dtypes 8 and 9");
	in = good(), in.u.csr.number_type = SCORE_F64;
	expect(&in, NULL, SCORE_ERR_ARGUMENT, "dtypes 7 and 2");
	in = good(), in.u.csr.row_starts = NULL;
	expect(&in, NULL, SCORE_ERR_ARGUMENT, "no row starts");
	in = good(), in.n_columns = 4;
	expect(&in, NULL, SCORE_ERR_SHAPE, "4 columns");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_entries_follow_the_rule),
		cmocka_unit_test(names_are_bound),
		cmocka_unit_test(rows_without_entries_need_no_arrays),
		cmocka_unit_test(wrong_entries_are_refused),
		cmocka_unit_test(wrong_descriptors_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
