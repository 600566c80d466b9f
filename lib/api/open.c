/* Opening `.slm` models from a file or from memory. */
#include "../format/slm.h"
#include "model.h"

#define DEFAULT_MAX_BYTES ((uint64_t)1 << 30)
/* What a file may make the library allocate: a fixed part and a multiple of its size. */
#define MEMORY_PER_BYTE 64u
#define MEMORY_FIXED ((size_t)64 << 20)

/* What was read from a file, which is not needed any more: it is let go before the forest is compiled. */
typedef struct decoded {
	sl_arena arena;
	forest *f;
	size_t size;
	uint8_t hash[16];
} decoded;

static score_status decode(const void *data, size_t size, const score_open_options *o, decoded *d, score_error *error)
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

static score_status make(decoded *d, const score_open_options *o, score_model **out, score_error *error)
{
	unsigned host = sl_enter_default_float();
	score_status status = sl_model_make(&d->arena, d->f, o->isa, out, error);
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

static score_status take_options(const score_open_options *given, score_open_options *o, score_error *error)
{
	score_status status = sl_take_struct(o, sizeof *o, given, "score_open_options", error);
	if (status == SCORE_OK && o->flags & ~(SCORE_OPEN_MMAP | SCORE_OPEN_VERIFY))
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
	score_status status = take_options(options, &o, error);
	if (status == SCORE_OK && size > o.max_bytes)
		status = sl_fail(error, SCORE_ERR_LIMIT, "the model has %zu bytes, the limit (max_bytes) is %llu", size,
			(unsigned long long)o.max_bytes);
	decoded d;
	if (status == SCORE_OK)
		status = decode(data, size, &o, &d, error);
	return status == SCORE_OK ? make(&d, &o, out, error) : status;
}

static score_status decode_mapped(const char *path, const score_open_options *o, decoded *d, score_error *error)
{
	const void *mapped = NULL;
	size_t size = 0;
	score_status status = sl_map_file(path, o->max_bytes, &mapped, &size, error);
	if (status == SCORE_OK)
		status = decode(mapped, size, o, d, error);
	sl_unmap_file(mapped, size);
	return status;
}

static score_status decode_file(const char *path, const score_open_options *o, decoded *d, score_error *error)
{
	void *data = NULL;
	size_t size = 0;
	score_allocator a = sl_allocator(o->allocator);
	score_status status = sl_read_file(path, o->max_bytes, &a, &data, &size, error);
	if (status == SCORE_OK)
		status = decode(data, size, o, d, error);
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
	score_status status = take_options(options, &o, error);
	if (status != SCORE_OK)
		return status;
	decoded d;
	status = o.flags & SCORE_OPEN_MMAP ? decode_mapped(path, &o, &d, error) : decode_file(path, &o, &d, error);
	return status == SCORE_OK ? make(&d, &o, out, error) : status;
}
