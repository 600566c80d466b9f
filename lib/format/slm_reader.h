/* What the files that read a model share: the sections of a file whose header was read. */
#ifndef SL_SLM_READER_H
#define SL_SLM_READER_H

#include "slm_layout.h"

typedef struct slm_reader {
	forest *f;
	sl_arena *arena;
	slm_table table;
	const uint8_t *sections; /* the first section */
	score_error *error;
} slm_reader;

/* Memory until the file is read, of what `arena` may still take; whether that was too little is then known there. */
static inline void slm_begin_scratch(sl_arena *scratch, const sl_arena *arena)
{
	const size_t left = arena->limit - arena->used;
	sl_arena_init(scratch, &arena->allocator, left ? left : 1); /* 0 would be no limit */
}

static inline void slm_end_scratch(sl_arena *scratch, sl_arena *arena)
{
	arena->over_limit = arena->over_limit || scratch->over_limit;
	sl_arena_free(scratch);
}

/* The section with exactly `n` elements; for n = 0 there must be none, and `*out` is NULL. */
score_status slm_find(const slm_reader *r, int id, uint64_t n, bool is_float, const slm_section **out);
/* Zeroed memory of the arena; after a failure NULL, and the error is set. */
void *slm_take(const slm_reader *r, sl_arena *arena, uint64_t n, size_t size);
/* The integers of a section of `n`, and the same in the narrowest type for the section's bits. */
score_status slm_get_ints(const slm_reader *r, sl_arena *arena, int id, uint64_t n, uint32_t **out);
score_status slm_get_numbers(const slm_reader *r, sl_arena *arena, int id, uint64_t n, forest_numbers *out);

/* Trees, their tests, leaf numbers and covers (slm_read_trees.c); leaf values are there. */
score_status slm_get_trees(const slm_reader *r, sl_arena *scratch);

#endif
