/*
 * An onnx_ensemble to the builder's trees.
 *
 * Comes in: nodes whose children are in range. Goes out: trees in the builder, with the same answers: a
 * comparison that the builder does not have becomes one that it has with its children exchanged; x == t and set membership
 * become a category test, or, for numbers that are no categories, a chain of comparisons. Scores of one target per tree
 * stay scalar trees, others become vector trees. Shared
 * children are copied, within a bound. Iterative.
 */
#include "onnx.h"

#include <math.h>

typedef struct pending {
	uint32_t source;
	uint32_t parent; /* in `nodes`, UINT32_MAX at the root */
	bool is_right;
} pending;

typedef struct emit {
	onnx_file *file;
	const onnx_ensemble *e;
	const onnx_columns *columns;
	const onnx_scores *scores;
	score_builder *builder;
	sl_vector nodes;      /* score_node, of one tree */
	sl_vector stack;      /* pending */
	sl_vector categories; /* uint32_t, of one tree */
	sl_vector values;     /* double: of one set */
	sl_vector others;     /* double: those of them that are no categories */
	sl_vector vectors;    /* double, of one tree */
	bool vector_trees;
	uint32_t *output;     /* of each scalar tree */
	uint64_t visits_left; /* nodes that may be looked at, */
	uint64_t copies_left; /* and made, with the values of sets: shared children are copied */
	uint64_t scores_left; /* of leaf vectors */
	uint64_t n_leaves;    /* made so far with a vector */
	uint64_t *voted;      /* [n_outputs] the last of them that had a weight for a target */
	bool has_memory;      /* for all that was pushed */
} emit;

static score_status no_memory(const emit *m)
{
	return sl_fail_memory(m->file->error, sizeof(score_node));
}

static score_status too_many(const emit *m)
{
	return import_onnx_fail(m->file, m->e->op, SCORE_ERR_UNSUPPORTED,
		"shared children, or equality with numbers other than 0, 1, 2, …, make too many nodes; use trees, BRANCH_LEQ, BRANCH_LT");
}

static score_status too_wide(const emit *m)
{
	return import_onnx_fail(m->file, m->e->op, SCORE_ERR_LIMIT, "%zu nodes with scores for each of %u targets", m->e->n_nodes,
		m->scores->n_outputs);
}

/* Whether there was room for it tells has_memory, in the end. */
static void push(emit *m, uint32_t source, uint32_t parent, bool is_right)
{
	pending p = {source, parent, is_right};
	if (!sl_vector_push(&m->stack, &p, 1))
		m->has_memory = false;
}

/* ---- what the trees are ------------------------------------------------------------------------------- */

/* Take nodes that are no child away, again and again: what cannot be taken away goes round in a circle. */
static score_status check_cycles(emit *m)
{
	const onnx_ensemble *e = m->e;
	size_t taken = 0, n_free = 0;
	uint32_t *uses = sl_arena_alloc(&m->file->arena, e->n_nodes, sizeof *uses);
	uint32_t *free_nodes = sl_arena_alloc(&m->file->arena, e->n_nodes, sizeof *free_nodes);
	if (!uses || !free_nodes)
		return import_onnx_no_memory(m->file, e->n_nodes * sizeof *uses);
	for (size_t i = 0; i < e->n_nodes; i++) {
		if (e->nodes[i].mode != ONNX_LEAF) {
			uses[e->nodes[i].yes]++;
			uses[e->nodes[i].no]++;
		}
	}
	for (uint32_t i = 0; i < e->n_nodes; i++) {
		if (uses[i] == 0)
			free_nodes[n_free++] = i;
	}
	for (; taken < n_free; taken++) {
		const onnx_node *node = e->nodes + free_nodes[taken];
		if (node->mode == ONNX_LEAF)
			continue;
		if (--uses[node->yes] == 0)
			free_nodes[n_free++] = node->yes;
		if (--uses[node->no] == 0)
			free_nodes[n_free++] = node->no;
	}
	if (taken < e->n_nodes)
		return import_onnx_fail(m->file, e->op, SCORE_ERR_CORRUPT, "%zu nodes lead back to themselves: there is a cycle",
			e->n_nodes - taken);
	return SCORE_OK;
}

/* Whether all leaves of a tree vote for one target, and which. `seen` has the last tree that met a node. */
static score_status survey_tree(emit *m, size_t tree, uint32_t *seen)
{
	const onnx_ensemble *e = m->e;
	bool found = false;
	m->stack.length = 0;
	push(m, e->roots[tree], UINT32_MAX, false);
	while (m->stack.length) {
		uint32_t at = ((const pending *)m->stack.data)[--m->stack.length].source;
		const onnx_node *node = e->nodes + at;
		if (seen[at] == tree + 1)
			continue;
		seen[at] = (uint32_t)tree + 1;
		if (m->visits_left-- == 0)
			return too_many(m);
		if (node->mode != ONNX_LEAF) {
			push(m, node->no, 0, true);
			push(m, node->yes, 0, false);
			continue;
		}
		for (uint32_t i = 0; i < node->n; i++) {
			uint32_t target = e->votes[node->first + i].target;
			if (node->n > 1 || (found && m->output[tree] != target))
				m->vector_trees = m->scores->n_outputs > 1;
			m->output[tree] = found ? m->output[tree] : target;
			found = true;
		}
	}
	return m->has_memory ? SCORE_OK : no_memory(m);
}

static score_status survey(emit *m)
{
	const onnx_ensemble *e = m->e;
	uint32_t *seen = sl_arena_alloc(&m->file->arena, e->n_nodes, sizeof *seen);
	m->output = sl_arena_alloc(&m->file->arena, e->n_trees, sizeof *m->output);
	if (!m->output || !seen)
		return import_onnx_no_memory(m->file, e->n_nodes * sizeof *seen);
	score_status status = check_cycles(m);
	for (size_t i = 0; i < e->n_trees && status == SCORE_OK; i++)
		status = survey_tree(m, i, seen);
	if (status != SCORE_OK)
		return status;
	if (!m->vector_trees)
		return SCORE_OK;
	m->voted = sl_arena_alloc(&m->file->arena, m->scores->n_outputs, sizeof *m->voted);
	if (!m->voted)
		return import_onnx_no_memory(m->file, m->scores->n_outputs * sizeof *m->voted);
	/* Leaf vectors may take more room than the file; not out of proportion to it. */
	m->scores_left = (m->file->limit - m->file->arena.used) / sizeof(double);
	return e->n_nodes > m->scores_left / m->scores->n_outputs ? too_wide(m) : SCORE_OK;
}

/* ---- leaves ------------------------------------------------------------------------------------------- */

/* Weights are added to the sum one by one, so a second one for the same target is not the same as their sum. */
static score_status second_vote(const emit *m, const onnx_node *node, uint32_t target)
{
	return import_onnx_fail(m->file, m->e->op, SCORE_ERR_UNSUPPORTED,
		"leaf %u has two weights for target %u; add them up in the file%s", node->id, target,
		m->scores->n_outputs == 1 ? ", or take the first by the onnxruntime compatibility" : "");
}

static score_status fill_leaf(emit *m, const onnx_node *node, score_node *out)
{
	const onnx_vote *votes = m->e->votes + node->first;
	*out = (score_node){.test = SCORE_TEST_LEAF, .leaf_id = node->id};
	if (!m->vector_trees) {
		/* onnxruntime looks no further than the first weight when there is one score. */
		if (node->n > 1 && !m->file->like_runtime)
			return second_vote(m, node, votes[0].target);
		out->value = node->n ? votes[0].weight : 0.0;
		return SCORE_OK;
	}
	uint32_t n = m->scores->n_outputs;
	out->leaf_vector = (uint32_t)(m->vectors.length / n);
	if (n > m->scores_left)
		return too_wide(m);
	m->scores_left -= n;
	double *values = sl_vector_grow(&m->vectors, n);
	if (!values)
		return no_memory(m);
	memset(values, 0, n * sizeof *values);
	m->n_leaves++;
	for (uint32_t i = 0; i < node->n; i++) {
		if (m->voted[votes[i].target] == m->n_leaves)
			return second_vote(m, node, votes[i].target);
		m->voted[votes[i].target] = m->n_leaves;
		values[votes[i].target] = votes[i].weight;
	}
	return SCORE_OK;
}

/* ---- splits ------------------------------------------------------------------------------------------- */

/* Float values are below or above a double threshold as they are below or above a float beside it. */
static double narrow_threshold(const emit *m, double t, bool inclusive)
{
	if (!m->columns->narrowed || t != t)
		return t;
	float f = (float)t;
	if (inclusive && (double)f > t)
		f = nextafterf(f, -INFINITY);
	if (!inclusive && (double)f < t)
		f = nextafterf(f, INFINITY);
	return (double)f;
}

/* `x < t` or `x <= t`, with `left` where that is so. */
static score_node comparison(const emit *m, const onnx_node *node, score_test test, double t, bool missing_left)
{
	return (score_node){.test = test, .feature = m->columns->column[node->feature],
		.missing = missing_left ? SCORE_MISSING_LEFT : SCORE_MISSING_RIGHT,
		.value = narrow_threshold(m, t, test == SCORE_TEST_LE)};
}

static void add_node(emit *m, const score_node *node)
{
	if (!sl_vector_push(&m->nodes, node, 1))
		m->has_memory = false;
}

static void split(emit *m, const onnx_node *node, uint32_t at)
{
	/* x > t is the contrary of x <= t, unless t is NaN and neither is so. */
	bool less = node->mode == ONNX_LT || node->mode == ONNX_LEQ || node->value != node->value;
	bool inclusive = less ? node->mode == ONNX_LEQ : node->mode == ONNX_GT;
	score_node out = comparison(m, node, inclusive ? SCORE_TEST_LE : SCORE_TEST_LT, node->value, node->missing_is_yes == less);
	add_node(m, &out);
	push(m, less ? node->no : node->yes, at, true);
	push(m, less ? node->yes : node->no, at, false);
}

static bool is_category(double x)
{
	return x >= 0.0 && x < 2147483648.0 && x == floor(x);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Sort the values out: categories go into the tree's list, others, ascending, into m->others. */
static void sort_out(emit *m, const double *values, size_t n)
{
	m->others.length = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t category = is_category(values[i]) ? (uint32_t)values[i] : 0;
		bool held = !m->columns->narrowed || (double)(float)values[i] == values[i];
		if (values[i] != values[i] || !held)
			continue; /* equals nothing */
		bool good = is_category(values[i]) ? sl_vector_push(&m->categories, &category, 1) :
			sl_vector_push(&m->others, values + i, 1);
		if (!good)
			m->has_memory = false;
	}
	double *v = m->others.data;
	size_t kept = 0;
	if (m->others.length > 1)
		sl_sort(v, m->others.length, sizeof *v, compare_doubles);
	for (size_t i = 0; i < m->others.length; i++) {
		if (i == 0 || v[i] != v[kept - 1])
			v[kept++] = v[i];
	}
	m->others.length = kept;
}

/* Nodes that ask one after the other whether a feature equals this or that, and go on to the same child when it does, are
 * one question. Converters write sets of categories so. Returns the last of them, and how many they are; adds their values to
 * m->values. */
static const onnx_node *gather(emit *m, const onnx_node *node, bool *missing_in, size_t *n)
{
	const onnx_node *nodes = m->e->nodes;
	m->values.length = 0;
	*missing_in = false;
	for (*n = 1;; ++*n) {
		const double *values = node->mode == ONNX_MEMBER ? m->e->members + node->first : &node->value;
		if (!sl_vector_push(&m->values, values, node->mode == ONNX_MEMBER ? node->n : 1))
			m->has_memory = false;
		*missing_in = *missing_in || (node->missing_is_yes && node->mode != ONNX_NEQ);
		const onnx_node *next = nodes + node->no;
		bool goes_on = node->mode != ONNX_NEQ && (next->mode == ONNX_EQ || next->mode == ONNX_MEMBER) &&
			next->feature == node->feature && next->yes == node->yes;
		if (!goes_on)
			return node;
		node = next;
	}
}

/* x < v1 ? out : x <= v1 ? in : x < v2 ? out : … : out, for members that are no categories; NaN goes the same way at each.
 * The first question stands at `at`, or to the right of what stands there. */
static void chain(emit *m, const onnx_node *node, uint32_t at, uint32_t in, uint32_t out, bool missing_in)
{
	const double *others = m->others.data;
	for (size_t i = 0; i < m->others.length; i++) {
		uint32_t here = (uint32_t)m->nodes.length;
		score_node *two = sl_vector_grow(&m->nodes, 2);
		if (!two) {
			m->has_memory = false;
			return;
		}
		two[0] = comparison(m, node, SCORE_TEST_LT, others[i], !missing_in);
		two[1] = comparison(m, node, SCORE_TEST_LE, others[i], missing_in);
		two[0].right = (int32_t)(here + 1);
		if (here > at)
			two[-1].right = (int32_t)here;
		push(m, out, here, false);
		push(m, in, here + 1, false);
	}
	push(m, out, (uint32_t)m->nodes.length - 1, true);
}

static score_status equality(emit *m, const onnx_node *node, uint32_t at)
{
	bool missing_in, exchanged = node->mode == ONNX_NEQ; /* NaN differs from everything */
	uint32_t first = (uint32_t)m->categories.length;
	size_t n_nodes;
	const onnx_node *last = gather(m, node, &missing_in, &n_nodes);
	/* A set that many nodes share is copied as they are; so is a chain of them, which may have no values. */
	if (m->values.length + n_nodes > m->copies_left)
		return too_many(m);
	m->copies_left -= m->values.length + n_nodes;
	sort_out(m, m->values.data, m->values.length);
	uint32_t in = exchanged ? last->no : last->yes, out = exchanged ? last->yes : last->no;
	score_node set = {.test = SCORE_TEST_IN_LEFT, .feature = m->columns->column[node->feature], .categories = first,
		.missing = missing_in ? SCORE_MISSING_LEFT : SCORE_MISSING_RIGHT,
		.n_categories = (uint32_t)m->categories.length - first};
	if (set.n_categories || m->others.length == 0) {
		add_node(m, &set);
		push(m, in, at, false);
	}
	chain(m, node, at, in, out, missing_in);
	return m->has_memory ? SCORE_OK : no_memory(m);
}

static score_status fill_split(emit *m, const onnx_node *node, uint32_t at)
{
	if (node->feature >= m->columns->n)
		return import_onnx_fail(m->file, m->e->op, SCORE_ERR_CORRUPT, "node %u tests feature %u of %u", node->id,
			node->feature, m->columns->n);
	switch (node->mode) {
	case ONNX_EQ:
	case ONNX_NEQ:
	case ONNX_MEMBER:
		return equality(m, node, at);
	default:
		split(m, node, at);
		return m->has_memory ? SCORE_OK : no_memory(m);
	}
}

/* ---- trees -------------------------------------------------------------------------------------------- */

static score_status emit_node(emit *m, const pending *p)
{
	const onnx_node *node = m->e->nodes + p->source;
	uint32_t at = (uint32_t)m->nodes.length;
	if (p->parent != UINT32_MAX) {
		score_node *parent = sl_vector_at(&m->nodes, p->parent);
		*(p->is_right ? &parent->right : &parent->left) = (int32_t)at;
	}
	if (m->copies_left-- == 0)
		return too_many(m);
	if (node->mode != ONNX_LEAF)
		return fill_split(m, node, at);
	score_node leaf;
	score_status status = fill_leaf(m, node, &leaf);
	if (status != SCORE_OK)
		return status;
	add_node(m, &leaf);
	return m->has_memory ? SCORE_OK : no_memory(m);
}

static score_status emit_tree(emit *m, size_t i)
{
	m->nodes.length = m->stack.length = m->categories.length = m->vectors.length = 0;
	push(m, m->e->roots[i], UINT32_MAX, false);
	while (m->stack.length) {
		pending p = ((const pending *)m->stack.data)[--m->stack.length];
		score_status status = emit_node(m, &p);
		if (status != SCORE_OK)
			return status;
	}
	score_tree tree = SCORE_TREE_INIT;
	score_error inner;
	tree.nodes = m->nodes.data;
	tree.n_nodes = m->nodes.length;
	tree.categories = m->categories.data;
	tree.n_categories = m->categories.length;
	if (m->vector_trees) {
		tree.vectors = m->vectors.data;
		tree.n_vectors = m->vectors.length / m->scores->n_outputs;
	} else if (m->scores->n_outputs > 1) {
		tree.output = m->output[i];
	}
	return import_onnx_from_builder(m->file, m->e->op, score_builder_add_tree(m->builder, &tree, &inner), &inner);
}

score_status import_onnx_emit(onnx_file *file, const onnx_ensemble *e, const onnx_columns *columns,
	const onnx_scores *scores, score_builder *builder)
{
	emit m = {.file = file, .e = e, .columns = columns, .scores = scores, .builder = builder,
		.has_memory = true,
		.visits_left = (uint64_t)e->n_nodes * 16 + 65536,
		.copies_left = ((uint64_t)e->n_nodes + e->n_members) * 16 + 65536};
	sl_vector_init(&m.nodes, &file->allocator, sizeof(score_node));
	sl_vector_init(&m.stack, &file->allocator, sizeof(pending));
	sl_vector_init(&m.categories, &file->allocator, sizeof(uint32_t));
	sl_vector_init(&m.values, &file->allocator, sizeof(double));
	sl_vector_init(&m.others, &file->allocator, sizeof(double));
	sl_vector_init(&m.vectors, &file->allocator, sizeof(double));
	score_status status = survey(&m);
	for (size_t i = 0; i < e->n_trees && status == SCORE_OK; i++)
		status = emit_tree(&m, i);
	sl_vector *vectors[] = {&m.nodes, &m.stack, &m.categories, &m.values, &m.others, &m.vectors};
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		sl_vector_free(vectors[i]);
	return status;
}
