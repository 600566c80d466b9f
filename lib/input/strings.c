/*
 * Columns of strings: each value becomes the code that the model's dictionary gives it, or its hash.
 *
 * Comes in: offsets and bytes as Arrow lays them out, with or without indices. Goes out: codes; NaN where there is none. A
 * string that the dictionary refuses is noted in the view, and the call fails once all rows were read.
 */
#include "view.h"

#include <math.h>

#define RUN 64u

static bool is_valid(const score_column *c, int64_t e)
{
	return !c->validity || (c->validity[e >> 3] >> (e & 7) & 1);
}

/* Number of the string at an element of the column, or -1. */
static int64_t string_number(const score_column *c, int64_t e)
{
	const score_strings *s = c->values;
	if (!is_valid(c, e))
		return -1;
	if (!s->indices)
		return e;
	int64_t i = sl_integer_at(s->indices, s->index_type, e);
	return i < s->n_strings ? i : -1;
}

bool input_takes_strings(const forest *f, uint32_t feature)
{
	return f->features[feature].dictionary || forest_is_hashed(f, feature);
}

bool input_string_code(const forest *f, uint32_t feature, const char *text, size_t length, double *code)
{
	const forest_dictionary *d = f->features[feature].dictionary;
	if (d)
		return forest_find_label(d, text, length, code);
	*code = (double)sl_category_hash(text, length) + 0.5;
	return true;
}

static double code_of(const forest *f, uint32_t feature, const score_strings *s, int64_t number)
{
	size_t length;
	double code;
	const char *text = sl_string_at(s, number, &length);
	(void)input_string_code(f, feature, text, length, &code);
	return code;
}

void input_string_codes_f64(const input_view *view, uint32_t feature, int64_t first, size_t n, double *out)
{
	const score_column *c = view->columns + input_column(view, feature);
	const score_strings *s = c->values;
	const double *codes = s->indices ? s->codes : NULL;
	for (size_t i = 0; i < n; i++) {
		int64_t number = string_number(c, c->offset + first + (int64_t)i);
		out[i] = number < 0 ? (double)NAN : codes ? codes[number] : code_of(view->f, feature, s, number);
		if (out[i] != SCORE_REFUSE)
			continue;
		out[i] = (double)NAN;
		if (view->refusal->row < 0)
			*view->refusal = (input_refusal){first + (int64_t)i, feature};
	}
}

void input_string_codes_f32(const input_view *view, uint32_t feature, int64_t first, size_t n, float *out)
{
	double wide[RUN];
	for (size_t done = 0; done < n; done += RUN) {
		size_t run = n - done < RUN ? n - done : RUN;
		input_string_codes_f64(view, feature, first + (int64_t)done, run, wide);
		for (size_t i = 0; i < run; i++)
			out[done + i] = (float)wide[i];
	}
}

void input_encode(const forest *f, uint32_t feature, const score_strings *strings, double *codes)
{
	for (int64_t i = 0; i < strings->n_strings; i++)
		codes[i] = code_of(f, feature, strings, i);
}

score_status input_refuse_text(const forest *f, uint32_t feature, const char *text, size_t length, int64_t row,
	score_error *error)
{
	const char *name = f->features[feature].name;
	return sl_fail(error, SCORE_ERR_SHAPE,
		"feature '%s' has the category '%s' in row %lld, and the model was trained without it",
		sl_quote(name, strlen(name)).text, sl_quote(text, length).text, (long long)row);
}

score_status input_refuse(const input_view *view, score_error *error)
{
	const input_refusal *r = view->refusal;
	const score_column *c = view->columns + input_column(view, r->feature);
	size_t length;
	const char *text = sl_string_at(c->values, string_number(c, c->offset + r->row), &length);
	return input_refuse_text(view->f, r->feature, text, length, r->row, error);
}
