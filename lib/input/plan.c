/* A plan is resolved once per schema: sort the names, look each feature up, list everything that does not fit. */
#include "plan.h"

#include <stdio.h>

typedef struct named {
	const char *name;
	uint32_t column;
} named;

/* As strcmp(), a space being an underscore. */
static int compare_underscored(const char *a, const char *b)
{
	for (;; a++, b++) {
		unsigned char x = *a == ' ' ? '_' : (unsigned char)*a, y = *b == ' ' ? '_' : (unsigned char)*b;
		if (x != y || !x)
			return (x > y) - (x < y);
	}
}

/* Names that differ in spaces and underscores alone stand beside each other. */
static int compare_names(const char *a, const char *b)
{
	int c = compare_underscored(a, b);
	return c ? c : strcmp(a, b);
}

static int compare_named(const void *x, const void *y)
{
	const named *a = x, *b = y;
	int c = compare_names(a->name, b->name);
	return c ? c : (a->column > b->column) - (a->column < b->column);
}

/* First entry whose name is not less than `name`. */
static size_t lower_bound(const named *sorted, size_t n, const char *name, int (*compare)(const char *, const char *))
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(sorted[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* How many columns a feature of this name has, the first at `*at`: those of exactly that name, else, where the model's
 * names have underscores for spaces, those that have it then. */
static unsigned find_column(const named *sorted, size_t n, const char *name, bool underscored, size_t *at)
{
	int (*compare)(const char *, const char *) = compare_names;
	*at = lower_bound(sorted, n, name, compare);
	if (underscored && (*at == n || compare(sorted[*at].name, name) != 0)) {
		compare = compare_underscored;
		*at = lower_bound(sorted, n, name, compare);
	}
	unsigned found = 0;
	while (found < 2 && *at + found < n && compare(sorted[*at + found].name, name) == 0)
		found++;
	return found;
}

/* "a, b and 3 more" in a fixed buffer. */
typedef struct list {
	const char *what; /* is wrong with them */
	char text[120];
	size_t used;
	uint32_t count, left_out;
} list;

static void list_add(list *l, const char *name)
{
	sl_quoted q = sl_quote(name, strlen(name));
	l->count++;
	int n = snprintf(l->text + l->used, sizeof l->text - l->used, "%s%s", l->used ? ", " : "", q.text);
	if (l->used + (size_t)n >= sizeof l->text - 16) {
		l->text[l->used] = '\0';
		l->left_out++;
	} else {
		l->used += (size_t)n;
	}
}

/* The first fault that any feature has. */
static score_status report(const list *lists, size_t n, score_error *error)
{
	for (const list *l = lists; l < lists + n; l++) {
		if (l->left_out)
			return sl_fail(error, SCORE_ERR_SHAPE, "the input %s %u of the model's features: %s and %u more", l->what, l->count,
				l->text, l->left_out);
		if (l->count)
			return sl_fail(error, SCORE_ERR_SHAPE, "the input %s %u of the model's features: %s", l->what, l->count, l->text);
	}
	return SCORE_OK;
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

static score_status resolve(const forest *f, const named *sorted, size_t n, const score_dtype *types, score_plan *plan,
	score_error *error)
{
	enum { MISSING, DOUBLED, TEXT, UNKNOWN, FAULTS };
	list faults[FAULTS] = {{.what = "lacks"}, {.what = "has twice"}, {.what = "has as text, for which the model has no dictionary,"},
		{.what = "has in a type that cannot be scored"}};
	bool underscored = has_underscored_names(f);
	for (uint32_t i = 0; i < f->n_features; i++) {
		const char *name = f->features[i].name;
		size_t at;
		unsigned found = find_column(sorted, n, name, underscored, &at);
		if (!found) {
			list_add(&faults[MISSING], name);
			continue;
		}
		if (found > 1)
			list_add(&faults[DOUBLED], name);
		uint32_t column = sorted[at].column;
		if (types && (types[column] < SCORE_F32 || types[column] > SCORE_F16))
			list_add(&faults[UNKNOWN], name);
		if (types && types[column] == SCORE_STRING && !input_takes_strings(f, i))
			list_add(&faults[TEXT], name);
		plan->column[i] = column;
	}
	return report(faults, FAULTS, error);
}

score_status input_bind(const forest *f, const score_allocator *allocator, const char *const *names,
	const score_dtype *types, size_t n_columns, score_plan **out, score_error *error)
{
	if (n_columns > UINT32_MAX - 1)
		return sl_fail(error, SCORE_ERR_LIMIT, "the input has %zu columns", n_columns);
	for (size_t i = 0; i < n_columns; i++) {
		if (!names[i])
			return sl_fail(error, SCORE_ERR_ARGUMENT, "column %zu has no name (NULL)", i);
	}
	size_t bytes = sizeof(score_plan) + f->n_features * sizeof(uint32_t);
	size_t sorted_bytes = (n_columns + 1) * sizeof(named);
	score_plan *plan = sl_alloc(allocator, bytes, 64);
	named *sorted = sl_alloc(allocator, sorted_bytes, 64);
	score_status status;
	if (!plan || !sorted) {
		status = sl_fail_memory(error, bytes + sorted_bytes);
	} else {
		memset(plan, 0, bytes);
		plan->allocator = *allocator;
		plan->bytes = bytes;
		plan->n_features = f->n_features;
		plan->n_columns = (uint32_t)n_columns;
		for (size_t i = 0; i < n_columns; i++)
			sorted[i] = (named){names[i], (uint32_t)i};
		sl_sort(sorted, n_columns, sizeof *sorted, compare_named);
		status = resolve(f, sorted, n_columns, types, plan, error);
	}
	sl_free(allocator, sorted, sorted_bytes, 64);
	if (status == SCORE_OK)
		*out = plan;
	else
		sl_free(allocator, plan, bytes, 64);
	return status;
}

void input_plan_free(score_plan *plan)
{
	if (!plan)
		return;
	score_allocator a = plan->allocator;
	sl_free(&a, plan, plan->bytes, 64);
}
