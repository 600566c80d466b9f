/*
 * Where a report's numbers come from.
 *
 * Comes in: paths. Goes out: versions, each with a snapshot. Statistics files of one version are added up.
 */
#include "report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool ends_with(const char *text, const char *end)
{
	const size_t n = strlen(text), m = strlen(end);
	return n >= m && strcmp(text + n - m, end) == 0;
}

report_version *report_new_version(report *r, const char *const labels[4], const uint8_t model_hash[16])
{
	report_version *grown = realloc(r->versions, (r->n_versions + 1) * sizeof *grown), *v;
	bool complete = grown != NULL;
	int i;
	if (grown != NULL)
		r->versions = grown;
	if (complete) {
		v = r->versions + r->n_versions++;
		memset(v, 0, sizeof *v);
		memcpy(v->model_hash, model_hash, sizeof v->model_hash);
		for (i = 0; i < 4; i++) {
			v->labels[i] = strdup(labels[i] == NULL ? "" : labels[i]);
			complete = complete && v->labels[i] != NULL;
		}
	}
	if (!complete) {
		cli_fail_memory("report");
		return NULL;
	}
	return r->versions + r->n_versions - 1;
}

int report_add_note(report *r, const char *format, ...)
{
	char text[512];
	char **grown = realloc(r->notes, (r->n_notes + 1) * sizeof *grown);
	va_list arguments;
	if (grown == NULL)
		return cli_fail_memory("report");
	r->notes = grown;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	r->notes[r->n_notes] = strdup(text);
	if (r->notes[r->n_notes] == NULL)
		return cli_fail_memory("report");
	r->n_notes++;
	return CLI_OK;
}

static int add_statistics(report *r, const char *path)
{
	score_snapshot *snapshot;
	score_snapshot_info info = { .struct_size = sizeof info };
	score_error error;
	report_version *v;
	size_t i;
	if (score_snapshot_open_file(path, NULL, &snapshot, &error) != SCORE_OK)
		return cli_fail_library(path, &error, NULL);
	if (score_snapshot_get_info(snapshot, &info) != SCORE_OK) {
		score_snapshot_free(snapshot);
		return cli_fail(path, "does not say what it counts");
	}
	const char *const labels[4] = { info.endpoint, info.served_name, info.entity_name, info.entity_version };
	r->n_files++;
	for (i = 0; i < r->n_versions; i++) {
		bool same = memcmp(r->versions[i].model_hash, info.model_hash, sizeof info.model_hash) == 0;
		for (int k = 0; k < 4; k++)
			same = same && strcmp(r->versions[i].labels[k], labels[k]) == 0;
		if (same && r->versions[i].snapshot != NULL &&
			score_snapshot_merge(r->versions[i].snapshot, snapshot, NULL) == SCORE_OK) {
			score_snapshot_free(snapshot);
			return CLI_OK;
		}
	}
	v = report_new_version(r, labels, info.model_hash);
	if (v == NULL) {
		score_snapshot_free(snapshot);
		return CLI_FAILED;
	}
	v->snapshot = snapshot;
	return CLI_OK;
}

int report_add_source(report *r, const char *path)
{
	struct stat st;
	const bool is_directory = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	if (cli_check_overwrite("report", r->out_path, path) != CLI_OK)
		return CLI_USAGE;
	if (is_directory || ends_with(path, ".slog") || ends_with(path, ".slog.active"))
		return report_add_log(r, path);
	return add_statistics(r, path);
}

int report_finish(report *r)
{
	score_error error;
	size_t i;
	for (i = 0; i < r->n_versions; i++) {
		report_version *v = r->versions + i;
		score_snapshot_info info = { .struct_size = sizeof info };
		if (v->statistics != NULL && score_statistics_snapshot(v->statistics, &v->snapshot, &error) != SCORE_OK)
			return cli_fail_library("report", &error, NULL);
		if (score_snapshot_get_info(v->snapshot, &info) == SCORE_OK && info.expected_rows == 0 &&
			report_add_note(r, "%s %s has no reference: nothing says what to expect, so its drift is unknown. "
				"Model.add_reference() puts one into the model.", v->labels[2][0] ? v->labels[2] : "A model", v->labels[3]) != CLI_OK)
			return CLI_FAILED;
	}
	return CLI_OK;
}

void report_free(report *r)
{
	size_t i;
	for (i = 0; i < r->n_versions; i++) {
		report_version *v = r->versions + i;
		score_snapshot_free(v->snapshot);
		score_statistics_free(v->statistics);
		if (v->model_owned)
			score_model_free(v->model);
		for (int k = 0; k < 4; k++)
			free(v->labels[k]);
	}
	for (i = 0; i < r->n_notes; i++)
		free(r->notes[i]);
	for (i = 0; i < r->n_models; i++)
		cli_model_close(r->models + i);
	free(r->corrupt_path);
	free(r->versions);
	free(r->notes);
	free(r->models);
	memset(r, 0, sizeof *r);
}
