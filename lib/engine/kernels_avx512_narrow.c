/* Kernels for AVX-512 with VBMI, VBMI2 and GFNI over blocks of 128 rows, for small batches and the ends of large ones. */
#include "kernels.h"

#if defined(SL_SIMULATED_AVX512)
#include "isa/simulated.h"
#elif defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define AVX512_TARGET "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,gfni,popcnt"
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target(AVX512_TARGET))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,gfni,popcnt")
#endif
#endif

#if defined(SL_SIMULATED_AVX512) || (defined(__x86_64__) && defined(__GNUC__))
#include "isa/avx512_narrow.h"
#include "isa/long_codes_avx512.h"

#define PLANES_ONLY
#include "kernels_template.h"
#include "isa/cursors_avx512.h"

#if !defined(SL_SIMULATED_AVX512)
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

const kernels engine_kernels_avx512_narrow = {
	.isa = SCORE_ISA_AVX512,
	.plane_words = 2,
	.vector_words = 2,
	.sum_words = 1,
	.byte_planes_f32 = 8,
	.byte_planes_f64 = 8,
	.predicates8 = predicates8_avx512_narrow,
	.predicates16 = predicates16_avx512_narrow,
	.follow_cursors = follow_cursors_avx512_narrow,
	.cursor_cost = 1,
	.select = select_avx512_narrow,
	.gather_bits = gather_bits_avx512_narrow,
	.number_leaves = number_leaves_avx512_narrow,
	.full_tree = full_tree_avx512_narrow,
	.sum_f32 = sum_f32_avx512_narrow,
	.sum_f64 = sum_f64_avx512_narrow,
	.order_f32 = order_f32_avx512_narrow,
	.order_f64 = order_f64_avx512_narrow,
};
#endif
