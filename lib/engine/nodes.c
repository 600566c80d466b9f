/*
 * Nodes of the walk regime: each tree breadth-first, siblings adjacent, leaves leading to themselves, pairs with a leaf after those
 * of two splits.
 *
 * next = left + (code > cut) needs no branch, and a lane that has arrived stays where it is: a leaf's column and cut decide nothing, and
 * may say its number, which leads to the forest's own value. Models that the row regime serves have no nodes.
 */
#include "parts.h"

#define NUMBERED_LEAVES 256u /* of a tree: so many codes of a row are read for their sake, if it has fewer */

/* A split whose node has its number, counted within the tree. */
typedef struct numbered_split {
	forest_side at;
	uint32_t node;
} numbered_split;

typedef struct node_maker {
	engine *e;
	walk_small_node *small;
	walk_columns_node *columns;
	walk_cuts_node *cuts;
	walk_short_node *shorts;
	walk_node *nodes;
	walk_wide_node *wide;
	bool numbered;       /* leaves have their numbers for columns */
	uint32_t n_pads;     /* not 0: they have their numbers from e->n_columns and 0 on */
	uint32_t cut_bits;
	void *leaf_of_place; /* and values, where leaves have no numbers and the forest's values do not serve */
	uint32_t leaf_bytes;
	float *values_f32;
	double *values_f64;
	walk_tree *trees;
	/* Splits of the tree at hand whose children have no nodes yet, in a ring: none is above another, so that they are at most half of
	 * the tree's, and one. */
	numbered_split *queue;
	size_t room, first, n_queued;
} node_maker;

static void put(node_maker *m, size_t at, uint32_t left, uint32_t column, uint32_t cut)
{
	if (m->small)
		m->small[at] = (walk_small_node){(uint16_t)left, (uint8_t)column, (uint8_t)cut};
	else if (m->columns)
		m->columns[at] = (walk_columns_node){(uint16_t)column, (uint8_t)left, (uint8_t)cut};
	else if (m->cuts)
		m->cuts[at] = (walk_cuts_node){(uint16_t)cut, (uint8_t)left, (uint8_t)column};
	else if (m->shorts)
		m->shorts[at] = (walk_short_node){(uint16_t)left, (uint16_t)column, (uint16_t)cut};
	else if (m->nodes)
		m->nodes[at] = (walk_node){left, (uint16_t)column, (uint16_t)cut};
	else
		m->wide[at] = (walk_wide_node){left, column, cut};
}

static void put_leaf(node_maker *m, uint32_t number, uint32_t node, uint32_t leaf)
{
	const engine *e = m->e;
	const uint32_t in_tree = leaf - e->f->trees[number].first_leaf;
	const size_t at = m->trees[number].first_node + (size_t)node;
	if (m->n_pads)
		put(m, at, node, e->n_columns + (uint32_t)((uint64_t)in_tree >> m->cut_bits), in_tree);
	else /* the highest code is never above this cut */
		put(m, at, node, m->numbered ? in_tree : 0, e->code_bytes == 1 ? UINT8_MAX : e->code_bytes == 2 ? UINT16_MAX : UINT32_MAX);
	const uint32_t place = m->trees[number].first_place + node;
	if (m->leaf_of_place)
		forest_put_number(m->leaf_of_place, m->leaf_bytes, place, in_tree);
	if (m->values_f32)
		m->values_f32[place] = (float)forest_real(&e->f->leaves, leaf);
	if (m->values_f64)
		m->values_f64[place] = forest_real(&e->f->leaves, leaf);
}

static void put_split(node_maker *m, uint32_t number, const numbered_split *split, uint32_t left)
{
	const engine *e = m->e;
	const question q = question_at(&e->questions, forest_number(&e->f->split_test, split->at.split));
	const size_t at = m->trees[number].first_node + (size_t)split->node;
	if (!e->columns[q.column].is_category)
		put(m, at, left, q.column, q.cut);
	else if (m->nodes || m->wide)
		put(m, at, left | WALK_SET, q.column, q.cut);
	else
		put(m, at, left, q.column, q.cut | WALK_CUT_SET);
}

/* Nodes before the first pair with a leaf: the root and the pairs of two splits, of which there is one less than pairs of leaves. */
static uint32_t n_inner(const forest_tree *t)
{
	return t->n_splits ? 2 * t->n_pairs - 1 : 0;
}

/* A side of a split becomes a node. */
static void put_side(node_maker *m, uint32_t number, forest_side side, uint32_t node)
{
	size_t last = m->first + m->n_queued;
	if (forest_is_leaf(&side)) {
		put_leaf(m, number, node, side.leaf);
		return;
	}
	m->queue[last < m->room ? last : last - m->room] = (numbered_split){side, node};
	m->n_queued++;
}

static numbered_split take_split(node_maker *m)
{
	const numbered_split split = m->queue[m->first];
	m->first = m->first + 1 < m->room ? m->first + 1 : 0;
	m->n_queued--;
	return split;
}

static void make_tree(node_maker *m, uint32_t number)
{
	const forest *f = m->e->f;
	const forest_tree *t = f->trees + number;
	uint32_t next_inner = 1, next_outer = n_inner(t);
	put_side(m, number, forest_whole(t), 0);
	while (m->n_queued) {
		const numbered_split split = take_split(m);
		const forest_side left = forest_left(f, &split.at), right = forest_right(f, &split.at);
		bool inner = !forest_is_leaf(&left) && !forest_is_leaf(&right);
		uint32_t node = inner ? next_inner : next_outer;
		next_inner += inner ? 2 : 0;
		next_outer += inner ? 0 : 2;
		put_split(m, number, &split, node);
		put_side(m, number, left, node);
		put_side(m, number, right, node + 1);
	}
}

/* Codes behind those of a row that leaves of trees with so many splits need, if cuts have so many bits. */
static size_t count_pads(size_t most_splits, uint32_t cut_bits)
{
	return (size_t)((uint64_t)most_splits >> cut_bits) + 1;
}

/* One bit of the cuts of two bytes is free for marks: codes of cuts, tables and leaves have less. */
static bool marks_fit(const engine *e, size_t most_splits)
{
	bool fit = most_splits < WALK_CUT_SET && e->n_tables <= WALK_CUT_SET;
	for (uint32_t u = 0; u < e->n_used_features; u++)
		fit = fit && e->bins[u].n <= WALK_CUT_SET;
	return fit;
}

static bool short_nodes_fit(const engine *e, size_t most_splits)
{
	return e->code_bytes <= 2 && 2 * most_splits + 1 <= UINT16_MAX + (size_t)1 && (!e->tables || marks_fit(e, most_splits));
}

static bool few_nodes_fit(const engine *e, size_t most_splits)
{
	return 2 * most_splits + 1 <= UINT8_MAX + 1u && short_nodes_fit(e, most_splits);
}

static bool small_nodes_fit(const engine *e, size_t most_splits, bool padded)
{
	const size_t pads = padded ? count_pads(most_splits, 8) : 0;
	return e->code_bytes == 1 && !e->tables && e->n_columns + pads <= UINT8_MAX + 1u && short_nodes_fit(e, most_splits);
}

bool engine_has_small_nodes(const engine *e, size_t most_splits)
{
	return small_nodes_fit(e, most_splits, true);
}

static size_t value_bytes(const forest *f)
{
	return f->contract.sum == SCORE_F32 ? sizeof(float) : sizeof(double);
}

const void *engine_leaf_values(const forest *f, sl_arena *arena)
{
	if (f->leaves.bytes == value_bytes(f))
		return f->leaves.values;
	void *values = sl_arena_alloc(arena, f->n_leaves, value_bytes(f));
	for (uint32_t i = 0; values && i < f->n_leaves; i++) {
		if (f->contract.sum == SCORE_F32)
			((float *)values)[i] = (float)forest_real(&f->leaves, i);
		else
			((double *)values)[i] = forest_real(&f->leaves, i);
	}
	return values;
}

/* Leaves lie by place as the forest has them, and as wide as sums: all of each tree are on one level. */
static bool shares_leaves(const forest *f)
{
	bool shared = f->leaf_width == 1 && f->leaves.bytes == value_bytes(f);
	for (uint32_t t = 0; t < f->n_trees && shared; t++)
		shared = f->trees[t].depth < 32 && f->trees[t].n_splits == ((uint32_t)1 << f->trees[t].depth) - 1;
	return shared;
}

/* Leaf numbers and values by place; false: no memory. */
static bool take_leaves(node_maker *m, sl_arena *arena, size_t most_splits, size_t n_places)
{
	const forest *f = m->e->f;
	bool narrow = f->contract.sum == SCORE_F32, scalar = f->leaf_width == 1;
	m->leaf_bytes = forest_number_bytes((uint32_t)most_splits);
	m->leaf_of_place = sl_arena_alloc(arena, n_places, m->leaf_bytes);
	if (scalar && narrow)
		m->values_f32 = sl_arena_alloc(arena, n_places, sizeof *m->values_f32);
	else if (scalar)
		m->values_f64 = sl_arena_alloc(arena, n_places, sizeof *m->values_f64);
	return m->leaf_of_place && (!scalar || m->values_f32 || m->values_f64);
}

/* Room for what all trees have; false: no memory. */
static bool take_room(node_maker *m, sl_arena *arena, size_t most_splits, bool padded)
{
	const engine *e = m->e;
	size_t n_nodes = (size_t)e->f->n_splits + e->f->n_leaves;
	if (small_nodes_fit(e, most_splits, padded))
		m->small = sl_arena_alloc(arena, n_nodes, sizeof *m->small);
	else if (e->code_bytes == 1 && !e->tables && few_nodes_fit(e, most_splits))
		m->columns = sl_arena_alloc(arena, n_nodes, sizeof *m->columns);
	else if (e->n_columns + (padded ? 1 : 0) <= UINT8_MAX + 1u && few_nodes_fit(e, most_splits))
		m->cuts = sl_arena_alloc(arena, n_nodes, sizeof *m->cuts);
	else if (short_nodes_fit(e, most_splits))
		m->shorts = sl_arena_alloc(arena, n_nodes, sizeof *m->shorts);
	else if (e->code_bytes < 4)
		m->nodes = sl_arena_alloc(arena, n_nodes, sizeof *m->nodes);
	else
		m->wide = sl_arena_alloc(arena, n_nodes, sizeof *m->wide);
	m->cut_bits = m->small || m->columns ? 8 : m->wide ? 32 : 16;
	m->n_pads = padded ? (uint32_t)count_pads(most_splits, m->cut_bits) : 0;
	return m->small || m->columns || m->cuts || m->shorts || m->nodes || m->wide;
}

/* Where each tree begins; returns the number of places. */
static size_t number_trees(const forest *f, bool by_leaf, walk_tree *trees)
{
	size_t first_node = 0, n_places = 0;
	for (uint32_t t = 0; t < f->n_trees; t++) {
		size_t n_nodes = 2 * (size_t)f->trees[t].n_splits + 1, inner = n_inner(f->trees + t);
		trees[t] = (walk_tree){(uint32_t)first_node, by_leaf ? f->trees[t].first_leaf : (uint32_t)(n_places - inner), f->trees[t].depth};
		first_node += n_nodes;
		n_places += n_nodes - inner;
	}
	return n_places;
}

/* The forest's values, by leaf, or values by place; false: no memory. */
static bool find_values(node_maker *m, sl_arena *arena, size_t most_splits, size_t n_places, walk_plan *plan)
{
	const forest *f = m->e->f;
	const void *values = NULL;
	if (m->numbered || m->n_pads || shares_leaves(f)) {
		if (f->leaf_width == 1 && !(values = engine_leaf_values(f, arena)))
			return false;
	} else if (!take_leaves(m, arena, most_splits, n_places)) {
		return false;
	} else {
		values = m->values_f32 ? (const void *)m->values_f32 : m->values_f64;
	}
	plan->leaf_of_place = (forest_numbers){m->leaf_of_place, m->leaf_bytes};
	plan->values_f32 = f->contract.sum == SCORE_F32 ? values : NULL;
	plan->values_f64 = f->contract.sum == SCORE_F32 ? NULL : values;
	return true;
}

score_status engine_make_walk(engine *e, sl_arena *arena, score_error *error)
{
	const forest *f = e->f;
	const score_allocator *a = &arena->allocator;
	if (e->pages.kind != PAGE_NONE)
		return SCORE_OK;
	uint32_t most = forest_most_splits(f);
	if (engine_rows_serve_all(e))
		return SCORE_OK;
	const size_t room = ((size_t)most + 1) / 2 + 1, queue_bytes = room * sizeof(numbered_split);
	const bool shared = !e->tables && shares_leaves(f);
	walk_plan plan = {.numbered = !shared && !e->tables && (most < NUMBERED_LEAVES || most < e->n_columns)};
	node_maker m = {.e = e, .numbered = plan.numbered, .trees = sl_arena_alloc(arena, f->n_trees, sizeof(walk_tree)),
		.queue = sl_alloc(a, queue_bytes, 64), .room = room};
	const bool padded = !shared && !plan.numbered && (e->small || e->tables);
	bool done = m.trees && m.queue && take_room(&m, arena, most, padded) &&
		find_values(&m, arena, most, number_trees(f, plan.numbered || padded, m.trees), &plan);
	for (uint32_t t = 0; t < f->n_trees && done; t++)
		make_tree(&m, t);
	sl_free(a, m.queue, queue_bytes, 64);
	if (!done)
		return sl_fail_memory(error, ((size_t)f->n_splits + f->n_leaves) * sizeof(walk_node));
	plan.small_nodes = m.small;
	plan.columns_nodes = m.columns;
	plan.cuts_nodes = m.cuts;
	plan.short_nodes = m.shorts;
	plan.nodes = m.nodes;
	plan.wide_nodes = m.wide;
	plan.trees = m.trees;
	plan.n_pads = m.n_pads;
	plan.read_codes = plan.numbered ? most + 1 : 0;
	e->walk = plan;
	e->walk.eight = engine_fits_eight(e, most);
	return SCORE_OK;
}
