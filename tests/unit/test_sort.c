/* sl_sort() against the order that counting gives: sizes around the switch to insertion, orders that harm a quicksort, elements
 * of odd sizes, and comparisons bounded by n log n. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"

static unsigned long n_compared;

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = sl_load_u32(a), y = sl_load_u32(b);
	n_compared++;
	return x < y ? -1 : x > y;
}

typedef uint32_t (*order)(uint32_t i, uint32_t n);

static uint32_t ascending(uint32_t i, uint32_t n) { (void)n; return i; }
static uint32_t descending(uint32_t i, uint32_t n) { return n - i; }
static uint32_t equal(uint32_t i, uint32_t n) { (void)i, (void)n; return 7; }
static uint32_t organ_pipe(uint32_t i, uint32_t n) { return i < n / 2 ? i : n - i; }
static uint32_t saw(uint32_t i, uint32_t n) { (void)n; return i % 17; }
static uint32_t hashed(uint32_t i, uint32_t n) { (void)n; return (i + 1) * 2654435761u; }
/* Halves that a median of three takes for its smallest values. */
static uint32_t killer(uint32_t i, uint32_t n) { return i < n / 2 ? (i & 1 ? i : n / 2 + i) : 2 * (i - n / 2); }

static const order orders[] = {ascending, descending, equal, organ_pipe, saw, hashed, killer};

static void try_order(order o, uint32_t n, size_t size)
{
	char *data = malloc(n * size + 1);
	uint64_t sum = 0, sorted_sum = 0;
	assert_non_null(data);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t v = o(i, n);
		memset(data + i * size, (int)(v & 0xff), size);
		memcpy(data + i * size, &v, sizeof v);
		sum += (uint64_t)v * v;
	}
	n_compared = 0;
	sl_sort(data, n, size, compare_u32);
	unsigned long bound = 64;
	for (uint32_t k = n; k > 0; k /= 2)
		bound += 8ul * n;
	assert_true(n_compared <= bound);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t v = sl_load_u32(data + i * size);
		assert_true(i == 0 || sl_load_u32(data + (i - 1) * size) <= v);
		for (size_t k = sizeof v; k < size; k++)
			assert_int_equal((uint8_t)data[i * size + k], v & 0xff);
		sorted_sum += (uint64_t)v * v;
	}
	assert_true(sum == sorted_sum);
	free(data);
}

static void sorts_every_order(void **state)
{
	static const uint32_t lengths[] = {0, 1, 2, 3, 11, 12, 13, 14, 40, 100, 1000, 30000};
	static const size_t sizes[] = {4, 7, 8, 24, 64, 65, 200};
	(void)state;
	for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++)
		for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
			for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
				try_order(orders[o], lengths[i], sizes[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sorts_every_order)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
