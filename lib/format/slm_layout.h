/*
 * What the files of this room share: the fixed numbers of the layout, the sections, and arrays as bytes.
 * docs/format.md is the description; names in it and here are the same.
 */
#ifndef SL_SLM_LAYOUT_H
#define SL_SLM_LAYOUT_H

#include "slm.h"

/* Return from the function unless the call succeeds. */
#define TRY(CALL) \
	do { \
		const score_status status_ = (CALL); \
		if (status_ != SCORE_OK) \
			return status_; \
	} while (0)

#define SLM_MAGIC "\x89SLM\r\n\x1a\n"
#define SLM_MAGIC_BYTES 8
#define SLM_VERSION 1u      /* written                                         */
#define SLM_MIN_READABLE 1u /* oldest reader that understands what is written  */
#define SLM_PRELUDE_BYTES 32u
#define SLM_HASH_BYTES 16u
#define SLM_ALIGN 64u
#define SLM_MAX_HEADER_BYTES (64u << 20)

enum {
	SLM_CUTS,
	SLM_CUT_TESTS,
	SLM_SET_SIZES,
	SLM_SET_FIRSTS,
	SLM_SET_GAPS,
	SLM_SET_TEST_FEATURES,
	SLM_SET_TEST_SETS,
	SLM_SET_TEST_FLAGS,
	SLM_TREE_OUTPUTS,
	SLM_TOPOLOGY,
	SLM_SPLIT_TESTS,
	SLM_LEAVES,
	SLM_LEAF_ID_EXPLICIT,
	SLM_LEAF_IDS,
	SLM_BASE,
	SLM_LINEAR_WEIGHTS,
	SLM_GOLDEN_ROWS,
	SLM_GOLDEN_MARGINS,
	SLM_LEAF_COVERS,
	SLM_SPLIT_COVERS,
	SLM_LABEL_SIZES,
	SLM_LABEL_TEXT,
	SLM_LABEL_CODES,
	SLM_DERIVED_CUTS,
	SLM_DERIVED_ROOTS,
	SLM_DERIVED_SOURCES,
	SLM_DERIVED_LISTS,
	SLM_DERIVED_HASHES,
	SLM_DERIVED_LEAST,
	SLM_DERIVED_STEPS,
	SLM_STEP_OPERATIONS,
	SLM_STEP_A,
	SLM_STEP_B,
	SLM_STEP_KEYS,
	SLM_STEP_VALUES,
	SLM_LIST_SIZES,
	SLM_LIST_MEMBERS,
	SLM_TABLE_SIZES,
	SLM_TABLE_VALUES,
	SLM_HASH_SIZES,
	SLM_HASH_LOW,
	SLM_HASH_HIGH,
	SLM_LEAF_CONSTANTS,
	SLM_LEAF_TERMS,
	SLM_TERM_FEATURES,
	SLM_TERM_COEFFICIENTS,
	SLM_N_SECTIONS
};

/* What a file may need that the first readers of version 1 do not know: the words of `requires`, in this order. */
enum { SLM_NEEDS_DERIVED, SLM_NEEDS_SLOPE, SLM_NEEDS_LINEAR_LEAVES, SLM_NEEDS_PARTS, SLM_N_REQUIREMENTS };
extern const char *const slm_requirement_names[SLM_N_REQUIREMENTS];

/* One array: `count` elements of `bits` bits, floats or unsigned integers. Offsets count from the first section. */
typedef struct slm_section {
	uint64_t count;
	uint64_t offset;
	uint64_t bytes;
	uint8_t bits;
	bool is_float;
	bool present;
} slm_section;

typedef int32_t slm_leaf_rule;
#define SLM_LEAF_ORDER 0 /* leaves from left to right                          */
#define SLM_PREORDER 1   /* splits and leaves in preorder                      */
#define SLM_LEVEL_ORDER 2 /* splits and leaves breadth first                   */
#define SLM_N_LEAF_RULES 3

/* What the header says of a feature's dictionary; its labels stand in sections. `flags` is 0 where there is none. */
typedef struct slm_dictionary {
	double unknown;
	uint32_t n_labels;
	uint32_t flags; /* SCORE_DICTIONARY_* */
} slm_dictionary;

/* Everything of the header that is not in the forest itself. */
typedef struct slm_table {
	slm_section sections[SLM_N_SECTIONS];
	slm_leaf_rule leaf_rule;
	uint32_t n_set_tests;
	uint32_t n_labels; /* of all dictionaries together */
	slm_dictionary *dictionaries; /* of a file that is read: [n_features], or NULL if no feature has one */
	uint32_t n_derived_cuts;
	bool needs[SLM_N_REQUIREMENTS];
	uint64_t section_bytes; /* from the first section to the end of the last */
} slm_table;

extern const char *const slm_section_names[SLM_N_SECTIONS];

/* Words of the header: the name at position v stands for the constant v. */
typedef struct slm_words {
	const char *const *names;
	uint32_t count;
} slm_words;
extern const slm_words slm_words_kind;
extern const slm_words slm_words_dtype;
extern const slm_words slm_words_base;
extern const slm_words slm_words_average;
extern const slm_words slm_words_category;
extern const slm_words slm_words_link;
extern const slm_words slm_words_feature;
extern const slm_words slm_words_leaf_rule;
extern const slm_words slm_words_vote;
extern const slm_words slm_words_combine;

/* ---- bytes, the same on every host ---------------------------------------------------------------- */

static inline uint32_t slm_get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t slm_get_u64(const uint8_t *p)
{
	return (uint64_t)slm_get_u32(p) | (uint64_t)slm_get_u32(p + 4) << 32;
}

static inline void slm_put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static inline void slm_put_u64(uint8_t *p, uint64_t v)
{
	slm_put_u32(p, (uint32_t)v);
	slm_put_u32(p + 4, (uint32_t)(v >> 32));
}

/* ---- arrays as bytes (slm_arrays.c) ----------------------------------------------------------------- */

/* Bytes of `count` elements of `bits` bits; false if that is no size. */
bool slm_array_bytes(uint64_t count, uint32_t bits, uint64_t *out);
/* Bits of the largest value, at least 1. */
uint32_t slm_width(const uint32_t *values, size_t n);
/* Up to eight bytes from `at`; past the end there are zeros. */
uint64_t slm_tail_u64(const uint8_t *bytes, size_t size, size_t at);
/* Bits i*bits … of `bytes`, least significant first; `bytes` holds all of them. */
static inline uint32_t slm_unpack_one(const uint8_t *bytes, size_t size, uint32_t bits, size_t i)
{
	const uint64_t mask = ((uint64_t)1 << bits) - 1;
	const uint64_t bit = (uint64_t)i * bits;
	const size_t at = (size_t)(bit >> 3);
	const uint64_t window = at + 8 <= size ? slm_get_u64(bytes + at) : slm_tail_u64(bytes, size, at);
	return (uint32_t)(window >> (bit & 7) & mask);
}
/* `out` has room for `n`. */
void slm_unpack(const uint8_t *bytes, size_t size, uint32_t bits, uint32_t *out, size_t n);
/* `out` is zeroed and large enough. */
void slm_pack(const uint32_t *values, size_t n, uint32_t bits, uint8_t *out);
/* Every value is a float, NaN payloads included. */
bool slm_all_f32(const double *values, size_t n);
void slm_floats_to_bytes(const double *values, size_t n, uint32_t bits, uint8_t *out);
void slm_floats_from_bytes(const uint8_t *bytes, uint32_t bits, double *out, size_t n);
/* Of 32 bits, as they are. */
void slm_narrow_floats_from_bytes(const uint8_t *bytes, float *out, size_t n);

/* ---- trees (slm_trees.c) ---------------------------------------------------------------------------- */

/* Leaf numbers of one tree under a rule. `scratch` and `ids` have room for its splits and its leaves. */
void slm_rule_ids(slm_leaf_rule rule, uint32_t n_splits, const forest_children *children, uint32_t *scratch, uint32_t *ids);
/* One value per split and leaf of all trees: 1 is a split, 0 a leaf, in preorder. */
score_status slm_topology(const forest *f, const score_allocator *allocator, uint32_t *out, score_error *error);
/* The reverse, in two steps. Where trees begin and end: */
score_status slm_count_trees(const forest *f, const slm_section *section, const uint8_t *bytes, forest_tree *trees,
	score_error *error);

/* A split whose left side is being read. */
typedef struct slm_open_split {
	uint32_t split;
	uint32_t first_leaf;
	uint32_t depth; /* of its children */
} slm_open_split;

typedef struct slm_topology_cursor {
	const uint8_t *bytes;
	uint64_t at;          /* bit */
	slm_open_split *open; /* [splits of the largest tree, at most FOREST_MAX_DEPTH] */
} slm_topology_cursor;

/* then the next tree, whose bits were counted: its depth, pairs, children and left_leaves, in the number of bytes that is named. False
 * if it is deeper than FOREST_MAX_DEPTH. */
bool slm_shape_tree(slm_topology_cursor *topology, forest_tree *tree, const forest_children *children, void *left_leaves,
	uint32_t number_bytes);

/* ---- dictionaries (slm_labels.c) --------------------------------------------------------------------- */

/* Labels of all features: numbers of bytes, the bytes themselves without ends, and codes. */
typedef struct slm_labels {
	uint32_t n;
	size_t n_bytes;
	const uint32_t *sizes;
	const uint8_t *text;
	const double *codes;
} slm_labels;

score_status slm_list_labels(const forest *f, sl_arena *arena, slm_labels *out, score_error *error);
/* The reverse: checked dictionaries of the features, which the header has announced in `table`. */
score_status slm_take_labels(const slm_labels *labels, const slm_table *table, sl_arena *scratch, sl_arena *arena,
	forest *f, score_error *error);

/* ---- header (slm_header_write.c, slm_header_read.c) -------------------------------------------------- */

score_status slm_header_write(const forest *f, const slm_table *table, sl_vector *out, score_error *error);
/* Fills contract, counts, features and metadata of `f`, and the table. Sizes are checked against each other and against
 * `section_bytes`, the room for sections in the file; contents of sections are not looked at. */
score_status slm_header_read(const uint8_t *header, size_t size, uint64_t section_bytes, sl_arena *arena, forest *f,
	slm_table *table, score_error *error);

#endif
