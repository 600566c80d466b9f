/*
 * Full trees, or nearly full ones, whose codes take no list of operations.
 *
 * Comes in: a tree that planes.c has measured. Goes out: path codes. Of an oblivious tree, whose levels each ask one question, its
 * predicates are the planes of the code; else full_tree() of the kernels computes them from the predicate of each place.
 */
#include "tree_coder.h"

/* The fixed program has a select for every place of a full tree, but keeps all of them in registers: one of its places
 * costs about two fifths of a listed operation. A tree whose levels each ask one question needs no selects at all. */
static bool prefers_full(const tree_coder *c)
{
	uint32_t height = engine_height_of_tree(c);
	return height >= 3 && height <= FULL_DEPTH && 2u << height < 5u * c->shape.path_ops[0];
}

static void set_place(int32_t child, uint32_t at, uint32_t n_planes, uint16_t *place, uint16_t *leaf_of_code)
{
	uint32_t level = 31u - (uint32_t)__builtin_clz(at + 1), block = 1u << (n_planes - level);
	if (child >= 0)
		place[child] = (uint16_t)at;
	else
		engine_set_leaf(child, block, leaf_of_code + (at + 1 - (1u << level)) * block);
}

/* Path codes are what the fixed program computes: place i's children are at 2 i + 1 and 2 i + 2. */
static void find_places(const tree_coder *c, uint32_t n_planes, uint16_t *place, uint16_t *leaf_of_code)
{
	place[0] = 0;
	for (uint32_t s = 0; s < c->t->n_splits; s++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): a split comes after its parent */
		set_place(c->left[s], 2u * place[s] + 1, n_planes, place, leaf_of_code);
		set_place(c->right[s], 2u * place[s] + 2, n_planes, place, leaf_of_code);
	}
}

/* A full tree whose levels each ask one question; `of_level`: their predicates. */
static bool is_oblivious(const tree_coder *c, const uint16_t *place, uint16_t *of_level)
{
	if (c->t->n_splits != (1u << engine_height_of_tree(c)) - 1)
		return false;
	for (uint32_t s = 0; s < c->t->n_splits; s++) {
		uint32_t level = 31u - (uint32_t)__builtin_clz(place[s] + 1u);
		/* The leftmost place of a level comes first in preorder. */
		if (place[s] + 1u == 1u << level)
			of_level[level] = c->slot_of_split[s];
		else if (c->slot_of_split[s] != of_level[level])
			return false;
	}
	return true;
}

bool engine_code_full(const tree_coder *c, uint32_t n_planes, tree_code *out)
{
	uint16_t place[MAX_SPLITS], of_level[FULL_DEPTH];
	if (!prefers_full(c))
		return false;
	find_places(c, n_planes, place, out->leaf_of_code);
	out->n_planes = n_planes;
	if (is_oblivious(c, place, of_level)) {
		for (uint32_t level = 0; level < engine_height_of_tree(c); level++)
			/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): each has a leftmost place */
			out->planes[n_planes - 1 - level] = of_level[level];
		return true;
	}
	for (uint32_t s = 0; s < c->t->n_splits; s++)
		out->full_slots[place[s]] = c->slot_of_split[s];
	out->full_depth = engine_height_of_tree(c);
	return true;
}
