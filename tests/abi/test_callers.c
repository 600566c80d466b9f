/*
 * Callers that were compiled against an older or a newer header: every struct that a caller passes begins with its size. A shorter
 * one is taken as if the rest were zero; a longer one if its tail is zero, and is refused with SCORE_ERR_VERSION or ARGUMENT
 * otherwise. What the library fills in stays within the size that the caller gave.
 */
#include <scoreline.h>
#include <scoreline/build.h>
#include <scoreline/import.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int n_failed;

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			n_failed++; \
		} \
	} while (0)

static score_model *model;
static void *bytes;
static size_t n_bytes;

static score_status try_open(const void *options)
{
	score_model *out = NULL;
	score_status status = score_model_open_memory(bytes, n_bytes, options, &out, NULL);
	CHECK((status == SCORE_OK) == (out != NULL));
	score_model_free(out);
	return status;
}

static score_status try_save(const void *options)
{
	void *out = NULL;
	size_t size = 0;
	score_status status = score_model_save_memory(model, options, &out, &size, NULL);
	CHECK((status == SCORE_OK) == (out != NULL));
	score_model_free_bytes(model, out, size);
	return status;
}

static score_status try_score(const void *options)
{
	const double row = 0.25;
	double out = 0;
	score_input in = score_input_rows_f64(&row, 1, 1);
	score_status status = score_batch(model, &in, &out, 1, options, NULL);
	CHECK(status != SCORE_OK || out == -1.0);
	return status;
}

static score_status try_input(const void *input)
{
	double out = 0;
	score_status status = score_batch(model, input, &out, 1, NULL, NULL);
	CHECK(status != SCORE_OK || out == -1.0);
	return status;
}

static score_status try_build(const void *options)
{
	score_contract contract = SCORE_CONTRACT_INIT(1, 1);
	score_builder *out = NULL;
	score_status status = score_builder_new(&contract, options, &out, NULL);
	CHECK((status == SCORE_OK) == (out != NULL));
	score_builder_free(out);
	return status;
}

static score_status try_contract(const void *contract)
{
	score_builder *out = NULL;
	score_status status = score_builder_new(contract, NULL, &out, NULL);
	CHECK((status == SCORE_OK) == (out != NULL));
	score_builder_free(out);
	return status;
}

/* `given` is a whole struct of this library's size, `least` what its first release had. */
static void try_sizes(score_status (*call)(const void *), const void *given, size_t size, size_t least)
{
	unsigned char newer[512] = {0};
	size_t longer = size + 24;
	CHECK(call(given) == SCORE_OK);
	memcpy(newer, given, size);
	memcpy(newer, &longer, sizeof longer);
	CHECK(call(newer) == SCORE_OK);
	newer[size + 17] = 1; /* an option that this library does not know */
	score_status status = call(newer);
	CHECK(status == SCORE_ERR_VERSION || status == SCORE_ERR_ARGUMENT);
	memcpy(newer, given, size);
	memset(newer + least, 0xff, sizeof newer - least); /* must not be read */
	memcpy(newer, &least, sizeof least);
	CHECK(call(newer) == SCORE_OK);
}

static void try_info(void)
{
	unsigned char room[sizeof(score_model_info) + 32];
	score_model_info whole = {.struct_size = sizeof whole};
	CHECK(score_model_get_info(model, &whole) == SCORE_OK);
	for (size_t size = 16; size <= sizeof whole; size += 8) {
		memset(room, 0xee, sizeof room);
		memcpy(room, &size, sizeof size);
		if (score_model_get_info(model, (score_model_info *)(void *)room) != SCORE_OK)
			continue;
		CHECK(memcmp(room + sizeof(size_t), (unsigned char *)&whole + sizeof(size_t), size - sizeof(size_t)) == 0);
		for (size_t i = size; i < sizeof room; i++)
			CHECK(room[i] == 0xee);
	}
	size_t longer = sizeof room;
	memset(room, 0xee, sizeof room);
	memcpy(room, &longer, sizeof longer);
	CHECK(score_model_get_info(model, (score_model_info *)(void *)room) == SCORE_OK);
}

static int make_model(void)
{
	score_contract contract = SCORE_CONTRACT_INIT(1, 1);
	score_node nodes[3] = {{1, 2, 0, SCORE_TEST_LT, 0, 0, 0.5, 0, 0, 0, 0}, {-1, -1, 0, SCORE_TEST_LEAF, 0, 0, -1.0, 0, 0, 0, 0},
		{-1, -1, 0, SCORE_TEST_LEAF, 0, 0, 2.0, 0, 0, 1, 0}};
	score_tree tree = SCORE_TREE_INIT;
	score_builder *builder = NULL;
	tree.nodes = nodes;
	tree.n_nodes = 3;
	int bad = score_builder_new(&contract, NULL, &builder, NULL) || score_builder_add_tree(builder, &tree, NULL) ||
		score_builder_finish(builder, &model, NULL) || score_model_save_memory(model, NULL, &bytes, &n_bytes, NULL);
	score_builder_free(builder);
	return bad;
}

int main(void)
{
	if (make_model())
		return 2;
	const double row = 0.25;
	score_open_options open = SCORE_OPEN_OPTIONS_INIT;
	score_save_options save = SCORE_SAVE_OPTIONS_INIT;
	score_options options = SCORE_OPTIONS_INIT;
	score_build_options build = SCORE_BUILD_OPTIONS_INIT;
	score_contract contract = SCORE_CONTRACT_INIT(1, 1);
	score_input input = score_input_rows_f64(&row, 1, 1);
	try_sizes(try_open, &open, sizeof open, offsetof(score_open_options, flags));
	try_sizes(try_save, &save, sizeof save, offsetof(score_save_options, n_metadata) + 4);
	try_sizes(try_score, &options, sizeof options, offsetof(score_options, explainer));
	try_sizes(try_build, &build, sizeof build, offsetof(score_build_options, isa));
	try_sizes(try_contract, &contract, sizeof contract, offsetof(score_contract, scale));
	CHECK(try_input(&input) == SCORE_OK);
	input.struct_size = sizeof(size_t); /* no layout, no rows */
	CHECK(try_input(&input) != SCORE_OK);
	try_info();
	score_model_free_bytes(model, bytes, n_bytes);
	score_model_free(model);
	return n_failed != 0;
}
