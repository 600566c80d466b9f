/* Leaf codes and the select program of one tree. */
#ifndef SL_ENGINE_PLANES_H
#define SL_ENGINE_PLANES_H

#include "parts.h"

#define MAX_CODED_LEAVES 256u
#define SLOT_ZERO 0 /* plane of zeros */
#define SLOT_ONES 1 /* plane of ones  */

#define MAX_PLANES 8                 /* of a byte of a code */
#define LONG_PLANES (2 * MAX_PLANES) /* of two bytes; while a code is made, the low one's come first */
#define MAX_OPS ((MAX_CODED_LEAVES - 1) * MAX_PLANES)

typedef struct tree_code {
	uint32_t n_planes;                   /* of the codes that leaf tables go by */
	uint16_t planes[LONG_PLANES];        /* slots, lowest bit first; SLOT_ZERO beyond. Of a long code the high byte's, then the low one's */
	uint16_t leaf_of_code[MAX_CODED_LEAVES]; /* leaf of the tree that each code stands for; unused codes: some leaf */
	uint32_t n_long;                     /* not 0: planes are those of long codes, of which there are so many: 256, 512 or 1,024 */
	uint32_t n_low;                      /* planes of the low byte */
	uint8_t long_first[256], long_exits[256]; /* as in long_codes */
	uint16_t leaf_of_long[MAX_LONG_CODES];
	uint32_t n_scratch;                  /* scratch slots that the program uses */
	uint32_t full_depth;                 /* not 0: use full_slots instead of the program, which is empty */
	uint16_t full_slots[(1u << FULL_DEPTH) - 1]; /* predicate of each place in level order; SLOT_ZERO where none is */
} tree_code;

/* A tree's selects: mask ? b : a. The result of operation i is slot first_scratch + i; what it reads was there before. At most one
 * operation reads a result, once: that of the parent's split for the same plane. */
typedef struct tree_op {
	uint16_t mask, a, b; /* no mask is a result */
} tree_op;

typedef struct tree_ops {
	tree_op ops[MAX_OPS + 1]; /* one more is written before it is known to be none */
	uint32_t n, first_scratch;
} tree_ops;

/* The same for select_pair. */
typedef struct tree_pair {
	uint16_t mask1, a1, b1, mask, b;
	uint16_t dst;
	bool flip;
} tree_pair;

/* Working memory of engine_schedule(). */
typedef struct tree_pairs {
	tree_pair pairs[MAX_OPS];
	uint8_t level[MAX_OPS]; /* of each: longest chain of pairs below it, which is no longer than paths are */
	uint32_t n, n_levels;
} tree_pairs;

/* Append the program of `ops` to `pairs` (select_pair); the planes of `out` that are results become slots. false: out of memory. */
bool engine_schedule(const tree_ops *ops, tree_pairs *room, tree_code *out, sl_vector *pairs);

/* What the instruction set likes: planes that a leaf code has at least, and what a sum over a table of so many planes costs
 * in select operations; what 256, 512 and 1,024 long codes cost more than those of one byte. */
typedef struct coder_rules {
	uint32_t min_planes;
	const uint8_t *sum_cost; /* [9] */
	const uint16_t *long_cost; /* [3] */
} coder_rules;

/* Working memory for one tree after the other; NULL when out of memory. */
typedef struct tree_coder tree_coder;
tree_coder *engine_coder_new(const score_allocator *allocator);
void engine_coder_free(const score_allocator *allocator, tree_coder *coder);

/* Program of tree `t` of a forest: `slot_of_test` maps tests to predicate planes, scratch planes start at
 * `first_scratch`. The program is appended to `pairs` (select_pair). The tree has at most 256 leaves. false: out of memory. */
bool engine_code_tree(tree_coder *coder, const forest *f, const forest_tree *t, const coder_rules *rules,
	const uint16_t *slot_of_test, uint32_t first_scratch, sl_vector *pairs, tree_code *out);

/* The fold of a code of at least 5 bits, and which leaf stands at each place. Returns how many places there are. */
size_t engine_fold_codes(const tree_code *code, code_fold *fold, uint16_t leaf_of_place[MAX_CODED_LEAVES]);

/* Steps of a tree's cursors over the codes of `out`, which engine_code_tree() has just made: one per split, of which there is at
 * least one, appended to `steps` (cursor_step). false: out of memory. */
bool engine_code_steps(const tree_coder *coder, const tree_code *out, sl_vector *steps, uint8_t *start);

/* Numbers of the answers that a tree's predicates can give together. */
typedef struct answer_numbers {
	uint32_t weights[8];       /* what a plane that is 1 adds */
	uint16_t leaf[FEW_VALUES]; /* of the tree, where answers of each number lead */
} answer_numbers;

/* Of answers that no row gives it may be any number. */
static inline uint32_t engine_answer_number(const answer_numbers *numbers, uint32_t answers)
{
	uint32_t number = 0;
	for (uint32_t k = 0; k < 8; k++)
		number += answers >> k & 1 ? numbers->weights[k] : 0;
	return number;
}

/* False: there are more than FEW_VALUES. `runs` are those of the tree's group. */
bool engine_number_answers(const engine *e, const predicate_run *runs, size_t n_runs, const tree_code *code, answer_numbers *out);

#endif
