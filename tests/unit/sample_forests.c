/*
 * Random but reproducible models. Comes in: a line of the table below. Goes out: a checked forest.
 */
#include "sample_forests.h"

#include "random_columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define N_FEATURES 5
#define MAX_SPLITS 300
#define MAX_NODES (2 * MAX_SPLITS + 1)
#define MAX_CATEGORIES (8 * MAX_SPLITS)
#define N_DERIVED 40 /* of samples that have derived columns */

#define CONTRACT(OUTPUTS, PER_ITERATION, COMPARE, SUM, POSITION, AVERAGE, RULE, SCALE) \
	{ sizeof(score_contract), N_FEATURES, OUTPUTS, PER_ITERATION, COMPARE, SUM, POSITION, AVERAGE, RULE, SCALE }
#define XGBOOST(OUTPUTS, PER_ITERATION) \
	CONTRACT(OUTPUTS, PER_ITERATION, SCORE_F32, SCORE_F32, SCORE_BASE_FIRST, SCORE_AVERAGE_NONE, \
		SCORE_CATEGORY_NONNEGATIVE, 1.0)
#define LIGHTGBM(OUTPUTS, AVERAGE) \
	CONTRACT(OUTPUTS, OUTPUTS, SCORE_F64, SCORE_F64, SCORE_BASE_FIRST, AVERAGE, SCORE_CATEGORY_TRUNCATE, 1.0)

const sample samples[] = {
	{ "stump", { sizeof(score_contract), 1, 1, 1, SCORE_F32, SCORE_F32, SCORE_BASE_FIRST, SCORE_AVERAGE_NONE,
		SCORE_CATEGORY_NONNEGATIVE, 1.0 }, 1, 1, SAMPLE_LEVEL, 0 },
	{ "tiny", XGBOOST(1, 1), 1, 1, SAMPLE_LEVEL, 0 },
	{ "one-set", XGBOOST(1, 1), 1, 1, SAMPLE_LEVEL, SAMPLE_HAS_CATEGORIES | SAMPLE_ONLY_CATEGORIES },
	{ "leaf-only", XGBOOST(1, 1), 3, 0, SAMPLE_LEVEL, 0 },
	{ "xgboost", XGBOOST(1, 1), 20, 31, SAMPLE_LEVEL, 0 },
	{ "xgboost-categories", XGBOOST(1, 1), 12, 20, SAMPLE_LEVEL, SAMPLE_HAS_CATEGORIES },
	{ "dictionaries", XGBOOST(1, 1), 3, 9, SAMPLE_LEVEL, SAMPLE_HAS_CATEGORIES | SAMPLE_HAS_DICTIONARIES },
	{ "xgboost-classes", XGBOOST(3, 6), 12, 9, SAMPLE_LEVEL, 0 },
	{ "lightgbm", LIGHTGBM(1, SCORE_AVERAGE_NONE), 15, 30, SAMPLE_SPLIT_ORDER,
		SAMPLE_HAS_ZERO_MISSING | SAMPLE_HAS_CATEGORIES },
	{ "lightgbm-forest", LIGHTGBM(2, SCORE_AVERAGE_PREDICTION), 8, 11, SAMPLE_SPLIT_ORDER, SAMPLE_HAS_ZERO_MISSING },
	{ "sklearn", CONTRACT(3, 1, SCORE_F32, SCORE_F64, SCORE_BASE_LAST, SCORE_AVERAGE_MARGIN,
		SCORE_CATEGORY_TRUNCATE, 1.0), 5, 17, SAMPLE_PREORDER, SAMPLE_HAS_VECTORS },
	{ "catboost", CONTRACT(1, 1, SCORE_F32, SCORE_F64, SCORE_BASE_LAST, SCORE_AVERAGE_NONE,
		SCORE_CATEGORY_TRUNCATE, 0.37), 9, 15, SAMPLE_LEAF_ORDER, 0 },
	{ "odd-outputs", XGBOOST(4, 2), 10, 5, SAMPLE_LEVEL, SAMPLE_HAS_ODD_OUTPUTS },
	{ "nan-cuts", LIGHTGBM(1, SCORE_AVERAGE_NONE), 6, 12, SAMPLE_LEAF_ORDER, SAMPLE_HAS_NAN_CUTS },
	{ "chain", XGBOOST(1, 1), 2, MAX_SPLITS, SAMPLE_PREORDER, SAMPLE_IS_CHAIN },
	{ "linear", CONTRACT(3, 3, SCORE_F64, SCORE_F64, SCORE_BASE_LAST, SCORE_AVERAGE_NONE, SCORE_CATEGORY_TRUNCATE, 1.0),
		0, 0, 0, SAMPLE_IS_LINEAR },
	{ "gblinear", XGBOOST(1, 1), 0, 0, 0, SAMPLE_IS_LINEAR },
	{ "covers", XGBOOST(2, 2), 6, 7, SAMPLE_LEVEL, SAMPLE_HAS_COVERS },
	{ "odd-covers", LIGHTGBM(1, SCORE_AVERAGE_NONE), 4, 9, SAMPLE_SPLIT_ORDER, SAMPLE_HAS_ODD_COVERS },
	{ "derived", XGBOOST(1, 1), 5, 20, SAMPLE_LEVEL, SAMPLE_HAS_DERIVED | SAMPLE_HAS_CATEGORIES },
	{ "derived-linear", CONTRACT(2, 2, SCORE_F64, SCORE_F64, SCORE_BASE_LAST, SCORE_AVERAGE_NONE, SCORE_CATEGORY_TRUNCATE,
		1.0), 0, 0, 0, SAMPLE_IS_LINEAR | SAMPLE_HAS_DERIVED },
	{ "linear-leaves", LIGHTGBM(1, SCORE_AVERAGE_NONE), 4, 9, SAMPLE_LEAF_ORDER, SAMPLE_HAS_LINEAR_LEAVES },
};
const size_t n_samples = sizeof samples / sizeof samples[0];

typedef struct maker {
	const sample *s;
	uint64_t random;
	uint32_t n_nodes;
	uint32_t n_categories;
	score_node nodes[MAX_NODES];
	uint32_t leaf_numbers[MAX_NODES]; /* by node, as LightGBM numbers leaves while it splits */
	uint32_t categories[MAX_CATEGORIES];
	double vectors[MAX_NODES * 4];
	double covers[MAX_NODES];
	score_linear_leaf linear_leaves[MAX_NODES];
	uint32_t term_features[2 * MAX_NODES];
	double coefficients[2 * MAX_NODES];
} maker;

static uint32_t random_below(maker *m, uint32_t n)
{
	m->random = m->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((m->random >> 33) % n);
}

static double random_value(maker *m, score_dtype type)
{
	const double x = ((double)random_below(m, 2000001) - 1e6) / 7e4;
	return type == SCORE_F32 ? (double)(float)x : x;
}

static bool is_category_feature(const sample *s, uint32_t feature)
{
	return (s->flags & SAMPLE_ONLY_CATEGORIES) ||
		((s->flags & SAMPLE_HAS_CATEGORIES) && feature >= 3 && feature < N_FEATURES + N_DERIVED / 4);
}

static void make_set(maker *m, score_node *node)
{
	uint32_t category = random_below(m, 70);
	node->test = random_below(m, 2) ? SCORE_TEST_IN_LEFT : SCORE_TEST_IN_RIGHT;
	node->categories = m->n_categories;
	node->n_categories = 1 + random_below(m, 8);
	for (uint32_t i = 0; i < node->n_categories; i++) {
		m->categories[m->n_categories++] = category;
		category += 1 + random_below(m, 5);
	}
}

static void make_numeric(maker *m, score_node *node)
{
	const double special[] = { NAN, INFINITY, -INFINITY, -0.0, 0.0, 1e-40 };
	node->test = random_below(m, 2) ? SCORE_TEST_LT : SCORE_TEST_LE;
	node->value = random_value(m, m->s->contract.compare);
	if ((m->s->flags & SAMPLE_HAS_NAN_CUTS) && random_below(m, 2))
		node->value = special[random_below(m, 6)];
	if ((m->s->flags & SAMPLE_HAS_ZERO_MISSING) && random_below(m, 3) == 0)
		node->missing |= SCORE_MISSING_ZERO;
}

/* Turn a leaf into a split with two new leaves. */
static void split(maker *m, uint32_t at)
{
	score_node *node = m->nodes + at;
	node->left = (int32_t)m->n_nodes++;
	node->right = (int32_t)m->n_nodes++;
	node->feature = random_below(m, m->s->contract.n_features + (m->s->flags & SAMPLE_HAS_DERIVED ? N_DERIVED : 0));
	node->missing = (score_missing)random_below(m, 2);
	if (is_category_feature(m->s, node->feature))
		make_set(m, node);
	else
		make_numeric(m, node);
}

static uint32_t next_to_split(maker *m)
{
	uint32_t at;
	if (m->s->flags & SAMPLE_IS_CHAIN)
		return m->n_nodes - 1 - (m->n_nodes > 1 ? random_below(m, 2) : 0);
	if (m->s->numbering == SAMPLE_LEVEL) {
		for (at = 0; m->nodes[at].test != SCORE_TEST_LEAF; at++)
			continue;
		return at;
	}
	do
		at = random_below(m, m->n_nodes);
	while (m->nodes[at].test != SCORE_TEST_LEAF);
	return at;
}

static void number_by_walk(maker *m)
{
	uint32_t stack[MAX_NODES];
	uint32_t depth = 1;
	uint32_t met = 0;
	uint32_t leaves = 0;
	stack[0] = 0;
	while (depth > 0) {
		score_node *node = m->nodes + stack[--depth];
		if (node->test == SCORE_TEST_LEAF) {
			node->leaf_id = m->s->numbering == SAMPLE_PREORDER ? met : leaves;
			leaves++;
		} else {
			stack[depth++] = (uint32_t)node->right;
			stack[depth++] = (uint32_t)node->left;
		}
		met++;
	}
}

static void fill_leaves(maker *m)
{
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		score_node *node = m->nodes + i;
		if (node->test != SCORE_TEST_LEAF)
			continue;
		node->value = random_value(m, m->s->contract.sum);
		node->leaf_id = m->s->numbering == SAMPLE_LEVEL ? i : m->leaf_numbers[i];
		node->leaf_vector = i;
		for (uint32_t k = 0; k < m->s->contract.n_outputs; k++)
			m->vectors[i * m->s->contract.n_outputs + k] = random_value(m, m->s->contract.sum);
	}
	if (m->s->numbering == SAMPLE_PREORDER || m->s->numbering == SAMPLE_LEAF_ORDER)
		number_by_walk(m);
}

/* A node's children were made after it. */
static void fill_covers(maker *m)
{
	const bool odd = m->s->flags & SAMPLE_HAS_ODD_COVERS;
	for (uint32_t i = m->n_nodes; i-- > 0;) {
		const score_node *node = m->nodes + i;
		const double leaf = odd ? random_below(m, 1000) / 7.0 : random_below(m, 1000);
		m->covers[i] = node->test == SCORE_TEST_LEAF ? leaf : m->covers[node->left] + m->covers[node->right] + odd;
	}
}

static void make_terms(maker *m, score_tree *tree)
{
	tree->linear_leaves = m->linear_leaves;
	tree->term_features = m->term_features;
	tree->term_coefficients = m->coefficients;
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		m->linear_leaves[i] = (score_linear_leaf){ random_value(m, SCORE_F64), (uint32_t)tree->n_terms, i % 4 };
		for (uint32_t k = 0; k < i % 4; k++, tree->n_terms++) {
			m->term_features[tree->n_terms] = random_below(m, m->s->contract.n_features);
			m->coefficients[tree->n_terms] = random_value(m, SCORE_F64);
		}
	}
}

static score_status add_tree(maker *m, score_builder *builder, uint32_t number, score_error *error)
{
	const score_contract *c = &m->s->contract;
	score_tree tree = SCORE_TREE_INIT;
	memset(m->nodes, 0, sizeof m->nodes);
	m->leaf_numbers[0] = 0;
	m->n_nodes = 1;
	m->n_categories = 0;
	for (uint32_t i = 0; i < m->s->n_splits; i++) {
		const uint32_t at = next_to_split(m);
		split(m, at);
		m->leaf_numbers[m->nodes[at].left] = m->leaf_numbers[at];
		m->leaf_numbers[m->nodes[at].right] = i + 1;
	}
	fill_leaves(m);
	/* Some trees do not follow the numbering of the others. */
	for (uint32_t i = 0; (m->s->flags & SAMPLE_HAS_ODD_OUTPUTS) && number % 3 == 1 && i < m->n_nodes; i++)
		m->nodes[i].leaf_id = 1000 - i;
	tree.nodes = m->nodes;
	tree.n_nodes = m->n_nodes;
	tree.categories = m->categories;
	tree.n_categories = m->n_categories;
	const uint32_t per_output = c->trees_per_iteration / c->n_outputs;
	tree.output = per_output > 0 ? number % c->trees_per_iteration / per_output : 0;
	if (m->s->flags & SAMPLE_HAS_ODD_OUTPUTS)
		tree.output = random_below(m, c->n_outputs);
	if (m->s->flags & SAMPLE_HAS_VECTORS) {
		tree.vectors = m->vectors;
		tree.n_vectors = m->n_nodes;
		tree.output = 0;
	}
	if (m->s->flags & (SAMPLE_HAS_COVERS | SAMPLE_HAS_ODD_COVERS)) {
		fill_covers(m);
		tree.covers = m->covers;
	}
	if ((m->s->flags & SAMPLE_HAS_LINEAR_LEAVES) && number % 2 == 1)
		make_terms(m, &tree);
	return score_builder_add_tree(builder, &tree, error);
}

/* Plain labels, labels that are numbers with codes of their own, and none at all. */
static score_status set_dictionaries(score_builder *builder, score_error *error)
{
	static const char *const cities[] = { "Ulm", "K\xc3\xb6ln", "" };
	static const char *const zones[] = { "10", "-3", "missing" };
	const double codes[] = { 7.0, 4294967301.0, NAN };
	score_status status = score_builder_set_dictionary(builder, 3, cities, NULL, 3, NAN, 0, error);
	if (status == SCORE_OK)
		status = score_builder_set_dictionary(builder, 4, zones, codes, 3, SCORE_REFUSE, SCORE_DICTIONARY_NUMBERS, error);
	return status == SCORE_OK ? score_builder_set_dictionary(builder, 1, NULL, NULL, 0, -1.0, 0, error) : status;
}

static score_status describe(const sample *s, score_builder *builder, score_error *error)
{
	const double base[] = { 0.5, -1.25, 3.0, 1e-3f };
	const char *first_name = s->contract.n_features > 1 ? "income \xe2\x82\xac" : "age";
	score_status status = score_builder_set_base(builder, base, s->contract.n_outputs, error);
	if (status == SCORE_OK)
		status = score_builder_set_metadata(builder, "name", s->name, error);
	if (status == SCORE_OK)
		status = score_builder_set_metadata(builder, "source.library", "test", error);
	if (status == SCORE_OK && s->contract.n_features > 1)
		status = score_builder_set_metadata(builder, "owner", "M\xc3\xbcller \xe2\x9c\x93", error);
	if (status == SCORE_OK)
		status = score_builder_set_feature(builder, 0, first_name, SCORE_FEATURE_NUMERIC, error);
	for (uint32_t i = 1; i < s->contract.n_features && status == SCORE_OK; i++)
		status = score_builder_set_feature(builder, i, NULL,
			is_category_feature(s, i) ? SCORE_FEATURE_CATEGORY : SCORE_FEATURE_NUMERIC, error);
	if (status == SCORE_OK && s->contract.n_outputs == 1)
		status = score_builder_set_link(builder, SCORE_LINK_SIGMOID, 2.5, error);
	return status;
}

static score_status fill(maker *m, score_builder *builder, score_error *error)
{
	score_status status = describe(m->s, builder, error);
	if (status == SCORE_OK && (m->s->flags & SAMPLE_HAS_DICTIONARIES))
		status = set_dictionaries(builder, error);
	uint32_t n_summed = m->s->contract.n_features;
	if (status == SCORE_OK && m->s->flags & SAMPLE_HAS_DERIVED) {
		status = random_columns(builder, 9, m->s->contract.n_features, N_DERIVED, error);
		n_summed = N_DERIVED + 2;
	}
	if (m->s->flags & SAMPLE_IS_LINEAR && m->s->flags & SAMPLE_HAS_DERIVED && status == SCORE_OK)
		status = score_builder_set_linear_columns(builder, N_FEATURES - 2, error);
	if (m->s->flags & SAMPLE_IS_LINEAR) {
		for (uint32_t i = 0; i < n_summed * m->s->contract.n_outputs; i++)
			m->vectors[i] = random_value(m, m->s->contract.sum);
		if (status == SCORE_OK)
			status = score_builder_set_linear(builder, m->vectors, m->s->contract.sum == SCORE_F32, error);
	}
	for (uint32_t i = 0; i < m->s->n_trees && status == SCORE_OK; i++)
		status = add_tree(m, builder, i, error);
	return status;
}

forest *sample_make(const sample *s, sl_arena *arena)
{
	score_builder *builder = NULL;
	score_error error = { .code = SCORE_OK };
	forest *f = NULL;
	maker *m = calloc(1, sizeof *m);
	if (m == NULL)
		return NULL;
	m->s = s;
	for (const char *c = s->name; *c != '\0'; c++)
		m->random = m->random * 31 + (uint64_t)*c;
	score_status status = score_builder_new(&s->contract, NULL, &builder, &error);
	if (status == SCORE_OK)
		status = fill(m, builder, &error);
	if (status == SCORE_OK)
		status = forest_from_builder(builder, arena, &f, &error);
	if (status != SCORE_OK)
		fprintf(stderr, "sample %s: %s\n", s->name, error.message);
	score_builder_free(builder);
	free(m);
	return status == SCORE_OK ? f : NULL;
}

const sample *sample_find(const char *name)
{
	for (size_t i = 0; i < n_samples; i++) {
		if (strcmp(samples[i].name, name) == 0)
			return samples + i;
	}
	return NULL;
}
