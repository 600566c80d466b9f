/*
 * CatBoost's hash of a category. Expected values: what CatBoost 1.2.10 wrote into the JSON of models with one category feature,
 * one for each way in which CityHash64 treats a length.
 */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char text[] = "The quick brown fox jumps over the lazy dog; The quick brown fox jumps over the lazy dog; "
	"The quick brown fox jumps over the lazy dog; The quick brown fox jumps over the lazy dog; "
	"The quick brown fox jumps over the lazy dog; The quick brown fox jumps over the lazy dog; ";

static void hashes_as_catboost(void **state)
{
	static const struct {
		size_t length;
		uint32_t hash;
	} known[] = {{0, 0x2f90404f}, {4, 0xb5e60df9}, {7, 0xeb7817a9}, {8, 0xda68de3f}, {16, 0xdbd9f32c}, {17, 0x8cbd256f}, {32, 0x29f893bb},
		{33, 0x8578d60b}, {40, 0x32d9fb75}, {48, 0x244f2b5f}, {63, 0xffdd8396}, {64, 0x20a1c6e8}, {65, 0x5b9fcac4},
		{100, 0x4a5bd9c6}, {127, 0xd10e6375}, {128, 0x60590549}, {129, 0x48dca7f3}, {192, 0xa4a69838}, {193, 0xa7545381},
		{250, 0xfeebc97a}};
	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		assert_int_equal(sl_category_hash(text, known[i].length), known[i].hash);
}

static void hashes_integers_as_text(void **state)
{
	(void)state;
	assert_int_equal(sl_category_hash_integer(0, false), sl_category_hash("0", 1));
	assert_int_equal(sl_category_hash_integer(12, true), sl_category_hash("-12", 3));
	assert_int_equal(sl_category_hash_integer(UINT64_MAX, false), sl_category_hash("18446744073709551615", 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_as_catboost),
		cmocka_unit_test(hashes_integers_as_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
