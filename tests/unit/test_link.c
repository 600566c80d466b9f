/*
 * Links: from known margins to the predictions that scoreline/build.h's formulas give, bit for bit, in both types, and to
 * what special values become. CatBoost's are held against its own answers (tests/data/make_catboost.py).
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/link.h"

#define MOST 9
#define MOST_EXPONENTS 4096

/* The predictions of a row whose margins are `x`: a linear model of nothing but its base. */
static uint32_t predict(score_link link, double parameter, score_dtype sum, const double *x, uint32_t n, double *out)
{
	static const double no_weights[MOST], row[1];
	score_contract contract = SCORE_CONTRACT_INIT(1, n);
	score_builder *b = NULL;
	score_model *model = NULL;
	score_error error;
	contract.compare = contract.sum = sum;
	assert_int_equal(score_builder_new(&contract, NULL, &b, &error), SCORE_OK);
	assert_int_equal(score_builder_set_base(b, x, n, &error), SCORE_OK);
	assert_int_equal(score_builder_set_link(b, link, parameter, &error), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, no_weights, 0, &error), SCORE_OK);
	if (score_builder_finish(b, &model, &error) != SCORE_OK)
		fail_msg("link %d: %s", (int)link, error.message);
	score_builder_free(b);
	uint32_t width = (uint32_t)score_output_width(model, NULL);
	score_input in = score_input_rows_f64(row, 1, 1);
	assert_int_equal(score_batch(model, &in, out, width, NULL, &error), SCORE_OK);
	score_model_free(model);
	return width;
}

static void check(score_link link, double parameter, score_dtype sum, const double *x, uint32_t n, const double *expected,
	uint32_t width)
{
	double out[MOST] = {0};
	assert_int_equal(predict(link, parameter, sum, x, n, out), width);
	for (uint32_t i = 0; i < width; i++) {
		if (memcmp(out + i, expected + i, sizeof *out) != 0 && !(isnan(out[i]) && isnan(expected[i])))
			fail_msg("link %d, type %d, value %u of %a: %a, expected %a", (int)link, (int)sum, i, x[0], out[i], expected[i]);
	}
}

static void one(score_link link, double parameter, score_dtype sum, double x, double expected)
{
	check(link, parameter, sum, &x, 1, &expected, 1);
}

/* Through memory, so that no compiler computes these in another precision or at compile time. */
static float f(double x)
{
	volatile float y = (float)x;
	return y;
}

static float sigmoid_onnx(float x)
{
	float v = f(1.0f / f(1.0f + expf(-fabsf(x))));
	return x < 0.0f ? f(1.0f - v) : v;
}

static const double margins[] = {0.0, 1.0, -1.0, 0.5, -3.25, 20.0, -20.0, 90.0, -90.0};

static void treats_outputs_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof margins / sizeof margins[0]; i++) {
		const double x = margins[i];
		const float n = f(x), sign = n > 0 ? 1.0f : n < 0 ? -1.0f : 0.0f;
		one(SCORE_LINK_IDENTITY, 1.0, SCORE_F64, x, x);
		one(SCORE_LINK_SIGMOID, 2.0, SCORE_F64, x, 1.0 / (1.0 + exp(-2.0 * x)));
		one(SCORE_LINK_SIGMOID, 2.0, SCORE_F32, x, f(1.0f / f(1.0f + expf(-2.0f * n))));
		one(SCORE_LINK_SIGMOID_XGBOOST, 1.0, SCORE_F32, x, f(1.0f / f(f(expf(-n < 88.7f ? -n : 88.7f) + 1.0f) + 1e-16f)));
		one(SCORE_LINK_EXP, 1.0, SCORE_F64, x, exp(x));
		one(SCORE_LINK_EXP, 1.0, SCORE_F32, x, expf(n));
		one(SCORE_LINK_EXP_F64, 1.0, SCORE_F64, x, exp(x));
		one(SCORE_LINK_EXP_F64, 1.0, SCORE_F32, x, f(exp(x)));
		one(SCORE_LINK_EXP_SCALED, 3.0, SCORE_F64, x, exp(x) * 3.0);
		one(SCORE_LINK_EXP_SCALED, 3.0, SCORE_F32, x, f(expf(n) * 3.0f));
		one(SCORE_LINK_HINGE, 1.0, SCORE_F32, x, x > 0);
		one(SCORE_LINK_SIGNED_SQUARE, 1.0, SCORE_F64, x, (double)sign * x * x);
		one(SCORE_LINK_SIGNED_SQUARE, 1.0, SCORE_F32, x, f(sign * n * n));
		one(SCORE_LINK_LOG1P_EXP, 1.0, SCORE_F64, x, log1p(exp(x)));
		one(SCORE_LINK_LOG1P_EXP, 1.0, SCORE_F32, x, log1pf(expf(n)));
		one(SCORE_LINK_ISOLATION, 7.0, SCORE_F64, x, -pow(2.0, -(x / 7.0)));
		one(SCORE_LINK_ISOLATION, 7.0, SCORE_F32, x, -powf(2.0f, -f(n / 7.0f)));
		one(SCORE_LINK_FLOAT, 1.0, SCORE_F64, x + 0.1, f(x + 0.1));
		one(SCORE_LINK_SIGMOID_ONNX, 1.0, SCORE_F32, x, sigmoid_onnx(n));
	}
	one(SCORE_LINK_SIGMOID_XGBOOST, 1.0, SCORE_F32, -1000.0, f(1.0f / expf(88.7f)));
	one(SCORE_LINK_PROBIT_ONNX, 1.0, SCORE_F32, 0.5, 0.0);
	double low = 0, high = 0, quarter = 0.25, rest = 0.75;
	predict(SCORE_LINK_PROBIT_ONNX, 1.0, SCORE_F32, &quarter, 1, &low);
	predict(SCORE_LINK_PROBIT_ONNX, 1.0, SCORE_F32, &rest, 1, &high);
	assert_true(low == -high);
	/* The quantile of the normal distribution; Winitzki's formula is an approximation, good to 2e-3. */
	assert_true(fabs(high - 0.6744897501960817) < 2e-3);
}

static void pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof margins / sizeof margins[0]; i++) {
		const double x = margins[i];
		const float n = f(x), p32 = f(1.0f / f(1.0f + expf(-2.0f * n)));
		const double p = 1.0 / (1.0 + exp(-2.0 * x)), m = x > 0 ? 2 * x : -2 * x;
		const double a = exp(-2 * x - m), b = exp(2 * x - m);
#define PAIR(LINK, PARAMETER, TYPE, FIRST, SECOND) \
	check(LINK, PARAMETER, TYPE, &x, 1, (const double[]){FIRST, SECOND}, 2)
		PAIR(SCORE_LINK_BINARY_PAIR, 2.0, SCORE_F64, 1.0 - p, p);
		PAIR(SCORE_LINK_BINARY_PAIR, 2.0, SCORE_F32, f(1.0f - p32), p32);
		PAIR(SCORE_LINK_SOFTMAX_PAIR, 2.0, SCORE_F64, a / (a + b), b / (a + b));
		PAIR(SCORE_LINK_COMPLEMENT, 1.0, SCORE_F64, 1.0 - x, x);
		PAIR(SCORE_LINK_COMPLEMENT, 1.0, SCORE_F32, f(1.0f - n), x);
		PAIR(SCORE_LINK_COMPLEMENT_ONNX, 1.0, SCORE_F64, f(1.0 - x), n);
		PAIR(SCORE_LINK_COMPLEMENT_ONNX, 1.0, SCORE_F32, f(1.0f - n), n);
		PAIR(SCORE_LINK_OPPOSITE_ONNX, 1.0, SCORE_F32, -n, n);
		PAIR(SCORE_LINK_SIGMOID_PAIR_ONNX, 1.0, SCORE_F32, sigmoid_onnx(-n), sigmoid_onnx(n));
#undef PAIR
		const double clipped = x < -1 ? -1 : x > 1 ? 1 : x, half = (clipped + 1) / 2;
		check(SCORE_LINK_MODIFIED_HUBER, 1.0, SCORE_F64, &x, 1, (const double[]){1 - half, half}, 2);
	}
}

static void takes_rows_together(void **state)
{
	const double x[] = {0.5, 3.0, 3.0, -1.0}, exps[] = {exp(-2.5), 1.0, 1.0, exp(-4.0)};
	const double sum = exps[0] + exps[1] + exps[2] + exps[3];
	double expected[4];
	(void)state;
	for (int i = 0; i < 4; i++)
		expected[i] = exps[i] / sum;
	check(SCORE_LINK_SOFTMAX, 1.0, SCORE_F64, x, 4, expected, 4);
	float e[4], sum32 = 0;
	double sum64 = 0;
	for (int i = 0; i < 4; i++) {
		e[i] = expf(f(x[i] - 3.0));
		sum32 = f(sum32 + e[i]);
		sum64 += (double)e[i];
	}
	for (int i = 0; i < 4; i++)
		expected[i] = f(e[i] / sum32);
	check(SCORE_LINK_SOFTMAX, 1.0, SCORE_F32, x, 4, expected, 4);
	check(SCORE_LINK_SOFTMAX_ONNX, 1.0, SCORE_F32, x, 4, expected, 4);
	check(SCORE_LINK_SOFTMAX_ZERO_ONNX, 1.0, SCORE_F32, x, 4, expected, 4);
	const double halves[] = {0.25, 1.5, 1.5, -0.5};
	check(SCORE_LINK_SOFTMAX, 2.0, SCORE_F32, halves, 4, expected, 4);
	for (int i = 0; i < 4; i++)
		expected[i] = f(e[i] / f(sum64));
	check(SCORE_LINK_SOFTMAX_XGBOOST, 1.0, SCORE_F32, x, 4, expected, 4);
	check(SCORE_LINK_ARGMAX, 1.0, SCORE_F64, x, 4, (const double[]){1.0}, 1);
	check(SCORE_LINK_SORT, 1.0, SCORE_F64, x, 4, (const double[]){-1.0, 0.5, 3.0, 3.0}, 4);
	const double mean[] = {2.0, 0.25};
	check(SCORE_LINK_MEAN_VARIANCE, 1.0, SCORE_F64, mean, 2, (const double[]){2.0, exp(0.5)}, 2);
	/* A zero is x times exp(-m), that is zero, and not in the sum. */
	const double zeros[] = {0.0, 1.0};
	check(SCORE_LINK_SOFTMAX_ZERO_ONNX, 1.0, SCORE_F32, zeros, 2, (const double[]){0.0, 1.0}, 2);
	const double shares[] = {1.0, 2.0, 0.0, 5.0}, nothing[4] = {0};
	check(SCORE_LINK_NORMALISED, 1.0, SCORE_F64, shares, 4, (const double[]){0.125, 0.25, 0.0, 0.625}, 4);
	check(SCORE_LINK_NORMALISED, 1.0, SCORE_F64, nothing, 4, (const double[]){0.25, 0.25, 0.25, 0.25}, 4);
	const double clipped[] = {-2.0, 0.0, 1.0};
	check(SCORE_LINK_MODIFIED_HUBER, 1.0, SCORE_F64, clipped, 3, (const double[]){0.0, 0.5 / 1.5, 1.0 / 1.5}, 3);
	const double p[] = {1 / (1 + exp(-0.5)), 1 / (1 + exp(1.0))}, two[] = {0.5, -1.0};
	check(SCORE_LINK_OVR_NORMALISED, 1.0, SCORE_F64, two, 2, (const double[]){p[0] / (p[0] + p[1]), p[1] / (p[0] + p[1])}, 2);
}

/* ---- CatBoost's exponential ------------------------------------------------------------------------------------------ */

/* Pairs of x and CatBoost's exp(x) for a row alone: all 2,048 powers that it looks up, and the limits. */
static size_t read_exponents(double (*pairs)[2])
{
	char path[512];
	uint8_t pair[16];
	size_t n = 0;
	snprintf(path, sizeof path, "%s/catboost/exponents-1.2.10.f64", getenv("SCORELINE_TEST_DATA"));
	FILE *file = fopen(path, "rb");
	if (!file)
		fail_msg("cannot open %s", path);
	while (fread(pair, 1, sizeof pair, file) == sizeof pair) {
		assert_true(n < MOST_EXPONENTS);
		pairs[n][0] = sl_f64_from_bits(sl_load_le64(pair));
		pairs[n++][1] = sl_f64_from_bits(sl_load_le64(pair + 8));
	}
	fclose(file);
	assert_true(n > 2048);
	return n;
}

static void takes_exponents_as_catboost_does(void **state)
{
	static double pairs[MOST_EXPONENTS][2];
	size_t n = read_exponents(pairs), infinite = 0, zero = 0;
	(void)state;
	for (size_t i = 0; i < n; i++) {
		const double x = pairs[i][0], wanted = pairs[i][1];
		double found = engine_exp_catboost(x);
		if (memcmp(&found, &wanted, sizeof found) != 0 && !(isnan(found) && isnan(wanted)))
			fail_msg("exponential of %a: %a, expected %a", x, found, wanted);
		infinite += isinf(wanted) != 0;
		zero += wanted == 0.0;
		if (!isfinite(x)) /* no base of a model */
			continue;
		one(SCORE_LINK_EXP_CATBOOST, 1.0, SCORE_F64, x, wanted);
		const double both[2] = {x, x / 2}, expected[2] = {x, wanted};
		check(SCORE_LINK_MEAN_VARIANCE_CATBOOST, 1.0, SCORE_F64, both, 2, expected, 2);
	}
	assert_true(infinite >= 5 && zero >= 5);
	one(SCORE_LINK_EXP_CATBOOST, 1.0, SCORE_F32, 1.0, f(engine_exp_catboost(1.0)));
	one(SCORE_LINK_EXP_CATBOOST, 1.0, SCORE_F32, 89.0, f(engine_exp_catboost(89.0))); /* beyond a float */
	check(SCORE_LINK_MEAN_VARIANCE_CATBOOST, 1.0, SCORE_F32, (const double[]){2.5, 0.5}, 2,
		(const double[]){2.5, f(engine_exp_catboost(1.0))}, 2);
}

/* What a call takes into its range instead of answering 0 or NaN. */
static void bounds_exponents(void **state)
{
	(void)state;
	assert_true(engine_exp_catboost_bounded(-800.0) == DBL_MIN);
	assert_true(engine_exp_catboost_bounded(-(double)INFINITY) == DBL_MIN);
	assert_true(engine_exp_catboost_bounded(-708.3964185322641) == DBL_MIN);
	assert_true(isinf(engine_exp_catboost_bounded((double)NAN)) && isinf(engine_exp_catboost_bounded((double)INFINITY)));
	assert_true(engine_exp_catboost_bounded(-1.5) == engine_exp_catboost(-1.5));
}

/* Four classes at a time never get less than the smallest normal number, those that are left over get 0. */
static void softmax_of_catboost(void **state)
{
	static const double x[] = {0.0, -800.0, 1.0, -2.5, -800.0, 0.75, -709.5, -0.5, -900.0};
	(void)state;
	for (uint32_t n = 1; n <= MOST; n++) {
		double e[MOST], expected[MOST], expected32[MOST], sum = 0.0, m = n > 2 ? 1.0 : 0.0;
		for (uint32_t i = 0; i < n; i++) {
			e[i] = engine_exp_catboost(x[i] - m);
			if (x[i] < -700.0)
				e[i] = i < n / 4 * 4 ? DBL_MIN : 0.0;
			sum += e[i];
		}
		for (uint32_t i = 0; i < n; i++) {
			expected[i] = e[i] / sum;
			expected32[i] = f(expected[i]);
		}
		check(SCORE_LINK_SOFTMAX_CATBOOST, 1.0, SCORE_F64, x, n, expected, n);
		check(SCORE_LINK_SOFTMAX_CATBOOST, 1.0, SCORE_F32, x, n, expected32, n);
	}
	/* An infinite largest margin: its difference is NaN, which is the upper end within fours, and so takes all. */
	const double endless[] = {1.0, (double)INFINITY, 0.0, 2.0, 1.0}, nan = (double)NAN;
	double out[MOST];
	engine_link_values(SCORE_LINK_SOFTMAX_CATBOOST, 1.0, SCORE_F64, 4, endless, out);
	assert_true(out[0] == 0.0 && isnan(out[1]) && out[2] == 0.0 && out[3] == 0.0);
	engine_link_values(SCORE_LINK_SOFTMAX_CATBOOST, 1.0, SCORE_F64, 3, endless, out);
	assert_true(isnan(out[0]) && isnan(out[1]) && isnan(out[2]));
	engine_link_values(SCORE_LINK_SOFTMAX_CATBOOST, 1.0, SCORE_F64, 1, &nan, out);
	assert_true(isnan(out[0]));
}

/* Of doubles the products and the shares are doubles, the exponentials and their sum floats. */
static void leaves_zeros_out_of_doubles(void **state)
{
	const double x[] = {3e-8, 1.0, 2.0}, e = (double)expf(-1.0f), sum = f(e + 1.0);
	double shares[] = {3e-8 * (double)expf(-2.0f) / sum, e / sum, 1.0 / sum};
	(void)state;
	check(SCORE_LINK_SOFTMAX_ZERO_ONNX, 2.0, SCORE_F64, x, 3, shares, 3);
	for (int i = 0; i < 3; i++) {
		assert_true(f(shares[i]) != shares[i]);
		shares[i] = f(shares[i]);
	}
	check(SCORE_LINK_SOFTMAX_ZERO_ONNX, 1.0, SCORE_F64, x, 3, shares, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(treats_outputs_alone),
		cmocka_unit_test(pairs),
		cmocka_unit_test(takes_rows_together),
		cmocka_unit_test(takes_exponents_as_catboost_does),
		cmocka_unit_test(bounds_exponents),
		cmocka_unit_test(softmax_of_catboost),
		cmocka_unit_test(leaves_zeros_out_of_doubles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
