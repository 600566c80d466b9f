/*
 * What statistics count, and the snapshots that hold it.
 *
 * Comes in: a model, its reference or none. Goes out: a shape, whose histograms have edges and places among the cells.
 */
#include "statistics_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A million features of 24 cells each, and the rest. */
#define SHAPE_LIMIT ((size_t)1 << 31)

score_status deploy_shape_init(deploy_shape *shape, const score_allocator *allocator, uint32_t n_features,
	uint32_t n_scores, score_error *error)
{
	memset(shape, 0, sizeof *shape);
	sl_arena_init(&shape->arena, allocator, SHAPE_LIMIT);
	for (int i = 0; i < 4; i++)
		shape->labels[i] = "";
	shape->n_features = n_features;
	shape->n_scores = n_scores;
	const size_t n = (size_t)n_features + n_scores;
	shape->histograms = sl_arena_alloc(&shape->arena, n, sizeof *shape->histograms);
	return shape->histograms ? SCORE_OK : sl_fail_memory(error, n * sizeof *shape->histograms);
}

score_status deploy_shape_set(deploy_shape *shape, uint32_t i, const char *name, size_t name_length,
	score_feature_type type, const double *edges, uint32_t n_edges, score_error *error)
{
	deploy_histogram *h = shape->histograms + i;
	double *padded = sl_arena_alloc(&shape->arena, SCORE_MAX_EDGES, sizeof *padded);
	h->name = sl_arena_string(&shape->arena, name, name_length);
	h->type = type;
	h->n_edges = n_edges;
	h->edges = padded;
	if (!padded || !h->name)
		return sl_fail_memory(error, SCORE_MAX_EDGES * sizeof *padded + name_length);
	for (uint32_t k = 0; k < SCORE_MAX_EDGES; k++)
		padded[k] = k < n_edges ? edges[k] : HUGE_VAL;
	return SCORE_OK;
}

score_status deploy_shape_expect(deploy_shape *shape, uint32_t i, const uint64_t *expected, score_error *error)
{
	deploy_histogram *h = shape->histograms + i;
	h->expected = sl_arena_copy(&shape->arena, expected, (size_t)h->n_edges + 3, sizeof *expected);
	return h->expected ? SCORE_OK : sl_fail_memory(error, (SCORE_MAX_EDGES + 3) * sizeof *expected);
}

score_status deploy_shape_label(deploy_shape *shape, uint32_t which, const char *text, size_t length,
	score_error *error)
{
	if (length == 0)
		return SCORE_OK;
	const char *copy = sl_arena_string(&shape->arena, text, length);
	if (!copy)
		return sl_fail_memory(error, length);
	shape->labels[which] = copy;
	return SCORE_OK;
}

void deploy_shape_finish(deploy_shape *shape)
{
	size_t cell = DEPLOY_CELL_HISTOGRAMS;
	for (uint32_t i = 0; i < deploy_shape_histograms(shape); i++) {
		shape->histograms[i].cell = cell;
		cell += shape->histograms[i].n_edges + 1 + DEPLOY_AFTER_ALL;
	}
	shape->n_cells = cell;
}

score_status deploy_shape_copy(deploy_shape *to, const deploy_shape *from, const score_allocator *allocator,
	score_error *error)
{
	score_status status = deploy_shape_init(to, allocator, from->n_features, from->n_scores, error);
	for (uint32_t i = 0; status == SCORE_OK && i < deploy_shape_histograms(from); i++) {
		const deploy_histogram *h = from->histograms + i;
		status = deploy_shape_set(to, i, h->name, strlen(h->name), h->type, h->edges, h->n_edges, error);
		if (status == SCORE_OK && h->expected)
			status = deploy_shape_expect(to, i, h->expected, error);
	}
	for (uint32_t i = 0; status == SCORE_OK && i < 4; i++)
		status = deploy_shape_label(to, i, from->labels[i], strlen(from->labels[i]), error);
	if (status != SCORE_OK)
		return status;
	memcpy(to->model_hash, from->model_hash, sizeof to->model_hash);
	to->output = from->output;
	to->expected_rows = from->expected_rows;
	deploy_shape_finish(to);
	return SCORE_OK;
}

void deploy_shape_free(deploy_shape *shape)
{
	sl_arena_free(&shape->arena);
}

/* ---- the shape for a model ----------------------------------------------------------------------- */

static uint32_t usual_edges(double edges[SCORE_MAX_EDGES])
{
	static const double powers[] = { 1e-3, 1e-2, 1e-1, 1, 10, 100, 1e3, 1e4, 1e5, 1e6 };
	const uint32_t n = sizeof powers / sizeof powers[0];
	for (uint32_t k = 0; k < n; k++) {
		edges[n - 1 - k] = -powers[k];
		edges[n + 1 + k] = powers[k];
	}
	edges[n] = 0;
	return 2 * n + 1;
}

static uint32_t probability_edges(double edges[SCORE_MAX_EDGES])
{
	for (uint32_t k = 0; k < 19; k++)
		edges[k] = (k + 1) / 20.0;
	return 19;
}

static uint32_t code_edges(double edges[SCORE_MAX_EDGES], uint32_t n)
{
	n = n < SCORE_MAX_EDGES ? n : SCORE_MAX_EDGES;
	for (uint32_t k = 0; k < n; k++)
		edges[k] = k;
	return n;
}

static int compare_doubles(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The first categories of a dictionary; without one, codes from 0 on. */
static uint32_t category_edges(const score_model *model, uint32_t feature, double edges[SCORE_MAX_EDGES])
{
	const uint32_t labels = score_model_category_count(model, feature);
	uint32_t n = 0, distinct = 0;
	if (labels == 0)
		return score_model_dictionary(model, feature) & SCORE_DICTIONARY_HASH ? 0 : code_edges(edges, 20);
	for (uint32_t k = 0; k < labels && n < SCORE_MAX_EDGES; k++) {
		const double code = score_model_category_code(model, feature, k);
		if (isfinite(code))
			edges[n++] = code;
	}
	sl_sort(edges, n, sizeof *edges, compare_doubles);
	for (uint32_t k = 0; k < n; k++) {
		if (distinct == 0 || edges[k] != edges[distinct - 1])
			edges[distinct++] = edges[k];
	}
	return distinct;
}

static uint32_t score_edges(const score_model *model, score_output output, double edges[SCORE_MAX_EDGES])
{
	static const char *const shares[] = { "sigmoid", "softmax", "ovr", "binary_pair", "huber" };
	const char *link = score_model_link_name(model);
	if (output == SCORE_OUTPUT_CLASS) {
		const uint32_t classes = score_model_class_count(model);
		return code_edges(edges, classes ? classes : 2);
	}
	for (size_t i = 0; output == SCORE_OUTPUT_PREDICTION && i < sizeof shares / sizeof shares[0]; i++) {
		if (strstr(link, shares[i]))
			return probability_edges(edges);
	}
	return usual_edges(edges);
}

static score_status set_usual(deploy_shape *shape, const score_model *model, size_t n_values, score_error *error)
{
	static const char *const names[] = { "prediction", "margin", "leaf", "class" };
	double edges[SCORE_MAX_EDGES];
	score_status status = SCORE_OK;
	for (uint32_t i = 0; status == SCORE_OK && i < shape->n_features; i++) {
		const char *name = score_model_feature_name(model, i);
		const score_feature_type type = score_model_feature_type(model, i);
		const uint32_t n = type == SCORE_FEATURE_CATEGORY ? category_edges(model, i, edges) : usual_edges(edges);
		status = deploy_shape_set(shape, i, name, strlen(name), type, edges, n, error);
	}
	for (uint32_t i = 0; status == SCORE_OK && i < shape->n_scores; i++) {
		char name[32];
		const uint32_t n = score_edges(model, shape->output, edges);
		int length = snprintf(name, sizeof name, n_values > 1 ? "%s[%u]" : "%s", names[shape->output], (unsigned)i);
		status = deploy_shape_set(shape, shape->n_features + i, name, (size_t)length,
			shape->output == SCORE_OUTPUT_CLASS ? SCORE_FEATURE_CATEGORY : SCORE_FEATURE_NUMERIC, edges, n, error);
	}
	return status;
}

/* What was counted in the reference is what to expect. */
static score_status set_expected(deploy_shape *shape, const score_snapshot *reference, score_error *error)
{
	score_status status = SCORE_OK;
	shape->expected_rows = reference->cells[DEPLOY_CELL_SAMPLED];
	for (uint32_t i = 0; shape->expected_rows && status == SCORE_OK && i < deploy_shape_histograms(shape); i++)
		status = deploy_shape_expect(shape, i, reference->cells + reference->shape.histograms[i].cell, error);
	return status;
}

static score_status set_reference(deploy_shape *shape, const score_model *model, const score_snapshot *reference,
	score_error *error)
{
	const deploy_shape *from = &reference->shape;
	score_status status = SCORE_OK;
	if (from->n_features != shape->n_features || from->n_scores != shape->n_scores || from->output != shape->output)
		return sl_fail(error, SCORE_ERR_SHAPE, "the reference has %u features and %u scores of output %d, the model %u and %u "
			"of output %d: make it from this model, or set SCORE_STATISTICS_NO_REFERENCE", from->n_features, from->n_scores,
			(int)from->output, shape->n_features, shape->n_scores, (int)shape->output);
	for (uint32_t i = 0; status == SCORE_OK && i < deploy_shape_histograms(shape); i++) {
		const deploy_histogram *h = from->histograms + i;
		const char *name = i < shape->n_features ? score_model_feature_name(model, i) : h->name;
		if (strcmp(name, h->name) != 0)
			return sl_fail(error, SCORE_ERR_SHAPE, "feature %u is \"%s\" in the reference and \"%s\" in the model: make the "
				"reference from this model", i, sl_quote(h->name, strlen(h->name)).text,
				sl_quote(name, strlen(name)).text);
		status = deploy_shape_set(shape, i, h->name, strlen(h->name), h->type, h->edges, h->n_edges, error);
	}
	return status == SCORE_OK ? set_expected(shape, reference, error) : status;
}

static score_status set_labels(deploy_shape *shape, const score_model *model, const score_statistics_options *o,
	score_error *error)
{
	const char *name = o->entity_name ? o->entity_name : score_model_metadata_get(model, "name");
	const char *const given[4] = { o->endpoint, o->served_name, name, o->entity_version };
	score_status status = SCORE_OK;
	for (uint32_t i = 0; status == SCORE_OK && i < 4; i++) {
		if (given[i])
			status = deploy_shape_label(shape, i, given[i], strlen(given[i]), error);
	}
	return status;
}

score_status deploy_shape_of_model(deploy_shape *shape, const score_model *model, const score_statistics_options *options,
	const score_snapshot *reference, score_error *error)
{
	score_options scoring = SCORE_OPTIONS_INIT;
	score_model_info info = { .struct_size = sizeof info };
	memset(shape, 0, sizeof *shape);
	sl_arena_init(&shape->arena, options->allocator, SHAPE_LIMIT);
	const score_status told = score_model_get_info(model, &info);
	if (SL_NEVER(told != SCORE_OK)) /* there is a model, and the struct has its size */
		return sl_fail(error, told, "the model does not say what it is");
	scoring.output = options->output;
	const size_t n_values = score_output_width(model, &scoring);
	const uint32_t n_features = info.n_features < options->max_features ? info.n_features : options->max_features;
	score_status status = deploy_shape_init(shape, options->allocator, n_features,
		(uint32_t)(n_values < DEPLOY_MAX_SCORES ? n_values : DEPLOY_MAX_SCORES), error);
	if (status != SCORE_OK)
		return status;
	shape->output = options->output;
	memcpy(shape->model_hash, info.hash, sizeof shape->model_hash);
	status = set_labels(shape, model, options, error);
	if (status == SCORE_OK)
		status = reference ? set_reference(shape, model, reference, error) : set_usual(shape, model, n_values, error);
	deploy_shape_finish(shape);
	return status;
}

/* ---- snapshots ----------------------------------------------------------------------------------- */

score_status deploy_snapshot_new(deploy_shape *shape, score_snapshot **out, score_error *error)
{
	score_snapshot *s = sl_arena_alloc(&shape->arena, 1, sizeof *s);
	uint64_t *cells = sl_arena_alloc(&shape->arena, shape->n_cells, sizeof *cells);
	if (!s || !cells) {
		const size_t bytes = shape->n_cells * sizeof *cells;
		deploy_shape_free(shape);
		return sl_fail_memory(error, bytes);
	}
	s->shape = *shape;
	s->cells = cells;
	*out = s;
	return SCORE_OK;
}

void score_snapshot_free(score_snapshot *snapshot)
{
	if (!snapshot)
		return;
	sl_arena arena = snapshot->shape.arena; /* the snapshot stands in it */
	sl_arena_free(&arena);
}

void deploy_cells_add(const deploy_shape *shape, uint64_t *to, const uint64_t *from)
{
	const uint64_t first = to[DEPLOY_CELL_FIRST], last = to[DEPLOY_CELL_LAST];
	for (size_t i = 0; i < shape->n_cells; i++)
		to[i] += from[i];
	to[DEPLOY_CELL_FIRST] = first && (!from[DEPLOY_CELL_FIRST] || first < from[DEPLOY_CELL_FIRST]) ? first
		: from[DEPLOY_CELL_FIRST];
	to[DEPLOY_CELL_LAST] = last > from[DEPLOY_CELL_LAST] ? last : from[DEPLOY_CELL_LAST];
}
