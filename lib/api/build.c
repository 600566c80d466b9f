/* score_builder_finish(): from a builder to a model. The other builder calls live in forest/. */
#include "../forest/builder.h"
#include "model.h"

static score_status finish(score_builder *b, score_model **out, score_error *error)
{
	sl_arena arena;
	forest *f;
	sl_arena_init(&arena, &b->allocator, (size_t)b->options.max_bytes);
	score_status status = forest_from_builder(b, &arena, &f, error);
	if (status != SCORE_OK) {
		sl_arena_free(&arena);
		return status;
	}
	b->spent = true;
	return sl_model_make(&arena, f, b->options.isa, false, out, error);
}

score_status score_builder_finish(score_builder *b, score_model **out, score_error *error)
{
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_builder_finish: out is NULL");
	*out = NULL;
	if (!b || b->spent)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_builder_finish: the builder is NULL or spent");
	unsigned host = sl_enter_default_float();
	score_status status = finish(b, out, error);
	sl_leave_default_float(host);
	return status;
}
