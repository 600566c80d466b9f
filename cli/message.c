/*
 * Messages of the `scoreline` command.
 *
 * Comes in: what went wrong and where. Goes out: one line on stderr and the exit code that belongs to it.
 */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static void print_position(int64_t line, int64_t byte)
{
	if (line >= 0 && byte >= 0)
		fprintf(stderr, " (line %lld, byte %lld)", (long long)line, (long long)byte);
	else if (line >= 0)
		fprintf(stderr, " (line %lld)", (long long)line);
	else if (byte >= 0)
		fprintf(stderr, " (byte %lld)", (long long)byte);
	fputc('\n', stderr);
}

static void print_subject(const char *file)
{
	cli_progress_hide();
	fputs("scoreline: ", stderr);
	cli_print_text(stderr, file);
	fputs(": ", stderr);
}

int (cli_fail_at)(const char *file, int64_t line, int64_t byte, const char *format, ...)
{
	va_list args;
	print_subject(file);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	print_position(line, byte);
	return CLI_FAILED;
}

int (cli_fail)(const char *file, const char *format, ...)
{
	va_list args;
	print_subject(file);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	print_position(-1, -1);
	return CLI_FAILED;
}

int (cli_fail_library)(const char *file, const score_error *error, const char *hint)
{
	print_subject(file);
	cli_print_text(stderr, error->message[0] != '\0' ? error->message : score_status_name(error->code));
	if (hint != NULL)
		fprintf(stderr, "; %s", hint);
	print_position(error->line, error->offset);
	return CLI_FAILED;
}

int (cli_fail_memory)(const char *file)
{
	return cli_fail(file, "out of memory");
}

int cli_usage(const char *command, const char *format, ...)
{
	const char *space = command != NULL ? " " : "";
	const char *word = command != NULL ? command : "";
	va_list args;
	fprintf(stderr, "scoreline%s%s: ", space, word);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (see scoreline%s%s --help)\n", space, word);
	return CLI_USAGE;
}

void cli_warn(const char *file, const char *format, ...)
{
	va_list args;
	cli_progress_hide();
	fputs("scoreline: warning: ", stderr);
	cli_print_text(stderr, file);
	fputs(": ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* Bytes of the character at `text` that a terminal would obey instead of showing it, else 0: C0, DEL, and C1 in UTF-8. */
static size_t control_bytes(const char *text, size_t length)
{
	const unsigned char c = (unsigned char)text[0];
	if (c < 0x20 || c == 0x7f)
		return 1;
	return c == 0xc2 && length > 1 && ((unsigned char)text[1] & 0xe0) == 0x80 ? 2 : 0;
}

cli_quoted cli_quote(const char *text, size_t length, size_t limit)
{
	cli_quoted out;
	size_t i = 0, n = 0;
	if (limit > sizeof out.text - 4)
		limit = sizeof out.text - 4;
	while (i < length && n < limit) {
		size_t control = control_bytes(text + i, length - i);
		out.text[n++] = control != 0 ? '?' : text[i];
		i += control != 0 ? control : 1;
	}
	/* Do not cut a UTF-8 character in two. */
	if (i < length)
		for (; n > 0 && ((unsigned char)text[i] & 0xc0) == 0x80; n--)
			i--;
	memcpy(out.text + n, i < length ? "..." : "", i < length ? 4 : 1);
	return out;
}

void cli_print_text(FILE *to, const char *text)
{
	while (*text != '\0') {
		size_t control = control_bytes(text, text[1] != '\0' ? 2 : 1);
		fputc(control != 0 ? '?' : (unsigned char)*text, to);
		text += control != 0 ? control : 1;
	}
}

cli_size cli_format_size(uint64_t bytes)
{
	static const char *const units[] = { "KB", "MB", "GB", "TB" };
	cli_size out;
	double value = (double)bytes / 1000.0;
	size_t unit = 0;
	if (bytes < 1000) {
		snprintf(out.text, sizeof out.text, "%u bytes", (unsigned)bytes);
		return out;
	}
	while (value >= 999.95 && unit + 1 < sizeof units / sizeof units[0]) {
		value /= 1000.0;
		unit++;
	}
	snprintf(out.text, sizeof out.text, "%.1f %s", value, units[unit]);
	return out;
}

int cli_flush_stdout(void)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return CLI_OK;
	return cli_fail("standard output", "could not be written: %s", errno != 0 ? strerror(errno) : "write error");
}
