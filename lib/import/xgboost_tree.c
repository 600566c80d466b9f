/*
 * One tree of an XGBoost file: from columns as they stand in the file to compact nodes.
 *
 * Comes in: columns of any length with any numbers. Goes out: nodes whose children stand side by side in the
 * tree, whose category sets and leaf vectors exist. Whether the nodes form a tree is the builder's to check.
 */
#include "xgboost.h"

#define NO_CHILD (-1)
#define MAX_CATEGORY 16777216 /* XGBoost takes values from here on for no category */

typedef struct tree_reader {
	xgb_file *file;
	const int64_t *left, *right, *feature, *default_left, *split_type;
	const float *conditions;
	int64_t n;        /* nodes */
	xgb_node *nodes;
	xgb_tree tree;
} tree_reader;

static const char *const column_keys[XGB_TREE_COLUMNS] = {
	[XGB_LEFT] = "left_children",
	[XGB_RIGHT] = "right_children",
	[XGB_FEATURE] = "split_indices",
	[XGB_DEFAULT_LEFT] = "default_left",
	[XGB_SPLIT_TYPE] = "split_type",
	[XGB_CATEGORY_NODES] = "categories_nodes",
	[XGB_CATEGORY_SEGMENTS] = "categories_segments",
	[XGB_CATEGORY_SIZES] = "categories_sizes",
	[XGB_CATEGORIES] = "categories",
	[XGB_CONDITIONS] = "split_conditions",
	[XGB_BASE_WEIGHTS] = "base_weights",
	[XGB_LEAF_WEIGHTS] = "leaf_weights",
	[XGB_SUM_HESSIAN] = "sum_hessian",
};

/* `node` -1: not about a single one. */
static score_status corrupt(const xgb_file *f, xgb_column_name column, int64_t node, const char *what)
{
	if (node < 0)
		return sl_fail_at(f->error, SCORE_ERR_CORRUPT, f->columns[column].offset, -1, "tree %zu, \"%s\": %s",
			f->trees.length, column_keys[column], what);
	return sl_fail_at(f->error, SCORE_ERR_CORRUPT, f->columns[column].offset, -1,
		"tree %zu, node %lld, \"%s\": %s", f->trees.length, (long long)node, column_keys[column], what);
}

static score_status check_length(const xgb_file *f, xgb_column_name column, int64_t n)
{
	const xgb_column *c = &f->columns[column];
	if (!c->present)
		return sl_fail_at(f->error, SCORE_ERR_CORRUPT, f->tree_offset, -1, "tree %zu has no \"%s\"",
			f->trees.length, column_keys[column]);
	if (c->values.length != (size_t)n)
		return sl_fail_at(f->error, SCORE_ERR_CORRUPT, c->offset, -1,
			"tree %zu: \"%s\" has %zu elements, expected %lld", f->trees.length, column_keys[column],
			c->values.length, (long long)n);
	return SCORE_OK;
}

static score_status check_columns(const xgb_file *f, int64_t n)
{
	static const xgb_column_name required[] = {
		XGB_LEFT, XGB_RIGHT, XGB_FEATURE, XGB_CONDITIONS, XGB_DEFAULT_LEFT};
	score_status status = SCORE_OK;
	for (size_t i = 0; i < sizeof required / sizeof required[0] && status == SCORE_OK; i++)
		status = check_length(f, required[i], n);
	if (status == SCORE_OK && f->columns[XGB_SPLIT_TYPE].present)
		status = check_length(f, XGB_SPLIT_TYPE, n);
	if (status == SCORE_OK && f->columns[XGB_CATEGORY_NODES].present) {
		int64_t n_sets = (int64_t)f->columns[XGB_CATEGORY_NODES].values.length;
		status = check_length(f, XGB_CATEGORY_SEGMENTS, n_sets);
		if (status == SCORE_OK)
			status = check_length(f, XGB_CATEGORY_SIZES, n_sets);
		if (status == SCORE_OK && n_sets && !f->columns[XGB_CATEGORIES].present)
			status = check_length(f, XGB_CATEGORIES, 0);
	}
	return status;
}

/* XGBoost marks the nodes that pruning removed by a feature of all ones; releases differ in the width they
 * write. */
static bool is_deleted(const tree_reader *t, int64_t node)
{
	return t->feature[node] == UINT32_MAX || t->feature[node] == INT32_MAX || t->feature[node] == -1;
}

static score_status check_children(const tree_reader *t, int64_t node)
{
	int64_t left = t->left[node], right = t->right[node];
	if (left < 0 || left >= t->n || right < 0 || right >= t->n)
		return corrupt(t->file, left < 0 || left >= t->n ? XGB_LEFT : XGB_RIGHT, node,
			"the child is no node of the tree");
	if (right != left + 1)
		return corrupt(t->file, XGB_RIGHT, node,
			"the right child does not stand behind the left one; XGBoost itself "
			"gives different answers for such a tree");
	if (is_deleted(t, left) || is_deleted(t, right))
		return corrupt(t->file, XGB_LEFT, node, "the child was deleted");
	return SCORE_OK;
}

static score_status read_split(const tree_reader *t, int64_t node)
{
	xgb_node *out = &t->nodes[node];
	int64_t type = t->split_type ? t->split_type[node] : 0;
	score_status status = check_children(t, node);
	if (status != SCORE_OK)
		return status;
	if (t->feature[node] < 0 || t->feature[node] > UINT32_MAX)
		return corrupt(t->file, XGB_FEATURE, node, "the feature number is negative or too large");
	if (type != 0 && type != 1)
		return corrupt(t->file, XGB_SPLIT_TYPE, node, "expected 0 (numerical) or 1 (categorical)");
	out->left = (int32_t)t->left[node];
	out->feature = (uint32_t)t->feature[node];
	out->default_left = t->default_left[node] != 0;
	out->test = type == 0 ? SCORE_TEST_LT : SCORE_TEST_IN_RIGHT;
	if (type == 0)
		out->u.value = t->conditions[node];
	else
		out->u.index = UINT32_MAX; /* until the set is found */
	return SCORE_OK;
}

static score_status read_nodes(tree_reader *t)
{
	int64_t deleted = 0;
	for (int64_t i = 0; i < t->n; i++) {
		xgb_node *out = &t->nodes[i];
		score_status status = SCORE_OK;
		memset(out, 0, sizeof *out);
		if (t->default_left[i] != 0 && t->default_left[i] != 1)
			return corrupt(t->file, XGB_DEFAULT_LEFT, i, "expected 0 or 1");
		if (is_deleted(t, i))
			deleted++;
		else if (t->left[i] == NO_CHILD)
			out->u.value = t->conditions[i];
		else
			status = read_split(t, i);
		if (status != SCORE_OK)
			return status;
	}
	if (is_deleted(t, 0))
		return corrupt(t->file, XGB_FEATURE, 0, "the root was deleted");
	if (deleted != import_xgb_integer(t->file, XGB_NUM_DELETED, deleted))
		return sl_fail_at(t->file->error, SCORE_ERR_CORRUPT, t->file->tree_offset, -1,
			"tree %zu has %lld deleted nodes, but \"num_deleted\" is %lld", t->file->trees.length,
			(long long)deleted, (long long)t->file->integers[XGB_NUM_DELETED].value);
	return SCORE_OK;
}

/* ---- category sets ------------------------------------------------------------------------------ */

static score_status keep_categories(tree_reader *t)
{
	xgb_file *f = t->file;
	const sl_vector *from = &f->columns[XGB_CATEGORIES].values;
	const int64_t *values = from->data;
	uint32_t *to = from->length <= UINT32_MAX ? sl_vector_grow(&f->categories, from->length) : NULL;
	if (!to && from->length)
		return sl_fail_memory(f->error, from->length * sizeof *to);
	for (size_t i = 0; i < from->length; i++) {
		if (values[i] < 0 || values[i] >= MAX_CATEGORY)
			return corrupt(f, XGB_CATEGORIES, -1, "expected categories from 0 to 16777215");
		to[i] = (uint32_t)values[i];
	}
	t->tree.n_categories = (uint32_t)from->length;
	return SCORE_OK;
}

/* Sets lie one behind the other: together they are no longer than the column, whatever the file says. */
static score_status read_sets(tree_reader *t)
{
	xgb_file *f = t->file;
	const sl_vector *nodes = &f->columns[XGB_CATEGORY_NODES].values;
	const int64_t *node = nodes->data, *first = f->columns[XGB_CATEGORY_SEGMENTS].values.data;
	const int64_t *size = f->columns[XGB_CATEGORY_SIZES].values.data;
	int64_t end = 0, last = -1, n_categories = (int64_t)t->tree.n_categories;
	for (size_t i = 0; i < nodes->length; i++) {
		if (node[i] <= last || node[i] >= t->n)
			return corrupt(f, XGB_CATEGORY_NODES, node[i], "expected ascending numbers of nodes");
		last = node[i];
		if (first[i] < end || first[i] > n_categories)
			return corrupt(
				f, XGB_CATEGORY_SEGMENTS, last, "the set begins inside another one or behind the categories");
		if (size[i] < 1 || size[i] > n_categories - first[i])
			return corrupt(f, XGB_CATEGORY_SIZES, last, "the set is empty or reaches behind the categories");
		end = first[i] + size[i];
		if (t->nodes[last].test == SCORE_TEST_LEAF)
			continue;
		if (t->nodes[last].test != SCORE_TEST_IN_RIGHT)
			return corrupt(f, XGB_CATEGORY_NODES, last, "the node's split is not categorical");
		xgb_set set = {(uint32_t)first[i], (uint32_t)size[i]};
		t->nodes[last].u.index = (uint32_t)(f->sets.length - t->tree.first_set);
		if (!sl_vector_push(&f->sets, &set, 1))
			return sl_fail_memory(f->error, sizeof set);
	}
	for (int64_t i = 0; i < t->n; i++) {
		if (t->nodes[i].test == SCORE_TEST_IN_RIGHT && t->nodes[i].u.index == UINT32_MAX)
			return corrupt(f, XGB_CATEGORY_NODES, i, "the categorical split has no set");
	}
	return SCORE_OK;
}

/* ---- leaf vectors ------------------------------------------------------------------------------- */

/* Files since 3.2 number the vectors in `right_children`; older ones have a vector for every node in
 * `base_weights`. */
static score_status read_vectors(tree_reader *t)
{
	xgb_file *f = t->file;
	bool numbered = f->columns[XGB_LEAF_WEIGHTS].present;
	xgb_column_name from = numbered ? XGB_LEAF_WEIGHTS : XGB_BASE_WEIGHTS;
	const sl_vector *values = &f->columns[from].values;
	size_t size = t->tree.leaf_size, rows = values->length / size, used = 0;
	if (!f->columns[from].present || values->length % size != 0 || (!numbered && rows != (size_t)t->n))
		return corrupt(f, from, -1, "expected the vectors of all leaves");
	for (int64_t i = 0; i < t->n; i++) {
		if (t->nodes[i].test != SCORE_TEST_LEAF || is_deleted(t, i))
			continue;
		int64_t row = numbered ? t->right[i] : i;
		if (row < 0 || (size_t)row >= rows || used == rows)
			return corrupt(f, XGB_RIGHT, i, "the leaf's vector does not exist");
		t->nodes[i].u.index = (uint32_t)used++;
		if (!sl_vector_push(&f->vectors, sl_vector_at(values, (size_t)row * size), size))
			return sl_fail_memory(f->error, size * sizeof(float));
	}
	t->tree.n_vectors = (uint32_t)used;
	return SCORE_OK;
}

/* ---- covers ------------------------------------------------------------------------------------- */

/* Trees with leaf vectors may have none, as an empty column. */
static score_status read_covers(tree_reader *t)
{
	xgb_file *f = t->file;
	const sl_vector *values = &f->columns[XGB_SUM_HESSIAN].values;
	t->tree.first_cover = f->covers.length;
	t->tree.has_covers = f->columns[XGB_SUM_HESSIAN].present && values->length;
	if (!t->tree.has_covers)
		return SCORE_OK;
	score_status status = check_length(f, XGB_SUM_HESSIAN, t->n);
	if (status == SCORE_OK && !sl_vector_push(&f->covers, values->data, values->length))
		status = sl_fail_memory(f->error, values->length * sizeof(float));
	return status;
}

/* ---- all together ------------------------------------------------------------------------------- */

static score_status check_head(const xgb_file *f)
{
	int64_t n = import_xgb_integer(f, XGB_NUM_NODES, 0);
	if (n < 1 || n > INT32_MAX)
		return sl_fail_at(f->error, SCORE_ERR_CORRUPT, f->tree_offset, -1,
			"tree %zu: \"num_nodes\" is %lld or missing, expected 1 to %d", f->trees.length, (long long)n,
			INT32_MAX);
	int64_t id = import_xgb_integer(f, XGB_TREE_ID, (int64_t)f->trees.length);
	if (id != (int64_t)f->trees.length)
		return sl_fail_at(f->error, SCORE_ERR_CORRUPT, f->tree_offset, -1, "tree %zu has the id %lld",
			f->trees.length, (long long)id);
	int64_t leaf_size = import_xgb_integer(f, XGB_LEAF_SIZE, 1);
	if (leaf_size < 0 || leaf_size > INT32_MAX)
		return sl_fail_at(f->error, SCORE_ERR_CORRUPT, f->tree_offset, -1,
			"tree %zu: \"size_leaf_vector\" is %lld", f->trees.length, (long long)leaf_size);
	return check_columns(f, n);
}

score_status import_xgb_keep_tree(xgb_file *f)
{
	score_status status = check_head(f);
	if (status != SCORE_OK)
		return status;
	int64_t n = f->integers[XGB_NUM_NODES].value, leaf_size = import_xgb_integer(f, XGB_LEAF_SIZE, 1);
	tree_reader t = {.file = f,
		.left = f->columns[XGB_LEFT].values.data,
		.right = f->columns[XGB_RIGHT].values.data,
		.feature = f->columns[XGB_FEATURE].values.data,
		.default_left = f->columns[XGB_DEFAULT_LEFT].values.data,
		.conditions = f->columns[XGB_CONDITIONS].values.data,
		.n = n};
	if (f->columns[XGB_SPLIT_TYPE].present)
		t.split_type = f->columns[XGB_SPLIT_TYPE].values.data;
	t.tree = (xgb_tree){.first_node = f->nodes.length, .first_set = f->sets.length,
		.first_category = f->categories.length, .first_vector = f->vectors.length, .n_nodes = (uint32_t)n,
		.leaf_size = leaf_size > 1 ? (uint32_t)leaf_size : 1, .offset = f->tree_offset};
	t.nodes = sl_vector_grow(&f->nodes, (size_t)n);
	if (!t.nodes)
		return sl_fail_memory(f->error, (size_t)n * sizeof *t.nodes);
	status = read_nodes(&t);
	if (status == SCORE_OK)
		status = keep_categories(&t);
	if (status == SCORE_OK)
		status = read_sets(&t);
	if (status == SCORE_OK && t.tree.leaf_size > 1)
		status = read_vectors(&t);
	if (status == SCORE_OK)
		status = read_covers(&t);
	if (status == SCORE_OK && !sl_vector_push(&f->trees, &t.tree, 1))
		status = sl_fail_memory(f->error, sizeof t.tree);
	return status;
}
