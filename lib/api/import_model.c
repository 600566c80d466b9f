/* Importing other libraries' files: recognise, read into a builder, finish. */
#include "../import/importers.h"

#include <scoreline/build.h>
#include <scoreline/import.h>

#include "import_model.h"
#include "model.h"

#include <math.h>

static score_status read_onnx(const void *data, size_t size, const score_import_options *o, score_builder **out,
	score_error *error)
{
#ifdef SL_HAVE_ONNX
	return import_onnx(data, size, o, out, error);
#else
	(void)data, (void)size, (void)o, (void)out;
	return sl_fail(error, SCORE_ERR_UNSUPPORTED,
		"the file is an ONNX model, and this library was built without that importer (meson option onnx)");
#endif
}

static score_status read_builder(const void *data, size_t size, const score_import_options *o, score_builder **out,
	score_error *error)
{
	score_format format = o->format == SCORE_FORMAT_AUTO ? import_detect(data, size) : o->format;
	bool is_xgboost = format == SCORE_FORMAT_XGBOOST_JSON || format == SCORE_FORMAT_XGBOOST_UBJSON;
	if (o->missing && !is_xgboost && format != SCORE_FORMAT_AUTO)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_import_options.missing is for XGBoost models, the file is %s: "
			"leave it out, such a model says itself what is missing", score_format_name(format));
	switch (format) {
	case SCORE_FORMAT_XGBOOST_JSON:
	case SCORE_FORMAT_XGBOOST_UBJSON:
		return import_xgboost(data, size, format, o, out, error);
	case SCORE_FORMAT_LIGHTGBM_TEXT:
		return import_lightgbm(data, size, o, out, error);
	case SCORE_FORMAT_CATBOOST_JSON:
		return import_catboost(data, size, o, out, error);
	case SCORE_FORMAT_ONNX:
		return read_onnx(data, size, o, out, error);
	case SCORE_FORMAT_AUTO:
		return import_refuse_unknown(data, size, error);
	default:
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_import_options.format is the unknown format %d", (int)format);
	}
}

static score_status import_bytes(const void *data, size_t size, const score_import_options *o, score_model **out,
	score_error *error)
{
	score_builder *b = NULL;
	unsigned host = sl_enter_default_float();
	score_status status = read_builder(data, size, o, &b, error);
	sl_leave_default_float(host);
	if (status != SCORE_OK)
		return status;
	status = score_builder_finish(b, out, error);
	score_builder_free(b);
	/* What would be a wrong call by a builder's user is a wrong file here. */
	if (status == SCORE_ERR_ARGUMENT) {
		status = SCORE_ERR_CORRUPT;
		if (error)
			error->code = status;
	}
	return status;
}

score_status sl_import_take_options(const score_import_options *given, score_import_options *o, score_error *error)
{
	score_status status = sl_take_struct(o, sizeof *o, given, "score_import_options", error);
	o->struct_size = sizeof *o; /* whatever the caller's was, or none: importers get a whole one */
	if (status == SCORE_OK && o->iteration_begin && o->iteration_begin >= o->iteration_end)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "iteration range [%u, %u) is empty or reversed", o->iteration_begin,
			o->iteration_end);
	if (status == SCORE_OK && !engine_isa_available(o->isa))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "this processor or build has no instruction set '%s'",
			score_isa_name(o->isa));
	if (status == SCORE_OK && o->onnx_compat != SCORE_ONNX_SPECIFICATION && o->onnx_compat != SCORE_ONNX_RUNTIME)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_import_options.onnx_compat is the unknown %d", (int)o->onnx_compat);
	if (status == SCORE_OK && o->missing && *o->missing != *o->missing)
		o->missing = NULL; /* NaN is missing in any case */
	if (status == SCORE_OK && o->missing && isinf((float)*o->missing) && !isinf(*o->missing))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_import_options.missing is %g, expected a float value", *o->missing);
	o->max_bytes = o->max_bytes ? o->max_bytes : (uint64_t)1 << 30;
	return status;
}

score_status score_import_memory(const void *data, size_t size, const score_import_options *options, score_model **out,
	score_error *error)
{
	score_import_options o;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_import_memory: out is NULL");
	*out = NULL;
	if (!data || size == 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_import_memory: there is no data");
	score_status status = sl_import_take_options(options, &o, error);
	if (status == SCORE_OK && size > o.max_bytes)
		status = sl_fail(error, SCORE_ERR_LIMIT, "the file has %zu bytes, the limit (max_bytes) is %llu", size,
			(unsigned long long)o.max_bytes);
	return status == SCORE_OK ? import_bytes(data, size, &o, out, error) : status;
}

score_format score_import_detect(const void *data, size_t size)
{
	return data ? import_detect(data, size) : SCORE_FORMAT_AUTO;
}

const char *score_format_name(score_format format)
{
	static const char *const names[] = {"unknown", "XGBoost JSON", "XGBoost UBJSON", "LightGBM text", "CatBoost JSON",
		"ONNX"};
	/* cppcheck-suppress arrayIndexOutOfBoundsCond ; the second condition bounds it */
	return format > 0 && (size_t)format < sizeof names / sizeof names[0] ? names[format] : names[0];
}
