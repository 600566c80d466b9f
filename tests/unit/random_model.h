/*
 * Seeded random models and rows for tests: any mixture of shapes, types, missing rules, categories, outputs.
 */
#ifndef TEST_RANDOM_MODEL_H
#define TEST_RANDOM_MODEL_H

#include <scoreline/build.h>

typedef struct random_spec {
	uint64_t seed;
	uint32_t n_features, n_outputs, n_trees;
	uint32_t max_leaves;       /* of a tree; trees have 1 … max_leaves */
	uint32_t cuts_per_feature; /* distinct thresholds to draw from */
	uint32_t leafwise;         /* 1: split any leaf (deep, uneven trees); 0: the shallowest */
	uint32_t most_levels;      /* not 0: full trees of 0 … most_levels levels that ask one question each; max_leaves has room */
	uint8_t all_levels;        /* not 0: of exactly most_levels levels */
	uint32_t category_features; /* the first ones */
	uint32_t zero_is_missing;  /* 1: some tests */
	uint32_t vector_leaves;
	uint32_t n_derived;        /* derived columns of all kinds */
	uint32_t linear_leaves;    /* 1: most trees; contracts in double only */
	uint32_t n_parts;          /* not 0: so many parts share the outputs, and `link` is not used; sums in double only */
	uint32_t has_covers;       /* 1: trees know how many training rows reached their nodes */
	score_dtype compare, sum;
	score_base_position base_position;
	score_average average;
	score_link link;
	score_isa isa;
} random_spec;

/* Never fails: asserts. */
score_model *random_model(const random_spec *spec);

/* `n` rows that often lie exactly on thresholds, beside them, or are NaN, ±0, ±inf, denormal, odd categories. */
void random_rows(const random_spec *spec, uint64_t seed, size_t n, double *rows);

uint64_t random_u64(uint64_t *state);

#endif
