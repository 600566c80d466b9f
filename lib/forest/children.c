/*
 * The children of a tree's splits, and what is summed up from them.
 *
 * Comes in: a tree whose splits have at least one leaf on each side. Goes out: the two children of each split as numbers, or sums.
 */
#include "forest.h"

uint32_t forest_most_splits(const forest *f)
{
	uint32_t most = 0;
	for (uint32_t t = 0; t < f->n_trees; t++)
		most = f->trees[t].n_splits > most ? f->trees[t].n_splits : most;
	return most;
}

bool forest_children_new(const forest *f, const score_allocator *allocator, forest_children *out)
{
	const size_t most = forest_most_splits(f);
	out->bytes = 2 * (most + 1) * sizeof *out->left;
	out->left = sl_alloc(allocator, out->bytes, SL_CACHE_LINE);
	out->right = out->left ? out->left + most + 1 : NULL;
	return out->left != NULL;
}

void forest_children_free(const score_allocator *allocator, forest_children *children)
{
	sl_free(allocator, children->left, children->bytes, SL_CACHE_LINE);
	*children = (forest_children){NULL, NULL, 0};
}

static inline int32_t choose(bool second, int32_t a, int32_t b)
{
	return a ^ ((a ^ b) & -(int32_t)second);
}

/* Until a split's turn comes, `left` holds its first leaf and `right` its number of leaves. Whether a side is a leaf nobody can
 * predict, so there are no branches: a leaf has its turn behind the last split, and what comes next is chosen from three. */
static inline void list_children(const forest_numbers left_leaves, const forest_tree *t, const forest_children *to)
{
	const size_t first = t->first_split;
	int32_t *restrict left = to->left, *restrict right = to->right;
	int32_t behind = (int32_t)t->n_splits, leaf = 0, n = behind + 1;
	for (int32_t s = 0; s < behind; s++) {
		int32_t k = (int32_t)forest_number(&left_leaves, first + (uint32_t)s), rest = n - k, after = leaf + k;
		bool left_ends = k == 1, right_ends = rest == 1;
		int32_t beside = choose(right_ends, s + k, behind);
		int32_t waiting_leaf = left[s + 1], waiting_n = right[s + 1];
		left[s] = choose(left_ends, s + 1, ~leaf);
		right[s] = choose(right_ends, beside, ~after);
		left[beside] = after;
		right[beside] = rest;
		leaf = choose(left_ends, leaf, choose(right_ends, after, waiting_leaf));
		n = choose(left_ends, k, choose(right_ends, rest, waiting_n));
	}
}

void forest_list_children(const forest *f, const forest_tree *t, const forest_children *to)
{
	/* A loop of its own for trees of up to 256 leaves. */
	if (f->left_leaves.bytes == 1)
		list_children((forest_numbers){f->left_leaves.values, 1}, t, to);
	else
		list_children(f->left_leaves, t, to);
}

static double cover_below(const forest *f, const forest_tree *t, int32_t child, const double *sums)
{
	return child < 0 ? forest_weight(&f->leaf_covers, (size_t)t->first_leaf + (uint32_t)~child) : sums[child];
}

/* A split stands before its children. */
void forest_sum_covers(const forest *f, const forest_tree *t, const forest_children *children, double *sums)
{
	for (uint32_t s = t->n_splits; s-- > 0;)
		sums[s] = cover_below(f, t, children->left[s], sums) + cover_below(f, t, children->right[s], sums);
}
