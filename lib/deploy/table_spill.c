/*
 * Records on their way into a table, in parts by hash: each part is small enough to be sorted in memory.
 *
 * Comes in: records in any order. Goes out: all records of one part at a time. Memory: a buffer per part.
 */
#define _POSIX_C_SOURCE 200809L
#include "table_builder.h"

#include <unistd.h>

typedef struct chunk {
	uint64_t at;
	uint64_t bytes;
} chunk;

void deploy_spill_init(deploy_spill *s, const char *path, const score_allocator *a)
{
	memset(s, 0, sizeof *s);
	s->allocator = *a;
	s->path = path;
	s->fd = -1;
	for (uint32_t i = 0; i < DEPLOY_PARTS; i++)
		sl_vector_init(&s->parts[i].chunks, a, sizeof(chunk));
}

static score_status write_chunk(deploy_spill *s, deploy_part *part, const void *data, size_t bytes, score_error *error)
{
	const chunk c = {s->at, bytes};
	if (bytes == 0)
		return SCORE_OK;
	if (s->fd < 0)
		TRY(deploy_open_unnamed(s->path, &s->fd, error));
	if (!sl_vector_push(&part->chunks, &c, 1))
		return sl_fail_memory(error, sizeof c);
	TRY(deploy_write_at(s->fd, data, bytes, s->at, s->path, error));
	s->at += bytes;
	return SCORE_OK;
}

score_status deploy_spill_add(deploy_spill *s, const deploy_record *record, score_error *error)
{
	deploy_part *part = s->parts + (record->hash >> 56);
	if (!part->buffer) {
		part->buffer = sl_alloc(&s->allocator, DEPLOY_PART_BUFFER, SL_CACHE_LINE);
		if (!part->buffer)
			return sl_fail_memory(error, DEPLOY_PART_BUFFER);
	}
	if (record->bytes > DEPLOY_PART_BUFFER - part->used) {
		TRY(write_chunk(s, part, part->buffer, part->used, error));
		part->used = 0;
	}
	if (record->bytes > DEPLOY_PART_BUFFER) {
		TRY(write_chunk(s, part, record, (size_t)record->bytes, error));
	} else {
		memcpy(part->buffer + part->used, record, (size_t)record->bytes);
		part->used += (size_t)record->bytes;
	}
	part->n_records++;
	part->bytes += record->bytes;
	return SCORE_OK;
}

score_status deploy_spill_load(const deploy_spill *s, const deploy_part *part, uint8_t *out, score_error *error)
{
	const chunk *chunks = part->chunks.data;
	for (size_t i = 0; i < part->chunks.length; i++) {
		TRY(deploy_read_at(s->fd, out, (size_t)chunks[i].bytes, chunks[i].at, s->path, error));
		out += chunks[i].bytes;
	}
	if (part->used)
		memcpy(out, part->buffer, part->used);
	return SCORE_OK;
}

void deploy_spill_free(deploy_spill *s)
{
	for (uint32_t i = 0; i < DEPLOY_PARTS; i++) {
		sl_free(&s->allocator, s->parts[i].buffer, DEPLOY_PART_BUFFER, SL_CACHE_LINE);
		sl_vector_free(&s->parts[i].chunks);
	}
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
