/*
 * Model files: what is written is read back field for field, and the same model gives the same bytes.
 */
#include "sample_forests.h"

#include "base/file.h"
#include "format/slm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "metered_memory.h"

typedef struct file {
	void *data;
	size_t size;
} file;

static sl_arena new_arena(void)
{
	const score_allocator standard = sl_allocator(NULL);
	sl_arena arena;
	sl_arena_init(&arena, &standard, 1u << 28);
	return arena;
}

static file write_file(const forest *f, const score_save_options *options)
{
	const score_allocator standard = sl_allocator(NULL);
	score_error error = { .code = SCORE_OK };
	file out;
	if (slm_write(f, options, &standard, &out.data, &out.size, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	return out;
}

static void free_file(file *f)
{
	const score_allocator standard = sl_allocator(NULL);
	slm_free_bytes(&standard, f->data, f->size);
}

static forest *read_file(const file *from, sl_arena *arena)
{
	score_error error = { .code = SCORE_OK };
	uint8_t hash[16];
	forest *f;
	if (slm_read(from->data, from->size, arena, &f, hash, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_memory_equal(hash, (const uint8_t *)from->data + from->size - 16, 16);
	return f;
}

/* ---- equality -------------------------------------------------------------------------------------- */

#define SAME(A, B, N) \
	do { \
		if ((N) > 0) \
			assert_memory_equal(A, B, (N) * sizeof *(A)); \
	} while (0)

#define SAME_NARROW(A, B, N) \
	do { \
		if ((N) == 0) \
			break; \
		assert_int_equal((A).bytes, (B).bytes); \
		assert_memory_equal((A).values, (B).values, (N) * (size_t)(A).bytes); \
	} while (0)

static void assert_same_contract(const forest *a, const forest *b)
{
	assert_int_equal(a->contract.struct_size, b->contract.struct_size);
	assert_int_equal(a->contract.n_features, b->contract.n_features);
	assert_int_equal(a->contract.n_outputs, b->contract.n_outputs);
	assert_int_equal(a->contract.trees_per_iteration, b->contract.trees_per_iteration);
	assert_int_equal(a->contract.compare, b->contract.compare);
	assert_int_equal(a->contract.sum, b->contract.sum);
	assert_int_equal(a->contract.base_position, b->contract.base_position);
	assert_int_equal(a->contract.average, b->contract.average);
	assert_int_equal(a->contract.category_rule, b->contract.category_rule);
	assert_memory_equal(&a->contract.scale, &b->contract.scale, sizeof(double));
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->link, b->link);
	assert_memory_equal(&a->link_parameter, &b->link_parameter, sizeof(double));
	assert_int_equal(a->n_predictions, b->n_predictions);
	assert_int_equal(a->linear_skip_missing, b->linear_skip_missing);
}

static void assert_same_counts(const forest *a, const forest *b)
{
	assert_int_equal(a->n_features, b->n_features);
	assert_int_equal(a->n_trees, b->n_trees);
	assert_int_equal(a->n_tests, b->n_tests);
	assert_int_equal(a->n_splits, b->n_splits);
	assert_int_equal(a->n_leaves, b->n_leaves);
	assert_int_equal(a->n_cuts, b->n_cuts);
	assert_int_equal(a->n_sets, b->n_sets);
	assert_int_equal(a->n_set_members, b->n_set_members);
	assert_int_equal(a->leaf_width, b->leaf_width);
	assert_int_equal(a->n_metadata, b->n_metadata);
	assert_int_equal(a->n_golden, b->n_golden);
	assert_int_equal(a->linear_first, b->linear_first);
}

static void assert_same_derived(const forest_derived *a, const forest_derived *b)
{
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->n_steps, b->n_steps);
	assert_int_equal(a->n_lists, b->n_lists);
	assert_int_equal(a->n_list_members, b->n_list_members);
	assert_int_equal(a->n_tables, b->n_tables);
	assert_int_equal(a->n_table_values, b->n_table_values);
	assert_int_equal(a->n_hash_tables, b->n_hash_tables);
	assert_int_equal(a->n_hashes, b->n_hashes);
	if (a->n == 0)
		return;
	SAME(a->programs, b->programs, a->n);
	SAME(a->steps, b->steps, a->n_steps);
	SAME(a->list_first, b->list_first, a->n_lists + 1);
	SAME(a->list_members, b->list_members, a->n_list_members);
	SAME(a->table_first, b->table_first, a->n_tables + 1);
	SAME(a->table_values, b->table_values, a->n_table_values);
	SAME(a->hash_first, b->hash_first, a->n_hash_tables + 1);
	SAME(a->hashes, b->hashes, a->n_hashes);
}

static void assert_same_dictionary(const forest_dictionary *a, const forest_dictionary *b)
{
	assert_int_equal(a == NULL, b == NULL);
	if (a == NULL)
		return;
	assert_int_equal(a->n_labels, b->n_labels);
	assert_int_equal(a->flags, b->flags);
	assert_memory_equal(&a->unknown, &b->unknown, sizeof a->unknown);
	SAME(a->starts, b->starts, a->n_labels + 1);
	SAME(a->text, b->text, a->starts[a->n_labels]);
	SAME(a->codes, b->codes, a->n_labels);
	SAME(a->by_hash, b->by_hash, a->n_labels);
}

static void assert_same_names(const forest *a, const forest *b)
{
	for (uint32_t i = 0; i < forest_columns(a); i++) {
		assert_string_equal(a->features[i].name, b->features[i].name);
		assert_int_equal(a->features[i].type, b->features[i].type);
		assert_int_equal(a->features[i].first_cut, b->features[i].first_cut);
		assert_int_equal(a->features[i].n_cuts, b->features[i].n_cuts);
		assert_same_dictionary(a->features[i].dictionary, b->features[i].dictionary);
	}
	for (uint32_t i = 0; i < a->n_metadata; i++) {
		assert_string_equal(a->metadata[i].key, b->metadata[i].key);
		assert_string_equal(a->metadata[i].value, b->metadata[i].value);
	}
}

static void assert_same_weights(const forest_weights *a, const forest_weights *b, size_t n)
{
	assert_int_equal(a->values == NULL, b->values == NULL);
	for (size_t i = 0; a->values != NULL && i < n; i++)
		assert_true(forest_weight(a, i) == forest_weight(b, i));
}

static void assert_same_forest(const forest *a, const forest *b)
{
	const size_t n_outputs = a->contract.n_outputs;
	assert_same_contract(a, b);
	assert_same_counts(a, b);
	assert_same_names(a, b);
	assert_same_derived(&a->derived, &b->derived);
	SAME_NARROW(a->cuts, b->cuts, a->n_cuts);
	for (uint32_t i = 0; i < a->n_tests; i++) {
		const forest_test x = forest_test_at(a, i), y = forest_test_at(b, i);
		assert_memory_equal(&x, &y, sizeof x);
	}
	if (a->n_sets > 0)
		SAME_NARROW(a->set_first, b->set_first, a->n_sets + 1);
	SAME_NARROW(a->set_members, b->set_members, a->n_set_members);
	SAME(a->trees, b->trees, a->n_trees);
	for (uint32_t i = 0; i < a->n_splits; i++) {
		assert_int_equal(forest_number(&a->split_test, i), forest_number(&b->split_test, i));
		assert_int_equal(forest_number(&a->left_leaves, i), forest_number(&b->left_leaves, i));
	}
	for (size_t i = 0; i < (size_t)a->n_leaves * a->leaf_width; i++)
		assert_int_equal(sl_f64_bits(forest_real(&a->leaves, i)), sl_f64_bits(forest_real(&b->leaves, i)));
	for (uint32_t i = 0; i < a->n_leaves; i++)
		assert_int_equal(forest_number(&a->leaf_ids, i), forest_number(&b->leaf_ids, i));
	assert_same_weights(&a->leaf_covers, &b->leaf_covers, a->n_leaves);
	assert_same_weights(&a->split_covers, &b->split_covers, a->n_splits);
	SAME(a->base, b->base, n_outputs);
	assert_int_equal(a->linear_weights == NULL, b->linear_weights == NULL);
	if (a->linear_weights != NULL)
		SAME(a->linear_weights, b->linear_weights, forest_linear_weights(a));
	assert_int_equal(a->linear_leaves.first_term == NULL, b->linear_leaves.first_term == NULL);
	if (a->linear_leaves.first_term != NULL) {
		assert_int_equal(a->linear_leaves.n_terms, b->linear_leaves.n_terms);
		SAME(a->linear_leaves.first_term, b->linear_leaves.first_term, a->n_leaves + 1);
		SAME(a->linear_leaves.constants, b->linear_leaves.constants, a->n_leaves);
		SAME(a->linear_leaves.features, b->linear_leaves.features, a->linear_leaves.n_terms);
		SAME(a->linear_leaves.coefficients, b->linear_leaves.coefficients, a->linear_leaves.n_terms);
	}
	SAME(a->golden_rows, b->golden_rows, (size_t)a->n_golden * a->n_features);
	SAME(a->golden_margins, b->golden_margins, a->n_golden * n_outputs);
}

/* ---- tests ----------------------------------------------------------------------------------------- */

static void every_sample_survives(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_samples; i++) {
		sl_arena made = new_arena();
		sl_arena read = new_arena();
		const forest *f = sample_make(samples + i, &made);
		assert_non_null(f);
		file first = write_file(f, NULL);
		const forest *g = read_file(&first, &read);
		assert_same_forest(f, g);
		file second = write_file(g, NULL);
		assert_int_equal(first.size, second.size);
		assert_memory_equal(first.data, second.data, first.size);
		free_file(&first);
		free_file(&second);
		sl_arena_free(&made);
		sl_arena_free(&read);
	}
}

static void samples_hold_what_they_promise(void **state)
{
	(void)state;
	sl_arena arena = new_arena();
	const forest *categories = sample_make(sample_find("lightgbm"), &arena);
	const forest *nan = sample_make(sample_find("nan-cuts"), &arena);
	const forest *chain = sample_make(sample_find("chain"), &arena);
	bool zero = false;
	bool has_nan = false;
	assert_true(categories->n_sets > 1);
	for (uint32_t i = 0; i < categories->n_tests; i++)
		zero |= forest_test_at(categories, i).zero_is_missing;
	for (uint32_t i = 0; i < nan->n_cuts; i++)
		has_nan |= isnan(forest_real(&nan->cuts, i));
	assert_true(zero);
	assert_true(has_nan);
	assert_int_equal(chain->trees[0].depth, 300);
	assert_true(sample_make(sample_find("sklearn"), &arena)->leaf_width == 3);
	const forest *derived = sample_make(sample_find("derived"), &arena);
	const forest *sum = sample_make(sample_find("derived-linear"), &arena);
	assert_true(derived->derived.n_lists > 1 && derived->derived.n_tables > 1 && derived->derived.n_hash_tables > 1);
	assert_true(forest_test_at(derived, derived->n_tests - 1).feature >= derived->n_features);
	assert_int_equal(sum->linear_first, 3);
	sl_arena_free(&arena);
}

/* ---- golden rows ----------------------------------------------------------------------------------- */

/* Of all values' bits, whatever the byte order. */
static uint64_t digest(const double *x, size_t n)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < n; i++)
		h = (h ^ (isnan(x[i]) ? UINT64_MAX : sl_f64_bits(x[i]))) * UINT64_C(1099511628211);
	return h;
}

/* The same model gives the same file for ever, and its self-test is part of it: what these rows are is a promise. */
static void golden_rows_stay_what_they_are(void **state)
{
	(void)state;
	static const struct {
		const char *sample;
		uint64_t rows;
	} promised[] = {
		{ "stump", 0xff74b4da3dec8302 },
		{ "tiny", 0xe7ad922398a2c2c5 },
		{ "one-set", 0x4541f78f9d40895f },
		{ "leaf-only", 0x70723fdbb8a2c2c5 },
		{ "xgboost", 0xd537922bb8a2c2c5 },
		{ "xgboost-categories", 0xc224243a47a2975d },
		{ "dictionaries", 0xbe4e11b787a2975d },
		{ "xgboost-classes", 0x0e9a530a18a2c2c5 },
		{ "lightgbm", 0x80cc9eda8f71dc53 },
		{ "lightgbm-forest", 0xe45eb81d6611659c },
		{ "sklearn", 0xb6ce763bd8a2c2c5 },
		{ "catboost", 0xc71d722fd8a2c2c5 },
		{ "odd-outputs", 0x0ebc28c4d8a2c2c5 },
		{ "nan-cuts", 0x57d90117e3525157 },
		{ "chain", 0xa08dd05a78a2c2c5 },
		{ "linear", 0xc13b84b8290b8965 },
		{ "gblinear", 0x70723fdbb8a2c2c5 },
		{ "covers", 0xc3e6d2db38a2c2c5 },
		{ "odd-covers", 0x3829b86b744661b8 },
		{ "derived", 0x71a8b4a213eccfc4 },
		{ "derived-linear", 0x88461a577b01bd1c },
		{ "linear-leaves", 0x97eaaf784bf09c8e },
	};
	int n_wrong = 0;
	assert_int_equal(sizeof promised / sizeof promised[0], n_samples);
	for (size_t i = 0; i < n_samples; i++) {
		sl_arena arena = new_arena();
		const forest *f = sample_make(sample_find(promised[i].sample), &arena);
		const uint64_t rows = digest(f->golden_rows, (size_t)f->n_golden * f->n_features);
		if (rows != promised[i].rows) {
			print_error("%s: 0x%016llx\n", promised[i].sample, (unsigned long long)rows);
			n_wrong++;
		}
		sl_arena_free(&arena);
	}
	assert_int_equal(n_wrong, 0);
}

static bool is_named(const forest *f, uint32_t feature, double category)
{
	for (uint32_t t = 0; t < f->n_tests; t++) {
		const forest_test test = forest_test_at(f, t);
		if (test.feature != feature || test.kind == FOREST_NUMERIC)
			continue;
		for (uint32_t i = forest_set_first(f, test.index); i < forest_set_first(f, test.index + 1); i++) {
			if ((double)forest_set_member(f, i) == category)
				return true;
		}
	}
	return false;
}

/* The first row is zero, the second missing, the third has categories that no set names; those behind have named ones, too. A model
 * that refuses missing values has none. */
static void golden_rows_are_where_models_differ(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_samples; i++) {
		sl_arena arena = new_arena();
		const forest *f = sample_make(samples + i, &arena);
		const bool is_plain = f->derived.n == 0, takes_missing = f->kind == SCORE_KIND_TREES || f->linear_skip_missing;
		uint32_t n_categories = 0, n_named = 0, n_missing = 0;
		for (uint32_t k = 0; k < f->n_features; k++) {
			const double *x = f->golden_rows + k;
			const bool is_category = f->features[k].type == SCORE_FEATURE_CATEGORY && is_plain;
			assert_true(x[0] == 0.0);
			assert_true(!is_plain || isnan(x[f->n_features]) == takes_missing);
			n_categories += is_category;
			assert_true(!is_category || !is_named(f, k, x[2 * (size_t)f->n_features]));
			for (uint32_t r = 3; r < f->n_golden; r++)
				n_named += is_category && is_named(f, k, x[(size_t)r * f->n_features]);
		}
		for (size_t k = 0; k < (size_t)f->n_golden * f->n_features; k++)
			n_missing += isnan(f->golden_rows[k]) != 0;
		assert_true(takes_missing || !is_plain ? n_missing > 0 : n_missing == 0);
		assert_true(n_categories == 0 || n_named > 0);
		sl_arena_free(&arena);
	}
}

/* ---- files ------------------------------------------------------------------------------------------ */

/* A model whose splits have just what its leaves have together, and say so: a file that says nothing of splits says the same. */
static void covers_that_add_up_are_not_written(void **state)
{
	(void)state;
	sl_arena arena = new_arena(), read = new_arena();
	const forest *f = sample_make(sample_find("covers"), &arena);
	forest told = *f;
	double *sums = sl_arena_alloc(&arena, f->n_splits, sizeof *sums);
	forest_children children;
	assert_null(f->split_covers.values);
	assert_true(forest_children_new(f, &arena.allocator, &children));
	for (uint32_t t = 0; t < f->n_trees; t++) {
		forest_list_children(f, f->trees + t, &children);
		forest_sum_covers(f, f->trees + t, &children, sums + f->trees[t].first_split);
	}
	forest_children_free(&arena.allocator, &children);
	told.split_covers = (forest_weights){ sums, sizeof *sums };
	file less = write_file(f, NULL), same = write_file(&told, NULL);
	assert_int_equal(same.size, less.size);
	assert_memory_equal(same.data, less.data, less.size);
	sums[f->n_splits - 1] += 1.0; /* one that differs */
	file more = write_file(&told, NULL);
	assert_true(more.size > less.size);
	assert_same_weights(&read_file(&more, &read)->split_covers, &told.split_covers, f->n_splits);
	free_file(&less);
	free_file(&same);
	free_file(&more);
	sl_arena_free(&arena);
	sl_arena_free(&read);
}

/* Leaf numbers that follow a rule take no room: this is what makes files small. */
static void rules_of_leaf_numbers_are_found(void **state)
{
	(void)state;
	const char *const names[] = { "xgboost", "sklearn", "catboost", "lightgbm" };
	const char *const rules[] = { "level-order", "preorder", "leaf-order", NULL };
	for (int i = 0; i < 4; i++) {
		sl_arena arena = new_arena();
		file out = write_file(sample_make(sample_find(names[i]), &arena), NULL);
		bool rule = false;
		bool ids = false;
		for (size_t k = 0; k + 20 < out.size; k++) {
			const char *at = (const char *)out.data + k;
			rule |= rules[i] != NULL && memcmp(at, rules[i], strlen(rules[i])) == 0;
			ids |= memcmp(at, "\xa8leaf_ids", 9) == 0;
		}
		assert_int_equal(rule, rules[i] != NULL);
		assert_int_equal(ids, rules[i] == NULL);
		free_file(&out);
		sl_arena_free(&arena);
	}
}

static file old_file(const char *name)
{
	const score_allocator standard = sl_allocator(NULL);
	const char *folder = getenv("SCORELINE_TEST_DATA");
	char path[1024];
	file old;
	assert_non_null(folder);
	assert_true(strlen(folder) < 900);
	strcpy(path, folder);
	strcat(path, name);
	assert_int_equal(sl_read_file(path, 0, &standard, &old.data, &old.size, NULL), SCORE_OK);
	return old;
}

/* Written by format version 1, kept forever. */
static void the_first_files_still_read(void **state)
{
	(void)state;
	const score_allocator standard = sl_allocator(NULL);
	const char *const names[] = { "/format/stump.slm", "/format/derived.slm" };
	for (int i = 0; i < 2; i++) {
		sl_arena arena = new_arena();
		file old = old_file(names[i]);
		const forest *f = read_file(&old, &arena);
		file again = write_file(f, NULL);
		if (i == 0) {
			assert_int_equal(f->n_splits, 1);
			assert_true(forest_number(&f->leaf_ids, 0) == 1 && forest_number(&f->leaf_ids, 1) == 2);
			assert_true(forest_real(&f->cuts, 0) == (double)-6.3670568f && forest_real(&f->leaves, 0) == (double)5.17604303f);
		} else {
			assert_int_equal(f->derived.n, 40);
		}
		double margin;
		for (uint32_t r = 0; r < f->n_golden; r++) {
			forest_margins(f, f->golden_rows + (size_t)r * f->n_features, 0, f->n_trees, &margin);
			assert_true(margin == f->golden_margins[r]);
		}
		assert_int_equal(again.size, old.size);
		assert_memory_equal(again.data, old.data, old.size);
		free_file(&again);
		sl_free(&standard, old.data, old.size, SL_CACHE_LINE);
		sl_arena_free(&arena);
	}
}

static void odd_floats_keep_their_bits(void **state)
{
	(void)state;
	sl_arena made = new_arena();
	sl_arena read = new_arena();
	forest *f = sample_make(sample_find("lightgbm"), &made);
	const uint64_t odd[] = { 0x7ff8000000000000, 0xfff8000000000000, 0x7ff0000000000001, 0x7ff8000020000000,
		0x7ff4000000000000, 0x8000000000000000, 0x36a0000000000000, 0x380fffffc0000000, 0x3800000000000000,
		0x47efffffe0000000, 0x7ff0000000000000, 0x0000000000000001, 0x3810000000000000, 0xb6a0000000000000,
		0x47f0000000000000, 0x3690000000000000 };
	double rows[16 * 5];
	for (int i = 0; i < 16; i++) {
		/* All alike, so that f32 is chosen exactly when this value is a float. */
		for (int k = 0; k < 5; k++)
			memcpy(rows + k, odd + i, sizeof odd[i]);
		const score_save_options options = { sizeof options, rows, f->golden_margins, 1, 0, NULL, NULL, 0, 0 };
		file out = write_file(f, &options);
		const forest *g = read_file(&out, &read);
		assert_int_equal(g->n_golden, 1);
		assert_memory_equal(g->golden_rows, rows, 5 * sizeof(double));
		free_file(&out);
	}
	sl_arena_free(&made);
	sl_arena_free(&read);
}

static const char *value_of(const forest *f, const char *key)
{
	for (uint32_t i = 0; i < f->n_metadata; i++) {
		if (strcmp(f->metadata[i].key, key) == 0)
			return f->metadata[i].value;
	}
	return NULL;
}

static void options_change_golden_rows_and_metadata(void **state)
{
	(void)state;
	sl_arena arena = new_arena();
	const forest *f = sample_make(sample_find("xgboost"), &arena);
	const double rows[10] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
	const double margins[2] = { 0.25, -1 };
	const char *const keys[] = { "owner", "aaa", "name", "zzz", "zzz", "nobody" };
	const char *const values[] = { NULL, "first", "new name", "x", "last", NULL };
	const score_save_options options = { sizeof options, rows, margins, 2, 6, keys, values, 0, 0 };
	file out = write_file(f, &options);
	const forest *g = read_file(&out, &arena);
	assert_int_equal(g->n_golden, 2);
	assert_memory_equal(g->golden_rows, rows, sizeof rows);
	assert_memory_equal(g->golden_margins, margins, sizeof margins);
	assert_int_equal(g->n_metadata, f->n_metadata + 1);
	assert_null(value_of(g, "owner"));
	assert_string_equal(value_of(g, "aaa"), "first");
	assert_string_equal(value_of(g, "name"), "new name");
	assert_string_equal(value_of(g, "zzz"), "last");
	assert_string_equal(value_of(g, "source.library"), "test");
	free_file(&out);
	sl_arena_free(&arena);
}

static void bad_options_are_refused(void **state)
{
	(void)state;
	const score_allocator standard = sl_allocator(NULL);
	sl_arena arena = new_arena();
	const forest *f = sample_make(sample_find("xgboost"), &arena);
	const double numbers[5] = { 0 };
	const char *const empty[] = { "" };
	const char *const value[] = { "x" };
	const score_save_options bad[] = {
		{ sizeof bad[0], numbers, NULL, 1, 0, NULL, NULL, 0, 0 },
		{ sizeof bad[0], NULL, numbers, 1, 0, NULL, NULL, 0, 0 },
		{ sizeof bad[0], NULL, NULL, 1, 0, NULL, NULL, 0, 0 },
		{ sizeof bad[0], NULL, NULL, 0, 1, empty, value, 0, 0 },
		{ sizeof bad[0], NULL, NULL, 0, 1, NULL, value, 0, 0 },
		{ sizeof bad[0], NULL, NULL, 0, 1, value, NULL, 0, 0 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		void *out = &arena;
		size_t size = 1;
		score_error error;
		assert_int_equal(slm_write(f, bad + i, &standard, &out, &size, &error), SCORE_ERR_ARGUMENT);
		assert_null(out);
		assert_int_equal(size, 0);
		assert_true(error.message[0] != '\0');
	}
	sl_arena_free(&arena);
}

/* A constant of the public headers that gets no word in slm_words.c would make models that cannot be saved. */
static void every_link_has_a_word(void **state)
{
	(void)state;
	const score_allocator standard = sl_allocator(NULL);
	sl_arena arena = new_arena();
	forest *f = sample_make(sample_find("xgboost"), &arena);
	score_error error;
	score_link link = 0;
	for (; link < FOREST_N_LINKS; link++) {
		if (forest_link_predictions(link, 1) == 0) {
			assert_true(link == SCORE_LINK_MEAN_VARIANCE || link == SCORE_LINK_MEAN_VARIANCE_CATBOOST || link == SCORE_LINK_PARTS); /* of two outputs; of parts */
			continue;
		}
		f->link = link;
		f->n_predictions = forest_link_predictions(link, 1);
		file out = write_file(f, NULL);
		assert_int_equal(read_file(&out, &arena)->link, link);
		free_file(&out);
	}
	f->link = link;
	file out;
	assert_int_equal(slm_write(f, NULL, &standard, &out.data, &out.size, &error), SCORE_ERR_UNSUPPORTED);
	assert_null(out.data);
	sl_arena_free(&arena);
}

static void too_much_text_is_refused(void **state)
{
	(void)state;
	const score_allocator standard = sl_allocator(NULL);
	const size_t n = (size_t)65 << 20;
	sl_arena arena = new_arena();
	char *text = sl_arena_alloc(&arena, n + 1, 1);
	const char *const key[] = { "essay" };
	const char *const value[] = { text };
	const score_save_options options = { sizeof options, NULL, NULL, 0, 1, key, value, 0, 0 };
	score_error error;
	void *out;
	size_t size;
	assert_non_null(text);
	memset(text, 'x', n);
	assert_int_equal(slm_write(sample_make(sample_find("tiny"), &arena), &options, &standard, &out, &size, &error),
		SCORE_ERR_LIMIT);
	assert_null(out);
	sl_arena_free(&arena);
}

/* ---- memory ------------------------------------------------------------------------------------------ */

static score_status write_and_read(const forest *f, metered_memory *m)
{
	const score_allocator metered = metered_allocator(m);
	score_error error = { .code = SCORE_OK };
	sl_arena arena;
	forest *g = NULL;
	uint8_t hash[16];
	file out;
	score_status status = slm_write(f, NULL, &metered, &out.data, &out.size, &error);
	if (status != SCORE_OK) {
		assert_null(out.data);
		assert_int_equal(error.code, status);
		return status;
	}
	sl_arena_init(&arena, &metered, 1u << 28);
	status = slm_read(out.data, out.size, &arena, &g, hash, &error);
	assert_int_equal(status == SCORE_OK, g != NULL);
	sl_arena_free(&arena);
	slm_free_bytes(&metered, out.data, out.size);
	return status;
}

static void every_failing_allocation_is_reported(void **state)
{
	(void)state;
	const char *const names[] = { "lightgbm", "linear", "xgboost" };
	for (int i = 0; i < 3; i++) {
		sl_arena arena = new_arena();
		const forest *f = sample_make(sample_find(names[i]), &arena);
		score_status status = SCORE_ERR_MEMORY;
		size_t n = 0;
		for (; status != SCORE_OK; n++) {
			metered_memory m = { n, 0, 0 };
			status = write_and_read(f, &m);
			assert_int_equal(m.held, 0);
			assert_true(status == SCORE_OK || status == SCORE_ERR_MEMORY);
			assert_true(n < 1000);
		}
		assert_true(n > 3);
		sl_arena_free(&arena);
	}
}

/* And a file that needs more is told apart from a host that has none. */
static void the_limit_of_the_arena_holds(void **state)
{
	(void)state;
	const score_allocator standard = sl_allocator(NULL);
	sl_arena made = new_arena();
	file out = write_file(sample_make(sample_find("lightgbm"), &made), NULL);
	score_status status = SCORE_ERR_LIMIT;
	for (size_t limit = 1; status != SCORE_OK; limit += 512) {
		score_error error = { .code = SCORE_OK };
		uint8_t hash[16];
		forest *g;
		sl_arena arena;
		sl_arena_init(&arena, &standard, limit);
		status = slm_read(out.data, out.size, &arena, &g, hash, &error);
		assert_true(status == SCORE_OK || (status == SCORE_ERR_LIMIT && error.code == status));
		assert_true(limit > 4096 || status != SCORE_OK);
		assert_true(limit < 1u << 20);
		sl_arena_free(&arena);
	}
	free_file(&out);
	sl_arena_free(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample_survives),
		cmocka_unit_test(samples_hold_what_they_promise),
		cmocka_unit_test(golden_rows_stay_what_they_are),
		cmocka_unit_test(golden_rows_are_where_models_differ),
		cmocka_unit_test(covers_that_add_up_are_not_written),
		cmocka_unit_test(rules_of_leaf_numbers_are_found),
		cmocka_unit_test(the_first_files_still_read),
		cmocka_unit_test(odd_floats_keep_their_bits),
		cmocka_unit_test(options_change_golden_rows_and_metadata),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(every_link_has_a_word),
		cmocka_unit_test(too_much_text_is_refused),
		cmocka_unit_test(every_failing_allocation_is_reported),
		cmocka_unit_test(the_limit_of_the_arena_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
