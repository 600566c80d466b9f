/* Any bytes as a table of rows for the command: CSV, JSON lines or .npy by FUZZ_TABLE (compiled once per kind). */
#define _GNU_SOURCE
#include "cli.h"
#include "fuzz.h"

#include <scoreline/build.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define N_FEATURES 4u
#define BLOCK 3u

/* Four named features, one of them a category with labels. */
static score_model *make_model(void)
{
	static const char *const names[N_FEATURES] = { "age", "a \"b\",c", "\xc3\xa9", "colour" };
	static const char *const labels[] = { "red", "", "blue" };
	static const double codes[] = { 0, 1, 2 };
	score_contract contract = SCORE_CONTRACT_INIT(N_FEATURES, 1);
	score_builder *b = NULL;
	score_model *model = NULL;
	score_error error;
	score_node leaf = { -1, -1, 0, SCORE_TEST_LEAF, 0, 0, 1.0, 0, 0, 0, 0 };
	score_tree tree = SCORE_TREE_INIT;
	tree.nodes = &leaf;
	tree.n_nodes = 1;
	score_status status = score_builder_new(&contract, NULL, &b, &error);
	for (uint32_t i = 0; status == SCORE_OK && i < N_FEATURES; i++)
		status = score_builder_set_feature(b, i, names[i], i == 3 ? SCORE_FEATURE_CATEGORY : SCORE_FEATURE_NUMERIC, &error);
	if (status == SCORE_OK)
		status = score_builder_set_dictionary(b, 3, labels, codes, 3, -1.0, 0, &error);
	if (status == SCORE_OK)
		status = score_builder_add_tree(b, &tree, &error);
	if (status == SCORE_OK)
		status = score_builder_finish(b, &model, &error);
	if (status != SCORE_OK)
		fuzz_fail("%s", error.message);
	score_builder_free(b);
	return model;
}

static void read_all(cli_bytes *bytes, const score_model *model, const cli_rows_options *options)
{
	double block[BLOCK * N_FEATURES];
	cli_rows *rows = NULL;
	size_t n = 1;
	if (cli_rows_open(bytes, model, N_FEATURES, options, &rows) != CLI_OK)
		return;
	while (n > 0 && rows->read(rows, block, BLOCK, &n) == CLI_OK)
		if (n > BLOCK)
			fuzz_fail("%zu rows were put into a block of %u", n, BLOCK);
	if (n == 0)
		rows->finish(rows);
	rows->free(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static score_model *model;
	static int fd = -1;
	if (!model) {
		model = make_model();
		fd = memfd_create("table", 0);
	}
	if (size == 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data + 1, size - 1, 0) != (ssize_t)size - 1)
		return 0;
	cli_rows_options options = { FUZZ_TABLE, data[0] & 1, data[0] >> 1 & 1, true };
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	cli_bytes bytes;
	if (cli_bytes_open(path, &bytes) != CLI_OK)
		return 0;
	read_all(&bytes, model, &options);
	cli_bytes_close(&bytes);
	return 0;
}
