/*
 * deploy: what the files of the statistics share.
 *
 * Comes in: a model, finished calls, snapshots from elsewhere. Goes out: counters and what is made of them.
 * A shape says what is counted and where: which histograms, their edges, the place of each counter among the cells. Shards
 * and snapshots are arrays of such cells, so that reading is adding cells up.
 */
#ifndef DEPLOY_STATISTICS_PARTS_H
#define DEPLOY_STATISTICS_PARTS_H

#include "../base/base.h"

#include <scoreline/statistics.h>

#include <stdatomic.h>

/* ---- cells --------------------------------------------------------------------------------------- */

#define DEPLOY_ERROR_CODES 16 /* statuses 0 … 14; the last is for all others */
enum {
	DEPLOY_CELL_CALLS,
	DEPLOY_CELL_ROWS,
	DEPLOY_CELL_SHADOW,
	DEPLOY_CELL_SAMPLED,
	DEPLOY_CELL_UNSCORED,
	DEPLOY_CELL_LATENCY_SUM,
	DEPLOY_CELL_FIRST, /* the least counts when cells are added up, 0 being none */
	DEPLOY_CELL_LAST,  /* the largest counts                                     */
	DEPLOY_CELL_ERRORS,
	DEPLOY_CELL_LATENCY = DEPLOY_CELL_ERRORS + DEPLOY_ERROR_CODES
};

/* Latencies of 1 … 2^42 ns: exact up to 128, then 64 buckets for each doubling. Bucket k holds (lower, upper], so that
 * powers of two are bounds. */
#define DEPLOY_LATENCY_DOUBLINGS 42
#define DEPLOY_LATENCY_BUCKETS (128 + (DEPLOY_LATENCY_DOUBLINGS - 7) * 64)
#define DEPLOY_CELL_HISTOGRAMS (DEPLOY_CELL_LATENCY + DEPLOY_LATENCY_BUCKETS)

#define DEPLOY_MAX_SCORES 16

/* ---- shape --------------------------------------------------------------------------------------- */

/* Cells of a histogram: n_edges + 1 counts, then these. */
enum { DEPLOY_AFTER_MISSING, DEPLOY_AFTER_UNKNOWN, DEPLOY_AFTER_WHOLE, DEPLOY_AFTER_FRACTION, DEPLOY_AFTER_ALL };

typedef struct deploy_histogram {
	const char *name;
	score_feature_type type;
	uint32_t n_edges;
	size_t cell;              /* of bin 0                                                     */
	const double *edges;      /* [SCORE_MAX_EDGES], those beyond n_edges are infinite        */
	const uint64_t *expected; /* [n_edges + 1 + 2]: bins, missing, unknown; NULL without one */
} deploy_histogram;

typedef struct deploy_shape {
	sl_arena arena; /* everything that the shape points to */
	const char *labels[4]; /* endpoint, served_name, entity_name, entity_version */
	uint8_t model_hash[16];
	score_output output;
	uint32_t n_features;
	uint32_t n_scores;
	deploy_histogram *histograms; /* features, then scores */
	size_t n_cells;
	uint64_t expected_rows;
} deploy_shape;

static inline uint32_t deploy_shape_histograms(const deploy_shape *shape)
{
	return shape->n_features + shape->n_scores;
}

/* Histograms get their places, edges are copied and padded. After a failure the shape is to be freed all the same. */
score_status deploy_shape_init(deploy_shape *shape, const score_allocator *allocator, uint32_t n_features,
	uint32_t n_scores, score_error *error);
score_status deploy_shape_set(deploy_shape *shape, uint32_t i, const char *name, size_t name_length,
	score_feature_type type, const double *edges, uint32_t n_edges, score_error *error);
/* `expected` is [n_edges + 1 + 2] of the histogram. */
score_status deploy_shape_expect(deploy_shape *shape, uint32_t i, const uint64_t *expected, score_error *error);
score_status deploy_shape_label(deploy_shape *shape, uint32_t which, const char *text, size_t length,
	score_error *error);
/* The places of the cells, once all histograms are set. */
void deploy_shape_finish(deploy_shape *shape);
score_status deploy_shape_copy(deploy_shape *to, const deploy_shape *from, const score_allocator *allocator,
	score_error *error);
void deploy_shape_free(deploy_shape *shape);

/* The shape for a model: histograms of a reference, or the usual edges without one. */
score_status deploy_shape_of_model(deploy_shape *shape, const score_model *model, const score_statistics_options *options,
	const score_snapshot *reference, score_error *error);

struct score_snapshot {
	deploy_shape shape;
	uint64_t *cells; /* in the shape's arena */
};

/* Takes the shape over, also after a failure; all cells are zero. */
score_status deploy_snapshot_new(deploy_shape *shape, score_snapshot **out, score_error *error);
/* Add one cell array to another. */
void deploy_cells_add(const deploy_shape *shape, uint64_t *to, const uint64_t *from);

/* ---- values -------------------------------------------------------------------------------------- */

/* What is known about the categories of a feature. */
typedef struct deploy_categories {
	const double *codes; /* ascending; NULL: whole numbers from 0 on are known */
	uint32_t n_codes;
	bool hashed;         /* every text is known: codes are hashes */
} deploy_categories;

/* A category that the model does not know. */
#define DEPLOY_UNKNOWN_CATEGORY (-HUGE_VAL)

#define DEPLOY_BLOCK 32 /* rows looked at together */

score_status deploy_categories_of(const score_model *model, uint32_t feature, sl_arena *arena, deploy_categories *out,
	score_error *error);
/* Values of one feature in n <= DEPLOY_BLOCK rows: NaN where missing. `categories` is NULL for a numeric feature. */
void deploy_values_take(const score_model *model, const score_input *input, const score_plan *plan, uint32_t feature,
	const deploy_categories *categories, const int64_t *rows, size_t n, double *out);

/* ---- bins ---------------------------------------------------------------------------------------- */

typedef struct deploy_bins {
	/* n is a multiple of 4. above[k] receives how many of x lie above edges[k]; what is not NaN is
	 * added to *sum. Returns how many are not. */
	uint64_t (*count)(const double *x, size_t n, const double *edges, uint32_t n_edges, uint64_t *above, double *sum);
	/* bins[i] receives how many edges lie below x[i]; of NaN n_edges + 1. The edges are padded by infinity to
	 * SCORE_MAX_EDGES. */
	void (*place)(const double *x, size_t n, const double *edges, uint32_t n_edges, uint32_t *bins);
} deploy_bins;

/* The fastest for this processor. */
deploy_bins deploy_bins_choose(void);

/* ---- latency ------------------------------------------------------------------------------------- */

static inline uint32_t deploy_latency_bucket(int64_t ns)
{
	const uint64_t least = ns > 1 ? (uint64_t)ns - 1 : 0;
	if (least < 128)
		return (uint32_t)least;
	if (least >> DEPLOY_LATENCY_DOUBLINGS)
		return DEPLOY_LATENCY_BUCKETS - 1;
	const uint32_t exponent = 63 - (uint32_t)__builtin_clzll(least);
	return 128 + (exponent - 7) * 64 + (uint32_t)((least >> (exponent - 6)) - 64);
}

/* ---- numbers ------------------------------------------------------------------------------------- */

/* P(K > x) of Kolmogorov's distribution; P(X > x) of the chi-squared distribution with df >= 1. */
double deploy_kolmogorov_above(double x);
double deploy_chi2_above(double x, uint32_t df);

#define DEPLOY_NUMBER_TEXT 32
/* Shortest of 15, 16 or 17 digits that reads back as the same number; "NaN", "+Inf", "-Inf". Returns the length. */
size_t deploy_number_text(double value, char text[DEPLOY_NUMBER_TEXT]);

/* Base64 with padding. The buffer of text has 4 * ceil(n / 3) + 1 bytes; that of bytes 3 * (length / 4). */
void deploy_base64_encode(const uint8_t *bytes, size_t n, char *text);
bool deploy_base64_decode(const char *text, size_t length, uint8_t *bytes, size_t *n);

#endif
