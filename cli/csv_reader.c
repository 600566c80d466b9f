/*
 * Rows from CSV (RFC 4180: commas, quotes doubled inside quotes, LF or CRLF).
 *
 * Comes in: the window over the file. Goes out: blocks of rows in the model's feature order; every field that cannot
 * be scored is an error that names its line and column. Columns that the model does not use are never parsed.
 *
 * A record is parsed in place. When the window ends inside a record, the record is parsed again after more was read.
 */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct csv_reader {
	cli_rows rows;
	cli_bytes *bytes;
	const score_model *model;
	cli_csv_header header; /* empty without a header               */
	int64_t *feature;      /* per column: feature it feeds, or -1  */
	size_t n_columns;
	uint32_t n_features;
	char *label;           /* a quoted field without its doubled quotes */
	size_t label_capacity;
	int64_t line;          /* of the record at the window's start  */
	int64_t blank_line;    /* last empty line seen, or 0           */
} csv_reader;

typedef enum scan { SCAN_ROW, SCAN_BLANK, SCAN_MORE, SCAN_FAILED } scan;

/* Where the record being parsed stands. */
typedef struct cursor {
	const char *p;
	const char *end;
	int64_t newlines; /* inside quotes */
	size_t column;
} cursor;

/* "column 3" or "column 3 (age)" */
typedef struct column_label {
	char text[128];
} column_label;

static column_label label_column(const csv_reader *r, size_t column)
{
	column_label label;
	if (column < r->header.n) {
		cli_quoted name = cli_quote(r->header.names[column], strlen(r->header.names[column]), 60);
		snprintf(label.text, sizeof label.text, "column %zu (%s)", column + 1, name.text);
	} else {
		snprintf(label.text, sizeof label.text, "column %zu", column + 1);
	}
	return label;
}

static scan fail_field(const csv_reader *r, const cursor *c, const char *text, size_t length)
{
	cli_quoted found = cli_quote(text, length, 40);
	uint32_t feature = (uint32_t)r->feature[c->column];
	bool category = score_model_feature_type(r->model, feature) == SCORE_FEATURE_CATEGORY;
	if (score_model_dictionary(r->model, feature)) {
		cli_fail_at(r->bytes->name, r->line + c->newlines, -1,
			"%s: the category \"%s\" is none of the %u that the model was trained with (scoreline inspect lists them)",
			label_column(r, c->column).text, found.text, score_model_category_count(r->model, feature));
		return SCAN_FAILED;
	}
	cli_fail_at(r->bytes->name, r->line + c->newlines, -1,
		"%s: expected %s, or nothing, NA, NaN or null for a missing value; found \"%s\"",
		label_column(r, c->column).text, category ? "the number of a category" : "a number", found.text);
	return SCAN_FAILED;
}

/* The text of a field, quoted or not, with its doubled quotes made single ones. */
static const char *plain_text(csv_reader *r, const char *text, size_t *length)
{
	size_t n = 0;
	if (memchr(text, '"', *length) == NULL)
		return text;
	if (*length > r->label_capacity) {
		char *larger = realloc(r->label, *length);
		if (larger == NULL)
			return NULL;
		r->label = larger;
		r->label_capacity = *length;
	}
	for (size_t i = 0; i < *length; i++) {
		r->label[n++] = text[i];
		i += text[i] == '"' && i + 1 < *length && text[i + 1] == '"';
	}
	*length = n;
	return r->label;
}

static scan take_field(csv_reader *r, const cursor *c, const char *text, size_t length, double *value)
{
	uint32_t feature = (uint32_t)r->feature[c->column];
	bool taken;
	if (score_model_dictionary(r->model, feature)) {
		const char *label = plain_text(r, text, &length);
		if (label == NULL) {
			cli_fail_memory(r->bytes->name);
			return SCAN_FAILED;
		}
		text = label;
		taken = cli_label_code(r->model, feature, text, length, value);
	} else {
		taken = cli_field_value(text, length, value);
	}
	return taken ? SCAN_ROW : fail_field(r, c, text, length);
}

/* Is `p` at the end of a field? *more: the window ends before this can be said. */
static inline bool at_field_end(const csv_reader *r, const cursor *c, const char *p, bool *more)
{
	if (*p == ',' || *p == '\n')
		return true;
	if (p == c->end) {
		*more = !r->bytes->eof;
		return !*more;
	}
	if (*p != '\r')
		return false;
	if (p + 1 == c->end) {
		*more = !r->bytes->eof;
		return !*more;
	}
	return p[1] == '\n';
}

static scan scan_quoted(csv_reader *r, cursor *c, double *value)
{
	const char *text = c->p + 1, *p = text, *newline;
	int64_t newlines = 0;
	bool more = false;
	for (;;) {
		p = memchr(p, '"', (size_t)(c->end - p));
		if (p == NULL || (p + 1 == c->end && !r->bytes->eof)) {
			if (!r->bytes->eof)
				return SCAN_MORE;
			cli_fail_at(r->bytes->name, r->line + c->newlines, -1, "%s: the quote that opens this field is never closed",
				label_column(r, c->column).text);
			return SCAN_FAILED;
		}
		if (p[1] != '"')
			break;
		p += 2;
	}
	if (!at_field_end(r, c, p + 1, &more)) {
		if (more)
			return SCAN_MORE;
		cli_fail_at(r->bytes->name, r->line + c->newlines, -1, "%s: text follows the closing quote",
			label_column(r, c->column).text);
		return SCAN_FAILED;
	}
	if (value != NULL && take_field(r, c, text, (size_t)(p - text), value) != SCAN_ROW)
		return SCAN_FAILED;
	for (newline = text; (newline = memchr(newline, '\n', (size_t)(p - newline))) != NULL; newline++)
		newlines++;
	c->newlines += newlines;
	c->p = p + 1;
	return SCAN_ROW;
}

static scan scan_plain(csv_reader *r, cursor *c, double *value)
{
	const char *text = c->p, *p = text;
	bool more = false;
	/* A column that the model does not use may hold any text, lone carriage returns too. */
	while (!at_field_end(r, c, p, &more)) {
		if (more)
			return SCAN_MORE;
		p++;
	}
	if (value != NULL && take_field(r, c, text, (size_t)(p - text), value) != SCAN_ROW)
		return SCAN_FAILED;
	c->p = p;
	return SCAN_ROW;
}

/* `value` NULL: the column is not used. */
static inline scan scan_field(csv_reader *r, cursor *c, double *value)
{
	bool more = false;
	const char *p;
	if (*c->p == '"')
		return scan_quoted(r, c, value);
	if (value != NULL && !score_model_dictionary(r->model, (uint32_t)r->feature[c->column])) {
		p = cli_scan_number(c->p, value);
		if (p != NULL && at_field_end(r, c, p, &more)) {
			c->p = p;
			return SCAN_ROW;
		}
		if (more)
			return SCAN_MORE;
	}
	return scan_plain(r, c, value);
}

static scan fail_count(const csv_reader *r, const cursor *c)
{
	const char *of = r->header.n != 0 ? "the header" : "the model";
	if (c->column < r->n_columns)
		cli_fail_at(r->bytes->name, r->line, -1, "too few fields: %zu, but %s has %zu columns; %s is missing",
			c->column, of, r->n_columns, label_column(r, c->column).text);
	else
		cli_fail_at(r->bytes->name, r->line, -1, "too many fields: column %zu, but %s has %zu columns",
			c->column + 1, of, r->n_columns);
	return SCAN_FAILED;
}

/* An empty line is no row. Where it could mean a row with one missing value, it may only stand at the end. */
static scan skip_blank(csv_reader *r, const char *p)
{
	r->blank_line = r->line++;
	r->bytes->begin = (size_t)(p - r->bytes->data) + (*p == '\r' ? 1 : 0);
	if (r->bytes->begin < r->bytes->end)
		r->bytes->begin++;
	return SCAN_BLANK;
}

static scan scan_row(csv_reader *r, double *row)
{
	cursor c = { r->bytes->data + r->bytes->begin, r->bytes->data + r->bytes->end, 0, 0 };
	bool more = false;
	if (*c.p != ',' && at_field_end(r, &c, c.p, &more))
		return skip_blank(r, c.p);
	if (more)
		return SCAN_MORE;
	if (r->n_columns == 1 && r->blank_line != 0) {
		cli_fail_at(r->bytes->name, r->blank_line, -1,
			"empty line in a file of one column: write NA or \"\" for a missing value");
		return SCAN_FAILED;
	}
	for (;; c.p++, c.column++) {
		int64_t feature;
		scan result;
		if (c.column == r->n_columns)
			return fail_count(r, &c);
		feature = r->feature[c.column];
		result = scan_field(r, &c, feature < 0 ? NULL : row + feature);
		if (result != SCAN_ROW)
			return result;
		if (c.p == c.end || *c.p != ',')
			break;
	}
	c.column++;
	if (c.column < r->n_columns)
		return fail_count(r, &c);
	if (c.p < c.end && *c.p == '\r')
		c.p++;
	if (c.p < c.end)
		c.p++;
	r->bytes->begin = (size_t)(c.p - r->bytes->data);
	r->line += c.newlines + 1;
	return SCAN_ROW;
}

static int csv_read(cli_rows *rows, double *out, size_t max_rows, size_t *n_rows)
{
	csv_reader *r = (csv_reader *)rows;
	*n_rows = 0;
	while (*n_rows < max_rows) {
		scan result;
		if (r->bytes->begin == r->bytes->end && r->bytes->eof)
			return CLI_OK;
		result = r->bytes->begin == r->bytes->end ? SCAN_MORE : scan_row(r, out + *n_rows * r->n_features);
		if (result == SCAN_FAILED)
			return CLI_FAILED;
		if (result == SCAN_MORE && *n_rows > 0 && cli_bytes_idle(r->bytes))
			return CLI_OK;
		if (result == SCAN_MORE && cli_bytes_more(r->bytes, r->line) != CLI_OK)
			return CLI_FAILED;
		if (result == SCAN_ROW)
			++*n_rows;
	}
	return CLI_OK;
}

static int csv_finish(cli_rows *rows)
{
	(void)rows;
	return CLI_OK;
}

static void csv_free(cli_rows *rows)
{
	csv_reader *r = (csv_reader *)rows;
	cli_csv_free_header(&r->header);
	free(r->feature);
	free(r->label);
	free(r);
}

/* Missing values may stand among them: an empty line has nothing else. */
static bool all_numbers(const cli_csv_header *header)
{
	size_t i;
	double value;
	bool any = false;
	for (i = 0; i < header->n; i++) {
		if (!cli_field_value(header->names[i], strlen(header->names[i]), &value))
			return false;
		any = any || !isnan(value);
	}
	return any;
}

static int bind_names(csv_reader *r)
{
	score_plan *plan = NULL;
	score_error error;
	uint32_t i;
	if (score_bind(r->model, (const char *const *)r->header.names, NULL, r->header.n, &plan, &error) != SCORE_OK) {
		const char *hint = NULL, *first = r->header.n > 0 ? r->header.names[0] : "";
		if (r->header.n <= 1 && *first == '\0')
			hint = "the first line is empty; expected the column names there";
		else if (all_numbers(&r->header))
			hint = "the first line looks like data: --no-header says that there are no column names";
		else if (r->header.n < r->n_features && strpbrk(first, ";\t|") != NULL)
			hint = "fields are separated by commas, not by semicolons or tabs";
		else if (r->header.n == r->n_features)
			hint = "--by-position takes the columns in the model's order whatever they are called";
		return cli_fail_library(r->bytes->name, &error, hint);
	}
	for (i = 0; i < r->n_features; i++) {
		int64_t column = score_plan_column(plan, i);
		if (column >= 0 && (uint64_t)column < r->n_columns)
			r->feature[column] = i;
	}
	score_plan_free(plan);
	return CLI_OK;
}

static int open_header(csv_reader *r, const cli_rows_options *options)
{
	int code;
	if (r->bytes->begin == r->bytes->end)
		return cli_fail(r->bytes->name, "is empty; expected a line with the column names");
	code = cli_csv_read_header(r->bytes, &r->line, &r->header);
	if (code != CLI_OK)
		return code;
	if (options->by_position && r->header.n != r->n_features)
		return cli_fail_at(r->bytes->name, 1, -1, "the header has %zu columns, but the model has %u features",
			r->header.n, r->n_features);
	return CLI_OK;
}

int cli_csv_open(cli_bytes *bytes, const score_model *model, uint32_t n_features, const cli_rows_options *options,
	cli_rows **out)
{
	csv_reader *r = calloc(1, sizeof *r);
	size_t i;
	int code = CLI_OK;
	if (r == NULL)
		return cli_fail_memory(bytes->name);
	r->rows = (cli_rows){ csv_read, csv_finish, csv_free };
	r->bytes = bytes;
	r->model = model;
	r->n_features = n_features;
	r->line = 1;
	if (!options->no_header)
		code = open_header(r, options);
	r->n_columns = options->no_header ? n_features : r->header.n;
	r->feature = malloc((r->n_columns + 1) * sizeof *r->feature);
	if (code == CLI_OK && r->feature == NULL)
		code = cli_fail_memory(bytes->name);
	if (code == CLI_OK) {
		bool positional = options->no_header || options->by_position;
		for (i = 0; i < r->n_columns; i++)
			r->feature[i] = positional ? (int64_t)i : -1;
		if (!positional)
			code = bind_names(r);
	}
	if (code != CLI_OK)
		csv_free(&r->rows);
	else
		*out = &r->rows;
	return code;
}
