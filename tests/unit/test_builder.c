/* The builder: what it accepts, what it refuses, and that a model made by calls scores as its trees say. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <scoreline/build.h>

static const score_node stump[] = {
	{.left = 1, .right = 2, .feature = 1, .test = SCORE_TEST_LT, .missing = SCORE_MISSING_RIGHT, .value = 0.5},
	{.test = SCORE_TEST_LEAF, .value = 10.0, .leaf_id = 1},
	{.test = SCORE_TEST_LEAF, .value = 20.0, .leaf_id = 2},
};

static score_builder *new_builder(uint32_t n_features)
{
	score_contract contract = SCORE_CONTRACT_INIT(n_features, 1);
	score_builder *b = NULL;
	score_error error;
	assert_int_equal(score_builder_new(&contract, NULL, &b, &error), SCORE_OK);
	return b;
}

static score_tree tree_of(const score_node *nodes, size_t n)
{
	score_tree t = SCORE_TREE_INIT;
	t.nodes = nodes;
	t.n_nodes = n;
	return t;
}

static void scores_a_stump(void **state)
{
	(void)state;
	score_builder *b = new_builder(2);
	score_tree t = tree_of(stump, 3);
	score_model *model = NULL;
	double base = 0.25, out[4];
	const double rows[] = {9, 0.4, 9, 0.5, 9, 0.6, 9, NAN};
	assert_int_equal(score_builder_add_tree(b, &t, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_base(b, &base, 1, NULL), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
	score_builder_free(b);
	score_input in = score_input_rows_f64(rows, 4, 2);
	assert_int_equal(score_batch(model, &in, out, 4, NULL, NULL), SCORE_OK);
	assert_true(out[0] == 10.25 && out[1] == 20.25 && out[2] == 20.25 && out[3] == 20.25);
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_LEAF;
	assert_int_equal(score_batch(model, &in, out, 4, &o, NULL), SCORE_OK);
	assert_true(out[0] == 1 && out[1] == 2 && out[3] == 2);
	score_model_free(model);
}

/* Trees with and without linear leaves in one model, in either order; and what is refused leaves the builder as it was. */
static void scores_linear_leaves(void **state)
{
	(void)state;
	const score_linear_leaf leaves[] = {{0, 0, 0}, {1.0, 1, 2}, {2.0, 0, 1}}, beyond[] = {{0, 0, 0}, {1.0, 1, 3}, {2.0, 4, 0}};
	const uint32_t features[] = {0, 1, 0}, absent[] = {0, 1, 2};
	const double coefficients[] = {0.5, 2.0, 100.0};
	const double rows[] = {3, 0.25, 3, 0.75, NAN, 0.25, NAN, 0.75, 1e-36, 0.25};
	const double expected[] = {10.0 + (1.0 + 2.0 * 0.25 + 300.0) + 10.0, 20.0 + 3.5 + 20.0, 10.0 + 10.0 + 10.0,
		20.0 + 20.0 + 20.0, 10.0 + 1.5 + 10.0};
	score_builder *b = new_builder(2);
	score_tree plain = tree_of(stump, 3), linear = plain, wrong;
	score_model *model = NULL;
	double out[5];
	linear.linear_leaves = leaves;
	linear.term_features = features;
	linear.term_coefficients = coefficients;
	linear.n_terms = 3;
	assert_int_equal(score_builder_add_tree(b, &plain, NULL), SCORE_OK);
	for (int i = 0; i < 4; i++) {
		wrong = linear;
		if (i == 0)
			wrong.linear_leaves = beyond;
		else if (i == 1)
			wrong.term_features = absent;
		else if (i == 2)
			wrong.term_coefficients = NULL;
		else
			wrong.term_features = NULL;
		assert_int_equal(score_builder_add_tree(b, &wrong, NULL), SCORE_ERR_ARGUMENT);
	}
	assert_int_equal(score_builder_add_tree(b, &linear, NULL), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &wrong, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_builder_add_tree(b, &plain, NULL), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
	score_builder_free(b);
	score_input in = score_input_rows_f64(rows, 5, 2);
	assert_int_equal(score_batch(model, &in, out, 5, NULL, NULL), SCORE_OK);
	for (int i = 0; i < 5; i++)
		assert_true(out[i] == expected[i]);
	score_model_free(model);
	score_contract contract = SCORE_CONTRACT_INIT(2, 1);
	contract.compare = SCORE_F32;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	assert_int_equal(score_builder_add_tree(b, &linear, NULL), SCORE_ERR_ARGUMENT);
	score_builder_free(b);
}

/* A leaf may be NaN or infinite: what the link makes of it is XGBoost's std::min and expf, bit for bit. */
static void predicts_from_odd_margins(void **state)
{
	(void)state;
	const float leaves[] = {NAN, -200.0f, 200.0f, -INFINITY, INFINITY};
	for (size_t i = 0; i < 5; i++) {
		score_contract contract = SCORE_CONTRACT_INIT(1, 1);
		contract.compare = contract.sum = SCORE_F32;
		score_node leaf = {.test = SCORE_TEST_LEAF, .value = (double)leaves[i]};
		score_tree t = tree_of(&leaf, 1);
		score_builder *b = NULL;
		score_model *model = NULL;
		double row = 0.0, out = 0.0;
		assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
		assert_int_equal(score_builder_set_link(b, SCORE_LINK_SIGMOID_XGBOOST, 0.0, NULL), SCORE_OK);
		assert_int_equal(score_builder_add_tree(b, &t, NULL), SCORE_OK);
		assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
		score_input in = score_input_rows_f64(&row, 1, 1);
		assert_int_equal(score_batch(model, &in, &out, 1, NULL, NULL), SCORE_OK);
		/* -200 and -inf meet the clamp at 88.7 and give a denormal, not 0. */
		if (isnan(leaves[i]))
			assert_true(isnan(out));
		else if (leaves[i] < 0.0f)
			assert_true(out > 0.0 && out < 1e-38);
		else
			assert_true(out == 1.0);
		score_model_free(model);
		score_builder_free(b);
	}
}

/* Each tree is refused with a message, and the builder goes on as if nothing had happened. */
static void refuses(const score_node *nodes, size_t n, score_status expected)
{
	score_builder *b = new_builder(2);
	score_tree bad = tree_of(nodes, n), good = tree_of(stump, 3);
	score_model *model = NULL;
	score_error error;
	assert_int_equal(score_builder_add_tree(b, &bad, &error), expected);
	assert_int_equal(error.code, expected);
	assert_true(error.message[0] != '\0');
	assert_int_equal(score_builder_add_tree(b, &good, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	score_model_info info = {.struct_size = sizeof info};
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	assert_int_equal(info.n_trees, 1);
	assert_int_equal(info.n_splits, 1);
	assert_int_equal(info.n_tests, 1);
	score_model_free(model);
	score_builder_free(b);
}

static void refuses_what_is_no_tree(void **state)
{
	(void)state;
	score_node n[3];
	memcpy(n, stump, sizeof n);
	n[0].left = 3;
	refuses(n, 3, SCORE_ERR_ARGUMENT); /* child out of range */
	n[0].left = -1;
	refuses(n, 3, SCORE_ERR_ARGUMENT);
	n[0].left = 0;
	refuses(n, 3, SCORE_ERR_ARGUMENT); /* cycle */
	n[0].left = 2;
	refuses(n, 3, SCORE_ERR_ARGUMENT); /* shared child */
	n[0].left = 1;
	n[0].feature = 2;
	refuses(n, 3, SCORE_ERR_ARGUMENT);
	n[0].feature = 1;
	n[0].test = 9;
	refuses(n, 3, SCORE_ERR_ARGUMENT);
	n[0].test = SCORE_TEST_LT;
	n[0].missing = 8;
	refuses(n, 3, SCORE_ERR_ARGUMENT);
	n[0].missing = 0;
	n[0].test = SCORE_TEST_IN_LEFT;
	n[0].n_categories = 1;
	refuses(n, 3, SCORE_ERR_ARGUMENT); /* categories out of range */
	refuses(n, 0, SCORE_ERR_ARGUMENT);
}

static int has_covers(const double *const *covers, size_t n_trees)
{
	score_builder *b = new_builder(2);
	score_model *model = NULL;
	score_model_info info = {.struct_size = sizeof info};
	for (size_t i = 0; i < n_trees; i++) {
		score_tree t = tree_of(i == 2 ? stump + 1 : stump, i == 2 ? 1 : 3); /* the third tree is one leaf */
		t.covers = covers[i];
		assert_int_equal(score_builder_add_tree(b, &t, NULL), SCORE_OK);
	}
	assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	score_model_free(model);
	score_builder_free(b);
	return info.has_covers;
}

static void keeps_covers_if_all_trees_have_them(void **state)
{
	(void)state;
	const double covers[] = {3, 1, 2}, none[] = {0, 0, 0};
	const double *const all[] = {covers, none, NULL}, *const one[] = {covers, NULL}, *const other[] = {NULL, covers};
	assert_int_equal(has_covers(all, 3), 1);
	assert_int_equal(has_covers(one, 1), 1);
	assert_int_equal(has_covers(one, 2), 0);
	assert_int_equal(has_covers(other, 2), 0);
	const double bad[] = {NAN, INFINITY, -1.0};
	for (size_t i = 0; i < 9; i++) {
		double wrong[] = {3, 1, 2};
		wrong[i % 3] = bad[i / 3];
		score_builder *b = new_builder(2);
		score_tree t = tree_of(stump, 3);
		score_error error;
		t.covers = wrong;
		assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_ERR_ARGUMENT);
		assert_non_null(strstr(error.message, "cover"));
		t.covers = covers;
		assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
		score_builder_free(b);
	}
}

static void refuses_an_empty_model(void **state)
{
	(void)state;
	score_builder *b = new_builder(2);
	score_model *model = (score_model *)(void *)&b;
	score_error error;
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_ERR_ARGUMENT);
	assert_null(model);
	score_builder_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores_a_stump),
		cmocka_unit_test(scores_linear_leaves),
		cmocka_unit_test(predicts_from_odd_margins),
		cmocka_unit_test(refuses_what_is_no_tree),
		cmocka_unit_test(keeps_covers_if_all_trees_have_them),
		cmocka_unit_test(refuses_an_empty_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
