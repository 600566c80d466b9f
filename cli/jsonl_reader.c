/*
 * Rows from JSON lines: one object per line, keys are feature names.
 *
 * Comes in: the window over the file. Goes out: blocks of rows in the model's feature order. null and an absent key are
 * missing values, true and false are 1 and 0, strings are labels of categories where the model has
 * them, unknown keys are ignored, anything else under a feature's name is an
 * error that names line and key. Features that no line ever mentions are pointed out at the end.
 */
#include "cli.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct jsonl_reader {
	cli_rows rows;
	cli_bytes *bytes;
	const score_model *model;
	uint64_t *seen; /* per feature: the last row that had its key, counted from 1; 0: none had */
	uint32_t n_features;
	int64_t line;
	uint64_t n_rows;
	uint64_t n_held; /* rows before the first line with a known key, all missing: nothing is given out until there is one */
	bool quiet;
	bool knows;     /* some line had a known key */
	bool is_hashed; /* some feature's categories are known by their text: whole numbers keep all digits */
} jsonl_reader;

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	default:
		return "a number";
	}
}

/* Under a feature that has a dictionary. */
static int read_label(const jsonl_reader *r, uint32_t feature, const char *key, const json_t *value, double *out)
{
	cli_quoted name = cli_quote(key, strlen(key), 60), found;
	if (!json_is_string(value))
		return cli_fail_at(r->bytes->name, r->line, -1,
			"key \"%s\": the categories of this feature were numbers in training; write them as strings, such as \"10\"",
			name.text);
	if (cli_label_code(r->model, feature, json_string_value(value), json_string_length(value), out))
		return CLI_OK;
	found = cli_quote(json_string_value(value), json_string_length(value), 40);
	return cli_fail_at(r->bytes->name, r->line, -1,
		"key \"%s\": the category \"%s\" is none of the %u that the model was trained with (scoreline inspect lists them)",
		name.text, found.text, score_model_category_count(r->model, feature));
}

/* A number under a feature whose categories count by their text: beyond 2^53 no double has its digits. */
static int read_hashed(const jsonl_reader *r, uint32_t feature, const char *key, const json_t *value, double *out)
{
	char digits[32];
	cli_quoted name = cli_quote(key, strlen(key), 60);
	*out = json_number_value(value);
	if (fabs(*out) < 0x1p53)
		return CLI_OK;
	if (!json_is_integer(value))
		return cli_fail_at(r->bytes->name, r->line, -1,
			"key \"%s\": a category beyond 2^63, or with a point or an exponent, has no digits of its own; "
			"write it as a string", name.text);
	int length = snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	cli_label_code(r->model, feature, digits, (size_t)length, out);
	return CLI_OK;
}

static int read_value(const jsonl_reader *r, uint32_t feature, const char *key, const json_t *value, double *out)
{
	uint32_t dictionary = score_model_dictionary(r->model, feature);
	if (dictionary && (json_is_string(value) || (json_is_number(value) && (dictionary & SCORE_DICTIONARY_NUMBERS))))
		return read_label(r, feature, key, value, out);
	if (json_is_number(value) && (dictionary & SCORE_DICTIONARY_HASH))
		return read_hashed(r, feature, key, value, out);
	if (json_is_number(value)) {
		*out = json_number_value(value);
	} else if (json_is_null(value)) {
		*out = NAN;
	} else if (json_is_boolean(value)) {
		*out = json_is_true(value) ? 1.0 : 0.0;
	} else {
		cli_quoted name = cli_quote(key, strlen(key), 60);
		return cli_fail_at(r->bytes->name, r->line, -1,
			"key \"%s\": expected a number, or null for a missing value; found %s", name.text, type_name(value));
	}
	return CLI_OK;
}

static int read_key(jsonl_reader *r, uint32_t feature, const char *key, const json_t *value, double *row)
{
	r->seen[feature] = r->n_rows + 1;
	r->knows = true;
	return read_value(r, feature, key, value, row + feature);
}

/* Keys that mean features without being their names, where the object has no key of that name. */
static int read_other_keys(jsonl_reader *r, json_t *object, double *row)
{
	const char *key;
	json_t *value;
	uint32_t i;
	json_object_foreach (object, key, value) {
		if (score_model_feature_find(r->model, key, strlen(key), &i) != SCORE_NAME_SPACED ||
			json_object_get(object, score_model_feature_name(r->model, i)) != NULL)
			continue;
		if (r->seen[i] == r->n_rows + 1) {
			const char *name = score_model_feature_name(r->model, i);
			return cli_fail_at(r->bytes->name, r->line, -1, "key \"%s\": another key of this line means the same feature, \"%s\"",
				cli_quote(key, strlen(key), 60).text, cli_quote(name, strlen(name), 60).text);
		}
		if (read_key(r, i, key, value, row) != CLI_OK)
			return CLI_FAILED;
	}
	return CLI_OK;
}

static int read_object(jsonl_reader *r, json_t *object, double *row)
{
	uint32_t i, n_found = 0;
	if (!json_is_object(object))
		return cli_fail_at(r->bytes->name, r->line, -1,
			"expected one JSON object per line, such as {\"age\": 31}; found %s", type_name(object));
	for (i = 0; i < r->n_features; i++) {
		const char *key = score_model_feature_name(r->model, i);
		const json_t *value = json_object_get(object, key);
		row[i] = NAN;
		if (value == NULL)
			continue;
		n_found++;
		if (read_key(r, i, key, value, row) != CLI_OK)
			return CLI_FAILED;
	}
	return n_found < r->n_features && n_found < json_object_size(object) ? read_other_keys(r, object, row) : CLI_OK;
}

static int fail_syntax(const jsonl_reader *r, const char *text, size_t length, const json_error_t *error)
{
	cli_quoted what = cli_quote(error->text, strlen(error->text), 80);
	const char *hint = "";
	/* Python's json.dumps() writes these words unless told otherwise. */
	if (strstr(error->text, "NaN") != NULL || strstr(error->text, "Infinity") != NULL)
		hint = "; JSON has no NaN or Infinity: write null for a missing value";
	else if (length > 0 && text[0] == '[')
		hint = "; a JSON array of objects is not JSON lines: write one object per line";
	return cli_fail_at(r->bytes->name, r->line, -1, "not valid JSON at column %d: %s%s", error->column, what.text, hint);
}

/* One line without its line end. Blank lines give no row. */
static int read_line(jsonl_reader *r, const char *text, size_t length, double *row, size_t *n_rows)
{
	json_error_t error;
	json_t *object;
	int code;
	while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL && text[length - 1] != '\0')
		length--;
	while (length > 0 && (text[0] == ' ' || text[0] == '\t')) {
		text++;
		length--;
	}
	if (length == 0)
		return CLI_OK;
	object = r->is_hashed ? json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error) : NULL;
	if (object == NULL)
		object = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
	if (object == NULL)
		return fail_syntax(r, text, length, &error);
	code = read_object(r, object, row);
	json_decref(object);
	if (code == CLI_OK) {
		++*n_rows;
		r->n_rows++;
	}
	return code;
}

/* Rows that were held back. */
static size_t give_held(jsonl_reader *r, double *out, size_t max_rows)
{
	size_t i, n = r->n_held < max_rows ? (size_t)r->n_held : max_rows;
	for (i = 0; i < n * r->n_features; i++)
		out[i] = NAN;
	r->n_held -= n;
	return n;
}

static int jsonl_read(cli_rows *rows, double *out, size_t max_rows, size_t *n_rows)
{
	jsonl_reader *r = (jsonl_reader *)rows;
	*n_rows = r->knows ? give_held(r, out, max_rows) : 0;
	while (*n_rows < max_rows) {
		cli_bytes *b = r->bytes;
		const char *text = b->data + b->begin;
		const char *newline = memchr(text, '\n', b->end - b->begin);
		size_t length = newline != NULL ? (size_t)(newline - text) : b->end - b->begin;
		if (newline == NULL && !b->eof) {
			if (*n_rows > 0 && cli_bytes_idle(b))
				return CLI_OK;
			if (cli_bytes_more(b, r->line) != CLI_OK)
				return CLI_FAILED;
			continue;
		}
		if (newline == NULL && length == 0)
			return CLI_OK;
		if (read_line(r, text, length, out + *n_rows * r->n_features, n_rows) != CLI_OK)
			return CLI_FAILED;
		/* The first known key: the rows before come first, then this line again. */
		if (r->knows && r->n_held > 0) {
			*n_rows = give_held(r, out, max_rows);
			continue;
		}
		b->begin += length + (newline != NULL);
		r->line++;
		if (!r->knows) {
			r->n_held += *n_rows;
			*n_rows = 0;
		}
	}
	return CLI_OK;
}

static int jsonl_finish(cli_rows *rows)
{
	const jsonl_reader *r = (const jsonl_reader *)rows;
	uint32_t i, unseen = 0, first = 0;
	cli_quoted name;
	for (i = r->n_features; i-- > 0;)
		if (!r->seen[i]) {
			unseen++;
			first = i;
		}
	if (unseen == 0 || r->n_rows == 0)
		return CLI_OK;
	name = cli_quote(score_model_feature_name(r->model, first), strlen(score_model_feature_name(r->model, first)), 60);
	if (unseen == r->n_features)
		return cli_fail(r->bytes->name, "no line has a key that the model knows; its first feature is \"%s\"", name.text);
	if (!r->quiet)
		cli_warn(r->bytes->name, "%u of %u features are in no line and were taken as missing, the first is \"%s\"", unseen,
			r->n_features, name.text);
	return CLI_OK;
}

static void jsonl_free(cli_rows *rows)
{
	jsonl_reader *r = (jsonl_reader *)rows;
	free(r->seen);
	free(r);
}

int cli_jsonl_open(cli_bytes *bytes, const score_model *model, uint32_t n_features, const cli_rows_options *options,
	cli_rows **out)
{
	jsonl_reader *r = calloc(1, sizeof *r);
	if (r == NULL)
		return cli_fail_memory(bytes->name);
	r->rows = (cli_rows){ jsonl_read, jsonl_finish, jsonl_free };
	r->bytes = bytes;
	r->model = model;
	r->n_features = n_features;
	r->line = 1;
	r->quiet = options->quiet;
	r->seen = calloc((size_t)n_features + 1, sizeof *r->seen);
	if (r->seen == NULL) {
		jsonl_free(&r->rows);
		return cli_fail_memory(bytes->name);
	}
	for (uint32_t i = 0; i < n_features; i++)
		r->is_hashed = r->is_hashed || (score_model_dictionary(model, i) & SCORE_DICTIONARY_HASH) != 0;
	*out = &r->rows;
	return CLI_OK;
}
