/*
 * Codes of one feature in all its columns, for one type of code. Included by bin.c once per CODE, with CODE_NAME.
 */

/* The base column of a numeric feature: missing values at the lowest code. True if there may be some. */
static ALWAYS_INLINE bool CODE_NAME(rank)(const engine *e, uint32_t used, const values *v, CODE *codes)
{
	const bin_table *t = e->bins + used;
	if (v->narrow)
		return e->k->bin_f32[sizeof(CODE) / 2](t, v->narrow, v->n, codes);
	return e->k->bin_f64[sizeof(CODE) / 2](t, v->wide, v->n, codes);
}

/* A numeric column from the base column, which it may be. */
static ALWAYS_INLINE void CODE_NAME(place_missing)(const engine *e, const code_column *column, const values *v, bool may_be_missing,
	const CODE *ranks, CODE *codes)
{
	CODE at = column->missing == MISSING_HIGH ? (CODE)-1 : 0;
	if (column->zero_is_missing) {
		for (size_t i = 0; i < v->n; i++)
			codes[i] = engine_is_missing(column, value_at(v, i)) ? at : ranks[i];
	} else if (!at || !may_be_missing) {
		if (codes != ranks)
			memcpy(codes, ranks, v->n * sizeof *codes);
	} else if (v->narrow) {
		e->k->lift_f32[sizeof(CODE) / 2](v->narrow, v->n, ranks, codes);
	} else {
		e->k->lift_f64[sizeof(CODE) / 2](v->wide, v->n, ranks, codes);
	}
}

/* The codes of values that are marked as missing. */
static void CODE_NAME(mark_missing)(const engine *e, const code_column *column, const values *v, CODE *codes)
{
	const bool high = column->missing == MISSING_HIGH;
	if (sizeof(CODE) == 1 && e->k->mark_u8) {
		e->k->mark_u8(v->marked, v->n, high, (uint8_t *)codes);
		return;
	}
	for (size_t i = 0; i < v->n; i += 64) {
		for (uint64_t missing = v->marked[i / 64]; missing; missing &= missing - 1)
			codes[i + sl_lowest_bit(missing)] = high ? (CODE)-1 : 0;
	}
}

/* The feature's columns start at `codes`, `stride` codes apart. Its numeric columns come before its category column; the first of them
 * is the base column until the others are made. */
static inline void CODE_NAME(bin_strided)(const engine *e, uint32_t used, const values *v, CODE *codes, size_t stride)
{
	uint32_t first = e->first_column[used];
	CODE *ranks = codes;
	bool may_be_missing = false;
	if (!e->columns[first].is_category)
		may_be_missing = CODE_NAME(rank)(e, used, v, ranks);
	for (uint32_t c = e->first_column[used + 1]; c-- > first;) {
		const code_column *column = e->columns + c;
		CODE *to = codes + (c - first) * stride;
		if (!column->is_category) {
			CODE_NAME(place_missing)(e, column, v, may_be_missing, ranks, to);
			if (v->marked)
				CODE_NAME(mark_missing)(e, column, v, to);
			continue;
		}
		for (size_t i = 0; i < v->n; i++)
			to[i] = (CODE)category_code(e, column, value_at(v, i));
	}
}

static void CODE_NAME(bin_feature)(const engine *e, uint32_t used, const values *v, void *codes, size_t stride)
{
	CODE_NAME(bin_strided)(e, used, v, codes, stride);
}

static void CODE_NAME(bin_one)(const engine *e, uint32_t used, const values *v, void *codes)
{
	CODE_NAME(bin_strided)(e, used, v, (CODE *)codes + e->first_column[used], 1);
}
#undef CODE
#undef CODE_NAME
