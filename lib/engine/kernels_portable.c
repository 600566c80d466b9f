/* Kernels in plain C, for every processor. */
#include "kernels.h"

#include "isa/portable.h"

#include "kernels_template.h"

const kernels engine_kernels_portable = {
	.isa = SCORE_ISA_PORTABLE,
	.plane_words = 8,
	.vector_words = 1,
	.sum_words = 1,
	.group_tests = 4096,
	.long_cost = {130, 130, 130},
	.eight_rows = EIGHT_ROWS,
	.eight_operations = EIGHT_OPERATIONS,
	.min_planes = 0,
	.byte_planes_f32 = 0,
	.byte_planes_f64 = 0,
	.byte_buckets = 1024,
	.look_up_cuts = false,
	.bin_f32 = {bin_f32_u8_portable, bin_f32_u16_portable, bin_f32_u32_portable},
	.bin_f64 = {bin_f64_u8_portable, bin_f64_u16_portable, bin_f64_u32_portable},
	.lift_f32 = {lift_f32_u8_portable, lift_f32_u16_portable, lift_f32_u32_portable},
	.lift_f64 = {lift_f64_u8_portable, lift_f64_u16_portable, lift_f64_u32_portable},
	.transpose16 = transpose16_portable,
	.linear_f32 = linear_f32_portable,
	.linear_mixed = linear_mixed_portable,
	.linear_f64 = linear_f64_portable,
	.contribute = contribution_contribute_portable,
	.contribute_few = contribution_few_contribute_portable,
	.predicates8 = predicates8_portable,
	.predicates16 = predicates16_portable,
	.select = select_portable,
	.gather_bits = gather_bits_portable,
	.number_leaves = number_leaves_portable,
	.full_tree = full_tree_portable,
	.sum_f32 = sum_f32_portable,
	.sum_f64 = sum_f64_portable,
};
