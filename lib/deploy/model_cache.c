/*
 * The model cache: paths and bytes come in, claims on shared models go out.
 *
 * Two locks: `table` guards the list and is held for moments only; `opening` is held while a file is read and decoded, so that
 * two threads never decode the same file, and those who find their model never wait for a decoder. A claim on a model that is
 * claimed already needs no lock. The claim that may be the last one is given up under `table`, so that nobody finds a model
 * on its way out.
 *
 * The cache lives until the host freed it and the last claim is gone.
 */
#define _POSIX_C_SOURCE 200809L
#include "../base/file.h"

#include <scoreline/endpoint.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <xxhash.h>

#define DEFAULT_MAX_IDLE 16u
/* Names under which one content is remembered; further ones replace the oldest. */
#define MOST_IDENTITIES 8u
/* The coarsest clock of a file system in use (FAT), and of those that tell parts of a second: a tick of the kernel. */
#define CLOCK_STEP_S 2
#define FINE_STEP_NS 20000000

struct score_model_ref {
	atomic_size_t claims;
	score_model_cache *cache;
	score_model *model;
	XXH128_hash_t hash; /* of the file's bytes */
	uint64_t file_bytes, memory_bytes;
	score_model_ref *next;
	uint64_t idle_since; /* by the cache's own clock; 0: claimed */
	uint32_t n_identities;
	sl_file_identity identities[MOST_IDENTITIES];
};

struct score_model_cache {
	score_allocator allocator;
	score_open_options open;
	uint32_t max_idle;
	pthread_mutex_t table, opening;
	/* Below: under `table`. */
	score_model_ref *first;
	uint64_t clock;
	bool is_freed;
	score_model_cache_counts counts;
};

score_status score_model_cache_new(const score_model_cache_options *options, score_model_cache **out, score_error *error)
{
	score_model_cache_options o;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_cache_new: out is NULL");
	*out = NULL;
	score_status status = sl_take_struct(&o, sizeof o, options, "score_model_cache_options", error);
	if (status != SCORE_OK)
		return status;
	if (o.max_idle < -1)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_cache_options.max_idle is %d, expected a number of models, "
			"0 for the default or -1 for none", o.max_idle);
	score_allocator a = sl_allocator(o.allocator);
	score_model_cache *cache = sl_alloc(&a, sizeof *cache, sizeof(max_align_t));
	if (!cache)
		return sl_fail_memory(error, sizeof *cache);
	*cache = (score_model_cache){.allocator = a};
	cache->open = (score_open_options){sizeof cache->open, &cache->allocator, o.max_bytes, o.open_flags, o.isa};
	cache->max_idle = o.max_idle < 0 ? 0 : o.max_idle == 0 ? DEFAULT_MAX_IDLE : (uint32_t)o.max_idle;
	const bool has_table = pthread_mutex_init(&cache->table, NULL) == 0;
	if (!has_table || pthread_mutex_init(&cache->opening, NULL) != 0) {
		if (has_table)
			pthread_mutex_destroy(&cache->table);
		sl_free(&a, cache, sizeof *cache, sizeof(max_align_t));
		return sl_fail(error, SCORE_ERR_MEMORY, "the system has no room for a mutex");
	}
	*out = cache;
	return SCORE_OK;
}

/* ---- models leave (under `table`) -------------------------------------------------------------------------------- */

static void take_out(score_model_cache *cache, score_model_ref *ref)
{
	score_model_ref **at = &cache->first;
	while (*at != ref)
		at = &(*at)->next;
	*at = ref->next;
}

static score_model_ref *longest_idle(score_model_cache *cache, uint32_t *n_idle)
{
	score_model_ref *found = NULL;
	*n_idle = 0;
	for (score_model_ref *ref = cache->first; ref; ref = ref->next) {
		if (ref->idle_since == 0)
			continue;
		(*n_idle)++;
		if (!found || ref->idle_since < found->idle_since)
			found = ref;
	}
	return found;
}

/* Takes idle models beyond `keep` out of the table; the caller frees the chain after it gave the lock back. */
static score_model_ref *take_surplus(score_model_cache *cache, uint32_t keep)
{
	score_model_ref *surplus = NULL, *ref;
	uint32_t n_idle;
	while ((ref = longest_idle(cache, &n_idle)) && n_idle > keep) {
		take_out(cache, ref);
		ref->next = surplus;
		surplus = ref;
		cache->counts.evicted += !cache->is_freed;
	}
	return surplus;
}

static void free_chain(score_model_cache *cache, score_model_ref *ref)
{
	for (score_model_ref *next; ref; ref = next) {
		next = ref->next;
		score_model_free(ref->model);
		sl_free(&cache->allocator, ref, sizeof *ref, sizeof(max_align_t));
	}
}

/* Gives back `table`, then frees what left the table, and the cache itself when nothing needs it any more. */
static void leave(score_model_cache *cache, score_model_ref *surplus)
{
	bool is_last = cache->is_freed && !cache->first;
	pthread_mutex_unlock(&cache->table);
	free_chain(cache, surplus);
	if (!is_last)
		return;
	score_allocator a = cache->allocator;
	pthread_mutex_destroy(&cache->table);
	pthread_mutex_destroy(&cache->opening);
	sl_free(&a, cache, sizeof *cache, sizeof(max_align_t));
}

void score_model_cache_free(score_model_cache *cache)
{
	if (!cache)
		return;
	pthread_mutex_lock(&cache->table);
	cache->is_freed = true;
	leave(cache, take_surplus(cache, 0));
}

score_model_ref *score_model_ref_acquire(score_model_ref *ref)
{
	if (ref)
		atomic_fetch_add_explicit(&ref->claims, 1, memory_order_relaxed);
	return ref;
}

void score_model_ref_release(score_model_ref *ref)
{
	if (!ref)
		return;
	size_t claims = atomic_load_explicit(&ref->claims, memory_order_relaxed);
	while (claims > 1) {
		if (atomic_compare_exchange_weak_explicit(&ref->claims, &claims, claims - 1, memory_order_release,
				memory_order_relaxed))
			return;
	}
	score_model_cache *cache = ref->cache;
	pthread_mutex_lock(&cache->table);
	if (atomic_fetch_sub_explicit(&ref->claims, 1, memory_order_acq_rel) != 1) {
		pthread_mutex_unlock(&cache->table); /* someone has claimed it meanwhile */
		return;
	}
	ref->idle_since = ++cache->clock;
	leave(cache, take_surplus(cache, cache->is_freed ? 0 : cache->max_idle));
}

const score_model *score_model_ref_model(const score_model_ref *ref)
{
	return ref ? ref->model : NULL;
}

/* ---- models are found (under `table`) ---------------------------------------------------------------------------- */

static score_model_ref *claim(score_model_ref *ref)
{
	ref->idle_since = 0;
	return score_model_ref_acquire(ref);
}

static score_model_ref *claim_identity(score_model_cache *cache, const sl_file_identity *identity)
{
	score_model_ref *found = NULL;
	pthread_mutex_lock(&cache->table);
	for (score_model_ref *ref = cache->first; ref && !found; ref = ref->next) {
		for (uint32_t i = 0; i < ref->n_identities && i < MOST_IDENTITIES; i++) {
			if (memcmp(ref->identities + i, identity, sizeof *identity) == 0)
				found = ref;
		}
	}
	if (found) {
		cache->counts.found++;
		claim(found);
	}
	pthread_mutex_unlock(&cache->table);
	return found;
}

static score_model_ref *find_content(score_model_cache *cache, XXH128_hash_t hash, size_t size)
{
	for (score_model_ref *ref = cache->first; ref; ref = ref->next) {
		if (ref->file_bytes == size && XXH128_isEqual(ref->hash, hash))
			return ref;
	}
	return NULL;
}

/* May the content change again without another time of change? The time of the content may be set back; the other one, which nobody sets,
 * is that of any content put in place by rename(), so it is waited for no longer than its clock needs. */
static bool is_fresh(const sl_file_identity *identity, const struct timespec *looked_at)
{
	if (identity->changed_s > (int64_t)looked_at->tv_sec - CLOCK_STEP_S - 1)
		return true;
	const int64_t age_s = (int64_t)looked_at->tv_sec - identity->touched_s;
	if (age_s < 0 || age_s > CLOCK_STEP_S)
		return age_s < 0;
	return identity->touched_ns == 0 || age_s * 1000000000 + looked_at->tv_nsec - identity->touched_ns <= FINE_STEP_NS;
}

static void remember(score_model_ref *ref, const sl_file_identity *identity)
{
	ref->identities[ref->n_identities % MOST_IDENTITIES] = *identity;
	if (++ref->n_identities == 2 * MOST_IDENTITIES)
		ref->n_identities = MOST_IDENTITIES;
}

/* ---- models are opened (under `opening`) ------------------------------------------------------------------------- */

static score_status decode(score_model_cache *cache, const void *data, size_t size, XXH128_hash_t hash,
	score_model_ref **out, score_error *error)
{
	score_model_info info = {.struct_size = sizeof info};
	score_open_options o = cache->open;
	score_model_ref *ref = sl_alloc(&cache->allocator, sizeof *ref, sizeof(max_align_t));
	if (!ref)
		return sl_fail_memory(error, sizeof *ref);
	*ref = (score_model_ref){.cache = cache, .hash = hash, .file_bytes = size};
	atomic_init(&ref->claims, 0);
	o.flags &= ~SCORE_OPEN_MMAP;
	score_status status = score_model_open_memory(data, size, &o, &ref->model, error);
	if (status == SCORE_OK)
		status = score_model_get_info(ref->model, &info);
	if (status != SCORE_OK) {
		free_chain(cache, ref);
		return status;
	}
	ref->memory_bytes = info.memory_bytes;
	*out = ref;
	return SCORE_OK;
}

/* The model with this content, claimed: found or decoded. `identity` may be NULL. */
static score_status open_content(score_model_cache *cache, const void *data, size_t size,
	const sl_file_identity *identity, score_model_ref **out, score_error *error)
{
	XXH128_hash_t hash = XXH3_128bits(data, size);
	pthread_mutex_lock(&cache->table);
	score_model_ref *ref = find_content(cache, hash, size);
	if (ref) {
		cache->counts.found_bytes++;
		claim(ref);
		if (identity)
			remember(ref, identity);
	}
	pthread_mutex_unlock(&cache->table);
	if (ref) {
		*out = ref;
		return SCORE_OK;
	}
	score_status status = decode(cache, data, size, hash, &ref, error);
	if (status != SCORE_OK)
		return status;
	if (identity)
		remember(ref, identity);
	pthread_mutex_lock(&cache->table);
	ref->next = cache->first;
	cache->first = ref;
	cache->counts.opened++;
	*out = claim(ref);
	pthread_mutex_unlock(&cache->table);
	return SCORE_OK;
}

static score_status read_and_open(score_model_cache *cache, const char *path, score_model_ref **out, score_error *error)
{
	struct timespec looked_at;
	sl_file_identity identity = {0};
	const bool is_mapped = (cache->open.flags & SCORE_OPEN_MMAP) != 0;
	const void *data = NULL;
	void *copy = NULL;
	clock_gettime(CLOCK_REALTIME, &looked_at);
	score_status status = is_mapped ? sl_map_identified_file(path, cache->open.max_bytes, &data, &identity, error) :
		sl_read_identified_file(path, cache->open.max_bytes, &cache->allocator, &copy, &identity, error);
	if (status != SCORE_OK)
		return status;
	size_t size = (size_t)identity.size;
	status = open_content(cache, is_mapped ? data : copy, size, is_fresh(&identity, &looked_at) ? NULL : &identity, out,
		error);
	if (is_mapped)
		sl_unmap_file(data, size);
	else
		sl_free(&cache->allocator, copy, size, SL_CACHE_LINE);
	return status;
}

score_status score_model_cache_open(score_model_cache *cache, const char *path, score_model_ref **out, score_error *error)
{
	sl_file_identity identity;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_cache_open: out is NULL");
	*out = NULL;
	if (!cache || !path)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_cache_open: cache and path must not be NULL");
	score_status status = sl_identify_file(path, &identity, error);
	if (status != SCORE_OK || (*out = claim_identity(cache, &identity)))
		return status;
	pthread_mutex_lock(&cache->opening);
	/* Whoever held the lock may have opened this very file. */
	status = sl_identify_file(path, &identity, error);
	if (status == SCORE_OK && !(*out = claim_identity(cache, &identity)))
		status = read_and_open(cache, path, out, error);
	pthread_mutex_unlock(&cache->opening);
	return status;
}

score_status score_model_cache_open_memory(score_model_cache *cache, const void *data, size_t size,
	score_model_ref **out, score_error *error)
{
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_cache_open_memory: out is NULL");
	*out = NULL;
	if (!cache || !data)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_cache_open_memory: cache and data must not be NULL");
	pthread_mutex_lock(&cache->opening);
	score_status status = open_content(cache, data, size, NULL, out, error);
	pthread_mutex_unlock(&cache->opening);
	return status;
}

score_status score_model_cache_get_counts(score_model_cache *cache, score_model_cache_counts *counts)
{
	if (!cache || !sl_has_size(counts))
		return SCORE_ERR_ARGUMENT;
	pthread_mutex_lock(&cache->table);
	score_model_cache_counts found = cache->counts;
	for (score_model_ref *ref = cache->first; ref; ref = ref->next) {
		found.n_idle += ref->idle_since != 0;
		found.n_claimed += ref->idle_since == 0;
		found.memory_bytes += ref->memory_bytes;
	}
	pthread_mutex_unlock(&cache->table);
	sl_give_struct(counts, &found, sizeof found);
	return SCORE_OK;
}
