/*
 * Rows in, records in the spill out: score_table_builder_new() and _add().
 *
 * Memory: the buffers of the spill and the texts of category columns, whatever the number of rows.
 */
#include "table_builder.h"

#include <math.h>
#include <stdio.h>

#define DEFAULT_MEMORY ((uint64_t)512 << 20)

/* ---- schema ------------------------------------------------------------------------------------------ */

static score_status check_name(const score_table_builder *b, const char *name, uint32_t n_keys, uint32_t n_columns,
	score_error *error)
{
	bool twice = false;
	if (!name || !*name || sl_utf8_prefix(name, strlen(name)) != strlen(name))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "a column's name is NULL, empty or not UTF-8");
	for (uint32_t i = 0; i < n_keys; i++)
		twice |= strcmp(b->layout.keys[i].name, name) == 0;
	for (uint32_t i = 0; i < n_columns; i++)
		twice |= strcmp(b->layout.columns[i].name, name) == 0;
	if (twice || (b->layout.timestamp && strcmp(b->layout.timestamp, name) == 0))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the column name '%s' is given twice", sl_quote(name, strlen(name)).text);
	return SCORE_OK;
}

static score_status take_name(score_table_builder *b, const char *name, const char **out, score_error *error)
{
	*out = sl_arena_string(&b->arena, name, strlen(name));
	return *out ? SCORE_OK : sl_fail_memory(error, strlen(name) + 1);
}

static score_status take_keys(score_table_builder *b, const score_table_schema *s, score_error *error)
{
	if (s->n_keys == 0 || s->n_keys > SFT_MAX_KEYS || !s->keys)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "a table has 1 to %u key columns, found %zu", SFT_MAX_KEYS, s->n_keys);
	b->layout.keys = sl_arena_alloc(&b->arena, s->n_keys, sizeof(sft_key));
	if (!b->layout.keys)
		return sl_fail_memory(error, s->n_keys * sizeof(sft_key));
	for (uint32_t i = 0; i < s->n_keys; i++) {
		TRY(check_name(b, s->keys[i].name, i, 0, error));
		if (s->keys[i].type != SCORE_I64 && s->keys[i].type != SCORE_STRING)
			return sl_fail(error, SCORE_ERR_ARGUMENT, "key column '%s' has type %s: keys are i64 or string",
				sl_quote(s->keys[i].name, strlen(s->keys[i].name)).text, deploy_type_name(s->keys[i].type));
		TRY(take_name(b, s->keys[i].name, &b->layout.keys[i].name, error));
		b->layout.keys[i].type = s->keys[i].type;
	}
	b->layout.n_keys = (uint32_t)s->n_keys;
	return SCORE_OK;
}

static score_status take_columns(score_table_builder *b, const score_table_schema *s, score_error *error)
{
	if (s->n_columns == 0 || s->n_columns > SFT_MAX_COLUMNS || !s->columns)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "a table has 1 to %u feature columns beside its keys, found %zu",
			SFT_MAX_COLUMNS, s->n_columns);
	b->layout.columns = sl_arena_alloc(&b->arena, s->n_columns, sizeof(sft_column));
	b->texts = sl_arena_alloc(&b->arena, s->n_columns, sizeof(deploy_texts));
	if (!b->layout.columns || !b->texts)
		return sl_fail_memory(error, s->n_columns * sizeof(sft_column));
	for (uint32_t i = 0; i < s->n_columns; i++) {
		const score_table_field *field = s->columns + i;
		TRY(check_name(b, field->name, b->layout.n_keys, i, error));
		if (!sft_is_column_type(field->type))
			return sl_fail(error, SCORE_ERR_ARGUMENT, "column '%s' has type number %d: expected f64, f32, i64, i32, bool or string",
				sl_quote(field->name, strlen(field->name)).text, (int)field->type);
		TRY(take_name(b, field->name, &b->layout.columns[i].name, error));
		b->layout.columns[i].type = field->type;
		deploy_texts_init(b->texts + i, &b->allocator);
		b->layout.n_columns = i + 1;
	}
	return SCORE_OK;
}

static score_status take_schema(score_table_builder *b, const score_table_schema *s, score_error *error)
{
	TRY(take_keys(b, s, error));
	b->layout.unit = "";
	if (s->timestamp) {
		TRY(check_name(b, s->timestamp, b->layout.n_keys, 0, error));
		TRY(take_name(b, s->timestamp, &b->layout.timestamp, error));
		if (s->timestamp_unit && !sft_is_unit(s->timestamp_unit))
			return sl_fail(error, SCORE_ERR_ARGUMENT, "timestamp_unit is '%s': expected s, ms, us, ns or nothing",
				sl_quote(s->timestamp_unit, strlen(s->timestamp_unit)).text);
		if (s->timestamp_unit)
			TRY(take_name(b, s->timestamp_unit, &b->layout.unit, error));
	}
	TRY(take_columns(b, s, error));
	deploy_place_columns(&b->layout);
	return SCORE_OK;
}

score_status score_table_builder_new(const char *path, const score_table_schema *schema, score_table_builder **out,
	score_error *error)
{
	score_table_schema s;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "out is NULL");
	*out = NULL;
	if (!path || !schema)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s is NULL", path ? "schema" : "path");
	TRY(sl_take_struct(&s, sizeof s, schema, "score_table_schema", error));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return sl_fail(error, SCORE_ERR_UNSUPPORTED, "feature tables are written on little-endian processors only");
#endif
	const score_allocator a = sl_allocator(s.allocator);
	score_table_builder *b = sl_alloc(&a, sizeof *b, SL_CACHE_LINE);
	if (!b)
		return sl_fail_memory(error, sizeof *b);
	memset(b, 0, sizeof *b);
	b->allocator = a;
	b->memory_bytes = s.memory_bytes ? s.memory_bytes : DEFAULT_MEMORY;
	sl_arena_init(&b->arena, &a, 0);
	sl_vector_init(&b->record, &a, 1);
	b->path = sl_arena_string(&b->arena, path, strlen(path));
	deploy_spill_init(&b->spill, b->path, &a);
	const score_status status = b->path ? take_schema(b, &s, error) : sl_fail_memory(error, strlen(path));
	if (status != SCORE_OK)
		score_table_builder_free(b);
	else
		*out = b;
	return status;
}

void score_table_builder_free(score_table_builder *b)
{
	if (!b)
		return;
	const score_allocator a = b->allocator;
	for (uint32_t i = 0; i < b->layout.n_columns; i++)
		deploy_texts_free(b->texts + i);
	deploy_spill_free(&b->spill);
	sl_vector_free(&b->record);
	sl_arena_free(&b->arena);
	sl_free(&a, b, sizeof *b, SL_CACHE_LINE);
}

/* ---- rows -------------------------------------------------------------------------------------------- */

static score_status check_column(const char *name, score_dtype type, const score_column *c, size_t n_rows, score_error *error)
{
	char what[sizeof(sl_quoted) + 16];
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): NULL columns are none, fewer than a table has */
	bool fits = c->dtype == type;
	fits = fits || (type == SCORE_F64 && c->dtype == SCORE_F32);
	fits = fits || ((type == SCORE_I64 || type == SCORE_I32) && deploy_is_integer(c->dtype));
	fits = fits || (type == SCORE_BOOL && c->dtype == SCORE_BOOL_BITS);
	if (!fits || !c->values)
		return sl_fail(error, SCORE_ERR_SHAPE, "column '%s' is %s; found %s", sl_quote(name, strlen(name)).text,
			deploy_type_name(type), c->values ? deploy_type_name(c->dtype) : "no values (NULL)");
	snprintf(what, sizeof what, "column '%s'", sl_quote(name, strlen(name)).text);
	return deploy_check_column(c, n_rows, what, error);
}

static score_status check_columns(const score_table_builder *b, const score_column *columns, size_t n, size_t n_rows,
	score_error *error)
{
	const sft_layout *l = &b->layout;
	const size_t wanted = (size_t)l->n_keys + l->n_columns + (l->timestamp ? 1 : 0);
	if (n != wanted)
		return sl_fail(error, SCORE_ERR_SHAPE, "the table has %zu columns: keys, timestamp, features; found %zu", wanted, n);
	for (uint32_t k = 0; k < l->n_keys; k++)
		TRY(check_column(l->keys[k].name, l->keys[k].type, columns++, n_rows, error));
	if (l->timestamp)
		TRY(check_column(l->timestamp, SCORE_I64, columns++, n_rows, error));
	for (uint32_t i = 0; i < l->n_columns; i++)
		TRY(check_column(l->columns[i].name, l->columns[i].type, columns++, n_rows, error));
	return SCORE_OK;
}

static score_status bad_value(score_error *error, uint64_t line, const char *name, const char *what)
{
	return sl_fail_at(error, SCORE_ERR_SHAPE, -1, (int64_t)line, "column '%s' %s", sl_quote(name, strlen(name)).text, what);
}

static bool integer_fits(const score_column *c, int64_t value, score_dtype type)
{
	if (c->dtype == SCORE_U64 && value < 0)
		return false;
	return type == SCORE_I64 || (value >= INT32_MIN && value <= INT32_MAX);
}

static inline uint8_t *record_bytes(score_table_builder *b)
{
	return (uint8_t *)b->record.data + sizeof(deploy_record);
}

static score_status put_text_key(score_table_builder *b, uint32_t k, const char *text, size_t length, score_error *error)
{
	uint8_t *view = record_bytes(b) + b->layout.keys[k].offset;
	const uint32_t short_length = (uint32_t)length;
	const uint64_t offset = b->record.length;
	memcpy(view, &short_length, 4);
	memcpy(view + 4, text, length <= SFT_VIEW_INLINE ? length : 4);
	if (length <= SFT_VIEW_INLINE)
		return SCORE_OK;
	memcpy(view + 8, &offset, 8);
	const size_t padded = sl_round_up(length, 8);
	char *far = sl_vector_grow(&b->record, padded);
	if (!far)
		return sl_fail_memory(error, padded);
	memcpy(far, text, length);
	memset(far + length, 0, padded - length);
	return SCORE_OK;
}

/* Keys into the record, which may grow by far texts. */
static score_status put_keys(score_table_builder *b, const score_column *columns, size_t r, uint64_t line, uint64_t *hash,
	score_error *error)
{
	*hash = 0;
	for (uint32_t k = 0; k < b->layout.n_keys; k++) {
		const sft_key *key = b->layout.keys + k;
		const score_column *c = columns + k;
		if (key->type == SCORE_STRING) {
			size_t length;
			const char *text = deploy_text_at(c, r, &length);
			if (!text)
				return bad_value(error, line, key->name, "is a key and has no value");
			if (length > INT32_MAX)
				return bad_value(error, line, key->name, "is a key of more than 2 GiB");
			*hash = deploy_hash_text(text, length, *hash);
			TRY(put_text_key(b, k, text, length, error));
			continue;
		}
		const int64_t part = deploy_integer_at(c, r);
		if (!deploy_is_valid(c, r))
			return bad_value(error, line, key->name, "is a key and has no value");
		if (!integer_fits(c, part, SCORE_I64))
			return bad_value(error, line, key->name, "has a number above the range of int64");
		*hash = deploy_hash_i64(part, *hash);
		memcpy(record_bytes(b) + key->offset, &part, 8);
	}
	return SCORE_OK;
}

static score_status put_value(score_table_builder *b, uint32_t i, const score_column *c, size_t r, uint64_t line, bool *is_null,
	score_error *error)
{
	const sft_column *column = b->layout.columns + i;
	uint8_t *to = record_bytes(b) + b->layout.row_offset + column->offset;
	*is_null = !deploy_is_valid(c, r);
	if (*is_null)
		return SCORE_OK;
	if (column->type == SCORE_STRING) {
		size_t length;
		uint32_t number = 0, n_known = deploy_texts_count(b->texts + i);
		const char *text = deploy_text_at(c, r, &length);
		*is_null = text == NULL;
		if (!text)
			return SCORE_OK;
		TRY(deploy_texts_add(b->texts + i, text, length, &number, error));
		if (number == n_known && sl_utf8_prefix(text, length) != length)
			return bad_value(error, line, column->name, "has a text that is not UTF-8");
		memcpy(to, &number, 4);
	} else if (column->type == SCORE_I64 || column->type == SCORE_I32) {
		const int64_t wide = deploy_integer_at(c, r);
		const int32_t narrow = (int32_t)wide;
		if (!integer_fits(c, wide, column->type))
			return bad_value(error, line, column->name, "has a number outside the range of its type");
		memcpy(to, column->type == SCORE_I64 ? (const void *)&wide : &narrow, sft_value_bytes(column->type));
	} else {
		const double value = deploy_number_at(c, r);
		const float single = (float)value;
		const uint8_t flag = value != 0;
		*is_null = isnan(value);
		if (!*is_null)
			memcpy(to, column->type == SCORE_F64 ? (const void *)&value : column->type == SCORE_F32 ? (const void *)&single : &flag,
				sft_value_bytes(column->type));
	}
	return SCORE_OK;
}

static score_status add_row(score_table_builder *b, const score_column *columns, size_t r, uint64_t line, score_error *error)
{
	sft_layout *l = &b->layout;
	const size_t fixed = sizeof(deploy_record) + l->row_offset + l->row_bytes;
	deploy_record head = {.line = line};
	b->record.length = 0;
	if (!sl_vector_grow(&b->record, fixed))
		return sl_fail_memory(error, fixed);
	memset(b->record.data, 0, fixed);
	TRY(put_keys(b, columns, r, line, &head.hash, error));
	columns += l->n_keys;
	if (l->timestamp) {
		if (!deploy_is_valid(columns, r))
			return bad_value(error, line, l->timestamp, "is the timestamp and has no value");
		head.time = deploy_integer_at(columns, r);
		if (!integer_fits(columns, head.time, SCORE_I64))
			return bad_value(error, line, l->timestamp, "has a number above the range of int64");
		columns++;
	}
	for (uint32_t i = 0; i < l->n_columns; i++) {
		bool is_null;
		TRY(put_value(b, i, columns + i, r, line, &is_null, error));
		l->columns[i].nulls += is_null;
		record_bytes(b)[l->row_offset + (i >> 3)] |= (uint8_t)(!is_null << (i & 7));
	}
	head.bytes = b->record.length;
	memcpy(b->record.data, &head, sizeof head);
	l->n_rows++;
	return deploy_spill_add(&b->spill, b->record.data, error);
}

static score_status check_memory(const score_table_builder *b, score_error *error)
{
	uint64_t bytes = DEPLOY_PARTS * DEPLOY_PART_BUFFER;
	for (uint32_t i = 0; i < b->layout.n_columns; i++)
		bytes += deploy_texts_bytes(b->texts + i);
	if (bytes > b->memory_bytes)
		return sl_fail(error, SCORE_ERR_LIMIT, "the distinct texts of the columns need more than memory_bytes, %llu: raise it, or leave "
			"columns out that are no categories", (unsigned long long)b->memory_bytes);
	return SCORE_OK;
}

static score_status add_rows(score_table_builder *b, const score_column *columns, size_t n_columns, size_t n_rows,
	const uint64_t *lines, score_error *error)
{
	TRY(check_columns(b, columns, n_columns, n_rows, error));
	for (size_t r = 0; r < n_rows; r++)
		TRY(add_row(b, columns, r, lines ? lines[r] : b->layout.n_rows + 1, error));
	return check_memory(b, error);
}

score_status score_table_builder_add(score_table_builder *b, const score_column *columns, size_t n_columns, size_t n_rows,
	const uint64_t *lines, score_error *error)
{
	sl_error_clear(error);
	if (!b || (!columns && n_columns))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s is NULL", b ? "columns" : "builder");
	if (b->failed)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "an earlier call for this builder failed; it can only be freed");
	const score_status status = add_rows(b, columns, n_columns, n_rows, lines, error);
	b->failed = status != SCORE_OK;
	return status;
}
