/*
 * The reference: which edges suit the training data, and how many of its rows fall between them.
 *
 * Comes in: a model and its training rows. Goes out: a snapshot with every row counted, as text for the model's metadata, and
 * back from there. Edges are values of the data: right-closed bins of equal shares, or one per value where there are few.
 */
#include "statistics_parts.h"

#include <math.h>
#include <stdlib.h>

typedef struct builder {
	const score_model *model;
	const score_input *input;
	score_reference_options options;
	score_allocator allocator;
	score_error *error;
	size_t n_rows;
	size_t width;   /* values per row */
	double *out;    /* [n_rows, width] */
	double *column; /* [n_rows] */
	deploy_shape shape;
} builder;

static int compare_doubles(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Sorted, finite. Returns the number of edges. */
static uint32_t quantile_edges(const double *x, size_t n, uint32_t n_bins, double edges[SCORE_MAX_EDGES])
{
	uint32_t n_edges = 0, distinct = 0;
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n && distinct <= n_bins; i++)
		distinct += i == 0 || x[i] != x[i - 1];
	if (distinct == 1) { /* so that values on both sides are seen */
		edges[0] = nextafter(x[0], -HUGE_VAL);
		edges[1] = x[0];
		return isfinite(edges[0]) ? 2 : 0;
	}
	for (size_t i = 0; distinct <= n_bins && i < n; i++) {
		if (x[i] != x[n - 1] && (i == 0 || x[i] != x[i - 1]))
			edges[n_edges++] = x[i];
	}
	for (uint32_t k = 1; distinct > n_bins && k < n_bins; k++) {
		const double edge = x[(size_t)ceil((double)k / n_bins * (double)n) - 1];
		if (edge < x[n - 1] && (n_edges == 0 || edge > edges[n_edges - 1]))
			edges[n_edges++] = edge;
	}
	return n_edges;
}

typedef struct frequency {
	double code;
	size_t n;
} frequency;

static void keep_frequent(frequency *top, uint32_t *n_top, uint32_t limit, frequency next)
{
	uint32_t at = *n_top;
	if (at == limit && top[at - 1].n >= next.n)
		return;
	at = at < limit ? (*n_top)++ : at - 1;
	for (; at > 0 && top[at - 1].n < next.n; at--)
		top[at] = top[at - 1];
	top[at] = next;
}

/* Sorted codes; the most frequent ones, in ascending order. */
static uint32_t category_edges(const double *x, size_t n, uint32_t limit, double edges[SCORE_MAX_EDGES])
{
	frequency top[SCORE_MAX_EDGES];
	uint32_t n_top = 0;
	for (size_t i = 0; i < n;) {
		frequency next = { x[i], 0 };
		for (; i < n && x[i] == next.code; i++)
			next.n++;
		keep_frequent(top, &n_top, limit, next);
	}
	for (uint32_t k = 0; k < n_top; k++)
		edges[k] = top[k].code;
	sl_sort(edges, n_top, sizeof *edges, compare_doubles);
	return n_top;
}

/* Sorts what can be an edge to the front. */
static size_t sort_finite(double *x, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (isfinite(x[i]))
			x[kept++] = x[i];
	}
	sl_sort(x, kept, sizeof *x, compare_doubles);
	return kept;
}

static score_status set_feature(builder *b, uint32_t feature)
{
	const score_feature_type type = score_model_feature_type(b->model, feature);
	const bool category = type == SCORE_FEATURE_CATEGORY;
	double edges[SCORE_MAX_EDGES];
	int64_t rows[DEPLOY_BLOCK];
	deploy_categories categories;
	score_status status = SCORE_OK;
	if (category)
		status = deploy_categories_of(b->model, feature, &b->shape.arena, &categories, b->error);
	if (status != SCORE_OK)
		return status;
	for (size_t r = 0; r < b->n_rows; r += DEPLOY_BLOCK) {
		const size_t n = b->n_rows - r < DEPLOY_BLOCK ? b->n_rows - r : DEPLOY_BLOCK;
		for (size_t k = 0; k < n; k++)
			rows[k] = (int64_t)(r + k);
		deploy_values_take(b->model, b->input, b->options.plan, feature, category ? &categories : NULL, rows, n,
			b->column + r);
	}
	const size_t n = sort_finite(b->column, b->n_rows);
	const uint32_t n_edges = category ? category_edges(b->column, n, b->options.n_categories, edges)
		: quantile_edges(b->column, n, b->options.n_bins, edges);
	const char *name = score_model_feature_name(b->model, feature);
	return deploy_shape_set(&b->shape, feature, name, strlen(name), type, edges, n_edges, b->error);
}

static score_status set_score(builder *b, uint32_t i, const deploy_histogram *usual)
{
	double edges[SCORE_MAX_EDGES];
	for (size_t r = 0; r < b->n_rows; r++)
		b->column[r] = b->out[r * b->width + i];
	const size_t n = sort_finite(b->column, b->n_rows);
	const uint32_t n_edges = usual->type == SCORE_FEATURE_CATEGORY
		? category_edges(b->column, n, b->options.n_categories, edges)
		: quantile_edges(b->column, n, b->options.n_bins, edges);
	return deploy_shape_set(&b->shape, b->shape.n_features + i, usual->name, strlen(usual->name), usual->type, edges,
		n_edges, b->error);
}

/* A snapshot without counts, whose edges are those of the data. */
static score_status make_edges(builder *b, score_snapshot **out)
{
	deploy_shape usual;
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	o.allocator = &b->allocator;
	o.output = b->options.output;
	o.max_features = b->options.max_features;
	score_status status = deploy_shape_of_model(&usual, b->model, &o, NULL, b->error);
	if (status == SCORE_OK)
		status = deploy_shape_init(&b->shape, &b->allocator, usual.n_features, usual.n_scores, b->error);
	b->shape.output = o.output;
	for (uint32_t i = 0; status == SCORE_OK && i < usual.n_features; i++)
		status = set_feature(b, i);
	for (uint32_t i = 0; status == SCORE_OK && i < usual.n_scores; i++)
		status = set_score(b, i, usual.histograms + usual.n_features + i);
	deploy_shape_free(&usual);
	if (status != SCORE_OK) {
		deploy_shape_free(&b->shape);
		return status;
	}
	deploy_shape_finish(&b->shape);
	return deploy_snapshot_new(&b->shape, out, b->error);
}

static score_status count_rows(builder *b, const score_snapshot *edges, score_snapshot **out)
{
	score_statistics *statistics;
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	score_call call = SCORE_CALL_INIT;
	o.allocator = &b->allocator;
	o.reference = edges;
	o.output = b->options.output;
	o.sample_every = 1;
	o.n_shards = 1;
	o.max_features = b->options.max_features;
	score_status status = score_statistics_new(b->model, &o, &statistics, b->error);
	if (status != SCORE_OK)
		return status;
	call.model = b->model;
	call.input = b->input;
	call.plan = b->options.plan;
	call.out = b->out;
	call.out_width = b->width;
	call.output = b->options.output;
	score_statistics_record(statistics, &call);
	status = score_statistics_snapshot(statistics, out, b->error);
	score_statistics_free(statistics);
	return status;
}

static score_status score_rows(builder *b)
{
	score_options o = SCORE_OPTIONS_INIT;
	o.output = b->options.output;
	o.plan = b->options.plan;
	o.scratch_bytes = score_scratch_bytes(b->model);
	o.scratch = sl_alloc(&b->allocator, o.scratch_bytes, SL_CACHE_LINE);
	if (!o.scratch)
		o.scratch_bytes = 0; /* slower, the same scores */
	score_status status = score_batch(b->model, b->input, b->out, b->n_rows * b->width, &o, b->error);
	sl_free(&b->allocator, o.scratch, o.scratch_bytes, SL_CACHE_LINE);
	return status;
}

static score_status build(builder *b, score_snapshot **out)
{
	score_snapshot *edges = NULL;
	size_t values, bytes;
	/* An output that the model does not have is of no width: score_batch() says so. */
	if (!sl_mul(b->n_rows, b->width ? b->width : 1, &values) || !sl_mul(values, sizeof *b->out, &bytes))
		return sl_fail(b->error, SCORE_ERR_LIMIT, "too many rows: %zu of %zu values", b->n_rows, b->width);
	b->out = sl_alloc(&b->allocator, bytes, SL_CACHE_LINE);
	b->column = sl_alloc(&b->allocator, b->n_rows * sizeof *b->column, SL_CACHE_LINE);
	score_status status = b->out && b->column ? score_rows(b) : sl_fail_memory(b->error, bytes);
	if (status == SCORE_OK)
		status = make_edges(b, &edges);
	if (status == SCORE_OK)
		status = count_rows(b, edges, out);
	score_snapshot_free(edges);
	sl_free(&b->allocator, b->out, bytes, SL_CACHE_LINE);
	sl_free(&b->allocator, b->column, b->n_rows * sizeof *b->column, SL_CACHE_LINE);
	return status;
}

static score_status take_options(builder *b, const score_reference_options *given)
{
	score_reference_options *o = &b->options;
	score_status status = sl_take_struct(o, sizeof *o, given, "score_reference_options", b->error);
	if (status != SCORE_OK)
		return status;
	if (o->n_bins > SCORE_MAX_EDGES || o->n_bins == 1 || o->n_categories > SCORE_MAX_EDGES)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "score_reference_options asks for %u bins and %u categories: expected 2 to "
			"32 bins and at most 32 categories", o->n_bins, o->n_categories);
	if (o->output != SCORE_OUTPUT_PREDICTION && o->output != SCORE_OUTPUT_MARGIN && o->output != SCORE_OUTPUT_CLASS)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "score_reference_options.output is %d: expected prediction, margin or class",
			(int)o->output);
	o->n_bins = o->n_bins ? o->n_bins : 10;
	o->n_categories = o->n_categories ? o->n_categories : 20;
	o->max_features = o->max_features ? o->max_features : 1024;
	return SCORE_OK;
}

static score_status make_reference(const score_model *model, const score_input *input,
	const score_reference_options *options, score_snapshot **out, score_error *error)
{
	builder b = { .model = model, .input = input, .error = error, .allocator = sl_allocator(NULL) };
	score_options scoring = SCORE_OPTIONS_INIT;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_reference_new: out is NULL");
	*out = NULL;
	if (!model || !input)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_reference_new: model and input must not be NULL");
	score_status status = take_options(&b, options);
	if (status != SCORE_OK)
		return status;
	if (input->layout == SCORE_BINNED)
		return sl_fail(error, SCORE_ERR_UNSUPPORTED, "a reference counts the values of features, and codes (SCORE_BINNED) hold none: give "
			"the rows");
	if (input->n_rows <= 0)
		return sl_fail(error, SCORE_ERR_SHAPE, "a reference needs rows, found %lld", (long long)input->n_rows);
	scoring.output = b.options.output;
	b.n_rows = (size_t)input->n_rows;
	b.width = score_output_width(model, &scoring);
	return build(&b, out);
}

score_status score_reference_new(const score_model *model, const score_input *input,
	const score_reference_options *options, score_snapshot **out, score_error *error)
{
	const unsigned host = sl_enter_default_float();
	const score_status status = make_reference(model, input, options, out, error);
	sl_leave_default_float(host);
	return status;
}

/* ---- in the model's metadata --------------------------------------------------------------------- */

score_status score_reference_text(const score_snapshot *reference, char **out, size_t *length, score_error *error)
{
	void *bytes;
	size_t size;
	sl_error_clear(error);
	if (!out || !length)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_reference_text: out and length must not be NULL");
	*out = NULL;
	*length = 0;
	score_status status = score_snapshot_serialise(reference, &bytes, &size, error);
	if (status != SCORE_OK)
		return status;
	const size_t text = (size + 2) / 3 * 4;
	*out = sl_alloc(&reference->shape.arena.allocator, text + 1, 8);
	if (*out) {
		deploy_base64_encode(bytes, size, *out);
		*length = text;
	}
	score_snapshot_free_bytes(reference, bytes, size);
	return *out ? SCORE_OK : sl_fail_memory(error, text + 1);
}

score_status score_reference_of(const score_model *model, const score_allocator *allocator, score_snapshot **out,
	score_error *error)
{
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_reference_of: out is NULL");
	*out = NULL;
	if (!model)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_reference_of: model is NULL");
	const char *text = score_model_metadata_get(model, SCORE_REFERENCE_KEY);
	if (!text)
		return SCORE_OK;
	const score_allocator a = sl_allocator(allocator);
	const size_t length = strlen(text), room = length / 4 * 3 + 1;
	size_t size = 0;
	uint8_t *bytes = sl_alloc(&a, room, 8);
	if (!bytes)
		return sl_fail_memory(error, room);
	score_status status = deploy_base64_decode(text, length, bytes, &size)
		? score_snapshot_read(bytes, size, allocator, out, error)
		: sl_fail(error, SCORE_ERR_CORRUPT, "the model's metadata \"" SCORE_REFERENCE_KEY "\" is not base64: make it anew or "
			"remove it");
	sl_free(&a, bytes, room, 8);
	return status;
}
