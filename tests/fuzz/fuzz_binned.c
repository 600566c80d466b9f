/*
 * Rows as codes. Codes that score_bin() makes of any rows must score as the rows do, by every regime; codes that are anything, at
 * exactly as many bytes as their descriptor says, may give any answer.
 */
#include "fuzz_rows.h"
#include "random_model.h"

#include <scoreline/bins.h>

#include <stdlib.h>
#include <string.h>

#define N_MODELS 5u
#define MOST_ROWS 70u

static const random_spec specs[N_MODELS] = {
	{.seed = 3, .n_features = 9, .n_outputs = 1, .n_trees = 20, .max_leaves = 30, .cuts_per_feature = 20, .compare = SCORE_F32,
		.sum = SCORE_F32, .link = SCORE_LINK_SIGMOID, .has_covers = 1},
	{.seed = 4, .n_features = 6, .n_outputs = 3, .n_trees = 30, .max_leaves = 300, .cuts_per_feature = 400, .leafwise = 1,
		.category_features = 3, .compare = SCORE_F64, .sum = SCORE_F64, .link = SCORE_LINK_SOFTMAX},
	{.seed = 5, .n_features = 4, .n_outputs = 1, .n_trees = 9, .max_leaves = 9, .cuts_per_feature = 5, .zero_is_missing = 1,
		.n_derived = 3, .compare = SCORE_F64, .sum = SCORE_F64},
	{.seed = 9, .n_features = 5, .n_outputs = 1, .n_trees = 40, .max_leaves = 60, .cuts_per_feature = 30, .category_features = 4,
		.compare = SCORE_F32, .sum = SCORE_F64, .has_covers = 1},
	{.seed = 8, .n_features = 5, .n_outputs = 4, .n_trees = 12, .max_leaves = 16, .most_levels = 4, .cuts_per_feature = 30,
		.compare = SCORE_F32, .sum = SCORE_F64, .n_parts = 3},
};

typedef struct scorer {
	const score_model *model;
	score_options options;
	size_t width;
} scorer;

static scorer take_scorer(fuzz_bytes *in, const score_model *model, int any_output)
{
	scorer s = {model, SCORE_OPTIONS_INIT, 0};
	s.options.output = (score_output)fuzz_below(in, any_output ? 5 : 4);
	s.options.regime = (score_regime)fuzz_below(in, 5);
	s.options.scratch_bytes = fuzz_below(in, 3) ? score_scratch_bytes(model) : fuzz_below(in, 60000);
	if (s.options.output == SCORE_OUTPUT_CONTRIBUTION)
		s.options.scratch_bytes = score_contribution_scratch_bytes(model);
	s.width = score_output_width(model, &s.options);
	return s;
}

static score_status run(const scorer *s, const score_input *input, double *out)
{
	score_error error;
	score_options options = s->options;
	options.scratch = malloc(options.scratch_bytes + 1);
	const score_status status = score_batch(s->model, input, out, (size_t)input->n_rows * s->width, &options, &error);
	free(options.scratch);
	if (status != SCORE_OK)
		fuzz_check_failure(status, NULL, &error);
	return status;
}

/* The same answers as from the rows. */
static void compare(const scorer *s, const score_input *rows, const score_input *binned)
{
	const size_t n = (size_t)rows->n_rows * s->width;
	double *expected = malloc(n * sizeof *expected + 1), *got = malloc(n * sizeof *got + 1);
	scorer plain = *s;
	plain.options.regime = SCORE_REGIME_AUTO;
	if (run(&plain, rows, expected) == SCORE_OK && run(s, binned, got) == SCORE_OK && memcmp(expected, got, n * sizeof *got) != 0)
		fuzz_fail("codes score otherwise than their rows, output %d by %s", (int)s->options.output,
			score_regime_name(s->options.regime));
	free(expected);
	free(got);
}

static void try_rows(fuzz_bytes *in, fuzz_store *store, const score_model *model, const score_bins *bins, int64_t n_rows, uint32_t n)
{
	score_error error;
	const score_input rows = fuzz_rows(store, in, n_rows, n);
	const int64_t stride = (n_rows + (int64_t)fuzz_below(in, 9)) * bins->code_bytes;
	const size_t size = (size_t)stride * bins->n_columns;
	void *codes = malloc(size ? size : 1);
	const scorer s = take_scorer(in, model, 0);
	const score_status status = score_bin(model, &rows, NULL, codes, size, stride, &error);
	if (status != SCORE_OK) {
		fuzz_check_failure(status, NULL, &error);
	} else {
		const score_input binned = score_input_binned(bins, codes, stride, n_rows);
		compare(&s, &rows, &binned);
	}
	free(codes);
}

static void try_between(fuzz_bytes *in, const score_model *model, const score_input *binned)
{
	score_error error;
	score_options options = SCORE_OPTIONS_INIT;
	const uint32_t every = 1 + fuzz_below(in, 9);
	options.output = SCORE_OUTPUT_MARGIN;
	options.scratch_bytes = score_scratch_bytes(model);
	options.scratch = malloc(options.scratch_bytes + 1);
	const size_t n = (size_t)binned->n_rows * score_output_width(model, &options) * score_stage_count(model, every, &options);
	double *out = malloc(n * sizeof *out + 1);
	uint8_t answers[MOST_ROWS];
	uint64_t n_trees;
	if (score_staged(model, binned, every, out, n, &options, &error) != SCORE_OK)
		fuzz_check_failure(error.code, NULL, &error);
	if (score_early_stop(model, binned, every, fuzz_value(in), out, n, &options, &error) != SCORE_OK)
		fuzz_check_failure(error.code, NULL, &error);
	if (score_decide(model, binned, fuzz_value(in), answers, sizeof answers, &options, &n_trees, &error) != SCORE_OK)
		fuzz_check_failure(error.code, NULL, &error);
	free(out);
	free(options.scratch);
}

static void try_codes(fuzz_bytes *in, fuzz_store *store, const score_model *model, const score_bins *bins, int64_t n_rows)
{
	const int64_t stride = (n_rows + (int64_t)fuzz_below(in, 9)) * bins->code_bytes;
	const size_t size = n_rows == 0 ? 0 : (size_t)stride * (bins->n_columns - 1) + (size_t)n_rows * bins->code_bytes;
	const scorer s = take_scorer(in, model, 1);
	const uint32_t wrong = fuzz_below(in, 32);
	score_input binned = score_input_binned(bins, fuzz_block(store, in, size), stride, n_rows);
	double *out = malloc((size_t)n_rows * s.width * sizeof *out + 1);
	if (wrong == 31)
		binned.u.binned.hash[fuzz_below(in, 16)] ^= 1;
	if (wrong == 30)
		binned.u.binned.code_bytes = fuzz_below(in, 9);
	if (wrong == 29)
		binned.n_columns = (int64_t)fuzz_below(in, 20);
	(void)run(&s, &binned, out);
	if (fuzz_below(in, 2))
		try_between(in, model, &binned);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static score_model *models[N_MODELS];
	fuzz_bytes in = {data, size};
	fuzz_store store = {{NULL}, 0};
	score_bins bins = SCORE_BINS_INIT;
	const uint32_t which = fuzz_below(&in, N_MODELS);
	if (!models[which])
		models[which] = random_model(&specs[which]);
	if (score_model_get_bins(models[which], &bins) != SCORE_OK || bins.n_columns == 0)
		fuzz_fail("a model without bins");
	const int64_t n_rows = (int64_t)fuzz_below(&in, MOST_ROWS);
	if (fuzz_below(&in, 2))
		try_rows(&in, &store, models[which], &bins, n_rows, specs[which].n_features);
	else
		try_codes(&in, &store, models[which], &bins, n_rows);
	fuzz_store_free(&store);
	return 0;
}
