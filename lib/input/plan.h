/* Binding by name: which input column feeds which feature. */
#ifndef SL_INPUT_PLAN_H
#define SL_INPUT_PLAN_H

#include "../forest/forest.h"
#include "view.h"

score_status input_bind(const forest *f, const score_allocator *allocator, const char *const *names,
	const score_dtype *types, size_t n_columns, score_plan **out, score_error *error);
void input_plan_free(score_plan *plan);

#endif
