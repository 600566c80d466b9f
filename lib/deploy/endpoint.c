/*
 * The changing side of an endpoint: it is made, its configurations follow one another, old ones are freed.
 *
 * Comes in: configurations and parts of them. Goes out: the pointer that readers follow. Everything here holds the endpoint's
 * lock, which readers never touch; how the two meet is told in served.h. Models are given back after the lock.
 */
#include "served.h"

#include <xxhash.h>

/* ---- old configurations leave ------------------------------------------------------------------------------------ */

static void release_models(const score_allocator *a, deploy_model *gone)
{
	for (deploy_model *next; gone; gone = next) {
		next = gone->next;
		if (gone->release)
			gone->release(gone->release_context);
		score_model_ref_release(gone->ref);
		sl_free(a, gone, sizeof *gone, sizeof(max_align_t));
	}
}

/* The earliest epoch that a call which still runs began in. */
static uint64_t earliest_epoch(const score_endpoint *e)
{
	uint64_t earliest = UINT64_MAX;
	for (const score_endpoint_reader *r = e->readers; r; r = r->next) {
		uint64_t slot = atomic_load(&r->slot);
		if (slot != 0 && slot < earliest)
			earliest = slot;
	}
	return earliest;
}

/* Frees the retired configurations that no call can use; returns how many are left. */
static size_t reclaim(score_endpoint *e, deploy_model **gone)
{
	size_t left = 0;
	uint64_t earliest = e->retired ? earliest_epoch(e) : 0;
	for (deploy_configuration **at = &e->retired; *at;) {
		deploy_configuration *c = *at;
		if (c->retired_at < earliest) {
			*at = c->next;
			deploy_drop_configuration(e, c, gone);
		} else {
			at = &c->next;
			left++;
		}
	}
	return left;
}

static void retire(score_endpoint *e, deploy_configuration *c)
{
	if (!c)
		return;
	c->next = e->retired;
	e->retired = c;
}

/* Readers that begin a call from now on get `c`. */
static void publish(score_endpoint *e, deploy_configuration *c)
{
	deploy_configuration *old = atomic_exchange(&e->current, c);
	uint64_t epoch = atomic_fetch_add(&e->epoch, 1);
	if (old)
		old->retired_at = epoch;
	e->previous = old;
}

void deploy_unlock(score_endpoint *e, deploy_model *gone)
{
	pthread_mutex_unlock(&e->lock);
	release_models(&e->allocator, gone);
}

/* ---- an endpoint is made and freed ------------------------------------------------------------------------------- */

static score_status take_options(score_endpoint *e, const score_endpoint_options *o, score_error *error)
{
	const char *name = o->name ? o->name : "endpoint";
	size_t length = strlen(name);
	if (length == 0 || length >= DEPLOY_NAME_BYTES || sl_utf8_prefix(name, length) != length)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_options.name: '%s' is not UTF-8 of 1 to %u bytes",
			sl_quote(name, length).text, DEPLOY_NAME_BYTES - 1);
	if (o->n_observers && !o->observers)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_options.observers: NULL, but n_observers is %zu",
			o->n_observers);
	if (o->flags & ~SCORE_ENDPOINT_SAME_LABELS)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_options.flags has unknown bits: 0x%x", o->flags);
	for (size_t i = 0; i < o->n_observers; i++) {
		if (!o->observers[i].finished)
			return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_options.observers[%zu].finished: NULL", i);
	}
	e->name = sl_arena_string(&e->arena, name, length);
	e->observers = sl_arena_copy(&e->arena, o->observers, o->n_observers, sizeof *o->observers);
	if (!e->name || !e->observers)
		return sl_fail_memory(error, length + o->n_observers * sizeof *o->observers);
	e->n_observers = o->n_observers;
	e->capture = o->capture;
	e->flags = o->flags;
	e->salt = o->salt ? o->salt : XXH3_64bits(name, length);
	return SCORE_OK;
}

score_status score_endpoint_new(const score_endpoint_options *options, const score_endpoint_config *config,
	score_endpoint **out, score_error *error)
{
	score_endpoint_options o;
	deploy_configuration *first = NULL;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_new: out is NULL");
	*out = NULL;
	score_status status = sl_take_struct(&o, sizeof o, options, "score_endpoint_options", error);
	if (status != SCORE_OK)
		return status;
	score_allocator a = sl_allocator(o.allocator);
	score_endpoint *e = sl_alloc(&a, sizeof *e, _Alignof(score_endpoint));
	if (!e)
		return sl_fail_memory(error, sizeof *e);
	memset(e, 0, sizeof *e);
	if (pthread_mutex_init(&e->lock, NULL) != 0) {
		sl_free(&a, e, sizeof *e, _Alignof(score_endpoint));
		return sl_fail(error, SCORE_ERR_MEMORY, "the system has no room for a mutex");
	}
	e->allocator = a;
	atomic_init(&e->epoch, 1);
	atomic_init(&e->current, NULL);
	sl_arena_init(&e->arena, &a, 0);
	status = take_options(e, &o, error);
	if (status == SCORE_OK)
		status = deploy_build_configuration(e, NULL, config, &first, error);
	if (status != SCORE_OK) {
		pthread_mutex_destroy(&e->lock);
		sl_arena_free(&e->arena);
		sl_free(&a, e, sizeof *e, _Alignof(score_endpoint));
		return status;
	}
	first->generation = e->n_generations = 1;
	publish(e, first);
	*out = e;
	return SCORE_OK;
}

void score_endpoint_free(score_endpoint *e)
{
	if (!e)
		return;
	score_allocator a = e->allocator;
	deploy_model *gone = NULL;
	retire(e, e->previous);
	retire(e, atomic_exchange(&e->current, NULL));
	e->previous = NULL;
	while (e->retired) {
		deploy_configuration *c = e->retired;
		e->retired = c->next;
		deploy_drop_configuration(e, c, &gone);
	}
	release_models(&a, gone);
	for (score_endpoint_reader *r = e->readers, *next; r; r = next) {
		next = r->next;
		sl_free(&a, r, sizeof *r, _Alignof(score_endpoint_reader));
	}
	pthread_mutex_destroy(&e->lock);
	sl_arena_free(&e->arena);
	sl_free(&a, e, sizeof *e, _Alignof(score_endpoint));
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

score_status deploy_apply(score_endpoint *e, const score_endpoint_config *config, deploy_model **gone,
	score_error *error)
{
	deploy_configuration *next = NULL;
	score_status status = deploy_build_configuration(e, atomic_load(&e->current), config, &next, error);
	if (status != SCORE_OK)
		return status;
	next->generation = ++e->n_generations;
	retire(e, e->previous);
	publish(e, next);
	reclaim(e, gone);
	return SCORE_OK;
}

score_status score_endpoint_update(score_endpoint *e, const score_endpoint_config *config, score_error *error)
{
	deploy_model *gone = NULL;
	sl_error_clear(error);
	if (!e || !config)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_update: endpoint and config must not be NULL");
	pthread_mutex_lock(&e->lock);
	score_status status = deploy_apply(e, config, &gone, error);
	deploy_unlock(e, gone);
	return status;
}

score_status score_endpoint_rollback(score_endpoint *e, score_error *error)
{
	deploy_model *gone = NULL;
	sl_error_clear(error);
	if (!e)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_rollback: endpoint is NULL");
	score_status status = SCORE_OK;
	pthread_mutex_lock(&e->lock);
	if (e->previous)
		publish(e, e->previous);
	else
		status = sl_fail(error, SCORE_ERR_ARGUMENT, "there is no configuration before this one to go back to");
	reclaim(e, &gone);
	deploy_unlock(e, gone);
	return status;
}

size_t score_endpoint_settle(score_endpoint *e)
{
	deploy_model *gone = NULL;
	if (!e)
		return 0;
	pthread_mutex_lock(&e->lock);
	retire(e, e->previous);
	e->previous = NULL;
	size_t left = reclaim(e, &gone);
	deploy_unlock(e, gone);
	return left;
}

/* ---- readers ----------------------------------------------------------------------------------------------------- */

score_status score_endpoint_reader_new(score_endpoint *e, score_endpoint_reader **out, score_error *error)
{
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_reader_new: out is NULL");
	*out = NULL;
	if (!e)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_reader_new: endpoint is NULL");
	score_endpoint_reader *r = sl_alloc(&e->allocator, sizeof *r, _Alignof(score_endpoint_reader));
	if (!r)
		return sl_fail_memory(error, sizeof *r);
	memset(r, 0, sizeof *r);
	atomic_init(&r->slot, 0);
	r->endpoint = e;
	deploy_clock_init(&r->clock);
	pthread_mutex_lock(&e->lock);
	/* Readers that score one call each should not all begin with the same version. */
	r->turn = e->n_readers_made++ * 61 % SCORE_TRAFFIC_SLOTS;
	r->next = e->readers;
	e->readers = r;
	pthread_mutex_unlock(&e->lock);
	*out = r;
	return SCORE_OK;
}

void score_endpoint_reader_free(score_endpoint_reader *reader)
{
	if (!reader)
		return;
	score_endpoint *e = reader->endpoint;
	pthread_mutex_lock(&e->lock);
	score_endpoint_reader **at = &e->readers;
	while (*at != reader)
		at = &(*at)->next;
	*at = reader->next;
	pthread_mutex_unlock(&e->lock);
	sl_free(&e->allocator, reader, sizeof *reader, _Alignof(score_endpoint_reader));
}
