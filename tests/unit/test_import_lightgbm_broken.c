/*
 * The LightGBM importer on files that are not what they should be: every check has an edit of a small good
 * file that must be refused with the right status and line; then all truncations, all bytes changed, and
 * every allocation failing.
 */
#include "lightgbm_files.h"

#include "import/importers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEADER \
	"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\n" \
	"objective=binary sigmoid:1\nfeature_names=a b\nfeature_infos=[0:1] 0:1:2\ntree_sizes=10 20\n\n"
#define TREES \
	"Tree=0\nnum_leaves=3\nnum_cat=0\nsplit_feature=0 1\nthreshold=0.25 1e-3\ndecision_type=2 8\nleft_child=1 -1\n" \
	"right_child=-3 -2\nleaf_value=0.5 -0.25 1.5\nshrinkage=1\n\n\n" \
	"Tree=1\nnum_leaves=3\nnum_cat=2\nsplit_feature=1 1\nthreshold=1 0\ndecision_type=1 1\nleft_child=-1 -2\n" \
	"right_child=1 -3\nleaf_value=10 20 30\ncat_boundaries=0 1 3\ncat_threshold=5 0 7\nis_linear=0\n\n"
static const char tail[] = "\nend of trees\n\npandas_categorical:[[1, 2]]\n";
static const char good[] = HEADER TREES "\nend of trees\n\npandas_categorical:[[1, 2]]\n";

static const text_file good_file = {(char *)good, sizeof good - 1};

/* ---- one edit per check ---------------------------------------------------------------------------- */

typedef struct edit {
	const char *from, *to;
	score_status status;
	int line; /* -1: the fault is that something is not there */
	const char *message;
} edit;

#define BAD SCORE_ERR_CORRUPT

#define LINEAR(CONSTANTS, COUNTS, FEATURES, COEFFICIENTS) \
	"is_linear=1\nleaf_const=" CONSTANTS "\nnum_features=" COUNTS "\nleaf_features=" FEATURES "\nleaf_coeff=" COEFFICIENTS "\n"

static const edit header_edits[] = {
	{"tree\nv", "trees\nv", BAD, 1, "first line"},
	{"tree\nv", "\xef\xbb\xbftree\nv", BAD, 1, "byte order mark"},
	{"num_class=1\n", "", BAD, -1, "no \"num_class\""},
	{"num_class=1\n", "num_class=1\nnum_class=1\n", BAD, 4, "second time"},
	{"num_class=1\n", "num_class=0\n", BAD, 3, "from 1 to"},
	{"num_class=1\n", "num_class=x\n", BAD, 3, "\"x\""},
	{"num_class=1\n", "num_class=\n", BAD, 3, "too few"},
	{"num_class=1\n", "num_class=1 1\n", BAD, 3, "goes on"},
	{"num_class=1\n", "num_class=99999999999\n", BAD, 3, "from 1 to"},
	{"num_class=1\n", "num_class=2\n", BAD, 4, "num_tree_per_iteration is 1 and num_class 2"},
	{"iteration=1\n", "iteration=0\n", BAD, 4, "from 1 to"},
	{"label_index=0\n", "", BAD, -1, "no \"label_index\""},
	{"max_feature_idx=1\n", "", BAD, -1, "no \"max_feature_idx\""},
	{"max_feature_idx=1\n", "max_feature_idx=-1\n", BAD, 6, "from 0 to"},
	{"max_feature_idx=1\n", "max_feature_idx=2\n", BAD, 8, "2 entries, but there are 3"},
	{"max_feature_idx=1\n", "max_feature_idx=16777215\n", BAD, 8, "2 entries"},
	{"feature_names=a b\n", "", BAD, -1, "no \"feature_names\""},
	{"feature_names=a b\n", "feature_names=a b c\n", BAD, 8, "3 entries"},
	{"feature_infos=[0:1] 0:1:2\n", "", BAD, -1, "no \"feature_infos\""},
	{"feature_infos=[0:1] 0:1:2\n", "feature_infos=[0:1]\n", BAD, 9, "1 entries"},
	{" 0:1:2\n", " 0:x:2\n", BAD, 9, "\"0:x:2\""},
	{"tree_sizes=10 20", "tree_sizes=10 20 30", BAD, 10, "names 3 trees"},
	{"tree_sizes=10 20", "tree_sizes=10", BAD, 10, "names 1 trees"},
	{"binary sigmoid:1", "bynary sigmoid:1", SCORE_ERR_UNSUPPORTED, 7, "supported are those of LightGBM up to 4.6, and \"custom\""},
	{"binary sigmoid:1", "", SCORE_ERR_UNSUPPORTED, 7, "supported are those of LightGBM up to 4.6, and \"custom\""},
	{"binary sigmoid:1", "binary", BAD, 7, "needs \"sigmoid:\""},
	{"binary sigmoid:1", "binary sigmoid:0", BAD, 7, "above 0"},
	{"binary sigmoid:1", "binary sigmoid:-1", BAD, 7, "above 0"},
	{"binary sigmoid:1", "binary sigmoid:1x", BAD, 7, "\"1x\""},
	{"binary sigmoid:1", "binary sigmoid:.", BAD, 7, "\".\""},
	{"binary sigmoid:1", "binary sigmoid:1e", BAD, 7, "\"1e\""},
	{"binary sigmoid:1", "binary sigmoid:1e+", BAD, 7, "\"1e+\""},
	{"binary sigmoid:1", "binary sigmoid:1E0123456789", BAD, 7, "\"1E0123456789\""},
	{"binary sigmoid:1", "binary sigmoid:11111111111111111111111111111111111111111111111111111111111111111", BAD, 7, "\"1111"},
	{"binary sigmoid:1", "binary : sigmoid: sigmoid:1:2", BAD, 7, "needs \"sigmoid:\""},
	{"binary sigmoid:1", "binary sigmoid:9e308", BAD, 7, "above 0"},
	{"binary sigmoid:1", "multiclass", BAD, 7, "needs \"num_class:\""},
	{"binary sigmoid:1", "multiclass num_class:3", BAD, 7, "trees make 1 outputs"},
	{"binary sigmoid:1", "multiclass num_class:1x", BAD, 7, "\"1x\""},
	{"Tree=0", "Baum=0", BAD, 10, "names 2 trees"},
};

static const edit tree_edits[] = {
	{"num_cat=0\n", "", BAD, 12, "no \"num_cat\""},
	{"num_leaves=3\nnum_cat=0", "num_cat=0", BAD, 12, "no \"num_leaves\""},
	{"num_leaves=3\nnum_cat=0", "num_leaves=0\nnum_cat=0", BAD, 13, "from 1 to"},
	{"num_leaves=3\nnum_cat=0", "num_leaves=2\nnum_cat=0", BAD, 20, "goes on with \"1.5\""},
	{"num_leaves=3\nnum_cat=0", "num_leaves=4\nnum_cat=0", BAD, 20, "too few"},
	{"num_leaves=3\nnum_cat=0", "num_leaves=500000000\nnum_cat=0", BAD, 20, "too few numbers for num_leaves"},
	{"num_leaves=3\nnum_cat=0", "num_leaves=3\nnum_leaves=3\nnum_cat=0", BAD, 14, "second time"},
	{"num_leaves=3\nnum_cat=0", "num_leaves\nnum_cat=0", BAD, 13, "expected key=value"},
	{"split_feature=0 1\n", "", BAD, 12, "no \"split_feature\""},
	{"split_feature=0 1\n", "split_feature=0\n", BAD, 15, "too few"},
	{"split_feature=0 1\n", "split_feature=0 1 1\n", BAD, 15, "goes on"},
	{"split_feature=0 1\n", "split_feature=0 2\n", BAD, 15, "from 0 to 1"},
	{"split_feature=0 1\n", "split_feature=-1 1\n", BAD, 15, "from 0 to 1"},
	{"split_feature=0 1\n", "split_feature=0 1.5\n", BAD, 15, "\"1.5\""},
	{"threshold=0.25 1e-3\n", "", BAD, 12, "no \"threshold\""},
	{"threshold=0.25 1e-3\n", "threshold=0.25\n", BAD, 16, "too few"},
	{"threshold=0.25 1e-3\n", "threshold=0.25 1e-3 1\n", BAD, 16, "goes on"},
	{"threshold=0.25 1e-3\n", "threshold=0.25 1e-3x\n", BAD, 16, "expected a number"},
	{"threshold=0.25 1e-3\n", "threshold=0,25 1e-3\n", BAD, 16, "\"0,25\""},
	{"decision_type=2 8\n", "decision_type=2\n", BAD, 17, "too few"},
	{"decision_type=2 8\n", "decision_type=2 8 8\n", BAD, 17, "goes on"},
	{"decision_type=2 8\n", "decision_type=2 12\n", BAD, 17, "from 0 to 11"},
	{"decision_type=2 8\n", "decision_type=-2 8\n", BAD, 17, "from 0 to 11"},
	{"decision_type=2 8\n", "decision_type=3 8\n", BAD, 16, "one of the tree's 0 sets"},
	{"left_child=1 -1\n", "", BAD, 12, "no \"left_child\""},
	{"left_child=1 -1\n", "left_child=1\n", BAD, 18, "too few"},
	{"left_child=1 -1\n", "left_child=2 -1\n", BAD, 18, "from -3 to 1"},
	{"left_child=1 -1\n", "left_child=1 -4\n", BAD, 18, "from -3 to 1"},
	{"left_child=1 -1\n", "left_child=1 -1 0\n", BAD, 18, "goes on"},
	{"left_child=1 -1\n", "left_child=0 -1\n", BAD, 12, "reached twice"},
	{"left_child=1 -1\n", "left_child=1 0\n", BAD, 12, "reached twice"},
	{"left_child=1 -1\n", "left_child=1 -3\n", BAD, 12, "reached twice"},
	{"right_child=-3 -2\n", "", BAD, 12, "no \"right_child\""},
	{"right_child=-3 -2\n", "right_child=-3\n", BAD, 19, "too few"},
	{"right_child=-3 -2\n", "right_child=1 -2\n", BAD, 12, "reached twice"},
	{"right_child=-3 -2\n", "right_child=-9223372036854775808 -2\n", BAD, 19, "from -3 to 1"},
	{"leaf_value=0.5 -0.25 1.5\n", "", BAD, 12, "no \"leaf_value\""},
	{"leaf_value=0.5 -0.25 1.5\n", "leaf_value=0.5 - 1.5\n", BAD, 20, "expected a number"},
	{"leaf_value=0.5 -0.25 1.5\n", "leaf_value=0.5 -0.25 1.5 2\n", BAD, 20, "goes on"},
	{"1.5\n", "1.5\nleaf_count=1 2\ninternal_count=3 3\n", BAD, 21, "too few"},
	{"1.5\n", "1.5\nleaf_count=1 2 3\ninternal_count=6 3 3\n", BAD, 22, "goes on"},
	{"1.5\n", "1.5\nleaf_count=1 2 x\ninternal_count=6 3\n", BAD, 21, "expected a number"},
	{"shrinkage=1\n\n\n", "shrinkage=1\n", BAD, 22, "a tree starts here"},
	{"shrinkage=1\n\n\n", "shrinkage=1\nend\n\n", BAD, 22, "expected key=value"},
	{"num_cat=2\n", "num_cat=3\n", BAD, 26, "from 0 to 2"},
	{"num_cat=2\n", "num_cat=1\n", BAD, 33, "goes on"},
	{"num_cat=2\n", "num_cat=-1\n", BAD, 26, "from 0 to 2"},
	{"threshold=1 0\n", "threshold=2 0\n", BAD, 28, "one of the tree's 2 sets"},
	{"threshold=1 0\n", "threshold=1 -1\n", BAD, 28, "one of the tree's 2 sets"},
	{"threshold=1 0\n", "threshold=0.5 0\n", BAD, 28, "one of the tree's 2 sets"},
	{"threshold=1 0\n", "threshold=nan 0\n", BAD, 28, "one of the tree's 2 sets"},
	{"cat_boundaries=0 1 3\n", "", BAD, 24, "no \"cat_boundaries\""},
	{"cat_boundaries=0 1 3\n", "cat_boundaries=1 1 3\n", BAD, 33, "from 0 to 0"},
	{"cat_boundaries=0 1 3\n", "cat_boundaries=0 2 1\n", BAD, 33, "from 2 to"},
	{"cat_boundaries=0 1 3\n", "cat_boundaries=0 1\n", BAD, 33, "too few"},
	{"cat_boundaries=0 1 3\n", "cat_boundaries=0 1 4\n", BAD, 34, "too few"},
	{"cat_boundaries=0 1 3\n", "cat_boundaries=0 1 2\n", BAD, 34, "goes on"},
	{"cat_boundaries=0 1 3\n", "cat_boundaries=0 1 2147483647\n", BAD, 34, "more than ints can name"},
	{"cat_threshold=5 0 7\n", "", BAD, 24, "no \"cat_threshold\""},
	{"cat_threshold=5 0 7\n", "cat_threshold=5 0 4294967296\n", BAD, 34, "from 0 to 4294967295"},
	{"cat_threshold=5 0 7\n", "cat_threshold=5 0 -1\n", BAD, 34, "from 0 to 4294967295"},
	{"is_linear=0\n", LINEAR("1 2", "1 0 2", "0  1 0", "4  5 6"), BAD, 36, "too few"},
	{"is_linear=0\n", LINEAR("1 2 3 4", "1 0 2", "0  1 0", "4  5 6"), BAD, 36, "goes on"},
	{"is_linear=0\n", LINEAR("1 x 3", "1 0 2", "0  1 0", "4  5 6"), BAD, 36, "\"x\""},
	{"is_linear=0\n", LINEAR("1 2 3", "1 0", "0  1 0", "4  5 6"), BAD, 37, "too few"},
	{"is_linear=0\n", LINEAR("1 2 3", "1 0 2 0", "0  1 0", "4  5 6"), BAD, 37, "goes on"},
	{"is_linear=0\n", LINEAR("1 2 3", "1 0 3", "0  1 0 1", "4  5 6 7"), BAD, 37, "from 0 to 2"},
	{"is_linear=0\n", LINEAR("1 2 3", "1 -1 2", "0  1 0", "4  5 6"), BAD, 37, "from 0 to 2"},
	{"is_linear=0\n", LINEAR("1 2 3", "2 2 2", "0 1 0", "4  5 6"), BAD, 37, "too few numbers"},
	{"is_linear=0\n", LINEAR("1 2 3", "1 0 2", "0  1 2", "4  5 6"), BAD, 38, "from 0 to 1"},
	{"is_linear=0\n", LINEAR("1 2 3", "1 0 2", "0  1 0 1", "4  5 6"), BAD, 38, "goes on"},
	{"is_linear=0\n", LINEAR("1 2 3", "1 0 2", "0  1", "4  5 6"), BAD, 38, "too few"},
	{"is_linear=0\n", LINEAR("1 2 3", "1 0 2", "0  1 0", "4  5"), BAD, 39, "too few"},
	{"is_linear=0\n", LINEAR("1 2 3", "1 0 2", "0  1 0", "4  5 6 7"), BAD, 39, "goes on"},
	{"is_linear=0\n", "is_linear=1\nnum_features=1 0 2\nleaf_features=0 1 0\nleaf_coeff=4 5 6\n", BAD, 24,
		"no \"leaf_const\""},
	{"is_linear=0\n", "is_linear=1\nleaf_const=1 2 3\nleaf_features=0 1 0\nleaf_coeff=4 5 6\n", BAD, 24,
		"no \"num_features\""},
	{"is_linear=0\n", "is_linear=1\nleaf_const=1 2 3\nnum_features=1 0 2\nleaf_coeff=4 5 6\n", BAD, 24,
		"no \"leaf_features\""},
	{"is_linear=0\n", "is_linear=1\nleaf_const=1 2 3\nnum_features=1 0 2\nleaf_features=0 1 0\n", BAD, 24,
		"no \"leaf_coeff\""},
	{"is_linear=0", "is_linear=2", BAD, 35, "from 0 to 1"},
};

static void check_refused(const char *what, const text_file *file, const edit *e)
{
	score_error error;
	score_builder *builder = (score_builder *)(void *)&error;
	score_status status = import_lightgbm(file->text, file->length, NULL, &builder, &error);
	if (status != e->status || error.line != e->line || !strstr(error.message, e->message))
		fail_msg("%s: status %d, line %lld, \"%s\", expected %d, %d, \"%s\"", what, (int)status,
			(long long)error.line, error.message, (int)e->status, e->line, e->message);
	assert_null(builder);
	assert_int_equal(error.code, status);
	assert_true((error.offset >= 0 && error.offset <= (int64_t)file->length) == (e->line != -1));
	assert_int_equal(import_lightgbm(file->text, file->length, NULL, &builder, NULL), status);
}

static void check_edits(const edit *edits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char what[200];
		text_file file = replaced(&good_file, edits[i].from, edits[i].to);
		snprintf(what, sizeof what, "\"%s\" for \"%s\"", edits[i].to, edits[i].from);
		check_refused(what, &file, &edits[i]);
		free(file.text);
	}
}

static void test_good_file(void **state)
{
	score_model *model = import_good(&good_file, NULL);
	(void)state;
	score_model_free(model);
}

static void test_headers(void **state)
{
	(void)state;
	check_edits(header_edits, sizeof header_edits / sizeof header_edits[0]);
}

static void test_trees(void **state)
{
	(void)state;
	check_edits(tree_edits, sizeof tree_edits / sizeof tree_edits[0]);
}

/* ---- what no edit of the file can show --------------------------------------------------------------- */

static void test_empty(void **state)
{
	score_builder *builder;
	score_error error;
	(void)state;
	assert_int_equal(import_lightgbm(NULL, 0, NULL, &builder, &error), SCORE_ERR_CORRUPT);
	assert_int_equal(import_lightgbm("tree", 4, NULL, &builder, &error), SCORE_ERR_CORRUPT);
	assert_non_null(strstr(error.message, "no trees"));
}

static void test_zero_byte(void **state)
{
	text_file file = replaced(&good_file, "sigmoid:1", "sigmoid:1 x");
	const edit e = {NULL, NULL, SCORE_ERR_CORRUPT, -1, "zero byte"};
	score_builder *builder;
	score_error error;
	(void)state;
	char *x = strstr(file.text, " x");
	x[1] = '\0';
	assert_int_equal(import_lightgbm(file.text, file.length, NULL, &builder, &error), e.status);
	assert_non_null(strstr(error.message, e.message));
	assert_int_equal(error.offset, x + 1 - file.text);
	free(file.text);
}

static void test_equal_names(void **state)
{
	text_file file = replaced(&good_file, "feature_names=a b", "feature_names=a a");
	score_error error;
	(void)state;
	assert_null(import_text(file.text, file.length, NULL, &error));
	free(file.text);
}

static void test_number_of_trees(void **state)
{
	text_file without = replaced(&good_file, "tree_sizes=10 20\n", "");
	text_file three = replaced(&without, "num_class=1\nnum_tree_per_iteration=1", "num_class=3");
	text_file classes = replaced(&three, "binary sigmoid:1", "multiclass num_class:3");
	const edit partial = {NULL, NULL, SCORE_ERR_CORRUPT, -1, "expected a multiple of 3"};
	const edit one_output = {NULL, NULL, SCORE_ERR_CORRUPT, 6, "has one output, but trees make 3"};
	score_model *model = import_good(&without, NULL);
	(void)state;
	score_model_free(model);
	check_refused("2 trees for 3 classes", &classes, &partial);
	check_refused("binary with 3 classes", &three, &one_output);
	without.length -= strlen(tail);
	const edit cut = {NULL, NULL, SCORE_ERR_CORRUPT, 36, "it was cut off"};
	check_refused("no end of trees", &without, &cut);
	free(without.text);
	free(three.text);
	free(classes.text);
}

static void test_iterations(void **state)
{
	static const uint32_t wrong[][2] = {{1, 3}, {0, 3}, {2, 2}, {1, 0}, {1, 1}};
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
		score_error error;
		options.iteration_begin = wrong[i][0];
		options.iteration_end = wrong[i][1];
		assert_null(import_text(good, sizeof good - 1, &options, &error));
		assert_int_equal(error.code, SCORE_ERR_ARGUMENT);
	}
}

static void append(char *text, const char *format, int value)
{
	size_t length = strlen(text);
	snprintf(text + length, (1 << 20) - length, format, value);
}

/* A file may not make the importer copy one large category set for every split. */
static void test_shared_sets(void **state)
{
	enum { SPLITS = 400, WORDS = 2000 };
	char *text = calloc(1, 1 << 20);
	score_builder *builder;
	score_error error;
	(void)state;
	assert_non_null(text);
	append(text, HEADER "Tree=0\nnum_leaves=%d\nnum_cat=1\nsplit_feature=", SPLITS + 1);
	for (int i = 0; i < SPLITS; i++)
		append(text, "1 ", 0);
	append(text, "\nthreshold=", 0);
	for (int i = 0; i < SPLITS; i++)
		append(text, "0 ", 0);
	append(text, "\ndecision_type=", 0);
	for (int i = 0; i < SPLITS; i++)
		append(text, "1 ", 0);
	append(text, "\nleft_child=", 0);
	for (int i = 0; i < SPLITS; i++)
		append(text, "%d ", -i - 1);
	append(text, "\nright_child=", 0);
	for (int i = 1; i <= SPLITS; i++)
		append(text, "%d ", i < SPLITS ? i : -SPLITS - 1);
	append(text, "\nleaf_value=", 0);
	for (int i = 0; i <= SPLITS; i++)
		append(text, "%d ", i);
	append(text, "\ncat_boundaries=0 %d\ncat_threshold=", WORDS);
	for (int i = 0; i < WORDS; i++)
		append(text, "4294967295 ", 0);
	append(text, "\n\nend of trees\n", 0);
	assert_int_equal(import_lightgbm(text, strlen(text), NULL, &builder, &error), SCORE_ERR_LIMIT);
	assert_non_null(strstr(error.message, "share large category sets"));
	free(text);
}

/* ---- any bytes --------------------------------------------------------------------------------------- */

/* In memory of exactly this size, so that a sanitizer sees every read beyond it. True if it became a
 * model. */
static bool import_exact(const char *text, size_t length)
{
	static const double row[2] = {0.5, 1};
	score_input in = score_input_rows_f64(row, 1, 2);
	score_error error;
	double out[16];
	char *copy = malloc(length ? length : 1);
	assert_non_null(copy);
	memcpy(copy, text, length);
	score_model *model = import_text(copy, length, NULL, &error);
	free(copy);
	if (!model)
		return false;
	assert_int_equal(score_batch(model, &in, out, 16, NULL, &error), SCORE_OK);
	score_model_free(model);
	return true;
}

/* Whatever is cut off the trees is noticed; what stands behind them is not needed. */
static void test_every_truncation(void **state)
{
	size_t whole = sizeof good - sizeof tail;
	(void)state;
	for (size_t length = 0; length < sizeof good; length++) {
		if (import_exact(good, length) != (length >= whole))
			fail_msg("the first %zu of %zu bytes: wrongly %s", length, sizeof good - 1,
				length < whole ? "taken" : "refused");
	}
}

static void test_every_byte(void **state)
{
	static const char values[] = "\x00\x01\x7f\x80\xff\n\r =09-.e:[";
	char text[sizeof good];
	size_t n_models = 0;
	(void)state;
	memcpy(text, good, sizeof good);
	for (size_t i = 0; i < sizeof good - 1; i++) {
		for (size_t v = 0; v < sizeof values - 1; v++) {
			text[i] = values[v];
			n_models += import_exact(text, sizeof good - 1);
		}
		for (int bit = 0; bit < 8; bit++) {
			text[i] = (char)(good[i] ^ (1 << bit));
			n_models += import_exact(text, sizeof good - 1);
		}
		text[i] = good[i];
	}
	assert_true(n_models > 100); /* other digits are other models */
}

/* ---- memory ------------------------------------------------------------------------------------------ */

typedef struct countdown {
	long left, live;
} countdown;

static void *counted_alloc(void *context, size_t size, size_t align)
{
	countdown *c = context;
	if (c->left-- <= 0)
		return NULL;
	c->live++;
	return aligned_alloc(align, sl_round_up(size, align));
}

static void counted_free(void *context, void *pointer, size_t size, size_t align)
{
	countdown *c = context;
	(void)size;
	(void)align;
	c->live -= pointer != NULL;
	free(pointer);
}

static void test_every_allocation(void **state)
{
	score_status status = SCORE_ERR_MEMORY;
	long n;
	(void)state;
	for (n = 0; status != SCORE_OK; n++) {
		countdown c = {n, 0};
		score_allocator allocator = {counted_alloc, counted_free, &c};
		score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
		score_builder *builder;
		score_error error;
		options.allocator = &allocator;
		status = import_lightgbm(good, sizeof good - 1, &options, &builder, &error);
		assert_true(status == SCORE_OK || status == SCORE_ERR_MEMORY);
		assert_true((builder != NULL) == (status == SCORE_OK));
		score_builder_free(builder);
		assert_int_equal(c.live, 0);
	}
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_file),        cmocka_unit_test(test_headers),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_empty),            cmocka_unit_test(test_zero_byte),
		cmocka_unit_test(test_equal_names),      cmocka_unit_test(test_number_of_trees),
		cmocka_unit_test(test_iterations),       cmocka_unit_test(test_shared_sets),
		cmocka_unit_test(test_every_truncation), cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_every_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
