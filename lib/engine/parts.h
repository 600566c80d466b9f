/* engine: the compiled model and what the regimes share. Private to lib/engine. */
#ifndef SL_ENGINE_PARTS_H
#define SL_ENGINE_PARTS_H

#include "../input/derived.h"
#include "engine.h"
#include "kernels.h"
#include "link.h"

#include <math.h>

/* What a code column says of a missing value: the lowest code, so that every test answers left, or the highest. */
typedef uint8_t missing_code;
#define MISSING_LOW 0
#define MISSING_HIGH 1

/*
 * One feature as codes. A numeric column's code is the number of cuts <= x, so that `x >= cut i` is `code > i`. A feature
 * whose tests differ in their rule for missing values has one column per rule. A category column's code is 1 + the
 * position of the category in its column_tables, 0 for any other value, n_categories + 1 for missing; its tests look the code
 * up in a bit table.
 */
typedef struct code_column {
	uint32_t feature : 24; /* as in a forest_test */
	uint32_t missing : 1;  /* missing_code */
	uint32_t zero_is_missing : 2;
	uint32_t is_category : 1;
} code_column;

/* Trees that share one list of predicates, computed just before them, small enough for the second-level cache. */
typedef struct tree_group {
	uint32_t first_tree, n_trees;
	uint32_t first_run, n_runs; /* into runs */
} tree_group;

/* Predicates of one column in a group: planes [slot, slot + n) = code > cuts[i], or table look-ups. */
typedef struct predicate_run {
	uint32_t column;
	uint16_t slot;
	uint16_t n;
	uint32_t first; /* into cuts8, cuts16 or, for a category column, set_cuts */
} predicate_run;

/* One tree of the batch regime. */
typedef struct tree_program {
	union {
		const uint64_t *pairs; /* as in select_pair */
		const uint16_t *full_slots; /* of a full tree */
	};
	const void *table;   /* of the kernels' layout; a vector tree has one per output. Of linear leaves uint8_t leaf numbers */
	const cursor_step *steps;
	const long_codes *codes; /* not NULL: `planes` are those of the high byte, and tables are by leaf number */
	uint16_t n_pairs;
	uint16_t n_steps;    /* not 0: narrow blocks of up to CURSOR_ROWS rows follow cursors instead */
	uint16_t planes[8];  /* slot of each bit of the leaf code, lowest first */
	uint8_t n_planes;    /* of the leaf code */
	uint8_t leaf_planes; /* not 0: leaf_table */
	uint8_t full_depth;  /* not 0: full_tree() serves it, with 2^depth - 1 slots */
	uint8_t start;       /* of its cursors */
	bool folded;         /* a code_fold lies before its table, which is by the places that it gives */
} tree_program;

typedef struct batch_plan {
	bool usable;
	uint32_t n_groups, n_slots; /* slots of the largest group */
	uint32_t operations;        /* what a tree costs a block, in select operations */
	uint32_t narrow_rows;       /* of a call or its end, at most, that is faster in narrow blocks */
	const tree_group *groups;
	const predicate_run *runs;
	const uint8_t *cuts8;
	const uint16_t *cuts16;
	const uint32_t *set_cuts;
	const tree_program *trees;
} batch_plan;

/* Nodes of the walk regime; siblings are adjacent, a leaf leads to itself. Where trees have few leaves, a leaf's column is its number, and
 * its cut the highest; else what a leaf has is kept by place, for pairs with a leaf only, which come last in a tree. Of small models and
 * those with sets a leaf's column is behind those of the model, where codes are 0: what is above the first of them and the cut are the high
 * and the low bits of its number, which takes less room than places and some time. The smallest kind that fits serves all trees of a model: small nodes want codes of one
 * byte, at most 256 columns and 65,536 nodes per tree, and no sets. Of at most 256 nodes per tree those of many columns take as little for
 * codes of one byte, without sets, and those of many cuts for 256 columns. Short ones want only 65,536 nodes per tree. In models with
 * sets leaves are always behind the columns, and a node that asks one is marked: where `left` has two bytes or less, in its cut. */
typedef struct walk_small_node {
	uint16_t left;
	uint8_t column;
	uint8_t cut;
} walk_small_node;

typedef struct walk_columns_node {
	uint16_t column;
	uint8_t left;
	uint8_t cut;
} walk_columns_node;

typedef struct walk_cuts_node {
	uint16_t cut;
	uint8_t left;
	uint8_t column;
} walk_cuts_node;

typedef struct walk_short_node {
	uint16_t left;
	uint16_t column;
	uint16_t cut;
} walk_short_node;

typedef struct walk_node {
	uint32_t left;   /* node of the same tree; WALK_SET marks a table look-up */
	uint16_t column;
	uint16_t cut;
} walk_node;

typedef struct walk_wide_node {
	uint32_t left;
	uint32_t column;
	uint32_t cut;
} walk_wide_node;

#define WALK_SET 0x80000000u
#define WALK_CUT_SET 0x8000u

typedef struct walk_tree {
	uint32_t first_node;
	uint32_t first_place; /* add a leaf's number, or its node counted within the tree, for its place among all leaves (modulo 2^32) */
	uint32_t depth;
} walk_tree;

typedef struct walk_plan {
	const walk_small_node *small_nodes; /* one of the six; wide ones when code_bytes is 4 */
	const walk_columns_node *columns_nodes;
	const walk_cuts_node *cuts_nodes;
	const walk_short_node *short_nodes;
	const walk_node *nodes;
	const walk_wide_node *wide_nodes;
	forest_numbers leaf_of_place;     /* counted within the tree; no values: places are leaves, counted in the model */
	const float *values_f32;          /* leaf values by place: one of the two, none for vector leaves; the forest's own where places are leaves */
	const double *values_f64;
	const walk_tree *trees;           /* NULL: there are no nodes */
	uint32_t read_codes; /* of a row: walks read as many, of which those behind the columns decide nothing */
	uint32_t n_pads;     /* codes behind those of each row, which are 0; not 0: leaves have columns there */
	bool numbered;       /* leaves have their numbers for columns */
	bool eight;          /* eight rows at a time may walk in registers */
} walk_plan;

/* Features of linear leaves: a block's values are fetched once. */
typedef struct term_plan {
	uint32_t n_features;
	const uint32_t *features; /* [n_features] ascending */
	const uint32_t *slots;    /* [n_terms] place of each term's feature among them */
	const uint16_t *place;    /* [BLOCK_ROWS] where the kernels put the leaf code of each row */
	const uint16_t *narrow_place; /* the same for e->k->narrow */
} term_plan;

/* What contributions need beside the forest; contribution.h. */
typedef struct contribution_plan {
	uint32_t n_slots;                   /* one for each input, or list of inputs, that columns are made of */
	const uint32_t *slot_columns;       /* [n_slots] a column of the model that is made of them */
	const contribution_column *columns; /* [n_columns] */
	const uint8_t *n_points;            /* [n_trees] 0 for a tree of one leaf */
	const double *const *points;        /* by number of points; NULL where no tree needs so many */
	const uint32_t *order;              /* trees by output, then by number */
	const uint32_t *first;              /* [n_outputs + 1] into order; with vector leaves order is just all trees */
	const double *expected;             /* [n_trees, leaf_width] over the training rows, or NULL without covers */
	uint32_t most_features;             /* different ones on a path */
	uint32_t depth;
	uint32_t summed_splits;             /* of a tree, at most, whose covers are summed; 0: they are known or unknown */
	size_t level_doubles;               /* of CONTRIBUTION_ROWS rows of the tree that needs most for all its levels */
} contribution_plan;

struct engine {
	const forest *f;
	const kernels *k;
	uint32_t n_columns;
	uint32_t code_bytes;          /* 1, 2 or 4 */
	bool small;                   /* without a batch plan */
	uint32_t n_used_features;     /* inputs and derived columns of the model */
	uint32_t n_used_inputs;       /* the first ones */
	const uint32_t *used_features; /* ascending; those that a column is made of */
	const uint32_t *first_column;  /* [n_used_features + 1] */
	const code_column *columns;    /* by feature */
	bool plain_columns;            /* one of each used feature, in whose numbers only NaN is missing */
	const bin_table *bins;         /* [n_used_features] */
	const uint32_t *places;        /* [n_columns + 1] of the codes of a block with sliced columns, in planes; NULL: none are */
	question_list questions;       /* [f->n_tests] */
	uint32_t n_tables;
	const column_tables *tables;   /* [n_columns] or NULL: there are no sets */
	batch_plan batch;
	uint32_t batch_rows;           /* from so many on the batch regime is faster than any other that serves the model */
	const level_tree *levels;      /* of a model of oblivious trees whose kernels need no planes for them; or NULL */
	const level_planes *level_planes; /* of the same model */
	page_plan pages;               /* of deep trees; the walk has no nodes then */
	walk_plan walk;
	row_plan rows;
	contribution_plan contribution;
	const float *linear_narrow; /* weights of a linear model that sums in float, for kernels that take whole rows; or NULL */
	term_plan terms; /* of a model with linear leaves */
	const engine_bound *bounds; /* see engine_bounds() */
	uint8_t bins_hash[16];      /* see engine_bins_hash() */
};

/* Rows [first, first + n) of the call. */
typedef struct row_range {
	int64_t first;
	size_t n;
} row_range;

/* ---- compile: each fills its part of the engine ------------------------------------------------------- */

score_status engine_make_columns(engine *e, sl_arena *arena, score_error *error);
/* The maps of a table whose cuts are there; false: no memory. `wide` is NULL or becomes the table's. e->code_bytes is known. */
bool engine_make_bin_maps(const engine *e, sl_arena *arena, bin_table *t, wide_cuts *wide);
/* After the batch plan. */
score_status engine_make_pages(engine *e, sl_arena *arena, score_error *error);
score_status engine_make_batch(engine *e, sl_arena *arena, score_error *error);
/* Where the codes of the batch regime's blocks lie if those of columns of few cuts are sliced: of a feature all columns or none. */
score_status engine_make_places(engine *e, sl_arena *arena, score_error *error);
/* After the batch plan. */
score_status engine_make_levels(engine *e, sl_arena *arena, score_error *error);
score_status engine_make_rows(engine *e, sl_arena *arena, score_error *error);
/* Values of scalar leaves, leaf by leaf, in the type of sums: the forest's own where they are as wide, else a copy. NULL: no memory. */
const void *engine_leaf_values(const forest *f, sl_arena *arena);
/* Trees of so many splits, more than NUMBERED_LEAVES, have nodes of four bytes if they have any. */
bool engine_has_small_nodes(const engine *e, size_t most_splits);
/* After the row plan. */
score_status engine_make_walk(engine *e, sl_arena *arena, score_error *error);
score_status engine_make_contribution(engine *e, sl_arena *arena, score_error *error);
score_status engine_make_linear(engine *e, sl_arena *arena, score_error *error);
score_status engine_make_terms(engine *e, sl_arena *arena, score_error *error);
score_status engine_make_bounds(engine *e, sl_arena *arena, score_error *error);
/* Columns and bins are there. */
score_status engine_hash_bins(engine *e, const score_allocator *allocator, score_error *error);

/* ---- bin ---------------------------------------------------------------------------------------------- */

/* Codes of all columns for one run of at most BLOCK_ROWS rows, column by column: column c starts at
 * codes + c * BLOCK_ROWS * code_bytes, or, of a `sliced` block, of byte codes, at codes + engine_place(). Rows up to `padded` get some
 * code, of a sliced block up to BLOCK_ROWS. Rows that are codes already are not sliced. */
void engine_bin_columns(const engine *e, const input_view *view, row_range rows, size_t padded, bool sliced, void *tile, void *codes);

/* Planes of a column's codes; 0: they are bytes, which take the room of 8. */
static inline uint32_t engine_slices(const engine *e, uint32_t column)
{
	uint32_t planes = e->places[column + 1] - e->places[column];
	return planes < 8 ? planes : 0;
}

static inline size_t engine_place(const engine *e, uint32_t column)
{
	return e->places[column] * SLICE_WORDS * sizeof(uint64_t);
}

/* The same for the columns of one used feature alone, unpadded; not for rows that are codes already. */
void engine_bin_used(const engine *e, const input_view *view, row_range rows, uint32_t used, void *tile, void *codes);
/* The cache lines of some rows in a view's columns, one column after the other, that are still to be asked for. */
typedef struct column_lines {
	const input_view *view; /* of columns */
	row_range rows;
	uint32_t next;          /* used feature */
	const char *at;
	size_t lines;           /* of the one before */
} column_lines;

/* Ask for so many more of them, into the second-level cache: the first one has room for few requests at once, and what is to be binned
 * meanwhile would wait for its own lines behind them. */
void engine_fetch_columns(const engine *e, column_lines *ahead, size_t n_lines);
/* Bytes of `tile`. */
#define BIN_TILE_BYTES ((size_t)16 * TILE_ROWS * sizeof(double))

/* Compares as float whatever the model compares in: float input, or a model that rounds its input to float. */
static inline bool engine_uses_narrow(const engine *e, const input_view *view)
{
	return e->f->contract.compare == SCORE_F32 || view->all_f32;
}

/* The same for derived columns, which are computed in double. */
static inline bool engine_derives_narrow(const engine *e)
{
	return e->f->contract.compare == SCORE_F32;
}

static inline bool engine_is_missing(const code_column *column, double x)
{
	return x != x || (column->zero_is_missing && fabs(x) <= FOREST_ZERO);
}

/* Codes of one row, one after the other. */
void engine_bin_row(const engine *e, const input_view *view, int64_t row, void *codes);
/* The same for some rows, `stride` codes apart, of byte codes of a model without categories, by kernels that have the row regime. */
void engine_bin_rows8(const engine *e, const input_view *view, row_range rows, uint8_t *codes, size_t stride);

/* Byte codes of up to eight rows that are values: column c starts at codes + 8 * c. */
void engine_bin_eight(const engine *e, const input_view *view, row_range rows, uint8_t *codes);
/* engine_bin() under the default control word. */
void engine_bin_table(const engine *e, const input_view *view, void *codes, size_t stride);
/* What the above do with rows that are codes already. */
void engine_copy_columns(const engine *e, const input_view *view, row_range rows, void *codes);
void engine_copy_row(const engine *e, const input_view *view, int64_t row, void *codes);
uint32_t engine_code_at(const engine *e, const input_view *view, uint32_t column, int64_t row);
/* Answer of a test: true is right. */
bool engine_answers_right(const engine *e, const question *q, uint32_t code);

/* ---- linear leaves --------------------------------------------------------------------------------------- */

static inline bool engine_has_linear_leaves(const engine *e)
{
	return e->f->linear_leaves.first_term != NULL;
}

/* Value of a leaf, counted in the model, for one row, from the caller's memory. */
double engine_linear_leaf(const engine *e, const input_view *view, int64_t row, uint32_t leaf);
/* Add a leaf, counted in the model, to the sums of one row, from the forest's own values. */
void engine_add_leaf(const engine *e, const input_view *view, int64_t row, uint32_t tree, uint32_t leaf, double *sums);
/* The values that terms name, of at most BLOCK_ROWS rows: slot after slot, BLOCK_ROWS apart. */
void engine_fetch_terms(const engine *e, const input_view *view, row_range rows, double *values);
/* The same leaf for row `r` of those. */
double engine_linear_leaf_of_block(const engine *e, const double *values, size_t r, uint32_t leaf);

/* ---- contributions --------------------------------------------------------------------------------------- */

/* Points of a Gauss-Legendre quadrature on (0, 1), ascending, then their weights. Exact for polynomials of degree 2n - 1. */
void engine_gauss_legendre(uint32_t n, double *points);

/* The inputs that a column is made of, as far as contributions go: one, which `list` is NULL for, or `n` of a list of columns
 * of one input each. A column that is divided by a norm counts as the one that is divided. Of a combination that has
 * categories only these count, as in CatBoost. */
typedef struct column_inputs {
	uint32_t one;
	uint32_t n;
	const uint32_t *list;
	uint32_t length;      /* of the list */
	bool categories_only;
} column_inputs;

column_inputs engine_column_inputs(const forest *f, uint32_t column);
/* The input of a column that is made of one. */
uint32_t engine_column_input(const forest *f, uint32_t column);

/* What engine_contribute() and engine_make_background() do under the default control word. */
void engine_contribute_rows(const engine *e, const engine_call *call, const engine_background *background);
score_status engine_compile_background(const engine *e, const input_view *view, sl_arena *arena,
	const engine_background **out, score_error *error);

/* ---- regimes ------------------------------------------------------------------------------------------ */

/* Compare values with cuts as they lie in the caller's memory. No scratch, any width: the last resort. */
void engine_direct(const engine *e, const engine_call *call, row_range rows);
/* Few rows of floats or doubles, summed in `sum`; sums stand as linear_rows says. */
void engine_linear_few_rows(const linear_rows *rows, score_dtype value, score_dtype sum, const double *weights, void *sums);
void engine_linear(const engine *e, const engine_call *call, row_range rows);

size_t engine_batch_scratch(const engine *e);
void engine_batch(const engine *e, const engine_call *call, row_range rows);

/* Scratch that makes the walk fast; any smaller amount works. */
size_t engine_walk_scratch(const engine *e);
bool engine_walk_fits(const engine *e, const engine_call *call);
void engine_walk(const engine *e, const engine_call *call, row_range rows);
/* Codes of a row that walks. */
static inline size_t engine_row_codes(const engine *e)
{
	return (size_t)e->n_columns + e->walk.n_pads;
}
/* Up to eight rows, faster: whether a model's nodes are such that it can, and whether it can serve a call to it. */
bool engine_fits_eight(const engine *e, uint32_t most_splits);
bool engine_walks_eight(const engine *e, const engine_call *call);
void engine_walk_eight(const engine *e, const engine_call *call, row_range rows);

/* The walk of a model that has pages. */
size_t engine_pages_scratch(const engine *e);
void engine_walk_pages(const engine *e, const engine_call *call, row_range rows);
/* Codes of one row, aligned to a cache line, and what the call's trees add to its sums. */
void engine_bin_page_row(const engine *e, const engine_call *call, int64_t row, void *codes);
void engine_sum_page_row(const engine *e, const engine_call *call, int64_t row, const void *codes, double *sums);

/* NULL if the row regime can serve the call, else why not. */
const char *engine_rows_cannot(const engine *e, const engine_call *call);
void engine_rows(const engine *e, const engine_call *call, row_range rows);
/* It can serve every call: nobody needs nodes. */
bool engine_rows_serve_all(const engine *e);

/* Outputs whose sums fit on the stack when the output row has no room for them. */
#define OUTPUTS_ON_STACK 64u

/* The output row has no room: it has fewer predictions than a row has sums. */
static inline bool engine_lacks_room(const engine *e, const engine_call *call)
{
	return call->output == SCORE_OUTPUT_PREDICTION && e->f->n_predictions < e->f->contract.n_outputs;
}

/* Sums of one row before the first tree, and what becomes of them after the last: of margins, `sums` is `out`. */
void engine_start_sums(const forest *f, double *sums);
void engine_finish_row(const engine *e, const engine_call *call, double *sums, double *out);

/* engine_score_stages() by one regime. `room` has place for the sums of ENGINE_STAGE_ROWS rows (batch; twice) or of one
 * (walk, rows). */
void engine_batch_stages(const engine *e, const engine_call *call, const engine_stages *stages, double *room);
void engine_walk_stages(const engine *e, const engine_call *call, const engine_stages *stages, double *room);
void engine_rows_stages(const engine *e, const engine_call *call, const engine_stages *stages, double *room);
/* NULL if the regime can serve the call, else why not. */
const char *engine_batch_cannot(const engine *e, const engine_call *call);
/* Rows from which on a block is faster than as many walks of one row. A block of few rows costs what its operations cost, whatever
 * their number. */
static inline uint32_t engine_batch_instead_of_rows(const engine *e)
{
	return 12 + e->batch.operations / 24;
}
bool engine_serve_stages(const engine *e, const engine_call *call, const engine_stages *stages);

/* engine_score_classes() under the caller's control word. */
bool engine_classes(const engine *e, const engine_call *call, const engine_class_rule *rule);

/* Score some of the call's rows, under the caller's floating-point control word. */
void engine_serve(const engine *e, const engine_call *call, row_range rows);

/* Where a row's values go. */
static inline double *engine_row_out(const engine_call *call, int64_t row, size_t width)
{
	return call->out + (size_t)(row - call->first_row) * width;
}

/* One addition in the contract's type. */
static inline double engine_add(const forest *f, double sum, double x)
{
	return f->contract.sum == SCORE_F32 ? (double)((float)sum + (float)x) : sum + x;
}

/* Boosting iterations in the call's tree range. */
static inline uint32_t engine_iterations(const engine *e, const engine_call *call)
{
	return (call->tree_end - call->tree_begin) / e->f->contract.trees_per_iteration;
}

#endif
