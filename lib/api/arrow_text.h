/*
 * Text columns of Arrow as codes, a row each: what string views, and dictionaries of them, become before they are scored.
 */
#ifndef SL_API_ARROW_TEXT_H
#define SL_API_ARROW_TEXT_H

#include "model.h"

#include <scoreline/arrow.h>

typedef struct arrow_text {
	bool is_view;            /* of the strings, or of a dictionary's strings: utf8_view */
	score_dtype offset_type; /* else of their offsets */
	score_dtype index_type;  /* of a dictionary, or 0 */
} arrow_text;

/* Whether a column is text, and how it is laid out. */
bool sl_arrow_is_text(const struct ArrowSchema *s, arrow_text *out);

/* Codes of `n` rows from row `first` of a column on, NaN for nulls. A text that the feature must not have is SCORE_ERR_SHAPE. */
score_status sl_arrow_text_codes(const score_model *model, uint32_t feature, const arrow_text *text, const struct ArrowArray *a,
	int64_t first, int64_t n, double *codes, score_error *error);

/* Type of a column of numbers by Arrow's letter, or 0. */
score_dtype sl_arrow_plain_type(const char *format);
/* Buffer `i` of an array, or NULL; its bitmap of values that are not null, or NULL if all are there. */
const void *sl_arrow_buffer(const struct ArrowArray *a, int64_t i);
const uint8_t *sl_arrow_validity(const struct ArrowArray *a);

#endif
