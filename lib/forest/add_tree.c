/*
 * One tree into the builder: nodes in any order become splits and leaves in preorder.
 *
 * Checks what makes it a tree: children in range, no node reached twice (so no cycle and no shared child), depth. The walk
 * keeps its own stack; a hostile tree costs at most its own length.
 */
#include "builder.h"

#include <math.h>

#define ROOT UINT32_MAX

/* A node still to be numbered, and the place that waits for its number. */
typedef struct pending {
	uint32_t node;
	uint32_t parent; /* split of this tree, or ROOT */
	uint32_t depth;
	bool is_right;
} pending;

/* Lengths to fall back to when a tree is refused. */
typedef struct mark {
	size_t splits, leaves, ids, split_covers, leaf_covers, terms;
	bool linear;
} mark;

typedef struct walk {
	score_builder *b;
	const score_tree *tree;
	sl_vector stack;
	uint8_t *seen;
	uint32_t *members; /* scratch for one category set */
	mark start;
	uint32_t n_splits, n_leaves, depth;
	score_error *error;
} walk;

static double canonical(double x)
{
	return x != x ? (double)NAN : x + 0.0; /* -0 + 0 is +0 */
}

/* `right when x >= cut` for the caller's test. NaN means never, -inf always. */
static double cut_of(const score_contract *c, const score_node *node)
{
	double t = node->value;
	if (t != t)
		return -INFINITY;
	if (node->test == SCORE_TEST_LT)
		return canonical(t);
	if (t == INFINITY)
		return canonical(NAN);
	return canonical(c->compare == SCORE_F32 ? (double)nextafterf((float)t, INFINITY) : nextafter(t, INFINITY));
}

static score_status intern_numeric(walk *w, const score_node *node, uint32_t at, uint32_t *out)
{
	const score_contract *c = &w->b->contract;
	if (!forest_fits(c->compare, node->value))
		return sl_fail(w->error, SCORE_ERR_ARGUMENT,
			"the threshold of node %u is no float value, but the model compares in float", at);
	raw_test test = {.cut = cut_of(c, node), .feature = node->feature, .kind = FOREST_NUMERIC,
		.missing_right = !(node->missing & SCORE_MISSING_LEFT),
		.zero_is_missing = (node->missing & SCORE_MISSING_ZERO) != 0};
	*out = forest_intern_test(w->b, &test);
	return *out == UINT32_MAX ? sl_fail_memory(w->error, sizeof test) : SCORE_OK;
}

/* Elements that the model has room for. A file may name the same ones from many nodes, so that they outgrow it. */
static uint64_t most_elements(const score_builder *b, size_t bytes, uint32_t most)
{
	const uint64_t fit = b->options.max_bytes / bytes;
	return fit < most ? fit : most;
}

static score_status intern_category(walk *w, const score_node *node, uint32_t at, uint32_t *out)
{
	const score_tree *tree = w->tree;
	if (node->missing & SCORE_MISSING_ZERO)
		return sl_fail(w->error, SCORE_ERR_ARGUMENT, "node %u: SCORE_MISSING_ZERO does not go with a set test", at);
	if (node->categories > tree->n_categories || node->n_categories > tree->n_categories - node->categories)
		return sl_fail(w->error, SCORE_ERR_ARGUMENT, "node %u names categories %u to %llu of %zu", at,
			node->categories, (unsigned long long)node->categories + node->n_categories, tree->n_categories);
	if (node->n_categories)
		memcpy(w->members, tree->categories + node->categories, node->n_categories * sizeof *w->members);
	const uint64_t most = most_elements(w->b, sizeof *w->members, UINT32_MAX - 1);
	uint32_t set = forest_intern_set(w->b, w->members, node->n_categories, most);
	if (set == UINT32_MAX && w->b->members.length + node->n_categories > most)
		return sl_fail(w->error, SCORE_ERR_LIMIT, "the model's sets have more than %llu categories (max_bytes)",
			(unsigned long long)most);
	if (set == UINT32_MAX)
		return sl_fail_memory(w->error, node->n_categories * sizeof *w->members);
	raw_test test = {.feature = node->feature, .set = set,
		.kind = node->test == SCORE_TEST_IN_RIGHT ? FOREST_CATEGORY : FOREST_CATEGORY_NOT,
		.missing_right = !(node->missing & SCORE_MISSING_LEFT)};
	*out = forest_intern_test(w->b, &test);
	return *out == UINT32_MAX ? sl_fail_memory(w->error, sizeof test) : SCORE_OK;
}

static score_status push(walk *w, int32_t child, const pending *parent, uint32_t number, bool is_right)
{
	if (child < 0 || (size_t)child >= w->tree->n_nodes)
		return sl_fail(w->error, SCORE_ERR_ARGUMENT, "node %u has child %d, expected 0 to %zu", parent->node, (int)child,
			w->tree->n_nodes - 1);
	pending p = {(uint32_t)child, number, parent->depth + 1, is_right};
	if (!sl_vector_push(&w->stack, &p, 1))
		return sl_fail_memory(w->error, sizeof p);
	return SCORE_OK;
}

/* Once a tree has no covers, the model has none. */
static score_status keep_cover(walk *w, uint32_t at, sl_vector *to)
{
	double cover = w->tree->covers ? w->tree->covers[at] : 0.0;
	if (w->b->lacks_covers)
		return SCORE_OK;
	if (!(cover >= 0.0 && isfinite(cover)))
		return sl_fail(w->error, SCORE_ERR_ARGUMENT,
			"the cover of node %u is %g, expected a finite weight of at least 0", at, cover);
	cover += 0.0; /* -0 + 0 is +0 */
	return sl_vector_push(to, &cover, 1) ? SCORE_OK : sl_fail_memory(w->error, sizeof cover);
}

static score_status visit_split(walk *w, const pending *p, const score_node *node)
{
	score_builder *b = w->b;
	uint32_t test = 0;
	score_status status;
	if (node->feature >= forest_builder_columns(b))
		return sl_fail(w->error, SCORE_ERR_ARGUMENT, "node %u tests feature %u, the model has %u features%s", p->node,
			node->feature, forest_builder_columns(b), b->programs.length ? ", derived ones included" : "");
	if (node->missing & ~(SCORE_MISSING_LEFT | SCORE_MISSING_ZERO))
		return sl_fail(w->error, SCORE_ERR_ARGUMENT, "node %u has unknown bits in `missing`: %u", p->node, node->missing);
	if (p->depth >= b->options.max_depth)
		return sl_fail(w->error, SCORE_ERR_LIMIT, "the tree is deeper than %u splits (max_depth)", b->options.max_depth);
	switch (node->test) {
	case SCORE_TEST_LT:
	case SCORE_TEST_LE:
		status = intern_numeric(w, node, p->node, &test);
		break;
	case SCORE_TEST_IN_LEFT:
	case SCORE_TEST_IN_RIGHT:
		status = intern_category(w, node, p->node, &test);
		break;
	default:
		return sl_fail(w->error, SCORE_ERR_ARGUMENT, "node %u has the unknown test %u", p->node, node->test);
	}
	const int32_t unset = 0;
	if (status != SCORE_OK)
		return status;
	if (!sl_vector_push(&b->split_test, &test, 1) || !sl_vector_push(&b->left, &unset, 1) ||
		!sl_vector_push(&b->right, &unset, 1))
		return sl_fail_memory(w->error, sizeof test);
	status = keep_cover(w, p->node, &b->split_covers);
	if (status != SCORE_OK)
		return status;
	uint32_t number = w->n_splits++;
	if (p->depth + 1 > w->depth)
		w->depth = p->depth + 1;
	/* The left child is taken off the stack first: preorder. */
	status = push(w, node->right, p, number, true);
	return status == SCORE_OK ? push(w, node->left, p, number, false) : status;
}

/* The linear part of a leaf; of a plain one its value as constant. */
static score_status take_terms(walk *w, uint32_t at)
{
	score_builder *b = w->b;
	const score_tree *tree = w->tree;
	score_linear_leaf leaf = {tree->nodes[at].value, 0, 0};
	if (tree->linear_leaves)
		leaf = tree->linear_leaves[at];
	if (leaf.first_term > tree->n_terms || leaf.n_terms > tree->n_terms - leaf.first_term)
		return sl_fail(w->error, SCORE_ERR_ARGUMENT, "leaf %u has terms %u to %llu of %zu", at, leaf.first_term,
			(unsigned long long)leaf.first_term + leaf.n_terms, tree->n_terms);
	for (uint32_t i = leaf.first_term; i < leaf.first_term + leaf.n_terms; i++) {
		if (tree->term_features[i] >= forest_builder_columns(b))
			return sl_fail(w->error, SCORE_ERR_ARGUMENT, "leaf %u has a term of feature %u, the model has %u features", at,
				tree->term_features[i], b->contract.n_features);
	}
	const uint64_t most = most_elements(b, sizeof(double) + sizeof(uint32_t), INT32_MAX);
	if (b->coefficients.length + leaf.n_terms > most)
		return sl_fail(w->error, SCORE_ERR_LIMIT, "the model has more than %llu terms (max_bytes)", (unsigned long long)most);
	uint32_t end = (uint32_t)b->coefficients.length + leaf.n_terms;
	if (!sl_vector_push(&b->constants, &leaf.constant, 1) || !sl_vector_push(&b->term_ends, &end, 1))
		return sl_fail_memory(w->error, sizeof leaf);
	if (leaf.n_terms && (!sl_vector_push(&b->term_features, tree->term_features + leaf.first_term, leaf.n_terms) ||
		!sl_vector_push(&b->coefficients, tree->term_coefficients + leaf.first_term, leaf.n_terms)))
		return sl_fail_memory(w->error, leaf.n_terms * sizeof(double));
	return SCORE_OK;
}

/* The first tree with linear leaves: those before it get constants. */
static score_status start_linear_leaves(score_builder *b, const score_tree *tree, score_error *error)
{
	if (b->contract.compare != SCORE_F64 || b->contract.sum != SCORE_F64 || tree->vectors)
		return sl_fail(error, SCORE_ERR_ARGUMENT,
			"linear leaves need a contract that compares and sums in SCORE_F64, and no vectors");
	if (tree->n_terms && (!tree->term_features || !tree->term_coefficients))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the tree has %zu terms, but no term_features or term_coefficients",
			tree->n_terms);
	if (b->has_linear_leaves)
		return SCORE_OK;
	uint32_t none = 0;
	bool done = sl_vector_push(&b->constants, b->leaves.data, b->leaves.length);
	for (size_t i = 0; i < b->leaves.length && done; i++)
		done = sl_vector_push(&b->term_ends, &none, 1);
	if (!done) {
		b->constants.length = b->term_ends.length = 0;
		return sl_fail_memory(error, b->leaves.length * sizeof(double));
	}
	b->has_linear_leaves = true;
	return SCORE_OK;
}

static score_status visit_leaf(walk *w, const pending *p, const score_node *node)
{
	score_builder *b = w->b;
	const score_tree *tree = w->tree;
	const double *values = &node->value;
	if (tree->vectors) {
		if (node->leaf_vector >= tree->n_vectors)
			return sl_fail(w->error, SCORE_ERR_ARGUMENT, "leaf %u has vector %u of %zu", p->node, node->leaf_vector,
				tree->n_vectors);
		values = tree->vectors + (size_t)node->leaf_vector * b->leaf_width;
	}
	for (uint32_t i = 0; i < b->leaf_width; i++) {
		if (!forest_fits(b->contract.sum, values[i]))
			return sl_fail(w->error, SCORE_ERR_ARGUMENT,
				"the value of leaf %u is no float value, but the model sums in float", p->node);
	}
	if (!sl_vector_push(&b->leaves, values, b->leaf_width) || !sl_vector_push(&b->leaf_ids, &node->leaf_id, 1))
		return sl_fail_memory(w->error, sizeof *values);
	w->n_leaves++;
	score_status status = b->has_linear_leaves ? take_terms(w, p->node) : SCORE_OK;
	return status == SCORE_OK ? keep_cover(w, p->node, &b->leaf_covers) : status;
}

static score_status walk_nodes(walk *w)
{
	const pending root = {0, ROOT, 0, false};
	if (!sl_vector_push(&w->stack, &root, 1))
		return sl_fail_memory(w->error, sizeof root);
	while (w->stack.length) {
		pending p = ((const pending *)w->stack.data)[--w->stack.length];
		const score_node *node = w->tree->nodes + p.node;
		if (w->seen[p.node])
			return sl_fail(w->error, SCORE_ERR_ARGUMENT, "node %u is reached twice: a cycle or a shared child", p.node);
		w->seen[p.node] = 1;
		bool is_leaf = node->test == SCORE_TEST_LEAF;
		if (p.parent != ROOT) {
			int32_t number = is_leaf ? ~(int32_t)w->n_leaves : (int32_t)w->n_splits;
			sl_vector *side = p.is_right ? &w->b->right : &w->b->left;
			((int32_t *)side->data)[w->start.splits + p.parent] = number;
		}
		score_status status = is_leaf ? visit_leaf(w, &p, node) : visit_split(w, &p, node);
		if (status != SCORE_OK)
			return status;
	}
	return SCORE_OK;
}

static score_status check_tree(score_builder *b, const score_tree *tree, score_error *error)
{
	if (b->has_linear)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the model is linear already: it is either linear or trees");
	if (!tree->nodes || tree->n_nodes == 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "a tree needs at least one node");
	if (tree->n_nodes > INT32_MAX || b->split_test.length + tree->n_nodes > INT32_MAX)
		return sl_fail(error, SCORE_ERR_LIMIT, "the model has more than %d nodes", INT32_MAX);
	if (b->trees.length >= b->options.max_trees)
		return sl_fail(error, SCORE_ERR_LIMIT, "the model has more than %u trees (max_trees)", b->options.max_trees);
	if (tree->output >= b->contract.n_outputs || (tree->vectors && tree->output != 0))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the tree adds to output %u of %u", tree->output, b->contract.n_outputs);
	uint32_t width = tree->vectors ? b->contract.n_outputs : 1;
	if (b->leaf_width && b->leaf_width != width)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "scalar and vector trees cannot be mixed in one model");
	size_t bytes = tree->n_nodes * (sizeof(double) * (width + (tree->covers ? 1 : 0)) + 4 * sizeof(uint32_t));
	size_t have = b->leaves.length * sizeof(double) + b->split_test.length * 12;
	if (bytes > b->options.max_bytes || have > b->options.max_bytes - bytes)
		return sl_fail(error, SCORE_ERR_LIMIT, "the model needs more than %llu bytes (max_bytes)",
			(unsigned long long)b->options.max_bytes);
	b->leaf_width = width;
	return SCORE_OK;
}

static void roll_back(score_builder *b, const mark *start)
{
	b->split_test.length = b->left.length = b->right.length = start->splits;
	b->leaves.length = start->leaves;
	b->leaf_ids.length = start->ids;
	b->split_covers.length = start->split_covers;
	b->leaf_covers.length = start->leaf_covers;
	b->has_linear_leaves = start->linear;
	b->constants.length = b->term_ends.length = start->linear ? start->ids : 0;
	b->term_features.length = b->coefficients.length = start->terms;
	if (b->trees.length == 0)
		b->leaf_width = 0;
}

static score_status add_tree(score_builder *b, const score_tree *tree, score_error *error)
{
	score_tree t;
	sl_error_clear(error);
	if (!b || !tree || b->spent)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_builder_add_tree: builder and tree must not be NULL or spent");
	score_status status = sl_take_struct(&t, sizeof t, tree, "score_tree", error);
	if (status == SCORE_OK)
		status = check_tree(b, &t, error);
	if (status != SCORE_OK)
		return status;
	walk w = {.b = b, .tree = &t, .error = error,
		.start = {b->split_test.length, b->leaves.length, b->leaf_ids.length, b->split_covers.length,
			b->leaf_covers.length, b->coefficients.length, b->has_linear_leaves}};
	size_t members = t.n_categories * sizeof *w.members;
	sl_vector_init(&w.stack, &b->allocator, sizeof(pending));
	w.seen = sl_alloc(&b->allocator, t.n_nodes, 64);
	w.members = sl_alloc(&b->allocator, members, 64);
	if (t.linear_leaves)
		status = start_linear_leaves(b, &t, error);
	if (status == SCORE_OK && (!w.seen || (members && !w.members))) {
		status = sl_fail_memory(error, t.n_nodes + members);
	} else if (status == SCORE_OK) {
		memset(w.seen, 0, t.n_nodes);
		status = walk_nodes(&w);
	}
	forest_tree done = {(uint32_t)w.start.splits, w.n_splits, (uint32_t)w.start.ids, t.output, w.depth, 0};
	if (status == SCORE_OK && !sl_vector_push(&b->trees, &done, 1))
		status = sl_fail_memory(error, sizeof done);
	if (status != SCORE_OK)
		roll_back(b, &w.start);
	else if (!t.covers && w.n_splits)
		b->lacks_covers = true;
	sl_free(&b->allocator, w.seen, t.n_nodes, 64);
	sl_free(&b->allocator, w.members, members, 64);
	sl_vector_free(&w.stack);
	return status;
}

score_status score_builder_add_tree(score_builder *b, const score_tree *tree, score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = add_tree(b, tree, error);
	sl_leave_default_float(host);
	return status;
}
