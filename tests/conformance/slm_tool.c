/*
 * What the C reader sees, for comparison with a reader in another language.
 *
 *   slm_tool samples FOLDER   write every sample model as FOLDER/<name>.slm
 *   slm_tool dump FILE        print every field of the forest, floats as the hexadecimal digits of their bits
 */
#include "sample_forests.h"

#include "base/file.h"
#include "format/slm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print_doubles(const char *name, const double *values, size_t n)
{
	printf("%s:", name);
	for (size_t i = 0; i < n; i++)
		printf(" %016" PRIx64, sl_f64_bits(values[i]));
	printf("\n");
}

static void print_uints(const char *name, const uint32_t *values, size_t n)
{
	printf("%s:", name);
	for (size_t i = 0; i < n; i++)
		printf(" %" PRIu32, values[i]);
	printf("\n");
}

/* Nothing where they are unknown. */
static void print_weights(const char *name, const forest_weights *weights, size_t n)
{
	printf("%s:", name);
	for (size_t i = 0; weights->values != NULL && i < n; i++)
		printf(" %016" PRIx64, sl_f64_bits(forest_weight(weights, i)));
	printf("\n");
}

/* Those of splits that stand for the sums of their leaves' are summed. */
static void print_split_covers(const forest *f)
{
	const score_allocator allocator = sl_allocator(NULL);
	forest_children children;
	double *sums = malloc(((size_t)forest_most_splits(f) + 1) * sizeof *sums);
	if (f->split_covers.values != NULL || f->leaf_covers.values == NULL) {
		print_weights("split_covers", &f->split_covers, f->n_splits);
	} else if (sums != NULL && forest_children_new(f, &allocator, &children)) {
		printf("split_covers:");
		for (uint32_t t = 0; t < f->n_trees; t++) {
			forest_list_children(f, f->trees + t, &children);
			forest_sum_covers(f, f->trees + t, &children, sums);
			for (uint32_t i = 0; i < f->trees[t].n_splits; i++)
				printf(" %016" PRIx64, sl_f64_bits(sums[i]));
		}
		printf("\n");
		forest_children_free(&allocator, &children);
	}
	free(sums);
}

/* The left or the right child of each split, counted in its tree. */
static void print_children(const forest *f, const char *name, bool is_right)
{
	const score_allocator allocator = sl_allocator(NULL);
	forest_children children;
	printf("%s:", name);
	if (!forest_children_new(f, &allocator, &children))
		return;
	for (uint32_t t = 0; t < f->n_trees; t++) {
		forest_list_children(f, f->trees + t, &children);
		for (uint32_t s = 0; s < f->trees[t].n_splits; s++)
			printf(" %" PRId32, (is_right ? children.right : children.left)[s]);
	}
	printf("\n");
	forest_children_free(&allocator, &children);
}

static void print_linear_leaves(const forest *f)
{
	const forest_linear_leaves *l = &f->linear_leaves;
	for (uint32_t i = 0; l->first_term != NULL && i < f->n_leaves; i++) {
		printf("linear_leaf: %016" PRIx64, sl_f64_bits(l->constants[i]));
		for (uint32_t k = l->first_term[i]; k < l->first_term[i + 1]; k++)
			printf(" %" PRIu32, l->features[k]);
		for (uint32_t k = l->first_term[i]; k < l->first_term[i + 1]; k++)
			printf(" %016" PRIx64, sl_f64_bits(l->coefficients[k]));
		printf("\n");
	}
}

static void print_contract(const forest *f)
{
	const score_contract *c = &f->contract;
	printf("contract: %u %u %u %d %d %d %d %d %016" PRIx64 "\n", (unsigned)c->n_features, (unsigned)c->n_outputs,
		(unsigned)c->trees_per_iteration, (int)c->compare, (int)c->sum, (int)c->base_position, (int)c->average,
		(int)c->category_rule, sl_f64_bits(c->scale));
	printf("kind: %d\nlink: %d %016" PRIx64 " %u\n", (int)f->kind, (int)f->link, sl_f64_bits(f->link_parameter),
		(unsigned)f->n_predictions);
	printf("linear_skip_missing: %d\nleaf_width: %u\n", (int)f->linear_skip_missing, (unsigned)f->leaf_width);
	for (uint32_t i = 0; i < f->n_features; i++)
		printf("feature: %s|%u|%u|%u\n", f->features[i].name, (unsigned)f->features[i].type,
			(unsigned)f->features[i].first_cut, (unsigned)f->features[i].n_cuts);
	for (uint32_t i = 0; i < f->n_features; i++) {
		const forest_dictionary *d = f->features[i].dictionary;
		if (d != NULL)
			printf("dictionary: %u %u %u %016" PRIx64 "\n", (unsigned)i, (unsigned)d->n_labels, (unsigned)d->flags,
				sl_f64_bits(d->unknown));
		for (uint32_t k = 0; d != NULL && k < d->n_labels; k++)
			printf("label: %s|%016" PRIx64 "\n", d->text + d->starts[k], sl_f64_bits(d->codes[k]));
	}
	for (uint32_t i = 0; i < f->n_metadata; i++)
		printf("metadata: %s|%s\n", f->metadata[i].key, f->metadata[i].value);
}

static void print_table(const char *name, const forest_derived *d, uint32_t table)
{
	print_doubles(name, d->table_values + d->table_first[table], d->table_first[table + 1] - d->table_first[table]);
}

static void print_steps(const forest_derived *d, const forest_program *p)
{
	for (uint32_t i = p->first_step; i < p->first_step + p->n_steps; i++) {
		const forest_step *s = d->steps + i;
		printf("step: %u %u %016" PRIx64 " %016" PRIx64 "\n", (unsigned)s->operation, (unsigned)s->is_f32, sl_f64_bits(s->a),
			sl_f64_bits(s->b));
		if (s->operation != SCORE_STEP_LOOKUP)
			continue;
		if (s->keys != FOREST_DENSE)
			print_table("keys", d, s->keys);
		print_table("values", d, s->values);
	}
}

static void print_derived(const forest *f)
{
	const forest_derived *d = &f->derived;
	for (uint32_t i = 0; i < d->n; i++) {
		const forest_program *p = d->programs + i;
		const forest_feature *column = f->features + f->n_features + i;
		printf("column: %u %u %u %u %u %016" PRIx64 "\n", (unsigned)p->root, (unsigned)p->is_f32, (unsigned)p->source,
			(unsigned)column->first_cut, (unsigned)column->n_cuts, sl_f64_bits(p->least));
		if (p->root != SCORE_ROOT_VALUE)
			print_uints("sources", d->list_members + d->list_first[p->list],
				d->list_first[p->list + 1] - d->list_first[p->list]);
		for (uint32_t k = 0; p->root == SCORE_ROOT_HASH && k < d->hash_first[p->hashes + 1] - d->hash_first[p->hashes]; k++)
			printf("hash: %016" PRIx64 "\n", d->hashes[d->hash_first[p->hashes] + k]);
		print_steps(d, p);
	}
	printf("linear_first: %u\n", (unsigned)f->linear_first);
}

static void print_forest(const forest *f)
{
	const size_t n_outputs = f->contract.n_outputs;
	print_contract(f);
	print_derived(f);
	printf("cuts:");
	for (uint32_t i = 0; i < f->n_cuts; i++)
		printf(" %016" PRIx64, sl_f64_bits(forest_real(&f->cuts, i)));
	printf("\n");
	for (uint32_t i = 0; i < f->n_tests; i++) {
		const forest_test t = forest_test_at(f, i);
		printf("test: %u %u %u %u %u\n", (unsigned)t.feature, (unsigned)t.index, (unsigned)t.kind, (unsigned)t.missing_right,
			(unsigned)t.zero_is_missing);
	}
	for (uint32_t i = 0; i < f->n_sets; i++) {
		printf("set:");
		for (uint32_t k = forest_set_first(f, i); k < forest_set_first(f, i + 1); k++)
			printf(" %u", (unsigned)forest_set_member(f, k));
		printf("\n");
	}
	for (uint32_t i = 0; i < f->n_trees; i++)
		printf("tree: %u %u %u %u %u\n", (unsigned)f->trees[i].first_split, (unsigned)f->trees[i].n_splits,
			(unsigned)f->trees[i].first_leaf, (unsigned)f->trees[i].output, (unsigned)f->trees[i].depth);
	printf("split_test:");
	for (uint32_t i = 0; i < f->n_splits; i++)
		printf(" %" PRIu32, forest_number(&f->split_test, i));
	printf("\n");
	print_children(f, "left", false);
	print_children(f, "right", true);
	printf("leaves:");
	for (size_t i = 0; i < (size_t)f->n_leaves * f->leaf_width; i++)
		printf(" %016" PRIx64, sl_f64_bits(forest_real(&f->leaves, i)));
	printf("\nleaf_ids:");
	for (uint32_t i = 0; i < f->n_leaves; i++)
		printf(" %" PRIu32, forest_number(&f->leaf_ids, i));
	printf("\n");
	print_split_covers(f);
	print_weights("leaf_covers", &f->leaf_covers, f->n_leaves);
	print_doubles("base", f->base, n_outputs);
	print_doubles("linear_weights", f->linear_weights, f->linear_weights != NULL ? forest_linear_weights(f) : 0);
	print_doubles("golden_rows", f->golden_rows, (size_t)f->n_golden * f->n_features);
	print_doubles("golden_margins", f->golden_margins, f->n_golden * n_outputs);
	print_linear_leaves(f);
}

static int dump(const char *path)
{
	const score_allocator standard = sl_allocator(NULL);
	score_error error = { .code = SCORE_OK };
	sl_arena arena;
	uint8_t hash[16];
	void *data = NULL;
	size_t size = 0;
	forest *f = NULL;
	sl_arena_init(&arena, NULL, 0);
	score_status status = sl_read_file(path, 0, &standard, &data, &size, &error);
	if (status == SCORE_OK)
		status = slm_read(data, size, &arena, &f, hash, &error);
	if (status == SCORE_OK)
		print_forest(f);
	else
		fprintf(stderr, "%s: %s\n", path, error.message);
	sl_free(&standard, data, size, SL_CACHE_LINE);
	sl_arena_free(&arena);
	return status != SCORE_OK;
}

static int write_sample(const sample *s, const char *folder)
{
	const score_allocator standard = sl_allocator(NULL);
	char path[1024];
	sl_arena arena;
	void *data;
	size_t size;
	sl_arena_init(&arena, NULL, 0);
	const forest *f = sample_make(s, &arena);
	snprintf(path, sizeof path, "%s/%s.slm", folder, s->name);
	const bool written = f != NULL && slm_write(f, NULL, &standard, &data, &size, NULL) == SCORE_OK;
	const bool saved = written && sl_write_file(path, data, size, NULL) == SCORE_OK;
	if (written)
		slm_free_bytes(&standard, data, size);
	sl_arena_free(&arena);
	return !saved;
}

int main(int argc, char **argv)
{
	int failed = 0;
	if (argc == 3 && strcmp(argv[1], "dump") == 0)
		return dump(argv[2]);
	if (argc != 3 || strcmp(argv[1], "samples") != 0) {
		fprintf(stderr, "usage: slm_tool samples FOLDER | slm_tool dump FILE\n");
		return 2;
	}
	for (size_t i = 0; i < n_samples; i++)
		failed |= write_sample(samples + i, argv[2]);
	return failed;
}
