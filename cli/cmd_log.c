/*
 * scoreline log: read a capture log: cat, stats, export.
 *
 * Comes in: directories and segment files. Goes out: rows of a view, or a summary. A segment that ends in
 * the middle of a frame is a warning, since processes die; one with bytes that are no frame is a failure,
 * after everything readable was written.
 */
#include "log_table.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_FORMAT = 256, OPTION_VIEW, OPTION_SCORE_NAME, OPTION_SCORE_INDEX, OPTION_TABLE, OPTION_SHADOWS, OPTION_JSON };

typedef enum action { ACTION_CAT, ACTION_STATS, ACTION_EXPORT } action;

typedef struct log_job {
	action action;
	log_format format;
	log_view view;
	bool has_view;
	const char *out_path;
	const char *score_name;
	const char *table_name;
	uint32_t score_index;
	bool shadows, json, quiet;
} log_job;

static bool parse_format(const char *text, log_format *out)
{
	static const char *const names[] = { "jsonl", "csv", "sqlite" };
	size_t i;
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (log_format)i;
			return true;
		}
	return false;
}

/* A name that every database takes as it is. */
static bool is_identifier(const char *text)
{
	const char *p;
	for (p = text; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' || (p > text && *p >= '0' && *p <= '9')))
			return false;
	return p > text && p - text < 64;
}

static int take_option(int c, log_job *job, char **argv)
{
	const char *text = optarg == NULL ? "" : optarg; /* some options have none */
	cli_quoted value = cli_quote(text, strlen(text), 40);
	char *end;
	switch (c) {
	case 'o':
		job->out_path = text;
		return CLI_OK;
	case 'q':
		job->quiet = true;
		return CLI_OK;
	case OPTION_FORMAT:
		return parse_format(text, &job->format) ? CLI_OK :
			cli_usage("log", "--format %s: expected jsonl, csv or sqlite", value.text);
	case OPTION_VIEW:
		job->has_view = true;
		return cli_log_view(text, &job->view) ? CLI_OK :
			cli_usage("log", "--view %s: expected calls, payload, gateway or predictions", value.text);
	case OPTION_SCORE_NAME:
		job->score_name = text;
		return is_identifier(text) ? CLI_OK :
			cli_usage("log", "--score-name %s: expected up to 63 letters, digits and '_'", value.text);
	case OPTION_TABLE:
		job->table_name = text;
		return is_identifier(text) ? CLI_OK :
			cli_usage("log", "--table %s: expected up to 63 letters, digits and '_'", value.text);
	case OPTION_SCORE_INDEX:
		job->score_index = (uint32_t)strtoul(text, &end, 10);
		return *text >= '0' && *text <= '9' && *end == '\0' && strlen(text) < 9 ? CLI_OK :
			cli_usage("log", "--score-index %s: expected the number of an output, from 0", value.text);
	case OPTION_SHADOWS:
		job->shadows = true;
		return CLI_OK;
	case OPTION_JSON:
		job->json = true;
		return CLI_OK;
	default:
		return cli_bad_option("log", c, argv);
	}
}

/* Warnings about segments that are not whole; CLI_FAILED if one is corrupt. */
static int check_segments(const score_log *log, bool quiet)
{
	uint32_t i;
	int code = CLI_OK;
	for (i = 0; i < score_log_segment_count(log); i++) {
		score_log_segment s = { .struct_size = sizeof s };
		if (score_log_get_segment(log, i, &s) != SCORE_OK || s.end == SCORE_LOG_WHOLE)
			continue;
		if (s.end == SCORE_LOG_CORRUPT && code == CLI_OK)
			code = cli_fail_library(s.path, &s.damage, NULL);
		else if (!quiet)
			cli_warn(s.path, "%s (byte %lld)", s.damage.message, (long long)s.damage.offset);
	}
	return code;
}

/* Shadows were returned to nobody: they are no predictions that a platform would have logged. */
static bool is_wanted(const log_job *job, const score_log_call *call)
{
	return job->view == VIEW_CALLS || job->shadows || (call->flags & SCORE_CALL_SHADOW) == 0;
}

static int write_rows(score_log *log, const char *name, const log_job *job, log_table *table, log_sink *sink)
{
	const score_log_call *call;
	score_error error;
	uint32_t row, n;
	for (;;) {
		if (score_log_next(log, &call, &error) != SCORE_OK)
			return cli_fail_library(name, &error, NULL);
		if (call == NULL)
			return sink->commit(sink);
		n = is_wanted(job, call) ? cli_log_rows(table, call) : 0;
		for (row = 0; row < n; row++) {
			if (!cli_log_fill(table, call, row))
				return cli_fail_memory(name);
			if (sink->write(sink, table) != CLI_OK)
				return CLI_FAILED;
		}
	}
}

static int export_rows(score_log *log, const char *name, const log_job *job)
{
	static const char *const names[] = { "calls", "payload", "gateway", "predictions" };
	log_table table;
	log_sink *sink;
	int code;
	if (!cli_log_table_init(&table, job->view, job->score_name, job->score_index))
		return cli_usage("log", "--score-name %s: another column of the view has this name", job->score_name);
	code = cli_log_sink_open(job->format, job->out_path, job->table_name != NULL ? job->table_name : names[job->view],
		&table, &sink);
	if (code != CLI_OK)
		return code;
	code = write_rows(log, name, job, &table, sink);
	sink->close(sink);
	cli_log_clear(&table);
	return code;
}

static int run(const log_job *job, char **paths, int n)
{
	score_log *log;
	score_error error;
	int code, checked;
	if (score_log_open((const char *const *)paths, (size_t)n, NULL, &log, &error) != SCORE_OK)
		return cli_fail_library(paths[0], &error, NULL);
	code = cli_log_check_overwrite("log", job->out_path, log);
	if (code == CLI_OK)
		code = job->action == ACTION_STATS ? cli_log_stats(log, paths[0], job->json) : export_rows(log, paths[0], job);
	checked = code == CLI_OK ? check_segments(log, job->quiet) : CLI_OK;
	score_log_close(log);
	return code == CLI_OK ? checked : code;
}

static int check_job(log_job *job)
{
	const bool to_stdout = job->out_path == NULL || strcmp(job->out_path, "-") == 0;
	if (job->action == ACTION_EXPORT && job->format == FORMAT_SQLITE && to_stdout)
		return cli_usage("log", "--format sqlite needs -o FILE");
	if (job->action != ACTION_EXPORT && (job->out_path != NULL || job->format != FORMAT_JSONL))
		return cli_usage("log", "-o and --format belong to scoreline log export");
	if (job->table_name != NULL && job->format != FORMAT_SQLITE)
		return cli_usage("log", "--table belongs to --format sqlite");
	if (job->action == ACTION_STATS && (job->has_view || job->score_name != NULL || job->score_index != 0 || job->shadows))
		return cli_usage("log", "--view, --score-name, --score-index and --shadows are for cat and export: stats counts all");
	if (job->action != ACTION_STATS && job->json)
		return cli_usage("log", "--json belongs to scoreline log stats");
	if (job->score_name != NULL && !job->has_view)
		job->view = VIEW_PREDICTIONS;
	return CLI_OK;
}

static int take_action(const char *text, action *out)
{
	static const char *const names[] = { "cat", "stats", "export" };
	cli_quoted word;
	size_t i;
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (action)i;
			return CLI_OK;
		}
	word = cli_quote(text, strlen(text), 40);
	return cli_usage("log", "\"%s\" is not what to do: expected cat, stats or export", word.text);
}

int cli_log(int argc, char **argv)
{
	static const struct option options[] = {
		{ "out", required_argument, NULL, 'o' }, { "format", required_argument, NULL, OPTION_FORMAT },
		{ "view", required_argument, NULL, OPTION_VIEW }, { "score-name", required_argument, NULL, OPTION_SCORE_NAME },
		{ "score-index", required_argument, NULL, OPTION_SCORE_INDEX }, { "table", required_argument, NULL, OPTION_TABLE },
		{ "shadows", no_argument, NULL, OPTION_SHADOWS }, { "json", no_argument, NULL, OPTION_JSON },
		{ "quiet", no_argument, NULL, 'q' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }
	};
	log_job job;
	int c, code;
	memset(&job, 0, sizeof job);
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:qh", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(cli_help("log"), stdout);
			return cli_flush_stdout();
		}
		code = take_option(c, &job, argv);
		if (code != CLI_OK)
			return code;
	}
	if (argc - optind < 2)
		return cli_usage("log", "expected cat, stats or export, then directories or segment files");
	code = take_action(argv[optind], &job.action);
	if (code == CLI_OK)
		code = check_job(&job);
	return code == CLI_OK ? run(&job, argv + optind + 1, argc - optind - 1) : code;
}
