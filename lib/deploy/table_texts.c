/*
 * The dictionary of a column of texts while its table is built: text in, number out.
 *
 * Open addressing over XXH3, at most half full.
 */
#include "table_builder.h"

#include <xxhash.h>

void deploy_texts_init(deploy_texts *t, const score_allocator *a)
{
	memset(t, 0, sizeof *t);
	sl_vector_init(&t->starts, a, sizeof(uint32_t));
	sl_vector_init(&t->text, a, 1);
}

uint32_t deploy_texts_count(const deploy_texts *t)
{
	return t->starts.length ? (uint32_t)t->starts.length - 1 : 0;
}

uint64_t deploy_texts_bytes(const deploy_texts *t)
{
	return t->starts.capacity * sizeof(uint32_t) + t->text.capacity + (uint64_t)t->n_slots * sizeof(uint32_t);
}

static const char *text_at(const deploy_texts *t, uint32_t i, size_t *length)
{
	const uint32_t *starts = t->starts.data;
	*length = starts[i + 1] - starts[i];
	return sl_vector_at(&t->text, starts[i]);
}

/* The slot that has the text, or the empty one where it belongs. */
static uint32_t *find_slot(const deploy_texts *t, const char *text, size_t length)
{
	uint32_t i = (uint32_t)XXH3_64bits(text, length) & (t->n_slots - 1);
	for (;; i = (i + 1) & (t->n_slots - 1)) {
		size_t stored_length;
		if (!t->slots[i])
			return t->slots + i;
		const char *stored = text_at(t, t->slots[i] - 1, &stored_length);
		/* Empty texts may stand at NULL, which memcmp() must not see. */
		if (stored_length == length && (length == 0 || memcmp(stored, text, length) == 0))
			return t->slots + i;
	}
}

static bool widen(deploy_texts *t)
{
	const uint32_t n = t->n_slots ? t->n_slots * 2 : 64, n_texts = deploy_texts_count(t);
	uint32_t *slots = sl_alloc(&t->starts.allocator, (size_t)n * sizeof *slots, SL_CACHE_LINE);
	if (!slots)
		return false;
	sl_free(&t->starts.allocator, t->slots, (size_t)t->n_slots * sizeof *slots, SL_CACHE_LINE);
	memset(slots, 0, (size_t)n * sizeof *slots);
	t->slots = slots;
	t->n_slots = n;
	for (uint32_t i = 0; i < n_texts; i++) {
		size_t length;
		const char *text = text_at(t, i, &length);
		*find_slot(t, text, length) = i + 1;
	}
	return true;
}

score_status deploy_texts_add(deploy_texts *t, const char *text, size_t length, uint32_t *out, score_error *error)
{
	const uint32_t n = deploy_texts_count(t), zero = 0;
	/* 2 GiB hold fewer than 2^30 different texts, so numbers and slots fit too. A known text at the brim is refused as well. */
	if (length > INT32_MAX - t->text.length)
		return sl_fail(error, SCORE_ERR_LIMIT, "more than 2 GiB of distinct texts; texts are meant as categories");
	if (t->starts.length == 0 && !sl_vector_push(&t->starts, &zero, 1))
		return sl_fail_memory(error, sizeof zero);
	if (n >= t->n_slots / 2 && !widen(t))
		return sl_fail_memory(error, (size_t)t->n_slots * 8);
	uint32_t *slot = find_slot(t, text, length);
	if (*slot) {
		*out = *slot - 1;
		return SCORE_OK;
	}
	const uint32_t end = (uint32_t)(t->text.length + length);
	if (!sl_vector_push(&t->text, text, length) || !sl_vector_push(&t->starts, &end, 1))
		return sl_fail_memory(error, length + sizeof end);
	*slot = n + 1;
	*out = n;
	return SCORE_OK;
}

void deploy_texts_free(deploy_texts *t)
{
	sl_free(&t->starts.allocator, t->slots, (size_t)t->n_slots * sizeof *t->slots, SL_CACHE_LINE);
	t->slots = NULL;
	t->n_slots = 0;
	sl_vector_free(&t->starts);
	sl_vector_free(&t->text);
}
