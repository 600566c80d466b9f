/*
 * The first record of a CSV file: its column names.
 *
 * Comes in: the window over the file. Goes out: the names, and the window behind the record.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

int cli_csv_read_header(cli_bytes *bytes, int64_t *line, cli_csv_header *out)
{
	cli_csv_record record = { NULL, 0, 0, 0 };
	int code = cli_csv_read_record(bytes, line, &record);
	memset(out, 0, sizeof *out);
	if (code == CLI_OK && record.n > 0) {
		out->names = calloc(record.n, sizeof *out->names);
		code = out->names == NULL ? cli_fail_memory(bytes->name) : CLI_OK;
	}
	for (; code == CLI_OK && out->n < record.n; out->n++) {
		const cli_csv_field *field = record.fields + out->n;
		char *name;
		if (memchr(field->text, '\0', field->length) != NULL) {
			code = cli_fail_at(bytes->name, record.line, -1, "column %zu: its name has a byte 0; is this UTF-16? save it as UTF-8",
				out->n + 1);
			break;
		}
		name = malloc(field->length + 1);
		if (name == NULL) {
			code = cli_fail_memory(bytes->name);
			break;
		}
		memcpy(name, field->text, field->length);
		name[field->length] = '\0';
		out->names[out->n] = name;
	}
	cli_csv_free_record(&record);
	if (code != CLI_OK)
		cli_csv_free_header(out);
	return code;
}

void cli_csv_free_header(cli_csv_header *header)
{
	size_t i;
	for (i = 0; i < header->n; i++)
		free(header->names[i]);
	free(header->names);
	memset(header, 0, sizeof *header);
}
