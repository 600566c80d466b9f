/*
 * scoreline table build: a CSV file in, a feature table out.
 *
 * The file is read twice: once for the types of its columns, once for their values. Memory does not grow with it.
 */
#include "table_columns.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_KEY = 256, OPTION_TIMESTAMP, OPTION_UNIT, OPTION_TYPE, OPTION_MEMORY };

#define MAX_NAMES 256

typedef struct table_job {
	const char *in_path;
	const char *out_path;
	const char *keys[MAX_NAMES];
	size_t n_keys;
	const char *types[MAX_NAMES]; /* NAME=TYPE */
	size_t n_types;
	const char *timestamp;
	const char *unit;
	uint64_t memory_bytes;
	bool quiet;
	cli_csv_header header;
	table_column *columns; /* in the order of the file */
} table_job;

/* ---- arguments -------------------------------------------------------------------------------------- */

static int parse_megabytes(const char *text, uint64_t *bytes)
{
	int64_t n;
	if (!cli_parse_integer(text, strlen(text), &n) || n < 1 || n > 1 << 30)
		return cli_usage("table build", "--memory: expected a number of MiB, found \"%s\"", cli_quote(text, strlen(text), 40).text);
	*bytes = (uint64_t)n << 20;
	return CLI_OK;
}

static int take_option(table_job *job, int c, const char *value)
{
	if (c == 'o')
		job->out_path = value;
	else if (c == OPTION_TIMESTAMP)
		job->timestamp = value;
	else if (c == OPTION_UNIT)
		job->unit = value;
	else if (c == OPTION_MEMORY)
		return parse_megabytes(value, &job->memory_bytes);
	else if (c == OPTION_KEY && job->n_keys < MAX_NAMES)
		job->keys[job->n_keys++] = value;
	else if (c == OPTION_TYPE && job->n_types < MAX_NAMES)
		job->types[job->n_types++] = value;
	else
		return cli_usage("table build", "an option is given more than %d times", MAX_NAMES);
	return CLI_OK;
}

static int parse_arguments(int argc, char **argv, table_job *job, bool *help)
{
	static const struct option options[] = { { "out", required_argument, NULL, 'o' },
		{ "key", required_argument, NULL, OPTION_KEY }, { "timestamp", required_argument, NULL, OPTION_TIMESTAMP },
		{ "unit", required_argument, NULL, OPTION_UNIT }, { "type", required_argument, NULL, OPTION_TYPE },
		{ "memory", required_argument, NULL, OPTION_MEMORY }, { "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	int c, code = CLI_OK;
	opterr = 0;
	while (code == CLI_OK && (c = getopt_long(argc, argv, ":o:qh", options, NULL)) != -1) {
		if (c == 'h')
			*help = true;
		else if (c == 'q')
			job->quiet = true;
		else if (c == '?' || c == ':')
			code = cli_bad_option("table build", c, argv);
		else
			code = take_option(job, c, optarg);
	}
	if (code != CLI_OK || *help)
		return code;
	if (argc - optind != 1)
		return cli_usage("table build", "expected one FILE.csv, found %d names", argc - optind);
	job->in_path = argv[optind];
	if (strcmp(job->in_path, "-") == 0)
		return cli_usage("table build", "the file is read twice, so it cannot be standard input");
	if (job->out_path == NULL || job->n_keys == 0)
		return cli_usage("table build", "%s is needed", job->out_path == NULL ? "-o OUT.sft" : "--key NAME");
	if (strcmp(job->out_path, "-") == 0)
		return cli_usage("table build", "-o: a table is a file that is mapped, so it cannot be standard output");
	if (job->unit != NULL && job->timestamp == NULL)
		return cli_usage("table build", "--unit says what --timestamp counts, and there is none");
	return cli_check_overwrite("table build", job->out_path, job->in_path);
}

/* ---- columns ---------------------------------------------------------------------------------------- */

static table_column *find_column(const table_job *job, const char *name, size_t length)
{
	size_t i;
	for (i = 0; i < job->header.n; i++)
		if (strlen(job->header.names[i]) == length && memcmp(job->header.names[i], name, length) == 0)
			return job->columns + i;
	return NULL;
}

static int give_role(table_job *job, const char *name, table_role role)
{
	table_column *c = find_column(job, name, strlen(name));
	if (c == NULL)
		return cli_fail_at(job->in_path, 1, -1, "has no column \"%s\", which is to be %s", cli_quote(name, strlen(name), 60).text,
			role == ROLE_KEY ? "a key" : "the timestamp");
	if (c->role != ROLE_FEATURE)
		return cli_usage("table build", "the column \"%s\" is given twice", cli_quote(name, strlen(name), 60).text);
	c->role = role;
	return CLI_OK;
}

static int give_type(table_job *job, const char *argument)
{
	const char *equals = strrchr(argument, '=');
	table_column *c = equals != NULL ? find_column(job, argument, (size_t)(equals - argument)) : NULL;
	if (equals == NULL || cli_table_type(equals + 1) == 0)
		return cli_usage("table build", "--type: expected NAME=f64, f32, i64, i32, bool or string, found \"%s\"",
			cli_quote(argument, strlen(argument), 60).text);
	if (c == NULL)
		return cli_fail_at(job->in_path, 1, -1, "has no column \"%s\", which --type names",
			cli_quote(argument, (size_t)(equals - argument), 60).text);
	if (c->role == ROLE_TIMESTAMP && cli_table_type(equals + 1) != SCORE_I64)
		return cli_usage("table build", "--type: the timestamp is whole numbers (i64), or times, which need no type; found \"%s\"",
			cli_quote(argument, strlen(argument), 60).text);
	c->type = cli_table_type(equals + 1);
	return CLI_OK;
}

static int open_columns(table_job *job)
{
	size_t i;
	int code = CLI_OK;
	job->columns = calloc(job->header.n + 1, sizeof *job->columns);
	if (job->columns == NULL)
		return cli_fail_memory(job->in_path);
	for (i = 0; i < job->header.n; i++)
		job->columns[i].name = job->header.names[i];
	for (i = 0; code == CLI_OK && i < job->n_keys; i++)
		code = give_role(job, job->keys[i], ROLE_KEY);
	if (code == CLI_OK && job->timestamp != NULL)
		code = give_role(job, job->timestamp, ROLE_TIMESTAMP);
	for (i = 0; code == CLI_OK && i < job->n_types; i++)
		code = give_type(job, job->types[i]);
	return code;
}

static int settle_columns(table_job *job)
{
	size_t i;
	for (i = 0; i < job->header.n; i++) {
		table_column *c = job->columns + i;
		if (!cli_table_settle(c))
			return cli_fail(job->in_path, c->role == ROLE_KEY ? "the key \"%s\" is %s; keys are i64 or string" :
				"the timestamp \"%s\" mixes or has neither whole numbers nor times as 2024-01-15T10:30:00Z",
				cli_quote(c->name, strlen(c->name), 60).text, cli_table_type_name(c->type));
		if (!cli_table_alloc(c))
			return cli_fail_memory(job->in_path);
		if (c->is_time && job->unit != NULL)
			return cli_usage("table build", "--unit is for timestamps that are numbers; these are dates, kept in us");
	}
	return CLI_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------- */

/* Calls `row` for every record behind the header; blank lines are no records. */
static int read_rows(table_job *job, int (*row)(table_job *, const cli_csv_record *, void *), void *context)
{
	cli_csv_record record = { NULL, 0, 0, 0 };
	cli_progress progress;
	cli_bytes bytes;
	cli_csv_header header;
	int64_t line = 1;
	uint64_t n = 0;
	int code = cli_bytes_open(job->in_path, &bytes);
	if (code != CLI_OK)
		return code;
	cli_progress_start(&progress, job->quiet);
	code = cli_csv_read_header(&bytes, &line, job->columns == NULL ? &job->header : &header);
	if (code == CLI_OK && job->columns == NULL)
		code = job->header.n == 0 ? cli_fail(job->in_path, "is empty; expected a line with the column names") : open_columns(job);
	else if (code == CLI_OK)
		cli_csv_free_header(&header);
	while (code == CLI_OK && (code = cli_csv_read_record(&bytes, &line, &record)) == CLI_OK && record.n > 0) {
		if (record.n == 1 && record.fields[0].length == 0 && !record.fields[0].quoted)
			continue;
		if (record.n != job->header.n)
			code = cli_fail_at(job->in_path, record.line, -1, "%zu fields, but the header has %zu columns", record.n, job->header.n);
		else
			code = row(job, &record, context);
		if (++n % 4096 == 0)
			cli_progress_update(&progress, n, bytes.total);
	}
	cli_progress_hide();
	cli_csv_free_record(&record);
	cli_bytes_close(&bytes);
	return code;
}

static int guess_row(table_job *job, const cli_csv_record *record, void *context)
{
	size_t i;
	(void)context;
	for (i = 0; i < record->n; i++)
		cli_table_guess(job->columns + i, record->fields + i);
	return CLI_OK;
}

typedef struct block {
	score_table_builder *builder;
	score_column *columns; /* in the table's order */
	size_t n_columns;
	uint64_t lines[TABLE_BLOCK_ROWS];
	size_t n_rows;
} block;

/* Keys as the options order them, the timestamp, features as the file orders them. */
static size_t order_columns(const table_job *job, table_column **out)
{
	size_t i, n = 0;
	for (i = 0; i < job->n_keys; i++)
		out[n++] = find_column(job, job->keys[i], strlen(job->keys[i]));
	if (job->timestamp != NULL)
		out[n++] = find_column(job, job->timestamp, strlen(job->timestamp));
	for (i = 0; i < job->header.n; i++)
		if (job->columns[i].role == ROLE_FEATURE)
			out[n++] = job->columns + i;
	return n;
}

static int add_block(table_job *job, block *b)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): the elements are pointers */
	table_column **ordered = malloc(b->n_columns * sizeof *ordered);
	score_error error;
	size_t i;
	int code = CLI_OK;
	if (ordered == NULL)
		return cli_fail_memory(job->in_path);
	order_columns(job, ordered);
	for (i = 0; i < b->n_columns; i++)
		b->columns[i] = cli_table_block(ordered[i]);
	free(ordered);
	if (b->n_rows > 0 && score_table_builder_add(b->builder, b->columns, b->n_columns, b->n_rows, b->lines, &error) != SCORE_OK)
		code = cli_fail_library(job->in_path, &error, NULL);
	b->n_rows = 0;
	return code;
}

static int put_row(table_job *job, const cli_csv_record *record, void *context)
{
	block *b = context;
	size_t i;
	for (i = 0; i < record->n; i++) {
		const char *wrong = cli_table_put(job->columns + i, b->n_rows, record->fields + i);
		if (wrong != NULL)
			return cli_fail_at(job->in_path, record->line, -1, "column %zu (%s): \"%s\" %s", i + 1,
				cli_quote(job->columns[i].name, strlen(job->columns[i].name), 60).text,
				cli_quote(record->fields[i].text, record->fields[i].length, 40).text, wrong);
	}
	b->lines[b->n_rows++] = (uint64_t)record->line;
	return b->n_rows == TABLE_BLOCK_ROWS ? add_block(job, b) : CLI_OK;
}

/* ---- the table --------------------------------------------------------------------------------------- */

static int open_builder(table_job *job, block *b)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): the elements are pointers */
	table_column **ordered = malloc((job->header.n + 1) * sizeof *ordered);
	score_table_field *fields = malloc((job->header.n + 1) * sizeof *fields);
	score_table_schema schema = SCORE_TABLE_SCHEMA_INIT;
	score_error error;
	size_t i, n_before = job->n_keys + (job->timestamp != NULL ? 1 : 0);
	int code = CLI_OK;
	b->columns = malloc((job->header.n + 1) * sizeof *b->columns);
	if (ordered == NULL || fields == NULL || b->columns == NULL) {
		code = cli_fail_memory(job->in_path);
	} else {
		b->n_columns = order_columns(job, ordered);
		for (i = 0; i < b->n_columns; i++)
			fields[i] = (score_table_field){ ordered[i]->name, ordered[i]->type, 0 };
		schema.keys = fields;
		schema.n_keys = job->n_keys;
		schema.columns = fields + n_before;
		schema.n_columns = b->n_columns - n_before;
		schema.timestamp = job->timestamp;
		schema.timestamp_unit = job->timestamp != NULL && ordered[job->n_keys]->is_time ? "us" : job->unit;
		schema.memory_bytes = job->memory_bytes;
		if (score_table_builder_new(job->out_path, &schema, &b->builder, &error) != SCORE_OK)
			code = cli_fail_library(job->in_path, &error, NULL);
	}
	free(ordered);
	free(fields);
	return code;
}

static int report(const table_job *job)
{
	score_table_info info = { .struct_size = sizeof info };
	score_table *table;
	score_error error;
	if (score_table_open(job->out_path, NULL, &table, &error) != SCORE_OK)
		return cli_fail_library(job->out_path, &error, NULL);
	if (score_table_get_info(table, &info) == SCORE_OK && !job->quiet)
		printf("%llu rows of %llu keys, %u features, %s\n", (unsigned long long)info.n_rows, (unsigned long long)info.n_keys,
			info.n_columns, cli_format_size(info.file_bytes).text);
	score_table_close(table);
	return cli_flush_stdout();
}

static int build(table_job *job, block *b)
{
	score_error error;
	int code = read_rows(job, guess_row, NULL);
	if (code == CLI_OK)
		code = settle_columns(job);
	if (code == CLI_OK)
		code = open_builder(job, b);
	if (code == CLI_OK)
		code = read_rows(job, put_row, b);
	if (code == CLI_OK)
		code = add_block(job, b);
	if (code == CLI_OK && score_table_builder_finish(b->builder, &error) != SCORE_OK)
		code = cli_fail_library(error.line >= 0 ? job->in_path : job->out_path, &error, NULL);
	return code == CLI_OK ? report(job) : code;
}

int cli_table_build(int argc, char **argv)
{
	table_job *job = calloc(1, sizeof *job);
	block *b = calloc(1, sizeof *b);
	bool help = false;
	size_t i;
	int code = job != NULL && b != NULL ? parse_arguments(argc, argv, job, &help) : cli_fail_memory("table build");
	if (code == CLI_OK && help) {
		fputs(cli_help("table"), stdout);
		code = cli_flush_stdout();
	} else if (code == CLI_OK) {
		code = build(job, b);
	}
	if (job != NULL) {
		for (i = 0; job->columns != NULL && i < job->header.n; i++)
			cli_table_free(job->columns + i);
		free(job->columns);
		cli_csv_free_header(&job->header);
	}
	if (b != NULL) {
		score_table_builder_free(b->builder);
		free(b->columns);
	}
	free(job);
	free(b);
	return code;
}
