/* Memory: the caller's allocator, an arena for what lives together, a growing array. */
#include "base.h"

#include <stdlib.h>

static void *default_alloc(void *context, size_t size, size_t align)
{
	(void)context;
	if (align <= sizeof(max_align_t))
		return malloc(size);
	if (size > SIZE_MAX - align)
		return NULL;
	return aligned_alloc(align, sl_round_up(size, align));
}

static void default_free(void *context, void *pointer, size_t size, size_t align)
{
	(void)context;
	(void)size;
	(void)align;
	free(pointer);
}

score_allocator sl_allocator(const score_allocator *given)
{
	if (given && given->alloc && given->free)
		return *given;
	return (score_allocator){default_alloc, default_free, NULL};
}

void *sl_alloc(const score_allocator *a, size_t size, size_t align)
{
	/* No object is larger, and not every host's allocator looks. */
	return size && size <= PTRDIFF_MAX ? a->alloc(a->context, size, align) : NULL;
}

void sl_free(const score_allocator *a, void *pointer, size_t size, size_t align)
{
	if (pointer)
		a->free(a->context, pointer, size, align);
}

/* A block's head fills one cache line, so that its data is aligned as the block is. */
struct sl_arena_block {
	sl_arena_block *next;
	size_t size; /* whole block */
	size_t used; /* from the start of the block */
	char pad[SL_CACHE_LINE - sizeof(void *) - 2 * sizeof(size_t)];
};

/* Of a block for small pieces: few blocks, of which little stays empty. */
static size_t block_bytes(const sl_arena *arena)
{
#if defined(SL_COVERAGE)
	(void)arena;
	return 32; /* nearly each piece is an allocation of its own, so that tests of memory that runs out reach every one */
#else
	const size_t least = (size_t)4 << 10, most = (size_t)64 << 10, part = arena->used / 128;
	return part < least ? least : part > most ? most : part;
#endif
}

void sl_arena_init(sl_arena *arena, const score_allocator *allocator, size_t limit)
{
	arena->allocator = sl_allocator(allocator);
	arena->blocks = NULL;
	arena->used = 0;
	arena->limit = limit ? limit : SIZE_MAX;
	arena->over_limit = false;
}

/* `data` is at most half of what size_t holds. */
static sl_arena_block *new_block(sl_arena *arena, size_t data)
{
	const size_t size = data + sizeof(sl_arena_block);
	if (size > arena->limit || arena->used > arena->limit - size) {
		arena->over_limit = true;
		return NULL;
	}
	sl_arena_block *block = sl_alloc(&arena->allocator, size, SL_CACHE_LINE);
	if (!block) {
		arena->over_limit = false;
		return NULL;
	}
	memset(block, 0, size);
	block->size = size;
	block->used = sizeof *block;
	arena->used += size;
	return block;
}

void *sl_arena_alloc(sl_arena *arena, size_t n, size_t size)
{
	size_t bytes;
	if (!sl_mul(n, size, &bytes) || bytes > SIZE_MAX / 2) {
		arena->over_limit = true;
		return NULL;
	}
	size_t align = bytes >= SL_CACHE_LINE ? SL_CACHE_LINE : 8;
	bytes = sl_round_up(bytes ? bytes : 1, 8);
	sl_arena_block *top = arena->blocks;
	size_t at = top ? sl_round_up(top->used, align) : 0;
	if (!top || at > top->size || top->size - at < bytes) {
		size_t block = block_bytes(arena);
		bool large = bytes > block / 4;
		top = new_block(arena, large ? bytes : block);
		if (!top)
			return NULL;
		at = top->used;
		/* A large block is full from the start: keep filling the one before it. */
		if (large && arena->blocks) {
			top->next = arena->blocks->next;
			arena->blocks->next = top;
		} else {
			top->next = arena->blocks;
			arena->blocks = top;
		}
	}
	top->used = at + bytes;
	return (char *)top + at;
}

void *sl_arena_copy(sl_arena *arena, const void *from, size_t n, size_t size)
{
	void *to = sl_arena_alloc(arena, n, size);
	if (to && n)
		memcpy(to, from, n * size);
	return to;
}

char *sl_arena_string(sl_arena *arena, const char *text, size_t length)
{
	if (length == SIZE_MAX)
		return NULL;
	char *to = sl_arena_alloc(arena, length + 1, 1);
	if (to && length)
		memcpy(to, text, length);
	return to;
}

void sl_arena_free(sl_arena *arena)
{
	for (sl_arena_block *block = arena->blocks, *next; block; block = next) {
		next = block->next;
		sl_free(&arena->allocator, block, block->size, SL_CACHE_LINE);
	}
	arena->blocks = NULL;
	arena->used = 0;
}

void sl_vector_init(sl_vector *v, const score_allocator *allocator, size_t element)
{
	*v = (sl_vector){sl_allocator(allocator), NULL, 0, 0, element};
}

/* Elements of the next array for `wanted` ones, and its bytes. */
static bool next_size(const sl_vector *v, size_t wanted, size_t *capacity, size_t *bytes)
{
	*capacity = v->capacity ? v->capacity : 16;
	while (*capacity < wanted) {
		if (!sl_add(*capacity, *capacity / 2, capacity))
			return false;
	}
	return sl_mul(*capacity, v->element, bytes);
}

size_t sl_vector_refused(const sl_vector *v, size_t n)
{
	size_t wanted, capacity, bytes;
	return sl_add(v->length, n, &wanted) && next_size(v, wanted, &capacity, &bytes) ? bytes : SIZE_MAX;
}

static bool reserve(sl_vector *v, size_t wanted)
{
	size_t capacity, bytes;
	if (!next_size(v, wanted, &capacity, &bytes))
		return false;
	void *data = sl_alloc(&v->allocator, bytes, sizeof(max_align_t));
	if (!data)
		return false;
	if (v->data)
		memcpy(data, v->data, v->length * v->element);
	sl_free(&v->allocator, v->data, v->capacity * v->element, sizeof(max_align_t));
	v->data = data;
	v->capacity = capacity;
	return true;
}

void *sl_vector_grow(sl_vector *v, size_t n)
{
	size_t wanted;
	if (!sl_add(v->length, n, &wanted) || ((wanted > v->capacity || !v->data) && !reserve(v, wanted)))
		return NULL;
	char *first = (char *)v->data + v->length * v->element;
	v->length = wanted;
	return first;
}

bool sl_vector_push(sl_vector *v, const void *from, size_t n)
{
	void *to = sl_vector_grow(v, n);
	if (!to)
		return false;
	if (n)
		memcpy(to, from, n * v->element);
	return true;
}

bool sl_vector_push_text(sl_vector *v, const char *text, size_t length)
{
	char *to = sl_vector_grow(v, length + 1);
	if (!to)
		return false;
	if (length)
		memcpy(to, text, length);
	to[length] = '\0';
	return true;
}

void sl_vector_free(sl_vector *v)
{
	sl_free(&v->allocator, v->data, v->capacity * v->element, sizeof(max_align_t));
	v->data = NULL;
	v->length = v->capacity = 0;
}
