/*
 * Parts of a caller's rows: a slice of neighbours, or rows from anywhere copied together.
 *
 * Comes in: an input and row numbers. Goes out: an input over the same memory, or over copies in the given room. Strings are
 * never copied: rows refer to them by number.
 */
#include "column_value.h"
#include "served.h"

/* What score_batch() will refuse is left as it is, for score_batch() to say why. */
bool deploy_slice(const score_input *input, int64_t begin, int64_t n, deploy_room *room, score_input *out)
{
	*out = *input;
	out->n_rows = n;
	if (input->layout == SCORE_ROWS) {
		out->u.rows.data = (const char *)input->u.rows.data + begin * input->u.rows.row_stride_bytes;
	} else if (input->layout == SCORE_CSR) {
		size_t size = deploy_type_bytes(input->u.csr.start_type);
		out->u.csr.row_starts = (const char *)input->u.csr.row_starts + (size_t)begin * size;
	} else if (input->layout == SCORE_BINNED) {
		out->u.binned.codes = (const char *)input->u.binned.codes + (size_t)begin * input->u.binned.code_bytes;
	} else if (input->layout == SCORE_COLUMNS && input->u.columns.columns && input->n_columns > 0) {
		size_t bytes = (size_t)input->n_columns * sizeof(score_column);
		score_column *columns = deploy_take(room, bytes);
		if (!columns)
			return false;
		memcpy(columns, input->u.columns.columns, bytes);
		for (int64_t i = 0; i < input->n_columns; i++)
			columns[i].offset += begin;
		out->u.columns.columns = columns;
	}
	return true;
}

/* ---- copies ------------------------------------------------------------------------------------------------------ */

/* to[i] = element of row begin + rows[i]; `size` is a constant in every caller, so that each becomes a load and a store. */
static inline void copy_elements(char *to, const char *from, int64_t stride, size_t size, const uint16_t *rows, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		memcpy(to + (size_t)i * size, from + rows[i] * stride, size);
}

static void copy_sized(char *to, const char *from, int64_t stride, size_t size, const uint16_t *rows, int64_t n)
{
	if (size == 8)
		copy_elements(to, from, stride, 8, rows, n);
	else if (size == 4)
		copy_elements(to, from, stride, 4, rows, n);
	else if (size == 2)
		copy_elements(to, from, stride, 2, rows, n);
	else
		copy_elements(to, from, stride, 1, rows, n);
}

static bool gather_rows(const score_input *input, int64_t begin, const uint16_t *rows, int64_t n, deploy_room *room,
	score_input *out)
{
	size_t size = deploy_type_bytes(input->dtype), row_bytes, bytes;
	const int64_t given = input->u.rows.column_stride_bytes, across = given ? given : (int64_t)size;
	const int64_t down = input->u.rows.row_stride_bytes;
	if (size < 4 || !input->u.rows.data || !sl_mul((size_t)input->n_columns, size, &row_bytes) ||
		!sl_mul(row_bytes, (size_t)n, &bytes))
		return false;
	char *data = deploy_take(room, bytes);
	if (!data)
		return false;
	const char *first = (const char *)input->u.rows.data + begin * down;
	for (int64_t i = 0; i < n; i++) {
		const char *from = first + rows[i] * down;
		char *to = data + (size_t)i * row_bytes;
		if (across == (int64_t)size)
			memcpy(to, from, row_bytes);
		for (int64_t c = 0; across != (int64_t)size && c < input->n_columns; c++)
			memcpy(to + (size_t)c * size, from + c * across, size);
	}
	out->u.rows.data = data;
	out->u.rows.row_stride_bytes = (int64_t)row_bytes;
	out->u.rows.column_stride_bytes = (int64_t)size;
	return true;
}

static bool gather_validity(score_column *column, int64_t begin, const uint16_t *rows, int64_t n, deploy_room *room)
{
	if (!column->validity)
		return true;
	uint8_t *bits = deploy_take(room, (size_t)(n + 7) / 8);
	if (!bits)
		return false;
	memset(bits, 0, (size_t)(n + 7) / 8);
	for (int64_t i = 0; i < n; i++) {
		if (deploy_bit_at(column->validity, column->offset + begin + rows[i]))
			bits[i >> 3] = (uint8_t)(bits[i >> 3] | 1u << (i & 7));
	}
	column->validity = bits;
	return true;
}

/* Rows of plain strings become dictionary-encoded rows, whose dictionary is the column. */
static bool gather_strings(score_column *column, int64_t begin, const uint16_t *rows, int64_t n, deploy_room *room)
{
	const score_strings *from = column->values;
	score_strings *to = deploy_take(room, sizeof *to);
	if (!to || !from || from->struct_size < sizeof *from)
		return false;
	*to = *from;
	size_t size = from->indices ? deploy_type_bytes(from->index_type) : 8;
	char *indices = size ? deploy_take(room, (size_t)n * size) : NULL;
	if (!indices)
		return false;
	if (from->indices) {
		copy_sized(indices, (const char *)from->indices + (column->offset + begin) * (int64_t)size, (int64_t)size, size,
			rows, n);
	} else {
		to->n_strings = column->offset + begin + DEPLOY_BLOCK_ROWS;
		to->index_type = SCORE_I64;
		to->codes = NULL; /* of no use without indices, so nobody has looked at what stands there */
		for (int64_t i = 0; i < n; i++) {
			int64_t number = column->offset + begin + rows[i];
			memcpy(indices + (size_t)i * 8, &number, 8);
		}
	}
	to->indices = indices;
	column->values = to;
	return true;
}

static bool gather_bits(score_column *column, int64_t begin, const uint16_t *rows, int64_t n, deploy_room *room)
{
	uint8_t *bytes = deploy_take(room, (size_t)n);
	if (!bytes)
		return false;
	for (int64_t i = 0; i < n; i++)
		bytes[i] = deploy_bit_at(column->values, column->offset + begin + rows[i]);
	column->values = bytes;
	column->dtype = SCORE_BOOL;
	return true;
}

static bool gather_values(score_column *column, int64_t begin, const uint16_t *rows, int64_t n, deploy_room *room)
{
	size_t size = deploy_type_bytes(column->dtype);
	char *values = size ? deploy_take(room, (size_t)n * size) : NULL;
	if (!values)
		return false;
	int64_t stride = column->stride_bytes ? column->stride_bytes : (int64_t)size;
	copy_sized(values, (const char *)column->values + (column->offset + begin) * stride, stride, size, rows, n);
	column->values = values;
	column->stride_bytes = 0;
	return true;
}

static bool gather_column(score_column *column, int64_t begin, const uint16_t *rows, int64_t n, deploy_room *room)
{
	/* Left as it is, so that score_batch() says what is wrong with it. */
	if (!column->values || column->offset < 0 ||
		(deploy_type_bytes(column->dtype) == 0 && column->dtype != SCORE_STRING && column->dtype != SCORE_BOOL_BITS))
		return true;
	if (!gather_validity(column, begin, rows, n, room))
		return false;
	bool fits = column->dtype == SCORE_STRING ? gather_strings(column, begin, rows, n, room) :
		column->dtype == SCORE_BOOL_BITS ? gather_bits(column, begin, rows, n, room) :
		gather_values(column, begin, rows, n, room);
	column->offset = 0;
	return fits;
}

/* Only columns that feed features are looked at, as in score_batch(). */
static bool gather_columns(const deploy_call *call, const score_input *input, int64_t begin, const uint16_t *rows,
	int64_t n, deploy_room *room, score_input *out)
{
	const score_plan *plan = call->request->plan;
	size_t bytes = (size_t)input->n_columns * sizeof(score_column);
	score_column *columns = deploy_take(room, bytes);
	if (!columns || !input->u.columns.columns)
		return false;
	memcpy(columns, input->u.columns.columns, bytes);
	for (uint32_t feature = 0; feature < call->c->n_features; feature++) {
		int64_t i = deploy_column_of(plan, feature);
		if (i < 0 || i >= input->n_columns || columns[i].values != input->u.columns.columns[i].values)
			continue; /* no such column, or copied already */
		if (!gather_column(columns + i, begin, rows, n, room))
			return false;
	}
	out->u.columns.columns = columns;
	return true;
}

bool deploy_gather(const deploy_call *call, const score_input *input, int64_t begin, const uint16_t *rows, int64_t n,
	deploy_room *room, score_input *out)
{
	*out = *input;
	out->n_rows = n;
	if (input->layout == SCORE_ROWS)
		return gather_rows(input, begin, rows, n, room, out);
	return input->layout == SCORE_COLUMNS && gather_columns(call, input, begin, rows, n, room, out);
}
