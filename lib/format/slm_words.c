/*
 * The words of the header: names of sections and of every constant that a header carries. They are part of the file
 * format: a name never changes its meaning, and new ones are only ever added.
 */
#include "slm_layout.h"

const char *const slm_section_names[SLM_N_SECTIONS] = {
	[SLM_CUTS] = "cuts",
	[SLM_CUT_TESTS] = "cut_tests",
	[SLM_SET_SIZES] = "set_sizes",
	[SLM_SET_FIRSTS] = "set_firsts",
	[SLM_SET_GAPS] = "set_gaps",
	[SLM_SET_TEST_FEATURES] = "set_test_features",
	[SLM_SET_TEST_SETS] = "set_test_sets",
	[SLM_SET_TEST_FLAGS] = "set_test_flags",
	[SLM_TREE_OUTPUTS] = "tree_outputs",
	[SLM_TOPOLOGY] = "topology",
	[SLM_SPLIT_TESTS] = "split_tests",
	[SLM_LEAVES] = "leaves",
	[SLM_LEAF_ID_EXPLICIT] = "leaf_id_explicit",
	[SLM_LEAF_IDS] = "leaf_ids",
	[SLM_BASE] = "base",
	[SLM_LINEAR_WEIGHTS] = "linear_weights",
	[SLM_GOLDEN_ROWS] = "golden_rows",
	[SLM_GOLDEN_MARGINS] = "golden_margins",
	[SLM_LEAF_COVERS] = "leaf_covers",
	[SLM_SPLIT_COVERS] = "split_covers",
	[SLM_LABEL_SIZES] = "label_sizes",
	[SLM_LABEL_TEXT] = "label_text",
	[SLM_LABEL_CODES] = "label_codes",
	[SLM_DERIVED_CUTS] = "derived_cuts",
	[SLM_DERIVED_ROOTS] = "derived_roots",
	[SLM_DERIVED_SOURCES] = "derived_sources",
	[SLM_DERIVED_LISTS] = "derived_lists",
	[SLM_DERIVED_HASHES] = "derived_hashes",
	[SLM_DERIVED_LEAST] = "derived_least",
	[SLM_DERIVED_STEPS] = "derived_steps",
	[SLM_STEP_OPERATIONS] = "step_operations",
	[SLM_STEP_A] = "step_a",
	[SLM_STEP_B] = "step_b",
	[SLM_STEP_KEYS] = "step_keys",
	[SLM_STEP_VALUES] = "step_values",
	[SLM_LIST_SIZES] = "list_sizes",
	[SLM_LIST_MEMBERS] = "list_members",
	[SLM_TABLE_SIZES] = "table_sizes",
	[SLM_TABLE_VALUES] = "table_values",
	[SLM_HASH_SIZES] = "hash_sizes",
	[SLM_HASH_LOW] = "hash_low",
	[SLM_HASH_HIGH] = "hash_high",
	[SLM_LEAF_CONSTANTS] = "leaf_constants",
	[SLM_LEAF_TERMS] = "leaf_terms",
	[SLM_TERM_FEATURES] = "term_features",
	[SLM_TERM_COEFFICIENTS] = "term_coefficients",
};

const char *const slm_requirement_names[SLM_N_REQUIREMENTS] = {
	[SLM_NEEDS_DERIVED] = "derived_columns",
	[SLM_NEEDS_SLOPE] = "link_slope",
	[SLM_NEEDS_LINEAR_LEAVES] = "linear_leaves",
	[SLM_NEEDS_PARTS] = "parts",
};

#define WORDS(NAME, ...) \
	static const char *const NAME##_names[] = { __VA_ARGS__ }; \
	const slm_words slm_words_##NAME = { NAME##_names, sizeof NAME##_names / sizeof NAME##_names[0] }

/* Position is the constant; kinds and dtypes start at 1 and leave position 0 empty. */
WORDS(kind, "", "trees", "linear");
WORDS(dtype, "", "f32", "f64");
WORDS(base, "first", "last");
WORDS(average, "none", "margin", "prediction", "scale");
WORDS(category, "truncate", "nonnegative", "cityhash32", "exact");
WORDS(feature, "numeric", "category");
WORDS(vote, "none", "largest", "above", "at_least");
WORDS(combine, "sum", "median");
WORDS(leaf_rule, "leaf-order", "preorder", "level-order");

/* The links' words are the library's own, which its users read too. */
const slm_words slm_words_link = {forest_link_names, FOREST_N_LINKS};
