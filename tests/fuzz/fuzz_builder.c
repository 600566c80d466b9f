/* Builder calls that the input dictates, sensible and not: refused with a message, or a model that scores the same everywhere,
 * before and after it was saved. */
#include "fuzz.h"

#include <scoreline/build.h>

#include <stdlib.h>
#include <string.h>

#define MOST_NODES 64u

static double weight(fuzz_bytes *in)
{
	double x = fuzz_value(in);
	return x == x && x - x == 0 ? (double)(float)x : 0.5;
}

/* Usually a proper tree: node i's children come behind it. A byte in sixteen puts something else. */
static uint32_t fill_nodes(fuzz_bytes *in, uint32_t n_features, score_node *nodes)
{
	uint32_t n = 1;
	memset(nodes, 0, MOST_NODES * sizeof *nodes);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t kind = fuzz_below(in, 8);
		score_node *node = nodes + i;
		node->left = node->right = -1;
		node->leaf_id = i;
		node->value = weight(in);
		if (kind < 3 || n + 2 > MOST_NODES)
			continue;
		node->test = (score_test)(kind < 6 ? 1 + (kind & 1) : 3 + (kind & 1));
		node->feature = fuzz_below(in, n_features);
		node->missing = (score_missing)(fuzz_below(in, 2) + (kind < 6 && fuzz_below(in, 4) == 0 ? SCORE_MISSING_ZERO : 0));
		node->left = (int32_t)n;
		node->right = (int32_t)n + 1;
		node->categories = fuzz_below(in, 8);
		node->n_categories = fuzz_below(in, 5);
		n += 2;
		if (fuzz_below(in, 64) == 63) {
			node->left = (int32_t)fuzz_take(in, 1) - 2;
			node->feature = (uint32_t)fuzz_take(in, 4);
			node->test = (score_test)fuzz_take(in, 1);
			node->n_categories = (uint32_t)fuzz_take(in, 1);
		}
	}
	return n;
}

static score_status add_tree(fuzz_bytes *in, score_builder *b, const score_contract *c, score_error *error)
{
	static const uint32_t categories[12] = {0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 4000000000u};
	score_node nodes[MOST_NODES];
	double covers[MOST_NODES];
	score_tree tree = SCORE_TREE_INIT;
	tree.nodes = nodes;
	tree.n_nodes = fill_nodes(in, c->n_features, nodes);
	tree.categories = categories;
	tree.n_categories = 12;
	tree.output = fuzz_below(in, c->n_outputs);
	for (uint32_t i = 0; i < tree.n_nodes; i++)
		covers[i] = weight(in);
	if (fuzz_below(in, 3) == 2)
		tree.covers = covers;
	return score_builder_add_tree(b, &tree, error);
}

static score_status fill(fuzz_bytes *in, score_builder *b, const score_contract *c, score_error *error)
{
	score_status status = score_builder_set_link(b, (score_link)fuzz_below(in, 28), weight(in), error);
	double base = weight(in);
	if (status != SCORE_OK)
		return status;
	status = score_builder_set_base(b, &base, 1, error);
	for (uint32_t i = 0; status == SCORE_OK && i < c->n_features; i++)
		if (fuzz_below(in, 3) == 2)
			status = score_builder_set_feature(b, i, NULL, SCORE_FEATURE_CATEGORY, error);
	uint32_t n_trees = c->trees_per_iteration * (fuzz_below(in, 9) + 1);
	if (fuzz_below(in, 8) == 7) {
		double weights[64];
		for (uint32_t i = 0; i < 64; i++)
			weights[i] = weight(in);
		return status == SCORE_OK ? score_builder_set_linear(b, weights, (int)fuzz_below(in, 2), error) : status;
	}
	for (uint32_t t = 0; status == SCORE_OK && t < n_trees; t++)
		status = add_tree(in, b, c, error);
	return status;
}

static void use(const score_model *model)
{
	void *bytes = NULL;
	size_t size = 0;
	score_error error;
	score_model *again = NULL;
	fuzz_score(model);
	if (score_model_save_memory(model, NULL, &bytes, &size, &error) != SCORE_OK)
		fuzz_fail("a built model cannot be saved: %s", error.message);
	score_open_options options = SCORE_OPEN_OPTIONS_INIT;
	options.flags = SCORE_OPEN_VERIFY;
	if (score_model_open_memory(bytes, size, &options, &again, &error) != SCORE_OK)
		fuzz_fail("a saved model cannot be opened: %s", error.message);
	fuzz_score(again);
	score_model_free(again);
	score_model_free_bytes(model, bytes, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_bytes in = {data, size};
	fuzz_memory memory;
	score_error error;
	score_builder *b = NULL;
	score_model *model = NULL;
	score_allocator allocator = fuzz_allocator(&memory, (size_t)64 << 20);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	score_contract c = SCORE_CONTRACT_INIT(0, 0);
	c.n_features = 1 + fuzz_below(&in, 9);
	c.n_outputs = 1 + fuzz_below(&in, 4);
	c.trees_per_iteration = c.n_outputs;
	c.compare = fuzz_below(&in, 2) ? SCORE_F64 : SCORE_F32;
	c.sum = fuzz_below(&in, 2) ? SCORE_F64 : SCORE_F32;
	c.base_position = (score_base_position)fuzz_below(&in, 2);
	c.average = (score_average)fuzz_below(&in, 4);
	c.category_rule = (score_category_rule)fuzz_below(&in, 4);
	c.scale = fuzz_below(&in, 2) ? weight(&in) : 0.0;
	options.allocator = &allocator;
	score_status status = score_builder_new(&c, &options, &b, &error);
	if (status != SCORE_OK) {
		fuzz_check_failure(status, b, &error);
		return 0;
	}
	status = fill(&in, b, &c, &error);
	if (status == SCORE_OK)
		status = score_builder_finish(b, &model, &error);
	score_builder_free(b);
	if (status != SCORE_OK)
		fuzz_check_failure(status, model, &error);
	else
		use(model);
	score_model_free(model);
	if (memory.held)
		fuzz_fail("%zu bytes were not freed", memory.held);
	return 0;
}
