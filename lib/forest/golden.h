/* What the two files that choose golden rows share. */
#ifndef FOREST_GOLDEN_H
#define FOREST_GOLDEN_H

#include "forest.h"

/* Derived columns by the input that they are made of: programs[first[i]] … of input i. */
typedef struct golden_askers {
	const uint32_t *first;    /* [n_features + 1] */
	const uint32_t *programs;
} golden_askers;

uint64_t forest_golden_random(uint64_t *state);
/* A number at a cut of the column, or beside one. */
double forest_golden_number(const forest *f, const forest_feature *feature, uint64_t *state);

bool forest_list_askers(const forest *f, sl_arena *scratch, golden_askers *out);
/* Some column made of the input gives missing values a meaning. */
bool forest_answers_missing(const forest *f, const golden_askers *askers, uint32_t input);
/* For an input that derived columns are made of. */
double forest_pick_for_programs(const forest *f, const golden_askers *askers, uint32_t input, uint64_t *state);

#endif
