/*
 * SQLite: models as SQL functions.
 *
 *     .load ./scoreline
 *     SELECT scoreline_load('udf_AnomalyScore', 'iot.slm');
 *     SELECT udf_AnomalyScore(temperature, humidity, pressure) FROM readings;
 *
 * A model is loaded by its connection and shared by all connections of the process. NULL is a missing value, a text is a
 * category. A function takes the model's features one by one, or all in one argument where SQLite's limit of arguments is
 * in the way: a BLOB of doubles, or a JSON array. Relies on: plugin.c; one connection serves one thread at a time.
 */
#include "../plugin.h"

#include <sqlite3ext.h>
#include <stdlib.h>
#include <string.h>
SQLITE_EXTENSION_INIT1

/* A model under a name of one connection. Loading the name again puts another model in its place. */
typedef struct named {
	char *name;
	const plugin_model *model;
	double *row; /* [model->n_features] */
	struct connection *owner;
	struct named *next;
} named;

/* What scoreline_load() and the functions that it made share: it lives until SQLite has let go of all of them, in whatever
 * order, since a host may put functions of its own in their places. */
typedef struct connection {
	named *models;
	int n_functions;
} connection;

static void release_connection(void *pointer)
{
	connection *c = pointer;
	if (--c->n_functions > 0)
		return;
	while (c->models != NULL) {
		named *m = c->models;
		c->models = m->next;
		plugin_release(m->model);
		sqlite3_free(m->name);
		sqlite3_free(m->row);
		sqlite3_free(m);
	}
	sqlite3_free(c);
}

static void release_named(void *pointer)
{
	release_connection(((named *)pointer)->owner);
}

/* ---- scoring ------------------------------------------------------------------------------------- */

static void fail(sqlite3_context *context, const char *name, const score_error *error)
{
	char *message = sqlite3_mprintf("%s: %s", name, error->message);
	if (message == NULL)
		sqlite3_result_error_nomem(context);
	else
		sqlite3_result_error(context, message, -1);
	sqlite3_free(message);
}

/* A value of SQL → a double. A text that is no category may still be a number, as SQLite's columns allow. */
static plugin_text take_value(const plugin_model *m, uint32_t feature, sqlite3_value *value, double *out, score_error *error)
{
	int type = sqlite3_value_type(value);
	*out = NAN;
	if (type == SQLITE_NULL)
		return PLUGIN_VALUE;
	if (type == SQLITE_TEXT && !score_model_dictionary(m->model, feature))
		type = sqlite3_value_numeric_type(value);
	if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
		*out = sqlite3_value_double(value);
		return PLUGIN_VALUE;
	}
	const char *text = type == SQLITE_BLOB ? "(a blob)" : (const char *)sqlite3_value_text(value);
	size_t length = type == SQLITE_BLOB ? strlen(text) : (size_t)sqlite3_value_bytes(value);
	if (text != NULL)
		return plugin_text_value(m, feature, text, length, out, error);
	plugin_set_error(error, SCORE_ERR_MEMORY, "out of memory");
	return PLUGIN_WRONG;
}

/* One number or text after the other from a JSON array, read by SQLite itself. An object's members have keys that are text. */
static plugin_text take_json(sqlite3_context *context, const plugin_model *m, sqlite3_value *array, double *row, score_error *error)
{
	plugin_text answer = PLUGIN_VALUE;
	sqlite3_stmt *statement = NULL;
	uint32_t n = 0;
	int code = sqlite3_prepare_v2(sqlite3_context_db_handle(context), "SELECT value, key FROM json_each(?1)", -1, &statement, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_bind_value(statement, 1, array);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(statement);
		if (code != SQLITE_ROW)
			break;
		if (sqlite3_column_type(statement, 1) == SQLITE_TEXT) {
			sqlite3_finalize(statement);
			plugin_set_error(error, SCORE_ERR_ARGUMENT, "expected a JSON array of the features in the model's order, found an object");
			return PLUGIN_WRONG;
		}
		sqlite3_value *value = n < m->n_features ? sqlite3_value_dup(sqlite3_column_value(statement, 0)) : NULL;
		plugin_text kind = value != NULL ? take_value(m, n, value, row + n, error) : PLUGIN_VALUE;
		sqlite3_value_free(value);
		answer = kind > answer ? kind : answer;
		n++;
	}
	sqlite3_finalize(statement);
	if (code != SQLITE_DONE)
		plugin_set_error(error, SCORE_ERR_ARGUMENT, "expected a JSON array: %s",
			sqlite3_errmsg(sqlite3_context_db_handle(context)));
	else if (n != m->n_features)
		plugin_wrong_count(m, n, " in one JSON array", error);
	return code == SQLITE_DONE && n == m->n_features ? answer : PLUGIN_WRONG;
}

static plugin_text take_array(sqlite3_context *context, const plugin_model *m, sqlite3_value *array, double *row, score_error *error)
{
	size_t bytes;
	if (sqlite3_value_type(array) != SQLITE_BLOB)
		return take_json(context, m, array, row, error);
	bytes = (size_t)sqlite3_value_bytes(array);
	if (bytes != m->n_features * sizeof *row) {
		plugin_wrong_count(m, bytes / sizeof *row, " in one BLOB of doubles", error);
		return PLUGIN_WRONG;
	}
	memcpy(row, sqlite3_value_blob(array), bytes);
	return PLUGIN_VALUE;
}

static plugin_text take_row(sqlite3_context *context, const named *f, int n, sqlite3_value **values, score_error *error)
{
	const plugin_model *m = f->model;
	plugin_text answer = PLUGIN_VALUE;
	int i;
	if (n == 1 && m->n_features > 1 && sqlite3_value_type(values[0]) != SQLITE_NULL &&
		sqlite3_value_type(values[0]) >= SQLITE_TEXT)
		return take_array(context, m, values[0], f->row, error);
	if ((uint32_t)n != m->n_features) {
		plugin_wrong_count(m, (size_t)n, "", error);
		return PLUGIN_WRONG;
	}
	for (i = 0; i < n; i++) {
		plugin_text kind = take_value(m, (uint32_t)i, values[i], f->row + i, error);
		answer = kind > answer ? kind : answer;
	}
	return answer;
}

static void score(sqlite3_context *context, int n, sqlite3_value **values)
{
	const named *f = sqlite3_user_data(context);
	score_error error;
	score_input input;
	double result;
	plugin_text kind = take_row(context, f, n, values, &error);
	if (kind == PLUGIN_NO_SCORE) {
		sqlite3_result_null(context);
		return;
	}
	input = score_input_rows_f64(f->row, 1, (int64_t)f->model->n_features);
	if (kind == PLUGIN_WRONG || plugin_score(f->model, &input, NULL, NULL, &result, &error) != SCORE_OK)
		fail(context, f->name, &error);
	else
		sqlite3_result_double(context, result);
}

/* ---- loading ------------------------------------------------------------------------------------- */

static named *find_name(const connection *c, const char *name)
{
	named *f = c->models;
	while (f != NULL && sqlite3_stricmp(f->name, name) != 0)
		f = f->next;
	return f;
}

/* A new name, with its SQL function. A function cannot be replaced while a statement runs, so it stays and its model
 * changes. */
static named *add_name(sqlite3 *db, connection *c, const char *name)
{
	named *f = sqlite3_malloc64(sizeof *f);
	if (f == NULL)
		return NULL;
	memset(f, 0, sizeof *f);
	f->owner = c;
	f->name = sqlite3_mprintf("%s", name);
	if (f->name == NULL) {
		sqlite3_free(f);
		return NULL;
	}
	c->n_functions++; /* SQLite calls release_named() where it refuses the function, too */
	if (sqlite3_create_function_v2(db, name, -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, f, score, NULL, NULL,
			release_named) != SQLITE_OK) {
		sqlite3_free(f->name);
		sqlite3_free(f);
		return NULL;
	}
	f->next = c->models;
	c->models = f;
	return f;
}

/* scoreline_load(name, model): the model becomes the function `name`. Answers the features' number. */
static void load(sqlite3_context *context, int n, sqlite3_value **values)
{
	connection *c = sqlite3_user_data(context);
	const char *name = (const char *)sqlite3_value_text(values[0]), *spec = (const char *)sqlite3_value_text(values[1]);
	const plugin_model *model;
	score_error error;
	double *row;
	named *f;
	(void)n;
	if (name == NULL || spec == NULL) {
		sqlite3_result_error(context, "scoreline_load: expected a name for the function and a model file, found NULL", -1);
		return;
	}
	model = plugin_acquire(spec, (size_t)sqlite3_value_bytes(values[1]), &error);
	if (model == NULL) {
		fail(context, "scoreline_load", &error);
		return;
	}
	row = sqlite3_malloc64((model->n_features ? model->n_features : 1) * sizeof *row);
	f = row == NULL ? NULL : find_name(c, name);
	if (row != NULL && f == NULL)
		f = add_name(sqlite3_context_db_handle(context), c, name);
	if (f == NULL) {
		sqlite3_free(row);
		plugin_release(model);
		sqlite3_result_error(context, "scoreline_load: the function could not be made; is the name that of a function in use?", -1);
		return;
	}
	plugin_release(f->model);
	sqlite3_free(f->row);
	f->model = model;
	f->row = row;
	sqlite3_result_int64(context, model->n_features);
}

static bool is_loaded(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	bool is_known = sqlite3_prepare_v2(db, "SELECT scoreline_load(NULL, NULL)", -1, &statement, NULL) == SQLITE_OK;
	sqlite3_finalize(statement);
	return is_known;
}

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int sqlite3_scoreline_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);

int sqlite3_scoreline_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
	connection *c;
	SQLITE_EXTENSION_INIT2(api);
	(void)message;
	if (is_loaded(db)) /* what was loaded goes on, and can be loaded anew under its names */
		return SQLITE_OK;
	c = sqlite3_malloc64(sizeof *c);
	if (c == NULL)
		return SQLITE_NOMEM;
	c->models = NULL;
	c->n_functions = 1;
	/* It reads a file: not for use inside views and triggers that a database brings along. */
	return sqlite3_create_function_v2(db, "scoreline_load", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, c, load, NULL, NULL,
		release_connection);
}
