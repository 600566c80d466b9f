/*
 * The header of a `.sft` file: prelude and msgpack map in, a checked layout out, and back.
 *
 * Cost grows with the header only. What it promises about sections is checked against the size of the file, so that an index
 * that is below its bound never points outside. Relies on base/msgpack.h for untrusted msgpack.
 */
#include "table.h"

#include "../base/msgpack.h"

#include <msgpack/pack.h>
#include <xxhash.h>

const char *const deploy_section_names[SFT_N_SECTIONS] = {"buckets", "entries", "key_text", "times", "rows"};

static const struct {
	score_dtype type;
	const char *name;
} type_names[] = {{SCORE_F64, "f64"}, {SCORE_F32, "f32"}, {SCORE_I64, "i64"}, {SCORE_I32, "i32"}, {SCORE_BOOL, "bool"},
	{SCORE_STRING, "string"}};

const char *deploy_type_name(score_dtype type)
{
	for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++)
		if (type_names[i].type == type)
			return type_names[i].name;
	return "another type";
}

score_dtype deploy_type_of_name(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++)
		if (strlen(type_names[i].name) == length && memcmp(type_names[i].name, text, length) == 0)
			return type_names[i].type;
	return 0;
}

/* An entry of at most a cache line lies in one. */
static uint32_t padded_entry(uint32_t bytes)
{
	uint32_t n = 8;
	while (n < bytes)
		n *= 2;
	return n <= SL_CACHE_LINE ? n : bytes;
}

/* Wide values first, so that all of them stand at multiples of their size behind the validity bits. */
void deploy_place_columns(sft_layout *l)
{
	static const uint32_t widths[] = {8, 4, 1};
	uint32_t at = 0;
	for (uint32_t i = 0; i < l->n_keys; i++) {
		l->keys[i].offset = at;
		at += sft_key_bytes(l->keys[i].type);
	}
	l->row_offset = at;
	uint32_t row = (l->n_columns + 7) / 8;
	for (uint32_t w = 0; w < 3; w++) {
		row = (row + widths[w] - 1) & ~(widths[w] - 1);
		for (uint32_t i = 0; i < l->n_columns; i++) {
			if (sft_value_bytes(l->columns[i].type) != widths[w])
				continue;
			l->columns[i].offset = row;
			row += widths[w];
		}
	}
	l->row_bytes = (row + 7) & ~7u;
	l->entry_bytes = padded_entry(at + (l->timestamp ? SFT_SPAN_BYTES : l->row_bytes));
}

/* Places follow from the types. */
bool deploy_same_layout(const sft_layout *a, const sft_layout *b)
{
	if (a->n_keys != b->n_keys || a->n_columns != b->n_columns || !a->timestamp != !b->timestamp || strcmp(a->unit, b->unit) != 0)
		return false;
	for (uint32_t i = 0; i < a->n_keys; i++)
		if (a->keys[i].type != b->keys[i].type || strcmp(a->keys[i].name, b->keys[i].name) != 0)
			return false;
	for (uint32_t i = 0; i < a->n_columns; i++)
		if (a->columns[i].type != b->columns[i].type || strcmp(a->columns[i].name, b->columns[i].name) != 0)
			return false;
	return true;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

/* What a reading function needs to say where it is. */
typedef struct reader {
	sl_arena *arena;
	uint64_t header_offset; /* sections end before it */
	score_error *error;
} reader;

static score_status wrong(const reader *r, const char *key, const char *expected)
{
	return sl_fail_at(r->error, SCORE_ERR_CORRUPT, (int64_t)r->header_offset, -1,
		"the table's header: expected '%s' to be %s; the file is damaged", key, expected);
}

static score_status get(const reader *r, const sl_value *map, const char *key, sl_value_type type, const sl_value **out)
{
	bool twice = false;
	*out = map->type == SL_MAP ? sl_map_get(map, key, &twice) : NULL;
	if (!*out || twice || (*out)->type != type)
		return wrong(r, key, "there once, with its type");
	return SCORE_OK;
}

static score_status get_uint(const reader *r, const sl_value *map, const char *key, uint64_t most, uint64_t *out)
{
	const sl_value *value;
	TRY(get(r, map, key, SL_UINT, &value));
	if (value->u.uint > most)
		return wrong(r, key, "smaller");
	*out = value->u.uint;
	return SCORE_OK;
}

static score_status get_u32(const reader *r, const sl_value *map, const char *key, uint32_t most, uint32_t *out)
{
	uint64_t wide = 0;
	TRY(get_uint(r, map, key, most, &wide));
	*out = (uint32_t)wide;
	return SCORE_OK;
}

static score_status get_text(const reader *r, const sl_value *map, const char *key, const char **out)
{
	const sl_value *value;
	TRY(get(r, map, key, SL_TEXT, &value));
	if (memchr(value->u.text, 0, value->n) || sl_utf8_prefix(value->u.text, value->n) != value->n)
		return wrong(r, key, "UTF-8 without zero bytes");
	*out = sl_arena_string(r->arena, value->u.text, value->n);
	return *out ? SCORE_OK : sl_fail_memory(r->error, value->n + 1);
}

static score_status get_type(const reader *r, const sl_value *map, score_dtype *out)
{
	const sl_value *value;
	TRY(get(r, map, "type", SL_TEXT, &value));
	*out = deploy_type_of_name(value->u.text, value->n);
	if (!*out)
		return sl_fail_at(r->error, SCORE_ERR_UNSUPPORTED, (int64_t)r->header_offset, -1,
			"the table has a column of type '%s', which this library does not know",
			sl_quote(value->u.text, value->n).text);
	return SCORE_OK;
}

/* [offset, bytes] of a section that lies, aligned, between prelude and header. */
static score_status get_section(const reader *r, const sl_value *map, const char *key, sft_section *out)
{
	const sl_value *value;
	TRY(get(r, map, key, SL_ARRAY, &value));
	if (value->n != 2 || value->u.items[0].type != SL_UINT || value->u.items[1].type != SL_UINT)
		return wrong(r, key, "[offset, bytes]");
	out->offset = value->u.items[0].u.uint;
	out->bytes = value->u.items[1].u.uint;
	if (out->offset % SL_CACHE_LINE || out->offset < SFT_PRELUDE_BYTES || out->offset > r->header_offset ||
		out->bytes > r->header_offset - out->offset)
		return wrong(r, key, "an aligned section inside the file");
	return SCORE_OK;
}

static score_status read_keys(const reader *r, const sl_value *root, sft_layout *l)
{
	const sl_value *list;
	TRY(get(r, root, "keys", SL_ARRAY, &list));
	if (list->n == 0 || list->n > SFT_MAX_KEYS)
		return wrong(r, "keys", "1 to 16 columns");
	l->n_keys = list->n;
	l->keys = sl_arena_alloc(r->arena, list->n, sizeof *l->keys);
	if (!l->keys)
		return sl_fail_memory(r->error, list->n * sizeof *l->keys);
	for (uint32_t i = 0; i < list->n; i++) {
		TRY(get_text(r, list->u.items + i, "name", &l->keys[i].name));
		TRY(get_type(r, list->u.items + i, &l->keys[i].type));
		if (l->keys[i].type != SCORE_I64 && l->keys[i].type != SCORE_STRING)
			return wrong(r, "keys", "i64 or string");
	}
	return SCORE_OK;
}

static score_status read_texts(const reader *r, const sl_value *map, sft_column *c)
{
	TRY(get_u32(r, map, "n_texts", INT32_MAX, &c->n_texts));
	TRY(get_section(r, map, "starts", &c->starts));
	TRY(get_section(r, map, "text", &c->text));
	if (c->starts.bytes != ((uint64_t)c->n_texts + 1) * 4)
		return wrong(r, "starts", "one offset more than n_texts");
	return SCORE_OK;
}

static score_status read_columns(const reader *r, const sl_value *root, sft_layout *l)
{
	const sl_value *list;
	TRY(get(r, root, "columns", SL_ARRAY, &list));
	if (list->n == 0 || list->n > SFT_MAX_COLUMNS)
		return wrong(r, "columns", "1 to 65536 columns");
	l->n_columns = list->n;
	l->columns = sl_arena_alloc(r->arena, list->n, sizeof *l->columns);
	if (!l->columns)
		return sl_fail_memory(r->error, list->n * sizeof *l->columns);
	for (uint32_t i = 0; i < list->n; i++) {
		sft_column *c = l->columns + i;
		TRY(get_text(r, list->u.items + i, "name", &c->name));
		TRY(get_type(r, list->u.items + i, &c->type));
		TRY(get_uint(r, list->u.items + i, "nulls", l->n_rows, &c->nulls));
		if (c->type == SCORE_STRING)
			TRY(read_texts(r, list->u.items + i, c));
	}
	return SCORE_OK;
}

static score_status read_timestamp(const reader *r, const sl_value *root, sft_layout *l)
{
	bool twice = false;
	const sl_value *value = sl_map_get(root, "timestamp", &twice);
	l->unit = "";
	if (!value)
		return SCORE_OK;
	TRY(get(r, root, "timestamp", SL_MAP, &value));
	TRY(get_text(r, value, "name", &l->timestamp));
	TRY(get_text(r, value, "unit", &l->unit));
	return sft_is_unit(l->unit) ? SCORE_OK : wrong(r, "unit", "s, ms, us, ns or empty");
}

/* Sections hold exactly what the counts say. */
static score_status check_sections(const reader *r, const sft_layout *l)
{
	const sft_section *s = l->sections;
	const uint64_t n_rows = l->timestamp ? l->n_rows : 0;
	if (s[SFT_BUCKETS].bytes / SFT_BUCKET_BYTES != l->n_buckets || s[SFT_BUCKETS].bytes % SFT_BUCKET_BYTES)
		return wrong(r, "buckets", "64 bytes for each of n_buckets");
	if (s[SFT_ENTRIES].bytes / l->entry_bytes != l->n_entries || s[SFT_ENTRIES].bytes % l->entry_bytes)
		return wrong(r, "entries", "as long as n_keys entries");
	if (s[SFT_TIMES].bytes / 8 != n_rows || s[SFT_TIMES].bytes % 8)
		return wrong(r, "times", "8 bytes for each row over time");
	if (s[SFT_ROWS].bytes / l->row_bytes != n_rows || s[SFT_ROWS].bytes % l->row_bytes)
		return wrong(r, "rows", "as long as the rows over time");
	if (!l->timestamp && l->n_rows != l->n_entries)
		return wrong(r, "n_rows", "n_keys, in a table without timestamp");
	return SCORE_OK;
}

static score_status read_root(const reader *r, const sl_value *root, sft_layout *l)
{
	const uint64_t most = (uint64_t)1 << 47;
	if (root->type != SL_MAP)
		return wrong(r, "header", "a map");
	TRY(get_uint(r, root, "n_rows", most, &l->n_rows));
	TRY(get_uint(r, root, "n_keys", most, &l->n_entries));
	TRY(get_uint(r, root, "n_buckets", UINT32_MAX, &l->n_buckets));
	TRY(read_keys(r, root, l));
	TRY(read_timestamp(r, root, l));
	TRY(read_columns(r, root, l));
	deploy_place_columns(l);
	for (uint32_t i = 0; i < SFT_N_SECTIONS; i++)
		TRY(get_section(r, root, deploy_section_names[i], l->sections + i));
	if (l->n_buckets == 0)
		return wrong(r, "n_buckets", "at least 1");
	return check_sections(r, l);
}

static score_status check_prelude(const uint8_t *data, size_t size, score_error *error)
{
	if (size < SFT_PRELUDE_BYTES + SFT_HASH_BYTES || memcmp(data, SFT_MAGIC, SFT_MAGIC_BYTES) != 0)
		return sl_fail_at(error, SCORE_ERR_CORRUPT, 0, -1, "not a Scoreline feature table (.sft): its first bytes are others");
	const uint32_t oldest_reader = sl_load_u32(data + 12);
	if (oldest_reader > SFT_VERSION)
		return sl_fail_at(error, SCORE_ERR_VERSION, 12, -1,
			"the table needs format version %u, this library %s reads up to %u: use a newer library", oldest_reader,
			SCORE_VERSION_STRING, SFT_VERSION);
	if (sl_load_u64(data + 48) != XXH3_64bits(data, 48))
		return sl_fail_at(error, SCORE_ERR_CORRUPT, 48, -1, "the first 48 bytes do not have their hash; the file is damaged");
	if (sl_load_u64(data + 16) != size)
		return sl_fail_at(error, SCORE_ERR_CORRUPT, 16, -1, "the table should have %llu bytes, it has %zu: it is cut short "
			"or something follows it", (unsigned long long)sl_load_u64(data + 16), size);
	return SCORE_OK;
}

score_status deploy_read_header(const uint8_t *data, size_t size, sl_arena *arena, sft_layout *out, score_error *error)
{
	TRY(check_prelude(data, size, error));
	const uint64_t offset = sl_load_u64(data + 24), bytes = sl_load_u64(data + 32);
	if (offset < SFT_PRELUDE_BYTES || offset > size - SFT_HASH_BYTES || bytes != size - SFT_HASH_BYTES - offset ||
		bytes > SFT_MAX_HEADER_BYTES)
		return sl_fail_at(error, SCORE_ERR_CORRUPT, 24, -1, "the header should end 16 bytes before the file does; the file is damaged");
	if (sl_load_u64(data + 40) != XXH3_64bits(data + offset, (size_t)bytes))
		return sl_fail_at(error, SCORE_ERR_CORRUPT, (int64_t)offset, -1, "the header does not have its hash; the file is damaged");
	const reader r = {arena, offset, error};
	sl_value root;
	TRY(sl_msgpack_parse(data + offset, (size_t)bytes, (int64_t)offset, arena, &root, error));
	memset(out, 0, sizeof *out);
	return read_root(&r, &root, out);
}

/* ---- writing ---------------------------------------------------------------------------------------- */

typedef struct writer {
	msgpack_packer pack;
	sl_vector *out;
	bool out_of_memory;
} writer;

static int append(void *data, const char *bytes, size_t n)
{
	writer *w = data;
	w->out_of_memory = w->out_of_memory || !sl_vector_push(w->out, bytes, n);
	return 0;
}

static void put_text(writer *w, const char *text)
{
	const size_t n = strlen(text);
	msgpack_pack_str(&w->pack, n);
	msgpack_pack_str_body(&w->pack, text, n);
}

static void put_pair(writer *w, const char *key, const char *text)
{
	put_text(w, key);
	put_text(w, text);
}

static void put_count(writer *w, const char *key, uint64_t value)
{
	put_text(w, key);
	msgpack_pack_uint64(&w->pack, value);
}

static void put_section(writer *w, const char *key, const sft_section *section)
{
	put_text(w, key);
	msgpack_pack_array(&w->pack, 2);
	msgpack_pack_uint64(&w->pack, section->offset);
	msgpack_pack_uint64(&w->pack, section->bytes);
}

static void put_column(writer *w, const sft_column *c)
{
	msgpack_pack_map(&w->pack, c->type == SCORE_STRING ? 6 : 3);
	put_pair(w, "name", c->name);
	put_pair(w, "type", deploy_type_name(c->type));
	put_count(w, "nulls", c->nulls);
	if (c->type != SCORE_STRING)
		return;
	put_count(w, "n_texts", c->n_texts);
	put_section(w, "starts", &c->starts);
	put_section(w, "text", &c->text);
}

static void put_columns(writer *w, const sft_layout *l)
{
	put_text(w, "keys");
	msgpack_pack_array(&w->pack, l->n_keys);
	for (uint32_t i = 0; i < l->n_keys; i++) {
		msgpack_pack_map(&w->pack, 2);
		put_pair(w, "name", l->keys[i].name);
		put_pair(w, "type", deploy_type_name(l->keys[i].type));
	}
	if (l->timestamp) {
		put_text(w, "timestamp");
		msgpack_pack_map(&w->pack, 2);
		put_pair(w, "name", l->timestamp);
		put_pair(w, "unit", l->unit);
	}
	put_text(w, "columns");
	msgpack_pack_array(&w->pack, l->n_columns);
	for (uint32_t i = 0; i < l->n_columns; i++)
		put_column(w, l->columns + i);
}

score_status deploy_write_header(const sft_layout *l, sl_vector *out, score_error *error)
{
	writer w = {.out = out};
	msgpack_packer_init(&w.pack, &w, append);
	msgpack_pack_map(&w.pack, 5 + SFT_N_SECTIONS + (l->timestamp ? 1 : 0));
	put_count(&w, "n_rows", l->n_rows);
	put_count(&w, "n_keys", l->n_entries);
	put_count(&w, "n_buckets", l->n_buckets);
	put_columns(&w, l);
	for (uint32_t i = 0; i < SFT_N_SECTIONS; i++)
		put_section(&w, deploy_section_names[i], l->sections + i);
	return w.out_of_memory ? sl_fail_memory(error, out->length) : SCORE_OK;
}
