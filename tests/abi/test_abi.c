/*
 * The binary interface, pinned: sizes and offsets of all public structs and the values of public constants on 64-bit
 * machines. A line here changes only together with the soname; a new member is appended and gets a new line.
 *
 * It compiles or it does not; the program itself checks what only a running library can tell.
 */
#include <scoreline.h>
#include <scoreline/arrow.h>
#include <scoreline/bins.h>
#include <scoreline/build.h>
#include <scoreline/import.h>

#include <stdio.h>
#include <string.h>

#define SIZE(type, n) _Static_assert(sizeof(void *) != 8 || sizeof(type) == (n), "size of " #type)
#define AT(type, member, n) \
	_Static_assert(sizeof(void *) != 8 || offsetof(type, member) == (n), "offset of " #type "." #member)
#define VALUE(name, n) _Static_assert((name) == (n), "value of " #name)

SIZE(score_error, 256);
AT(score_error, code, 0);
AT(score_error, offset, 8);
AT(score_error, line, 16);
AT(score_error, message, 24);

SIZE(score_allocator, 24);
AT(score_allocator, alloc, 0);
AT(score_allocator, free, 8);
AT(score_allocator, context, 16);

SIZE(score_open_options, 32);
AT(score_open_options, struct_size, 0);
AT(score_open_options, allocator, 8);
AT(score_open_options, max_bytes, 16);
AT(score_open_options, flags, 24);
AT(score_open_options, isa, 28);

SIZE(score_model_info, 136);
AT(score_model_info, struct_size, 0);
AT(score_model_info, kind, 8);
AT(score_model_info, n_features, 12);
AT(score_model_info, n_outputs, 16);
AT(score_model_info, n_predictions, 20);
AT(score_model_info, n_trees, 24);
AT(score_model_info, trees_per_iteration, 28);
AT(score_model_info, n_splits, 32);
AT(score_model_info, n_leaves, 40);
AT(score_model_info, n_tests, 48);
AT(score_model_info, max_leaves, 56);
AT(score_model_info, max_depth, 60);
AT(score_model_info, max_cuts, 64);
AT(score_model_info, code_bytes, 68);
AT(score_model_info, isa, 72);
AT(score_model_info, batch_regime, 76);
AT(score_model_info, row_regime, 80);
AT(score_model_info, n_golden_rows, 84);
AT(score_model_info, memory_bytes, 88);
AT(score_model_info, file_bytes, 96);
AT(score_model_info, hash, 104);
AT(score_model_info, margin_is_f32, 120);
AT(score_model_info, n_categories, 124);
AT(score_model_info, has_covers, 128);
AT(score_model_info, n_derived, 132);

SIZE(score_column, 40);
AT(score_column, values, 0);
AT(score_column, validity, 8);
AT(score_column, offset, 16);
AT(score_column, stride_bytes, 24);
AT(score_column, dtype, 32);

SIZE(score_strings, 56);
AT(score_strings, struct_size, 0);
AT(score_strings, offsets, 8);
AT(score_strings, data, 16);
AT(score_strings, indices, 24);
AT(score_strings, codes, 32);
AT(score_strings, n_strings, 40);
AT(score_strings, offset_type, 48);
AT(score_strings, index_type, 52);

SIZE(score_input, 96);
AT(score_input, struct_size, 0);
AT(score_input, layout, 8);
AT(score_input, dtype, 12);
AT(score_input, n_rows, 16);
AT(score_input, n_columns, 24);
AT(score_input, u, 32);
AT(score_input, u.rows.data, 32);
AT(score_input, u.rows.row_stride_bytes, 40);
AT(score_input, u.rows.column_stride_bytes, 48);
AT(score_input, u.columns.columns, 32);
AT(score_input, u.csr.row_starts, 32);
AT(score_input, u.csr.column_numbers, 40);
AT(score_input, u.csr.values, 48);
AT(score_input, u.csr.start_type, 56);
AT(score_input, u.csr.number_type, 60);
AT(score_input, u.csr.absent, 64);

AT(score_input, u.binned.codes, 32);
AT(score_input, u.binned.column_stride_bytes, 40);
AT(score_input, u.binned.hash, 48);
AT(score_input, u.binned.code_bytes, 64);

/* Arrow's own, which every producer has. */
SIZE(struct ArrowSchema, 72);
SIZE(struct ArrowArray, 80);
SIZE(struct ArrowArrayStream, 40);

SIZE(score_bins, 32);
AT(score_bins, struct_size, 0);
AT(score_bins, hash, 8);
AT(score_bins, n_columns, 24);
AT(score_bins, code_bytes, 28);

SIZE(score_bin_column, 48);
AT(score_bin_column, struct_size, 0);
AT(score_bin_column, feature, 8);
AT(score_bin_column, flags, 12);
AT(score_bin_column, missing, 16);
AT(score_bin_column, n_cuts, 20);
AT(score_bin_column, n_categories, 24);
AT(score_bin_column, cuts, 32);
AT(score_bin_column, categories, 40);

SIZE(score_options, 56);
AT(score_options, struct_size, 0);
AT(score_options, output, 8);
AT(score_options, regime, 12);
AT(score_options, tree_begin, 16);
AT(score_options, tree_end, 20);
AT(score_options, plan, 24);
AT(score_options, scratch, 32);
AT(score_options, scratch_bytes, 40);
AT(score_options, explainer, 48);

SIZE(score_reason, 24);
AT(score_reason, contribution, 0);
AT(score_reason, name, 8);
AT(score_reason, feature, 16);

SIZE(score_save_options, 56);
AT(score_save_options, struct_size, 0);
AT(score_save_options, golden_rows, 8);
AT(score_save_options, golden_margins, 16);
AT(score_save_options, n_golden_rows, 24);
AT(score_save_options, n_metadata, 28);
AT(score_save_options, metadata_keys, 32);
AT(score_save_options, metadata_values, 40);
AT(score_save_options, flags, 48);

SIZE(score_contract, 48);
AT(score_contract, struct_size, 0);
AT(score_contract, n_features, 8);
AT(score_contract, n_outputs, 12);
AT(score_contract, trees_per_iteration, 16);
AT(score_contract, compare, 20);
AT(score_contract, sum, 24);
AT(score_contract, base_position, 28);
AT(score_contract, average, 32);
AT(score_contract, category_rule, 36);
AT(score_contract, scale, 40);

SIZE(score_build_options, 40);
AT(score_build_options, struct_size, 0);
AT(score_build_options, allocator, 8);
AT(score_build_options, max_bytes, 16);
AT(score_build_options, max_trees, 24);
AT(score_build_options, max_depth, 28);
AT(score_build_options, isa, 32);
AT(score_build_options, reserved, 36);

SIZE(score_node, 40);
AT(score_node, left, 0);
AT(score_node, right, 4);
AT(score_node, feature, 8);
AT(score_node, test, 12);
AT(score_node, missing, 13);
AT(score_node, reserved, 14);
AT(score_node, value, 16);
AT(score_node, categories, 24);
AT(score_node, n_categories, 28);
AT(score_node, leaf_id, 32);
AT(score_node, leaf_vector, 36);

SIZE(score_linear_leaf, 16);
AT(score_linear_leaf, constant, 0);
AT(score_linear_leaf, first_term, 8);
AT(score_linear_leaf, n_terms, 12);
SIZE(score_tree, 104);
AT(score_tree, struct_size, 0);
AT(score_tree, nodes, 8);
AT(score_tree, n_nodes, 16);
AT(score_tree, categories, 24);
AT(score_tree, n_categories, 32);
AT(score_tree, vectors, 40);
AT(score_tree, n_vectors, 48);
AT(score_tree, output, 56);
AT(score_tree, reserved, 60);
AT(score_tree, covers, 64);
AT(score_tree, linear_leaves, 72);
AT(score_tree, term_features, 80);
AT(score_tree, term_coefficients, 88);
AT(score_tree, n_terms, 96);

SIZE(score_step, 48);
AT(score_step, operation, 0);
AT(score_step, flags, 4);
AT(score_step, a, 8);
AT(score_step, b, 16);
AT(score_step, keys, 24);
AT(score_step, values, 32);
AT(score_step, n_keys, 40);

SIZE(score_column_program, 80);
AT(score_column_program, struct_size, 0);
AT(score_column_program, root, 8);
AT(score_column_program, flags, 12);
AT(score_column_program, source, 16);
AT(score_column_program, reserved, 20);
AT(score_column_program, sources, 24);
AT(score_column_program, n_sources, 32);
AT(score_column_program, hashes, 40);
AT(score_column_program, n_hashes, 48);
AT(score_column_program, steps, 56);
AT(score_column_program, n_steps, 64);
AT(score_column_program, least, 72);

SIZE(score_part, 96);
AT(score_part, struct_size, 0);
AT(score_part, first_output, 8);
AT(score_part, n_outputs, 12);
AT(score_part, divisor, 16);
AT(score_part, slopes, 24);
AT(score_part, offsets, 32);
AT(score_part, curve_ends, 40);
AT(score_part, curve_x, 48);
AT(score_part, curve_y, 56);
AT(score_part, link, 64);
AT(score_part, vote, 68);
AT(score_part, link_parameter, 72);
AT(score_part, weight, 80);
AT(score_part, columns, 88);

SIZE(score_import_options, 48);
AT(score_import_options, struct_size, 0);
AT(score_import_options, allocator, 8);
AT(score_import_options, max_bytes, 16);
AT(score_import_options, format, 24);
AT(score_import_options, isa, 28);
AT(score_import_options, iteration_begin, 32);
AT(score_import_options, iteration_end, 36);
AT(score_import_options, onnx_compat, 40);

VALUE(SCORE_OK, 0);
VALUE(SCORE_ERR_ARGUMENT, 1);
VALUE(SCORE_ERR_MEMORY, 2);
VALUE(SCORE_ERR_IO, 3);
VALUE(SCORE_ERR_CORRUPT, 4);
VALUE(SCORE_ERR_VERSION, 5);
VALUE(SCORE_ERR_UNSUPPORTED, 6);
VALUE(SCORE_ERR_SHAPE, 7);
VALUE(SCORE_ERR_LIMIT, 8);
VALUE(SCORE_ERR_VERIFY, 9);
VALUE(SCORE_ISA_AUTO, 0);
VALUE(SCORE_ISA_PORTABLE, 1);
VALUE(SCORE_ISA_AVX2, 2);
VALUE(SCORE_ISA_AVX512, 3);
VALUE(SCORE_ISA_SSE42, 4);
VALUE(SCORE_ISA_NEON, 5);
VALUE(SCORE_REGIME_AUTO, 0);
VALUE(SCORE_REGIME_BATCH, 1);
VALUE(SCORE_REGIME_WALK, 2);
VALUE(SCORE_REGIME_LINEAR, 3);
VALUE(SCORE_REGIME_ROW, 4);
VALUE(SCORE_OPEN_MMAP, 1);
VALUE(SCORE_OPEN_VERIFY, 2);
VALUE(SCORE_SAVE_NO_COVERS, 1);
VALUE(SCORE_OUTPUT_CONTRIBUTION, 4);
VALUE(SCORE_DIRECTION_BOTH, 0);
VALUE(SCORE_DIRECTION_UP, 1);
VALUE(SCORE_DIRECTION_DOWN, 2);
VALUE(SCORE_KIND_TREES, 1);
VALUE(SCORE_KIND_LINEAR, 2);
VALUE(SCORE_FEATURE_NUMERIC, 0);
VALUE(SCORE_FEATURE_CATEGORY, 1);
VALUE(SCORE_F32, 1);
VALUE(SCORE_F64, 2);
VALUE(SCORE_I8, 3);
VALUE(SCORE_U8, 4);
VALUE(SCORE_I16, 5);
VALUE(SCORE_U16, 6);
VALUE(SCORE_I32, 7);
VALUE(SCORE_U32, 8);
VALUE(SCORE_I64, 9);
VALUE(SCORE_U64, 10);
VALUE(SCORE_BOOL, 11);
VALUE(SCORE_BOOL_BITS, 12);
VALUE(SCORE_STRING, 13);
VALUE(SCORE_F16, 14);
VALUE(SCORE_DICTIONARY, 1);
VALUE(SCORE_DICTIONARY_NUMBERS, 2);
VALUE(SCORE_DICTIONARY_HASH, 4);
VALUE(SCORE_ROWS, 1);
VALUE(SCORE_COLUMNS, 2);
VALUE(SCORE_CSR, 3);
VALUE(SCORE_BINNED, 4);
VALUE(SCORE_ARROW_BY_POSITION, 1);
VALUE(SCORE_BIN_CATEGORY, 1);
VALUE(SCORE_BIN_ZERO_IS_MISSING, 2);
VALUE(SCORE_BIN_DERIVED, 4);
VALUE(SCORE_ABSENT_ZERO, 1);
VALUE(SCORE_ABSENT_MISSING, 2);
VALUE(SCORE_OUTPUT_PREDICTION, 0);
VALUE(SCORE_OUTPUT_MARGIN, 1);
VALUE(SCORE_OUTPUT_LEAF, 2);
VALUE(SCORE_OUTPUT_CLASS, 3);
VALUE(SCORE_STEP_IDENTITY, 0);
VALUE(SCORE_STEP_ADD, 1);
VALUE(SCORE_STEP_SUBTRACT, 2);
VALUE(SCORE_STEP_MULTIPLY, 3);
VALUE(SCORE_STEP_DIVIDE, 4);
VALUE(SCORE_STEP_CLIP, 5);
VALUE(SCORE_STEP_REPLACE_MISSING, 6);
VALUE(SCORE_STEP_REPLACE, 7);
VALUE(SCORE_STEP_GREATER, 8);
VALUE(SCORE_STEP_EQUAL, 9);
VALUE(SCORE_STEP_IS_MISSING, 10);
VALUE(SCORE_STEP_TRUNCATE, 11);
VALUE(SCORE_STEP_LOOKUP, 12);
VALUE(SCORE_STEP_F32, 1);
VALUE(SCORE_ROOT_VALUE, 0);
VALUE(SCORE_ROOT_HASH, 1);
VALUE(SCORE_ROOT_NORM_L1, 2);
VALUE(SCORE_ROOT_NORM_L2, 3);
VALUE(SCORE_ROOT_NORM_MAX, 4);
VALUE(SCORE_ROOT_NORM_SIGNED_MAX, 5);
VALUE(SCORE_ROOT_NORM_L2_RATIO, 6);
VALUE(SCORE_BASE_FIRST, 0);
VALUE(SCORE_BASE_LAST, 1);
VALUE(SCORE_AVERAGE_NONE, 0);
VALUE(SCORE_AVERAGE_MARGIN, 1);
VALUE(SCORE_AVERAGE_PREDICTION, 2);
VALUE(SCORE_AVERAGE_SCALE, 3);
VALUE(SCORE_CATEGORY_TRUNCATE, 0);
VALUE(SCORE_CATEGORY_NONNEGATIVE, 1);
VALUE(SCORE_CATEGORY_EXACT, 3);
VALUE(SCORE_LINK_IDENTITY, 0);
VALUE(SCORE_LINK_SIGMOID_XGBOOST, 1);
VALUE(SCORE_LINK_SIGMOID, 2);
VALUE(SCORE_LINK_EXP, 3);
VALUE(SCORE_LINK_HINGE, 4);
VALUE(SCORE_LINK_SOFTMAX_XGBOOST, 5);
VALUE(SCORE_LINK_SOFTMAX, 6);
VALUE(SCORE_LINK_ARGMAX, 7);
VALUE(SCORE_LINK_SIGNED_SQUARE, 8);
VALUE(SCORE_LINK_LOG1P_EXP, 9);
VALUE(SCORE_LINK_SORT, 10);
VALUE(SCORE_LINK_BINARY_PAIR, 11);
VALUE(SCORE_LINK_OVR_NORMALISED, 12);
VALUE(SCORE_LINK_SOFTMAX_PAIR, 13);
VALUE(SCORE_LINK_EXP_F64, 14);
VALUE(SCORE_LINK_MODIFIED_HUBER, 16);
VALUE(SCORE_LINK_SIGMOID_ONNX, 17);
VALUE(SCORE_LINK_SOFTMAX_ONNX, 18);
VALUE(SCORE_LINK_SOFTMAX_ZERO_ONNX, 19);
VALUE(SCORE_LINK_PROBIT_ONNX, 20);
VALUE(SCORE_LINK_FLOAT, 21);
VALUE(SCORE_LINK_COMPLEMENT_ONNX, 22);
VALUE(SCORE_LINK_OPPOSITE_ONNX, 23);
VALUE(SCORE_LINK_SIGMOID_PAIR_ONNX, 24);
VALUE(SCORE_LINK_EXP_SCALED, 25);
VALUE(SCORE_LINK_ISOLATION, 26);
VALUE(SCORE_LINK_PARTS, 27);
VALUE(SCORE_LINK_COMPLEMENT, 28);
VALUE(SCORE_LINK_NORMALISED, 29);
VALUE(SCORE_VOTE_NONE, 0);
VALUE(SCORE_VOTE_LARGEST, 1);
VALUE(SCORE_VOTE_ABOVE, 2);
VALUE(SCORE_VOTE_AT_LEAST, 3);
VALUE(SCORE_COMBINE_SUM, 0);
VALUE(SCORE_COMBINE_MEDIAN, 1);
VALUE(SCORE_TEST_LEAF, 0);
VALUE(SCORE_TEST_LT, 1);
VALUE(SCORE_TEST_LE, 2);
VALUE(SCORE_TEST_IN_LEFT, 3);
VALUE(SCORE_TEST_IN_RIGHT, 4);
VALUE(SCORE_MISSING_RIGHT, 0);
VALUE(SCORE_MISSING_LEFT, 1);
VALUE(SCORE_MISSING_ZERO, 2);
VALUE(SCORE_FORMAT_AUTO, 0);
VALUE(SCORE_FORMAT_XGBOOST_JSON, 1);
VALUE(SCORE_FORMAT_XGBOOST_UBJSON, 2);
VALUE(SCORE_FORMAT_LIGHTGBM_TEXT, 3);
VALUE(SCORE_FORMAT_CATBOOST_JSON, 4);
VALUE(SCORE_FORMAT_ONNX, 5);
VALUE(SCORE_ONNX_SPECIFICATION, 0);
VALUE(SCORE_ONNX_RUNTIME, 1);

int main(void)
{
	int failures = 0;
	if (score_version_number() != SCORE_VERSION_NUMBER || strcmp(score_version_string(), SCORE_VERSION_STRING) != 0)
		failures += printf("the library is %s, its header %s\n", score_version_string(), SCORE_VERSION_STRING) > 0;
	for (score_status status = SCORE_OK; status <= SCORE_ERR_VERIFY; status++)
		if (score_status_name(status) == NULL || score_status_name(status)[0] == '\0')
			failures += printf("status %d has no name\n", status) > 0;
	if (!score_isa_available(SCORE_ISA_AUTO) || !score_isa_available(SCORE_ISA_PORTABLE))
		failures += printf("the portable instruction set is not available\n") > 0;
	return failures != 0;
}
