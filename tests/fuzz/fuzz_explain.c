/*
 * Contributions and calls between trees with descriptors and options that the input dictates. The contributions of a row add up to its
 * margin, stages have the bits of shorter models, and a row that stops early has those of a stage.
 */
#include "fuzz_rows.h"
#include "random_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_MODELS 4u
#define MOST_ROWS 20u
#define MOST_REASONS 12u

static const random_spec specs[N_MODELS] = {
	{.seed = 3, .n_features = 9, .n_outputs = 1, .n_trees = 20, .max_leaves = 30, .cuts_per_feature = 20, .compare = SCORE_F32,
		.sum = SCORE_F32, .link = SCORE_LINK_SIGMOID, .has_covers = 1},
	{.seed = 4, .n_features = 6, .n_outputs = 3, .n_trees = 12, .max_leaves = 40, .cuts_per_feature = 400, .leafwise = 1,
		.category_features = 3, .compare = SCORE_F64, .sum = SCORE_F64, .link = SCORE_LINK_SOFTMAX, .has_covers = 1},
	{.seed = 5, .n_features = 4, .n_outputs = 1, .n_trees = 9, .max_leaves = 9, .cuts_per_feature = 5, .zero_is_missing = 1,
		.n_derived = 3, .compare = SCORE_F64, .sum = SCORE_F64, .has_covers = 1},
	{.seed = 7, .n_features = 5, .n_outputs = 3, .n_trees = 5, .max_leaves = 12, .cuts_per_feature = 9, .vector_leaves = 1,
		.compare = SCORE_F32, .sum = SCORE_F64, .has_covers = 1},
};

typedef struct trial {
	const score_model *model;
	const random_spec *spec;
	score_input rows;
	score_options options;
} trial;

static score_status batch(const trial *t, const score_options *options, double *out)
{
	score_error error;
	const size_t n = (size_t)t->rows.n_rows * score_output_width(t->model, options);
	const score_status status = score_batch(t->model, &t->rows, out, n, options, &error);
	if (status != SCORE_OK)
		fuzz_check_failure(status, NULL, &error);
	return status;
}

/* ---- contributions ------------------------------------------------------------------------------ */

/* The sums differ from the margins by rounding, which depends on the order of sums. */
static void check_sums(const trial *t, const double *contributions)
{
	double margins[MOST_ROWS * 4];
	score_options options = t->options;
	const size_t n_columns = t->spec->n_features + 1;
	options.output = SCORE_OUTPUT_MARGIN;
	options.regime = SCORE_REGIME_AUTO;
	options.explainer = NULL;
	if (batch(t, &options, margins) != SCORE_OK)
		fuzz_fail("contributions but no margins");
	for (size_t i = 0; i < (size_t)t->rows.n_rows * t->spec->n_outputs; i++) {
		double sum = 0.0, size = 1.0;
		for (size_t k = 0; k < n_columns; k++) {
			sum += contributions[i * n_columns + k];
			size += fabs(contributions[i * n_columns + k]);
		}
		if (!(fabs(sum - margins[i]) <= 1e-4 * size))
			fuzz_fail("contributions of value %zu add up to %.17g, its margin is %.17g", i, sum, margins[i]);
	}
}

static void try_reasons(fuzz_bytes *in, const trial *t, const double *contributions)
{
	score_reason reasons[MOST_ROWS * MOST_REASONS];
	score_error error;
	const uint32_t output = fuzz_below(in, t->spec->n_outputs + 1), k = fuzz_below(in, MOST_REASONS + 1);
	const score_direction direction = (score_direction)fuzz_below(in, 4);
	const score_status status = score_top_reasons(t->model, contributions, (size_t)t->rows.n_rows, output, direction, k, reasons, &error);
	if (status != SCORE_OK)
		fuzz_check_failure(status, NULL, &error);
	for (size_t i = 0; i < (size_t)t->rows.n_rows * k && status == SCORE_OK; i++) {
		const score_reason *r = reasons + i;
		if (!r->name != (r->feature == UINT32_MAX) || (r->name && strcmp(r->name, score_model_feature_name(t->model, r->feature)) != 0))
			fuzz_fail("reason %zu is feature %u", i, r->feature);
		if (i % k && fabs(r->contribution) > fabs(r[-1].contribution))
			fuzz_fail("reason %zu is larger than the one before", i);
	}
}

static void try_contributions(fuzz_bytes *in, fuzz_store *store, trial *t)
{
	score_error error;
	score_explainer *explainer = NULL;
	if (fuzz_below(in, 2)) {
		const score_input background = fuzz_rows(store, in, (int64_t)fuzz_below(in, 6), t->spec->n_features);
		const score_status status = score_explainer_new(t->model, &background, NULL, &explainer, &error);
		if (status != SCORE_OK)
			fuzz_check_failure(status, explainer, &error);
	}
	t->options.output = SCORE_OUTPUT_CONTRIBUTION;
	t->options.explainer = explainer;
	const size_t n = (size_t)t->rows.n_rows * score_output_width(t->model, &t->options);
	double *out = malloc(n * sizeof *out + 1);
	if (batch(t, &t->options, out) == SCORE_OK) {
		check_sums(t, out);
		try_reasons(in, t, out);
	}
	free(out);
	score_explainer_free(explainer);
}

/* ---- between trees ------------------------------------------------------------------------------- */

static void check_stages(const trial *t, uint32_t every, size_t n_stages, const double *staged)
{
	double out[MOST_ROWS * 4];
	score_options options = t->options;
	score_model_info info = {.struct_size = sizeof info};
	if (score_model_get_info(t->model, &info) != SCORE_OK)
		fuzz_fail("no information");
	const size_t width = score_output_width(t->model, &options);
	const uint32_t end = options.tree_end ? options.tree_end : info.n_trees;
	for (size_t i = 0; i < n_stages; i++) {
		const uint32_t stop = options.tree_begin + ((uint32_t)i + 1) * every * info.trees_per_iteration;
		options.tree_end = stop < end ? stop : end;
		options.regime = SCORE_REGIME_AUTO;
		if (batch(t, &options, out) != SCORE_OK)
			fuzz_fail("stage %zu cannot be scored", i);
		for (int64_t r = 0; r < t->rows.n_rows; r++)
			if (memcmp(out + (size_t)r * width, staged + ((size_t)r * n_stages + i) * width, width * sizeof *out) != 0)
				fuzz_fail("row %lld, stage %zu has other bits than the model up to there", (long long)r, i);
	}
}

static void check_early(const trial *t, size_t n_stages, const double *staged, const double *early)
{
	const size_t width = score_output_width(t->model, &t->options);
	for (int64_t r = 0; r < t->rows.n_rows; r++) {
		size_t i = 0;
		while (i < n_stages && memcmp(early + (size_t)r * width, staged + ((size_t)r * n_stages + i) * width, width * sizeof *early) != 0)
			i++;
		if (i == n_stages)
			fuzz_fail("row %lld stopped early with the bits of no stage", (long long)r);
	}
}

/* Of a range without trees. */
static void check_base(const trial *t, const double *early)
{
	double out[MOST_ROWS * 4];
	score_options options = t->options;
	options.regime = SCORE_REGIME_AUTO;
	if (batch(t, &options, out) != SCORE_OK ||
		memcmp(out, early, (size_t)t->rows.n_rows * score_output_width(t->model, &options) * sizeof *out) != 0)
		fuzz_fail("without trees early stopping gives something else than the base");
}

static void try_stages(fuzz_bytes *in, trial *t)
{
	score_error error;
	const uint32_t every = fuzz_below(in, 9);
	const double margin = fuzz_value(in);
	t->options.output = (score_output)fuzz_below(in, 3);
	const size_t n_stages = score_stage_count(t->model, every, &t->options), width = score_output_width(t->model, &t->options);
	const size_t n = (size_t)t->rows.n_rows * width;
	double *staged = malloc(n * n_stages * sizeof *staged + 1), *early = malloc(n * sizeof *early + 1);
	score_status status = score_staged(t->model, &t->rows, every, staged, n * n_stages, &t->options, &error);
	if (status != SCORE_OK)
		fuzz_check_failure(status, NULL, &error);
	else
		check_stages(t, every, n_stages, staged);
	const score_status other = score_early_stop(t->model, &t->rows, every, margin, early, n, &t->options, &error);
	if (other != SCORE_OK)
		fuzz_check_failure(other, NULL, &error);
	else if (n_stages == 0)
		check_base(t, early);
	else if (status == SCORE_OK)
		check_early(t, n_stages, staged, early);
	free(staged);
	free(early);
}

static void try_decision(fuzz_bytes *in, trial *t)
{
	double margins[MOST_ROWS * 4];
	uint8_t answers[MOST_ROWS];
	uint64_t n_trees = 0;
	score_error error;
	t->options.output = SCORE_OUTPUT_MARGIN;
	const double cutoff = fuzz_value(in);
	const score_status status = score_decide(t->model, &t->rows, cutoff, answers, MOST_ROWS, &t->options, &n_trees, &error);
	if (status != SCORE_OK) {
		fuzz_check_failure(status, NULL, &error);
		return;
	}
	t->options.regime = SCORE_REGIME_AUTO;
	if (batch(t, &t->options, margins) != SCORE_OK)
		fuzz_fail("a decision but no margin");
	for (int64_t r = 0; r < t->rows.n_rows; r++)
		if (answers[r] != (margins[r] > cutoff))
			fuzz_fail("row %lld: %u, its margin is %a and the cut-off %a", (long long)r, answers[r], margins[r], cutoff);
	if (n_trees > (uint64_t)t->rows.n_rows * t->spec->n_trees)
		fuzz_fail("%llu trees were walked", (unsigned long long)n_trees);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static score_model *models[N_MODELS];
	fuzz_bytes in = {data, size};
	fuzz_store store = {{NULL}, 0};
	const uint32_t which = fuzz_below(&in, N_MODELS);
	if (!models[which])
		models[which] = random_model(&specs[which]);
	trial t = {models[which], &specs[which], {0}, SCORE_OPTIONS_INIT};
	const uint32_t what = fuzz_below(&in, 3);
	t.options.regime = fuzz_below(&in, 4) ? SCORE_REGIME_AUTO : (score_regime)fuzz_below(&in, 6);
	t.options.tree_end = fuzz_below(&in, 3) == 0 ? fuzz_below(&in, 24) : 0;
	t.options.tree_begin = t.options.tree_end ? fuzz_below(&in, 6) : 0;
	t.options.scratch_bytes = what == 0 ? score_contribution_scratch_bytes(t.model) : score_scratch_bytes(t.model);
	if (fuzz_below(&in, 16) == 15)
		t.options.scratch_bytes /= 2;
	const size_t shift = fuzz_below(&in, 9);
	char *scratch = malloc(t.options.scratch_bytes + shift + 1);
	t.options.scratch = scratch + shift;
	t.rows = fuzz_rows(&store, &in, (int64_t)fuzz_below(&in, MOST_ROWS), t.spec->n_features);
	if (what == 0)
		try_contributions(&in, &store, &t);
	else if (what == 1)
		try_stages(&in, &t);
	else
		try_decision(&in, &t);
	free(scratch);
	fuzz_store_free(&store);
	return 0;
}
