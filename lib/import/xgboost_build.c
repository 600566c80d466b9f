/*
 * XGBoost models to the builder.
 *
 * Comes in: what import_xgb_read() found in the file. Goes out: an unfinished builder with the same numbers:
 * float comparisons and float sums that start at the base margin. Relies on the builder for every check of
 * the trees' shape.
 */
#include "importers.h"
#include "xgboost.h"

#include <stdio.h>

#define MAX_ATTRIBUTES 4096 /* the builder looks keys up one by one */

typedef struct build {
	xgb_file *file;
	const score_import_options *options;
	score_error *error;
	const xgb_objective *objective;
	bool is_linear;
	uint32_t n_features;
	uint32_t n_outputs;
	uint32_t trees_per_iteration;
	xgb_range trees;   /* of the iterations that are wanted */
	uint32_t *column;  /* [n_features] what to ask for each feature; NULL: itself */
	score_builder *builder;
} build;

static size_t n_trees(const build *b)
{
	return b->file->trees.length;
}

/* ---- heads -------------------------------------------------------------------------------------- */

static score_status count_of(
	const build *b, xgb_integer_name name, const char *key, int64_t otherwise, uint32_t *out)
{
	int64_t value = import_xgb_integer(b->file, name, otherwise);
	if (value < 0 || value > INT32_MAX)
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, b->file->integers[name].offset, -1,
			"\"%s\" is %lld or missing, expected 0 to %d", key, (long long)value, INT32_MAX);
	*out = (uint32_t)value;
	return SCORE_OK;
}

static score_status read_shape(build *b)
{
	uint32_t classes = 0, targets = 0;
	score_status status = count_of(b, XGB_NUM_FEATURE, "num_feature", -1, &b->n_features);
	if (status == SCORE_OK)
		status = count_of(b, XGB_NUM_CLASS, "num_class", 0, &classes);
	if (status == SCORE_OK)
		status = count_of(b, XGB_NUM_TARGET, "num_target", 1, &targets);
	if (status != SCORE_OK)
		return status;
	if (classes > 1 && targets > 1)
		return sl_fail_at(b->error, SCORE_ERR_UNSUPPORTED, b->file->integers[XGB_NUM_TARGET].offset, -1,
			"the model has both %u classes and %u targets; supported is one of \"num_class\" and \"num_target\" above 1",
			classes, targets);
	b->n_outputs = classes > targets ? classes : targets;
	if (b->n_outputs == 0)
		b->n_outputs = 1;
	return SCORE_OK;
}

static score_status read_booster(build *b)
{
	const xgb_list *booster = &b->file->lists[XGB_BOOSTER], *objective = &b->file->lists[XGB_OBJECTIVE];
	if (!booster->present)
		return sl_fail(
			b->error, SCORE_ERR_CORRUPT, "not an XGBoost model: there is no learner.gradient_booster.name");
	const char *name = import_xgb_string(booster, 0);
	b->is_linear = strcmp(name, "gblinear") == 0;
	if (!b->is_linear && strcmp(name, "gbtree") != 0 && strcmp(name, "dart") != 0)
		return sl_fail_at(b->error, SCORE_ERR_UNSUPPORTED, booster->offset, -1,
			"the booster \"%s\" is not supported; supported are gbtree, dart and gblinear",
			sl_quote(name, strlen(name)).text);
	if (!objective->present)
		return sl_fail(
			b->error, SCORE_ERR_CORRUPT, "not a whole XGBoost model: there is no learner.objective.name");
	name = import_xgb_string(objective, 0);
	b->objective = import_xgb_objective(name);
	if (!b->objective)
		return sl_fail_at(b->error, SCORE_ERR_UNSUPPORTED, objective->offset, -1,
			"the objective \"%s\" is not supported; supported are those of XGBoost up to 3.2", sl_quote(name, strlen(name)).text);
	return SCORE_OK;
}

/* ---- iterations --------------------------------------------------------------------------------- */

static score_status check_trees(const build *b)
{
	const xgb_file *f = b->file;
	const xgb_column *info = &f->columns[XGB_TREE_INFO];
	int64_t said = import_xgb_integer(f, XGB_NUM_TREES, -1);
	if (said != (int64_t)n_trees(b))
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, f->integers[XGB_NUM_TREES].offset, -1,
			"\"num_trees\" is %lld or missing, but the model has %zu trees", (long long)said, n_trees(b));
	if (info->values.length != n_trees(b))
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, info->offset, -1,
			"\"tree_info\" has %zu elements for %zu trees", info->values.length, n_trees(b));
	const int64_t *group = info->values.data;
	for (size_t i = 0; i < n_trees(b); i++) {
		if (group[i] < 0 || group[i] >= b->n_outputs)
			return sl_fail_at(b->error, SCORE_ERR_CORRUPT, info->offset, -1,
				"\"tree_info\": tree %zu adds to output %lld of %u", i, (long long)group[i], b->n_outputs);
	}
	const sl_vector *weights = &f->columns[XGB_WEIGHT_DROP].values;
	if (weights->length && weights->length != n_trees(b))
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, f->columns[XGB_WEIGHT_DROP].offset, -1,
			"\"weight_drop\" has %zu elements for %zu trees", weights->length, n_trees(b));
	return SCORE_OK;
}

/* Trees of an iteration in files before 2.0, which do not say. */
static score_status old_layer(const build *b, size_t *out)
{
	const int64_t *group = b->file->columns[XGB_TREE_INFO].values.data;
	int64_t parallel = import_xgb_integer(b->file, XGB_PARALLEL_TREES, 1), groups = 1;
	for (size_t i = 0; i < n_trees(b); i++)
		groups = group[i] >= groups ? group[i] + 1 : groups;
	if (parallel < 1 || parallel > INT32_MAX || (uint64_t)n_trees(b) % ((uint64_t)parallel * (uint64_t)groups) != 0)
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, b->file->integers[XGB_PARALLEL_TREES].offset, -1,
			"%zu trees cannot be iterations of %lld outputs with \"num_parallel_tree\" %lld", n_trees(b),
			(long long)groups, (long long)parallel);
	*out = (size_t)parallel * (size_t)groups;
	return SCORE_OK;
}

static score_status check_iterations(const build *b)
{
	const xgb_column *c = &b->file->columns[XGB_ITERATIONS];
	const int64_t *first = c->values.data;
	size_t n = c->values.length;
	bool good = n > 0 && first[0] == 0 && first[n - 1] == (int64_t)n_trees(b);
	for (size_t i = 1; i < n && good; i++)
		good = first[i] >= first[i - 1];
	if (!good)
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, c->offset, -1,
			"\"iteration_indptr\" must ascend from 0 to the number of trees, %zu", n_trees(b));
	return SCORE_OK;
}

static score_status check_range(const build *b, size_t iterations, size_t *begin, size_t *end)
{
	*begin = b->options->iteration_begin;
	*end = b->options->iteration_end;
	if (*begin == 0 && *end == 0)
		*end = iterations;
	else if (*begin >= *end || *end > iterations)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT,
			"iterations [%zu, %zu) were asked for, the model has %zu", *begin, *end, iterations);
	return SCORE_OK;
}

static score_status choose_iterations(build *b)
{
	const xgb_column *c = &b->file->columns[XGB_ITERATIONS];
	size_t begin, end, layer = 1;
	if (!c->present || (c->values.length == 0 && n_trees(b) == 0)) {
		score_status status = old_layer(b, &layer);
		if (status == SCORE_OK)
			status = check_range(b, n_trees(b) / layer, &begin, &end);
		if (status != SCORE_OK)
			return status;
		b->trees.begin = begin * layer;
		b->trees.end = end * layer;
		b->trees_per_iteration = (uint32_t)layer;
		return SCORE_OK;
	}
	score_status status = check_iterations(b);
	if (status == SCORE_OK)
		status = check_range(b, c->values.length - 1, &begin, &end);
	if (status != SCORE_OK)
		return status;
	const int64_t *first = c->values.data;
	b->trees.begin = (size_t)first[begin];
	b->trees.end = (size_t)first[end];
	/* Continued training may have changed their size; then only single trees are a common measure. */
	int64_t size = end > begin ? first[begin + 1] - first[begin] : 1;
	for (size_t i = begin; i < end; i++)
		size = first[i + 1] - first[i] == size && size > 0 ? size : 1;
	b->trees_per_iteration = (uint32_t)size;
	return SCORE_OK;
}

/* ---- base score --------------------------------------------------------------------------------- */

/* "5E-1", "(5E-1)" or "[1E-1,2E-1]" to `out`, of at most `most` values; the number of values, 0 if it is none
 * of them. */
static size_t parse_base_score(const char *text, float *out, size_t most)
{
	size_t length = strlen(text), n = 0;
	char close = text[0] == '[' ? ']' : text[0] == '(' ? ')' : 0;
	if (close) {
		if (length < 2 || text[length - 1] != close)
			return 0;
		text++;
		length -= 2;
	}
	for (;;) {
		while (length && *text == ' ')
			text++, length--;
		size_t used = n < most ? sl_parse_f32(text, length, out + n) : 0;
		if (used == 0)
			return 0;
		n++;
		text += used;
		length -= used;
		while (length && *text == ' ')
			text++, length--;
		if (length == 0)
			return n;
		if (!close || *text != ',')
			return 0;
		text++;
		length--;
	}
}

/* Base margins as XGBoost computes them; for gblinear the first one counts for all outputs, and the bias is
 * added. */
static score_status base_margins(const build *b, float *scores, double *margins)
{
	const xgb_list *list = &b->file->lists[XGB_BASE_SCORE];
	const float *weights = b->file->columns[XGB_WEIGHTS].values.data;
	const char *text = list->present ? import_xgb_string(list, 0) : "";
	size_t n = parse_base_score(text, scores, b->n_outputs);
	if (n != 1 && n != b->n_outputs)
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, list->offset, -1,
			"\"base_score\" is \"%s\" or missing, expected 1 or %u numbers",
			sl_quote(text, strlen(text)).text, b->n_outputs);
	for (uint32_t i = 0; i < b->n_outputs; i++) {
		float margin;
		if (!import_xgb_base_margin(b->objective, scores[n == 1 || b->is_linear ? 0 : i], &margin))
			return sl_fail_at(b->error, SCORE_ERR_CORRUPT, list->offset, -1,
				"\"base_score\" %s has no margin under %s", sl_quote(text, strlen(text)).text,
				import_xgb_string(&b->file->lists[XGB_OBJECTIVE], 0));
		if (b->is_linear)
			margin = weights[(size_t)b->n_features * b->n_outputs + i] + margin;
		margins[i] = (double)margin;
	}
	return SCORE_OK;
}

static score_status set_base(const build *b)
{
	const score_allocator *a = &b->file->allocator;
	size_t n = b->n_outputs, bytes = n * (sizeof(double) + sizeof(float));
	double *margins = sl_alloc(a, bytes, 64);
	score_error inner;
	if (!margins)
		return sl_fail_memory(b->error, bytes);
	score_status status = base_margins(b, (float *)(margins + n), margins);
	if (status == SCORE_OK)
		status = import_from_builder(score_builder_set_base(b->builder, margins, n, &inner), &inner,
			b->file->lists[XGB_BASE_SCORE].offset, b->error);
	sl_free(a, margins, bytes, 64);
	return status;
}

/* ---- trees and weights -------------------------------------------------------------------------- */

typedef struct tree_room {
	sl_vector nodes;   /* score_node */
	sl_vector vectors; /* double     */
	sl_vector covers;  /* double     */
} tree_room;

/* A tree's weight under DART: XGBoost adds the leaf to a zero, which makes -0 a 0, and multiplies in float. */
static double weighted(float leaf, const float *weight)
{
	float product = weight ? (0.0f + leaf) * *weight : leaf;
	return (double)product;
}

static void fill_node(const xgb_file *f, const xgb_tree *tree, uint32_t i, const float *weight, const uint32_t *column,
	score_node *out)
{
	const xgb_node *node = sl_vector_at(&f->nodes, tree->first_node + i);
	memset(out, 0, sizeof *out);
	out->test = node->test;
	out->leaf_id = i;
	if (node->test == SCORE_TEST_LEAF) {
		if (tree->leaf_size > 1)
			out->leaf_vector = node->u.index;
		else
			out->value = weighted(node->u.value, weight);
		return;
	}
	out->left = node->left;
	out->right = node->left + 1;
	out->feature = column ? column[node->feature] : node->feature;
	out->missing = node->default_left ? SCORE_MISSING_LEFT : SCORE_MISSING_RIGHT;
	if (node->test == SCORE_TEST_LT) {
		out->value = (double)node->u.value;
	} else {
		const xgb_set *set = sl_vector_at(&f->sets, tree->first_set + node->u.index);
		out->categories = set->first;
		out->n_categories = set->count;
	}
}

/* NULL if the tree has none that can be kept. */
static score_status take_covers(const build *b, const xgb_tree *tree, tree_room *room, const double **out)
{
	*out = NULL;
	if (!tree->has_covers)
		return SCORE_OK;
	const float *from = sl_vector_at(&b->file->covers, tree->first_cover);
	room->covers.length = 0;
	double *covers = sl_vector_grow(&room->covers, tree->n_nodes);
	if (!covers)
		return sl_fail_memory(b->error, tree->n_nodes * sizeof *covers);
	for (uint32_t k = 0; k < tree->n_nodes; k++)
		covers[k] = (double)from[k];
	*out = import_covers_usable(covers, tree->n_nodes) ? covers : NULL;
	return SCORE_OK;
}

static score_status add_tree(const build *b, size_t i, tree_room *room)
{
	const xgb_file *f = b->file;
	const xgb_tree *tree = sl_vector_at(&f->trees, i);
	const sl_vector *weights = &f->columns[XGB_WEIGHT_DROP].values;
	const float *weight = weights->length ? sl_vector_at(weights, i) : NULL;
	if (tree->leaf_size > 1 && tree->leaf_size != b->n_outputs)
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, tree->offset, -1,
			"tree %zu has leaves of %u values, the model has %u outputs", i, tree->leaf_size, b->n_outputs);
	room->nodes.length = room->vectors.length = 0;
	size_t n_values = tree->leaf_size > 1 ? (size_t)tree->n_vectors * tree->leaf_size : 0;
	score_node *nodes = sl_vector_grow(&room->nodes, tree->n_nodes);
	double *vectors = n_values ? sl_vector_grow(&room->vectors, n_values) : NULL;
	if (!nodes || (n_values && !vectors))
		return sl_fail_memory(b->error, tree->n_nodes * sizeof *nodes);
	for (uint32_t k = 0; k < tree->n_nodes; k++)
		fill_node(f, tree, k, weight, b->column, nodes + k);
	for (size_t k = 0; k < n_values; k++)
		vectors[k] = weighted(((const float *)f->vectors.data)[tree->first_vector + k], weight);
	score_tree t = SCORE_TREE_INIT;
	t.nodes = nodes;
	t.n_nodes = tree->n_nodes;
	t.categories = tree->n_categories ? sl_vector_at(&f->categories, tree->first_category) : NULL;
	t.n_categories = tree->n_categories;
	t.vectors = vectors;
	t.n_vectors = vectors ? tree->n_vectors : 0;
	t.output = vectors ? 0 : (uint32_t)((const int64_t *)f->columns[XGB_TREE_INFO].values.data)[i];
	score_error inner;
	score_status status = take_covers(b, tree, room, &t.covers);
	if (status != SCORE_OK)
		return status;
	status = score_builder_add_tree(b->builder, &t, &inner);
	if (status == SCORE_ERR_MEMORY || status == SCORE_OK)
		return import_from_builder(status, &inner, -1, b->error);
	return sl_fail_at(b->error, import_builder_status(status), tree->offset, -1,
		"tree %zu: %s", i, inner.message);
}

static score_status refuse_untrained(const build *b, int64_t offset)
{
	return sl_fail_at(b->error, SCORE_ERR_UNSUPPORTED, offset, -1,
		"the model was not trained: it has no %s, so every row's margin is its base score; train it, then save it again",
		b->is_linear ? "weights" : "trees");
}

static score_status add_trees(const build *b)
{
	tree_room room;
	if (!b->file->trees.length)
		return refuse_untrained(b, -1);
	score_status status = SCORE_OK;
	sl_vector_init(&room.nodes, &b->file->allocator, sizeof(score_node));
	sl_vector_init(&room.vectors, &b->file->allocator, sizeof(double));
	sl_vector_init(&room.covers, &b->file->allocator, sizeof(double));
	for (size_t i = b->trees.begin; i < b->trees.end && status == SCORE_OK; i++)
		status = add_tree(b, i, &room);
	sl_vector_free(&room.nodes);
	sl_vector_free(&room.vectors);
	sl_vector_free(&room.covers);
	return status;
}

static score_status check_weights(const build *b)
{
	const xgb_column *c = &b->file->columns[XGB_WEIGHTS];
	uint64_t expected = ((uint64_t)b->n_features + 1) * b->n_outputs;
	if (c->present && !c->values.length)
		return refuse_untrained(b, c->offset);
	if (!c->present || c->values.length != expected)
		return sl_fail_at(b->error, SCORE_ERR_CORRUPT, c->offset, -1,
			"gblinear has %zu weights, expected %llu: (features + 1) x outputs", c->values.length,
			(unsigned long long)expected);
	if (b->options->iteration_begin || b->options->iteration_end)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "a gblinear model has no iterations to choose from");
	return SCORE_OK;
}

static score_status add_weights(const build *b)
{
	const score_allocator *a = &b->file->allocator;
	const float *from = b->file->columns[XGB_WEIGHTS].values.data;
	size_t n = (size_t)b->n_features * b->n_outputs, bytes = n * sizeof(double);
	double *weights = sl_alloc(a, bytes, 64);
	score_error inner;
	if (!weights)
		return sl_fail_memory(b->error, bytes);
	for (size_t i = 0; i < n; i++)
		weights[i] = (double)from[i];
	score_status status =
		b->column ? score_builder_set_linear_columns(b->builder, b->n_features, &inner) : SCORE_OK;
	if (status == SCORE_OK)
		status = score_builder_set_linear(b->builder, weights, 1, &inner);
	sl_free(a, weights, bytes, 64);
	return import_from_builder(status, &inner, b->file->columns[XGB_WEIGHTS].offset, b->error);
}

/* ---- names and metadata ------------------------------------------------------------------------- */

static score_status set_features(const build *b)
{
	const xgb_list *names = &b->file->lists[XGB_FEATURE_NAMES], *types = &b->file->lists[XGB_FEATURE_TYPES];
	const xgb_list *lists[] = {names, types};
	for (int i = 0; i < 2; i++) {
		size_t n = lists[i]->starts.length;
		if (n && n != b->n_features)
			return sl_fail_at(b->error, SCORE_ERR_CORRUPT, lists[i]->offset, -1,
				"%s has %zu elements for %u features", i ? "\"feature_types\"" : "\"feature_names\"", n,
				b->n_features);
	}
	if (!names->starts.length && !types->starts.length)
		return SCORE_OK;
	for (uint32_t i = 0; i < b->n_features; i++) {
		const char *name = names->starts.length ? import_xgb_string(names, i) : NULL;
		bool category = types->starts.length && strcmp(import_xgb_string(types, i), "c") == 0;
		score_error inner;
		score_status status = score_builder_set_feature(b->builder, i, name,
			category ? SCORE_FEATURE_CATEGORY : SCORE_FEATURE_NUMERIC, &inner);
		if (status != SCORE_OK)
			return import_from_builder(status, &inner, names->offset, b->error);
	}
	return SCORE_OK;
}

static score_status set_text(const build *b, const char *key, const char *value, int64_t offset)
{
	score_error inner;
	return import_from_builder(score_builder_set_metadata(b->builder, key, value, &inner), &inner, offset, b->error);
}

static score_status set_version(const build *b)
{
	const sl_vector *version = &b->file->columns[XGB_VERSION].values;
	const int64_t *v = version->data;
	char text[72];
	if (version->length != 3)
		return SCORE_OK;
	snprintf(text, sizeof text, "%lld.%lld.%lld", (long long)v[0], (long long)v[1], (long long)v[2]);
	return set_text(b, "source.version", text, b->file->columns[XGB_VERSION].offset);
}

/* The file's attributes first: an attribute that is called like one of our own keys gives way. */
static score_status set_metadata(const build *b)
{
	const xgb_list *attributes = &b->file->lists[XGB_ATTRIBUTES];
	score_status status = SCORE_OK;
	if (attributes->starts.length > (size_t)2 * MAX_ATTRIBUTES)
		return sl_fail_at(b->error, SCORE_ERR_LIMIT, attributes->offset, -1,
			"the model has more than %d attributes", MAX_ATTRIBUTES);
	for (size_t i = 0; i + 1 < attributes->starts.length && status == SCORE_OK; i += 2)
		status = set_text(
			b, import_xgb_string(attributes, i), import_xgb_string(attributes, i + 1), attributes->offset);
	if (status == SCORE_OK)
		status = set_text(b, "source.library", "xgboost", -1);
	if (status == SCORE_OK)
		status = set_text(b, "objective", import_xgb_string(&b->file->lists[XGB_OBJECTIVE], 0), -1);
	return status == SCORE_OK ? set_version(b) : status;
}

static score_status set_link(const build *b)
{
	score_link link = import_xgb_link(b->objective, b->file);
	score_error inner;
	return import_from_builder(score_builder_set_link(b->builder, link, 1.0, &inner), &inner,
		b->file->lists[XGB_OBJECTIVE].offset, b->error);
}

static score_status set_labels(const build *b)
{
	score_error inner;
	return import_from_builder(import_xgb_set_labels(b->file, b->n_features, b->builder, &inner), &inner, -1, b->error);
}

/* ---- missing values ------------------------------------------------------------------------------ */

static score_status add_missing(build *b)
{
	score_error inner;
	sl_error_clear(&inner);
	if (!b->options->missing || b->n_features == 0)
		return SCORE_OK;
	b->column = sl_alloc(&b->file->allocator, b->n_features * sizeof *b->column, 64);
	if (!b->column)
		return sl_fail_memory(b->error, b->n_features * sizeof *b->column);
	score_status status = import_xgb_add_missing(b->file, (float)*b->options->missing, b->is_linear ? NULL : &b->trees,
		b->n_features, b->builder, b->column, &inner);
	return import_from_builder(status, &inner, inner.offset, b->error);
}

/* ---- all together ------------------------------------------------------------------------------- */

/* Until 1.2, with DART until 1.3, XGBoost summed a row's trees from zero and added that to the base. */
static score_base_position base_position(const build *b)
{
	bool is_dart = strcmp(import_xgb_string(&b->file->lists[XGB_BOOSTER], 0), "dart") == 0;
	bool is_last = !b->is_linear && import_xgb_before(b->file, 1, is_dart ? 4 : 3);
	return is_last ? SCORE_BASE_LAST : SCORE_BASE_FIRST;
}

static score_status new_builder(build *b)
{
	score_contract contract = SCORE_CONTRACT_INIT(b->n_features, b->n_outputs);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	score_error inner;
	contract.compare = SCORE_F32;
	contract.sum = SCORE_F32;
	contract.base_position = base_position(b);
	contract.category_rule = SCORE_CATEGORY_NONNEGATIVE;
	contract.trees_per_iteration = b->trees_per_iteration;
	options.allocator = b->options->allocator;
	options.isa = b->options->isa;
	return import_from_builder(score_builder_new(&contract, &options, &b->builder, &inner), &inner, -1, b->error);
}

static score_status read_heads(build *b)
{
	score_status status = read_booster(b);
	if (status == SCORE_OK)
		status = read_shape(b);
	if (status == SCORE_OK && b->is_linear) {
		b->trees_per_iteration = 1;
		return check_weights(b);
	}
	if (status == SCORE_OK)
		status = check_trees(b);
	return status == SCORE_OK ? choose_iterations(b) : status;
}

static score_status build_model(build *b)
{
	score_status (*const steps[])(const build *) = {set_features, set_base, set_link, set_metadata, set_labels,
		b->is_linear ? add_weights : add_trees};
	score_status status = new_builder(b);
	if (status == SCORE_OK)
		status = add_missing(b);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == SCORE_OK; i++)
		status = steps[i](b);
	return status;
}

score_status import_xgboost(const void *data, size_t size, score_format format,
	const score_import_options *options, score_builder **out, score_error *error)
{
	static const score_import_options defaults = SCORE_IMPORT_OPTIONS_INIT;
	options = options ? options : &defaults;
	*out = NULL;
	xgb_file file = {.allocator = sl_allocator(options->allocator), .error = error};
	build b = {.file = &file, .options = options, .error = error};
	score_status status = import_xgb_read(&file, data, size, format);
	if (status == SCORE_OK)
		status = read_heads(&b);
	if (status == SCORE_OK)
		status = build_model(&b);
	sl_free(&file.allocator, b.column, b.n_features * sizeof *b.column, 64);
	import_xgb_free(&file);
	if (status != SCORE_OK)
		score_builder_free(b.builder);
	else
		*out = b.builder;
	return status;
}
