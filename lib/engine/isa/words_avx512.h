/*
 * Floats to byte codes by 16-bit words: 64 values at a time, all tables in registers.
 *
 * A word map (kernels.h) makes words of values without changing their order. The high byte is a bucket, which says where the
 * search begins; words of cuts are compared with it byte by byte. Words that differ decide for their values. A value that has
 * the word of a cut, the only one that has it, is compared with the cut itself afterwards; where many values do, as numbers
 * that are cuts themselves, bin_avx512.h is the shorter way. Included after it.
 */

#define MANY_TIES 16 /* of 64 */

typedef struct word_tables {
	__m512 origin, scale, last;
	__m512i start[4], low[4], high[4];
} word_tables;

static ALWAYS_INLINE void load_words(const word_map *map, unsigned size, word_tables *t)
{
	t->origin = _mm512_set1_ps(map->origin);
	t->scale = _mm512_set1_ps(map->scale);
	t->last = _mm512_set1_ps(BIN_LAST_WORD);
	load_bytes(map->start, 1, 256, t->start);
	load_bytes(map->low, 1, size, t->low);
	load_bytes(map->high, 1, size, t->high);
}

static ALWAYS_INLINE __m512i word16(const word_tables *t, __m512 x)
{
	return _mm512_cvttps_epi32(_mm512_min_ps(t->last, _mm512_mul_ps(_mm512_sub_ps(x, t->origin), t->scale)));
}

/* Low and high bytes of the words of 64 values, in their order. */
static ALWAYS_INLINE void word_bytes(const word_tables *t, const __m512 x[4], __m512i *low, __m512i *high)
{
	/* Where packs leave low bytes: those of values 16 k + 4 l … + 3 in half k % 2 of lane l of register k / 2. */
	const __m512i place = _mm512_setr_epi32(0x06040200, 0x16141210, 0x26242220, 0x36343230, 0x0e0c0a08, 0x1e1c1a18, 0x2e2c2a28,
		0x3e3c3a38, 0x46444240, 0x56545250, 0x66646260, 0x76747270, 0x4e4c4a48, 0x5e5c5a58, 0x6e6c6a68, 0x7e7c7a78);
	__m512i a = _mm512_packus_epi32(word16(t, x[0]), word16(t, x[1]));
	__m512i b = _mm512_packus_epi32(word16(t, x[2]), word16(t, x[3]));
	*low = _mm512_permutex2var_epi8(a, place, b);
	*high = _mm512_permutex2var_epi8(a, _mm512_or_si512(place, _mm512_set1_epi8(1)), b);
}

/* Codes of 64 values as their words have it; *ties are those whose word is that of a cut, which counts as reached. */
static ALWAYS_INLINE __m512i rank64_words(const word_tables *t, unsigned size, uint32_t steps, const __m512 x[4], uint64_t *ties)
{
	__m512i low, high;
	word_bytes(t, x, &low, &high);
	__m512i code = pick_byte(t->start, high, 256);
	*ties = 0;
	for (uint32_t s = steps; s-- > 0;) {
		__m512i at = s ? _mm512_add_epi8(code, _mm512_set1_epi8((char)((1 << s) - 1))) : code;
		__m512i cut_low = pick_byte(t->low, at, size), cut_high = pick_byte(t->high, at, size);
		uint64_t same = _mm512_cmpeq_epu8_mask(high, cut_high);
		uint64_t reached = _mm512_mask_cmpge_epu8_mask(same, low, cut_low);
		*ties |= _mm512_mask_cmpeq_epu8_mask(same, low, cut_low);
		if (steps > 1) /* else no cut of a lower bucket is looked at */
			reached |= _mm512_cmpgt_epu8_mask(high, cut_high);
		code = _mm512_mask_add_epi8(code, reached, code, _mm512_set1_epi8((char)(1 << s)));
	}
	return code;
}

/* The first of some ties; of none, it does nothing, without a branch that nobody could foresee. */
static ALWAYS_INLINE void part_tie(const bin_table *t, const float *x, uint64_t ties, uint8_t *codes)
{
	unsigned i = (unsigned)__builtin_ctzll(ties | (uint64_t)1 << 63), code = codes[i];
	bool below = !(x[i] >= t->narrow[code ? code - 1 : 0]);
	codes[i] = (uint8_t)(code - (below & (ties != 0)));
}

/* Of n values, in groups of 64. They wait until all are known: to read a code that was just written among 63 others takes long. */
static inline void part_ties(const bin_table *t, const float *x, size_t n, const uint64_t *ties, uint8_t *codes)
{
	for (size_t i = 0; i < n; i += 64) {
		uint64_t left = ties[i / 64];
		part_tie(t, x + i, left, codes + i);
		while ((left &= left - 1) != 0)
			part_tie(t, x + i, left, codes + i);
	}
}

/* Values [0, n), whole groups of 64, at most BLOCK_ROWS, or as many until ties are many; returns how many have their codes. */
static ALWAYS_INLINE size_t bin_words_steps(const bin_table *t, const float *x, size_t n, unsigned size, uint32_t steps,
	uint8_t *codes, bool *nan)
{
	word_tables tables;
	__m512 sum = _mm512_setzero_ps();
	uint64_t ties[BLOCK_ROWS / 64], any = 0;
	size_t i = 0;
	load_words(t->words, size, &tables);
	for (; i < n; i += 64) {
		__m512 v[4];
		for (size_t k = 0; k < 4; k++)
			v[k] = _mm512_loadu_ps(x + i + 16 * k);
		sum = _mm512_add_ps(sum, sum_of_four(v));
		_mm512_storeu_si512((void *)(codes + i), rank64_words(&tables, size, steps, v, ties + i / 64));
		if (__builtin_popcountll(ties[i / 64]) > MANY_TIES)
			break;
		any |= ties[i / 64];
	}
	if (any)
		part_ties(t, x, i, ties, codes);
	*nan |= _mm512_cmp_ps_mask(sum, sum, _CMP_UNORD_Q) != 0;
	return i;
}

static ALWAYS_INLINE size_t bin_words_size(const bin_table *t, const float *x, size_t n, unsigned size, uint8_t *codes, bool *nan)
{
	if (t->words->steps == 1)
		return bin_words_steps(t, x, n, size, 1, codes, nan);
	if (t->words->steps == 2)
		return bin_words_steps(t, x, n, size, 2, codes, nan);
	return bin_words_steps(t, x, n, size, t->words->steps, codes, nan);
}

static bool bin_words_avx512(const bin_table *t, const float *x, size_t n, void *codes)
{
	size_t done = 0, part, some = t->words ? BLOCK_ROWS : 0;
	uint8_t *to = codes;
	bool nan = false;
	for (; some == BLOCK_ROWS && n - done >= 64; done += some) {
		part = n - done < BLOCK_ROWS ? (n - done) & ~(size_t)63 : BLOCK_ROWS;
		if (t->n <= 63)
			some = bin_words_size(t, x + done, part, 64, to + done, &nan);
		else if (t->n <= 127)
			some = bin_words_size(t, x + done, part, 128, to + done, &nan);
		else
			some = bin_words_size(t, x + done, part, 256, to + done, &nan);
	}
	if (done < n)
		nan |= bin_f32_avx512(t, x + done, n - done, to + done);
	return nan;
}
