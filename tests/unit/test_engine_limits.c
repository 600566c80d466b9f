/*
 * Models and calls at the limits of what plans count and regimes take: more trees than 32 bits place, more questions or cuts than
 * 16 bits number, trees of one leaf, sums that have no place among the answers, ranges without trees, NaN among the margins.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/model.h"
#include "engine/parts.h"
#include "expect_error.h"
#include "finish_model.h"
#include "random_model.h"

#include <scoreline/bins.h>

static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512, SCORE_ISA_NEON};
#define N_ISAS (sizeof isas / sizeof isas[0])

static score_error error;

static void score(const score_model *model, const score_input *in, const score_options *o, double *out, size_t n)
{
	memset(out, 0xa5, n * sizeof *out);
	if (score_batch(model, in, out, n, o, &error) != SCORE_OK)
		fail_msg("%s", error.message);
}

static score_builder *new_builder(const score_contract *c, score_isa isa)
{
	score_build_options o = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b = NULL;
	o.isa = isa;
	if (score_builder_new(c, &o, &b, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	return b;
}

static void add_tree(score_builder *b, const score_node *nodes, size_t n, const uint32_t *categories, size_t n_categories)
{
	score_tree t = SCORE_TREE_INIT;
	t.nodes = nodes;
	t.n_nodes = n;
	t.categories = categories;
	t.n_categories = n_categories;
	if (score_builder_add_tree(b, &t, &error) != SCORE_OK)
		fail_msg("%s", error.message);
}

/* All margins by every way that serves: with scratch and without, one row and all of them. */
static void check_margins(const score_model *model, const double *rows, size_t n_rows)
{
	const forest *f = model->f;
	const uint32_t width = f->contract.n_outputs;
	double *expected = malloc(n_rows * width * sizeof *expected), *out = malloc(n_rows * width * sizeof *out);
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_MARGIN;
	void *scratch = malloc(score_scratch_bytes(model));
	for (size_t r = 0; r < n_rows; r++)
		forest_margins(f, rows + r * f->n_features, 0, f->n_trees, expected + r * width);
	for (int with = 0; with < 2; with++) {
		o.scratch = with ? scratch : NULL;
		o.scratch_bytes = with ? score_scratch_bytes(model) : 0;
		for (size_t n = 1; n <= n_rows; n = n < n_rows && 7 * n > n_rows ? n_rows : 7 * n) {
			const score_input in = score_input_rows_f64(rows, (int64_t)n, f->n_features);
			score(model, &in, &o, out, n * width);
			for (size_t i = 0; i < n * width; i++) {
				if (sl_f64_bits(out[i]) != sl_f64_bits(expected[i]))
					fail_msg("%s: value %zu of %zu rows is %a, expected %a", score_isa_name(engine_isa(model->e)), i, n, out[i], expected[i]);
			}
		}
	}
	free(scratch);
	free(expected);
	free(out);
}

/* ---- counts -------------------------------------------------------------------------------------------------------- */

/* So many trees are only promised: nobody looks at one. */
static void plans_count_in_32_bits(void **state)
{
	const forest many = {.kind = SCORE_KIND_TREES, .n_trees = (uint32_t)1 << 26, .leaf_width = 1,
		.contract = {.n_outputs = 1, .sum = SCORE_F32}};
	(void)state;
	for (size_t i = 0; i < N_ISAS; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		engine e = {.f = &many, .k = engine_kernels(isas[i]), .code_bytes = 1};
		sl_arena arena;
		sl_arena_init(&arena, NULL, 0);
		assert_int_equal(engine_make_batch(&e, &arena, &error), SCORE_OK);
		assert_false(e.batch.usable);
		assert_int_equal(engine_make_rows(&e, &arena, &error), SCORE_OK);
		assert_int_equal(e.rows.shape, ROW_NONE);
		sl_arena_free(&arena);
	}
}

/* A chain of four million splits has more pages than exits name; nodes serve it. No file has such a tree, a forest could. */
static void a_tree_of_too_many_pages(void **state)
{
	enum { SPLITS = 4200000 };
	uint8_t *ones = malloc(SPLITS), *zeros = calloc(SPLITS, 1);
	const forest_tree chain = {.n_splits = SPLITS, .depth = SPLITS};
	const forest_feature feature = {.name = "x", .n_cuts = 1};
	const code_column column = {.feature = 0};
	const forest_short_test asked = {0, 0};
	const forest f = {.kind = SCORE_KIND_TREES, .n_trees = 1, .n_splits = SPLITS, .n_leaves = SPLITS + 1, .leaf_width = 1, .n_features = 1,
		.features = &feature, .trees = &chain, .split_test = {zeros, 1}, .left_leaves = {ones, 1}, .contract = {.n_outputs = 1}};
	const forest_tree large = {.n_splits = PAGE_LEAF};
	forest more = f;
	(void)state;
	more.trees = &large;
	memset(ones, 1, SPLITS);
	for (size_t i = 0; i < N_ISAS; i++) {
		engine e = {.f = &f, .code_bytes = 1, .n_columns = 1, .columns = &column, .questions = {.narrow = &asked}};
		sl_arena arena;
		e.k = score_isa_available(isas[i]) ? engine_kernels(isas[i]) : NULL;
		if (!e.k || !e.k->page_leaves)
			continue;
		sl_arena_init(&arena, NULL, 0);
		assert_int_equal(engine_make_pages(&e, &arena, &error), SCORE_OK);
		assert_int_equal(e.pages.kind, PAGE_NONE);
		e.f = &more; /* leaves that exits cannot name: nobody looks at the tree */
		assert_int_equal(engine_make_pages(&e, &arena, &error), SCORE_OK);
		assert_int_equal(e.pages.kind, PAGE_NONE);
		sl_arena_free(&arena);
	}
	free(ones);
	free(zeros);
}

/* Stumps that ask for two categories each: more sets than 16 bits number, where a code of two bytes would do for the categories. */
static void more_sets_than_16_bits_number(void **state)
{
	enum { CATEGORIES = 400, STUMPS = 65600, ROWS = 9 };
	const score_contract c = SCORE_CONTRACT_INIT(2, 1);
	const score_node number[] = {{.left = 1, .right = 2, .feature = 1, .test = SCORE_TEST_LT, .value = 5.0, .missing = SCORE_MISSING_RIGHT},
		{.value = 0.25}, {.value = 0.75}};
	score_builder *b = new_builder(&c, SCORE_ISA_AUTO);
	uint32_t pair[2] = {0, 0};
	const double rows[2 * ROWS] = {0, 5, 1, 4, 163, NAN, 164, 0, 399, 9, 400, 5, -1, NAN, NAN, -5, 17.5, 6};
	(void)state;
	assert_int_equal(score_builder_set_feature(b, 0, "town", SCORE_FEATURE_CATEGORY, &error), SCORE_OK);
	for (uint32_t i = 0; i < STUMPS; i++) {
		const score_node nodes[] = {{.left = 1, .right = 2, .test = SCORE_TEST_IN_LEFT, .n_categories = 2}, {.value = 1.0 / (i + 1)}, {.value = 0.0}};
		if (++pair[1] == CATEGORIES)
			pair[1] = ++pair[0] + 1;
		add_tree(b, nodes, 3, pair, 2);
	}
	add_tree(b, number, 3, NULL, 0);
	score_model *model = finish_model(b);
	assert_int_equal(model->f->n_sets, STUMPS);
	assert_int_equal(model->e->code_bytes, 4);
	check_margins(model, rows, ROWS);
	score_bins bins = SCORE_BINS_INIT;
	score_bin_column column = SCORE_BIN_COLUMN_INIT;
	assert_int_equal(score_model_get_bins(model, &bins), SCORE_OK);
	assert_int_equal(bins.code_bytes, 4);
	assert_int_equal(score_model_get_bin_column(model, 0, &column, &error), SCORE_OK);
	assert_int_equal(column.missing, CATEGORIES + 1);
	assert_int_equal(score_model_get_bin_column(model, 1, &column, &error), SCORE_OK);
	assert_int_equal(column.missing, UINT32_MAX);
	score_model_free(model);
}

/* As many cuts as a code of two bytes counts, in a tree that has each: missing values have no code for themselves, whose splits they
 * pass to either side. A row's leaf is the number of cuts that it reaches. */
static void as_many_cuts_as_two_bytes_count(void **state)
{
	enum { DEPTH = 16, CUTS = (1 << DEPTH) - 1, ROWS = 40 };
	score_node *nodes = calloc(2 * (size_t)CUTS + 1, sizeof *nodes);
	const score_contract c = SCORE_CONTRACT_INIT(1, 1);
	double rows[ROWS], out[ROWS];
	score_options o = SCORE_OPTIONS_INIT;
	(void)state;
	for (uint32_t level = 0, at = 0; level <= DEPTH; level++) {
		for (uint32_t k = 0; k < 1u << level; k++, at++) {
			nodes[at] = (score_node){.left = -1, .right = -1, .test = SCORE_TEST_LEAF, .value = (double)k, .leaf_id = k};
			if (level < DEPTH)
				nodes[at] = (score_node){.left = (int32_t)(2 * at + 1), .right = (int32_t)(2 * at + 2), .test = SCORE_TEST_LT,
					.value = (double)(((2 * k + 1) << (DEPTH - level - 1))), .missing = level % 2 ? SCORE_MISSING_RIGHT : SCORE_MISSING_LEFT};
		}
	}
	for (uint32_t r = 0; r < ROWS; r++)
		rows[r] = r == 0 ? (double)NAN : r == 1 ? -1.0 : r == 2 ? 65535.0 : r == 3 ? 1e9 : (double)(r * 2654435761u % 65536) + 0.5 * (r % 2);
	o.output = SCORE_OUTPUT_LEAF;
	for (size_t i = 0; i < N_ISAS; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		score_builder *b = new_builder(&c, isas[i]);
		add_tree(b, nodes, 2 * (size_t)CUTS + 1, NULL, 0);
		score_model *model = finish_model(b);
		assert_int_equal(model->e->code_bytes, 2);
		assert_int_equal(model->e->pages.kind, model->e->k->page_leaves ? PAGE_U16_32 : PAGE_NONE);
		assert_true(model->e->pages.kind == PAGE_NONE || model->e->pages.n_columns == 2);
		const score_input in = score_input_rows_f64(rows, ROWS, 1);
		score(model, &in, &o, out, ROWS);
		assert_true(out[0] == 0x5555); /* left, right, left, … */
		for (size_t r = 1; r < ROWS; r++)
			assert_true(out[r] == (rows[r] < 0.0 ? 0.0 : rows[r] > 65535.0 ? 65535.0 : floor(rows[r])));
		check_margins(model, rows, ROWS);
		score_model_free(model);
	}
	free(nodes);
}

/* ---- shapes -------------------------------------------------------------------------------------------------------- */

/* A chain whose leaves lie on either side in turn, as codes of one byte number them: from both ends to the middle. Every split
 * selects every bit, but the last, whose leaves 127 and 128 differ in its own answer. */
static void chains_that_select_every_bit(void **state)
{
	enum { SPLITS = 255, FEATURES = 15, ROWS = 600 };
	static score_node nodes[2 * SPLITS + 1];
	static double rows[ROWS * FEATURES];
	const score_contract c = SCORE_CONTRACT_INIT(FEATURES, 1);
	(void)state;
	for (int32_t i = 0; i < SPLITS; i++) {
		nodes[2 * i] = (score_node){.left = 2 * i + 1 + i % 2, .right = 2 * i + 2 - i % 2, .feature = (uint32_t)i % FEATURES,
			.test = SCORE_TEST_LT, .value = (i % 2 ? 1.0 : -1.0) * (SPLITS - i)};
		nodes[2 * i + 1] = (score_node){.left = -1, .right = -1, .test = SCORE_TEST_LEAF, .value = (double)i};
	}
	nodes[2 * SPLITS] = (score_node){.left = -1, .right = -1, .test = SCORE_TEST_LEAF, .value = SPLITS};
	/* Zeros stay on the chain. A row leaves it at one of its splits, or not at all. */
	for (size_t r = 0; r < ROWS; r++) {
		const size_t leaves_at = r % (SPLITS + 1);
		if (leaves_at < SPLITS)
			rows[r * FEATURES + leaves_at % FEATURES] = nodes[2 * leaves_at].value - (leaves_at % 2 ? 0.0 : 0.5);
	}
	for (size_t i = 0; i < N_ISAS; i++) {
		double margin;
		if (!score_isa_available(isas[i]))
			continue;
		score_builder *b = new_builder(&c, isas[i]);
		add_tree(b, nodes, 2 * SPLITS + 1, NULL, 0);
		score_model *model = finish_model(b);
		assert_true(model->e->batch.usable);
		assert_int_equal(model->e->batch.trees[0].n_planes, 8);
		assert_true(model->e->batch.trees[0].n_pairs < 1100); /* of up to 2039 selects, nearly all with a partner */
		for (size_t r = 0; r < ROWS; r++) {
			forest_margins(model->f, rows + r * FEATURES, 0, 1, &margin);
			assert_true(margin == (double)(r % (SPLITS + 1)));
		}
		check_margins(model, rows, ROWS);
		score_model_free(model);
	}
}

/* Values that count as zero in linear leaves, where coefficients would make much of them: of each row of a block. */
static void linear_leaves_of_tiny_values(void **state)
{
	enum { ROWS = 90 };
	const double tiny = (double)1e-35f, values[] = {tiny, 2e-35, -tiny, -2e-35, 1e-40, 0.0, 1e-5, NAN, -1e-300};
	const score_node nodes[] = {{.left = 1, .right = 2, .test = SCORE_TEST_LT, .value = 0.0}, {.value = 3.0}, {.value = 4.0}};
	const score_linear_leaf leaves[] = {{.n_terms = 0}, {.constant = 1.0, .first_term = 0, .n_terms = 1},
		{.constant = 2.0, .first_term = 1, .n_terms = 2}};
	const uint32_t features[] = {1, 0, 1};
	const double coefficients[] = {1e38, 1e37, -1e36};
	score_contract c = SCORE_CONTRACT_INIT(2, 1);
	double rows[2 * ROWS];
	score_tree t = SCORE_TREE_INIT;
	(void)state;
	c.compare = c.sum = SCORE_F64;
	t.nodes = nodes;
	t.n_nodes = 3;
	t.linear_leaves = leaves;
	t.term_features = features;
	t.term_coefficients = coefficients;
	t.n_terms = 3;
	for (size_t r = 0; r < ROWS; r++) {
		rows[2 * r] = values[r % 9];
		rows[2 * r + 1] = values[r / 9 % 9];
	}
	for (size_t i = 0; i < N_ISAS; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		score_builder *b = new_builder(&c, isas[i]);
		assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
		score_model *model = finish_model(b);
		check_margins(model, rows, ROWS);
		score_model_free(model);
	}
}

static void trees_of_one_leaf(void **state)
{
	const score_contract c = SCORE_CONTRACT_INIT(2, 1);
	const double rows[] = {1.0, NAN, 3.0, 4.0};
	(void)state;
	for (size_t i = 0; i < N_ISAS; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		score_builder *b = new_builder(&c, isas[i]);
		for (uint32_t t = 0; t < 3; t++)
			add_tree(b, &(score_node){.test = SCORE_TEST_LEAF, .left = -1, .right = -1, .value = 0.1 * (t + 1)}, 1, NULL, 0);
		score_model *model = finish_model(b);
		check_margins(model, rows, 2);
		score_model_free(model);
	}
}

/* Full heaps whose leaves are as wide as the sums; those of a model that needs no values of its own, and of one that does. */
static void heaps_that_share_values(void **state)
{
	(void)state;
	for (uint64_t seed = 400; seed < 404; seed++) {
		const random_spec s = {.seed = seed, .n_features = 9, .n_outputs = 1, .n_trees = 37, .max_leaves = 64, .most_levels = 6,
			.all_levels = seed < 402, .cuts_per_feature = 20, .compare = SCORE_F32, .sum = SCORE_F32};
		double rows[90 * 9];
		score_model *model = random_model(&s);
		random_rows(&s, seed, 90, rows);
		assert_int_equal(model->e->rows.shape, model->e->k->row_leaves ? ROW_HEAP : ROW_NONE);
		if (model->e->rows.shape != ROW_NONE)
			assert_int_equal((const void *)model->e->rows.values_f32 == model->f->leaves.values, seed < 402);
		check_margins(model, rows, 90);
		score_model_free(model);
	}
}

/* Oblivious trees over more columns than the row regime takes: few rows are walked, more are blocks without planes, whose questions
 * are those of several groups. */
static void levels_of_many_columns(void **state)
{
	const random_spec s = {.seed = 410, .n_features = 150, .n_outputs = 1, .n_trees = 2700, .max_leaves = 64, .most_levels = 6,
		.all_levels = 1, .cuts_per_feature = 250, .compare = SCORE_F32, .sum = SCORE_F64};
	double *rows = malloc((size_t)600 * s.n_features * sizeof *rows);
	score_model *model = random_model(&s);
	(void)state;
	random_rows(&s, 3, 600, rows);
	assert_int_equal(model->e->levels != NULL, model->e->k->level_sum_f64 != NULL);
	assert_true(model->e->batch.n_groups > 1);
	assert_int_equal(model->e->rows.shape, ROW_NONE);
	check_margins(model, rows, 600);
	score_model_free(model);
	free(rows);
}

/* Deep trees over codes of two bytes where zero is missing for some splits: those have columns of their own. */
static void pages_where_zero_is_missing(void **state)
{
	random_spec s = {.seed = 420, .n_features = 4, .n_outputs = 1, .n_trees = 5, .max_leaves = 2500, .zero_is_missing = 1,
		.cuts_per_feature = 900, .compare = SCORE_F64, .sum = SCORE_F64};
	double rows[80 * 4];
	(void)state;
	random_rows(&s, 3, 80, rows);
	for (size_t i = 0; i < N_ISAS; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		s.isa = isas[i];
		score_model *model = random_model(&s);
		assert_int_equal(model->e->code_bytes, 2);
		assert_int_equal(model->e->pages.kind, model->e->k->page_leaves ? PAGE_U16_32 : PAGE_NONE);
		check_margins(model, rows, 80);
		score_model_free(model);
	}
}

/* Any number of rows up to a tile and behind it: few are summed value after value. Doubles that become floats, and such that do not;
 * floats. Of a tile's rows only some have missing values. */
static void few_rows_of_linear_models(void **state)
{
	enum { FEATURES = 150, OUTPUTS = 3, ROWS = 34 };
	static const score_dtype types[][2] = {{SCORE_F32, SCORE_F32}, {SCORE_F32, SCORE_F64}, {SCORE_F64, SCORE_F64}};
	static double weights[FEATURES * OUTPUTS], rows[ROWS * FEATURES], expected[ROWS * OUTPUTS], out[ROWS * OUTPUTS];
	static float narrow[ROWS * FEATURES];
	score_options o = SCORE_OPTIONS_INIT;
	(void)state;
	o.output = SCORE_OUTPUT_MARGIN;
	for (size_t i = 0; i < FEATURES * OUTPUTS; i++)
		weights[i] = (double)(float)(0.37 * (double)(i % 19) - 3.0);
	for (size_t i = 0; i < ROWS * FEATURES; i++)
		rows[i] = (double)(narrow[i] = i / FEATURES % 16 == 12 && i % 29 == 7 ? NAN : (float)(i * 2654435761u % 1000) / 7.0f);
	for (size_t k = 0; k < N_ISAS * 3; k++) {
		score_contract c = SCORE_CONTRACT_INIT(FEATURES, OUTPUTS);
		c.compare = types[k % 3][0];
		c.sum = types[k % 3][1];
		if (!score_isa_available(isas[k / 3]))
			continue;
		score_builder *b = new_builder(&c, isas[k / 3]);
		assert_int_equal(score_builder_set_linear(b, weights, 1, &error), SCORE_OK);
		score_model *model = finish_model(b);
		for (size_t r = 0; r < ROWS; r++)
			forest_margins(model->f, rows + FEATURES * r, 0, 0, expected + OUTPUTS * r);
		for (size_t n = 1; n <= 2 * ROWS; n++) {
			const score_input in = n <= ROWS ? score_input_rows_f64(rows, (int64_t)n, FEATURES)
				: score_input_rows_f32(narrow, (int64_t)n - ROWS, FEATURES);
			const size_t n_rows = (size_t)in.n_rows;
			score(model, &in, &o, out, OUTPUTS * n_rows);
			for (size_t i = 0; i < OUTPUTS * n_rows; i++)
				assert_true(sl_f64_bits(out[i]) == sl_f64_bits(expected[i]));
		}
		score_model_free(model);
	}
}

/* ---- answers that are fewer than sums ------------------------------------------------------------------------------- */

/* Twenty sums have no place among the answers: few rows at a time have room for them. */
static void largest_of_twenty(void **state)
{
	enum { OUTPUTS = 20, ROWS = 70 };
	const random_spec s = {.seed = 430, .n_features = 6, .n_outputs = OUTPUTS, .n_trees = 5 * OUTPUTS, .max_leaves = 16,
		.cuts_per_feature = 9, .compare = SCORE_F32, .sum = SCORE_F32, .link = SCORE_LINK_ARGMAX};
	static const score_regime regimes[] = {SCORE_REGIME_AUTO, SCORE_REGIME_WALK, SCORE_REGIME_ROW};
	double rows[ROWS * 6], margins[ROWS * OUTPUTS], out[ROWS];
	score_model *model = random_model(&s);
	score_options o = SCORE_OPTIONS_INIT;
	(void)state;
	random_rows(&s, 3, ROWS, rows);
	const score_input in = score_input_rows_f64(rows, ROWS, 6);
	void *scratch = malloc(score_scratch_bytes(model));
	for (size_t r = 0; r < ROWS; r++)
		forest_margins(model->f, rows + 6 * r, 0, s.n_trees, margins + OUTPUTS * r);
	for (size_t k = 0; k < 6; k++) {
		o.regime = regimes[k / 2];
		o.scratch = k % 2 ? scratch : NULL;
		o.scratch_bytes = k % 2 ? score_scratch_bytes(model) : 0;
		if (o.regime == SCORE_REGIME_ROW && model->e->rows.shape == ROW_NONE)
			continue;
		score(model, &in, &o, out, ROWS);
		for (size_t r = 0; r < ROWS; r++) {
			const double *m = margins + OUTPUTS * r;
			uint32_t best = 0;
			for (uint32_t i = 1; i < OUTPUTS; i++)
				best = m[i] > m[best] ? i : best;
			assert_true(out[r] == best);
		}
	}
	free(scratch);
	score_model_free(model);
}

/* One tree whose leaves give every class a margin. */
static score_model *vector_stump(uint32_t n_outputs, score_link link, const char *rule, const double *left, const double *right)
{
	const score_node nodes[] = {{.left = 1, .right = 2, .test = SCORE_TEST_LT, .value = 0.5}, {.leaf_vector = 0}, {.leaf_vector = 1}};
	score_contract c = SCORE_CONTRACT_INIT(1, n_outputs);
	score_tree t = SCORE_TREE_INIT;
	double *vectors = malloc(2 * (size_t)n_outputs * sizeof *vectors);
	c.compare = c.sum = SCORE_F64;
	c.trees_per_iteration = 1;
	memcpy(vectors, left, n_outputs * sizeof *left);
	memcpy(vectors + n_outputs, right, n_outputs * sizeof *right);
	score_builder *b = new_builder(&c, SCORE_ISA_AUTO);
	t.nodes = nodes;
	t.n_nodes = 3;
	t.vectors = vectors;
	t.n_vectors = 2;
	if (score_builder_add_tree(b, &t, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(score_builder_set_link(b, link, 0.0, &error), SCORE_OK);
	assert_int_equal(score_builder_set_metadata(b, "class_rule", rule, &error), SCORE_OK);
	free(vectors);
	return finish_model(b);
}

/* As NumPy has it: the first NaN is above all numbers. */
static void nan_is_the_largest_margin(void **state)
{
	const double left[] = {3.0, (double)NAN, 9.0, (double)NAN}, right[] = {(double)NAN, 1.0, 2.0, (double)INFINITY};
	const double rows[] = {0.0, 1.0};
	const score_input in = score_input_rows_f64(rows, 2, 1);
	(void)state;
	for (int by_margin = 0; by_margin < 2; by_margin++) { /* the softmax of a NaN is NaN in every class */
		score_model *model = vector_stump(4, SCORE_LINK_SOFTMAX, by_margin ? "largest margin" : NULL, left, right);
		score_options o = SCORE_OPTIONS_INIT;
		double out[2], margins[8];
		o.output = SCORE_OUTPUT_MARGIN;
		score(model, &in, &o, margins, 8);
		assert_true(isnan(margins[1]) && isnan(margins[4]) && margins[2] == 9.0);
		o.output = SCORE_OUTPUT_CLASS;
		score(model, &in, &o, out, 2);
		assert_true(out[0] == by_margin && out[1] == 0.0);
		score_model_free(model);
	}
}

/* So many classes that the margins of a row are all that their room holds. */
static void classes_by_the_row(void **state)
{
	enum { CLASSES = 40000, ROWS = 5 };
	double *left = calloc(CLASSES, sizeof *left), *right = calloc(CLASSES, sizeof *right), out[ROWS];
	const double rows[ROWS] = {0.0, 1.0, 0.0, 0.25, 1.0};
	const score_input in = score_input_rows_f64(rows, ROWS, 1);
	score_options o = SCORE_OPTIONS_INIT;
	(void)state;
	left[31234] = right[CLASSES - 1] = 2.0;
	score_model *model = vector_stump(CLASSES, SCORE_LINK_SOFTMAX, NULL, left, right);
	o.output = SCORE_OUTPUT_CLASS;
	o.regime = SCORE_REGIME_WALK;
	assert_int_equal(score_batch(model, &in, out, ROWS, &o, &error), SCORE_ERR_ARGUMENT);
	o.scratch_bytes = score_scratch_bytes(model);
	o.scratch = malloc(o.scratch_bytes);
	for (int k = 0; k < 2; k++) {
		o.regime = k ? SCORE_REGIME_AUTO : SCORE_REGIME_WALK;
		score(model, &in, &o, out, ROWS);
		for (size_t r = 0; r < ROWS; r++)
			assert_true(out[r] == (rows[r] >= 0.5 ? CLASSES - 1 : 31234));
	}
	free(o.scratch);
	free(left);
	free(right);
	score_model_free(model);
}

/* Stages of rows whose codes fit no stack: with scratch, or not at all. */
static void stages_of_wide_rows(void **state)
{
	enum { FEATURES = 5000, EVERY = 2500 };
	const score_contract c = SCORE_CONTRACT_INIT(FEATURES, 1);
	double *row = malloc(FEATURES * sizeof *row), out[2];
	score_builder *b = new_builder(&c, SCORE_ISA_AUTO);
	(void)state;
	for (uint32_t i = 0; i < FEATURES; i++) {
		const score_node nodes[] = {{.left = 1, .right = 2, .feature = i, .test = SCORE_TEST_LT, .value = 0.5}, {.value = 1.0}, {.value = 3.0}};
		add_tree(b, nodes, 3, NULL, 0);
		row[i] = i < EVERY ? (double)(i % 2) : (double)(i % 4 == 0);
	}
	score_model *model = finish_model(b);
	const score_input in = score_input_rows_f64(row, 1, FEATURES);
	score_options o = SCORE_OPTIONS_INIT;
	char says[200];
	const size_t full = score_scratch_bytes(model);
	snprintf(says, sizeof says, "this call needs scratch of score_scratch_bytes(), %zu bytes", full);
	expect_error(score_staged(model, &in, EVERY, out, 2, &o, &error), &error, SCORE_ERR_ARGUMENT, says);
	o.output = SCORE_OUTPUT_MARGIN;
	o.scratch_bytes = full;
	o.scratch = malloc(full);
	if (score_staged(model, &in, EVERY, out, 2, &o, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_true(out[0] == EVERY * 2.0 && out[1] == EVERY * 2.0 + EVERY * 1.5);
	free(o.scratch);
	free(row);
	score_model_free(model);
}

/* ---- ranges without trees ------------------------------------------------------------------------------------------- */

/* What is left is the base: nothing is divided by no iterations. */
static void averages_of_no_trees(void **state)
{
	static const score_average averages[] = {SCORE_AVERAGE_PREDICTION, SCORE_AVERAGE_MARGIN};
	(void)state;
	for (size_t k = 0; k < 2; k++) {
		const random_spec s = {.seed = 440, .n_features = 3, .n_outputs = 1, .n_trees = 8, .max_leaves = 6, .cuts_per_feature = 9,
			.has_covers = 1, .compare = SCORE_F64, .sum = SCORE_F64, .base_position = SCORE_BASE_LAST, .average = averages[k]};
		score_model *model = random_model(&s);
		const double row[] = {1.0, 2.0, 3.0};
		const score_input in = score_input_rows_f64(row, 1, 3);
		score_options o = SCORE_OPTIONS_INIT;
		double out[4];
		o.tree_begin = o.tree_end = 3;
		score(model, &in, &o, out, 1);
		assert_true(out[0] == 0.3);
		o.output = SCORE_OUTPUT_CONTRIBUTION;
		o.scratch_bytes = score_contribution_scratch_bytes(model);
		o.scratch = malloc(o.scratch_bytes);
		if (averages[k] == SCORE_AVERAGE_MARGIN) {
			score(model, &in, &o, out, 4);
			assert_true(out[0] == 0.0 && out[1] == 0.0 && out[2] == 0.0 && out[3] == 0.3);
		}
		free(o.scratch);
		score_model_free(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_count_in_32_bits),
		cmocka_unit_test(a_tree_of_too_many_pages),
		cmocka_unit_test(more_sets_than_16_bits_number),
		cmocka_unit_test(as_many_cuts_as_two_bytes_count),
		cmocka_unit_test(chains_that_select_every_bit),
		cmocka_unit_test(linear_leaves_of_tiny_values),
		cmocka_unit_test(trees_of_one_leaf),
		cmocka_unit_test(heaps_that_share_values),
		cmocka_unit_test(levels_of_many_columns),
		cmocka_unit_test(pages_where_zero_is_missing),
		cmocka_unit_test(few_rows_of_linear_models),
		cmocka_unit_test(largest_of_twenty),
		cmocka_unit_test(nan_is_the_largest_margin),
		cmocka_unit_test(classes_by_the_row),
		cmocka_unit_test(stages_of_wide_rows),
		cmocka_unit_test(averages_of_no_trees),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
