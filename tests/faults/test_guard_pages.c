/*
 * Small files of every format that end where the process's memory ends: every truncation, and every byte set to four values. An
 * error or a model that scores, no read beyond the end, no write at all, and never more memory than a small file may ask for. In a
 * quick run one byte in seven.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guarded_room.h"
#include "quick_run.h"

#include <scoreline/import.h>

#define MOST_MEMORY ((size_t)64 << 20) /* of a file of a few KiB; what a .slm may ask for is documented so */

static int set_up(void **state)
{
	(void)state;
	return guarded_make();
}

/* ---- an allocator that counts ------------------------------------------------------------------------------------------ */

typedef struct counter {
	size_t held, most;
} counter;

static void *count_alloc(void *context, size_t size, size_t align)
{
	counter *c = context;
	size_t a = align < 16 ? 16 : align;
	void *p = size > MOST_MEMORY ? NULL : aligned_alloc(a, (size + a - 1) / a * a);
	c->held += p ? size : 0;
	c->most = c->held > c->most ? c->held : size > MOST_MEMORY ? size : c->most;
	return p;
}

static void count_free(void *context, void *p, size_t size, size_t align)
{
	(void)align;
	((counter *)context)->held -= size;
	free(p);
}

/* ---- trying ------------------------------------------------------------------------------------------------------------ */

typedef struct tally {
	size_t n, accepted, most;
} tally;

static void use(const score_model *model)
{
	static const double row[4096];
	static double out[4096];
	score_model_info info = {.struct_size = sizeof info};
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	if (info.n_features > 4096 || info.n_predictions > 4096)
		return;
	score_input in = score_input_rows_f64(row, 1, info.n_features);
	score_error error;
	assert_int_equal(score_batch(model, &in, out, 4096, NULL, &error), SCORE_OK);
}

static void try_bytes(const unsigned char *data, size_t size, bool is_slm, tally *t)
{
	counter c = {0, 0};
	const score_allocator allocator = {count_alloc, count_free, &c};
	score_open_options open = SCORE_OPEN_OPTIONS_INIT;
	score_import_options import = SCORE_IMPORT_OPTIONS_INIT;
	score_model *model = NULL;
	score_error error;
	open.allocator = import.allocator = &allocator;
	score_status status = is_slm ? score_model_open_memory(data, size, &open, &model, &error)
				     : score_import_memory(data, size, &import, &model, &error);
	assert_true((status == SCORE_OK) == (model != NULL));
	if (model)
		use(model);
	else
		assert_true(status > 0 && memchr(error.message, 0, sizeof error.message) != NULL && error.message[0] != '\0');
	score_model_free(model);
	assert_int_equal(c.held, 0);
	t->n++;
	t->accepted += status == SCORE_OK;
	t->most = c.most > t->most ? c.most : t->most;
}

static size_t read_file(const char *name, unsigned char *to)
{
	const char *folder = getenv("SCORELINE_TEST_DATA");
	char path[512];
	snprintf(path, sizeof path, "%s/%s", folder ? folder : "tests/data", name);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	size_t n = fread(to, 1, GUARDED_BYTES, f);
	fclose(f);
	assert_true(n > 0 && n < GUARDED_BYTES);
	return n;
}

static void try_file(const char *name)
{
	static const unsigned char values[] = {0x00, 0x7f, 0x80, 0xff};
	static unsigned char whole[GUARDED_BYTES];
	const size_t size = read_file(name, whole), length = strlen(name), stride = quick_run() ? 7 : 1;
	const bool is_slm = length > 4 && strcmp(name + length - 4, ".slm") == 0;
	tally t = {0, 0, 0};
	for (size_t n = 0; n < size; n += stride)
		try_bytes(guarded_copy(whole, n), n, is_slm, &t);
	unsigned char *data = guarded_copy(whole, size);
	try_bytes(data, size, is_slm, &t);
	assert_true(t.accepted > 0);
	for (size_t at = 0; at < size; at += stride) {
		for (size_t k = 0; k < sizeof values; k++) {
			data[at] = values[k];
			try_bytes(data, size, is_slm, &t);
		}
		data[at] = whole[at];
	}
	assert_memory_equal(data, whole, size);
	printf("%s: %zu inputs, %zu of them models, at most %zu bytes of memory\n", name, t.n, t.accepted, t.most);
	assert_true(t.most <= MOST_MEMORY);
}

static void files_end_where_memory_ends(void **state)
{
	static const char *const names[] = {"format/stump.slm", "xgboost/linear-3.2.0.json", "xgboost/linear-3.2.0.ubj",
		"xgboost/survival_aft-3.2.0.json", "lightgbm/single_leaf.txt", "catboost/one_hot-1.2.10.json",
#ifdef SL_HAVE_ONNX
		"onnx/pipeline.onnx", "onnx/classifier.onnx", "onnx/ensemble5.onnx",
#endif
	};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		try_file(names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(files_end_where_memory_ends)};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
