/*
 * Class numbers: margins of a block of rows by any regime, then the rule of the classifier, row by row.
 *
 * Comes in: a call for margins and a rule. Goes out: one class number per row, or, where a border decides, 0 or 1 per
 * value. Margins of several outputs need room of their own: the end of the caller's scratch, or a little of the stack.
 */
#include "parts.h"

#define STACK_MARGINS 96u /* of some rows */
#define MOST_STACK_MARGINS 256u /* of one row */
#define SCRATCH_MARGINS_BYTES ((size_t)256 << 10) /* asked for at most; at least one row */

engine_class_rule engine_default_class_rule(const forest *f)
{
	engine_class_rule rule = {ENGINE_CLASS_NONE, 0.0};
	bool single = f->contract.n_outputs == 1;
	switch (f->link) {
	case SCORE_LINK_SIGMOID_XGBOOST:
	case SCORE_LINK_HINGE:
		return (engine_class_rule){ENGINE_CLASS_PREDICTION_ABOVE, 0.5};
	case SCORE_LINK_SIGMOID: /* one per class: LightGBM's multiclassova */
		rule = (engine_class_rule){single ? ENGINE_CLASS_PREDICTION_ABOVE : ENGINE_CLASS_LARGEST_PREDICTION, 0.5};
		return rule;
	case SCORE_LINK_SOFTMAX_XGBOOST:
	case SCORE_LINK_SOFTMAX:
	case SCORE_LINK_SOFTMAX_CATBOOST:
	case SCORE_LINK_OVR_NORMALISED:
		rule.kind = single ? ENGINE_CLASS_NONE : ENGINE_CLASS_LARGEST_PREDICTION;
		return rule;
	case SCORE_LINK_ARGMAX:
		rule.kind = ENGINE_CLASS_LARGEST_MARGIN;
		return rule;
	case SCORE_LINK_BINARY_PAIR:
	case SCORE_LINK_SOFTMAX_PAIR:
		rule.kind = ENGINE_CLASS_MARGIN_ABOVE;
		return rule;
	default:
		return rule;
	}
}

size_t engine_class_width(const forest *f, const engine_class_rule *rule)
{
	uint32_t n_outputs = f->contract.n_outputs;
	switch (rule->kind) {
	case ENGINE_CLASS_LARGEST_PREDICTION:
		return f->n_predictions > 1 ? 1 : 0;
	case ENGINE_CLASS_LARGEST_MARGIN:
		return n_outputs > 1 || f->link == SCORE_LINK_ARGMAX ? 1 : 0;
	case ENGINE_CLASS_PREDICTION_ABOVE:
		return f->n_predictions == n_outputs ? n_outputs : 0;
	case ENGINE_CLASS_MARGIN_ABOVE:
	case ENGINE_CLASS_MARGIN_AT_LEAST:
		return n_outputs;
	default:
		return 0;
	}
}

static bool in_place(const forest *f, const engine_class_rule *rule)
{
	return engine_class_width(f, rule) == f->contract.n_outputs;
}

size_t engine_class_scratch(const engine *e)
{
	size_t row = e->f->contract.n_outputs * sizeof(double), rows = SCRATCH_MARGINS_BYTES / row;
	rows = rows > BLOCK_ROWS ? BLOCK_ROWS : rows;
	return e->f->contract.n_outputs == 1 ? 0 : sl_round_up((rows ? rows : 1) * row, SL_CACHE_LINE) + SL_CACHE_LINE;
}

/* As NumPy's argmax() does it, which the source libraries call: the first largest, a NaN above all. */
static double first_largest(const double *x, uint32_t n)
{
	uint32_t best = 0;
	for (uint32_t i = 1; i < n && x[best] == x[best]; i++) {
		if (x[i] > x[best] || x[i] != x[i])
			best = i;
	}
	return (double)best;
}

/* `values` are margins and may become predictions; `out` may be the same array. */
static void classify(const forest *f, const engine_class_rule *rule, uint32_t iterations, double *values, double *out)
{
	uint32_t n = f->contract.n_outputs;
	double both[2], predictions[FOREST_MAX_PART_OUTPUTS];
	if (rule->kind == ENGINE_CLASS_LARGEST_PREDICTION && f->link == SCORE_LINK_PARTS) {
		engine_link_row(f, iterations, values, predictions);
		out[0] = first_largest(predictions, f->n_predictions);
		return;
	}
	if (rule->kind == ENGINE_CLASS_LARGEST_PREDICTION && f->n_predictions > n) {
		engine_link_row(f, iterations, values, both);
		out[0] = first_largest(both, 2);
		return;
	}
	if (rule->kind == ENGINE_CLASS_LARGEST_PREDICTION || rule->kind == ENGINE_CLASS_PREDICTION_ABOVE)
		engine_link_row(f, iterations, values, values);
	if (rule->kind == ENGINE_CLASS_LARGEST_MARGIN && f->link == SCORE_LINK_ARGMAX)
		engine_link_row(f, iterations, values, out);
	else if (rule->kind == ENGINE_CLASS_LARGEST_PREDICTION || rule->kind == ENGINE_CLASS_LARGEST_MARGIN)
		out[0] = first_largest(values, n);
	else
		for (uint32_t i = 0; i < n; i++)
			out[i] = (rule->kind == ENGINE_CLASS_MARGIN_AT_LEAST ? values[i] >= rule->border : values[i] > rule->border);
}

/* `block` rows at a time, whose margins `part` has room for. */
static void classify_rows(const engine *e, const engine_call *call, engine_call *part, const engine_class_rule *rule, size_t block)
{
	const forest *f = e->f;
	size_t n_rows = (size_t)call->view->n_rows, width = engine_class_width(f, rule);
	uint32_t iterations = engine_iterations(e, call);
	for (size_t done = 0; done < n_rows; done += block) {
		row_range rows = {(int64_t)done, n_rows - done < block ? n_rows - done : block};
		part->first_row = part->out == call->out ? 0 : rows.first;
		engine_serve(e, part, rows);
		for (size_t r = 0; r < rows.n; r++)
			classify(f, rule, iterations, engine_row_out(part, rows.first + (int64_t)r, f->contract.n_outputs),
				call->out + ((size_t)rows.first + r) * width);
	}
}

static NEVER_INLINE void classify_on_stack(const engine *e, const engine_call *call, engine_call *part, const engine_class_rule *rule)
{
	double margins[STACK_MARGINS];
	part->out = margins;
	part->stack_taken = sizeof margins;
	/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): a model has at least one output */
	classify_rows(e, call, part, rule, STACK_MARGINS / e->f->contract.n_outputs);
	part->out = NULL; /* `margins` ends here */
}

static NEVER_INLINE void classify_many_on_stack(const engine *e, const engine_call *call, engine_call *part,
	const engine_class_rule *rule)
{
	double margins[MOST_STACK_MARGINS];
	part->out = margins;
	part->stack_taken = sizeof margins;
	classify_rows(e, call, part, rule, 1);
	part->out = NULL;
}

bool engine_classes(const engine *e, const engine_call *call, const engine_class_rule *rule)
{
	size_t n_outputs = e->f->contract.n_outputs, kept = engine_class_scratch(e);
	engine_call part = *call;
	part.output = SCORE_OUTPUT_MARGIN;
	if (in_place(e->f, rule)) {
		classify_rows(e, call, &part, rule, (size_t)call->view->n_rows);
		return true;
	}
	/* What is left must do for the regime, unless rows would not fit at all and any regime will do. */
	bool only_way = n_outputs > MOST_STACK_MARGINS && call->regime == SCORE_REGIME_AUTO;
	if (call->scratch_bytes >= kept + (only_way ? 0 : engine_scratch_bytes(e))) {
		part.out = (double *)(void *)sl_round_up((uintptr_t)call->scratch, SL_CACHE_LINE);
		part.scratch = (char *)call->scratch + kept;
		part.scratch_bytes -= kept;
		classify_rows(e, call, &part, rule, (kept - SL_CACHE_LINE) / (n_outputs * sizeof(double)));
	} else if (n_outputs <= STACK_MARGINS) {
		classify_on_stack(e, call, &part, rule);
	} else if (n_outputs <= MOST_STACK_MARGINS) {
		classify_many_on_stack(e, call, &part, rule);
	} else {
		return false;
	}
	return true;
}
