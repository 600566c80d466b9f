/*
 * Eight rows through a tree at a time, for small nodes of trees that a first-level cache holds: the walks stay in registers,
 * and the rows share what they load.
 *
 * Comes in: rows that are values, a model of one output. Goes out: sums, tree after tree. Codes lie column after column, so that
 * a node's column and a constant say where a row's code is.
 */
#include "parts.h"

#define ROWS 8
#define MOST_COLUMNS 256u /* small nodes have no more */
#define MOST_NODES_OF_TREE 2048u     /* 8 KB */
#define MOST_NODES ((size_t)1 << 19) /* of a model: two second-level caches */
#define MOST_NEAR_NODES 65536u       /* of a model that stays in the second-level cache, with its values */
#define AHEAD 2                      /* trees, of another model */
#define UNSEEN 8u                    /* steps before anybody asks whether all rows have arrived */

bool engine_fits_eight(const engine *e, uint32_t most_splits)
{
	const forest *f = e->f;
	return e->walk.small_nodes && 2 * most_splits + 1 <= MOST_NODES_OF_TREE &&
		(size_t)f->n_splits + f->n_leaves <= MOST_NODES && f->contract.n_outputs == 1 && !engine_has_linear_leaves(e);
}

bool engine_walks_eight(const engine *e, const engine_call *call)
{
	return e->walk.eight && call->output != SCORE_OUTPUT_LEAF && !call->view->codes;
}

#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define START(r) uint32_t a##r = 0;
#define STEP(r) \
	a##r = nodes[a##r].left + (uint32_t)(codes[(size_t)ROWS * nodes[a##r].column + (r)] > nodes[a##r].cut);
#define ARRIVED(r) &nodes[a##r].cut
#define PADDED(r) &(nodes[a##r].column >= n_columns)
#define STORE(r) arrived[r] = how == LEAF_COLUMNS ? nodes[a##r].column : how == LEAF_NODES ? a##r : \
	(uint32_t)(nodes[a##r].column - n_columns) << 8 | nodes[a##r].cut;

/* What says which leaf a node is. */
typedef enum leaf_mark { LEAF_COLUMNS, LEAF_PADS, LEAF_NODES } leaf_mark;

/* Only leaves have the highest cut, or columns behind those of the model. */
static ALWAYS_INLINE void follow_tree(const walk_small_node *nodes, uint32_t depth, const uint8_t *codes, uint32_t n_columns, leaf_mark how,
	uint32_t *arrived)
{
	uint32_t d = 0;
	EACH(START)
	for (; d < depth && d < UNSEEN; d++) {
		EACH(STEP)
	}
	for (; d < depth && !(how == LEAF_PADS ? (1 EACH(PADDED)) : (UINT8_MAX EACH(ARRIVED)) == UINT8_MAX); d += 2) {
		EACH(STEP)
		EACH(STEP)
	}
	EACH(STORE)
}

/* Eight rows come by many of a tree's nodes, and each would wait for memory. */
static void fetch_tree(const engine *e, uint32_t tree)
{
	const char *nodes = (const char *)(e->walk.small_nodes + e->walk.trees[tree].first_node);
	size_t bytes = (2 * (size_t)e->f->trees[tree].n_splits + 1) * sizeof *e->walk.small_nodes;
	for (size_t i = 0; i < bytes; i += SL_CACHE_LINE)
		__builtin_prefetch(nodes + i);
}

/* Where the rows' leaves of a tree lie among all values. */
static ALWAYS_INLINE void find_leaves(const engine *e, uint32_t tree, const uint8_t *codes, bool far, leaf_mark how, uint32_t *leaves)
{
	const walk_plan *w = &e->walk;
	const walk_tree *t = w->trees + tree;
	follow_tree(w->small_nodes + t->first_node, t->depth, codes, e->n_columns, how, leaves);
	for (size_t r = 0; r < ROWS; r++)
		leaves[r] += t->first_place;
	for (size_t r = 0; r < ROWS && far; r++) {
		if (w->values_f32)
			__builtin_prefetch(w->values_f32 + leaves[r]);
		else
			__builtin_prefetch(w->values_f64 + leaves[r]);
	}
}

/* Values of a tree are added after the next tree was walked: by then they are there, even if they were far. */
static ALWAYS_INLINE void sum_trees(const engine *e, const engine_call *call, const uint8_t *codes, bool far, leaf_mark how,
	double *sums)
{
	const float *narrow_values = e->walk.values_f32;
	const double *values = e->walk.values_f64;
	uint32_t leaves[2][ROWS];
	float narrow[ROWS];
	for (size_t r = 0; r < ROWS; r++)
		narrow[r] = (float)sums[r];
	for (uint32_t t = call->tree_begin; t <= call->tree_end; t++) {
		const uint32_t *before = leaves[(t - 1) % 2];
		if (far && t + AHEAD < call->tree_end)
			fetch_tree(e, t + AHEAD);
		if (t < call->tree_end)
			find_leaves(e, t, codes, far, how, leaves[t % 2]);
		for (size_t r = 0; r < ROWS && t > call->tree_begin && narrow_values; r++)
			narrow[r] += narrow_values[before[r]];
		for (size_t r = 0; r < ROWS && t > call->tree_begin && values; r++)
			sums[r] += values[before[r]];
	}
	for (size_t r = 0; r < ROWS && narrow_values; r++)
		sums[r] = (double)narrow[r];
}

void engine_walk_eight(const engine *e, const engine_call *call, row_range rows)
{
	uint8_t codes[ROWS * MOST_COLUMNS];
	double sums[ROWS];
	size_t width = engine_output_width(e, call->output, 0);
	leaf_mark how = e->walk.numbered ? LEAF_COLUMNS : e->walk.n_pads ? LEAF_PADS : LEAF_NODES;
	memset(codes, 0, ROWS * (e->walk.read_codes > engine_row_codes(e) ? e->walk.read_codes : engine_row_codes(e)));
	engine_bin_eight(e, call->view, rows, codes);
	for (size_t r = 0; r < ROWS; r++)
		engine_start_sums(e->f, sums + r);
	if ((size_t)e->f->n_splits + e->f->n_leaves > MOST_NEAR_NODES)
		sum_trees(e, call, codes, true, how, sums);
	else if (how == LEAF_COLUMNS)
		sum_trees(e, call, codes, false, LEAF_COLUMNS, sums);
	else if (how == LEAF_PADS)
		sum_trees(e, call, codes, false, LEAF_PADS, sums);
	else
		sum_trees(e, call, codes, false, LEAF_NODES, sums);
	for (size_t r = 0; r < rows.n; r++)
		engine_finish_row(e, call, sums + r, engine_row_out(call, rows.first + (int64_t)r, width));
}
