/*
 * TreeEnsembleRegressor and TreeEnsembleClassifier (ai.onnx.ml 1 and 3) to an onnx_ensemble.
 *
 * Comes in: one operator, its attributes unchecked. Goes out: nodes whose children are node numbers in range, every node
 * but the roots a child, and the leaves' votes beside each other. Whether there are cycles is for onnx_emit.c to see.
 */
#include "onnx.h"

#include <stdlib.h>

const char *const import_onnx_transforms[5] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};

/* A node's number by its tree and id. */
typedef struct key {
	int64_t tree, id;
	uint32_t node;
} key;

typedef struct reader {
	onnx_file *file;
	const onnx_op *op;
	onnx_ensemble *e;
	onnx_ints trees, ids, features, yes, no, missing;
	onnx_reals values;
	onnx_texts modes;
	key *keys;        /* sorted */
	uint8_t *is_used; /* a child of some node */
} reader;

static const struct mode_name {
	const char *name;
	onnx_mode mode;
} modes[] = {{"BRANCH_LEQ", ONNX_LEQ}, {"LEAF", ONNX_LEAF}, {"BRANCH_LT", ONNX_LT}, {"BRANCH_GTE", ONNX_GTE},
	{"BRANCH_GT", ONNX_GT}, {"BRANCH_EQ", ONNX_EQ}, {"BRANCH_NEQ", ONNX_NEQ}};

#define N_MODES (sizeof modes / sizeof modes[0])

/* ---- node numbers ----------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
	const key *x = a, *y = b;
	if (x->tree != y->tree)
		return x->tree < y->tree ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static score_status sort_keys(reader *r)
{
	size_t n = r->trees.n;
	bool sorted = true;
	r->keys = sl_arena_alloc(&r->file->arena, n, sizeof *r->keys);
	if (!r->keys)
		return import_onnx_no_memory(r->file, n * sizeof *r->keys);
	for (size_t i = 0; i < n; i++) {
		r->keys[i] = (key){r->trees.v[i], r->ids.v[i], (uint32_t)i};
		sorted = sorted && (i == 0 || compare_keys(r->keys + i - 1, r->keys + i) < 0);
	}
	if (!sorted)
		sl_sort(r->keys, n, sizeof *r->keys, compare_keys);
	for (size_t i = 1; i < n && !sorted; i++) {
		if (compare_keys(r->keys + i - 1, r->keys + i) == 0)
			return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "tree %lld has two nodes %lld",
				(long long)r->keys[i].tree, (long long)r->keys[i].id);
	}
	return SCORE_OK;
}

/* UINT32_MAX if there is none. */
static uint32_t number_of(const reader *r, int64_t tree, int64_t id)
{
	key wanted = {tree, id, 0};
	const key *found = bsearch(&wanted, r->keys, r->trees.n, sizeof *r->keys, compare_keys);
	return found ? found->node : UINT32_MAX;
}

/* ---- nodes ------------------------------------------------------------------------------------------- */

static score_status get_nodes(reader *r)
{
	const struct {
		const char *name;
		onnx_ints *out;
	} lists[] = {{"nodes_treeids", &r->trees}, {"nodes_nodeids", &r->ids}, {"nodes_featureids", &r->features},
		{"nodes_truenodeids", &r->yes}, {"nodes_falsenodeids", &r->no},
		{"nodes_missing_value_tracks_true", &r->missing}};
	score_status status = import_onnx_texts(r->file, r->op, "nodes_modes", &r->modes);
	if (status == SCORE_OK)
		status = import_onnx_reals(r->file, r->op, "nodes_values", &r->values);
	for (size_t i = 0; i < 6 && status == SCORE_OK; i++)
		status = import_onnx_ints(r->file, r->op, lists[i].name, lists[i].out);
	size_t n = r->trees.n;
	if (status != SCORE_OK)
		return status;
	if (n == 0 || n > INT32_MAX)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "nodes_treeids has %zu elements", n);
	for (size_t i = 1; i < 5; i++) {
		if (lists[i].out->n != n)
			return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "%s has %zu elements, nodes_treeids %zu",
				lists[i].name, lists[i].out->n, n);
	}
	if (r->values.n != n || r->modes.n != n || (r->missing.n && r->missing.n != n))
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT,
			"nodes_values, nodes_modes and nodes_missing_value_tracks_true have %zu, %zu and %zu elements, expected %zu",
			r->values.n, r->modes.n, r->missing.n, n);
	return SCORE_OK;
}

static score_status find_child(reader *r, size_t at, int64_t id, uint32_t *out)
{
	/* Ids usually count from 0 in each tree, and nodes stand in their order: try that place first. */
	size_t guess = (size_t)((uint64_t)at - (uint64_t)r->ids.v[at] + (uint64_t)id);
	uint32_t child = guess < r->trees.n && r->trees.v[guess] == r->trees.v[at] && r->ids.v[guess] == id ?
		(uint32_t)guess : number_of(r, r->trees.v[at], id);
	if (child == UINT32_MAX)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "node %lld of tree %lld has the child %lld, which is not there",
			(long long)r->ids.v[at], (long long)r->trees.v[at], (long long)id);
	r->is_used[child] = 1;
	*out = child;
	return SCORE_OK;
}

static score_status fill_node(reader *r, size_t i)
{
	onnx_node *node = r->e->nodes + i;
	size_t m = 0;
	while (m < N_MODES && !import_onnx_is(r->modes.v[i], modes[m].name))
		m++;
	if (m == N_MODES)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "node %lld of tree %lld has the unknown mode '%s'",
			(long long)r->ids.v[i], (long long)r->trees.v[i],
			sl_quote((const char *)r->modes.v[i].data, r->modes.v[i].len).text);
	*node = (onnx_node){.value = r->values.v[i], .mode = modes[m].mode, .id = (uint32_t)r->ids.v[i]};
	if (r->ids.v[i] < 0 || r->ids.v[i] > INT32_MAX)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "the node id %lld is out of range",
			(long long)r->ids.v[i]);
	if (node->mode == ONNX_LEAF)
		return SCORE_OK;
	if (r->features.v[i] < 0 || r->features.v[i] > INT32_MAX)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "node %lld of tree %lld tests feature %lld",
			(long long)r->ids.v[i], (long long)r->trees.v[i], (long long)r->features.v[i]);
	node->feature = (uint32_t)r->features.v[i];
	node->missing_is_yes = r->missing.n && r->missing.v[i] == 1;
	score_status status = find_child(r, i, r->yes.v[i], &node->yes);
	return status == SCORE_OK ? find_child(r, i, r->no.v[i], &node->no) : status;
}

static score_status fill_nodes(reader *r)
{
	size_t n = r->trees.n;
	onnx_ensemble *e = r->e;
	e->nodes = sl_arena_alloc(&r->file->arena, n, sizeof *e->nodes);
	e->n_nodes = n;
	r->is_used = sl_arena_alloc(&r->file->arena, n, 1);
	if (!e->nodes || !r->is_used)
		return import_onnx_no_memory(r->file, n * sizeof *e->nodes);
	score_status status = SCORE_OK;
	for (size_t i = 0; i < n && status == SCORE_OK; i++)
		status = fill_node(r, i);
	return status;
}

/* A tree is a run of nodes with the same id, its root comes first. That is how onnxruntime reads it too, whatever the
 * ids of the nodes. */
static score_status fill_roots(reader *r)
{
	size_t n = r->trees.n, n_distinct = 1;
	r->e->roots = sl_arena_alloc(&r->file->arena, n, sizeof *r->e->roots);
	if (!r->e->roots)
		return import_onnx_no_memory(r->file, n * sizeof *r->e->roots);
	for (size_t i = 0; i < n; i++) {
		bool is_first = i == 0 || r->trees.v[i] != r->trees.v[i - 1];
		n_distinct += i && r->keys[i].tree != r->keys[i - 1].tree;
		if (is_first)
			r->e->roots[r->e->n_trees++] = (uint32_t)i;
		if (is_first == (r->is_used[i] != 0))
			return import_onnx_fail(r->file, r->op, SCORE_ERR_UNSUPPORTED,
				"node %lld of tree %lld %s; expected each tree's nodes together, its root first", (long long)r->ids.v[i],
				(long long)r->trees.v[i], is_first ? "stands first but is a child" : "is no node's child");
	}
	if (n_distinct != r->e->n_trees)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_UNSUPPORTED,
			"the nodes of a tree are listed in two places; sort the nodes by tree");
	return SCORE_OK;
}

/* ---- votes ------------------------------------------------------------------------------------------- */

typedef struct listed {
	onnx_ints trees, ids, targets;
	onnx_reals weights;
} listed;

static score_status get_votes(reader *r, listed *v)
{
	bool classes = r->e->is_classifier;
	score_status status = import_onnx_ints(r->file, r->op, classes ? "class_treeids" : "target_treeids", &v->trees);
	if (status == SCORE_OK)
		status = import_onnx_ints(r->file, r->op, classes ? "class_nodeids" : "target_nodeids", &v->ids);
	if (status == SCORE_OK)
		status = import_onnx_ints(r->file, r->op, classes ? "class_ids" : "target_ids", &v->targets);
	if (status == SCORE_OK)
		status = import_onnx_reals(r->file, r->op, classes ? "class_weights" : "target_weights", &v->weights);
	size_t n = v->trees.n;
	if (status == SCORE_OK && (v->ids.n != n || v->targets.n != n || v->weights.n != n || n > INT32_MAX))
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT,
			"the leaves' tree ids, node ids, targets and weights have %zu, %zu, %zu and %zu elements", n, v->ids.n,
			v->targets.n, v->weights.n);
	return status;
}

/* The leaf of every vote, counted in the leaf. */
static score_status count_votes(reader *r, const listed *v, uint32_t *leaf)
{
	for (size_t i = 0; i < v->trees.n; i++) {
		leaf[i] = number_of(r, v->trees.v[i], v->ids.v[i]);
		if (leaf[i] == UINT32_MAX || r->e->nodes[leaf[i]].mode != ONNX_LEAF)
			return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "weight %zu is for node %lld of tree %lld, which is no leaf",
				i, (long long)v->ids.v[i], (long long)v->trees.v[i]);
		if (v->targets.v[i] < 0 || v->targets.v[i] >= r->e->n_targets)
			return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "weight %zu is for target %lld of %u", i,
				(long long)v->targets.v[i], r->e->n_targets);
		r->e->nodes[leaf[i]].n++;
	}
	return SCORE_OK;
}

static score_status fill_votes(reader *r)
{
	listed v;
	onnx_ensemble *e = r->e;
	score_status status = get_votes(r, &v);
	if (status != SCORE_OK)
		return status;
	size_t n = v.trees.n;
	uint32_t *leaf = sl_arena_alloc(&r->file->arena, n, sizeof *leaf);
	e->votes = sl_arena_alloc(&r->file->arena, n, sizeof *e->votes);
	e->n_votes = n;
	if (!leaf || !e->votes)
		return import_onnx_no_memory(r->file, n * sizeof *e->votes);
	status = count_votes(r, &v, leaf);
	if (status != SCORE_OK)
		return status;
	uint32_t next = 0;
	for (size_t i = 0; i < e->n_nodes; i++) {
		e->nodes[i].first = next;
		next += e->nodes[i].n;
		e->nodes[i].n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		onnx_node *node = e->nodes + leaf[i];
		e->votes[node->first + node->n++] = (onnx_vote){(uint32_t)v.targets.v[i], v.weights.v[i]};
	}
	if (v.weights.is_f64 != r->values.is_f64)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "thresholds and weights are of different types");
	return SCORE_OK;
}

/* ---- all together ------------------------------------------------------------------------------------ */

static score_status get_targets(reader *r)
{
	int64_t n = 1;
	if (r->e->is_classifier) {
		const char *json;
		return import_onnx_labels(r->file, r->op, "classlabels_int64s", "classlabels_strings", &r->e->n_targets, &json);
	}
	score_status status = import_onnx_int(r->file, r->op, "n_targets", 1, &n);
	if (status == SCORE_OK && (n < 1 || n > INT32_MAX))
		return import_onnx_fail(r->file, r->op, SCORE_ERR_CORRUPT, "n_targets is %lld", (long long)n);
	r->e->n_targets = (uint32_t)n;
	return status;
}

static score_status get_rest(reader *r)
{
	static const char *const aggregates[] = {"SUM", "AVERAGE", "MIN", "MAX"};
	uint32_t aggregate, transform;
	score_status status = import_onnx_reals(r->file, r->op, "base_values", &r->e->base);
	if (status == SCORE_OK)
		status = import_onnx_word(r->file, r->op, "aggregate_function", aggregates, 4, &aggregate);
	if (status == SCORE_OK)
		status = import_onnx_word(r->file, r->op, "post_transform", import_onnx_transforms, 5, &transform);
	if (status != SCORE_OK)
		return status;
	if (aggregate > 1)
		return import_onnx_fail(r->file, r->op, SCORE_ERR_UNSUPPORTED,
			"aggregate_function %s is not supported; SUM and AVERAGE are", aggregates[aggregate]);
	r->e->average = aggregate == 1;
	r->e->transform = (onnx_transform)transform;
	r->e->is_f64 = r->values.is_f64;
	r->e->float_output = true;
	return SCORE_OK;
}

score_status import_onnx_trees(onnx_file *file, const onnx_op *op, bool classifier, onnx_ensemble *out)
{
	score_status (*const steps[])(reader *) = {get_targets, get_nodes, sort_keys, fill_nodes, fill_roots, fill_votes,
		get_rest};
	*out = (onnx_ensemble){.op = op, .is_classifier = classifier};
	reader r = {.file = file, .op = op, .e = out};
	score_status status = SCORE_OK;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == SCORE_OK; i++)
		status = steps[i](&r);
	return status;
}
