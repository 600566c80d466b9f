/* What a refused call must answer, for tests that assert on the whole message. Include after cmocka.h. */
#ifndef TESTS_EXPECT_ERROR_H
#define TESTS_EXPECT_ERROR_H

#include <scoreline.h>

#include <string.h>

static inline void expect_error(score_status status, const score_error *error, score_status code, const char *message)
{
	if (status != code || error->code != code || strcmp(error->message, message) != 0)
		fail_msg("%s (%s), expected %s, \"%s\"", score_status_name(status), status == SCORE_OK ? "" : error->message,
			score_status_name(code), message);
}

#endif
