/*
 * Model files that are damaged, cut short or made by an enemy: each must be refused with a message, and none may crash
 * or take more memory than a small multiple of its size. The hash is made right again wherever deeper checks are meant. In a
 * quick run one byte in seven is changed.
 */
#include "sample_forests.h"

#include "format/slm.h"
#include "format/slm_layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <xxhash.h>

#include "metered_memory.h"
#include "quick_run.h"
#include "slm_bytes.h"

static size_t stride;

static file sample_file(const char *name)
{
	const score_allocator standard = sl_allocator(NULL);
	sl_arena arena;
	void *data;
	size_t size;
	sl_arena_init(&arena, &standard, 0);
	const forest *f = sample_make(sample_find(name), &arena);
	assert_non_null(f);
	assert_int_equal(slm_write(f, NULL, &standard, &data, &size, NULL), SCORE_OK);
	file out = slm_copy(data, size);
	slm_free_bytes(&standard, data, size);
	sl_arena_free(&arena);
	return out;
}

static void expect(const file *f, score_status expected, const char *words)
{
	score_error error;
	const score_status status = slm_try_read(f->data, f->size, &error);
	if (status != expected || (words != NULL && strstr(error.message, words) == NULL))
		fail_msg("expected %s with '%s', got %s: %s", score_status_name(expected), words ? words : "",
			score_status_name(status), error.message);
}

/* ---- damage ------------------------------------------------------------------------------------------- */

static const char *const small[] = { "tiny", "linear", "leaf-only" };

static void every_truncation_is_refused(void **state)
{
	(void)state;
	file f = sample_file("lightgbm");
	for (size_t n = 0; n < f.size; n++) {
		score_error error;
		assert_int_equal(slm_try_read(f.data, n, &error), SCORE_ERR_CORRUPT);
	}
	f.data[f.size] = 0;
	f.size++;
	expect(&f, SCORE_ERR_CORRUPT, "something was added");
	slm_free(&f);
}

static void every_changed_byte_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		file f = sample_file(small[i]);
		for (size_t at = 0; at < f.size; at += stride) {
			const uint8_t good = f.data[at];
			const uint8_t values[] = { 0, 0x7f, 0x80, 0xff, (uint8_t)(good ^ 1), (uint8_t)(good + 1) };
			for (size_t k = 0; k < sizeof values; k++) {
				score_error error;
				f.data[at] = values[k];
				if (values[k] != good)
					assert_int_not_equal(slm_try_read(f.data, f.size, &error), SCORE_OK);
			}
			f.data[at] = good;
		}
		expect(&f, SCORE_OK, NULL);
		slm_free(&f);
	}
}

/* With a right hash behind each change: whatever is accepted must be a forest that writes and reads again. */
static void changed_bytes_with_a_right_hash_do_no_harm(void **state)
{
	(void)state;
	const char *const names[] = { "derived", "derived-linear", "tiny", "linear", "one-set", "odd-outputs", "sklearn",
		"nan-cuts", "linear-leaves" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		file f = sample_file(names[i]);
		size_t accepted = 0;
		for (size_t at = 0; at < f.size - 16; at += stride) {
			const uint8_t good = f.data[at];
			const uint8_t values[] = { 0x7f, 0xff, (uint8_t)(good + 1), (uint8_t)(good ^ 0x90) };
			for (size_t k = 0; k < sizeof values; k++) {
				score_error error;
				f.data[at] = values[k];
				slm_rehash(&f);
				accepted += slm_try_read(f.data, f.size, &error) == SCORE_OK;
			}
			f.data[at] = good;
		}
		assert_true(accepted > 0 && accepted < 6 * f.size);
		slm_free(&f);
	}
}

/* ---- strangers ---------------------------------------------------------------------------------------- */

static void other_files_are_refused(void **state)
{
	(void)state;
	static const char *const texts[] = { "", "{", "{\"learner\":{}}", "tree\nversion=v4\n", "\x7f" "ELF\x02\x01\x01",
		"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "\x89SLM\n\x1a\n", "\x89" "SLM\r\n\x1a\r", "a,b,c\n1,2,3\n" };
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		file f = slm_copy(texts[i], strlen(texts[i]));
		expect(&f, SCORE_ERR_CORRUPT, "not a Scoreline model file");
		slm_free(&f);
	}
	file f = slm_copy("\x89SLM\r\n\x1a\n\1\0\0\0", 12);
	expect(&f, SCORE_ERR_CORRUPT, "cut short");
	slm_free(&f);
}

static void versions_decide(void **state)
{
	(void)state;
	static const struct {
		uint32_t written;
		uint32_t readable;
		score_status expected;
		const char *words;
	} cases[] = {
		{ 1, 1, SCORE_OK, NULL },
		{ 7, 1, SCORE_OK, NULL },
		{ 7, 2, SCORE_ERR_VERSION, "version 2" },
		{ 2, 2, SCORE_ERR_VERSION, "newer release" },
		{ 1, 0, SCORE_ERR_CORRUPT, "no such version" },
		{ 0, 0, SCORE_ERR_CORRUPT, "no such version" },
		{ 0, 1, SCORE_ERR_CORRUPT, "no such version" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		file f = sample_file("tiny");
		slm_put_u32(f.data + 8, cases[i].written);
		slm_put_u32(f.data + 12, cases[i].readable);
		slm_rehash(&f);
		expect(&f, cases[i].expected, cases[i].words);
		slm_free(&f);
	}
}

/* ---- one file per check ---------------------------------------------------------------------------------- */

typedef struct edit {
	const char *sample;
	const char *what;
	size_t what_n;
	const char *with;
	size_t with_n;
	score_status expected;
	const char *words;
} edit;

#define T(TEXT) TEXT, sizeof(TEXT) - 1
#define BAD SCORE_ERR_CORRUPT
#define NOT_KNOWN SCORE_ERR_UNSUPPORTED

/* Strings carry their msgpack heads: \xa0 + length, \xc0 nil, \x80 map, \x90 array, small numbers as they are. */
static const edit edits[] = {
	{ "tiny", T("scoreline model"), T("scoreline-model"), BAD, "format" },
	{ "tiny", T("\xa6" "format"), T("\xa6" "formaT"), BAD, "is missing" },
	{ "tiny", T("\xa8" "requires\x90"), T("\xa8" "requires\x91\xa7" "oblique"), NOT_KNOWN, "'oblique'" },
	{ "tiny", T("\xa8" "requires\x90"), T("\xa8" "requires\x91\x01"), BAD, "list of names" },
	{ "tiny", T("\xa8" "requires\x90"), T("\xa8" "requires\x92\xaa" "link_slope\xaa" "link_slope"), BAD, "twice" },
	{ "tiny", T("\xa4" "none"), T("\xa5" "scale"), BAD, "numeric contract" },
	{ "tiny", T("\xa8" "requires\x90"), T("\xa8" "requires\xc0"), BAD, "expected an array, found nil" },
	{ "tiny", T("\xa8" "requires"), T("\xa8" "required"), BAD, "is missing" },
	{ "tiny", T("\xa4" "kind"), T("\xa4" "link"), BAD, "is missing" },
	{ "tiny", T("\xa6" "counts"), T("\xa4" "kind"), BAD, "is there twice" },
	{ "tiny", T("\xa5" "trees\xa8" "features"), T("\xa5" "shrub\xa8" "features"), NOT_KNOWN, "'shrub'" },
	{ "tiny", T("\xa5" "trees\xa8" "features"), T("\xa6" "linear\xa8" "features"), BAD, NULL },
	{ "tiny", T("\xa5" "trees\xa8" "features"), T("\xa0\xa8" "features"), NOT_KNOWN, NULL },
	{ "tiny", T("\xa7" "numeric"), T("\xa7" "numbers"), NOT_KNOWN, "'numbers'" },
	{ "tiny", T("\xa7" "sigmoid"), T("\xa7" "sigmoit"), NOT_KNOWN, "'sigmoit'" },
	{ "tiny", T("\xa7" "sigmoid"), T("\xac" "softmax_pair"), BAD, NULL },
	{ "tiny", T("\xa3" "f32\xa3" "sum"), T("\xa3" "f16\xa3" "sum"), NOT_KNOWN, "'f16'" },
	{ "tiny", T("\xa5" "first"), T("\xa5" "fifth"), NOT_KNOWN, "'fifth'" },
	{ "tiny", T("\xa4" "none"), T("\xa4" "mode"), NOT_KNOWN, "'mode'" },
	{ "tiny", T("\xab" "nonnegative"), T("\xab" "nonpositive"), NOT_KNOWN, "'nonpositive'" },
	{ "tiny", T("\xa8" "preorder"), T("\xa8" "preodder"), NOT_KNOWN, "'preodder'" },
	{ "tiny", T("\xab" "predictions\x01"), T("\xab" "predictions\x02"), BAD, "predictions" },
	{ "tiny", T("\xa7" "outputs\x01"), T("\xa7" "outputs\x02"), BAD, NULL },
	{ "tiny", T("\xa7" "outputs\x01"), T("\xa7" "outputs\xd0\x01"), SCORE_OK, NULL }, /* signed, and not negative */
	{ "tiny", T("\xa7" "outputs\x01"), T("\xa7" "outputs\xd3\0\0\0\0\0\0\0\x01"), SCORE_OK, NULL },
	{ "tiny", T("\xa7" "outputs\x01"), T("\xa7" "outputs\xd0\xff"), BAD, "a negative number" },
	{ "tiny", T("\xa7" "outputs\x01"), T("\xa7" "outputs\xd3\xff\0\0\0\0\0\0\0"), BAD, "a negative number" },
	{ "tiny", T("\xa7" "outputs\x01"), T("\xa7" "outputs\xce\x7f\xff\xff\xff"), BAD, NULL },
	{ "tiny", T("\xa7" "outputs\x01"), T("\xa7" "outputs\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), BAD, "larger" },
	{ "tiny", T("\xa7" "outputs\x01"), T("\xa7" "outputs\xff"), BAD, "a negative number" },
	{ "tiny", T("\xa5" "trees\x01"), T("\xa5" "trees\x02"), BAD, "splits + trees" },
	{ "tiny", T("\xa6" "splits\x01"), T("\xa6" "splits\x02"), BAD, "splits + trees" },
	{ "tiny", T("\xa6" "leaves\x02"), T("\xa6" "leaves\xce\x7f\xff\xff\xff"), BAD, "splits + trees" },
	{ "tiny", T("\xa6" "splits\x01\xa6" "leaves\x02"), T("\xa6" "splits\x02\xa6" "leaves\x03"), BAD, "section" },
	{ "tiny", T("\xaa" "leaf_width\x01"), T("\xaa" "leaf_width\x02"), BAD, "leaves" },
	{ "tiny", T("\xaa" "leaf_width\x01"), T("\xaa" "leaf_width\xce\x7f\xff\xff\xff"), BAD, "leaves" },
	{ "tiny", T("\xa5" "tests\x01"), T("\xa5" "tests\x02"), BAD, "tests" },
	{ "tiny", T("\xa9" "set_tests"), T("\xa9" "set_texts"), BAD, "is missing" },
	{ "tiny", T("\xa9" "set_tests"), T("\xa9" "set_tests\x01\xa1" "x"), BAD, NULL },
	{ "tiny", T("\xa4" "sets"), T("\xa4" "sets\x01\xa1" "x"), BAD, NULL },
	{ "tiny", T("\xab" "golden_rows\x10"), T("\xab" "golden_rows\x11"), BAD, "golden_rows" },
	{ "tiny", T("\xb3" "trees_per_iteration\x01"), T("\xb3" "trees_per_iteration\x02"), BAD, NULL },
	{ "tiny", T("\xb3" "trees_per_iteration\x01"), T("\xb3" "trees_per_iteration\0"), BAD, NULL },
	{ "tiny", T("\xb3" "linear_skip_missing\xc2"), T("\xb3" "linear_skip_missing\0"), BAD, "a truth value" },
	{ "tiny", T("\xa4" "name\xa2" "f1"), T("\xa4" "name\xa2" "f2"), BAD, "two features are named 'f2'" },
	{ "tiny", T("\xa4" "name\xa2" "f1"), T("\xa4" "name\xa0"), BAD, "name" },
	{ "tiny", T("\xa4" "name\xa2" "f1"), T("\xa4" "name\xa2" "\0" "1"), BAD, "zero byte" },
	{ "tiny", T("\xa4" "name\xa2" "f1"), T("\xa4" "name\xc4\x02" "f1"), BAD, "expected text, found bytes" },
	{ "tiny", T("\xa4" "cuts\xa4" "type\xa3" "f32"), T("\xa4" "cuts\xa4" "type\xa3" "u32"), BAD, "expected 1 floats" },
	{ "tiny", T("\xa4" "cuts\xa4" "type\xa3" "f32"), T("\xa4" "cuts\xa4" "type\xa3" "f64"), BAD, "fit together" },
	{ "tiny", T("\xa4" "cuts\xa4" "type\xa3" "f32"), T("\xa4" "cuts\xa4" "type\xa3" "f3x"), BAD, "none of f32" },
	{ "tiny", T("\xa4" "cuts\xa4" "type\xa3" "f32"), T("\xa4" "cuts\xa4" "type\xa1" "f"), BAD, "none of f32" },
	{ "tiny", T("\xa4" "cuts\xa4" "type\xa3" "f32"), T("\xa4" "cuts\xa4" "type\xa3" "u33"), BAD, "none of f32" },
	{ "tiny", T("\xa4" "cuts\xa4" "type\xa3" "f32"), T("\xa4" "cuts\xa4" "type\xa2" "u0"), BAD, "none of f32" },
	{ "tiny", T("\xa4" "cuts\xa4" "type"), T("\xa4" "cups\xa4" "type"), BAD, "cuts" },
	{ "tiny", T("\xa6" "leaves\xa4" "type"), T("\xa4" "cuts\xa4" "type"), BAD, "twice" },
	{ "tiny", T("\xa6" "offset\0"), T("\xa6" "offset\x40"), BAD, "multiple of 64" },
	{ "tiny", T("\xa6" "offset\0"), T("\xa6" "offset\xce\x7f\xff\xff\xff"), BAD, "larger" },
	{ "tiny", T("\xa6" "offset\x40"), T("\xa6" "offset\0"), BAD, "multiple of 64" },
	{ "tiny", T("\xa5" "bytes\x04"), T("\xa5" "bytes\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), BAD, "larger" },
	{ "tiny", T("\xa5" "bytes\x04"), T("\xa5" "bytes\x05"), BAD, "fit together" },
	{ "tiny", T("\xa4" "cuts\xa4" "type\xa3" "f32\xa5" "count\x01"),
		T("\xa4" "cuts\xa4" "type\xa3" "f32\xa5" "count\0"), BAD, "fit together" },
	{ "tiny", T("\xa4" "cuts\xa4" "type\xa3" "f32\xa5" "count\x01"),
		T("\xa4" "cuts\xa4" "type\xa3" "f32\xa5" "count\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), BAD, "fit together" },
	{ "tiny", T("\xa4" "cuts\xa4" "type\xa3" "f32"), T("\xa4" "cuts\xa4" "type\xa4" "f032"), BAD, "none of f32" },
	{ "tiny", T("\xa4" "cuts\xa4" "type\xa3" "f32"), T("\xa4" "cuts\xa4" "type\xa3" "x32"), BAD, "none of f32" },
	{ "tiny", T("\xa8" "topology\xa4" "type\xa2" "u1\xa5" "count\x03"),
		T("\xa8" "topology\xa4" "type\xa2" "u1\xa5" "count\x02"), BAD, "topology" },
	{ "tiny", T("\xa8" "topology\xa4" "type\xa2" "u1\xa5" "count\x03"),
		T("\xa8" "topology\xa4" "type\xa2" "u1\xa5" "count\x04"), BAD, "topology" },
	{ "tiny", T("\xa8" "features\x95"), T("\xa8" "features\x96\x01"), BAD, "expected one map per feature" },
	{ "tiny", T("\xa8" "topology\xa4" "type\xa2" "u1"), T("\xa8" "topology\xa4" "type\xa2" "u2"), BAD, "topology" },
	{ "xgboost-categories", T("\xaa" "set_firsts"), T("\xaa" "set_fields"), BAD, "set_firsts" },
	{ "xgboost-categories", T("\xab" "nonnegative"), T("\xa8" "truncate"), SCORE_OK, NULL },
	{ "lightgbm", T("\xa8" "leaf_ids\xa4" "type"), T("\xa8" "leaf_xxx\xa4" "type"), BAD, "leaf_ids" },
	{ "lightgbm", T("\xb0" "leaf_id_explicit"), T("\xa1" "x"), BAD, "leaf_ids" },
	{ "lightgbm", T("\xa3" "sum\xa3" "f64"), T("\xa3" "sum\xa3" "f32"), BAD, "leaf value" },
	{ "linear", T("\xa3" "sum\xa3" "f64"), T("\xa3" "sum\xa3" "f32"), BAD, "weight" },
	{ "lightgbm", T("\xa7" "compare\xa3" "f64"), T("\xa7" "compare\xa3" "f32"), BAD, "no float value" },
	{ "tiny", T("\xa4" "cuts\x01\xa5" "tests"), T("\xa4" "cuts\x02\xa5" "tests"), BAD, "sum of the features" },
	{ "tiny", T("\xa4" "cuts\0\x83"), T("\xa4" "cuts\xce\x7f\xff\xff\xff\x83"), BAD, "more cuts" },
	{ "dictionaries", T("\xaa" "dictionary\x83"), T("\xaa" "dictionary\x01\xa1" "x\x83"), BAD, NULL },
	{ "dictionaries", T("\xaa" "dictionary\x83"), T("\xaa" "dictionary\xc0\xa1" "x\x83"), BAD, NULL },
	{ "dictionaries", T("\xa6" "labels\x03"), T("\xa6" "labels\x04"), BAD, "label_sizes" },
	{ "dictionaries", T("\xa6" "labels\0"), T("\xa6" "labels\xce\x7f\xff\xff\xff"), BAD, "more labels" },
	{ "dictionaries", T("\xa6" "labels\x03"), T("\xa6" "labelz\x03"), BAD, "is missing" },
	{ "dictionaries", T("\xa7" "numbers\xc2"), T("\xa7" "numbers\x01"), BAD, "a truth value" },
	{ "dictionaries", T("\xa7" "unknown"), T("\xa7" "unknowm"), BAD, "unknown" },
	{ "dictionaries", T("\xaa" "dictionary\x83\xa6" "labels\0\xa7" "unknown\xcb\xbf\xf0\0\0\0\0\0\0\xa7" "numbers\xc2"),
		T("\xaa" "dictionary\x01"), BAD, "expected a map" },
	{ "dictionaries", T("\xaa" "label_text\xa4" "type\xa2" "u8\xa5" "count\x13"),
		T("\xaa" "label_text\xa4" "type\xa2" "u4\xa5" "count\x26"), BAD, "section label_text: expected type u8, found 4 bits" },
	{ "dictionaries", T("\xa7" "unknown\xcb\xbf\xf0"), T("\xa7" "unknown\xcb\xff\xf0"), BAD, "-inf" },
	{ "dictionaries", T("\xab" "label_sizes"), T("\xab" "label_sixes"), BAD, "label_sizes" },
	{ "dictionaries", T("\xab" "label_codes"), T("\xab" "label_modes"), BAD, "label_codes" },
	{ "dictionaries", T("\xaa" "label_text"), T("\xaa" "label_test"), BAD, "label_sizes" },
	{ "dictionaries", T("\xaa" "label_text\xa4" "type\xa2" "u8"), T("\xaa" "label_text\xa4" "type\xa2" "u7"), BAD, NULL },
	{ "tiny", T("\xa8" "sections\x99"), T("\xa8" "sections\x9a\x01"), BAD, "one map per section" },
	{ "tiny", T("\xa8" "sections\x99"), T("\xa8" "sections\xc0\xa1" "x\x99"), BAD, NULL },
	{ "tiny", T("\xaa" "leaf_width\x01"), T("\xaa" "leaf_width\xd1\xff\x01"), BAD, "a negative number" },
	{ "tiny", T("\xa9" "parameter\xcb"), T("\xa9" "parameter\xca\0\0\0\0\xa1" "x\xcb"), BAD, NULL },
	{ "linear", T("\xae" "linear_weights"), T("\xa1" "x"), BAD, "linear_weights" },
	{ "derived", T("\xaf" "derived_columns"), T("\xaf" "derived_columnz"), SCORE_ERR_UNSUPPORTED, "derived_columnz" },
	{ "derived", T("\x91\xaf" "derived_columns"), T("\x92\xaf" "derived_columns\x01"), BAD, "list of names" },
	{ "derived", T("\x91\xaf" "derived_columns"), T("\x90"), BAD, "cuts" },
	{ "derived", T("\xa7" "derived\x87"), T("\xa7" "derivex\x87"), BAD, "derived" },
	{ "derived", T("\xa7" "columns\x28"), T("\xa7" "columns\x29"), BAD, "derived_cuts" },
	{ "derived", T("\xa7" "columns\x28"), T("\xa7" "columns\0"), BAD, "is 0, or more" },
	{ "derived", T("\xa7" "columns\x28"), T("\xa7" "columns\xce\x7f\xff\xff\xff"), BAD, "more than this file" },
	{ "derived", T("\xa5" "lists"), T("\xa5" "lisps"), BAD, "lists" },
	{ "derived", T("\xac" "linear_first\0"), T("\xac" "linear_first\x01"), BAD, "a sum from column 1" },
	{ "derived-linear", T("\xac" "linear_first\x03"), T("\xac" "linear_first\x2d"), BAD, "a sum from column 45" },
	{ "derived-linear", T("\xac" "linear_first\x03"), T("\xac" "linear_first\x04"), BAD, "linear_weights" },
	{ "derived", T("\xa9" "step_keys"), T("\xa1" "x"), BAD, "step_keys" },
	{ "derived", T("\xac" "table_values\xa4" "type\xa3" "f64"), T("\xac" "table_values\xa4" "type\xa3" "u64"), BAD,
		"table_values" },
	{ "covers", T("\xab" "leaf_covers"), T("\xab" "leaf_lovers"), SCORE_OK, NULL },
	{ "odd-covers", T("\xac" "split_covers"), T("\xac" "split_lovers"), SCORE_OK, NULL },
	{ "odd-covers", T("\xab" "leaf_covers\xa4" "type\xa3" "f64\xa5" "count\x28"),
		T("\xab" "leaf_covers\xa4" "type\xa3" "f32\xa5" "count\x50"), BAD, "leaf_covers" },
	{ "odd-covers", T("\xac" "split_covers\xa4" "type\xa3" "f64\xa5" "count\x24"),
		T("\xac" "split_covers\xa4" "type\xa3" "f32\xa5" "count\x48"), BAD, "split_covers" },
	{ "odd-covers", T("\xab" "leaf_covers\xa4" "type\xa3" "f64\xa5" "count\x28"),
		T("\xab" "leaf_covers\xa4" "type\xa3" "u32\xa5" "count\x50"), BAD, "leaf_covers" },
	{ "odd-covers", T("\xab" "leaf_covers"), T("\xab" "leaf_lovers"), BAD, "only splits have covers" },
	{ "covers", T("\xab" "golden_rows\xa4" "type"), T("\xab" "leaf_covers\xa4" "type"), BAD, "twice" },
	{ "tiny", T("\xa5" "owner"), T("\xa5" "zzzzz"), BAD, "ascending" },
	{ "tiny", T("\xa5" "owner"), T("\xa4" "name"), BAD, "ascending" },
	{ "tiny", T("\xa5" "owner"), T("\xc0"), BAD, "expected text" },
	{ "linear-leaves", T("\x91\xad" "linear_leaves"), T("\x90"), BAD, "leaf_constants" },
	{ "tiny", T("\xa5" "owner\xab"), T("\xa5" "owner\xc4\x0b"), BAD, "expected text" },
};

static void every_check_of_the_header_works(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
		const edit *e = edits + i;
		file good = sample_file(e->sample);
		file bad = slm_replace(&good, e->what, e->what_n, e->with, e->with_n);
		score_error error;
		const score_status status = slm_try_read(bad.data, bad.size, &error);
		score_model *model = NULL;
		assert_int_equal(score_model_open_memory(bad.data, bad.size, NULL, &model, NULL), status);
		assert_true((model != NULL) == (status == SCORE_OK));
		score_model_free(model);
		if (status != e->expected || (e->words != NULL && strstr(error.message, e->words) == NULL))
			fail_msg("edit %u ('%s' to '%s'): expected %s with '%s', got %s: %s", (unsigned)i, e->what, e->with,
				score_status_name(e->expected), e->words ? e->words : "", score_status_name(status), error.message);
		slm_free(&bad);
		slm_free(&good);
	}
}

typedef struct content_edit {
	const char *sample;
	int section;
	size_t byte;
	uint8_t value;
	const char *words;
} content_edit;

static const content_edit content_edits[] = {
	{ "tiny", SLM_TOPOLOGY, 0, 0x07, "topology" }, /* the tree never ends       */
	{ "tiny", SLM_TOPOLOGY, 0, 0x00, "topology" }, /* three trees instead of one */
	{ "xgboost", SLM_TOPOLOGY, 0, 0xfe, "topology" },
	{ "xgboost", SLM_CUT_TESTS, 0, 0xff, "tests" },
	{ "xgboost", SLM_LEAVES, 3, 0x7f, NULL }, /* only another number */
	{ "xgboost", SLM_CUTS, 3, 0x7f, "out of order" },
	{ "xgboost-categories", SLM_SET_SIZES, 0, 0xff, "set_sizes" },
	{ "xgboost-categories", SLM_SET_TEST_FEATURES, 0, 0xff, "set_test_features" },
	{ "xgboost-categories", SLM_SET_TEST_SETS, 0, 0xff, "" },
	{ "xgboost-classes", SLM_TREE_OUTPUTS, 0, 0xff, "out of range" },
	{ "lightgbm", SLM_LEAF_ID_EXPLICIT, 0, 0x00, "leaf_ids" },
	{ "derived", SLM_DERIVED_CUTS, 0, 0xff, "do not add up" },
	{ "derived", SLM_DERIVED_ROOTS, 0, 0xff, "unknown root" },
	{ "derived", SLM_DERIVED_SOURCES, 0, 0xff, "takes" },
	{ "derived", SLM_DERIVED_STEPS, 0, 0xff, "do not add up" },
	{ "derived", SLM_DERIVED_LEAST, 3, 0xbf, "does not fit" },
	{ "derived", SLM_STEP_OPERATIONS, 0, 0xff, "operation" },
	{ "derived", SLM_STEP_A, 3, 0x7f, NULL },
	{ "derived", SLM_LIST_SIZES, 0, 0xff, "list_sizes does not add up" },
	{ "derived", SLM_LIST_MEMBERS, 0, 0xff, "not plain or comes later" },
	{ "derived", SLM_TABLE_SIZES, 0, 0x01, "table_sizes does not add up" },
	{ "derived", SLM_HASH_SIZES, 0, 0x01, "hash_sizes does not add up" },
	{ "derived", SLM_HASH_HIGH, 3, 0xff, "not ascending" },
	{ "odd-covers", SLM_LEAF_COVERS, 7, 0xff, "cover of leaf 0" }, /* below zero */
	{ "odd-covers", SLM_SPLIT_COVERS, 15, 0xff, "cover of split 1" },
	{ "covers", SLM_LEAF_COVERS, 1, 0x55, NULL }, /* only another number */
	{ "dictionaries", SLM_LABEL_SIZES, 0, 0xff, "label_sizes" },
	{ "dictionaries", SLM_LABEL_SIZES, 0, 0x2a, "1 bytes belong to no label" },
	{ "dictionaries", SLM_LABEL_SIZES, 0, 0x01, "twice" },
	{ "dictionaries", SLM_LABEL_TEXT, 0, 0x00, "zero byte" },
	{ "dictionaries", SLM_LABEL_TEXT, 0, 0xff, "not UTF-8" },
	{ "dictionaries", SLM_LABEL_TEXT, 0, 'u', NULL }, /* only another label */
	{ "dictionaries", SLM_LABEL_CODES, 7, 0x7f, NULL }, /* only another code */
	{ "linear-leaves", SLM_LEAF_TERMS, 0, 0xff, "leaf_terms" },
	{ "linear-leaves", SLM_TERM_FEATURES, 0, 0xff, "term " },
};

static slm_table table_of(const file *f)
{
	sl_arena arena;
	forest scratch = { .kind = 0 };
	slm_table table;
	const size_t n = slm_header_size(f);
	memset(&table, 0, sizeof table);
	sl_arena_init(&arena, NULL, 0);
	assert_int_equal(slm_header_read(f->data + 32, n, f->size - 16 - sl_round_up(32 + n, 64), &arena, &scratch, &table,
		NULL), SCORE_OK);
	sl_arena_free(&arena);
	return table;
}

static void contents_of_sections_are_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof content_edits / sizeof content_edits[0]; i++) {
		const content_edit *e = content_edits + i;
		file f = sample_file(e->sample);
		const slm_table table = table_of(&f);
		assert_true(table.sections[e->section].present);
		assert_true(table.sections[e->section].offset % 64 == 0);
		f.data[sl_round_up(32 + slm_header_size(&f), 64) + table.sections[e->section].offset + e->byte] = e->value;
		slm_rehash(&f);
		expect(&f, e->words != NULL ? SCORE_ERR_CORRUPT : SCORE_OK, e->words);
		slm_free(&f);
	}
}

/* One byte of a section whose type was made wider first, for values that its own type could not hold. */
static void expect_wide(const char *name, const char *what, size_t n, const char *with, int section, uint8_t value,
	const char *words)
{
	file good = sample_file(name);
	file f = slm_replace(&good, what, n, with, n);
	const slm_table table = table_of(&f);
	f.data[sl_round_up(32 + slm_header_size(&f), 64) + table.sections[section].offset] = value;
	slm_rehash(&f);
	expect(&f, SCORE_ERR_CORRUPT, words);
	slm_free(&f);
	slm_free(&good);
}

static void values_beyond_the_usual_type_are_checked(void **state)
{
	(void)state;
	expect_wide("tiny", T("\xa9" "cut_tests\xa4" "type\xa2" "u3"),
		"\xa9" "cut_tests\xa4" "type\xa2" "u8", SLM_CUT_TESTS, 16,
		"up to 15");
	expect_wide("one-set", T("\xae" "set_test_flags\xa4" "type\xa2" "u2"), "\xae" "set_test_flags\xa4" "type\xa2" "u8",
		SLM_SET_TEST_FLAGS, 4, "up to 3");
}

static void categories_stay_within_32_bits(void **state)
{
	(void)state;
	const score_allocator standard = sl_allocator(NULL);
	static const uint32_t members[] = { 0xfffffff0u, 0xfffffffeu };
	static const uint32_t first[] = { 0, 2 };
	sl_arena arena;
	void *data;
	size_t size;
	sl_arena_init(&arena, &standard, 0);
	forest *f = sample_make(sample_find("one-set"), &arena);
	f->set_members = (forest_numbers){ members, sizeof *members };
	f->n_set_members = 2;
	f->set_first = (forest_numbers){ first, sizeof *first };
	assert_int_equal(slm_write(f, NULL, &standard, &data, &size, NULL), SCORE_OK);
	file out = slm_copy(data, size);
	expect(&out, SCORE_OK, NULL);
	const slm_table table = table_of(&out);
	out.data[sl_round_up(32 + slm_header_size(&out), 64) + table.sections[SLM_SET_GAPS].offset] = 15;
	slm_rehash(&out);
	expect(&out, SCORE_ERR_CORRUPT, "exceeds 32 bits");
	slm_free(&out);
	slm_free_bytes(&standard, data, size);
	sl_arena_free(&arena);
}

/* A section of 2^31 terms, which takes 256 MB of bits: of zeros that nobody wrote, so that the system has one page for all of them. It
 * is refused before anybody asks for what its numbers would take. */
static void terms_stay_within_31_bits(void **state)
{
	(void)state;
	file good = sample_file("linear-leaves");
	file renamed = slm_replace(&good, T("\xad" "term_features"), T("\xa1" "x"));
	file f = slm_replace(&renamed, T("\xb1" "term_coefficients\xa4" "type\xa3" "f64\xa5" "count\x1b\xa6" "offset\xcd\x08\x80\xa5"
		"bytes\xcc\xd8"),
		T("\xad" "term_features\xa4" "type\xa2" "u1\xa5" "count\xce\x80\0\0\0\xa6" "offset\xcd\x08\x80\xa5"
		"bytes\xce\x10\0\0\0"));
	const size_t sections = sl_round_up(32 + slm_header_size(&f), 64), size = sections + 0x880 + ((size_t)1 << 28) + 16;
	uint8_t *bytes = calloc(1, size);
	assert_non_null(bytes);
	memcpy(bytes, f.data, sections + 0x880);
	slm_put_u64(bytes + 16, size);
	XXH128_canonical_t hash;
	XXH128_canonicalFromHash(&hash, XXH3_128bits(bytes, size - 16));
	memcpy(bytes + size - 16, hash.digest, 16);
	metered_memory memory = { SIZE_MAX, 0, 0 };
	const score_allocator metered = metered_allocator(&memory);
	score_error error;
	uint8_t read_hash[16];
	sl_arena arena;
	forest *read;
	sl_arena_init(&arena, &metered, 0);
	assert_int_equal(slm_read(bytes, size, &arena, &read, read_hash, &error), SCORE_ERR_CORRUPT);
	assert_null(read);
	assert_string_equal(error.message, "section term_features has more than 2^31 - 1 terms");
	assert_true(memory.most < 1 << 20);
	sl_arena_free(&arena);
	free(bytes);
	slm_free(&f);
	slm_free(&renamed);
	slm_free(&good);
}

static void nothing_may_stand_between_the_sections_and_the_hash(void **state)
{
	(void)state;
	file f = sample_file("tiny");
	f.size += 64;
	uint8_t *longer = calloc(1, f.size + 1);
	assert_non_null(longer);
	memcpy(longer, f.data, f.size - 64 - 16);
	free(f.data);
	f.data = longer;
	slm_put_u64(f.data + 16, f.size);
	slm_rehash(&f);
	expect(&f, SCORE_ERR_CORRUPT, "where the hash begins");
	slm_free(&f);
}

static void unknown_things_are_ignored(void **state)
{
	(void)state;
	static const edit more[] = {
		{ "tiny", T("\x8b\xa6" "format"),
			T("\x8c\xa3" "new\x93\x01\xc0\x81\x01\xc7\x01\x05z\xa6" "format"), SCORE_OK, NULL },
		{ "tiny", T("\x83\xa4" "name\xa2" "f1"),
			T("\x84\xa2" "hi\xcb\0\0\0\0\0\0\0\0\xa4" "name\xa2" "f1"), SCORE_OK, NULL },
	};
	for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
		file good = sample_file("tiny");
		file f = slm_replace(&good, more[i].what, more[i].what_n, more[i].with, more[i].with_n);
		expect(&f, SCORE_OK, NULL);
		slm_free(&f);
		slm_free(&good);
	}
}

/* ---- hostile headers ------------------------------------------------------------------------------------- */

static void expect_header(const uint8_t *header, size_t n, score_status expected, const char *words)
{
	file good = sample_file("tiny");
	file f = slm_with_header(&good, header, n);
	expect(&f, expected, words);
	slm_free(&f);
	slm_free(&good);
}

static void hostile_headers_ask_for_nothing(void **state)
{
	(void)state;
	static const uint8_t huge_array[] = { 0xdd, 0xff, 0xff, 0xff, 0xff, 1 };
	static const uint8_t huge_map[] = { 0xdf, 0xff, 0xff, 0xff, 0xff, 1 };
	static const uint8_t huge_text[] = { 0xdb, 0xff, 0xff, 0xff, 0xff, 'a' };
	static const uint8_t huge_ext[] = { 0xc9, 0xff, 0xff, 0xff, 0xff, 'a' };
	static const uint8_t two[] = { 0x80, 0x80 };
	static const uint8_t number[] = { 1 };
	static const uint8_t reserved[] = { 0xc1 };
	uint8_t *deep = malloc(100000);
	assert_non_null(deep);
	expect_header(huge_array, sizeof huge_array, SCORE_ERR_CORRUPT, "not msgpack");
	expect_header(huge_map, sizeof huge_map, SCORE_ERR_CORRUPT, "not msgpack");
	expect_header(huge_text, sizeof huge_text, SCORE_ERR_CORRUPT, "ends inside");
	expect_header(huge_ext, sizeof huge_ext, SCORE_ERR_CORRUPT, NULL);
	expect_header(two, sizeof two, SCORE_ERR_CORRUPT, "more bytes");
	expect_header(number, sizeof number, SCORE_ERR_CORRUPT, "not a map");
	expect_header(reserved, sizeof reserved, SCORE_ERR_CORRUPT, "not msgpack");
	expect_header(number, 0, SCORE_ERR_CORRUPT, "ends inside");
	memset(deep, 0x91, 100000);
	expect_header(deep, 100000, SCORE_ERR_CORRUPT, "32 levels");
	memset(deep, 0x81, 100000);
	expect_header(deep, 100000, SCORE_ERR_CORRUPT, "32 levels");
	/* Every container promises as much as the bytes before it left. */
	for (size_t i = 0; i + 5 <= 100000; i += 5)
		memcpy(deep + i, "\xdd\0\0\x80\0", 5);
	expect_header(deep, 100000, SCORE_ERR_CORRUPT, NULL);
	free(deep);
}

static void sizes_in_the_prelude_are_checked(void **state)
{
	(void)state;
	const uint64_t sizes[] = { 0, 1, UINT64_MAX, (uint64_t)1 << 63, SLM_MAX_HEADER_BYTES + 1 };
	file f = sample_file("tiny");
	const uint64_t header = slm_header_size(&f);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		slm_put_u64(f.data + 16, sizes[i]);
		expect(&f, SCORE_ERR_CORRUPT, "the file says that it has");
		slm_put_u64(f.data + 16, f.size);
		slm_put_u64(f.data + 24, sizes[i]);
		slm_rehash(&f);
		expect(&f, SCORE_ERR_CORRUPT, NULL);
		slm_put_u64(f.data + 24, header);
	}
	for (uint64_t n = f.size - 120; n < f.size + 2; n++) {
		slm_put_u64(f.data + 24, n);
		slm_rehash(&f);
		expect(&f, SCORE_ERR_CORRUPT, NULL);
	}
	slm_free(&f);
}

int main(void)
{
	stride = quick_run() ? 7 : 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_changed_byte_is_refused),
		cmocka_unit_test(changed_bytes_with_a_right_hash_do_no_harm),
		cmocka_unit_test(other_files_are_refused),
		cmocka_unit_test(versions_decide),
		cmocka_unit_test(every_check_of_the_header_works),
		cmocka_unit_test(contents_of_sections_are_checked),
		cmocka_unit_test(values_beyond_the_usual_type_are_checked),
		cmocka_unit_test(categories_stay_within_32_bits),
		cmocka_unit_test(terms_stay_within_31_bits),
		cmocka_unit_test(nothing_may_stand_between_the_sections_and_the_hash),
		cmocka_unit_test(unknown_things_are_ignored),
		cmocka_unit_test(hostile_headers_ask_for_nothing),
		cmocka_unit_test(sizes_in_the_prelude_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
