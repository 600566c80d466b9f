/*
 * Contributions against their definition: Shapley values over all subsets of the features, with what a tree expects when
 * only some are known; on every instruction set, batch size and layout; and what is refused.
 */
#include "api/model.h"
#include "engine/parts.h"

#include <scoreline/build.h>

#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define FEATURES 6u /* the last one is a category */
#define NODES 61u
#define TREES 7u
#define ROWS 75u
#define BACKGROUND 9u
#define FLAT_SPLITS 300u

static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512, SCORE_ISA_NEON};
#define N_ISAS (sizeof isas / sizeof isas[0])

static uint64_t state;

static uint32_t below(uint32_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((state >> 33) % n);
}

typedef struct tree {
	score_node nodes[NODES];
	uint32_t categories[4 * NODES];
	double vectors[NODES * 2];
	double covers[NODES];
	uint32_t n_nodes, n_categories;
} made_tree;

typedef enum cover_kind { COUNTS, WEIGHTS, ODD_WEIGHTS } cover_kind; /* odd: a split has more than its sides together */

typedef struct model {
	made_tree trees[TREES];
	cover_kind covers;
	uint32_t n_outputs;
	bool vectors;
	bool numeric_range; /* many cuts: codes of two bytes */
	score_contract contract;
} model;

static void make_split(made_tree *t, uint32_t at, uint32_t features, bool many_cuts)
{
	score_node *node = t->nodes + at;
	node->feature = below(features);
	node->left = (int32_t)t->n_nodes++;
	node->right = (int32_t)t->n_nodes++;
	node->missing = (score_missing)below(2);
	node->value = many_cuts ? below(100000) / 16384.0 - 3.0 : below(12) * 0.5 - 3.0;
	node->test = SCORE_TEST_LT;
	if (node->feature == FEATURES - 1) {
		node->test = below(2) ? SCORE_TEST_IN_LEFT : SCORE_TEST_IN_RIGHT;
		node->categories = t->n_categories;
		node->n_categories = 1 + below(3);
		for (uint32_t i = 0; i < node->n_categories; i++)
			t->categories[t->n_categories++] = below(6);
	}
}

static void make_tree(made_tree *t, const model *m, uint32_t n_splits, uint32_t features)
{
	memset(t, 0, sizeof *t);
	t->n_nodes = 1;
	for (uint32_t i = 0; i < n_splits; i++) {
		uint32_t at = below(t->n_nodes);
		while (t->nodes[at].test != SCORE_TEST_LEAF)
			at = (at + 1) % t->n_nodes;
		make_split(t, at, features, m->numeric_range);
	}
	for (uint32_t i = t->n_nodes; i-- > 0;) {
		score_node *node = t->nodes + i;
		node->leaf_vector = i;
		if (node->test != SCORE_TEST_LEAF) {
			t->covers[i] = t->covers[node->left] + t->covers[node->right] + (m->covers == ODD_WEIGHTS ? below(9) : 0);
			continue;
		}
		node->value = (double)below(2000) / 1000.0 - 1.0;
		t->vectors[2 * i] = node->value;
		t->vectors[2 * i + 1] = (double)below(2000) / 100.0;
		t->covers[i] = below(5) ? (double)below(100) : 0.0; /* some leaves and sides without training rows */
		if (m->covers != COUNTS)
			t->covers[i] /= 3.0;
	}
}

static uint32_t n_made(const model *m)
{
	return TREES - TREES % m->contract.trees_per_iteration;
}

/* More cuts than a byte counts, in trees that answer 0 whatever they are asked. */
static void add_flat_trees(score_builder *b, const model *m, bool covers)
{
	static score_node nodes[2 * FLAT_SPLITS + 1];
	static double weights[2 * FLAT_SPLITS + 1], vector[2];
	score_tree tree = SCORE_TREE_INIT;
	for (uint32_t i = 0; i <= 2 * FLAT_SPLITS; i++) {
		nodes[i] = (score_node){.left = -1, .right = -1};
		if (i % 2 == 0 && i < 2 * FLAT_SPLITS)
			nodes[i] = (score_node){.left = (int32_t)i + 1, .right = (int32_t)i + 2, .test = SCORE_TEST_LT, .value = i / 128.0 - 3.1};
		weights[i] = 2 * FLAT_SPLITS + 1 - i;
	}
	tree.nodes = nodes;
	tree.n_nodes = 2 * FLAT_SPLITS + 1;
	tree.vectors = m->vectors ? vector : NULL;
	tree.n_vectors = m->vectors ? 1 : 0;
	tree.covers = covers ? weights : NULL;
	for (uint32_t i = 0; i < m->contract.trees_per_iteration; i++) {
		tree.output = m->vectors ? 0 : i % m->n_outputs;
		assert_int_equal(score_builder_add_tree(b, &tree, NULL), SCORE_OK);
	}
}

static score_model *build(const model *m, score_isa isa, bool covers)
{
	score_build_options o = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b = NULL;
	score_model *out = NULL;
	const double base[] = {0.5, -2.0};
	o.isa = isa;
	assert_int_equal(score_builder_new(&m->contract, &o, &b, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, FEATURES - 1, "kind", SCORE_FEATURE_CATEGORY, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_base(b, base, m->n_outputs, NULL), SCORE_OK);
	for (uint32_t i = 0; i < n_made(m); i++) {
		const made_tree *t = m->trees + i;
		score_tree tree = SCORE_TREE_INIT;
		score_error error;
		tree.nodes = t->nodes;
		tree.n_nodes = t->n_nodes;
		tree.categories = t->categories;
		tree.n_categories = t->n_categories;
		tree.output = m->vectors ? 0 : i % m->n_outputs;
		tree.vectors = m->vectors ? t->vectors : NULL;
		tree.n_vectors = m->vectors ? t->n_nodes : 0;
		tree.covers = covers ? t->covers : NULL;
		if (score_builder_add_tree(b, &tree, &error) != SCORE_OK)
			fail_msg("%s", error.message);
	}
	if (m->numeric_range)
		add_flat_trees(b, m, covers);
	assert_int_equal(score_builder_finish(b, &out, NULL), SCORE_OK);
	score_builder_free(b);
	assert_int_equal(out->e->code_bytes, m->numeric_range ? 2 : 1);
	assert_int_equal(out->f->split_covers.values != NULL, covers && (m->numeric_range || m->covers == ODD_WEIGHTS));
	return out;
}

/* ---- the definition ------------------------------------------------------------------------------------------- */

static bool goes_right(const made_tree *t, const score_node *node, double x)
{
	if (x != x)
		return !(node->missing & SCORE_MISSING_LEFT);
	if (node->test == SCORE_TEST_LT)
		return !(x < node->value);
	bool in = false;
	for (uint32_t i = 0; i < node->n_categories; i++)
		in = in || (x >= 0.0 && t->categories[node->categories + i] == (uint32_t)x);
	return in == (node->test == SCORE_TEST_IN_RIGHT);
}

/* What a tree answers when the features in `known` have the row's values: others split by covers, or are the background's. */
static double expectation(const made_tree *t, uint32_t at, uint32_t value, uint32_t known, const double *row, const double *other)
{
	const score_node *node = t->nodes + at;
	if (node->test == SCORE_TEST_LEAF)
		return t->vectors[2 * at + value];
	const double *from = known >> node->feature & 1 ? row : other;
	if (from)
		return expectation(t, (uint32_t)(goes_right(t, node, from[node->feature]) ? node->right : node->left), value, known,
			row, other);
	double left = t->covers[node->left], right = t->covers[node->right], share = left + right > 0.0 ? right / (left + right) : 0.5;
	return (1.0 - share) * expectation(t, (uint32_t)node->left, value, known, row, other) +
		share * expectation(t, (uint32_t)node->right, value, known, row, other);
}

static void define(const made_tree *t, uint32_t value, const double *row, const double *other, double *out)
{
	static const double factorial[] = {1, 1, 2, 6, 24, 120, 720};
	double answers[1u << FEATURES];
	for (uint32_t known = 0; known < 1u << FEATURES; known++)
		answers[known] = expectation(t, 0, value, known, row, other);
	for (uint32_t i = 0; i < FEATURES; i++) {
		for (uint32_t known = 0; known < 1u << FEATURES; known++) {
			uint32_t n = 0;
			for (uint32_t k = 0; k < FEATURES; k++)
				n += known >> k & 1;
			if (!(known >> i & 1))
				out[i] += factorial[n] * factorial[FEATURES - 1 - n] / factorial[FEATURES] *
					(answers[known | 1u << i] - answers[known]);
		}
	}
	out[FEATURES] += answers[0];
}

/* [n_outputs, FEATURES + 1] of one row over trees [begin, end). */
static void define_row(const model *m, const double *row, const double *background, uint32_t begin, uint32_t end, double *out)
{
	const double base[] = {0.5, -2.0};
	size_t n_others = background ? BACKGROUND : 1;
	const score_contract *c = &m->contract;
	for (uint32_t o = 0; o < m->n_outputs; o++, out += FEATURES + 1) {
		memset(out, 0, (FEATURES + 1) * sizeof *out);
		for (uint32_t t = begin; t < end && t < n_made(m); t++) {
			if (!m->vectors && t % m->n_outputs != o)
				continue;
			for (size_t b = 0; b < n_others; b++)
				define(m->trees + t, m->vectors ? o : 0, row, background ? background + b * FEATURES : NULL, out);
		}
		double factor = c->base_position == SCORE_BASE_LAST ? c->scale : 1.0;
		if (c->average == SCORE_AVERAGE_MARGIN)
			factor /= (double)((end - begin) / c->trees_per_iteration);
		for (uint32_t i = 0; i <= FEATURES; i++)
			out[i] *= factor / (double)n_others;
		out[FEATURES] += base[o];
	}
}

/* ---- held against each other ---------------------------------------------------------------------------------- */

static void make_rows(double *rows, size_t n)
{
	for (size_t i = 0; i < n * FEATURES; i++) {
		rows[i] = below(12) * 0.5 - 3.0 + (below(2) ? 0.25 : 0.0);
		if (i % FEATURES == FEATURES - 1)
			rows[i] = (double)below(8) - 1.0;
		if (below(10) == 0)
			rows[i] = NAN;
	}
}

typedef struct answers {
	score_model *model;
	void *scratch;
	score_options options;
	size_t width;
} answers;

/* With scratch, which the caller frees. */
static score_options contribution_options(const score_model *m)
{
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_CONTRIBUTION;
	o.scratch_bytes = score_contribution_scratch_bytes(m);
	o.scratch = malloc(o.scratch_bytes);
	assert_non_null(o.scratch);
	return o;
}

static answers open_model(const model *m, score_isa isa, bool covers)
{
	answers a = {build(m, isa, covers), NULL, SCORE_OPTIONS_INIT, m->n_outputs * (FEATURES + 1)};
	a.options = contribution_options(a.model);
	return a;
}

static void close_model(answers *a)
{
	free(a->options.scratch);
	score_model_free(a->model);
}

static void score(const answers *a, const score_input *in, double *out)
{
	score_error error;
	if (score_batch(a->model, in, out, (size_t)in->n_rows * a->width, &a->options, &error) != SCORE_OK)
		fail_msg("%s", error.message);
}

/* Relative to what the row's contributions come to together: the parts cancel. */
static void assert_close(const double *found, const double *expected, size_t n_outputs)
{
	for (size_t o = 0; o < n_outputs; o++, found += FEATURES + 1, expected += FEATURES + 1) {
		double size = 0.0;
		for (size_t i = 0; i <= FEATURES; i++)
			size += fabs(expected[i]);
		for (size_t i = 0; i <= FEATURES; i++) {
			if (!(fabs(found[i] - expected[i]) <= 1e-13 * size))
				fail_msg("feature %zu of output %zu: expected %.17g, found %.17g", i, o, expected[i], found[i]);
		}
	}
}

static void assert_sums(const answers *a, const score_input *in, const double *contributions)
{
	uint32_t n_outputs = (uint32_t)(a->width / (FEATURES + 1));
	double margins[2 * ROWS];
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_MARGIN;
	o.tree_begin = a->options.tree_begin;
	o.tree_end = a->options.tree_end;
	assert_int_equal(score_batch(a->model, in, margins, 2 * ROWS, &o, NULL), SCORE_OK);
	for (size_t i = 0; i < (size_t)in->n_rows * n_outputs; i++) {
		double sum = 0.0;
		for (size_t k = 0; k <= FEATURES; k++)
			sum += contributions[i * (FEATURES + 1) + k];
		assert_true(fabs(sum - margins[i]) <= 1e-12 * (1.0 + fabs(margins[i])));
	}
}

static void check(const model *m)
{
	double rows[ROWS * FEATURES], background[BACKGROUND * FEATURES];
	double found[2][ROWS * 2 * (FEATURES + 1)], again[ROWS * 2 * (FEATURES + 1)], expected[2 * (FEATURES + 1)];
	make_rows(rows, ROWS);
	make_rows(background, BACKGROUND);
	score_input all = score_input_rows_f64(rows, ROWS, FEATURES), table = score_input_rows_f64(background, BACKGROUND, FEATURES);
	for (size_t i = 0; i < N_ISAS; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		answers a = open_model(m, isas[i], true);
		score_model_info info = {.struct_size = sizeof info};
		score_explainer *explainer = NULL;
		assert_int_equal(score_explainer_new(a.model, &table, NULL, &explainer, NULL), SCORE_OK);
		assert_int_equal(score_model_get_info(a.model, &info), SCORE_OK);
		for (int k = 0; k < 2; k++) {
			a.options.explainer = k ? explainer : NULL;
			a.options.tree_begin = a.options.tree_end = 0;
			score(&a, &all, again);
			assert_sums(&a, &all, again);
			if (i == 0) {
				memcpy(found[k], again, ROWS * a.width * sizeof *again);
				for (size_t r = 0; r < ROWS; r++) {
					define_row(m, rows + r * FEATURES, k ? background : NULL, 0, info.n_trees, expected);
					assert_close(again + r * a.width, expected, m->n_outputs);
				}
			}
			assert_memory_equal(again, found[k], ROWS * a.width * sizeof *again);
			/* Row by row, a few at a time, and from a range of trees. */
			for (size_t step = 1; step <= 33; step += 4) {
				for (size_t r = 0; r + step <= ROWS; r += step) {
					score_input some = score_input_rows_f64(rows + r * FEATURES, (int64_t)step, FEATURES);
					score(&a, &some, again + r * a.width);
				}
				assert_memory_equal(again, found[k], (ROWS - ROWS % step) * a.width * sizeof *again);
			}
			a.options.tree_begin = m->contract.trees_per_iteration;
			a.options.tree_end = 3 * m->contract.trees_per_iteration;
			score(&a, &all, again);
			define_row(m, rows, k ? background : NULL, a.options.tree_begin, a.options.tree_end, expected);
			assert_close(again, expected, m->n_outputs);
			assert_sums(&a, &all, again);
		}
		score_explainer_free(explainer);
		close_model(&a);
	}
}

static model new_model(uint32_t n_outputs)
{
	model m = {.n_outputs = n_outputs, .contract = SCORE_CONTRACT_INIT(FEATURES, n_outputs)};
	return m;
}

static void equal_their_definition(void **unused)
{
	(void)unused;
	for (uint32_t i = 0; i < 24; i++) {
		state = i;
		model m = new_model(1 + (i & 1));
		m.vectors = i % 4 == 3;
		m.numeric_range = i % 5 == 4;
		m.covers = (cover_kind)(i % 8 < 3 ? i % 8 : 0);
		if (m.vectors)
			m.contract.trees_per_iteration = 1;
		if (i % 3 == 1) {
			m.contract.base_position = SCORE_BASE_LAST;
			m.contract.scale = 0.37;
		}
		if (i % 6 == 4)
			m.contract.average = SCORE_AVERAGE_MARGIN;
		for (uint32_t t = 0; t < TREES; t++)
			make_tree(m.trees + t, &m, t == 2 ? 0 : below(i < 12 ? 8 : 30), i % 7 == 6 ? 2 : FEATURES);
		check(&m);
	}
}

static void layouts_do_not_matter(void **unused)
{
	(void)unused;
	double rows[ROWS * FEATURES], columns[FEATURES * ROWS], found[ROWS * (FEATURES + 1)], again[ROWS * (FEATURES + 1)];
	float narrow[ROWS * FEATURES];
	score_column described[FEATURES] = {{0}};
	model m = new_model(1);
	state = 99;
	for (uint32_t t = 0; t < TREES; t++)
		make_tree(m.trees + t, &m, 12, FEATURES);
	make_rows(rows, ROWS);
	for (size_t r = 0; r < ROWS; r++) {
		for (size_t i = 0; i < FEATURES; i++)
			columns[i * ROWS + r] = narrow[r * FEATURES + i] = (float)rows[r * FEATURES + i];
	}
	for (size_t i = 0; i < FEATURES; i++)
		described[i] = (score_column){.values = columns + i * ROWS, .dtype = SCORE_F64};
	answers a = open_model(&m, SCORE_ISA_AUTO, true);
	score_input wide = score_input_rows_f64(rows, ROWS, FEATURES), single = score_input_rows_f32(narrow, ROWS, FEATURES);
	score_input by_column = score_input_columns(described, ROWS, FEATURES);
	score(&a, &wide, found);
	score(&a, &single, again);
	assert_memory_equal(again, found, sizeof found);
	score(&a, &by_column, again);
	assert_memory_equal(again, found, sizeof found);
	close_model(&a);
}

/* ---- deep trees ------------------------------------------------------------------------------------------------- */

/* A chain of `n` splits over `features` features, each of whose left sides is a leaf. */
static score_model *chain(uint32_t n, uint32_t features)
{
	score_contract c = SCORE_CONTRACT_INIT(features, 1);
	score_builder *b = NULL;
	score_model *out = NULL;
	score_tree tree = SCORE_TREE_INIT;
	score_error error;
	score_node *nodes = calloc(2 * n + 1, sizeof *nodes);
	double *covers = calloc(2 * n + 1, sizeof *covers);
	assert_true(nodes && covers);
	for (uint32_t i = 0; i < n; i++) {
		nodes[2 * i] = (score_node){.left = (int32_t)(2 * i + 1), .right = (int32_t)(2 * i + 2), .feature = i % features,
			.test = SCORE_TEST_LT, .value = (double)(i / features)};
		nodes[2 * i + 1] = (score_node){.value = (double)(i % 7) - 3.0};
		covers[2 * i] = (double)(n - i) + 1.0;
		covers[2 * i + 1] = 1.0;
	}
	nodes[2 * n].value = 11.0;
	covers[2 * n] = 1.0;
	tree.nodes = nodes;
	tree.n_nodes = 2 * n + 1;
	tree.covers = covers;
	assert_int_equal(score_builder_new(&c, NULL, &b, NULL), SCORE_OK);
	if (score_builder_add_tree(b, &tree, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(score_builder_finish(b, &out, NULL), SCORE_OK);
	score_builder_free(b);
	free(nodes);
	free(covers);
	return out;
}

static void sums_to_margin(score_model *m, uint32_t features)
{
	score_options o = contribution_options(m);
	double *row = calloc(features, sizeof *row), *out = calloc(features + 1, sizeof *out), margin, sum = 0.0, size = 0.0;
	assert_true(row && out);
	for (uint32_t i = 0; i < features; i++)
		row[i] = i % 3 ? 1e9 : 2.0;
	score_input in = score_input_rows_f64(row, 1, features);
	assert_int_equal(score_batch(m, &in, out, features + 1, &o, NULL), SCORE_OK);
	assert_int_equal(score_batch(m, &in, &margin, 1, NULL, NULL), SCORE_OK);
	for (uint32_t i = 0; i <= features; i++) {
		assert_true(isfinite(out[i]));
		sum += out[i];
		size += fabs(out[i]);
	}
	assert_true(fabs(sum - margin) <= 1e-11 * size);
	free(o.scratch);
	free(row);
	free(out);
	score_model_free(m);
}

static void deep_trees_sum_to_the_margin(void **unused)
{
	(void)unused;
	sums_to_margin(chain(4096, 9), 9);
	sums_to_margin(chain(40, 40), 40);
	sums_to_margin(chain(256, 256), 256);
	sums_to_margin(chain(700, 200), 200);
}

static void quadratures_are_exact(void **unused)
{
	(void)unused;
	for (uint32_t n = 1; n <= CONTRIBUTION_POINTS; n++) {
		double points[2 * CONTRIBUTION_POINTS];
		engine_gauss_legendre(n, points);
		for (uint32_t degree = 0; degree < 2 * n; degree++) {
			double sum = 0.0;
			for (uint32_t i = 0; i < n; i++) {
				assert_true(points[i] > 0.0 && points[i] < 1.0 && (i == 0 || points[i] > points[i - 1]));
				sum += points[n + i] * pow(points[i], degree);
			}
			assert_true(fabs(sum * (degree + 1.0) - 1.0) < 4e-13);
		}
	}
}

/* ---- refused ------------------------------------------------------------------------------------------------------ */

static void refused(const answers *a, score_status expected, const char *says)
{
	double row[FEATURES] = {0}, out[2 * (FEATURES + 1)];
	score_input in = score_input_rows_f64(row, 1, FEATURES);
	score_error error;
	score_status status = score_batch(a->model, &in, out, 2 * (FEATURES + 1), &a->options, &error);
	if (status != expected || !strstr(error.message, says))
		fail_msg("expected %s and \"%s\", got %s: %s", score_status_name(expected), says, score_status_name(status),
			status ? error.message : "");
}

/* Constant targets make such models: XGBoost and LightGBM answer zeros and the margin. */
static void single_leaves_need_no_covers(void **unused)
{
	(void)unused;
	const score_node leaves[2] = {{.value = 0.25}, {.value = -3.0}};
	const double rows[2 * 3] = {1, 2, 3, NAN, 0, 9}, expected[8] = {0, 0, 0, -2.75, 0, 0, 0, -2.75};
	score_contract c = SCORE_CONTRACT_INIT(3, 1);
	score_builder *b = NULL;
	score_model *m = NULL;
	double out[8];
	assert_int_equal(score_builder_new(&c, NULL, &b, NULL), SCORE_OK);
	for (int i = 0; i < 2; i++) {
		score_tree tree = SCORE_TREE_INIT;
		tree.nodes = leaves + i;
		tree.n_nodes = 1;
		assert_int_equal(score_builder_add_tree(b, &tree, NULL), SCORE_OK);
	}
	assert_int_equal(score_builder_finish(b, &m, NULL), SCORE_OK);
	score_builder_free(b);
	score_options o = contribution_options(m);
	score_input in = score_input_rows_f64(rows, 2, 3);
	assert_int_equal(score_batch(m, &in, out, 8, &o, NULL), SCORE_OK);
	assert_memory_equal(out, expected, sizeof out);
	free(o.scratch);
	score_model_free(m);
}

static void says_what_is_missing(void **unused)
{
	(void)unused;
	double background[FEATURES] = {0};
	score_input one = score_input_rows_f64(background, 1, FEATURES), none = score_input_rows_f64(background, 0, FEATURES);
	score_explainer *explainer = NULL;
	score_error error;
	model m = new_model(1);
	state = 5;
	for (uint32_t t = 0; t < TREES; t++)
		make_tree(m.trees + t, &m, 5, FEATURES);
	answers a = open_model(&m, SCORE_ISA_AUTO, true), bare = open_model(&m, SCORE_ISA_AUTO, false);
	refused(&bare, SCORE_ERR_UNSUPPORTED, "no covers");
	assert_int_equal(score_output_width(bare.model, &bare.options), 0);
	assert_int_equal(score_output_width(a.model, &a.options), FEATURES + 1);
	assert_int_equal(score_explainer_new(bare.model, &one, NULL, &explainer, &error), SCORE_OK);
	a.options.explainer = explainer;
	refused(&a, SCORE_ERR_ARGUMENT, "its own model");
	bare.options.explainer = explainer;
	refused(&bare, SCORE_OK, "");
	bare.options.output = SCORE_OUTPUT_MARGIN;
	refused(&bare, SCORE_ERR_ARGUMENT, "SCORE_OUTPUT_CONTRIBUTION");
	a.options.explainer = NULL;
	a.options.regime = SCORE_REGIME_WALK;
	refused(&a, SCORE_ERR_ARGUMENT, "no regimes");
	a.options.regime = SCORE_REGIME_AUTO;
	a.options.scratch_bytes--;
	refused(&a, SCORE_ERR_ARGUMENT, "score_contribution_scratch_bytes()");
	score_explainer_free(explainer);
	explainer = (score_explainer *)(void *)&m;
	assert_int_equal(score_explainer_new(a.model, &none, NULL, &explainer, &error), SCORE_ERR_SHAPE);
	assert_null(explainer);
	assert_int_equal(score_explainer_new(NULL, &one, NULL, &explainer, &error), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_explainer_new(a.model, &one, NULL, NULL, &error), SCORE_ERR_ARGUMENT);
	score_explainer_free(NULL);
	close_model(&a);
	close_model(&bare);
	score_model *wide = chain(257, 257);
	assert_int_equal(score_explainer_new(wide, &one, NULL, &explainer, &error), SCORE_ERR_UNSUPPORTED);
	assert_non_null(strstr(error.message, "256 different features"));
	score_model_free(wide);
}

/* ---- reasons -------------------------------------------------------------------------------------------------------- */

static void reasons_are_ordered(void **unused)
{
	(void)unused;
	const double contributions[2][FEATURES + 1] = {{-2.0, 0.0, 2.0, NAN, 0.5, -3.0, 100.0}, {0, 0, 0, 0, 0, 0, 1}};
	static const struct {
		score_direction direction;
		size_t k, n;
		uint32_t features[5];
	} cases[] = {
		{SCORE_DIRECTION_BOTH, 2, 2, {5, 0}}, {SCORE_DIRECTION_BOTH, 5, 4, {5, 0, 2, 4}},
		{SCORE_DIRECTION_UP, 3, 2, {2, 4}}, {SCORE_DIRECTION_DOWN, 1, 1, {5}}, {SCORE_DIRECTION_DOWN, 3, 2, {5, 0}},
	};
	model m = new_model(1);
	state = 5;
	for (uint32_t t = 0; t < TREES; t++)
		make_tree(m.trees + t, &m, 3, FEATURES);
	score_model *out = build(&m, SCORE_ISA_AUTO, true);
	score_reason reasons[10];
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t k = cases[i].k;
		assert_int_equal(score_top_reasons(out, contributions[0], 2, 0, cases[i].direction, k, reasons, NULL), SCORE_OK);
		for (size_t r = 0; r < 2 * k; r++) {
			bool there = r < cases[i].n;
			assert_int_equal(reasons[r].feature, there ? cases[i].features[r] : UINT32_MAX);
			assert_true(reasons[r].contribution == (there ? contributions[0][reasons[r].feature] : 0.0));
			assert_true(reasons[r].name == score_model_feature_name(out, reasons[r].feature));
		}
	}
	assert_int_equal(score_top_reasons(out, contributions[0], 1, 1, 0, 1, reasons, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_top_reasons(out, contributions[0], 1, 0, 3, 1, reasons, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_top_reasons(out, NULL, 1, 0, 0, 1, reasons, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_top_reasons(NULL, contributions[0], 1, 0, 0, 1, reasons, NULL), SCORE_ERR_ARGUMENT);
	score_model_free(out);
}

static void linear_models_multiply(void **unused)
{
	(void)unused;
	const double weights[] = {2, -1, 0.5, 3}, base[] = {10, 20}, rows[] = {3, 5, NAN, 2};
	const double expected[2][6] = {{6, 2.5, 10, -3, 15, 20}, {0, 1, 10, -0.0, 6, 20}};
	for (int skip = 0; skip < 2; skip++) {
		score_contract c = SCORE_CONTRACT_INIT(2, 2);
		score_builder *b = NULL;
		score_model *m = NULL;
		score_options o = SCORE_OPTIONS_INIT;
		double out[12];
		score_input in = score_input_rows_f64(rows, 2, 2);
		assert_int_equal(score_builder_new(&c, NULL, &b, NULL), SCORE_OK);
		assert_int_equal(score_builder_set_linear(b, weights, skip, NULL), SCORE_OK);
		assert_int_equal(score_builder_set_base(b, base, 2, NULL), SCORE_OK);
		assert_int_equal(score_builder_finish(b, &m, NULL), SCORE_OK);
		o.output = SCORE_OUTPUT_CONTRIBUTION;
		assert_int_equal(score_contribution_scratch_bytes(m), 0);
		assert_int_equal(score_batch(m, &in, out, 12, &o, NULL), SCORE_OK);
		for (int i = 0; i < 12; i++) {
			bool missing = i == 6 || i == 9;
			assert_true(missing && !skip ? out[i] != out[i] : out[i] == expected[i / 6][i % 6]);
		}
		score_model_free(m);
		score_builder_free(b);
	}
}

/*
 * Derived columns: one scaled and one by a look-up of the same input count as that input, a combination of two inputs is one
 * player whose contribution both get half of. The model: 3 for 10 * a >= 20, else 1 if a is known, else 0; 8 if (b, c) is
 * a known pair, else 4. All sides have the same weight but the last tree's, 1 to 3.
 */
static void derived_columns_count_as_their_inputs(void **unused)
{
	(void)unused;
	const uint32_t pair[] = {1, 2};
	const uint64_t magic = 0x4906ba494954cb65u;
	uint64_t known[] = {0};
	const uint64_t b_value = 5, c_value = 7;
	known[0] = magic * (0 + magic * b_value);
	known[0] = magic * (known[0] + magic * c_value);
	const score_step scale = {.operation = SCORE_STEP_MULTIPLY, .a = 10.0}, missing = {.operation = SCORE_STEP_IS_MISSING};
	score_column_program programs[3] = {SCORE_COLUMN_PROGRAM_INIT, SCORE_COLUMN_PROGRAM_INIT, SCORE_COLUMN_PROGRAM_INIT};
	programs[0].steps = &scale;
	programs[1].steps = &missing;
	programs[0].n_steps = programs[1].n_steps = 1;
	programs[2].root = SCORE_ROOT_HASH;
	programs[2].sources = pair;
	programs[2].n_sources = 2;
	programs[2].hashes = known;
	programs[2].n_hashes = 1;
	const score_node first[] = {{.left = 1, .right = 2, .feature = 3, .test = SCORE_TEST_LT, .value = 20.0, .missing = 1},
		{.left = 3, .right = 4, .feature = 4, .test = SCORE_TEST_LT, .value = 0.5}, {.value = 3.0}, {.value = 1.0}, {.value = 0.0}};
	const score_node second[] = {{.left = 1, .right = 2, .feature = 5, .test = SCORE_TEST_LT, .value = 0.5,
		.missing = SCORE_MISSING_RIGHT}, {.value = 8.0}, {.value = 4.0}};
	const double covers[2][5] = {{4, 2, 2, 1, 1}, {4, 1, 3}};
	const double rows[] = {2, 5, 7, 1, 5, 7, NAN, 5, 8}, first_mean = 0.5 * 3 + 0.25, second_mean = 5.0;
	const double values[3][2] = {{3, 8}, {1, 8}, {0, 4}};
	score_contract c = SCORE_CONTRACT_INIT(3, 1);
	score_builder *b = NULL;
	score_model *m = NULL;
	score_error error;
	double out[12];
	assert_int_equal(score_builder_new(&c, NULL, &b, NULL), SCORE_OK);
	for (int i = 0; i < 3; i++) {
		if (score_builder_add_column(b, programs + i, NULL, &error) != SCORE_OK)
			fail_msg("%s", error.message);
	}
	for (int i = 0; i < 2; i++) {
		score_tree tree = SCORE_TREE_INIT;
		tree.nodes = i ? second : first;
		tree.n_nodes = i ? 3 : 5;
		tree.covers = covers[i];
		assert_int_equal(score_builder_add_tree(b, &tree, NULL), SCORE_OK);
	}
	assert_int_equal(score_builder_finish(b, &m, NULL), SCORE_OK);
	score_options o = contribution_options(m);
	score_input in = score_input_rows_f64(rows, 3, 3);
	assert_int_equal(score_output_width(m, &o), 4);
	assert_int_equal(score_batch(m, &in, out, 12, &o, NULL), SCORE_OK);
	for (int r = 0; r < 3; r++) {
		const double half = 0.5 * (values[r][1] - second_mean);
		const double expected[] = {values[r][0] - first_mean, half, half, first_mean + second_mean};
		for (int i = 0; i < 4; i++)
			assert_true(fabs(out[4 * r + i] - expected[i]) < 1e-14);
	}
	free(o.scratch);
	score_model_free(m);
	score_builder_free(b);
}

/*
 * A hash of categories and numbers counts as its categories alone: two of them get half each, the number between them
 * nothing; a hash of one category and a number is that category's. The model: 8 if (a, b, c) is known, else 4, and the
 * same of (b, c); b is the number. All sides have the same weight.
 */
static void a_hash_with_categories_is_theirs(void **unused)
{
	(void)unused;
	static const uint32_t sources[] = {0, 1, 2};
	const uint64_t magic = 0x4906ba494954cb65u;
	const uint64_t tail = magic * (magic * (magic * 5) + magic * 7);
	const uint64_t all[] = {magic * (magic * (magic * (magic * 3) + magic * 5) + magic * 7)};
	const score_node known[] = {{.left = 1, .right = 2, .test = SCORE_TEST_LT, .value = 0.5, .missing = SCORE_MISSING_RIGHT},
		{.value = 8.0}, {.value = 4.0}};
	const double covers[] = {2, 1, 1}, rows[] = {3, 5, 7, 3, 5, 8, 4, 5, 7};
	static const double expected[3][4] = {{1, 0, 3, 12}, {-1, 0, -3, 12}, {-1, 0, 1, 12}};
	score_contract c = SCORE_CONTRACT_INIT(3, 1);
	score_builder *b = NULL;
	score_model *m = NULL;
	double out[12];
	assert_int_equal(score_builder_new(&c, NULL, &b, NULL), SCORE_OK);
	for (uint32_t i = 0; i < 3; i += 2)
		assert_int_equal(score_builder_set_feature(b, i, NULL, SCORE_FEATURE_CATEGORY, NULL), SCORE_OK);
	for (uint32_t i = 0; i < 2; i++) {
		score_column_program program = SCORE_COLUMN_PROGRAM_INIT;
		score_tree tree = SCORE_TREE_INIT;
		score_node nodes[3];
		memcpy(nodes, known, sizeof nodes);
		program.root = SCORE_ROOT_HASH;
		program.sources = sources + i;
		program.n_sources = 3 - i;
		program.hashes = i ? &tail : all;
		program.n_hashes = 1;
		assert_int_equal(score_builder_add_column(b, &program, &nodes[0].feature, NULL), SCORE_OK);
		tree.nodes = nodes;
		tree.n_nodes = 3;
		tree.covers = covers;
		assert_int_equal(score_builder_add_tree(b, &tree, NULL), SCORE_OK);
	}
	assert_int_equal(score_builder_finish(b, &m, NULL), SCORE_OK);
	score_options o = contribution_options(m);
	score_input in = score_input_rows_f64(rows, 3, 3);
	assert_int_equal(score_batch(m, &in, out, 12, &o, NULL), SCORE_OK);
	for (int i = 0; i < 12; i++)
		assert_true(fabs(out[i] - expected[i / 4][i % 4]) < 1e-14);
	free(o.scratch);
	score_model_free(m);
	score_builder_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_their_definition),
		cmocka_unit_test(layouts_do_not_matter),
		cmocka_unit_test(deep_trees_sum_to_the_margin),
		cmocka_unit_test(quadratures_are_exact),
		cmocka_unit_test(single_leaves_need_no_covers),
		cmocka_unit_test(says_what_is_missing),
		cmocka_unit_test(reasons_are_ordered),
		cmocka_unit_test(linear_models_multiply),
		cmocka_unit_test(derived_columns_count_as_their_inputs),
		cmocka_unit_test(a_hash_with_categories_is_theirs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
