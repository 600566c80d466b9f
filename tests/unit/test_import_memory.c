/*
 * Importers while memory runs out: each allocation of an import refused in turn, of files that between them meet every place where
 * an importer allocates. Each ends in SCORE_ERR_MEMORY with a message, no builder, and everything given back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metered_memory.h"
#ifdef SL_HAVE_ONNX
#include "onnx_text.h"
#endif

#include <scoreline/import.h>

/* How many allocations the import takes. */
static size_t refuse_each(const char *what, const void *data, size_t size, const score_import_options *given)
{
	for (size_t n = 0;; n++) {
		metered_memory memory = {n, 0, 0};
		const score_allocator allocator = metered_allocator(&memory);
		score_import_options options = *given;
		score_model *model;
		score_error error = {0};
		options.allocator = &allocator;
		score_status status = score_import_memory(data, size, &options, &model, &error);
		if (status == SCORE_OK) {
			assert_non_null(model);
			score_model_free(model);
			assert_int_equal(memory.held, 0);
			return n;
		}
		if (status != SCORE_ERR_MEMORY || error.code != status || !strstr(error.message, "out of memory") ||
			strstr(error.message, " 0 bytes"))
			fail_msg("%s: %s (%s) after %zu allocations", what, score_status_name(status), error.message, n);
		assert_null(model);
		assert_int_equal(memory.held, 0);
	}
}

static void refuse_each_of_text(const char *text)
{
	const score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	assert_in_range(refuse_each(text, text, strlen(text), &options), 10, 100000);
}

/* Remembers how many bytes it refused. */
typedef struct noting_memory {
	metered_memory metered;
	size_t refused;
} noting_memory;

static void *noting_alloc(void *context, size_t size, size_t align)
{
	void *memory = metered_alloc(context, size, align);
	if (!memory)
		((noting_memory *)context)->refused = size;
	return memory;
}

/* An error about a value of a document: the key stands in front of the value, and the bytes are those that were refused. */
static bool names_value(const score_error *error, const char *text, size_t refused)
{
	char key[64], expected[128];
	const char *end = error->message[0] == '"' ? strchr(error->message + 1, '"') : NULL;
	if (!end)
		return false;
	const int length = (int)(end + 1 - error->message);
	snprintf(key, sizeof key, "%.*s", length, error->message);
	snprintf(expected, sizeof expected, "%s: out of memory: the allocator refused %zu bytes", key, refused);
	assert_string_equal(error->message, expected);
	assert_in_range(error->offset, 0, strlen(text) - 1);
	const char *place = strstr(text, key);
	assert_true(place && place - text <= error->offset);
	return true;
}

/* How many allocations of the import are for values of the document, by what their errors say. */
static size_t named_values(const char *text)
{
	size_t named = 0;
	for (size_t n = 0;; n++) {
		noting_memory memory = {.metered.left = n};
		const score_allocator allocator = {noting_alloc, metered_free, &memory};
		score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
		score_model *model;
		score_error error = {0};
		options.allocator = &allocator;
		if (score_import_memory(text, strlen(text), &options, &model, &error) == SCORE_OK) {
			score_model_free(model);
			return named;
		}
		named += names_value(&error, text, memory.refused);
	}
}

/* ---- XGBoost ----------------------------------------------------------------------------------------------- */

#define XGBOOST(booster) "{\"learner\":{\"attributes\":{\"note\":\"x\"},\"feature_names\":[\"a\",\"b\"],\"feature_types\":[\"c\",\"c\"]," \
	"\"gradient_booster\":{" booster "},\"learner_model_param\":{\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"2\"}," \
	"\"objective\":{\"name\":\"reg:squarederror\"}},\"version\":[3,2,0]}"
#define STUMP "{\"left_children\":[1,-1,-1],\"right_children\":[2,-1,-1],\"split_indices\":[0,0,0],\"split_conditions\":[1,2,3]," \
	"\"default_left\":[0,0,0],\"tree_param\":{\"num_nodes\":\"3\"}}"

static void xgboost_runs_out_of_memory(void **state)
{
	static const char linear[] = XGBOOST("\"model\":{\"weights\":[2E0,3E0,1E-1]},\"name\":\"gblinear\"");
	static const char labels[] = XGBOOST("\"model\":{\"cats\":{\"enc\":[{\"offsets\":[0,2,3],\"values\":[97,98,99]},{\"values\":[5,-7]}]},"
		"\"gbtree_model_param\":{\"num_trees\":\"1\"},\"tree_info\":[0],\"trees\":[" STUMP "]},\"name\":\"gbtree\"");
	static const char lost[] = XGBOOST("\"model\":{\"cats\":{\"enc\":[{\"offsets\":[1],\"values\":[97]},{\"offsets\":[1],\"values\":[97]}]},"
		"\"gbtree_model_param\":{\"num_trees\":\"1\"},\"tree_info\":[0],\"trees\":[" STUMP "]},\"name\":\"gbtree\"");
	const char *const files[] = {linear, labels, lost};
	const double missing = 2;
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		refuse_each_of_text(files[i]);
		assert_in_range(named_values(files[i]), 10, 100);
	}
	options.missing = &missing;
	for (size_t i = 0; i < 2; i++)
		refuse_each("with a value for missing ones", files[i], strlen(files[i]), &options);
}

/* ---- CatBoost ---------------------------------------------------------------------------------------------- */

static void catboost_runs_out_of_memory(void **state)
{
	static const char head[] = "{\"ctr_data\":{\"t\":{\"counter_denominator\":4,\"hash_map\":[";
	static const char middle[] = "],\"hash_stride\":2}},\"features_info\":{\"categorical_features\":[{\"feature_id\":\"c\",\"feature_index\":0,"
		"\"flat_feature_index\":1,\"values\":[7,8]}],\"float_features\":[{\"borders\":[0.5],\"feature_id\":\"a\",\"feature_index\":0,"
		"\"flat_feature_index\":0}],\"ctrs\":[";
	static const char tail[] = "]},\"model_info\":{\"class_params\":{\"class_names\":[\"no\",\"yes\"]},\"params\":{\"loss_function\":{\"type\":"
		"\"MultiLogloss\"}}},\"oblivious_trees\":[{\"leaf_values\":[1,2],\"leaf_weights\":[1,2],\"splits\":[{\"border\":3,\"split_index\":3,"
		"\"split_type\":\"OnlineCtr\"}]},{\"leaf_values\":[1,2],\"splits\":[{\"cat_feature_index\":0,\"value\":7,\"split_type\":\"OneHotFeature\"}]}]}";
	static char text[1 << 16];
	size_t n = (size_t)snprintf(text, sizeof text, "%s", head);
	(void)state;
	for (int i = 0; i < 40; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s\"%d\",%d", i ? "," : "", i * 7 % 40, i);
	n += (size_t)snprintf(text + n, sizeof text - n, "%s", middle);
	for (int i = 0; i < 20; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s{\"borders\":[3],\"ctr_type\":\"Counter\",\"elements\":[{\"cat_feature_index\":0,"
			"\"combination_element\":\"cat_feature_value\"},{\"border\":0.5,\"combination_element\":\"float_feature\",\"float_feature_index\":0}],"
			"\"identifier\":\"t\",\"prior_denomerator\":1,\"prior_numerator\":0,\"scale\":5,\"shift\":%d}", i ? "," : "", i);
	snprintf(text + n, sizeof text - n, "%s", tail);
	refuse_each_of_text(text);
	assert_in_range(named_values(text), 10, 100);
	/* Of the labels one fills the first memory taken for them. */
	refuse_each_of_text("{\"features_info\":{\"float_features\":[{\"borders\":[0.5],\"feature_id\":\"a\",\"feature_index\":0,"
		"\"flat_feature_index\":0}]},\"model_info\":{\"class_params\":{\"class_names\":[\"\\u0001\\u0001\"]}},\"scale_and_bias\":[2,[0.25]],"
		"\"trees\":[{\"left\":{\"value\":1,\"weight\":3},\"right\":{\"value\":2,\"weight\":1},\"split\":{\"border\":0.5,"
		"\"float_feature_index\":0,\"split_index\":0,\"split_type\":\"FloatFeature\"}}]}");
}

/* ---- ONNX -------------------------------------------------------------------------------------------------- */

#ifdef SL_HAVE_ONNX
static void refuse_each_of_graph(const char *text, score_onnx_compat compat)
{
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	onnx_bytes *file = onnx_from_text(text);
	options.onnx_compat = compat;
	options.format = SCORE_FORMAT_ONNX;
	assert_in_range(refuse_each(text, file->data, file->size, &options), 10, 100000);
	free(file);
}

static void onnx_runs_out_of_memory(void **state)
{
	static const char *const graphs[] = {
		"in x i64 ?x2\nin t str ?x2\nout y\nconst i i64 2 1 0\nnode Gather x,i -> g ; axis i 1\nnode ml:LabelEncoder g -> a ; keys_int64s ii 1..6 ; "
			"values_strings ss u v u v u v\nnode ml:LabelEncoder a -> b ; keys_strings ss u v ; values_tensor t f32 2 1 2\nnode ml:LabelEncoder t -> c ; "
			"keys_tensor t str 2 u w ; values_floats ff 1 2 ; default_tensor t f32 1 3\nnode ml:OneHotEncoder t -> d ; cats_strings ss w z ; "
			"zeros i 0\nnode Flatten d -> e\nnode ml:LabelEncoder t -> f ; classes_strings ss w z\nnode Cast f -> h ; to i 1\n"
			"node Concat h,e,c,b -> s\nnode ml:LinearRegressor s -> z ; coefficients ff 10*1 ; intercepts ff 1\nnode Identity z -> y\n",
		"in x f32 ?x2\nout y\nconst c f32 1 2\nnode Add x,c -> a\nnode ml:Scaler a -> b ; offset ff 1 ; scale ff 1\nnode ml:Imputer b -> d ; "
			"imputed_value_floats ff 1\nnode ml:Binarizer d -> e\nnode ml:Normalizer x -> f ; norm s L2\nnode Concat e,f -> g\n"
			"const w f32 4x2 8*1\nconst v f32 2 1 2\nnode MatMul g,w -> h\nnode Add h,v -> y\n",
		"in x f32 ?x2\nout y\nnode ml:LinearClassifier x -> l,y ; coefficients ff 1 2 ; classlabels_strings ss no yes\n",
		"in x i32 ?x1\nout y\nnode ml:Imputer x -> a ; imputed_value_int64s ii 3\nconst i i32 raw:2 0 0\nnode ml:ArrayFeatureExtractor a,i -> b\n"
			"node ml:LinearRegressor b -> y ; coefficients_as_tensor t f32 raw:2 1 2\n",
		"in x f32 ?x2\nout y\nnode ml:TreeEnsembleRegressor x -> y ; nodes_treeids ii 0 0 0 0 0 ; nodes_nodeids ii 0..4 ; nodes_featureids ii 0 0 1 0 0 ; "
			"nodes_truenodeids ii 1 0 3 0 0 ; nodes_falsenodeids ii 2 0 4 0 0 ; nodes_modes ss BRANCH_LEQ LEAF BRANCH_LT LEAF LEAF ; "
			"nodes_values ff 0.5 0 4 0 0 ; target_treeids ii 0 0 0 0 0 ; target_nodeids ii 1 3 4 1 3 ; target_ids ii 0 0 0 1 1 ; "
			"target_weights ff 1 2 4 8 16 ; n_targets i 2 ; base_values ff 1 2\n",
		/* Sets of 20 categories and of 20 fractions, and a chain of 30 splits. */
		"in x f32 ?x2\nout y\nnode ml:TreeEnsemble x -> y ; n_targets i 2 ; tree_roots ii 0 ; nodes_modes t u8 32 30*0 6 6 ; nodes_splits t f32 32 0..31 ; "
			"nodes_featureids ii 32*0 ; nodes_truenodeids ii 31*0 1 ; nodes_falsenodeids ii 1..31 0 ; nodes_trueleafs ii 32*1 ; nodes_falseleafs "
			"ii 31*0 1 ; leaf_targetids ii 0 1 ; leaf_weights t f32 2 1 2 ; membership_values t f32 42 0..19 nan 0.5 1.5 2.5 3.5 4.5 5.5 6.5 7.5 "
			"8.5 9.5 10.5 11.5 12.5 13.5 14.5 15.5 16.5 17.5 18.5 19.5 nan\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof graphs / sizeof graphs[0]; i++)
		refuse_each_of_graph(graphs[i], SCORE_ONNX_SPECIFICATION);
	/* The votes of each target are counted for onnxruntime's answers. */
	static const char votes[] = "in x f32 ?x1\nout y\nnode ml:TreeEnsembleRegressor x -> y ; nodes_treeids ii 0 0 0 ; nodes_nodeids ii 0..2 ; "
		"nodes_featureids ii 0 0 0 ; nodes_truenodeids ii 1 0 0 ; nodes_falsenodeids ii 2 0 0 ; nodes_modes ss BRANCH_LEQ LEAF LEAF ; "
		"nodes_values ff 0.5 0 0 ; target_treeids ii 0 0 0 0 ; target_nodeids ii 1 2 1 2 ; target_ids ii 0 0 1 1 ; target_weights ff 1 2 4 8 ; "
		"n_targets i 2 ; base_values ff 1 2\n";
	refuse_each_of_graph(votes, SCORE_ONNX_RUNTIME);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xgboost_runs_out_of_memory),
		cmocka_unit_test(catboost_runs_out_of_memory),
#ifdef SL_HAVE_ONNX
		cmocka_unit_test(onnx_runs_out_of_memory),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
