/*
 * Text of Arrow columns as codes: utf8, large_utf8 and utf8_view, plain and as a dictionary's values, with nulls and offsets.
 * What a column says wrongly of itself is refused by name, and no text is read.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "expect_error.h"
#include "metered_memory.h"

#include <scoreline/arrow.h>
#include <scoreline/build.h>

#define N_ROWS 5
#define LONG_LABEL "a green that fills more than twelve bytes"

static score_error error;
/* Linear, its margin is "colour" + 10 "size": the labels of colour are red (1) and LONG_LABEL (2). */
static score_model *model;
static metered_memory memory;

/* `unknown` is the code of what is no label. */
static score_model *make_model(double unknown, const score_allocator *allocator)
{
	static const char *const labels[] = {"red", LONG_LABEL};
	static const double weights[] = {1.0, 10.0}, codes[] = {1.0, 2.0};
	const score_contract contract = SCORE_CONTRACT_INIT(2, 1);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b = NULL;
	score_model *made = NULL;
	options.allocator = allocator;
	assert_int_equal(score_builder_new(&contract, &options, &b, &error), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 0, "colour", SCORE_FEATURE_CATEGORY, &error), SCORE_OK);
	assert_int_equal(score_builder_set_feature(b, 1, "size", SCORE_FEATURE_NUMERIC, &error), SCORE_OK);
	assert_int_equal(score_builder_set_dictionary(b, 0, labels, codes, 2, unknown, 0, &error), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, weights, 1, &error), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &made, &error), SCORE_OK);
	score_builder_free(b);
	return made;
}

static int set_up(void **state)
{
	(void)state;
	memory.left = SIZE_MAX;
	const score_allocator metered = metered_allocator(&memory);
	model = make_model(NAN, &metered);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	score_model_free(model);
	return memory.held != 0;
}

/* ---- columns of: red, null, LONG_LABEL, blue, red ---------------------------------------------------------------- */

typedef struct view {
	int32_t length;
	union {
		char here[12];
		struct {
			char prefix[4];
			int32_t buffer, offset;
		} there;
	} u;
} view;

/* A column by itself; dictionaries have the distinct texts and an array of indices before them. */
typedef struct text_column {
	struct ArrowSchema schema, value_schema;
	struct ArrowArray array, values;
	const void *buffers[5], *value_buffers[5];
	view views[N_ROWS];
} text_column;

static const uint8_t not_the_second[] = {0x1d};
static const char bytes[] = "red" LONG_LABEL "bluered";
static const int32_t ends[] = {0, 3, 3, 44, 48, 51};
static const int64_t large_ends[] = {0, 3, 3, 44, 48, 51};
static const int64_t view_bytes[] = {sizeof LONG_LABEL};
static const double wanted[N_ROWS] = {1.0, NAN, 2.0, NAN, 1.0};

static void set_views(text_column *c)
{
	static const char *const short_ones[N_ROWS] = {"red", "", NULL, "blue", "red"};
	for (int i = 0; i < N_ROWS; i++) {
		c->views[i].length = (int32_t)strlen(short_ones[i] ? short_ones[i] : LONG_LABEL);
		if (short_ones[i])
			memcpy(c->views[i].u.here, short_ones[i], strlen(short_ones[i]));
		else
			c->views[i].u.there.offset = 1;
	}
}

/* The texts as `format` lays them out, into an array and its buffers. */
static void put_texts(text_column *c, const char *format, struct ArrowArray *a, const void **buffers)
{
	const int is_view = strcmp(format, "vu") == 0;
	*a = (struct ArrowArray){.length = N_ROWS, .null_count = 1, .n_buffers = is_view ? 4 : 3, .buffers = buffers};
	buffers[0] = not_the_second;
	buffers[1] = is_view ? (const void *)c->views : strcmp(format, "u") == 0 ? (const void *)ends : large_ends;
	buffers[2] = is_view ? "-" LONG_LABEL : bytes;
	buffers[3] = view_bytes;
}

static void make_plain(text_column *c, const char *format)
{
	memset(c, 0, sizeof *c);
	set_views(c);
	c->schema = (struct ArrowSchema){.format = format, .name = "colour"};
	put_texts(c, format, &c->array, c->buffers);
}

/* The values are the whole column from behind, each row names its own; the last index is of no value. */
static void make_dictionary(text_column *c, const char *format)
{
	static const int16_t indices[] = {4, 1, 2, 3, 0, 9, -1};
	memset(c, 0, sizeof *c);
	set_views(c);
	c->value_schema = (struct ArrowSchema){.format = format};
	c->schema = (struct ArrowSchema){.format = "s", .name = "colour", .dictionary = &c->value_schema};
	put_texts(c, format, &c->values, c->value_buffers);
	c->array = (struct ArrowArray){.length = 7, .n_buffers = 2, .buffers = c->buffers, .dictionary = &c->values};
	c->buffers[1] = indices;
}

static void check_codes(const double *codes, size_t first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_true(codes[i] == wanted[first + i] || (isnan(codes[i]) && isnan(wanted[first + i])));
}

static score_status encode(const text_column *c, int64_t first, int64_t n, double *codes)
{
	return score_arrow_encode(model, 0, &c->schema, &c->array, first, n, codes, &error);
}

static const char *const formats[] = {"u", "U", "vu"};

static void encodes_every_layout(void **state)
{
	text_column c;
	double codes[7];
	(void)state;
	for (int i = 0; i < 3; i++) {
		make_plain(&c, formats[i]);
		assert_int_equal(encode(&c, 0, N_ROWS, codes), SCORE_OK);
		check_codes(codes, 0, N_ROWS);
		assert_int_equal(encode(&c, 2, 3, codes), SCORE_OK);
		check_codes(codes, 2, 3);
		c.array.offset = 1;
		c.array.length = 4;
		assert_int_equal(encode(&c, 1, 2, codes), SCORE_OK);
		check_codes(codes, 2, 2);
		assert_int_equal(encode(&c, 4, 0, NULL), SCORE_OK);
		make_dictionary(&c, formats[i]);
		assert_int_equal(encode(&c, 0, 7, codes), SCORE_OK);
		check_codes(codes, 0, N_ROWS); /* the first and the last are the same */
		assert_true(isnan(codes[5]) && isnan(codes[6]));
		c.values.offset = 2;
		c.values.length = 1; /* LONG_LABEL alone */
		c.buffers[0] = NULL;
		c.buffers[1] = (const int16_t[]){0, 1, 0};
		assert_int_equal(encode(&c, 0, 3, codes), SCORE_OK);
		assert_true(codes[0] == 2.0 && isnan(codes[1]) && codes[2] == 2.0);
	}
}

/* Nothing but empty texts needs no bytes, and a dictionary without values no offsets. */
static void takes_empty_columns(void **state)
{
	static const int32_t nothing[] = {0, 0, 0};
	text_column c;
	double codes[2] = {7.0, 7.0};
	(void)state;
	make_plain(&c, "u");
	c.array = (struct ArrowArray){.length = 2, .n_buffers = 2, .buffers = c.buffers};
	c.buffers[1] = nothing;
	assert_int_equal(encode(&c, 0, 2, codes), SCORE_OK);
	assert_true(isnan(codes[0]) && isnan(codes[1]));
	codes[0] = codes[1] = 7.0;
	make_dictionary(&c, "u");
	c.values = (struct ArrowArray){.length = 0};
	assert_int_equal(encode(&c, 0, 2, codes), SCORE_OK);
	assert_true(isnan(codes[0]) && isnan(codes[1]));
}

static void refuses_columns(void **state)
{
	text_column c;
	double codes[N_ROWS] = {7.0};
	(void)state;
	make_plain(&c, "u");
	const char *null = "score_arrow_encode: model, schema, column and codes must not be NULL";
	expect_error(score_arrow_encode(NULL, 0, &c.schema, &c.array, 0, 1, codes, &error), &error, SCORE_ERR_ARGUMENT, null);
	expect_error(score_arrow_encode(model, 0, NULL, &c.array, 0, 1, codes, &error), &error, SCORE_ERR_ARGUMENT, null);
	expect_error(score_arrow_encode(model, 0, &c.schema, NULL, 0, 1, codes, &error), &error, SCORE_ERR_ARGUMENT, null);
	expect_error(score_arrow_encode(model, 0, &c.schema, &c.array, 0, 1, NULL, &error), &error, SCORE_ERR_ARGUMENT, null);
	expect_error(score_arrow_encode(model, 1, &c.schema, &c.array, 0, 1, codes, &error), &error, SCORE_ERR_ARGUMENT,
		"score_arrow_encode: the model knows no labels of feature 1");
	expect_error(score_arrow_encode(model, 2, &c.schema, &c.array, 0, 1, codes, &error), &error, SCORE_ERR_ARGUMENT,
		"score_arrow_encode: the model knows no labels of feature 2");
#define WRONG(MAKE, FORMAT, STATEMENT, FIRST, N, MESSAGE) \
	MAKE(&c, FORMAT); \
	STATEMENT; \
	expect_error(encode(&c, FIRST, N, codes), &error, SCORE_ERR_SHAPE, MESSAGE)
	const char *no_text = "score_arrow_encode: the column has the Arrow format 's', expected text";
	WRONG(make_plain, "u", c.schema.format = "z", 0, 1, "score_arrow_encode: the column has the Arrow format 'z', expected text");
	WRONG(make_plain, "u", c.schema.format = NULL, 0, 1, "score_arrow_encode: the column has the Arrow format '', expected text");
	WRONG(make_dictionary, "l", , 0, 1, no_text);
	WRONG(make_dictionary, "u", c.value_schema.format = NULL, 0, 1, no_text);
	WRONG(make_dictionary, "u", c.schema.format = "b", 0, 1,
		"score_arrow_encode: the column has the Arrow format 'b', expected text");
	WRONG(make_plain, "u", , -1, 1, "score_arrow_encode: rows -1 to 0 of a column of 5");
	WRONG(make_plain, "u", , 1, -1, "score_arrow_encode: rows 1 to 0 of a column of 5");
	WRONG(make_plain, "u", , 6, 0, "score_arrow_encode: rows 6 to 6 of a column of 5");
	WRONG(make_plain, "u", , 2, 4, "score_arrow_encode: rows 2 to 6 of a column of 5");
	WRONG(make_plain, "u", c.array.offset = -1, 0, 1, "score_arrow_encode: rows 0 to 1 of a column of 5");
	const char *none = "a column that the schema calls a dictionary has none in this batch";
	WRONG(make_dictionary, "u", c.array.dictionary = NULL, 0, 1, none);
	WRONG(make_dictionary, "u", c.values.length = -1, 0, 1, none);
	WRONG(make_dictionary, "u", c.values.offset = -1, 0, 1, none);
	const char *no_buffer = "a column of text has no buffer of strings or indices";
	WRONG(make_plain, "u", c.buffers[1] = NULL, 0, 1, no_buffer);
	WRONG(make_plain, "u", c.array.n_buffers = 1, 0, 1, no_buffer);
	WRONG(make_plain, "u", c.array.buffers = NULL, 0, 1, no_buffer);
	WRONG(make_dictionary, "u", c.buffers[1] = NULL, 0, 1, no_buffer);
	WRONG(make_dictionary, "u", c.value_buffers[1] = NULL, 0, 1, no_buffer);
#undef WRONG
}

/* A view that points where no buffer is. */
static void refuses_views(void **state)
{
	static const struct {
		int32_t length, buffer, offset;
		const char *message;
	} cases[] = {
		{-1, 0, 0, "the string view at element 0 has length -1, buffer 0 and offset 0, and its array 4 buffers"},
		{13, 1, 0, "the string view at element 0 has length 13, buffer 1 and offset 0, and its array 4 buffers"},
		{13, -1, 0, "the string view at element 0 has length 13, buffer -1 and offset 0, and its array 4 buffers"},
		{13, 0, -1, "the string view at element 0 has length 13, buffer 0 and offset -1, and its array 4 buffers"},
	};
	text_column c;
	double code;
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		make_plain(&c, "vu");
		c.views[0].length = cases[i].length;
		c.views[0].u.there.buffer = cases[i].buffer;
		c.views[0].u.there.offset = cases[i].offset;
		expect_error(encode(&c, 0, 1, &code), &error, SCORE_ERR_SHAPE, cases[i].message);
	}
	make_plain(&c, "vu");
	c.buffers[2] = NULL;
	expect_error(encode(&c, 2, 1, &code), &error, SCORE_ERR_SHAPE,
		"the string view at element 2 has length 41, buffer 0 and offset 1, and its array 4 buffers");
}

static void refuses_what_the_model_refuses(void **state)
{
	score_model *strict = make_model(SCORE_REFUSE, NULL);
	text_column c;
	double codes[N_ROWS];
	(void)state;
	make_plain(&c, "vu");
	expect_error(score_arrow_encode(strict, 0, &c.schema, &c.array, 2, 3, codes, &error), &error, SCORE_ERR_SHAPE,
		"feature 'colour' has the category 'blue' in row 1, and the model was trained without it");
	assert_true(codes[0] == 2.0);
	score_model_free(strict);
}

/* ---- batches with a column of views ------------------------------------------------------------------------------- */

typedef struct view_batch {
	text_column colour;
	struct ArrowSchema size, schema, *schemas[2];
	struct ArrowArray sizes, array, *arrays[2];
	const void *size_buffers[2], *no_buffers[1];
} view_batch;

static void release_array(struct ArrowArray *a)
{
	a->release = NULL;
}

static void make_batch(view_batch *b, bool is_dictionary)
{
	static const double sizes[] = {1, 2, 3, 4, 5, 6, 7};
	memset(b, 0, sizeof *b);
	if (is_dictionary)
		make_dictionary(&b->colour, "vu");
	else
		make_plain(&b->colour, "vu");
	b->size = (struct ArrowSchema){.format = "g", .name = "size"};
	b->sizes = (struct ArrowArray){.length = 7, .n_buffers = 2, .buffers = b->size_buffers};
	b->size_buffers[1] = sizes;
	b->schemas[0] = &b->colour.schema;
	b->schemas[1] = &b->size;
	b->arrays[0] = &b->colour.array;
	b->arrays[1] = &b->sizes;
	b->schema = (struct ArrowSchema){.format = "+s", .n_children = 2, .children = b->schemas};
	b->array = (struct ArrowArray){.length = 3, .offset = 2, .n_buffers = 1, .buffers = b->no_buffers, .n_children = 2,
		.children = b->arrays, .release = release_array};
}

/* Views score as what they say does, from the batch's offset on, and memory may run out on the way. */
static void scores_views(void **state)
{
	static const double margins[] = {32.0, 40.0, 51.0};
	(void)state;
	for (int is_dictionary = 0; is_dictionary < 2; is_dictionary++) {
		const size_t held = memory.held;
		score_status status = SCORE_ERR_MEMORY;
		score_arrow_binding *binding = NULL;
		view_batch b;
		double out[3];
		make_batch(&b, is_dictionary);
		assert_int_equal(score_arrow_bind(model, &b.schema, 0, &binding, &error), SCORE_OK);
		for (size_t n = 0; status == SCORE_ERR_MEMORY; n++) {
			memory.left = n;
			status = score_arrow_batch(binding, &b.array, out, 3, NULL, &error);
			assert_true(n < 20);
		}
		memory.left = SIZE_MAX;
		assert_int_equal(status, SCORE_OK);
		assert_memory_equal(out, margins, sizeof out);
		b.colour.views[3].length = -2;
		expect_error(score_arrow_batch(binding, &b.array, out, 3, NULL, &error), &error, SCORE_ERR_SHAPE,
			"the string view at element 3 has length -2, buffer 0 and offset 0, and its array 4 buffers");
		score_arrow_binding_free(binding);
		assert_int_equal(memory.held, held);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_every_layout),
		cmocka_unit_test(takes_empty_columns),
		cmocka_unit_test(refuses_columns),
		cmocka_unit_test(refuses_views),
		cmocka_unit_test(refuses_what_the_model_refuses),
		cmocka_unit_test(scores_views),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
