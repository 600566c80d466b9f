/*
 * Linear models: margin = bias + sum of x * w, features in ascending order, multiply and add rounded apart.
 *
 * Comes in: rows through the view, a run of one feature at a time. The running sums live in the caller's output rows, so
 * that the only other memory is one run of values. One order of additions per row, whatever the batch.
 */
#include "parts.h"

#define RUN 256u

/* Where the sums of one output group of a run of rows live. */
typedef struct sums {
	double *at;       /* of the first row */
	size_t row_width; /* doubles from row to row */
	uint32_t first, n; /* outputs */
} sums;

static void add_f32(const forest *f, const float *x, size_t rows, const double *weights, const sums *s)
{
	for (size_t r = 0; r < rows; r++) {
		double *sum = s->at + r * s->row_width;
		if (f->linear_skip_missing && x[r] != x[r])
			continue;
		for (uint32_t o = 0; o < s->n; o++)
			sum[o] = (double)((float)sum[o] + x[r] * (float)weights[o]);
	}
}

static void add_f64(const forest *f, const double *x, size_t rows, const double *weights, const sums *s)
{
	for (size_t r = 0; r < rows; r++) {
		double *sum = s->at + r * s->row_width;
		if (f->linear_skip_missing && x[r] != x[r])
			continue;
		for (uint32_t o = 0; o < s->n; o++)
			sum[o] = sum[o] + x[r] * weights[o];
	}
}

/* Fetched in the contract's compare type, summed in its sum type. */
static void add_feature(const engine *e, const input_view *view, uint32_t feature, row_range rows, const sums *s)
{
	const forest *f = e->f;
	const double *weights = f->linear_weights + (size_t)feature * f->contract.n_outputs + s->first;
	float narrow[RUN];
	double wide[RUN];
	if (f->contract.compare == SCORE_F32) {
		input_fetch_f32(view, feature, rows.first, rows.n, narrow);
		for (size_t r = 0; r < rows.n; r++)
			wide[r] = (double)narrow[r];
	} else {
		input_fetch_f64(view, feature, rows.first, rows.n, wide);
	}
	if (f->contract.sum == SCORE_F64) {
		add_f64(f, wide, rows.n, weights, s);
		return;
	}
	for (size_t r = 0; r < rows.n; r++)
		narrow[r] = (float)wide[r];
	add_f32(f, narrow, rows.n, weights, s);
}

static void margins(const engine *e, const engine_call *call, row_range rows, const sums *s)
{
	const forest *f = e->f;
	bool base_first = f->contract.base_position == SCORE_BASE_FIRST;
	for (size_t r = 0; r < rows.n; r++) {
		for (uint32_t o = 0; o < s->n; o++)
			s->at[r * s->row_width + o] = base_first ? f->base[s->first + o] : 0.0;
	}
	for (uint32_t i = 0; i < f->n_features; i++)
		add_feature(e, call->view, i, rows, s);
	for (size_t r = 0; r < rows.n && !base_first; r++) {
		double *sum = s->at + r * s->row_width;
		for (uint32_t o = 0; o < s->n; o++)
			sum[o] = forest_finish_margin(&f->contract, sum[o], f->base[s->first + o], 1);
	}
}

/* Argmax of more outputs than the output row holds: a group of them at a time, one row. */
static double argmax(const engine *e, const engine_call *call, int64_t row)
{
	uint32_t n_outputs = e->f->contract.n_outputs, best = 0;
	double group[64], best_margin = 0.0;
	for (uint32_t first = 0; first < n_outputs; first += 64) {
		uint32_t n = n_outputs - first < 64 ? n_outputs - first : 64;
		sums s = {group, n, first, n};
		margins(e, call, (row_range){row, 1}, &s);
		for (uint32_t o = 0; o < n; o++) {
			if (first + o == 0 || group[o] > best_margin) {
				best = first + o;
				best_margin = group[o];
			}
		}
	}
	return (double)best;
}

void engine_linear(const engine *e, const engine_call *call, row_range rows)
{
	const forest *f = e->f;
	size_t width = engine_output_width(e, call->output, 0);
	uint32_t n_outputs = f->contract.n_outputs;
	for (size_t done = 0; done < rows.n; done += RUN) {
		row_range run = {rows.first + (int64_t)done, rows.n - done < RUN ? rows.n - done : RUN};
		double *out = call->out + (size_t)run.first * width;
		if (width < n_outputs) {
			for (size_t r = 0; r < run.n; r++)
				out[r] = argmax(e, call, run.first + (int64_t)r);
			continue;
		}
		margins(e, call, run, &(sums){out, width, 0, n_outputs});
		for (size_t r = 0; r < run.n && call->output == SCORE_OUTPUT_PREDICTION; r++)
			engine_link_row(f, 1, out + r * width, out + r * width);
	}
}
