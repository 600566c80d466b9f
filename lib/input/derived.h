/*
 * Values of columns, inputs and derived ones alike.
 *
 * Comes in: a checked forest's programs and an input_view. Goes out: values of runs of rows, as input_fetch_f32() and
 * input_fetch_f64() give them for inputs. A derived value is computed in double whatever the caller's type.
 */
#ifndef SL_INPUT_DERIVED_H
#define SL_INPUT_DERIVED_H

#include "../forest/forest.h"
#include "view.h"

void input_derive_f32(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n, float *out);
void input_derive_f64(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n, double *out);

static inline void input_column_f32(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n,
	float *out)
{
	if (column < f->n_features)
		input_fetch_f32(view, column, first, n, out);
	else
		input_derive_f32(f, view, column, first, n, out);
}

static inline void input_column_f64(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n,
	double *out)
{
	if (column < f->n_features)
		input_fetch_f64(view, column, first, n, out);
	else
		input_derive_f64(f, view, column, first, n, out);
}

#endif
