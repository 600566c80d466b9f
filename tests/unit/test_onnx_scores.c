/*
 * What scores in ONNX graphs and what follows it: linear models, tree ensembles of both generations, transforms, labels. Answers
 * computed by hand, the metadata that says how labels follow, and graphs that are refused.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_cases.h"

#define X "in x f32 ?x2\nout y\n"
#define WIDE_X "in x f64 ?x2\nout y\n"

static void metadata_is(const char *text, score_onnx_compat compat, const char *key, const char *wanted)
{
	score_model *model = import_good(text, compat);
	const char *got = score_model_metadata_get(model, key);
	got = got ? got : "nothing";
	if (strcmp(got, wanted) != 0)
		fail_msg("%s is %s instead of %s in\n%s", key, got, wanted, text);
	score_model_free(model);
}

/* ---- linear models ----------------------------------------------------------------------------------------- */

#define REGRESSOR "node ml:LinearRegressor x -> y ; "
#define MATRIX "const w f32 2x3 1 2 4 8 16 32\nconst c f32 3 1 2 3\nconst one f32 1 7\nconst two i64 1 2\n"
#define CLASSIFIER "node ml:LinearClassifier x -> l,y ; "

static void scores_linear_models(void **state)
{
	const double e = (double)expf(-1.0f), half = (double)(1.0f / (1.0f + expf(-1.0f)));
	const answer answers[] = {
		{X REGRESSOR "coefficients ff 1 2 ; intercepts ff 0.5\n", {1, 2}, {5.5}, SPEC},
		{X REGRESSOR "coefficients ff 1 2 4 8 ; targets i 2\n", {1, 2}, {5, 20}, SPEC},
		{X REGRESSOR "coefficients ff 1 0 ; post_transform s LOGISTIC\n", {1, 2}, {half}, SPEC},
		{X REGRESSOR "coefficients ff 1 0 ; post_transform s LOGISTIC\n", {1, 2}, {1}, RUNTIME},
		{X MATRIX "node MatMul x,w -> y\n", {1, 2}, {17, 34, 68}, SPEC},
		{X "const w f32 2 1 2\nnode MatMul x,w -> y\n", {1, 2}, {5}, SPEC},
		{X MATRIX "node MatMul x,w -> a\nnode Add a,c -> y\n", {1, 2}, {18, 36, 71}, SPEC},
		{X MATRIX "node MatMul x,w -> a\nnode Add a,one -> y\n", {1, 2}, {24, 41, 75}, SPEC},
		{X MATRIX "node MatMul x,w -> a\nnode ml:ArrayFeatureExtractor a,two -> y\n", {1, 2}, {68}, SPEC},
		{X MATRIX "node MatMul x,w -> a\nnode Add a,c -> b\nnode ml:ArrayFeatureExtractor b,two -> y\n", {1, 2}, {71}, SPEC},
		/* What is added to one score that was chosen is not added to others. */
		{X MATRIX "node MatMul x,w -> a\nnode ml:ArrayFeatureExtractor a,two -> b\nnode Add b,one -> y\n", {1, 2}, {75}, SPEC},
		/* What is added behind the graph's output is not added to it. */
		{X MATRIX "node MatMul x,w -> y\nnode Add y,c -> z\n", {1, 2}, {17, 34, 68}, SPEC},
		{X MATRIX "node MatMul x,w -> y\nnode Exp y -> z\n", {1, 2}, {17, 34, 68}, SPEC},
		{X CLASSIFIER "coefficients ff 1 2 4 8 16 32 ; intercepts ff 1 2 3 ; classlabels_ints ii 5 6 7\n", {1, 2}, {6, 22, 83}, SPEC},
		{X CLASSIFIER "coefficients ff 1 2 ; classlabels_ints ii 5\n", {1, 2}, {5}, SPEC},
		/* One row for two classes: {1 - s, s}. */
		{X CLASSIFIER "coefficients ff 1 2 ; classlabels_ints ii 5 6\n", {1, 2}, {-4, 5}, SPEC},
		{X CLASSIFIER "coefficients ff 1 2 ; classlabels_ints ii 5 6 ; post_transform s SOFTMAX\n", {1, 2}, {-4, 5}, RUNTIME},
		{X CLASSIFIER "coefficients ff 1 2 ; classlabels_ints ii 5 6 ; post_transform s SOFTMAX_ZERO\n", {1, 2}, {-4, 5}, RUNTIME},
		{X CLASSIFIER "coefficients ff 0.5 0 ; classlabels_ints ii 5 6 ; post_transform s SOFTMAX\n", {1, 2},
			{(double)(expf(-1.0f) / (expf(-1.0f) + 1.0f)), (double)(1.0f / (expf(-1.0f) + 1.0f))}, SPEC},
		{X CLASSIFIER "coefficients ff 1 0 ; classlabels_ints ii 5 6 ; post_transform s LOGISTIC\n", {1, 2}, {(double)(1.0f - (float)half), half}, SPEC},
		/* Behind the scores. */
		{X REGRESSOR "coefficients ff 1 0\nnode Exp y -> z\nout z\n", {-1}, {-1}, SPEC},
		{"in x f32 ?x1\nout z\n" REGRESSOR "coefficients ff 1\nnode Exp y -> z\n", {-1}, {e}, SPEC},
		{"in x f32 ?x1\nout z\nconst f f32 - 2\n" REGRESSOR "coefficients ff 1\nnode Exp y -> a\nnode Mul a,f -> z\n", {-1}, {2 * e}, SPEC},
		{"in x f32 ?x1\nout z\nconst f f32 1 1\n" REGRESSOR "coefficients ff 1\nnode Mul y,f -> z\n", {-1}, {-1}, SPEC},
		{"in x f32 ?x1\nout z\n" REGRESSOR "coefficients ff 1\nnode Sigmoid y -> z\n", {1}, {half}, SPEC},
		{"in x f32 ?x1\nout z\nconst s i64 1 -1\n" REGRESSOR "coefficients ff 1\nnode Reshape y,s -> z\n", {3}, {3}, SPEC},
		{"in x f32 ?x1\nout z\nconst s i64 2 0 1\n" REGRESSOR "coefficients ff 1\nnode Reshape y,s -> z\n", {3}, {3}, SPEC},
		{X CLASSIFIER "coefficients ff 0 0 0 0 ; intercepts ff 0 0 ; classlabels_ints ii 5 6 ; post_transform s LOGISTIC\n"
			"node ml:Normalizer y -> z ; norm s L1\nout z\n", {1, 2}, {0.5, 0.5}, SPEC},
		{"in x f32 ?x2\nout z\n" CLASSIFIER "coefficients ff 0 0 0 0 ; intercepts ff 0 0 ; classlabels_ints ii 5 6 ; post_transform s "
			"LOGISTIC\nnode ml:Normalizer y -> z ; norm s L1\n", {1, 2}, {0.5, 0.5}, SPEC},
		{"in x f32 ?x2\nout z\n" CLASSIFIER "coefficients ff 0 0 0 0 ; intercepts ff 0 0 ; classlabels_ints ii 5 6 ; post_transform s "
			"SOFTMAX\nnode ml:Normalizer y -> z ; norm s L1\n", {1, 2}, {0.5, 0.5}, SPEC},
		{"in x f32 ?x2\nout z\n" CLASSIFIER "coefficients ff 0 0 ; classlabels_ints ii 5 6 ; post_transform s "
			"LOGISTIC\nnode ml:Normalizer y -> z ; norm s L1\n", {1, 2}, {0.5, 0.5}, SPEC},
	};
	(void)state;
	GIVE_ALL(answers);
}

static void says_how_labels_follow(void **state)
{
	static const char three[] = X "out m\nconst names str 3 u v w\n" CLASSIFIER "coefficients ff 1 2 4 8 16 32 ; intercepts ff 1 2 3 ; "
		"classlabels_strings ss a\"b c\\d %01\nnode Cast l -> k ; to i 7\nnode Reshape k -> m\nnode ml:ArrayFeatureExtractor names,l -> n\n";
	static const char matrix[] = X MATRIX "node MatMul x,w -> y\nnode ArgMax y -> l\nnode ArgMax y -> k\n";
	static const char chosen[] = X MATRIX "node MatMul x,w -> a\nnode ArgMax a -> k\nnode ml:ArrayFeatureExtractor a,two -> y\nnode ArgMax y -> l\n";
	static const char single[] = X "producer made 1.2\n" REGRESSOR "coefficients ff 1 2\nnode ArgMax y -> l\n";
	static const char long_name[] = X "producer aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 2\n" REGRESSOR "coefficients ff 1 2\n";
	(void)state;
	metadata_is(long_name, SPEC, "source.version", "2");
	metadata_is(three, SPEC, "class_labels", "[\"a\\\"b\", \"c\\\\d\", \"\\u0001\"]");
	/* The names of all classes as an output of their own. */
	static const char listed[] = X "const numbers i64 2 0 1\n" CLASSIFIER "coefficients ff 1 2 4 8 ; intercepts ff 1 2 ; classlabels_strings ss a b\n"
		"node ml:LabelEncoder numbers -> names ; keys_int64s ii 0 1 ; values_strings ss a b\nnode Identity names -> n\nout n\n";
	metadata_is(listed, SPEC, "class_labels", "[\"a\", \"b\"]");
	metadata_is(three, SPEC, "class_rule", "largest margin");
	metadata_is(matrix, SPEC, "class_rule", "largest margin");
	metadata_is(chosen, SPEC, "class_rule", "nothing");
	metadata_is(single, SPEC, "class_rule", "nothing");
	metadata_is(single, SPEC, "source.version", "made 1.2");
	metadata_is(X "producer made \"\"\n" REGRESSOR "coefficients ff 1 2\n", SPEC, "source.version", "made");
	metadata_is(X "producer \"\" \"\"\n" REGRESSOR "coefficients ff 1 2\n", SPEC, "source.version", "nothing");
	metadata_is(X "producer %FF 1\n" REGRESSOR "coefficients ff 1 2\n", SPEC, "source.version", "1");
	metadata_is(X CLASSIFIER "coefficients ff 1 2 ; classlabels_ints ii 5\n", SPEC, "class_labels", "nothing");
	metadata_is(X CLASSIFIER "coefficients ff 1 2 ; classlabels_ints ii -5 6\n", SPEC, "class_labels", "[-5, 6]");
	metadata_is(X CLASSIFIER "coefficients ff 1 2 ; classlabels_ints ii 5 6\n", SPEC, "class_rule", "margin > 0");
}

static void refuses_wrong_linear_models(void **state)
{
	static const refusal refusals[] = {
		{WIDE_X REGRESSOR "coefficients ff 1 2\n", NOT, "reads double columns", SPEC},
		{X REGRESSOR "coefficients ff 1 2 ; targets i 0\n", BAD, "has 2 coefficients and 0 intercepts for 2 columns and 0 scores", SPEC},
		{X REGRESSOR "coefficients ff 1 2 ; targets i 2147483648\n", BAD, "and 2147483648 scores", SPEC},
		{X REGRESSOR "coefficients ff 1 2 3\n", BAD, "has 3 coefficients", SPEC},
		{X REGRESSOR "coefficients ff 1 2 ; intercepts ff 1 2\n", BAD, "and 2 intercepts", SPEC},
		{X REGRESSOR "coefficients ff 1 2 ; targets f 1\n", BAD, "targets is of type 1", SPEC},
		{X REGRESSOR "coefficients ii 1 2\n", BAD, "coefficients is of type 7", SPEC},
		{X REGRESSOR "coefficients ff 1 2 ; intercepts ii 1\n", BAD, "intercepts is of type 7", SPEC},
		{X REGRESSOR "coefficients ff 1 2 ; post_transform s SINE\n", BAD, "post_transform is the unknown 'SINE'", SPEC},
		{X REGRESSOR "coefficients_as_tensor t i64 2 1 2\n", NOT, "is of type 7 (TensorProto.DataType); expected float or double", SPEC},
		{X REGRESSOR "coefficients_as_tensor i 2\n", BAD, "coefficients_as_tensor is of type 2", SPEC},
		{"in x str ?x1\nout y\n" REGRESSOR "coefficients ff 1\n", NOT, "scores text", SPEC},
		{X CLASSIFIER "coefficients ff 1 2\n", BAD, "classlabels_ints has 0 labels and classlabels_strings 0", SPEC},
		{X CLASSIFIER "coefficients ff 1 2 ; classlabels_ints ii 5 ; classlabels_strings ss a\n", BAD, "classlabels_ints has 1 labels", SPEC},
		{X CLASSIFIER "coefficients ff 1 2 ; classlabels_ints ff 5\n", BAD, "classlabels_ints is of type 6", SPEC},
		{X CLASSIFIER "coefficients ff 1 2 ; classlabels_strings ff 5\n", BAD, "classlabels_strings is of type 6", SPEC},
		{X CLASSIFIER "coefficients ff 1 2 ; classlabels_strings ss a %FF\n", BAD, "label 1 is no UTF-8 text", SPEC},
		{X CLASSIFIER "coefficients ff 1 2 ; classlabels_ints ii 5 6 7\n", BAD, "for 2 columns and 3 scores", SPEC},
		{X CLASSIFIER "coefficients ff 1 2 3 4 ; classlabels_ints ii 5 6 7\n", BAD, "and 3 scores", SPEC},
		{X CLASSIFIER "coefficients ff 1 ; classlabels_ints ii 5 6\n", BAD, "has 1 coefficients", SPEC},
		{X CLASSIFIER "coefficients ff 1 2 3 ; classlabels_ints ii 5 6\n", BAD, "has 3 coefficients", SPEC},
		{X CLASSIFIER "coefficients ff 1 2 ; classlabels_ints ii 5 6 ; post_transform s PROBIT\n", NOT, "transforms one score", SPEC},
		{X CLASSIFIER "coefficients ff 1 2 ; classlabels_ints ii 5 6 ; post_transform s SOFTMAX_ZERO\n", NOT, "transforms one score", SPEC},
		{X "node MatMul x -> y\n", BAD, "has 1 inputs", SPEC},
		{X "node MatMul x,x -> y\n", NOT, "multiplies by what is no constant", SPEC},
		{X "const w f64 2 1 2\nnode MatMul x,w -> y\n", NOT, "no constant of the columns' type", SPEC},
		{"in x i64 ?x2\nout y\nconst w i64 2 1 2\nnode MatMul x,w -> y\n", NOT, "expected float or double", SPEC},
		{X "const w f32 3 1 2 3\nnode MatMul x,w -> y\n", BAD, "does not fit 2 columns", SPEC},
		{X "const w f32 2x0\nnode MatMul x,w -> y\n", BAD, "does not fit 2 columns", SPEC},
		{X "const w f32 2x1x1 1 2\nnode MatMul x,w -> y\n", BAD, "does not fit 2 columns", SPEC},
		{X "const w f32 - 1\nnode MatMul x,w -> y\n", BAD, "does not fit 2 columns", SPEC},
		{X MATRIX "node MatMul@first x,w -> a\nnode MatMul x,w -> y\n", NOT, "is a second model beside 'first'", SPEC},
		{X MATRIX "node MatMul x,w -> a\nnode Add a -> y\n", BAD, "has 1 inputs", SPEC},
		{X MATRIX "node MatMul x,w -> a\nnode Add a,a -> y\n", NOT, "adds to scores", SPEC},
		{X MATRIX "node MatMul x,w -> a\nnode Add a,c -> b\nnode Add b,c -> y\n", NOT, "adds to scores", SPEC},
		{X MATRIX "node MatMul x,w -> a\nnode Exp a -> b\nnode Add b,c -> y\n", NOT, "adds to scores", SPEC},
		{X MATRIX "node MatMul x,w -> a\nnode Add a,two -> y\n", NOT, "expected float or double", SPEC},
		{X MATRIX "const p f32 2 1 2\nnode MatMul x,w -> a\nnode Add a,p -> y\n", BAD, "adds 2 numbers to 3 scores", SPEC},
		{X MATRIX "node MatMul x,w -> a\nnode ml:ArrayFeatureExtractor a,two -> b\nnode Add b,c -> y\n", BAD, "adds 3 numbers to 1", SPEC},
	};
	(void)state;
	REFUSE_ALL(refusals);
}

#define SCORES X "const three i64 1 3\nconst both i64 2 0 1\nconst zero f32 1 0\nconst f2 f32 1 2\nconst pair f32 2 1 1\n" MATRIX \
	"node MatMul x,w -> a\n"

static void refuses_wrong_operators_on_scores(void **state)
{
	static const refusal refusals[] = {
		{SCORES "node Reshape a -> y\n", BAD, "has 1 inputs", SPEC},
		{SCORES "node Reshape a,x -> y\n", NOT, "by a shape that the graph computes", SPEC},
		{SCORES "node Reshape a,c -> y\n", NOT, "expected int64", SPEC},
		{SCORES "const s i64 2 -1 2\nnode Reshape a,s -> y\n", NOT, "changes the number of columns", SPEC},
		{SCORES "const s i64 2 3 -1\nnode Reshape a,s -> y\n", NOT, "changes the number of columns", SPEC},
		{SCORES "const s i64 3 -1 3 1\nnode Reshape a,s -> y\n", NOT, "changes the number of columns", SPEC},
		{SCORES "const s i64 1 -1\nnode Reshape a,s -> y\n", NOT, "changes the number of columns", SPEC},
		{SCORES "const s i64 0\nnode Reshape a,s -> y\n", NOT, "changes the number of columns", SPEC},
		{X "node Flatten x -> a ; axis i 0\n", NOT, "changes the number of rows", SPEC},
		{X "node Flatten x -> a ; axis f 0\n", BAD, "axis is of type 1", SPEC},
		{SCORES "node Exp a -> b\nnode Exp b -> y\n", NOT, "reads scores that were transformed before", SPEC},
		{SCORES "node Exp a -> b\nnode Sigmoid b -> y\n", NOT, "reads scores that were transformed before", SPEC},
		{SCORES "node Mul a -> y\n", BAD, "has 1 inputs", SPEC},
		{SCORES "node Mul a,a -> y\n", NOT, "multiplies scores by what the graph computes", SPEC},
		{SCORES "node Mul a,two -> y\n", NOT, "expected float or double", SPEC},
		{SCORES "node Mul a,f2 -> y\n", NOT, "multiplies scores; supported are", SPEC},
		{SCORES "node Exp a -> b\nnode Mul b,pair -> y\n", NOT, "multiplies scores; supported are", SPEC},
		{SCORES "node Exp a -> b\nnode Mul b,zero -> y\n", NOT, "multiplies scores; supported are", SPEC},
		{SCORES "const i f32 1 inf\nnode Exp a -> b\nnode Mul b,i -> y\n", NOT, "multiplies scores; supported are", SPEC},
		{SCORES "node ml:ArrayFeatureExtractor a -> y\n", BAD, "has 1 inputs", SPEC},
		{SCORES "node ml:ArrayFeatureExtractor a,x -> y\n", NOT, "selects some of the scores", SPEC},
		{SCORES "node Exp a -> b\nnode ml:ArrayFeatureExtractor b,two -> y\n", NOT, "selects some of the scores", SPEC},
		{SCORES "node ml:ArrayFeatureExtractor a,two -> b\nnode ml:ArrayFeatureExtractor b,two -> y\n", NOT, "selects some of the scores", SPEC},
		{SCORES "node Slice a,zero,two -> y\n", NOT, "takes some of the scores", SPEC},
		{SCORES "node ml:ArrayFeatureExtractor a,c -> y\n", NOT, "expected int64", SPEC},
		{SCORES "node ml:ArrayFeatureExtractor a,both -> y\n", NOT, "selects several of the scores", SPEC},
		{SCORES "node ml:ArrayFeatureExtractor a,three -> y\n", NOT, "selects several of the scores", SPEC},
		{SCORES "const m i64 1 -1\nnode ml:ArrayFeatureExtractor a,m -> y\n", NOT, "selects several of the scores", SPEC},
		{SCORES "node ml:Normalizer a -> y ; norm s L1\n", NOT, "normalises scores", SPEC},
		{SCORES "node ml:Normalizer a -> y ; norm s L2\n", NOT, "normalises scores", SPEC},
		{SCORES "node ml:Normalizer a -> y ; norm s L3\n", BAD, "norm is the unknown 'L3'", SPEC},
		{SCORES "node ml:ArrayFeatureExtractor c,a -> y\n", NOT, "by what is no label", SPEC},
		{SCORES "node ml:ArrayFeatureExtractor c -> y\n", BAD, "has 1 inputs", SPEC},
		{SCORES "node Tanh@t a -> y\n", NOT, "Tanh 't': this operator is not supported on scores", SPEC},
		{SCORES "node Tanh - -> y\n", NOT, "Tanh, which makes 'y': this operator is not supported; export", SPEC},
		{SCORES "node Tanh a -> -\n", NOT, "Tanh: this operator is not supported on scores", SPEC},
		{SCORES "node Tanh a -> \"\"\n", NOT, "Tanh: this operator is not supported on scores", SPEC},
		{SCORES "node ml:LabelEncoder a -> y\n", NOT, "this operator is not supported on scores", SPEC},
		{SCORES "node Identity a -> a\n", BAD, "its result 'a' has the name of another value", SPEC},
	};
	(void)state;
	REFUSE_ALL(refusals);
}

/* ---- the graph ------------------------------------------------------------------------------------------------ */

static void refuses_wrong_graphs(void **state)
{
	static const refusal refusals[] = {
		{X "function\n" REGRESSOR "coefficients ff 1 2\n", NOT, "defines 1 functions of its own", SPEC},
		{"in x f32 ?x2\nout y\nout z\n" REGRESSOR "coefficients ff 1 2\n", BAD, "output 'z' is made by no operator", SPEC},
		{"in x f32 ?x2\nout x\n", NOT, "has no tree ensemble and no linear model", SPEC},
		{"in x f32 ?x0\nout y\n", MUCH, "input 'x' has 0 columns", SPEC},
		{"in x f32 ?x1048577\nout y\n", MUCH, "input 'x' has 1048577 columns", SPEC},
		{"in x f32 ?x2x1\nout y\n", NOT, "input 'x' has 3 dimensions", SPEC},
		{"in x 5 ?x2\nout y\n", NOT, "input 'x' is of type 5", SPEC},
		{"in \"\" f32 ?x1\nout y\nnode ml:LinearRegressor \"\" -> y ; coefficients ff 1\n", BAD, "the name of input 0 is no text", SPEC},
		{"in %FF f32 ?x1\nout y\nnode ml:LinearRegressor %FF -> y ; coefficients ff 1\n", BAD, "the name of input 0 is no text", SPEC},
	};
	(void)state;
	REFUSE_ALL(refusals);
}

static void names_features_by_their_inputs(void **state)
{
	score_model *model = import_good("in few f32 ?x2\nin flag bool ?x1\nin word str ?x2\nout y\nnode ml:OneHotEncoder word -> a ; "
		"cats_strings ss u\nnode Flatten a -> b\nnode Cast few -> c ; to i 1\nnode Concat b,c -> d\nnode ml:LinearRegressor d -> y ; "
		"coefficients ff 1 2 4 8\n", SPEC);
	static const char *const names[] = {"few[0]", "few[1]", "flag", "word[0]", "word[1]"};
	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		assert_string_equal(score_model_feature_name(model, i), names[i]);
	assert_string_equal(score_model_metadata_get(model, "source.library"), "onnx");
	assert_int_equal(score_model_category_count(model, 4), 1);
	score_model_free(model);
	/* Alone, an input of several columns leaves them without names, also when they are text. */
	model = import_good("in word str ?x2\nout y\nnode ml:LabelEncoder word -> a ; keys_strings ss u ; values_floats ff 1\n"
		"node ml:LinearRegressor a -> y ; coefficients ff 1 2\n", SPEC);
	for (uint32_t i = 0; i < 2; i++) {
		assert_string_equal(score_model_feature_name(model, i), i ? "f1" : "f0");
		assert_int_equal(score_model_category_count(model, i), 1);
	}
	score_model_free(model);
}

#define SIXTEEN "x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x"

/* More than the importer looks names up among, or than a file of its size can mean. */
static void bounds_what_it_reads(void **state)
{
	static const struct {
		const char *line;
		int n;
		const char *says;
	} floods[] = {{"node Identity x -> -\n", 4097, "4097 operators"}, {"const - f32 0\n", 4097, "4097 constants"},
		{"in - f32\n", 4097, "4098 inputs"}, {"node Identity x -> q,q,q,q,q,q,q,q,q\n", 911, "911 operators"},
		{"node Concat " SIXTEEN "," SIXTEEN "," SIXTEEN "," SIXTEEN " -> -\n", 1025, "65600 inputs together"}};
	(void)state;
	for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
		size_t line = strlen(floods[i].line), n = strlen(X);
		char *text = malloc(n + line * (size_t)floods[i].n + 1);
		assert_non_null(text);
		memcpy(text, X, n + 1);
		for (int k = 0; k < floods[i].n; k++, n += line)
			memcpy(text + n, floods[i].line, line + 1);
		const refusal r = {text, MUCH, floods[i].says, SPEC};
		refuse(&r);
		free(text);
	}
}

/* A file knows no iterations; and what it takes in memory is bounded by its size, whatever it repeats. */
static void refuses_iterations_and_floods(void **state)
{
	onnx_bytes *file = onnx_from_text(X REGRESSOR "coefficients ff 1 2\n");
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	score_model *model;
	score_error error;
	(void)state;
	for (uint32_t begin = 0; begin < 2; begin++) {
		options.iteration_begin = begin;
		options.iteration_end = 2;
		assert_int_equal(score_import_memory(file->data, file->size, &options, &model, &error), SCORE_ERR_ARGUMENT);
		assert_non_null(strstr(error.message, "an ONNX file knows no boosting iterations"));
	}
	onnx_bytes *graph = onnx_new_bytes(1);
	while (graph->size + 16 < sizeof graph->data)
		onnx_put_block(graph, 5, "", 0); /* a tensor of two bytes */
	file->size = 0;
	onnx_put_number(file, 1, 8);
	onnx_put_block(file, 7, graph->data, graph->size - 32);
	assert_int_equal(score_import_memory(file->data, file->size, NULL, &model, &error), SCORE_ERR_LIMIT);
	assert_non_null(strstr(error.message, "when it is parsed, as no model does"));
	free(graph);
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores_linear_models),
		cmocka_unit_test(says_how_labels_follow),
		cmocka_unit_test(refuses_wrong_linear_models),
		cmocka_unit_test(refuses_wrong_operators_on_scores),
		cmocka_unit_test(refuses_wrong_graphs),
		cmocka_unit_test(names_features_by_their_inputs),
		cmocka_unit_test(bounds_what_it_reads),
		cmocka_unit_test(refuses_iterations_and_floods),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
