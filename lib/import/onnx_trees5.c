/*
 * TreeEnsemble (ai.onnx.ml 5) to an onnx_ensemble.
 *
 * Comes in: one operator, its attributes unchecked. Goes out: interior nodes as the file numbers them, behind them the
 * leaves; no root is a child. Whether there are cycles is for onnx_emit.c to see.
 */
#include "onnx.h"

typedef struct reader {
	onnx_file *file;
	const onnx_op *op;
	onnx_ensemble *e;
	onnx_ints features, yes, no, yes_is_leaf, no_is_leaf, missing, targets, roots, modes;
	onnx_reals splits, weights, members;
	size_t next_member;
	uint8_t *is_used;
} reader;

static score_status get_tensor(reader *r, const char *name, bool needed, const onnx_tensor **out)
{
	score_status status = import_onnx_tensor(r->file, r->op, name, out);
	if (status == SCORE_OK && !*out && needed)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "the attribute %s is missing", name);
	return status;
}

static score_status get_tensors(reader *r)
{
	const struct {
		const char *name;
		onnx_reals *out;
	} lists[] = {{"nodes_splits", &r->splits}, {"leaf_weights", &r->weights}, {"membership_values", &r->members}};
	const onnx_tensor *t = NULL;
	score_status status = get_tensor(r, "nodes_modes", true, &t);
	if (status == SCORE_OK)
		status = import_onnx_tensor_ints(r->file, r->op, t, &r->modes);
	for (int i = 0; i < 3 && status == SCORE_OK; i++) {
		status = get_tensor(r, lists[i].name, i < 2, &t);
		if (status == SCORE_OK && t)
			status = import_onnx_tensor_reals(r->file, r->op, t, lists[i].out);
		if (status == SCORE_OK && t && lists[i].out->is_f64 != r->splits.is_f64)
			return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "%s and nodes_splits are of different types",
				lists[i].name);
	}
	return status;
}

static score_status get_lists(reader *r)
{
	const struct {
		const char *name;
		onnx_ints *out;
	} lists[] = {{"nodes_featureids", &r->features}, {"nodes_truenodeids", &r->yes},
		{"nodes_falsenodeids", &r->no}, {"nodes_trueleafs", &r->yes_is_leaf}, {"nodes_falseleafs", &r->no_is_leaf},
		{"nodes_missing_value_tracks_true", &r->missing}, {"leaf_targetids", &r->targets}, {"tree_roots", &r->roots}};
	score_status status = get_tensors(r);
	for (size_t i = 0; i < 8 && status == SCORE_OK; i++)
		status = import_onnx_ints(r->file, r->op, lists[i].name, lists[i].out);
	if (status != SCORE_OK)
		return status;
	size_t n = r->modes.n;
	for (size_t i = 0; i < 6; i++) {
		if (lists[i].out->n != n && !(i == 5 && lists[i].out->n == 0))
			return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "%s has %zu elements, nodes_modes %zu", lists[i].name,
				lists[i].out->n, n);
	}
	if (r->splits.n != n || r->targets.n != r->weights.n)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT,
			"nodes_splits has %zu elements and nodes_modes %zu, leaf_targetids %zu and leaf_weights %zu", r->splits.n, n,
			r->targets.n, r->weights.n);
	if (n > INT32_MAX / 2 || r->weights.n > INT32_MAX / 2 || r->roots.n == 0 || r->roots.n > n)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "%zu trees of %zu nodes and %zu leaves", r->roots.n, n,
			r->weights.n);
	return SCORE_OK;
}

/* ---- nodes ------------------------------------------------------------------------------------------- */

static score_status find_child(reader *r, size_t at, int64_t number, int64_t is_leaf, uint32_t *out)
{
	size_t end = is_leaf ? r->weights.n : r->modes.n;
	if (number < 0 || (uint64_t)number >= end)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "node %zu has the %s %lld of %zu", at,
			is_leaf ? "leaf" : "child", (long long)number, end);
	if (!is_leaf)
		r->is_used[number] = 1;
	*out = (uint32_t)number + (is_leaf ? (uint32_t)r->modes.n : 0);
	return SCORE_OK;
}

/* The next set of `membership_values`, which ends at a NaN. */
static score_status take_set(reader *r, size_t at, onnx_node *node)
{
	node->first = (uint32_t)r->next_member;
	while (r->next_member < r->members.n && r->members.v[r->next_member] == r->members.v[r->next_member])
		r->next_member++;
	if (r->next_member >= r->members.n)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT,
			"membership_values has no set, ended by NaN, for node %zu", at);
	node->n = (uint32_t)r->next_member++ - node->first;
	return SCORE_OK;
}

static score_status fill_node(reader *r, size_t i)
{
	onnx_node *node = r->e->nodes + i;
	int64_t mode = r->modes.v[i], feature = r->features.v[i];
	if (mode < 0 || mode > ONNX_MEMBER)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "node %zu has the unknown mode %lld", i, (long long)mode);
	if (feature < 0 || feature > INT32_MAX)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "node %zu tests feature %lld", i, (long long)feature);
	*node = (onnx_node){.value = r->splits.v[i], .feature = (uint32_t)feature, .mode = (onnx_mode)mode,
		.missing_is_yes = r->missing.n && r->missing.v[i] == 1, .id = (uint32_t)i};
	score_status status = find_child(r, i, r->yes.v[i], r->yes_is_leaf.v[i], &node->yes);
	if (status == SCORE_OK)
		status = find_child(r, i, r->no.v[i], r->no_is_leaf.v[i], &node->no);
	return status == SCORE_OK && mode == ONNX_MEMBER ? take_set(r, i, node) : status;
}

static score_status fill_leaves(reader *r)
{
	onnx_ensemble *e = r->e;
	size_t n = r->weights.n, first = r->modes.n;
	e->votes = sl_arena_alloc(&r->file->arena, n, sizeof *e->votes);
	e->n_votes = n;
	if (!e->votes)
		return import_onnx_no_memory(r->file, n * sizeof *e->votes);
	for (size_t i = 0; i < n; i++) {
		int64_t target = r->targets.v[i];
		if (target < 0 || target >= e->n_targets)
			return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "leaf %zu is for target %lld of %u", i,
				(long long)target, e->n_targets);
		e->nodes[first + i] = (onnx_node){.mode = ONNX_LEAF, .id = (uint32_t)i, .first = (uint32_t)i, .n = 1};
		e->votes[i] = (onnx_vote){(uint32_t)target, r->weights.v[i]};
	}
	return SCORE_OK;
}

static score_status fill_nodes(reader *r)
{
	onnx_ensemble *e = r->e;
	e->n_nodes = r->modes.n + r->weights.n;
	e->nodes = sl_arena_alloc(&r->file->arena, e->n_nodes, sizeof *e->nodes);
	r->is_used = sl_arena_alloc(&r->file->arena, e->n_nodes, 1);
	if (!e->nodes || !r->is_used)
		return import_onnx_no_memory(r->file, e->n_nodes * sizeof *e->nodes);
	score_status status = SCORE_OK;
	for (size_t i = 0; i < r->modes.n && status == SCORE_OK; i++)
		status = fill_node(r, i);
	if (status == SCORE_OK && r->next_member != r->members.n)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT,
			"membership_values has %zu elements, the BRANCH_MEMBER nodes take %zu", r->members.n, r->next_member);
	return status == SCORE_OK ? fill_leaves(r) : status;
}

/* A root whose children are one and the same leaf stands for a tree without a split. */
static score_status fill_roots(reader *r)
{
	onnx_ensemble *e = r->e;
	e->n_trees = r->roots.n;
	e->roots = sl_arena_alloc(&r->file->arena, e->n_trees, sizeof *e->roots);
	if (!e->roots)
		return import_onnx_no_memory(r->file, e->n_trees * sizeof *e->roots);
	for (size_t i = 0; i < e->n_trees; i++) {
		int64_t root = r->roots.v[i];
		if (root < 0 || (uint64_t)root >= r->modes.n || r->is_used[root]++)
			return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT,
				"tree_roots names node %lld, which is not there, or is in a tree already", (long long)root);
		onnx_node *node = e->nodes + root;
		if (node->yes == node->no)
			*node = e->nodes[node->yes];
		e->roots[i] = (uint32_t)root;
	}
	return SCORE_OK;
}

/* ---- all together ------------------------------------------------------------------------------------ */

static score_status get_rest(reader *r)
{
	static const char *const aggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};
	int64_t n, aggregate, transform;
	onnx_ensemble *e = r->e;
	score_status status = import_onnx_int(r->file, r->op, "n_targets", 1, &n);
	if (status == SCORE_OK)
		status = import_onnx_int(r->file, r->op, "aggregate_function", 1, &aggregate);
	if (status == SCORE_OK)
		status = import_onnx_int(r->file, r->op, "post_transform", 0, &transform);
	if (status != SCORE_OK)
		return status;
	if (n < 1 || n > INT32_MAX || aggregate < 0 || aggregate > 3 || transform < 0 || transform > 4)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT,
			"n_targets is %lld, aggregate_function %lld, post_transform %lld", (long long)n, (long long)aggregate,
			(long long)transform);
	if (aggregate > 1)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_UNSUPPORTED,
			"aggregate_function %s is not supported; SUM and AVERAGE are", aggregates[aggregate]);
	/* onnxruntime takes 1 for LOGISTIC and 2 for SOFTMAX; the specification says the reverse. */
	if (r->file->like_runtime && (transform == ONNX_SOFTMAX || transform == ONNX_LOGISTIC))
		transform = ONNX_SOFTMAX + ONNX_LOGISTIC - transform;
	e->n_targets = (uint32_t)n;
	e->average = aggregate == 0;
	e->transform = (onnx_transform)transform;
	e->members = r->members.v;
	e->n_members = r->members.n;
	e->is_f64 = r->splits.is_f64;
	return SCORE_OK;
}

score_status import_onnx_trees5(onnx_file *file, const onnx_op *op, onnx_ensemble *out)
{
	score_status (*const steps[])(reader *) = {get_lists, get_rest, fill_nodes, fill_roots};
	*out = (onnx_ensemble){.op = op};
	reader r = {.file = file, .op = op, .e = out};
	score_status status = SCORE_OK;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == SCORE_OK; i++)
		status = steps[i](&r);
	return status;
}
