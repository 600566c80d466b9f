/* An allocator for tests that counts, that refuses when its allocations are used up, and that ends a test which gives memory back as
 * something else than it was taken for. */
#ifndef TESTS_METERED_MEMORY_H
#define TESTS_METERED_MEMORY_H

#include <scoreline.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct metered_memory {
	size_t left; /* allocations that still succeed */
	size_t held; /* bytes that were not given back */
	size_t most; /* of them at a time              */
} metered_memory;

/* In front of the bytes; its own size keeps them aligned. */
typedef struct metered_block {
	size_t size, align;
} metered_block;

static inline size_t metered_head(size_t align)
{
	return align < sizeof(metered_block) ? sizeof(metered_block) : align;
}

static inline void *metered_alloc(void *context, size_t size, size_t align)
{
	metered_memory *m = context;
	const size_t head = metered_head(align);
	if (m->left == 0)
		return NULL;
	m->left--;
	char *memory = aligned_alloc(head, (head + size + head - 1) / head * head);
	if (!memory)
		return NULL;
	m->held += size;
	m->most = m->held > m->most ? m->held : m->most;
	((metered_block *)(void *)(memory + head))[-1] = (metered_block){size, align};
	return memory + head;
}

static inline void metered_free(void *context, void *memory, size_t size, size_t align)
{
	if (!memory)
		return;
	const metered_block block = ((metered_block *)memory)[-1];
	if (block.size != size || block.align != align) {
		fprintf(stderr, "%zu bytes aligned to %zu are given back as %zu aligned to %zu\n", block.size, block.align, size, align);
		abort();
	}
	((metered_memory *)context)->held -= size;
	free((char *)memory - metered_head(align));
}

/* Takes from `m`, which outlives it. */
static inline score_allocator metered_allocator(metered_memory *m)
{
	return (score_allocator){metered_alloc, metered_free, m};
}

#endif
