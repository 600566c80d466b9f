/* Kernels for AVX2. The instruction set is enabled here and nowhere else; engine_isa_available() guards the calls. */
#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,popcnt")
#endif

#include "isa/avx2.h"

#include "kernels_template.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const kernels engine_kernels_avx2 = {
	SCORE_ISA_AVX2, 4, 4, 8192, 4, 6, 0, bin_f32_avx2, bin_f64_avx2, transpose16_avx2, predicates8_avx2,
	predicates16_avx2, select_avx2, gather_bits_avx2, full_tree_avx2, sum_f32_avx2, sum_f64_avx2,
	order_f32_avx2, order_f64_avx2,
};
#endif
