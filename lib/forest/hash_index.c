/*
 * Indexes by the first bits of hashes, of labels and of the tables of derived columns: a bucket holds one or two hashes in the mean, and a
 * hostile choice of hashes makes a look-up no longer than a binary search.
 */
#include "forest.h"

bool forest_index_by_hash(const void *array, size_t element, uint32_t first, uint32_t end, sl_arena *arena, forest_hash_index *out)
{
	uint32_t bits = 1;
	while ((end - first) >> (bits + 1))
		bits++;
	size_t n_buckets = (size_t)1 << bits;
	uint32_t *buckets = sl_arena_alloc(arena, n_buckets + 1, sizeof *buckets);
	if (!buckets)
		return false;
	*out = (forest_hash_index){buckets, 64 - bits};
	for (uint32_t i = first; i < end; i++) {
		uint64_t hash = sl_load_u64((const char *)array + i * element);
		buckets[(hash >> out->shift) + 1]++;
	}
	buckets[0] = first;
	for (size_t b = 0; b < n_buckets; b++)
		buckets[b + 1] += buckets[b];
	return true;
}

bool forest_index_hashes(forest_derived *d, sl_arena *arena)
{
	forest_hash_index *indexes = sl_arena_alloc(arena, d->n_hash_tables, sizeof *indexes);
	bool done = indexes;
	for (uint32_t t = 0; t < d->n_hash_tables && done; t++)
		done = forest_index_by_hash(d->hashes, sizeof *d->hashes, d->hash_first[t], d->hash_first[t + 1], arena, indexes + t);
	d->indexes = indexes;
	return done;
}
