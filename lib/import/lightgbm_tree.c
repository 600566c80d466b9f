/*
 * One tree of LightGBM's text format to one score_tree.
 *
 * Comes in: the lines of a "Tree=" block. Goes out: nodes for the builder, split i as node i and leaf i as
 * node n_splits + i. Counts, children, features and category sets are checked here, where there is a line to
 * name; the builder checks that it is a tree at all.
 */
#include "lightgbm.h"
#include "importers.h"

/* LightGBM replaces |x| <= 1e-35f by 0 before it asks any question. */
#define TINY 0x1.a95a5cp-117
#define MAX_LEAVES (1 << 29)
/* LightGBM's categories are ints, so no set reaches further. */
#define MAX_SET_WORDS (1u << 26)

#define IS_CATEGORICAL 1
#define DEFAULT_LEFT 2
#define MISSING_TYPE(decision) ((decision) >> 2)
#define MISSING_NONE 0
#define MISSING_ZERO 1

enum tree_key {
	NUM_LEAVES,
	NUM_CAT,
	IS_LINEAR,
	SPLIT_FEATURE,
	THRESHOLD,
	DECISION_TYPE,
	LEFT_CHILD,
	RIGHT_CHILD,
	LEAF_VALUE,
	CAT_BOUNDARIES,
	CAT_THRESHOLD,
	LEAF_COUNT,
	INTERNAL_COUNT,
	LEAF_CONST,
	NUM_FEATURES,
	LEAF_FEATURES,
	LEAF_COEFF,
	NESTED_TREE, /* never in a good file */
	N_TREE_KEYS
};

static const char *const tree_keys[N_TREE_KEYS] = {
	"num_leaves", "num_cat", "is_linear", "split_feature", "threshold", "decision_type", "left_child",
	"right_child", "leaf_value", "cat_boundaries", "cat_threshold", "leaf_count", "internal_count",
	"leaf_const", "num_features", "leaf_features", "leaf_coeff", "Tree",
};

void import_lgbm_trees_init(lgbm_trees *trees, const score_allocator *allocator)
{
	sl_vector_init(&trees->nodes, allocator, sizeof(score_node));
	sl_vector_init(&trees->categories, allocator, sizeof(uint32_t));
	sl_vector_init(&trees->set_first, allocator, sizeof(uint32_t));
	sl_vector_init(&trees->covers, allocator, sizeof(double));
	sl_vector_init(&trees->linear_leaves, allocator, sizeof(score_linear_leaf));
	sl_vector_init(&trees->term_features, allocator, sizeof(uint32_t));
	sl_vector_init(&trees->coefficients, allocator, sizeof(double));
}

void import_lgbm_trees_free(lgbm_trees *trees)
{
	sl_vector_free(&trees->nodes);
	sl_vector_free(&trees->categories);
	sl_vector_free(&trees->set_first);
	sl_vector_free(&trees->covers);
	sl_vector_free(&trees->linear_leaves);
	sl_vector_free(&trees->term_features);
	sl_vector_free(&trees->coefficients);
}

/* ---- the block's lines ----------------------------------------------------------------------------- */

static score_status read_fields(lgbm_reader *in, const lgbm_text *head, lgbm_field *fields)
{
	lgbm_text line;
	for (size_t i = 0; i < N_TREE_KEYS; i++)
		fields[i] = (lgbm_field){tree_keys[i], {NULL, 0, 0}};
	while (import_lgbm_line(in, &line)) {
		if (line.length == 0)
			return SCORE_OK;
		if (!memchr(line.text, '=', line.length))
			return LGBM_FAIL(in, &line, SCORE_ERR_CORRUPT,
				"\"%s\" in a tree, expected key=value or the empty line after it",
				sl_quote(line.text, line.length).text);
		score_status status = import_lgbm_store(in, &line, fields, N_TREE_KEYS);
		if (status != SCORE_OK)
			return status;
		if (fields[NESTED_TREE].value.text)
			return LGBM_FAIL(in, &line, SCORE_ERR_CORRUPT,
				"a tree starts here, but the one in line %lld has no end", (long long)head->line);
	}
	return LGBM_FAIL(in, head, SCORE_ERR_CORRUPT, "the file ends inside this tree: it was cut off");
}

static score_status require(lgbm_reader *in, const lgbm_text *head, const lgbm_field *field)
{
	if (!field->value.text)
		return LGBM_FAIL(in, head, SCORE_ERR_CORRUPT, "the tree has no \"%s\"", field->key);
	return SCORE_OK;
}

/* One whole number, and nothing behind it. */
static score_status read_count(lgbm_reader *in, const lgbm_text *head, const lgbm_field *field, int64_t low,
	int64_t high, int64_t *out)
{
	score_status status = require(in, head, field);
	lgbm_text rest = field->value;
	if (status == SCORE_OK)
		status = import_lgbm_next_i64(in, &rest, field->key, low, high, out);
	return status == SCORE_OK ? import_lgbm_no_more(in, &rest, field->key) : status;
}

/* ---- category sets --------------------------------------------------------------------------------- */

/* Where the words of each set start, into set_first; the last entry is their number. */
static score_status read_boundaries(lgbm_trees *t, const lgbm_field *field, int64_t n_sets)
{
	lgbm_text rest = field->value;
	int64_t first = 0;
	for (int64_t i = 0; i <= n_sets; i++) {
		score_status status = import_lgbm_next_i64(&t->in, &rest, field->key, first, i == 0 ? 0 : INT32_MAX,
			&first);
		if (status != SCORE_OK)
			return status;
		uint32_t boundary = (uint32_t)first;
		if (!sl_vector_push(&t->set_first, &boundary, 1))
			return sl_fail_memory(t->in.error, sizeof boundary);
	}
	return import_lgbm_no_more(&t->in, &rest, field->key);
}

static bool push_bits(sl_vector *categories, uint32_t bits, uint32_t first)
{
	for (uint32_t bit = 0; bit < 32; bit++) {
		uint32_t category = first + bit;
		if ((bits >> bit & 1) && !sl_vector_push(categories, &category, 1))
			return false;
	}
	return true;
}

/* Bits to categories; set_first then counts categories instead of words. */
static score_status read_sets(lgbm_trees *t, const lgbm_field *field, int64_t n_sets)
{
	lgbm_text rest = field->value;
	uint32_t *set_first = t->set_first.data;
	uint32_t begin = 0;
	for (int64_t k = 0; k < n_sets; k++) {
		uint32_t n_words = set_first[k + 1] - begin;
		begin = set_first[k + 1];
		set_first[k] = (uint32_t)t->categories.length;
		if (n_words > MAX_SET_WORDS || t->categories.length > UINT32_MAX - 32 * (size_t)n_words)
			return LGBM_FAIL(&t->in, &field->value, SCORE_ERR_CORRUPT,
				"category set %lld has %u words, more than ints can name", (long long)k, n_words);
		for (uint32_t i = 0; i < n_words; i++) {
			int64_t bits;
			score_status status = import_lgbm_next_i64(&t->in, &rest, field->key, 0, UINT32_MAX, &bits);
			if (status != SCORE_OK)
				return status;
			if (!push_bits(&t->categories, (uint32_t)bits, i * 32))
				return sl_fail_memory(t->in.error, 32 * sizeof bits);
		}
	}
	set_first[n_sets] = (uint32_t)t->categories.length;
	return import_lgbm_no_more(&t->in, &rest, field->key);
}

static score_status read_all_sets(lgbm_trees *t, const lgbm_text *head, const lgbm_field *fields,
	int64_t n_sets)
{
	if (n_sets == 0)
		return SCORE_OK;
	score_status status = require(&t->in, head, &fields[CAT_BOUNDARIES]);
	if (status == SCORE_OK)
		status = require(&t->in, head, &fields[CAT_THRESHOLD]);
	if (status == SCORE_OK)
		status = read_boundaries(t, &fields[CAT_BOUNDARIES], n_sets);
	return status == SCORE_OK ? read_sets(t, &fields[CAT_THRESHOLD], n_sets) : status;
}

/* ---- splits ---------------------------------------------------------------------------------------- */

/* x <= t over numbers in which [-TINY, TINY] is one value, 0, becomes a test that is right without that
 * replacement. A NaN counts as 0 unless the split says otherwise. */
static void make_numeric(score_node *node, int decision)
{
	const double t = node->value;
	const score_missing chosen = decision & DEFAULT_LEFT ? SCORE_MISSING_LEFT : SCORE_MISSING_RIGHT;
	node->test = SCORE_TEST_LE;
	if (t >= 0 && t < TINY) {
		node->value = TINY;
	} else if (t < 0 && t >= -TINY) {
		node->value = -TINY;
		node->test = SCORE_TEST_LT;
	}
	if (MISSING_TYPE(decision) == MISSING_NONE)
		node->missing = t >= 0 ? SCORE_MISSING_LEFT : SCORE_MISSING_RIGHT;
	else if (MISSING_TYPE(decision) == MISSING_ZERO)
		node->missing = (score_missing)(SCORE_MISSING_ZERO | chosen);
	else
		node->missing = chosen;
}

static score_status make_category(lgbm_trees *t, score_node *node, const lgbm_text *thresholds,
	int64_t n_sets)
{
	const uint32_t *set_first = t->set_first.data;
	double k = node->value;
	if (!(k >= 0 && k < (double)n_sets) || (double)(uint32_t)k != k)
		return LGBM_FAIL(&t->in, thresholds, SCORE_ERR_CORRUPT,
			"the threshold of a categorical split must be the number of one of the tree's %lld sets",
			(long long)n_sets);
	uint32_t set = (uint32_t)k;
	node->test = SCORE_TEST_IN_LEFT;
	node->missing = SCORE_MISSING_RIGHT;
	node->value = 0;
	node->categories = set_first[set];
	node->n_categories = set_first[set + 1] - set_first[set];
	t->n_named += node->n_categories;
	/* Sets that only one split uses, as LightGBM writes them, have less than 3 categories per byte. */
	if (t->n_named / 4 > (uint64_t)(t->in.end - t->in.start))
		return LGBM_FAIL(&t->in, thresholds, SCORE_ERR_LIMIT, "many splits share large category sets");
	if (t->is_category[node->feature])
		return SCORE_OK;
	t->is_category[node->feature] = 1;
	return score_builder_set_feature(t->builder, node->feature, t->names[node->feature],
		SCORE_FEATURE_CATEGORY, t->in.error);
}

/* Decision types come last: they say what the thresholds mean. Without them all splits are plain. */
static score_status make_tests(lgbm_trees *t, const lgbm_field *fields, int64_t n_splits, int64_t n_sets)
{
	lgbm_text rest = fields[DECISION_TYPE].value;
	score_node *nodes = t->nodes.data;
	for (int64_t i = 0; i < n_splits; i++) {
		score_status status = SCORE_OK;
		int64_t decision = 0;
		if (rest.text)
			status = import_lgbm_next_i64(&t->in, &rest, "decision_type", 0, 11, &decision);
		if (status == SCORE_OK && decision & IS_CATEGORICAL)
			status = make_category(t, &nodes[i], &fields[THRESHOLD].value, n_sets);
		else if (status == SCORE_OK)
			make_numeric(&nodes[i], (int)decision);
		if (status != SCORE_OK)
			return status;
	}
	return rest.text ? import_lgbm_no_more(&t->in, &rest, "decision_type") : SCORE_OK;
}

static score_status read_children(lgbm_reader *in, const lgbm_field *field, score_node *nodes,
	int64_t n_splits)
{
	lgbm_text rest = field->value;
	for (int64_t i = 0; i < n_splits; i++) {
		int64_t child;
		score_status status = import_lgbm_next_i64(in, &rest, field->key, -n_splits - 1, n_splits - 1,
			&child);
		if (status != SCORE_OK)
			return status;
		int32_t node = (int32_t)(child >= 0 ? child : n_splits + ~child);
		if (field->key == tree_keys[LEFT_CHILD])
			nodes[i].left = node;
		else
			nodes[i].right = node;
	}
	return import_lgbm_no_more(in, &rest, field->key);
}

static score_status read_split_fields(lgbm_trees *t, const lgbm_field *fields, int64_t n_splits)
{
	lgbm_text features = fields[SPLIT_FEATURE].value, thresholds = fields[THRESHOLD].value;
	score_node *nodes = t->nodes.data;
	score_status status = SCORE_OK;
	for (int64_t i = 0; i < n_splits && status == SCORE_OK; i++) {
		int64_t feature = 0;
		status = import_lgbm_next_i64(&t->in, &features, "split_feature", 0, (int64_t)t->n_features - 1,
			&feature);
		nodes[i].feature = (uint32_t)feature;
		if (status == SCORE_OK)
			status = import_lgbm_next_f64(&t->in, &thresholds, "threshold", &nodes[i].value);
	}
	if (status == SCORE_OK)
		status = import_lgbm_no_more(&t->in, &features, "split_feature");
	return status == SCORE_OK ? import_lgbm_no_more(&t->in, &thresholds, "threshold") : status;
}

static score_status read_splits(lgbm_trees *t, const lgbm_text *head, const lgbm_field *fields,
	int64_t n_splits, int64_t n_sets)
{
	static const enum tree_key required[] = {SPLIT_FEATURE, THRESHOLD, LEFT_CHILD, RIGHT_CHILD};
	score_status status = SCORE_OK;
	for (size_t i = 0; i < sizeof required / sizeof required[0] && status == SCORE_OK; i++)
		status = require(&t->in, head, &fields[required[i]]);
	if (status == SCORE_OK)
		status = read_split_fields(t, fields, n_splits);
	if (status == SCORE_OK)
		status = read_children(&t->in, &fields[LEFT_CHILD], t->nodes.data, n_splits);
	if (status == SCORE_OK)
		status = read_children(&t->in, &fields[RIGHT_CHILD], t->nodes.data, n_splits);
	if (status == SCORE_OK)
		status = read_all_sets(t, head, fields, n_sets);
	return status == SCORE_OK ? make_tests(t, fields, n_splits, n_sets) : status;
}

/* ---- linear leaves --------------------------------------------------------------------------------- */

static score_status read_constants(lgbm_trees *t, const lgbm_field *fields, int64_t n_splits)
{
	lgbm_text constants = fields[LEAF_CONST].value, counts = fields[NUM_FEATURES].value;
	score_linear_leaf *leaves = sl_vector_at(&t->linear_leaves, (size_t)n_splits);
	uint64_t n_terms = 0;
	for (int64_t i = 0; i <= n_splits; i++) {
		int64_t count;
		score_status status = import_lgbm_next_f64(&t->in, &constants, "leaf_const", &leaves[i].constant);
		if (status == SCORE_OK)
			status = import_lgbm_next_i64(&t->in, &counts, "num_features", 0, t->n_features, &count);
		if (status != SCORE_OK)
			return status;
		leaves[i].first_term = (uint32_t)n_terms;
		leaves[i].n_terms = (uint32_t)count;
		n_terms += (uint64_t)count;
		/* Every term takes a digit and a space: nothing is allocated for a count beyond that. */
		if (n_terms > fields[LEAF_FEATURES].value.length / 2 + 1)
			return LGBM_FAIL(&t->in, &fields[NUM_FEATURES].value, SCORE_ERR_CORRUPT,
				"\"leaf_features\" has too few numbers for this");
	}
	score_status status = import_lgbm_no_more(&t->in, &constants, "leaf_const");
	if (status == SCORE_OK)
		status = import_lgbm_no_more(&t->in, &counts, "num_features");
	if (status == SCORE_OK && (!sl_vector_grow(&t->term_features, (size_t)n_terms) ||
		!sl_vector_grow(&t->coefficients, (size_t)n_terms)))
		return sl_fail_memory(t->in.error, (size_t)n_terms * sizeof(double));
	return status;
}

static score_status read_terms(lgbm_trees *t, const lgbm_field *fields)
{
	lgbm_text features = fields[LEAF_FEATURES].value, coefficients = fields[LEAF_COEFF].value;
	score_status status = SCORE_OK;
	for (size_t i = 0; i < t->coefficients.length && status == SCORE_OK; i++) {
		int64_t feature = 0;
		status = import_lgbm_next_i64(&t->in, &features, "leaf_features", 0, (int64_t)t->n_features - 1, &feature);
		((uint32_t *)t->term_features.data)[i] = (uint32_t)feature;
		if (status == SCORE_OK)
			status = import_lgbm_next_f64(&t->in, &coefficients, "leaf_coeff",
				sl_vector_at(&t->coefficients, i));
	}
	if (status == SCORE_OK)
		status = import_lgbm_no_more(&t->in, &features, "leaf_features");
	return status == SCORE_OK ? import_lgbm_no_more(&t->in, &coefficients, "leaf_coeff") : status;
}

static score_status read_linear_leaves(lgbm_trees *t, const lgbm_text *head, const lgbm_field *fields, int64_t n_splits)
{
	static const enum tree_key required[] = {LEAF_CONST, NUM_FEATURES, LEAF_FEATURES, LEAF_COEFF};
	score_status status = SCORE_OK;
	for (size_t i = 0; i < sizeof required / sizeof required[0] && status == SCORE_OK; i++)
		status = require(&t->in, head, &fields[required[i]]);
	if (status == SCORE_OK) {
		score_linear_leaf *leaves = sl_vector_grow(&t->linear_leaves, t->nodes.length);
		if (!leaves)
			return sl_fail_memory(t->in.error, t->nodes.length * sizeof *leaves);
		memset(leaves, 0, t->nodes.length * sizeof *leaves);
		status = read_constants(t, fields, n_splits);
	}
	return status == SCORE_OK ? read_terms(t, fields) : status;
}

/* ---- the tree -------------------------------------------------------------------------------------- */

static score_status read_leaves(lgbm_trees *t, const lgbm_field *field, int64_t n_splits)
{
	lgbm_text rest = field->value;
	score_node *leaves = sl_vector_at(&t->nodes, (size_t)n_splits);
	for (int64_t i = 0; i <= n_splits; i++) {
		leaves[i].leaf_id = (uint32_t)i;
		score_status status = import_lgbm_next_f64(&t->in, &rest, field->key, &leaves[i].value);
		if (status != SCORE_OK)
			return status;
	}
	return import_lgbm_no_more(&t->in, &rest, field->key);
}

static score_status make_room(lgbm_trees *t, const lgbm_field *leaf_value, int64_t n_leaves)
{
	/* Every leaf value takes a digit and a space: nothing is allocated for a count beyond that. */
	if ((uint64_t)n_leaves > leaf_value->value.length / 2 + 1)
		return LGBM_FAIL(&t->in, &leaf_value->value, SCORE_ERR_CORRUPT,
			"\"leaf_value\" has too few numbers for num_leaves=%lld", (long long)n_leaves);
	size_t n = 2 * (size_t)n_leaves - 1;
	t->nodes.length = t->categories.length = t->set_first.length = 0;
	t->linear_leaves.length = t->term_features.length = t->coefficients.length = 0;
	score_node *nodes = sl_vector_grow(&t->nodes, n);
	if (!nodes)
		return sl_fail_memory(t->in.error, n * sizeof *nodes);
	memset(nodes, 0, n * sizeof *nodes);
	return SCORE_OK;
}

/* LightGBM's own contributions go by the numbers of rows, not by their weights. Empty where a file has none. */
static score_status read_counts(lgbm_trees *t, const lgbm_field *fields, int64_t n_splits)
{
	static const enum tree_key keys[] = {INTERNAL_COUNT, LEAF_COUNT};
	t->covers.length = 0;
	if (!fields[INTERNAL_COUNT].value.text || !fields[LEAF_COUNT].value.text || n_splits == 0)
		return SCORE_OK;
	double *covers = sl_vector_grow(&t->covers, 2 * (size_t)n_splits + 1);
	if (!covers)
		return sl_fail_memory(t->in.error, 2 * (size_t)n_splits * sizeof *covers);
	for (int k = 0; k < 2; k++) {
		const lgbm_field *field = &fields[keys[k]];
		lgbm_text rest = field->value;
		for (int64_t i = 0; i < n_splits + k; i++) {
			score_status status = import_lgbm_next_f64(&t->in, &rest, field->key, covers++);
			if (status != SCORE_OK)
				return status;
		}
		score_status status = import_lgbm_no_more(&t->in, &rest, field->key);
		if (status != SCORE_OK)
			return status;
	}
	return SCORE_OK;
}

/* What the builder finds wrong is wrong in the file, at this tree. */
static score_status add_tree(lgbm_trees *t, const lgbm_text *head, uint32_t output)
{
	score_tree tree = SCORE_TREE_INIT;
	tree.nodes = t->nodes.data;
	tree.n_nodes = t->nodes.length;
	tree.categories = t->categories.data;
	tree.n_categories = t->categories.length;
	tree.output = output;
	if (t->covers.length && import_covers_usable(t->covers.data, t->covers.length))
		tree.covers = t->covers.data;
	if (t->linear_leaves.length) {
		tree.linear_leaves = t->linear_leaves.data;
		tree.term_features = t->term_features.data;
		tree.term_coefficients = t->coefficients.data;
		tree.n_terms = t->coefficients.length;
	}
	score_status status = import_builder_status(score_builder_add_tree(t->builder, &tree, t->in.error));
	if (status != SCORE_OK && t->in.error) {
		t->in.error->code = status;
		t->in.error->line = head->line;
		t->in.error->offset = head->text - t->in.start;
	}
	return status;
}

score_status import_lgbm_tree(lgbm_trees *t, const lgbm_text *head, uint32_t output, bool add)
{
	lgbm_field fields[N_TREE_KEYS];
	int64_t n_leaves = 0, n_sets = 0, is_linear = 0;
	score_status status = read_fields(&t->in, head, fields);
	if (status == SCORE_OK && fields[IS_LINEAR].value.text)
		status = read_count(&t->in, head, &fields[IS_LINEAR], 0, 1, &is_linear);
	if (status == SCORE_OK)
		status = read_count(&t->in, head, &fields[NUM_LEAVES], 1, MAX_LEAVES, &n_leaves);
	if (status == SCORE_OK)
		status = read_count(&t->in, head, &fields[NUM_CAT], 0, n_leaves - 1, &n_sets);
	if (status == SCORE_OK)
		status = require(&t->in, head, &fields[LEAF_VALUE]);
	if (status == SCORE_OK)
		status = make_room(t, &fields[LEAF_VALUE], n_leaves);
	if (status == SCORE_OK)
		status = read_leaves(t, &fields[LEAF_VALUE], n_leaves - 1);
	if (status == SCORE_OK && n_leaves > 1)
		status = read_splits(t, head, fields, n_leaves - 1, n_sets);
	if (status == SCORE_OK)
		status = read_counts(t, fields, n_leaves - 1);
	if (status == SCORE_OK && is_linear)
		status = read_linear_leaves(t, head, fields, n_leaves - 1);
	return status == SCORE_OK && add ? add_tree(t, head, output) : status;
}
