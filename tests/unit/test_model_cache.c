/* The model cache: what is shared, what is kept, what a replaced file does, many threads. */
#define _XOPEN_SOURCE 700
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "served_models.h"
#include "temporary_folder.h"

static const char *path_of(const char *name)
{
	static _Thread_local char paths[4][256];
	static _Thread_local int next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

#define A_FEW_TICKS_NS 50000000 /* of the file system's clock: a time of change that is younger is not trusted */

/* Seconds back from now. A file younger than a few seconds is read again at every look. */
static void make_older(const char *name, int seconds)
{
	struct timespec times[2];
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= seconds;
	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, path_of(name), times, 0), 0);
}

/* Appears under its name with its age, at once. */
static void write_model(const char *name, double answer)
{
	score_model *model = answering_model(answer);
	assert_int_equal(score_model_save_file(model, path_of("new"), NULL, NULL), SCORE_OK);
	score_model_free(model);
	make_older("new", 60);
	assert_int_equal(rename(path_of("new"), path_of(name)), 0);
	nanosleep(&(struct timespec){0, A_FEW_TICKS_NS}, NULL);
}

static score_model_ref *open_model(score_model_cache *cache, const char *name)
{
	score_model_ref *ref = NULL;
	score_error error;
	if (score_model_cache_open(cache, path_of(name), &ref, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	return ref;
}

static double answer_of(const score_model_ref *ref)
{
	const double row[] = {0.0, 0.0};
	double out = NAN;
	score_input in = score_input_rows_f64(row, 1, 2);
	assert_int_equal(score_batch(score_model_ref_model(ref), &in, &out, 1, NULL, NULL), SCORE_OK);
	return out;
}

static score_model_cache *new_cache(int32_t max_idle, uint32_t flags)
{
	score_model_cache *cache = NULL;
	score_model_cache_options o = SCORE_MODEL_CACHE_OPTIONS_INIT;
	o.max_idle = max_idle;
	o.open_flags = flags;
	assert_int_equal(score_model_cache_new(&o, &cache, NULL), SCORE_OK);
	return cache;
}

static score_model_cache_counts counts_of(score_model_cache *cache)
{
	score_model_cache_counts counts = {.struct_size = sizeof counts};
	assert_int_equal(score_model_cache_get_counts(cache, &counts), SCORE_OK);
	return counts;
}

static void a_file_is_opened_once(void **state)
{
	(void)state;
	for (uint32_t flags = 0; flags < 4; flags++) {
		score_model_cache *cache = new_cache(0, flags);
		write_model("a.slm", 1.0);
		score_model_ref *first = open_model(cache, "a.slm"), *second = open_model(cache, "a.slm");
		assert_ptr_equal(first, second);
		assert_ptr_equal(score_model_ref_acquire(first), first);
		assert_true(answer_of(first) == 1.0);
		score_model_cache_counts counts = counts_of(cache);
		assert_int_equal(counts.opened, 1);
		assert_int_equal(counts.found, 1);
		assert_int_equal(counts.n_claimed, 1);
		assert_true(counts.memory_bytes > 0);
		for (int i = 0; i < 3; i++)
			score_model_ref_release(first);
		counts = counts_of(cache);
		assert_int_equal(counts.n_claimed, 0);
		assert_int_equal(counts.n_idle, 1);
		score_model_ref_release(open_model(cache, "a.slm")); /* idle, but there */
		assert_int_equal(counts_of(cache).opened, 1);
		score_model_cache_free(cache);
	}
}

static void copies_share_a_model(void **state)
{
	score_model_cache *cache = new_cache(0, 0);
	size_t size;
	(void)state;
	write_model("a.slm", 1.0);
	write_model("b.slm", 1.0);
	score_model_ref *a = open_model(cache, "a.slm"), *b = open_model(cache, "b.slm"), *c = NULL;
	assert_ptr_equal(a, b);
	assert_int_equal(counts_of(cache).found_bytes, 1);
	score_model_ref_release(open_model(cache, "b.slm"));
	assert_int_equal(counts_of(cache).found, 1);
	FILE *file = fopen(path_of("a.slm"), "rb");
	char bytes[65536];
	assert_non_null(file);
	size = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	assert_int_equal(score_model_cache_open_memory(cache, bytes, size, &c, NULL), SCORE_OK);
	assert_ptr_equal(a, c);
	/* More names than are remembered for one content. */
	for (int i = 0; i < 20; i++) {
		char name[32];
		snprintf(name, sizeof name, "copy%d.slm", i);
		write_model(name, 1.0);
		score_model_ref *copy = open_model(cache, name);
		assert_ptr_equal(copy, a);
		score_model_ref_release(copy);
	}
	assert_int_equal(counts_of(cache).opened, 1);
	score_model_ref_release(a);
	score_model_ref_release(b);
	score_model_ref_release(c);
	score_model_cache_free(cache);
}

static void a_replaced_file_is_a_new_model(void **state)
{
	score_model_cache *cache = new_cache(0, 0);
	(void)state;
	write_model("a.slm", 1.0);
	score_model_ref *old = open_model(cache, "a.slm");
	write_model("a.slm", 2.0);
	score_model_ref *new = open_model(cache, "a.slm");
	assert_true(answer_of(old) == 1.0);
	assert_true(answer_of(new) == 2.0);
	score_model_ref_release(old);
	score_model_ref_release(new);
	score_model_cache_free(cache);
}

/* The content of another file of as many bytes, into the same inode. */
static void overwrite(const char *name, const char *other)
{
	char bytes[65536];
	struct stat st;
	FILE *file = fopen(path_of(other), "rb");
	assert_non_null(file);
	const size_t size = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	assert_int_equal(stat(path_of(name), &st), 0);
	assert_int_equal(st.st_size, size);
	file = fopen(path_of(name), "r+b");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

/* `before` answers 1.0, and what the file holds by now 2.0. Frees both. */
static void tells_apart(score_model_cache *cache, score_model_ref *before)
{
	score_model_ref *after = open_model(cache, "a.slm");
	assert_true(answer_of(before) == 1.0);
	assert_true(answer_of(after) == 2.0);
	score_model_ref_release(before);
	score_model_ref_release(after);
	score_model_cache_free(cache);
}

/* Same inode, same size, and a clock that shows the same time for both contents. */
static void a_young_file_is_read_again(void **state)
{
	score_model_cache *cache = new_cache(0, 0);
	struct timespec same[2];
	(void)state;
	write_model("a.slm", 1.0);
	write_model("b.slm", 2.0);
	clock_gettime(CLOCK_REALTIME, &same[0]);
	same[1] = same[0];
	assert_int_equal(utimensat(AT_FDCWD, path_of("a.slm"), same, 0), 0);
	score_model_ref *before = open_model(cache, "a.slm");
	overwrite("a.slm", "b.slm");
	assert_int_equal(utimensat(AT_FDCWD, path_of("a.slm"), same, 0), 0);
	tells_apart(cache, before);
}

/* As by cp -p, tar or a build that gives every file the same time: same inode, same size, an old time of the content. */
static void a_time_that_was_set_back_hides_nothing(void **state)
{
	score_model_cache *cache = new_cache(0, 0);
	struct stat st, changed;
	(void)state;
	write_model("a.slm", 1.0);
	write_model("b.slm", 2.0);
	assert_int_equal(stat(path_of("a.slm"), &st), 0);
	score_model_ref *before = open_model(cache, "a.slm");
	const struct timespec times[2] = {st.st_atim, st.st_mtim};
	do { /* until the file system's clock shows another time than when the file was made */
		overwrite("a.slm", "b.slm");
		assert_int_equal(utimensat(AT_FDCWD, path_of("a.slm"), times, 0), 0);
		assert_int_equal(stat(path_of("a.slm"), &changed), 0);
	} while (changed.st_ctim.tv_sec == st.st_ctim.tv_sec && changed.st_ctim.tv_nsec == st.st_ctim.tv_nsec);
	tells_apart(cache, before);
}

/* The times of a file that is as young as a tick of the clock could be those of another content, too. A machine that is busy may look
 * later than that, hence several attempts. */
static void a_time_set_back_within_a_tick_is_not_trusted(void **state)
{
	uint64_t found = 1;
	(void)state;
	write_model("a.slm", 1.0);
	for (int attempt = 0; found != 0 && attempt < 100; attempt++) {
		score_model_cache *cache = new_cache(0, 0);
		make_older("a.slm", 60);
		score_model_ref *first = open_model(cache, "a.slm"), *second = open_model(cache, "a.slm");
		found = counts_of(cache).found;
		score_model_ref_release(first);
		score_model_ref_release(second);
		score_model_cache_free(cache);
	}
	assert_int_equal(found, 0);
}

static void idle_models_are_bounded(void **state)
{
	score_model_cache *cache = new_cache(2, 0), *none = new_cache(-1, 0);
	(void)state;
	for (int i = 0; i < 4; i++) {
		char name[32];
		snprintf(name, sizeof name, "m%d.slm", i);
		write_model(name, i);
		score_model_ref_release(open_model(cache, name));
		score_model_ref_release(open_model(none, name));
	}
	assert_int_equal(counts_of(cache).n_idle, 2);
	assert_int_equal(counts_of(cache).evicted, 2);
	assert_int_equal(counts_of(none).n_idle, 0);
	score_model_ref_release(open_model(cache, "m2.slm")); /* kept: used last but one */
	assert_int_equal(counts_of(cache).opened, 4);
	score_model_ref_release(open_model(cache, "m1.slm"));
	assert_int_equal(counts_of(cache).opened, 5);
	score_model_ref_release(open_model(cache, "m2.slm")); /* m3 had to go */
	assert_int_equal(counts_of(cache).opened, 5);
	score_model_cache_free(cache);
	score_model_cache_free(none);
}

static void claims_outlive_the_cache(void **state)
{
	score_model_cache *cache = new_cache(0, 0);
	(void)state;
	write_model("a.slm", 1.0);
	score_model_ref *ref = score_model_ref_acquire(open_model(cache, "a.slm"));
	score_model_cache_free(cache);
	score_model_ref_release(ref);
	assert_true(answer_of(ref) == 1.0);
	score_model_ref_release(ref); /* frees the cache too */
	score_model_ref_release(NULL);
	score_model_cache_free(NULL);
}

static void bad_files_are_refused(void **state)
{
	score_model_cache *cache = new_cache(0, 0);
	score_model_ref *ref = (score_model_ref *)&cache;
	score_model_cache_options o = SCORE_MODEL_CACHE_OPTIONS_INIT;
	score_error error;
	(void)state;
	assert_int_equal(score_model_cache_open(cache, path_of("nothing.slm"), &ref, &error), SCORE_ERR_IO);
	assert_null(ref);
	assert_non_null(strstr(error.message, "nothing.slm"));
	assert_int_equal(score_model_cache_open(cache, folder, &ref, &error), SCORE_ERR_IO);
	FILE *file = fopen(path_of("text.slm"), "w");
	assert_non_null(file);
	fputs("no model", file);
	fclose(file);
	assert_int_equal(score_model_cache_open(cache, path_of("text.slm"), &ref, &error), SCORE_ERR_CORRUPT);
	assert_int_equal(score_model_cache_open(NULL, "x", &ref, &error), SCORE_ERR_ARGUMENT);
	assert_int_equal(counts_of(cache).n_claimed + counts_of(cache).n_idle, 0);
	score_model_cache_free(cache);
	o.max_idle = -2;
	assert_int_equal(score_model_cache_new(&o, &cache, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "max_idle is -2"));
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

#define N_THREADS 4
#define N_ROUNDS 3000

typedef struct crowd {
	score_model_cache *cache;
	atomic_int wrong, ready;
} crowd;

/* Model k of the crowd answers k; two files are replaced all the time by others with their own answers plus 100. */
static void *use_models(void *context)
{
	crowd *c = context;
	uint32_t state = 1;
	atomic_fetch_add(&c->ready, 1);
	while (atomic_load(&c->ready) < N_THREADS)
		;
	for (int i = 0; i < N_ROUNDS; i++) {
		char name[32];
		int k = (int)((state = state * 1664525u + 1013904223u) >> 29);
		score_model_ref *ref = NULL;
		snprintf(name, sizeof name, "t%d.slm", k);
		if (score_model_cache_open(c->cache, path_of(name), &ref, NULL) != SCORE_OK) {
			atomic_fetch_add(&c->wrong, 1);
			continue;
		}
		score_model_ref *again = score_model_ref_acquire(ref);
		score_model_ref_release(ref);
		double answer = answer_of(again);
		if (answer != k && answer != k + 100.0)
			atomic_fetch_add(&c->wrong, 1);
		score_model_ref_release(again);
	}
	return NULL;
}

static void threads_share_the_cache(void **state)
{
	pthread_t threads[N_THREADS];
	crowd c = {new_cache(3, 0), 0, 0};
	(void)state;
	for (int k = 0; k < 8; k++) {
		char name[32];
		snprintf(name, sizeof name, "t%d.slm", k);
		write_model(name, k);
	}
	for (int t = 0; t < N_THREADS; t++)
		assert_int_equal(pthread_create(&threads[t], NULL, use_models, &c), 0);
	for (int i = 0; i < 40; i++) {
		write_model("t0.slm", i % 2 * 100.0);
		write_model("t1.slm", 1 + i % 2 * 100.0);
	}
	for (int t = 0; t < N_THREADS; t++)
		pthread_join(threads[t], NULL);
	assert_int_equal(atomic_load(&c.wrong), 0);
	score_model_cache_counts counts = counts_of(c.cache);
	assert_int_equal(counts.n_claimed, 0);
	assert_in_range(counts.n_idle, 1, 3);
	score_model_cache_free(c.cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_opened_once),
		cmocka_unit_test(copies_share_a_model),
		cmocka_unit_test(a_replaced_file_is_a_new_model),
		cmocka_unit_test(a_young_file_is_read_again),
		cmocka_unit_test(a_time_that_was_set_back_hides_nothing),
		cmocka_unit_test(a_time_set_back_within_a_tick_is_not_trusted),
		cmocka_unit_test(idle_models_are_bounded),
		cmocka_unit_test(claims_outlive_the_cache),
		cmocka_unit_test(bad_files_are_refused),
		cmocka_unit_test(threads_share_the_cache),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
