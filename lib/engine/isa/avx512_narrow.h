/*
 * Vocabulary of AVX-512 for small batches: 128 rows per vector. A call of a few dozen rows would leave most of a 512-row
 * plane empty. Leaf tables are those of the wide blocks, so one compiled model serves both.
 *
 * Leaf codes stand in the order of the rows. Of each 64 sums, 128-bit lane L of vector k holds rows 16 L + 4 k … + 3
 * (floats) or 16 L + 2 k, + 1 (doubles).
 */
#define ISA_NAME(name) name##_avx512_narrow

typedef __m128i V;
#define V_WORDS 2
#define PLANE_WORDS 2

static inline V v_load(const uint64_t *p)
{
	return _mm_load_si128((const __m128i *)(const void *)p);
}

static inline void v_store(uint64_t *p, V v)
{
	_mm_store_si128((__m128i *)(void *)p, v);
}

static inline V v_select(V mask, V a, V b)
{
	return _mm_ternarylogic_epi64(mask, a, b, 0xac);
}

static inline V v_and(V a, V b)
{
	return _mm_and_si128(a, b);
}

static inline V v_or(V a, V b)
{
	return _mm_or_si128(a, b);
}

static inline V v_nor(V a, V b)
{
	return _mm_andnot_si128(_mm_or_si128(a, b), _mm_set1_epi8(-1));
}

static inline V v_andnot(V a, V b)
{
	return _mm_andnot_si128(a, b);
}

static inline __m128i transpose_bits128(__m128i x)
{
	return _mm_gf2p8affine_epi64_epi8(_mm_set1_epi64x((long long)0x8040201008040201), x, 0);
}

static inline void v_bytes(const V planes[8], uint8_t *bytes)
{
	__m128i p[8], a[8], b[8];
	for (size_t k = 0; k < 8; k++)
		p[7 - k] = planes[k];
	for (size_t k = 0; k < 4; k++) {
		a[2 * k] = _mm_unpacklo_epi8(p[2 * k], p[2 * k + 1]);
		a[2 * k + 1] = _mm_unpackhi_epi8(p[2 * k], p[2 * k + 1]);
	}
	for (size_t k = 0; k < 2; k++) {
		b[4 * k] = _mm_unpacklo_epi16(a[4 * k], a[4 * k + 2]);
		b[4 * k + 1] = _mm_unpackhi_epi16(a[4 * k], a[4 * k + 2]);
		b[4 * k + 2] = _mm_unpacklo_epi16(a[4 * k + 1], a[4 * k + 3]);
		b[4 * k + 3] = _mm_unpackhi_epi16(a[4 * k + 1], a[4 * k + 3]);
	}
	for (size_t k = 0; k < 4; k++) {
		__m128i *to = (__m128i *)(void *)(bytes + 32 * k);
		_mm_store_si128(to, transpose_bits128(_mm_unpacklo_epi32(b[k], b[k + 4])));
		_mm_store_si128(to + 1, transpose_bits128(_mm_unpackhi_epi32(b[k], b[k + 4])));
	}
}

#define SUM_WORDS(n) (n)
#include "avx512_blocks.h"

#define ROWS_OF_BLOCK ((size_t)64 * PLANE_WORDS)

static void order_f32_avx512_narrow(float *sums)
{
	float rows[ROWS_OF_BLOCK];
	for (size_t i = 0; i < ROWS_OF_BLOCK; i++)
		rows[(i & ~(size_t)63) + 16 * (i / 4 % 4) + 4 * (i / 16 % 4) + i % 4] = sums[i];
	memcpy(sums, rows, sizeof rows);
}

static void order_f64_avx512_narrow(double *sums)
{
	double rows[ROWS_OF_BLOCK];
	for (size_t i = 0; i < ROWS_OF_BLOCK; i++)
		rows[(i & ~(size_t)63) + 16 * (i / 2 % 4) + 2 * (i / 8 % 8) + i % 2] = sums[i];
	memcpy(sums, rows, sizeof rows);
}
