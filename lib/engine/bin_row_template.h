/*
 * Values of some features of a few rows as byte codes. Included by bin_row.c for float and for double values, with VALUE, NAME, RUN
 * (features at a time), DTYPE (the columns that have such values) and FETCH (values of one input in several rows).
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

/* Of the caller's columns: x[r] has the values of row r. */
static void NAME(gather)(const engine *e, const input_view *view, row_range rows, uint32_t first, uint32_t n, VALUE (*x)[RUN])
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
			x[r][i] = from[r];
		for (; missing; missing &= missing - 1)
			x[sl_lowest_bit(missing)][i] = (VALUE)NAN;
	}
}

/* The same of derived columns. */
static void NAME(derive)(const engine *e, const input_view *view, row_range rows, uint32_t first, uint32_t n, input_memo *memo,
	VALUE (*x)[RUN])
{
	for (uint32_t i = 0; i < n; i++) {
		double few[GATHERED];
		input_derive_run(e->f, view, e->used_features[first + i], rows.first, rows.n, memo, few);
		for (size_t r = 0; r < rows.n; r++)
			x[r][i] = (VALUE)few[r];
	}
}

/* Used features [first, end) of up to GATHERED rows; with a memo they are derived. */
static void NAME(bin_gathered)(const engine *e, const input_view *view, row_range rows, uint32_t first, uint32_t end,
	input_memo *memo, uint8_t *codes, size_t stride)
{
	VALUE x[GATHERED][RUN];
	for (uint32_t u = first; u < end; u += RUN) {
		uint32_t n = end - u < RUN ? end - u : RUN;
		if (memo)
			NAME(derive)(e, view, rows, u, n, memo, x);
		else
			NAME(gather)(e, view, rows, u, n, x);
		for (size_t r = 0; r < rows.n; r++)
			NAME(rank)(e, u, n, x[r], codes + r * stride);
	}
}
#undef VALUE
#undef NAME
#undef RUN
#undef DTYPE
#undef FETCH
