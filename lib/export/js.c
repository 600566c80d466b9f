/*
 * A model as one function of ECMAScript 5.
 *
 * Comes in: a checked forest. Goes out: the tables of the forest as arrays of whole numbers, between the parts of js_text.c that
 * evaluate them as forest/reference.c does. Text is written without a locale: whole numbers only, doubles as a mantissa
 * and an exponent of two.
 */
#include "code.h"
#include "js_numbers.h"

#include <math.h>

#define LINE 118 /* lists are broken into lines of about so many bytes */

typedef struct writer {
	sl_vector *out;
	size_t line_begin;
	bool failed; /* out of memory */
} writer;

/* ---- text ------------------------------------------------------------------------------------------ */

static void put_bytes(writer *w, const char *text, size_t length)
{
	w->failed = w->failed || !sl_vector_push(w->out, text, length);
}

static void put(writer *w, const char *text)
{
	put_bytes(w, text, strlen(text));
}

static void put_int(writer *w, int64_t value)
{
	char digits[24], *p = digits + sizeof digits;
	uint64_t rest = value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value;
	do
		*--p = (char)('0' + rest % 10);
	while (rest /= 10);
	if (value < 0)
		*--p = '-';
	put_bytes(w, p, (size_t)(digits + sizeof digits - p));
}

static void put_separator(writer *w, bool first)
{
	if (first)
		return;
	put(w, ",");
	if (w->out->length - w->line_begin > LINE) {
		put(w, "\n");
		w->line_begin = w->out->length;
	}
}

/* mantissa,exponent */
static void put_number(writer *w, double x)
{
	int exponent = 0;
	double m = x;
	if (x != x || isinf(x)) {
		put(w, x != x ? "NaN,0" : x > 0 ? "Infinity,0" : "-Infinity,0");
		return;
	}
	if (x != 0.0) {
		m = ldexp(frexp(x, &exponent), 53);
		exponent -= 53;
		while (m == floor(m / 2) * 2) {
			m /= 2;
			exponent++;
		}
	}
	if (signbit(x) && x == 0.0)
		put(w, "-");
	put_int(w, (int64_t)m);
	put(w, ",");
	put_int(w, exponent);
}

static void begin_list(writer *w, const char *name, const char *opening)
{
	put(w, "  var ");
	put(w, name);
	put(w, " = ");
	put(w, opening);
	w->line_begin = w->out->length;
}

static void put_numbers(writer *w, const char *name, const double *values, size_t n)
{
	begin_list(w, name, "numbers([");
	for (size_t i = 0; i < n; i++) {
		put_separator(w, i == 0);
		put_number(w, values[i]);
	}
	put(w, "]);\n");
}

static void put_variable(writer *w, const char *name, int64_t value)
{
	begin_list(w, name, "");
	put_int(w, value);
	put(w, ";\n");
}

static void put_flag(writer *w, const char *name, bool value)
{
	begin_list(w, name, value ? "true;\n" : "false;\n");
}

static void put_double(writer *w, const char *name, double value)
{
	begin_list(w, name, "numbers([");
	put_number(w, value);
	put(w, "])[0];\n");
}

/* A text of the model as a string literal: its bytes above ASCII stay (the file is UTF-8), but for the two line separators
 * that a literal of ECMAScript 5 must not have. */
static void put_string(writer *w, const char *text, size_t length)
{
	static const char hex[] = "0123456789abcdef";
	put(w, "'");
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x20 || c == '\'' || c == '\\' || c == 0x7f) {
			const char escape[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
			put_bytes(w, escape, 6);
		} else if (i + 2 < length && memcmp(text + i, "\xe2\x80\xa8", 3) == 0) {
			put(w, "\\u2028"), i += 2;
		} else if (i + 2 < length && memcmp(text + i, "\xe2\x80\xa9", 3) == 0) {
			put(w, "\\u2029"), i += 2;
		} else {
			put_bytes(w, text + i, 1);
		}
	}
	put(w, "'");
}

/* ---- the model's tables ---------------------------------------------------------------------------- */

/* Or the number of the set. */
static double test_cut(const forest *f, const forest_test *t)
{
	return t->kind == FOREST_NUMERIC ? forest_real(&f->cuts, f->features[t->feature].first_cut + t->index) : (double)t->index;
}

static void put_tests(writer *w, const forest *f)
{
	begin_list(w, "features", "[");
	for (uint32_t i = 0; i < f->n_tests; i++) {
		put_separator(w, i == 0);
		put_int(w, forest_test_at(f, i).feature);
	}
	put(w, "];\n");
	begin_list(w, "kinds", "[");
	for (uint32_t i = 0; i < f->n_tests; i++) {
		const forest_test test = forest_test_at(f, i), *t = &test;
		put_separator(w, i == 0);
		put_int(w, t->kind + (t->missing_right ? 4 : 0) + (t->zero_is_missing ? 8 : 0) + (test_cut(f, t) != test_cut(f, t) ? 16 : 0));
	}
	put(w, "];\n");
	begin_list(w, "cuts", "numbers([");
	for (uint32_t i = 0; i < f->n_tests; i++) {
		const forest_test test = forest_test_at(f, i), *t = &test;
		put_separator(w, i == 0);
		put_number(w, test_cut(f, t));
	}
	put(w, "]);\n");
	begin_list(w, "sets", "[");
	for (uint32_t i = 0; i < f->n_sets; i++) {
		put_separator(w, i == 0);
		put(w, "members([");
		for (uint32_t k = forest_set_first(f, i); k < forest_set_first(f, i + 1); k++) {
			put_separator(w, k == forest_set_first(f, i));
			put_int(w, forest_set_member(f, k));
		}
		put(w, "])");
	}
	put(w, "];\n");
}

/* The left or the right child of every split. */
static void put_children(writer *w, const forest *f, const char *name, bool right)
{
	forest_children children;
	bool done = forest_children_new(f, &w->out->allocator, &children);
	w->failed = w->failed || !done;
	begin_list(w, name, "[");
	for (uint32_t t = 0; t < f->n_trees && done; t++) {
		forest_list_children(f, f->trees + t, &children);
		for (uint32_t s = 0; s < f->trees[t].n_splits; s++) {
			put_separator(w, f->trees[t].first_split + s == 0);
			put_int(w, (right ? children.right : children.left)[s]);
		}
	}
	put(w, "];\n");
	forest_children_free(&w->out->allocator, &children);
}

static void put_trees(writer *w, const forest *f)
{
	put_variable(w, "rule", f->contract.category_rule);
	put_variable(w, "width", f->leaf_width);
	put_tests(w, f);
	begin_list(w, "splitCounts", "[");
	for (uint32_t t = 0; t < f->n_trees; t++) {
		put_separator(w, t == 0);
		put_int(w, f->trees[t].n_splits);
	}
	put(w, "];\n");
	begin_list(w, "outputs", "[");
	for (uint32_t t = 0; t < f->n_trees; t++) {
		put_separator(w, t == 0);
		put_int(w, f->trees[t].output);
	}
	put(w, "];\n");
	begin_list(w, "splitTests", "[");
	for (uint32_t i = 0; i < f->n_splits; i++) {
		put_separator(w, i == 0);
		put_int(w, forest_number(&f->split_test, i));
	}
	put(w, "];\n");
	put_children(w, f, "lefts", false);
	put_children(w, f, "rights", true);
	begin_list(w, "leaves", "numbers([");
	for (size_t i = 0; i < (size_t)f->n_leaves * f->leaf_width; i++) {
		put_separator(w, i == 0);
		put_number(w, forest_real(&f->leaves, i));
	}
	put(w, "]);\n");
	put(w, export_js_trees);
}

static void put_dictionary(writer *w, const forest_dictionary *d)
{
	if (d == NULL) {
		put(w, "null");
		return;
	}
	put(w, "labels(");
	if (d->unknown == SCORE_REFUSE) {
		put(w, "refused");
	} else {
		put(w, "numbers([");
		put_number(w, d->unknown);
		put(w, "])[0]");
	}
	put(w, ", [");
	for (uint32_t i = 0; i < d->n_labels; i++) {
		put_separator(w, i == 0);
		put_string(w, d->text + d->starts[i], forest_label_length(d, i));
	}
	put(w, "], numbers([");
	for (uint32_t i = 0; i < d->n_labels; i++) {
		put_separator(w, i == 0);
		put_number(w, d->codes[i]);
	}
	put(w, "]))");
}

static bool has_catboost_exponential(const forest *f)
{
	return f->link == SCORE_LINK_EXP_CATBOOST || f->link == SCORE_LINK_SOFTMAX_CATBOOST ||
		f->link == SCORE_LINK_MEAN_VARIANCE_CATBOOST;
}

/* The C library's, by its table. */
static bool has_exponential(const forest *f)
{
	switch (f->link) {
	case SCORE_LINK_IDENTITY:
	case SCORE_LINK_HINGE:
	case SCORE_LINK_ARGMAX:
	case SCORE_LINK_FLOAT:
	case SCORE_LINK_SIGNED_SQUARE:
		return false;
	default:
		return !has_catboost_exponential(f);
	}
}

static void put_contract(writer *w, const forest *f, bool prediction)
{
	const score_contract *c = &f->contract;
	put_flag(w, "isFloat", c->sum == SCORE_F32);
	put(w, "  function same(x) { return x; }\n  var narrow = isFloat ? round : same;\n");
	put_flag(w, "comparesFloats", c->compare == SCORE_F32);
	put_flag(w, "baseFirst", c->base_position == SCORE_BASE_FIRST);
	put_flag(w, "linked", prediction);
	put_variable(w, "average", c->average);
	put_variable(w, "iterations", f->n_trees / c->trees_per_iteration);
	/* A float model divides and multiplies by the float of it. */
	put_double(w, "scale", c->sum == SCORE_F32 ? (double)(float)c->scale : c->scale);
	put_numbers(w, "base", f->base, c->n_outputs);
	/* No value of a feature: a string of its own kind would be one. */
	put(w, "  var refused = {};\n");
	begin_list(w, "dictionaries", "[");
	for (uint32_t i = 0; i < f->n_features; i++) {
		put_separator(w, i == 0);
		put_dictionary(w, f->features[i].dictionary);
	}
	put(w, "];\n");
}

static void put_link(writer *w, const forest *f)
{
	begin_list(w, "link", "'");
	put(w, forest_link_names[f->link]);
	put(w, "';\n");
	put_double(w, "parameter", f->contract.sum == SCORE_F32 ? (double)(float)f->link_parameter : f->link_parameter);
	begin_list(w, "table", "numbers([");
	for (size_t i = 0; has_exponential(f) && i < 256; i++) {
		put_separator(w, i == 0);
		put_number(w, sl_f64_from_bits(export_exp_table[i / 2][i % 2]));
	}
	put(w, "]);\n");
	put(w, export_js_exp);
	if (has_catboost_exponential(f))
		put(w, export_js_exp_catboost);
	put(w, export_js_links);
}

/* ---- the function ------------------------------------------------------------------------------------ */

/* Parameters are named after features where that is a plain word that the language does not keep for itself, and that the function
 * does not need for what it means elsewhere. */
static void put_parameter(writer *w, const forest *f, uint32_t i)
{
	static const char *const kept[] = { "break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete",
		"do", "else", "enum", "export", "extends", "false", "finally", "for", "function", "if", "import", "in", "instanceof",
		"new", "null", "return", "super", "switch", "this", "throw", "true", "try", "typeof", "var", "void", "while", "with",
		"let", "static", "yield", "implements", "interface", "package", "private", "protected", "public", "arguments", "eval",
		"await", "main", "Math", "NaN", "Infinity", "undefined" };
	const char *name = f->features[i].name;
	bool plain = (name[0] | 32) >= 'a' && (name[0] | 32) <= 'z' && f->n_features <= 250;
	for (const char *p = name; plain && *p; p++)
		plain = ((*p | 32) >= 'a' && (*p | 32) <= 'z') || (*p >= '0' && *p <= '9') || *p == '_';
	for (size_t k = 0; k < sizeof kept / sizeof kept[0]; k++)
		plain = plain && strcmp(name, kept[k]) != 0;
	if (plain) {
		put(w, name);
		return;
	}
	put(w, "$"); /* no feature's own name has it, so no two parameters are the same */
	put_int(w, i);
}

static void put_parameters(writer *w, const forest *f)
{
	w->line_begin = w->out->length;
	for (uint32_t i = 0; i < f->n_features; i++) {
		put_separator(w, i == 0);
		put_parameter(w, f, i);
	}
}

/* A name in a comment to the end of the line must not end it. */
static void put_comment(writer *w, const char *text)
{
	for (const char *p = text; *p; p++)
		put_bytes(w, (unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e ? "?" : p, 1);
}

static bool has_hashed_features(const forest *f)
{
	for (uint32_t i = 0; i < f->n_features; i++) {
		if (forest_is_hashed(f, i))
			return true;
	}
	return false;
}

static score_status check_supported(const forest *f, bool prediction, score_error *error)
{
	static const char common[] = "cannot be written as JavaScript";
	if (f->derived.n)
		return sl_fail(error, SCORE_ERR_UNSUPPORTED, "a model that computes columns from its features %s", common);
	if (has_hashed_features(f))
		return sl_fail(error, SCORE_ERR_UNSUPPORTED, "a model that knows categories by their hash (CatBoost) %s", common);
	if (f->linear_leaves.first_term)
		return sl_fail(error, SCORE_ERR_UNSUPPORTED, "a model with linear leaves %s", common);
	switch (prediction ? f->link : SCORE_LINK_IDENTITY) {
	case SCORE_LINK_IDENTITY:
	case SCORE_LINK_SIGMOID_XGBOOST:
	case SCORE_LINK_SIGMOID:
	case SCORE_LINK_EXP:
	case SCORE_LINK_HINGE:
	case SCORE_LINK_SOFTMAX_XGBOOST:
	case SCORE_LINK_SOFTMAX:
	case SCORE_LINK_ARGMAX:
	case SCORE_LINK_SIGNED_SQUARE:
	case SCORE_LINK_BINARY_PAIR:
	case SCORE_LINK_OVR_NORMALISED:
	case SCORE_LINK_SOFTMAX_PAIR:
	case SCORE_LINK_EXP_F64:
	case SCORE_LINK_MEAN_VARIANCE:
	case SCORE_LINK_FLOAT:
	case SCORE_LINK_EXP_SCALED:
	case SCORE_LINK_EXP_CATBOOST:
	case SCORE_LINK_SOFTMAX_CATBOOST:
	case SCORE_LINK_MEAN_VARIANCE_CATBOOST:
		return SCORE_OK;
	default: /* a link that predict() in js_text.c does not know would give margins for predictions */
		return sl_fail(error, SCORE_ERR_UNSUPPORTED, "the link \"%s\" %s; the margin can", forest_link_names[f->link], common);
	}
}

score_status export_js(const forest *f, const char *name, bool prediction, sl_vector *out, score_error *error)
{
	score_status status = check_supported(f, prediction, error);
	writer w = { out, 0, false };
	if (status != SCORE_OK)
		return status;
	put(&w, "// ");
	put_comment(&w, name);
	put(&w, ": written by Scoreline " SCORE_VERSION_STRING ". Do not edit.\nfunction main(");
	put_parameters(&w, f);
	put(&w, ") {\n  'use strict';\n  if (!main.score) main.score = (function () {\n");
	put(&w, export_js_begin);
	put_contract(&w, f, prediction);
	if (f->kind == SCORE_KIND_LINEAR) {
		put_flag(&w, "skipMissing", f->linear_skip_missing != 0);
		put_numbers(&w, "weights", f->linear_weights, forest_linear_weights(f));
		put(&w, export_js_linear);
	} else {
		put_trees(&w, f);
	}
	if (prediction)
		put_link(&w, f);
	put(&w, export_js_end);
	put(&w, "  }());\n  return main.score([");
	put_parameters(&w, f);
	put(&w, "]);\n}\n");
	return w.failed ? sl_fail_memory(error, out->length) : SCORE_OK;
}
