/*
 * PostgreSQL: scoreline(model, …) as a function of SQL, one row at a time, in any number of parallel workers.
 *
 *     CREATE EXTENSION scoreline;
 *     SELECT scoreline('iot', temperature, humidity, pressure) FROM readings;
 *     SELECT scoreline('wide', VARIADIC features) …     all features in one array
 *     SELECT scoreline('fraud', t) FROM transactions t     by name, from a row
 *
 * The model is a file NAME.slm in the directory of the setting scoreline.model_directory, which only superusers change: SQL
 * opens no other file. It is opened once per process and kept; a query keeps the model that it began with. NULL is a missing
 * value. Relies on: plugin.c. Errors leave by longjmp, so nothing is held across them but what a memory context frees.
 */
#include "../plugin.h"

#include <postgres.h>

#include <access/htup_details.h>
#include <access/tupdesc.h>
#include <catalog/pg_type.h>
#include <fmgr.h>
#include <utils/array.h>
#include <utils/builtins.h>
#include <utils/guc.h>
#include <utils/lsyscache.h>
#include <utils/memutils.h>
#include <utils/typcache.h>

PG_MODULE_MAGIC;

static char *model_directory;

/* What one place in a query keeps between its rows, in the query's memory. */
typedef struct scorer {
	MemoryContext memory;
	MemoryContextCallback at_end;
	const plugin_model *model;
	char *name; /* as the query has it */
	double *row; /* [model->n_features] */
	Oid row_type; /* whose columns feed the features, by `columns` */
	int32 row_typmod;
	int *columns; /* [model->n_features] attributes, from 0 */
	bool no_score;
} scorer;

static void fail(const score_error *error)
{
	int code = error->code == SCORE_ERR_IO ? ERRCODE_UNDEFINED_FILE : error->code == SCORE_ERR_MEMORY ?
		ERRCODE_OUT_OF_MEMORY : ERRCODE_INVALID_PARAMETER_VALUE;
	ereport(ERROR, (errcode(code), errmsg("scoreline: %s", error->message)));
}

static void end_scorer(void *pointer)
{
	scorer *s = pointer;
	plugin_release(s->model);
	s->model = NULL;
}

/* ---- models ---------------------------------------------------------------------------------------- */

/* "iot#margin" → "DIRECTORY/iot.slm#margin" */
static char *model_path(const char *name)
{
	const char *choice = plugin_choice(name);
	int length = (int)(choice != NULL ? choice - name : (ptrdiff_t)strlen(name));
	if (model_directory == NULL || model_directory[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("scoreline: there is no directory of models"),
			errhint("Set scoreline.model_directory.")));
	if (length == 0 || name[0] == '.' || strchr(name, '/') != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("scoreline: expected the name of a model without its directory and \".slm\", found \"%s\"", name)));
	return psprintf("%s/%.*s.slm%s", model_directory, length, name, choice != NULL ? choice : "");
}

static void open_model(scorer *s, const char *name)
{
	char *path = model_path(name);
	const plugin_model *model;
	score_error error;
	if (s->model != NULL) {
		plugin_release(s->model);
		s->model = NULL;
		pfree(s->row);
		pfree(s->columns);
		pfree(s->name);
	}
	s->row_type = InvalidOid;
	model = plugin_acquire(path, strlen(path), &error);
	if (model == NULL)
		fail(&error);
	s->model = model;
	s->row = MemoryContextAlloc(s->memory, (model->n_features + 1) * sizeof *s->row);
	s->columns = MemoryContextAlloc(s->memory, (model->n_features + 1) * sizeof *s->columns);
	s->name = MemoryContextStrdup(s->memory, name);
	pfree(path);
}

static scorer *take_scorer(FunctionCallInfo fcinfo)
{
	scorer *s = fcinfo->flinfo->fn_extra;
	text *name = PG_GETARG_TEXT_PP(0);
	size_t length = VARSIZE_ANY_EXHDR(name);
	if (s == NULL) {
		s = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof *s);
		s->memory = fcinfo->flinfo->fn_mcxt;
		s->at_end.func = end_scorer;
		s->at_end.arg = s;
		MemoryContextRegisterResetCallback(s->memory, &s->at_end);
		fcinfo->flinfo->fn_extra = s;
	}
	if (s->model == NULL || strlen(s->name) != length || memcmp(s->name, VARDATA_ANY(name), length) != 0)
		open_model(s, text_to_cstring(name));
	s->no_score = false;
	return s;
}

/* ---- values ---------------------------------------------------------------------------------------- */

static double text_value(scorer *s, uint32_t feature, const char *text, size_t length)
{
	double value = NAN;
	score_error error;
	plugin_text kind = plugin_text_value(s->model, feature, text, length, &value, &error);
	if (kind == PLUGIN_WRONG)
		fail(&error);
	s->no_score = s->no_score || kind == PLUGIN_NO_SCORE;
	return value;
}

static double value_of(scorer *s, uint32_t feature, Oid type, Datum value)
{
	switch (type) {
	case FLOAT8OID:
		return DatumGetFloat8(value);
	case FLOAT4OID:
		return (double)DatumGetFloat4(value);
	case INT2OID:
		return (double)DatumGetInt16(value);
	case INT4OID:
		return (double)DatumGetInt32(value);
	case INT8OID:
		return (double)DatumGetInt64(value);
	case BOOLOID:
		return DatumGetBool(value) ? 1.0 : 0.0;
	case NUMERICOID:
		return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
	case UNKNOWNOID:
		return text_value(s, feature, DatumGetCString(value), strlen(DatumGetCString(value)));
	case TEXTOID:
	case VARCHAROID:
		return text_value(s, feature, VARDATA_ANY(DatumGetTextPP(value)), VARSIZE_ANY_EXHDR(DatumGetTextPP(value)));
	default:
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("scoreline: feature %u, \"%s\", has the type %s", feature,
			score_model_feature_name(s->model->model, feature), format_type_be(type)),
			errhint("Cast it to double precision, or to text if it is a category.")));
	}
}

static void check_count(const scorer *s, int found, const char *how)
{
	score_error error;
	if ((uint32_t)found == s->model->n_features)
		return;
	plugin_wrong_count(s->model, (size_t)found, how, &error);
	fail(&error);
}

static void take_arguments(scorer *s, FunctionCallInfo fcinfo)
{
	int n = PG_NARGS() - 1, i;
	check_count(s, n, "");
	for (i = 0; i < n; i++)
		s->row[i] = PG_ARGISNULL(i + 1) ? NAN :
			value_of(s, (uint32_t)i, get_fn_expr_argtype(fcinfo->flinfo, i + 1), PG_GETARG_DATUM(i + 1));
}

/* False if the array itself is NULL. */
static bool take_array(scorer *s, FunctionCallInfo fcinfo)
{
	ArrayType *array;
	int16 length;
	bool by_value, *nulls;
	char alignment;
	Datum *values;
	int n, i;
	if (PG_ARGISNULL(1))
		return false;
	array = PG_GETARG_ARRAYTYPE_P(1);
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment, &values, &nulls, &n);
	check_count(s, n, " in one array");
	for (i = 0; i < n; i++)
		s->row[i] = nulls[i] ? NAN : value_of(s, (uint32_t)i, ARR_ELEMTYPE(array), values[i]);
	return true;
}

/* The names of a row's columns; a dropped one has none. */
static const char **column_names(TupleDesc row)
{
	const char **names = palloc(((Size)row->natts + 1) * sizeof *names);
	int k;
	for (k = 0; k < row->natts; k++)
		names[k] = TupleDescAttr(row, k)->attisdropped ? "" : NameStr(TupleDescAttr(row, k)->attname);
	return names;
}

/* Which column of a row type feeds each feature: looked up once per query. */
static void match_columns(scorer *s, TupleDesc row)
{
	const char **names = column_names(row);
	score_plan *plan;
	score_error error;
	uint32_t i;
	if (score_bind(s->model->model, names, NULL, (size_t)row->natts, &plan, &error) != SCORE_OK)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("scoreline: %s", error.message)));
	for (i = 0; i < s->model->n_features; i++)
		s->columns[i] = (int)score_plan_column(plan, i);
	score_plan_free(plan);
	pfree(names);
}

static void take_record(scorer *s, HeapTupleHeader header)
{
	Oid type = HeapTupleHeaderGetTypeId(header);
	int32 typmod = HeapTupleHeaderGetTypMod(header);
	TupleDesc row = lookup_rowtype_tupdesc(type, typmod);
	HeapTupleData tuple = { .t_len = HeapTupleHeaderGetDatumLength(header), .t_data = header };
	Datum *values = palloc((Size)row->natts * sizeof *values);
	bool *nulls = palloc((Size)row->natts * sizeof *nulls);
	uint32_t i;
	if (s->row_type != type || s->row_typmod != typmod) {
		match_columns(s, row);
		s->row_type = type;
		s->row_typmod = typmod;
	}
	heap_deform_tuple(&tuple, row, values, nulls);
	for (i = 0; i < s->model->n_features; i++) {
		int k = s->columns[i];
		s->row[i] = nulls[k] ? NAN : value_of(s, i, TupleDescAttr(row, k)->atttypid, values[k]);
	}
	ReleaseTupleDesc(row);
}

/* ---- the function ------------------------------------------------------------------------------------ */

/* False: the score is NULL. */
static bool take_row(scorer *s, FunctionCallInfo fcinfo)
{
	Oid type = PG_NARGS() == 2 ? get_fn_expr_argtype(fcinfo->flinfo, 1) : InvalidOid;
	if (PG_NARGS() == 2 && get_fn_expr_variadic(fcinfo->flinfo))
		return take_array(s, fcinfo);
	if (type != InvalidOid && (type == RECORDOID || get_typtype(type) == TYPTYPE_COMPOSITE)) {
		if (PG_ARGISNULL(1))
			return false;
		take_record(s, PG_GETARG_HEAPTUPLEHEADER(1));
	} else {
		take_arguments(s, fcinfo);
	}
	return !s->no_score;
}

PG_FUNCTION_INFO_V1(scoreline_score);
Datum scoreline_score(PG_FUNCTION_ARGS)
{
	scorer *s;
	score_input input;
	score_error error;
	double score;
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	s = take_scorer(fcinfo);
	if (!take_row(s, fcinfo) || s->no_score)
		PG_RETURN_NULL();
	input = score_input_rows_f64(s->row, 1, (int64_t)s->model->n_features);
	if (plugin_score(s->model, &input, NULL, NULL, &score, &error) != SCORE_OK)
		fail(&error);
	PG_RETURN_FLOAT8(score);
}

PGDLLEXPORT void _PG_init(void);
void _PG_init(void)
{
	DefineCustomStringVariable("scoreline.model_directory", "Directory of the models that scoreline() may open.",
		"A model \"iot\" is the file iot.slm there.", &model_directory, "", PGC_SUSET, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("scoreline");
}
