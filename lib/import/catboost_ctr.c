/*
 * CatBoost's CTRs to derived columns: statistics of categories, and of their combinations with answers of splits.
 *
 * Comes in: the CTRs of a file and the tables that their names lead to. Goes out: one column of the builder for each, which
 * finds the hash of the projection among those of the table and gives the statistic that CatBoost computes from what stands
 * there, computed here once, in its order and in float. A hash that training did not see gives the statistic of no rows.
 */
#include "catboost.h"
#include "importers.h"

#include <math.h>
#include <stdlib.h>

/* What the writer leaves in empty places of a table. */
#define NO_HASH UINT64_MAX

typedef struct named_table {
	const char *name;
	const cb_table *table;
} named_table;

typedef struct bucket {
	uint64_t hash;
	const double *counts;
} bucket;

typedef struct ctr_build {
	cb_file *file;
	score_builder *builder;
	sl_vector names;   /* named_table, by name */
	sl_vector buckets; /* bucket: those of `sorted`, by hash */
	sl_vector hashes;  /* uint64_t: theirs */
	sl_vector values;  /* double: the CTR's for each of them */
	sl_vector sources; /* uint32_t: columns */
	sl_vector copies;  /* cb_ctr, whose identifier is the name of their table */
	const cb_table *sorted;
	uint64_t left;     /* places of tables that the CTRs still may look at together */
} ctr_build;

static score_status corrupt(const ctr_build *b, int64_t offset, const char *what)
{
	return sl_fail_at(b->file->error, SCORE_ERR_CORRUPT, offset, -1, "%s", what);
}

/* ---- tables -------------------------------------------------------------------------------------- */

static int compare_names(const void *x, const void *y)
{
	return strcmp(((const named_table *)x)->name, ((const named_table *)y)->name);
}

static score_status sort_names(ctr_build *b)
{
	size_t n = b->file->tables.length;
	named_table *names = sl_vector_grow(&b->names, n);
	if (!names && n)
		return sl_fail_memory(b->file->error, n * sizeof *names);
	for (size_t i = 0; i < n; i++) {
		const cb_table *table = sl_vector_at(&b->file->tables, i);
		names[i] = (named_table){import_cb_text(b->file, table->name), table};
	}
	if (n)
		sl_sort(names, n, sizeof *names, compare_names);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(names[i - 1].name, names[i].name) == 0)
			return corrupt(b, names[i].table->offset, "\"ctr_data\": a name is there twice");
	}
	return SCORE_OK;
}

static const cb_table *find_table(const ctr_build *b, const cb_ctr *ctr)
{
	named_table wanted = {import_cb_text(b->file, ctr->identifier), NULL};
	const named_table *found = b->names.length ?
		bsearch(&wanted, b->names.data, b->names.length, sizeof wanted, compare_names) : NULL;
	return found ? found->table : NULL;
}

static int compare_hashes(const void *x, const void *y)
{
	uint64_t a = ((const bucket *)x)->hash, b = ((const bucket *)y)->hash;
	return (a > b) - (a < b);
}

static score_status sort_table(ctr_build *b, const cb_table *table)
{
	const uint64_t *hashes = sl_vector_at(&b->file->hashes, table->first_hash);
	const double *counts = sl_vector_at(&b->file->counts, table->first_count);
	b->sorted = table;
	b->buckets.length = b->hashes.length = 0;
	for (size_t i = 0; i < table->n_hashes; i++) {
		bucket one = {hashes[i], counts + i * table->stride};
		if (one.hash != NO_HASH && !sl_vector_push(&b->buckets, &one, 1))
			return sl_fail_memory(b->file->error, table->n_hashes * sizeof one);
	}
	bucket *sorted = b->buckets.data;
	if (b->buckets.length)
		sl_sort(sorted, b->buckets.length, sizeof *sorted, compare_hashes);
	for (size_t i = 0; i < b->buckets.length; i++) {
		if (i && sorted[i].hash == sorted[i - 1].hash)
			return corrupt(b, table->offset, "\"hash_map\": a hash is there twice");
		if (!sl_vector_push(&b->hashes, &sorted[i].hash, 1))
			return sl_fail_memory(b->file->error, b->buckets.length * sizeof sorted->hash);
	}
	return SCORE_OK;
}

/* ---- statistics ---------------------------------------------------------------------------------- */

static float statistic(const cb_ctr *ctr, double good, double total)
{
	float ratio = ((float)good + ctr->prior_numerator) / ((float)total + ctr->prior_denominator);
	return (ratio + ctr->shift) * ctr->scale;
}

static float bucket_statistic(const cb_ctr *ctr, const cb_table *table, const double *counts)
{
	double good = 0.0, total = 0.0;
	if (ctr->type == CB_MEAN)
		return statistic(ctr, counts[0], counts[1]);
	if (ctr->type == CB_COUNTER)
		return statistic(ctr, counts[0], (double)table->denominator);
	for (size_t i = 0; i < table->stride; i++) {
		total += counts[i];
		if (ctr->type == CB_BUCKETS ? (int64_t)i == ctr->target : (int64_t)i > ctr->target)
			good += counts[i];
	}
	return statistic(ctr, good, total);
}

/* Whether the table has the counts that the CTR takes. */
static score_status check_table(const ctr_build *b, const cb_ctr *ctr, const cb_table *table)
{
	size_t stride = table->stride;
	int64_t targets = ctr->type == CB_BUCKETS ? (int64_t)stride : ctr->type == CB_BORDERS ? (int64_t)stride - 1 : 1;
	if (table->n_hashes == 0)
		return SCORE_OK;
	if ((ctr->type == CB_MEAN && stride != 2) || (ctr->type == CB_COUNTER && stride != 1) ||
		(ctr->type == CB_BORDERS && stride < 2))
		return corrupt(b, table->offset, "\"hash_stride\" does not fit the type of the CTR");
	if (ctr->target < 0 || ctr->target >= targets)
		return corrupt(b, ctr->offset, "\"target_border_idx\" is none of the table's");
	const double *counts = sl_vector_at(&b->file->counts, table->first_count);
	for (size_t i = 0; i < table->n_hashes * stride; i++) {
		bool is_sum = ctr->type == CB_MEAN && i % 2 == 0;
		if (is_sum ? !isfinite(counts[i]) : !(fabs(counts[i]) <= INT32_MAX && counts[i] == floor(counts[i])))
			return corrupt(b, table->offset, "\"hash_map\": expected whole numbers of 32 bits, or finite sums");
	}
	return SCORE_OK;
}

static score_status fill_values(ctr_build *b, const cb_ctr *ctr, const cb_table *table)
{
	/* Empty places count: they are looked at too. */
	if (table->n_hashes > b->left)
		return sl_fail_at(b->file->error, SCORE_ERR_LIMIT, ctr->offset, -1, "many CTRs share large tables");
	b->left -= table->n_hashes;
	score_status status = check_table(b, ctr, table);
	if (status == SCORE_OK && b->sorted != table)
		status = sort_table(b, table);
	if (status != SCORE_OK)
		return status;
	size_t n = b->buckets.length;
	b->values.length = 0;
	double *values = sl_vector_grow(&b->values, n);
	if (!values && n)
		return sl_fail_memory(b->file->error, n * sizeof *values);
	for (size_t i = 0; i < n; i++)
		values[i] = (double)bucket_statistic(ctr, table, ((const bucket *)b->buckets.data)[i].counts);
	return SCORE_OK;
}

/* ---- projections --------------------------------------------------------------------------------- */

/* A column of 0 and 1: the answer of a split. */
static score_status add_bit(ctr_build *b, const cb_split *element, const cb_feature *feature, uint32_t *column)
{
	score_column_program program = SCORE_COLUMN_PROGRAM_INIT;
	bool is_float = element->kind == CB_FLOAT;
	bool missing = is_float && feature->nan_right && element->border < INFINITY;
	const score_step steps[] = {
		{.operation = SCORE_STEP_IDENTITY, .flags = SCORE_STEP_F32},
		{.operation = SCORE_STEP_GREATER, .a = (double)element->border, .b = missing ? 1.0 : 0.0},
		{.operation = SCORE_STEP_EQUAL, .a = (double)element->value},
	};
	score_error inner;
	program.source = (uint32_t)feature->column;
	program.steps = is_float ? steps : steps + 2;
	program.n_steps = is_float ? 2 : 1;
	return import_from_builder(score_builder_add_column(b->builder, &program, column, &inner), &inner, -1,
		b->file->error);
}

/* In the order in which CatBoost hashes them: categories, floats, one-hot values. */
static score_status fill_sources(ctr_build *b, const cb_ctr *ctr)
{
	static const cb_split_kind order[] = {CB_CATEGORY, CB_FLOAT, CB_ONE_HOT};
	const cb_split *elements = sl_vector_at(&b->file->elements, ctr->first_element);
	b->sources.length = 0;
	for (size_t k = 0; k < sizeof order / sizeof order[0]; k++) {
		const sl_vector *features = order[k] == CB_FLOAT ? &b->file->float_features : &b->file->cat_features;
		for (size_t i = 0; i < ctr->n_elements; i++) {
			if (elements[i].kind != order[k])
				continue;
			if (elements[i].feature >= features->length)
				return corrupt(b, ctr->offset, "\"elements\": a feature that the model does not have");
			const cb_feature *feature = sl_vector_at(features, elements[i].feature);
			uint32_t column = (uint32_t)feature->column;
			score_status status = order[k] == CB_CATEGORY ? SCORE_OK : add_bit(b, &elements[i], feature, &column);
			if (status != SCORE_OK)
				return status;
			if (!sl_vector_push(&b->sources, &column, 1))
				return sl_fail_memory(b->file->error, ctr->n_elements * sizeof column);
		}
	}
	return SCORE_OK;
}

static score_status add_ctr(ctr_build *b, const cb_ctr *ctr, uint32_t *column)
{
	const cb_table *table = find_table(b, ctr);
	if (!table && !b->file->tables.length)
		return sl_fail_at(b->file->error, SCORE_ERR_UNSUPPORTED, ctr->offset, -1, "the model has CTRs and no tables for them "
			"(\"ctr_data\"), so CatBoost cannot score it either: train with final_ctr_computation_mode=\"Default\"");
	if (!table)
		return corrupt(b, ctr->offset, "\"ctr_data\" has no table of the CTR's \"identifier\"");
	score_status status = fill_values(b, ctr, table);
	if (status == SCORE_OK)
		status = fill_sources(b, ctr);
	if (status != SCORE_OK)
		return status;
	double unknown = (double)statistic(ctr, 0.0, ctr->type == CB_COUNTER ? (double)table->denominator : 0.0);
	const score_step step = {.operation = SCORE_STEP_LOOKUP, .a = unknown, .b = unknown, .values = b->values.data,
		.n_keys = b->values.length};
	score_column_program program = SCORE_COLUMN_PROGRAM_INIT;
	score_error inner;
	program.root = SCORE_ROOT_HASH;
	program.sources = b->sources.data;
	program.n_sources = b->sources.length;
	program.hashes = b->hashes.data;
	program.n_hashes = b->hashes.length;
	program.steps = &step;
	program.n_steps = 1;
	return import_from_builder(score_builder_add_column(b->builder, &program, column, &inner), &inner, ctr->offset,
		b->file->error);
}

/* ---- files that say too little ------------------------------------------------------------------- */

static int compare_ctrs(const void *x, const void *y)
{
	const cb_ctr *a = x, *b = y;
	const float of_a[] = {a->prior_numerator, a->prior_denominator, a->shift, a->scale};
	const float of_b[] = {b->prior_numerator, b->prior_denominator, b->shift, b->scale};
	if (a->identifier != b->identifier)
		return a->identifier < b->identifier ? -1 : 1;
	if (a->target != b->target)
		return a->target < b->target ? -1 : 1;
	for (size_t i = 0; i < sizeof of_a / sizeof of_a[0]; i++) {
		if (of_a[i] < of_b[i] || of_a[i] > of_b[i])
			return of_a[i] < of_b[i] ? -1 : 1;
	}
	return 0;
}

static score_status ambiguous(const ctr_build *b, int64_t offset)
{
	return sl_fail_at(b->file->error, SCORE_ERR_UNSUPPORTED, offset, -1,
		"CTRs of several targets or sets of target borders are not supported: CatBoost's JSON keeps one table for all; "
		"train with simple_ctr and combinations_ctr [\"Counter\"], or one-hot");
}

/* CatBoost counts for each target, and for each set of target borders, but names the tables only by type and projection. */
static score_status refuse_ambiguous(ctr_build *b)
{
	static const char *const multiple[] = {"MultiLogloss", "MultiCrossEntropy", "MultiRMSE", "MultiRMSEWithMissingValues"};
	const char *loss = import_cb_text(b->file, b->file->loss);
	const cb_ctr *ctrs = b->file->ctrs.data;
	bool is_multiple = false;
	for (size_t i = 0; i < sizeof multiple / sizeof multiple[0]; i++)
		is_multiple |= strcmp(multiple[i], loss) == 0;
	b->copies.length = 0;
	for (size_t i = 0; i < b->file->ctrs.length; i++) {
		cb_ctr copy = ctrs[i];
		const cb_table *table = find_table(b, &copy);
		if (is_multiple && copy.type != CB_COUNTER)
			return ambiguous(b, copy.offset);
		copy.identifier = table ? table->name : 0;
		if (table && !sl_vector_push(&b->copies, &copy, 1))
			return sl_fail_memory(b->file->error, b->file->ctrs.length * sizeof copy);
	}
	cb_ctr *sorted = b->copies.data;
	if (b->copies.length)
		sl_sort(sorted, b->copies.length, sizeof *sorted, compare_ctrs);
	for (size_t i = 1; i < b->copies.length; i++) {
		if (compare_ctrs(sorted + i - 1, sorted + i) == 0)
			return ambiguous(b, sorted[i].offset);
	}
	return SCORE_OK;
}

score_status import_cb_add_ctrs(cb_file *file, score_builder *builder, uint32_t *columns)
{
	ctr_build b = {.file = file, .builder = builder, .left = 64 * (uint64_t)file->counts.length + 1048576};
	sl_vector *const vectors[] = {&b.names, &b.buckets, &b.hashes, &b.values, &b.sources, &b.copies};
	static const size_t sizes[] = {sizeof(named_table), sizeof(bucket), sizeof(uint64_t), sizeof(double), sizeof(uint32_t),
		sizeof(cb_ctr)};
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		sl_vector_init(vectors[i], &file->allocator, sizes[i]);
	score_status status = sort_names(&b);
	if (status == SCORE_OK)
		status = refuse_ambiguous(&b);
	for (size_t i = 0; i < file->ctrs.length && status == SCORE_OK; i++)
		status = add_ctr(&b, sl_vector_at(&file->ctrs, i), columns + i);
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		sl_vector_free(vectors[i]);
	return status;
}
