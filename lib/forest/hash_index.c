/*
 * Indexes of the tables of hashes, by their first bits: a bucket holds one or two hashes in the mean, and a hostile choice of hashes makes
 * a look-up no longer than a binary search.
 */
#include "forest.h"

static bool index_table(const forest_derived *d, uint32_t table, sl_arena *arena, forest_hash_index *out)
{
	uint32_t first = d->hash_first[table], end = d->hash_first[table + 1], bits = 1;
	while ((end - first) >> (bits + 1))
		bits++;
	size_t n_buckets = (size_t)1 << bits;
	uint32_t *buckets = sl_arena_alloc(arena, n_buckets + 1, sizeof *buckets);
	if (!buckets)
		return false;
	*out = (forest_hash_index){buckets, 64 - bits};
	uint32_t at = first;
	for (size_t b = 0; b < n_buckets; b++) {
		buckets[b] = at;
		while (at < end && d->hashes[at] >> out->shift == b)
			at++;
	}
	buckets[n_buckets] = at;
	return true;
}

bool forest_index_hashes(forest_derived *d, sl_arena *arena)
{
	forest_hash_index *indexes = sl_arena_alloc(arena, d->n_hash_tables, sizeof *indexes);
	bool done = indexes;
	for (uint32_t t = 0; t < d->n_hash_tables && done; t++)
		done = index_table(d, t, arena, indexes + t);
	d->indexes = indexes;
	return done;
}
