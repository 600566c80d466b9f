/*
 * What AVX-512 blocks of 512 and of 128 rows share: codes to bit planes, and sums, 64 rows at a time. Included by their
 * vocabularies, which define PLANE_WORDS, ISA_NAME and SUM_WORDS(n): where the first n * 64 rows end among the codes; and
 * HAVE_SPLIT8 if they have their own way to split codes of one byte.
 */

/* ---- codes to bit planes -------------------------------------------------------------------------------- */

#ifndef HAVE_SPLIT8
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

#endif

/* Few cuts are compared one by one, which costs less than the nibble tables of the column. */
#define FEW_CUTS 8

/* Of two words of codes. */
static ALWAYS_INLINE void above_words2(__m512i a, __m512i b, __m512i cut, uint64_t *planes)
{
	planes[0] = _mm512_cmpgt_epu8_mask(a, cut);
	planes[1] = _mm512_cmpgt_epu8_mask(b, cut);
}

static ALWAYS_INLINE __m512i load_word(const uint8_t *codes, size_t word)
{
	return _mm512_load_si512((const void *)(codes + 64 * word));
}

/* Codes stay in registers, which compilers see only where each has a name. */
static void ISA_NAME(above8)(const uint8_t *codes, size_t words, const uint8_t *cuts, size_t n, uint64_t *planes)
{
	if (words == 8) {
		__m512i a = load_word(codes, 0), b = load_word(codes, 1), c = load_word(codes, 2), d = load_word(codes, 3);
		__m512i f = load_word(codes, 4), g = load_word(codes, 5), h = load_word(codes, 6), k = load_word(codes, 7);
		for (size_t i = 0; i < n; i++, planes += PLANE_WORDS) {
			__m512i cut = _mm512_set1_epi8((char)cuts[i]);
			above_words2(a, b, cut, planes);
			above_words2(c, d, cut, planes + 2);
			above_words2(f, g, cut, planes + 4);
			above_words2(h, k, cut, planes + 6);
		}
		return;
	}
	for (size_t w = 0; w < words; w++) {
		__m512i code = load_word(codes, w);
		for (size_t i = 0; i < n; i++)
			planes[i * PLANE_WORDS + w] = _mm512_cmpgt_epu8_mask(code, _mm512_set1_epi8((char)cuts[i]));
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

/* One byte of 64 leaf values: 128 or 256 entries in two or four registers. */
static ALWAYS_INLINE __m512i look_up512(const uint8_t *t, __m512i code, unsigned planes)
{
	__m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512((const void *)t), code,
		_mm512_loadu_si512((const void *)(t + 64)));
	if (planes == 7)
		return low;
	__m512i high = _mm512_permutex2var_epi8(_mm512_loadu_si512((const void *)(t + 128)), code,
		_mm512_loadu_si512((const void *)(t + 192)));
	return _mm512_mask_blend_epi8(_mm512_movepi8_mask(code), low, high);
}

/*
 * Parts of values become values by blends and funnel shifts, which leave the shuffle units to the look-ups: of parts a of
 * positions 2 i and 2 i + 1, and parts b of the same two positions in the other order, a blend makes the value of position
 * 2 i and a shift that of 2 i + 1. So every second part is looked up by codes that changed places.
 *
 * Of the codes of 64 positions: vector 2 o + e of floats' bits, lane i is position 4 i + 2 e + o.
 */
static ALWAYS_INLINE void join_bytes(__m512i a, __m512i b, __m512i out[2])
{
	out[0] = _mm512_mask_blend_epi8(0xaaaaaaaaaaaaaaaa, a, b);
	out[1] = _mm512_shldi_epi16(b, a, 8);
}

static ALWAYS_INLINE void join_words(__m512i a, __m512i b, __m512i out[2])
{
	out[0] = _mm512_mask_blend_epi16(0xaaaaaaaa, a, b);
	out[1] = _mm512_shldi_epi32(b, a, 16);
}

/* Loaded once: compilers would rather load a table again for every look-up, until loads are what takes the time. */
static ALWAYS_INLINE __m512i load_table(const uint8_t *t)
{
	__m512i table = _mm512_loadu_si512((const void *)t);
#if !defined(SL_SIMULATED_AVX512)
	__asm__("" : "+v"(table));
#endif
	return table;
}

/* Two bytes of 64 values: of the even positions, then of the odd ones. Tables of 64 entries lie as 16-bit words, two registers
 * each, and of 32 in one; a look-up sees the low byte of a word of codes. */
static ALWAYS_INLINE void look_up_half(const uint8_t *t, __m512i code, unsigned planes, __m512i out[2])
{
	if (planes == 5) {
		__m512i table = load_table(t);
		out[0] = _mm512_permutexvar_epi16(code, table);
		out[1] = _mm512_permutexvar_epi16(_mm512_srli_epi16(code, 8), table);
		return;
	}
	if (planes == 6) {
		__m512i low = load_table(t), high = load_table(t + 64);
		out[0] = _mm512_permutex2var_epi16(low, code, high);
		out[1] = _mm512_permutex2var_epi16(low, _mm512_srli_epi16(code, 8), high);
		return;
	}
	join_bytes(look_up512(t, code, planes), look_up512(t + ((size_t)1 << planes), _mm512_shldi_epi16(code, code, 8), planes), out);
}

/* Four bytes of 64 values, as four vectors of floats' bits. */
static ALWAYS_INLINE void look_up_words(const uint8_t *t, __m512i code, unsigned planes, __m512i out[4])
{
	__m512i a[2], b[2];
	look_up_half(t, code, planes, a);
	look_up_half(t + ((size_t)2 << planes), _mm512_shldi_epi32(code, code, 16), planes, b);
	join_words(a[0], b[0], out);
	join_words(a[1], b[1], out + 2);
}

static ALWAYS_INLINE void add_leaves_f32(const uint8_t *t, __m512i code, unsigned planes, __m512 s[4])
{
	__m512i x[4];
	look_up_words(t, code, planes, x);
	for (size_t k = 0; k < 4; k++)
		s[k] = _mm512_add_ps(s[k], _mm512_castsi512_ps(x[k]));
}

/* Words 0 … 3 of 64 doubles, each of the even positions, then of the odd ones. */
static ALWAYS_INLINE void look_up_f64(const uint8_t *t, __m512i code, unsigned planes, __m512i w[8])
{
	__m512i swapped = _mm512_shldi_epi32(code, code, 16);
	for (size_t k = 0; k < 4; k++)
		look_up_half(t + (2 * k << planes), k % 2 ? swapped : code, planes, w + 2 * k);
}

/* Vector 4 o + 2 e + h, 128-bit lane L, double p is position 16 L + 8 h + 4 p + 2 e + o. */
static ALWAYS_INLINE void add_f64(const __m512i w[8], __m512d s[8])
{
	__m512i x[4], y[4];
	for (size_t o = 0; o < 2; o++) {
		join_words(w[o], w[2 + o], x + 2 * o);
		join_words(w[4 + o], w[6 + o], y + 2 * o);
	}
	for (size_t k = 0; k < 4; k++) {
		s[2 * k] = _mm512_add_pd(s[2 * k], _mm512_castsi512_pd(_mm512_unpacklo_epi32(x[k], y[k])));
		s[2 * k + 1] = _mm512_add_pd(s[2 * k + 1], _mm512_castsi512_pd(_mm512_unpackhi_epi32(x[k], y[k])));
	}
}

/* 16 doubles are two registers: one look-up sees the lowest four bits of a 64-bit lane. Each lane of `at` begins with four codes that
 * go to one lane of four vectors, so that rotations bring them up. */
static ALWAYS_INLINE void add_few_f64(const uint8_t *t, __m512i code, __m512d s[8])
{
	__m512d low = _mm512_castsi512_pd(load_table(t)), high = _mm512_castsi512_pd(load_table(t + 64));
	__m512i at[2] = {_mm512_unpacklo_epi32(code, code), _mm512_unpackhi_epi32(code, code)};
	for (size_t h = 0; h < 2; h++) {
		__m512i b = _mm512_shldi_epi64(at[h], at[h], 56), c = _mm512_shldi_epi64(at[h], at[h], 48);
		__m512i d = _mm512_shldi_epi64(at[h], at[h], 40);
		s[h] = _mm512_add_pd(s[h], _mm512_permutex2var_pd(low, at[h], high));
		s[4 + h] = _mm512_add_pd(s[4 + h], _mm512_permutex2var_pd(low, b, high));
		s[2 + h] = _mm512_add_pd(s[2 + h], _mm512_permutex2var_pd(low, c, high));
		s[6 + h] = _mm512_add_pd(s[6 + h], _mm512_permutex2var_pd(low, d, high));
	}
}

static ALWAYS_INLINE void add_leaves_f64(const uint8_t *t, __m512i code, unsigned planes, __m512d s[8])
{
	__m512i w[8];
	if (planes == FEW_PLANES) {
		add_few_f64(t, code, s);
		return;
	}
	look_up_f64(t, code, planes, w);
	add_f64(w, s);
}

/* The codes of 64 rows, or, of a table by leaf numbers, those. */
static ALWAYS_INLINE __m512i leaves_of_codes(const uint8_t *numbers, const uint8_t *codes, unsigned planes, unsigned leaf_planes)
{
	__m512i code = _mm512_load_si512((const void *)codes);
	if (!leaf_planes)
		return code;
	return planes == 6 ? _mm512_permutexvar_epi8(code, _mm512_loadu_si512((const void *)numbers)) : look_up512(numbers, code, planes);
}

/* Position among 64 codes of sum i. */
static inline size_t position_f32(size_t i)
{
	return 4 * (i % 16) + 2 * (i / 16 % 2) + i / 32;
}

static inline size_t position_f64(size_t i)
{
	return 16 * (i / 2 % 4) + 8 * (i / 8 % 2) + 4 * (i % 2) + 2 * (i / 16 % 2) + i / 32;
}

/* Trees [0, n) have tables of the same number of planes. */
static ALWAYS_INLINE void sum_run_f32(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which,
	const leaf_table *tables, size_t n, unsigned planes, unsigned leaf_planes, size_t words, float *sums)
{
	for (size_t o = 0; o < words; o++) {
		__m512 s[4];
		for (size_t k = 0; k < 4; k++)
			s[k] = _mm512_load_ps(sums + 64 * o + 16 * k);
		for (size_t t = 0; t < n; t++) {
			const uint8_t *table = tables[t].values;
			__m512i leaves = leaves_of_codes(table, codes[which[t]] + 64 * o, planes, leaf_planes);
			add_leaves_f32(table + (leaf_planes ? (size_t)1 << planes : 0), leaves, leaf_planes ? leaf_planes : planes, s);
		}
		for (size_t k = 0; k < 4; k++)
			_mm512_store_ps(sums + 64 * o + 16 * k, s[k]);
	}
}

static ALWAYS_INLINE void sum_run_f64(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which,
	const leaf_table *tables, size_t n, unsigned planes, unsigned leaf_planes, size_t words, double *sums)
{
	for (size_t o = 0; o < words; o++) {
		__m512d s[8];
		for (size_t k = 0; k < 8; k++)
			s[k] = _mm512_load_pd(sums + 64 * o + 8 * k);
		for (size_t t = 0; t < n; t++) {
			const uint8_t *table = tables[t].values;
			__m512i leaves = leaves_of_codes(table, codes[which[t]] + 64 * o, planes, leaf_planes);
			add_leaves_f64(table + (leaf_planes ? (size_t)1 << planes : 0), leaves, leaf_planes ? leaf_planes : planes, s);
		}
		for (size_t k = 0; k < 8; k++)
			_mm512_store_pd(sums + 64 * o + 8 * k, s[k]);
	}
}

/* A build per number of planes, and, of tables by leaf numbers, per pair of that and theirs. */
#define SUM_BUILDS(type, name, more) \
	static void ISA_NAME(sum_##name)(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, \
		size_t n, size_t words, type *sums) \
	{ \
		words = SUM_WORDS(words); \
		for (size_t t = 0, run; t < n; t += run) { \
			run = equal_tables(tables + t, n - t); \
			switch (16 * tables[t].leaf_planes + tables[t].n_planes) { \
				SUM_BUILD(name, 0, 6) \
				SUM_BUILD(name, 0, 7) \
				SUM_BUILD(name, 0, 8) \
				SUM_BUILD(name, 5, 6) \
				SUM_BUILD(name, 5, 7) \
				SUM_BUILD(name, 5, 8) \
				SUM_BUILD(name, 6, 7) \
				SUM_BUILD(name, 6, 8) \
				more \
			} \
		} \
	}
#define SUM_BUILD(name, leaf_planes, planes) \
	case 16 * (leaf_planes) + (planes): \
		sum_run_##name(codes, which + t, tables + t, run, planes, leaf_planes, words, sums); \
		break;
SUM_BUILDS(float, f32,)
SUM_BUILDS(double, f64, SUM_BUILD(f64, FEW_PLANES, 6))
