/*
 * Weighted sums of some features: rows are lanes, so that a row's additions keep their order. Included once per type of
 * values and sums, with LINEAR_VALUE, LINEAR_SUM and LINEAR_NAME. Plain C that compilers vectorise; four features at a
 * time, so that sums are loaded and stored once for the four. With HAVE_TILES, linear_tiles_template.h has LINEAR_NAME(whole).
 */

/* A missing value leaves the sum as it is. The sum is made in any case and then not taken: no branch, and no multiply by
 * zero, which would change -0.0 and infinities. */
static ALWAYS_INLINE LINEAR_SUM LINEAR_NAME(step)(LINEAR_SUM sum, LINEAR_VALUE value, LINEAR_SUM weight, bool skip_missing)
{
	LINEAR_SUM next = sum + (LINEAR_SUM)value * weight;
	return skip_missing ? (value == value ? next : sum) : next;
}

/* Rows [first, first + n_rows), of which there are at most LINEAR_ROWS. */
static ALWAYS_INLINE void LINEAR_NAME(rows)(const linear_run *run, size_t first, size_t n_rows, bool skip_missing,
	const double *weights, LINEAR_SUM *sums)
{
	/* A copy, so that compilers see that no column can overlap it. */
	LINEAR_SUM s[LINEAR_ROWS];
	size_t next = run->n_outputs, f = 0;
	memcpy(s, sums + first, n_rows * sizeof *s);
	for (; f + 4 <= run->n_features; f += 4, weights += 4 * next) {
		const LINEAR_VALUE *a = (const LINEAR_VALUE *)run->columns[f] + first;
		const LINEAR_VALUE *b = (const LINEAR_VALUE *)run->columns[f + 1] + first;
		const LINEAR_VALUE *c = (const LINEAR_VALUE *)run->columns[f + 2] + first;
		const LINEAR_VALUE *d = (const LINEAR_VALUE *)run->columns[f + 3] + first;
		LINEAR_SUM wa = (LINEAR_SUM)weights[0], wb = (LINEAR_SUM)weights[next];
		LINEAR_SUM wc = (LINEAR_SUM)weights[2 * next], wd = (LINEAR_SUM)weights[3 * next];
		for (size_t r = 0; r < n_rows; r++) {
			LINEAR_SUM sum = LINEAR_NAME(step)(s[r], a[r], wa, skip_missing);
			sum = LINEAR_NAME(step)(sum, b[r], wb, skip_missing);
			sum = LINEAR_NAME(step)(sum, c[r], wc, skip_missing);
			s[r] = LINEAR_NAME(step)(sum, d[r], wd, skip_missing);
		}
	}
	for (; f < run->n_features; f++, weights += next) {
		const LINEAR_VALUE *a = (const LINEAR_VALUE *)run->columns[f] + first;
		LINEAR_SUM wa = (LINEAR_SUM)weights[0];
		for (size_t r = 0; r < n_rows; r++)
			s[r] = LINEAR_NAME(step)(s[r], a[r], wa, skip_missing);
	}
	memcpy(sums + first, s, n_rows * sizeof *s);
}

#ifndef HAVE_TILES
static ALWAYS_INLINE void LINEAR_NAME(whole)(const linear_run *run, size_t row, bool skip_missing, const double *weights,
	LINEAR_SUM *sums)
{
	/* In this build the number of rows is a constant. */
	LINEAR_NAME(rows)(run, row, LINEAR_ROWS, skip_missing, weights, sums);
}
#endif

static void LINEAR_NAME(linear)(const linear_run *run, const double *weights, void *sums)
{
	size_t r = 0;
	for (; r + LINEAR_ROWS <= run->n_rows && run->skip_missing; r += LINEAR_ROWS)
		LINEAR_NAME(whole)(run, r, true, weights, sums);
	for (; r + LINEAR_ROWS <= run->n_rows; r += LINEAR_ROWS)
		LINEAR_NAME(whole)(run, r, false, weights, sums);
	if (r < run->n_rows)
		LINEAR_NAME(rows)(run, r, run->n_rows - r, run->skip_missing, weights, sums);
}
#undef LINEAR_VALUE
#undef LINEAR_SUM
#undef LINEAR_NAME
