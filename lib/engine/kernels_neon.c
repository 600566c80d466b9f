/* Kernels for AArch64's NEON: part of every little-endian AArch64, so nothing is enabled and nothing asked. */
#include "kernels.h"

#if HAVE_NEON
#include <arm_neon.h>

#include "isa/neon.h"

#include "kernels_template.h"

const kernels engine_kernels_neon = {
	.isa = SCORE_ISA_NEON,
	.plane_words = PLANE_WORDS,
	.vector_words = V_WORDS,
	.sum_words = V_WORDS,
	.group_tests = 8192,
	.long_cost = {230, 230, 230},
	.eight_rows = EIGHT_ROWS,
	.eight_operations = EIGHT_OPERATIONS,
	.min_planes = 4,
	.byte_planes_f32 = 6,
	.byte_planes_f64 = 0,
	.byte_buckets = 1024,
	.look_up_cuts = false,
	.bin_f32 = {bin_f32_u8_neon, bin_f32_u16_neon, bin_f32_u32_neon},
	.bin_f64 = {bin_f64_u8_neon, bin_f64_u16_neon, bin_f64_u32_neon},
	.lift_f32 = {lift_f32_u8_neon, lift_f32_u16_neon, lift_f32_u32_neon},
	.lift_f64 = {lift_f64_u8_neon, lift_f64_u16_neon, lift_f64_u32_neon},
	.transpose16 = transpose16_neon,
	.linear_f32 = linear_f32_neon,
	.linear_mixed = linear_mixed_neon,
	.linear_f64 = linear_f64_neon,
	.contribute = contribution_contribute_neon,
	.contribute_few = contribution_few_contribute_neon,
	.predicates8 = predicates8_neon,
	.predicates16 = predicates16_neon,
	.select = select_neon,
	.gather_bits = gather_bits_neon,
	.number_leaves = number_leaves_neon,
	.full_tree = full_tree_neon,
	.fold_codes = fold_codes_neon,
	.sum_f32 = sum_f32_neon,
	.sum_f64 = sum_f64_neon,
	.order_f32 = order_f32_neon,
	.order_f64 = order_f64_neon,
};
#endif
