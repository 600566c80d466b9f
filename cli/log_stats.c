/*
 * scoreline log stats: what is in a log, per served version, and how its segments end.
 */
#include "log_table.h"

#include <stdlib.h>
#include <string.h>

typedef struct group {
	char *endpoint, *served_name, *version; /* NULL only where memory ran out */
	char hash[33];
	uint64_t n_records, n_calls, n_rows, n_failed, n_shadow;
	double latency_ns, outputs;
	uint64_t n_outputs;
	int64_t first_ns, last_ns;
} group;

typedef struct groups {
	group *data;
	size_t n, capacity;
} groups;

static const char *or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

static char *copy(const char *text)
{
	size_t bytes = strlen(or_empty(text)) + 1;
	char *out = malloc(bytes);
	return out == NULL ? NULL : memcpy(out, or_empty(text), bytes);
}

static bool is_same(const char *a, const char *b)
{
	return strcmp(or_empty(a), or_empty(b)) == 0;
}

static void hash_text(const score_log_model *m, char text[33])
{
	size_t i;
	for (i = 0; i < sizeof m->hash; i++)
		snprintf(text + 2 * i, 3, "%02x", m->hash[i]);
}

/* A log has few versions; the last one found is the likeliest. */
static group *find(groups *all, const score_log_call *c)
{
	char hash[33];
	size_t i;
	group *g;
	hash_text(c->model, hash);
	for (i = all->n; i-- > 0;) {
		g = all->data + i;
		if (is_same(g->served_name, c->served_name) && is_same(g->version, c->entity_version) &&
			is_same(g->endpoint, c->endpoint) && strcmp(g->hash, hash) == 0)
			return g;
	}
	if (all->n == all->capacity) {
		size_t capacity = all->capacity == 0 ? 16 : 2 * all->capacity;
		g = realloc(all->data, capacity * sizeof *g);
		if (g == NULL)
			return NULL;
		all->data = g;
		all->capacity = capacity;
	}
	g = all->data + all->n++;
	memset(g, 0, sizeof *g);
	g->endpoint = copy(c->endpoint);
	g->served_name = copy(c->served_name);
	g->version = copy(c->entity_version);
	memcpy(g->hash, hash, sizeof hash);
	g->first_ns = g->last_ns = c->started_unix_ns;
	return g->endpoint == NULL || g->served_name == NULL || g->version == NULL ? NULL : g;
}

static void add(group *g, const score_log_call *c)
{
	uint32_t row;
	g->n_records++;
	g->n_calls += c->first_row == 0;
	g->n_rows += c->n_rows;
	g->n_failed += c->status != SCORE_OK && c->first_row == 0;
	g->n_shadow += (c->flags & SCORE_CALL_SHADOW) != 0 && c->first_row == 0;
	g->latency_ns += c->first_row == 0 ? (double)c->latency_ns : 0;
	if (c->started_unix_ns < g->first_ns)
		g->first_ns = c->started_unix_ns;
	if (c->started_unix_ns > g->last_ns)
		g->last_ns = c->started_unix_ns;
	for (row = 0; row < c->n_rows && c->out_width == 1; row++) {
		g->outputs += c->outputs[row];
		g->n_outputs++;
	}
}

static json_t *text_json(const char *text)
{
	return cli_log_text(or_empty(text), strlen(or_empty(text)));
}

static json_t *group_json(const group *g)
{
	char first[LOG_TIME_TEXT], last[LOG_TIME_TEXT];
	cli_log_time(g->first_ns, first);
	cli_log_time(g->last_ns, last);
	json_t *mean = g->n_outputs > 0 ? json_real(g->outputs / (double)g->n_outputs) : NULL;
	return json_pack("{s:o,s:o,s:o,s:s,s:I,s:I,s:I,s:I,s:I,s:s,s:s,s:f,s:o}", "endpoint",
		text_json(g->endpoint), "served_name", text_json(g->served_name), "model_version", text_json(g->version),
		"model_hash", g->hash, "records", (json_int_t)g->n_records, "calls", (json_int_t)g->n_calls,
		"rows", (json_int_t)g->n_rows, "failed_calls", (json_int_t)g->n_failed, "shadow_calls", (json_int_t)g->n_shadow,
		"first_at", first, "last_at", last,
		"mean_latency_ms", g->n_calls > 0 ? g->latency_ns / (double)g->n_calls / 1e6 : 0.0, "mean_output",
		mean == NULL ? json_null() : mean);
}

static const char *end_name(score_log_end how)
{
	return how == SCORE_LOG_WHOLE ? "whole" : how == SCORE_LOG_TORN ? "torn" : "corrupt";
}

static json_t *segment_json(const score_log_segment *s)
{
	return json_pack("{s:o,s:b,s:s,s:I,s:I,s:I}", "path", cli_log_text(s->path, strlen(s->path)), "closed", s->is_closed,
		"end", end_name(s->end), "bytes", (json_int_t)s->bytes, "good_bytes", (json_int_t)s->good_bytes, "records",
		(json_int_t)s->n_records);
}

static json_t *report(const score_log *log, const groups *all)
{
	json_t *segments = json_array(), *versions = json_array();
	uint32_t i;
	size_t k;
	for (i = 0; i < score_log_segment_count(log); i++) {
		score_log_segment s = { .struct_size = sizeof s };
		if (score_log_get_segment(log, i, &s) == SCORE_OK)
			json_array_append_new(segments, segment_json(&s));
	}
	for (k = 0; k < all->n; k++)
		json_array_append_new(versions, group_json(all->data + k));
	return json_pack("{s:o,s:o}", "segments", segments, "versions", versions);
}

static void print_group(const group *g)
{
	char first[LOG_TIME_TEXT], last[LOG_TIME_TEXT];
	cli_log_time(g->first_ns, first);
	cli_log_time(g->last_ns, last);
	cli_print_text(stdout, g->endpoint[0] != '\0' ? g->endpoint : "(no endpoint)");
	fputs(" / ", stdout);
	cli_print_text(stdout, g->served_name[0] != '\0' ? g->served_name : "(no served name)");
	fputs(", version ", stdout);
	cli_print_text(stdout, g->version[0] != '\0' ? g->version : "(none)");
	printf("\n  %llu calls (%llu failed, %llu shadow), %llu rows, mean latency %.4g ms", (unsigned long long)g->n_calls,
		(unsigned long long)g->n_failed, (unsigned long long)g->n_shadow, (unsigned long long)g->n_rows,
		g->n_calls > 0 ? g->latency_ns / (double)g->n_calls / 1e6 : 0);
	if (g->n_outputs > 0)
		printf(", mean output %.6g", g->outputs / (double)g->n_outputs);
	printf("\n  %s to %s UTC\n", first, last);
}

static void print_segments(const score_log *log)
{
	uint32_t i, n_open = 0, n_torn = 0, n_corrupt = 0, n = score_log_segment_count(log);
	uint64_t bytes = 0, n_records = 0;
	for (i = 0; i < n; i++) {
		score_log_segment s = { .struct_size = sizeof s };
		if (score_log_get_segment(log, i, &s) != SCORE_OK)
			continue;
		n_open += !s.is_closed;
		n_torn += s.end == SCORE_LOG_TORN;
		n_corrupt += s.end == SCORE_LOG_CORRUPT;
		bytes += s.bytes;
		n_records += s.n_records;
	}
	printf("%u segment%s (%u open, %u torn, %u corrupt), %s, %llu records\n", n, n == 1 ? "" : "s", n_open, n_torn,
		n_corrupt, cli_format_size(bytes).text, (unsigned long long)n_records);
}

static int print_report(const score_log *log, const groups *all, const char *name, bool json)
{
	size_t i;
	char *text;
	json_t *value;
	if (!json) {
		print_segments(log);
		for (i = 0; i < all->n; i++)
			print_group(all->data + i);
		return cli_flush_stdout();
	}
	value = report(log, all);
	text = value == NULL ? NULL : json_dumps(value, JSON_INDENT(2));
	json_decref(value);
	if (text == NULL)
		return cli_fail(name, "its numbers cannot be written as JSON");
	puts(text);
	free(text);
	return cli_flush_stdout();
}

int cli_log_stats(score_log *log, const char *name, bool json)
{
	groups all = { NULL, 0, 0 };
	const score_log_call *call;
	score_error error;
	int code = CLI_OK;
	size_t i;
	while (code == CLI_OK) {
		group *g;
		if (score_log_next(log, &call, &error) != SCORE_OK) {
			code = cli_fail_library(name, &error, NULL);
			break;
		}
		if (call == NULL)
			break;
		g = find(&all, call);
		if (g == NULL)
			code = cli_fail_memory(name);
		else
			add(g, call);
	}
	if (code == CLI_OK)
		code = print_report(log, &all, name, json);
	for (i = 0; i < all.n; i++) {
		free(all.data[i].endpoint);
		free(all.data[i].served_name);
		free(all.data[i].version);
	}
	free(all.data);
	return code;
}
