/*
 * The part of a report that says how far the rows are from the training data: a table per version, the largest drift first.
 */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct line {
	score_histogram histogram;
	score_drift drift;
	bool is_score;
} line;

static int compare_lines(const void *a, const void *b)
{
	const line *x = a, *y = b;
	const double p = isnan(x->drift.psi) ? -1 : x->drift.psi, q = isnan(y->drift.psi) ? -1 : y->drift.psi;
	if (x->is_score != y->is_score)
		return x->is_score ? -1 : 1;
	return (p < q) - (p > q);
}

static line *lines_of(const score_snapshot *snapshot, size_t *n)
{
	score_snapshot_info info = { .struct_size = sizeof info };
	line *lines;
	*n = 0;
	if (score_snapshot_get_info(snapshot, &info) != SCORE_OK)
		return NULL;
	lines = calloc((size_t)info.n_features + info.n_scores + 1, sizeof *lines);
	for (uint32_t i = 0; lines != NULL && i < info.n_features + info.n_scores; i++) {
		line *one = lines + *n;
		one->histogram.struct_size = sizeof one->histogram;
		one->drift.struct_size = sizeof one->drift;
		one->is_score = i < info.n_scores;
		if ((one->is_score ? score_snapshot_score(snapshot, i, &one->histogram)
				: score_snapshot_feature(snapshot, i - info.n_scores, &one->histogram)) == SCORE_OK &&
			score_drift_of(&one->histogram, &one->drift, NULL) == SCORE_OK)
			++*n;
	}
	if (lines != NULL)
		qsort(lines, *n, sizeof *lines, compare_lines);
	return lines;
}

/* The level in words and by a sign: colour alone tells nothing to many. */
static void put_level(report_html *h, score_drift_level level)
{
	static const char *const signs[] = { "?", "●", "▲", "■" };
	html_printf(h, "<span class=\"level %s\">%s %s</span>", score_drift_level_name(level), signs[level],
		score_drift_level_name(level));
}

static double rate_of(uint64_t n, const line *one)
{
	uint64_t all = one->histogram.missing + one->histogram.unknown;
	for (uint32_t k = 0; k <= one->histogram.n_edges; k++)
		all += one->histogram.counts[k];
	return all > 0 ? (double)n / (double)all : (double)NAN;
}

static void put_psi(report_html *h, double psi)
{
	if (isnan(psi)) {
		html_put(h, "–");
		return;
	}
	/* The bar ends at 0.5; the marks stand at 0.1 and 0.25. */
	html_printf(h, "<span class=\"psi\" aria-hidden=\"true\"><i style=\"width:%.1f%%\"></i></span>%.4f",
		100 * (psi < 0.5 ? psi : 0.5) / 0.5, psi);
}

static void put_line(report_html *h, const line *one)
{
	const score_histogram *g = &one->histogram;
	const score_drift *d = &one->drift;
	html_put(h, "<tr><th scope=\"row\"><details><summary>");
	if (one->is_score)
		html_put(h, "score: ");
	html_text(h, g->name);
	html_put(h, "</summary>");
	html_histogram(h, g, g->expected != NULL ? "Shares per bin, beside those of the training data" : "Shares per bin");
	html_put(h, "</details></th><td>");
	put_level(h, d->level);
	html_put(h, "</td><td class=\"n\">");
	put_psi(h, d->psi);
	html_put(h, "</td><td class=\"n\">");
	html_number(h, d->js_distance);
	html_put(h, "</td><td class=\"n\">");
	html_number(h, d->ks_statistic);
	html_put(h, "</td><td class=\"n\">");
	html_number(h, g->type == SCORE_FEATURE_CATEGORY ? d->chi2_p_value : d->ks_p_value);
	html_put(h, "</td><td class=\"n\">");
	html_share(h, rate_of(g->missing, one));
	if (!isnan(d->missing_change))
		html_printf(h, " <small>(%+.2f)</small>", 100 * d->missing_change);
	html_put(h, "</td><td class=\"n\">");
	if (g->type == SCORE_FEATURE_CATEGORY)
		html_share(h, rate_of(g->unknown, one));
	else
		html_put(h, "–");
	html_put(h, "</td></tr>\n");
}

static void put_version(report_html *h, const report_version *v)
{
	score_snapshot_info info = { .struct_size = sizeof info };
	size_t n, levels[4] = { 0 };
	line *lines = lines_of(v->snapshot, &n);
	if (lines == NULL || score_snapshot_get_info(v->snapshot, &info) != SCORE_OK) {
		free(lines);
		h->code = h->code == CLI_OK ? cli_fail_memory("report") : h->code;
		return;
	}
	for (size_t i = 0; i < n; i++)
		levels[lines[i].drift.level] += !lines[i].is_score;
	html_put(h, "<h3>");
	report_name(h, v);
	html_printf(h, "</h3>\n<p>Features: %zu shifted, %zu moderate, %zu stable, %zu unknown. ", levels[SCORE_DRIFT_SHIFTED],
		levels[SCORE_DRIFT_MODERATE], levels[SCORE_DRIFT_STABLE], levels[SCORE_DRIFT_UNKNOWN]);
	html_count(h, info.sampled_rows);
	html_put(h, " rows were looked at");
	if (info.expected_rows > 0) {
		html_put(h, ", the reference has ");
		html_count(h, info.expected_rows);
	}
	html_put(h, ". A name opens its histogram.</p>\n<div class=\"wide\"><table class=\"drift\"><thead><tr><th scope=\"col\">"
		"feature</th><th scope=\"col\">reading</th><th scope=\"col\">PSI</th><th scope=\"col\">JS distance</th>"
		"<th scope=\"col\">KS</th><th scope=\"col\">p</th><th scope=\"col\">missing (change)</th><th scope=\"col\">"
		"unknown</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < n; i++)
		put_line(h, lines + i);
	html_put(h, "</tbody></table></div>\n");
	free(lines);
}

void report_drift_section(report_html *h, const report *r)
{
	html_put(h, "<section id=\"drift\"><h2>Drift from the training data</h2>\n<p>Population stability index: stable below 0.1, "
		"moderate below 0.25, shifted from 0.25 on. Scores come first, then features, the largest drift first. "
		"p is that of Kolmogorov and Smirnov's test, of categories the chi-squared test's; on many rows it is small even "
		"where nothing of weight has changed.</p>\n<p class=\"key\"><span class=\"swatch bar\"></span> scored "
		"<span class=\"swatch expected\"></span> training data</p>\n");
	for (size_t i = 0; i < r->n_versions; i++)
		put_version(h, r->versions + i);
	html_put(h, "</section>\n");
}
