/*
 * Dictionaries as three flat arrays, and back.
 *
 * Comes in: a checked forest; or arrays whose lengths fit together, with any content. Goes out: the other, checked.
 */
#include "slm_layout.h"

score_status slm_list_labels(const forest *f, sl_arena *arena, slm_labels *out, score_error *error)
{
	uint64_t n = 0;
	size_t n_bytes = 0; /* of what lies in memory */
	for (uint32_t i = 0; i < f->n_features; i++) {
		const forest_dictionary *d = f->features[i].dictionary;
		n += d ? d->n_labels : 0;
		n_bytes += d && d->n_labels ? d->starts[d->n_labels] - d->n_labels : 0;
	}
	if (n > INT32_MAX)
		return sl_fail(error, SCORE_ERR_LIMIT, "the file format holds no %llu labels", (unsigned long long)n);
	uint32_t *sizes = sl_arena_alloc(arena, (size_t)n, sizeof *sizes);
	uint8_t *text = sl_arena_alloc(arena, n_bytes, 1);
	double *codes = sl_arena_alloc(arena, (size_t)n, sizeof *codes);
	if (!sizes || !text || !codes)
		return sl_fail_memory(error, (size_t)n * sizeof(double) + n_bytes);
	uint32_t at = 0;
	size_t byte = 0;
	for (uint32_t i = 0; i < f->n_features; i++) {
		const forest_dictionary *d = f->features[i].dictionary;
		for (uint32_t k = 0; d && k < d->n_labels; k++, at++) {
			sizes[at] = forest_label_length(d, k);
			codes[at] = d->codes[k];
			memcpy(text + byte, d->text + d->starts[k], sizes[at]);
			byte += sizes[at];
		}
	}
	*out = (slm_labels){(uint32_t)n, n_bytes, sizes, text, codes};
	return SCORE_OK;
}

/* The labels of one dictionary, from label `*at` and byte `*byte` on, become terminated text. */
static score_status expand(const slm_labels *labels, sl_arena *scratch, uint32_t *at, size_t *byte,
	forest_dictionary *d, score_error *error)
{
	uint64_t total = 0;
	for (uint32_t k = 0; k < d->n_labels; k++)
		total += (uint64_t)labels->sizes[*at + k] + 1;
	if (total - d->n_labels > labels->n_bytes - *byte || total > INT32_MAX)
		return sl_fail(error, SCORE_ERR_CORRUPT, "section label_sizes: the labels have more bytes than label_text");
	char *text = sl_arena_alloc(scratch, (size_t)total, 1);
	uint32_t *starts = sl_arena_alloc(scratch, (size_t)d->n_labels + 1, sizeof *starts);
	if (!text || !starts)
		return sl_fail_memory(error, (size_t)total);
	d->codes = labels->codes + *at;
	for (uint32_t k = 0; k < d->n_labels; k++, (*at)++) {
		uint32_t size = labels->sizes[*at];
		memcpy(text + starts[k], labels->text + *byte, size);
		starts[k + 1] = starts[k] + size + 1;
		*byte += size;
	}
	d->text = text;
	d->starts = starts;
	return SCORE_OK;
}

score_status slm_take_labels(const slm_labels *labels, const slm_table *table, sl_arena *scratch, sl_arena *arena,
	forest *f, score_error *error)
{
	forest_feature *features = (forest_feature *)(uintptr_t)f->features;
	uint32_t at = 0;
	size_t byte = 0;
	for (uint32_t i = 0; table->dictionaries && i < f->n_features; i++) {
		const slm_dictionary *head = table->dictionaries + i;
		forest_dictionary d = {.n_labels = head->n_labels, .flags = head->flags, .unknown = head->unknown};
		if (!d.flags)
			continue;
		TRY(expand(labels, scratch, &at, &byte, &d, error));
		score_status status = forest_make_dictionary(&d, i, arena, &features[i].dictionary, error);
		if (status == SCORE_ERR_ARGUMENT && error)
			error->code = SCORE_ERR_CORRUPT;
		if (status != SCORE_OK)
			return status == SCORE_ERR_ARGUMENT ? SCORE_ERR_CORRUPT : status;
	}
	if (byte != labels->n_bytes)
		return sl_fail(error, SCORE_ERR_CORRUPT, "section label_text: %zu bytes belong to no label",
			labels->n_bytes - byte);
	return SCORE_OK;
}
