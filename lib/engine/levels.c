/*
 * Oblivious trees of a model, which ask one question per level: the batch regime serves them without planes where an
 * instruction set has a kernel for that.
 *
 * Comes in: the batch plan, whose programs of such trees have no operations. Goes out: per tree the question of each bit of
 * its leaf code, as a kernel compares it with a column of byte codes.
 */
#include "parts.h"

#define FIRST_PREDICATE 2u /* slots below are constants */
#define NEVER 0xffffffffu  /* no code of one byte is above 255 */

static bool is_usable(const engine *e)
{
	const forest *f = e->f;
	if (!e->k->level_sum_f64 || !e->batch.usable || f->contract.sum != SCORE_F64 || f->contract.n_outputs != 1 ||
		e->code_bytes != 1 || e->tables || engine_has_linear_leaves(e))
		return false;
	for (uint32_t t = 0; t < f->n_trees; t++) {
		const tree_program *program = e->batch.trees + t;
		if (program->n_pairs || program->full_depth || program->n_planes != LEVELS ||
			(program->leaf_planes && program->leaf_planes != FEW_PLANES))
			return false;
	}
	/* Where a column begins is counted in 32 bits. */
	return e->n_columns <= UINT32_MAX / BLOCK_ROWS;
}

/* The question whose answer is predicate `slot` of a group. */
static level_question question_of(const batch_plan *plan, const tree_group *group, uint32_t slot)
{
	uint32_t low = group->first_run, high = low + group->n_runs;
	if (slot < FIRST_PREDICATE)
		return (level_question){0, NEVER};
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (plan->runs[middle].slot <= slot)
			low = middle;
		else
			high = middle;
	}
	const predicate_run *run = plan->runs + low;
	return (level_question){run->column * BLOCK_ROWS, 0x01010101u * plan->cuts8[run->first + slot - run->slot]};
}

score_status engine_make_levels(engine *e, sl_arena *arena, score_error *error)
{
	if (!is_usable(e))
		return SCORE_OK;
	const batch_plan *plan = &e->batch;
	level_tree *trees = sl_arena_alloc(arena, e->f->n_trees, sizeof *trees);
	level_planes *planes = sl_arena_alloc(arena, e->f->n_trees, sizeof *planes);
	if (!trees || !planes)
		return sl_fail_memory(error, e->f->n_trees * (sizeof *trees + sizeof *planes));
	for (uint32_t g = 0; g < plan->n_groups; g++) {
		const tree_group *group = plan->groups + g;
		for (uint32_t t = group->first_tree; t < group->first_tree + group->n_trees; t++) {
			const tree_program *program = plan->trees + t;
			const uint8_t *table = program->table;
			trees[t].numbers = planes[t].numbers = program->leaf_planes ? table : NULL;
			trees[t].values = planes[t].values = program->leaf_planes ? table + NUMBER_CODES : table;
			memcpy(planes[t].slots, program->planes, sizeof planes[t].slots);
			for (uint32_t k = 0; k < LEVELS; k++)
				trees[t].questions[k] = question_of(plan, group, program->planes[k]);
		}
	}
	e->levels = trees;
	e->level_planes = planes;
	return SCORE_OK;
}
