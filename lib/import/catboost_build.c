/*
 * CatBoost models to the builder.
 *
 * Comes in: what import_cb_read() found in the file. Goes out: an unfinished builder with the same numbers:
 * float comparisons, double sums that start at zero, scale and bias at the end. Relies on the builder for the
 * shape of non-symmetric trees.
 */
#include "catboost.h"
#include "importers.h"

#include <math.h>
#include <stdio.h>

#define MAX_SYMMETRIC_DEPTH 24 /* CatBoost trains 16 at most */

/* What "split_index" stands for. */
typedef struct numbered {
	cb_split_kind kind;
	uint32_t feature; /* or CTR */
	size_t at;        /* into borders or values */
} numbered;

typedef struct build {
	cb_file *file;
	const score_import_options *options;
	score_error *error;
	uint32_t n_features;
	uint32_t n_outputs;
	size_t tree_begin, tree_end;
	score_link link;
	int rule; /* class_rule */
	sl_vector nodes;      /* score_node, of one tree */
	sl_vector covers;     /* double, of the same nodes */
	sl_vector categories; /* uint32_t, of its sets */
	sl_vector taken;      /* uint8_t, by column: 1 when a feature is there */
	sl_vector ctr_columns; /* uint32_t, by CTR */
	sl_vector numbered;   /* numbered, in the order of "split_index" */
	score_builder *builder;
} build;

/* ---- links -------------------------------------------------------------------------------------- */

typedef enum class_rule { NO_CLASSES, LARGEST, ABOVE } class_rule;

static const struct loss {
	const char *name;
	score_link link;
	class_rule rule;
} losses[] = {
	{"Logloss", SCORE_LINK_SIGMOID, ABOVE},
	{"CrossEntropy", SCORE_LINK_SIGMOID, ABOVE},
	{"Focal", SCORE_LINK_SIGMOID, ABOVE},
	{"MultiClass", SCORE_LINK_SOFTMAX_CATBOOST, LARGEST},
	{"MultiClassOneVsAll", SCORE_LINK_SIGMOID, LARGEST},
	{"MultiLogloss", SCORE_LINK_SIGMOID, ABOVE},
	{"MultiCrossEntropy", SCORE_LINK_SIGMOID, ABOVE},
	{"Poisson", SCORE_LINK_EXP_CATBOOST, NO_CLASSES},
	{"Tweedie", SCORE_LINK_EXP_CATBOOST, NO_CLASSES},
	{"RMSEWithUncertainty", SCORE_LINK_MEAN_VARIANCE_CATBOOST, NO_CLASSES},
};

/* CatBoost predicts the margin itself under these. */
static const char *const plain_losses[] = {"RMSE", "MAE", "Quantile", "MultiQuantile", "GroupQuantile", "Expectile",
	"MAPE", "Huber", "Lq", "LogCosh", "LogLinQuantile", "RMSPE", "MultiRMSE", "MultiRMSEWithMissingValues",
	"SurvivalAft", "Cox", "PairLogit", "PairLogitPairwise", "YetiRank", "YetiRankPairwise", "QueryRMSE",
	"QuerySoftMax", "QueryCrossEntropy", "StochasticFilter", "StochasticRank", "LambdaMart",
	"PythonUserDefinedPerObject", "PythonUserDefinedMultiTarget"};

/* A model without a loss, as CatBoost's sum_models() makes them, predicts its margins. */
static score_status choose_link(build *b)
{
	const char *name = import_cb_text(b->file, b->file->loss);
	b->link = SCORE_LINK_IDENTITY;
	for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
		if (strcmp(losses[i].name, name) == 0) {
			b->link = losses[i].link;
			b->rule = (int)losses[i].rule;
			return SCORE_OK;
		}
	}
	for (size_t i = 0; i < sizeof plain_losses / sizeof plain_losses[0]; i++) {
		if (strcmp(plain_losses[i], name) == 0)
			return SCORE_OK;
	}
	if (!*name)
		return SCORE_OK;
	return sl_fail_at(b->error, SCORE_ERR_UNSUPPORTED, b->file->loss_offset, -1,
		"the loss function \"%s\" is not supported; "
		"for margins alone, remove model_info.params.loss_function",
		sl_quote(name, strlen(name)).text);
}

/* ---- heads -------------------------------------------------------------------------------------- */

static score_status count_outputs(build *b)
{
	const cb_tree *tree = b->file->trees.data;
	size_t values = 1;
	if (b->file->trees.length && tree->n_nodes) {
		const cb_node *node = sl_vector_at(&b->file->nodes, tree->first_node);
		while (!node->n_values) /* the grammar gave every split a left child behind itself */
			node = sl_vector_at(&b->file->nodes, tree->first_node + (size_t)node->left);
		values = node->n_values;
	} else if (b->file->trees.length && tree->n_splits <= MAX_SYMMETRIC_DEPTH) {
		values = tree->n_values >> tree->n_splits;
	} else if (b->file->scale_and_bias.length > 1) {
		values = b->file->scale_and_bias.length - 1;
	}
	if (values < 1) /* there is a tree, then */
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, tree->offset, -1,
			"tree 0 has %zu leaf values for %zu splits; expected at least one for each leaf", tree->n_values, tree->n_splits);
	b->n_outputs = values < UINT32_MAX ? (uint32_t)values : UINT32_MAX; /* the builder has a limit */
	return SCORE_OK;
}

static score_status count_features(build *b)
{
	const sl_vector *lists[] = {&b->file->float_features, &b->file->cat_features};
	int64_t n = 0;
	for (int k = 0; k < 2; k++) {
		const cb_feature *f = lists[k]->data;
		for (size_t i = 0; i < lists[k]->length; i++)
			n = f[i].column >= n ? f[i].column + 1 : n;
	}
	/* Columns that the trainer ignored are listed too, so a model has about as many columns as features. */
	if ((uint64_t)n > 16 * (uint64_t)(lists[0]->length + lists[1]->length) + 65536)
		return sl_fail(b->error, SCORE_ERR_LIMIT, "\"flat_feature_index\" goes up to %lld for %zu features",
			(long long)n, lists[0]->length + lists[1]->length);
	b->n_features = (uint32_t)n;
	return SCORE_OK;
}

static score_status choose_trees(build *b)
{
	size_t n = b->file->trees.length;
	b->tree_begin = b->options->iteration_begin;
	b->tree_end = b->options->iteration_end;
	if (b->tree_begin == 0 && b->tree_end == 0)
		b->tree_end = n;
	else if (b->tree_begin >= b->tree_end || b->tree_end > n)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "iterations [%zu, %zu) were asked for, the model has %zu",
			b->tree_begin, b->tree_end, n);
	return SCORE_OK;
}

static score_status check_scale(build *b)
{
	const double *values = b->file->scale_and_bias.data;
	size_t n = b->file->scale_and_bias.length;
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(values[i]) || (i == 0 && values[0] == 0.0))
			return sl_fail_at(b->error, SCORE_ERR_CORRUPT, b->file->scale_offset, -1,
				"\"scale_and_bias\": expected finite numbers, and a scale other than 0");
	}
	if (n > 2 && n != (size_t)b->n_outputs + 1)
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, b->file->scale_offset, -1,
			"\"scale_and_bias\" has %zu biases, the trees have %u outputs", n - 1, b->n_outputs);
	return SCORE_OK;
}

static score_status spread_classes(build *b)
{
	return b->rule == LARGEST ? import_cb_spread_classes(b->file, &b->n_outputs) : SCORE_OK;
}

/* ---- trees -------------------------------------------------------------------------------------- */

static score_status number_some(build *b, cb_split_kind kind, uint32_t feature, size_t first, size_t n)
{
	numbered *out = sl_vector_grow(&b->numbered, n);
	if (!out && n)
		return sl_fail_memory(b->error, n * sizeof *out);
	for (size_t i = 0; i < n; i++)
		out[i] = (numbered){kind, feature, first + i};
	return SCORE_OK;
}

/* CatBoost numbers the borders of all float features, the values of all categorical ones, the borders of all CTRs. */
static score_status number_splits(build *b)
{
	const cb_file *f = b->file;
	const sl_vector *lists[] = {&f->float_features, &f->cat_features};
	score_status status = SCORE_OK;
	for (uint32_t k = 0; k < 2; k++) {
		const cb_feature *feature = lists[k]->data;
		for (uint32_t i = 0; i < lists[k]->length && status == SCORE_OK; i++)
			status = number_some(b, k ? CB_ONE_HOT : CB_FLOAT, i, feature[i].first_border, feature[i].n_borders);
	}
	const cb_ctr *ctr = f->ctrs.data;
	for (uint32_t i = 0; i < f->ctrs.length && status == SCORE_OK; i++)
		status = number_some(b, CB_CTR, i, ctr[i].first_border, ctr[i].n_borders);
	return status;
}

static score_status add_ctrs(build *b)
{
	uint32_t *columns = sl_vector_grow(&b->ctr_columns, b->file->ctrs.length);
	if (!columns && b->file->ctrs.length)
		return sl_fail_memory(b->error, b->file->ctrs.length * sizeof *columns);
	return import_cb_add_ctrs(b->file, b->builder, columns);
}

/* A file may say a split twice: in words and by its number. */
static score_status check_number(const build *b, const cb_tree *tree, const cb_split *split)
{
	const cb_file *f = b->file;
	if (split->number < 0)
		return SCORE_OK;
	const numbered *n = (uint64_t)split->number < b->numbered.length ?
		sl_vector_at(&b->numbered, (size_t)split->number) : NULL;
	if (n && n->kind == split->kind && n->feature == split->feature && (n->kind == CB_FLOAT ?
		((const float *)f->borders.data)[n->at] == split->border :
		((const uint32_t *)f->values.data)[n->at] == split->value))
		return SCORE_OK;
	if (split->kind == CB_FLOAT)
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, tree->offset, -1,
			"\"split_index\" %lld is not the border %.9g of float feature %u", (long long)split->number,
			(double)split->border, split->feature);
	return sl_fail_at(b->error, SCORE_ERR_CORRUPT, tree->offset, -1,
		"\"split_index\" %lld is not the value %d of categorical feature %u", (long long)split->number,
		(int)split->value, split->feature);
}

/* A category of which nothing is known goes left. */
static score_status fill_one_hot(build *b, const cb_feature *feature, const cb_split *split, score_node *out)
{
	out->test = SCORE_TEST_IN_RIGHT;
	out->feature = (uint32_t)feature->column;
	out->missing = SCORE_MISSING_LEFT;
	out->categories = (uint32_t)b->categories.length;
	out->n_categories = 1;
	return sl_vector_push(&b->categories, &split->value, 1) ? SCORE_OK : sl_fail_memory(b->error, sizeof split->value);
}

/* A CTR above its border; there is one for every row, so nothing is missing. */
static score_status fill_ctr(const build *b, const cb_tree *tree, const cb_split *split, score_node *out)
{
	const numbered *n = (uint64_t)split->number < b->numbered.length ?
		sl_vector_at(&b->numbered, (size_t)split->number) : NULL;
	const cb_ctr *ctr = n && n->kind == CB_CTR ? sl_vector_at(&b->file->ctrs, n->feature) : NULL;
	if (!ctr || ((const float *)b->file->borders.data)[n->at] != split->border ||
		(split->target != INT64_MIN && split->target != ctr->target))
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, tree->offset, -1,
			"\"split_index\" %lld is not the border %.9g of a CTR", (long long)split->number, (double)split->border);
	memset(out, 0, sizeof *out);
	out->test = SCORE_TEST_LE;
	out->feature = ((const uint32_t *)b->ctr_columns.data)[n->feature];
	out->value = (double)split->border;
	out->missing = SCORE_MISSING_LEFT;
	return SCORE_OK;
}

/* The split as a node of the builder: CatBoost goes right when x > border. */
static score_status fill_split(build *b, const cb_tree *tree, const cb_split *split, score_node *out)
{
	if (split->kind == CB_CTR)
		return fill_ctr(b, tree, split, out);
	bool is_float = split->kind == CB_FLOAT;
	const sl_vector *features = is_float ? &b->file->float_features : &b->file->cat_features;
	if (split->feature >= features->length)
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, tree->offset, -1,
			"\"%s_feature_index\" is %u, the model has %zu %s features", is_float ? "float" : "cat", split->feature,
			features->length, is_float ? "float" : "categorical");
	const cb_feature *feature = sl_vector_at(features, split->feature);
	score_status status = check_number(b, tree, split);
	if (status != SCORE_OK)
		return status;
	memset(out, 0, sizeof *out);
	if (!is_float)
		return fill_one_hot(b, feature, split, out);
	out->test = SCORE_TEST_LE;
	out->feature = (uint32_t)feature->column;
	out->value = (double)split->border;
	/* Missing counts as +infinity, which is not above a border of +infinity. */
	bool right = feature->nan_right && split->border < INFINITY;
	out->missing = right ? SCORE_MISSING_RIGHT : SCORE_MISSING_LEFT;
	return SCORE_OK;
}

/* A leaf whose values stand at `values`, row `row` of the tree's vectors. */
static void fill_leaf(const build *b, const double *values, uint32_t row, score_node *out)
{
	memset(out, 0, sizeof *out);
	out->test = SCORE_TEST_LEAF;
	out->leaf_id = row;
	if (b->n_outputs > 1)
		out->leaf_vector = row;
	else
		out->value = values[0];
}

static score_status bad_leaves(const build *b, size_t i, const cb_tree *tree)
{
	return sl_fail_at(b->error, SCORE_ERR_CORRUPT, tree->offset, -1,
		"tree %zu has %zu leaf values; expected %u for each leaf", i, tree->n_values, b->n_outputs);
}

/* A symmetric tree asks split k at one level. The first split is the lowest bit of the leaf's number, so the last one
 * is the root, and node n of a level of 2^d has the children 2n + 1 and 2n + 2. */
static score_status fill_symmetric(build *b, size_t number, const cb_tree *tree)
{
	const cb_file *f = b->file;
	if (tree->n_splits > MAX_SYMMETRIC_DEPTH || tree->n_values != (size_t)b->n_outputs << tree->n_splits)
		return bad_leaves(b, number, tree);
	uint32_t n_leaves = (uint32_t)1 << tree->n_splits, at = 0;
	score_node *nodes = sl_vector_grow(&b->nodes, (size_t)n_leaves * 2 - 1);
	if (!nodes)
		return sl_fail_memory(b->error, (size_t)n_leaves * 2 * sizeof *nodes);
	for (size_t level = 0; level < tree->n_splits; level++) {
		const cb_split *split = sl_vector_at(&f->splits, tree->first_split + tree->n_splits - 1 - level);
		score_node node;
		score_status status = fill_split(b, tree, split, &node);
		if (status != SCORE_OK)
			return status;
		for (uint32_t end = ((uint32_t)2 << level) - 1; at < end; at++) {
			node.left = (int32_t)(2 * at + 1);
			node.right = (int32_t)(2 * at + 2);
			nodes[at] = node;
		}
	}
	const double *values = sl_vector_at(&f->leaf_values, tree->first_value);
	for (uint32_t leaf = 0; leaf < n_leaves; leaf++)
		fill_leaf(b, values + (size_t)leaf * b->n_outputs, leaf, nodes + at + leaf);
	return SCORE_OK;
}

static score_status fill_nodes(build *b, size_t number, const cb_tree *tree)
{
	const cb_file *f = b->file;
	const cb_node *from = sl_vector_at(&f->nodes, tree->first_node);
	score_node *nodes = tree->n_nodes <= INT32_MAX ? sl_vector_grow(&b->nodes, tree->n_nodes) : NULL;
	if (!nodes)
		return sl_fail_memory(b->error, tree->n_nodes * sizeof *nodes);
	uint32_t leaves = 0;
	for (size_t i = 0; i < tree->n_nodes; i++) {
		if (from[i].n_values == 0) {
			const cb_split *split = sl_vector_at(&f->splits, (size_t)from[i].split);
			score_status status = fill_split(b, tree, split, nodes + i);
			if (status != SCORE_OK)
				return status;
			nodes[i].left = (int32_t)from[i].left;
			nodes[i].right = (int32_t)from[i].right;
			continue;
		}
		if (from[i].n_values != b->n_outputs)
			return bad_leaves(b, number, tree);
		fill_leaf(b, sl_vector_at(&f->leaf_values, from[i].first_value), leaves++, nodes + i);
	}
	return SCORE_OK;
}

/* Leaves say their weight, splits get the sum; a node stands before its children. NULL if the file does not say. */
static score_status take_covers(build *b, const cb_tree *tree, const double **out)
{
	const cb_file *f = b->file;
	const score_node *nodes = b->nodes.data;
	/* A tree of levels has no nodes in the file. */
	const cb_node *from = tree->n_nodes ? sl_vector_at(&f->nodes, tree->first_node) : NULL;
	size_t n = b->nodes.length, leaf = n / 2 + 1;
	*out = NULL;
	if (!tree->n_nodes && tree->n_covers != leaf)
		return tree->n_covers == 0 ? SCORE_OK : sl_fail_at(b->error, SCORE_ERR_CORRUPT, tree->offset, -1,
			"\"leaf_weights\" has %zu numbers for %zu leaves", tree->n_covers, leaf);
	b->covers.length = 0;
	double *covers = sl_vector_grow(&b->covers, n);
	if (!covers)
		return sl_fail_memory(b->error, n * sizeof *covers);
	for (size_t i = n; i-- > 0;) {
		if (nodes[i].test != SCORE_TEST_LEAF)
			covers[i] = covers[nodes[i].left] + covers[nodes[i].right];
		else if (tree->n_nodes)
			covers[i] = from[i].cover;
		else
			covers[i] = ((const double *)f->covers.data)[tree->first_cover + --leaf];
	}
	*out = import_covers_usable(covers, n) ? covers : NULL;
	return SCORE_OK;
}

static score_status add_tree(build *b, size_t i)
{
	const cb_tree *tree = sl_vector_at(&b->file->trees, i);
	b->nodes.length = b->categories.length = 0;
	score_status status = tree->n_nodes ? fill_nodes(b, i, tree) : fill_symmetric(b, i, tree);
	if (status != SCORE_OK)
		return status;
	score_tree t = SCORE_TREE_INIT;
	score_error inner;
	t.nodes = b->nodes.data;
	t.n_nodes = b->nodes.length;
	t.categories = b->categories.data;
	t.n_categories = b->categories.length;
	if (b->n_outputs > 1) {
		t.vectors = sl_vector_at(&b->file->leaf_values, tree->first_value);
		t.n_vectors = tree->n_values / b->n_outputs;
	}
	status = take_covers(b, tree, &t.covers);
	if (status != SCORE_OK)
		return status;
	return import_from_builder(score_builder_add_tree(b->builder, &t, &inner), &inner, tree->offset, b->error);
}

static score_status add_trees(build *b)
{
	score_status status = SCORE_OK;
	for (size_t i = b->tree_begin; i < b->tree_end && status == SCORE_OK; i++)
		status = add_tree(b, i);
	return status;
}

/* ---- names and metadata ------------------------------------------------------------------------- */

static score_status set_features(build *b)
{
	const sl_vector *lists[] = {&b->file->float_features, &b->file->cat_features};
	uint8_t *taken = sl_vector_grow(&b->taken, b->n_features);
	score_error inner;
	if (!taken)
		return sl_fail_memory(b->error, b->n_features);
	memset(taken, 0, b->n_features);
	for (int k = 0; k < 2; k++) {
		const cb_feature *f = lists[k]->data;
		for (size_t i = 0; i < lists[k]->length; i++) {
			if (taken[f[i].column]++)
				return sl_fail_at(b->error, SCORE_ERR_CORRUPT, f[i].offset, -1,
					"\"flat_feature_index\" %lld belongs to two features", (long long)f[i].column);
			score_status status = score_builder_set_feature(b->builder, (uint32_t)f[i].column,
				import_cb_text(b->file, f[i].name), f[i].is_category ? SCORE_FEATURE_CATEGORY : SCORE_FEATURE_NUMERIC,
				&inner);
			if (status != SCORE_OK)
				return import_from_builder(status, &inner, f[i].offset, b->error);
		}
	}
	return SCORE_OK;
}

static score_status set_base(build *b)
{
	const sl_vector *v = &b->file->scale_and_bias;
	score_error inner;
	if (v->length < 2)
		return SCORE_OK;
	score_status status = score_builder_set_base(b->builder, sl_vector_at(v, 1), v->length - 1, &inner);
	return import_from_builder(status, &inner, b->file->scale_offset, b->error);
}

static score_status set_link(build *b)
{
	score_error inner;
	return import_from_builder(score_builder_set_link(b->builder, b->link, 1.0, &inner), &inner,
		b->file->loss_offset, b->error);
}

/* The release, from the text "… Branch: tags/v1.2.10 …". */
static void find_version(const build *b, char *out, size_t size)
{
	const char *text = strstr(import_cb_text(b->file, b->file->version), "tags/v");
	size_t length = text ? strspn(text + 6, "0123456789.") : 0;
	length = length < size ? length : 0;
	if (length)
		memcpy(out, text + 6, length);
	out[length] = 0;
}

/* A double in decimal; the host's locale may have a decimal point of its own. */
static void write_double(double x, char *out, size_t size)
{
	char *to = out;
	snprintf(out, size, "%.17g", x);
	for (const char *from = out; *from; from++) {
		bool known = strchr("+-0123456789einf", *from) != NULL;
		if (known || to[-1] != '.')
			*to++ = known ? *from : '.';
	}
	*to = 0;
}

/* CatBoost compares margins: a class is the first one with the largest, or the second one above the logit of a
 * probability, which is 0.5 if the file says none. */
static void find_rule(const build *b, char *out, size_t size)
{
	const char *text = import_cb_text(b->file, b->file->threshold);
	double p = 0.5;
	if (sl_parse_f64(text, strlen(text), &p) != strlen(text) || !(p >= 0.0 && p <= 1.0))
		p = 0.5;
	double logit = p == 0.5 ? 0.0 : -log(1.0 / p - 1.0);
	if (b->rule == ABOVE && logit != 0.0) {
		int n = snprintf(out, size, "margin > ");
		write_double(logit, out + n, size - (size_t)n);
	} else {
		snprintf(out, size, "%s", b->rule == ABOVE ? "margin > 0" : b->rule == LARGEST ? "largest margin" : "");
	}
}

static score_status set_metadata(build *b)
{
	char version[32], rule[48];
	if (b->file->classes.length && !sl_vector_push(&b->file->classes, "]", 2))
		return sl_fail_memory(b->error, 2);
	find_version(b, version, sizeof version);
	find_rule(b, rule, sizeof rule);
	const char *const pairs[][2] = {{"source.library", "catboost"}, {"source.version", version},
		{"objective", import_cb_text(b->file, b->file->loss)},
		{"class_rule", rule}, {"class_labels", b->file->classes.length ? b->file->classes.data : ""}};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		score_error inner;
		score_status status = *pairs[i][1] ?
			score_builder_set_metadata(b->builder, pairs[i][0], pairs[i][1], &inner) : SCORE_OK;
		if (status != SCORE_OK)
			return import_from_builder(status, &inner, -1, b->error);
	}
	return SCORE_OK;
}

/* ---- all together ------------------------------------------------------------------------------- */

static score_status new_builder(build *b)
{
	score_contract contract = SCORE_CONTRACT_INIT(b->n_features, b->n_outputs);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	score_error inner;
	contract.trees_per_iteration = 1;
	contract.compare = SCORE_F32;
	contract.sum = SCORE_F64;
	contract.base_position = SCORE_BASE_LAST;
	contract.category_rule = SCORE_CATEGORY_HASH;
	if (b->file->scale_and_bias.length)
		contract.scale = *(const double *)b->file->scale_and_bias.data;
	options.allocator = b->options->allocator;
	options.isa = b->options->isa;
	return import_from_builder(score_builder_new(&contract, &options, &b->builder, &inner), &inner, -1, b->error);
}

static score_status build_model(build *b)
{
	score_status (*const steps[])(build *) = {count_outputs, count_features, choose_trees, check_scale, choose_link,
		spread_classes, new_builder, set_features, set_base, set_link, set_metadata, number_splits, add_ctrs, add_trees};
	score_status status = SCORE_OK;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == SCORE_OK; i++)
		status = steps[i](b);
	return status;
}

score_status import_catboost(const void *data, size_t size, const score_import_options *options,
	score_builder **out, score_error *error)
{
	static const score_import_options defaults = SCORE_IMPORT_OPTIONS_INIT;
	options = options ? options : &defaults;
	*out = NULL;
	cb_file file = {.allocator = sl_allocator(options->allocator), .error = error};
	build b = {.file = &file, .options = options, .error = error};
	sl_vector_init(&b.nodes, &file.allocator, sizeof(score_node));
	sl_vector_init(&b.categories, &file.allocator, sizeof(uint32_t));
	sl_vector_init(&b.covers, &file.allocator, sizeof(double));
	sl_vector_init(&b.taken, &file.allocator, 1);
	sl_vector_init(&b.ctr_columns, &file.allocator, sizeof(uint32_t));
	sl_vector_init(&b.numbered, &file.allocator, sizeof(numbered));
	import_cb_init(&file);
	score_status status = import_cb_read(&file, data, size);
	if (status == SCORE_OK)
		status = build_model(&b);
	sl_vector_free(&b.nodes);
	sl_vector_free(&b.categories);
	sl_vector_free(&b.covers);
	sl_vector_free(&b.taken);
	sl_vector_free(&b.ctr_columns);
	sl_vector_free(&b.numbered);
	import_cb_free(&file);
	if (status != SCORE_OK)
		score_builder_free(b.builder);
	else
		*out = b.builder;
	return status;
}
