/*
 * Calls whose rows the input describes, strings among them, are counted and logged as a host does it: what could be scored must be in
 * the statistics and, value by value, in the log.
 */
#define _XOPEN_SOURCE 700
#include "capture_fixture.h"
#include "fuzz_rows.h"

#include <scoreline/deploy.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_FEATURES 3
#define MOST_ROWS 20

typedef struct recorder {
	score_model *model; /* features: a number, two categories with labels */
	score_statistics *statistics;
	score_capture *capture;
	fixture_directory directory;
	uint64_t rows, sampled;
} recorder;

static recorder recorder_of_all;

static void finish(void)
{
	recorder *r = &recorder_of_all;
	score_capture_free(r->capture);
	score_statistics_free(r->statistics);
	score_model_free(r->model);
	fixture_directory_remove(&r->directory);
}

static void start(recorder *r)
{
	score_error error;
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	r->model = fixture_string_model();
	fixture_directory_make(&r->directory);
	r->capture = fixture_capture(&r->directory);
	o.sample_every = 1;
	o.n_shards = 1;
	if (score_statistics_new(r->model, &o, &r->statistics, &error) != SCORE_OK ||
		score_capture_add_model(r->capture, r->model, &error) != SCORE_OK)
		fuzz_fail("%s", error.message);
	atexit(finish);
}

static score_input take_rows(fuzz_store *s, fuzz_bytes *in, int64_t n_rows)
{
	score_input input = fuzz_rows(s, in, n_rows, N_FEATURES);
	if (input.layout == SCORE_COLUMNS)
		for (int i = 1; i < N_FEATURES; i++)
			if (fuzz_below(in, 4))
				((score_column *)input.u.columns.columns)[i] = fuzz_texts(s, in, n_rows);
	return input;
}

/* What the log must say of a value that the caller's row holds; of strings only that they are texts. */
static void check_value(const score_input *in, int64_t row, int column, const score_log_value *v)
{
	double x;
	if (in->layout == SCORE_COLUMNS && in->u.columns.columns[column].dtype == SCORE_STRING) {
		if (v->kind != SCORE_LOG_TEXT && v->kind != SCORE_LOG_MISSING)
			fuzz_fail("a string of row %lld is logged as kind %d", (long long)row, (int)v->kind);
		return;
	}
	if (in->layout != SCORE_ROWS)
		return;
	const char *at = (const char *)in->u.rows.data + row * in->u.rows.row_stride_bytes + column * in->u.rows.column_stride_bytes;
	if (in->dtype == SCORE_F64) {
		memcpy(&x, at, sizeof x);
	} else {
		float narrow;
		memcpy(&narrow, at, sizeof narrow);
		x = (double)narrow;
	}
	if (isnan(x) ? v->kind != SCORE_LOG_MISSING : v->kind != SCORE_LOG_NUMBER || memcmp(&v->u.number, &x, sizeof x) != 0)
		fuzz_fail("row %lld, column %d is %a, the log has kind %d, %a", (long long)row, column, x, (int)v->kind, v->u.number);
}

static void check_log(const recorder *r, const score_call *call)
{
	char path[600];
	const char *paths[] = {path};
	score_log *log = NULL;
	const score_log_call *logged = NULL;
	score_error error;
	score_log_segment segment = {.struct_size = sizeof segment};
	int64_t n_rows = 0;
	fixture_segment(&r->directory, ".slog", path, sizeof path);
	if (score_log_open(paths, 1, NULL, &log, &error) != SCORE_OK)
		fuzz_fail("%s", error.message);
	while (score_log_next(log, &logged, &error) == SCORE_OK && logged)
		for (uint32_t i = 0; i < logged->n_rows; i++, n_rows++) {
			for (int k = 0; k < N_FEATURES; k++)
				check_value(call->input, n_rows, k, logged->inputs + (size_t)i * N_FEATURES + (size_t)k);
			if (memcmp(logged->outputs + i, call->out + n_rows, sizeof(double)) != 0)
				fuzz_fail("row %lld has another output in the log", (long long)n_rows);
		}
	if (score_log_get_segment(log, 0, &segment) != SCORE_OK || segment.end != SCORE_LOG_WHOLE)
		fuzz_fail("what was logged cannot be read: %s", segment.damage.message);
	if (n_rows != (call->status == SCORE_OK ? call->input->n_rows : 0))
		fuzz_fail("%lld of %lld rows were logged", (long long)n_rows, (long long)call->input->n_rows);
	score_log_close(log);
	(void)unlink(path);
}

static void check_statistics(recorder *r, const score_call *call)
{
	score_error error;
	score_snapshot *snapshot = NULL;
	score_snapshot_info info = {.struct_size = sizeof info};
	score_histogram h = {.struct_size = sizeof h};
	score_statistics_record(r->statistics, call);
	r->rows += call->status == SCORE_OK ? (uint64_t)call->input->n_rows : 0;
	if (score_statistics_snapshot(r->statistics, &snapshot, &error) != SCORE_OK || score_snapshot_get_info(snapshot, &info) != SCORE_OK)
		fuzz_fail("no snapshot");
	if (info.rows != r->rows)
		fuzz_fail("%llu rows were counted, %llu given", (unsigned long long)info.rows, (unsigned long long)r->rows);
	for (uint32_t i = 0; i < info.n_features; i++) {
		uint64_t n = 0;
		if (score_snapshot_feature(snapshot, i, &h) != SCORE_OK)
			fuzz_fail("no feature %u", i);
		for (uint32_t k = 0; k <= h.n_edges; k++)
			n += h.counts[k];
		if (n + h.missing + h.unknown != info.sampled_rows)
			fuzz_fail("feature %u has %llu values of %llu rows", i, (unsigned long long)(n + h.missing + h.unknown),
				(unsigned long long)info.sampled_rows);
	}
	score_snapshot_free(snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	recorder *r = &recorder_of_all;
	fuzz_bytes in = {data, size};
	fuzz_store s = {{NULL}, 0};
	double out[MOST_ROWS];
	score_error error;
	if (!r->model)
		start(r);
	const score_input input = take_rows(&s, &in, 1 + (int64_t)fuzz_below(&in, MOST_ROWS - 1));
	score_call call = fixture_call(r->model, &input, out, 1);
	call.status = score_batch(r->model, &input, out, MOST_ROWS, NULL, &error);
	if (call.status != SCORE_OK)
		call.out = NULL;
	call.request_id = "r";
	check_statistics(r, &call);
	if (fuzz_below(&in, 4) == 0) { /* files are slow */
		if (score_capture_record(r->capture, &call) != 1 || score_capture_rotate(r->capture, &error) != SCORE_OK)
			fuzz_fail("a call was not logged");
		check_log(r, &call);
	}
	fuzz_store_free(&s);
	return 0;
}
