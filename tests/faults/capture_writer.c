/*
 * Writes a capture log for tests of other languages, and dies in the middle of it for tests/faults.
 *
 * capture_writer DIR N                   N calls, then a clean end
 * capture_writer DIR forever PROGRESS    four threads record until someone kills the process; PROGRESS (a
 *                                        file of a uint64_t, mapped) says how many records the library has
 *                                        called written
 *
 * Call i has request id "r<i>", version "1" or "2" as i is even or odd, starts i minutes after 2026-11-27
 * 22:00 UTC and takes 1 + i % 7 milliseconds. Every tenth has three rows, every fifteenth is a shadow, every
 * twenty-fifth failed. Row k has the features amount = (i + k) * 1.5 % 300, merchant_category "grocery",
 * "travel" or missing, distance_from_home = i / 8.
 */
#define _DEFAULT_SOURCE
#include <scoreline/build.h>
#include <scoreline/capture.h>

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define N_THREADS 4

static void check(score_status status, const score_error *error)
{
	if (status == SCORE_OK)
		return;
	fprintf(stderr, "capture_writer: %s\n", error->message);
	exit(1);
}

static const char *const categories[] = { "grocery", "travel" };

static score_model *make_model(void)
{
	static const char *const names[] = { "amount", "merchant_category", "distance_from_home" };
	const score_contract contract = SCORE_CONTRACT_INIT(3, 1);
	const uint32_t travel[1] = { 1 };
	const score_node nodes[5] = { { 1, 2, 0, SCORE_TEST_LE, 0, 0, 100, 0, 0, 0, 0 },
		{ 0, 0, 0, SCORE_TEST_LEAF, 0, 0, 0.125, 0, 0, 1, 0 }, { 3, 4, 1, SCORE_TEST_IN_LEFT, 0, 0, 0, 0, 1, 0, 0 },
		{ 0, 0, 0, SCORE_TEST_LEAF, 0, 0, 0.875, 0, 0, 3, 0 }, { 0, 0, 0, SCORE_TEST_LEAF, 0, 0, 0.375, 0, 0, 4, 0 } };
	score_tree tree = SCORE_TREE_INIT;
	score_builder *b;
	score_model *model;
	score_error error;
	tree.nodes = nodes;
	tree.n_nodes = 5;
	tree.categories = travel;
	tree.n_categories = 1;
	check(score_builder_new(&contract, NULL, &b, &error), &error);
	for (uint32_t i = 0; i < 3; i++)
		check(score_builder_set_feature(b, i, names[i], i == 1 ? SCORE_FEATURE_CATEGORY : SCORE_FEATURE_NUMERIC, &error), &error);
	check(score_builder_set_dictionary(b, 1, categories, NULL, 2, -1, 0, &error), &error);
	check(score_builder_set_metadata(b, "name", "fraud", &error), &error);
	check(score_builder_add_tree(b, &tree, &error), &error);
	check(score_builder_finish(b, &model, &error), &error);
	score_builder_free(b);
	return model;
}

static int record(score_capture *capture, const score_model *model, uint64_t i)
{
	static const int32_t offsets[] = { 0, 7, 13 };
	const score_strings strings = { sizeof strings, offsets, "grocerytravel", (int8_t[3]){ (int8_t)(i % 3), (int8_t)((i + 1) % 3),
		(int8_t)((i + 2) % 3) }, NULL, 2, SCORE_I32, SCORE_I8 };
	double amounts[3], distances[3], out[3];
	char id[32];
	const int64_t n = i % 10 == 9 ? 3 : 1;
	for (int k = 0; k < 3; k++) {
		amounts[k] = fmod((double)(i + (uint64_t)k) * 1.5, 300);
		distances[k] = (double)i / 8;
	}
	const score_column columns[3] = { { .values = amounts, .dtype = SCORE_F64 }, { .values = &strings, .dtype = SCORE_STRING },
		{ .values = distances, .dtype = SCORE_F64 } };
	const score_input input = score_input_columns(columns, n, 3);
	score_call call = SCORE_CALL_INIT;
	score_error error;
	check(score_batch(model, &input, out, 3, NULL, &error), &error);
	snprintf(id, sizeof id, "r%llu", (unsigned long long)i);
	call.model = model;
	call.input = &input;
	call.out = i % 25 == 24 ? NULL : out;
	call.out_width = 1;
	call.status = i % 25 == 24 ? SCORE_ERR_SHAPE : SCORE_OK;
	call.started_unix_ns = 1795816800000000000 + (int64_t)i * 60000000000;
	call.latency_ns = (1 + (int64_t)(i % 7)) * 1000000;
	call.request_id = id;
	call.endpoint = "fraud-detection-endpoint";
	call.served_name = i % 2 ? "fraud_model-2" : "fraud_model-1";
	call.entity_name = "fraud_model";
	call.entity_version = i % 2 ? "2" : "1";
	call.flags = i % 15 == 14 ? SCORE_CALL_SHADOW : 0;
	return score_capture_record(capture, &call);
}

/* ---- until it is killed --------------------------------------------------------------------------------- */

typedef struct worker {
	score_capture *capture;
	const score_model *model;
	uint64_t number;
} worker;

static void *record_forever(void *argument)
{
	const worker *w = argument;
	for (uint64_t i = w->number;; i += N_THREADS)
		while (record(w->capture, w->model, i) == -1)
			usleep(100);
	return NULL;
}

static void run_forever(score_capture *capture, const score_model *model, const char *progress)
{
	const int fd = open(progress, O_RDWR | O_CREAT, 0644);
	worker workers[N_THREADS];
	if (fd < 0 || ftruncate(fd, sizeof(uint64_t)) != 0)
		exit(1);
	_Atomic uint64_t *written = mmap(NULL, sizeof *written, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (written == MAP_FAILED)
		exit(1);
	for (uint64_t i = 0; i < N_THREADS; i++) {
		pthread_t thread;
		workers[i] = (worker){ capture, model, i };
		if (pthread_create(&thread, NULL, record_forever, workers + i) != 0)
			exit(1);
	}
	for (;;) {
		uint64_t n;
		score_error error;
		check(score_capture_drain(capture, &n, &error), &error);
		atomic_fetch_add(written, n);
	}
}

int main(int argc, char **argv)
{
	score_capture_options options = SCORE_CAPTURE_OPTIONS_INIT;
	score_capture *capture;
	score_error error;
	if (argc < 3 || (strcmp(argv[2], "forever") == 0) != (argc == 4)) {
		fprintf(stderr, "usage: capture_writer DIR N | DIR forever PROGRESS\n");
		return 2;
	}
	score_model *model = make_model();
	options.directory = argv[1];
	options.ring_bytes = argc == 4 ? 65536 : 0;
	options.segment_bytes = argc == 4 ? 200000 : 0;
	check(score_capture_new(&options, &capture, &error), &error);
	check(score_capture_add_model(capture, model, &error), &error);
	if (argc == 4)
		run_forever(capture, model, argv[3]);
	for (uint64_t i = 0, n = strtoull(argv[2], NULL, 10); i < n; i++)
		while (record(capture, model, i) == -1)
			check(score_capture_drain(capture, NULL, &error), &error);
	check(score_capture_rotate(capture, &error), &error);
	score_capture_free(capture);
	score_model_free(model);
	return 0;
}
