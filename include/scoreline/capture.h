/*
 * Scoreline: the capture log. Finished calls go through a ring in memory into segment files.
 *
 * score_capture_record() is for the threads that score: it copies the call into the ring and returns; it
 * never waits, allocates nothing and enters the kernel for nothing. score_capture_drain() is for whoever has
 * time: it moves what is in the ring to disk. When the ring is full, because nobody drains or the disk is,
 * calls are lost and counted; scoring goes on. docs/capture.md says what stands in the files;
 * <scoreline/log.h> reads them.
 *
 * Threads.  record, drain, add_model, remove_model, rotate and get_info may run at once in any threads. free
 *           is the last call.
 * Privacy.  Segments hold rows and predictions. Who may read them follows from the directory and the umask: the files are made with
 *           mode 0644 less the umask, in a directory that is made by the host.
 * Fork.     A capture belongs to the process that made it. In a child, drain and rotate fail and free writes
 *           nothing: make a new one there.
 */
#ifndef SCORELINE_CAPTURE_H
#define SCORELINE_CAPTURE_H

#include <scoreline/call.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct score_capture score_capture;

/* When what was written is forced to the disk, so that it survives a loss of power (it survives the process
 * anyway). */
typedef int32_t score_capture_sync;
#define SCORE_CAPTURE_SYNC_NEVER 0   /* when the operating system likes     */
#define SCORE_CAPTURE_SYNC_SEGMENT 1 /* when a segment is closed            */
#define SCORE_CAPTURE_SYNC_DRAIN 2   /* at the end of every drain that wrote */

typedef struct score_capture_options {
	size_t struct_size;
	const score_allocator *allocator; /* NULL: malloc and free. Must outlive the capture                        */
	const char *directory;            /* of the segment files; must exist                                       */
	const char *prefix;               /* their names begin with it; letters, digits, '_', '-'; NULL: "calls"    */
	double sampling_fraction;         /* (0, 1]: of the calls to keep; 0 means 1                                */
	uint64_t ring_bytes;              /* 64 KiB to 1 GiB, rounded up to a power of two; 0: 4 MiB                */
	uint64_t max_record_bytes;        /* 1 KiB to 16 MiB and at most a quarter of the ring; 0: 64 KiB, or that quarter.
	                                   * A call with more is split by rows into several records                 */
	uint64_t segment_bytes;           /* a segment is closed when it has as many; 0: 64 MiB                     */
	int64_t segment_age_ns;           /* or when it was begun so long ago, seen while draining; 0: one hour     */
	score_capture_sync sync;
	uint32_t reserved;
} score_capture_options;

#define SCORE_CAPTURE_OPTIONS_INIT { sizeof(score_capture_options), NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0 }

/* Allocates the ring. No file is made before there is something to write; segments that a dead process left
 * open are closed (renamed). SCORE_ERR_ARGUMENT names the option that is wrong; SCORE_ERR_IO: the directory
 * is none. */
SCORE_API SCORE_MUST_CHECK score_status score_capture_new(const score_capture_options *options, score_capture **out,
	score_error *error);

/* Stops the helper thread, drains a last time, closes the segment. What cannot be written then is lost: to
 * know, drain and look at score_capture_get_info() before. NULL is allowed. */
SCORE_API void score_capture_free(score_capture *capture);

/* Make a model known before its first call: its names are copied, so that the log can be read without it.
 * Calls of an unknown model are not kept. Adding a model again does nothing. Before a model is freed, remove
 * it: another model may get its address. At most 1,024 models at a time and 65,536 different ones
 * (SCORE_ERR_LIMIT). */
SCORE_API SCORE_MUST_CHECK score_status score_capture_add_model(score_capture *capture, const score_model *model,
	score_error *error);
SCORE_API void score_capture_remove_model(score_capture *capture, const score_model *model);

/* Keep a call: 1 if it was kept, 0 if the sampling left it out, -1 if it was lost, which is counted. Which
 * calls a fraction keeps depends on the request id alone (a hash other than the one that routes keys to
 * versions), without one on a count. Of a failed call (`status` not SCORE_OK) neither inputs nor outputs are
 * read. Calls with codes for rows (SCORE_BINNED) have no values to log and are lost. Lock-free; allocates nothing; no system calls. */
SCORE_API int score_capture_record(score_capture *capture, const score_call *call);

/* Write what is in the ring to the segment file. `n_records`, if not NULL, receives how many records were
 * written. After SCORE_ERR_IO (full disk, failing disk) everything unwritten is still in the ring and the
 * file ends behind a complete record: drain again later. */
SCORE_API SCORE_MUST_CHECK score_status score_capture_drain(score_capture *capture, uint64_t *n_records,
	score_error *error);

/* Drain, and close the segment, so that another program may take it away. */
SCORE_API SCORE_MUST_CHECK score_status score_capture_rotate(score_capture *capture, score_error *error);

/* A thread that drains every `interval_ns` (0: 100 ms), and sooner once more than half of the ring was in
 * use. It blocks all signals. SCORE_ERR_ARGUMENT if it runs already. */
SCORE_API SCORE_MUST_CHECK score_status score_capture_start(score_capture *capture, int64_t interval_ns,
	score_error *error);
/* Ends the thread after a last drain. Returns what that drain returned; SCORE_OK if no thread runs. */
SCORE_API SCORE_MUST_CHECK score_status score_capture_stop(score_capture *capture, score_error *error);

/* Counts since the capture was made. A call is counted once: as sampled out, kept, or lost for one reason. A
 * call of which only some rows fitted in the ring counts as lost. */
typedef struct score_capture_info {
	size_t struct_size;      /* set by the caller                                                   */
	uint64_t n_sampled_out;
	uint64_t n_kept;         /* calls whose rows are all in the ring or written                     */
	uint64_t n_lost_full;    /* the ring had no room                                                */
	uint64_t n_lost_size;    /* one row is larger than max_record_bytes                             */
	uint64_t n_lost_invalid; /* the model is unknown, or the input or output does not fit it        */
	uint64_t n_records;      /* put into the ring                                                   */
	uint64_t n_written;      /* of these, written to segments                                       */
	uint64_t n_bytes;        /* written to segments                                                 */
	uint64_t n_segments;     /* begun                                                               */
	uint64_t n_failed_drains;
	uint64_t ring_bytes;
	uint64_t ring_used;      /* bytes now, with what is reserved                                    */
	score_status last_drain; /* what the last drain returned                                        */
	uint32_t reserved;
} score_capture_info;

SCORE_API SCORE_MUST_CHECK score_status score_capture_get_info(const score_capture *capture, score_capture_info *info);

#ifdef __cplusplus
}
#endif
#endif
