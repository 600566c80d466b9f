/*
 * Scoreline: read a capture log.
 *
 * Segment files are hostile until checked: lengths, checksums and every item are looked at before they are
 * used, and memory stays below what the options allow. A file that ends in the middle of a frame, or whose
 * bytes were changed, is read up to there; score_log_get_segment() says where that is. It is no error: a
 * process may die at any moment.
 *
 * Threads. A score_log belongs to one thread at a time. Other processes may write the segments meanwhile.
 */
#ifndef SCORELINE_LOG_H
#define SCORELINE_LOG_H

#include <scoreline/call.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct score_log score_log;

typedef struct score_log_options {
	size_t struct_size;
	const score_allocator *allocator; /* NULL: malloc and free. Must outlive the log                       */
	uint64_t max_frame_bytes;         /* a longer frame counts as damage; 0: 64 MiB                        */
	uint64_t max_memory_bytes;        /* for names of models and one call (SCORE_ERR_LIMIT); 0: 1 GiB      */
} score_log_options;

#define SCORE_LOG_OPTIONS_INIT { sizeof(score_log_options), NULL, 0, 0 }

/* What the log says of a model. Text is UTF-8 as far as the writer gave UTF-8, terminated; NULL where it is
 * not known. */
typedef struct score_log_model {
	size_t struct_size;
	uint8_t hash[16]; /* of the .slm file, or zero */
	const char *name;
	const char *link;
	uint32_t n_features;
	uint32_t n_outputs;
	uint32_t n_predictions;
	uint32_t n_labels;
	const char *const *features;
	const score_feature_type *types;
	const char *const *labels;
} score_log_model;

typedef int32_t score_log_kind;
#define SCORE_LOG_MISSING 0
#define SCORE_LOG_NUMBER 1   /* u.number                               */
#define SCORE_LOG_INTEGER 2  /* u.integer, which a double cannot hold  */
#define SCORE_LOG_UNSIGNED 3 /* u.unsigned_integer, likewise           */
#define SCORE_LOG_TEXT 4     /* u.text, of `length` bytes, terminated  */

typedef struct score_log_value {
	score_log_kind kind;
	uint32_t length;
	union {
		double number;
		int64_t integer;
		uint64_t unsigned_integer;
		const char *text;
	} u;
} score_log_value;

/* A record: a call, or, of a call that was too large for one, some of its rows. */
typedef struct score_log_call {
	size_t struct_size;
	const score_log_model *model;
	int64_t started_unix_ns;
	int64_t latency_ns;
	score_status status;
	score_output output;
	uint32_t flags;             /* SCORE_CALL_*                                                     */
	uint32_t out_width;         /* 0 if there are no outputs                                        */
	double sampling_fraction;
	const char *request_id;     /* the names as in score_call; NULL if they were                    */
	const char *endpoint;
	const char *served_name;
	const char *entity_name;
	const char *entity_version;
	uint64_t call_rows;         /* of the whole call                                                */
	uint64_t first_row;         /* of this record, in the call                                      */
	uint32_t n_rows;            /* of this record; 0 of a failed call                               */
	uint32_t segment;           /* for score_log_get_segment()                                      */
	const score_log_value *inputs; /* [n_rows, model->n_features]                                   */
	const double *outputs;         /* [n_rows, out_width]                                           */
} score_log_call;

/* How a segment file ends, as far as it was read. */
typedef int32_t score_log_end;
#define SCORE_LOG_WHOLE 0   /* with a complete frame                                                    */
#define SCORE_LOG_TORN 1    /* in the middle of a frame, or in zeros: its process died, or is writing   */
#define SCORE_LOG_CORRUPT 2 /* in bytes that are no frame, or one that this library cannot read         */

/* A segment file, and how much of it could be read so far. */
typedef struct score_log_segment {
	size_t struct_size; /* set by the caller */
	const char *path;   /* lives as long as the log */
	int32_t is_closed;  /* 0: by its name, it is being written, or was when its process died */
	score_log_end end;
	uint64_t bytes;     /* of the file, when it was opened                                   */
	uint64_t good_bytes; /* up to here every frame was complete                              */
	uint64_t n_records;
	score_error damage;  /* unless SCORE_LOG_WHOLE: what is wrong at good_bytes, with that offset */
} score_log_segment;

/* Paths are segment files, or directories, whose segments (*.slog, *.slog.active) are read in the order of
 * their names. A path that cannot be read is SCORE_ERR_IO. An empty directory gives an empty log. */
SCORE_API SCORE_MUST_CHECK score_status score_log_open(const char *const *paths, size_t n_paths,
	const score_log_options *options, score_log **out, score_error *error);

/* The next record, valid until the next call; `*call` is NULL at the end. After an error (SCORE_ERR_IO, MEMORY, LIMIT) the
 * rest of that segment is left out, and the next call goes on with the following one. */
SCORE_API SCORE_MUST_CHECK score_status score_log_next(score_log *log, const score_log_call **call, score_error *error);

SCORE_API uint32_t score_log_segment_count(const score_log *log);
SCORE_API SCORE_MUST_CHECK score_status score_log_get_segment(const score_log *log, uint32_t i, score_log_segment *out);

/* NULL is allowed. */
SCORE_API void score_log_close(score_log *log);

#ifdef __cplusplus
}
#endif
#endif
