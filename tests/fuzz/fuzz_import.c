/* Any bytes as a file of FUZZ_FORMAT (compiled once per format), with options that follow from them; what is imported is
 * scored, looked at, saved and opened again. */
#include "fuzz_look.h"

#include <scoreline/import.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Seeds are whole files, so no byte of theirs chooses options: a sum over all of them does. */
static void draw_options(const uint8_t *data, size_t size, score_import_options *options, double *missing)
{
	static const double values[] = {0.0, -0.0, -999.0, 1.0, 0.5, 1e-40, 3e300, -INFINITY, INFINITY, NAN};
	const size_t n_values = sizeof values / sizeof values[0];
	uint32_t sum = 2166136261u;
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ data[i]) * 16777619u;
	sum >>= 8; /* the upper bits depend on every byte */
	if (options->format == SCORE_FORMAT_ONNX)
		options->onnx_compat = sum % 2 ? SCORE_ONNX_RUNTIME : SCORE_ONNX_SPECIFICATION;
	if (options->format != SCORE_FORMAT_XGBOOST_JSON && options->format != SCORE_FORMAT_XGBOOST_UBJSON)
		return;
	*missing = values[sum / 2 % n_values];
	options->missing = sum % 2 ? missing : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_memory memory;
	score_error error;
	score_model *model = NULL;
	score_allocator allocator = fuzz_allocator(&memory, ((size_t)4 << 20) + 1024 * size);
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	options.allocator = &allocator;
	options.format = FUZZ_FORMAT;
	double missing = 0.0;
	draw_options(data, size, &options, &missing);
	if (size == 0)
		return 0;
	if (score_import_detect(data, size) < 0)
		fuzz_fail("no format has a negative number");
	score_status status = score_import_memory(data, size, &options, &model, &error);
	if (status != SCORE_OK) {
		fuzz_check_failure(status, model, &error);
	} else {
		fuzz_score(model);
		memory.limit = SIZE_MAX; /* of what is imported, not of what is asked of it */
		fuzz_look(model);
		score_model_free(model);
	}
	if (memory.held)
		fuzz_fail("%zu bytes were not freed", memory.held);
	return 0;
}
