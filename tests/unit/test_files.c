/* What a host finds beside its files: pipes, names taken by a process that died, names as long as they may be, paths that are no UTF-8. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <scoreline/deploy.h>
#include <scoreline/import.h>

#include "base/base.h"
#include "base/file.h"
#include "temporary_folder.h"

static const char *path_of(const char *name)
{
	static char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void touch(const char *path, const char *text)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void holds(const char *path, const char *text)
{
	char found[64] = "";
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fread(found, 1, sizeof found - 1, file), strlen(text));
	assert_string_equal(found, text);
	fclose(file);
}

static void refused(score_status status, const score_error *error, const void *out)
{
	assert_int_equal(status, SCORE_ERR_IO);
	assert_non_null(strstr(error->message, "not a regular file"));
	assert_null(out);
}

/* Nobody ever writes into it: whoever waits for that waits for ever. */
static void pipes_are_not_waited_for(void **state)
{
	score_error error;
	score_model *model = NULL;
	score_model_ref *ref = NULL;
	score_model_cache *cache;
	score_table *table = NULL;
	score_snapshot *snapshot = NULL;
	score_log *log;
	score_open_options mapped = SCORE_OPEN_OPTIONS_INIT;
	const score_log_call *call;
	const char *const path = path_of("pipe.slog");
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	mapped.flags = SCORE_OPEN_MMAP;
	refused(score_model_open_file(path, NULL, &model, &error), &error, model);
	refused(score_model_open_file(path, &mapped, &model, &error), &error, model);
	refused(score_import_file(path, NULL, &model, &error), &error, model);
	refused(score_table_open(path, NULL, &table, &error), &error, table);
	refused(score_snapshot_open_file(path, NULL, &snapshot, &error), &error, snapshot);
	assert_int_equal(score_model_cache_new(NULL, &cache, NULL), SCORE_OK);
	refused(score_model_cache_open(cache, path, &ref, &error), &error, ref);
	score_model_cache_free(cache);
	assert_int_equal(score_log_open(&path, 1, NULL, &log, NULL), SCORE_OK);
	refused(score_log_next(log, &call, &error), &error, call);
	score_log_close(log);
	assert_int_equal(unlink(path), 0);
}

/* Root may rename a file over a device. */
static void only_files_are_replaced(void **state)
{
	score_error error;
	char place[PATH_MAX];
	(void)state;
	snprintf(place, sizeof place, "%s", path_of("place"));
	assert_int_equal(mkfifo(place, 0600), 0);
	assert_int_equal(symlink(place, path_of("link")), 0);
	refused(sl_write_file(place, "whole", 5, &error), &error, NULL);
	refused(sl_write_file(path_of("link"), "whole", 5, &error), &error, NULL);
	refused(sl_write_file(folder, "whole", 5, &error), &error, NULL);
	assert_int_equal(unlink(path_of("link")), 0);
	assert_int_equal(unlink(place), 0);
}

static bool is_link(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Whoever gave the file a second name by a link sees the new content under both, as after open() and write(). */
static void links_are_followed(void **state)
{
	static const struct {
		const char *target, *why;
	} dead[] = {{"first", "too many symbolic links"}, {"nowhere/file", "no such file"}};
	char place[PATH_MAX];
	score_error error;
	(void)state;
	snprintf(place, sizeof place, "%s", path_of("place"));
	assert_int_equal(mkdir(path_of("elsewhere"), 0700), 0);
	assert_int_equal(symlink("elsewhere/second", path_of("first")), 0);
	assert_int_equal(symlink("../place", path_of("elsewhere/second")), 0);
	for (int is_there = 0; is_there < 2; is_there++) { /* at first the links lead to nothing */
		assert_int_equal(sl_write_file(path_of("first"), is_there ? "again" : "whole", 5, &error), SCORE_OK);
		holds(place, is_there ? "again" : "whole");
		assert_true(is_link(path_of("first")) && is_link(path_of("elsewhere/second")) && !is_link(place));
	}
	assert_int_equal(unlink(place), 0);
	assert_int_equal(unlink(path_of("elsewhere/second")), 0);
	assert_int_equal(unlink(path_of("first")), 0);
	for (size_t i = 0; i < sizeof dead / sizeof dead[0]; i++) {
		assert_int_equal(symlink(dead[i].target, path_of("first")), 0);
		assert_int_equal(sl_write_file(path_of("first"), "whole", 5, &error), SCORE_ERR_IO);
		assert_non_null(strstr(error.message, dead[i].why));
		assert_int_equal(unlink(path_of("first")), 0);
	}
	/* As long as a link may be, and too long behind its folder. */
	char target[4094];
	memset(target, 'x', sizeof target - 1);
	target[sizeof target - 1] = '\0';
	assert_int_equal(symlink(target, path_of("first")), 0);
	assert_int_equal(sl_write_file(path_of("first"), "whole", 5, &error), SCORE_ERR_IO);
	assert_non_null(strstr(error.message, "name too long"));
	assert_int_equal(unlink(path_of("first")), 0);
	assert_int_equal(rmdir(path_of("elsewhere")), 0);
}

/* A file that its owner alone may read stays one. */
static void permissions_are_kept(void **state)
{
	static const mode_t modes[] = {0600, 0640, 0444, 0666};
	const mode_t mask = umask(022);
	struct stat st;
	(void)state;
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		touch(path_of("file"), "before");
		assert_int_equal(chmod(path_of("file"), modes[i]), 0);
		assert_int_equal(sl_write_file(path_of("file"), "whole", 5, NULL), SCORE_OK);
		holds(path_of("file"), "whole");
		assert_int_equal(stat(path_of("file"), &st), 0);
		assert_int_equal(st.st_mode & 07777, modes[i]);
		assert_int_equal(unlink(path_of("file")), 0);
	}
	assert_int_equal(sl_write_file(path_of("file"), "whole", 5, NULL), SCORE_OK);
	assert_int_equal(stat(path_of("file"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(unlink(path_of("file")), 0);
	umask(mask);
}

/* The superuser's copy stays its owner's. */
static void owners_are_kept(void **state)
{
	struct stat before, after;
	(void)state;
	touch(path_of("file"), "before");
	if (geteuid() == 0)
		assert_int_equal(chown(path_of("file"), 12345, 23456), 0);
	assert_int_equal(stat(path_of("file"), &before), 0);
	assert_int_equal(sl_write_file(path_of("file"), "whole", 5, NULL), SCORE_OK);
	assert_int_equal(stat(path_of("file"), &after), 0);
	assert_true(after.st_uid == before.st_uid && after.st_gid == before.st_gid);
	assert_int_equal(unlink(path_of("file")), 0);
}

/* In a container the next process has the number of the one that was killed. */
static void names_that_a_dead_process_left(void **state)
{
	char taken[PATH_MAX + 32];
	(void)state;
	for (int i = 0; i < 3; i++) {
		snprintf(taken, sizeof taken, "%s.%ld.%d.tmp", path_of("file"), (long)getpid(), i);
		touch(taken, "left over");
	}
	assert_int_equal(sl_write_file(path_of("file"), "whole", 5, NULL), SCORE_OK);
	holds(path_of("file"), "whole");
	holds(taken, "left over");
}

static void all_names_are_taken(void **state)
{
	enum { ATTEMPTS = 10000 };
	char taken[PATH_MAX + 32];
	score_error error;
	(void)state;
	touch(path_of("other"), "before"); /* what is replaced needs a name beside it */
	for (int remove_them = 0; remove_them < 2; remove_them++) {
		for (int i = 0; i < ATTEMPTS; i++) {
			snprintf(taken, sizeof taken, "%s.%ld.%d.tmp", path_of("other"), (long)getpid(), i);
			if (remove_them)
				assert_int_equal(unlink(taken), 0);
			else
				touch(taken, "left over");
		}
		if (!remove_them) {
			assert_int_equal(sl_write_file(path_of("other"), "whole", 5, &error), SCORE_ERR_IO);
			assert_non_null(strstr(error.message, "remove the .tmp files"));
		}
	}
}

static int count_files(void)
{
	DIR *d = opendir(folder);
	int n = 0;
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static bool has_unnamed_files(void)
{
#ifdef O_TMPFILE
	const int fd = open(folder, O_TMPFILE | O_RDWR, 0600);
	if (fd >= 0)
		return close(fd) == 0;
#endif
	return false;
}

/* Killed in the middle, as no handler sees it. */
static void who_is_killed_leaves_nothing(void **state)
{
	const int before = count_files();
	int how;
	(void)state;
	const pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		sl_new_file file;
		if (sl_create_beside(path_of("killed"), 0666, &file, NULL) == SCORE_OK && write(file.fd, "half", 4) == 4)
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &how, 0), child);
	assert_true(WIFSIGNALED(how));
	assert_int_equal(count_files(), has_unnamed_files() ? before : before + 1);
}

/* Another writer is first. */
static void a_place_that_is_taken_meanwhile(void **state)
{
	sl_new_file file;
	const int before = count_files();
	(void)state;
	assert_int_equal(sl_create_beside(path_of("raced"), 0666, &file, NULL), SCORE_OK);
	assert_int_equal(write(file.fd, "second", 6), 6);
	touch(path_of("raced"), "first");
	assert_int_equal(sl_put_in_place(&file, NULL), SCORE_OK);
	sl_give_up(&file);
	holds(path_of("raced"), "second");
	assert_int_equal(unlink(path_of("raced")), 0);
	assert_int_equal(sl_create_beside(path_of("raced"), 0666, &file, NULL), SCORE_OK);
	sl_give_up(&file);
	assert_int_equal(count_files(), before);
}

static void names_of_any_length(void **state)
{
	char name[257];
	score_error error;
	(void)state;
	/* Two bytes per character, of which one or the other stands where the name is cut. */
	for (size_t from = 101; from < 103; from++) {
		memset(name, 'n', sizeof name);
		for (size_t i = from; i + 1 < 251; i += 2)
			memcpy(name + i, "\xc3\xa9", 2);
		for (size_t length = 210; length <= 255; length++) {
			const char next = name[length];
			name[length] = '\0';
			assert_int_equal(sl_write_file(path_of(name), "whole", 5, &error), SCORE_OK);
			holds(path_of(name), "whole");
			assert_int_equal(unlink(path_of(name)), 0);
			name[length] = next;
		}
	}
	/* No UTF-8: there is no character that could stay. */
	memset(name, 0x80, 250);
	name[250] = '\0';
	assert_int_equal(sl_write_file(path_of(name), "whole", 5, &error), SCORE_OK);
	holds(path_of(name), "whole");
	assert_int_equal(unlink(path_of(name)), 0);
	memset(name, 'n', sizeof name);
	name[256] = '\0';
	assert_int_equal(sl_write_file(path_of(name), "whole", 5, &error), SCORE_ERR_IO);
	assert_non_null(strstr(error.message, "name too long"));
	assert_int_equal(sl_write_file(path_of(""), "whole", 5, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "not the name of a file"));
}

static void what_is_not_there_has_no_bytes(void **state)
{
	score_error error;
	const void *mapped = folder;
	void *read = folder;
	size_t n_mapped = 7, n_read = 7;
	(void)state;
	assert_int_equal(sl_map_file(path_of("nothing"), 0, &mapped, &n_mapped, &error), SCORE_ERR_IO);
	assert_int_equal(sl_read_file(path_of("nothing"), 0, NULL, &read, &n_read, &error), SCORE_ERR_IO);
	assert_true(!mapped && !read && n_mapped == 0 && n_read == 0);
}

static void messages_are_utf8(void **state)
{
	score_error error;
	char path[300];
	(void)state;
	for (size_t length = 1; length < sizeof path; length++) {
		for (size_t i = 0; i < length; i++)
			path[i] = "/\xe2\x82\xac"[i % 4];
		path[length] = '\0';
		sl_fail(&error, SCORE_ERR_IO, "a path: %s", path);
		assert_int_equal(sl_utf8_prefix(error.message, strlen(error.message)), strlen(error.message));
		/* A character that the end of the message cuts is left out, not replaced. */
		if (length > sizeof error.message)
			assert_null(strchr(error.message, '?'));
	}
	score_model *model;
	assert_int_equal(score_model_open_file("/none/\xff\xfe.slm", NULL, &model, &error), SCORE_ERR_IO);
	assert_string_equal(error.message, "cannot open '/none/\?\?.slm': no such file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipes_are_not_waited_for),
		cmocka_unit_test(only_files_are_replaced),
		cmocka_unit_test(links_are_followed),
		cmocka_unit_test(permissions_are_kept),
		cmocka_unit_test(owners_are_kept),
		cmocka_unit_test(names_that_a_dead_process_left),
		cmocka_unit_test(all_names_are_taken),
		cmocka_unit_test(who_is_killed_leaves_nothing),
		cmocka_unit_test(a_place_that_is_taken_meanwhile),
		cmocka_unit_test(names_of_any_length),
		cmocka_unit_test(what_is_not_there_has_no_bytes),
		cmocka_unit_test(messages_are_utf8),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
