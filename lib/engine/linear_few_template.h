/*
 * Weighted sums of a few rows of adjacent values. Included by linear_few.c per type of values and sums, with VALUE, SUM
 * and NAME.
 */

/* `n` rows from `row` on, a constant. */
static ALWAYS_INLINE void NAME(rows_in)(const linear_rows *in, size_t row, size_t n, const double *weights, bool skip_missing,
	SUM *sums)
{
	const char *from = in->data + (int64_t)row * in->row_stride;
	SUM s[FEW_ROWS];
	for (size_t r = 0; r < n; r++)
		s[r] = sums[row + r];
	for (size_t f = 0; f < in->n_features; f++, weights += in->n_outputs) {
		SUM weight = (SUM)*weights;
		for (size_t r = 0; r < n; r++) {
			VALUE value;
			memcpy(&value, from + (int64_t)r * in->row_stride + f * sizeof value, sizeof value);
			SUM next = s[r] + (SUM)value * weight;
			s[r] = skip_missing && value != value ? s[r] : next;
		}
	}
	for (size_t r = 0; r < n; r++)
		sums[row + r] = s[r];
}

static ALWAYS_INLINE void NAME(all_rows)(const linear_rows *in, const double *weights, bool skip_missing, SUM *sums)
{
	size_t row = 0;
	for (; row + FEW_ROWS <= in->n_rows; row += FEW_ROWS)
		NAME(rows_in)(in, row, FEW_ROWS, weights, skip_missing, sums);
	for (; row + 2 <= in->n_rows; row += 2)
		NAME(rows_in)(in, row, 2, weights, skip_missing, sums);
	if (row < in->n_rows)
		NAME(rows_in)(in, row, 1, weights, skip_missing, sums);
}

static void NAME(few_rows)(const linear_rows *in, const double *weights, SUM *sums)
{
	for (size_t o = 0; o < in->n_sums; o++) {
		if (in->skip_missing)
			NAME(all_rows)(in, weights + o, true, sums + o * in->n_rows);
		else
			NAME(all_rows)(in, weights + o, false, sums + o * in->n_rows);
	}
}
#undef VALUE
#undef SUM
#undef NAME
