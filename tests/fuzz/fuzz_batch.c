/* score_batch() with descriptors and options that the input dictates. */
#include "fuzz_rows.h"
#include "random_model.h"

#include <stdlib.h>
#include <string.h>

#define N_MODELS 4u
#define MOST_ROWS 70u
#define MOST_COLUMNS 12u

static const random_spec specs[N_MODELS] = {
	{.seed = 3, .n_features = 9, .n_outputs = 1, .n_trees = 20, .max_leaves = 30, .cuts_per_feature = 20, .compare = SCORE_F32,
		.sum = SCORE_F32, .link = SCORE_LINK_SIGMOID},
	{.seed = 4, .n_features = 6, .n_outputs = 3, .n_trees = 30, .max_leaves = 300, .cuts_per_feature = 400, .leafwise = 1,
		.category_features = 3, .compare = SCORE_F64, .sum = SCORE_F64, .link = SCORE_LINK_SOFTMAX},
	{.seed = 5, .n_features = 4, .n_outputs = 1, .n_trees = 9, .max_leaves = 9, .cuts_per_feature = 5, .zero_is_missing = 1,
		.n_derived = 3, .compare = SCORE_F64, .sum = SCORE_F64},
	{.seed = 6, .n_features = 7, .n_outputs = 1, .n_trees = 12, .max_leaves = 20, .cuts_per_feature = 9, .linear_leaves = 1,
		.compare = SCORE_F64, .sum = SCORE_F64},
};

static void call(fuzz_bytes *in, const score_model *model, const score_input *input)
{
	score_error error;
	score_options options = SCORE_OPTIONS_INIT;
	options.output = (score_output)fuzz_below(in, 6);
	options.regime = (score_regime)fuzz_below(in, 6);
	options.tree_begin = fuzz_below(in, 12);
	options.tree_end = fuzz_below(in, 3) == 0 ? fuzz_below(in, 40) : 0;
	options.tree_begin = options.tree_end ? options.tree_begin : 0;
	options.scratch_bytes = fuzz_below(in, 3) == 0 ? 0 : fuzz_below(in, 2) ? score_scratch_bytes(model) : fuzz_below(in, 60000);
	size_t shift = fuzz_below(in, 9);
	char *scratch = malloc(options.scratch_bytes + shift + 1);
	options.scratch = options.scratch_bytes ? scratch + shift : NULL;
	size_t width = score_output_width(model, &options);
	size_t n = (size_t)input->n_rows * width;
	if (n > 0 && fuzz_below(in, 16) == 15)
		n--;
	double *out = malloc(n * sizeof *out + 1);
	memset(&error, 0, sizeof error);
	score_status status = score_batch(model, input, out, n, &options, &error);
	if (status != SCORE_OK)
		fuzz_check_failure(status, NULL, &error);
	free(out);
	free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static score_model *models[N_MODELS];
	fuzz_bytes in = {data, size};
	fuzz_store s = {{NULL}, 0};
	uint32_t which = fuzz_below(&in, N_MODELS);
	if (!models[which])
		models[which] = random_model(&specs[which]);
	int64_t n_rows = (int64_t)fuzz_below(&in, MOST_ROWS);
	int64_t n_columns = fuzz_below(&in, 16) == 15 ? 1 + (int64_t)fuzz_below(&in, MOST_COLUMNS) : (int64_t)specs[which].n_features;
	score_input input = fuzz_rows(&s, &in, n_rows, n_columns);
	call(&in, models[which], &input);
	fuzz_store_free(&s);
	return 0;
}
