/*
 * What a CatBoost JSON file says, as far as scoring needs it: filled by catboost_grammar.c while the file is
 * read, turned into a builder by catboost_build.c.
 */
#ifndef SL_IMPORT_CATBOOST_H
#define SL_IMPORT_CATBOOST_H

#include "document.h"

#include <scoreline/build.h>
#include <scoreline/import.h>

typedef struct cb_feature {
	int64_t column;      /* in the caller's rows; "flat_feature_index" */
	int64_t offset;
	size_t name;         /* into text; an empty string if it has none */
	size_t first_border; /* into borders; of a category into values */
	size_t n_borders;
	uint8_t is_category;
	uint8_t nan_right;   /* a missing value counts as +infinity */
} cb_feature;

typedef enum cb_split_kind {
	CB_FLOAT,  /* right when the value is above the border */
	CB_ONE_HOT, /* right when the category's hash is the value */
	CB_CTR,     /* right when the CTR, known by the number, is above the border */
	CB_CATEGORY /* in a projection: the category itself */
} cb_split_kind;

typedef struct cb_split {
	cb_split_kind kind;
	uint32_t feature; /* into float_features or cat_features */
	float border;
	uint32_t value;   /* the hash */
	int64_t number;   /* "split_index", -1 if the file does not say */
	int64_t target;   /* of a CTR: "ctr_target_border_idx", INT64_MIN if the file does not say */
} cb_split;

/* How a CTR follows from what its table counts. */
typedef enum cb_ctr_type {
	CB_BORDERS, /* rows of classes above the target border, of all rows        */
	CB_BUCKETS, /* rows of one class, of all rows                              */
	CB_COUNTER, /* rows, of the table's denominator                            */
	CB_MEAN     /* sum of the target, of the number of rows                    */
} cb_ctr_type;

/* A statistic of a projection: what training knew about rows with the same categories and answers. */
typedef struct cb_ctr {
	int64_t offset;
	size_t identifier;    /* into text: the name of its table */
	cb_ctr_type type;
	size_t first_element; /* into elements */
	size_t n_elements;
	size_t first_border;  /* into borders */
	size_t n_borders;
	int64_t target;
	float prior_numerator, prior_denominator, shift, scale;
} cb_ctr;

/* A row of `stride` counts for each hash of a projection. */
typedef struct cb_table {
	int64_t offset;
	size_t name;        /* into text */
	size_t first_hash;  /* into hashes */
	size_t n_hashes;
	size_t first_count; /* into counts */
	size_t stride;
	int64_t denominator;
} cb_table;

/* A node of a non-symmetric tree, in preorder. */
typedef struct cb_node {
	int64_t left; /* -1 until it is read */
	int64_t right;
	int64_t split;      /* into splits, -1 until it is read */
	size_t first_value; /* into leaf_values */
	size_t n_values;    /* 0: not a leaf */
	double cover;       /* of a leaf; negative until it is read */
} cb_node;

typedef struct cb_tree {
	int64_t offset;
	size_t first_split; /* into splits; symmetric trees only */
	size_t n_splits;
	size_t first_value; /* into leaf_values */
	size_t n_values;
	size_t first_node; /* into nodes; n_nodes is 0 in a symmetric tree */
	size_t n_nodes;
	size_t first_cover; /* into covers; symmetric trees only */
	size_t n_covers;    /* 0: unknown */
} cb_tree;

typedef struct cb_file {
	score_allocator allocator;
	score_error *error;
	sl_vector float_features; /* cb_feature, by "feature_index" */
	sl_vector cat_features;   /* cb_feature, by "feature_index" */
	sl_vector borders;        /* float */
	sl_vector values;         /* uint32_t: hashes that one-hot splits ask for */
	sl_vector ctrs;           /* cb_ctr */
	sl_vector elements;       /* cb_split: of the CTRs' projections */
	sl_vector tables;         /* cb_table */
	sl_vector hashes;         /* uint64_t */
	sl_vector counts;         /* double */
	sl_vector splits;         /* cb_split */
	sl_vector nodes;          /* cb_node */
	sl_vector leaf_values;    /* double */
	sl_vector covers;         /* double: weights of the training rows in the leaves */
	sl_vector trees;          /* cb_tree */
	sl_vector scale_and_bias; /* double: the scale, then the bias of each output */
	sl_vector text;           /* char: strings, each terminated */
	sl_vector classes;        /* char: the class labels as a JSON array, but for its end */
	size_t n_class_names;
	int64_t classes_count;    /* without labels; 0: not said */
	sl_vector class_numbers;  /* double: the class of each value of a leaf */
	size_t loss;              /* into text; 0: an empty string */
	size_t version;
	size_t threshold;         /* of the probability that makes a row the second class */
	int64_t loss_offset;
	int64_t scale_offset;
} cb_file;

/* Make it empty; `allocator` and `error` are set, the rest is zero. */
void import_cb_init(cb_file *file);
/* Read the document into the empty `file`, which the caller frees in any case. */
score_status import_cb_read(cb_file *file, const void *data, size_t size);
void import_cb_free(cb_file *file);

/* Give leaves and biases a value for each class of the model, when training saw some of them only; *n_outputs is the number of
 * values of a leaf, then that of classes. (catboost_classes.c) */
score_status import_cb_spread_classes(cb_file *file, uint32_t *n_outputs);

/* Add a derived column to the builder for each CTR; columns[i] is that of CTR i. (catboost_ctr.c) */
score_status import_cb_add_ctrs(cb_file *file, score_builder *builder, uint32_t *columns);

static inline const char *import_cb_text(const cb_file *file, size_t at)
{
	return sl_vector_at(&file->text, at);
}

#endif
