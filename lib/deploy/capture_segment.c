/*
 * Segment files: where frames go, in one directory, one file after the other.
 *
 * Comes in: complete frames. Goes out: PREFIX-TIME-PROCESS-NUMBER.slog, with ".active" behind it while it is
 * written. The owner holds a lock (flock) on an active segment; one whose lock is free was left by a process
 * that died. Relies on POSIX files. Everything here runs under the drain lock.
 */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#include "capture_parts.h"

#include "../base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_BYTES 128u

static const char magic[8] = { '\x93', 'S', 'L', 'O', 'G', '\r', '\n', '\x01' };

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static score_status sync_directory(const score_capture *capture, score_error *error)
{
	return capture->sync == SCORE_CAPTURE_SYNC_NEVER ? SCORE_OK : sl_sync_folder(capture->directory, error);
}

/* Names sort by time; process and number make them unique. */
static void name_segment(score_capture *capture, int64_t unix_ns)
{
	char name[NAME_BYTES], stamp[32];
	const time_t seconds = (time_t)(unix_ns / 1000000000);
	struct tm utc;
	gmtime_r(&seconds, &utc);
	strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", &utc);
	snprintf(name, sizeof name, "%.63s-%s%09" PRId64 "Z-%" PRId64 "-%06" PRIu64 CAPTURE_SUFFIX, capture->prefix, stamp,
		unix_ns % 1000000000, capture->process, capture->sequence);
	const size_t size = strlen(capture->directory) + NAME_BYTES + sizeof CAPTURE_ACTIVE;
	snprintf(capture->segment.closed, size, "%s/%s", capture->directory, name);
	snprintf(capture->segment.active, size, "%s/%s" CAPTURE_ACTIVE, capture->directory, name);
}

/* Bytes of the file up to `bytes` stand: cut off what a failed write left behind them. If not even that
 * works, the segment ends here, with a torn frame that readers report. */
static void cut_back(score_capture *capture)
{
	capture_segment *s = &capture->segment;
	if (ftruncate(s->fd, (off_t)s->bytes) == 0 && lseek(s->fd, (off_t)s->bytes, SEEK_SET) == (off_t)s->bytes)
		return;
	(void)deploy_segment_close(capture, NULL);
}

score_status deploy_segment_write(score_capture *capture, const void *bytes, size_t size, score_error *error)
{
	capture_segment *s = &capture->segment;
	const char *from = bytes;
	size_t left = size;
	while (left > 0) {
		const ssize_t n = write(s->fd, from, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = ENOSPC;
			const score_status status = sl_fail_io(error, "write", s->active);
			cut_back(capture);
			return status;
		}
		from += n;
		left -= (size_t)n;
	}
	s->bytes += size;
	atomic_fetch_add_explicit(&capture->n_bytes, size, memory_order_relaxed);
	return SCORE_OK;
}

static void forget(capture_segment *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->bytes = 0;
	s->has_calls = false;
	memset(s->has_model, 0, sizeof s->has_model);
}

/* A file of this name, locked. Between the two another capture may take it for one that a dead process left, lock it and rename it: then
 * there is none of that name when its lock is ours. */
static score_status create_locked(score_capture *capture, int64_t unix_ns, score_error *error)
{
	capture_segment *s = &capture->segment;
	for (struct stat there;; capture->sequence++) {
		name_segment(capture, unix_ns);
		s->fd = open(s->active, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (s->fd < 0)
			return sl_fail_io(error, "create", s->active);
		/* Without locks (some network file systems) segments of dead processes merely stay open. */
		while (flock(s->fd, LOCK_EX) != 0 && errno == EINTR)
			;
		if (lstat(s->active, &there) == 0 || errno != ENOENT)
			return SCORE_OK;
		close(s->fd);
	}
}

score_status deploy_segment_begin(score_capture *capture, score_error *error)
{
	capture_segment *s = &capture->segment;
	unsigned char head[256];
	size_t used = sizeof magic;
	const int64_t unix_ns = now_ns(CLOCK_REALTIME);
	score_status status = create_locked(capture, unix_ns, error);
	if (status != SCORE_OK)
		return status;
	memcpy(head, magic, sizeof magic);
	const bool fits = deploy_frame_header(head, sizeof head, &used, capture, unix_ns);
	if (SL_NEVER(!fits)) /* numbers and a version */
		status = sl_fail(error, SCORE_ERR_LIMIT, "the header of a segment has more than %zu bytes", sizeof head);
	else
		status = deploy_segment_write(capture, head, used, error);
	if (status == SCORE_OK)
		status = sync_directory(capture, error);
	if (status != SCORE_OK) {
		unlink(s->active);
		forget(s);
		return status;
	}
	s->begun_ns = now_ns(CLOCK_MONOTONIC);
	capture->sequence++;
	atomic_fetch_add_explicit(&capture->n_segments, 1, memory_order_relaxed);
	return SCORE_OK;
}

score_status deploy_segment_sync(score_capture *capture, score_error *error)
{
	if (capture->sync != SCORE_CAPTURE_SYNC_DRAIN || capture->segment.fd < 0 || fdatasync(capture->segment.fd) == 0)
		return SCORE_OK;
	return sl_fail_io(error, "sync", capture->segment.active);
}

score_status deploy_segment_close(score_capture *capture, score_error *error)
{
	capture_segment *s = &capture->segment;
	score_status status = SCORE_OK;
	if (s->fd < 0)
		return SCORE_OK;
	if (capture->sync != SCORE_CAPTURE_SYNC_NEVER && fsync(s->fd) != 0)
		status = sl_fail_io(error, "sync", s->active);
	if (rename(s->active, s->closed) != 0 && status == SCORE_OK)
		status = sl_fail_io(error, "rename", s->active);
	forget(s);
	return status == SCORE_OK ? sync_directory(capture, error) : status;
}

bool deploy_segment_is_due(const score_capture *capture)
{
	const capture_segment *s = &capture->segment;
	return s->fd >= 0 && s->has_calls && (s->bytes >= capture->segment_bytes ||
		now_ns(CLOCK_MONOTONIC) - s->begun_ns >= capture->segment_age_ns);
}

/* ---- what dead processes left ---------------------------------------------------------------------- */

static bool is_ours(const score_capture *capture, const char *name)
{
	static const char ending[] = CAPTURE_SUFFIX CAPTURE_ACTIVE;
	const size_t n = strlen(name), prefix = strlen(capture->prefix), end = sizeof ending - 1;
	return n > prefix + 1 + end && memcmp(name, capture->prefix, prefix) == 0 && name[prefix] == '-' &&
		memcmp(name + n - end, ending, end) == 0;
}

static void adopt(int directory, const char *name)
{
	char closed[sizeof((struct dirent *)0)->d_name];
	const size_t n = strlen(name) - strlen(CAPTURE_ACTIVE);
	const int fd = openat(directory, name, SL_OPEN_FLAGS | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		struct stat mine, there;
		memcpy(closed, name, n);
		closed[n] = '\0';
		/* Nothing is ever overwritten: the new name must be free, or this file's already. */
		const bool named = linkat(directory, name, directory, closed, 0) == 0 ||
			(fstat(fd, &mine) == 0 && fstatat(directory, closed, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
				mine.st_dev == there.st_dev && mine.st_ino == there.st_ino);
		if (named)
			unlinkat(directory, name, 0);
	}
	close(fd);
}

score_status deploy_segment_adopt(score_capture *capture, score_error *error)
{
	const int fd = open(capture->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (!directory) {
		const score_status status = sl_fail_io(error, "open the directory", capture->directory);
		if (fd >= 0)
			close(fd);
		return status;
	}
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		if (is_ours(capture, entry->d_name))
			adopt(dirfd(directory), entry->d_name);
	closedir(directory);
	return SCORE_OK;
}
