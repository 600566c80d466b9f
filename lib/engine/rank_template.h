/*
 * Number of cuts <= x: the map's bucket says where to begin, a short search without branches does the rest. Included per
 * pair of BIN_TYPE and BIN_CODE with BIN_NAME, BIN_BUCKET, BIN_CUTS and BIN_MAP. The reference for every other kernel.
 */
static ALWAYS_INLINE BIN_CODE BIN_NAME(search)(const BIN_TYPE *cuts, BIN_CODE code, uint32_t steps, BIN_TYPE x)
{
	for (uint32_t s = steps; s-- > 0;)
		code = (BIN_CODE)(code + ((BIN_CODE)(cuts[code + ((BIN_CODE)1 << s) - 1] <= x) << s));
	return code;
}

/* `steps` is a constant in most calls, so that the search is unrolled. A large map waits for memory: what 64 values look at is asked
 * for together. */
static ALWAYS_INLINE bool BIN_NAME(bin_steps)(const bin_table *t, const BIN_TYPE *x, size_t n, uint32_t steps,
	BIN_CODE *codes)
{
	const bin_map map = *BIN_MAP(t);
	const BIN_CODE *start = map.start;
	const BIN_TYPE *cuts = BIN_CUTS(t);
	int32_t nan = 0;
	for (size_t done = 0; done < n; done += 64) {
		int32_t bucket[64];
		size_t part = n - done < 64 ? n - done : 64;
		for (size_t i = 0; i < part; i++) {
			bucket[i] = BIN_BUCKET(&map, x[done + i]);
			nan |= x[done + i] != x[done + i];
		}
		if (map.last >= FAR_BUCKETS) {
			for (size_t i = 0; i < part; i++)
				__builtin_prefetch(start + bucket[i]);
			for (size_t i = 0; i < part; i++)
				__builtin_prefetch(cuts + start[bucket[i]]);
		}
		for (size_t i = 0; i < part; i++)
			codes[done + i] = BIN_NAME(search)(cuts, start[bucket[i]], steps, x[done + i]);
	}
	return nan;
}

static bool BIN_NAME(bin)(const bin_table *t, const BIN_TYPE *x, size_t n, void *codes)
{
	uint32_t steps = BIN_MAP(t)->steps;
	if (steps == 1)
		return BIN_NAME(bin_steps)(t, x, n, 1, codes);
	if (steps == 2)
		return BIN_NAME(bin_steps)(t, x, n, 2, codes);
	if (steps == 3)
		return BIN_NAME(bin_steps)(t, x, n, 3, codes);
	if (steps == 4)
		return BIN_NAME(bin_steps)(t, x, n, 4, codes);
	return BIN_NAME(bin_steps)(t, x, n, steps, codes);
}

/* to[i] = the highest code where x[i] is missing, else from[i]; `to` may be `from`. Parts in arrays of their own, so that compilers see
 * that nothing overlaps. */
static void BIN_NAME(lift)(const BIN_TYPE *x, size_t n, const void *from, void *to)
{
	for (size_t done = 0; done < n; done += 64) {
		BIN_CODE code[64] = {0}, missing[64] = {0};
		size_t part = n - done < 64 ? n - done : 64;
		memcpy(code, (const BIN_CODE *)from + done, part * sizeof *code);
		for (size_t i = 0; i < part; i++)
			missing[i] = x[done + i] != x[done + i] ? (BIN_CODE)-1 : 0;
		for (size_t i = 0; i < 64; i++)
			code[i] |= missing[i];
		memcpy((BIN_CODE *)to + done, code, part * sizeof *code);
	}
}
#undef BIN_TYPE
#undef BIN_CODE
#undef BIN_NAME
#undef BIN_BUCKET
#undef BIN_CUTS
#undef BIN_MAP
