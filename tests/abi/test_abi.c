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
#include <scoreline/deploy.h>
#include <scoreline/export.h>
#include <scoreline/import.h>

#include <stdio.h>
#include <string.h>

#define SIZE(type, n) _Static_assert(sizeof(void *) != 8 || sizeof(type) == (n), "size of " #type)
#define AT(type, member, n) \
	_Static_assert(sizeof(void *) != 8 || offsetof(type, member) == (n), "offset of " #type "." #member)
#define VALUE(name, n) _Static_assert((name) == (n), "value of " #name)

SIZE(score_model_cache_options, 40);
AT(score_model_cache_options, struct_size, 0);
AT(score_model_cache_options, allocator, 8);
AT(score_model_cache_options, max_bytes, 16);
AT(score_model_cache_options, open_flags, 24);
AT(score_model_cache_options, isa, 28);
AT(score_model_cache_options, max_idle, 32);

SIZE(score_model_cache_counts, 56);
AT(score_model_cache_counts, struct_size, 0);
AT(score_model_cache_counts, opened, 8);
AT(score_model_cache_counts, found, 16);
AT(score_model_cache_counts, found_bytes, 24);
AT(score_model_cache_counts, evicted, 32);
AT(score_model_cache_counts, n_claimed, 40);
AT(score_model_cache_counts, n_idle, 44);
AT(score_model_cache_counts, memory_bytes, 48);

SIZE(score_observer, 16);
AT(score_observer, finished, 0);
AT(score_observer, context, 8);

SIZE(score_served_entity, 104);
AT(score_served_entity, name, 0);
AT(score_served_entity, entity_name, 8);
AT(score_served_entity, entity_version, 16);
AT(score_served_entity, model, 24);
AT(score_served_entity, model_ref, 32);
AT(score_served_entity, release, 40);
AT(score_served_entity, release_context, 48);
AT(score_served_entity, statistics, 56);
AT(score_served_entity, observer, 64);
AT(score_served_entity, reserved, 80);

SIZE(score_route, 16);
AT(score_route, served_model_name, 0);
AT(score_route, traffic_percentage, 8);

SIZE(score_endpoint_config, 64);
AT(score_endpoint_config, struct_size, 0);
AT(score_endpoint_config, served_entities, 8);
AT(score_endpoint_config, n_served_entities, 16);
AT(score_endpoint_config, routes, 24);
AT(score_endpoint_config, n_routes, 32);
AT(score_endpoint_config, shadow_names, 40);
AT(score_endpoint_config, n_shadows, 48);
AT(score_endpoint_config, slots, 56);

SIZE(score_endpoint_options, 64);
AT(score_endpoint_options, struct_size, 0);
AT(score_endpoint_options, name, 8);
AT(score_endpoint_options, allocator, 16);
AT(score_endpoint_options, salt, 24);
AT(score_endpoint_options, observers, 32);
AT(score_endpoint_options, n_observers, 40);
AT(score_endpoint_options, capture, 48);
AT(score_endpoint_options, flags, 56);

SIZE(score_served_info, 432);
AT(score_served_info, struct_size, 0);
AT(score_served_info, generation, 8);
AT(score_served_info, n_served_entities, 16);
AT(score_served_info, traffic_percentage, 20);
AT(score_served_info, is_shadow, 24);
AT(score_served_info, hash, 32);
AT(score_served_info, name, 48);
AT(score_served_info, entity_name, 176);
AT(score_served_info, entity_version, 304);

SIZE(score_request, 88);
AT(score_request, struct_size, 0);
AT(score_request, output, 8);
AT(score_request, flags, 12);
AT(score_request, plan, 16);
AT(score_request, scratch, 24);
AT(score_request, scratch_bytes, 32);
AT(score_request, request_id, 40);
AT(score_request, served_name, 48);
AT(score_request, key, 56);
AT(score_request, key_length, 64);
AT(score_request, row_keys, 72);
AT(score_request, row_served, 80);

SIZE(score_answer, 168);
AT(score_answer, struct_size, 0);
AT(score_answer, generation, 8);
AT(score_answer, served, 16);
AT(score_answer, n_served, 20);
AT(score_answer, out_width, 24);
AT(score_answer, scratch_bytes, 32);
AT(score_answer, served_name, 40);

VALUE(SCORE_TRAFFIC_SLOTS, 100);
VALUE(SCORE_ENDPOINT_SAME_LABELS, 1);
VALUE(SCORE_REQUEST_BY_ID, 1);

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

SIZE(score_export_options, 24);
AT(score_export_options, struct_size, 0);
AT(score_export_options, name, 8);
AT(score_export_options, output, 16);

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

SIZE(score_import_options, 56);
AT(score_import_options, struct_size, 0);
AT(score_import_options, allocator, 8);
AT(score_import_options, max_bytes, 16);
AT(score_import_options, format, 24);
AT(score_import_options, isa, 28);
AT(score_import_options, iteration_begin, 32);
AT(score_import_options, iteration_end, 36);
AT(score_import_options, onnx_compat, 40);
AT(score_import_options, missing, 48);

SIZE(score_table_options, 32);
AT(score_table_options, struct_size, 0);
AT(score_table_options, allocator, 8);
AT(score_table_options, max_bytes, 16);
AT(score_table_options, flags, 24);
AT(score_table_options, reserved, 28);

SIZE(score_table_info, 88);
AT(score_table_info, struct_size, 0);
AT(score_table_info, n_rows, 8);
AT(score_table_info, n_keys, 16);
AT(score_table_info, n_key_columns, 24);
AT(score_table_info, n_columns, 28);
AT(score_table_info, file_bytes, 32);
AT(score_table_info, index_bytes, 40);
AT(score_table_info, row_bytes, 48);
AT(score_table_info, has_timestamp, 52);
AT(score_table_info, timestamp_name, 56);
AT(score_table_info, timestamp_unit, 64);
AT(score_table_info, hash, 72);

SIZE(score_table_output, 24);
AT(score_table_output, column, 0);
AT(score_table_output, reserved, 4);
AT(score_table_output, values, 8);
AT(score_table_output, validity, 16);

SIZE(score_table_query, 40);
AT(score_table_query, struct_size, 0);
AT(score_table_query, keys, 8);
AT(score_table_query, n_keys, 16);
AT(score_table_query, timestamp, 24);
AT(score_table_query, lookback, 32);

SIZE(score_table_field, 16);
AT(score_table_field, name, 0);
AT(score_table_field, type, 8);
AT(score_table_field, reserved, 12);

SIZE(score_table_schema, 72);
AT(score_table_schema, struct_size, 0);
AT(score_table_schema, keys, 8);
AT(score_table_schema, n_keys, 16);
AT(score_table_schema, columns, 24);
AT(score_table_schema, n_columns, 32);
AT(score_table_schema, timestamp, 40);
AT(score_table_schema, timestamp_unit, 48);
AT(score_table_schema, allocator, 56);
AT(score_table_schema, memory_bytes, 64);

SIZE(score_feature_lookup, 112);
AT(score_feature_lookup, struct_size, 0);
AT(score_feature_lookup, table_name, 8);
AT(score_feature_lookup, table, 16);
AT(score_feature_lookup, source, 24);
AT(score_feature_lookup, callback, 32);
AT(score_feature_lookup, context, 40);
AT(score_feature_lookup, lookup_key, 48);
AT(score_feature_lookup, n_lookup_key, 56);
AT(score_feature_lookup, feature_names, 64);
AT(score_feature_lookup, n_feature_names, 72);
AT(score_feature_lookup, output_names, 80);
AT(score_feature_lookup, default_values, 88);
AT(score_feature_lookup, timestamp_lookup_key, 96);
AT(score_feature_lookup, lookback_window, 104);

VALUE(SCORE_TABLE_VERIFY, 1);
VALUE(SCORE_TABLE_PRELOAD, 2);
VALUE(SCORE_TABLE_COPY, 4);
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
VALUE(SCORE_OPEN_SMALL, 4);
VALUE(SCORE_SAVE_NO_COVERS, 1);
VALUE(SCORE_OUTPUT_CONTRIBUTION, 4);
VALUE(SCORE_DIRECTION_BOTH, 0);
VALUE(SCORE_DIRECTION_UP, 1);
VALUE(SCORE_DIRECTION_DOWN, 2);
VALUE(SCORE_KIND_TREES, 1);
VALUE(SCORE_KIND_LINEAR, 2);
VALUE(SCORE_NAME_NONE, 0);
VALUE(SCORE_NAME_SPACED, 1);
VALUE(SCORE_NAME_OWN, 2);
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
VALUE(SCORE_LINK_EXP_CATBOOST, 30);
VALUE(SCORE_LINK_SOFTMAX_CATBOOST, 31);
VALUE(SCORE_LINK_MEAN_VARIANCE_CATBOOST, 32);
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

SIZE(score_statistics_options, 80);
AT(score_statistics_options, struct_size, 0);
AT(score_statistics_options, allocator, 8);
AT(score_statistics_options, reference, 16);
AT(score_statistics_options, endpoint, 24);
AT(score_statistics_options, served_name, 32);
AT(score_statistics_options, entity_name, 40);
AT(score_statistics_options, entity_version, 48);
AT(score_statistics_options, output, 56);
AT(score_statistics_options, sample_every, 60);
AT(score_statistics_options, n_shards, 64);
AT(score_statistics_options, max_features, 68);
AT(score_statistics_options, flags, 72);

SIZE(score_snapshot_info, 152);
AT(score_snapshot_info, struct_size, 0);
AT(score_snapshot_info, endpoint, 8);
AT(score_snapshot_info, served_name, 16);
AT(score_snapshot_info, entity_name, 24);
AT(score_snapshot_info, entity_version, 32);
AT(score_snapshot_info, model_hash, 40);
AT(score_snapshot_info, first_unix_ns, 56);
AT(score_snapshot_info, last_unix_ns, 64);
AT(score_snapshot_info, calls, 72);
AT(score_snapshot_info, rows, 80);
AT(score_snapshot_info, errors, 88);
AT(score_snapshot_info, shadow_calls, 96);
AT(score_snapshot_info, sampled_rows, 104);
AT(score_snapshot_info, unscored_rows, 112);
AT(score_snapshot_info, latency_sum_ns, 120);
AT(score_snapshot_info, expected_rows, 128);
AT(score_snapshot_info, n_features, 136);
AT(score_snapshot_info, n_scores, 140);
AT(score_snapshot_info, output, 144);

SIZE(score_histogram, 88);
AT(score_histogram, struct_size, 0);
AT(score_histogram, name, 8);
AT(score_histogram, type, 16);
AT(score_histogram, n_edges, 20);
AT(score_histogram, edges, 24);
AT(score_histogram, counts, 32);
AT(score_histogram, missing, 40);
AT(score_histogram, unknown, 48);
AT(score_histogram, expected, 56);
AT(score_histogram, expected_missing, 64);
AT(score_histogram, expected_unknown, 72);
AT(score_histogram, sum, 80);

SIZE(score_reference_options, 32);
AT(score_reference_options, struct_size, 0);
AT(score_reference_options, plan, 8);
AT(score_reference_options, output, 16);
AT(score_reference_options, n_bins, 20);
AT(score_reference_options, n_categories, 24);
AT(score_reference_options, max_features, 28);

SIZE(score_drift, 112);
AT(score_drift, struct_size, 0);
AT(score_drift, level, 8);
AT(score_drift, chi2_df, 12);
AT(score_drift, expected_rows, 16);
AT(score_drift, actual_rows, 24);
AT(score_drift, psi, 32);
AT(score_drift, js_distance, 40);
AT(score_drift, ks_statistic, 48);
AT(score_drift, ks_p_value, 56);
AT(score_drift, chi2, 64);
AT(score_drift, chi2_p_value, 72);
AT(score_drift, missing_rate, 80);
AT(score_drift, missing_change, 88);
AT(score_drift, unknown_rate, 96);
AT(score_drift, noise, 104);

SIZE(score_prometheus_options, 16);
AT(score_prometheus_options, struct_size, 0);
AT(score_prometheus_options, flags, 8);

VALUE(SCORE_STATISTICS_NO_REFERENCE, 1);
VALUE(SCORE_MAX_EDGES, 32);
VALUE(SCORE_CALL_CONTINUED, 2);
VALUE(SCORE_DRIFT_UNKNOWN, 0);
VALUE(SCORE_DRIFT_STABLE, 1);
VALUE(SCORE_DRIFT_MODERATE, 2);
VALUE(SCORE_DRIFT_SHIFTED, 3);
VALUE(SCORE_PROMETHEUS_OPENMETRICS, 1);
VALUE(SCORE_PROMETHEUS_NO_FEATURES, 2);
VALUE(SCORE_PROMETHEUS_FEATURE_BINS, 4);

SIZE(score_call, 120);
AT(score_call, struct_size, 0);
AT(score_call, model, 8);
AT(score_call, plan, 16);
AT(score_call, input, 24);
AT(score_call, out, 32);
AT(score_call, out_width, 40);
AT(score_call, output, 48);
AT(score_call, status, 52);
AT(score_call, started_unix_ns, 56);
AT(score_call, latency_ns, 64);
AT(score_call, request_id, 72);
AT(score_call, endpoint, 80);
AT(score_call, served_name, 88);
AT(score_call, entity_name, 96);
AT(score_call, entity_version, 104);
AT(score_call, flags, 112);
AT(score_call, reserved, 116);

SIZE(score_capture_options, 80);
AT(score_capture_options, struct_size, 0);
AT(score_capture_options, allocator, 8);
AT(score_capture_options, directory, 16);
AT(score_capture_options, prefix, 24);
AT(score_capture_options, sampling_fraction, 32);
AT(score_capture_options, ring_bytes, 40);
AT(score_capture_options, max_record_bytes, 48);
AT(score_capture_options, segment_bytes, 56);
AT(score_capture_options, segment_age_ns, 64);
AT(score_capture_options, sync, 72);
AT(score_capture_options, reserved, 76);

SIZE(score_capture_info, 112);
AT(score_capture_info, struct_size, 0);
AT(score_capture_info, n_sampled_out, 8);
AT(score_capture_info, n_kept, 16);
AT(score_capture_info, n_lost_full, 24);
AT(score_capture_info, n_lost_size, 32);
AT(score_capture_info, n_lost_invalid, 40);
AT(score_capture_info, n_records, 48);
AT(score_capture_info, n_written, 56);
AT(score_capture_info, n_bytes, 64);
AT(score_capture_info, n_segments, 72);
AT(score_capture_info, n_failed_drains, 80);
AT(score_capture_info, ring_bytes, 88);
AT(score_capture_info, ring_used, 96);
AT(score_capture_info, last_drain, 104);
AT(score_capture_info, reserved, 108);

SIZE(score_log_options, 32);
AT(score_log_options, struct_size, 0);
AT(score_log_options, allocator, 8);
AT(score_log_options, max_frame_bytes, 16);
AT(score_log_options, max_memory_bytes, 24);

SIZE(score_log_model, 80);
AT(score_log_model, struct_size, 0);
AT(score_log_model, hash, 8);
AT(score_log_model, name, 24);
AT(score_log_model, link, 32);
AT(score_log_model, n_features, 40);
AT(score_log_model, n_outputs, 44);
AT(score_log_model, n_predictions, 48);
AT(score_log_model, n_labels, 52);
AT(score_log_model, features, 56);
AT(score_log_model, types, 64);
AT(score_log_model, labels, 72);

SIZE(score_log_value, 16);
AT(score_log_value, kind, 0);
AT(score_log_value, length, 4);
AT(score_log_value, u, 8);

SIZE(score_log_call, 136);
AT(score_log_call, struct_size, 0);
AT(score_log_call, model, 8);
AT(score_log_call, started_unix_ns, 16);
AT(score_log_call, latency_ns, 24);
AT(score_log_call, status, 32);
AT(score_log_call, output, 36);
AT(score_log_call, flags, 40);
AT(score_log_call, out_width, 44);
AT(score_log_call, sampling_fraction, 48);
AT(score_log_call, request_id, 56);
AT(score_log_call, endpoint, 64);
AT(score_log_call, served_name, 72);
AT(score_log_call, entity_name, 80);
AT(score_log_call, entity_version, 88);
AT(score_log_call, call_rows, 96);
AT(score_log_call, first_row, 104);
AT(score_log_call, n_rows, 112);
AT(score_log_call, segment, 116);
AT(score_log_call, inputs, 120);
AT(score_log_call, outputs, 128);

SIZE(score_log_segment, 304);
AT(score_log_segment, struct_size, 0);
AT(score_log_segment, path, 8);
AT(score_log_segment, is_closed, 16);
AT(score_log_segment, end, 20);
AT(score_log_segment, bytes, 24);
AT(score_log_segment, good_bytes, 32);
AT(score_log_segment, n_records, 40);
AT(score_log_segment, damage, 48);
VALUE(SCORE_CALL_SHADOW, 1);
VALUE(SCORE_CAPTURE_SYNC_NEVER, 0);
VALUE(SCORE_CAPTURE_SYNC_SEGMENT, 1);
VALUE(SCORE_CAPTURE_SYNC_DRAIN, 2);
VALUE(SCORE_LOG_MISSING, 0);
VALUE(SCORE_LOG_NUMBER, 1);
VALUE(SCORE_LOG_INTEGER, 2);
VALUE(SCORE_LOG_UNSIGNED, 3);
VALUE(SCORE_LOG_TEXT, 4);
VALUE(SCORE_LOG_WHOLE, 0);
VALUE(SCORE_LOG_TORN, 1);
VALUE(SCORE_LOG_CORRUPT, 2);

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
