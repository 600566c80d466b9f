/*
 * ONNX operators, each in a graph of a few lines (onnx_text.h): rows whose answers were computed by hand, in numbers that
 * float holds, and graphs that are refused, with what the message says.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_cases.h"

/* Three columns x into the linear model 1, 2, 4 of `columns`. */
#define X "in x f32 ?x3\nout y\n"
#define WIDE_X "in x f64 ?x3\nout y\n"
#define WHOLE_X "in x i64 ?x3\nout y\n"
#define TEXT_X "in x str ?x1\nout y\n"
#define SUM(columns) "node ml:LinearRegressor " columns " -> y ; coefficients ff 1 2 4\n"
#define ONE(column) "node ml:LinearRegressor " column " -> y ; coefficients ff 1\n"

/* ---- columns --------------------------------------------------------------------------------------------- */

static void joins_and_selects_columns(void **state)
{
	static const answer answers[] = {
		{X SUM("x"), {1, 2, 3}, {17}, SPEC},
		{X "node Concat x,x -> a ; axis i -1\nnode ml:LinearRegressor a -> y ; coefficients ff 1 2 4 8 16 32\n",
			{1, 2, 3}, {153}, SPEC},
		{"in x f32 ?x2\nin z f32 ?x1\nout y\nnode ml:FeatureVectorizer x,z -> a\n" SUM("a"), {1, 2, 3}, {17}, SPEC},
		{X "const i i64 3 2 -2 0\nnode Gather x,i -> a ; axis i 1\n" SUM("a"), {1, 2, 3}, {11}, SPEC},
		{X "const i i64 raw:3 2 -2 0\nnode Gather x,i -> a ; axis i -1\n" SUM("a"), {1, 2, 3}, {11}, SPEC},
		{X "const i i32 raw:3 2 -2 0\nnode onnx:Gather x,i -> a ; axis i 1\n" SUM("a"), {1, 2, 3}, {11}, SPEC},
		{X "const i i32 3 1 1 1\nnode ml:ArrayFeatureExtractor x,i -> a\n" SUM("a"), {1, 2, 3}, {14}, SPEC},
		{X "const i u8 3 1 1 1\nnode ml:ArrayFeatureExtractor x,i -> a\n" SUM("a"), {1, 2, 3}, {14}, SPEC},
		{X "const i bool raw:3 1 1 1\nnode ml:ArrayFeatureExtractor x,i -> a\n" SUM("a"), {1, 2, 3}, {14}, SPEC},
		{X "node Identity x -> a\nnode Identity x -> \"\"\n" SUM("a"), {1, 2, 3}, {17}, SPEC},
		/* Scaled, and joined with what was not: 2 (x - 1) of the first half. */
		{"in x f32 ?x1\nout y\nnode ml:Scaler x -> a ; offset ff 1 ; scale ff 2\nnode Concat a,a -> b\nnode Concat b,x -> c\n"
			SUM("c"), {3}, {24}, SPEC},
		{"in x f32 ?x1\nout y\nnode ml:Scaler x -> a ; offset ff 1 ; scale ff 2\nnode Concat a,x -> b\nnode ml:Scaler b -> c ; "
			"offset ff 0 ; scale ff 1\nconst i i64 3 0 1 1\nnode ml:ArrayFeatureExtractor c,i -> d\n" SUM("d"), {3}, {22}, SPEC},
		/* One-hot columns along their last dimension. */
		{"in x i64 ?x1\nout y\nnode ml:OneHotEncoder x -> a ; cats_int64s ii 3 4\nnode Concat a,a -> b ; axis i 2\n"
			"const i i64 3 0 1 2\nnode Gather b,i -> c ; axis i 2\nnode Flatten c -> d\n" SUM("d"), {3}, {5}, SPEC},
		{"in x i64 ?x1\nout y\nnode ml:OneHotEncoder x -> a ; cats_int64s ii 3 4 5\nconst s i64 2 -1 3\nnode Reshape a,s -> d\n" SUM("d"),
			{4}, {2}, SPEC},
		/* An input that a constant of the same name stands for is none. */
		{"in w f32 3\nconst w f32 3x1 1 2 4\n" X "node MatMul x,w -> y\n", {1, 2, 3}, {17}, SPEC},
	};
	(void)state;
	GIVE_ALL(answers);
}

static void refuses_what_it_cannot_join_or_select(void **state)
{
	static const refusal refusals[] = {
		{X "const c f32 1 1\nnode Concat x,c -> a\n" SUM("a"), NOT, "joins values of different kinds or types", SPEC},
		{X "in z i64 ?x1\nnode Concat x,z -> a\n" SUM("a"), NOT, "joins values of different kinds or types", SPEC},
		{X "in z f64 ?x1\nnode Cast x -> b ; to i 11\nnode Concat b,z -> a\n" SUM("a"), NOT, "joins values of different kinds", SPEC},
		{X "node Concat x,q -> a\n" SUM("a"), BAD, "its input 'q' is made by no operator", SPEC},
		{X "node Concat x -> a ; axis i 0\n" SUM("a"), NOT, "along another axis", SPEC},
		{X "node Concat x -> a ; axis s 0\n" SUM("a"), BAD, "axis is of type 3, expected 2", SPEC},
		{"in x i64 ?x1\nout y\nnode ml:OneHotEncoder x -> a ; cats_int64s ii 3 4\nnode Concat a -> b ; axis i 1\n" SUM("b"), NOT,
			"along another axis", SPEC},
		{WHOLE_X "node ml:FeatureVectorizer x -> a\n" SUM("a"), NOT, "joins columns that are not of type float", SPEC},
		{X "node Gather x -> a ; axis i 1\n" SUM("a"), BAD, "has 1 inputs", SPEC},
		{X "node Gather x,x -> a ; axis i 1\n" SUM("a"), NOT, "selects by what the graph computes", SPEC},
		{X "const i i64 1 0\nnode Gather x,i -> a ; axis i 0\n" SUM("a"), NOT, "selects by what the graph computes", SPEC},
		{X "const i i64 1 0\nnode Gather x,i -> a ; axis f 1\n" SUM("a"), BAD, "axis is of type 1, expected 2", SPEC},
		{X "const i i64 1 3\nnode Gather x,i -> a ; axis i 1\n" SUM("a"), BAD, "selects column 3 of 3", SPEC},
		{X "const i i64 1 -4\nnode Gather x,i -> a ; axis i 1\n" SUM("a"), BAD, "selects column -4 of 3", SPEC},
		{X "const i f32 1 0\nnode Gather x,i -> a ; axis i 1\n" SUM("a"), NOT, "is of type 1 (TensorProto.DataType)", SPEC},
		{X "const i i64 2 0\nnode Gather x,i -> a ; axis i 1\n" SUM("a"), BAD, "has 1 elements, its dimensions", SPEC},
		{X "const i i64 0\nnode Gather x,i -> a ; axis i 1\nconst w f32 0x1\nnode MatMul a,w -> y\n", BAD, "selects no columns", SPEC},
		{X "const i i64 0\nnode Gather x,i -> a ; axis i 1\nnode ml:LinearClassifier a -> -,y ; coefficients ff 1 ; classlabels_ints ii 0 1\n",
			BAD, "selects no columns", SPEC},
		{X "const i i64 -1 0\nnode Gather x,i -> a ; axis i 1\n" SUM("a"), BAD, "its dimensions say otherwise", SPEC},
		{X "const i i64 9223372036854775807x9223372036854775807x4 0\nnode Gather x,i -> a ; axis i 1\n" SUM("a"), BAD,
			"its dimensions say otherwise", SPEC},
		{X "const i i64 ext:1\nnode Gather x,i -> a ; axis i 1\n" SUM("a"), NOT, "lies in a file of its own", SPEC},
		{X "const i i64 own:1 0\nnode Gather x,i -> a ; axis i 1\n" SUM("a"), NOT, "lies in a file of its own", SPEC},
		{"in x f32 ?x200000\nout y\nnode Concat x,x -> a\n" SUM("a"), MUCH, "bytes more than its size justifies", SPEC},
		{"in x f32 ?x200000\nout y\nnode Concat x,x,x,x,x,x -> a\n" SUM("a"), MUCH, "1200000 columns in the graph", SPEC},
		{"const pad f32 100000 100000*1\nin x f32 ?x1048576\nin z f32 ?x1\nout y\n" ONE("z"), MUCH, "inputs have more than", SPEC},
	};
	(void)state;
	REFUSE_ALL(refusals);
}

static void casts_columns(void **state)
{
	static const double tenth = 0.1;
	const answer answers[] = {
		{WIDE_X "node Cast x -> a ; to i 1\n" SUM("a"), {tenth, 0, 0}, {(double)0.1f}, SPEC},
		{X "node Cast x -> a ; to i 1\n" SUM("a"), {1, 2, 3}, {17}, SPEC},
		{WHOLE_X "node Cast x -> a ; to i 7\nnode Cast a -> b ; to i 1\n" SUM("b"), {1, 2, 3}, {17}, SPEC},
		{WIDE_X "node Cast x -> a ; to i 11\nconst w f64 3x1 1 2 4\nnode MatMul a,w -> y\n", {tenth, 0, 0}, {tenth}, SPEC},
		/* Scores of doubles, as floats. */
		{WIDE_X "const w f64 3x1 1 2 4\nnode MatMul x,w -> b\nnode Cast b -> y ; to i 1\n", {tenth, 0, 0}, {(double)0.1f}, SPEC},
		{WIDE_X "const w f64 3x1 1 2 4\nnode MatMul x,w -> b\nnode Cast b -> y ; to i 11\n", {tenth, 0, 0}, {tenth}, SPEC},
		{X "const w f32 3x1 1 2 4\nnode MatMul x,w -> b\nnode Cast b -> y ; to i 1\n", {1, 2, 3}, {17}, SPEC},
	};
	static const refusal refusals[] = {
		{X "node Cast x -> a ; to f 1\n" SUM("a"), BAD, "to is of type 1, expected 2", SPEC},
		{X "node Cast x -> a ; to i 7\n" SUM("a"), NOT, "casts to another type", SPEC},
		{TEXT_X "node Cast x -> a ; to i 1\n" ONE("a"), NOT, "reads numbers in text", SPEC},
		{WIDE_X "const w f64 3x1 1 2 4\nnode MatMul x,w -> b\nnode Exp b -> c\nnode Cast c -> y ; to i 1\n", NOT,
			"rounds transformed predictions", SPEC},
	};
	(void)state;
	GIVE_ALL(answers);
	REFUSE_ALL(refusals);
}

static void computes_columns(void **state)
{
	static const answer answers[] = {
		{X "const c f32 1 0.5\nnode Add x,c -> a\nnode Sub a,c -> b\nnode Mul b,c -> d\nnode Div d,c -> e\n" SUM("e"), {1, 2, 3}, {17},
			SPEC},
		{X "const c f32 3 1 2 4\nnode Mul x,c -> a\n" SUM("a"), {1, 1, 1}, {21}, SPEC},
		{WIDE_X "const c f64 raw:3 1 2 4\nnode Mul x,c -> a\nconst w f64 3x1 1 1 1\nnode MatMul a,w -> y\n", {0.1, 0, 0}, {0.1}, SPEC},
		{WIDE_X "node ml:Scaler x -> a ; offset ff 1 ; scale ff 2 4 8\n" SUM("a"), {2, 1, 1}, {2}, SPEC},
		{WHOLE_X "node ml:Scaler x -> a ; offset ff 1 1 1 ; scale ff 2\n" SUM("a"), {2, 1, 1}, {2}, SPEC},
		{X "node ml:Scaler x -> a ; offset ff ; offset_as_tensor t f32 1 1 ; scale ff 2\n" SUM("a"), {2, 1, 1}, {2}, SPEC},
		{X "node ml:Imputer x -> a ; imputed_value_floats ff 8 9 10 ; replaced_value_float f 2\n" SUM("a"), {1, 2, 3}, {31}, SPEC},
		{WIDE_X "node ml:Imputer x -> a ; imputed_value_floats ff 8 ; replaced_value_float f nan\nnode Cast a -> b ; to i 1\n" SUM("b"),
			{1, NAN, 3}, {29}, SPEC},
		{WHOLE_X "node ml:Imputer x -> a ; imputed_value_int64s ii 8 ; replaced_value_int64 i 2\n" SUM("a"), {1, 2, 3}, {29}, SPEC},
		{X "node ml:Binarizer x -> a ; threshold f 1.5\n" SUM("a"), {1, 2, 3}, {6}, SPEC},
		{WHOLE_X "node ml:Binarizer x -> a ; threshold f 1.5\n" SUM("a"), {1, 2, 3}, {6}, SPEC},
		{X "node ml:Normalizer x -> a ; norm s L1\n" SUM("a"), {1, -1, 2}, {1.75}, SPEC},
		{X "node ml:Normalizer x -> a\n" SUM("a"), {1, -4, 2}, {-0.5 + 1}, SPEC},
		{X "const c f32 1 1\nnode Mul x,c -> b\nnode ml:Normalizer b -> a ; norm s L2\n" SUM("a"), {0, -3, 0}, {-2}, SPEC},
	};
	static const refusal refusals[] = {
		{X "node Add x -> a\n" SUM("a"), BAD, "has 1 inputs", SPEC},
		{X "node Add x,x -> a\n" SUM("a"), NOT, "computes with two columns", SPEC},
		{X "const c f64 1 1\nnode Add x,c -> a\n" SUM("a"), NOT, "a constant of another type", SPEC},
		{X "const c f32 2 1 2\nnode Add x,c -> a\n" SUM("a"), NOT, "has a constant of another size", SPEC},
		{X "const c f32 2 1\nnode Add x,c -> a\n" SUM("a"), BAD, "its dimensions say otherwise", SPEC},
		{X "node ml:Scaler x -> a ; offset ff 1 2 ; scale ff 1\n" SUM("a"), BAD, "has 2 numbers for 3 columns", SPEC},
		{X "node ml:Scaler x -> a ; offset ff 1 ; scale s 1\n" SUM("a"), BAD, "scale is of type 3, expected 6", SPEC},
		{X "node ml:Scaler x -> a ; offset ff 1\n" SUM("a"), BAD, "has no offset or no scale", SPEC},
		{X "node ml:Scaler x -> a ; scale ff 1\n" SUM("a"), BAD, "has no offset or no scale", SPEC},
		{X "node ml:Scaler x -> a ; offset ff 1 ; offset_as_tensor t f32 1 1 ; scale ff 2\n" SUM("a"), BAD,
			"offset and offset_as_tensor are both there", SPEC},
		{X "node ml:Scaler x -> a ; offset ff 1 ; offset ff 1 ; scale ff 2\n" SUM("a"), BAD, "offset is there twice", SPEC},
		{TEXT_X "node ml:Scaler x -> a ; offset ff 1 ; scale ff 1\n" ONE("a"), NOT, "computes with text", SPEC},
		{X "node ml:Imputer x -> a ; imputed_value_floats ff 8 9\n" SUM("a"), BAD, "has 2 numbers for 3 columns", SPEC},
		{X "node ml:Imputer x -> a\n" SUM("a"), BAD, "has no imputed values", SPEC},
		{TEXT_X "node ml:Imputer x -> a ; imputed_value_floats ff 8\n" ONE("a"), NOT, "computes with text", SPEC},
		{WHOLE_X "node ml:Imputer x -> a ; imputed_value_int64s ii 9007199254740993\n" SUM("a"), NOT,
			"names the integer 9007199254740993", SPEC},
		{WHOLE_X "node ml:Imputer x -> a ; imputed_value_int64s ii -9007199254740993\n" SUM("a"), NOT, "up to 2^53", SPEC},
		{X "node ml:Binarizer x -> a ; threshold i 1\n" SUM("a"), BAD, "threshold is of type 2, expected 1", SPEC},
		{TEXT_X "node ml:Binarizer x -> a\n" ONE("a"), NOT, "computes with text", SPEC},
		{X "node ml:Normalizer x -> a ; norm s L3\n" SUM("a"), BAD, "norm is the unknown 'L3'", SPEC},
		{WIDE_X "node ml:Normalizer x -> a\n" SUM("a"), NOT, "normalises columns that are not of type float", SPEC},
		{"in x f32 ?x1025\nout y\nnode ml:Normalizer x -> a\n" ONE("a"), MUCH, "has 1025 columns, at most 1024", SPEC},
	};
	(void)state;
	GIVE_ALL(answers);
	REFUSE_ALL(refusals);
}

/* 65 operators on 1024 columns each. */
static void counts_the_columns_it_makes(void **state)
{
	char text[8192] = "const pad f32 100000 100000*1\nin x f32 ?x1024\nout y\n";
	const refusal r = {text, MUCH, "makes more than 65536 columns", SPEC};
	size_t n = strlen(text);
	(void)state;
	for (int i = 0; i < 65; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "node ml:Binarizer x -> b%d\n", i);
	refuse(&r);
}

/* ---- categories ------------------------------------------------------------------------------------------- */

#define ENCODER "node ml:LabelEncoder x -> a ; "

static void looks_categories_up(void **state)
{
	static const answer answers[] = {
		/* Labels have the codes 0, 1, 2 in the order of their bytes. */
		{TEXT_X ENCODER "keys_strings ss b a c ; values_floats ff 2 1 4 ; default_float f -8\n" ONE("a"), {1}, {2}, SPEC},
		{TEXT_X ENCODER "keys_tensor t str 3 b a c ; values_tensor t f32 3 2 1 4 ; default_tensor t f32 1 -8\n" ONE("a"), {0}, {1}, SPEC},
		{TEXT_X ENCODER "keys_tensor t str 3 b a c ; values_tensor t f32 3 2 1 4 ; default_tensor t f32 1 -8\n" ONE("a"), {NAN}, {-8}, SPEC},
		{TEXT_X ENCODER "keys_strings ss b a ; values_int64s ii 5 6\n" ONE("a"), {NAN}, {-1}, SPEC},
		{TEXT_X ENCODER "keys_strings ss b a ; values_tensor t i64 2 5 6 ; default_int64 i 9\n" ONE("a"), {NAN}, {9}, SPEC},
		{WHOLE_X ENCODER "keys_int64s ii 3 2 1 ; values_floats ff 4 8 16\n" SUM("a"), {1, 2, 3}, {16 + 16 + 16}, SPEC},
		{"in x f64 ?x1\nout y\n" ENCODER "keys_tensor t f64 2 0.1 0.2 ; values_tensor t f64 2 4 8 ; default_float f 2\n"
			"const w f64 1x1 1\nnode MatMul a,w -> y\n", {0.2}, {8}, SPEC},
		{"in x f64 ?x1\nout y\n" ENCODER "keys_tensor t f64 2 0.1 0.2 ; values_tensor t f64 2 4 8 ; default_float f 2\n"
			"const w f64 1x1 1\nnode MatMul a,w -> y\n", {0.3}, {2}, SPEC},
		/* NaN is a key since version 4. */
		{"opset ai.onnx.ml 4\nin x f32 ?x1\nout y\n" ENCODER "keys_floats ff nan 1 ; values_floats ff 5 6 ; default_float f 3\n" ONE("a"),
			{NAN}, {5}, SPEC},
		{"opset other 9\nopset ai.onnx.ml 3\nin x f32 ?x1\nout y\n" ENCODER "keys_floats ff nan 1 ; values_floats ff 5 6 ; default_float f 3\n"
			ONE("a"), {NAN}, {3}, SPEC},
		/* Through text and back: 1 is "b", 2 is "a", others "zz". */
		{"in x i64 ?x1\nout y\nnode ml:LabelEncoder x -> b ; keys_int64s ii 1 2 ; values_strings ss b a ; default_string s zz\n"
			"node ml:LabelEncoder b -> a ; keys_strings ss zz a b ; values_floats ff 8 16 32\n" ONE("a"), {3}, {8}, SPEC},
		{"in x i64 ?x1\nout y\nnode ml:LabelEncoder x -> b ; keys_int64s ii 1 2 ; values_strings ss b a\n"
			"node ml:LabelEncoder b -> a ; keys_strings ss _Unused a b ; values_floats ff 8 16 32\n" ONE("a"), {3}, {8}, SPEC},
		{TEXT_X "node ml:LabelEncoder x -> a ; classes_strings ss b a\n" ONE("a"), {0}, {1}, SPEC},
		{"in x i64 ?x1\nout y\nnode ml:LabelEncoder x -> b ; classes_strings ss u v\nnode ml:LabelEncoder b -> a ; keys_strings ss u v ; "
			"values_floats ff 8 16\n" ONE("a"), {1}, {16}, SPEC},
		{TEXT_X "node ml:CategoryMapper x -> a ; cats_strings ss b a ; cats_int64s ii 5 6\n" ONE("a"), {0}, {6}, SPEC},
		{"in x i64 ?x1\nout y\nnode ml:CategoryMapper x -> b ; cats_strings ss u v ; cats_int64s ii 5 6 ; default_string s v\n"
			"node ml:LabelEncoder b -> a ; keys_strings ss u v ; values_floats ff 8 16\n" ONE("a"), {7}, {16}, SPEC},
		/* Numbers are truncated where they are real. */
		{X "node ml:OneHotEncoder x -> b ; cats_int64s ii 1 -2\nnode Flatten b -> a\nnode ml:LinearRegressor a -> y ; "
			"coefficients ff 1 2 4 8 16 32\n", {1.5, -2.5, 3}, {9}, SPEC},
		{"in x f64 ?x1\nout y\nnode ml:OneHotEncoder x -> b ; cats_int64s ii 1 -2 5\nnode Flatten b -> a\n" SUM("a"), {-2.5}, {2}, SPEC},
		{"in x i32 ?x1\nout y\nnode ml:OneHotEncoder x -> b ; cats_int64s ii 1 -2 5\nnode Flatten b -> a\n" SUM("a"), {-2}, {2}, SPEC},
		/* Text that no encoder reads has no labels. */
		{"in t str ?x1\nin x f32 ?x1\nout y\n" ONE("x"), {NAN, 4}, {4}, SPEC},
	};
	(void)state;
	GIVE_ALL(answers);
}

static void refuses_wrong_encoders(void **state)
{
	static const refusal refusals[] = {
		{TEXT_X ENCODER "keys_strings ss b a ; keys_int64s ii 1 ; values_floats ff 2 1\n" ONE("a"), BAD, "has two lists of keys or values", SPEC},
		{TEXT_X ENCODER "keys_strings ss b a ; values_floats ff 2\n" ONE("a"), BAD, "has 2 keys and 1 values", SPEC},
		{TEXT_X ENCODER "keys_strings ss b a\n" ONE("a"), BAD, "has no keys or no values", SPEC},
		{TEXT_X ENCODER "values_floats ff 2\n" ONE("a"), BAD, "has no keys or no values", SPEC},
		{TEXT_X ENCODER "keys_strings ii 1 ; values_floats ff 2\n" ONE("a"), BAD, "keys_strings is of type 7, expected 8", SPEC},
		{TEXT_X ENCODER "keys_strings ss a ; values_floats ii 2\n" ONE("a"), BAD, "values_floats is of type 7, expected 6", SPEC},
		{TEXT_X ENCODER "classes_strings ii 1\n" ONE("a"), BAD, "classes_strings is of type 7, expected 8", SPEC},
		{X ENCODER "classes_strings ss a\n" SUM("a"), BAD, "has no keys or no values", SPEC},
		{X ENCODER "keys_strings ss a ; values_floats ff 2\n" SUM("a"), NOT, "has keys of type 8 for columns of type 1", SPEC},
		{TEXT_X ENCODER "keys_strings ss b b ; values_floats ff 2 1\n" ONE("a"), BAD, "the key 'b' is there twice", SPEC},
		{X ENCODER "keys_floats ff -0 0 ; values_floats ff 2 1\n" SUM("a"), BAD, "the key 0 is there twice", SPEC},
		{TEXT_X ENCODER "keys_strings ss b a ; values_floats ff 2 1 ; default_tensor t f32 2 1 1\n" ONE("a"), BAD,
			"default_tensor has 2 elements of type 1, expected 1 of type 1", SPEC},
		{TEXT_X ENCODER "keys_strings ss b a ; values_floats ff 2 1 ; default_tensor t i64 1 1\n" ONE("a"), BAD,
			"default_tensor has 1 elements of type 7, expected 1 of type 1", SPEC},
		{TEXT_X ENCODER "keys_strings ss b a ; values_floats ff 2 1 ; default_tensor i 1\n" ONE("a"), BAD, "default_tensor is of type 2", SPEC},
		{TEXT_X ENCODER "keys_strings ss b a ; values_floats ff 2 1 ; default_float i 1\n" ONE("a"), BAD, "default_float is of type 2", SPEC},
		{TEXT_X ENCODER "keys_strings ss b a ; values_floats ff 2 1 ; default_int64 f 1\n" ONE("a"), BAD, "default_int64 is of type 1", SPEC},
		{TEXT_X ENCODER "keys_tensor t str raw:2 1 1 ; values_floats ff 2 1\n" ONE("a"), BAD, "is of type 8; expected text", SPEC},
		{TEXT_X ENCODER "keys_tensor t str 2 a ; values_floats ff 2 1\n" ONE("a"), BAD, "its dimensions say otherwise", SPEC},
		{TEXT_X ENCODER "keys_tensor t i64 2 1 ; values_floats ff 2 1\n" ONE("a"), BAD, "its dimensions say otherwise", SPEC},
		{TEXT_X ENCODER "keys_strings ss %FF a ; values_floats ff 2 1\n" ONE("a"), NOT, "not UTF-8 or has a zero byte", SPEC},
		{TEXT_X ENCODER "keys_strings ss a%00b a ; values_floats ff 2 1\n" ONE("a"), NOT, "not UTF-8 or has a zero byte", SPEC},
		{"in x i64 ?x70000\nout y\nconst pad f32 100000 100000*1\n" ENCODER "keys_int64s ii 1..240 ; values_floats ff 1..240\n" ONE("a"), MUCH,
			"240 categories for each of 70000 columns", SPEC},
		{TEXT_X "node ml:CategoryMapper x -> a ; cats_int64s ii 5 6\n" ONE("a"), BAD, "has no cats_strings or no cats_int64s", SPEC},
		{TEXT_X "node ml:CategoryMapper x -> a ; cats_strings ss b a\n" ONE("a"), BAD, "has no cats_strings or no cats_int64s", SPEC},
		{TEXT_X "node ml:CategoryMapper x -> a ; cats_strings ff 1 ; cats_int64s ii 5 6\n" ONE("a"), BAD, "cats_strings is of type 6", SPEC},
		{TEXT_X "node ml:CategoryMapper x -> a ; cats_strings ss a ; cats_int64s ff 5 6\n" ONE("a"), BAD, "cats_int64s is of type 6", SPEC},
		{X "node ml:CategoryMapper x -> a ; cats_strings ss b a ; cats_int64s ii 5 6\n" SUM("a"), NOT, "neither text nor int64", SPEC},
		{X "node ml:OneHotEncoder x -> a\n" SUM("a"), BAD, "has no categories", SPEC},
		{X "node ml:OneHotEncoder x -> a ; cats_strings ss b\n" SUM("a"), NOT, "compares text with numbers", SPEC},
		{X "node ml:OneHotEncoder x -> a ; cats_int64s ii 1 1\n" SUM("a"), BAD, "the key 1 is there twice", SPEC},
		{X "node ml:OneHotEncoder x -> a ; cats_int64s ii 1 ; zeros f 1\n" SUM("a"), BAD, "zeros is of type 1", SPEC},
		{X "node ml:OneHotEncoder x -> a ; cats_int64s ss b\n" SUM("a"), BAD, "cats_int64s is of type 8", SPEC},
		{"in x i64 ?x70000\nout y\nconst pad f32 100000 100000*1\nnode ml:OneHotEncoder x -> a ; cats_int64s ii 1..240\n" ONE("a"), MUCH,
			"240 categories for each of 70000 columns", SPEC},
		{"in x i64 ?x1\nout y\nnode ml:LabelEncoder x -> b ; keys_int64s ii 1 2 ; values_strings ss b a\n"
			"node ml:OneHotEncoder b -> c ; cats_strings ss a b ; zeros i 0\nnode Flatten c -> a\n" ONE("a"), NOT,
			"reads text that another operator makes", SPEC},
	};
	(void)state;
	REFUSE_ALL(refusals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_and_selects_columns),
		cmocka_unit_test(refuses_what_it_cannot_join_or_select),
		cmocka_unit_test(casts_columns),
		cmocka_unit_test(computes_columns),
		cmocka_unit_test(counts_the_columns_it_makes),
		cmocka_unit_test(looks_categories_up),
		cmocka_unit_test(refuses_wrong_encoders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
