/*
 * scoreline report: what was scored, as one page for a browser.
 */
#include "report.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

typedef struct report_arguments {
	const char *out;
	const char *title;
	report gathered;
} report_arguments;

static int add_model(report *r, const char *path)
{
	const cli_model_options options = { SCORE_ISA_AUTO, 0, 0, SCORE_ONNX_SPECIFICATION, NULL };
	cli_model *grown = realloc(r->models, (r->n_models + 1) * sizeof *grown);
	int code;
	if (grown == NULL)
		return cli_fail_memory(path);
	r->models = grown;
	code = cli_model_open(path, &options, r->models + r->n_models);
	if (code == CLI_OK)
		r->n_models++;
	return code;
}

/* CLI_OK and *done: help was printed. */
static int parse(int argc, char **argv, report_arguments *a, bool *done)
{
	static const struct option options[] = { { "out", required_argument, NULL, 'o' },
		{ "model", required_argument, NULL, 'm' }, { "title", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	int c, code;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:m:t:h", options, NULL)) != -1) {
		switch (c) {
		case 'o': a->out = optarg; break;
		case 't': a->title = optarg; break;
		case 'm':
			code = add_model(&a->gathered, optarg);
			if (code != CLI_OK)
				return code;
			break;
		case 'h':
			*done = true;
			fputs(cli_help("report"), stdout);
			return cli_flush_stdout();
		default: return cli_bad_option("report", c, argv);
		}
	}
	if (optind == argc)
		return cli_usage("report", "expected statistics files, log segments or directories of them, found none");
	if (a->out == NULL)
		return cli_usage("report", "expected -o FILE.html");
	return CLI_OK;
}

static int write_page(const report_arguments *a)
{
	cli_output output;
	int code = cli_output_open(a->out, &output);
	if (code != CLI_OK)
		return code;
	code = report_write(&a->gathered, a->title, &output);
	if (code == CLI_OK)
		code = cli_output_commit(&output);
	cli_output_close(&output);
	return code;
}

int cli_report(int argc, char **argv)
{
	report_arguments a = { NULL, "Scoring report", { 0 } };
	bool done = false;
	int code = parse(argc, argv, &a, &done);
	for (int i = optind; code == CLI_OK && !done && i < argc; i++)
		code = report_add_source(&a.gathered, argv[i]);
	if (code == CLI_OK && !done && a.gathered.n_versions == 0)
		code = cli_fail(argv[optind], "holds no calls: there is nothing to report");
	if (code == CLI_OK && !done)
		code = report_finish(&a.gathered);
	if (code == CLI_OK && !done)
		code = write_page(&a);
	report_free(&a.gathered);
	return code;
}
