/*
 * DuckDB: scoreline(model, …) over whole vectors, on all of DuckDB's threads.
 *
 *     LOAD '…/scoreline.duckdb_extension';
 *     SELECT scoreline('iot.slm', temperature, humidity, pressure) FROM readings;
 *     SELECT scoreline('wide.slm', list) …       all features in a LIST or ARRAY of numbers
 *     SELECT scoreline('fraud.slm', t) FROM transactions t     by name, from a row or any other STRUCT
 *
 * Numbers are read where DuckDB has them; decimals, huge integers and texts (categories) are converted first. NULL is a
 * missing value; the score is NULL where the model, the list or the struct is. Relies on: plugin.c, and version 1.2 of
 * DuckDB's C interface for extensions, whose functions come in a table when the extension is loaded.
 */
#include "duckdb_call.h"

#include <stdlib.h>
#include <string.h>

duckdb_ext_api_v1 duckdb_ext_api;

/* ---- the three forms of arguments ------------------------------------------------------------------ */

static bool take_arguments(call *c, duckdb_data_chunk chunk)
{
	idx_t n = duckdb_data_chunk_get_column_count(chunk) - 1;
	uint32_t i;
	if (n != c->model->n_features)
		return plugin_wrong_count(c->model, n, "", &c->error) == SCORE_OK;
	for (i = 0; i < n; i++) {
		if (!duckdb_take_column(c, i, duckdb_data_chunk_get_vector(chunk, i + 1), c->begin, c->end, c->columns + i))
			return false;
		c->columns[i].offset = (int64_t)c->begin;
	}
	return true;
}

/* Which field feeds each feature; NULL and c->error if the fields do not fit. */
static score_plan *bind_struct(call *c, duckdb_logical_type logical)
{
	idx_t n = duckdb_struct_type_child_count(logical), k;
	char **names = calloc(n + 1, sizeof *names);
	score_plan *plan = NULL;
	for (k = 0; names != NULL && k < n; k++)
		names[k] = duckdb_struct_type_child_name(logical, k);
	if (names == NULL)
		out_of_memory(c);
	else if (score_bind(c->model->model, (const char *const *)names, NULL, n, &plan, &c->error) != SCORE_OK)
		plan = NULL;
	for (k = 0; names != NULL && k < n; k++)
		duckdb_free(names[k]);
	free(names);
	return plan;
}

static bool take_struct(call *c, duckdb_vector vector, duckdb_logical_type logical)
{
	score_plan *plan = bind_struct(c, logical);
	uint64_t *validity = duckdb_vector_get_validity(vector);
	bool right = plan != NULL;
	idx_t k;
	uint32_t i;
	for (k = c->begin; k < c->end; k++)
		c->no_score[k] = !is_valid(validity, k);
	for (i = 0; right && i < c->model->n_features; i++) {
		duckdb_vector field = duckdb_struct_vector_get_child(vector, (idx_t)score_plan_column(plan, i));
		right = duckdb_take_column(c, i, field, c->begin, c->end, c->columns + i);
		c->columns[i].offset = (int64_t)c->begin;
	}
	score_plan_free(plan);
	return right;
}

/* The children of a LIST or ARRAY lie behind each other, so a feature is a column with the stride of a row. */
static bool take_list(call *c, duckdb_vector vector, duckdb_logical_type logical)
{
	bool fixed = duckdb_get_type_id(logical) == DUCKDB_TYPE_ARRAY;
	duckdb_vector child = fixed ? duckdb_array_vector_get_child(vector) : duckdb_list_vector_get_child(vector);
	duckdb_list_entry *lists = fixed ? NULL : duckdb_vector_get_data(vector);
	idx_t size = fixed ? duckdb_array_type_array_size(logical) : 0, row, n = c->model->n_features;
	idx_t n_children = fixed ? size * c->end : duckdb_list_vector_get_size(vector);
	duckdb_logical_type type = duckdb_vector_get_column_type(child);
	uint64_t *validity = duckdb_vector_get_validity(vector), *present = duckdb_vector_get_validity(child);
	bool is_double = duckdb_get_type_id(type) == DUCKDB_TYPE_DOUBLE, right = is_double;
	const double *values = duckdb_vector_get_data(child);
	double *rows = c->converted[0] = malloc((c->end * n + 1) * sizeof *rows);
	uint32_t i;
	duckdb_destroy_logical_type(&type);
	if (!is_double)
		plugin_set_error(&c->error, SCORE_ERR_SHAPE, "the features in a list must be of type DOUBLE: cast it, as in x::DOUBLE[]");
	for (row = c->begin; right && row < c->end; row++) {
		duckdb_list_entry list = { size * row, size };
		c->no_score[row] = !is_valid(validity, row);
		if (!fixed && !c->no_score[row])
			list = lists[row];
		if (!c->no_score[row] && (list.length != n || list.offset + n > n_children))
			right = plugin_wrong_count(c->model, list.length, " in one list", &c->error) == SCORE_OK;
		for (i = 0; right && rows != NULL && i < n; i++)
			rows[row * n + i] = c->no_score[row] || !is_valid(present, list.offset + i) ? NAN : values[list.offset + i];
	}
	for (i = 0; i < n && rows != NULL; i++)
		c->columns[i] = (score_column){ rows + c->begin * n + i, NULL, 0, (int64_t)(n * sizeof *rows), SCORE_F64, 0 };
	return rows == NULL ? out_of_memory(c) : right;
}

static bool take_rows(call *c, duckdb_data_chunk chunk)
{
	duckdb_vector first;
	duckdb_logical_type logical;
	duckdb_type type;
	bool right;
	if (duckdb_data_chunk_get_column_count(chunk) != 2)
		return take_arguments(c, chunk);
	first = duckdb_data_chunk_get_vector(chunk, 1);
	logical = duckdb_vector_get_column_type(first);
	type = duckdb_get_type_id(logical);
	right = type == DUCKDB_TYPE_STRUCT ? take_struct(c, first, logical) :
		type == DUCKDB_TYPE_LIST || type == DUCKDB_TYPE_ARRAY ? take_list(c, first, logical) : take_arguments(c, chunk);
	duckdb_destroy_logical_type(&logical);
	return right;
}

/* ---- scoring --------------------------------------------------------------------------------------- */

static bool score_rows(call *c, duckdb_data_chunk chunk, double *scores)
{
	uint32_t n = c->model->n_features, i;
	void *scratch = plugin_take_scratch(c->model);
	score_input input;
	bool right;
	c->columns = calloc(n + 1, sizeof *c->columns);
	c->converted = calloc(n + 1, sizeof *c->converted);
	right = c->columns == NULL || c->converted == NULL ? out_of_memory(c) : take_rows(c, chunk);
	if (right) {
		input = score_input_columns(c->columns, (int64_t)(c->end - c->begin), n);
		right = plugin_score(c->model, &input, NULL, scratch, scores + c->begin, &c->error) == SCORE_OK;
	}
	for (i = 0; c->converted != NULL && i < n; i++)
		free(c->converted[i]);
	free(c->converted);
	free(c->columns);
	plugin_return_scratch(c->model, scratch);
	return right;
}

/* The rows from c->begin that name the same model. A constant is the same sixteen bytes in every row. */
static void find_end(call *c, const duckdb_string_t *names, uint64_t *validity, idx_t size)
{
	bool given = is_valid(validity, c->begin);
	c->end = c->begin + 1;
	while (c->end < size && is_valid(validity, c->end) == given &&
		(!given || memcmp(names + c->end, names + c->begin, sizeof *names) == 0))
		c->end++;
}

static bool score_chunk(call *c, duckdb_data_chunk chunk, idx_t size, double *scores)
{
	duckdb_vector first = duckdb_data_chunk_get_vector(chunk, 0);
	duckdb_string_t *names = duckdb_vector_get_data(first);
	uint64_t *validity = duckdb_vector_get_validity(first);
	bool right = true;
	for (c->begin = 0; right && c->begin < size; c->begin = c->end) {
		find_end(c, names, validity, size);
		if (!is_valid(validity, c->begin)) {
			memset(c->no_score + c->begin, 1, c->end - c->begin);
			continue;
		}
		c->model = plugin_acquire(duckdb_string_t_data(names + c->begin), duckdb_string_t_length(names[c->begin]), &c->error);
		right = c->model != NULL && score_rows(c, chunk, scores);
		plugin_release(c->model);
	}
	return right;
}

static void score(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
	idx_t size = duckdb_data_chunk_get_size(chunk), row;
	call c = { .info = info, .no_score = calloc(size + 1, 1) };
	uint64_t *validity = NULL;
	if (c.no_score == NULL ? !out_of_memory(&c) : !score_chunk(&c, chunk, size, duckdb_vector_get_data(out)))
		duckdb_scalar_function_set_error(info, c.error.message);
	for (row = 0; c.no_score != NULL && row < size; row++) {
		if (!c.no_score[row])
			continue;
		if (validity == NULL) {
			duckdb_vector_ensure_validity_writable(out);
			validity = duckdb_vector_get_validity(out);
		}
		duckdb_validity_set_row_invalid(validity, row);
	}
	free(c.no_score);
}

/* ---- loading ----------------------------------------------------------------------------------------- */

static bool register_function(duckdb_connection connection)
{
	duckdb_scalar_function function = duckdb_create_scalar_function();
	duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
	duckdb_logical_type any = duckdb_create_logical_type(DUCKDB_TYPE_ANY);
	duckdb_logical_type number = duckdb_create_logical_type(DUCKDB_TYPE_DOUBLE);
	bool right;
	duckdb_scalar_function_set_name(function, "scoreline");
	duckdb_scalar_function_add_parameter(function, text);
	duckdb_scalar_function_set_varargs(function, any);
	duckdb_scalar_function_set_return_type(function, number);
	duckdb_scalar_function_set_special_handling(function); /* NULL is for us to see */
	duckdb_scalar_function_set_function(function, score);
	right = duckdb_register_scalar_function(connection, function) == DuckDBSuccess;
	duckdb_destroy_logical_type(&text);
	duckdb_destroy_logical_type(&any);
	duckdb_destroy_logical_type(&number);
	duckdb_destroy_scalar_function(&function);
	return right;
}

DUCKDB_EXTENSION_API bool scoreline_init_c_api(duckdb_extension_info info, struct duckdb_extension_access *access);

DUCKDB_EXTENSION_API bool scoreline_init_c_api(duckdb_extension_info info, struct duckdb_extension_access *access)
{
	const duckdb_ext_api_v1 *api = access->get_api(info, "v1.2.0");
	duckdb_connection connection;
	bool right;
	if (api == NULL)
		return false;
	duckdb_ext_api = *api;
	if (duckdb_connect(*access->get_database(info), &connection) == DuckDBError) {
		access->set_error(info, "scoreline: no connection to the database that loads the extension");
		return false;
	}
	right = register_function(connection);
	if (!right)
		access->set_error(info, "scoreline: the function \"scoreline\" could not be registered");
	duckdb_disconnect(&connection);
	return right;
}
