/*
 * Changes segments of capture logs by their structure: the body of one frame with any size, frames twice, away or in another place; and
 * splices of two segments frame by frame. The target makes checksums right.
 */
#include "base/base.h"
#include "mutate.h"

#define MAGIC_BYTES 8u
#define MOST_FRAMES 64u

typedef struct frames {
	size_t at[MOST_FRAMES + 1]; /* the last one is where they end */
	uint32_t n;
} frames;

static void find_frames(const uint8_t *file, size_t size, frames *f)
{
	f->n = 0;
	f->at[0] = size < MAGIC_BYTES ? size : MAGIC_BYTES;
	while (f->n < MOST_FRAMES && f->at[f->n] < size && size - f->at[f->n] > 12) {
		const size_t at = f->at[f->n], left = size - at - 12, length = sl_load_u32(file + at);
		f->at[++f->n] = at + 12 + (length == 0 || length > left ? left : length);
	}
}

static size_t frame_bytes(const frames *f, uint32_t i)
{
	return f->at[i + 1] - f->at[i];
}

static void put_length(uint8_t *frame, size_t length)
{
	for (int i = 0; i < 4; i++)
		frame[i] = (uint8_t)(length >> 8 * i);
}

static size_t put_frame(uint8_t *out, size_t size, size_t max_size, const uint8_t *file, const frames *f, uint32_t i)
{
	const size_t bytes = frame_bytes(f, i);
	if (bytes > max_size - size)
		return size;
	memcpy(out + size, file + f->at[i], bytes);
	return size + bytes;
}

/* Another order of frames: one twice, one left out, two exchanged. */
static size_t reorder(uint8_t *data, size_t size, size_t max_size, const frames *f, unsigned *seed)
{
	uint8_t *old = malloc(size);
	if (!old)
		return size;
	memcpy(old, data, size);
	const uint32_t what = mutate_below(seed, 3), i = mutate_below(seed, f->n), k = mutate_below(seed, f->n);
	size_t to = f->at[0];
	for (uint32_t n = 0; n < f->n; n++) {
		if (what == 0 && n == i)
			continue;
		to = put_frame(data, to, max_size, old, f, what == 1 && n == i ? k : what == 1 && n == k ? i : n);
		if (what == 2 && n == i)
			to = put_frame(data, to, max_size, old, f, k);
	}
	free(old);
	return to;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	frames f;
	const uint32_t what = mutate_below(&seed, 8);
	find_frames(data, size, &f);
	if (what == 0 || f.n == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	if (what == 1)
		return reorder(data, size, max_size, &f, &seed);
	const uint32_t i = mutate_below(&seed, f.n);
	const size_t length = mutate_part(data, &size, max_size, f.at[i] + 4, frame_bytes(&f, i) - 12);
	put_length(data + f.at[i], length);
	return size;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out, size_t max_size,
	unsigned seed)
{
	frames p, q;
	find_frames(a, a_size, &p);
	find_frames(b, b_size, &q);
	if (p.n == 0 || q.n == 0 || p.at[0] > max_size)
		return 0;
	memcpy(out, a, p.at[0]);
	size_t to = p.at[0];
	for (uint32_t i = 0; i < p.n || i < q.n; i++) {
		const uint32_t which = mutate_below(&seed, 4);
		if (i < p.n && which != 0)
			to = put_frame(out, to, max_size, a, &p, i);
		if (i < q.n && (which == 0 || which == 3))
			to = put_frame(out, to, max_size, b, &q, i);
	}
	return to;
}
