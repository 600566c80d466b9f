/* Errors: fill the caller's score_error, or nothing at all when there is none. */
#include "base.h"

#include <stdarg.h>
#include <stdio.h>

#if defined(SL_ANALYSED)
#undef sl_fail
#undef sl_fail_at
#endif

/* Bytes of callers' names and paths that are no UTF-8, and a character that the end of the message cuts. */
static void mend_utf8(char *text, size_t length, bool is_cut)
{
	for (size_t at = 0; (at += sl_utf8_prefix(text + at, length - at)) < length; at++) {
		if (is_cut && length - at < 4 && (text[at] & 0x80)) {
			text[at] = '\0';
			return;
		}
		text[at] = '?';
	}
}

static void fill(score_error *error, score_status code, int64_t offset, int64_t line, const char *format, va_list args)
{
	if (!error)
		return;
	error->code = code;
	error->reserved = 0;
	error->offset = offset;
	error->line = line;
	int length = vsnprintf(error->message, sizeof error->message, format, args);
	/* Only wide characters, of which no format has one, and lengths above INT_MAX can make it fail. */
	if (SL_NEVER(length < 0))
		error->message[0] = '\0';
	mend_utf8(error->message, strlen(error->message), (size_t)length >= sizeof error->message);
}

score_status sl_fail(score_error *error, score_status code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fill(error, code, -1, -1, format, args);
	va_end(args);
	return code;
}

score_status sl_fail_at(score_error *error, score_status code, int64_t offset, int64_t line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fill(error, code, offset, line, format, args);
	va_end(args);
	return code;
}

void sl_note_memory(score_error *error, size_t bytes)
{
	if (bytes)
		sl_fail(error, SCORE_ERR_MEMORY, "out of memory: the allocator refused %zu bytes", bytes);
	else /* an arena's block for what has no elements */
		sl_fail(error, SCORE_ERR_MEMORY, "out of memory: the allocator refused a request");
}

void sl_error_clear(score_error *error)
{
	if (!error)
		return;
	memset(error, 0, sizeof *error);
	error->offset = -1;
	error->line = -1;
}

/* Bytes of the character at `text`, if a reader sees it and it leaves the line as it is: no control, no separator of lines, nothing that
 * turns the direction of what follows. Else 0. */
static size_t printable(const char *text, size_t left)
{
	const unsigned char *p = (const unsigned char *)text;
	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	const size_t n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > left || sl_utf8_prefix(text, n) != n)
		return 0;
	const bool is_c1 = p[0] == 0xc2 && p[1] < 0xa0;
	const bool is_turn = p[0] == 0xe2 && ((p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
	const bool is_mark = p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf;
	return is_c1 || is_turn || is_mark ? 0 : n;
}

sl_quoted sl_quote(const char *text, size_t length)
{
	static const char digits[] = "0123456789abcdef", more[] = "...";
	sl_quoted q;
	size_t n = 0, kept = 0; /* of these, what leaves room for "..." */
	for (size_t i = 0; i < length;) {
		const size_t bytes = printable(text + i, length - i), width = bytes ? bytes : 4;
		const char escape[] = {'\\', 'x', digits[(unsigned char)text[i] >> 4], digits[text[i] & 15]};
		if (n + width >= sizeof q.text) {
			memcpy(q.text + kept, more, sizeof more - 1);
			n = kept + sizeof more - 1;
			break;
		}
		memcpy(q.text + n, bytes ? text + i : escape, width);
		n += width;
		i += bytes ? bytes : 1;
		if (n <= sizeof q.text - sizeof more)
			kept = n;
	}
	q.text[n] = '\0';
	return q;
}

#define MAX_STRUCT 4096 /* bytes: what says more is not initialised */

score_status sl_take_struct(void *to, size_t size, const void *from, const char *name, score_error *error)
{
	memset(to, 0, size);
	if (!from)
		return SCORE_OK;
	size_t given;
	memcpy(&given, from, sizeof given);
	if (given < sizeof given || given > MAX_STRUCT)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s.struct_size is %zu: set it to sizeof(%s)", name, given, name);
	memcpy(to, from, given < size ? given : size);
	for (size_t i = size; i < given; i++) {
		if (((const unsigned char *)from)[i])
			return sl_fail(error, SCORE_ERR_VERSION, "%s has a member set that library version %s does not know",
				name, SCORE_VERSION_STRING);
	}
	return SCORE_OK;
}

bool sl_has_size(const void *out)
{
	size_t given = 0;
	if (out)
		memcpy(&given, out, sizeof given);
	return given >= sizeof given && given <= MAX_STRUCT;
}

void sl_give_struct(void *out, const void *from, size_t size)
{
	size_t given;
	memcpy(&given, out, sizeof given);
	memset(out, 0, given);
	memcpy(out, from, given < size ? given : size);
	memcpy(out, &given, sizeof given);
}

score_status sl_check_strings(const score_strings *given, bool has_no_rows, const char *what, score_error *error)
{
	score_strings s;
	if (!given)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: the score_strings is NULL", what);
	score_status status = sl_take_struct(&s, sizeof s, given, "score_strings", error);
	if (status != SCORE_OK)
		return status;
	if (given->struct_size < sizeof s)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: score_strings.struct_size is %zu, expected %zu", what,
			given->struct_size, sizeof s);
	bool is_encoded = s.indices || has_no_rows;
	if (s.offset_type != SCORE_I32 && s.offset_type != SCORE_I64)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: the offsets of strings have dtype %d, not SCORE_I32 or SCORE_I64",
			what, (int)s.offset_type);
	if (s.indices && (s.index_type < SCORE_I8 || s.index_type > SCORE_U64))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: the indices of strings have dtype %d, expected integers", what,
			(int)s.index_type);
	if (is_encoded && s.n_strings < 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: the number of strings is %lld", what, (long long)s.n_strings);
	if (!s.offsets && (!is_encoded || s.n_strings))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: the strings have no offsets (NULL)", what);
	return SCORE_OK;
}

const char *score_status_name(score_status status)
{
	static const char *const names[] = {"ok", "argument", "memory", "io", "corrupt", "version", "unsupported",
		"shape", "limit", "verify"};
	if (status < 0 || (size_t)status >= sizeof names / sizeof names[0])
		return "unknown";
	return names[status];
}
