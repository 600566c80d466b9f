/*
 * Snapshots as Prometheus text or OpenMetrics.
 *
 * Comes in: snapshots, a sink. Goes out: text, family by family as both formats want it; nothing is allocated.
 */
#include "statistics_parts.h"

#include <math.h>
#include <stdio.h>

typedef struct emitter {
	const score_snapshot *const *snapshots;
	size_t n;
	uint32_t flags;
	score_sink sink;
	void *context;
	bool stopped;
	size_t used;
	char buffer[1024];
} emitter;

/* ---- text ---------------------------------------------------------------------------------------- */

static void flush(emitter *e)
{
	if (e->used && !e->stopped)
		e->stopped = e->sink(e->context, e->buffer, e->used) != 0;
	e->used = 0;
}

static void put(emitter *e, const char *text)
{
	for (; *text; text++) {
		if (e->used == sizeof e->buffer)
			flush(e);
		e->buffer[e->used++] = *text;
	}
}

/* Backslash, quote and line feed are all that both formats escape in label values. */
static void put_escaped(emitter *e, const char *text)
{
	for (; *text; text++) {
		const char one[2] = { *text, '\0' };
		put(e, *text == '\\' ? "\\\\" : *text == '"' ? "\\\"" : *text == '\n' ? "\\n" : one);
	}
}

static void put_count(emitter *e, uint64_t n)
{
	char text[24];
	snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	put(e, text);
}

static void put_number(emitter *e, double value)
{
	char text[DEPLOY_NUMBER_TEXT];
	deploy_number_text(value, text);
	put(e, text);
}

/* OpenMetrics wants "1.0" for the whole numbers among bounds. */
static void put_bound(emitter *e, double bound)
{
	char text[DEPLOY_NUMBER_TEXT];
	const size_t n = deploy_number_text(bound, text);
	put(e, text);
	if (isfinite(bound) && strcspn(text, ".e") == n)
		put(e, ".0");
}

/* ---- lines --------------------------------------------------------------------------------------- */

/* In OpenMetrics a counter's family has the name without "_total". */
static void family(emitter *e, const char *name, const char *type, const char *help)
{
	const bool open = e->flags & SCORE_PROMETHEUS_OPENMETRICS;
	const bool counter = strcmp(type, "counter") == 0;
	const char *const line[] = { "# HELP ", "# TYPE " };
	for (int i = 0; i < 2; i++) {
		put(e, line[i]);
		put(e, name);
		put(e, counter && !open ? "_total " : " ");
		put(e, i == 0 ? help : type);
		put(e, "\n");
	}
	if (open && strlen(name) > 8 && strcmp(name + strlen(name) - 8, "_seconds") == 0) {
		put(e, "# UNIT ");
		put(e, name);
		put(e, " seconds\n");
	}
}

/* Two labels of the sample's own; NULL leaves one out. */
typedef struct label {
	const char *name;
	const char *value;
} label;

static void put_label(emitter *e, const char **separator, const char *name, const char *value)
{
	put(e, *separator);
	put(e, name);
	put(e, "=\"");
	put_escaped(e, value);
	put(e, "\"");
	*separator = ",";
}

static void sample(emitter *e, const score_snapshot *s, const char *name, const char *suffix, label a, const double *bound)
{
	static const char *const names[4] = { "endpoint", "served_name", "model", "version" };
	const char *separator = "{";
	put(e, name);
	put(e, suffix);
	for (int i = 0; i < 4; i++) {
		if (*s->shape.labels[i])
			put_label(e, &separator, names[i], s->shape.labels[i]);
	}
	if (a.name)
		put_label(e, &separator, a.name, a.value);
	if (bound) {
		put(e, separator);
		put(e, "le=\"");
		put_bound(e, *bound);
		put(e, "\"");
		separator = ",";
	}
	put(e, *separator == ',' ? "} " : " ");
}

static const label no_label = { NULL, NULL };

static void count_sample(emitter *e, const score_snapshot *s, const char *name, const char *suffix, label a, uint64_t n)
{
	sample(e, s, name, suffix, a, NULL);
	put_count(e, n);
	put(e, "\n");
}

static void bucket(emitter *e, const score_snapshot *s, const char *name, label a, double bound, uint64_t n)
{
	sample(e, s, name, "_bucket", a, &bound);
	put_count(e, n);
	put(e, "\n");
}

/* ---- families of calls --------------------------------------------------------------------------- */

static void counters(emitter *e)
{
	static const struct {
		const char *name;
		const char *help;
		int cell;
	} all[] = {
		{ "scoreline_calls", "Scoring calls, failed ones too.", DEPLOY_CELL_CALLS },
		{ "scoreline_rows", "Rows of calls that succeeded.", DEPLOY_CELL_ROWS },
		{ "scoreline_shadow_calls", "Calls whose answers nobody received.", DEPLOY_CELL_SHADOW },
		{ "scoreline_sampled_rows", "Rows whose features were looked at.", DEPLOY_CELL_SAMPLED },
		{ "scoreline_unscored_rows", "Rows whose values were of another output than the score histogram.",
			DEPLOY_CELL_UNSCORED },
	};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		family(e, all[i].name, "counter", all[i].help);
		for (size_t k = 0; k < e->n; k++)
			count_sample(e, e->snapshots[k], all[i].name, "_total", no_label, e->snapshots[k]->cells[all[i].cell]);
	}
}

static void errors(emitter *e)
{
	family(e, "scoreline_errors", "counter", "Calls that failed, by status.");
	for (size_t k = 0; k < e->n; k++) {
		const uint64_t *cells = e->snapshots[k]->cells + DEPLOY_CELL_ERRORS;
		for (int code = SCORE_ERR_ARGUMENT; code < DEPLOY_ERROR_CODES; code++) {
			const label a = { "code", code < DEPLOY_ERROR_CODES - 1 ? score_status_name(code) : "other" };
			if (code <= SCORE_ERR_VERIFY || code == DEPLOY_ERROR_CODES - 1)
				count_sample(e, e->snapshots[k], "scoreline_errors", "_total", a, cells[code]);
		}
	}
}

/* Bounds are powers of two nanoseconds, where buckets end: the counts are exact. */
static void durations(emitter *e)
{
	static const char name[] = "scoreline_batch_duration_seconds";
	family(e, name, "histogram", "Duration of scoring calls.");
	for (size_t k = 0; k < e->n; k++) {
		const score_snapshot *s = e->snapshots[k];
		for (uint32_t exponent = 7; exponent <= 36; exponent++)
			bucket(e, s, name, no_label, ldexp(1, (int)exponent) * 1e-9, score_snapshot_latency_within(s, exponent));
		bucket(e, s, name, no_label, HUGE_VAL, s->cells[DEPLOY_CELL_CALLS]);
		sample(e, s, name, "_sum", no_label, NULL);
		put_number(e, (double)s->cells[DEPLOY_CELL_LATENCY_SUM] * 1e-9);
		put(e, "\n");
		count_sample(e, s, name, "_count", no_label, s->cells[DEPLOY_CELL_CALLS]);
	}
}

/* ---- histograms ---------------------------------------------------------------------------------- */

static score_histogram histogram_of(const score_snapshot *s, uint32_t i)
{
	score_histogram h = { .struct_size = sizeof h };
	score_status status = i < s->shape.n_features ? score_snapshot_feature(s, i, &h)
		: score_snapshot_score(s, i - s->shape.n_features, &h);
	(void)status; /* i is in range */
	return h;
}

static void histogram(emitter *e, const score_snapshot *s, const char *name, label a, const score_histogram *h, bool sums)
{
	uint64_t seen = 0;
	for (uint32_t k = 0; k < h->n_edges; k++)
		bucket(e, s, name, a, h->edges[k], seen += h->counts[k]);
	seen += h->counts[h->n_edges];
	bucket(e, s, name, a, HUGE_VAL, seen);
	/* OpenMetrics: no sum where bounds are negative, and no count without a sum. */
	if (!sums || (e->flags & SCORE_PROMETHEUS_OPENMETRICS && h->n_edges && h->edges[0] < 0))
		return;
	sample(e, s, name, "_sum", a, NULL);
	put_number(e, h->sum);
	put(e, "\n");
	count_sample(e, s, name, "_count", a, seen);
}

static void codes(emitter *e, const score_snapshot *s, const char *name, const char *key, const score_histogram *h)
{
	for (uint32_t k = 0; k < h->n_edges; k++) {
		char text[DEPLOY_NUMBER_TEXT];
		deploy_number_text(h->edges[k], text);
		count_sample(e, s, name, "_total", (label){ key, text }, h->counts[k]);
	}
	count_sample(e, s, name, "_total", (label){ key, "other" }, h->counts[h->n_edges]);
}

static bool any_type(const emitter *e, bool scores, score_feature_type type)
{
	for (size_t k = 0; k < e->n; k++) {
		const deploy_shape *shape = &e->snapshots[k]->shape;
		for (uint32_t i = scores ? shape->n_features : 0; i < (scores ? deploy_shape_histograms(shape) : shape->n_features); i++) {
			if (shape->histograms[i].type == type)
				return true;
		}
	}
	return false;
}

static void score_histograms(emitter *e)
{
	const bool classes = any_type(e, true, SCORE_FEATURE_CATEGORY);
	if (any_type(e, true, SCORE_FEATURE_NUMERIC))
		family(e, "scoreline_score", "histogram", "Scores.");
	for (int pass = 0; pass < 2; pass++) {
		if (pass == 1 && classes)
			family(e, "scoreline_class", "counter", "Rows by class.");
		for (size_t k = 0; k < e->n; k++) {
			const score_snapshot *s = e->snapshots[k];
			for (uint32_t i = s->shape.n_features; i < deploy_shape_histograms(&s->shape); i++) {
				const score_histogram h = histogram_of(s, i);
				const label a = { s->shape.n_scores > 1 ? "output" : NULL, h.name };
				if (pass == 0 && h.type == SCORE_FEATURE_NUMERIC)
					histogram(e, s, "scoreline_score", a, &h, true);
				else if (pass == 1 && h.type == SCORE_FEATURE_CATEGORY)
					codes(e, s, "scoreline_class", "class", &h);
			}
		}
	}
}

/* ---- families of features ------------------------------------------------------------------------ */

static void feature_counts(emitter *e)
{
	for (int unknown = 0; unknown < 2; unknown++) {
		const char *name = unknown ? "scoreline_unknown_categories" : "scoreline_missing";
		if (unknown && !any_type(e, false, SCORE_FEATURE_CATEGORY))
			return;
		family(e, name, "counter", unknown ? "Sampled rows with a category that the model does not know, by feature."
			: "Sampled rows without a value, by feature.");
		for (size_t k = 0; k < e->n; k++) {
			for (uint32_t i = 0; i < e->snapshots[k]->shape.n_features; i++) {
				const score_histogram h = histogram_of(e->snapshots[k], i);
				if (!unknown || h.type == SCORE_FEATURE_CATEGORY)
					count_sample(e, e->snapshots[k], name, "_total", (label){ "feature", h.name },
						unknown ? h.unknown : h.missing);
			}
		}
	}
}

static void feature_bins(emitter *e)
{
	if (any_type(e, false, SCORE_FEATURE_NUMERIC))
		family(e, "scoreline_feature", "histogram", "Values of sampled rows, by feature.");
	for (size_t k = 0; k < e->n; k++) {
		for (uint32_t i = 0; i < e->snapshots[k]->shape.n_features; i++) {
			const score_histogram h = histogram_of(e->snapshots[k], i);
			if (h.type == SCORE_FEATURE_NUMERIC)
				histogram(e, e->snapshots[k], "scoreline_feature", (label){ "feature", h.name }, &h, false);
		}
	}
}

static bool any_reference(const emitter *e)
{
	for (size_t k = 0; k < e->n; k++) {
		if (e->snapshots[k]->shape.expected_rows)
			return true;
	}
	return false;
}

static double measure_of(const score_drift *d, int which)
{
	return which == 0 ? d->psi : which == 1 ? d->js_distance : d->ks_statistic;
}

static void drift(emitter *e, bool scores)
{
	static const char *const names[2][3] = {
		{ "scoreline_drift_psi", "scoreline_drift_js_distance", "scoreline_drift_ks_statistic" },
		{ "scoreline_score_drift_psi", "scoreline_score_drift_js_distance", "scoreline_score_drift_ks_statistic" } };
	static const char *const help[] = { "Population stability index against the training data.",
		"Jensen-Shannon distance (base 2) from the training data.",
		"Kolmogorov-Smirnov statistic against the training data." };
	for (int which = 0; which < 3; which++) {
		family(e, names[scores][which], "gauge", help[which]);
		for (size_t k = 0; k < e->n; k++) {
			const deploy_shape *shape = &e->snapshots[k]->shape;
			const uint32_t end = scores ? deploy_shape_histograms(shape) : shape->n_features;
			for (uint32_t i = scores ? shape->n_features : 0; i < end; i++) {
				const score_histogram h = histogram_of(e->snapshots[k], i);
				score_drift d = { .struct_size = sizeof d };
				if (score_drift_of(&h, &d, NULL) != SCORE_OK || isnan(measure_of(&d, which)))
					continue;
				sample(e, e->snapshots[k], names[scores][which], "", (label){ scores ? "output" : "feature", h.name }, NULL);
				put_number(e, measure_of(&d, which));
				put(e, "\n");
			}
		}
	}
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static score_status take_options(const score_snapshot *const *snapshots, size_t n,
	const score_prometheus_options *given, score_prometheus_options *o, score_error *error)
{
	score_status status = sl_take_struct(o, sizeof *o, given, "score_prometheus_options", error);
	if (status != SCORE_OK)
		return status;
	if (o->flags & ~(SCORE_PROMETHEUS_OPENMETRICS | SCORE_PROMETHEUS_NO_FEATURES | SCORE_PROMETHEUS_FEATURE_BINS))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_prometheus_options.flags has unknown bits: 0x%x", o->flags);
	if (n && !snapshots)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_prometheus_write: snapshots is NULL");
	for (size_t i = 0; i < n; i++) {
		if (!snapshots[i])
			return sl_fail(error, SCORE_ERR_ARGUMENT, "score_prometheus_write: snapshot %zu is NULL", i);
	}
	return SCORE_OK;
}

static bool same_labels(const score_snapshot *a, const score_snapshot *b)
{
	for (int i = 0; i < 4; i++) {
		if (strcmp(a->shape.labels[i], b->shape.labels[i]) != 0)
			return false;
	}
	return true;
}

/* Two samples of one name and one set of labels make a scraper refuse the whole text. */
static score_status check_labels(const score_snapshot *const *snapshots, size_t n, score_error *error)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (same_labels(snapshots[i], snapshots[k]))
				return sl_fail(error, SCORE_ERR_ARGUMENT, "snapshots %zu and %zu have the same endpoint, served_name, entity_name "
					"and entity_version: merge them, or give them different ones", k, i);
		}
	}
	return SCORE_OK;
}

score_status score_prometheus_write(const score_snapshot *const *snapshots, size_t n,
	const score_prometheus_options *options, score_sink sink, void *context, score_error *error)
{
	score_prometheus_options o;
	emitter e = { snapshots, n, 0, sink, context, false, 0, { 0 } };
	sl_error_clear(error);
	score_status status = take_options(snapshots, n, options, &o, error);
	if (status == SCORE_OK && !sink)
		status = sl_fail(error, SCORE_ERR_ARGUMENT, "score_prometheus_write: sink is NULL");
	if (status == SCORE_OK)
		status = check_labels(snapshots, n, error);
	if (status != SCORE_OK)
		return status;
	e.flags = o.flags;
	counters(&e);
	errors(&e);
	durations(&e);
	score_histograms(&e);
	if (any_reference(&e))
		drift(&e, true);
	if (!(e.flags & SCORE_PROMETHEUS_NO_FEATURES)) {
		feature_counts(&e);
		if (any_reference(&e))
			drift(&e, false);
		if (e.flags & SCORE_PROMETHEUS_FEATURE_BINS)
			feature_bins(&e);
	}
	if (e.flags & SCORE_PROMETHEUS_OPENMETRICS)
		put(&e, "# EOF\n");
	flush(&e);
	return e.stopped ? sl_fail(error, SCORE_ERR_IO, "the sink did not take all of the metrics") : SCORE_OK;
}

typedef struct text_buffer {
	char *out;
	size_t size;
	size_t length;
} text_buffer;

static int append(void *context, const char *text, size_t length)
{
	text_buffer *b = context;
	if (b->length < b->size)
		memcpy(b->out + b->length, text, length < b->size - b->length ? length : b->size - b->length);
	b->length += length;
	return 0;
}

score_status score_prometheus_text(const score_snapshot *const *snapshots, size_t n,
	const score_prometheus_options *options, char *out, size_t size, size_t *needed, score_error *error)
{
	text_buffer b = { out, size, 0 };
	sl_error_clear(error);
	if (!out && size)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_prometheus_text: out is NULL");
	score_status status = score_prometheus_write(snapshots, n, options, append, &b, error);
	if (needed)
		*needed = status == SCORE_OK ? b.length : 0;
	if (status != SCORE_OK || size == 0)
		return status;
	out[b.length < size ? b.length : size - 1] = '\0';
	if (b.length < size)
		return SCORE_OK;
	return sl_fail(error, SCORE_ERR_LIMIT, "the metrics have %zu bytes and a final zero, the buffer has room for %zu", b.length,
		size);
}
