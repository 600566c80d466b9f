/*
 * sums[r] += the leaf of each tree, tree after tree, in plain C: four trees per pass, so that a row's sum stays in a
 * register over four additions. Included per SUM_TYPE with SUM_NAME.
 */
static void SUM_NAME(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n, size_t words,
	SUM_TYPE *sums)
{
	size_t rows = words * 64, t = 0;
	for (; t + 4 <= n; t += 4) {
		const uint8_t *c0 = codes[which[t]], *c1 = codes[which[t + 1]], *c2 = codes[which[t + 2]],
			*c3 = codes[which[t + 3]];
		const SUM_TYPE *t0 = tables[t].values, *t1 = tables[t + 1].values, *t2 = tables[t + 2].values,
			*t3 = tables[t + 3].values;
		for (size_t r = 0; r < rows; r++)
			sums[r] = (((sums[r] + t0[c0[r]]) + t1[c1[r]]) + t2[c2[r]]) + t3[c3[r]];
	}
	for (; t < n; t++) {
		const uint8_t *c = codes[which[t]];
		const SUM_TYPE *values = tables[t].values;
		for (size_t r = 0; r < rows; r++)
			sums[r] += values[c[r]];
	}
}
#undef SUM_TYPE
#undef SUM_NAME
