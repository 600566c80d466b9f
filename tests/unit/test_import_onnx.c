/*
 * ONNX files: small ones of every kind, the same cut off and damaged at every byte, and files that are wrong in one place,
 * written field by field. Whatever is refused leaves no builder, and nothing asks for memory out of proportion to the file.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "import/importers.h"
#include "onnx_text.h"

/* ---- an allocator that counts --------------------------------------------------------------------------- */

static size_t held, most;

static void *counted_alloc(void *context, size_t size, size_t align)
{
	(void)context;
	held += size;
	most = held > most ? held : most;
	return aligned_alloc(align < 16 ? 16 : align, (size + 63) / 64 * 64);
}

static void counted_free(void *context, void *pointer, size_t size, size_t align)
{
	(void)context;
	(void)align;
	if (pointer)
		held -= size;
	free(pointer);
}

static const score_allocator counting = {counted_alloc, counted_free, NULL};

static score_status import_bytes(const void *data, size_t size, score_model **out, score_error *error)
{
	score_builder *builder = NULL;
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	options.allocator = &counting;
	held = most = 0;
	*out = NULL;
	score_status status = import_onnx(data, size, &options, &builder, error);
	assert_int_equal(status == SCORE_OK, builder != NULL);
	if (status == SCORE_OK)
		status = score_builder_finish(builder, out, error);
	score_builder_free(builder);
	if (status != SCORE_OK)
		assert_int_equal(held, 0);
	return status;
}

/* ---- whole files ------------------------------------------------------------------------------------------ */

#define N_FILES 5
static const char *const names[N_FILES] = {"regressor", "classifier", "ensemble5", "pipeline", "categories"};

static unsigned char *read_file(const char *name, size_t *size)
{
	char path[1024];
	snprintf(path, sizeof path, "%s/onnx/%s.onnx", getenv("SCORELINE_TEST_DATA"), name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	unsigned char *data = malloc(1 << 16);
	assert_non_null(data);
	*size = fread(data, 1, 1 << 16, file);
	fclose(file);
	assert_in_range(*size, 100, (1 << 16) - 1);
	return data;
}

static void test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_FILES; i++) {
		size_t size;
		score_error error;
		score_model *model;
		score_model_info info = {.struct_size = sizeof info};
		unsigned char *data = read_file(names[i], &size);
		assert_int_equal(import_detect(data, size), SCORE_FORMAT_ONNX);
		if (import_bytes(data, size, &model, &error) != SCORE_OK)
			fail_msg("%s: %s", names[i], error.message);
		assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
		assert_int_equal(info.n_features, i < 4 ? 3 : 2);
		assert_int_equal(info.n_trees, i < 3 ? 3 : 0);
		assert_int_equal(info.n_outputs, i == 1 ? 3 : 1);
		score_model_free(model);
		free(data);
	}
}

/* Imputer, Scaler, LinearClassifier by hand: ((1 - 1) * 2) + ((0.5 + 1) * 2) * -2 + ((2.5 - 0.5) * 2) * 0.25 + 0.125. */
static void test_pipeline(void **state)
{
	(void)state;
	size_t size;
	score_error error;
	score_model *model;
	unsigned char *data = read_file("pipeline", &size);
	const float row[3] = {1.0f, NAN, 2.5f};
	double margin;
	assert_int_equal(import_bytes(data, size, &model, &error), SCORE_OK);
	score_input input = score_input_rows_f32(row, 1, 3);
	score_options options = SCORE_OPTIONS_INIT;
	options.output = SCORE_OUTPUT_MARGIN;
	assert_int_equal(score_batch(model, &input, &margin, 1, &options, &error), SCORE_OK);
	assert_true(margin == -4.875);
	score_model_free(model);
	free(data);
}

/* A text that two encoders read and a number that becomes text, in make_onnx.py; the sums by hand. */
static void test_categories(void **state)
{
	(void)state;
	static const struct {
		const char *city;
		double count, margin;
	} rows[] = {{"Bern", 2, 4.0 + 2.0 * 8.0 + 0.5 * 16.0 + 0.5}, {"", 7, 2.0 - 8.0 + 0.25 * 16.0 + 0.5},
		{"Oslo", 1, 1.0 - 8.0 + 0.0 * 16.0 + 0.5}};
	size_t size;
	score_error error;
	score_model *model;
	double code, margin;
	unsigned char *data = read_file("categories", &size);
	assert_int_equal(import_bytes(data, size, &model, &error), SCORE_OK);
	assert_int_equal(score_model_category_count(model, 0), 3);
	assert_string_equal(score_model_category_name(model, 0, 0), "");
	assert_string_equal(score_model_category_name(model, 0, 2), "Oslo");
	assert_true(score_model_category_unknown(model, 0) == SCORE_REFUSE);
	/* The encoder that fails at unknown texts does not know it, the other one does. */
	assert_false(score_model_category_find(model, 0, "Rome", 4, &code));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double row[2] = {0.0, rows[i].count};
		score_options options = SCORE_OPTIONS_INIT;
		options.output = SCORE_OUTPUT_MARGIN;
		assert_true(score_model_category_find(model, 0, rows[i].city, strlen(rows[i].city), row));
		score_input input = score_input_rows_f64(row, 1, 2);
		assert_int_equal(score_batch(model, &input, &margin, 1, &options, &error), SCORE_OK);
		assert_true(margin == rows[i].margin);
	}
	score_model_free(model);
	free(data);
}

/* Cut off, and with each byte changed in several ways: an answer or an error, never more than the bound. */
static void test_damage(void **state)
{
	(void)state;
	static const unsigned char masks[] = {0xFF, 0x80, 0x01, 0x07};
	size_t refused = 0;
	for (size_t i = 0; i < N_FILES; i++) {
		size_t size;
		score_error error;
		score_model *model;
		unsigned char *data = read_file(names[i], &size);
		for (size_t n = 1; n < size; n++) {
			unsigned char *cut = malloc(n); /* of exactly that size, for the sanitizers */
			assert_non_null(cut);
			memcpy(cut, data, n);
			refused += import_bytes(cut, n, &model, &error) != SCORE_OK;
			score_model_free(model);
			free(cut);
		}
		for (size_t n = 0; n < size * sizeof masks; n++) {
			data[n / sizeof masks] ^= masks[n % sizeof masks];
			refused += import_bytes(data, size, &model, &error) != SCORE_OK;
			assert_in_range(most, 0, (size_t)1 << 30);
			score_model_free(model);
			data[n / sizeof masks] ^= masks[n % sizeof masks];
		}
		free(data);
	}
	assert_in_range(refused, 4000, SIZE_MAX);
}

/* ---- files written field by field --------------------------------------------------------------------------- */

/* A tree: a root with two leaves. What a test changes stands in variables. */
typedef struct tree {
	int64_t ids[3], features[3], yes[3], no[3], vote_nodes[2], vote_targets[2], n_targets;
	const char *modes[3], *kind, *transform, *more;
	size_t n_ids;
	int64_t width;
} tree;

static const tree good = {{0, 1, 2}, {1, 0, 0}, {1, 0, 0}, {2, 0, 0}, {1, 2}, {0, 0}, 1, {"BRANCH_LEQ", "LEAF", "LEAF"},
	"TreeEnsembleRegressor", "NONE", NULL, 3, 2};

static void put_ints(onnx_bytes *op, const char *name, const int64_t *v, size_t n, bool packed)
{
	onnx_bytes *a = onnx_new_bytes(2);
	onnx_put_text(a, 1, name);
	for (size_t i = 0; i < n; i++) {
		if (packed)
			onnx_put_varint(a + 1, (uint64_t)v[i]);
		else
			onnx_put_number(a, 8, v[i]);
	}
	if (packed)
		onnx_put_block(a, 8, a[1].data, a[1].size);
	onnx_put_number(a, 20, 7);
	onnx_put_block(op, 5, a->data, a->size);
	free(a);
}

static void put_floats(onnx_bytes *op, const char *name, const float *v, size_t n)
{
	onnx_bytes *a = onnx_new_bytes(1);
	onnx_put_text(a, 1, name);
	onnx_put_block(a, 7, v, n * sizeof *v);
	onnx_put_number(a, 20, 6);
	onnx_put_block(op, 5, a->data, a->size);
	free(a);
}

static void put_word(onnx_bytes *op, const char *name, const char *word)
{
	onnx_bytes *a = onnx_new_bytes(1);
	onnx_put_text(a, 1, name);
	onnx_put_text(a, 4, word);
	onnx_put_block(op, 5, a->data, a->size);
	free(a);
}

static void put_tree(onnx_bytes *op, const tree *t)
{
	static const int64_t zeros[3] = {0, 0, 0};
	static const float values[3] = {0.5f, 0, 0}, weights[2] = {1, 2};
	onnx_bytes *a = onnx_new_bytes(1);
	onnx_put_text(op, 1, "x");
	onnx_put_text(op, 2, "y");
	onnx_put_text(op, 3, "trees");
	onnx_put_text(op, 4, t->kind);
	onnx_put_text(op, 7, "ai.onnx.ml");
	put_ints(op, "nodes_treeids", zeros, 3, false);
	put_ints(op, "nodes_nodeids", t->ids, t->n_ids, true);
	put_ints(op, "nodes_featureids", t->features, 3, true);
	put_ints(op, "nodes_truenodeids", t->yes, 3, false);
	put_ints(op, "nodes_falsenodeids", t->no, 3, true);
	put_floats(op, "nodes_values", values, 3);
	onnx_put_text(a, 1, "nodes_modes");
	for (int i = 0; i < 3; i++)
		onnx_put_text(a, 9, t->modes[i]);
	onnx_put_block(op, 5, a->data, a->size);
	a->size = 0;
	onnx_put_text(a, 1, "n_targets");
	onnx_put_number(a, 3, t->n_targets);
	onnx_put_block(op, 5, a->data, a->size);
	put_ints(op, "target_treeids", zeros, 2, true);
	put_ints(op, "target_nodeids", t->vote_nodes, 2, true);
	put_ints(op, "target_ids", t->vote_targets, 2, true);
	put_floats(op, "target_weights", weights, 2);
	put_word(op, "post_transform", t->transform);
	if (t->more)
		put_word(op, "aggregate_function", t->more);
	free(a);
}

static void put_value(onnx_bytes *graph, unsigned field, const char *name, int64_t width)
{
	onnx_bytes *b = onnx_new_bytes(6);
	onnx_put_number(b, 1, width);
	onnx_put_block(b + 1, 1, "", 0); /* of rows: unknown */
	onnx_put_block(b + 1, 1, b->data, b->size);
	onnx_put_number(b + 2, 1, 1);
	onnx_put_block(b + 2, 2, b[1].data, b[1].size);
	onnx_put_block(b + 3, 1, b[2].data, b[2].size);
	onnx_put_text(b + 4, 1, name);
	onnx_put_block(b + 4, 2, b[3].data, b[3].size);
	onnx_put_block(graph, field, b[4].data, b[4].size);
	free(b);
}

static void put_model(onnx_bytes *out, const tree *t)
{
	onnx_bytes *b = onnx_new_bytes(2);
	put_tree(b, t);
	onnx_put_block(b + 1, 1, b->data, b->size);
	put_value(b + 1, 11, "x", t->width);
	put_value(b + 1, 12, "y", 1);
	onnx_put_number(out, 1, 8);
	onnx_put_block(out, 7, b[1].data, b[1].size);
	free(b);
}

static void expect(const tree *t, score_status status, const char *says)
{
	onnx_bytes *b = onnx_new_bytes(1);
	score_error error = {0};
	score_model *model;
	put_model(b, t);
	score_status got = import_bytes(b->data, b->size, &model, &error);
	if (got != status || (says && !strstr(error.message, says)))
		fail_msg("status %d instead of %d, \"%s\" without \"%s\"", (int)got, (int)status, error.message, says);
	score_model_free(model);
	free(b);
}

#define WITH(change, status, says) \
	do { \
		tree t = good; \
		change; \
		expect(&t, status, says); \
	} while (0)

static void test_wrong_trees(void **state)
{
	(void)state;
	const score_status corrupt = SCORE_ERR_CORRUPT, unsupported = SCORE_ERR_UNSUPPORTED;
	expect(&good, SCORE_OK, NULL);
	WITH(t.yes[0] = 0, unsupported, "is a child");
	WITH((t.modes[1] = "BRANCH_LT", t.yes[1] = 1, t.no[1] = 1, t.vote_nodes[0] = 2), corrupt, "cycle");
	WITH((t.modes[1] = "BRANCH_LT", t.yes[1] = 2, t.no[1] = 2, t.vote_nodes[0] = 2), unsupported, "two weights");
	WITH(t.yes[0] = 7, corrupt, "child 7");
	WITH(t.yes[0] = INT64_MIN, corrupt, "not there");
	WITH(t.no[0] = INT64_MAX, corrupt, "not there");
	WITH(t.ids[2] = 1, corrupt, "two nodes");
	WITH(t.ids[2] = -5, corrupt, NULL);
	WITH(t.features[0] = 2, corrupt, "feature 2 of 2");
	WITH(t.features[0] = -1, corrupt, "feature -1");
	WITH(t.features[0] = INT64_MAX, corrupt, "tests feature");
	WITH(t.modes[0] = "BRANCH_XX", corrupt, "BRANCH_XX");
	WITH(t.modes[0] = "LEAF", unsupported, "no node's child");
	WITH(t.vote_nodes[0] = 0, corrupt, "no leaf");
	WITH(t.vote_nodes[0] = 9, corrupt, "no leaf");
	WITH(t.vote_targets[1] = 1, corrupt, "target 1 of 1");
	WITH(t.vote_targets[1] = -1, corrupt, "target -1");
	WITH(t.n_targets = 0, corrupt, "n_targets");
	WITH(t.n_targets = INT64_MAX, corrupt, "n_targets");
	WITH(t.n_ids = 2, corrupt, "nodes_nodeids has 2");
	WITH(t.transform = "TANH", corrupt, "TANH");
	WITH(t.more = "MIN", unsupported, "MIN");
	WITH(t.kind = "SVMRegressor", unsupported, "support vector machine");
	WITH(t.kind = "Nonsense", unsupported, "Nonsense");
	WITH(t.width = 0, SCORE_ERR_LIMIT, "columns");
	WITH(t.width = INT64_MAX, SCORE_ERR_LIMIT, "columns");
}

/* One leaf votes for target 1 of millions, so leaves become vectors. */
static void test_wide_leaves(void **state)
{
	(void)state;
	WITH((t.n_targets = 60000, t.vote_targets[1] = 59999), SCORE_ERR_LIMIT, "60000 targets");
	assert_in_range(most, 0, (size_t)64 << 20);
}

static void refuse_bytes(const onnx_bytes *b, size_t bound)
{
	score_error error = {0};
	score_model *model;
	assert_int_not_equal(import_bytes(b->data, b->size, &model, &error), SCORE_OK);
	assert_in_range(most, 0, bound);
}

/* Small things many times over: what each takes in memory is bounded by the file's size. */
static void test_bombs(void **state)
{
	(void)state;
	onnx_bytes *b = onnx_new_bytes(2);
	for (int i = 0; i < 8000; i++)
		onnx_put_block(b + 1, 1, "", 0); /* nodes without content */
	onnx_put_block(b, 7, b[1].data, b[1].size);
	refuse_bytes(b, (size_t)4 << 20);
	b[0].size = b[1].size = 0;
	for (int i = 0; i < 12000; i++)
		onnx_put_block(b, 7, "", 0); /* graphs */
	refuse_bytes(b, (size_t)4 << 20);
	b->size = 0;
	for (int i = 0; i < 4; i++)
		onnx_put_block(b, 7, "", 0);
	refuse_bytes(b, (size_t)2 << 20);
	b->size = 0;
	for (int i = 0; i < 10000; i++)
		onnx_put_number(b, 30, 0); /* fields that nobody knows */
	refuse_bytes(b, (size_t)8 << 20);
	b->size = 0;
	onnx_put_varint(b, 7 << 3 | 2); /* a length beyond the end */
	onnx_put_varint(b, UINT64_MAX);
	refuse_bytes(b, (size_t)2 << 20);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_files), cmocka_unit_test(test_pipeline),
		cmocka_unit_test(test_categories),
		cmocka_unit_test(test_damage), cmocka_unit_test(test_wrong_trees), cmocka_unit_test(test_wide_leaves),
		cmocka_unit_test(test_bombs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
