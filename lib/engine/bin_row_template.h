/*
 * Values of some features of a few rows as byte codes. Included by bin_row.c for float and for double values, with VALUE, NAME, RUN
 * (features at a time), DTYPE (the columns that have such values) and FETCH (values of one input in several rows).
 *
 * What holds the values of eight rows is on the stack of those who bin eight.
 */

/* Used features [first, first + n) of one row. Where each has one column, ranks are its codes unless values are missing. */
static ALWAYS_INLINE void NAME(rank)(const engine *e, uint32_t first, uint32_t n, const VALUE *x, uint8_t *codes)
{
	uint8_t room[RUN], *ranks = e->plain_columns ? codes + first : room;
	bool missing = false;
	e->k->NAME(rank)(e->bins + first, x, n, ranks);
	for (uint32_t i = 0; i < n; i++)
		missing |= x[i] != x[i];
	for (uint32_t i = 0; i < n && (missing || !e->plain_columns); i++)
		put_columns(e, first + i, (double)x[i], ranks[i], codes);
}

/* Of the caller's columns: x + r * RUN has the values of row r. */
static ALWAYS_INLINE void NAME(gather)(const engine *e, const input_view *view, row_range rows, uint32_t first, uint32_t n, VALUE *x)
{
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t feature = e->used_features[first + i];
		VALUE few[GATHERED];
		uint64_t missing = 0;
		const VALUE *from = input_dense(view, feature, DTYPE, rows.first);
		if (from) {
			const score_column *c = view->columns + input_column(view, feature);
			if (c->validity)
				input_missing_words(c->validity, c->offset + rows.first, rows.n, &missing);
		} else {
			FETCH(view, feature, rows.first, rows.n, few);
			from = few;
		}
		for (size_t r = 0; r < rows.n; r++)
			x[r * RUN + i] = from[r];
		for (; missing; missing &= missing - 1)
			x[sl_lowest_bit(missing) * RUN + i] = (VALUE)NAN;
	}
}

/* Inputs of up to GATHERED rows. */
static ALWAYS_INLINE void NAME(bin_gathered)(const engine *e, const input_view *view, row_range rows, VALUE *x, uint8_t *codes,
	size_t stride)
{
	for (uint32_t u = 0; u < e->n_used_inputs; u += RUN) {
		uint32_t n = e->n_used_inputs - u < RUN ? e->n_used_inputs - u : RUN;
		NAME(gather)(e, view, rows, u, n, x);
		for (size_t r = 0; r < rows.n; r++)
			NAME(rank)(e, u, n, x + r * RUN, codes + r * stride);
	}
}

static NEVER_INLINE void NAME(bin_gathered_one)(const engine *e, const input_view *view, int64_t row, uint8_t *codes)
{
	VALUE x[RUN];
	NAME(bin_gathered)(e, view, (row_range){row, 1}, x, codes, 0);
}

static NEVER_INLINE void NAME(bin_gathered_some)(const engine *e, const input_view *view, row_range rows, uint8_t *codes, size_t stride)
{
	VALUE x[GATHERED * RUN];
	NAME(bin_gathered)(e, view, rows, x, codes, stride);
}

/* Derived columns of as many: x + r * DERIVED has the values of row r. */
static void NAME(bin_derived_row)(const engine *e, const input_view *view, row_range rows, input_memo *memo, VALUE *x, uint8_t *codes,
	size_t stride)
{
	for (uint32_t u = e->n_used_inputs; u < e->n_used_features; u += DERIVED) {
		uint32_t n = e->n_used_features - u < DERIVED ? e->n_used_features - u : DERIVED;
		for (uint32_t i = 0; i < n; i++) {
			double few[GATHERED];
			input_derive_run(e->f, view, e->used_features[u + i], rows.first, rows.n, memo, few);
			for (size_t r = 0; r < rows.n; r++)
				x[r * DERIVED + i] = (VALUE)few[r];
		}
		for (size_t r = 0; r < rows.n; r++)
			NAME(rank)(e, u, n, x + r * DERIVED, codes + r * stride);
	}
}
#undef VALUE
#undef NAME
#undef RUN
#undef DTYPE
#undef FETCH
