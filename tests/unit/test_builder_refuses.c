/* The builder's refusals: every call with one thing wrong says what, and leaves the builder as it was. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <scoreline/build.h>

#define N_FEATURES 3u

static score_error error;

/* `status` of a call that must fail with `code` and a message that holds `text`. */
static void refused(score_status status, score_status code, const char *text)
{
	if (status != code || error.code != code || !strstr(error.message, text))
		fail_msg("%s (%s), expected %s, \"%s\"", score_status_name(status), status == SCORE_OK ? "" : error.message,
			score_status_name(code), text);
}

static void wrong(score_status status, const char *text)
{
	refused(status, SCORE_ERR_ARGUMENT, text);
}

static score_builder *builder_of(score_dtype type)
{
	score_contract contract = SCORE_CONTRACT_INIT(N_FEATURES, 2);
	score_builder *b = NULL;
	contract.compare = contract.sum = type;
	assert_int_equal(score_builder_new(&contract, NULL, &b, &error), SCORE_OK);
	return b;
}

static const score_node stump[] = {
	{.left = 1, .right = 2, .feature = 1, .test = SCORE_TEST_LT, .value = 0.5},
	{.test = SCORE_TEST_LEAF, .value = 10.0},
	{.test = SCORE_TEST_LEAF, .value = 20.0},
};

static score_tree tree_of(const score_node *nodes, size_t n)
{
	score_tree t = SCORE_TREE_INIT;
	t.nodes = nodes;
	t.n_nodes = n;
	return t;
}

static void contracts(void **state)
{
	const score_contract good = SCORE_CONTRACT_INIT(N_FEATURES, 2);
	score_contract c = good;
	score_builder *b = (score_builder *)(uintptr_t)1;
	(void)state;
	wrong(score_builder_new(NULL, NULL, &b, &error), "contract and out must not be NULL");
	wrong(score_builder_new(&good, NULL, NULL, &error), "contract and out must not be NULL");
#define WRONG(FIELD, VALUE, TEXT) \
	c = good; \
	c.FIELD = VALUE; \
	wrong(score_builder_new(&c, NULL, &b, &error), TEXT); \
	assert_null(b)
	WRONG(struct_size, 3, "struct_size");
	WRONG(trees_per_iteration, 0, "trees_per_iteration is 0");
	WRONG(compare, SCORE_I32, "compare and sum");
	WRONG(sum, SCORE_I32, "compare and sum");
	WRONG(base_position, 2, "base_position 2");
	WRONG(average, -1, "average -1");
	WRONG(category_rule, 9, "category_rule 9");
	WRONG(scale, NAN, "scale");
	WRONG(average, SCORE_AVERAGE_SCALE + 1, "unknown average");
	WRONG(category_rule, -1, "category_rule -1");
#undef WRONG
	c = good;
	c.n_features = 0;
	refused(score_builder_new(&c, NULL, &b, &error), SCORE_ERR_LIMIT, "n_features is 0");
	c.n_features = (1u << 20) + 1;
	refused(score_builder_new(&c, NULL, &b, &error), SCORE_ERR_LIMIT, "n_features is 1048577, expected 1 to 1048576");
	c = good;
	c.n_outputs = 0;
	refused(score_builder_new(&c, NULL, &b, &error), SCORE_ERR_LIMIT, "n_outputs is 0");
	c.n_outputs = (1u << 16) + 1;
	refused(score_builder_new(&c, NULL, &b, &error), SCORE_ERR_LIMIT, "n_outputs is 65537, expected 1 to 65536");
	score_builder_free(NULL);
}

static void features(void **state)
{
	const char *labels[] = {"a", "b"}, *twice[] = {"a", "a"}, *null[] = {"a", NULL};
	const char *many[40];
	char *name = malloc(70000);
	score_builder *b = builder_of(SCORE_F64);
	(void)state;
	for (size_t i = 0; i < 40; i++)
		many[i] = "a";
	memset(name, 'x', 69999);
	name[69999] = '\0';
	wrong(score_builder_set_feature(NULL, 0, "x", SCORE_FEATURE_NUMERIC, &error), "builder is NULL");
	wrong(score_builder_set_feature(b, 9, "x", SCORE_FEATURE_NUMERIC, &error), "feature 9 does not exist");
	wrong(score_builder_set_feature(b, 0, "x", 9, &error), "unknown type 9");
	refused(score_builder_set_feature(b, 0, name, SCORE_FEATURE_NUMERIC, &error), SCORE_ERR_LIMIT, "69999 bytes");
	wrong(score_builder_set_dictionary(b, 9, labels, NULL, 2, NAN, 0, &error), "feature 9");
	wrong(score_builder_set_dictionary(NULL, 0, labels, NULL, 2, NAN, 0, &error), "builder is NULL");
	wrong(score_builder_set_dictionary(b, 0, NULL, NULL, 2, NAN, 0, &error), "NULL");
	wrong(score_builder_set_dictionary(b, 0, null, NULL, 2, NAN, 0, &error), "NULL");
	wrong(score_builder_set_dictionary(b, 0, twice, NULL, 2, NAN, 0, &error), "feature 0 has the label 'a' twice");
	wrong(score_builder_set_dictionary(b, 0, many, NULL, 40, NAN, 0, &error), "feature 0 has the label 'a' twice");
	refused(score_builder_set_dictionary(b, 0, labels, NULL, (size_t)INT32_MAX + 1, NAN, 0, &error), SCORE_ERR_LIMIT,
		"feature 0 has 2147483648 labels");
	assert_int_equal(score_builder_set_dictionary(b, 0, labels, NULL, 2, NAN, 0, &error), SCORE_OK);
	score_builder_free(b);
	free(name);
}

static void numbers(void **state)
{
	static char long_key[65538];
	const double two[] = {0.5, 0.1}, weights[] = {1, 2, 3, 4, 5, 0.1};
	score_builder *b = builder_of(SCORE_F32);
	(void)state;
	memset(long_key, 'k', sizeof long_key - 1);
	wrong(score_builder_set_base(NULL, two, 1, &error), "builder is NULL");
	wrong(score_builder_set_base(b, NULL, 2, &error), "the base has 0 values, expected 1 or 2");
	wrong(score_builder_set_base(b, two, 3, &error), "the base has 3 values, expected 1 or 2");
	wrong(score_builder_set_base(b, two, 2, &error), "base 1 is no float value");
	wrong(score_builder_set_link(NULL, SCORE_LINK_EXP, 0, &error), "builder is NULL");
	wrong(score_builder_set_link(b, 99, 0, &error), "99");
	wrong(score_builder_set_metadata(NULL, "k", "v", &error), "builder is NULL");
	wrong(score_builder_set_metadata(b, NULL, "v", &error), "key");
	wrong(score_builder_set_metadata(b, "", "v", &error), "key");
	wrong(score_builder_set_metadata(b, long_key, "v", &error), "a metadata key must have 1 to 65536 bytes");
	assert_int_equal(score_builder_set_metadata(b, "k", "v", &error), SCORE_OK);
	assert_int_equal(score_builder_set_metadata(b, "other", "v", &error), SCORE_OK);
	assert_int_equal(score_builder_set_metadata(b, "k", NULL, &error), SCORE_OK);
	assert_int_equal(score_builder_set_metadata(b, "k", NULL, &error), SCORE_OK);
	wrong(score_builder_set_linear(NULL, weights, 0, &error), "builder is NULL");
	wrong(score_builder_set_linear(b, NULL, 0, &error), "weights is NULL");
	wrong(score_builder_set_linear(b, weights, 0, &error), "weight 5 is no float value");
	wrong(score_builder_set_linear_columns(b, 9, &error), "9");
	wrong(score_builder_set_linear_columns(b, 1, &error), "a sum from column 1 on: the model has 3 columns, 0 of them derived");
	wrong(score_builder_set_linear_columns(NULL, 0, &error), "builder is NULL");
	/* A later value replaces an earlier one. */
	assert_int_equal(score_builder_set_metadata(b, "other", "w", &error), SCORE_OK);
	const score_tree t = tree_of(stump, 3);
	score_model *model = NULL;
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	assert_int_equal(score_model_metadata_count(model), 1);
	assert_string_equal(score_model_metadata_get(model, "other"), "w");
	score_model_free(model);
	wrong(score_builder_set_metadata(b, "k", "v", &error), "spent");
	wrong(score_builder_set_link(b, SCORE_LINK_EXP, 0, &error), "spent");
	wrong(score_builder_set_linear(b, weights, 0, &error), "spent");
	wrong(score_builder_set_linear_columns(b, 0, &error), "spent");
	wrong(score_builder_set_feature(b, 0, "x", SCORE_FEATURE_NUMERIC, &error), "spent");
	const score_column_program program = SCORE_COLUMN_PROGRAM_INIT;
	wrong(score_builder_add_column(b, &program, NULL, &error), "spent");
	score_builder_free(b);
}

static void linear_or_trees(void **state)
{
	static const double weights[6];
	score_tree t = tree_of(stump, 3);
	score_column_program program = SCORE_COLUMN_PROGRAM_INIT;
	score_builder *b = builder_of(SCORE_F64);
	score_model *model = NULL;
	(void)state;
	assert_int_equal(score_builder_set_linear(b, weights, 0, &error), SCORE_OK);
	wrong(score_builder_add_tree(b, &t, &error), "linear already");
	wrong(score_builder_set_linear_columns(b, 0, &error), "the weights are set already");
	wrong(score_builder_add_column(b, &program, NULL, &error), "the weights are set already");
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	score_model_free(model);
	model = (score_model *)(uintptr_t)1;
	wrong(score_builder_finish(b, &model, &error), "spent");
	assert_null(model);
	wrong(score_builder_set_base(b, weights, 1, &error), "spent");
	wrong(score_builder_add_tree(b, &t, &error), "spent");
	wrong(score_builder_finish(NULL, &model, &error), "NULL");
	score_builder_free(b);
	b = builder_of(SCORE_F64);
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	wrong(score_builder_set_linear(b, weights, 0, &error), "has trees already");
	score_builder_free(b);
}

static void trees(void **state)
{
	static const double vectors[4] = {1, 2, 3, 4};
	score_node nodes[3] = {{0}};
	score_tree t = tree_of(nodes, 3);
	score_builder *b = builder_of(SCORE_F32);
	(void)state;
	wrong(score_builder_add_tree(NULL, &t, &error), "builder and tree");
	wrong(score_builder_add_tree(b, NULL, &error), "builder and tree");
#define WRONG(STATEMENT, TEXT) \
	memcpy(nodes, stump, sizeof stump); \
	t = tree_of(nodes, 3); \
	STATEMENT; \
	wrong(score_builder_add_tree(b, &t, &error), TEXT)
	WRONG(t.output = 2, "output 2 of 2");
	WRONG(nodes[0].feature = 9, "9");
	WRONG(nodes[0].left = 7, "7");
	WRONG(nodes[0].left = -1, "-1");
	WRONG(nodes[0].left = 2, "node");
	WRONG(nodes[0].right = 7, "node 0 has child 7, expected 0 to 2");
	WRONG(nodes[0].left = 0, "node");
	WRONG(nodes[0].missing = 9, "node 0");
	WRONG(nodes[0].test = 9, "node 0");
	WRONG(nodes[0].value = 0.1, "float");
	WRONG(nodes[2].value = 0.1, "leaf 2 is no float value");
	WRONG((nodes[0].test = SCORE_TEST_IN_LEFT, nodes[0].n_categories = 3), "node 0");
	WRONG((nodes[0].test = SCORE_TEST_IN_LEFT, nodes[0].missing = SCORE_MISSING_ZERO), "SCORE_MISSING_ZERO");
	WRONG((t.vectors = vectors, t.n_vectors = 2, nodes[1].leaf_vector = 5), "vector 5 of 2");
	WRONG((nodes[0].test = SCORE_TEST_IN_LEFT, nodes[0].categories = 1), "node 0 names categories 1 to 1 of 0");
	WRONG((t.vectors = vectors, t.n_vectors = 2, t.output = 1), "the tree adds to output 1 of 2");
	WRONG(t.nodes = NULL, "node");
	WRONG(t.struct_size = 1, "struct_size");
	/* A tree that is refused leaves nothing behind: neither its set, nor its tests, nor the kind of its leaves. */
	static const score_node half_wrong[] = {
		{.left = 1, .right = 2, .feature = 0, .test = SCORE_TEST_IN_LEFT, .n_categories = 2},
		{.left = 3, .right = 9, .feature = 1, .test = SCORE_TEST_LT, .value = 0.25}, {0}, {0}, {0},
	};
	static const uint32_t categories[] = {3, 4};
	score_model *model = NULL;
	score_model_info info = {.struct_size = sizeof info};
	t = tree_of(half_wrong, 5);
	t.categories = categories;
	t.n_categories = 2;
	t.vectors = vectors;
	t.n_vectors = 2;
	wrong(score_builder_add_tree(b, &t, &error), "node 1 has child 9");
	memcpy(nodes, stump, sizeof stump);
	t = tree_of(nodes, 3);
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	WRONG((t.vectors = vectors, t.n_vectors = 2), "scalar and vector trees cannot be mixed");
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	assert_true(info.n_categories == 0 && info.n_tests == 1 && info.n_splits == 2);
	score_model_free(model);
#undef WRONG
	score_builder_free(b);
}

/* Names that come twice are found wherever they stand. */
static void names_that_come_twice(void **state)
{
	static const char *const names[][3] = {{"a", "a", "b"}, {"b", "a", "b"}, {"f1", NULL, "b"}};
	static const char *const messages[] = {"two features have the name 'a'", "two features have the name 'b'",
		"two features have the name 'f1'"};
	const score_tree t = tree_of(stump, 3);
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		score_builder *b = builder_of(SCORE_F64);
		score_model *model = (score_model *)(uintptr_t)1;
		for (uint32_t k = 0; k < 3; k++)
			assert_int_equal(score_builder_set_feature(b, k, names[i][k], SCORE_FEATURE_NUMERIC, &error), SCORE_OK);
		assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
		wrong(score_builder_finish(b, &model, &error), messages[i]);
		assert_null(model);
		score_builder_free(b);
	}
}

static void limits(void **state)
{
	static const score_node deep[] = {
		{.left = 1, .right = 2, .test = SCORE_TEST_LT}, {.left = 3, .right = 4, .test = SCORE_TEST_LT}, {0}, {0}, {0},
	};
	score_contract contract = SCORE_CONTRACT_INIT(N_FEATURES, 1);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	score_tree small = tree_of(stump, 3), large = tree_of(deep, 5);
	score_builder *b = NULL;
	(void)state;
	/* More than the library's own depth is not more. */
	options.max_depth = UINT32_MAX;
	assert_int_equal(score_builder_new(&contract, &options, &b, &error), SCORE_OK);
	score_node *chain = calloc(2 * 4097 + 1, sizeof *chain);
	for (int32_t i = 0; i < 4097; i++)
		chain[2 * i] = (score_node){.left = 2 * i + 1, .right = 2 * i + 2, .test = SCORE_TEST_LT};
	const score_tree deepest = tree_of(chain, 2 * 4097 + 1);
	refused(score_builder_add_tree(b, &deepest, &error), SCORE_ERR_LIMIT, "the tree is deeper than 4096 splits (max_depth)");
	score_builder_free(b);
	free(chain);
	options.max_trees = options.max_depth = 1;
	assert_int_equal(score_builder_new(&contract, &options, &b, &error), SCORE_OK);
	refused(score_builder_add_tree(b, &large, &error), SCORE_ERR_LIMIT, "deeper than 1");
	assert_int_equal(score_builder_add_tree(b, &small, &error), SCORE_OK);
	refused(score_builder_add_tree(b, &small, &error), SCORE_ERR_LIMIT, "more than 1 trees");
	score_builder_free(b);
	options = (score_build_options)SCORE_BUILD_OPTIONS_INIT;
	options.max_bytes = 200000;
	score_status status = score_builder_new(&contract, &options, &b, &error);
	for (int i = 0; i < 10000 && status == SCORE_OK; i++)
		status = score_builder_add_tree(b, &small, &error);
	refused(status, SCORE_ERR_LIMIT, "max_bytes");
	score_builder_free(b);
}

static void *refuse_memory(void *context, size_t size, size_t align)
{
	size_t *left = context;
	if (size > *left)
		return NULL;
	*left -= size;
	return aligned_alloc(align, (size + align - 1) / align * align);
}

static void free_memory(void *context, void *pointer, size_t size, size_t align)
{
	(void)context;
	(void)size;
	(void)align;
	free(pointer);
}

/* What max_bytes forbids is SCORE_ERR_LIMIT, in every call; what the allocator refuses stays SCORE_ERR_MEMORY. */
static void tells_limit_from_memory(void **state)
{
	static char text[300000];
	size_t left = 4096;
	const score_allocator poor = {refuse_memory, free_memory, &left};
	const char *const labels[] = {text};
	const score_tree small = tree_of(stump, 3);
	score_contract contract = SCORE_CONTRACT_INIT(N_FEATURES, 1);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b = NULL;
	score_model *model = NULL;
	(void)state;
	memset(text, 'x', sizeof text - 1);
	options.max_bytes = 1;
	refused(score_builder_new(&contract, &options, &b, &error), SCORE_ERR_LIMIT, "more than 1 bytes (max_bytes");
	assert_null(b);
	options.max_bytes = 200000;
	assert_int_equal(score_builder_new(&contract, &options, &b, &error), SCORE_OK);
	refused(score_builder_set_metadata(b, "key", text, &error), SCORE_ERR_LIMIT, "max_bytes");
	refused(score_builder_set_dictionary(b, 0, labels, NULL, 1, 0.0, 0, &error), SCORE_ERR_LIMIT, "max_bytes");
	/* What fits the builder need not fit the model, which has more to hold. */
	for (int i = 0; i < 5000; i++)
		assert_int_equal(score_builder_add_tree(b, &small, &error), SCORE_OK);
	refused(score_builder_finish(b, &model, &error), SCORE_ERR_LIMIT, "max_bytes");
	assert_null(model);
	score_builder_free(b);
	options.max_bytes = 0;
	options.allocator = &poor;
	contract.n_features = 10000;
	refused(score_builder_new(&contract, &options, &b, &error), SCORE_ERR_MEMORY, "the allocator refused");
	assert_null(b);
}

static void columns(void **state)
{
	static const uint32_t inputs[] = {0, 1}, none[] = {9};
	static const uint64_t hashes[] = {5, 5};
	static const double keys[] = {2, 1}, nan_key[] = {NAN};
	score_builder *b = builder_of(SCORE_F64);
	score_column_program p;
	score_step s;
	uint32_t plain = 0, norm = 0;
	(void)state;
#define COLUMN(ROOT, STATEMENT) \
	s = (score_step){0}; \
	p = (score_column_program)SCORE_COLUMN_PROGRAM_INIT; \
	p.root = ROOT; \
	p.sources = inputs; \
	p.n_sources = ROOT == SCORE_ROOT_VALUE ? 0 : 2; \
	STATEMENT
#define WRONG(ROOT, STATEMENT, TEXT) \
	COLUMN(ROOT, STATEMENT); \
	wrong(score_builder_add_column(b, &p, NULL, &error), TEXT)
#define WRONG_STEP(STATEMENT, TEXT) WRONG(SCORE_ROOT_VALUE, (p.steps = &s, p.n_steps = 1, STATEMENT), TEXT)
	COLUMN(SCORE_ROOT_VALUE, p.source = 0);
	assert_int_equal(score_builder_add_column(b, &p, &plain, &error), SCORE_OK);
	COLUMN(SCORE_ROOT_NORM_L1, p.source = plain);
	assert_int_equal(score_builder_add_column(b, &p, &norm, &error), SCORE_OK);
	wrong(score_builder_add_column(b, NULL, NULL, &error), "NULL");
	wrong(score_builder_add_column(NULL, &p, NULL, &error), "NULL");
	WRONG(SCORE_ROOT_VALUE, p.struct_size = 3, "score_column_program.struct_size is 3");
	WRONG(SCORE_ROOT_VALUE, p.flags = SCORE_STEP_F32, "flags that do not fit its root: 0x1");
	WRONG(SCORE_ROOT_NORM_L2, p.least = NAN, "`least`");
	WRONG(SCORE_ROOT_VALUE, p.source = 9, "takes column 9, expected an input or an earlier column");
	WRONG(SCORE_ROOT_NORM_L2, p.sources = none, "takes column");
	WRONG(SCORE_ROOT_NORM_L2, p.source = norm, "contains one itself");
	WRONG(SCORE_ROOT_NORM_L2, p.n_sources = 0, "of no columns");
	WRONG(SCORE_ROOT_NORM_L2, p.sources = NULL, "of no columns");
	WRONG(SCORE_ROOT_NORM_L2, p.least = -1.0, "`least`");
	WRONG(SCORE_ROOT_VALUE, p.least = 1.0, "`least`");
	WRONG(SCORE_ROOT_HASH, p.n_hashes = 2, "lacks its hashes");
	COLUMN(SCORE_ROOT_HASH, p.n_hashes = 0); /* knows none */
	assert_int_equal(score_builder_add_column(b, &p, NULL, &error), SCORE_OK);
	static const score_node asks[] = {{.left = 1, .right = 2, .feature = 99, .test = SCORE_TEST_LT}, {0}, {0}};
	const score_tree asking = tree_of(asks, 3);
	wrong(score_builder_add_tree(b, &asking, &error), "node 0 tests feature 99, the model has 6 features, derived ones included");
	WRONG(SCORE_ROOT_HASH, (p.hashes = hashes, p.n_hashes = 2), "hash 1 of column");
	WRONG(99, p.source = 0, "unknown root 99");
	WRONG(SCORE_ROOT_VALUE, p.flags = 8, "flags");
	WRONG(SCORE_ROOT_VALUE, p.n_steps = 1, "lacks its steps");
	refused((p.steps = &s, p.n_steps = 257, score_builder_add_column(b, &p, NULL, &error)), SCORE_ERR_LIMIT, "257 steps");
	/* Those of a source count too, to the last one. */
	static const score_step plain_steps[200];
	uint32_t long_one = 0;
	COLUMN(SCORE_ROOT_VALUE, (p.steps = plain_steps, p.n_steps = 200));
	assert_int_equal(score_builder_add_column(b, &p, &long_one, &error), SCORE_OK);
	COLUMN(SCORE_ROOT_VALUE, (p.source = long_one, p.steps = plain_steps, p.n_steps = 57));
	refused(score_builder_add_column(b, &p, NULL, &error), SCORE_ERR_LIMIT,
		"has 257 steps, with those of its source; the limit is 256");
	p.n_steps = 56;
	assert_int_equal(score_builder_add_column(b, &p, NULL, &error), SCORE_OK);
	WRONG_STEP(s.operation = 99, "unknown operation 99");
	WRONG_STEP(s.operation = -1, "unknown operation -1");
	WRONG_STEP((s.operation = SCORE_STEP_LOOKUP, s.n_keys = 1, s.values = keys, s.keys = nan_key), "key 0 is NaN");
	WRONG_STEP(s.flags = 8, "unknown flags");
	WRONG_STEP((s.operation = SCORE_STEP_ADD, s.a = NAN), "operands");
	WRONG_STEP((s.operation = SCORE_STEP_CLIP, s.a = 2, s.b = 1), "operands");
	WRONG_STEP((s.operation = SCORE_STEP_REPLACE, s.a = NAN), "operands");
	WRONG_STEP((s.operation = SCORE_STEP_LOOKUP, s.n_keys = 2), "no values");
	WRONG_STEP((s.operation = SCORE_STEP_LOOKUP, s.n_keys = 2, s.values = s.keys = keys), "key");
	score_builder_free(b);
#undef COLUMN
#undef WRONG
#undef WRONG_STEP
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contracts),
		cmocka_unit_test(features),
		cmocka_unit_test(numbers),
		cmocka_unit_test(linear_or_trees),
		cmocka_unit_test(trees),
		cmocka_unit_test(names_that_come_twice),
		cmocka_unit_test(limits),
		cmocka_unit_test(tells_limit_from_memory),
		cmocka_unit_test(columns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
