/* A plan is resolved once per schema: ask of each column which feature it feeds, then list everything that does not fit. */
#include "plan.h"

#include <stdio.h>

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

/* Of a feature, the columns that feed it: how the best of them names it, and whether that one is there twice. */
typedef struct fed {
	score_name_match match;
	bool twice;
} fed;

static void take_columns(const forest *f, const char *const *names, size_t n, fed *features, score_plan *plan)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t feature;
		score_name_match match = forest_find_feature(f, names[i], strlen(names[i]), &feature);
		if (match == SCORE_NAME_NONE || match < features[feature].match)
			continue;
		bool twice = match == features[feature].match;
		if (!twice)
			plan->column[feature] = (uint32_t)i;
		features[feature] = (fed){match, twice};
	}
}

static score_status check_columns(const forest *f, const fed *features, const score_dtype *types, const score_plan *plan,
	score_error *error)
{
	enum { MISSING, DOUBLED, TEXT, UNKNOWN, FAULTS };
	list faults[FAULTS] = {{.what = "lacks"}, {.what = "has twice"}, {.what = "has as text, for which the model has no dictionary,"},
		{.what = "has in a type that cannot be scored"}};
	for (uint32_t i = 0; i < f->n_features; i++) {
		const char *name = f->features[i].name;
		if (features[i].match == SCORE_NAME_NONE) {
			list_add(&faults[MISSING], name);
			continue;
		}
		if (features[i].twice)
			list_add(&faults[DOUBLED], name);
		const score_dtype type = types ? types[plan->column[i]] : SCORE_F64;
		if (type < SCORE_F32 || type > SCORE_F16)
			list_add(&faults[UNKNOWN], name);
		if (type == SCORE_STRING && !input_takes_strings(f, i))
			list_add(&faults[TEXT], name);
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
	size_t fed_bytes = f->n_features * sizeof(fed);
	score_plan *plan = sl_alloc(allocator, bytes, 64);
	fed *features = sl_alloc(allocator, fed_bytes, 64);
	score_status status;
	if (!plan || !features) {
		status = sl_fail_memory(error, bytes + fed_bytes);
	} else {
		memset(plan, 0, bytes);
		memset(features, 0, fed_bytes);
		plan->allocator = *allocator;
		plan->bytes = bytes;
		plan->n_features = f->n_features;
		plan->n_columns = (uint32_t)n_columns;
		take_columns(f, names, n_columns, features, plan);
		status = check_columns(f, features, types, plan, error);
	}
	sl_free(allocator, features, fed_bytes, 64);
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
