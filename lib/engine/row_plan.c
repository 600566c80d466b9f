/*
 * The row regime's tables, made when a model is opened.
 *
 * Comes in: a forest with at most 128 numeric columns of byte codes. Goes out: the first six levels of each tree as a heap
 * and, if trees are deeper, what hangs below in blocks of three levels, breadth-first, so that exits lead forwards; or, of
 * deeper trees of few leaves, all splits with the leaves that they leave; or, of full oblivious trees, one split per level.
 * rows_template.h says how they are read.
 */
#include "parts.h"

#define MOST_LEAVES 256u         /* of a tree, as in the batch regime, which takes over from the row regime */
#define MOST_TREES ((uint32_t)1 << 25) /* values are counted in 32 bits */

/* What the trees laid so far consist of. */
typedef struct layout {
	const engine *e;
	row_heap *heaps;
	row_exit *exits;
	row_step *steps;
	uint32_t *blocks_of, *values_of, *first_step;
	row_block *blocks;
	uint32_t n_blocks; /* of the trees before the one at hand */
	forest_side sides[MOST_LEAVES]; /* what each block of the tree at hand begins with */
	uint32_t n_sides;
	void *values;     /* by exits of heaps; NULL: by leaves */
} layout;

static row_shape shape_of(const engine *e)
{
	const forest *f = e->f;
	uint32_t depth = 0, splits = 0;
	bool full = true;
	for (uint32_t t = 0; t < f->n_trees; t++) {
		depth = f->trees[t].depth > depth ? f->trees[t].depth : depth;
		splits = f->trees[t].n_splits > splits ? f->trees[t].n_splits : splits;
		full &= f->trees[t].depth == LEVELS && f->trees[t].n_splits == (1u << LEVELS) - 1;
	}
	if (e->levels && full)
		return ROW_LEVELS;
	if (depth <= ROW_HEAP_DEPTH)
		return ROW_HEAP;
	if (splits < ROW_MASK_LEAVES)
		return ROW_MASKS;
	return splits < MOST_LEAVES ? ROW_BLOCKS : ROW_NONE;
}

static bool is_usable(const engine *e)
{
	const forest *f = e->f;
	if (!e->k->row_leaves || f->leaf_width != 1 || engine_has_linear_leaves(e) || e->code_bytes != 1 || e->tables || e->n_columns > ROW_COLUMNS ||
		f->n_trees > MOST_TREES)
		return false;
	return shape_of(e) != ROW_NONE;
}

static void put_value(const layout *l, size_t at, uint32_t leaf)
{
	double value = forest_real(&l->e->f->leaves, leaf);
	if (l->e->f->contract.sum == SCORE_F32)
		((float *)l->values)[at] = (float)value;
	else
		((double *)l->values)[at] = value;
}

/* A side of a split and where it stands. */
typedef struct heap_place {
	forest_side side;
	uint32_t at;
} heap_place;

/* What is left after `depth` levels, leaves among it; a leaf above the bottom is reached by answering left below it. Returns
 * how many, in ascending order of their places, which count from 0. Split i goes to 2^depth - 1 - i. */
static uint32_t lay_levels(const engine *e, forest_side whole, uint32_t depth, uint8_t *columns, uint8_t *cuts,
	heap_place *exits)
{
	heap_place open[ROW_HEAP_DEPTH + 1];
	const uint32_t bottom = 1u << depth;
	uint32_t n = 0, n_exits = 0;
	open[n++] = (heap_place){whole, 1};
	while (n) {
		heap_place place = open[--n];
		if (place.at < bottom && !forest_is_leaf(&place.side)) {
			const question q = question_at(&e->questions, forest_number(&e->f->split_test, place.side.split));
			columns[bottom - 1 - place.at] = (uint8_t)q.column;
			cuts[bottom - 1 - place.at] = (uint8_t)q.cut;
			open[n++] = (heap_place){forest_right(e->f, &place.side), 2 * place.at + 1};
			open[n++] = (heap_place){forest_left(e->f, &place.side), 2 * place.at};
			continue;
		}
		while (place.at < bottom)
			place.at *= 2;
		exits[n_exits++] = (heap_place){place.side, place.at - bottom};
	}
	return n_exits;
}

/* An exit of the tree at hand, counted from its block `from`; a split becomes the next block. */
static void lay_exit(layout *l, const forest_tree *t, const forest_side *side, uint32_t from, row_exit *to)
{
	if (forest_is_leaf(side)) {
		*to = (row_exit)(ROW_LEAF | (side->leaf - t->first_leaf));
		return;
	}
	*to = (row_exit)(l->n_sides - from);
	l->sides[l->n_sides++] = *side;
}

static void lay_block(layout *l, const forest_tree *t, uint32_t number)
{
	heap_place exits[1 << ROW_BLOCK_DEPTH];
	row_block *block = l->blocks + l->n_blocks + number;
	memset(block->cuts, UINT8_MAX, sizeof block->cuts);
	for (size_t i = 0; i < 1 << ROW_BLOCK_DEPTH; i++)
		block->exits[i] = ROW_LEAF;
	uint32_t n = lay_levels(l->e, l->sides[number], ROW_BLOCK_DEPTH, block->columns, block->cuts, exits);
	for (uint32_t i = 0; i < n; i++)
		lay_exit(l, t, &exits[i].side, number, block->exits + exits[i].at);
}

/* Levels of a tree that its heap has. Where one block ends all paths, it is a full one, so that there are fewer. */
static uint32_t heap_levels(const forest_tree *t)
{
	bool one_block = t->depth > ROW_HEAP_DEPTH && t->depth <= ROW_HEAP_DEPTH + ROW_BLOCK_DEPTH;
	return one_block ? t->depth - ROW_BLOCK_DEPTH : ROW_HEAP_DEPTH;
}

/* Every third level below the heap begins with blocks. */
static uint32_t count_blocks(const forest *f, const forest_tree *t)
{
	heap_place open[MOST_LEAVES]; /* `at`: levels above */
	const uint32_t levels = heap_levels(t);
	uint32_t n = 0, n_blocks = 0;
	open[n++] = (heap_place){forest_whole(t), 0};
	while (n) {
		const heap_place place = open[--n];
		if (forest_is_leaf(&place.side))
			continue;
		n_blocks += place.at >= levels && (place.at - levels) % ROW_BLOCK_DEPTH == 0;
		open[n++] = (heap_place){forest_right(f, &place.side), place.at + 1};
		open[n++] = (heap_place){forest_left(f, &place.side), place.at + 1};
	}
	return n_blocks;
}

static void lay_tree(layout *l, uint32_t tree)
{
	const forest_tree *t = l->e->f->trees + tree;
	heap_place exits[1 << ROW_HEAP_DEPTH];
	row_heap *heap = l->heaps + tree;
	const uint32_t levels = heap_levels(t), missing = ROW_HEAP_DEPTH - levels, skip = (1u << ROW_HEAP_DEPTH) - (1u << levels);
	uint32_t n = lay_levels(l->e, forest_whole(t), levels, heap->columns + skip, heap->cuts + skip, exits);
	if (!l->exits) {
		l->values_of[tree] = tree << ROW_HEAP_DEPTH;
		for (uint32_t i = 0; i < n && l->values; i++)
			put_value(l, ((size_t)tree << ROW_HEAP_DEPTH) + exits[i].at, exits[i].side.leaf);
		return;
	}
	l->blocks_of[tree] = l->n_blocks;
	l->n_sides = 0;
	row_exit *to = l->exits + ((size_t)tree << ROW_HEAP_DEPTH);
	for (uint32_t i = 0; i < n; i++)
		lay_exit(l, t, &exits[i].side, 0, to + (exits[i].at << missing));
	for (uint32_t number = 0; number < l->n_sides; number++)
		lay_block(l, t, number);
	l->n_blocks += l->n_sides;
}

/* Tree `lane` of a portion. */
static void lay_masks(const layout *l, const forest_tree *t, uint32_t lane, row_step *steps)
{
	const forest *f = l->e->f;
	forest_side open[ROW_MASK_LEAVES];
	uint32_t n = 0;
	if (t->n_splits)
		open[n++] = forest_whole(t);
	while (n) {
		const forest_side at = open[--n], left = forest_left(f, &at), right = forest_right(f, &at);
		const question q = question_at(&l->e->questions, forest_number(&f->split_test, at.split));
		uint32_t number = at.split - t->first_split, k = number % 4, after = ROW_MASK_LEAVES - (right.leaf - t->first_leaf);
		row_step *step = steps + number / 4;
		step->columns[ROW_TREES * k + lane] = (uint8_t)q.column;
		step->cuts[ROW_TREES * k + lane] = (uint8_t)q.cut;
		step->masks[k][lane] = ~(uint32_t)((((uint64_t)1 << left.n_leaves) - 1) << after);
		if (!forest_is_leaf(&left))
			open[n++] = left;
		if (!forest_is_leaf(&right))
			open[n++] = right;
	}
}

/* All splits of a level are one question: that of the leftmost. */
static void lay_level_tree(const engine *e, const forest_tree *t, uint32_t lane, row_heap *heap)
{
	forest_side side = forest_whole(t);
	for (uint32_t k = 0; k < LEVELS; k++, side = forest_left(e->f, &side)) {
		const question q = question_at(&e->questions, forest_number(&e->f->split_test, side.split));
		heap->columns[8 * lane + LEVELS - 1 - k] = (uint8_t)q.column;
		heap->cuts[8 * lane + LEVELS - 1 - k] = (uint8_t)q.cut;
	}
}

static void *alloc_lines(sl_arena *arena, size_t n, size_t element)
{
	char *lines = sl_arena_alloc(arena, n * element + SL_CACHE_LINE, 1);
	return lines ? (void *)sl_round_up((uintptr_t)lines, SL_CACHE_LINE) : NULL;
}

static bool lay_portions(layout *l, sl_arena *arena)
{
	const forest *f = l->e->f;
	uint32_t n_portions = (f->n_trees + ROW_TREES - 1) / ROW_TREES, n_steps = 0;
	l->first_step = sl_arena_alloc(arena, (size_t)n_portions + 1, sizeof *l->first_step);
	for (uint32_t p = 0; l->first_step && p < n_portions; p++) {
		uint32_t most = 0;
		for (uint32_t t = p * ROW_TREES; t < (p + 1) * ROW_TREES && t < f->n_trees; t++)
			most = f->trees[t].n_splits > most ? f->trees[t].n_splits : most;
		n_steps += (most + 3) / 4;
		l->first_step[p + 1] = n_steps;
	}
	l->steps = alloc_lines(arena, n_steps, sizeof *l->steps);
	if (!l->first_step || !l->steps)
		return false;
	for (uint32_t i = 0; i < n_steps; i++)
		memset(l->steps[i].cuts, UINT8_MAX, sizeof l->steps[i].cuts);
	for (uint32_t t = 0; t < f->n_trees; t++)
		lay_masks(l, f->trees + t, t % ROW_TREES, l->steps + l->first_step[t / ROW_TREES]);
	return true;
}

static bool take_blocks(layout *l, size_t n, sl_arena *arena)
{
	const forest *f = l->e->f;
	uint32_t n_blocks = 0; /* at most one per split */
	for (uint32_t t = 0; t < f->n_trees; t++)
		n_blocks += count_blocks(f, f->trees + t);
	l->blocks_of = sl_arena_alloc(arena, n, sizeof *l->blocks_of);
	l->exits = sl_arena_alloc(arena, n << ROW_HEAP_DEPTH, sizeof *l->exits);
	l->blocks = alloc_lines(arena, n_blocks, sizeof *l->blocks);
	for (size_t i = 0; l->exits && i < n << ROW_HEAP_DEPTH; i++)
		l->exits[i] = ROW_LEAF;
	return l->blocks_of && l->exits && l->blocks;
}

static bool lay_level_trees(layout *l, sl_arena *arena)
{
	const forest *f = l->e->f;
	const size_t n = sl_round_up(f->n_trees, ROW_TREES) / 8;
	l->heaps = alloc_lines(arena, n, sizeof *l->heaps);
	for (size_t i = 0; l->heaps && i < n; i++)
		memset(l->heaps[i].cuts, UINT8_MAX, sizeof l->heaps[i].cuts);
	for (uint32_t t = 0; l->heaps && t < f->n_trees; t++)
		lay_level_tree(l->e, f->trees + t, t % 8, l->heaps + t / 8);
	return l->heaps != NULL;
}

static bool lay_heaps(layout *l, row_plan *plan, sl_arena *arena)
{
	const forest *f = l->e->f;
	const size_t n = sl_round_up(f->n_trees, ROW_TREES);
	l->heaps = alloc_lines(arena, n, sizeof *l->heaps);
	if (!l->heaps || (plan->shape == ROW_BLOCKS && !take_blocks(l, n, arena)))
		return false;
	for (size_t t = 0; t < n; t++)
		memset(l->heaps[t].cuts, UINT8_MAX, sizeof l->heaps[t].cuts);
	for (uint32_t t = 0; t < f->n_trees; t++)
		lay_tree(l, t);
	return true;
}

/* Masks, blocks and levels number leaves as the forest does, and so do full heaps. */
static bool numbers_as_forest(const forest *f, row_shape shape)
{
	bool same = true;
	for (uint32_t t = 0; t < f->n_trees && shape == ROW_HEAP && same; t++)
		same = f->trees[t].n_splits == (1u << ROW_HEAP_DEPTH) - 1;
	return same;
}

static bool take_values(layout *l, row_plan *plan, sl_arena *arena)
{
	const forest *f = l->e->f;
	const size_t n = sl_round_up(f->n_trees, ROW_TREES);
	const bool narrow = f->contract.sum == SCORE_F32, by_leaf = numbers_as_forest(f, plan->shape);
	l->values_of = sl_arena_alloc(arena, n, sizeof *l->values_of);
	if (!by_leaf)
		l->values = sl_arena_alloc(arena, n << ROW_HEAP_DEPTH, narrow ? sizeof(float) : sizeof(double));
	const void *values = by_leaf ? engine_leaf_values(f, arena) : l->values;
	if (!l->values_of || !values)
		return false;
	for (uint32_t t = 0; t < f->n_trees && plan->shape != ROW_HEAP; t++)
		l->values_of[t] = f->trees[t].first_leaf;
	plan->values_f32 = narrow ? values : NULL;
	plan->values_f64 = narrow ? NULL : values;
	return true;
}

static bool lay_trees(layout *l, row_plan *plan, sl_arena *arena)
{
	if (!take_values(l, plan, arena))
		return false;
	bool done = plan->shape == ROW_MASKS ? lay_portions(l, arena) :
		plan->shape == ROW_LEVELS ? lay_level_trees(l, arena) : lay_heaps(l, plan, arena);
	if (!done)
		return false;
	plan->heaps = l->heaps;
	plan->exits = l->exits;
	plan->blocks = l->blocks;
	plan->steps = l->steps;
	plan->first_step = l->first_step;
	plan->blocks_of = l->blocks_of;
	plan->values_of = l->values_of;
	return true;
}

/* Within a quarter of what bench/regimes.c measures: steps of masks, or a heap and, below, what a tree's deepest rows go on for. */
static uint64_t row_cost(const engine *e, row_shape shape)
{
	uint64_t cost = 20 * (uint64_t)e->n_columns;
	for (uint32_t t = 0; t < e->f->n_trees; t++) {
		const forest_tree *tree = e->f->trees + t;
		if (shape == ROW_MASKS)
			cost += 3 + (tree->n_splits + 3) / 4;
		else if (shape == ROW_HEAP || tree->depth <= ROW_HEAP_DEPTH)
			cost += 11;
		else
			cost += 25 + 9 * ((tree->depth - ROW_HEAP_DEPTH + ROW_BLOCK_DEPTH - 1) / ROW_BLOCK_DEPTH) / 2;
	}
	return cost + 1;
}

score_status engine_make_rows(engine *e, sl_arena *arena, score_error *error)
{
	layout l = {.e = e};
	if (!is_usable(e))
		return SCORE_OK;
	row_plan plan = {.shape = shape_of(e), .wide_codes = e->n_columns > 64};
	plan.row_cost = row_cost(e, plan.shape);
	bool done = lay_trees(&l, &plan, arena);
	size_t bytes = l.n_blocks * sizeof(row_block) + e->f->n_trees * sizeof(row_heap);
	if (!done)
		return sl_fail_memory(error, bytes);
	e->rows = plan;
	return SCORE_OK;
}
