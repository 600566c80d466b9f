/*
 * The children of a tree's splits, and what is summed up from them.
 *
 * Comes in: a tree whose splits have at least one leaf on each side. Goes out: the two children of each split as numbers, or sums.
 */
#include "forest.h"

bool forest_children_new(const forest *f, const score_allocator *allocator, forest_children *out)
{
	size_t most = 0;
	for (uint32_t t = 0; t < f->n_trees; t++)
		most = f->trees[t].n_splits > most ? f->trees[t].n_splits : most;
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

/* Until a split's turn comes, `left` holds its first leaf and `right` its number of leaves: parents come first. What is a leaf has
 * its turn in a place behind the last split, for whether it is one nobody can predict. */
void forest_list_children(const forest *f, const forest_tree *t, forest_children *to)
{
	int32_t *left = to->left, *right = to->right, behind = (int32_t)t->n_splits;
	left[0] = 0;
	right[0] = behind + 1;
	for (int32_t s = 0; s < behind; s++) {
		int32_t leaf = left[s], n = right[s], k = (int32_t)forest_number(&f->left_leaves, (size_t)t->first_split + (uint32_t)s);
		int32_t below = k == 1 ? behind : s + 1, beside = n - k == 1 ? behind : s + k;
		left[s] = k == 1 ? ~leaf : below;
		right[s] = n - k == 1 ? ~(leaf + k) : beside;
		left[below] = leaf;
		right[below] = k;
		left[beside] = leaf + k;
		right[beside] = n - k;
	}
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
