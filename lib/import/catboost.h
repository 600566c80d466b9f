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
	uint32_t n_borders;
	uint8_t is_category;
	uint8_t nan_right;   /* a missing value counts as +infinity */
} cb_feature;

typedef enum cb_split_kind {
	CB_FLOAT,  /* right when the value is above the border */
	CB_ONE_HOT /* right when the category's hash is the value */
} cb_split_kind;

typedef struct cb_split {
	cb_split_kind kind;
	uint32_t feature; /* into float_features or cat_features */
	float border;
	uint32_t value;   /* the hash */
	int64_t number;   /* "split_index", -1 if the file does not say */
} cb_split;

/* A node of a non-symmetric tree, in preorder. */
typedef struct cb_node {
	int32_t left; /* -1 until it is read */
	int32_t right;
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
	sl_vector splits;         /* cb_split */
	sl_vector nodes;          /* cb_node */
	sl_vector leaf_values;    /* double */
	sl_vector covers;         /* double: weights of the training rows in the leaves */
	sl_vector trees;          /* cb_tree */
	sl_vector scale_and_bias; /* double: the scale, then the bias of each output */
	sl_vector text;           /* char: strings, each terminated */
	sl_vector classes;        /* char: the class labels as a JSON array, not terminated */
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

static inline const char *import_cb_text(const cb_file *file, size_t at)
{
	return (const char *)file->text.data + at;
}

#endif
