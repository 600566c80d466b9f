/* The self-test of a model: which instruction sets it takes, how many values it compares, what it says of a wrong one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/model.h"
#include "expect_error.h"
#include "metered_memory.h"
#include "random_model.h"
#include "served_models.h"

static score_error error;

/* `model` as a file says it, with these golden rows, opened without looking at them. */
static score_model *with_golden(const score_model *model, const double *rows, const double *margins, uint32_t n)
{
	score_save_options o = SCORE_SAVE_OPTIONS_INIT;
	void *bytes = NULL;
	size_t size = 0;
	o.golden_rows = rows;
	o.golden_margins = margins;
	o.n_golden_rows = n;
	assert_int_equal(score_model_save_memory(model, &o, &bytes, &size, &error), SCORE_OK);
	score_model *again = model_of_bytes(bytes, size);
	score_model_free_bytes(model, bytes, size);
	return again;
}

static void every_instruction_set(void **state)
{
	static const score_isa isas[] = {SCORE_ISA_AUTO, SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512};
	const random_spec spec = {.seed = 4, .n_features = 5, .n_outputs = 2, .n_trees = 20, .max_leaves = 20,
		.cuts_per_feature = 9, .compare = SCORE_F32, .sum = SCORE_F32};
	score_model *model = random_model(&spec);
	const uint64_t n_golden = score_model_golden(model, NULL, NULL);
	(void)state;
	assert_true(n_golden > 0);
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		uint64_t n = 0;
		if (isas[i] != SCORE_ISA_AUTO && !score_isa_available(isas[i]))
			continue;
		assert_int_equal(score_model_verify(model, isas[i], &n, &error), SCORE_OK);
		/* One row, the golden rows, and 600, two outputs each, at least in the walk and in batches. */
		assert_true(n >= 2 * 2 * (1 + n_golden + 600));
		assert_int_equal(n % (2 * (1 + n_golden + 600)), 0);
		assert_int_equal(score_model_verify(model, isas[i], NULL, NULL), SCORE_OK);
	}
	score_model_free(model);
}

static void wrong_values(void **state)
{
	const double rows[] = {1.0, 2.0, 3.0, 4.0}, good[] = {4.0, 10.0}, bad[] = {4.0, 9.0};
	score_model *linear = scaling_model(2.0);
	score_model *right = with_golden(linear, rows, good, 2), *wrong = with_golden(linear, rows, bad, 2);
	uint64_t n = 7;
	(void)state;
	assert_int_equal(score_model_verify(right, SCORE_ISA_AUTO, &n, &error), SCORE_OK);
	assert_int_equal(n, 1 + 2 + 600);
	expect_error(score_model_verify(wrong, SCORE_ISA_PORTABLE, &n, &error), &error, SCORE_ERR_VERIFY,
		"golden row 1, output 0: margin bits 4024000000000000, stored 4022000000000000 (portable, linear)");
	assert_int_equal(n, 1 + 1); /* alone, and before the wrong one */
	score_model_free(right);
	score_model_free(wrong);
	score_model_free(linear);
}

/* A NaN is a NaN, whatever its bits; and no number. */
static void values_that_are_nan(void **state)
{
	const double rows[] = {NAN, 2.0, 3.0, 4.0}, nan[] = {-(double)NAN, 10.0}, number[] = {5.0, 10.0}, no_nan[] = {NAN, NAN};
	score_model *linear = scaling_model(2.0);
	const double *const margins[] = {nan, number, no_nan};
	(void)state;
	for (int i = 0; i < 3; i++) {
		score_model *model = with_golden(linear, rows, margins[i], 2);
		score_status status = score_model_verify(model, SCORE_ISA_AUTO, NULL, &error);
		assert_int_equal(status, i ? SCORE_ERR_VERIFY : SCORE_OK);
		assert_true(!i || strstr(error.message, i == 1 ? "golden row 0, output 0" : "golden row 1, output 0"));
		score_model_free(model);
	}
	score_model_free(linear);
}

/* The longer a row, the fewer copies of it: the self-test needs some memory, whatever the model. */
static void wide_rows(void **state)
{
	const score_contract contract = SCORE_CONTRACT_INIT(200000, 1);
	const score_node leaf[] = {{.test = SCORE_TEST_LEAF, .value = 1}};
	score_tree tree = SCORE_TREE_INIT;
	metered_memory memory = {.left = SIZE_MAX};
	const score_allocator a = metered_allocator(&memory);
	score_build_options o = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b;
	score_model *model;
	uint64_t n;
	(void)state;
	o.allocator = &a;
	tree.nodes = leaf;
	tree.n_nodes = 1;
	assert_int_equal(score_builder_new(&contract, &o, &b, &error), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &tree, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	score_builder_free(b);
	const uint64_t n_golden = score_model_golden(model, NULL, NULL);
	memory.most = memory.held;
	assert_int_equal(score_model_verify(model, SCORE_ISA_AUTO, &n, &error), SCORE_OK);
	assert_true(n_golden > 0 && n >= 1 + 2 * n_golden);
	assert_in_range(memory.most - memory.held, 1, 100 << 20);
	score_model_free(model);
	assert_int_equal(memory.held, 0);
}

static void refuses(void **state)
{
	const double rows[] = {1.0, 2.0}, margin[] = {4.0};
	score_model *linear = scaling_model(2.0), *golden = with_golden(linear, rows, margin, 1);
	score_model *answering = answering_model(1.0);
	uint64_t n = 7;
	(void)state;
	expect_error(score_model_verify(NULL, SCORE_ISA_AUTO, &n, &error), &error, SCORE_ERR_ARGUMENT,
		"score_model_verify: model is NULL");
	assert_int_equal(n, 0);
	expect_error(score_model_verify(golden, 99, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"this processor or build has no instruction set 'unknown'");
	/* As another writer's file may have it. */
	((forest *)(uintptr_t)answering->f)->n_golden = 0;
	score_model *without = with_golden(answering, NULL, NULL, 0);
	assert_int_equal(score_model_golden(without, NULL, NULL), 0);
	expect_error(score_model_verify(without, SCORE_ISA_AUTO, NULL, &error), &error, SCORE_ERR_VERIFY,
		"the model has no golden rows");
	score_model_free(without);
	score_model_free(answering);
	score_model_free(linear);
	score_model_free(golden);
}

/* Another instruction set's engine, rows, margins and scratch are all from the model's allocator. */
static void without_memory(void **state)
{
	const random_spec spec = {.seed = 4, .n_features = 5, .n_outputs = 1, .n_trees = 20, .max_leaves = 20,
		.cuts_per_feature = 9, .compare = SCORE_F32, .sum = SCORE_F32, .isa = SCORE_ISA_AUTO};
	score_model *made = random_model(&spec), *model = NULL;
	metered_memory memory = {.left = SIZE_MAX};
	const score_allocator metered = metered_allocator(&memory);
	score_open_options o = SCORE_OPEN_OPTIONS_INIT;
	void *bytes = NULL;
	size_t size = 0;
	(void)state;
	assert_int_equal(score_model_save_memory(made, NULL, &bytes, &size, &error), SCORE_OK);
	o.allocator = &metered;
	assert_int_equal(score_model_open_memory(bytes, size, &o, &model, &error), SCORE_OK);
	const size_t held = memory.held;
	score_status status = SCORE_ERR_MEMORY;
	size_t n = 0;
	for (; status == SCORE_ERR_MEMORY; n++) {
		uint64_t checked = 7;
		memory.left = n;
		status = score_model_verify(model, SCORE_ISA_PORTABLE, &checked, &error);
		assert_int_equal(memory.held, held);
		assert_true((status == SCORE_OK) == (checked > 0));
	}
	assert_int_equal(status, SCORE_OK);
	assert_true(n > 4);
	memory.left = SIZE_MAX;
	score_model_free(model);
	assert_int_equal(memory.held, 0);
	score_model_free_bytes(made, bytes, size);
	score_model_free_bytes(NULL, NULL, 0);
	score_model_free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_instruction_set),
		cmocka_unit_test(wrong_values),
		cmocka_unit_test(values_that_are_nan),
		cmocka_unit_test(wide_rows),
		cmocka_unit_test(refuses),
		cmocka_unit_test(without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
