/* What every room relies on: memory that can't be had is refused and not wrapped around, texts and structs are taken as far as they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "expect_error.h"
#include "metered_memory.h"

static void standard_memory(void **state)
{
	const score_allocator standard = sl_allocator(NULL);
	const score_allocator half[] = {{.alloc = metered_alloc}, {.free = metered_free}, {NULL, NULL, NULL}};
	(void)state;
	for (size_t i = 0; i < sizeof half / sizeof half[0]; i++) {
		const score_allocator a = sl_allocator(half + i);
		assert_true(a.alloc == standard.alloc && a.free == standard.free);
	}
	char *aligned = sl_alloc(&standard, 65, 64), *small = sl_alloc(&standard, 3, 8);
	assert_non_null(aligned);
	assert_int_equal((uintptr_t)aligned % 64, 0);
	assert_non_null(small);
	sl_free(&standard, aligned, 65, 64);
	sl_free(&standard, small, 3, 8);
	assert_null(sl_alloc(&standard, 0, 8));
	/* Rounded up to the alignment, this would be a few bytes. */
	volatile size_t most = SIZE_MAX;
	assert_null(sl_alloc(&standard, most - 8, 64));
	sl_free(&standard, NULL, 8, 8);
}

static void arenas(void **state)
{
	metered_memory memory = {.left = SIZE_MAX};
	const score_allocator metered = metered_allocator(&memory);
	sl_arena arena;
	(void)state;
	sl_arena_init(&arena, &metered, 0);
	assert_null(sl_arena_alloc(&arena, SIZE_MAX / 2, 3));
	assert_true(arena.over_limit);
	arena.over_limit = false;
	assert_null(sl_arena_alloc(&arena, SIZE_MAX / 2 + 1, 1));
	assert_true(arena.over_limit);
	assert_null(sl_arena_string(&arena, "x", SIZE_MAX));
	assert_non_null(sl_arena_alloc(&arena, 0, 8));
	assert_non_null(sl_arena_copy(&arena, NULL, 0, 8));
	const char *text = sl_arena_string(&arena, "three", 3);
	assert_string_equal(text, "thr");
	assert_string_equal(sl_arena_string(&arena, NULL, 0), "");
	const uint32_t numbers[] = {1, 2, 3};
	assert_memory_equal(sl_arena_copy(&arena, numbers, 3, sizeof *numbers), numbers, sizeof numbers);
	const char *large = sl_arena_alloc(&arena, 100000, 1);
	assert_int_equal((uintptr_t)large % 64, 0);
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(large[i], 0);
	memory.left = 0;
	assert_null(sl_arena_alloc(&arena, 100000, 1));
	assert_false(arena.over_limit);
	assert_string_equal(text, "thr");
	sl_arena_free(&arena);
	assert_int_equal(memory.held, 0);
	memory.left = SIZE_MAX;
	sl_arena_init(&arena, &metered, 1000);
	assert_null(sl_arena_alloc(&arena, 1000, 1)); /* no room for its head */
	assert_true(arena.over_limit);
	assert_int_equal(arena.used, 0);
	assert_int_equal(memory.held, 0);
}

static void vectors(void **state)
{
	metered_memory memory = {.left = SIZE_MAX};
	const score_allocator metered = metered_allocator(&memory);
	uint64_t numbers[] = {1, 2, 3};
	sl_vector v;
	(void)state;
	sl_vector_init(&v, &metered, sizeof *numbers);
	assert_null(sl_vector_at(&v, 0));
	assert_true(sl_vector_push(&v, numbers, 3));
	assert_null(sl_vector_grow(&v, SIZE_MAX)); /* a sum beyond size_t */
	assert_null(sl_vector_grow(&v, SIZE_MAX / 2 + 2)); /* a capacity beyond it */
	assert_null(sl_vector_grow(&v, SIZE_MAX / 4)); /* bytes beyond it */
	const size_t left = memory.left;
	assert_null(sl_vector_grow(&v, SIZE_MAX / 16)); /* more bytes than an object has, for which the host is not asked */
	assert_int_equal(memory.left, left);
	memory.left = 0;
	assert_false(sl_vector_push(&v, numbers, 20));
	assert_true(sl_vector_push(&v, NULL, 0));
	assert_int_equal(v.length, 3);
	assert_memory_equal(v.data, numbers, sizeof numbers);
	assert_int_equal(*(uint64_t *)sl_vector_at(&v, 2), 3);
	sl_vector_free(&v);
	assert_int_equal(memory.held, 0);
}

static void structs(void **state)
{
	struct {
		size_t struct_size;
		uint64_t a, b;
	} given = {sizeof(size_t) + sizeof(uint64_t), 5, 6}, taken;
	uint64_t newer[5] = {sizeof newer, 5, 6, 0, 0}, large[600] = {sizeof large};
	score_error error;
	(void)state;
	assert_int_equal(sl_take_struct(&taken, sizeof taken, NULL, "thing", &error), SCORE_OK);
	assert_true(taken.struct_size == 0 && taken.a == 0 && taken.b == 0);
	assert_int_equal(sl_take_struct(&taken, sizeof taken, &given, "thing", &error), SCORE_OK);
	assert_true(taken.a == 5 && taken.b == 0);
	assert_int_equal(sl_take_struct(&taken, sizeof taken, newer, "thing", &error), SCORE_OK);
	assert_true(taken.a == 5 && taken.b == 6);
	newer[4] = 1;
	expect_error(sl_take_struct(&taken, sizeof taken, newer, "thing", &error), &error, SCORE_ERR_VERSION,
		"thing has a member set that library version " SCORE_VERSION_STRING " does not know");
	expect_error(sl_take_struct(&taken, sizeof taken, large, "thing", &error), &error, SCORE_ERR_ARGUMENT,
		"thing.struct_size is 4800: set it to sizeof(thing)");
	given.struct_size = sizeof(size_t) - 1;
	expect_error(sl_take_struct(&taken, sizeof taken, &given, "thing", &error), &error, SCORE_ERR_ARGUMENT,
		"thing.struct_size is 7: set it to sizeof(thing)");
}

/* Words for numbers of every range. */
static void names(void **state)
{
	(void)state;
	assert_string_equal(score_status_name(SCORE_OK), "ok");
	assert_string_equal(score_status_name(SCORE_ERR_VERIFY), "verify");
	assert_string_equal(score_status_name(-1), "unknown");
	assert_string_equal(score_status_name(SCORE_ERR_VERIFY + 1), "unknown");
	assert_string_equal(score_isa_name(SCORE_ISA_NEON), "neon");
	assert_string_equal(score_isa_name(-1), "unknown");
	assert_string_equal(score_isa_name(99), "unknown");
	assert_string_equal(score_regime_name(SCORE_REGIME_ROW), "row");
	assert_string_equal(score_regime_name(-1), "unknown");
	assert_string_equal(score_regime_name(99), "unknown");
}

static void quotes(void **state)
{
	char text[60];
	(void)state;
	memset(text, 'x', sizeof text);
	assert_string_equal(sl_quote("a\tb\x7f\xc3", 5).text, "a\\x09b\\x7f\\xc3");
	assert_string_equal(sl_quote("Gr\xc3\xb6\xc3\x9f" "e \xe4\xbe\xa1\xe6\xa0\xbc \xf0\x9f\x8c\xb3", 19).text,
		"Gr\xc3\xb6\xc3\x9f" "e \xe4\xbe\xa1\xe6\xa0\xbc \xf0\x9f\x8c\xb3");
	assert_string_equal(sl_quote("\xc2\x9b\x1b[31m", 7).text, "\\xc2\\x9b\\x1b[31m");                   /* what a terminal obeys */
	assert_string_equal(sl_quote("\xe2\x80\xae\xe2\x81\xa6", 6).text, "\\xe2\\x80\\xae\\xe2\\x81\\xa6"); /* what turns the line */
	assert_string_equal(sl_quote("\xe2\x80\xa8\xef\xbb\xbf", 6).text, "\\xe2\\x80\\xa8\\xef\\xbb\\xbf");
	assert_string_equal(sl_quote("\xe2\x80\xaf\xe2\x81\xa5", 6).text, "\xe2\x80\xaf\xe2\x81\xa5");
	assert_string_equal(sl_quote("\xc3", 1).text, "\\xc3");
	assert_string_equal(sl_quote("\xc3\xb6", 1).text, "\\xc3"); /* nothing beyond the length */
	for (size_t lead = 40; lead < 50; lead++) { /* characters and escapes are kept whole */
		char cut[80];
		memset(cut, 'x', lead);
		memcpy(cut + lead, "\xe4\xbe\xa1\xe6\xa0\xbc", 6);
		const sl_quoted whole = sl_quote(cut, lead + 6);
		assert_int_equal(sl_utf8_prefix(whole.text, strlen(whole.text)), strlen(whole.text));
		assert_string_equal(whole.text + strlen(whole.text) - 3, lead + 6 < sizeof whole.text ? "\xe6\xa0\xbc" : "...");
		memcpy(cut + lead, "\n", 1);
		const sl_quoted escaped = sl_quote(cut, lead + 1);
		assert_string_equal(escaped.text + strlen(escaped.text) - 3, lead + 4 < sizeof escaped.text ? "x0a" : "...");
	}
	assert_int_equal(strlen(sl_quote(text, 47).text), 47);
	assert_string_equal(sl_quote(text, 47).text + 44, "xxx");
	assert_int_equal(strlen(sl_quote(text, 48).text), 47);
	assert_string_equal(sl_quote(text, 48).text + 43, "x...");
	assert_string_equal(sl_quote(text, 0).text, "");
}

/* The first and the last character of every length, and what is none although its bytes look like one. */
static void characters(void **state)
{
	static const char *const good[] = {"\x01", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xe0\xbf\xbf", "\xe1\x80\x80",
		"\xed\x80\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf1\x80\x80\x80", "\xf4\x80\x80\x80",
		"\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xc2", "\xc2\x7f", "\xc2\xc0", "\xe0\x80\x80",
		"\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xe1\x80", "\xe1\x80 ", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
		"\xf1\x80\x80", "\xf4\x90\x80\x80", "\xf4\xbf\xbf\xbf", "\xf5\x80\x80\x80", "\xff"};
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_int_equal(sl_utf8_prefix(good[i], strlen(good[i])), strlen(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char text[8] = "ab";
		memcpy(text + 2, bad[i], strlen(bad[i]));
		assert_int_equal(sl_utf8_prefix(text, 2 + strlen(bad[i])), 2);
	}
}

static bool is_little_endian(void)
{
	const uint16_t one = 1;
	return *(const unsigned char *)&one == 1;
}

static void integers(void **state)
{
	static const struct {
		score_dtype type;
		size_t size;
		int64_t lowest, highest;
	} types[] = {{SCORE_I8, 1, INT8_MIN, INT8_MAX}, {SCORE_U8, 1, 0, UINT8_MAX}, {SCORE_I16, 2, INT16_MIN, INT16_MAX},
		{SCORE_U16, 2, 0, UINT16_MAX}, {SCORE_I32, 4, INT32_MIN, INT32_MAX}, {SCORE_U32, 4, 0, UINT32_MAX},
		{SCORE_I64, 8, INT64_MIN, INT64_MAX}, {SCORE_U64, 8, 0, -1}};
	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		/* Anywhere: a byte behind where the type would lie. */
		unsigned char bytes[24] = {0};
		const size_t size = types[i].size;
		for (size_t k = 0; k < size; k++) {
			const size_t at = 1 + (is_little_endian() ? k : size - 1 - k);
			bytes[at] = (unsigned char)((uint64_t)types[i].lowest >> 8 * k);
			bytes[at + size] = (unsigned char)((uint64_t)types[i].highest >> 8 * k);
		}
		assert_int_equal(sl_integer_at(bytes + 1, types[i].type, 0), types[i].lowest);
		assert_int_equal(sl_integer_at(bytes + 1, types[i].type, 1), types[i].highest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standard_memory),
		cmocka_unit_test(arenas),
		cmocka_unit_test(vectors),
		cmocka_unit_test(structs),
		cmocka_unit_test(names),
		cmocka_unit_test(quotes),
		cmocka_unit_test(characters),
		cmocka_unit_test(integers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
