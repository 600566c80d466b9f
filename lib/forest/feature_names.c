/*
 * Features by name: the one place that knows which feature the name of a column, field or key means.
 *
 * Comes in: the features and the metadata, which say whose spelling the names have. Goes out: the order of the names, kept in what
 * would be a gap of the features. A look-up is one or two binary searches, allocates nothing and takes any bytes.
 */
#include "forest.h"

typedef struct named {
	const char *name;
	uint32_t feature;
} named;

static int compare_names(const void *x, const void *y)
{
	const named *a = x, *b = y;
	return strcmp(a->name, b->name);
}

/* LightGBM trains on names with spaces, and writes them with underscores; so does skl2onnx. */
static bool has_underscored_names(const forest *f)
{
	for (uint32_t i = 0; i < f->n_metadata; i++) {
		if (strcmp(f->metadata[i].key, "source.library") == 0)
			return strcmp(f->metadata[i].value, "lightgbm") == 0 || strcmp(f->metadata[i].value, "onnx") == 0;
	}
	return false;
}

/* A name that two features have, or NULL. */
static const char *sort_names(forest_feature *features, uint32_t n, named *sorted)
{
	const char *twice = NULL;
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = (named){features[i].name, i};
	sl_sort(sorted, n, sizeof *sorted, compare_names);
	for (uint32_t i = 0; i < n; i++) {
		features[i].by_name = sorted[i].feature;
		if (i > 0 && strcmp(sorted[i - 1].name, sorted[i].name) == 0)
			twice = sorted[i].name;
	}
	return twice;
}

bool forest_index_names(forest *f, const score_allocator *allocator, const char **twice)
{
	const size_t bytes = ((size_t)f->n_features + 1) * sizeof(named);
	named *sorted = sl_alloc(allocator, bytes, 64);
	const bool done = sorted;
	*twice = done ? sort_names((forest_feature *)(uintptr_t)f->features, f->n_features, sorted) : NULL;
	sl_free(allocator, sorted, bytes, 64);
	f->has_underscored_names = has_underscored_names(f);
	return done;
}

/* As strcmp(), of a text that is not terminated and has `space` for spaces. */
static int compare_text(const char *text, size_t length, unsigned char space, const char *name)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char x = text[i] == ' ' ? space : (unsigned char)text[i], y = (unsigned char)name[i];
		if (x != y || !y)
			return x < y ? -1 : 1;
	}
	return name[length] ? -1 : 0;
}

static bool find(const forest *f, const char *text, size_t length, unsigned char space, uint32_t *feature)
{
	uint32_t low = 0, high = f->n_features;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int c = compare_text(text, length, space, f->features[f->features[middle].by_name].name);
		if (c == 0) {
			*feature = f->features[middle].by_name;
			return true;
		}
		if (c > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

score_name_match forest_find_feature(const forest *f, const char *name, size_t length, uint32_t *feature)
{
	if (find(f, name, length, ' ', feature))
		return SCORE_NAME_OWN;
	if (f->has_underscored_names && memchr(name, ' ', length) && find(f, name, length, '_', feature))
		return SCORE_NAME_SPACED;
	*feature = UINT32_MAX;
	return SCORE_NAME_NONE;
}
