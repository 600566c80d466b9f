/*
 * Every regime, instruction set, batch size and layout against the exact reference evaluation, bit for bit, over random
 * models of every kind. In a quick run the
 * models are the same, and fewer batch sizes and rows are tried over each.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/model.h"
#include "engine/link.h"
#include "engine/parts.h"
#include "quick_run.h"
#include "random_model.h"

#define N_ROWS 700

static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512,
	SCORE_ISA_NEON};
static bool quick;

typedef struct bench {
	const random_spec *spec;
	score_model *model;
	double *rows;      /* [N_ROWS, n_features], float values if `narrow` */
	float *rows_f32;
	double *expected;  /* margins */
	double *out;
	void *scratch;
	size_t scratch_bytes;
} bench;

static void check(const bench *b, const score_input *in, size_t n, const score_options *o, const double *expected,
	const char *what)
{
	size_t width = score_output_width(b->model, o);
	score_error error;
	memset(b->out, 0xa5, n * width * sizeof *b->out);
	if (score_batch(b->model, in, b->out, n * width, o, &error) != SCORE_OK)
		fail_msg("%s: %s", what, error.message);
	for (size_t i = 0; i < n * width; i++) {
		bool same = memcmp(b->out + i, expected + i, sizeof *expected) == 0 ||
			(isnan(b->out[i]) && isnan(expected[i]));
		if (!same)
			fail_msg("%s, seed %llu: value %zu of %zu rows is %a, expected %a", what,
				(unsigned long long)b->spec->seed, i, n, b->out[i], expected[i]);
	}
}

static void check_sizes(const bench *b, score_regime regime, bool with_scratch, bool narrow)
{
	static const size_t sizes[] = {1, 9, 65, 513, 2, 7, 8, 32, 33, 63, 64, 130, 256, 511, 512, N_ROWS};
	const size_t n_sizes = quick ? 4 : sizeof sizes / sizeof sizes[0];
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_MARGIN;
	o.regime = regime;
	o.scratch = with_scratch ? b->scratch : NULL;
	o.scratch_bytes = with_scratch ? b->scratch_bytes : 0;
	for (size_t i = 0; i < n_sizes; i++) {
		size_t n = sizes[i], from = (i * 37) % (N_ROWS - n + 1), at = from * b->spec->n_features;
		score_input in = narrow ? score_input_rows_f32(b->rows_f32 + at, (int64_t)n, b->spec->n_features)
					: score_input_rows_f64(b->rows + at, (int64_t)n, b->spec->n_features);
		check(b, &in, n, &o, b->expected + from * b->spec->n_outputs, score_regime_name(regime));
	}
}

static void check_columns(const bench *b, bool narrow)
{
	uint32_t n = b->spec->n_features;
	score_column *columns = calloc(n, sizeof *columns);
	double *values = malloc((size_t)n * N_ROWS * sizeof *values);
	float *floats = malloc((size_t)n * N_ROWS * sizeof *floats);
	uint8_t *validity = calloc(n, N_ROWS / 8 + 1);
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_MARGIN;
	o.scratch = b->scratch;
	o.scratch_bytes = b->scratch_bytes;
	for (uint32_t c = 0; c < n; c++) {
		uint8_t *bits = validity + (size_t)c * (N_ROWS / 8 + 1);
		for (size_t r = 0; r < N_ROWS; r++) {
			double x = b->rows[r * n + c];
			/* Missing by the bitmap, with a value that must not be looked at. */
			values[c * N_ROWS + r] = isnan(x) ? 1.0 : x;
			floats[c * N_ROWS + r] = (float)values[c * N_ROWS + r];
			bits[r / 8] |= (uint8_t)(!isnan(x) << (r % 8));
		}
		columns[c] = (score_column){.values = values + (size_t)c * N_ROWS, .validity = bits, .dtype = SCORE_F64};
		if (narrow)
			columns[c] = (score_column){.values = floats + (size_t)c * N_ROWS, .validity = bits, .dtype = SCORE_F32};
	}
	score_input in = score_input_columns(columns, N_ROWS, n);
	check(b, &in, N_ROWS, &o, b->expected, "columns");
	free(columns);
	free(values);
	free(floats);
	free(validity);
}

/* The same rows without the entries that `absent` stands for. */
static void check_csr(const bench *b, score_absent absent, bool narrow)
{
	static const size_t sizes[] = {5, 300, 1, 64, N_ROWS};
	const size_t n_sizes = quick ? 2 : sizeof sizes / sizeof sizes[0];
	uint32_t n = b->spec->n_features;
	int32_t *starts = calloc(N_ROWS + 1, sizeof *starts);
	int64_t *numbers = malloc((size_t)n * N_ROWS * sizeof *numbers);
	double *wide = malloc((size_t)n * N_ROWS * sizeof *wide);
	float *floats = malloc((size_t)n * N_ROWS * sizeof *floats);
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_MARGIN;
	for (size_t r = 0, at = 0; r < N_ROWS; r++) {
		for (uint32_t c = 0; c < n; c++) {
			double x = b->rows[r * n + c];
			if (absent == SCORE_ABSENT_ZERO ? x == 0.0 && (r + c) % 3 : isnan(x))
				continue;
			numbers[at] = c;
			floats[at] = (float)x;
			wide[at++] = x;
		}
		starts[r + 1] = (int32_t)at;
	}
	for (size_t i = 0; i < 2 * n_sizes; i++) {
		size_t rows = sizes[i / 2], from = N_ROWS - rows;
		o.scratch = i % 2 ? b->scratch : NULL;
		o.scratch_bytes = i % 2 ? b->scratch_bytes : 0;
		score_input in = score_input_csr(starts + from, SCORE_I32, numbers, SCORE_I64,
			narrow ? (const void *)floats : wide, narrow ? SCORE_F32 : SCORE_F64, (int64_t)rows, n, absent);
		check(b, &in, rows, &o, b->expected + from * b->spec->n_outputs, "sparse rows");
	}
	free(starts);
	free(numbers);
	free(wide);
	free(floats);
}

static void check_tree_ranges(const bench *b)
{
	const forest *f = b->model->f;
	double *expected = malloc(N_ROWS * b->spec->n_outputs * sizeof *expected);
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_MARGIN;
	o.tree_begin = f->n_trees / 3;
	o.tree_end = f->n_trees - f->n_trees / 4;
	for (size_t r = 0; r < N_ROWS && o.tree_end > o.tree_begin; r++)
		forest_margins(f, b->rows + r * b->spec->n_features, o.tree_begin, o.tree_end,
			expected + r * b->spec->n_outputs);
	score_input in = score_input_rows_f64(b->rows, N_ROWS, b->spec->n_features);
	if (o.tree_end > o.tree_begin) {
		check(b, &in, N_ROWS, &o, expected, "tree range without scratch");
		o.scratch = b->scratch;
		o.scratch_bytes = b->scratch_bytes;
		check(b, &in, N_ROWS, &o, expected, "tree range");
	}
	free(expected);
}

static void check_leaves(const bench *b)
{
	const forest *f = b->model->f;
	double *expected = malloc((size_t)N_ROWS * f->n_trees * sizeof *expected);
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_LEAF;
	for (size_t r = 0; r < N_ROWS; r++) {
		for (uint32_t t = 0; t < f->n_trees; t++) {
			uint32_t leaf = forest_walk(f, t, b->rows + r * b->spec->n_features);
			expected[r * f->n_trees + t] = forest_number(&f->leaf_ids, f->trees[t].first_leaf + leaf);
		}
	}
	score_input in = score_input_rows_f64(b->rows, N_ROWS, b->spec->n_features);
	check(b, &in, N_ROWS, &o, expected, "leaves");
	free(expected);
}

/* Predictions of a batch equal those of single rows: the link sees the same margins. */
static void check_predictions(const bench *b)
{
	score_options o = SCORE_OPTIONS_INIT;
	size_t width = score_output_width(b->model, &o);
	double *expected = malloc(N_ROWS * width * sizeof *expected);
	for (size_t r = 0; r < N_ROWS; r++)
		engine_link_row(b->model->f, b->model->f->n_trees / b->model->f->contract.trees_per_iteration,
			b->expected + r * b->spec->n_outputs, expected + r * width);
	score_input in = score_input_rows_f64(b->rows, N_ROWS, b->spec->n_features);
	check(b, &in, N_ROWS, &o, expected, "predictions without scratch");
	o.scratch = b->scratch;
	o.scratch_bytes = b->scratch_bytes;
	check(b, &in, N_ROWS, &o, expected, "predictions");
	in.n_rows = 20;
	check(b, &in, 20, &o, expected, "predictions of few rows");
	free(expected);
}

static void compute_expected(bench *b)
{
	for (size_t r = 0; r < N_ROWS; r++)
		forest_margins(b->model->f, b->rows + r * b->spec->n_features, 0, b->model->f->n_trees,
			b->expected + r * b->spec->n_outputs);
}

static void check_regimes(const bench *b, bool narrow)
{
	check_sizes(b, SCORE_REGIME_AUTO, true, narrow);
	check_sizes(b, SCORE_REGIME_AUTO, false, narrow);
	check_sizes(b, SCORE_REGIME_WALK, true, narrow);
	if (engine_batch_regime(b->model->e) == SCORE_REGIME_BATCH)
		check_sizes(b, SCORE_REGIME_BATCH, true, narrow);
	if (engine_row_regime(b->model->e) == SCORE_REGIME_ROW) {
		check_sizes(b, SCORE_REGIME_ROW, true, narrow);
		check_sizes(b, SCORE_REGIME_ROW, false, narrow);
	}
}

static void check_spec(random_spec spec)
{
	size_t values = (size_t)N_ROWS * spec.n_features;
	bench b = {.spec = &spec, .rows = malloc(values * sizeof(double)), .rows_f32 = malloc(values * sizeof(float)),
		.expected = malloc(N_ROWS * spec.n_outputs * sizeof(double)),
		.out = malloc((size_t)N_ROWS * (spec.n_trees + spec.n_outputs) * sizeof(double))};
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		spec.isa = isas[i];
		b.model = random_model(&spec);
		b.scratch_bytes = score_scratch_bytes(b.model);
		b.scratch = malloc(b.scratch_bytes ? b.scratch_bytes : 1);
		random_rows(&spec, spec.seed + 1, N_ROWS, b.rows);
		compute_expected(&b);
		check_regimes(&b, false);
		check_columns(&b, false);
		check_csr(&b, SCORE_ABSENT_ZERO, false);
		check_csr(&b, SCORE_ABSENT_MISSING, false);
		check_tree_ranges(&b);
		check_leaves(&b);
		check_predictions(&b);
		for (size_t k = 0; k < values; k++)
			b.rows[k] = (double)(b.rows_f32[k] = (float)b.rows[k]);
		compute_expected(&b);
		check_regimes(&b, true);
		check_columns(&b, true);
		check_csr(&b, SCORE_ABSENT_MISSING, true);
		free(b.scratch);
		score_model_free(b.model);
	}
	free(b.rows);
	free(b.rows_f32);
	free(b.expected);
	free(b.out);
}

static random_spec base_spec(uint64_t seed)
{
	return (random_spec){.seed = seed, .n_features = 20, .n_outputs = 1, .n_trees = 40, .max_leaves = 64,
		.cuts_per_feature = 60, .compare = SCORE_F32, .sum = SCORE_F32};
}

static void level_trees_f32(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++)
		check_spec(base_spec(seed));
}

static void leafwise_trees_f64(void **state)
{
	(void)state;
	for (uint64_t seed = 10; seed < 14; seed++) {
		random_spec s = base_spec(seed);
		s.leafwise = 1;
		s.max_leaves = seed % 2 ? 31 : 255;
		s.compare = s.sum = SCORE_F64;
		s.zero_is_missing = 1;
		check_spec(s);
	}
}

/* Trees whose leaves have codes of two bytes, by how many of these there are: up to 256, 512 and 1,024. */
static void count_long_codes(const random_spec *s, uint32_t counts[3])
{
	score_model *model = random_model(s);
	for (uint32_t t = 0; t < s->n_trees; t++) {
		const long_codes *codes = model->e->batch.trees[t].codes;
		if (codes)
			counts[codes->n_codes / 512]++;
	}
	score_model_free(model);
}

static void long_leaf_codes(void **state)
{
	(void)state;
	uint32_t counts[sizeof isas / sizeof isas[0]][3] = {{0}};
	for (uint64_t seed = 400; seed < 406; seed++) {
		random_spec s = base_spec(seed);
		s.leafwise = 1;
		s.max_leaves = seed == 400 ? 60 : seed == 401 ? 130 : 256;
		s.compare = s.sum = seed == 402 ? SCORE_F32 : SCORE_F64;
		s.n_outputs = seed == 403 ? 3 : 1;
		s.n_trees = 45;
		s.vector_leaves = seed == 403;
		s.linear_leaves = seed == 404;
		for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
			s.isa = isas[i];
			if (score_isa_available(s.isa))
				count_long_codes(&s, counts[i]);
		}
		check_spec(s);
	}
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		assert_true(counts[i][0] + counts[i][1] + counts[i][2] > 0);
		if (isas[i] == SCORE_ISA_AVX512)
			assert_true(counts[i][0] && counts[i][1] && counts[i][2]);
	}
}

/* Six levels are what kernels without planes take; with more, or sums in float, planes serve the model. */
static void oblivious_trees(void **state)
{
	(void)state;
	for (uint64_t seed = 15; seed < 19; seed++) {
		random_spec s = base_spec(seed);
		s.most_levels = seed == 17 ? 8 : 6;
		s.max_leaves = 256;
		s.sum = seed == 18 ? SCORE_F32 : SCORE_F64;
		s.compare = seed & 1 ? SCORE_F32 : SCORE_F64;
		s.cuts_per_feature = seed == 16 ? 250 : 60;
		s.base_position = seed == 16 ? SCORE_BASE_LAST : SCORE_BASE_FIRST;
		s.isa = SCORE_ISA_AUTO;
		score_model *model = random_model(&s);
		assert_int_equal(model->e->levels != NULL, model->e->k->level_sum_f64 != NULL && (seed == 15 || seed == 16));
		score_model_free(model);
		check_spec(s);
	}
}

/* Of exactly six levels: few rows ask only what the levels ask, in one register of codes or in two. */
static void full_oblivious_trees(void **state)
{
	(void)state;
	for (uint64_t seed = 19; seed < 22; seed++) {
		random_spec s = base_spec(seed);
		s.n_features = seed == 20 ? 40 : 12;
		s.most_levels = 6;
		s.all_levels = 1;
		s.sum = SCORE_F64;
		s.compare = seed == 21 ? SCORE_F64 : SCORE_F32;
		s.isa = SCORE_ISA_AUTO;
		score_model *model = random_model(&s);
		assert_int_equal(model->e->rows.shape == ROW_LEVELS, model->e->k->level_sum_f64 != NULL);
		assert_int_equal(model->e->n_columns > 64, seed == 20);
		score_model_free(model);
		check_spec(s);
	}
}

static uint32_t trees_by_number(const score_model *model)
{
	uint32_t n = 0;
	for (uint32_t t = 0; t < model->e->f->n_trees; t++)
		n += model->e->batch.trees[t].leaf_planes == FEW_PLANES;
	return n;
}

/* Levels that ask one column several times: some trees have few enough answers for numbers, some have not. Kernels that look numbers up
 * by parts want most trees of a run to have them. */
static void oblivious_trees_of_few_columns(void **state)
{
	(void)state;
	for (uint64_t seed = 22; seed < 28; seed++) {
		random_spec s = base_spec(seed);
		s.n_features = seed == 22 ? 3 : seed == 24 ? 1 : 2;
		s.most_levels = 6;
		s.all_levels = seed < 26;
		s.sum = SCORE_F64;
		s.compare = seed & 1 ? SCORE_F64 : SCORE_F32;
		s.cuts_per_feature = seed == 23 ? 4 : 100;
		s.n_outputs = seed == 25 ? 3 : 1;
		s.n_trees = 42;
		s.category_features = seed == 26 ? 1 : 0;
		for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
			s.isa = isas[i];
			score_model *model = score_isa_available(isas[i]) ? random_model(&s) : NULL;
			uint32_t n = model ? trees_by_number(model) : 0;
			if (model && seed != 26 && (model->e->k->number_bytes != NUMBER_PARTS || seed == 24 || seed == 27))
				assert_int_equal(n > 0, model->e->k->number_bytes != 0);
			assert_true(seed == 24 || n < s.n_trees);
			score_model_free(model);
		}
		check_spec(s);
	}
}

static void many_cuts(void **state)
{
	(void)state;
	for (uint64_t seed = 20; seed < 23; seed++) {
		random_spec s = base_spec(seed);
		s.n_features = 5;
		s.cuts_per_feature = 2000;
		s.max_leaves = 256;
		s.leafwise = seed & 1;
		s.compare = seed & 1 ? SCORE_F64 : SCORE_F32;
		check_spec(s);
	}
}

static void categories(void **state)
{
	(void)state;
	for (uint64_t seed = 30; seed < 34; seed++) {
		random_spec s = base_spec(seed);
		s.category_features = 7;
		s.cuts_per_feature = seed == 33 ? 700 : 40;
		s.compare = s.sum = seed & 1 ? SCORE_F64 : SCORE_F32;
		check_spec(s);
	}
}

static void many_outputs(void **state)
{
	(void)state;
	static const score_link links[] = {SCORE_LINK_SOFTMAX_XGBOOST, SCORE_LINK_ARGMAX, SCORE_LINK_SOFTMAX,
		SCORE_LINK_OVR_NORMALISED, SCORE_LINK_ARGMAX, SCORE_LINK_ARGMAX};
	for (uint64_t seed = 40; seed < 46; seed++) {
		random_spec s = base_spec(seed);
		s.n_outputs = seed == 43 ? 90 : seed > 43 ? 6 : 3;
		s.n_trees = s.n_outputs * 9;
		s.max_leaves = seed == 45 ? 900 : 20;
		s.link = links[seed - 40];
		s.sum = seed & 1 ? SCORE_F64 : SCORE_F32;
		check_spec(s);
	}
}

static void vector_leaves(void **state)
{
	(void)state;
	for (uint64_t seed = 50; seed < 54; seed++) {
		random_spec s = base_spec(seed);
		s.n_outputs = seed == 53 ? 30 : (uint32_t)seed - 48;
		s.vector_leaves = 1;
		s.max_leaves = seed == 51 ? 256 : 30;
		s.leafwise = seed & 1;
		s.compare = s.sum = seed & 1 ? SCORE_F64 : SCORE_F32;
		s.base_position = seed == 51 ? SCORE_BASE_LAST : SCORE_BASE_FIRST;
		s.average = seed == 51 ? SCORE_AVERAGE_MARGIN : SCORE_AVERAGE_NONE;
		check_spec(s);
		score_model *model = random_model(&s);
		score_model_info info = {.struct_size = sizeof info};
		assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
		assert_int_equal(info.batch_regime, SCORE_REGIME_BATCH);
		score_model_free(model);
	}
}

static void linear_leaves(void **state)
{
	(void)state;
	for (uint64_t seed = 140; seed < 144; seed++) {
		random_spec s = base_spec(seed);
		s.linear_leaves = 1;
		s.n_derived = seed % 2 ? 12 : 0;
		s.compare = s.sum = SCORE_F64;
		s.max_leaves = seed == 141 ? 700 : seed == 142 ? 256 : 30;
		s.n_outputs = seed == 143 ? 3 : 1;
		s.n_trees = 21;
		s.leafwise = seed & 1;
		s.category_features = seed == 142 ? 3 : 0;
		s.average = seed == 143 ? SCORE_AVERAGE_PREDICTION : SCORE_AVERAGE_NONE;
		check_spec(s);
		score_model *model = random_model(&s);
		assert_int_equal(engine_batch_regime(model->e), seed == 141 ? SCORE_REGIME_WALK : SCORE_REGIME_BATCH);
		score_model_free(model);
	}
}

static void large_trees(void **state)
{
	(void)state;
	for (uint64_t seed = 60; seed < 62; seed++) {
		random_spec s = base_spec(seed);
		s.max_leaves = 3000;
		s.n_trees = 6;
		s.leafwise = seed & 1;
		s.cuts_per_feature = seed & 1 ? 100 : 400;
		check_spec(s);
	}
}

static void averages_and_bases(void **state)
{
	(void)state;
	for (uint64_t seed = 70; seed < 73; seed++) {
		random_spec s = base_spec(seed);
		s.base_position = seed == 72 ? SCORE_BASE_FIRST : SCORE_BASE_LAST;
		s.average = seed == 70 ? SCORE_AVERAGE_MARGIN : seed == 72 ? SCORE_AVERAGE_PREDICTION : SCORE_AVERAGE_NONE;
		s.sum = SCORE_F64;
		s.link = SCORE_LINK_SIGMOID;
		check_spec(s);
	}
}

static void few_features_and_many_trees(void **state)
{
	(void)state;
	random_spec s = base_spec(80);
	s.n_features = 3;
	s.n_trees = 700;
	s.max_leaves = 8;
	s.cuts_per_feature = 255;
	check_spec(s);
}

static void many_predicates_need_groups(void **state)
{
	(void)state;
	random_spec s = base_spec(90);
	s.n_features = 100;
	s.n_trees = 150;
	s.max_leaves = 200;
	s.cuts_per_feature = 250;
	check_spec(s);
}

/* Rows so far apart that the next columns are asked for: the columns that trees use lie side by side, or with gaps. */
static void wide_rows(void **state)
{
	(void)state;
	for (uint32_t many = 0; many < 2; many++) {
		random_spec s = base_spec(95 + many);
		s.n_features = 301;
		s.n_trees = many ? 60 : 4;
		s.max_leaves = many ? 64 : 8;
		check_spec(s);
	}
}

/* By the planes that their codes are sliced into; 0: bytes. */
static void count_slices(const random_spec *s, uint32_t columns[SLICE_MOST_PLANES + 1])
{
	score_model *model = random_model(s);
	assert_non_null(model->e->places);
	for (uint32_t c = 0; c < model->e->n_columns; c++)
		columns[engine_slices(model->e, c)]++;
	score_model_free(model);
}

/* Columns of few cuts as bit planes beside those that stay bytes, whatever is missing, derived or a category. */
static void sliced_columns(void **state)
{
	(void)state;
	static const uint32_t cuts[] = {6, 8, 14, 12, 18, 8};
	uint32_t columns[SLICE_MOST_PLANES + 1] = {0};
	for (uint64_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		random_spec s = base_spec(120 + i);
		s.cuts_per_feature = cuts[i];
		s.n_trees = 60;
		s.zero_is_missing = i % 2;
		s.compare = s.sum = i % 2 ? SCORE_F64 : SCORE_F32;
		s.category_features = i == 2 ? 3 : 0;
		s.n_derived = i >= 4 ? 6 : 0;
		s.isa = SCORE_ISA_AVX512;
		if (score_isa_available(s.isa))
			count_slices(&s, columns);
		check_spec(s);
	}
	if (score_isa_available(SCORE_ISA_AVX512))
		assert_true(columns[0] && columns[4] && columns[5]);
}

/* Every layout of the row regime, with codes in one register and in two. */
static void rows_in_every_layout(void **state)
{
	(void)state;
	static const struct {
		uint32_t n_features, max_leaves, leafwise;
		row_shape shape;
	} cases[] = {{32, 64, 0, ROW_HEAP}, {30, 64, 1, ROW_BLOCKS}, {30, 32, 1, ROW_MASKS}, {30, 12, 0, ROW_HEAP},
		{50, 64, 0, ROW_HEAP}, {60, 64, 1, ROW_BLOCKS}, {64, 32, 1, ROW_MASKS}, {64, 64, 0, ROW_HEAP}, {30, 250, 1, ROW_BLOCKS},
		{60, 256, 0, ROW_BLOCKS}, {20, 255, 1, ROW_BLOCKS}};
	/* Missing values go left at some splits and right at others: two columns per feature. */
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		random_spec s = base_spec(100 + i);
		s.n_features = cases[i].n_features;
		s.max_leaves = cases[i].max_leaves;
		s.leafwise = cases[i].leafwise;
		s.n_outputs = i % 3 == 2 ? 3 : 1;
		s.n_trees = (i % 2 ? 45 : 48) * s.n_outputs;
		s.compare = s.sum = i % 2 ? SCORE_F64 : SCORE_F32;
		s.isa = SCORE_ISA_AVX512;
		if (score_isa_available(s.isa)) {
			score_model *model = random_model(&s);
			assert_int_equal(model->e->rows.shape, cases[i].shape);
			assert_int_equal(model->e->rows.wide_codes, s.n_features > 32);
			score_model_free(model);
		}
		check_spec(s);
	}
}

static void derived_columns(void **state)
{
	(void)state;
	for (uint64_t seed = 200; seed < 212; seed++) {
		random_spec s = base_spec(seed);
		s.n_derived = seed % 3 ? 30 : 5;
		s.n_features = seed % 4 ? 20 : 3;
		s.category_features = seed % 2 ? 8 : 0;
		s.max_leaves = seed % 5 ? 40 : 3000;
		s.n_trees = seed % 5 ? 40 : 5;
		s.compare = seed & 1 ? SCORE_F64 : SCORE_F32;
		s.sum = seed & 2 ? SCORE_F64 : SCORE_F32;
		s.cuts_per_feature = seed % 7 ? 60 : 400;
		s.zero_is_missing = seed % 3 == 0;
		check_spec(s);
	}
}

/* Without scratch, only the direct regime can serve so many columns. */
static void thousands_of_derived_columns(void **state)
{
	(void)state;
	random_spec s = base_spec(220);
	s.n_derived = 6000;
	s.n_trees = 250;
	s.cuts_per_feature = 4;
	for (int wide = 0; wide < 2; wide++) {
		s.compare = s.sum = wide ? SCORE_F64 : SCORE_F32;
		bench b = {.spec = &s, .model = random_model(&s), .rows = malloc(20 * s.n_features * sizeof(double)),
			.expected = malloc(20 * sizeof(double)), .out = malloc(20 * sizeof(double))};
		score_options o = SCORE_OPTIONS_INIT;
		o.output = SCORE_OUTPUT_MARGIN;
		assert_true(b.model->e->n_columns * b.model->e->code_bytes > 4096);
		random_rows(&s, 1, 20, b.rows);
		for (size_t r = 0; r < 20; r++)
			forest_margins(b.model->f, b.rows + r * s.n_features, 0, s.n_trees, b.expected + r);
		score_input in = score_input_rows_f64(b.rows, 20, s.n_features);
		check(&b, &in, 20, &o, b.expected, "direct");
		score_model_free(b.model);
		free(b.rows);
		free(b.expected);
		free(b.out);
	}
}

/* Scratch of any size, aligned or not, down to none: how it is divided into blocks must not be seen. */
static void check_scratch_sizes(bench *b, size_t n_rows)
{
	size_t full = score_scratch_bytes(b->model), sizes[] = {1, 701, 4097, n_rows};
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_MARGIN;
	for (size_t shift = 0; full >> shift; shift += quick ? 3 : 1) {
		o.scratch_bytes = full >> shift;
		char *odd = malloc(o.scratch_bytes + shift % 2);
		o.scratch = odd + shift % 2;
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			size_t n = sizes[i] < n_rows ? sizes[i] : n_rows, from = n_rows - n;
			score_input in = score_input_rows_f64(b->rows + from * b->spec->n_features, (int64_t)n,
				b->spec->n_features);
			check(b, &in, n, &o, b->expected + from * b->spec->n_outputs, "scratch sizes");
		}
		free(odd);
	}
}

typedef enum node_kind { SMALL_NODES, SHORT_NODES, NODES, WIDE_NODES } node_kind;

/* Kernels that have pages have these, or nodes if a row's codes have no room. */
static page_kind expected_pages(const kernels *k, page_kind kind)
{
	return k->page_leaves && (kind != PAGE_U8_128 || k->page_columns8 > 64) ? kind : PAGE_NONE;
}

/* Models that only the walk serves, over more rows than a block holds. */
static void check_deep(random_spec spec, size_t all_rows, node_kind kind, page_kind pages)
{
	const size_t n_rows = quick ? all_rows / 8 : all_rows;
	bench b = {.spec = &spec, .rows = malloc(n_rows * spec.n_features * sizeof(double)),
		.expected = malloc(n_rows * spec.n_outputs * sizeof(double)),
		.out = malloc(n_rows * spec.n_outputs * sizeof(double))};
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		spec.isa = isas[i];
		b.model = random_model(&spec);
		const walk_plan *w = &b.model->e->walk;
		assert_int_equal(engine_batch_regime(b.model->e), SCORE_REGIME_WALK);
		assert_int_equal(b.model->e->pages.kind, expected_pages(b.model->e->k, pages));
		if (b.model->e->pages.kind == PAGE_NONE)
			assert_int_equal(w->small_nodes ? SMALL_NODES : w->short_nodes ? SHORT_NODES : w->nodes ? NODES
				: WIDE_NODES, kind);
		random_rows(&spec, spec.seed + 1, n_rows, b.rows);
		for (size_t r = 0; r < n_rows; r++)
			forest_margins(b.model->f, b.rows + r * spec.n_features, 0, b.model->f->n_trees,
				b.expected + r * spec.n_outputs);
		check_scratch_sizes(&b, n_rows);
		score_model_free(b.model);
	}
	free(b.rows);
	free(b.expected);
	free(b.out);
}

/* More nodes than stay in the cache: eight rows ask for them ahead. More columns than the row regime takes. */
static void check_eight(random_spec spec)
{
	enum { MOST_ROWS = 21, WIDTH = 1 };
	double *rows = malloc(MOST_ROWS * spec.n_features * sizeof *rows), expected[MOST_ROWS * WIDTH], out[MOST_ROWS * WIDTH];
	bench b = {.spec = &spec, .out = out, .model = random_model(&spec)};
	const forest *f = b.model->f;
	assert_true(b.model->e->walk.eight);
	assert_true((size_t)f->n_splits + f->n_leaves > 65536);
	random_rows(&spec, spec.seed + 1, MOST_ROWS, rows);
	for (uint32_t begin = 0; begin < 4; begin += 3) {
		score_options o = SCORE_OPTIONS_INIT;
		o.output = SCORE_OUTPUT_MARGIN;
		o.regime = SCORE_REGIME_WALK;
		o.tree_begin = begin;
		o.tree_end = f->n_trees - begin;
		for (size_t r = 0; r < MOST_ROWS; r++)
			forest_margins(f, rows + r * spec.n_features, o.tree_begin, o.tree_end, expected + r);
		for (size_t n = 5; n <= MOST_ROWS; n += 4) {
			score_input in = score_input_rows_f64(rows, (int64_t)n, spec.n_features);
			check(&b, &in, n, &o, expected, "eight rows of many nodes");
		}
	}
	score_model_free(b.model);
	free(rows);
}

static void eight_rows_of_many_nodes(void **state)
{
	(void)state;
	random_spec s = base_spec(115);
	s.n_features = 80;
	s.n_trees = 900;
	s.max_leaves = 127;
	s.leafwise = 1;
	check_eight(s);
	s.seed = 116;
	s.compare = s.sum = SCORE_F64;
	check_eight(s);
}

static void deep_trees_over_many_rows(void **state)
{
	(void)state;
	random_spec s = base_spec(100);
	s.n_trees = 21;
	s.max_leaves = 900;
	check_deep(s, 17000, SMALL_NODES, PAGE_U8_64);
	s.cuts_per_feature = 900;
	s.leafwise = 1;
	s.compare = s.sum = SCORE_F64;
	check_deep(s, 5000, SHORT_NODES, PAGE_U16_32);
}

static void deep_trees_over_many_columns(void **state)
{
	(void)state;
	random_spec s = base_spec(105);
	s.n_features = 300;
	s.n_trees = 18;
	s.max_leaves = 900;
	check_deep(s, 1000, SHORT_NODES, PAGE_NONE);
}

static void deep_trees_with_categories_and_outputs(void **state)
{
	(void)state;
	random_spec s = base_spec(110);
	s.n_outputs = 3;
	s.n_trees = 18;
	s.max_leaves = 700;
	s.category_features = 7;
	check_deep(s, 5000, SHORT_NODES, PAGE_NONE);
	s.n_outputs = 1;
	s.n_trees = 3;
	s.max_leaves = 100000;
	check_deep(s, 400, NODES, PAGE_NONE);
}

static void trees_too_large_for_small_nodes(void **state)
{
	(void)state;
	random_spec s = base_spec(120);
	s.n_trees = 3;
	s.max_leaves = 100000;
	s.leafwise = 1;
	check_deep(s, 5000, NODES, PAGE_U8_64);
	s.cuts_per_feature = 900;
	check_deep(s, 5000, NODES, PAGE_U16_32);
}

static void codes_of_four_bytes(void **state)
{
	(void)state;
	random_spec s = base_spec(130);
	s.n_trees = 4;
	s.n_features = 1;
	s.max_leaves = 120000;
	s.cuts_per_feature = 1000000;
	s.leafwise = 1;
	check_deep(s, 5000, WIDE_NODES, PAGE_U16_32);
}

/* From a register of codes to more columns than two hold, where missing values go both ways; trees from one leaf to many pages. */
static void pages_of_every_kind(void **state)
{
	(void)state;
	static const struct {
		uint32_t n_features, cuts;
		page_kind pages;
	} cases[] = {{6, 60, PAGE_U8_32}, {25, 60, PAGE_U8_64}, {50, 100, PAGE_U8_128}, {90, 100, PAGE_NONE}, {8, 2000, PAGE_U16_32},
		{50, 2000, PAGE_U16_64}, {70, 2000, PAGE_NONE}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		random_spec s = base_spec(150 + i);
		s.n_features = cases[i].n_features;
		s.cuts_per_feature = cases[i].cuts;
		s.n_trees = 72;
		s.max_leaves = 1500;
		s.leafwise = i & 1;
		s.has_covers = i & 2 ? 1 : 0;
		s.n_outputs = i % 3 ? 1 : 3;
		s.vector_leaves = i == 0 || i == 6;
		s.linear_leaves = i == 4;
		s.compare = s.sum = i & 4 ? SCORE_F64 : SCORE_F32;
		check_deep(s, 3000, cases[i].cuts > 255 ? SHORT_NODES : SMALL_NODES, cases[i].pages);
	}
}

int main(void)
{
	quick = quick_run();
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++)
		print_message("%s kernels: %s\n", score_isa_name(isas[i]),
			score_isa_available(isas[i]) ? "tested" : "NOT TESTED, this processor has not got them");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(level_trees_f32),
		cmocka_unit_test(leafwise_trees_f64), cmocka_unit_test(oblivious_trees), cmocka_unit_test(full_oblivious_trees), cmocka_unit_test(oblivious_trees_of_few_columns),
		cmocka_unit_test(many_cuts),
		cmocka_unit_test(categories),
		cmocka_unit_test(many_outputs),
		cmocka_unit_test(long_leaf_codes),
		cmocka_unit_test(vector_leaves),
		cmocka_unit_test(linear_leaves),
		cmocka_unit_test(large_trees),
		cmocka_unit_test(averages_and_bases),
		cmocka_unit_test(few_features_and_many_trees),
		cmocka_unit_test(many_predicates_need_groups),
		cmocka_unit_test(wide_rows),
		cmocka_unit_test(sliced_columns),
		cmocka_unit_test(rows_in_every_layout),
		cmocka_unit_test(derived_columns),
		cmocka_unit_test(thousands_of_derived_columns),
		cmocka_unit_test(eight_rows_of_many_nodes),
		cmocka_unit_test(deep_trees_over_many_rows), cmocka_unit_test(deep_trees_over_many_columns),
		cmocka_unit_test(deep_trees_with_categories_and_outputs),
		cmocka_unit_test(trees_too_large_for_small_nodes),
		cmocka_unit_test(codes_of_four_bytes),
		cmocka_unit_test(pages_of_every_kind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
