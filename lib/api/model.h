/* api: the model object behind score_model, and the one way to make it. */
#ifndef SL_API_MODEL_H
#define SL_API_MODEL_H

#include "../engine/engine.h"

#include <stdatomic.h>

struct score_model {
	sl_arena arena;  /* holds everything, this struct too */
	const forest *f;
	const engine *e;
	engine_class_rule class_rule;
	uint32_t n_class_labels;
	const char *const *class_labels; /* UTF-8 */
	uint64_t file_bytes;
	uint8_t hash[16];
	_Atomic(double *) wide_cuts; /* all cuts of a forest that has floats, made for the first who asks for columns of codes; or NULL */
};

struct score_explainer {
	sl_arena arena; /* holds everything, this struct too */
	const score_model *model;
	const engine_background *background;
};

/* Compile `f`, which lives in `arena`, into a model that takes over the arena. On failure the arena is freed. */
score_status sl_model_make(sl_arena *arena, const forest *f, score_isa isa, bool small, score_model **out, score_error *error);

/* Options of opening with their defaults, checked. */
score_status sl_model_take_open_options(const score_open_options *given, score_open_options *o, score_error *error);

/* What stands in the bytes of a file; those may go before the forest is compiled. */
typedef struct sl_model_decoded {
	sl_arena arena;
	forest *f;
	size_t size;
	uint8_t hash[16];
} sl_model_decoded;

/* On failure nothing is held. */
score_status sl_model_decode(const void *data, size_t size, const score_open_options *o, sl_model_decoded *d,
	score_error *error);
/* Compile it; the model takes over the arena. On failure *out is NULL and the arena is freed. */
score_status sl_model_finish_open(sl_model_decoded *d, const score_open_options *o, score_model **out,
	score_error *error);

/* Margins of a row whose number of outputs does not fit the output: so many fit the stack. */
#define SL_MODEL_MARGINS 64u

/* Options with their defaults, checked against the model. */
score_status sl_model_take_options(const score_model *model, const score_options *given, score_options *o,
	score_error *error);

/* Check the rows, values or codes, against the model. */
score_status sl_model_open_input(const score_model *model, const score_input *input, const score_plan *plan,
	input_view *view, score_error *error);

/* What the metadata say of classes: "class_labels", a JSON list of texts, numbers and booleans, and "class_rule". A list
 * that is something else counts as absent. */
score_status sl_model_take_classes(score_model *model, sl_arena *arena, score_error *error);

#endif
