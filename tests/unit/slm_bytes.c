#include "slm_bytes.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format/slm.h"
#include "format/slm_layout.h"
#include "metered_memory.h"
#include <xxhash.h>

file slm_copy(const void *data, size_t size)
{
	file out = { malloc(size + 1), size };
	assert_non_null(out.data);
	memcpy(out.data, data, size);
	return out;
}

void slm_free(file *f)
{
	free(f->data);
}

void slm_rehash(file *f)
{
	XXH128_canonical_t hash;
	XXH128_canonicalFromHash(&hash, XXH3_128bits(f->data, f->size - 16));
	memcpy(f->data + f->size - 16, hash.digest, 16);
}

/* What was accepted is used without further checks. */
static void evaluate(const forest *f)
{
	double *row = calloc(f->n_features, sizeof *row);
	double *margins = malloc(f->contract.n_outputs * sizeof *margins);
	assert_true(row != NULL && margins != NULL);
	for (int i = 0; i < 3; i++) {
		forest_margins(f, row, 0, f->n_trees, margins);
		for (uint32_t k = 0; k < f->n_features; k++)
			row[k] = i == 0 ? (double)NAN : (double)(k % 7);
	}
	free(row);
	free(margins);
}

/* Read from a block of exactly this size, so that the sanitizer sees a byte too much. */
score_status slm_try_read(const uint8_t *data, size_t size, score_error *error)
{
	metered_memory m = { SIZE_MAX, 0, 0 };
	const score_allocator metered = metered_allocator(&m);
	uint8_t *exact = malloc(size > 0 ? size : 1);
	sl_arena arena;
	uint8_t hash[16];
	forest *f = (forest *)&arena;
	assert_non_null(exact);
	memcpy(exact, data, size);
	memset(error, 0, sizeof *error);
	sl_arena_init(&arena, &metered, 0);
	const score_status status = slm_read(exact, size, &arena, &f, hash, error);
	assert_int_equal(status == SCORE_OK, f != NULL);
	if (status != SCORE_OK) {
		assert_int_equal(error->code, status);
		assert_true(error->message[0] != '\0');
	}
	assert_true(m.most < 256 * 1024 + 128 * size);
	if (status == SCORE_OK)
		evaluate(f);
	sl_arena_free(&arena);
	assert_int_equal(m.held, 0);
	free(exact);
	return status;
}

size_t slm_header_size(const file *f)
{
	return (size_t)slm_get_u64(f->data + 24);
}

/* The file with another header: sizes, padding and hash are right. */
file slm_with_header(const file *f, const uint8_t *header, size_t n)
{
	const size_t from = sl_round_up(32 + slm_header_size(f), 64);
	const size_t to = sl_round_up(32 + n, 64);
	file out = { calloc(1, f->size - from + to + 1), f->size - from + to };
	assert_non_null(out.data);
	memcpy(out.data, f->data, 32);
	memcpy(out.data + 32, header, n);
	memcpy(out.data + to, f->data + from, f->size - from);
	slm_put_u64(out.data + 16, out.size);
	slm_put_u64(out.data + 24, n);
	slm_rehash(&out);
	return out;
}

static size_t find(const file *f, const char *what, size_t n)
{
	for (size_t at = 32; at + n <= 32 + slm_header_size(f); at++) {
		if (memcmp(f->data + at, what, n) == 0)
			return at - 32;
	}
	fail_msg("the header lacks '%.*s'", (int)n, what);
	return 0;
}

file slm_replace(const file *f, const char *what, size_t n, const char *with, size_t with_n)
{
	const size_t at = find(f, what, n);
	const size_t size = slm_header_size(f) - n + with_n;
	uint8_t *header = malloc(size);
	assert_non_null(header);
	memcpy(header, f->data + 32, at);
	memcpy(header + at, with, with_n);
	memcpy(header + at + with_n, f->data + 32 + at + n, size - at - with_n);
	file out = slm_with_header(f, header, size);
	free(header);
	return out;
}
