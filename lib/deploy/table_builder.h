/*
 * What the files that build a feature table share: records on their way to the file, and where they wait.
 */
#ifndef DEPLOY_TABLE_BUILDER_H
#define DEPLOY_TABLE_BUILDER_H

#include "table.h"

/* ---- bytes that go to a file in order ---------------------------------------------------------------- */

/* Once a write has failed the rest is left out, and `status` says so: whoever writes much looks at it now and then. */
typedef struct deploy_stream {
	int fd;
	uint64_t at; /* where the next byte goes, buffered ones included */
	uint8_t *buffer;
	size_t used;
	const char *path; /* for messages */
	score_status status;
	score_error *error;
} deploy_stream;

#define DEPLOY_STREAM_BUFFER ((size_t)256 << 10)

/* A file beside `path` that no longer has a name. */
score_status deploy_open_unnamed(const char *path, int *out_fd, score_error *error);
score_status deploy_stream_open(deploy_stream *s, int fd, uint64_t at, const char *path, const score_allocator *a,
	score_error *error);
void deploy_stream_write(deploy_stream *s, const void *data, size_t size);
/* Zeros up to the next multiple of the cache line. */
void deploy_stream_align(deploy_stream *s);
score_status deploy_stream_flush(deploy_stream *s);
/* Frees the buffer; the file is the caller's. */
void deploy_stream_free(deploy_stream *s, const score_allocator *a);
score_status deploy_write_at(int fd, const void *data, size_t size, uint64_t at, const char *path, score_error *error);
score_status deploy_read_at(int fd, void *data, size_t size, uint64_t at, const char *path, score_error *error);

/* ---- records ----------------------------------------------------------------------------------------- */

/* Then the key as in an entry, where far texts have their offset behind the row; the packed row; far texts, each padded to
 * eight bytes. */
typedef struct deploy_record {
	uint64_t hash;
	uint64_t line;
	int64_t time;
	uint64_t bytes; /* of all, a multiple of 8 */
} deploy_record;

/* Records wait in parts by the first byte of their hash: in memory, and beyond a buffer in one file, in chunks of whole
 * records. */
#define DEPLOY_PARTS 256u
#define DEPLOY_PART_BUFFER ((size_t)32 << 10)

typedef struct deploy_part {
	uint8_t *buffer;
	size_t used;
	sl_vector chunks;
	uint64_t n_records;
	uint64_t bytes; /* in chunks and buffer */
} deploy_part;

typedef struct deploy_spill {
	score_allocator allocator;
	const char *path;
	int fd; /* -1 until something is written */
	uint64_t at;
	deploy_part parts[DEPLOY_PARTS];
} deploy_spill;

void deploy_spill_init(deploy_spill *s, const char *path, const score_allocator *a);
score_status deploy_spill_add(deploy_spill *s, const deploy_record *record, score_error *error);
/* All records of a part, one after the other, in memory of `part->bytes` bytes. */
score_status deploy_spill_load(const deploy_spill *s, const deploy_part *part, uint8_t *out, score_error *error);
void deploy_spill_free(deploy_spill *s);

/* ---- texts of a column ------------------------------------------------------------------------------- */

/* Each text once, in the order in which they came. */
typedef struct deploy_texts {
	sl_vector starts; /* uint32_t, one more than texts */
	sl_vector text;
	uint32_t *slots;  /* number of a text + 1, or 0 */
	uint32_t n_slots; /* a power of two, or 0       */
} deploy_texts;

void deploy_texts_init(deploy_texts *t, const score_allocator *a);
uint32_t deploy_texts_count(const deploy_texts *t);
/* Number of the text. SCORE_ERR_MEMORY, or SCORE_ERR_LIMIT beyond 2 GiB of text. */
score_status deploy_texts_add(deploy_texts *t, const char *text, size_t length, uint32_t *out, score_error *error);
uint64_t deploy_texts_bytes(const deploy_texts *t);
void deploy_texts_free(deploy_texts *t);

/* ---- the builder ------------------------------------------------------------------------------------- */

struct score_table_builder {
	score_allocator allocator;
	sl_arena arena;
	sft_layout layout;
	char *path;
	uint64_t memory_bytes;
	bool failed;
	deploy_texts *texts; /* one per column, empty ones too */
	sl_vector record;    /* bytes of the row being added   */
	deploy_spill spill;
};

#endif
