#include "lightgbm_files.h"

#include "import/importers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

text_file read_data(const char *name, const char *suffix)
{
	const char *folder = getenv("SCORELINE_TEST_DATA");
	char path[1024];
	text_file file = {NULL, 0};
	snprintf(path, sizeof path, "%s/lightgbm/%s%s", folder ? folder : "tests/data", name, suffix);
	FILE *stream = fopen(path, "rb");
	if (!stream)
		fail_msg("cannot open %s", path);
	fseek(stream, 0, SEEK_END);
	file.length = (size_t)ftell(stream);
	rewind(stream);
	file.text = malloc(file.length + 1);
	assert_non_null(file.text);
	assert_int_equal(fread(file.text, 1, file.length, stream), file.length);
	file.text[file.length] = '\0';
	fclose(stream);
	return file;
}

text_file replaced(const text_file *file, const char *from, const char *to)
{
	size_t n = 0, from_length = strlen(from), to_length = strlen(to);
	const char *at;
	for (at = strstr(file->text, from); at; at = strstr(at + from_length, from))
		n++;
	if (n == 0)
		fail_msg("the file has no \"%s\"", from);
	text_file copy = {malloc(file->length + n * to_length + 1), 0};
	assert_non_null(copy.text);
	const char *rest = file->text;
	while ((at = strstr(rest, from))) {
		memcpy(copy.text + copy.length, rest, (size_t)(at - rest));
		copy.length += (size_t)(at - rest);
		memcpy(copy.text + copy.length, to, to_length);
		copy.length += to_length;
		rest = at + from_length;
	}
	strcpy(copy.text + copy.length, rest);
	copy.length += strlen(rest);
	return copy;
}

score_model *import_text(const char *text, size_t length, const score_import_options *options,
	score_error *error)
{
	score_builder *builder = NULL;
	score_model *model = NULL;
	score_status status = import_lightgbm(text, length, options, &builder, error);
	if (status != SCORE_OK) {
		assert_null(builder);
		assert_int_equal(error->code, status);
		assert_true(error->message[0] != '\0');
		return NULL;
	}
	status = score_builder_finish(builder, &model, error);
	score_builder_free(builder);
	assert_true((status == SCORE_OK) == (model != NULL));
	return model;
}

score_model *import_good(const text_file *file, const score_import_options *options)
{
	score_error error;
	score_model *model = import_text(file->text, file->length, options, &error);
	if (!model)
		fail_msg("line %lld: %s", (long long)error.line, error.message);
	return model;
}
