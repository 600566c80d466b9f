/*
 * The first record of a CSV file: its column names.
 *
 * Comes in: the window over the file. Goes out: the names, unescaped, and the window behind the record.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef enum scan { SCAN_DONE, SCAN_MORE, SCAN_FAILED } scan;

static bool push_name(cli_csv_header *header, const char *text, size_t length, bool quoted)
{
	char *name = malloc(length + 1);
	size_t i, n = 0;
	if (name == NULL)
		return false;
	if (header->n == header->capacity) {
		size_t capacity = header->capacity != 0 ? header->capacity * 2 : 64;
		char **names = realloc(header->names, capacity * sizeof *names);
		if (names == NULL) {
			free(name);
			return false;
		}
		header->names = names;
		header->capacity = capacity;
	}
	for (i = 0; i < length; i++) {
		name[n++] = text[i];
		if (quoted && text[i] == '"')
			i++;
	}
	name[n] = '\0';
	header->names[header->n++] = name;
	return true;
}

/* The field at `p`; returns its first byte behind, or NULL when the window ends before the field does. */
static const char *scan_name(const cli_bytes *bytes, const char *p, const char **text, size_t *length, bool *quoted)
{
	const char *end = bytes->data + bytes->end;
	*quoted = p < end && *p == '"';
	if (!*quoted) {
		*text = p;
		while (p < end && *p != ',' && *p != '\n' && !(*p == '\r' && (p + 1 == end || p[1] == '\n')))
			p++;
		*length = (size_t)(p - *text);
		return p < end || bytes->eof ? p : NULL;
	}
	*text = ++p;
	for (;;) {
		p = memchr(p, '"', (size_t)(end - p));
		if (p == NULL || (p + 1 == end && !bytes->eof))
			return NULL;
		if (p + 1 == end || p[1] != '"')
			break;
		p += 2;
	}
	*length = (size_t)(p - *text);
	return p + 1;
}

static scan scan_record(cli_bytes *bytes, cli_csv_header *out)
{
	const char *p = bytes->data + bytes->begin, *end = bytes->data + bytes->end, *text;
	size_t length;
	bool quoted;
	for (;; p++) {
		p = scan_name(bytes, p, &text, &length, &quoted);
		if (p == NULL && bytes->eof) {
			cli_fail_at(bytes->name, 1, -1, "a quote in the header is never closed");
			return SCAN_FAILED;
		}
		if (p == NULL)
			return SCAN_MORE;
		if (!push_name(out, text, length, quoted)) {
			cli_fail_memory(bytes->name);
			return SCAN_FAILED;
		}
		if (p < end && *p == ',')
			continue;
		if (p < end && *p == '\r' && p + 1 == end && !bytes->eof)
			return SCAN_MORE;
		if (p < end && *p == '\r' && (p + 1 == end || p[1] == '\n'))
			p++;
		if (p < end && *p != '\n') {
			cli_fail_at(bytes->name, 1, -1, "text follows a closing quote in column %zu of the header", out->n);
			return SCAN_FAILED;
		}
		bytes->begin = p < end ? (size_t)(p + 1 - bytes->data) : bytes->end;
		return SCAN_DONE;
	}
}

int cli_csv_read_header(cli_bytes *bytes, int64_t *line, cli_csv_header *out)
{
	memset(out, 0, sizeof *out);
	for (;;) {
		const char *first = bytes->data + bytes->begin;
		scan result = scan_record(bytes, out);
		if (result == SCAN_DONE) {
			/* `begin` moved, the bytes did not. */
			for (; first < bytes->data + bytes->begin; first++)
				*line += *first == '\n';
			return CLI_OK;
		}
		cli_csv_free_header(out);
		if (result == SCAN_FAILED || cli_bytes_more(bytes, 1) != CLI_OK)
			return CLI_FAILED;
	}
}

void cli_csv_free_header(cli_csv_header *header)
{
	size_t i;
	for (i = 0; i < header->n; i++)
		free(header->names[i]);
	free(header->names);
	memset(header, 0, sizeof *header);
}
