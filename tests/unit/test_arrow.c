/*
 * Record batches of the Arrow C data interface, made by hand: the scores of every column type are those of rows of doubles,
 * every wrong schema, batch and stream is refused by name, and memory may run out anywhere.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metered_memory.h"

#include <scoreline/arrow.h>
#include <scoreline/build.h>

#define N_ROWS 5
#define N_COLUMNS 4 /* one more than features */

static score_error error;

/* Three features: a number, a colour, a number. */
static score_model *make_model(const score_allocator *allocator)
{
	static const score_node nodes[3][3] = {
		{{.left = 1, .right = 2, .feature = 0, .test = SCORE_TEST_LT, .value = 2.5}, {.value = 1}, {.value = 2}},
		{{.left = 1, .right = 2, .feature = 1, .test = SCORE_TEST_IN_LEFT, .n_categories = 1}, {.value = 10}, {.value = 20}},
		{{.left = 1, .right = 2, .feature = 2, .test = SCORE_TEST_LT, .value = 0.5}, {.value = 100}, {.value = 200}},
	};
	static const uint32_t red[] = {0};
	static const char *const labels[] = {"red", "green"};
	score_contract contract = SCORE_CONTRACT_INIT(3, 1);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b = NULL;
	score_model *model = NULL;
	options.allocator = allocator;
	assert_int_equal(score_builder_new(&contract, &options, &b, &error), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 0, "size", SCORE_FEATURE_NUMERIC, &error), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 1, "colour", SCORE_FEATURE_CATEGORY, &error), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 2, "on", SCORE_FEATURE_NUMERIC, &error), SCORE_OK);
	assert_int_equal(score_builder_set_dictionary(b, 1, labels, NULL, 2, NAN, 0, &error), SCORE_OK);
	for (int i = 0; i < 3; i++) {
		score_tree t = SCORE_TREE_INIT;
		t.nodes = nodes[i];
		t.n_nodes = 3;
		t.categories = red;
		t.n_categories = 1;
		assert_int_equal(score_builder_add_tree(b, &t, &error), SCORE_OK);
	}
	assert_int_equal(score_builder_finish(b, &model, &error), SCORE_OK);
	score_builder_free(b);
	return model;
}

/* ---- a batch of every kind of column ---------------------------------------------------------------------------- */

/* Columns: "colour" as a dictionary of utf8, "size" as int16 with a null, "on" as booleans, "note" that no feature takes. */
typedef struct batch {
	struct ArrowSchema schema, children[N_COLUMNS], words;
	struct ArrowSchema *child_list[N_COLUMNS];
	struct ArrowArray array, arrays[N_COLUMNS], word_array;
	struct ArrowArray *array_list[N_COLUMNS];
	const void *buffers[N_COLUMNS][3], *word_buffers[3], *no_buffers[1];
	int n_left; /* batches that the stream still gives */
	int schema_code, next_code;
	const char *text;
} batch;

static const int8_t colours[N_ROWS] = {0, 1, 2, 0, 9}; /* red, green, null, red, outside */
static const int16_t sizes[N_ROWS] = {1, 2, 3, 4, 5};
static const uint8_t not_the_fourth[] = {0x17}, not_the_third[] = {0x03};
static const uint8_t on_bits[] = {0x0a};
static const int32_t word_ends[] = {0, 3, 8, 8};
/* What the rows mean, as doubles. */
static const double rows[N_ROWS][3] = {{1, 0, 0}, {2, 1, 1}, {3, NAN, 0}, {NAN, 0, 1}, {5, NAN, 0}};

static void released_schema(struct ArrowSchema *s)
{
	s->release = NULL;
}

static void released_array(struct ArrowArray *a)
{
	a->release = NULL;
}

static void make_batch(batch *b)
{
	static const char *const names[] = {"colour", "size", "on", "note"}, *const formats[] = {"c", "s", "b", "z"};
	memset(b, 0, sizeof *b);
	b->words = (struct ArrowSchema){.format = "u", .release = released_schema};
	b->word_array = (struct ArrowArray){.length = 3, .null_count = 1, .n_buffers = 3, .buffers = b->word_buffers};
	b->word_buffers[0] = not_the_third;
	b->word_buffers[1] = word_ends;
	b->word_buffers[2] = "redgreen";
	for (int i = 0; i < N_COLUMNS; i++) {
		b->children[i] = (struct ArrowSchema){.format = formats[i], .name = names[i]};
		b->arrays[i] = (struct ArrowArray){.length = N_ROWS, .n_buffers = 2, .buffers = b->buffers[i]};
		b->child_list[i] = b->children + i;
		b->array_list[i] = b->arrays + i;
	}
	b->children[0].dictionary = &b->words;
	b->arrays[0].dictionary = &b->word_array;
	b->buffers[0][1] = colours;
	b->arrays[1].null_count = 1;
	b->buffers[1][0] = not_the_fourth;
	b->buffers[1][1] = sizes;
	b->buffers[2][1] = on_bits;
	b->schema = (struct ArrowSchema){.format = "+s", .n_children = N_COLUMNS, .children = b->child_list, .release = released_schema};
	b->array = (struct ArrowArray){.length = N_ROWS, .n_buffers = 1, .buffers = b->no_buffers, .n_children = N_COLUMNS,
		.children = b->array_list, .release = released_array};
}

static void check_scores(const score_model *model, const double *out, int first, int n)
{
	double expected[N_ROWS];
	score_input in = score_input_rows_f64(rows[0], N_ROWS, 3);
	assert_int_equal(score_batch(model, &in, expected, N_ROWS, NULL, &error), SCORE_OK);
	assert_memory_equal(out, expected + first, (size_t)n * sizeof *out);
}

static score_arrow_binding *bind(const score_model *model, const batch *b, uint32_t flags)
{
	score_arrow_binding *binding = NULL;
	score_status status = score_arrow_bind(model, &b->schema, flags, &binding, &error);
	if (status != SCORE_OK)
		fail_msg("%s", error.message);
	return binding;
}

static void scores_a_batch(void **state)
{
	batch b;
	double out[N_ROWS];
	score_model *model = make_model(NULL);
	(void)state;
	make_batch(&b);
	score_arrow_binding *binding = bind(model, &b, 0);
	assert_int_equal(score_arrow_batch(binding, &b.array, out, N_ROWS, NULL, &error), SCORE_OK);
	check_scores(model, out, 0, N_ROWS);
	/* A slice: its offset counts beside those of the columns. */
	b.array.offset = 1;
	b.array.length = 3;
	assert_int_equal(score_arrow_batch(binding, &b.array, out, 3, NULL, &error), SCORE_OK);
	check_scores(model, out, 1, 3);
	b.array.length = 0;
	assert_int_equal(score_arrow_batch(binding, &b.array, out, 0, NULL, &error), SCORE_OK);
	/* Rows that might be null as a whole, and none is; a dictionary of which every string is there. */
	static const uint8_t every_row[] = {0x1f};
	make_batch(&b);
	b.array.null_count = -1;
	b.no_buffers[0] = every_row;
	b.word_array.null_count = 0;
	b.word_array.length = 2;
	assert_int_equal(score_arrow_batch(binding, &b.array, out, N_ROWS, NULL, &error), SCORE_OK);
	check_scores(model, out, 0, N_ROWS);
	score_arrow_binding_free(binding);
	score_arrow_binding_free(NULL);
	score_model_free(model);
}

static void failed(score_status status, score_status code, const char *text)
{
	if (status != code || error.code != code || !strstr(error.message, text))
		fail_msg("%s (%s), expected \"%s\"", score_status_name(status), status == SCORE_OK ? "" : error.message, text);
}

/* By position; plain and large strings; a column of nulls; a dictionary without strings. */
static void scores_other_columns(void **state)
{
	static const int32_t ends[] = {0, 3, 8, 8, 11, 13};
	static const int64_t large_ends[] = {0, 3, 8, 8, 11, 13};
	static const uint8_t valid[] = {0x1b}; /* not the third */
	static const char *const formats[] = {"u", "U"};
	score_model *model = make_model(NULL);
	(void)state;
	for (int i = 0; i < 2; i++) {
		batch b;
		double out[N_ROWS];
		make_batch(&b);
		struct ArrowSchema *by_position[] = {b.children + 1, b.children, b.children + 2};
		struct ArrowArray *arrays[] = {b.arrays + 1, b.arrays, b.arrays + 2};
		b.schema.children = by_position;
		b.array.children = arrays;
		b.schema.n_children = b.array.n_children = 3;
		b.children[0].dictionary = NULL;
		b.children[0].format = formats[i];
		b.arrays[0].null_count = -1; /* not counted */
		b.arrays[0].n_buffers = 3;
		b.buffers[0][0] = valid;
		b.buffers[0][1] = i ? (const void *)large_ends : ends;
		b.buffers[0][2] = "redgreenred??";
		score_arrow_binding *binding = bind(model, &b, SCORE_ARROW_BY_POSITION);
		assert_int_equal(score_arrow_batch(binding, &b.array, out, N_ROWS, NULL, &error), SCORE_OK);
		check_scores(model, out, 0, N_ROWS);
		score_arrow_binding_free(binding);
		/* Nothing but nulls. */
		double missing[3] = {NAN, NAN, NAN}, expected;
		b.children[1].format = b.children[2].format = "n";
		b.children[0] = (struct ArrowSchema){.format = "C", .dictionary = &b.words};
		b.words.format = formats[i];
		b.word_array = (struct ArrowArray){0};
		b.arrays[0] = (struct ArrowArray){.length = N_ROWS, .n_buffers = 2, .buffers = b.buffers[0], .dictionary = &b.word_array};
		b.buffers[0][1] = colours;
		binding = bind(model, &b, SCORE_ARROW_BY_POSITION);
		assert_int_equal(score_arrow_batch(binding, &b.array, out, N_ROWS, NULL, &error), SCORE_OK);
		score_input in = score_input_rows_f64(missing, 1, 3);
		assert_int_equal(score_batch(model, &in, &expected, 1, NULL, &error), SCORE_OK);
		for (int row = 0; row < N_ROWS; row++)
			assert_memory_equal(out + row, &expected, sizeof expected);
		score_arrow_binding_free(binding);
		/* Text where the model has a number. */
		b.children[1].format = formats[i];
		binding = bind(model, &b, SCORE_ARROW_BY_POSITION);
		failed(score_arrow_batch(binding, &b.array, out, N_ROWS, NULL, &error), SCORE_ERR_SHAPE,
			"feature 'size' is a number, and column 0 holds text");
		score_arrow_binding_free(binding);
	}
	score_model_free(model);
}

static void refuses_schemas(void **state)
{
	score_model *model = make_model(NULL);
	score_arrow_binding *binding = (score_arrow_binding *)(uintptr_t)1;
	batch b;
	(void)state;
	make_batch(&b);
	failed(score_arrow_bind(model, &b.schema, 0, NULL, &error), SCORE_ERR_ARGUMENT, "out is NULL");
	failed(score_arrow_bind(NULL, &b.schema, 0, &binding, &error), SCORE_ERR_ARGUMENT, "must not be NULL");
	assert_null(binding);
	failed(score_arrow_bind(model, NULL, 0, &binding, &error), SCORE_ERR_ARGUMENT, "must not be NULL");
	failed(score_arrow_bind(model, &b.schema, 2, &binding, &error), SCORE_ERR_ARGUMENT, "flags");
#define WRONG(STATEMENT, FLAGS, CODE, TEXT) \
	make_batch(&b); \
	STATEMENT; \
	failed(score_arrow_bind(model, &b.schema, FLAGS, &binding, &error), CODE, TEXT); \
	assert_null(binding)
	WRONG(b.schema.format = NULL, 0, SCORE_ERR_ARGUMENT, "must not be NULL");
	WRONG(b.schema.format = "l", 0, SCORE_ERR_SHAPE, "'l'");
	WRONG(b.schema.n_children = -1, 0, SCORE_ERR_ARGUMENT, "-1 columns");
	WRONG(b.schema.n_children = INT64_MAX, 0, SCORE_ERR_ARGUMENT, "columns");
	WRONG(b.schema.children = NULL, 0, SCORE_ERR_ARGUMENT, "4 columns");
	WRONG(b.child_list[2] = NULL, 0, SCORE_ERR_ARGUMENT, "column 2");
	WRONG(b.schema.n_children = 0, 0, SCORE_ERR_SHAPE, "size");
	WRONG(b.children[1].format = "", 0, SCORE_ERR_SHAPE, "'size' has the Arrow format '', which cannot be scored");
	WRONG(b.children[1].format = "+r", 0, SCORE_ERR_SHAPE, "decode the runs first");
	WRONG(b.schema.n_children = 4, SCORE_ARROW_BY_POSITION, SCORE_ERR_SHAPE, "4 columns, the model 3");
	WRONG(b.children[1].name = "length", 0, SCORE_ERR_SHAPE, "size");
	WRONG(b.children[1].name = NULL, 0, SCORE_ERR_SHAPE, "size");
	WRONG(b.children[1].format = "vz", 0, SCORE_ERR_SHAPE, "'size' has the Arrow format 'vz'");
	WRONG(b.children[1].format = "tdD", 0, SCORE_ERR_SHAPE, "cannot be scored");
	WRONG(b.children[1].format = NULL, 0, SCORE_ERR_SHAPE, "cannot be scored");
	WRONG(b.children[0].format = "g", 0, SCORE_ERR_SHAPE, "with a dictionary");
	WRONG(b.words.format = "l", 0, SCORE_ERR_SHAPE, "with a dictionary");
	WRONG(b.words.format = NULL, 0, SCORE_ERR_SHAPE, "with a dictionary");
	WRONG((b.schema.n_children = 3, b.children[2].format = "vz", b.children[2].name = NULL), SCORE_ARROW_BY_POSITION,
		SCORE_ERR_SHAPE, "column ''");
#undef WRONG
	score_model_free(model);
}

static void refuses_batches(void **state)
{
	static const uint8_t whole_rows_null[] = {0x1b};
	score_model *model = make_model(NULL);
	score_options plan = SCORE_OPTIONS_INIT;
	double out[N_ROWS];
	batch b;
	(void)state;
	make_batch(&b);
	score_arrow_binding *binding = bind(model, &b, 0);
	failed(score_arrow_batch(NULL, &b.array, out, N_ROWS, NULL, &error), SCORE_ERR_ARGUMENT, "must not be NULL");
	failed(score_arrow_batch(binding, NULL, out, N_ROWS, NULL, &error), SCORE_ERR_ARGUMENT, "must not be NULL");
	plan.plan = (const score_plan *)(uintptr_t)&b;
	failed(score_arrow_batch(binding, &b.array, out, N_ROWS, &plan, &error), SCORE_ERR_ARGUMENT, "give none");
	plan = (score_options){.struct_size = 1};
	failed(score_arrow_batch(binding, &b.array, out, N_ROWS, &plan, &error), SCORE_ERR_ARGUMENT, "struct_size");
#define WRONG(STATEMENT, CODE, TEXT) \
	make_batch(&b); \
	STATEMENT; \
	failed(score_arrow_batch(binding, &b.array, out, N_ROWS, NULL, &error), CODE, TEXT)
	WRONG(b.array.release = NULL, SCORE_ERR_ARGUMENT, "released already");
	WRONG(b.array.length = -1, SCORE_ERR_SHAPE, "-1 rows");
	WRONG(b.array.offset = -1, SCORE_ERR_SHAPE, "the batch has");
	WRONG(b.array.n_children = 3, SCORE_ERR_SHAPE, "3 columns, its schema had 4");
	WRONG(b.array.children = NULL, SCORE_ERR_SHAPE, "the batch has");
	WRONG((b.array.null_count = 1, b.no_buffers[0] = whole_rows_null), SCORE_ERR_SHAPE, "null as a whole");
	WRONG(b.array_list[1] = NULL, SCORE_ERR_SHAPE, "column 1 of the batch");
	WRONG(b.arrays[1].offset = -1, SCORE_ERR_SHAPE, "column 1 of the batch");
	WRONG(b.arrays[1].length = 4, SCORE_ERR_SHAPE, "fewer than 5 rows");
	WRONG(b.array.offset = 1, SCORE_ERR_SHAPE, "fewer than 5 rows");
	WRONG(b.array.offset = 6, SCORE_ERR_SHAPE, "fewer than 5 rows");
	WRONG(b.arrays[0].dictionary = NULL, SCORE_ERR_SHAPE, "calls a dictionary");
	WRONG(b.word_array.length = -1, SCORE_ERR_SHAPE, "calls a dictionary");
	WRONG(b.word_array.offset = -1, SCORE_ERR_SHAPE, "calls a dictionary");
	WRONG(b.word_buffers[1] = NULL, SCORE_ERR_ARGUMENT, "the strings have no offsets (NULL)");
#undef WRONG
	score_arrow_binding_free(binding);
	score_model_free(model);
}

/* ---- streams ---------------------------------------------------------------------------------------------------------- */

static int give_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	batch *b = stream->private_data;
	*out = b->schema;
	return b->schema_code;
}

static int give_batch(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	batch *b = stream->private_data;
	if (b->n_left-- > 0)
		*out = b->array;
	return b->n_left >= 0 ? 0 : b->next_code;
}

static const char *say_why(struct ArrowArrayStream *stream)
{
	return ((batch *)stream->private_data)->text;
}

static void released_stream(struct ArrowArrayStream *stream)
{
	(void)stream;
}

typedef struct seen {
	const score_model *model; /* whose scores are expected, or NULL */
	int n_batches, stop_after;
} seen;

static int visit(void *context, int64_t first_row, int64_t n_rows, const double *values, size_t width)
{
	seen *s = context;
	assert_int_equal(width, 1);
	assert_int_equal(first_row, s->n_batches * N_ROWS);
	if (n_rows && s->model)
		check_scores(s->model, values, 0, N_ROWS);
	return ++s->n_batches == s->stop_after;
}

static void scores_streams(void **state)
{
	score_model *model = make_model(NULL);
	batch b;
	struct ArrowArrayStream stream = {give_schema, give_batch, say_why, released_stream, &b};
	(void)state;
	for (int stop = 0; stop < 3; stop++) {
		seen s = {model, 0, stop};
		make_batch(&b);
		b.n_left = 3;
		assert_int_equal(score_arrow_stream(model, &stream, 0, NULL, visit, &s, &error), SCORE_OK);
		assert_int_equal(s.n_batches, stop ? stop : 3);
	}
	seen s = {model, 0, 0};
#define WRONG(STATEMENT, CODE, TEXT) \
	make_batch(&b); \
	b.n_left = 1; \
	s.n_batches = 0; \
	STATEMENT; \
	failed(score_arrow_stream(model, &stream, 0, NULL, visit, &s, &error), CODE, TEXT)
	WRONG(b.schema_code = 5, SCORE_ERR_IO, "error 5: no message");
	WRONG((b.next_code = 7, b.text = "the disk"), SCORE_ERR_IO, "error 7: the disk");
	WRONG(b.array.length = -1, SCORE_ERR_SHAPE, "-1 rows");
	WRONG(b.array.length = INT64_MAX, SCORE_ERR_SHAPE, "no batch");
	WRONG(b.schema.format = "l", SCORE_ERR_SHAPE, "'l'");
	WRONG(b.arrays[1].length = 4, SCORE_ERR_SHAPE, "fewer than");
#undef WRONG
	score_options leaves = SCORE_OPTIONS_INIT;
	leaves.output = SCORE_OUTPUT_LEAF; /* three values per row: more than a number of values can be */
	make_batch(&b);
	b.n_left = 1;
	b.array.length = INT64_MAX;
	failed(score_arrow_stream(model, &stream, 0, &leaves, visit, &s, &error), SCORE_ERR_SHAPE, "no batch");
	make_batch(&b);
	b.schema.release = NULL; /* nothing to release */
	s.n_batches = 0;
	assert_int_equal(score_arrow_stream(model, &stream, 0, NULL, visit, &s, &error), SCORE_OK);
	assert_int_equal(s.n_batches, 0);
	make_batch(&b);
	b.n_left = 1;
	b.array.length = 0;
	s.n_batches = 0;
	assert_int_equal(score_arrow_stream(model, &stream, 0, NULL, visit, &s, &error), SCORE_OK);
	failed(score_arrow_stream(NULL, &stream, 0, NULL, visit, &s, &error), SCORE_ERR_ARGUMENT, "must not be NULL");
	failed(score_arrow_stream(model, NULL, 0, NULL, visit, &s, &error), SCORE_ERR_ARGUMENT, "must not be NULL");
	failed(score_arrow_stream(model, &stream, 0, NULL, NULL, &s, &error), SCORE_ERR_ARGUMENT, "must not be NULL");
	stream.release = NULL;
	failed(score_arrow_stream(model, &stream, 0, NULL, visit, &s, &error), SCORE_ERR_ARGUMENT, "released");
	score_model_free(model);
}

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

static void survives_without_memory(void **state)
{
	metered_memory memory = {SIZE_MAX, 0, 0};
	const score_allocator allocator = metered_allocator(&memory);
	score_model *model = make_model(&allocator);
	const size_t held = memory.held;
	batch b;
	struct ArrowArrayStream stream = {give_schema, give_batch, say_why, released_stream, &b};
	score_status status = SCORE_ERR_MEMORY;
	(void)state;
	for (size_t n = 0; status != SCORE_OK; n++) {
		seen s = {NULL, 0, 0};
		make_batch(&b);
		b.n_left = 1;
		b.children[2].format = "n"; /* a column of nulls needs memory */
		memory.left = n;
		status = score_arrow_stream(model, &stream, 0, NULL, visit, &s, &error);
		assert_int_equal(memory.held, held);
		if (status != SCORE_OK)
			failed(status, SCORE_ERR_MEMORY, "out of memory");
		assert_true(n < 100);
	}
	memory.left = SIZE_MAX;
	score_model_free(model);
	assert_int_equal(memory.held, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores_a_batch),
		cmocka_unit_test(scores_other_columns),
		cmocka_unit_test(refuses_schemas),
		cmocka_unit_test(refuses_batches),
		cmocka_unit_test(scores_streams),
		cmocka_unit_test(survives_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
