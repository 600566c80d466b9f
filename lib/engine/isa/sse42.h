/* Vocabulary of SSE4.2: 128 rows per vector. */
#define ISA_NAME(name) name##_sse42

typedef __m128i V;
#define V_WORDS 2
#define PLANE_WORDS 4 /* blocks of 256 rows: their planes fit the second-level caches of processors without AVX2 */
#define EIGHT_ROWS 22
#define EIGHT_OPERATIONS 17

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
	return _mm_xor_si128(a, _mm_and_si128(mask, _mm_xor_si128(a, b)));
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

/* ---- codes to bit planes -------------------------------------------------------------------------------- */

/* movemask takes the top bit of each byte; doubling brings up the next one. */
static inline void split_bytes(__m128i x[4], uint64_t *bits)
{
	for (size_t k = 8; k-- > 0;) {
		uint64_t word = 0;
		for (size_t i = 4; i-- > 0;) {
			word = word << 16 | (unsigned)_mm_movemask_epi8(x[i]);
			x[i] = _mm_add_epi8(x[i], x[i]);
		}
		bits[k * PLANE_WORDS] = word;
	}
}

static void split8_sse42(const uint8_t *codes, size_t words, uint64_t *bits)
{
	for (size_t w = 0; w < words; w++) {
		__m128i x[4];
		for (size_t i = 0; i < 4; i++)
			x[i] = _mm_load_si128((const __m128i *)(const void *)(codes + 64 * w + 16 * i));
		split_bytes(x, bits + w);
	}
}

static void split16_sse42(const uint16_t *codes, size_t words, uint64_t *bits)
{
	const __m128i byte = _mm_set1_epi16(0xff);
	for (size_t w = 0; w < words; w++) {
		__m128i low[4], high[4];
		for (size_t i = 0; i < 4; i++) {
			__m128i a = _mm_load_si128((const __m128i *)(const void *)(codes + 64 * w + 16 * i));
			__m128i b = _mm_load_si128((const __m128i *)(const void *)(codes + 64 * w + 16 * i + 8));
			low[i] = _mm_packus_epi16(_mm_and_si128(a, byte), _mm_and_si128(b, byte));
			high[i] = _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
		}
		split_bytes(low, bits + w);
		split_bytes(high, bits + 8 * PLANE_WORDS + w);
	}
}

/* ---- planes to bytes ------------------------------------------------------------------------------------ */

static ALWAYS_INLINE void exchange(V *a, V *b, int shift, V mask)
{
	V t = _mm_and_si128(_mm_xor_si128(_mm_srli_epi64(*a, shift), *b), mask);
	*b = _mm_xor_si128(*b, t);
	*a = _mm_xor_si128(*a, _mm_slli_epi64(t, shift));
}
#define V_EXCHANGE(a, b, shift, mask) exchange(a, b, shift, _mm_set1_epi8(mask))
#include "transpose_bits.h"

static inline void v_bytes(const V planes[8], uint8_t *bytes)
{
	V p[8];
	for (size_t k = 0; k < 8; k++)
		p[k] = planes[k];
	transpose_planes(p);
	for (size_t k = 0; k < 8; k++)
		_mm_store_si128((__m128i *)(void *)(bytes + 16 * k), p[k]);
}

DEFINE_ORDER(order_f32_sse42, float)
DEFINE_ORDER(order_f64_sse42, double)

/* ---- sum ------------------------------------------------------------------------------------------------- */

#define HAVE_SUM
#define BYTE_PLANES 5 /* 64 entries would take four shuffles per byte: loads are faster */

static void fold_codes_sse42(const code_fold *fold, size_t words, uint8_t *bytes)
{
	const __m128i counts = _mm_loadu_si128((const __m128i *)(const void *)fold->counts);
	const __m128i first = _mm_loadu_si128((const __m128i *)(const void *)fold->first), low_bits = _mm_set1_epi8(15);
	for (size_t i = 0; i < 64 * words; i += 16) {
		__m128i code = _mm_load_si128((const __m128i *)(const void *)(bytes + i));
		__m128i high = _mm_and_si128(_mm_srli_epi16(code, 4), low_bits);
		__m128i low = _mm_and_si128(code, _mm_shuffle_epi8(counts, high));
		_mm_store_si128((__m128i *)(void *)(bytes + i), _mm_add_epi8(low, _mm_shuffle_epi8(first, high)));
	}
}

/* Larger tables and doubles: plain C. */
#define SUM_TYPE float
#define SUM_NAME sum_values_f32
#include "../sum_template.h"
#define SUM_TYPE double
#define SUM_NAME sum_values_f64
#include "../sum_template.h"

/* Rows do not stand in order: whole vectors are summed, which `words` always counts. */
static void sum_f64_sse42(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
	size_t words, double *sums)
{
	sum_values_f64(codes, which, tables, n, words, sums);
}

/* One byte of 16 leaf values: 16 or 32 entries. A shuffle gives 0 where the top bit of its index is set: in at[0] for codes
 * from 16 on, in at[1] for those below. */
static ALWAYS_INLINE __m128i look_up128(const uint8_t *t, const __m128i at[2], unsigned planes)
{
	__m128i x = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)t), at[0]);
	if (planes == 4)
		return x;
	return _mm_or_si128(x, _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(t + 16)), at[1]));
}

/* Trees [0, n) have tables of the same number of planes. */
static ALWAYS_INLINE void sum_bytes128(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which,
	const leaf_table *tables, size_t n, unsigned planes, float *sums, size_t row)
{
	__m128 s[4];
	for (size_t k = 0; k < 4; k++)
		s[k] = _mm_load_ps(sums + 4 * k);
	for (size_t t = 0; t < n; t++) {
		__m128i at[2], b[4], code = _mm_load_si128((const __m128i *)(const void *)(codes[which[t]] + row));
		at[0] = planes == 4 ? code : _mm_adds_epu8(code, _mm_set1_epi8(0x70));
		at[1] = _mm_sub_epi8(code, _mm_set1_epi8(16));
		for (size_t k = 0; k < 4; k++)
			b[k] = look_up128((const uint8_t *)tables[t].values + (k << planes), at, planes);
		__m128i low01 = _mm_unpacklo_epi8(b[0], b[1]), high01 = _mm_unpackhi_epi8(b[0], b[1]);
		__m128i low23 = _mm_unpacklo_epi8(b[2], b[3]), high23 = _mm_unpackhi_epi8(b[2], b[3]);
		s[0] = _mm_add_ps(s[0], _mm_castsi128_ps(_mm_unpacklo_epi16(low01, low23)));
		s[1] = _mm_add_ps(s[1], _mm_castsi128_ps(_mm_unpackhi_epi16(low01, low23)));
		s[2] = _mm_add_ps(s[2], _mm_castsi128_ps(_mm_unpacklo_epi16(high01, high23)));
		s[3] = _mm_add_ps(s[3], _mm_castsi128_ps(_mm_unpackhi_epi16(high01, high23)));
	}
	for (size_t k = 0; k < 4; k++)
		_mm_store_ps(sums + 4 * k, s[k]);
}

/* Trees whose tables have the same size are summed together, in their order. */
static void sum_f32_sse42(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
	size_t words, float *sums)
{
	for (size_t t = 0, run; t < n; t += run) {
		uint32_t planes = tables[t].n_planes;
		run = equal_tables(tables + t, n - t);
		if (planes > BYTE_PLANES)
			sum_values_f32(codes, which + t, tables + t, run, words, sums);
		for (size_t row = 0; row < 64 * words && planes <= BYTE_PLANES; row += 16) {
			if (planes == 5)
				sum_bytes128(codes, which + t, tables + t, run, 5, sums + row, row);
			else
				sum_bytes128(codes, which + t, tables + t, run, 4, sums + row, row);
		}
	}
}

/* ---- rows to columns ---------------------------------------------------------------------------------------- */

#define HAVE_TRANSPOSE16

static inline void transpose4(const char *rows, int64_t row_stride, float *columns, size_t stride)
{
	__m128 r[4], t[4];
	for (int i = 0; i < 4; i++)
		r[i] = _mm_loadu_ps((const float *)(const void *)(rows + i * row_stride));
	t[0] = _mm_unpacklo_ps(r[0], r[1]);
	t[1] = _mm_unpackhi_ps(r[0], r[1]);
	t[2] = _mm_unpacklo_ps(r[2], r[3]);
	t[3] = _mm_unpackhi_ps(r[2], r[3]);
	_mm_store_ps(columns, _mm_movelh_ps(t[0], t[2]));
	_mm_store_ps(columns + stride, _mm_movehl_ps(t[2], t[0]));
	_mm_store_ps(columns + 2 * stride, _mm_movelh_ps(t[1], t[3]));
	_mm_store_ps(columns + 3 * stride, _mm_movehl_ps(t[3], t[1]));
}

static void transpose16_sse42(const char *rows, int64_t row_stride, size_t n, float *columns,
	size_t stride)
{
	size_t r = 0;
	for (; r + 4 <= n; r += 4) {
		const char *from = rows + (int64_t)r * row_stride;
		for (size_t c = 0; c < 16; c += 4)
			transpose4(from + c * sizeof(float), row_stride, columns + c * stride + r, stride);
	}
	for (; r < n; r++) {
		for (size_t c = 0; c < 16; c++)
			memcpy(columns + c * stride + r, rows + (int64_t)r * row_stride + (int64_t)(c * sizeof(float)),
				sizeof(float));
	}
}
