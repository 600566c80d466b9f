/*
 * What kind of table is this?
 *
 * Comes in: the start of the input. Goes out: a reader for CSV, JSON lines or .npy, told apart by content, or a
 * message that names the format when it is one that the command does not read.
 */
#include "cli.h"

#include <string.h>

/* The longest of the magics below. A pipe may hold hardly more, and wait for an answer. */
#define MAGIC_BYTES 7

typedef struct known_magic {
	const char *bytes;
	size_t length;
	const char *advice;
} known_magic;

/* With the byte behind the letters: a column may be called PAR1. */
static const known_magic refused[] = {
	{ "PAR1\x15", 5, "is a Parquet file; write it as CSV, JSON lines or .npy" },
	{ "ARROW1\0", 7, "is an Arrow file; write it as CSV, JSON lines or .npy" },
	{ "\x1f\x8b", 2, "is gzip-compressed; pipe it: zcat FILE | scoreline score MODEL -" },
	{ "\x28\xb5\x2f\xfd", 4, "is zstd-compressed; pipe it: zstdcat FILE | scoreline score MODEL -" },
	{ "PK\x03\x04", 4, "is a zip archive (.npz, .xlsx); expected CSV, JSON lines or .npy" },
	{ "\xff\xfe", 2, "is UTF-16 text; save it as UTF-8" },
	{ "\xfe\xff", 2, "is UTF-16 text; save it as UTF-8" },
};

static bool starts_with(const cli_bytes *b, const char *magic, size_t length)
{
	return b->end - b->begin >= length && memcmp(b->data + b->begin, magic, length) == 0;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);
	return n >= k && strcmp(name + n - k, suffix) == 0;
}

static cli_table sniff(const cli_bytes *b)
{
	size_t i = b->begin;
	if (starts_with(b, "\x93NUMPY", 6))
		return CLI_TABLE_NPY;
	while (i < b->end && strchr(" \t\r\n", b->data[i]) != NULL && b->data[i] != '\0')
		i++;
	if (i == b->end)
		return has_suffix(b->name, ".jsonl") || has_suffix(b->name, ".ndjson") ? CLI_TABLE_JSONL : CLI_TABLE_CSV;
	return b->data[i] == '{' || b->data[i] == '[' ? CLI_TABLE_JSONL : CLI_TABLE_CSV;
}

int cli_rows_open(cli_bytes *bytes, const score_model *model, uint32_t n_features, const cli_rows_options *options,
	cli_rows **out)
{
	cli_table table = options->table;
	size_t i;
	while (bytes->end - bytes->begin < MAGIC_BYTES && !bytes->eof)
		if (cli_bytes_more(bytes, -1) != CLI_OK)
			return CLI_FAILED;
	for (i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (starts_with(bytes, refused[i].bytes, refused[i].length))
			return cli_fail(bytes->name, "%s", refused[i].advice);
	if (starts_with(bytes, "\xef\xbb\xbf", 3))
		bytes->begin += 3;
	if (table == CLI_TABLE_AUTO && (options->no_header || options->by_position) && sniff(bytes) == CLI_TABLE_NPY)
		return cli_fail(bytes->name, "is an .npy file, which has no names: leave out %s, which is for CSV",
			options->no_header ? "--no-header" : "--by-position");
	if (table == CLI_TABLE_AUTO)
		table = options->no_header || options->by_position ? CLI_TABLE_CSV : sniff(bytes);
	if (table == CLI_TABLE_NPY)
		return cli_npy_open(bytes, n_features, out);
	if (table == CLI_TABLE_JSONL)
		return cli_jsonl_open(bytes, model, n_features, options, out);
	return cli_csv_open(bytes, model, n_features, options, out);
}
