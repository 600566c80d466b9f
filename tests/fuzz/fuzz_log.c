/*
 * Any bytes as a segment of a capture log: as they are, and with the lengths and checksums of frames made right. Each frame is
 * also read from memory that ends where it does.
 */
#define _GNU_SOURCE
#include "deploy/log_parts.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#define MAGIC_BYTES 8u
#define MAX_MEMORY ((uint64_t)2 << 20)

/* Frames follow each other up to the end; a length that leads beyond it becomes the one that leads there. */
static void make_right(uint8_t *data, size_t size)
{
	for (size_t at = MAGIC_BYTES; at < size && size - at > 12;) {
		uint32_t length = sl_load_u32(data + at);
		if (length == 0 || length > size - at - 12)
			length = (uint32_t)(size - at - 12);
		for (int i = 0; i < 4; i++)
			data[at + (size_t)i] = (uint8_t)(length >> 8 * i);
		sl_store_le64(data + at + 4 + length, XXH3_64bits(data + at, (size_t)length + 4));
		at += (size_t)length + 12;
	}
}

static void check_text(const char *text)
{
	if (text && strlen(text) > 1u << 20)
		fuzz_fail("a text of %zu bytes", strlen(text));
}

static void check_model(const score_log_model *m)
{
	check_text(m->name);
	check_text(m->link);
	for (uint32_t i = 0; i < m->n_features; i++) {
		check_text(m->features[i]);
		if (m->types[i] != SCORE_FEATURE_NUMERIC && m->types[i] != SCORE_FEATURE_CATEGORY)
			fuzz_fail("feature %u has type %d", i, (int)m->types[i]);
	}
	for (uint32_t i = 0; i < m->n_labels; i++)
		check_text(m->labels[i]);
}

static void check_call(const score_log_call *c)
{
	const char *const texts[] = {c->request_id, c->endpoint, c->served_name, c->entity_name, c->entity_version};
	double sum = c->sampling_fraction;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		check_text(texts[i]);
	check_model(c->model);
	for (uint64_t i = 0; i < (uint64_t)c->n_rows * c->model->n_features; i++) {
		const score_log_value *v = c->inputs + i;
		if (v->kind == SCORE_LOG_TEXT && v->u.text[v->length] != '\0')
			fuzz_fail("value %llu is not terminated", (unsigned long long)i);
		if (v->kind < SCORE_LOG_MISSING || v->kind > SCORE_LOG_TEXT)
			fuzz_fail("value %llu is of kind %d", (unsigned long long)i, (int)v->kind);
	}
	for (uint64_t i = 0; i < (uint64_t)c->n_rows * c->out_width; i++)
		sum += c->outputs[i];
	if (sum == 0.123456789)
		fuzz_fail("the sum of all values is %g", sum);
}

static void check_segment(const score_log *log, size_t size, uint64_t n_calls)
{
	score_log_segment segment = {.struct_size = sizeof segment};
	if (score_log_get_segment(log, 0, &segment) != SCORE_OK || score_log_segment_count(log) != 1)
		fuzz_fail("no segment");
	if (segment.bytes != size || segment.good_bytes > size || segment.n_records != n_calls)
		fuzz_fail("%llu good of %llu bytes, %llu records, expected %zu bytes, %llu records", (unsigned long long)segment.good_bytes,
			(unsigned long long)segment.bytes, (unsigned long long)segment.n_records, size, (unsigned long long)n_calls);
	if (segment.end != SCORE_LOG_WHOLE)
		fuzz_check_failure(segment.damage.code, NULL, &segment.damage);
}

static void try_segment(int fd, const uint8_t *data, size_t size)
{
	char path[32];
	const char *paths[] = {path};
	fuzz_memory memory;
	score_error error;
	score_log *log = NULL;
	const score_log_call *call = NULL;
	score_allocator allocator = fuzz_allocator(&memory, (size_t)(3 * MAX_MEMORY));
	score_log_options options = SCORE_LOG_OPTIONS_INIT;
	uint64_t n_calls = 0;
	options.allocator = &allocator;
	options.max_memory_bytes = MAX_MEMORY;
	if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	score_status status = score_log_open(paths, 1, &options, &log, &error);
	if (status != SCORE_OK)
		fuzz_fail("a segment cannot be opened: %s", error.message);
	while ((status = score_log_next(log, &call, &error)) == SCORE_OK && call) {
		check_call(call);
		n_calls++;
	}
	if (status != SCORE_OK)
		fuzz_check_failure(status, call, &error);
	else
		check_segment(log, size, n_calls);
	score_log_close(log);
	if (memory.held)
		fuzz_fail("%zu bytes were not freed", memory.held);
}

static void try_frames(const uint8_t *data, size_t size)
{
	log_models models;
	sl_arena arena;
	bool is_first = true;
	sl_arena_init(&models.arena, NULL, (size_t)MAX_MEMORY);
	sl_vector_init(&models.by_number, &models.arena.allocator, sizeof(score_log_model *));
	for (size_t at = MAGIC_BYTES; at < size && size - at > 12; is_first = false) {
		const uint32_t length = sl_load_u32(data + at);
		uint8_t *body = malloc(length);
		score_log_call call;
		score_error error;
		bool is_call = false;
		if (!body)
			abort();
		memcpy(body, data + at + 4, length);
		sl_arena_init(&arena, NULL, (size_t)MAX_MEMORY);
		if (deploy_log_frame(body, length, is_first, &models, &arena, &call, &is_call, &error) == SCORE_OK && is_call)
			check_call(&call);
		sl_arena_free(&arena);
		free(body);
		at += (size_t)length + 12;
	}
	sl_vector_free(&models.by_number);
	sl_arena_free(&models.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	if (fd < 0)
		fd = memfd_create("segment", 0);
	try_segment(fd, data, size);
	if (size <= MAGIC_BYTES)
		return 0;
	uint8_t *copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	make_right(copy, size);
	try_segment(fd, copy, size);
	try_frames(copy, size);
	free(copy);
	return 0;
}
