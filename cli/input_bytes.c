/*
 * The bytes of an input: a sliding window over a file or stdin.
 *
 * Comes in: a path. Goes out: a window that grows only as far as the longest record needs, with a limit, so that
 * memory stays bounded however large the file is.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW_START ((size_t)256 << 10)
/* A record longer than this is an unclosed quote or not a table. */
#define WINDOW_LIMIT ((size_t)64 << 20)

int cli_bytes_open(const char *path, cli_bytes *out)
{
	struct stat st;
	bool standard = strcmp(path, "-") == 0;
	memset(out, 0, sizeof *out);
	out->name = standard ? "standard input" : path;
	out->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	out->owned = !standard;
	if (out->fd < 0)
		return cli_fail(out->name, "cannot be opened: %s", strerror(errno));
	if (fstat(out->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		cli_bytes_close(out);
		return cli_fail(out->name, "is a directory; expected a file of rows");
	}
	out->data = malloc(WINDOW_START + 1);
	if (out->data == NULL) {
		cli_bytes_close(out);
		return cli_fail_memory(out->name);
	}
	out->capacity = WINDOW_START;
	out->data[0] = '\0';
	return CLI_OK;
}

void cli_bytes_close(cli_bytes *bytes)
{
	if (bytes->owned && bytes->fd >= 0)
		close(bytes->fd);
	free(bytes->data);
	bytes->data = NULL;
	bytes->fd = -1;
	bytes->owned = false;
}

static int read_some(cli_bytes *bytes, char *to, size_t size, size_t *got)
{
	ssize_t n;
	do
		n = read(bytes->fd, to, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return cli_fail(bytes->name, "cannot be read: %s", strerror(errno));
	*got = (size_t)n;
	bytes->total += (size_t)n;
	if (n == 0)
		bytes->eof = true;
	return CLI_OK;
}

static int widen(cli_bytes *bytes, int64_t line)
{
	size_t capacity = bytes->capacity * 2;
	char *data;
	if (capacity > WINDOW_LIMIT)
		return cli_fail_at(bytes->name, line, -1,
			"record longer than %zu MiB; is a quote not closed, or is this no table of rows?", WINDOW_LIMIT >> 20);
	data = realloc(bytes->data, capacity + 1);
	if (data == NULL)
		return cli_fail_memory(bytes->name);
	bytes->data = data;
	bytes->capacity = capacity;
	return CLI_OK;
}

int cli_bytes_more(cli_bytes *bytes, int64_t line)
{
	size_t got = 0;
	int code;
	if (bytes->eof)
		return CLI_OK;
	if (bytes->begin > 0) {
		memmove(bytes->data, bytes->data + bytes->begin, bytes->end - bytes->begin);
		bytes->end -= bytes->begin;
		bytes->begin = 0;
	}
	if (bytes->end == bytes->capacity) {
		code = widen(bytes, line);
		if (code != CLI_OK)
			return code;
	}
	/* A long record is scanned again after every call: let it at least double each time. */
	do {
		code = read_some(bytes, bytes->data + bytes->end, bytes->capacity - bytes->end, &got);
		bytes->end += got;
	} while (code == CLI_OK && got > 0 && bytes->capacity > WINDOW_START && bytes->end < bytes->capacity);
	bytes->data[bytes->end] = '\0';
	return code;
}

bool cli_bytes_idle(const cli_bytes *bytes)
{
	struct pollfd wait = { bytes->fd, POLLIN, 0 };
	return !bytes->eof && poll(&wait, 1, 0) == 0;
}

int cli_bytes_take(cli_bytes *bytes, void *out, size_t size, size_t *got)
{
	size_t have = bytes->end - bytes->begin;
	char *to = out;
	*got = have < size ? have : size;
	if (*got > 0)
		memcpy(to, bytes->data + bytes->begin, *got);
	bytes->begin += *got;
	while (*got < size && !bytes->eof) {
		size_t n = 0;
		int code = read_some(bytes, to + *got, size - *got, &n);
		if (code != CLI_OK)
			return code;
		*got += n;
	}
	return CLI_OK;
}
