/* Values of columns: validity bitmaps at every alignment and length, and every half. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "input/view.h"

#define N_ROWS 300

static void bitmaps_mark_the_right_rows(void **state)
{
	static float floats[N_ROWS + 80];
	static int32_t whole[N_ROWS + 80];
	const forest f = {.kind = 0};
	(void)state;
	for (int i = 0; i < N_ROWS + 80; i++)
		floats[i] = (float)(whole[i] = i + 1);
	for (int64_t offset = 0; offset < 72; offset++) {
		for (size_t n = 1; n <= N_ROWS; n += n < 140 ? 1 : 37) {
			/* Exactly as long as it must be, so that the sanitizer sees a byte too much. */
			size_t bytes = ((size_t)offset + n + 7) / 8;
			uint8_t *bits = malloc(bytes);
			float out[N_ROWS];
			double wide[N_ROWS];
			size_t n_missing = 0;
			for (size_t i = 0; i < bytes; i++)
				bits[i] = (uint8_t)(n % 3 && (i * 7 + n) % 5 == 0 ? 0xffu ^ 1u << (i + n) % 8 : 0xffu);
			score_column c[2] = {{.values = floats, .validity = bits, .offset = offset, .dtype = SCORE_F32},
				{.values = whole, .validity = bits, .offset = offset, .dtype = SCORE_I32}};
			input_view view = {.n_rows = (int64_t)n, .f = &f, .columns = c};
			input_fetch_f32(&view, 0, 0, n, out);
			input_fetch_f64(&view, 1, 0, n, wide);
			for (size_t i = 0; i < n; i++) {
				size_t e = (size_t)offset + i;
				bool valid = bits[e / 8] >> (e % 8) & 1;
				n_missing += !valid;
				assert_true(valid ? out[i] == (float)(e + 1) && wide[i] == (double)(e + 1) : isnan(out[i]) && isnan(wide[i]));
			}
			assert_int_equal(input_all_valid(bits, offset, n), n_missing == 0);
			free(bits);
		}
	}
}

static void every_half_is_exact(void **state)
{
	static uint16_t halves[65536];
	static float out[65536];
	const forest f = {.kind = 0};
	(void)state;
	for (uint32_t i = 0; i < 65536; i++)
		halves[i] = (uint16_t)i;
	score_column c = {.values = halves, .dtype = SCORE_F16};
	input_view view = {.n_rows = 65536, .f = &f, .columns = &c};
	input_fetch_f32(&view, 0, 0, 65536, out);
	for (uint32_t i = 0; i < 65536; i++) {
		int exponent = (int)(i >> 10 & 31), fraction = (int)(i & 1023);
		double x = exponent == 31 ? (fraction ? (double)NAN : INFINITY)
			: exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
		x = i >> 15 ? -x : x;
		assert_true(isnan(x) ? isnan(out[i]) : (double)out[i] == x && !signbit(out[i]) == !signbit(x));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bitmaps_mark_the_right_rows),
		cmocka_unit_test(every_half_is_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
