/* Seeded derived columns of every kind, for tests. */
#ifndef TEST_RANDOM_COLUMNS_H
#define TEST_RANDOM_COLUMNS_H

#include <scoreline/build.h>

/* Adds `n` columns to a builder with `n_features` inputs that has none yet. */
score_status random_columns(score_builder *builder, uint64_t seed, uint32_t n_features, uint32_t n, score_error *error);

#endif
