/*
 * Scores as CSV (header, then one line per row) or .npy.
 *
 * Comes in: blocks of doubles from score_batch(). Goes out: text that reads back to the same bits, or float64 (leaf and
 * class numbers: int64) in C order. In CSV a class is its label.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* Version 1.0: magic, version, length, text; 128 bytes leave room for any number of rows. */
#define NPY_HEADER_BYTES 128

static const char *column_name(score_output output)
{
	if (output == SCORE_OUTPUT_LEAF)
		return "leaf";
	if (output == SCORE_OUTPUT_CLASS)
		return "class";
	return output == SCORE_OUTPUT_MARGIN ? "margin" : "prediction";
}

/* The features' names, then "bias"; of several outputs one after the other, with their numbers behind. */
static int write_contributions_header(cli_writer *w, const score_model *model, size_t n_features)
{
	size_t i, n_outputs = w->width / (n_features + 1);
	for (i = 0; i < w->width; i++) {
		const char *feature = score_model_feature_name(model, (uint32_t)(i % (n_features + 1)));
		const char *name = feature != NULL ? feature : "bias";
		size_t room = strlen(name) + 24;
		char *text = malloc(room);
		int code;
		if (text == NULL)
			return cli_fail_memory(w->output.name);
		if (n_outputs == 1)
			snprintf(text, room, "%s", name);
		else
			snprintf(text, room, "%s_%zu", name, i / (n_features + 1));
		code = cli_output_write_field(&w->output, text);
		free(text);
		if (code != CLI_OK || cli_output_write(&w->output, i + 1 == w->width ? "\n" : ",", 1) != CLI_OK)
			return CLI_FAILED;
	}
	return CLI_OK;
}

static int write_csv_header(cli_writer *w, score_output output)
{
	size_t i;
	char text[48];
	for (i = 0; i < w->width; i++) {
		const char *end = i + 1 == w->width ? "\n" : ",";
		int length;
		if (w->width == 1)
			length = snprintf(text, sizeof text, "%s%s", column_name(output), end);
		else
			length = snprintf(text, sizeof text, "%s_%zu%s", column_name(output), i, end);
		if (cli_output_write(&w->output, text, (size_t)length) != CLI_OK)
			return CLI_FAILED;
	}
	return CLI_OK;
}

static void fill_npy_header(const cli_writer *w, char header[NPY_HEADER_BYTES])
{
	char shape[64];
	int length;
	if (w->width == 1 && !w->leaf)
		snprintf(shape, sizeof shape, "(%llu,)", (unsigned long long)w->n_rows);
	else
		snprintf(shape, sizeof shape, "(%llu, %zu)", (unsigned long long)w->n_rows, w->width);
	memset(header, ' ', NPY_HEADER_BYTES);
	memcpy(header, "\x93NUMPY\x01\x00", 8);
	header[8] = (char)(NPY_HEADER_BYTES - 10);
	header[9] = 0;
	length = snprintf(header + 10, NPY_HEADER_BYTES - 10, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
		w->integer ? "<i8" : "<f8", shape);
	header[10 + length] = ' ';
	header[NPY_HEADER_BYTES - 1] = '\n';
}

int cli_writer_open(const char *path, score_output output, size_t width, const score_model_info *info,
	const score_model *model, cli_writer *out)
{
	char header[NPY_HEADER_BYTES];
	size_t length = path != NULL ? strlen(path) : 0;
	int code;
	memset(out, 0, sizeof *out);
	out->width = width;
	out->single = info->margin_is_f32 != 0 && output != SCORE_OUTPUT_CONTRIBUTION;
	out->leaf = output == SCORE_OUTPUT_LEAF;
	out->integer = out->leaf || output == SCORE_OUTPUT_CLASS;
	if (output == SCORE_OUTPUT_CLASS && score_model_class_count(model) > 0)
		out->labels = model;
	out->npy = length > 4 && strcmp(path + length - 4, ".npy") == 0;
	code = cli_output_open(path, &out->output);
	if (code != CLI_OK)
		return code;
	if (out->npy && out->output.temporary == NULL) {
		code = cli_fail(path, "is not a regular file, and .npy needs one");
	} else if (out->npy) {
		fill_npy_header(out, header);
		code = cli_output_write(&out->output, header, sizeof header);
	} else if (output == SCORE_OUTPUT_CONTRIBUTION) {
		code = write_contributions_header(out, model, info->n_features);
	} else {
		code = write_csv_header(out, output);
	}
	if (code != CLI_OK)
		cli_writer_close(out);
	return code;
}

static int write_npy_value(cli_writer *w, double value)
{
	unsigned char bytes[8];
	uint64_t bits;
	int i;
	if (w->integer)
		bits = (uint64_t)(int64_t)value;
	else
		memcpy(&bits, &value, sizeof bits);
	for (i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(bits >> 8 * i);
	return cli_output_write(&w->output, bytes, sizeof bytes);
}

static int write_csv_value(cli_writer *w, double value, char end)
{
	char text[CLI_NUMBER_TEXT + 1];
	const char *label = w->labels != NULL ? score_model_class_label(w->labels, (uint32_t)value) : NULL;
	if (label != NULL) {
		int code = cli_output_write_field(&w->output, label);
		return code == CLI_OK ? cli_output_write(&w->output, &end, 1) : code;
	}
	size_t length = cli_format_number(value, w->single, text);
	text[length] = end;
	return cli_output_write(&w->output, text, length + 1);
}

int cli_writer_write(cli_writer *w, const double *values, size_t n_rows)
{
	size_t i, j;
	w->n_rows += n_rows;
	for (i = 0; i < n_rows; i++)
		for (j = 0; j < w->width; j++, values++) {
			int code = w->npy ? write_npy_value(w, *values) : write_csv_value(w, *values, j + 1 == w->width ? '\n' : ',');
			if (code != CLI_OK)
				return code;
		}
	return cli_output_flush(&w->output);
}

int cli_writer_commit(cli_writer *w)
{
	char header[NPY_HEADER_BYTES];
	if (w->npy) {
		fill_npy_header(w, header);
		if (cli_output_patch(&w->output, header, sizeof header) != CLI_OK)
			return CLI_FAILED;
	}
	return cli_output_commit(&w->output);
}

void cli_writer_close(cli_writer *w)
{
	cli_output_close(&w->output);
}
