/*
 * score_batch() with descriptors that the input dictates: layouts, types, strides, bitmaps, sparse rows, options. Memory that a
 * descriptor speaks of is exactly as large as it says, so that a sanitizer sees a byte too much; contents are anything.
 */
#include "fuzz.h"
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

/* Everything that a call borrows, to be freed after it. */
typedef struct store {
	void *blocks[64];
	size_t n;
} store;

static void *block(store *s, fuzz_bytes *in, size_t size)
{
	uint8_t *p = malloc(size ? size : 1);
	if (!p || s->n == 64)
		abort();
	s->blocks[s->n++] = p;
	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)fuzz_take(in, 1);
	return p;
}

static size_t value_bytes(score_dtype type)
{
	static const size_t bytes[] = {1, 4, 8, 1, 1, 2, 2, 4, 4, 8, 8, 1, 1, 0, 2};
	return type >= 0 && (size_t)type < sizeof bytes / sizeof bytes[0] ? bytes[type] : 8;
}

static score_input make_rows(store *s, fuzz_bytes *in, int64_t n_rows, int64_t n_columns)
{
	score_input input = score_input_rows_f64(NULL, n_rows, n_columns);
	int64_t each = fuzz_below(in, 2) ? 8 : 4, row, column;
	input.dtype = each == 8 ? SCORE_F64 : SCORE_F32;
	column = each * (1 + (int64_t)fuzz_below(in, 2));
	row = column * n_columns + each * (int64_t)fuzz_below(in, 3);
	if (fuzz_below(in, 3) == 0) { /* column by column */
		row = each;
		column = each * n_rows;
	}
	size_t size = n_rows == 0 ? 0 : (size_t)((n_rows - 1) * row + (n_columns - 1) * column + each);
	char *data = block(s, in, size);
	if (fuzz_below(in, 4) == 0 && n_rows > 0) {
		data += (n_rows - 1) * row;
		row = -row;
	}
	input.u.rows.data = data;
	input.u.rows.row_stride_bytes = row;
	input.u.rows.column_stride_bytes = column;
	return input;
}

static void make_column(store *s, fuzz_bytes *in, int64_t n_rows, score_column *c)
{
	static const score_dtype types[] = {SCORE_F32, SCORE_F64, SCORE_I8, SCORE_U8, SCORE_I16, SCORE_U16, SCORE_I32, SCORE_U32,
		SCORE_I64, SCORE_U64, SCORE_BOOL, SCORE_BOOL_BITS, SCORE_F16};
	memset(c, 0, sizeof *c);
	c->dtype = types[fuzz_below(in, sizeof types / sizeof types[0])];
	c->offset = (int64_t)fuzz_below(in, 20);
	size_t n = (size_t)(c->offset + n_rows), each = value_bytes(c->dtype);
	if (c->dtype == SCORE_BOOL_BITS) {
		c->values = block(s, in, (n + 7) / 8);
	} else {
		size_t stride = each * (1 + fuzz_below(in, 2));
		char *values = block(s, in, n == 0 ? 0 : (n - 1) * stride + each);
		c->stride_bytes = stride == each && fuzz_below(in, 2) ? 0 : (int64_t)stride;
		c->values = values;
	}
	if (fuzz_below(in, 2))
		c->validity = block(s, in, (n + 7) / 8);
	if (fuzz_below(in, 40) == 39)
		c->dtype = (score_dtype)fuzz_take(in, 1) + 15;
}

static score_input make_columns(store *s, fuzz_bytes *in, int64_t n_rows, int64_t n_columns)
{
	score_column *columns = block(s, in, (size_t)n_columns * sizeof *columns);
	for (int64_t i = 0; i < n_columns; i++)
		make_column(s, in, n_rows, columns + i);
	return score_input_columns(columns, n_rows, n_columns);
}

static score_input make_csr(store *s, fuzz_bytes *in, int64_t n_rows, int64_t n_columns)
{
	int wide_starts = (int)fuzz_below(in, 2), wide_numbers = (int)fuzz_below(in, 2), wide_values = (int)fuzz_below(in, 2);
	size_t n = 0;
	uint8_t *starts = block(s, in, (size_t)(n_rows + 1) * (wide_starts ? 8 : 4));
	for (int64_t r = 0; r <= n_rows; r++) {
		int64_t start = (int64_t)n;
		int32_t narrow = (int32_t)n;
		memcpy(starts + r * (wide_starts ? 8 : 4), wide_starts ? (void *)&start : (void *)&narrow, wide_starts ? 8 : 4);
		if (r < n_rows)
			n += fuzz_below(in, (uint32_t)n_columns + 1);
	}
	uint8_t *numbers = block(s, in, 0);
	numbers = block(s, in, n * (wide_numbers ? 8 : 4));
	int64_t at = 0;
	for (size_t i = 0; i < n; i++) { /* mostly ascending, now and then anything */
		at = fuzz_below(in, 8) == 7 ? (int64_t)(int8_t)fuzz_take(in, 1) : (at + 1 + (int64_t)fuzz_below(in, 2)) % (n_columns + 1);
		int32_t narrow = (int32_t)at;
		memcpy(numbers + i * (wide_numbers ? 8 : 4), wide_numbers ? (void *)&at : (void *)&narrow, wide_numbers ? 8 : 4);
	}
	void *values = block(s, in, n * (wide_values ? 8 : 4));
	return score_input_csr(starts, wide_starts ? SCORE_I64 : SCORE_I32, numbers, wide_numbers ? SCORE_I64 : SCORE_I32, values,
		wide_values ? SCORE_F64 : SCORE_F32, n_rows, n_columns, (score_absent)(1 + fuzz_below(in, 2)));
}

static void call(fuzz_bytes *in, const score_model *model, const score_input *input, store *s)
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
	(void)s;
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
	store s = {{NULL}, 0};
	uint32_t which = fuzz_below(&in, N_MODELS);
	if (!models[which])
		models[which] = random_model(&specs[which]);
	int64_t n_rows = (int64_t)fuzz_below(&in, MOST_ROWS);
	int64_t n_columns = fuzz_below(&in, 16) == 15 ? 1 + (int64_t)fuzz_below(&in, MOST_COLUMNS) : (int64_t)specs[which].n_features;
	uint32_t layout = fuzz_below(&in, 3);
	score_input input = layout == 0 ? make_rows(&s, &in, n_rows, n_columns) :
		layout == 1 ? make_columns(&s, &in, n_rows, n_columns) : make_csr(&s, &in, n_rows, n_columns);
	call(&in, models[which], &input, &s);
	for (size_t i = 0; i < s.n; i++)
		free(s.blocks[i]);
	return 0;
}
