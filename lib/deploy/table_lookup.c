/*
 * Keys in, packed rows out, a tile of keys at a time.
 *
 * A lookup of one key waits for memory two or three times: bucket, entry and, over time, row. A tile does each step for all of
 * its keys before the next and asks for the next step's memory ahead, so that those waits overlap. Whatever a damaged
 * file says is compared with its bound before it is used as an index.
 */
#include "table.h"

#include "../base/inline_xxhash.h"

#include <stdio.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#if defined(__GNUC__)
#define PREFETCH(P) __builtin_prefetch(P)
#else
#define PREFETCH(P) ((void)(P))
#endif

#define NOT_ASKED UINT64_MAX /* bucket of a key that is null */

uint64_t deploy_hash_i64(int64_t part, uint64_t seed)
{
	return XXH3_64bits_withSeed(&part, sizeof part, seed);
}

uint64_t deploy_hash_text(const char *text, size_t length, uint64_t seed)
{
	return XXH3_64bits_withSeed(text, length, seed ^ length);
}

/* ---- one key ---------------------------------------------------------------------------------------- */

/* False if a part of the key is null, or no int64: then no row has it. */
static bool hash_key(const sft_layout *l, const score_column *keys, size_t r, uint64_t *hash)
{
	*hash = 0;
	for (uint32_t k = 0; k < l->n_keys; k++) {
		size_t length;
		if (l->keys[k].type == SCORE_STRING) {
			const char *text = deploy_text_at(keys + k, r, &length);
			if (!text)
				return false;
			*hash = deploy_hash_text(text, length, *hash);
			continue;
		}
		if (!deploy_is_valid(keys + k, r))
			return false;
		const int64_t part = deploy_integer_at(keys + k, r);
		if (keys[k].dtype == SCORE_U64 && part < 0)
			return false;
		*hash = deploy_hash_i64(part, *hash);
	}
	return true;
}

static bool same_text(const score_table *t, const uint8_t *view, const char *text, size_t length)
{
	if (sl_load_u32(view) != length)
		return false;
	if (length <= SFT_VIEW_INLINE)
		return memcmp(view + 4, text, length) == 0;
	const uint64_t offset = sl_load_u64(view + 8);
	if (memcmp(view + 4, text, 4) != 0 || offset > t->key_text_bytes || length > t->key_text_bytes - offset)
		return false;
	return memcmp(t->key_text + offset, text, length) == 0;
}

static bool same_key(const score_table *t, const uint8_t *entry, const score_column *keys, size_t r)
{
	for (uint32_t k = 0; k < t->layout.n_keys; k++) {
		const uint8_t *stored = entry + t->layout.keys[k].offset;
		size_t length;
		if (t->layout.keys[k].type == SCORE_STRING) {
			const char *text = deploy_text_at(keys + k, r, &length);
			if (!same_text(t, stored, text, length))
				return false;
		} else if (sl_load_u64(stored) != (uint64_t)deploy_integer_at(keys + k, r)) {
			return false;
		}
	}
	return true;
}

/* Bit i: fingerprint i of the bucket is this one. */
static inline uint32_t match_fingerprints(const uint8_t *bucket, uint16_t fingerprint)
{
#if defined(__SSE2__)
	const __m128i wanted = _mm_set1_epi16((short)fingerprint);
	__m128i equal[4];
	for (int i = 0; i < 4; i++)
		equal[i] = _mm_cmpeq_epi16(_mm_loadu_si128((const __m128i *)(bucket + 16 * i)), wanted);
	const uint32_t low = (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(equal[0], equal[1]));
	const uint32_t high = (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(equal[2], equal[3]));
	return (low | high << 16) >> 4; /* the first eight bytes are the bucket's head */
#else
	uint32_t mask = 0;
	for (uint32_t i = 0; i < SFT_FINGERPRINTS; i++) {
		uint16_t stored;
		memcpy(&stored, bucket + 8 + 2 * i, sizeof stored);
		mask |= (uint32_t)(stored == fingerprint) << i;
	}
	return mask;
#endif
}

/* Entries that may have the key: the first one, and which of those after it. */
typedef struct candidates {
	uint64_t first;
	uint32_t mask;
	uint32_t count; /* of all entries of the bucket; those from 28 on are not in the mask */
} candidates;

static bool read_bucket(const score_table *t, uint64_t bucket, uint64_t hash, candidates *out)
{
	const uint8_t *b = t->buckets + bucket * SFT_BUCKET_BYTES;
	const uint64_t head = sl_load_u64(b);
	out->first = head & (((uint64_t)1 << 48) - 1);
	out->count = (uint32_t)(head >> 48);
	if (out->first > t->layout.n_entries || out->count > t->layout.n_entries - out->first || out->count > SFT_MAX_IN_BUCKET)
		return false;
	const uint32_t n = out->count < SFT_FINGERPRINTS ? out->count : SFT_FINGERPRINTS;
	out->mask = match_fingerprints(b, sft_fingerprint(hash)) & ((1u << n) - 1);
	return true;
}

static bool is_packed_i64(const score_table_query *q)
{
	const score_column *key = q->keys;
	return q->n_keys == 1 && key->dtype == SCORE_I64 && !key->validity && (key->stride_bytes == 0 || key->stride_bytes == 8) &&
		(uintptr_t)key->values % sizeof(int64_t) == 0;
}

/* find_entry() for a key that is one int64. */
static const uint8_t *find_integer(const score_table *t, const candidates *c, int64_t key)
{
	const uint8_t *first = t->entries + c->first * t->layout.entry_bytes;
	for (uint32_t mask = c->mask; mask; mask &= mask - 1) {
		const uint8_t *entry = first + (size_t)sl_lowest_bit(mask) * t->layout.entry_bytes;
		if ((int64_t)sl_load_u64(entry) == key)
			return entry;
	}
	for (uint32_t i = SFT_FINGERPRINTS; i < c->count; i++) {
		const uint8_t *entry = first + (size_t)i * t->layout.entry_bytes;
		if ((int64_t)sl_load_u64(entry) == key)
			return entry;
	}
	return NULL;
}

static const uint8_t *find_entry(const score_table *t, const candidates *c, const score_column *keys, size_t r)
{
	const uint8_t *first = t->entries + c->first * t->layout.entry_bytes;
	for (uint32_t mask = c->mask; mask; mask &= mask - 1) {
		const uint8_t *entry = first + (size_t)sl_lowest_bit(mask) * t->layout.entry_bytes;
		if (same_key(t, entry, keys, r))
			return entry;
	}
	for (uint32_t i = SFT_FINGERPRINTS; i < c->count; i++) {
		const uint8_t *entry = first + (size_t)i * t->layout.entry_bytes;
		if (same_key(t, entry, keys, r))
			return entry;
	}
	return NULL;
}

/* ---- rows over time --------------------------------------------------------------------------------- */

static inline int64_t time_at(const score_table *t, uint64_t row)
{
	return (int64_t)sl_load_u64(t->times + row * 8);
}

/* The latest row of a span that is not after the query's time and not too old; `*row` NULL if there is none. */
static bool find_as_of(const score_table *t, const score_table_query *q, size_t r, const uint8_t *span, const uint8_t **row)
{
	const uint64_t first = sl_load_u64(span), count = sl_load_u64(span + 8);
	uint64_t low = 0, high = count;
	*row = NULL;
	if (first > t->layout.n_rows || count > t->layout.n_rows - first)
		return false;
	if (q->timestamp) {
		if (!deploy_is_valid(q->timestamp, r))
			return true;
		const int64_t now = deploy_integer_at(q->timestamp, r);
		while (low < high) {
			const uint64_t middle = low + (high - low) / 2;
			if (time_at(t, first + middle) <= now)
				low = middle + 1;
			else
				high = middle;
		}
		/* now - lookback may lie below all times. */
		if (low && q->lookback && now >= INT64_MIN + q->lookback && time_at(t, first + low - 1) < now - q->lookback)
			return true;
	} else {
		low = count;
	}
	if (low)
		*row = t->rows + (first + low - 1) * t->layout.row_bytes;
	return true;
}

/* ---- a tile ----------------------------------------------------------------------------------------- */

static score_status damaged(score_error *error, const char *what)
{
	return sl_fail(error, SCORE_ERR_CORRUPT, "a %s of the feature table points outside its section; the file is damaged", what);
}

/* The commonest key, one packed column of int64 without nulls, without asking for each row what it is. */
static void hash_integers(const score_table *t, const int64_t *keys, size_t n, uint64_t *hashes, uint64_t *buckets)
{
	for (size_t i = 0; i < n; i++) {
		hashes[i] = deploy_hash_i64(keys[i], 0);
		buckets[i] = sft_bucket_of(hashes[i], t->layout.n_buckets);
		PREFETCH(t->buckets + buckets[i] * SFT_BUCKET_BYTES);
	}
}

static void hash_tile(const score_table *t, const score_table_query *q, size_t first, size_t n, uint64_t *hashes,
	uint64_t *buckets)
{
	if (is_packed_i64(q)) {
		hash_integers(t, (const int64_t *)q->keys->values + q->keys->offset + first, n, hashes, buckets);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		buckets[i] = NOT_ASKED;
		if (!hash_key(&t->layout, q->keys, first + i, hashes + i))
			continue;
		buckets[i] = sft_bucket_of(hashes[i], t->layout.n_buckets);
		PREFETCH(t->buckets + buckets[i] * SFT_BUCKET_BYTES);
	}
}

static void prefetch_entry(const score_table *t, const candidates *c)
{
	if (!c->mask)
		return;
	const uint8_t *entry = t->entries + (c->first + sl_lowest_bit(c->mask)) * t->layout.entry_bytes;
	PREFETCH(entry);
	PREFETCH(entry + t->layout.entry_bytes - 1);
}

score_status deploy_find_rows(const score_table *t, const score_table_query *q, size_t first, size_t n,
	const uint8_t **rows, score_error *error)
{
	uint64_t hashes[DEPLOY_TILE], buckets[DEPLOY_TILE];
	candidates found[DEPLOY_TILE];
	hash_tile(t, q, first, n, hashes, buckets);
	for (size_t i = 0; i < n; i++) {
		found[i] = (candidates){0, 0, 0};
		if (buckets[i] == NOT_ASKED)
			continue;
		if (!read_bucket(t, buckets[i], hashes[i], found + i))
			return damaged(error, "bucket");
		prefetch_entry(t, found + i);
	}
	const bool is_timed = t->layout.timestamp != NULL;
	const int64_t *integers = is_packed_i64(q) ? (const int64_t *)q->keys->values + q->keys->offset + first : NULL;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *entry = integers ? find_integer(t, found + i, integers[i]) : find_entry(t, found + i, q->keys, first + i);
		rows[i] = entry ? entry + t->layout.row_offset : NULL;
		if (is_timed && entry && sl_load_u64(rows[i]) < t->layout.n_rows)
			PREFETCH(t->times + sl_load_u64(rows[i]) * 8);
	}
	if (!is_timed)
		return SCORE_OK;
	for (size_t i = 0; i < n; i++) {
		if (rows[i] && !find_as_of(t, q, first + i, rows[i], rows + i))
			return damaged(error, "key");
		if (rows[i])
			PREFETCH(rows[i]);
	}
	return SCORE_OK;
}

score_status deploy_check_query(const score_table *t, const score_table_query *q, size_t n_rows, score_error *error)
{
	const sft_layout *l = &t->layout;
	if (q->n_keys != l->n_keys)
		return sl_fail(error, SCORE_ERR_SHAPE, "the table has %u key column%s, the query %zu", l->n_keys,
			l->n_keys == 1 ? "" : "s", q->n_keys);
	if (!q->keys)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_table_query.keys is NULL");
	for (uint32_t k = 0; k < l->n_keys; k++) {
		const bool is_text = l->keys[k].type == SCORE_STRING;
		char what[40];
		if (is_text ? q->keys[k].dtype != SCORE_STRING : !deploy_is_integer(q->keys[k].dtype))
			return sl_fail(error, SCORE_ERR_SHAPE, "key column '%s' of the table holds %s; found another type in the query",
				sl_quote(l->keys[k].name, strlen(l->keys[k].name)).text, is_text ? "texts" : "integers");
		snprintf(what, sizeof what, "score_table_query.keys[%u]", k);
		TRY(deploy_check_column(q->keys + k, n_rows, what, error));
	}
	if (q->timestamp && !l->timestamp)
		return sl_fail(error, SCORE_ERR_SHAPE, "the query has a timestamp, but the table has none: build it with one");
	if (q->timestamp && q->timestamp->dtype != SCORE_I64 && q->timestamp->dtype != SCORE_I32 &&
		q->timestamp->dtype != SCORE_U32)
		return sl_fail(error, SCORE_ERR_SHAPE, "expected the query's timestamp as SCORE_I64, _I32 or _U32, found type %d",
			(int)q->timestamp->dtype);
	if (q->timestamp)
		TRY(deploy_check_column(q->timestamp, n_rows, "score_table_query.timestamp", error));
	if (q->lookback < 0 || (q->lookback && !q->timestamp))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "lookback is %lld: it takes a timestamp, and is 0 or more",
			(long long)q->lookback);
	return SCORE_OK;
}
