/* Kernels for SSE4.2. The instruction set is enabled here and nowhere else; engine_isa_available() guards the calls. */
#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("sse4.2,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("sse4.2,popcnt")
#endif

#include "isa/sse42.h"

#include "kernels_template.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const kernels engine_kernels_sse42 = {
	.isa = SCORE_ISA_SSE42,
	.plane_words = PLANE_WORDS,
	.vector_words = V_WORDS,
	.sum_words = V_WORDS,
	.group_tests = 8192,
	.long_cost = {230, 230, 230},
	.eight_rows = EIGHT_ROWS,
	.eight_operations = EIGHT_OPERATIONS,
	.min_planes = 4,
	.byte_planes_f32 = BYTE_PLANES,
	.byte_planes_f64 = 0,
	.byte_buckets = 1024,
	.look_up_cuts = false,
	.bin_f32 = {bin_f32_u8_sse42, bin_f32_u16_sse42, bin_f32_u32_sse42},
	.bin_f64 = {bin_f64_u8_sse42, bin_f64_u16_sse42, bin_f64_u32_sse42},
	.lift_f32 = {lift_f32_u8_sse42, lift_f32_u16_sse42, lift_f32_u32_sse42},
	.lift_f64 = {lift_f64_u8_sse42, lift_f64_u16_sse42, lift_f64_u32_sse42},
	.transpose16 = transpose16_sse42,
	.linear_f32 = linear_f32_sse42,
	.linear_mixed = linear_mixed_sse42,
	.linear_f64 = linear_f64_sse42,
	.contribute = contribution_contribute_sse42,
	.contribute_few = contribution_few_contribute_sse42,
	.predicates8 = predicates8_sse42,
	.predicates16 = predicates16_sse42,
	.select = select_sse42,
	.gather_bits = gather_bits_sse42,
	.number_leaves = number_leaves_sse42,
	.full_tree = full_tree_sse42,
	.fold_codes = fold_codes_sse42,
	.sum_f32 = sum_f32_sse42,
	.sum_f64 = sum_f64_sse42,
	.order_f32 = order_f32_sse42,
	.order_f64 = order_f64_sse42,
};
#endif
