/*
 * scoreline table: picks build, inspect or get; and says what a feature table is.
 */
#include "table_columns.h"

#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int cli_table_command(int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(cli_help("table"), stdout);
		return cli_flush_stdout();
	}
	if (argc > 1 && strcmp(argv[1], "build") == 0)
		return cli_table_build(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "inspect") == 0)
		return cli_table_inspect(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "get") == 0)
		return cli_table_get(argc - 1, argv + 1);
	return cli_usage("table", "expected build, inspect or get%s%s%s", argc > 1 ? ", found \"" : "",
		argc > 1 ? cli_quote(argv[1], strlen(argv[1]), 40).text : "", argc > 1 ? "\"" : "");
}

/* ---- inspect ----------------------------------------------------------------------------------------- */

static void format_hash(const score_table_info *info, char text[33])
{
	size_t i;
	for (i = 0; i < sizeof info->hash; i++)
		snprintf(text + 2 * i, 3, "%02x", info->hash[i]);
}

static json_t *describe_columns(const score_table *t, const score_table_info *info)
{
	json_t *list = json_array();
	uint32_t i;
	for (i = 0; i < info->n_columns; i++) {
		json_t *column = json_pack("{s:s, s:s, s:I}", "name", score_table_column_name(t, i), "type",
			cli_table_type_name(score_table_column_type(t, i)), "nulls", (json_int_t)score_table_column_nulls(t, i));
		if (score_table_column_type(t, i) == SCORE_STRING)
			json_object_set_new(column, "texts", json_integer(score_table_text_count(t, i)));
		json_array_append_new(list, column);
	}
	return list;
}

static int print_json(const char *path, const score_table *t, const score_table_info *info)
{
	json_t *keys = json_array(), *root;
	char hash[33];
	uint32_t i;
	int code = CLI_OK;
	format_hash(info, hash);
	for (i = 0; i < info->n_key_columns; i++)
		json_array_append_new(keys, json_pack("{s:s, s:s}", "name", score_table_key_name(t, i), "type",
			cli_table_type_name(score_table_key_type(t, i))));
	root = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:s}", "format", "Scoreline feature table", "rows", (json_int_t)info->n_rows,
		"keys", (json_int_t)info->n_keys, "file_bytes", (json_int_t)info->file_bytes, "index_bytes", (json_int_t)info->index_bytes,
		"row_bytes", (json_int_t)info->row_bytes, "key_columns", keys, "columns", describe_columns(t, info), "hash", hash);
	if (root != NULL && info->has_timestamp)
		json_object_set_new(root, "timestamp", json_pack("{s:s, s:s}", "name", info->timestamp_name, "unit", info->timestamp_unit));
	if (root == NULL || json_dumpf(root, stdout, JSON_INDENT(2)) != 0)
		code = cli_fail_memory(path);
	else
		putchar('\n');
	json_decref(root);
	return code;
}

static void print_lines(const score_table *t, const score_table_info *info)
{
	char hash[33];
	uint32_t i;
	format_hash(info, hash);
	printf("feature table, %s (index %s)\n", cli_format_size(info->file_bytes).text, cli_format_size(info->index_bytes).text);
	printf("%llu rows of %llu keys, %u bytes per row, hash %s\n", (unsigned long long)info->n_rows, (unsigned long long)info->n_keys,
		info->row_bytes, hash);
	for (i = 0; i < info->n_key_columns; i++) {
		printf("key        %-7s ", cli_table_type_name(score_table_key_type(t, i)));
		cli_print_text(stdout, score_table_key_name(t, i));
		putchar('\n');
	}
	if (info->has_timestamp) {
		printf("timestamp  %-7s ", *info->timestamp_unit ? info->timestamp_unit : "number");
		cli_print_text(stdout, info->timestamp_name);
		putchar('\n');
	}
	for (i = 0; i < info->n_columns; i++) {
		printf("feature    %-7s ", cli_table_type_name(score_table_column_type(t, i)));
		cli_print_text(stdout, score_table_column_name(t, i));
		if (score_table_column_nulls(t, i) > 0)
			printf(", %llu nulls", (unsigned long long)score_table_column_nulls(t, i));
		if (score_table_column_type(t, i) == SCORE_STRING)
			printf(", %u texts", score_table_text_count(t, i));
		putchar('\n');
	}
}

int cli_table_inspect(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { "verify", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	score_table_options open_options = SCORE_TABLE_OPTIONS_INIT;
	score_table_info info = { .struct_size = sizeof info };
	score_table *t;
	score_error error;
	bool json = false;
	int c, flushed, code = CLI_OK;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(cli_help("table"), stdout);
			return cli_flush_stdout();
		}
		if (c == '?' || c == ':')
			return cli_bad_option("table inspect", c, argv);
		json = json || c == 'j';
		open_options.flags |= c == 'v' ? SCORE_TABLE_VERIFY : 0;
	}
	if (argc - optind != 1)
		return cli_usage("table inspect", "expected one FILE.sft, found %d names", argc - optind);
	if (score_table_open(argv[optind], &open_options, &t, &error) != SCORE_OK)
		return cli_fail_library(argv[optind], &error, NULL);
	if (score_table_get_info(t, &info) != SCORE_OK)
		code = cli_fail(argv[optind], "has no information");
	else if (json)
		code = print_json(argv[optind], t, &info);
	else
		print_lines(t, &info);
	if (code == CLI_OK && !json && open_options.flags)
		puts("verified: every byte has the hash, every index is in its bounds");
	score_table_close(t);
	flushed = cli_flush_stdout();
	return code != CLI_OK ? code : flushed;
}
