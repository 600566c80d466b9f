/*
 * Records of a capture log as rows: a call, a platform's payload, or one prediction each.
 *
 * Comes in: a record. Goes out: cells in the order of the view's columns, whose names are the platforms' own.
 */
#include "log_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const log_column calls_columns[] = { { "request_id", LOG_TEXT }, { "started_at", LOG_TEXT },
	{ "started_unix_ns", LOG_INTEGER }, { "endpoint", LOG_TEXT }, { "served_name", LOG_TEXT }, { "entity_name", LOG_TEXT },
	{ "entity_version", LOG_TEXT }, { "model_name", LOG_TEXT }, { "model_hash", LOG_TEXT }, { "status", LOG_TEXT },
	{ "latency_ns", LOG_INTEGER }, { "sampling_fraction", LOG_REAL }, { "shadow", LOG_INTEGER }, { "output", LOG_TEXT },
	{ "call_rows", LOG_INTEGER }, { "first_row", LOG_INTEGER }, { "n_rows", LOG_INTEGER }, { "inputs", LOG_JSON },
	{ "outputs", LOG_JSON } };
static const log_column payload_columns[] = { { "databricks_request_id", LOG_TEXT }, { "client_request_id", LOG_TEXT },
	{ "date", LOG_TEXT }, { "timestamp_ms", LOG_INTEGER }, { "status_code", LOG_INTEGER },
	{ "execution_time_ms", LOG_INTEGER }, { "request", LOG_TEXT }, { "response", LOG_TEXT },
	{ "sampling_fraction", LOG_REAL }, { "request_metadata", LOG_JSON } };
static const log_column gateway_columns[] = { { "request_date", LOG_TEXT }, { "databricks_request_id", LOG_TEXT },
	{ "request_time", LOG_TEXT }, { "status_code", LOG_INTEGER }, { "sampling_fraction", LOG_REAL },
	{ "execution_duration_ms", LOG_INTEGER }, { "request", LOG_TEXT }, { "response", LOG_TEXT },
	{ "served_entity_id", LOG_TEXT }, { "logging_error_codes", LOG_JSON }, { "requester", LOG_TEXT } };
/* The score comes last but two; its name is the user's. */
static const log_column prediction_columns[] = { { "request_id", LOG_TEXT }, { "scored_at", LOG_TEXT },
	{ "row", LOG_INTEGER }, { "endpoint", LOG_TEXT }, { "served_name", LOG_TEXT }, { "model_name", LOG_TEXT },
	{ "model_version", LOG_TEXT }, { "model_hash", LOG_TEXT }, { "latency_ms", LOG_REAL }, { "sampling_fraction", LOG_REAL },
	{ "shadow", LOG_INTEGER }, { "score", LOG_REAL }, { "inputs", LOG_JSON }, { "outputs", LOG_JSON } };
#define SCORE_COLUMN 11

static const struct {
	const char *name;
	const log_column *columns;
	size_t n;
} views[] = { { "calls", calls_columns, sizeof calls_columns / sizeof *calls_columns },
	{ "payload", payload_columns, sizeof payload_columns / sizeof *payload_columns },
	{ "gateway", gateway_columns, sizeof gateway_columns / sizeof *gateway_columns },
	{ "predictions", prediction_columns, sizeof prediction_columns / sizeof *prediction_columns } };

bool cli_log_view(const char *text, log_view *out)
{
	size_t i;
	for (i = 0; i < sizeof views / sizeof views[0]; i++)
		if (strcmp(text, views[i].name) == 0) {
			*out = (log_view)i;
			return true;
		}
	return false;
}

bool cli_log_table_init(log_table *table, log_view view, const char *score_name, uint32_t score_index)
{
	size_t i;
	memset(table, 0, sizeof *table);
	table->view = view;
	table->score_index = score_index;
	table->n_columns = views[view].n;
	memcpy(table->columns, views[view].columns, views[view].n * sizeof *table->columns);
	if (view != VIEW_PREDICTIONS || score_name == NULL)
		return true;
	for (i = 0; i < table->n_columns; i++)
		if (i != SCORE_COLUMN && strcmp(table->columns[i].name, score_name) == 0)
			return false;
	table->columns[SCORE_COLUMN].name = score_name;
	return true;
}

void cli_log_clear(log_table *table)
{
	size_t i;
	for (i = 0; i < table->n_columns; i++) {
		free(table->cells[i].text);
		json_decref(table->cells[i].json);
	}
	memset(table->cells, 0, sizeof table->cells);
}

/* ---- values ------------------------------------------------------------------------------------- */

void cli_log_time(int64_t unix_ns, char text[LOG_TIME_TEXT])
{
	/* Rounded down, also before 1970. */
	const int64_t us = unix_ns / 1000 - (unix_ns % 1000 < 0);
	const int64_t second = us / 1000000 - (us % 1000000 < 0);
	const time_t time = (time_t)second;
	struct tm utc;
	char date[32];
	if (gmtime_r(&time, &utc) == NULL || strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &utc) == 0)
		strcpy(date, "0000-00-00 00:00:00");
	snprintf(text, LOG_TIME_TEXT, "%s.%06d", date, (int)(us - second * 1000000));
}

json_t *cli_log_text(const char *text, size_t length)
{
	json_t *value;
	char *copy;
	size_t i;
	if (text == NULL)
		return json_null();
	value = json_stringn(text, length);
	if (value != NULL)
		return value;
	copy = malloc(length + 1);
	if (copy == NULL)
		return NULL;
	for (i = 0; i < length; i++)
		copy[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
	value = json_stringn(copy, length);
	free(copy);
	return value;
}

/* Whole numbers without a point. JSON has no infinities and no NaN: they are text. */
json_t *cli_log_number(double x)
{
	if (isnan(x))
		return json_string("NaN");
	if (isinf(x))
		return json_string(x > 0 ? "Infinity" : "-Infinity");
	if (x == floor(x) && fabs(x) < 1e15 && !(x == 0 && signbit(x)))
		return json_integer((json_int_t)x);
	return json_real(x);
}

/* Integers of jansson have 63 bits, and a double has fewer digits: larger ones are an object of the digits until the text is written.
 * Nothing else of a log is true or false. */
#define UNSIGNED_BEGIN "{\""
#define UNSIGNED_END "\":true}"

static json_t *unsigned_value(uint64_t value)
{
	char digits[24];
	if (value <= INT64_MAX)
		return json_integer((json_int_t)value);
	snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
	return json_pack("{s:b}", digits, 1);
}

char *cli_log_dump(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY), *to = text;
	const char *from = text;
	while (from != NULL && *from != '\0') {
		/* Quotes inside of strings have a backslash before them. */
		const bool begins = strncmp(from, UNSIGNED_BEGIN, strlen(UNSIGNED_BEGIN)) == 0;
		const size_t n = begins ? strspn(from + strlen(UNSIGNED_BEGIN), "0123456789") : 0;
		const char *end = from + strlen(UNSIGNED_BEGIN) + n;
		if (n > 0 && strncmp(end, UNSIGNED_END, strlen(UNSIGNED_END)) == 0) {
			memmove(to, from + strlen(UNSIGNED_BEGIN), n);
			to += n;
			from = end + strlen(UNSIGNED_END);
		} else {
			*to++ = *from++;
		}
	}
	if (to != NULL)
		*to = '\0';
	return text;
}

static json_t *input_value(const score_log_value *v)
{
	switch (v->kind) {
	case SCORE_LOG_NUMBER:
		return cli_log_number(v->u.number);
	case SCORE_LOG_INTEGER:
		return json_integer(v->u.integer);
	case SCORE_LOG_UNSIGNED:
		return unsigned_value(v->u.unsigned_integer);
	case SCORE_LOG_TEXT:
		return cli_log_text(v->u.text, v->length);
	default:
		return json_null();
	}
}

static json_t *feature_names(const score_log_model *m)
{
	json_t *names = json_array();
	uint32_t i;
	for (i = 0; i < m->n_features; i++)
		json_array_append_new(names, cli_log_text(m->features[i], strlen(m->features[i])));
	return names;
}

static json_t *input_rows(const score_log_call *call)
{
	json_t *rows = json_array();
	uint64_t n = call->model->n_features;
	uint32_t row, i;
	for (row = 0; row < call->n_rows; row++) {
		json_t *values = json_array();
		for (i = 0; i < n; i++)
			json_array_append_new(values, input_value(call->inputs + row * n + i));
		json_array_append_new(rows, values);
	}
	return rows;
}

static json_t *split_frame(const score_log_call *call)
{
	return json_pack("{s:o,s:o}", "columns", feature_names(call->model), "data", input_rows(call));
}

/* Of one value per row the value itself, else a list. */
static json_t *outputs_of_row(const score_log_call *call, uint32_t row)
{
	const double *values = call->outputs + (uint64_t)row * call->out_width;
	json_t *list;
	uint32_t i;
	if (call->out_width == 1)
		return cli_log_number(values[0]);
	list = json_array();
	for (i = 0; i < call->out_width; i++)
		json_array_append_new(list, cli_log_number(values[i]));
	return list;
}

static json_t *outputs_of(const score_log_call *call)
{
	json_t *rows = json_array();
	uint32_t row;
	for (row = 0; row < call->n_rows && call->out_width > 0; row++)
		json_array_append_new(rows, outputs_of_row(call, row));
	return rows;
}

static json_t *inputs_of_row(const score_log_call *call, uint32_t row)
{
	json_t *object = json_object();
	uint32_t i, n = call->model->n_features;
	for (i = 0; i < n; i++) {
		const char *name = call->model->features[i];
		json_t *key = cli_log_text(name, strlen(name));
		json_object_set_new(object, key == NULL ? "" : json_string_value(key),
			input_value(call->inputs + (uint64_t)row * n + i));
		json_decref(key);
	}
	return object;
}

/* ---- rows --------------------------------------------------------------------------------------- */

/* Cells are set one after the other; `failed` when memory ran out. */
typedef struct filler {
	log_cell *next;
	bool failed;
} filler;

static void set_integer(filler *f, int64_t value)
{
	f->next->type = LOG_INTEGER;
	f->next++->integer = value;
}

static void set_real(filler *f, double value)
{
	f->next->type = LOG_REAL;
	f->next++->real = value;
}

static void set_text(filler *f, const char *text)
{
	if (text != NULL) {
		f->next->type = LOG_TEXT;
		f->next->text = strdup(text);
		f->failed |= f->next->text == NULL;
	}
	f->next++;
}

static void set_json(filler *f, json_t *value)
{
	f->failed |= value == NULL;
	f->next->type = value == NULL || json_is_null(value) ? LOG_NULL : LOG_JSON;
	f->next++->json = value;
}

static void set_json_text(filler *f, json_t *value)
{
	char *text = value == NULL ? NULL : cli_log_dump(value);
	f->failed |= text == NULL;
	f->next->type = LOG_TEXT;
	f->next++->text = text;
	json_decref(value);
}

static void set_time(filler *f, int64_t unix_ns, bool date_only)
{
	char text[LOG_TIME_TEXT];
	cli_log_time(unix_ns, text);
	if (date_only)
		text[strcspn(text, " ")] = '\0';
	set_text(f, text);
}

static void set_hash(filler *f, const score_log_model *m)
{
	static const uint8_t none[sizeof m->hash];
	char text[2 * sizeof m->hash + 1];
	size_t i;
	for (i = 0; i < sizeof m->hash; i++)
		snprintf(text + 2 * i, 3, "%02x", m->hash[i]);
	set_text(f, memcmp(m->hash, none, sizeof none) == 0 ? NULL : text);
}

static const char *output_name(score_output output)
{
	static const char *const names[] = { "prediction", "margin", "leaf", "class", "contribution" };
	return output >= 0 && (size_t)output < sizeof names / sizeof names[0] ? names[output] : NULL;
}

static void fill_calls(filler *f, const score_log_call *call)
{
	set_text(f, call->request_id);
	set_time(f, call->started_unix_ns, false);
	set_integer(f, call->started_unix_ns);
	set_text(f, call->endpoint);
	set_text(f, call->served_name);
	set_text(f, call->entity_name);
	set_text(f, call->entity_version);
	set_text(f, call->model->name);
	set_hash(f, call->model);
	set_text(f, score_status_name(call->status));
	set_integer(f, call->latency_ns);
	set_real(f, call->sampling_fraction);
	set_integer(f, (call->flags & SCORE_CALL_SHADOW) != 0);
	set_text(f, output_name(call->output));
	set_integer(f, (int64_t)call->call_rows);
	set_integer(f, (int64_t)call->first_row);
	set_integer(f, call->n_rows);
	set_json(f, split_frame(call));
	set_json(f, outputs_of(call));
}

/* As an HTTP server would have answered. */
static int status_code(score_status status)
{
	switch (status) {
	case SCORE_OK:
		return 200;
	case SCORE_ERR_ARGUMENT:
	case SCORE_ERR_SHAPE:
	case SCORE_ERR_LIMIT:
	case SCORE_ERR_UNSUPPORTED:
		return 400;
	default:
		return 500;
	}
}

static json_t *response_of(const score_log_call *call)
{
	if (call->status == SCORE_OK)
		return json_pack("{s:o}", "predictions", outputs_of(call));
	return json_pack("{s:s}", "error_code", score_status_name(call->status));
}

static json_t *metadata_of(const score_log_call *call)
{
	const char *name = call->entity_name != NULL ? call->entity_name : call->model->name;
	json_t *object = json_object();
	json_object_set_new(object, "endpoint_name",
		cli_log_text(call->endpoint, call->endpoint ? strlen(call->endpoint) : 0));
	json_object_set_new(object, "model_name", cli_log_text(name, name ? strlen(name) : 0));
	json_object_set_new(object, "model_version",
		cli_log_text(call->entity_version, call->entity_version ? strlen(call->entity_version) : 0));
	return object;
}

static void fill_payload(filler *f, const score_log_call *call)
{
	set_text(f, call->request_id);
	set_text(f, NULL);
	set_time(f, call->started_unix_ns, true);
	set_integer(f, call->started_unix_ns / 1000000);
	set_integer(f, status_code(call->status));
	set_integer(f, call->latency_ns / 1000000);
	set_json_text(f, json_pack("{s:o}", "dataframe_split", split_frame(call)));
	set_json_text(f, response_of(call));
	set_real(f, call->sampling_fraction);
	set_json(f, metadata_of(call));
}

static void fill_gateway(filler *f, const score_log_call *call)
{
	set_time(f, call->started_unix_ns, true);
	set_text(f, call->request_id);
	set_time(f, call->started_unix_ns, false);
	set_integer(f, status_code(call->status));
	set_real(f, call->sampling_fraction);
	set_integer(f, call->latency_ns / 1000000);
	set_json_text(f, json_pack("{s:o}", "dataframe_split", split_frame(call)));
	set_json_text(f, response_of(call));
	set_text(f, call->served_name);
	set_json(f, json_array());
	set_text(f, NULL);
}

static void fill_prediction(filler *f, const log_table *table, const score_log_call *call, uint32_t row)
{
	set_text(f, call->request_id);
	set_time(f, call->started_unix_ns, false);
	set_integer(f, (int64_t)call->first_row + row);
	set_text(f, call->endpoint);
	set_text(f, call->served_name);
	set_text(f, call->entity_name != NULL ? call->entity_name : call->model->name);
	set_text(f, call->entity_version);
	set_hash(f, call->model);
	set_real(f, (double)call->latency_ns / 1e6);
	set_real(f, call->sampling_fraction);
	set_integer(f, (call->flags & SCORE_CALL_SHADOW) != 0);
	if (table->score_index < call->out_width)
		set_real(f, call->outputs[(uint64_t)row * call->out_width + table->score_index]);
	else
		set_text(f, NULL);
	set_json(f, inputs_of_row(call, row));
	set_json(f, call->out_width > 0 ? outputs_of_row(call, row) : json_null());
}

uint32_t cli_log_rows(const log_table *table, const score_log_call *call)
{
	return table->view == VIEW_PREDICTIONS ? call->n_rows : 1;
}

bool cli_log_fill(log_table *table, const score_log_call *call, uint32_t row)
{
	filler f = { table->cells, false };
	cli_log_clear(table);
	switch (table->view) {
	case VIEW_CALLS:
		fill_calls(&f, call);
		break;
	case VIEW_PAYLOAD:
		fill_payload(&f, call);
		break;
	case VIEW_GATEWAY:
		fill_gateway(&f, call);
		break;
	case VIEW_PREDICTIONS:
		fill_prediction(&f, table, call, row);
		break;
	}
	return !f.failed;
}
