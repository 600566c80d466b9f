/*
 * Read capture logs: find the segments, read them frame by frame, and say where each ends.
 *
 * Comes in: paths. Goes out: records. Reads as much as a file had when it was opened; never more than a
 * frame at a time is in memory, and room for a frame is made only for bytes that the file really has. Relies
 * on POSIX files and XXH3.
 */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#include "log_parts.h"

#include "../base/file.h"

#include "../base/inline_xxhash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = { '\x93', 'S', 'L', 'O', 'G', '\r', '\n', '\x01' };
static const char closed_ending[] = ".slog", active_ending[] = ".slog.active";

#define BUFFER_BYTES ((size_t)64 << 10)

struct score_log {
	score_allocator allocator;
	uint64_t max_frame_bytes;
	uint64_t max_memory_bytes;
	sl_arena arena;       /* this, paths */
	sl_vector segments;   /* score_log_segment */
	uint32_t current;     /* segment being read */
	int fd;               /* of it, or -1 */
	bool has_header;
	uint8_t *buffer;
	size_t capacity, begin, end;
	uint64_t offset;      /* of buffer[begin] in the file */
	log_models models;    /* of the segment */
	sl_arena call_arena;  /* of the last record */
	score_log_call call;
};

/* There must be one. */
static score_log_segment *segment_at(const score_log *log, uint32_t i)
{
	return (score_log_segment *)log->segments.data + i;
}

static bool ends_with(const char *text, const char *ending)
{
	const size_t n = strlen(text), m = strlen(ending);
	return n > m && strcmp(text + n - m, ending) == 0;
}

/* ---- finding segments -------------------------------------------------------------------------------- */

static score_status add_segment(score_log *log, const char *directory, const char *name, score_error *error)
{
	const size_t n = (directory ? strlen(directory) + 1 : 0) + strlen(name);
	char *path = sl_arena_alloc(&log->arena, n + 1, 1);
	if (!path)
		return sl_fail_memory(error, n);
	snprintf(path, n + 1, "%s%s%s", directory ? directory : "", directory ? "/" : "", name);
	const score_log_segment segment = { .struct_size = sizeof segment, .path = path,
		.is_closed = !ends_with(name, active_ending) };
	return sl_vector_push(&log->segments, &segment, 1) ? SCORE_OK : sl_fail_memory(error, sizeof segment);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const score_log_segment *)a)->path, ((const score_log_segment *)b)->path);
}

/* A segment that was found twice; or under both names, which it may have for a moment while it is closed: the shorter comes first. */
static void drop_doubles(score_log *log, size_t first)
{
	size_t n = first;
	for (size_t i = first; i < log->segments.length; i++) {
		const score_log_segment *s = segment_at(log, (uint32_t)i);
		const char *before = n > first ? segment_at(log, (uint32_t)n - 1)->path : "";
		const size_t length = strlen(s->path) - (sizeof active_ending - sizeof closed_ending);
		if (strcmp(before, s->path) == 0 ||
			(ends_with(s->path, active_ending) && strlen(before) == length && memcmp(before, s->path, length) == 0))
			continue;
		*segment_at(log, (uint32_t)n++) = *s;
	}
	log->segments.length = n;
}

static score_status add_listing(score_log *log, const char *path, score_error *error)
{
	DIR *directory = opendir(path);
	score_status status = SCORE_OK;
	if (!directory)
		return sl_fail_io(error, "read the directory", path);
	for (struct dirent *entry; status == SCORE_OK && (entry = readdir(directory)) != NULL;)
		if (ends_with(entry->d_name, closed_ending) || ends_with(entry->d_name, active_ending))
			status = add_segment(log, path, entry->d_name, error);
	closedir(directory);
	return status;
}

/* A listing may lack a file that is renamed meanwhile, under both its names. A segment is renamed once, when it is closed: it cannot be
 * lacking in two listings. */
static score_status add_directory(score_log *log, const char *path, score_error *error)
{
	const size_t first = log->segments.length;
	score_status status = add_listing(log, path, error);
	if (status == SCORE_OK)
		status = add_listing(log, path, error);
	if (status == SCORE_OK && log->segments.length > first) {
		sl_sort(sl_vector_at(&log->segments, first), log->segments.length - first, sizeof(score_log_segment), by_path);
		drop_doubles(log, first);
	}
	return status;
}

static score_status add_path(score_log *log, const char *path, score_error *error)
{
	struct stat st;
	if (!path)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "a path is NULL");
	if (stat(path, &st) != 0)
		return sl_fail_io(error, "read", path);
	return S_ISDIR(st.st_mode) ? add_directory(log, path, error) : add_segment(log, NULL, path, error);
}

/* ---- opening and closing ----------------------------------------------------------------------------- */

static void start(score_log *log)
{
	log->fd = -1;
	sl_arena_init(&log->models.arena, &log->allocator, (size_t)log->max_memory_bytes);
	sl_arena_init(&log->call_arena, &log->allocator, (size_t)log->max_memory_bytes);
	sl_vector_init(&log->segments, &log->allocator, sizeof(score_log_segment));
	sl_vector_init(&log->models.by_number, &log->allocator, sizeof(score_log_model *));
}

static score_status open_log(const char *const *paths, size_t n_paths, const score_log_options *options, score_log **out,
	score_error *error)
{
	score_log_options o;
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "out is NULL");
	*out = NULL;
	sl_error_clear(error);
	score_status status = sl_take_struct(&o, sizeof o, options, "score_log_options", error);
	if (status != SCORE_OK)
		return status;
	if (!paths || n_paths == 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "no paths were given");
	sl_arena arena;
	sl_arena_init(&arena, o.allocator, 0);
	score_log *log = sl_arena_alloc(&arena, 1, sizeof *log);
	if (!log)
		return sl_fail_memory(error, sizeof *log);
	log->allocator = arena.allocator;
	log->arena = arena;
	log->max_frame_bytes = o.max_frame_bytes ? o.max_frame_bytes : (uint64_t)64 << 20;
	log->max_memory_bytes = o.max_memory_bytes ? o.max_memory_bytes : (uint64_t)1 << 30;
	start(log);
	for (size_t i = 0; i < n_paths && status == SCORE_OK; i++)
		status = add_path(log, paths[i], error);
	if (status != SCORE_OK) {
		score_log_close(log);
		return status;
	}
	*out = log;
	return SCORE_OK;
}

score_status score_log_open(const char *const *paths, size_t n_paths, const score_log_options *options, score_log **out,
	score_error *error)
{
	const unsigned host = sl_enter_default_float();
	const score_status status = open_log(paths, n_paths, options, out, error);
	sl_leave_default_float(host);
	return status;
}

static void close_file(score_log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
	log->begin = log->end = 0;
}

void score_log_close(score_log *log)
{
	if (!log)
		return;
	close_file(log);
	sl_free(&log->allocator, log->buffer, log->capacity, SL_CACHE_LINE);
	sl_vector_free(&log->segments);
	sl_vector_free(&log->models.by_number);
	sl_arena_free(&log->models.arena);
	sl_arena_free(&log->call_arena);
	sl_arena arena = log->arena; /* holds the log itself */
	sl_arena_free(&arena);
}

/* ---- bytes ------------------------------------------------------------------------------------------- */

static score_status open_segment(score_log *log, score_log_segment *segment, score_error *error)
{
	struct stat st;
	log->fd = open(segment->path, SL_OPEN_FLAGS);
	if (log->fd < 0 && errno == ENOENT && ends_with(segment->path, active_ending)) {
		/* Closed since the directory was read: the same file under its final name. The path is the log's
		 * own. */
		char *path = (char *)(uintptr_t)segment->path;
		path[strlen(path) - (sizeof active_ending - sizeof closed_ending)] = '\0';
		log->fd = open(path, SL_OPEN_FLAGS);
		segment->is_closed = 1;
	}
	if (log->fd < 0 || fstat(log->fd, &st) != 0) {
		score_status status = sl_fail_io(error, "open the segment", segment->path);
		close_file(log);
		return status;
	}
	if (!S_ISREG(st.st_mode)) {
		close_file(log);
		return sl_fail(error, SCORE_ERR_IO, "cannot read the segment '%.120s': it is not a regular file", segment->path);
	}
	segment->bytes = (uint64_t)st.st_size;
	log->offset = 0;
	log->begin = log->end = 0;
	log->has_header = false;
	sl_arena_free(&log->models.arena);
	log->models.by_number.length = 0;
	return SCORE_OK;
}

/* Room for `wanted` bytes from buffer[0] on, with what is unread moved there. */
static score_status make_room(score_log *log, size_t wanted, score_error *error)
{
	const size_t unread = log->end - log->begin;
	if (wanted > log->capacity) {
		const size_t capacity = wanted < BUFFER_BYTES ? BUFFER_BYTES : sl_round_up(wanted, 4096);
		uint8_t *larger = sl_alloc(&log->allocator, capacity, SL_CACHE_LINE);
		if (!larger)
			return sl_fail_memory(error, capacity);
		if (unread)
			memcpy(larger, log->buffer + log->begin, unread);
		sl_free(&log->allocator, log->buffer, log->capacity, SL_CACHE_LINE);
		log->buffer = larger;
		log->capacity = capacity;
	} else if (unread) {
		memmove(log->buffer, log->buffer + log->begin, unread);
	}
	log->begin = 0;
	log->end = unread;
	return SCORE_OK;
}

/* At least `wanted` unread bytes, or as many as the file has. */
static score_status fill(score_log *log, size_t wanted, score_error *error)
{
	const score_log_segment *segment = segment_at(log, log->current);
	if (log->end - log->begin >= wanted)
		return SCORE_OK;
	score_status status = make_room(log, wanted, error);
	while (status == SCORE_OK && log->end < wanted) {
		const uint64_t left = segment->bytes - log->offset - log->end;
		const size_t room = log->capacity - log->end;
		const ssize_t n = read(log->fd, log->buffer + log->end, left < room ? (size_t)left : room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sl_fail_io(error, "read", segment->path);
		if (n == 0)
			break;
		log->end += (size_t)n;
	}
	return status;
}

static void consume(score_log *log, size_t n)
{
	log->begin += n;
	log->offset += n;
	segment_at(log, log->current)->good_bytes = log->offset;
}

/* ---- frames ------------------------------------------------------------------------------------------ */

/* The segment is read no further. */
static void end_segment(score_log *log, score_log_end how, const score_error *damage)
{
	score_log_segment *segment = segment_at(log, log->current);
	segment->end = how;
	if (damage) {
		segment->damage = *damage;
		segment->damage.offset = (int64_t)segment->good_bytes;
	}
	close_file(log);
	log->current++;
}

static void end_torn(score_log *log)
{
	score_error damage;
	const score_log_segment *segment = segment_at(log, log->current);
	sl_fail_at(&damage, SCORE_ERR_CORRUPT, 0, -1, "the segment ends in the middle of a frame: %llu bytes behind the last "
		"complete one", (unsigned long long)(segment->bytes - segment->good_bytes));
	end_segment(log, SCORE_LOG_TORN, &damage);
}

static void end_corrupt(score_log *log, const char *what)
{
	score_error damage;
	sl_fail(&damage, SCORE_ERR_CORRUPT, "%s; the rest of the segment cannot be read", what);
	end_segment(log, SCORE_LOG_CORRUPT, &damage);
}

/* After a loss of power a file may be longer than what reached the disk, and zero there. */
static score_status is_zero_from_here(score_log *log, bool *out, score_error *error)
{
	for (;;) {
		const score_status status = fill(log, 1, error);
		if (status != SCORE_OK)
			return status;
		if (log->end == log->begin) {
			*out = true;
			return SCORE_OK;
		}
		for (; log->begin < log->end; log->begin++, log->offset++) {
			if (log->buffer[log->begin] != 0) {
				*out = false;
				return SCORE_OK;
			}
		}
	}
}

static score_status read_magic(score_log *log, score_error *error)
{
	const score_status status = fill(log, sizeof magic, error);
	if (status != SCORE_OK)
		return status;
	const size_t n = log->end - log->begin;
	if (n < sizeof magic && memcmp(log->buffer + log->begin, magic, n) == 0)
		end_torn(log);
	else if (n < sizeof magic || memcmp(log->buffer + log->begin, magic, sizeof magic) != 0)
		end_corrupt(log, "this is no segment of a capture log");
	else
		consume(log, sizeof magic);
	return SCORE_OK;
}

/* The next frame's body in the buffer, and its size. 0: the segment has ended. */
static score_status next_body(score_log *log, size_t *size, score_error *error)
{
	*size = 0;
	score_status status = fill(log, 4, error);
	if (status != SCORE_OK)
		return status;
	const uint64_t left = segment_at(log, log->current)->bytes - log->offset;
	if (log->end == log->begin) {
		end_segment(log, SCORE_LOG_WHOLE, NULL);
		return SCORE_OK;
	}
	const uint8_t *head = log->buffer + log->begin;
	const uint32_t length = log->end - log->begin < 4 ? 1 :
		(uint32_t)head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
	if (length == 0) {
		bool zero;
		status = is_zero_from_here(log, &zero, error);
		if (status == SCORE_OK && zero)
			end_torn(log);
		else if (status == SCORE_OK)
			end_corrupt(log, "a frame has no bytes");
		return status;
	}
	if (length > log->max_frame_bytes) {
		end_corrupt(log, "a frame is longer than max_frame_bytes");
		return SCORE_OK;
	}
	if (left < (uint64_t)length + 12) {
		end_torn(log);
		return SCORE_OK;
	}
	status = fill(log, (size_t)length + 12, error);
	if (status != SCORE_OK)
		return status;
	if (log->end - log->begin < (size_t)length + 12)
		end_torn(log); /* someone made the file shorter */
	else if (XXH3_64bits(log->buffer + log->begin, (size_t)length + 4) !=
		sl_load_le64(log->buffer + log->begin + 4 + length))
		end_corrupt(log, "a frame's checksum is wrong");
	else
		*size = length;
	return SCORE_OK;
}

static score_status next_in_segment(score_log *log, bool *is_call, score_error *error)
{
	score_error damage;
	size_t size;
	*is_call = false;
	score_status status = next_body(log, &size, error);
	if (status != SCORE_OK || size == 0)
		return status;
	sl_arena_free(&log->call_arena);
	status = deploy_log_frame(log->buffer + log->begin + 4, size, !log->has_header, &log->models, &log->call_arena,
		&log->call, is_call, &damage);
	if (status == SCORE_ERR_CORRUPT || status == SCORE_ERR_VERSION) {
		*is_call = false;
		end_segment(log, SCORE_LOG_CORRUPT, &damage);
		return SCORE_OK;
	}
	if (status != SCORE_OK) {
		if (error)
			*error = damage;
		return status;
	}
	log->has_header = true;
	consume(log, size + 12);
	if (*is_call) {
		log->call.segment = log->current;
		segment_at(log, log->current)->n_records++;
	}
	return SCORE_OK;
}

static score_status next_call(score_log *log, const score_log_call **call, score_error *error)
{
	if (call)
		*call = NULL;
	if (!log || !call)
		return sl_fail(error, SCORE_ERR_ARGUMENT, log ? "call is NULL" : "the log is NULL");
	sl_error_clear(error);
	while (log->current < log->segments.length) {
		bool is_call = false;
		score_status status = SCORE_OK;
		if (log->fd < 0) {
			status = open_segment(log, segment_at(log, log->current), error);
			if (status == SCORE_OK)
				status = read_magic(log, error);
		} else {
			status = next_in_segment(log, &is_call, error);
		}
		if (status != SCORE_OK) {
			close_file(log);
			log->current++;
			return status;
		}
		if (is_call) {
			*call = &log->call;
			return SCORE_OK;
		}
	}
	return SCORE_OK;
}

score_status score_log_next(score_log *log, const score_log_call **call, score_error *error)
{
	const unsigned host = sl_enter_default_float();
	const score_status status = next_call(log, call, error);
	sl_leave_default_float(host);
	return status;
}

uint32_t score_log_segment_count(const score_log *log)
{
	return log ? (uint32_t)log->segments.length : 0;
}

score_status score_log_get_segment(const score_log *log, uint32_t i, score_log_segment *out)
{
	if (!log || i >= log->segments.length || !sl_has_size(out))
		return SCORE_ERR_ARGUMENT;
	sl_give_struct(out, segment_at(log, i), sizeof(score_log_segment));
	return SCORE_OK;
}
