/*
 * What an XGBoost model file says, as far as scoring needs it: filled by xgboost_grammar.c and xgboost_tree.c
 * while the file is read, turned into a builder by xgboost_build.c. Trees are kept compactly, since what
 * gives them their meaning (classes, base score, number of features) stands behind them in the file.
 */
#ifndef SL_IMPORT_XGBOOST_H
#define SL_IMPORT_XGBOOST_H

#include "document.h"
#include "labels.h"

#include <scoreline/build.h>
#include <scoreline/import.h>

/* Arrays of numbers. Up to XGB_CATEGORIES of int64_t and per tree, up to XGB_SUM_HESSIAN of float and per
 * tree. */
typedef enum xgb_column_name {
	XGB_LEFT,
	XGB_RIGHT,
	XGB_FEATURE,
	XGB_DEFAULT_LEFT,
	XGB_SPLIT_TYPE,
	XGB_CATEGORY_NODES,
	XGB_CATEGORY_SEGMENTS,
	XGB_CATEGORY_SIZES,
	XGB_CATEGORIES,
	XGB_CONDITIONS,
	XGB_BASE_WEIGHTS,
	XGB_LEAF_WEIGHTS,
	XGB_SUM_HESSIAN,
	XGB_TREE_COLUMNS, /* the ones above belong to one tree */
	XGB_LABEL_OFFSETS = XGB_TREE_COLUMNS, /* of one feature: none if its labels are numbers */
	XGB_LABEL_VALUES, /* bytes of all labels, or numbers */
	XGB_FEATURE_COLUMNS,
	XGB_TREE_INFO = XGB_FEATURE_COLUMNS,
	XGB_ITERATIONS,
	XGB_VERSION,
	XGB_WEIGHT_DROP, /* float */
	XGB_WEIGHTS,     /* float */
	XGB_COLUMNS
} xgb_column_name;

/* Single whole numbers, most of them written as strings. */
typedef enum xgb_integer_name {
	XGB_TREE_ID,
	XGB_NUM_NODES,
	XGB_NUM_DELETED,
	XGB_LEAF_SIZE,
	XGB_TREE_INTEGERS,
	XGB_NUM_CLASS = XGB_TREE_INTEGERS,
	XGB_NUM_FEATURE,
	XGB_NUM_TARGET,
	XGB_NUM_TREES,
	XGB_PARALLEL_TREES,
	XGB_INTEGERS
} xgb_integer_name;

typedef enum xgb_list_name {
	XGB_FEATURE_NAMES,
	XGB_FEATURE_TYPES,
	XGB_ATTRIBUTES, /* key, value, key, value, … */
	XGB_BOOSTER,    /* single strings are lists of one */
	XGB_BASE_SCORE,
	XGB_OBJECTIVE,
	XGB_LISTS
} xgb_list_name;

typedef struct xgb_column {
	sl_vector values;
	int64_t offset; /* in the file */
	bool present;
} xgb_column;

typedef struct xgb_integer {
	int64_t value;
	int64_t offset;
	bool present;
} xgb_integer;

/* Strings one behind the other, each terminated. */
typedef struct xgb_list {
	sl_vector text;   /* char */
	sl_vector starts; /* size_t */
	int64_t offset;
	bool present;
} xgb_list;

typedef struct xgb_node {
	int32_t left; /* the right child is left + 1 */
	uint32_t feature;
	union {
		float value;    /* threshold or leaf */
		uint32_t index; /* set of the tree, or vector of the tree */
	} u;
	uint8_t test; /* score_test */
	uint8_t default_left;
	uint16_t reserved;
} xgb_node;

typedef struct xgb_set {
	uint32_t first; /* into the tree's categories */
	uint32_t count;
} xgb_set;

typedef struct xgb_tree {
	size_t first_node;
	size_t first_set;
	size_t first_category;
	size_t first_vector; /* in floats */
	uint32_t n_nodes;
	uint32_t n_categories;
	uint32_t n_vectors;
	uint32_t leaf_size; /* values of a leaf: 1, or more in a vector tree */
	size_t first_cover; /* of its nodes */
	bool has_covers;
	int64_t offset;
} xgb_tree;

typedef struct xgb_file {
	score_allocator allocator;
	score_error *error;
	xgb_column columns[XGB_COLUMNS];
	xgb_integer integers[XGB_INTEGERS];
	xgb_list lists[XGB_LISTS];
	sl_vector labels;     /* import_labels of each feature; since 3.1 */
	sl_vector trees;      /* xgb_tree  */
	sl_vector nodes;      /* xgb_node  */
	sl_vector sets;       /* xgb_set   */
	sl_vector categories; /* uint32_t  */
	sl_vector vectors;    /* float     */
	sl_vector covers;     /* float     */
	int64_t tree_offset;  /* of the tree that is being read */
} xgb_file;

/* Read the document into `file`, which the caller has zeroed but for `allocator` and `error`, and frees in
 * any case. */
score_status import_xgb_read(xgb_file *file, const void *data, size_t size, score_format format);
void import_xgb_free(xgb_file *file);

/* The columns of one tree are complete: check them against each other and keep the tree. */
score_status import_xgb_keep_tree(xgb_file *file);

/* The columns of one feature's labels are complete: keep them. */
score_status import_xgb_keep_labels(xgb_file *file);
/* Dictionaries of features that have labels, and metadata that names those whose labels the file does not hold whole. */
score_status import_xgb_set_labels(const xgb_file *file, uint32_t n_features, score_builder *builder, score_error *error);

const char *import_xgb_string(const xgb_list *list, size_t i);

static inline int64_t import_xgb_integer(const xgb_file *file, xgb_integer_name name, int64_t otherwise)
{
	return file->integers[name].present ? file->integers[name].value : otherwise;
}

/* Whether the release that wrote the file is older than this one. A file that does not say is taken for a new
 * one. */
static inline bool import_xgb_before(const xgb_file *file, int64_t major, int64_t minor)
{
	const sl_vector *version = &file->columns[XGB_VERSION].values;
	const int64_t *v = version->data;
	return version->length == 3 && (v[0] < major || (v[0] == major && v[1] < minor));
}

/* ---- missing values ------------------------------------------------------------------------------ */

typedef struct xgb_range { /* of trees */
	size_t begin;
	size_t end;
} xgb_range;

/* Derived columns in which `missing` is NaN; column[i] becomes the one to ask for feature i. Only features that these trees
 * ask get one; without trees (NULL) all do, in their order. */
score_status import_xgb_add_missing(const xgb_file *file, float missing, const xgb_range *trees, uint32_t n_features,
	score_builder *builder, uint32_t *column, score_error *error);

/* ---- objectives --------------------------------------------------------------------------------- */

typedef struct xgb_objective xgb_objective;

/* NULL if the name is unknown. */
const xgb_objective *import_xgb_objective(const char *name);
score_link import_xgb_link(const xgb_objective *objective, const xgb_file *file);
/* A base score in the space of predictions to a margin, in float as XGBoost does. False if it has none. */
bool import_xgb_base_margin(const xgb_objective *objective, float base_score, float *out);

#endif
