/*
 * What opening a `.slm` file may cost: the most memory at once, and what the model keeps, as multiples of the file. SECURITY.md
 * states the bounds; bench/open_memory.c measures real models.
 */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "metered_memory.h"
#include "random_model.h"

/* What any model costs, however small. */
#define FIXED ((size_t)64 << 10)

/* What usual models take at most when they are opened with SCORE_OPEN_SMALL, and what very small ones take beside that. */
#define SMALL_FACTOR 3.0
#define SMALL_FIXED ((size_t)16 << 10)

/* Where coverage is measured, nearly each piece of a model has a block of its own, whose head takes a cache line: most pieces are those
 * of features. */
#if defined(SL_COVERAGE)
#define HEADS(n_features) ((double)(n_features) * 4 * 64)
#else
#define HEADS(n_features) 0.0
#endif

static void opened(const char *name, const char *path, score_isa isa, uint32_t flags, double most_factor, size_t fixed)
{
	metered_memory c = {SIZE_MAX, 0, 0};
	const score_allocator allocator = metered_allocator(&c);
	score_model_info info = {.struct_size = sizeof info};
	score_open_options o = SCORE_OPEN_OPTIONS_INIT;
	score_model *model = NULL;
	o.allocator = &allocator;
	o.isa = isa;
	o.flags = flags;
	assert_int_equal(score_model_open_file(path, &o, &model, NULL), SCORE_OK);
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	const double file_bytes = (double)info.file_bytes;
	printf("%s, %s%s%s: file %.0f bytes, at most %.2f of it, kept %.2f\n", name, score_isa_name(isa),
		flags & SCORE_OPEN_MMAP ? ", mapped" : "", flags & SCORE_OPEN_SMALL ? ", small" : "", file_bytes, (double)c.most / file_bytes, (double)c.held / file_bytes);
	assert_int_equal(c.held, info.memory_bytes); /* nothing of the opening stays beside the model */
	assert_true((double)c.most <= most_factor * file_bytes + (double)fixed + HEADS(info.n_features));
	/* Opening needs little beside what stays. */
	assert_true((double)c.most <= (double)c.held + 0.5 * file_bytes + (double)FIXED);
	score_model_free(model);
	assert_int_equal(c.held, 0);
}

/* Beside FIXED, by instruction set: what a model takes is the same on every machine, so that bounds are hardly above it. NEON's are
 * those of the one that takes most: it is not measured here. */
typedef struct most_factors {
	double portable, sse42, avx2, avx512, neon;
} most_factors;

static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512, SCORE_ISA_NEON};

static void save(const random_spec *spec, char *path)
{
	int file = mkstemp(path);
	score_model *model = random_model(spec);
	assert_true(file >= 0 && close(file) == 0);
	assert_int_equal(score_model_save_file(model, path, NULL, NULL), SCORE_OK);
	score_model_free(model);
}

static void saved_and_opened(const char *name, const random_spec *spec, most_factors most, most_factors small)
{
	const double factors[] = {most.portable, most.sse42, most.avx2, most.avx512, most.neon};
	const double small_factors[] = {small.portable, small.sse42, small.avx2, small.avx512, small.neon};
	char path[] = "/tmp/scoreline-memory-XXXXXX";
	save(spec, path);
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		opened(name, path, isas[i], 0, factors[i], FIXED);
		opened(name, path, isas[i], SCORE_OPEN_MMAP, factors[i], FIXED);
		opened(name, path, isas[i], SCORE_OPEN_SMALL, small_factors[i], FIXED);
		opened(name, path, isas[i], SCORE_OPEN_SMALL | SCORE_OPEN_MMAP, small_factors[i], FIXED);
	}
	assert_int_equal(unlink(path), 0);
}

/* A sum of so many features: of a file of few numbers, most is the header. */
static void save_linear(uint32_t n_features, char *path)
{
	const score_contract contract = SCORE_CONTRACT_INIT(n_features, 1);
	double *weights = malloc(n_features * sizeof *weights);
	score_builder *builder;
	score_model *model;
	int file = mkstemp(path);
	for (uint32_t i = 0; i < n_features; i++)
		weights[i] = 1.0 / (i + 3.0);
	assert_true(file >= 0 && close(file) == 0);
	assert_int_equal(score_builder_new(&contract, NULL, &builder, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_linear(builder, weights, 0, NULL), SCORE_OK);
	assert_int_equal(score_builder_finish(builder, &model, NULL), SCORE_OK);
	assert_int_equal(score_model_save_file(model, path, NULL, NULL), SCORE_OK);
	score_model_free(model);
	score_builder_free(builder);
	free(weights);
}

/* On every instruction set, read and mapped. */
static void opened_everywhere(const char *name, const char *path, uint32_t flags, double most_factor, size_t fixed)
{
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		opened(name, path, isas[i], flags, most_factor, fixed);
		opened(name, path, isas[i], flags | SCORE_OPEN_MMAP, most_factor, fixed);
	}
}

/* Trees as boosting libraries make them: their cuts are not as many as here, but a fair part of the splits. */
static void small_ones_take_three_times_their_files(void **state)
{
	(void)state;
	const random_spec level_by_level = {.seed = 7, .n_features = 28, .n_outputs = 1, .n_trees = 1000, .max_leaves = 64,
		.cuts_per_feature = 200, .compare = SCORE_F32, .sum = SCORE_F32, .has_covers = 1};
	const random_spec leaf_by_leaf = {.seed = 8, .n_features = 28, .n_outputs = 1, .n_trees = 1000, .max_leaves = 31,
		.cuts_per_feature = 200, .leafwise = 1, .compare = SCORE_F64, .sum = SCORE_F64, .has_covers = 1};
	const random_spec oblivious = {.seed = 9, .n_features = 28, .n_outputs = 1, .n_trees = 500, .max_leaves = 64, .most_levels = 6,
		.all_levels = 1, .cuts_per_feature = 200, .compare = SCORE_F64, .sum = SCORE_F64};
	const random_spec many_cuts = {.seed = 1, .n_features = 28, .n_outputs = 1, .n_trees = 500, .max_leaves = 64, .cuts_per_feature = 300,
		.compare = SCORE_F32, .sum = SCORE_F32};
	const random_spec sets = {.seed = 7, .n_features = 28, .n_outputs = 1, .n_trees = 1000, .max_leaves = 64, .cuts_per_feature = 200,
		.category_features = 8, .compare = SCORE_F64, .sum = SCORE_F64, .has_covers = 1};
	/* As random forests have them. */
	const random_spec deep = {.seed = 11, .n_features = 28, .n_outputs = 1, .n_trees = 20, .max_leaves = 6000, .cuts_per_feature = 100,
		.leafwise = 1, .compare = SCORE_F32, .sum = SCORE_F32, .has_covers = 1};
	const random_spec few_trees = {.seed = 10, .n_features = 6, .n_outputs = 1, .n_trees = 8, .max_leaves = 12, .cuts_per_feature = 20,
		.compare = SCORE_F32, .sum = SCORE_F64};
	const struct {
		const char *name;
		const random_spec *spec;
		size_t fixed;
	} all[] = {{"level by level", &level_by_level, 0}, {"leaf by leaf", &leaf_by_leaf, 0}, {"oblivious", &oblivious, 0},
		{"300 cuts", &many_cuts, 0}, {"sets", &sets, 0}, {"deep, few cuts", &deep, 0}, {"few trees", &few_trees, SMALL_FIXED}};
	for (size_t m = 0; m < sizeof all / sizeof all[0]; m++) {
		char path[] = "/tmp/scoreline-memory-XXXXXX";
		save(all[m].spec, path);
		opened_everywhere(all[m].name, path, SCORE_OPEN_SMALL, SMALL_FACTOR, all[m].fixed);
		assert_int_equal(unlink(path), 0);
	}
}

static void large_trees_and_linear_models_take_three_times_their_files(void **state)
{
	(void)state;
	random_spec deep = {.seed = 3, .n_features = 28, .n_outputs = 1, .n_trees = 20, .max_leaves = 6000, .cuts_per_feature = 250,
		.compare = SCORE_F32, .sum = SCORE_F32};
	static const uint32_t leaves[] = {6000, 900};
	for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
		char path[] = "/tmp/scoreline-memory-XXXXXX";
		deep.max_leaves = leaves[i];
		deep.n_trees = 120000 / leaves[i];
		save(&deep, path);
		opened_everywhere(i ? "900 leaves" : "6,000 leaves", path, SCORE_OPEN_SMALL, SMALL_FACTOR, 0);
		assert_int_equal(unlink(path), 0);
	}
	char path[] = "/tmp/scoreline-memory-XXXXXX";
	save_linear(1000, path);
	opened_everywhere("linear, 1,000 features", path, 0, SMALL_FACTOR, 0);
	assert_int_equal(unlink(path), 0);
}

static void opening_costs_little(void **state)
{
	(void)state;
	const random_spec shallow = {.seed = 1, .n_features = 28, .n_outputs = 1, .n_trees = 500, .max_leaves = 64, .cuts_per_feature = 250,
		.compare = SCORE_F32, .sum = SCORE_F32};
	const random_spec leafy = {.seed = 2, .n_features = 28, .n_outputs = 1, .n_trees = 200, .max_leaves = 255, .cuts_per_feature = 250,
		.compare = SCORE_F64, .sum = SCORE_F64};
	const random_spec deep = {.seed = 3, .n_features = 28, .n_outputs = 1, .n_trees = 20, .max_leaves = 6000, .cuts_per_feature = 250,
		.compare = SCORE_F32, .sum = SCORE_F32};
	const random_spec linear_leaves = {.seed = 4, .n_features = 28, .n_outputs = 1, .n_trees = 100, .max_leaves = 60,
		.cuts_per_feature = 250, .compare = SCORE_F64, .sum = SCORE_F64, .linear_leaves = 1};
	const random_spec wide = {.seed = 6, .n_features = 2000, .n_outputs = 1, .n_trees = 500, .max_leaves = 64, .cuts_per_feature = 13,
		.compare = SCORE_F32, .sum = SCORE_F32};
	saved_and_opened("shallow", &shallow, (most_factors){3.97, 3.94, 3.94, 4.23, 4.3}, (most_factors){2.41, 2.41, 2.41, 2.41, 2.5});
	saved_and_opened("255 leaves", &leafy, (most_factors){3.43, 3.41, 3.41, 3.39, 3.5}, (most_factors){2.29, 2.29, 2.29, 2.29, 2.4});
	saved_and_opened("deep", &deep, (most_factors){3.59, 3.59, 2.82, 2.82, 3.6}, (most_factors){2.85, 2.85, 2.82, 2.82, 2.9});
	saved_and_opened("linear leaves", &linear_leaves, (most_factors){2.01, 2.01, 2.01, 2.79, 2.9}, (most_factors){1.97, 1.97, 1.97, 2.22, 2.3});
	saved_and_opened("2,000 features", &wide, (most_factors){4.92, 4.62, 4.62, 4.94, 5.0}, (most_factors){3.11, 3.11, 3.11, 3.33, 3.4});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening_costs_little),
		cmocka_unit_test(small_ones_take_three_times_their_files),
		cmocka_unit_test(large_trees_and_linear_models_take_three_times_their_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
