/*
 * The distinct tests, category sets and tables of a model under construction.
 *
 * Comes in: one test, set or table at a time. Goes out: its number; equal content always gets the same number.
 */
#include "builder.h"

#include <xxhash.h>

#define NONE UINT32_MAX

/* Of another seed in every builder: a file whose thresholds or sets all fell into one slot would take its square in time, and nobody can
 * make one without knowing where the builder will stand. Numbers follow from the order in which things come, never from their hashes. */
static uint64_t hash_bytes(const score_builder *b, const void *bytes, size_t size)
{
	return XXH3_64bits_withSeed(bytes, size, (uintptr_t)b);
}

static uint64_t hash_test(const score_builder *b, const raw_test *t)
{
	const uint64_t content[3] = {sl_f64_bits(t->cut), (uint64_t)t->feature << 32 | t->set,
		(uint64_t)t->kind << 16 | (uint64_t)t->missing_right << 8 | t->zero_is_missing};
	return hash_bytes(b, content, sizeof content);
}

static uint64_t hash_set(const score_builder *b, const uint32_t *members, size_t n)
{
	return hash_bytes(b, members, n * sizeof *members);
}

static bool same_test(const raw_test *a, const raw_test *b)
{
	return sl_f64_bits(a->cut) == sl_f64_bits(b->cut) && a->feature == b->feature && a->set == b->set &&
		a->kind == b->kind && a->missing_right == b->missing_right && a->zero_is_missing == b->zero_is_missing;
}

static const raw_test *test_at(const score_builder *b, uint32_t i)
{
	return sl_vector_at(&b->tests, i);
}

static const raw_set *set_at(const score_builder *b, uint32_t i)
{
	return sl_vector_at(&b->sets, i);
}

static const uint32_t *members_of(const score_builder *b, const raw_set *s)
{
	return sl_vector_at(&b->members, s->first);
}

static const raw_table *table_at(const score_builder *b, uint32_t i)
{
	return sl_vector_at(&b->tables, i);
}

static const void *elements_of(const score_builder *b, const raw_table *t)
{
	return sl_vector_at(&b->table_words, t->first);
}

size_t forest_table_element(uint32_t kind)
{
	return kind == RAW_LIST ? sizeof(uint32_t) : sizeof(uint64_t);
}

/* Tables of the same bytes and another kind are rare, and told apart by comparison. */
static uint64_t hash_table(const score_builder *b, uint32_t kind, const void *elements, uint32_t n)
{
	return hash_bytes(b, elements, n * forest_table_element(kind));
}

static uint64_t hash_item(const score_builder *b, const raw_index *index, uint32_t item)
{
	if (index == &b->test_index)
		return hash_test(b, test_at(b, item));
	if (index == &b->table_index) {
		const raw_table *t = table_at(b, item);
		return hash_table(b, t->kind, elements_of(b, t), t->n);
	}
	const raw_set *s = set_at(b, item);
	return hash_set(b, members_of(b, s), s->length);
}

/* Keep the table at most half full. */
static bool make_room(score_builder *b, raw_index *index)
{
	if (index->n_slots && index->n_used * 2 < index->n_slots)
		return true;
	size_t n = index->n_slots ? index->n_slots * 2 : 1024;
	uint32_t *slots = sl_alloc(&b->allocator, n * sizeof *slots, 64);
	if (!slots)
		return false;
	memset(slots, 0, n * sizeof *slots);
	for (size_t i = 0; i < index->n_slots; i++) {
		if (!index->slots[i])
			continue;
		size_t at = (size_t)hash_item(b, index, index->slots[i] - 1) & (n - 1);
		while (slots[at])
			at = (at + 1) & (n - 1);
		slots[at] = index->slots[i];
	}
	forest_index_free(b, index);
	index->slots = slots;
	index->n_slots = n;
	return true;
}

void forest_index_free(score_builder *b, raw_index *index)
{
	sl_free(&b->allocator, index->slots, index->n_slots * sizeof *index->slots, 64);
	index->slots = NULL;
	index->n_slots = 0;
}

uint32_t forest_intern_test(score_builder *b, const raw_test *test)
{
	raw_index *index = &b->test_index;
	if (!make_room(b, index))
		return NONE;
	size_t at = (size_t)hash_test(b, test) & (index->n_slots - 1);
	for (; index->slots[at]; at = (at + 1) & (index->n_slots - 1)) {
		if (same_test(test_at(b, index->slots[at] - 1), test))
			return index->slots[at] - 1;
	}
	uint32_t number = (uint32_t)b->tests.length;
	/* Each is of another node, refused ones included: a hundred gigabytes. */
	if (SL_NEVER(number == NONE) || !sl_vector_push(&b->tests, test, 1))
		return NONE;
	index->slots[at] = number + 1;
	index->n_used++;
	return number;
}

static int compare_u32(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, c = *(const uint32_t *)y;
	return a < c ? -1 : a > c;
}

static size_t sort_unique(uint32_t *members, size_t n)
{
	size_t kept = 0;
	if (n)
		sl_sort(members, n, sizeof *members, compare_u32);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || members[kept - 1] != members[i])
			members[kept++] = members[i];
	}
	return kept;
}

uint32_t forest_intern_set(score_builder *b, uint32_t *members, size_t n, uint64_t most)
{
	raw_index *index = &b->set_index;
	if (!make_room(b, index))
		return NONE;
	n = sort_unique(members, n);
	size_t at = (size_t)hash_set(b, members, n) & (index->n_slots - 1);
	for (; index->slots[at]; at = (at + 1) & (index->n_slots - 1)) {
		const raw_set *s = set_at(b, index->slots[at] - 1);
		if (s->length == n && (n == 0 || memcmp(members_of(b, s), members, n * sizeof *members) == 0))
			return index->slots[at] - 1;
	}
	raw_set s = {(uint32_t)b->members.length, (uint32_t)n};
	uint32_t number = (uint32_t)b->sets.length;
	if (b->members.length + n > most || !sl_vector_push(&b->members, members, n) || !sl_vector_push(&b->sets, &s, 1))
		return NONE;
	index->slots[at] = number + 1;
	index->n_used++;
	return number;
}

uint32_t forest_intern_table(score_builder *b, raw_table_kind kind, const void *elements, uint32_t n)
{
	raw_index *index = &b->table_index;
	size_t bytes = n * forest_table_element(kind), words = (bytes + 7) / 8;
	if (!make_room(b, index))
		return NONE;
	size_t at = (size_t)hash_table(b, kind, elements, n) & (index->n_slots - 1);
	for (; index->slots[at]; at = (at + 1) & (index->n_slots - 1)) {
		const raw_table *t = table_at(b, index->slots[at] - 1);
		if (t->kind == kind && t->n == n && (n == 0 || memcmp(elements_of(b, t), elements, bytes) == 0))
			return t->number;
	}
	raw_table fresh = {b->table_words.length, n, kind, b->table_counts[kind], 0};
	uint64_t *to = words ? sl_vector_grow(&b->table_words, words) : NULL;
	if ((words && !to) || !sl_vector_push(&b->tables, &fresh, 1))
		return NONE;
	if (words) {
		to[words - 1] = 0;
		memcpy(to, elements, bytes);
	}
	index->slots[at] = (uint32_t)b->tables.length;
	index->n_used++;
	return b->table_counts[kind]++;
}
