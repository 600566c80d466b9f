/* The model that a builder was told of. Include after cmocka.h. */
#ifndef TESTS_FINISH_MODEL_H
#define TESTS_FINISH_MODEL_H

#include <scoreline/build.h>

/* Frees the builder; the test fails if there is no model. */
static inline score_model *finish_model(score_builder *b)
{
	score_model *model = NULL;
	score_error error;
	if (score_builder_finish(b, &model, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	score_builder_free(b);
	return model;
}

#endif
