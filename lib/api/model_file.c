/* Models from `.slm` files, and into them: what open.c and save.c do in memory. */
#include "../base/file.h"
#include "model.h"

static score_status decode_mapped(const char *path, const score_open_options *o, sl_model_decoded *d,
	score_error *error)
{
	const void *mapped = NULL;
	size_t size = 0;
	score_status status = sl_map_file(path, o->max_bytes, &mapped, &size, error);
	if (status == SCORE_OK)
		status = sl_model_decode(mapped, size, o, d, error);
	sl_unmap_file(mapped, size);
	return status;
}

static score_status decode_file(const char *path, const score_open_options *o, sl_model_decoded *d, score_error *error)
{
	void *data = NULL;
	size_t size = 0;
	score_allocator a = sl_allocator(o->allocator);
	score_status status = sl_read_file(path, o->max_bytes, &a, &data, &size, error);
	if (status == SCORE_OK)
		status = sl_model_decode(data, size, o, d, error);
	sl_free(&a, data, size, SL_CACHE_LINE);
	return status;
}

score_status score_model_open_file(const char *path, const score_open_options *options, score_model **out,
	score_error *error)
{
	score_open_options o;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_open_file: out is NULL");
	*out = NULL;
	if (!path)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_open_file: path is NULL");
	score_status status = sl_model_take_open_options(options, &o, error);
	if (status != SCORE_OK)
		return status;
	sl_model_decoded d;
	status = o.flags & SCORE_OPEN_MMAP ? decode_mapped(path, &o, &d, error) : decode_file(path, &o, &d, error);
	return status == SCORE_OK ? sl_model_finish_open(&d, &o, out, error) : status;
}

score_status score_model_save_file(const score_model *model, const char *path, const score_save_options *options,
	score_error *error)
{
	void *bytes = NULL;
	size_t size = 0;
	sl_error_clear(error);
	if (!path)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_save_file: path is NULL");
	score_status status = score_model_save_memory(model, options, &bytes, &size, error);
	if (status == SCORE_OK)
		status = sl_write_file(path, bytes, size, error);
	score_model_free_bytes(model, bytes, size);
	return status;
}
