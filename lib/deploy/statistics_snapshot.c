/*
 * What a snapshot says, and adding two of them.
 */
#include "statistics_parts.h"

#include <math.h>

static uint64_t sum_cells(const uint64_t *cells, size_t begin, size_t n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += cells[begin + i];
	return sum;
}

score_status score_snapshot_get_info(const score_snapshot *snapshot, score_snapshot_info *info)
{
	if (!snapshot || !sl_has_size(info))
		return SCORE_ERR_ARGUMENT;
	const deploy_shape *shape = &snapshot->shape;
	const uint64_t *cells = snapshot->cells;
	score_snapshot_info all = { sizeof all, shape->labels[0], shape->labels[1], shape->labels[2], shape->labels[3], { 0 },
		(int64_t)cells[DEPLOY_CELL_FIRST], (int64_t)cells[DEPLOY_CELL_LAST], cells[DEPLOY_CELL_CALLS],
		cells[DEPLOY_CELL_ROWS], sum_cells(cells, DEPLOY_CELL_ERRORS, DEPLOY_ERROR_CODES), cells[DEPLOY_CELL_SHADOW],
		cells[DEPLOY_CELL_SAMPLED], cells[DEPLOY_CELL_UNSCORED], cells[DEPLOY_CELL_LATENCY_SUM], shape->expected_rows,
		shape->n_features, shape->n_scores, shape->output, 0 };
	memcpy(all.model_hash, shape->model_hash, sizeof all.model_hash);
	sl_give_struct(info, &all, sizeof all);
	return SCORE_OK;
}

uint64_t score_snapshot_errors(const score_snapshot *snapshot, score_status status)
{
	const int last = DEPLOY_ERROR_CODES - 1;
	if (!snapshot || status < -1 || status >= last)
		return 0;
	return snapshot->cells[DEPLOY_CELL_ERRORS + (status == -1 ? last : status)];
}

/* ---- histograms ---------------------------------------------------------------------------------- */

static score_status get_histogram(const score_snapshot *snapshot, uint32_t i, score_histogram *out)
{
	const deploy_histogram *h = snapshot->shape.histograms + i;
	const uint64_t *counts = snapshot->cells + h->cell, *after = counts + h->n_edges + 1;
	score_histogram all = { sizeof all, h->name, h->type, h->n_edges, h->edges, counts, after[DEPLOY_AFTER_MISSING],
		after[DEPLOY_AFTER_UNKNOWN], h->expected, 0, 0, 0.0 };
	all.sum = (double)(int64_t)after[DEPLOY_AFTER_WHOLE] + (double)after[DEPLOY_AFTER_FRACTION] * 0x1p-32;
	if (h->expected) {
		all.expected_missing = h->expected[h->n_edges + 1];
		all.expected_unknown = h->expected[h->n_edges + 2];
	}
	sl_give_struct(out, &all, sizeof all);
	return SCORE_OK;
}

score_status score_snapshot_feature(const score_snapshot *snapshot, uint32_t i, score_histogram *out)
{
	if (!snapshot || !sl_has_size(out) || i >= snapshot->shape.n_features)
		return SCORE_ERR_ARGUMENT;
	return get_histogram(snapshot, i, out);
}

score_status score_snapshot_score(const score_snapshot *snapshot, uint32_t i, score_histogram *out)
{
	if (!snapshot || !sl_has_size(out) || i >= snapshot->shape.n_scores)
		return SCORE_ERR_ARGUMENT;
	return get_histogram(snapshot, snapshot->shape.n_features + i, out);
}

/* ---- latency ------------------------------------------------------------------------------------- */

/* The middle of a bucket is at most half its width, 1/128 of its lower bound, from any latency in it. */
static double bucket_middle(uint32_t k)
{
	if (k < 128)
		return k + 1;
	const uint32_t exponent = 7 + (k - 128) / 64;
	const double width = (double)(UINT64_C(1) << (exponent - 6));
	return (64 + (k - 128) % 64) * width + (width + 1) / 2;
}

double score_snapshot_latency(const score_snapshot *snapshot, double q)
{
	if (!snapshot || !(q >= 0 && q <= 1))
		return (double)NAN;
	const uint64_t *buckets = snapshot->cells + DEPLOY_CELL_LATENCY;
	const uint64_t calls = sum_cells(buckets, 0, DEPLOY_LATENCY_BUCKETS);
	const double wanted = ceil(q * (double)calls);
	uint64_t seen = 0;
	if (calls == 0)
		return (double)NAN;
	uint32_t k = 0;
	for (; k < DEPLOY_LATENCY_BUCKETS - 1; k++) {
		seen += buckets[k];
		if (seen > 0 && (double)seen >= wanted)
			break;
	}
	return bucket_middle(k);
}

uint64_t score_snapshot_latency_within(const score_snapshot *snapshot, uint32_t exponent)
{
	if (!snapshot || exponent > DEPLOY_LATENCY_DOUBLINGS)
		return 0;
	const size_t n = exponent < 7 ? (size_t)1 << exponent : 128 + (size_t)(exponent - 7) * 64;
	return sum_cells(snapshot->cells, DEPLOY_CELL_LATENCY, n);
}

/* ---- merging ------------------------------------------------------------------------------------- */

static bool same_histogram(const deploy_histogram *a, const deploy_histogram *b)
{
	if (strcmp(a->name, b->name) != 0 || a->type != b->type || a->n_edges != b->n_edges)
		return false;
	/* Of as many expected rows: both have them, or neither. */
	if (a->expected && memcmp(a->expected, b->expected, ((size_t)a->n_edges + 3) * sizeof *a->expected) != 0)
		return false;
	return memcmp(a->edges, b->edges, a->n_edges * sizeof *a->edges) == 0;
}

static score_status compare_shapes(const deploy_shape *a, const deploy_shape *b, score_error *error)
{
	if (a->n_features != b->n_features || a->n_scores != b->n_scores || a->output != b->output)
		return sl_fail(error, SCORE_ERR_SHAPE, "the snapshots count different things: %u features and %u scores of output %d "
			"here, %u and %u of output %d there", a->n_features, a->n_scores, (int)a->output, b->n_features, b->n_scores,
			(int)b->output);
	if (a->expected_rows != b->expected_rows)
		return sl_fail(error, SCORE_ERR_SHAPE, "the snapshots are for different references: of %llu rows here, of %llu there",
			(unsigned long long)a->expected_rows, (unsigned long long)b->expected_rows);
	for (uint32_t i = 0; i < deploy_shape_histograms(a); i++) {
		const char *name = a->histograms[i].name, *other = b->histograms[i].name;
		if (!same_histogram(a->histograms + i, b->histograms + i))
			return sl_fail(error, SCORE_ERR_SHAPE, "histogram %u, \"%s\" here and \"%s\" there, has other names, edges or "
				"expected counts: merge snapshots of one model and one reference", i, sl_quote(name, strlen(name)).text,
				sl_quote(other, strlen(other)).text);
	}
	return SCORE_OK;
}

score_status score_snapshot_merge(score_snapshot *into, const score_snapshot *from, score_error *error)
{
	sl_error_clear(error);
	if (!into || !from)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_snapshot_merge: a snapshot is NULL");
	score_status status = compare_shapes(&into->shape, &from->shape, error);
	if (status != SCORE_OK)
		return status;
	deploy_cells_add(&into->shape, into->cells, from->cells);
	for (int i = 0; i < 4; i++) {
		if (strcmp(into->shape.labels[i], from->shape.labels[i]) != 0)
			into->shape.labels[i] = "";
	}
	if (memcmp(into->shape.model_hash, from->shape.model_hash, sizeof into->shape.model_hash) != 0)
		memset(into->shape.model_hash, 0, sizeof into->shape.model_hash);
	return SCORE_OK;
}
