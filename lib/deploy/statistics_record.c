/*
 * Counting finished calls from many threads at once.
 *
 * Comes in: score_calls. Goes out: counters, and snapshots of them. A thread takes a shard for the length of one call (one
 * exchange, at most one try per shard) and then counts there without locked instructions; a reader may add the cells up at
 * any moment. A thread that finds all shards taken counts in one that is shared, by locked additions, and looks at no rows.
 */
#include "statistics_parts.h"

#include <math.h>

typedef _Atomic uint64_t cell;

typedef struct shard {
	_Alignas(SL_CACHE_LINE) atomic_uint taken;
	uint32_t random; /* these two belong to whoever has taken the shard */
	uint64_t skip;   /* rows before the next that is looked at */
	cell *cells;
} shard;

struct score_statistics {
	deploy_shape shape;
	const score_model *model;
	score_allocator allocator;
	deploy_bins bins;
	deploy_categories **categories; /* by feature; NULL for numeric ones */
	shard *shards;                  /* [n_shards + 1], the last is the shared one */
	uint32_t n_shards;
	uint32_t sample_every;
	size_t out_width;
};

/* ---- making -------------------------------------------------------------------------------------- */

static score_status take_options(const score_model *model, const score_statistics_options *given,
	score_statistics_options *o, score_error *error)
{
	score_status status = sl_take_struct(o, sizeof *o, given, "score_statistics_options", error);
	if (status != SCORE_OK)
		return status;
	if (!model)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_statistics_new: model is NULL");
	if (o->output != SCORE_OUTPUT_PREDICTION && o->output != SCORE_OUTPUT_MARGIN && o->output != SCORE_OUTPUT_CLASS)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_statistics_options.output is %d: expected prediction, margin or class",
			(int)o->output);
	if (o->n_shards > 256)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_statistics_options.n_shards is %u: at most 256 are possible",
			o->n_shards);
	if (o->flags & ~SCORE_STATISTICS_NO_REFERENCE)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_statistics_options.flags has unknown bits: 0x%x", o->flags);
	if (o->max_features > 1u << 20)
		return sl_fail(error, SCORE_ERR_LIMIT, "score_statistics_options.max_features is %u: at most 1,048,576 are possible",
			o->max_features);
	o->n_shards = o->n_shards ? o->n_shards : 16;
	o->sample_every = o->sample_every ? o->sample_every : 128;
	o->max_features = o->max_features ? o->max_features : 1024;
	return SCORE_OK;
}

static score_status make_categories(score_statistics *s, const score_model *model, score_error *error)
{
	sl_arena *arena = &s->shape.arena;
	s->categories = sl_arena_alloc(arena, s->shape.n_features, sizeof(deploy_categories *));
	if (!s->categories)
		return sl_fail_memory(error, s->shape.n_features * sizeof(deploy_categories *));
	for (uint32_t i = 0; i < s->shape.n_features; i++) {
		if (s->shape.histograms[i].type != SCORE_FEATURE_CATEGORY)
			continue;
		s->categories[i] = sl_arena_alloc(arena, 1, sizeof(deploy_categories));
		if (!s->categories[i])
			return sl_fail_memory(error, sizeof(deploy_categories));
		score_status status = deploy_categories_of(model, i, arena, s->categories[i], error);
		if (status != SCORE_OK)
			return status;
	}
	return SCORE_OK;
}

static score_status make_shards(score_statistics *s, const score_statistics_options *o, score_error *error)
{
	const size_t bytes = sl_round_up(s->shape.n_cells * sizeof(cell), SL_CACHE_LINE);
	s->n_shards = o->n_shards;
	s->sample_every = o->sample_every;
	s->shards = sl_arena_alloc(&s->shape.arena, (size_t)s->n_shards + 1, sizeof *s->shards);
	for (uint32_t i = 0; s->shards && i <= s->n_shards; i++) {
		s->shards[i].cells = sl_arena_alloc(&s->shape.arena, 1, bytes);
		if (!s->shards[i].cells)
			return sl_fail_memory(error, bytes);
		s->shards[i].random = i * 2654435761u + 1;
	}
	return s->shards ? SCORE_OK : sl_fail_memory(error, (s->n_shards + 1) * sizeof *s->shards);
}

/* The whole object stands in the arena of its shape. */
static score_status make(const score_model *model, const score_statistics_options *o, const score_snapshot *reference,
	score_statistics **out, score_error *error)
{
	deploy_shape shape;
	score_options scoring = SCORE_OPTIONS_INIT;
	score_status status = deploy_shape_of_model(&shape, model, o, reference, error);
	score_statistics *s = status == SCORE_OK ? sl_arena_alloc(&shape.arena, 1, sizeof *s) : NULL;
	if (!s) {
		deploy_shape_free(&shape);
		return status == SCORE_OK ? sl_fail_memory(error, sizeof *s) : status;
	}
	s->shape = shape;
	s->model = model;
	s->bins = deploy_bins_choose();
	s->allocator = sl_allocator(o->allocator);
	scoring.output = o->output;
	s->out_width = score_output_width(model, &scoring);
	status = make_categories(s, model, error);
	if (status == SCORE_OK)
		status = make_shards(s, o, error);
	if (status == SCORE_OK)
		*out = s;
	else
		score_statistics_free(s);
	return status;
}

static score_status make_statistics(const score_model *model, const score_statistics_options *options,
	score_statistics **out, score_error *error)
{
	score_statistics_options o;
	score_snapshot *own = NULL;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_statistics_new: out is NULL");
	*out = NULL;
	score_status status = take_options(model, options, &o, error);
	if (status == SCORE_OK && !o.reference && !(o.flags & SCORE_STATISTICS_NO_REFERENCE))
		status = score_reference_of(model, o.allocator, &own, error);
	/* The model's own reference is for one output and a number of features; others go without. */
	if (status == SCORE_OK && own && own->shape.output == o.output)
		o.reference = own;
	if (status == SCORE_OK && o.reference && o.reference->shape.n_features < o.max_features)
		o.max_features = o.reference->shape.n_features;
	if (status == SCORE_OK)
		status = make(model, &o, o.reference, out, error);
	score_snapshot_free(own);
	return status;
}

score_status score_statistics_new(const score_model *model, const score_statistics_options *options,
	score_statistics **out, score_error *error)
{
	const unsigned host = sl_enter_default_float();
	const score_status status = make_statistics(model, options, out, error);
	sl_leave_default_float(host);
	return status;
}

void score_statistics_free(score_statistics *statistics)
{
	if (!statistics)
		return;
	sl_arena arena = statistics->shape.arena; /* the statistics stand in it */
	sl_arena_free(&arena);
}

/* ---- counting in a cell -------------------------------------------------------------------------- */

/* Only the owner writes, so that a plain addition does; readers see the old or the new value. */
static inline void add_owned(cell *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void add(cell *c, uint64_t n, bool owned)
{
	if (owned)
		add_owned(c, n);
	else
		atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static void count_times(cell *cells, int64_t started)
{
	const uint64_t now = started > 0 ? (uint64_t)started : 0;
	const uint64_t first = atomic_load_explicit(cells + DEPLOY_CELL_FIRST, memory_order_relaxed);
	if (now && (first == 0 || now < first))
		atomic_store_explicit(cells + DEPLOY_CELL_FIRST, now, memory_order_relaxed);
	if (now > atomic_load_explicit(cells + DEPLOY_CELL_LAST, memory_order_relaxed))
		atomic_store_explicit(cells + DEPLOY_CELL_LAST, now, memory_order_relaxed);
}

/* ---- histograms ---------------------------------------------------------------------------------- */

/* The numbers above neighbouring edges differ by what is in the bin. */
static void count_block(const deploy_bins *bins, const deploy_histogram *h, cell *to, const double *x, size_t n,
	bool owned, double *sum)
{
	uint64_t above[SCORE_MAX_EDGES];
	const uint64_t valid = bins->count(x, n, h->edges, h->n_edges, above, sum);
	uint64_t left = valid;
	for (uint32_t k = 0; k < h->n_edges; k++) {
		if (above[k] != left)
			add(to + k, left - above[k], owned);
		left = above[k];
	}
	if (left)
		add(to + h->n_edges, left, owned);
	if (valid != n)
		add(to + h->n_edges + 1 + DEPLOY_AFTER_MISSING, n - valid, owned);
}

#define FEW 16 /* values for which passing over all of them edge by edge does not pay */

static void count_few(const deploy_bins *bins, const deploy_histogram *h, cell *to, const double *x, size_t n, bool owned,
	double *sum)
{
	uint32_t at[FEW];
	bins->place(x, n, h->edges, h->n_edges, at);
	for (size_t i = 0; i < n; i++) {
		add(to + at[i], 1, owned); /* that of missing values stands behind the bins */
		*sum += x[i] == x[i] ? x[i] : 0;
	}
}

static void count_numbers(const deploy_bins *bins, const deploy_histogram *h, cell *cells, const double *x, size_t n,
	bool owned, double *sum)
{
	const size_t whole = n < FEW ? 0 : n & ~(size_t)3;
	if (whole)
		count_block(bins, h, cells + h->cell, x, whole, owned, sum);
	if (whole < n)
		count_few(bins, h, cells + h->cell, x + whole, n - whole, owned, sum);
}

/* n is at most DEPLOY_BLOCK. */
static void count_categories(const deploy_bins *bins, const deploy_histogram *h, cell *cells, const double *x, size_t n,
	bool owned)
{
	uint32_t at[DEPLOY_BLOCK];
	bins->place(x, n, h->edges, h->n_edges, at);
	for (size_t i = 0; i < n; i++) {
		if (x[i] == DEPLOY_UNKNOWN_CATEGORY)
			at[i] = h->n_edges + 1 + DEPLOY_AFTER_UNKNOWN;
		else if (at[i] < h->n_edges && x[i] != h->edges[at[i]])
			at[i] = h->n_edges;
		add(cells + h->cell + at[i], 1, owned);
	}
}

/* ---- scores -------------------------------------------------------------------------------------- */

/* Two integers, so that threads can add without waiting for each other: the whole part and 2^-32ths. */
static void count_sum(const deploy_histogram *h, cell *cells, double sum, bool owned)
{
	cell *after = cells + h->cell + h->n_edges + 1;
	if (!(fabs(sum) < 0x1p62))
		return;
	int64_t whole = (int64_t)sum;
	whole -= (double)whole > sum;
	add(after + DEPLOY_AFTER_WHOLE, (uint64_t)whole, owned);
	add(after + DEPLOY_AFTER_FRACTION, (uint64_t)((sum - (double)whole) * 0x1p32), owned);
}

#define SCORE_BLOCK 256 /* rows whose scores stay in the first cache while every edge passes over them */

/* Of classes. */
static void count_codes(const score_statistics *s, const deploy_histogram *h, cell *cells, const double *x, size_t n,
	bool owned)
{
	for (size_t i = 0; i < n; i += DEPLOY_BLOCK)
		count_categories(&s->bins, h, cells, x + i, n - i < DEPLOY_BLOCK ? n - i : DEPLOY_BLOCK, owned);
}

static void count_scores(const score_statistics *s, cell *cells, const double *out, size_t n_rows, size_t width,
	bool owned)
{
	for (uint32_t i = 0; i < s->shape.n_scores; i++) {
		const deploy_histogram *h = s->shape.histograms + s->shape.n_features + i;
		double sum = 0, block[SCORE_BLOCK];
		for (size_t r = 0; r < n_rows; r += SCORE_BLOCK) {
			const size_t n = n_rows - r < SCORE_BLOCK ? n_rows - r : SCORE_BLOCK;
			const double *x = out + r;
			if (width > 1) {
				for (size_t k = 0; k < n; k++)
					block[k] = out[(r + k) * width + i];
				x = block;
			}
			if (h->type == SCORE_FEATURE_CATEGORY)
				count_codes(s, h, cells, x, n, owned);
			else
				count_numbers(&s->bins, h, cells, x, n, owned, &sum);
		}
		count_sum(h, cells, sum, owned);
	}
}

/* ---- rows ---------------------------------------------------------------------------------------- */

static void look_at(const score_statistics *s, shard *own, const score_call *call, const int64_t *rows, size_t n)
{
	double x[DEPLOY_BLOCK], sum = 0; /* of no use for features */
	for (uint32_t i = 0; i < s->shape.n_features; i++) {
		const deploy_histogram *h = s->shape.histograms + i;
		deploy_values_take(s->model, call->input, call->plan, i, s->categories[i], rows, n, x);
		if (s->categories[i])
			count_categories(&s->bins, h, own->cells, x, n, true);
		else
			count_numbers(&s->bins, h, own->cells, x, n, true, &sum);
	}
	add_owned(own->cells + DEPLOY_CELL_SAMPLED, n);
}

/* 1 … 2 * every - 1, so that rows which come round after round are not always or never looked at. */
static uint64_t next_distance(shard *own, uint32_t every)
{
	uint32_t x = own->random;
	if (every == 1)
		return 1;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	own->random = x;
	return 1 + ((uint64_t)x * (2 * (uint64_t)every - 1) >> 32);
}

static void sample_rows(const score_statistics *s, shard *own, const score_call *call, uint64_t n_rows)
{
	int64_t rows[DEPLOY_BLOCK];
	size_t n = 0;
	uint64_t at = own->skip;
	while (at < n_rows) {
		rows[n++] = (int64_t)at;
		if (n == DEPLOY_BLOCK) {
			look_at(s, own, call, rows, n);
			n = 0;
		}
		at += next_distance(own, s->sample_every);
	}
	own->skip = at - n_rows;
	if (n)
		look_at(s, own, call, rows, n);
}

/* ---- calls --------------------------------------------------------------------------------------- */

static void count_call(const score_statistics *s, cell *cells, const score_call *call, bool owned)
{
	const uint64_t latency = call->latency_ns > 0 ? (uint64_t)call->latency_ns : 0;
	if (!(call->flags & SCORE_CALL_CONTINUED)) {
		add(cells + DEPLOY_CELL_CALLS, 1, owned);
		add(cells + DEPLOY_CELL_LATENCY_SUM, latency, owned);
		add(cells + DEPLOY_CELL_LATENCY + deploy_latency_bucket(call->latency_ns), 1, owned);
		if (call->flags & SCORE_CALL_SHADOW)
			add(cells + DEPLOY_CELL_SHADOW, 1, owned);
	}
	if (call->status != SCORE_OK) {
		const uint32_t last = DEPLOY_ERROR_CODES - 1;
		const uint32_t code = call->status > 0 && call->status < (int32_t)last ? (uint32_t)call->status : last;
		add(cells + DEPLOY_CELL_ERRORS + code, 1, owned);
		return;
	}
	if (!call->input || call->input->n_rows <= 0)
		return;
	const size_t n_rows = (size_t)call->input->n_rows;
	add(cells + DEPLOY_CELL_ROWS, n_rows, owned);
	if (call->out && call->output == s->shape.output && call->out_width == s->out_width)
		count_scores(s, cells, call->out, n_rows, call->out_width, owned);
	else
		add(cells + DEPLOY_CELL_UNSCORED, n_rows, owned);
}

/* Threads have their stacks apart, so its address spreads them over the shards; any other choice would count as well. */
static shard *take_shard(const score_statistics *s)
{
	const char here = 0;
	const uint64_t hash = ((uintptr_t)&here >> 14) * UINT64_C(0x9e3779b97f4a7c15) >> 32;
	uint32_t i = (uint32_t)(hash * s->n_shards >> 32);
	for (uint32_t tries = 0; tries < s->n_shards; tries++) {
		shard *one = s->shards + i;
		if (!atomic_load_explicit(&one->taken, memory_order_relaxed) &&
			!atomic_exchange_explicit(&one->taken, 1, memory_order_acquire))
			return one;
		i = i + 1 < s->n_shards ? i + 1 : 0;
	}
	return NULL;
}

/* Codes (SCORE_BINNED) tell no values. */
static bool has_values(const score_input *input)
{
	return input->layout == SCORE_ROWS || input->layout == SCORE_COLUMNS || input->layout == SCORE_CSR;
}

static void record_rows(score_statistics *statistics, const score_call *call)
{
	if (!statistics || !call || call->struct_size < sizeof *call)
		return;
	shard *own = take_shard(statistics);
	if (!own) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): an array of n_shards + 1, see score_statistics_new() */
		count_call(statistics, statistics->shards[statistics->n_shards].cells, call, false);
		return;
	}
	count_times(own->cells, call->started_unix_ns);
	count_call(statistics, own->cells, call, true);
	if (call->status == SCORE_OK && call->input && call->input->n_rows > 0 && has_values(call->input))
		sample_rows(statistics, own, call, (uint64_t)call->input->n_rows);
	atomic_store_explicit(&own->taken, 0, memory_order_release);
}

void score_statistics_record(score_statistics *statistics, const score_call *call)
{
	const unsigned host = sl_enter_default_float();
	record_rows(statistics, call);
	sl_leave_default_float(host);
}

/* ---- reading ------------------------------------------------------------------------------------- */

score_status score_statistics_snapshot(const score_statistics *statistics, score_snapshot **out, score_error *error)
{
	deploy_shape shape;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_statistics_snapshot: out is NULL");
	*out = NULL;
	if (!statistics)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_statistics_snapshot: statistics is NULL");
	score_status status = deploy_shape_copy(&shape, &statistics->shape, &statistics->allocator, error);
	if (status != SCORE_OK) {
		deploy_shape_free(&shape);
		return status;
	}
	status = deploy_snapshot_new(&shape, out, error);
	if (status != SCORE_OK)
		return status;
	uint64_t *row = sl_arena_alloc(&(*out)->shape.arena, shape.n_cells, sizeof *row);
	if (!row) {
		score_snapshot_free(*out);
		*out = NULL;
		return sl_fail_memory(error, shape.n_cells * sizeof *row);
	}
	for (uint32_t i = 0; i <= statistics->n_shards; i++) {
		for (size_t k = 0; k < shape.n_cells; k++)
			row[k] = atomic_load_explicit(statistics->shards[i].cells + k, memory_order_relaxed);
		deploy_cells_add(&(*out)->shape, (*out)->cells, row);
	}
	return SCORE_OK;
}
