/*
 * Numbers for leaf codes whose values differ: trees whose rows meet few different values need small tables only.
 *
 * Comes in: the codes of a tree and the predicates behind their planes. Goes out: the number of each code's value, and a leaf that
 * has each value. Codes that no row can have get any number: a tree that asks one column several times has many, because a value
 * above one cut is above all lower ones.
 */
#include "planes.h"

/* The answers that a code's planes can have together. */
typedef struct possible {
	uint32_t always, never;       /* planes */
	uint32_t implied[8];          /* by plane k being 1 */
} possible;

/* The numeric run of a group that has a predicate, or NULL. */
static const predicate_run *run_of(const engine *e, const predicate_run *runs, size_t n_runs, uint16_t slot)
{
	for (size_t i = 0; i < n_runs; i++) {
		if (slot >= runs[i].slot && slot - runs[i].slot < runs[i].n)
			return e->columns[runs[i].column].is_category ? NULL : runs + i;
	}
	return NULL;
}

/* Predicates of a run stand in the order of their cuts. */
static possible possible_answers(const engine *e, const predicate_run *runs, size_t n_runs, const tree_code *code)
{
	possible p = {.always = 0};
	const predicate_run *run[8];
	for (uint32_t k = 0; k < code->n_planes; k++) {
		run[k] = run_of(e, runs, n_runs, code->planes[k]);
		p.always |= (uint32_t)(code->planes[k] == SLOT_ONES) << k;
		p.never |= (uint32_t)(code->planes[k] == SLOT_ZERO) << k;
	}
	for (uint32_t k = 0; k < code->n_planes; k++) {
		for (uint32_t j = 0; j < code->n_planes; j++) {
			if (run[k] && run[j] == run[k] && code->planes[j] <= code->planes[k])
				p.implied[k] |= 1u << j;
		}
	}
	return p;
}

static bool is_possible(const possible *p, uint32_t code)
{
	bool can = !(p->always & ~code) && !(p->never & code);
	for (uint32_t k = 0; can && code >> k; k++)
		can = !(code >> k & 1) || !(p->implied[k] & ~code);
	return can;
}

bool engine_number_values(const engine *e, const forest_tree *t, const predicate_run *runs, size_t n_runs, const tree_code *code,
	value_numbers *out)
{
	double values[FEW_VALUES];
	const possible p = code->full_depth ? (possible){.always = 0} : possible_answers(e, runs, n_runs, code);
	memset(out, 0, sizeof *out);
	for (uint32_t c = 0; c < 1u << code->n_planes; c++) {
		uint32_t i = 0;
		if (!is_possible(&p, c))
			continue;
		const double value = forest_real(&e->f->leaves, (size_t)t->first_leaf + code->leaf_of_code[c]);
		while (i < out->n && memcmp(values + i, &value, sizeof value) != 0)
			i++;
		if (i == FEW_VALUES)
			return false;
		out->number[c] = (uint8_t)i;
		if (i < out->n)
			continue;
		values[i] = value;
		out->leaf[out->n++] = code->leaf_of_code[c];
	}
	/* Numbers that no code has. */
	for (uint32_t i = out->n; i < FEW_VALUES; i++)
		out->leaf[i] = out->leaf[0];
	return true;
}
