/* Labels of one feature's categories, collected while a file is read and given to the builder as a dictionary. */
#ifndef SL_IMPORT_LABELS_H
#define SL_IMPORT_LABELS_H

#include "../base/base.h"

#include <scoreline/build.h>

typedef struct import_labels {
	sl_vector text;   /* char, each label terminated */
	sl_vector starts; /* size_t */
	bool has_text;    /* some labels were strings; else they were numbers */
	bool is_broken;   /* some cannot be kept: then no dictionary is made */
} import_labels;

void import_labels_init(import_labels *labels, const score_allocator *allocator);
void import_labels_free(import_labels *labels);
void import_labels_clear(import_labels *labels);

/* false: no memory. */
bool import_labels_add_text(import_labels *labels, const char *text, size_t length);
/* A number as it stands in a file. Whole ones become plain digits, others keep their text: 2.0 and 2 are one label, "2". */
bool import_labels_add_decimal(import_labels *labels, const char *text, size_t length);
bool import_labels_add_integer(import_labels *labels, int64_t value);

/* The feature's dictionary, codes in the order of the labels. Labels that no dictionary can hold (some trainers write doubled
 * or damaged ones) leave the feature without one; `*made` tells. */
score_status import_labels_set(const import_labels *labels, score_builder *builder, uint32_t feature, double unknown,
	bool *made, score_error *error);

#endif
