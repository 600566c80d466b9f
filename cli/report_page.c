/*
 * A report as one HTML page that needs nothing else: no scripts, no fonts, no network.
 */
#include "report.h"

#include <math.h>
#include <string.h>
#include <time.h>

void report_style(report_html *h)
{
	html_put(h, "<style>\n:root{color-scheme:light dark;--page:#fff;--text:#1b1f24;--soft:#57606a;--line:#d0d7de;--fill:#f6f8fa;"
		"--bar:#4078c0;--expected:#b35900;--good:#116329;--warn:#7d4e00;--bad:#a40e26}\n"
		"@media(prefers-color-scheme:dark){:root{--page:#0d1117;--text:#e6edf3;--soft:#9aa4af;--line:#30363d;--fill:#161b22;"
		"--bar:#6ea8fe;--expected:#f0a35e;--good:#56d364;--warn:#e3b341;--bad:#ff7b72}}\n"
		"body{margin:0 auto;max-width:72rem;padding:1.5rem;background:var(--page);color:var(--text);"
		"font:16px/1.5 system-ui,sans-serif}\n"
		"h1{font-size:1.7rem;margin:0}h2{margin:2rem 0 .5rem;font-size:1.3rem}h3{margin:1.2rem 0 .3rem;font-size:1.05rem}\n"
		"p{margin:.4rem 0}.soft,small{color:var(--soft)}.wide{overflow-x:auto}\n"
		"table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
		"th,td{border-bottom:1px solid var(--line);padding:.35rem .6rem;text-align:left;vertical-align:top}\n"
		"thead th{background:var(--fill)}td.n,thead th.n{text-align:right;white-space:nowrap}tbody th{font-weight:500}\n");
	html_put(h, "summary{cursor:pointer}.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1.2rem}\n"
		"figure{margin:0;padding:.8rem;border:1px solid var(--line);border-radius:6px}figcaption{font-weight:500}\n"
		"svg{display:block;width:100%;max-width:40rem;height:auto;font:11px system-ui,sans-serif}svg text{fill:var(--soft)}\n"
		".grid{stroke:var(--line)}svg .bar,.swatch.bar{fill:var(--bar);background:var(--bar)}\n"
		"svg .expected{fill:none;stroke:var(--expected);stroke-width:1.6}.curve{fill:none;stroke:var(--bar);stroke-width:2}\n"
		".swatch{display:inline-block;width:1em;height:.8em;margin:0 .2em 0 .8em}.swatch.expected{border:2px solid "
		"var(--expected);box-sizing:border-box}\n"
		".level{white-space:nowrap}.stable{color:var(--good)}.moderate{color:var(--warn)}.shifted{color:var(--bad);"
		"font-weight:600}.unknown{color:var(--soft)}\n"
		".psi{display:inline-block;width:6rem;height:.7em;margin-right:.6em;background:linear-gradient(90deg,transparent "
		"calc(20% - 1px),var(--soft) calc(20% - 1px) 20%,transparent 20% calc(50% - 1px),var(--soft) calc(50% - 1px) 50%,"
		"transparent 50%),var(--line)}.psi i{display:block;height:100%;background:var(--bar);opacity:.75}\n"
		".drift svg{width:26rem;max-width:none}.drift thead th:nth-child(n+4){text-align:right}\n</style>\n");
}

void report_name(report_html *h, const report_version *v)
{
	html_text(h, v->labels[2][0] ? v->labels[2] : "model");
	if (v->labels[3][0]) {
		html_put(h, " ");
		html_text(h, v->labels[3]);
	}
	if (v->labels[1][0]) {
		html_put(h, " (");
		html_text(h, v->labels[1]);
		html_put(h, ")");
	}
	if (v->labels[0][0]) {
		html_put(h, " at ");
		html_text(h, v->labels[0]);
	}
}

static score_snapshot_info info_of(const report_version *v)
{
	score_snapshot_info info = { .struct_size = sizeof info };
	if (score_snapshot_get_info(v->snapshot, &info) != SCORE_OK)
		memset(&info, 0, sizeof info);
	return info;
}

static void put_time(report_html *h, int64_t unix_ns)
{
	const time_t seconds = (time_t)(unix_ns / 1000000000);
	struct tm utc;
	char text[40];
	if (unix_ns <= 0 || gmtime_r(&seconds, &utc) == NULL || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc) == 0) {
		html_put(h, "–");
		return;
	}
	html_put(h, text);
}

static void put_head(report_html *h, const report *r, const char *title)
{
	int64_t first = 0, last = 0;
	for (size_t i = 0; i < r->n_versions; i++) {
		const score_snapshot_info info = info_of(r->versions + i);
		first = info.first_unix_ns > 0 && (first == 0 || info.first_unix_ns < first) ? info.first_unix_ns : first;
		last = info.last_unix_ns > last ? info.last_unix_ns : last;
	}
	html_put(h, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>");
	html_text(h, title);
	html_put(h, "</title>\n");
	report_style(h);
	html_put(h, "</head><body>\n<header><h1>");
	html_text(h, title);
	html_put(h, "</h1>\n<p class=\"soft\">");
	put_time(h, first);
	html_put(h, " to ");
	put_time(h, last);
	html_printf(h, "; from %llu statistics file%s and %llu log%s</p></header>\n<main>\n", (unsigned long long)r->n_files,
		r->n_files == 1 ? "" : "s", (unsigned long long)r->n_logs, r->n_logs == 1 ? "" : "s");
}

/* ---- versions side by side ----------------------------------------------------------------------- */

typedef enum row { ROWS, CALLS, ERRORS, SHADOW, SAMPLED, MEAN, P50, P90, P99, P999, SLOWEST, FRACTION, HASH, N_ROWS } row;

static double mean_score(const report_version *v)
{
	score_histogram g = { .struct_size = sizeof g };
	uint64_t n = 0;
	if (score_snapshot_score(v->snapshot, 0, &g) != SCORE_OK || g.type == SCORE_FEATURE_CATEGORY)
		return (double)NAN;
	for (uint32_t k = 0; k <= g.n_edges; k++)
		n += g.counts[k];
	return n > 0 ? g.sum / (double)n : (double)NAN;
}

static void put_fraction(report_html *h, const report_version *v)
{
	if (v->least_fraction <= 0)
		html_put(h, "–");
	else if (v->least_fraction < v->most_fraction)
		html_printf(h, "%.3g to %.3g %%", 100 * v->least_fraction, 100 * v->most_fraction);
	else
		html_printf(h, "%.3g %%", 100 * v->most_fraction);
}

static void put_hash(report_html *h, const uint8_t hash[16])
{
	html_put(h, "<code>");
	for (int i = 0; i < 4; i++)
		html_printf(h, "%02x", hash[i]);
	html_put(h, "…</code>");
}

static void put_cell(report_html *h, const report_version *v, row which)
{
	static const double shares[] = { [P50] = 0.5, [P90] = 0.9, [P99] = 0.99, [P999] = 0.999, [SLOWEST] = 1 };
	const score_snapshot_info info = info_of(v);
	switch (which) {
	case ROWS: html_count(h, info.rows); break;
	case CALLS: html_count(h, info.calls); break;
	case ERRORS:
		html_count(h, info.errors);
		if (info.calls > 0)
			html_printf(h, " <small>(%.3g %%)</small>", 100 * (double)info.errors / (double)info.calls);
		break;
	case SHADOW: html_count(h, info.shadow_calls); break;
	case SAMPLED: html_count(h, info.sampled_rows); break;
	case MEAN: html_number(h, mean_score(v)); break;
	case FRACTION: put_fraction(h, v); break;
	case HASH: put_hash(h, info.model_hash); break;
	default: html_duration(h, score_snapshot_latency(v->snapshot, shares[which]));
	}
}

static void put_versions(report_html *h, const report *r)
{
	static const char *const names[N_ROWS] = { "rows", "calls", "failed calls", "shadow calls", "rows looked at", "mean score",
		"latency, half of the calls", "latency, 90 %", "latency, 99 %", "latency, 99.9 %", "slowest call", "share of calls logged",
		"model" };
	html_put(h, "<section id=\"versions\"><h2>Versions</h2>\n<div class=\"wide\"><table><thead><tr><td></td>");
	for (size_t i = 0; i < r->n_versions; i++) {
		html_put(h, "<th scope=\"col\" class=\"n\">");
		report_name(h, r->versions + i);
		html_put(h, "</th>");
	}
	html_put(h, "</tr></thead><tbody>\n");
	for (int which = 0; which < N_ROWS; which++) {
		html_printf(h, "<tr><th scope=\"row\">%s</th>", names[which]);
		for (size_t i = 0; i < r->n_versions; i++) {
			html_put(h, "<td class=\"n\">");
			put_cell(h, r->versions + i, (row)which);
			html_put(h, "</td>");
		}
		html_put(h, "</tr>\n");
	}
	html_put(h, "</tbody></table></div></section>\n");
}

/* ---- charts and the rest ------------------------------------------------------------------------- */

static void put_figure(report_html *h, const report_version *v, const char *what)
{
	html_put(h, "<figure><figcaption>");
	report_name(h, v);
	html_put(h, ": ");
	html_text(h, what);
	html_put(h, "</figcaption>");
}

static void put_scores(report_html *h, const report *r)
{
	html_put(h, "<section id=\"scores\"><h2>Scores</h2>\n<p class=\"key\">Shares of rows per bin. <span class=\"swatch bar\">"
		"</span> scored <span class=\"swatch expected\"></span> training data</p>\n<div class=\"charts\">\n");
	for (size_t i = 0; i < r->n_versions; i++) {
		score_histogram g = { .struct_size = sizeof g };
		for (uint32_t k = 0; score_snapshot_score(r->versions[i].snapshot, k, &g) == SCORE_OK; k++) {
			put_figure(h, r->versions + i, g.name);
			html_histogram(h, &g, "Shares of scores per bin");
			html_put(h, "</figure>\n");
		}
	}
	html_put(h, "</div></section>\n");
}

static void put_latencies(report_html *h, const report *r)
{
	html_put(h, "<section id=\"latency\"><h2>Latency of calls</h2>\n<p>How long the fastest share of the calls stayed below, "
		"within 1 %.</p>\n<div class=\"charts\">\n");
	for (size_t i = 0; i < r->n_versions; i++) {
		put_figure(h, r->versions + i, "latency");
		html_latency_curve(h, r->versions[i].snapshot);
		html_put(h, "</figure>\n");
	}
	html_put(h, "</div></section>\n");
}

static void put_errors(report_html *h, const report *r)
{
	bool any = false;
	for (size_t i = 0; i < r->n_versions; i++)
		any = any || info_of(r->versions + i).errors > 0;
	if (!any)
		return;
	html_put(h, "<section id=\"errors\"><h2>Failed calls</h2>\n<table><thead><tr><th scope=\"col\">version</th><th scope=\"col\">"
		"status</th><th scope=\"col\" class=\"n\">calls</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < r->n_versions; i++) {
		for (score_status status = -1; status < 15; status++) {
			const uint64_t n = score_snapshot_errors(r->versions[i].snapshot, status);
			if (n == 0)
				continue;
			html_put(h, "<tr><th scope=\"row\">");
			report_name(h, r->versions + i);
			html_printf(h, "</th><td>%s</td><td class=\"n\">", status < 0 ? "other" : score_status_name(status));
			html_count(h, n);
			html_put(h, "</td></tr>\n");
		}
	}
	html_put(h, "</tbody></table></section>\n");
}

static void put_notes(report_html *h, const report *r)
{
	html_put(h, "<section id=\"notes\"><h2>Notes</h2>\n<ul>\n");
	for (size_t i = 0; i < r->n_notes; i++) {
		html_put(h, "<li>");
		html_text(h, r->notes[i]);
		html_put(h, "</li>\n");
	}
	html_put(h, "<li>Statistics files count every call and score; features are those of the rows looked at, a random sample. A "
		"log holds the calls that its sampling kept.</li>\n<li>Bins stand side by side with equal widths, whatever range of "
		"values they cover.</li>\n</ul></section>\n");
}

int report_write(const report *r, const char *title, cli_output *output)
{
	report_html h = { output, CLI_OK };
	put_head(&h, r, title);
	put_versions(&h, r);
	put_scores(&h, r);
	report_drift_section(&h, r);
	put_latencies(&h, r);
	put_errors(&h, r);
	put_notes(&h, r);
	html_printf(&h, "</main>\n<footer class=\"soft\">Scoreline %s</footer>\n</body></html>\n", score_version_string());
	return h.code;
}
