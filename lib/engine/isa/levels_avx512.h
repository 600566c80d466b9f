/*
 * Oblivious trees by AVX-512: the codes of 64 rows are compared with a level's cut by one instruction, whose answers become a
 * bit of 64 leaf codes; leaf values are looked up and added at once, so that codes never leave their register. The last up to 32
 * rows, or up to 8, take fewer and narrower instructions. Included after avx512_blocks.h.
 *
 * 64 sums stand in the order of add_leaves_f64; of 32, vector 2 h + g, 128-bit lane L, double p is row 8 L + 4 h + 2 g + p; 8
 * are in order.
 */

#define LEVEL_FEW_ROWS 32
#define LEVEL_FEWEST_ROWS 8

static ALWAYS_INLINE __m512i level_codes(const uint8_t *codes, const level_question *q)
{
	__m512i code = _mm512_setzero_si512();
	for (unsigned k = 0; k < LEVELS; k++) {
		uint64_t above = _mm512_cmpgt_epu8_mask(_mm512_load_si512((const void *)(codes + q[k].first)),
			_mm512_set1_epi32((int)q[k].cuts));
		code = _mm512_mask_add_epi8(code, above, code, _mm512_set1_epi8((char)(1u << k)));
	}
	return code;
}

/* Of 32 rows, in the low bytes of words. */
static ALWAYS_INLINE __m512i level_codes32(const uint8_t *codes, const level_question *q)
{
	__m256i code = _mm256_setzero_si256();
	for (unsigned k = 0; k < LEVELS; k++) {
		uint32_t above = _mm256_cmpgt_epu8_mask(_mm256_load_si256((const void *)(codes + q[k].first)),
			_mm256_set1_epi32((int)q[k].cuts));
		code = _mm256_mask_add_epi8(code, above, code, _mm256_set1_epi8((char)(1u << k)));
	}
	return _mm512_cvtepu8_epi16(code);
}

static ALWAYS_INLINE __m128i level_codes8(const uint8_t *codes, const level_question *q)
{
	__m128i code = _mm_setzero_si128();
	for (unsigned k = 0; k < LEVELS; k++) {
		uint16_t above = _mm_cmpgt_epu8_mask(_mm_loadl_epi64((const void *)(codes + q[k].first)),
			_mm_set1_epi32((int)q[k].cuts));
		code = _mm_mask_add_epi8(code, above, code, _mm_set1_epi8((char)(1u << k)));
	}
	return _mm_cvtepu8_epi16(code);
}

/* Add the doubles that 32 codes pick from a table of 16-bit words. A code is the low byte of a word of `at`; what stands in the
 * high one does not matter. */
static ALWAYS_INLINE void level_add(const uint8_t *values, __m512i at, __m512d s[4])
{
	__m512i w[4];
	for (size_t k = 0; k < 4; k++)
		w[k] = _mm512_permutex2var_epi16(_mm512_loadu_si512((const void *)(values + 128 * k)), at,
			_mm512_loadu_si512((const void *)(values + 128 * k + 64)));
	__m512i low[2] = {_mm512_unpacklo_epi16(w[0], w[1]), _mm512_unpackhi_epi16(w[0], w[1])};
	__m512i high[2] = {_mm512_unpacklo_epi16(w[2], w[3]), _mm512_unpackhi_epi16(w[2], w[3])};
	for (size_t h = 0; h < 2; h++) {
		s[2 * h] = _mm512_add_pd(s[2 * h], _mm512_castsi512_pd(_mm512_unpacklo_epi32(low[h], high[h])));
		s[2 * h + 1] = _mm512_add_pd(s[2 * h + 1], _mm512_castsi512_pd(_mm512_unpackhi_epi32(low[h], high[h])));
	}
}

/* The codes of the next tree are on their way while a tree's leaves are looked up. */
static ALWAYS_INLINE void level_rows(const uint8_t *codes, const level_tree *trees, size_t n, double *sums)
{
	__m512i code = level_codes(codes, trees->questions);
	__m512d s[8];
	for (size_t k = 0; k < 8; k++)
		s[k] = _mm512_load_pd(sums + 8 * k);
	for (size_t t = 0; t < n; t++) {
		__m512i next = level_codes(codes, trees[t + 1 < n ? t + 1 : t].questions);
		add_leaves_f64(trees[t].values, code, LEVELS, s);
		code = next;
	}
	for (size_t k = 0; k < 8; k++)
		_mm512_store_pd(sums + 8 * k, s[k]);
}

/* Up to 32 rows. */
static ALWAYS_INLINE void level_rows32(const uint8_t *codes, const level_tree *trees, size_t n, double *sums)
{
	__m512d s[4];
	for (size_t k = 0; k < 4; k++)
		s[k] = _mm512_load_pd(sums + 8 * k);
	for (size_t t = 0; t < n; t++)
		level_add(trees[t].values, level_codes32(codes, trees[t].questions), s);
	for (size_t k = 0; k < 4; k++)
		_mm512_store_pd(sums + 8 * k, s[k]);
}

/* Up to 8 rows: one 128-bit lane of everything but the look-ups. */
static void level_rows8(const uint8_t *codes, const level_tree *trees, size_t n, double *sums)
{
	__m128d s[4];
	for (size_t k = 0; k < 4; k++)
		s[k] = _mm_load_pd(sums + 2 * k);
	for (size_t t = 0; t < n; t++) {
		const uint8_t *values = trees[t].values;
		__m512i at = _mm512_castsi128_si512(level_codes8(codes, trees[t].questions));
		__m128i w[4];
		for (size_t k = 0; k < 4; k++)
			w[k] = _mm512_castsi512_si128(_mm512_permutex2var_epi16(_mm512_loadu_si512((const void *)(values + 128 * k)),
				at, _mm512_loadu_si512((const void *)(values + 128 * k + 64))));
		__m128i low[2] = {_mm_unpacklo_epi16(w[0], w[1]), _mm_unpackhi_epi16(w[0], w[1])};
		__m128i high[2] = {_mm_unpacklo_epi16(w[2], w[3]), _mm_unpackhi_epi16(w[2], w[3])};
		for (size_t h = 0; h < 2; h++) {
			s[2 * h] = _mm_add_pd(s[2 * h], _mm_castsi128_pd(_mm_unpacklo_epi32(low[h], high[h])));
			s[2 * h + 1] = _mm_add_pd(s[2 * h + 1], _mm_castsi128_pd(_mm_unpackhi_epi32(low[h], high[h])));
		}
	}
	for (size_t k = 0; k < 4; k++)
		_mm_store_pd(sums + 2 * k, s[k]);
}

static void level_sum_f64_avx512(const uint8_t *codes, const level_tree *trees, size_t n, size_t n_rows, double *sums)
{
	size_t r = 0;
	for (; r + LEVEL_FEW_ROWS < n_rows; r += 64)
		level_rows(codes + r, trees, n, sums + r);
	if (r < n_rows && n_rows - r <= LEVEL_FEWEST_ROWS)
		level_rows8(codes + r, trees, n, sums + r);
	else if (r < n_rows)
		level_rows32(codes + r, trees, n, sums + r);
}

static void level_order_f64_avx512(double *sums, size_t n_rows)
{
	double rows[64];
	size_t r = 0;
	for (; r + LEVEL_FEW_ROWS < n_rows; r += 64) {
		for (size_t i = 0; i < 64; i++)
			rows[position_f64(i)] = sums[r + i];
		memcpy(sums + r, rows, 64 * sizeof *rows);
	}
	if (r >= n_rows || n_rows - r <= LEVEL_FEWEST_ROWS)
		return;
	for (size_t i = 0; i < LEVEL_FEW_ROWS; i++)
		rows[8 * (i / 2 % 4) + 2 * (i / 8) + i % 2] = sums[r + i];
	memcpy(sums + r, rows, LEVEL_FEW_ROWS * sizeof *rows);
}

/* Whole blocks: a call for all trees whose codes fit the first-level cache. The next tree is looked up before a tree's
 * words are joined, so that the pipes for both have something to do. */
static void level_planes_sum_f64_avx512(const uint64_t *arena, const level_planes *trees, size_t n,
	uint8_t (*codes)[BLOCK_ROWS], double *sums)
{
	for (size_t t = 0; t < n; t++)
		gather_planes_avx512(arena, trees[t].slots, LEVELS, PLANE_WORDS, codes[t]);
	for (size_t o = 0; o < PLANE_WORDS; o++, sums += 64) {
		__m512d s[8];
		__m512i words[2][8];
		for (size_t k = 0; k < 8; k++)
			s[k] = _mm512_load_pd(sums + 8 * k);
		look_up_f64(trees[0].values, _mm512_load_si512((const void *)(codes[0] + 64 * o)), LEVELS, words[0]);
		for (size_t t = 0; t < n; t++) {
			size_t next = t + 1 < n ? t + 1 : t;
			look_up_f64(trees[next].values, _mm512_load_si512((const void *)(codes[next] + 64 * o)), LEVELS, words[1]);
			add_f64(words[0], s);
			memcpy(words[0], words[1], sizeof words[0]);
		}
		for (size_t k = 0; k < 8; k++)
			_mm512_store_pd(sums + 8 * k, s[k]);
	}
}
