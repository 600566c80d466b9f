/*
 * Tables of hashes and their index: every known hash is found at its place and no other one anywhere, however the hashes lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "forest/forest.h"
#include "random_model.h"

#define MOST 5000u

/* Hashes of a table, ascending. `spread`: how far they lie apart at most. */
static uint32_t fill(uint64_t *to, uint32_t n, uint64_t from, uint64_t spread, uint64_t *state)
{
	uint32_t made = 0;
	for (uint64_t at = from; made < n; made++) {
		uint64_t step = 1 + random_u64(state) % spread;
		to[made] = at;
		if (at > UINT64_MAX - step)
			return made + 1;
		at += step;
	}
	return made;
}

static uint32_t place_in(const forest_derived *d, uint32_t table, uint64_t hash)
{
	uint32_t first = d->hash_first[table], n = d->hash_first[table + 1] - first, i = 0;
	while (i < n && d->hashes[first + i] != hash)
		i++;
	return i;
}

static void every_hash_is_found(void **state)
{
	(void)state;
	static uint64_t hashes[8 * MOST];
	uint32_t first[9] = {0};
	const score_allocator allocator = sl_allocator(NULL);
	sl_arena arena;
	uint64_t random = 7;
	/* As hashes lie, none, one, side by side, at both ends, in a corner with others everywhere, none again. */
	first[1] = first[0] + fill(hashes + first[0], MOST, 1, UINT64_MAX / MOST / 2 * 3, &random);
	first[2] = first[1];
	first[3] = first[2] + fill(hashes + first[2], 1, (uint64_t)1 << 63, 1, &random);
	first[4] = first[3] + fill(hashes + first[3], 300, 0, 1, &random);
	first[5] = first[4] + fill(hashes + first[4], 1000, UINT64_MAX - 400, 2, &random);
	first[6] = first[5] + fill(hashes + first[5], 500, 77, 3, &random);
	first[6] += fill(hashes + first[6], MOST, (uint64_t)1 << 40, UINT64_MAX / 700, &random);
	first[7] = first[6] + fill(hashes + first[6], 2, 5, UINT64_MAX - 9, &random);
	first[8] = first[7];
	forest_derived d = {.n_hash_tables = 8, .n_hashes = first[8], .hash_first = first, .hashes = hashes};
	sl_arena_init(&arena, &allocator, 0);
	assert_true(forest_index_hashes(&d, &arena));
	for (uint32_t t = 0; t < 8; t++) {
		assert_int_equal(forest_find_hash(&d, t, 0), place_in(&d, t, 0));
		assert_int_equal(forest_find_hash(&d, t, UINT64_MAX), place_in(&d, t, UINT64_MAX));
		for (uint32_t i = 0; i < first[8]; i += 1 + i % 3) {
			uint64_t near[] = {hashes[i], hashes[i] + 1, hashes[i] - 1};
			for (uint32_t k = 0; k < 3; k++)
				assert_int_equal(forest_find_hash(&d, t, near[k]), place_in(&d, t, near[k]));
		}
	}
	sl_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_hash_is_found)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
