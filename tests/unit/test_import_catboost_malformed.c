/*
 * CatBoost files that are wrong, one for every check of the importer. Each is a small valid model in which one
 * piece of text was replaced.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "import/importers.h"
#include "replaced.h"

#define HEAD \
	"{\"features_info\":{\"float_features\":[{\"borders\":[0.5,2],\"feature_id\":\"a\",\"feature_index\":0," \
	"\"flat_feature_index\":0,\"has_nans\":true,\"nan_value_treatment\":\"AsTrue\"},{\"borders\":[-1]," \
	"\"feature_id\":\"b\",\"feature_index\":1,\"flat_feature_index\":1,\"has_nans\":false," \
	"\"nan_value_treatment\":\"AsIs\"}]},\"model_info\":{\"params\":{\"loss_function\":{\"type\":\"Logloss\"}}," \
	"\"class_params\":{\"class_names\":[\"n\\\"o\",\"yes\"]}},\"scale_and_bias\":[2,[0.25]],"
#define SPLIT(feature, border, number) \
	"{\"border\":" border ",\"float_feature_index\":" feature ",\"split_index\":" number \
	",\"split_type\":\"FloatFeature\"}"

static const char symmetric_file[] = HEAD "\"oblivious_trees\":[{\"leaf_values\":[1,2,4,8],\"splits\":["
	SPLIT("0", "2", "1") "," SPLIT("1", "-1", "2") "]}]}";
static const char nodes_file[] = HEAD "\"trees\":[{\"left\":{\"value\":1,\"weight\":3},\"right\":{\"left\":{"
	"\"value\":2},\"right\":{\"value\":4},\"split\":" SPLIT("1", "-1", "2") "},\"split\":" SPLIT("0", "0.5", "0") "}]}";

static score_status import_text(const char *text, size_t size, score_model **out, score_error *error)
{
	score_builder *builder = NULL;
	score_status status = import_catboost(text, size, NULL, &builder, error);
	*out = NULL;
	assert_int_equal(status == SCORE_OK, builder != NULL);
	if (status == SCORE_OK)
		status = score_builder_finish(builder, out, error);
	score_builder_free(builder);
	return status;
}

typedef struct wrong {
	const char *from;
	const char *to;
	const char *says;
	score_status status; /* 0: SCORE_ERR_CORRUPT */
} wrong;

static void refuse_all(const char *text, const wrong *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *bad = replaced_once(text, cases[i].from, cases[i].to);
		score_status expected = cases[i].status ? cases[i].status : SCORE_ERR_CORRUPT;
		score_error error;
		score_model *model;
		score_status status = import_text(bad, strlen(bad), &model, &error);
		if (status != expected || !strstr(error.message, cases[i].says))
			fail_msg("%s -> %s: expected %s and \"%s\", got %s: %s", cases[i].from, cases[i].to,
				score_status_name(expected), cases[i].says, score_status_name(status),
				status == SCORE_OK ? "" : error.message);
		assert_null(model);
		free(bad);
	}
}

static void refuses_wrong_symmetric_files(void **state)
{
	static const wrong cases[] = {
		{"[0.5,2]", "[2,0.5]", "ascending order", 0},
		{"[0.5,2]", "[NaN,2]", "ascending order", 0},
		{"[0.5,2]", "[\"x\"]", "expected numbers", 0},
		{"[0.5,2]", "[{}]", "expected no object here", 0},
		{"[0.5,2]", "[0.5,3]", "\"split_index\" 1 is not the border", 0},
		{"\"feature_index\":1", "\"feature_index\":0", "expected 1", 0},
		{"\"flat_feature_index\":1", "\"flat_feature_index\":0", "belongs to two features", 0},
		{"\"flat_feature_index\":1", "\"flat_feature_index\":-1", "missing, negative or too large", 0},
		{"\"flat_feature_index\":1", "\"flat_feature_index\":2000000000", "goes up to", SCORE_ERR_LIMIT},
		{"\"flat_feature_index\":1,", "", "missing, negative or too large", 0},
		{"AsTrue", "AsMaybe", "expected AsIs, AsFalse or AsTrue", 0},
		{"\"has_nans\":true", "\"has_nans\":1.5", "expected a whole number", 0},
		{"\"feature_id\":\"a\"", "\"feature_id\":7", "expected a string", 0},
		{"Logloss", "NewLoss", "loss function \"NewLoss\"", SCORE_ERR_UNSUPPORTED},
		{"[2,[0.25]]", "[0,[0.25]]", "scale other than 0", 0},
		{"[2,[0.25]]", "[2,[NaN]]", "finite numbers", 0},
		{"[2,[0.25]]", "[2,[1,2]]", "has 2 biases", 0},
		{"[2,[0.25]]", "7", "expected an object or an array", 0},
		{"[1,2,4,8]", "[1,2,4]", "leaf values", 0},
		{"[1,2,4,8]", "[]", "leaf values", 0},
		{"[1,2,4,8]", "[1,2,4,8],\"leaf_weights\":[1,2,3]", "\"leaf_weights\" has 3 numbers for 4 leaves", 0},
		{"[1,2,4,8]", "[1,2,4,8],\"leaf_weights\":[1,2,3,\"x\"]", "expected numbers", 0},
		{"\"float_feature_index\":1", "\"float_feature_index\":5", "the model has 2 float features", 0},
		{"\"float_feature_index\":1", "\"float_feature_index\":-5", "missing, negative", 0},
		{"\"split_index\":2", "\"split_index\":7", "\"split_index\" 7", 0},
		{"\"border\":-1,\"fl", "\"fl", "expected one number", 0},
		{"\"border\":-1,\"fl", "\"border\":[-1],\"fl", "expected no array here", 0},
		{"\"border\":-1,\"fl", "\"border\":NaN,\"fl", "not NaN", 0},
		{"2,\"split_type\":\"FloatFeature\"", "2,\"split_type\":\"OneHotFeature\"", "\"value\": missing", 0},
		{"2,\"split_type\":\"FloatFeature\"", "2,\"split_type\":\"OnlineCtr\"", "is not the border -1 of a CTR", 0},
		{"2,\"split_type\":\"FloatFeature\"", "2,\"split_type\":\"Odd\"", "\"Odd\"", SCORE_ERR_UNSUPPORTED},
		{"2,\"split_type\":\"FloatFeature\"", "2", "\"split_type\": missing", 0},
		{"\"flat_feature_index\":1", "\"flat_feature_index\":2147483647", "missing, negative or too large", 0},
		{"\"feature_index\":1", "\"feature_index\":[1]", "expected no array here", 0},
		{"\"feature_id\":\"a\"", "\"feature_id\":[\"a\"]", "expected no array here", 0},
		{"\"feature_id\":\"a\"", "\"feature_id\":{}", "expected no object here", 0},
		{"\"feature_id\":\"a\"", "\"feature_id\":\"a\\u0000\"", "expected a string without zero bytes", 0},
		{"\"split_index\":2", "\"split_index\":0", "is not the border -1 of float feature 1", 0},
		{"\"split_index\":2", "\"split_index\":-9", "not negative", 0},
		{"\"float_feature_index\":1", "\"float_feature_index\":4294967296", "missing, negative or too large", 0},
		{"[2,[0.25]]", "[2,[[0.25]]]", "expected no array here", 0},
		{"[2,[0.25]]", "[2,[1e999]]", "finite numbers", 0},
		{"[2,[0.25]]", "[2,[true]]", "expected numbers", 0},
		{"[\"n\\\"o\",\"yes\"]", "[\"n\\u0000o\"]", "expected numbers or strings without zero bytes", 0},
		{"[\"n\\\"o\",\"yes\"]", "[null]", "expected numbers or strings without zero bytes", 0},
		{"[\"n\\\"o\",\"yes\"]", "\"yes\"", "expected an object or an array", 0},
		{"\"float_features\":", "\"text_features\":[7],\"float_features\":", "text_features", SCORE_ERR_UNSUPPORTED},
		{"[{\"leaf_values\":[1,2,4,8],", "[7,{\"leaf_values\":[1,2,4,8],", "expected objects", 0},
		{"\"float_features\":", "\"text_features\":[{}],\"float_features\":", "text_features", SCORE_ERR_UNSUPPORTED},
		{"\"float_features\":", "\"embedding_features\":[{}],\"float_features\":", "embedding_features",
			SCORE_ERR_UNSUPPORTED},
		{"\"oblivious_trees\":", "\"trees\":[],\"oblivious_trees\":", "both", 0},
		{"\"oblivious_trees\":", "\"forest\":", "neither", 0},
		{"\"model_info\":", "\"features_info\":{},\"model_info\":", "there twice", 0},
		{"[\"n\\\"o\",\"yes\"]", "[{}]", "expected no object here", 0},
	};
	(void)state;
	refuse_all(symmetric_file, cases, sizeof cases / sizeof cases[0]);
}

/* One category of 2 values, one float feature; right for "a", whose hash is 3489901818, then for 7. */
static const char category_file[] = "{\"features_info\":{\"categorical_features\":[{\"feature_id\":\"c\","
	"\"feature_index\":0,\"flat_feature_index\":1,\"values\":[-805065478,1,7]}],\"float_features\":[{\"borders\":[0.5],"
	"\"feature_id\":\"a\",\"feature_index\":0,\"flat_feature_index\":0}]},\"model_info\":{\"class_params\":{"
	"\"class_names\":[\"n\\\"o\",\"yes\"]}},\"oblivious_trees\":[{\"leaf_values\":[1,2,4,8],\"splits\":["
	"{\"cat_feature_index\":0,\"value\":-805065478,\"split_index\":1,\"split_type\":\"OneHotFeature\"},"
	"{\"cat_feature_index\":0,\"value\":7,\"split_index\":3,\"split_type\":\"OneHotFeature\"}]}]}";

/* A name, a depth, and columns beyond what models have. */
static void bounds_what_it_keeps(void **state)
{
	const size_t size = (size_t)1 << 17;
	char *text = malloc(size);
	wrong last[] = {{"\"feature_id\":\"b\"", text, "the name of feature 1 has 69999 bytes", SCORE_ERR_LIMIT}};
	(void)state;
	assert_non_null(text);
	memset(text, 'n', 70013);
	memcpy(text, "\"feature_id\":\"", 14);
	memcpy(text + 70013, "\"", 2);
	refuse_all(symmetric_file, last, 1);
	size_t n = (size_t)snprintf(text, size, "\"splits\":[");
	for (int i = 0; i < 25; i++)
		n += (size_t)snprintf(text + n, size - n, "%s,", SPLIT("0", "2", "1"));
	wrong deep[] = {{"\"splits\":[", text, "tree 0 has 4 leaf values; expected 1 for each leaf", 0}};
	refuse_all(symmetric_file, deep, 1);
	free(text);
	static const wrong none[] = {{"[{\"leaf_values\":[1,2,4,8],\"splits\":[" SPLIT("0", "2", "1") "," SPLIT("1", "-1", "2") "]}]", "[]",
		"the model is empty", SCORE_ERR_ARGUMENT}};
	refuse_all(symmetric_file, none, 1);
	static const wrong many[] = {{"\"oblivious_trees\":[{\"leaf_values\":[1,2,4,8],\"splits\":[" SPLIT("0", "2", "1") "," SPLIT("1", "-1", "2") "]}]",
		"\"oblivious_trees\":[],\"scale_and_bias_\":0", "the model is empty", SCORE_ERR_ARGUMENT}};
	char *three = replaced_once(symmetric_file, "[2,[0.25]]", "[2,[1,2,3]]");
	refuse_all(three, many, 1);
	free(three);
}

static void refuses_wrong_categories(void **state)
{
	static const wrong cases[] = {
		{"[-805065478,1,7]", "[-805065478,1.5,7]", "whole numbers of 32 bits", 0},
		{"[-805065478,1,7]", "[-3000000000,1,7]", "whole numbers of 32 bits", 0},
		{"[-805065478,1,7]", "[-805065478,1]", "\"split_index\" 3 is not the value 7", 0},
		{"[-805065478,1,7]", "[\"a\"]", "expected numbers", 0},
		{"\"value\":7", "\"value\":8", "\"split_index\" 3 is not the value 8", 0},
		{"\"value\":7", "\"value\":2147483648", "no number of 32 bits", 0},
		{"\"value\":7", "\"value\":\"a\"", "expected a whole number", 0},
		{"\"value\":7,", "", "\"value\": missing", 0},
		{"{\"cat_feature_index\":0,\"value\":7", "{\"cat_feature_index\":1,\"value\":7", "the model has 1 categorical", 0},
		{"{\"cat_feature_index\":0,\"value\":7", "{\"value\":7", "\"cat_feature_index\": missing", 0},
		{"\"split_index\":3", "\"split_index\":0", "is not the value 7", 0},
		{"\"split_index\":3", "\"split_index\":-2", "not negative", 0},
		{"\"split_index\":3", "\"split_index\":4", "is not the value 7", 0},
		{"\"flat_feature_index\":1", "\"flat_feature_index\":0", "belongs to two features", 0},
	};
	(void)state;
	refuse_all(category_file, cases, sizeof cases / sizeof cases[0]);
}

/* A CTR of one category and one of a category, a float above 0.5 and a value. The first table knows 7 rows of
 * "a", 6 of them of the second class; the second one 3 of 4 rows, of the hash 7 with both answers yes. */
#define HASH_A "16670418538649264618"   /* of the hash of "a" */
#define HASH_ABC "1177927097448006925" /* of the hash 7, and twice yes */
#define ELEMENT_C "{\"cat_feature_index\":0,\"combination_element\":\"cat_feature_value\"}"
static const char ctr_file[] = "{\"ctr_data\":{\"both\":{\"counter_denominator\":4,\"hash_map\":[\"" HASH_ABC
	"\",3],\"hash_stride\":2},\"one\":{\"hash_map\":[\"" HASH_A "\",1,6,\"18446744073709551615\",9,9],"
	"\"hash_stride\":3}},\"features_info\":{\"categorical_features\":[{\"feature_id\":\"c\",\"feature_index\":0,"
	"\"flat_feature_index\":1,\"values\":[7]}],\"float_features\":[{\"borders\":[0.5],\"feature_id\":\"a\","
	"\"feature_index\":0,\"flat_feature_index\":0,\"has_nans\":true,\"nan_value_treatment\":\"AsTrue\"}],\"ctrs\":["
	"{\"borders\":[5.5,6.75],\"ctr_type\":\"Borders\",\"elements\":[" ELEMENT_C "],\"identifier\":\"one\","
	"\"prior_denomerator\":1,\"prior_numerator\":0.5,\"scale\":8,\"shift\":0,\"target_border_idx\":0},"
	"{\"borders\":[3],\"ctr_type\":\"Counter\",\"elements\":[{\"cat_feature_index\":0,\"combination_element\":"
	"\"cat_feature_exact_value\",\"value\":7},{\"border\":0.5,\"combination_element\":\"float_feature\","
	"\"float_feature_index\":0}," ELEMENT_C "],\"identifier\":\"both\",\"prior_denomerator\":1,"
	"\"prior_numerator\":0,\"scale\":5,\"shift\":0.25,\"target_border_idx\":0}]},\"model_info\":{\"class_params\":{"
	"\"class_names\":[\"n\\\"o\",\"yes\"]}},\"oblivious_trees\":[{\"leaf_values\":[1,2,4,8],\"splits\":["
	"{\"border\":5.5,\"ctr_target_border_idx\":0,\"split_index\":2,\"split_type\":\"OnlineCtr\"},"
	"{\"border\":3,\"ctr_target_border_idx\":0,\"split_index\":4,\"split_type\":\"OnlineCtr\"}]}]}";

static void refuses_wrong_ctrs(void **state)
{
	static const wrong cases[] = {
		{"\"split_index\":2", "\"split_index\":3", "is not the border 5.5 of a CTR", 0},
		{"\"split_index\":2", "\"split_index\":5", "is not the border 5.5 of a CTR", 0},
		{"\"split_index\":2", "\"split_index\":1", "is not the border 5.5 of a CTR", 0},
		{"\"split_index\":2,", "", "\"split_index\": missing", 0},
		{"\"border\":5.5,\"ctr_t", "\"ctr_t", "expected one number", 0},
		{"idx\":0,\"split_index\":4", "idx\":1,\"split_index\":4", "is not the border 3 of a CTR", 0},
		{"\"ctr_type\":\"Counter\"", "\"ctr_type\":\"Odd\"", "CTRs of the type \"Odd\"", SCORE_ERR_UNSUPPORTED},
		{"\"ctr_type\":\"Counter\"", "\"ctr_type\":\"Borders\"", "does not fit the type", 0},
		{"\"ctr_type\":\"Borders\"", "\"ctr_type\":\"Counter\"", "does not fit the type", 0},
		{"cat_feature_exact_value", "text_feature", "\"text_feature\" are not supported", SCORE_ERR_UNSUPPORTED},
		{"\"elements\":[" ELEMENT_C "]", "\"elements\":[]", "at least one", 0},
		{"\"elements\":[" ELEMENT_C "]", "\"elements\":3", "expected an object or an array", 0},
		{"\"float_feature_index\":0}", "\"float_feature_index\":1}", "a feature that the model does not have", 0},
		{"{\"border\":0.5,\"comb", "{\"comb", "expected one number", 0},
		{"{\"border\":0.5,\"comb", "{\"border\":[0.5],\"comb", "expected no array here", 0},
		{"[5.5,6.75]", "[NaN,6.75]", "\"borders\": expected numbers", 0},
		{"\"target_border_idx\":0},", "\"target_border_idx\":-1},", "is none of the table's", 0},
		{"\"ctr_type\":\"Counter\"", "\"ctr_type\":\"FloatTargetMeanValue\"", "does not fit the type", 0},
		{"\"18446744073709551615\",9,9", "\"8\",9,3000000000", "expected whole numbers of 32 bits", 0},
		{"\"18446744073709551615\",9,9", "\"8\",9,NaN", "expected whole numbers of 32 bits", 0},
		{"\"18446744073709551615\",9,9", "\"8\",9,true", "expected hashes in quotes", 0},
		{"\"counter_denominator\":4", "\"counter_denominator\":-4000000000", "32 bits", 0},
		{"\"prior_numerator\":0.5,", "", "expected finite priors", 0},
		{"\"prior_numerator\":0.5,", "\"prior_numerator\":[1],", "expected no array here", 0},
		{"\"prior_numerator\":0.5,", "\"prior_numerator\":\"x\",", "expected a number", 0},
		{"\"shift\":0.25", "\"shift\":NaN", "expected finite priors", 0},
		{"\"target_border_idx\":0},", "\"target_border_idx\":1},", "is none of the table's", 0},
		{"\"identifier\":\"one\"", "\"identifier\":\"two\"", "no table of the CTR's", 0},
		{"\"one\":{", "\"both\":{", "a name is there twice", 0},
		{"\"18446744073709551615\"", "\"" HASH_A "\"", "a hash is there twice", 0},
		{"\"18446744073709551615\"", "\"18446744073709551616\"", "decimal number of 64 bits", 0},
		{"\"18446744073709551615\",9,9", "\"18446744073709551615\",9", "entries for each hash", 0},
		{"\"18446744073709551615\",9,9", "\"8\",9,\"18446744073709551615\",9", "as many numbers behind every hash", 0},
		{"\"18446744073709551615\",9,9", "\"8\",9,0.5", "expected whole numbers", 0},
		{"[\"" HASH_A "\",1,6,", "[1,", "expected hashes in quotes", 0},
		{"\"hash_stride\":3", "\"hash_stride\":1", "entries for each hash", 0},
		{"\"counter_denominator\":4", "\"counter_denominator\":4000000000", "32 bits", 0},
		{"\"model_info\":{", "\"model_info\":{\"params\":{\"loss_function\":{\"type\":\"MultiLogloss\"}},", "CTRs of several targets",
			SCORE_ERR_UNSUPPORTED},
		{"\"ctrs\":[", "\"ctrs\":[{\"ctr_type\":\"Borders\",\"elements\":[" ELEMENT_C "],\"identifier\":\"one\","
			"\"prior_denomerator\":1,\"prior_numerator\":0.5,\"scale\":8,\"shift\":0,\"target_border_idx\":0},",
			"sets of target borders", SCORE_ERR_UNSUPPORTED},
	};
	(void)state;
	refuse_all(ctr_file, cases, sizeof cases / sizeof cases[0]);
}

static void names_ctrs_without_tables(void **state)
{
	(void)state;
	const char *tables = strstr(ctr_file, "\"features_info\"");
	char text[sizeof ctr_file];
	assert_non_null(tables);
	snprintf(text, sizeof text, "{%s", tables);
	const wrong cases[] = {{"{\"features", "{\"features", "final_ctr_computation_mode=\"Default\"", SCORE_ERR_UNSUPPORTED}};
	refuse_all(text, cases, 1);
}

/* A table of 20000 hashes, or empty places, that 130 CTRs count by. */
static void refuse_shared_table(bool is_empty)
{
	const size_t size = (size_t)1 << 20;
	char *text = malloc(size);
	size_t n;
	score_error error;
	score_model *model;
	assert_non_null(text);
	n = (size_t)snprintf(text, size, "{\"ctr_data\":{\"t\":{\"counter_denominator\":4,\"hash_map\":[");
	for (int i = 0; i < 20000; i++)
		n += (size_t)snprintf(text + n, size - n, "%s\"%" PRIu64 "\",3", i ? "," : "", is_empty ? UINT64_MAX : (uint64_t)i);
	n += (size_t)snprintf(text + n, size - n, "],\"hash_stride\":2}},\"features_info\":{\"categorical_features\":[{\"feature_id\":\"c\","
		"\"feature_index\":0,\"flat_feature_index\":0}],\"ctrs\":[");
	for (int i = 0; i < 130; i++)
		n += (size_t)snprintf(text + n, size - n, "%s{\"borders\":[3],\"ctr_type\":\"Counter\",\"elements\":[" ELEMENT_C "],\"identifier\":\"t\","
			"\"prior_denomerator\":1,\"prior_numerator\":0,\"scale\":5,\"shift\":%d}", i ? "," : "", i * 7 % 130);
	snprintf(text + n, size - n, "]},\"oblivious_trees\":[]}");
	assert_int_equal(import_text(text, strlen(text), &model, &error), SCORE_ERR_LIMIT);
	assert_non_null(strstr(error.message, "many CTRs share large tables"));
	free(text);
}

static void bounds_what_ctrs_share(void **state)
{
	(void)state;
	refuse_shared_table(false);
	refuse_shared_table(true);
}

static void refuses_wrong_nodes(void **state)
{
	static const wrong cases[] = {
		{"\"value\":2", "\"valve\":2", "a node needs either", 0},
		{"\"value\":2", "\"value\":[]", "at least one number", 0},
		{"\"value\":2", "\"value\":[2,3]", "leaf values", 0},
		{"\"value\":2", "\"value\":2,\"left\":{\"value\":1}", "a node needs either", 0},
		{"\"left\":{\"value\":1,\"weight\":3},", "", "a node needs either", 0},
		{"\"left\":{\"value\":1,\"weight\":3}", "\"left\":[1]", "expected no array here", 0},
		{"\"left\":{\"value\":1,\"weight\":3}", "\"left\":3", "expected an object", 0},
		{",\"right\":{\"value\":4}", "", "a node needs either", 0},
		{"\"value\":2", "\"value\":2,\"right\":{\"value\":1}", "a node needs either", 0},
		{"\"value\":2", "\"value\":2,\"split\":" SPLIT("1", "-1", "2"), "a node needs either", 0},
		{"\"value\":2", "\"value\":\"x\"", "expected numbers", 0},
		{"\"float_feature_index\":1", "\"float_feature_index\":5", "the model has 2 float features", 0},
	};
	(void)state;
	refuse_all(nodes_file, cases, sizeof cases / sizeof cases[0]);
}

static void refuses_every_truncation(void **state)
{
	const char *const files[] = {symmetric_file, nodes_file, category_file, ctr_file};
	(void)state;
	for (int k = 0; k < 4; k++) {
		for (size_t size = 1; size < strlen(files[k]); size++) {
			score_error error;
			score_model *model;
			char *cut = malloc(size);
			assert_non_null(cut);
			memcpy(cut, files[k], size);
			assert_int_equal(import_text(cut, size, &model, &error), SCORE_ERR_CORRUPT);
			free(cut);
		}
	}
}

static void margin_is(const char *text, double a, double b, double expected)
{
	score_error error;
	score_model *model;
	double row[2] = {a, b}, out;
	score_options options = SCORE_OPTIONS_INIT;
	options.output = SCORE_OUTPUT_MARGIN;
	if (import_text(text, strlen(text), &model, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_string_equal(score_model_metadata_get(model, "class_labels"), "[\"n\\\"o\",\"yes\"]");
	score_input in = score_input_rows_f64(row, 1, 2);
	assert_int_equal(score_batch(model, &in, &out, 1, &options, &error), SCORE_OK);
	assert_true(out == expected);
	score_model_free(model);
}

static score_model *import_changed(const char *file, const char *from, const char *to)
{
	char *text = replaced_once(file, from, to);
	score_error error;
	score_model *model;
	if (import_text(text, strlen(text), &model, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	free(text);
	return model;
}

static void metadata_is(const char *from, const char *to, const char *key, const char *wanted)
{
	score_model *model = import_changed(symmetric_file, from, to);
	const char *got = score_model_metadata_get(model, key);
	assert_string_equal(got ? got : "nothing", wanted);
	score_model_free(model);
}

static void keeps_what_it_says_of_itself(void **state)
{
	static const char labels[] = "[\"n\\\"o\",\"yes\"]", info[] = "\"model_info\":{";
	(void)state;
	metadata_is(labels, "[1,-2.5]", "class_labels", "[1,-2.5]");
	metadata_is(labels, "[false,true]", "class_labels", "[false,true]");
	metadata_is(labels, "[\"\",\"\\u0001\\\\\"]", "class_labels", "[\"\",\"\\u0001\\\\\"]");
	metadata_is(labels, "[]", "class_labels", "nothing");
	metadata_is(info, "\"model_info\":{\"catboost_version_info\":\"Branch: tags/v1.2.3 x\",", "source.version", "1.2.3");
	metadata_is(info, "\"model_info\":{\"catboost_version_info\":\"tags/v1111111111111111111111111111111111\",", "source.version", "nothing");
	metadata_is(info, "\"model_info\":{\"binclass_probability_threshold\":\"0.25\",", "class_rule", "margin > -1.0986122886681098");
	metadata_is(info, "\"model_info\":{\"binclass_probability_threshold\":\"0\",", "class_rule", "margin > -inf");
	metadata_is(info, "\"model_info\":{\"binclass_probability_threshold\":\"1\",", "class_rule", "margin > inf");
	metadata_is(info, "\"model_info\":{\"binclass_probability_threshold\":\"1.5\",", "class_rule", "margin > 0");
	metadata_is(info, "\"model_info\":{\"binclass_probability_threshold\":\"-1\",", "class_rule", "margin > 0");
	metadata_is(info, "\"model_info\":{\"binclass_probability_threshold\":\"half\",", "class_rule", "margin > 0");
	metadata_is("\"Logloss\"", "\"MultiClass\"", "class_rule", "largest margin");
	metadata_is("\"Logloss\"", "\"RMSE\"", "class_rule", "nothing");
	score_model *model = import_changed(symmetric_file, "\"feature_id\":\"b\"", "\"feature_id\":\"b\",\"feature_name\":\"long\"");
	assert_string_equal(score_model_feature_name(model, 1), "long");
	score_model_free(model);
	model = import_changed(category_file, "\"feature_id\":\"c\"", "\"feature_id\":\"c\",\"feature_name\":\"long\"");
	assert_string_equal(score_model_feature_name(model, 1), "long");
	score_model_free(model);
}

/* One tree is one iteration. */
static void takes_a_range_of_trees(void **state)
{
	static const uint32_t wrong_ranges[][2] = {{1, 1}, {2, 1}, {0, 2}, {1, 2}};
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	score_builder *builder;
	score_error error;
	(void)state;
	for (size_t i = 0; i < sizeof wrong_ranges / sizeof wrong_ranges[0]; i++) {
		options.iteration_begin = wrong_ranges[i][0];
		options.iteration_end = wrong_ranges[i][1];
		assert_int_equal(import_catboost(symmetric_file, sizeof symmetric_file - 1, &options, &builder, &error), SCORE_ERR_ARGUMENT);
		assert_non_null(strstr(error.message, "were asked for, the model has 1"));
		assert_null(builder);
	}
	options.iteration_begin = 0;
	options.iteration_end = 1;
	assert_int_equal(import_catboost(symmetric_file, sizeof symmetric_file - 1, &options, &builder, &error), SCORE_OK);
	score_builder_free(builder);
}

static void changed_margin_is(const char *file, const char *from, const char *to, double a, double b, double expected)
{
	char *text = replaced_once(file, from, to);
	margin_is(text, a, b, expected);
	free(text);
}

static void reads_odd_spellings(void **state)
{
	const double missing = strtod("nan", NULL);
	(void)state;
	changed_margin_is(symmetric_file, ",\"split_index\":2", "", 2.5, -1.0, 4.25);
	changed_margin_is(symmetric_file, "\"has_nans\":true", "\"has_nans\":false", missing, -1.0, 2.25);
	changed_margin_is(symmetric_file, "\"feature_id\":\"a\"", "\"feature_id\":\"\"", 2.5, -1.0, 4.25);
	changed_margin_is(symmetric_file, "\"float_features\":", "\"text_features\":[],\"float_features\":", 2.5, -1.0, 4.25);
	changed_margin_is(symmetric_file, "[2,[0.25]]", "[2,0.25]", 2.5, -1.0, 4.25);
	changed_margin_is(symmetric_file, "\"has_nans\":true", "\"has_nans\":null", missing, -1.0, 2.25);
	changed_margin_is(nodes_file, "\"value\":2", "\"value\":[2]", 0.75, -1.0, 4.25);
	char *infinite = replaced_once(symmetric_file, "[0.5,2]", "[0.5,Infinity]");
	changed_margin_is(infinite, "\"border\":2,\"float_feature_index\":0", "\"border\":Infinity,\"float_feature_index\":0", missing, -1.0, 2.25);
	free(infinite);
}

/* Right when above the border; the first split is the lowest bit; scale 2 and bias 0.25 come last. */
static void scores_as_written(void **state)
{
	const double missing = strtod("nan", NULL);
	(void)state;
	margin_is(symmetric_file, 2.0, -1.0, 2.25);
	margin_is(symmetric_file, 2.5, -1.0, 4.25);
	margin_is(symmetric_file, 2.0, -0.5, 8.25);
	margin_is(symmetric_file, missing, 0.0, 16.25); /* AsTrue */
	margin_is(symmetric_file, 3.0, missing, 4.25);  /* AsIs   */
	margin_is(nodes_file, 0.5, 9.0, 2.25);
	margin_is(nodes_file, 0.75, -1.0, 4.25);
	margin_is(nodes_file, missing, 9.0, 8.25);
	margin_is(category_file, 9.0, 3489901818.5, 2.0); /* the hash itself */
	margin_is(category_file, 9.0, 7.5, 4.0);
	margin_is(category_file, 9.0, 7.0, 1.0);          /* the text "7", whose hash is another */
	margin_is(category_file, 9.0, missing, 1.0);
	margin_is(ctr_file, 0.0, 5.0, 1.0);             /* of no rows: 0.5 / 1 * 8 = 4, (0 / 5 + 0.25) * 5 = 1.25 */
	margin_is(ctr_file, 0.0, 3489901818.5, 2.0);    /* 6.5 / 8 * 8 = 6.5 */
	margin_is(ctr_file, 1.0, 7.5, 4.0);             /* (3 / 5 + 0.25) * 5 = 4.25 */
	margin_is(ctr_file, 0.5, 7.5, 1.0);
	margin_is(ctr_file, missing, 7.5, 4.0);         /* AsTrue */
	margin_is(ctr_file, 1.0, missing, 1.0);
}

/* Two CTRs of the same rows of "a", in the order of their priors or targets, whichever the file has first. */
#define SAME_CTR(target, prior, border) \
	"{\"borders\":[" border "],\"ctr_type\":\"Borders\",\"elements\":[" ELEMENT_C "],\"identifier\":\"one\"," \
	"\"prior_denomerator\":1,\"prior_numerator\":" prior ",\"scale\":8,\"shift\":0,\"target_border_idx\":" target "},"

static void margin_of_changed(const char *const (*changes)[2], size_t n, double a, double b, double expected)
{
	char *text = replaced_once(ctr_file, changes[0][0], changes[0][1]);
	for (size_t i = 1; i < n; i++) {
		char *next = replaced_once(text, changes[i][0], changes[i][1]);
		free(text);
		text = next;
	}
	margin_is(text, a, b, expected);
	free(text);
}

#define MARGIN_OF(a, b, expected, ...) \
	margin_of_changed((const char *const[][2]){__VA_ARGS__}, sizeof((const char *const[][2]){__VA_ARGS__}) / sizeof(char *[2]), a, b, expected)

static void counts_in_every_way(void **state)
{
	const double a = 3489901818.5; /* the hash of "a" */
	(void)state;
	/* Of a class: 1 of 7 is (1 + 0.5) / 8 * 8, and 6 of 7 is 6.5. */
	MARGIN_OF(0.0, a, 1.0, {"\"ctr_type\":\"Borders\"", "\"ctr_type\":\"Buckets\""});
	MARGIN_OF(0.0, a, 2.0, {"\"ctr_type\":\"Borders\"", "\"ctr_type\":\"Buckets\""}, {"\"target_border_idx\":0},", "\"target_border_idx\":1},"},
		{"idx\":0,\"split_index\":2", "idx\":1,\"split_index\":2"});
	/* Of means: (1 + 0.5) / (6 + 1) * 8, and (6.5 + 0.5) / (1 + 1) * 8. */
	MARGIN_OF(0.0, a, 1.0, {"\"ctr_type\":\"Borders\"", "\"ctr_type\":\"BinarizedTargetMeanValue\""});
	MARGIN_OF(0.0, a, 2.0, {"\"ctr_type\":\"Borders\"", "\"ctr_type\":\"FloatTargetMeanValue\""}, {"\"" HASH_A "\",1,6,", "\"" HASH_A "\",6.5,1,"});
	MARGIN_OF(1.0, 7.5, 4.0, {"\"ctr_type\":\"Counter\"", "\"ctr_type\":\"FeatureFreq\""});
	/* Tables without rows, and with none that has a hash. */
	MARGIN_OF(1.0, 7.5, 1.0, {"\"hash_map\":[\"" HASH_ABC "\",3],", "\"hash_map\":[],"});
	MARGIN_OF(1.0, 7.5, 1.0, {"\"hash_map\":[\"" HASH_ABC "\",3],", "\"hash_map\":[\"18446744073709551615\",3],"});
	/* What the file leaves out. */
	MARGIN_OF(0.0, a, 2.0, {",\"target_border_idx\":0},", "},"}, {"\"ctr_target_border_idx\":0,\"split_index\":2", "\"split_index\":2"});
	/* Several CTRs of one table, in any order. */
	MARGIN_OF(0.0, a, 2.0, {"\"ctrs\":[", "\"ctrs\":[" SAME_CTR("0", "1.5", "5.5")}, {"\"border\":3,\"ctr_t", "\"border\":6.75,\"ctr_t"});
	MARGIN_OF(0.0, a, 2.0, {"\"ctrs\":[", "\"ctrs\":[" SAME_CTR("0", "0.25", "5.5")}, {"\"border\":3,\"ctr_t", "\"border\":6.75,\"ctr_t"});
}

/* Nothing is above an infinite border, what is missing neither. */
static void compares_missing_values_with_borders(void **state)
{
	const double missing = strtod("nan", NULL);
	(void)state;
	MARGIN_OF(missing, 7.5, 1.0, {"{\"border\":0.5,\"comb", "{\"border\":Infinity,\"comb"});
	MARGIN_OF(missing, 7.5, 1.0, {"\"has_nans\":true", "\"has_nans\":false"});
}

/* Covers that cannot be kept are none, and the model still scores. */
static void knows_covers(void **state)
{
	static const struct {
		const char *text, *from, *to;
		int has_covers;
	} cases[] = {
		{symmetric_file, "[1,2,4,8]", "[1,2,4,8]", 0},
		{symmetric_file, "[1,2,4,8]", "[1,2,4,8],\"leaf_weights\":[1,0,3,2.5]", 1},
		{symmetric_file, "[1,2,4,8]", "[1,2,4,8],\"leaf_weights\":[]", 0},
		{symmetric_file, "[1,2,4,8]", "[1,2,4,8],\"leaf_weights\":[1,2,3,-1]", 0},
		{symmetric_file, "[1,2,4,8]", "[1,2,4,8],\"leaf_weights\":[1,2,3,NaN]", 0},
		{nodes_file, "\"value\":2", "\"value\":2,\"weight\":4", 0},
		{nodes_file, "{\"value\":2},\"right\":{\"value\":4}",
			"{\"value\":2,\"weight\":4},\"right\":{\"value\":4,\"weight\":0}", 1},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *text = replaced_once(cases[i].text, cases[i].from, cases[i].to);
		score_model_info info = {.struct_size = sizeof info};
		score_error error;
		score_model *model;
		if (import_text(text, strlen(text), &model, &error) != SCORE_OK)
			fail_msg("%s", error.message);
		assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
		assert_int_equal(info.has_covers, cases[i].has_covers);
		score_model_free(model);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_wrong_symmetric_files),
		cmocka_unit_test(bounds_what_it_keeps),
		cmocka_unit_test(refuses_wrong_categories),
		cmocka_unit_test(refuses_wrong_ctrs),
		cmocka_unit_test(refuses_wrong_nodes),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(names_ctrs_without_tables),
		cmocka_unit_test(bounds_what_ctrs_share),
		cmocka_unit_test(scores_as_written),
		cmocka_unit_test(reads_odd_spellings),
		cmocka_unit_test(keeps_what_it_says_of_itself),
		cmocka_unit_test(takes_a_range_of_trees),
		cmocka_unit_test(counts_in_every_way),
		cmocka_unit_test(compares_missing_values_with_borders),
		cmocka_unit_test(knows_covers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
