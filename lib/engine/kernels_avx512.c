/*
 * Kernels for AVX-512 with VBMI and GFNI. SL_SIMULATED_AVX512 builds them for processors without it, over a library that
 * computes each instruction in plain C: slow, and only for tests.
 */
#include "kernels.h"

#if defined(SL_SIMULATED_AVX512)
#include "isa/simulated.h"
#elif defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define AVX512_TARGET "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,gfni,popcnt"
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target(AVX512_TARGET))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,gfni,popcnt")
#endif
#endif

#if defined(SL_SIMULATED_AVX512) || (defined(__x86_64__) && defined(__GNUC__))
#include "isa/avx512.h"

#include "kernels_template.h"

#if !defined(SL_SIMULATED_AVX512)
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

const kernels engine_kernels_avx512 = {
	SCORE_ISA_AVX512, 8, 8, 12288, 6, 8, 8, bin_f32_avx512, bin_f64_avx512, transpose16_avx512, predicates8_avx512,
	predicates16_avx512, select_avx512, gather_bits_avx512, full_tree_avx512, sum_f32_avx512, sum_f64_avx512,
	order_f32_avx512, order_f64_avx512,
};
#endif
