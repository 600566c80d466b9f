/*
 * Decimal text against the C library's strtod and strtof (in the C locale, where they are correctly rounded),
 * bit for bit, on more than a million texts from a fixed seed; and the grammar, which is narrower than
 * strtod's.
 */
#include "base/base.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t random_state = 20240607;

static uint64_t random_u64(void) /* splitmix64 */
{
	uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t random_below(uint64_t n)
{
	return random_u64() % n;
}

static uint64_t cases;

/* The text, both ways, in both types. The bytes behind it must not be looked at. */
static void check(const char *text)
{
	size_t length = strlen(text);
	double got = -1, want = strtod(text, NULL);
	float got_f = -1, want_f = strtof(text, NULL);

	cases++;
	if (sl_parse_f64(text, length, &got) != length || sl_f64_bits(got) != sl_f64_bits(want))
		fail_msg("f64 of %.60s… (%zu bytes): %a, expected %a", text, length, got, want);
	if (sl_parse_f32(text, length, &got_f) != length || sl_f32_bits(got_f) != sl_f32_bits(want_f))
		fail_msg("f32 of %.60s… (%zu bytes): %a, expected %a", text, length, (double)got_f, (double)want_f);
}

static double random_finite(void)
{
	for (;;) {
		double x = sl_f64_from_bits(random_u64());
		if (isfinite(x))
			return x;
	}
}

static float random_finite_f32(void)
{
	for (;;) {
		float x = sl_f32_from_bits((uint32_t)random_u64());
		if (isfinite(x))
			return x;
	}
}

static void test_printed_doubles(void **state)
{
	char text[64];
	(void)state;
	for (int i = 0; i < 300000; i++) {
		double x = random_finite();
		snprintf(text, sizeof text, "%.*e", (int)random_below(20), x);
		check(text);
		snprintf(text, sizeof text, "%.17g", ldexp((double)(int64_t)random_u64(),
			-63 - (int)random_below(20)));
		check(text);
	}
}

/* What people's models hold: the shortest text that reads back. */
static void test_shortest_round_trips(void **state)
{
	char text[64];
	(void)state;
	for (int i = 0; i < 100000; i++) {
		double x = i % 2 ? random_finite() : (double)(int64_t)random_u64() / 1e19;
		float f = i % 2 ? random_finite_f32() : (float)((double)(int64_t)random_u64() / 1e19);
		for (int digits = 1; digits <= 17; digits++) {
			snprintf(text, sizeof text, "%.*g", digits, x);
			if (strtod(text, NULL) == x)
				break;
		}
		check(text);
		for (int digits = 1; digits <= 9; digits++) {
			snprintf(text, sizeof text, "%.*E", digits, (double)f);
			if (strtof(text, NULL) == f)
				break;
		}
		check(text);
	}
}

static void test_random_digits(void **state)
{
	char text[80];
	(void)state;
	for (int i = 0; i < 400000; i++) {
		int n = 1 + (int)random_below(i % 4 == 0 ? 40 : 20), at = 0;
		int point = (int)random_below((uint64_t)n + 1);
		if (random_below(4) == 0)
			text[at++] = random_below(2) ? '-' : '+';
		for (int k = 0; k < n; k++) {
			if (k == point)
				text[at++] = '.';
			text[at++] = (char)('0' + (random_below(3) == 0 ? 0 : random_below(10)));
		}
		if (point == n && random_below(2))
			text[at++] = '.';
		text[at] = '\0';
		if (random_below(3) != 0)
			snprintf(text + at, sizeof text - (size_t)at, "%c%d", i % 2 ? 'e' : 'E',
				(int)random_below(700) - 350);
		check(text);
	}
}

static void test_denormals(void **state)
{
	char text[64];
	(void)state;
	for (int i = 0; i < 50000; i++) {
		double x = sl_f64_from_bits(random_u64() >> (12 + random_below(52)));
		float f = sl_f32_from_bits((uint32_t)random_u64() >> (9 + random_below(23)));
		snprintf(text, sizeof text, "%.*e", (int)random_below(22), x);
		check(text);
		snprintf(text, sizeof text, "%.*e", (int)random_below(22), (double)f);
		check(text);
	}
}

/* A text, and its neighbours: one digit more behind it, and the last digit one less. */
static void check_around(char *text)
{
	char *digits_end = text + strcspn(text, "e"), exponent[16], *last = digits_end - 1;

	check(text);
	snprintf(exponent, sizeof exponent, "%s", digits_end);
	snprintf(digits_end, 64, "00000000000000000001%s", exponent);
	check(text);
	snprintf(digits_end, 64, "%s", exponent);
	while (*last == '0' || *last == '.')
		last--;
	--*last;
	check(text);
	snprintf(digits_end, 64, "99999999999%s", exponent);
	check(text);
}

/* Exact middles between two doubles and two floats, which all digits decide. */
static void test_midpoints(void **state)
{
	static char text[1400];
	(void)state;
	for (int i = 0; i < 4000; i++) {
		double x = i % 4 == 0 ? sl_f64_from_bits(random_u64() >> (12 + random_below(52))) : fabs(random_finite());
		float f = i % 4 == 0 ? sl_f32_from_bits((uint32_t)random_u64() >> (9 + random_below(23)))
		                     : fabsf(random_finite_f32());
		double f_next = (double)nextafterf(f, INFINITY);
		/* Needs a long double of at least 54 bits of mantissa; elsewhere this is just another number. */
		long double middle = ((long double)x + (long double)nextafter(x, INFINITY)) / 2;
		if (isfinite(middle)) {
			snprintf(text, sizeof text, "%.1200Le", middle);
			check_around(text);
		}
		if (isfinite(f_next)) {
			snprintf(text, sizeof text, "%.200e", ((double)f + f_next) / 2);
			check_around(text);
		}
	}
}

static void test_limits(void **state)
{
	static const char *const texts[] = {
		"0", "-0", "0.0", "-0e999999999999999999999", "1e-400", "1e400", "-1e400",
		"1e999999999999999999999999",
		"1e-99999999999999999999999", "4.9406564584124654e-324", "2.4703282292062327e-324",
		"2.4703282292062328e-324", "2.470328229206232720882843964341106861825299e-324",
		"1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308",
		"2.2250738585072011e-308", "2.2250738585072014e-308", "1.4012984643248170e-45",
		"7.0064923216240853e-46", "7.0064923216240854e-46", "3.4028235677973366e38", "3.4028235677973365e38",
		"3.4028234663852886e38", "1.00000005960464477539062", "1.000000059604644775390625",
		"1.0000000596046447753906250000000000000000001", "9007199254740993",
		"9007199254740993.00000000000000000001", "9007199254740992.99999999999999999999",
		"18446744073709551615", "18446744073709551616", "99999999999999999999",
		"00000000000000000000000000000001", "0.00000000000000000000000000000000000001e38", "nan", "NaN",
		"-nan", "inf", "-inf", "+INF", "Infinity", "-INFINITY", "1.", ".5", "-.5e+3",
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		check(texts[i]);
}

/* Products that are powers of two, of a power of 5 whose inverse is not exact: the interval around them carries into a bit more. */
static void test_powers_of_two(void **state)
{
	uint64_t five = 1;
	char text[40];
	(void)state;
	for (int n = 0; n <= 27; n++, five *= 5) {
		for (int shift = 0; shift < 64 && five << shift >> shift == five; shift++) {
			double x = 0;
			snprintf(text, sizeof text, "%llue-%d", (unsigned long long)(five << shift), n);
			check(text);
			assert_int_equal(sl_parse_f64(text, strlen(text), &x), strlen(text));
			assert_true(x == ldexp(1.0, shift - n));
		}
	}
}

/* A long row of zeros moves the point; more than 800 digits must still count. */
static void test_long_texts(void **state)
{
	static char text[6000];
	(void)state;
	for (int i = 0; i < 300; i++) {
		size_t zeros = random_below(2000), digits = 1 + random_below(2000), at = 0;
		bool fraction = random_below(2);
		if (fraction) {
			memcpy(text, "0.", 2);
			at = 2;
		}
		if (fraction)
			for (size_t k = 0; k < zeros; k++)
				text[at++] = '0';
		for (size_t k = 0; k < digits; k++)
			text[at++] = (char)('0' + random_below(10));
		if (!fraction)
			for (size_t k = 0; k < zeros; k++)
				text[at++] = '0';
		snprintf(text + at, 32, "e%d",
			(fraction ? (int)zeros : -(int)(zeros + digits)) + (int)random_below(600) - 300);
		check(text);
	}
}

static void test_grammar(void **state)
{
	static const struct {
		const char *text;
		size_t used;
	} texts[] = {
		{ "", 0 }, { "-", 0 }, { "+", 0 }, { ".", 0 }, { "-.", 0 }, { "e5", 0 }, { ".e5", 0 }, { " 1", 0 },
		{ "x", 0 },
		{ "na", 0 }, { "in", 0 }, { "--1", 0 }, { "1e", 1 }, { "1e+", 1 }, { "1e-x", 1 }, { "1.5.5", 3 },
		{ "0x10", 1 }, { "1,5", 1 }, { "1 2", 1 }, { "nan(1)", 3 }, { "infinit", 3 }, { "infinityx", 8 },
		{ "1d5", 1 }, { "12e3e4", 4 }, { "1_000", 1 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		double x = 42;
		float f = 42;
		assert_int_equal(sl_parse_f64(texts[i].text, strlen(texts[i].text), &x), texts[i].used);
		assert_int_equal(sl_parse_f32(texts[i].text, strlen(texts[i].text), &f), texts[i].used);
		if (texts[i].used == 0)
			assert_true(x == 42 && f == 42);
	}
}

/* The bytes end where the caller says, wherever that cuts the number. */
static void test_cut_text(void **state)
{
	static const char text[] = "-123.456e-78";
	(void)state;
	for (size_t length = 0; length < sizeof text; length++) {
		char copy[sizeof text], *heap = malloc(length + 1);
		double x = 42, y = 42;
		size_t used;
		memcpy(copy, text, length);
		copy[length] = '\0';
		assert_non_null(heap);
		memcpy(heap, text, length);
		used = sl_parse_f64(heap, length, &x);
		if (used != 0)
			y = strtod(copy, NULL);
		assert_int_equal(sl_f64_bits(x), sl_f64_bits(y));
		free(heap);
	}
}

static void test_integers(void **state)
{
	static const struct {
		const char *text;
		size_t used;
		int64_t value;
	} texts[] = {
		{ "0", 1, 0 }, { "-0", 2, 0 }, { "42,", 2, 42 }, { "-7 ", 2, -7 },
		{ "9223372036854775807", 19, INT64_MAX },
		{ "9223372036854775808", 0, 5 }, { "-9223372036854775808", 20, INT64_MIN },
		{ "-9223372036854775809", 0, 5 }, { "99999999999999999999999", 0, 5 },
		{ "000000000000000000000000012", 27, 12 }, { "", 0, 5 }, { "-", 0, 5 }, { "+1", 0, 5 }, { " 1", 0, 5 },
		{ "x", 0, 5 }, { "1.5", 1, 1 }, { "1e3", 1, 1 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		int64_t value = 5;
		assert_int_equal(sl_parse_i64(texts[i].text, strlen(texts[i].text), &value), texts[i].used);
		assert_int_equal(value, texts[i].value);
	}
}

static void test_enough_cases(void **state)
{
	(void)state;
	assert_true(cases >= 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printed_doubles), cmocka_unit_test(test_shortest_round_trips),
		cmocka_unit_test(test_random_digits),   cmocka_unit_test(test_denormals),
		cmocka_unit_test(test_midpoints),       cmocka_unit_test(test_limits),
		cmocka_unit_test(test_powers_of_two),
		cmocka_unit_test(test_long_texts),      cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_cut_text),        cmocka_unit_test(test_integers),
		cmocka_unit_test(test_enough_cases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
