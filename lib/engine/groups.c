/*
 * The batch plan: trees in groups that share predicates, each tree with its select program and its leaf table.
 *
 * A group's predicate planes should fit the second-level cache; the next group computes its own. Within a group, slot 0 is
 * all zeros, slot 1 all ones, then come the predicates sorted by column and cut, then scratch.
 */
#include "parts.h"
#include "planes.h"

#define FIRST_PREDICATE 2u
#define MAX_OUTPUTS 256u
#define MAX_GROUP_TESTS 60000u
#define MANY_STEPS 128u /* of a tree's cursors: three narrow blocks take less time than a wide one */
/* Operations that room is taken for: of so many trees like the one at hand, and at least. */
#define OPS_OF_TREES 16u
#define LEAST_OPS 512u

typedef struct planner {
	engine *e;
	sl_arena *arena;
	score_error *error;
	uint32_t *group_of_test; /* last group that uses the test, or all ones */
	uint16_t *slot_of_test;
	uint32_t *sorted;        /* tests by column and cut */
	tree_coder *coder;
	uint32_t group;          /* number of the group at hand */
	uint32_t n_tests;        /* that it has */
	uint32_t most_slots;
	select_op *room;         /* in the model, for so many operations of the next trees */
	size_t room_left;
	size_t n_ops;            /* of all trees so far */
	sl_vector groups, runs, cuts8, cuts16, set_cuts, ops, full_slots, steps, trees, leaves; /* ops: of the tree at hand */
} planner;

static score_status no_memory(planner *p)
{
	return sl_fail_memory(p->error, p->n_ops * sizeof(select_op));
}

/* ---- predicates of a group --------------------------------------------------------------------------------- */

static uint32_t limit_of(const planner *p)
{
	uint32_t limit = p->e->k->group_tests;
	return limit < MAX_GROUP_TESTS ? limit : MAX_GROUP_TESTS;
}

/* Tests of a tree that the group does not have yet. */
static uint32_t count_new(const planner *p, const forest_tree *t)
{
	uint32_t n = 0;
	for (uint32_t s = 0; s < t->n_splits; s++)
		n += p->group_of_test[forest_number(&p->e->f->split_test, (size_t)t->first_split + s)] != p->group;
	return n;
}

static void take_tests(planner *p, const forest_tree *t)
{
	for (uint32_t s = 0; s < t->n_splits; s++) {
		uint32_t test = forest_number(&p->e->f->split_test, (size_t)t->first_split + s);
		p->n_tests += p->group_of_test[test] != p->group;
		p->group_of_test[test] = p->group;
	}
}

/* All tests by column and, within one, by cut. They come sorted by feature, kind and cut, so counting columns is enough. */
static bool sort_tests(planner *p)
{
	const engine *e = p->e;
	size_t bytes = ((size_t)e->n_columns + 1) * sizeof(uint32_t);
	uint32_t *next = sl_alloc(&p->arena->allocator, bytes, 64);
	if (!next)
		return false;
	memset(next, 0, bytes);
	for (uint32_t i = 0; i < e->f->n_tests; i++)
		next[question_at(&e->questions, i).column + 1]++;
	for (uint32_t c = 0; c < e->n_columns; c++)
		next[c + 1] += next[c];
	for (uint32_t i = 0; i < e->f->n_tests; i++)
		p->sorted[next[question_at(&e->questions, i).column]++] = i;
	sl_free(&p->arena->allocator, next, bytes, 64);
	return true;
}

static bool push_cut(planner *p, const question *q, predicate_run *run)
{
	bool is_set = p->e->columns[q->column].is_category;
	uint8_t narrow = (uint8_t)q->cut;
	uint16_t wide = (uint16_t)q->cut;
	sl_vector *to = is_set ? &p->set_cuts : p->e->code_bytes == 1 ? &p->cuts8 : &p->cuts16;
	const void *value = is_set ? (const void *)&q->cut : p->e->code_bytes == 1 ? (const void *)&narrow : &wide;
	if (run->n == 0)
		run->first = (uint32_t)to->length;
	run->n++;
	return sl_vector_push(to, value, 1);
}

static bool number_predicates(planner *p, tree_group *group)
{
	const engine *e = p->e;
	predicate_run run = {.n = 0};
	uint32_t slot = FIRST_PREDICATE;
	group->first_run = (uint32_t)p->runs.length;
	for (uint32_t i = 0; i < e->f->n_tests; i++) {
		const question q = question_at(&e->questions, p->sorted[i]);
		if (p->group_of_test[p->sorted[i]] != p->group)
			continue;
		if (run.n && q.column != run.column) {
			if (!sl_vector_push(&p->runs, &run, 1))
				return false;
			run.n = 0;
		}
		if (run.n == 0)
			run = (predicate_run){q.column, slot, 0, 0};
		if (!push_cut(p, &q, &run))
			return false;
		p->slot_of_test[p->sorted[i]] = (uint16_t)slot++;
	}
	if (run.n && !sl_vector_push(&p->runs, &run, 1))
		return false;
	group->n_runs = (uint32_t)p->runs.length - group->first_run;
	return true;
}

/* ---- trees of a group ---------------------------------------------------------------------------------------- */

/* Parts of `unit` bytes: part k of value v at k * n_values + v. */
static void spread_parts(const void *values, size_t value_bytes, size_t n_values, size_t unit, uint8_t *to)
{
	const uint8_t *from = values;
	for (size_t v = 0; v < n_values; v++) {
		for (size_t k = 0; k < value_bytes; k += unit)
			memcpy(to + k * n_values + v * unit, from + v * value_bytes + k, unit);
	}
}

/* The table of a tree's leaf values for one output of a vector tree, 0 of a scalar one. */
static bool push_table(planner *p, const forest_tree *t, const tree_code *code, uint32_t output)
{
	const forest *f = p->e->f;
	double wide[MAX_CODED_LEAVES];
	float narrow[MAX_CODED_LEAVES];
	size_t n = (size_t)1 << code->n_planes;
	for (size_t i = 0; i < n; i++) {
		wide[i] = forest_real(&f->leaves, ((size_t)t->first_leaf + code->leaf_of_code[i]) * f->leaf_width + output);
		narrow[i] = (float)wide[i];
	}
	bool is_f32 = f->contract.sum == SCORE_F32;
	const void *values = is_f32 ? (const void *)narrow : wide;
	if (code->n_planes > (is_f32 ? p->e->k->byte_planes_f32 : p->e->k->byte_planes_f64))
		return sl_vector_push(&p->leaves, values, n);
	void *to = sl_vector_grow(&p->leaves, n);
	if (to)
		spread_parts(values, p->leaves.element, n, code->n_planes <= p->e->k->word_planes ? 2 : 1, to);
	return to != NULL;
}

/* Of a model with linear leaves: which leaf of the tree each code stands for. */
static bool push_leaf_numbers(planner *p, const tree_code *code)
{
	uint8_t numbers[MAX_CODED_LEAVES];
	size_t n = (size_t)1 << code->n_planes;
	for (size_t i = 0; i < n; i++)
		numbers[i] = (uint8_t)code->leaf_of_code[i];
	return sl_vector_push(&p->leaves, numbers, n);
}

static bool push_tables(planner *p, const forest_tree *t, const tree_code *code)
{
	bool done = true;
	if (engine_has_linear_leaves(p->e))
		return push_leaf_numbers(p, code);
	for (uint32_t o = 0; o < p->e->f->leaf_width && done; o++)
		done = push_table(p, t, code, o);
	return done;
}

/* Narrow blocks follow a tree's cursors where that is less work than its operations. */
static bool push_steps(planner *p, const forest_tree *t, const tree_code *code, tree_program *program)
{
	const kernels *narrow = p->e->k->narrow;
	if (!t->n_splits || !narrow || !narrow->follow_cursors || 2 * program->n_ops < narrow->cursor_cost * t->n_splits)
		return true;
	program->n_steps = (uint16_t)t->n_splits;
	program->first_step = (uint32_t)p->steps.length;
	return engine_code_steps(p->coder, code, &p->steps, &program->start);
}

/* The operations of the tree at hand go into the model. Room for some trees is taken at a time: a program lies in one piece, and
 * all of them together are most of many a model. */
static bool keep_ops(planner *p, tree_program *program)
{
	size_t n = p->ops.length;
	if (n > p->room_left) {
		p->room_left = OPS_OF_TREES * n < LEAST_OPS ? LEAST_OPS : OPS_OF_TREES * n;
		p->room = sl_arena_alloc(p->arena, p->room_left, sizeof *p->room);
		if (!p->room)
			return false;
	}
	if (n)
		memcpy(p->room, p->ops.data, n * sizeof *p->room);
	program->ops = p->room;
	program->n_ops = (uint16_t)n;
	p->room = n ? p->room + n : p->room;
	p->room_left -= n;
	p->n_ops += n;
	return true;
}

static score_status close_group(planner *p, tree_group *group)
{
	const forest *f = p->e->f;
	bool done = number_predicates(p, group);
	uint32_t first_scratch = FIRST_PREDICATE + p->n_tests, most_scratch = 0;
	const kernels *k = p->e->k;
	coder_rules rules = {k->min_planes, f->contract.sum == SCORE_F32 ? k->sum_cost_f32 : k->sum_cost_f64};
	for (uint32_t t = group->first_tree; done && t < group->first_tree + group->n_trees; t++) {
		tree_code code;
		tree_program program = {.table = (uint32_t)p->leaves.length, .first_full = (uint32_t)p->full_slots.length};
		p->ops.length = 0;
		done = engine_code_tree(p->coder, f, f->trees + t, &rules, p->slot_of_test, first_scratch, &p->ops, &code) && keep_ops(p, &program);
		if (!done)
			break;
		program.full_depth = (uint8_t)code.full_depth;
		if (code.full_depth)
			done = sl_vector_push(&p->full_slots, code.full_slots, ((size_t)1 << code.full_depth) - 1);
		program.n_planes = (uint8_t)code.n_planes;
		memcpy(program.planes, code.planes, sizeof program.planes);
		most_scratch = code.n_scratch > most_scratch ? code.n_scratch : most_scratch;
		done = done && push_tables(p, f->trees + t, &code) && push_steps(p, f->trees + t, &code, &program) &&
			sl_vector_push(&p->trees, &program, 1);
	}
	if (first_scratch + most_scratch > p->most_slots)
		p->most_slots = first_scratch + most_scratch;
	p->n_tests = 0;
	p->group++;
	return done && sl_vector_push(&p->groups, group, 1) ? SCORE_OK : no_memory(p);
}

static score_status make_groups(planner *p)
{
	const forest *f = p->e->f;
	tree_group group = {.n_trees = 0};
	for (uint32_t t = 0; t < f->n_trees; t++) {
		if (group.n_trees && p->n_tests + count_new(p, f->trees + t) > limit_of(p)) {
			score_status status = close_group(p, &group);
			if (status != SCORE_OK)
				return status;
			group = (tree_group){.first_tree = t};
		}
		take_tests(p, f->trees + t);
		group.n_trees++;
	}
	return close_group(p, &group);
}

/* ---- the plan ------------------------------------------------------------------------------------------------- */

static bool is_usable(const engine *e)
{
	const forest *f = e->f;
	/* Tables are counted in 32 bits. */
	const bool fits = (uint64_t)f->n_trees * MAX_CODED_LEAVES * f->leaf_width <= UINT32_MAX;
	if (e->code_bytes > 2 || f->contract.n_outputs > MAX_OUTPUTS || !fits)
		return false;
	for (uint32_t t = 0; t < f->n_trees; t++) {
		if (f->trees[t].n_splits + 1 > MAX_CODED_LEAVES)
			return false;
	}
	return true;
}

/* Most of the work of narrow blocks is steps of cursors. */
static bool follows_cursors(const planner *p)
{
	return 2 * p->steps.length > p->e->f->n_splits;
}

/* A wide block takes as long as 3.6 narrow ones of trees of 255 leaves, and 2.5 of 31 leaves. */
static uint32_t narrow_rows(const planner *p)
{
	const kernels *k = p->e->k;
	bool many = follows_cursors(p) && p->steps.length > MANY_STEPS * (size_t)p->e->f->n_trees;
	return many ? k->narrow_rows + 64 * k->narrow->plane_words : k->narrow_rows;
}

/* What a block costs per tree, in select operations: a place of the fixed program costs two fifths of one, and two steps of
 * cursors cost the few rows of a narrow block as much as one. */
static uint32_t operations_per_tree(const planner *p)
{
	size_t operations = follows_cursors(p) ? p->steps.length / 2 : p->n_ops + 2 * p->full_slots.length / 5;
	return (uint32_t)(operations / p->e->f->n_trees);
}

/* Copy it into the model and let it go. */
static bool keep(planner *p, sl_vector *v, const void **to)
{
	*to = sl_arena_copy(p->arena, v->data, v->length, v->element);
	sl_vector_free(v);
	return *to != NULL;
}

static score_status keep_plan(planner *p)
{
	batch_plan *plan = &p->e->batch;
	const void *leaves, *groups, *runs, *cuts8, *cuts16, *set_cuts, *full_slots, *steps, *trees;
	uint32_t n_groups = (uint32_t)p->groups.length, operations = operations_per_tree(p), narrow = narrow_rows(p);
	if (!keep(p, &p->groups, &groups) || !keep(p, &p->runs, &runs) || !keep(p, &p->cuts8, &cuts8) ||
		!keep(p, &p->cuts16, &cuts16) || !keep(p, &p->set_cuts, &set_cuts) || !keep(p, &p->full_slots, &full_slots) ||
		!keep(p, &p->steps, &steps) || !keep(p, &p->trees, &trees) || !keep(p, &p->leaves, &leaves))
		return no_memory(p);
	*plan = (batch_plan){.usable = true, .n_groups = n_groups, .n_slots = p->most_slots, .operations = operations,
		.narrow_rows = narrow, .groups = groups, .runs = runs, .cuts8 = cuts8, .cuts16 = cuts16, .set_cuts = set_cuts,
		.full_slots = full_slots, .steps = steps, .trees = trees, .leaves = leaves};
	return SCORE_OK;
}

score_status engine_make_batch(engine *e, sl_arena *arena, score_error *error)
{
	const forest *f = e->f;
	planner p = {.e = e, .arena = arena, .error = error};
	if (!is_usable(e))
		return SCORE_OK;
	const score_allocator *a = &arena->allocator;
	size_t n = (size_t)f->n_tests + 1, value = f->contract.sum == SCORE_F32 ? sizeof(float) : sizeof(double);
	value = engine_has_linear_leaves(e) ? sizeof(uint8_t) : value;
	const size_t elements[] = {sizeof(tree_group), sizeof(predicate_run), sizeof(uint8_t), sizeof(uint16_t),
		sizeof(uint32_t), sizeof(select_op), sizeof(uint16_t), sizeof(cursor_step), sizeof(tree_program), value};
	sl_vector *vectors[] = {&p.groups, &p.runs, &p.cuts8, &p.cuts16, &p.set_cuts, &p.ops,
		&p.full_slots, &p.steps, &p.trees, &p.leaves};
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		sl_vector_init(vectors[i], a, elements[i]);
	p.group_of_test = sl_alloc(a, n * sizeof *p.group_of_test, 64);
	p.slot_of_test = sl_alloc(a, n * sizeof *p.slot_of_test, 64);
	p.sorted = sl_alloc(a, n * sizeof *p.sorted, 64);
	p.coder = engine_coder_new(a);
	score_status status;
	if (!p.group_of_test || !p.slot_of_test || !p.sorted || !p.coder || !sort_tests(&p)) {
		status = no_memory(&p);
	} else {
		memset(p.group_of_test, 0xff, n * sizeof *p.group_of_test);
		status = make_groups(&p);
	}
	if (status == SCORE_OK)
		status = keep_plan(&p);
	sl_free(a, p.group_of_test, n * sizeof *p.group_of_test, 64);
	sl_free(a, p.slot_of_test, n * sizeof *p.slot_of_test, 64);
	sl_free(a, p.sorted, n * sizeof *p.sorted, 64);
	engine_coder_free(a, p.coder);
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		sl_vector_free(vectors[i]);
	return status;
}
