/*
 * What AVX-512 blocks of 512 and of 128 rows share: codes to bit planes, and sums, 64 rows at a time. Included by their
 * vocabularies, which define PLANE_WORDS, ISA_NAME and SUM_WORDS(n): where the first n * 64 rows end among the codes.
 */

/* ---- codes to bit planes -------------------------------------------------------------------------------- */

static void ISA_NAME(split8)(const uint8_t *codes, size_t words, uint64_t *bits)
{
	for (size_t w = 0; w < words; w++) {
		__m512i x = _mm512_load_si512((const void *)(codes + 64 * w));
		for (size_t k = 8; k-- > 0;) {
			bits[k * PLANE_WORDS + w] = _mm512_movepi8_mask(x);
			x = _mm512_add_epi8(x, x);
		}
	}
}

/* Few cuts are compared one by one, which costs less than the nibble tables of the column. */
#define FEW_CUTS 8

static void ISA_NAME(above8)(const uint8_t *codes, size_t words, const uint8_t *cuts, size_t n, uint64_t *planes)
{
	for (size_t i = 0; i < n; i++, planes += PLANE_WORDS) {
		for (size_t w = 0; w < words; w++)
			planes[w] = _mm512_cmpgt_epu8_mask(_mm512_load_si512((const void *)(codes + 64 * w)),
				_mm512_set1_epi8((char)cuts[i]));
	}
}

static void ISA_NAME(split16)(const uint16_t *codes, size_t words, uint64_t *bits)
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

/* Tables of 64 entries lie as 16-bit words, two registers each: codes are widened once, and a round of unpacks is saved.
 * Words of rows in the order of look_up_words. */
typedef struct wide_codes {
	__m512i low, high;
} wide_codes;

static inline __attribute__((always_inline)) wide_codes widen_codes(__m512i code)
{
	const __m512i zero = _mm512_setzero_si512();
	return (wide_codes){_mm512_unpacklo_epi8(code, zero), _mm512_unpackhi_epi8(code, zero)};
}

static inline __attribute__((always_inline)) void look_up_words64(const uint8_t *t, wide_codes code, __m512i out[4])
{
	__m512i a = _mm512_loadu_si512((const void *)t), b = _mm512_loadu_si512((const void *)(t + 64));
	__m512i c = _mm512_loadu_si512((const void *)(t + 128)), d = _mm512_loadu_si512((const void *)(t + 192));
	__m512i w0 = _mm512_permutex2var_epi16(a, code.low, b), w1 = _mm512_permutex2var_epi16(c, code.low, d);
	__m512i w2 = _mm512_permutex2var_epi16(a, code.high, b), w3 = _mm512_permutex2var_epi16(c, code.high, d);
	out[0] = _mm512_unpacklo_epi16(w0, w1);
	out[1] = _mm512_unpackhi_epi16(w0, w1);
	out[2] = _mm512_unpacklo_epi16(w2, w3);
	out[3] = _mm512_unpackhi_epi16(w2, w3);
}

/* Trees [0, n) have tables of the same number of planes. */
static inline __attribute__((always_inline)) void sum_run_f32(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which,
	const leaf_table *tables, size_t n, unsigned planes, size_t words, float *sums)
{
	for (size_t o = 0; o < words; o++) {
		__m512 s[4];
		for (size_t k = 0; k < 4; k++)
			s[k] = _mm512_load_ps(sums + 64 * o + 16 * k);
		for (size_t t = 0; t < n; t++) {
			__m512i x[4];
			__m512i code = _mm512_load_si512((const void *)(codes[which[t]] + 64 * o));
			if (planes == 6)
				look_up_words64(tables[t].values, widen_codes(code), x);
			else
				look_up_words(tables[t].values, code, planes, x);
			for (size_t k = 0; k < 4; k++)
				s[k] = _mm512_add_ps(s[k], _mm512_castsi512_ps(x[k]));
		}
		for (size_t k = 0; k < 4; k++)
			_mm512_store_ps(sums + 64 * o + 16 * k, s[k]);
	}
}

static inline __attribute__((always_inline)) void sum_run_f64(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which,
	const leaf_table *tables, size_t n, unsigned planes, size_t words, double *sums)
{
	size_t half = (size_t)4 << planes;
	for (size_t o = 0; o < words; o++) {
		__m512d s[8];
		for (size_t k = 0; k < 8; k++)
			s[k] = _mm512_load_pd(sums + 64 * o + 8 * k);
		for (size_t t = 0; t < n; t++) {
			__m512i code = _mm512_load_si512((const void *)(codes[which[t]] + 64 * o)), x[4], y[4];
			if (planes == 6) {
				wide_codes wide = widen_codes(code);
				look_up_words64(tables[t].values, wide, x);
				look_up_words64((const uint8_t *)tables[t].values + half, wide, y);
			} else {
				look_up_words(tables[t].values, code, planes, x);
				look_up_words((const uint8_t *)tables[t].values + half, code, planes, y);
			}
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

static void ISA_NAME(sum_f32)(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
	size_t words, float *sums)
{
	words = SUM_WORDS(words);
	for (size_t t = 0, run; t < n; t += run) {
		run = equal_tables(tables + t, n - t);
		if (tables[t].n_planes == 6)
			sum_run_f32(codes, which + t, tables + t, run, 6, words, sums);
		else if (tables[t].n_planes == 7)
			sum_run_f32(codes, which + t, tables + t, run, 7, words, sums);
		else
			sum_run_f32(codes, which + t, tables + t, run, 8, words, sums);
	}
}

static void ISA_NAME(sum_f64)(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
	size_t words, double *sums)
{
	words = SUM_WORDS(words);
	for (size_t t = 0, run; t < n; t += run) {
		run = equal_tables(tables + t, n - t);
		if (tables[t].n_planes == 6)
			sum_run_f64(codes, which + t, tables + t, run, 6, words, sums);
		else if (tables[t].n_planes == 7)
			sum_run_f64(codes, which + t, tables + t, run, 7, words, sums);
		else
			sum_run_f64(codes, which + t, tables + t, run, 8, words, sums);
	}
}
