/*
 * Dictionaries: which code each label of a category feature has.
 *
 * Comes in: labels and codes that nobody has checked. Goes out: a dictionary whose labels are distinct UTF-8, with an index
 * by hash. Looking a label up takes one hash and, in the mean, one comparison; a hostile choice of labels can make that a
 * logarithm, no more.
 */
#include "forest.h"

#include <math.h>
#include <xxhash.h>

#define MAX_LABELS (1u << 24)
#define MAX_SAME_HASH 4u /* of 64 bits: more are no accident */

static const char *label_text(const forest_dictionary *d, uint32_t label)
{
	return d->text + d->starts[label];
}

static score_status check_labels(const forest_dictionary *d, uint32_t feature, score_error *error)
{
	if (d->n_labels > MAX_LABELS)
		return sl_fail(error, SCORE_ERR_LIMIT, "the dictionary of feature %u has %u labels, the limit is %u", feature,
			d->n_labels, MAX_LABELS);
	if (d->unknown < 0 && isinf(d->unknown))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the dictionary of feature %u: the code of unknown labels is -inf",
			feature);
	if (d->flags & ~(SCORE_DICTIONARY | SCORE_DICTIONARY_NUMBERS))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the dictionary of feature %u has the unknown flags %#x", feature,
			d->flags);
	for (uint32_t i = 0; i < d->n_labels; i++) {
		uint32_t length = forest_label_length(d, i);
		if (memchr(label_text(d, i), 0, length) || sl_utf8_prefix(label_text(d, i), length) < length)
			return sl_fail(error, SCORE_ERR_ARGUMENT,
				"label %u of feature %u is not UTF-8, or has a zero byte: '%s'", i, feature,
				sl_quote(label_text(d, i), length).text);
		if (isinf(d->codes[i]))
			return sl_fail(error, SCORE_ERR_ARGUMENT, "the code of label %u of feature %u is infinite", i, feature);
	}
	return SCORE_OK;
}

static int compare_labels(const void *x, const void *y)
{
	const forest_label *a = x, *b = y;
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static bool same_label(const forest_dictionary *d, const forest_label *a, const char *text, size_t length)
{
	return a->length == length && memcmp(label_text(d, a->number), text, length) == 0;
}

/* Labels of one hash stand side by side. */
static score_status check_distinct(const forest_dictionary *d, uint32_t feature, score_error *error)
{
	for (uint32_t i = 0; i < d->n_labels; i++) {
		const forest_label *a = d->by_hash + i;
		for (uint32_t k = i + 1; k < d->n_labels && d->by_hash[k].hash == a->hash; k++) {
			if (same_label(d, a, label_text(d, d->by_hash[k].number), d->by_hash[k].length))
				return sl_fail(error, SCORE_ERR_ARGUMENT, "feature %u has the label '%s' twice", feature,
					sl_quote(label_text(d, a->number), a->length).text);
			if (k - i >= MAX_SAME_HASH)
				return sl_fail(error, SCORE_ERR_LIMIT, "too many labels of feature %u have the same hash", feature);
		}
	}
	return SCORE_OK;
}

static void sort_by_hash(const forest_dictionary *d, forest_label *by_hash)
{
	for (uint32_t i = 0; i < d->n_labels; i++) {
		uint32_t length = forest_label_length(d, i);
		by_hash[i] = (forest_label){XXH3_64bits(label_text(d, i), length), i, length};
	}
	if (d->n_labels)
		sl_sort(by_hash, d->n_labels, sizeof *by_hash, compare_labels);
}

score_status forest_make_dictionary(const forest_dictionary *from, uint32_t feature, sl_arena *arena,
	const forest_dictionary **out, score_error *error)
{
	score_status status = check_labels(from, feature, error);
	if (status != SCORE_OK)
		return status;
	uint32_t n = from->n_labels;
	size_t text_bytes = n ? from->starts[n] : 0;
	forest_dictionary *d = sl_arena_copy(arena, from, 1, sizeof *d);
	forest_label *by_hash = sl_arena_alloc(arena, n, sizeof *by_hash);
	char *text = sl_arena_copy(arena, from->text, text_bytes, 1);
	uint32_t *starts = sl_arena_alloc(arena, (size_t)n + 1, sizeof *starts);
	double *codes = sl_arena_copy(arena, from->codes, n, sizeof *codes);
	if (!d || !by_hash || !text || !starts || !codes)
		return forest_fail_memory(arena, text_bytes + n * sizeof *by_hash, error);
	if (n)
		memcpy(starts, from->starts, ((size_t)n + 1) * sizeof *starts);
	*d = (forest_dictionary){n, from->flags | SCORE_DICTIONARY, from->unknown, text, starts, codes, by_hash, {NULL, 0}};
	sort_by_hash(d, by_hash);
	if (!forest_index_by_hash(by_hash, sizeof *by_hash, 0, n, arena, &d->index))
		return forest_fail_memory(arena, n * sizeof(uint32_t), error);
	*out = d;
	return check_distinct(d, feature, error);
}

bool forest_find_label(const forest_dictionary *d, const char *text, size_t length, double *code)
{
	uint64_t hash = XXH3_64bits(text, length);
	const uint32_t *bucket = d->index.buckets + (hash >> d->index.shift);
	uint32_t low = bucket[0], high = bucket[1], end = high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (d->by_hash[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < end && d->by_hash[low].hash == hash; low++) {
		if (same_label(d, d->by_hash + low, text, length)) {
			*code = d->codes[d->by_hash[low].number];
			return true;
		}
	}
	*code = d->unknown;
	return false;
}
