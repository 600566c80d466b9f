/*
 * Files of models where memory runs out, and what a file may hold at most: every sample saved and opened again with one
 * allocation less each time fails as memory does, and keeps nothing.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect_error.h"
#include "format/slm.h"
#include "format/slm_layout.h"
#include "metered_memory.h"
#include "sample_forests.h"

static score_error error;

/* The model, opened once all allocations that it needs succeed; `memory` outlives it. */
static score_model *open_with_less(const void *data, size_t size, metered_memory *memory)
{
	const score_allocator metered = metered_allocator(memory);
	const size_t before = memory->held;
	score_open_options o = SCORE_OPEN_OPTIONS_INIT;
	score_model *model = NULL;
	score_status status = SCORE_ERR_MEMORY;
	o.allocator = &metered;
	for (size_t n = 0; status != SCORE_OK; n++) {
		memory->left = n;
		status = score_model_open_memory(data, size, &o, &model, &error);
		if (status != SCORE_OK) {
			assert_int_equal(status, SCORE_ERR_MEMORY);
			assert_int_equal(error.code, SCORE_ERR_MEMORY);
			assert_null(model);
			assert_int_equal(memory->held, before);
		}
		assert_true(n < 3000);
	}
	return model;
}

static void saving_and_opening(void **state)
{
	const score_allocator standard = sl_allocator(NULL);
	(void)state;
	for (size_t i = 0; i < n_samples; i++) {
		metered_memory memory = {.left = 0};
		const score_allocator metered = metered_allocator(&memory);
		sl_arena arena;
		void *data = NULL;
		size_t size = 0;
		sl_arena_init(&arena, &standard, 0);
		const forest *f = sample_make(samples + i, &arena);
		assert_non_null(f);
		score_status status = SCORE_ERR_MEMORY;
		for (size_t n = 0; status != SCORE_OK; n++) {
			memory.left = n;
			status = slm_write(f, NULL, &metered, &data, &size, &error);
			if (status != SCORE_OK) {
				assert_int_equal(status, SCORE_ERR_MEMORY);
				assert_int_equal(error.code, SCORE_ERR_MEMORY);
				assert_null(data);
				assert_int_equal(memory.held, 0);
			}
			assert_true(n < 2000);
		}
		score_model_free(open_with_less(data, size, &memory));
		memory.left = SIZE_MAX;
		slm_free_bytes(&metered, data, size);
		assert_int_equal(memory.held, 0);
		sl_arena_free(&arena);
	}
}

/* Metadata of the save beside those of the model. */
static void metadata_without_memory(void **state)
{
	static const char *const keys[] = {"key"}, *const values[] = {"value"};
	const score_allocator standard = sl_allocator(NULL);
	metered_memory memory = {.left = 0};
	const score_allocator metered = metered_allocator(&memory);
	score_save_options o = SCORE_SAVE_OPTIONS_INIT;
	sl_arena arena;
	void *data = NULL;
	size_t size = 0;
	score_status status = SCORE_ERR_MEMORY;
	(void)state;
	o.n_metadata = 1;
	o.metadata_keys = keys;
	o.metadata_values = values;
	sl_arena_init(&arena, &standard, 0);
	const forest *f = sample_make(sample_find("tiny"), &arena);
	assert_non_null(f);
	for (size_t n = 0; status != SCORE_OK; n++) {
		memory.left = n;
		status = slm_write(f, &o, &metered, &data, &size, &error);
		assert_true(status == SCORE_OK || status == SCORE_ERR_MEMORY);
		assert_true(n < 1000);
	}
	slm_free_bytes(&metered, data, size);
	assert_int_equal(memory.held, 0);
	sl_arena_free(&arena);
}

/* Weights stay what they are: counts beyond 32 bits, and none at all where the save leaves them out. */
static void covers(void **state)
{
	static const score_node nodes[] = {{.left = 1, .right = 2, .test = SCORE_TEST_LT, .value = 2.5}, {.value = 1.0}, {.value = 2.0}};
	static const double large[] = {5e9, 1e9, 4e9};
	const score_contract c = SCORE_CONTRACT_INIT(1, 1);
	score_tree t = SCORE_TREE_INIT;
	score_builder *b = NULL;
	score_model *model = NULL;
	(void)state;
	t.nodes = nodes;
	t.n_nodes = 3;
	t.covers = large;
	assert_int_equal(score_builder_new(&c, NULL, &b, &error), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	score_builder_free(b);
	for (uint32_t without = 0; without < 2; without++) {
		score_save_options o = SCORE_SAVE_OPTIONS_INIT;
		score_model *again = NULL;
		score_model_info info = {.struct_size = sizeof info};
		void *bytes = NULL;
		size_t size = 0;
		o.flags = without ? SCORE_SAVE_NO_COVERS : 0;
		assert_int_equal(score_model_save_memory(model, &o, &bytes, &size, &error), SCORE_OK);
		assert_int_equal(score_model_open_memory(bytes, size, NULL, &again, &error), SCORE_OK);
		assert_int_equal(score_model_get_info(again, &info), SCORE_OK);
		assert_int_equal(info.has_covers, !without);
		const double row = 1.0;
		double out[2];
		score_input in = score_input_rows_f64(&row, 1, 1);
		score_options scoring = SCORE_OPTIONS_INIT;
		scoring.output = SCORE_OUTPUT_CONTRIBUTION;
		scoring.scratch_bytes = score_contribution_scratch_bytes(again);
		scoring.scratch = malloc(scoring.scratch_bytes + 1);
		if (without) {
			assert_int_equal(score_batch(again, &in, out, 2, &scoring, &error), SCORE_ERR_UNSUPPORTED);
		} else {
			assert_int_equal(score_batch(again, &in, out, 2, &scoring, &error), SCORE_OK);
			assert_true(fabs(out[1] - 1.8) < 1e-12); /* (1 * 1e9 + 2 * 4e9) / 5e9, however it is added */
		}
		free(scoring.scratch);
		score_model_free_bytes(model, bytes, size);
		score_model_free(again);
	}
	score_model_free(model);
}

/* Weights of splits that are the sums of their leaves' are neither in the file nor in the forest: those of leaves are. */
static void sums_of_covers(void **state)
{
	enum { MOST = 300 };
	static const struct {
		uint32_t n_leaves;
		double cover;
	} cases[] = {{2, 30000}, {2, 60000}, {MOST, 60001}, {2, 5e9 + 1}, {3, 0.5}};
	const score_allocator standard = sl_allocator(NULL);
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const uint32_t n = cases[i].n_leaves;
		const score_contract c = SCORE_CONTRACT_INIT(1, 1);
		score_node nodes[2 * MOST] = {{.left = 0}};
		double covers[2 * MOST];
		metered_memory memory = {.left = 0};
		score_tree t = SCORE_TREE_INIT;
		score_builder *b = NULL;
		score_model *model = NULL;
		forest *f = NULL;
		void *bytes = NULL;
		size_t size = 0;
		uint8_t hash[16];
		sl_arena arena;
		for (int32_t k = 0; k < (int32_t)n - 1; k++) {
			nodes[2 * k] = (score_node){.left = 2 * k + 1, .right = 2 * k + 2, .test = SCORE_TEST_LT, .value = k};
			covers[2 * k] = (n - (uint32_t)k) * cases[i].cover;
			covers[2 * k + 1] = cases[i].cover;
		}
		covers[2 * n - 2] = cases[i].cover;
		t.nodes = nodes;
		t.n_nodes = 2 * n - 1;
		t.covers = covers;
		assert_int_equal(score_builder_new(&c, NULL, &b, &error), SCORE_OK);
		assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
		assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
		score_builder_free(b);
		assert_int_equal(score_model_save_memory(model, NULL, &bytes, &size, &error), SCORE_OK);
		sl_arena_init(&arena, &standard, 0);
		assert_int_equal(slm_read(bytes, size, &arena, &f, hash, &error), SCORE_OK);
		assert_null(f->split_covers.values);
		for (uint32_t k = 0; k < n; k++)
			assert_true(forest_weight(&f->leaf_covers, k) == cases[i].cover);
		score_model_free(open_with_less(bytes, size, &memory));
		assert_int_equal(memory.held, 0);
		score_model_free_bytes(model, bytes, size);
		score_model_free(model);
		sl_arena_free(&arena);
	}
}

/* Features that all have one dictionary of as many labels as one may have. */
static void labels_beyond_the_file(void **state)
{
	enum { FEATURES = 129, LABELS = 1 << 24 };
	const score_allocator standard = sl_allocator(NULL);
	uint32_t *starts = calloc((size_t)LABELS + 1, sizeof *starts);
	const forest_dictionary d = {.n_labels = LABELS, .starts = starts};
	forest_feature features[FEATURES];
	forest f = {.n_features = FEATURES, .features = features};
	slm_labels out;
	sl_arena arena;
	(void)state;
	assert_non_null(starts);
	for (size_t i = 0; i < FEATURES; i++)
		features[i] = (forest_feature){.dictionary = &d};
	sl_arena_init(&arena, &standard, 0);
	expect_error(slm_list_labels(&f, &arena, &out, &error), &error, SCORE_ERR_LIMIT, "the file format holds no 2164260864 labels");
	sl_arena_free(&arena);
	free(starts);
}

/* A size beyond what a limit can be computed from is refused by the first bytes. */
static void sizes_beyond_all_memory(void **state)
{
	static const char nonsense[64] = "this is no model";
	score_open_options o = SCORE_OPEN_OPTIONS_INIT;
	score_model *model = (score_model *)&error;
	(void)state;
	o.max_bytes = UINT64_MAX;
	assert_int_equal(score_model_open_memory(nonsense, SIZE_MAX, &o, &model, &error), SCORE_ERR_CORRUPT);
	assert_null(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(saving_and_opening),
		cmocka_unit_test(metadata_without_memory),
		cmocka_unit_test(covers),
		cmocka_unit_test(sums_of_covers),
		cmocka_unit_test(labels_beyond_the_file),
		cmocka_unit_test(sizes_beyond_all_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
