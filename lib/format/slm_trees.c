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

void slm_rule_ids(slm_leaf_rule rule, uint32_t n_splits, const forest_children *children, uint32_t *scratch, uint32_t *ids)
{
	if (rule == SLM_PREORDER) {
		preorder_ids(n_splits, children->left, ids);
	} else if (rule == SLM_LEVEL_ORDER) {
		level_order_ids(n_splits, children->left, children->right, scratch, ids);
	} else {
		for (uint32_t leaf = 0; leaf <= n_splits; leaf++)
			ids[leaf] = leaf;
	}
}

score_status slm_topology(const forest *f, const score_allocator *allocator, uint32_t *out, score_error *error)
{
	const size_t scratch_bytes = (size_t)f->n_leaves * sizeof(uint32_t);
	uint32_t *ids = sl_alloc(allocator, scratch_bytes, SL_CACHE_LINE);
	forest_children children;
	const bool done = forest_children_new(f, allocator, &children) && ids != NULL;
	size_t first = 0;
	for (uint32_t i = 0; i < f->n_trees && done; i++) {
		const forest_tree *t = f->trees + i;
		const size_t n_nodes = 2 * (size_t)t->n_splits + 1;
		forest_list_children(f, t, &children);
		preorder_ids(t->n_splits, children.left, ids);
		for (size_t k = 0; k < n_nodes; k++)
			out[first + k] = 1;
		for (size_t leaf = 0; leaf <= t->n_splits; leaf++)
			out[first + ids[leaf]] = 0;
		first += n_nodes;
	}
	forest_children_free(allocator, &children);
	sl_free(allocator, ids, scratch_bytes, SL_CACHE_LINE);
	return done ? SCORE_OK : sl_fail_memory(error, scratch_bytes);
}

static bool bit_at(const uint8_t *bytes, uint64_t at)
{
	return bytes[at >> 3] >> (at & 7) & 1;
}

/* One tree from bit `*at` on: the number of its splits. False when bits or splits run out. */
static bool count_tree(const uint8_t *bytes, uint64_t *at, uint64_t end, uint32_t room, uint32_t *n_splits)
{
	const uint64_t begin = *at;
	int64_t open = 1; /* nodes that are announced and not yet seen */
	uint64_t bit = begin;
	for (; open > 0 && bit < end; bit++)
		open += bit_at(bytes, bit) ? 1 : -1;
	const uint64_t splits = (bit - begin) / 2;
	*at = bit;
	*n_splits = (uint32_t)splits;
	return open == 0 && splits <= room;
}

score_status slm_count_trees(const forest *f, const slm_section *section, const uint8_t *bytes, forest_tree *trees,
	score_error *error)
{
	uint64_t at = 0;
	uint32_t splits = 0;
	uint32_t done = 0;
	for (; done < f->n_trees; done++) {
		forest_tree *t = trees + done;
		t->first_split = splits;
		t->first_leaf = splits + done;
		if (!count_tree(bytes, &at, section->count, f->n_splits - splits, &t->n_splits))
			break;
		splits += t->n_splits;
	}
	if (done < f->n_trees || splits != f->n_splits)
		return sl_fail(error, SCORE_ERR_CORRUPT,
			"section topology does not hold %u trees with %u splits (tree %u does not fit); the file is damaged",
			(unsigned)f->n_trees, (unsigned)f->n_splits, (unsigned)done);
	return SCORE_OK;
}

bool slm_shape_tree(slm_topology_cursor *topology, forest_tree *tree, const forest_children *children, void *left_leaves,
	uint32_t number_bytes)
{
	uint32_t n_open = 0;
	uint32_t depth = 0;
	uint32_t split = 0;
	uint32_t leaf = 0;
	uint32_t last = 1; /* bits, the latest lowest */
	int32_t root;
	int32_t *from = &root; /* what leads to the next node */
	tree->depth = 0;
	tree->n_pairs = 0;
	while (leaf <= tree->n_splits) {
		const bool is_split = bit_at(topology->bytes, topology->at++);
		last = (last << 1 | is_split) & 7;
		tree->n_pairs += last == 4; /* a split, a leaf, a leaf */
		*from = is_split ? (int32_t)split : ~(int32_t)leaf;
		if (is_split) {
			if (depth == FOREST_MAX_DEPTH)
				return false;
			from = children->left + split;
			topology->open[n_open++] = (slm_open_split){ split++, leaf, ++depth };
			tree->depth = depth > tree->depth ? depth : tree->depth;
			continue;
		}
		leaf++;
		if (n_open > 0) {
			const slm_open_split *ended = topology->open + --n_open;
			from = children->right + ended->split;
			forest_put_number(left_leaves, number_bytes, (size_t)tree->first_split + ended->split, leaf - ended->first_leaf);
			depth = ended->depth;
		}
	}
	return true;
}
