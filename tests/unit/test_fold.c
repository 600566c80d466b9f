/*
 * Folds of leaf codes: every code leads to the place of its leaf, whatever the codes stand for, and path codes of few leaves take
 * hardly more places than leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/model.h"
#include "engine/parts.h"
#include "engine/planes.h"
#include "random_model.h"

static size_t fold_and_check(const tree_code *code)
{
	code_fold fold;
	uint16_t leaf_of_place[MAX_CODED_LEAVES];
	size_t n = engine_fold_codes(code, &fold, leaf_of_place);
	assert_true(n <= MAX_CODED_LEAVES);
	for (size_t i = 0; i < (size_t)1 << code->n_planes; i++) {
		size_t place = (i & 15 & fold.counts[i >> 4]) + (size_t)fold.first[i >> 4];
		assert_true(place < n);
		assert_int_equal(leaf_of_place[place], code->leaf_of_code[i]);
	}
	return n;
}

/* Path codes: the codes of a block belong to one leaf, or each half is a block again. */
static uint32_t lay_blocks(tree_code *code, uint64_t *state)
{
	struct { uint32_t first, n; } open[16] = {{0, 1u << code->n_planes}};
	uint32_t n_open = 1, leaf = 0;
	while (n_open) {
		const uint32_t first = open[--n_open].first, n = open[n_open].n;
		if (n > 1 && (n > 128 || random_u64(state) % 3)) {
			open[n_open].first = first + n / 2;
			open[n_open++].n = n / 2;
			open[n_open].first = first;
			open[n_open++].n = n / 2;
			continue;
		}
		for (uint32_t i = 0; i < n; i++)
			code->leaf_of_code[first + i] = (uint16_t)leaf;
		leaf++;
	}
	return leaf;
}

static void path_codes_take_few_places(void **unused)
{
	(void)unused;
	uint64_t state = 1;
	size_t n_places = 0, n_leaves = 0;
	for (uint32_t i = 0; i < 2000; i++) {
		tree_code code = {.n_planes = 5 + i % 4};
		n_leaves += lay_blocks(&code, &state);
		n_places += fold_and_check(&code);
	}
	assert_true(n_places < 2 * n_leaves);
}

static void any_codes_find_their_leaves(void **unused)
{
	(void)unused;
	uint64_t state = 2;
	for (uint32_t i = 0; i < 2000; i++) {
		tree_code code = {.n_planes = 5 + i % 4};
		for (uint32_t k = 0; k < 1u << code.n_planes; k++)
			code.leaf_of_code[k] = (uint16_t)(random_u64(&state) % (1 + i % 256));
		fold_and_check(&code);
	}
}

/* A leaf for each of 256 codes: the last row of 16 begins at place 240. */
static void all_places_can_be_taken(void **unused)
{
	(void)unused;
	tree_code code = {.n_planes = 8};
	for (uint32_t k = 0; k < MAX_CODED_LEAVES; k++)
		code.leaf_of_code[k] = (uint16_t)k;
	assert_int_equal(fold_and_check(&code), MAX_CODED_LEAVES);
	memset(code.leaf_of_code, 0, sizeof code.leaf_of_code);
	assert_int_equal(fold_and_check(&code), 1);
}

/* Codes of fewer bits than a tall tree has levels make small tables: some of a model's trees have them where large ones cost more. */
static void codes_of_fewer_bits(void **unused)
{
	random_spec s = {.seed = 7, .n_features = 20, .n_outputs = 1, .n_trees = 60, .max_leaves = 60, .leafwise = 1, .cuts_per_feature = 200,
		.compare = SCORE_F64, .sum = SCORE_F64};
	static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512, SCORE_ISA_NEON};
	(void)unused;
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		uint32_t n_fewer = 0;
		const kernels *k = score_isa_available(isas[i]) ? engine_kernels(isas[i]) : NULL;
		if (!k || k->sum_cost_f64[8] < k->sum_cost_f64[6] + 16)
			continue;
		s.isa = isas[i];
		score_model *model = random_model(&s);
		for (uint32_t t = 0; t < s.n_trees; t++) {
			const tree_program *program = model->e->batch.trees + t;
			bool tall = model->f->trees[t].depth >= 8 && !program->codes;
			n_fewer += tall && program->n_planes < 8;
		}
		assert_true(n_fewer > 0);
		score_model_free(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_codes_take_few_places),
		cmocka_unit_test(any_codes_find_their_leaves),
		cmocka_unit_test(all_places_can_be_taken),
		cmocka_unit_test(codes_of_fewer_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
