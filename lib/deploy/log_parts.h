/*
 * The parts of the reader of capture logs: log_cursor.c walks msgpack, log_frame.c turns frames into
 * records, log_reader.c finds and reads the files.
 */
#ifndef DEPLOY_LOG_PARTS_H
#define DEPLOY_LOG_PARTS_H

#include "../base/base.h"

#include <scoreline/log.h>

/* ---- msgpack, item by item ---------------------------------------------------------------------------- */

/* Stays failed once something was not as expected; what it gives then is zero. */
typedef struct log_cursor {
	const uint8_t *at, *end;
	bool failed;
	bool no_memory;  /* that is why …                           */
	bool is_refused; /* … because of the allocator, not the limit */
} log_cursor;

/* Zeroed memory; the cursor fails without it. */
void *deploy_log_alloc(log_cursor *c, sl_arena *arena, size_t n, size_t size);

/* One scalar: SCORE_LOG_*; text is not terminated. */
score_log_value deploy_log_scalar(log_cursor *c);
/* Items of an array: never more than bytes are left. */
uint32_t deploy_log_array(log_cursor *c);
int64_t deploy_log_integer(log_cursor *c, int64_t least, int64_t most);
double deploy_log_number(log_cursor *c);
/* Text in the arena, terminated, or NULL for nil. */
const char *deploy_log_text(log_cursor *c, sl_arena *arena);
const uint8_t *deploy_log_bytes(log_cursor *c, uint32_t size);

/* ---- frames ------------------------------------------------------------------------------------------- */

enum { LOG_FRAME_HEADER, LOG_FRAME_MODEL, LOG_FRAME_CALL };

#define LOG_MAX_MODELS 65536u

/* Models of a segment. */
typedef struct log_models {
	sl_arena arena;
	sl_vector by_number; /* const score_log_model *, or NULL */
} log_models;

/* `body` is a frame's msgpack, whose checksum was right. SCORE_ERR_CORRUPT, VERSION, LIMIT or MEMORY.
 * `*is_call` says whether `*call` was filled. */
score_status deploy_log_frame(const uint8_t *body, size_t size, bool is_first, log_models *models, sl_arena *arena,
	score_log_call *call, bool *is_call, score_error *error);

#endif
