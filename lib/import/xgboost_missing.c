/*
 * A value that counts as missing beside NaN (`missing=` of XGBoost's own functions; its files do not hold it).
 *
 * Comes in: that value, and the trees. Goes out: a derived column for each feature that is asked, with NaN in the
 * value's place; trees and weights then name these columns. As in XGBoost, rows are rounded to float before they are
 * compared with it.
 */
#include "xgboost.h"

#include <math.h>

static score_status add_column(score_builder *builder, float missing, uint32_t source, uint32_t *column,
	score_error *error)
{
	const score_step steps[] = {
		{.operation = SCORE_STEP_IDENTITY, .flags = SCORE_STEP_F32},
		{.operation = SCORE_STEP_REPLACE, .a = (double)missing, .b = (double)NAN},
	};
	score_column_program program = SCORE_COLUMN_PROGRAM_INIT;
	program.source = source;
	program.steps = steps;
	program.n_steps = sizeof steps / sizeof steps[0];
	return score_builder_add_column(builder, &program, column, error);
}

#define WANTED UINT32_MAX

/* A split on a feature that does not exist could otherwise meet a column of another one. */
static score_status mark_features(const xgb_file *f, size_t number, uint32_t n_features, uint32_t *column,
	score_error *error)
{
	const xgb_tree *tree = (const xgb_tree *)f->trees.data + number;
	const xgb_node *nodes = (const xgb_node *)f->nodes.data + tree->first_node;
	for (uint32_t k = 0; k < tree->n_nodes; k++) {
		if (nodes[k].test == SCORE_TEST_LEAF)
			continue;
		if (nodes[k].feature >= n_features)
			return sl_fail_at(error, SCORE_ERR_CORRUPT, tree->offset, -1,
				"tree %zu: node %u tests feature %u, the model has %u features", number, k, nodes[k].feature, n_features);
		column[nodes[k].feature] = WANTED;
	}
	return SCORE_OK;
}

score_status import_xgb_add_missing(const xgb_file *f, float missing, const xgb_range *trees,
	uint32_t n_features, score_builder *builder, uint32_t *column, score_error *error)
{
	score_status status = SCORE_OK;
	for (uint32_t i = 0; i < n_features; i++)
		column[i] = trees ? i : WANTED;
	for (size_t i = trees ? trees->begin : 0; trees && i < trees->end && status == SCORE_OK; i++)
		status = mark_features(f, i, n_features, column, error);
	for (uint32_t i = 0; i < n_features && status == SCORE_OK; i++) {
		if (column[i] == WANTED)
			status = add_column(builder, missing, i, column + i, error);
	}
	return status;
}
