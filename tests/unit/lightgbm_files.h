/* Files of tests/data/lightgbm, and edits of them, for the tests of the LightGBM importer. */
#ifndef LIGHTGBM_FILES_H
#define LIGHTGBM_FILES_H

#include <scoreline/import.h>

typedef struct text_file {
	char *text; /* terminated; free() it */
	size_t length;
} text_file;

/* Fails the test if it cannot be read. */
text_file read_data(const char *name, const char *suffix);
/* A copy in which every `from` is `to`; fails the test if there is none. */
text_file replaced(const text_file *file, const char *from, const char *to);

/* The model, or NULL with the error filled. */
score_model *import_text(const char *text, size_t length, const score_import_options *options,
	score_error *error);
/* Fails the test with the error's message if the import fails. */
score_model *import_good(const text_file *file, const score_import_options *options);

#endif
