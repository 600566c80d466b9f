/*
 * Derived columns: whether every index, order and operand is such that a value can be computed without further checks.
 *
 * Comes in: arrays of the announced lengths with any content. Linear in their size, but for columns that name one list: the
 * work that a row may ask for is bounded.
 */
#include "forest.h"

#include <math.h>

#define CORRUPT SCORE_ERR_CORRUPT
/* Steps that all norms and hashes of a row take together. */
#define MAX_WORK ((uint64_t)1 << 28)

/* ---- steps --------------------------------------------------------------------------------------- */

static bool has_a(uint8_t operation)
{
	return operation != SCORE_STEP_IDENTITY && operation != SCORE_STEP_IS_MISSING && operation != SCORE_STEP_TRUNCATE;
}

static bool has_b(uint8_t operation)
{
	return operation == SCORE_STEP_CLIP || operation == SCORE_STEP_REPLACE || operation == SCORE_STEP_GREATER ||
		operation == SCORE_STEP_EQUAL || operation == SCORE_STEP_LOOKUP;
}

bool forest_step_fits(const forest_step *step)
{
	switch (step->operation) {
	case SCORE_STEP_ADD:
	case SCORE_STEP_SUBTRACT:
	case SCORE_STEP_MULTIPLY:
	case SCORE_STEP_DIVIDE:
		return isfinite(step->a);
	case SCORE_STEP_CLIP:
		return step->a <= step->b;
	case SCORE_STEP_REPLACE:
	case SCORE_STEP_GREATER:
	case SCORE_STEP_EQUAL:
		return step->a == step->a;
	default:
		return step->operation <= SCORE_STEP_LOOKUP;
	}
}

void forest_drop_operands(forest_step *step)
{
	if (!has_a(step->operation))
		step->a = 0.0;
	if (!has_b(step->operation))
		step->b = 0.0;
}

static score_status check_lookup(const forest_derived *d, uint32_t number, score_error *error)
{
	const forest_step *s = d->steps + number;
	if (s->values >= d->n_tables || (s->keys != FOREST_DENSE && s->keys >= d->n_tables))
		return sl_fail(error, CORRUPT, "step %u looks up table %u of %u", number, s->values, d->n_tables);
	if (s->keys == FOREST_DENSE)
		return SCORE_OK;
	uint32_t n = d->table_first[s->keys + 1] - d->table_first[s->keys];
	const double *keys = d->table_values + d->table_first[s->keys];
	if (n != d->table_first[s->values + 1] - d->table_first[s->values])
		return sl_fail(error, CORRUPT, "step %u has %u keys, but not as many values", number, n);
	for (uint32_t i = 0; i < n; i++) {
		if (keys[i] != keys[i] || (i && keys[i] <= keys[i - 1]))
			return sl_fail(error, CORRUPT, "key %u of step %u is NaN or out of order", i, number);
	}
	return SCORE_OK;
}

static score_status check_steps(const forest_derived *d, score_error *error)
{
	uint64_t keys = 0;
	for (uint32_t i = 0; i < d->n_steps; i++) {
		const forest_step *s = d->steps + i;
		if (!forest_step_fits(s) || s->is_f32 > 1)
			return sl_fail(error, CORRUPT, "step %u has operation %u with operands that do not fit it", i, s->operation);
		if (s->operation != SCORE_STEP_LOOKUP)
			continue;
		/* Tables are shared: columns that all look one large table up must not cost its length each. */
		if (s->keys < d->n_tables && (i == 0 || s->keys != d->steps[i - 1].keys))
			keys += d->table_first[s->keys + 1] - d->table_first[s->keys];
		if (keys > MAX_WORK)
			return sl_fail(error, SCORE_ERR_LIMIT, "the look-ups of the derived columns have too many keys");
		score_status status = check_lookup(d, i, error);
		if (status != SCORE_OK)
			return status;
	}
	return SCORE_OK;
}

/* ---- tables -------------------------------------------------------------------------------------- */

static score_status check_first(const uint32_t *first, uint32_t n, uint32_t total, const char *what, score_error *error)
{
	if (n == 0)
		return total ? sl_fail(error, CORRUPT, "%s belong to nothing", what) : SCORE_OK;
	bool ascends = first[0] == 0 && first[n] == total;
	for (uint32_t i = 0; i < n && ascends; i++)
		ascends = first[i] <= first[i + 1];
	return ascends ? SCORE_OK : sl_fail(error, CORRUPT, "%s are out of range", what);
}

static score_status check_tables(const forest_derived *d, score_error *error)
{
	score_status status = check_first(d->list_first, d->n_lists, d->n_list_members, "lists of columns", error);
	if (status == SCORE_OK)
		status = check_first(d->table_first, d->n_tables, d->n_table_values, "look-up tables", error);
	if (status == SCORE_OK)
		status = check_first(d->hash_first, d->n_hash_tables, d->n_hashes, "tables of hashes", error);
	for (uint32_t t = 0; t < d->n_hash_tables && status == SCORE_OK; t++) {
		for (uint32_t i = d->hash_first[t] + 1; i < d->hash_first[t + 1] && status == SCORE_OK; i++) {
			if (d->hashes[i] <= d->hashes[i - 1])
				status = sl_fail(error, CORRUPT, "table %u of hashes is not ascending", t);
		}
	}
	return status;
}

/* ---- programs ------------------------------------------------------------------------------------ */

/* An input, or an earlier column that comes from one by steps alone. */
static bool is_plain(const forest *f, uint32_t column, uint32_t of)
{
	return column < of && (column < f->n_features || f->derived.programs[column - f->n_features].root == SCORE_ROOT_VALUE);
}

static uint64_t steps_of(const forest *f, uint32_t column)
{
	return 1 + (column < f->n_features ? 0 : f->derived.programs[column - f->n_features].n_steps);
}

static score_status check_sources(const forest *f, uint32_t column, uint64_t *work, score_error *error)
{
	const forest_derived *d = &f->derived;
	const forest_program *p = d->programs + (column - f->n_features);
	if (p->list >= d->n_lists || d->list_first[p->list] == d->list_first[p->list + 1])
		return sl_fail(error, CORRUPT, "column %u takes list %u of %u, or an empty one", column, p->list, d->n_lists);
	for (uint32_t i = d->list_first[p->list]; i < d->list_first[p->list + 1]; i++) {
		if (!is_plain(f, d->list_members[i], column))
			return sl_fail(error, CORRUPT, "column %u takes column %u, which is not plain or comes later", column,
				d->list_members[i]);
		*work += steps_of(f, d->list_members[i]);
		if (*work > MAX_WORK)
			return sl_fail(error, SCORE_ERR_LIMIT, "the norms and hashes of a row would take more than %llu steps",
				(unsigned long long)MAX_WORK);
	}
	return SCORE_OK;
}

static score_status check_program(const forest *f, uint32_t column, uint64_t *work, score_error *error)
{
	const forest_derived *d = &f->derived;
	const forest_program *p = d->programs + (column - f->n_features);
	if (p->root > SCORE_ROOT_NORM_L2_RATIO || p->is_f32 > 1 || !(p->least >= 0.0))
		return sl_fail(error, CORRUPT, "column %u has an unknown root or a value that does not fit it", column);
	if (p->root == SCORE_ROOT_VALUE)
		return p->source < f->n_features ? SCORE_OK
			: sl_fail(error, CORRUPT, "column %u takes input %u of %u", column, p->source, f->n_features);
	if (p->root == SCORE_ROOT_HASH ? p->hashes >= d->n_hash_tables : !is_plain(f, p->source, column))
		return sl_fail(error, CORRUPT, "column %u takes a column or a table of hashes that is not there", column);
	return check_sources(f, column, work, error);
}

score_status forest_check_derived(const forest *f, score_error *error)
{
	const forest_derived *d = &f->derived;
	uint32_t next = 0;
	uint64_t work = 0;
	if (f->linear_first && (f->kind != SCORE_KIND_LINEAR || f->linear_first >= forest_columns(f) || !d->n))
		return sl_fail(error, CORRUPT, "a sum from column %u on, the model has %u", f->linear_first, forest_columns(f));
	if (d->n && (d->n > FOREST_MAX_COLUMNS || f->n_features > FOREST_MAX_COLUMNS - d->n))
		return sl_fail(error, SCORE_ERR_LIMIT, "the model has %u inputs and %u derived columns, the limit is %u",
			f->n_features, d->n, FOREST_MAX_COLUMNS);
	score_status status = check_tables(d, error);
	if (status == SCORE_OK)
		status = check_steps(d, error);
	for (uint32_t i = 0; i < d->n && status == SCORE_OK; i++) {
		const forest_program *p = d->programs + i;
		if (p->first_step != next || p->n_steps > FOREST_MAX_STEPS || p->n_steps > d->n_steps - next)
			return sl_fail(error, CORRUPT, "the steps of derived column %u are out of range", i);
		next += p->n_steps;
		status = check_program(f, f->n_features + i, &work, error);
	}
	if (status == SCORE_OK && next != d->n_steps)
		status = sl_fail(error, CORRUPT, "%u steps belong to no column", d->n_steps - next);
	return status;
}
