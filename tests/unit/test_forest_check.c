/*
 * The gate behind every reader: one value of a valid forest is changed at a time, and forest_check() must name what is
 * wrong. File formats refuse much of this before; the gate must not rely on it.
 */
#include "sample_forests.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* The arrays belong to the arena of the test, which may write them. */
#define AT(ARRAY, INDEX, TYPE) (((TYPE *)(uintptr_t)(ARRAY))[INDEX])

typedef struct change {
	const char *sample;
	void (*make)(forest *f);
	const char *message; /* in the error */
} change;

/* Narrow weights hold no such value, so all become wide ones. */
static void set_cover(forest_weights *covers, size_t n, double first)
{
	static double wide[256];
	assert_true(n > 0 && n <= sizeof wide / sizeof *wide);
	for (size_t i = 0; i < n; i++)
		wide[i] = i ? forest_weight(covers, i) : first;
	*covers = (forest_weights){wide, sizeof *wide};
}

/* The first number; all become wide ones. */
static void set_number(forest_numbers *numbers, size_t n, uint32_t first)
{
	static uint32_t wide[4096];
	assert_true(n > 0 && n <= sizeof wide / sizeof *wide);
	for (size_t i = 0; i < n; i++)
		wide[i] = i ? forest_number(numbers, i) : first;
	*numbers = (forest_numbers){wide, sizeof *wide};
}

/* Leaf value `at`, likewise. */
static void set_leaf(forest *f, size_t at, double value)
{
	static double wide[4096];
	const size_t n = (size_t)f->n_leaves * f->leaf_width;
	assert_true(at < n && n <= sizeof wide / sizeof *wide);
	for (size_t i = 0; i < n; i++)
		wide[i] = i == at ? value : forest_real(&f->leaves, i);
	f->leaves = (forest_reals){wide, sizeof *wide};
}

/* In place; UINT32_MAX is the highest of their type. */
static void put_number(const forest_numbers *numbers, size_t at, uint32_t value)
{
	forest_put_number((void *)(uintptr_t)numbers->values, numbers->bytes, at, value);
}

/* Cut 0, likewise. */
static void set_cut(forest *f, double value)
{
	static double wide[4096];
	assert_true(f->n_cuts <= sizeof wide / sizeof *wide);
	for (size_t i = 0; i < f->n_cuts; i++)
		wide[i] = i ? forest_real(&f->cuts, i) : value;
	f->cuts = (forest_reals){wide, sizeof *wide};
}

/* Each changes one thing, named as the check names it. */
#define CHANGE(NAME, STATEMENT) \
	static void NAME(forest *f) \
	{ \
		STATEMENT; \
	}

CHANGE(no_features, f->n_features = 0)
CHANGE(other_features, f->contract.n_features++)
CHANGE(no_outputs, f->contract.n_outputs = 0)
CHANGE(no_trees_per_iteration, f->contract.trees_per_iteration = 0)
CHANGE(odd_compare, f->contract.compare = SCORE_I32)
CHANGE(odd_sum, f->contract.sum = SCORE_I32)
CHANGE(odd_position, f->contract.base_position = 2)
CHANGE(odd_average, f->contract.average = 9)
CHANGE(odd_rule, f->contract.category_rule = 9)
CHANGE(average_before_base, f->contract.average = SCORE_AVERAGE_MARGIN)
CHANGE(scale_with_base_first, f->contract.scale = 2.0)
CHANGE(scale_no_float, (f->contract.sum = SCORE_F32, f->contract.scale = 0.1))
CHANGE(odd_link, f->link = 99)
CHANGE(odd_predictions, f->n_predictions = 7)
CHANGE(no_predictions, f->n_predictions = 0)
CHANGE(wide_leaves, f->leaf_width = 5)
CHANGE(linear_with_trees, f->kind = SCORE_KIND_LINEAR)
CHANGE(odd_kind, f->kind = 9)
CHANGE(no_trees, f->n_trees = 0)
CHANGE(no_weights, f->linear_weights = NULL)
CHANGE(half_an_iteration, f->contract.trees_per_iteration = 7)
CHANGE(missing_leaf, f->n_leaves--)
CHANGE(too_many_splits, f->n_splits = UINT32_MAX)
CHANGE(base_no_float, AT(f->base, 0, double) = 0.1)
CHANGE(weight_no_float, AT(f->linear_weights, 0, double) = 0.1)
CHANGE(leaf_no_float, set_leaf(f, 1, 0.1))
CHANGE(lone_covers, f->leaf_covers.values = NULL)
CHANGE(endless_covers, set_cover(&f->leaf_covers, f->n_leaves, 1.7e308); AT(f->leaf_covers.values, 1, double) = 1.7e308)
CHANGE(negative_leaf_cover, set_cover(&f->leaf_covers, f->n_leaves, -1.0))
CHANGE(infinite_leaf_cover, set_cover(&f->leaf_covers, f->n_leaves, INFINITY))
CHANGE(negative_split_cover, set_cover(&f->split_covers, f->n_splits, -1.0))
CHANGE(infinite_split_cover, set_cover(&f->split_covers, f->n_splits, INFINITY))
CHANGE(terms_sum_in_float, f->contract.sum = SCORE_F32)
CHANGE(terms_compare_in_float, f->contract.compare = SCORE_F32)
CHANGE(linear_with_weights_and_trees, f->n_trees = 1)
CHANGE(terms_of_a_linear_model, f->linear_leaves.first_term = f->set_first.values)
CHANGE(terms_of_vectors, f->linear_leaves.first_term = (const uint32_t *)f->trees)
CHANGE(terms_start_late, AT(f->linear_leaves.first_term, 0, uint32_t) = 1)
CHANGE(terms_end_early, f->linear_leaves.n_terms--)
CHANGE(terms_overlap, AT(f->linear_leaves.first_term, 1, uint32_t) = UINT32_MAX)
CHANGE(term_of_no_column, AT(f->linear_leaves.features, 0, uint32_t) = 9999)
CHANGE(no_name, AT(f->features, 0, forest_feature).name = "")
CHANGE(null_name, AT(f->features, 0, forest_feature).name = NULL)
CHANGE(odd_type, AT(f->features, 0, forest_feature).type = 9)
CHANGE(named_column, AT(f->features, f->n_features, forest_feature).name = "x")
CHANGE(cuts_start_late, AT(f->features, 0, forest_feature).first_cut = 1)
CHANGE(too_many_cuts, AT(f->features, 0, forest_feature).n_cuts = UINT32_MAX)
CHANGE(cuts_left_over, f->n_cuts++)
CHANGE(cut_no_float, set_cut(f, 0.1))
CHANGE(cuts_equal, AT(f->cuts.values, 1, float) = AT(f->cuts.values, 0, float))
CHANGE(members_without_set, f->n_sets = 0)
CHANGE(sets_start_late, put_number(&f->set_first, 0, 1))
CHANGE(sets_end_early, f->n_set_members--)
CHANGE(sets_overlap, put_number(&f->set_first, 1, UINT32_MAX))
CHANGE(sets_descend, put_number(&f->set_first, 2, 0))
CHANGE(members_equal, put_number(&f->set_members, 1, forest_set_member(f, 0)))
CHANGE(test_of_no_column, AT(f->tests.rules, 0, forest_test).feature = 9999)
CHANGE(odd_test, AT(f->tests.rules, 0, forest_test).kind = 7)
CHANGE(odd_missing, AT(f->tests.rules, 0, forest_test).missing_right = 2)
CHANGE(odd_zero, AT(f->tests.rules, 0, forest_test).zero_is_missing = 2)
CHANGE(zero_of_a_set, AT(f->tests.rules, 0, forest_test).zero_is_missing = 1)
CHANGE(test_of_no_cut, AT(f->tests.narrow, 0, forest_short_test).index = 9999)
CHANGE(test_of_no_set, AT(f->tests.narrow, 0, forest_short_test).index = 9999)
CHANGE(tests_equal, AT(f->tests.narrow, 1, forest_short_test) = f->tests.narrow[0])
CHANGE(tests_descend, AT(f->tests.narrow, f->n_tests - 1, forest_short_test) = f->tests.narrow[0])
CHANGE(split_asks_nothing, set_number(&f->split_test, f->n_splits, 9999))
CHANGE(no_left_side, set_number(&f->left_leaves, f->n_splits, 0))
CHANGE(no_right_side, set_number(&f->left_leaves, f->n_splits, f->trees[0].n_splits + 1))
CHANGE(left_side_too_large, set_number(&f->left_leaves, f->n_splits, UINT32_MAX))
CHANGE(pairs_are_others, AT(f->trees, 0, forest_tree).n_pairs++)
CHANGE(depth_is_another, AT(f->trees, 0, forest_tree).depth++)
CHANGE(tree_starts_late, AT(f->trees, 0, forest_tree).first_split++)
CHANGE(leaves_start_late, AT(f->trees, 0, forest_tree).first_leaf++)
CHANGE(tree_too_long, AT(f->trees, 0, forest_tree).n_splits = UINT32_MAX)
CHANGE(tree_of_no_output, AT(f->trees, 0, forest_tree).output = 99)
CHANGE(vector_tree_of_an_output, AT(f->trees, 0, forest_tree).output = 1)
CHANGE(splits_left_over, (f->n_trees--, f->n_leaves--))
CHANGE(parts_of_another_link, f->parts.n = 1)
CHANGE(link_without_parts, f->link = SCORE_LINK_PARTS)
CHANGE(too_many_parts, (f->link = SCORE_LINK_PARTS, f->parts.n = 99))

CHANGE(sum_from_no_column, f->linear_first = 9999)
CHANGE(trees_sum_columns, f->linear_first = 1)
CHANGE(sum_without_columns, f->linear_first = 1)
CHANGE(columns_and_inputs, f->derived.n = 1u << 20)
CHANGE(more_steps_than_there_are, AT(f->derived.programs, 0, forest_program).n_steps = 256)
CHANGE(too_many_columns, f->derived.n = UINT32_MAX)
CHANGE(lists_without_members, f->derived.n_lists = 0)
CHANGE(lists_end_early, f->derived.n_list_members--)
CHANGE(lists_start_late, AT(f->derived.list_first, 0, uint32_t) = 1)
CHANGE(lists_overlap, AT(f->derived.list_first, 1, uint32_t) = UINT32_MAX)
CHANGE(empty_list, AT(f->derived.list_first, 1, uint32_t) = 0)
CHANGE(list_of_a_later_column, AT(f->derived.list_members, 0, uint32_t) = 9999)
CHANGE(tables_end_early, f->derived.n_table_values--)
CHANGE(hashes_end_early, f->derived.n_hashes--)
CHANGE(hashes_equal, AT(f->derived.hashes, 1, uint64_t) = f->derived.hashes[0])
CHANGE(odd_operation, AT(f->derived.steps, 0, forest_step).operation = 99)
CHANGE(odd_rounding, AT(f->derived.steps, 0, forest_step).is_f32 = 2)
CHANGE(odd_root, AT(f->derived.programs, 0, forest_program).root = 99)
CHANGE(odd_norm, AT(f->derived.programs, 0, forest_program).is_f32 = 2)
CHANGE(negative_least, AT(f->derived.programs, 0, forest_program).least = -1.0)
CHANGE(steps_start_late, AT(f->derived.programs, 0, forest_program).first_step = 1)
CHANGE(too_many_steps, AT(f->derived.programs, 0, forest_program).n_steps = 257)
CHANGE(steps_left_over, AT(f->derived.programs, f->derived.n - 1, forest_program).n_steps--)
CHANGE(value_of_no_input, AT(f->derived.programs, 0, forest_program).source = 9999)

static void terms_descend(forest *f)
{
	const uint32_t *first = f->linear_leaves.first_term;
	uint32_t i = 0;
	while (first[i] == 0)
		i++;
	AT(first, i + 1, uint32_t) = first[i] - 1;
}

/* Everything that the model sums is a float, and still linear leaves need doubles. */
static void terms_sum_floats(forest *f)
{
	f->contract.sum = SCORE_F32;
	for (uint32_t i = 0; i < f->contract.n_outputs; i++)
		AT(f->base, i, double) = 0.5;
	for (size_t i = 0; i < f->n_leaves; i++)
		set_leaf(f, i, 1.0);
}

static forest_step *lookup_of(forest *f, bool dense)
{
	for (uint32_t i = 0; i < f->derived.n_steps; i++) {
		forest_step *s = &AT(f->derived.steps, i, forest_step);
		if (s->operation == SCORE_STEP_LOOKUP && (s->keys == FOREST_DENSE) == dense)
			return s;
	}
	fail_msg("the sample has no such look-up");
	return NULL;
}

static forest_program *program_of(forest *f, bool hash)
{
	for (uint32_t i = 0; i < f->derived.n; i++) {
		forest_program *p = &AT(f->derived.programs, i, forest_program);
		if (hash ? p->root == SCORE_ROOT_HASH : p->root > SCORE_ROOT_HASH)
			return p;
	}
	fail_msg("the sample has no such column");
	return NULL;
}

CHANGE(values_of_no_table, lookup_of(f, true)->values = 9999)
CHANGE(keys_of_no_table, lookup_of(f, false)->keys = 9999)
CHANGE(key_is_nan, AT(f->derived.table_values, f->derived.table_first[lookup_of(f, false)->keys], double) = NAN)
CHANGE(hash_of_no_table, program_of(f, true)->hashes = 9999)
CHANGE(hash_of_no_list, program_of(f, true)->list = 9999)
CHANGE(norm_of_no_column, program_of(f, false)->source = 9999)

static const change changes[] = {
	{"tiny", no_features, "features and"},
	{"tiny", other_features, "features and"},
	{"tiny", no_outputs, "features and"},
	{"tiny", no_trees_per_iteration, "features and"},
	{"tiny", odd_compare, "numeric contract"},
	{"tiny", odd_sum, "numeric contract"},
	{"tiny", odd_position, "numeric contract"},
	{"tiny", odd_average, "numeric contract"},
	{"tiny", odd_rule, "numeric contract"},
	{"tiny", average_before_base, "numeric contract"},
	{"tiny", scale_with_base_first, "scale"},
	{"catboost", scale_no_float, "scale"},
	{"tiny", odd_link, "link 99"},
	{"tiny", odd_predictions, "7 predictions"},
	{"tiny", no_predictions, "0 predictions"},
	{"tiny", wide_leaves, "leaves have 5 values"},
	{"tiny", linear_with_trees, "either linear or has trees"},
	{"tiny", odd_kind, "either linear or has trees"},
	{"tiny", no_trees, "either linear or has trees"},
	{"gblinear", no_weights, "either linear or has trees"},
	{"xgboost", half_an_iteration, "no multiple of 7"},
	{"tiny", missing_leaf, "need 2 leaves, found 1"},
	{"tiny", too_many_splits, "leaves, found"},
	{"tiny", base_no_float, "base 0"},
	{"gblinear", weight_no_float, "weight 0"},
	{"tiny", leaf_no_float, "leaf value 1"},
	{"odd-covers", lone_covers, "only splits have covers"},
	{"covers", endless_covers, "covers of the leaves of tree 0"},
	{"covers", negative_leaf_cover, "cover of leaf 0"},
	{"covers", infinite_leaf_cover, "cover of leaf 0"},
	{"odd-covers", negative_split_cover, "cover of split 0"},
	{"odd-covers", infinite_split_cover, "cover of split 0"},
	{"gblinear", linear_with_weights_and_trees, "either linear or has trees"},
	{"gblinear", terms_of_a_linear_model, "linear leaves do not fit the numeric contract"},
	{"sklearn", terms_of_vectors, "linear leaves do not fit the numeric contract"},
	{"linear-leaves", terms_sum_floats, "linear leaves do not fit the numeric contract"},
	{"linear-leaves", terms_descend, "terms of leaf"},
	{"linear-leaves", terms_start_late, "cover their terms"},
	{"linear-leaves", terms_end_early, "cover their terms"},
	{"linear-leaves", terms_overlap, "terms of leaf"},
	{"linear-leaves", term_of_no_column, "term 0 is of feature 9999"},
	{"tiny", no_name, "feature 0 has no name"},
	{"tiny", null_name, "feature 0 has no name"},
	{"tiny", odd_type, "unknown type"},
	{"derived", named_column, "unknown type"},
	{"xgboost", cuts_start_late, "cuts of feature 0"},
	{"xgboost", too_many_cuts, "cuts of feature 0"},
	{"xgboost", cuts_left_over, "belong to no feature"},
	{"xgboost", cut_no_float, "cut 0 of feature 0"},
	{"xgboost", cuts_equal, "cut 1 of feature 0"},
	{"xgboost-categories", members_without_set, "belong to no set"},
	{"xgboost-categories", sets_start_late, "cover their members"},
	{"xgboost-categories", sets_end_early, "cover their members"},
	{"xgboost-categories", sets_overlap, "category set 0 is out of range"},
	{"xgboost-categories", sets_descend, "category set 1 is out of range"},
	{"dictionaries", test_of_no_column, "test 0 has a value out of range"},
	{"tiny", odd_test, "test 0 has a value out of range"},
	{"tiny", odd_missing, "test 0 has a value out of range"},
	{"tiny", odd_zero, "test 0 has a value out of range"},
	{"one-set", zero_of_a_set, "test 0 has a value out of range"},
	{"tiny", test_of_no_cut, "test 0 uses entry 9999 of"},
	{"one-set", test_of_no_set, "test 0 uses entry 9999 of"},
	{"xgboost", tests_equal, "test 1 is out of order"},
	{"xgboost", tests_descend, "out of order"},
	{"tiny", split_asks_nothing, "split 0 asks test 9999"},
	{"xgboost", no_left_side, "tree 0: split 0 has"},
	{"tiny", no_left_side, "and 0 of them on its left side"},
	{"tiny", no_right_side, "has 2 leaves, and 2 of them on its left side"},
	{"xgboost", left_side_too_large, "and 4294967295 of them"},
	{"tiny", pairs_are_others, "1 pairs of leaves, announced 1 and 2"},
	{"tiny", depth_is_another, "has depth 1 and 1 pairs of leaves, announced 2 and 1"},
	{"tiny", tree_starts_late, "tree 0 is out of range"},
	{"tiny", leaves_start_late, "tree 0 is out of range"},
	{"tiny", tree_too_long, "tree 0 is out of range"},
	{"tiny", tree_of_no_output, "tree 0 is out of range"},
	{"sklearn", vector_tree_of_an_output, "tree 0 is out of range"},
	{"xgboost", splits_left_over, "belong to no tree"},
	{"tiny", parts_of_another_link, "nothing combines"},
	{"tiny", link_without_parts, "cannot be combined"},
	{"tiny", too_many_parts, "99 parts"},
	{"derived-linear", sum_from_no_column, "a sum from column 9999"},
	{"derived", trees_sum_columns, "a sum from column 1"},
	{"derived", too_many_columns, "the limit is"},
	{"derived", columns_and_inputs, "1048576 derived columns, the limit is 1048576"},
	{"gblinear", sum_without_columns, "a sum from column 1"},
	{"derived", more_steps_than_there_are, "steps of derived column"},
	{"derived", lists_without_members, "lists of columns"},
	{"derived", lists_end_early, "lists of columns"},
	{"derived", lists_start_late, "lists of columns"},
	{"derived", lists_overlap, "lists of columns"},
	{"derived", empty_list, "takes list 0 of"},
	{"derived", list_of_a_later_column, "not plain or comes later"},
	{"derived", tables_end_early, "look-up tables"},
	{"derived", hashes_end_early, "tables of hashes"},
	{"derived", hashes_equal, "of hashes is not ascending"},
	{"derived", odd_operation, "step 0 has operation 99"},
	{"derived", odd_rounding, "step 0 has operation"},
	{"derived", odd_root, "unknown root"},
	{"derived", odd_norm, "unknown root"},
	{"derived", negative_least, "unknown root"},
	{"derived", steps_start_late, "steps of derived column 0"},
	{"derived", too_many_steps, "steps of derived column 0"},
	{"derived", value_of_no_input, "input 9999"},
	{"derived", values_of_no_table, "looks up table 9999"},
	{"derived", keys_of_no_table, "looks up table"},
	{"derived", key_is_nan, "is NaN or out of order"},
	{"derived", hash_of_no_table, "a table of hashes that is not there"},
	{"derived", hash_of_no_list, "takes list 9999"},
	{"derived", norm_of_no_column, "a column or a table of hashes that is not there"},
	{"derived", steps_left_over, "belong to no column"},
};

/* Wrong in one thing that another check reports, or that has no message of its own in every sample. */
static const change refused[] = {
	{"linear-leaves", terms_sum_in_float, NULL},
	{"linear-leaves", terms_compare_in_float, NULL},
	{"xgboost-categories", members_equal, NULL},
};

/* 1 if the gate does not say what was expected. */
static int check_change(const change *c, size_t number)
{
	const score_allocator standard = sl_allocator(NULL);
	sl_arena arena;
	score_error error;
	sl_arena_init(&arena, &standard, 0);
	forest *f = sample_make(sample_find(c->sample), &arena);
	assert_non_null(f);
	assert_int_equal(forest_check(f, &error), SCORE_OK);
	c->make(f);
	score_status status = forest_check(f, &error);
	assert_int_equal(forest_check(f, NULL), status);
	sl_arena_free(&arena);
	if ((status == SCORE_ERR_CORRUPT || status == SCORE_ERR_LIMIT) && error.code == status &&
		(!c->message || strstr(error.message, c->message)))
		return 0;
	print_error("change %zu of %s: %s (%s), expected \"%s\"\n", number, c->sample, score_status_name(status),
		status == SCORE_OK ? "" : error.message, c->message ? c->message : "an error");
	return 1;
}

static void names_what_is_wrong(void **state)
{
	int n_wrong = 0;
	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
		n_wrong += check_change(changes + i, i);
	assert_int_equal(n_wrong, 0);
}

static void refuses_what_does_not_fit(void **state)
{
	int n_wrong = 0;
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		n_wrong += check_change(refused + i, i);
	assert_int_equal(n_wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_what_is_wrong),
		cmocka_unit_test(refuses_what_does_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
