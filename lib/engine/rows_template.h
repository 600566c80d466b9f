/*
 * The row regime's kernel, over the vocabulary of an instruction set with 64-byte vectors: included by kernels_<isa>.c after
 * isa/<isa>.h. Answers the splits of up to ROW_MOST trees for up to ROW_ROWS rows and finds the leaf of each.
 *
 *   row_above(c, h, w)       bit i: the code of column h->columns[i], of a row's codes c, is above h->cuts[i]; w: there may be more
 *                            than 64 columns
 *   row_answers8(c, h, w)    the same of eight heaps, as eight lanes; row_load8() from memory
 *   row_descend8(answers)    six levels of eight heaps at once: the exit of each
 *   row_values8, row_places8 what eight exits lead to: values (ROW_HEAP), or a place (ROW_BLOCKS)
 *   row_open16               the places among 16 that are blocks yet, one after the other, and their number; row_close16 puts what
 *                            became of them back
 *   row_go8                  eight places of a row through their blocks
 *   row_arrive16             values of 16 places that are leaves
 *
 * While the splits of eight trees are answered for some rows, which waits for masks, one row after the other descends the eight trees
 * before them. Below the heaps, places that are blocks yet are listed row by row, and all of the list goes three levels at a time.
 */

static ALWAYS_INLINE void ISA_NAME(row_leave8)(const row_plan *p, uint32_t tree, row_lanes answers, uint32_t *to)
{
	if (p->shape == ROW_HEAP)
		row_values8(row_descend8(answers), tree, to);
	else
		row_places8(p, row_descend8(answers), tree, to);
}

/* Trees [8 * first, 8 * end) for n rows. */
static ALWAYS_INLINE void ISA_NAME(row_heaps)(const row_plan *p, const uint8_t *codes, size_t n, bool wide, uint32_t first, uint32_t end,
	uint32_t (*at)[ROW_MOST])
{
	const row_heap *heap = p->heaps + (size_t)first * 8;
	_Alignas(64) uint64_t bits[2][ROW_ROWS][8];
	for (uint32_t i = 0; i <= end - first; i++) {
		for (uint32_t t = 0; t < 8; t++, heap++) {
			for (size_t r = 0; r < n && i < end - first; r++)
				bits[i % 2][r][t] = row_above(codes + r * ROW_COLUMNS, heap, wide);
			if (i && t < n)
				ISA_NAME(row_leave8)(p, 8 * (first + i - 1), row_load8(bits[(i + 1) % 2][t]), at[t] + 8 * (size_t)(i - 1));
		}
	}
}

/* The same for so few rows that they would wait for what was just stored. */
static ALWAYS_INLINE void ISA_NAME(row_few_heaps)(const row_plan *p, const uint8_t *codes, size_t n, bool wide, uint32_t first,
	uint32_t end, uint32_t (*at)[ROW_MOST])
{
	for (uint32_t i = first; i < end; i++) {
		for (size_t r = 0; r < n; r++)
			ISA_NAME(row_leave8)(p, 8 * i, row_answers8(codes + r * ROW_COLUMNS, p->heaps + (size_t)i * 8, wide),
				at[r] + 8 * (size_t)(i - first));
	}
}

/* Places of portions [first, end) until all are leaves. */
static ALWAYS_INLINE void ISA_NAME(row_blocks)(const row_plan *p, const uint8_t *codes, size_t n, bool wide, uint32_t first, uint32_t end,
	uint32_t (*at)[ROW_MOST])
{
	uint32_t list[ROW_ROWS * ROW_MOST + 16], begins[ROW_ROWS + 1];
	for (;;) {
		uint32_t count = 0;
		for (size_t r = 0; r < n; r++) {
			begins[r] = count;
			for (uint32_t i = 0; i < end - first; i++)
				count += row_open16(at[r] + 16 * (size_t)i, list + count);
			for (; count % 8; count++)
				list[count] = 0; /* some block */
		}
		begins[n] = count;
		if (!count)
			break;
		for (size_t r = 0; r < n; r++) {
			for (uint32_t i = begins[r]; i < begins[r + 1]; i += 8)
				row_go8(p->blocks, codes + r * ROW_COLUMNS, wide, list + i);
		}
		for (size_t r = 0; r < n; r++) {
			const uint32_t *from = list + begins[r];
			for (uint32_t i = 0; i < end - first; i++)
				from += row_close16(at[r] + 16 * (size_t)i, from);
		}
	}
	for (size_t r = 0; r < n; r++) {
		for (uint32_t i = 0; i < end - first; i++)
			row_arrive16(p, 16 * (first + i), at[r] + 16 * (size_t)i);
	}
}

static ALWAYS_INLINE void ISA_NAME(row_leaves_of)(const row_plan *p, const uint8_t *codes, size_t n, bool wide, uint32_t first,
	uint32_t end, uint32_t (*at)[ROW_MOST])
{
	if (n > 2)
		ISA_NAME(row_heaps)(p, codes, n, wide, 2 * first, 2 * end, at);
	else
		ISA_NAME(row_few_heaps)(p, codes, n, wide, 2 * first, 2 * end, at);
	if (p->shape == ROW_BLOCKS)
		ISA_NAME(row_blocks)(p, codes, n, wide, first, end, at);
}

static void ISA_NAME(row_leaves)(const row_plan *p, const uint8_t *codes, size_t n, uint32_t first, uint32_t end,
	uint32_t (*at)[ROW_MOST])
{
	if (p->wide_codes)
		ISA_NAME(row_leaves_of)(p, codes, n, true, first, end, at);
	else if (n == ROW_ROWS)
		ISA_NAME(row_leaves_of)(p, codes, ROW_ROWS, false, first, end, at);
	else if (n == 1)
		ISA_NAME(row_leaves_of)(p, codes, 1, false, first, end, at);
	else
		ISA_NAME(row_leaves_of)(p, codes, n, false, first, end, at);
}
