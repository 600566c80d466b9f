/* Whether a run must be quick: SCORELINE_TEST_MODE=quick, or code built to be counted, which is slow. Tests that try very much then
 * try some of it. */
#ifndef TESTS_QUICK_RUN_H
#define TESTS_QUICK_RUN_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool quick_run(void)
{
#if defined(SL_COVERAGE)
	return true;
#else
	const char *mode = getenv("SCORELINE_TEST_MODE");
	return mode != NULL && strcmp(mode, "quick") == 0;
#endif
}

#endif
