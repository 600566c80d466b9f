/*
 * Columns of a CSV file on their way into a feature table.
 *
 * Comes in: fields. Goes out: types that hold all values of a column, and blocks of values. An empty field is null; so are
 * the spellings of missing numbers (NA, NaN, null) where the column holds no texts.
 */
#include "table_columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	score_dtype type;
} types[] = { { "f64", SCORE_F64 }, { "f32", SCORE_F32 }, { "i64", SCORE_I64 }, { "i32", SCORE_I32 }, { "bool", SCORE_BOOL },
	{ "string", SCORE_STRING } };

score_dtype cli_table_type(const char *name)
{
	size_t i;
	for (i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	return 0;
}

const char *cli_table_type_name(score_dtype type)
{
	size_t i;
	for (i = 0; i < sizeof types / sizeof types[0]; i++)
		if (types[i].type == type)
			return types[i].name;
	return "unknown";
}

static bool is_null(const cli_csv_field *field)
{
	return field->length == 0 && !field->quoted;
}

/* 1 and 0 are numbers. */
static bool is_truth(const cli_csv_field *field, bool *out)
{
	const char first = field->length > 0 ? field->text[0] : '\0';
	double value;
	if ((first != 't' && first != 'T' && first != 'f' && first != 'F') || !cli_field_value(field->text, field->length, &value))
		return false;
	*out = value != 0;
	return true;
}

void cli_table_guess(table_column *c, const cli_csv_field *field)
{
	int64_t integer;
	double number;
	bool truth;
	if (c->type != 0 || is_null(field))
		return;
	if (!c->seen)
		c->seen = c->can_be_bool = c->can_be_integer = c->can_be_number = c->can_be_time = true;
	c->can_be_time = c->can_be_time && cli_parse_time(field->text, field->length, &integer);
	if (cli_parse_integer(field->text, field->length, &integer)) {
		c->can_be_bool = false;
	} else if (is_truth(field, &truth)) {
		c->can_be_integer = c->can_be_number = false;
	} else if (!cli_field_value(field->text, field->length, &number)) {
		c->can_be_bool = c->can_be_integer = c->can_be_number = false;
	} else if (!isnan(number)) {
		/* Whole numbers that are written otherwise, 007 or 1e3, are numbers to features, but texts to keys. */
		c->can_be_bool = c->can_be_integer = false;
	} else if (c->role != ROLE_FEATURE) {
		c->can_be_integer = false;
	}
}

bool cli_table_settle(table_column *c)
{
	if (c->role == ROLE_TIMESTAMP) {
		c->is_time = c->seen && c->type == 0 && !c->can_be_integer && c->can_be_time;
		c->type = SCORE_I64;
		return c->is_time || !c->seen || c->can_be_integer;
	}
	if (c->role == ROLE_KEY) {
		if (c->type == 0)
			c->type = c->can_be_integer ? SCORE_I64 : SCORE_STRING;
		return c->type == SCORE_I64 || c->type == SCORE_STRING;
	}
	if (c->type == 0)
		/* Neither a number nor true or false: nothing but spellings of missing. */
		c->type = !c->seen || (c->can_be_bool && c->can_be_integer) ? SCORE_F64 : c->can_be_bool ? SCORE_BOOL : c->can_be_integer ? SCORE_I64 :
			c->can_be_number ? SCORE_F64 : SCORE_STRING;
	return true;
}

bool cli_table_alloc(table_column *c)
{
	c->validity = calloc(TABLE_BLOCK_ROWS / 8, 1);
	if (c->type == SCORE_STRING)
		c->offsets = calloc(TABLE_BLOCK_ROWS + 1, sizeof *c->offsets);
	else
		c->values = calloc(TABLE_BLOCK_ROWS, sizeof(double));
	return c->validity != NULL && (c->offsets != NULL || c->values != NULL);
}

void cli_table_free(table_column *c)
{
	free(c->values);
	free(c->validity);
	free(c->offsets);
	free(c->text);
}

static const char *put_text(table_column *c, size_t r, const cli_csv_field *field)
{
	const size_t at = (size_t)c->offsets[r];
	c->offsets[r + 1] = (int64_t)(at + field->length);
	if (at + field->length > c->text_capacity) {
		const size_t capacity = 2 * (at + field->length);
		char *text = realloc(c->text, capacity);
		if (text == NULL)
			return "does not fit into memory";
		c->text = text;
		c->text_capacity = capacity;
	}
	if (field->length > 0)
		memcpy(c->text + at, field->text, field->length);
	return NULL;
}

static const char *put_integer(table_column *c, size_t r, const cli_csv_field *field, bool *null)
{
	int64_t value;
	double number;
	if (c->is_time) {
		if (!cli_parse_time(field->text, field->length, (int64_t *)c->values + r))
			return "is no time; expected as in 2024-01-15T10:30:00Z";
		return NULL;
	}
	*null = c->role == ROLE_FEATURE && cli_field_value(field->text, field->length, &number) && isnan(number);
	if (*null)
		return NULL;
	if (!cli_parse_integer(field->text, field->length, &value))
		return "is no whole number";
	if (c->type == SCORE_I32 && (value < INT32_MIN || value > INT32_MAX))
		return "is outside the range of i32";
	if (c->type == SCORE_I32)
		((int32_t *)c->values)[r] = (int32_t)value;
	else
		((int64_t *)c->values)[r] = value;
	return NULL;
}

const char *cli_table_put(table_column *c, size_t r, const cli_csv_field *field)
{
	const char *wrong = NULL;
	bool null = is_null(field);
	double number = 0;
	c->validity[r / 8] &= (uint8_t)~(1u << (r % 8));
	if (c->type == SCORE_STRING) {
		wrong = put_text(c, r, field);
	} else if (!null && (c->type == SCORE_I64 || c->type == SCORE_I32)) {
		wrong = put_integer(c, r, field, &null);
	} else if (!null) {
		if (!cli_field_value(field->text, field->length, &number))
			wrong = "is no number";
		null = isnan(number);
		if (c->type == SCORE_F64)
			((double *)c->values)[r] = number;
		else if (c->type == SCORE_F32)
			((float *)c->values)[r] = (float)number;
		else
			((uint8_t *)c->values)[r] = number != 0;
		if (wrong == NULL && c->type == SCORE_BOOL && !null && number != 0 && number != 1)
			wrong = "is neither true nor false";
		if (c->type == SCORE_F32 && isinf(((float *)c->values)[r]) && !isinf(number))
			wrong = "is outside the range of f32";
	}
	c->validity[r / 8] |= (uint8_t)(!null << (r % 8));
	return wrong;
}

score_column cli_table_block(table_column *c)
{
	score_column out = { c->values, c->validity, 0, 0, c->type, 0 };
	if (c->type == SCORE_STRING) {
		c->strings = (score_strings)SCORE_STRINGS_INIT;
		c->strings.offsets = c->offsets;
		c->strings.offset_type = SCORE_I64;
		c->strings.data = c->text != NULL ? c->text : "";
		out.values = &c->strings;
	}
	return out;
}
