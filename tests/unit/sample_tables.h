/* Feature tables for tests: columns in memory become a file in a folder that the test program makes. */
#ifndef TEST_SAMPLE_TABLES_H
#define TEST_SAMPLE_TABLES_H

#include <scoreline/features.h>

/* Keys first, then the timestamp (if the schema has one), then features. */
typedef struct sample_table {
	const score_table_field *keys;
	size_t n_keys;
	const char *timestamp;
	const score_table_field *columns;
	size_t n_columns;
	const score_column *data;
	size_t n_rows;
	const uint64_t *lines;
	uint64_t memory_bytes;
} sample_table;

/* Path of a file in the folder of this run, valid until the next four calls. */
const char *sample_path(const char *name);
/* Removes the folder and everything in it, and frees the texts. A teardown of a group; `state` is not looked at. */
int sample_cleanup(void **state);
score_status sample_table_build(const char *path, const sample_table *t, score_error *error);
/* Build and open; never fails: asserts. */
score_table *sample_table_make(const char *name, const sample_table *t);

score_column sample_column(score_dtype type, const void *values, const uint8_t *validity);
/* A SCORE_STRING column over an array of C strings (NULL: missing); memory is kept until sample_cleanup(). */
score_column sample_texts(const char *const *texts, size_t n);

/* Whole files. */
uint8_t *sample_read(const char *path, size_t *size);
void sample_write(const char *path, const void *data, size_t size);
/* The three hashes of a table's bytes as they should be, whatever else stands there. */
void sample_seal(uint8_t *bytes, size_t size);

#endif
