/*
 * Every allocation failed in turn while record batches are bound, scored and encoded, and a stream of them is scored: no crash, no
 * object, SCORE_ERR_MEMORY and a message, nothing kept, batches released as often as they were given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "capture_fixture.h"
#include "failing_memory.h"

#include <scoreline/arrow.h>

enum { N_ROWS = 4, N_COLUMNS = 3 };

static score_model *model; /* "f0" a number, "city" and "shop" texts of one dictionary */

/* Columns in another order than the features: "shop" as utf8, "city" as a dictionary of utf8, "f0" as float. */
static struct batch {
	struct ArrowSchema schema, children[N_COLUMNS], words;
	struct ArrowSchema *child_list[N_COLUMNS];
	struct ArrowArray array, arrays[N_COLUMNS], word_array;
	struct ArrowArray *array_list[N_COLUMNS];
	const void *buffers[N_COLUMNS][3], *word_buffers[3], *no_buffers[1];
	int n_left, n_given, n_released;
} batch;

static void release_schema(struct ArrowSchema *s)
{
	s->release = NULL;
}

static void release_array(struct ArrowArray *a)
{
	batch.n_released++;
	a->release = NULL;
}

static void make_batch(void)
{
	static const char *const names[] = {"shop", "city", "f0"}, *const formats[] = {"u", "c", "f"};
	static const int32_t shop_ends[] = {0, 4, 8, 8, 13}, word_ends[] = {0, 4, 9};
	static const int8_t cities[] = {0, 1, 0, 1};
	static const float f0[] = {1.0f, 2.0f, 1.5f, -1.0f};
	for (int i = 0; i < N_COLUMNS; i++) {
		batch.children[i] = (struct ArrowSchema){.format = formats[i], .name = names[i]};
		batch.arrays[i] = (struct ArrowArray){.length = N_ROWS, .n_buffers = i == 0 ? 3 : 2, .buffers = batch.buffers[i]};
		batch.child_list[i] = batch.children + i;
		batch.array_list[i] = batch.arrays + i;
	}
	batch.words = (struct ArrowSchema){.format = "u"};
	batch.word_array = (struct ArrowArray){.length = 2, .n_buffers = 3, .buffers = batch.word_buffers};
	batch.word_buffers[1] = word_ends;
	batch.word_buffers[2] = "BonnK\xc3\xb6ln";
	batch.children[1].dictionary = &batch.words;
	batch.arrays[1].dictionary = &batch.word_array;
	batch.buffers[0][1] = shop_ends;
	batch.buffers[0][2] = "BonnOsloK\xc3\xb6ln";
	batch.buffers[1][1] = cities;
	batch.buffers[2][1] = f0;
	batch.schema = (struct ArrowSchema){.format = "+s", .n_children = N_COLUMNS, .children = batch.child_list, .release = release_schema};
	batch.array = (struct ArrowArray){.length = N_ROWS, .n_buffers = 1, .buffers = batch.no_buffers, .n_children = N_COLUMNS,
		.children = batch.array_list, .release = release_array};
}

static double expected[N_ROWS];

static score_status binds(const void **out, score_error *error)
{
	score_arrow_binding *binding = (score_arrow_binding *)&batch;
	double found[N_ROWS];
	score_status status = score_arrow_bind(model, &batch.schema, 0, &binding, error);
	*out = binding;
	if (status == SCORE_OK) {
		*out = NULL;
		status = score_arrow_batch(binding, &batch.array, found, N_ROWS, NULL, error);
		if (status == SCORE_OK)
			assert_memory_equal(found, expected, sizeof found);
	}
	score_arrow_binding_free(binding);
	return status;
}

static score_status encodes(score_error *error)
{
	double codes[N_ROWS];
	score_status status = SCORE_OK;
	for (int i = 0; status == SCORE_OK && i < 2; i++) {
		status = score_arrow_encode(model, i ? 1 : 2, batch.children + i, batch.arrays + i, 0, N_ROWS, codes, error);
		if (status == SCORE_OK)
			assert_true(codes[0] == 2 && codes[1] == (i ? 1 : -1)); /* Bonn; Köln, and Oslo, which is no label */
	}
	return status;
}

static int give_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
	(void)s;
	*out = batch.schema;
	return 0;
}

static int give_batch(struct ArrowArrayStream *s, struct ArrowArray *out)
{
	(void)s;
	memset(out, 0, sizeof *out);
	if (batch.n_left-- > 0) {
		*out = batch.array;
		batch.n_given++;
	}
	return 0;
}

static void release_stream(struct ArrowArrayStream *s)
{
	s->release = NULL;
}

static int take_scores(void *context, int64_t first_row, int64_t n_rows, const double *values, size_t width)
{
	assert_true(n_rows == N_ROWS && width == 1);
	assert_memory_equal(values, expected, sizeof expected);
	*(int64_t *)context = first_row + n_rows;
	return 0;
}

static score_status streams(const void **out, score_error *error)
{
	struct ArrowArrayStream stream = {.get_schema = give_schema, .get_next = give_batch, .release = release_stream};
	int64_t n = 0;
	*out = NULL;
	const score_status encoded = encodes(error);
	if (encoded != SCORE_OK)
		return encoded;
	batch.n_left = 3;
	batch.n_given = batch.n_released = 0;
	const score_status status = score_arrow_stream(model, &stream, 0, NULL, take_scores, &n, error);
	assert_int_equal(batch.n_released, batch.n_given);
	assert_int_equal(n, status == SCORE_OK ? 3 * N_ROWS : N_ROWS * (batch.n_given ? batch.n_given - 1 : 0));
	return status;
}

static void survives_batches(void **state)
{
	(void)state;
	faults_in_turn(binds, "arrow batch", 0);
}

static void survives_encoding_and_streams(void **state)
{
	(void)state;
	faults_in_turn(streams, "arrow encode and stream", 0);
}

static int set_up(void **state)
{
	static const double cells[N_ROWS][3] = {{1.0, 2, 2}, {2.0, 1, -1}, {1.5, 2, 0}, {-1.0, 1, 1}};
	const score_input in = score_input_rows_f64(cells[0], N_ROWS, 3);
	(void)state;
	faults_make_folder();
	model = fixture_string_model();
	make_batch();
	return score_batch(model, &in, expected, N_ROWS, NULL, NULL) != SCORE_OK;
}

static int tear_down(void **state)
{
	(void)state;
	score_model_free(model);
	return faults_remove_folder();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_batches), cmocka_unit_test(survives_encoding_and_streams),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
