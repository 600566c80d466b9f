/*
 * Valid random forests of every shape that the generator of the unit tests knows: written, read, and scored on every
 * instruction set by every regime, compared bit for bit with plain C's walk. So are stages, early stops, decisions and contributions,
 * with what plain C gives.
 */
#include "fuzz.h"
#include "random_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One forest in 256 is large, over rows that fill blocks; the others take a twentieth of its time. */
typedef struct sizes {
	uint32_t features, trees, leaves, cuts, derived, rows;
	uint32_t verify; /* the self-test scores hundreds of rows on every instruction set */
} sizes;

static sizes sizes_of(fuzz_bytes *in)
{
	static const sizes small = {.features = 6, .trees = 3, .leaves = 8, .cuts = 12, .derived = 3, .rows = 8};
	sizes s = small;
	if (fuzz_below(in, 256) != 255) /* 0 is what an input that ended has, too */
		return s;
	s.features = fuzz_below(in, 4) ? 40 : 400;
	s.trees = fuzz_below(in, 4) ? 8 : 40;
	s.leaves = fuzz_below(in, 4) ? 70 : 600;
	s.cuts = fuzz_below(in, 4) ? 200 : 3000;
	s.derived = 6;
	s.rows = fuzz_below(in, 4) ? 40 : 700;
	s.verify = 1;
	return s;
}

static random_spec spec_of(fuzz_bytes *in, const sizes *most)
{
	random_spec s = {.seed = fuzz_take(in, 4)};
	s.n_features = 1 + fuzz_below(in, most->features);
	s.n_outputs = 1 + fuzz_below(in, 4) * fuzz_below(in, 2);
	s.n_trees = s.n_outputs * (1 + fuzz_below(in, most->trees));
	s.max_leaves = 1 + fuzz_below(in, most->leaves);
	s.cuts_per_feature = 1 + fuzz_below(in, most->cuts);
	s.leafwise = fuzz_below(in, 2);
	s.category_features = fuzz_below(in, 3) == 0 ? fuzz_below(in, s.n_features + 1) : 0;
	s.zero_is_missing = fuzz_below(in, 2);
	s.compare = fuzz_below(in, 2) ? SCORE_F32 : SCORE_F64;
	s.sum = fuzz_below(in, 2) ? SCORE_F32 : SCORE_F64;
	s.vector_leaves = fuzz_below(in, 4) == 0;
	s.linear_leaves = !s.vector_leaves && s.compare == SCORE_F64 && s.sum == SCORE_F64 && fuzz_below(in, 3) == 0;
	s.n_derived = fuzz_below(in, 4) == 0 ? fuzz_below(in, most->derived) : 0;
	s.most_levels = fuzz_below(in, 4) == 0 ? 1 + fuzz_below(in, most->leaves < 64 ? 3 : 6) : 0;
	s.max_leaves = s.most_levels ? 1u << s.most_levels : s.max_leaves;
	s.n_parts = s.sum == SCORE_F64 && fuzz_below(in, 4) == 0 ? 1 + fuzz_below(in, 5) : 0;
	s.has_covers = fuzz_below(in, 4) == 0;
	s.isa = SCORE_ISA_PORTABLE;
	return s;
}

typedef struct run {
	const double *rows;
	int64_t n_rows;
	uint32_t n_features;
	size_t width;
	uint32_t every;
	double margin, cutoff;
	uint32_t verify, small;
} run;

/* Exactly what a model asks for, so that the sanitizer sees a byte more. */
typedef struct room {
	void *bytes;
	size_t size;
} room;

static room room_of(size_t size)
{
	return (room){malloc(size + 1), size};
}

/* False if the regime does not serve this model. */
static int score_rows(const score_model *model, const room *scratch, const run *r, score_output output, score_regime regime, double *out)
{
	score_error error;
	score_options options = SCORE_OPTIONS_INIT;
	score_input in = score_input_rows_f64(r->rows, r->n_rows, r->n_features);
	options.output = output;
	options.regime = regime;
	options.scratch_bytes = scratch->size;
	options.scratch = scratch->bytes;
	score_status status = score_batch(model, &in, out, (size_t)r->n_rows * r->width, &options, &error);
	if (status != SCORE_OK && (status != SCORE_ERR_ARGUMENT || regime == SCORE_REGIME_AUTO))
		fuzz_fail("scoring failed: %s", error.message);
	return status == SCORE_OK;
}

static void compare(const double *expected, const double *got, size_t n, score_isa isa, score_regime regime)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(expected + i, got + i, sizeof *got) != 0 && !(isnan(expected[i]) && isnan(got[i])))
			fuzz_fail("value %zu on %s by %s: %a, expected %a", i, score_isa_name(isa), score_regime_name(regime), got[i],
				expected[i]);
}

/* Rows that are looked at more closely. */
#define CLOSER_ROWS 6
#define MOST_VALUES 8000u

/* What other calls say of the first rows; sizes are 0 where the model has no such answer. */
typedef struct answers {
	double stages[MOST_VALUES], early[MOST_VALUES], contributions[MOST_VALUES];
	uint8_t decisions[CLOSER_ROWS];
	size_t n_stages, n_early, n_contributions, n_decisions;
} answers;

static void contribute(const score_model *model, const score_input *in, answers *a)
{
	score_error error;
	score_options options = SCORE_OPTIONS_INIT;
	options.output = SCORE_OUTPUT_CONTRIBUTION;
	options.scratch_bytes = score_contribution_scratch_bytes(model);
	options.scratch = malloc(options.scratch_bytes + 1);
	const size_t n = (size_t)in->n_rows * score_output_width(model, &options);
	if (n <= MOST_VALUES && score_batch(model, in, a->contributions, n, &options, &error) == SCORE_OK)
		a->n_contributions = n;
	free(options.scratch);
}

static answers *ask(const score_model *model, const room *scratch, const run *r, int has_covers)
{
	answers *a = malloc(sizeof *a);
	a->n_stages = a->n_early = a->n_contributions = a->n_decisions = 0;
	score_error error;
	score_options options = SCORE_OPTIONS_INIT;
	score_input in = score_input_rows_f64(r->rows, r->n_rows < CLOSER_ROWS ? r->n_rows : CLOSER_ROWS, r->n_features);
	options.scratch_bytes = scratch->size;
	options.scratch = scratch->bytes;
	const size_t n = (size_t)in.n_rows * score_output_width(model, &options), n_stages = score_stage_count(model, r->every, &options);
	if (n * n_stages <= MOST_VALUES && score_staged(model, &in, r->every, a->stages, n * n_stages, &options, &error) == SCORE_OK)
		a->n_stages = n * n_stages;
	if (n <= MOST_VALUES && score_early_stop(model, &in, r->every, r->margin, a->early, n, &options, &error) == SCORE_OK)
		a->n_early = n;
	options.output = SCORE_OUTPUT_MARGIN;
	if (score_decide(model, &in, r->cutoff, a->decisions, CLOSER_ROWS, &options, NULL, &error) == SCORE_OK)
		a->n_decisions = (size_t)in.n_rows;
	if (has_covers)
		contribute(model, &in, a);
	return a;
}

static void compare_answers(const answers *expected, const answers *got, score_isa isa)
{
	if (expected->n_stages != got->n_stages || expected->n_early != got->n_early || expected->n_decisions != got->n_decisions ||
		expected->n_contributions != got->n_contributions)
		fuzz_fail("stages, early stops, decisions or contributions are served otherwise on %s", score_isa_name(isa));
	compare(expected->stages, got->stages, expected->n_stages, isa, SCORE_REGIME_AUTO);
	compare(expected->early, got->early, expected->n_early, isa, SCORE_REGIME_AUTO);
	compare(expected->contributions, got->contributions, expected->n_contributions, isa, SCORE_REGIME_AUTO);
	if (memcmp(expected->decisions, got->decisions, expected->n_decisions) != 0)
		fuzz_fail("another decision on %s", score_isa_name(isa));
}

static void try_isa(const void *bytes, size_t size, score_isa isa, const run *r, score_output output, const double *expected,
	const answers *closer)
{
	static const score_regime regimes[] = {SCORE_REGIME_AUTO, SCORE_REGIME_BATCH, SCORE_REGIME_WALK, SCORE_REGIME_ROW};
	score_error error;
	score_model *model = NULL;
	score_open_options options = SCORE_OPEN_OPTIONS_INIT;
	size_t n = (size_t)r->n_rows * r->width;
	double *got = malloc(n * sizeof *got);
	options.isa = isa;
	options.flags = (r->verify ? SCORE_OPEN_VERIFY : 0) | (r->small ? SCORE_OPEN_SMALL : 0);
	if (score_model_open_memory(bytes, size, &options, &model, &error) != SCORE_OK)
		fuzz_fail("a written forest cannot be read: %s", error.message);
	const room scratch = room_of(score_scratch_bytes(model));
	for (size_t i = 0; i < sizeof regimes / sizeof regimes[0]; i++)
		if (score_rows(model, &scratch, r, output, regimes[i], got))
			compare(expected, got, n, isa, regimes[i]);
	answers *a = ask(model, &scratch, r, closer->n_contributions > 0);
	compare_answers(closer, a, isa);
	free(a);
	free(scratch.bytes);
	score_model_free(model);
	free(got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512, SCORE_ISA_NEON};
	fuzz_bytes in = {data, size};
	const sizes most = sizes_of(&in);
	random_spec spec = spec_of(&in, &most);
	score_model *model = random_model(&spec);
	static const score_output outputs[] = {SCORE_OUTPUT_LEAF, SCORE_OUTPUT_MARGIN, SCORE_OUTPUT_MARGIN, SCORE_OUTPUT_PREDICTION};
	score_output output = outputs[fuzz_below(&in, 4)];
	run r = {.n_rows = 1 + (int64_t)fuzz_below(&in, most.rows), .n_features = spec.n_features};
	/* One small model in 64 tests itself, too. */
	r.verify = most.verify || fuzz_below(&in, 64) == 63;
	r.small = fuzz_below(&in, 4) == 3;
	r.every = 1 + fuzz_below(&in, 9);
	r.margin = fuzz_value(&in);
	r.cutoff = fuzz_value(&in);
	score_options options = SCORE_OPTIONS_INIT;
	void *bytes = NULL;
	size_t n_bytes = 0;
	score_error error;
	double *rows = malloc((size_t)r.n_rows * r.n_features * sizeof *rows);
	random_rows(&spec, spec.seed + 1, (size_t)r.n_rows, rows);
	r.rows = rows;
	options.output = output;
	r.width = score_output_width(model, &options);
	double *expected = malloc((size_t)r.n_rows * r.width * sizeof *expected);
	const room scratch = room_of(score_scratch_bytes(model));
	if (!score_rows(model, &scratch, &r, output, SCORE_REGIME_WALK, expected))
		fuzz_fail("the walk refuses a forest");
	answers *closer = ask(model, &scratch, &r, spec.has_covers && r.n_features <= 40);
	if (score_model_save_memory(model, NULL, &bytes, &n_bytes, &error) != SCORE_OK)
		fuzz_fail("a forest cannot be written: %s", error.message);
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++)
		if (score_isa_available(isas[i]))
			try_isa(bytes, n_bytes, isas[i], &r, output, expected, closer);
	score_model_free_bytes(model, bytes, n_bytes);
	score_model_free(model);
	free(rows);
	free(expected);
	free(closer);
	free(scratch.bytes);
	return 0;
}
