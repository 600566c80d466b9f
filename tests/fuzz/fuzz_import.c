/* Any bytes as a file of FUZZ_FORMAT (compiled once per format); what is imported is scored, looked at, saved and opened again. */
#include "fuzz_look.h"

#include <scoreline/import.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_memory memory;
	score_error error;
	score_model *model = NULL;
	score_allocator allocator = fuzz_allocator(&memory, ((size_t)4 << 20) + 1024 * size);
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	options.allocator = &allocator;
	options.format = FUZZ_FORMAT;
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
