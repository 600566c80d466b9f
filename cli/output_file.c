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

#define ENDING ".tmp-XXXXXX"
#define LONGEST_STEM (255 - sizeof ENDING + 1) /* usual file systems take names of 255 bytes */

/* Removed when a signal ends the command. */
static char *volatile unfinished;

static void remove_unfinished(int number)
{
	if (unfinished != NULL)
		unlink(unfinished);
	signal(number, SIG_DFL);
	raise(number);
}

/* Puts the signals that end the command into `watched`. */
static void watch_signals(sigset_t *watched)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU, SIGALRM, SIGUSR1, SIGUSR2 };
	size_t i;
	sigemptyset(watched);
	for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct sigaction action;
		/* nohup asked for SIGHUP to be ignored. */
		if (sigaction(numbers[i], NULL, &action) != 0 || action.sa_handler == SIG_IGN)
			continue;
		sigaddset(watched, numbers[i]);
		memset(&action, 0, sizeof action);
		action.sa_handler = remove_unfinished;
		sigaction(numbers[i], &action, NULL);
	}
}

/* mkstemp(). A signal waits until the handler knows the file: it would stay behind otherwise. */
static int create_unfinished(char *temporary)
{
	sigset_t watched, before;
	int fd, reason;
	watch_signals(&watched);
	sigprocmask(SIG_BLOCK, &watched, &before);
	fd = mkstemp(temporary);
	reason = errno;
	if (fd >= 0)
		unfinished = temporary;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = reason;
	return fd;
}

static bool is_standard(const char *path)
{
	return path == NULL || strcmp(path, "-") == 0;
}

int cli_check_overwrite(const char *command, const char *out, const char *in)
{
	struct stat x, y;
	if (is_standard(out) || stat(out, &x) != 0 || (is_standard(in) ? fstat(STDIN_FILENO, &y) : stat(in, &y)) != 0 ||
		!S_ISREG(x.st_mode) || x.st_dev != y.st_dev || x.st_ino != y.st_ino)
		return CLI_OK;
	return cli_usage(command, "-o would overwrite the input \"%s\"; choose another name", cli_quote(in, strlen(in), 80).text);
}

/* Only nothing or a regular file gives way to a new one. */
static int check_place(const char *path)
{
	struct stat st;
	if (*path == '\0')
		return cli_fail("-o", "expected the name of a file to write, found an empty one");
	if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
		return CLI_OK;
	return cli_fail(path, S_ISDIR(st.st_mode) ? "is a directory; expected the name of a file to write" :
		"is not a regular file; expected the name of a file to write");
}

char *cli_output_resolve(const char *path)
{
	struct stat st;
	char *copy;
	if (check_place(path) != CLI_OK)
		return NULL;
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

/* Bytes of a path that leave room for an ending behind its last part: whole characters. */
static size_t kept_of_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t length = strlen(path), most = (slash != NULL ? (size_t)(slash + 1 - path) : 0) + LONGEST_STEM;
	if (length <= most)
		return length;
	while (most > 0 && ((unsigned char)path[most] & 0xc0) == 0x80)
		most--;
	return most;
}

char *cli_output_create(const char *name, const char *target, int *fd)
{
	size_t kept = kept_of_path(target);
	char *temporary = malloc(kept + sizeof ENDING);
	struct stat replaced;
	mode_t mask;
	if (temporary == NULL) {
		cli_fail_memory(name);
		return NULL;
	}
	memcpy(temporary, target, kept);
	memcpy(temporary + kept, ENDING, sizeof ENDING);
	*fd = create_unfinished(temporary);
	if (*fd < 0) {
		cli_fail(name, "cannot be created: %s", strerror(errno));
		free(temporary);
		return NULL;
	}
	/* mkstemp() makes files that only their owner reads; a result is a file like any other, or like the one that it replaces: who has
	 * made that one private does not want the next for all to read. */
	mask = umask(0);
	umask(mask);
	if (fchmod(*fd, stat(target, &replaced) == 0 && S_ISREG(replaced.st_mode) ? replaced.st_mode & 0777 : 0666 & ~mask) == 0)
		return temporary;
	cli_fail(name, "cannot be created: %s", strerror(errno));
	close(*fd);
	cli_output_remove(temporary);
	return NULL;
}

/* The new name survives a loss of power, as in the library's sl_sync_folder(): a folder that one may write to and not read cannot be
 * opened, and some file systems sync no folders. */
static int sync_folder_of(const char *name, const char *target)
{
	const char *slash = strrchr(target, '/');
	char *folder = slash == NULL ? strdup(".") : strndup(target, slash == target ? 1 : (size_t)(slash - target));
	bool synced;
	int fd, code = CLI_OK;
	if (folder == NULL)
		return cli_fail_memory(name);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	synced = fd >= 0 ? fsync(fd) == 0 || errno == EINVAL : errno == EACCES;
	if (!synced)
		code = cli_fail(name, "was written, but its folder could not be synced: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	free(folder);
	return code;
}

int cli_output_place(const char *name, char *temporary, const char *target, int fd)
{
	bool synced = fsync(fd) == 0;
	int reason = errno;
	if (close(fd) != 0 && synced) {
		synced = false;
		reason = errno;
	}
	if (!synced)
		return cli_fail(name, "could not be written: %s", strerror(reason));
	if (rename(temporary, target) != 0)
		return cli_fail(name, "could not be put in its place: %s", strerror(errno));
	unfinished = NULL;
	return sync_folder_of(name, target);
}

void cli_output_remove(char *temporary)
{
	unlink(temporary);
	unfinished = NULL;
	free(temporary);
}

static int open_beside(cli_output *out)
{
	out->target = cli_output_resolve(out->name);
	if (out->target == NULL)
		return CLI_FAILED;
	out->temporary = cli_output_create(out->name, out->target, &out->fd);
	if (out->temporary == NULL) {
		out->fd = -1;
		return CLI_FAILED;
	}
	out->owned = true;
	return CLI_OK;
}

int cli_output_open(const char *path, cli_output *out)
{
	struct stat st;
	int code = CLI_OK;
	bool standard = is_standard(path);
	memset(out, 0, sizeof *out);
	out->name = standard ? "standard output" : path;
	out->fd = standard ? STDOUT_FILENO : -1;
	if (!standard)
		code = stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) ? open_in_place(out) : open_beside(out);
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

int cli_output_write_field(cli_output *out, const char *text)
{
	int code;
	if (text[0] != '\0' && strpbrk(text, ",\"\r\n") == NULL)
		return cli_output_write(out, text, strlen(text));
	code = cli_output_write(out, "\"", 1);
	while (code == CLI_OK && *text != '\0') {
		size_t n = strcspn(text, "\"");
		code = cli_output_write(out, text, n);
		text += n;
		if (code == CLI_OK && *text == '"') {
			code = cli_output_write(out, "\"\"", 2);
			text++;
		}
	}
	return code == CLI_OK ? cli_output_write(out, "\"", 1) : code;
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
	out->owned = false;
	if (cli_output_place(out->name, out->temporary, out->target, out->fd) != CLI_OK)
		return CLI_FAILED;
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
	if (out->temporary != NULL)
		cli_output_remove(out->temporary);
	free(out->target);
	free(out->buffer);
	memset(out, 0, sizeof *out);
	out->fd = -1;
}
