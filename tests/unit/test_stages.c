/* Sums between trees: staged scores, early stopping and decisions give what full scores of ranges give, on every instruction
 * set, by both regimes, for blocks of all sizes. */
#include "random_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_ROWS 1200

static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512, SCORE_ISA_NEON};

typedef struct bench {
	score_model *model;
	const random_spec *spec;
	double *rows;
	void *scratch;
	size_t scratch_bytes;
	score_model_info info;
} bench;

static score_options options_of(const bench *b, score_output output, score_regime regime)
{
	score_options o = SCORE_OPTIONS_INIT;
	o.output = output;
	o.regime = regime;
	o.scratch = b->scratch;
	o.scratch_bytes = b->scratch_bytes;
	return o;
}

/* By the function under test's neighbour: score_batch() over a range of trees. */
static void score_range(const bench *b, score_output output, uint32_t begin, uint32_t end, size_t n, double *out)
{
	score_options o = options_of(b, output, SCORE_REGIME_AUTO);
	o.tree_begin = begin;
	o.tree_end = end;
	score_input in = score_input_rows_f64(b->rows, (int64_t)n, b->spec->n_features);
	size_t width = score_output_width(b->model, &o);
	assert_int_equal(score_batch(b->model, &in, out, n * width, &o, NULL), SCORE_OK);
}

static bool same(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void check_staged(const bench *b, uint32_t every, score_output output, score_regime regime, size_t n)
{
	score_options o = options_of(b, output, regime);
	uint32_t per = b->info.trees_per_iteration, begin = per, end = b->info.n_trees;
	o.tree_begin = begin;
	o.tree_end = end;
	size_t stages = score_stage_count(b->model, every, &o), width = score_output_width(b->model, &o);
	assert_int_equal(stages, ((end - begin) / per + every - 1) / every);
	double *out = malloc(n * stages * width * sizeof *out), *expected = malloc(n * width * sizeof *expected);
	score_input in = score_input_rows_f64(b->rows, (int64_t)n, b->spec->n_features);
	score_error error;
	if (score_staged(b->model, &in, every, out, n * stages * width, &o, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	for (size_t s = 0; s < stages; s++) {
		uint32_t to = begin + ((uint32_t)s + 1) * every * per;
		score_range(b, output, begin, to < end ? to : end, n, expected);
		for (size_t i = 0; i < n * width; i++) {
			if (!same(out[(i / width * stages + s) * width + i % width], expected[i]))
				fail_msg("stage %zu of %zu, row %zu: another value", s, stages, i / width);
		}
	}
	assert_int_equal(score_staged(b->model, &in, every, out, n * stages * width - 1, &o, NULL), SCORE_ERR_SHAPE);
	free(out);
	free(expected);
}

static void check_early_stop(const bench *b, uint32_t every, double margin, score_regime regime, size_t n)
{
	score_options o = options_of(b, SCORE_OUTPUT_MARGIN, regime);
	uint32_t per = b->info.trees_per_iteration, k = b->info.n_outputs, iterations = b->info.n_trees / per;
	double *out = malloc(n * k * sizeof *out), *expected = malloc(n * k * sizeof *expected);
	double *sums = malloc(n * k * sizeof *sums);
	uint8_t *done = calloc(n, 1);
	score_input in = score_input_rows_f64(b->rows, (int64_t)n, b->spec->n_features);
	score_error error;
	if (score_early_stop(b->model, &in, every, margin, out, n * k, &o, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	for (uint32_t i = every;; i += every) {
		bool last = i >= iterations;
		score_range(b, SCORE_OUTPUT_MARGIN, 0, (last ? iterations : i) * per, n, sums);
		for (size_t r = 0; r < n; r++) {
			const double *x = sums + r * k;
			double first = -INFINITY, second = -INFINITY;
			for (uint32_t j = 0; j < k; j++) {
				second = x[j] > first ? first : x[j] > second ? x[j] : second;
				first = x[j] > first ? x[j] : first;
			}
			bool sure = k == 1 ? 2.0 * fabs(x[0]) > margin : first - second > margin;
			if (!done[r] && (last || sure)) {
				memcpy(expected + r * k, x, k * sizeof *x);
				done[r] = 1;
			}
		}
		if (last)
			break;
	}
	for (size_t i = 0; i < n * k; i++)
		assert_true(same(out[i], expected[i]));
	free(out);
	free(expected);
	free(sums);
	free(done);
}

static void check_decide(const bench *b, double cutoff, score_regime regime, size_t n, uint64_t *walked)
{
	score_options o = options_of(b, SCORE_OUTPUT_MARGIN, regime);
	double *margins = malloc(n * sizeof *margins);
	uint8_t *out = malloc(n);
	uint64_t n_trees;
	score_input in = score_input_rows_f64(b->rows, (int64_t)n, b->spec->n_features);
	memset(out, 0xa5, n);
	score_range(b, SCORE_OUTPUT_MARGIN, 0, b->info.n_trees, n, margins);
	assert_int_equal(score_decide(b->model, &in, cutoff, out, n, &o, &n_trees, NULL), SCORE_OK);
	for (size_t r = 0; r < n; r++)
		assert_int_equal(out[r], margins[r] > cutoff);
	assert_true(n_trees <= n * (uint64_t)b->info.n_trees);
	*walked += n_trees;
	free(margins);
	free(out);
}

/* Cut-offs that are margins of rows, and their neighbours: the closest decisions there are. */
static void check_decisions(const bench *b)
{
	static const size_t sizes[] = {1, 11, 130, 513};
	double *margins = malloc(N_ROWS * sizeof *margins);
	uint64_t walked = 0, all = 0;
	score_range(b, SCORE_OUTPUT_MARGIN, 0, b->info.n_trees, N_ROWS, margins);
	for (size_t i = 0; i < 40; i++) {
		double m = margins[i * 29 % N_ROWS];
		double cutoffs[] = {m, nextafter(m, INFINITY), nextafter(m, -INFINITY), 1e9, (double)nextafterf((float)m, -INFINITY)};
		double cutoff = isnan(m) ? 0.0 : cutoffs[i % 5];
		size_t n = sizes[i % 4];
		check_decide(b, cutoff, SCORE_REGIME_WALK, n, &walked);
		check_decide(b, cutoff, SCORE_REGIME_AUTO, n, &walked);
		all += 2 * n * (uint64_t)b->info.n_trees;
	}
	assert_true(walked < all || b->info.n_trees < 32);
	check_decide(b, INFINITY, SCORE_REGIME_AUTO, 40, &walked);
	check_decide(b, -INFINITY, SCORE_REGIME_AUTO, 40, &walked);
	free(margins);
}

static void check_spec(random_spec spec)
{
	bench b = {.spec = &spec, .rows = malloc((size_t)N_ROWS * spec.n_features * sizeof(double))};
	random_rows(&spec, spec.seed + 1, N_ROWS, b.rows);
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		spec.isa = isas[i];
		b.model = random_model(&spec);
		b.scratch_bytes = score_scratch_bytes(b.model);
		b.scratch = malloc(b.scratch_bytes + 1);
		b.info.struct_size = sizeof b.info;
		assert_int_equal(score_model_get_info(b.model, &b.info), SCORE_OK);
		check_staged(&b, 1, SCORE_OUTPUT_MARGIN, SCORE_REGIME_AUTO, 600);
		check_staged(&b, 7, SCORE_OUTPUT_PREDICTION, SCORE_REGIME_AUTO, 77);
		check_staged(&b, 5, SCORE_OUTPUT_PREDICTION, SCORE_REGIME_WALK, 20);
		check_staged(&b, 1000000000, SCORE_OUTPUT_MARGIN, SCORE_REGIME_AUTO, 30);
		for (uint32_t k = 0; k < 3 && spec.base_position == SCORE_BASE_FIRST; k++)
			check_early_stop(&b, 3 - k, 0.25 * (1 + 7 * k), k == 2 ? SCORE_REGIME_WALK : SCORE_REGIME_AUTO, N_ROWS >> 2 * k);
		if (spec.n_outputs == 1)
			check_decisions(&b);
		free(b.scratch);
		score_model_free(b.model);
	}
	free(b.rows);
}

static random_spec base_spec(uint64_t seed)
{
	return (random_spec){.seed = seed, .n_features = 12, .n_outputs = 1, .n_trees = 90, .max_leaves = 20,
		.cuts_per_feature = 40, .compare = SCORE_F32, .sum = SCORE_F32};
}

static void sums_in_float(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 4; seed++)
		check_spec(base_spec(seed));
}

static void sums_in_double(void **state)
{
	(void)state;
	for (uint64_t seed = 10; seed < 13; seed++) {
		random_spec s = base_spec(seed);
		s.compare = s.sum = SCORE_F64;
		s.max_leaves = seed == 11 ? 400 : 31;
		s.link = SCORE_LINK_SIGMOID;
		s.average = seed == 12 ? SCORE_AVERAGE_PREDICTION : SCORE_AVERAGE_NONE;
		check_spec(s);
	}
}

/* Codes of a row that take more than half of the room for them on the stack. */
static void wide_rows_without_scratch(void **state)
{
	(void)state;
	random_spec s = base_spec(25);
	s.n_features = 3000;
	s.n_trees = 400;
	bench b = {.spec = &s, .rows = malloc((size_t)N_ROWS * s.n_features * sizeof(double)), .model = random_model(&s)};
	random_rows(&s, s.seed + 1, 9, b.rows);
	b.info.struct_size = sizeof b.info;
	assert_int_equal(score_model_get_info(b.model, &b.info), SCORE_OK);
	check_staged(&b, 40, SCORE_OUTPUT_MARGIN, SCORE_REGIME_AUTO, 9);
	score_model_free(b.model);
	free(b.rows);
}

static void averages(void **state)
{
	(void)state;
	random_spec s = base_spec(20);
	s.base_position = SCORE_BASE_LAST;
	s.average = SCORE_AVERAGE_MARGIN;
	s.sum = SCORE_F64;
	check_spec(s);
}

static void several_outputs(void **state)
{
	(void)state;
	/* 16: the most whose sums the scratch of blocks keeps, so that sums laid over other things would be seen. */
	static const uint32_t n_outputs[] = {3, 3, 20, 16};
	for (uint64_t seed = 30; seed < 34; seed++) {
		random_spec s = base_spec(seed);
		s.n_outputs = n_outputs[seed - 30];
		s.n_trees = s.n_outputs * 12;
		s.link = seed == 31 ? SCORE_LINK_ARGMAX : SCORE_LINK_SOFTMAX;
		s.vector_leaves = seed == 30;
		check_spec(s);
	}
}

static void linear_leaves(void **state)
{
	(void)state;
	random_spec s = base_spec(40);
	s.linear_leaves = 1;
	s.compare = s.sum = SCORE_F64;
	s.n_trees = 20; /* nothing is known of what they add: no tree is saved */
	check_spec(s);
}

/* Leaves whose sum leaves the range of float on the way, or is no number: bounds must not lie about them. */
static void sums_that_overflow(void **state)
{
	(void)state;
	static const double values[][2] = {{3e38, -3e38}, {INFINITY, 1.0}, {NAN, 1.0}, {1e38, -1e38}, {0.25, 1e-40}};
	for (size_t v = 0; v < 5; v++) {
		score_contract c = SCORE_CONTRACT_INIT(1, 1);
		score_builder *b = NULL;
		c.compare = c.sum = SCORE_F32;
		assert_int_equal(score_builder_new(&c, NULL, &b, NULL), SCORE_OK);
		for (uint32_t t = 0; t < 64; t++) {
			score_node nodes[] = {{.left = 1, .right = 2, .test = SCORE_TEST_LT, .value = (double)(t % 20)},
				{.value = (double)(float)values[v][t / 2 % 2]}, {.value = (double)(float)values[v][t % 2]}};
			score_tree tree = SCORE_TREE_INIT;
			tree.nodes = nodes;
			tree.n_nodes = 3;
			assert_int_equal(score_builder_add_tree(b, &tree, NULL), SCORE_OK);
		}
		random_spec spec = {.n_features = 1};
		double rows[24];
		bench x = {.spec = &spec, .rows = rows};
		uint64_t walked = 0;
		assert_int_equal(score_builder_finish(b, &x.model, NULL), SCORE_OK);
		score_builder_free(b);
		x.info.struct_size = sizeof x.info;
		assert_int_equal(score_model_get_info(x.model, &x.info), SCORE_OK);
		for (size_t i = 0; i < 24; i++)
			rows[i] = (double)i - 2.0;
		for (double cutoff = -1e39; cutoff < 2e39; cutoff += 1e38)
			check_decide(&x, cutoff, SCORE_REGIME_AUTO, 24, &walked);
		check_decide(&x, 0.0, SCORE_REGIME_AUTO, 24, &walked);
		score_model_free(x.model);
	}
}

/* Found by fuzzing: early stopping left the values of such a range unwritten. */
static void a_range_without_trees(void **state)
{
	enum { N = 3, MOST = 3 * N };
	const double rows[2 * N] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0};
	const score_input in = score_input_rows_f64(rows, N, 2);
	(void)state;
	for (uint32_t n_outputs = 1; n_outputs <= 3; n_outputs += 2) {
		double expected[MOST], got[MOST];
		const random_spec spec = {.seed = 7, .n_features = 2, .n_outputs = n_outputs, .n_trees = 2 * n_outputs, .max_leaves = 4,
			.cuts_per_feature = 4, .compare = SCORE_F64, .sum = SCORE_F64, .link = SCORE_LINK_SIGMOID};
		score_model *model = random_model(&spec);
		score_options o = SCORE_OPTIONS_INIT;
		o.tree_begin = o.tree_end = n_outputs;
		for (o.output = SCORE_OUTPUT_PREDICTION; o.output <= SCORE_OUTPUT_MARGIN; o.output++) {
			memset(got, 0x55, sizeof got);
			assert_int_equal(score_batch(model, &in, expected, MOST, &o, NULL), SCORE_OK);
			assert_int_equal(score_early_stop(model, &in, 1, 0.5, got, MOST, &o, NULL), SCORE_OK);
			assert_memory_equal(got, expected, N * n_outputs * sizeof *got);
			assert_int_equal(score_stage_count(model, 1, &o), 0);
			assert_int_equal(score_staged(model, &in, 1, NULL, 0, &o, NULL), SCORE_OK);
		}
		score_model_free(model);
	}
}

static void wrong_arguments(void **state)
{
	(void)state;
	random_spec s = base_spec(50), many = base_spec(51);
	many.n_outputs = 3;
	score_model *one = random_model(&s), *three = random_model(&many);
	double row[12] = {0}, out[90];
	uint8_t decision;
	score_input in = score_input_rows_f64(row, 1, 12);
	score_options o = SCORE_OPTIONS_INIT;
	assert_int_equal(score_staged(NULL, &in, 1, out, 90, NULL, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_staged(one, &in, 0, out, 90, NULL, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_stage_count(one, 0, NULL), 0);
	assert_int_equal(score_stage_count(NULL, 1, NULL), 0);
	assert_int_equal(score_staged(one, NULL, 1, out, 90, NULL, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_early_stop(one, &in, 0, 1.0, out, 90, NULL, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_early_stop(one, &in, 1, NAN, out, 90, NULL, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_early_stop(one, &in, 1, 1.0, NULL, 0, NULL, NULL), SCORE_ERR_SHAPE);
	assert_int_equal(score_decide(three, &in, 0.0, &decision, 1, NULL, NULL, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_decide(one, &in, NAN, &decision, 1, NULL, NULL, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_decide(one, &in, 0.0, &decision, 0, NULL, NULL, NULL), SCORE_ERR_SHAPE);
	o.output = SCORE_OUTPUT_LEAF;
	assert_int_equal(score_staged(one, &in, 1, out, 90, &o, NULL), SCORE_ERR_ARGUMENT);
	o.output = SCORE_OUTPUT_MARGIN;
	o.regime = SCORE_REGIME_ROW;
	assert_int_equal(score_staged(one, &in, 1, out, 90, &o, NULL), SCORE_ERR_ARGUMENT);
	o.regime = SCORE_REGIME_BATCH; /* without scratch */
	assert_int_equal(score_staged(one, &in, 1, out, 90, &o, NULL), SCORE_ERR_ARGUMENT);
	o.regime = SCORE_REGIME_AUTO;
	o.tree_begin = 1;
	o.tree_end = 3;
	assert_int_equal(score_decide(one, &in, 0.0, &decision, 1, &o, NULL, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_staged(three, &in, 1, out, 90, &o, NULL), SCORE_ERR_ARGUMENT);
	score_model_free(one);
	score_model_free(three);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_in_float), cmocka_unit_test(sums_in_double), cmocka_unit_test(wide_rows_without_scratch), cmocka_unit_test(averages),
		cmocka_unit_test(several_outputs), cmocka_unit_test(linear_leaves), cmocka_unit_test(sums_that_overflow),
		cmocka_unit_test(a_range_without_trees), cmocka_unit_test(wrong_arguments),
	};
	return cmocka_run_group_tests_name("stages", tests, NULL, NULL);
}
