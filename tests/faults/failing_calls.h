/*
 * System calls of the library that a test fails, shortens and interrupts: the linker sends them to failing_calls.c, whose list is
 * failing_calls in tests/meson.build.
 */
#ifndef TESTS_FAILING_CALLS_H
#define TESTS_FAILING_CALLS_H

#include <scoreline.h>

typedef struct failing_calls {
	int inside;        /* calls count and may fail; a thread of the library sees it too */
	int fail_at;       /* the first that fails, from 0; -1: none */
	int once;          /* only that one */
	int code;          /* errno; 0: reads and writes do nothing, and say so */
	const char *only;  /* calls of this name alone count; NULL: all */
	const char *also;  /* … and this one fails with them, uncounted */
	int n_short;       /* reads and writes take at most so many bytes; 0: all */
	int interrupt;     /* every second read and write is interrupted first; count it from 1 */
	int all_named;     /* the file system has no files without names */
	int other_process; /* getpid() says that this is a child */
	void (*before_lock)(void); /* once, before the next lock is taken: what another thread does meanwhile */
	void (*before_flock)(void); /* the same of a file: what another process does */
	int n;             /* calls so far */
	const char *failed; /* the first that did, or NULL */
} failing_calls;

extern failing_calls calls;

typedef struct calls_scene {
	const char *name;
	void (*before)(void);
	score_status (*play)(score_error *error); /* the first failure ends it */
	void (*after)(score_status status);       /* what must hold then       */
	const char *harmless;                     /* calls that may fail without a word */
	int all_named;                            /* as in failing_calls */
} calls_scene;

/* Play the scene once for each of its calls, which fails, alone and with all after it: SCORE_ERR_IO or SCORE_ERR_MEMORY, and the path in
 * the message; then what must hold. Asserts. */
void calls_in_turn(const calls_scene *s);

#endif
