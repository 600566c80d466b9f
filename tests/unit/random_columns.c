#include "random_columns.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STEPS 6
#define MAX_SOURCES 5
#define N_KEYS 9
#define N_HASHES 60

typedef struct maker {
	score_builder *builder;
	score_error *error;
	uint64_t random;
	uint32_t n_features, next; /* next column */
	uint32_t hashed[8], n_hashed; /* columns whose values are hashes or bits */
	uint8_t *is_plain;
	double keys[MAX_STEPS][N_KEYS], values[MAX_STEPS][N_KEYS];
	score_step steps[MAX_STEPS];
	size_t n_steps;
} maker;

static const double cat_hashes[N_KEYS] = {17.0, 4294967295.0, 2147483648.0, 0.0, -5.0, 2147483647.0, 3.0, 123456789.0,
	4000000000.0};

static uint32_t below(maker *m, uint32_t n)
{
	m->random = m->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((m->random >> 33) % n);
}

static double number(maker *m)
{
	static const double odd[] = {0.0, -0.0, 0.1, 3.0, 1e-3, 1e20, -1e-30};
	if (below(m, 6) == 0)
		return odd[below(m, 7)];
	/* One draw per statement: their order within an expression is the compiler's. */
	double n = (double)below(m, 20001) - 10000.0;
	return n / (below(m, 2) ? 700.0 : 1024.0);
}

static score_step *push(maker *m, score_operation operation, double a, double b)
{
	score_step *s = m->steps + m->n_steps++;
	*s = (score_step){.operation = operation, .a = a, .b = b};
	return s;
}

static void push_lookup(maker *m)
{
	size_t at = m->n_steps;
	double key = (double)below(m, 5) - 3.0;
	double of_missing = below(m, 2) ? NAN : number(m), of_unknown = number(m);
	score_step *s = push(m, SCORE_STEP_LOOKUP, of_unknown, of_missing);
	for (size_t i = 0; i < N_KEYS; i++) {
		m->keys[at][i] = key;
		m->values[at][i] = below(m, 3) ? (double)below(m, 7) : number(m);
		key += below(m, 4) ? 1.0 : 0.5;
	}
	s->keys = below(m, 3) ? m->keys[at] : NULL;
	s->values = m->values[at];
	s->n_keys = below(m, 20) ? N_KEYS : 0;
}

static void push_any(maker *m)
{
	static const double flags[] = {0.0, 1.0, NAN};
	score_operation operation = (score_operation)below(m, 13);
	double a = number(m), b = number(m);
	if (operation == SCORE_STEP_LOOKUP) {
		push(m, SCORE_STEP_TRUNCATE, 0.0, 0.0);
		push_lookup(m);
		return;
	}
	if (operation == SCORE_STEP_CLIP && a > b) {
		double c = a;
		a = b;
		b = c;
	}
	if (operation == SCORE_STEP_GREATER || operation == SCORE_STEP_EQUAL)
		b = flags[below(m, 3)];
	if (operation == SCORE_STEP_DIVIDE && a == 0.0)
		a = 0.5;
	push(m, operation, a, b);
}

static score_status add(maker *m, score_column_program *p)
{
	uint32_t column;
	p->steps = m->steps;
	p->n_steps = m->n_steps;
	m->n_steps = 0;
	score_status status = score_builder_add_column(m->builder, p, &column, m->error);
	if (status != SCORE_OK)
		return status;
	m->is_plain[column] = p->root == SCORE_ROOT_VALUE && m->is_plain[p->source];
	m->next = column + 1;
	return SCORE_OK;
}

/* An input or a column made of one by steps alone. */
static uint32_t plain(maker *m)
{
	for (;;) {
		uint32_t column = below(m, m->next);
		if (m->is_plain[column])
			return column;
	}
}

static score_status add_steps(maker *m)
{
	score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
	uint32_t n = below(m, 4), as_float = below(m, 3) == 0;
	p.source = below(m, 3) ? below(m, m->n_features) : below(m, m->next);
	for (uint32_t i = 0; i < n && m->n_steps + 2 <= MAX_STEPS; i++)
		push_any(m);
	for (size_t i = 0; i < m->n_steps; i++)
		m->steps[i].flags = as_float ? SCORE_STEP_F32 : 0;
	return add(m, &p);
}

static score_status add_norm(maker *m)
{
	score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
	uint32_t sources[MAX_SOURCES];
	p.root = (score_root)(SCORE_ROOT_NORM_L1 + below(m, 5));
	p.n_sources = 1 + below(m, MAX_SOURCES);
	p.sources = sources;
	for (size_t i = 0; i < p.n_sources; i++)
		sources[i] = plain(m);
	p.source = sources[below(m, (uint32_t)p.n_sources)];
	p.flags = below(m, 2) ? SCORE_STEP_F32 : 0;
	p.least = below(m, 3) ? 0.0 : 0.75;
	if (below(m, 3) == 0)
		push_any(m);
	return add(m, &p);
}

static score_status add_hashed(maker *m)
{
	score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
	/* The first features hold categories, if any do. */
	p.source = below(m, m->n_features < 4 ? m->n_features : 4);
	if (below(m, 3)) {
		score_step *s = push(m, SCORE_STEP_LOOKUP, below(m, 2) ? NAN : 3.0, NAN);
		s->values = cat_hashes;
		s->n_keys = N_KEYS;
	} else {
		double flag = (double)below(m, 2), than = (double)below(m, 4);
		push(m, below(m, 2) ? SCORE_STEP_GREATER : SCORE_STEP_EQUAL, than, flag);
	}
	m->hashed[m->n_hashed++ % 8] = m->next;
	return add(m, &p);
}

static int compare_u64(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
	return a < b ? -1 : a > b;
}

static score_status add_hash(maker *m)
{
	score_column_program p = SCORE_COLUMN_PROGRAM_INIT;
	const uint64_t magic = 0x4906ba494954cb65u;
	uint32_t n_hashed = m->n_hashed < 8 ? m->n_hashed : 8, sources[MAX_SOURCES];
	uint64_t hashes[N_HASHES];
	double values[N_HASHES];
	p.root = SCORE_ROOT_HASH;
	p.n_sources = 1 + below(m, 3);
	p.sources = sources;
	for (size_t i = 0; i < p.n_sources; i++)
		sources[i] = m->hashed[below(m, n_hashed)];
	for (size_t k = 0; k < N_HASHES; k++) {
		hashes[k] = 0;
		for (size_t i = 0; i < p.n_sources; i++) {
			double v = below(m, 3) ? cat_hashes[below(m, N_KEYS)] : (double)below(m, 2);
			hashes[k] = magic * (hashes[k] + magic * (uint64_t)(int64_t)(int32_t)(uint32_t)(int64_t)v);
		}
		values[k] = number(m);
	}
	qsort(hashes, N_HASHES, sizeof *hashes, compare_u64);
	p.hashes = hashes;
	for (size_t k = 0; k < N_HASHES; k++) {
		if (k == 0 || hashes[k] != hashes[p.n_hashes - 1])
			hashes[p.n_hashes++] = hashes[k];
	}
	if (below(m, 4)) {
		score_step *s = push(m, SCORE_STEP_LOOKUP, 0.0, 0.25);
		s->values = values;
		s->n_keys = p.n_hashes;
	}
	return add(m, &p);
}

score_status random_columns(score_builder *builder, uint64_t seed, uint32_t n_features, uint32_t n, score_error *error)
{
	maker m = {.builder = builder, .error = error, .random = seed, .n_features = n_features, .next = n_features};
	score_status status = SCORE_OK;
	m.is_plain = calloc(n_features + n, 1);
	if (!m.is_plain)
		return SCORE_ERR_MEMORY;
	memset(m.is_plain, 1, n_features);
	for (uint32_t i = 0; i < n && status == SCORE_OK; i++) {
		uint32_t kind = below(&m, 8);
		if (kind < 2)
			status = add_norm(&m);
		else if (kind == 2 || (kind == 3 && m.n_hashed == 0))
			status = add_hashed(&m);
		else if (kind == 3)
			status = add_hash(&m);
		else
			status = add_steps(&m);
	}
	free(m.is_plain);
	return status;
}
