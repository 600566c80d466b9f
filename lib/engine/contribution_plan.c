/*
 * What contributions need of a forest: how many points each tree's quadrature takes, what it answers on average, and in
 * which order outputs take their trees.
 *
 * Comes in: a checked forest and its columns. Goes out: the engine's contribution_plan, small beside the forest itself.
 */
#include "parts.h"

/* An open split: its right side is still to come, or is at hand. */
typedef struct open_split {
	uint32_t split;
	uint32_t slot;
	forest_side right;
	bool is_right;
	double left_cover;
} open_split;

/* Working memory for one tree after the other. */
typedef struct measure {
	open_split *open;
	double *means;   /* [depth + 1][leaf_width] of the left sides that are behind, then of what is at hand */
	uint32_t *asked; /* by slot: how many open splits ask it */
} measure;

static uint32_t slot_of(const engine *e, uint32_t split)
{
	return e->contribution.columns[question_at(&e->questions, forest_number(&e->f->split_test, split)).column].slot;
}

/* Of both sides of a split, whose means stand one after the other: the mean of all, in the first's place. */
static void join_sides(double *means, uint32_t width, double share)
{
	for (uint32_t i = 0; i < width; i++)
		means[i] += (means[width + i] - means[i]) * share;
}

/* The most different features on a path of the tree; into m->means, if they are asked for, what its training rows get on average. */
static uint32_t visit_tree(const engine *e, const forest_tree *t, const measure *m, bool has_means)
{
	const forest *f = e->f;
	uint32_t depth = 0, n_left = 0, features = 0, most = 0, width = f->leaf_width;
	forest_side at = forest_whole(t);
	for (;;) {
		if (!forest_is_leaf(&at)) {
			uint32_t slot = slot_of(e, at.split);
			features += m->asked[slot]++ == 0;
			most = features > most ? features : most;
			m->open[depth++] = (open_split){.split = at.split, .slot = slot, .right = forest_right(f, &at)};
			at = forest_left(f, &at);
			continue;
		}
		double cover = f->leaf_covers.values ? forest_weight(&f->leaf_covers, at.leaf) : 0.0;
		for (uint32_t i = 0; i < width && has_means; i++)
			m->means[(size_t)n_left * width + i] = forest_real(&f->leaves, (size_t)at.leaf * width + i);
		while (depth && m->open[depth - 1].is_right) {
			const open_split *split = m->open + --depth;
			features -= --m->asked[split->slot] == 0;
			if (!has_means)
				continue;
			join_sides(m->means + (size_t)--n_left * width, width, engine_right_share(split->left_cover, cover));
			cover = f->split_covers.values ? forest_weight(&f->split_covers, split->split) : split->left_cover + cover;
		}
		if (!depth)
			return most;
		m->open[depth - 1].is_right = true;
		m->open[depth - 1].left_cover = cover;
		n_left++;
		at = m->open[depth - 1].right;
	}
}

/* `expected` may be NULL. */
static void measure_tree(engine *e, uint32_t t, const measure *m, uint8_t *n_points, double *expected)
{
	contribution_plan *plan = &e->contribution;
	const forest *f = e->f;
	const forest_tree *tree = f->trees + t;
	uint32_t features = visit_tree(e, tree, m, expected != NULL), points = (features + 1) / 2;
	if (expected)
		memcpy(expected + (size_t)t * f->leaf_width, m->means, f->leaf_width * sizeof *expected);
	plan->most_features = features > plan->most_features ? features : plan->most_features;
	if (points > CONTRIBUTION_POINTS)
		return;
	size_t doubles = ((size_t)tree->depth + 1) * contribution_level_doubles(points, CONTRIBUTION_ROWS);
	plan->level_doubles = doubles > plan->level_doubles ? doubles : plan->level_doubles;
	n_points[t] = (uint8_t)points;
}

/* What the trees answer on average, if that is known, and how many points each takes. */
static bool measure_trees(engine *e, sl_arena *arena, uint8_t *n_points)
{
	const forest *f = e->f;
	contribution_plan *plan = &e->contribution;
	double *expected = NULL;
	sl_arena scratch;
	sl_arena_init(&scratch, &arena->allocator, 0);
	const measure m = {sl_arena_alloc(&scratch, plan->depth, sizeof *m.open),
		sl_arena_alloc(&scratch, (size_t)plan->depth + 1, f->leaf_width * sizeof *m.means),
		sl_arena_alloc(&scratch, plan->n_slots, sizeof *m.asked)};
	bool done = m.open && m.means && m.asked;
	if (f->leaf_covers.values || f->n_splits == 0) { /* single leaves are their own average */
		expected = sl_arena_alloc(arena, (size_t)f->n_trees * f->leaf_width, sizeof *expected);
		done = done && expected;
	}
	for (uint32_t t = 0; t < f->n_trees && done; t++)
		measure_tree(e, t, &m, n_points, expected);
	sl_arena_free(&scratch);
	plan->expected = expected;
	return done;
}

static score_status make_points(engine *e, sl_arena *arena, score_error *error)
{
	const forest *f = e->f;
	contribution_plan *plan = &e->contribution;
	for (uint32_t t = 0; t < f->n_trees; t++)
		plan->depth = f->trees[t].depth > plan->depth ? f->trees[t].depth : plan->depth;
	plan->summed_splits = f->leaf_covers.values && !f->split_covers.values ? forest_most_splits(f) : 0;
	uint8_t *n_points = sl_arena_alloc(arena, f->n_trees, 1);
	const double **tables = sl_arena_alloc(arena, CONTRIBUTION_POINTS + 1, sizeof *tables);
	score_status status = n_points && tables && measure_trees(e, arena, n_points) ? SCORE_OK :
		sl_fail_memory(error, f->n_trees);
	for (uint32_t t = 0; t < f->n_trees && status == SCORE_OK; t++) {
		uint32_t n = n_points[t];
		if (n == 0 || tables[n])
			continue;
		double *points = sl_arena_alloc(arena, n, 2 * sizeof *points);
		if (points)
			engine_gauss_legendre(n, points);
		else
			status = sl_fail_memory(error, n * 2 * sizeof *points);
		tables[n] = points;
	}
	plan->n_points = n_points;
	plan->points = tables;
	return status;
}

/* ---- all ------------------------------------------------------------------------------------------------------ */

/* Trees in the order of their outputs, those of an output in their own. */
static score_status make_order(engine *e, sl_arena *arena, score_error *error)
{
	const forest *f = e->f;
	uint32_t n_outputs = f->contract.n_outputs;
	uint32_t *order = sl_arena_alloc(arena, f->n_trees, sizeof *order);
	uint32_t *first = sl_arena_alloc(arena, (size_t)n_outputs + 2, sizeof *first);
	if (!order || !first)
		return sl_fail_memory(error, f->n_trees * sizeof *order);
	for (uint32_t t = 0; t < f->n_trees; t++)
		first[f->trees[t].output + 2]++;
	for (uint32_t o = 0; o < n_outputs; o++)
		first[o + 1] += first[o];
	for (uint32_t t = 0; t < f->n_trees; t++)
		order[first[f->trees[t].output + 1]++] = t;
	e->contribution.order = order;
	e->contribution.first = first;
	return SCORE_OK;
}

uint32_t engine_column_input(const forest *f, uint32_t column)
{
	/* One step, or two for a norm of a derived column. */
	while (column >= f->n_features)
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a column beyond the features is derived */
		column = f->derived.programs[column - f->n_features].source;
	return column;
}

static bool is_category(const forest *f, uint32_t column)
{
	return f->features[engine_column_input(f, column)].type == SCORE_FEATURE_CATEGORY;
}

static bool has_categories(const forest *f, const uint32_t *list, uint32_t n)
{
	bool found = false;
	for (uint32_t i = 0; i < n; i++)
		found = found || is_category(f, list[i]);
	return found;
}

column_inputs engine_column_inputs(const forest *f, uint32_t column)
{
	const forest_program *p = column < f->n_features ? NULL : f->derived.programs + (column - f->n_features);
	if (!p || p->root != SCORE_ROOT_HASH)
		return (column_inputs){.one = engine_column_input(f, column), .n = 1};
	const uint32_t *list = f->derived.list_members + f->derived.list_first[p->list];
	uint32_t n = f->derived.list_first[p->list + 1] - f->derived.list_first[p->list];
	bool categories = has_categories(f, list, n);
	column_inputs inputs = {.list = list, .length = n, .categories_only = categories};
	for (uint32_t i = 0; i < n; i++) {
		if (categories && !is_category(f, list[i]))
			continue;
		inputs.one = engine_column_input(f, list[i]);
		inputs.n++;
	}
	if (inputs.n < 2)
		inputs.list = NULL;
	return inputs;
}

/* Inputs come first among the keys of slots, then lists. */
static uint32_t key_of(const forest *f, uint32_t column)
{
	column_inputs inputs = engine_column_inputs(f, column);
	return inputs.list ? f->n_features + f->derived.programs[column - f->n_features].list : inputs.one;
}

static score_status make_slots(engine *e, sl_arena *arena, score_error *error)
{
	const forest *f = e->f;
	size_t bytes = ((size_t)f->n_features + f->derived.n_lists) * sizeof(uint32_t);
	contribution_column *columns = sl_arena_alloc(arena, e->n_columns, sizeof *columns);
	/* Without derived columns each used feature is a slot. */
	uint32_t *slot_columns = f->derived.n ? sl_arena_alloc(arena, e->n_used_features, sizeof *slot_columns) : NULL;
	uint32_t *slots = sl_alloc(&arena->allocator, bytes, SL_CACHE_LINE), n = 0; /* by key, counted from 1 */
	if (!columns || (f->derived.n && !slot_columns) || !slots) {
		sl_free(&arena->allocator, slots, bytes, SL_CACHE_LINE);
		return sl_fail_memory(error, bytes);
	}
	memset(slots, 0, bytes);
	for (uint32_t u = 0; u < e->n_used_features; u++) {
		uint32_t *slot = slots + key_of(f, e->used_features[u]);
		if (!*slot) {
			if (slot_columns)
				slot_columns[n] = e->used_features[u];
			*slot = ++n;
		}
		for (uint32_t c = e->first_column[u]; c < e->first_column[u + 1]; c++)
			columns[c] = (contribution_column){(*slot - 1) & INT32_MAX, e->columns[c].is_category};
	}
	sl_free(&arena->allocator, slots, bytes, SL_CACHE_LINE);
	e->contribution.n_slots = n;
	e->contribution.slot_columns = slot_columns ? slot_columns : e->used_features;
	e->contribution.columns = columns;
	return SCORE_OK;
}

score_status engine_make_contribution(engine *e, sl_arena *arena, score_error *error)
{
	score_status status = make_slots(e, arena, error);
	if (status == SCORE_OK)
		status = make_points(e, arena, error);
	if (status == SCORE_OK)
		status = make_order(e, arena, error);
	return status;
}

void engine_gauss_legendre(uint32_t n, double *points)
{
	for (uint32_t i = 0; i < (n + 1) / 2; i++) {
		/* Newton's method on the Legendre polynomial, from a guess that is good for any of its roots. */
		double x = cos(3.14159265358979323846 * ((double)i + 0.75) / ((double)n + 0.5)), slope = 1.0;
		for (int step = 0; step < 8; step++) {
			double p = 1.0, before = 0.0;
			for (uint32_t k = 1; k <= n; k++) {
				double next = ((2.0 * k - 1.0) * x * p - (k - 1.0) * before) / k;
				before = p;
				p = next;
			}
			slope = n * (x * p - before) / (x * x - 1.0);
			x -= p / slope;
		}
		double weight = 1.0 / ((1.0 - x * x) * slope * slope);
		points[i] = 0.5 - 0.5 * x;
		points[n - 1 - i] = 0.5 + 0.5 * x;
		points[n + i] = points[2 * n - 1 - i] = weight;
	}
}
