/*
 * Snapshots from bytes that nobody has checked: every key must be there once, with the right type and range. Unknown keys
 * are ignored. Memory is bounded by the bytes, time is linear in them.
 */
#include "statistics_parts.h"

#include "../base/file.h"
#include "../base/msgpack.h"

#include <math.h>

/* So that no sum of counts overflows. */
#define MAX_COUNT (UINT64_C(1) << 50)

typedef struct reader {
	sl_arena scratch;
	score_error *error;
	deploy_shape shape;
	const sl_value *root;
	const sl_value *histograms; /* features or scores, the one being read */
} reader;

static score_status bad(reader *r, const char *key, const char *expected)
{
	return sl_fail(r->error, SCORE_ERR_CORRUPT, "statistics: \"%s\" is damaged: expected %s", key, expected);
}

static const sl_value *get(const sl_value *map, const char *key, sl_value_type type)
{
	bool twice;
	const sl_value *value = sl_map_get(map, key, &twice);
	return value && !twice && value->type == type ? value : NULL;
}

static bool get_count(const sl_value *map, const char *key, uint64_t *out)
{
	const sl_value *value = get(map, key, SL_UINT);
	if (!value)
		return false;
	*out = value->u.uint;
	return true;
}

static bool is_text(const sl_value *value)
{
	return value && sl_utf8_prefix(value->u.text, value->n) == value->n && !memchr(value->u.text, 0, value->n);
}

/* `limit` 0: any number. */
static bool read_counts(const sl_value *array, uint64_t *out, size_t n, uint64_t limit)
{
	if (!array || array->n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (array->u.items[i].type != SL_UINT || (limit && array->u.items[i].u.uint > limit))
			return false;
		out[i] = array->u.items[i].u.uint;
	}
	return true;
}

/* ---- shape --------------------------------------------------------------------------------------- */

static bool read_edges(const sl_value *array, double edges[SCORE_MAX_EDGES])
{
	if (!array || array->n > SCORE_MAX_EDGES)
		return false;
	for (uint32_t k = 0; k < array->n; k++) {
		if (array->u.items[k].type != SL_FLOAT)
			return false;
		edges[k] = array->u.items[k].u.number;
		if (!isfinite(edges[k]) || (k && !(edges[k - 1] < edges[k])))
			return false;
	}
	return true;
}

static score_status read_histogram(reader *r, const sl_value *map, uint32_t i)
{
	double edges[SCORE_MAX_EDGES];
	uint64_t expected[SCORE_MAX_EDGES + 3];
	if (map->type != SL_MAP)
		return bad(r, "features", "a map for every histogram");
	const sl_value *name = get(map, "name", SL_TEXT), *type = get(map, "type", SL_TEXT);
	const sl_value *edge = get(map, "edges", SL_ARRAY), *expect = get(map, "expected", SL_ARRAY);
	if (!is_text(name))
		return bad(r, "name", "UTF-8 text");
	const bool category = type && sl_text_is(type, "category");
	if (!type || (!category && !sl_text_is(type, "numeric")))
		return bad(r, "type", "\"numeric\" or \"category\"");
	if (!read_edges(edge, edges))
		return bad(r, "edges", "at most 32 ascending floats");
	score_status status = deploy_shape_set(&r->shape, i, name->u.text, name->n,
		category ? SCORE_FEATURE_CATEGORY : SCORE_FEATURE_NUMERIC, edges, edge->n, r->error);
	if (status != SCORE_OK || !r->shape.expected_rows)
		return status;
	if (!read_counts(expect, expected, (size_t)edge->n + 3, MAX_COUNT))
		return bad(r, "expected", "a count for every bin and two more");
	return deploy_shape_expect(&r->shape, i, expected, r->error);
}

static score_status read_labels(reader *r)
{
	static const char *const labels[] = { "endpoint", "served_name", "entity_name", "entity_version" };
	for (uint32_t i = 0; i < 4; i++) {
		const sl_value *text = get(r->root, labels[i], SL_TEXT);
		if (!is_text(text))
			return bad(r, labels[i], "UTF-8 text");
		score_status status = deploy_shape_label(&r->shape, i, text->u.text, text->n, r->error);
		if (status != SCORE_OK)
			return status;
	}
	const sl_value *hash = get(r->root, "model_hash", SL_BYTES);
	if (!hash || hash->n != sizeof r->shape.model_hash)
		return bad(r, "model_hash", "16 bytes");
	memcpy(r->shape.model_hash, hash->u.text, sizeof r->shape.model_hash);
	return SCORE_OK;
}

static score_status read_shape(reader *r, const score_allocator *allocator)
{
	uint64_t output;
	const sl_value *features = get(r->root, "features", SL_ARRAY), *scores = get(r->root, "scores", SL_ARRAY);
	if (!features || features->n > 1u << 20)
		return bad(r, "features", "a list of at most 1,048,576");
	if (!scores || scores->n > DEPLOY_MAX_SCORES)
		return bad(r, "scores", "a list of at most 16");
	score_status status = deploy_shape_init(&r->shape, allocator, features->n, scores->n, r->error);
	if (status != SCORE_OK)
		return status;
	if (!get_count(r->root, "output", &output) || output > SCORE_OUTPUT_CLASS || output == SCORE_OUTPUT_LEAF)
		return bad(r, "output", "0, 1 or 3");
	r->shape.output = (score_output)output;
	if (!get_count(r->root, "expected_rows", &r->shape.expected_rows) || r->shape.expected_rows > MAX_COUNT)
		return bad(r, "expected_rows", "a count");
	status = read_labels(r);
	for (uint32_t i = 0; status == SCORE_OK && i < features->n; i++)
		status = read_histogram(r, features->u.items + i, i);
	for (uint32_t i = 0; status == SCORE_OK && i < scores->n; i++)
		status = read_histogram(r, scores->u.items + i, features->n + i);
	if (status == SCORE_OK)
		deploy_shape_finish(&r->shape);
	return status;
}

/* ---- cells --------------------------------------------------------------------------------------- */

static bool read_latency(const sl_value *pairs, uint64_t *buckets)
{
	if (!pairs || pairs->n % 2)
		return false;
	for (uint32_t i = 0; i < pairs->n; i += 2) {
		const sl_value *pair = pairs->u.items + i;
		if (pair[0].type != SL_UINT || pair[1].type != SL_UINT || pair[0].u.uint >= DEPLOY_LATENCY_BUCKETS ||
			pair[1].u.uint > MAX_COUNT || buckets[pair[0].u.uint])
			return false;
		buckets[pair[0].u.uint] = pair[1].u.uint;
	}
	return true;
}

static score_status read_bins(reader *r, const sl_value *map, const deploy_histogram *h, uint64_t *cells)
{
	uint64_t *bins = cells + h->cell, *after = bins + h->n_edges + 1;
	if (!read_counts(get(map, "counts", SL_ARRAY), bins, (size_t)h->n_edges + 1, MAX_COUNT))
		return bad(r, "counts", "a count for every bin");
	if (!get_count(map, "missing", after + DEPLOY_AFTER_MISSING) || after[DEPLOY_AFTER_MISSING] > MAX_COUNT)
		return bad(r, "missing", "a count");
	if (!get_count(map, "unknown", after + DEPLOY_AFTER_UNKNOWN) || after[DEPLOY_AFTER_UNKNOWN] > MAX_COUNT)
		return bad(r, "unknown", "a count");
	if (!read_counts(get(map, "sum", SL_ARRAY), after + DEPLOY_AFTER_WHOLE, 2, 0))
		return bad(r, "sum", "two integers");
	return SCORE_OK;
}

static score_status read_cells(reader *r, uint64_t *cells)
{
	const sl_value *features = get(r->root, "features", SL_ARRAY), *scores = get(r->root, "scores", SL_ARRAY);
	score_status status = SCORE_OK;
	/* Times are nanoseconds since 1970 and latencies add up, so these are larger than any count. */
	if (!read_counts(get(r->root, "calls", SL_ARRAY), cells, DEPLOY_CELL_ERRORS, INT64_MAX))
		return bad(r, "calls", "eight counts");
	for (int i = 0; i <= DEPLOY_CELL_UNSCORED; i++) {
		if (cells[i] > MAX_COUNT)
			return bad(r, "calls", "counts of at most 2^50");
	}
	if (!read_counts(get(r->root, "errors", SL_ARRAY), cells + DEPLOY_CELL_ERRORS, DEPLOY_ERROR_CODES, MAX_COUNT))
		return bad(r, "errors", "16 counts");
	if (!read_latency(get(r->root, "latency", SL_ARRAY), cells + DEPLOY_CELL_LATENCY))
		return bad(r, "latency", "pairs of a bucket and its count");
	for (uint32_t i = 0; status == SCORE_OK && i < features->n; i++)
		status = read_bins(r, features->u.items + i, r->shape.histograms + i, cells);
	for (uint32_t i = 0; status == SCORE_OK && i < scores->n; i++)
		status = read_bins(r, scores->u.items + i, r->shape.histograms + features->n + i, cells);
	return status;
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static score_status check_format(reader *r)
{
	uint64_t version;
	const sl_value *format = r->root->type == SL_MAP ? get(r->root, "format", SL_TEXT) : NULL;
	if (!format || !sl_text_is(format, "scoreline statistics"))
		return sl_fail(r->error, SCORE_ERR_CORRUPT, "expected statistics of Scoreline, found something else");
	if (!get_count(r->root, "version", &version) || version == 0)
		return bad(r, "version", "a number from 1 on");
	if (version > 1)
		return sl_fail(r->error, SCORE_ERR_VERSION, "the statistics have version %llu, this library reads version 1: update it",
			(unsigned long long)version);
	return SCORE_OK;
}

static score_status read_root(reader *r, const score_allocator *allocator, score_snapshot **out)
{
	score_snapshot *snapshot = NULL;
	score_status status = check_format(r);
	if (status != SCORE_OK)
		return status;
	status = read_shape(r, allocator);
	if (status != SCORE_OK) {
		deploy_shape_free(&r->shape);
		return status;
	}
	status = deploy_snapshot_new(&r->shape, &snapshot, r->error);
	if (status != SCORE_OK)
		return status;
	status = read_cells(r, snapshot->cells);
	if (status == SCORE_OK)
		*out = snapshot;
	else
		score_snapshot_free(snapshot);
	return status;
}

static score_status read_snapshot(const void *bytes, size_t size, const score_allocator *allocator, score_snapshot **out,
	score_error *error)
{
	reader r;
	sl_value root;
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_snapshot_read: out is NULL");
	*out = NULL;
	if (!bytes && size)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_snapshot_read: bytes is NULL");
	memset(&r, 0, sizeof r);
	r.error = error;
	r.root = &root;
	sl_arena_init(&r.scratch, allocator, (size_t)1 << 31);
	score_status status = sl_msgpack_parse(bytes, size, 0, &r.scratch, &root, error);
	if (status == SCORE_OK)
		status = read_root(&r, allocator, out);
	sl_arena_free(&r.scratch);
	return status;
}

score_status score_snapshot_read(const void *bytes, size_t size, const score_allocator *allocator, score_snapshot **out,
	score_error *error)
{
	const unsigned host = sl_enter_default_float();
	const score_status status = read_snapshot(bytes, size, allocator, out, error);
	sl_leave_default_float(host);
	return status;
}

score_status score_snapshot_open_file(const char *path, const score_allocator *allocator, score_snapshot **out,
	score_error *error)
{
	void *bytes;
	size_t size;
	const score_allocator a = sl_allocator(allocator);
	sl_error_clear(error);
	if (out)
		*out = NULL;
	if (!out || !path)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_snapshot_open_file: path and out must not be NULL");
	score_status status = sl_read_file(path, 0, &a, &bytes, &size, error);
	if (status != SCORE_OK)
		return status;
	status = score_snapshot_read(bytes, size, &a, out, error);
	sl_free(&a, bytes, size, SL_CACHE_LINE);
	return status;
}
