/* An allocator for tests that counts, and that refuses when its allocations are used up. */
#ifndef TESTS_METERED_MEMORY_H
#define TESTS_METERED_MEMORY_H

#include <scoreline.h>

#include <stdint.h>
#include <stdlib.h>

typedef struct metered_memory {
	size_t left; /* allocations that still succeed */
	size_t held; /* bytes that were not given back */
	size_t most; /* of them at a time              */
} metered_memory;

static inline void *metered_alloc(void *context, size_t size, size_t align)
{
	metered_memory *m = context;
	const size_t a = align < 16 ? 16 : align;
	if (m->left == 0)
		return NULL;
	m->left--;
	void *memory = aligned_alloc(a, (size + a - 1) / a * a);
	m->held += memory ? size : 0;
	m->most = m->held > m->most ? m->held : m->most;
	return memory;
}

static inline void metered_free(void *context, void *memory, size_t size, size_t align)
{
	(void)align;
	((metered_memory *)context)->held -= memory ? size : 0;
	free(memory);
}

/* Takes from `m`, which outlives it. */
static inline score_allocator metered_allocator(metered_memory *m)
{
	return (score_allocator){metered_alloc, metered_free, m};
}

#endif
