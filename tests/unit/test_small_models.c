/* Models opened with SCORE_OPEN_SMALL: the bits of any other, in less memory, without the batch regime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/model.h"
#include "engine/parts.h"
#include "random_model.h"

#include <scoreline/bins.h>

#define N_ROWS 700

static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512, SCORE_ISA_NEON};

/* A model as bytes, with rows and what it gives for them; opened as it usually is. */
typedef struct fixture {
	random_spec spec;
	score_model *model;
	void *bytes;
	size_t size, width;
	double *rows, *expected, *got;
} fixture;

static score_status score(const fixture *f, const score_model *model, int64_t n, score_output output, score_regime regime, double *out,
	score_error *error)
{
	score_options options = SCORE_OPTIONS_INIT;
	score_input in = score_input_rows_f64(f->rows, n, f->spec.n_features);
	options.output = output;
	options.regime = regime;
	options.scratch_bytes = score_scratch_bytes(model);
	options.scratch = options.scratch_bytes ? malloc(options.scratch_bytes) : NULL;
	score_status status = score_batch(model, &in, out, (size_t)n * f->width, &options, error);
	free(options.scratch);
	return status;
}

static fixture make(const random_spec *spec)
{
	fixture f = {.spec = *spec, .model = random_model(spec)};
	score_options options = SCORE_OPTIONS_INIT;
	options.output = SCORE_OUTPUT_LEAF; /* the widest */
	f.width = score_output_width(f.model, &options);
	f.width = f.width > spec->n_outputs ? f.width : spec->n_outputs;
	f.rows = malloc((size_t)N_ROWS * spec->n_features * sizeof *f.rows);
	f.expected = malloc((size_t)N_ROWS * f.width * sizeof *f.expected);
	f.got = malloc((size_t)N_ROWS * f.width * sizeof *f.got);
	random_rows(spec, spec->seed, N_ROWS, f.rows);
	assert_int_equal(score_model_save_memory(f.model, NULL, &f.bytes, &f.size, NULL), SCORE_OK);
	return f;
}

static void destroy(fixture *f)
{
	score_model_free_bytes(f->model, f->bytes, f->size);
	score_model_free(f->model);
	free(f->rows);
	free(f->expected);
	free(f->got);
}

static score_model *opened(const fixture *f, score_isa isa, uint32_t flags)
{
	score_open_options options = SCORE_OPEN_OPTIONS_INIT;
	score_model *model;
	score_error error;
	options.isa = isa;
	options.flags = flags;
	if (score_model_open_memory(f->bytes, f->size, &options, &model, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	return model;
}

static void same_bits(const fixture *f, const score_model *small, score_isa isa)
{
	static const int64_t counts[] = {1, 7, 8, 9, 40, 65, N_ROWS};
	static const score_output outputs[] = {SCORE_OUTPUT_PREDICTION, SCORE_OUTPUT_MARGIN, SCORE_OUTPUT_LEAF};
	for (size_t o = 0; o < sizeof outputs / sizeof outputs[0]; o++) {
		for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
			const size_t values = (size_t)counts[i] * f->width;
			memset(f->expected, 0, values * sizeof *f->expected);
			memset(f->got, 0, values * sizeof *f->got);
			assert_int_equal(score(f, f->model, counts[i], outputs[o], SCORE_REGIME_AUTO, f->expected, NULL), SCORE_OK);
			assert_int_equal(score(f, small, counts[i], outputs[o], SCORE_REGIME_AUTO, f->got, NULL), SCORE_OK);
			if (memcmp(f->expected, f->got, values * sizeof *f->got) != 0)
				fail_msg("seed %llu, %s: output %d of %lld rows differs", (unsigned long long)f->spec.seed, score_isa_name(isa),
					(int)outputs[o], (long long)counts[i]);
		}
	}
}

/* A forest that has a batch regime unless it is small. */
static void check_forest(const random_spec *spec)
{
	fixture f = make(spec);
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		score_model_info usual = {.struct_size = sizeof usual}, less = usual;
		score_error error;
		if (!score_isa_available(isas[i]))
			continue;
		score_model *all = opened(&f, isas[i], 0), *small = opened(&f, isas[i], SCORE_OPEN_SMALL | SCORE_OPEN_VERIFY);
		assert_int_equal(score_model_get_info(all, &usual), SCORE_OK);
		assert_int_equal(score_model_get_info(small, &less), SCORE_OK);
		assert_int_equal(usual.batch_regime, SCORE_REGIME_BATCH);
		assert_int_not_equal(less.batch_regime, SCORE_REGIME_BATCH);
		assert_int_equal(less.batch_regime, less.row_regime);
		assert_true(less.memory_bytes < usual.memory_bytes);
		same_bits(&f, small, isas[i]);
		assert_int_equal(score(&f, small, 300, SCORE_OUTPUT_MARGIN, SCORE_REGIME_BATCH, f.got, &error), SCORE_ERR_ARGUMENT);
		assert_non_null(strstr(error.message, "SCORE_OPEN_SMALL"));
		/* The other instruction sets' programs are made for the check alone. */
		for (size_t k = 0; k < sizeof isas / sizeof isas[0]; k++)
			if (score_isa_available(isas[k]))
				assert_int_equal(score_model_verify(small, isas[k], NULL, NULL), SCORE_OK);
		score_model_free(small);
		score_model_free(all);
	}
	destroy(&f);
}

static void scores_the_same(void **state)
{
	(void)state;
	for (uint64_t seed = 900; seed < 906; seed++) {
		random_spec s = {.seed = seed, .n_features = 20, .n_outputs = 1, .n_trees = 42, .max_leaves = 60, .cuts_per_feature = 60,
			.compare = SCORE_F32, .sum = SCORE_F32};
		if (seed % 2)
			s.compare = s.sum = SCORE_F64;
		s.leafwise = seed % 3 == 0;
		s.category_features = seed == 902 ? 3 : 0;
		s.max_leaves = seed == 903 ? 256 : seed == 905 ? 64 : 60;
		s.n_outputs = seed == 904 ? 3 : 1;
		s.most_levels = seed == 905 ? 6 : 0; /* oblivious */
		s.link = seed == 904 ? SCORE_LINK_SOFTMAX : SCORE_LINK_SIGMOID;
		check_forest(&s);
	}
}

/* The walk's nodes by columns, cuts and leaves, on either side of what each kind holds, and leaves that have no number in them. */
static void scores_the_same_by_nodes_of_every_kind(void **state)
{
	(void)state;
	static const uint32_t leaves[] = {2, 60, 128, 129, 256};
	for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
		random_spec s = {.seed = 920 + i, .n_features = 320, .n_outputs = 1, .n_trees = 37, .max_leaves = leaves[i], .cuts_per_feature = 20,
			.compare = SCORE_F32, .sum = SCORE_F32};
		check_forest(&s); /* codes of one byte, in more than 256 columns where trees are many */
		s.n_features = 3;
		s.cuts_per_feature = 600;
		s.sum = s.compare = i % 2 ? SCORE_F64 : SCORE_F32;
		check_forest(&s); /* codes of two bytes, in few columns where there are so many splits */
		s.n_features = 320;
		s.cuts_per_feature = 20;
		s.vector_leaves = 1;
		s.n_outputs = 2;
		check_forest(&s);
	}
}

/* Sets beside cuts in each kind of node; tables of a small model have no bits but those of its codes. */
static void scores_the_same_with_sets(void **state)
{
	(void)state;
	static const struct {
		uint32_t n_features, leaves, cuts;
	} cases[] = {{12, 2, 20}, {12, 60, 60}, {12, 60, 700}, {12, 128, 60}, {12, 129, 60}, {12, 256, 700}, {330, 60, 20}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		random_spec s = {.seed = 940 + i, .n_features = cases[i].n_features, .n_outputs = 1, .n_trees = 39, .max_leaves = cases[i].leaves,
			.cuts_per_feature = cases[i].cuts, .compare = SCORE_F32, .sum = SCORE_F32, .category_features = cases[i].n_features / 3};
		s.leafwise = i & 1;
		if (i & 2)
			s.compare = s.sum = SCORE_F64;
		check_forest(&s);
	}
}

/* Codes that no value has, too: behind the last category, where the tables of a small model end, they are those of missing values. */
static void takes_any_codes(void **state)
{
	(void)state;
	enum { N = 600 };
	const random_spec spec = {.seed = 950, .n_features = 9, .n_outputs = 1, .n_trees = 40, .max_leaves = 50, .cuts_per_feature = 30,
		.compare = SCORE_F32, .sum = SCORE_F32, .category_features = 4};
	fixture f = make(&spec);
	score_bins bins = SCORE_BINS_INIT;
	score_model *small = opened(&f, SCORE_ISA_AUTO, SCORE_OPEN_SMALL);
	assert_int_equal(score_model_get_bins(small, &bins), SCORE_OK);
	assert_int_equal(bins.code_bytes, 1);
	uint8_t *codes = malloc((size_t)bins.n_columns * N);
	uint64_t random = 951;
	for (size_t i = 0; i < (size_t)bins.n_columns * N; i++)
		codes[i] = (uint8_t)random_u64(&random);
	for (uint32_t c = 0; c < bins.n_columns; c++) {
		score_bin_column column = SCORE_BIN_COLUMN_INIT;
		assert_int_equal(score_model_get_bin_column(small, c, &column, NULL), SCORE_OK);
		for (size_t r = 0; r < N && !(column.flags & SCORE_BIN_CATEGORY); r++)
			codes[(size_t)c * N + r] = (uint8_t)(codes[(size_t)c * N + r] % (column.n_cuts + 1));
	}
	score_options options = SCORE_OPTIONS_INIT;
	options.scratch_bytes = score_scratch_bytes(small);
	options.scratch = malloc(options.scratch_bytes);
	score_input all = score_input_binned(&bins, codes, N, N);
	assert_int_equal(score_batch(small, &all, f.got, N, &options, NULL), SCORE_OK);
	for (size_t r = 0; r < N; r++) {
		for (uint32_t c = 0; c < bins.n_columns; c++) {
			score_bin_column column = SCORE_BIN_COLUMN_INIT;
			assert_int_equal(score_model_get_bin_column(small, c, &column, NULL), SCORE_OK);
			uint8_t *code = codes + (size_t)c * N + r;
			*code = column.flags & SCORE_BIN_CATEGORY && *code > column.n_categories ? (uint8_t)column.missing : *code;
		}
	}
	assert_int_equal(score_batch(f.model, &all, f.expected, N, NULL, NULL), SCORE_OK);
	assert_memory_equal(f.expected, f.got, N * sizeof(double));
	free(options.scratch);
	free(codes);
	score_model_free(small);
	destroy(&f);
}

/* What has no batch regime has nodes that know their leaves, and has them instead of pages if they take less. */
static void has_nodes_instead_of_pages(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof isas / sizeof isas[0]; i++) {
		const score_isa isa = isas[i / 2];
		random_spec s = {.seed = 910, .n_features = 20, .n_outputs = 1, .n_trees = 6, .max_leaves = i % 2 ? 900 : 3000,
			.cuts_per_feature = i % 2 ? 200 : 100, .compare = SCORE_F32, .sum = SCORE_F32};
		if (!score_isa_available(isa))
			continue;
		fixture f = make(&s);
		score_model_info usual = {.struct_size = sizeof usual}, less = usual;
		score_model *all = opened(&f, isa, 0), *small = opened(&f, isa, SCORE_OPEN_SMALL);
		assert_int_equal(score_model_get_info(all, &usual), SCORE_OK);
		assert_int_equal(score_model_get_info(small, &less), SCORE_OK);
		assert_int_equal(small->e->pages.kind, PAGE_NONE);
		assert_non_null(small->e->walk.small_nodes);
		assert_true(less.memory_bytes < usual.memory_bytes);
		same_bits(&f, small, isa);
		score_model_free(small);
		score_model_free(all);
		destroy(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores_the_same),
		cmocka_unit_test(scores_the_same_by_nodes_of_every_kind),
		cmocka_unit_test(scores_the_same_with_sets),
		cmocka_unit_test(takes_any_codes),
		cmocka_unit_test(has_nodes_instead_of_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
