/*
 * The builder's derived columns as those of a forest. Lists and tables get their numbers in the order of first use, so that
 * what a refused call left behind is dropped and equal models are equal.
 */
#include "builder.h"

#define UNUSED UINT32_MAX

typedef struct assembly {
	const score_builder *b;
	sl_arena *arena;
	forest_derived *d;
	uint32_t *number[RAW_TABLE_KINDS]; /* provisional → final */
	uint32_t *order[RAW_TABLE_KINDS];  /* final → table of the builder */
	uint32_t *tables[RAW_TABLE_KINDS]; /* provisional → table of the builder */
	uint32_t n[RAW_TABLE_KINDS];
	score_error *error;
} assembly;

static uint32_t use(assembly *a, raw_table_kind kind, uint32_t provisional)
{
	uint32_t *number = a->number[kind] + provisional;
	if (*number == UNUSED) {
		a->order[kind][a->n[kind]] = a->tables[kind][provisional];
		*number = a->n[kind]++;
	}
	return *number;
}

static bool make_maps(assembly *a, sl_arena *scratch)
{
	const raw_table *tables = a->b->tables.data;
	for (uint32_t k = 0; k < RAW_TABLE_KINDS; k++) {
		uint32_t n = a->b->table_counts[k];
		a->number[k] = sl_arena_alloc(scratch, n, sizeof(uint32_t));
		a->order[k] = sl_arena_alloc(scratch, n, sizeof(uint32_t));
		a->tables[k] = sl_arena_alloc(scratch, n, sizeof(uint32_t));
		if (!a->number[k] || !a->order[k] || !a->tables[k])
			return false;
		for (uint32_t i = 0; i < n; i++)
			a->number[k][i] = UNUSED;
	}
	for (uint32_t i = 0; i < a->b->tables.length; i++)
		a->tables[tables[i].kind][tables[i].number] = i;
	return true;
}

static bool copy_programs(assembly *a)
{
	const score_builder *b = a->b;
	forest_derived *d = a->d;
	d->n = (uint32_t)b->programs.length;
	d->n_steps = (uint32_t)b->steps.length;
	forest_program *programs = sl_arena_copy(a->arena, b->programs.data, d->n, sizeof *programs);
	forest_step *steps = sl_arena_copy(a->arena, b->steps.data, d->n_steps, sizeof *steps);
	if (!programs || !steps)
		return false;
	for (uint32_t i = 0; i < d->n; i++) {
		forest_program *p = programs + i;
		if (p->root != SCORE_ROOT_VALUE)
			p->list = use(a, RAW_LIST, p->list);
		if (p->root == SCORE_ROOT_HASH)
			p->hashes = use(a, RAW_HASHES, p->hashes);
		for (uint32_t k = p->first_step; k < p->first_step + p->n_steps; k++) {
			if (steps[k].operation != SCORE_STEP_LOOKUP)
				continue;
			if (steps[k].keys != FOREST_DENSE)
				steps[k].keys = use(a, RAW_TABLE, steps[k].keys);
			steps[k].values = use(a, RAW_TABLE, steps[k].values);
		}
	}
	d->programs = programs;
	d->steps = steps;
	return true;
}

/* The used tables of a kind one after the other; *first gets [n + 1] places. */
static void *copy_tables(assembly *a, raw_table_kind kind, const uint32_t **first, uint32_t *total)
{
	const raw_table *tables = a->b->tables.data;
	size_t element = forest_table_element(kind), n = 0;
	for (uint32_t i = 0; i < a->n[kind]; i++)
		n += tables[a->order[kind][i]].n;
	uint32_t *places = sl_arena_alloc(a->arena, (size_t)a->n[kind] + 1, sizeof *places);
	char *to = sl_arena_alloc(a->arena, n, element);
	if (!places || !to)
		return NULL;
	for (uint32_t i = 0; i < a->n[kind]; i++) {
		const raw_table *t = tables + a->order[kind][i];
		if (t->n)
			memcpy(to + places[i] * element, sl_vector_at(&a->b->table_words, t->first), t->n * element);
		places[i + 1] = places[i] + t->n;
	}
	*first = places;
	*total = (uint32_t)n;
	return to;
}

static bool assemble(assembly *a, sl_arena *scratch)
{
	forest_derived *d = a->d;
	if (!make_maps(a, scratch) || !copy_programs(a))
		return false;
	d->list_members = copy_tables(a, RAW_LIST, &d->list_first, &d->n_list_members);
	d->table_values = copy_tables(a, RAW_TABLE, &d->table_first, &d->n_table_values);
	d->hashes = copy_tables(a, RAW_HASHES, &d->hash_first, &d->n_hashes);
	d->n_lists = a->n[RAW_LIST];
	d->n_tables = a->n[RAW_TABLE];
	d->n_hash_tables = a->n[RAW_HASHES];
	return d->list_members && d->table_values && d->hashes && forest_index_hashes(d, a->arena);
}

score_status forest_assemble_derived(const score_builder *b, sl_arena *arena, forest *f, score_error *error)
{
	assembly a = {.b = b, .arena = arena, .d = &f->derived, .error = error};
	sl_arena scratch;
	if (b->programs.length == 0)
		return SCORE_OK;
	sl_arena_init(&scratch, &b->allocator, (size_t)b->options.max_bytes);
	bool ok = assemble(&a, &scratch);
	sl_arena_free(&scratch);
	const sl_arena *met = scratch.over_limit ? &scratch : arena;
	return ok ? SCORE_OK : forest_fail_memory(met, b->table_words.length * 8, error);
}
