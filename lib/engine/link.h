/* The last stage: sums of one row → margins → predictions. */
#ifndef SL_ENGINE_LINK_H
#define SL_ENGINE_LINK_H

#include "../forest/forest.h"

/* Predictions of one row from its n_outputs margins. `margins` and `out` may be the same array if the link gives as many
 * values as it takes. `iterations`: boosting iterations in the summed range. */
void engine_link_row(const forest *f, uint32_t iterations, const double *margins, double *out);

/* One link for n margins, in the type `sum`; not PARTS. `x` and `out` may be the same array. */
void engine_link_values(score_link link, double parameter, score_dtype sum, uint32_t n, const double *x, double *out);
/* exp(x) as CatBoost 1.2.10 computes it (exp_catboost.c). Out of its range: 0, infinity, and NaN of NaN, which is what it gives
 * for the last values of a list, up to three; the others, in fours, it takes into the range first, NaN to the upper end. */
double engine_exp_catboost(double x);
double engine_exp_catboost_bounded(double x);
/* Predictions of a model of parts (combine.c); `margins` and `out` may be the same array. */
void engine_combine(const forest *f, const double *margins, double *out);

#endif
