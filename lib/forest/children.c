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

/* Until a split's turn comes, `left` holds its first leaf and `right` its number of leaves: parents come first. */
void forest_list_children(const forest *f, const forest_tree *t, forest_children *to)
{
	if (t->n_splits) {
		to->left[0] = 0;
		to->right[0] = (int32_t)t->n_splits + 1;
	}
	for (uint32_t s = 0; s < t->n_splits; s++) {
		int32_t leaf = to->left[s], n = to->right[s], split = (int32_t)s;
		int32_t k = (int32_t)forest_number(&f->left_leaves, (size_t)t->first_split + s);
		to->left[s] = k == 1 ? ~leaf : split + 1;
		to->right[s] = n - k == 1 ? ~(leaf + k) : split + k;
		if (k > 1) {
			to->left[split + 1] = leaf;
			to->right[split + 1] = k;
		}
		if (n - k > 1) {
			to->left[split + k] = leaf + k;
			to->right[split + k] = n - k;
		}
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
