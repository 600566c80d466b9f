/*
 * Text of Arrow columns as codes.
 *
 * Comes in: utf8, large_utf8 and utf8_view, plain or as a dictionary's values. Goes out: a double per row, under the feature's
 * dictionary or as a hash. Lengths and numbers of buffers in views are checked, the buffers are the producer's promise.
 */
#include "arrow_text.h"

#include "../input/view.h"

#include <math.h>

score_dtype sl_arrow_plain_type(const char *format)
{
	static const char formats[] = "cCsSiIlLfgbe";
	static const score_dtype types[] = {SCORE_I8, SCORE_U8, SCORE_I16, SCORE_U16, SCORE_I32, SCORE_U32, SCORE_I64, SCORE_U64,
		SCORE_F32, SCORE_F64, SCORE_BOOL_BITS, SCORE_F16};
	const char *at = format[0] && !format[1] ? strchr(formats, format[0]) : NULL;
	return at ? types[at - formats] : 0;
}

bool sl_arrow_is_text(const struct ArrowSchema *s, arrow_text *out)
{
	const struct ArrowSchema *values = s->dictionary ? s->dictionary : s;
	*out = (arrow_text){false, 0, 0};
	if (!s->format || !values->format)
		return false;
	out->is_view = strcmp(values->format, "vu") == 0;
	out->offset_type = strcmp(values->format, "u") == 0 ? SCORE_I32 : strcmp(values->format, "U") == 0 ? SCORE_I64 : 0;
	out->index_type = s->dictionary ? sl_arrow_plain_type(s->format) : 0;
	bool has_indices = !s->dictionary || (out->index_type >= SCORE_I8 && out->index_type <= SCORE_U64);
	return has_indices && (out->is_view || out->offset_type);
}

const void *sl_arrow_buffer(const struct ArrowArray *a, int64_t i)
{
	return a->buffers && i < a->n_buffers ? a->buffers[i] : NULL;
}

const uint8_t *sl_arrow_validity(const struct ArrowArray *a)
{
	return a->null_count ? sl_arrow_buffer(a, 0) : NULL;
}

/* ---- one text ---------------------------------------------------------------------------------------------------- */

/* A view: length; up to twelve bytes of text, or four of them, the number of a buffer and a place in it. */
static score_status view_at(const struct ArrowArray *a, int64_t e, const char **text, size_t *length, score_error *error)
{
	const char *view = (const char *)sl_arrow_buffer(a, 1) + e * 16;
	int32_t words[4];
	memcpy(words, view, sizeof words);
	/* Behind the two fixed buffers come those of the long texts, and one with their sizes. */
	bool is_far = words[0] > 12, is_there = words[2] >= 0 && words[2] < a->n_buffers - 3 && words[3] >= 0;
	if (words[0] < 0 || (is_far && (!is_there || !sl_arrow_buffer(a, 2 + words[2]))))
		return sl_fail(error, SCORE_ERR_SHAPE, "the string view at element %lld has length %d, buffer %d and offset %d, and its array "
			"%lld buffers", (long long)e, (int)words[0], (int)words[2], (int)words[3], (long long)a->n_buffers);
	*length = (size_t)words[0];
	*text = is_far ? (const char *)sl_arrow_buffer(a, 2 + words[2]) + words[3] : view + 4;
	return SCORE_OK;
}

static score_status text_at(const arrow_text *text, const struct ArrowArray *a, int64_t e, const char **out, size_t *length,
	score_error *error)
{
	if (text->is_view)
		return view_at(a, e, out, length, error);
	score_strings s = SCORE_STRINGS_INIT;
	s.offset_type = text->offset_type;
	s.offsets = sl_arrow_buffer(a, 1);
	s.data = sl_arrow_buffer(a, 2) ? sl_arrow_buffer(a, 2) : "";
	*out = sl_string_at(&s, e, length);
	return SCORE_OK;
}

/* ---- columns ----------------------------------------------------------------------------------------------------- */

static bool is_valid(const uint8_t *bits, int64_t e)
{
	return !bits || (bits[e >> 3] >> (e & 7) & 1);
}

/* Number of the row's value in the array that holds the texts, or -1. */
static int64_t place_of(const arrow_text *text, const struct ArrowArray *a, const struct ArrowArray *values, int64_t e)
{
	if (!is_valid(sl_arrow_validity(a), e))
		return -1;
	if (!text->index_type)
		return e;
	int64_t i = sl_integer_at(sl_arrow_buffer(a, 1), text->index_type, e);
	return i < 0 || i >= values->length || !is_valid(sl_arrow_validity(values), values->offset + i) ? -1 : values->offset + i;
}

score_status sl_arrow_text_codes(const score_model *model, uint32_t feature, const arrow_text *text, const struct ArrowArray *a,
	int64_t first, int64_t n, double *codes, score_error *error)
{
	const struct ArrowArray *values = text->index_type ? a->dictionary : a;
	if (!values || values->length < 0 || values->offset < 0)
		return sl_fail(error, SCORE_ERR_SHAPE, "a column that the schema calls a dictionary has none in this batch");
	if (n && (!sl_arrow_buffer(a, 1) || (values->length && !sl_arrow_buffer(values, 1))))
		return sl_fail(error, SCORE_ERR_SHAPE, "a column of text has no buffer of strings or indices");
	for (int64_t i = 0; i < n; i++) {
		int64_t place = place_of(text, a, values, a->offset + first + i);
		const char *found = "";
		size_t length = 0;
		codes[i] = (double)NAN;
		if (place < 0)
			continue;
		score_status status = text_at(text, values, place, &found, &length, error);
		if (status != SCORE_OK)
			return status;
		(void)input_string_code(model->f, feature, found, length, codes + i);
		if (codes[i] == SCORE_REFUSE)
			return input_refuse_text(model->f, feature, found, length, i, error);
	}
	return SCORE_OK;
}

score_status score_arrow_encode(const score_model *model, uint32_t feature, const struct ArrowSchema *schema,
	const struct ArrowArray *column, int64_t first_row, int64_t n_rows, double *codes, score_error *error)
{
	arrow_text text;
	sl_error_clear(error);
	if (!model || !schema || !column || (!codes && n_rows))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_arrow_encode: model, schema, column and codes must not be NULL");
	if (feature >= model->f->n_features || !input_takes_strings(model->f, feature))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_arrow_encode: the model knows no labels of feature %u", feature);
	if (!sl_arrow_is_text(schema, &text))
		return sl_fail(error, SCORE_ERR_SHAPE, "score_arrow_encode: the column has the Arrow format '%s', expected text",
			schema->format ? sl_quote(schema->format, strlen(schema->format)).text : "");
	if (first_row < 0 || n_rows < 0 || column->offset < 0 || column->length < first_row || column->length - first_row < n_rows)
		return sl_fail(error, SCORE_ERR_SHAPE, "score_arrow_encode: rows %lld to %lld of a column of %lld", (long long)first_row,
			(long long)first_row + (long long)n_rows, (long long)column->length);
	return sl_arrow_text_codes(model, feature, &text, column, first_row, n_rows, codes, error);
}
