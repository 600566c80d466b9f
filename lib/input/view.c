/* Descriptor checks and typed fetches. */
#include "view.h"

#include <math.h>
#include <stdio.h>

static size_t dtype_size(score_dtype t)
{
	switch (t) {
	case SCORE_I8:
	case SCORE_U8:
	case SCORE_BOOL:
		return 1;
	case SCORE_I16:
	case SCORE_U16:
	case SCORE_F16:
		return 2;
	case SCORE_F32:
	case SCORE_I32:
	case SCORE_U32:
		return 4;
	case SCORE_F64:
	case SCORE_I64:
	case SCORE_U64:
		return 8;
	default:
		return 0;
	}
}

size_t input_dense_bytes(const score_column *c)
{
	size_t size = dtype_size(c->dtype);
	return c->stride_bytes == 0 || c->stride_bytes == (int64_t)size ? size : 0;
}

static bool misaligned(const void *p, int64_t stride, size_t size)
{
	return ((uintptr_t)p | (uintptr_t)stride) & (size - 1);
}

static score_status open_rows(const score_input *in, input_view *out, score_error *error)
{
	if (in->dtype != SCORE_F32 && in->dtype != SCORE_F64)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "row-major input has dtype %d, expected SCORE_F32 or SCORE_F64",
			(int)in->dtype);
	size_t size = dtype_size(in->dtype);
	if (!in->u.rows.data)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "row-major input has no data (NULL)");
	if (misaligned(in->u.rows.data, in->u.rows.row_stride_bytes, size) ||
		misaligned(in->u.rows.data, in->u.rows.column_stride_bytes, size))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the data and strides of the rows must be multiples of %zu bytes", size);
	out->data = in->u.rows.data;
	out->row_stride = in->u.rows.row_stride_bytes;
	out->column_stride = in->u.rows.column_stride_bytes ? in->u.rows.column_stride_bytes : (int64_t)size;
	out->dtype = in->dtype;
	out->all_f32 = in->dtype == SCORE_F32;
	return SCORE_OK;
}

static score_status open_strings(const score_column *column, const forest *f, uint32_t feature, uint32_t number,
	score_error *error)
{
	char what[32];
	const char *name = f->features[feature].name;
	if (!input_takes_strings(f, feature))
		return sl_fail(error, SCORE_ERR_SHAPE,
			"column %u holds strings, but the model has no dictionary for feature '%s': give numbers", number,
			sl_quote(name, strlen(name)).text);
	if (column->stride_bytes)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "column %u: SCORE_STRING columns have no stride", number);
	snprintf(what, sizeof what, "column %u", number);
	return sl_check_strings(column->values, false, what, error);
}

static score_status open_columns(const score_input *in, const forest *f, input_view *out, score_error *error)
{
	const score_column *columns = in->u.columns.columns;
	if (!columns)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "columnar input has no columns (NULL)");
	out->columns = columns;
	out->all_f32 = true;
	for (uint32_t i = 0; i < f->n_features; i++) {
		uint32_t c = input_column(out, i);
		const score_column *column = columns + c;
		size_t size = dtype_size(column->dtype);
		if (!column->values)
			return sl_fail(error, SCORE_ERR_ARGUMENT, "column %u has no values (NULL)", c);
		if (column->dtype == SCORE_STRING) {
			score_status status = open_strings(column, f, i, c, error);
			if (status != SCORE_OK)
				return status;
		} else if (column->dtype == SCORE_BOOL_BITS ? column->stride_bytes != 0 :
			size == 0 || misaligned(column->values, column->stride_bytes, size))
			return sl_fail(error, SCORE_ERR_ARGUMENT,
				"column %u has dtype %d, which cannot be scored, or is not aligned to it", c, (int)column->dtype);
		if (column->offset < 0)
			return sl_fail(error, SCORE_ERR_ARGUMENT, "column %u has the negative offset %lld", c,
				(long long)column->offset);
		if (size == 0 || size > 2)
			out->all_f32 &= column->dtype == SCORE_F32 || column->dtype == SCORE_BOOL_BITS;
	}
	return SCORE_OK;
}

score_status input_open(const score_input *input, const score_plan *plan, const forest *f, input_view *out,
	score_error *error)
{
	score_input in;
	memset(out, 0, sizeof *out);
	if (!input)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the input is NULL");
	score_status status = sl_take_struct(&in, sizeof in, input, "score_input", error);
	if (status != SCORE_OK)
		return status;
	if (in.n_rows < 0 || in.n_columns < 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the input has %lld rows and %lld columns", (long long)in.n_rows,
			(long long)in.n_columns);
	uint32_t expected = plan ? plan->n_columns : f->n_features;
	if (in.n_columns != (int64_t)expected)
		return sl_fail(error, SCORE_ERR_SHAPE, "the input has %lld columns, the %s %u", (long long)in.n_columns,
			plan ? "plan was bound to" : "model has", expected);
	out->n_rows = in.n_rows;
	out->f = f;
	out->column_of_feature = plan ? plan->column : NULL;
	if (in.n_rows == 0)
		return SCORE_OK;
	if (in.layout == SCORE_ROWS)
		return open_rows(&in, out, error);
	if (in.layout == SCORE_COLUMNS)
		return open_columns(&in, f, out, error);
	if (in.layout == SCORE_CSR)
		return input_open_csr(&in, out, error);
	return sl_fail(error, SCORE_ERR_ARGUMENT, "the input has the unknown layout %d", (int)in.layout);
}

/* Bit k: element + k is marked as missing, for the next 64 elements or the `left` that are left. Reads no byte of the bitmap
 * beyond those. */
static uint64_t missing_word(const uint8_t *validity, int64_t element, size_t left)
{
	const uint8_t *from = validity + (element >> 3);
	uint32_t shift = (uint32_t)(element & 7);
	size_t bits = left < 64 ? left : 64, bytes = (shift + bits + 7) / 8;
	uint64_t word = 0;
	if (bytes >= 8) {
		word = sl_load_le64(from) >> shift;
		if (bytes == 9)
			word |= (uint64_t)from[8] << 1 << (63 - shift);
	} else {
		for (size_t i = 0; i < bytes; i++)
			word |= (uint64_t)from[i] << (8 * i);
		word >>= shift;
	}
	return ~word & (bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1);
}

bool input_all_valid(const uint8_t *validity, int64_t element, size_t n)
{
	size_t head = (size_t)(-element & 7);
	head = head < n ? head : n;
	if (head && missing_word(validity, element, head))
		return false;
	const uint8_t *from = validity + ((element + (int64_t)head) >> 3);
	for (n -= head; n >= 64; n -= 64, from += 8) {
		if (sl_load_le64(from) != UINT64_MAX)
			return false;
	}
	return n == 0 || !missing_word(from, 0, n);
}

bool input_missing_words(const uint8_t *validity, int64_t element, size_t n, uint64_t *words)
{
	uint64_t any = 0;
	for (size_t i = 0; i < n; i += 64) {
		words[i / 64] = missing_word(validity, element + (int64_t)i, n - i);
		any |= words[i / 64];
	}
	return any != 0;
}

/* A half as a float, exactly. */
static float widen_half(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000u) << 16, rest = h & 0x7fffu;
	if (rest >= 0x7c00u)
		return sl_f32_from_bits(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
	/* As a float with this exponent the half is 2^-112 too small; denormals come out right, too. */
	return sl_f32_from_bits(sign | sl_f32_bits(sl_f32_from_bits(rest << 13) * 0x1p112f));
}

/* Two loops, because a compiler makes vectors only of values that lie densely. */
#define FETCH_AS(type) \
	if (stride == (int64_t)sizeof(type)) { \
		for (size_t i = 0; i < n; i++) { \
			type value; \
			memcpy(&value, from + i * sizeof value, sizeof value); \
			out[i] = (FETCH_OUT)value; \
		} \
		break; \
	} \
	for (size_t i = 0; i < n; i++) { \
		type value; \
		memcpy(&value, from + (int64_t)i * stride, sizeof value); \
		out[i] = (FETCH_OUT)value; \
	} \
	break

/* Values first, then the missing ones on top: validity is rare and the value loops stay simple. */
#define FETCH_OUT float
#define FETCH_NAME fetch_column_f32
#include "fetch_template.h"

#define FETCH_OUT double
#define FETCH_NAME fetch_column_f64
#include "fetch_template.h"

static const char *row_values(const input_view *view, uint32_t feature, int64_t first)
{
	return view->data + first * view->row_stride + (int64_t)input_column(view, feature) * view->column_stride;
}

void input_fetch_f32(const input_view *view, uint32_t feature, int64_t first, size_t n, float *out)
{
	if (view->columns) {
		const score_column *c = view->columns + input_column(view, feature);
		if (c->dtype == SCORE_STRING)
			input_string_codes_f32(view, feature, first, n, out);
		else
			fetch_column_f32(c, first, n, out);
		return;
	}
	if (view->is_csr) {
		input_csr_f32(view, feature, first, n, out);
		return;
	}
	const char *from = row_values(view, feature, first);
	for (size_t i = 0; i < n; i++, from += view->row_stride)
		out[i] = view->dtype == SCORE_F32 ? *(const float *)(const void *)from
						  : (float)*(const double *)(const void *)from;
}

void input_fetch_f64(const input_view *view, uint32_t feature, int64_t first, size_t n, double *out)
{
	if (view->columns) {
		const score_column *c = view->columns + input_column(view, feature);
		if (c->dtype == SCORE_STRING)
			input_string_codes_f64(view, feature, first, n, out);
		else
			fetch_column_f64(c, first, n, out);
		return;
	}
	if (view->is_csr) {
		input_csr_f64(view, feature, first, n, out);
		return;
	}
	const char *from = row_values(view, feature, first);
	for (size_t i = 0; i < n; i++, from += view->row_stride)
		out[i] = view->dtype == SCORE_F32 ? (double)*(const float *)(const void *)from
						  : *(const double *)(const void *)from;
}

#define EXACT_IN_DOUBLE 9007199254740992u /* 2^53 */

void input_fetch_hashed(const input_view *view, uint32_t feature, int64_t first, size_t n, double *out)
{
	input_fetch_f64(view, feature, first, n, out);
	const score_column *c = view->columns ? view->columns + input_column(view, feature) : NULL;
	if (!c || (c->dtype != SCORE_I64 && c->dtype != SCORE_U64))
		return;
	int64_t stride = c->stride_bytes ? c->stride_bytes : (int64_t)sizeof(uint64_t);
	const char *from = (const char *)c->values + (c->offset + first) * stride;
	for (size_t i = 0; i < n; i++) {
		uint64_t bits = sl_load_u64(from + (int64_t)i * stride);
		bool negative = c->dtype == SCORE_I64 && bits >> 63;
		uint64_t magnitude = negative ? 0 - bits : bits;
		if (out[i] == out[i] && magnitude > EXACT_IN_DOUBLE)
			out[i] = (double)sl_category_hash_integer(magnitude, negative) + 0.5;
	}
}
