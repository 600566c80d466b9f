/*
 * A feature table in memory: mapping, holders, what it is, the full check.
 *
 * Comes in: a path. Goes out: a score_table that anything may read at once. Opening costs what the header costs.
 */
#define _DEFAULT_SOURCE
#include "table.h"

#include "../base/file.h"

#include <sys/mman.h>
#include <xxhash.h>

#define MAX_HEADER_MEMORY ((size_t)512 << 20)

static void preload(const score_table *t)
{
	unsigned sum = 0;
	(void)madvise((void *)(uintptr_t)t->data, t->size, MADV_WILLNEED);
	for (size_t at = 0; at < t->size; at += 4096)
		sum += ((const volatile uint8_t *)t->data)[at];
	(void)sum;
}

/* Pages of the file become pages of the process. What follows the bytes in the last page is zero in both. */
static score_status copy_pages(score_table *t, score_error *error)
{
	/* cppcheck-suppress invalidFunctionArg ; -1 is what portable callers give for MAP_ANONYMOUS */
	void *copy = mmap(NULL, t->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		return sl_fail_memory(error, t->size);
#if defined(MADV_HUGEPAGE)
	(void)madvise(copy, t->size, MADV_HUGEPAGE);
#endif
	memcpy(copy, t->data, t->size);
	(void)mprotect(copy, t->size, PROT_READ);
	sl_unmap_file(t->data, t->size);
	t->data = copy;
	return SCORE_OK;
}

static score_status fill_table(score_table *t, const score_table_options *options, score_error *error)
{
	if (options->flags & SCORE_TABLE_COPY)
		TRY(copy_pages(t, error));
	TRY(deploy_read_header(t->data, t->size, &t->arena, &t->layout, error));
	const sft_section *s = t->layout.sections;
	t->buckets = t->data + s[SFT_BUCKETS].offset;
	t->entries = t->data + s[SFT_ENTRIES].offset;
	t->key_text = t->data + s[SFT_KEY_TEXT].offset;
	t->times = t->data + s[SFT_TIMES].offset;
	t->rows = t->data + s[SFT_ROWS].offset;
	t->key_text_bytes = s[SFT_KEY_TEXT].bytes;
	if (options->flags & SCORE_TABLE_VERIFY)
		TRY(score_table_verify(t, error));
	if (options->flags & SCORE_TABLE_PRELOAD)
		preload(t);
	return SCORE_OK;
}

static score_status open_table(const char *path, const score_table_options *options, score_table **out, score_error *error)
{
	const score_allocator a = sl_allocator(options->allocator);
	const void *data;
	size_t size;
	TRY(sl_map_file(path, options->max_bytes ? options->max_bytes : UINT64_MAX, &data, &size, error));
	score_table *t = sl_alloc(&a, sizeof *t, SL_CACHE_LINE);
	if (!t) {
		sl_unmap_file(data, size);
		return sl_fail_memory(error, sizeof *t);
	}
	memset(t, 0, sizeof *t);
	t->allocator = a;
	t->data = data;
	t->size = size;
	atomic_init(&t->holders, 1);
	sl_arena_init(&t->arena, &a, MAX_HEADER_MEMORY);
	const score_status status = fill_table(t, options, error);
	if (status != SCORE_OK)
		score_table_close(t);
	else
		*out = t;
	return status;
}

score_status score_table_open(const char *path, const score_table_options *options, score_table **out, score_error *error)
{
	score_table_options o;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "out is NULL");
	*out = NULL;
	if (!path)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "path is NULL");
	TRY(sl_take_struct(&o, sizeof o, options, "score_table_options", error));
	if (o.flags & ~(SCORE_TABLE_VERIFY | SCORE_TABLE_PRELOAD | SCORE_TABLE_COPY))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_table_options.flags has unknown bits: %#x", o.flags);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return sl_fail(error, SCORE_ERR_UNSUPPORTED, "feature tables are used in place, on little-endian processors only");
#else
	return open_table(path, &o, out, error);
#endif
}

score_table *score_table_retain(score_table *table)
{
	if (table)
		atomic_fetch_add_explicit(&table->holders, 1, memory_order_relaxed);
	return table;
}

void score_table_close(score_table *table)
{
	if (!table || atomic_fetch_sub_explicit(&table->holders, 1, memory_order_acq_rel) != 1)
		return;
	const score_allocator a = table->allocator;
	sl_unmap_file(table->data, table->size);
	sl_arena_free(&table->arena);
	sl_free(&a, table, sizeof *table, SL_CACHE_LINE);
}

/* ---- what it is ------------------------------------------------------------------------------------- */

score_status score_table_get_info(const score_table *t, score_table_info *info)
{
	score_table_info full;
	if (!t || !sl_has_size(info))
		return SCORE_ERR_ARGUMENT;
	const sft_layout *l = &t->layout;
	memset(&full, 0, sizeof full);
	full.n_rows = l->n_rows;
	full.n_keys = l->n_entries;
	full.n_key_columns = l->n_keys;
	full.n_columns = l->n_columns;
	full.file_bytes = t->size;
	full.index_bytes = l->sections[SFT_BUCKETS].bytes;
	full.row_bytes = l->row_bytes;
	full.has_timestamp = l->timestamp != NULL;
	full.timestamp_name = l->timestamp;
	full.timestamp_unit = l->unit;
	memcpy(full.hash, t->data + t->size - SFT_HASH_BYTES, SFT_HASH_BYTES);
	sl_give_struct(info, &full, sizeof full);
	return SCORE_OK;
}

static const sft_column *column_at(const score_table *t, uint32_t i)
{
	return t && i < t->layout.n_columns ? t->layout.columns + i : NULL;
}

const char *score_table_column_name(const score_table *t, uint32_t i)
{
	const sft_column *c = column_at(t, i);
	return c ? c->name : NULL;
}

score_dtype score_table_column_type(const score_table *t, uint32_t i)
{
	const sft_column *c = column_at(t, i);
	return c ? c->type : 0;
}

uint64_t score_table_column_nulls(const score_table *t, uint32_t i)
{
	const sft_column *c = column_at(t, i);
	return c ? c->nulls : 0;
}

int64_t score_table_find_column(const score_table *t, const char *name)
{
	for (uint32_t i = 0; t && name && i < t->layout.n_columns; i++)
		if (strcmp(t->layout.columns[i].name, name) == 0)
			return i;
	return -1;
}

const char *score_table_key_name(const score_table *t, uint32_t i)
{
	return t && i < t->layout.n_keys ? t->layout.keys[i].name : NULL;
}

score_dtype score_table_key_type(const score_table *t, uint32_t i)
{
	return t && i < t->layout.n_keys ? t->layout.keys[i].type : 0;
}

uint32_t score_table_text_count(const score_table *t, uint32_t column)
{
	const sft_column *c = column_at(t, column);
	return c ? c->n_texts : 0;
}

const char *score_table_text(const score_table *t, uint32_t column, uint32_t k, size_t *length)
{
	*length = 0;
	const sft_column *c = column_at(t, column);
	if (!c || k >= c->n_texts)
		return NULL;
	const uint8_t *starts = t->data + c->starts.offset;
	const uint32_t begin = sl_load_u32(starts + (size_t)k * 4), end = sl_load_u32(starts + ((size_t)k + 1) * 4);
	if (begin > end || end > c->text.bytes)
		return NULL;
	*length = end - begin;
	return (const char *)t->data + c->text.offset + begin;
}

/* ---- the full check --------------------------------------------------------------------------------- */

static score_status damaged(score_error *error, const char *what, uint64_t number)
{
	return sl_fail(error, SCORE_ERR_CORRUPT, "the table's %s number %llu points outside its section; the file is damaged",
		what, (unsigned long long)number);
}

/* Buckets name all entries, in order, each once. */
static score_status verify_buckets(const score_table *t, score_error *error)
{
	uint64_t next = 0;
	for (uint64_t b = 0; b < t->layout.n_buckets; b++) {
		const uint64_t head = sl_load_u64(t->buckets + b * SFT_BUCKET_BYTES), count = head >> 48;
		if ((head & (((uint64_t)1 << 48) - 1)) != next || count > SFT_MAX_IN_BUCKET || count > t->layout.n_entries - next)
			return damaged(error, "bucket", b);
		next += count;
	}
	return next == t->layout.n_entries ? SCORE_OK : damaged(error, "bucket", t->layout.n_buckets - 1);
}

static score_status verify_entries(const score_table *t, score_error *error)
{
	const sft_layout *l = &t->layout;
	uint64_t next = 0;
	for (uint64_t i = 0; i < l->n_entries; i++) {
		const uint8_t *entry = t->entries + i * l->entry_bytes;
		for (uint32_t k = 0; k < l->n_keys; k++) {
			const uint8_t *view = entry + l->keys[k].offset;
			const uint32_t length = sl_load_u32(view);
			const bool is_far = l->keys[k].type == SCORE_STRING && length > SFT_VIEW_INLINE;
			if (is_far && (sl_load_u64(view + 8) > t->key_text_bytes || length > t->key_text_bytes - sl_load_u64(view + 8)))
				return damaged(error, "key", i);
		}
		if (!l->timestamp)
			continue;
		const uint64_t first = sl_load_u64(entry + l->row_offset), count = sl_load_u64(entry + l->row_offset + 8);
		if (first != next || count == 0 || count > l->n_rows - next)
			return damaged(error, "key", i);
		next += count;
	}
	return !l->timestamp || next == l->n_rows ? SCORE_OK : damaged(error, "key", l->n_entries);
}

static score_status verify_texts(const score_table *t, score_error *error)
{
	for (uint32_t i = 0; i < t->layout.n_columns; i++) {
		size_t length;
		for (uint32_t k = 0; k < t->layout.columns[i].n_texts; k++) {
			const char *text = score_table_text(t, i, k, &length);
			if (!text)
				return damaged(error, "text", k);
			if (sl_utf8_prefix(text, length) != length)
				return sl_fail(error, SCORE_ERR_CORRUPT, "text %u of column '%s' is not UTF-8; the file is damaged", k,
					sl_quote(t->layout.columns[i].name, strlen(t->layout.columns[i].name)).text);
		}
	}
	return SCORE_OK;
}

score_status score_table_verify(const score_table *t, score_error *error)
{
	XXH128_canonical_t hash;
	sl_error_clear(error);
	if (!t)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "table is NULL");
	XXH128_canonicalFromHash(&hash, XXH3_128bits(t->data, t->size - SFT_HASH_BYTES));
	if (memcmp(hash.digest, t->data + t->size - SFT_HASH_BYTES, SFT_HASH_BYTES) != 0)
		return sl_fail_at(error, SCORE_ERR_CORRUPT, (int64_t)(t->size - SFT_HASH_BYTES), -1,
			"the table does not have the hash that stands at its end; the file is damaged");
	TRY(verify_buckets(t, error));
	TRY(verify_entries(t, error));
	return verify_texts(t, error);
}
