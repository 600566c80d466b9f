/*
 * engine: a forest compiled for scoring, and the calls that score.
 *
 * Comes in: a checked forest, once; then blocks of rows through an input_view. Goes out: margins, predictions or leaf
 * numbers, bit-identical whatever regime, instruction set or block size served them.
 */
#ifndef SL_ENGINE_H
#define SL_ENGINE_H

#include "../forest/forest.h"
#include "../input/view.h"

typedef struct engine engine;

/* `isa` is AUTO or available on this processor. Everything is allocated in `arena`. */
score_status engine_compile(const forest *f, score_isa isa, sl_arena *arena, engine **out, score_error *error);

score_isa engine_isa(const engine *e);
score_regime engine_batch_regime(const engine *e);
score_regime engine_row_regime(const engine *e);
uint32_t engine_code_bytes(const engine *e);
size_t engine_scratch_bytes(const engine *e);

/* One call: rows [0, view.n_rows), trees [tree_begin, tree_end). */
typedef struct engine_call {
	const input_view *view;
	score_output output;
	score_regime regime; /* AUTO, or one that engine_can_serve() */
	uint32_t tree_begin;
	uint32_t tree_end;
	void *scratch;
	size_t scratch_bytes;
	double *out;         /* [n_rows, values per row] */
} engine_call;

/* NULL if the regime can serve the call, else why not. */
const char *engine_cannot_serve(const engine *e, const engine_call *call);
void engine_score(const engine *e, const engine_call *call);

/* Values per row of an output over `n_trees` trees. */
size_t engine_output_width(const engine *e, score_output output, uint32_t n_trees);

/* ---- processor -------------------------------------------------------------------------------------- */

bool engine_isa_available(score_isa isa);
score_isa engine_best_isa(void);

#endif
