/*
 * Models and rows at the edges of what the regimes take: rows of codes that fit no stack, outputs that fit none, codes of four bytes,
 * every layout of the same rows. All give the margins of the reference, bit for bit.
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
#include "expect_error.h"
#include "metered_memory.h"
#include "random_model.h"

#include <scoreline/bins.h>

static score_error error;

static void same(const double *got, const double *wanted, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++) {
		if (sl_f64_bits(got[i]) != sl_f64_bits(wanted[i]) && !(isnan(got[i]) && isnan(wanted[i])))
			fail_msg("%s: value %zu of %zu is %a, expected %a", what, i, n, got[i], wanted[i]);
	}
}

static void score(const score_model *model, const score_input *in, const score_options *o, double *out, size_t n)
{
	memset(out, 0xa5, n * sizeof *out);
	if (score_batch(model, in, out, n, o, &error) != SCORE_OK)
		fail_msg("%s", error.message);
}

/* ---- rows of codes that fit no stack ------------------------------------------------------------------------------ */

#define FEW_ROWS 6

/* Without scratch only the direct regime serves; it must agree with the walk, and the walk with the reference. */
static void check_wide(const random_spec *spec)
{
	static const score_output outputs[] = {SCORE_OUTPUT_MARGIN, SCORE_OUTPUT_PREDICTION, SCORE_OUTPUT_LEAF};
	score_model *model = random_model(spec);
	double *rows = malloc((size_t)FEW_ROWS * spec->n_features * sizeof *rows);
	const size_t scratch_bytes = score_scratch_bytes(model);
	void *scratch = malloc(scratch_bytes);
	assert_true((size_t)model->e->n_columns * model->e->code_bytes > 4096);
	random_rows(spec, spec->seed + 1, FEW_ROWS, rows);
	const score_input in = score_input_rows_f64(rows, FEW_ROWS, spec->n_features);
	for (size_t k = 0; k < 3; k++) {
		score_options o = SCORE_OPTIONS_INIT;
		o.output = outputs[k];
		const size_t n = FEW_ROWS * score_output_width(model, &o);
		double *direct = malloc(n * sizeof *direct), *walked = malloc(n * sizeof *walked), *reference = malloc(n * sizeof *reference);
		score(model, &in, &o, direct, n);
		o.scratch = scratch;
		o.scratch_bytes = scratch_bytes;
		o.regime = SCORE_REGIME_WALK;
		score(model, &in, &o, walked, n);
		same(direct, walked, n, "direct and walk");
		for (size_t r = 0; r < FEW_ROWS && k == 0; r++)
			forest_margins(model->f, rows + r * spec->n_features, 0, spec->n_trees, reference + r * spec->n_outputs);
		if (k == 0)
			same(direct, reference, n, "direct and reference");
		free(direct);
		free(walked);
		free(reference);
	}
	score_options o = SCORE_OPTIONS_INIT;
	double out;
	o.regime = SCORE_REGIME_WALK;
	expect_error(score_batch(model, &in, &out, FEW_ROWS * score_output_width(model, &o), &o, &error), &error, SCORE_ERR_ARGUMENT,
		"regime 'walk' cannot serve this call: one row's codes do not fit the stack, and there is no scratch for them");
	o.regime = 99;
	expect_error(score_batch(model, &in, &out, FEW_ROWS * score_output_width(model, &o), &o, &error), &error, SCORE_ERR_ARGUMENT,
		"regime 'unknown' cannot serve this call: there is no such regime");
	score_model_free(model);
	free(rows);
	free(scratch);
}

static void wide_models(void **state)
{
	const random_spec wide = {.seed = 300, .n_features = 5000, .n_outputs = 1, .n_trees = 400, .max_leaves = 60, .cuts_per_feature = 3,
		.compare = SCORE_F32, .sum = SCORE_F32};
	random_spec s = wide;
	(void)state;
	s.base_position = SCORE_BASE_LAST;
	check_wide(&s);
	s = wide;
	s.seed = 302; /* categories are hashed */
	assert_int_equal(s.seed % 3, SCORE_CATEGORY_HASH);
	s.category_features = 500;
	check_wide(&s);
	s = wide;
	s.n_outputs = 3;
	s.vector_leaves = 1;
	check_wide(&s);
	s = wide;
	s.compare = s.sum = SCORE_F64;
	s.linear_leaves = 1;
	check_wide(&s);
	s.linear_leaves = 0;
	s.n_outputs = 2;
	s.n_parts = 3;
	check_wide(&s);
}

/* ---- outputs that fit no stack ------------------------------------------------------------------------------------ */

static void check_largest(const random_spec *spec)
{
	score_model *model = random_model(spec);
	double rows[FEW_ROWS * 4], direct[FEW_ROWS], *margins = malloc((size_t)FEW_ROWS * spec->n_outputs * sizeof *margins);
	score_options o = SCORE_OPTIONS_INIT;
	random_rows(spec, 1, FEW_ROWS, rows);
	const score_input in = score_input_rows_f64(rows, FEW_ROWS, spec->n_features);
	score(model, &in, NULL, direct, FEW_ROWS);
	o.output = SCORE_OUTPUT_MARGIN;
	score(model, &in, &o, margins, (size_t)FEW_ROWS * spec->n_outputs);
	for (size_t r = 0; r < FEW_ROWS; r++) {
		uint32_t best = 0;
		for (uint32_t i = 1; i < spec->n_outputs; i++) {
			if (margins[r * spec->n_outputs + i] > margins[r * spec->n_outputs + best])
				best = i;
		}
		assert_true(direct[r] == best);
	}
	o.output = SCORE_OUTPUT_PREDICTION;
	o.regime = SCORE_REGIME_WALK;
	expect_error(score_batch(model, &in, direct, FEW_ROWS, &o, &error), &error, SCORE_ERR_ARGUMENT,
		"regime 'walk' cannot serve this call: the model has too many outputs for sums on the stack");
	score_model_info info = {.struct_size = sizeof info};
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	o.regime = SCORE_REGIME_ROW;
	if (info.row_regime == SCORE_REGIME_ROW)
		expect_error(score_batch(model, &in, direct, FEW_ROWS, &o, &error), &error, SCORE_ERR_ARGUMENT,
			"regime 'row' cannot serve this call: the model has too many outputs for sums on the stack");
	free(margins);
	score_model_free(model);
}

static void largest_of_many_outputs(void **state)
{
	random_spec s = {.seed = 310, .n_features = 4, .n_outputs = 600, .n_trees = 1200, .max_leaves = 4, .cuts_per_feature = 9,
		.compare = SCORE_F64, .sum = SCORE_F64, .link = SCORE_LINK_ARGMAX};
	(void)state;
	check_largest(&s);
	s.vector_leaves = 1;
	s.n_trees = 5;
	check_largest(&s);
	s.base_position = SCORE_BASE_LAST;
	check_largest(&s);
}

/* The mean of trees before a link that takes several outputs: a common factor does not change which is the largest. */
static void averaged_predictions(void **state)
{
	const random_spec s = {.seed = 320, .n_features = 4, .n_outputs = 3, .n_trees = 30, .max_leaves = 8, .cuts_per_feature = 9,
		.compare = SCORE_F64, .sum = SCORE_F64, .link = SCORE_LINK_ARGMAX, .average = SCORE_AVERAGE_PREDICTION};
	score_model *model = random_model(&s);
	double rows[FEW_ROWS * 4], out[FEW_ROWS], margins[FEW_ROWS * 3];
	score_options o = SCORE_OPTIONS_INIT;
	(void)state;
	random_rows(&s, 1, FEW_ROWS, rows);
	const score_input in = score_input_rows_f64(rows, FEW_ROWS, 4);
	score(model, &in, NULL, out, FEW_ROWS);
	o.output = SCORE_OUTPUT_MARGIN;
	score(model, &in, &o, margins, FEW_ROWS * 3);
	for (size_t r = 0; r < FEW_ROWS; r++) {
		const double *m = margins + 3 * r;
		assert_true(out[r] == (m[1] > m[0] ? (m[2] > m[1] ? 2 : 1) : m[2] > m[0] ? 2 : 0));
	}
	score_model_free(model);
}

/* ---- codes of four bytes -------------------------------------------------------------------------------------------- */

/* Made once and scored, stage by stage and explained, as the rows are. */
static void codes_of_four_bytes(void **state)
{
	enum { ROWS = 70 };
	const random_spec s = {.seed = 130, .n_features = 1, .n_outputs = 1, .n_trees = 2, .max_leaves = 160000,
		.cuts_per_feature = 1000000, .leafwise = 1, .has_covers = 1, .compare = SCORE_F32, .sum = SCORE_F32};
	score_model *model = random_model(&s);
	score_bins bins = SCORE_BINS_INIT;
	double rows[ROWS], from_rows[ROWS], from_codes[ROWS], explained[2 * ROWS], explained_codes[2 * ROWS];
	score_options o = SCORE_OPTIONS_INIT;
	(void)state;
	assert_int_equal(score_model_get_bins(model, &bins), SCORE_OK);
	assert_int_equal(bins.code_bytes, 4);
	const int64_t stride = 4 * ROWS;
	uint32_t *codes = malloc((size_t)stride * bins.n_columns);
	random_rows(&s, 3, ROWS, rows);
	const score_input in = score_input_rows_f64(rows, ROWS, 1), binned = score_input_binned(&bins, codes, stride, ROWS);
	assert_int_equal(score_bin(model, &in, NULL, codes, (size_t)stride * bins.n_columns, stride, &error), SCORE_OK);
	o.output = SCORE_OUTPUT_MARGIN;
	score(model, &in, &o, from_rows, ROWS);
	score(model, &binned, &o, from_codes, ROWS);
	same(from_codes, from_rows, ROWS, "codes");
	o.scratch_bytes = score_scratch_bytes(model);
	o.scratch = malloc(o.scratch_bytes);
	score(model, &binned, &o, from_codes, ROWS);
	same(from_codes, from_rows, ROWS, "codes in blocks");
	free(o.scratch);
	o.output = SCORE_OUTPUT_CONTRIBUTION;
	o.scratch_bytes = score_contribution_scratch_bytes(model);
	o.scratch = malloc(o.scratch_bytes);
	score(model, &in, &o, explained, 2 * ROWS);
	score(model, &binned, &o, explained_codes, 2 * ROWS);
	same(explained_codes, explained, 2 * ROWS, "contributions");
	for (size_t r = 0; r < ROWS; r++) { /* of one feature: all but the expected value, added in another order and in double */
		const double sum = explained[2 * r] + explained[2 * r + 1];
		if (!(fabs(sum - from_rows[r]) <= 1e-4 * (1.0 + fabs(from_rows[r]))))
			fail_msg("row %zu, %a: contributions give %.9g, the margin is %.9g", r, rows[r], sum, from_rows[r]);
	}
	score_explainer *explainer = NULL;
	const score_input few = score_input_rows_f64(rows, 5, 1);
	assert_int_equal(score_explainer_new(model, &few, NULL, &explainer, &error), SCORE_OK);
	o.explainer = explainer;
	score(model, &in, &o, explained, 2 * ROWS);
	score(model, &binned, &o, explained_codes, 2 * ROWS);
	same(explained_codes, explained, 2 * ROWS, "contributions against rows");
	score_explainer_free(explainer);
	free(o.scratch);
	free(codes);
	score_model_free(model);
}

/* More columns than 16 bits number: stumps that ask a feature each. */
static void very_many_columns(void **state)
{
	enum { FEATURES = 66000 };
	const score_contract c = SCORE_CONTRACT_INIT(FEATURES, 1);
	score_builder *b = NULL;
	score_model *model = NULL;
	double *row = calloc(FEATURES, sizeof *row), out = 0.0;
	(void)state;
	assert_int_equal(score_builder_new(&c, NULL, &b, &error), SCORE_OK);
	for (uint32_t i = 0; i < FEATURES; i++) {
		const score_node nodes[] = {{.left = 1, .right = 2, .feature = i, .test = SCORE_TEST_LT, .value = 0.5}, {.value = 1.0},
			{.value = 2.0}};
		score_tree t = SCORE_TREE_INIT;
		t.nodes = nodes;
		t.n_nodes = 3;
		assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
		row[i] = i % 3 == 0 ? 1.0 : 0.0;
	}
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	score_builder_free(b);
	assert_int_equal(score_model_golden(model, NULL, NULL), 2); /* more rows would be larger than all else */
	assert_int_equal(model->e->code_bytes, 4);
	const score_input in = score_input_rows_f64(row, 1, FEATURES);
	score(model, &in, NULL, &out, 1);
	assert_true(out == FEATURES + FEATURES / 3);
	score_options o = SCORE_OPTIONS_INIT;
	o.scratch_bytes = score_scratch_bytes(model);
	o.scratch = malloc(o.scratch_bytes);
	score(model, &in, &o, &out, 1);
	assert_true(out == FEATURES + FEATURES / 3);
	free(o.scratch);
	score_model_free(model);
	free(row);
}

static void too_many_categories(void **state)
{
	enum { MANY = 65001 };
	static uint32_t categories[MANY];
	score_node nodes[] = {{.left = 1, .right = 2, .test = SCORE_TEST_IN_LEFT, .n_categories = MANY}, {.value = 1}, {.value = 2}};
	score_contract c = SCORE_CONTRACT_INIT(1, 1);
	score_tree t = SCORE_TREE_INIT;
	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		categories[i] = i + 1; /* the highest that a row can name, too */
	categories[MANY - 1] = 16777215;
	t.nodes = nodes;
	t.n_nodes = 3;
	t.categories = categories;
	t.n_categories = MANY;
	for (uint32_t less = 0; less < 2; less++) {
		score_builder *b = NULL;
		score_model *model = NULL;
		nodes[0].categories = less;
		nodes[0].n_categories = MANY - less;
		assert_int_equal(score_builder_new(&c, NULL, &b, &error), SCORE_OK);
		assert_int_equal(score_builder_set_feature(b, 0, "town", SCORE_FEATURE_CATEGORY, &error), SCORE_OK);
		assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
		if (!less) {
			expect_error(score_builder_finish(b, &model, &error), &error, SCORE_ERR_LIMIT,
				"feature 0 has splits on 65001 categories, the limit is 65000");
			assert_null(model);
		} else {
			const double rows[] = {1.0, 2.0, 16777215.0, 16777214.0};
			const score_input in = score_input_rows_f64(rows, 4, 1);
			double out[4];
			assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
			score(model, &in, NULL, out, 4);
			assert_true(out[0] == 2.0 && out[1] == 1.0 && out[2] == 1.0 && out[3] == 2.0);
			assert_int_equal(score_model_verify(model, SCORE_ISA_AUTO, NULL, &error), SCORE_OK);
		}
		score_model_free(model);
		score_builder_free(b);
	}
}

/* ---- one set of rows in every layout -------------------------------------------------------------------------------- */

#define LAYOUT_ROWS 600
#define LAYOUT_FEATURES 37

typedef struct layouts {
	score_model *model;
	double *wide, *wanted, *out; /* rows and margins */
	float *narrow;
	score_options o;
} layouts;

static void check_layout(const layouts *l, const score_input *in, const char *what)
{
	static const size_t sizes[] = {1, 5, 100, LAYOUT_ROWS};
	for (size_t k = 0; k < 4; k++) {
		score_input some = *in;
		some.n_rows = (int64_t)sizes[k];
		score(l->model, &some, &l->o, l->out, sizes[k]);
		same(l->out, l->wanted, sizes[k], what);
	}
}

/* Rows with room between them, between columns, from another type, in another order. */
static void check_rows(layouts *l, const score_plan *backwards)
{
	enum { F = LAYOUT_FEATURES, N = LAYOUT_ROWS };
	float *spread = malloc((size_t)N * F * 2 * sizeof *spread), *turned = malloc((size_t)N * F * sizeof *turned);
	for (size_t i = 0; i < (size_t)N * F; i++) {
		spread[2 * i] = l->narrow[i];
		spread[2 * i + 1] = NAN;
		turned[i] = l->narrow[i / F * F + (F - 1 - i % F)];
	}
	score_input in = score_input_rows_f32(l->narrow, N, F);
	check_layout(l, &in, "floats");
	in = score_input_rows_f64(l->wide, N, F);
	check_layout(l, &in, "doubles");
	in = score_input_rows_f32(spread, N, F);
	in.u.rows.row_stride_bytes = 2 * F * sizeof(float);
	in.u.rows.column_stride_bytes = 2 * sizeof(float);
	check_layout(l, &in, "floats apart");
	in = score_input_rows_f32(turned, N, F);
	l->o.plan = backwards;
	check_layout(l, &in, "floats by name");
	l->o.plan = NULL;
	free(spread);
	free(turned);
}

/* Columns of floats: dense, apart, with bits that say that all or some are there. */
static void check_columns(layouts *l)
{
	enum { F = LAYOUT_FEATURES, N = LAYOUT_ROWS };
	float *values = malloc((size_t)N * F * 2 * sizeof *values);
	score_column columns[F];
	static uint8_t valid[F][N / 8 + 1];
	for (int apart = 1; apart <= 2; apart++) {
		for (int bits = 0; bits < 2; bits++) {
			memset(valid, 0, sizeof valid);
			for (size_t c = 0; c < F; c++) {
				for (size_t r = 0; r < N; r++) {
					const float x = l->narrow[r * F + c];
					values[(c * N + r) * (size_t)apart] = bits && x != x ? 1.0f : x;
					valid[c][r / 8] |= (uint8_t)((x == x) << r % 8);
				}
				columns[c] = (score_column){.values = values + c * N * (size_t)apart, .dtype = SCORE_F32,
					.stride_bytes = apart == 1 && c % 2 ? 0 : apart * (int64_t)sizeof(float), .validity = bits ? valid[c] : NULL};
			}
			const score_input in = score_input_columns(columns, N, F);
			check_layout(l, &in, "columns of floats");
		}
	}
	free(values);
}

/* Entries that are not NaN, by position and by name. */
static void check_sparse(layouts *l, const score_plan *backwards)
{
	enum { F = LAYOUT_FEATURES, N = LAYOUT_ROWS };
	int64_t *starts = calloc(N + 1, sizeof *starts);
	int32_t *numbers = malloc((size_t)N * F * sizeof *numbers);
	float *values = malloc((size_t)N * F * sizeof *values);
	for (int named = 0; named < 2; named++) {
		int64_t at = 0;
		for (size_t r = 0; r < N; r++) {
			for (int32_t c = 0; c < F; c++) {
				const float x = l->narrow[r * F + (size_t)(named ? F - 1 - c : c)];
				if (x != x)
					continue;
				numbers[at] = c;
				values[at++] = x;
			}
			starts[r + 1] = at;
		}
		const score_input in = score_input_csr(starts, SCORE_I64, numbers, SCORE_I32, values, SCORE_F32, N, F, SCORE_ABSENT_MISSING);
		l->o.plan = named ? backwards : NULL;
		check_layout(l, &in, "sparse rows");
		l->o.plan = NULL;
	}
	free(starts);
	free(numbers);
	free(values);
}

static void every_layout(void **state)
{
	random_spec s = {.seed = 330, .n_features = LAYOUT_FEATURES, .n_outputs = 1, .n_trees = 40, .max_leaves = 40, .cuts_per_feature = 50,
		.compare = SCORE_F32, .sum = SCORE_F32};
	const char *names[LAYOUT_FEATURES];
	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		layouts l = {.o = SCORE_OPTIONS_INIT};
		const size_t n = (size_t)LAYOUT_ROWS * LAYOUT_FEATURES;
		s.n_derived = kind == 1 ? 10 : 0;
		s.max_leaves = kind == 2 ? 600 : 40; /* walked, in blocks */
		l.model = random_model(&s);
		l.wide = malloc(n * sizeof *l.wide);
		l.narrow = malloc(n * sizeof *l.narrow);
		l.wanted = malloc(LAYOUT_ROWS * sizeof *l.wanted);
		l.out = malloc(LAYOUT_ROWS * sizeof *l.out);
		random_rows(&s, 7, LAYOUT_ROWS, l.wide);
		for (size_t i = 0; i < n; i++)
			l.wide[i] = (double)(l.narrow[i] = (float)l.wide[i]);
		for (size_t r = 0; r < LAYOUT_ROWS; r++)
			forest_margins(l.model->f, l.wide + r * LAYOUT_FEATURES, 0, s.n_trees, l.wanted + r);
		for (uint32_t i = 0; i < LAYOUT_FEATURES; i++)
			names[i] = score_model_feature_name(l.model, LAYOUT_FEATURES - 1 - i);
		score_plan *backwards = NULL;
		assert_int_equal(score_bind(l.model, names, NULL, LAYOUT_FEATURES, &backwards, &error), SCORE_OK);
		l.o.output = SCORE_OUTPUT_MARGIN;
		l.o.scratch_bytes = score_scratch_bytes(l.model);
		l.o.scratch = malloc(l.o.scratch_bytes);
		check_rows(&l, backwards);
		check_columns(&l);
		check_sparse(&l, backwards);
		score_plan_free(backwards);
		free(l.o.scratch);
		free(l.wide);
		free(l.narrow);
		free(l.wanted);
		free(l.out);
		score_model_free(l.model);
	}
}

/* Leaf numbers of some trees are those of all trees, from there on: portions of trees begin elsewhere. */
static void leaves_of_some_trees(void **state)
{
	enum { TREES = 90, ROWS = 3 };
	random_spec s = {.seed = 331, .n_features = LAYOUT_FEATURES, .n_outputs = 1, .n_trees = TREES, .cuts_per_feature = 50,
		.compare = SCORE_F32, .sum = SCORE_F32};
	double rows[ROWS * LAYOUT_FEATURES], all[ROWS * TREES], some[ROWS * TREES];
	const score_input in = score_input_rows_f64(rows, ROWS, LAYOUT_FEATURES);
	(void)state;
	for (s.max_leaves = 8; s.max_leaves <= 600; s.max_leaves += s.max_leaves == 8 ? 32 : 560) {
		score_model *model = random_model(&s);
		score_options o = SCORE_OPTIONS_INIT;
		o.output = SCORE_OUTPUT_LEAF;
		random_rows(&s, 7, ROWS, rows);
		assert_int_equal(score_batch(model, &in, all, ROWS * TREES, &o, &error), SCORE_OK);
		for (uint32_t begin = 0; begin < TREES; begin += 7)
			for (uint32_t end = begin + 1; end <= TREES; end += 11) {
				const uint32_t n = end - begin;
				o.tree_begin = begin;
				o.tree_end = end;
				assert_int_equal(score_batch(model, &in, some, (size_t)ROWS * n, &o, &error), SCORE_OK);
				for (size_t r = 0; r < ROWS; r++)
					assert_memory_equal(some + r * n, all + r * TREES + begin, n * sizeof *some);
			}
		score_model_free(model);
	}
}

/* ---- opening and explaining ----------------------------------------------------------------------------------------- */

/* One allocation is refused, those behind it are not. */
static void *refuse_one(void *context, size_t size, size_t align)
{
	metered_memory *m = context;
	if (m->left)
		return metered_alloc(m, size, align);
	m->left = SIZE_MAX;
	return NULL;
}

static void open_with_less_and_less(score_model *made)
{
	metered_memory memory = {.left = SIZE_MAX};
	const score_allocator metered = metered_allocator(&memory), once = {refuse_one, metered_free, &memory};
	score_open_options o = SCORE_OPEN_OPTIONS_INIT;
	score_model *model = NULL;
	void *bytes = NULL;
	size_t size = 0;
	assert_int_equal(score_model_save_memory(made, NULL, &bytes, &size, &error), SCORE_OK);
	o.isa = engine_isa(made->e);
	score_status status = SCORE_ERR_MEMORY;
	for (size_t n = 0; status != SCORE_OK; n++) {
		memory.left = n;
		o.allocator = &metered;
		status = score_model_open_memory(bytes, size, &o, &model, &error);
		if (status != SCORE_OK) {
			assert_int_equal(status, SCORE_ERR_MEMORY);
			assert_null(model);
			assert_int_equal(memory.held, 0);
			memory.left = n;
			o.allocator = &once;
			assert_int_equal(score_model_open_memory(bytes, size, &o, &model, &error), SCORE_ERR_MEMORY);
			assert_null(model);
			assert_int_equal(memory.held, 0);
		}
		assert_true(n < 3000);
	}
	score_model_free(model);
	assert_int_equal(memory.held, 0);
	score_model_free_bytes(made, bytes, size);
	score_model_free(made);
}

static score_model *linear_model(score_dtype type, uint32_t n_features)
{
	score_contract c = SCORE_CONTRACT_INIT(n_features, 2);
	double *weights = malloc(2 * n_features * sizeof *weights);
	score_builder *b = NULL;
	score_model *model = NULL;
	c.compare = c.sum = type;
	c.base_position = SCORE_BASE_LAST;
	c.average = SCORE_AVERAGE_SCALE;
	c.scale = 4.0;
	for (uint32_t i = 0; i < 2 * n_features; i++)
		weights[i] = (double)(float)(0.1 * (i + 1));
	assert_int_equal(score_builder_new(&c, NULL, &b, &error), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, weights, 1, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	score_builder_free(b);
	free(weights);
	return model;
}

/* Oblivious trees that need no planes, trees in several groups, deep trees, linear models of floats, leaves that are linear. */
static void opening_without_memory(void **state)
{
	const random_spec levels = {.seed = 15, .n_features = 5, .n_outputs = 1, .n_trees = 12, .max_leaves = 256, .most_levels = 6,
		.cuts_per_feature = 9, .compare = SCORE_F32, .sum = SCORE_F64};
	const random_spec groups = {.seed = 90, .n_features = 60, .n_outputs = 1, .n_trees = 60, .max_leaves = 200, .cuts_per_feature = 250,
		.compare = SCORE_F32, .sum = SCORE_F32, .isa = SCORE_ISA_PORTABLE};
	const random_spec terms = {.seed = 91, .n_features = 5, .n_outputs = 1, .n_trees = 6, .max_leaves = 9, .cuts_per_feature = 9,
		.category_features = 2, .linear_leaves = 1, .compare = SCORE_F64, .sum = SCORE_F64};
	random_spec deep = {.seed = 92, .n_features = 5, .n_outputs = 1, .n_trees = 3, .max_leaves = 500, .cuts_per_feature = 90,
		.compare = SCORE_F32, .sum = SCORE_F32};
	const random_spec masks = {.seed = 93, .n_features = 6, .n_outputs = 1, .n_trees = 200, .max_leaves = 32, .leafwise = 1,
		.cuts_per_feature = 60, .compare = SCORE_F64, .sum = SCORE_F64};
	const random_spec wide_pages = {.seed = 94, .n_features = 6, .n_outputs = 1, .n_trees = 2, .max_leaves = 4000,
		.cuts_per_feature = 900, .compare = SCORE_F64, .sum = SCORE_F64};
	const random_spec column = {.seed = 95, .n_features = 1, .n_outputs = 1, .n_trees = 1, .max_leaves = 2, .most_levels = 1,
		.all_levels = 1, .cuts_per_feature = 9, .compare = SCORE_F32, .sum = SCORE_F32};
	(void)state;
	score_model *stump = random_model(&column);
	assert_int_equal(stump->e->n_columns, 1);
	open_with_less_and_less(stump);
	open_with_less_and_less(random_model(&masks));
	open_with_less_and_less(random_model(&wide_pages));
	open_with_less_and_less(random_model(&levels));
	open_with_less_and_less(random_model(&deep));
	deep.n_features = 1;
	deep.max_leaves = 70000;
	deep.cuts_per_feature = 100000;
	open_with_less_and_less(random_model(&deep));
	score_model *model = random_model(&groups);
	assert_true(model->e->batch.n_groups > 1);
	open_with_less_and_less(model);
	open_with_less_and_less(random_model(&terms));
	open_with_less_and_less(linear_model(SCORE_F32, 40));
	open_with_less_and_less(linear_model(SCORE_F64, 3));
}

/* Of a linear model, a feature's contribution is its product, rounded as the sum is, and scaled as the margin is. */
static void linear_contributions(void **state)
{
	const double row[] = {1.0 / 3.0, NAN, -2.5};
	const score_input in = score_input_rows_f64(row, 1, 3);
	(void)state;
	for (int narrow = 0; narrow < 2; narrow++) {
		score_model *model = linear_model(narrow ? SCORE_F32 : SCORE_F64, 3);
		score_options o = SCORE_OPTIONS_INIT;
		double out[8];
		o.output = SCORE_OUTPUT_CONTRIBUTION;
		o.scratch_bytes = score_contribution_scratch_bytes(model);
		o.scratch = malloc(o.scratch_bytes + 1);
		score(model, &in, &o, out, 8);
		for (size_t k = 0; k < 2; k++) {
			for (size_t i = 0; i < 3; i++) {
				const double w = (double)(float)(0.1 * (double)(2 * i + k + 1)), x = narrow ? (double)(float)row[i] : row[i];
				const double product = i == 1 ? 0.0 : narrow ? (double)((float)x * (float)w) : x * w;
				assert_true(out[4 * k + i] == product / 4.0);
			}
			assert_true(out[4 * k + 3] == 0.0);
		}
		free(o.scratch);
		score_model_free(model);
	}
}

/* Sums outlive the groups of trees that share their scratch. */
static void stages_across_groups(void **state)
{
	enum { ROWS = 300, STEP = 20, TREES = 60 };
	const random_spec s = {.seed = 90, .n_features = 60, .n_outputs = 1, .n_trees = TREES, .max_leaves = 200, .cuts_per_feature = 250,
		.compare = SCORE_F32, .sum = SCORE_F32, .isa = SCORE_ISA_PORTABLE};
	score_model *model = random_model(&s);
	double *rows = malloc((size_t)ROWS * s.n_features * sizeof *rows), *stages = malloc(ROWS * TREES / STEP * sizeof *stages);
	double expected[ROWS];
	score_options o = SCORE_OPTIONS_INIT;
	(void)state;
	assert_true(model->e->batch.n_groups > 1);
	random_rows(&s, 9, ROWS, rows);
	const score_input in = score_input_rows_f64(rows, ROWS, s.n_features);
	o.output = SCORE_OUTPUT_MARGIN;
	o.regime = SCORE_REGIME_BATCH;
	o.scratch_bytes = score_scratch_bytes(model);
	o.scratch = malloc(o.scratch_bytes);
	assert_int_equal(score_staged(model, &in, STEP, stages, ROWS * TREES / STEP, &o, &error), SCORE_OK);
	for (uint32_t k = 0; k < TREES / STEP; k++) {
		o.tree_end = (k + 1) * STEP;
		score(model, &in, &o, expected, ROWS);
		for (size_t r = 0; r < ROWS; r++)
			same(stages + r * (TREES / STEP) + k, expected + r, 1, "stages");
	}
	free(o.scratch);
	free(rows);
	free(stages);
	score_model_free(model);
}

/* ---- what only another room could ask -------------------------------------------------------------------------------- */

static void unknown_numbers(void **state)
{
	const random_spec s = {.seed = 1, .n_features = 1, .n_outputs = 1, .n_trees = 1, .max_leaves = 2, .cuts_per_feature = 2,
		.compare = SCORE_F32, .sum = SCORE_F32};
	score_model *model = random_model(&s);
	(void)state;
	assert_null(engine_kernels(99));
	assert_null(engine_kernels(SCORE_ISA_AUTO));
	assert_false(engine_isa_available(99));
	assert_true(engine_isa_available(SCORE_ISA_AUTO));
	assert_int_equal(engine_class_width(model->f, &(engine_class_rule){ENGINE_CLASS_UNKNOWN, 0.0}), 0);
	assert_int_equal(engine_class_width(model->f, &(engine_class_rule){ENGINE_CLASS_NONE, 0.0}), 0);
	score_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wide_models),
		cmocka_unit_test(largest_of_many_outputs),
		cmocka_unit_test(averaged_predictions),
		cmocka_unit_test(codes_of_four_bytes),
		cmocka_unit_test(very_many_columns),
		cmocka_unit_test(too_many_categories),
		cmocka_unit_test(every_layout),
		cmocka_unit_test(leaves_of_some_trees),
		cmocka_unit_test(opening_without_memory),
		cmocka_unit_test(stages_across_groups),
		cmocka_unit_test(linear_contributions),
		cmocka_unit_test(unknown_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
