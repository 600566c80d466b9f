/* Leaf codes and the select program of one tree. */
#ifndef SL_ENGINE_PLANES_H
#define SL_ENGINE_PLANES_H

#include "parts.h"

#define MAX_CODED_LEAVES 256u
#define SLOT_ZERO 0 /* plane of zeros */
#define SLOT_ONES 1 /* plane of ones  */

typedef struct tree_code {
	uint32_t n_planes;
	uint16_t planes[8];                  /* slots, lowest bit first */
	uint16_t leaf_of_code[MAX_CODED_LEAVES]; /* leaf of the tree that each code stands for; unused codes: some leaf */
	uint32_t n_scratch;                  /* scratch slots that the program uses */
	uint32_t full_depth;                 /* not 0: use full_slots instead of the program, which is empty */
	uint16_t full_slots[(1u << FULL_DEPTH) - 1]; /* predicate of each place in level order; SLOT_ZERO where none is */
} tree_code;

/* What the instruction set likes: planes that a leaf code has at least, and what a sum over a table of so many planes costs
 * in select operations. */
typedef struct coder_rules {
	uint32_t min_planes;
	const uint8_t *sum_cost; /* [9] */
} coder_rules;

/* Working memory for one tree after the other; NULL when out of memory. */
typedef struct tree_coder tree_coder;
tree_coder *engine_coder_new(const score_allocator *allocator);
void engine_coder_free(const score_allocator *allocator, tree_coder *coder);

/* Program of tree `t` of a forest: `slot_of_test` maps tests to predicate planes, scratch planes start at
 * `first_scratch`. Operations are appended to `ops` (select_op). The tree has at most 256 leaves. false: out of memory. */
bool engine_code_tree(tree_coder *coder, const forest *f, const forest_tree *t, const coder_rules *rules,
	const uint16_t *slot_of_test, uint32_t first_scratch, sl_vector *ops, tree_code *out);

/* The fold of a code of at least 5 bits, and which leaf stands at each place. Returns how many places there are. */
size_t engine_fold_codes(const tree_code *code, code_fold *fold, uint8_t leaf_of_place[MAX_CODED_LEAVES]);

/* Steps of a tree's cursors over the codes of `out`, which engine_code_tree() has just made: one per split, of which there is at
 * least one, appended to `steps` (cursor_step). false: out of memory. */
bool engine_code_steps(const tree_coder *coder, const tree_code *out, sl_vector *steps, uint8_t *start);

#endif
