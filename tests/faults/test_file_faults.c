/*
 * Files that misbehave: short reads and writes, interrupted calls, a disk that is full or broken, a file that shrinks, a mapping
 * that is refused. The linker sends the library's system calls here. A failed save leaves neither the file nor a part of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "expect_error.h"
#include "metered_memory.h"
#include "random_model.h"

/* What to do with the calls of the library: the `at`-th of all (from 0) fails with `code`; with code 0, a read ends early, a write takes
 * nothing, and a file is said to be another by now. */
typedef enum call { NONE, READ, WRITE, FSYNC, MMAP, RENAME, LINK, CLOSE, FSTAT } call;
static struct plan {
	call which;
	int at, code;
	int n_short;  /* reads and writes take at most so many bytes; 0: all */
	int interrupt; /* every second read and write is interrupted first */
	int n_calls;
	int closes_badly;  /* every file, too                                  */
	struct stat later; /* what is added to a file's size and time of change */
} plan;

static int fails(call which)
{
	if (which != plan.which || plan.n_calls++ != plan.at)
		return 0;
	errno = plan.code;
	return 1;
}

static int interrupted(void)
{
	if (!plan.interrupt || plan.interrupt++ % 2 == 0)
		return 0;
	errno = EINTR;
	return 1;
}

static size_t shortened(size_t n)
{
	return plan.n_short && n > (size_t)plan.n_short ? (size_t)plan.n_short : n;
}

static char path[64]; /* of the model's file */
static int shrinks_when_mapped;

ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n);
ssize_t __real_write(int fd, const void *from, size_t n);
ssize_t __wrap_write(int fd, const void *from, size_t n);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
/* What mmap() is called where files may be large. */
void *__real_mmap64(void *at, size_t n, int protection, int flags, int fd, off_t from);
void *__wrap_mmap64(void *at, size_t n, int protection, int flags, int fd, off_t from);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_linkat(int a, const char *from, int b, const char *to, int flags);
int __wrap_linkat(int a, const char *from, int b, const char *to, int flags);
int __real_close(int fd);
int __wrap_close(int fd);
/* What fstat() is called where files may be large. */
int __real_fstat64(int fd, struct stat *out);
int __wrap_fstat64(int fd, struct stat *out);

ssize_t __wrap_read(int fd, void *to, size_t n)
{
	if (fails(READ))
		return plan.code ? -1 : 0;
	return interrupted() ? -1 : __real_read(fd, to, shortened(n));
}

ssize_t __wrap_write(int fd, const void *from, size_t n)
{
	if (fails(WRITE))
		return plan.code ? -1 : 0;
	return interrupted() ? -1 : __real_write(fd, from, shortened(n));
}

int __wrap_fsync(int fd)
{
	return fails(FSYNC) ? -1 : __real_fsync(fd);
}

void *__wrap_mmap64(void *at, size_t n, int protection, int flags, int fd, off_t from)
{
	if (fails(MMAP))
		return MAP_FAILED;
	void *mapped = __real_mmap64(at, n, protection, flags, fd, from);
	if (shrinks_when_mapped && truncate(path, 0) != 0)
		abort();
	return mapped;
}

int __wrap_rename(const char *from, const char *to)
{
	return fails(RENAME) ? -1 : __real_rename(from, to);
}

int __wrap_linkat(int a, const char *from, int b, const char *to, int flags)
{
	return fails(LINK) ? -1 : __real_linkat(a, from, b, to, flags);
}

int __wrap_close(int fd)
{
	int bad = fails(CLOSE), code = __real_close(fd);
	errno = bad ? plan.code : plan.closes_badly ? EIO : errno;
	return bad || plan.closes_badly ? -1 : code;
}

int __wrap_fstat64(int fd, struct stat *out)
{
	const int bad = fails(FSTAT);
	if (bad && plan.code)
		return -1;
	int code = __real_fstat64(fd, out);
	if (bad) {
		out->st_size += plan.later.st_size;
		out->st_mtim.tv_sec += plan.later.st_mtim.tv_sec;
		out->st_mtim.tv_nsec += plan.later.st_mtim.tv_nsec;
	}
	return code;
}

/* ---- tests ---------------------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/scoreline_faults_XXXXXX";
static score_model *model;

static int set_up(void **state)
{
	random_spec spec = {.seed = 9, .n_features = 5, .n_outputs = 1, .n_trees = 20, .max_leaves = 30, .cuts_per_feature = 20,
		.compare = SCORE_F32, .sum = SCORE_F32};
	(void)state;
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof path, "%s/model.slm", folder);
	model = random_model(&spec);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	score_model_free(model);
	unlink(path);
	return rmdir(folder); /* fails if anything else was left */
}

static void save(void)
{
	score_error error;
	memset(&plan, 0, sizeof plan);
	if (score_model_save_file(model, path, NULL, &error) != SCORE_OK)
		fail_msg("%s", error.message);
}

static score_status open_again(uint32_t flags, score_error *error)
{
	score_open_options options = SCORE_OPEN_OPTIONS_INIT;
	score_model *out = model;
	options.flags = flags;
	score_status status = score_model_open_file(path, &options, &out, error);
	assert_true((status == SCORE_OK) == (out != NULL));
	score_model_free(out);
	return status;
}

static void slow_files_are_read_and_written(void **state)
{
	score_error error;
	(void)state;
	for (int n = 1; n < 4000; n = n * 3 + 1) {
		plan = (struct plan){.n_short = n, .interrupt = 1};
		assert_int_equal(score_model_save_file(model, path, NULL, &error), SCORE_OK);
		assert_int_equal(open_again(0, &error), SCORE_OK);
	}
}

static void broken_reads_are_reported(void **state)
{
	static const struct plan plans[] = {{.which = READ, .code = EIO}, {.which = READ, .at = 3, .code = EIO, .n_short = 100},
		{.which = READ}, {.which = READ, .at = 2, .n_short = 100}, {.which = FSTAT, .code = EIO},
		{.which = FSTAT, .at = 1, .code = EIO}};
	score_error error;
	(void)state;
	save();
	for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
		plan = plans[i];
		assert_int_equal(open_again(0, &error), SCORE_ERR_IO);
		assert_non_null(strstr(error.message, "model.slm"));
	}
	plan = (struct plan){.which = MMAP, .code = ENOMEM};
	assert_int_equal(open_again(SCORE_OPEN_MMAP, &error), SCORE_ERR_IO);
	assert_non_null(strstr(error.message, "map"));
}

/* Another size, or a later time of change: what was read may be half of each. */
static void a_file_that_changes_while_it_is_read_is_refused(void **state)
{
	const struct stat later[] = {{.st_size = 8}, {.st_mtim = {.tv_sec = 1}}, {.st_mtim = {.tv_nsec = 1}}, {.st_size = 0}};
	score_error error;
	char message[256];
	(void)state;
	save();
	snprintf(message, sizeof message, "'%s' was changed while it was read: replace such files by rename", path);
	for (size_t i = 0; i < 3; i++) {
		plan = (struct plan){.which = FSTAT, .at = 1, .later = later[i]};
		expect_error(open_again(0, &error), &error, SCORE_ERR_IO, message);
	}
	plan = (struct plan){.which = FSTAT, .at = 1, .later = later[3]};
	assert_int_equal(open_again(0, &error), SCORE_OK);
}

static void files_are_refused_by_what_they_are(void **state)
{
	score_error error;
	score_open_options options = SCORE_OPEN_OPTIONS_INIT;
	score_model *out = model;
	char message[256], long_path[4200];
	struct stat st;
	(void)state;
	save();
	assert_int_equal(stat(path, &st), 0);
	options.max_bytes = (uint64_t)st.st_size - 1;
	snprintf(message, sizeof message, "'%s' has %lld bytes, the limit (max_bytes) is %lld", path, (long long)st.st_size,
		(long long)st.st_size - 1);
	expect_error(score_model_open_file(path, &options, &out, &error), &error, SCORE_ERR_LIMIT, message);
	assert_null(out);
	options.max_bytes++;
	assert_int_equal(score_model_open_file(path, &options, &out, &error), SCORE_OK);
	score_model_free(out);
	snprintf(message, sizeof message, "'%s' is there, and is not a regular file", folder);
	expect_error(score_model_save_file(model, folder, NULL, &error), &error, SCORE_ERR_IO, message);
	metered_memory memory = {.left = 0};
	const score_allocator metered = metered_allocator(&memory);
	options.allocator = &metered;
	assert_int_equal(score_model_open_file(path, &options, &out, &error), SCORE_ERR_MEMORY);
	assert_null(out);
	options.allocator = NULL;
	snprintf(message, sizeof message, "'%s' is not a regular file", folder);
	expect_error(score_model_open_file(folder, &options, &out, &error), &error, SCORE_ERR_IO, message);
	expect_error(score_model_save_file(NULL, path, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"score_model_save_memory: model is NULL");
	memset(long_path, 'x', sizeof long_path - 1);
	long_path[sizeof long_path - 1] = '\0';
	expect_error(score_model_save_file(model, long_path, NULL, &error), &error, SCORE_ERR_ARGUMENT,
		"the path is longer than 4055 bytes");
}

static void broken_writes_leave_nothing(void **state)
{
	static const struct plan plans[] = {{.which = WRITE, .code = ENOSPC},
		{.which = WRITE, .at = 5, .code = ENOSPC, .n_short = 64}, {.which = WRITE, .code = EIO}, {.which = WRITE}, {.which = FSYNC, .code = EIO},
		{.which = CLOSE, .code = EIO}, {.which = LINK, .code = ENOSPC}, {.which = WRITE, .code = ENOSPC, .closes_badly = 1}};
	score_error error;
	(void)state;
	unlink(path);
	for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
		plan = plans[i];
		assert_int_equal(score_model_save_file(model, path, NULL, &error), SCORE_ERR_IO);
		assert_non_null(strstr(error.message, "model.slm"));
		if (plan.code == ENOSPC || !plan.code)
			assert_non_null(strstr(error.message, "no space left"));
		memset(&plan, 0, sizeof plan);
		assert_int_equal(access(path, F_OK), -1);
		assert_int_equal(rmdir(folder), 0); /* empty: no temporary file either */
		assert_int_equal(mkdir(folder, 0700), 0);
	}
}

static void a_failed_save_keeps_the_old_file(void **state)
{
	score_error error;
	(void)state;
	save();
	static const struct plan plans[] = {{.which = FSYNC, .code = EIO}, {.which = CLOSE, .code = EIO}, {.which = LINK, .code = ENOSPC},
		{.which = RENAME, .code = EACCES}};
	for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
		plan = plans[i];
		assert_int_equal(score_model_save_file(model, path, NULL, &error), SCORE_ERR_IO);
		assert_true(plan.n_calls > plan.at);
		memset(&plan, 0, sizeof plan);
		assert_int_equal(open_again(SCORE_OPEN_VERIFY, &error), SCORE_OK);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0); /* empty: no temporary file beside it */
	assert_int_equal(mkdir(folder, 0700), 0);
}

/* The new file has its name, but a loss of power might take it away again: the host is told. Some file systems sync no folders. */
static void a_folder_is_synced_too(void **state)
{
	char before[120];
	score_error error;
	(void)state;
	save();
	unlink(path);
	plan = (struct plan){.which = FSYNC, .at = 1, .code = EIO};
	assert_int_equal(score_model_save_file(model, path, NULL, &error), SCORE_ERR_IO);
	snprintf(before, sizeof before, "cannot sync the folder '%s': input/output error", folder);
	assert_string_equal(error.message, before);
	memset(&plan, 0, sizeof plan);
	assert_int_equal(open_again(SCORE_OPEN_VERIFY, &error), SCORE_OK);
	plan = (struct plan){.which = FSYNC, .at = 1, .code = EINVAL};
	assert_int_equal(score_model_save_file(model, path, NULL, &error), SCORE_OK);
	assert_int_equal(plan.n_calls, 2);
	memset(&plan, 0, sizeof plan);
}

/* A mapping of a file that shrinks: its pages are gone. While it is read, that is a signal, as the header says; afterwards nothing
 * of a model lies in the file. */
static void a_shrunk_mapping_is_a_signal_only_while_it_is_read(void **state)
{
	static const double row[5];
	score_input in = score_input_rows_f64(row, 1, 5);
	score_open_options o = SCORE_OPEN_OPTIONS_INIT;
	score_model *opened = NULL;
	double before, after;
	int status = 0;
	struct stat now;
	(void)state;
	save();
	o.flags = SCORE_OPEN_MMAP;
	assert_int_equal(score_model_open_file(path, &o, &opened, NULL), SCORE_OK);
	assert_int_equal(score_batch(opened, &in, &before, 1, NULL, NULL), SCORE_OK);
	pid_t child = fork();
	if (child == 0) {
		signal(SIGBUS, SIG_DFL); /* sanitizers would explain it */
		shrinks_when_mapped = 1;
		_exit(score_model_open_file(path, &o, &opened, NULL) == SCORE_OK);
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	assert_true(stat(path, &now) == 0 && now.st_size == 0);
	assert_int_equal(score_batch(opened, &in, &after, 1, NULL, NULL), SCORE_OK);
	assert_memory_equal(&before, &after, sizeof before);
	score_model_free(opened);
	assert_int_equal(score_model_open_file(path, &o, &opened, NULL), SCORE_ERR_CORRUPT); /* an empty file is no mapping */
	assert_null(opened);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_files_are_read_and_written),
		cmocka_unit_test(broken_reads_are_reported),
		cmocka_unit_test(a_file_that_changes_while_it_is_read_is_refused),
		cmocka_unit_test(files_are_refused_by_what_they_are),
		cmocka_unit_test(broken_writes_leave_nothing),
		cmocka_unit_test(a_failed_save_keeps_the_old_file),
		cmocka_unit_test(a_folder_is_synced_too),
		cmocka_unit_test(a_shrunk_mapping_is_a_signal_only_while_it_is_read),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
