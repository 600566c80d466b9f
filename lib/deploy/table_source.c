/*
 * A table that is replaced under its readers.
 *
 * Between loading the pointer and counting itself in, a reader stands in one of two doors; refresh() swaps the pointer, then
 * waits until each door was empty once, while newcomers use the other one. Then nobody can still be about to count
 * itself into the old table, and the source's own hold on it ends. Readers never wait; what refresh() waits for is a reader's
 * few instructions.
 */
#define _POSIX_C_SOURCE 200809L
#include "table.h"

#include "../base/file.h"

#include <pthread.h>
#include <sched.h>

typedef struct door {
	atomic_size_t inside;
	char pad[SL_CACHE_LINE - sizeof(atomic_size_t)];
} door;

struct score_table_source {
	score_allocator allocator;
	_Atomic(score_table *) current;
	atomic_uint open_door;
	door doors[2];
	pthread_mutex_t refreshing;
	sl_file_identity identity;
	score_table_options options;
	size_t path_bytes;
	char path[];
};

score_status score_table_source_open(const char *path, const score_table_options *options, score_table_source **out,
	score_error *error)
{
	score_table_options o;
	sl_file_identity identity;
	score_table *table;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "out is NULL");
	*out = NULL;
	if (!path)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "path is NULL");
	TRY(sl_take_struct(&o, sizeof o, options, "score_table_options", error));
	o.struct_size = sizeof o;
	/* A file that is replaced between the two calls is seen by the first refresh. */
	TRY(sl_identify_file(path, &identity, error));
	TRY(score_table_open(path, &o, &table, error));
	const size_t path_bytes = strlen(path) + 1;
	score_table_source *s = sl_alloc(&table->allocator, sizeof *s + path_bytes, SL_CACHE_LINE);
	if (!s) {
		score_table_close(table);
		return sl_fail_memory(error, sizeof *s + path_bytes);
	}
	memset(s, 0, sizeof *s);
	if (pthread_mutex_init(&s->refreshing, NULL) != 0) {
		sl_free(&table->allocator, s, sizeof *s + path_bytes, SL_CACHE_LINE);
		score_table_close(table);
		return sl_fail(error, SCORE_ERR_MEMORY, "the system has no room for a mutex");
	}
	s->allocator = table->allocator;
	s->options = o;
	s->identity = identity;
	s->path_bytes = path_bytes;
	memcpy(s->path, path, path_bytes);
	atomic_init(&s->current, table);
	*out = s;
	return SCORE_OK;
}

score_table *score_table_acquire(score_table_source *s)
{
	door *d = s->doors + (atomic_load(&s->open_door) & 1);
	atomic_fetch_add(&d->inside, 1);
	score_table *table = score_table_retain(atomic_load(&s->current));
	atomic_fetch_sub(&d->inside, 1);
	return table;
}

/* A reader may have read the door's number long ago and enter it only now: both must be seen empty. */
static void wait_for_readers(score_table_source *s)
{
	for (int i = 0; i < 2; i++) {
		const unsigned closed = atomic_fetch_add(&s->open_door, 1) & 1;
		while (atomic_load(&s->doors[closed].inside))
			sched_yield();
	}
}

static score_status refresh(score_table_source *s, int32_t *changed, score_error *error)
{
	sl_file_identity identity;
	score_table *table;
	TRY(sl_identify_file(s->path, &identity, error));
	if (memcmp(&identity, &s->identity, sizeof identity) == 0)
		return SCORE_OK;
	TRY(score_table_open(s->path, &s->options, &table, error));
	if (!deploy_same_layout(&table->layout, &atomic_load(&s->current)->layout)) {
		score_table_close(table);
		return sl_fail(error, SCORE_ERR_SHAPE, "the new table at '%.120s' has other keys or columns than the one in use; open it as a "
			"new source", s->path);
	}
	score_table *old = atomic_exchange(&s->current, table);
	wait_for_readers(s);
	score_table_close(old);
	s->identity = identity;
	*changed = 1;
	return SCORE_OK;
}

score_status score_table_source_refresh(score_table_source *s, int32_t *changed, score_error *error)
{
	int32_t is_new = 0;
	sl_error_clear(error);
	if (changed)
		*changed = 0;
	if (!s)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "source is NULL");
	pthread_mutex_lock(&s->refreshing);
	const score_status status = refresh(s, &is_new, error);
	pthread_mutex_unlock(&s->refreshing);
	if (changed)
		*changed = is_new;
	return status;
}

void score_table_source_free(score_table_source *s)
{
	if (!s)
		return;
	const score_allocator a = s->allocator;
	score_table_close(atomic_load(&s->current));
	pthread_mutex_destroy(&s->refreshing);
	sl_free(&a, s, sizeof *s + s->path_bytes, SL_CACHE_LINE);
}
