/*
 * A side of a contest: one model in one library, ready to score rows [first, first + n) of a fixed table. Every library
 * has its adapter (peer_*.c); contest.c times all of them alike. Python opens the sides, decides whose turn it is, and
 * keeps the times; nothing here knows what they are compared for.
 */
#ifndef CONTEST_H
#define CONTEST_H

#include <stddef.h>
#include <stdint.h>

/* The rows in every form that some library takes, made before the clock starts. */
typedef struct contest_rows {
	int64_t n_rows, n_columns;
	const float *f32;        /* [n_rows, n_columns]                                               */
	const double *f64;       /* the same, widened                                                 */
	const float *columns;    /* [n_columns, n_rows]                                               */
	const uint8_t *validity; /* [n_columns, (n_rows + 7) / 8] bitmaps as Arrow has them: not NaN  */
} contest_rows;

typedef struct contest_side contest_side;
struct contest_side {
	int (*score)(contest_side *side, int64_t first, int64_t n); /* 0, or an error that contest_error() tells */
	const contest_rows *rows;
	double *out; /* margins, [n_rows] */
	void *state; /* the adapter's own */
};

/* What went wrong last, for the caller to print. */
extern char contest_message[512];
const char *contest_error(void);
int contest_fail(const char *what, const char *why); /* returns 1 */

/* Make a side with room for its margins; NULL without memory. Sides live as long as the process. */
contest_side *contest_new(const contest_rows *rows, size_t state_size);

/* dlopen and dlsym that explain themselves; NULL on failure. */
void *contest_library(const char *path);
int contest_bind(void *slot, void *library, const char *name); /* writes a function pointer into *slot; 0 if found */

double contest_pass(contest_side *side, int64_t n, int64_t batch);
int contest_calls(contest_side *side, int64_t first, int64_t n, double *ns);
double contest_threads(contest_side **sides, int n_sides, int64_t n, int n_passes);

#endif
