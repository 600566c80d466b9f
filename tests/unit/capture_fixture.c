#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700
#include "capture_fixture.h"

#include <scoreline/build.h>

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

score_model *fixture_model(uint32_t n_features)
{
	score_contract contract = SCORE_CONTRACT_INIT(n_features, 1);
	score_builder *b;
	score_model *model;
	double *weights = calloc(n_features, sizeof *weights);
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	for (uint32_t i = 0; i < n_features; i++)
		weights[i] = 0.25 * (i % 5) - 0.3;
	assert_int_equal(score_builder_set_feature(b, 0, "amount", SCORE_FEATURE_NUMERIC, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, weights, 0, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_link(b, SCORE_LINK_SIGMOID, 1, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_metadata(b, "name", "fraud_model", NULL), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
	score_builder_free(b);
	free(weights);
	return model;
}

score_model *fixture_string_model(void)
{
	static const char *const cities[] = { "", "K\xc3\xb6ln", "Bonn" };
	score_contract contract = SCORE_CONTRACT_INIT(3, 1);
	const uint32_t set[2] = { 1, 2 };
	const score_node nodes[5] = { { 1, 2, 1, SCORE_TEST_IN_LEFT, 0, 0, 0, 0, 2, 0, 0 },
		{ 3, 4, 0, SCORE_TEST_LE, 0, 0, 1.5, 0, 0, 0, 0 }, { 0, 0, 0, SCORE_TEST_LEAF, 0, 0, 0.5, 0, 0, 2, 0 },
		{ 0, 0, 0, SCORE_TEST_LEAF, 0, 0, -0.5, 0, 0, 3, 0 }, { 0, 0, 0, SCORE_TEST_LEAF, 0, 0, 7, 0, 0, 4, 0 } };
	score_tree tree = SCORE_TREE_INIT;
	score_builder *b;
	score_model *model;
	tree.nodes = nodes;
	tree.n_nodes = 5;
	tree.categories = set;
	tree.n_categories = 2;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	for (uint32_t i = 1; i < 3; i++) {
		assert_int_equal(score_builder_set_feature(b, i, i == 1 ? "city" : "shop", SCORE_FEATURE_CATEGORY, NULL), SCORE_OK);
		assert_int_equal(score_builder_set_dictionary(b, i, cities, NULL, 3, -1, 0, NULL), SCORE_OK);
	}
	assert_int_equal(score_builder_add_tree(b, &tree, NULL), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
	score_builder_free(b);
	return model;
}

/* ---- directories ------------------------------------------------------------------------------------- */

const char *fixture_base(void)
{
	const char *base = getenv("TMPDIR");
	return base ? base : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

void fixture_directory_make(fixture_directory *d)
{
	snprintf(d->path, sizeof d->path, "%s/capture-XXXXXX", fixture_base());
	assert_non_null(mkdtemp(d->path));
}

static bool ends_so(const char *name, const char *ending)
{
	const size_t n = strlen(name), m = strlen(ending);
	return n >= m && strcmp(name + n - m, ending) == 0;
}

void fixture_directory_remove(const fixture_directory *d)
{
	char path[600];
	DIR *directory = opendir(d->path);
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		snprintf(path, sizeof path, "%s/%s", d->path, entry->d_name);
		if (entry->d_name[0] != '.')
			assert_int_equal(unlink(path), 0);
	}
	closedir(directory);
	assert_int_equal(rmdir(d->path), 0);
}

size_t fixture_count(const fixture_directory *d, const char *ending)
{
	DIR *directory = opendir(d->path);
	size_t n = 0;
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		n += ends_so(entry->d_name, ending);
	closedir(directory);
	return n;
}

void fixture_segment(const fixture_directory *d, const char *ending, char *path, size_t size)
{
	DIR *directory = opendir(d->path);
	assert_non_null(directory);
	assert_int_equal(fixture_count(d, ending), 1);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		if (ends_so(entry->d_name, ending))
			snprintf(path, size, "%s/%s", d->path, entry->d_name);
	closedir(directory);
}

/* ---- captures ---------------------------------------------------------------------------------------- */

score_capture_options fixture_options(const fixture_directory *d)
{
	score_capture_options o = SCORE_CAPTURE_OPTIONS_INIT;
	o.directory = d->path;
	o.ring_bytes = 65536;
	return o;
}

score_capture *fixture_capture(const fixture_directory *d)
{
	const score_capture_options o = fixture_options(d);
	score_capture *capture;
	score_error error;
	if (score_capture_new(&o, &capture, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	return capture;
}

score_capture_info fixture_info(const score_capture *capture)
{
	score_capture_info info = { .struct_size = sizeof info };
	assert_int_equal(score_capture_get_info(capture, &info), SCORE_OK);
	return info;
}

score_call fixture_call(const score_model *model, const score_input *input, const double *out, size_t out_width)
{
	score_call call = SCORE_CALL_INIT;
	call.model = model;
	call.input = input;
	call.out = out;
	call.out_width = out_width;
	call.started_unix_ns = 1764243181000000123;
	call.latency_ns = 4711;
	call.endpoint = "fraud-detection-endpoint";
	call.served_name = "fraud_model-1";
	call.entity_name = "fraud_model";
	call.entity_version = "1";
	return call;
}

#define MAX_FEATURES 64

static double value_of(uint64_t i, uint32_t feature)
{
	return (double)(i * 31 + feature * 7 % 1000) / 8;
}

static double output_of(uint64_t i)
{
	return 1.0 / (3.0 + (double)i);
}

int fixture_record(score_capture *capture, const score_model *model, uint64_t i)
{
	score_model_info info = { .struct_size = sizeof info };
	double row[MAX_FEATURES];
	char id[24];
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	assert_true(info.n_features <= MAX_FEATURES);
	for (uint32_t k = 0; k < info.n_features; k++)
		row[k] = value_of(i, k);
	const double out = output_of(i);
	const score_input input = score_input_rows_f64(row, 1, info.n_features);
	score_call call = fixture_call(model, &input, &out, 1);
	snprintf(id, sizeof id, "r%llu", (unsigned long long)i);
	call.request_id = id;
	call.started_unix_ns += (int64_t)i;
	return score_capture_record(capture, &call);
}

static void check_call(const score_log_call *call, uint64_t i)
{
	assert_int_equal(call->n_rows, 1);
	assert_int_equal(call->call_rows, 1);
	assert_int_equal(call->out_width, 1);
	assert_true(call->outputs[0] == output_of(i));
	assert_true(call->started_unix_ns == 1764243181000000123 + (int64_t)i);
	assert_string_equal(call->endpoint, "fraud-detection-endpoint");
	assert_string_equal(call->entity_version, "1");
	for (uint32_t k = 0; k < call->model->n_features; k++) {
		assert_int_equal(call->inputs[k].kind, SCORE_LOG_NUMBER);
		assert_true(call->inputs[k].u.number == value_of(i, k));
	}
}

uint64_t fixture_read(const fixture_directory *d, bool *seen, uint64_t n)
{
	const char *paths[] = { d->path };
	const score_log_call *call;
	score_log *log;
	score_error error;
	uint64_t count = 0;
	assert_int_equal(score_log_open(paths, 1, NULL, &log, &error), SCORE_OK);
	for (;;) {
		if (score_log_next(log, &call, &error) != SCORE_OK)
			fail_msg("%s", error.message);
		if (!call)
			break;
		assert_int_equal(call->request_id[0], 'r');
		const uint64_t i = strtoull(call->request_id + 1, NULL, 10);
		check_call(call, i);
		if (seen) {
			assert_true(i < n);
			assert_false(seen[i]);
			seen[i] = true;
		}
		count++;
	}
	score_log_close(log);
	return count;
}
