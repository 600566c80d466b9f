/*
 * Weighted sums of rows that lie densely in the caller's memory: TILE_LANES rows and as many features are loaded, transposed
 * in registers and added, feature after feature, so that rows are lanes and each row's additions keep their order. Included
 * once per type of values and sums with TILE_VALUE (float, double), TILE_VECTOR, TILE_LANES and TILE(name), the vocabulary's words for
 * values; TILE_SUM, TILE_SUMS (a sum per lane) and TILE_ADD(name), its words for sums; and TILE_NAME(name) for this file's. Whole
 * groups of rows only. Values that are columns already need no tile.
 */

/* Cache lines that a tile is made of, if rows lie densely. */
#define TILE_LINES (TILE_LANES * TILE_LANES * sizeof(TILE_VALUE) / SL_CACHE_LINE)

static ALWAYS_INLINE void TILE_NAME(load_tile)(const linear_rows *in, const char *from, TILE_VECTOR tile[TILE_LANES])
{
	int64_t stride = in->row_stride;
	for (size_t i = 0; i < TILE_LANES; i += 4, from += 4 * stride) {
		/* Compilers would keep the addresses of all rows, more than there are registers. */
		KEEP_IN_REGISTER(from);
		for (size_t k = 0; k < 4; k++)
			tile[i + k] = TILE(load)(from + (int64_t)k * stride);
	}
	TILE(transpose)(tile);
}

/* Columns [skip, TILE_LANES) of a tile, which are features from `weights` on. */
static ALWAYS_INLINE void TILE_NAME(add_tile)(const TILE_VECTOR tile[TILE_LANES], size_t skip, const TILE_SUM *weights,
	size_t n_outputs, bool skip_missing, size_t n_sums, TILE_SUMS *sums)
{
	for (size_t o = 0; o < n_sums; o++) {
		TILE_SUMS sum = sums[o];
		const TILE_SUM *w = weights + o;
		for (size_t i = skip; i < TILE_LANES; i++, w += n_outputs)
			sum = TILE_ADD(step)(sum, tile[i], *w, skip_missing);
		sums[o] = sum;
	}
}

/* Rows so long are fetched ahead of their use. */
static ALWAYS_INLINE bool TILE_NAME(is_long)(const linear_rows *in)
{
	return in->n_features >= (size_t)TILE_LANES * TILE_LANES;
}

/*
 * Processors do not foresee where the values lie that are needed next when rows are long: each tile of a group of rows asks for
 * as much of the rows behind the group, from their beginning on, so that memory is read in one go.
 */
static ALWAYS_INLINE void TILE_NAME(ask_ahead)(const char *behind, size_t tile)
{
	const char *at = behind + tile * TILE_LANES * TILE_LANES * sizeof(TILE_VALUE);
	for (size_t i = 0; i < TILE_LINES; i++)
		__builtin_prefetch(at + i * SL_CACHE_LINE, 0, 2);
}

/* The features from `done` on, fewer than a tile has: it starts earlier, so that it stays within the row. Inline, it would cost other
 * tiles their registers. */
static void TILE_NAME(add_rest)(const linear_rows *in, const char *rows, size_t done, const TILE_SUM *weights, bool skip_missing,
	size_t n_sums, TILE_SUMS *sums) __attribute__((noinline));

static void TILE_NAME(add_rest)(const linear_rows *in, const char *rows, size_t done, const TILE_SUM *weights,
	bool skip_missing, size_t n_sums, TILE_SUMS *sums)
{
	TILE_VECTOR tile[TILE_LANES];
	size_t from = in->n_features - TILE_LANES;
	TILE_NAME(load_tile)(in, rows + from * sizeof(TILE_VALUE), tile);
	TILE_NAME(add_tile)(tile, done - from, weights + done * in->n_outputs, in->n_outputs, skip_missing, n_sums, sums);
}

/* TILE_LANES rows from `row` on. `n_outputs` is that of `in`, a constant in most calls, so that weights lie where the compiler knows. */
static ALWAYS_INLINE void TILE_NAME(add_rows)(const linear_rows *in, size_t row, const TILE_SUM *weights, size_t n_outputs,
	bool skip_missing, size_t n_sums, TILE_SUMS *sums)
{
	const char *rows = in->data + (int64_t)row * in->row_stride, *behind = rows + (int64_t)TILE_LANES * in->row_stride;
	bool asks = TILE_NAME(is_long)(in) && row + 2 * TILE_LANES <= in->n_following;
	size_t f = 0;
	for (; f + TILE_LANES <= in->n_features; f += TILE_LANES) {
		if (asks)
			TILE_NAME(ask_ahead)(behind, f / TILE_LANES);
		TILE_VECTOR tile[TILE_LANES];
		TILE_NAME(load_tile)(in, rows + f * sizeof(TILE_VALUE), tile);
		TILE_NAME(add_tile)(tile, 0, weights + f * n_outputs, n_outputs, skip_missing, n_sums, sums);
	}
	if (f == in->n_features)
		return;
	TILE_SUMS rest[LINEAR_OUTPUTS];
	memcpy(rest, sums, n_sums * sizeof *rest);
	TILE_NAME(add_rest)(in, rows, f, weights, skip_missing, n_sums, rest);
	memcpy(sums, rest, n_sums * sizeof *rest);
}

/*
 * A missing value makes the sum of its row NaN for good, so rows are summed without a look at their values first, and again
 * with one only if a sum is NaN. One output: the sum stays in a register.
 */
static ALWAYS_INLINE bool TILE_NAME(sum_rows)(const linear_rows *in, size_t row, const TILE_SUM *weights, size_t n_outputs,
	bool skip_missing, TILE_SUM *sums)
{
	TILE_SUMS s = in->out ? TILE_ADD(fill)(in->start) : TILE_ADD(load)(sums + row);
	TILE_NAME(add_rows)(in, row, weights, n_outputs, skip_missing, 1, &s);
	if (in->skip_missing && !skip_missing && TILE_ADD(has_nan)(s))
		return false;
	if (in->out)
		TILE_ADD(widen)(in->out + row, s);
	else
		TILE_ADD(store)(sums + row, s);
	return true;
}

static void TILE_NAME(sum_carefully)(const linear_rows *in, size_t row, const TILE_SUM *weights, TILE_SUM *sums)
{
	TILE_NAME(sum_rows)(in, row, weights, in->n_outputs, true, sums);
}

/* Once a value was missing, more will be. */
static ALWAYS_INLINE void TILE_NAME(sum_one)(const linear_rows *in, const TILE_SUM *weights, size_t n_outputs, TILE_SUM *sums)
{
	bool whole = true;
	for (size_t r = 0; r < in->n_rows; r += TILE_LANES) {
		whole = whole && TILE_NAME(sum_rows)(in, r, weights, n_outputs, false, sums);
		if (!whole)
			TILE_NAME(sum_carefully)(in, r, weights, sums);
	}
}

static void TILE_NAME(linear_rows)(const linear_rows *in, const TILE_SUM *weights, TILE_SUM *sums)
{
	if (in->n_sums == 1 && in->n_outputs == 1) {
		TILE_NAME(sum_one)(in, weights, 1, sums);
		return;
	}
	for (size_t r = 0; r < in->n_rows; r += TILE_LANES) {
		TILE_SUMS s[LINEAR_OUTPUTS];
		for (size_t o = 0; o < in->n_sums; o++)
			s[o] = TILE_ADD(load)(sums + o * in->n_rows + r);
		TILE_NAME(add_rows)(in, r, weights, in->n_outputs, in->skip_missing, in->n_sums, s);
		for (size_t o = 0; o < in->n_sums; o++)
			TILE_ADD(store)(sums + o * in->n_rows + r, s[o]);
	}
}

/* LINEAR_ROWS rows of columns, from `row` on: their sums stay in registers. */
static ALWAYS_INLINE void TILE_NAME(whole)(const linear_run *run, size_t row, bool skip_missing, const double *weights, TILE_SUM *sums)
{
	enum { TILE_VECTORS = LINEAR_ROWS / TILE_LANES };
	TILE_SUMS s[TILE_VECTORS];
	for (size_t k = 0; k < TILE_VECTORS; k++)
		s[k] = TILE_ADD(load)(sums + row + k * TILE_LANES);
	for (size_t f = 0; f < run->n_features; f++, weights += run->n_outputs) {
		const TILE_VALUE *column = (const TILE_VALUE *)run->columns[f] + row;
		for (size_t k = 0; k < TILE_VECTORS; k++)
			s[k] = TILE_ADD(step)(s[k], TILE(load)(column + k * TILE_LANES), (TILE_SUM)*weights, skip_missing);
	}
	for (size_t k = 0; k < TILE_VECTORS; k++)
		TILE_ADD(store)(sums + row + k * TILE_LANES, s[k]);
}
#undef TILE_VALUE
#undef TILE_SUM
#undef TILE_SUMS
#undef TILE_ADD
#undef TILE_VECTOR
#undef TILE_LANES
#undef TILE
#undef TILE_NAME
#undef TILE_LINES
