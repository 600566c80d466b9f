/*
 * The kernels, written once over a vocabulary. Included by kernels_<isa>.c after isa/<isa>.h, which defines:
 *
 *   V, V_WORDS, v_load, v_store, v_select   planes, V_WORDS 64-row words at a time
 *   codes8,  load_codes8,  set_cut8,  above8    64 byte codes; bit r of above8() = code r > cut
 *   codes16, load_codes16, set_cut16, above16   the same for 16-bit codes
 *   COMPARE_WORDS                           words whose codes stay in registers over all cuts (divides PLANE_WORDS)
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

static void ISA_NAME(compare8)(const uint8_t *codes, size_t words, const uint8_t *cuts, size_t n, uint64_t *planes)
{
	for (size_t w = 0; w < words; w += COMPARE_WORDS) {
		codes8 x[COMPARE_WORDS];
		for (size_t k = 0; k < COMPARE_WORDS; k++)
			x[k] = load_codes8(codes + 64 * (w + k));
		for (size_t i = 0; i < n; i++) {
			for (size_t k = 0; k < COMPARE_WORDS; k++)
				planes[i * PLANE_WORDS + w + k] = above8(&x[k], set_cut8(cuts[i]));
		}
	}
}

static void ISA_NAME(compare16)(const uint16_t *codes, size_t words, const uint16_t *cuts, size_t n, uint64_t *planes)
{
	for (size_t w = 0; w < words; w++) {
		codes16 x = load_codes16(codes + 64 * w);
		for (size_t i = 0; i < n; i++)
			planes[i * PLANE_WORDS + w] = above16(&x, set_cut16(cuts[i]));
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
