/*
 * Any bytes as a `.sft` feature table, with sizes and hashes made right so that what stands behind them is reached. What opens is
 * verified, and keys that its entries hold are looked up, whether it is whole or not.
 */
#define _GNU_SOURCE
#include "deploy/table.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif
#ifdef POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

#define PAGE 4096u
#define N_KEYS 12u
#define MOST_COLUMNS 24u
#define TEXT_BYTES 64u

static void make_right(uint8_t *file, size_t size)
{
	XXH128_canonical_t hash;
	uint64_t header = sl_load_u64(file + 24);
	sl_store_le64(file + 16, size);
	if (header <= size - SFT_HASH_BYTES) {
		const uint64_t bytes = size - SFT_HASH_BYTES - header;
		sl_store_le64(file + 32, bytes);
		sl_store_le64(file + 40, XXH3_64bits(file + header, (size_t)bytes));
	}
	sl_store_le64(file + 48, XXH3_64bits(file, 48));
	XXH128_canonicalFromHash(&hash, XXH3_128bits(file, size - SFT_HASH_BYTES));
	memcpy(file + size - SFT_HASH_BYTES, hash.digest, SFT_HASH_BYTES);
}

/* Key column `k` of N_KEYS rows: what the first entries hold, as far as there are any, or anything. */
typedef struct key_column {
	int64_t numbers[N_KEYS];
	int64_t offsets[N_KEYS + 1];
	char text[N_KEYS * TEXT_BYTES];
	score_strings strings;
} key_column;

static const char *stored_text(const score_table *t, const uint8_t *view, uint32_t *length)
{
	*length = sl_load_u32(view);
	if (*length <= SFT_VIEW_INLINE)
		return (const char *)view + 4;
	const uint64_t at = sl_load_u64(view + 8);
	*length = *length > TEXT_BYTES ? TEXT_BYTES : *length;
	if (at <= t->key_text_bytes && *length <= t->key_text_bytes - at)
		return (const char *)t->key_text + at;
	*length = SFT_VIEW_INLINE;
	return (const char *)view + 4;
}

static score_column take_keys(const score_table *t, uint32_t k, key_column *c)
{
	const sft_layout *l = &t->layout;
	for (uint32_t r = 0; r < N_KEYS; r++) {
		uint32_t length = 3;
		const char *text = "no.";
		const uint8_t *view = r < l->n_entries ? t->entries + r * (uint64_t)l->entry_bytes + l->keys[k].offset : NULL;
		c->numbers[r] = view ? (int64_t)sl_load_u64(view) : (int64_t)r - 2;
		if (view && l->keys[k].type == SCORE_STRING)
			text = stored_text(t, view, &length);
		memcpy(c->text + c->offsets[r], text, length);
		c->offsets[r + 1] = c->offsets[r] + (int64_t)length;
	}
	c->strings = (score_strings)SCORE_STRINGS_INIT;
	c->strings.offsets = c->offsets;
	c->strings.offset_type = SCORE_I64;
	c->strings.data = c->text;
	const bool is_text = l->keys[k].type == SCORE_STRING;
	return (score_column){is_text ? (void *)&c->strings : (void *)c->numbers, NULL, 0, 0, is_text ? SCORE_STRING : SCORE_I64, 0};
}

static void look_up(const score_table *t, const score_table_query *query, bool is_whole)
{
	score_error error;
	uint64_t values[MOST_COLUMNS][N_KEYS];
	uint8_t validity[MOST_COLUMNS][(N_KEYS + 7) / 8], found[N_KEYS] = {0};
	score_table_output outputs[MOST_COLUMNS] = {{0}};
	const uint32_t n = t->layout.n_columns < MOST_COLUMNS ? t->layout.n_columns : MOST_COLUMNS;
	for (uint32_t i = 0; i < n; i++)
		outputs[i] = (score_table_output){i, 0, values[i], validity[i]};
	const score_status status = score_table_lookup(t, query, N_KEYS, outputs, n, found, &error);
	if (status != SCORE_OK)
		fuzz_check_failure(status, NULL, &error);
	for (uint32_t i = 0; i < n && is_whole && status == SCORE_OK; i++) {
		const int32_t *numbers = (const int32_t *)values[i];
		for (uint32_t r = 0; r < N_KEYS && t->layout.columns[i].type == SCORE_STRING; r++)
			if (numbers[r] < -1 || numbers[r] >= (int64_t)t->layout.columns[i].n_texts)
				fuzz_fail("text %d of %u", (int)numbers[r], t->layout.columns[i].n_texts);
	}
}

static void use(const score_table *t)
{
	static key_column keys[SFT_MAX_KEYS];
	static const int64_t moments[N_KEYS] = {0, 5, -1, INT64_MAX, INT64_MIN, 1000, 10, 12, 1, 2, 3, 4};
	score_column columns[SFT_MAX_KEYS];
	const score_column timestamp = {moments, NULL, 0, 0, SCORE_I64, 0};
	score_table_query query = SCORE_TABLE_QUERY_INIT;
	score_error error;
	const score_status status = score_table_verify(t, &error);
	if (status != SCORE_OK)
		fuzz_check_failure(status, NULL, &error);
	for (uint32_t k = 0; k < t->layout.n_keys; k++)
		columns[k] = take_keys(t, k, keys + k);
	query.keys = columns;
	query.n_keys = t->layout.n_keys;
	look_up(t, &query, status == SCORE_OK);
	query.timestamp = t->layout.timestamp ? &timestamp : NULL;
	look_up(t, &query, status == SCORE_OK);
	query.lookback = 7;
	look_up(t, &query, status == SCORE_OK);
	for (uint32_t i = 0; i < t->layout.n_columns && i < MOST_COLUMNS; i++) {
		size_t length, sum = 0;
		for (uint32_t k = 0; k < score_table_text_count(t, i) && k < 100; k++) {
			const char *text = score_table_text(t, i, k, &length);
			for (size_t b = 0; text && b < length; b++)
				sum += (uint8_t)text[b];
		}
		if (score_table_find_column(t, score_table_column_name(t, i)) < 0 || sum == SIZE_MAX)
			fuzz_fail("column %u is not found by its name", i);
	}
}

static void try_open(int fd, const uint8_t *data, size_t size, uint32_t flags)
{
	char path[32];
	fuzz_memory memory;
	score_error error;
	score_table *table = NULL;
	score_allocator allocator = fuzz_allocator(&memory, ((size_t)1 << 20) + 256 * size);
	score_table_options options = SCORE_TABLE_OPTIONS_INIT;
	options.allocator = &allocator;
	options.flags = flags;
	if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	const score_status status = score_table_open(path, &options, &table, &error);
	if (status != SCORE_OK) {
		fuzz_check_failure(status, table, &error);
	} else {
		/* The rest of the last page can be read, but does not belong to the file. */
		const uint8_t *end = table->data + size;
		const size_t rest = (PAGE - size % PAGE) % PAGE;
		ASAN_POISON_MEMORY_REGION(end, rest);
		use(table);
		ASAN_UNPOISON_MEMORY_REGION(end, rest);
		score_table_close(table);
	}
	if (memory.held)
		fuzz_fail("%zu bytes were not freed", memory.held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	if (fd < 0)
		fd = memfd_create("table", 0);
	if (size == 0)
		return 0;
	try_open(fd, data, size, 0);
	if (size < SFT_PRELUDE_BYTES + SFT_HASH_BYTES)
		return 0;
	uint8_t *copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	make_right(copy, size);
	try_open(fd, copy, size, data[size - 1] & 1 ? SCORE_TABLE_COPY : 0);
	sl_arena arena;
	sft_layout layout;
	score_error error;
	sl_arena_init(&arena, NULL, 0);
	(void)deploy_read_header(copy, size, &arena, &layout, &error); /* here the bytes end where the memory does */
	sl_arena_free(&arena);
	free(copy);
	return 0;
}
