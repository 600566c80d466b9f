/*
 * A model from arrays: a trainer that nobody listed hands over its trees, and they become a file that every host scores.
 *
 *     cc examples/builder/build_model.c $(pkg-config --cflags --libs scoreline) -o build_model && ./build_model credit.slm
 *
 * Two trees and a logistic link over an age, an income that may be missing, and a city that comes as text. build_model.py makes
 * the same model, byte for byte.
 */
#include <scoreline/build.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void check(score_status status, const score_error *error)
{
	if (status == SCORE_OK)
		return;
	fprintf(stderr, "%s\n", error->message);
	exit(1);
}

/* What the trainer knows: a node per line; children by number, a leaf's value where a split has its threshold. */
enum { AGE, INCOME, CITY, N_FEATURES };

static const score_node first_tree[] = {
	{.left = 1, .right = 2, .feature = AGE, .test = SCORE_TEST_LT, .value = 25.0, .missing = SCORE_MISSING_LEFT},
	{.test = SCORE_TEST_LEAF, .value = -0.75, .leaf_id = 0},
	{.left = 3, .right = 4, .feature = INCOME, .test = SCORE_TEST_LE, .value = 1800.5, .missing = SCORE_MISSING_RIGHT},
	{.test = SCORE_TEST_LEAF, .value = -0.25, .leaf_id = 1},
	{.test = SCORE_TEST_LEAF, .value = 0.5, .leaf_id = 2},
};
/* Oslo and Bern go left; other cities, known or not, right. */
static const uint32_t northern[] = {1, 2};
static const score_node second_tree[] = {
	{.left = 1, .right = 2, .feature = CITY, .test = SCORE_TEST_IN_LEFT, .categories = 0, .n_categories = 2},
	{.test = SCORE_TEST_LEAF, .value = 0.125, .leaf_id = 0},
	{.test = SCORE_TEST_LEAF, .value = -0.5, .leaf_id = 1},
};

static score_model *build(void)
{
	score_contract contract = SCORE_CONTRACT_INIT(N_FEATURES, 1); /* compared and summed in double, from the base on */
	score_builder *b;
	score_model *model;
	score_error error;
	const char *const cities[] = {"Rome", "Oslo", "Bern"}; /* codes 0, 1, 2 */
	const double base = 0.0625;
	score_tree one = SCORE_TREE_INIT, two = SCORE_TREE_INIT;
	one.nodes = first_tree;
	one.n_nodes = sizeof first_tree / sizeof *first_tree;
	two.nodes = second_tree;
	two.n_nodes = sizeof second_tree / sizeof *second_tree;
	two.categories = northern;
	two.n_categories = 2;
	check(score_builder_new(&contract, NULL, &b, &error), &error);
	check(score_builder_set_feature(b, AGE, "age", SCORE_FEATURE_NUMERIC, &error), &error);
	check(score_builder_set_feature(b, INCOME, "income", SCORE_FEATURE_NUMERIC, &error), &error);
	check(score_builder_set_feature(b, CITY, "city", SCORE_FEATURE_CATEGORY, &error), &error);
	check(score_builder_set_base(b, &base, 1, &error), &error);
	check(score_builder_set_link(b, SCORE_LINK_SIGMOID, 1.0, &error), &error);
	check(score_builder_set_metadata(b, "name", "credit", &error), &error);
	check(score_builder_set_dictionary(b, CITY, cities, NULL, 3, NAN, 0, &error), &error);
	check(score_builder_add_tree(b, &one, &error), &error);
	check(score_builder_add_tree(b, &two, &error), &error);
	check(score_builder_finish(b, &model, &error), &error);
	score_builder_free(b);
	return model;
}

int main(int argc, char **argv)
{
	/* Rows of numbers hold codes; strings are bound by value in columns of SCORE_STRING. */
	const double rows[][N_FEATURES] = {{24.0, 3000.0, 1.0}, {25.0, 1800.5, 0.0}, {60.0, NAN, 2.0}, {NAN, 10.0, NAN}};
	double margins[4], predictions[4];
	score_error error;
	score_model *model = build();
	score_input input = score_input_rows_f64(rows[0], 4, N_FEATURES);
	score_options options = SCORE_OPTIONS_INIT;
	check(score_batch(model, &input, predictions, 4, &options, &error), &error);
	options.output = SCORE_OUTPUT_MARGIN;
	check(score_batch(model, &input, margins, 4, &options, &error), &error);
	for (int i = 0; i < 4; i++)
		printf("%.17g %.17g\n", margins[i], predictions[i]);
	if (argc > 1)
		check(score_model_save_file(model, argv[1], NULL, &error), &error);
	score_model_free(model);
	/* Of a full disk, no printf() tells: what it was given waits in a buffer. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "standard output could not be written\n");
		return 1;
	}
	return 0;
}
