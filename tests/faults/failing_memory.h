/*
 * Memory that ends: every allocation of a scene failed in turn, once and from there on, what goes through a caller's allocator and
 * what does not. The linker sends the library's own allocator here: tests/meson.build has the list.
 */
#ifndef TESTS_FAILING_MEMORY_H
#define TESTS_FAILING_MEMORY_H

#include <scoreline.h>

struct failing_memory {
	int inside;     /* in a scene: allocations count and may fail */
	size_t n;       /* allocations so far */
	size_t fail_at; /* the first that fails */
	int once;       /* only that one */
	long held;
};
extern struct failing_memory failing_memory;

/* Where scenes may leave files; a scene begins with none. */
extern char faults_folder[64];
void faults_make_folder(void);
const char *faults_path(const char *name); /* in it, valid until the next call */
int faults_remove_folder(void);

/* `*out` is the object of the call that failed last. */
typedef score_status faults_scene(const void **out, score_error *error);

/* Play the scene once for each of its allocations: SCORE_ERR_MEMORY with a message, no object, nothing held, at most `n_files` files
 * left. A scene that can do without an allocation succeeds without it. Asserts. */
void faults_in_turn(faults_scene *play, const char *name, int n_files);

#endif
