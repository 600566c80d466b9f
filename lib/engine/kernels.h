/*
 * The inner loops that each instruction set has its own build of. A kernel works on a block of up to 64 * plane_words rows,
 * at most BLOCK_ROWS; a plane is one bit per row of a block, row r in bit r % 64 of word r / 64. `words` says how many words
 * to work on; what a kernel leaves in the words behind them does not matter.
 */
#ifndef SL_ENGINE_KERNELS_H
#define SL_ENGINE_KERNELS_H

#include "../base/base.h"
#include "contribution.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
/* What it keeps on the stack is not on that of those who do not call it. */
#define NEVER_INLINE __attribute__((noinline))

#define BLOCK_ROWS 512
/* From one column of a transposed tile to the next: no power of two, so that 16 columns do not meet in one cache set. */
#define TILE_ROWS (BLOCK_ROWS + 16)
/* Byte codes of columns of few cuts may be kept as bit planes, lowest bit first, SLICE_WORDS apart: sliced. */
#define SLICE_MOST_PLANES 5
#define SLICE_WORDS (BLOCK_ROWS / 64)
#define SLICE_ROWS 128 /* that floats are sliced by */
#define SUM_TREES 16 /* trees whose leaf codes are kept before they are summed */
#define FULL_DEPTH 8 /* of the deepest tree that full_tree() takes */

/* 64-bit words: per nibble of a code 16 equal and 16 above planes, then the bit planes. */
#define PREDICATE_WORK ((4 * 32 + 16) * (BLOCK_ROWS / 64))

/*
 * Where to begin looking for a value: equal steps from `origin` on make buckets, and start[b] is the number of cuts in the
 * buckets below b. The map is monotone in the type's own rounding, so a value lies above all cuts of lower buckets and below
 * all cuts of higher ones, whatever the rounding did; within its bucket it is compared with the cuts themselves.
 */
typedef struct bin_map {
	double origin, scale; /* bucket = trunc((x - origin) * scale), at least 0, at most last; values of the map's type */
	double last;
	uint32_t steps;       /* of a binary search from start[b] on: 2^steps - 1 cuts */
	const void *start;    /* [last + 1] of the codes' type */
} bin_map;

/*
 * Floats as words of 16 bits: word = trunc((x - origin) * scale), at least 0, at most BIN_LAST_WORD; NaN has 0. Like buckets, words
 * never change the order of values. Those of cuts are all different, above 0 and below BIN_LAST_WORD, so that two words decide
 * unless they are equal. The high byte is the bucket.
 */
typedef struct word_map {
	float origin, scale;
	uint32_t steps;       /* of a binary search from start[b] on */
	const uint8_t *start; /* [256] number of cuts in buckets below b */
	const uint8_t *low;   /* bytes of the words of cuts, 255 beyond them up to 64, 128 or 256, more than there are cuts */
	const uint8_t *high;
} word_map;

#define BIN_LAST_WORD 65534.0f

#define FAR_BUCKETS 4096 /* of a map so large that others like it push it out of the caches */

/* Cuts of one feature for double input. */
typedef struct wide_cuts {
	const double *cuts;
	const double *pivots;
	const uint8_t *bytes;
	bin_map map;
} wide_cuts;

/* Cuts of one feature for exact binning. `narrow` holds the cuts for float input: the smallest float >= the cut. */
typedef struct bin_table {
	uint32_t n;          /* cuts */
	const float *narrow; /* n cuts, ascending, then NaN as far as a search may look: up to bin_padded(n) at most */
	const float *narrow_pivots; /* [16] every 16th of narrow, NaN beyond; all NaN without rank_f32 or when n > 255 */
	bin_map narrow_map;  /* not made for byte codes of up to few_cuts cuts */
	const word_map *words; /* for kernels that look bytes up; NULL: none */
	/* Byte k of cut i at bin_padded(n) * k + i, for kernels that look bytes up; NULL when n > 255 or up to few_cuts. */
	const uint8_t *narrow_bytes;
	const wide_cuts *wide; /* the same for double input; NULL when the model compares in float */
} bin_table;

/* Cuts and NaN behind them. Up to 255: as many as a vector, or look-ups of bytes in one, two or four, take. */
static inline size_t bin_padded(size_t n)
{
	return n <= 15 ? 16 : n <= 63 ? 64 : n <= 127 ? 128 : n <= 255 ? 256 : 2 * n;
}

/* Multiply and subtract are rounded apart everywhere, so that cuts and values meet in the same bucket. NaN: bucket 0. */
static inline int32_t bin_bucket_f32(const bin_map *m, float x)
{
	float y = (x - (float)m->origin) * (float)m->scale, last = (float)m->last;
	y = y > 0.0f ? y : 0.0f;
	return (int32_t)(y < last ? y : last);
}

static inline int32_t bin_bucket_f64(const bin_map *m, double x)
{
	double y = (x - m->origin) * m->scale;
	y = y > 0.0 ? y : 0.0;
	return (int32_t)(y < m->last ? y : m->last);
}

static inline uint32_t bin_word(const word_map *m, float x)
{
	float y = (x - m->origin) * m->scale;
	y = y > 0.0f ? y : 0.0f;
	return (uint32_t)(y < BIN_LAST_WORD ? y : BIN_LAST_WORD);
}

/*
 * Two selects on whole planes, of which the first one's result is for the second only:
 *
 *   first = mask1 ? b1 : a1,   dst = mask ? b : first, or, with `flip`, mask ? first : b
 *
 * Loads and stores are what kernels wait for: a pair has six, two selects eight. So are slots, which come in two words, lowest bits
 * first: mask1, a1, b1, mask; and dst, b in 15 bits, flip. In a program the first words of all pairs come before the second ones.
 */
typedef struct select_pair {
	uint64_t first;
	uint32_t second;
} select_pair;

#define SELECT_PAIR_BYTES (sizeof(uint64_t) + sizeof(uint32_t))

#define CURSOR_ROWS 64 /* of a block that goes by cursors, at most */

/* A split of a tree whose rows carry the code of the leftmost leaf that they can still reach: of rows with code `from`, those
 * whose predicate is 1 go on with code `to`. */
typedef struct cursor_step {
	uint16_t predicate;
	uint8_t from, to;
} cursor_step;

typedef struct cursor_tree {
	const cursor_step *steps; /* parents before their children */
	uint32_t n_steps;         /* at least one */
	uint8_t start;
} cursor_tree;

#define CURSOR_TREES 4 /* that go on side by side */

/*
 * Leaf codes of two bytes, for trees of many levels: the high one leads to an exit, whose codes lie side by side; the low one is
 * the code among them, in the exit's lowest planes. What stands in planes above is whatever came out.
 */
typedef struct long_codes {
	_Alignas(SL_CACHE_LINE) uint8_t first[256]; /* by high byte: the first code of an exit, without the two highest bits */
	uint8_t exits[256];      /* those two bits in bits 6 and 7, and the planes of the exit's codes */
	uint16_t low[8];         /* slots of the low byte's planes */
	uint16_t n_low, n_codes; /* 256, 512 or 1,024 codes */
	_Alignas(SL_CACHE_LINE) uint8_t numbers[]; /* by code: number of the leaf in its tree */
} long_codes;

#define MAX_LONG_CODES 1024u
#define LONG_PAGE_SHIFT 6

/* Leaf values of a tree by leaf code, 1 << n_planes of them: as floats or doubles, or, for kernels that look bytes up and
 * n_planes up to their byte_planes, as byte 0 of all values, then byte 1, and so on. Where codes are many more than leaves, the number
 * of each code's leaf comes first, 1 << n_planes bytes, and the values behind are by those numbers, of leaf_planes bits. Where codes of
 * up to LEVELS bits are many more than the answers that predicates can give together, those have numbers of FEW_PLANES bits:
 * NUMBER_CODES bytes by code, or NUMBER_PARTS, where 16 are by the low bits of the code and 16 by what is above, to be added. */
typedef struct leaf_table {
	const void *values;
	uint8_t n_planes;
	uint8_t leaf_planes; /* 0: values are by code */
} leaf_table;

#define NUMBERED_PLANES 6 /* leaf_planes is 5 or so many, or, of few doubles, FEW_PLANES */
#define FEW_PLANES 4
#define FEW_VALUES (1u << FEW_PLANES)
#define NUMBER_CODES 64u
#define NUMBER_PARTS 32u

/* A leaf code of 7 or 8 bits as a place in a table of hardly more values than the tree has leaves: what of the code's low four bits
 * counts, by its high four, and where their values begin. Place = (low & counts[high]) + first[high], below 256. */
typedef struct code_fold {
	uint8_t counts[16], first[16];
} code_fold;

/* A level of an oblivious tree asks a block of byte codes: those from `first` on > cut; `cuts` is the cut in all four bytes. */
typedef struct level_question {
	uint32_t first, cuts;
} level_question;

#define LEVELS 6 /* of an oblivious tree, at most */

/* An oblivious tree: the answer to question k is bit k of a row's leaf code. */
typedef struct level_tree {
	level_question questions[LEVELS];
	const uint8_t *numbers; /* [NUMBER_CODES] of FEW_VALUES values, or NULL: values are by code */
	const void *values;     /* as in leaf_table */
} level_tree;

/* The same where the answers are planes: slot k is that of question k. */
typedef struct level_planes {
	const uint8_t *numbers;
	const void *values;
	uint16_t slots[LEVELS];
} level_planes;

/* How many tables from the first on have as many planes as it: they are summed together. */
static inline size_t equal_tables(const leaf_table *tables, size_t n)
{
	size_t i = 1;
	while (i < n && tables[i].n_planes == tables[0].n_planes && tables[i].leaf_planes == tables[0].leaf_planes)
		i++;
	return i;
}

/* How the row regime lays trees out: see rows_template.h. */
typedef enum row_shape { ROW_NONE, ROW_LEVELS, ROW_HEAP, ROW_BLOCKS, ROW_MASKS } row_shape;

#define ROW_HEAP_DEPTH 6
#define ROW_BLOCK_DEPTH 3
#define ROW_COLUMNS 128
#define ROW_TREES 16 /* of a portion */
#define ROW_MOST 64  /* trees that row_leaves() serves at once, in whole portions */
#define ROW_ROWS 8   /* the same of rows */

/* The first six levels of a tree. Split i stands at 63 - i, its children are 2 i and 2 i + 1; where no split is, a code is
 * compared with the highest, which none is above. */
typedef struct row_heap {
	uint8_t columns[64], cuts[64];
} row_heap;

/* Where a row goes that leaves a heap or a block: to the leaf of that number in its tree, or so many blocks further. */
typedef uint16_t row_exit;
#define ROW_LEAF 0x8000u

/* Three levels, split i at 7 - i. Exits of a heap count from the first block of its tree. */
typedef struct row_block {
	uint8_t columns[8], cuts[8];
	row_exit exits[8];
} row_block;

#define ROW_MASK_LEAVES 32

/* Four splits of each tree of a portion, split k of tree t at 16 k + t, and the leaves that the tree keeps where the split answers
 * right: the first leaf in the highest bit. */
typedef struct row_step {
	uint8_t columns[64], cuts[64];
	uint32_t masks[4][ROW_TREES];
} row_step;

typedef struct row_plan {
	row_shape shape;
	bool wide_codes;         /* more than 64 columns */
	const row_heap *heaps;   /* of ROW_HEAP and ROW_BLOCKS; whole portions; like steps aligned to a cache line. Of ROW_LEVELS one has
				  * eight oblivious trees: level k of tree t stands at 8 t + 5 - k */
	const row_exit *exits;   /* of ROW_BLOCKS: 64 per heap */
	const uint32_t *blocks_of; /* the first block of each tree */
	const row_block *blocks;
	const row_step *steps;      /* of ROW_MASKS */
	const uint32_t *first_step; /* of each portion, and the end */
	uint64_t row_cost;         /* of one of many rows, in tenths of a nanosecond on a Zen 4 */
	const uint32_t *values_of; /* the first value of each tree; in ROW_HEAP each has 64 values, one per exit */
	const float *values_f32; /* one of the two, by the sum's type; the forest's own where they are as wide and lie so */
	const double *values_f64;
} row_plan;

/* How pages lie, by the width of codes and the columns that a row has room for. Narrow: 16 exits of 4 bytes, columns, cuts, masks;
 * wide: exits of 3 bytes, columns, cuts of 2 bytes, masks. */
typedef enum page_kind { PAGE_NONE, PAGE_U8_32, PAGE_U8_64, PAGE_U8_128, PAGE_U16_32, PAGE_U16_64 } page_kind;

#define PAGE_SPLITS 15
#define PAGE_EXITS 16
#define PAGE_BYTES 128
#define PAGE_IS_WIDE(kind) ((kind) >= PAGE_U16_32)
#define PAGE_COLUMNS_AT(kind) (PAGE_IS_WIDE(kind) ? 48 : 64)
#define PAGE_CUTS_AT(kind) (PAGE_IS_WIDE(kind) ? 64 : 80)
#define PAGE_MASKS_AT 96
/* Wide, added to a column: the code counts as one more, so that 65,535, a missing value, becomes 0 and answers left. */
#define PAGE_MISSING_LEFT 64u
/* Bytes of a row's codes. */
#define PAGE_STRIDE(kind) ((kind) == PAGE_U8_32 ? 32 : (kind) == PAGE_U8_64 || (kind) == PAGE_U16_32 ? 64 : 128)
/* An exit: PAGE_LEAF and a leaf, or 32 times a page, and its entry; all counted within the tree. */
#define PAGE_LEAF 0x800000u
#define PAGE_UNIT (PAGE_BYTES / 32)

typedef struct page_plan {
	page_kind kind;
	const uint8_t *pages;       /* aligned to a cache line */
	const uint32_t *first_page; /* [n_trees + 1] entry 0 of a tree's first page is its root */
	uint32_t n_columns;         /* of a row */
	/* Wide: a column has what of its source's code is above its base, as far as two bytes hold it. */
	const uint32_t *sources, *bases; /* [n_columns] */
	const uint32_t *first_column; /* of those that have the codes of each column of the model */
} page_plan;

#define PAGE_WALKS 256 /* side by side */

/* n_trees << row_bits is at most PAGE_WALKS; the exit of row r in tree first_tree + t is at [t << row_bits | r]. */
typedef struct page_call {
	const page_plan *plan;
	const uint8_t *codes; /* aligned to a row's bytes, up to a cache line */
	uint32_t first_tree, n_trees, n_rows, row_bits;
	bool ahead;           /* pages are not in the second-level cache: ask for each before it is met */
	const char *fetch;    /* from here on, `n_fetch` cache lines are wanted there soon */
	uint32_t n_fetch;
	uint32_t *exits;
} page_call;

#define LINEAR_ROWS 32     /* the number of rows that linear kernels have a build for */
#define LINEAR_FEATURES 16 /* of a run, at most; as many as transpose16 takes */

/* The values of some adjacent features in a run of rows. A feature has n_outputs weights. */
typedef struct linear_run {
	const void *columns[LINEAR_FEATURES];
	size_t n_features, n_rows;
	size_t n_outputs;
	bool skip_missing; /* NaN adds nothing */
} linear_run;

#define LINEAR_OUTPUTS 4 /* that kernels sum at once, at most */

/* Rows of adjacent values; the sums of output o stand at [o * n_rows]. A feature has n_outputs weights. */
typedef struct linear_rows {
	const char *data;
	int64_t row_stride;
	size_t n_rows, n_features;
	size_t n_following; /* rows that lie at `data`, n_rows and those behind them */
	size_t n_outputs;
	size_t n_sums; /* outputs to sum */
	bool skip_missing;
	double *out; /* [n_rows] if not NULL: the sums of the only output begin with `start` and go here instead */
	double start;
} linear_rows;

typedef struct kernels kernels;
struct kernels {
	score_isa isa;
	uint32_t plane_words; /* 64-bit words of a plane */
	uint32_t vector_words; /* `words` of every call but the sums is a multiple of it */
	uint32_t sum_words;    /* `words` of the sums is */
	uint32_t group_tests; /* predicates per tree group that this instruction set likes */
	uint32_t word_planes; /* of those, tables of up to so many planes lie as 16-bit words instead */
	uint32_t whole_planes; /* and of up to so many as they are */
	uint32_t number_bytes; /* sum_f64 takes tables of FEW_PLANES behind so many bytes of numbers; 0: it does not */
	bool numbers_leaves;  /* takes leaf tables that have numbers */
	/* Kernels for blocks of fewer rows over the same plan; they have no binning. What is left of a call goes to them when
	 * it has at most `narrow_rows` rows. NULL: none. */
	const kernels *narrow;
	uint32_t narrow_rows;
	uint32_t min_planes;  /* of a leaf code; smaller codes are padded */
	uint8_t sum_cost_f32[9], sum_cost_f64[9]; /* of a tree's sum by the planes of its code, in select operations */
	uint16_t long_cost[3]; /* what 256, 512 and 1,024 long codes cost more than those of one byte, in select operations */
	uint32_t byte_planes_f32, byte_planes_f64; /* leaf tables of up to so many planes lie as bytes; 0: none */

	/* A block is faster than eight rows that walk together from `eight_rows` rows on, and one more per so many operations of a tree. */
	uint32_t eight_rows, eight_operations;
	uint32_t cursor_cost; /* of a step, in thirds of a pair of selects, if there is follow_cursors */

	uint32_t byte_buckets; /* most buckets of a map to byte codes */
	uint32_t few_cuts;     /* of byte codes: so many need no map, at most 15 */
	bool look_up_cuts;     /* wants the bytes of cuts */

	/* codes[i] = number of cuts <= x[i]; NaN gives 0. Codes of 1, 2 and 4 bytes. True if a value may be NaN. */
	bool (*bin_f32[3])(const bin_table *t, const float *x, size_t n, void *codes);
	bool (*bin_f64[3])(const bin_table *t, const double *x, size_t n, void *codes);
	/* to[i] = the highest code where x[i] is NaN, else from[i]. `to` may be `from`. */
	void (*lift_f32[3])(const float *x, size_t n, const void *from, void *to);
	void (*lift_f64[3])(const double *x, size_t n, const void *from, void *to);

	/* Bit k of missing[i]: byte code 64 * i + k, of n, becomes the highest, or 0. NULL: plain C does as well. */
	void (*mark_u8)(const uint64_t *missing, size_t n, bool high, uint8_t *codes);

	/* Rows of 16 adjacent floats → 16 columns, `stride` floats apart. They and the stride are aligned to 64 bytes. */
	void (*transpose16)(const char *rows, int64_t row_stride, size_t n, float *columns, size_t stride);

	/* sums[r] += columns[f][r] * weights[f * n_outputs] for f = 0, 1, … in this order, product and sum rounded apart.
	 * Of float values in float, of float values in double, of doubles. */
	void (*linear_f32)(const linear_run *run, const double *weights, void *sums);
	void (*linear_mixed)(const linear_run *run, const double *weights, void *sums);
	void (*linear_f64)(const linear_run *run, const double *weights, void *sums);

	/* The same for whole rows as they lie in the caller's memory: a multiple of tile_f32 (floats) or tile_f64 (doubles) rows, of at
	 * least as many features. NULL: none. */
	void (*linear_rows_f32)(const linear_rows *rows, const float *weights, float *sums);
	void (*linear_rows_mixed)(const linear_rows *rows, const double *weights, double *sums);
	void (*linear_rows_f64)(const linear_rows *rows, const double *weights, double *sums);
	size_t tile_f32, tile_f64;

	/* Add the contributions of one tree to those of CONTRIBUTION_ROWS rows, or of CONTRIBUTION_FEW_ROWS. */
	void (*contribute)(const contribution_tree *tree);
	void (*contribute_few)(const contribution_tree *tree);

	/* planes[i] = code > cuts[i] for every row. `work` has room for PREDICATE_WORK words. */
	void (*predicates8)(const uint8_t *codes, size_t words, const uint8_t *cuts, size_t n, uint64_t *work,
		uint64_t *planes);
	void (*predicates16)(const uint16_t *codes, size_t words, const uint16_t *cuts, size_t n, uint64_t *work,
		uint64_t *planes);

	/* The low 4 or 5 bits of n byte codes as bit planes, in whole words, which `codes` has room for. NULL: nothing is sliced. */
	void (*slice)(const uint8_t *codes, size_t n_planes, size_t n, uint64_t *bits);
	/* Of the codes of n floats by finite cuts, fewer than 1 << n_planes, in whole SLICE_ROWS; what rows behind n have does not matter.
	 * NaN gives 0, or, with `high`, a code above all cuts. */
	void (*slice_f32)(const bin_table *t, size_t n_planes, const float *x, size_t n, bool high, uint64_t *bits);
	/* planes[i] = code > cuts[i] for a whole block of a sliced column. */
	void (*sliced_predicates)(const uint64_t *bits, size_t n_planes, const uint8_t *cuts, size_t n, uint64_t *planes);

	/* Run a select program of n pairs on an arena of planes. */
	void (*select)(const uint64_t *pairs, size_t n, size_t words, uint64_t *arena);

	/* Planes → one byte per row; slots[i] gives bit i. The bytes stand in an order of the instruction set's own. */
	void (*gather_bits)(const uint64_t *arena, const uint16_t *slots, size_t n_planes, size_t words, uint8_t *bytes);

	/* The high and low bytes of codes become leaf numbers, in place of the high ones. */
	void (*number_leaves)(const long_codes *codes, const uint8_t *low, size_t words, uint8_t *high);

	/* The same as gather_bits for a tree of `depth` levels, all of whose splits are there: predicate slots in level order, the root's
	 * answer in bit n_planes - 1, the next level's below it. */
	void (*full_tree)(const uint64_t *arena, const uint16_t *slots, size_t depth, size_t n_planes, size_t words,
		uint8_t *bytes);

	/* Codes become the places that the fold gives them, in place. NULL: tables are by code. */
	void (*fold_codes)(const code_fold *fold, size_t words, uint8_t *bytes);

	/* The leaf codes, or numbers, of n trees, up to CURSOR_TREES, split after split, for the first CURSOR_ROWS rows. NULL: none. */
	void (*follow_cursors)(const uint64_t *arena, const cursor_tree *trees, size_t n, uint8_t (*bytes)[BLOCK_ROWS]);

	/* For t = 0 … n - 1 in this order: add to each row's sum the leaf that codes[which[t]] picks from tables[t].
	 * Codes and sums stand in the instruction set's own order. */
	void (*sum_f32)(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
		size_t words, float *sums);
	void (*sum_f64)(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
		size_t words, double *sums);

	/* Put a block of sums into the order of the rows, in place; NULL if they are. */
	void (*order_f32)(float *sums);
	void (*order_f64)(double *sums);

	/* Add to `n_rows` rows the leaves of n oblivious trees over columns of byte codes, BLOCK_ROWS apart; codes and sums are
	 * there, in whatever state, for whole 64 rows. Sums stand in an order of its own, which depends on n_rows and level_order_f64
	 * makes that of the rows. NULL: none. */
	void (*level_sum_f64)(const uint8_t *codes, const level_tree *trees, size_t n, size_t n_rows, double *sums);
	void (*level_order_f64)(double *sums, size_t n_rows);
	uint32_t level_rows; /* of a call or its end, at most: more go to the planes */

	/* The same for a whole block whose predicates are planes, and at most SUM_TREES trees: what gather_bits and sum_f64
	 * do, in one go. `codes` is room for their leaf codes. Sums stand in the order of sum_f64. NULL only with level_sum_f64. */
	void (*level_planes_sum_f64)(const uint64_t *arena, const level_planes *trees, size_t n,
		uint8_t (*codes)[BLOCK_ROWS], double *sums);

	/* The row regime, or NULL: where among all values those of the trees of portions [first, end) are for the codes of n
	 * rows, up to ROW_ROWS, with ROW_COLUMNS codes each, aligned to a cache line. */
	void (*row_leaves)(const row_plan *p, const uint8_t *codes, size_t n, uint32_t first, uint32_t end,
		uint32_t (*at)[ROW_MOST]);
	/* Leaves, with PAGE_LEAF, of some rows in trees of pages, of kinds up to page_columns8 columns of byte codes. NULL: none. */
	void (*page_leaves)(const page_call *call);
	uint32_t page_columns8;
	bool page_split_codes; /* codes of two bytes lie as low bytes of all columns, then high bytes */
	/* ranks[i] = number of cuts of tables[i] that are <= x[i]; NaN gives 0. There if row_leaves is. */
	void (*rank_f32)(const bin_table *tables, const float *x, size_t n, uint8_t *ranks);
	void (*rank_f64)(const bin_table *tables, const double *x, size_t n, uint8_t *ranks);
};

/* What this build has besides plain C. */
#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_X86 1
#else
#define HAVE_X86 0
#endif
#if defined(__aarch64__) && defined(__AARCH64EL__) && defined(__GNUC__)
#define HAVE_NEON 1
#else
#define HAVE_NEON 0
#endif

extern const kernels engine_kernels_portable, engine_kernels_sse42, engine_kernels_avx2, engine_kernels_avx512, engine_kernels_avx512_narrow,
	engine_kernels_neon;

/* NULL if this build has none. */
const kernels *engine_kernels(score_isa isa);

#endif
