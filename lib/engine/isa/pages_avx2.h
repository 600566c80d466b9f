/*
 * What pages_template.h needs, for AVX2: a row's codes are up to 64 bytes, looked up 16 at a time; codes of two bytes are a table
 * of their low bytes and one of their high bytes.
 */
#define PAGE_COLUMNS_U8 64
#define PAGE_OPEN_BITS 2

typedef struct page_questions {
	__m128i columns;
	__m256i cuts, masks;
} page_questions;

static ALWAYS_INLINE page_questions page_load(const uint8_t *page, page_kind kind)
{
	page_questions q;
	q.columns = _mm_load_si128((const void *)(page + PAGE_COLUMNS_AT(kind)));
	q.masks = _mm256_load_si256((const void *)(page + PAGE_MASKS_AT));
	q.cuts = PAGE_IS_WIDE(kind) ? _mm256_load_si256((const void *)(page + PAGE_CUTS_AT(PAGE_U16_32)))
		: _mm256_castsi128_si256(_mm_load_si128((const void *)(page + PAGE_CUTS_AT(PAGE_U8_32))));
	return q;
}

/* Shuffles look at the low four bits of a column's number; bits 4 and 5 choose among tables. */
static ALWAYS_INLINE __m128i page_bytes(const uint8_t *table, __m128i columns, bool two_tables)
{
	__m128i bit4 = _mm_slli_epi16(columns, 3);
	__m128i low = _mm_blendv_epi8(_mm_shuffle_epi8(_mm_load_si128((const void *)table), columns),
		_mm_shuffle_epi8(_mm_load_si128((const void *)(table + 16)), columns), bit4);
	if (two_tables)
		return low;
	__m128i high = _mm_blendv_epi8(_mm_shuffle_epi8(_mm_load_si128((const void *)(table + 32)), columns),
		_mm_shuffle_epi8(_mm_load_si128((const void *)(table + 48)), columns), bit4);
	return _mm_blendv_epi8(low, high, _mm_slli_epi16(columns, 2));
}

/* Bits of the splits that answer left. */
static ALWAYS_INLINE uint32_t page_left(const page_questions *q, const uint8_t *codes, page_kind kind)
{
	bool two_tables = kind == PAGE_U8_32 || kind == PAGE_U16_32;
	__m128i low = page_bytes(codes, q->columns, two_tables), cuts = _mm256_castsi256_si128(q->cuts);
	if (!PAGE_IS_WIDE(kind))
		return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(low, cuts), cuts));
	__m128i high = page_bytes(codes + (two_tables ? 32 : 64), q->columns, two_tables), more = _mm256_extracti128_si256(q->cuts, 1);
	/* PAGE_MISSING_LEFT */
	__m128i one_more = _mm_and_si128(_mm_srli_epi16(q->columns, 6), _mm_set1_epi8(1)), zero = _mm_setzero_si128();
	__m128i first = _mm_add_epi16(_mm_unpacklo_epi8(low, high), _mm_unpacklo_epi8(one_more, zero));
	__m128i last = _mm_add_epi16(_mm_unpackhi_epi8(low, high), _mm_unpackhi_epi8(one_more, zero));
	first = _mm_cmpeq_epi16(_mm_max_epu16(first, cuts), cuts);
	last = _mm_cmpeq_epi16(_mm_max_epu16(last, more), more);
	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(first, last));
}

static ALWAYS_INLINE uint32_t page_open(const page_questions *q, const uint8_t *codes, page_kind kind)
{
	__m256i left = _mm256_broadcastw_epi16(_mm_cvtsi32_si128((int)page_left(q, codes, kind)));
	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi16(_mm256_andnot_si256(left, q->masks), _mm256_setzero_si256()));
}
