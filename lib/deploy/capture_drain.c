/*
 * Drain: records leave the ring and become frames in segment files.
 *
 * Comes in: the ring. Goes out: frames, in writes of up to a buffer. A record's room is given back only
 * after its frame is in the file, so that a failed write loses nothing but time: the ring fills, and then
 * calls are lost, counted.
 */
#define _POSIX_C_SOURCE 200809L
#include "capture_parts.h"

#include <unistd.h>

/* A model's frame may be larger than the buffer of calls: it is written by itself. */
static score_status write_model(score_capture *capture, const capture_model *model, score_error *error)
{
	size_t size = 4096, used = 0;
	for (uint32_t i = 0; i < model->n_features; i++)
		size += strlen(model->features[i]) + 16;
	for (uint32_t i = 0; i < model->n_labels; i++)
		size += strlen(model->labels[i]) + 16;
	size += model->name ? strlen(model->name) : 0;
	unsigned char *frame = sl_alloc(&capture->allocator, size, SL_CACHE_LINE);
	if (!frame)
		return sl_fail_memory(error, size);
	score_status status;
	/* Heads of texts have at most five bytes, types one, and all the rest fits in 4096. */
	const bool fits = deploy_frame_model(frame, size, &used, model);
	if (SL_NEVER(!fits))
		status = sl_fail(error, SCORE_ERR_LIMIT, "the names of a model need more than %zu bytes", size);
	else
		status = deploy_segment_write(capture, frame, used, error);
	sl_free(&capture->allocator, frame, size, SL_CACHE_LINE);
	return status;
}

static bool has_model(const score_capture *capture, const capture_model *model)
{
	return capture->segment.has_model[model->number / 8] >> (model->number % 8) & 1;
}

static bool is_empty(score_capture *capture, uint64_t cursor)
{
	const void *record = deploy_ring_take(&capture->ring, &cursor);
	if (record)
		deploy_ring_untake(&capture->ring, record);
	return !record;
}

static score_status prepare_segment(score_capture *capture, score_error *error)
{
	score_status status = SCORE_OK;
	if (deploy_segment_is_due(capture))
		status = deploy_segment_close(capture, error);
	if (status == SCORE_OK && capture->segment.fd < 0)
		status = deploy_segment_begin(capture, error);
	return status;
}

typedef struct batch {
	size_t used;
	uint64_t n_records;
	const capture_model *unknown; /* the next record needs its frame first */
} batch;

/* As many frames as fit in the buffer, up to the first of a model that the segment does not know yet. */
static batch fill_buffer(score_capture *capture, uint64_t *cursor)
{
	batch b = { 0, 0, NULL };
	for (;;) {
		const uint64_t before = *cursor;
		const capture_record *record = deploy_ring_take(&capture->ring, cursor);
		if (!record)
			return b;
		b.unknown = has_model(capture, record->model) ? NULL : record->model;
		if (b.unknown || !deploy_frame_call(capture->buffer, capture->buffer_bytes, &b.used, record,
			capture->sampling_fraction)) {
			deploy_ring_untake(&capture->ring, record);
			*cursor = before;
			return b;
		}
		b.n_records++;
	}
}

static score_status write_batch(score_capture *capture, const batch *b, score_error *error)
{
	score_status status = SCORE_OK;
	if (b->used > 0)
		status = deploy_segment_write(capture, capture->buffer, b->used, error);
	deploy_ring_settle(&capture->ring, status == SCORE_OK);
	capture->segment.has_calls |= status == SCORE_OK && b->n_records > 0;
	if (status == SCORE_OK)
		atomic_fetch_add_explicit(&capture->n_written, b->n_records, memory_order_relaxed);
	if (status == SCORE_OK && b->unknown) {
		status = write_model(capture, b->unknown, error);
		if (status == SCORE_OK)
			capture->segment.has_model[b->unknown->number / 8] |= (uint8_t)(1u << b->unknown->number % 8);
	}
	return status;
}

static score_status drain_ring(score_capture *capture, uint64_t *n_written, score_error *error)
{
	score_status status = SCORE_OK;
	uint64_t cursor = deploy_ring_begin(&capture->ring);
	/* What comes while this runs is for the next drain: busy producers cannot keep it here. */
	const uint64_t end = cursor + capture->ring.n_granules;
	while (status == SCORE_OK && cursor < end && !is_empty(capture, cursor)) {
		status = prepare_segment(capture, error);
		if (status != SCORE_OK)
			break;
		const batch b = fill_buffer(capture, &cursor);
		status = write_batch(capture, &b, error);
		*n_written += status == SCORE_OK ? b.n_records : 0;
		/* Padding before a record that waits for its model's frame has been given back. */
		const uint64_t begin = deploy_ring_begin(&capture->ring);
		cursor = cursor < begin ? begin : cursor;
	}
	if (status == SCORE_OK && deploy_segment_is_due(capture))
		status = deploy_segment_close(capture, error);
	if (status == SCORE_OK && *n_written > 0)
		status = deploy_segment_sync(capture, error);
	return status;
}

static score_status drain(score_capture *capture, bool close_segment, uint64_t *n_records, score_error *error)
{
	uint64_t n_written = 0;
	if (!capture)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the capture is NULL");
	sl_error_clear(error);
	if (capture->process != (int64_t)getpid())
		return sl_fail(error, SCORE_ERR_ARGUMENT,
			"this capture belongs to process %lld, which forked: make a new one here", (long long)capture->process);
	pthread_mutex_lock(&capture->drain_lock);
	const unsigned host = sl_enter_default_float();
	score_status status = drain_ring(capture, &n_written, error);
	sl_leave_default_float(host);
	if (status == SCORE_OK && close_segment)
		status = deploy_segment_close(capture, error);
	if (status != SCORE_OK)
		atomic_fetch_add_explicit(&capture->n_failed_drains, 1, memory_order_relaxed);
	atomic_store_explicit(&capture->last_drain, status, memory_order_relaxed);
	pthread_mutex_unlock(&capture->drain_lock);
	if (n_records)
		*n_records = n_written;
	return status;
}

score_status score_capture_drain(score_capture *capture, uint64_t *n_records, score_error *error)
{
	if (n_records)
		*n_records = 0;
	return drain(capture, false, n_records, error);
}

score_status score_capture_rotate(score_capture *capture, score_error *error)
{
	return drain(capture, true, NULL, error);
}
