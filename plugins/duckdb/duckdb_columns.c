/*
 * A vector of DuckDB as a column of the library: numbers where they are, decimals, huge integers and texts converted.
 */
#include "duckdb_call.h"

#include <stdlib.h>
#include <string.h>

/* What the library reads in place; 0 for others. */
static score_dtype direct_type(duckdb_type type)
{
	switch (type) {
	case DUCKDB_TYPE_BOOLEAN: return SCORE_BOOL;
	case DUCKDB_TYPE_TINYINT: return SCORE_I8;
	case DUCKDB_TYPE_SMALLINT: return SCORE_I16;
	case DUCKDB_TYPE_INTEGER: return SCORE_I32;
	case DUCKDB_TYPE_BIGINT: return SCORE_I64;
	case DUCKDB_TYPE_UTINYINT: return SCORE_U8;
	case DUCKDB_TYPE_USMALLINT: return SCORE_U16;
	case DUCKDB_TYPE_UINTEGER: return SCORE_U32;
	case DUCKDB_TYPE_UBIGINT: return SCORE_U64;
	case DUCKDB_TYPE_FLOAT: return SCORE_F32;
	case DUCKDB_TYPE_DOUBLE: return SCORE_F64;
	default: return 0;
	}
}

/* As DuckDB's own cast does it. */
static double decimal_value(const void *data, idx_t row, duckdb_type stored, duckdb_decimal d)
{
	int64_t narrow = stored == DUCKDB_TYPE_SMALLINT ? ((const int16_t *)data)[row] :
		stored == DUCKDB_TYPE_INTEGER ? ((const int32_t *)data)[row] :
		stored == DUCKDB_TYPE_BIGINT ? ((const int64_t *)data)[row] : 0;
	if (stored == DUCKDB_TYPE_HUGEINT) {
		d.value = ((const duckdb_hugeint *)data)[row];
	} else {
		d.value.lower = (uint64_t)narrow;
		d.value.upper = narrow < 0 ? -1 : 0;
	}
	return duckdb_decimal_to_double(d);
}

static bool text_value(call *c, uint32_t feature, duckdb_string_t *text, idx_t row, double *out)
{
	plugin_text kind = plugin_text_value(c->model, feature, duckdb_string_t_data(text), duckdb_string_t_length(*text), out,
		&c->error);
	if (kind == PLUGIN_NO_SCORE)
		c->no_score[row] = 1;
	return kind != PLUGIN_WRONG;
}

/* Rows [begin, end) of a vector as doubles; false without an error when there is no way. */
static bool convert(call *c, uint32_t feature, duckdb_vector vector, duckdb_logical_type logical, idx_t begin, idx_t end,
	double *out)
{
	duckdb_type type = duckdb_get_type_id(logical), stored = DUCKDB_TYPE_INVALID;
	uint64_t *validity = duckdb_vector_get_validity(vector);
	void *data = duckdb_vector_get_data(vector);
	duckdb_decimal decimal = { 0 };
	bool right = true;
	idx_t row;
	if (type == DUCKDB_TYPE_DECIMAL) {
		stored = duckdb_decimal_internal_type(logical);
		decimal.scale = duckdb_decimal_scale(logical);
		decimal.width = duckdb_decimal_width(logical);
	}
	for (row = begin; right && row < end; row++) {
		out[row] = NAN;
		if (type == DUCKDB_TYPE_SQLNULL || !is_valid(validity, row))
			continue;
		if (type == DUCKDB_TYPE_DECIMAL)
			out[row] = decimal_value(data, row, stored, decimal);
		else if (type == DUCKDB_TYPE_HUGEINT)
			out[row] = duckdb_hugeint_to_double(((duckdb_hugeint *)data)[row]);
		else if (type == DUCKDB_TYPE_UHUGEINT)
			out[row] = duckdb_uhugeint_to_double(((duckdb_uhugeint *)data)[row]);
		else
			right = type == DUCKDB_TYPE_VARCHAR && text_value(c, feature, (duckdb_string_t *)data + row, row, out + row);
	}
	return right;
}

bool duckdb_take_column(call *c, uint32_t feature, duckdb_vector vector, idx_t begin, idx_t end, score_column *column)
{
	duckdb_logical_type logical = duckdb_vector_get_column_type(vector);
	score_dtype type = direct_type(duckdb_get_type_id(logical));
	double **buffer = &c->converted[feature];
	bool right = true;
	memset(column, 0, sizeof *column);
	column->dtype = type;
	if (type) {
		column->values = duckdb_vector_get_data(vector);
		column->validity = (const uint8_t *)duckdb_vector_get_validity(vector); /* little-endian words: Arrow's bitmap */
	} else {
		column->dtype = SCORE_F64;
		column->values = *buffer = malloc((end ? end : 1) * sizeof **buffer);
		right = *buffer == NULL ? out_of_memory(c) : convert(c, feature, vector, logical, begin, end, *buffer);
		if (!right && c->error.code == SCORE_OK)
			plugin_set_error(&c->error, SCORE_ERR_SHAPE,
				"feature %u, \"%.60s\", has a type that is neither number nor text: cast it, as in x::DOUBLE or x::VARCHAR",
				feature, score_model_feature_name(c->model->model, feature));
	}
	duckdb_destroy_logical_type(&logical);
	return right;
}
