/*
 * One derived column into the builder.
 *
 * Comes in: a program whose arrays are the caller's. Goes out: a forest_program, with the source's own steps put before its
 * own, so that nobody has to follow columns through columns; tables are stored once. What only the caller can mend (a source
 * that does not exist, keys out of order) is refused here; forest_check() looks at the result once more.
 */
#include "builder.h"

#define MAX_TABLE_BYTES ((uint64_t)INT32_MAX * sizeof(uint32_t)) /* of all: no kind has more elements than INT32_MAX */

typedef struct adding {
	score_builder *b;
	const score_column_program *given;
	forest_program program;
	uint32_t column;
	score_error *error;
} adding;

static const forest_program *program_of(const score_builder *b, uint32_t column)
{
	return sl_vector_at(&b->programs, column - b->contract.n_features);
}

static score_status check_source(const adding *a, uint32_t source, bool is_plain)
{
	const score_builder *b = a->b;
	if (source >= a->column)
		return sl_fail(a->error, SCORE_ERR_ARGUMENT, "column %u takes column %u, expected an input or an earlier column",
			a->column, source);
	if (is_plain && source >= b->contract.n_features && program_of(b, source)->root != SCORE_ROOT_VALUE)
		return sl_fail(a->error, SCORE_ERR_ARGUMENT,
			"column %u makes a norm or hash of column %u, which is or contains one itself", a->column, source);
	return SCORE_OK;
}

static score_status intern(const adding *a, raw_table_kind kind, const void *elements, size_t n, uint32_t *number)
{
	const uint64_t given = a->b->options.max_bytes, limit = given < MAX_TABLE_BYTES ? given : MAX_TABLE_BYTES;
	const uint64_t have = (uint64_t)a->b->table_words.length * 8; /* in whole words: it may be a few bytes above */
	if (have > limit || n > (limit - have) / forest_table_element(kind))
		return sl_fail(a->error, SCORE_ERR_LIMIT,
			"the tables of the derived columns need more than %llu bytes (max_bytes)", (unsigned long long)limit);
	*number = forest_intern_table(a->b, kind, elements, (uint32_t)n);
	return *number == UINT32_MAX ? sl_fail_memory(a->error, n * forest_table_element(kind)) : SCORE_OK;
}

/* ---- root ---------------------------------------------------------------------------------------- */

static score_status add_sources(adding *a)
{
	const score_column_program *p = a->given;
	if (!p->sources || p->n_sources == 0)
		return sl_fail(a->error, SCORE_ERR_ARGUMENT, "column %u is a norm or hash of no columns", a->column);
	for (size_t i = 0; i < p->n_sources; i++) {
		score_status status = check_source(a, p->sources[i], true);
		if (status != SCORE_OK)
			return status;
	}
	return intern(a, RAW_LIST, p->sources, p->n_sources, &a->program.list);
}

static score_status add_hashes(adding *a)
{
	const score_column_program *p = a->given;
	if (p->n_hashes && !p->hashes)
		return sl_fail(a->error, SCORE_ERR_ARGUMENT, "column %u lacks its hashes (NULL)", a->column);
	for (size_t i = 1; i < p->n_hashes; i++) {
		if (p->hashes[i] <= p->hashes[i - 1])
			return sl_fail(a->error, SCORE_ERR_ARGUMENT, "hash %zu of column %u is not above the one before it", i,
				a->column);
	}
	return intern(a, RAW_HASHES, p->hashes, p->n_hashes, &a->program.hashes);
}

/* The steps of a source that is a derived column itself come first; its root becomes ours. */
static score_status take_over(adding *a)
{
	score_builder *b = a->b;
	if (a->given->source < b->contract.n_features)
		return SCORE_OK;
	uint32_t first = a->program.first_step;
	a->program = *program_of(b, a->given->source);
	uint32_t from = a->program.first_step, n = a->program.n_steps;
	a->program.first_step = first;
	forest_step *to = n ? sl_vector_grow(&b->steps, n) : NULL;
	if (n && !to)
		return sl_fail_memory(a->error, n * sizeof *to);
	if (n)
		memcpy(to, sl_vector_at(&b->steps, from), n * sizeof *to);
	return SCORE_OK;
}

static score_status add_root(adding *a)
{
	const score_column_program *p = a->given;
	bool is_norm = p->root >= SCORE_ROOT_NORM_L1 && p->root <= SCORE_ROOT_NORM_L2_RATIO;
	score_status status;
	if (!is_norm && p->root != SCORE_ROOT_VALUE && p->root != SCORE_ROOT_HASH)
		return sl_fail(a->error, SCORE_ERR_ARGUMENT, "column %u has the unknown root %d", a->column, (int)p->root);
	if (p->flags & ~SCORE_STEP_F32 || (p->flags && !is_norm))
		return sl_fail(a->error, SCORE_ERR_ARGUMENT, "column %u has flags that do not fit its root: 0x%x", a->column,
			p->flags);
	if (p->least != p->least || p->least < 0.0 || (p->least != 0.0 && !is_norm))
		return sl_fail(a->error, SCORE_ERR_ARGUMENT, "column %u: `least` must be 0 or, for norms, positive", a->column);
	a->program.root = (uint8_t)p->root;
	a->program.is_f32 = (p->flags & SCORE_STEP_F32) != 0;
	a->program.least = p->least;
	if (p->root != SCORE_ROOT_HASH) {
		a->program.source = p->source;
		if ((status = check_source(a, p->source, is_norm)) != SCORE_OK)
			return status;
	}
	if (p->root == SCORE_ROOT_VALUE)
		return take_over(a);
	status = add_sources(a);
	return status == SCORE_OK && p->root == SCORE_ROOT_HASH ? add_hashes(a) : status;
}

/* ---- steps --------------------------------------------------------------------------------------- */

static score_status add_lookup(adding *a, const score_step *given, size_t number, forest_step *step)
{
	if (given->n_keys && !given->values)
		return sl_fail(a->error, SCORE_ERR_ARGUMENT, "step %zu of column %u has no values (NULL)", number, a->column);
	step->keys = FOREST_DENSE;
	if (given->keys && given->n_keys) {
		for (size_t i = 0; i < given->n_keys; i++) {
			if (given->keys[i] != given->keys[i] || (i && given->keys[i] <= given->keys[i - 1]))
				return sl_fail(a->error, SCORE_ERR_ARGUMENT,
					"step %zu of column %u: key %zu is NaN or not above the one before it", number, a->column, i);
		}
		score_status status = intern(a, RAW_TABLE, given->keys, given->n_keys, &step->keys);
		if (status != SCORE_OK)
			return status;
	}
	return intern(a, RAW_TABLE, given->values, given->n_keys, &step->values);
}

static score_status add_step(adding *a, const score_step *given, size_t number)
{
	forest_step step = {.a = given->a, .b = given->b, .operation = (uint8_t)given->operation,
		.is_f32 = (given->flags & SCORE_STEP_F32) != 0};
	score_status status = SCORE_OK;
	if (given->operation < SCORE_STEP_IDENTITY || given->operation > SCORE_STEP_LOOKUP)
		return sl_fail(a->error, SCORE_ERR_ARGUMENT, "step %zu of column %u has the unknown operation %d", number,
			a->column, (int)given->operation);
	if (given->flags & ~SCORE_STEP_F32)
		return sl_fail(a->error, SCORE_ERR_ARGUMENT, "step %zu of column %u has unknown flags: 0x%x", number, a->column,
			given->flags);
	if (!forest_step_fits(&step))
		return sl_fail(a->error, SCORE_ERR_ARGUMENT, "step %zu of column %u has operands (%g, %g) that do not fit operation %d",
			number, a->column, given->a, given->b, (int)given->operation);
	forest_drop_operands(&step);
	if (given->operation == SCORE_STEP_LOOKUP)
		status = add_lookup(a, given, number, &step);
	if (status == SCORE_OK && !sl_vector_push(&a->b->steps, &step, 1))
		status = sl_fail_memory(a->error, sizeof step);
	return status;
}

static score_status add_steps(adding *a)
{
	const score_column_program *p = a->given;
	size_t have = a->program.n_steps;
	if (p->n_steps && !p->steps)
		return sl_fail(a->error, SCORE_ERR_ARGUMENT, "column %u lacks its steps (NULL)", a->column);
	if (p->n_steps > FOREST_MAX_STEPS - have)
		return sl_fail(a->error, SCORE_ERR_LIMIT, "column %u has %zu steps, with those of its source; the limit is %u",
			a->column, p->n_steps + have, FOREST_MAX_STEPS);
	for (size_t i = 0; i < p->n_steps; i++) {
		score_status status = add_step(a, p->steps + i, i);
		if (status != SCORE_OK)
			return status;
	}
	a->program.n_steps += (uint32_t)p->n_steps;
	return SCORE_OK;
}

static score_status check_builder(const score_builder *b, score_error *error)
{
	if (b->has_linear)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the weights are set already: add derived columns before them");
	if (forest_builder_columns(b) >= FOREST_MAX_COLUMNS)
		return sl_fail(error, SCORE_ERR_LIMIT, "the model has more than %u columns, derived ones included",
			FOREST_MAX_COLUMNS);
	return SCORE_OK;
}

static score_status add_column(score_builder *b, const score_column_program *program, uint32_t *column,
	score_error *error)
{
	score_column_program p;
	sl_error_clear(error);
	if (!b || !program || b->spent)
		return sl_fail(error, SCORE_ERR_ARGUMENT,
			"score_builder_add_column: builder and program must not be NULL or spent");
	score_status status = sl_take_struct(&p, sizeof p, program, "score_column_program", error);
	if (status == SCORE_OK)
		status = check_builder(b, error);
	if (status != SCORE_OK)
		return status;
	size_t steps = b->steps.length;
	adding a = {.b = b, .given = &p, .column = forest_builder_columns(b), .error = error,
		.program = {.first_step = (uint32_t)steps}};
	status = add_root(&a);
	if (status == SCORE_OK)
		status = add_steps(&a);
	if (status == SCORE_OK && !sl_vector_push(&b->programs, &a.program, 1))
		status = sl_fail_memory(error, sizeof a.program);
	if (status != SCORE_OK)
		b->steps.length = steps;
	else if (column)
		*column = a.column;
	return status;
}

score_status score_builder_add_column(score_builder *b, const score_column_program *program, uint32_t *column,
	score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = add_column(b, program, column, error);
	sl_leave_default_float(host);
	return status;
}
