/*
 * The parts of the capture log, from a call to a file:
 *
 *   capture_record.c   a call → records in the ring (capture_values.c reads the caller's rows)
 *   capture_ring.c     many producers, one consumer
 *   capture_drain.c    records → frames (capture_frame.c) → segment files (capture_segment.c)
 *   capture_models.c   what the log says of models
 *   capture.c          making, freeing, counts, the helper thread
 */
#ifndef DEPLOY_CAPTURE_PARTS_H
#define DEPLOY_CAPTURE_PARTS_H

#include "../base/base.h"

#include <scoreline/capture.h>

#include <pthread.h>
#include <stdatomic.h>

/* ---- the ring ------------------------------------------------------------------------------------- */

#define RING_GRANULE 64u

typedef struct deploy_ring {
	unsigned char *bytes;            /* n_granules of RING_GRANULE bytes                     */
	_Atomic uint64_t *states;        /* a word per granule                                   */
	uint64_t n_granules;             /* a power of two                                       */
	unsigned shift;                  /* its logarithm                                        */
	_Alignas(SL_CACHE_LINE) _Atomic uint64_t head; /* granules reserved since the beginning  */
	_Alignas(SL_CACHE_LINE) _Atomic uint64_t tail; /* granules given back                    */
} deploy_ring;

bool deploy_ring_init(deploy_ring *ring, const score_allocator *allocator, uint64_t bytes);
void deploy_ring_free(deploy_ring *ring, const score_allocator *allocator);

/* Any thread: room for `bytes`, 64-byte aligned, or NULL if there is none. What was reserved must be
 * committed. */
void *deploy_ring_reserve(deploy_ring *ring, size_t bytes, uint64_t *position);
void deploy_ring_commit(deploy_ring *ring, uint64_t position);

/* One thread at a time. The next committed record from `*cursor` on, which start is deploy_ring_begin();
 * NULL if there is none. It is taken until deploy_ring_settle() gives the room of all taken records back, or
 * keeps them for another time. */
uint64_t deploy_ring_begin(const deploy_ring *ring);
const void *deploy_ring_take(deploy_ring *ring, uint64_t *cursor);
/* The record that was taken last is to stay: it was not looked at. */
void deploy_ring_untake(deploy_ring *ring, const void *record);
void deploy_ring_settle(deploy_ring *ring, bool done);
uint64_t deploy_ring_used(const deploy_ring *ring); /* bytes */

/* ---- models --------------------------------------------------------------------------------------- */

/* What the log says of a model; never changes, lives as long as the capture. */
typedef struct capture_model {
	struct capture_model *next;
	uint32_t number;     /* from 0, in the order of adding */
	uint32_t n_features;
	score_model_info info;
	const char *name;    /* or NULL */
	const char *link;
	const char **features;
	uint8_t *types;      /* score_feature_type */
	uint32_t n_labels;
	const char **labels;
} capture_model;

#define CAPTURE_MODEL_SLOTS 2048u /* twice as many as models at a time */
#define CAPTURE_MAX_MODELS 65536u

typedef struct capture_slot {
	_Atomic(const score_model *) model;
	_Atomic(const capture_model *) known;
} capture_slot;

/* Without a lock; NULL if the model is unknown. */
const capture_model *deploy_capture_find_model(const score_capture *capture, const score_model *model);

/* ---- values --------------------------------------------------------------------------------------- */

/* How the inputs of a record stand in the ring. */
typedef enum capture_cells { CELLS_NONE, CELLS_F32, CELLS_F64, CELLS_TAGGED } capture_cells;

/* Tags of CELLS_TAGGED: a byte, then 8 bytes of number, or 4 bytes of length and the text. */
#define CELL_MISSING 0u
#define CELL_F64 1u
#define CELL_I64 2u
#define CELL_U64 3u
#define CELL_TEXT 4u

/* The smallest form that holds every value of these inputs; CELLS_NONE: they do not fit the model. */
capture_cells deploy_cells_form(const score_input *input, const score_plan *plan, uint32_t n_features);
/* Bytes of one row, and the values of rows [first, first + n), row after row, in the order of the features. */
size_t deploy_cells_row_bytes(const score_input *input, const score_plan *plan, uint32_t n_features, capture_cells form,
	int64_t row);
unsigned char *deploy_cells_write(const score_input *input, const score_plan *plan, uint32_t n_features,
	capture_cells form, int64_t first, int64_t n, unsigned char *to);

/* ---- records -------------------------------------------------------------------------------------- */

enum { TEXT_REQUEST, TEXT_ENDPOINT, TEXT_SERVED, TEXT_ENTITY, TEXT_VERSION, N_TEXTS };
#define TEXT_NULL UINT32_MAX

/* In the ring: this, then outputs (doubles), cells, texts. */
typedef struct capture_record {
	const capture_model *model;
	int64_t started_unix_ns;
	int64_t latency_ns;
	uint64_t call_rows; /* of the whole call    */
	uint64_t first_row; /* of this record       */
	uint32_t n_rows;    /* of this record       */
	uint32_t out_width; /* 0: there are none    */
	score_status status;
	score_output output;
	uint32_t flags;
	capture_cells cells;
	uint32_t cell_bytes;
	uint32_t text_bytes[N_TEXTS]; /* or TEXT_NULL */
} capture_record;

/* ---- segments ------------------------------------------------------------------------------------- */

typedef struct capture_segment {
	int fd;           /* -1: none is open                                          */
	char *active;     /* paths, while it is written and when it is closed          */
	char *closed;
	uint64_t bytes;   /* up to here every frame is complete                        */
	int64_t begun_ns; /* monotonic                                                 */
	bool has_calls;   /* one without is never due: its first call may need more than a segment has */
	uint8_t has_model[CAPTURE_MAX_MODELS / 8]; /* whose frame stands in it, a bit each */
} capture_segment;

#define CAPTURE_SUFFIX ".slog"
#define CAPTURE_ACTIVE ".active"

struct score_capture {
	score_allocator allocator;
	char *directory;
	char *prefix;
	double sampling_fraction;
	uint64_t threshold;  /* a hash below it is kept; UINT64_MAX: all */
	size_t max_record_bytes;
	uint64_t segment_bytes;
	int64_t segment_age_ns;
	score_capture_sync sync;
	int64_t process;     /* that made it */

	deploy_ring ring;
	capture_slot slots[CAPTURE_MODEL_SLOTS];
	_Atomic uint64_t n_unnamed; /* calls without a request id: what they are sampled by */
	_Atomic uint64_t n_sampled_out, n_kept, n_lost_full, n_lost_size, n_lost_invalid;
	_Atomic uint64_t n_parts;   /* records, beside the last one of every kept call */
	_Atomic uint64_t n_written, n_bytes, n_segments, n_failed_drains;
	_Atomic score_status last_drain;

	pthread_mutex_t drain_lock; /* all below; never taken by score_capture_record() */
	capture_model *models;      /* the newest first */
	uint32_t n_models;
	uint32_t n_live_models;
	sl_arena arena;             /* of the models    */
	capture_segment segment;
	unsigned char *buffer;      /* frames on their way to the file */
	size_t buffer_bytes;
	uint64_t sequence;          /* of the next segment */

	pthread_mutex_t thread_lock; /* the helper thread */
	pthread_cond_t thread_wake;
	pthread_t thread;
	bool thread_runs, thread_ends;
	int64_t thread_interval_ns;
	score_status thread_status;
	score_error thread_error;
};

/* Frames into buffer[*used, size): false if they do not fit. Room for a frame is asked for as a whole. */
bool deploy_frame_header(unsigned char *buffer, size_t size, size_t *used, const score_capture *capture,
	int64_t created_unix_ns);
bool deploy_frame_model(unsigned char *buffer, size_t size, size_t *used, const capture_model *model);
bool deploy_frame_call(unsigned char *buffer, size_t size, size_t *used, const capture_record *record,
	double sampling_fraction);

/* Under the drain lock. */
score_status deploy_segment_begin(score_capture *capture, score_error *error);
/* All of the bytes or none: what a failed write left in the file is cut off again. */
score_status deploy_segment_write(score_capture *capture, const void *bytes, size_t size, score_error *error);
score_status deploy_segment_sync(score_capture *capture, score_error *error);
score_status deploy_segment_close(score_capture *capture, score_error *error);
bool deploy_segment_is_due(const score_capture *capture);
/* Close what dead processes left open. */
score_status deploy_segment_adopt(score_capture *capture, score_error *error);

#endif
