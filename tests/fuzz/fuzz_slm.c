/* Any bytes as a `.slm` file, with the hash made right so that what stands behind it is reached; what opens is scored. */
#include "fuzz_look.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static void try_open(const uint8_t *data, size_t size)
{
	fuzz_memory memory;
	score_error error;
	score_model *model = NULL;
	score_allocator allocator = fuzz_allocator(&memory, ((size_t)1 << 20) + 256 * size);
	score_open_options options = SCORE_OPEN_OPTIONS_INIT;
	options.allocator = &allocator;
	score_status status = score_model_open_memory(data, size, &options, &model, &error);
	if (status != SCORE_OK) {
		fuzz_check_failure(status, model, &error);
	} else {
		fuzz_score(model);
		memory.limit = SIZE_MAX; /* of what is opened, not of what is asked of it */
		fuzz_look(model);
		score_model_free(model);
	}
	if (memory.held)
		fuzz_fail("%zu bytes were not freed", memory.held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	uint8_t *copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	try_open(copy, size);
	if (size > 48) {
		XXH128_canonical_t hash;
		XXH128_canonicalFromHash(&hash, XXH3_128bits(copy, size - 16));
		memcpy(copy + size - 16, hash.digest, 16);
		uint64_t length = size;
		for (int i = 0; i < 8; i++)
			copy[16 + i] = (uint8_t)(length >> (8 * i));
		XXH128_canonicalFromHash(&hash, XXH3_128bits(copy, size - 16));
		memcpy(copy + size - 16, hash.digest, 16);
		try_open(copy, size);
	}
	free(copy);
	return 0;
}
