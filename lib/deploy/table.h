/*
 * Feature tables: what the files that write, open and read `.sft` share. docs/features.md is the description of the bytes.
 *
 * Comes in: mapped bytes that nobody has checked. Goes out: a score_table whose header is checked; every index that
 * stands in the data is compared with its bound where it is used.
 */
#ifndef DEPLOY_TABLE_H
#define DEPLOY_TABLE_H

#include "column_value.h"

#include <scoreline/features.h>

#include <stdatomic.h>

/* Return from the function unless the call succeeds. */
#define TRY(CALL) \
	do { \
		const score_status status_ = (CALL); \
		if (status_ != SCORE_OK) \
			return status_; \
	} while (0)

#define SFT_MAGIC "\x89SFT\r\n\x1a\n"
#define SFT_MAGIC_BYTES 8u
#define SFT_VERSION 1u
#define SFT_PRELUDE_BYTES 64u
#define SFT_HASH_BYTES 16u
#define SFT_MAX_HEADER_BYTES (16u << 20)
#define SFT_MAX_KEYS 16u
#define SFT_MAX_COLUMNS 65536u

/* One bucket fills one cache line: which keys it has, 48 bits, how many, 16 bits, then a fingerprint of each. The keys of a
 * bucket stand one after the other in `entries`; those without a fingerprint, behind the first 28, are compared one by one. */
#define SFT_BUCKET_BYTES 64u
#define SFT_FINGERPRINTS 28u
#define SFT_BUCKET_MEAN 16u
#define SFT_MAX_IN_BUCKET 255u

/* A text key: its length, then up to 12 bytes of it, or the first 4 and where all of it stands in `key_text`. */
#define SFT_VIEW_BYTES 16u
#define SFT_VIEW_INLINE 12u

/* Behind the key of a table with a timestamp: number of its first row in `times` and `rows`, and how many. */
#define SFT_SPAN_BYTES 16u

typedef enum sft_section_number {
	SFT_BUCKETS,  /* hash buckets                                                  */
	SFT_ENTRIES,  /* one per key, in the order of hashes: key, then row or span    */
	SFT_KEY_TEXT, /* texts of keys that are longer than 12 bytes                   */
	SFT_TIMES,    /* int64 per row: tables with a timestamp                        */
	SFT_ROWS,     /* packed values per row: tables with a timestamp                */
	SFT_N_SECTIONS
} sft_section_number;
extern const char *const deploy_section_names[SFT_N_SECTIONS];

/* Bytes of the file. */
typedef struct sft_section {
	uint64_t offset;
	uint64_t bytes;
} sft_section;

typedef struct sft_key {
	const char *name;
	score_dtype type;
	uint32_t offset; /* in an entry */
} sft_key;

typedef struct sft_column {
	const char *name;
	score_dtype type;
	uint32_t offset;     /* of the value in a packed row                */
	uint32_t n_texts;    /* SCORE_STRING                                */
	sft_section starts;  /* uint32_t [n_texts + 1], offsets into `text` */
	sft_section text;
	uint64_t nulls;
} sft_column;

/* What the header says. A packed row begins at `row_offset` of an entry, or of an element of `rows`: validity bits, one per
 * column, set = there is a value; then the values. */
typedef struct sft_layout {
	sft_key *keys;
	sft_column *columns;
	uint32_t n_keys;
	uint32_t n_columns;
	const char *timestamp; /* name, or NULL */
	const char *unit;
	uint64_t n_rows;
	uint64_t n_entries;
	uint64_t n_buckets;
	uint32_t entry_bytes;
	uint32_t row_bytes;
	uint32_t row_offset; /* of the packed row in an entry; of the span, with a timestamp */
	sft_section sections[SFT_N_SECTIONS];
} sft_layout;

struct score_table {
	score_allocator allocator;
	sl_arena arena;
	atomic_size_t holders;
	const uint8_t *data;
	size_t size;
	sft_layout layout;
	/* Of the sections, from the layout. */
	const uint8_t *buckets, *entries, *key_text, *times, *rows;
	uint64_t key_text_bytes;
};

static inline uint32_t sft_value_bytes(score_dtype type)
{
	return type == SCORE_F64 || type == SCORE_I64 ? 8 : type == SCORE_BOOL ? 1 : 4;
}

static inline uint32_t sft_key_bytes(score_dtype type)
{
	return type == SCORE_STRING ? SFT_VIEW_BYTES : 8;
}

static inline bool sft_is_column_type(score_dtype type)
{
	return type == SCORE_F64 || type == SCORE_F32 || type == SCORE_I64 || type == SCORE_I32 || type == SCORE_BOOL ||
		type == SCORE_STRING;
}

static inline bool sft_is_unit(const char *unit)
{
	return !*unit || strcmp(unit, "s") == 0 || strcmp(unit, "ms") == 0 || strcmp(unit, "us") == 0 || strcmp(unit, "ns") == 0;
}

/* Which bucket a hash falls into: ascending with the hash, so that entries sorted by hash are sorted by bucket. */
static inline uint64_t sft_bucket_of(uint64_t hash, uint64_t n_buckets)
{
	const uint64_t high = hash >> 32, low = hash & UINT32_MAX;
	return (high * n_buckets + (low * n_buckets >> 32)) >> 32; /* n_buckets < 2^32 */
}

static inline uint16_t sft_fingerprint(uint64_t hash)
{
	return (uint16_t)hash;
}

/* Hash of a composite key: each part seeds the next. */
uint64_t deploy_hash_i64(int64_t part, uint64_t seed);
uint64_t deploy_hash_text(const char *text, size_t length, uint64_t seed);

/* Name of a type in headers, and back (0 if there is none). */
const char *deploy_type_name(score_dtype type);
score_dtype deploy_type_of_name(const char *text, size_t length);

/* ---- header --------------------------------------------------------------------------------------- */

/* Read and check the header; names are copied into the arena. */
score_status deploy_read_header(const uint8_t *data, size_t size, sl_arena *arena, sft_layout *out, score_error *error);
/* Bytes of the msgpack header at the end of `out` (a vector of bytes). */
score_status deploy_write_header(const sft_layout *layout, sl_vector *out, score_error *error);
/* Offsets of keys and columns, entry_bytes, row_bytes and row_offset from their types. */
void deploy_place_columns(sft_layout *layout);
/* The keys, columns and places of both are the same. */
bool deploy_same_layout(const sft_layout *a, const sft_layout *b);

/* ---- reading -------------------------------------------------------------------------------------- */

/* Rows that are looked up together. */
#define DEPLOY_TILE 128u

/* Find the packed rows of at most DEPLOY_TILE keys, from row `first` of the query on. rows[i] is NULL where there is none. */
score_status deploy_find_rows(const score_table *table, const score_table_query *query, size_t first, size_t n,
	const uint8_t **rows, score_error *error);
score_status deploy_check_query(const score_table *table, const score_table_query *query, size_t n_rows, score_error *error);

static inline bool deploy_has_value(const uint8_t *row, uint32_t column)
{
	return row[column >> 3] >> (column & 7) & 1;
}

#endif
