/*
 * Tree shapes: preorder bits from the child arrays and back, and the numbering rules of leaves.
 *
 * Comes in: a checked forest to write; or untrusted bits to read, whose number was checked against the counts. Goes out:
 * bits; or trees whose children are in range. No recursion: a path lives in the arrays that are being filled.
 */
#include "slm_layout.h"

/* A leaf's number in preorder is its place among the leaves plus the splits met before it: all up to its parent when it
 * is a left child. A right child that is a leaf comes directly after the leaf before it. */
static void preorder_ids(uint32_t n_splits, const int32_t *left, uint32_t *ids)
{
	memset(ids, 0, ((size_t)n_splits + 1) * sizeof *ids);
	for (uint32_t s = 0; s < n_splits; s++) {
		if (left[s] < 0)
			ids[~left[s]] = s + 1 + (uint32_t)~left[s];
	}
	for (uint32_t leaf = 1; leaf <= n_splits; leaf++) {
		if (ids[leaf] == 0)
			ids[leaf] = ids[leaf - 1] + 1;
	}
}

static void level_order_ids(uint32_t n_splits, const int32_t *left, const int32_t *right, uint32_t *queue, uint32_t *ids)
{
	uint32_t queued = 1;
	uint32_t next = 1;
	ids[0] = 0;
	if (n_splits == 0)
		return;
	queue[0] = 0;
	for (uint32_t i = 0; i < n_splits; i++) {
		const int32_t child[2] = { left[queue[i]], right[queue[i]] };
		for (int side = 0; side < 2; side++, next++) {
			if (child[side] < 0)
				ids[~child[side]] = next;
			else
				queue[queued++] = (uint32_t)child[side];
		}
	}
}

void slm_rule_ids(slm_leaf_rule rule, uint32_t n_splits, const int32_t *left, const int32_t *right,
	uint32_t *scratch, uint32_t *ids)
{
	if (rule == SLM_PREORDER) {
		preorder_ids(n_splits, left, ids);
	} else if (rule == SLM_LEVEL_ORDER) {
		level_order_ids(n_splits, left, right, scratch, ids);
	} else {
		for (uint32_t leaf = 0; leaf <= n_splits; leaf++)
			ids[leaf] = leaf;
	}
}

score_status slm_topology(const forest *f, const score_allocator *allocator, uint32_t *out, score_error *error)
{
	const size_t scratch_bytes = (size_t)f->n_leaves * sizeof(uint32_t);
	uint32_t *ids = sl_alloc(allocator, scratch_bytes, SL_CACHE_LINE);
	size_t first = 0;
	if (ids == NULL)
		return sl_fail_memory(error, scratch_bytes);
	for (uint32_t i = 0; i < f->n_trees; i++) {
		const forest_tree *t = f->trees + i;
		const size_t n_nodes = 2 * (size_t)t->n_splits + 1;
		preorder_ids(t->n_splits, f->left + t->first_split, ids);
		for (size_t k = 0; k < n_nodes; k++)
			out[first + k] = 1;
		for (size_t leaf = 0; leaf <= t->n_splits; leaf++)
			out[first + ids[leaf]] = 0;
		first += n_nodes;
	}
	sl_free(allocator, ids, scratch_bytes, SL_CACHE_LINE);
	return SCORE_OK;
}

typedef struct bit_cursor {
	const uint8_t *bytes;
	uint64_t at;
	uint64_t end;
} bit_cursor;

typedef struct tree_room {
	uint32_t splits;
	uint32_t leaves;
} tree_room;

/* One tree from the next bits. `left` and `right` start at its first split; a split that still waits for its right
 * child keeps the one that waited before it in `right`. False when bits, splits or leaves run out. */
static bool next_tree(bit_cursor *bits, tree_room room, forest_tree *tree, int32_t *left, int32_t *right,
	uint32_t *depth)
{
	uint32_t n_leaves = 0;
	int32_t waiting = -1; /* last split without right child */
	int32_t above = -1;   /* split whose left child is next */
	do {
		/* There are as many bits as splits and leaves, and an unfinished tree has had fewer of one of them. */
		if (SL_NEVER(bits->at == bits->end))
			return false;
		const bool split = bits->bytes[bits->at >> 3] >> (bits->at & 7) & 1;
		bits->at++;
		if (split ? tree->n_splits == room.splits : n_leaves == room.leaves)
			return false;
		const int32_t node = split ? (int32_t)tree->n_splits++ : ~(int32_t)n_leaves++;
		int32_t parent = above;
		if (above >= 0) {
			left[above] = node;
			right[above] = waiting;
			waiting = above;
		} else if (waiting >= 0) {
			parent = waiting;
			waiting = right[parent];
			right[parent] = node;
		}
		above = split ? node : -1;
		if (split) {
			depth[node] = parent < 0 ? 1 : depth[parent] + 1;
			tree->depth = depth[node] > tree->depth ? depth[node] : tree->depth;
		}
	} while (above >= 0 || waiting >= 0);
	return true;
}

score_status slm_trees_from_topology(const forest *f, const slm_section *section, const uint8_t *bytes,
	const score_allocator *allocator, forest_tree *trees, int32_t *left, int32_t *right, score_error *error)
{
	const size_t scratch_bytes = ((size_t)f->n_splits + 1) * sizeof(uint32_t);
	bit_cursor bits = { bytes, 0, section->count };
	uint32_t splits = 0;
	uint32_t leaves = 0;
	uint32_t done = 0;
	uint32_t *depth = sl_alloc(allocator, scratch_bytes, SL_CACHE_LINE);
	if (depth == NULL)
		return sl_fail_memory(error, scratch_bytes);
	for (; done < f->n_trees; done++) {
		forest_tree *t = trees + done;
		const tree_room room = { f->n_splits - splits, f->n_leaves - leaves };
		t->first_split = splits;
		t->first_leaf = leaves;
		if (!next_tree(&bits, room, t, left + splits, right + splits, depth))
			break;
		splits += t->n_splits;
		leaves += t->n_splits + 1;
	}
	sl_free(allocator, depth, scratch_bytes, SL_CACHE_LINE);
	if (done < f->n_trees || splits != f->n_splits)
		return sl_fail(error, SCORE_ERR_CORRUPT,
			"section topology does not hold %u trees with %u splits (tree %u does not fit); the file is damaged",
			(unsigned)f->n_trees, (unsigned)f->n_splits, (unsigned)done);
	return SCORE_OK;
}
