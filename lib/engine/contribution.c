/*
 * Contributions: what each feature adds to a row's margin, as Shapley values of the trees. docs/contributions.md.
 *
 * Comes in: rows through the view, a block of them at a time as codes. Goes out: a row of contributions per output, whose
 * sum is the margin. Kernels take one tree of an output after the other; nothing depends on where blocks begin.
 */
#include "parts.h"

/* Room in the caller's scratch. */
typedef struct contribution_room {
	char *row;   /* codes of one row */
	char *codes; /* [n_columns][rows] */
	double *sums; /* [slot][rows] */
	double *levels;
	contribution_frame *frames;
	int32_t *last;
	double *covers; /* of a tree's leaves and splits, from its `children` */
	forest_children children;
	uint64_t *cover_ends;
} contribution_room;

/* Lay the room out from `base` (NULL: only measure) and return its size. */
static size_t lay_out(const engine *e, char *base, contribution_room *room)
{
	const contribution_plan *plan = &e->contribution;
	size_t row = (size_t)e->n_columns * e->code_bytes, sums = (size_t)plan->n_slots * sizeof(double);
	const size_t sizes[] = {row, row * CONTRIBUTION_ROWS, sums * CONTRIBUTION_ROWS, plan->level_doubles * sizeof(double),
		plan->depth * sizeof(contribution_frame), (size_t)plan->n_slots * sizeof(int32_t), (2 * (size_t)plan->summed_splits + 1) * sizeof(double),
		((size_t)plan->summed_splits + 1) * sizeof(int32_t), ((size_t)plan->summed_splits + 1) * sizeof(int32_t)};
	size_t at[10] = {0};
	for (size_t i = 0; i < 9; i++)
		at[i + 1] = at[i] + sl_round_up(sizes[i], SL_CACHE_LINE);
	if (base) {
		room->row = base;
		room->codes = base + at[1];
		room->sums = (double *)(void *)(base + at[2]);
		room->levels = (double *)(void *)(base + at[3]);
		room->frames = (contribution_frame *)(void *)(base + at[4]);
		room->last = (int32_t *)(void *)(base + at[5]);
		room->covers = (double *)(void *)(base + at[6]);
		room->cover_ends = (uint64_t *)(void *)(base + at[6]);
		room->children = (forest_children){(int32_t *)(void *)(base + at[7]), (int32_t *)(void *)(base + at[8]), 0};
	}
	return at[9];
}

size_t engine_contribution_scratch(const engine *e)
{
	contribution_room unused;
	return e->f->kind == SCORE_KIND_LINEAR ? 0 : lay_out(e, NULL, &unused) + SL_CACHE_LINE;
}

const char *engine_cannot_contribute(const engine *e, bool has_background)
{
	if (e->f->kind == SCORE_KIND_LINEAR)
		return has_background ? "a linear model needs no background" : NULL;
	if (engine_has_linear_leaves(e))
		return "the trees have linear leaves, for which LightGBM has no contributions either";
	if (e->contribution.most_features > 2 * CONTRIBUTION_POINTS)
		return "a tree asks more than 256 different features on one path";
	if (!has_background && !e->contribution.expected)
		return "the model has no covers (weights of training rows): convert it from a file that has them, or give a "
			"background";
	return NULL;
}

/* ---- what is written ---------------------------------------------------------------------------------------------- */

/* A column's contribution goes to its input; of several inputs to each alike. */
static void give(const forest *f, uint32_t column, double x, double *out)
{
	column_inputs inputs = engine_column_inputs(f, column);
	if (!inputs.list)
		out[inputs.one] += x;
	for (uint32_t i = 0; inputs.list && i < inputs.length; i++) {
		uint32_t input = engine_column_input(f, inputs.list[i]);
		if (!inputs.categories_only || f->features[input].type == SCORE_FEATURE_CATEGORY)
			out[input] += x / inputs.n;
	}
}

/* What the contract does to the sum of the trees, or of a linear model. */
static double factor_of(const engine *e, const engine_call *call)
{
	const score_contract *c = &e->f->contract;
	uint32_t iterations = engine_iterations(e, call);
	if (c->base_position == SCORE_BASE_FIRST)
		return 1.0;
	if (c->average == SCORE_AVERAGE_SCALE)
		return 1.0 / c->scale;
	return c->average == SCORE_AVERAGE_MARGIN && iterations ? c->scale / iterations : c->scale;
}

/* ---- linear ----------------------------------------------------------------------------------------------------- */

static void contribute_linear(const engine *e, const engine_call *call)
{
	const forest *f = e->f;
	const double *weights = f->linear_weights;
	size_t n_outputs = f->contract.n_outputs, n = f->n_features;
	double *out = call->out, factor = factor_of(e, call), room[INPUT_MEMO_BYTES(1, 1) / sizeof(double)];
	for (int64_t r = 0; r < call->view->n_rows; r++, out += n_outputs * (n + 1)) {
		input_memo memo;
		input_memo_begin(&memo, 1, room, 1);
		memset(out, 0, n_outputs * (n + 1) * sizeof *out);
		for (uint32_t i = f->linear_first; i < forest_columns(f); i++) {
			double x;
			input_column_run(f, call->view, i, r, 1, &memo, &x);
			if (f->contract.compare == SCORE_F32)
				x = (double)(float)x;
			for (size_t o = 0; o < n_outputs && !(f->linear_skip_missing && x != x); o++) {
				double w = weights[(i - f->linear_first) * n_outputs + o];
				double product = f->contract.sum == SCORE_F32 ? (double)((float)x * (float)w) : x * w;
				give(f, i, product * factor, out + o * (n + 1));
			}
		}
		for (size_t o = 0; o < n_outputs; o++)
			out[o * (n + 1) + n] = f->base[o];
	}
}

/* ---- trees ------------------------------------------------------------------------------------------------------ */

/* Rows of codes → columns of codes. The last row stands for those that a block lacks. */
static void fetch_codes(const engine *e, const engine_call *call, row_range rows, size_t lanes,
	const contribution_room *room)
{
	size_t size = e->code_bytes;
	for (size_t r = 0; r < lanes; r++) {
		if (r < rows.n)
			engine_bin_row(e, call->view, rows.first + (int64_t)r, room->row);
		for (size_t c = 0; c < e->n_columns; c++)
			memcpy(room->codes + (c * lanes + r) * size, room->row + c * size, size);
	}
}

/* First position in order[first … end) of a tree that is not before `tree`. */
static uint32_t find_tree(const uint32_t *order, uint32_t first, uint32_t end, uint32_t tree)
{
	while (first < end) {
		uint32_t middle = first + (end - first) / 2;
		if (order[middle] < tree)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

/* In the order of forest_sum_covers(), without its branches: a leaf's cover stands where its number as a child leads to. */
static const double *sum_by_children(const forest *f, const forest_tree *t, const contribution_room *room)
{
	const int32_t *left = room->children.left, *right = room->children.right;
	double *covers = room->covers + t->n_splits + 1;
	forest_list_children(f, t, &room->children);
	for (int32_t i = 0; i <= (int32_t)t->n_splits; i++)
		covers[~i] = forest_weight(&f->leaf_covers, (size_t)t->first_leaf + (uint32_t)i);
	for (uint32_t s = t->n_splits; s-- > 0;)
		covers[s] = covers[left[s]] + covers[right[s]];
	return covers;
}

/* A split has what its leaves have together. Whole covers make exact differences, so that their sums from left to right are
 * enough. */
static void sum_covers(const forest *f, const forest_tree *t, const contribution_room *room, contribution_tree *tree)
{
	if (f->leaf_covers.bytes != sizeof(uint16_t)) {
		tree->covers = sum_by_children(f, t, room);
		return;
	}
	const uint16_t *covers = (const uint16_t *)f->leaf_covers.values + t->first_leaf;
	uint64_t sum = room->cover_ends[0] = 0;
	for (uint32_t i = 0; i <= t->n_splits; i++)
		room->cover_ends[i + 1] = sum += covers[i];
	tree->cover_ends = room->cover_ends;
}

static void contribute_tree(const engine *e, const contribution_room *room, const engine_background *background,
	uint32_t number, uint32_t value, bool few)
{
	const forest *f = e->f;
	const contribution_plan *plan = &e->contribution;
	const forest_tree *t = f->trees + number;
	contribution_tree tree = {
		.whole = forest_whole(t), .value = value, .f = f, .questions = e->questions, .columns = plan->columns, .tables = e->tables, .code_bytes = e->code_bytes,
		.n_points = plan->n_points[number], .points = plan->points[plan->n_points[number]], .codes = room->codes,
		.frames = room->frames, .levels = room->levels, .last = room->last, .sums = room->sums,
		.level_stride = contribution_level_doubles(plan->n_points[number], few ? CONTRIBUTION_FEW_ROWS : CONTRIBUTION_ROWS)};
	void (*contribute)(const contribution_tree *) = few ? e->k->contribute_few : e->k->contribute;
	if (!background && plan->summed_splits)
		sum_covers(f, t, room, &tree);
	if (!background) {
		contribute(&tree);
		return;
	}
	size_t row = (size_t)e->n_columns * e->code_bytes;
	for (size_t b = 0; b < background->n_rows; b++) {
		tree.background = background->codes + b * row;
		contribute(&tree);
	}
}

static void contribute_output(const engine *e, const engine_call *call, const engine_background *background,
	const contribution_room *room, row_range rows, uint32_t output)
{
	const forest *f = e->f;
	const contribution_plan *plan = &e->contribution;
	const double *expected = background ? background->expected : plan->expected;
	bool few = rows.n <= CONTRIBUTION_FEW_ROWS;
	size_t lanes = few ? CONTRIBUTION_FEW_ROWS : CONTRIBUTION_ROWS, n = f->n_features, width = f->contract.n_outputs * (n + 1);
	/* With vector leaves every output takes all trees, which all say output 0. */
	uint32_t from = f->leaf_width > 1 ? 0 : output, value = f->leaf_width > 1 ? output : 0;
	uint32_t at = find_tree(plan->order, plan->first[from], plan->first[from + 1], call->tree_begin);
	double bias = 0.0, factor = factor_of(e, call);
	memset(room->sums, 0, plan->n_slots * lanes * sizeof *room->sums);
	for (; at < plan->first[from + 1] && plan->order[at] < call->tree_end; at++) {
		uint32_t t = plan->order[at];
		bias += expected[(size_t)t * f->leaf_width + value];
		if (f->trees[t].n_splits)
			contribute_tree(e, room, background, t, value, few);
	}
	double part = background ? factor / (double)background->n_rows : factor;
	double *out = call->out + (size_t)rows.first * width + output * (n + 1);
	for (size_t r = 0; r < rows.n; r++, out += width) {
		memset(out, 0, n * sizeof *out);
		for (uint32_t slot = 0; slot < plan->n_slots; slot++)
			give(f, plan->slot_columns[slot], room->sums[slot * lanes + r] * part, out);
		out[n] = bias * factor + f->base[output];
	}
}

void engine_contribute_rows(const engine *e, const engine_call *call, const engine_background *background)
{
	contribution_room room = {0};
	if (e->f->kind == SCORE_KIND_LINEAR) {
		contribute_linear(e, call);
		return;
	}
	lay_out(e, (char *)sl_round_up((uintptr_t)call->scratch, SL_CACHE_LINE), &room);
	for (uint32_t slot = 0; slot < e->contribution.n_slots; slot++)
		room.last[slot] = -1;
	size_t n_rows = (size_t)call->view->n_rows;
	for (size_t done = 0; done < n_rows; done += CONTRIBUTION_ROWS) {
		row_range rows = {(int64_t)done, n_rows - done < CONTRIBUTION_ROWS ? n_rows - done : CONTRIBUTION_ROWS};
		fetch_codes(e, call, rows, rows.n <= CONTRIBUTION_FEW_ROWS ? CONTRIBUTION_FEW_ROWS : CONTRIBUTION_ROWS, &room);
		for (uint32_t o = 0; o < e->f->contract.n_outputs; o++)
			contribute_output(e, call, background, &room, rows, o);
	}
}

/* ---- background ------------------------------------------------------------------------------------------------- */

static bool answers_right(const engine *e, const question *q, const char *codes)
{
	uint32_t code = e->code_bytes == 1 ? ((const uint8_t *)codes)[q->column] : e->code_bytes == 2
		? ((const uint16_t *)(const void *)codes)[q->column] : ((const uint32_t *)(const void *)codes)[q->column];
	return engine_answers_right(e, q, code);
}

/* What each tree answers for the rows on average. */
static void average_trees(const engine *e, const char *codes, size_t n_rows, double *expected)
{
	const forest *f = e->f;
	for (uint32_t t = 0; t < f->n_trees; t++, expected += f->leaf_width) {
		const char *row = codes;
		for (size_t b = 0; b < n_rows; b++, row += (size_t)e->n_columns * e->code_bytes) {
			forest_side at = forest_whole(f->trees + t);
			while (!forest_is_leaf(&at)) {
				const question q = question_at(&e->questions, forest_number(&f->split_test, at.split));
				at = answers_right(e, &q, row) ? forest_right(f, &at) : forest_left(f, &at);
			}
			for (uint32_t i = 0; i < f->leaf_width; i++)
				expected[i] += forest_real(&f->leaves, (size_t)at.leaf * f->leaf_width + i);
		}
		for (uint32_t i = 0; i < f->leaf_width; i++)
			expected[i] /= (double)n_rows;
	}
}

score_status engine_compile_background(const engine *e, const input_view *view, sl_arena *arena,
	const engine_background **out, score_error *error)
{
	size_t row = (size_t)e->n_columns * e->code_bytes, n_rows = (size_t)view->n_rows;
	engine_background *b = sl_arena_alloc(arena, 1, sizeof *b);
	char *codes = sl_arena_alloc(arena, n_rows, row);
	double *expected = sl_arena_alloc(arena, (size_t)e->f->n_trees * e->f->leaf_width, sizeof *expected);
	if (!b || !codes || !expected)
		return sl_fail_memory(error, n_rows * row);
	for (size_t r = 0; r < n_rows; r++)
		engine_bin_row(e, view, (int64_t)r, codes + r * row);
	average_trees(e, codes, n_rows, expected);
	*b = (engine_background){n_rows, codes, expected};
	*out = b;
	return SCORE_OK;
}
