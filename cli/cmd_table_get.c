/*
 * scoreline table get: a key in, its features as one JSON object out.
 */
#include "table_columns.h"

#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PARTS 16

/* A query of one row and the memory that it points into. */
typedef struct question {
	score_table_query query;
	score_column keys[MAX_PARTS];
	int64_t integers[MAX_PARTS];
	int64_t offsets[MAX_PARTS][2];
	score_strings strings[MAX_PARTS];
	score_column time;
	int64_t now;
} question;

static int ask_key(const char *path, const score_table *t, uint32_t k, const char *text, question *q)
{
	const size_t length = strlen(text);
	if (score_table_key_type(t, k) == SCORE_STRING) {
		q->offsets[k][1] = (int64_t)length;
		q->strings[k] = (score_strings)SCORE_STRINGS_INIT;
		q->strings[k].offsets = q->offsets[k];
		q->strings[k].offset_type = SCORE_I64;
		q->strings[k].data = text;
		q->keys[k] = (score_column){ q->strings + k, NULL, 0, 0, SCORE_STRING, 0 };
		return CLI_OK;
	}
	if (!cli_parse_integer(text, length, q->integers + k))
		return cli_fail(path, "the key %s is a whole number; found \"%s\"", score_table_key_name(t, k), cli_quote(text, length, 60).text);
	q->keys[k] = (score_column){ q->integers + k, NULL, 0, 0, SCORE_I64, 0 };
	return CLI_OK;
}

static int64_t per_second(const char *unit)
{
	return strcmp(unit, "s") == 0 ? 1 : strcmp(unit, "ms") == 0 ? 1000 : strcmp(unit, "us") == 0 ? 1000000 :
		strcmp(unit, "ns") == 0 ? 1000000000 : 0;
}

/* Rounded down, so that no row that is later is found; what an int64 does not hold is its end. */
static int64_t in_units(int64_t microseconds, int64_t units)
{
	const int64_t more = units / 1000000, fewer = 1000000 / units;
	if (units <= 1000000)
		return microseconds / fewer - (microseconds % fewer < 0);
	if (microseconds > INT64_MAX / more)
		return INT64_MAX;
	return microseconds < INT64_MIN / more ? INT64_MIN : microseconds * more;
}

/* A number in the table's unit, or a date. */
static int ask_time(const char *path, const score_table_info *info, const char *text, question *q)
{
	const int64_t units = per_second(info->has_timestamp ? info->timestamp_unit : "");
	int64_t microseconds;
	if (!info->has_timestamp)
		return cli_fail(path, "has no timestamp, so there is nothing for --at to choose from");
	if (!cli_parse_integer(text, strlen(text), &q->now)) {
		if (units == 0 || !cli_parse_time(text, strlen(text), &microseconds))
			return cli_fail(path, "--at: expected a whole number%s, found \"%s\"", units != 0 ? " or a time as 2024-01-15T10:30:00Z" : "",
				cli_quote(text, strlen(text), 60).text);
		q->now = in_units(microseconds, units);
	}
	q->time = (score_column){ &q->now, NULL, 0, 0, SCORE_I64, 0 };
	q->query.timestamp = &q->time;
	return CLI_OK;
}

static json_t *value_of(const score_table *t, uint32_t i, const void *value)
{
	const score_dtype type = score_table_column_type(t, i);
	size_t length;
	if (type == SCORE_F64 || type == SCORE_F32) {
		const double x = type == SCORE_F64 ? *(const double *)value : (double)*(const float *)value;
		return isinf(x) ? json_string(x > 0 ? "Infinity" : "-Infinity") : json_real(x);
	}
	if (type == SCORE_I64)
		return json_integer((json_int_t)*(const int64_t *)value);
	if (type == SCORE_I32)
		return json_integer(*(const int32_t *)value);
	if (type == SCORE_BOOL)
		return json_boolean(*(const uint8_t *)value);
	const char *text = score_table_text(t, i, (uint32_t)*(const int32_t *)value, &length);
	return text != NULL ? json_stringn(text, length) : json_null();
}

static int print_row(const char *path, const score_table *t, uint32_t n, const uint64_t *values, const uint8_t *validity)
{
	json_t *row = json_object();
	uint32_t i;
	int code = CLI_OK;
	for (i = 0; i < n; i++) {
		json_t *value = validity[i] ? value_of(t, i, values + i) : json_null();
		if (json_object_set_new(row, score_table_column_name(t, i), value) != 0) {
			json_decref(row);
			return cli_fail_memory(path);
		}
	}
	if (row == NULL || json_dumpf(row, stdout, JSON_PRESERVE_ORDER) != 0)
		code = cli_fail_memory(path);
	putchar('\n');
	json_decref(row);
	return code == CLI_OK ? cli_flush_stdout() : code;
}

static int look_up(const char *path, const score_table *t, const score_table_info *info, const question *q)
{
	uint64_t *values = calloc(info->n_columns, sizeof *values);
	uint8_t *validity = calloc(info->n_columns, 1), found = 0;
	score_table_output *outputs = calloc(info->n_columns, sizeof *outputs);
	score_error error;
	uint32_t i;
	int code = CLI_OK;
	if (values == NULL || validity == NULL || outputs == NULL)
		code = cli_fail_memory(path);
	for (i = 0; code == CLI_OK && i < info->n_columns; i++)
		outputs[i] = (score_table_output){ i, 0, values + i, validity + i };
	if (code == CLI_OK && score_table_lookup(t, &q->query, 1, outputs, info->n_columns, &found, &error) != SCORE_OK)
		code = cli_fail_library(path, &error, NULL);
	else if (code == CLI_OK && !found)
		code = cli_fail(path, "has no row for this key%s", q->query.timestamp != NULL ? " at this time" : "");
	else if (code == CLI_OK)
		code = print_row(path, t, info->n_columns, values, validity);
	free(values);
	free(validity);
	free(outputs);
	return code;
}

static int get(const char *path, char **parts, int n_parts, const char *at)
{
	score_table_info info = { .struct_size = sizeof info };
	score_table *t;
	score_error error;
	question q;
	uint32_t k;
	int code = CLI_OK;
	memset(&q, 0, sizeof q);
	if (score_table_open(path, NULL, &t, &error) != SCORE_OK)
		return cli_fail_library(path, &error, NULL);
	if (score_table_get_info(t, &info) != SCORE_OK || info.n_key_columns != (uint32_t)n_parts)
		code = cli_fail(path, "its key has %u part%s, found %d", info.n_key_columns, info.n_key_columns == 1 ? "" : "s", n_parts);
	for (k = 0; code == CLI_OK && k < info.n_key_columns; k++)
		code = ask_key(path, t, k, parts[k], &q);
	q.query.struct_size = sizeof q.query;
	q.query.keys = q.keys;
	q.query.n_keys = info.n_key_columns;
	if (code == CLI_OK && at != NULL)
		code = ask_time(path, &info, at, &q);
	if (code == CLI_OK)
		code = look_up(path, t, &info, &q);
	score_table_close(t);
	return code;
}

int cli_table_get(int argc, char **argv)
{
	static const struct option options[] = { { "at", required_argument, NULL, 'a' }, { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 } };
	const char *at = NULL;
	int c;
	opterr = 0;
	/* A key may be a negative number: the options stand before the file. */
	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(cli_help("table"), stdout);
			return cli_flush_stdout();
		}
		if (c == '?' || c == ':')
			return cli_bad_option("table get", c, argv);
		at = optarg;
	}
	if (argc - optind < 2)
		return cli_usage("table get", "expected FILE.sft and a key");
	return get(argv[optind], argv + optind + 1, argc - optind - 1, at);
}
