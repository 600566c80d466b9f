/*
 * What a host may do to its process: another locale, tiny thread stacks, fork, a filter that kills on any system call, signals
 * that interrupt, little address space, denormals off. The bits stay, and score_batch() asks the kernel for nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "build_kind.h"
#include "random_model.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#define N_ROWS 600
#define N_SUBJECTS 3u

typedef struct subject {
	random_spec spec;
	score_model *model;
	double *rows, *expected, *out;
	score_options options;
	size_t width;
} subject;

static subject subjects[N_SUBJECTS];

static score_status score(const subject *s, double *out)
{
	score_input in = score_input_rows_f64(s->rows, N_ROWS, s->spec.n_features);
	return score_batch(s->model, &in, out, N_ROWS * s->width, &s->options, NULL);
}

static int same(const subject *s, const double *out)
{
	for (size_t i = 0; i < N_ROWS * s->width; i++)
		if (memcmp(out + i, s->expected + i, sizeof *out) != 0 && !(isnan(out[i]) && isnan(s->expected[i])))
			return 0;
	return 1;
}

static int set_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_SUBJECTS; i++) {
		subject *s = subjects + i;
		s->spec = (random_spec){.seed = 70 + i, .n_features = 20, .n_outputs = 1 + i, .n_trees = 30 * (1 + i), .max_leaves =
			i == 2 ? 700 : 40, .cuts_per_feature = 60, .category_features = i, .compare = i ? SCORE_F64 : SCORE_F32, .sum = i ?
			SCORE_F64 : SCORE_F32, .link = i == 0 ? SCORE_LINK_SIGMOID : SCORE_LINK_IDENTITY};
		s->model = random_model(&s->spec);
		s->options = (score_options)SCORE_OPTIONS_INIT;
		s->options.scratch_bytes = score_scratch_bytes(s->model);
		s->options.scratch = malloc(s->options.scratch_bytes);
		s->width = score_output_width(s->model, &s->options);
		s->rows = malloc(N_ROWS * s->spec.n_features * sizeof(double));
		s->expected = malloc(N_ROWS * s->width * sizeof(double));
		s->out = malloc(N_ROWS * s->width * sizeof(double));
		random_rows(&s->spec, i, N_ROWS, s->rows);
		if (score(s, s->expected) != SCORE_OK)
			return 1;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_SUBJECTS; i++) {
		score_model_free(subjects[i].model);
		free(subjects[i].options.scratch);
		free(subjects[i].rows);
		free(subjects[i].expected);
		free(subjects[i].out);
	}
	return 0;
}

/* Exit code of a child that runs `work`: its answer, or 200 + the signal that killed it. */
static int in_child(int (*work)(void))
{
	int status = 0;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(work());
	assert_true(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
}

static int score_all(void)
{
	for (unsigned i = 0; i < N_SUBJECTS; i++)
		if (score(subjects + i, subjects[i].out) != SCORE_OK || !same(subjects + i, subjects[i].out))
			return 1;
	return 0;
}

static int open_all(void)
{
	for (unsigned i = 0; i < N_SUBJECTS; i++) {
		void *bytes = NULL;
		size_t size = 0;
		score_model *model = NULL;
		score_error error = {0};
		score_open_options options = SCORE_OPEN_OPTIONS_INIT;
		options.flags = SCORE_OPEN_VERIFY;
		if (score_model_save_memory(subjects[i].model, NULL, &bytes, &size, NULL) != SCORE_OK ||
			score_model_open_memory(bytes, size, &options, &model, &error) != SCORE_OK) {
			fprintf(stderr, "%s\n", error.message);
			return 1;
		}
		score_model_free_bytes(subjects[i].model, bytes, size);
		score_model_free(model);
	}
	return 0;
}

/* A model made now has the bytes of the one that was made before. */
static int builds_the_same(void)
{
	for (unsigned i = 0; i < N_SUBJECTS; i++) {
		void *bytes[2] = {NULL, NULL};
		size_t sizes[2] = {0, 0};
		score_model *again = random_model(&subjects[i].spec);
		int bad = score_model_save_memory(subjects[i].model, NULL, bytes, sizes, NULL) ||
			score_model_save_memory(again, NULL, bytes + 1, sizes + 1, NULL) || sizes[0] != sizes[1] ||
			memcmp(bytes[0], bytes[1], sizes[0]) != 0;
		score_model_free_bytes(again, bytes[1], sizes[1]);
		score_model_free_bytes(again, bytes[0], sizes[0]);
		score_model_free(again);
		if (bad)
			return 0;
	}
	return 1;
}

/* ---- tests ------------------------------------------------------------------------------------------ */

static void works_after_fork(void **state)
{
	(void)state;
	assert_int_equal(in_child(score_all), 0);
	assert_int_equal(in_child(open_all), 0);
}

static int only_write_and_exit(void)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
		return 99;
	int bad = score_all();
	syscall(SYS_exit, bad); /* what a strict filter allows; exit_group() it does not */
	return 98;
}

static int breaks_the_filter(void)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
		return 99;
	syscall(SYS_getpid);
	return 0;
}

static void scoring_makes_no_system_call(void **state)
{
	(void)state;
	if (SANITIZED || in_child(breaks_the_filter) == 99)
		skip(); /* sanitizers make calls of their own; or this kernel has no seccomp */
	assert_int_equal(in_child(breaks_the_filter), 200 + SIGKILL); /* the filter works */
	assert_int_equal(in_child(only_write_and_exit), 0);
}

static void *thread_scores(void *argument)
{
	subject *s = argument;
	double *out = malloc(N_ROWS * s->width * sizeof *out);
	score_options options = s->options;
	subject mine = *s;
	options.scratch = malloc(options.scratch_bytes);
	mine.options = options;
	int bad = !out || score(&mine, out) != SCORE_OK || !same(s, out);
	free(out);
	free(options.scratch);
	return bad ? argument : NULL;
}

static void small_stacks_suffice(void **state)
{
	pthread_attr_t attributes;
	(void)state;
	if (SANITIZED || !OPTIMISED)
		skip(); /* their frames are larger */
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstacksize(&attributes, (size_t)64 << 10), 0);
	for (unsigned i = 0; i < N_SUBJECTS; i++) {
		pthread_t thread;
		void *bad = subjects;
		assert_int_equal(pthread_create(&thread, &attributes, thread_scores, subjects + i), 0);
		assert_int_equal(pthread_join(thread, &bad), 0);
		assert_null(bad);
	}
	pthread_attr_destroy(&attributes);
}

static volatile sig_atomic_t n_signals;

static void count_signal(int number)
{
	(void)number;
	n_signals++;
}

static void signals_change_nothing(void **state)
{
	struct sigaction action = {.sa_handler = count_signal}, old;
	struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (int i = 0; i < 20000 && n_signals < 40; i++)
		assert_int_equal(score_all(), 0);
	assert_int_equal(open_all(), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
	assert_true(n_signals >= 40);
}

/* A decimal comma: a model whose numbers were text must not change. Any such locale that the machine has;
 * tests/house/check_locale.sh makes one and runs this with it. */
static void locales_change_nothing(void **state)
{
	static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "fr_FR.utf8"};
	const char *found = NULL;
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0] && !found; i++)
		found = setlocale(LC_ALL, names[i]);
	if (!found)
		skip();
	assert_string_equal(localeconv()->decimal_point, ",");
	assert_int_equal(score_all(), 0);
	assert_int_equal(open_all(), 0);
	assert_non_null(setlocale(LC_ALL, "C"));
}

static int in_little_space(void)
{
	struct rlimit limit = {(rlim_t)8 << 20, (rlim_t)8 << 20};
	void *bytes = NULL;
	size_t size = 0;
	score_model *model = NULL;
	score_error error = {0};
	if (score_model_save_memory(subjects[2].model, NULL, &bytes, &size, NULL) != SCORE_OK)
		return 2;
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		return 3;
	for (int i = 0; i < 400; i++) { /* without freeing: until there is no more */
		score_status status = score_model_open_memory(bytes, size, NULL, &model, &error);
		if (status == SCORE_ERR_MEMORY)
			return model != NULL || error.message[0] == '\0' || score_all() != 0;
		if (status != SCORE_OK)
			return 4;
	}
	return 5;
}

static void the_end_of_address_space_is_an_error(void **state)
{
	(void)state;
	if (SANITIZED)
		skip(); /* they reserve terabytes */
	assert_int_equal(in_child(in_little_space), 0);
}

static void denormals_stay_if_the_host_has_none(void **state)
{
	(void)state;
#if defined(__SSE2__)
	unsigned before = _mm_getcsr();
	_mm_setcsr(before | 0x8040u); /* flush to zero, denormals are zero */
	int bad = score_all() ? 1 : open_all() ? 2 : builds_the_same() ? 0 : 3;
	unsigned after = _mm_getcsr();
	_mm_setcsr(before);
	assert_int_equal(bad, 0);
	assert_int_equal(after & 0x8040u, 0x8040u); /* and the host's wish is kept */
#else
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(works_after_fork),
		cmocka_unit_test(scoring_makes_no_system_call),
		cmocka_unit_test(small_stacks_suffice),
		cmocka_unit_test(signals_change_nothing),
		cmocka_unit_test(locales_change_nothing),
		cmocka_unit_test(the_end_of_address_space_is_an_error),
		cmocka_unit_test(denormals_stay_if_the_host_has_none),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
