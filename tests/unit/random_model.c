#include "random_model.h"

#include "random_columns.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"

uint64_t random_u64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint32_t below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((random_u64(state) >> 32) * n >> 32);
}

/* A float without a conversion at run time, which would be zero where the host flushes denormals. */
static const double denormal_float = (double)1e-40f;

/* Threshold k of a feature: the same for models and rows of one spec. */
static double threshold(const random_spec *spec, uint32_t feature, uint32_t k)
{
	uint64_t state = spec->seed ^ ((uint64_t)feature << 32 | k);
	double x = ((double)below(&state, 2000001) - 1000000.0) / 65536.0;
	switch (below(&state, 24)) {
	case 0:
		x = 0.0;
		break;
	case 1:
		return spec->compare == SCORE_F32 ? denormal_float : 1e-310;
	case 2:
		x = 1e30;
		break;
	default:
		if (spec->compare == SCORE_F64)
			x = x / 3.0;
		break;
	}
	return spec->compare == SCORE_F32 ? (double)(float)x : x;
}

static double leaf_value(const random_spec *spec, uint64_t *state)
{
	double x = ((double)below(state, 2000001) - 1000000.0) / 1234567.0;
	if (below(state, 8) == 0)
		x *= 1e4;
	return spec->sum == SCORE_F32 ? (double)(float)x : x;
}

/* Category k as a set names it. With hashes, those of the numbers' texts, or k itself as a hash. */
static uint32_t category(const random_spec *spec, uint32_t k, bool by_text)
{
	return spec->seed % 3 == SCORE_CATEGORY_HASH && by_text ? sl_category_hash_integer(k, false) : k;
}

typedef struct scratch {
	score_node *nodes;
	uint32_t *depth;
	uint32_t *categories;
	double *vectors;
	score_linear_leaf *linear;
	uint32_t *terms;
	double *coefficients;
	double *covers;
	uint32_t n_nodes, n_categories, n_leaves;
} scratch;

static void make_leaf(const random_spec *spec, scratch *s, uint32_t at, uint64_t *state)
{
	s->nodes[at] = (score_node){.test = SCORE_TEST_LEAF, .value = leaf_value(spec, state), .leaf_id = at,
		.leaf_vector = s->n_leaves};
	for (uint32_t o = 0; spec->vector_leaves && o < spec->n_outputs; o++)
		s->vectors[s->n_leaves * spec->n_outputs + o] = leaf_value(spec, state);
	s->n_leaves++;
}

/* Derived columns have small whole values, flags, and numbers like any others. */
static void ask_derived(const random_spec *spec, scratch *s, score_node *node, uint64_t *state)
{
	static const double odd[] = {0.0, 1.0, 2.0, 3.5, 0.25, -1.0, 0.5};
	if (below(state, 6) == 0 && spec->seed % 3 != SCORE_CATEGORY_HASH) {
		node->test = SCORE_TEST_IN_LEFT;
		node->categories = s->n_categories;
		node->n_categories = 1;
		s->categories[s->n_categories++] = below(state, 5);
		return;
	}
	node->test = below(state, 2) ? SCORE_TEST_LT : SCORE_TEST_LE;
	node->value = below(state, 2) ? odd[below(state, 7)] : threshold(spec, 0, below(state, spec->cuts_per_feature));
}

static void make_split(const random_spec *spec, scratch *s, uint32_t at, uint64_t *state)
{
	score_node *node = s->nodes + at;
	uint32_t feature = below(state, spec->n_features + spec->n_derived);
	score_missing missing = (score_missing)below(state, 2);
	uint32_t vector = node->leaf_vector;
	*node = (score_node){.left = (int32_t)s->n_nodes, .right = (int32_t)s->n_nodes + 1, .feature = feature};
	if (feature >= spec->n_features) {
		ask_derived(spec, s, node, state);
	} else if (feature < spec->category_features) {
		node->test = below(state, 2) ? SCORE_TEST_IN_LEFT : SCORE_TEST_IN_RIGHT;
		node->categories = s->n_categories;
		node->n_categories = 1 + below(state, 5);
		for (uint32_t i = 0; i < node->n_categories; i++)
			s->categories[s->n_categories++] = category(spec, below(state, spec->cuts_per_feature), below(state, 3) > 0);
	} else {
		node->test = below(state, 2) ? SCORE_TEST_LT : SCORE_TEST_LE;
		node->value = threshold(spec, feature, below(state, spec->cuts_per_feature));
		if (spec->zero_is_missing && below(state, 2))
			missing |= SCORE_MISSING_ZERO;
	}
	node->missing = missing;
	for (uint32_t i = 0; i < 2; i++) {
		make_leaf(spec, s, s->n_nodes, state);
		s->depth[s->n_nodes++] = s->depth[at] + 1;
	}
	/* The left leaf takes over the vector of the leaf that was split. */
	s->nodes[s->n_nodes - 2].leaf_vector = vector;
}

static uint32_t pick_leaf(const random_spec *spec, const scratch *s, uint64_t *state)
{
	for (;;) {
		uint32_t at = below(state, s->n_nodes);
		if (s->nodes[at].test != SCORE_TEST_LEAF)
			continue;
		if (spec->leafwise)
			return at;
		for (uint32_t i = 0; i < s->n_nodes; i++) {
			if (s->nodes[i].test == SCORE_TEST_LEAF && s->depth[i] < s->depth[at])
				at = i;
		}
		return at;
	}
}

static void add_terms(const random_spec *spec, scratch *s, score_tree *tree, uint64_t *state)
{
	for (uint32_t i = 0; i < s->n_nodes; i++) {
		s->linear[i] = (score_linear_leaf){leaf_value(spec, state), (uint32_t)tree->n_terms, below(state, 5)};
		for (uint32_t k = 0; k < s->linear[i].n_terms; k++, tree->n_terms++) {
			s->terms[tree->n_terms] = below(state, spec->n_features + spec->n_derived);
			s->coefficients[tree->n_terms] = leaf_value(spec, state);
		}
	}
	tree->linear_leaves = s->linear;
	tree->term_features = s->terms;
	tree->term_coefficients = s->coefficients;
}

/* Children stand behind their parents. */
static void add_covers(scratch *s, score_tree *tree, uint64_t *state)
{
	for (uint32_t i = s->n_nodes; i-- > 0;) {
		const score_node *node = s->nodes + i;
		s->covers[i] = node->test == SCORE_TEST_LEAF ? (double)(1 + below(state, 50)) : s->covers[node->left] + s->covers[node->right];
	}
	tree->covers = s->covers;
}

/* Level after level of a full tree, whose splits all ask what the first one does. */
static void make_levels(const random_spec *spec, scratch *s, uint64_t *state)
{
	uint32_t first = 0, depth = spec->all_levels ? spec->most_levels : below(state, spec->most_levels + 1);
	for (uint32_t level = 0; level < depth; level++) {
		uint32_t end = s->n_nodes;
		for (uint32_t i = first; i < end; i++) {
			score_node *node = s->nodes + i, *asked = s->nodes + first;
			make_split(spec, s, i, state);
			node->test = asked->test;
			node->feature = asked->feature;
			node->value = asked->value;
			node->missing = asked->missing;
		}
		first = end;
	}
}

static void add_tree(const random_spec *spec, score_builder *b, uint32_t number, scratch *s, uint64_t *state)
{
	uint32_t n_leaves = 1 + below(state, spec->max_leaves);
	s->n_nodes = 1;
	s->n_categories = s->n_leaves = 0;
	s->depth[0] = 0;
	make_leaf(spec, s, 0, state);
	if (spec->most_levels)
		make_levels(spec, s, state);
	for (uint32_t i = 1; i < n_leaves && !spec->most_levels; i++)
		make_split(spec, s, pick_leaf(spec, s, state), state);
	score_tree tree = SCORE_TREE_INIT;
	tree.nodes = s->nodes;
	tree.n_nodes = s->n_nodes;
	tree.categories = s->categories;
	tree.n_categories = s->n_categories;
	tree.output = spec->vector_leaves ? 0 : number % spec->n_outputs;
	if (spec->vector_leaves) {
		tree.vectors = s->vectors;
		tree.n_vectors = s->n_leaves;
	}
	if (spec->linear_leaves && number % 4)
		add_terms(spec, s, &tree, state);
	if (spec->has_covers)
		add_covers(s, &tree, state);
	score_error error;
	if (score_builder_add_tree(b, &tree, &error) != SCORE_OK)
		fail_msg("%s", error.message);
}

/* Parts that take one to three outputs each and answer with one value, by curves, slopes and votes. */
static void add_parts(const random_spec *spec, score_builder *b, uint64_t *state)
{
	const score_combine how = (score_combine)below(state, 2);
	score_error error;
	score_status status = SCORE_OK;
	for (uint32_t i = 0; i < spec->n_parts && status == SCORE_OK; i++) {
		const uint32_t n = how == SCORE_COMBINE_MEDIAN ? 1 : 1 + below(state, spec->n_outputs < 3 ? spec->n_outputs : 3);
		const double slopes[] = {0.5, -2.0, 1.0}, offsets[] = {0.25, 0.0, leaf_value(spec, state)};
		const double x[] = {-1.0, 0.5, 0.0, -3.0, 3.0}, y[] = {0.0, 1.0, 0.3, 0.75, -0.5};
		const uint32_t ends[] = {2, 3, 5}, columns[] = {2, below(state, 3), 0};
		score_part part = SCORE_PART_INIT(below(state, spec->n_outputs - n + 1), n);
		part.link = n > 1 && below(state, 2) ? SCORE_LINK_SOFTMAX : SCORE_LINK_SIGMOID;
		part.vote = n > 1 && below(state, 3) == 0 ? SCORE_VOTE_LARGEST : SCORE_VOTE_NONE;
		part.weight = 0.5 + below(state, 4);
		part.divisor = below(state, 2) ? 3.0 : 0.0;
		if (below(state, 2)) {
			part.slopes = slopes;
			part.offsets = offsets;
		}
		if (below(state, 2)) {
			part.curve_ends = ends;
			part.curve_x = x;
			part.curve_y = y;
		}
		if (how == SCORE_COMBINE_SUM)
			part.columns = columns;
		status = score_builder_add_part(b, &part, &error);
	}
	if (status == SCORE_OK)
		status = score_builder_combine(b, how, below(state, 2) ? spec->n_parts : 0.0, how == SCORE_COMBINE_MEDIAN ? 1 : 3, &error);
	if (status != SCORE_OK)
		fail_msg("%s", error.message);
}

score_model *random_model(const random_spec *spec)
{
	uint64_t state = spec->seed;
	score_contract c = SCORE_CONTRACT_INIT(spec->n_features, spec->n_outputs);
	score_build_options o = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b = NULL;
	score_model *model = NULL;
	score_error error;
	c.compare = spec->compare;
	c.sum = spec->sum;
	c.base_position = spec->base_position;
	c.average = spec->average;
	c.trees_per_iteration = spec->vector_leaves ? 1 : spec->n_outputs;
	c.category_rule = (score_category_rule)(spec->seed % 3);
	o.isa = spec->isa;
	assert_int_equal(score_builder_new(&c, &o, &b, &error), SCORE_OK);
	size_t n = 2 * (size_t)spec->max_leaves + 2;
	scratch s = {calloc(n, sizeof(score_node)), calloc(n, sizeof(uint32_t)), calloc(5 * n, sizeof(uint32_t)),
		calloc(n * spec->n_outputs, sizeof(double)), calloc(n, sizeof(score_linear_leaf)), calloc(5 * n, sizeof(uint32_t)),
		calloc(5 * n, sizeof(double)), calloc(n, sizeof(double)), 0, 0, 0};
	for (uint32_t i = 0; i < spec->category_features; i++)
		assert_int_equal(score_builder_set_feature(b, i, NULL, SCORE_FEATURE_CATEGORY, &error), SCORE_OK);
	if (random_columns(b, spec->seed, spec->n_features, spec->n_derived, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	double base = spec->sum == SCORE_F32 ? (double)0.3f : 0.3;
	assert_int_equal(score_builder_set_base(b, &base, 1, &error), SCORE_OK);
	if (spec->n_parts)
		add_parts(spec, b, &state);
	else
		assert_int_equal(score_builder_set_link(b, spec->link, 0.7, &error), SCORE_OK);
	for (uint32_t t = 0; t < spec->n_trees; t++)
		add_tree(spec, b, t, &s, &state);
	if (score_builder_finish(b, &model, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	score_builder_free(b);
	free(s.nodes);
	free(s.depth);
	free(s.categories);
	free(s.vectors);
	free(s.linear);
	free(s.terms);
	free(s.coefficients);
	free(s.covers);
	return model;
}

static double random_value(const random_spec *spec, uint32_t feature, uint64_t *state)
{
	static const double odd[] = {0.0, -0.0, INFINITY, -INFINITY, 1e-36, -1e-36, 1e-310, -1.0, -0.5, 2.9, 1e10, 16777216.0};
	uint32_t kind = below(state, 10);
	if (kind == 0)
		return NAN;
	if (kind == 1)
		return odd[below(state, sizeof odd / sizeof odd[0])];
	uint32_t k = below(state, spec->cuts_per_feature + 1);
	if (feature < spec->category_features)
		return (double)k + (below(state, 4) == 0 ? 0.5 : 0.0);
	double x = threshold(spec, feature, k);
	if (kind < 5)
		return x;
	if (kind < 7)
		return spec->compare == SCORE_F32 ? (double)nextafterf((float)x, -INFINITY) : nextafter(x, -INFINITY);
	return x + (double)below(state, 100) / 64.0 - 0.75;
}

void random_rows(const random_spec *spec, uint64_t seed, size_t n, double *rows)
{
	uint64_t state = seed;
	for (size_t i = 0; i < n * spec->n_features; i++)
		rows[i] = random_value(spec, (uint32_t)(i % spec->n_features), &state);
}
