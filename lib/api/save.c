/* Saving models as `.slm`, into memory. */
#include "../format/slm.h"
#include "model.h"

static score_status take_options(const score_save_options *given, score_save_options *o, score_error *error)
{
	score_status status = sl_take_struct(o, sizeof *o, given, "score_save_options", error);
	if (status != SCORE_OK)
		return status;
	if (o->n_golden_rows && (!o->golden_rows || !o->golden_margins))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_save_options names %u golden rows but lacks rows or margins",
			o->n_golden_rows);
	if (o->n_metadata && (!o->metadata_keys || !o->metadata_values))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_save_options names %u metadata entries but lacks them",
			o->n_metadata);
	if (o->flags & ~SCORE_SAVE_NO_COVERS)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_save_options.flags has unknown bits: 0x%x", o->flags);
	return SCORE_OK;
}

score_status score_model_save_memory(const score_model *model, const score_save_options *options, void **out,
	size_t *out_size, score_error *error)
{
	score_save_options o;
	sl_error_clear(error);
	if (!out || !out_size)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_save_memory: out and out_size must not be NULL");
	*out = NULL;
	*out_size = 0;
	if (!model)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_save_memory: model is NULL");
	score_status status = take_options(options, &o, error);
	if (status != SCORE_OK)
		return status;
	unsigned host = sl_enter_default_float();
	status = slm_write(model->f, &o, &model->arena.allocator, out, out_size, error);
	sl_leave_default_float(host);
	return status;
}

void score_model_free_bytes(const score_model *model, void *bytes, size_t size)
{
	if (model)
		slm_free_bytes(&model->arena.allocator, bytes, size);
}
