/* Vocabulary of AVX2: 256 rows per vector. */
#define ISA_NAME(name) name##_avx2

typedef __m256i V;
#define V_WORDS 4

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

static inline V v_and(V a, V b)
{
	return _mm256_and_si256(a, b);
}

static inline V v_or(V a, V b)
{
	return _mm256_or_si256(a, b);
}

static inline V v_nor(V a, V b)
{
	return _mm256_andnot_si256(_mm256_or_si256(a, b), _mm256_set1_epi8(-1));
}

static inline V v_andnot(V a, V b)
{
	return _mm256_andnot_si256(a, b);
}

/* ---- codes to bit planes -------------------------------------------------------------------------------- */

/* movemask takes the top bit of each byte; doubling brings up the next one. */
static inline void split_bytes(__m256i low, __m256i high, uint64_t *bits)
{
	for (size_t k = 8; k-- > 0;) {
		bits[k * PLANE_WORDS] = (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32 |
			(uint32_t)_mm256_movemask_epi8(low);
		low = _mm256_add_epi8(low, low);
		high = _mm256_add_epi8(high, high);
	}
}

static void split8_avx2(const uint8_t *codes, size_t words, uint64_t *bits)
{
	for (size_t w = 0; w < words; w++) {
		const __m256i *from = (const __m256i *)(const void *)(codes + 64 * w);
		split_bytes(_mm256_load_si256(from), _mm256_load_si256(from + 1), bits + w);
	}
}

/* Low bytes of 32 codes in row order: pack works on 128-bit lanes, so the middle quarters change places. */
static inline __m256i pack_bytes(__m256i a, __m256i b)
{
	return _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8);
}

static void split16_avx2(const uint16_t *codes, size_t words, uint64_t *bits)
{
	const __m256i byte = _mm256_set1_epi16(0xff);
	for (size_t w = 0; w < words; w++) {
		__m256i x[4], low[4], high[4];
		for (size_t i = 0; i < 4; i++) {
			x[i] = _mm256_load_si256((const __m256i *)(const void *)(codes + 64 * w + 16 * i));
			low[i] = _mm256_and_si256(x[i], byte);
			high[i] = _mm256_srli_epi16(x[i], 8);
		}
		split_bytes(pack_bytes(low[0], low[1]), pack_bytes(low[2], low[3]), bits + w);
		split_bytes(pack_bytes(high[0], high[1]), pack_bytes(high[2], high[3]), bits + 8 * PLANE_WORDS + w);
	}
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
