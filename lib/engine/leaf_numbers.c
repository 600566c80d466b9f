/*
 * Numbers for the answers that a tree's predicates can give together: a tree that asks one column several times has far fewer of
 * them than leaf codes, because a value above one cut is above all lower ones, and so small tables do for its leaf values.
 *
 * Comes in: the code of a tree whose planes are predicates. Goes out: per plane what it adds to the number of a row's answers, as the
 * digits of a number have their weights: a column's digit is how many of its cuts the value is above. And a leaf per number.
 */
#include "planes.h"

/* The numeric run of a group that has a predicate, or NULL. */
static const predicate_run *run_of(const engine *e, const predicate_run *runs, size_t n_runs, uint16_t slot)
{
	for (size_t i = 0; i < n_runs; i++) {
		if (slot >= runs[i].slot && slot - runs[i].slot < runs[i].n)
			return e->columns[runs[i].column].is_category ? NULL : runs + i;
	}
	return NULL;
}

/* Where plane k is 1, so are those of lower cuts, and those that are constant. */
static uint32_t implied_by(const predicate_run *const *run, const tree_code *code, uint32_t k)
{
	uint32_t planes = 0;
	for (uint32_t j = 0; j < code->n_planes; j++) {
		bool lower = run[k] && run[j] == run[k] && code->planes[j] < code->planes[k];
		planes |= (uint32_t)(lower || code->planes[j] == code->planes[k] || code->planes[j] == SLOT_ONES) << j;
	}
	return planes;
}

static bool is_possible(const tree_code *code, const uint32_t *implied, uint32_t answers)
{
	bool can = true;
	for (uint32_t k = 0; can && k < code->n_planes; k++) {
		bool is_one = answers >> k & 1;
		can = is_one ? code->planes[k] != SLOT_ZERO && !(implied[k] & ~answers) : code->planes[k] != SLOT_ONES;
	}
	return can;
}

/* Weights of planes. Returns the number of numbers, or 0 if there are more than `most`. */
static uint32_t weigh(const predicate_run *const *run, const tree_code *code, uint32_t most, answer_numbers *out)
{
	uint32_t n = 1, done = 0;
	for (uint32_t k = 0; k < code->n_planes; k++) {
		uint32_t digit = 1;
		for (uint32_t j = k; j < code->n_planes && code->planes[k] > SLOT_ONES; j++) {
			if (done >> j & 1 || (j > k && (!run[k] || run[j] != run[k]) && code->planes[j] != code->planes[k]))
				continue;
			done |= 1u << j;
			bool again = false;
			for (uint32_t i = k; i < j; i++)
				again |= code->planes[i] == code->planes[j];
			out->weights[j] = again ? 0 : n;
			digit += !again;
		}
		n *= digit;
		if (n > most)
			return 0;
	}
	return n;
}

bool engine_number_answers(const engine *e, const predicate_run *runs, size_t n_runs, const tree_code *code, answer_numbers *out)
{
	const predicate_run *run[8];
	uint32_t implied[8];
	memset(out, 0, sizeof *out);
	if (code->full_depth)
		return false;
	for (uint32_t k = 0; k < code->n_planes; k++)
		run[k] = run_of(e, runs, n_runs, code->planes[k]);
	if (!weigh(run, code, FEW_VALUES, out))
		return false;
	for (uint32_t k = 0; k < code->n_planes; k++)
		implied[k] = implied_by(run, code, k);
	for (uint32_t c = 0; c < 1u << code->n_planes; c++) {
		if (is_possible(code, implied, c))
			out->leaf[engine_answer_number(out, c)] = code->leaf_of_code[c];
	}
	return true;
}
