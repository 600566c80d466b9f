/*
 * Oblivious trees by AVX-512: the codes of 64 rows are compared with a level's cut by one instruction, whose answers become a
 * bit of 64 leaf codes; leaf values are looked up and added at once, so that codes never leave their register. The last up to 32
 * rows, or up to 8, take fewer and narrower instructions. Included after avx512_blocks.h.
 *
 * 64 sums stand in the order of add_leaves_f64; of 32, double i of vector k is row 4 i + k; 8 are in order.
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

/* Of 32 rows. */
static ALWAYS_INLINE __m256i level_codes32(const uint8_t *codes, const level_question *q)
{
	__m256i code = _mm256_setzero_si256();
	for (unsigned k = 0; k < LEVELS; k++) {
		uint32_t above = _mm256_cmpgt_epu8_mask(_mm256_load_si256((const void *)(codes + q[k].first)),
			_mm256_set1_epi32((int)q[k].cuts));
		code = _mm256_mask_add_epi8(code, above, code, _mm256_set1_epi8((char)(1u << k)));
	}
	return code;
}

static ALWAYS_INLINE __m128i level_codes8(const uint8_t *codes, const level_question *q)
{
	__m128i code = _mm_setzero_si128();
	for (unsigned k = 0; k < LEVELS; k++) {
		uint16_t above = _mm_cmpgt_epu8_mask(_mm_loadl_epi64((const void *)(codes + q[k].first)),
			_mm_set1_epi32((int)q[k].cuts));
		code = _mm_mask_add_epi8(code, above, code, _mm_set1_epi8((char)(1u << k)));
	}
	return code;
}

static ALWAYS_INLINE __m512i level_numbers(const uint8_t *numbers, __m512i code)
{
	return _mm512_permutexvar_epi8(code, _mm512_loadu_si512((const void *)numbers));
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
		if (trees[t].numbers)
			add_few_f64(trees[t].values, level_numbers(trees[t].numbers, code), s);
		else
			add_leaves_f64(trees[t].values, code, LEVELS, s);
		code = next;
	}
	for (size_t k = 0; k < 8; k++)
		_mm512_store_pd(sums + 8 * k, s[k]);
}

/* Add the doubles that 32 codes pick from a table of 16-bit words. A code is the low byte of a word of `at`; what stands in the
 * high one does not matter. */
static ALWAYS_INLINE void level_add32(const uint8_t *values, __m256i code, __m512d s[4])
{
	/* 128-bit lane L, word 4 h + 2 g + p: row 8 L + 4 p + 2 h + g. */
	const __m512i order = _mm512_set_epi64(0x001f001b001e001a, 0x001d0019001c0018, 0x0017001300160012, 0x0015001100140010,
		0x000f000b000e000a, 0x000d0009000c0008, 0x0007000300060002, 0x0005000100040000);
	__m512i at = _mm512_permutexvar_epi8(order, _mm512_castsi256_si512(code)), w[4];
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

static ALWAYS_INLINE void level_add_few32(const level_tree *tree, __m256i code, __m512d s[4])
{
	const uint8_t *values = tree->values;
	__m512d low = _mm512_loadu_pd((const void *)values), high = _mm512_loadu_pd((const void *)(values + 64));
	__m512i number = level_numbers(tree->numbers, _mm512_castsi256_si512(code));
	__m512i at = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(number));
	s[0] = _mm512_add_pd(s[0], _mm512_permutex2var_pd(low, at, high));
	s[1] = _mm512_add_pd(s[1], _mm512_permutex2var_pd(low, _mm512_srli_epi64(at, 8), high));
	s[2] = _mm512_add_pd(s[2], _mm512_permutex2var_pd(low, _mm512_srli_epi64(at, 16), high));
	s[3] = _mm512_add_pd(s[3], _mm512_permutex2var_pd(low, _mm512_srli_epi64(at, 24), high));
}

/* Up to 32 rows. */
static ALWAYS_INLINE void level_rows32(const uint8_t *codes, const level_tree *trees, size_t n, double *sums)
{
	__m512d s[4];
	for (size_t k = 0; k < 4; k++)
		s[k] = _mm512_load_pd(sums + 8 * k);
	for (size_t t = 0; t < n; t++) {
		__m256i code = level_codes32(codes, trees[t].questions);
		if (trees[t].numbers)
			level_add_few32(trees + t, code, s);
		else
			level_add32(trees[t].values, code, s);
	}
	for (size_t k = 0; k < 4; k++)
		_mm512_store_pd(sums + 8 * k, s[k]);
}

/* 8 doubles from a table of 16-bit words: one 128-bit lane of everything but the look-ups. */
static ALWAYS_INLINE __m512d level_values8(const uint8_t *values, __m128i code)
{
	__m512i at = _mm512_castsi128_si512(_mm_cvtepu8_epi16(code));
	__m128i w[4];
	for (size_t k = 0; k < 4; k++)
		w[k] = _mm512_castsi512_si128(_mm512_permutex2var_epi16(_mm512_loadu_si512((const void *)(values + 128 * k)), at,
			_mm512_loadu_si512((const void *)(values + 128 * k + 64))));
	__m128i low[2] = {_mm_unpacklo_epi16(w[0], w[1]), _mm_unpackhi_epi16(w[0], w[1])};
	__m128i high[2] = {_mm_unpacklo_epi16(w[2], w[3]), _mm_unpackhi_epi16(w[2], w[3])};
	__m256i x[2];
	for (size_t h = 0; h < 2; h++)
		x[h] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi32(low[h], high[h])),
			_mm_unpackhi_epi32(low[h], high[h]), 1);
	return _mm512_castsi512_pd(_mm512_inserti64x4(_mm512_castsi256_si512(x[0]), x[1], 1));
}

static ALWAYS_INLINE __m512d level_few_values8(const level_tree *tree, __m128i code)
{
	const uint8_t *values = tree->values;
	__m512i number = level_numbers(tree->numbers, _mm512_castsi128_si512(code));
	return _mm512_permutex2var_pd(_mm512_loadu_pd((const void *)values),
		_mm512_cvtepu8_epi64(_mm512_castsi512_si128(number)), _mm512_loadu_pd((const void *)(values + 64)));
}

/* Up to 8 rows. */
static void level_rows8(const uint8_t *codes, const level_tree *trees, size_t n, double *sums)
{
	__m512d s = _mm512_load_pd(sums);
	for (size_t t = 0; t < n; t++) {
		__m128i code = level_codes8(codes, trees[t].questions);
		s = _mm512_add_pd(s, trees[t].numbers ? level_few_values8(trees + t, code) : level_values8(trees[t].values, code));
	}
	_mm512_store_pd(sums, s);
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
		rows[4 * (i % 8) + i / 8] = sums[r + i];
	memcpy(sums + r, rows, LEVEL_FEW_ROWS * sizeof *rows);
}

/* The leaf codes of a block, or the numbers of their values. */
static ALWAYS_INLINE void level_block_codes(const uint64_t *arena, const level_planes *tree, uint8_t codes[BLOCK_ROWS])
{
	V planes[8];
	__m512i bytes[8];
	for (size_t k = 0; k < 8; k++)
		planes[k] = k < LEVELS ? v_load(arena + (size_t)tree->slots[k] * PLANE_WORDS) : _mm512_setzero_si512();
	bytes_of_planes(planes, bytes);
	if (tree->numbers) {
		__m512i numbers = _mm512_loadu_si512((const void *)tree->numbers);
		for (size_t k = 0; k < 8; k++)
			bytes[k] = _mm512_permutexvar_epi8(bytes[k], numbers);
	}
	for (size_t k = 0; k < 8; k++)
		_mm512_store_si512((void *)(codes + 64 * k), bytes[k]);
}

/* Whole blocks: a call for all trees whose codes fit the first-level cache. */
static void level_planes_sum_f64_avx512(const uint64_t *arena, const level_planes *trees, size_t n,
	uint8_t (*codes)[BLOCK_ROWS], double *sums)
{
	for (size_t t = 0; t < n; t++)
		level_block_codes(arena, trees + t, codes[t]);
	for (size_t o = 0; o < PLANE_WORDS; o++, sums += 64) {
		__m512d s[8];
		for (size_t k = 0; k < 8; k++)
			s[k] = _mm512_load_pd(sums + 8 * k);
		for (size_t t = 0; t < n; t++) {
			__m512i code = _mm512_load_si512((const void *)(codes[t] + 64 * o));
			if (trees[t].numbers)
				add_few_f64(trees[t].values, code, s);
			else
				add_leaves_f64(trees[t].values, code, LEVELS, s);
		}
		for (size_t k = 0; k < 8; k++)
			_mm512_store_pd(sums + 8 * k, s[k]);
	}
}
