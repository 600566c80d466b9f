/*
 * Vocabulary of the row regime: rows_template.h says what each word does. A place is a block's number or, with the highest bit
 * set, a leaf of its tree in bits 16 to 30. Included after avx512.h.
 */
typedef __m512i row_lanes;

static ALWAYS_INLINE __m512i row_pick(const uint8_t *codes, __m512i columns, bool wide)
{
	__m512i low = _mm512_load_si512((const void *)codes);
	if (wide)
		return _mm512_permutex2var_epi8(low, columns, _mm512_load_si512((const void *)(codes + 64)));
	return _mm512_permutexvar_epi8(columns, low);
}

static ALWAYS_INLINE uint64_t row_above(const uint8_t *codes, const row_heap *h, bool wide)
{
	__m512i code = row_pick(codes, _mm512_load_si512((const void *)h->columns), wide);
	return _mm512_cmpgt_epu8_mask(code, _mm512_load_si512((const void *)h->cuts));
}

/* The answers of a tree are a byte, the number of its leaf. */
static ALWAYS_INLINE void row_level8(const uint8_t *codes, const row_heap *h, bool wide, const uint32_t *values_of, uint32_t *at)
{
	__m256i leaf = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)row_above(codes, h, wide)));
	__m256i first = _mm256_loadu_si256((const __m256i *)(const void *)values_of);
	_mm256_storeu_si256((__m256i *)(void *)at, _mm256_add_epi32(leaf, first));
}

/* Byte i, bit t: the answer to split i of heap t. They become lanes by two transpositions, of the bits of eight bytes and of
 * the bytes of the vector. */
static ALWAYS_INLINE row_lanes row_answers8(const uint8_t *codes, const row_heap *h, bool wide)
{
	const __m512i order = _mm512_set_epi8(63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5,
		60, 52, 44, 36, 28, 20, 12, 4, 59, 51, 43, 35, 27, 19, 11, 3, 58, 50, 42, 34, 26, 18, 10, 2, 57, 49, 41, 33, 25, 17, 9, 1, 56,
		48, 40, 32, 24, 16, 8, 0);
	const __m512i reverse = _mm512_set_epi64(0x08090a0b0c0d0e0f, 0x0001020304050607, 0x08090a0b0c0d0e0f, 0x0001020304050607,
		0x08090a0b0c0d0e0f, 0x0001020304050607, 0x08090a0b0c0d0e0f, 0x0001020304050607);
	__m512i all = _mm512_setzero_si512();
	for (unsigned t = 0; t < 8; t++)
		all = _mm512_mask_add_epi8(all, row_above(codes, h + t, wide), all, _mm512_set1_epi8((char)(1u << t)));
	return _mm512_permutexvar_epi8(order, transpose_bits512(_mm512_shuffle_epi8(all, reverse)));
}

static ALWAYS_INLINE row_lanes row_load8(const uint64_t *bits)
{
	return _mm512_load_si512((const void *)bits);
}

/* at = 2 at + (bit 63 - at of the answers), from the root at 1 on. */
static ALWAYS_INLINE __m512i row_levels(__m512i answers, unsigned depth)
{
	__m512i at = _mm512_set1_epi64(1);
	for (unsigned level = 0; level < depth; level++)
		at = _mm512_shldi_epi64(at, _mm512_sllv_epi64(answers, at), 1);
	return at;
}

static ALWAYS_INLINE void row_descend8(row_lanes answers, uint32_t tree, uint32_t *exits)
{
	const __m512i first = _mm512_set_epi64(6 * 64, 5 * 64, 4 * 64, 3 * 64, 2 * 64, 64, 0, -64);
	__m256i at = _mm512_cvtepi64_epi32(_mm512_add_epi64(row_levels(answers, ROW_HEAP_DEPTH), first));
	_mm256_storeu_si256((__m256i *)(void *)exits, _mm256_add_epi32(at, _mm256_set1_epi32((int)(tree << ROW_HEAP_DEPTH))));
}

/* Exits as they stand in a heap or block, and where their blocks are counted from. */
static ALWAYS_INLINE __m256i row_place(__m256i exits, __m256i from)
{
	__mmask8 leaf = _mm256_test_epi32_mask(exits, _mm256_set1_epi32((int)ROW_LEAF));
	return _mm256_mask_slli_epi32(_mm256_add_epi32(exits, from), leaf, exits, 16);
}

static ALWAYS_INLINE void row_enter16(const row_exit *exits, const uint32_t *from, uint32_t *places)
{
	for (size_t i = 0; i < 16; i += 8) {
		__m256i at = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(exits + i)));
		__m256i first = _mm256_loadu_si256((const __m256i *)(const void *)(from + i));
		_mm256_storeu_si256((__m256i *)(void *)(places + i), row_place(at, first));
	}
}

static ALWAYS_INLINE __mmask16 row_is_open(__m512i places)
{
	return (__mmask16)~_mm512_movepi32_mask(places);
}

static ALWAYS_INLINE uint32_t row_open16(const uint32_t *places, uint32_t *list)
{
	__m512i all = _mm512_loadu_si512((const void *)places);
	__mmask16 open = row_is_open(all);
	_mm512_storeu_si512((void *)list, _mm512_maskz_compress_epi32(open, all));
	return (uint32_t)__builtin_popcount(open);
}

static ALWAYS_INLINE uint32_t row_close16(uint32_t *places, const uint32_t *list)
{
	__m512i all = _mm512_loadu_si512((const void *)places);
	__mmask16 open = row_is_open(all);
	_mm512_storeu_si512((void *)places, _mm512_mask_expand_epi32(all, open, _mm512_loadu_si512((const void *)list)));
	return (uint32_t)__builtin_popcount(open);
}

/* Four pieces of 16 bytes. */
static ALWAYS_INLINE __m512i row_join(const void *a, const void *b, const void *c, const void *d)
{
	__m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(a)), _mm_loadu_si128(b), 1);
	__m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(c)), _mm_loadu_si128(d), 1);
	return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* Lane i is place i: its block's columns, cuts and answers, of which split k comes to bit 63 - k. */
static ALWAYS_INLINE void row_go8(const row_block *blocks, const uint8_t *codes, bool wide, uint32_t *list)
{
	const row_block *b[8];
	for (size_t i = 0; i < 8; i++)
		b[i] = blocks + list[i];
	__m512i even = row_join(b[0], b[2], b[4], b[6]), odd = row_join(b[1], b[3], b[5], b[7]);
	__m512i code = row_pick(codes, _mm512_unpacklo_epi64(even, odd), wide);
	uint64_t right = _mm512_cmpgt_epu8_mask(code, _mm512_unpackhi_epi64(even, odd));
	__m512i answers = _mm512_sllv_epi64(_mm512_set1_epi64((long long)right), _mm512_set_epi64(0, 8, 16, 24, 32, 40, 48, 56));
	__m512i at = row_levels(answers, ROW_BLOCK_DEPTH);
	/* Bytes 2 k and 2 k + 1 of the exits, and zeros: a byte shuffle takes the low four bits of k + 8 twice. */
	__m512i twice = _mm512_add_epi64(at, at);
	const __m512i second_and_none = _mm512_set1_epi64((long long)0x8080808080800100);
	__m512i pick = _mm512_ternarylogic_epi64(twice, _mm512_slli_epi64(twice, 8), second_and_none, 0xfe);
	even = _mm512_shuffle_epi8(row_join(b[0]->exits, b[2]->exits, b[4]->exits, b[6]->exits), pick);
	odd = _mm512_shuffle_epi8(row_join(b[1]->exits, b[3]->exits, b[5]->exits, b[7]->exits), pick);
	__m256i from = _mm256_loadu_si256((const __m256i *)(const void *)list);
	__m256i exits = _mm512_cvtepi64_epi32(_mm512_mask_blend_epi64(0xaa, even, odd));
	_mm256_storeu_si256((__m256i *)(void *)list, row_place(exits, from));
}

static ALWAYS_INLINE void row_arrive16(const uint32_t *values_of, uint32_t *places)
{
	__m512i leaf = _mm512_and_si512(_mm512_srli_epi32(_mm512_loadu_si512((const void *)places), 16), _mm512_set1_epi32(0x7fff));
	_mm512_storeu_si512((void *)places, _mm512_add_epi32(leaf, _mm512_loadu_si512((const void *)values_of)));
}

static ALWAYS_INLINE row_lanes row_all_leaves(void)
{
	return _mm512_set1_epi8(-1);
}

static ALWAYS_INLINE row_lanes row_keep(row_lanes left, const row_step *s, const uint8_t *codes, bool wide)
{
	__m512i code = row_pick(codes, _mm512_load_si512((const void *)s->columns), wide);
	uint64_t right = _mm512_cmpgt_epu8_mask(code, _mm512_load_si512((const void *)s->cuts));
	for (size_t k = 0; k < 4; k++)
		left = _mm512_mask_and_epi32(left, (__mmask16)(right >> (16 * k)), left, _mm512_load_si512((const void *)s->masks[k]));
	return left;
}

static ALWAYS_INLINE void row_first_leaf(row_lanes left, const uint32_t *values_of, uint32_t *at)
{
	__m512i first = _mm512_loadu_si512((const void *)values_of);
	_mm512_storeu_si512((void *)at, _mm512_add_epi32(_mm512_lzcnt_epi32(left), first));
}
