/*
 * Changes `.sft` feature tables by their structure: the header, which stands last, with any size; sections in place; and splices of two
 * files, the header of one behind the sections of the other. The target makes sizes and hashes right.
 */
#include "deploy/table.h"
#include "mutate.h"

/* Where the header begins; 0 if nothing begins there. */
static size_t header_of(const uint8_t *file, size_t size)
{
	if (size < SFT_PRELUDE_BYTES + SFT_HASH_BYTES)
		return 0;
	const uint64_t at = sl_load_u64(file + 24);
	return at < SFT_PRELUDE_BYTES || at >= size - SFT_HASH_BYTES ? 0 : (size_t)at;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	const size_t header = header_of(data, size);
	const uint32_t what = mutate_below(&seed, 8);
	if (!header || what == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	if (what < 4) {
		(void)mutate_part(data, &size, max_size, header, size - SFT_HASH_BYTES - header);
		return size;
	}
	if (header > SFT_PRELUDE_BYTES)
		(void)LLVMFuzzerMutate(data + SFT_PRELUDE_BYTES, header - SFT_PRELUDE_BYTES, header - SFT_PRELUDE_BYTES);
	return size;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out, size_t max_size,
	unsigned seed)
{
	const size_t p = header_of(a, a_size), q = header_of(b, b_size);
	if (!p || !q)
		return 0;
	if (mutate_below(&seed, 2)) { /* sections of b over those of a */
		if (a_size > max_size)
			return 0;
		memcpy(out, a, a_size);
		const size_t first = SFT_PRELUDE_BYTES + 64 * (size_t)mutate_below(&seed, (uint32_t)(p / 64)), end = p < q ? p : q;
		if (first < end)
			memcpy(out + first, b + first, end - first);
		return a_size;
	}
	const size_t spliced = p + (b_size - q);
	if (spliced > max_size)
		return 0;
	memcpy(out, a, p);
	memcpy(out + p, b + q, b_size - q);
	return spliced;
}
