/*
 * From what a builder collected to a forest: sort cuts, sets and tests, so that equal models give equal forests whatever
 * the order of the calls, and renumber the splits.
 */
#include "builder.h"

#include <math.h>
#include <stdio.h>

typedef struct assembly {
	score_builder *b;
	sl_arena *arena;
	forest *f;
	raw_test *used;        /* tests that some split asks, in final order */
	uint32_t *set_number;  /* provisional → final */
	uint32_t *test_number; /* provisional → final */
	score_error *error;
} assembly;

static score_status out_of_memory(assembly *a)
{
	return forest_fail_memory(a->arena, (size_t)a->f->n_splits * sizeof(uint32_t), a->error);
}

/* ---- features and metadata ------------------------------------------------------------------------ */

static score_status add_features(assembly *a)
{
	const score_builder *b = a->b;
	uint32_t n = b->contract.n_features;
	forest_feature *features = sl_arena_alloc(a->arena, forest_builder_columns(b), sizeof *features);
	if (!features)
		return out_of_memory(a);
	for (uint32_t i = n; i < forest_builder_columns(b); i++)
		features[i].name = "";
	for (uint32_t i = 0; i < n; i++) {
		char number[16];
		const char *name = b->features[i].name;
		if (!name) {
			snprintf(number, sizeof number, "f%u", i);
			name = number;
		}
		features[i].name = sl_arena_string(a->arena, name, strlen(name));
		features[i].type = (uint32_t)b->features[i].type;
		if (!features[i].name)
			return out_of_memory(a);
		score_status status = SCORE_OK;
		if (b->features[i].dictionary)
			status = forest_make_dictionary(b->features[i].dictionary, i, a->arena, &features[i].dictionary, a->error);
		if (status != SCORE_OK)
			return status;
	}
	a->f->features = features;
	a->f->n_features = n;
	return SCORE_OK;
}

static int compare_keys(const void *x, const void *y)
{
	return strcmp(((const forest_metadata *)x)->key, ((const forest_metadata *)y)->key);
}

static score_status add_metadata(assembly *a)
{
	const forest_metadata *from = a->b->metadata.data;
	uint32_t n = (uint32_t)a->b->metadata.length;
	forest_metadata *to = sl_arena_alloc(a->arena, n, sizeof *to);
	if (!to)
		return out_of_memory(a);
	for (uint32_t i = 0; i < n; i++) {
		to[i].key = sl_arena_string(a->arena, from[i].key, strlen(from[i].key));
		to[i].value = sl_arena_string(a->arena, from[i].value, strlen(from[i].value));
		if (!to[i].key || !to[i].value)
			return out_of_memory(a);
	}
	if (n)
		sl_sort(to, n, sizeof *to, compare_keys);
	a->f->metadata = to;
	a->f->n_metadata = n;
	return SCORE_OK;
}

static score_status index_names(assembly *a)
{
	const char *twice;
	if (!forest_index_names(a->f, &a->b->allocator, &twice))
		return out_of_memory(a);
	return twice ? sl_fail(a->error, SCORE_ERR_ARGUMENT, "two features have the name '%s'", sl_quote(twice, strlen(twice)).text) :
		SCORE_OK;
}

/* ---- sets ------------------------------------------------------------------------------------------ */

typedef struct set_view {
	const uint32_t *members;
	uint32_t length;
	uint32_t provisional;
} set_view;

static int compare_sets(const void *x, const void *y)
{
	const set_view *a = x, *b = y;
	uint32_t n = a->length < b->length ? a->length : b->length;
	for (uint32_t i = 0; i < n; i++) {
		if (a->members[i] != b->members[i])
			return a->members[i] < b->members[i] ? -1 : 1;
	}
	return a->length < b->length ? -1 : a->length > b->length;
}

/* Sets of tests that no split asks (left over from a refused tree) are dropped. */
static uint32_t list_used_sets(const assembly *a, set_view *views)
{
	const raw_set *sets = a->b->sets.data;
	uint32_t n = 0;
	for (uint32_t t = 0; t < a->f->n_tests; t++) {
		if (a->used[t].kind != FOREST_NUMERIC)
			a->set_number[a->used[t].set] = 1;
	}
	for (uint32_t i = 0; i < a->b->sets.length; i++) {
		if (a->set_number[i])
			views[n++] = (set_view){sl_vector_at(&a->b->members, sets[i].first), sets[i].length, i};
	}
	return n;
}

static score_status copy_sets(assembly *a, const set_view *views, uint32_t n)
{
	size_t total = 0;
	for (uint32_t i = 0; i < n; i++)
		total += views[i].length;
	sl_arena scratch;
	sl_arena_init(&scratch, &a->b->allocator, 0);
	uint32_t *first = sl_arena_alloc(&scratch, (size_t)n + 1, sizeof *first);
	uint32_t *members = sl_arena_alloc(&scratch, total, sizeof *members);
	if (!first || !members) {
		sl_arena_free(&scratch);
		return out_of_memory(a);
	}
	for (uint32_t i = 0; i < n; i++) {
		first[i + 1] = first[i] + views[i].length;
		if (views[i].length)
			memcpy(members + first[i], views[i].members, views[i].length * sizeof *members);
		a->set_number[views[i].provisional] = i;
	}
	a->f->n_sets = n;
	a->f->n_set_members = (uint32_t)total;
	bool done = forest_narrow_numbers(first, (size_t)n + 1, a->arena, &a->f->set_first) &&
		forest_narrow_numbers(members, total, a->arena, &a->f->set_members);
	sl_arena_free(&scratch);
	return done ? SCORE_OK : out_of_memory(a);
}

static score_status add_sets(assembly *a)
{
	size_t n = a->b->sets.length;
	set_view *views = sl_alloc(&a->b->allocator, n * sizeof *views, 64);
	if (n && !views)
		return out_of_memory(a);
	uint32_t kept = n ? list_used_sets(a, views) : 0;
	if (kept)
		sl_sort(views, kept, sizeof *views, compare_sets);
	score_status status = copy_sets(a, views, kept);
	sl_free(&a->b->allocator, views, n * sizeof *views, 64);
	return status;
}

/* ---- tests and cuts -------------------------------------------------------------------------------- */

/* The number that a used test had among all interned ones rides along in `reserved` while sorting. */
static void remember(raw_test *t, uint32_t provisional)
{
	memcpy(t->reserved, &provisional, sizeof provisional);
}

static uint32_t remembered(const raw_test *t)
{
	uint32_t provisional;
	memcpy(&provisional, t->reserved, sizeof provisional);
	return provisional;
}

/* Ascending, NaN last. */
static int compare_cuts(double a, double b)
{
	if (a != a || b != b)
		return (a != a) - (b != b);
	return a < b ? -1 : a > b;
}

static int compare_tests(const void *x, const void *y)
{
	const raw_test *a = x, *b = y;
	if (a->feature != b->feature)
		return a->feature < b->feature ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	int cuts = compare_cuts(a->cut, b->cut);
	if (cuts)
		return cuts;
	if (a->set != b->set)
		return a->set < b->set ? -1 : 1;
	if (a->missing_right != b->missing_right)
		return a->missing_right < b->missing_right ? -1 : 1;
	return (int)a->zero_is_missing - (int)b->zero_is_missing;
}

static score_status list_used_tests(assembly *a)
{
	const score_builder *b = a->b;
	const uint32_t *split_test = b->split_test.data;
	size_t n = b->tests.length;
	a->used = sl_alloc(&b->allocator, n * sizeof *a->used, 64);
	a->test_number = sl_alloc(&b->allocator, n * sizeof *a->test_number, 64);
	a->set_number = sl_alloc(&b->allocator, b->sets.length * sizeof *a->set_number, 64);
	if ((n && (!a->used || !a->test_number)) || (b->sets.length && !a->set_number))
		return out_of_memory(a);
	if (n)
		memset(a->test_number, 0, n * sizeof *a->test_number);
	if (b->sets.length)
		memset(a->set_number, 0, b->sets.length * sizeof *a->set_number);
	for (uint32_t i = 0; i < a->f->n_splits; i++)
		a->test_number[split_test[i]] = 1;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (!a->test_number[i])
			continue;
		a->used[kept] = ((const raw_test *)b->tests.data)[i];
		remember(&a->used[kept++], i);
	}
	a->f->n_tests = kept;
	return SCORE_OK;
}

static bool is_new_cut(const raw_test *tests, uint32_t i)
{
	return tests[i].kind == FOREST_NUMERIC && (i == 0 || tests[i - 1].kind != FOREST_NUMERIC ||
		tests[i - 1].feature != tests[i].feature || compare_cuts(tests[i - 1].cut, tests[i].cut) != 0);
}

static score_status add_cuts_and_tests(assembly *a)
{
	forest *f = a->f;
	forest_feature *features = (forest_feature *)(uintptr_t)f->features;
	for (uint32_t t = 0; t < f->n_tests; t++) {
		if (a->used[t].kind != FOREST_NUMERIC)
			a->used[t].set = a->set_number[a->used[t].set];
	}
	if (f->n_tests)
		sl_sort(a->used, f->n_tests, sizeof *a->used, compare_tests);
	uint32_t n_cuts = 0;
	for (uint32_t t = 0; t < f->n_tests; t++)
		n_cuts += is_new_cut(a->used, t);
	double *cuts = sl_alloc(&a->b->allocator, n_cuts * sizeof *cuts, 64);
	forest_test *tests = sl_alloc(&a->b->allocator, f->n_tests * sizeof *tests, 64);
	if ((n_cuts && !cuts) || (f->n_tests && !tests)) {
		sl_free(&a->b->allocator, cuts, n_cuts * sizeof *cuts, 64);
		sl_free(&a->b->allocator, tests, f->n_tests * sizeof *tests, 64);
		return out_of_memory(a);
	}
	uint32_t at = 0;
	for (uint32_t t = 0; t < f->n_tests; t++) {
		const raw_test *r = a->used + t;
		forest_feature *feature = features + r->feature;
		if (is_new_cut(a->used, t)) {
			if (feature->n_cuts++ == 0)
				feature->first_cut = at;
			cuts[at++] = r->cut;
		}
		tests[t] = forest_make_test(r->feature, r->kind == FOREST_NUMERIC ? feature->n_cuts - 1 : r->set, r->kind,
			r->missing_right, r->zero_is_missing);
		a->test_number[remembered(r)] = t;
	}
	for (uint32_t i = 0, next = 0; i < forest_columns(f); i++) {
		if (features[i].n_cuts == 0)
			features[i].first_cut = next;
		next = features[i].first_cut + features[i].n_cuts;
	}
	f->n_cuts = n_cuts;
	bool done = forest_narrow_reals(cuts, n_cuts, a->arena, &f->cuts) && forest_narrow_tests(tests, f->n_tests, a->arena, &f->tests);
	sl_free(&a->b->allocator, cuts, n_cuts * sizeof *cuts, 64);
	sl_free(&a->b->allocator, tests, f->n_tests * sizeof *tests, 64);
	return done ? SCORE_OK : out_of_memory(a);
}

/* ---- trees ------------------------------------------------------------------------------------------ */

/* Leaves on the left side of each split, and each tree's pairs of leaves. `leaves` is room for those below each split. */
static void count_left(forest_tree *trees, uint32_t n_trees, const int32_t *left, const int32_t *right, uint32_t *leaves,
	uint32_t *counts)
{
	for (uint32_t t = 0; t < n_trees; t++) {
		forest_tree *tree = trees + t;
		for (uint32_t s = tree->n_splits; s-- > 0;) {
			uint32_t at = tree->first_split + s;
			int32_t l = left[at], r = right[at];
			counts[at] = l < 0 ? 1 : leaves[tree->first_split + (uint32_t)l];
			leaves[at] = counts[at] + (r < 0 ? 1 : leaves[tree->first_split + (uint32_t)r]);
			tree->n_pairs += leaves[at] == 2;
		}
	}
}

static score_status add_splits(assembly *a, forest_tree *trees)
{
	const score_builder *b = a->b;
	forest *f = a->f;
	const uint32_t *test_of = b->split_test.data;
	const score_allocator *allocator = &a->arena->allocator;
	size_t bytes = 2 * ((size_t)f->n_splits + 1) * sizeof(uint32_t);
	uint32_t *numbers = sl_alloc(allocator, bytes, SL_CACHE_LINE);
	if (!numbers)
		return out_of_memory(a);
	for (uint32_t i = 0; i < f->n_splits; i++)
		numbers[i] = a->test_number[test_of[i]];
	bool done = forest_narrow_numbers(numbers, f->n_splits, a->arena, &f->split_test);
	count_left(trees, f->n_trees, b->left.data, b->right.data, numbers + f->n_splits, numbers);
	done = done && forest_narrow_numbers(numbers, f->n_splits, a->arena, &f->left_leaves);
	sl_free(allocator, numbers, bytes, SL_CACHE_LINE);
	return done ? SCORE_OK : out_of_memory(a);
}

static score_status add_trees(assembly *a)
{
	const score_builder *b = a->b;
	forest *f = a->f;
	forest_tree *trees = sl_arena_copy(a->arena, b->trees.data, f->n_trees, sizeof *trees);
	f->trees = trees;
	if (!trees || !forest_narrow_reals(b->leaves.data, b->leaves.length, a->arena, &f->leaves) ||
		!forest_narrow_numbers(b->leaf_ids.data, f->n_leaves, a->arena, &f->leaf_ids))
		return out_of_memory(a);
	return add_splits(a, trees);
}

/*
 * A split's cover is what its leaves have together; sources agree but for rounding. Then the sums stand for it, so that
 * files need not hold it.
 */
#define COVER_TOLERANCE 1e-6

static bool covers_add_up(const double *given, const double *sums, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		double larger = given[i] > sums[i] ? given[i] : sums[i];
		if (fabs(given[i] - sums[i]) > COVER_TOLERANCE * larger)
			return false;
	}
	return true;
}

static score_status add_covers(assembly *a)
{
	const score_builder *b = a->b;
	forest *f = a->f;
	if (b->lacks_covers || !f->n_splits)
		return SCORE_OK;
	const score_allocator *allocator = &a->arena->allocator;
	forest_children children;
	double *sums = sl_alloc(allocator, f->n_splits * sizeof *sums, SL_CACHE_LINE);
	bool done = forest_children_new(f, allocator, &children) && sums &&
		forest_narrow_weights(b->leaf_covers.data, f->n_leaves, a->arena, &f->leaf_covers);
	for (uint32_t t = 0; t < f->n_trees && done; t++) {
		forest_list_children(f, f->trees + t, &children);
		forest_sum_covers(f, f->trees + t, &children, sums + f->trees[t].first_split);
	}
	if (done && !covers_add_up(b->split_covers.data, sums, f->n_splits))
		done = forest_narrow_weights(b->split_covers.data, f->n_splits, a->arena, &f->split_covers);
	forest_children_free(allocator, &children);
	sl_free(allocator, sums, f->n_splits * sizeof *sums, SL_CACHE_LINE);
	return done ? SCORE_OK : out_of_memory(a);
}

static score_status add_linear_leaves(assembly *a)
{
	const score_builder *b = a->b;
	forest_linear_leaves *l = &a->f->linear_leaves;
	if (!b->has_linear_leaves)
		return SCORE_OK;
	l->n_terms = (uint32_t)b->coefficients.length;
	uint32_t *first = sl_arena_alloc(a->arena, (size_t)a->f->n_leaves + 1, sizeof *first);
	l->constants = sl_arena_copy(a->arena, b->constants.data, a->f->n_leaves, sizeof *l->constants);
	l->features = sl_arena_copy(a->arena, b->term_features.data, l->n_terms, sizeof *l->features);
	l->coefficients = sl_arena_copy(a->arena, b->coefficients.data, l->n_terms, sizeof *l->coefficients);
	if (!first || !l->constants || !l->features || !l->coefficients)
		return out_of_memory(a);
	memcpy(first + 1, b->term_ends.data, a->f->n_leaves * sizeof *first);
	l->first_term = first;
	return SCORE_OK;
}

static score_status add_numbers(assembly *a)
{
	const score_builder *b = a->b;
	forest *f = a->f;
	f->base = sl_arena_copy(a->arena, b->base, f->contract.n_outputs, sizeof *f->base);
	if (b->has_linear) {
		f->kind = SCORE_KIND_LINEAR;
		f->linear_skip_missing = b->linear_skip_missing;
		f->linear_first = b->linear_first;
		f->linear_weights = sl_arena_copy(a->arena, b->linear_weights, forest_linear_weights(f),
			sizeof *f->linear_weights);
	}
	return f->base && (!b->has_linear || f->linear_weights) ? SCORE_OK : out_of_memory(a);
}

static score_status add_parts(assembly *a)
{
	const score_builder *b = a->b;
	const score_part *from = b->parts.data;
	score_part *list = sl_arena_alloc(a->arena, b->parts.length, sizeof *list);
	score_status status = list ? SCORE_OK : out_of_memory(a);
	for (size_t i = 0; i < b->parts.length && status == SCORE_OK; i++)
		status = forest_copy_part(from + i, a->arena, list + i, a->error);
	if (status == SCORE_OK && b->parts.length)
		a->f->parts = (forest_parts){(uint32_t)b->parts.length, b->combine, b->total, list};
	return status;
}

static void describe(assembly *a)
{
	const score_builder *b = a->b;
	forest *f = a->f;
	f->contract = b->contract;
	f->contract.struct_size = sizeof f->contract;
	f->kind = SCORE_KIND_TREES;
	f->link = b->link;
	f->link_parameter = b->link_parameter;
	f->n_predictions = b->link == SCORE_LINK_PARTS ? b->n_predictions : forest_link_predictions(b->link, b->contract.n_outputs);
	f->n_trees = (uint32_t)b->trees.length;
	f->n_splits = (uint32_t)b->split_test.length;
	f->n_leaves = (uint32_t)b->leaf_ids.length;
	f->leaf_width = b->leaf_width ? b->leaf_width : 1;
}

static score_status assemble(assembly *a)
{
	score_status status;
	describe(a);
	if ((status = add_features(a)) != SCORE_OK || (status = add_metadata(a)) != SCORE_OK ||
		(status = index_names(a)) != SCORE_OK ||
		(status = forest_assemble_derived(a->b, a->arena, a->f, a->error)) != SCORE_OK ||
		(status = add_numbers(a)) != SCORE_OK || (status = add_parts(a)) != SCORE_OK || (status = list_used_tests(a)) != SCORE_OK ||
		(status = add_sets(a)) != SCORE_OK || (status = add_cuts_and_tests(a)) != SCORE_OK ||
		(status = add_trees(a)) != SCORE_OK || (status = add_covers(a)) != SCORE_OK ||
		(status = add_linear_leaves(a)) != SCORE_OK || (status = forest_check(a->f, a->error)) != SCORE_OK)
		return status;
	return forest_choose_golden(a->f, a->arena, a->error);
}

score_status forest_from_builder(score_builder *b, sl_arena *arena, forest **out, score_error *error)
{
	assembly a = {.b = b, .arena = arena, .error = error};
	*out = NULL;
	a.f = sl_arena_alloc(arena, 1, sizeof *a.f);
	if (!a.f)
		return forest_fail_memory(arena, sizeof *a.f, error);
	if (!b->has_linear && b->trees.length == 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the model is empty: add trees or linear weights");
	score_status status = assemble(&a);
	sl_free(&b->allocator, a.used, b->tests.length * sizeof *a.used, 64);
	sl_free(&b->allocator, a.test_number, b->tests.length * sizeof *a.test_number, 64);
	sl_free(&b->allocator, a.set_number, b->sets.length * sizeof *a.set_number, 64);
	if (status == SCORE_OK)
		*out = a.f;
	return status;
}
