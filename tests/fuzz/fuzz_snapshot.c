/*
 * Any bytes as a snapshot of statistics: by itself, or, if the first byte is odd, in base64 as the reference in a model's metadata.
 * What is read is looked at, merged, compared, published, and written again with the same bytes.
 */
#include "fuzz.h"

#include <scoreline/build.h>
#include <scoreline/statistics.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *base64(const uint8_t *data, size_t size)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc(size / 3 * 4 + 5), *at = text;
	if (!text)
		abort();
	for (size_t i = 0; i < size; i += 3) {
		const size_t n = size - i < 3 ? size - i : 3;
		const uint32_t v = (uint32_t)data[i] << 16 | (n > 1 ? (uint32_t)data[i + 1] << 8 : 0) | (n > 2 ? data[i + 2] : 0);
		for (size_t k = 0; k < 4; k++)
			*at++ = k <= n ? letters[v >> (18 - 6 * k) & 63] : '=';
	}
	*at = '\0';
	return text;
}

static score_model *model_with(const char *reference)
{
	static const double weights[] = {1.0, 2.0};
	score_contract contract = SCORE_CONTRACT_INIT(2, 1);
	score_builder *b = NULL;
	score_model *model = NULL;
	score_error error;
	score_status status = score_builder_new(&contract, NULL, &b, &error);
	if (status == SCORE_OK)
		status = score_builder_set_linear(b, weights, 0, &error);
	if (status == SCORE_OK && score_builder_set_metadata(b, SCORE_REFERENCE_KEY, reference, &error) == SCORE_OK)
		status = score_builder_finish(b, &model, &error);
	if (status != SCORE_OK)
		fuzz_fail("%s", error.message);
	score_builder_free(b);
	return model;
}

static void check_histogram(const score_histogram *h)
{
	score_error error;
	score_drift drift = {.struct_size = sizeof drift};
	if (h->n_edges > SCORE_MAX_EDGES || strlen(h->name) > 1u << 20)
		fuzz_fail("a histogram of %u edges", h->n_edges);
	for (uint32_t i = 1; i < h->n_edges; i++)
		if (!(h->edges[i - 1] < h->edges[i]))
			fuzz_fail("edges %u of '%s' do not ascend", i, h->name);
	const score_status status = score_drift_of(h, &drift, &error);
	if (status != SCORE_OK)
		fuzz_check_failure(status, NULL, &error);
}

static void look(const score_snapshot *snapshot)
{
	score_snapshot_info info = {.struct_size = sizeof info};
	score_histogram h = {.struct_size = sizeof h};
	if (score_snapshot_get_info(snapshot, &info) != SCORE_OK)
		fuzz_fail("no information");
	for (uint32_t i = 0; i < info.n_features; i++) {
		if (score_snapshot_feature(snapshot, i, &h) != SCORE_OK)
			fuzz_fail("no feature %u", i);
		check_histogram(&h);
	}
	for (uint32_t i = 0; i < info.n_scores; i++) {
		if (score_snapshot_score(snapshot, i, &h) != SCORE_OK)
			fuzz_fail("no score %u", i);
		check_histogram(&h);
	}
	for (int i = -1; i <= 11; i++)
		(void)score_snapshot_latency(snapshot, i / 10.0);
	for (uint32_t i = 0; i < 50; i++)
		(void)score_snapshot_latency_within(snapshot, i);
	for (int32_t i = -3; i < 20; i++)
		(void)score_snapshot_errors(snapshot, i);
}

static void publish(const score_snapshot *snapshot)
{
	const score_snapshot *all[] = {snapshot};
	score_prometheus_options options = SCORE_PROMETHEUS_OPTIONS_INIT;
	score_error error;
	for (options.flags = 0; options.flags < 8; options.flags += 1) {
		size_t needed = 0, again = 0;
		score_status status = score_prometheus_text(all, 1, &options, NULL, 0, &needed, &error);
		if (status != SCORE_OK && status != SCORE_ERR_LIMIT)
			continue;
		char *text = malloc(needed + 1);
		if (!text)
			abort();
		status = score_prometheus_text(all, 1, &options, text, needed + 1, &again, &error);
		if (status != SCORE_OK || again != needed || strlen(text) != needed)
			fuzz_fail("text of %zu bytes has %zu: %s", needed, again, status == SCORE_OK ? "" : error.message);
		free(text);
	}
}

static void write_again(const score_snapshot *snapshot, const score_allocator *allocator)
{
	void *bytes[2] = {NULL, NULL};
	size_t sizes[2] = {0, 0};
	score_snapshot *again = NULL;
	score_error error;
	if (score_snapshot_serialise(snapshot, &bytes[0], &sizes[0], &error) != SCORE_OK)
		fuzz_fail("cannot be written: %s", error.message);
	if (score_snapshot_read(bytes[0], sizes[0], allocator, &again, &error) != SCORE_OK)
		fuzz_fail("cannot be read again: %s", error.message);
	if (score_snapshot_serialise(again, &bytes[1], &sizes[1], &error) != SCORE_OK)
		fuzz_fail("cannot be written again: %s", error.message);
	if (sizes[0] != sizes[1] || memcmp(bytes[0], bytes[1], sizes[0]) != 0)
		fuzz_fail("written twice, other bytes");
	score_snapshot_free_bytes(snapshot, bytes[0], sizes[0]);
	score_snapshot_free_bytes(again, bytes[1], sizes[1]);
	if (score_snapshot_merge(again, snapshot, &error) != SCORE_OK)
		fuzz_fail("cannot be merged with itself: %s", error.message);
	look(again);
	score_snapshot_free(again);
}

static score_status read_any(const uint8_t *data, size_t size, int in_model, const score_allocator *allocator,
	score_snapshot **out, score_error *error)
{
	if (!in_model)
		return score_snapshot_read(data, size, allocator, out, error);
	char *text = base64(data, size);
	score_model *model = strlen(text) < 60000 ? model_with(text) : NULL;
	score_status status = SCORE_OK;
	if (model)
		status = score_reference_of(model, allocator, out, error);
	score_model_free(model);
	free(text);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_memory memory;
	score_error error;
	score_snapshot *snapshot = NULL;
	if (size < 2)
		return 0;
	score_allocator allocator = fuzz_allocator(&memory, ((size_t)8 << 20) + 2048 * size);
	const score_status status = read_any(data + 1, size - 1, data[0] & 1, &allocator, &snapshot, &error);
	if (status != SCORE_OK) {
		fuzz_check_failure(status, snapshot, &error);
	} else if (snapshot) {
		look(snapshot);
		publish(snapshot);
		write_again(snapshot, &allocator);
		score_snapshot_free(snapshot);
	}
	if (memory.held)
		fuzz_fail("%zu bytes were not freed", memory.held);
	return 0;
}
