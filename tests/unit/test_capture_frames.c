/*
 * Frames: they fit as a whole or leave nothing, in every size of a buffer; and what the reader makes of frames that anyone could write,
 * their checksums being right.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deploy/capture_parts.h"
#include "deploy/log_parts.h"
#include "expect_error.h"

static score_error error;

static const char *const features[] = {"amount", "town"};
static const char *const labels[] = {"no", "yes"};
static const uint8_t types[] = {SCORE_FEATURE_NUMERIC, SCORE_FEATURE_CATEGORY};

static const capture_model model = {.number = 0, .n_features = 2, .name = "fraud", .link = "sigmoid", .features = (const char **)features,
	.types = (uint8_t *)types, .n_labels = 2, .labels = (const char **)labels, .info = {.n_outputs = 1, .n_predictions = 2}};

typedef struct record {
	capture_record head;
	unsigned char rest[256];
} record;

/* Two rows of two outputs, of which one is NaN, and of two features of the form. */
static record make_record(capture_cells form)
{
	static const double outputs[] = {0.25, (double)NAN, -0.0, 1e300}, f64[] = {1, (double)NAN, 0.1, -70000};
	static const float f32[] = {1, NAN, 0.5f, 3e38f};
	const int64_t integer = INT64_MIN;
	const uint64_t number = UINT64_MAX;
	const uint32_t length = 4;
	record r = {.head = {&model, 1, 2, 2, 0, 2, 2, SCORE_OK, SCORE_OUTPUT_PREDICTION, 0, form, 0, {3, TEXT_NULL, 0, TEXT_NULL, 1}}};
	unsigned char *to = r.rest;
	memcpy(to, outputs, sizeof outputs);
	to += sizeof outputs;
	if (form == CELLS_TAGGED) {
		*to++ = CELL_TEXT;
		memcpy(to, &length, 4);
		memcpy(to + 4, "Oslo", 4);
		to += 8;
		*to++ = CELL_MISSING;
		*to++ = CELL_I64;
		memcpy(to, &integer, 8);
		to += 8;
		*to++ = CELL_U64;
		memcpy(to, &number, 8);
		to += 8;
	} else {
		const size_t size = form == CELLS_F32 ? sizeof f32 : sizeof f64;
		memcpy(to, form == CELLS_F32 ? (const void *)f32 : f64, size);
		to += size;
	}
	r.head.cell_bytes = (uint32_t)((size_t)(to - r.rest) - sizeof outputs);
	memcpy(to, "r-11", 4);
	return r;
}

enum { WRITE_HEADER, WRITE_MODEL, WRITE_F32, WRITE_F64, WRITE_TAGGED, N_WRITERS };

static bool write_frame(int which, unsigned char *buffer, size_t size, size_t *used)
{
	static const capture_cells forms[] = {[WRITE_F32] = CELLS_F32, [WRITE_F64] = CELLS_F64, [WRITE_TAGGED] = CELLS_TAGGED};
	if (which == WRITE_HEADER) {
		score_capture *c = calloc(1, sizeof *c);
		const bool done = deploy_frame_header(buffer, size, used, c, 1764243181000000123);
		free(c);
		return done;
	}
	if (which == WRITE_MODEL)
		return deploy_frame_model(buffer, size, used, &model);
	const record r = make_record(forms[which]);
	return deploy_frame_call(buffer, size, used, &r.head, 0.5);
}

static void frames_fit_whole_or_not_at_all(void **state)
{
	(void)state;
	for (int which = 0; which < N_WRITERS; which++) {
		unsigned char buffer[512], whole[512];
		size_t used = 7, full;
		assert_true(write_frame(which, whole, sizeof whole, &used));
		full = used;
		for (size_t size = 7; size <= full; size++) {
			used = 7;
			memset(buffer, 0xa5, sizeof buffer);
			assert_int_equal(write_frame(which, buffer, size, &used), size == full);
			assert_int_equal(used, size == full ? full : 7);
			for (size_t i = 0; i < sizeof buffer; i++)
				if (i < 7 || i >= size)
					assert_int_equal(buffer[i], 0xa5);
			if (size == full)
				assert_memory_equal(buffer + 7, whole + 7, full - 7);
		}
	}
}

/* By their first byte: a small whole number, a float or a double, whichever is the shortest that has its bits. */
static void numbers_take_the_shortest_form(void **state)
{
	static const struct {
		double number;
		unsigned char form;
		size_t size;
	} numbers[] = {{5, 0x05, 1}, {-1, 0xff, 1}, {65535, 0xcd, 3}, {-32768, 0xd1, 3}, {65536, 0xca, 5}, {-32769, 0xca, 5}, {0.5, 0xca, 5},
		{-0.5, 0xca, 5}, {-0.0, 0xca, 5}, {3e38f, 0xca, 5}, {-3e38f, 0xca, 5}, {0.1, 0xcb, 9}, {-0.1, 0xcb, 9}, {1e300, 0xcb, 9}};
	record empty = {.head = {&model, 1, 2, 1, 0, 1, 0, SCORE_OK, SCORE_OUTPUT_PREDICTION, 0, CELLS_NONE, 0,
		{TEXT_NULL, TEXT_NULL, TEXT_NULL, TEXT_NULL, TEXT_NULL}}};
	unsigned char buffer[256];
	size_t without = 0;
	(void)state;
	assert_true(deploy_frame_call(buffer, sizeof buffer, &without, &empty.head, 0.5));
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		record r = empty;
		size_t used = 0;
		r.head.out_width = 1;
		memcpy(r.rest, &numbers[i].number, sizeof(double));
		assert_true(deploy_frame_call(buffer, sizeof buffer, &used, &r.head, 0.5));
		if (used - without != numbers[i].size || buffer[used - 8 - numbers[i].size] != numbers[i].form)
			fail_msg("%g takes %zu bytes, of which the first is %#x", numbers[i].number, used - without, buffer[used - 8 - numbers[i].size]);
	}
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

typedef struct reading {
	log_models models;
	sl_arena arena;
	score_log_call call;
	bool is_call;
} reading;

static void start(reading *r, size_t limit)
{
	const score_allocator a = sl_allocator(NULL);
	memset(r, 0, sizeof *r);
	sl_arena_init(&r->models.arena, &a, 0);
	sl_arena_init(&r->arena, &a, limit);
	sl_vector_init(&r->models.by_number, &a, sizeof(score_log_model *));
}

static void stop(reading *r)
{
	sl_arena_free(&r->models.arena);
	sl_arena_free(&r->arena);
	sl_vector_free(&r->models.by_number);
}

static score_status read_body(reading *r, const void *body, size_t size, bool is_first)
{
	return deploy_log_frame(body, size, is_first, &r->models, &r->arena, &r->call, &r->is_call, &error);
}

static void body_refused(reading *r, const char *body, size_t size, bool is_first, const char *message)
{
	expect_error(read_body(r, body, size, is_first), &error, SCORE_ERR_CORRUPT, message);
}

/* A frame as it was written: behind its length, before its checksum. */
static score_status read_written(reading *r, int which)
{
	unsigned char buffer[512];
	size_t used = 0;
	assert_true(write_frame(which, buffer, sizeof buffer, &used));
	return read_body(r, buffer + 4, used - 12, which == WRITE_HEADER);
}

static void nan_is_an_output_and_no_input(void **state)
{
	reading r;
	(void)state;
	start(&r, 0);
	assert_int_equal(read_written(&r, WRITE_MODEL), SCORE_OK);
	for (int which = WRITE_F32; which <= WRITE_TAGGED; which++) {
		assert_int_equal(read_written(&r, which), SCORE_OK);
		assert_true(r.is_call && r.call.outputs[0] == 0.25 && isnan(r.call.outputs[1]) && signbit(r.call.outputs[2]));
		assert_int_equal(r.call.inputs[1].kind, SCORE_LOG_MISSING);
		assert_string_equal(r.call.request_id, "r-1");
		assert_string_equal(r.call.served_name, "");
		assert_string_equal(r.call.entity_version, "1");
		assert_null(r.call.endpoint);
	}
	assert_string_equal(r.call.inputs[0].u.text, "Oslo");
	assert_true(r.call.inputs[2].u.integer == INT64_MIN && r.call.inputs[3].u.unsigned_integer == UINT64_MAX);
	stop(&r);
}

static void headers(void **state)
{
	reading r;
	(void)state;
	start(&r, 0);
	assert_int_equal(read_written(&r, WRITE_HEADER), SCORE_OK);
	/* A version that stands behind the array; one that is not known. */
	body_refused(&r, "\x91\x00\x01", 3, true, "the frame of a segment's header has not the items that it should have");
	expect_error(read_body(&r, "\x92\x00\x02", 3, true), &error, SCORE_ERR_VERSION,
		"this segment has version 2, this library reads 1: use a newer one");
	body_refused(&r, "\x92\x00\x01", 3, false, "the header of a segment stands in the middle of it");
	body_refused(&r, "\x92\x01\x01", 3, true, "the first frame is not the header of a segment");
	body_refused(&r, "\x90\x00", 2, false, "the frame of a record has not the items that it should have");
	assert_int_equal(read_body(&r, "\x91\x07", 2, false), SCORE_OK); /* of a later version */
	assert_false(r.is_call);
	stop(&r);
}

#define HASH "\xc4\x10" "0123456789abcdef"

static void models(void **state)
{
	static const char nine[] = "\x99\x01\x00" HASH "\xc0\xc0\x01\x01\x91\xa1" "a\x91\x00\x90", two_types[] =
		"\x9a\x01\x00" HASH "\xc0\xc0\x01\x01\x91\xa1" "a\x92\x00\x00\x90", good[] = "\x9a\x01\x03" HASH "\xc0\xc0\x01\x01\x91\xa1" "a\x91\x00\x90";
	const char *const message = "the frame of a model has not the items that it should have";
	reading r;
	(void)state;
	start(&r, 0);
	body_refused(&r, nine, sizeof nine - 1, false, message);
	body_refused(&r, two_types, sizeof two_types - 1, false, message);
	assert_int_equal(read_body(&r, good, sizeof good - 1, false), SCORE_OK);
	assert_int_equal(r.models.by_number.length, 4);
	/* Number 1 has not been described, number 9 lies behind them all. */
	static const char call[] = "\xdc\x00\x13\x02\x01\x00\x00\x00\x00\x01\x00\x01\x00\x01\x01\xc0\xc0\xc0\xc0\xc0\x91\x05\x91\x06";
	char changed[sizeof call];
	memcpy(changed, call, sizeof call);
	for (int number = 1; number < 10; number += 8) {
		changed[4] = (char)number;
		body_refused(&r, changed, sizeof call - 1, false, "a call names a model that the segment has not described");
	}
	changed[4] = 3;
	assert_int_equal(read_body(&r, changed, sizeof call - 1, false), SCORE_OK);
	assert_true(r.is_call && r.call.inputs[0].u.number == 5 && r.call.outputs[0] == 6);
	stop(&r);
}

/* Products of what a call says overflow nowhere. */
static void calls_of_impossible_sizes(void **state)
{
	static const char no_features[] = "\x9a\x01\x00" HASH "\xc0\xc0\x01\x01\x90\x90\x90";
	static const char huge[] = "\xdc\x00\x13\x02\x00\x00\x00\x00\x00\x01\x00\x01\x00"
		"\xce\xff\xff\xff\xff\xce\xff\xff\xff\xff\xc0\xc0\xc0\xc0\xc0\x90\x90";
	reading r;
	(void)state;
	start(&r, 0);
	assert_int_equal(read_body(&r, no_features, sizeof no_features - 1, false), SCORE_OK);
	body_refused(&r, huge, sizeof huge - 1, false, "the frame of a call has not the items that it should have");
	stop(&r);
}

static void empty_texts_are_texts(void **state)
{
	static const char one_feature[] = "\x9a\x01\x00" HASH "\xc0\xc0\x01\x01\x91\xa1" "a\x91\x00\x90";
	static const char call[] = "\xdc\x00\x13\x02\x00\x00\x00\x00\x00\x01\x00\x01\x00\x01\x00\xc0\xc0\xc0\xc0\xc0\x91\xa0\x90";
	reading r;
	(void)state;
	start(&r, 0);
	assert_int_equal(read_body(&r, one_feature, sizeof one_feature - 1, false), SCORE_OK);
	assert_int_equal(read_body(&r, call, sizeof call - 1, false), SCORE_OK);
	assert_int_equal(r.call.inputs[0].kind, SCORE_LOG_TEXT);
	assert_string_equal(r.call.inputs[0].u.text, "");
	stop(&r);
}

static void memory_is_limited(void **state)
{
	reading r;
	(void)state;
	start(&r, 64);
	assert_int_equal(read_written(&r, WRITE_MODEL), SCORE_OK); /* models have their own arena */
	expect_error(read_written(&r, WRITE_TAGGED), &error, SCORE_ERR_LIMIT, "a call needs more memory than max_memory_bytes allows");
	stop(&r);
	score_status status = SCORE_ERR_LIMIT;
	for (size_t limit = 128; status != SCORE_OK; limit += 16) { /* it ends at each of its parts */
		start(&r, limit);
		assert_int_equal(read_written(&r, WRITE_MODEL), SCORE_OK);
		status = read_written(&r, WRITE_TAGGED);
		assert_true(status == SCORE_OK || status == SCORE_ERR_LIMIT);
		assert_true(limit < 100000);
		stop(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_fit_whole_or_not_at_all),
		cmocka_unit_test(numbers_take_the_shortest_form),
		cmocka_unit_test(nan_is_an_output_and_no_input),
		cmocka_unit_test(headers),
		cmocka_unit_test(models),
		cmocka_unit_test(calls_of_impossible_sizes),
		cmocka_unit_test(empty_texts_are_texts),
		cmocka_unit_test(memory_is_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
