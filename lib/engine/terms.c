/*
 * Linear leaves: a leaf's constant and its terms, in the source's order, in double.
 *
 * Comes in: a leaf that a regime reached, and the row's values. Goes out: what the tree adds to the sum.
 */
#include "parts.h"

/* Gather the planes of the bits of row numbers: what stands where is then known, whatever order the kernels like. */
static const uint16_t *find_places(const kernels *k, sl_arena *arena)
{
	enum { PLANES = 10, ZERO = 9 };
	const uint16_t low[8] = {0, 1, 2, 3, 4, 5, 6, 7}, high[8] = {8, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO};
	size_t words = k->plane_words, bytes = PLANES * words * sizeof(uint64_t), n = 64 * words;
	uint16_t *place = sl_arena_alloc(arena, BLOCK_ROWS, sizeof *place);
	uint64_t *planes = sl_alloc(&arena->allocator, bytes, SL_CACHE_LINE);
	uint8_t *codes = sl_alloc(&arena->allocator, (size_t)2 * BLOCK_ROWS, SL_CACHE_LINE);
	bool done = place && planes && codes;
	if (done) {
		memset(planes, 0, bytes);
		for (size_t r = 0; r < n; r++) {
			for (size_t bit = 0; bit < ZERO; bit++)
				planes[bit * words + r / 64] |= (uint64_t)(r >> bit & 1) << r % 64;
		}
		k->gather_bits(planes, low, 8, words, codes);
		k->gather_bits(planes, high, 8, words, codes + BLOCK_ROWS);
		for (size_t at = 0; at < n; at++)
			place[codes[at] + 256 * (codes[BLOCK_ROWS + at] & 1)] = (uint16_t)at;
	}
	sl_free(&arena->allocator, planes, bytes, SL_CACHE_LINE);
	sl_free(&arena->allocator, codes, (size_t)2 * BLOCK_ROWS, SL_CACHE_LINE);
	return done ? place : NULL;
}

score_status engine_make_terms(engine *e, sl_arena *arena, score_error *error)
{
	const forest *f = e->f;
	const forest_linear_leaves *l = &f->linear_leaves;
	term_plan *plan = &e->terms;
	if (!engine_has_linear_leaves(e))
		return SCORE_OK;
	uint32_t *slot_of = sl_alloc(&arena->allocator, forest_columns(f) * sizeof *slot_of, 64);
	uint32_t *features = sl_arena_alloc(arena, forest_columns(f), sizeof *features);
	uint32_t *slots = sl_arena_alloc(arena, l->n_terms, sizeof *slots);
	plan->place = find_places(e->k, arena);
	plan->narrow_place = e->k->narrow ? find_places(e->k->narrow, arena) : plan->place;
	score_status status = SCORE_OK;
	if (!slot_of || !features || !slots || !plan->place || !plan->narrow_place) {
		status = sl_fail_memory(error, (forest_columns(f) + (size_t)l->n_terms) * sizeof *slots);
	} else {
		memset(slot_of, 0, forest_columns(f) * sizeof *slot_of);
		for (uint32_t i = 0; i < l->n_terms; i++)
			slot_of[l->features[i]] = 1;
		for (uint32_t i = 0; i < forest_columns(f); i++) {
			if (slot_of[i]) {
				slot_of[i] = plan->n_features;
				features[plan->n_features++] = i;
			}
		}
		for (uint32_t i = 0; i < l->n_terms; i++)
			slots[i] = slot_of[l->features[i]];
		plan->features = features;
		plan->slots = slots;
	}
	sl_free(&arena->allocator, slot_of, forest_columns(f) * sizeof *slot_of, 64);
	return status;
}

double engine_linear_leaf(const engine *e, const input_view *view, int64_t row, uint32_t leaf)
{
	const forest_linear_leaves *l = &e->f->linear_leaves;
	double sum = l->constants[leaf];
	for (uint32_t i = l->first_term[leaf]; i < l->first_term[leaf + 1]; i++) {
		double x;
		input_column_f64(e->f, view, l->features[i], row, 1, &x);
		if (x != x)
			return forest_real(&e->f->leaves, leaf);
		sum += l->coefficients[i] * forest_linear_value(x);
	}
	return sum;
}

void engine_fetch_terms(const engine *e, const input_view *view, row_range rows, double *values)
{
	for (uint32_t i = 0; i < e->terms.n_features; i++, values += BLOCK_ROWS) {
		input_column_f64(e->f, view, e->terms.features[i], rows.first, rows.n, values);
		for (size_t r = 0; r < rows.n; r++)
			values[r] = forest_linear_value(values[r]);
	}
}

double engine_linear_leaf_of_block(const engine *e, const double *values, size_t r, uint32_t leaf)
{
	const forest_linear_leaves *l = &e->f->linear_leaves;
	double sum = l->constants[leaf];
	for (uint32_t i = l->first_term[leaf]; i < l->first_term[leaf + 1]; i++) {
		double x = values[(size_t)e->terms.slots[i] * BLOCK_ROWS + r];
		if (x != x)
			return forest_real(&e->f->leaves, leaf);
		sum += l->coefficients[i] * x;
	}
	return sum;
}
