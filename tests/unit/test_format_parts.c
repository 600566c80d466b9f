/* Models of parts in files: every value of the header's list of parts changed, and refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metered_memory.h"
#include "slm_bytes.h"

#include <scoreline/build.h>

/* A linear model of two outputs: one part with slopes and curves, and one plain. */
static file parts_file(void)
{
	static const double weights[] = {1.0, 0.0, 0.0, 1.0}, slopes[] = {0.5, 2.0}, offsets[] = {0.25, -1.0};
	static const double x[] = {-1.0, 1.0, 0.0, 2.0}, y[] = {0.0, 1.0, 0.5, 0.75};
	static const uint32_t ends[] = {2, 4}, columns[] = {1, 0};
	const score_contract c = SCORE_CONTRACT_INIT(2, 2);
	score_part part = SCORE_PART_INIT(0, 2), plain = SCORE_PART_INIT(1, 1);
	score_builder *b = NULL;
	score_model *model = NULL;
	void *bytes = NULL;
	size_t size = 0;
	part.slopes = slopes;
	part.offsets = offsets;
	part.curve_ends = ends;
	part.curve_x = x;
	part.curve_y = y;
	part.columns = columns;
	plain.divisor = 8.0;
	assert_int_equal(score_builder_new(&c, NULL, &b, NULL), SCORE_OK);
	assert_int_equal(score_builder_set_linear(b, weights, 0, NULL), SCORE_OK);
	assert_int_equal(score_builder_add_part(b, &part, NULL), SCORE_OK);
	assert_int_equal(score_builder_add_part(b, &plain, NULL), SCORE_OK);
	assert_int_equal(score_builder_combine(b, SCORE_COMBINE_SUM, 0.0, 2, NULL), SCORE_OK);
	assert_int_equal(score_builder_finish(b, &model, NULL), SCORE_OK);
	score_builder_free(b);
	assert_int_equal(score_model_save_memory(model, NULL, &bytes, &size, NULL), SCORE_OK);
	file f = slm_copy(bytes, size);
	score_model_free_bytes(model, bytes, size);
	score_model_free(model);
	return f;
}

#define T(TEXT) TEXT, sizeof(TEXT) - 1
#define BAD SCORE_ERR_CORRUPT

/* Strings carry their msgpack heads: \xa0 + length, \xc0 nil, \x90 array, \x80 map, \xcb a number of eight bytes. */
static const struct {
	const char *what;
	size_t what_n;
	const char *with;
	size_t with_n;
	score_status expected;
	const char *words;
} edits[] = {
	{T("\xa5" "parts\x83"), T("\xa5" "party\x83"), BAD, "parts"},
	{T("\xa5" "parts\x83"), T("\xa5" "parts\x01\xa1" "x\x83"), BAD, NULL},
	{T("\xa7" "combine"), T("\xa7" "combinx"), BAD, "combine"},
	{T("\xa7" "combine\xa3" "sum"), T("\xa7" "combine\xa3" "sun"), SCORE_ERR_UNSUPPORTED, "'sun'"},
	{T("\xa7" "combine\xa3" "sum"), T("\xa7" "combine\xa6" "median"), BAD, "one prediction of a median"},
	{T("\xa5" "total"), T("\xa5" "tptal"), BAD, "total"},
	{T("\xa5" "total\xcb\0\0"), T("\xa5" "total\xcb\x7f\xf0"), BAD, "a finite total"},
	{T("\xa4" "list"), T("\xa4" "lost"), BAD, "list"},
	{T("\xa4" "list\x92"), T("\xa4" "list\x90\xa1" "x\x92"), BAD, NULL},
	{T("\xa4" "list\x92"), T("\xa4" "list\x93\x01"), BAD, "expected one map per part"},
	{T("\xac" "first_output"), T("\xac" "first_outputs"), BAD, NULL},
	{T("\xac" "first_output"), T("\xac" "first_outpud"), BAD, "first_output"},
	{T("\xac" "first_output\0"), T("\xac" "first_output\x01"), BAD, "a part takes outputs 1 to 3, the model has 2"},
	{T("\xa7" "outputs\x02\xa7" "divisor"), T("\xa7" "outputz\x02\xa7" "divisor"), BAD, "outputs"},
	{T("\xa7" "outputs\x02\xa7" "divisor"), T("\xa7" "outputs\0\xa7" "divisor"), BAD, "a part has no outputs"},
	{T("\xa7" "outputs\x02\xa7" "divisor"), T("\xa7" "outputs\x03\xa7" "divisor"), BAD, "more than the model"},
	{T("\xa7" "outputs\x02\xa7" "divisor"), T("\xa7" "outputs\x01\xa7" "divisor"), BAD, "slopes"},
	{T("\xa7" "divisor"), T("\xa7" "divisos"), BAD, "divisor"},
	{T("\xa7" "divisor\xcb\x3f\xf0"), T("\xa7" "divisor\xcb\0\0"), BAD, "divides by 0"},
	{T("\xa7" "divisor\xcb\x3f\xf0"), T("\xa7" "divisor\xcb\x7f\xf0"), BAD, "must be finite"},
	{T("\xa4" "link\xa8" "identity\xa9" "parameter"), T("\xa4" "lynk\xa8" "identity\xa9" "parameter"), BAD, "link"},
	{T("\xa4" "link\xa8" "identity\xa9" "parameter"), T("\xa4" "link\xa5" "parts\xa9" "parameter"), BAD,
		"has another length than its part says"},
	{T("\xa9" "parameter\xcb\x3f\xf0\0\0\0\0\0\0\xa4" "vote"), T("\xa9" "paranoia.\xcb\x3f\xf0\0\0\0\0\0\0\xa4" "vote"), BAD,
		"parameter"},
	{T("\xa9" "parameter\xcb\x3f\xf0\0\0\0\0\0\0\xa4" "vote"), T("\xa9" "parameter\xcb\0\0\0\0\0\0\0\0\xa4" "vote"), BAD,
		"divides by 0"},
	{T("\xa4" "vote"), T("\xa4" "veto"), BAD, "vote"},
	{T("\xa4" "vote\xa4" "none"), T("\xa4" "vote\xa4" "some"), SCORE_ERR_UNSUPPORTED, "'some'"},
	{T("\xa6" "weight"), T("\xa6" "weighs"), BAD, "weight"},
	{T("\xa6" "weight\xcb\x3f"), T("\xa6" "weight\xcb\xbf"), BAD, "the weight not negative"},
	{T("\xa6" "slopes"), T("\xa6" "slopez"), BAD, "slopes"},
	{T("\xa6" "slopes\x92\xcb"), T("\xa6" "slopes\x92\x01\xcb"), BAD, NULL},
	{T("\xa6" "slopes\x92\xcb\x3f\xe0\0\0\0\0\0\0"), T("\xa6" "slopes\x92\x01"), BAD, "expected floats"},
	{T("\xa6" "slopes\x92\xcb\x3f\xe0\0\0\0\0\0\0"), T("\xa6" "slopes\x91"), BAD, "has another length than its part says"},
	{T("\xa6" "slopes\x92\xcb\x3f\xe0"), T("\xa6" "slopes\x92\xcb\x7f\xf0"), BAD, "must be finite"},
	{T("\xa7" "offsets"), T("\xa7" "offsetz"), BAD, "offsets"},
	{T("\xa7" "offsets\x92\xcb\x3f\xd0"), T("\xa7" "offsets\x92\xcb\xff\xf0"), BAD, "must be finite"},
	{T("\xaa" "curve_ends"), T("\xaa" "curve_bends"), BAD, NULL},
	{T("\xaa" "curve_ends"), T("\xaa" "curve_endz"), BAD, "curve_ends"},
	{T("\xaa" "curve_ends\x92\x02\x04"), T("\xaa" "curve_ends\x92\x02\xc0"), BAD, "expected counts"},
	{T("\xaa" "curve_ends\x92\x02\x04"), T("\xaa" "curve_ends\x92\x02\xce\xff\xff\xff\xff"), BAD, "expected counts"},
	{T("\xaa" "curve_ends\x92\x02\x04"), T("\xaa" "curve_ends\x92\x04\x04"), BAD, "at least one point"},
	{T("\xaa" "curve_ends\x92\x02\x04"), T("\xaa" "curve_ends\x90"), BAD, "curve_x"},
	{T("\xa7" "curve_x"), T("\xa7" "curve_z"), BAD, "curve_x"},
	{T("\xa7" "curve_x\x94\xcb\xbf"), T("\xa7" "curve_x\x94\xcb\x4f"), BAD, "x must ascend"},
	{T("\xa7" "curve_y"), T("\xa7" "curve_w"), BAD, "curve_y"},
	{T("\xab" "predictions\x92\x01\0"), T("\xab" "predictionz\x92\x01\0"), BAD, "predictions"},
	{T("\xab" "predictions\x92\x01\0"), T("\xab" "predictions\x90"), BAD, "a part names none"},
	{T("\xab" "predictions\x92\x01\0"), T("\xab" "predictions\x92\x02\0"), BAD, "part 0 adds to prediction 2, the model has 2"},
};

static void every_value_is_checked(void **state)
{
	file good = parts_file();
	score_error error;
	int n_wrong = 0;
	(void)state;
	assert_int_equal(slm_try_read(good.data, good.size, &error), SCORE_OK);
	for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
		file bad = slm_replace(&good, edits[i].what, edits[i].what_n, edits[i].with, edits[i].with_n);
		const score_status status = slm_try_read(bad.data, bad.size, &error);
		if (status != edits[i].expected || (edits[i].words && !strstr(error.message, edits[i].words))) {
			print_error("edit %zu ('%s' to '%s'): expected %s with '%s', got %s: %s\n", i, edits[i].what, edits[i].with,
				score_status_name(edits[i].expected), edits[i].words ? edits[i].words : "", score_status_name(status),
				status == SCORE_OK ? "" : error.message);
			n_wrong++;
		}
		score_model *model = (score_model *)&good;
		assert_int_equal(score_model_open_memory(bad.data, bad.size, NULL, &model, NULL), status);
		assert_null(model);
		slm_free(&bad);
	}
	slm_free(&good);
	assert_int_equal(n_wrong, 0);
}

static void opening_without_memory(void **state)
{
	file good = parts_file();
	metered_memory memory = {.left = 0};
	const score_allocator metered = metered_allocator(&memory);
	score_open_options o = SCORE_OPEN_OPTIONS_INIT;
	score_model *model = NULL;
	score_status status = SCORE_ERR_MEMORY;
	(void)state;
	o.allocator = &metered;
	for (size_t n = 0; status == SCORE_ERR_MEMORY; n++) {
		memory.left = n;
		status = score_model_open_memory(good.data, good.size, &o, &model, NULL);
		assert_true((status == SCORE_OK) == (model != NULL));
		assert_true(model || memory.held == 0);
		assert_true(n < 300);
	}
	assert_int_equal(status, SCORE_OK);
	score_model_free(model);
	assert_int_equal(memory.held, 0);
	slm_free(&good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_value_is_checked), cmocka_unit_test(opening_without_memory)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
