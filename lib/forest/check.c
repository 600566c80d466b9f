/*
 * The one place that decides whether a forest is valid. Every later stage indexes without checking.
 *
 * Comes in: arrays of the announced lengths with any content. Linear in the model's size, no recursion.
 */
#include "forest.h"

#include <math.h>

#define CORRUPT SCORE_ERR_CORRUPT

const char *const forest_link_names[FOREST_N_LINKS] = {"identity", "sigmoid_xgboost", "sigmoid", "exp", "hinge",
	"softmax_xgboost", "softmax", "argmax", "signed_square", "log1p_exp", "sort", "binary_pair", "ovr_normalised",
	"softmax_pair", "exp_f64", "mean_variance", "modified_huber",
	"sigmoid_onnx", "softmax_onnx", "softmax_zero_onnx", "probit_onnx", "float", "complement_onnx",
	"opposite_onnx", "sigmoid_pair_onnx", "exp_scaled", "isolation", "parts", "complement", "normalised",
	"exp_catboost", "softmax_catboost", "mean_variance_catboost"};

uint32_t forest_link_predictions(score_link link, uint32_t n_outputs)
{
	switch (link) {
	case SCORE_LINK_IDENTITY:
	case SCORE_LINK_SIGMOID_XGBOOST:
	case SCORE_LINK_SIGMOID:
	case SCORE_LINK_EXP:
	case SCORE_LINK_EXP_F64:
	case SCORE_LINK_HINGE:
	case SCORE_LINK_SOFTMAX_XGBOOST:
	case SCORE_LINK_SOFTMAX:
	case SCORE_LINK_SIGNED_SQUARE:
	case SCORE_LINK_LOG1P_EXP:
	case SCORE_LINK_SORT:
	case SCORE_LINK_OVR_NORMALISED:
	case SCORE_LINK_SIGMOID_ONNX:
	case SCORE_LINK_SOFTMAX_ONNX:
	case SCORE_LINK_SOFTMAX_ZERO_ONNX:
	case SCORE_LINK_PROBIT_ONNX:
	case SCORE_LINK_FLOAT:
	case SCORE_LINK_EXP_SCALED:
	case SCORE_LINK_ISOLATION:
	case SCORE_LINK_NORMALISED:
	case SCORE_LINK_EXP_CATBOOST:
	case SCORE_LINK_SOFTMAX_CATBOOST:
		return n_outputs;
	case SCORE_LINK_ARGMAX:
		return 1;
	case SCORE_LINK_BINARY_PAIR:
	case SCORE_LINK_SOFTMAX_PAIR:
	case SCORE_LINK_COMPLEMENT_ONNX:
	case SCORE_LINK_COMPLEMENT:
	case SCORE_LINK_OPPOSITE_ONNX:
	case SCORE_LINK_SIGMOID_PAIR_ONNX:
		return n_outputs == 1 ? 2 : 0;
	case SCORE_LINK_MEAN_VARIANCE:
	case SCORE_LINK_MEAN_VARIANCE_CATBOOST:
		return n_outputs == 2 ? 2 : 0;
	case SCORE_LINK_MODIFIED_HUBER:
		return n_outputs == 1 ? 2 : n_outputs;
	default:
		return 0;
	}
}

static score_status check_shape(const forest *f, score_error *error)
{
	const score_contract *c = &f->contract;
	if (f->n_features == 0 || f->n_features != c->n_features || c->n_outputs == 0 || c->trees_per_iteration == 0)
		return sl_fail(error, CORRUPT, "the model has %u features and %u outputs", f->n_features, c->n_outputs);
	if ((c->compare != SCORE_F32 && c->compare != SCORE_F64) || (c->sum != SCORE_F32 && c->sum != SCORE_F64) ||
		(uint32_t)c->base_position > SCORE_BASE_LAST || (uint32_t)c->average > SCORE_AVERAGE_SCALE ||
		(uint32_t)c->category_rule > SCORE_CATEGORY_EXACT ||
		(forest_divides_sum(c->average) && c->base_position != SCORE_BASE_LAST))
		return sl_fail(error, CORRUPT, "the numeric contract has an unknown value");
	if (c->base_position == SCORE_BASE_FIRST ? c->scale != 1.0 : !forest_fits(c->sum, c->scale))
		return sl_fail(error, CORRUPT, "the scale does not fit the numeric contract");
	if (f->link != SCORE_LINK_PARTS &&
		(f->n_predictions == 0 || f->n_predictions != forest_link_predictions(f->link, c->n_outputs)))
		return sl_fail(error, CORRUPT, "link %d does not give %u predictions of %u outputs", (int)f->link,
			f->n_predictions, c->n_outputs);
	if (f->leaf_width != 1 && f->leaf_width != c->n_outputs)
		return sl_fail(error, CORRUPT, "leaves have %u values, expected 1 or %u", f->leaf_width, c->n_outputs);
	if (f->kind == SCORE_KIND_LINEAR ? !f->linear_weights || f->n_trees : f->kind != SCORE_KIND_TREES || !f->n_trees)
		return sl_fail(error, CORRUPT, "a model is either linear or has trees");
	if (f->n_trees % c->trees_per_iteration != 0)
		return sl_fail(error, CORRUPT, "%u trees are no multiple of %u trees per iteration", f->n_trees,
			c->trees_per_iteration);
	if (f->n_splits > INT32_MAX || (uint64_t)f->n_leaves != (uint64_t)f->n_splits + f->n_trees)
		return sl_fail(error, CORRUPT, "%u splits and %u trees need %llu leaves, found %u", f->n_splits, f->n_trees,
			(unsigned long long)f->n_splits + f->n_trees, f->n_leaves);
	return SCORE_OK;
}

static score_status check_numbers(const forest *f, score_error *error)
{
	for (uint32_t i = 0; i < f->contract.n_outputs; i++) {
		if (!forest_fits(f->contract.sum, f->base[i]))
			return sl_fail(error, CORRUPT, "base %u is no float value", i);
	}
	size_t n_weights = f->linear_weights ? forest_linear_weights(f) : 0;
	for (size_t i = 0; i < n_weights; i++) {
		if (!forest_fits(f->contract.sum, f->linear_weights[i]))
			return sl_fail(error, CORRUPT, "weight %zu is no float value", i);
	}
	size_t n_values = f->leaves.bytes == sizeof(float) ? 0 : (size_t)f->n_leaves * f->leaf_width;
	for (size_t i = 0; i < n_values; i++) {
		if (!forest_fits(f->contract.sum, forest_real(&f->leaves, i)))
			return sl_fail(error, CORRUPT, "leaf value %zu is no float value", i);
	}
	return SCORE_OK;
}

static score_status check_covers(const forest *f, score_error *error)
{
	if (!f->leaf_covers.values && f->split_covers.values)
		return sl_fail(error, CORRUPT, "only splits have covers");
	/* Whole ones cannot be wrong. */
	bool check_leaves = f->leaf_covers.bytes > sizeof(uint16_t), check_splits = f->split_covers.bytes > sizeof(uint16_t);
	for (uint32_t i = 0; check_leaves && i < f->n_leaves; i++) {
		double cover = forest_weight(&f->leaf_covers, i);
		if (!(cover >= 0.0 && isfinite(cover)))
			return sl_fail(error, CORRUPT, "the cover of leaf %u is no finite weight of at least 0", i);
	}
	for (uint32_t t = 0; check_leaves && t < f->n_trees; t++) {
		double sum = 0.0;
		for (uint32_t i = 0; i <= f->trees[t].n_splits; i++)
			sum += forest_weight(&f->leaf_covers, (size_t)f->trees[t].first_leaf + i);
		if (!isfinite(sum))
			return sl_fail(error, CORRUPT, "the covers of the leaves of tree %u do not add up to a finite weight", t);
	}
	for (uint32_t i = 0; check_splits && i < f->n_splits; i++) {
		double cover = forest_weight(&f->split_covers, i);
		if (!(cover >= 0.0 && isfinite(cover)))
			return sl_fail(error, CORRUPT, "the cover of split %u is no finite weight of at least 0", i);
	}
	return SCORE_OK;
}

static score_status check_linear_leaves(const forest *f, score_error *error)
{
	const forest_linear_leaves *l = &f->linear_leaves;
	if (!l->first_term)
		return SCORE_OK;
	if (f->kind != SCORE_KIND_TREES || f->leaf_width != 1 || f->contract.compare != SCORE_F64 ||
		f->contract.sum != SCORE_F64)
		return sl_fail(error, CORRUPT, "linear leaves do not fit the numeric contract");
	if (l->first_term[0] != 0 || l->first_term[f->n_leaves] != l->n_terms)
		return sl_fail(error, CORRUPT, "the linear leaves do not cover their terms");
	for (uint32_t i = 0; i < f->n_leaves; i++) {
		if (l->first_term[i + 1] < l->first_term[i] || l->first_term[i + 1] > l->n_terms)
			return sl_fail(error, CORRUPT, "the terms of leaf %u are out of range", i);
	}
	for (uint32_t i = 0; i < l->n_terms; i++) {
		if (l->features[i] >= forest_columns(f))
			return sl_fail(error, CORRUPT, "term %u is of feature %u of %u", i, l->features[i], forest_columns(f));
	}
	return SCORE_OK;
}

static score_status check_features(const forest *f, score_error *error)
{
	uint32_t next = 0;
	for (uint32_t i = 0; i < forest_columns(f); i++) {
		const forest_feature *feature = f->features + i;
		bool is_named = feature->name && *feature->name;
		if (is_named != (i < f->n_features) || feature->type > SCORE_FEATURE_CATEGORY)
			return sl_fail(error, CORRUPT, "feature %u has no name or an unknown type", i);
		if (feature->first_cut != next || feature->n_cuts > f->n_cuts - next)
			return sl_fail(error, CORRUPT, "the cuts of feature %u are out of range", i);
		for (uint32_t k = next; k < next + feature->n_cuts; k++) {
			double cut = forest_real(&f->cuts, k), before = k == next ? 0.0 : forest_real(&f->cuts, k - 1);
			bool ascends = k == next || cut > before || (cut != cut && before == before);
			if (!ascends || !forest_fits(f->contract.compare, cut))
				return sl_fail(error, CORRUPT, "cut %u of feature %u is out of order or no float value", k - next, i);
		}
		next += feature->n_cuts;
	}
	if (next != f->n_cuts)
		return sl_fail(error, CORRUPT, "%u cuts belong to no feature", f->n_cuts - next);
	return SCORE_OK;
}

static score_status check_sets(const forest *f, score_error *error)
{
	if (f->n_sets == 0)
		return f->n_set_members ? sl_fail(error, CORRUPT, "categories belong to no set") : SCORE_OK;
	if (forest_set_first(f, 0) != 0 || forest_set_first(f, f->n_sets) != f->n_set_members)
		return sl_fail(error, CORRUPT, "the category sets do not cover their members");
	for (uint32_t s = 0; s < f->n_sets; s++) {
		if (forest_set_first(f, s + 1) < forest_set_first(f, s) || forest_set_first(f, s + 1) > f->n_set_members)
			return sl_fail(error, CORRUPT, "category set %u is out of range", s);
		for (uint32_t i = forest_set_first(f, s) + 1; i < forest_set_first(f, s + 1); i++) {
			if (forest_set_member(f, i) <= forest_set_member(f, i - 1))
				return sl_fail(error, CORRUPT, "category set %u is not ascending", s);
		}
	}
	return SCORE_OK;
}

static bool precedes(const forest_test *a, const forest_test *b)
{
	if (a->feature != b->feature)
		return a->feature < b->feature;
	if (a->kind != b->kind)
		return a->kind < b->kind;
	if (a->index != b->index)
		return a->index < b->index;
	if (a->missing_right != b->missing_right)
		return a->missing_right < b->missing_right;
	return a->zero_is_missing < b->zero_is_missing;
}

static score_status check_tests(const forest *f, score_error *error)
{
	forest_test before = {0};
	for (uint32_t i = 0; i < f->n_tests; i++) {
		const forest_test test = forest_test_at(f, i), *t = &test;
		if (t->feature >= forest_columns(f) || t->kind > FOREST_CATEGORY_NOT || t->missing_right > 1 ||
			t->zero_is_missing > 1 || (t->kind != FOREST_NUMERIC && t->zero_is_missing))
			return sl_fail(error, CORRUPT, "test %u has a value out of range", i);
		/* Values of hashed categories are not compared with cuts, and only they are fetched for it. */
		if (f->contract.category_rule == SCORE_CATEGORY_HASH &&
			(t->kind != FOREST_NUMERIC) != forest_is_hashed(f, t->feature))
			return sl_fail(error, CORRUPT, "test %u does not fit the type of feature %u: with hashed categories, sets "
				"go with features of type category only, and cuts with the others", i, t->feature);
		uint32_t limit = t->kind == FOREST_NUMERIC ? f->features[t->feature].n_cuts : f->n_sets;
		if (t->index >= limit)
			return sl_fail(error, CORRUPT, "test %u uses entry %u of %u", i, t->index, limit);
		if (i && !precedes(&before, t))
			return sl_fail(error, CORRUPT, "test %u is out of order", i);
		before = test;
	}
	return SCORE_OK;
}

/* The right side of a split whose left side is being visited. */
typedef struct waiting_side {
	uint32_t n_leaves;
	uint32_t depth;
} waiting_side;

/* Visit the tree in preorder. Where every split has leaves on both sides, the parts of the whole are visited once each. */
static score_status check_tree(const forest *f, uint32_t number, score_error *error)
{
	const forest_tree *tree = f->trees + number;
	waiting_side waiting[FOREST_MAX_DEPTH];
	uint32_t n_waiting = 0, split = tree->first_split, max_depth = 0, n_pairs = 0;
	waiting_side at = {tree->n_splits + 1, 0};
	for (;;) {
		if (at.n_leaves > 1) {
			uint32_t n = forest_number(&f->left_leaves, split);
			if (n == 0 || n >= at.n_leaves)
				return sl_fail(error, CORRUPT, "tree %u: split %u has %u leaves, and %u of them on its left side", number,
					split - tree->first_split, at.n_leaves, n);
			if (at.depth >= FOREST_MAX_DEPTH)
				return sl_fail(error, SCORE_ERR_LIMIT, "tree %u is deeper than %u splits", number, FOREST_MAX_DEPTH);
			n_pairs += at.n_leaves == 2;
			split++;
			at.depth++;
			max_depth = at.depth > max_depth ? at.depth : max_depth;
			waiting[n_waiting++] = (waiting_side){at.n_leaves - n, at.depth};
			at.n_leaves = n;
			continue;
		}
		if (n_waiting == 0)
			break;
		at = waiting[--n_waiting];
	}
	if (max_depth != tree->depth || n_pairs != tree->n_pairs)
		return sl_fail(error, CORRUPT, "tree %u has depth %u and %u pairs of leaves, announced %u and %u", number, max_depth,
			n_pairs, tree->depth, tree->n_pairs);
	return SCORE_OK;
}

static score_status check_trees(const forest *f, score_error *error)
{
	uint32_t first_split = 0, first_leaf = 0;
	for (uint32_t i = 0; i < f->n_splits; i++) {
		uint32_t test = forest_number(&f->split_test, i);
		if (test >= f->n_tests)
			return sl_fail(error, CORRUPT, "split %u asks test %u of %u", i, test, f->n_tests);
	}
	for (uint32_t t = 0; t < f->n_trees; t++) {
		const forest_tree *tree = f->trees + t;
		if (tree->first_split != first_split || tree->first_leaf != first_leaf ||
			tree->n_splits > f->n_splits - first_split || tree->output >= f->contract.n_outputs ||
			(f->leaf_width > 1 && tree->output != 0))
			return sl_fail(error, CORRUPT, "tree %u is out of range", t);
		score_status status = check_tree(f, t, error);
		if (status != SCORE_OK)
			return status;
		first_split += tree->n_splits;
		first_leaf += tree->n_splits + 1;
	}
	if (first_split != f->n_splits)
		return sl_fail(error, CORRUPT, "%u splits belong to no tree", f->n_splits - first_split);
	return SCORE_OK;
}

score_status forest_check(const forest *f, score_error *error)
{
	score_status status = check_shape(f, error);
	if (status == SCORE_OK)
		status = forest_check_derived(f, error);
	if (status == SCORE_OK)
		status = check_numbers(f, error);
	if (status == SCORE_OK)
		status = forest_check_parts(f, error);
	if (status == SCORE_OK)
		status = check_covers(f, error);
	if (status == SCORE_OK)
		status = check_linear_leaves(f, error);
	if (status == SCORE_OK)
		status = check_features(f, error);
	if (status == SCORE_OK)
		status = check_sets(f, error);
	if (status == SCORE_OK)
		status = check_tests(f, error);
	return status == SCORE_OK ? check_trees(f, error) : status;
}
