/*
 * The inner loops that each instruction set has its own build of. A kernel works on a block of up to 64 * plane_words rows,
 * at most BLOCK_ROWS; a plane is one bit per row of a block, row r in bit r % 64 of word r / 64. `words` says how many words
 * to work on; what a kernel leaves in the words behind them does not matter.
 */
#ifndef SL_ENGINE_KERNELS_H
#define SL_ENGINE_KERNELS_H

#include "../base/base.h"

#define BLOCK_ROWS 512
/* From one column of a transposed tile to the next: no power of two, so that 16 columns do not meet in one cache set. */
#define TILE_ROWS (BLOCK_ROWS + 16)
#define SUM_TREES 16 /* trees whose leaf codes are kept before they are summed */
#define FULL_DEPTH 6 /* of the deepest tree that full_tree() takes */

/* 64-bit words: per nibble of a code 16 equal and 16 above planes, then the bit planes. */
#define PREDICATE_WORK ((4 * 32 + 16) * (BLOCK_ROWS / 64))

/* Cuts of one feature for exact binning. `narrow` holds the cuts for float input: the smallest float >= the cut. */
typedef struct bin_table {
	uint32_t n;          /* cuts */
	const float *narrow; /* n cuts, then NaN up to a multiple of 256 (n <= 255), ascending */
	const float *narrow_pivots; /* [16] every 16th of narrow, NaN beyond; NULL when n > 255 */
	const float *narrow_levels; /* [256] the pivots of a binary search level by level, for register look-ups: levels 0 to 3
	                             * and an unused value, then levels 4, 5, 6, 7; NULL when n > 255 */
	const double *wide;  /* the same for double input; NULL when the model compares in float */
	const double *wide_pivots;
} bin_table;

/* dst = mask ? b : a, on whole planes. */
typedef struct select_op {
	uint16_t mask, a, b, dst;
} select_op;

/* Leaf values of a tree by leaf code, 1 << n_planes of them: as floats or doubles, or, for kernels that look bytes up and
 * n_planes up to their byte_planes, as byte 0 of all values, then byte 1, and so on. */
typedef struct leaf_table {
	const void *values;
	uint32_t n_planes;
} leaf_table;

/* How many tables from the first on have as many planes as it: they are summed together. */
static inline size_t equal_tables(const leaf_table *tables, size_t n)
{
	size_t i = 1;
	while (i < n && tables[i].n_planes == tables[0].n_planes)
		i++;
	return i;
}

typedef struct kernels {
	score_isa isa;
	uint32_t plane_words; /* 64-bit words of a plane */
	uint32_t vector_words; /* `words` of every call is a multiple of it */
	uint32_t group_tests; /* predicates per tree group that this instruction set likes */
	uint32_t min_planes;  /* of a leaf code; smaller codes are padded */
	uint32_t byte_planes_f32, byte_planes_f64; /* leaf tables of up to so many planes lie as bytes; 0: none */

	/* codes[i] = number of cuts <= x[i]; NaN gives 0. Tables of at most 255 cuts. */
	void (*bin_f32)(const bin_table *t, const float *x, size_t n, uint8_t *codes);
	void (*bin_f64)(const bin_table *t, const double *x, size_t n, uint8_t *codes);

	/* Rows of 16 adjacent floats → 16 columns, TILE_ROWS floats apart. */
	void (*transpose16)(const char *rows, int64_t row_stride, size_t n, float *columns);

	/* planes[i] = code > cuts[i] for every row. `work` has room for PREDICATE_WORK words. */
	void (*predicates8)(const uint8_t *codes, size_t words, const uint8_t *cuts, size_t n, uint64_t *work,
		uint64_t *planes);
	void (*predicates16)(const uint16_t *codes, size_t words, const uint16_t *cuts, size_t n, uint64_t *work,
		uint64_t *planes);

	/* Run a select program on an arena of planes. */
	void (*select)(const select_op *ops, size_t n, size_t words, uint64_t *arena);

	/* Planes → one byte per row; slots[i] gives bit i. The bytes stand in an order of the instruction set's own. */
	void (*gather_bits)(const uint64_t *arena, const uint16_t *slots, size_t n_planes, size_t words, uint8_t *bytes);

	/* The same for a tree of `depth` levels, all of whose splits are there: predicate slots in level order, the root's
	 * answer in bit n_planes - 1, the next level's below it. */
	void (*full_tree)(const uint64_t *arena, const uint16_t *slots, size_t depth, size_t n_planes, size_t words,
		uint8_t *bytes);

	/* For t = 0 … n - 1 in this order: add to each row's sum the leaf that codes[which[t]] picks from tables[t].
	 * Codes and sums stand in the instruction set's own order. */
	void (*sum_f32)(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
		size_t words, float *sums);
	void (*sum_f64)(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
		size_t words, double *sums);

	/* Put a block of sums into the order of the rows, in place; NULL if they are. */
	void (*order_f32)(float *sums);
	void (*order_f64)(double *sums);
} kernels;

extern const kernels engine_kernels_portable, engine_kernels_avx2, engine_kernels_avx512;

/* NULL if this build has none. */
const kernels *engine_kernels(score_isa isa);

#endif
