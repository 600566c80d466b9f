/*
 * Tree ensembles of both generations in ONNX files: small ones with one piece of text replaced, which give what was computed by
 * hand, or are refused; and ensembles whose shared parts would grow out of proportion.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_cases.h"
#include "replaced.h"

#define X "in x f32 ?x2\nout y\n"

/* x0 <= 0.5 gives 1, x1 < 4 gives 2, else 4. Missing x0 gives 1. */
static const char regressor[] = X "node ml:TreeEnsembleRegressor x -> y ; nodes_treeids ii 0 0 0 0 0 ; nodes_nodeids ii 0..4 ; "
	"nodes_featureids ii 0 0 1 0 0 ; nodes_truenodeids ii 1 0 3 0 0 ; nodes_falsenodeids ii 2 0 4 0 0 ; nodes_modes ss BRANCH_LEQ LEAF "
	"BRANCH_LT LEAF LEAF ; nodes_values ff 0.5 0 4 0 0 ; nodes_missing_value_tracks_true ii 1 0 0 0 0 ; target_treeids ii 0 0 0 ; "
	"target_nodeids ii 1 3 4 ; target_ids ii 0 0 0 ; target_weights ff 1 2 4\n";
static const char classifier[] = X "node ml:TreeEnsembleClassifier x -> l,y ; nodes_treeids ii 0 0 0 0 0 ; nodes_nodeids ii 0..4 ; "
	"nodes_featureids ii 0 0 1 0 0 ; nodes_truenodeids ii 1 0 3 0 0 ; nodes_falsenodeids ii 2 0 4 0 0 ; nodes_modes ss BRANCH_LEQ LEAF "
	"BRANCH_LT LEAF LEAF ; nodes_values ff 0.5 0 4 0 0 ; class_treeids ii 0 0 0 ; class_nodeids ii 1 3 4 ; class_ids ii 0 0 0 ; "
	"class_weights ff 1 2 4 ; classlabels_int64s ii 5 6\n";
static const char ensemble[] = X "node ml:TreeEnsemble x -> y ; tree_roots ii 0 ; nodes_modes t u8 raw:2 0 1 ; nodes_splits t f32 2 0.5 4 ; "
	"nodes_featureids ii 0 1 ; nodes_truenodeids ii 0 1 ; nodes_falsenodeids ii 1 2 ; nodes_trueleafs ii 1 1 ; nodes_falseleafs ii 0 1 ; "
	"nodes_missing_value_tracks_true ii 1 0 ; leaf_targetids ii 0 0 0 ; leaf_weights t f32 3 1 2 4\n";
static const char wide_ensemble[] = "in x f64 ?x2\nout y\nnode ml:TreeEnsemble x -> y ; tree_roots ii 0 ; nodes_modes t u8 1 0 ; nodes_splits t "
	"f64 1 0.1 ; nodes_featureids ii 0 ; nodes_truenodeids ii 0 ; nodes_falsenodeids ii 1 ; nodes_trueleafs ii 1 ; nodes_falseleafs ii 1 ; "
	"leaf_targetids ii 0 0 ; leaf_weights t f64 2 0 1\n";

typedef struct change {
	const char *base, *from, *to;
	double row[2], wanted[3];
	score_onnx_compat compat;
} change;

static void give_changed(const change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *text = replaced_once(changes[i].base, changes[i].from, changes[i].to);
		answer a = {.text = text, .compat = changes[i].compat};
		memcpy(a.row, changes[i].row, sizeof changes[i].row);
		memcpy(a.wanted, changes[i].wanted, sizeof a.wanted);
		gives(&a);
		free(text);
	}
}

typedef struct damage {
	const char *base, *from, *to;
	score_status status;
	const char *says;
	score_onnx_compat compat;
} damage;

static void refuse_damaged(const damage *damages, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *text = replaced_once(damages[i].base, damages[i].from, damages[i].to);
		const refusal r = {text, damages[i].status, damages[i].says, damages[i].compat};
		refuse(&r);
		free(text);
	}
}

#define GIVE_CHANGED(changes) give_changed(changes, sizeof changes / sizeof changes[0])
#define REFUSE_DAMAGED(damages) refuse_damaged(damages, sizeof damages / sizeof damages[0])

static void scores_trees(void **state)
{
	static const change changes[] = {
		{regressor, "out y", "out y", {0.5, 0}, {1}, SPEC},
		{regressor, "out y", "out y", {1, 3}, {2}, SPEC},
		{regressor, "out y", "out y", {1, NAN}, {4}, SPEC},
		{regressor, "out y", "out y", {NAN, 3}, {1}, SPEC},
		{regressor, "BRANCH_LEQ", "BRANCH_GT", {1, 3}, {1}, SPEC},
		{regressor, "BRANCH_LEQ", "BRANCH_GT", {0.5, 3}, {2}, SPEC},
		{regressor, "BRANCH_LEQ", "BRANCH_GTE", {0.5, 3}, {1}, SPEC},
		/* No comparison with NaN is true. */
		{regressor, "nodes_values ff 0.5", "nodes_values ff nan", {0.5, 3}, {2}, SPEC},
		{regressor, "nodes_values ff 0.5", "nodes_values ff nan", {NAN, 3}, {1}, SPEC},
		{regressor, "BRANCH_LEQ", "BRANCH_EQ", {0.5, 3}, {1}, SPEC},
		{regressor, "BRANCH_LEQ", "BRANCH_EQ", {0.25, 3}, {2}, SPEC},
		{regressor, "BRANCH_LEQ", "BRANCH_NEQ", {0.5, 3}, {2}, SPEC},
		{regressor, "BRANCH_LEQ LEAF BRANCH_LT LEAF LEAF ; nodes_values ff 0.5", "BRANCH_EQ LEAF BRANCH_LT LEAF LEAF ; nodes_values ff nan",
			{0.5, 3}, {2}, SPEC},
		/* Of two weights of a leaf onnxruntime takes the first. */
		{regressor, "target_nodeids ii 1 3 4", "target_nodeids ii 1 3 3", {1, 3}, {2}, RUNTIME},
		{regressor, "target_weights", "base_values ff 0.5 ; aggregate_function s AVERAGE ; target_weights", {1, 3}, {2.5}, SPEC},
		{regressor, "target_weights", "post_transform s PROBIT ; base_values ff -1.5 ; target_weights", {1, 3}, {0}, RUNTIME},
		{regressor, "target_ids ii 0 0 0", "n_targets i 2 ; base_values ff 8 16 ; target_ids ii 0 1 0", {1, 3}, {8, 18}, SPEC},
		/* Two classes, one score. */
		{classifier, "out y", "out y", {1, 3}, {-1, 2}, SPEC},
		{classifier, "class_weights ff 1", "class_weights ff -1", {1, 3}, {-2, 2}, SPEC},
		{classifier, "class_weights ff 1", "post_transform s SOFTMAX ; class_weights ff 1", {1, 3}, {-1, 2}, RUNTIME},
		{classifier, "class_weights ff 1", "post_transform s SOFTMAX_ZERO ; class_weights ff 1", {1, 3}, {-1, 2}, RUNTIME},
		{classifier, "class_weights ff 1", "base_values ff 0.5 ; class_weights ff 1", {1, 3}, {-1.5, 2.5}, SPEC},
		{classifier, "class_weights ff 1", "base_values ff 0.5 8 ; class_weights ff 1", {1, 3}, {2.5, 8}, SPEC},
		{classifier, "ii 5 6", "ii 5", {1, 3}, {2}, SPEC},
		{classifier, "class_ids ii 0 0 0", "class_ids ii 0 1 1", {1, 3}, {0, 2}, SPEC},
		{classifier, "x -> l,y", "x -> \"\",y", {1, 3}, {-1, 2}, SPEC},
		{ensemble, "out y", "out y", {0.5, 0}, {1}, SPEC},
		{ensemble, "out y", "out y", {1, NAN}, {4}, SPEC},
		{ensemble, "leaf_weights", "aggregate_function i 0 ; leaf_weights", {1, 3}, {2}, SPEC},
		{ensemble, "leaf_targetids ii 0 0 0", "n_targets i 3 ; leaf_targetids ii 0 1 2", {1, 3}, {0, 2, 0}, SPEC},
	};
	/* Of doubles, in double: exp(-1) is the ratio. */
	const double small = exp(-1.0), logistic = 1 / (1 + small);
	const change computed[] = {
		{wide_ensemble, "out y", "out y", {0.1, 0}, {0}, SPEC},
		{wide_ensemble, "out y", "out y", {0.2, 0}, {1}, SPEC},
		{wide_ensemble, "leaf_targetids", "post_transform i 2 ; leaf_targetids", {1, 0}, {logistic}, SPEC},
		{wide_ensemble, "leaf_targetids ii 0 0", "n_targets i 2 ; post_transform i 1 ; leaf_targetids ii 0 1", {1, 0},
			{small / (small + 1), 1 / (small + 1)}, SPEC},
	};
	(void)state;
	GIVE_CHANGED(changes);
	GIVE_CHANGED(computed);
}

/* One of several ways of the same questions: 1 for x0 in {1, 2}, else 2; chains of equalities and sets are one question. */
static void asks_for_sets(void **state)
{
	static const char *const texts[] = {
		X "node ml:TreeEnsemble x -> y ; tree_roots ii 0 ; nodes_modes t u8 2 4 4 ; nodes_splits t f32 2 1 2 ; nodes_featureids ii 0 0 ; "
			"nodes_truenodeids ii 0 0 ; nodes_falsenodeids ii 1 1 ; nodes_trueleafs ii 1 1 ; nodes_falseleafs ii 0 1 ; "
			"leaf_targetids ii 0 0 ; leaf_weights t f32 2 1 2\n",
		X "node ml:TreeEnsemble x -> y ; tree_roots ii 0 ; nodes_modes t u8 2 4 6 ; nodes_splits t f32 2 1 0 ; nodes_featureids ii 0 0 ; "
			"nodes_truenodeids ii 0 0 ; nodes_falsenodeids ii 1 1 ; nodes_trueleafs ii 1 1 ; nodes_falseleafs ii 0 1 ; "
			"leaf_targetids ii 0 0 ; leaf_weights t f32 2 1 2 ; membership_values t f32 3 2 2 nan\n",
		X "node ml:TreeEnsemble x -> y ; tree_roots ii 0 ; nodes_modes t u8 1 6 ; nodes_splits t f32 1 0 ; nodes_featureids ii 0 ; "
			"nodes_truenodeids ii 0 ; nodes_falsenodeids ii 1 ; nodes_trueleafs ii 1 ; nodes_falseleafs ii 1 ; "
			"leaf_targetids ii 0 0 ; leaf_weights t f32 2 1 2 ; membership_values t f32 3 2 1 nan\n",
	};
	static const char fractions[] = X "node ml:TreeEnsemble x -> y ; tree_roots ii 0 ; nodes_modes t u8 1 6 ; nodes_splits t f32 1 0 ; "
		"nodes_featureids ii 0 ; nodes_truenodeids ii 0 ; nodes_falsenodeids ii 1 ; nodes_trueleafs ii 1 ; nodes_falseleafs ii 1 ; "
		"leaf_targetids ii 0 0 ; leaf_weights t f32 2 1 2 ; membership_values t f32 6 -0.5 1 0.25 3 0.25 nan\n";
	static const double in[] = {-0.5, 1, 0.25, 3}, out[] = {-1, 0, 0.5, 2, NAN};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		for (int x = 0; x < 4; x++) {
			const answer a = {texts[i], {x, 0, 0}, {x == 1 || x == 2 ? 1 : 2}, SPEC};
			gives(&a);
		}
		const answer missing = {texts[i], {NAN, 0, 0}, {2}, SPEC};
		gives(&missing);
	}
	for (int i = 0; i < 4; i++) {
		const answer a = {fractions, {in[i], 0, 0}, {1}, SPEC};
		gives(&a);
	}
	for (int i = 0; i < 5; i++) {
		const answer a = {fractions, {out[i], 0, 0}, {2}, SPEC};
		gives(&a);
	}
	static const change missing[] = {
		{fractions, "nodes_trueleafs", "nodes_missing_value_tracks_true ii 1 ; nodes_trueleafs", {NAN, 0}, {1}, SPEC},
		{fractions, "6 -0.5 1 0.25 3 0.25 nan", "1 nan", {1, 0}, {2}, SPEC},
	};
	GIVE_CHANGED(missing);
}

static void refuses_wrong_trees(void **state)
{
	static const damage damages[] = {
		{regressor, "x -> y", "q -> y", BAD, "its input 'q' is made by no operator", SPEC},
		{regressor, "nodes_nodeids ii 0..4", "nodes_nodeids ii 2147483648 1 2 3 4", BAD, "the node id 2147483648 is out of range", SPEC},
		{regressor, "nodes_nodeids ii 0..4", "nodes_nodeids ii -1 1 2 3 4", BAD, "the node id -1 is out of range", SPEC},
		{regressor, "nodes_treeids ii 0 0 0 0 0", "nodes_treeids ii", BAD, "nodes_treeids has 0 elements", SPEC},
		{regressor, "nodes_values ff 0.5 0 4 0 0", "nodes_values_as_tensor t f64 5 0.5 0 4 0 0", BAD, "thresholds and weights are of different types",
			SPEC},
		{regressor, "nodes_missing_value_tracks_true ii 1 0 0 0 0", "nodes_missing_value_tracks_true ii 1", BAD, "have 5, 5 and 1 elements", SPEC},
		{regressor, "target_nodeids ii 1 3 4", "target_nodeids ii 1 3 3", NOT, "leaf 3 has two weights for target 0", SPEC},
		{regressor, "target_nodeids ii 1 3 4", "target_nodeids ff 1 3 3", BAD, "target_nodeids is of type 6", SPEC},
		{regressor, "target_ids ii 0 0 0 ; target_weights ff 1 2 4", "n_targets i 2 ; target_treeids_ ii 0 ; target_ids ii 0 1 1 ; target_weights ff 1 2",
			BAD, "targets and weights have 3, 3, 3 and 2 elements", SPEC},
		{regressor, "target_weights", "n_targets f 1 ; target_weights", BAD, "n_targets is of type 1", SPEC},
		{regressor, "target_weights", "base_values ff 1 2 ; target_weights", BAD, "base_values has 2 elements for 1 scores", SPEC},
		{regressor, "target_weights", "base_values ii 1 2 ; target_weights", BAD, "base_values is of type 7", SPEC},
		{regressor, "target_ids ii 0 0 0", "n_targets i 2 ; base_values ff 1 2 ; target_ids ii 0 1 0", NOT, "where no leaf votes for target 0", RUNTIME},
		{classifier, "x -> l,y", "x -> x,y", BAD, "its result 'x' has the name of another value", SPEC},
		{classifier, "class_ids ii 0 0 0", "base_values ff 1 2 ; class_ids ii 0 1 0", NOT, "mixes up the base values", RUNTIME},
		{classifier, "class_ids ii 0 0 0", "class_ids ii 0 1 0", NOT, "where no leaf votes for target 1", RUNTIME},
		{classifier, "class_ids ii 0 0 0", "post_transform s PROBIT ; class_ids ii 0 0 0", NOT, "post_transform PROBIT of one score", SPEC},
		{classifier, "class_ids ii 0 0 0", "post_transform s SOFTMAX_ZERO ; class_ids ii 0 0 0", NOT, "post_transform SOFTMAX_ZERO of one", SPEC},
		{classifier, "class_ids ii 0 0 0", "base_values ff 1 2 3 ; class_ids ii 0 1 0", BAD, "base_values has 3 elements for 2 scores", SPEC},
		{classifier, "; classlabels_int64s ii 5 6", "", BAD, "has 0 labels", SPEC},
		{classifier, "in x f32 ?x2\nout y\nnode ml:TreeEnsembleClassifier x -> l,y ;",
			"in x f64 ?x2\nout y\nnode ml:TreeEnsembleClassifier x -> l,y ; post_transform s SOFTMAX ;", NOT, "post_transform SOFTMAX of one score", SPEC},
		{ensemble, "nodes_modes t u8 raw:2 0 1", "nodes_modes t u8 raw:2 0 7", BAD, "node 1 has the unknown mode 7", SPEC},
		{ensemble, "nodes_modes t u8 raw:2 0 1", "nodes_modes t i32 2 0 -1", BAD, "node 1 has the unknown mode -1", SPEC},
		{ensemble, "nodes_modes t u8 raw:2 0 1", "nodes_modes t f32 2 0 1", NOT, "is of type 1", SPEC},
		{ensemble, "nodes_modes t u8 raw:2 0 1 ;", "", BAD, "the attribute nodes_modes is missing", SPEC},
		{ensemble, "nodes_splits t f32 2 0.5 4", "nodes_splits i 2", BAD, "nodes_splits is of type 2", SPEC},
		{ensemble, "; leaf_weights t f32 3 1 2 4", "", BAD, "the attribute leaf_weights is missing", SPEC},
		{ensemble, "leaf_weights t f32 3 1 2 4", "leaf_weights t f64 3 1 2 4", BAD, "leaf_weights and nodes_splits are of different types", SPEC},
		{ensemble, "leaf_weights t f32 3 1 2 4", "leaf_weights t f32 2 1 2", BAD, "leaf_targetids 3 and leaf_weights 2", SPEC},
		{ensemble, "nodes_splits t f32 2 0.5 4", "nodes_splits t f32 1 0.5", BAD, "nodes_splits has 1 elements and nodes_modes 2", SPEC},
		{ensemble, "nodes_featureids ii 0 1", "nodes_featureids ii 0", BAD, "nodes_featureids has 1 elements, nodes_modes 2", SPEC},
		{ensemble, "nodes_featureids ii 0 1", "nodes_featureids ff 0", BAD, "nodes_featureids is of type 6", SPEC},
		{ensemble, "nodes_featureids ii 0 1", "nodes_featureids ii 0 -1", BAD, "node 1 tests feature -1", SPEC},
		{ensemble, "nodes_featureids ii 0 1", "nodes_featureids ii 0 2147483648", BAD, "node 1 tests feature 2147483648", SPEC},
		{ensemble, "nodes_missing_value_tracks_true ii 1 0", "nodes_missing_value_tracks_true ii 1", BAD, "has 1 elements, nodes_modes 2", SPEC},
		{ensemble, "tree_roots ii 0", "tree_roots ii", BAD, "0 trees of 2 nodes", SPEC},
		{ensemble, "tree_roots ii 0", "tree_roots ii 0 0 0", BAD, "3 trees of 2 nodes", SPEC},
		{ensemble, "tree_roots ii 0", "tree_roots ii -1", BAD, "tree_roots names node -1", SPEC},
		{ensemble, "tree_roots ii 0", "tree_roots ii 2", BAD, "tree_roots names node 2", SPEC},
		{ensemble, "tree_roots ii 0", "tree_roots ii 1", BAD, "tree_roots names node 1", SPEC},
		{ensemble, "nodes_truenodeids ii 0 1", "nodes_truenodeids ii -1 1", BAD, "node 0 has the leaf -1 of 3", SPEC},
		{ensemble, "nodes_falsenodeids ii 1 2", "nodes_falsenodeids ii 2 2", BAD, "node 0 has the child 2 of 2", SPEC},
		{ensemble, "leaf_targetids ii 0 0 0", "leaf_targetids ii 0 0 1", BAD, "leaf 2 is for target 1 of 1", SPEC},
		{ensemble, "leaf_targetids ii 0 0 0", "leaf_targetids ii 0 0 -1", BAD, "leaf 2 is for target -1 of 1", SPEC},
		{ensemble, "leaf_weights", "membership_values t f32 2 1 nan ; leaf_weights", BAD, "membership_values has 2 elements", SPEC},
		{ensemble, "nodes_modes t u8 raw:2 0 1", "membership_values t f32 1 1 ; nodes_modes t u8 2 6 1", BAD, "ended by NaN, for node 0", SPEC},
		{ensemble, "leaf_weights", "n_targets i 0 ; leaf_weights", BAD, "n_targets is 0", SPEC},
		{ensemble, "leaf_weights", "n_targets i 2147483648 ; leaf_weights", BAD, "n_targets is 2147483648", SPEC},
		{ensemble, "leaf_weights", "n_targets f 0 ; leaf_weights", BAD, "n_targets is of type 1", SPEC},
		{ensemble, "leaf_weights", "aggregate_function i -1 ; leaf_weights", BAD, "aggregate_function -1", SPEC},
		{ensemble, "leaf_weights", "aggregate_function i 4 ; leaf_weights", BAD, "aggregate_function 4", SPEC},
		{ensemble, "leaf_weights", "aggregate_function i 3 ; leaf_weights", NOT, "aggregate_function MAX is not supported", SPEC},
		{ensemble, "leaf_weights", "post_transform i -1 ; leaf_weights", BAD, "post_transform -1", SPEC},
		{ensemble, "leaf_weights", "post_transform i 5 ; leaf_weights", BAD, "post_transform 5", SPEC},
		{ensemble, "in x f32", "in x f64", NOT, "has float thresholds for double columns", SPEC},
		{wide_ensemble, "in x f64", "in x f32", NOT, "has double thresholds for float columns", SPEC},
	};
	static const refusal scattered = {X "node ml:TreeEnsembleRegressor x -> y ; nodes_treeids ii 0 1 0 ; nodes_nodeids ii 0 0 1 ; "
		"nodes_featureids ii 0 0 0 ; nodes_truenodeids ii 0 0 0 ; nodes_falsenodeids ii 0 0 0 ; nodes_modes ss LEAF LEAF LEAF ; "
		"nodes_values ff 0 0 0 ; target_treeids ii 0 ; target_nodeids ii 0 ; target_ids ii 0 ; target_weights ff 1\n", NOT,
		"are listed in two places", SPEC};
	(void)state;
	REFUSE_DAMAGED(damages);
	refuse(&scattered);
}

/* Transforms that onnxruntime numbers otherwise, of the scores 0 and 2: LOGISTIC makes a half of the first, SOFTMAX less,
 * SOFTMAX_ZERO leaves it out. */
static void takes_the_numbers_of_the_runtime(void **state)
{
	static const char *const transforms[] = {"post_transform i 1 ; leaf_t", "post_transform i 2 ; leaf_t", "post_transform i 3 ; leaf_t"};
	static const char wanted[] = "slls00"; /* by the specification, and by the runtime */
	static const double row[] = {1, 3};
	char *two = replaced_once(ensemble, "leaf_targetids ii 0 0 0", "n_targets i 2 ; leaf_targetids ii 0 1 0");
	(void)state;
	for (size_t i = 0; i < 6; i++) {
		char *text = replaced_once(two, "leaf_t", transforms[i / 2]);
		score_model *model = import_good(text, i % 2 ? RUNTIME : SPEC);
		score_input input = score_input_rows_f64(row, 1, 2);
		double out[2];
		assert_int_equal(score_batch(model, &input, out, 2, NULL, NULL), SCORE_OK);
		assert_int_equal(out[0] == 0.0 ? '0' : out[0] == 0.5 ? 'l' : 's', wanted[i]);
		score_model_free(model);
		free(text);
	}
	free(two);
}

/* ---- shared parts ------------------------------------------------------------------------------------------------ */

static void bounds_what_is_shared(void **state)
{
	static const refusal refusals[] = {
		/* A hundred trees that all lead into the same chain of 2000 nodes. */
		{X "node ml:TreeEnsemble x -> y ; tree_roots ii 0..99 ; nodes_modes t u8 2100 2100*0 ; nodes_splits t f32 2100 2100*0 ; "
			"nodes_featureids ii 2100*0 ; nodes_truenodeids ii 2100*0 ; nodes_trueleafs ii 2100*1 ; nodes_falsenodeids ii 100*100 101..2099 1 ; "
			"nodes_falseleafs ii 2099*0 1 ; leaf_targetids ii 0 0 ; leaf_weights t f32 2 1 2\n", NOT, "make too many nodes", SPEC},
		/* Both children of each of 40 nodes are the next one. */
		{X "node ml:TreeEnsemble x -> y ; tree_roots ii 0 ; nodes_modes t u8 40 40*0 ; nodes_splits t f32 40 40*0 ; nodes_featureids ii 40*0 ; "
			"nodes_truenodeids ii 1..39 0 ; nodes_trueleafs ii 39*0 1 ; nodes_falsenodeids ii 1..39 1 ; nodes_falseleafs ii 39*0 1 ; "
			"leaf_targetids ii 0 0 ; leaf_weights t f32 2 1 2\n", NOT, "make too many nodes", SPEC},
		/* A hundred nodes that lead to one set of a thousand members. */
		{X "node ml:TreeEnsemble x -> y ; tree_roots ii 0 ; nodes_modes t u8 101 100*0 6 ; nodes_splits t f32 101 101*0 ; nodes_featureids ii 101*0 ; "
			"nodes_truenodeids ii 100*100 0 ; nodes_trueleafs ii 100*0 1 ; nodes_falsenodeids ii 1..99 0 1 ; nodes_falseleafs ii 99*0 1 1 ; "
			"leaf_targetids ii 0 0 ; leaf_weights t f32 2 1 2 ; membership_values t f32 1001 0..999 nan\n", NOT, "make too many nodes", SPEC},
		/* A hundred nodes that lead into one chain of 4000 sets without members, which is one question. */
		{X "node ml:TreeEnsemble x -> y ; tree_roots ii 0 ; nodes_modes t u8 4100 100*0 4000*6 ; nodes_splits t f32 4100 4100*0 ; "
			"nodes_featureids ii 4100*0 ; nodes_truenodeids ii 100*100 4000*0 ; nodes_trueleafs ii 100*0 4000*1 ; "
			"nodes_falsenodeids ii 1..99 1 101..4099 1 ; nodes_falseleafs ii 99*0 1 3999*0 1 ; leaf_targetids ii 0 0 ; "
			"leaf_weights t f32 2 1 2 ; membership_values t f32 4000 4000*nan\n", NOT, "make too many nodes", SPEC},
		/* A leaf of a thousand scores, two thousand times. */
		{X "node ml:TreeEnsemble x -> y ; n_targets i 1000 ; tree_roots ii 0 ; nodes_modes t u8 12 12*0 ; "
		"nodes_splits t f32 12 12*0 ; nodes_featureids ii 12*0 ; nodes_truenodeids ii 1 2..11 0 ; nodes_falsenodeids ii 1 2..11 1 ; "
		"nodes_trueleafs ii 1 10*0 1 ; nodes_falseleafs ii 0 10*0 1 ; leaf_targetids ii 0 1 ; leaf_weights t f32 2 1 2\n", MUCH,
			"for each of 1000 targets", SPEC},
	};
	(void)state;
	REFUSE_ALL(refusals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores_trees),
		cmocka_unit_test(asks_for_sets),
		cmocka_unit_test(refuses_wrong_trees),
		cmocka_unit_test(takes_the_numbers_of_the_runtime),
		cmocka_unit_test(bounds_what_is_shared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
