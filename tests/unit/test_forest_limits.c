/*
 * What a model may be at most: depth, terms, categories, tables, the work that a row may ask for, labels of one hash. Every limit is
 * named where it is met, and memory may run out anywhere.
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

#include <xxhash.h>

#include "expect_error.h"
#include "forest/builder.h"
#include "format/slm.h"
#include "metered_memory.h"
#include "sample_forests.h"

static score_error error;

static const score_node stump[] = {{.left = 1, .right = 2, .test = SCORE_TEST_LT, .value = 2.5}, {.value = 1.0}, {.value = 2.0}};

static score_tree tree_of(const score_node *nodes, size_t n)
{
	score_tree t = SCORE_TREE_INIT;
	t.nodes = nodes;
	t.n_nodes = n;
	return t;
}

static score_builder *builder_of(uint32_t n_features, uint64_t max_bytes)
{
	const score_contract c = SCORE_CONTRACT_INIT(n_features, 1);
	score_build_options o = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b = NULL;
	o.max_bytes = max_bytes;
	assert_int_equal(score_builder_new(&c, &o, &b, &error), SCORE_OK);
	return b;
}

static void limited(score_status status, const char *message)
{
	expect_error(status, &error, SCORE_ERR_LIMIT, message);
}

/* ---- trees --------------------------------------------------------------------------------------------------------- */

/* Nodes that are never read: the numbers alone are too large. */
static void numbers_of_nodes(void **state)
{
	score_builder *b = builder_of(1, 100000);
	score_tree t = tree_of(stump, 3);
	(void)state;
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	t.n_nodes = (size_t)INT32_MAX + 1;
	limited(score_builder_add_tree(b, &t, &error), "the model has more than 2147483647 nodes");
	t.n_nodes = INT32_MAX; /* and the stump's split */
	limited(score_builder_add_tree(b, &t, &error), "the model has more than 2147483647 nodes");
	t.n_nodes = 10000;
	limited(score_builder_add_tree(b, &t, &error), "the model needs more than 100000 bytes (max_bytes)");
	score_builder_free(b);
}

/* Nodes that all name the same long list of categories, or of terms, need more than the list. */
static void shared_elements(void **state)
{
	enum { MANY = 20000 };
	uint32_t *numbers = calloc(MANY, sizeof *numbers);
	double *coefficients = calloc(MANY, sizeof *coefficients);
	score_node nodes[] = {{.left = 1, .right = 2, .test = SCORE_TEST_IN_LEFT, .n_categories = MANY},
		{.left = 3, .right = 4, .test = SCORE_TEST_IN_LEFT, .n_categories = MANY - 1}, {.value = 1}, {.value = 2}, {.value = 3}};
	const score_linear_leaf leaves[] = {{0.0, 0, 0}, {0.0, 0, 0}, {1.0, 0, MANY}, {2.0, 0, MANY}, {3.0, 0, MANY - 1}};
	score_builder *b = builder_of(1, 4 * (MANY + MANY - 2));
	score_tree t = tree_of(nodes, 5);
	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		numbers[i] = i;
	t.categories = numbers;
	t.n_categories = MANY;
	limited(score_builder_add_tree(b, &t, &error), "the model's sets have more than 39998 categories (max_bytes)");
	nodes[1].n_categories--;
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	score_builder_free(b);
	memset(numbers, 0, MANY * sizeof *numbers);
	nodes[0].test = nodes[1].test = SCORE_TEST_LT;
	b = builder_of(1, 12 * (3 * MANY - 2));
	t.linear_leaves = leaves;
	t.term_features = numbers;
	t.term_coefficients = coefficients;
	t.n_terms = MANY;
	limited(score_builder_add_tree(b, &t, &error), "the model has more than 59998 terms (max_bytes)");
	score_builder_free(b);
	b = builder_of(1, 12 * (3 * MANY - 1));
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	score_builder_free(b);
	free(numbers);
	free(coefficients);
}

static void linear_leaves(void **state)
{
	static const score_linear_leaf beyond[] = {{0.0, 0, 0}, {1.0, 3, 0}, {2.0, 0, 2}}, before[] = {{0.0, 0, 0}, {1.0, 0, 0}, {2.0, 1, 2}};
	static const uint32_t features[] = {0, 0};
	static const double coefficients[] = {1.0, 2.0}, vectors[] = {1.0, 2.0};
	const char *need = "linear leaves need a contract that compares and sums in SCORE_F64, and no vectors";
	score_contract c = SCORE_CONTRACT_INIT(1, 1);
	score_tree t = tree_of(stump, 3);
	score_builder *b = builder_of(1, 0);
	(void)state;
	t.linear_leaves = beyond;
	t.term_features = features;
	t.term_coefficients = coefficients;
	t.n_terms = 2;
	expect_error(score_builder_add_tree(b, &t, &error), &error, SCORE_ERR_ARGUMENT, "leaf 1 has terms 3 to 3 of 2");
	t.linear_leaves = before;
	expect_error(score_builder_add_tree(b, &t, &error), &error, SCORE_ERR_ARGUMENT, "leaf 2 has terms 1 to 3 of 2");
	t.vectors = vectors;
	t.n_vectors = 2;
	expect_error(score_builder_add_tree(b, &t, &error), &error, SCORE_ERR_ARGUMENT, need);
	score_builder_free(b);
	t.vectors = NULL;
	for (int i = 0; i < 2; i++) {
		c.compare = i ? SCORE_F64 : SCORE_F32;
		c.sum = i ? SCORE_F32 : SCORE_F64;
		assert_int_equal(score_builder_new(&c, NULL, &b, &error), SCORE_OK);
		expect_error(score_builder_add_tree(b, &t, &error), &error, SCORE_ERR_ARGUMENT, need);
		score_builder_free(b);
	}
}

/* The file of one tree, written as if it were good: read as deep as it is, or refused. */
static void read_deep(const forest *f, uint32_t deep)
{
	const score_allocator standard = sl_allocator(NULL);
	forest *again = NULL;
	void *data = NULL;
	size_t size = 0;
	uint8_t hash[16];
	sl_arena arena;
	sl_arena_init(&arena, &standard, 0);
	assert_int_equal(slm_write(f, NULL, &standard, &data, &size, &error), SCORE_OK);
	const score_status status = slm_read(data, size, &arena, &again, hash, &error);
	if (deep > FOREST_MAX_DEPTH) {
		limited(status, "tree 0 is deeper than 4096 splits");
		assert_null(again);
	} else {
		assert_int_equal(status, SCORE_OK);
		assert_int_equal(again->trees[0].depth, deep);
	}
	slm_free_bytes(&standard, data, size);
	sl_arena_free(&arena);
}

/* A chain of splits as no builder makes it. */
static void depth(void **state)
{
	enum { DEEP = 4097 };
	const score_allocator standard = sl_allocator(NULL);
	static uint32_t split_test[DEEP], left_leaves[DEEP], leaf_ids[DEEP + 1];
	static double leaves[DEEP + 1];
	sl_arena arena;
	(void)state;
	sl_arena_init(&arena, &standard, 0);
	forest *f = sample_make(sample_find("tiny"), &arena);
	assert_non_null(f);
	for (uint32_t i = 0; i <= DEEP; i++)
		leaf_ids[i] = i;
	for (uint32_t deep = DEEP - 1; deep <= DEEP; deep++) {
		for (uint32_t i = 0; i < deep; i++)
			left_leaves[i] = deep - i;
		const forest_tree tree = {.n_splits = deep, .depth = deep, .n_pairs = 1};
		f->trees = &tree;
		f->n_trees = f->contract.trees_per_iteration = 1;
		f->n_splits = deep;
		f->n_leaves = deep + 1;
		f->split_test = (forest_numbers){split_test, sizeof *split_test};
		f->left_leaves = (forest_numbers){left_leaves, sizeof *left_leaves};
		f->leaves = (forest_reals){leaves, sizeof *leaves};
		f->leaf_ids = (forest_numbers){leaf_ids, sizeof *leaf_ids};
		f->leaf_covers.values = f->split_covers.values = NULL;
		read_deep(f, deep);
		if (deep < DEEP)
			assert_int_equal(forest_check(f, &error), SCORE_OK);
		else
			limited(forest_check(f, &error), "tree 0 is deeper than 4096 splits");
	}
	sl_arena_free(&arena);
}

/* ---- derived columns ----------------------------------------------------------------------------------------------- */

static score_column_program norm_of(const uint32_t *sources, size_t n)
{
	score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
	p.root = SCORE_ROOT_NORM_L1;
	p.sources = sources;
	p.n_sources = n;
	return p;
}

static void tables(void **state)
{
	enum { MOST = 80004 };
	static const double values[MOST / 8];
	static const uint32_t one[] = {0}, another[] = {1};
	score_step step = {.operation = SCORE_STEP_LOOKUP, .values = values, .n_keys = MOST / 8};
	score_column_program lookup = SCORE_COLUMN_PROGRAM_INIT, first = norm_of(one, 1), second = norm_of(another, 1);
	score_builder *b = builder_of(2, MOST);
	(void)state;
	lookup.steps = &step;
	lookup.n_steps = 1;
	assert_int_equal(score_builder_add_column(b, &lookup, NULL, &error), SCORE_OK);
	assert_int_equal(score_builder_add_column(b, &first, NULL, &error), SCORE_OK); /* the last four bytes, in a word of eight */
	limited(score_builder_add_column(b, &second, NULL, &error),
		"the tables of the derived columns need more than 80004 bytes (max_bytes)");
	score_builder_free(b);
	b = builder_of(2, UINT64_MAX);
	step.n_keys = (size_t)INT32_MAX; /* with 8 bytes each, more than all tables may have; they are not read */
	limited(score_builder_add_column(b, &lookup, NULL, &error),
		"the tables of the derived columns need more than 8589934588 bytes (max_bytes)");
	score_builder_free(b);
}

/* Maps of many small tables need more than the tables. */
static void many_tables(void **state)
{
	enum { COLUMNS = 58, STEPS = 256 };
	double values[STEPS];
	score_step steps[STEPS];
	score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
	score_builder *b = builder_of(1, 120000);
	score_tree t = tree_of(stump, 3);
	score_model *model = NULL;
	(void)state;
	p.steps = steps;
	p.n_steps = STEPS;
	for (size_t i = 0; i < COLUMNS; i++) {
		for (size_t k = 0; k < STEPS; k++) {
			values[k] = (double)(i * STEPS + k);
			steps[k] = (score_step){.operation = SCORE_STEP_LOOKUP, .values = values + k, .n_keys = 1};
		}
		assert_int_equal(score_builder_add_column(b, &p, NULL, &error), SCORE_OK);
	}
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_ERR_LIMIT);
	assert_non_null(strstr(error.message, "max_bytes"));
	assert_null(model);
	score_builder_free(b);
}

static void columns(void **state)
{
	score_builder *b = builder_of(1u << 20, 0);
	score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
	(void)state;
	limited(score_builder_add_column(b, &p, NULL, &error), "the model has more than 1048576 columns, derived ones included");
	score_builder_free(b);
}

/* A norm over a million columns of 256 steps each. */
static void work_of_norms(void **state)
{
	enum { SOURCES = 1 << 20 };
	uint32_t *sources = malloc(SOURCES * sizeof *sources), plain = 0;
	static score_step steps[256];
	score_builder *b = builder_of(1, 0);
	score_tree t = tree_of(stump, 3);
	score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
	score_model *model = NULL;
	(void)state;
	p.steps = steps;
	p.n_steps = 256;
	assert_int_equal(score_builder_add_column(b, &p, &plain, &error), SCORE_OK);
	for (size_t i = 0; i < SOURCES; i++)
		sources[i] = plain;
	p = norm_of(sources, SOURCES);
	assert_int_equal(score_builder_add_column(b, &p, NULL, &error), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	limited(score_builder_finish(b, &model, &error), "the norms and hashes of a row would take more than 268435456 steps");
	assert_null(model);
	score_builder_free(b);
	free(sources);
}

/* Columns that look large tables up in turn, so that each is checked again. */
static void keys_of_lookups(void **state)
{
	enum { KEYS = 1 << 20, STEPS = 257 };
	const score_allocator standard = sl_allocator(NULL);
	static const uint32_t first[] = {0, KEYS, 2 * KEYS};
	double *keys = malloc(2 * KEYS * sizeof *keys);
	forest_step steps[STEPS];
	sl_arena arena;
	(void)state;
	for (size_t i = 0; i < 2 * KEYS; i++)
		keys[i] = (double)i;
	for (uint32_t i = 0; i < STEPS; i++)
		steps[i] = (forest_step){.operation = SCORE_STEP_LOOKUP, .keys = i % 2, .values = i % 2};
	sl_arena_init(&arena, &standard, 0);
	forest *f = sample_make(sample_find("derived"), &arena);
	assert_non_null(f);
	f->derived.table_first = first;
	f->derived.table_values = keys;
	f->derived.n_table_values = 2 * KEYS;
	f->derived.n_tables = 2;
	f->derived.steps = steps;
	f->derived.n_steps = STEPS;
	limited(forest_check(f, &error), "the look-ups of the derived columns have too many keys");
	sl_arena_free(&arena);
	free(keys);
}

/* ---- labels -------------------------------------------------------------------------------------------------------- */

/* Halves of labels that swap without changing the hash of the whole: XXH3 multiplies them. */
static const char halves[3][2][17] = {
	{"\xe1\xb5\x96\x56\xf0\xbb\x9a\x9c\xe1\xb5\xb3\x38\x25\x32\x6e\x2b",
		"\x25\x4a\x5e\x2d\xf1\xb7\x88\x89\x25\x4a\x7b\x43\x24\x3e\x7c\x3e"},
	{"\x78\x46\xe0\xb8\x9b\xe7\x93\xb0\x78\x46\xe0\xb8\x9a\xea\x91\xbe",
		"\x20\x7b\x36\x2a\xec\x93\x93\x7c\x20\x7b\x36\x2a\xed\x9e\x91\x72"},
	{"\xcd\xba\x21\xd8\x9f\x51\x36\x65\xcd\xba\x21\xd0\xbe\x7a\x2b\x53",
		"\x61\x2e\xe8\x9d\x8a\x59\xdb\x97\x61\x2e\xe8\x95\xab\x72\xc6\xa1"},
};

static void labels_of_one_hash(void **state)
{
	static char texts[8][65];
	const char *labels[8];
	score_tree t = tree_of(stump, 3);
	score_model *model = NULL;
	(void)state;
	for (size_t i = 0; i < 8; i++) {
		memcpy(texts[i], halves[0][i & 1], 16);
		memset(texts[i] + 16, '-', 16);
		memcpy(texts[i] + 32, halves[1][i >> 1 & 1], 16);
		memcpy(texts[i] + 48, halves[2][i >> 2], 16);
		labels[i] = texts[i];
		assert_int_equal(strlen(texts[i]), 64);
		assert_true(XXH3_64bits(texts[i], 64) == XXH3_64bits(texts[0], 64));
	}
	score_builder *b = builder_of(1, 0);
	assert_int_equal(score_builder_set_feature(b, 0, "f", SCORE_FEATURE_CATEGORY, &error), SCORE_OK);
	limited(score_builder_set_dictionary(b, 0, labels, NULL, 8, -1.0, 0, &error), "too many labels of feature 0 have the same hash");
	assert_int_equal(score_builder_set_dictionary(b, 0, labels, NULL, 4, -1.0, 0, &error), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	for (size_t i = 0; i < 8; i++) {
		double code = 7.0;
		assert_int_equal(score_model_category_find(model, 0, labels[i], 64, &code), i < 4);
		assert_true(code == (i < 4 ? (double)i : -1.0));
	}
	score_model_free(model);
	score_builder_free(b);
}

static void numbers_of_labels(void **state)
{
	enum { LABELS = 2100 };
	const score_allocator standard = sl_allocator(NULL);
	const forest_dictionary *made = NULL, many = {.n_labels = (1u << 24) + 1};
	const char **labels = malloc(LABELS * sizeof *labels);
	char *text = malloc((1 << 20) + 1);
	sl_arena arena;
	(void)state;
	sl_arena_init(&arena, &standard, 0);
	limited(forest_make_dictionary(&many, 3, &arena, &made, &error),
		"the dictionary of feature 3 has 16777217 labels, the limit is 16777216");
	assert_null(made);
	sl_arena_free(&arena);
	memset(text, 'x', 1 << 20);
	text[1 << 20] = '\0';
	for (size_t i = 0; i < LABELS; i++)
		labels[i] = text;
	score_builder *b = builder_of(1, 0);
	limited(score_builder_set_dictionary(b, 0, labels, NULL, LABELS, -1.0, 0, &error), "the labels of feature 0 take more than 2 GiB");
	score_builder_free(b);
	free(labels);
	free(text);
}

/* ---- numbers as narrow as they can be ------------------------------------------------------------------------------- */

static void weights_keep_their_bits(void **state)
{
	static const struct {
		double values[2];
		uint32_t bytes;
	} cases[] = {{{0.0, 65535.0}, 2}, {{1.0, 65536.0}, 4}, {{0.5, 1.0}, 4}, {{-1.0, 1.0}, 4}, {{-0.0, 1.0}, 4}, {{0.1, 1.0}, 8},
		{{1.0, NAN}, 8}, {{1.0, 1e300}, 8}, {{1.0, INFINITY}, 4}};
	const score_allocator standard = sl_allocator(NULL);
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		forest_weights out;
		sl_arena arena;
		sl_arena_init(&arena, &standard, 0);
		assert_true(forest_narrow_weights(cases[i].values, 2, &arena, &out));
		assert_int_equal(out.bytes, cases[i].bytes);
		for (size_t k = 0; k < 2; k++)
			assert_int_equal(sl_f64_bits(forest_weight(&out, k)), sl_f64_bits(cases[i].values[k]));
		sl_arena_free(&arena);
	}
}

/* Leaf numbers of one, two and four bytes come back as they went in, through a file too. */
static void numbers_of_leaves(void **state)
{
	static const uint32_t most[] = {255, 65535, 65536, UINT32_MAX};
	const double rows[] = {1.0, 3.0};
	const score_input in = score_input_rows_f64(rows, 2, 1);
	score_options o = SCORE_OPTIONS_INIT;
	(void)state;
	o.output = SCORE_OUTPUT_LEAF;
	for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
		const score_node nodes[] = {stump[0], {.value = 1.0, .leaf_id = 3}, {.value = 2.0, .leaf_id = most[i]}};
		score_tree t = tree_of(nodes, 3);
		score_builder *b = builder_of(1, 0);
		score_model *model = NULL, *again = NULL;
		void *bytes = NULL;
		size_t size = 0;
		double out[2];
		assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
		assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
		assert_int_equal(score_model_save_memory(model, NULL, &bytes, &size, &error), SCORE_OK);
		assert_int_equal(score_model_open_memory(bytes, size, NULL, &again, &error), SCORE_OK);
		assert_int_equal(score_batch(again, &in, out, 2, &o, &error), SCORE_OK);
		assert_true(out[0] == 3.0 && out[1] == (double)most[i]);
		score_model_free_bytes(model, bytes, size);
		score_model_free(again);
		score_model_free(model);
		score_builder_free(b);
	}
}

/* ---- golden rows --------------------------------------------------------------------------------------------------- */

static score_model *model_of_column(const score_contract *c, const score_column_program *p, double cut)
{
	const score_node nodes[] = {{.left = 1, .right = 2, .feature = 1, .test = SCORE_TEST_LT, .value = cut}, {.value = 1.0}, {.value = 2.0}};
	const score_tree t = tree_of(nodes, 3);
	score_builder *b = NULL;
	score_model *model = NULL;
	assert_int_equal(score_builder_new(c, NULL, &b, &error), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 0, "town", c->category_rule == SCORE_CATEGORY_HASH ? SCORE_FEATURE_CATEGORY
		: SCORE_FEATURE_NUMERIC, &error), SCORE_OK);
	assert_int_equal(score_builder_add_column(b, p, NULL, &error), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	score_builder_free(b);
	return model;
}

/* Rows that test a table of hashes have categories that are in it. */
static void golden_rows_know_hashes(void **state)
{
	static const uint64_t m = UINT64_C(0x4906ba494954cb65);
	static const uint32_t source[] = {0};
	const uint32_t rome = sl_category_hash("Rome", 4);
	const uint64_t hashes[] = {m * (m * (uint64_t)(int64_t)(int32_t)rome)};
	score_contract c = SCORE_CONTRACT_INIT(1, 1);
	score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
	const double *rows = NULL, *margins = NULL;
	(void)state;
	c.category_rule = SCORE_CATEGORY_HASH;
	p.root = SCORE_ROOT_HASH;
	p.sources = source;
	p.n_sources = 1;
	for (size_t n_hashes = 0; n_hashes < 2; n_hashes++) {
		p.hashes = hashes;
		p.n_hashes = n_hashes;
		score_model *model = model_of_column(&c, &p, 0.5); /* place 0 goes left, no place right */
		const uint32_t n = score_model_golden(model, &rows, &margins);
		uint32_t found = 0;
		for (uint32_t i = 0; i < n; i++) {
			const bool is_rome = rows[i] == rome + 0.5;
			assert_true(margins[i] == (is_rome && n_hashes ? 1.0 : 2.0));
			found += is_rome;
		}
		assert_int_equal(found > 0, n_hashes > 0);
		assert_int_equal(score_model_verify(model, SCORE_ISA_AUTO, NULL, &error), SCORE_OK);
		score_model_free(model);
	}
}

static uint64_t digest_of_golden(const score_model *model)
{
	const double *rows = NULL;
	const uint32_t n = score_model_golden(model, &rows, NULL);
	uint64_t h = UINT64_C(14695981039346656037);
	for (uint32_t i = 0; i < n; i++)
		h = (h ^ (isnan(rows[i]) ? UINT64_MAX : sl_f64_bits(rows[i]))) * UINT64_C(1099511628211);
	return h;
}

/* The same model gives the same file for ever: the rows that programs of columns ask for are a promise, too. */
static void golden_rows_of_columns_stay(void **state)
{
	static const double keys[] = {-2.0, 0.5, 7.0}, values[] = {3.0, 4.0, 0.25};
	static const uint64_t hashes[] = {77, UINT64_C(0x1234567890abcdef)};
	static const uint32_t source[] = {0};
	static const struct {
		score_step step;
		uint64_t rows;
	} promised[] = {
		{{.operation = SCORE_STEP_ADD, .a = 3.5}, 0x249f99ec1852254f},
		{{.operation = SCORE_STEP_SUBTRACT, .a = 3.5}, 0x50c799ec1852254f},
		{{.operation = SCORE_STEP_MULTIPLY, .a = -0.75}, 0x8e3fc308fc129124},
		{{.operation = SCORE_STEP_DIVIDE, .a = 3.0}, 0x9116ad73c1147b82},
		{{.operation = SCORE_STEP_CLIP, .a = -1.0, .b = 2.0}, 0xb3131513ec90130a},
		{{.operation = SCORE_STEP_REPLACE_MISSING, .a = 0.75}, 0xee4ead73c1147b82},
		{{.operation = SCORE_STEP_REPLACE, .a = 4.0, .b = 1.0}, 0xac3b1513ec90130a},
		{{.operation = SCORE_STEP_GREATER, .a = 6.0}, 0x2f1799ec1852254f},
		{{.operation = SCORE_STEP_EQUAL, .a = 6.0}, 0x89a399ec1852254f},
		{{.operation = SCORE_STEP_LOOKUP, .keys = keys, .values = values, .n_keys = 3}, 0xbe9399ec1852254f},
		{{.operation = SCORE_STEP_LOOKUP, .values = values, .n_keys = 3}, 0xb2cf99ec1852254f},
	};
	const uint64_t of_hash[2] = {0xa6dd551e94490df0, 0x56d09387e9290df0};
	score_contract c = SCORE_CONTRACT_INIT(1, 1);
	int n_wrong = 0;
	(void)state;
	for (size_t i = 0; i < sizeof promised / sizeof promised[0] + 2; i++) {
		const size_t n_steps = sizeof promised / sizeof promised[0];
		score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
		p.steps = i < n_steps ? &promised[i].step : NULL;
		p.n_steps = i < n_steps;
		if (i >= n_steps) {
			c.category_rule = i == n_steps ? SCORE_CATEGORY_HASH : SCORE_CATEGORY_TRUNCATE;
			p.root = SCORE_ROOT_HASH;
			p.sources = source;
			p.n_sources = 1;
			p.hashes = hashes;
			p.n_hashes = 2;
		}
		score_model *model = model_of_column(&c, &p, 0.5);
		const uint64_t rows = digest_of_golden(model);
		if (rows != (i < n_steps ? promised[i].rows : of_hash[i - n_steps])) {
			print_error("column %zu: 0x%016llx\n", i, (unsigned long long)rows);
			n_wrong++;
		}
		score_model_free(model);
	}
	assert_int_equal(n_wrong, 0);
}

/* What values categories are, by each rule; -1 is none. */
static void numbers_are_categories(void **state)
{
	static const double x[] = {0.0, -0.0, 1.5, -0.5, -1.0, -5.0, 2147483647.5, 2147483648.0, 3e9, 1e300, -1e300, INFINITY, NAN};
	static const int64_t truncated[] = {0, 0, 1, 0, -1, -1, 2147483647, -1, -1, -1, -1, -1, -1};
	static const int64_t not_negative[] = {0, 0, 1, -1, -1, -1, 2147483647, -1, -1, -1, -1, -1, -1};
	static const int64_t exact[] = {0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
	(void)state;
	for (size_t i = 0; i < sizeof x / sizeof x[0]; i++) {
		assert_true(forest_category(SCORE_CATEGORY_TRUNCATE, x[i]) == truncated[i]);
		assert_true(forest_category(SCORE_CATEGORY_NONNEGATIVE, x[i]) == not_negative[i]);
		assert_true(forest_category(SCORE_CATEGORY_EXACT, x[i]) == exact[i]);
	}
}

/* Steps that cannot be taken back leave finite rows. */
static void golden_rows_are_finite(void **state)
{
	static const score_step steps[] = {{.operation = SCORE_STEP_MULTIPLY, .a = 0.0}, {.operation = SCORE_STEP_DIVIDE, .a = 1e300},
		{.operation = SCORE_STEP_ADD, .a = -1e308}, {.operation = SCORE_STEP_SUBTRACT, .a = 1e308}};
	const score_contract c = SCORE_CONTRACT_INIT(1, 1);
	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
		const double *rows = NULL;
		p.steps = steps + i;
		p.n_steps = 1;
		score_model *model = model_of_column(&c, &p, 1.5e308);
		const uint32_t n = score_model_golden(model, &rows, NULL);
		for (uint32_t k = 0; k < n; k++)
			assert_true(isfinite(rows[k]) || isnan(rows[k]));
		assert_int_equal(score_model_verify(model, SCORE_ISA_AUTO, NULL, &error), SCORE_OK);
		score_model_free(model);
	}
}

/* ---- memory -------------------------------------------------------------------------------------------------------- */

/* A column of a column, a chain of many open splits, and linear leaves behind a tree without. */
static score_status build(const score_allocator *a, score_model **model)
{
	enum { DEEP = 40 };
	static const double keys[] = {1.0, 2.0}, values[] = {3.0, 4.0};
	static const char *const labels[] = {"a", "b"};
	static const score_step steps[] = {{.operation = SCORE_STEP_ADD, .a = 1.0},
		{.operation = SCORE_STEP_LOOKUP, .keys = keys, .values = values, .n_keys = 2}};
	static const uint32_t term[] = {0};
	static const double coefficient[] = {0.5};
	static score_linear_leaf leaves[2 * DEEP + 1];
	static score_node nodes[2 * DEEP + 1];
	const score_contract c = SCORE_CONTRACT_INIT(2, 1);
	score_build_options o = SCORE_BUILD_OPTIONS_INIT;
	score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
	score_tree plain, linear;
	score_builder *b = NULL;
	for (int32_t i = 0; i < DEEP; i++) {
		nodes[2 * i] = (score_node){.left = 2 * i + 2, .right = 2 * i + 1, .feature = 3, .test = SCORE_TEST_LT, .value = i};
		nodes[2 * i + 1] = (score_node){.value = i};
		leaves[2 * i + 1] = (score_linear_leaf){1.0, 0, 1};
	}
	plain = linear = tree_of(nodes, 2 * DEEP + 1);
	linear.linear_leaves = leaves;
	linear.term_features = term;
	linear.term_coefficients = coefficient;
	linear.n_terms = 1;
	o.allocator = a;
	p.steps = steps;
	p.n_steps = 2;
	score_status status = score_builder_new(&c, &o, &b, &error);
	if (status == SCORE_OK)
		status = score_builder_set_metadata(b, "key", "value", &error);
	if (status == SCORE_OK)
		status = score_builder_set_dictionary(b, 1, labels, NULL, 2, -1.0, 0, &error);
	if (status == SCORE_OK)
		status = score_builder_add_column(b, &p, &p.source, &error);
	if (status == SCORE_OK)
		status = score_builder_add_column(b, &p, NULL, &error);
	for (int i = 0; i < 12 && status == SCORE_OK; i++) { /* so many that the steps need more room just when they are copied */
		p.n_steps = (size_t)i % 2;
		status = score_builder_add_column(b, &p, NULL, &error);
	}
	if (status == SCORE_OK)
		status = score_builder_add_tree(b, &plain, &error);
	if (status == SCORE_OK)
		status = score_builder_add_tree(b, &linear, &error);
	if (status == SCORE_OK)
		status = score_builder_finish(b, model, &error);
	score_builder_free(b);
	return status;
}

static void memory_runs_out_anywhere(void **state)
{
	metered_memory memory = {.left = 0};
	const score_allocator metered = metered_allocator(&memory);
	score_status status = SCORE_ERR_MEMORY;
	score_model *model = NULL;
	(void)state;
	for (size_t n = 0; status != SCORE_OK; n++) {
		memory.left = n;
		status = build(&metered, &model);
		if (status != SCORE_OK) {
			assert_int_equal(status, SCORE_ERR_MEMORY);
			assert_int_equal(error.code, SCORE_ERR_MEMORY);
			assert_null(model);
			assert_int_equal(memory.held, 0);
		}
		assert_true(n < 1000);
	}
	score_model_free(model);
	assert_int_equal(memory.held, 0);
}

/* Labels so many that each of their arrays is an allocation of its own. */
static void memory_for_labels(void **state)
{
	enum { LABELS = 5000 };
	static char texts[LABELS][8];
	static const char *labels[LABELS];
	const score_contract c = SCORE_CONTRACT_INIT(1, 1);
	score_build_options o = SCORE_BUILD_OPTIONS_INIT;
	metered_memory memory = {.left = 0};
	const score_allocator metered = metered_allocator(&memory);
	score_status status = SCORE_ERR_MEMORY;
	size_t n = 0;
	(void)state;
	for (size_t i = 0; i < LABELS; i++) {
		snprintf(texts[i], sizeof texts[i], "%zu", i);
		labels[i] = texts[i];
	}
	o.allocator = &metered;
	for (; status != SCORE_OK; n++) {
		score_builder *b = NULL;
		memory.left = n;
		status = score_builder_new(&c, &o, &b, &error);
		if (status == SCORE_OK)
			status = score_builder_set_dictionary(b, 0, labels, NULL, LABELS, -1.0, 0, &error);
		assert_true(status == SCORE_OK || (status == SCORE_ERR_MEMORY && error.code == status));
		score_builder_free(b);
		assert_int_equal(memory.held, 0);
		assert_true(n < 100);
	}
	assert_true(n >= 8);
}

/* Whatever the limit, what does not fit is a limit: never memory, and never a model that is larger. */
static void limit_of_bytes_anywhere(void **state)
{
	score_tree t = tree_of(stump, 3);
	score_status status = SCORE_ERR_LIMIT;
	(void)state;
	for (uint64_t most = 600; status != SCORE_OK; most += 24) {
		const score_contract c = SCORE_CONTRACT_INIT(1, 1);
		score_build_options o = SCORE_BUILD_OPTIONS_INIT;
		score_builder *b = NULL;
		score_model *model = NULL;
		score_model_info info = {.struct_size = sizeof info};
		o.max_bytes = most;
		status = score_builder_new(&c, &o, &b, &error);
		for (int i = 0; i < 20 && status == SCORE_OK; i++)
			status = score_builder_add_tree(b, &t, &error);
		if (status == SCORE_OK)
			status = score_builder_finish(b, &model, &error);
		if (status == SCORE_OK) {
			assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
			assert_true(info.memory_bytes <= most);
		} else {
			assert_int_equal(status, SCORE_ERR_LIMIT);
			assert_non_null(strstr(error.message, "max_bytes"));
			assert_null(model);
		}
		score_model_free(model);
		score_builder_free(b);
		assert_true(most < 10000000);
	}
}

/* Thresholds, sets and tables that fall into one slot in one builder are spread out in the next: no file can be made of such. */
static void no_file_knows_its_slots(void **state)
{
	score_builder *b[2];
	(void)state;
	for (int i = 0; i < 2; i++) {
		b[i] = builder_of(1, 0);
		for (uint32_t k = 0; k < 64; k++) {
			const raw_test test = {.cut = k, .kind = 1};
			uint32_t members[] = {k, k + 100};
			assert_int_equal(forest_intern_test(b[i], &test), k);
			assert_int_equal(forest_intern_set(b[i], members, 2, 1000), k);
			assert_int_equal(forest_intern_table(b[i], RAW_LIST, members, 2), k);
		}
	}
	const raw_index *const mine[] = {&b[0]->test_index, &b[0]->set_index, &b[0]->table_index};
	const raw_index *const yours[] = {&b[1]->test_index, &b[1]->set_index, &b[1]->table_index};
	for (int k = 0; k < 3; k++) {
		assert_int_equal(mine[k]->n_slots, yours[k]->n_slots);
		assert_true(memcmp(mine[k]->slots, yours[k]->slots, mine[k]->n_slots * sizeof *mine[k]->slots) != 0);
	}
	score_builder_free(b[0]);
	score_builder_free(b[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_nodes),
		cmocka_unit_test(shared_elements),
		cmocka_unit_test(linear_leaves),
		cmocka_unit_test(depth),
		cmocka_unit_test(tables),
		cmocka_unit_test(many_tables),
		cmocka_unit_test(columns),
		cmocka_unit_test(work_of_norms),
		cmocka_unit_test(keys_of_lookups),
		cmocka_unit_test(labels_of_one_hash),
		cmocka_unit_test(numbers_of_labels),
		cmocka_unit_test(weights_keep_their_bits),
		cmocka_unit_test(numbers_of_leaves),
		cmocka_unit_test(golden_rows_know_hashes),
		cmocka_unit_test(golden_rows_are_finite), cmocka_unit_test(golden_rows_of_columns_stay),
		cmocka_unit_test(numbers_are_categories),
		cmocka_unit_test(memory_runs_out_anywhere),
		cmocka_unit_test(memory_for_labels),
		cmocka_unit_test(limit_of_bytes_anywhere),
		cmocka_unit_test(no_file_knows_its_slots),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
