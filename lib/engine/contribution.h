/*
 * What a contribution kernel works on: one tree for CONTRIBUTION_ROWS rows at once. docs/contributions.md has the formulas.
 *
 * A split's two sides have shares that add up to 1: of the training rows, or, against a row of a background, 0 and 1.
 */
#ifndef SL_ENGINE_CONTRIBUTION_H
#define SL_ENGINE_CONTRIBUTION_H

#include "../forest/forest.h"

/* Rows of a block; a kernel has a build for each. */
#define CONTRIBUTION_ROWS 32
#define CONTRIBUTION_FEW_ROWS 8

/* Points of the quadrature; twice as many different features may stand on a path. */
#define CONTRIBUTION_POINTS 128u

/* A forest_test in terms of codes: `code(column) > cut`, or bit `code(column)` of table `cut`. */
typedef struct question {
	uint32_t column;
	uint32_t cut;
} question;

/* What the short tests of a rule ask of codes: their own cut, or table `test - before`. */
typedef struct rule_question {
	uint32_t column;
	uint32_t before; /* tests that have no table, or RULE_OF_NUMBERS */
} rule_question;

#define RULE_OF_NUMBERS UINT32_MAX

/* By the number of the test; one of the two. Short tests of numbers are questions as they are, in models without sets: rules are
 * numbered as columns are. */
typedef struct question_list {
	const forest_short_test *narrow;
	const question *wide;
	const rule_question *rules; /* of narrow, in models with sets; or NULL */
} question_list;

static inline question question_at(const question_list *list, size_t test)
{
	if (!list->narrow)
		return list->wide[test];
	const forest_short_test t = list->narrow[test];
	if (!list->rules)
		return (question){t.rule, t.index};
	const rule_question *r = list->rules + t.rule;
	return (question){r->column, r->before == RULE_OF_NUMBERS ? t.index : (uint32_t)test - r->before};
}

/* What a column of categories has: those that its codes name, and bit tables of its questions, in which bit `code` answers "right". */
typedef struct column_tables {
	uint32_t n_categories;
	const uint32_t *categories; /* ascending */
	const uint8_t *bits;
	uint32_t first; /* table */
	uint32_t bytes; /* of each */
} column_tables;

static inline const uint8_t *engine_table(const column_tables *tables, const question *q)
{
	const column_tables *of_column = tables + q->column;
	return of_column->bits + (size_t)(q->cut - of_column->first) * of_column->bytes;
}

static inline uint32_t engine_table_bit(const uint8_t *table, uint32_t code)
{
	return (uint32_t)table[code / 8] >> (code % 8) & 1;
}

/* Where a column's contributions are added up. */
typedef struct contribution_column {
	uint32_t slot : 31; /* columns that are made of the same inputs share one */
	uint32_t is_category : 1;
} contribution_column;

/* A split between the root and the node at hand. */
typedef struct contribution_frame {
	forest_side at;
	uint32_t slot;
	int32_t before;  /* level of the last split above of the same slot; -1: none */
	bool right;      /* the side that is open */
	double share;    /* of the right side */
	double reach;    /* product of the shares of the open sides of this feature's splits, from the root to here */
} contribution_frame;

typedef struct contribution_tree {
	/* the tree */
	forest_side whole;
	uint32_t value; /* of a leaf's */
	/* the model */
	const forest *f; /* its covers are not used with `background` */
	const uint64_t *cover_ends; /* [leaves + 1] sums of the covers of the tree's first leaves, or NULL */
	const double *covers; /* of the tree's splits, or NULL: then the forest has them */
	question_list questions;
	const contribution_column *columns;
	const column_tables *tables;
	uint32_t code_bytes;
	uint32_t n_points;
	const double *points;  /* [n_points] in (0, 1), then their weights */
	/* the rows */
	const void *codes;      /* [n_columns][rows] */
	const void *background; /* codes of one row, or NULL */
	/* room; `levels` and `sums` are aligned to a cache line */
	contribution_frame *frames; /* as many as the tree is deep */
	double *levels;             /* of each level and one more */
	size_t level_stride;        /* contribution_level_doubles() */
	int32_t *last;              /* by slot: level of the last open split on it, or -1, as they must be before the call */
	double *sums;               /* [slot][rows]: what the tree gives is added */
} contribution_tree;

static inline double contribution_cover(const contribution_tree *c, const forest_side *side)
{
	if (c->cover_ends) {
		const uint64_t *first = c->cover_ends + (side->leaf - c->whole.leaf);
		return (double)(first[side->n_leaves] - first[0]);
	}
	if (forest_is_leaf(side))
		return forest_weight(&c->f->leaf_covers, side->leaf);
	return c->covers ? c->covers[side->split - c->whole.split] : forest_weight(&c->f->split_covers, side->split);
}

static inline double contribution_leaf(const contribution_tree *c, const forest_side *side)
{
	return forest_is_leaf(side) ? forest_real(&c->f->leaves, (size_t)side->leaf * c->f->leaf_width + c->value) : 0.0;
}

/* Of the training rows of a split, the share that goes right. */
static inline double engine_right_share(double left_cover, double right_cover)
{
	/* Where no training row came, both sides count alike. */
	return left_cover + right_cover > 0.0 ? right_cover / (left_cover + right_cover) : 0.5;
}

static inline bool contribution_table_says(const contribution_tree *c, const question *q, uint32_t code)
{
	return engine_table_bit(engine_table(c->tables, q), code);
}

/* Of one level: products of factors and the left side's result per point and row, three values per row, two per point. */
static inline size_t contribution_level_doubles(size_t n_points, size_t rows)
{
	return sl_round_up((3 * n_points + 2) * rows + 2 * n_points, SL_CACHE_LINE / sizeof(double));
}

#endif
