/*
 * How rows go through trees of pages, over the vocabulary of an instruction set: included by kernels_<isa>.c after
 * isa/pages_<isa>.h.
 *
 *   page_questions       what a page asks, in registers
 *   page_load(page, k)   load it; k is the page_kind, a constant wherever it counts
 *   page_open(q, c, k)   exits that the answers for the codes at c leave open, PAGE_OPEN_BITS bits each
 *
 * A page holds up to 15 connected splits, or several such parts of a tree, with 16 exits from left to right. All its splits are
 * answered at once. A split that answers right closes the exits on its left side: mask[j] lists the splits that exit j is on the
 * left of. The first open exit from the row's entry on is the row's, as in rows_template.h.
 *
 * Walks wait for memory and for a chain of some 45 cycles per page, so many are kept under way: a pass takes each walk of a list
 * one page further, and those that have arrived drop out of the list. One tree × many rows or several trees × few rows.
 */

/* A walk that has not arrived: the entry it stands at, and its place among the results. */
typedef struct page_walk {
	uint32_t entry, slot;
} page_walk;

static ALWAYS_INLINE uint32_t ISA_NAME(page_exit)(const page_questions *q, const uint8_t *page, uint32_t entry, const uint8_t *codes,
	page_kind kind)
{
	uint32_t from = ~(uint32_t)0 << (PAGE_OPEN_BITS * entry % 32);
	size_t at = (size_t)__builtin_ctz(page_open(q, codes, kind) & from);
	uint32_t exit;
	if (PAGE_IS_WIDE(kind)) {
		memcpy(&exit, page + 3 * at / PAGE_OPEN_BITS, sizeof exit);
		return exit & 0xffffffu;
	}
	memcpy(&exit, page + 4 / PAGE_OPEN_BITS * at, sizeof exit);
	return exit;
}

/* Of `ahead`: ask for the page behind an exit. `goes_on` is all ones if it is a page. */
static ALWAYS_INLINE void ISA_NAME(page_fetch)(const uint8_t *pages, uint32_t exit, uint32_t goes_on)
{
	const uint8_t *page = pages + PAGE_UNIT * (size_t)(exit & goes_on & ~31u);
	__builtin_prefetch(page);
	__builtin_prefetch(page + 64);
}

/* Row r's share of the lines to fetch. */
static ALWAYS_INLINE void ISA_NAME(page_fetch_share)(const page_call *c, uint32_t r, uint32_t share)
{
	for (uint32_t i = r * share; i < (r + 1) * share; i++)
		__builtin_prefetch(c->fetch + SL_CACHE_LINE * (size_t)i, 0, 2);
}

/* All rows at the roots; returns how many walks go on. */
static ALWAYS_INLINE uint32_t ISA_NAME(page_roots)(const page_call *c, page_walk *list, page_kind kind, bool ahead)
{
	uint32_t n = 0, share = (c->n_fetch + c->n_rows - 1) / c->n_rows;
	for (uint32_t t = 0; t < c->n_trees; t++) {
		const uint8_t *root = c->plan->pages + PAGE_BYTES * (size_t)c->plan->first_page[c->first_tree + t], *codes = c->codes;
		page_questions q = page_load(root, kind);
		for (uint32_t r = 0; r < c->n_rows; r++, codes += PAGE_STRIDE(kind)) {
			uint32_t slot = t << c->row_bits | r, exit = ISA_NAME(page_exit)(&q, root, 0, codes, kind);
			uint32_t goes_on = exit / PAGE_LEAF - 1;
			c->exits[slot] = exit;
			list[n] = (page_walk){exit, slot};
			n -= goes_on;
			if (ahead)
				ISA_NAME(page_fetch)(root, exit, goes_on);
			if (share)
				ISA_NAME(page_fetch_share)(c, r, share);
		}
	}
	return n;
}

/* Each walk one page further; returns how many go on. */
static ALWAYS_INLINE uint32_t ISA_NAME(page_pass)(const page_call *c, page_walk *list, uint32_t n, page_kind kind, bool one_tree,
	bool ahead)
{
	const uint32_t *first_page = c->plan->first_page + c->first_tree;
	const uint8_t *codes = c->codes, *all = c->plan->pages, *pages = all + PAGE_BYTES * (size_t)first_page[0];
	uint32_t *exits = c->exits, row_bits = c->row_bits, row_mask = ((uint32_t)1 << row_bits) - 1, left = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t entry = list[i].entry, slot = list[i].slot, row = slot;
		if (!one_tree) {
			pages = all + PAGE_BYTES * (size_t)first_page[slot >> row_bits];
			row &= row_mask;
		}
		const uint8_t *page = pages + PAGE_UNIT * (size_t)(entry & ~31u);
		page_questions q = page_load(page, kind);
		uint32_t exit = ISA_NAME(page_exit)(&q, page, entry, codes + PAGE_STRIDE(kind) * (size_t)row, kind);
		uint32_t goes_on = exit / PAGE_LEAF - 1;
		exits[slot] = exit;
		list[left] = (page_walk){exit, slot};
		left -= goes_on;
		if (ahead)
			ISA_NAME(page_fetch)(pages, exit, goes_on);
	}
	return left;
}

static ALWAYS_INLINE void ISA_NAME(page_walks)(const page_call *c, page_kind kind, bool one_tree, bool ahead)
{
	page_walk list[PAGE_WALKS];
	uint32_t n = ISA_NAME(page_roots)(c, list, kind, ahead);
	while (n)
		n = ISA_NAME(page_pass)(c, list, n, kind, one_tree, ahead);
}

#define PAGE_BUILD(kind) \
	static void ISA_NAME(page_walks_##kind)(const page_call *c) \
	{ \
		if (c->n_trees > 1) \
			ISA_NAME(page_walks)(c, kind, false, true); \
		else if (c->ahead) \
			ISA_NAME(page_walks)(c, kind, true, true); \
		else \
			ISA_NAME(page_walks)(c, kind, true, false); \
	}
PAGE_BUILD(PAGE_U8_32)
PAGE_BUILD(PAGE_U8_64)
#if PAGE_COLUMNS_U8 > 64
PAGE_BUILD(PAGE_U8_128)
#endif
PAGE_BUILD(PAGE_U16_32)
PAGE_BUILD(PAGE_U16_64)

static void ISA_NAME(page_leaves)(const page_call *c)
{
	switch (c->plan->kind) {
	case PAGE_U8_32:
		ISA_NAME(page_walks_PAGE_U8_32)(c);
		break;
	case PAGE_U8_64:
		ISA_NAME(page_walks_PAGE_U8_64)(c);
		break;
#if PAGE_COLUMNS_U8 > 64
	case PAGE_U8_128:
		ISA_NAME(page_walks_PAGE_U8_128)(c);
		break;
#endif
	case PAGE_U16_32:
		ISA_NAME(page_walks_PAGE_U16_32)(c);
		break;
	default:
		ISA_NAME(page_walks_PAGE_U16_64)(c);
		break;
	}
}
