/*
 * Kernels for AVX-512 with VBMI, VBMI2 and GFNI. SL_SIMULATED_AVX512 builds them for processors without it, over a library that
 * computes each instruction in plain C: slow, and only for tests.
 */
#include "kernels.h"

#if defined(SL_SIMULATED_AVX512)
#include "isa/simulated.h"
#elif defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define AVX512_TARGET "avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vbmi,avx512vbmi2,gfni,popcnt"
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target(AVX512_TARGET))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vbmi,avx512vbmi2,gfni,popcnt")
#endif
#endif

#if defined(SL_SIMULATED_AVX512) || (defined(__x86_64__) && defined(__GNUC__))
#include "isa/avx512.h"
#include "isa/long_codes_avx512.h"

#include "kernels_template.h"
#include "isa/bin_avx512.h"
#include "isa/words_avx512.h"
#include "isa/sliced_avx512.h"
#include "isa/levels_avx512.h"
#include "isa/rows_avx512.h"
#include "rows_template.h"
#include "isa/pages_avx512.h"
#include "pages_template.h"

#if !defined(SL_SIMULATED_AVX512)
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

const kernels engine_kernels_avx512 = {
	.isa = SCORE_ISA_AVX512,
	.plane_words = 8,
	.vector_words = 8,
	.sum_words = 8,
	.group_tests = 12288,
	.narrow = &engine_kernels_avx512_narrow,
	.narrow_rows = 256,
	.min_planes = 6,
	.sum_cost_f32 = {[5] = 22, [6] = 26, [7] = 30, [8] = 44},
	.sum_cost_f64 = {[5] = 56, [6] = 64, [7] = 72, [8] = 115},
	.long_cost = {30, 34, 42},
	.byte_planes_f32 = 8,
	.word_planes = 6,
	.whole_planes = FEW_PLANES,
	.number_bytes = NUMBER_CODES,
	.numbers_leaves = true,
	.byte_planes_f64 = 8,
	.byte_buckets = 256,
	.few_cuts = BIN_REGISTER_CUTS,
	.look_up_cuts = true,
	.bin_f32 = {bin_words_avx512, bin_f32_u16_avx512, bin_f32_u32_avx512},
	.bin_f64 = {bin_f64_avx512, bin_f64_u16_avx512, bin_f64_u32_avx512},
	.lift_f32 = {lift_f32_avx512, lift_f32_u16_avx512, lift_f32_u32_avx512},
	.lift_f64 = {lift_f64_avx512, lift_f64_u16_avx512, lift_f64_u32_avx512},
	.mark_u8 = mark_u8_avx512,
	.transpose16 = transpose16_avx512,
	.linear_f32 = linear_f32_avx512,
	.linear_mixed = linear_mixed_avx512,
	.linear_f64 = linear_f64_avx512,
	.linear_rows_f32 = linear_rows_f32_avx512,
	.linear_rows_mixed = linear_rows_mixed_avx512,
	.linear_rows_f64 = linear_rows_f64_avx512,
	.tile_f32 = F32_LANES,
	.tile_f64 = F64_LANES,
	.contribute = contribution_contribute_avx512,
	.contribute_few = contribution_few_contribute_avx512,
	.predicates8 = predicates8_avx512,
	.predicates16 = predicates16_avx512,
	.slice = slice_avx512,
	.slice_f32 = slice_f32_avx512,
	.sliced_predicates = sliced_predicates_avx512,
	.select = select_avx512,
	.gather_bits = gather_bits_avx512,
	.number_leaves = number_leaves_avx512,
	.full_tree = full_tree_avx512,
	.sum_f32 = sum_f32_avx512,
	.sum_f64 = sum_f64_avx512,
	.order_f32 = order_f32_avx512,
	.order_f64 = order_f64_avx512,
	.level_sum_f64 = level_sum_f64_avx512,
	.level_rows = 416,
	.level_planes_sum_f64 = level_planes_sum_f64_avx512,
	.level_order_f64 = level_order_f64_avx512,
	.row_leaves = row_leaves_avx512,
	.page_leaves = page_leaves_avx512,
	.page_columns8 = PAGE_COLUMNS_U8,
	.rank_f32 = ranks_f32_avx512,
	.rank_f64 = ranks_f64_avx512,
};
#endif
