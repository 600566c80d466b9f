/*
 * Values to byte codes by AVX-512: the same search as rank_template.h, 64 values at a time, with the starts and the cuts
 * in registers as tables of bytes. Packs work on 128-bit lanes and unpacks undo that, so a value meets the cut that its
 * code picked; codes are put in order when they are stored. What is left over takes masked loads and stores, or, of few values,
 * a search of each. Up to 15 cuts need no map. Included after kernels_template.h.
 */

#define BIN_REGISTER_CUTS 15 /* and a NaN fit one register */
#define BIN_FEW 12 /* so many searches cost what 64 values at a time do */

static ALWAYS_INLINE uint64_t first_lanes(size_t n)
{
	return n < 64 ? ((uint64_t)1 << n) - 1 : ~(uint64_t)0;
}

/* Entry `at` of a table of 64, 128 or 256 bytes. */
static ALWAYS_INLINE __m512i pick_byte(const __m512i *t, __m512i at, unsigned size)
{
	if (size == 64)
		return _mm512_permutexvar_epi8(at, t[0]);
	__m512i low = _mm512_permutex2var_epi8(t[0], at, t[1]);
	if (size == 128)
		return low;
	return _mm512_mask_blend_epi8(_mm512_movepi8_mask(at), low, _mm512_permutex2var_epi8(t[2], at, t[3]));
}

static ALWAYS_INLINE void load_bytes(const uint8_t *from, size_t n_tables, unsigned size, __m512i *t)
{
	for (size_t k = 0; k < n_tables; k++) {
		for (size_t i = 0; i < size / 64; i++)
			t[k * 4 + i] = _mm512_loadu_si512((const void *)(from + size * k + 64 * i));
	}
}

/* A map in registers: compilers would read it again after each store of codes. */
typedef struct map16 {
	__m512 origin, scale, last;
} map16;

static ALWAYS_INLINE map16 load_map16(const bin_map *map)
{
	return (map16){_mm512_set1_ps((float)map->origin), _mm512_set1_ps((float)map->scale), _mm512_set1_ps((float)map->last)};
}

/* Bucket of 16 values; NaN and what lies below becomes 0 when packed without sign. */
static ALWAYS_INLINE __m512i bucket16(map16 map, __m512 x)
{
	return _mm512_cvttps_epi32(_mm512_min_ps(map.last, _mm512_mul_ps(_mm512_sub_ps(x, map.origin), map.scale)));
}

/* Lane l of vector k: code bytes of rows 16 k + 4 l … + 3. */
static ALWAYS_INLINE __m512i start64_f32(map16 map, const __m512i start[4], const __m512 x[4])
{
	__m512i low = _mm512_packus_epi32(bucket16(map, x[0]), bucket16(map, x[1]));
	__m512i high = _mm512_packus_epi32(bucket16(map, x[2]), bucket16(map, x[3]));
	return pick_byte(start, _mm512_packus_epi16(low, high), 256);
}

/* Four bytes of 64 cuts, as four vectors of 32-bit words. */
static ALWAYS_INLINE void pick_words(const __m512i *cuts, __m512i at, unsigned size, __m512i out[4])
{
	__m512i b[4], w[4];
	for (size_t k = 0; k < 4; k++)
		b[k] = pick_byte(cuts + 4 * k, at, size);
	for (size_t k = 0; k < 2; k++) {
		w[k] = _mm512_unpacklo_epi8(b[2 * k], b[2 * k + 1]);
		w[2 + k] = _mm512_unpackhi_epi8(b[2 * k], b[2 * k + 1]);
	}
	for (size_t k = 0; k < 4; k += 2) {
		out[k] = _mm512_unpacklo_epi16(w[k], w[k + 1]);
		out[k + 1] = _mm512_unpackhi_epi16(w[k], w[k + 1]);
	}
}

/* All ones for each code byte whose cut is <= the value. */
static ALWAYS_INLINE __m512i reaches64_f32(const __m512i *cuts, __m512i at, unsigned size, const __m512 x[4])
{
	__m512i cut[4], yes[4];
	pick_words(cuts, at, size, cut);
	for (size_t k = 0; k < 4; k++)
		yes[k] = _mm512_movm_epi32(_mm512_cmp_ps_mask(x[k], _mm512_castsi512_ps(cut[k]), _CMP_GE_OQ));
	return _mm512_packs_epi16(_mm512_packs_epi32(yes[0], yes[1]), _mm512_packs_epi32(yes[2], yes[3]));
}

/* Codes as packs leave them → in the order of the rows. */
static ALWAYS_INLINE __m512i row_order_f32(__m512i code)
{
	return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), code);
}

#define BIN_SETS 2 /* of 64 values side by side: one search waits for its own look-ups, two fill the time */

/* Codes are kept in the order of the packs; the last lines put them into that of the rows. */
static ALWAYS_INLINE void rank_sets_f32(map16 map, const __m512i *start, const __m512i *cuts, unsigned size,
	uint32_t steps, const __m512 x[][4], size_t n_sets, __m512i *code)
{
	for (size_t j = 0; j < n_sets; j++)
		code[j] = start64_f32(map, start, x[j]);
	/* Whoever is beyond a cut has all ones, which is -1. */
	for (size_t j = 0; steps == 1 && j < n_sets; j++)
		code[j] = _mm512_sub_epi8(code[j], reaches64_f32(cuts, code[j], size, x[j]));
	for (uint32_t s = steps == 1 ? 0 : steps; s-- > 0;) {
		for (size_t j = 0; j < n_sets; j++) {
			__m512i at = _mm512_add_epi8(code[j], _mm512_set1_epi8((char)((1 << s) - 1)));
			__m512i yes = reaches64_f32(cuts, at, size, x[j]);
			code[j] = _mm512_add_epi8(code[j], _mm512_and_si512(yes, _mm512_set1_epi8((char)(1 << s))));
		}
	}
	for (size_t j = 0; j < n_sets; j++)
		code[j] = row_order_f32(code[j]);
}

static ALWAYS_INLINE __m512 sum_of_four(const __m512 v[4])
{
	return _mm512_add_ps(_mm512_add_ps(v[0], v[1]), _mm512_add_ps(v[2], v[3]));
}

static ALWAYS_INLINE bool bin_steps_f32(const bin_table *t, const float *x, size_t n, unsigned size, uint32_t steps,
	uint8_t *codes)
{
	__m512i start[4], cuts[16], code[BIN_SETS];
	__m512 v[BIN_SETS][4], sum = _mm512_setzero_ps();
	size_t i = 0;
	load_bytes(t->narrow_map.start, 1, 256, start);
	load_bytes(t->narrow_bytes, 4, size, cuts);
	map16 map = load_map16(&t->narrow_map);
	for (; i + 64 * BIN_SETS <= n; i += 64 * BIN_SETS) {
		for (size_t k = 0; k < 4 * BIN_SETS; k++)
			v[k / 4][k % 4] = _mm512_loadu_ps(x + i + 16 * k);
		for (size_t j = 0; j < BIN_SETS; j++)
			sum = _mm512_add_ps(sum, sum_of_four(v[j]));
		rank_sets_f32(map, start, cuts, size, steps, (const __m512 (*)[4])v, BIN_SETS, code);
		for (size_t j = 0; j < BIN_SETS; j++)
			_mm512_storeu_si512((void *)(codes + i + 64 * j), code[j]);
	}
	for (; i < n; i += 64) {
		uint64_t wanted = first_lanes(n - i);
		for (size_t k = 0; k < 4; k++)
			v[0][k] = _mm512_maskz_loadu_ps((__mmask16)(wanted >> (16 * k)), x + i + 16 * k);
		sum = _mm512_add_ps(sum, sum_of_four(v[0]));
		rank_sets_f32(map, start, cuts, size, steps, (const __m512 (*)[4])v, 1, code);
		_mm512_mask_storeu_epi8((void *)(codes + i), wanted, code[0]);
	}
	/* A sum is NaN if a value is, and else only if infinities met. */
	return _mm512_cmp_ps_mask(sum, sum, _CMP_UNORD_Q) != 0;
}

/* Most features need one step. */
static ALWAYS_INLINE bool bin_size_f32(const bin_table *t, const float *x, size_t n, unsigned size, uint8_t *codes)
{
	if (t->narrow_map.steps == 1)
		return bin_steps_f32(t, x, n, size, 1, codes);
	return bin_steps_f32(t, x, n, size, t->narrow_map.steps, codes);
}

/* Up to BIN_REGISTER_CUTS: the whole search looks in the register. */
static inline uint32_t register_steps(uint32_t n_cuts)
{
	return n_cuts > 7 ? 4 : n_cuts > 3 ? 3 : 2;
}

static ALWAYS_INLINE __m512i search16_f32(__m512 cuts, uint32_t steps, __m512 x)
{
	__m512i code = _mm512_setzero_si512();
	for (uint32_t s = steps; s-- > 0;) {
		__m512i at = _mm512_add_epi32(code, _mm512_set1_epi32((1 << s) - 1));
		__mmask16 yes = _mm512_cmp_ps_mask(x, _mm512_permutexvar_ps(at, cuts), _CMP_GE_OQ);
		code = _mm512_mask_add_epi32(code, yes, code, _mm512_set1_epi32(1 << s));
	}
	return code;
}

static ALWAYS_INLINE bool bin_search_f32(const bin_table *t, const float *x, size_t n, uint32_t steps, uint8_t *codes)
{
	__m512 cuts = _mm512_loadu_ps(t->narrow), sum = _mm512_setzero_ps();
	for (size_t i = 0; i < n; i += 64) {
		__m512i c[4];
		uint64_t wanted = first_lanes(n - i);
		for (size_t k = 0; k < 4; k++) {
			__m512 v = _mm512_maskz_loadu_ps((__mmask16)(wanted >> (16 * k)), x + i + 16 * k);
			sum = _mm512_add_ps(sum, v);
			c[k] = search16_f32(cuts, steps, v);
		}
		__m512i code = _mm512_packus_epi16(_mm512_packus_epi32(c[0], c[1]), _mm512_packus_epi32(c[2], c[3]));
		_mm512_mask_storeu_epi8((void *)(codes + i), wanted, row_order_f32(code));
	}
	return _mm512_cmp_ps_mask(sum, sum, _CMP_UNORD_Q) != 0;
}

static ALWAYS_INLINE bool bin_few_f32(const bin_table *t, const float *x, size_t n, uint8_t *codes)
{
	switch (register_steps(t->n)) {
	case 4:
		return bin_search_f32(t, x, n, 4, codes);
	case 3:
		return bin_search_f32(t, x, n, 3, codes);
	default:
		return bin_search_f32(t, x, n, 2, codes);
	}
}

static bool bin_f32_avx512(const bin_table *t, const float *x, size_t n, void *codes)
{
	size_t few = n % 64 <= BIN_FEW ? n % 64 : 0, most = n - few;
	uint8_t *to = codes;
	bool nan = false;
	if (most && t->n <= BIN_REGISTER_CUTS)
		nan = bin_few_f32(t, x, most, to);
	else if (most && t->n <= 63)
		nan = bin_size_f32(t, x, most, 64, to);
	else if (most && t->n <= 127)
		nan = bin_size_f32(t, x, most, 128, to);
	else if (most)
		nan = bin_size_f32(t, x, most, 256, to);
	for (size_t i = most; i < n; i++) {
		to[i] = rank_f32_avx512(t, x[i]);
		nan |= x[i] != x[i];
	}
	return nan;
}

/* ---- the same for doubles: vector k, lane l holds rows 8 k + 2 l and + 1 ------------------------------------------ */

/* The low halves of 64-bit words: in each lane those of `a`, then those of `b`. */
static ALWAYS_INLINE __m512i low_halves(__m512i a, __m512i b)
{
	return _mm512_castps_si512(_mm512_shuffle_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), 0x88));
}

static ALWAYS_INLINE __m512i bucket8(const bin_map *map, __m512d x)
{
	__m512d y = _mm512_mul_pd(_mm512_sub_pd(x, _mm512_set1_pd(map->origin)), _mm512_set1_pd(map->scale));
	return _mm512_cvttpd_epi64(_mm512_min_pd(_mm512_max_pd(y, _mm512_setzero_pd()), _mm512_set1_pd(map->last)));
}

static ALWAYS_INLINE __m512i pack64_f64(const __m512i x[8])
{
	__m512i at[4];
	for (size_t k = 0; k < 4; k++)
		at[k] = low_halves(x[2 * k], x[2 * k + 1]);
	return _mm512_packus_epi16(_mm512_packus_epi32(at[0], at[1]), _mm512_packus_epi32(at[2], at[3]));
}

static ALWAYS_INLINE __m512i row_order_f64(__m512i code)
{
	return _mm512_permutexvar_epi16(_mm512_set_epi16(31, 23, 15, 7, 30, 22, 14, 6, 29, 21, 13, 5, 28, 20, 12, 4, 27, 19, 11, 3, 26, 18, 10,
		2, 25, 17, 9, 1, 24, 16, 8, 0), code);
}

static ALWAYS_INLINE __m512i start64_f64(const bin_map *map, const __m512i start[4], const __m512d x[8])
{
	__m512i bucket[8];
	for (size_t k = 0; k < 8; k++)
		bucket[k] = bucket8(map, x[k]);
	return pick_byte(start, pack64_f64(bucket), 256);
}

static ALWAYS_INLINE __m512i reaches64_f64(const uint8_t *bytes, __m512i at, unsigned size, const __m512d x[8])
{
	__m512i cuts[16], low[4], high[4], yes[4];
	load_bytes(bytes, 4, size, cuts);
	pick_words(cuts, at, size, low);
	load_bytes(bytes + (size_t)4 * size, 4, size, cuts);
	pick_words(cuts, at, size, high);
	for (size_t k = 0; k < 4; k++) {
		__m512d a = _mm512_castsi512_pd(_mm512_unpacklo_epi32(low[k], high[k]));
		__m512d b = _mm512_castsi512_pd(_mm512_unpackhi_epi32(low[k], high[k]));
		yes[k] = low_halves(_mm512_movm_epi64(_mm512_cmp_pd_mask(x[2 * k], a, _CMP_GE_OQ)),
			_mm512_movm_epi64(_mm512_cmp_pd_mask(x[2 * k + 1], b, _CMP_GE_OQ)));
	}
	return _mm512_packs_epi16(_mm512_packs_epi32(yes[0], yes[1]), _mm512_packs_epi32(yes[2], yes[3]));
}

static ALWAYS_INLINE void rank64_f64(const bin_table *t, const __m512i *start, unsigned size, const __m512d x[8],
	uint64_t wanted, uint8_t *codes)
{
	__m512i code = start64_f64(&t->wide->map, start, x);
	for (uint32_t s = t->wide->map.steps; s-- > 0;) {
		__m512i at = _mm512_add_epi8(code, _mm512_set1_epi8((char)((1 << s) - 1)));
		__m512i yes = reaches64_f64(t->wide->bytes, at, size, x);
		code = _mm512_add_epi8(code, _mm512_and_si512(yes, _mm512_set1_epi8((char)(1 << s))));
	}
	_mm512_mask_storeu_epi8((void *)codes, wanted, row_order_f64(code));
}

static ALWAYS_INLINE bool bin_size_f64(const bin_table *t, const double *x, size_t n, unsigned size, uint8_t *codes)
{
	__m512i start[4];
	__m512d sum = _mm512_setzero_pd();
	load_bytes(t->wide->map.start, 1, 256, start);
	for (size_t i = 0; i < n; i += 64) {
		__m512d v[8];
		uint64_t wanted = first_lanes(n - i);
		for (size_t k = 0; k < 8; k++) {
			v[k] = _mm512_maskz_loadu_pd((__mmask8)(wanted >> (8 * k)), x + i + 8 * k);
			sum = _mm512_add_pd(sum, v[k]);
		}
		rank64_f64(t, start, size, v, wanted, codes + i);
	}
	return _mm512_cmp_pd_mask(sum, sum, _CMP_UNORD_Q) != 0;
}

static ALWAYS_INLINE __m512i search16_f64(const double *cuts, uint32_t steps, __m512d x)
{
	__m512d low = _mm512_loadu_pd(cuts), high = _mm512_loadu_pd(cuts + 8);
	__m512i code = _mm512_setzero_si512();
	for (uint32_t s = steps; s-- > 0;) {
		__m512i at = _mm512_add_epi64(code, _mm512_set1_epi64((1 << s) - 1));
		__mmask8 yes = _mm512_cmp_pd_mask(x, _mm512_permutex2var_pd(low, at, high), _CMP_GE_OQ);
		code = _mm512_mask_add_epi64(code, yes, code, _mm512_set1_epi64(1 << s));
	}
	return code;
}

static ALWAYS_INLINE bool bin_search_f64(const bin_table *t, const double *x, size_t n, uint32_t steps, uint8_t *codes)
{
	__m512d sum = _mm512_setzero_pd();
	for (size_t i = 0; i < n; i += 64) {
		__m512i c[8];
		uint64_t wanted = first_lanes(n - i);
		for (size_t k = 0; k < 8; k++) {
			__m512d v = _mm512_maskz_loadu_pd((__mmask8)(wanted >> (8 * k)), x + i + 8 * k);
			sum = _mm512_add_pd(sum, v);
			c[k] = search16_f64(t->wide->cuts, steps, v);
		}
		_mm512_mask_storeu_epi8((void *)(codes + i), wanted, row_order_f64(pack64_f64(c)));
	}
	return _mm512_cmp_pd_mask(sum, sum, _CMP_UNORD_Q) != 0;
}

static ALWAYS_INLINE bool bin_few_f64(const bin_table *t, const double *x, size_t n, uint8_t *codes)
{
	switch (register_steps(t->n)) {
	case 4:
		return bin_search_f64(t, x, n, 4, codes);
	case 3:
		return bin_search_f64(t, x, n, 3, codes);
	default:
		return bin_search_f64(t, x, n, 2, codes);
	}
}

static bool bin_f64_avx512(const bin_table *t, const double *x, size_t n, void *codes)
{
	size_t few = n % 64 <= BIN_FEW ? n % 64 : 0, most = n - few;
	uint8_t *to = codes;
	bool nan = false;
	if (most && t->n <= BIN_REGISTER_CUTS)
		nan = bin_few_f64(t, x, most, to);
	else if (most && t->n <= 63)
		nan = bin_size_f64(t, x, most, 64, to);
	else if (most && t->n <= 127)
		nan = bin_size_f64(t, x, most, 128, to);
	else if (most)
		nan = bin_size_f64(t, x, most, 256, to);
	for (size_t i = most; i < n; i++) {
		to[i] = rank_f64_avx512(t, x[i]);
		nan |= x[i] != x[i];
	}
	return nan;
}

/* ---- missing values at the highest code ------------------------------------------------------------------------- */

static ALWAYS_INLINE void lift64(uint64_t missing, const uint8_t *from, uint8_t *to)
{
	_mm512_storeu_si512((void *)to, _mm512_or_si512(_mm512_loadu_si512((const void *)from), _mm512_movm_epi8(missing)));
}

static void lift_f32_avx512(const float *x, size_t n, const void *from, void *to)
{
	const uint8_t *codes = from;
	uint8_t *lifted = to;
	size_t i = 0;
	for (; i + 64 <= n; i += 64) {
		uint64_t missing = 0;
		for (size_t k = 0; k < 4; k++) {
			__m512 v = _mm512_loadu_ps(x + i + 16 * k);
			missing |= (uint64_t)_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q) << (16 * k);
		}
		lift64(missing, codes + i, lifted + i);
	}
	for (; i < n; i++)
		lifted[i] = x[i] != x[i] ? UINT8_MAX : codes[i];
}

static void lift_f64_avx512(const double *x, size_t n, const void *from, void *to)
{
	const uint8_t *codes = from;
	uint8_t *lifted = to;
	size_t i = 0;
	for (; i + 64 <= n; i += 64) {
		uint64_t missing = 0;
		for (size_t k = 0; k < 8; k++) {
			__m512d v = _mm512_loadu_pd(x + i + 8 * k);
			missing |= (uint64_t)_mm512_cmp_pd_mask(v, v, _CMP_UNORD_Q) << (8 * k);
		}
		lift64(missing, codes + i, lifted + i);
	}
	for (; i < n; i++)
		lifted[i] = x[i] != x[i] ? UINT8_MAX : codes[i];
}

static void mark_u8_avx512(const uint64_t *missing, size_t n, bool high, uint8_t *codes)
{
	const __m512i at = _mm512_set1_epi8(high ? -1 : 0);
	size_t i = 0;
	for (; i + 64 <= n; i += 64) {
		__m512i code = _mm512_loadu_si512((const void *)(codes + i));
		_mm512_storeu_si512((void *)(codes + i), _mm512_mask_mov_epi8(code, missing[i / 64], at));
	}
	if (i < n)
		_mm512_mask_storeu_epi8((void *)(codes + i), missing[i / 64] & first_lanes(n - i), at);
}
