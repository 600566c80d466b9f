/*
 * Trees whose shape is the hardest for pages: chains as deep as a tree may be, to either side and zigzag, and trees of one leaf
 * among them; and full trees of so many cuts that many rows are binned feature by feature. Every instruction set, few rows and
 * many, with scratch and without, leaf numbers too, against the exact evaluation, bit for bit.
 */
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
#include "engine/parts.h"
#include "finish_model.h"

#define N_FEATURES 3
#define N_ROWS 700
#define N_TREES 9
#define MOST_SPLITS 4096

static score_error error;

typedef enum chain_shape { ALL_RIGHT, ALL_LEFT, ZIGZAG, ONE_LEAF } chain_shape;

/* Split i asks feature i % 3 for a cut that rows reach less and less often; NaN goes on or leaves by turns. */
static void add_chain(score_builder *b, chain_shape shape, uint32_t n_splits)
{
	score_node *nodes = calloc(2 * (size_t)n_splits + 1, sizeof *nodes);
	uint32_t n = shape == ONE_LEAF ? 0 : n_splits;
	for (uint32_t i = 0; i < n; i++) {
		bool goes_right = shape == ALL_RIGHT || (shape == ZIGZAG && i % 2 == 0);
		int32_t on = (int32_t)(2 * i + 2), off = (int32_t)(2 * i + 1);
		double far = (double)(i / N_FEATURES + 1) / MOST_SPLITS;
		nodes[2 * i] = (score_node){.left = goes_right ? off : on, .right = goes_right ? on : off, .feature = i % N_FEATURES,
			.test = SCORE_TEST_LT, .missing = i / 7 % 2 ? SCORE_MISSING_LEFT : SCORE_MISSING_RIGHT,
			.value = (double)(float)(goes_right ? far : 3.0 - far)};
		nodes[off] = (score_node){.left = -1, .right = -1, .value = (double)(float)(0.1 * i), .leaf_id = i};
	}
	nodes[2 * (size_t)n] = (score_node){.left = -1, .right = -1, .value = 0.3f, .leaf_id = n};
	for (uint32_t i = 0; i <= 2 * n; i++)
		nodes[i].test = i < 2 * n && i % 2 == 0 ? SCORE_TEST_LT : SCORE_TEST_LEAF;
	const score_tree tree = {.struct_size = sizeof tree, .nodes = nodes, .n_nodes = 2 * (size_t)n + 1};
	assert_int_equal(score_builder_add_tree(b, &tree, &error), SCORE_OK);
	free(nodes);
}

static score_builder *new_builder(score_dtype type, score_isa isa)
{
	score_contract c = SCORE_CONTRACT_INIT(N_FEATURES, 1);
	score_build_options o = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b = NULL;
	c.compare = c.sum = type;
	o.isa = isa;
	assert_int_equal(score_builder_new(&c, &o, &b, &error), SCORE_OK);
	return b;
}

static score_model *chains(score_dtype type, score_isa isa)
{
	score_builder *b = new_builder(type, isa);
	for (uint32_t t = 0; t < N_TREES; t++)
		add_chain(b, (chain_shape)(t % 4), t < 4 ? MOST_SPLITS : 5 * t);
	return finish_model(b);
}

/* Most rows go far along a chain; every fifth value is missing. */
static void make_rows(double *rows)
{
	for (size_t i = 0; i < (size_t)N_ROWS * N_FEATURES; i++)
		rows[i] = i % 5 == 4 ? (double)NAN : (double)(float)((double)(i * 2654435761u % 4096) / 4096.0 * (i % 3 ? 1.0 : 3.0));
}

static void check_rows(const score_model *model, const double *rows, size_t n, score_options *o)
{
	const forest *f = model->f;
	static double out[N_ROWS * N_TREES];
	const score_input in = score_input_rows_f64(rows, (int64_t)n, N_FEATURES);
	uint32_t n_trees = o->tree_end - o->tree_begin;
	o->output = SCORE_OUTPUT_MARGIN;
	assert_int_equal(score_batch(model, &in, out, n, o, &error), SCORE_OK);
	for (size_t r = 0; r < n; r++) {
		double expected;
		forest_margins(f, rows + r * N_FEATURES, o->tree_begin, o->tree_end, &expected);
		assert_true(sl_f64_bits(out[r]) == sl_f64_bits(expected));
	}
	o->output = SCORE_OUTPUT_LEAF;
	assert_int_equal(score_batch(model, &in, out, n * n_trees, o, &error), SCORE_OK);
	for (size_t r = 0; r < n; r++) {
		for (uint32_t t = 0; t < n_trees; t++) {
			uint32_t tree = o->tree_begin + t;
			uint32_t leaf = f->trees[tree].first_leaf + forest_walk(f, tree, rows + r * N_FEATURES);
			assert_true(out[r * n_trees + t] == (double)forest_number(&f->leaf_ids, leaf));
		}
	}
}

static void deepest_chains(void **state)
{
	static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512, SCORE_ISA_NEON};
	static const size_t sizes[] = {1, 2, 31, 130, 300, N_ROWS};
	static double rows[N_ROWS * N_FEATURES];
	(void)state;
	make_rows(rows);
	for (size_t i = 0; i < 2 * sizeof isas / sizeof isas[0]; i++) {
		if (!score_isa_available(isas[i / 2]))
			continue;
		score_model *model = chains(i % 2 ? SCORE_F64 : SCORE_F32, isas[i / 2]);
		assert_int_equal(model->e->pages.kind, model->e->k->page_leaves ? PAGE_U16_32 : PAGE_NONE);
		score_options o = SCORE_OPTIONS_INIT;
		size_t scratch_bytes = score_scratch_bytes(model);
		o.scratch = malloc(scratch_bytes);
		for (uint32_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
			o.tree_begin = k % 3;
			o.tree_end = N_TREES - k / 3;
			o.scratch_bytes = k & 1 ? scratch_bytes : 0;
			check_rows(model, rows, sizes[k], &o);
			o.scratch_bytes = k & 1 ? 0 : scratch_bytes;
			check_rows(model, rows, sizes[k], &o);
		}
		free(o.scratch);
		score_model_free(model);
	}
}

/* ---- more cuts than a cache holds ---------------------------------------------------------------------------- */

#define FULL_DEPTH_SPLITS ((1u << 14) - 1)
#define MANY_ROWS 1200 /* two whole blocks and a part */

/* Splits level by level, each with a cut of its own; missing values by turns to either side. */
static void add_full(score_builder *b, uint32_t seed, uint32_t n_columns)
{
	score_node *nodes = calloc(2 * (size_t)FULL_DEPTH_SPLITS + 1, sizeof *nodes);
	for (uint32_t i = 0; i <= 2 * FULL_DEPTH_SPLITS; i++) {
		uint32_t random = (i + seed * 40503u) * 2654435761u >> 8;
		if (i < FULL_DEPTH_SPLITS)
			nodes[i] = (score_node){.left = (int32_t)(2 * i + 1), .right = (int32_t)(2 * i + 2), .feature = i % n_columns,
				.test = SCORE_TEST_LT, .missing = random & 1 ? SCORE_MISSING_LEFT : SCORE_MISSING_RIGHT,
				.value = (double)(float)(random / 16777216.0 - 0.5)};
		else
			nodes[i] = (score_node){.left = -1, .right = -1, .test = SCORE_TEST_LEAF, .value = (double)(float)(random * 1e-3), .leaf_id = i};
	}
	const score_tree tree = {.struct_size = sizeof tree, .nodes = nodes, .n_nodes = 2 * (size_t)FULL_DEPTH_SPLITS + 1};
	assert_int_equal(score_builder_add_tree(b, &tree, &error), SCORE_OK);
	free(nodes);
}

/* `derives`: the trees ask two more columns, which are computed and share a norm. */
static score_model *full_trees(uint32_t n_trees, score_dtype type, score_isa isa, bool derives)
{
	score_builder *b = new_builder(type, isa);
	if (derives) {
		static const uint32_t sources[N_FEATURES] = {0, 1, 2};
		score_column_program norm = SCORE_COLUMN_PROGRAM_INIT;
		norm.root = SCORE_ROOT_NORM_L1;
		norm.sources = sources;
		norm.n_sources = N_FEATURES;
		for (uint32_t i = 0, column; i < 2; i++) {
			norm.source = i;
			assert_int_equal(score_builder_add_column(b, &norm, &column, &error), SCORE_OK);
			assert_int_equal(column, N_FEATURES + i);
		}
	}
	for (uint32_t t = 0; t < n_trees; t++)
		add_full(b, t, N_FEATURES + (derives ? 2 : 0));
	return finish_model(b);
}

typedef enum layout { ROWS_F32, ROWS_F64, ROWS_FAR, COLUMNS, LAYOUTS } layout;

/* Rows as the layout says; values are floats, so that all mean the same. */
static score_input lay_out(layout how, const double *rows, void *to, score_column *columns)
{
	float *narrow = to;
	double *wide = to;
	size_t width = how == ROWS_FAR ? 256 : N_FEATURES;
	for (size_t i = 0; i < (size_t)MANY_ROWS * N_FEATURES; i++) {
		size_t r = i / N_FEATURES, c = i % N_FEATURES;
		if (how == ROWS_F64)
			wide[i] = rows[i];
		else
			narrow[how == COLUMNS ? c * MANY_ROWS + r : r * width + c] = (float)rows[i];
	}
	if (how == ROWS_F64)
		return score_input_rows_f64(wide, MANY_ROWS, N_FEATURES);
	score_input in = score_input_rows_f32(narrow, MANY_ROWS, N_FEATURES);
	in.u.rows.row_stride_bytes = (int64_t)(width * sizeof(float));
	if (how != COLUMNS)
		return in;
	for (size_t c = 0; c < N_FEATURES; c++)
		columns[c] = (score_column){.values = narrow + c * MANY_ROWS, .dtype = SCORE_F32};
	return score_input_columns(columns, MANY_ROWS, N_FEATURES);
}

static void check_full(uint32_t n_trees, score_dtype type, score_isa isa, bool derives, const double *rows)
{
	static double out[MANY_ROWS], copy[MANY_ROWS * 256];
	score_column columns[N_FEATURES];
	score_model *model = full_trees(n_trees, type, isa, derives);
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_MARGIN;
	o.scratch_bytes = score_scratch_bytes(model);
	o.scratch = malloc(o.scratch_bytes);
	assert_int_equal(model->e->code_bytes, n_trees > 8 ? 4 : 2);
	for (layout how = ROWS_F32; how < LAYOUTS; how++) {
		const score_input in = lay_out(how, rows, copy, columns);
		assert_int_equal(score_batch(model, &in, out, MANY_ROWS, &o, &error), SCORE_OK);
		for (size_t r = 0; r < MANY_ROWS; r++) {
			double expected;
			forest_margins(model->f, rows + r * N_FEATURES, 0, n_trees, &expected);
			assert_true(sl_f64_bits(out[r]) == sl_f64_bits(expected));
		}
	}
	free(o.scratch);
	score_model_free(model);
}

static void more_cuts_than_a_cache_holds(void **state)
{
	static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512, SCORE_ISA_NEON};
	static double rows[MANY_ROWS * N_FEATURES];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		rows[i] = i % 11 == 4 ? (double)NAN : (double)(float)((double)((uint32_t)i * 2654435761u >> 8) / 16777216.0 - 0.5);
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		check_full(8, SCORE_F32, isas[i], false, rows);
		check_full(8, SCORE_F64, isas[i], false, rows);
		check_full(8, SCORE_F64, isas[i], true, rows);
		check_full(8, SCORE_F32, isas[i], true, rows);
		check_full(16, i & 1 ? SCORE_F32 : SCORE_F64, isas[i], false, rows);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deepest_chains),
		cmocka_unit_test(more_cuts_than_a_cache_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
