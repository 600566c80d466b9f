/*
 * scoreline report: what was scored, as one page for a browser.
 */
#include "report.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

typedef struct report_arguments {
	const char *title;
	const char **models; /* paths, borrowed from argv */
	size_t n_models;
	report gathered;
} report_arguments;

static int add_model(report *r, const char *path)
{
	const cli_model_options options = CLI_MODEL_OPTIONS_INIT;
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
	int c;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:m:t:h", options, NULL)) != -1) {
		switch (c) {
		case 'o': a->gathered.out_path = optarg; break;
		case 't': a->title = optarg; break;
		case 'm': a->models[a->n_models++] = optarg; break;
		case 'h':
			*done = true;
			fputs(cli_help("report"), stdout);
			return cli_flush_stdout();
		default: return cli_bad_option("report", c, argv);
		}
	}
	if (optind == argc)
		return cli_usage("report", "expected statistics files, log segments or directories of them, found none");
	if (a->gathered.out_path == NULL)
		return cli_usage("report", "expected -o FILE.html");
	return CLI_OK;
}

/* As for `scoreline log`: whoever acts on the page must know that it does not tell all. */
static int fail_corrupt(const report *r)
{
	return cli_fail_library(r->corrupt_path, &r->corruption, NULL);
}

static int gather(report_arguments *a, char **sources, int n)
{
	int code = CLI_OK;
	for (size_t i = 0; code == CLI_OK && i < a->n_models; i++) {
		code = cli_check_overwrite("report", a->gathered.out_path, a->models[i]);
		if (code == CLI_OK)
			code = add_model(&a->gathered, a->models[i]);
	}
	for (int i = 0; code == CLI_OK && i < n; i++)
		code = report_add_source(&a->gathered, sources[i]);
	if (code == CLI_OK && a->gathered.n_versions == 0 && a->gathered.corrupt_path != NULL)
		code = fail_corrupt(&a->gathered);
	if (code == CLI_OK && a->gathered.n_versions == 0)
		code = cli_fail(sources[0], "holds no calls: there is nothing to report");
	return code == CLI_OK ? report_finish(&a->gathered) : code;
}

static int write_page(const report_arguments *a)
{
	cli_output output;
	int code = cli_output_open(a->gathered.out_path, &output);
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
	report_arguments a = { "Scoring report", NULL, 0, { 0 } };
	bool done = false;
	int code = CLI_OK;
	/* More models than arguments there cannot be. */
	a.models = calloc((size_t)argc + 1, sizeof *a.models);
	if (a.models == NULL)
		code = cli_fail_memory("report");
	if (code == CLI_OK)
		code = parse(argc, argv, &a, &done);
	if (code == CLI_OK && !done)
		code = gather(&a, argv + optind, argc - optind);
	if (code == CLI_OK && !done)
		code = write_page(&a);
	if (code == CLI_OK && a.gathered.corrupt_path != NULL)
		code = fail_corrupt(&a.gathered);
	report_free(&a.gathered);
	free(a.models);
	return code;
}
