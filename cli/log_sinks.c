/*
 * Rows of a capture log as JSON lines or CSV.
 */
#include "log_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *json_of(const log_cell *c)
{
	switch (c->type) {
	case LOG_INTEGER:
		return json_integer(c->integer);
	case LOG_REAL:
		return cli_log_number(c->real);
	case LOG_TEXT:
		return cli_log_text(c->text, strlen(c->text));
	case LOG_JSON:
		return json_incref(c->json);
	default:
		return json_null();
	}
}

static int write_jsonl(log_sink *sink, const log_table *table)
{
	json_t *object = json_object();
	char *line = NULL;
	size_t i;
	int code = CLI_FAILED;
	for (i = 0; object != NULL && i < table->n_columns; i++)
		if (json_object_set_new(object, table->columns[i].name, json_of(table->cells + i)) != 0)
			goto done;
	line = object == NULL ? NULL : cli_log_dump(object);
done:
	json_decref(object);
	if (line == NULL)
		return cli_fail_memory(sink->output.name);
	code = cli_output_write(&sink->output, line, strlen(line));
	free(line);
	return code == CLI_OK ? cli_output_write(&sink->output, "\n", 1) : code;
}

static int write_csv_cell(cli_output *out, const log_cell *c)
{
	char number[CLI_NUMBER_TEXT];
	char *text;
	int code;
	switch (c->type) {
	case LOG_INTEGER:
		snprintf(number, sizeof number, "%lld", (long long)c->integer);
		return cli_output_write_field(out, number);
	case LOG_REAL:
		cli_format_number(c->real, false, number);
		return cli_output_write_field(out, number);
	case LOG_TEXT:
		return cli_output_write_field(out, c->text);
	case LOG_JSON:
		text = cli_log_dump(c->json);
		if (text == NULL)
			return cli_fail_memory(out->name);
		code = cli_output_write_field(out, text);
		free(text);
		return code;
	default:
		return CLI_OK;
	}
}

static int write_csv(log_sink *sink, const log_table *table)
{
	size_t i;
	for (i = 0; i < table->n_columns; i++)
		if ((i > 0 && cli_output_write(&sink->output, ",", 1) != CLI_OK) ||
			write_csv_cell(&sink->output, table->cells + i) != CLI_OK)
			return CLI_FAILED;
	return cli_output_write(&sink->output, "\n", 1);
}

static int commit_text(log_sink *sink)
{
	return cli_output_commit(&sink->output);
}

static void close_text(log_sink *sink)
{
	cli_output_close(&sink->output);
	free(sink);
}

static int write_csv_names(log_sink *sink, const log_table *table)
{
	size_t i;
	for (i = 0; i < table->n_columns; i++)
		if ((i > 0 && cli_output_write(&sink->output, ",", 1) != CLI_OK) ||
			cli_output_write_field(&sink->output, table->columns[i].name) != CLI_OK)
			return CLI_FAILED;
	return cli_output_write(&sink->output, "\n", 1);
}

int cli_log_check_overwrite(const char *command, const char *path, const score_log *log)
{
	uint32_t i;
	int code = CLI_OK;
	for (i = 0; code == CLI_OK && i < score_log_segment_count(log); i++) {
		score_log_segment s = { .struct_size = sizeof s };
		if (score_log_get_segment(log, i, &s) == SCORE_OK)
			code = cli_check_overwrite(command, path, s.path);
	}
	return code;
}

int cli_log_sink_open(log_format format, const char *path, const char *name, const log_table *table, log_sink **out)
{
	log_sink *sink;
	int code;
	*out = NULL;
	if (format == FORMAT_SQLITE)
		return cli_log_sqlite_open(path, name, table, out);
	sink = calloc(1, sizeof *sink);
	if (sink == NULL)
		return cli_fail_memory(path == NULL ? "standard output" : path);
	sink->write = format == FORMAT_CSV ? write_csv : write_jsonl;
	sink->commit = commit_text;
	sink->close = close_text;
	code = cli_output_open(path, &sink->output);
	if (code == CLI_OK && format == FORMAT_CSV)
		code = write_csv_names(sink, table);
	if (code != CLI_OK) {
		close_text(sink);
		return code;
	}
	*out = sink;
	return CLI_OK;
}
