/*
 * Files of a table that is being built: bytes in order, at places, and without a name.
 *
 * POSIX. Short writes and EINTR are retried; every failure names the path.
 */
#define _POSIX_C_SOURCE 200809L
#include "table_builder.h"

#include "../base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

score_status deploy_open_unnamed(const char *path, int *out_fd, score_error *error)
{
	sl_new_file file;
	const score_status status = sl_create_beside(path, 0600, &file, error);
	if (status == SCORE_OK && file.is_named)
		unlink(file.name);
	*out_fd = file.fd;
	return status;
}

score_status deploy_write_at(int fd, const void *data, size_t size, uint64_t at, const char *path, score_error *error)
{
	for (size_t done = 0; done < size;) {
		const ssize_t n = pwrite(fd, (const char *)data + done, size - done, (off_t)(at + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return sl_fail_io(error, "write", path);
		done += (size_t)n;
	}
	return SCORE_OK;
}

score_status deploy_read_at(int fd, void *data, size_t size, uint64_t at, const char *path, score_error *error)
{
	for (size_t done = 0; done < size;) {
		const ssize_t n = pread(fd, (char *)data + done, size - done, (off_t)(at + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO; /* someone made it shorter */
		if (n <= 0)
			return sl_fail_io(error, "read back", path);
		done += (size_t)n;
	}
	return SCORE_OK;
}

score_status deploy_stream_open(deploy_stream *s, int fd, uint64_t at, const char *path, const score_allocator *a,
	score_error *error)
{
	*s = (deploy_stream){fd, at, sl_alloc(a, DEPLOY_STREAM_BUFFER, SL_CACHE_LINE), 0, path, SCORE_OK, error};
	return s->buffer ? SCORE_OK : sl_fail_memory(error, DEPLOY_STREAM_BUFFER);
}

static void put(deploy_stream *s, const void *data, size_t size, uint64_t at)
{
	if (s->status == SCORE_OK)
		s->status = deploy_write_at(s->fd, data, size, at, s->path, s->error);
}

score_status deploy_stream_flush(deploy_stream *s)
{
	put(s, s->buffer, s->used, s->at - s->used);
	s->used = 0;
	return s->status;
}

void deploy_stream_write(deploy_stream *s, const void *data, size_t size)
{
	if (size > DEPLOY_STREAM_BUFFER - s->used)
		(void)deploy_stream_flush(s);
	if (size > DEPLOY_STREAM_BUFFER) {
		put(s, data, size, s->at);
	} else if (size) {
		memcpy(s->buffer + s->used, data, size);
		s->used += size;
	}
	s->at += size;
}

void deploy_stream_align(deploy_stream *s)
{
	static const uint8_t zeros[SL_CACHE_LINE];
	deploy_stream_write(s, zeros, (size_t)(-s->at & (SL_CACHE_LINE - 1)));
}

void deploy_stream_free(deploy_stream *s, const score_allocator *a)
{
	sl_free(a, s->buffer, DEPLOY_STREAM_BUFFER, SL_CACHE_LINE);
	s->buffer = NULL;
}
