/*
 * Columns of few cuts as bit planes by AVX-512: the bits of a code are kept as the search finds them, and a predicate is an operation
 * per bit for 512 rows.
 *
 * So many comparisons as planes find a code, of which each says one bit, the highest first: the sign of value - cut is shifted into a
 * lane, and the signs there say which of up to 16 cuts is next. A transposition of bits makes planes of lanes. Signs mean "below", the
 * opposite of a code's bit. Included after bin_avx512.h.
 */

#define SLICE_VECTORS (SLICE_ROWS / 16) /* searched side by side, because a search waits for its own look-ups */

/* What step k compares with, by the k signs before: lane l is for those that are its lowest bits. */
typedef struct slice_cuts {
	__m512 step[SLICE_MOST_PLANES];
} slice_cuts;

#define PICK(planes, k, lane) (((~(lane) & ((1 << (k)) - 1)) << ((planes) - (k))) + (1 << ((planes) - 1 - (k))) - 1)
#define PICK4(planes, k, lane) PICK(planes, k, lane), PICK(planes, k, lane + 1), PICK(planes, k, lane + 2), PICK(planes, k, lane + 3)
#define PICKS(planes, k) {PICK4(planes, k, 0), PICK4(planes, k, 4), PICK4(planes, k, 8), PICK4(planes, k, 12)}

/* Cuts [first, first + 16) of n. Equal values must have a difference without a sign, so a cut of zero is -0; behind the cuts differences
 * have the sign of a NaN. */
static ALWAYS_INLINE __m512 load_slice_cuts(const bin_table *t, size_t first)
{
	const __m512 sign = _mm512_set1_ps(-0.0f), nan = _mm512_castsi512_ps(_mm512_set1_epi32(-1));
	size_t n = t->n < first ? 0 : t->n - first;
	__m512 cuts = _mm512_maskz_loadu_ps((__mmask16)first_lanes(n < 16 ? n : 16), t->narrow + first);
	cuts = _mm512_mask_mov_ps(cuts, _mm512_cmp_ps_mask(cuts, sign, _CMP_EQ_OQ), sign);
	return _mm512_mask_mov_ps(nan, (__mmask16)first_lanes(n < 16 ? n : 16), cuts);
}

static ALWAYS_INLINE slice_cuts spread_slice_cuts(const bin_table *t, size_t planes)
{
	static const uint32_t picks4[4][16] = {PICKS(4, 0), PICKS(4, 1), PICKS(4, 2), PICKS(4, 3)};
	static const uint32_t picks5[5][16] = {PICKS(5, 0), PICKS(5, 1), PICKS(5, 2), PICKS(5, 3), PICKS(5, 4)};
	__m512 low = load_slice_cuts(t, 0), high = planes > 4 ? load_slice_cuts(t, 16) : low;
	slice_cuts cuts;
	for (size_t k = 0; k < planes; k++)
		cuts.step[k] = _mm512_permutex2var_ps(low, _mm512_loadu_si512((const void *)(planes > 4 ? picks5[k] : picks4[k])), high);
	return cuts;
}

/* Floats [at, at + 16) of n, zeros behind them. A NaN becomes the lesser or the greater infinity: so much for what is missing. */
static ALWAYS_INLINE __m512 load_to_slice(const float *x, size_t n, size_t at, bool whole, bool high)
{
	__m512 v = whole ? _mm512_loadu_ps(x + at) : _mm512_maskz_loadu_ps(at < n ? (__mmask16)first_lanes(n - at) : 0, x + at);
	return high ? _mm512_min_ps(v, _mm512_set1_ps(INFINITY)) : _mm512_max_ps(v, _mm512_set1_ps(-INFINITY));
}

static ALWAYS_INLINE __m512i add_sign(__m512i signs, __m512 x, __m512 cut)
{
	return _mm512_shldi_epi32(signs, _mm512_castps_si512(_mm512_sub_ps(x, cut)), 1);
}

/* The signs of 8 vectors: row 16 v + l in lane l of vector v. */
static ALWAYS_INLINE void search_signs(const slice_cuts *cuts, size_t planes, const __m512 x[SLICE_VECTORS],
	__m512i signs[SLICE_VECTORS])
{
	for (size_t v = 0; v < SLICE_VECTORS; v++)
		signs[v] = add_sign(_mm512_setzero_si512(), x[v], cuts->step[0]);
	for (size_t k = 1; k < planes; k++) {
		for (size_t v = 0; v < SLICE_VECTORS; v++)
			signs[v] = add_sign(signs[v], x[v], _mm512_permutexvar_ps(signs[v], cuts->step[k]));
	}
}

/* Of 4 vectors: word k of the result is that of plane k. */
static ALWAYS_INLINE __m512i words_of_signs(const __m512i signs[4])
{
	/* Squares of 8 rows, the last one first, and 8 bits: from two vectors those of even number. */
	const __m512i squares = _mm512_setr_epi64(0x0004080c1014181c, 0x2024282c3034383c, 0x4044484c5054585c, 0x6064686c7074787c,
		0x0004080c1014181c, 0x2024282c3034383c, 0x4044484c5054585c, 0x6064686c7074787c);
	/* Byte k of square s to byte s of word k. */
	const __m512i planes = _mm512_setr_epi64(0x3830282018100800, 0x3931292119110901, 0x3a322a221a120a02, 0x3b332b231b130b03,
		0x3c342c241c140c04, 0x3d352d251d150d05, 0x3e362e261e160e06, 0x3f372f271f170f07);
	__m512i low = _mm512_permutex2var_epi8(signs[0], squares, signs[1]);
	__m512i all = _mm512_mask_blend_epi64(0xf0, low, _mm512_permutex2var_epi8(signs[2], squares, signs[3]));
	all = _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi64((long long)0x8040201008040201), all, 0xff);
	return _mm512_permutexvar_epi8(planes, all);
}

/* Two words of planes of the same parity, the first of which lie at `bits`. */
static ALWAYS_INLINE void store_words(__m512i words, size_t planes, uint64_t *bits)
{
	_mm_storeu_si128((__m128i *)(void *)bits, _mm512_castsi512_si128(words));
	_mm_storeu_si128((__m128i *)(void *)(bits + 2 * SLICE_WORDS), _mm512_extracti32x4_epi32(words, 1));
	if (planes > 2)
		_mm_storeu_si128((__m128i *)(void *)(bits + 4 * SLICE_WORDS), _mm512_extracti32x4_epi32(words, 2));
}

static ALWAYS_INLINE void slice_rows(const bin_table *t, size_t planes, const float *x, size_t n, bool whole, bool high, uint64_t *bits)
{
	const slice_cuts cuts = spread_slice_cuts(t, planes);
	for (size_t at = 0; at < n; at += SLICE_ROWS, bits += 2) {
		__m512 v[SLICE_VECTORS];
		__m512i signs[SLICE_VECTORS];
		for (size_t i = 0; i < SLICE_VECTORS; i++)
			v[i] = load_to_slice(x, n, at + 16 * i, whole, high);
		search_signs(&cuts, planes, v, signs);
		__m512i first = words_of_signs(signs), second = words_of_signs(signs + 4);
		store_words(_mm512_unpacklo_epi64(first, second), (planes + 1) / 2, bits);
		store_words(_mm512_unpackhi_epi64(first, second), planes / 2, bits + SLICE_WORDS);
	}
}

static ALWAYS_INLINE void slice_planes(const bin_table *t, size_t planes, const float *x, size_t n, bool high, uint64_t *bits)
{
	if (n % SLICE_ROWS)
		slice_rows(t, planes, x, n, false, high, bits);
	else if (high)
		slice_rows(t, planes, x, n, true, true, bits);
	else
		slice_rows(t, planes, x, n, true, false, bits);
}

static void slice_f32_avx512(const bin_table *t, size_t planes, const float *x, size_t n, bool high, uint64_t *bits)
{
	if (planes == 4)
		slice_planes(t, 4, x, n, high, bits);
	else
		slice_planes(t, 5, x, n, high, bits);
}

static void slice_avx512(const uint8_t *codes, size_t planes, size_t n, uint64_t *bits)
{
	for (size_t w = 0; 64 * w < n; w++) {
		__m512i x = _mm512_loadu_si512((const void *)(codes + 64 * w));
		x = planes == 4 ? _mm512_slli_epi16(x, 4) : _mm512_slli_epi16(x, 3);
		for (size_t k = planes; k-- > 0;) {
			bits[k * SLICE_WORDS + w] = _mm512_movepi8_mask(x);
			x = _mm512_add_epi8(x, x);
		}
	}
}

/* Bits of a cut that are clear, as all ones. */
#define CLEAR_BIT(cut, k) ((cut) >> (k) & 1 ? 0 : UINT64_MAX)
#define CLEAR_BITS(cut) {CLEAR_BIT(cut, 0), CLEAR_BIT(cut, 1), CLEAR_BIT(cut, 2), CLEAR_BIT(cut, 3), CLEAR_BIT(cut, 4)}
#define CLEAR_BITS8(cut) CLEAR_BITS(cut), CLEAR_BITS(cut + 1), CLEAR_BITS(cut + 2), CLEAR_BITS(cut + 3), CLEAR_BITS(cut + 4), \
	CLEAR_BITS(cut + 5), CLEAR_BITS(cut + 6), CLEAR_BITS(cut + 7)

/* Of two bits and whether the cut's is clear: what most of them are. */
static ALWAYS_INLINE V most_of(V bit, V above, uint64_t clear)
{
	return _mm512_ternarylogic_epi64(bit, above, v_fill(clear), 0xe8);
}

/* From the lowest bit on: a code is above where its bit is set and the cut's clear, or one of both and it is above by lower bits. Planes
 * stay in registers, which compilers see only where each has a name. */
static ALWAYS_INLINE void compare_slices(const uint64_t *bits, size_t n_planes, const uint8_t *cuts, size_t n, uint64_t *planes)
{
	static const uint64_t clear_bits[][SLICE_MOST_PLANES] = {CLEAR_BITS8(0), CLEAR_BITS8(8), CLEAR_BITS8(16), CLEAR_BITS8(24)};
	const V a = v_load(bits), b = v_load(bits + SLICE_WORDS), c = v_load(bits + 2 * SLICE_WORDS), d = v_load(bits + 3 * SLICE_WORDS);
	const V e = n_planes > 4 ? v_load(bits + 4 * SLICE_WORDS) : d;
	for (size_t i = 0; i < n; i++, planes += PLANE_WORDS) {
		const uint64_t *clear = clear_bits[cuts[i]];
		__builtin_prefetch(planes + 4 * PLANE_WORDS, 1, 3);
		V above = most_of(d, most_of(c, most_of(b, v_and(a, v_fill(clear[0])), clear[1]), clear[2]), clear[3]);
		v_store(planes, n_planes > 4 ? most_of(e, above, clear[4]) : above);
	}
}

static void sliced_predicates_avx512(const uint64_t *bits, size_t n_planes, const uint8_t *cuts, size_t n, uint64_t *planes)
{
	if (n_planes == 4)
		compare_slices(bits, 4, cuts, n, planes);
	else
		compare_slices(bits, 5, cuts, n, planes);
}
