/* Models of parts: what each part answers and how answers are combined, by hand; in every regime; through a file; and what is
 * refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <scoreline/build.h>

#include "api/model.h"
#include "metered_memory.h"

/* A builder of a linear model whose margins are its n features. */
static score_builder *identity_builder(uint32_t n)
{
	score_contract contract = SCORE_CONTRACT_INIT(n, n);
	score_builder *b = NULL;
	double *weights = calloc((size_t)n * n, sizeof *weights);
	for (size_t i = 0; i < n; i++)
		weights[i * n + i] = 1.0;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, weights, 0, NULL), SCORE_OK);
	free(weights);
	return b;
}

static void add(score_builder *b, score_part part)
{
	score_error error;
	if (score_builder_add_part(b, &part, &error) != SCORE_OK)
		fail_msg("%s", error.message);
}

/* The model, saved and opened again. */
static score_model *finished(score_builder *b, score_combine how, double total, uint32_t n_predictions)
{
	score_model *model = NULL, *again = NULL;
	score_error error;
	void *bytes, *same;
	size_t size, same_size;
	assert_int_equal(score_builder_combine(b, how, total, n_predictions, NULL), SCORE_OK);
	if (score_builder_finish(b, &model, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	score_builder_free(b);
	assert_int_equal(score_model_save_memory(model, NULL, &bytes, &size, NULL), SCORE_OK);
	if (score_model_open_memory(bytes, size, NULL, &again, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(score_model_save_memory(again, NULL, &same, &same_size, NULL), SCORE_OK);
	assert_int_equal(size, same_size);
	assert_memory_equal(bytes, same, size);
	/* A file that ends early, or with another byte, is no model. */
	for (size_t cut = 0; cut < size; cut += 7) {
		score_model *none;
		assert_int_not_equal(score_model_open_memory(bytes, cut, NULL, &none, NULL), SCORE_OK);
	}
	score_model_free_bytes(again, same, same_size);
	score_model_free_bytes(model, bytes, size);
	score_model_free(model);
	return again;
}

static void predict(score_model *model, const double *row, uint32_t n, double *out, size_t n_out)
{
	score_input in = score_input_rows_f64(row, 1, n);
	score_error error;
	if (score_batch(model, &in, out, n_out, NULL, &error) != SCORE_OK)
		fail_msg("%s", error.message);
}

static void sums(void **state)
{
	(void)state;
	score_builder *b = identity_builder(3);
	const double slopes[] = {-2.0}, offsets[] = {1.0};
	const uint32_t columns[] = {1, 0};
	score_part mean = SCORE_PART_INIT(0, 2), sigmoid = SCORE_PART_INIT(2, 1);
	mean.divisor = 4.0;
	mean.weight = 3.0;
	mean.columns = columns;
	sigmoid.slopes = slopes;
	sigmoid.offsets = offsets;
	sigmoid.link = SCORE_LINK_BINARY_PAIR;
	add(b, mean);
	add(b, sigmoid);
	score_model *model = finished(b, SCORE_COMBINE_SUM, 4.0, 2);
	const double row[] = {1.3, -0.7, 0.2};
	double out[2], p = 1.0 / (1.0 + exp(-(0.2 * -2.0 + 1.0)));
	predict(model, row, 3, out, 2);
	assert_true(out[0] == (3.0 * (-0.7 / 4.0) + (1.0 - p)) / 4.0);
	assert_true(out[1] == (3.0 * (1.3 / 4.0) + p) / 4.0);
	assert_string_equal(score_model_link_name(model), "parts");
	score_model_free(model);
}

static void curves(void **state)
{
	(void)state;
	const uint32_t ends[] = {3, 4};
	const double x[] = {0.0, 1.0, 3.0, 9.0}, y[] = {0.25, 0.5, 0.75, 0.125};
	const double at[] = {-5.0, 0.0, 0.5, 1.0, 2.0, 3.0, 8.0, NAN};
	const double wanted[] = {0.25, 0.25, 0.375, 0.5, 0.625, 0.75, 0.75, NAN};
	score_builder *b = identity_builder(2);
	score_part part = SCORE_PART_INIT(0, 2);
	part.curve_ends = ends;
	part.curve_x = x;
	part.curve_y = y;
	add(b, part);
	score_model *model = finished(b, SCORE_COMBINE_SUM, 0.0, 2);
	for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
		double row[] = {at[i], at[i] == at[i] ? at[i] : 1.0}, out[2];
		predict(model, row, 2, out, 2);
		assert_true(out[0] == wanted[i] || (isnan(out[0]) && isnan(wanted[i])));
		assert_true(out[1] == 0.125 || isnan(at[i])); /* 0 times NaN */
	}
	score_model_free(model);
}

static void votes(void **state)
{
	(void)state;
	score_builder *b = identity_builder(5);
	score_part largest = SCORE_PART_INIT(0, 3), above = SCORE_PART_INIT(3, 1), at_least = SCORE_PART_INIT(4, 1);
	largest.vote = SCORE_VOTE_LARGEST;
	largest.weight = 2.0;
	above.vote = SCORE_VOTE_ABOVE;
	above.weight = 0.5;
	at_least.vote = SCORE_VOTE_AT_LEAST;
	add(b, largest);
	add(b, above);
	add(b, at_least);
	assert_int_equal(score_builder_set_metadata(b, "class_rule", "largest prediction", NULL), SCORE_OK);
	score_model *model = finished(b, SCORE_COMBINE_SUM, 0.0, 3);
	const double row[] = {1.0, 7.0, 7.0, 0.0, 9.0}; /* a margin above all votes */
	double out[3];
	predict(model, row, 5, out, 3);
	assert_true(out[0] == 0.5 && out[1] == 3.0 && out[2] == 0.0);
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_CLASS;
	score_input in = score_input_rows_f64(row, 1, 5);
	assert_int_equal(score_batch(model, &in, out, 1, &o, NULL), SCORE_OK);
	assert_true(out[0] == 1.0);
	score_model_free(model);
}

static double median_of(const double *weights, const double *row, uint32_t n)
{
	score_builder *b = identity_builder(n);
	for (uint32_t i = 0; i < n; i++) {
		score_part part = SCORE_PART_INIT(i, 1);
		part.weight = weights[i];
		add(b, part);
	}
	score_model *model = finished(b, SCORE_COMBINE_MEDIAN, 0.0, 1);
	double out;
	predict(model, row, n, &out, 1);
	score_model_free(model);
	return out;
}

static void medians(void **state)
{
	(void)state;
	const double weights[] = {0.2, 0.5, 0.1, 0.4}, row[] = {5.0, 1.0, 9.0, 2.0};
	/* Ascending: 1 (0.5), 2 (0.9), …; half of 1.2 is reached at 2. */
	assert_true(median_of(weights, row, 4) == 2.0);
	/* At the first, at the last, and exactly at half. */
	assert_true(median_of((const double[]){1.0, 4.0, 2.0}, (const double[]){7.0, 3.0, 8.0}, 3) == 3.0);
	assert_true(median_of((const double[]){1.0, 4.0, 2.0}, (const double[]){7.0, 9.0, 8.0}, 3) == 9.0);
	assert_true(median_of((const double[]){1.0, 1.0, 1.0, 1.0}, (const double[]){4.0, 3.0, 2.0, 1.0}, 4) == 2.0);
	assert_true(median_of((const double[]){2.0, 1.0, 1.0}, (const double[]){1.0, 2.0, 3.0}, 3) == 1.0);
	assert_true(median_of((const double[]){3.0}, (const double[]){6.0}, 1) == 6.0);
}

/* Stumps in five outputs: batches, single rows, with and without scratch. */
static void trees(void **state)
{
	(void)state;
	enum { N = 600, OUTPUTS = 5 };
	score_contract contract = SCORE_CONTRACT_INIT(2, OUTPUTS);
	score_builder *b;
	contract.trees_per_iteration = 1;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	for (uint32_t t = 0; t < 40; t++) {
		score_node nodes[3] = {{.left = 1, .right = 2, .feature = t % 2, .test = SCORE_TEST_LE, .value = 0.05 * t},
			{.value = 0.1 * t}, {.value = -0.3}};
		score_tree tree = SCORE_TREE_INIT;
		tree.nodes = nodes;
		tree.n_nodes = 3;
		tree.output = t % OUTPUTS;
		assert_int_equal(score_builder_add_tree(b, &tree, NULL), SCORE_OK);
	}
	for (uint32_t i = 0; i < OUTPUTS; i++) {
		score_part part = SCORE_PART_INIT(i, 1);
		part.divisor = 8.0;
		add(b, part);
		add(b, part); /* the same outputs again */
	}
	score_model *model = finished(b, SCORE_COMBINE_SUM, 10.0, 1);
	double *rows = malloc(2 * N * sizeof *rows), *margins = malloc(N * OUTPUTS * sizeof *margins), out[N];
	for (size_t i = 0; i < 2 * N; i++)
		rows[i] = (double)(i * 7919 % 1000) / 500.0;
	score_input in = score_input_rows_f64(rows, N, 2);
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_MARGIN;
	assert_int_equal(score_batch(model, &in, margins, N * OUTPUTS, &o, NULL), SCORE_OK);
	o.output = SCORE_OUTPUT_PREDICTION;
	void *scratch = malloc(score_scratch_bytes(model));
	for (int step = 0; step < 3; step++) {
		o.scratch = step ? scratch : NULL;
		o.scratch_bytes = step ? score_scratch_bytes(model) : 0;
		o.regime = step == 2 ? SCORE_REGIME_BATCH : SCORE_REGIME_AUTO;
		assert_int_equal(score_batch(model, &in, out, N, &o, NULL), SCORE_OK);
		for (size_t r = 0; r < N; r++) {
			double sum = 0.0;
			for (size_t i = 0; i < OUTPUTS; i++)
				sum = sum + margins[r * OUTPUTS + i] / 8.0 + margins[r * OUTPUTS + i] / 8.0;
			assert_true(out[r] == sum / 10.0);
		}
	}
	free(scratch);
	free(rows);
	free(margins);
	score_model_free(model);
}

static void refuses(score_builder *b, score_part part, score_status status)
{
	score_error error;
	assert_int_equal(score_builder_add_part(b, &part, &error), status);
	assert_true(strlen(error.message) > 20);
}

static void refusals(void **state)
{
	(void)state;
	const double nan[] = {NAN}, x[] = {1.0, 1.0};
	const uint32_t one[] = {2}, none[] = {0}, far[] = {7};
	score_builder *b = identity_builder(3);
	refuses(b, (score_part)SCORE_PART_INIT(2, 2), SCORE_ERR_ARGUMENT);
	refuses(b, (score_part)SCORE_PART_INIT(0, 0), SCORE_ERR_ARGUMENT);
	score_part part = SCORE_PART_INIT(0, 2);
	part.link = SCORE_LINK_BINARY_PAIR;
	refuses(b, part, SCORE_ERR_ARGUMENT);
	part.link = SCORE_LINK_PARTS;
	refuses(b, part, SCORE_ERR_ARGUMENT);
	part = (score_part)SCORE_PART_INIT(0, 1);
	part.slopes = nan;
	refuses(b, part, SCORE_ERR_ARGUMENT);
	part.offsets = nan;
	refuses(b, part, SCORE_ERR_ARGUMENT);
	part = (score_part)SCORE_PART_INIT(0, 1);
	part.curve_x = part.curve_y = x;
	part.curve_ends = one;
	refuses(b, part, SCORE_ERR_ARGUMENT); /* x does not ascend */
	part.curve_ends = none;
	refuses(b, part, SCORE_ERR_ARGUMENT);
	assert_int_equal(score_builder_combine(b, 7, 0.0, 1, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_builder_combine(b, SCORE_COMBINE_SUM, NAN, 1, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_builder_set_link(b, SCORE_LINK_PARTS, 0.0, NULL), SCORE_ERR_ARGUMENT);
	part = (score_part)SCORE_PART_INIT(0, 1);
	part.columns = far;
	add(b, part);
	assert_int_equal(score_builder_combine(b, SCORE_COMBINE_SUM, 0.0, 2, NULL), SCORE_OK);
	score_model *model;
	score_error error;
	assert_int_not_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	assert_non_null(strstr(error.message, "adds to prediction 7"));
	score_builder_free(b);
	b = identity_builder(65);
	refuses(b, (score_part)SCORE_PART_INIT(0, 1), SCORE_ERR_LIMIT);
	score_builder_free(b);
}

/* `part` with one value changed is refused, and the message says what was expected. */
static void refused_values(void **state)
{
	static const double one[] = {1.0, 2.0}, nan[] = {NAN, 1.0};
	static const uint32_t ends[] = {1, 2}, far[] = {1, 1000001}, descending[] = {2, 1};
	score_builder *b = identity_builder(2);
	score_error error;
	score_part p;
	(void)state;
#define WRONG(STATEMENT, TEXT) \
	p = (score_part)SCORE_PART_INIT(0, 2); \
	p.curve_ends = ends; \
	p.curve_x = p.curve_y = one; \
	STATEMENT; \
	assert_int_equal(score_builder_add_part(b, &p, &error), SCORE_ERR_ARGUMENT); \
	if (!strstr(error.message, TEXT)) \
		fail_msg("%s", error.message)
	WRONG(p.n_outputs = 3, "a part takes outputs 0 to 3, the model has 2");
	WRONG(p.first_output = 1, "a part takes outputs 1 to 3, the model has 2");
	WRONG(p.vote = -1, "link 0 or vote -1 of a part is unknown");
	WRONG(p.vote = SCORE_VOTE_AT_LEAST + 1, "vote 4 of a part is unknown");
	WRONG(p.vote = SCORE_VOTE_ABOVE, "vote 2 of a part is unknown or does not fit its 2 outputs");
	WRONG((p.n_outputs = 1, p.vote = SCORE_VOTE_AT_LEAST, p.link = SCORE_LINK_SIGMOID), "does not fit its 1 outputs");
	WRONG(p.link = 99, "link 99");
	const char *finite = "divisor, weight, slopes and offsets must be finite, the weight not negative, and slopes and offsets come together";
	WRONG(p.divisor = INFINITY, finite);
	WRONG(p.weight = NAN, finite);
	WRONG(p.weight = -1.0, finite);
	WRONG(p.link_parameter = NAN, finite);
	WRONG(p.offsets = one, finite);
	WRONG(p.slopes = one, finite);
	WRONG((p.slopes = nan, p.offsets = one), finite);
	WRONG((p.slopes = one, p.offsets = nan), finite);
	const char *curve = "each curve of a part must have at least one point, and x must ascend";
	WRONG(p.curve_x = NULL, curve);
	WRONG(p.curve_y = NULL, curve);
	WRONG(p.curve_x = nan, curve);
	WRONG(p.curve_y = nan, curve);
	WRONG(p.curve_ends = far, curve);
	WRONG(p.curve_ends = descending, curve);
	WRONG(p.struct_size = 3, "score_part.struct_size is 3");
	WRONG(p.curve_ends = NULL; p.link = SCORE_LINK_PARTS, "link 27");
#undef WRONG
	assert_int_equal(score_builder_add_part(b, NULL, &error), SCORE_ERR_ARGUMENT);
	assert_string_equal(error.message, "score_builder_add_part: part is NULL");
	assert_int_equal(score_builder_add_part(NULL, &p, &error), SCORE_ERR_ARGUMENT);
	assert_string_equal(error.message, "score_builder_add_part: builder is NULL");
	assert_int_equal(score_builder_combine(NULL, SCORE_COMBINE_SUM, 0.0, 1, &error), SCORE_ERR_ARGUMENT);
	assert_string_equal(error.message, "score_builder_combine: builder is NULL");
	for (uint32_t n = 0; n <= 65; n += 65) {
		assert_int_equal(score_builder_combine(b, SCORE_COMBINE_SUM, 0.0, n, &error), SCORE_ERR_ARGUMENT);
		assert_non_null(strstr(error.message, "a finite total and 1 to 64 predictions, found 0, 0 and "));
	}
	assert_int_equal(score_builder_combine(b, -1, 0.0, 1, &error), SCORE_ERR_ARGUMENT);
	/* Where 0 says "as it is", it is 1. */
	p = (score_part)SCORE_PART_INIT(0, 1);
	p.divisor = p.link_parameter = 0.0;
	add(b, p);
	score_model *model = finished(b, SCORE_COMBINE_SUM, 0.0, 1);
	const double row[] = {3.0, 5.0};
	double out;
	predict(model, row, 2, &out, 1);
	assert_true(out == 3.0);
	score_model_free(model);
}

/* What only shows once all parts are there, by the gate that files pass too. */
static void refused_models(void **state)
{
	score_builder *b = identity_builder(2);
	const score_part plain = SCORE_PART_INIT(0, 1), two = SCORE_PART_INIT(0, 2);
	score_model *model = NULL;
	score_error error;
	(void)state;
	add(b, plain);
	add(b, two);
	model = finished(b, SCORE_COMBINE_SUM, 0.0, 2);
	forest *f = (forest *)(uintptr_t)model->f;
	const forest good = *f;
	assert_int_equal(forest_check(f, &error), SCORE_OK);
#define WRONG(STATEMENT, CODE, TEXT) \
	*f = good; \
	STATEMENT; \
	assert_int_equal(forest_check(f, &error), CODE); \
	assert_int_equal(error.code, CODE); \
	assert_int_equal(forest_check(f, NULL), CODE); \
	if (!strstr(error.message, TEXT)) \
		fail_msg("%s", error.message)
	const char *cannot = "the parts cannot be combined";
	WRONG(f->parts.n = 65, SCORE_ERR_LIMIT, "the model has 65 parts, the limit is 64");
	WRONG(f->parts.n = 0, SCORE_ERR_CORRUPT, cannot);
	WRONG(f->contract.sum = SCORE_F32, SCORE_ERR_CORRUPT, cannot);
	WRONG(f->parts.total = NAN, SCORE_ERR_CORRUPT, cannot);
	WRONG((f->contract.average = SCORE_AVERAGE_PREDICTION, f->contract.base_position = SCORE_BASE_LAST), SCORE_ERR_CORRUPT, cannot);
	WRONG(f->parts.combine = -1, SCORE_ERR_CORRUPT, cannot);
	WRONG(f->n_predictions = 0, SCORE_ERR_CORRUPT, cannot);
	WRONG(f->n_predictions = 65, SCORE_ERR_CORRUPT, cannot);
	WRONG(f->parts.combine = SCORE_COMBINE_MEDIAN, SCORE_ERR_CORRUPT, cannot);
	WRONG((f->parts.combine = SCORE_COMBINE_MEDIAN, f->n_predictions = 1), SCORE_ERR_CORRUPT,
		"part 1 has 2 values, a median takes one of each");
	WRONG(f->n_predictions = 1, SCORE_ERR_CORRUPT, "part 1 adds to prediction 1, the model has 1");
	score_part wrong = plain;
	wrong.weight = -1.0;
	WRONG((f->parts.list = &wrong, f->parts.n = 1), SCORE_ERR_CORRUPT, "the weight not negative");
	WRONG(f->link = SCORE_LINK_IDENTITY, SCORE_ERR_CORRUPT, "the model has parts that nothing combines");
#undef WRONG
	*f = good;
	score_model_free(model);
}

/* Parts with everything that they can have, where memory runs out. */
static score_status build_parts(const score_allocator *a, score_model **model)
{
	enum { POINTS = 3000 }; /* so many that each list is an allocation of its own */
	static double x[POINTS], slopes[2] = {1.0, 2.0};
	static const uint32_t ends[] = {1, POINTS};
	const score_contract contract = SCORE_CONTRACT_INIT(2, 2);
	const double weights[] = {1.0, 0.0, 0.0, 1.0};
	score_part part = SCORE_PART_INIT(0, 2);
	score_build_options o = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b = NULL;
	o.allocator = a;
	for (int i = 0; i < POINTS; i++)
		x[i] = i;
	part.slopes = part.offsets = slopes;
	part.curve_ends = ends;
	part.curve_x = part.curve_y = x;
	score_status status = score_builder_new(&contract, &o, &b, NULL);
	if (status == SCORE_OK)
		status = score_builder_set_linear(b, weights, 0, NULL);
	for (int i = 0; i < 2 && status == SCORE_OK; i++)
		status = score_builder_add_part(b, &part, NULL);
	if (status == SCORE_OK)
		status = score_builder_combine(b, SCORE_COMBINE_SUM, 0.0, 2, NULL);
	if (status == SCORE_OK)
		status = score_builder_finish(b, model, NULL);
	score_builder_free(b);
	return status;
}

static void memory_runs_out(void **state)
{
	metered_memory memory = {.left = 0};
	const score_allocator metered = metered_allocator(&memory);
	score_model *model = NULL;
	score_status status = SCORE_ERR_MEMORY;
	(void)state;
	for (size_t n = 0; status == SCORE_ERR_MEMORY; n++) {
		memory.left = n;
		status = build_parts(&metered, &model);
		assert_true((status == SCORE_OK) == (model != NULL));
		assert_true(model || memory.held == 0);
		assert_true(n < 300);
	}
	assert_int_equal(status, SCORE_OK);
	const double row[] = {-1.0, 1.5};
	double out[2];
	predict(model, row, 2, out, 2);
	assert_true(out[0] == 0.0 && out[1] == 2.0 * (2.0 * 1.5 + 2.0)); /* beyond the curve, and on it */
	score_model_free(model);
	assert_int_equal(memory.held, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums), cmocka_unit_test(curves), cmocka_unit_test(votes), cmocka_unit_test(medians),
		cmocka_unit_test(trees), cmocka_unit_test(refusals), cmocka_unit_test(refused_values), cmocka_unit_test(refused_models),
		cmocka_unit_test(memory_runs_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
