/* A plan is resolved once per schema: sort the names, look each feature up, list everything that does not fit. */
#include "plan.h"

#include <stdio.h>

typedef struct named {
	const char *name;
	uint32_t column;
} named;

static int compare_named(const void *x, const void *y)
{
	const named *a = x, *b = y;
	int c = strcmp(a->name, b->name);
	return c ? c : (a->column > b->column) - (a->column < b->column);
}

/* First entry whose name is not less than `name`. */
static size_t lower_bound(const named *sorted, size_t n, const char *name)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(sorted[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
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

static score_status resolve(const forest *f, const named *sorted, size_t n, const score_dtype *types, score_plan *plan,
	score_error *error)
{
	enum { MISSING, DOUBLED, TEXT, UNKNOWN, FAULTS };
	list faults[FAULTS] = {{.what = "lacks"}, {.what = "has twice"}, {.what = "has as text, for which the model has no dictionary,"},
		{.what = "has in a type that cannot be scored"}};
	for (uint32_t i = 0; i < f->n_features; i++) {
		const char *name = f->features[i].name;
		size_t at = lower_bound(sorted, n, name);
		if (at == n || strcmp(sorted[at].name, name) != 0) {
			list_add(&faults[MISSING], name);
			continue;
		}
		if (at + 1 < n && strcmp(sorted[at + 1].name, name) == 0)
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
