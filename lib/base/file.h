/*
 * Files by their paths: read, mapped, written whole. Comes in: paths. Goes out: bytes, and errors that name the path.
 * What includes this needs an operating system; the library in memory only (tools/amalgamate.py) is what does not.
 */
#ifndef SL_FILE_H
#define SL_FILE_H

#include "base.h"

/* "cannot WHAT 'PATH': why", from errno. */
score_status sl_fail_io(score_error *error, const char *what, const char *path);
/* Whole file in memory of `allocator`, at most `max_bytes` (0: 1 GiB). */
score_status sl_read_file(const char *path, uint64_t max_bytes, const score_allocator *allocator, void **out,
	size_t *out_size, score_error *error);
/* Which content of which file: equal ones are the same bytes, unless the clock of the file system was too coarse. */
typedef struct sl_file_identity {
	uint64_t device, inode, size;
	int64_t changed_s, changed_ns; /* last change of the content, UTC */
} sl_file_identity;
score_status sl_identify_file(const char *path, sl_file_identity *out, score_error *error);
/* sl_read_file() and sl_map_file() with the identity of what was read: IO if it changed meanwhile. */
score_status sl_read_identified_file(const char *path, uint64_t max_bytes, const score_allocator *allocator, void **out,
	sl_file_identity *identity, score_error *error);
score_status sl_map_identified_file(const char *path, uint64_t max_bytes, const void **out, sl_file_identity *identity,
	score_error *error);
/* How a path of someone else's is opened for reading: a pipe is not waited for, a terminal does not become ours. */
#define SL_OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* Read-only private mapping; give back with sl_unmap_file(). */
score_status sl_map_file(const char *path, uint64_t max_bytes, const void **out, size_t *out_size, score_error *error);
void sl_unmap_file(const void *data, size_t size);
/* A new file, open for reading and writing, in the folder of `path`, under a name of its own in `name`: what is to be renamed
 * to `path`. After a failure `name` is empty. */
#define SL_PATH_BYTES 4096
score_status sl_create_beside(const char *path, uint32_t mode, char name[SL_PATH_BYTES], int *out_fd, score_error *error);
/* Write beside `path`, sync, rename over it. */
score_status sl_write_file(const char *path, const void *data, size_t size, score_error *error);

#endif
