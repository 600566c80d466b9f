/*
 * Vocabulary of AVX-512 with VBMI, VBMI2 and GFNI: 512 rows per vector.
 *
 * Leaf codes stand in the order in which the unpack instructions leave them, sums in that of add_leaves_f32 and
 * add_leaves_f64 over them. order_f32 and order_f64 put sums right once per block.
 */
#define ISA_NAME(name) name##_avx512

typedef __m512i V;
#define V_WORDS 8
#define PLANE_WORDS 8
#define HAVE_NARROW

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

static inline V v_xor(V a, V b)
{
	return _mm512_xor_si512(a, b);
}

static inline V v_fill(uint64_t x)
{
	return _mm512_set1_epi64((long long)x);
}

/* ---- planes to bytes ------------------------------------------------------------------------------------ */

/* 8 × 8 bits in each 64-bit lane: a product of bit matrices, with the planes stacked highest first. */
static inline __m512i transpose_bits512(__m512i x)
{
	return _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi64((long long)0x8040201008040201), x, 0);
}

static ALWAYS_INLINE void bytes_of_planes(const V planes[8], __m512i bytes[8])
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
		bytes[2 * k] = transpose_bits512(_mm512_unpacklo_epi32(b[k], b[k + 4]));
		bytes[2 * k + 1] = transpose_bits512(_mm512_unpackhi_epi32(b[k], b[k + 4]));
	}
}

static inline void v_bytes(const V planes[8], uint8_t *bytes)
{
	__m512i of[8];
	bytes_of_planes(planes, of);
	for (size_t k = 0; k < 8; k++)
		_mm512_store_si512((void *)(bytes + 64 * k), of[k]);
}

/* The rows of every word are spread over the whole block. */
#define SUM_WORDS(n) ((void)(n), (size_t)PLANE_WORDS)
#define HAVE_SPLIT8
#include "avx512_blocks.h"

/* Code 16 L + i of word o is row 128 L + 16 o + i. */
static inline size_t row_of_code(size_t word, size_t position)
{
	return 128 * (position / 16) + 16 * word + position % 16;
}

static void order_f32_avx512(float *sums)
{
	float rows[BLOCK_ROWS];
	for (size_t i = 0; i < BLOCK_ROWS; i++)
		rows[row_of_code(i / 64, position_f32(i % 64))] = sums[i];
	memcpy(sums, rows, sizeof rows);
}

static void order_f64_avx512(double *sums)
{
	double rows[BLOCK_ROWS];
	for (size_t i = 0; i < BLOCK_ROWS; i++)
		rows[row_of_code(i / 64, position_f64(i % 64))] = sums[i];
	memcpy(sums, rows, sizeof rows);
}

/* ---- rows to columns ---------------------------------------------------------------------------------------- */

#define HAVE_TRANSPOSE16
#define HAVE_BIN8 /* bin_avx512.h */

/* 16 × 16 values, in place: vector i becomes column i. */
static ALWAYS_INLINE void f32_transpose(__m512 r[16])
{
	__m512 t[16];
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
		r[c] = _mm512_shuffle_f32x4(a, b, 0x88);
		r[c + 8] = _mm512_shuffle_f32x4(a, b, 0xdd);
		r[c + 4] = _mm512_shuffle_f32x4(d, e, 0x88);
		r[c + 12] = _mm512_shuffle_f32x4(d, e, 0xdd);
	}
}

static void transpose16_avx512(const char *rows, int64_t row_stride, size_t n, float *columns,
	size_t stride)
{
	size_t r = 0;
	for (; r + 16 <= n; r += 16) {
		__m512 t[16];
		for (size_t i = 0; i < 16; i++)
			t[i] = _mm512_loadu_ps((const void *)(rows + (int64_t)(r + i) * row_stride));
		f32_transpose(t);
		for (size_t i = 0; i < 16; i++)
			_mm512_storeu_ps(columns + i * stride + r, t[i]);
	}
	for (; r < n; r++) {
		for (size_t c = 0; c < 16; c++)
			memcpy(columns + c * stride + r, rows + (int64_t)r * row_stride + (int64_t)(c * sizeof(float)),
				sizeof(float));
	}
}

/* ---- linear models: tiles of values, rows as lanes ---------------------------------------------------------- */

#define HAVE_TILES
#define F32_LANES 16
#define F64_LANES 8
typedef __m512 F32;
typedef __m512d F64;

static inline F32 f32_load(const void *from)
{
	return _mm512_loadu_ps(from);
}

static inline void f32_store(float *to, F32 x)
{
	_mm512_storeu_ps(to, x);
}

static inline F32 f32_fill(double x)
{
	return _mm512_set1_ps((float)x);
}

static ALWAYS_INLINE void f32_halves(F32 x, F64 *low, F64 *high)
{
	*low = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
	*high = _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1)));
}

/* Product and sum are rounded apart; `skip_missing`: where x is NaN the sum stays. */
static ALWAYS_INLINE F32 f32_step(F32 sum, F32 x, float weight, bool skip_missing)
{
	F32 product = _mm512_mul_ps(x, _mm512_set1_ps(weight));
	if (skip_missing)
		return _mm512_mask_add_ps(sum, _mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), sum, product);
	return _mm512_add_ps(sum, product);
}

static inline bool f32_has_nan(F32 x)
{
	return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q) != 0;
}

static inline F64 f64_load(const void *from)
{
	return _mm512_loadu_pd(from);
}

static inline void f64_store(double *to, F64 x)
{
	_mm512_storeu_pd(to, x);
}

static inline F64 f64_fill(double x)
{
	return _mm512_set1_pd(x);
}

static ALWAYS_INLINE F64 f64_step(F64 sum, F64 x, double weight, bool skip_missing)
{
	F64 product = _mm512_mul_pd(x, _mm512_set1_pd(weight));
	if (skip_missing)
		return _mm512_mask_add_pd(sum, _mm512_cmp_pd_mask(x, x, _CMP_ORD_Q), sum, product);
	return _mm512_add_pd(sum, product);
}

static inline bool f64_has_nan(F64 x)
{
	return _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q) != 0;
}

static ALWAYS_INLINE F64 even_lanes(F64 a, F64 b)
{
	return _mm512_castps_pd(_mm512_shuffle_f32x4(_mm512_castpd_ps(a), _mm512_castpd_ps(b), 0x88));
}

static ALWAYS_INLINE F64 odd_lanes(F64 a, F64 b)
{
	return _mm512_castps_pd(_mm512_shuffle_f32x4(_mm512_castpd_ps(a), _mm512_castpd_ps(b), 0xdd));
}

/* 8 × 8 doubles, in place. */
static ALWAYS_INLINE void f64_transpose(F64 r[8])
{
	F64 t[8];
	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm512_unpacklo_pd(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_pd(r[i], r[i + 1]);
	}
	/* t[2 g + c], 128-bit lane l: column 2 l + c of rows 2 g and 2 g + 1. */
	for (int c = 0; c < 2; c++) {
		F64 a = even_lanes(t[c], t[2 + c]), b = even_lanes(t[4 + c], t[6 + c]);
		F64 d = odd_lanes(t[c], t[2 + c]), e = odd_lanes(t[4 + c], t[6 + c]);
		r[c] = even_lanes(a, b);
		r[c + 4] = odd_lanes(a, b);
		r[c + 2] = even_lanes(d, e);
		r[c + 6] = odd_lanes(d, e);
	}
}

/* ---- codes to bit planes -------------------------------------------------------------------------------- */

/* One word of each bit plane, lowest first: 8 × 8 bits transposed in each 64-bit lane, then 8 × 8 bytes. */
static ALWAYS_INLINE __m512i words_of_codes(__m512i codes)
{
	const __m512i reverse = _mm512_set4_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607);
	const __m512i planes = _mm512_set_epi64(0x3f372f271f170f07, 0x3e362e261e160e06, 0x3d352d251d150d05, 0x3c342c241c140c04,
		0x3b332b231b130b03, 0x3a322a221a120a02, 0x3931292119110901, 0x3830282018100800);
	return _mm512_permutexvar_epi8(planes, transpose_bits512(_mm512_shuffle_epi8(codes, reverse)));
}

static void split8_avx512(const uint8_t *codes, size_t words, uint64_t *bits)
{
	F64 words_of[8];
	for (size_t w = 0; w < PLANE_WORDS; w++)
		words_of[w] = _mm512_castsi512_pd(words_of_codes(_mm512_load_si512((const void *)(codes + 64 * w))));
	f64_transpose(words_of);
	for (size_t k = 0; k < 8; k++)
		v_store(bits + k * PLANE_WORDS, _mm512_castpd_si512(words_of[k]));
	(void)words;
}

/* ---- single rows -------------------------------------------------------------------------------------------- */

/* Two steps of a 16-way search. */
static inline uint8_t rank_f32_avx512(const bin_table *t, float x)
{
	__m512 v = _mm512_set1_ps(x);
	unsigned group = (unsigned)__builtin_popcount(
		_mm512_cmp_ps_mask(v, _mm512_loadu_ps(t->narrow_pivots), _CMP_GE_OQ));
	return (uint8_t)(16 * group + (unsigned)__builtin_popcount(
		_mm512_cmp_ps_mask(v, _mm512_loadu_ps(t->narrow + (size_t)16 * group), _CMP_GE_OQ)));
}

static inline unsigned count16_f64_avx512(const double *cuts, __m512d x)
{
	unsigned low = _mm512_cmp_pd_mask(x, _mm512_loadu_pd(cuts), _CMP_GE_OQ);
	unsigned high = _mm512_cmp_pd_mask(x, _mm512_loadu_pd(cuts + 8), _CMP_GE_OQ);
	return (unsigned)__builtin_popcount(high << 8 | low);
}

static inline uint8_t rank_f64_avx512(const bin_table *t, double x)
{
	__m512d v = _mm512_set1_pd(x);
	unsigned group = count16_f64_avx512(t->wide->pivots, v);
	return (uint8_t)(16 * group + count16_f64_avx512(t->wide->cuts + (size_t)16 * group, v));
}

/* A value per table. */
static void ranks_f32_avx512(const bin_table *tables, const float *x, size_t n, uint8_t *ranks)
{
	for (size_t i = 0; i < n; i++)
		ranks[i] = rank_f32_avx512(tables + i, x[i]);
}

static void ranks_f64_avx512(const bin_table *tables, const double *x, size_t n, uint8_t *ranks)
{
	for (size_t i = 0; i < n; i++)
		ranks[i] = rank_f64_avx512(tables + i, x[i]);
}

