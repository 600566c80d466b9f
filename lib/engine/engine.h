/*
 * engine: a forest compiled for scoring, and the calls that score.
 *
 * Comes in: a checked forest, once; then blocks of rows through an input_view. Goes out: margins, predictions or leaf
 * numbers, bit-identical whatever regime, instruction set or block size served them.
 */
#ifndef SL_ENGINE_H
#define SL_ENGINE_H

#include "../forest/forest.h"
#include "../input/view.h"

typedef struct engine engine;

/* `isa` is AUTO or available on this processor. Everything is allocated in `arena`, of which a `small` engine takes less: it has no
 * batch regime. */
score_status engine_compile(const forest *f, score_isa isa, bool small, sl_arena *arena, engine **out, score_error *error);

bool engine_is_small(const engine *e);
score_isa engine_isa(const engine *e);
score_regime engine_batch_regime(const engine *e);
score_regime engine_row_regime(const engine *e);
uint32_t engine_code_bytes(const engine *e);
size_t engine_scratch_bytes(const engine *e);

/* One call: rows [0, view.n_rows), trees [tree_begin, tree_end). */
typedef struct engine_call {
	const input_view *view;
	score_output output;
	score_regime regime; /* AUTO, or one that engine_can_serve() */
	uint32_t tree_begin;
	uint32_t tree_end;
	void *scratch;
	size_t scratch_bytes;
	double *out;         /* [n_rows, values per row] */
	int64_t first_row;   /* of the view, that `out` begins with */
	size_t stack_taken;  /* bytes of the stack that `out` takes: regimes keep less there */
} engine_call;

/* NULL if the regime can serve the call, else why not. */
const char *engine_cannot_serve(const engine *e, const engine_call *call);
void engine_score(const engine *e, const engine_call *call);

/* Sums between trees: after every `step` trees and after the last, `visit` sees the running sums of some rows, [n_rows,
 * n_outputs], before average, scale and base. It returns false when these rows need no more trees. */
typedef struct engine_stages {
	uint32_t step;
	bool (*visit)(void *context, int64_t first_row, size_t n_rows, const double *sums, uint32_t tree_end);
	void *context;
} engine_stages;

/* Rows that `visit` sees at once, at most. */
#define ENGINE_STAGE_ROWS 512u

/* Regime AUTO, BATCH or WALK. False, and nothing done: the sums of a row fit neither the stack nor the scratch. */
bool engine_score_stages(const engine *e, const engine_call *call, const engine_stages *stages);
/* Bytes of scratch beyond engine_scratch_bytes() that make it fast. */
size_t engine_stages_scratch(const engine *e);

/* What the trees from some tree on can add to the single output of a model: at least, at most, and in magnitude. Tree
 * ENGINE_BOUND_TREES * i has bound i. NULL if the model has several outputs, or leaves that are linear in the row. */
typedef struct engine_bound {
	double low, high, magnitude;
} engine_bound;
#define ENGINE_BOUND_TREES 16u
const engine_bound *engine_bounds(const engine *e);

/* How a classifier decides, from the values of a row. The number of a class is 0 or 1 per value, or a position. */
typedef int32_t engine_class_kind;
#define ENGINE_CLASS_NONE 0               /* no classifier, as far as the model says */
#define ENGINE_CLASS_UNKNOWN 1            /* it says so in words that this library does not know */
#define ENGINE_CLASS_LARGEST_PREDICTION 2 /* position of the first largest */
#define ENGINE_CLASS_LARGEST_MARGIN 3
#define ENGINE_CLASS_PREDICTION_ABOVE 4   /* each > border */
#define ENGINE_CLASS_MARGIN_ABOVE 5
#define ENGINE_CLASS_MARGIN_AT_LEAST 6    /* each >= border */

typedef struct engine_class_rule {
	engine_class_kind kind;
	double border;
} engine_class_rule;

/* The rule of the source libraries' classifiers for a model of this link; NONE if it is no classifier's. */
engine_class_rule engine_default_class_rule(const forest *f);
/* Class numbers per row; 0 if the rule does not fit the model. */
size_t engine_class_width(const forest *f, const engine_class_rule *rule);
/* Bytes of scratch beyond engine_scratch_bytes() that make class numbers fast. */
size_t engine_class_scratch(const engine *e);
/* Class numbers into call->out, [n_rows, engine_class_width()]. False, and nothing done: the margins of a row fit neither
 * the stack nor the scratch. The call asks for margins. */
bool engine_score_classes(const engine *e, const engine_call *call, const engine_class_rule *rule);

/* ---- contributions ---------------------------------------------------------------------------------- */

/* Rows to compare with, as codes, and what the trees answer for them on average. */
typedef struct engine_background {
	size_t n_rows;
	const char *codes;      /* [n_rows][n_columns] */
	const double *expected; /* [n_trees, leaf_width] */
} engine_background;

/* NULL if the model has contributions, against a background if there is one, else why not. */
const char *engine_cannot_contribute(const engine *e, bool has_background);
/* Bytes of scratch that engine_contribute() needs. */
size_t engine_contribution_scratch(const engine *e);
score_status engine_make_background(const engine *e, const input_view *view, sl_arena *arena,
	const engine_background **out, score_error *error);
/* Contributions into call->out, [n_rows, n_outputs, n_features + 1]: of each feature, then what is expected. `background`
 * may be NULL. The scratch is large enough. */
void engine_contribute(const engine *e, const engine_call *call, const engine_background *background);

/* ---- codes instead of values ------------------------------------------------------------------------ */

/* NULL if the model's trees can be asked with codes, else why not. */
const char *engine_cannot_bin(const engine *e);
uint32_t engine_n_columns(const engine *e);
/* Of what the codes of all columns mean. */
const uint8_t *engine_bins_hash(const engine *e);

/* What the codes of one column mean, as in score_bin_column. */
typedef struct engine_column {
	uint32_t feature;
	uint32_t missing;
	bool is_category, zero_is_missing;
	uint32_t n_categories;
	const uint32_t *categories;
} engine_column;
engine_column engine_get_column(const engine *e, uint32_t column);

/* Codes of all rows of the view, columns `stride` codes apart. */
void engine_bin(const engine *e, const input_view *view, void *codes, size_t stride);

/* Values per row of an output over `n_trees` trees. */
size_t engine_output_width(const engine *e, score_output output, uint32_t n_trees);

/* Predictions from the margins of one row; the same array may be both if the link gives as many values as it takes. */
void engine_link_margins(const forest *f, uint32_t iterations, const double *margins, double *out);

/* ---- processor -------------------------------------------------------------------------------------- */

bool engine_isa_available(score_isa isa);
score_isa engine_best_isa(void);

#endif
