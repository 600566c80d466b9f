/* Copies of a text in which one piece is another, for tests of files that are wrong in one place. Include after cmocka.h. */
#ifndef TESTS_REPLACED_H
#define TESTS_REPLACED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `text` with its only piece `from` replaced; free() it. Fails the test if the piece is not there exactly once. */
static inline char *replaced_once(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	if (!at || strstr(at + 1, from))
		fail_msg("the test must replace something that is there once: %s", from);
	size_t head = (size_t)(at - text), size = strlen(text) + strlen(to) + 1;
	char *out = malloc(size);
	assert_non_null(out);
	snprintf(out, size, "%.*s%s%s", (int)head, text, to, at + strlen(from));
	return out;
}

#endif
