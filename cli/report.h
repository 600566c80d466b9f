/*
 * What the files of `scoreline report` share: what was gathered, and how it is written as a page.
 *
 * Comes in: statistics files and capture logs. Goes out: snapshots, one per served version, and an HTML page of them.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli.h"

#include <scoreline/log.h>
#include <scoreline/statistics.h>

/* One version of one model behind one endpoint. */
typedef struct report_version {
	char *labels[4]; /* endpoint, served name, model, version; "" where unknown */
	uint8_t model_hash[16];
	score_model *model;            /* logs only: the user's, or one that stands in for it */
	bool model_owned;
	score_statistics *statistics;  /* logs only, until everything is read                 */
	score_snapshot *snapshot;
	uint64_t kept_calls;           /* logs only                                           */
	double least_fraction;         /* sampling fractions seen in the log                  */
	double most_fraction;
} report_version;

typedef struct report {
	const char *out_path; /* of the page, which must be none of the sources */
	report_version *versions;
	size_t n_versions;
	char **notes; /* what a reader must know: torn segments, versions without a reference */
	size_t n_notes;
	cli_model *models; /* of --model */
	size_t n_models;
	char *corrupt_path; /* of the first segment that holds bytes which are no record, or NULL */
	score_error corruption;
	uint64_t n_logs;
	uint64_t n_files;
} report;

/* Read one argument: a statistics file, a segment file, or a directory of segments. */
int report_add_source(report *r, const char *path);
int report_add_log(report *r, const char *path);
/* A new entry whose labels are copies; NULL after a message. */
report_version *report_new_version(report *r, const char *const labels[4], const uint8_t model_hash[16]);
int report_add_note(report *r, const char *format, ...) CLI_PRINTF(2, 3);
/* Turn what was counted from logs into snapshots. */
int report_finish(report *r);
void report_free(report *r);

/* ---- the page ------------------------------------------------------------------------------------ */

/* Text that goes into the page; the first failed write is kept. */
typedef struct report_html {
	cli_output *output;
	int code;
} report_html;

void html_put(report_html *h, const char *text);
/* Markup made by this program: what is formatted must need no escaping. */
void html_printf(report_html *h, const char *format, ...) CLI_PRINTF(2, 3);
/* Untrusted text: escaped, without control characters. */
void html_text(report_html *h, const char *text);
/* "12,345" */
void html_count(report_html *h, uint64_t n);
/* A duration in ns, with a unit that suits it; a dash for NaN. */
void html_duration(report_html *h, double ns);
/* A share as a percentage; a dash for NaN. */
void html_share(report_html *h, double share);
void html_number(report_html *h, double value);

/* Bars of shares per bin, with the expected shares as outlines beside them. `label` says what it shows, to those who hear it. */
void html_histogram(report_html *h, const score_histogram *histogram, const char *label);
/* The latency below which calls stayed, over their share. */
void html_latency_curve(report_html *h, const score_snapshot *snapshot);

void report_style(report_html *h);
/* "fraud 3 (served-a)" */
void report_name(report_html *h, const report_version *v);
void report_drift_section(report_html *h, const report *r);
int report_write(const report *r, const char *title, cli_output *output);

#endif
