/* Files of models as bytes that tests change: the hash can be made right again, and what is read is read with care. */
#ifndef TESTS_SLM_BYTES_H
#define TESTS_SLM_BYTES_H

#include <scoreline.h>

#include <stddef.h>
#include <stdint.h>

typedef struct file {
	uint8_t *data;
	size_t size;
} file;

file slm_copy(const void *data, size_t size);
void slm_free(file *f);
void slm_rehash(file *f);
size_t slm_header_size(const file *f);
/* The file with another header: sizes, padding and hash are right. */
file slm_with_header(const file *f, const uint8_t *header, size_t n);
/* The file with the first `n` bytes of its header that are `what` replaced; asserts that they are there. */
file slm_replace(const file *f, const char *what, size_t n, const char *with, size_t with_n);
/* Read from a block of exactly this size. Asserts what holds of every file: an error or a forest that can be evaluated, memory of a
 * small multiple of the size, and none left. */
score_status slm_try_read(const uint8_t *data, size_t size, score_error *error);

#endif
