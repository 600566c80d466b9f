/*
 * Long leaf codes become leaf numbers by look-ups of bytes, 64 rows at a time; see long_codes. Included after
 * avx512_blocks.h by AVX-512's kernels of either width.
 */
#define HAVE_NUMBER_LEAVES

/* The exit's codes, or the bits of the code above the low ones: 256 entries. */
static ALWAYS_INLINE __m512i look_up_exit(const __m512i t[4], __m512i high, __mmask64 above)
{
	return _mm512_mask_blend_epi8(above, _mm512_permutex2var_epi8(t[0], high, t[1]),
		_mm512_permutex2var_epi8(t[2], high, t[3]));
}

/* By the low 8 bits of the code, among 256 leaf numbers. */
static ALWAYS_INLINE __m512i look_up_number(const uint8_t *t, __m512i code, __mmask64 above)
{
	__m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512((const void *)t), code,
		_mm512_loadu_si512((const void *)(t + 64)));
	__m512i high = _mm512_permutex2var_epi8(_mm512_loadu_si512((const void *)(t + 128)), code,
		_mm512_loadu_si512((const void *)(t + 192)));
	return _mm512_mask_blend_epi8(above, low, high);
}

static ALWAYS_INLINE void number_codes(const long_codes *codes, const uint8_t *low, size_t n_codes, size_t words, uint8_t *bytes)
{
	/* 2^planes - 1 by the number of planes, whatever the bits above say. */
	const __m512i masks = _mm512_set4_epi32(0, 0xff, 0x7f3f1f0f, 0x07030100);
	__m512i first[4], exits[4];
	for (size_t k = 0; k < 4; k++) {
		first[k] = load_table(codes->first + 64 * k);
		exits[k] = load_table(codes->exits + 64 * k);
	}
	for (size_t w = 0; w < words; w++) {
		__m512i high = load_word(bytes, w);
		__mmask64 above = _mm512_movepi8_mask(high);
		__m512i exit = look_up_exit(exits, high, above);
		__m512i mask = _mm512_shuffle_epi8(masks, _mm512_and_si512(exit, _mm512_set1_epi8(15)));
		__m512i code = _mm512_ternarylogic_epi64(look_up_exit(first, high, above), load_word(low, w), mask, 0xf8);
		__mmask64 above_code = _mm512_movepi8_mask(code);
		__m512i number = look_up_number(codes->numbers, code, above_code);
		if (n_codes > 256)
			number = _mm512_mask_blend_epi8(_mm512_movepi8_mask(_mm512_add_epi8(exit, exit)), number,
				look_up_number(codes->numbers + 256, code, above_code));
		if (n_codes > 512) {
			__m512i second = look_up_number(codes->numbers + 512, code, above_code);
			second = _mm512_mask_blend_epi8(_mm512_movepi8_mask(_mm512_add_epi8(exit, exit)), second,
				look_up_number(codes->numbers + 768, code, above_code));
			number = _mm512_mask_blend_epi8(_mm512_movepi8_mask(exit), number, second);
		}
		_mm512_store_si512((void *)(bytes + 64 * w), number);
	}
}

static void ISA_NAME(number_leaves)(const long_codes *codes, const uint8_t *low, size_t words, uint8_t *high)
{
	if (codes->n_codes == 256)
		number_codes(codes, low, 256, words, high);
	else if (codes->n_codes == 512)
		number_codes(codes, low, 512, words, high);
	else
		number_codes(codes, low, 1024, words, high);
}
