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
#define MANY_STEPS 128u /* of a tree's cursors: a narrow block and a half take less time than a wide one, two take more */
#define FEW_TREES_ALL 4096u
#define FEW_TREES_PAY (FEW_TREES_ALL / 16 * 13)
/* Room is taken for what so many trees like the one at hand have, at most. */
#define ROOM_OF_TREES 32u

/* In the model, for what the next trees have of one kind. */
typedef struct plan_room {
	char *at;
	size_t left;
} plan_room;

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
	plan_room pair_room, slot_room, step_room, table_room, code_room;
	size_t n_pairs, n_full_slots, n_steps; /* of all trees so far */
	size_t long_cost; /* of those that have long codes, in select operations */
	uint32_t few_trees; /* how many of the trees before give few answers, in FEW_TREES_ALL, the last ones most of all */
	sl_vector groups, runs, cuts8, cuts16, set_cuts, trees;
	sl_vector pairs, steps;    /* of the tree at hand */
} planner;

static score_status no_memory(planner *p)
{
	return sl_fail_memory(p->error, p->n_pairs * SELECT_PAIR_BYTES);
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
			run = (predicate_run){q.column, (uint16_t)slot, 0, 0};
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

/* A tree's programs and tables lie in one piece each; all of them together are most of many a model. NULL: no memory. */
static void *take_room(planner *p, plan_room *room, size_t bytes, size_t unit)
{
	bytes = sl_round_up(bytes, unit);
	if (bytes > room->left) {
		size_t trees = p->e->f->n_trees - p->trees.length;
		room->left = bytes * (trees < ROOM_OF_TREES ? trees : ROOM_OF_TREES);
		room->at = sl_arena_alloc(p->arena, room->left, 1);
		if (!room->at)
			return NULL;
	}
	void *taken = room->at;
	room->at += bytes;
	room->left -= bytes;
	return taken;
}

static bool keep_some(planner *p, plan_room *room, const void *from, size_t bytes, const void **to)
{
	void *taken = take_room(p, room, bytes, 8);
	if (taken)
		memcpy(taken, from, bytes);
	*to = taken;
	return taken != NULL;
}

static size_t value_bytes(const planner *p)
{
	return p->e->f->contract.sum == SCORE_F32 ? sizeof(float) : sizeof(double);
}

/* The values of n leaves for one output of a vector tree, 0 of a scalar one, side by side. `leaf_of` NULL: leaf by leaf. */
static void copy_values(const planner *p, const forest_tree *t, const uint16_t *leaf_of, size_t n, uint32_t output, void *to)
{
	const forest *f = p->e->f;
	for (size_t i = 0; i < n; i++) {
		uint32_t leaf = leaf_of ? leaf_of[i] : i < t->n_splits ? (uint32_t)i : t->n_splits;
		double value = forest_real(&f->leaves, ((size_t)t->first_leaf + leaf) * f->leaf_width + output);
		if (f->contract.sum == SCORE_F32)
			((float *)to)[i] = (float)value;
		else
			((double *)to)[i] = value;
	}
}

/* The same of 1 << n_planes leaves, as kernels look them up. */
static void lay_values(const planner *p, const forest_tree *t, const uint16_t *leaf_of, uint32_t n_planes, uint32_t output, void *to)
{
	union {
		float f32[MAX_CODED_LEAVES];
		double f64[MAX_CODED_LEAVES];
	} values;
	size_t n = (size_t)1 << n_planes;
	bool is_f32 = p->e->f->contract.sum == SCORE_F32;
	copy_values(p, t, leaf_of, n, output, &values);
	if (n_planes <= p->e->k->whole_planes || n_planes > (is_f32 ? p->e->k->byte_planes_f32 : p->e->k->byte_planes_f64))
		memcpy(to, &values, n * value_bytes(p));
	else
		spread_parts(&values, value_bytes(p), n, n_planes <= p->e->k->word_planes ? 2 : 1, to);
}

static void lay_numbers(const tree_code *code, uint8_t *to)
{
	for (size_t i = 0; i < (size_t)1 << code->n_planes; i++)
		to[i] = (uint8_t)code->leaf_of_code[i];
}

/* Few answers, where looking their number up first pays: sums by numbers of parts go from one kind of table to the other at such a cost
 * that most trees must have numbers, of which those before tell. */
static bool number_answers(planner *p, const tree_group *group, const tree_code *code, answer_numbers *numbers)
{
	const predicate_run *runs = p->runs.data;
	const uint32_t bytes = p->e->k->number_bytes;
	const bool pays = bytes != NUMBER_PARTS || p->few_trees >= FEW_TREES_PAY;
	p->few_trees -= p->few_trees / 16;
	/* Without predicates there are no runs to point at. */
	if (!bytes || !group->n_runs || code->n_long || code->n_planes <= FEW_PLANES || code->n_planes > LEVELS ||
		p->e->f->contract.sum != SCORE_F64 || p->e->f->leaf_width > 1 ||
		!engine_number_answers(p->e, runs + group->first_run, group->n_runs, code, numbers))
		return false;
	p->few_trees += FEW_TREES_ALL / 16;
	return pays;
}

/* Bits of leaf numbers that values are looked up by instead of codes of so many bits; 0: by codes. */
static uint32_t leaf_planes(const planner *p, const forest_tree *t, uint32_t n_planes)
{
	uint32_t planes = t->n_splits < 32 ? NUMBERED_PLANES - 1 : NUMBERED_PLANES;
	/* Of floats by 6 bits there is little to save. */
	uint32_t most = p->e->f->contract.sum == SCORE_F32 ? NUMBERED_PLANES : planes;
	return p->e->k->numbers_leaves && t->n_splits < 64 && n_planes > most ? planes : 0;
}

/* What the sum over a tree's table costs by the planes of its code, in select operations. */
static void list_costs(const planner *p, const forest_tree *t, uint8_t costs[9])
{
	static const uint8_t numbers[9] = {[6] = 1, [7] = 2, [8] = 8};
	const kernels *k = p->e->k;
	const uint8_t *by_code = p->e->f->contract.sum == SCORE_F32 ? k->sum_cost_f32 : k->sum_cost_f64;
	for (uint32_t i = 0; i < 9; i++) {
		uint32_t planes = p->e->f->leaf_width == 1 ? leaf_planes(p, t, i) : 0;
		costs[i] = planes ? (uint8_t)(by_code[planes] + numbers[i]) : by_code[i];
	}
}

/* Numbers, then the values by them. */
static bool keep_few_values(planner *p, const forest_tree *t, const answer_numbers *numbers, tree_program *program)
{
	uint32_t bytes = p->e->k->number_bytes;
	char *to = take_room(p, &p->table_room, bytes + FEW_VALUES * sizeof(double), SL_CACHE_LINE);
	program->table = to;
	program->leaf_planes = FEW_PLANES;
	for (uint32_t i = 0; to && i < bytes; i++)
		to[i] = (char)engine_answer_number(numbers, bytes == NUMBER_PARTS && i >= 16 ? i % 16 << 4 : i);
	if (to)
		lay_values(p, t, numbers->leaf, FEW_PLANES, 0, to + bytes);
	return to != NULL;
}

/* The values of a tree whose codes are folded, behind its fold. False: no memory. */
static bool keep_folded(planner *p, const forest_tree *t, const uint16_t *leaf_of_place, size_t n, const code_fold *fold,
	tree_program *program)
{
	char *to = take_room(p, &p->table_room, sizeof *fold + n * value_bytes(p), SL_CACHE_LINE);
	if (!to)
		return false;
	memcpy(to, fold, sizeof *fold);
	copy_values(p, t, leaf_of_place, n, 0, to + sizeof *fold);
	program->folded = true;
	program->table = to + sizeof *fold;
	return true;
}

/* Tables that lie as values, of codes of many more bits than leaves need, are as large as a fold makes them, if that is half as large. */
static size_t fold_table(const planner *p, const tree_code *code, code_fold *fold, uint16_t leaf_of_place[MAX_CODED_LEAVES])
{
	const forest *f = p->e->f;
	uint32_t as_bytes = f->contract.sum == SCORE_F32 ? p->e->k->byte_planes_f32 : p->e->k->byte_planes_f64;
	if (code->n_long || !p->e->k->fold_codes || code->n_planes < 7 || code->n_planes <= as_bytes || f->leaf_width > 1 ||
		engine_has_linear_leaves(p->e))
		return 0;
	size_t n = engine_fold_codes(code, fold, leaf_of_place);
	return 2 * n <= (size_t)1 << code->n_planes ? n : 0;
}

static bool keep_tables(planner *p, const tree_group *group, const forest_tree *t, const tree_code *code, tree_program *program)
{
	answer_numbers few;
	code_fold fold;
	uint16_t leaf_of_place[MAX_CODED_LEAVES];
	size_t folded = fold_table(p, code, &fold, leaf_of_place);
	if (folded)
		return keep_folded(p, t, leaf_of_place, folded, &fold, program);
	uint32_t width = p->e->f->leaf_width;
	size_t n_codes = (size_t)1 << code->n_planes;
	bool linear = engine_has_linear_leaves(p->e);
	if (!linear && number_answers(p, group, code, &few))
		return keep_few_values(p, t, &few, program);
	/* Not of vector trees, which have a table per output, nor of oblivious ones: others than sums look into their tables. */
	if (!linear && width == 1 && (program->n_pairs || program->full_depth))
		program->leaf_planes = (uint8_t)leaf_planes(p, t, code->n_planes);
	uint32_t planes = program->leaf_planes ? program->leaf_planes : code->n_planes;
	size_t numbers = linear || program->leaf_planes ? n_codes : 0, values = linear ? 0 : value_bytes(p) << planes;
	char *to = take_room(p, &p->table_room, numbers + width * values, SL_CACHE_LINE);
	program->table = to;
	if (to && numbers)
		lay_numbers(code, (uint8_t *)to);
	for (uint32_t o = 0; to && values && o < width; o++)
		lay_values(p, t, program->leaf_planes ? NULL : code->leaf_of_code, planes, o, to + numbers + o * values);
	return to != NULL;
}

/* Narrow blocks of up to 64 rows follow a tree's cursors where that is less work than its program. A cursor ends at one of a leaf's
 * codes, which need not be one that answers can give together: numbers for answers may not know it. */
static bool keep_steps(planner *p, const forest_tree *t, const tree_code *code, tree_program *program)
{
	const kernels *narrow = p->e->k->narrow;
	const void *kept = NULL;
	if (!t->n_splits || !narrow || !narrow->follow_cursors || program->leaf_planes == FEW_PLANES ||
		3 * program->n_pairs < narrow->cursor_cost * t->n_splits)
		return true;
	p->steps.length = 0;
	bool done = engine_code_steps(p->coder, code, &p->steps, &program->start) &&
		keep_some(p, &p->step_room, p->steps.data, p->steps.length * sizeof(cursor_step), &kept);
	program->n_steps = (uint16_t)t->n_splits;
	program->steps = kept;
	p->n_steps += t->n_splits;
	return done;
}

static bool keep_codes(planner *p, const tree_code *code, tree_program *program)
{
	long_codes *codes = code->n_long ? take_room(p, &p->code_room, sizeof *codes + code->n_long, SL_CACHE_LINE) : NULL;
	program->codes = codes;
	if (!codes)
		return !code->n_long;
	memcpy(codes->low, code->planes + MAX_PLANES, sizeof codes->low);
	p->long_cost += p->e->k->long_cost[code->n_long / 512];
	codes->n_low = (uint16_t)code->n_low;
	codes->n_codes = (uint16_t)code->n_long;
	memcpy(codes->first, code->long_first, sizeof codes->first);
	memcpy(codes->exits, code->long_exits, sizeof codes->exits);
	for (uint32_t i = 0; i < code->n_long; i++)
		codes->numbers[i] = (uint8_t)code->leaf_of_long[i];
	return true;
}

static bool keep_pairs(planner *p, tree_program *program)
{
	const select_pair *pairs = p->pairs.data;
	size_t n = p->pairs.length;
	uint64_t *first = n ? take_room(p, &p->pair_room, n * SELECT_PAIR_BYTES, 8) : NULL;
	program->pairs = first;
	for (size_t i = 0; first && i < n; i++) {
		first[i] = pairs[i].first;
		memcpy((uint32_t *)(void *)(first + n) + i, &pairs[i].second, sizeof(uint32_t));
	}
	return first || !n;
}

/* The operations of the tree at hand, or the slots of a full one. */
static bool keep_program(planner *p, const tree_code *code, tree_program *program)
{
	const void *kept = NULL;
	size_t n = p->pairs.length, n_slots = code->full_depth ? ((size_t)1 << code->full_depth) - 1 : 0;
	program->n_pairs = (uint16_t)n;
	program->full_depth = (uint8_t)code->full_depth;
	p->n_pairs += n;
	p->n_full_slots += n_slots;
	if (n_slots) {
		bool done = keep_some(p, &p->slot_room, code->full_slots, n_slots * sizeof *code->full_slots, &kept);
		program->full_slots = kept;
		return done;
	}
	return keep_pairs(p, program);
}

static score_status close_group(planner *p, tree_group *group)
{
	const forest *f = p->e->f;
	bool done = number_predicates(p, group);
	uint32_t first_scratch = FIRST_PREDICATE + p->n_tests, most_scratch = 0;
	const kernels *k = p->e->k;
	uint8_t costs[9];
	coder_rules rules = {k->min_planes, costs, k->long_cost};
	for (uint32_t t = group->first_tree; done && t < group->first_tree + group->n_trees; t++) {
		tree_code code;
		tree_program program = {.n_pairs = 0};
		p->pairs.length = 0;
		list_costs(p, f->trees + t, costs);
		done = engine_code_tree(p->coder, f, f->trees + t, &rules, p->slot_of_test, first_scratch, &p->pairs, &code) &&
			keep_program(p, &code, &program);
		if (!done)
			break;
		program.n_planes = (uint8_t)code.n_planes;
		memcpy(program.planes, code.planes, sizeof program.planes);
		most_scratch = code.n_scratch > most_scratch ? code.n_scratch : most_scratch;
		done = keep_codes(p, &code, &program) && keep_tables(p, group, f->trees + t, &code, &program) &&
			keep_steps(p, f->trees + t, &code, &program) &&
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
	return 2 * p->n_steps > p->e->f->n_splits;
}

/* A wide block takes as long as 1.9 narrow ones of trees of 255 leaves, and 2.1 of 31 leaves. */
static uint32_t narrow_rows(const planner *p)
{
	const kernels *k = p->e->k;
	bool many = follows_cursors(p) && p->n_steps > MANY_STEPS * (size_t)p->e->f->n_trees;
	return many ? k->narrow_rows - 64 : k->narrow_rows;
}

/* What a block costs per tree, in select operations: a pair costs ten sevenths of one, a place of the fixed program two fifths, and
 * two steps of cursors cost the few rows of a narrow block as much as one. */
static uint32_t operations_per_tree(const planner *p)
{
	size_t operations = follows_cursors(p) ? p->n_steps / 2 : 10 * p->n_pairs / 7 + p->long_cost + 2 * p->n_full_slots / 5;
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
	const void *groups, *runs, *cuts8, *cuts16, *set_cuts, *trees;
	uint32_t n_groups = (uint32_t)p->groups.length, operations = operations_per_tree(p), narrow = narrow_rows(p);
	if (!keep(p, &p->groups, &groups) || !keep(p, &p->runs, &runs) || !keep(p, &p->cuts8, &cuts8) ||
		!keep(p, &p->cuts16, &cuts16) || !keep(p, &p->set_cuts, &set_cuts) || !keep(p, &p->trees, &trees))
		return no_memory(p);
	*plan = (batch_plan){.usable = true, .n_groups = n_groups, .n_slots = p->most_slots, .operations = operations,
		.narrow_rows = narrow, .groups = groups, .runs = runs, .cuts8 = cuts8, .cuts16 = cuts16, .set_cuts = set_cuts,
		.trees = trees};
	return SCORE_OK;
}

score_status engine_make_batch(engine *e, sl_arena *arena, score_error *error)
{
	const forest *f = e->f;
	planner p = {.e = e, .arena = arena, .error = error, .few_trees = FEW_TREES_ALL};
	if (!is_usable(e))
		return SCORE_OK;
	const score_allocator *a = &arena->allocator;
	size_t n = (size_t)f->n_tests + 1;
	const size_t elements[] = {sizeof(tree_group), sizeof(predicate_run), sizeof(uint8_t), sizeof(uint16_t),
		sizeof(uint32_t), sizeof(select_pair), sizeof(cursor_step), sizeof(tree_program)};
	sl_vector *vectors[] = {&p.groups, &p.runs, &p.cuts8, &p.cuts16, &p.set_cuts, &p.pairs, &p.steps, &p.trees};
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
	if (status == SCORE_OK)
		status = engine_make_places(e, arena, error);
	sl_free(a, p.group_of_test, n * sizeof *p.group_of_test, 64);
	sl_free(a, p.slot_of_test, n * sizeof *p.slot_of_test, 64);
	sl_free(a, p.sorted, n * sizeof *p.sorted, 64);
	engine_coder_free(a, p.coder);
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		sl_vector_free(vectors[i]);
	return status;
}
