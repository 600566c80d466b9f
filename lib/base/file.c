/*
 * Files: whole-file reads and mappings with a size limit, and writes that appear only when complete.
 *
 * POSIX. A short read or EINTR is retried; every failure names the path.
 */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* O_TMPFILE */
#endif
#define _POSIX_C_SOURCE 200809L
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_MAX_BYTES ((uint64_t)1 << 30)
#define LONGEST_NAME 255    /* of a file, without its folder: what usual file systems allow */
#define TEMPORARY_ENDING 40 /* room for ".PROCESS.ATTEMPT.tmp" */
#define MOST_ATTEMPTS 10000u
#define MOST_LINKS 40u      /* on the way to a file: as many as Linux follows */

score_status sl_fail_io(score_error *error, const char *what, const char *path)
{
	/* strerror_r has two incompatible prototypes; the number and the common cases say enough. */
	static const struct {
		int code;
		const char *text;
	} known[] = {{ENOENT, "no such file"}, {EACCES, "permission denied"}, {EISDIR, "is a directory"}, {ENOSPC, "no space left"},
		{EFBIG, "file size limit"}, {EDQUOT, "quota exceeded"}, {EIO, "input/output error"}, {EINVAL, "invalid argument"},
		{ENOTDIR, "not a directory"}, {EROFS, "read-only file system"}, {ENAMETOOLONG, "name too long"}, {EPERM, "not permitted"},
		{ELOOP, "too many symbolic links"}, {EMFILE, "too many open files"}, {ENFILE, "too many open files in the system"}};
	const int code = errno;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].code == code)
			return sl_fail(error, SCORE_ERR_IO, "cannot %s '%.120s': %s", what, path, known[i].text);
	return sl_fail(error, SCORE_ERR_IO, "cannot %s '%.120s': errno %d", what, path, code);
}

static sl_file_identity identity_of(const struct stat *st)
{
	return (sl_file_identity){(uint64_t)st->st_dev, (uint64_t)st->st_ino, (uint64_t)st->st_size,
		(int64_t)st->st_mtim.tv_sec, (int64_t)st->st_mtim.tv_nsec, (int64_t)st->st_ctim.tv_sec, (int64_t)st->st_ctim.tv_nsec};
}

score_status sl_identify_file(const char *path, sl_file_identity *out, score_error *error)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return sl_fail_io(error, "open", path);
	*out = identity_of(&st);
	return SCORE_OK;
}

/* Open for reading and check that it is a regular file of acceptable size, and not empty. A pipe is refused, not waited for. */
static score_status open_sized(const char *path, uint64_t max_bytes, int *out_fd, sl_file_identity *out,
	score_error *error)
{
	struct stat st;
	uint64_t limit = max_bytes ? max_bytes : DEFAULT_MAX_BYTES;
	int fd = open(path, SL_OPEN_FLAGS);
	if (fd < 0)
		return sl_fail_io(error, "open", path);
	score_status status = SCORE_OK;
	if (fstat(fd, &st) != 0)
		status = sl_fail_io(error, "inspect", path);
	else if (!S_ISREG(st.st_mode))
		status = sl_fail(error, SCORE_ERR_IO, "'%.120s' is not a regular file", path);
	else if (st.st_size == 0)
		status = sl_fail(error, SCORE_ERR_CORRUPT, "'%.120s' is empty", path);
	else if ((uint64_t)st.st_size > limit)
		status = sl_fail(error, SCORE_ERR_LIMIT, "'%.120s' has %lld bytes, the limit (max_bytes) is %llu", path,
			(long long)st.st_size, (unsigned long long)limit);
	if (status != SCORE_OK) {
		close(fd);
		return status;
	}
	*out_fd = fd;
	*out = identity_of(&st);
	return SCORE_OK;
}

/* By the content's time alone: another file may take the name of this one meanwhile, which leaves what is read as it was. */
static score_status check_unchanged(int fd, const sl_file_identity *before, const char *path, score_error *error)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return sl_fail_io(error, "inspect", path);
	sl_file_identity now = identity_of(&st);
	if (now.size != before->size || now.changed_s != before->changed_s || now.changed_ns != before->changed_ns)
		return sl_fail(error, SCORE_ERR_IO, "'%.120s' was changed while it was read: replace such files by rename", path);
	return SCORE_OK;
}

static score_status read_all(int fd, char *to, size_t size, const char *path, score_error *error)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, to + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sl_fail_io(error, "read", path);
		if (n == 0)
			return sl_fail(error, SCORE_ERR_IO, "'%.120s' became shorter while it was read: %zu of %zu bytes", path,
				done, size);
		done += (size_t)n;
	}
	return SCORE_OK;
}

score_status sl_read_identified_file(const char *path, uint64_t max_bytes, const score_allocator *allocator, void **out,
	sl_file_identity *identity, score_error *error)
{
	score_allocator a = sl_allocator(allocator);
	int fd = -1;
	*out = NULL;
	score_status status = open_sized(path, max_bytes, &fd, identity, error);
	if (status != SCORE_OK)
		return status;
	size_t size = (size_t)identity->size;
	char *data = sl_alloc(&a, size, SL_CACHE_LINE);
	if (!data)
		status = sl_fail_memory(error, size);
	else
		status = read_all(fd, data, size, path, error);
	if (status == SCORE_OK)
		status = check_unchanged(fd, identity, path, error);
	close(fd);
	if (status != SCORE_OK) {
		sl_free(&a, data, size, SL_CACHE_LINE);
		return status;
	}
	*out = data;
	return SCORE_OK;
}

score_status sl_read_file(const char *path, uint64_t max_bytes, const score_allocator *allocator, void **out,
	size_t *out_size, score_error *error)
{
	sl_file_identity identity = {0};
	*out_size = 0;
	score_status status = sl_read_identified_file(path, max_bytes, allocator, out, &identity, error);
	if (status == SCORE_OK)
		*out_size = (size_t)identity.size;
	return status;
}

score_status sl_map_identified_file(const char *path, uint64_t max_bytes, const void **out, sl_file_identity *identity,
	score_error *error)
{
	int fd = -1;
	*out = NULL;
	score_status status = open_sized(path, max_bytes, &fd, identity, error);
	if (status != SCORE_OK)
		return status;
	void *data = mmap(NULL, (size_t)identity->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		status = sl_fail_io(error, "map", path);
	close(fd);
	if (status != SCORE_OK)
		/* cppcheck-suppress memleak ; MAP_FAILED is no mapping */
		return status;
	*out = data;
	return SCORE_OK;
}

score_status sl_map_file(const char *path, uint64_t max_bytes, const void **out, size_t *out_size, score_error *error)
{
	sl_file_identity identity = {0};
	*out_size = 0;
	score_status status = sl_map_identified_file(path, max_bytes, out, &identity, error);
	if (status == SCORE_OK)
		*out_size = (size_t)identity.size;
	return status;
}

void sl_unmap_file(const void *data, size_t size)
{
	if (data)
		munmap((void *)(uintptr_t)data, size);
}

static bool write_all(int fd, const char *from, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, from + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* As much of the last part of a path as leaves room for an ending, whole characters. */
static int kept_of_name(const char *name)
{
	size_t length = strlen(name);
	if (length > LONGEST_NAME - TEMPORARY_ENDING) {
		length = LONGEST_NAME - TEMPORARY_ENDING;
		while (length > 0 && ((unsigned char)name[length] & 0xC0) == 0x80)
			length--;
	}
	return (int)length;
}

/* The end of the path's symbolic links, where open() would create or truncate a file: replacing the link itself would leave
 * the file that others know as it was. What a link names need not be there. */
static score_status follow_links(const char *path, char place[SL_PATH_BYTES], score_error *error)
{
	char target[SL_PATH_BYTES];
	snprintf(place, SL_PATH_BYTES, "%s", path);
	for (unsigned hops = 0; hops < MOST_LINKS; hops++) {
		const ssize_t n = readlink(place, target, sizeof target - 1);
		if (n < 0) /* no link, or nothing at all */
			return errno == EINVAL || errno == ENOENT ? SCORE_OK : sl_fail_io(error, "create", path);
		target[n] = '\0';
		const char *slash = target[0] == '/' ? NULL : strrchr(place, '/');
		const size_t folder = slash ? (size_t)(slash + 1 - place) : 0;
		if (folder + (size_t)n >= SL_PATH_BYTES - TEMPORARY_ENDING) {
			errno = ENAMETOOLONG;
			return sl_fail_io(error, "create", path);
		}
		memcpy(place + folder, target, (size_t)n + 1);
	}
	errno = ELOOP;
	return sl_fail_io(error, "create", path);
}

/* rename() would replace a device as readily as a file. */
static score_status look_at_place(const char *path, sl_new_file *out, score_error *error)
{
	struct stat st;
	out->replaces = stat(out->place, &st) == 0;
	if (!out->replaces)
		return errno == ENOENT ? SCORE_OK : sl_fail_io(error, "create", path);
	if (!S_ISREG(st.st_mode))
		return sl_fail(error, SCORE_ERR_IO, "'%.120s' is there, and is not a regular file", path);
	out->mode = (uint32_t)st.st_mode & 0777;
	out->owner = (uint32_t)st.st_uid;
	out->group = (uint32_t)st.st_gid;
	return SCORE_OK;
}

/* The folder of a place, to which a file there is linked. */
static void folder_of(const char *place, char folder[SL_PATH_BYTES])
{
	const char *slash = strrchr(place, '/');
	const size_t length = !slash ? 0 : slash == place ? 1 : (size_t)(slash - place);
	memcpy(folder, place, length);
	folder[length] = '\0';
	if (length == 0)
		snprintf(folder, SL_PATH_BYTES, ".");
}

#ifdef O_TMPFILE
/* What file systems say that have no files without names, and kernels that know of none. */
static bool is_unknown_way(int code)
{
	return code == EOPNOTSUPP || code == EISDIR || code == EINVAL || code == ENOENT;
}

static int open_unnamed(const char *place, mode_t mode)
{
	char folder[SL_PATH_BYTES];
	folder_of(place, folder);
	return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
}

static int link_unnamed(int fd, const char *name)
{
	char own[32];
	snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, own, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

/* Where there is no /proc, or a policy permits files and no links. */
static bool is_no_link(int code)
{
	return code == ENOENT || code == EPERM || code == EACCES || code == EXDEV || code == EOPNOTSUPP;
}
#else
static bool is_unknown_way(int code)
{
	(void)code;
	return true;
}

static int open_unnamed(const char *place, mode_t mode)
{
	(void)place, (void)mode;
	return -1;
}

static int link_unnamed(int fd, const char *name)
{
	(void)fd, (void)name;
	return -1;
}

static bool is_no_link(int code)
{
	(void)code;
	return true;
}
#endif

/* A name beside the place: of an empty file, or of the one that is open and has none. It may be taken by another thread, or by what a
 * killed process of the same number left. False with errno. */
static bool take_name(sl_new_file *file, mode_t mode)
{
	const char *slash = strrchr(file->place, '/'), *last = slash ? slash + 1 : file->place;
	const bool is_open = file->fd >= 0;
	for (unsigned attempt = 0; attempt < MOST_ATTEMPTS && !file->is_named; attempt++) {
		snprintf(file->name, SL_PATH_BYTES, "%.*s%.*s.%ld.%u.tmp", (int)(last - file->place), file->place, kept_of_name(last), last,
			(long)getpid(), attempt);
		if (!is_open)
			file->fd = open(file->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		file->is_named = is_open ? link_unnamed(file->fd, file->name) == 0 : file->fd >= 0;
		if (!file->is_named && errno != EEXIST)
			break;
	}
	if (!file->is_named)
		snprintf(file->name, SL_PATH_BYTES, "%s", file->place);
	return file->is_named;
}

static score_status fail_name(const char *path, score_error *error)
{
	if (errno == EEXIST)
		return sl_fail(error, SCORE_ERR_IO, "cannot create a file beside '%.120s': remove the .tmp files there", path);
	return sl_fail_io(error, "create", path);
}

score_status sl_create_beside(const char *path, uint32_t mode, sl_new_file *out, score_error *error)
{
	out->fd = -1;
	out->is_named = false;
	out->name[0] = '\0';
	if (strlen(path) >= SL_PATH_BYTES - TEMPORARY_ENDING)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the path is longer than %d bytes", SL_PATH_BYTES - TEMPORARY_ENDING - 1);
	if (*path == '\0' || path[strlen(path) - 1] == '/')
		return sl_fail(error, SCORE_ERR_ARGUMENT, "'%.120s' is not the name of a file", path);
	score_status status = follow_links(path, out->place, error);
	if (status == SCORE_OK)
		status = look_at_place(path, out, error);
	if (status != SCORE_OK)
		return status;
	/* Nobody reads what is written who may not read what it replaces. */
	mode &= out->replaces ? out->mode : 0777;
	snprintf(out->name, SL_PATH_BYTES, "%s", out->place);
	out->fd = open_unnamed(out->place, (mode_t)mode);
	if (out->fd >= 0 || (is_unknown_way(errno) && take_name(out, (mode_t)mode)))
		return SCORE_OK;
	return fail_name(path, error);
}

/* Where the file system has permissions at all. Owners are for the superuser to keep: what root writes stays readable to the
 * service that owned it. */
static void take_permissions(const sl_new_file *file)
{
	if (!file->replaces)
		return;
	const bool owned = geteuid() != 0 || fchown(file->fd, (uid_t)file->owner, (gid_t)file->group) == 0;
	const bool permitted = fchmod(file->fd, (mode_t)file->mode) == 0;
	(void)owned;
	(void)permitted;
}

score_status sl_sync_folder(const char *folder, score_error *error)
{
	const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A folder that one may write to and not read cannot be opened, and some file systems sync no folders. */
	const bool done = fd >= 0 ? fsync(fd) == 0 || errno == EINVAL : errno == EACCES;
	const score_status status = done ? SCORE_OK : sl_fail_io(error, "sync the folder", folder);
	if (fd >= 0)
		close(fd);
	return status;
}

static score_status sync_folder_of(const char *place, score_error *error)
{
	char folder[SL_PATH_BYTES];
	folder_of(place, folder);
	return sl_sync_folder(folder, error);
}

static score_status complete(const sl_new_file *file, score_error *error)
{
	take_permissions(file);
	return fsync(file->fd) == 0 ? SCORE_OK : sl_fail_io(error, "write", file->name);
}

static score_status copy_content(int from, const sl_new_file *file, score_error *error)
{
	char buffer[4096];
	for (off_t at = 0;;) {
		const ssize_t n = pread(from, buffer, sizeof buffer, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return SCORE_OK;
		if (n < 0 || !write_all(file->fd, buffer, (size_t)n))
			return sl_fail_io(error, n < 0 ? "read back" : "write", file->name);
		at += n;
	}
}

/* The file again, with a name. */
static score_status copy_to_name(sl_new_file *file, score_error *error)
{
	struct stat st;
	const int from = file->fd;
	file->fd = -1;
	score_status status = fstat(from, &st) == 0 ? SCORE_OK : sl_fail_io(error, "inspect", file->place);
	if (status == SCORE_OK && !take_name(file, st.st_mode & 0777))
		status = fail_name(file->place, error);
	if (status == SCORE_OK)
		status = copy_content(from, file, error);
	if (status == SCORE_OK)
		status = complete(file, error);
	close(from);
	return status;
}

/* A file without a name takes its place at once where that is free; to replace another it needs a name for as long as rename() takes.
 * What closing would tell is asked of a second descriptor before: with the last one the file would go. */
static score_status give_name(sl_new_file *file, score_error *error)
{
	const int twin = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	if (twin < 0 || close(twin) != 0)
		return sl_fail_io(error, "close", file->name);
	bool is_done = !file->replaces && link_unnamed(file->fd, file->place) == 0;
	if (!is_done && (file->replaces || errno == EEXIST))
		is_done = take_name(file, 0);
	if (is_done)
		return SCORE_OK;
	return is_no_link(errno) ? copy_to_name(file, error) : fail_name(file->place, error);
}

score_status sl_put_in_place(sl_new_file *file, score_error *error)
{
	score_status status = complete(file, error);
	if (status == SCORE_OK && !file->is_named)
		status = give_name(file, error);
	if (file->fd >= 0 && close(file->fd) != 0 && status == SCORE_OK)
		status = sl_fail_io(error, "close", file->name);
	file->fd = -1;
	if (status == SCORE_OK && file->is_named && rename(file->name, file->place) != 0)
		status = sl_fail_io(error, "rename to", file->place);
	if (status != SCORE_OK)
		return status;
	file->is_named = false;
	return sync_folder_of(file->place, error);
}

void sl_give_up(sl_new_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	if (file->is_named)
		unlink(file->name);
	file->fd = -1;
	file->is_named = false;
}

score_status sl_write_file(const char *path, const void *data, size_t size, score_error *error)
{
	sl_new_file file;
	score_status status = sl_create_beside(path, 0666, &file, error);
	if (status != SCORE_OK)
		return status;
	if (!write_all(file.fd, data, size))
		status = sl_fail_io(error, "write", file.name);
	if (status == SCORE_OK)
		status = sl_put_in_place(&file, error);
	sl_give_up(&file);
	return status;
}
