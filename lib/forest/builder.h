/*
 * What a builder collects: trees already in preorder, with tests that are distinct but not yet sorted.
 */
#ifndef FOREST_BUILDER_H
#define FOREST_BUILDER_H

#include "forest.h"

/* A test as first met. Compared by content; `cut` has one bit pattern per value (no -0, one NaN). */
typedef struct raw_test {
	double cut;
	uint32_t feature;
	uint32_t set; /* provisional set number, 0 for numeric tests */
	uint8_t kind, missing_right, zero_is_missing, reserved[5];
} raw_test;

typedef struct raw_set {
	uint32_t first; /* into members */
	uint32_t length;
} raw_set;

/* Distinct lists and tables of derived columns: their elements as bytes. */
typedef enum raw_table_kind { RAW_LIST, RAW_TABLE, RAW_HASHES, RAW_TABLE_KINDS } raw_table_kind;

typedef struct raw_table {
	size_t first;  /* of table_words */
	uint32_t n;    /* elements */
	uint32_t kind;
	uint32_t number; /* among those of its kind */
	uint32_t reserved;
} raw_table;

typedef struct raw_feature {
	char *name; /* in `names`, or NULL */
	score_feature_type type;
	const forest_dictionary *dictionary; /* in `names`, or NULL */
} raw_feature;

/* Distinct items by content: open addressing over item numbers + 1. */
typedef struct raw_index {
	uint32_t *slots;
	size_t n_slots; /* power of two, or 0 */
	size_t n_used;
} raw_index;

struct score_builder {
	score_allocator allocator;
	score_contract contract;
	score_build_options options;
	score_link link;
	double link_parameter;
	score_combine combine;   /* of link PARTS */
	double total;
	uint32_t n_predictions;
	sl_vector parts;         /* score_part; what they point to is in `names` */
	uint32_t leaf_width; /* 0 until the first tree */
	bool spent;
	bool has_linear;
	bool linear_skip_missing;
	sl_arena names;          /* features, metadata, base, linear weights */
	raw_feature *features;
	double *base;
	double *linear_weights;
	sl_vector metadata;      /* forest_metadata */
	sl_vector tests;         /* raw_test */
	sl_vector sets;          /* raw_set */
	sl_vector members;       /* uint32_t */
	raw_index test_index, set_index, table_index;
	sl_vector programs;      /* forest_program */
	sl_vector steps;         /* forest_step */
	sl_vector tables;        /* raw_table */
	sl_vector table_words;   /* uint64_t */
	uint32_t table_counts[RAW_TABLE_KINDS];
	uint32_t linear_first;
	sl_vector trees;         /* forest_tree */
	sl_vector split_test, left, right; /* uint32_t, int32_t, int32_t */
	sl_vector leaves, leaf_ids;        /* double, uint32_t */
	sl_vector split_covers, leaf_covers; /* double; complete unless `lacks_covers` */
	bool lacks_covers;
	bool has_linear_leaves;
	sl_vector constants, term_ends;    /* double, uint32_t, per leaf once a tree has linear leaves */
	sl_vector term_features, coefficients; /* uint32_t, double */
};

/* Number of the test in `b->tests`, added if new; UINT32_MAX when memory is out. */
uint32_t forest_intern_test(score_builder *b, const raw_test *test);
/* The same for a set; sorts `members` and drops repeats. UINT32_MAX, too, where all sets would have more than `most` members. */
uint32_t forest_intern_set(score_builder *b, uint32_t *members, size_t n, uint64_t most);
/* The same for a table of `n` elements; the number is that among tables of its kind. */
uint32_t forest_intern_table(score_builder *b, raw_table_kind kind, const void *elements, uint32_t n);
/* Bytes of an element of a table. */
size_t forest_table_element(uint32_t kind);

/* The builder's derived columns as those of a forest. */
score_status forest_assemble_derived(const score_builder *b, sl_arena *arena, forest *f, score_error *error);

/* Inputs and derived columns so far. */
static inline uint32_t forest_builder_columns(const score_builder *b)
{
	return b->contract.n_features + (uint32_t)b->programs.length;
}

void forest_index_free(score_builder *b, raw_index *index);

#endif
