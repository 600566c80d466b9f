/*
 * What the mutators of libFuzzer share. A mutator keeps a format's frame, which blind changes break at once: it changes what stands
 * within, and splices two inputs part by part.
 */
#ifndef TEST_MUTATE_H
#define TEST_MUTATE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's own changes, in place; returns the new size. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out, size_t max_size,
	unsigned seed);

static inline uint32_t mutate_below(unsigned *seed, uint32_t n)
{
	*seed = *seed * 1664525u + 1013904223u;
	return n ? (*seed >> 8) % n : 0;
}

/* Replace the part [at, at + size) of `*file_size` bytes by a changed one, of at most `size` + 64 bytes; what follows moves.
 * Returns the part's new size. */
static inline size_t mutate_part(uint8_t *file, size_t *file_size, size_t max_size, size_t at, size_t size)
{
	size_t room = max_size - *file_size < 64 ? max_size - *file_size : 64;
	uint8_t *part = malloc(size + room + 1);
	if (!part)
		return size;
	memcpy(part, file + at, size);
	const size_t changed = LLVMFuzzerMutate(part, size, size + room);
	memmove(file + at + changed, file + at + size, *file_size - at - size);
	memcpy(file + at, part, changed);
	*file_size = *file_size - size + changed;
	free(part);
	return changed;
}

#endif
