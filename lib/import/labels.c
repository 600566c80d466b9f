/* See labels.h. */
#include "labels.h"

#include <math.h>
#include <stdio.h>

void import_labels_init(import_labels *labels, const score_allocator *allocator)
{
	sl_vector_init(&labels->text, allocator, 1);
	sl_vector_init(&labels->starts, allocator, sizeof(size_t));
	import_labels_clear(labels);
}

void import_labels_free(import_labels *labels)
{
	sl_vector_free(&labels->text);
	sl_vector_free(&labels->starts);
}

void import_labels_clear(import_labels *labels)
{
	labels->text.length = labels->starts.length = 0;
	labels->has_text = labels->is_broken = false;
}

static bool add(import_labels *labels, const char *text, size_t length)
{
	size_t start = labels->text.length;
	labels->is_broken |= length && memchr(text, 0, length);
	return sl_vector_push_text(&labels->text, text, length) && sl_vector_push(&labels->starts, &start, 1);
}

bool import_labels_add_text(import_labels *labels, const char *text, size_t length)
{
	labels->has_text = true;
	return add(labels, text, length);
}

bool import_labels_add_integer(import_labels *labels, int64_t value)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%lld", (long long)value);
	return add(labels, text, (size_t)n);
}

bool import_labels_add_decimal(import_labels *labels, const char *text, size_t length)
{
	int64_t whole;
	double x;
	if (sl_parse_i64(text, length, &whole) == length)
		return import_labels_add_integer(labels, whole);
	if (sl_parse_f64(text, length, &x) == length && x == floor(x) && fabs(x) < 9223372036854775808.0)
		return import_labels_add_integer(labels, (int64_t)x);
	return add(labels, text, length);
}

score_status import_labels_set(const import_labels *labels, score_builder *builder, uint32_t feature, double unknown,
	bool *made, score_error *error)
{
	const size_t *starts = labels->starts.data;
	size_t n = labels->starts.length, bytes = n * sizeof(char *);
	*made = false;
	if (labels->is_broken)
		return SCORE_OK;
	const char **texts = sl_alloc(&labels->text.allocator, bytes, 64);
	if (n && !texts)
		return sl_fail_memory(error, bytes);
	for (size_t i = 0; i < n; i++)
		texts[i] = sl_vector_at(&labels->text, starts[i]);
	uint32_t flags = n == 0 || labels->has_text ? 0 : SCORE_DICTIONARY_NUMBERS;
	score_status status = score_builder_set_dictionary(builder, feature, texts, NULL, n, unknown, flags, error);
	sl_free(&labels->text.allocator, texts, bytes, 64);
	*made = status == SCORE_OK;
	if (status != SCORE_ERR_ARGUMENT)
		return status;
	sl_error_clear(error);
	return SCORE_OK;
}
