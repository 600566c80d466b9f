/* The smallest host: makes a model of one tree by calls, saves and opens it, scores two rows. C99 and C++11. */
#include <scoreline.h>
#include <scoreline/build.h>

#include <stdio.h>

static int failed(const char *what, const score_error *error)
{
	fprintf(stderr, "%s: %s: %s\n", what, score_status_name(error->code), error->message);
	return 1;
}

/* x0 < 0.5 ? -1 : 2 */
static score_status stump(score_model **out, score_error *error)
{
	score_contract contract = SCORE_CONTRACT_INIT(2, 1);
	score_node nodes[3] = {
		{ 1, 2, 0, SCORE_TEST_LT, SCORE_MISSING_LEFT, 0, 0.5, 0, 0, 0, 0 },
		{ -1, -1, 0, SCORE_TEST_LEAF, 0, 0, -1.0, 0, 0, 1, 0 },
		{ -1, -1, 0, SCORE_TEST_LEAF, 0, 0, 2.0, 0, 0, 2, 0 },
	};
	score_tree tree = SCORE_TREE_INIT;
	score_builder *builder = NULL;
	score_status status = score_builder_new(&contract, NULL, &builder, error);
	*out = NULL;
	tree.nodes = nodes;
	tree.n_nodes = 3;
	if (!status)
		status = score_builder_add_tree(builder, &tree, error);
	if (!status)
		status = score_builder_finish(builder, out, error);
	score_builder_free(builder);
	return status;
}

int main(void)
{
	const double rows[4] = { 0.25, 9.0, 0.5, 9.0 };
	double out[2] = { 0, 0 };
	score_model *built = NULL;
	score_model *opened = NULL;
	void *bytes = NULL;
	size_t size = 0;
	score_error error;
	score_input input = score_input_rows_f64(rows, 2, 2);

	if (stump(&built, &error))
		return failed("build", &error);
	if (score_model_save_memory(built, NULL, &bytes, &size, &error))
		return failed("save", &error);
	if (score_model_open_memory(bytes, size, NULL, &opened, &error))
		return failed("open", &error);
	if (score_batch(opened, &input, out, 2, NULL, &error))
		return failed("score", &error);
	score_model_free_bytes(built, bytes, size);
	score_model_free(opened);
	score_model_free(built);
	printf("scoreline %s: %g %g\n", score_version_string(), out[0], out[1]);
	return out[0] == -1.0 && out[1] == 2.0 ? 0 : 1;
}
