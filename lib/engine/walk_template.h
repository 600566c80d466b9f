/*
 * LANES interleaved walks over nodes of one kind. Included by walk.c once per CODE and NODE, with WALK_NAME.
 */

/* Where a walk goes from a node, for models with set tests. */
static inline uint32_t WALK_NAME(step_set)(const engine *e, const NODE *node, const CODE *codes)
{
	const bool in_cut = sizeof node->left < sizeof(uint32_t);
	const uint32_t code = codes[node->column], left = in_cut ? node->left : node->left & ~WALK_SET;
	if (!(in_cut ? node->cut & WALK_CUT_SET : node->left & WALK_SET))
		return left + (uint32_t)(code > node->cut);
	const question q = {node->column, in_cut ? node->cut & ~WALK_CUT_SET : node->cut};
	return left + engine_table_bit(engine_table(e->tables, &q), code);
}

/* What a walk that has arrived at a leaf adds to the tree's first place; `at` is its node. */
static ALWAYS_INLINE uint32_t WALK_NAME(place_of)(leaf_marks marks, const NODE *node, uint32_t at)
{
	if (marks.first_pad)
		return (uint32_t)((uint64_t)(node->column - marks.first_pad) << 8 * sizeof node->cut) + node->cut;
	return marks.numbered ? node->column : at;
}

static ALWAYS_INLINE void WALK_NAME(trees_in)(uint32_t lanes, const engine *e, uint32_t first, uint32_t n, const CODE *codes,
	uint32_t *arrived)
{
	const NODE *nodes[LANES];
	const walk_tree *trees = e->walk.trees + first;
	const leaf_marks marks = marks_of(e);
	const bool has_sets = e->tables != NULL;
	uint32_t at[LANES], depth = 0;
	for (uint32_t i = 0; i < lanes; i++) {
		const walk_tree *t = trees + (i < n ? i : 0);
		const NODE *root = nodes[i] = NODES(e) + t->first_node;
		depth = t->depth > depth ? t->depth : depth;
		/* A root that is a leaf stays. */
		at[i] = has_sets ? WALK_NAME(step_set)(e, root, codes) : root->left + (uint32_t)(codes[root->column] > root->cut);
	}
	if (has_sets) {
		for (uint32_t d = 1; d < depth; d++)
			for (uint32_t i = 0; i < lanes; i++)
				at[i] = WALK_NAME(step_set)(e, nodes[i] + at[i], codes);
	} else {
		for (uint32_t d = 1; d < depth; d++)
			for (uint32_t i = 0; i < lanes; i++) {
				const NODE *node = nodes[i] + at[i];
				at[i] = node->left + (uint32_t)(codes[node->column] > node->cut);
			}
	}
	for (uint32_t i = 0; i < n; i++)
		arrived[i] = trees[i].first_place + WALK_NAME(place_of)(marks, nodes[i] + at[i], at[i]);
}

/* A few trees do not pay for lanes that nobody needs; where each lane has a tree, which is usual, none asks for it. */
static void WALK_NAME(walk_trees)(const engine *e, uint32_t first, uint32_t n, const CODE *codes, uint32_t *arrived)
{
	if (n <= LANES / 2)
		WALK_NAME(trees_in)(LANES / 2, e, first, n, codes, arrived);
	else if (n == LANES)
		WALK_NAME(trees_in)(LANES, e, first, LANES, codes, arrived);
	else
		WALK_NAME(trees_in)(LANES, e, first, n, codes, arrived);
}

/* Rows arrive at different depths: every fourth step asks whether any lane still moves. */
static ALWAYS_INLINE void WALK_NAME(rows_in)(uint32_t lanes, bool has_sets, const engine *e, uint32_t tree, uint32_t n, const char *codes,
	uint32_t *arrived)
{
	const walk_tree *t = e->walk.trees + tree;
	const NODE *nodes = NODES(e) + t->first_node;
	const uint32_t first_place = t->first_place;
	const leaf_marks marks = marks_of(e);
	const size_t row_codes = engine_row_codes(e);
	const CODE *rows[LANES];
	uint32_t at[LANES] = {0};
	for (uint32_t i = 0; i < lanes; i++)
		rows[i] = (const CODE *)(const void *)(codes + (size_t)(i < n ? i : 0) * row_codes * sizeof(CODE));
	for (uint32_t d = 0; d < t->depth; d += 4) {
		uint32_t before[LANES], moved = 0;
		memcpy(before, at, sizeof at);
		uint32_t steps = t->depth - d < 4 ? t->depth - d : 4;
		for (uint32_t s = 0; s < steps; s++) {
			for (uint32_t i = 0; i < lanes; i++) {
				const NODE *node = nodes + at[i];
				at[i] = has_sets ? WALK_NAME(step_set)(e, node, rows[i])
						 : node->left + (uint32_t)(rows[i][node->column] > node->cut);
			}
		}
		for (uint32_t i = 0; i < lanes; i++)
			moved |= before[i] ^ at[i];
		if (!moved)
			break;
	}
	for (uint32_t i = 0; i < n; i++)
		arrived[i] = first_place + WALK_NAME(place_of)(marks, nodes + at[i], at[i]);
}

/* Apart, so that the steps of models without sets keep their registers. */
static NEVER_INLINE void WALK_NAME(rows_with_sets)(const engine *e, uint32_t tree, uint32_t n, const char *codes, uint32_t *arrived)
{
	WALK_NAME(rows_in)(LANES, true, e, tree, n, codes, arrived);
}

static void WALK_NAME(walk_rows)(const engine *e, uint32_t tree, uint32_t n, const char *codes, uint32_t *arrived)
{
	if (e->tables)
		WALK_NAME(rows_with_sets)(e, tree, n, codes, arrived);
	else if (n <= LANES / 2)
		WALK_NAME(rows_in)(LANES / 2, false, e, tree, n, codes, arrived);
	else
		WALK_NAME(rows_in)(LANES, false, e, tree, n, codes, arrived);
}
#undef CODE
#undef NODE
#undef NODES
#undef WALK_NAME
