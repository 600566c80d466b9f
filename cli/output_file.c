/*
 * Where results go: stdout, a device or pipe in place, or a file that appears under its name only when complete.
 *
 * Comes in: bytes. Goes out: "<target>.tmp-<random>" renamed over the target at the end, or nothing at all.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Removed when a signal ends the command. */
static char *volatile unfinished;

static void remove_unfinished(int number)
{
	if (unfinished != NULL)
		unlink(unfinished);
	signal(number, SIG_DFL);
	raise(number);
}

static void watch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	size_t i;
	for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct sigaction action;
		/* nohup asked for SIGHUP to be ignored. */
		if (sigaction(numbers[i], NULL, &action) != 0 || action.sa_handler == SIG_IGN)
			continue;
		memset(&action, 0, sizeof action);
		action.sa_handler = remove_unfinished;
		sigaction(numbers[i], &action, NULL);
	}
}

bool cli_same_file(const char *a, const char *b)
{
	struct stat x, y;
	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

char *cli_output_resolve(const char *path)
{
	struct stat st;
	char *copy;
	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
		copy = realpath(path, NULL);
		if (copy == NULL)
			cli_fail(path, "is a symbolic link to nothing: %s", strerror(errno));
		return copy;
	}
	copy = strdup(path);
	if (copy == NULL)
		cli_fail_memory(path);
	return copy;
}

static int open_in_place(cli_output *out)
{
	out->fd = open(out->name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	out->owned = true;
	if (out->fd < 0)
		return cli_fail(out->name, "cannot be opened for writing: %s", strerror(errno));
	return CLI_OK;
}

static int open_beside(cli_output *out)
{
	size_t size;
	mode_t mask;
	out->target = cli_output_resolve(out->name);
	if (out->target == NULL)
		return CLI_FAILED;
	size = strlen(out->target) + 32;
	out->temporary = malloc(size);
	if (out->temporary == NULL)
		return cli_fail_memory(out->name);
	snprintf(out->temporary, size, "%s.tmp-XXXXXX", out->target);
	watch_signals();
	out->fd = mkstemp(out->temporary);
	if (out->fd < 0) {
		int reason = errno;
		free(out->temporary);
		out->temporary = NULL;
		return cli_fail(out->name, "cannot be created: %s", strerror(reason));
	}
	out->owned = true;
	unfinished = out->temporary;
	/* mkstemp() makes files that only their owner reads; a result is a file like any other. */
	mask = umask(0);
	umask(mask);
	if (fchmod(out->fd, 0666 & ~mask) != 0)
		return cli_fail(out->name, "cannot be created: %s", strerror(errno));
	return CLI_OK;
}

int cli_output_open(const char *path, cli_output *out)
{
	struct stat st;
	int code = CLI_OK;
	bool standard = path == NULL || strcmp(path, "-") == 0;
	memset(out, 0, sizeof *out);
	out->name = standard ? "standard output" : path;
	out->fd = standard ? STDOUT_FILENO : -1;
	if (!standard && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return cli_fail(path, "is a directory; expected the name of a file to write");
	if (!standard)
		code = stat(path, &st) == 0 && !S_ISREG(st.st_mode) ? open_in_place(out) : open_beside(out);
	if (code == CLI_OK) {
		out->buffer = malloc(CLI_OUTPUT_BUFFER);
		if (out->buffer == NULL)
			code = cli_fail_memory(out->name);
	}
	if (code != CLI_OK)
		cli_output_close(out);
	return code;
}

static int write_through(cli_output *out, const char *data, size_t size)
{
	out->started = out->started || size > 0;
	while (size > 0) {
		ssize_t n = write(out->fd, data, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			out->failed = true;
			return cli_fail(out->name, "could not be written: %s", strerror(errno));
		}
		data += n;
		size -= (size_t)n;
	}
	return CLI_OK;
}

static int flush(cli_output *out)
{
	size_t used = out->used;
	out->used = 0;
	return write_through(out, out->buffer, used);
}

int cli_output_write(cli_output *out, const void *data, size_t size)
{
	if (size > CLI_OUTPUT_BUFFER - out->used && flush(out) != CLI_OK)
		return CLI_FAILED;
	if (size > CLI_OUTPUT_BUFFER)
		return write_through(out, data, size);
	memcpy(out->buffer + out->used, data, size);
	out->used += size;
	return CLI_OK;
}

int cli_output_flush(cli_output *out)
{
	return out->temporary == NULL ? flush(out) : CLI_OK;
}

int cli_output_patch(cli_output *out, const void *data, size_t size)
{
	if (flush(out) != CLI_OK)
		return CLI_FAILED;
	if (pwrite(out->fd, data, size, 0) != (ssize_t)size)
		return cli_fail(out->name, "could not be written: %s", strerror(errno));
	return CLI_OK;
}

int cli_output_commit(cli_output *out)
{
	if (flush(out) != CLI_OK)
		return CLI_FAILED;
	if (out->temporary == NULL)
		return CLI_OK;
	if (fsync(out->fd) != 0)
		return cli_fail(out->name, "could not be written: %s", strerror(errno));
	out->owned = false;
	if (close(out->fd) != 0)
		return cli_fail(out->name, "could not be written: %s", strerror(errno));
	if (rename(out->temporary, out->target) != 0)
		return cli_fail(out->name, "could not be put in its place: %s", strerror(errno));
	unfinished = NULL;
	free(out->temporary);
	out->temporary = NULL;
	return CLI_OK;
}

void cli_output_close(cli_output *out)
{
	/* Half a line could be taken for a shorter number. */
	if (out->temporary == NULL && out->started && !out->failed)
		flush(out);
	if (out->owned && out->fd >= 0)
		close(out->fd);
	if (out->temporary != NULL) {
		unlink(out->temporary);
		unfinished = NULL;
	}
	free(out->temporary);
	free(out->target);
	free(out->buffer);
	memset(out, 0, sizeof *out);
	out->fd = -1;
}
