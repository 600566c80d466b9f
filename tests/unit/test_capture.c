/*
 * The capture log from a call to what is read back: every layout of rows, sampling, splitting, counts,
 * options, segments, and that recording enters the kernel for nothing.
 */
#define _DEFAULT_SOURCE
#include "capture_fixture.h"

#include <linux/seccomp.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct setting {
	fixture_directory directory;
	score_model *model;
	score_capture *capture;
	score_log *log;
} setting;

static setting begin_with(score_model *model, const score_capture_options *given)
{
	setting s = { .model = model };
	score_error error;
	fixture_directory_make(&s.directory);
	score_capture_options o = fixture_options(&s.directory);
	if (given) {
		o = *given;
		o.directory = s.directory.path;
	}
	if (score_capture_new(&o, &s.capture, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(score_capture_add_model(s.capture, model, NULL), SCORE_OK);
	return s;
}

/* Drain and read from the start. */
static void reopen(setting *s)
{
	const char *paths[] = { s->directory.path };
	score_error error;
	if (score_capture_drain(s->capture, NULL, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	score_log_close(s->log);
	assert_int_equal(score_log_open(paths, 1, NULL, &s->log, NULL), SCORE_OK);
}

static const score_log_call *next(setting *s)
{
	const score_log_call *call;
	score_error error;
	if (score_log_next(s->log, &call, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	return call;
}

static void end(setting *s)
{
	score_log_close(s->log);
	score_capture_free(s->capture);
	score_model_free(s->model);
	fixture_directory_remove(&s->directory);
}

/* ---- what is read is what was recorded ------------------------------------------------------------------ */

static void all_fields_come_back(void **state)
{
	setting s = begin_with(fixture_model(3), NULL);
	const double rows[6] = { 1, -0.0, 1e300, (double)NAN, 0.1, -70000 }, out[2] = { 0.25, 1.0 / 3 };
	const score_input input = score_input_rows_f64(rows, 2, 3);
	score_call call = fixture_call(s.model, &input, out, 1);
	(void)state;
	call.request_id = "a-1";
	call.flags = SCORE_CALL_SHADOW;
	call.output = SCORE_OUTPUT_MARGIN;
	assert_int_equal(score_capture_record(s.capture, &call), 1);
	call.request_id = call.endpoint = call.served_name = call.entity_name = call.entity_version = NULL;
	assert_int_equal(score_capture_record(s.capture, &call), 1);
	reopen(&s);
	const score_log_call *c = next(&s);
	assert_string_equal(c->request_id, "a-1");
	assert_string_equal(c->endpoint, "fraud-detection-endpoint");
	assert_string_equal(c->served_name, "fraud_model-1");
	assert_string_equal(c->entity_name, "fraud_model");
	assert_string_equal(c->entity_version, "1");
	assert_true(c->started_unix_ns == 1764243181000000123 && c->latency_ns == 4711);
	assert_int_equal(c->flags, SCORE_CALL_SHADOW);
	assert_int_equal(c->output, SCORE_OUTPUT_MARGIN);
	assert_int_equal(c->status, SCORE_OK);
	assert_true(c->sampling_fraction == 1);
	assert_true(c->call_rows == 2 && c->first_row == 0 && c->n_rows == 2 && c->out_width == 1);
	assert_memory_equal(c->outputs, out, sizeof out);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(c->inputs[i].kind, isnan(rows[i]) ? SCORE_LOG_MISSING : SCORE_LOG_NUMBER);
		if (!isnan(rows[i]))
			assert_memory_equal(&c->inputs[i].u.number, rows + i, sizeof rows[i]);
	}
	assert_string_equal(c->model->name, "fraud_model");
	assert_string_equal(c->model->link, "sigmoid");
	assert_string_equal(c->model->features[0], "amount");
	assert_string_equal(c->model->features[2], "f2");
	assert_true(c->model->n_features == 3 && c->model->n_outputs == 1 && c->model->n_predictions == 1);
	c = next(&s);
	assert_null(c->request_id);
	assert_null(c->entity_version);
	assert_null(next(&s));
	end(&s);
}

static const double awkward[] = { 0, 1, -1, -32768, -32769, 65535, 65536, 0.5, 1e-310, 5e-324, 1.7e308, 3.4e38, 3.5e38,
	16777217, 9007199254740992.0, 0x1p60, 1e-45 };
#define N_AWKWARD (sizeof awkward / sizeof awkward[0])

static void numbers_keep_their_bits(void **state)
{
	setting s = begin_with(fixture_model(1), NULL);
	(void)state;
	for (size_t i = 0; i < 4 * N_AWKWARD; i++) {
		const double x = i & 1 ? -awkward[i / 4] : awkward[i / 4];
		const float narrow = (float)x;
		const score_input in = i & 2 ? score_input_rows_f32(&narrow, 1, 1) : score_input_rows_f64(&x, 1, 1);
		const score_call call = fixture_call(s.model, &in, &x, 1);
		assert_int_equal(score_capture_record(s.capture, &call), 1);
	}
	reopen(&s);
	for (size_t i = 0; i < 4 * N_AWKWARD; i++) {
		const double x = i & 1 ? -awkward[i / 4] : awkward[i / 4], wanted = i & 2 ? (double)(float)x : x;
		const score_log_call *c = next(&s);
		assert_int_equal(c->inputs[0].kind, SCORE_LOG_NUMBER);
		assert_memory_equal(&c->inputs[0].u.number, &wanted, sizeof wanted);
		assert_memory_equal(c->outputs, &x, sizeof x);
	}
	end(&s);
}

static void rows_are_in_the_order_of_the_features(void **state)
{
	static const char *const names[] = { "f2", "junk", "amount", "f1" };
	const float rows[2][4] = { { 3, 99, 1, 2 }, { 30, 99, 10, 20 } };
	const double out[2] = { 0, 0 };
	setting s = begin_with(fixture_model(3), NULL);
	score_plan *plan;
	(void)state;
	assert_int_equal(score_bind(s.model, names, NULL, 4, &plan, NULL), SCORE_OK);
	score_input input = score_input_rows_f32(&rows[0][0], 2, 4);
	score_call call = fixture_call(s.model, &input, out, 1);
	call.plan = plan;
	assert_int_equal(score_capture_record(s.capture, &call), 1);
	/* The rows one after the other in memory as columns: column strides, and row 1 first. */
	input.u.rows.data = rows[1];
	input.u.rows.row_stride_bytes = -(int64_t)sizeof rows[0];
	assert_int_equal(score_capture_record(s.capture, &call), 1);
	reopen(&s);
	for (int k = 0; k < 2; k++) {
		const score_log_call *c = next(&s);
		for (int i = 0; i < 6; i++)
			assert_true(c->inputs[i].u.number == (i % 3 + 1) * ((i / 3 == k) ? 1 : 10));
	}
	score_plan_free(plan);
	end(&s);
}

static void columns_of_every_type_come_back(void **state)
{
	static const struct {
		score_dtype type;
		double first, second;
	} types[] = { { SCORE_F32, 0.5, -2 }, { SCORE_F64, 0.1, -2 }, { SCORE_I8, -128, 5 }, { SCORE_U8, 255, 5 },
		{ SCORE_I16, -32768, 5 }, { SCORE_U16, 65535, 5 }, { SCORE_I32, -2147483648.0, 5 }, { SCORE_U32, 4294967295.0, 5 },
		{ SCORE_I64, -9007199254740992.0, 5 }, { SCORE_U64, 9007199254740992.0, 5 }, { SCORE_BOOL, 1, 0 },
		{ SCORE_BOOL_BITS, 1, 0 }, { SCORE_F16, 0.5, 65504 } };
	static const union {
		float f32[4];
		double f64[4];
		int8_t i8[4];
		uint16_t u16[4];
		int32_t i32[4];
		int64_t i64[4];
		uint64_t u64[4];
	} values[] = { { .f32 = { 9, 0.5f, -2, 7 } }, { .f64 = { 9, 0.1, -2, 7 } }, { .i8 = { 9, -128, 5, 7 } },
		{ .i8 = { 9, -1, 5, 7 } }, { .u16 = { 9, 32768, 5, 7 } }, { .u16 = { 9, 65535, 5, 7 } },
		{ .i32 = { 9, INT32_MIN, 5, 7 } }, { .i32 = { 9, -1, 5, 7 } }, { .i64 = { 9, -9007199254740992, 5, 7 } },
		{ .u64 = { 9, 9007199254740992, 5, 7 } }, { .i8 = { 9, 2, 0, 7 } }, { .i8 = { 2 } },
		{ .u16 = { 9, 0x3800, 0x7bff, 7 } } };
	const uint8_t valid = 0x6; /* elements 1 and 2 of four */
	const double out[3] = { 0, 0, 0 };
	setting s = begin_with(fixture_model(1), NULL);
	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		const score_column column = { .values = values + i, .validity = &valid, .offset = 1, .dtype = types[i].type };
		const score_input in = score_input_columns(&column, 3, 1);
		const score_call call = fixture_call(s.model, &in, out, 1);
		assert_int_equal(score_capture_record(s.capture, &call), 1);
	}
	reopen(&s);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		const score_log_call *c = next(&s);
		assert_int_equal(c->n_rows, 3);
		assert_true(c->inputs[0].kind == SCORE_LOG_NUMBER && c->inputs[0].u.number == types[i].first);
		assert_true(c->inputs[1].kind == SCORE_LOG_NUMBER && c->inputs[1].u.number == types[i].second);
		assert_int_equal(c->inputs[2].kind, SCORE_LOG_MISSING);
	}
	end(&s);
}

static void strings_and_large_integers_come_back(void **state)
{
	static const int32_t offsets[] = { 0, 5, 5, 9 };
	static const int8_t indices[] = { 2, 1, -1, 0 };
	const int64_t large[] = { INT64_MIN, 1, INT64_MAX, 2 };
	const uint8_t valid = 0x7;
	const score_strings dense = { sizeof dense, offsets, "K\xc3\xb6lnBonn", NULL, NULL, 0, SCORE_I32, 0 };
	const score_strings encoded = { sizeof encoded, offsets, "K\xc3\xb6lnBonn", indices, NULL, 3, SCORE_I32, SCORE_I8 };
	const score_column columns[] = { { .values = large, .dtype = SCORE_I64 },
		{ .values = &dense, .dtype = SCORE_STRING, .validity = &valid }, { .values = &encoded, .dtype = SCORE_STRING } };
	const score_input in = score_input_columns(columns, 3, 3);
	double out[3];
	setting s = begin_with(fixture_string_model(), NULL);
	(void)state;
	assert_int_equal(score_batch(s.model, &in, out, 3, NULL, NULL), SCORE_OK);
	const score_call call = fixture_call(s.model, &in, out, 1);
	assert_int_equal(score_capture_record(s.capture, &call), 1);
	reopen(&s);
	const score_log_call *c = next(&s);
	assert_true(c->inputs[0].kind == SCORE_LOG_INTEGER && c->inputs[0].u.integer == INT64_MIN);
	assert_true(c->inputs[3].kind == SCORE_LOG_NUMBER && c->inputs[3].u.number == 1);
	assert_true(c->inputs[6].kind == SCORE_LOG_INTEGER && c->inputs[6].u.integer == INT64_MAX);
	assert_int_equal(c->inputs[1].kind, SCORE_LOG_TEXT);
	assert_int_equal(c->inputs[1].length, 5);
	assert_string_equal(c->inputs[1].u.text, "K\xc3\xb6ln");
	assert_string_equal(c->inputs[4].u.text, "");
	assert_string_equal(c->inputs[7].u.text, "Bonn");
	assert_string_equal(c->inputs[2].u.text, "Bonn");
	assert_string_equal(c->inputs[5].u.text, "");
	assert_int_equal(c->inputs[8].kind, SCORE_LOG_MISSING);
	assert_int_equal(c->model->types[0], SCORE_FEATURE_NUMERIC);
	assert_int_equal(c->model->types[2], SCORE_FEATURE_CATEGORY);
	assert_memory_equal(c->outputs, out, sizeof out);
	end(&s);
}

static void sparse_rows_come_back_dense(void **state)
{
	static const int32_t starts[] = { 0, 2, 2, 3 }, numbers[] = { 0, 3, 1 };
	static const float entries[] = { 1.5f, 2.5f, -1 };
	const double out[3] = { 0, 0, 0 };
	(void)state;
	for (score_absent absent = SCORE_ABSENT_ZERO; absent <= SCORE_ABSENT_MISSING; absent++) {
		setting s = begin_with(fixture_model(4), NULL);
		const score_input in = score_input_csr(starts, SCORE_I32, numbers, SCORE_I32, entries, SCORE_F32, 3, 4, absent);
		const score_call call = fixture_call(s.model, &in, out, 1);
		assert_int_equal(score_capture_record(s.capture, &call), 1);
		reopen(&s);
		const score_log_call *c = next(&s);
		for (int i = 0; i < 12; i++) {
			const double wanted = i == 0 ? 1.5 : i == 3 ? 2.5 : i == 9 ? -1 : 0;
			const bool is_entry = wanted != 0;
			assert_int_equal(c->inputs[i].kind, is_entry || absent == SCORE_ABSENT_ZERO ? SCORE_LOG_NUMBER : SCORE_LOG_MISSING);
			assert_true(c->inputs[i].kind == SCORE_LOG_MISSING || c->inputs[i].u.number == wanted);
		}
		end(&s);
	}
}

static void failed_calls_are_kept_without_their_rows(void **state)
{
	setting s = begin_with(fixture_model(3), NULL);
	const score_input nonsense = score_input_rows_f64(NULL, 5, 77);
	score_call call = fixture_call(s.model, &nonsense, NULL, 0);
	(void)state;
	call.status = SCORE_ERR_SHAPE;
	assert_int_equal(score_capture_record(s.capture, &call), 1);
	call.input = NULL;
	assert_int_equal(score_capture_record(s.capture, &call), 1);
	reopen(&s);
	for (int i = 0; i < 2; i++) {
		const score_log_call *c = next(&s);
		assert_int_equal(c->status, SCORE_ERR_SHAPE);
		assert_true(c->call_rows == (i ? 0 : 5) && c->n_rows == 0 && c->out_width == 0);
	}
	end(&s);
}

/* ---- splitting, losing, counting ------------------------------------------------------------------------ */

static void large_calls_are_split_by_rows(void **state)
{
	score_capture_options o = SCORE_CAPTURE_OPTIONS_INIT;
	double rows[500][4], out[500];
	uint64_t n = 0, parts = 0;
	(void)state;
	o.ring_bytes = 65536;
	o.max_record_bytes = 1024;
	setting s = begin_with(fixture_model(4), &o);
	for (int i = 0; i < 500; i++) {
		for (int k = 0; k < 4; k++)
			rows[i][k] = i + k * 0.1;
		out[i] = i / 7.0;
	}
	const score_input input = score_input_rows_f64(&rows[0][0], 500, 4);
	const score_call call = fixture_call(s.model, &input, out, 1);
	assert_int_equal(score_capture_record(s.capture, &call), 1);
	reopen(&s);
	for (const score_log_call *c; (c = next(&s)) != NULL; parts++) {
		assert_true(c->call_rows == 500 && c->first_row == n);
		for (uint32_t i = 0; i < c->n_rows; i++, n++) {
			assert_true(c->outputs[i] == out[n]);
			for (int k = 0; k < 4; k++)
				assert_true(c->inputs[i * 4 + (uint32_t)k].u.number == rows[n][k]);
		}
	}
	const score_capture_info info = fixture_info(s.capture);
	assert_true(n == 500 && parts > 10 && info.n_kept == 1 && info.n_records == parts && info.n_written == parts);
	end(&s);
}

static void what_does_not_fit_is_counted(void **state)
{
	static char long_id[2000];
	setting s = begin_with(fixture_model(2), NULL);
	score_capture_options o = SCORE_CAPTURE_OPTIONS_INIT;
	o.ring_bytes = 65536;
	o.max_record_bytes = 1024;
	const double row[2] = { 1, 2 }, out = 0;
	const score_input input = score_input_rows_f64(row, 1, 2), wide = score_input_rows_f64(row, 1, 1);
	score_model *other = fixture_model(2);
	setting small = begin_with(fixture_model(200), &o);
	static const double wide_row[200];
	const score_input wide_input = score_input_rows_f64(wide_row, 1, 200);
	(void)state;
	score_call call = fixture_call(other, &input, &out, 1); /* never added */
	assert_int_equal(score_capture_record(s.capture, &call), -1);
	call = fixture_call(s.model, &wide, &out, 1);
	assert_int_equal(score_capture_record(s.capture, &call), -1);
	assert_int_equal(fixture_info(s.capture).n_lost_invalid, 2);
	memset(long_id, 'x', sizeof long_id - 1);
	call = fixture_call(small.model, &wide_input, &out, 1);
	assert_int_equal(score_capture_record(small.capture, &call), -1);
	call.request_id = long_id;
	assert_int_equal(score_capture_record(small.capture, &call), -1);
	assert_int_equal(fixture_info(small.capture).n_lost_size, 2);
	assert_int_equal(score_capture_record(NULL, &call), -1);
	score_model_free(other);
	end(&small);
	end(&s);
}

static void a_full_ring_loses_counted_calls_and_recovers(void **state)
{
	setting s = begin_with(fixture_model(28), NULL);
	uint64_t kept = 0, lost = 0;
	(void)state;
	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < 1000; i++) {
			const int result = fixture_record(s.capture, s.model, (uint64_t)round * 1000 + i);
			kept += result == 1;
			lost += result == -1;
		}
		const score_capture_info full = fixture_info(s.capture);
		assert_true(full.n_kept == kept && full.n_lost_full == lost && lost > 0 && kept + lost == 1000u * ((uint64_t)round + 1) + (uint64_t)round);
		assert_int_equal(score_capture_drain(s.capture, NULL, NULL), SCORE_OK);
		const score_capture_info drained = fixture_info(s.capture);
		assert_true(drained.n_written == kept && drained.ring_used == 0);
		assert_int_equal(fixture_record(s.capture, s.model, 0), 1); /* there is room again */
		kept++;
		assert_int_equal(score_capture_drain(s.capture, NULL, NULL), SCORE_OK);
	}
	assert_int_equal(fixture_read(&s.directory, NULL, 0), kept);
	end(&s);
}

/* Found by fuzzing: a record whose place follows padding at the end of the ring, and which comes first in a segment, stayed in the
 * ring; freeing the capture then lost it. */
static void every_drain_empties_the_ring(void **state)
{
	(void)state;
	enum { N_CALLS = 300 }; /* three times around */
	setting s = begin_with(fixture_model(60), NULL);
	for (uint64_t i = 0; i < N_CALLS; i++) {
		assert_int_equal(fixture_record(s.capture, s.model, i), 1);
		assert_int_equal(score_capture_rotate(s.capture, NULL), SCORE_OK);
		assert_int_equal(fixture_info(s.capture).n_written, i + 1);
		assert_int_equal(fixture_info(s.capture).ring_used, 0);
	}
	assert_int_equal(fixture_read(&s.directory, NULL, N_CALLS), N_CALLS);
	end(&s);
}

static void samples_are_as_large_as_they_should_be(void **state)
{
	static const double fractions[] = { 0.5, 0.1, 0.01, 0.999 };
	(void)state;
	for (size_t f = 0; f < 4; f++) {
		score_capture_options o = SCORE_CAPTURE_OPTIONS_INIT;
		const double row = 1;
		const score_input input = score_input_rows_f64(&row, 1, 1);
		int64_t kept = 0, by_id = 0;
		o.sampling_fraction = fractions[f];
		setting s = begin_with(fixture_model(1), &o), again = begin_with(fixture_model(1), &o);
		score_call call = fixture_call(s.model, &input, &row, 1), same = fixture_call(again.model, &input, &row, 1);
		for (int i = 0; i < 10000; i++) {
			kept += score_capture_record(s.capture, &call);
			assert_int_equal(score_capture_drain(s.capture, NULL, NULL), SCORE_OK);
		}
		/* By a count: within two of what is asked for. */
		assert_true(fabs((double)kept - 10000 * fractions[f]) <= 2);
		for (int i = 0; i < 10000; i++) {
			char id[16];
			snprintf(id, sizeof id, "id-%d", i);
			call.request_id = same.request_id = id;
			const int result = score_capture_record(s.capture, &call);
			assert_int_equal(result, score_capture_record(again.capture, &same));
			by_id += result;
			if (i % 100 == 0)
				assert_true(score_capture_drain(s.capture, NULL, NULL) == SCORE_OK && score_capture_drain(again.capture, NULL, NULL) == SCORE_OK);
		}
		/* By a hash: within five standard deviations of a fair draw. */
		assert_true(fabs((double)by_id - 10000 * fractions[f]) <= 5 * sqrt(10000 * fractions[f] * (1 - fractions[f])));
		reopen(&s);
		assert_true(next(&s)->sampling_fraction == fractions[f]);
		assert_int_equal(fixture_info(s.capture).n_sampled_out, 20000 - kept - by_id);
		end(&again);
		end(&s);
	}
}

/* ---- models --------------------------------------------------------------------------------------------- */

static void models_come_and_go(void **state)
{
	setting s = begin_with(fixture_model(2), NULL);
	(void)state;
	assert_int_equal(fixture_record(s.capture, s.model, 0), 1);
	for (uint64_t i = 1; i <= 3000; i++) {
		score_model *model = fixture_model(1 + (uint32_t)i % 3);
		assert_int_equal(score_capture_add_model(s.capture, model, NULL), SCORE_OK);
		assert_int_equal(score_capture_add_model(s.capture, model, NULL), SCORE_OK);
		assert_int_equal(fixture_record(s.capture, model, i), 1);
		score_capture_remove_model(s.capture, model);
		assert_int_equal(fixture_record(s.capture, model, i), -1);
		score_capture_remove_model(s.capture, model);
		score_model_free(model);
		assert_int_equal(score_capture_drain(s.capture, NULL, NULL), SCORE_OK);
	}
	bool *seen = calloc(3001, sizeof *seen);
	assert_int_equal(fixture_read(&s.directory, seen, 3001), 3001);
	free(seen);
	end(&s);
}

static void a_thousand_models_at_a_time_and_not_more(void **state)
{
	static score_model *models[1024];
	setting s = begin_with(fixture_model(1), NULL);
	score_error error;
	(void)state;
	for (int i = 0; i < 1024; i++) {
		models[i] = fixture_model(1);
		assert_int_equal(score_capture_add_model(s.capture, models[i], &error), i < 1023 ? SCORE_OK : SCORE_ERR_LIMIT);
	}
	assert_non_null(strstr(error.message, "1024 models"));
	score_capture_remove_model(s.capture, models[0]);
	assert_int_equal(score_capture_add_model(s.capture, models[1023], NULL), SCORE_OK);
	assert_int_equal(fixture_record(s.capture, models[1023], 5), 1);
	for (int i = 0; i < 1024; i++)
		score_model_free(models[i]);
	end(&s);
}

/* ---- options -------------------------------------------------------------------------------------------- */

static void refuse(score_capture_options o, score_status status, const char *name)
{
	score_capture *capture = (score_capture *)&o;
	score_error error;
	assert_int_equal(score_capture_new(&o, &capture, &error), status);
	assert_null(capture);
	assert_int_equal(error.code, status);
	if (!strstr(error.message, name))
		fail_msg("\"%s\" does not name %s", error.message, name);
}

static void bad_options_are_refused_by_name(void **state)
{
	fixture_directory d;
	(void)state;
	fixture_directory_make(&d);
	const score_capture_options good = fixture_options(&d);
	score_capture_options o = good;
#define REFUSE(MEMBER, VALUE, STATUS) \
	(o = good, o.MEMBER = (VALUE), refuse(o, (STATUS), #MEMBER))
	REFUSE(directory, NULL, SCORE_ERR_ARGUMENT);
	REFUSE(directory, "/nowhere/at/all", SCORE_ERR_IO);
	REFUSE(directory, "/dev/null", SCORE_ERR_IO);
	REFUSE(prefix, "", SCORE_ERR_ARGUMENT);
	REFUSE(prefix, "a/b", SCORE_ERR_ARGUMENT);
	REFUSE(prefix, "..", SCORE_ERR_ARGUMENT);
	REFUSE(sampling_fraction, -0.1, SCORE_ERR_ARGUMENT);
	REFUSE(sampling_fraction, 1.1, SCORE_ERR_ARGUMENT);
	REFUSE(sampling_fraction, (double)NAN, SCORE_ERR_ARGUMENT);
	REFUSE(ring_bytes, 100, SCORE_ERR_ARGUMENT);
	REFUSE(ring_bytes, UINT64_MAX, SCORE_ERR_ARGUMENT);
	REFUSE(max_record_bytes, 65536, SCORE_ERR_ARGUMENT); /* more than a quarter of the ring */
	REFUSE(max_record_bytes, 10, SCORE_ERR_ARGUMENT);
	REFUSE(segment_bytes, 10, SCORE_ERR_ARGUMENT);
	REFUSE(segment_age_ns, -1, SCORE_ERR_ARGUMENT);
	REFUSE(sync, 3, SCORE_ERR_ARGUMENT);
	REFUSE(struct_size, 3, SCORE_ERR_ARGUMENT);
#undef REFUSE
	assert_int_equal(score_capture_new(&good, NULL, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_capture_drain(NULL, NULL, NULL), SCORE_ERR_ARGUMENT);
	assert_int_equal(score_capture_add_model(NULL, NULL, NULL), SCORE_ERR_ARGUMENT);
	score_capture_free(NULL);
	fixture_directory_remove(&d);
}

/* ---- no system calls ------------------------------------------------------------------------------------ */

/* In strict mode the kernel kills a process that asks it for anything but to read, to write and to end. */
static void recording_makes_no_system_calls(void **state)
{
	score_capture_options o = SCORE_CAPTURE_OPTIONS_INIT;
	o.sampling_fraction = 0.5;
	setting s = begin_with(fixture_model(28), &o);
	static const double row[28];
	double out;
	const score_input input = score_input_rows_f64(row, 1, 28);
	int status;
	(void)state;
	score_call call = fixture_call(s.model, &input, &out, 1);
	fflush(NULL);
	const pid_t child = fork();
	if (child == 0) {
		char ids[64][8];
		for (int i = 0; i < 64; i++)
			snprintf(ids[i], sizeof ids[i], "r%d", i);
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
			_exit(77);
		for (int i = 0; i < 100000; i++) { /* until the ring is full, and on */
			call.request_id = i % 2 ? ids[i % 64] : NULL;
			score_capture_record(s.capture, &call);
		}
		syscall(SYS_exit, 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_fields_come_back),
		cmocka_unit_test(numbers_keep_their_bits),
		cmocka_unit_test(rows_are_in_the_order_of_the_features),
		cmocka_unit_test(columns_of_every_type_come_back),
		cmocka_unit_test(strings_and_large_integers_come_back),
		cmocka_unit_test(sparse_rows_come_back_dense),
		cmocka_unit_test(failed_calls_are_kept_without_their_rows),
		cmocka_unit_test(large_calls_are_split_by_rows),
		cmocka_unit_test(what_does_not_fit_is_counted),
		cmocka_unit_test(a_full_ring_loses_counted_calls_and_recovers),
		cmocka_unit_test(every_drain_empties_the_ring),
		cmocka_unit_test(samples_are_as_large_as_they_should_be),
		cmocka_unit_test(models_come_and_go),
		cmocka_unit_test(a_thousand_models_at_a_time_and_not_more),
		cmocka_unit_test(bad_options_are_refused_by_name),
		cmocka_unit_test(recording_makes_no_system_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
