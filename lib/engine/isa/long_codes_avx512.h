/*
 * Long leaf codes become leaf numbers by look-ups of bytes, 64 rows at a time; see long_codes. Included after
 * avx512_blocks.h by AVX-512's kernels of either width.
 */
#define HAVE_NUMBER_LEAVES

/* Entries of a table of 256 bytes; `above`: where the index is 128 or more. */
static ALWAYS_INLINE __m512i look_up_page(const __m512i t[4], __m512i index, uint64_t above)
{
	return _mm512_mask_blend_epi8(above, _mm512_permutex2var_epi8(t[0], index, t[1]),
		_mm512_permutex2var_epi8(t[2], index, t[3]));
}

/* 2^planes - 1, by the low four bits of an exit. */
static ALWAYS_INLINE __m512i low_mask(__m512i exit)
{
	const __m512i masks = _mm512_set4_epi32(0, 0xff, 0x7f3f1f0f, 0x07030100);
	return _mm512_shuffle_epi8(masks, _mm512_and_si512(exit, _mm512_set1_epi8(15)));
}

/* All tables stay in registers. */
static ALWAYS_INLINE void number_codes(const long_codes *codes, const uint8_t *low, size_t n_pages, size_t words, uint8_t *bytes)
{
	__m512i first[4], exits[4], numbers[4][4];
	for (size_t k = 0; k < 4; k++) {
		first[k] = load_table(codes->first + 64 * k);
		exits[k] = load_table(codes->exits + 64 * k);
		for (size_t page = 0; page < n_pages; page++)
			numbers[page][k] = load_table(codes->numbers + 256 * page + 64 * k);
	}
	for (size_t w = 0; w < words; w++) {
		__m512i high = load_word(bytes, w);
		uint64_t above = _mm512_movepi8_mask(high);
		__m512i exit = look_up_page(exits, high, above);
		/* first | (low & mask) */
		__m512i code = _mm512_ternarylogic_epi64(look_up_page(first, high, above), load_word(low, w), low_mask(exit), 0xf8);
		above = _mm512_movepi8_mask(code);
		__m512i number = look_up_page(numbers[0], code, above);
		if (n_pages > 1) {
			uint64_t odd = _mm512_movepi8_mask(_mm512_add_epi8(exit, exit));
			number = _mm512_mask_blend_epi8(odd, number, look_up_page(numbers[1], code, above));
			if (n_pages > 2) {
				__m512i second = _mm512_mask_blend_epi8(odd, look_up_page(numbers[2], code, above),
					look_up_page(numbers[3], code, above));
				number = _mm512_mask_blend_epi8(_mm512_movepi8_mask(exit), number, second);
			}
		}
		_mm512_store_si512((void *)(bytes + 64 * w), number);
	}
}

static void ISA_NAME(number_leaves)(const long_codes *codes, const uint8_t *low, size_t words, uint8_t *high)
{
	if (codes->n_codes == 256)
		number_codes(codes, low, 1, words, high);
	else if (codes->n_codes == 512)
		number_codes(codes, low, 2, words, high);
	else
		number_codes(codes, low, 4, words, high);
}
