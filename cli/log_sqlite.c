/*
 * Rows of a capture log as a table of an SQLite database, which appears under its name only when it is
 * complete.
 *
 * Relies on libsqlite3, which a build may lack.
 */
#include "log_table.h"

#ifndef CLI_HAVE_SQLITE

int cli_log_sqlite_open(const char *path, const char *name, const log_table *table, log_sink **out)
{
	(void)name;
	(void)table;
	*out = NULL;
	return cli_fail(path, "this build of scoreline has no SQLite: build it with libsqlite3 (Debian: libsqlite3-dev), or "
		"export --format csv");
}

#else

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct sqlite_sink {
	log_sink sink;
	const char *name;
	char *target, *temporary; /* NULL once the file has its name */
	int fd;
	sqlite3 *database;
	sqlite3_stmt *insert;
} sqlite_sink;

static int fail_sqlite(const sqlite_sink *s)
{
	return cli_fail(s->name, "SQLite: %s", s->database == NULL ? "out of memory" : sqlite3_errmsg(s->database));
}

static int bind(sqlite3_stmt *insert, int i, const log_cell *c)
{
	char *text;
	switch (c->type) {
	case LOG_INTEGER:
		return sqlite3_bind_int64(insert, i, c->integer);
	case LOG_REAL:
		return sqlite3_bind_double(insert, i, c->real); /* NaN becomes NULL */
	case LOG_TEXT:
		return sqlite3_bind_text(insert, i, c->text, -1, SQLITE_TRANSIENT);
	case LOG_JSON:
		text = cli_log_dump(c->json);
		return text == NULL ? SQLITE_NOMEM : sqlite3_bind_text(insert, i, text, -1, free);
	default:
		return sqlite3_bind_null(insert, i);
	}
}

static int write_row(log_sink *sink, const log_table *table)
{
	sqlite_sink *s = (sqlite_sink *)sink;
	size_t i;
	for (i = 0; i < table->n_columns; i++)
		if (bind(s->insert, (int)i + 1, table->cells + i) != SQLITE_OK)
			return fail_sqlite(s);
	if (sqlite3_step(s->insert) != SQLITE_DONE || sqlite3_reset(s->insert) != SQLITE_OK)
		return fail_sqlite(s);
	return CLI_OK;
}

static int commit(log_sink *sink)
{
	sqlite_sink *s = (sqlite_sink *)sink;
	if (sqlite3_exec(s->database, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		return fail_sqlite(s);
	sqlite3_finalize(s->insert);
	s->insert = NULL;
	if (sqlite3_close(s->database) != SQLITE_OK)
		return fail_sqlite(s);
	s->database = NULL;
	const int code = cli_output_place(s->name, s->temporary, s->target, s->fd);
	s->fd = -1;
	if (code != CLI_OK)
		return code;
	free(s->temporary);
	s->temporary = NULL;
	return CLI_OK;
}

static void close_sqlite(log_sink *sink)
{
	sqlite_sink *s = (sqlite_sink *)sink;
	sqlite3_finalize(s->insert);
	sqlite3_close(s->database);
	if (s->fd >= 0)
		close(s->fd);
	if (s->temporary != NULL)
		cli_output_remove(s->temporary);
	free(s->target);
	free(s);
}

/* CREATE TABLE, or INSERT with a parameter for each column. */
static char *statement(const char *name, const log_table *table, bool create)
{
	static const char *const types[] = { "", "INTEGER", "REAL", "TEXT", "TEXT" };
	sqlite3_str *sql = sqlite3_str_new(NULL);
	size_t i;
	sqlite3_str_appendf(sql, create ? "CREATE TABLE \"%w\" (" : "INSERT INTO \"%w\" VALUES (", name);
	for (i = 0; i < table->n_columns; i++) {
		sqlite3_str_appendall(sql, i > 0 ? ", " : "");
		if (create)
			sqlite3_str_appendf(sql, "\"%w\" %s", table->columns[i].name, types[table->columns[i].type]);
		else
			sqlite3_str_appendall(sql, "?");
	}
	sqlite3_str_appendall(sql, ")");
	return sqlite3_str_finish(sql);
}

static int prepare(sqlite_sink *s, const char *name, const log_table *table)
{
	char *create = statement(name, table, true), *insert = statement(name, table, false);
	int code = CLI_OK;
	if (create == NULL || insert == NULL)
		code = cli_fail_memory(s->name);
	else if (sqlite3_exec(s->database, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL) !=
			SQLITE_OK || sqlite3_exec(s->database, create, NULL, NULL, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(s->database, insert, -1, &s->insert, NULL) != SQLITE_OK)
		code = fail_sqlite(s);
	sqlite3_free(create);
	sqlite3_free(insert);
	return code;
}

/* Of a name that begins with "file:" SQLite would make a URI, and write into another file. */
static int open_database(sqlite_sink *s)
{
	char *path = sqlite3_mprintf("%s%s", s->temporary[0] == '/' ? "" : "./", s->temporary);
	const int code = path == NULL ? SQLITE_NOMEM : sqlite3_open(path, &s->database);
	sqlite3_free(path);
	return code == SQLITE_OK ? CLI_OK : fail_sqlite(s);
}

static int open_beside(sqlite_sink *s)
{
	s->target = cli_output_resolve(s->name);
	if (s->target == NULL)
		return CLI_FAILED;
	s->temporary = cli_output_create(s->name, s->target, &s->fd);
	if (s->temporary == NULL)
		return CLI_FAILED;
	return open_database(s);
}

int cli_log_sqlite_open(const char *path, const char *name, const log_table *table, log_sink **out)
{
	sqlite_sink *s = calloc(1, sizeof *s);
	int code;
	*out = NULL;
	if (s == NULL)
		return cli_fail_memory(path);
	s->sink.write = write_row;
	s->sink.commit = commit;
	s->sink.close = close_sqlite;
	s->name = path;
	s->fd = -1;
	code = open_beside(s);
	if (code == CLI_OK)
		code = prepare(s, name, table);
	if (code != CLI_OK) {
		close_sqlite(&s->sink);
		return code;
	}
	*out = &s->sink;
	return CLI_OK;
}

#endif
