/*
 * Codes against a naive count of cuts <= x: every instruction set, every number of cuts that changes a code path, values
 * at, beside and far from cuts, and cuts spread in ways that suit the maps well and badly.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/parts.h"
#include "random_model.h"

#define MOST_VALUES 1100u

static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512,
	SCORE_ISA_NEON};

typedef enum spread { EVEN, EVEN_THEN_NAN, DENSE_AMIDST, CLOSE, WIDE, CLUSTERS, FAR, TINY, N_SPREADS } spread;

/* Cuts close together, and one or eight of them on either side far from the others: more than the maps leave to their ends. */
static double far_cut(uint32_t i, uint32_t n)
{
	const uint32_t outlying = n % 2 ? 8 : 1;
	const double beyond = 33000.0 + 4.0 * n;
	if (i < outlying)
		return -beyond - 8.0 * (outlying - i);
	return i + outlying >= n ? beyond + 8.0 * (i + outlying - n) : 4.0 * i - 2.0 * n + 500.0; /* within a bucket */
}

/* Ascending and distinct for i = 0, 1, …; exact in float. */
static double cut_of(spread how, uint32_t i, uint32_t n)
{
	double at = (double)i - (double)(n / 2);
	switch (how) {
	case EVEN:
	case EVEN_THEN_NAN: /* which nothing reaches */
		return at * 0.25;
	case DENSE_AMIDST: /* squares, as long as they are floats */
		return n < 8192 ? at * fabs(at) * 0.25 : at * 0.25;
	case CLOSE: /* neighbouring floats */
		return 8388608.0 + (double)i;
	case WIDE: /* the lowest and the highest numbers among ordinary ones */
		return i == 0 ? -INFINITY : i + 1 == n ? INFINITY : i == 1 ? -(double)3e38f : at;
	case CLUSTERS:
		return i < n / 2 ? (double)i / 1048576.0 : 1e6 + (double)i;
	case FAR:
		return far_cut(i, n);
	default: /* denormal floats, zero among them */
		return at * (double)1.401298464e-45f;
	}
}

typedef struct bin_case {
	const kernels *k;
	uint32_t code_bytes, n_cuts, n_values;
	const double *cuts;
	double *values;
} bin_case;

static uint32_t code_at(const void *codes, uint32_t code_bytes, size_t i)
{
	return code_bytes == 1 ? ((const uint8_t *)codes)[i] : code_bytes == 2 ? ((const uint16_t *)codes)[i]
		: ((const uint32_t *)codes)[i];
}

static void check_codes(const bin_case *c, const void *codes, bool narrow, size_t n, bool saw_nan)
{
	bool any_nan = false;
	for (size_t i = 0; i < n; i++) {
		double x = c->values[i];
		uint32_t low = 0, high = c->n_cuts;
		any_nan |= x != x;
		/* Cuts ascend, so those <= x come first. */
		while (low < high) {
			uint32_t middle = low + (high - low) / 2;
			if (c->cuts[middle] <= x)
				low = middle + 1;
			else
				high = middle;
		}
		if (code_at(codes, c->code_bytes, i) != low)
			fail_msg("%s, %s, %u cuts, %u bytes: value %zu of %zu, %a, has code %u, not %u", score_isa_name(c->k->isa),
				narrow ? "float" : "double", c->n_cuts, c->code_bytes, i, n, x,
				code_at(codes, c->code_bytes, i), low);
	}
	if (any_nan && !saw_nan)
		fail_msg("%s: a NaN was overlooked", score_isa_name(c->k->isa));
	assert_int_equal(code_at(codes, c->code_bytes, n), c->code_bytes == 4 ? 0xa5a5a5a5u : c->code_bytes == 2 ? 0xa5a5u
		: 0xa5u);
}

/* The highest code where a value is missing, else the code; in a place of its own, then in place. */
static void check_lifted(const bin_case *c, const float *narrow, bool is_narrow, size_t n, void *codes)
{
	static uint32_t lifted[MOST_VALUES + 1];
	const uint32_t highest = c->code_bytes == 1 ? UINT8_MAX : c->code_bytes == 2 ? UINT16_MAX : UINT32_MAX;
	memset(lifted, 0x5a, sizeof lifted);
	for (int in_place = 0; in_place < 2; in_place++) {
		void *to = in_place ? codes : lifted;
		if (is_narrow)
			c->k->lift_f32[c->code_bytes / 2](narrow, n, codes, to);
		else
			c->k->lift_f64[c->code_bytes / 2](c->values, n, codes, to);
		uint32_t behind = code_at(to, c->code_bytes, n) & 0xff;
		assert_int_equal(behind, in_place ? 0xa5 : 0x5a);
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(code_at(codes, c->code_bytes, i), code_at(lifted, c->code_bytes, i));
		if (c->values[i] != c->values[i])
			assert_int_equal(code_at(lifted, c->code_bytes, i), highest);
		else
			assert_true(code_at(lifted, c->code_bytes, i) <= c->n_cuts);
	}
}

/* Bit planes of a block as codes, those of the first n rows against a count of cuts; `missing` is what NaN has. */
static void check_planes(const bin_case *c, const uint64_t *bits, size_t n_planes, size_t n, uint32_t missing)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t code = 0, expected = c->values[i] == c->values[i] ? 0 : missing;
		for (uint32_t k = 0; k < c->n_cuts; k++)
			expected += c->cuts[k] <= c->values[i];
		for (size_t k = 0; k < n_planes; k++)
			code |= (uint32_t)(bits[k * SLICE_WORDS + i / 64] >> (i % 64) & 1) << k;
		if (code != expected)
			fail_msg("%u cuts in %zu planes: value %zu of %zu, %a, has code %u, not %u", c->n_cuts, n_planes, i, n, c->values[i], code,
				expected);
	}
}

static void check_predicates(const kernels *k, const uint64_t *bits, size_t n_planes, uint32_t n_cuts)
{
	_Alignas(SL_CACHE_LINE) uint64_t answers[(1 << SLICE_MOST_PLANES) * SLICE_WORDS];
	uint8_t cuts[1 << SLICE_MOST_PLANES];
	for (uint32_t i = 0; i < n_cuts; i++)
		cuts[i] = (uint8_t)(n_cuts - 1 - i);
	k->sliced_predicates(bits, n_planes, cuts, n_cuts, answers);
	for (size_t r = 0; r < BLOCK_ROWS; r++) {
		uint32_t code = 0;
		for (size_t p = 0; p < n_planes; p++)
			code |= (uint32_t)(bits[p * SLICE_WORDS + r / 64] >> (r % 64) & 1) << p;
		for (uint32_t i = 0; i < n_cuts; i++)
			assert_int_equal(answers[i * SLICE_WORDS + r / 64] >> (r % 64) & 1, code > cuts[i]);
	}
}

/* Codes of few cuts as bit planes: of floats at once, and of byte codes. */
static void check_slices(const bin_case *c, const bin_table *t, const float *narrow)
{
	static const size_t sizes[] = {BLOCK_ROWS, 256, 500, 129, 64, 1};
	_Alignas(SL_CACHE_LINE) uint64_t bits[SLICE_MOST_PLANES * SLICE_WORDS];
	uint8_t codes[BLOCK_ROWS] = {0};
	for (size_t n_planes = 4; n_planes <= SLICE_MOST_PLANES; n_planes++) {
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && t->n < 1u << n_planes; i++) {
			memset(bits, 0x5a, sizeof bits);
			c->k->bin_f32[0](t, narrow, sizes[i], codes);
			c->k->slice(codes, n_planes, sizes[i], bits);
			check_planes(c, bits, n_planes, sizes[i], 0);
			for (int high = 0; high < 2 && isfinite(t->narrow[0]) && isfinite(t->narrow[t->n - 1]); high++) {
				memset(bits, 0x5a, sizeof bits);
				c->k->slice_f32(t, n_planes, narrow, sizes[i], high, bits);
				check_planes(c, bits, n_planes, sizes[i], high ? c->n_cuts : 0);
			}
			check_predicates(c->k, bits, n_planes, t->n);
		}
	}
}

static void check_table(const bin_case *c, const bin_table *t)
{
	static const size_t sizes[] = {1, 12, 13, 63, 64, 65, 128, 500, MOST_VALUES};
	static float narrow[MOST_VALUES];
	static uint32_t codes[MOST_VALUES + 1];
	for (size_t i = 0; i < c->n_values; i++)
		narrow[i] = (float)c->values[i];
	if (c->k->slice && c->code_bytes == 1 && t->n)
		check_slices(c, t, narrow);
	for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
		size_t n = sizes[k] < c->n_values ? sizes[k] : c->n_values;
		memset(codes, 0xa5, sizeof codes);
		bool nan = c->k->bin_f32[c->code_bytes / 2](t, narrow, n, codes);
		check_codes(c, codes, true, n, nan);
		check_lifted(c, narrow, true, n, codes);
		memset(codes, 0xa5, sizeof codes);
		nan = c->k->bin_f64[c->code_bytes / 2](t, c->values, n, codes);
		check_codes(c, codes, false, n, nan);
		check_lifted(c, narrow, false, n, codes);
	}
}

/* Values are floats, so that both types have the same answers. Of sixteen, `plain` lie anywhere between the outermost cuts. */
static uint32_t make_values(const double *cuts, uint32_t n_cuts, uint64_t seed, uint32_t plain, double *values)
{
	static const double odd[] = {0.0, -0.0, INFINITY, -INFINITY, 1e30, -1e30};
	uint64_t state = seed;
	for (uint32_t i = 0; i < MOST_VALUES; i++) {
		uint64_t r = random_u64(&state);
		float cut = n_cuts ? (float)cuts[(r >> 8) % n_cuts] : 1.0f;
		values[i] = (r & 7) == 0 ? odd[(r >> 3) % 6] : (r & 7) < 3 ? (double)nextafterf(cut, -INFINITY)
			: (r & 7) < 5 ? (double)cut : (r & 7) == 5 ? (double)nextafterf(cut, INFINITY)
			: (r & 7) == 6 ? (double)(cut * 1.01f) : 1e-45;
		values[i] = (double)(float)values[i];
		if (plain && n_cuts && isfinite(cuts[n_cuts - 1] - cuts[0]) && random_u64(&state) % 16 < plain)
			values[i] = (double)(float)(cuts[0] + (cuts[n_cuts - 1] - cuts[0]) * ((double)(r >> 11) * 0x1p-53));
		if (seed % 3 == 0 && (r >> 60) == 0)
			values[i] = (double)NAN;
	}
	return MOST_VALUES;
}

static void check_cuts(score_isa isa, uint32_t n, spread how)
{
	score_allocator allocator = sl_allocator(NULL);
	sl_arena arena;
	sl_arena_init(&arena, &allocator, 0);
	const uint32_t with_nan = how == EVEN_THEN_NAN && n < 255 ? n + 1 : n;
	size_t padded = bin_padded(with_nan);
	float *narrow = malloc(padded * sizeof *narrow);
	double *wide = malloc(padded * sizeof *wide), values[MOST_VALUES];
	for (size_t i = 0; i < padded; i++)
		narrow[i] = (float)(wide[i] = i < n ? cut_of(how, (uint32_t)i, n) : (double)NAN);
	for (uint32_t bytes = n <= 255 ? 1 : n <= 65535 ? 2 : 4; bytes <= 4; bytes *= 2) {
		engine e = {.k = engine_kernels(isa), .code_bytes = bytes};
		float narrow_pivots[16];
		double wide_pivots[16];
		wide_cuts for_doubles = {.cuts = wide, .pivots = n <= 255 ? wide_pivots : NULL};
		bin_table t = {.n = with_nan, .narrow = narrow, .wide = &for_doubles};
		for (size_t i = 0; i < 16 && n <= 255; i++) {
			narrow_pivots[i] = 16 * i + 15 < padded ? narrow[16 * i + 15] : NAN;
			wide_pivots[i] = 16 * i + 15 < padded ? wide[16 * i + 15] : (double)NAN;
		}
		t.narrow_pivots = n <= 255 ? narrow_pivots : NULL;
		assert_true(engine_make_bin_maps(&e, &arena, &t, &for_doubles));
		if (how == EVEN && e.k->look_up_cuts && bytes == 1)
			assert_int_equal(t.words != NULL, n > e.k->few_cuts);
		bin_case c = {.k = e.k, .code_bytes = bytes, .n_cuts = n, .cuts = wide, .values = values};
		/* Most values are beside cuts, or hardly any. */
		for (uint32_t plain = 0; plain < 16; plain += 15) {
			c.n_values = make_values(wide, n, 1000u * (uint32_t)how + n, plain, values);
			check_table(&c, &t);
		}
	}
	sl_arena_free(&arena);
	free(narrow);
	free(wide);
}

static void codes_count_cuts(void **state)
{
	static const uint32_t large[] = {301, 1000, 5000, 65535, 70000};
	(void)state;
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		for (uint32_t how = 0; how < N_SPREADS; how++) {
			for (uint32_t n = 0; n <= 300; n += how == FAR ? 3 : 1)
				check_cuts(isas[i], n, (spread)how);
			for (size_t k = 0; k < sizeof large / sizeof large[0]; k++)
				check_cuts(isas[i], large[k], (spread)how);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(codes_count_cuts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
