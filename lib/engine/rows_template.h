/*
 * The row regime's kernel, over the vocabulary of an instruction set with 64-byte vectors: included by kernels_<isa>.c after
 * isa/<isa>.h. Answers the splits of up to ROW_MOST trees for up to ROW_ROWS rows and finds the leaf of each.
 *
 *   row_above(c, h, w)       bit i: the code of column h->columns[i], of a row's codes c, is above h->cuts[i]; w: there may
 *                            be more than 64 columns
 *   row_answers8(c, h, w)    the same of eight heaps, as eight lanes; row_load8() from memory
 *   row_descend8(answers)    six levels of eight heaps at once: the exit of each, counted among all exits
 *   row_enter16              places from exits
 *   row_open16               the places among 16 that are blocks yet, one after the other, and their number; row_close16
 *                            puts what became of them back
 *   row_go8                  eight places of a row through their blocks
 *   row_arrive16             values of 16 places that are leaves
 *   row_level8               eight oblivious trees whose levels are one heap's splits
 *   row_all_leaves, row_keep 16 trees of all leaves, and what a step's answers leave of them; row_first_leaf: where the
 *                            values of the first that are left are
 *
 * While the splits of eight trees are answered for some rows, which waits for masks, one row after the other descends the
 * eight trees before them. Below the heaps, places that are blocks yet are listed row by row, and all of the list goes
 * three levels at a time.
 */

/* Trees [8 * first, 8 * end) for n rows. */
static ALWAYS_INLINE void ISA_NAME(row_heaps)(const row_plan *p, const uint8_t *codes, size_t n, bool wide, uint32_t first,
	uint32_t end, uint32_t (*at)[ROW_MOST])
{
	const row_heap *heap = p->heaps + (size_t)first * 8;
	_Alignas(64) uint64_t bits[2][ROW_ROWS][8];
	for (uint32_t i = 0; i <= end - first; i++) {
		for (uint32_t t = 0; t < 8; t++, heap++) {
			for (size_t r = 0; r < n && i < end - first; r++)
				bits[i % 2][r][t] = row_above(codes + r * ROW_COLUMNS, heap, wide);
			if (i && t < n)
				row_descend8(row_load8(bits[(i + 1) % 2][t]), 8 * (first + i - 1), at[t] + 8 * (size_t)(i - 1));
		}
	}
}

/* The same for so few rows that they would wait for what was just stored. */
static ALWAYS_INLINE void ISA_NAME(row_few_heaps)(const row_plan *p, const uint8_t *codes, size_t n, bool wide, uint32_t first,
	uint32_t end, uint32_t (*at)[ROW_MOST])
{
	for (uint32_t i = first; i < end; i++) {
		for (size_t r = 0; r < n; r++)
			row_descend8(row_answers8(codes + r * ROW_COLUMNS, p->heaps + (size_t)i * 8, wide), 8 * i,
				at[r] + 8 * (size_t)(i - first));
	}
}

/* Oblivious trees [8 * first, 8 * end). */
static ALWAYS_INLINE void ISA_NAME(row_levels_of)(const row_plan *p, const uint8_t *codes, size_t n, bool wide, uint32_t first,
	uint32_t end, uint32_t (*at)[ROW_MOST])
{
	for (uint32_t i = first; i < end; i++) {
		for (size_t r = 0; r < n; r++)
			row_level8(codes + r * ROW_COLUMNS, p->heaps + i, wide, p->values_of + 8 * (size_t)i, at[r] + 8 * (size_t)(i - first));
	}
}

/* Exits of heaps of portions [first, end) become places. */
static ALWAYS_INLINE void ISA_NAME(row_enter)(const row_plan *p, size_t n, uint32_t first, uint32_t end, row_exit (*exits)[ROW_MOST],
	uint32_t (*at)[ROW_MOST])
{
	for (size_t r = 0; r < n; r++) {
		for (uint32_t i = 0; i < ROW_TREES * (end - first); i++)
			exits[r][i] = p->exits[at[r][i]];
	}
	for (size_t r = 0; r < n; r++) {
		for (uint32_t i = 0; i < end - first; i++)
			row_enter16(exits[r] + 16 * (size_t)i, p->blocks_of + 16 * (first + i), at[r] + 16 * (size_t)i);
	}
}

/* Lists the places that are blocks yet, row after row, each row's to a multiple of eight; returns how many eights. */
static ALWAYS_INLINE uint32_t ISA_NAME(row_list)(size_t n, uint32_t n_portions, uint32_t (*at)[ROW_MOST], uint32_t *list,
	uint8_t *row_of)
{
	uint32_t count = 0;
	for (size_t r = 0; r < n; r++) {
		uint32_t begin = count / 8;
		for (uint32_t i = 0; i < n_portions; i++)
			count += row_open16(at[r] + 16 * (size_t)i, list + count);
		memset(list + count, 0, 8 * sizeof *list); /* some block */
		memset(row_of + begin, (int)r, ROW_MOST / 8);
		count = (count + 7) / 8 * 8;
	}
	return count / 8;
}

/* Places of portions [first, end) until all are leaves. */
static ALWAYS_INLINE void ISA_NAME(row_blocks)(const row_plan *p, const uint8_t *codes, size_t n, bool wide, uint32_t first,
	uint32_t end, uint32_t (*at)[ROW_MOST])
{
	union {
		row_exit exits[ROW_ROWS][ROW_MOST];
		uint32_t list[ROW_ROWS * ROW_MOST + 16];
	} room;
	uint32_t *list = room.list, eights;
	uint8_t row_of[ROW_ROWS * ROW_MOST / 8 + 8];
	ISA_NAME(row_enter)(p, n, first, end, room.exits, at);
	while ((eights = ISA_NAME(row_list)(n, end - first, at, list, row_of)) > 0) {
		for (uint32_t i = 0; i < eights; i++)
			row_go8(p->blocks, codes + (size_t)row_of[i] * ROW_COLUMNS, wide, list + 8 * (size_t)i);
		uint32_t count = 0;
		for (size_t r = 0; r < n; r++) {
			for (uint32_t i = 0; i < end - first; i++)
				count += row_close16(at[r] + 16 * (size_t)i, list + count);
			count = (count + 7) / 8 * 8;
		}
	}
	for (size_t r = 0; r < n; r++) {
		for (uint32_t i = 0; i < end - first; i++)
			row_arrive16(p->values_of + 16 * (first + i), at[r] + 16 * (size_t)i);
	}
}

/* Trees of few leaves: a lane is a tree and has a bit for each of its leaves. */
static ALWAYS_INLINE void ISA_NAME(row_masks)(const row_plan *p, const uint8_t *codes, size_t n, bool wide, uint32_t portion,
	uint32_t (*at)[ROW_MOST], size_t to)
{
	row_lanes left[ROW_ROWS];
	for (size_t r = 0; r < n; r++)
		left[r] = row_all_leaves();
	for (const row_step *s = p->steps + p->first_step[portion]; s < p->steps + p->first_step[portion + 1]; s++) {
		for (size_t r = 0; r < n; r++)
			left[r] = row_keep(left[r], s, codes + r * ROW_COLUMNS, wide);
	}
	for (size_t r = 0; r < n; r++)
		row_first_leaf(left[r], p->values_of + (size_t)ROW_TREES * portion, at[r] + to);
}

/* Builds for four, two and single rows. */
static ALWAYS_INLINE void ISA_NAME(row_portions)(const row_plan *p, const uint8_t *codes, size_t n, bool wide, uint32_t first,
	uint32_t end, uint32_t (*at)[ROW_MOST])
{
	for (uint32_t i = first; i < end; i++) {
		size_t r = 0;
		for (; r + 4 <= n; r += 4)
			ISA_NAME(row_masks)(p, codes + r * ROW_COLUMNS, 4, wide, i, at + r, ROW_TREES * (size_t)(i - first));
		for (; r + 2 <= n; r += 2)
			ISA_NAME(row_masks)(p, codes + r * ROW_COLUMNS, 2, wide, i, at + r, ROW_TREES * (size_t)(i - first));
		for (; r < n; r++)
			ISA_NAME(row_masks)(p, codes + r * ROW_COLUMNS, 1, wide, i, at + r, ROW_TREES * (size_t)(i - first));
	}
}

static ALWAYS_INLINE void ISA_NAME(row_leaves_of)(const row_plan *p, const uint8_t *codes, size_t n, bool wide, uint32_t first,
	uint32_t end, uint32_t (*at)[ROW_MOST])
{
	if (p->shape == ROW_LEVELS)
		ISA_NAME(row_levels_of)(p, codes, n, wide, 2 * first, 2 * end, at);
	else if (p->shape == ROW_MASKS)
		ISA_NAME(row_portions)(p, codes, n, wide, first, end, at);
	else if (n > 3)
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
