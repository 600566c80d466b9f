#define _GNU_SOURCE
#include "failing_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

failing_calls calls;

static int fails(const char *name)
{
	if (!calls.inside)
		return 0;
	if (calls.also && strcmp(calls.also, name) == 0) {
		errno = calls.code;
		return 1;
	}
	if (calls.only && strcmp(calls.only, name) != 0)
		return 0;
	const int number = calls.n++;
	if (calls.fail_at < 0 || (calls.once ? number != calls.fail_at : number < calls.fail_at))
		return 0;
	calls.failed = calls.failed ? calls.failed : name;
	errno = calls.code;
	return 1;
}

static int interrupted(void)
{
	if (!calls.inside || !calls.interrupt || calls.interrupt++ % 2 == 0)
		return 0;
	errno = EINTR;
	return 1;
}

static size_t shortened(size_t n)
{
	return calls.inside && calls.n_short && n > (size_t)calls.n_short ? (size_t)calls.n_short : n;
}

/* What the wrapper of a call does: its arguments, their types, and what it gives when it fails. */
#define WRAP(TYPE, CALL, NAME, FAILED, PARAMETERS, ARGUMENTS) \
	TYPE __real_##CALL PARAMETERS; \
	TYPE __wrap_##CALL PARAMETERS; \
	TYPE __wrap_##CALL PARAMETERS \
	{ \
		return fails(NAME) ? (FAILED) : __real_##CALL ARGUMENTS; \
	}
#define WRAP_TRANSFER(CALL, NAME, PARAMETERS, ARGUMENTS) \
	ssize_t __real_##CALL PARAMETERS; \
	ssize_t __wrap_##CALL PARAMETERS; \
	ssize_t __wrap_##CALL PARAMETERS \
	{ \
		if (fails(NAME)) \
			return calls.code ? -1 : 0; \
		return interrupted() ? -1 : __real_##CALL ARGUMENTS; \
	}

WRAP_TRANSFER(read, "read", (int fd, void *to, size_t n), (fd, to, shortened(n)))
WRAP_TRANSFER(write, "write", (int fd, const void *from, size_t n), (fd, from, shortened(n)))
WRAP_TRANSFER(pread64, "pread", (int fd, void *to, size_t n, off_t at), (fd, to, shortened(n), at))
WRAP_TRANSFER(pwrite64, "pwrite", (int fd, const void *from, size_t n, off_t at), (fd, from, shortened(n), at))
WRAP(int, fsync, "fsync", -1, (int fd), (fd))
WRAP(int, fdatasync, "fdatasync", -1, (int fd), (fd))
WRAP(int, ftruncate64, "ftruncate", -1, (int fd, off_t n), (fd, n))
WRAP(off_t, lseek64, "lseek", -1, (int fd, off_t to, int from), (fd, to, from))
WRAP(int, stat64, "stat", -1, (const char *path, struct stat *out), (path, out))
WRAP(int, fstat64, "fstat", -1, (int fd, struct stat *out), (fd, out))
WRAP(int, rename, "rename", -1, (const char *from, const char *to), (from, to))
WRAP(int, linkat, "linkat", -1, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
WRAP(DIR *, opendir, "opendir", NULL, (const char *path), (path))
WRAP(DIR *, fdopendir, "fdopendir", NULL, (int fd), (fd))
WRAP(void *, mmap64, "mmap", MAP_FAILED, (void *at, size_t n, int protection, int flags, int fd, off_t from),
	(at, n, protection, flags, fd, from))
/* Memory that another library takes. */
WRAP(XXH3_state_t *, XXH3_createState, "XXH3_createState", NULL, (void), ())
/* These return their error. */
WRAP(int, pthread_create, "pthread_create", calls.code,
	(pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *), void *argument), (thread, how, start, argument))
WRAP(int, pthread_mutex_init, "pthread_mutex_init", calls.code, (pthread_mutex_t *lock, const pthread_mutexattr_t *how), (lock, how))
WRAP(int, pthread_condattr_init, "pthread_condattr_init", calls.code, (pthread_condattr_t *how), (how))
WRAP(int, pthread_cond_init, "pthread_cond_init", calls.code, (pthread_cond_t *cond, const pthread_condattr_t *how), (cond, how))

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
	void (*before)(void) = calls.inside ? calls.before_lock : NULL;
	if (before) {
		calls.before_lock = NULL;
		before();
	}
	return __real_pthread_mutex_lock(lock);
}

int __real_flock(int fd, int how);
int __wrap_flock(int fd, int how);

int __wrap_flock(int fd, int how)
{
	void (*before)(void) = calls.inside ? calls.before_flock : NULL;
	if (before) {
		calls.before_flock = NULL;
		before();
	}
	return __real_flock(fd, how);
}

pid_t __real_getpid(void);
pid_t __wrap_getpid(void);

pid_t __wrap_getpid(void)
{
	return __real_getpid() + (calls.inside && calls.other_process);
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_openat64(int folder, const char *path, int flags, ...);
int __wrap_openat64(int folder, const char *path, int flags, ...);

int __wrap_open64(const char *path, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	const int is_unnamed = (flags & O_TMPFILE) == O_TMPFILE, mode = is_unnamed || flags & O_CREAT ? va_arg(more, int) : 0;
	va_end(more);
	if (calls.inside && calls.all_named && is_unnamed) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return fails("open") ? -1 : __real_open64(path, flags, mode);
}

int __wrap_openat64(int folder, const char *path, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	const int mode = flags & O_CREAT ? va_arg(more, int) : 0;
	va_end(more);
	return fails("openat") ? -1 : __real_openat64(folder, path, flags, mode);
}

/* ---- in turn -------------------------------------------------------------------------------------------------------------- */

void calls_in_turn(const calls_scene *s)
{
	size_t n_faults = 0;
	for (int once = 1; once >= 0; once--) {
		for (int k = 0;; k++) {
			score_error error;
			memset(&error, 0x5a, sizeof error);
			s->before();
			calls = (failing_calls){.inside = 1, .fail_at = k, .once = once, .code = k % 2 ? EIO : ENOSPC,
				.all_named = s->all_named};
			const score_status status = s->play(&error);
			calls.inside = 0;
			if (!calls.failed) {
				assert_int_equal(status, SCORE_OK);
				s->after(status);
				break;
			}
			n_faults++;
			if (status == SCORE_OK ? !strstr(s->harmless, calls.failed) : status != SCORE_ERR_IO && status != SCORE_ERR_MEMORY)
				fail_msg("%s, call %d, %s: %s (%s)", s->name, k, calls.failed, score_status_name(status), status ? error.message : "");
			if (status == SCORE_ERR_IO && !strstr(error.message, "/"))
				fail_msg("%s, call %d, %s: no path in '%s'", s->name, k, calls.failed, error.message);
			if (status != SCORE_OK)
				assert_int_equal(error.code, status);
			s->after(status);
			assert_true(k < 1000);
		}
	}
	printf("%s: %zu faults\n", s->name, n_faults);
	assert_true(n_faults > 5);
}
