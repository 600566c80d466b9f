#include "fuzz_rows.h"

#include <stdlib.h>
#include <string.h>

void *fuzz_block(fuzz_store *s, fuzz_bytes *in, size_t size)
{
	uint8_t *p = malloc(size ? size : 1);
	if (!p || s->n == sizeof s->blocks / sizeof *s->blocks)
		abort();
	s->blocks[s->n++] = p;
	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)fuzz_take(in, 1);
	return p;
}

void fuzz_store_free(fuzz_store *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->blocks[i]);
	s->n = 0;
}

static size_t value_bytes(score_dtype type)
{
	static const size_t bytes[] = {1, 4, 8, 1, 1, 2, 2, 4, 4, 8, 8, 1, 1, 0, 2};
	return type >= 0 && (size_t)type < sizeof bytes / sizeof bytes[0] ? bytes[type] : 8;
}

static score_input make_rows(fuzz_store *s, fuzz_bytes *in, int64_t n_rows, int64_t n_columns)
{
	score_input input = score_input_rows_f64(NULL, n_rows, n_columns);
	int64_t each = fuzz_below(in, 2) ? 8 : 4, row, column;
	input.dtype = each == 8 ? SCORE_F64 : SCORE_F32;
	column = each * (1 + (int64_t)fuzz_below(in, 2));
	row = column * n_columns + each * (int64_t)fuzz_below(in, 3);
	if (fuzz_below(in, 3) == 0) { /* column by column */
		row = each;
		column = each * n_rows;
	}
	size_t size = n_rows == 0 ? 0 : (size_t)((n_rows - 1) * row + (n_columns - 1) * column + each);
	char *data = fuzz_block(s, in, size);
	if (fuzz_below(in, 4) == 0 && n_rows > 0) {
		data += (n_rows - 1) * row;
		row = -row;
	}
	input.u.rows.data = data;
	input.u.rows.row_stride_bytes = row;
	input.u.rows.column_stride_bytes = column;
	return input;
}

static void make_column(fuzz_store *s, fuzz_bytes *in, int64_t n_rows, score_column *c)
{
	static const score_dtype types[] = {SCORE_F32, SCORE_F64, SCORE_I8, SCORE_U8, SCORE_I16, SCORE_U16, SCORE_I32, SCORE_U32,
		SCORE_I64, SCORE_U64, SCORE_BOOL, SCORE_BOOL_BITS, SCORE_F16};
	memset(c, 0, sizeof *c);
	c->dtype = types[fuzz_below(in, sizeof types / sizeof types[0])];
	c->offset = (int64_t)fuzz_below(in, 20);
	size_t n = (size_t)(c->offset + n_rows), each = value_bytes(c->dtype);
	if (c->dtype == SCORE_BOOL_BITS) {
		c->values = fuzz_block(s, in, (n + 7) / 8);
	} else {
		size_t stride = each * (1 + fuzz_below(in, 2));
		char *values = fuzz_block(s, in, n == 0 ? 0 : (n - 1) * stride + each);
		c->stride_bytes = stride == each && fuzz_below(in, 2) ? 0 : (int64_t)stride;
		c->values = values;
	}
	if (fuzz_below(in, 2))
		c->validity = fuzz_block(s, in, (n + 7) / 8);
	if (fuzz_below(in, 40) == 39)
		c->dtype = (score_dtype)fuzz_take(in, 1) + 15;
}

/* Strings of `n` offsets and one more. */
static void make_strings(fuzz_store *s, fuzz_bytes *in, size_t n, score_strings *strings)
{
	static const char text[] = "redgr\xc3\xbcnblue1 -7x";
	const int is_wide = (int)fuzz_below(in, 2);
	const size_t odd_one = fuzz_below(in, 8) == 7 ? fuzz_below(in, (uint32_t)n + 1) : n + 1;
	int64_t at = 0;
	char *offsets = fuzz_block(s, in, (n + 1) * (is_wide ? 8 : 4));
	for (size_t i = 0; i <= n; i++) {
		const int64_t offset = i == odd_one ? (int64_t)fuzz_below(in, (uint32_t)at + 9) - 8 : at;
		const int32_t narrow = (int32_t)offset;
		memcpy(offsets + i * (is_wide ? 8 : 4), is_wide ? (const void *)&offset : (const void *)&narrow, is_wide ? 8 : 4);
		at += i < n ? (int64_t)fuzz_below(in, 6) : 0;
	}
	char *data = fuzz_block(s, in, (size_t)at);
	const size_t shift = fuzz_below(in, 9);
	for (size_t i = 0; i < (size_t)at && shift < 8; i++)
		data[i] = text[(i + shift) % (sizeof text - 1)];
	strings->offsets = offsets;
	strings->offset_type = is_wide ? SCORE_I64 : SCORE_I32;
	strings->data = at ? data : NULL;
}

score_column fuzz_texts(fuzz_store *s, fuzz_bytes *in, int64_t n_rows)
{
	score_column c = {NULL, NULL, (int64_t)fuzz_below(in, 11), 0, SCORE_STRING, 0};
	score_strings *strings = fuzz_block(s, in, sizeof *strings);
	const size_t n = (size_t)(c.offset + n_rows);
	*strings = (score_strings)SCORE_STRINGS_INIT;
	c.values = strings;
	if (fuzz_below(in, 2)) {
		strings->n_strings = (int64_t)fuzz_below(in, 7);
		strings->index_type = SCORE_I8 + (score_dtype)fuzz_below(in, 8);
		char *indices = fuzz_block(s, in, n * value_bytes(strings->index_type));
		for (size_t i = 0; i < n && fuzz_below(in, 8); i++) /* mostly there */
			memset(indices + i * value_bytes(strings->index_type), 0, value_bytes(strings->index_type));
		for (size_t i = 0; i < n; i++)
			indices[i * value_bytes(strings->index_type)] = (char)fuzz_below(in, 9);
		strings->indices = indices;
	}
	make_strings(s, in, strings->indices ? (size_t)strings->n_strings : n, strings);
	if (fuzz_below(in, 2))
		c.validity = fuzz_block(s, in, (n + 7) / 8);
	return c;
}

static score_input make_columns(fuzz_store *s, fuzz_bytes *in, int64_t n_rows, int64_t n_columns)
{
	score_column *columns = fuzz_block(s, in, (size_t)n_columns * sizeof *columns);
	for (int64_t i = 0; i < n_columns; i++)
		make_column(s, in, n_rows, columns + i);
	return score_input_columns(columns, n_rows, n_columns);
}

static score_input make_csr(fuzz_store *s, fuzz_bytes *in, int64_t n_rows, int64_t n_columns)
{
	int wide_starts = (int)fuzz_below(in, 2), wide_numbers = (int)fuzz_below(in, 2), wide_values = (int)fuzz_below(in, 2);
	size_t n = 0;
	uint8_t *starts = fuzz_block(s, in, (size_t)(n_rows + 1) * (wide_starts ? 8 : 4));
	for (int64_t r = 0; r <= n_rows; r++) {
		int64_t start = (int64_t)n;
		int32_t narrow = (int32_t)n;
		memcpy(starts + r * (wide_starts ? 8 : 4), wide_starts ? (void *)&start : (void *)&narrow, wide_starts ? 8 : 4);
		if (r < n_rows)
			n += fuzz_below(in, (uint32_t)n_columns + 1);
	}
	uint8_t *numbers = fuzz_block(s, in, 0);
	numbers = fuzz_block(s, in, n * (wide_numbers ? 8 : 4));
	int64_t at = 0;
	for (size_t i = 0; i < n; i++) { /* mostly ascending, now and then anything */
		at = fuzz_below(in, 8) == 7 ? (int64_t)(int8_t)fuzz_take(in, 1) : (at + 1 + (int64_t)fuzz_below(in, 2)) % (n_columns + 1);
		int32_t narrow = (int32_t)at;
		memcpy(numbers + i * (wide_numbers ? 8 : 4), wide_numbers ? (void *)&at : (void *)&narrow, wide_numbers ? 8 : 4);
	}
	void *values = fuzz_block(s, in, n * (wide_values ? 8 : 4));
	return score_input_csr(starts, wide_starts ? SCORE_I64 : SCORE_I32, numbers, wide_numbers ? SCORE_I64 : SCORE_I32, values,
		wide_values ? SCORE_F64 : SCORE_F32, n_rows, n_columns, (score_absent)(1 + fuzz_below(in, 2)));
}

score_input fuzz_rows(fuzz_store *s, fuzz_bytes *in, int64_t n_rows, int64_t n_columns)
{
	switch (fuzz_below(in, 3)) {
	case 0: return make_rows(s, in, n_rows, n_columns);
	case 1: return make_columns(s, in, n_rows, n_columns);
	default: return make_csr(s, in, n_rows, n_columns);
	}
}
