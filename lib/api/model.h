/* api: the model object behind score_model, and the one way to make it. */
#ifndef SL_API_MODEL_H
#define SL_API_MODEL_H

#include "../engine/engine.h"

struct score_model {
	sl_arena arena;  /* holds everything, this struct too */
	const forest *f;
	const engine *e;
	uint64_t file_bytes;
	uint8_t hash[16];
};

/* Compile `f`, which lives in `arena`, into a model that takes over the arena. On failure the arena is freed. */
score_status sl_model_make(sl_arena *arena, const forest *f, score_isa isa, score_model **out, score_error *error);

#endif
