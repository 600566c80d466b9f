/* Vocabulary of AVX2: 256 rows per vector. */
#define ISA_NAME(name) name##_avx2

typedef __m256i V;
#define V_WORDS 4
#define PLANE_WORDS 4 /* blocks of 256 rows: their planes fit the second-level cache */
#define EIGHT_ROWS 22
#define EIGHT_OPERATIONS 17

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

static inline V v_xor(V a, V b)
{
	return _mm256_xor_si256(a, b);
}

static inline V v_fill(uint64_t x)
{
	return _mm256_set1_epi64x((long long)x);
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

/* Exchange the bits of b under `mask` with those `shift` higher of a. */
static ALWAYS_INLINE void exchange(__m256i *a, __m256i *b, int shift, __m256i mask)
{
	__m256i t = _mm256_and_si256(_mm256_xor_si256(_mm256_srli_epi64(*a, shift), *b), mask);
	*b = _mm256_xor_si256(*b, t);
	*a = _mm256_xor_si256(*a, _mm256_slli_epi64(t, shift));
}

/* Three exchanges between planes transpose all 8 × 8 bits at once: byte b of vector j is then the code of row 8 b + j.
 * Codes and sums keep that order; order_sums puts them right once per block. */
static inline void v_bytes(const V planes[8], uint8_t *bytes)
{
	__m256i p[8];
	for (size_t k = 0; k < 8; k++)
		p[k] = planes[k];
	for (size_t k = 0; k < 8; k += 2)
		exchange(&p[k], &p[k + 1], 1, _mm256_set1_epi8(0x55));
	for (size_t k = 0; k < 8; k += 1 + (k & 1) * 2)
		exchange(&p[k], &p[k + 2], 2, _mm256_set1_epi8(0x33));
	for (size_t k = 0; k < 4; k++)
		exchange(&p[k], &p[k + 4], 4, _mm256_set1_epi8(0x0f));
	for (size_t k = 0; k < 8; k++)
		_mm256_store_si256((__m256i *)(void *)(bytes + 32 * k), p[k]);
}

#define ROWS_OF_BLOCK ((size_t)64 * PLANE_WORDS)

static void order_f32_avx2(float *sums)
{
	float rows[ROWS_OF_BLOCK];
	for (size_t i = 0; i < ROWS_OF_BLOCK; i++)
		rows[8 * (i % 32) + i / 32] = sums[i];
	memcpy(sums, rows, sizeof rows);
}

static void order_f64_avx2(double *sums)
{
	double rows[ROWS_OF_BLOCK];
	for (size_t i = 0; i < ROWS_OF_BLOCK; i++)
		rows[8 * (i % 32) + i / 32] = sums[i];
	memcpy(sums, rows, sizeof rows);
}

/* ---- sum ------------------------------------------------------------------------------------------------- */

#define HAVE_SUM

static void fold_codes_avx2(const code_fold *fold, size_t words, uint8_t *bytes)
{
	const __m256i counts = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)fold->counts));
	const __m256i first = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)fold->first));
	const __m256i low_bits = _mm256_set1_epi8(15);
	for (size_t i = 0; i < 64 * words; i += 32) {
		__m256i code = _mm256_load_si256((const __m256i *)(const void *)(bytes + i));
		__m256i high = _mm256_and_si256(_mm256_srli_epi16(code, 4), low_bits);
		__m256i low = _mm256_and_si256(code, _mm256_shuffle_epi8(counts, high));
		_mm256_store_si256((__m256i *)(void *)(bytes + i), _mm256_add_epi8(low, _mm256_shuffle_epi8(first, high)));
	}
}

/* Larger tables and doubles: plain C. */
#define SUM_TYPE float
#define SUM_NAME sum_values_f32
#include "../sum_template.h"
#define SUM_TYPE double
#define SUM_NAME sum_values_f64
#include "../sum_template.h"

/* One byte of 32 leaf values: 16, 32 or 64 entries, 16 at a time; shuffles look at the lowest four bits of a code. */
static ALWAYS_INLINE __m256i look_up256(const uint8_t *t, __m256i code, __m256i bit4,
	__m256i bit5, unsigned planes)
{
	__m256i x[4];
	for (unsigned i = 0; i < 1u << (planes - 4); i++) {
		__m128i part = _mm_loadu_si128((const __m128i *)(const void *)(t + 16 * i));
		x[i] = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(part), code);
	}
	if (planes == 4)
		return x[0];
	x[0] = _mm256_blendv_epi8(x[0], x[1], bit4);
	if (planes == 5)
		return x[0];
	return _mm256_blendv_epi8(x[0], _mm256_blendv_epi8(x[2], x[3], bit4), bit5);
}

/* Trees [0, n) have tables of the same number of planes. The unpacks leave rows 16 apart in the two lanes, so the sums are
 * loaded and stored crosswise. */
static ALWAYS_INLINE void sum_bytes256(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which,
	const leaf_table *tables, size_t n, unsigned planes, float *sums, size_t row)
{
	__m256 a = _mm256_load_ps(sums), b = _mm256_load_ps(sums + 8), c = _mm256_load_ps(sums + 16),
		d = _mm256_load_ps(sums + 24);
	__m256 s0 = _mm256_permute2f128_ps(a, c, 0x20), s1 = _mm256_permute2f128_ps(a, c, 0x31);
	__m256 s2 = _mm256_permute2f128_ps(b, d, 0x20), s3 = _mm256_permute2f128_ps(b, d, 0x31);
	for (size_t t = 0; t < n; t++) {
		__m256i code = _mm256_load_si256((const __m256i *)(const void *)(codes[which[t]] + row));
		__m256i bit4 = _mm256_slli_epi16(code, 3), bit5 = _mm256_slli_epi16(code, 2);
		const uint8_t *table = tables[t].values;
		__m256i b0 = look_up256(table, code, bit4, bit5, planes);
		__m256i b1 = look_up256(table + ((size_t)1 << planes), code, bit4, bit5, planes);
		__m256i b2 = look_up256(table + ((size_t)2 << planes), code, bit4, bit5, planes);
		__m256i b3 = look_up256(table + ((size_t)3 << planes), code, bit4, bit5, planes);
		__m256i low01 = _mm256_unpacklo_epi8(b0, b1), high01 = _mm256_unpackhi_epi8(b0, b1);
		__m256i low23 = _mm256_unpacklo_epi8(b2, b3), high23 = _mm256_unpackhi_epi8(b2, b3);
		s0 = _mm256_add_ps(s0, _mm256_castsi256_ps(_mm256_unpacklo_epi16(low01, low23)));
		s1 = _mm256_add_ps(s1, _mm256_castsi256_ps(_mm256_unpackhi_epi16(low01, low23)));
		s2 = _mm256_add_ps(s2, _mm256_castsi256_ps(_mm256_unpacklo_epi16(high01, high23)));
		s3 = _mm256_add_ps(s3, _mm256_castsi256_ps(_mm256_unpackhi_epi16(high01, high23)));
	}
	_mm256_store_ps(sums, _mm256_permute2f128_ps(s0, s1, 0x20));
	_mm256_store_ps(sums + 8, _mm256_permute2f128_ps(s2, s3, 0x20));
	_mm256_store_ps(sums + 16, _mm256_permute2f128_ps(s0, s1, 0x31));
	_mm256_store_ps(sums + 24, _mm256_permute2f128_ps(s2, s3, 0x31));
}

/* Trees whose tables have the same size are summed together, in their order. */
static void sum_f32_avx2(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
	size_t words, float *sums)
{
	(void)words;
	for (size_t t = 0, run; t < n; t += run) {
		uint32_t planes = tables[t].n_planes;
		run = equal_tables(tables + t, n - t);
		if (planes > 6)
			sum_values_f32(codes, which + t, tables + t, run, PLANE_WORDS, sums);
		for (size_t row = 0; row < ROWS_OF_BLOCK && planes <= 6; row += 32) {
			if (planes == 6)
				sum_bytes256(codes, which + t, tables + t, run, 6, sums + row, row);
			else if (planes == 5)
				sum_bytes256(codes, which + t, tables + t, run, 5, sums + row, row);
			else
				sum_bytes256(codes, which + t, tables + t, run, 4, sums + row, row);
		}
	}
}

/* The same of 16 doubles, by numbers of codes of more planes. Vector v of the 8 that 32 codes give has positions 2 v and 2 v + 1, and
 * those 16 behind. */
static ALWAYS_INLINE void sum_few256(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
	bool numbered, double *sums, size_t row)
{
	__m256d s[8];
	for (size_t v = 0; v < 8; v++)
		s[v] = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_load_pd(sums + 2 * v)), _mm_load_pd(sums + 16 + 2 * v), 1);
	for (size_t t = 0; t < n; t++) {
		const uint8_t *table = tables[t].values;
		__m256i code = _mm256_load_si256((const __m256i *)(const void *)(codes[which[t]] + row));
		if (numbered) {
			__m256i above = _mm256_and_si256(_mm256_srli_epi16(code, 4), _mm256_set1_epi8(3));
			code = _mm256_add_epi8(look_up256(table, code, code, code, 4), look_up256(table + 16, above, above, above, 4));
			table += NUMBER_PARTS;
		}
		__m256i low[4], high[4]; /* two bytes of positions 0 … 7 of a lane, and of 8 … 15 */
		for (size_t k = 0; k < 4; k++) {
			__m256i a = look_up256(table + 32 * k, code, code, code, 4), b = look_up256(table + 32 * k + 16, code, code, code, 4);
			low[k] = _mm256_unpacklo_epi8(a, b);
			high[k] = _mm256_unpackhi_epi8(a, b);
		}
		for (size_t h = 0; h < 2; h++) {
			const __m256i *w = h ? high : low;
			__m256i a = _mm256_unpacklo_epi16(w[0], w[1]), b = _mm256_unpacklo_epi16(w[2], w[3]);
			__m256i c = _mm256_unpackhi_epi16(w[0], w[1]), d = _mm256_unpackhi_epi16(w[2], w[3]);
			s[4 * h] = _mm256_add_pd(s[4 * h], _mm256_castsi256_pd(_mm256_unpacklo_epi32(a, b)));
			s[4 * h + 1] = _mm256_add_pd(s[4 * h + 1], _mm256_castsi256_pd(_mm256_unpackhi_epi32(a, b)));
			s[4 * h + 2] = _mm256_add_pd(s[4 * h + 2], _mm256_castsi256_pd(_mm256_unpacklo_epi32(c, d)));
			s[4 * h + 3] = _mm256_add_pd(s[4 * h + 3], _mm256_castsi256_pd(_mm256_unpackhi_epi32(c, d)));
		}
	}
	for (size_t v = 0; v < 8; v++) {
		_mm_store_pd(sums + 2 * v, _mm256_castpd256_pd128(s[v]));
		_mm_store_pd(sums + 16 + 2 * v, _mm256_extractf128_pd(s[v], 1));
	}
}

static inline bool has_few(const leaf_table *table)
{
	return table->n_planes == FEW_PLANES || table->leaf_planes;
}

/* Trees that are summed together: of 16 values each and laid alike, or of values that are loaded, however many. */
static inline size_t alike_f64(const leaf_table *tables, size_t n)
{
	size_t i = 1;
	while (i < n && has_few(tables + i) == has_few(tables) && tables[i].leaf_planes == tables[0].leaf_planes)
		i++;
	return i;
}

/* Rows do not stand in order: a block is summed whole. */
static void sum_f64_avx2(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
	size_t words, double *sums)
{
	(void)words;
	for (size_t t = 0, run; t < n; t += run) {
		bool few = has_few(tables + t);
		run = alike_f64(tables + t, n - t);
		if (!few)
			sum_values_f64(codes, which + t, tables + t, run, PLANE_WORDS, sums);
		for (size_t row = 0; row < ROWS_OF_BLOCK && few; row += 32) {
			if (tables[t].leaf_planes)
				sum_few256(codes, which + t, tables + t, run, true, sums + row, row);
			else
				sum_few256(codes, which + t, tables + t, run, false, sums + row, row);
		}
	}
}

/* ---- rows to columns ---------------------------------------------------------------------------------------- */

#define HAVE_TRANSPOSE16

/* 8 × 8 values, in place: vector i becomes column i. */
static ALWAYS_INLINE void f32_transpose(__m256 r[8])
{
	__m256 t[8];
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
		t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
		t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
	}
	for (int i = 0; i < 8; i++)
		r[i] = t[i];
}

static inline void transpose8(const char *rows, int64_t row_stride, float *columns, size_t stride)
{
	__m256 t[8];
	for (int i = 0; i < 8; i++)
		t[i] = _mm256_loadu_ps((const float *)(const void *)(rows + i * row_stride));
	f32_transpose(t);
	for (int i = 0; i < 8; i++)
		_mm256_store_ps(columns + (size_t)i * stride, t[i]);
}

static void transpose16_avx2(const char *rows, int64_t row_stride, size_t n, float *columns,
	size_t stride)
{
	size_t r = 0;
	for (; r + 8 <= n; r += 8) {
		const char *from = rows + (int64_t)r * row_stride;
		transpose8(from, row_stride, columns + r, stride);
		transpose8(from + 8 * sizeof(float), row_stride, columns + 8 * stride + r, stride);
	}
	for (; r < n; r++) {
		for (size_t c = 0; c < 16; c++)
			memcpy(columns + c * stride + r, rows + (int64_t)r * row_stride + (int64_t)(c * sizeof(float)),
				sizeof(float));
	}
}

/* ---- linear models: tiles of values, rows as lanes ---------------------------------------------------------- */

#define HAVE_TILES
#define F32_LANES 8
#define F64_LANES 4
typedef __m256 F32;
typedef __m256d F64;

static inline F32 f32_load(const void *from)
{
	return _mm256_loadu_ps(from);
}

static inline void f32_store(float *to, F32 x)
{
	_mm256_storeu_ps(to, x);
}

static inline F32 f32_fill(double x)
{
	return _mm256_set1_ps((float)x);
}

static ALWAYS_INLINE void f32_halves(F32 x, F64 *low, F64 *high)
{
	*low = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
	*high = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
}

/* Product and sum are rounded apart; `skip_missing`: where x is NaN the sum stays. */
static ALWAYS_INLINE F32 f32_step(F32 sum, F32 x, float weight, bool skip_missing)
{
	F32 next = _mm256_add_ps(sum, _mm256_mul_ps(x, _mm256_set1_ps(weight)));
	return skip_missing ? _mm256_blendv_ps(sum, next, _mm256_cmp_ps(x, x, _CMP_ORD_Q)) : next;
}

static inline bool f32_has_nan(F32 x)
{
	return _mm256_movemask_ps(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)) != 0;
}

static inline F64 f64_load(const void *from)
{
	return _mm256_loadu_pd(from);
}

static inline void f64_store(double *to, F64 x)
{
	_mm256_storeu_pd(to, x);
}

static inline F64 f64_fill(double x)
{
	return _mm256_set1_pd(x);
}

static ALWAYS_INLINE F64 f64_step(F64 sum, F64 x, double weight, bool skip_missing)
{
	F64 next = _mm256_add_pd(sum, _mm256_mul_pd(x, _mm256_set1_pd(weight)));
	return skip_missing ? _mm256_blendv_pd(sum, next, _mm256_cmp_pd(x, x, _CMP_ORD_Q)) : next;
}

static inline bool f64_has_nan(F64 x)
{
	return _mm256_movemask_pd(_mm256_cmp_pd(x, x, _CMP_UNORD_Q)) != 0;
}

/* 4 × 4 doubles, in place. */
static ALWAYS_INLINE void f64_transpose(F64 r[4])
{
	F64 a = _mm256_unpacklo_pd(r[0], r[1]), b = _mm256_unpackhi_pd(r[0], r[1]);
	F64 c = _mm256_unpacklo_pd(r[2], r[3]), d = _mm256_unpackhi_pd(r[2], r[3]);
	r[0] = _mm256_permute2f128_pd(a, c, 0x20);
	r[1] = _mm256_permute2f128_pd(b, d, 0x20);
	r[2] = _mm256_permute2f128_pd(a, c, 0x31);
	r[3] = _mm256_permute2f128_pd(b, d, 0x31);
}
