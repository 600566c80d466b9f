/* Small models for the tests of endpoints: what a version answers says which version it was. */
#ifndef TEST_SERVED_MODELS_H
#define TEST_SERVED_MODELS_H

#include <scoreline/build.h>
#include <scoreline/endpoint.h>

/* Linear: margin = answer + 0 * a + 0 * b, features "a" and "b". Asserts. */
score_model *answering_model(double answer);
/* margin = scale * a + b. */
score_model *scaling_model(double scale);
/* The bytes of a model file with golden rows, whose margins are off by `wrong`. Freed by free(). */
void *model_bytes(const score_model *model, double wrong, size_t *size);
score_model *model_of_bytes(const void *bytes, size_t size);

/* Versions "m-1" and "m-2" with so many percent of the traffic each; `shadow` is one of these names, or NULL, and so may be
 * `observer`. Asserts. */
score_endpoint *two_versions(score_model *first, score_model *second, int32_t first_percent, int32_t second_percent, const char *shadow,
	const score_observer *observer);

#endif
