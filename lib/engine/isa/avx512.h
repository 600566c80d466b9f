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

/* ---- codes to bit planes -------------------------------------------------------------------------------- */

static void split8_avx512(const uint8_t *codes, size_t words, uint64_t *bits)
{
	for (size_t w = 0; w < words; w++) {
		__m512i x = _mm512_load_si512((const void *)(codes + 64 * w));
		for (size_t k = 8; k-- > 0;) {
			bits[k * PLANE_WORDS + w] = _mm512_movepi8_mask(x);
			x = _mm512_add_epi8(x, x);
		}
	}
}

static void split16_avx512(const uint16_t *codes, size_t words, uint64_t *bits)
{
	for (size_t w = 0; w < words; w++) {
		__m512i low = _mm512_load_si512((const void *)(codes + 64 * w));
		__m512i high = _mm512_load_si512((const void *)(codes + 64 * w + 32));
		for (size_t k = 16; k-- > 0;) {
			bits[k * PLANE_WORDS + w] = (uint64_t)_mm512_movepi16_mask(high) << 32 | _mm512_movepi16_mask(low);
			low = _mm512_add_epi16(low, low);
			high = _mm512_add_epi16(high, high);
		}
	}
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

/* ---- sum ------------------------------------------------------------------------------------------------- */

#define HAVE_SUM

/* One byte of 64 leaf values: 64, 128 or 256 entries in one, two or four registers. */
static inline __attribute__((always_inline)) __m512i look_up512(const uint8_t *t, __m512i code, unsigned planes)
{
	if (planes == 6)
		return _mm512_permutexvar_epi8(code, _mm512_loadu_si512((const void *)t));
	__m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512((const void *)t), code,
		_mm512_loadu_si512((const void *)(t + 64)));
	if (planes == 7)
		return low;
	__m512i high = _mm512_permutex2var_epi8(_mm512_loadu_si512((const void *)(t + 128)), code,
		_mm512_loadu_si512((const void *)(t + 192)));
	return _mm512_mask_blend_epi8(_mm512_movepi8_mask(code), low, high);
}

/* Four bytes of 64 values, as four vectors of floats' bits. */
static inline __attribute__((always_inline)) void look_up_words(const uint8_t *t, __m512i code, unsigned planes,
	__m512i out[4])
{
	size_t n = (size_t)1 << planes;
	__m512i b0 = look_up512(t, code, planes), b1 = look_up512(t + n, code, planes);
	__m512i b2 = look_up512(t + 2 * n, code, planes), b3 = look_up512(t + 3 * n, code, planes);
	__m512i low01 = _mm512_unpacklo_epi8(b0, b1), high01 = _mm512_unpackhi_epi8(b0, b1);
	__m512i low23 = _mm512_unpacklo_epi8(b2, b3), high23 = _mm512_unpackhi_epi8(b2, b3);
	out[0] = _mm512_unpacklo_epi16(low01, low23);
	out[1] = _mm512_unpackhi_epi16(low01, low23);
	out[2] = _mm512_unpacklo_epi16(high01, high23);
	out[3] = _mm512_unpackhi_epi16(high01, high23);
}

/* Trees [0, n) have tables of the same number of planes. */
static inline __attribute__((always_inline)) void sum_run_f32(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which,
	const leaf_table *tables, size_t n, unsigned planes, float *sums)
{
	for (size_t o = 0; o < 8; o++) {
		__m512 s[4];
		for (size_t k = 0; k < 4; k++)
			s[k] = _mm512_load_ps(sums + 64 * o + 16 * k);
		for (size_t t = 0; t < n; t++) {
			__m512i x[4];
			look_up_words(tables[t].values, _mm512_load_si512((const void *)(codes[which[t]] + 64 * o)), planes, x);
			for (size_t k = 0; k < 4; k++)
				s[k] = _mm512_add_ps(s[k], _mm512_castsi512_ps(x[k]));
		}
		for (size_t k = 0; k < 4; k++)
			_mm512_store_ps(sums + 64 * o + 16 * k, s[k]);
	}
}

static inline __attribute__((always_inline)) void sum_run_f64(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which,
	const leaf_table *tables, size_t n, unsigned planes, double *sums)
{
	size_t half = (size_t)4 << planes;
	for (size_t o = 0; o < 8; o++) {
		__m512d s[8];
		for (size_t k = 0; k < 8; k++)
			s[k] = _mm512_load_pd(sums + 64 * o + 8 * k);
		for (size_t t = 0; t < n; t++) {
			__m512i code = _mm512_load_si512((const void *)(codes[which[t]] + 64 * o)), x[4], y[4];
			look_up_words(tables[t].values, code, planes, x);
			look_up_words((const uint8_t *)tables[t].values + half, code, planes, y);
			for (size_t k = 0; k < 4; k++) {
				s[2 * k] = _mm512_add_pd(s[2 * k], _mm512_castsi512_pd(_mm512_unpacklo_epi32(x[k], y[k])));
				s[2 * k + 1] = _mm512_add_pd(s[2 * k + 1],
					_mm512_castsi512_pd(_mm512_unpackhi_epi32(x[k], y[k])));
			}
		}
		for (size_t k = 0; k < 8; k++)
			_mm512_store_pd(sums + 64 * o + 8 * k, s[k]);
	}
}

static void sum_f32_avx512(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
	size_t words, float *sums)
{
	(void)words;
	for (size_t t = 0, run; t < n; t += run) {
		run = equal_tables(tables + t, n - t);
		if (tables[t].n_planes == 6)
			sum_run_f32(codes, which + t, tables + t, run, 6, sums);
		else if (tables[t].n_planes == 7)
			sum_run_f32(codes, which + t, tables + t, run, 7, sums);
		else
			sum_run_f32(codes, which + t, tables + t, run, 8, sums);
	}
}

static void sum_f64_avx512(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
	size_t words, double *sums)
{
	(void)words;
	for (size_t t = 0, run; t < n; t += run) {
		run = equal_tables(tables + t, n - t);
		if (tables[t].n_planes == 6)
			sum_run_f64(codes, which + t, tables + t, run, 6, sums);
		else if (tables[t].n_planes == 7)
			sum_run_f64(codes, which + t, tables + t, run, 7, sums);
		else
			sum_run_f64(codes, which + t, tables + t, run, 8, sums);
	}
}

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
