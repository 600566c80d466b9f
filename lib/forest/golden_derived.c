/*
 * Values of inputs for golden rows, chosen by what derived columns ask: walk a program backwards from a cut of its column,
 * or from a key, a border or a value that one of its steps compares with. Only a proposal: nothing has to be exact.
 */
#include "golden.h"

#include <math.h>

/* The input that a program is about, or n_features: the source of its steps, or the only one of a hash. */
static uint32_t input_of(const forest *f, const forest_program *p)
{
	const forest_derived *d = &f->derived;
	if (p->root == SCORE_ROOT_VALUE)
		return p->source;
	if (p->root != SCORE_ROOT_HASH || d->list_first[p->list + 1] - d->list_first[p->list] != 1)
		return f->n_features;
	uint32_t source = d->list_members[d->list_first[p->list]];
	return source < f->n_features ? source : f->n_features;
}

bool forest_list_askers(const forest *f, sl_arena *scratch, golden_askers *out)
{
	const forest_derived *d = &f->derived;
	uint32_t *first = sl_arena_alloc(scratch, (size_t)f->n_features + 2, sizeof *first);
	uint32_t *programs = sl_arena_alloc(scratch, d->n, sizeof *programs);
	if (!first || !programs)
		return false;
	/* Counted two places on, so that after filling first[i] is where the programs of input i begin. */
	for (uint32_t i = 0; i < d->n; i++) {
		uint32_t input = input_of(f, d->programs + i);
		if (input < f->n_features)
			first[input + 2]++;
	}
	for (uint32_t i = 2; i < f->n_features + 2; i++)
		first[i] += first[i - 1];
	for (uint32_t i = 0; i < d->n; i++) {
		uint32_t input = input_of(f, d->programs + i);
		if (input < f->n_features)
			programs[first[input + 1]++] = i;
	}
	*out = (golden_askers){first, programs};
	return true;
}

bool forest_answers_missing(const forest *f, const golden_askers *askers, uint32_t input)
{
	for (uint32_t i = askers->first[input]; i < askers->first[input + 1]; i++) {
		const forest_program *p = f->derived.programs + askers->programs[i];
		for (uint32_t k = p->first_step; k < p->first_step + p->n_steps; k++) {
			uint8_t operation = f->derived.steps[k].operation;
			if (operation == SCORE_STEP_REPLACE_MISSING || operation == SCORE_STEP_IS_MISSING)
				return true;
		}
	}
	return false;
}

static double pick_key(const forest_derived *d, const forest_step *s, uint64_t r)
{
	uint32_t n = d->table_first[s->values + 1] - d->table_first[s->values];
	uint32_t i = (uint32_t)((r >> 8) % ((uint64_t)n + 1)); /* one more than there are: unknown */
	if (s->keys == FOREST_DENSE)
		return (double)i;
	const double *keys = d->table_values + d->table_first[s->keys];
	return i < n ? keys[i] : keys[n - 1] + 1.0; /* keys that are none are dense */
}

/* A value from which the step makes y, or one that it asks for. */
static double step_back(const forest_derived *d, const forest_step *s, double y, uint64_t r)
{
	switch (s->operation) {
	case SCORE_STEP_ADD:
		return y - s->a;
	case SCORE_STEP_SUBTRACT:
		return y + s->a;
	case SCORE_STEP_MULTIPLY:
		return s->a != 0.0 ? y / s->a : y;
	case SCORE_STEP_DIVIDE:
		return y * s->a;
	case SCORE_STEP_CLIP:
		return (r & 3) ? y : (r & 4) ? s->a - 1.0 : s->b + 1.0;
	case SCORE_STEP_REPLACE:
		return (r & 3) ? y : s->a;
	case SCORE_STEP_GREATER:
		return (r & 3) < 2 ? s->a : (r & 1) ? s->a + 1.0 : s->a - 1.0;
	case SCORE_STEP_EQUAL:
		return (r & 3) ? s->a : s->a + 1.0;
	case SCORE_STEP_LOOKUP:
		return pick_key(d, s, r);
	default:
		return y;
	}
}

#define INVERSE_SQUARE 0xe49f262ff6a1da69u /* forest_hash(0, v) times this is v */

/* A value of the only source of a hash: one whose hash is known, or any. */
static double pick_hashed(const forest *f, const forest_program *p, uint32_t input, uint64_t r)
{
	const forest_derived *d = &f->derived;
	uint32_t first = d->hash_first[p->hashes], n = d->hash_first[p->hashes + 1] - first;
	if (n == 0 || (r & 3) == 0)
		return (double)(r >> 8 & 63);
	uint32_t v = (uint32_t)(d->hashes[first + (uint32_t)((r >> 8) % n)] * INVERSE_SQUARE);
	return forest_is_hashed(f, input) ? (double)v + 0.5 : (double)(int32_t)v;
}

double forest_pick_for_programs(const forest *f, const golden_askers *askers, uint32_t input, uint64_t *state)
{
	const forest_derived *d = &f->derived;
	uint64_t r = forest_golden_random(state);
	uint32_t n = askers->first[input + 1] - askers->first[input];
	uint32_t column = askers->programs[askers->first[input] + (uint32_t)(r >> 32) % n];
	const forest_program *p = d->programs + column;
	if (p->root == SCORE_ROOT_HASH)
		return pick_hashed(f, p, input, forest_golden_random(state));
	double y = forest_golden_number(f, f->features + f->n_features + column, state);
	for (uint32_t k = p->first_step + p->n_steps; k-- > p->first_step;)
		y = step_back(d, d->steps + k, y, forest_golden_random(state));
	if (forest_is_hashed(f, input)) /* a hash stands for itself as hash + 0.5 */
		return y >= 0.0 && y < 4294967296.0 ? floor(y) + 0.5 : 0.0;
	if (f->contract.compare == SCORE_F32)
		y = (double)(float)y;
	return isfinite(y) ? y : 0.0;
}
