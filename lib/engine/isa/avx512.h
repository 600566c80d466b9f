/*
 * Vocabulary of AVX-512 with VBMI and GFNI: 512 rows per vector.
 *
 * Leaf codes and sums stand in the order in which the unpack instructions leave them: 128-bit lane L of vector k holds
 * rows 128 L + 4 k … + 3 (floats) or 128 L + 2 k, + 1 (doubles). order_sums puts them right once per block.
 */
#define ISA_NAME(name) name##_avx512

typedef __m512i V;
#define V_WORDS 8
#define PLANE_WORDS 8

static inline V v_load(const uint64_t *p)
{
	return _mm512_load_si512((const void *)p);
}

static inline void v_store(uint64_t *p, V v)
{
	_mm512_store_si512((void *)p, v);
}

static inline V v_select(V mask, V a, V b)
{
	return _mm512_ternarylogic_epi64(mask, a, b, 0xac);
}

static inline V v_and(V a, V b)
{
	return _mm512_and_si512(a, b);
}

static inline V v_or(V a, V b)
{
	return _mm512_or_si512(a, b);
}

static inline V v_nor(V a, V b)
{
	return _mm512_andnot_si512(_mm512_or_si512(a, b), _mm512_set1_epi8(-1));
}

static inline V v_andnot(V a, V b)
{
	return _mm512_andnot_si512(a, b);
}

/* ---- planes to bytes ------------------------------------------------------------------------------------ */

/* 8 × 8 bits in each 64-bit lane: a product of bit matrices, with the planes stacked highest first. */
static inline __m512i transpose_bits512(__m512i x)
{
	return _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi64((long long)0x8040201008040201), x, 0);
}

static inline void v_bytes(const V planes[8], uint8_t *bytes)
{
	__m512i p[8], a[8], b[8];
	for (size_t k = 0; k < 8; k++)
		p[7 - k] = planes[k];
	for (size_t k = 0; k < 4; k++) {
		a[2 * k] = _mm512_unpacklo_epi8(p[2 * k], p[2 * k + 1]);
		a[2 * k + 1] = _mm512_unpackhi_epi8(p[2 * k], p[2 * k + 1]);
	}
	for (size_t k = 0; k < 2; k++) {
		b[4 * k] = _mm512_unpacklo_epi16(a[4 * k], a[4 * k + 2]);
		b[4 * k + 1] = _mm512_unpackhi_epi16(a[4 * k], a[4 * k + 2]);
		b[4 * k + 2] = _mm512_unpacklo_epi16(a[4 * k + 1], a[4 * k + 3]);
		b[4 * k + 3] = _mm512_unpackhi_epi16(a[4 * k + 1], a[4 * k + 3]);
	}
	for (size_t k = 0; k < 4; k++) {
		__m512i low = transpose_bits512(_mm512_unpacklo_epi32(b[k], b[k + 4]));
		__m512i high = transpose_bits512(_mm512_unpackhi_epi32(b[k], b[k + 4]));
		_mm512_store_si512((void *)(bytes + 128 * k), low);
		_mm512_store_si512((void *)(bytes + 128 * k + 64), high);
	}
}

/* The rows of every word are spread over the whole block. */
#define SUM_WORDS(n) ((void)(n), (size_t)PLANE_WORDS)
#include "avx512_blocks.h"

static void order_f32_avx512(float *sums)
{
	float rows[BLOCK_ROWS];
	for (size_t k = 0; k < 32; k++) {
		for (size_t lane = 0; lane < 4; lane++)
			memcpy(rows + 128 * lane + 4 * k, sums + 16 * k + 4 * lane, 4 * sizeof *sums);
	}
	memcpy(sums, rows, sizeof rows);
}

static void order_f64_avx512(double *sums)
{
	double rows[BLOCK_ROWS];
	for (size_t k = 0; k < 64; k++) {
		for (size_t lane = 0; lane < 4; lane++)
			memcpy(rows + 128 * lane + 2 * k, sums + 8 * k + 2 * lane, 2 * sizeof *sums);
	}
	memcpy(sums, rows, sizeof rows);
}

/* ---- rows to columns ---------------------------------------------------------------------------------------- */

#define HAVE_TRANSPOSE16

static inline void transpose16x16(const char *rows, int64_t row_stride, float *columns)
{
	__m512 r[16], t[16];
	for (int i = 0; i < 16; i++)
		r[i] = _mm512_loadu_ps((const void *)(rows + i * row_stride));
	for (int i = 0; i < 16; i += 2) {
		t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
	}
	for (int i = 0; i < 16; i += 4) {
		r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
		r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
		r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
		r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
	}
	/* r[4 g + c], 128-bit lane l: column 4 l + c of rows 4 g … 4 g + 3. */
	for (int c = 0; c < 4; c++) {
		__m512 a = _mm512_shuffle_f32x4(r[c], r[4 + c], 0x88), b = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0x88);
		__m512 d = _mm512_shuffle_f32x4(r[c], r[4 + c], 0xdd), e = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0xdd);
		_mm512_storeu_ps(columns + (c + 0) * TILE_ROWS, _mm512_shuffle_f32x4(a, b, 0x88));
		_mm512_storeu_ps(columns + (c + 8) * TILE_ROWS, _mm512_shuffle_f32x4(a, b, 0xdd));
		_mm512_storeu_ps(columns + (c + 4) * TILE_ROWS, _mm512_shuffle_f32x4(d, e, 0x88));
		_mm512_storeu_ps(columns + (c + 12) * TILE_ROWS, _mm512_shuffle_f32x4(d, e, 0xdd));
	}
}

static void transpose16_avx512(const char *rows, int64_t row_stride, size_t n, float *columns)
{
	size_t r = 0;
	for (; r + 16 <= n; r += 16)
		transpose16x16(rows + (int64_t)r * row_stride, row_stride, columns + r);
	for (; r < n; r++) {
		for (size_t c = 0; c < 16; c++)
			memcpy(columns + c * TILE_ROWS + r, rows + (int64_t)r * row_stride + (int64_t)(c * sizeof(float)),
				sizeof(float));
	}
}
