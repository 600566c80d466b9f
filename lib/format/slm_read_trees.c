/*
 * Read the trees of a model file: first where each begins and ends, then tree by tree its shape, leaf numbers and covers.
 *
 * Comes in: sections whose contents nobody has looked at. Goes out: the forest's arrays of trees, each in the narrowest type, with
 * working memory for one tree beside them.
 */
#include "slm_reader.h"

/* Trees are filled in their order. */
typedef struct tree_filler {
	const slm_reader *r;
	forest_tree *trees;
	slm_topology_cursor topology;
	void *left_leaves;
	uint32_t left_bytes;
	forest_numbers marks;  /* trees that have their own leaf numbers; no values: none */
	forest_numbers stored; /* those numbers */
	uint64_t n_stored;
	uint64_t n_used;
	void *leaf_ids;
	uint32_t id_bytes;
	/* of the tree at hand */
	forest_children children;
	uint32_t *queue;
	uint32_t *ids;
} tree_filler;

static score_status get_outputs(const slm_reader *r, sl_arena *scratch, forest_tree *trees)
{
	const forest *f = r->f;
	const slm_section *s = r->table.sections + SLM_TREE_OUTPUTS;
	const uint64_t n = s->present && s->count == f->contract.trees_per_iteration ? s->count : f->n_trees;
	uint32_t *outputs;
	TRY(slm_get_ints(r, scratch, SLM_TREE_OUTPUTS, n, &outputs));
	for (uint32_t i = 0; i < f->n_trees; i++)
		trees[i].output = outputs[i % n];
	return SCORE_OK;
}

/* Bytes that hold all leaf numbers: a tree has no higher one than the number of its last node, or those that it has itself. */
static uint32_t leaf_id_bytes(const slm_reader *r, const forest_numbers *marks, const forest_numbers *stored)
{
	const forest *f = r->f;
	uint32_t most = 0;
	for (uint32_t i = 0; i < f->n_trees; i++) {
		const uint32_t n_splits = f->trees[i].n_splits;
		const uint32_t last = r->table.leaf_rule == SLM_LEAF_ORDER ? n_splits : 2 * n_splits;
		if (marks->values == NULL || forest_number(marks, i) == 0)
			most = last > most ? last : most;
	}
	const uint32_t bytes = forest_number_bytes(most);
	return stored->bytes > bytes ? stored->bytes : bytes;
}

/* In the narrowest type for the section's bits; `out` is empty if there is no section. */
static score_status get_weights(const slm_reader *r, int id, uint64_t n, forest_weights *out)
{
	const slm_section *s = r->table.sections + id;
	if (!s->present)
		return SCORE_OK;
	TRY(slm_find(r, id, n, s->is_float, &s));
	const uint32_t bytes = s->is_float ? s->bits / 8u : s->bits <= 16 ? sizeof(uint16_t) : s->bits <= 24 ? sizeof(float) : sizeof(double);
	void *values = slm_take(r, r->arena, n, bytes);
	if (values == NULL)
		return SCORE_ERR_MEMORY;
	for (size_t i = 0; i < (size_t)n; i++) {
		double x;
		if (s->is_float)
			slm_floats_from_bytes(r->sections + s->offset + i * bytes, s->bits, &x, 1);
		else
			x = (double)slm_unpack_one(r->sections + s->offset, (size_t)s->bytes, s->bits, i);
		forest_put_weight(values, bytes, i, x);
	}
	*out = (forest_weights){ values, bytes };
	return SCORE_OK;
}

static bool follows_rule(const tree_filler *t, uint32_t tree)
{
	return t->marks.values == NULL || forest_number(&t->marks, tree) == 0;
}

/* The tree's shape is known. */
static score_status fill_leaf_ids(tree_filler *t, uint32_t number)
{
	const slm_reader *r = t->r;
	const forest_tree *tree = t->trees + number;
	const uint64_t n = (uint64_t)tree->n_splits + 1;
	if (follows_rule(t, number)) {
		slm_rule_ids(r->table.leaf_rule, tree->n_splits, &t->children, t->queue, t->ids);
		for (uint32_t k = 0; k < n; k++)
			forest_put_number(t->leaf_ids, t->id_bytes, (size_t)tree->first_leaf + k, t->ids[k]);
		return SCORE_OK;
	}
	if (n > t->n_stored - t->n_used)
		return sl_fail(r->error, SCORE_ERR_CORRUPT, "section leaf_ids ends at tree %u", (unsigned)number);
	for (uint32_t k = 0; k < n; k++)
		forest_put_number(t->leaf_ids, t->id_bytes, (size_t)tree->first_leaf + k, forest_number(&t->stored, (size_t)t->n_used + k));
	t->n_used += n;
	return SCORE_OK;
}

static score_status fill_trees(tree_filler *t)
{
	const slm_reader *r = t->r;
	for (uint32_t i = 0; i < r->f->n_trees; i++) {
		if (!slm_shape_tree(&t->topology, t->trees + i, &t->children, t->left_leaves, t->left_bytes))
			return sl_fail(r->error, SCORE_ERR_LIMIT, "tree %u is deeper than %u splits", (unsigned)i, FOREST_MAX_DEPTH);
		TRY(fill_leaf_ids(t, i));
	}
	if (t->n_used != t->n_stored)
		return sl_fail(r->error, SCORE_ERR_CORRUPT, "section leaf_ids has more numbers than trees that use them");
	return SCORE_OK;
}

/* Trees begin and end where they should. */
static score_status count_trees(tree_filler *t)
{
	const slm_reader *r = t->r;
	forest *f = r->f;
	const slm_section *topology;
	TRY(slm_find(r, SLM_TOPOLOGY, (uint64_t)f->n_splits + f->n_leaves, false, &topology));
	if (topology != NULL && topology->bits != 1)
		return sl_fail(r->error, SCORE_ERR_CORRUPT, "section topology: expected type u1, found u%u",
			(unsigned)topology->bits);
	TRY(slm_get_numbers(r, r->arena, SLM_SPLIT_TESTS, f->n_splits, &f->split_test));
	t->trees = slm_take(r, r->arena, f->n_trees, sizeof *t->trees);
	if (t->trees == NULL)
		return SCORE_ERR_MEMORY;
	if (topology != NULL) {
		t->topology.bytes = r->sections + topology->offset;
		TRY(slm_count_trees(f, topology, t->topology.bytes, t->trees, r->error));
	}
	f->trees = t->trees;
	return SCORE_OK;
}

/* Memory for what is filled, and for the largest tree. */
static score_status take_room(tree_filler *t, sl_arena *scratch)
{
	const slm_reader *r = t->r;
	forest *f = r->f;
	const uint32_t most = forest_most_splits(f);
	const uint64_t n = (uint64_t)most + 1;
	t->left_bytes = forest_number_bytes(most);
	t->id_bytes = leaf_id_bytes(r, &t->marks, &t->stored);
	t->left_leaves = slm_take(r, r->arena, f->n_splits, t->left_bytes);
	t->leaf_ids = slm_take(r, r->arena, f->n_leaves, t->id_bytes);
	t->topology.open = slm_take(r, scratch, most < FOREST_MAX_DEPTH ? most : FOREST_MAX_DEPTH, sizeof *t->topology.open);
	t->children.left = slm_take(r, scratch, n, sizeof *t->children.left);
	t->children.right = slm_take(r, scratch, n, sizeof *t->children.right);
	t->queue = slm_take(r, scratch, n, sizeof *t->queue);
	t->ids = slm_take(r, scratch, n, sizeof *t->ids);
	f->left_leaves = (forest_numbers){ t->left_leaves, t->left_bytes };
	f->leaf_ids = (forest_numbers){ t->leaf_ids, t->id_bytes };
	return t->left_leaves != NULL && t->leaf_ids != NULL && t->topology.open != NULL && t->children.left != NULL &&
		t->children.right != NULL && t->queue != NULL && t->ids != NULL ? SCORE_OK : SCORE_ERR_MEMORY;
}

score_status slm_get_trees(const slm_reader *r, sl_arena *scratch)
{
	forest *f = r->f;
	tree_filler t = { .r = r, .marks = { NULL, 1 } };
	t.n_stored = r->table.sections[SLM_LEAF_IDS].present ? r->table.sections[SLM_LEAF_IDS].count : 0;
	TRY(count_trees(&t));
	TRY(get_outputs(r, scratch, t.trees));
	if (r->table.sections[SLM_LEAF_ID_EXPLICIT].present)
		TRY(slm_get_numbers(r, scratch, SLM_LEAF_ID_EXPLICIT, f->n_trees, &t.marks));
	TRY(slm_get_numbers(r, scratch, SLM_LEAF_IDS, t.n_stored, &t.stored));
	TRY(get_weights(r, SLM_LEAF_COVERS, f->n_leaves, &f->leaf_covers));
	TRY(get_weights(r, SLM_SPLIT_COVERS, f->n_splits, &f->split_covers));
	TRY(take_room(&t, scratch));
	return f->n_trees > 0 ? fill_trees(&t) : SCORE_OK;
}
