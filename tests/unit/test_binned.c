/* Rows as codes: every call gives for codes what it gives for the rows, on every instruction set, in every regime; another model of
 * the same bins takes them, one of other bins refuses them; what the codes mean is what was read of them. */
#include "random_model.h"

#include <scoreline/bins.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/model.h"
#include "finish_model.h"
#include "metered_memory.h"

#define N_ROWS 700

static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512, SCORE_ISA_NEON};

static const random_spec specs[] = {
	{.seed = 1, .n_features = 28, .n_outputs = 1, .n_trees = 60, .max_leaves = 32, .cuts_per_feature = 40,
	 .compare = SCORE_F32, .sum = SCORE_F32, .link = SCORE_LINK_SIGMOID},
	{.seed = 2, .n_features = 9, .n_outputs = 3, .n_trees = 120, .max_leaves = 60, .cuts_per_feature = 600,
	 .category_features = 3, .zero_is_missing = 1, .compare = SCORE_F64, .sum = SCORE_F64, .link = SCORE_LINK_SOFTMAX},
	{.seed = 3, .n_features = 17, .n_outputs = 1, .n_trees = 20, .max_leaves = 400, .cuts_per_feature = 30, .leafwise = 1,
	 .category_features = 2, .n_derived = 6, .compare = SCORE_F64, .sum = SCORE_F64},
	{.seed = 4, .n_features = 40, .n_outputs = 2, .n_trees = 24, .max_leaves = 16, .cuts_per_feature = 254,
	 .vector_leaves = 1, .compare = SCORE_F32, .sum = SCORE_F64, .base_position = SCORE_BASE_LAST},
	/* So wide that without scratch its codes do not fit the stack. */
	{.seed = 5, .n_features = 6000, .n_outputs = 1, .n_trees = 900, .max_leaves = 16, .cuts_per_feature = 3,
	 .compare = SCORE_F64, .sum = SCORE_F64},
};

typedef struct table {
	score_bins bins;
	void *codes;
	int64_t stride; /* between columns */
	score_input in;
} table;

static table bin(const score_model *model, const score_input *in, const score_plan *plan)
{
	table t = {.bins = SCORE_BINS_INIT};
	score_error error;
	assert_int_equal(score_model_get_bins(model, &t.bins), SCORE_OK);
	t.stride = (in->n_rows + 3) * t.bins.code_bytes;
	size_t bytes = (size_t)t.stride * t.bins.n_columns;
	t.codes = malloc(bytes + 1);
	memset(t.codes, 0xa5, bytes);
	if (score_bin(model, in, plan, t.codes, bytes, t.stride, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	for (uint32_t c = 0; c < t.bins.n_columns; c++) /* nothing behind the rows of a column was touched */
		for (int64_t i = in->n_rows * t.bins.code_bytes; i < t.stride; i++)
			assert_int_equal(((const uint8_t *)t.codes)[c * t.stride + i], 0xa5);
	t.in = score_input_binned(&t.bins, t.codes, t.stride, in->n_rows);
	return t;
}

static void compare(const score_model *model, const score_input *rows, const score_input *codes, score_options o)
{
	size_t n = (size_t)rows->n_rows * score_output_width(model, &o);
	double *wanted = malloc((n + 1) * sizeof *wanted), *got = malloc((n + 1) * sizeof *got);
	score_error error;
	score_status expected = score_batch(model, rows, wanted, n, &o, NULL);
	if (score_batch(model, codes, got, n, &o, &error) != expected)
		fail_msg("output %d, regime %d: %s", o.output, o.regime, error.message);
	if (expected == SCORE_OK && memcmp(got, wanted, n * sizeof *got))
		fail_msg("output %d, regime %d: codes give other values than rows", o.output, o.regime);
	free(wanted);
	free(got);
}

static void check_calls(const score_model *model, const score_input *rows, const score_input *codes)
{
	static const score_regime regimes[] = {SCORE_REGIME_AUTO, SCORE_REGIME_BATCH, SCORE_REGIME_WALK, SCORE_REGIME_ROW};
	size_t bytes = score_scratch_bytes(model), most = score_contribution_scratch_bytes(model);
	void *scratch = malloc(bytes > most ? bytes : most);
	for (int with = 0; with < 2; with++) {
		for (score_output output = SCORE_OUTPUT_PREDICTION; output <= SCORE_OUTPUT_CLASS; output++) {
			for (size_t i = 0; i < 4; i++) {
				score_options o = SCORE_OPTIONS_INIT;
				o.output = output;
				o.regime = regimes[i];
				o.scratch = with ? scratch : NULL;
				o.scratch_bytes = with ? bytes : 0;
				compare(model, rows, codes, o);
				o.tree_begin = 6;
				o.tree_end = 18;
				compare(model, rows, codes, o);
			}
		}
	}
	free(scratch);
}

static void check_stages(const score_model *model, const score_input *rows, const score_input *codes)
{
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_MARGIN;
	o.scratch_bytes = score_scratch_bytes(model);
	o.scratch = malloc(o.scratch_bytes);
	size_t n = (size_t)rows->n_rows * score_stage_count(model, 3, &o) * score_output_width(model, &o);
	double *wanted = malloc(n * sizeof *wanted), *got = malloc(n * sizeof *got);
	assert_int_equal(score_staged(model, rows, 3, wanted, n, &o, NULL), SCORE_OK);
	assert_int_equal(score_staged(model, codes, 3, got, n, &o, NULL), SCORE_OK);
	assert_memory_equal(got, wanted, n * sizeof *got);
	free(wanted);
	free(got);
	free(o.scratch);
}

static void check_isa(const random_spec *spec, const double *rows)
{
	score_model *model = random_model(spec);
	score_input some = score_input_rows_f64(rows, spec->n_features > 1000 ? 40 : N_ROWS, spec->n_features);
	table t = bin(model, &some, NULL);
	check_calls(model, &some, &t.in);
	check_stages(model, &some, &t.in);
	score_input one = score_input_rows_f64(rows + 7 * (size_t)spec->n_features, 1, spec->n_features);
	score_input code = score_input_binned(&t.bins, (const char *)t.codes + 7 * t.bins.code_bytes, t.stride, 1);
	check_calls(model, &one, &code);
	free(t.codes);
	score_model_free(model);
}

static void test_codes_score_as_rows(void **state)
{
	(void)state;
	for (size_t s = 0; s < sizeof specs / sizeof specs[0]; s++) {
		double *rows = malloc((size_t)N_ROWS * specs[s].n_features * sizeof *rows);
		random_rows(specs + s, 100 + s, N_ROWS, rows);
		for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
			random_spec spec = specs[s];
			spec.isa = isas[i];
			if (score_isa_available(isas[i]))
				check_isa(&spec, rows);
		}
		free(rows);
	}
}

static void test_float_rows_and_columns(void **state)
{
	(void)state;
	const random_spec *spec = specs;
	enum { N = 200 };
	double *rows = malloc((size_t)N * spec->n_features * sizeof *rows);
	float *narrow = malloc((size_t)N * spec->n_features * sizeof *narrow);
	score_column *columns = calloc(spec->n_features, sizeof *columns);
	score_model *model = random_model(spec);
	random_rows(spec, 9, N, rows);
	for (size_t i = 0; i < (size_t)N * spec->n_features; i++)
		narrow[i] = (float)rows[i];
	for (uint32_t f = 0; f < spec->n_features; f++)
		columns[f] = (score_column){narrow + f, NULL, 0, (int64_t)(spec->n_features * sizeof(float)), SCORE_F32, 0};
	score_input by_row = score_input_rows_f32(narrow, N, spec->n_features);
	score_input by_column = score_input_columns(columns, N, spec->n_features);
	table a = bin(model, &by_row, NULL), b = bin(model, &by_column, NULL);
	for (uint32_t c = 0; c < a.bins.n_columns; c++)
		assert_memory_equal((char *)a.codes + c * a.stride, (char *)b.codes + c * b.stride, N * a.bins.code_bytes);
	check_calls(model, &by_row, &a.in);
	free(a.codes);
	free(b.codes);
	free(rows);
	free(narrow);
	free(columns);
	score_model_free(model);
}

static double code_of(const table *t, uint32_t column, size_t row)
{
	const char *from = (const char *)t->codes + column * t->stride;
	if (t->bins.code_bytes == 1)
		return ((const uint8_t *)from)[row];
	return t->bins.code_bytes == 2 ? ((const uint16_t *)(const void *)from)[row]
				       : ((const uint32_t *)(const void *)from)[row];
}

static double expected_code(const score_bin_column *c, double x)
{
	if (x != x || (c->flags & SCORE_BIN_ZERO_IS_MISSING && fabs(x) <= (double)1e-35f))
		return c->missing;
	uint32_t code = 0;
	if (c->flags & SCORE_BIN_CATEGORY) {
		for (uint32_t i = 0; i < c->n_categories; i++)
			code = trunc(x) == c->categories[i] ? i + 1 : code;
		return code;
	}
	for (uint32_t i = 0; i < c->n_cuts; i++)
		code += x >= c->cuts[i];
	return code;
}

static void test_codes_mean_what_is_told(void **state)
{
	(void)state;
	random_spec truncates = specs[1], *spec = &truncates;
	truncates.seed = 6; /* which makes random_model() choose that rule for categories */
	double *rows = malloc((size_t)N_ROWS * spec->n_features * sizeof *rows);
	score_model *model = random_model(spec);
	random_rows(spec, 11, N_ROWS, rows);
	score_input in = score_input_rows_f64(rows, N_ROWS, spec->n_features);
	table t = bin(model, &in, NULL);
	bool categories = false, zeros = false;
	for (uint32_t i = 0; i < t.bins.n_columns; i++) {
		score_bin_column c = SCORE_BIN_COLUMN_INIT;
		assert_int_equal(score_model_get_bin_column(model, i, &c, NULL), SCORE_OK);
		assert_true(c.feature < spec->n_features && !(c.flags & SCORE_BIN_DERIVED));
		categories |= c.flags & SCORE_BIN_CATEGORY;
		zeros |= c.flags & SCORE_BIN_ZERO_IS_MISSING;
		for (size_t r = 0; r < N_ROWS; r++) {
			double x = rows[r * spec->n_features + c.feature], found = code_of(&t, i, r);
			if (found != expected_code(&c, x))
				fail_msg("column %u: %.17g has code %.0f, expected %.0f", i, x, found, expected_code(&c, x));
		}
	}
	assert_true(categories && zeros);
	score_bin_column none = SCORE_BIN_COLUMN_INIT;
	score_error error;
	assert_int_equal(score_model_get_bin_column(model, t.bins.n_columns, &none, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "no column"));
	free(t.codes);
	free(rows);
	score_model_free(model);
}

/* A model that compares floats keeps its cuts as floats, and doubles beside them once somebody has asked. */
static void test_cuts_become_doubles_once(void **state)
{
	(void)state;
	const random_spec spec = {.seed = 12, .n_features = 4, .n_outputs = 1, .n_trees = 9, .max_leaves = 9, .cuts_per_feature = 20,
		.compare = SCORE_F32, .sum = SCORE_F32};
	metered_memory memory = {SIZE_MAX, 0, 0};
	const score_allocator allocator = metered_allocator(&memory);
	score_open_options o = SCORE_OPEN_OPTIONS_INIT;
	score_bin_column first = SCORE_BIN_COLUMN_INIT, again = SCORE_BIN_COLUMN_INIT;
	score_model_info info = {.struct_size = sizeof info};
	score_error error;
	void *bytes;
	size_t size;
	score_model *source = random_model(&spec), *model;
	o.allocator = &allocator;
	assert_int_equal(score_model_save_memory(source, NULL, &bytes, &size, NULL), SCORE_OK);
	assert_int_equal(score_model_open_memory(bytes, size, &o, &model, NULL), SCORE_OK);
	const size_t before = memory.held;
	memory.left = 0;
	assert_int_equal(score_model_get_bin_column(model, 0, &first, &error), SCORE_ERR_MEMORY);
	memory.left = 1;
	assert_int_equal(score_model_get_bin_column(model, 0, &first, &error), SCORE_OK);
	assert_int_equal(score_model_get_bin_column(model, 0, &again, &error), SCORE_OK);
	assert_ptr_equal(first.cuts, again.cuts);
	assert_int_equal(memory.held, before + model->f->n_cuts * sizeof(double));
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	assert_int_equal(info.memory_bytes, memory.held);
	for (uint32_t i = 0; i < first.n_cuts; i++)
		assert_true(first.cuts[i] == forest_real(&model->f->cuts, model->f->features[first.feature].first_cut + (size_t)i));
	score_model_free(model);
	assert_int_equal(memory.held, 0);
	score_model_free_bytes(source, bytes, size);
	score_model_free(source);
}

/* A stump per feature; the cut of feature 1 is given. */
static score_model *stumps(double cut, double leaf, const char *name)
{
	score_contract contract = SCORE_CONTRACT_INIT(2, 1);
	score_builder *builder;
	score_model *model;
	assert_int_equal(score_builder_new(&contract, NULL, &builder, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_feature(builder, 1, name, SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	for (uint32_t f = 0; f < 2; f++) {
		score_node nodes[3] = {{.left = 1, .right = 2, .feature = f, .test = SCORE_TEST_LE, .value = f ? cut : 0.5},
			{.value = leaf}, {.value = -1.0}};
		score_tree tree = SCORE_TREE_INIT;
		tree.nodes = nodes;
		tree.n_nodes = 3;
		assert_int_equal(score_builder_add_tree(builder, &tree, NULL), SCORE_OK);
	}
	assert_int_equal(score_builder_finish(builder, &model, NULL), SCORE_OK);
	score_builder_free(builder);
	return model;
}

static void test_other_models(void **state)
{
	(void)state;
	score_model *model = stumps(3.0, 7.0, "b"), *refitted = stumps(3.0, 9.0, "b");
	score_model *other[] = {stumps(4.0, 7.0, "b"), stumps(3.0, 7.0, "c")};
	const double rows[] = {0, 5, 1, 2, NAN, 3};
	double a[3], b[3];
	score_error error;
	score_input in = score_input_rows_f64(rows, 3, 2);
	table t = bin(model, &in, NULL);
	assert_int_equal(score_batch(refitted, &t.in, a, 3, NULL, NULL), SCORE_OK);
	assert_int_equal(score_batch(refitted, &in, b, 3, NULL, NULL), SCORE_OK);
	assert_memory_equal(a, b, sizeof a);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(score_batch(other[i], &t.in, a, 3, NULL, &error), SCORE_ERR_SHAPE);
		assert_non_null(strstr(error.message, "other bins"));
		score_model_free(other[i]);
	}
	free(t.codes);
	score_model_free(model);
	score_model_free(refitted);
}

/* A stump over a feature with a dictionary: the hash of its bins. */
static score_model *hash_labels(const char *const *labels, const double *codes, size_t n, double unknown, uint32_t flags, uint8_t hash[16])
{
	const score_contract contract = SCORE_CONTRACT_INIT(1, 1);
	const score_node nodes[3] = {{.left = 1, .right = 2, .test = SCORE_TEST_LE, .value = 0.5}, {.value = 1.0}, {.value = -1.0}};
	score_bins bins = SCORE_BINS_INIT;
	score_builder *builder;
	score_tree tree = SCORE_TREE_INIT;
	tree.nodes = nodes;
	tree.n_nodes = 3;
	assert_int_equal(score_builder_new(&contract, NULL, &builder, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_dictionary(builder, 0, labels, codes, n, unknown, flags, NULL), SCORE_OK);
	assert_int_equal(score_builder_add_tree(builder, &tree, NULL), SCORE_OK);
	score_model *model = finish_model(builder);
	assert_int_equal(score_model_get_bins(model, &bins), SCORE_OK);
	memcpy(hash, bins.hash, sizeof bins.hash);
	return model;
}

/* Strings are codes of columns, too: dictionaries that differ in anything have other bins, the same one has the same. */
static void test_dictionaries_are_hashed(void **state)
{
	static const char *const labels[] = {"0", "1", "2"}, *const renamed[] = {"0", "1", "3"};
	static const double codes[] = {0, 1, 2}, swapped[] = {0, 2, 1};
	uint8_t hashes[7][16];
	(void)state;
	/* All at once, so that no two models' dictionaries lie at the same place. */
	score_model *const models[] = {
		hash_labels(labels, codes, 3, -1.0, 0, hashes[0]),
		hash_labels(labels, codes, 3, -2.0, 0, hashes[1]),
		hash_labels(labels, codes, 3, -1.0, SCORE_DICTIONARY_NUMBERS, hashes[2]),
		hash_labels(labels, codes, 2, -1.0, 0, hashes[3]),
		hash_labels(renamed, codes, 3, -1.0, 0, hashes[4]),
		hash_labels(labels, swapped, 3, -1.0, 0, hashes[5]),
		hash_labels(labels, codes, 3, -1.0, 0, hashes[6]),
	};
	assert_memory_equal(hashes[0], hashes[6], sizeof hashes[0]);
	for (size_t i = 0; i < 6; i++) {
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(hashes[i], hashes[k], sizeof hashes[0]);
	}
	for (size_t i = 0; i < 7; i++)
		score_model_free(models[i]);
}

static void test_names_are_bound_once(void **state)
{
	(void)state;
	score_model *model = stumps(3.0, 7.0, "b");
	const char *names[] = {"b", "x", "f0"};
	score_plan *plan;
	const double rows[] = {5, 0, 0, 2, 0, 1};
	double a[2], b[2];
	score_error error;
	score_options o = SCORE_OPTIONS_INIT;
	assert_int_equal(score_bind(model, names, NULL, 3, &plan, NULL), SCORE_OK);
	score_input in = score_input_rows_f64(rows, 2, 3);
	table t = bin(model, &in, plan);
	o.plan = plan;
	assert_int_equal(score_batch(model, &in, a, 2, &o, NULL), SCORE_OK);
	assert_int_equal(score_batch(model, &t.in, b, 2, NULL, NULL), SCORE_OK);
	assert_memory_equal(a, b, sizeof a);
	assert_int_equal(score_batch(model, &t.in, b, 2, &o, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "take no plan"));
	free(t.codes);
	score_plan_free(plan);
	score_model_free(model);
}

static void test_refusals(void **state)
{
	(void)state;
	score_model *model = random_model(specs + 1);
	score_bins bins = SCORE_BINS_INIT;
	score_error error;
	double rows[9] = {0}, out[3];
	assert_int_equal(score_model_get_bins(model, &bins), SCORE_OK);
	assert_int_equal(bins.code_bytes, 2);
	size_t bytes = (size_t)bins.n_columns * 2;
	uint16_t *codes = malloc(bytes + 2);
	score_input in = score_input_rows_f64(rows, 1, 9);
	assert_int_equal(score_bin(NULL, &in, NULL, codes, bytes, 2, &error), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_bin(model, &in, NULL, codes, bytes - 1, 2, &error), SCORE_ERR_SHAPE);
	assert_non_null(strstr(error.message, "codes has room for"));
	assert_int_equal(score_bin(model, &in, NULL, codes, bytes, 1, &error), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_bin(model, &in, NULL, codes, bytes, -2, &error), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_bin(model, &in, NULL, (char *)codes + 1, bytes, 2, &error), SCORE_ERR_ARGUMENT);
	score_input narrow = score_input_rows_f64(rows, 1, 8);
	assert_int_equal(score_bin(model, &narrow, NULL, codes, bytes, 2, &error), SCORE_ERR_SHAPE);
	score_input binned = score_input_binned(&bins, codes, 2, 1);
	assert_int_equal(score_bin(model, &binned, NULL, codes, bytes, 2, &error), SCORE_ERR_ARGUMENT);
	/* Codes that nobody made are some codes: no fault, whatever they are. */
	memset(codes, 0xff, bytes);
	assert_int_equal(score_batch(model, &binned, out, 3, NULL, NULL), SCORE_OK);
	binned.u.binned.column_stride_bytes = 3;
	assert_int_equal(score_batch(model, &binned, out, 3, NULL, &error), SCORE_ERR_ARGUMENT);
	binned.u.binned.codes = NULL;
	assert_int_equal(score_batch(model, &binned, out, 3, NULL, &error), SCORE_ERR_ARGUMENT);
	free(codes);
	score_model_free(model);
}

static void test_models_without_bins(void **state)
{
	(void)state;
	random_spec spec = specs[1];
	spec.linear_leaves = 1;
	score_model *model = random_model(&spec);
	score_bins bins = SCORE_BINS_INIT;
	score_error error;
	double rows[9] = {0};
	assert_int_equal(score_model_get_bins(model, &bins), SCORE_OK);
	assert_int_equal(bins.n_columns, 0);
	score_input in = score_input_rows_f64(rows, 1, 9);
	assert_int_equal(score_bin(model, &in, NULL, rows, 0, 0, &error), SCORE_ERR_UNSUPPORTED);
	assert_non_null(strstr(error.message, "linear in the values"));
	score_input codes = score_input_binned(&bins, rows, 0, 1);
	assert_int_equal(score_batch(model, &codes, rows, 9, NULL, &error), SCORE_ERR_UNSUPPORTED);
	score_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes_score_as_rows), cmocka_unit_test(test_float_rows_and_columns),
		cmocka_unit_test(test_codes_mean_what_is_told), cmocka_unit_test(test_cuts_become_doubles_once),
		cmocka_unit_test(test_other_models),
		cmocka_unit_test(test_dictionaries_are_hashed),
		cmocka_unit_test(test_names_are_bound_once), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_models_without_bins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
