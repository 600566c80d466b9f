/* Everything that a model of unknown origin can be asked besides plain scores: none of it may crash, and what has two ways must agree. */
#include "fuzz_look.h"

#include <scoreline/bins.h>
#include <scoreline/export.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_ROWS 3
#define MOST_VALUES 30000u /* what a fuzzer's run has time for */

static void look_at_texts(const score_model *model, const score_model_info *info)
{
	size_t bytes = strlen(score_model_link_name(model));
	for (uint32_t i = 0; i < info->n_features && i < 500; i++) {
		const char *name = score_model_feature_name(model, i);
		uint32_t found = 0;
		if (name[0] == '\0')
			fuzz_fail("feature %u has no name", i);
		if (score_model_feature_find(model, name, strlen(name), &found) != SCORE_NAME_OWN || found != i)
			fuzz_fail("feature %u is feature %u by its name", i, found);
		for (uint32_t k = 0; k < score_model_category_count(model, i) && k < 50; k++) {
			const char *label = score_model_category_name(model, i, k);
			const double expected = score_model_category_code(model, i, k);
			double code = 0.0;
			if (score_model_category_find(model, i, label, strlen(label), &code) != 1 || memcmp(&code, &expected, sizeof code) != 0)
				fuzz_fail("label %u of feature %u has code %g, %g by its text", k, i, expected, code);
		}
		bytes += score_model_category_unknown(model, i) == 0.0;
	}
	for (uint32_t i = 0; i < score_model_metadata_count(model); i++)
		bytes += strlen(score_model_metadata_key(model, i)) + strlen(score_model_metadata_value(model, i));
	for (uint32_t i = 0; i < score_model_class_count(model); i++)
		bytes += strlen(score_model_class_label(model, i));
	if (bytes == SIZE_MAX)
		fuzz_fail("texts of %zu bytes", bytes);
}

static void verify(const score_model *model)
{
	static const score_isa isas[] = {SCORE_ISA_AUTO, SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512};
	score_error error;
	score_status first = SCORE_OK;
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		if (isas[i] != SCORE_ISA_AUTO && !score_isa_available(isas[i]))
			continue;
		const score_status status = score_model_verify(model, isas[i], NULL, &error);
		if (status != SCORE_OK)
			fuzz_check_failure(status, NULL, &error);
		first = i == 0 ? status : first;
		if (status != first)
			fuzz_fail("golden rows give %s on %s", score_status_name(status), score_isa_name(isas[i]));
	}
}

/* Scores of `in`, which must be as many as `n`; false where the model does not serve the output. */
static int score(const score_model *model, const score_input *in, score_output output, double *out, size_t n)
{
	score_error error;
	score_options options = SCORE_OPTIONS_INIT;
	options.output = output;
	options.scratch_bytes = output == SCORE_OUTPUT_CONTRIBUTION ? score_contribution_scratch_bytes(model) : score_scratch_bytes(model);
	options.scratch = malloc(options.scratch_bytes + 1);
	if (!options.scratch)
		abort();
	const score_status status = score_batch(model, in, out, n, &options, &error);
	if (status != SCORE_OK)
		fuzz_check_failure(status, NULL, &error);
	free(options.scratch);
	return status == SCORE_OK;
}

static void same(const double *a, const double *b, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(a + i, b + i, sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
			fuzz_fail("value %zu is %a, by %s %a", i, a[i], what, b[i]);
}

static void try_codes(const score_model *model, const score_input *in, const double *margins, size_t n)
{
	score_bins bins = SCORE_BINS_INIT;
	score_error error;
	if (score_model_get_bins(model, &bins) != SCORE_OK || bins.n_columns == 0 || bins.n_columns > MOST_VALUES)
		return;
	for (uint32_t i = 0; i < bins.n_columns; i++) {
		score_bin_column column = SCORE_BIN_COLUMN_INIT;
		if (score_model_get_bin_column(model, i, &column, &error) != SCORE_OK)
			fuzz_fail("column %u has no meaning: %s", i, error.message);
	}
	const int64_t stride = N_ROWS * (int64_t)bins.code_bytes;
	const size_t size = (size_t)stride * bins.n_columns;
	void *codes = malloc(size);
	double *got = malloc(n * sizeof *got + 1);
	const score_status status = score_bin(model, in, NULL, codes, size, stride, &error);
	if (status != SCORE_OK) {
		fuzz_check_failure(status, NULL, &error);
	} else {
		const score_input binned = score_input_binned(&bins, codes, stride, N_ROWS);
		if (score(model, &binned, SCORE_OUTPUT_MARGIN, got, n))
			same(margins, got, n, "codes");
	}
	free(codes);
	free(got);
}

static void try_stages(const score_model *model, const score_model_info *info, const score_input *in, const double *margins, size_t n)
{
	score_error error;
	score_options options = SCORE_OPTIONS_INIT;
	options.output = SCORE_OUTPUT_MARGIN;
	options.scratch_bytes = score_scratch_bytes(model);
	const uint32_t every = 1 + info->n_trees / info->trees_per_iteration / 2;
	const size_t n_stages = score_stage_count(model, every, &options), width = n / N_ROWS;
	options.scratch = malloc(options.scratch_bytes + 1);
	double *out = malloc(n * n_stages * sizeof *out + 1);
	if (score_staged(model, in, every, out, n * n_stages, &options, &error) == SCORE_OK)
		for (size_t r = 0; r < N_ROWS && n_stages; r++)
			same(margins + r * width, out + ((r + 1) * n_stages - 1) * width, width, "stages");
	free(out);
	free(options.scratch);
}

static void try_rows(const score_model *model, const score_model_info *info)
{
	static const double values[] = {0.5, (double)NAN, 2.0, -1.0, 1e9, 0.0, 3.0};
	const size_t n = (size_t)N_ROWS * info->n_outputs, n_contributions = n * ((size_t)info->n_features + 1);
	if (info->n_features > MOST_VALUES || n > MOST_VALUES)
		return;
	double *rows = malloc((size_t)N_ROWS * info->n_features * sizeof *rows + 1), *margins = malloc(n * sizeof *margins);
	for (size_t i = 0; i < (size_t)N_ROWS * info->n_features; i++)
		rows[i] = values[(i * 5 + i / info->n_features) % (sizeof values / sizeof values[0])];
	const score_input in = score_input_rows_f64(rows, N_ROWS, info->n_features);
	if (score(model, &in, SCORE_OUTPUT_MARGIN, margins, n)) {
		try_codes(model, &in, margins, n);
		if (info->kind == SCORE_KIND_TREES && info->n_trees)
			try_stages(model, info, &in, margins, n);
		if (n_contributions <= MOST_VALUES && info->n_leaves < 2000 && info->max_depth < 40) {
			double *contributions = malloc(n_contributions * sizeof *contributions);
			(void)score(model, &in, SCORE_OUTPUT_CONTRIBUTION, contributions, n_contributions);
			free(contributions);
		}
	}
	free(rows);
	free(margins);
}

static void try_export(const score_model *model)
{
	void *text = NULL;
	size_t size = 0;
	score_error error;
	const score_status status = score_model_export_js(model, NULL, &text, &size, &error);
	if (status != SCORE_OK)
		fuzz_check_failure(status, text, &error);
	else
		score_model_free_bytes(model, text, size);
}

static void save_and_open(const score_model *model)
{
	void *bytes[2] = {NULL, NULL};
	size_t sizes[2] = {0, 0};
	score_error error;
	score_model *again = NULL;
	if (score_model_save_memory(model, NULL, &bytes[0], &sizes[0], &error) != SCORE_OK)
		fuzz_fail("a model cannot be saved: %s", error.message);
	if (score_model_open_memory(bytes[0], sizes[0], NULL, &again, &error) != SCORE_OK)
		fuzz_fail("a saved model cannot be opened: %s", error.message);
	if (score_model_save_memory(again, NULL, &bytes[1], &sizes[1], &error) != SCORE_OK)
		fuzz_fail("an opened model cannot be saved: %s", error.message);
	if (sizes[0] != sizes[1] || memcmp(bytes[0], bytes[1], sizes[0]) != 0)
		fuzz_fail("saved, opened and saved again: other bytes");
	score_model_free_bytes(model, bytes[0], sizes[0]);
	score_model_free_bytes(again, bytes[1], sizes[1]);
	score_model_free(again);
}

void fuzz_look(const score_model *model)
{
	score_model_info info = {.struct_size = sizeof info};
	if (score_model_get_info(model, &info) != SCORE_OK)
		fuzz_fail("a model without information");
	look_at_texts(model, &info);
	verify(model);
	try_rows(model, &info);
	try_export(model);
	save_and_open(model);
}
