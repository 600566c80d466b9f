/*
 * score_feature_lookup_batch(): a request in, the model's rows out, in the caller's scratch.
 *
 * Every looked-up feature becomes a column of doubles: numbers as they are, texts as the model's codes. NaN is missing; the
 * feature's default takes its place, and then the request's own value, where it has one.
 */
#include "feature_plan.h"

#include <math.h>
#include <stdio.h>

/* The scratch: what the caller's pointer is cut into. */
typedef struct workspace {
	score_column *features; /* [n_features] */
	double **columns;       /* [n_looked_up] */
	double *values;         /* [n_looked_up, n_rows] */
} workspace;

size_t score_feature_scratch_bytes(const score_feature_plan *plan, size_t n_rows)
{
	size_t values;
	if (!plan || !sl_mul(n_rows, (size_t)plan->n_looked_up * sizeof(double), &values))
		return 0;
	const size_t fixed = plan->n_features * sizeof(score_column) + plan->n_looked_up * sizeof(double *) + 4 * SL_CACHE_LINE;
	return sl_add(values, fixed, &values) ? values : 0;
}

static void cut(const score_feature_plan *plan, size_t n_rows, void *scratch, workspace *out)
{
	uintptr_t at = sl_round_up((size_t)(uintptr_t)scratch, SL_CACHE_LINE);
	out->features = (void *)at;
	at = sl_round_up(at + plan->n_features * sizeof(score_column), SL_CACHE_LINE);
	out->values = (void *)at;
	out->columns = (void *)(at + plan->n_looked_up * n_rows * sizeof(double));
	for (uint32_t i = 0; i < plan->n_looked_up; i++)
		out->columns[i] = out->values + (size_t)i * n_rows;
}

/* ---- one column --------------------------------------------------------------------------------------- */

/* Code of a text; a table that has replaced the plan's own has other numbers for its texts, which are looked up by text. */
static double code_of(const score_feature_plan *plan, const planned_lookup *p, const planned_column *c, const score_table *t,
	uint32_t number)
{
	size_t length;
	double code = (double)NAN;
	if (t == p->table)
		return number < c->n_codes ? c->codes[number] : code;
	const char *text = score_table_text(t, c->column, number, &length);
	if (text)
		(void)score_model_category_find(plan->model, c->feature, text, length, &code);
	return code;
}

static double value_of(const uint8_t *from, score_dtype type)
{
	if (type == SCORE_F64)
		return sl_f64_from_bits(sl_load_u64(from));
	if (type == SCORE_F32)
		return (double)sl_f32_from_bits(sl_load_u32(from));
	if (type == SCORE_I64)
		return (double)(int64_t)sl_load_u64(from);
	if (type == SCORE_I32)
		return (double)(int32_t)sl_load_u32(from);
	return *from != 0;
}

static void gather(const score_feature_plan *plan, const planned_lookup *p, const planned_column *c, const score_table *t,
	const uint8_t *const *rows, size_t n, double *out)
{
	const sft_column *column = t->layout.columns + c->column;
	for (size_t i = 0; i < n; i++) {
		if (!rows[i] || !deploy_has_value(rows[i], c->column))
			out[i] = (double)NAN;
		else if (column->type == SCORE_STRING)
			out[i] = code_of(plan, p, c, t, sl_load_u32(rows[i] + column->offset));
		else
			out[i] = value_of(rows[i] + column->offset, column->type);
	}
}

static double own_value(const score_feature_plan *plan, const planned_column *c, const score_column *own, size_t r)
{
	size_t length;
	double code = (double)NAN;
	if (own->dtype != SCORE_STRING)
		return deploy_number_at(own, r);
	const char *text = deploy_text_at(own, r, &length);
	if (text)
		(void)score_model_category_find(plan->model, c->feature, text, length, &code);
	return code;
}

/* Default, then the request's own value. Positive infinity is a text that the model refuses. */
static score_status complete(const score_feature_plan *plan, const planned_lookup *p, const planned_column *c,
	const score_column *request, size_t n_rows, double *out, score_error *error)
{
	const bool has_texts = score_model_dictionary(plan->model, c->feature) != 0;
	for (size_t r = 0; r < n_rows; r++) {
		const double own = c->own >= 0 ? own_value(plan, c, request + c->own, r) : (double)NAN;
		if (!isnan(own))
			out[r] = own;
		else if (isnan(out[r]))
			out[r] = c->fallback;
		if (has_texts && out[r] == SCORE_REFUSE)
			return sl_fail(error, SCORE_ERR_SHAPE, "row %zu: the category that '%s' or the request gives for '%s' is none that the "
				"model was trained with", r, sl_quote(p->name, strlen(p->name)).text,
				sl_quote(score_model_feature_name(plan->model, c->feature), 40).text);
	}
	return SCORE_OK;
}

/* ---- one lookup --------------------------------------------------------------------------------------- */

static score_status fetch_from_table(const score_feature_plan *plan, const planned_lookup *p, const score_table *t,
	const score_table_query *q, size_t n_rows, double *const *columns, score_error *error)
{
	const uint8_t *rows[DEPLOY_TILE];
	TRY(deploy_check_query(t, q, n_rows, error));
	for (size_t first = 0; first < n_rows; first += DEPLOY_TILE) {
		const size_t n = n_rows - first < DEPLOY_TILE ? n_rows - first : DEPLOY_TILE;
		TRY(deploy_find_rows(t, q, first, n, rows, error));
		for (uint32_t k = 0; k < p->n_columns; k++)
			gather(plan, p, p->columns + k, t, rows, n, columns[k] + first);
	}
	return SCORE_OK;
}

static score_status fetch_from_host(const planned_lookup *p, const score_table_query *q, size_t n_rows, double *const *columns,
	score_error *error)
{
	for (uint32_t k = 0; k < p->n_columns; k++)
		for (size_t r = 0; r < n_rows; r++)
			columns[k][r] = (double)NAN;
	const int code = p->callback(p->context, n_rows, q->keys, q->n_keys, q->timestamp, columns, p->n_columns);
	if (code != 0)
		return sl_fail(error, SCORE_ERR_IO, "the host's lookup in '%s' failed with %d", sl_quote(p->name, strlen(p->name)).text, code);
	return SCORE_OK;
}

static score_status fetch(const score_feature_plan *plan, const planned_lookup *p, const score_column *request, size_t n_rows,
	double *const *columns, score_error *error)
{
	score_column keys[SFT_MAX_KEYS];
	score_table_query q = {sizeof q, keys, p->n_keys, p->timestamp < 0 ? NULL : request + p->timestamp, p->lookback};
	for (uint32_t k = 0; k < p->n_keys; k++)
		keys[k] = request[p->keys[k]];
	if (p->callback)
		return fetch_from_host(p, &q, n_rows, columns, error);
	score_table *current = p->source ? score_table_acquire(p->source) : NULL;
	const score_status status = fetch_from_table(plan, p, current ? current : p->table, &q, n_rows, columns, error);
	score_table_close(current);
	return status;
}

static score_status check_column(const score_input *request, uint32_t i, score_error *error)
{
	char what[32];
	snprintf(what, sizeof what, "request column %u", i);
	return deploy_check_column(request->u.columns.columns + i, (size_t)request->n_rows, what, error);
}

/* The columns that this lookup reads; score_batch() looks at those that go into the model as they are. */
static score_status check_columns(const planned_lookup *p, const score_input *request, score_error *error)
{
	for (uint32_t k = 0; k < p->n_keys; k++)
		TRY(check_column(request, p->keys[k], error));
	if (p->timestamp >= 0)
		TRY(check_column(request, (uint32_t)p->timestamp, error));
	for (uint32_t k = 0; k < p->n_columns; k++)
		if (p->columns[k].own >= 0)
			TRY(check_column(request, (uint32_t)p->columns[k].own, error));
	return SCORE_OK;
}

static score_status check_request(const score_feature_plan *plan, const score_input *request, score_error *error)
{
	if (request->struct_size != sizeof *request || request->layout != SCORE_COLUMNS)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "expected the request as columns: make it with score_input_columns()");
	if (request->n_columns != plan->n_request || request->n_rows < 0 || (plan->n_request && !request->u.columns.columns))
		return sl_fail(error, SCORE_ERR_SHAPE, "the plan was made for requests of %u columns, this one has %lld columns and %lld rows",
			plan->n_request, (long long)request->n_columns, (long long)request->n_rows);
	for (uint32_t i = 0; i < plan->n_request; i++)
		if ((request->u.columns.columns[i].dtype == SCORE_STRING) != (plan->types[i] == SCORE_STRING))
			return sl_fail(error, SCORE_ERR_SHAPE, "request column %u has another type than the plan was made for", i);
	for (uint32_t i = 0; i < plan->n_lookups; i++)
		TRY(check_columns(plan->lookups + i, request, error));
	return SCORE_OK;
}

static score_status look_up(const score_feature_plan *plan, const score_input *request, void *scratch,
	size_t scratch_bytes, score_input *out, score_error *error)
{
	workspace w;
	sl_error_clear(error);
	if (!plan || !request || !scratch || !out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "plan, request, scratch or out is NULL");
	TRY(check_request(plan, request, error));
	const size_t n_rows = (size_t)request->n_rows, wanted = score_feature_scratch_bytes(plan, n_rows);
	if (wanted == 0 || scratch_bytes < wanted)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%zu rows need %zu bytes of scratch (score_feature_scratch_bytes()), found %zu",
			n_rows, wanted, scratch_bytes);
	const score_column *columns = request->u.columns.columns;
	cut(plan, n_rows, scratch, &w);
	for (uint32_t i = 0; i < plan->n_features; i++)
		if (plan->own[i] >= 0)
			w.features[i] = columns[plan->own[i]];
	for (uint32_t i = 0; i < plan->n_lookups; i++) {
		const planned_lookup *p = plan->lookups + i;
		double *const *values = w.columns + p->first;
		TRY(fetch(plan, p, columns, n_rows, values, error));
		for (uint32_t k = 0; k < p->n_columns; k++) {
			TRY(complete(plan, p, p->columns + k, columns, n_rows, values[k], error));
			w.features[p->columns[k].feature] = (score_column){values[k], NULL, 0, 0, SCORE_F64, 0};
		}
	}
	*out = score_input_columns(w.features, request->n_rows, plan->n_features);
	return SCORE_OK;
}

score_status score_feature_lookup_batch(const score_feature_plan *plan, const score_input *request, void *scratch,
	size_t scratch_bytes, score_input *out, score_error *error)
{
	const unsigned host = sl_enter_default_float();
	const score_status status = look_up(plan, request, scratch, scratch_bytes, out, error);
	sl_leave_default_float(host);
	return status;
}
