/* The last stage: sums of one row → margins → predictions. */
#ifndef SL_ENGINE_LINK_H
#define SL_ENGINE_LINK_H

#include "../forest/forest.h"

/* Predictions of one row from its n_outputs margins. `margins` and `out` may be the same array if the link gives as many
 * values as it takes. `iterations`: boosting iterations in the summed range. */
void engine_link_row(const forest *f, uint32_t iterations, const double *margins, double *out);

#endif
