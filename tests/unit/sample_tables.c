#define _XOPEN_SOURCE 700
#include "sample_tables.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

static char folder[64];

static struct kept {
	struct kept *next;
	score_strings strings;
	int64_t *offsets;
	uint8_t *validity;
	char *data;
} *all_texts;

const char *sample_path(const char *name)
{
	static char paths[4][512];
	static int turn;
	if (!folder[0]) {
		strcpy(folder, "/tmp/scoreline-tables-XXXXXX");
		assert_non_null(mkdtemp(folder));
	}
	turn = (turn + 1) % 4;
	snprintf(paths[turn], sizeof paths[turn], "%s/%s", folder, name);
	return paths[turn];
}

int sample_cleanup(void **state)
{
	DIR *d = folder[0] ? opendir(folder) : NULL;
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.')
			unlink(sample_path(e->d_name));
	if (d)
		closedir(d);
	if (folder[0])
		rmdir(folder);
	folder[0] = '\0';
	for (struct kept *k = all_texts, *next; k; k = next) {
		next = k->next;
		free(k->offsets);
		free(k->validity);
		free(k->data);
		free(k);
	}
	all_texts = NULL;
	(void)state;
	return 0;
}

score_status sample_table_build(const char *path, const sample_table *t, score_error *error)
{
	score_table_schema schema = SCORE_TABLE_SCHEMA_INIT;
	score_table_builder *b = NULL;
	schema.keys = t->keys;
	schema.n_keys = t->n_keys;
	schema.columns = t->columns;
	schema.n_columns = t->n_columns;
	schema.timestamp = t->timestamp;
	schema.memory_bytes = t->memory_bytes;
	score_status status = score_table_builder_new(path, &schema, &b, error);
	if (status == SCORE_OK)
		status = score_table_builder_add(b, t->data, t->n_keys + t->n_columns + (t->timestamp ? 1 : 0), t->n_rows, t->lines, error);
	if (status == SCORE_OK)
		status = score_table_builder_finish(b, error);
	score_table_builder_free(b);
	return status;
}

score_table *sample_table_make(const char *name, const sample_table *t)
{
	const char *path = sample_path(name);
	const score_table_options options = {sizeof options, NULL, 0, SCORE_TABLE_VERIFY, 0};
	score_table *table = NULL;
	score_error error;
	if (sample_table_build(path, t, &error) != SCORE_OK || score_table_open(path, &options, &table, &error) != SCORE_OK)
		fail_msg("%s: %s", name, error.message);
	return table;
}

score_column sample_column(score_dtype type, const void *values, const uint8_t *validity)
{
	return (score_column){values, validity, 0, 0, type, 0};
}

score_column sample_texts(const char *const *texts, size_t n)
{
	struct kept *k = calloc(1, sizeof *k);
	int64_t *offsets = calloc(n + 1, sizeof *offsets);
	uint8_t *validity = calloc(n / 8 + 1, 1);
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += texts[i] ? strlen(texts[i]) : 0;
	char *data = calloc(bytes + 1, 1);
	for (size_t i = 0; i < n; i++) {
		const size_t length = texts[i] ? strlen(texts[i]) : 0;
		if (texts[i])
			memcpy(data + offsets[i], texts[i], length);
		validity[i / 8] |= (uint8_t)((texts[i] != NULL) << (i % 8));
		offsets[i + 1] = offsets[i] + (int64_t)length;
	}
	k->strings = (score_strings)SCORE_STRINGS_INIT;
	k->strings.offsets = offsets;
	k->strings.data = data;
	k->strings.offset_type = SCORE_I64;
	k->offsets = offsets;
	k->validity = validity;
	k->data = data;
	k->next = all_texts;
	all_texts = k;
	return sample_column(SCORE_STRING, &k->strings, validity);
}

uint8_t *sample_read(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*size = (size_t)ftell(f);
	rewind(f);
	uint8_t *data = malloc(*size + 1);
	assert_int_equal(fread(data, 1, *size, f), *size);
	fclose(f);
	return data;
}

void sample_write(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

void sample_seal(uint8_t *bytes, size_t size)
{
	uint64_t offset, n;
	XXH128_canonical_t whole;
	memcpy(&offset, bytes + 24, 8);
	memcpy(&n, bytes + 32, 8);
	if (offset <= size && n <= size - offset) {
		const uint64_t header = XXH3_64bits(bytes + offset, (size_t)n);
		memcpy(bytes + 40, &header, 8);
	}
	const uint64_t prelude = XXH3_64bits(bytes, 48);
	memcpy(bytes + 48, &prelude, 8);
	XXH128_canonicalFromHash(&whole, XXH3_128bits(bytes, size - 16));
	memcpy(bytes + size - 16, whole.digest, 16);
}
