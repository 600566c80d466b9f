/*
 * Leaf codes of trees that have many splits for few rows: the codes of 64 rows stay in a register while the tree's splits pass
 * by, parents first. A row stands at a split if its code is that of the leftmost leaf below it, and goes right by getting the
 * code of the leftmost leaf on that side:
 *
 *             s0                    leaves 0 1 2 3            a row that answers right at s0 and left at s2:
 *           /    \                  s0: from 0 to 2           code 0, 2 after s0
 *         s1      s2                s1: from 0 to 1           s1 asks rows of code 0 only
 *        /  \    /  \               s2: from 2 to 3           2 after s2: leaf 2
 *       0    1  2    3
 *
 * One comparison waits for the one before it, so some trees take their steps side by side. Included after avx512_blocks.h; codes
 * come in the order of the rows.
 */

static ALWAYS_INLINE __m512i cursor_go(__m512i code, const cursor_step *step, uint64_t predicate)
{
	uint64_t here = _mm512_mask_cmpeq_epi8_mask(predicate, code, _mm512_set1_epi8((char)step->from));
	return _mm512_mask_mov_epi8(code, here, _mm512_set1_epi8((char)step->to));
}

/* The last step of a tree may be taken again and again: nobody stands there any more who would go right. */
static ALWAYS_INLINE void cursors_of(const uint64_t *arena, const cursor_tree *trees, size_t n, uint8_t (*bytes)[BLOCK_ROWS])
{
	__m512i code[CURSOR_TREES];
	const cursor_step *step[CURSOR_TREES], *last[CURSOR_TREES];
	uint32_t most = 0;
	for (size_t t = 0; t < n; t++) {
		step[t] = trees[t].steps;
		last[t] = trees[t].steps + trees[t].n_steps - 1;
		most = trees[t].n_steps > most ? trees[t].n_steps : most;
		code[t] = _mm512_set1_epi8((char)trees[t].start);
	}
	for (uint32_t i = 0; i < most; i++) {
		for (size_t t = 0; t < n; t++) {
			code[t] = cursor_go(code[t], step[t], arena[(size_t)step[t]->predicate * PLANE_WORDS]);
			step[t] += step[t] < last[t];
		}
	}
	for (size_t t = 0; t < n; t++)
		_mm512_store_si512((void *)bytes[t], code[t]);
}

static void ISA_NAME(follow_cursors)(const uint64_t *arena, const cursor_tree *trees, size_t n, uint8_t (*bytes)[BLOCK_ROWS])
{
	if (n == CURSOR_TREES) {
		cursors_of(arena, trees, CURSOR_TREES, bytes);
		return;
	}
	for (size_t t = 0; t < n; t++)
		cursors_of(arena, trees + t, 1, bytes + t);
}
