/*
 * score_table_lookup(): found rows in, typed columns out.
 *
 * Column by column over a tile of rows: the rows' cache lines were asked for when they were found.
 */
#include "table.h"

#include <math.h>

/* Copies of one width; values of rows without one are `missing`. */
#define GATHER(NAME, C) \
	static void NAME(const sft_column *c, uint32_t column, const uint8_t *const *rows, size_t n, C missing, C *out) \
	{ \
		for (size_t i = 0; i < n; i++) { \
			out[i] = missing; \
			if (rows[i] && deploy_has_value(rows[i], column)) \
				memcpy(out + i, rows[i] + c->offset, sizeof *out); \
		} \
	}
GATHER(gather_8, uint64_t)
GATHER(gather_4, uint32_t)
GATHER(gather_1, uint8_t)
#undef GATHER

static void gather_validity(uint32_t column, const uint8_t *const *rows, size_t n, uint8_t *out)
{
	for (size_t i = 0; i < n; i += 8) {
		uint8_t bits = 0;
		for (size_t k = 0; k < 8 && i + k < n; k++)
			bits |= (uint8_t)((rows[i + k] && deploy_has_value(rows[i + k], column)) << k);
		out[i / 8] = bits;
	}
}

/* Tiles begin at multiples of eight rows, so that they share no byte of a bitmap. */
static void gather_column(const score_table *t, const score_table_output *o, const uint8_t *const *rows, size_t first,
	size_t n)
{
	const sft_column *c = t->layout.columns + o->column;
	const uint32_t width = sft_value_bytes(c->type);
	void *to = (char *)o->values + first * width;
	if (width == 8)
		gather_8(c, o->column, rows, n, 0, to);
	else if (width == 4)
		gather_4(c, o->column, rows, n, c->type == SCORE_STRING ? UINT32_MAX : 0, to);
	else
		gather_1(c, o->column, rows, n, 0, to);
	if (o->validity)
		gather_validity(o->column, rows, n, o->validity + first / 8);
}

/* Numbers of texts that a damaged row has must not be used as indices by anyone. */
static score_status check_texts(const score_table *t, const score_table_output *o, size_t n_rows, score_error *error)
{
	const sft_column *c = t->layout.columns + o->column;
	const int32_t *numbers = o->values;
	for (size_t i = 0; i < n_rows; i++)
		if (numbers[i] != -1 && (uint32_t)numbers[i] >= c->n_texts)
			return sl_fail(error, SCORE_ERR_CORRUPT, "a row of column '%s' has text number %d of %u; the file is damaged",
				sl_quote(c->name, strlen(c->name)).text, numbers[i], c->n_texts);
	return SCORE_OK;
}

static score_status check_outputs(const score_table *t, const score_table_output *outputs, size_t n, score_error *error)
{
	for (size_t i = 0; i < n; i++) {
		if (outputs[i].column >= t->layout.n_columns)
			return sl_fail(error, SCORE_ERR_ARGUMENT, "output %zu wants column %u, the table has %u", i, outputs[i].column,
				t->layout.n_columns);
		if (!outputs[i].values)
			return sl_fail(error, SCORE_ERR_ARGUMENT, "output %zu has no values (NULL)", i);
	}
	return SCORE_OK;
}

score_status score_table_lookup(const score_table *t, const score_table_query *query, size_t n_rows,
	const score_table_output *outputs, size_t n_outputs, uint8_t *found, score_error *error)
{
	const uint8_t *rows[DEPLOY_TILE];
	score_table_query q;
	sl_error_clear(error);
	if (!t || !query || (n_outputs && !outputs))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s is NULL", !t ? "table" : !query ? "query" : "outputs");
	TRY(sl_take_struct(&q, sizeof q, query, "score_table_query", error));
	TRY(deploy_check_query(t, &q, n_rows, error));
	TRY(check_outputs(t, outputs, n_outputs, error));
	for (size_t first = 0; first < n_rows; first += DEPLOY_TILE) {
		const size_t n = n_rows - first < DEPLOY_TILE ? n_rows - first : DEPLOY_TILE;
		TRY(deploy_find_rows(t, &q, first, n, rows, error));
		for (size_t k = 0; k < n_outputs; k++)
			gather_column(t, outputs + k, rows, first, n);
		for (size_t i = 0; found && i < n; i++)
			found[first + i] = rows[i] != NULL;
	}
	for (size_t k = 0; k < n_outputs; k++)
		if (t->layout.columns[outputs[k].column].type == SCORE_STRING)
			TRY(check_texts(t, outputs + k, n_rows, error));
	return SCORE_OK;
}
