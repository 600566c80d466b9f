/*
 * Maps from values to buckets, made once per feature: how values are binned without a long search.
 *
 * Comes in: the cuts of one feature, ascending. Goes out: a bin_map whose buckets hold few cuts each. Values are usually
 * spread so that equal steps do well once a few outlying cuts are left to the first and the last bucket; where they do
 * not, a bucket holds many cuts and the search in it is longer, never wrong.
 */
#include "parts.h"

#include <float.h>
#include <math.h>

#define LEAST_BUCKETS 16u

/* Cuts as one of the two types, so that the maps are made by one piece of code. */
typedef struct cut_list {
	const float *narrow; /* or */
	const double *wide;
	uint32_t n; /* without NaN */
} cut_list;

static double cut_at(const cut_list *c, uint32_t i)
{
	return c->narrow ? (double)c->narrow[i] : c->wide[i];
}

static uint32_t bucket_of(const bin_map *map, const cut_list *c, uint32_t i)
{
	return (uint32_t)(c->narrow ? bin_bucket_f32(map, c->narrow[i]) : bin_bucket_f64(map, c->wide[i]));
}

/* Equal steps between two cuts. A map that would overflow becomes one bucket. */
static bin_map map_between(const cut_list *c, double low, double high, uint32_t n_buckets)
{
	double scale = (double)(n_buckets - 1) / (high - low);
	if (c->narrow)
		scale = (double)(float)scale;
	if (!isfinite(low) || !isfinite(scale) || !(scale > 0.0))
		return (bin_map){.last = n_buckets - 1};
	return (bin_map){.origin = low, .scale = scale, .last = n_buckets - 1};
}

/* Steps of the search that the fullest bucket needs. */
static uint32_t steps_of(const bin_map *map, const cut_list *c)
{
	uint32_t most = 0, steps = 0;
	for (uint32_t i = 0, end; i < c->n; i = end) {
		uint32_t bucket = bucket_of(map, c, i);
		for (end = i + 1; end < c->n && bucket_of(map, c, end) == bucket;)
			end++;
		most = end - i > most ? end - i : most;
	}
	while (most >> steps)
		steps++;
	return steps;
}

static bin_map best_map(const cut_list *c, uint32_t n_buckets)
{
	/* So many cuts at either end share a bucket with all that lies beyond. */
	static const uint32_t outliers[] = {0, 1, 3, 7};
	bin_map best = {.last = n_buckets - 1};
	best.steps = steps_of(&best, c);
	for (size_t i = 0; i < sizeof outliers / sizeof outliers[0] && 2 * outliers[i] + 1 < c->n && best.steps > 1; i++) {
		bin_map map = map_between(c, cut_at(c, outliers[i]), cut_at(c, c->n - 1 - outliers[i]), n_buckets);
		map.steps = steps_of(&map, c);
		if (map.steps < best.steps)
			best = map;
	}
	return best;
}

/* Half as many buckets between the same cuts, if the search in them stays as short. */
static bool halve_map(bin_map *map, const cut_list *c)
{
	bin_map half = *map;
	half.last = (map->last + 1.0) / 2.0 - 1.0;
	half.scale = map->scale * half.last / map->last;
	if (c->narrow)
		half.scale = (double)(float)half.scale;
	half.steps = steps_of(&half, c);
	if (half.steps > map->steps)
		return false;
	*map = half;
	return true;
}

static void put_start(void *start, uint32_t code_bytes, size_t at, uint32_t value)
{
	if (code_bytes == 1)
		((uint8_t *)start)[at] = (uint8_t)value;
	else if (code_bytes == 2)
		((uint16_t *)start)[at] = (uint16_t)value;
	else
		((uint32_t *)start)[at] = value;
}

static uint32_t count_buckets(const engine *e, uint32_t n)
{
	if (e->code_bytes == 1)
		return e->k->byte_buckets;
	uint32_t buckets = 256;
	while (buckets < 4 * (uint64_t)n && buckets < 1u << 16)
		buckets *= 2;
	return buckets;
}

/* The search looks at 2^steps - 1 cuts from start on; starting a little lower keeps that within the cuts. */
static bool make_map(const engine *e, sl_arena *arena, cut_list c, bin_map *map)
{
	uint32_t n_buckets = count_buckets(e, c.n), below = 0;
	*map = best_map(&c, n_buckets);
	/* Fewer buckets take less memory; kernels that look bytes up want as many as they have places for. */
	while (!(e->k->look_up_cuts && e->code_bytes == 1) && n_buckets > LEAST_BUCKETS && halve_map(map, &c))
		n_buckets /= 2;
	void *start = sl_arena_alloc(arena, n_buckets, e->code_bytes);
	if (!start)
		return false;
	uint32_t reach = ((uint32_t)1 << map->steps) - 1, latest = c.n > reach ? c.n - reach : 0;
	for (uint32_t b = 0; b < n_buckets; b++) {
		while (below < c.n && bucket_of(map, &c, below) < b)
			below++;
		put_start(start, e->code_bytes, b, below < latest ? below : latest);
	}
	map->start = start;
	return true;
}

/* Byte k of cut i at n * k + i. */
static uint8_t *spread_cuts(sl_arena *arena, const void *cuts, size_t n, size_t value_bytes)
{
	const uint8_t *from = cuts;
	uint8_t *to = sl_arena_alloc(arena, n, value_bytes);
	for (size_t i = 0; i < n * value_bytes && to; i++)
		to[n * (i % value_bytes) + i / value_bytes] = from[i];
	return to;
}

/* ---- words ------------------------------------------------------------------------------------------------ */

#define FIRST_CUT_WORD 256.0 /* so that what lies below the first cut by little has a bucket of its own */
#define LAST_CUT_WORD 65279.0

/* False: some cuts would share a word, or be where all that lies beyond is. There are more than few_cuts. */
static bool map_words(const cut_list *c, word_map *map)
{
	double low = c->narrow[0], step = c->narrow[c->n - 1] - low;
	double scale = (LAST_CUT_WORD - FIRST_CUT_WORD) / step; /* of finite floats it is far above the least float */
	if (!isfinite(step) || !(scale <= FLT_MAX))
		return false;
	map->scale = (float)scale;
	map->origin = (float)(low - FIRST_CUT_WORD / (double)map->scale);
	for (uint32_t i = 0, before = 0; i < c->n; i++) {
		uint32_t word = bin_word(map, c->narrow[i]);
		if (word <= before || word >= (uint32_t)BIN_LAST_WORD)
			return false;
		before = word;
	}
	return true;
}

/* Bucket by bucket. As with other maps a long search starts a little lower; one step may look behind the last cut. */
static void start_words(const cut_list *c, word_map *map, uint8_t start[256])
{
	uint32_t first[257] = {0}, most = 0;
	for (uint32_t b = 0, below = 0; b <= 256; b++) {
		while (below < c->n && bin_word(map, c->narrow[below]) >> 8 < b)
			below++;
		first[b] = below;
		most = b && below - first[b - 1] > most ? below - first[b - 1] : most;
	}
	for (map->steps = 1; most >> map->steps;)
		map->steps++;
	uint32_t reach = map->steps > 1 ? ((uint32_t)1 << map->steps) - 1 : 0, latest = c->n > reach ? c->n - reach : 0;
	for (uint32_t b = 0; b < 256; b++)
		start[b] = (uint8_t)(first[b] < latest ? first[b] : latest);
}

/* A word map where it is the shorter way: a step of its search costs about half of one of the others. */
static bool make_words(sl_arena *arena, const cut_list *c, bin_table *t)
{
	word_map map = {.start = NULL};
	if (!map_words(c, &map))
		return true;
	/* Kernels look bytes up in whole registers, as few as hold what is behind the last cut, too. */
	const size_t size = t->n < 64 ? 64 : t->n < 128 ? 128 : 256;
	uint8_t *tables = sl_arena_alloc(arena, 256 + 2 * size, 1);
	if (!tables)
		return false;
	start_words(c, &map, tables);
	memset(tables + 256, 0xff, 2 * size);
	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t word = bin_word(&map, c->narrow[i]);
		tables[256 + i] = (uint8_t)word;
		tables[256 + size + i] = (uint8_t)(word >> 8);
	}
	map.start = tables;
	map.low = tables + 256;
	map.high = tables + 256 + size;
	if (map.steps > 2 * t->narrow_map.steps)
		return true;
	t->words = sl_arena_copy(arena, &map, 1, sizeof map);
	return t->words != NULL;
}

bool engine_make_bin_maps(const engine *e, sl_arena *arena, bin_table *t, wide_cuts *wide)
{
	uint32_t n = t->n && isnan(t->narrow[t->n - 1]) ? t->n - 1 : t->n; /* nothing reaches a NaN cut */
	if (e->code_bytes == 1 && e->k->few_cuts && t->n <= e->k->few_cuts)
		return true;
	if (!make_map(e, arena, (cut_list){.narrow = t->narrow, .n = n}, &t->narrow_map))
		return false;
	if (wide && !make_map(e, arena, (cut_list){.wide = wide->cuts, .n = n}, &wide->map))
		return false;
	if (e->code_bytes > 1 || !e->k->look_up_cuts)
		return true;
	t->narrow_bytes = spread_cuts(arena, t->narrow, bin_padded(t->n), sizeof *t->narrow);
	if (wide)
		wide->bytes = spread_cuts(arena, wide->cuts, bin_padded(t->n), sizeof *wide->cuts);
	if (!make_words(arena, &(cut_list){.narrow = t->narrow, .n = n}, t))
		return false;
	return t->narrow_bytes && (!wide || wide->bytes);
}
