/*
 * Charts of a report as inline SVG, and its text.
 *
 * Colours are the page's CSS variables, so that charts follow light and dark. Every chart says in words what it shows.
 */
#include "report.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* ---- text ---------------------------------------------------------------------------------------- */

static void put_bytes(report_html *h, const char *text, size_t length)
{
	if (h->code == CLI_OK)
		h->code = cli_output_write(h->output, text, length);
}

void html_put(report_html *h, const char *text)
{
	put_bytes(h, text, strlen(text));
}

void html_printf(report_html *h, const char *format, ...)
{
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	html_put(h, text);
}

void html_text(report_html *h, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&': html_put(h, "&amp;"); break;
		case '<': html_put(h, "&lt;"); break;
		case '>': html_put(h, "&gt;"); break;
		case '"': html_put(h, "&quot;"); break;
		case '\'': html_put(h, "&#39;"); break;
		default: put_bytes(h, (unsigned char)*text < 0x20 || *text == 0x7f ? "?" : text, 1);
		}
	}
}

void html_count(report_html *h, uint64_t n)
{
	char digits[24];
	const int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			html_put(h, ",");
		put_bytes(h, digits + i, 1);
	}
}

void html_duration(report_html *h, double ns)
{
	static const char *const units[] = { "ns", "µs", "ms", "s" };
	int unit = 0;
	if (isnan(ns)) {
		html_put(h, "–");
		return;
	}
	for (; ns >= 1000 && unit < 3; unit++)
		ns /= 1000;
	html_printf(h, "%.3g %s", ns, units[unit]);
}

void html_share(report_html *h, double share)
{
	if (isnan(share))
		html_put(h, "–");
	else
		html_printf(h, "%.2f %%", 100 * share);
}

void html_number(report_html *h, double value)
{
	if (isnan(value))
		html_put(h, "–");
	else
		html_printf(h, "%.3g", value);
}

/* ---- histograms ---------------------------------------------------------------------------------- */

enum { WIDTH = 560, HEIGHT = 150, LEFT = 44, TOP = 8, BOTTOM = 46, MOST_BINS = SCORE_MAX_EDGES + 3 };

typedef struct bin {
	char name[64];
	double actual;
	double expected;
} bin;

static void name_bin(const score_histogram *h, uint32_t k, char *name, size_t size)
{
	if (h->type == SCORE_FEATURE_CATEGORY && k < h->n_edges)
		snprintf(name, size, "%.6g", h->edges[k]);
	else if (h->type == SCORE_FEATURE_CATEGORY)
		snprintf(name, size, "others");
	else if (h->n_edges == 0)
		snprintf(name, size, "all");
	else if (k == 0)
		snprintf(name, size, "up to %.4g", h->edges[0]);
	else if (k == h->n_edges)
		snprintf(name, size, "above %.4g", h->edges[k - 1]);
	else
		snprintf(name, size, "%.4g to %.4g", h->edges[k - 1], h->edges[k]);
}

/* Shares, values first, then missing and unknown where there are any. */
static uint32_t bins_of(const score_histogram *h, bin bins[MOST_BINS])
{
	double actual = (double)h->missing + (double)h->unknown, expected = (double)h->expected_missing + (double)h->expected_unknown;
	uint32_t n = 0;
	for (uint32_t k = 0; k <= h->n_edges; k++) {
		actual += (double)h->counts[k];
		expected += h->expected == NULL ? 0 : (double)h->expected[k];
	}
	actual = actual > 0 ? actual : 1;
	expected = expected > 0 ? expected : 1;
	for (uint32_t k = 0; k <= h->n_edges; k++, n++) {
		name_bin(h, k, bins[n].name, sizeof bins[n].name);
		bins[n].actual = (double)h->counts[k] / actual;
		bins[n].expected = h->expected == NULL ? 0 : (double)h->expected[k] / expected;
	}
	if (h->missing > 0 || h->expected_missing > 0)
		bins[n++] = (bin){ "missing", (double)h->missing / actual, (double)h->expected_missing / expected };
	if (h->unknown > 0 || h->expected_unknown > 0)
		bins[n++] = (bin){ "unknown", (double)h->unknown / actual, (double)h->expected_unknown / expected };
	return n;
}

static void put_axis(report_html *h, double most)
{
	for (int i = 0; i <= 2; i++) {
		const double y = TOP + HEIGHT * (1 - i / 2.0);
		html_printf(h, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" "
			"text-anchor=\"end\">%.3g %%</text>", LEFT, WIDTH, y, y, LEFT - 6, y + 4, 100 * most * i / 2);
	}
}

/* Bins of equal width: quantile bins would otherwise be needles beside plains. */
static void put_bars(report_html *h, const score_histogram *of, const bin *bins, uint32_t n, double most)
{
	const double step = (double)(WIDTH - LEFT) / n;
	for (uint32_t k = 0; k < n; k++) {
		const double x = LEFT + k * step, a = HEIGHT * bins[k].actual / most, e = HEIGHT * bins[k].expected / most;
		html_printf(h, "<g><title>%s: %.3g %%", bins[k].name, 100 * bins[k].actual);
		if (of->expected != NULL)
			html_printf(h, ", expected %.3g %%", 100 * bins[k].expected);
		html_printf(h, "</title><rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", x + step * 0.12,
			TOP + HEIGHT - a, step * 0.76, a);
		if (of->expected != NULL)
			html_printf(h, "<rect class=\"expected\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", x + step * 0.04,
				TOP + HEIGHT - e, step * 0.92, e);
		html_put(h, "</g>");
	}
}

static void put_bin_names(report_html *h, const score_histogram *of, const bin *bins, uint32_t n)
{
	const double step = (double)(WIDTH - LEFT) / n;
	for (uint32_t k = 0; k < n; k++) {
		/* Between bins stands their edge; categories and special bins have their name below them. */
		const bool edge = of->type == SCORE_FEATURE_NUMERIC && k < of->n_edges;
		const bool named = of->type == SCORE_FEATURE_CATEGORY || k > of->n_edges;
		const double x = LEFT + (edge ? k + 1.0 : k + 0.5) * step;
		if (!edge && !named)
			continue;
		html_printf(h, "<text class=\"tick\" transform=\"translate(%.1f %d) rotate(-40)\" text-anchor=\"end\">", x + 3,
			TOP + HEIGHT + 13);
		if (edge)
			html_printf(h, "%.3g</text>", of->edges[k]);
		else
			html_printf(h, "%s</text>", bins[k].name);
	}
}

void html_histogram(report_html *h, const score_histogram *histogram, const char *label)
{
	bin bins[MOST_BINS];
	const uint32_t n = bins_of(histogram, bins);
	double most = 1e-9;
	for (uint32_t k = 0; k < n; k++) {
		most = bins[k].actual > most ? bins[k].actual : most;
		most = bins[k].expected > most ? bins[k].expected : most;
	}
	html_printf(h, "<svg role=\"img\" viewBox=\"0 0 %d %d\" aria-label=\"", WIDTH + 4, TOP + HEIGHT + BOTTOM);
	html_text(h, label);
	html_put(h, "\">");
	put_axis(h, most);
	put_bars(h, histogram, bins, n, most);
	put_bin_names(h, histogram, bins, n);
	html_put(h, "</svg>");
}

/* ---- latency ------------------------------------------------------------------------------------- */

/* Shares of calls, one nine after the other, as latencies are usually promised. */
static double share_at(double position)
{
	return 1 - pow(10, -position);
}

void html_latency_curve(report_html *h, const score_snapshot *snapshot)
{
	static const struct {
		double position;
		const char *name;
	} ticks[] = { { 0, "0" }, { 0.30103, "50 %" }, { 1, "90 %" }, { 2, "99 %" }, { 3, "99.9 %" }, { 4, "99.99 %" } };
	const double least = score_snapshot_latency(snapshot, 0), most = score_snapshot_latency(snapshot, 1);
	if (isnan(least))
		return;
	const double low = floor(log10(least)), high = ceil(log10(most * 1.0001)), span = high > low ? high - low : 1;
	html_printf(h, "<svg role=\"img\" viewBox=\"0 0 %d %d\" aria-label=\"Latency by share of calls\">", WIDTH + 24,
		TOP + HEIGHT + BOTTOM);
	for (int i = 0; i <= span; i++) {
		const double y = TOP + HEIGHT * (1 - i / span);
		html_printf(h, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" "
			"text-anchor=\"end\">", LEFT + 6, WIDTH, y, y, LEFT, y + 4);
		html_duration(h, pow(10, low + i));
		html_put(h, "</text>");
	}
	for (size_t i = 0; i < sizeof ticks / sizeof ticks[0]; i++)
		html_printf(h, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>",
			LEFT + 6 + (WIDTH - LEFT - 6) * ticks[i].position / 4, TOP + HEIGHT + 18, ticks[i].name);
	html_put(h, "<polyline class=\"curve\" points=\"");
	for (int i = 0; i <= 80; i++) {
		const double latency = score_snapshot_latency(snapshot, share_at(i / 20.0));
		html_printf(h, "%.1f,%.1f ", LEFT + 6 + (WIDTH - LEFT - 6) * i / 80.0,
			TOP + HEIGHT * (1 - (log10(latency) - low) / span));
	}
	html_put(h, "\"/></svg>");
}
