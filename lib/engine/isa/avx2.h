/* Vocabulary of AVX2: 256 rows per vector. */
#define ISA_NAME(name) name##_avx2

typedef __m256i V;
#define V_WORDS 4
#define COMPARE_WORDS 4

static inline V v_load(const uint64_t *p)
{
	return _mm256_load_si256((const __m256i *)(const void *)p);
}

static inline void v_store(uint64_t *p, V v)
{
	_mm256_store_si256((__m256i *)(void *)p, v);
}

static inline V v_select(V mask, V a, V b)
{
	return _mm256_or_si256(_mm256_andnot_si256(mask, a), _mm256_and_si256(mask, b));
}

/* AVX2 compares signed bytes only: codes and cuts are shifted by 128. */
typedef struct codes8 {
	__m256i low, high;
} codes8;

static inline codes8 load_codes8(const uint8_t *p)
{
	const __m256i bias = _mm256_set1_epi8(-128);
	return (codes8){_mm256_xor_si256(_mm256_load_si256((const __m256i *)(const void *)p), bias),
		_mm256_xor_si256(_mm256_load_si256((const __m256i *)(const void *)(p + 32)), bias)};
}

static inline __m256i set_cut8(uint8_t cut)
{
	return _mm256_set1_epi8((char)(cut ^ 0x80));
}

static inline uint64_t above8(const codes8 *x, __m256i cut)
{
	uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(x->low, cut));
	uint32_t high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(x->high, cut));
	return (uint64_t)high << 32 | low;
}

typedef struct codes16 {
	__m256i part[4];
} codes16;

static inline codes16 load_codes16(const uint16_t *p)
{
	const __m256i bias = _mm256_set1_epi16(-32768);
	codes16 x;
	for (size_t i = 0; i < 4; i++)
		x.part[i] = _mm256_xor_si256(_mm256_load_si256((const __m256i *)(const void *)(p + 16 * i)), bias);
	return x;
}

static inline __m256i set_cut16(uint16_t cut)
{
	return _mm256_set1_epi16((short)(cut ^ 0x8000));
}

/* 16-bit answers → bytes, with the two halves of the lanes put back in order. */
static inline uint32_t above16_half(__m256i a, __m256i b, __m256i cut)
{
	__m256i bytes = _mm256_packs_epi16(_mm256_cmpgt_epi16(a, cut), _mm256_cmpgt_epi16(b, cut));
	return (uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(bytes, 0xd8));
}

static inline uint64_t above16(const codes16 *x, __m256i cut)
{
	return (uint64_t)above16_half(x->part[2], x->part[3], cut) << 32 | above16_half(x->part[0], x->part[1], cut);
}

/* ---- planes to bytes ------------------------------------------------------------------------------------ */

#define HAVE_GATHER_BITS

static inline __m256i delta_swap(__m256i x, int shift, __m256i mask)
{
	__m256i t = _mm256_and_si256(_mm256_xor_si256(x, _mm256_srli_epi64(x, shift)), mask);
	return _mm256_xor_si256(x, _mm256_xor_si256(t, _mm256_slli_epi64(t, shift)));
}

/* 8 × 8 bits in each 64-bit lane. */
static inline __m256i transpose_bits(__m256i x)
{
	x = delta_swap(x, 7, _mm256_set1_epi64x(0x00aa00aa00aa00aa));
	x = delta_swap(x, 14, _mm256_set1_epi64x(0x0000cccc0000cccc));
	return delta_swap(x, 28, _mm256_set1_epi64x(0x00000000f0f0f0f0));
}

/* The 128-bit lanes hold rows 128 apart. */
static inline void store_codes(uint8_t *bytes, __m256i x)
{
	x = transpose_bits(x);
	_mm_store_si128((__m128i *)(void *)bytes, _mm256_castsi256_si128(x));
	_mm_store_si128((__m128i *)(void *)(bytes + 128), _mm256_extracti128_si256(x, 1));
}

static void gather_bits_avx2(const uint64_t *arena, const uint16_t *slots, size_t n_planes, size_t words, uint8_t *bytes)
{
	for (size_t w = 0; w < words; w += V_WORDS, bytes += 256) {
		__m256i p[8], a[8], b[8];
		for (size_t k = 0; k < 8; k++)
			p[k] = k < n_planes ? v_load(arena + (size_t)slots[k] * PLANE_WORDS + w) : _mm256_setzero_si256();
		for (size_t k = 0; k < 4; k++) {
			a[k] = _mm256_unpacklo_epi8(p[2 * k], p[2 * k + 1]);
			a[k + 4] = _mm256_unpackhi_epi8(p[2 * k], p[2 * k + 1]);
		}
		for (size_t k = 0; k < 8; k += 4) {
			b[k] = _mm256_unpacklo_epi16(a[k], a[k + 1]);
			b[k + 1] = _mm256_unpackhi_epi16(a[k], a[k + 1]);
			b[k + 2] = _mm256_unpacklo_epi16(a[k + 2], a[k + 3]);
			b[k + 3] = _mm256_unpackhi_epi16(a[k + 2], a[k + 3]);
		}
		for (size_t k = 0; k < 8; k += 4) {
			store_codes(bytes + 16 * k, _mm256_unpacklo_epi32(b[k], b[k + 2]));
			store_codes(bytes + 16 * k + 16, _mm256_unpackhi_epi32(b[k], b[k + 2]));
			store_codes(bytes + 16 * k + 32, _mm256_unpacklo_epi32(b[k + 1], b[k + 3]));
			store_codes(bytes + 16 * k + 48, _mm256_unpackhi_epi32(b[k + 1], b[k + 3]));
		}
	}
}

/* ---- bin -------------------------------------------------------------------------------------------------- */

#define HAVE_BIN

/* Two steps of a 16-way search: which group of 16 cuts, then where in the group. packs makes two mask bits of each
 * comparison, so a count of bits is twice the count of cuts. */
static inline unsigned count16_f32(const float *cuts, __m256 x)
{
	__m256i low = _mm256_castps_si256(_mm256_cmp_ps(x, _mm256_load_ps(cuts), _CMP_GE_OQ));
	__m256i high = _mm256_castps_si256(_mm256_cmp_ps(x, _mm256_load_ps(cuts + 8), _CMP_GE_OQ));
	return (unsigned)__builtin_popcount((unsigned)_mm256_movemask_epi8(_mm256_packs_epi32(low, high)));
}

static void bin_f32_avx2(const bin_table *t, const float *x, size_t n, uint8_t *codes)
{
	for (size_t i = 0; i < n; i++) {
		__m256 v = _mm256_broadcast_ss(x + i);
		unsigned group = count16_f32(t->narrow_pivots, v) / 2;
		codes[i] = (uint8_t)(16 * group + count16_f32(t->narrow + (size_t)16 * group, v) / 2);
	}
}

static inline unsigned count16_f64(const double *cuts, __m256d x)
{
	unsigned mask = 0;
	for (unsigned k = 0; k < 4; k++)
		mask |= (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(x, _mm256_load_pd(cuts + 4 * k), _CMP_GE_OQ)) << (4 * k);
	return (unsigned)__builtin_popcount(mask);
}

static void bin_f64_avx2(const bin_table *t, const double *x, size_t n, uint8_t *codes)
{
	for (size_t i = 0; i < n; i++) {
		__m256d v = _mm256_broadcast_sd(x + i);
		unsigned group = count16_f64(t->wide_pivots, v);
		codes[i] = (uint8_t)(16 * group + count16_f64(t->wide + (size_t)16 * group, v));
	}
}

/* ---- rows to columns ---------------------------------------------------------------------------------------- */

#define HAVE_TRANSPOSE16

static inline void transpose8(const char *rows, int64_t row_stride, float *columns)
{
	__m256 r[8], t[8];
	for (int i = 0; i < 8; i++)
		r[i] = _mm256_loadu_ps((const float *)(const void *)(rows + i * row_stride));
	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
	for (int i = 0; i < 8; i += 4) {
		r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
		r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
		r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
		r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
	}
	for (int i = 0; i < 4; i++) {
		_mm256_store_ps(columns + i * BLOCK_ROWS, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
		_mm256_store_ps(columns + (i + 4) * BLOCK_ROWS, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
	}
}

static void transpose16_avx2(const char *rows, int64_t row_stride, size_t n, float *columns)
{
	size_t r = 0;
	for (; r + 8 <= n; r += 8) {
		const char *from = rows + (int64_t)r * row_stride;
		transpose8(from, row_stride, columns + r);
		transpose8(from + 8 * sizeof(float), row_stride, columns + 8 * BLOCK_ROWS + r);
	}
	for (; r < n; r++) {
		for (size_t c = 0; c < 16; c++)
			memcpy(columns + c * BLOCK_ROWS + r, rows + (int64_t)r * row_stride + (int64_t)(c * sizeof(float)),
				sizeof(float));
	}
}
