/*
 * Nodes of the walk regime: each tree breadth-first, siblings adjacent, leaves leading to themselves.
 *
 * next = left + (code > cut) needs no branch, and a lane that has arrived stays where it is.
 */
#include "parts.h"

typedef struct node_maker {
	engine *e;
	walk_small_node *small;
	walk_node *nodes;
	walk_wide_node *wide;
	void *leaf_of_node;
	uint32_t leaf_bytes;
	float *values_f32;
	double *values_f64;
	int32_t *queue; /* split or ~leaf of each node of the tree at hand */
} node_maker;

static void put(node_maker *m, size_t at, uint32_t left, uint32_t column, uint32_t cut)
{
	if (m->small)
		m->small[at] = (walk_small_node){(uint16_t)left, (uint8_t)column, (uint8_t)cut};
	else if (m->nodes)
		m->nodes[at] = (walk_node){left, (uint16_t)column, (uint16_t)cut};
	else
		m->wide[at] = (walk_wide_node){left, column, cut};
}

static void put_leaf(node_maker *m, size_t at, uint32_t first_leaf, uint32_t leaf)
{
	forest_put_number(m->leaf_of_node, m->leaf_bytes, at, leaf);
	if (m->values_f32)
		m->values_f32[at] = (float)m->e->f->leaves[first_leaf + leaf];
	if (m->values_f64)
		m->values_f64[at] = m->e->f->leaves[first_leaf + leaf];
}

static void make_tree(node_maker *m, uint32_t number, size_t first_node)
{
	const engine *e = m->e;
	const forest *f = e->f;
	const forest_tree *t = f->trees + number;
	uint32_t n = 1;
	m->queue[0] = t->n_splits ? 0 : ~0;
	for (uint32_t i = 0; i < n; i++) {
		int32_t item = m->queue[i];
		size_t at = first_node + i;
		if (item < 0) {
			/* The highest code is never above this cut. */
			put(m, at, i, 0, e->code_bytes == 1 ? UINT8_MAX : e->code_bytes == 2 ? UINT16_MAX : UINT32_MAX);
			put_leaf(m, at, t->first_leaf, (uint32_t)~item);
			continue;
		}
		uint32_t split = t->first_split + (uint32_t)item;
		const question *q = e->questions + f->split_test[split];
		uint32_t set = e->columns[q->column].is_category ? WALK_SET : 0;
		put(m, at, n | set, q->column, q->cut);
		m->queue[n++] = f->left[split];
		m->queue[n++] = f->right[split];
	}
}

static bool small_nodes_fit(const engine *e, size_t most_splits)
{
	for (uint32_t c = 0; c < e->n_columns; c++) {
		if (e->columns[c].is_category)
			return false;
	}
	return e->code_bytes == 1 && e->n_columns <= UINT8_MAX + 1u && 2 * most_splits + 1 <= UINT16_MAX + (size_t)1;
}

score_status engine_make_walk(engine *e, sl_arena *arena, score_error *error)
{
	const forest *f = e->f;
	size_t n_nodes = (size_t)f->n_splits + f->n_leaves, most = 0;
	node_maker m = {.e = e};
	walk_tree *trees = sl_arena_alloc(arena, f->n_trees, sizeof *trees);
	for (uint32_t t = 0; t < f->n_trees; t++)
		most = f->trees[t].n_splits > most ? f->trees[t].n_splits : most;
	m.leaf_bytes = forest_number_bytes((uint32_t)most);
	m.leaf_of_node = sl_arena_alloc(arena, n_nodes, m.leaf_bytes);
	if (small_nodes_fit(e, most))
		m.small = sl_arena_alloc(arena, n_nodes, sizeof *m.small);
	else if (e->code_bytes < 4)
		m.nodes = sl_arena_alloc(arena, n_nodes, sizeof *m.nodes);
	else
		m.wide = sl_arena_alloc(arena, n_nodes, sizeof *m.wide);
	bool narrow = f->contract.sum == SCORE_F32, scalar = f->leaf_width == 1;
	if (scalar && narrow)
		m.values_f32 = sl_arena_alloc(arena, n_nodes, sizeof *m.values_f32);
	else if (scalar)
		m.values_f64 = sl_arena_alloc(arena, n_nodes, sizeof *m.values_f64);
	size_t queue_bytes = (2 * most + 1) * sizeof *m.queue;
	m.queue = sl_alloc(&arena->allocator, queue_bytes, 64);
	if (!trees || !m.leaf_of_node || (!m.small && !m.nodes && !m.wide) || !m.queue ||
		(scalar && !m.values_f32 && !m.values_f64)) {
		sl_free(&arena->allocator, m.queue, queue_bytes, 64);
		return sl_fail_memory(error, n_nodes * sizeof(walk_node));
	}
	size_t first = 0;
	for (uint32_t t = 0; t < f->n_trees; t++) {
		make_tree(&m, t, first);
		trees[t] = (walk_tree){(uint32_t)first, f->trees[t].depth};
		first += 2 * (size_t)f->trees[t].n_splits + 1;
	}
	sl_free(&arena->allocator, m.queue, queue_bytes, 64);
	e->walk = (walk_plan){m.small, m.nodes, m.wide, {m.leaf_of_node, m.leaf_bytes}, m.values_f32, m.values_f64, trees, false,
		(uint32_t)(2 * most + 1), false};
	for (uint32_t c = 0; c < e->n_columns; c++)
		e->walk.has_sets |= e->columns[c].is_category;
	e->walk.eight = engine_fits_eight(e);
	return SCORE_OK;
}
