/*
 * The kernels, written once over a vocabulary. Included by kernels_<isa>.c after isa/<isa>.h, which defines:
 *
 *   V, V_WORDS, v_load, v_store, v_select   planes, V_WORDS 64-row words at a time
 *   v_and, v_or, v_nor, v_andnot(a, b)      logic; v_andnot is (not a) and b
 *   split8, split16                         codes → their bit planes, lowest bit first
 *   ISA_NAME(name)                          name with the instruction set's suffix
 *
 * and may define its own gather_bits, sum, bin and transpose16 with a HAVE_ macro; the plain C below is the reference.
 */

static void ISA_NAME(select)(const select_op *ops, size_t n, size_t words, uint64_t *arena)
{
	size_t vectors = (words + V_WORDS - 1) / V_WORDS;
	for (const select_op *op = ops, *end = ops + n; op < end; op++) {
		const uint64_t *mask = arena + (size_t)op->mask * PLANE_WORDS;
		const uint64_t *a = arena + (size_t)op->a * PLANE_WORDS, *b = arena + (size_t)op->b * PLANE_WORDS;
		uint64_t *dst = arena + (size_t)op->dst * PLANE_WORDS;
		for (size_t i = 0; i < vectors; i++)
			v_store(dst + i * V_WORDS, v_select(v_load(mask + i * V_WORDS), v_load(a + i * V_WORDS),
				v_load(b + i * V_WORDS)));
	}
}

/*
 * Comparisons by bits. The codes of a column become one plane per bit; four bit planes give, for every value v of a
 * nibble, the planes "nibble > v" and "nibble == v"; then code > cut = high > h or (high == h and low > l): one load-heavy
 * operation per predicate instead of 512 byte comparisons.
 */
static void ISA_NAME(expand_nibble)(const uint64_t *bits, size_t words, uint64_t *equal, uint64_t *above)
{
	for (size_t w = 0; w < words; w += V_WORDS) {
		V b0 = v_load(bits + w), b1 = v_load(bits + PLANE_WORDS + w);
		V b2 = v_load(bits + 2 * PLANE_WORDS + w), b3 = v_load(bits + 3 * PLANE_WORDS + w);
		V low[4] = {v_nor(b1, b0), v_andnot(b1, b0), v_andnot(b0, b1), v_and(b1, b0)};
		V high[4] = {v_nor(b3, b2), v_andnot(b3, b2), v_andnot(b2, b3), v_and(b3, b2)};
		V sum = v_andnot(b0, b0);
		for (size_t v = 16; v-- > 0;) {
			V e = v_and(high[v / 4], low[v % 4]);
			v_store(above + v * PLANE_WORDS + w, sum);
			v_store(equal + v * PLANE_WORDS + w, e);
			sum = v_or(sum, e);
		}
	}
}

/* Nibble tables of `work`: equal planes of nibble k at 32 k, above planes at 32 k + 16; the bit planes behind them. */
static void ISA_NAME(expand)(size_t nibbles, size_t words, uint64_t *work)
{
	const uint64_t *bits = work + nibbles * 32 * PLANE_WORDS;
	for (size_t k = 0; k < nibbles; k++)
		ISA_NAME(expand_nibble)(bits + 4 * k * PLANE_WORDS, words, work + 32 * k * PLANE_WORDS,
			work + (32 * k + 16) * PLANE_WORDS);
}

static void ISA_NAME(predicates8)(const uint8_t *codes, size_t words, const uint8_t *cuts, size_t n, uint64_t *work,
	uint64_t *planes)
{
	ISA_NAME(split8)(codes, words, work + 64 * PLANE_WORDS);
	ISA_NAME(expand)(2, words, work);
	for (size_t i = 0; i < n; i++, planes += PLANE_WORDS) {
		const uint64_t *low = work + (16 + (cuts[i] & 15u)) * PLANE_WORDS;
		const uint64_t *equal = work + (32 + (cuts[i] >> 4)) * PLANE_WORDS, *above = equal + 16 * PLANE_WORDS;
		for (size_t w = 0; w < words; w += V_WORDS)
			v_store(planes + w, v_or(v_load(above + w), v_and(v_load(equal + w), v_load(low + w))));
	}
}

static void ISA_NAME(predicates16)(const uint16_t *codes, size_t words, const uint16_t *cuts, size_t n, uint64_t *work,
	uint64_t *planes)
{
	ISA_NAME(split16)(codes, words, work + 128 * PLANE_WORDS);
	ISA_NAME(expand)(4, words, work);
	for (size_t i = 0; i < n; i++, planes += PLANE_WORDS) {
		for (size_t w = 0; w < words; w += V_WORDS) {
			V result = v_load(work + (16 + (cuts[i] & 15u)) * PLANE_WORDS + w);
			for (size_t k = 1; k < 4; k++) {
				const uint64_t *equal = work + (32 * k + (cuts[i] >> (4 * k) & 15u)) * PLANE_WORDS + w;
				result = v_or(v_load(equal + 16 * PLANE_WORDS), v_and(v_load(equal), result));
			}
			v_store(planes + w, result);
		}
	}
}

#ifndef HAVE_GATHER_BITS
/* Swap the bits under `mask` of a with those `shift` higher of b. */
static inline void ISA_NAME(swap)(uint64_t *a, uint64_t *b, unsigned shift, uint64_t mask)
{
	uint64_t t = ((*a >> shift) ^ *b) & mask;
	*b ^= t;
	*a ^= t << shift;
}

/* 8 × 8 bits: bit i of byte k becomes bit k of byte i. */
static inline uint64_t ISA_NAME(transpose_bits)(uint64_t x)
{
	uint64_t t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aau;
	x ^= t ^ (t << 7);
	t = (x ^ (x >> 14)) & 0x0000cccc0000ccccu;
	x ^= t ^ (t << 14);
	t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0u;
	return x ^ t ^ (t << 28);
}

/* Eight words, one per plane, become 64 bytes: first bytes across words, then bits within each 8 × 8. */
static void ISA_NAME(gather_bits)(const uint64_t *arena, const uint16_t *slots, size_t n_planes, size_t words,
	uint8_t *bytes)
{
	for (size_t w = 0; w < words; w++) {
		uint64_t x[8];
		for (size_t k = 0; k < 8; k++)
			x[k] = k < n_planes ? arena[(size_t)slots[k] * PLANE_WORDS + w] : 0;
		for (size_t k = 0; k < 8; k += 2)
			ISA_NAME(swap)(&x[k], &x[k + 1], 8, 0x00ff00ff00ff00ffu);
		for (size_t k = 0; k < 8; k += 1 + (k & 1) * 2)
			ISA_NAME(swap)(&x[k], &x[k + 2], 16, 0x0000ffff0000ffffu);
		for (size_t k = 0; k < 4; k++)
			ISA_NAME(swap)(&x[k], &x[k + 4], 32, 0x00000000ffffffffu);
		for (size_t k = 0; k < 8; k++)
			sl_store_le64(bytes + 64 * w + 8 * k, ISA_NAME(transpose_bits)(x[k]));
	}
}
#endif

#ifndef HAVE_SUM
#define SUM_TYPE float
#define SUM_NAME ISA_NAME(sum_f32)
#include "sum_template.h"
#define SUM_TYPE double
#define SUM_NAME ISA_NAME(sum_f64)
#include "sum_template.h"
#endif

#ifndef HAVE_BIN
#define BIN_TYPE float
#define BIN_CUTS(t) ((t)->narrow)
#define BIN_NAME ISA_NAME(bin_f32)
#include "rank_template.h"
#define BIN_TYPE double
#define BIN_CUTS(t) ((t)->wide)
#define BIN_NAME ISA_NAME(bin_f64)
#include "rank_template.h"
#endif

#ifndef HAVE_TRANSPOSE16
static void ISA_NAME(transpose16)(const char *rows, int64_t row_stride, size_t n, float *columns)
{
	for (size_t r = 0; r < n; r++, rows += row_stride) {
		for (size_t c = 0; c < 16; c++)
			memcpy(columns + c * BLOCK_ROWS + r, rows + c * sizeof(float), sizeof(float));
	}
}
#endif
