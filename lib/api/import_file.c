/* Other libraries' models from files: what import_model.c does in memory. */
#include "../base/file.h"
#include "import_model.h"

score_status score_import_file(const char *path, const score_import_options *options, score_model **out,
	score_error *error)
{
	score_import_options o;
	void *data = NULL;
	size_t size = 0;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_import_file: out is NULL");
	*out = NULL;
	if (!path)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_import_file: path is NULL");
	score_status status = sl_import_take_options(options, &o, error);
	if (status != SCORE_OK)
		return status;
	score_allocator a = sl_allocator(o.allocator);
	status = sl_read_file(path, o.max_bytes, &a, &data, &size, error);
	if (status == SCORE_OK)
		status = score_import_memory(data, size, options, out, error);
	sl_free(&a, data, size, SL_CACHE_LINE);
	return status;
}
