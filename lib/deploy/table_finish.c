/*
 * Records in the spill in, the file out: score_table_builder_finish().
 *
 * Each part is read, sorted by hash, key and time, and appended to the sections; parts follow each other by hash, so the
 * sections come out in the order of buckets. Buckets are written when the number of keys is known, from hashes that
 * waited in a file of their own. Memory: the largest part.
 */
#define _POSIX_C_SOURCE 200809L
#include "table_builder.h"

#include "../base/file.h"

#include <unistd.h>
#include <xxhash.h>

typedef struct sorted {
	uint64_t hash;
	const deploy_record *record;
} sorted;

typedef struct output {
	score_table_builder *b;
	sft_layout *layout;
	int side_fd;       /* hashes, and texts of keys, in two files  */
	int text_fd;
	deploy_stream entries, times, rows, hashes, key_text;
	sl_new_file file;  /* the table                                */
	score_error *error;
} output;

/* ---- order ------------------------------------------------------------------------------------------- */

static inline const uint8_t *key_of(const deploy_record *r)
{
	return (const uint8_t *)(r + 1);
}

/* Keys are compared part by part; a far text stands in its own record. */
static int compare_keys(const sft_layout *l, const deploy_record *x, const deploy_record *y)
{
	for (uint32_t k = 0; k < l->n_keys; k++) {
		const uint8_t *a = key_of(x) + l->keys[k].offset, *b = key_of(y) + l->keys[k].offset;
		if (l->keys[k].type != SCORE_STRING) {
			const int64_t i = (int64_t)sl_load_u64(a), j = (int64_t)sl_load_u64(b);
			if (i != j)
				return i < j ? -1 : 1;
			continue;
		}
		const uint32_t m = sl_load_u32(a), n = sl_load_u32(b);
		if (m != n)
			return m < n ? -1 : 1;
		const bool is_far = m > SFT_VIEW_INLINE;
		const int c = memcmp(is_far ? (const uint8_t *)x + sl_load_u64(a + 8) : a + 4,
			is_far ? (const uint8_t *)y + sl_load_u64(b + 8) : b + 4, m);
		if (c)
			return c;
	}
	return 0;
}

static int compare_hashes(const void *x, const void *y)
{
	const sorted *a = x, *b = y;
	return (a->hash > b->hash) - (a->hash < b->hash);
}

static int compare_rows(const sft_layout *l, const sorted *a, const sorted *b)
{
	const int c = compare_keys(l, a->record, b->record);
	if (c)
		return c;
	if (a->record->time != b->record->time)
		return a->record->time < b->record->time ? -1 : 1;
	return (a->record->line > b->record->line) - (a->record->line < b->record->line);
}

static void sift_down(const sft_layout *l, sorted *list, size_t i, size_t n)
{
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && compare_rows(l, list + child, list + child + 1) < 0)
			child++;
		if (compare_rows(l, list + i, list + child) >= 0)
			return;
		const sorted held = list[i];
		list[i] = list[child];
		list[child] = held;
	}
}

/* Heap sort: qsort() passes no layout, and a key may have millions of rows. */
static void sort_rows(const sft_layout *l, sorted *list, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(l, list, i, n);
	for (size_t end = n; end-- > 1;) {
		const sorted held = list[0];
		list[0] = list[end];
		list[end] = held;
		sift_down(l, list, 0, end);
	}
}

/* ---- one key ------------------------------------------------------------------------------------------ */

static score_status fail_twice(const output *o, const deploy_record *a, const deploy_record *b)
{
	return sl_fail_at(o->error, SCORE_ERR_SHAPE, -1, (int64_t)b->line, "the key %sof line %llu is there again%s",
		o->layout->timestamp ? "and time " : "", (unsigned long long)a->line,
		o->layout->timestamp ? "" : "; a table with several rows of a key needs a timestamp");
}

/* The entry's key, with far texts moved into key_text. */
static void write_key(output *o, const deploy_record *r)
{
	const sft_layout *l = o->layout;
	uint8_t key[SFT_MAX_KEYS * SFT_VIEW_BYTES];
	memcpy(key, key_of(r), l->row_offset);
	for (uint32_t k = 0; k < l->n_keys; k++) {
		uint8_t *view = key + l->keys[k].offset;
		const uint32_t length = sl_load_u32(view);
		if (l->keys[k].type != SCORE_STRING || length <= SFT_VIEW_INLINE)
			continue;
		const uint64_t from = sl_load_u64(view + 8), to = o->key_text.at;
		deploy_stream_write(&o->key_text, (const uint8_t *)r + from, length);
		memcpy(view + 8, &to, 8);
	}
	deploy_stream_write(&o->entries, key, l->row_offset);
}

/* Zeros behind the key and `bytes` more of an entry. */
static void pad_entry(output *o, uint32_t bytes)
{
	static const uint8_t zeros[SL_CACHE_LINE];
	deploy_stream_write(&o->entries, zeros, o->layout->entry_bytes - o->layout->row_offset - bytes);
}

static score_status write_group(output *o, const sorted *list, size_t n, uint64_t *n_rows_before)
{
	const sft_layout *l = o->layout;
	for (size_t i = 1; i < n; i++)
		if (!l->timestamp || list[i].record->time == list[i - 1].record->time)
			return fail_twice(o, list[i - 1].record, list[i].record);
	write_key(o, list[0].record);
	deploy_stream_write(&o->hashes, &list[0].hash, 8);
	o->layout->n_entries++;
	if (!l->timestamp) {
		deploy_stream_write(&o->entries, key_of(list[0].record) + l->row_offset, l->row_bytes);
		pad_entry(o, l->row_bytes);
		return SCORE_OK;
	}
	const uint64_t span[2] = {*n_rows_before, n};
	deploy_stream_write(&o->entries, span, sizeof span);
	pad_entry(o, sizeof span);
	for (size_t i = 0; i < n; i++) {
		deploy_stream_write(&o->times, &list[i].record->time, 8);
		deploy_stream_write(&o->rows, key_of(list[i].record) + l->row_offset, l->row_bytes);
	}
	*n_rows_before += n;
	return SCORE_OK;
}

/* ---- parts -------------------------------------------------------------------------------------------- */

/* Rows of equal hash: nearly always of one key. */
static score_status write_sorted(output *o, sorted *list, size_t n, uint64_t *n_rows_before)
{
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && list[end].hash == list[i].hash; end++)
			;
		if (end - i > 1)
			sort_rows(o->layout, list + i, end - i);
		for (size_t first = i, next; first < end; first = next) {
			for (next = first + 1; next < end; next++)
				if (compare_keys(o->layout, list[first].record, list[next].record) != 0)
					break;
			TRY(write_group(o, list + first, next - first, n_rows_before));
		}
	}
	return SCORE_OK;
}

static score_status write_part(output *o, const deploy_part *part, uint64_t *n_rows_before)
{
	const score_allocator *a = &o->b->allocator;
	const size_t list_bytes = (size_t)part->n_records * sizeof(sorted), bytes = (size_t)part->bytes;
	if (part->n_records == 0)
		return SCORE_OK;
	if (bytes + list_bytes > o->b->memory_bytes)
		return sl_fail(o->error, SCORE_ERR_LIMIT, "one of %u parts of the table takes %zu bytes of memory to sort, memory_bytes is %llu: "
			"raise it", DEPLOY_PARTS, bytes + list_bytes, (unsigned long long)o->b->memory_bytes);
	uint8_t *records = sl_alloc(a, bytes, SL_CACHE_LINE);
	sorted *list = sl_alloc(a, list_bytes, SL_CACHE_LINE);
	score_status status = records && list ? deploy_spill_load(&o->b->spill, part, records, o->error) :
		sl_fail_memory(o->error, bytes + list_bytes);
	if (status == SCORE_OK) {
		size_t at = 0;
		for (size_t i = 0; i < part->n_records; i++) {
			const deploy_record *r = (const deploy_record *)(const void *)(records + at);
			list[i] = (sorted){r->hash, r};
			at += (size_t)r->bytes;
		}
		sl_sort(list, (size_t)part->n_records, sizeof *list, compare_hashes);
		status = write_sorted(o, list, (size_t)part->n_records, n_rows_before);
	}
	sl_free(a, records, bytes, SL_CACHE_LINE);
	sl_free(a, list, list_bytes, SL_CACHE_LINE);
	return status;
}

/* ---- sections behind the entries ----------------------------------------------------------------------- */

/* Append what was streamed into a side file. */
static score_status append_file(output *o, int from, uint64_t bytes, sft_section *section)
{
	uint8_t block[4096];
	deploy_stream_align(&o->entries);
	*section = (sft_section){o->entries.at, bytes};
	for (uint64_t at = 0; at < bytes;) {
		const size_t n = bytes - at < sizeof block ? (size_t)(bytes - at) : sizeof block;
		TRY(deploy_read_at(from, block, n, at, o->b->path, o->error));
		deploy_stream_write(&o->entries, block, n);
		at += n;
	}
	return SCORE_OK;
}

/* The hashes in order, a block at a time. */
typedef struct hash_reader {
	uint64_t block[512];
	uint64_t next;
} hash_reader;

static score_status hash_at(const output *o, hash_reader *r, uint64_t i, uint64_t *out)
{
	const uint64_t n = sizeof r->block / sizeof r->block[0], first = i / n * n;
	if (r->next != first + n) {
		const uint64_t left = o->layout->n_entries - first;
		TRY(deploy_read_at(o->side_fd, r->block, (size_t)(left < n ? left : n) * 8, first * 8, o->b->path, o->error));
		r->next = first + n;
	}
	*out = r->block[i - first];
	return SCORE_OK;
}

static score_status write_buckets(output *o)
{
	sft_layout *l = o->layout;
	hash_reader reader = {.next = 0};
	uint64_t i = 0, hash = 0;
	/* Fuller ones where there are more keys than fit in as many buckets as there may be. */
	l->n_buckets = (l->n_entries + SFT_BUCKET_MEAN - 1) / SFT_BUCKET_MEAN;
	l->n_buckets = l->n_buckets == 0 ? 1 : l->n_buckets > UINT32_MAX ? UINT32_MAX : l->n_buckets;
	deploy_stream_align(&o->entries);
	l->sections[SFT_BUCKETS] = (sft_section){o->entries.at, l->n_buckets * SFT_BUCKET_BYTES};
	for (uint64_t bucket = 0; bucket < l->n_buckets; bucket++) {
		struct {
			uint64_t head;
			uint16_t fingerprints[SFT_FINGERPRINTS];
		} out = {i, {0}};
		uint64_t count = 0;
		for (; i < l->n_entries; i++, count++) {
			TRY(hash_at(o, &reader, i, &hash));
			if (sft_bucket_of(hash, l->n_buckets) != bucket)
				break;
			if (count < SFT_FINGERPRINTS)
				out.fingerprints[count] = sft_fingerprint(hash);
		}
		if (count > SFT_MAX_IN_BUCKET)
			return sl_fail(o->error, SCORE_ERR_LIMIT, "%llu keys fall into one bucket of the hash table: keys made to collide?",
				(unsigned long long)count);
		out.head |= count << 48;
		deploy_stream_write(&o->entries, &out, sizeof out);
	}
	return SCORE_OK;
}

static void write_texts(output *o)
{
	for (uint32_t i = 0; i < o->layout->n_columns; i++) {
		sft_column *c = o->layout->columns + i;
		const deploy_texts *t = o->b->texts + i;
		const uint32_t zero = 0;
		if (c->type != SCORE_STRING)
			continue;
		c->n_texts = deploy_texts_count(t);
		deploy_stream_align(&o->entries);
		c->starts = (sft_section){o->entries.at, ((uint64_t)c->n_texts + 1) * 4};
		deploy_stream_write(&o->entries, c->n_texts ? t->starts.data : &zero, (size_t)c->starts.bytes);
		deploy_stream_align(&o->entries);
		c->text = (sft_section){o->entries.at, t->text.length};
		deploy_stream_write(&o->entries, t->text.data, t->text.length);
	}
	deploy_stream_align(&o->entries);
}

static score_status write_ends(output *o)
{
	uint8_t prelude[SFT_PRELUDE_BYTES] = {0};
	sl_vector header;
	const uint32_t version = SFT_VERSION;
	sl_vector_init(&header, &o->b->allocator, 1);
	score_status status = deploy_write_header(o->layout, &header, o->error);
	const uint64_t offset = o->entries.at, bytes = header.length, size = offset + bytes + SFT_HASH_BYTES;
	if (status == SCORE_OK && bytes > SFT_MAX_HEADER_BYTES)
		status = sl_fail(o->error, SCORE_ERR_LIMIT, "the names of the columns take more than %u bytes", SFT_MAX_HEADER_BYTES);
	if (status == SCORE_OK)
		deploy_stream_write(&o->entries, header.data, header.length);
	const uint64_t header_hash = XXH3_64bits(header.data, header.length);
	sl_vector_free(&header);
	TRY(status);
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): bytes, not a string */
	memcpy(prelude, SFT_MAGIC, SFT_MAGIC_BYTES);
	memcpy(prelude + 8, &version, 4);
	memcpy(prelude + 12, &version, 4);
	memcpy(prelude + 16, &size, 8);
	memcpy(prelude + 24, &offset, 8);
	memcpy(prelude + 32, &bytes, 8);
	memcpy(prelude + 40, &header_hash, 8);
	const uint64_t prelude_hash = XXH3_64bits(prelude, 48);
	memcpy(prelude + 48, &prelude_hash, 8);
	TRY(deploy_stream_flush(&o->entries));
	return deploy_write_at(o->file.fd, prelude, sizeof prelude, 0, o->file.name, o->error);
}

/* The hash of everything, from what the file really holds; the buffer of the entries is free by now. */
static score_status write_hash(output *o)
{
	const uint64_t size = o->entries.at;
	XXH128_canonical_t hash;
	XXH3_state_t *state = XXH3_createState();
	if (!state)
		return sl_fail_memory(o->error, sizeof hash);
	score_status status = SCORE_OK;
	(void)XXH3_128bits_reset(state); /* fails for NULL only */
	for (uint64_t at = 0; status == SCORE_OK && at < size; at += DEPLOY_STREAM_BUFFER) {
		const size_t n = size - at < DEPLOY_STREAM_BUFFER ? (size_t)(size - at) : DEPLOY_STREAM_BUFFER;
		status = deploy_read_at(o->file.fd, o->entries.buffer, n, at, o->file.name, o->error);
		if (status == SCORE_OK)
			(void)XXH3_128bits_update(state, o->entries.buffer, n);
	}
	XXH128_canonicalFromHash(&hash, XXH3_128bits_digest(state));
	XXH3_freeState(state);
	TRY(status);
	return deploy_write_at(o->file.fd, hash.digest, sizeof hash.digest, size, o->file.name, o->error);
}

/* ---- the file ------------------------------------------------------------------------------------------ */

static score_status open_output(output *o)
{
	sft_layout *l = o->layout;
	const score_allocator *a = &o->b->allocator;
	const uint64_t n = l->timestamp ? l->n_rows : 0;
	TRY(sl_create_beside(o->b->path, 0666, &o->file, o->error));
	TRY(deploy_open_unnamed(o->b->path, &o->side_fd, o->error));
	TRY(deploy_open_unnamed(o->b->path, &o->text_fd, o->error));
	l->sections[SFT_TIMES] = (sft_section){SFT_PRELUDE_BYTES, n * 8};
	l->sections[SFT_ROWS] = (sft_section){sl_round_up(SFT_PRELUDE_BYTES + n * 8, SL_CACHE_LINE), n * l->row_bytes};
	l->sections[SFT_ENTRIES].offset = sl_round_up(l->sections[SFT_ROWS].offset + n * l->row_bytes, SL_CACHE_LINE);
	TRY(deploy_stream_open(&o->times, o->file.fd, l->sections[SFT_TIMES].offset, o->file.name, a, o->error));
	TRY(deploy_stream_open(&o->rows, o->file.fd, l->sections[SFT_ROWS].offset, o->file.name, a, o->error));
	TRY(deploy_stream_open(&o->entries, o->file.fd, l->sections[SFT_ENTRIES].offset, o->file.name, a, o->error));
	TRY(deploy_stream_open(&o->hashes, o->side_fd, 0, o->file.name, a, o->error));
	return deploy_stream_open(&o->key_text, o->text_fd, 0, o->file.name, a, o->error);
}

static void close_output(output *o)
{
	deploy_stream *streams[] = {&o->entries, &o->times, &o->rows, &o->hashes, &o->key_text};
	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
		deploy_stream_free(streams[i], &o->b->allocator);
	if (o->side_fd >= 0)
		close(o->side_fd);
	if (o->text_fd >= 0)
		close(o->text_fd);
	sl_give_up(&o->file);
}

static score_status write_table(output *o)
{
	sft_layout *l = o->layout;
	deploy_stream *const parted[] = {&o->entries, &o->times, &o->rows, &o->hashes, &o->key_text};
	const size_t n_parted = sizeof parted / sizeof parted[0];
	uint64_t n_rows_before = 0;
	TRY(open_output(o));
	for (uint32_t i = 0; i < DEPLOY_PARTS; i++) {
		TRY(write_part(o, o->b->spill.parts + i, &n_rows_before));
		for (size_t k = 0; k < n_parted; k++)
			TRY(parted[k]->status);
	}
	for (size_t k = 1; k < n_parted; k++)
		TRY(deploy_stream_flush(parted[k]));
	l->sections[SFT_ENTRIES].bytes = o->entries.at - l->sections[SFT_ENTRIES].offset;
	TRY(append_file(o, o->text_fd, o->key_text.at, l->sections + SFT_KEY_TEXT));
	TRY(write_buckets(o));
	write_texts(o);
	TRY(write_ends(o));
	TRY(write_hash(o));
	return sl_put_in_place(&o->file, o->error);
}

score_status score_table_builder_finish(score_table_builder *b, score_error *error)
{
	sl_error_clear(error);
	if (!b)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "builder is NULL");
	if (b->failed)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "an earlier call for this builder failed or finished it; it can only be freed");
	b->failed = true;
	output *o = sl_alloc(&b->allocator, sizeof *o, SL_CACHE_LINE);
	if (!o)
		return sl_fail_memory(error, sizeof *o);
	memset(o, 0, sizeof *o);
	o->b = b;
	o->layout = &b->layout;
	o->file.fd = o->side_fd = o->text_fd = -1;
	o->error = error;
	const score_status status = write_table(o);
	close_output(o);
	sl_free(&b->allocator, o, sizeof *o, SL_CACHE_LINE);
	return status;
}
