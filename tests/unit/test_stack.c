/*
 * What a call of score_batch() takes of its caller's stack: at most 8 KiB, for every kind of model, input and output, with and
 * without scratch, on every instruction set that this processor has. The calls between trees and score_bin() are held to the same,
 * score_endpoint_batch() to its 16 KiB.
 *
 * A call runs on a painted stack; what lies below its caller's frame and lost the paint is what it took.
 */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <scoreline/bins.h>
#include <scoreline/endpoint.h>

#include "build_kind.h"
#include "random_columns.h"
#include "random_model.h"
#include "served_models.h"

#define MOST_BYTES 8192u           /* as scoreline.h promises */
#define MOST_ENDPOINT_BYTES 16384u /* as endpoint.h does */
#define N_ROWS 530 /* more than a block of any instruction set */
#define WORDS 8    /* strings that categories have */

static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512, SCORE_ISA_NEON};

/* ---- measuring ---------------------------------------------------------------------------------------------------- */

#define STACK_BYTES ((size_t)64 << 10)
#define PAINT 0x5a

typedef enum call_kind { CALL_BATCH, CALL_STAGED, CALL_DECIDE, CALL_BIN, CALL_ENDPOINT } call_kind;
static const char *const call_names[] = {"score_batch()", "score_staged()", "score_decide()", "score_bin()",
	"score_endpoint_batch()"};

/* All that a call gets, so that its caller's frame holds next to nothing. */
typedef struct call {
	call_kind kind;
	const score_model *model;
	score_input in;
	score_options options;
	void *out;
	size_t out_len;
	int64_t stride; /* CALL_BIN */
	score_endpoint_reader *reader; /* CALL_ENDPOINT */
	score_request request;
	const uint8_t *stack;
	score_status status;
	score_error error;
	size_t used;
} call;

static __attribute__((noinline)) score_status serve(call *c)
{
	switch (c->kind) {
	case CALL_STAGED:
		return score_staged(c->model, &c->in, 1, c->out, c->out_len, &c->options, &c->error);
	case CALL_DECIDE:
		return score_decide(c->model, &c->in, 0.25, c->out, c->out_len, &c->options, NULL, &c->error);
	case CALL_BIN:
		return score_bin(c->model, &c->in, c->options.plan, c->out, c->out_len, c->stride, &c->error);
	case CALL_ENDPOINT:
		return score_endpoint_batch(c->reader, &c->in, c->out, c->out_len, &c->request, NULL, &c->error);
	default:
		return score_batch(c->model, &c->in, c->out, c->out_len, &c->options, &c->error);
	}
}

static void *serve_and_look(void *argument)
{
	call *c = argument;
	const uint8_t *frame = __builtin_frame_address(0), *clean = c->stack;
	c->status = serve(c);
	while (clean < frame && *clean == PAINT)
		clean++;
	c->used = (size_t)(frame - clean);
	return NULL;
}

static void measure(call *c)
{
	static _Alignas(4096) uint8_t stack[STACK_BYTES];
	pthread_attr_t attributes;
	pthread_t thread;
	memset(stack, PAINT, sizeof stack);
	c->stack = stack;
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstack(&attributes, stack, sizeof stack), 0);
	assert_int_equal(pthread_create(&thread, &attributes, serve_and_look, c), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attributes);
}

/* ---- models ------------------------------------------------------------------------------------------------------- */

typedef struct subject {
	const char *name;
	random_spec spec;       /* 0: 24 features, 1 output, 20 trees of up to 60 leaves, 60 cuts */
	int64_t n_rows;         /* 0: N_ROWS */
	bool is_linear, has_background;
	const char *class_rule; /* that its link does not say */
} subject;

#define FLOATS .compare = SCORE_F32, .sum = SCORE_F32
#define DOUBLES .compare = SCORE_F64, .sum = SCORE_F64
#define MIXED .compare = SCORE_F64, .sum = SCORE_F32
#define HASHED 2 /* seeds of this rest modulo 3: categories are known by their hash */

static const subject subjects[] = {
	{.name = "trees of floats", .spec = {FLOATS, .seed = 3, .n_trees = 150, .has_covers = 1}},
	{.name = "trees of doubles", .spec = {DOUBLES, .seed = 3, .has_covers = 1}},
	{.name = "trees of 250 leaves", .spec = {FLOATS, .seed = 3, .max_leaves = 250, .leafwise = 1}},
	{.name = "many columns, trees of floats", .spec = {FLOATS, .seed = 3, .n_features = 120, .n_trees = 90}},
	{.name = "oblivious trees", .spec = {DOUBLES, .seed = 3, .most_levels = 6, .all_levels = 1, .max_leaves = 64, .n_trees = 80}},
	{.name = "oblivious trees of floats",
		.spec = {FLOATS, .seed = 3, .most_levels = 6, .all_levels = 1, .max_leaves = 64, .n_trees = 80}},
	{.name = "categories", .spec = {DOUBLES, .seed = 3, .category_features = 4, .leafwise = 1, .has_covers = 1}},
	{.name = "three outputs",
		.spec = {FLOATS, .seed = 3, .n_outputs = 3, .n_trees = 21, .link = SCORE_LINK_SOFTMAX}},
	{.name = "vectors",
		.spec = {DOUBLES, .seed = 3, .n_outputs = 60, .vector_leaves = 1, .link = SCORE_LINK_ARGMAX}, .n_rows = 200},
	{.name = "60 outputs", .spec = {FLOATS, .seed = 3, .n_outputs = 60, .n_trees = 60, .link = SCORE_LINK_ARGMAX}, .n_rows = 200},
	{.name = "300 outputs",
		.spec = {FLOATS, .seed = 3, .n_outputs = 300, .n_trees = 300, .max_leaves = 8, .link = SCORE_LINK_ARGMAX}, .n_rows = 200},
	{.name = "256 outputs",
		.spec = {FLOATS, .seed = 3, .n_outputs = 256, .n_trees = 256, .max_leaves = 8, .link = SCORE_LINK_SOFTMAX}, .n_rows = 200},
	{.name = "deep trees", .spec = {FLOATS, .seed = 3, .max_leaves = 900, .n_trees = 9}},
	{.name = "deep trees of 120 columns", .spec = {FLOATS, .seed = 3, .n_features = 60, .max_leaves = 900, .n_trees = 9}},
	{.name = "deep trees of many cuts", .spec = {DOUBLES, .seed = 3, .max_leaves = 1500, .n_trees = 9, .cuts_per_feature = 2000}},
	{.name = "deep trees, 60 outputs",
		.spec = {DOUBLES, .seed = 3, .n_outputs = 60, .n_trees = 60, .max_leaves = 400, .link = SCORE_LINK_ARGMAX}, .n_rows = 200},
	{.name = "deep trees of 120 features", .spec = {FLOATS, .seed = 3, .n_features = 120, .max_leaves = 900, .n_trees = 9}},
	{.name = "wide trees, codes on the stack", .spec = {FLOATS, .seed = 3, .n_features = 1500, .n_trees = 170}, .n_rows = 40},
	{.name = "wide trees, 256 outputs",
		.spec = {FLOATS, .seed = 3, .n_features = 1500, .n_outputs = 256, .n_trees = 256, .max_leaves = 50, .link = SCORE_LINK_SOFTMAX}, .n_rows = 40},
	{.name = "wide trees, codes beyond the stack",
		.spec = {FLOATS, .seed = 3, .n_features = 3000, .n_trees = 250, .link = SCORE_LINK_SIGMOID}, .n_rows = 40},
	{.name = "derived columns", .spec = {DOUBLES, .seed = 3, .n_features = 12, .n_derived = 40, .has_covers = 1}},
	{.name = "derived columns of floats", .spec = {FLOATS, .seed = 9, .n_features = 30, .n_derived = 40, .n_trees = 80}},
	{.name = "deep trees, derived columns",
		.spec = {FLOATS, .seed = 9, .n_features = 20, .n_derived = 20, .max_leaves = 900, .n_trees = 9}},
	{.name = "wide trees, derived columns",
		.spec = {FLOATS, .seed = 9, .n_features = 1400, .n_derived = 200, .n_trees = 170}, .n_rows = 40},
	{.name = "hashed categories", .spec = {DOUBLES, .seed = 3 + HASHED, .category_features = 4, .n_derived = 30}},
	{.name = "hashed categories of floats",
		.spec = {FLOATS, .seed = 3 + HASHED, .n_features = 30, .category_features = 4, .n_derived = 30}},
	{.name = "combined categories, oblivious trees",
		.spec = {DOUBLES, .seed = 3 + HASHED, .n_features = 12, .category_features = 4, .n_derived = 40, .most_levels = 6, .all_levels = 1, .max_leaves = 64, .n_trees = 60}},
	{.name = "linear leaves", .spec = {DOUBLES, .seed = 3, .linear_leaves = 1, .n_derived = 12}},
	{.name = "deep trees, linear leaves",
		.spec = {DOUBLES, .seed = 3, .linear_leaves = 1, .n_derived = 12, .max_leaves = 500, .n_trees = 8}},
	{.name = "parts",
		.spec = {DOUBLES, .seed = 3, .n_outputs = 60, .n_trees = 60, .n_parts = 30}, .class_rule = "largest prediction", .n_rows = 200},
	{.name = "median of parts", .spec = {DOUBLES, .seed = 4, .n_outputs = 60, .n_trees = 60, .n_parts = 60}, .n_rows = 200},
	{.name = "wide trees, parts",
		.spec = {DOUBLES, .seed = 3, .n_features = 1500, .n_outputs = 60, .n_trees = 180, .n_parts = 30}, .class_rule = "largest prediction", .n_rows = 40},
	{.name = "a background", .spec = {FLOATS, .seed = 3, .n_derived = 12, .category_features = 3}, .has_background = true},
	{.name = "linear", .spec = {DOUBLES}, .is_linear = true},
	{.name = "linear, floats", .spec = {FLOATS}, .is_linear = true},
	{.name = "linear, summed in floats", .spec = {MIXED}, .is_linear = true},
	{.name = "linear of 3 features", .spec = {FLOATS, .n_features = 3}, .is_linear = true},
	{.name = "linear of 1,000 features", .spec = {FLOATS, .n_features = 1000}, .is_linear = true, .n_rows = 200},
	{.name = "linear of 1,000 features, doubles", .spec = {DOUBLES, .n_features = 1000}, .is_linear = true, .n_rows = 200},
	{.name = "linear, 70 outputs", .spec = {FLOATS, .n_outputs = 70, .link = SCORE_LINK_SOFTMAX}, .is_linear = true, .n_rows = 200},
	{.name = "linear, 70 outputs, doubles", .spec = {DOUBLES, .n_outputs = 70, .link = SCORE_LINK_ARGMAX}, .is_linear = true, .n_rows = 200},
	{.name = "linear, 300 outputs", .spec = {FLOATS, .n_outputs = 300, .link = SCORE_LINK_ARGMAX}, .is_linear = true, .n_rows = 200},
	{.name = "linear, derived columns", .spec = {DOUBLES, .n_derived = 40}, .is_linear = true},
	{.name = "linear, derived columns, floats", .spec = {FLOATS, .n_derived = 40}, .is_linear = true},
	{.name = "linear, derived columns, 70 outputs",
		.spec = {MIXED, .n_derived = 40, .n_outputs = 70, .link = SCORE_LINK_ARGMAX}, .is_linear = true},
	{.name = "linear, parts",
		.spec = {DOUBLES, .n_outputs = 60, .n_parts = 30, .n_derived = 10}, .is_linear = true, .class_rule = "largest prediction", .n_rows = 200},
};

static random_spec spec_of(const subject *s)
{
	random_spec spec = s->spec;
	spec.n_features = spec.n_features ? spec.n_features : 24;
	spec.n_outputs = spec.n_outputs ? spec.n_outputs : 1;
	spec.n_trees = spec.n_trees ? spec.n_trees : 20;
	spec.max_leaves = spec.max_leaves ? spec.max_leaves : 60;
	spec.cuts_per_feature = spec.cuts_per_feature ? spec.cuts_per_feature : 60;
	return spec;
}

static void add_parts(const random_spec *spec, score_builder *b)
{
	for (uint32_t i = 0; i < spec->n_parts; i++) {
		score_part part = SCORE_PART_INIT(i, 2);
		part.link = SCORE_LINK_SOFTMAX;
		assert_int_equal(score_builder_add_part(b, &part, NULL), SCORE_OK);
	}
	assert_int_equal(score_builder_combine(b, SCORE_COMBINE_SUM, 0.0, 2, NULL), SCORE_OK);
}

static score_model *linear_model(const random_spec *spec)
{
	score_contract contract = SCORE_CONTRACT_INIT(spec->n_features, spec->n_outputs);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b = NULL;
	score_model *model = NULL;
	score_error error;
	const size_t n = (size_t)(spec->n_features + spec->n_derived) * spec->n_outputs;
	double *weights = malloc(n * sizeof *weights);
	for (size_t i = 0; i < n; i++)
		weights[i] = (double)(i % 7) - 3.0;
	contract.compare = spec->compare;
	contract.sum = spec->sum;
	options.isa = spec->isa;
	assert_int_equal(score_builder_new(&contract, &options, &b, NULL), SCORE_OK);
	assert_int_equal(random_columns(b, 1, spec->n_features, spec->n_derived, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, weights, 1, NULL), SCORE_OK);
	if (spec->n_parts)
		add_parts(spec, b);
	else
		assert_int_equal(score_builder_set_link(b, spec->link, 1.0, NULL), SCORE_OK);
	if (score_builder_finish(b, &model, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	score_builder_free(b);
	free(weights);
	return model;
}

static score_model *open_subject(const subject *s, score_isa isa)
{
	random_spec spec = spec_of(s);
	score_open_options open = SCORE_OPEN_OPTIONS_INIT;
	score_save_options save = SCORE_SAVE_OPTIONS_INIT;
	const char *key = "class_rule";
	void *bytes;
	size_t size;
	spec.isa = open.isa = isa;
	score_model *model = s->is_linear ? linear_model(&spec) : random_model(&spec), *again = NULL;
	if (!s->class_rule)
		return model;
	save.metadata_keys = &key;
	save.metadata_values = &s->class_rule;
	save.n_metadata = 1;
	assert_int_equal(score_model_save_memory(model, &save, &bytes, &size, NULL), SCORE_OK);
	assert_int_equal(score_model_open_memory(bytes, size, &open, &again, NULL), SCORE_OK);
	score_model_free_bytes(model, bytes, size);
	score_model_free(model);
	return again;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------- */

/* The same rows in every layout; strings instead of some categories. */
typedef struct table {
	int64_t n_rows, n_columns;
	double *wide, *wide_columns;
	float *narrow, *narrow_columns;
	uint8_t *validity;
	int32_t *numbers, *row_starts, *column_numbers, *offsets;
	score_strings strings;
	score_column *columns; /* of one kind of input */
	score_plan *plan;      /* columns in the opposite order */
	char *codes;           /* NULL: the model has no bins */
	score_bins bins;
} table;

static void bind_backwards(const score_model *model, table *t)
{
	const char **names = malloc((size_t)t->n_columns * sizeof *names);
	score_error error;
	for (int64_t i = 0; i < t->n_columns; i++)
		names[i] = score_model_feature_name(model, (uint32_t)(t->n_columns - 1 - i));
	if (score_bind(model, names, NULL, (size_t)t->n_columns, &t->plan, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	free(names);
}

static table make_table(const subject *s, const score_model *model)
{
	const random_spec spec = spec_of(s);
	table t = {.n_rows = s->n_rows ? s->n_rows : N_ROWS, .n_columns = spec.n_features,
		.strings = SCORE_STRINGS_INIT, .bins = SCORE_BINS_INIT};
	const size_t n_rows = (size_t)t.n_rows, n_columns = (size_t)t.n_columns, n = n_rows * n_columns;
	t.wide = malloc(n * sizeof *t.wide);
	t.wide_columns = malloc(n * sizeof *t.wide);
	t.narrow = malloc(n * sizeof *t.narrow);
	t.narrow_columns = malloc(n * sizeof *t.narrow);
	t.numbers = malloc(n_rows * sizeof *t.numbers);
	t.validity = malloc(n_rows / 8 + 1);
	t.row_starts = malloc((n_rows + 1) * sizeof *t.row_starts);
	t.column_numbers = malloc(n * sizeof *t.column_numbers);
	t.offsets = malloc((n_rows + 1) * sizeof *t.offsets);
	t.columns = calloc(n_columns, sizeof *t.columns);
	random_rows(&spec, 1, n_rows, t.wide);
	for (size_t i = 0; i < n; i++) {
		const size_t transposed = i % n_columns * n_rows + i / n_columns;
		t.narrow[i] = t.narrow_columns[transposed] = (float)t.wide[i];
		t.wide_columns[transposed] = t.wide[i];
		t.column_numbers[i] = (int32_t)(i % n_columns);
	}
	memset(t.validity, 0xb7, n_rows / 8 + 1);
	for (size_t i = 0; i <= n_rows; i++) {
		t.row_starts[i] = (int32_t)(i * n_columns);
		t.offsets[i] = (int32_t)(i % WORDS);
	}
	for (size_t i = 0; i < n_rows; i++)
		t.numbers[i] = (int32_t)(i % 7);
	t.strings.offsets = t.offsets;
	t.strings.data = "abcdefgh";
	bind_backwards(model, &t);
	assert_int_equal(score_model_get_bins(model, &t.bins), SCORE_OK);
	return t;
}

static void free_table(table *t)
{
	score_plan_free(t->plan);
	free(t->wide);
	free(t->wide_columns);
	free(t->narrow);
	free(t->narrow_columns);
	free(t->validity);
	free(t->numbers);
	free(t->row_starts);
	free(t->column_numbers);
	free(t->offsets);
	free(t->columns);
	free(t->codes);
}

static const char *const input_names[] = {"rows of floats", "rows of doubles", "rows of doubles by a plan", "columns of floats",
	"columns of doubles", "columns with bitmaps", "columns of integers", "columns of strings", "sparse floats", "sparse doubles",
	"codes"};
#define N_INPUTS (sizeof input_names / sizeof input_names[0])
#define INPUT_PLAN 2
#define INPUT_STRINGS 7
#define INPUT_CODES 10

static score_input columns_of(const score_model *model, table *t, size_t kind)
{
	for (int64_t i = 0; i < t->n_columns; i++) {
		score_column *c = t->columns + i;
		*c = (score_column){.values = t->wide_columns + i * t->n_rows, .dtype = SCORE_F64};
		if (kind == 3)
			*c = (score_column){.values = t->narrow_columns + i * t->n_rows, .dtype = SCORE_F32};
		if (kind == 5)
			c->validity = t->validity;
		if (kind == 6)
			*c = (score_column){.values = t->numbers, .validity = t->validity, .dtype = SCORE_I32};
		if (kind == INPUT_STRINGS && score_model_dictionary(model, (uint32_t)i))
			*c = (score_column){.values = &t->strings, .dtype = SCORE_STRING};
	}
	return score_input_columns(t->columns, t->n_rows, t->n_columns);
}

static score_input input_of(const score_model *model, table *t, size_t kind)
{
	if (kind == 0)
		return score_input_rows_f32(t->narrow, t->n_rows, t->n_columns);
	if (kind <= INPUT_PLAN)
		return score_input_rows_f64(t->wide, t->n_rows, t->n_columns);
	if (kind == 8)
		return score_input_csr(t->row_starts, SCORE_I32, t->column_numbers, SCORE_I32, t->narrow, SCORE_F32, t->n_rows,
			t->n_columns, SCORE_ABSENT_MISSING);
	if (kind == 9)
		return score_input_csr(t->row_starts, SCORE_I32, t->column_numbers, SCORE_I32, t->wide, SCORE_F64, t->n_rows,
			t->n_columns, SCORE_ABSENT_ZERO);
	if (kind == INPUT_CODES)
		return score_input_binned(&t->bins, t->codes, t->n_rows * t->bins.code_bytes, t->n_rows);
	return columns_of(model, t, kind);
}

/* ---- all paths of a model ------------------------------------------------------------------------------------------- */

typedef struct result {
	size_t n, n_over, most;
	char where[400];
} result;

static void note(result *r, const subject *s, const call *c, const char *input, const char *output)
{
	r->n++;
	r->n_over += c->used > MOST_BYTES;
	if (c->used <= r->most)
		return;
	r->most = c->used;
	score_model_info info = {.struct_size = sizeof info};
	assert_int_equal(score_model_get_info(c->model, &info), SCORE_OK);
	(void)snprintf(r->where, sizeof r->where, "%s of %s, %s on %s, %lld rows (%s)%s, %s scratch", call_names[c->kind], output, s->name,
		score_isa_name(info.isa), (long long)c->in.n_rows, input, c->options.regime ? ", walk" : "",
		c->options.scratch_bytes ? "with" : "without");
}

/* A model, its rows, and room for any call. */
typedef struct bench {
	const subject *s;
	score_model *model;
	table t;
	score_explainer *explainer;
	void *scratch;
	size_t scratch_bytes, contribution_bytes;
	double *out;
	size_t out_len;
	result *r;
} bench;

static void measure_call(bench *b, call_kind kind, size_t input, const char *output, const score_options *options, int64_t n_rows)
{
	call c = {.kind = kind, .model = b->model, .in = input_of(b->model, &b->t, input), .options = *options, .out = b->out,
		.out_len = b->out_len};
	c.in.n_rows = n_rows;
	c.options.plan = input == INPUT_PLAN ? b->t.plan : NULL;
	if (kind == CALL_BIN) {
		c.stride = b->t.n_rows * b->t.bins.code_bytes;
		c.out = b->t.codes;
		c.out_len = (size_t)c.stride * b->t.bins.n_columns;
	}
	measure(&c);
	if (c.used > MOST_BYTES)
		measure(&c); /* the dynamic linker may have looked functions up */
	note(b->r, b->s, &c, input_names[input], output);
}

static void measure_outputs(bench *b, size_t input, int64_t n_rows, bool with_scratch)
{
	static const char *const names[] = {"predictions", "margins", "leaves", "classes"};
	const bool is_many = n_rows == b->t.n_rows;
	score_options o = SCORE_OPTIONS_INIT;
	if (with_scratch) {
		o.scratch = b->scratch;
		o.scratch_bytes = b->scratch_bytes;
	}
	measure_call(b, CALL_BATCH, input, names[o.output], &o, n_rows);
	o.regime = SCORE_REGIME_WALK;
	if (n_rows <= 40)
		measure_call(b, CALL_BATCH, input, names[o.output], &o, n_rows);
	o.regime = SCORE_REGIME_AUTO;
	if (n_rows == 1 || is_many) {
		measure_call(b, CALL_STAGED, input, names[o.output], &o, n_rows < 9 ? n_rows : 9);
		measure_call(b, CALL_DECIDE, input, "decisions", &o, n_rows);
	}
	for (o.output = SCORE_OUTPUT_MARGIN; o.output <= SCORE_OUTPUT_CLASS && (n_rows <= 40 || is_many); o.output++)
		measure_call(b, CALL_BATCH, input, names[o.output], &o, n_rows);
}

static void measure_contributions(bench *b, size_t input, int64_t n_rows)
{
	score_options o = SCORE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_CONTRIBUTION;
	o.explainer = b->explainer;
	o.scratch = b->scratch;
	o.scratch_bytes = b->contribution_bytes;
	measure_call(b, CALL_BATCH, input, "contributions", &o, n_rows);
}

static bool has_strings(const score_model *model, int64_t n_features)
{
	for (int64_t i = 0; i < n_features; i++) {
		if (score_model_dictionary(model, (uint32_t)i))
			return true;
	}
	return false;
}

static void measure_subject(bench *b)
{
	static const int64_t numbers[] = {1, 8, 9, 40, 200, N_ROWS};
	const score_options none = SCORE_OPTIONS_INIT;
	for (size_t input = 0; input < N_INPUTS; input++) {
		if ((input == INPUT_CODES && !b->t.codes) || (input == INPUT_STRINGS && !has_strings(b->model, b->t.n_columns)))
			continue;
		for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && numbers[i] <= b->t.n_rows; i++) {
			measure_outputs(b, input, numbers[i], false);
			measure_outputs(b, input, numbers[i], true);
		}
		measure_contributions(b, input, 1);
		measure_contributions(b, input, 40);
		if (input != INPUT_CODES && b->t.codes)
			measure_call(b, CALL_BIN, input, "codes", &none, b->t.n_rows);
	}
}

static bench open_bench(const subject *s, score_isa isa, result *r)
{
	bench b = {.s = s, .model = open_subject(s, isa), .r = r};
	const random_spec spec = spec_of(s);
	const size_t n_outputs = spec.n_outputs, n_columns = spec.n_features;
	b.t = make_table(s, b.model);
	const size_t n_rows = (size_t)b.t.n_rows, trees = spec.n_trees, bin_bytes = (size_t)b.t.bins.n_columns * b.t.bins.code_bytes * n_rows;
	b.scratch_bytes = score_scratch_bytes(b.model);
	b.contribution_bytes = score_contribution_scratch_bytes(b.model);
	b.scratch = malloc(b.scratch_bytes + b.contribution_bytes + 1);
	/* Nine rows of stages and 40 of contributions are the widest. */
	const size_t values = n_rows * (n_outputs + trees + 2), stages = 9 * (trees + 1) * (n_outputs + 2);
	const size_t contributions = 40 * n_outputs * (n_columns + 1);
	b.out_len = values + stages + contributions;
	b.out = malloc(b.out_len * sizeof *b.out);
	score_input in = input_of(b.model, &b.t, 1);
	if (bin_bytes) {
		char *codes = malloc(bin_bytes);
		if (score_bin(b.model, &in, NULL, codes, bin_bytes, b.t.n_rows * b.t.bins.code_bytes, NULL) == SCORE_OK)
			b.t.codes = codes;
		else
			free(codes);
	}
	in.n_rows = 3;
	if (s->has_background)
		assert_int_equal(score_explainer_new(b.model, &in, NULL, &b.explainer, NULL), SCORE_OK);
	return b;
}

static void close_bench(bench *b)
{
	score_explainer_free(b->explainer);
	score_model_free(b->model);
	free_table(&b->t);
	free(b->scratch);
	free(b->out);
}

/* ---- tests ---------------------------------------------------------------------------------------------------------- */

#if SANITIZED || !OPTIMISED
#define SKIP_UNLESS_MEASURED() \
	do { \
		print_message("not measured: sanitizers enlarge stack frames, and so does code that is not optimised\n"); \
		skip(); \
	} while (0)
#else
#define SKIP_UNLESS_MEASURED() (void)0
#endif

static void uses_little_stack(void **state)
{
	(void)state;
	SKIP_UNLESS_MEASURED();
	result r = {.n = 0};
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		for (size_t k = 0; k < sizeof subjects / sizeof subjects[0] && score_isa_available(isas[i]); k++) {
			bench b = open_bench(subjects + k, isas[i], &r);
			const size_t before = r.n;
			measure_subject(&b);
			assert_true(r.n > before);
			close_bench(&b);
		}
	}
	if (r.most > MOST_BYTES)
		fail_msg("%zu of %zu calls use more than %u bytes of stack; %s: %zu bytes", r.n_over, r.n, MOST_BYTES, r.where, r.most);
}

static void count_call(void *context, const score_call *observed)
{
	(void)observed;
	++*(int *)context;
}

/* The model is also its own shadow, and rows may go to versions by their keys. */
static void measure_endpoint(bench *b, const score_column *keys)
{
	int n_calls = 0;
	const score_observer observer = {count_call, &n_calls};
	score_endpoint *endpoint = two_versions(b->model, b->model, 50, 50, "m-2", &observer);
	for (size_t input = 0; input < INPUT_CODES; input++) {
		for (int64_t n_rows = 1; n_rows <= b->t.n_rows; n_rows = n_rows == 1 ? 9 : n_rows + b->t.n_rows - 9) {
			call c = {.kind = CALL_ENDPOINT, .model = b->model, .in = input_of(b->model, &b->t, input), .out = b->out,
				.out_len = b->out_len, .request = SCORE_REQUEST_INIT};
			if (input == INPUT_PLAN)
				continue;
			assert_int_equal(score_endpoint_reader_new(endpoint, &c.reader, NULL), SCORE_OK);
			c.in.n_rows = n_rows;
			c.request.row_keys = input < INPUT_PLAN ? keys : NULL; /* others would want scratch for them */
			for (int i = 0; i < 2; i++) { /* the second time all functions are looked up */
				measure(&c);
				if (c.status != SCORE_OK)
					fail_msg("%s, %s: %s", b->s->name, input_names[input], c.error.message);
			}
			if (c.used > MOST_ENDPOINT_BYTES)
				fail_msg("%s, %lld rows (%s): %zu bytes of stack", b->s->name, (long long)n_rows, input_names[input], c.used);
			score_endpoint_reader_free(c.reader);
		}
	}
	assert_true(n_calls > 0);
	score_endpoint_free(endpoint);
}

static void an_endpoint_uses_little_stack(void **state)
{
	(void)state;
	SKIP_UNLESS_MEASURED();
	static int64_t keys[N_ROWS];
	const score_column column = {.values = keys, .dtype = SCORE_I64};
	result r = {.n = 0};
	for (int64_t i = 0; i < N_ROWS; i++)
		keys[i] = i;
	for (size_t k = 0; k < sizeof subjects / sizeof subjects[0]; k++) {
		bench b = open_bench(subjects + k, SCORE_ISA_AUTO, &r);
		measure_endpoint(&b, &column);
		close_bench(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uses_little_stack),
		cmocka_unit_test(an_endpoint_uses_little_stack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
