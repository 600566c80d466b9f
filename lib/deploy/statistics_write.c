/*
 * Snapshots as bytes: one msgpack map, whose keys have a fixed order, so that the same counts give the same bytes.
 */
#include "statistics_parts.h"

#include "../base/file.h"

#include <msgpack/pack.h>

typedef struct writer {
	msgpack_packer pack;
	sl_vector out;
	bool failed;
} writer;

static int append(void *data, const char *bytes, size_t n)
{
	writer *w = data;
	w->failed = w->failed || !sl_vector_push(&w->out, bytes, n);
	return 0;
}

static void put_text(writer *w, const char *text)
{
	const size_t n = strlen(text);
	msgpack_pack_str(&w->pack, n);
	msgpack_pack_str_body(&w->pack, text, n);
}

static void put_count(writer *w, const char *key, uint64_t value)
{
	put_text(w, key);
	msgpack_pack_uint64(&w->pack, value);
}

static void put_counts(writer *w, const char *key, const uint64_t *values, size_t n)
{
	put_text(w, key);
	msgpack_pack_array(&w->pack, n);
	for (size_t i = 0; i < n; i++)
		msgpack_pack_uint64(&w->pack, values[i]);
}

/* Most edges are values of float columns: half the bytes. */
static void put_edges(writer *w, const deploy_histogram *h)
{
	put_text(w, "edges");
	msgpack_pack_array(&w->pack, h->n_edges);
	for (uint32_t k = 0; k < h->n_edges; k++) {
		if ((double)(float)h->edges[k] == h->edges[k])
			msgpack_pack_float(&w->pack, (float)h->edges[k]);
		else
			msgpack_pack_double(&w->pack, h->edges[k]);
	}
}

static void put_histogram(writer *w, const deploy_histogram *h, const uint64_t *cells)
{
	const uint64_t *after = cells + h->cell + h->n_edges + 1;
	msgpack_pack_map(&w->pack, h->expected ? 8 : 7);
	put_text(w, "name");
	put_text(w, h->name);
	put_text(w, "type");
	put_text(w, h->type == SCORE_FEATURE_CATEGORY ? "category" : "numeric");
	put_edges(w, h);
	put_counts(w, "counts", cells + h->cell, (size_t)h->n_edges + 1);
	put_count(w, "missing", after[DEPLOY_AFTER_MISSING]);
	put_count(w, "unknown", after[DEPLOY_AFTER_UNKNOWN]);
	put_counts(w, "sum", after + DEPLOY_AFTER_WHOLE, 2);
	if (h->expected)
		put_counts(w, "expected", h->expected, (size_t)h->n_edges + 3);
}

/* Pairs of bucket and count: few of the buckets are ever used. */
static void put_latency(writer *w, const uint64_t *buckets)
{
	uint32_t used = 0;
	for (uint32_t k = 0; k < DEPLOY_LATENCY_BUCKETS; k++)
		used += buckets[k] != 0;
	put_text(w, "latency");
	msgpack_pack_array(&w->pack, 2 * (size_t)used);
	for (uint32_t k = 0; k < DEPLOY_LATENCY_BUCKETS; k++) {
		if (!buckets[k])
			continue;
		msgpack_pack_uint32(&w->pack, k);
		msgpack_pack_uint64(&w->pack, buckets[k]);
	}
}

static void put_snapshot(writer *w, const score_snapshot *s)
{
	static const char *const labels[] = { "endpoint", "served_name", "entity_name", "entity_version" };
	const deploy_shape *shape = &s->shape;
	msgpack_pack_map(&w->pack, 14);
	put_text(w, "format");
	put_text(w, "scoreline statistics");
	put_count(w, "version", 1);
	for (int i = 0; i < 4; i++) {
		put_text(w, labels[i]);
		put_text(w, shape->labels[i]);
	}
	put_text(w, "model_hash");
	msgpack_pack_bin(&w->pack, sizeof shape->model_hash);
	msgpack_pack_bin_body(&w->pack, shape->model_hash, sizeof shape->model_hash);
	put_count(w, "output", (uint64_t)shape->output);
	put_count(w, "expected_rows", shape->expected_rows);
	put_counts(w, "calls", s->cells, DEPLOY_CELL_ERRORS);
	put_counts(w, "errors", s->cells + DEPLOY_CELL_ERRORS, DEPLOY_ERROR_CODES);
	put_latency(w, s->cells + DEPLOY_CELL_LATENCY);
	put_text(w, "features");
	msgpack_pack_array(&w->pack, shape->n_features);
	for (uint32_t i = 0; i < shape->n_features; i++)
		put_histogram(w, shape->histograms + i, s->cells);
	put_text(w, "scores");
	msgpack_pack_array(&w->pack, shape->n_scores);
	for (uint32_t i = 0; i < shape->n_scores; i++)
		put_histogram(w, shape->histograms + shape->n_features + i, s->cells);
}

static score_status write_snapshot(const score_snapshot *snapshot, void **out, size_t *out_size, score_error *error)
{
	writer w = { .failed = false };
	sl_error_clear(error);
	if (!out || !out_size)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_snapshot_serialise: out and out_size must not be NULL");
	*out = NULL;
	*out_size = 0;
	if (!snapshot)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_snapshot_serialise: snapshot is NULL");
	sl_vector_init(&w.out, &snapshot->shape.arena.allocator, 1);
	msgpack_packer_init(&w.pack, &w, append);
	put_snapshot(&w, snapshot);
	/* Whoever frees knows the length, not the capacity. */
	void *bytes = w.failed ? NULL : sl_alloc(&snapshot->shape.arena.allocator, w.out.length, 8);
	const size_t size = w.out.length;
	if (bytes)
		memcpy(bytes, w.out.data, size);
	sl_vector_free(&w.out);
	if (!bytes)
		return sl_fail_memory(error, size);
	*out = bytes;
	*out_size = size;
	return SCORE_OK;
}

score_status score_snapshot_serialise(const score_snapshot *snapshot, void **out, size_t *out_size, score_error *error)
{
	const unsigned host = sl_enter_default_float();
	const score_status status = write_snapshot(snapshot, out, out_size, error);
	sl_leave_default_float(host);
	return status;
}

void score_snapshot_free_bytes(const score_snapshot *snapshot, void *bytes, size_t size)
{
	if (snapshot && bytes)
		sl_free(&snapshot->shape.arena.allocator, bytes, size, 8);
}

score_status score_snapshot_save_file(const score_snapshot *snapshot, const char *path, score_error *error)
{
	void *bytes = NULL;
	size_t size = 0;
	if (!path)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_snapshot_save_file: path is NULL");
	score_status status = score_snapshot_serialise(snapshot, &bytes, &size, error);
	if (status != SCORE_OK)
		return status;
	status = sl_write_file(path, bytes, size, error);
	score_snapshot_free_bytes(snapshot, bytes, size);
	return status;
}
