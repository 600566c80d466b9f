/*
 * The direct regime: every split fetches its feature from the caller's memory and compares it with the cut itself.
 *
 * Serves what the quantised regimes cannot: models so wide that a row's codes do not fit on the stack when the caller
 * gives no scratch. Uses a few KiB of stack whatever the model.
 */
#include "parts.h"

#define CHUNK 256u /* outputs summed at a time */

static double fetch(const engine *e, const engine_call *call, uint32_t feature, int64_t row)
{
	double wide;
	if (forest_is_hashed(e->f, feature)) {
		input_fetch_hashed(call->view, feature, row, 1, &wide);
		return wide;
	}
	if (e->f->contract.compare == SCORE_F32) {
		float x;
		input_column_f32(e->f, call->view, feature, row, 1, &x);
		return (double)x;
	}
	input_column_f64(e->f, call->view, feature, row, 1, &wide);
	return wide;
}

static uint32_t walk(const engine *e, const engine_call *call, uint32_t tree, int64_t row)
{
	const forest *f = e->f;
	forest_side at = forest_whole(f->trees + tree);
	while (!forest_is_leaf(&at)) {
		uint32_t number = forest_number(&f->split_test, at.split);
		const forest_test test = forest_test_at(f, number);
		const question q = question_at(&e->questions, number);
		bool right = call->view->codes ? engine_answers_right(e, &q, engine_code_at(e, call->view, q.column, row))
					       : forest_goes_right(f, &test, fetch(e, call, test.feature, row));
		at = right ? forest_right(f, &at) : forest_left(f, &at);
	}
	return at.leaf;
}

/* Sums of outputs [first, first + n) of one row. */
static void sum_outputs(const engine *e, const engine_call *call, int64_t row, uint32_t first, uint32_t n, double *sums)
{
	const forest *f = e->f;
	for (uint32_t t = call->tree_begin; t < call->tree_end; t++) {
		uint32_t output = f->trees[t].output;
		if (output + f->leaf_width <= first || output >= first + n)
			continue;
		uint32_t leaf = walk(e, call, t, row);
		bool is_linear = engine_has_linear_leaves(e);
		for (uint32_t i = 0; i < f->leaf_width; i++) {
			if (output + i < first || output + i >= first + n)
				continue;
			double value = is_linear ? engine_linear_leaf(e, call->view, row, leaf)
						 : forest_real(&f->leaves, (size_t)leaf * f->leaf_width + i);
			sums[output + i - first] = engine_add(f, sums[output + i - first], value);
		}
	}
}

static void margins(const engine *e, const engine_call *call, int64_t row, uint32_t first, uint32_t n, double *out)
{
	const forest *f = e->f;
	bool base_first = f->contract.base_position == SCORE_BASE_FIRST;
	for (uint32_t o = 0; o < n; o++)
		out[o] = base_first ? f->base[first + o] : 0.0;
	sum_outputs(e, call, row, first, n, out);
	for (uint32_t o = 0; o < n; o++)
		out[o] = forest_finish_margin(&f->contract, out[o], f->base[first + o], engine_iterations(e, call));
}

/* First largest margin without room for all of them. */
static double argmax(const engine *e, const engine_call *call, int64_t row)
{
	uint32_t n_outputs = e->f->contract.n_outputs, best = 0;
	double chunk[CHUNK], best_margin = 0.0;
	for (uint32_t first = 0; first < n_outputs; first += CHUNK) {
		uint32_t n = n_outputs - first < CHUNK ? n_outputs - first : CHUNK;
		margins(e, call, row, first, n, chunk);
		for (uint32_t o = 0; o < n; o++) {
			if (first + o == 0 || chunk[o] > best_margin) {
				best = first + o;
				best_margin = chunk[o];
			}
		}
	}
	return (double)best;
}

static void leaves(const engine *e, const engine_call *call, int64_t row, double *out)
{
	for (uint32_t t = call->tree_begin; t < call->tree_end; t++)
		*out++ = (double)forest_number(&e->f->leaf_ids, walk(e, call, t, row));
}

static void predict_row(const engine *e, const engine_call *call, int64_t row, double *out)
{
	uint32_t n_outputs = e->f->contract.n_outputs;
	if (e->f->link == SCORE_LINK_PARTS) {
		double few[FOREST_MAX_PART_OUTPUTS];
		margins(e, call, row, 0, n_outputs, few);
		engine_link_row(e->f, engine_iterations(e, call), few, out);
		return;
	}
	if (n_outputs > e->f->n_predictions) {
		out[0] = argmax(e, call, row);
		return;
	}
	margins(e, call, row, 0, n_outputs, out);
	engine_link_row(e->f, engine_iterations(e, call), out, out);
}

void engine_direct(const engine *e, const engine_call *call, row_range rows)
{
	size_t width = engine_output_width(e, call->output, call->tree_end - call->tree_begin);
	for (size_t i = 0; i < rows.n; i++) {
		int64_t row = rows.first + (int64_t)i;
		double *out = engine_row_out(call, row, width);
		if (call->output == SCORE_OUTPUT_LEAF)
			leaves(e, call, row, out);
		else if (call->output == SCORE_OUTPUT_MARGIN)
			margins(e, call, row, 0, e->f->contract.n_outputs, out);
		else
			predict_row(e, call, row, out);
	}
}
