/* UTF-8 from untrusted bytes. */
#include "base.h"

/* Length of the character at `p`, 0 if there is none: no overlong forms, no surrogates, nothing above U+10FFFF. */
static size_t character(const uint8_t *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xC2 && p[0] < 0xE0 ? 2 : p[0] >= 0xE0 && p[0] < 0xF0 ? 3 :
		p[0] >= 0xF0 && p[0] < 0xF5 ? 4 : 0;
	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	bool bad = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] >= 0xA0) ||
		(p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] >= 0x90);
	return bad ? 0 : n;
}

size_t sl_utf8_prefix(const char *text, size_t length)
{
	size_t at = 0;
	while (at < length) {
		size_t n = character((const uint8_t *)text + at, length - at);
		if (n == 0)
			break;
		at += n;
	}
	return at;
}
