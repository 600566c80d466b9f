/*
 * Make a model by calls: any forest or linear model from arrays. Every importer uses this interface.
 *
 *     score_builder_new → set_* → add_column … → add_tree … (or set_linear) → finish → score_model
 *
 * A builder belongs to one thread. Every call copies what it gets. The first failing call leaves the builder
 * as it was; score_builder_finish() checks the whole model and never returns an invalid one.
 */
#ifndef SCORELINE_BUILD_H
#define SCORELINE_BUILD_H

#include <scoreline.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct score_builder score_builder;

/* ---- numeric contract -------------------------------------------------------------------------- */

/* Type in which feature values are compared with thresholds. With SCORE_F32 a double input value is rounded
 * to float first (XGBoost, CatBoost); with SCORE_F64 a float input is widened (LightGBM).
 * A model for SCORE_F32 takes thresholds that are float values. */

typedef int32_t score_base_position;
#define SCORE_BASE_FIRST 0 /* the sum starts at the base margin (XGBoost)                   */
#define SCORE_BASE_LAST 1  /* margin = scale * sum + base (CatBoost, ONNX; scale 1: no multiply) */

typedef int32_t score_average;
#define SCORE_AVERAGE_NONE 0
#define SCORE_AVERAGE_MARGIN 1     /* the sum is divided by the iterations used, then base is added (scikit-learn, ONNX) */
#define SCORE_AVERAGE_PREDICTION 2 /* the margin is the plain sum; only the prediction divides by the iterations used
                                      before the link (LightGBM random forest) */
#define SCORE_AVERAGE_SCALE 3      /* the sum is divided by `scale`, then base is added (scikit-learn's AdaBoost, votes) */

typedef int32_t score_category_rule;
#define SCORE_CATEGORY_TRUNCATE 0     /* truncate toward zero, then negative is no category: -0.5 is 0 (LightGBM) */
#define SCORE_CATEGORY_NONNEGATIVE 1  /* negative is no category, then truncate: -0.5 is none (XGBoost)           */
/* Categories are known by a hash of their text, the low 32 bits of CityHash64 1.0 (CatBoost): the sets hold hashes. A
 * whole number (of a type that holds it exactly) stands for its decimal text, k + 0.5 for a category whose hash is k;
 * other fractions, and numbers beyond those of 64 bits, are no category. */
#define SCORE_CATEGORY_HASH 2
#define SCORE_CATEGORY_EXACT 3 /* only 0, 1, 2, … are categories: 1.5 is none (ONNX) */

typedef struct score_contract {
	size_t struct_size;
	uint32_t n_features;
	uint32_t n_outputs;           /* margins per row, at least 1                              */
	uint32_t trees_per_iteration; /* at least 1; the number of trees is a multiple of it      */
	score_dtype compare;          /* SCORE_F32 or SCORE_F64                                   */
	score_dtype sum;              /* type of leaves and of the running sum                    */
	score_base_position base_position;
	score_average average;
	score_category_rule category_rule;
	double scale;                 /* SCORE_BASE_LAST only; 0 means 1. A divisor with SCORE_AVERAGE_SCALE */
} score_contract;

#define SCORE_CONTRACT_INIT(n_features, n_outputs) \
	{ sizeof(score_contract), n_features, n_outputs, n_outputs, SCORE_F64, SCORE_F64, SCORE_BASE_FIRST, \
	  SCORE_AVERAGE_NONE, SCORE_CATEGORY_TRUNCATE, 1.0 }

/* ---- links: from margins to predictions --------------------------------------------------------- */

/* Each is computed in the contract's `sum` type unless it says otherwise. x is a margin, a is link_parameter. */
typedef int32_t score_link;
#define SCORE_LINK_IDENTITY 0
#define SCORE_LINK_SIGMOID_XGBOOST 1 /* y = min(-x, 88.7); 1 / ((exp(y) + 1) + 1e-16)  (XGBoost 1.6 and later) */
#define SCORE_LINK_SIGMOID 2         /* 1 / (1 + exp(-a * x)); also one per output                              */
#define SCORE_LINK_EXP 3             /* exp(x)                                                                  */
#define SCORE_LINK_HINGE 4           /* x > 0 ? 1 : 0                                                           */
#define SCORE_LINK_SOFTMAX_XGBOOST 5 /* m = max; e = expf(x - m); sum of e in double; e / (float)sum            */
#define SCORE_LINK_SOFTMAX 6         /* z = a * x; m = max; e = exp(z - m); sum in class order; e / sum         */
#define SCORE_LINK_ARGMAX 7          /* number of the first largest margin; one prediction per row              */
#define SCORE_LINK_SIGNED_SQUARE 8   /* (sign(x) * x) * x  (LightGBM `sqrt`)                                    */
#define SCORE_LINK_LOG1P_EXP 9       /* log1p(exp(x))      (LightGBM cross_entropy_lambda)                      */
#define SCORE_LINK_SORT 10           /* outputs of a row in ascending order (XGBoost 3.4 quantiles)             */
#define SCORE_LINK_BINARY_PAIR 11    /* one margin, two predictions: { 1 - p, p }, p = 1 / (1 + exp(-a * x))    */
#define SCORE_LINK_OVR_NORMALISED 12 /* p = 1 / (1 + exp(-x)) per class, divided by the sum over the row; a row whose
                                      * sum is 0 gets 1 / n_outputs everywhere                                  */
#define SCORE_LINK_SOFTMAX_PAIR 13   /* one margin, two predictions: softmax of { -a * x, a * x }               */
#define SCORE_LINK_EXP_F64 14        /* exp(x) in double, rounded to the `sum` type (XGBoost survival:aft)       */
#define SCORE_LINK_MEAN_VARIANCE 15  /* two margins: { x0, exp(2 * x1) }                                        */
#define SCORE_LINK_MODIFIED_HUBER 16 /* in double: p = (min(max(x, -1), 1) + 1) / 2. One margin: { 1 - p, p }; several: as
                                      * OVR_NORMALISED divides them (scikit-learn SGDClassifier)                */
/* ONNX-ML's, computed in float (docs/onnx.md). */
#define SCORE_LINK_SIGMOID_ONNX 17      /* v = 1 / (1 + expf(-|x|)); x < 0 ? 1 - v : v                             */
#define SCORE_LINK_SOFTMAX_ONNX 18      /* m = max; e = expf(x - m); sum in class order; e / sum                   */
#define SCORE_LINK_SOFTMAX_ZERO_ONNX 19 /* the same, but |x| <= 1e-7 gives x * expf(-m) and is left out of the sum. If
                                         * `sum` is F64, this product and the quotients are doubles, and the latter
                                         * are then rounded to float unless a is 2                                  */
#define SCORE_LINK_PROBIT_ONNX 20       /* sqrt(2) * erfinv(2x - 1), by Winitzki's approximation                   */
#define SCORE_LINK_FLOAT 21             /* x rounded to float                                                      */
#define SCORE_LINK_COMPLEMENT_ONNX 22   /* one margin, two predictions: { 1 - x, x } in `sum` type, rounded to float */
#define SCORE_LINK_OPPOSITE_ONNX 23     /* one margin, two predictions: { -x, x }                                  */
#define SCORE_LINK_SIGMOID_PAIR_ONNX 24 /* one margin, two predictions: sigmoid_onnx of -x and of x                */
#define SCORE_LINK_EXP_SCALED 25        /* exp(x) * a                                                              */

#define SCORE_LINK_ISOLATION 26 /* -pow(2, -(x / a))  (scikit-learn IsolationForest) */
#define SCORE_LINK_PARTS 27      /* what score_builder_combine() says; never set otherwise                */
#define SCORE_LINK_COMPLEMENT 28 /* one margin, two predictions: { 1 - x, x }                             */
#define SCORE_LINK_NORMALISED 29 /* x divided by the sum over the row; zeros become 1 / n_outputs         */
/* CatBoost 1.2.10's (docs/numerics.md): in double, by an exponential E of its own on every machine, and rounded to the `sum` type.
 * E(x) is 0 for x <= -708.3964185322641, infinity for x >= 709.782712893384, NaN for NaN. */
#define SCORE_LINK_EXP_CATBOOST 30           /* E(x)  (Poisson, Tweedie)                                     */
#define SCORE_LINK_SOFTMAX_CATBOOST 31       /* m = max; e = E(x - m); sum in class order; e / sum. But for the last
                                              * n_outputs % 4 classes E takes x - m into its range first, NaN to the
                                              * upper end (MultiClass)                                           */
#define SCORE_LINK_MEAN_VARIANCE_CATBOOST 32 /* two margins: { x0, E(2 * x1) }  (RMSEWithUncertainty)            */

/* ---- builder ------------------------------------------------------------------------------------ */

typedef struct score_build_options {
	size_t struct_size;
	const score_allocator *allocator; /* NULL: malloc and free. Must outlive builder and model   */
	uint64_t max_bytes;               /* limit of memory for the model; 0 means 4 GiB            */
	uint32_t max_trees;               /* 0 means 1,000,000                                       */
	uint32_t max_depth;               /* splits on a path; 0 means 4,096                         */
	score_isa isa;
	uint32_t reserved;
} score_build_options;

#define SCORE_BUILD_OPTIONS_INIT { sizeof(score_build_options), NULL, 0, 0, 0, SCORE_ISA_AUTO, 0 }

SCORE_API SCORE_MUST_CHECK score_status score_builder_new(const score_contract *contract,
	const score_build_options *options, score_builder **out, score_error *error);
SCORE_API void score_builder_free(score_builder *builder);

/* Feature names must be unique; `name` NULL or empty keeps "f<i>". */
SCORE_API SCORE_MUST_CHECK score_status score_builder_set_feature(score_builder *builder, uint32_t feature,
	const char *name, score_feature_type type, score_error *error);

/* The labels that a feature's category codes stand for, so that strings can be scored (SCORE_STRING columns). Labels are
 * UTF-8, distinct, without zero bytes. `codes` are finite, or NaN for a label that means missing; NULL: the label's
 * position. `unknown` is the code of every other string: NaN (missing), a number (-1: in no category set), or SCORE_REFUSE.
 * `flags` is 0 or SCORE_DICTIONARY_NUMBERS. n may be 0: every string is unknown. A later call replaces the dictionary. */
SCORE_API SCORE_MUST_CHECK score_status score_builder_set_dictionary(score_builder *builder, uint32_t feature,
	const char *const *labels, const double *codes, size_t n, double unknown, uint32_t flags, score_error *error);

/* Base margin per output, already in margin space; default 0. `n` is 1 (for all) or n_outputs. */
SCORE_API SCORE_MUST_CHECK score_status score_builder_set_base(score_builder *builder, const double *base, size_t n,
	score_error *error);

/* Default: identity. `link_parameter` is `a` above; 0 means 1. */
SCORE_API SCORE_MUST_CHECK score_status score_builder_set_link(score_builder *builder, score_link link,
	double link_parameter, score_error *error);

/* A later value replaces an earlier one; NULL removes the key. */
SCORE_API SCORE_MUST_CHECK score_status score_builder_set_metadata(score_builder *builder, const char *key,
	const char *value, score_error *error);

/* ---- derived columns: preprocessing inside the model ---------------------------------------------- */

/*
 * A model's inputs are columns 0 … n_features - 1; each derived column gets the next number. Splits and linear weights
 * name columns. A derived column is computed in double from inputs or earlier columns: first a value (the root), then
 * steps in order, each one operation with its own rounding. A value read from the caller's rows is not rounded to float
 * before the first step; the result is, where the model compares in float. With SCORE_CATEGORY_HASH, the value of a feature
 * of type category is the hash of its category, a whole number, or NaN if it is none.
 */

typedef int32_t score_operation;      /* x is the value so far; NaN stays NaN unless said otherwise  */
#define SCORE_STEP_IDENTITY 0         /* x; with SCORE_STEP_F32 it rounds to float                   */
#define SCORE_STEP_ADD 1              /* x + a                                                       */
#define SCORE_STEP_SUBTRACT 2         /* x - a                                                       */
#define SCORE_STEP_MULTIPLY 3         /* x * a                                                       */
#define SCORE_STEP_DIVIDE 4           /* x / a                                                       */
#define SCORE_STEP_CLIP 5             /* x < a ? a : x > b ? b : x                                   */
#define SCORE_STEP_REPLACE_MISSING 6  /* NaN becomes a                                               */
#define SCORE_STEP_REPLACE 7          /* x == a becomes b; -0 equals 0                               */
#define SCORE_STEP_GREATER 8          /* x > a ? 1 : 0; NaN becomes b                                */
#define SCORE_STEP_EQUAL 9            /* x == a ? 1 : 0; NaN becomes b                               */
#define SCORE_STEP_IS_MISSING 10      /* 1 for NaN, else 0                                           */
#define SCORE_STEP_TRUNCATE 11        /* toward zero                                                 */
#define SCORE_STEP_LOOKUP 12          /* the value that stands with key x; a if there is none; b for NaN */

#define SCORE_STEP_F32 1u /* flag: the result is rounded to float */

typedef struct score_step {
	score_operation operation;
	uint32_t flags;
	double a;
	double b;
	const double *keys;   /* LOOKUP: [n_keys] ascending, no NaN; NULL: the keys are 0, 1, 2, … */
	const double *values; /* LOOKUP: [n_keys] */
	size_t n_keys;
} score_step;

typedef int32_t score_root;
#define SCORE_ROOT_VALUE 0  /* the value of `source`                                                        */
#define SCORE_ROOT_HASH 1   /* the place, from 0, of the sources' hash among `hashes`; NaN if it is not there   */
#define SCORE_ROOT_NORM_L1 2  /* x / norm: x is the value of `source`, norm the sum of |s| over the sources     */
#define SCORE_ROOT_NORM_L2 3  /* the same, norm the square root of the sum of s * s                             */
#define SCORE_ROOT_NORM_MAX 4 /* the same, norm the largest |s|; NaN does not count                             */
#define SCORE_ROOT_NORM_SIGNED_MAX 5 /* the same, norm the largest s                                            */
#define SCORE_ROOT_NORM_L2_RATIO 6   /* sqrt(x * x / sum of s * s), with the sign of x                          */

/*
 * HASH is CatBoost's: h = 0, then for each source in order h = M * (h + M * v) modulo 2^64 with M = 0x4906ba494954cb65,
 * where v is the source's value as a 32-bit integer, sign-extended. A source that is no integer from -2^31 to 2^32 - 1, NaN
 * among them, makes the result NaN. Steps turn the place into a value: SCORE_STEP_LOOKUP without keys.
 * Norms are summed in the order of the sources. Where the norm (L2_RATIO: the sum) is 0 or its magnitude less than `least`,
 * the result is x. SCORE_STEP_F32 in `flags` rounds each operation of a norm to float.
 * Sources of HASH and norms, and the x of norms, are inputs or columns that come from one input by steps alone.
 */
typedef struct score_column_program {
	size_t struct_size;
	score_root root;
	uint32_t flags;
	uint32_t source;         /* VALUE, norms: an input or an earlier column */
	uint32_t reserved;
	const uint32_t *sources; /* HASH, norms */
	size_t n_sources;
	const uint64_t *hashes;  /* HASH: ascending */
	size_t n_hashes;
	const score_step *steps;
	size_t n_steps;          /* with those of the source at most 256 */
	double least;            /* norms */
} score_column_program;

#define SCORE_COLUMN_PROGRAM_INIT { sizeof(score_column_program), 0, 0, 0, 0, NULL, 0, NULL, 0, NULL, 0, 0.0 }

/* Adds a derived column, before the trees or weights that name it. `column`, if not NULL, receives its number. */
SCORE_API SCORE_MUST_CHECK score_status score_builder_add_column(score_builder *builder,
	const score_column_program *program, uint32_t *column, score_error *error);

/* ---- parts: models whose answers are combined ------------------------------------------------------- */

/*
 * A model may consist of parts, each with outputs of its own: voting, bagging over ensembles, calibrated classifiers, AdaBoost's
 * median. A part takes its margins, divides them, scales and shifts each, maps each by its curve, and applies a link; it may
 * then vote for one of its values. The values of all parts, times their weights, are combined to predictions.
 */
typedef int32_t score_vote;
#define SCORE_VOTE_NONE 0     /* the values themselves                                                  */
#define SCORE_VOTE_LARGEST 1  /* 1 for the first largest value, 0 for the others                        */
#define SCORE_VOTE_ABOVE 2    /* one output, link identity, two values: { 0, 1 } if x > 0, else { 1, 0 } */
#define SCORE_VOTE_AT_LEAST 3 /* the same for x >= 0                                                    */

typedef struct score_part {
	size_t struct_size;
	uint32_t first_output, n_outputs;
	double divisor;             /* 0 means 1                                                         */
	const double *slopes;       /* [n_outputs] x * slope + offset, each operation rounded; or NULL   */
	const double *offsets;
	const uint32_t *curve_ends; /* [n_outputs] the curve of output i ends before this point; or NULL */
	const double *curve_x;      /* ascending within a curve; between points linear, beyond them flat */
	const double *curve_y;
	score_link link;
	score_vote vote;
	double link_parameter;      /* 0 means 1 */
	double weight;
	const uint32_t *columns;    /* [values] prediction that each value adds to; NULL: 0, 1, 2, …     */
} score_part;

#define SCORE_PART_INIT(first_output, n_outputs) \
	{ sizeof(score_part), first_output, n_outputs, 1.0, NULL, NULL, NULL, NULL, NULL, 0, 0, 1.0, 1.0, NULL }

typedef int32_t score_combine;
#define SCORE_COMBINE_SUM 0    /* the sum in the order of the parts, divided by `total` unless that is 0   */
#define SCORE_COMBINE_MEDIAN 1 /* of parts of one value each: the first, ascending, at which half of all weight is reached */

/* The model's link becomes SCORE_LINK_PARTS. At most 64 outputs and predictions; sums in SCORE_F64. */
SCORE_API SCORE_MUST_CHECK score_status score_builder_add_part(score_builder *builder, const score_part *part,
	score_error *error);
SCORE_API SCORE_MUST_CHECK score_status score_builder_combine(score_builder *builder, score_combine how, double total,
	uint32_t n_predictions, score_error *error);

/* ---- trees and weights ---------------------------------------------------------------------------- */

typedef uint8_t score_test;
#define SCORE_TEST_LEAF 0
#define SCORE_TEST_LT 1          /* left when x <  threshold  */
#define SCORE_TEST_LE 2          /* left when x <= threshold  */
#define SCORE_TEST_IN_LEFT 3     /* left when category(x) is in the set, else right */
#define SCORE_TEST_IN_RIGHT 4    /* right when category(x) is in the set, else left */

/* A value that compares false with everything (threshold NaN) goes right. */
typedef uint8_t score_missing;
#define SCORE_MISSING_RIGHT 0
#define SCORE_MISSING_LEFT 1
/* Added to one of the above: |x| <= (double)1e-35f is missing too (LightGBM zero_as_missing). Numeric tests only. */
#define SCORE_MISSING_ZERO 2

typedef struct score_node {
	int32_t left;            /* node numbers in this tree; ignored in a leaf                    */
	int32_t right;
	uint32_t feature;        /* an input or a derived column                                    */
	score_test test;
	score_missing missing;   /* where NaN goes                                                  */
	uint16_t reserved;
	double value;            /* threshold of a numeric test, or value of a leaf                 */
	uint32_t categories;     /* set tests: first element in score_tree.categories               */
	uint32_t n_categories;
	uint32_t leaf_id;        /* leaf: number that SCORE_OUTPUT_LEAF gives                       */
	uint32_t leaf_vector;    /* leaf of a vector tree: row in score_tree.vectors                */
} score_node;

/* A leaf whose value depends on the row: constant + the sum over its terms, in order, of coefficient * x, each operation
 * rounded on its own; the node's plain `value` where one of these x is NaN. An |x| <= (double)1e-35f is 0 (LightGBM). */
typedef struct score_linear_leaf {
	double constant;
	uint32_t first_term; /* into term_features and term_coefficients */
	uint32_t n_terms;
} score_linear_leaf;

typedef struct score_tree {
	size_t struct_size;
	const score_node *nodes;    /* node 0 is the root; unreachable nodes are ignored            */
	size_t n_nodes;
	const uint32_t *categories; /* of all set tests                                             */
	size_t n_categories;
	const double *vectors;      /* [n_vectors, n_outputs] leaf values of a vector tree, or NULL */
	size_t n_vectors;
	uint32_t output;            /* output that a scalar tree adds to; 0 for a vector tree       */
	uint32_t reserved;
	const double *covers;       /* [n_nodes] weight of the training rows that reached a node, finite and not negative;
	                               NULL: unknown. Contributions need them for every tree of two leaves or more */
	const score_linear_leaf *linear_leaves; /* [n_nodes], those of splits are ignored; or NULL: all leaves are plain. Needs
	                                         * a contract that compares and sums in SCORE_F64, and no vectors */
	const uint32_t *term_features;
	const double *term_coefficients;
	size_t n_terms;
} score_tree;

#define SCORE_TREE_INIT { sizeof(score_tree), NULL, 0, NULL, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, 0 }

/* Checks ranges, cycles and shared children; iterative, linear in the nodes. Either all trees of a model are
 * vector trees or none. */
SCORE_API SCORE_MUST_CHECK score_status score_builder_add_tree(score_builder *builder, const score_tree *tree,
	score_error *error);

/* A linear model instead of trees: margin[o] = base-and-bias[o] + sum over features of x * weights[f * n_outputs + o],
 * in ascending feature order, in the contract's `sum` type, without fused multiply-add. BASE_FIRST: the sum starts at
 * the bias; BASE_LAST: the bias is added at the end. `skip_missing` 1: NaN features are left out (XGBoost gblinear);
 * 0: NaN propagates. Copies weights [n_features, n_outputs]; the bias is score_builder_set_base(). With derived columns,
 * the sum is over columns first … n_features + n_derived - 1 and the weights are [that many, n_outputs]: see below. */
SCORE_API SCORE_MUST_CHECK score_status score_builder_set_linear(score_builder *builder, const double *weights,
	int skip_missing, score_error *error);

/* The first column that a linear model sums; default 0. What is only the source of a derived column lies before it. Comes
 * after the derived columns and before score_builder_set_linear(). */
SCORE_API SCORE_MUST_CHECK score_status score_builder_set_linear_columns(score_builder *builder, uint32_t first_column,
	score_error *error);

/* Check everything, choose golden rows, compile for scoring. The builder is spent, and still must be freed. */
SCORE_API SCORE_MUST_CHECK score_status score_builder_finish(score_builder *builder, score_model **out,
	score_error *error);

#ifdef __cplusplus
}
#endif
#endif
