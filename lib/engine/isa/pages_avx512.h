/* What pages_template.h needs, for AVX-512 with VBMI: a row's codes are a table of up to 128 bytes or 64 words. */
#define PAGE_COLUMNS_U8 128
#define PAGE_OPEN_BITS 1

typedef struct page_questions {
	__m512i columns; /* 16 lanes of codes' width */
	__m256i cuts, masks;
} page_questions;

static ALWAYS_INLINE page_questions page_load(const uint8_t *page, page_kind kind)
{
	__m128i columns = _mm_load_si128((const void *)(page + PAGE_COLUMNS_AT(kind)));
	page_questions q;
	q.masks = _mm256_load_si256((const void *)(page + PAGE_MASKS_AT));
	if (PAGE_IS_WIDE(kind)) {
		q.columns = _mm512_castsi256_si512(_mm256_cvtepu8_epi16(columns));
		q.cuts = _mm256_load_si256((const void *)(page + PAGE_CUTS_AT(PAGE_U16_32)));
	} else {
		q.columns = _mm512_castsi128_si512(columns);
		q.cuts = _mm256_castsi128_si256(_mm_load_si128((const void *)(page + PAGE_CUTS_AT(PAGE_U8_32))));
	}
	return q;
}

/* The codes that a page's 16 columns have in a row. */
static ALWAYS_INLINE __m512i page_codes(__m512i columns, const uint8_t *codes, page_kind kind)
{
	if (kind == PAGE_U8_32)
		return _mm512_castsi256_si512(_mm256_permutexvar_epi8(_mm512_castsi512_si256(columns), _mm256_load_si256((const void *)codes)));
	__m512i low = _mm512_load_si512((const void *)codes);
	if (kind == PAGE_U8_64)
		return _mm512_permutexvar_epi8(columns, low);
	if (kind == PAGE_U16_32)
		return _mm512_permutexvar_epi16(columns, low);
	__m512i high = _mm512_load_si512((const void *)(codes + 64));
	return kind == PAGE_U8_128 ? _mm512_permutex2var_epi8(low, columns, high) : _mm512_permutex2var_epi16(low, columns, high);
}

static ALWAYS_INLINE uint32_t page_open(const page_questions *q, const uint8_t *codes, page_kind kind)
{
	__m512i x = page_codes(q->columns, codes, kind);
	__mmask16 right;
	if (PAGE_IS_WIDE(kind)) {
		__m256i one_more = _mm256_srli_epi16(_mm512_castsi512_si256(q->columns), 6); /* PAGE_MISSING_LEFT */
		right = _mm256_cmpgt_epu16_mask(_mm256_add_epi16(_mm512_castsi512_si256(x), one_more), q->cuts);
	} else {
		right = _mm_cmpgt_epu8_mask(_mm512_castsi512_si128(x), _mm256_castsi256_si128(q->cuts));
	}
	__m256i word = _mm256_broadcastmw_epi32(right); /* no way through a register of another kind */
	return _mm256_testn_epi16_mask(_mm256_or_si256(word, _mm256_slli_epi32(word, 16)), q->masks);
}
