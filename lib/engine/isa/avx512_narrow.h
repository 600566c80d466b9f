/*
 * Vocabulary of AVX-512 for small batches: 128 rows per vector. A call of a few dozen rows would leave most of a 512-row
 * plane empty. Leaf tables are those of the wide blocks, so one compiled model serves both.
 *
 * Leaf codes stand in the order of the rows, sums in that of add_leaves_f32 and add_leaves_f64.
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

static inline V v_xor(V a, V b)
{
	return _mm_xor_si128(a, b);
}

static inline V v_fill(uint64_t x)
{
	return _mm_set1_epi64x((long long)x);
}

static ALWAYS_INLINE __m512i join128(__m128i a, __m128i b, __m128i c, __m128i d)
{
	__m512i low = _mm512_castsi256_si512(_mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1));
	return _mm512_inserti64x4(low, _mm256_inserti128_si256(_mm256_castsi128_si256(c), d, 1), 1);
}

/* One word of each of 8 planes becomes 64 bytes: first byte r of all planes side by side, highest plane first, then 8 × 8 bits
 * transposed. */
static ALWAYS_INLINE __m512i bytes_of_words(__m512i words)
{
	const __m512i rows = _mm512_setr_epi64(0x0008101820283038, 0x0109111921293139, 0x020a121a222a323a, 0x030b131b232b333b,
		0x040c141c242c343c, 0x050d151d252d353d, 0x060e161e262e363e, 0x070f171f272f373f);
	return _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi64((long long)0x8040201008040201),
		_mm512_permutexvar_epi8(rows, words), 0);
}

static inline void v_bytes(const V p[8], uint8_t *bytes)
{
	__m512i first = join128(_mm_unpacklo_epi64(p[0], p[1]), _mm_unpacklo_epi64(p[2], p[3]),
		_mm_unpacklo_epi64(p[4], p[5]), _mm_unpacklo_epi64(p[6], p[7]));
	__m512i second = join128(_mm_unpackhi_epi64(p[0], p[1]), _mm_unpackhi_epi64(p[2], p[3]),
		_mm_unpackhi_epi64(p[4], p[5]), _mm_unpackhi_epi64(p[6], p[7]));
	_mm512_store_si512((void *)bytes, bytes_of_words(first));
	_mm512_store_si512((void *)(bytes + 64), bytes_of_words(second));
}

#define SUM_WORDS(n) (n)
#include "avx512_blocks.h"

#define ROWS_OF_BLOCK ((size_t)64 * PLANE_WORDS)

static void order_f32_avx512_narrow(float *sums)
{
	float rows[ROWS_OF_BLOCK];
	for (size_t i = 0; i < ROWS_OF_BLOCK; i++)
		rows[(i & ~(size_t)63) + position_f32(i % 64)] = sums[i];
	memcpy(sums, rows, sizeof rows);
}

static void order_f64_avx512_narrow(double *sums)
{
	double rows[ROWS_OF_BLOCK];
	for (size_t i = 0; i < ROWS_OF_BLOCK; i++)
		rows[(i & ~(size_t)63) + position_f64(i % 64)] = sums[i];
	memcpy(sums, rows, sizeof rows);
}
