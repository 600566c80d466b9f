/* Memory whose end is the end: what is placed there lies right before a page that nobody may touch. */
#ifndef TESTS_GUARDED_ROOM_H
#define TESTS_GUARDED_ROOM_H

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARDED_BYTES ((size_t)1 << 16)

static unsigned char *guarded_room;

/* 0, or -1 if the system has none. */
static inline int guarded_make(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	guarded_room = mmap(NULL, GUARDED_BYTES + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return guarded_room == MAP_FAILED ? -1 : mprotect(guarded_room + GUARDED_BYTES, page, PROT_NONE);
}

/* A copy of at most GUARDED_BYTES bytes that ends where the room ends; it is overwritten by the next. */
static inline unsigned char *guarded_copy(const void *bytes, size_t n)
{
	return memcpy(guarded_room + GUARDED_BYTES - n, bytes, n);
}

#endif
