#include "failing_memory.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- memory that ends ------------------------------------------------------------------------------------------------ */

struct failing_memory failing_memory;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void __wrap_free(void *p);

static int refused(void)
{
	if (!failing_memory.inside)
		return 0;
	size_t number = failing_memory.n++;
	return failing_memory.once ? number == failing_memory.fail_at : number >= failing_memory.fail_at;
}

static void *counted(void *p)
{
	failing_memory.held += failing_memory.inside && p != NULL;
	return p;
}

void *__wrap_malloc(size_t size)
{
	return refused() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return refused() ? NULL : counted(__real_aligned_alloc(align, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	if (refused())
		return NULL;
	void *to = __real_realloc(p, size);
	if (p == NULL)
		counted(to);
	return to;
}

void __wrap_free(void *p)
{
	failing_memory.held -= failing_memory.inside && p != NULL;
	__real_free(p);
}

/* ---- the folder --------------------------------------------------------------------------------------------------------- */

char faults_folder[64];

void faults_make_folder(void)
{
	strcpy(faults_folder, "/tmp/scoreline-faults-XXXXXX");
	assert_non_null(mkdtemp(faults_folder));
}

const char *faults_path(const char *name)
{
	static char path[400];
	snprintf(path, sizeof path, "%s/%s", faults_folder, name);
	return path;
}

/* Files in the folder, which are removed. */
static int sweep(void)
{
	DIR *d = opendir(faults_folder);
	int n = 0;
	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] != '.' && unlink(faults_path(e->d_name)) == 0)
			n++;
	}
	if (d)
		closedir(d);
	return n;
}

int faults_remove_folder(void)
{
	(void)sweep();
	return rmdir(faults_folder);
}

/* ---- failing them ------------------------------------------------------------------------------------------------------ */

void faults_in_turn(faults_scene *play, const char *name, int n_files)
{
	size_t n_faults = 0;
	for (int once = 0; once < 2; once++) {
		score_status status = SCORE_ERR_MEMORY;
		for (size_t k = 0; status != SCORE_OK || failing_memory.n > k; k++, n_faults++) {
			const void *out = NULL;
			score_error error;
			memset(&error, 0x5a, sizeof error);
			failing_memory.n = 0;
			failing_memory.held = 0;
			failing_memory.fail_at = k;
			failing_memory.once = once;
			failing_memory.inside = 1;
			status = play(&out, &error);
			failing_memory.inside = 0;
			int left = sweep();
			if (failing_memory.held != 0)
				fail_msg("%s, allocation %zu: %ld blocks are kept", name, k, failing_memory.held);
			if (status == SCORE_OK) {
				assert_true(once || failing_memory.n <= k); /* memory that a call could do without */
				continue;
			}
			if (status != SCORE_ERR_MEMORY || out != NULL || left > n_files)
				fail_msg("%s, allocation %zu: %s (%s), object %p, %d files", name, k, score_status_name(status), error.message, out, left);
			assert_int_equal(error.code, SCORE_ERR_MEMORY);
			assert_true(error.message[0] != '\0' && memchr(error.message, 0, sizeof error.message) != NULL);
			assert_true(k < 5000);
		}
	}
	printf("%s: %zu faults\n", name, n_faults);
	assert_true(n_faults > 6);
}
