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
#include "isa/pages_avx2.h"
#include "pages_template.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const kernels engine_kernels_avx2 = {
	.isa = SCORE_ISA_AVX2,
	.plane_words = 4,
	.vector_words = 4,
	.sum_words = 4,
	.group_tests = 8192,
	.long_cost = {300, 300, 300},
	.eight_rows = EIGHT_ROWS,
	.eight_operations = EIGHT_OPERATIONS,
	.min_planes = 4,
	.sum_cost_f32 = {[4] = 20, [5] = 26, [6] = 34, [7] = 60, [8] = 60},
	.byte_planes_f32 = 6,
	.byte_planes_f64 = FEW_PLANES,
	.number_bytes = NUMBER_PARTS,
	.byte_buckets = 1024,
	.look_up_cuts = false,
	.bin_f32 = {bin_f32_u8_avx2, bin_f32_u16_avx2, bin_f32_u32_avx2},
	.bin_f64 = {bin_f64_u8_avx2, bin_f64_u16_avx2, bin_f64_u32_avx2},
	.lift_f32 = {lift_f32_u8_avx2, lift_f32_u16_avx2, lift_f32_u32_avx2},
	.lift_f64 = {lift_f64_u8_avx2, lift_f64_u16_avx2, lift_f64_u32_avx2},
	.transpose16 = transpose16_avx2,
	.linear_f32 = linear_f32_avx2,
	.linear_mixed = linear_mixed_avx2,
	.linear_f64 = linear_f64_avx2,
	.linear_rows_f32 = linear_rows_f32_avx2,
	.linear_rows_mixed = linear_rows_mixed_avx2,
	.linear_rows_f64 = linear_rows_f64_avx2,
	.tile_f32 = F32_LANES,
	.tile_f64 = F64_LANES,
	.contribute = contribution_contribute_avx2,
	.contribute_few = contribution_few_contribute_avx2,
	.predicates8 = predicates8_avx2,
	.predicates16 = predicates16_avx2,
	.select = select_avx2,
	.gather_bits = gather_bits_avx2,
	.number_leaves = number_leaves_avx2,
	.full_tree = full_tree_avx2,
	.fold_codes = fold_codes_avx2,
	.sum_f32 = sum_f32_avx2,
	.sum_f64 = sum_f64_avx2,
	.order_f32 = order_f32_avx2,
	.order_f64 = order_f64_avx2,
	.page_leaves = page_leaves_avx2,
	.page_columns8 = PAGE_COLUMNS_U8,
	.page_split_codes = true,
};
#endif
