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

#endif
