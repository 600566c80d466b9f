/*
 * Linear models: margin = bias + sum of x * w, features in ascending order, multiply and add rounded apart.
 *
 * Comes in: rows through the view. A block of rows at a time, the values of up to 16 features become columns (or are
 * columns in the caller's memory already), and a kernel adds them to the sums of a few outputs: rows are its lanes, so
 * that each row's additions keep their order. One order per row, whatever the batch.
 */
#include "parts.h"

#define TILE_BYTES 3072u  /* values of some features */
#define SMALL_TILE 2048u  /* the same where others need the stack: who derives columns, or has margins there */
#define NARROW_TILE 3072u /* the same of NARROW_ROWS rows */
#define FEW_TILE 512u     /* and of PART_ROWS rows */
#define SUM_BYTES 1024u   /* of rows times outputs whose sums are kept */
#define PART_ROWS 4u      /* whose margins become answers of parts */
#define ASKED_ROWS 256u  /* of columns that are asked for while as many are summed */
#define ASKED_OF_MANY 64u /* the same of so many features that memory is what is waited for: requests come more evenly */
#define MANY_FEATURES 128u
#define FETCHED_ROWS 64u  /* of features that go through the tile, fewer of which cost less than fewer rows */
#define DIRECT_ROWS 1024u /* of a block whose sums go where margins do */
#define COLUMNS_BYTES 4096u /* the same of a column */
#define NARROW_RUN 16u    /* doubles on their way to floats */
#define NARROW_ROWS 16u   /* as many as the largest tile, which has as many features */
#define FEW_ROWS 8u       /* of adjacent values, at most, that are summed one value after the other where there are no tiles */

typedef void linear_kernel(const linear_run *run, const double *weights, void *sums);

/* How one call's values reach the kernel. */
typedef struct linear_plan {
	const engine *e;
	const input_view *view;
	linear_kernel *kernel;
	size_t value_bytes; /* floats or doubles in the columns */
	bool via_double;    /* the contract compares in double and sums in float: values become double first */
	bool transposes;    /* 16 adjacent floats of each row at once */
	size_t tile;        /* whole rows of floats or doubles go through a kernel in such numbers, or 0 */
	bool narrows;       /* these rows are doubles, the kernel's are floats */
	bool direct;        /* the kernel's sums need no place of their own: rows */
	bool sums_in_out;   /* the same of columns */
	size_t few;         /* up to so many rows of adjacent values need no kernel, or 0 */
	bool little_stack;
} linear_plan;

/* Some outputs of a block of rows; sums of a row's output o stand at [o * rows.n]. */
typedef struct linear_block {
	row_range rows;
	uint32_t first, n; /* outputs */
	union {
		float *f32;
		double *f64;
		void *any;
	} sums;
	char *tile; /* aligned to a cache line */
	size_t tile_bytes;
} linear_block;

/* Rows of adjacent values need no columns at all. */
static void choose_rows_kernel(linear_plan *p, size_t width)
{
	const kernels *k = p->e->k;
	const input_view *view = p->view;
	bool is_f64 = view->dtype == SCORE_F64, floats = p->value_bytes == sizeof(float);
	size_t tile = floats && (!is_f64 || p->kernel == k->linear_f32) ? k->tile_f32 : !floats && is_f64 ? k->tile_f64 : 0;
	if (!view->data || (!is_f64 && view->dtype != SCORE_F32) || view->column_of_feature || p->e->f->derived.n ||
		view->column_stride != (int64_t)(is_f64 ? sizeof(double) : sizeof(float)))
		return;
	p->few = FEW_ROWS;
	p->narrows = is_f64 && p->value_bytes == sizeof(float);
	if (p->e->f->n_features >= tile && tile <= NARROW_ROWS) {
		p->tile = tile;
		p->few = tile && !p->narrows ? tile - 1 : FEW_ROWS;
		p->direct = tile && !p->narrows && width == 1 && p->e->f->contract.n_outputs == 1;
	}
}

/* `width` is that of a row of the output. */
static linear_plan make_plan(const engine *e, const input_view *view, size_t width)
{
	const score_contract *c = &e->f->contract;
	/* Derived columns are doubles whatever the caller has. */
	bool all_f32 = view->all_f32 && !e->f->derived.n;
	bool floats = c->compare == SCORE_F32 || c->sum == SCORE_F32 || all_f32;
	linear_plan p = {.e = e, .view = view, .kernel = e->k->linear_f64, .value_bytes = sizeof(double)};
	if (floats) {
		p.kernel = c->sum == SCORE_F32 ? e->k->linear_f32 : e->k->linear_mixed;
		p.value_bytes = sizeof(float);
		p.via_double = c->compare != SCORE_F32 && !all_f32;
	}
	p.transposes = p.value_bytes == sizeof(float) && view->data && view->dtype == SCORE_F32 && !view->column_of_feature &&
		view->column_stride == (int64_t)sizeof(float) && e->f->n_features >= LINEAR_FEATURES;
	p.sums_in_out = view->columns && c->sum != SCORE_F32 && width == 1 && c->n_outputs == 1;
	choose_rows_kernel(&p, width);
	return p;
}

score_status engine_make_linear(engine *e, sl_arena *arena, score_error *error)
{
	const forest *f = e->f;
	size_t n = forest_linear_weights(f);
	if (f->contract.sum != SCORE_F32 || !e->k->linear_rows_f32)
		return SCORE_OK;
	float *narrow = sl_arena_alloc(arena, n, sizeof *narrow);
	if (!narrow)
		return sl_fail_memory(error, n * sizeof *narrow);
	for (size_t i = 0; i < n; i++)
		narrow[i] = (float)f->linear_weights[i];
	e->linear_narrow = narrow;
	return SCORE_OK;
}

/* ---- values of some features ------------------------------------------------------------------------------- */

/* The type of the values that the kernel takes. */
static score_dtype value_type(const linear_plan *p)
{
	return p->value_bytes == sizeof(float) ? SCORE_F32 : SCORE_F64;
}

/* Where a feature's values lie densely in the caller's memory, in the type that the kernel takes. */
static const void *in_place(const linear_plan *p, uint32_t feature, row_range rows)
{
	if (!p->view->columns || feature >= p->e->f->n_features)
		return NULL;
	return input_dense_valid(p->view, feature, value_type(p), rows.first, rows.n);
}

static void fetch_via_double(const linear_plan *p, uint32_t feature, row_range rows, float *out)
{
	double wide[NARROW_RUN];
	for (size_t done = 0; done < rows.n; done += NARROW_RUN) {
		size_t n = rows.n - done < NARROW_RUN ? rows.n - done : NARROW_RUN;
		input_fetch_f64(p->view, feature, rows.first + (int64_t)done, n, wide);
		for (size_t r = 0; r < n; r++)
			out[done + r] = (float)wide[r];
	}
}

/*
 * Rows lie far apart, which processors do not foresee: ask for the values that are needed two tiles later, of the same rows
 * or, at their ends, of the next block's first features.
 */
static void prefetch_features(const linear_plan *p, uint32_t feature, row_range rows)
{
#if defined(__GNUC__)
	uint32_t n_features = p->e->f->n_features;
	uint64_t ahead = (uint64_t)feature + 2 * LINEAR_FEATURES;
	if (ahead >= n_features) {
		rows.first += (int64_t)rows.n;
		ahead = ahead - n_features < n_features ? ahead - n_features : 0;
	}
	if (rows.first + (int64_t)rows.n > p->view->n_rows)
		return;
	const char *from = p->view->data + rows.first * p->view->row_stride + (int64_t)ahead * (int64_t)sizeof(float);
	for (size_t r = 0; r < rows.n; r++, from += p->view->row_stride)
		__builtin_prefetch(from);
#else
	(void)p, (void)feature, (void)rows;
#endif
}

/* Features from `feature` on of the block's rows; says how many in run->n_features. */
static void transpose_features(const linear_plan *p, uint32_t feature, linear_block *b, linear_run *run)
{
	uint32_t n_features = p->e->f->n_features, from = feature;
	/* Near the right edge the tile starts earlier, so that it stays within the row. */
	if (from + LINEAR_FEATURES > n_features)
		from = n_features - LINEAR_FEATURES;
	float *tile = (float *)(void *)b->tile;
	prefetch_features(p, feature, b->rows);
	p->e->k->transpose16(p->view->data + b->rows.first * p->view->row_stride + (int64_t)from * (int64_t)sizeof(float),
		p->view->row_stride, b->rows.n, tile, LINEAR_ROWS);
	run->n_features = from + LINEAR_FEATURES - feature;
	for (size_t i = 0; i < run->n_features; i++)
		run->columns[i] = tile + (feature - from + i) * LINEAR_ROWS;
}

/* Columns lie far apart: ask for some rows, [done, done + n) of a block, of the next run of as many features or, behind the last, for as
 * many of the next block's first ones. */
static void prefetch_columns(const linear_plan *p, uint32_t feature, uint32_t n_run, row_range block, size_t done, size_t n)
{
#if defined(__GNUC__)
	uint32_t n_features = p->e->f->n_features;
	int64_t first = block.first + (int64_t)done;
	if (feature >= n_features) {
		first += (int64_t)block.n;
		feature = 0;
	}
	if (first >= p->view->n_rows)
		return;
	n = p->view->n_rows - first < (int64_t)n ? (size_t)(p->view->n_rows - first) : n;
	for (uint32_t end = feature + n_run; feature < end && feature < n_features; feature++) {
		const score_column *c = p->view->columns + input_column(p->view, feature);
		size_t size = input_dense_bytes(c);
		const char *from = (const char *)c->values + (c->offset + first) * (int64_t)size;
		for (size_t i = 0; i < n * size; i += SL_CACHE_LINE)
			__builtin_prefetch(from + i, 0, 2);
		if (c->validity)
			__builtin_prefetch(c->validity + (c->offset + first) / 8, 0, 2);
	}
#else
	(void)p, (void)feature, (void)n_run, (void)block, (void)done, (void)n;
#endif
}

static void fetch_column(const linear_plan *p, uint32_t feature, row_range rows, void *column)
{
	if (p->via_double)
		fetch_via_double(p, feature, rows, column);
	else if (p->value_bytes == sizeof(float))
		input_fetch_f32(p->view, feature, rows.first, rows.n, column);
	else
		input_fetch_f64(p->view, feature, rows.first, rows.n, column);
}

/* ---- sums ---------------------------------------------------------------------------------------------------- */

static void start_sums(const forest *f, linear_block *b)
{
	bool base_first = f->contract.base_position == SCORE_BASE_FIRST;
	for (size_t o = 0; o < b->n; o++) {
		double base = base_first ? f->base[b->first + o] : 0.0;
		float *narrow = b->sums.f32 + o * b->rows.n;
		double *wide = b->sums.f64 + o * b->rows.n;
		if (f->contract.sum == SCORE_F32) {
			for (size_t r = 0; r < b->rows.n; r++)
				narrow[r] = (float)base;
		} else {
			for (size_t r = 0; r < b->rows.n; r++)
				wide[r] = base;
		}
	}
}

/* Sums of whole tiles, or rows->out, for outputs from `first` on. */
static void run_tiles(const linear_plan *p, const linear_rows *rows, uint32_t first, void *sums)
{
	const forest *f = p->e->f;
	if (p->value_bytes == sizeof(double))
		p->e->k->linear_rows_f64(rows, f->linear_weights + first, sums);
	else if (f->contract.sum == SCORE_F32)
		p->e->k->linear_rows_f32(rows, p->e->linear_narrow + first, sums);
	else
		p->e->k->linear_rows_mixed(rows, f->linear_weights + first, sums);
}

static linear_rows whole_rows(const linear_plan *p, row_range rows)
{
	const forest *f = p->e->f;
	const input_view *view = p->view;
	return (linear_rows){.data = view->data + rows.first * view->row_stride, .row_stride = view->row_stride,
		.n_rows = rows.n, .n_following = (size_t)(view->n_rows - rows.first), .n_features = f->n_features,
		.n_outputs = f->contract.n_outputs, .n_sums = 1, .skip_missing = f->linear_skip_missing != 0};
}

static void add_rows(const linear_plan *p, linear_block *b)
{
	const forest *f = p->e->f;
	linear_rows rows = whole_rows(p, b->rows);
	rows.n_sums = b->n;
	if (b->rows.n <= p->few)
		engine_linear_few_rows(&rows, p->view->dtype, f->contract.sum, f->linear_weights + b->first, b->sums.any);
	else
		run_tiles(p, &rows, b->first, b->sums.any);
}

/* The same for rows of doubles that count as floats, as many features at a time as the tile holds of up to `most_rows` rows, a constant; of
 * the last ones no fewer than a kernel takes. */
static ALWAYS_INLINE void add_narrowed(const linear_plan *p, const linear_block *b, size_t most_rows)
{
	const forest *f = p->e->f;
	const size_t width = NARROW_TILE / (most_rows * sizeof(float));
	float *values = (float *)(void *)b->tile;
	linear_rows rows = {.data = b->tile, .row_stride = (int64_t)(width * sizeof(float)), .n_rows = b->rows.n,
		.n_following = b->rows.n, .n_outputs = f->contract.n_outputs, .n_sums = b->n,
		.skip_missing = f->linear_skip_missing != 0};
	for (size_t first = 0; first < f->n_features; first += rows.n_features) {
		size_t left = f->n_features - first;
		rows.n_features = left < width ? left : width - NARROW_ROWS;
		for (size_t r = 0; r < b->rows.n; r++) {
			const char *from = p->view->data + (b->rows.first + (int64_t)r) * p->view->row_stride + first * sizeof(double);
			for (size_t i = 0; i < rows.n_features; i++) {
				double x;
				memcpy(&x, from + i * sizeof x, sizeof x);
				values[r * width + i] = (float)x;
			}
		}
		size_t weight = first * f->contract.n_outputs + b->first;
		if (b->rows.n <= p->few)
			engine_linear_few_rows(&rows, SCORE_F32, f->contract.sum, f->linear_weights + weight, b->sums.any);
		else
			p->e->k->linear_rows_f32(&rows, p->e->linear_narrow + weight, b->sums.f32);
	}
}

static void add_narrowed_rows(const linear_plan *p, linear_block *b)
{
	if (b->rows.n > FEW_ROWS)
		add_narrowed(p, b, NARROW_ROWS);
	else if (b->rows.n > 1)
		add_narrowed(p, b, FEW_ROWS);
	else
		add_narrowed(p, b, 1);
}

/* So many rows of columns are added at once: their next ones are asked for meanwhile, and those of `n_fetched` fit the tile. */
static size_t rows_at_once(const linear_plan *p, const linear_block *b, size_t n_fetched)
{
	size_t most = p->e->f->n_features < MANY_FEATURES ? ASKED_ROWS : ASKED_OF_MANY;
	size_t fit = n_fetched ? b->tile_bytes / p->value_bytes / n_fetched : most;
	most = (fit < most ? fit : most) / LINEAR_ROWS * LINEAR_ROWS;
	return b->rows.n < most || !most ? b->rows.n : most;
}

/* Whether the tile holds one more feature's values, be it of FETCHED_ROWS rows or of all that there are. */
static bool has_room(const linear_plan *p, const linear_block *b, size_t n_fetched)
{
	size_t rows = b->rows.n < FETCHED_ROWS ? b->rows.n : FETCHED_ROWS;
	return (n_fetched + 1) * rows * p->value_bytes <= b->tile_bytes;
}

/* The features of a run, which begins with `feature` and ends before the tile is full, from where they lie, or else from the tile. */
static void add_columns(const linear_plan *p, linear_block *b, uint32_t feature, linear_run *run, const double *weights)
{
	char *sums = b->sums.any;
	const char *place[LINEAR_FEATURES];
	size_t n_fetched = 0, value = p->value_bytes, sum = p->e->f->contract.sum == SCORE_F32 ? sizeof(float) : sizeof(double);
	for (size_t i = 0; i < run->n_features; i++) {
		place[i] = in_place(p, feature + (uint32_t)i, b->rows);
		if (!place[i] && !has_room(p, b, n_fetched)) {
			run->n_features = i;
			break;
		}
		n_fetched += !place[i];
	}
	const size_t n_inputs = feature < p->e->f->n_features ? p->e->f->n_features - feature : 0; /* or more than the run has */
	for (size_t done = 0, most = rows_at_once(p, b, n_fetched), n; done < b->rows.n; done += n) {
		char *tile = b->tile;
		n = b->rows.n - done < most ? b->rows.n - done : most;
		for (size_t i = 0; i < run->n_features; i++) {
			/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Branch): the loop above set as many */
			run->columns[i] = place[i] ? place[i] + done * value : tile;
			if (place[i])
				continue;
			if (i < n_inputs)
				fetch_column(p, feature + (uint32_t)i, (row_range){b->rows.first + (int64_t)done, n}, tile);
			else if (i == n_inputs) /* with all that follow */
				input_derive_columns(p->e->f, p->view, feature + (uint32_t)i, run->n_features - i, b->rows.first + (int64_t)done, n,
					value_type(p), tile, most);
			tile += most * value;
		}
		if (p->view->columns)
			prefetch_columns(p, feature + (uint32_t)run->n_features, (uint32_t)run->n_features, b->rows, done, n);
		run->n_rows = n;
		for (size_t o = 0; o < b->n; o++)
			p->kernel(run, weights + o, sums + (o * b->rows.n + done) * sum);
	}
}

static void add_features(const linear_plan *p, linear_block *b)
{
	const forest *f = p->e->f;
	size_t n_outputs = f->contract.n_outputs, sum_bytes = f->contract.sum == SCORE_F32 ? sizeof(float) : sizeof(double);
	linear_run run = {.n_outputs = n_outputs, .skip_missing = f->linear_skip_missing != 0};
	for (uint32_t i = f->linear_first; i < forest_columns(f); i += (uint32_t)run.n_features) {
		const double *weights = f->linear_weights + (size_t)(i - f->linear_first) * n_outputs + b->first;
		if (!p->transposes || i >= f->n_features) {
			uint32_t left = forest_columns(f) - i;
			run.n_features = left < LINEAR_FEATURES ? left : LINEAR_FEATURES;
			add_columns(p, b, i, &run, weights);
			continue;
		}
		transpose_features(p, i, b, &run);
		run.n_rows = b->rows.n;
		for (size_t o = 0; o < b->n; o++)
			p->kernel(&run, weights + o, (char *)b->sums.any + o * b->rows.n * sum_bytes);
	}
}

/* Margins of the block's output o, `width` doubles apart. */
static void finish_sums(const forest *f, const linear_block *b, size_t o, size_t width, double *out)
{
	const float *narrow = b->sums.f32 + o * b->rows.n;
	const double *wide = b->sums.f64 + o * b->rows.n;
	double base = f->base[b->first + o];
	bool is_f32 = f->contract.sum == SCORE_F32;
	for (size_t r = 0; r < b->rows.n && is_f32 && width == 1; r++)
		out[r] = (double)narrow[r];
	for (size_t r = 0; r < b->rows.n && !(is_f32 && width == 1); r++)
		out[r * width] = is_f32 ? (double)narrow[r] : wide[r];
	if (f->contract.base_position == SCORE_BASE_FIRST)
		return;
	for (size_t r = 0; r < b->rows.n; r++)
		out[r * width] = forest_finish_margin(&f->contract, out[r * width], base, 1);
}

/* ---- outputs --------------------------------------------------------------------------------------------------- */

/* Fewer values than outputs: the number of the first largest margin is all that is left of them. */
static NEVER_INLINE void take_largest(const forest *f, const linear_block *b, double *best_margin, double *out)
{
	double margins[LINEAR_ROWS];
	for (size_t o = 0; o < b->n; o++) {
		finish_sums(f, b, o, 1, margins);
		for (size_t r = 0; r < b->rows.n; r++) {
			/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): output 0 set it */
			if (b->first + o == 0 || margins[r] > best_margin[r]) {
				best_margin[r] = margins[r];
				out[r] = (double)(b->first + o);
			}
		}
	}
}

/* Of a model of one output, behind all features' sums if the base is last. */
static void finish_directly(const forest *f, size_t n, double *out)
{
	for (size_t r = 0; r < n && f->contract.base_position != SCORE_BASE_FIRST; r++)
		out[r] = forest_finish_margin(&f->contract, out[r], f->base[0], 1);
}

static double first_base(const forest *f)
{
	return f->contract.base_position == SCORE_BASE_FIRST ? f->base[0] : 0.0;
}

/* Columns of a model of one output. */
static void score_columns(const linear_plan *p, linear_block *b, double *out)
{
	const forest *f = p->e->f;
	double start = first_base(f);
	b->sums.f64 = out;
	b->n = 1;
	for (size_t r = 0; r < b->rows.n; r++)
		out[r] = start;
	add_features(p, b);
	finish_directly(f, b->rows.n, out);
}

/* Rows that need no columns. */
static bool is_whole(const linear_plan *p, size_t n_rows)
{
	return n_rows <= p->few || (p->tile && n_rows % p->tile == 0);
}

/* Whole tiles of a model of one output. */
static void score_directly(const linear_plan *p, row_range rows, double *out)
{
	linear_rows in = whole_rows(p, rows);
	in.out = out;
	in.start = first_base(p->e->f);
	run_tiles(p, &in, 0, NULL);
	finish_directly(p->e->f, rows.n, out);
}

typedef void add_values(const linear_plan *p, linear_block *b);

static void score_outputs(const linear_plan *p, linear_block *b, add_values *add, size_t width, double *out)
{
	const forest *f = p->e->f;
	uint32_t n_outputs = f->contract.n_outputs;
	double best_margin[LINEAR_ROWS];
	for (b->first = 0; b->first < n_outputs; b->first += b->n) {
		b->n = n_outputs - b->first < LINEAR_OUTPUTS ? n_outputs - b->first : LINEAR_OUTPUTS;
		start_sums(f, b);
		add(p, b);
		if (width < n_outputs) {
			take_largest(f, b, best_margin, out);
			continue;
		}
		for (size_t o = 0; o < b->n; o++)
			finish_sums(f, b, o, width, out + b->first + o);
	}
}

/* Each way has on the stack what it needs. */

static NEVER_INLINE void score_whole(const linear_plan *p, row_range rows, size_t width, double *out)
{
	double sums[SUM_BYTES / sizeof(double)];
	linear_block b = {.rows = rows, .sums.f64 = sums};
	score_outputs(p, &b, add_rows, width, out);
}

static NEVER_INLINE void score_narrowed(const linear_plan *p, row_range rows, size_t width, double *out)
{
	_Alignas(SL_CACHE_LINE) char tile[NARROW_TILE];
	float sums[NARROW_ROWS * LINEAR_OUTPUTS];
	linear_block b = {.rows = rows, .sums.f32 = sums, .tile = tile, .tile_bytes = sizeof tile};
	score_outputs(p, &b, add_narrowed_rows, width, out);
}

static void score_features(const linear_plan *p, linear_block *b, size_t width, double *out)
{
	if (p->sums_in_out)
		score_columns(p, b, out);
	else
		score_outputs(p, b, add_features, width, out);
}

static NEVER_INLINE void score_tile(const linear_plan *p, row_range rows, size_t width, double *out)
{
	_Alignas(SL_CACHE_LINE) char tile[TILE_BYTES];
	double sums[SUM_BYTES / sizeof(double)];
	linear_block b = {.rows = rows, .sums.f64 = sums, .tile = tile, .tile_bytes = sizeof tile};
	score_features(p, &b, width, out);
}

static NEVER_INLINE void score_small_tile(const linear_plan *p, row_range rows, size_t width, double *out)
{
	_Alignas(SL_CACHE_LINE) char tile[SMALL_TILE];
	double sums[SUM_BYTES / sizeof(double)];
	linear_block b = {.rows = rows, .sums.f64 = sums, .tile = tile, .tile_bytes = sizeof tile};
	score_features(p, &b, width, out);
}

static NEVER_INLINE void score_few(const linear_plan *p, row_range rows, size_t width, double *out)
{
	_Alignas(SL_CACHE_LINE) char tile[FEW_TILE];
	double sums[PART_ROWS * LINEAR_OUTPUTS];
	linear_block b = {.rows = rows, .sums.f64 = sums, .tile = tile, .tile_bytes = sizeof tile};
	score_features(p, &b, width, out);
}

static void score_block(const linear_plan *p, row_range rows, size_t width, double *out)
{
	bool whole = is_whole(p, rows.n);
	if (p->direct && rows.n % p->tile == 0)
		score_directly(p, rows, out);
	else if (whole && !p->narrows)
		score_whole(p, rows, width, out);
	else if (whole)
		score_narrowed(p, rows, width, out);
	else if (!p->transposes && rows.n <= PART_ROWS)
		score_few(p, rows, width, out);
	else if (p->little_stack)
		score_small_tile(p, rows, width, out);
	else
		score_tile(p, rows, width, out);
}

/* A model of parts that has fewer predictions than outputs: margins of a few rows at a time. */
static NEVER_INLINE void score_parts(const linear_plan *p, const engine_call *call, row_range rows, size_t width)
{
	const forest *f = p->e->f;
	double margins[PART_ROWS * FOREST_MAX_PART_OUTPUTS], *out = engine_row_out(call, rows.first, width);
	linear_plan plain = *p;
	plain.tile = 0;
	plain.transposes = plain.direct = plain.sums_in_out = false;
	for (size_t done = 0, n; done < rows.n; done += n) {
		n = rows.n - done < PART_ROWS ? rows.n - done : PART_ROWS;
		score_block(&plain, (row_range){rows.first + (int64_t)done, n}, f->contract.n_outputs, margins);
		for (size_t r = 0; r < n; r++, out += width)
			engine_link_row(f, 1, margins + r * f->contract.n_outputs, out);
	}
}

void engine_linear(const engine *e, const engine_call *call, row_range rows)
{
	const forest *f = e->f;
	size_t width = engine_output_width(e, call->output, 0);
	linear_plan plan = make_plan(e, call->view, width);
	plan.little_stack = call->stack_taken || f->derived.n;
	if (call->output == SCORE_OUTPUT_PREDICTION && f->link == SCORE_LINK_PARTS && width < f->contract.n_outputs) {
		score_parts(&plan, call, rows, width);
		return;
	}
	/* Columns and whole rows like long runs, and a single output leaves room for them. */
	size_t sums = SUM_BYTES / (f->contract.sum == SCORE_F32 ? sizeof(float) : sizeof(double));
	size_t block = (call->view->columns || plan.tile) && f->contract.n_outputs == 1 ? sums : LINEAR_ROWS;
	block = plan.direct ? DIRECT_ROWS : plan.narrows && plan.tile ? plan.tile : block;
	block = plan.sums_in_out ? COLUMNS_BYTES / plan.value_bytes : block;
	bool links = call->output == SCORE_OUTPUT_PREDICTION && width >= f->contract.n_outputs &&
		f->link != SCORE_LINK_IDENTITY;
	for (size_t done = 0, n; done < rows.n; done += n) {
		n = rows.n - done < block ? rows.n - done : block;
		/* What is left over of whole tiles goes by itself. */
		if (plan.tile && n > plan.tile)
			n -= n % plan.tile;
		row_range run = {rows.first + (int64_t)done, n};
		double *out = engine_row_out(call, run.first, width);
		score_block(&plan, run, width, out);
		for (size_t r = 0; links && r < run.n; r++)
			engine_link_row(f, 1, out + r * width, out + r * width);
	}
}
