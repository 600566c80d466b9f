/*
 * Number of cuts <= x by a branch-free binary search over 255 cuts padded with NaN, which no value reaches. Included per
 * BIN_TYPE with BIN_NAME and BIN_CUTS.
 */
static void BIN_NAME(const bin_table *t, const BIN_TYPE *x, size_t n, uint8_t *codes)
{
	const BIN_TYPE *cuts = BIN_CUTS(t);
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;
		for (size_t step = 128; step; step /= 2)
			at += cuts[at + step - 1] <= x[i] ? step : 0;
		codes[i] = (uint8_t)at;
	}
}
#undef BIN_TYPE
#undef BIN_NAME
#undef BIN_CUTS
