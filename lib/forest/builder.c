/*
 * The builder: a model by calls.
 *
 * Comes in: trees as arrays of nodes in any order, or linear weights. Goes out (forest_from_builder, assemble.c): a forest.
 * Trees are checked here, one by one, while their node numbers still mean something to the caller: child ranges, cycles,
 * shared children, depth, features, values that the contract's types can hold.
 */
#include "builder.h"

#include <math.h>

#define DEFAULT_MAX_BYTES ((uint64_t)4 << 30)
#define DEFAULT_MAX_TREES 1000000u
#define MAX_OUTPUTS (1u << 16)
#define MAX_NAME ((size_t)1 << 16)

/* ---- life ---------------------------------------------------------------------------------------- */

static score_status check_contract(const score_contract *c, score_error *error)
{
	if (c->n_features == 0 || c->n_features > FOREST_MAX_COLUMNS)
		return sl_fail(error, SCORE_ERR_LIMIT, "n_features is %u, expected 1 to %u", c->n_features, FOREST_MAX_COLUMNS);
	if (c->n_outputs == 0 || c->n_outputs > MAX_OUTPUTS)
		return sl_fail(error, SCORE_ERR_LIMIT, "n_outputs is %u, expected 1 to %u", c->n_outputs, MAX_OUTPUTS);
	if (c->trees_per_iteration == 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "trees_per_iteration is 0, expected at least 1");
	if ((c->compare != SCORE_F32 && c->compare != SCORE_F64) || (c->sum != SCORE_F32 && c->sum != SCORE_F64))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "compare and sum must be SCORE_F32 or SCORE_F64, not %d and %d",
			(int)c->compare, (int)c->sum);
	if (c->base_position != SCORE_BASE_FIRST && c->base_position != SCORE_BASE_LAST)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "unknown base_position %d", (int)c->base_position);
	if (c->average < SCORE_AVERAGE_NONE || c->average > SCORE_AVERAGE_SCALE)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "unknown average %d", (int)c->average);
	if (forest_divides_sum(c->average) && c->base_position != SCORE_BASE_LAST)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "SCORE_AVERAGE_MARGIN and SCORE_AVERAGE_SCALE need SCORE_BASE_LAST");
	if (c->category_rule < SCORE_CATEGORY_TRUNCATE || c->category_rule > SCORE_CATEGORY_EXACT)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "unknown category_rule %d", (int)c->category_rule);
	if (c->scale != 1.0 && c->base_position != SCORE_BASE_LAST)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "a scale needs SCORE_BASE_LAST");
	return SCORE_OK;
}

static void init_vectors(score_builder *b)
{
	sl_vector_init(&b->metadata, &b->allocator, sizeof(forest_metadata));
	sl_vector_init(&b->tests, &b->allocator, sizeof(raw_test));
	sl_vector_init(&b->sets, &b->allocator, sizeof(raw_set));
	sl_vector_init(&b->members, &b->allocator, sizeof(uint32_t));
	sl_vector_init(&b->trees, &b->allocator, sizeof(forest_tree));
	sl_vector_init(&b->split_test, &b->allocator, sizeof(uint32_t));
	sl_vector_init(&b->left, &b->allocator, sizeof(int32_t));
	sl_vector_init(&b->right, &b->allocator, sizeof(int32_t));
	sl_vector_init(&b->leaves, &b->allocator, sizeof(double));
	sl_vector_init(&b->leaf_ids, &b->allocator, sizeof(uint32_t));
	sl_vector_init(&b->split_covers, &b->allocator, sizeof(double));
	sl_vector_init(&b->leaf_covers, &b->allocator, sizeof(double));
	sl_vector_init(&b->programs, &b->allocator, sizeof(forest_program));
	sl_vector_init(&b->parts, &b->allocator, sizeof(score_part));
	sl_vector_init(&b->steps, &b->allocator, sizeof(forest_step));
	sl_vector_init(&b->tables, &b->allocator, sizeof(raw_table));
	sl_vector_init(&b->table_words, &b->allocator, sizeof(uint64_t));
	sl_vector_init(&b->constants, &b->allocator, sizeof(double));
	sl_vector_init(&b->term_ends, &b->allocator, sizeof(uint32_t));
	sl_vector_init(&b->term_features, &b->allocator, sizeof(uint32_t));
	sl_vector_init(&b->coefficients, &b->allocator, sizeof(double));
}

static score_status new_builder(const score_contract *contract, const score_build_options *options, score_builder **out,
	score_error *error)
{
	score_contract c;
	score_build_options o;
	sl_error_clear(error);
	if (!out || !contract)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_builder_new: contract and out must not be NULL");
	*out = NULL;
	score_status status = sl_take_struct(&c, sizeof c, contract, "score_contract", error);
	if (status == SCORE_OK)
		status = sl_take_struct(&o, sizeof o, options, "score_build_options", error);
	c.scale = c.scale == 0.0 ? 1.0 : c.scale;
	if (status == SCORE_OK)
		status = check_contract(&c, error);
	if (status != SCORE_OK)
		return status;
	score_allocator a = sl_allocator(o.allocator);
	score_builder *b = sl_alloc(&a, sizeof *b, 64);
	if (!b)
		return sl_fail_memory(error, sizeof *b);
	memset(b, 0, sizeof *b);
	b->allocator = a;
	b->contract = c;
	b->options = o;
	b->options.max_bytes = o.max_bytes ? o.max_bytes : DEFAULT_MAX_BYTES;
	b->options.max_trees = o.max_trees ? o.max_trees : DEFAULT_MAX_TREES;
	b->options.max_depth = o.max_depth && o.max_depth < FOREST_MAX_DEPTH ? o.max_depth : FOREST_MAX_DEPTH;
	b->link_parameter = 1.0;
	init_vectors(b);
	sl_arena_init(&b->names, &a, (size_t)b->options.max_bytes);
	b->features = sl_arena_alloc(&b->names, c.n_features, sizeof *b->features);
	b->base = sl_arena_alloc(&b->names, c.n_outputs, sizeof *b->base);
	if (!b->features || !b->base) {
		status = forest_fail_memory(&b->names, c.n_features * sizeof *b->features, error);
		score_builder_free(b);
		return status;
	}
	*out = b;
	return SCORE_OK;
}

score_status score_builder_new(const score_contract *contract, const score_build_options *options, score_builder **out,
	score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = new_builder(contract, options, out, error);
	sl_leave_default_float(host);
	return status;
}

void score_builder_free(score_builder *b)
{
	if (!b)
		return;
	sl_vector *vectors[] = {&b->metadata, &b->tests, &b->sets, &b->members, &b->trees, &b->split_test, &b->left,
		&b->right, &b->parts, &b->leaves, &b->leaf_ids, &b->split_covers, &b->leaf_covers, &b->programs, &b->steps, &b->tables,
		&b->table_words, &b->constants, &b->term_ends, &b->term_features, &b->coefficients};
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		sl_vector_free(vectors[i]);
	forest_index_free(b, &b->test_index);
	forest_index_free(b, &b->set_index);
	forest_index_free(b, &b->table_index);
	sl_arena_free(&b->names);
	score_allocator a = b->allocator;
	sl_free(&a, b, sizeof *b, 64);
}

static score_status usable(const score_builder *b, const char *call, score_error *error)
{
	sl_error_clear(error);
	if (!b)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: builder is NULL", call);
	if (b->spent)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: the builder is spent, a model was already made of it", call);
	return SCORE_OK;
}

/* ---- description ---------------------------------------------------------------------------------- */

score_status score_builder_set_feature(score_builder *b, uint32_t feature, const char *name, score_feature_type type,
	score_error *error)
{
	score_status status = usable(b, "score_builder_set_feature", error);
	if (status != SCORE_OK)
		return status;
	if (feature >= b->contract.n_features)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "feature %u does not exist: the model has %u features", feature,
			b->contract.n_features);
	if (type != SCORE_FEATURE_NUMERIC && type != SCORE_FEATURE_CATEGORY)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "feature %u has the unknown type %d", feature, (int)type);
	char *copy = NULL;
	if (name && *name) {
		size_t length = strlen(name);
		if (length > MAX_NAME)
			return sl_fail(error, SCORE_ERR_LIMIT, "the name of feature %u has %zu bytes, the limit is %zu", feature,
				length, MAX_NAME);
		copy = sl_arena_string(&b->names, name, length);
		if (!copy)
			return forest_fail_memory(&b->names, length, error);
	}
	b->features[feature].name = copy;
	b->features[feature].type = type;
	return SCORE_OK;
}

/* The labels one after the other, each terminated, in the builder's memory. */
static score_status join_labels(score_builder *b, const char *const *labels, const double *codes, size_t n,
	uint32_t feature, forest_dictionary *d, score_error *error)
{
	size_t total = 0;
	for (size_t i = 0; i < n; i++) {
		if (!labels[i])
			return sl_fail(error, SCORE_ERR_ARGUMENT, "label %zu of feature %u is NULL", i, feature);
		total += strlen(labels[i]) + 1;
		if (total > INT32_MAX)
			return sl_fail(error, SCORE_ERR_LIMIT, "the labels of feature %u take more than 2 GiB", feature);
	}
	char *text = sl_arena_alloc(&b->names, total, 1);
	uint32_t *starts = sl_arena_alloc(&b->names, n + 1, sizeof *starts);
	double *own = sl_arena_alloc(&b->names, n, sizeof *own);
	if (!text || !starts || !own)
		return forest_fail_memory(&b->names, total + n * sizeof *starts, error);
	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(labels[i]) + 1;
		memcpy(text + starts[i], labels[i], length);
		starts[i + 1] = starts[i] + (uint32_t)length;
		own[i] = codes ? codes[i] : (double)i;
	}
	d->n_labels = (uint32_t)n;
	d->text = text;
	d->starts = starts;
	d->codes = own;
	return SCORE_OK;
}

static score_status set_dictionary(score_builder *b, uint32_t feature, const char *const *labels,
	const double *codes, size_t n, double unknown, uint32_t flags, score_error *error)
{
	score_status status = usable(b, "score_builder_set_dictionary", error);
	if (status != SCORE_OK)
		return status;
	if (feature >= b->contract.n_features)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "feature %u does not exist: the model has %u features", feature,
			b->contract.n_features);
	if (n && !labels)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_builder_set_dictionary: labels is NULL");
	if (n > INT32_MAX)
		return sl_fail(error, SCORE_ERR_LIMIT, "feature %u has %zu labels", feature, n);
	forest_dictionary joined = {.unknown = unknown, .flags = flags};
	const forest_dictionary *made = NULL;
	status = join_labels(b, labels, codes, n, feature, &joined, error);
	if (status == SCORE_OK)
		status = forest_make_dictionary(&joined, feature, &b->names, &made, error);
	if (status == SCORE_OK)
		b->features[feature].dictionary = made;
	return status;
}

score_status score_builder_set_dictionary(score_builder *b, uint32_t feature, const char *const *labels,
	const double *codes, size_t n, double unknown, uint32_t flags, score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = set_dictionary(b, feature, labels, codes, n, unknown, flags, error);
	sl_leave_default_float(host);
	return status;
}

static score_status set_base(score_builder *b, const double *base, size_t n, score_error *error)
{
	score_status status = usable(b, "score_builder_set_base", error);
	if (status != SCORE_OK)
		return status;
	uint32_t n_outputs = b->contract.n_outputs;
	if (!base || (n != 1 && n != n_outputs))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the base has %zu values, expected 1 or %u", base ? n : 0, n_outputs);
	for (size_t i = 0; i < n; i++) {
		if (!forest_fits(b->contract.sum, base[i]))
			return sl_fail(error, SCORE_ERR_ARGUMENT, "base %zu is no float value, but the model sums in float", i);
	}
	for (uint32_t i = 0; i < n_outputs; i++)
		b->base[i] = base[n == 1 ? 0 : i];
	return SCORE_OK;
}

score_status score_builder_set_base(score_builder *b, const double *base, size_t n, score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = set_base(b, base, n, error);
	sl_leave_default_float(host);
	return status;
}

static score_status set_link(score_builder *b, score_link link, double parameter, score_error *error)
{
	score_status status = usable(b, "score_builder_set_link", error);
	if (status != SCORE_OK)
		return status;
	if (forest_link_predictions(link, b->contract.n_outputs) == 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "link %d is unknown or does not fit %u outputs", (int)link,
			b->contract.n_outputs);
	if (!isfinite(parameter))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the link's parameter is not finite");
	b->link = link;
	b->link_parameter = parameter == 0.0 ? 1.0 : parameter;
	return SCORE_OK;
}

score_status score_builder_set_link(score_builder *b, score_link link, double parameter, score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = set_link(b, link, parameter, error);
	sl_leave_default_float(host);
	return status;
}

static score_status add_part(score_builder *b, const score_part *part, score_error *error)
{
	score_part given, copied;
	score_status status = usable(b, "score_builder_add_part", error);
	if (status == SCORE_OK && !part)
		status = sl_fail(error, SCORE_ERR_ARGUMENT, "score_builder_add_part: part is NULL");
	if (status == SCORE_OK)
		status = sl_take_struct(&given, sizeof given, part, "score_part", error);
	if (status == SCORE_OK)
		status = forest_check_part(&given, b->contract.n_outputs, error);
	if (status == SCORE_OK)
		status = forest_copy_part(&given, &b->names, &copied, error);
	if (status == SCORE_OK && !sl_vector_push(&b->parts, &copied, 1))
		status = sl_fail_memory(error, sizeof copied);
	return status;
}

score_status score_builder_add_part(score_builder *b, const score_part *part, score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = add_part(b, part, error);
	sl_leave_default_float(host);
	return status;
}

static score_status combine(score_builder *b, score_combine how, double total, uint32_t n_predictions,
	score_error *error)
{
	score_status status = usable(b, "score_builder_combine", error);
	if (status != SCORE_OK)
		return status;
	if ((uint32_t)how > SCORE_COMBINE_MEDIAN || !isfinite(total) || n_predictions == 0 ||
		n_predictions > FOREST_MAX_PART_OUTPUTS)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_builder_combine: expected SCORE_COMBINE_*, a finite total and 1 to "
			"%u predictions, found %d, %g and %u", FOREST_MAX_PART_OUTPUTS, (int)how, total, n_predictions);
	b->link = SCORE_LINK_PARTS;
	b->link_parameter = 1.0;
	b->combine = how;
	b->total = total;
	b->n_predictions = n_predictions;
	return SCORE_OK;
}

score_status score_builder_combine(score_builder *b, score_combine how, double total, uint32_t n_predictions,
	score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = combine(b, how, total, n_predictions, error);
	sl_leave_default_float(host);
	return status;
}

static forest_metadata *find_metadata(score_builder *b, const char *key)
{
	forest_metadata *entries = b->metadata.data;
	for (size_t i = 0; i < b->metadata.length; i++) {
		if (strcmp(entries[i].key, key) == 0)
			return entries + i;
	}
	return NULL;
}

score_status score_builder_set_metadata(score_builder *b, const char *key, const char *value, score_error *error)
{
	score_status status = usable(b, "score_builder_set_metadata", error);
	if (status != SCORE_OK)
		return status;
	if (!key || !*key || strlen(key) > MAX_NAME)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "a metadata key must have 1 to %zu bytes", MAX_NAME);
	forest_metadata *entry = find_metadata(b, key);
	if (!value) {
		if (entry)
			*entry = ((forest_metadata *)b->metadata.data)[--b->metadata.length];
		return SCORE_OK;
	}
	forest_metadata fresh = {entry ? entry->key : sl_arena_string(&b->names, key, strlen(key)),
		sl_arena_string(&b->names, value, strlen(value))};
	if (!fresh.key || !fresh.value)
		return forest_fail_memory(&b->names, strlen(value), error);
	if (entry)
		*entry = fresh;
	else if (!sl_vector_push(&b->metadata, &fresh, 1))
		return sl_fail_memory(error, sizeof fresh);
	return SCORE_OK;
}

static score_status set_linear(score_builder *b, const double *weights, int skip_missing, score_error *error)
{
	score_status status = usable(b, "score_builder_set_linear", error);
	if (status != SCORE_OK)
		return status;
	if (!weights)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_builder_set_linear: weights is NULL");
	if (b->trees.length)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the model has trees already: it is either linear or trees");
	size_t n = (size_t)(forest_builder_columns(b) - b->linear_first) * b->contract.n_outputs;
	for (size_t i = 0; i < n; i++) {
		if (!forest_fits(b->contract.sum, weights[i]))
			return sl_fail(error, SCORE_ERR_ARGUMENT, "weight %zu is no float value, but the model sums in float", i);
	}
	double *copy = sl_arena_copy(&b->names, weights, n, sizeof *weights);
	if (!copy)
		return forest_fail_memory(&b->names, n * sizeof *weights, error);
	b->linear_weights = copy;
	b->has_linear = true;
	b->linear_skip_missing = skip_missing != 0;
	return SCORE_OK;
}

score_status score_builder_set_linear(score_builder *b, const double *weights, int skip_missing, score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = set_linear(b, weights, skip_missing, error);
	sl_leave_default_float(host);
	return status;
}

score_status score_builder_set_linear_columns(score_builder *b, uint32_t first_column, score_error *error)
{
	score_status status = usable(b, "score_builder_set_linear_columns", error);
	if (status != SCORE_OK)
		return status;
	if (b->has_linear)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the weights are set already: set the columns before them");
	if (first_column >= forest_builder_columns(b) || (first_column && !b->programs.length))
		return sl_fail(error, SCORE_ERR_ARGUMENT,
			"a sum from column %u on: the model has %u columns, %zu of them derived; add the derived columns first",
			first_column, forest_builder_columns(b), b->programs.length);
	b->linear_first = first_column;
	return SCORE_OK;
}
