/* What a model of unknown origin can be asked besides plain scores. */
#ifndef TEST_FUZZ_LOOK_H
#define TEST_FUZZ_LOOK_H

#include "fuzz.h"

/* Texts, golden rows, codes, stages, contributions, export; saved, opened and saved again it has the same bytes. */
void fuzz_look(const score_model *model);

#endif
