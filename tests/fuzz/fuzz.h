/*
 * What the fuzz targets share. A target is one file fuzz_NAME.c that defines LLVMFuzzerTestOneInput(): libFuzzer, AFL++ and
 * replay.c call it. It must return for any bytes; a wrong answer is an abort().
 */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <scoreline.h>

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes of the input as numbers; zeros when they run out. */
typedef struct fuzz_bytes {
	const uint8_t *data;
	size_t size;
} fuzz_bytes;

uint64_t fuzz_take(fuzz_bytes *in, size_t n_bytes);
/* Below `n`, which is at most 2^16. */
uint32_t fuzz_below(fuzz_bytes *in, uint32_t n);
/* Often a special value: NaN, zeros, infinities, denormals, small integers. */
double fuzz_value(fuzz_bytes *in);

/* An allocator that aborts when more than `limit` bytes are held, and counts them. */
typedef struct fuzz_memory {
	size_t held, most, limit;
} fuzz_memory;
score_allocator fuzz_allocator(fuzz_memory *memory, size_t limit);

/* abort() after a message. */
void fuzz_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* The promises about failures: no model, a code, a message. */
void fuzz_check_failure(score_status status, const void *out, const score_error *error);
/* Scores a few rows by every regime on every instruction set: same margins, same leaf numbers, golden rows too. */
void fuzz_score(const score_model *model);

#endif
