/*
 * XGBoost files that are wrong, one for every check of the importer, and odd ones that are right. Each is a
 * small valid model in which one piece of text was replaced.
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
#include "replaced.h"

#define TREE_0 \
	"{\"base_weights\":[0,0,0,0,0],\"categories\":[],\"categories_nodes\":[],\"categories_segments\":[]," \
	"\"categories_sizes\":[],\"default_left\":[1,0,0,0,0],\"id\":0,\"left_children\":[1,-1,3,-1,-1]," \
	"\"right_children\":[2,-1,4,-1,-1],\"split_indices\":[0,0,1,0,0],\"split_conditions\":[0.5,1E0,2E0,4E0,8E0]," \
	"\"split_type\":[0,0,0,0,0],\"tree_param\":{\"num_deleted\":\"0\",\"num_feature\":\"2\",\"num_nodes\":\"5\"," \
	"\"size_leaf_vector\":\"1\"}}"
#define TREE_1 \
	"{\"base_weights\":[0,0,0],\"categories\":[3,7],\"categories_nodes\":[0],\"categories_segments\":[0]," \
	"\"categories_sizes\":[2],\"default_left\":[0,0,0],\"id\":1,\"left_children\":[1,-1,-1]," \
	"\"right_children\":[2,-1,-1],\"split_indices\":[1,0,0],\"split_conditions\":[0E0,16E0,32E0]," \
	"\"split_type\":[1,0,0],\"tree_param\":{\"num_nodes\":\"3\",\"size_leaf_vector\":\"0\"}}"
#define MODEL_OF(trees) \
	"\"model\":{\"cats\":{\"enc\":[],\"feature_segments\":[],\"sorted_idx\":[]}," \
	"\"gbtree_model_param\":{\"num_parallel_tree\":\"1\",\"num_trees\":\"2\"}," \
	"\"iteration_indptr\":[0,1,2],\"tree_info\":[0,0],\"trees\":[" trees "]}"
#define FILE_OF(booster)                                                                                     \
	"{\"learner\":{\"attributes\":{\"note\":\"x\"},\"feature_names\":[\"a\",\"b\"],"                         \
	"\"feature_types\":[\"float\",\"c\"],\"gradient_booster\":{" booster "},\"learner_model_param\":{"       \
	"\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"2\",\"num_target\":\"1\"},"               \
	"\"objective\":{\"name\":\"reg:squarederror\",\"reg_loss_param\":{\"scale_pos_weight\":\"1\"}}},"        \
	"\"version\":[3,2,0]}"

static const char trees_file[] = FILE_OF(MODEL_OF(TREE_0 "," TREE_1) ",\"name\":\"gbtree\"");
static const char dart_file[] = FILE_OF("\"gbtree\":{" MODEL_OF(
	TREE_0 "," TREE_1) ",\"name\":\"gbtree\"},\"name\":\"dart\",\"weight_drop\":[1E0,5E-1]");
static const char untrained_file[] = FILE_OF("\"model\":{\"gbtree_model_param\":{\"num_trees\":\"0\"},"
	"\"iteration_indptr\":[0],\"tree_info\":[],\"trees\":[]},\"name\":\"gbtree\"");
static const char linear_file[] =
	FILE_OF("\"model\":{\"weights\":[2E0,3E0,1E-1],\"boosted_rounds\":3},\"name\":\"gblinear\"");

static score_status import_text(const void *data, size_t size, score_format format,
	const score_import_options *options, score_model **out, score_error *error)
{
	score_builder *builder = NULL;
	score_status status = import_xgboost(data, size, format, options, &builder, error);
	*out = NULL;
	assert_int_equal(status == SCORE_OK, builder != NULL);
	if (status == SCORE_OK)
		status = score_builder_finish(builder, out, error);
	score_builder_free(builder);
	return status;
}

static void refused(const char *text, score_status expected, const char *says, bool has_offset)
{
	score_error error;
	score_model *model;
	score_status status = import_text(text, strlen(text), SCORE_FORMAT_XGBOOST_JSON, NULL, &model, &error);
	if (status != expected || !strstr(error.message, says))
		fail_msg("expected %s and \"%s\", got %s: %s", score_status_name(expected), says,
			score_status_name(status), status == SCORE_OK ? "" : error.message);
	assert_int_equal(error.code, status);
	if (has_offset != (error.offset >= 0))
		fail_msg("offset %lld of the error \"%s\"", (long long)error.offset, error.message);
	assert_true(error.offset <= (int64_t)strlen(text));
	assert_null(model);
}

typedef struct wrong {
	const char *from;
	const char *to;
	const char *says;
	score_status status; /* 0: SCORE_ERR_CORRUPT */
	bool nowhere;        /* the error has no offset */
} wrong;

static void refuse_all(const char *text, const wrong *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *bad = replaced_once(text, cases[i].from, cases[i].to);
		refused(bad, cases[i].status ? cases[i].status : SCORE_ERR_CORRUPT, cases[i].says, !cases[i].nowhere);
		free(bad);
	}
}

#define REFUSE_ALL(text, cases) refuse_all(text, cases, sizeof cases / sizeof cases[0])

/* ---- what is wrong with trees ------------------------------------------------------------------- */

static void refuses_wrong_trees(void **state)
{
	static const wrong cases[] = {
		{"\"left_children\":[1,-1,3,-1,-1],", "", "tree 0 has no \"left_children\"", 0, false},
		{"\"split_conditions\":[0.5,1E0,2E0,4E0,8E0],", "", "no \"split_conditions\"", 0, false},
		{"\"default_left\":[1,0,0,0,0],", "", "no \"default_left\"", 0, false},
		{"[1,-1,3,-1,-1]", "[1,-1,3,-1]", "\"left_children\" has 4 elements, expected 5", 0, false},
		{"[0.5,1E0,2E0,4E0,8E0]", "[0.5,1E0,2E0,4E0,8E0,1]", "\"split_conditions\" has 6 elements", 0, false},
		{"[0,0,1,0,0]", "[0,0,1,0]", "\"split_indices\" has 4", 0, false},
		{"[1,0,0,0,0]", "[1]", "\"default_left\" has 1", 0, false},
		{"[1,0,0,0,0]", "[2,0,0,0,0]", "\"default_left\": expected 0 or 1", 0, false},
		{"\"split_type\":[0,0,0,0,0]", "\"split_type\":[0,0]", "\"split_type\" has 2", 0, false},
		{"\"split_type\":[0,0,0,0,0]", "\"split_type\":[2,0,0,0,0]", "0 (numerical) or 1 (categorical)", 0,
			false},
		{"[1,-1,3,-1,-1]", "[1,-1,5,-1,-1]", "node 2, \"left_children\": the child is no node", 0, false},
		{"[1,-1,3,-1,-1]", "[1,-1,-2,-1,-1]", "the child is no node", 0, false},
		{"[1,-1,3,-1,-1]", "[1,-1,4294967299,-1,-1]", "the child is no node", 0, false},
		{"[2,-1,4,-1,-1]", "[2,-1,9,-1,-1]", "\"right_children\": the child is no node", 0, false},
		{"[2,-1,4,-1,-1]", "[4,-1,4,-1,-1]", "does not stand behind the left one", 0, false},
		{"\"left_children\":[1,-1,3,-1,-1],\"right_children\":[2,-1,4,-1,-1]",
			"\"left_children\":[1,-1,1,-1,-1],\"right_children\":[2,-1,2,-1,-1]",
			"tree 0: node 1 is reached twice", 0, false},
		{"\"left_children\":[1,-1,3,-1,-1],\"right_children\":[2,-1,4,-1,-1]",
			"\"left_children\":[0,-1,3,-1,-1],\"right_children\":[1,-1,4,-1,-1]", "node 0 is reached twice",
			0, false},
		{"[0,0,1,0,0]", "[2,0,1,0,0]", "tree 0: node 0 tests feature 2, the model has 2", 0, false},
		{"[0,0,1,0,0]", "[-2,0,1,0,0]", "the feature number is negative", 0, false},
		{"[0,0,1,0,0]", "[0,2147483647,1,0,0]", "the child was deleted", 0, false},
		{"[0,0,1,0,0]", "[-1,0,1,0,0]", "the root was deleted", 0, false},
		{"[0,0,1,0,0]", "[4294967295,0,1,0,0]", "the root was deleted", 0, false},
		{"[0,0,1,0,0]", "[4294967296,0,1,0,0]", "negative or too large", 0, false},
		{"[0,0,1,0,0]", "[0,0,2147483647,0,0]", "the child was deleted", 0, false},
		{"\"size_leaf_vector\":\"1\"", "\"size_leaf_vector\":\"99999999999\"", "\"size_leaf_vector\" is 99999999999", 0, false},
		{"\"num_deleted\":\"0\"", "\"num_deleted\":\"1\"", "has 0 deleted nodes, but \"num_deleted\" is 1", 0,
			false},
		{"\"id\":0", "\"id\":0,\"sum_hessian\":[5,2,3,1]", "\"sum_hessian\" has 4 elements, expected 5", 0, false},
		{"\"id\":0", "\"id\":0,\"sum_hessian\":[5,2,3,1,\"x\"]", "expected numbers", 0, false},
		{"\"num_nodes\":\"5\"", "\"num_nodes\":\"6\"", "has 5 elements, expected 6", 0, false},
		{"\"num_nodes\":\"5\"", "\"num_nodes\":\"0\"", "\"num_nodes\" is 0 or missing", 0, false},
		{"\"num_nodes\":\"5\",", "", "\"num_nodes\" is 0 or missing", 0, false},
		{"\"num_nodes\":\"5\"", "\"num_nodes\":\"99999999999\"", "\"num_nodes\" is 99999999999", 0, false},
		{"\"num_nodes\":\"5\"", "\"num_nodes\":\"five\"", "\"num_nodes\": expected a whole number", 0, false},
		{"\"id\":0", "\"id\":7", "tree 0 has the id 7", 0, false},
		{"\"size_leaf_vector\":\"1\"", "\"size_leaf_vector\":\"-3\"", "\"size_leaf_vector\" is -3", 0, false},
		{"\"size_leaf_vector\":\"1\"", "\"size_leaf_vector\":\"2\"", "expected the vectors of all leaves", 0,
			false},
		{"\"size_leaf_vector\":\"1\"", "\"size_leaf_vector\":\"1\",\"num_nodes\":\"5\"", "there twice", 0,
			false},
		{"[0.5,1E0,2E0,4E0,8E0]", "[0.5,\"1\",2E0,4E0,8E0]", "expected numbers that are float", 0, false},
		{"[0.5,1E0,2E0,4E0,8E0]", "[0.5,null,2E0,4E0,8E0]", "expected numbers that are float", 0, false},
		{"[0.5,1E0,2E0,4E0,8E0]", "[[0.5],1E0,2E0,4E0,8E0]", "\"split_conditions\": expected no array here",
			0, false},
		{"[0.5,1E0,2E0,4E0,8E0]", "[{},1E0,2E0,4E0,8E0]", "expected no object here", 0, false},
		{"[1,-1,3,-1,-1]", "[1.5,-1,3,-1,-1]", "\"left_children\": expected whole numbers", 0, false},
		{"[1,-1,3,-1,-1]", "[99999999999999999999,-1,3,-1,-1]", "expected whole numbers", 0, false},
		{"[1,-1,3,-1,-1]", "{\"1\":2}", "\"left_children\": expected no object here", 0, false},
		{"[1,-1,3,-1,-1]", "7", "\"left_children\": expected an object or an array", 0, false},
	};
	(void)state;
	REFUSE_ALL(trees_file, cases);
}

static void refuses_wrong_categories(void **state)
{
	static const wrong cases[] = {
		{"\"categories_sizes\":[2]", "\"categories_sizes\":[3]", "the set is empty or reaches behind", 0,
			false},
		{"\"categories_sizes\":[2]", "\"categories_sizes\":[0]", "the set is empty", 0, false},
		{"\"categories_sizes\":[2]", "\"categories_sizes\":[-1]", "the set is empty", 0, false},
		{"\"categories_sizes\":[2]", "\"categories_sizes\":[]",
			"\"categories_sizes\" has 0 elements, expected 1", 0, false},
		{"\"categories_segments\":[0],", "", "tree 1 has no \"categories_segments\"", 0, false},
		{"\"categories_segments\":[0]", "\"categories_segments\":[3]", "behind the categories", 0, false},
		{"\"categories_segments\":[0]", "\"categories_segments\":[-1]", "begins inside another one", 0,
			false},
		{"\"categories_nodes\":[0],\"categories_segments\":[0],\"categories_sizes\":[2]",
			"\"categories_nodes\":[0,1],\"categories_segments\":[0,1],\"categories_sizes\":[2,1]",
			"inside another one", 0, false},
		{"\"categories_nodes\":[0]", "\"categories_nodes\":[3]", "ascending numbers of nodes", 0, false},
		{"\"categories_nodes\":[0]", "\"categories_nodes\":[-1]", "ascending numbers of nodes", 0, false},
		{"\"categories_nodes\":[0],\"categories_segments\":[0],\"categories_sizes\":[2]",
			"\"categories_nodes\":[0,0],\"categories_segments\":[0,1],\"categories_sizes\":[1,1]",
			"ascending", 0, false},
		{"\"categories_nodes\":[0],\"categories_segments\":[0],\"categories_sizes\":[2]",
			"\"categories_nodes\":[],\"categories_segments\":[],\"categories_sizes\":[]", "split has no set",
			0, false},
		{"\"split_type\":[1,0,0]", "\"split_type\":[0,0,0]", "the node's split is not categorical", 0, false},
		{"\"categories\":[3,7]", "\"categories\":[3,-7]", "categories from 0 to 16777215", 0, false},
		{"\"categories\":[3,7]", "\"categories\":[3,16777216]", "categories from 0 to 16777215", 0, false},
		{"\"categories\":[3,7],", "", "tree 1 has no \"categories\"", 0, false},
	};
	(void)state;
	REFUSE_ALL(trees_file, cases);
}

/* ---- what is wrong around them ------------------------------------------------------------------ */

static void refuses_wrong_heads(void **state)
{
	static const wrong cases[] = {
		{"\"num_trees\":\"2\"", "\"num_trees\":\"3\"", "\"num_trees\" is 3 or missing, but the model has 2",
			0, false},
		{",\"num_trees\":\"2\"", "", "\"num_trees\" is -1 or missing", 0, true},
		{"\"tree_info\":[0,0]", "\"tree_info\":[0]", "\"tree_info\" has 1 elements for 2 trees", 0, false},
		{"\"tree_info\":[0,0],", "", "\"tree_info\" has 0 elements", 0, true},
		{"\"tree_info\":[0,0]", "\"tree_info\":[0,1]", "tree 1 adds to output 1 of 1", 0, false},
		{"\"tree_info\":[0,0]", "\"tree_info\":[-1,0]", "tree 0 adds to output -1", 0, false},
		{"[0,1,2]", "[0,1,3]", "\"iteration_indptr\" must ascend from 0", 0, false},
		{"[0,1,2]", "[1,1,2]", "\"iteration_indptr\" must ascend", 0, false},
		{"[0,1,2]", "[0,3,2]", "\"iteration_indptr\" must ascend", 0, false},
		{"[0,1,2]", "[]", "\"iteration_indptr\" must ascend", 0, false},
		{"\"name\":\"gbtree\"", "\"name\":\"gbforest\"", "the booster \"gbforest\" is not supported",
			SCORE_ERR_UNSUPPORTED, false},
		{",\"name\":\"gbtree\"", "", "no learner.gradient_booster.name", 0, true},
		{"reg:squarederror", "reg:expectileerror", "the objective \"reg:expectileerror\"",
			SCORE_ERR_UNSUPPORTED, false},
		{"\"name\":\"reg:squarederror\",", "", "no learner.objective.name", 0, true},
		{"\"num_feature\":\"2\",\"num_target\"", "\"num_target\"", "\"num_feature\" is -1 or missing", 0,
			true},
		{"\"num_feature\":\"2\",\"num_target\"", "\"num_feature\":\"0\",\"num_target\"", "n_features is 0",
			SCORE_ERR_LIMIT, true},
		{"\"num_feature\":\"2\",\"num_target\"", "\"num_feature\":\"3\",\"num_target\"",
			"\"feature_names\" has 2 elements for 3 features", 0, false},
		{"[\"float\",\"c\"]", "[\"float\"]", "\"feature_types\" has 1 elements for 2", 0, false},
		{"[\"a\",\"b\"]", "[\"a\",\"a\"]", "", SCORE_ERR_ARGUMENT, true},
		{"[\"a\",\"b\"]", "[\"a\",2]", "\"feature_names\": expected strings", 0, false},
		{"[\"a\",\"b\"]", "[\"a\",\"b\\u0000c\"]", "a string with a zero byte", 0, false},
		{"{\"note\":\"x\"}", "{\"note\":1}", "\"attributes\": expected strings", 0, false},
		{"{\"note\":\"x\"}", "{\"note\":{}}", "\"attributes\": expected no object here", 0, false},
		{"{\"note\":\"x\"}", "{\"\":\"x\"}", "metadata key", 0, false},
		{"{\"note\":\"x\"}", "[]", "\"attributes\": expected no array here", 0, false},
		{"\"num_class\":\"0\"", "\"num_class\":\"-1\"", "\"num_class\" is -1", 0, false},
		{"\"num_class\":\"0\"", "\"num_class\":\"2147483648\"", "\"num_class\" is 2147483648", 0, false},
		{"\"num_class\":\"0\"", "\"num_class\":\"70000\"", "n_outputs is 70000", SCORE_ERR_LIMIT, true},
		{"\"num_class\":\"0\",\"num_feature\":\"2\",\"num_target\":\"1\"",
			"\"num_class\":\"3\",\"num_feature\":\"2\",\"num_target\":\"2\"",
			"3 classes and 2 targets; supported is one of \"num_class\" and \"num_target\" above 1",
			SCORE_ERR_UNSUPPORTED, false},
		{"reg:squarederror", "reg:newer", "the objective \"reg:newer\" is not supported; supported are those of XGBoost",
			SCORE_ERR_UNSUPPORTED, false},
		{"\"base_score\":\"5E-1\",", "", "\"base_score\" is \"\" or missing", 0, true},
		{"\"5E-1\"", "\"half\"", "\"base_score\" is \"half\"", 0, false},
		{"\"5E-1\"", "\"[\"", "\"base_score\" is \"[\"", 0, false},
		{"\"5E-1\"", "\"[5E-1\"", "\"base_score\" is \"[5E-1\"", 0, false},
		{"\"5E-1\"", "\"[5E-1,2E-1]\"", "expected 1 or 1 numbers", 0, false},
		{"\"5E-1\"", "\"5E-1,2E-1\"", "\"base_score\" is", 0, false},
		{"\"5E-1\"", "\"[]\"", "\"base_score\" is \"[]\"", 0, false},
		{"\"5E-1\"", "\"nan\"", "has no margin under reg:squarederror", 0, false},
		{"\"5E-1\"", "\"1E99\"", "has no margin", 0, false},
		{"\"5E-1\"", "5E-1", "\"base_score\": expected a string", 0, false},
		{"\"version\":[3,2,0]", "\"learner\":{}", "\"learner\": the key is there twice", 0, false},
		{"\"version\":[3,2,0]", "\"Model\":{\"learner\":{}}", "the key is there twice", 0, false},
		{"\"tree_info\":[0,0]", "\"tree_info\":[0,0],\"tree_info\":[0,0]",
			"\"tree_info\": the key is there twice", 0, false},
		{"\"tree_info\":[0,0]", "\"tree_info\":[0,0],\"weight_drop\":[1E0]",
			"\"weight_drop\" has 1 elements for 2", 0, false},
		{"\"trees\":[", "\"trees\":[7,", "\"trees\": expected objects", 0, false},
		{"\"trees\":[", "\"trees\":[[],", "\"trees\": expected no array here", 0, false},
		{"\"version\":[3,2,0]", "\"version\":[3,2,0]}}", "not valid JSON", 0, false},
		{"\"version\":[3,2,0]", "\"version\":[3,2,0", "not valid JSON", 0, false},
		{"\"version\":[3,2,0]", "\"x\":[3,2,NaNa]", "not valid JSON", 0, false},
		{"\"version\":[3,2,0]", "\"x\":[1NaN]", "not valid JSON", 0, false},
		{"\"version\":[3,2,0]", "\"x\":[+Infinity]", "not valid JSON", 0, false},
		{"\"version\":[3,2,0]", "\"x\":\"\xFF\"", "not valid JSON", 0, false},
	};
	static const wrong logistic[] = {
		{"\"5E-1\"", "\"1.5\"", "has no margin under binary:logistic", 0, false},
		{"\"5E-1\"", "\"-1E-3\"", "has no margin under binary:logistic", 0, false},
	};
	static const wrong poisson[] = {
		{"\"5E-1\"", "\"-1\"", "has no margin under count:poisson", 0, false},
	};
	(void)state;
	REFUSE_ALL(trees_file, cases);
	char *text = replaced_once(trees_file, "reg:squarederror", "binary:logistic");
	REFUSE_ALL(text, logistic);
	free(text);
	text = replaced_once(trees_file, "reg:squarederror", "count:poisson");
	REFUSE_ALL(text, poisson);
	free(text);
}

/* Files before 2.0 do not say which trees are an iteration. */
static void refuses_wrong_iterations_of_old_files(void **state)
{
	static const wrong cases[] = {
		{"\"num_parallel_tree\":\"1\"", "\"num_parallel_tree\":\"0\"", "with \"num_parallel_tree\" 0", 0, false},
		{"\"num_parallel_tree\":\"1\"", "\"num_parallel_tree\":\"3\"", "2 trees cannot be iterations of 1 outputs", 0, false},
		{"\"num_parallel_tree\":\"1\"", "\"num_parallel_tree\":\"2147483648\"", "cannot be iterations", 0, false},
	};
	char *old = replaced_once(trees_file, "\"iteration_indptr\":[0,1,2],", "");
	(void)state;
	REFUSE_ALL(old, cases);
	free(old);
}

/* Trees with leaves of two values; the second output has no tree of its own. */
static void refuses_wrong_leaf_vectors(void **state)
{
	static const wrong cases[] = {
		{"\"right_children\":[2,-1,4,-1,-1]", "\"leaf_weights\":[1,2,3,4],\"right_children\":[2,0,4,1,2]", "the leaf's vector does not exist", 0, false},
		{"\"right_children\":[2,-1,4,-1,-1]", "\"leaf_weights\":[1,2,3,4],\"right_children\":[2,0,4,1,1]", "the leaf's vector does not exist", 0, false},
		{"\"right_children\":[2,-1,4,-1,-1]", "\"leaf_weights\":[1,2,3,4],\"right_children\":[2,0,4,1,-1]", "the leaf's vector does not exist", 0, false},
		{"\"right_children\":[2,-1,4,-1,-1]", "\"leaf_weights\":[1,2,3],\"right_children\":[2,0,4,1,2]", "expected the vectors of all leaves", 0, false},
		{"\"num_target\":\"1\"", "\"num_target\":\"3\"", "tree 0 has leaves of 2 values, the model has 3 outputs", 0, false},
	};
	char *vectors = replaced_once(trees_file, "\"size_leaf_vector\":\"1\"", "\"size_leaf_vector\":\"2\"");
	char *text = replaced_once(vectors, "\"base_weights\":[0,0,0,0,0]", "\"base_weights\":[0,0,1,2,0,0,3,4,5,6]");
	(void)state;
	REFUSE_ALL(text, cases);
	free(text);
	free(vectors);
}

/* Names, attributes and nesting without end. */
static void bounds_what_it_keeps(void **state)
{
	const size_t size = (size_t)1 << 17;
	char *many = malloc(size);
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	const double missing = 1;
	score_model *model;
	score_error error;
	(void)state;
	assert_non_null(many);
	memset(many, 'n', 70000);
	memcpy(many, "[\"", 2);
	memcpy(many + 70000, "\",\"b\"]", 7);
	wrong last = {"[\"a\",\"b\"]", many, "the name of feature 0 has 69998 bytes", SCORE_ERR_LIMIT, false};
	refuse_all(trees_file, &last, 1);
	size_t n = (size_t)snprintf(many, size, "{");
	for (int i = 0; i < 4097; i++)
		n += (size_t)snprintf(many + n, size - n, "\"k%d\":\"v\"%s", i, i < 4096 ? "," : "}");
	last = (wrong){"{\"note\":\"x\"}", many, "more than 4096 attributes", SCORE_ERR_LIMIT, false};
	refuse_all(trees_file, &last, 1);
	n = 0;
	for (int i = 0; i < 20; i++)
		n += (size_t)snprintf(many + n, size - n, "\"Model\":{");
	snprintf(many + n, size - n, "\"x\":1}}}}}}}}}}}}}}}}}}}},\"version\":[3,2,0]");
	last = (wrong){"\"version\":[3,2,0]", many, "nested too deep", 0, false};
	refuse_all(trees_file, &last, 1);
	free(many);
	char *none = replaced_once(trees_file, "\"num_feature\":\"2\",\"num_target\"", "\"num_feature\":\"0\",\"num_target\"");
	options.missing = &missing;
	assert_int_equal(import_text(none, strlen(none), SCORE_FORMAT_XGBOOST_JSON, &options, &model, &error), SCORE_ERR_LIMIT);
	assert_non_null(strstr(error.message, "n_features is 0"));
	free(none);
}

/* Saved before it was trained, with the list of iterations as one release or another writes it. */
static void refuses_untrained_models(void **state)
{
	static const char list[] = "\"iteration_indptr\":[0],", says[] = "the model was not trained: it has no trees";
	static const wrong cases[] = {
		{list, "\"iteration_indptr\":[],", says, SCORE_ERR_UNSUPPORTED, true},
		{list, "", says, SCORE_ERR_UNSUPPORTED, true},
		{list, "\"iteration_indptr\":[1],", "must ascend from 0 to the number of trees, 0", 0, false},
	};
	(void)state;
	refused(untrained_file, SCORE_ERR_UNSUPPORTED, says, false);
	REFUSE_ALL(untrained_file, cases);
}

static void refuses_wrong_linear_models(void **state)
{
	static const wrong cases[] = {
		{"[2E0,3E0,1E-1]", "[2E0,3E0]", "gblinear has 2 weights, expected 3", 0, false},
		{"\"weights\":[2E0,3E0,1E-1],", "", "gblinear has 0 weights", 0, true},
		{"[2E0,3E0,1E-1]", "[]", "the model was not trained: it has no weights", SCORE_ERR_UNSUPPORTED, false},
	};
	static const wrong too_deep[] = {
		{"\"boosted_rounds\":3", NULL, "nested more than", SCORE_ERR_LIMIT, false}};
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	score_model *model;
	score_error error;
	char deep[512] = "\"x\":";
	(void)state;
	REFUSE_ALL(linear_file, cases);
	memset(deep + 4, '[', 200);
	wrong last = too_deep[0];
	last.to = deep;
	refuse_all(linear_file, &last, 1);
	for (uint32_t begin = 0; begin < 2; begin++) {
		options.iteration_begin = begin;
		options.iteration_end = 1 - begin;
		assert_int_equal(
			import_text(linear_file, sizeof linear_file - 1, SCORE_FORMAT_XGBOOST_JSON, &options, &model, &error),
			SCORE_ERR_ARGUMENT);
		assert_non_null(strstr(error.message, "gblinear model has no iterations"));
	}
}

/* ---- odd, but right ----------------------------------------------------------------------------- */

static double margin_of(const char *text, const score_import_options *options, double a, double b)
{
	const double row[] = {a, b};
	double out[3];
	score_error error;
	score_model *model;
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_MARGIN;
	if (import_text(text, strlen(text), SCORE_FORMAT_XGBOOST_JSON, options, &model, &error) != SCORE_OK)
		fail_msg("%s at %lld", error.message, (long long)error.offset);
	score_input in = score_input_rows_f64(row, 1, 2);
	assert_int_equal(score_batch(model, &in, out, 3, &o, &error), SCORE_OK);
	score_model_free(model);
	return out[0];
}

static void same_margin(double got, double expected)
{
	if (memcmp(&got, &expected, sizeof got) != 0)
		fail_msg("%a instead of %a", got, expected);
}

static void margin_is(const char *from, const char *to, double a, double b, double expected)
{
	char *text = replaced_once(trees_file, from, to);
	same_margin(margin_of(text, NULL, a, b), expected);
	free(text);
}

/* Tree 0: a < 0.5 gives 1, else b < 2 gives 4, else 8; missing a goes left. Tree 1: b in {3, 7} gives 32,
 * else 16. */
static void reads_odd_spellings(void **state)
{
	(void)state;
	same_margin(margin_of(trees_file, NULL, 0.0, 7.0), 33.5);
	same_margin(margin_of(trees_file, NULL, NAN, -0.5), 17.5);
	same_margin(margin_of(trees_file, NULL, 0.5 - 1e-12, 7.9), 40.5);
	margin_is("\"5E-1\"", "\"(0.5)\"", 0.0, 7.0, 33.5);
	margin_is("\"5E-1\"", "\"[ 5E-1 ]\"", 0.0, 7.0, 33.5);
	margin_is("[0.5,1E0,2E0,4E0,8E0]", "[Infinity,-Infinity,2,4,NaN]", 1.0, 7.0, -INFINITY);
	margin_is("[0.5,1E0,2E0,4E0,8E0]", "[ -Infinity,1,NaN ,4,8.000000000000000000]", 1.0, -7.0, 24.5);
	margin_is("[0.5,1E0,2E0,4E0,8E0]", "[1.1754943E-38,1,2,4,0.1]", 0.0, 7.0, 33.5);
	margin_is("\"note\":\"x\"", "\"note\":\"NaN \\\" -Infinity \\\\\"", 0.0, 7.0, 33.5);
	margin_is("\"note\":\"x\"", "\"note\":\"x\",\"note\":\"\\u00fc\\uD83D\\uDE00\"", 0.0, 7.0, 33.5);
	margin_is("\"version\":[3,2,0]", "\"version\":[3,2,0],\"new\":{\"trees\":[[{},NaN]],\"id\":[null,true]}",
		0.0, 7.0, 33.5);
	margin_is(
		"\"default_left\":[1,0,0,0,0]", "\"default_left\":[true,false,false,false,false]", NAN, 0.0, 17.5);
	margin_is("\"id\":0,", "", 0.0, 7.0, 33.5);
	margin_is("\"split_type\":[0,0,0,0,0],", "", 0.0, 7.0, 33.5);
	margin_is("\"iteration_indptr\":[0,1,2],", "", 0.0, 7.0, 33.5);
	margin_is("\"feature_types\":[\"float\",\"c\"],", "", 0.0, 7.0, 33.5);
	margin_is("\"feature_names\":[\"a\",\"b\"],", "", 0.0, 7.0, 33.5);
	margin_is("\"feature_names\":[\"a\",\"b\"]", "\"feature_names\":[]", 0.0, 7.0, 33.5);
	margin_is("\"iteration_indptr\":[0,1,2]", "\"iteration_indptr\":[0,0,2]", 0.0, 7.0, 33.5);
	margin_is("\"enc\":[]", "\"enc\":[{\"offsets\":[0,1],\"values\":[97]},{\"values\":[]}]", 0.0, 7.0, 33.5);
	margin_is("\"num_target\":\"1\"", "\"num_target\":\"0\"", 0.0, 7.0, 33.5);
	margin_is("\"sorted_idx\":[]", "\"sorted_idx\":[],\"x\":[]", 0.0, 7.0, 33.5);
	/* A leaf that the file gives a set keeps its value. */
	margin_is("\"categories_nodes\":[0],\"categories_segments\":[0],\"categories_sizes\":[2]",
		"\"categories_nodes\":[0,1],\"categories_segments\":[0,1],\"categories_sizes\":[1,1]", 0.0, 7.0, 17.5);
	/* Nodes that nothing leads to are not looked at. */
	margin_is("\"left_children\":[1,-1,3,-1,-1]", "\"left_children\":[1,-1,-1,-1,-1]", 1.0, 7.0, 34.5);
	char *text = replaced_once(trees_file, "{\"learner\"", "\xEF\xBB\xBF\n{\"learner\"");
	same_margin(margin_of(text, NULL, 0.0, 7.0), 33.5);
	free(text);
	text = replaced_once(
		trees_file, "{\"learner\"", "{\"Config\":{\"learner\":{\"version\":1}},\"Model\":{\"learner\"");
	char *closed = replaced_once(text, "[3,2,0]}", "[3,2,0]}}");
	same_margin(margin_of(closed, NULL, 0.0, 7.0), 33.5);
	free(text);
	free(closed);
}

/* Probabilities of 0 and 1 count as a millionth beside them; quantiles are sorted since 3.4. */
static void takes_base_scores_and_links_by_objective(void **state)
{
	char *logistic = replaced_once(trees_file, "reg:squarederror", "binary:logistic");
	char *zero = replaced_once(logistic, "5E-1", "0"), *one = replaced_once(logistic, "5E-1", "1");
	const float low = -logf(1.0f / 1e-6f - 1.0f), high = -logf(1.0f / (1.0f - 1e-6f) - 1.0f);
	char *two = replaced_once(trees_file, "\"num_target\":\"1\"", "\"num_target\":\"2\"");
	char *crossed = replaced_once(two, "\"tree_info\":[0,0]", "\"tree_info\":[1,0]");
	char *quantile = replaced_once(crossed, "reg:squarederror", "reg:quantileerror");
	(void)state;
	same_margin(margin_of(zero, NULL, 0.0, 7.0), (double)(low + 1.0f + 32.0f));
	same_margin(margin_of(one, NULL, 0.0, 7.0), (double)(high + 1.0f + 32.0f));
	for (int minor = 3; minor < 6; minor++) {
		const float row[] = {0.0f, 7.0f};
		char version[32];
		double out[2];
		score_model *model;
		score_error error;
		snprintf(version, sizeof version, "[3,%d,0]", minor);
		char *text = replaced_once(quantile, "[3,2,0]", version);
		assert_int_equal(import_text(text, strlen(text), SCORE_FORMAT_XGBOOST_JSON, NULL, &model, &error), SCORE_OK);
		score_input in = score_input_rows_f32(row, 1, 2);
		assert_int_equal(score_batch(model, &in, out, 2, NULL, &error), SCORE_OK);
		same_margin(out[0], minor < 4 ? 32.5 : 1.5);
		same_margin(out[1], minor < 4 ? 1.5 : 32.5);
		score_model_free(model);
		free(text);
	}
	free(logistic);
	free(zero);
	free(one);
	free(two);
	free(crossed);
	free(quantile);
}

/* A text with escapes that is longer than the JSON reader's first buffer. */
static void keeps_long_texts(void **state)
{
	char note[6000] = "\"note\":\"\\u00fc", wanted[6000] = "\xC3\xBC";
	const size_t head = strlen(note), begin = strlen(wanted), n = 5000;
	score_model *model;
	score_error error;
	(void)state;
	for (size_t i = 0; i < n; i++)
		note[head + i] = wanted[begin + i] = (char)('a' + i % 26);
	memcpy(note + head + n, "\\n\"", 4);
	memcpy(wanted + begin + n, "\n", 2);
	char *text = replaced_once(trees_file, "\"note\":\"x\"", note);
	assert_int_equal(import_text(text, strlen(text), SCORE_FORMAT_XGBOOST_JSON, NULL, &model, &error), SCORE_OK);
	assert_string_equal(score_model_metadata_get(model, "note"), wanted);
	score_model_free(model);
	free(text);
}

static void knows_covers(void **state)
{
	static const char *const cases[] = {"\"id\":0,\"sum_hessian\":[]", "\"id\":0,\"sum_hessian\":[5,2,3,1,2]"};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *text = replaced_once(trees_file, "\"id\":0", cases[i]);
		char *both = replaced_once(text, "\"id\":1", "\"id\":1,\"sum_hessian\":[2,1,1]");
		score_model_info info = {.struct_size = sizeof info};
		score_model *model;
		score_error error;
		assert_int_equal(import_text(both, strlen(both), SCORE_FORMAT_XGBOOST_JSON, NULL, &model, &error), SCORE_OK);
		assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
		assert_int_equal(info.has_covers, i); /* of all trees, or none */
		score_model_free(model);
		free(text);
		free(both);
	}
}

static void takes_weights_of_dart_from_three_places(void **state)
{
	(void)state;
	same_margin(margin_of(dart_file, NULL, 0.0, 7.0), 0.5 + 1 + 16);
	margin_is(",\"name\":\"gbtree\"", ",\"weight_drop\":[1E0,5E-1],\"name\":\"gbtree\"", 0.0, 7.0, 17.5);
	margin_is("\"tree_info\":[0,0]", "\"tree_info\":[0,0],\"weight_drop\":[1E0,5E-1]", 0.0, 7.0, 17.5);
	margin_is("\"tree_info\":[0,0]", "\"tree_info\":[0,0],\"weight_drop\":[]", 0.0, 7.0, 33.5);
	/* leaf * weight is rounded before it is added: 32 * 0.1f */
	char *text = replaced_once(dart_file, "5E-1]", "0.1]");
	float product = 32.0f * 0.1f, sum = 1.5f + product;
	same_margin(margin_of(text, NULL, 0.0, 7.0), (double)sum);
	free(text);
}

static void sums_linear_models_from_the_bias(void **state)
{
	float sum = 0.1f + 0.5f;
	(void)state;
	sum = sum + 2.0f * 0.3f;
	same_margin(margin_of(linear_file, NULL, 0.3, NAN), (double)sum);
}

static void counts_a_value_as_missing(void **state)
{
	const double half = 0.5 + 1e-12; /* as float, 0.5 */
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	score_error error;
	score_model *model;
	(void)state;
	options.missing = &half;
	same_margin(margin_of(trees_file, &options, 0.5, 7.0), margin_of(trees_file, NULL, NAN, 7.0));
	same_margin(margin_of(trees_file, &options, 0.5, 0.5), margin_of(trees_file, NULL, NAN, NAN));
	same_margin(margin_of(trees_file, &options, NAN, 7.0), margin_of(trees_file, NULL, NAN, 7.0));
	same_margin(margin_of(trees_file, &options, 0.25, 7.0), margin_of(trees_file, NULL, 0.25, 7.0));
	same_margin(margin_of(linear_file, &options, 0.3, 0.5), margin_of(linear_file, NULL, 0.3, NAN));
	/* Feature 2 does not exist, but the first column made for a missing value would be called so. */
	char *bad = replaced_once(trees_file, "[0,0,1,0,0]", "[2,0,1,0,0]");
	assert_int_equal(import_text(bad, strlen(bad), SCORE_FORMAT_XGBOOST_JSON, &options, &model, &error), SCORE_ERR_CORRUPT);
	assert_non_null(strstr(error.message, "tree 0: node 0 tests feature 2, the model has 2"));
	assert_true(error.offset > 0);
	free(bad);
}

static void takes_a_range_of_iterations(void **state)
{
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	score_error error;
	score_model *model;
	(void)state;
	options.iteration_end = 1;
	same_margin(margin_of(trees_file, &options, 0.0, 7.0), 1.5);
	options.iteration_begin = 1;
	options.iteration_end = 2;
	same_margin(margin_of(trees_file, &options, 0.0, 7.0), 32.5);
	same_margin(margin_of(dart_file, &options, 0.0, 7.0), 16.5);
	char *old = replaced_once(trees_file, "\"iteration_indptr\":[0,1,2],", "");
	same_margin(margin_of(old, &options, 0.0, 7.0), 32.5);
	free(old);
	for (int i = 0; i < 2; i++) {
		options.iteration_begin = i ? 0 : 2;
		options.iteration_end = i ? 3 : 2;
		assert_int_equal(import_text(trees_file, sizeof trees_file - 1, SCORE_FORMAT_XGBOOST_JSON, &options,
							 &model, &error),
			SCORE_ERR_ARGUMENT);
		assert_non_null(strstr(error.message, "the model has 2"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_wrong_trees),
		cmocka_unit_test(refuses_wrong_categories),
		cmocka_unit_test(refuses_wrong_heads),
		cmocka_unit_test(refuses_wrong_iterations_of_old_files),
		cmocka_unit_test(refuses_wrong_leaf_vectors),
		cmocka_unit_test(bounds_what_it_keeps),
		cmocka_unit_test(refuses_untrained_models),
		cmocka_unit_test(refuses_wrong_linear_models),
		cmocka_unit_test(takes_base_scores_and_links_by_objective),
		cmocka_unit_test(keeps_long_texts),
		cmocka_unit_test(knows_covers),
		cmocka_unit_test(reads_odd_spellings),
		cmocka_unit_test(takes_weights_of_dart_from_three_places),
		cmocka_unit_test(sums_linear_models_from_the_bias),
		cmocka_unit_test(takes_a_range_of_iterations),
		cmocka_unit_test(counts_a_value_as_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
