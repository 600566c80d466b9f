/* Models as source code. */
#include "../export/code.h"
#include "../format/slm.h"
#include "model.h"

#include <scoreline/export.h>

static score_status take_options(const score_model *model, const score_export_options *given, score_export_options *o,
	score_error *error)
{
	score_status status = sl_take_struct(o, sizeof *o, given, "score_export_options", error);
	if (status != SCORE_OK)
		return status;
	if (o->output != SCORE_OUTPUT_PREDICTION && o->output != SCORE_OUTPUT_MARGIN)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_export_options.output: expected PREDICTION or MARGIN, found %d",
			(int)o->output);
	if (o->name == NULL)
		o->name = score_model_metadata_get(model, "name");
	if (o->name == NULL)
		o->name = "a model";
	return SCORE_OK;
}

static score_status write_js(const score_model *model, const score_export_options *options, void **out, size_t *out_size,
	score_error *error)
{
	score_export_options o;
	sl_vector text;
	sl_error_clear(error);
	if (!out || !out_size)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_export_js: out and out_size must not be NULL");
	*out = NULL;
	*out_size = 0;
	if (!model)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_export_js: model is NULL");
	score_status status = take_options(model, options, &o, error);
	if (status != SCORE_OK)
		return status;
	sl_vector_init(&text, &model->arena.allocator, 1);
	status = export_js(model->f, o.name, o.output == SCORE_OUTPUT_PREDICTION, &text, error);
	if (status == SCORE_OK)
		status = slm_copy_bytes(&model->arena.allocator, text.data, text.length, out, error);
	if (status == SCORE_OK)
		*out_size = text.length;
	sl_vector_free(&text);
	return status;
}

score_status score_model_export_js(const score_model *model, const score_export_options *options, void **out, size_t *out_size,
	score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = write_js(model, options, out, out_size, error);
	sl_leave_default_float(host);
	return status;
}
