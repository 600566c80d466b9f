/*
 * Codes instead of rows (SCORE_BINNED) wherever rows are served and watched: keys per row, shadows, statistics, references, the log. Codes
 * hold no values: what needs values says so, or goes without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture_fixture.h"
#include "expect_error.h"
#include "served_models.h"

#include <scoreline/bins.h>
#include <scoreline/build.h>
#include <scoreline/endpoint.h>
#include <scoreline/statistics.h>

enum { ROWS = 1300 };

static score_error error;
static score_model *models[2]; /* with the same bins; the second answers a hundred times as much */
static double rows[ROWS][2], expected[2][ROWS], out[ROWS];
static uint8_t codes[2][ROWS];
static score_input binned;

static score_model *make_model(double scale)
{
	static const double cuts[] = {10, 20};
	score_contract contract = SCORE_CONTRACT_INIT(2, 1);
	score_builder *b;
	score_model *model;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	for (uint32_t i = 0; i < 2; i++) {
		const score_node nodes[] = {{.left = 1, .right = 2, .feature = i, .test = SCORE_TEST_LE, .value = cuts[i]},
			{.test = SCORE_TEST_LEAF, .value = scale * (1 + i)}, {.test = SCORE_TEST_LEAF, .value = scale * 7}};
		score_tree tree = SCORE_TREE_INIT;
		tree.nodes = nodes;
		tree.n_nodes = 3;
		assert_int_equal(score_builder_add_tree(b, &tree, &error), SCORE_OK);
	}
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	score_builder_free(b);
	return model;
}

static int begin(void **state)
{
	score_bins bins = SCORE_BINS_INIT;
	(void)state;
	for (int r = 0; r < ROWS; r++) {
		rows[r][0] = r % 21;
		rows[r][1] = r % 37;
	}
	const score_input in = score_input_rows_f64(rows[0], ROWS, 2);
	for (int i = 0; i < 2; i++) {
		models[i] = make_model(i ? 100 : 1);
		assert_int_equal(score_batch(models[i], &in, expected[i], ROWS, NULL, NULL), SCORE_OK);
	}
	assert_int_equal(score_model_get_bins(models[0], &bins), SCORE_OK);
	assert_true(bins.n_columns == 2 && bins.code_bytes == 1);
	assert_int_equal(score_bin(models[0], &in, NULL, codes, sizeof codes, sizeof codes[0], &error), SCORE_OK);
	binned = score_input_binned(&bins, codes, sizeof codes[0], ROWS);
	return 0;
}

static int end(void **state)
{
	(void)state;
	score_model_free(models[0]);
	score_model_free(models[1]);
	return 0;
}

static score_endpoint *serve(int32_t first, int32_t second, score_observer *observer)
{
	return two_versions(models[0], models[1], first, second, NULL, observer);
}

/* With and without scratch: rows of codes are never copied together, so they need none. */
static void a_key_per_row(void **state)
{
	static _Alignas(64) char scratch[1 << 18];
	static int64_t numbers[ROWS];
	static uint32_t served[ROWS];
	score_endpoint *endpoint = serve(50, 50, NULL);
	score_endpoint_reader *reader;
	(void)state;
	for (int r = 0; r < ROWS; r++)
		numbers[r] = r * 7919;
	const score_column keys = {.values = numbers, .dtype = SCORE_I64};
	assert_int_equal(score_endpoint_reader_new(endpoint, &reader, NULL), SCORE_OK);
	for (size_t bytes = 0; bytes <= sizeof scratch; bytes += sizeof scratch) {
		score_request request = SCORE_REQUEST_INIT;
		int n_of[2] = {0};
		request.row_keys = &keys;
		request.row_served = served;
		request.scratch = scratch;
		request.scratch_bytes = bytes;
		memset(out, 0, sizeof out);
		if (score_endpoint_batch(reader, &binned, out, ROWS, &request, NULL, &error) != SCORE_OK)
			fail_msg("%s", error.message);
		for (int r = 0; r < ROWS; r++) {
			assert_in_range(served[r], 0, 1);
			assert_true(out[r] == expected[served[r]][r]);
			n_of[served[r]]++;
		}
		assert_true(n_of[0] > 500 && n_of[1] > 500);
	}
	score_endpoint_reader_free(reader);
	score_endpoint_free(endpoint);
}

static int64_t n_shadow_rows;

static void check_shadow(void *context, const score_call *call)
{
	(void)context;
	if (!(call->flags & SCORE_CALL_SHADOW))
		return;
	assert_int_equal(call->status, SCORE_OK);
	for (int64_t r = 0; r < call->input->n_rows; r++)
		assert_true(call->out[r] == expected[1][n_shadow_rows + r]);
	n_shadow_rows += call->input->n_rows;
}

static void shadows_a_few_at_a_time(void **state)
{
	score_observer observer = {check_shadow, NULL};
	score_endpoint *endpoint = serve(100, 0, &observer);
	score_endpoint_reader *reader;
	const char *const shadows[] = {"m-2"};
	(void)state;
	assert_int_equal(score_endpoint_reader_new(endpoint, &reader, NULL), SCORE_OK);
	assert_int_equal(score_endpoint_set_shadows(endpoint, shadows, 1, NULL), SCORE_OK);
	n_shadow_rows = 0;
	assert_int_equal(score_endpoint_batch(reader, &binned, out, ROWS, NULL, NULL, NULL), SCORE_OK);
	assert_int_equal(n_shadow_rows, ROWS);
	assert_memory_equal(out, expected[0], sizeof out);
	score_endpoint_reader_free(reader);
	score_endpoint_free(endpoint);
}

static score_call finished_call(void)
{
	score_call call = SCORE_CALL_INIT;
	call.model = models[0];
	call.input = &binned;
	call.out = expected[0];
	call.out_width = 1;
	return call;
}

/* Scores are counted; features are not, and the snapshot says so. */
static void statistics(void **state)
{
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	score_snapshot_info info = {.struct_size = sizeof info};
	score_histogram feature = {.struct_size = sizeof feature};
	score_statistics *counts;
	score_snapshot *snapshot;
	const score_call call = finished_call();
	(void)state;
	o.sample_every = 1;
	assert_int_equal(score_statistics_new(models[0], &o, &counts, NULL), SCORE_OK);
	score_statistics_record(counts, &call);
	assert_int_equal(score_statistics_snapshot(counts, &snapshot, NULL), SCORE_OK);
	assert_int_equal(score_snapshot_get_info(snapshot, &info), SCORE_OK);
	assert_true(info.calls == 1 && info.rows == ROWS && info.unscored_rows == 0);
	assert_int_equal(info.sampled_rows, 0);
	assert_int_equal(score_snapshot_feature(snapshot, 0, &feature), SCORE_OK);
	assert_int_equal(feature.missing, 0);
	score_snapshot_free(snapshot);
	score_statistics_free(counts);
}

static void no_reference(void **state)
{
	score_snapshot *reference = (score_snapshot *)&error;
	(void)state;
	expect_error(score_reference_new(models[0], &binned, NULL, &reference, &error), &error, SCORE_ERR_UNSUPPORTED,
		"a reference counts the values of features, and codes (SCORE_BINNED) hold none: give the rows");
	assert_null(reference);
}

static void no_log(void **state)
{
	fixture_directory d;
	const score_call call = finished_call();
	(void)state;
	fixture_directory_make(&d);
	score_capture *capture = fixture_capture(&d);
	assert_int_equal(score_capture_add_model(capture, models[0], NULL), SCORE_OK);
	assert_int_equal(score_capture_record(capture, &call), -1);
	assert_int_equal(fixture_info(capture).n_lost_invalid, 1);
	score_capture_free(capture);
	fixture_directory_remove(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_per_row),
		cmocka_unit_test(shadows_a_few_at_a_time),
		cmocka_unit_test(statistics),
		cmocka_unit_test(no_reference),
		cmocka_unit_test(no_log),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
