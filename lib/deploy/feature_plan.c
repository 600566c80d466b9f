/*
 * A model, the columns of a request and lookups in; where each feature comes from out. Made once per schema.
 *
 * Texts of a table's category columns become the model's codes here, so that a call only copies numbers.
 */
#include "feature_plan.h"

#include <math.h>
#include <stdio.h>

/* What score_feature_plan_new() was asked for. */
typedef struct request {
	const char *const *names;
	const score_dtype *types; /* or NULL */
	size_t n;
	score_error *error;
	/* [n_features] */
	score_name_match *offered; /* how the lookups name the feature at best   */
	uint32_t *taken;           /* the lookup that has it, from 1; 0: none has */
} request;

static sl_quoted quoted(const char *text)
{
	return sl_quote(text, strlen(text));
}

static int64_t find_name(const request *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->names[i], name) == 0)
			return (int64_t)i;
	return -1;
}

/* Into plan->own. What is ambiguous is score_bind()'s to refuse. */
static score_status match_request(score_feature_plan *plan, const request *r)
{
	score_name_match *matches = sl_arena_alloc(&plan->arena, plan->n_features, sizeof *matches);
	if (!matches)
		return sl_fail_memory(r->error, plan->n_features * sizeof *matches);
	for (uint32_t i = 0; i < plan->n_features; i++)
		plan->own[i] = -1;
	for (size_t i = 0; i < r->n; i++) {
		uint32_t feature;
		const score_name_match match = score_model_feature_find(plan->model, r->names[i], strlen(r->names[i]), &feature);
		if (match == SCORE_NAME_NONE || match <= matches[feature])
			continue;
		matches[feature] = match;
		plan->own[feature] = (int64_t)i;
	}
	return SCORE_OK;
}

/* ---- keys -------------------------------------------------------------------------------------------- */

static score_status find_key(const request *r, const planned_lookup *p, const char *name, const char *what, int64_t *out)
{
	*out = name ? find_name(r, name) : -1;
	if (*out < 0)
		return sl_fail(r->error, SCORE_ERR_SHAPE, "the request lacks the column '%s', which is the %s of '%s'",
			name ? quoted(name).text : "(NULL)", what, quoted(p->name).text);
	return SCORE_OK;
}

static score_status take_keys(const request *r, const score_feature_lookup *l, planned_lookup *p)
{
	const sft_layout *layout = p->table ? &p->table->layout : NULL;
	if (l->n_lookup_key == 0 || l->n_lookup_key > SFT_MAX_KEYS || !l->lookup_key ||
		(layout && l->n_lookup_key != layout->n_keys))
		return sl_fail(r->error, SCORE_ERR_SHAPE, "lookup_key of '%s' names %zu columns, its key has %u", quoted(p->name).text,
			l->n_lookup_key, layout ? layout->n_keys : 1);
	p->n_keys = (uint32_t)l->n_lookup_key;
	for (uint32_t k = 0; k < p->n_keys; k++) {
		int64_t at;
		TRY(find_key(r, p, l->lookup_key[k], "lookup_key", &at));
		p->keys[k] = (uint32_t)at;
		const score_dtype type = r->types ? r->types[at] : 0;
		const bool is_text = layout && layout->keys[k].type == SCORE_STRING;
		if (layout && (is_text ? type != SCORE_STRING : !deploy_is_integer(type)))
			return sl_fail(r->error, SCORE_ERR_SHAPE, "lookup_key '%s' of '%s': the table's key '%s' is %s, the request's column "
				"is not (give its type)", quoted(l->lookup_key[k]).text, quoted(p->name).text, quoted(layout->keys[k].name).text,
				is_text ? "text" : "an integer");
	}
	p->timestamp = -1;
	if (l->timestamp_lookup_key) {
		TRY(find_key(r, p, l->timestamp_lookup_key, "timestamp_lookup_key", &p->timestamp));
		if (layout && !layout->timestamp)
			return sl_fail(r->error, SCORE_ERR_SHAPE, "'%s' has no timestamp, so timestamp_lookup_key has nothing to compare with",
				quoted(p->name).text);
	}
	p->lookback = l->lookback_window;
	if (p->lookback < 0 || (p->lookback && p->timestamp < 0))
		return sl_fail(r->error, SCORE_ERR_ARGUMENT, "lookback_window of '%s' is %lld: it is not negative and needs a "
			"timestamp_lookup_key", quoted(p->name).text, (long long)p->lookback);
	return SCORE_OK;
}

/* ---- columns ----------------------------------------------------------------------------------------- */

static score_status take_codes(score_feature_plan *plan, const request *r, planned_lookup *p, planned_column *c)
{
	const sft_column *column = p->table->layout.columns + c->column;
	const bool has_dictionary = score_model_dictionary(plan->model, c->feature) != 0;
	if (column->type != SCORE_STRING)
		return SCORE_OK;
	if (!has_dictionary)
		return sl_fail(r->error, SCORE_ERR_SHAPE, "column '%s' of '%s' holds texts, for which the model has no dictionary",
			quoted(column->name).text, quoted(p->name).text);
	c->n_codes = column->n_texts;
	double *codes = sl_arena_alloc(&plan->arena, c->n_codes, sizeof *codes);
	if (!codes)
		return sl_fail_memory(r->error, c->n_codes * sizeof *codes);
	for (uint32_t k = 0; k < c->n_codes; k++) {
		size_t length;
		const char *text = score_table_text(p->table, c->column, k, &length);
		codes[k] = (double)NAN;
		if (text)
			(void)score_model_category_find(plan->model, c->feature, text, length, codes + k);
	}
	c->codes = codes;
	return SCORE_OK;
}

static const char *name_of(const score_feature_lookup *l, const planned_lookup *p, size_t i)
{
	return l->feature_names ? l->feature_names[i] : p->table->layout.columns[i].name;
}

static const char *output_of(const score_feature_lookup *l, const planned_lookup *p, size_t i)
{
	return l->output_names && l->output_names[i] ? l->output_names[i] : name_of(l, p, i);
}

static score_name_match find_output(const score_feature_plan *plan, const score_feature_lookup *l, const planned_lookup *p, size_t i,
	uint32_t *feature)
{
	const char *output = output_of(l, p, i);
	return score_model_feature_find(plan->model, output, strlen(output), feature);
}

/* Notes how the lookup names the model's features. */
static score_status check_names(const score_feature_plan *plan, const request *r, const score_feature_lookup *l, planned_lookup *p)
{
	const size_t n = l->feature_names ? l->n_feature_names : p->table ? p->table->layout.n_columns : 0;
	uint32_t feature;
	if (n == 0 || n > SFT_MAX_COLUMNS)
		return sl_fail(r->error, SCORE_ERR_ARGUMENT, "the lookup in '%s' names %zu features; a callback needs feature_names",
			quoted(p->name).text, n);
	if (!l->feature_names && (l->output_names || l->default_values))
		return sl_fail(r->error, SCORE_ERR_ARGUMENT, "output_names and default_values of '%s' need feature_names, in whose order "
			"they stand", quoted(p->name).text);
	for (size_t i = 0; i < n; i++) {
		if (!name_of(l, p, i))
			return sl_fail(r->error, SCORE_ERR_ARGUMENT, "feature_names of '%s' has no name (NULL) at %u", quoted(p->name).text,
				(uint32_t)i);
		const score_name_match match = find_output(plan, l, p, i, &feature);
		if (match != SCORE_NAME_NONE && match > r->offered[feature])
			r->offered[feature] = match;
	}
	p->n_columns = (uint32_t)n;
	return SCORE_OK;
}

/* Table columns that mean no feature of the model, or one that another column names better, are left out; a callback fills in all
 * of its own. */
static score_status add_column(score_feature_plan *plan, const request *r, const score_feature_lookup *l, planned_lookup *p, uint32_t i)
{
	const char *name = name_of(l, p, i);
	const int64_t at = p->table ? score_table_find_column(p->table, name) : i;
	uint32_t feature;
	const score_name_match match = find_output(plan, l, p, i, &feature);
	if (at < 0)
		return sl_fail(r->error, SCORE_ERR_SHAPE, "'%s' has no column '%s'", quoted(p->name).text, quoted(name).text);
	if (p->table && (match == SCORE_NAME_NONE || match < r->offered[feature]))
		return SCORE_OK;
	if (match == SCORE_NAME_NONE)
		return sl_fail(r->error, SCORE_ERR_SHAPE, "the model has no feature '%s', which '%s' is to look up",
			quoted(output_of(l, p, i)).text, quoted(p->name).text);
	if (r->taken[feature])
		return sl_fail(r->error, SCORE_ERR_SHAPE, "the feature '%s' is looked up twice, in '%s' and in '%s'",
			quoted(score_model_feature_name(plan->model, feature)).text, quoted(plan->lookups[r->taken[feature] - 1].name).text,
			quoted(p->name).text);
	r->taken[feature] = (uint32_t)(p - plan->lookups) + 1;
	planned_column *c = p->columns + p->n_columns;
	*c = (planned_column){feature, (uint32_t)at, plan->own[feature], l->default_values ? l->default_values[i] : (double)NAN, NULL, 0};
	p->n_columns++;
	return p->table ? take_codes(plan, r, p, c) : SCORE_OK;
}

static score_status take_columns(score_feature_plan *plan, const request *r, const score_feature_lookup *l, planned_lookup *p)
{
	const uint32_t n = p->n_columns;
	p->columns = sl_arena_alloc(&plan->arena, n, sizeof *p->columns);
	if (!p->columns)
		return sl_fail_memory(r->error, n * sizeof *p->columns);
	p->n_columns = 0;
	for (uint32_t i = 0; i < n; i++)
		TRY(add_column(plan, r, l, p, i));
	p->first = plan->n_looked_up;
	plan->n_looked_up += p->n_columns;
	return SCORE_OK;
}

static score_status take_lookup(score_feature_plan *plan, const request *r, const score_feature_lookup *given,
	score_feature_lookup *l)
{
	planned_lookup *p = plan->lookups + plan->n_lookups;
	TRY(sl_take_struct(l, sizeof *l, given, "score_feature_lookup", r->error));
	const char *name = l->table_name ? l->table_name : "a feature table";
	if (!!l->table + !!l->source + !!l->callback != 1)
		return sl_fail(r->error, SCORE_ERR_ARGUMENT, "the lookup in '%s' has %d of table, source and callback: exactly one is set",
			quoted(name).text, !!l->table + !!l->source + !!l->callback);
	p->name = sl_arena_string(&plan->arena, name, strlen(name));
	if (!p->name)
		return sl_fail_memory(r->error, strlen(name) + 1);
	p->source = l->source;
	p->callback = l->callback;
	p->context = l->context;
	p->table = l->table ? score_table_retain(l->table) : l->source ? score_table_acquire(l->source) : NULL;
	plan->n_lookups++;
	TRY(take_keys(r, l, p));
	return check_names(plan, r, l, p);
}

/* ---- the whole --------------------------------------------------------------------------------------- */

/* score_bind() says which features nobody gives, and which request columns do not fit. */
static score_status check_features(score_feature_plan *plan, const request *r)
{
	const size_t n = r->n + plan->n_looked_up;
	const char **names = sl_arena_alloc(&plan->arena, n, sizeof *names);
	score_dtype *types = sl_arena_alloc(&plan->arena, n, sizeof *types);
	score_plan *bound;
	if (!names || !types)
		return sl_fail_memory(r->error, n * sizeof *names);
	size_t used = 0;
	for (size_t i = 0; i < r->n; i++) {
		names[used] = r->names[i];
		types[used++] = plan->types[i];
	}
	for (uint32_t i = 0; i < plan->n_lookups; i++)
		for (uint32_t k = 0; k < plan->lookups[i].n_columns; k++) {
			const planned_column *c = plan->lookups[i].columns + k;
			names[used] = score_model_feature_name(plan->model, c->feature);
			types[used] = SCORE_F64;
			used += c->own < 0;
		}
	TRY(score_bind(plan->model, names, types, used, &bound, r->error));
	score_plan_free(bound);
	return SCORE_OK;
}

static score_status fill_plan(score_feature_plan *plan, request *r, const score_feature_lookup *lookups, size_t n)
{
	score_feature_lookup *taken = sl_arena_alloc(&plan->arena, n, sizeof *taken);
	plan->types = sl_arena_alloc(&plan->arena, r->n, sizeof *plan->types);
	plan->own = sl_arena_alloc(&plan->arena, plan->n_features, sizeof *plan->own);
	plan->lookups = sl_arena_alloc(&plan->arena, n, sizeof *plan->lookups);
	r->offered = sl_arena_alloc(&plan->arena, plan->n_features, sizeof *r->offered);
	r->taken = sl_arena_alloc(&plan->arena, plan->n_features, sizeof *r->taken);
	if (!taken || !plan->types || !plan->own || !plan->lookups || !r->offered || !r->taken)
		return sl_fail_memory(r->error, plan->n_features * sizeof *plan->own);
	for (size_t i = 0; i < r->n; i++) {
		if (!r->names[i])
			return sl_fail(r->error, SCORE_ERR_ARGUMENT, "column %zu has no name (NULL)", i);
		plan->types[i] = r->types ? r->types[i] : SCORE_F64;
	}
	TRY(match_request(plan, r));
	for (size_t i = 0; i < n; i++) {
		TRY(take_lookup(plan, r, lookups, taken + i));
		/* The caller's array, whose elements may be shorter or longer than ours. */
		lookups = (const void *)((const char *)lookups + lookups->struct_size);
	}
	for (size_t i = 0; i < n; i++)
		TRY(take_columns(plan, r, taken + i, plan->lookups + i));
	return check_features(plan, r);
}

score_status score_feature_plan_new(const score_model *model, const char *const *column_names, const score_dtype *types,
	size_t n_columns, const score_feature_lookup *lookups, size_t n_lookups, score_feature_plan **out, score_error *error)
{
	score_model_info info = {.struct_size = sizeof info};
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "out is NULL");
	*out = NULL;
	if (!model || (n_columns && !column_names) || (n_lookups && !lookups))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s is NULL", !model ? "model" : "column_names or lookups");
	if (n_columns > UINT32_MAX / 2 || n_lookups > SFT_MAX_COLUMNS)
		return sl_fail(error, SCORE_ERR_LIMIT, "%zu request columns and %zu lookups are too many", n_columns, n_lookups);
	const score_allocator a = sl_allocator(NULL);
	score_feature_plan *plan = sl_alloc(&a, sizeof *plan, SL_CACHE_LINE);
	if (!plan)
		return sl_fail_memory(error, sizeof *plan);
	memset(plan, 0, sizeof *plan);
	plan->allocator = a;
	sl_arena_init(&plan->arena, &a, 0);
	plan->model = model;
	plan->n_request = (uint32_t)n_columns;
	score_status status = score_model_get_info(model, &info);
	plan->n_features = info.n_features;
	request r = {column_names, types, n_columns, error, NULL, NULL};
	if (status == SCORE_OK)
		status = fill_plan(plan, &r, lookups, n_lookups);
	if (status != SCORE_OK)
		score_feature_plan_free(plan);
	else
		*out = plan;
	return status;
}

void score_feature_plan_free(score_feature_plan *plan)
{
	if (!plan)
		return;
	const score_allocator a = plan->allocator;
	for (uint32_t i = 0; i < plan->n_lookups; i++)
		score_table_close(plan->lookups[i].table);
	sl_arena_free(&plan->arena);
	sl_free(&a, plan, sizeof *plan, SL_CACHE_LINE);
}
