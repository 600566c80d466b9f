/*
 * cli: a capture log as a table: log_views.c turns records into rows, log_sinks.c writes rows, cmd_log.c
 * drives both.
 */
#ifndef SCORELINE_CLI_LOG_TABLE_H
#define SCORELINE_CLI_LOG_TABLE_H

#include "cli.h"

#include <scoreline/log.h>

#include <jansson.h>

#define LOG_MAX_COLUMNS 24

typedef enum log_type { LOG_NULL, LOG_INTEGER, LOG_REAL, LOG_TEXT, LOG_JSON } log_type;

typedef struct log_cell {
	log_type type; /* LOG_NULL: there is no value */
	int64_t integer;
	double real;
	char *text;    /* owned by the row */
	json_t *json;  /* owned by the row */
} log_cell;

/* The columns of a view: what a table that is made for it gets. */
typedef struct log_column {
	const char *name;
	log_type type;
} log_column;

typedef enum log_view { VIEW_CALLS, VIEW_PAYLOAD, VIEW_GATEWAY, VIEW_PREDICTIONS } log_view;

typedef struct log_table {
	log_view view;
	uint32_t score_index; /* which output is the score of a prediction */
	size_t n_columns;
	log_column columns[LOG_MAX_COLUMNS];
	log_cell cells[LOG_MAX_COLUMNS]; /* of the current row */
} log_table;

/* False if there is no such view. */
bool cli_log_view(const char *text, log_view *out);
/* `score_name` names the score's column; false if another column of the view has that name. */
bool cli_log_table_init(log_table *table, log_view view, const char *score_name, uint32_t score_index);
/* Rows of the view that a record gives, and one of them into `cells`; false: out of memory. */
uint32_t cli_log_rows(const log_table *table, const score_log_call *call);
bool cli_log_fill(log_table *table, const score_log_call *call, uint32_t row);
void cli_log_clear(log_table *table);

typedef enum log_format { FORMAT_JSONL, FORMAT_CSV, FORMAT_SQLITE } log_format;

typedef struct log_sink {
	int (*write)(struct log_sink *sink, const log_table *table);
	int (*commit)(struct log_sink *sink);
	void (*close)(struct log_sink *sink); /* without a commit, nothing is left behind */
	cli_output output;
} log_sink;

/* `path` NULL is stdout; `name` is the table's in a database. */
int cli_log_sink_open(log_format format, const char *path, const char *name, const log_table *table, log_sink **out);
int cli_log_sqlite_open(const char *path, const char *name, const log_table *table, log_sink **out);
/* CLI_USAGE after a message if `path` is one of the log's segments. */
int cli_log_check_overwrite(const char *command, const char *path, const score_log *log);
int cli_log_stats(score_log *log, const char *name, bool json);

/* JSON of text that need not be UTF-8: what JSON cannot hold becomes '?'. NULL gives null. */
json_t *cli_log_text(const char *text, size_t length);
/* Whole numbers without a point; what JSON cannot hold as "NaN", "Infinity" or "-Infinity". */
json_t *cli_log_number(double x);
/* A line of JSON that has all digits of integers; free() it. NULL: memory ran out. */
char *cli_log_dump(const json_t *value);
/* "2026-11-27 11:33:01.000042", UTC: what DuckDB, PostgreSQL and SQLite take for a timestamp. */
#define LOG_TIME_TEXT 40
void cli_log_time(int64_t unix_ns, char text[LOG_TIME_TEXT]);

#endif
