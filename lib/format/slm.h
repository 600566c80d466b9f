/*
 * format: the compact model file, `.slm`. docs/format.md describes every byte.
 *
 * Comes in: a checked forest, or bytes that nobody has checked. Goes out: the bytes of a file, or a checked forest.
 * The same forest gives the same bytes, on any host.
 */
#ifndef SL_SLM_H
#define SL_SLM_H

#include "../forest/forest.h"

/* The model as a file in memory of `allocator` (alignment 64). `options` may be NULL; its struct_size has been checked
 * by the caller. Golden rows and metadata in the options take the place of the forest's own. */
score_status slm_write(const forest *f, const score_save_options *options, const score_allocator *allocator,
	void **out, size_t *out_size, score_error *error);

/* Bytes of other kinds for the same way back. */
score_status slm_copy_bytes(const score_allocator *allocator, const void *bytes, size_t size, void **out, score_error *error);

/* Give back what slm_write() or slm_copy_bytes() made. */
void slm_free_bytes(const score_allocator *allocator, void *bytes, size_t size);

/* Decode and check a whole file: linear time, memory bounded by a small multiple of `size` and by the arena's limit.
 * Nothing of `data` is kept. `hash` receives the 16 bytes that name the file. */
score_status slm_read(const void *data, size_t size, sl_arena *arena, forest **out, uint8_t hash[16],
	score_error *error);

#endif
