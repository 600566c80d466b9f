/* Opening `.slm` models from memory. */
#include "../format/slm.h"
#include "model.h"

#define DEFAULT_MAX_BYTES ((uint64_t)1 << 30)
/* What a file may make the library allocate: a fixed part and a multiple of its size. */
#define MEMORY_PER_BYTE 64u
#define MEMORY_FIXED ((size_t)64 << 20)

score_status sl_model_decode(const void *data, size_t size, const score_open_options *o, sl_model_decoded *d,
	score_error *error)
{
	size_t limit = size > (SIZE_MAX - MEMORY_FIXED) / MEMORY_PER_BYTE ? SIZE_MAX : size * MEMORY_PER_BYTE + MEMORY_FIXED;
	d->size = size;
	sl_arena_init(&d->arena, o->allocator, limit);
	unsigned host = sl_enter_default_float();
	score_status status = slm_read(data, size, &d->arena, &d->f, d->hash, error);
	sl_leave_default_float(host);
	if (status != SCORE_OK)
		sl_arena_free(&d->arena);
	return status;
}

score_status sl_model_finish_open(sl_model_decoded *d, const score_open_options *o, score_model **out,
	score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = sl_model_make(&d->arena, d->f, o->isa, (o->flags & SCORE_OPEN_SMALL) != 0, out, error);
	sl_leave_default_float(host);
	if (status != SCORE_OK)
		return status;
	(*out)->file_bytes = d->size;
	memcpy((*out)->hash, d->hash, sizeof d->hash);
	if (o->flags & SCORE_OPEN_VERIFY) {
		status = score_model_verify(*out, SCORE_ISA_AUTO, NULL, error);
		if (status != SCORE_OK) {
			score_model_free(*out);
			*out = NULL;
		}
	}
	return status;
}

score_status sl_model_take_open_options(const score_open_options *given, score_open_options *o, score_error *error)
{
	score_status status = sl_take_struct(o, sizeof *o, given, "score_open_options", error);
	if (status == SCORE_OK && o->flags & ~(SCORE_OPEN_MMAP | SCORE_OPEN_VERIFY | SCORE_OPEN_SMALL))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_open_options.flags has unknown bits: 0x%x", o->flags);
	o->max_bytes = o->max_bytes ? o->max_bytes : DEFAULT_MAX_BYTES;
	return status;
}

score_status score_model_open_memory(const void *data, size_t size, const score_open_options *options,
	score_model **out, score_error *error)
{
	score_open_options o;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_open_memory: out is NULL");
	*out = NULL;
	if (!data)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_open_memory: data is NULL");
	score_status status = sl_model_take_open_options(options, &o, error);
	if (status == SCORE_OK && size > o.max_bytes)
		status = sl_fail(error, SCORE_ERR_LIMIT, "the model has %zu bytes, the limit (max_bytes) is %llu", size,
			(unsigned long long)o.max_bytes);
	sl_model_decoded d;
	if (status == SCORE_OK)
		status = sl_model_decode(data, size, &o, &d, error);
	return status == SCORE_OK ? sl_model_finish_open(&d, &o, out, error) : status;
}
