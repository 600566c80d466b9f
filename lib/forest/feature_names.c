/*
 * Features by name: the one place that knows which feature the name of a column, field or key means.
 *
 * Comes in: the features and the metadata, which say whose spelling the names have. Goes out: the names in order. A look-up is
 * one or two binary searches, allocates nothing and takes any bytes.
 */
#include "forest.h"

static int compare_names(const void *x, const void *y)
{
	const forest_name *a = x, *b = y;
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

bool forest_index_names(forest *f, sl_arena *arena, const char **twice)
{
	forest_name *names = sl_arena_alloc(arena, f->n_features, sizeof *names);
	*twice = NULL;
	if (!names)
		return false;
	for (uint32_t i = 0; i < f->n_features; i++)
		names[i] = (forest_name){f->features[i].name, i};
	sl_sort(names, f->n_features, sizeof *names, compare_names);
	for (uint32_t i = 1; i < f->n_features && !*twice; i++) {
		if (strcmp(names[i - 1].name, names[i].name) == 0)
			*twice = names[i].name;
	}
	f->names = names;
	f->has_underscored_names = has_underscored_names(f);
	return true;
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
		int c = compare_text(text, length, space, f->names[middle].name);
		if (c == 0) {
			*feature = f->names[middle].feature;
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
