/*
 * forest: the model as plain, immutable data, and the one place that checks it.
 *
 * Comes in: score_builder calls or arrays decoded from a file. Goes out: a `forest` whose every index is in range and
 * whose trees are trees; every other room relies on that without checking again.
 *
 * A split asks one of the model's distinct *tests*. All numeric tests have one form, "right when x >= cut": the builder
 * turns x <= t into x < next(t), and folds LightGBM's |x| <= 1e-35 → 0 rule into the cuts.
 */
#ifndef SL_FOREST_H
#define SL_FOREST_H

#include "../base/base.h"

#include <scoreline/build.h>

typedef uint8_t forest_test_kind;
#define FOREST_NUMERIC 0  /* right when x >= cuts[feature][index]            */
#define FOREST_CATEGORY 1 /* right when category(x) is in set `index`        */
#define FOREST_CATEGORY_NOT 2 /* right when category(x) is not in set `index`; a value that is no category counts as not in */

/* A distinct question, asked by one or many splits. Sorted by feature, kind, index, missing. */
typedef struct forest_test {
	uint32_t feature : 24;        /* an input or a derived column; a file's header has no room to name as many */
	uint32_t kind : 4;            /* forest_test_kind */
	uint32_t missing_right : 2;   /* NaN goes right                                             */
	uint32_t zero_is_missing : 2; /* |x| <= (double)1e-35f counts as missing; numeric tests only */
	uint32_t index;               /* cut of the feature, counted within the feature; or set, counted within the model */
} forest_test;

/* The same in half the room: tests of a feature that differ in nothing but the index share a rule. */
typedef struct forest_short_test {
	uint16_t rule, index;
} forest_short_test;

/* Short ones wherever rules and indices fit, else whole ones. */
typedef struct forest_tests {
	const forest_short_test *narrow; /* one of the two */
	const forest_test *wide;
	const forest_test *rules; /* of narrow, without index, in the order in which tests name them */
} forest_tests;

static inline forest_test forest_make_test(uint32_t feature, uint32_t index, uint32_t kind, uint32_t missing_right, uint32_t zero_is_missing)
{
	return (forest_test){.feature = feature & 0xffffff, .kind = kind & 0xf, .missing_right = missing_right & 3,
		.zero_is_missing = zero_is_missing & 3, .index = index};
}

/* Whole numbers in the narrowest type that holds them all. */
typedef struct forest_numbers {
	const void *values;
	uint32_t bytes; /* of one: 1, 2 or 4 */
} forest_numbers;

static inline uint32_t forest_number(const forest_numbers *a, size_t i)
{
	if (a->bytes == 1)
		return ((const uint8_t *)a->values)[i];
	return a->bytes == 2 ? ((const uint16_t *)a->values)[i] : ((const uint32_t *)a->values)[i];
}

static inline uint32_t forest_number_bytes(uint32_t most)
{
	return most <= UINT8_MAX ? 1 : most <= UINT16_MAX ? 2 : 4;
}

static inline void forest_put_number(void *values, uint32_t bytes, size_t i, uint32_t value)
{
	if (bytes == 1)
		((uint8_t *)values)[i] = (uint8_t)value;
	else if (bytes == 2)
		((uint16_t *)values)[i] = (uint16_t)value;
	else
		((uint32_t *)values)[i] = value;
}

/* Values as floats if all of them keep every bit that way, else as doubles. */
typedef struct forest_reals {
	const void *values;
	uint32_t bytes; /* of one: 4 or 8 */
} forest_reals;

static inline double forest_real(const forest_reals *a, size_t i)
{
	return a->bytes == sizeof(float) ? (double)((const float *)a->values)[i] : ((const double *)a->values)[i];
}

/* Weights in the narrowest type that holds all of them exactly. */
typedef struct forest_weights {
	const void *values; /* NULL: unknown */
	uint32_t bytes;     /* of one: 2 (uint16_t), 4 (float) or 8 (double) */
} forest_weights;

static inline double forest_weight(const forest_weights *a, size_t i)
{
	if (a->bytes == sizeof(uint16_t))
		return (double)((const uint16_t *)a->values)[i];
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): nobody asks for weights that are not there */
	return a->bytes == sizeof(float) ? (double)((const float *)a->values)[i] : ((const double *)a->values)[i];
}

static inline void forest_put_weight(void *values, uint32_t bytes, size_t i, double weight)
{
	if (bytes == sizeof(uint16_t))
		((uint16_t *)values)[i] = (uint16_t)weight;
	else if (bytes == sizeof(float))
		((float *)values)[i] = (float)weight;
	else
		((double *)values)[i] = weight;
}

/* Splits and leaves of a tree are numbered in preorder, left first, so that a tree is known from how many leaves each split has on
 * its left side (forest_side). A tree of one leaf has no splits. */
typedef struct forest_tree {
	uint32_t first_split; /* into split_test and left_leaves */
	uint32_t n_splits;
	uint32_t first_leaf;  /* into leaves and leaf_ids; n_leaves = n_splits + 1 */
	uint32_t output;
	uint32_t depth;       /* splits on the longest path */
	uint32_t n_pairs;     /* splits whose sides are both leaves */
} forest_tree;

/* Where the elements of an array that ascends by hash lie, by their first bits: those of bucket b = hash >> shift are
 * [buckets[b], buckets[b + 1]). */
typedef struct forest_hash_index {
	const uint32_t *buckets; /* [2^(64 - shift) + 1] */
	uint32_t shift;
} forest_hash_index;

/* A label in the order of its hash. */
typedef struct forest_label {
	uint64_t hash;
	uint32_t number;
	uint32_t length;
} forest_label;

/* Labels of a feature's categories and their codes. Made and checked by forest_make_dictionary() only. */
typedef struct forest_dictionary {
	uint32_t n_labels;
	uint32_t flags;         /* SCORE_DICTIONARY_* */
	double unknown;
	const char *text;       /* one label after the other, each terminated */
	const uint32_t *starts; /* [n_labels + 1] into text */
	const double *codes;    /* [n_labels] */
	const forest_label *by_hash; /* [n_labels] */
	forest_hash_index index;     /* of by_hash */
} forest_dictionary;

typedef struct forest_feature {
	const char *name; /* never NULL; unique */
	uint32_t type;    /* score_feature_type */
	uint32_t first_cut; /* into cuts */
	uint32_t n_cuts;
	uint32_t by_name; /* the feature that is here when they stand in the order of their names, by strcmp() */
	const forest_dictionary *dictionary; /* NULL: codes only */
} forest_feature;

/* One operation on a value; docs/numerics.md says what each does. */
typedef struct forest_step {
	double a, b;
	uint32_t keys;   /* LOOKUP: a table, or FOREST_DENSE: the keys are 0, 1, 2, … */
	uint32_t values; /* LOOKUP: a table as long as the keys                       */
	uint8_t operation; /* score_operation */
	uint8_t is_f32;    /* the result is rounded to float */
	uint8_t reserved[6];
} forest_step;

#define FOREST_DENSE UINT32_MAX

/* A derived column: a first value (the root), then steps. A column whose root takes several sources names only inputs and
 * columns whose own root is SCORE_ROOT_VALUE, so that a value costs two levels at most. */
typedef struct forest_program {
	double least;      /* norms: a smaller one counts as 1                             */
	uint32_t source;   /* VALUE: an input; norms: the dividend; else 0                 */
	uint32_t list;     /* norms and HASH: the sources, in lists; else 0                */
	uint32_t hashes;   /* HASH: the known ones, in hash tables; else 0                 */
	uint32_t first_step, n_steps;
	uint8_t root;      /* score_root */
	uint8_t is_f32;    /* norms: every operation is rounded to float */
	uint8_t reserved[2];
} forest_program;

/* Derived column i is column n_features + i of the model. Lists and tables are distinct. */
typedef struct forest_derived {
	uint32_t n, n_steps, n_lists, n_list_members, n_tables, n_table_values, n_hash_tables, n_hashes;
	const forest_program *programs; /* [n]; their steps follow each other */
	const forest_step *steps;
	const uint32_t *list_first;     /* [n_lists + 1] into list_members */
	const uint32_t *list_members;   /* columns */
	const uint32_t *table_first;    /* [n_tables + 1] into table_values */
	const double *table_values;     /* of keys ascending, without NaN */
	const uint32_t *hash_first;     /* [n_hash_tables + 1] into hashes */
	const uint64_t *hashes;         /* ascending per table */
	const forest_hash_index *indexes; /* [n_hash_tables], of all hashes */
} forest_derived;

typedef struct forest_metadata {
	const char *key;
	const char *value;
} forest_metadata;

/* Leaves whose value is linear in the row; a plain one among them has its value as constant and no terms. leaves[] holds
 * what a leaf gives where a value of its terms is missing. Compares and sums are in double. */
typedef struct forest_linear_leaves {
	uint32_t n_terms;
	const uint32_t *first_term;    /* [n_leaves + 1] into features and coefficients; NULL: all leaves are plain */
	const double *constants;       /* [n_leaves] */
	const uint32_t *features;      /* [n_terms] inputs or derived columns */
	const double *coefficients;    /* [n_terms] */
} forest_linear_leaves;

/* What the parts of a model answer is combined. */
typedef struct forest_parts {
	uint32_t n;
	score_combine combine;
	double total;
	const score_part *list; /* [n]; their columns are never NULL */
} forest_parts;

#define FOREST_MAX_PART_OUTPUTS 64u
#define FOREST_MAX_CURVE 1000000u /* points of a part's curves */

typedef struct forest {
	score_contract contract;
	score_model_kind kind;
	score_link link;
	double link_parameter;
	uint32_t n_predictions; /* per row, after the link */
	forest_parts parts;     /* of link PARTS */

	uint32_t n_features;
	uint32_t n_trees;
	uint32_t n_tests;
	uint32_t n_splits;
	uint32_t n_leaves;
	uint32_t n_cuts;        /* of all features together */
	uint32_t n_sets;
	uint32_t n_set_members; /* of all sets together */
	uint32_t leaf_width;    /* values per leaf: 1, or n_outputs for vector trees */
	uint32_t n_metadata;
	uint32_t n_golden;
	int32_t linear_skip_missing;
	uint32_t linear_first;  /* a linear model sums columns [linear_first, forest_columns()) */
	bool has_underscored_names; /* the source wrote underscores where names had spaces */

	forest_derived derived;
	const forest_feature *features; /* [forest_columns()]; derived ones have the name "" */
	forest_reals cuts;             /* ascending per feature; a NaN cut (never right) is last. Float values when compare is f32 */
	forest_tests tests;            /* [n_tests] */
	forest_numbers set_first;      /* [n_sets + 1] into set_members */
	forest_numbers set_members;    /* ascending categories of each set; sets are distinct, in lexicographic order */
	const forest_tree *trees;
	forest_numbers split_test;     /* [n_splits] */
	forest_numbers left_leaves;    /* [n_splits] leaves on the left side: at least 1, fewer than below the split */
	forest_reals leaves;           /* [n_leaves, leaf_width]; float values when sum is f32 */
	forest_numbers leaf_ids;       /* [n_leaves] the source's own leaf numbers */
	forest_weights leaf_covers;    /* [n_leaves] weight of the training rows that reached a leaf, finite, not negative */
	forest_weights split_covers;   /* [n_splits]; NULL: unknown if those of leaves are, else the sums of their leaves' */
	forest_linear_leaves linear_leaves;
	const double *base;            /* [n_outputs] */
	const double *linear_weights;  /* [forest_columns() - linear_first, n_outputs], or NULL */
	const forest_metadata *metadata; /* sorted by key */
	const double *golden_rows;     /* [n_golden, n_features] */
	const double *golden_margins;  /* [n_golden, n_outputs]  */
} forest;

static inline forest_test forest_test_at(const forest *f, size_t i)
{
	if (!f->tests.narrow)
		return f->tests.wide[i];
	forest_test test = f->tests.rules[f->tests.narrow[i].rule];
	test.index = f->tests.narrow[i].index;
	return test;
}

/* Where set `i` begins among the members, and where the one before it ends. */
static inline uint32_t forest_set_first(const forest *f, size_t i)
{
	return forest_number(&f->set_first, i);
}

/* Of all sets together. */
static inline uint32_t forest_set_member(const forest *f, size_t i)
{
	return forest_number(&f->set_members, i);
}

/* A tree, or what is on one side of a split. */
typedef struct forest_side {
	uint32_t split;    /* the first, counted in the model */
	uint32_t leaf;     /* likewise */
	uint32_t n_leaves; /* 1: it is a leaf and has no splits */
} forest_side;

static inline forest_side forest_whole(const forest_tree *t)
{
	return (forest_side){t->first_split, t->first_leaf, t->n_splits + 1};
}

static inline bool forest_is_leaf(const forest_side *side)
{
	return side->n_leaves == 1;
}

/* The sides of the split that `at` begins with. */
static inline forest_side forest_left(const forest *f, const forest_side *at)
{
	return (forest_side){at->split + 1, at->leaf, forest_number(&f->left_leaves, at->split)};
}

static inline forest_side forest_right(const forest *f, const forest_side *at)
{
	uint32_t n = forest_number(&f->left_leaves, at->split);
	return (forest_side){at->split + n, at->leaf + n, at->n_leaves - n};
}

/* One of them, without a branch: where rows go nobody can predict. `right` is 0 or 1. */
static inline forest_side forest_go(const forest *f, const forest_side *at, uint32_t right)
{
	uint32_t n = forest_number(&f->left_leaves, at->split), mask = 0 - right;
	return (forest_side){at->split + 1 + ((n - 1) & mask), at->leaf + (n & mask), n + ((at->n_leaves - 2 * n) & mask)};
}

/* Inputs and derived columns. */
static inline uint32_t forest_columns(const forest *f)
{
	return f->n_features + f->derived.n;
}

/* Values that a linear model has weights for. */
static inline size_t forest_linear_weights(const forest *f)
{
	return (size_t)(forest_columns(f) - f->linear_first) * f->contract.n_outputs;
}

/* Magnitudes up to this one are zero to a test with zero_is_missing. */
#define FOREST_ZERO ((double)1e-35f)

/* A value that the type holds exactly; NaN counts as one. */
static inline bool forest_fits(score_dtype type, double x)
{
	return type == SCORE_F64 || x != x || (double)(float)x == x;
}

/* Feature number `b` joins the hash `a`, as CatBoost does it. */
static inline uint64_t forest_hash(uint64_t a, uint64_t b)
{
	const uint64_t magic = 0x4906ba494954cb65u;
	return magic * (a + magic * b);
}

/* The sum is divided before the base is added. */
static inline bool forest_divides_sum(score_average average)
{
	return average == SCORE_AVERAGE_MARGIN || average == SCORE_AVERAGE_SCALE;
}

/* The link has a slope other than 1 where the first readers of model files knew none. */
static inline bool forest_needs_slope(const forest *f)
{
	return f->link_parameter != 1.0 &&
		(f->link == SCORE_LINK_SOFTMAX || f->link == SCORE_LINK_BINARY_PAIR || f->link == SCORE_LINK_SOFTMAX_PAIR);
}

/* ---- making one ---------------------------------------------------------------------------------- */

/* Check a forest whose arrays were filled by a reader of untrusted bytes: every index, order, count and contract
 * value. Trees may be 4,096 splits deep. */
score_status forest_check(const forest *f, score_error *error);
/* The part of it that looks at derived columns (check_derived.c). */
score_status forest_check_derived(const forest *f, score_error *error);
/* The operation is known and its operands are numbers that it can work with. */
bool forest_step_fits(const forest_step *step);
/* The part of it that looks at parts (parts.c). */
score_status forest_check_parts(const forest *f, score_error *error);
/* One of them, for a model of so many outputs. A fault is ARGUMENT or LIMIT. */
score_status forest_check_part(const score_part *p, uint32_t n_outputs, score_error *error);
/* A checked part with all that it points to. */
score_status forest_copy_part(const score_part *from, sl_arena *arena, score_part *to, score_error *error);
/* Values that it gives; 0 if its link does not fit. */
uint32_t forest_part_values(const score_part *p);
/* Operands that the operation does not have become 0, so that equal steps are equal. */
void forest_drop_operands(forest_step *step);

/* Splits of the largest tree. */
uint32_t forest_most_splits(const forest *f);

/* Children of one tree after the other as numbers: a split, counted in its tree, or ~leaf. There is room for one more than the
 * tree has splits. false: no memory. */
typedef struct forest_children {
	int32_t *left, *right;
	size_t bytes;
} forest_children;
bool forest_children_new(const forest *f, const score_allocator *allocator, forest_children *out);
void forest_children_free(const score_allocator *allocator, forest_children *children);
void forest_list_children(const forest *f, const forest_tree *t, const forest_children *to);

/* Covers of a tree's splits from those of the leaves below them; `children` are the tree's. */
void forest_sum_covers(const forest *f, const forest_tree *t, const forest_children *children, double *sums);

/* Copies in the narrowest type; false: no memory. */
bool forest_narrow_numbers(const uint32_t *values, size_t n, sl_arena *arena, forest_numbers *out);
bool forest_narrow_reals(const double *values, size_t n, sl_arena *arena, forest_reals *out);
bool forest_narrow_weights(const double *values, size_t n, sl_arena *arena, forest_weights *out);
bool forest_narrow_tests(const forest_test *tests, size_t n, sl_arena *arena, forest_tests *out);
/* Bytes of one weight in that type. */
uint32_t forest_weight_bytes(double weight);

#define FOREST_MAX_DEPTH 4096u
#define FOREST_MAX_COLUMNS (1u << 20) /* inputs and derived ones together */
#define FOREST_MAX_STEPS 256u         /* of one derived column            */

/* Number of values per row that the link makes of n_outputs margins; 0 if the link does not fit them. */
uint32_t forest_link_predictions(score_link link, uint32_t n_outputs);

/* Words for links, by number; part of the file format: a word never changes its meaning. */
#define FOREST_N_LINKS 33
extern const char *const forest_link_names[FOREST_N_LINKS];

/* ---- names of features ---------------------------------------------------------------------------- */

/* Index the features by name, once there are features and metadata. False: no memory. `twice`: a name that two of them have,
 * which makes the forest invalid, or NULL. */
bool forest_index_names(forest *f, const score_allocator *allocator, const char **twice);

/* What score_model_feature_find() says; `name` is not NULL. */
score_name_match forest_find_feature(const forest *f, const char *name, size_t length, uint32_t *feature);

/* ---- hashes of categories ------------------------------------------------------------------------- */

/* Index elements [first, end) of an array of such a size, which begin with their hash and ascend by it. False: no memory. */
bool forest_index_by_hash(const void *array, size_t element, uint32_t first, uint32_t end, sl_arena *arena, forest_hash_index *out);

/* Index the checked tables of hashes, in the arena. False: no memory. */
bool forest_index_hashes(forest_derived *d, sl_arena *arena);

/* Place of a hash in its table, or the table's length. */
static inline uint32_t forest_find_hash(const forest_derived *d, uint32_t table, uint64_t hash)
{
	const forest_hash_index *index = d->indexes + table;
	const uint32_t *bucket = index->buckets + (hash >> index->shift);
	uint32_t first = d->hash_first[table], end = d->hash_first[table + 1], low = bucket[0], high = bucket[1];
	if (first == end)
		return 0;
	while (high - low > 4) {
		uint32_t middle = low + (high - low) / 2;
		if (d->hashes[middle] <= hash)
			low = middle;
		else
			high = middle;
	}
	/* All of the four: where a search would stop, no processor foresees. */
	uint32_t place = low;
	for (uint32_t i = low; i < low + 4; i++)
		place += d->hashes[i < end ? i : end - 1] < hash;
	return place < end && d->hashes[place] == hash ? place - first : end - first;
}

/* ---- dictionaries --------------------------------------------------------------------------------- */

/* Check `from`, whose text, starts and codes may hold anything as long as the starts ascend, and copy it with its index
 * into the arena. A fault is ARGUMENT. `feature` is for messages. */
score_status forest_make_dictionary(const forest_dictionary *from, uint32_t feature, sl_arena *arena,
	const forest_dictionary **out, score_error *error);

static inline uint32_t forest_label_length(const forest_dictionary *d, uint32_t label)
{
	return d->starts[label + 1] - d->starts[label] - 1;
}

/* True and the code of the label, or false and the code of unknown strings. */
bool forest_find_label(const forest_dictionary *d, const char *text, size_t length, double *code);

/* ---- exact reference evaluation -------------------------------------------------------------------- */

/* Value of a column, input or derived, in a row of n_features inputs. */
double forest_value(const forest *f, const double *row, uint32_t column);

/* Value of a leaf, counted in the model, with linear_leaves. */
double forest_linear_leaf(const forest *f, uint32_t leaf, const double *row);

/* What a value counts as in a linear leaf. */
static inline double forest_linear_value(double x)
{
	return x <= FOREST_ZERO && x >= -FOREST_ZERO ? 0.0 : x;
}

/* Answer of one test for a value of its feature. */
bool forest_goes_right(const forest *f, const forest_test *test, double x);

/* Leaf (counted within the tree) that one row of n_features doubles reaches, by comparing values with cuts. Slow and
 * obviously right: golden rows and tests of the engine rely on it. */
uint32_t forest_walk(const forest *f, uint32_t tree, const double *row);

/* Margins of one row over trees [begin, end), in the contract's types and order. */
void forest_margins(const forest *f, const double *row, uint32_t begin, uint32_t end, double *out);

/* Category number of a value under the model's rule, or -1 if it is none. Any double is allowed. */
int64_t forest_category(score_category_rule rule, double x);

/* A feature whose categories are known by their hash: its values are doubles whatever the model compares in. */
static inline bool forest_is_hashed(const forest *f, uint32_t feature)
{
	return f->contract.category_rule == SCORE_CATEGORY_HASH && f->features[feature].type == SCORE_FEATURE_CATEGORY;
}

/* The contract's last step from the running sum to the margin: average, scale, base. `iterations` is the number of
 * boosting iterations in the range that was summed. */
static inline double forest_finish_margin(const score_contract *c, double sum, double base, uint32_t iterations)
{
	if (c->base_position == SCORE_BASE_FIRST)
		return sum;
	if (c->sum == SCORE_F32) {
		float x = (float)sum;
		if (c->average == SCORE_AVERAGE_MARGIN && iterations)
			x /= (float)iterations;
		if (c->scale != 1.0)
			x = c->average == SCORE_AVERAGE_SCALE ? x / (float)c->scale : x * (float)c->scale;
		return (double)(base != 0.0 ? x + (float)base : x);
	}
	if (c->average == SCORE_AVERAGE_MARGIN && iterations)
		sum /= (double)iterations;
	if (c->scale != 1.0)
		sum = c->average == SCORE_AVERAGE_SCALE ? sum / c->scale : sum * c->scale;
	return base != 0.0 ? sum + base : sum;
}

/* ---- golden rows ---------------------------------------------------------------------------------- */

/* Rows at thresholds, beside them, missing, zero, known and unknown categories, chosen from the model alone (the same
 * model gives the same rows), with margins by forest_margins(). Stored in `arena`, into f->golden_*. */
score_status forest_choose_golden(forest *f, sl_arena *arena, score_error *error);

/* ---- memory ---------------------------------------------------------------------------------------- */

/* A model's `arena` did not give `bytes`: SCORE_ERR_LIMIT where its limit was met, else SCORE_ERR_MEMORY. */
static inline score_status forest_fail_memory(const sl_arena *arena, size_t bytes, score_error *error)
{
	if (!arena->over_limit)
		return sl_fail_memory(error, bytes);
	return sl_fail(error, SCORE_ERR_LIMIT, "the model needs more than %zu bytes (max_bytes, or what a file of its size may ask for)",
		arena->limit);
}

/* ---- from a builder -------------------------------------------------------------------------------- */

/* Turn everything the builder has into a checked forest in `arena` (golden rows included). */
score_status forest_from_builder(score_builder *builder, sl_arena *arena, forest **out, score_error *error);

#endif
