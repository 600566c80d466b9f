/*
 * A progress line on stderr, only if that is a terminal.
 *
 * Comes in: rows and bytes so far. Goes out: one line, rewritten in place a few times per second, gone at the end.
 */
#include "cli.h"

#include <time.h>
#include <unistd.h>

#define PROGRESS_SECONDS 0.2

/* There is one terminal, so there is one line. */
static bool line_is_there;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void cli_progress_start(cli_progress *progress, bool quiet)
{
	progress->shown = !quiet && isatty(STDERR_FILENO) == 1;
	progress->start = progress->last = now();
}

void cli_progress_update(cli_progress *progress, uint64_t n_rows, uint64_t n_bytes)
{
	double t;
	if (!progress->shown)
		return;
	t = now();
	if (t - progress->last < PROGRESS_SECONDS)
		return;
	progress->last = t;
	line_is_there = true;
	fprintf(stderr, "\r%llu rows, %.0f rows/s, %.1f MB \033[K", (unsigned long long)n_rows,
		(double)n_rows / (t - progress->start), (double)n_bytes / 1e6);
	fflush(stderr);
}

void cli_progress_hide(void)
{
	if (line_is_there)
		fputs("\r\033[K", stderr);
	line_is_there = false;
}
