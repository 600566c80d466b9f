/*
 * Linear models against the exact reference evaluation, bit for bit: every instruction set, contract, shape, layout and
 * batch size, with missing values, infinities, zeros of both signs and denormals.
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
#include "engine/link.h"
#include "quick_run.h"
#include "random_columns.h"
#include "random_model.h"

typedef struct spec {
	uint32_t n_features, n_outputs;
	size_t n_rows;               /* 0: 300 */
	score_dtype compare, sum;
	score_base_position base_position;
	int skip_missing;
	score_link link;
	uint32_t n_derived, first; /* columns from `first` on are summed */
	int special; /* values include infinities and missing ones: sums end as NaN where those are not left out */
} spec;

typedef struct fixture {
	spec s;
	score_isa isa;
	score_model *model;
	double *rows;     /* what the reference sees */
	double *margins;  /* of the reference */
	double *out;
	size_t width;     /* of predictions */
	double *expected; /* predictions */
} fixture;

static double random_value(uint64_t *state, int special)
{
	static const double odd[] = {0.0, -0.0, 1e-310, -1e-40, 1e30, 0.1, -3.0, 16777217.0};
	uint64_t u = random_u64(state);
	if (special && u % 9 == 0)
		return NAN;
	if (special && u % 1021 == 1)
		return u & 4096 ? INFINITY : -INFINITY;
	if (u % 7 == 2)
		return odd[(u >> 20) % (sizeof odd / sizeof odd[0])];
	return (double)(int64_t)(u >> 11) * 0x1p-50 - 4.0;
}

static score_model *make_model(const spec *s, score_isa isa, uint64_t *state)
{
	score_contract c = SCORE_CONTRACT_INIT(s->n_features, s->n_outputs);
	score_build_options o = SCORE_BUILD_OPTIONS_INIT;
	score_builder *builder;
	score_model *model = NULL;
	score_error error;
	size_t n = (size_t)(s->n_features + s->n_derived - s->first) * s->n_outputs;
	double *weights = malloc(n * sizeof *weights), *base = malloc(s->n_outputs * sizeof *base);
	c.compare = s->compare;
	c.sum = s->sum;
	c.base_position = s->base_position;
	if (s->base_position == SCORE_BASE_LAST)
		c.scale = 1.5;
	o.isa = isa;
	for (size_t i = 0; i < n; i++)
		weights[i] = i % 5 == 3 ? 0.0 : (double)(float)random_value(state, 0);
	if (s->sum == SCORE_F64)
		weights[0] = 0.1;
	for (size_t i = 0; i < s->n_outputs; i++)
		base[i] = i == 1 ? -0.0 : (double)(float)random_value(state, 0);
	assert_int_equal(score_builder_new(&c, &o, &builder, &error), SCORE_OK);
	if (score_builder_set_base(builder, base, s->n_outputs, &error) != SCORE_OK ||
		random_columns(builder, s->n_features, s->n_features, s->n_derived, &error) != SCORE_OK ||
		score_builder_set_linear_columns(builder, s->first, &error) != SCORE_OK ||
		score_builder_set_linear(builder, weights, s->skip_missing, &error) != SCORE_OK ||
		score_builder_set_link(builder, s->link, 1.0, &error) != SCORE_OK ||
		score_builder_finish(builder, &model, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	score_builder_free(builder);
	free(weights);
	free(base);
	return model;
}

static void compute_expected(fixture *x)
{
	const forest *f = x->model->f;
	for (size_t r = 0; r < x->s.n_rows; r++) {
		double *margins = x->margins + r * x->s.n_outputs;
		forest_margins(f, x->rows + r * x->s.n_features, 0, 0, margins);
		engine_link_row(f, 1, margins, x->expected + r * x->width);
	}
}

static void check(const fixture *x, const score_input *in, const score_plan *plan, size_t from, score_output output,
	const char *what)
{
	score_options o = SCORE_OPTIONS_INIT;
	score_error error;
	o.output = output;
	o.plan = plan;
	bool is_margin = output == SCORE_OUTPUT_MARGIN;
	size_t width = is_margin ? x->s.n_outputs : x->width, n = (size_t)in->n_rows * width;
	const double *expected = (is_margin ? x->margins : x->expected) + from * width;
	memset(x->out, 0xa5, (n + 1) * sizeof *x->out);
	if (score_batch(x->model, in, x->out, n, &o, &error) != SCORE_OK)
		fail_msg("%s: %s", what, error.message);
	for (size_t i = 0; i < n; i++) {
		if (memcmp(x->out + i, expected + i, sizeof *expected) != 0 && !(isnan(x->out[i]) && isnan(expected[i])))
			fail_msg("%s, %s, %u features, %u outputs, compare %d, sum %d, base %d, skip %d: value %zu of %zu is %a, "
				"expected %a", what, score_isa_name(x->isa), x->s.n_features, x->s.n_outputs, x->s.compare, x->s.sum,
				x->s.base_position, x->s.skip_missing, i, n, x->out[i], expected[i]);
	}
	uint64_t behind;
	memcpy(&behind, x->out + n, sizeof behind);
	assert_true(behind == UINT64_C(0xa5a5a5a5a5a5a5a5));
}

static void check_both(const fixture *x, const score_input *in, const score_plan *plan, size_t from, const char *what)
{
	check(x, in, plan, from, SCORE_OUTPUT_MARGIN, what);
	check(x, in, plan, from, SCORE_OUTPUT_PREDICTION, what);
}

/* Rows in exactly as much memory as they need, so that a read beyond them shows under a sanitizer. */
static void check_rows(const fixture *x, score_dtype type)
{
	const size_t sizes[] = {1, 2, 3, 15, 16, 17, 63, 64, 65, 100, 128, 255, 256, 257, x->s.n_rows};
	size_t nf = x->s.n_features, size = type == SCORE_F32 ? sizeof(float) : sizeof(double);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		size_t n = sizes[i], from = (i * 37) % (x->s.n_rows - n + 1);
		char *copy = malloc(n * nf * size);
		for (size_t k = 0; k < n * nf; k++) {
			double value = x->rows[from * nf + k];
			float narrow = (float)value;
			memcpy(copy + k * size, type == SCORE_F32 ? (void *)&narrow : (void *)&value, size);
		}
		score_input in = type == SCORE_F32 ? score_input_rows_f32((float *)(void *)copy, (int64_t)n, (uint32_t)nf)
						   : score_input_rows_f64((double *)(void *)copy, (int64_t)n, (uint32_t)nf);
		check_both(x, &in, NULL, from, type == SCORE_F32 ? "rows of floats" : "rows of doubles");
		free(copy);
	}
}

/* The values backwards: last row first, last column first, and gaps between rows. */
static void check_strides(const fixture *x, score_dtype type)
{
	size_t nf = x->s.n_features, wide = nf + 3, size = type == SCORE_F32 ? sizeof(float) : sizeof(double);
	for (int backwards = 0; backwards < 2; backwards++) {
		char *copy = calloc(x->s.n_rows * wide, size);
		for (size_t r = 0; r < x->s.n_rows; r++) {
			for (size_t c = 0; c < nf; c++) {
				double value = x->rows[r * nf + c];
				float narrow = (float)value;
				size_t at = (x->s.n_rows - 1 - r) * wide + (backwards ? nf - 1 - c : c);
				memcpy(copy + at * size, type == SCORE_F32 ? (void *)&narrow : (void *)&value, size);
			}
		}
		score_input in = score_input_rows_f32((float *)(void *)copy, (int64_t)x->s.n_rows, (uint32_t)nf);
		in.dtype = type;
		in.u.rows.data = copy + ((x->s.n_rows - 1) * wide + (backwards ? nf - 1 : 0)) * size;
		in.u.rows.row_stride_bytes = -(int64_t)(wide * size);
		in.u.rows.column_stride_bytes = backwards ? -(int64_t)size : (int64_t)size;
		check_both(x, &in, NULL, 0, backwards ? "backwards" : "last row first");
		free(copy);
	}
}

/* Dense floats and doubles, an offset, missing by bitmap, strided ones, a bitmap without a missing one; `mixed` takes turns. */
static void check_columns(const fixture *x, score_dtype type, bool mixed)
{
	size_t nf = x->s.n_features, size = type == SCORE_F32 ? sizeof(float) : sizeof(double);
	score_column *columns = calloc(nf, sizeof *columns);
	for (size_t c = 0; c < nf; c++) {
		size_t kind = mixed ? c % 5 : 0, offset = kind == 1 ? 5 : 0, step = kind == 3 ? 2 : 1;
		char *values = calloc((x->s.n_rows + offset) * step, size);
		uint8_t *bits = calloc(x->s.n_rows / 8 + 1, 1);
		for (size_t r = 0; r < x->s.n_rows; r++) {
			double value = x->rows[r * nf + c];
			bits[r / 8] |= (uint8_t)((kind == 4 || !isnan(value)) << (r % 8));
			value = kind == 2 && isnan(value) ? 1.0 : value;
			float narrow = (float)value;
			memcpy(values + (offset + r) * step * size, type == SCORE_F32 ? (void *)&narrow : (void *)&value, size);
		}
		columns[c] = (score_column){.values = values, .dtype = type, .offset = (int64_t)offset};
		if (kind == 3)
			columns[c].stride_bytes = (int64_t)(step * size);
		if (kind == 2 || kind == 4)
			columns[c].validity = bits;
		else
			free(bits);
	}
	score_input in = score_input_columns(columns, (int64_t)x->s.n_rows, (uint32_t)nf);
	check_both(x, &in, NULL, 0, mixed ? "mixed columns" : "columns");
	in.n_rows = 70;
	check_both(x, &in, NULL, 0, "70 rows of columns");
	for (size_t c = 0; c < nf; c++) {
		free((void *)(uintptr_t)columns[c].values);
		free((void *)(uintptr_t)columns[c].validity);
	}
	free(columns);
}

/* The caller's columns in another order, with one that the model does not know. */
static void check_plan(const fixture *x)
{
	size_t nf = x->s.n_features, wide = nf + 1;
	const char **names = malloc(wide * sizeof *names);
	float *copy = calloc(x->s.n_rows * wide, sizeof *copy);
	score_plan *plan;
	names[nf] = "unknown";
	for (size_t c = 0; c < nf; c++) {
		names[c] = score_model_feature_name(x->model, (uint32_t)((c + 1) % nf));
		for (size_t r = 0; r < x->s.n_rows; r++)
			copy[r * wide + c] = (float)x->rows[r * nf + (c + 1) % nf];
	}
	assert_int_equal(score_bind(x->model, names, NULL, wide, &plan, NULL), SCORE_OK);
	score_input in = score_input_rows_f32(copy, (int64_t)x->s.n_rows, (uint32_t)wide);
	check_both(x, &in, plan, 0, "by name");
	score_plan_free(plan);
	free(names);
	free(copy);
}

static void check_layouts(const fixture *x, score_dtype type)
{
	check_rows(x, type);
	check_strides(x, type);
	check_columns(x, type, false);
	check_columns(x, type, true);
}

static void check_spec(const spec *s)
{
	static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512,
		SCORE_ISA_NEON};
	size_t n_rows = s->n_rows ? s->n_rows : 300, n_values = n_rows * s->n_features, n_margins = n_rows * s->n_outputs;
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		uint64_t state = 7 + s->n_features;
		if (!score_isa_available(isas[i]))
			continue;
		score_options o = SCORE_OPTIONS_INIT;
		fixture x = {.s = *s, .isa = isas[i], .model = make_model(s, isas[i], &state),
			.rows = malloc(n_values * sizeof(double)), .margins = malloc(n_margins * sizeof(double))};
		x.s.n_rows = n_rows;
		x.width = score_output_width(x.model, &o);
		x.expected = malloc(n_rows * x.width * sizeof(double));
		x.out = malloc((n_rows * (x.width + s->n_outputs) + 1) * sizeof(double));
		for (size_t k = 0; k < n_values; k++)
			x.rows[k] = random_value(&state, s->special);
		compute_expected(&x);
		check_layouts(&x, SCORE_F64);
		for (size_t k = 0; k < n_values; k++)
			x.rows[k] = (double)(float)x.rows[k];
		compute_expected(&x);
		check_layouts(&x, SCORE_F32);
		check_plan(&x);
		score_model_free(x.model);
		free(x.rows);
		free(x.margins);
		free(x.expected);
		free(x.out);
	}
}

/* Both types of values and sums, missing values left out or not, base first or last; a quick run has each but not all together. */
static void check_contracts(spec s)
{
	for (unsigned i = 0; i < 16; i += quick_run() ? 5 : 1) {
		s.compare = i & 1 ? SCORE_F64 : SCORE_F32;
		s.sum = i & 2 ? SCORE_F64 : SCORE_F32;
		s.skip_missing = i & 4 ? 1 : 0;
		s.base_position = i & 8 ? SCORE_BASE_LAST : SCORE_BASE_FIRST;
		s.special = s.skip_missing;
		check_spec(&s);
	}
	s.skip_missing = 0;
	s.special = 1;
	check_spec(&s);
}

static void few_features(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 9; n += 4)
		check_contracts((spec){.n_features = n, .n_outputs = 1, .link = SCORE_LINK_SIGMOID});
}

static void whole_and_broken_tiles(void **state)
{
	(void)state;
	static const uint32_t n_features[] = {7, 8, 9, 15, 16, 17, 32, 45, 263, 520};
	for (size_t i = 0; i < sizeof n_features / sizeof n_features[0]; i++)
		check_contracts((spec){.n_features = n_features[i], .n_outputs = 1});
}

static void several_outputs(void **state)
{
	(void)state;
	check_contracts((spec){.n_features = 20, .n_outputs = 3, .link = SCORE_LINK_SOFTMAX});
	check_contracts((spec){.n_features = 18, .n_outputs = 9});
}

static void largest_of_many_outputs(void **state)
{
	(void)state;
	check_contracts((spec){.n_features = 5, .n_outputs = 2, .link = SCORE_LINK_ARGMAX});
	check_contracts((spec){.n_features = 19, .n_outputs = 70, .link = SCORE_LINK_ARGMAX});
}

static void two_predictions_of_one_output(void **state)
{
	(void)state;
	check_contracts((spec){.n_features = 19, .n_outputs = 1, .link = SCORE_LINK_BINARY_PAIR});
}

/* More rows than are summed together. */
static void many_rows(void **state)
{
	(void)state;
	check_contracts((spec){.n_rows = 2600, .n_features = 3, .n_outputs = 1});
	check_contracts((spec){.n_rows = 1300, .n_features = 70, .n_outputs = 1});
}

/* Plain ones among the summed columns or not, more and fewer than a tile of them. */
static void derived_columns(void **state)
{
	(void)state;
	static const uint32_t shapes[][3] = {{20, 10, 20}, {20, 40, 0}, {34, 5, 17}};
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
		check_contracts((spec){.n_features = shapes[i][0], .n_derived = shapes[i][1], .first = shapes[i][2],
			.n_outputs = i == 1 ? 5 : 1});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_features),
		cmocka_unit_test(whole_and_broken_tiles),
		cmocka_unit_test(several_outputs),
		cmocka_unit_test(largest_of_many_outputs),
		cmocka_unit_test(two_predictions_of_one_output),
		cmocka_unit_test(many_rows),
		cmocka_unit_test(derived_columns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
