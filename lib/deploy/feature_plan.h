/*
 * What a feature plan knows: for every feature of the model a request column, or a column of a lookup.
 */
#ifndef DEPLOY_FEATURE_PLAN_H
#define DEPLOY_FEATURE_PLAN_H

#include "table.h"

/* One looked-up column that feeds a feature. */
typedef struct planned_column {
	uint32_t feature;      /* of the model                                              */
	uint32_t column;       /* of the table; position in the callback's list             */
	int64_t own;           /* request column whose values win, or -1                    */
	double fallback;       /* for what is missing; NaN: stays missing                   */
	const double *codes;   /* of the texts of the table that the plan was made with     */
	uint32_t n_codes;
} planned_column;

typedef struct planned_lookup {
	const char *name;
	score_table *table; /* the one that `codes` belong to; retained; NULL: callback */
	score_table_source *source;
	score_feature_callback callback;
	void *context;
	uint32_t keys[SFT_MAX_KEYS]; /* request columns */
	uint32_t n_keys;
	int64_t timestamp;           /* request column, or -1 */
	int64_t lookback;
	planned_column *columns;
	uint32_t n_columns;
	uint32_t first;              /* its columns' place among those of all lookups */
} planned_lookup;

struct score_feature_plan {
	score_allocator allocator;
	sl_arena arena;
	const score_model *model;
	uint32_t n_features;
	uint32_t n_request;
	uint32_t n_looked_up;
	score_dtype *types;   /* [n_request] */
	int64_t *own;         /* [n_features] request column of each feature, or -1 */
	planned_lookup *lookups;
	uint32_t n_lookups;
};

#endif
