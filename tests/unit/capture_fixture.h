/*
 * What the tests of the capture log share: models, a directory of their own, calls, reading back.
 */
#ifndef TEST_CAPTURE_FIXTURE_H
#define TEST_CAPTURE_FIXTURE_H

#include <scoreline/capture.h>
#include <scoreline/log.h>

#include <stdbool.h>

/* A linear model with a sigmoid, features "amount", "f1", …, metadata name "fraud_model". Never fails:
 * asserts. */
score_model *fixture_model(uint32_t n_features);
/* Three features; the second and third take strings. */
score_model *fixture_string_model(void);

/* Where thousands of small files cost little: TMPDIR, or memory if there is a file system in it. */
const char *fixture_base(void);

/* An empty directory there; and away with it and the files in it. */
typedef struct fixture_directory {
	char path[256];
} fixture_directory;
void fixture_directory_make(fixture_directory *d);
void fixture_directory_remove(const fixture_directory *d);
/* Path of the only segment whose name ends so. */
void fixture_segment(const fixture_directory *d, const char *ending, char *path, size_t size);
size_t fixture_count(const fixture_directory *d, const char *ending);

/* With this directory, and a ring of 64 KiB. */
score_capture_options fixture_options(const fixture_directory *d);
score_capture *fixture_capture(const fixture_directory *d);
score_capture_info fixture_info(const score_capture *capture);

/* A call for rows and outputs that the caller has. */
score_call fixture_call(const score_model *model, const score_input *input, const double *out, size_t out_width);
/* Record one row of values that follow from `i`, request id "r<i>". */
int fixture_record(score_capture *capture, const score_model *model, uint64_t i);

/* Read the whole directory; checks that the requests are those of fixture_record(), each once, with its
 * values. Returns how many. `seen`, if not NULL, has room for `n` flags. */
uint64_t fixture_read(const fixture_directory *d, bool *seen, uint64_t n);

#endif
