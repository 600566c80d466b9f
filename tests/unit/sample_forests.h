/*
 * Small models made by the public builder: one for each construct that a model can hold. Unit tests use them, and
 * slm_tool writes them as files for the tests in Python.
 */
#ifndef SAMPLE_FORESTS_H
#define SAMPLE_FORESTS_H

#include "forest/forest.h"

typedef struct sample {
	const char *name;
	score_contract contract;
	uint32_t n_trees;
	uint32_t n_splits; /* per tree */
	uint32_t numbering; /* SAMPLE_* */
	uint32_t flags;     /* SAMPLE_HAS_* */
} sample;

enum { SAMPLE_LEVEL, SAMPLE_PREORDER, SAMPLE_LEAF_ORDER, SAMPLE_SPLIT_ORDER };

#define SAMPLE_HAS_CATEGORIES 1u
#define SAMPLE_HAS_ZERO_MISSING 2u
#define SAMPLE_HAS_VECTORS 4u
#define SAMPLE_HAS_ODD_OUTPUTS 8u
#define SAMPLE_HAS_NAN_CUTS 16u
#define SAMPLE_IS_LINEAR 32u
#define SAMPLE_IS_CHAIN 64u
#define SAMPLE_ONLY_CATEGORIES 128u
#define SAMPLE_HAS_COVERS 256u     /* counts that add up */
#define SAMPLE_HAS_ODD_COVERS 512u /* weights that do not */
#define SAMPLE_HAS_DICTIONARIES 1024u
#define SAMPLE_HAS_DERIVED 2048u
#define SAMPLE_HAS_LINEAR_LEAVES 4096u /* every second tree */

extern const sample samples[];
extern const size_t n_samples;

/* The checked forest in `arena`; NULL (and a message on stderr) if the library refuses it. */
forest *sample_make(const sample *s, sl_arena *arena);
const sample *sample_find(const char *name);

#endif
