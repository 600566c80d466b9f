/*
 * The self-test: golden rows through every regime of one instruction set, compared bit for bit.
 *
 * The rows are repeated up to a full block and a bit more, so that the batch regime runs as it does in production; fewer times where
 * rows are so wide that this would take more memory than the model.
 */
#include "model.h"

#define REPEATED_ROWS 600u
#define MOST_VALUES ((size_t)8 << 20) /* of all rows together, 64 MiB */

typedef struct verification {
	const forest *f;
	const engine *e;
	double *rows, *out; /* [n_rows, n_features] and [n_rows, n_outputs] */
	uint32_t n_rows;
	void *scratch;
	size_t scratch_bytes;
	uint64_t n_checked;
} verification;

static bool same(double a, double b)
{
	return sl_f64_bits(a) == sl_f64_bits(b) || (a != a && b != b);
}

static score_status check_regime(verification *v, score_regime regime, uint32_t n_rows, score_error *error)
{
	const forest *f = v->f;
	uint32_t n_outputs = f->contract.n_outputs;
	score_input in = score_input_rows_f64(v->rows, n_rows, f->n_features);
	input_view view;
	score_status status = input_open(&in, NULL, f, &view, error);
	if (SL_NEVER(status != SCORE_OK)) /* rows as the model wants them */
		return status;
	engine_call call = {&view, SCORE_OUTPUT_MARGIN, regime, 0, f->n_trees, v->scratch, v->scratch_bytes, v->out, 0, 0};
	if (engine_cannot_serve(v->e, &call))
		return SCORE_OK;
	engine_score(v->e, &call);
	for (size_t i = 0; i < (size_t)n_rows * n_outputs; i++, v->n_checked++) {
		size_t row = i / n_outputs % f->n_golden, output = i % n_outputs;
		double expected = f->golden_margins[row * n_outputs + output];
		if (!same(v->out[i], expected))
			return sl_fail(error, SCORE_ERR_VERIFY,
				"golden row %zu, output %zu: margin bits %016llx, stored %016llx (%s, %s)", row, output,
				(unsigned long long)sl_f64_bits(v->out[i]), (unsigned long long)sl_f64_bits(expected),
				score_isa_name(engine_isa(v->e)), score_regime_name(regime));
	}
	return SCORE_OK;
}

static score_status check_all(verification *v, score_error *error)
{
	static const score_regime regimes[] = {SCORE_REGIME_WALK, SCORE_REGIME_BATCH, SCORE_REGIME_LINEAR,
		SCORE_REGIME_ROW};
	const uint32_t sizes[] = {1, v->f->n_golden, v->n_rows};
	for (size_t i = 0; i < 12; i++) {
		score_status status = check_regime(v, regimes[i % 4], sizes[i / 4], error);
		if (status != SCORE_OK)
			return status;
	}
	return SCORE_OK;
}

static uint32_t repeated_rows(const forest *f)
{
	const size_t widest = f->n_features > f->contract.n_outputs ? f->n_features : f->contract.n_outputs;
	const size_t fitting = MOST_VALUES / widest; /* no model is without features: forest_check() */
	const uint32_t n = fitting < REPEATED_ROWS ? (uint32_t)fitting : REPEATED_ROWS;
	return n > f->n_golden ? n : f->n_golden;
}

static score_status run(verification *v, const score_allocator *a, score_error *error)
{
	size_t n_features = v->f->n_features, n_outputs = v->f->contract.n_outputs;
	v->n_rows = repeated_rows(v->f);
	/* Of golden rows the model has as many values itself. */
	size_t rows_bytes = v->n_rows * n_features * sizeof(double), out_bytes = v->n_rows * n_outputs * sizeof(double);
	v->scratch_bytes = engine_scratch_bytes(v->e);
	v->rows = sl_alloc(a, rows_bytes, 64);
	v->out = sl_alloc(a, out_bytes, 64);
	v->scratch = sl_alloc(a, v->scratch_bytes, 64);
	score_status status;
	if (!v->rows || !v->out || (v->scratch_bytes && !v->scratch)) {
		status = sl_fail_memory(error, rows_bytes + out_bytes + v->scratch_bytes);
	} else {
		for (size_t r = 0; r < v->n_rows; r++)
			memcpy(v->rows + r * n_features, v->f->golden_rows + r % v->f->n_golden * n_features,
				n_features * sizeof(double));
		status = check_all(v, error);
	}
	sl_free(a, v->rows, rows_bytes, 64);
	sl_free(a, v->out, out_bytes, 64);
	sl_free(a, v->scratch, v->scratch_bytes, 64);
	return status;
}

score_status score_model_verify(const score_model *model, score_isa isa, uint64_t *n_checked, score_error *error)
{
	sl_error_clear(error);
	if (n_checked)
		*n_checked = 0;
	if (!model)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_verify: model is NULL");
	if (model->f->n_golden == 0)
		return sl_fail(error, SCORE_ERR_VERIFY, "the model has no golden rows");
	if (isa != SCORE_ISA_AUTO && !engine_isa_available(isa))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "this processor or build has no instruction set '%s'",
			score_isa_name(isa));
	sl_arena arena;
	engine *other = NULL;
	verification v = {.f = model->f, .e = model->e};
	sl_arena_init(&arena, &model->arena.allocator, 0);
	score_status status = SCORE_OK;
	if (isa != SCORE_ISA_AUTO && isa != engine_isa(model->e)) {
		status = engine_compile(model->f, isa, engine_is_small(model->e), &arena, &other, error);
		v.e = other;
	}
	if (status == SCORE_OK)
		status = run(&v, &arena.allocator, error);
	sl_arena_free(&arena);
	if (n_checked)
		*n_checked = v.n_checked;
	return status;
}
