/*
 * Write a model file.
 *
 * Comes in: a checked forest and what the caller wants changed in golden rows and metadata. Goes out: the bytes of a
 * file. Every array becomes one section: floats as f32 when all of them are floats, integers in as few bits as the
 * largest needs. Nothing but the forest decides about a byte.
 */
#include "slm_layout.h"

#include <xxhash.h>

typedef struct writer {
	forest model; /* with the golden rows and metadata that go into the file */
	sl_arena arena;
	slm_table table;
	uint8_t *bytes[SLM_N_SECTIONS];
	score_error *error;
} writer;

/* ---- sections ------------------------------------------------------------------------------------ */

static score_status add_section(writer *w, int id, size_t n, uint32_t bits, bool is_float)
{
	slm_section *s = w->table.sections + id;
	uint64_t bytes;
	const bool fits = slm_array_bytes(n, bits, &bytes);
	if (SL_NEVER(!fits || bytes > SIZE_MAX)) /* the elements lie in memory */
		return sl_fail_memory(w->error, SIZE_MAX);
	w->bytes[id] = sl_arena_alloc(&w->arena, (size_t)bytes, 1);
	if (w->bytes[id] == NULL)
		return sl_fail_memory(w->error, (size_t)bytes);
	*s = (slm_section){ .count = n, .bytes = bytes, .bits = (uint8_t)bits, .is_float = is_float, .present = true };
	return SCORE_OK;
}

static score_status put_floats(writer *w, int id, const double *values, size_t n)
{
	if (n == 0)
		return SCORE_OK;
	const uint32_t bits = slm_all_f32(values, n) ? 32 : 64;
	TRY(add_section(w, id, n, bits, true));
	slm_floats_to_bytes(values, n, bits, w->bytes[id]);
	return SCORE_OK;
}

static score_status put_ints(writer *w, int id, const uint32_t *values, size_t n)
{
	if (n == 0)
		return SCORE_OK;
	const uint32_t bits = slm_width(values, n);
	TRY(add_section(w, id, n, bits, false));
	slm_pack(values, n, bits, w->bytes[id]);
	return SCORE_OK;
}

static uint32_t *scratch_ints(writer *w, size_t n)
{
	uint32_t *ints = sl_arena_alloc(&w->arena, n, sizeof *ints);
	if (ints == NULL)
		(void)sl_fail_memory(w->error, n * sizeof *ints);
	return ints;
}

/* ---- tests --------------------------------------------------------------------------------------- */

/* Numeric tests become four bits per cut, one for each way to treat missing values. */
static score_status put_cut_tests(writer *w)
{
	const forest *f = &w->model;
	uint32_t *masks = scratch_ints(w, f->n_cuts);
	if (masks == NULL)
		return SCORE_ERR_MEMORY;
	for (uint32_t i = 0; i < f->n_tests; i++) {
		const forest_test test = forest_test_at(f, i), *t = &test;
		if (t->kind == FOREST_NUMERIC)
			masks[f->features[t->feature].first_cut + t->index] |= 1u << (2 * t->missing_right + t->zero_is_missing);
	}
	return put_ints(w, SLM_CUT_TESTS, masks, f->n_cuts);
}

static score_status put_set_tests(writer *w)
{
	const forest *f = &w->model;
	uint32_t n = 0;
	uint32_t *fields[3];
	for (uint32_t i = 0; i < f->n_tests; i++)
		n += forest_test_at(f, i).kind != FOREST_NUMERIC;
	for (int k = 0; k < 3; k++) {
		fields[k] = scratch_ints(w, n);
		if (fields[k] == NULL)
			return SCORE_ERR_MEMORY;
	}
	w->table.n_set_tests = n;
	n = 0;
	for (uint32_t i = 0; i < f->n_tests; i++) {
		const forest_test test = forest_test_at(f, i), *t = &test;
		if (t->kind == FOREST_NUMERIC)
			continue;
		fields[0][n] = t->feature;
		fields[1][n] = t->index;
		fields[2][n++] = (t->kind == FOREST_CATEGORY_NOT ? 2u : 0u) + t->missing_right;
	}
	TRY(put_ints(w, SLM_SET_TEST_FEATURES, fields[0], n));
	TRY(put_ints(w, SLM_SET_TEST_SETS, fields[1], n));
	return put_ints(w, SLM_SET_TEST_FLAGS, fields[2], n);
}

/* Ascending categories become a first one and the numbers skipped before each next one. */
static score_status put_sets(writer *w)
{
	const forest *f = &w->model;
	uint32_t *sizes = scratch_ints(w, f->n_sets);
	uint32_t *firsts = scratch_ints(w, f->n_sets);
	uint32_t *gaps = scratch_ints(w, f->n_set_members);
	size_t n_gaps = 0;
	if (sizes == NULL || firsts == NULL || gaps == NULL)
		return SCORE_ERR_MEMORY;
	for (uint32_t i = 0; i < f->n_sets; i++) {
		const uint32_t first = forest_set_first(f, i);
		sizes[i] = forest_set_first(f, i + 1) - first;
		firsts[i] = sizes[i] > 0 ? forest_set_member(f, first) : 0;
		for (uint32_t k = first + 1; k < first + sizes[i]; k++)
			gaps[n_gaps++] = forest_set_member(f, k) - forest_set_member(f, k - 1) - 1;
	}
	TRY(put_ints(w, SLM_SET_SIZES, sizes, f->n_sets));
	TRY(put_ints(w, SLM_SET_FIRSTS, firsts, f->n_sets));
	return put_ints(w, SLM_SET_GAPS, gaps, n_gaps);
}

/* ---- trees --------------------------------------------------------------------------------------- */

/* One iteration's outputs when all iterations have the same, else every tree's. */
static score_status put_tree_outputs(writer *w)
{
	const forest *f = &w->model;
	const uint32_t cycle = f->contract.trees_per_iteration;
	uint32_t n = f->n_trees < cycle ? f->n_trees : cycle;
	uint32_t *outputs = scratch_ints(w, f->n_trees);
	if (outputs == NULL)
		return SCORE_ERR_MEMORY;
	for (uint32_t i = 0; i < f->n_trees; i++) {
		outputs[i] = f->trees[i].output;
		if (outputs[i] != outputs[i % cycle])
			n = f->n_trees;
	}
	return put_ints(w, SLM_TREE_OUTPUTS, outputs, n);
}

static score_status put_topology(writer *w)
{
	const forest *f = &w->model;
	const size_t n = (size_t)f->n_splits + f->n_leaves;
	uint32_t *bits = scratch_ints(w, n);
	if (bits == NULL)
		return SCORE_ERR_MEMORY;
	TRY(slm_topology(f, &w->arena.allocator, bits, w->error));
	return put_ints(w, SLM_TOPOLOGY, bits, n);
}

static score_status put_split_tests(writer *w)
{
	const forest *f = &w->model;
	uint32_t *tests = scratch_ints(w, f->n_splits);
	if (tests == NULL)
		return SCORE_ERR_MEMORY;
	for (uint32_t i = 0; i < f->n_splits; i++)
		tests[i] = forest_number(&f->split_test, i);
	return put_ints(w, SLM_SPLIT_TESTS, tests, f->n_splits);
}

static score_status put_reals(writer *w, int id, const forest_reals *reals, size_t n)
{
	double *values = sl_arena_alloc(&w->arena, n, sizeof *values);
	if (values == NULL)
		return sl_fail_memory(w->error, n * sizeof *values);
	for (size_t i = 0; i < n; i++)
		values[i] = forest_real(reals, i);
	return put_floats(w, id, values, n);
}

/* Marks the trees whose leaf numbers do not follow the rule; returns the leaves of those trees. */
static uint64_t mark_explicit(const forest *f, slm_leaf_rule rule, forest_children *children, uint32_t *scratch, uint32_t *marks)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < f->n_trees; i++) {
		const forest_tree *t = f->trees + i;
		const size_t leaves = (size_t)t->n_splits + 1;
		uint32_t *ids = scratch + leaves;
		forest_list_children(f, t, children);
		slm_rule_ids(rule, t->n_splits, children, scratch, ids);
		marks[i] = 0;
		for (size_t k = 0; k < leaves && !marks[i]; k++)
			marks[i] = ids[k] != forest_number(&f->leaf_ids, t->first_leaf + k);
		n += marks[i] ? leaves : 0;
	}
	return n;
}

/* Marks for the rule that fewest leaves do not follow; returns how many do not. */
static uint64_t choose_leaf_rule(writer *w, forest_children *children, uint32_t *scratch, uint32_t *marks)
{
	const forest *f = &w->model;
	uint64_t best = UINT64_MAX;
	for (slm_leaf_rule rule = 0; rule < SLM_N_LEAF_RULES; rule++) {
		const uint64_t leaves = mark_explicit(f, rule, children, scratch, marks);
		if (leaves < best) {
			best = leaves;
			w->table.leaf_rule = rule;
		}
	}
	return mark_explicit(f, w->table.leaf_rule, children, scratch, marks);
}

static score_status put_leaf_ids(writer *w)
{
	const forest *f = &w->model;
	uint32_t *scratch = scratch_ints(w, 2 * (size_t)f->n_leaves);
	uint32_t *marks = scratch_ints(w, f->n_trees);
	forest_children children;
	size_t n = 0;
	if (scratch == NULL || marks == NULL)
		return SCORE_ERR_MEMORY;
	if (!forest_children_new(f, &w->arena.allocator, &children))
		return sl_fail_memory(w->error, children.bytes);
	const uint64_t explicit_leaves = choose_leaf_rule(w, &children, scratch, marks);
	forest_children_free(&w->arena.allocator, &children);
	if (explicit_leaves == 0)
		return SCORE_OK;
	for (uint32_t i = 0; i < f->n_trees; i++) {
		const size_t leaves = (size_t)f->trees[i].n_splits + 1;
		if (!marks[i])
			continue;
		for (size_t k = 0; k < leaves; k++)
			scratch[n++] = forest_number(&f->leaf_ids, f->trees[i].first_leaf + k);
	}
	TRY(put_ints(w, SLM_LEAF_ID_EXPLICIT, marks, f->n_trees));
	return put_ints(w, SLM_LEAF_IDS, scratch, n);
}

/* Weights are counts of rows more often than not: integers then, in as few bits as they need. */
static score_status put_weights(writer *w, int id, const double *values, size_t n)
{
	uint32_t *whole = scratch_ints(w, n);
	if (whole == NULL)
		return SCORE_ERR_MEMORY;
	for (size_t i = 0; i < n; i++) {
		if (!(values[i] <= UINT32_MAX) || (double)(uint32_t)values[i] != values[i])
			return put_floats(w, id, values, n);
		whole[i] = (uint32_t)values[i];
	}
	return put_ints(w, id, whole, n);
}

static double *widen_weights(writer *w, const forest_weights *weights, size_t n)
{
	double *values = sl_arena_alloc(&w->arena, n, sizeof *values);
	for (size_t i = 0; values != NULL && i < n; i++)
		values[i] = forest_weight(weights, i);
	return values;
}

/* Those of splits only where they are not the sums of their leaves'. */
static score_status put_covers(writer *w)
{
	const forest *f = &w->model;
	if (f->leaf_covers.values == NULL)
		return SCORE_OK;
	const double *leaves = widen_weights(w, &f->leaf_covers, f->n_leaves);
	if (leaves == NULL)
		return sl_fail_memory(w->error, f->n_leaves * sizeof *leaves);
	TRY(put_weights(w, SLM_LEAF_COVERS, leaves, f->n_leaves));
	if (f->split_covers.values == NULL)
		return SCORE_OK;
	double *sums = sl_arena_alloc(&w->arena, f->n_splits, sizeof *sums);
	const double *splits = widen_weights(w, &f->split_covers, f->n_splits);
	forest_children children;
	if (sums == NULL || splits == NULL || !forest_children_new(f, &w->arena.allocator, &children))
		return sl_fail_memory(w->error, f->n_splits * sizeof *sums);
	for (uint32_t t = 0; t < f->n_trees; t++) {
		forest_list_children(f, f->trees + t, &children);
		forest_sum_covers(f, f->trees + t, &children, sums + f->trees[t].first_split);
	}
	forest_children_free(&w->arena.allocator, &children);
	if (memcmp(sums, splits, f->n_splits * sizeof *sums) == 0)
		return SCORE_OK;
	return put_weights(w, SLM_SPLIT_COVERS, splits, f->n_splits);
}

static score_status put_labels(writer *w)
{
	slm_labels labels = {0};
	TRY(slm_list_labels(&w->model, &w->arena, &labels, w->error));
	TRY(put_ints(w, SLM_LABEL_SIZES, labels.sizes, labels.n));
	if (labels.n_bytes > 0) {
		TRY(add_section(w, SLM_LABEL_TEXT, labels.n_bytes, 8, false));
		memcpy(w->bytes[SLM_LABEL_TEXT], labels.text, labels.n_bytes);
	}
	return put_floats(w, SLM_LABEL_CODES, labels.codes, labels.n);
}

/* ---- derived columns ------------------------------------------------------------------------------- */

static score_status put_programs(writer *w)
{
	const forest *f = &w->model;
	const forest_derived *d = &f->derived;
	double *least = sl_arena_alloc(&w->arena, d->n, sizeof *least);
	uint32_t *fields[6];
	static const int ids[6] = { SLM_DERIVED_CUTS, SLM_DERIVED_ROOTS, SLM_DERIVED_SOURCES, SLM_DERIVED_LISTS,
		SLM_DERIVED_HASHES, SLM_DERIVED_STEPS };
	for (int k = 0; k < 6; k++) {
		fields[k] = scratch_ints(w, d->n);
		if (fields[k] == NULL)
			return SCORE_ERR_MEMORY;
	}
	if (least == NULL)
		return sl_fail_memory(w->error, d->n * sizeof *least);
	for (uint32_t i = 0; i < d->n; i++) {
		const forest_program *p = d->programs + i;
		const uint32_t values[6] = { f->features[f->n_features + i].n_cuts, 2u * p->root + p->is_f32, p->source, p->list,
			p->hashes, p->n_steps };
		for (int k = 0; k < 6; k++)
			fields[k][i] = values[k];
		least[i] = p->least;
	}
	for (int k = 0; k < 6; k++)
		TRY(put_ints(w, ids[k], fields[k], d->n));
	return put_floats(w, SLM_DERIVED_LEAST, least, d->n);
}

static score_status put_steps(writer *w)
{
	const forest_derived *d = &w->model.derived;
	double *operands = sl_arena_alloc(&w->arena, 2 * (size_t)d->n_steps, sizeof *operands);
	uint32_t *fields[3];
	for (int k = 0; k < 3; k++) {
		fields[k] = scratch_ints(w, d->n_steps);
		if (fields[k] == NULL)
			return SCORE_ERR_MEMORY;
	}
	if (operands == NULL)
		return sl_fail_memory(w->error, 2 * (size_t)d->n_steps * sizeof *operands);
	for (uint32_t i = 0; i < d->n_steps; i++) {
		const forest_step *s = d->steps + i;
		fields[0][i] = 2u * s->operation + s->is_f32;
		fields[1][i] = s->operation == SCORE_STEP_LOOKUP && s->keys != FOREST_DENSE ? s->keys + 1 : 0;
		fields[2][i] = s->values;
		operands[i] = s->a;
		operands[d->n_steps + i] = s->b;
	}
	TRY(put_ints(w, SLM_STEP_OPERATIONS, fields[0], d->n_steps));
	TRY(put_floats(w, SLM_STEP_A, operands, d->n_steps));
	TRY(put_floats(w, SLM_STEP_B, operands + d->n_steps, d->n_steps));
	TRY(put_ints(w, SLM_STEP_KEYS, fields[1], d->n_steps));
	return put_ints(w, SLM_STEP_VALUES, fields[2], d->n_steps);
}

static score_status put_sizes(writer *w, int id, const uint32_t *first, uint32_t n)
{
	uint32_t *sizes = scratch_ints(w, n);
	if (sizes == NULL)
		return SCORE_ERR_MEMORY;
	for (uint32_t i = 0; i < n; i++)
		sizes[i] = first[i + 1] - first[i];
	return put_ints(w, id, sizes, n);
}

static score_status put_derived(writer *w)
{
	const forest_derived *d = &w->model.derived;
	uint32_t *low = scratch_ints(w, d->n_hashes);
	uint32_t *high = scratch_ints(w, d->n_hashes);
	if (low == NULL || high == NULL)
		return SCORE_ERR_MEMORY;
	for (uint32_t i = 0; i < d->n_hashes; i++) {
		low[i] = (uint32_t)d->hashes[i];
		high[i] = (uint32_t)(d->hashes[i] >> 32);
	}
	TRY(put_programs(w));
	TRY(put_steps(w));
	TRY(put_sizes(w, SLM_LIST_SIZES, d->list_first, d->n_lists));
	TRY(put_ints(w, SLM_LIST_MEMBERS, d->list_members, d->n_list_members));
	TRY(put_sizes(w, SLM_TABLE_SIZES, d->table_first, d->n_tables));
	TRY(put_floats(w, SLM_TABLE_VALUES, d->table_values, d->n_table_values));
	TRY(put_sizes(w, SLM_HASH_SIZES, d->hash_first, d->n_hash_tables));
	TRY(put_ints(w, SLM_HASH_LOW, low, d->n_hashes));
	return put_ints(w, SLM_HASH_HIGH, high, d->n_hashes);
}

static score_status put_linear_leaves(writer *w)
{
	const forest *f = &w->model;
	const forest_linear_leaves *l = &f->linear_leaves;
	if (l->first_term == NULL)
		return SCORE_OK;
	uint32_t *n_terms = scratch_ints(w, f->n_leaves);
	if (n_terms == NULL)
		return SCORE_ERR_MEMORY;
	for (uint32_t i = 0; i < f->n_leaves; i++)
		n_terms[i] = l->first_term[i + 1] - l->first_term[i];
	TRY(put_floats(w, SLM_LEAF_CONSTANTS, l->constants, f->n_leaves));
	TRY(put_ints(w, SLM_LEAF_TERMS, n_terms, f->n_leaves));
	TRY(put_ints(w, SLM_TERM_FEATURES, l->features, l->n_terms));
	return put_floats(w, SLM_TERM_COEFFICIENTS, l->coefficients, l->n_terms);
}

static score_status put_all(writer *w)
{
	const forest *f = &w->model;
	const size_t n_features = f->n_features;
	const size_t n_outputs = f->contract.n_outputs;
	TRY(put_reals(w, SLM_CUTS, &f->cuts, f->n_cuts));
	TRY(put_cut_tests(w));
	TRY(put_sets(w));
	TRY(put_set_tests(w));
	if (f->n_trees > 0) {
		TRY(put_tree_outputs(w));
		TRY(put_topology(w));
		TRY(put_split_tests(w));
		TRY(put_reals(w, SLM_LEAVES, &f->leaves, (size_t)f->n_leaves * f->leaf_width));
		TRY(put_leaf_ids(w));
	}
	TRY(put_floats(w, SLM_BASE, f->base, n_outputs));
	if (f->kind == SCORE_KIND_LINEAR)
		TRY(put_floats(w, SLM_LINEAR_WEIGHTS, f->linear_weights, forest_linear_weights(f)));
	TRY(put_floats(w, SLM_GOLDEN_ROWS, f->golden_rows, f->n_golden * n_features));
	TRY(put_floats(w, SLM_GOLDEN_MARGINS, f->golden_margins, f->n_golden * n_outputs));
	TRY(put_covers(w));
	TRY(put_labels(w));
	if (f->derived.n > 0)
		TRY(put_derived(w));
	return put_linear_leaves(w);
}

/* ---- what the caller changes ------------------------------------------------------------------------ */

static void set_metadata(forest_metadata *list, uint32_t *n, const char *key, const char *value)
{
	uint32_t at = 0;
	while (at < *n && strcmp(list[at].key, key) < 0)
		at++;
	const bool found = at < *n && strcmp(list[at].key, key) == 0;
	if (found && value == NULL) {
		(*n)--;
		memmove(list + at, list + at + 1, (*n - at) * sizeof *list);
	} else if (value != NULL) {
		if (!found) {
			memmove(list + at + 1, list + at, (*n - at) * sizeof *list);
			(*n)++;
		}
		list[at] = (forest_metadata){ key, value };
	}
}

static score_status apply_metadata(writer *w, const score_save_options *o)
{
	forest *f = &w->model;
	const size_t room = (size_t)f->n_metadata + o->n_metadata;
	if (o->n_metadata == 0)
		return SCORE_OK;
	if (o->metadata_keys == NULL || o->metadata_values == NULL)
		return sl_fail(w->error, SCORE_ERR_ARGUMENT, "n_metadata is %u, but metadata_keys or metadata_values is NULL",
			(unsigned)o->n_metadata);
	forest_metadata *list = sl_arena_alloc(&w->arena, room, sizeof *list);
	if (list == NULL)
		return sl_fail_memory(w->error, room * sizeof *list);
	if (f->n_metadata > 0)
		memcpy(list, f->metadata, f->n_metadata * sizeof *list);
	for (uint32_t i = 0; i < o->n_metadata; i++) {
		if (o->metadata_keys[i] == NULL || o->metadata_keys[i][0] == '\0')
			return sl_fail(w->error, SCORE_ERR_ARGUMENT, "metadata key %u is NULL or empty", (unsigned)i);
		set_metadata(list, &f->n_metadata, o->metadata_keys[i], o->metadata_values[i]);
	}
	f->metadata = list;
	return SCORE_OK;
}

static score_status apply_options(writer *w, const score_save_options *o)
{
	if (o == NULL)
		return SCORE_OK;
	if (o->golden_rows != NULL || o->golden_margins != NULL || o->n_golden_rows > 0) {
		if (o->golden_rows == NULL || o->golden_margins == NULL)
			return sl_fail(w->error, SCORE_ERR_ARGUMENT, "golden rows need both golden_rows and golden_margins");
		w->model.golden_rows = o->golden_rows;
		w->model.golden_margins = o->golden_margins;
		w->model.n_golden = o->n_golden_rows;
	}
	if (o->flags & SCORE_SAVE_NO_COVERS)
		w->model.leaf_covers.values = w->model.split_covers.values = NULL;
	return apply_metadata(w, o);
}

/* ---- the file --------------------------------------------------------------------------------------- */

static void place_sections(slm_table *table)
{
	uint64_t at = 0;
	for (int i = 0; i < SLM_N_SECTIONS; i++) {
		slm_section *s = table->sections + i;
		if (!s->present)
			continue;
		s->offset = (at + SLM_ALIGN - 1) & ~(uint64_t)(SLM_ALIGN - 1);
		at = s->offset + s->bytes;
	}
	table->section_bytes = at;
}

static void fill_file(const writer *w, const sl_vector *header, uint8_t *file, size_t first_section, size_t size)
{
	XXH128_canonical_t hash;
	memset(file, 0, size);
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): bytes, not a string */
	memcpy(file, SLM_MAGIC, SLM_MAGIC_BYTES);
	slm_put_u32(file + 8, SLM_VERSION);
	slm_put_u32(file + 12, SLM_MIN_READABLE);
	slm_put_u64(file + 16, size);
	slm_put_u64(file + 24, header->length);
	memcpy(file + SLM_PRELUDE_BYTES, header->data, header->length);
	for (int i = 0; i < SLM_N_SECTIONS; i++) {
		const slm_section *s = w->table.sections + i;
		if (s->present)
			memcpy(file + first_section + (size_t)s->offset, w->bytes[i], (size_t)s->bytes);
	}
	XXH128_canonicalFromHash(&hash, XXH3_128bits(file, size - SLM_HASH_BYTES));
	memcpy(file + size - SLM_HASH_BYTES, hash.digest, SLM_HASH_BYTES);
}

static score_status write_file(writer *w, const score_save_options *options, sl_vector *header, void **out,
	size_t *out_size)
{
	TRY(apply_options(w, options));
	TRY(put_all(w));
	place_sections(&w->table);
	w->table.needs[SLM_NEEDS_DERIVED] = w->model.derived.n > 0;
	w->table.needs[SLM_NEEDS_SLOPE] = forest_needs_slope(&w->model);
	w->table.needs[SLM_NEEDS_PARTS] = w->model.parts.n > 0;
	w->table.needs[SLM_NEEDS_LINEAR_LEAVES] = w->model.linear_leaves.first_term != NULL;
	TRY(slm_header_write(&w->model, &w->table, header, w->error));
	if (header->length > SLM_MAX_HEADER_BYTES)
		return sl_fail(w->error, SCORE_ERR_LIMIT, "names and metadata take more than %u bytes; shorten them",
			SLM_MAX_HEADER_BYTES);
	const size_t first_section = sl_round_up(SLM_PRELUDE_BYTES + header->length, SLM_ALIGN);
	const uint64_t size = first_section + w->table.section_bytes + SLM_HASH_BYTES;
	uint8_t *file = size <= SIZE_MAX ? sl_alloc(&w->arena.allocator, (size_t)size, SLM_ALIGN) : NULL;
	if (file == NULL)
		return sl_fail_memory(w->error, (size_t)size);
	fill_file(w, header, file, first_section, (size_t)size);
	*out = file;
	*out_size = (size_t)size;
	return SCORE_OK;
}

score_status slm_write(const forest *f, const score_save_options *options, const score_allocator *allocator,
	void **out, size_t *out_size, score_error *error)
{
	writer w = { .model = *f, .error = error };
	sl_vector header;
	*out = NULL;
	*out_size = 0;
	sl_arena_init(&w.arena, allocator, SIZE_MAX);
	sl_vector_init(&header, allocator, 1);
	const score_status status = write_file(&w, options, &header, out, out_size);
	sl_vector_free(&header);
	sl_arena_free(&w.arena);
	return status;
}

score_status slm_copy_bytes(const score_allocator *allocator, const void *bytes, size_t size, void **out, score_error *error)
{
	const score_allocator a = sl_allocator(allocator);
	*out = sl_alloc(&a, size, SLM_ALIGN);
	if (*out == NULL)
		return sl_fail_memory(error, size);
	memcpy(*out, bytes, size);
	return SCORE_OK;
}

void slm_free_bytes(const score_allocator *allocator, void *bytes, size_t size)
{
	const score_allocator a = sl_allocator(allocator);
	sl_free(&a, bytes, size, SLM_ALIGN);
}
