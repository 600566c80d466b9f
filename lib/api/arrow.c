/*
 * Record batches of the Arrow C data interface as columns.
 *
 * Comes in: a schema once, then batches that fit it. Goes out: score_batch() over descriptors that point into the batch. What a
 * batch says of itself is checked against the schema; its buffers are the producer's promise, as the interface has it.
 */
#include "../input/plan.h"
#include "../input/view.h"
#include "arrow_text.h"

#include <math.h>

/* One column of the schema. */
typedef struct bound_column {
	score_dtype dtype;      /* 0: nothing that can be scored */
	arrow_text text;        /* of SCORE_STRING */
	bool is_null;
	int64_t feature;        /* that it feeds, or -1 */
} bound_column;

struct score_arrow_binding {
	sl_arena arena; /* holds everything but the plan, this struct too */
	const score_model *model;
	score_plan *plan; /* NULL: by position */
	uint32_t n_columns;
	bound_column *columns;
};

/* What a batch needs while it is scored. */
typedef struct batch_view {
	sl_arena *arena;
	score_column *columns;
	score_error *error;
} batch_view;

static bound_column describe(const struct ArrowSchema *s)
{
	bound_column c = {0, {false, 0, 0}, false, -1};
	if (!s->format)
		return c;
	c.is_null = strcmp(s->format, "n") == 0;
	if (sl_arrow_is_text(s, &c.text))
		c.dtype = SCORE_STRING;
	else
		c.dtype = s->dictionary ? 0 : c.is_null ? SCORE_F64 : sl_arrow_plain_type(s->format);
	return c;
}

static score_status check_schema(const score_model *model, const struct ArrowSchema *s, uint32_t flags, score_error *error)
{
	if (!model || !s || !s->format || (flags & ~SCORE_ARROW_BY_POSITION))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_arrow_bind: model, schema and its format must not be NULL, and flags "
			"SCORE_ARROW_* only");
	if (strcmp(s->format, "+s") != 0)
		return sl_fail(error, SCORE_ERR_SHAPE, "expected the schema of a record batch, a struct ('+s'), found Arrow format '%s'",
			sl_quote(s->format, strlen(s->format)).text);
	if (s->n_children < 0 || s->n_children > INT32_MAX || (s->n_children && !s->children))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the schema has %lld columns", (long long)s->n_children);
	for (int64_t i = 0; i < s->n_children; i++) {
		if (!s->children[i])
			return sl_fail(error, SCORE_ERR_ARGUMENT, "column %lld of the schema is NULL", (long long)i);
	}
	return SCORE_OK;
}

static score_status bind_names(score_arrow_binding *b, const struct ArrowSchema *s, score_error *error)
{
	const char **names = sl_arena_alloc(&b->arena, b->n_columns, sizeof *names);
	score_dtype *types = sl_arena_alloc(&b->arena, b->n_columns, sizeof *types);
	if (!names || !types)
		return sl_fail_memory(error, b->n_columns * sizeof *names);
	for (uint32_t i = 0; i < b->n_columns; i++) {
		names[i] = s->children[i]->name ? s->children[i]->name : "";
		types[i] = b->columns[i].dtype ? b->columns[i].dtype : SCORE_F64; /* refused below, by its format */
	}
	score_status status = score_bind(b->model, names, types, b->n_columns, &b->plan, error);
	for (uint32_t i = 0; i < b->model->f->n_features && status == SCORE_OK; i++)
		b->columns[score_plan_column(b->plan, i)].feature = i;
	return status;
}

static score_status bind_columns(score_arrow_binding *b, const struct ArrowSchema *s, uint32_t flags, score_error *error)
{
	uint32_t n_features = b->model->f->n_features;
	score_status status = SCORE_OK;
	b->columns = sl_arena_alloc(&b->arena, b->n_columns, sizeof *b->columns);
	if (!b->columns)
		return sl_fail_memory(error, b->n_columns * sizeof *b->columns);
	for (uint32_t i = 0; i < b->n_columns; i++)
		b->columns[i] = describe(s->children[i]);
	if (!(flags & SCORE_ARROW_BY_POSITION))
		status = bind_names(b, s, error);
	else if (b->n_columns != n_features)
		status = sl_fail(error, SCORE_ERR_SHAPE, "the schema has %u columns, the model %u", b->n_columns, n_features);
	else
		for (uint32_t i = 0; i < n_features; i++)
			b->columns[i].feature = i;
	for (uint32_t i = 0; i < b->n_columns && status == SCORE_OK; i++) {
		const char *format = s->children[i]->format ? s->children[i]->format : "", *name = s->children[i]->name;
		if (b->columns[i].feature >= 0 && !b->columns[i].dtype)
			status = sl_fail(error, SCORE_ERR_SHAPE, "column '%s' has the Arrow format '%s'%s, which cannot be scored: expected "
				"numbers, booleans, utf8, or a dictionary of utf8%s", sl_quote(name ? name : "", name ? strlen(name) : 0).text,
				sl_quote(format, strlen(format)).text, s->children[i]->dictionary ? " with a dictionary" : "",
				strcmp(format, "+r") == 0 ? "; decode the runs first (pyarrow: run_end_decode)" : "");
	}
	return status;
}

score_status score_arrow_bind(const score_model *model, const struct ArrowSchema *schema, uint32_t flags,
	score_arrow_binding **out, score_error *error)
{
	sl_arena arena;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_arrow_bind: out is NULL");
	*out = NULL;
	score_status status = check_schema(model, schema, flags, error);
	if (status != SCORE_OK)
		return status;
	sl_arena_init(&arena, &model->arena.allocator, 0);
	score_arrow_binding *b = sl_arena_alloc(&arena, 1, sizeof *b);
	if (!b)
		return sl_fail_memory(error, sizeof *b);
	*b = (score_arrow_binding){.arena = arena, .model = model, .n_columns = (uint32_t)schema->n_children};
	status = bind_columns(b, schema, flags, error);
	if (status != SCORE_OK)
		score_arrow_binding_free(b);
	else
		*out = b;
	return status;
}

void score_arrow_binding_free(score_arrow_binding *binding)
{
	if (!binding)
		return;
	sl_arena arena = binding->arena; /* the binding itself lies in it */
	score_plan_free(binding->plan);
	sl_arena_free(&arena);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

/* Codes of a dictionary's strings; NaN for those that are null. */
static score_status encode(const batch_view *v, const score_model *model, const bound_column *c, const struct ArrowArray *values,
	score_strings *strings)
{
	double *codes = sl_arena_alloc(v->arena, (size_t)values->length + 1, sizeof *codes);
	if (!codes)
		return sl_fail_memory(v->error, (size_t)values->length * sizeof *codes);
	score_status status = score_encode(model, (uint32_t)c->feature, strings, codes, v->error);
	const uint8_t *valid = sl_arrow_validity(values);
	for (int64_t i = 0; i < values->length && valid && status == SCORE_OK; i++) {
		if (input_all_valid(valid, values->offset + i, 1))
			continue;
		codes[i] = (double)NAN;
	}
	strings->codes = codes;
	return status;
}

static score_status take_strings(const batch_view *v, const score_model *model, const bound_column *c, const struct ArrowArray *a,
	score_column *column)
{
	const struct ArrowArray *values = c->text.index_type ? a->dictionary : a;
	score_strings *strings = sl_arena_alloc(v->arena, 1, sizeof *strings);
	if (!strings)
		return sl_fail_memory(v->error, sizeof *strings);
	column->values = strings;
	if (!values || values->length < 0 || values->offset < 0)
		return sl_fail(v->error, SCORE_ERR_SHAPE, "a column that the schema calls a dictionary has none in this batch");
	*strings = (score_strings)SCORE_STRINGS_INIT;
	strings->offset_type = c->text.offset_type;
	strings->offsets = sl_arrow_buffer(values, 1);
	strings->data = sl_arrow_buffer(values, 2) ? sl_arrow_buffer(values, 2) : "";
	if (!c->text.index_type)
		return SCORE_OK;
	size_t size = c->text.offset_type == SCORE_I32 ? sizeof(int32_t) : sizeof(int64_t);
	static const int64_t none[1] = {0}; /* of a dictionary without strings */
	if (strings->offsets)
		strings->offsets = (const char *)strings->offsets + (size_t)values->offset * size;
	else if (values->length == 0)
		strings->offsets = none;
	strings->indices = sl_arrow_buffer(a, 1);
	strings->index_type = c->text.index_type;
	strings->n_strings = values->length;
	return encode(v, model, c, values, strings);
}

/* String views become numbers: their codes. */
static score_status take_views(const batch_view *v, const score_arrow_binding *b, uint32_t i, const struct ArrowArray *batch,
	score_column *column)
{
	const bound_column *c = b->columns + i;
	uint32_t feature = (uint32_t)c->feature;
	double *codes = sl_arena_alloc(v->arena, (size_t)batch->length + 1, sizeof *codes);
	if (!codes)
		return sl_fail_memory(v->error, (size_t)batch->length * sizeof *codes);
	*column = (score_column){.values = codes, .dtype = SCORE_F64};
	return sl_arrow_text_codes(b->model, feature, &c->text, batch->children[i], batch->offset, batch->length, codes, v->error);
}

/* Missing in every row. */
static score_status take_nulls(const batch_view *v, int64_t n_rows, score_column *column)
{
	double *values = sl_arena_alloc(v->arena, (size_t)n_rows + 1, sizeof *values);
	if (!values)
		return sl_fail_memory(v->error, (size_t)n_rows * sizeof *values);
	for (int64_t i = 0; i < n_rows; i++)
		values[i] = (double)NAN;
	column->values = values;
	return SCORE_OK;
}

static score_status take_column(const batch_view *v, const score_arrow_binding *b, const struct ArrowArray *batch, uint32_t i)
{
	const bound_column *c = b->columns + i;
	const struct ArrowArray *a = batch->children[i];
	score_column *column = v->columns + i;
	if (!a || a->offset < 0 || a->length < batch->offset || a->length - batch->offset < batch->length)
		return sl_fail(v->error, SCORE_ERR_SHAPE, "column %u of the batch is NULL or has fewer than %lld rows", i,
			(long long)batch->length);
	column->dtype = c->dtype ? c->dtype : SCORE_U8;
	if (c->feature < 0)
		return SCORE_OK;
	if (c->is_null)
		return take_nulls(v, batch->length, column);
	if (c->dtype == SCORE_STRING && !input_takes_strings(b->model->f, (uint32_t)c->feature)) /* bound by position */
		return sl_fail(v->error, SCORE_ERR_SHAPE, "feature '%.100s' is a number, and column %u holds text",
			b->model->f->features[c->feature].name, i);
	if (c->text.is_view)
		return take_views(v, b, i, batch, column);
	column->offset = a->offset + batch->offset;
	column->validity = sl_arrow_validity(a);
	if (c->dtype == SCORE_STRING)
		return take_strings(v, b->model, c, a, column);
	column->values = sl_arrow_buffer(a, 1);
	return SCORE_OK;
}

static score_status check_batch(const score_arrow_binding *b, const struct ArrowArray *batch, score_error *error)
{
	if (!b || !batch)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_arrow_batch: binding and batch must not be NULL");
	if (!batch->release)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_arrow_batch: the batch was released already");
	if (batch->length < 0 || batch->offset < 0 || batch->n_children != (int64_t)b->n_columns || !batch->children)
		return sl_fail(error, SCORE_ERR_SHAPE, "the batch has %lld rows and %lld columns, its schema had %u columns",
			(long long)batch->length, (long long)batch->n_children, b->n_columns);
	const uint8_t *valid = sl_arrow_validity(batch);
	if (valid && !input_all_valid(valid, batch->offset, (size_t)batch->length))
		return sl_fail(error, SCORE_ERR_SHAPE, "the batch has rows that are null as a whole: give a record batch");
	return SCORE_OK;
}

static score_status take_batch(const batch_view *v, const score_arrow_binding *b, const struct ArrowArray *batch)
{
	for (uint32_t i = 0; i < b->n_columns && batch->length; i++) {
		score_status status = take_column(v, b, batch, i);
		if (status != SCORE_OK)
			return status;
	}
	return SCORE_OK;
}

score_status score_arrow_batch(const score_arrow_binding *binding, const struct ArrowArray *batch, double *out,
	size_t out_len, const score_options *options, score_error *error)
{
	score_options o;
	sl_arena arena;
	sl_error_clear(error);
	score_status status = check_batch(binding, batch, error);
	if (status == SCORE_OK)
		status = sl_take_struct(&o, sizeof o, options, "score_options", error);
	if (status == SCORE_OK && o.plan)
		status = sl_fail(error, SCORE_ERR_ARGUMENT, "score_arrow_batch: the binding stands for a plan; give none");
	if (status != SCORE_OK)
		return status;
	o.struct_size = sizeof o;
	o.plan = binding->plan;
	sl_arena_init(&arena, &binding->model->arena.allocator, 0);
	batch_view v = {&arena, sl_arena_alloc(&arena, (size_t)binding->n_columns + 1, sizeof(score_column)), error};
	status = v.columns ? take_batch(&v, binding, batch) : sl_fail_memory(error, binding->n_columns * sizeof(score_column));
	if (status == SCORE_OK) {
		score_input in = score_input_columns(v.columns, batch->length, (int64_t)binding->n_columns);
		status = score_batch(binding->model, &in, out, out_len, &o, error);
	}
	sl_arena_free(&arena);
	return status;
}

/* ---- streams ----------------------------------------------------------------------------------------------------- */

static score_status stream_failed(struct ArrowArrayStream *stream, int code, score_error *error)
{
	const char *text = stream->get_last_error(stream);
	return sl_fail(error, SCORE_ERR_IO, "the Arrow stream failed with error %d: %.150s", code, text ? text : "no message");
}

/* Scores of one batch go to the visitor; *more says whether it wants others. */
static score_status visit_batch(const score_arrow_binding *b, const struct ArrowArray *batch, int64_t first_row,
	const score_options *options, score_arrow_visit visit, void *context, bool *more, score_error *error)
{
	const score_allocator *allocator = &b->model->arena.allocator;
	size_t width = score_output_width(b->model, options), n = 0, bytes = 0;
	if (batch->length < 0 || !sl_mul((size_t)batch->length, width, &n) || !sl_mul(n, sizeof(double), &bytes))
		return sl_fail(error, SCORE_ERR_SHAPE, "a batch of %lld rows is no batch", (long long)batch->length);
	double *values = sl_alloc(allocator, bytes ? bytes : 1, SL_CACHE_LINE);
	if (!values)
		return sl_fail_memory(error, bytes);
	score_status status = score_arrow_batch(b, batch, values, n, options, error);
	if (status == SCORE_OK)
		*more = visit(context, first_row, batch->length, values, width) == 0;
	sl_free(allocator, values, bytes ? bytes : 1, SL_CACHE_LINE);
	return status;
}

static score_status visit_batches(const score_arrow_binding *b, struct ArrowArrayStream *stream, const score_options *options,
	score_arrow_visit visit, void *context, score_error *error)
{
	score_status status = SCORE_OK;
	int64_t first_row = 0;
	for (bool more = true; more && status == SCORE_OK;) {
		struct ArrowArray batch = {0};
		int code = stream->get_next(stream, &batch);
		if (code)
			return stream_failed(stream, code, error);
		if (!batch.release)
			return SCORE_OK;
		status = visit_batch(b, &batch, first_row, options, visit, context, &more, error);
		first_row += batch.length;
		batch.release(&batch);
	}
	return status;
}

score_status score_arrow_stream(const score_model *model, struct ArrowArrayStream *stream, uint32_t flags,
	const score_options *options, score_arrow_visit visit, void *context, score_error *error)
{
	struct ArrowSchema schema = {0};
	score_arrow_binding *binding = NULL;
	sl_error_clear(error);
	if (!model || !stream || !stream->release || !visit)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_arrow_stream: model, stream and visit must not be NULL, and the stream "
			"not be released");
	int code = stream->get_schema(stream, &schema);
	if (code)
		return stream_failed(stream, code, error);
	score_status status = score_arrow_bind(model, &schema, flags, &binding, error);
	if (status == SCORE_OK)
		status = visit_batches(binding, stream, options, visit, context, error);
	score_arrow_binding_free(binding);
	if (schema.release)
		schema.release(&schema);
	return status;
}
