/* What codes of a tree are made from, one tree after the other: planes.c and full_trees.c. */
#ifndef SL_ENGINE_TREE_CODER_H
#define SL_ENGINE_TREE_CODER_H

#include "planes.h"

#define MAX_SPLITS (MAX_CODED_LEAVES - 1)
#define NO_SPLIT MAX_SPLITS /* stands for all leaves where splits are numbered */

/* Of a split, and of a leaf at NO_SPLIT. */
typedef struct tree_shape {
	uint8_t height[MAX_SPLITS + 1];
	uint16_t n_leaves[MAX_SPLITS + 1];
	uint16_t first_leaf[MAX_SPLITS];
	uint16_t path_ops[MAX_SPLITS + 1]; /* selects that path codes need, if they fit */
	uint16_t packed_ops[MAX_SPLITS + 1]; /* that packed codes need at least */
} tree_shape;

/* Bit k: some code below a split, or of a leaf, has 0 in plane k; bit 16 + k: some has 1. Codes do not depend on planes with neither. */
typedef uint32_t plane_values;

/* Where the high byte of long codes ends: a leaf or a split, and the high codes that lead there. */
typedef struct code_exit {
	int16_t child;
	uint16_t n_high;
	uint8_t high;
	uint8_t fewest, most; /* planes of its low codes */
	uint8_t planes;
	uint16_t code;        /* the first of them among those of all exits */
} code_exit;

/* One of the ways to code a tree. */
typedef struct coding {
	uint32_t planes; /* of short codes, or of the leaf numbers that long codes lead to */
	bool is_long;
	uint32_t more;   /* low planes of exits beyond those that their leaves need */
} coding;

struct tree_coder {
	const forest_tree *t;
	int32_t left[MAX_SPLITS + 1], right[MAX_SPLITS + 1]; /* splits, or ~leaf */
	uint8_t left_split[MAX_SPLITS], right_split[MAX_SPLITS]; /* the same with NO_SPLIT for leaves: they are not worth a branch */
	uint16_t slot_of_split[MAX_SPLITS];
	tree_shape shape;
	code_exit exits[MAX_CODED_LEAVES];
	uint32_t n_exits, n_codes; /* of all exits */
	/* Of the codes at hand, by split; at NO_SPLIT is anything. */
	uint16_t code[MAX_SPLITS + 1]; /* the first of its block */
	uint8_t planes[MAX_SPLITS + 1]; /* that it and what is below it may use */
	bool packed[MAX_SPLITS + 1];
	plane_values values[MAX_SPLITS + 1];
	uint16_t slots[MAX_SPLITS + 1][LONG_PLANES]; /* of planes that are 0 and 1 */
	tree_ops ops;
	tree_pairs pairs;
};

static inline uint32_t engine_height_of_tree(const tree_coder *c)
{
	return c->t->n_splits ? c->shape.height[0] : 0;
}

/* A leaf's codes; nothing for a split. */
static inline void engine_set_leaf(int32_t child, uint32_t n, uint16_t *leaf_of_code)
{
	for (uint32_t i = 0; i < n && child < 0; i++)
		leaf_of_code[i] = (uint16_t)~child;
}

/* Path codes of `n_planes` bits without a list of operations: by the fixed program, or with predicates for planes. False: they would
 * cost more than others. The tree is measured. */
bool engine_code_full(const tree_coder *c, uint32_t n_planes, tree_code *out);

#endif
