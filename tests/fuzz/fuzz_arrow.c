/*
 * Record batches and streams of the Arrow C data interface, whose types, offsets, lengths, bitmaps and dictionaries the input
 * dictates. Buffers are exactly as large as their descriptors say, offsets of strings do not lead beyond the data, but may
 * descend or be negative; numbers, codes of dictionaries and bitmaps are anything. Every regime must give the same bits, and a
 * stream those of its batches.
 */
#include "fuzz_rows.h"

#include <scoreline/arrow.h>
#include <scoreline/build.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_FEATURES 4u
#define MOST_COLUMNS 7u
#define MOST_ROWS 40u

static const char *const names[] = {"a", "b", "colour", "size"};

/* Two numbers, then two categories that have labels. With CATEGORY_HASH the last takes any string. */
static score_model *make_model(score_category_rule rule, score_dtype compare)
{
	static const char *const labels[] = {"red", "", "gr\xc3\xbcn", "blue"};
	static const uint32_t sets[] = {0, 2, 3, 977};
	static const score_node nodes[] = {{1, 2, 2, SCORE_TEST_IN_LEFT, 0, 0, 0, 0, 2, 0, 0},
		{3, 4, 0, SCORE_TEST_LE, 1, 0, 0.5, 0, 0, 0, 0}, {5, 6, 3, SCORE_TEST_IN_RIGHT, 1, 0, 0, 1, 3, 0, 0},
		{0, 0, 0, SCORE_TEST_LEAF, 0, 0, 0.25, 0, 0, 1, 0}, {7, 8, 1, SCORE_TEST_LT, 0, 0, -3.0, 0, 0, 0, 0},
		{0, 0, 0, SCORE_TEST_LEAF, 0, 0, 0.125, 0, 0, 2, 0}, {0, 0, 0, SCORE_TEST_LEAF, 0, 0, 4.0, 0, 0, 3, 0},
		{0, 0, 0, SCORE_TEST_LEAF, 0, 0, 1.5, 0, 0, 4, 0}, {0, 0, 0, SCORE_TEST_LEAF, 0, 0, -1.5, 0, 0, 5, 0}};
	score_contract c = SCORE_CONTRACT_INIT(N_FEATURES, 1);
	score_tree tree = SCORE_TREE_INIT;
	score_builder *b = NULL;
	score_model *model = NULL;
	score_error error;
	c.category_rule = rule;
	c.compare = compare;
	tree.nodes = nodes;
	tree.n_nodes = sizeof nodes / sizeof nodes[0];
	tree.categories = sets;
	tree.n_categories = sizeof sets / sizeof sets[0];
	score_status status = score_builder_new(&c, NULL, &b, &error);
	for (uint32_t i = 0; i < N_FEATURES && status == SCORE_OK; i++)
		status = score_builder_set_feature(b, i, names[i], i < 2 ? SCORE_FEATURE_NUMERIC : SCORE_FEATURE_CATEGORY, &error);
	for (uint32_t i = 2; i < N_FEATURES && status == SCORE_OK && rule != SCORE_CATEGORY_HASH; i++)
		status = score_builder_set_dictionary(b, i, labels, NULL, 4, i == 2 ? -1.0 : SCORE_REFUSE, 0, &error);
	if (status == SCORE_OK)
		status = score_builder_add_tree(b, &tree, &error);
	if (status == SCORE_OK)
		status = score_builder_finish(b, &model, &error);
	if (status != SCORE_OK)
		fuzz_fail("%s", error.message);
	score_builder_free(b);
	return model;
}

/* One column: what the schema and the batch say of it. */
typedef struct column {
	struct ArrowSchema schema, values_schema;
	struct ArrowArray array, values;
	const void *buffers[3], *values_buffers[3];
} column;

typedef struct table {
	struct ArrowSchema schema, *schemas[MOST_COLUMNS];
	struct ArrowArray batch, *arrays[MOST_COLUMNS];
	const void *batch_buffers[1];
	column columns[MOST_COLUMNS];
	int64_t n_columns;
	int turn; /* of a stream: batches handed out */
	int code; /* the error that it then reports, or 0 */
} table;

static void release_schema(struct ArrowSchema *s)
{
	s->release = NULL;
}

static void release_array(struct ArrowArray *a)
{
	a->release = NULL;
}

static size_t value_bits(const char *format)
{
	switch (format[0]) {
	case 'n': return 0;
	case 'b': return 1;
	case 'c':
	case 'C': return 8;
	case 's':
	case 'S':
	case 'e': return 16;
	case 'i':
	case 'I':
	case 'f': return 32;
	default: return 64;
	}
}

static const void *take_validity(fuzz_store *s, fuzz_bytes *in, struct ArrowArray *a, size_t n)
{
	static const int64_t counts[] = {0, -1, 1};
	a->null_count = counts[fuzz_below(in, 3)];
	return fuzz_below(in, 2) ? fuzz_block(s, in, (n + 7) / 8) : NULL;
}

/* Strings of an array: no offset is more than the number of bytes. Most ascend. */
static void take_texts(fuzz_store *s, fuzz_bytes *in, struct ArrowArray *a, int is_wide)
{
	static const char text[] = "redgr\xc3\xbcnblue1 -7x";
	const size_t n = (size_t)(a->offset + a->length);
	char *offsets = fuzz_block(s, in, (n + 1) * (is_wide ? 8 : 4));
	int64_t at = 0;
	for (size_t i = 0; i <= n; i++) {
		const int32_t narrow = (int32_t)at;
		memcpy(offsets + i * (is_wide ? 8 : 4), is_wide ? (const void *)&at : (const void *)&narrow, is_wide ? 8 : 4);
		at += i < n ? (int64_t)fuzz_below(in, 6) : 0;
	}
	if (fuzz_below(in, 8) == 7) {
		const int64_t odd = (int64_t)fuzz_below(in, (uint32_t)at + 9) - 8;
		const int32_t narrow = (int32_t)odd;
		const size_t i = fuzz_below(in, (uint32_t)n + 1);
		memcpy(offsets + i * (is_wide ? 8 : 4), is_wide ? (const void *)&odd : (const void *)&narrow, is_wide ? 8 : 4);
	}
	char *data = fuzz_block(s, in, (size_t)at);
	const size_t shift = fuzz_below(in, 9);
	for (size_t i = 0; i < (size_t)at && shift < 8; i++)
		data[i] = text[(i + shift) % (sizeof text - 1)];
	a->n_buffers = 3;
	a->buffers[0] = take_validity(s, in, a, n);
	a->buffers[1] = offsets;
	a->buffers[2] = at == 0 && fuzz_below(in, 2) ? NULL : data;
}

static void take_numbers(fuzz_store *s, fuzz_bytes *in, struct ArrowArray *a, const char *format)
{
	const size_t n = (size_t)(a->offset + a->length);
	a->n_buffers = 2;
	a->buffers[0] = take_validity(s, in, a, n);
	a->buffers[1] = fuzz_block(s, in, (n * value_bits(format) + 7) / 8);
}

static void take_column(fuzz_store *s, fuzz_bytes *in, column *c, int64_t n_rows)
{
	static const char *const formats[] = {"c", "C", "s", "S", "i", "I", "l", "L", "f", "g", "b", "e", "n", "u", "U", "c", "s", "g",
		"u", "U", "tdD", "+l", "z", ""};
	const uint32_t which = fuzz_below(in, sizeof formats / sizeof formats[0]);
	c->schema = (struct ArrowSchema){.format = formats[which], .flags = ARROW_FLAG_NULLABLE, .release = release_schema};
	c->schema.name = fuzz_below(in, 12) == 11 ? NULL : names[fuzz_below(in, N_FEATURES)];
	c->array = (struct ArrowArray){.length = n_rows + (int64_t)fuzz_below(in, 2), .offset = (int64_t)fuzz_below(in, 11),
		.buffers = c->buffers, .release = release_array};
	if (which == 13 || which == 14 || which == 18 || which == 19) {
		take_texts(s, in, &c->array, formats[which][0] == 'U');
		return;
	}
	take_numbers(s, in, &c->array, formats[which]);
	if (fuzz_below(in, 4))
		return;
	const int is_wide = (int)fuzz_below(in, 2);
	c->values_schema = (struct ArrowSchema){.format = fuzz_below(in, 16) == 15 ? "i" : is_wide ? "U" : "u", .release = release_schema};
	c->values = (struct ArrowArray){.length = (int64_t)fuzz_below(in, 8), .offset = (int64_t)fuzz_below(in, 3),
		.buffers = c->values_buffers, .release = release_array};
	take_texts(s, in, &c->values, is_wide);
	c->schema.dictionary = &c->values_schema;
	c->array.dictionary = fuzz_below(in, 16) == 15 ? NULL : &c->values;
}

/* Mostly the model's columns in its order, so that something is scored. */
static void take_table(fuzz_store *s, fuzz_bytes *in, table *t)
{
	const int64_t n_rows = (int64_t)fuzz_below(in, MOST_ROWS);
	const int by_name = (int)fuzz_below(in, 2);
	t->n_columns = by_name ? (int64_t)fuzz_below(in, MOST_COLUMNS + 1) : (int64_t)N_FEATURES;
	t->batch = (struct ArrowArray){.offset = (int64_t)fuzz_below(in, 10), .n_buffers = 1, .buffers = t->batch_buffers,
		.children = t->arrays, .n_children = t->n_columns, .release = release_array};
	t->batch.length = n_rows;
	for (int64_t i = 0; i < t->n_columns; i++) {
		take_column(s, in, t->columns + i, t->batch.offset + n_rows);
		if (i < (int64_t)N_FEATURES && fuzz_below(in, 4))
			t->columns[i].schema.name = names[i];
		t->schemas[i] = &t->columns[i].schema;
		t->arrays[i] = fuzz_below(in, 64) == 63 ? NULL : &t->columns[i].array;
	}
	if (fuzz_below(in, 8) == 7)
		t->batch_buffers[0] = take_validity(s, in, &t->batch, (size_t)(t->batch.offset + n_rows));
	t->schema = (struct ArrowSchema){.format = fuzz_below(in, 32) == 31 ? "i" : "+s", .children = t->schemas,
		.n_children = t->n_columns, .release = release_schema};
}

/* ---- batches ------------------------------------------------------------------------------------ */

static score_status score_by(const score_model *model, const score_arrow_binding *binding, const table *t, score_regime regime,
	double *out)
{
	score_error error;
	score_options options = SCORE_OPTIONS_INIT;
	options.output = SCORE_OUTPUT_MARGIN;
	options.regime = regime;
	options.scratch_bytes = score_scratch_bytes(model);
	options.scratch = malloc(options.scratch_bytes + 1);
	const score_status status = score_arrow_batch(binding, &t->batch, out, (size_t)t->batch.length, &options, &error);
	free(options.scratch);
	if (status != SCORE_OK)
		fuzz_check_failure(status, NULL, &error);
	return status;
}

static void try_batch(const score_model *model, const score_arrow_binding *binding, const table *t, double *expected)
{
	static const score_regime regimes[] = {SCORE_REGIME_AUTO, SCORE_REGIME_BATCH, SCORE_REGIME_ROW};
	double got[MOST_ROWS];
	const score_status status = score_by(model, binding, t, SCORE_REGIME_WALK, expected);
	for (size_t i = 0; i < sizeof regimes / sizeof regimes[0]; i++) {
		const score_status other = score_by(model, binding, t, regimes[i], got);
		if (other == SCORE_ERR_ARGUMENT && regimes[i] != SCORE_REGIME_AUTO)
			continue;
		if (other != status)
			fuzz_fail("%s by the walk, %s by %s", score_status_name(status), score_status_name(other), score_regime_name(regimes[i]));
		for (int64_t r = 0; r < t->batch.length && status == SCORE_OK; r++)
			if (memcmp(got + r, expected + r, sizeof *got) != 0)
				fuzz_fail("row %lld is %a, %a by %s", (long long)r, expected[r], got[r], score_regime_name(regimes[i]));
	}
}

/* ---- streams ------------------------------------------------------------------------------------ */

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	*out = ((table *)stream->private_data)->schema;
	return 0;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	table *t = stream->private_data;
	if (t->turn == 2)
		return t->code;
	*out = t->batch;
	t->turn++;
	return 0;
}

static const char *get_last_error(struct ArrowArrayStream *stream)
{
	return ((table *)stream->private_data)->turn ? "the disk is gone" : NULL;
}

static void release_stream(struct ArrowArrayStream *stream)
{
	stream->release = NULL;
}

typedef struct visitor {
	const double *expected;
	int64_t n_rows;
} visitor;

static int visit(void *context, int64_t first_row, int64_t n_rows, const double *values, size_t width)
{
	const visitor *v = context;
	if (first_row % (v->n_rows ? v->n_rows : 1) || n_rows != v->n_rows || width != 1)
		fuzz_fail("a batch of %lld rows from %lld on", (long long)n_rows, (long long)first_row);
	if (n_rows && memcmp(values, v->expected, (size_t)n_rows * sizeof *values) != 0)
		fuzz_fail("a stream gives other values than its batch");
	return 0;
}

static void try_stream(const score_model *model, table *t, uint32_t flags, const double *expected, int is_good)
{
	score_error error;
	score_options options = SCORE_OPTIONS_INIT;
	visitor v = {expected, t->batch.length};
	struct ArrowArrayStream stream = {get_schema, get_next, get_last_error, release_stream, t};
	options.output = SCORE_OUTPUT_MARGIN;
	const score_status status = score_arrow_stream(model, &stream, flags, &options, visit, &v, &error);
	if (status != SCORE_OK)
		fuzz_check_failure(status, NULL, &error);
	if (is_good && status != (t->code ? SCORE_ERR_IO : SCORE_OK))
		fuzz_fail("the stream gives %s", score_status_name(status));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static score_model *models[3];
	double expected[MOST_ROWS];
	fuzz_bytes in = {data, size};
	fuzz_store s = {{NULL}, 0};
	table t = {.n_columns = 0};
	score_error error;
	score_arrow_binding *binding = NULL;
	if (!models[0]) {
		models[0] = make_model(SCORE_CATEGORY_TRUNCATE, SCORE_F64);
		models[1] = make_model(SCORE_CATEGORY_NONNEGATIVE, SCORE_F32);
		models[2] = make_model(SCORE_CATEGORY_HASH, SCORE_F32);
	}
	const score_model *model = models[fuzz_below(&in, 3)];
	const uint32_t flags = fuzz_below(&in, 2) ? SCORE_ARROW_BY_POSITION : 0;
	take_table(&s, &in, &t);
	t.code = fuzz_below(&in, 8) == 7 ? 5 : 0;
	score_status status = score_arrow_bind(model, &t.schema, flags, &binding, &error);
	if (status != SCORE_OK) {
		fuzz_check_failure(status, binding, &error);
	} else {
		try_batch(model, binding, &t, expected);
		status = score_by(model, binding, &t, SCORE_REGIME_AUTO, expected);
	}
	try_stream(model, &t, flags, expected, status == SCORE_OK);
	score_arrow_binding_free(binding);
	fuzz_store_free(&s);
	return 0;
}
