/*
 * Scoreline: what was scored. Counts and histograms while scoring, drift against the training data, Prometheus text.
 *
 *   score_statistics_new → score_statistics_record … (any thread) → score_statistics_snapshot → score_snapshot
 *
 * A score_statistics counts the calls of one served version. A score_snapshot is what was counted up to some moment: plain
 * data, which can be merged with those of other threads' and processes', written, read, compared and published.
 *
 * What is exact and what is sampled. Calls, rows, errors, latencies and score histograms count everything. Missing values,
 * unknown categories and value histograms of features look at sampled rows: one in `sample_every`, at random distances; the
 * snapshot says how many. Bins are closed on the right: bin 0 is x <= edges[0], bin k is edges[k-1] < x <= edges[k], the last
 * is x > edges[n_edges-1]. Of a category the edges are codes, bin k counts x == edges[k], the last bin all other known ones.
 *
 * A reference is a snapshot of the training data. It stands in the model's metadata, under "reference.histograms", and gives
 * the edges, so that what is scored is compared with what was learned from. Without one, edges are 0 and ±10^k, k = -3 … 6,
 * for features, and the same or steps of 0.05 from 0 to 1 for scores.
 */
#ifndef SCORELINE_STATISTICS_H
#define SCORELINE_STATISTICS_H

#include <scoreline/call.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct score_statistics score_statistics;
typedef struct score_snapshot score_snapshot;

#define SCORE_MAX_EDGES 32 /* of one histogram */

/* ---- counting ------------------------------------------------------------------------------------ */

typedef struct score_statistics_options {
	size_t struct_size;
	const score_allocator *allocator; /* NULL: malloc and free. Must outlive statistics and snapshots           */
	const score_snapshot *reference;  /* edges and expected counts; NULL: the model's own, if it has one. Copied  */
	const char *endpoint;             /* who it is, for reports and labels; NULL: nothing. Copied                */
	const char *served_name;
	const char *entity_name;          /* NULL: the model's metadata "name"                                       */
	const char *entity_version;
	score_output output;              /* scores of this output are counted: prediction, margin or class          */
	uint32_t sample_every;            /* one row in so many is looked at, on average; 1: all; 0 means 128        */
	uint32_t n_shards;                /* threads that may record at once without sharing; 0 means 16, at most 256 */
	uint32_t max_features;            /* only the first ones have histograms; 0 means 1,024                      */
	uint32_t flags;                   /* SCORE_STATISTICS_*                                                      */
	uint32_t reserved;
} score_statistics_options;

/* Neither read the model's reference nor complain about it. */
#define SCORE_STATISTICS_NO_REFERENCE 1u

#define SCORE_STATISTICS_OPTIONS_INIT { sizeof(score_statistics_options), NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0 }

/* All memory is allocated here: about 16 KiB + 128 bytes per feature and shard. The model must outlive the statistics. At
 * most 16 values per row get a score histogram. Fails with SCORE_ERR_CORRUPT if the model's reference cannot be read, with
 * SCORE_ERR_SHAPE if a reference is for other features. */
SCORE_API SCORE_MUST_CHECK score_status score_statistics_new(const score_model *model,
	const score_statistics_options *options, score_statistics **out, score_error *error);
/* NULL is allowed. Must be the last use. */
SCORE_API void score_statistics_free(score_statistics *statistics);

/*
 * Count a finished call. From any number of threads at once: wait-free, allocates nothing, calls nothing of the system. A call
 * whose status is not SCORE_OK counts as an error and its rows are not read; the rows of others have been scored, so they are
 * read as score_batch() read them. A thread that finds all shards taken counts its calls and scores all the same, but
 * samples no rows; nor are rows sampled of which there are codes only (SCORE_BINNED).
 */
SCORE_API void score_statistics_record(score_statistics *statistics, const score_call *call);

/* What was counted so far. Calls that are being recorded meanwhile may be in it in part. */
SCORE_API SCORE_MUST_CHECK score_status score_statistics_snapshot(const score_statistics *statistics, score_snapshot **out,
	score_error *error);

/* ---- what a snapshot holds ----------------------------------------------------------------------- */

/* NULL is allowed. */
SCORE_API void score_snapshot_free(score_snapshot *snapshot);

typedef struct score_snapshot_info {
	size_t struct_size;       /* set by the caller                                        */
	const char *endpoint;     /* "" where unknown; these live as long as the snapshot     */
	const char *served_name;
	const char *entity_name;
	const char *entity_version;
	uint8_t model_hash[16];   /* of score_model_info, or zero                             */
	int64_t first_unix_ns;    /* start of the first and the last call; 0 if there is none */
	int64_t last_unix_ns;
	uint64_t calls;           /* all, failed ones too                                     */
	uint64_t rows;            /* of calls that succeeded                                  */
	uint64_t errors;          /* calls that failed                                        */
	uint64_t shadow_calls;    /* with SCORE_CALL_SHADOW                                   */
	uint64_t sampled_rows;    /* rows whose features were looked at                       */
	uint64_t unscored_rows;   /* rows whose values are of another output                  */
	uint64_t latency_sum_ns;  /* over all calls                                           */
	uint64_t expected_rows;   /* rows of the reference; 0 without one                     */
	uint32_t n_features;      /* with histograms                                          */
	uint32_t n_scores;        /* score histograms: values per row, at most 16             */
	score_output output;      /* that the scores are of                                   */
	uint32_t reserved;
} score_snapshot_info;

SCORE_API SCORE_MUST_CHECK score_status score_snapshot_get_info(const score_snapshot *snapshot, score_snapshot_info *info);
/* Failed calls with this status; 0 for SCORE_OK. Unknown codes are counted together under -1. */
SCORE_API uint64_t score_snapshot_errors(const score_snapshot *snapshot, score_status status);

/* One histogram. Everything is borrowed from the snapshot. */
typedef struct score_histogram {
	size_t struct_size;
	const char *name;         /* of the feature, or "prediction", "prediction[1]", …       */
	score_feature_type type;
	uint32_t n_edges;         /* at most SCORE_MAX_EDGES                                  */
	const double *edges;      /* ascending                                                */
	const uint64_t *counts;   /* [n_edges + 1]                                            */
	uint64_t missing;         /* NaN, null, not in the row                                */
	uint64_t unknown;         /* categories that the model does not know                  */
	const uint64_t *expected; /* [n_edges + 1] of the reference; NULL without one         */
	uint64_t expected_missing;
	uint64_t expected_unknown;
	double sum;               /* scores: of all values but NaN, to 2^-32 per call; else 0 */
} score_histogram;

SCORE_API SCORE_MUST_CHECK score_status score_snapshot_feature(const score_snapshot *snapshot, uint32_t i,
	score_histogram *out);
SCORE_API SCORE_MUST_CHECK score_status score_snapshot_score(const score_snapshot *snapshot, uint32_t i,
	score_histogram *out);

/* The latency below which a share `q` (0 … 1) of the calls stayed, in nanoseconds, within 1 % of the true one; NaN if there
 * were no calls. Latencies beyond 73 minutes count as that. */
SCORE_API double score_snapshot_latency(const score_snapshot *snapshot, double q);
/* Calls that took at most 2^exponent nanoseconds, exactly; exponent 0 … 42. */
SCORE_API uint64_t score_snapshot_latency_within(const score_snapshot *snapshot, uint32_t exponent);

/* ---- across threads, processes and time ---------------------------------------------------------- */

/* Add the counts of `from` to `into`. Both must count the same things: SCORE_ERR_SHAPE names the first difference, and `into`
 * stays as it was. Labels that differ become empty. */
SCORE_API SCORE_MUST_CHECK score_status score_snapshot_merge(score_snapshot *into, const score_snapshot *from,
	score_error *error);

/* As bytes: a msgpack map with a version (docs/monitoring.md). The bytes are from the snapshot's allocator. */
SCORE_API SCORE_MUST_CHECK score_status score_snapshot_serialise(const score_snapshot *snapshot, void **out,
	size_t *out_size, score_error *error);
SCORE_API void score_snapshot_free_bytes(const score_snapshot *snapshot, void *bytes, size_t size);
/* The bytes are untrusted. `allocator` may be NULL and must outlive the snapshot. */
SCORE_API SCORE_MUST_CHECK score_status score_snapshot_read(const void *bytes, size_t size,
	const score_allocator *allocator, score_snapshot **out, score_error *error);
/* The same in a file, by convention ".sls"; it is replaced as score_model_save_file() does it. */
SCORE_API SCORE_MUST_CHECK score_status score_snapshot_save_file(const score_snapshot *snapshot, const char *path,
	score_error *error);
SCORE_API SCORE_MUST_CHECK score_status score_snapshot_open_file(const char *path, const score_allocator *allocator,
	score_snapshot **out, score_error *error);

/* ---- the reference ------------------------------------------------------------------------------- */

#define SCORE_REFERENCE_KEY "reference.histograms"

typedef struct score_reference_options {
	size_t struct_size;
	const score_plan *plan;  /* NULL: by position                                                       */
	score_output output;     /* whose scores are counted                                                */
	uint32_t n_bins;         /* of a numeric feature and of the score: equal shares of the rows; 0 means 10, at most 32 */
	uint32_t n_categories;   /* most frequent codes that get a bin of their own; 0 means 20, at most 32 */
	uint32_t max_features;   /* 0 means 1,024                                                           */
} score_reference_options;

#define SCORE_REFERENCE_OPTIONS_INIT { sizeof(score_reference_options), NULL, 0, 0, 0, 0 }

/* Score all rows of `input` and count every one. Takes every layout but codes (SCORE_BINNED), which hold no values. Allocates 8 bytes per
 * row and value of the output besides the snapshot. The snapshot's memory is that of malloc(). */
SCORE_API SCORE_MUST_CHECK score_status score_reference_new(const score_model *model, const score_input *input,
	const score_reference_options *options, score_snapshot **out, score_error *error);
/* Text for the model's metadata: base64 of the serialised snapshot, terminated. Give it back with score_snapshot_free_bytes()
 * and its length + 1. */
SCORE_API SCORE_MUST_CHECK score_status score_reference_text(const score_snapshot *reference, char **out, size_t *length,
	score_error *error);
/* The reference that stands in a model. `*out` is NULL and SCORE_OK is returned if there is none. */
SCORE_API SCORE_MUST_CHECK score_status score_reference_of(const score_model *model, const score_allocator *allocator,
	score_snapshot **out, score_error *error);

/* ---- drift --------------------------------------------------------------------------------------- */

typedef int32_t score_drift_level;
/* A PSI of 0.1 and more that is less than three times the noise, or of fewer than five rows per bin, is UNKNOWN: so few rows
 * show it by chance. */
#define SCORE_DRIFT_UNKNOWN 0  /* no reference, or no rows, or too few */
#define SCORE_DRIFT_STABLE 1   /* PSI < 0.1                */
#define SCORE_DRIFT_MODERATE 2 /* 0.1 <= PSI < 0.25        */
#define SCORE_DRIFT_SHIFTED 3  /* 0.25 <= PSI              */

/*
 * How far the counts of a histogram are from the expected ones. E and A are the shares of expected and actual rows in each
 * bin; missing values are a bin of their own, unknown categories too. NaN where something cannot be said.
 */
typedef struct score_drift {
	size_t struct_size;   /* set by the caller */
	score_drift_level level;
	uint32_t chi2_df;
	uint64_t expected_rows;
	uint64_t actual_rows;
	double psi;           /* sum of (A - E) ln(A / E), shares below 1e-4 taken as 1e-4                      */
	double js_distance;   /* square root of the Jensen-Shannon divergence to base 2: 0 … 1                  */
	double ks_statistic;  /* numeric: largest distance of the cumulated shares at the edges, without missing values: a
	                       * lower bound of that of the values themselves                                   */
	double ks_p_value;    /* asymptotic (Kolmogorov), from 25 values on each side on; for binned values it is an upper bound */
	double chi2;          /* Pearson's, of the table bins x (expected, actual), without empty bins          */
	double chi2_p_value;  /* where every cell expects at least 1 and four in five at least 5 (Cochran)      */
	double missing_rate;  /* of the actual rows  */
	double missing_change; /* minus the expected */
	double unknown_rate;
	double noise;         /* PSI to expect from sampling alone: (bins - 1)(1/n + 1/m)                       */
} score_drift;

/* `histogram` may be filled in by the caller. The actual rows are its counts + missing + unknown. */
SCORE_API SCORE_MUST_CHECK score_status score_drift_of(const score_histogram *histogram, score_drift *out,
	score_error *error);
/* "unknown", "stable", "moderate" or "shifted" */
SCORE_API const char *score_drift_level_name(score_drift_level level);

/* ---- Prometheus ---------------------------------------------------------------------------------- */

/* Receives text piece by piece; not 0 stops (SCORE_ERR_IO). */
typedef int (*score_sink)(void *context, const char *text, size_t length);

typedef struct score_prometheus_options {
	size_t struct_size;
	uint32_t flags; /* SCORE_PROMETHEUS_* */
	uint32_t reserved;
} score_prometheus_options;

#define SCORE_PROMETHEUS_OPENMETRICS 1u /* application/openmetrics-text; version=1.0.0, instead of text/plain; version=0.0.4 */
#define SCORE_PROMETHEUS_NO_FEATURES 2u /* nothing per feature                                                              */
#define SCORE_PROMETHEUS_FEATURE_BINS 4u /* also value histograms of features: many series                                  */

#define SCORE_PROMETHEUS_OPTIONS_INIT { sizeof(score_prometheus_options), 0, 0 }

/* All metrics of all snapshots; those of one family stand together, told apart by the labels endpoint, served_name, model and
 * version, which must differ between snapshots. docs/monitoring.md lists the metrics. Allocates nothing. */
SCORE_API SCORE_MUST_CHECK score_status score_prometheus_write(const score_snapshot *const *snapshots, size_t n,
	const score_prometheus_options *options, score_sink sink, void *context, score_error *error);
/* The same into a buffer, terminated. `*needed`, if not NULL, receives the length without the final zero. SCORE_ERR_LIMIT if
 * `size` is not more than that; size 0 only measures. */
SCORE_API SCORE_MUST_CHECK score_status score_prometheus_text(const score_snapshot *const *snapshots, size_t n,
	const score_prometheus_options *options, char *out, size_t size, size_t *needed, score_error *error);

#ifdef __cplusplus
}
#endif
#endif
