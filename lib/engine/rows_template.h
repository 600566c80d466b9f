/*
 * The row regime's kernel, over the vocabulary of an instruction set with 64-byte vectors: included by kernels_<isa>.c after
 * isa/<isa>.h. Answers the splits of ROW_TREES trees for one row and finds the leaf of each.
 *
 *   row_codes            the row's codes, in the registers that look-ups read from
 *   row_above(c, p, w)   bit i: the code of column p[i] is above p[64 + i]; w: there may be more than 64 columns
 *   row_descend8(bits)   six levels of eight heaps at once: bits[t] has the answers of tree t
 *   row_keep32, row_keep64(left, lanes, masks)  AND into the lanes whose bit is set
 *
 * Heap: a tree of up to six levels has 64 columns, then 64 cuts, the children of split i at 2 i and 2 i + 1. Masks: every
 * split that answers right crosses out the leaves on its left; the first leaf that is left over is the row's. Lanes are
 * trees, and one comparison answers 64 / lanes splits of each.
 */

static ALWAYS_INLINE void ISA_NAME(row_masks32)(const row_plan *p, row_codes codes, bool wide, uint32_t portion,
	uint32_t *at)
{
	const row_group *g = p->groups + portion;
	const uint8_t *step = p->nodes + g->first;
	row_lanes left = row_all_lanes();
	for (uint32_t s = 0; s < g->n_steps; s++, step += ROW_STEP_BYTES(4)) {
		uint64_t right = row_above(codes, step, wide);
		for (uint32_t k = 0; k < 4; k++)
			left = row_keep32(left, (uint16_t)(right >> (16 * k)), step + 128 + 64 * (size_t)k);
	}
	uint32_t leaves[ROW_TREES];
	row_store(leaves, left);
	for (uint32_t t = 0; t < ROW_TREES; t++)
		at[t] = (uint32_t)__builtin_ctz(leaves[t]);
}

static ALWAYS_INLINE void ISA_NAME(row_masks64)(const row_plan *p, row_codes codes, bool wide, uint32_t portion,
	uint32_t *at)
{
	for (uint32_t half = 0; half < 2; half++) {
		const row_group *g = p->groups + 2 * (size_t)portion + half;
		const uint8_t *step = p->nodes + g->first;
		row_lanes left = row_all_lanes();
		for (uint32_t s = 0; s < g->n_steps; s++, step += ROW_STEP_BYTES(8)) {
			uint64_t right = row_above(codes, step, wide);
			for (uint32_t k = 0; k < 8; k++)
				left = row_keep64(left, (uint8_t)(right >> (8 * k)), step + 128 + 64 * (size_t)k);
		}
		uint64_t leaves[8];
		row_store(leaves, left);
		for (uint32_t t = 0; t < 8; t++)
			at[8 * half + t] = (uint32_t)__builtin_ctzll(leaves[t]);
	}
}

static ALWAYS_INLINE void ISA_NAME(row_heaps)(const row_plan *p, row_codes codes, bool wide, uint32_t portion, uint32_t *at)
{
	const uint8_t *tree = p->nodes + (size_t)portion * ROW_TREES * 128;
	for (uint32_t half = 0; half < 2; half++) {
		uint64_t bits[8];
		for (uint32_t t = 0; t < 8; t++, tree += 128)
			bits[t] = row_above(codes, tree, wide);
		row_descend8(bits, at + 8 * (size_t)half);
	}
}

static ALWAYS_INLINE void ISA_NAME(row_leaves_of)(const row_plan *p, const uint8_t *codes, bool wide, uint32_t portion,
	uint32_t *at)
{
	row_codes c = row_load(codes);
	if (p->shape == ROW_HEAP)
		ISA_NAME(row_heaps)(p, c, wide, portion, at);
	else if (p->shape == ROW_MASKS32)
		ISA_NAME(row_masks32)(p, c, wide, portion, at);
	else
		ISA_NAME(row_masks64)(p, c, wide, portion, at);
}

static void ISA_NAME(row_leaves)(const row_plan *p, const uint8_t *codes, uint32_t portion, uint32_t *at)
{
	if (p->wide_codes)
		ISA_NAME(row_leaves_of)(p, codes, true, portion, at);
	else
		ISA_NAME(row_leaves_of)(p, codes, false, portion, at);
}
