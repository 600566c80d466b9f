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
/* Which content of which file: equal ones are the same bytes, unless the clock of the file system was too coarse. Programs set the time of
 * the content back (cp -p, tar, builds that want equal bytes for equal sources), but nobody sets the other one. */
typedef struct sl_file_identity {
	uint64_t device, inode, size;
	int64_t changed_s, changed_ns; /* last change of the content, UTC, or what it was set to         */
	int64_t touched_s, touched_ns; /* last change of content, owner, permissions, names or that time */
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
#define SL_PATH_BYTES 4096

/* A file that is written beside the place where it will stand, so that it is seen there whole or not at all. Where the file system can, it
 * has no name until then, and a process that is killed leaves nothing. */
typedef struct sl_new_file {
	int fd;                      /* for reading and writing; -1 when it is closed           */
	bool replaces;               /* another file, …                                         */
	uint32_t mode, owner, group; /* … which has these                                       */
	bool is_named;               /* it is there for others, as …                            */
	char name[SL_PATH_BYTES];    /* … this; else its place, for messages                    */
	char place[SL_PATH_BYTES];   /* the path, symbolic links followed to their end          */
} sl_new_file;

/* Where the place is free the file gets `mode`, less what umask() takes; else the permissions of the file there. After a failure there
 * is nothing to give up. */
score_status sl_create_beside(const char *path, uint32_t mode, sl_new_file *out, score_error *error);
/* Sync it, close it, and give it its place so that it survives a loss of power there. */
score_status sl_put_in_place(sl_new_file *file, score_error *error);
/* Close it, and remove it unless it has its place. */
void sl_give_up(sl_new_file *file);
/* What was renamed in the folder survives a loss of power, on file systems that can promise it. */
score_status sl_sync_folder(const char *folder, score_error *error);
/* All of the above around some bytes. */
score_status sl_write_file(const char *path, const void *data, size_t size, score_error *error);

#endif
