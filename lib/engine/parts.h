/* engine: the compiled model and what the regimes share. Private to lib/engine. */
#ifndef SL_ENGINE_PARTS_H
#define SL_ENGINE_PARTS_H

#include "engine.h"
#include "link.h"

struct engine {
	const forest *f;
	score_isa isa;
};

/* Rows [first, first + n) of the call. */
typedef struct row_range {
	int64_t first;
	size_t n;
} row_range;

/* Compare values with cuts as they lie in the caller's memory. No scratch, any width: the last resort. */
void engine_direct(const engine *e, const engine_call *call, row_range rows);

void engine_linear(const engine *e, const engine_call *call, row_range rows);

/* Boosting iterations in the call's tree range. */
static inline uint32_t engine_iterations(const engine *e, const engine_call *call)
{
	return (call->tree_end - call->tree_begin) / e->f->contract.trees_per_iteration;
}

#endif
