/*
 * Weighted sums of rows that lie densely in the caller's memory: TILE_LANES rows and as many features are loaded, transposed
 * in registers and added, feature after feature, so that rows are lanes and each row's additions keep their order. Included
 * once per type with TILE_VALUE (float, double), TILE_VECTOR, TILE_LANES, TILE(name) for the vocabulary's words and
 * TILE_NAME(name) for this file's. Whole groups of rows only.
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
static ALWAYS_INLINE void TILE_NAME(add_tile)(const linear_rows *in, const TILE_VECTOR tile[TILE_LANES], size_t skip,
	const TILE_VALUE *weights, bool skip_missing, size_t n_sums, TILE_VECTOR *sums)
{
	for (size_t o = 0; o < n_sums; o++) {
		TILE_VECTOR sum = sums[o];
		const TILE_VALUE *w = weights + o;
		for (size_t i = skip; i < TILE_LANES; i++, w += in->n_outputs)
			sum = TILE(step)(sum, tile[i], *w, skip_missing);
		sums[o] = sum;
	}
}

/* Long rows are fetched ahead of their use, and twice as many of them would leave the first-level cache too early. */
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

/* `groups` times TILE_LANES rows from `row` on: their sums do not wait for each other. */
static ALWAYS_INLINE void TILE_NAME(add_rows)(const linear_rows *in, size_t row, size_t groups, const TILE_VALUE *weights,
	bool skip_missing, size_t n_sums, TILE_VECTOR *sums)
{
	TILE_VECTOR tile[TILE_LANES];
	const char *rows = in->data + (int64_t)row * in->row_stride;
	int64_t group_stride = (int64_t)TILE_LANES * in->row_stride;
	bool long_rows = TILE_NAME(is_long)(in);
	bool more_rows = row + 2 * groups * TILE_LANES <= in->n_following;
	size_t f = 0;
	for (; f + TILE_LANES <= in->n_features; f += TILE_LANES) {
		if (long_rows && more_rows)
			TILE_NAME(ask_ahead)(rows + (int64_t)groups * group_stride, f / TILE_LANES);
		for (size_t g = 0; g < groups; g++) {
			TILE_NAME(load_tile)(in, rows + (int64_t)g * group_stride + f * sizeof(TILE_VALUE), tile);
			TILE_NAME(add_tile)(in, tile, 0, weights + f * in->n_outputs, skip_missing, n_sums, sums + g * n_sums);
		}
	}
	if (f == in->n_features)
		return;
	/* The last tile starts earlier, so that it stays within the row. */
	size_t from = in->n_features - TILE_LANES;
	for (size_t g = 0; g < groups; g++) {
		TILE_NAME(load_tile)(in, rows + (int64_t)g * group_stride + from * sizeof(TILE_VALUE), tile);
		TILE_NAME(add_tile)(in, tile, f - from, weights + f * in->n_outputs, skip_missing, n_sums, sums + g * n_sums);
	}
}

/*
 * A missing value makes the sum of its row NaN for good, so rows are summed without a look at their values first, and again
 * with one only if a sum is NaN. One output: sums stay in registers.
 */
static ALWAYS_INLINE bool TILE_NAME(sum_groups)(const linear_rows *in, size_t row, size_t groups,
	const TILE_VALUE *weights, bool skip_missing, TILE_VALUE *sums)
{
	TILE_VECTOR s[2];
	bool whole = true;
	for (size_t g = 0; g < groups; g++)
		s[g] = TILE(load)(sums + row + g * TILE_LANES);
	TILE_NAME(add_rows)(in, row, groups, weights, skip_missing, 1, s);
	for (size_t g = 0; g < groups && !skip_missing; g++)
		whole = whole && !TILE(has_nan)(s[g]);
	for (size_t g = 0; g < groups && (whole || !in->skip_missing); g++)
		TILE(store)(sums + row + g * TILE_LANES, s[g]);
	return whole || !in->skip_missing;
}

static void TILE_NAME(sum_carefully)(const linear_rows *in, size_t row, const TILE_VALUE *weights, TILE_VALUE *sums)
{
	TILE_NAME(sum_groups)(in, row, 1, weights, true, sums);
}

static void TILE_NAME(sum_one)(const linear_rows *in, const TILE_VALUE *weights, TILE_VALUE *sums)
{
	bool whole = true, pairs = !TILE_NAME(is_long)(in);
	for (size_t r = 0, n; r < in->n_rows; r += n) {
		n = pairs && r + 2 * TILE_LANES <= in->n_rows ? 2 * TILE_LANES : TILE_LANES;
		if (whole && n > TILE_LANES)
			whole = TILE_NAME(sum_groups)(in, r, 2, weights, false, sums);
		else if (whole)
			whole = TILE_NAME(sum_groups)(in, r, 1, weights, false, sums);
		for (size_t g = r; g < r + n && !whole; g += TILE_LANES)
			TILE_NAME(sum_carefully)(in, g, weights, sums);
	}
}

static void TILE_NAME(linear_rows)(const linear_rows *in, const TILE_VALUE *weights, TILE_VALUE *sums)
{
	if (in->n_sums == 1) {
		TILE_NAME(sum_one)(in, weights, sums);
		return;
	}
	for (size_t r = 0; r < in->n_rows; r += TILE_LANES) {
		TILE_VECTOR s[LINEAR_OUTPUTS];
		for (size_t o = 0; o < in->n_sums; o++)
			s[o] = TILE(load)(sums + o * in->n_rows + r);
		TILE_NAME(add_rows)(in, r, 1, weights, in->skip_missing, in->n_sums, s);
		for (size_t o = 0; o < in->n_sums; o++)
			TILE(store)(sums + o * in->n_rows + r, s[o]);
	}
}
#undef TILE_VALUE
#undef TILE_VECTOR
#undef TILE_LANES
#undef TILE
#undef TILE_NAME
#undef TILE_LINES
