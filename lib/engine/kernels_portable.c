/* Kernels in plain C, for every processor. */
#include "kernels.h"

#include "isa/portable.h"

#include "kernels_template.h"

const kernels engine_kernels_portable = {
	SCORE_ISA_PORTABLE, 8, 1, 4096, 0, 0, 0, bin_f32_portable, bin_f64_portable, transpose16_portable, predicates8_portable,
	predicates16_portable, select_portable, gather_bits_portable, full_tree_portable, sum_f32_portable, sum_f64_portable,
	NULL, NULL,
};
