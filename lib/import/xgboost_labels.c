/*
 * The labels of XGBoost's categories (key "cats", since 3.1).
 *
 * Comes in: for each feature offsets and bytes of strings, or numbers; empty arrays where there are no labels. Goes out:
 * dictionaries. XGBoost's Python package cuts the UTF-8 of labels by numbers of characters, so labels beyond ASCII are not
 * whole in the file; such a feature gets no dictionary, and the metadata names it.
 */
#include "xgboost.h"

#include <stdio.h>

/* Cut the text at the offsets; false: no memory. */
static bool add_texts(import_labels *labels, const char *text, size_t length, const sl_vector *offsets)
{
	const int64_t *at = offsets->data;
	size_t n = offsets->length;
	labels->is_broken = n ? at[0] != 0 || at[n - 1] != (int64_t)length : length != 0;
	for (size_t i = 0; i < length; i++)
		labels->is_broken |= (unsigned char)text[i] >= 0x80;
	for (size_t i = 0; i + 1 < n && !labels->is_broken; i++) {
		if (at[i] > at[i + 1] || at[i + 1] > (int64_t)length)
			labels->is_broken = true;
		else if (!import_labels_add_text(labels, text + at[i], (size_t)(at[i + 1] - at[i])))
			return false;
	}
	return true;
}

static bool keep_texts(const xgb_file *f, import_labels *labels)
{
	const sl_vector *values = &f->columns[XGB_LABEL_VALUES].values;
	const int64_t *value = values->data;
	size_t length = values->length;
	char *text = sl_alloc(&f->allocator, length, 64);
	if (length && !text)
		return false;
	for (size_t i = 0; i < length; i++)
		text[i] = (char)(value[i] & 0xff);
	bool kept = add_texts(labels, text, length, &f->columns[XGB_LABEL_OFFSETS].values);
	sl_free(&f->allocator, text, length, 64);
	return kept;
}

score_status import_xgb_keep_labels(xgb_file *f)
{
	const sl_vector *values = &f->columns[XGB_LABEL_VALUES].values;
	import_labels *labels = sl_vector_grow(&f->labels, 1);
	if (!labels)
		return sl_fail_memory(f->error, sizeof *labels);
	import_labels_init(labels, &f->allocator);
	bool kept = true;
	if (f->columns[XGB_LABEL_OFFSETS].present)
		kept = keep_texts(f, labels);
	for (size_t i = 0; i < values->length && kept && !f->columns[XGB_LABEL_OFFSETS].present; i++)
		kept = import_labels_add_integer(labels, ((const int64_t *)values->data)[i]);
	return kept ? SCORE_OK : sl_fail_memory(f->error, values->length);
}

/* Numbers of features, one behind the other, as text with its end. */
static bool add_number(sl_vector *lost, size_t feature)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%s%zu", lost->length ? " " : "", feature);
	lost->length -= lost->length != 0;
	return sl_vector_push(lost, text, (size_t)n + 1);
}

static score_status set_labels(const xgb_file *f, score_builder *builder, sl_vector *lost, score_error *error)
{
	const import_labels *labels = f->labels.data;
	score_status status = SCORE_OK;
	for (size_t i = 0; i < f->labels.length && status == SCORE_OK; i++) {
		bool made = true;
		if (labels[i].starts.length || labels[i].is_broken)
			status = import_labels_set(labels + i, builder, (uint32_t)i, SCORE_REFUSE, &made, error);
		if (!made && !add_number(lost, i))
			return sl_fail_memory(error, lost->length);
	}
	if (status != SCORE_OK || lost->length == 0)
		return status;
	return score_builder_set_metadata(builder, "source.lost_labels", lost->data, error);
}

score_status import_xgb_set_labels(const xgb_file *f, uint32_t n_features, score_builder *builder, score_error *error)
{
	sl_vector lost;
	if (f->labels.length && f->labels.length != n_features)
		return sl_fail(error, SCORE_ERR_CORRUPT, "\"cats\" has the labels of %zu features, the model has %u",
			f->labels.length, n_features);
	sl_vector_init(&lost, &f->allocator, 1);
	score_status status = set_labels(f, builder, &lost, error);
	sl_vector_free(&lost);
	return status;
}
