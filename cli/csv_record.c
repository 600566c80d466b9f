/*
 * CSV records (RFC 4180) as texts, whatever their columns mean: the names in a header, the rows of a table to build.
 *
 * Comes in: the window over the file. Goes out: the fields of one record, unescaped in place, valid until the window moves.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef enum scan { SCAN_DONE, SCAN_MORE, SCAN_FAILED } scan;

static cli_csv_field *push_field(cli_csv_record *record)
{
	if (record->n == record->capacity) {
		size_t capacity = record->capacity != 0 ? record->capacity * 2 : 64;
		cli_csv_field *fields = realloc(record->fields, capacity * sizeof *fields);
		if (fields == NULL)
			return NULL;
		record->fields = fields;
		record->capacity = capacity;
	}
	return record->fields + record->n++;
}

/* The field at `p`; returns its first byte behind, or NULL when the window ends before the field does. */
static char *scan_field(const cli_bytes *bytes, char *p, cli_csv_field *out)
{
	char *end = bytes->data + bytes->end;
	out->quoted = p < end && *p == '"';
	if (!out->quoted) {
		out->text = p;
		while (p < end && *p != ',' && *p != '\n' && !(*p == '\r' && (p + 1 == end || p[1] == '\n')))
			p++;
		out->length = (size_t)(p - out->text);
		return p < end || bytes->eof ? p : NULL;
	}
	out->text = ++p;
	for (;;) {
		p = memchr(p, '"', (size_t)(end - p));
		if (p == NULL || (p + 1 == end && !bytes->eof))
			return NULL;
		if (p + 1 == end || p[1] != '"')
			break;
		p += 2;
	}
	out->length = (size_t)(p - out->text);
	return p + 1;
}

static scan scan_record(cli_bytes *bytes, int64_t line, cli_csv_record *out)
{
	char *p = bytes->data + bytes->begin, *end = bytes->data + bytes->end;
	for (out->n = 0;; p++) {
		cli_csv_field *field = push_field(out);
		if (field == NULL) {
			cli_fail_memory(bytes->name);
			return SCAN_FAILED;
		}
		p = scan_field(bytes, p, field);
		if (p == NULL && bytes->eof) {
			cli_fail_at(bytes->name, line, -1, "column %zu: the quote that opens this field is never closed", out->n);
			return SCAN_FAILED;
		}
		if (p == NULL)
			return SCAN_MORE;
		if (p < end && *p == ',')
			continue;
		if (p < end && *p == '\r' && p + 1 == end && !bytes->eof)
			return SCAN_MORE;
		if (p < end && *p == '\r' && (p + 1 == end || p[1] == '\n'))
			p++;
		if (p < end && *p != '\n') {
			cli_fail_at(bytes->name, line, -1, "column %zu: text follows the closing quote", out->n);
			return SCAN_FAILED;
		}
		bytes->begin = p < end ? (size_t)(p + 1 - bytes->data) : bytes->end;
		return SCAN_DONE;
	}
}

/* Doubled quotes become single ones, now that the record is not scanned again. */
static void unescape(cli_csv_record *record)
{
	for (size_t k = 0; k < record->n; k++) {
		cli_csv_field *field = record->fields + k;
		size_t n = 0;
		if (!field->quoted || memchr(field->text, '"', field->length) == NULL)
			continue;
		for (size_t i = 0; i < field->length; i++) {
			field->text[n++] = field->text[i];
			i += field->text[i] == '"';
		}
		field->length = n;
	}
}

int cli_csv_read_record(cli_bytes *bytes, int64_t *line, cli_csv_record *out)
{
	for (;;) {
		const char *first = bytes->data + bytes->begin;
		const bool is_empty = bytes->begin == bytes->end;
		const scan result = is_empty && !bytes->eof ? SCAN_MORE : is_empty ? SCAN_DONE : scan_record(bytes, *line, out);
		if (result == SCAN_DONE) {
			out->n = is_empty ? 0 : out->n;
			out->line = *line;
			/* `begin` moved, the bytes did not. */
			while ((first = memchr(first, '\n', (size_t)(bytes->data + bytes->begin - first))) != NULL) {
				first++;
				++*line;
			}
			unescape(out);
			return CLI_OK;
		}
		if (result == SCAN_FAILED || cli_bytes_more(bytes, *line) != CLI_OK)
			return CLI_FAILED;
	}
}

void cli_csv_free_record(cli_csv_record *record)
{
	free(record->fields);
	memset(record, 0, sizeof *record);
}
