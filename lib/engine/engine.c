/* The engine's front: compile once, then choose a regime for each call. */
#include "parts.h"

score_status engine_compile(const forest *f, score_isa isa, sl_arena *arena, engine **out, score_error *error)
{
	*out = NULL;
	engine *e = sl_arena_alloc(arena, 1, sizeof *e);
	if (!e)
		return sl_fail_memory(error, sizeof *e);
	e->f = f;
	e->isa = isa == SCORE_ISA_AUTO ? engine_best_isa() : isa;
	*out = e;
	return SCORE_OK;
}

score_isa engine_isa(const engine *e)
{
	return e->isa;
}

score_regime engine_batch_regime(const engine *e)
{
	return e->f->kind == SCORE_KIND_LINEAR ? SCORE_REGIME_LINEAR : SCORE_REGIME_WALK;
}

score_regime engine_row_regime(const engine *e)
{
	return e->f->kind == SCORE_KIND_LINEAR ? SCORE_REGIME_LINEAR : SCORE_REGIME_WALK;
}

uint32_t engine_code_bytes(const engine *e)
{
	(void)e;
	return 1;
}

size_t engine_scratch_bytes(const engine *e)
{
	(void)e;
	return 0;
}

size_t engine_output_width(const engine *e, score_output output, uint32_t n_trees)
{
	if (output == SCORE_OUTPUT_LEAF)
		return n_trees;
	return output == SCORE_OUTPUT_MARGIN ? e->f->contract.n_outputs : e->f->n_predictions;
}

const char *engine_cannot_serve(const engine *e, const engine_call *call)
{
	(void)call;
	return e->f->kind == SCORE_KIND_TREES ? NULL : "the model is linear";
}

void engine_score(const engine *e, const engine_call *call)
{
	row_range all = {0, (size_t)call->view->n_rows};
	if (e->f->kind == SCORE_KIND_LINEAR)
		engine_linear(e, call, all);
	else
		engine_direct(e, call, all);
}
