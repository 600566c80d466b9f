/*
 * scoreline export: a model as source code of another language.
 */
#include "cli.h"

#include <scoreline/export.h>

#include <getopt.h>
#include <string.h>

enum { OPTION_JS = 256, OPTION_OUTPUT };

typedef struct export_job {
	const char *in_path;
	const char *out_path;
	score_export_options options;
	bool help;
} export_job;

static int parse_options(int argc, char **argv, export_job *job)
{
	static const struct option options[] = {
		{ "js", required_argument, NULL, OPTION_JS }, { "out", required_argument, NULL, 'o' },
		{ "output", required_argument, NULL, OPTION_OUTPUT }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }
	};
	int c;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
		if (c == 'h') {
			job->help = true;
			return CLI_OK;
		}
		if (c == 'o') {
			job->out_path = optarg;
		} else if (c == OPTION_JS) {
			job->options.name = optarg;
		} else if (c == OPTION_OUTPUT && strcmp(optarg, "margin") == 0) {
			job->options.output = SCORE_OUTPUT_MARGIN;
		} else if (c == OPTION_OUTPUT && strcmp(optarg, "prediction") == 0) {
			job->options.output = SCORE_OUTPUT_PREDICTION;
		} else if (c == OPTION_OUTPUT) {
			cli_quoted word = cli_quote(optarg, strlen(optarg), 40);
			return cli_usage("export", "--output: expected prediction or margin, found \"%s\"", word.text);
		} else {
			return cli_bad_option("export", c, argv);
		}
	}
	if (argc - optind != 1)
		return cli_usage("export", "expected one FILE, found %d", argc - optind);
	job->in_path = argv[optind];
	if (job->options.name == NULL)
		return cli_usage("export", "expected the language and what the function is called there: --js NAME");
	return cli_check_overwrite("export", job->out_path, job->in_path);
}

static int write_code(const export_job *job, const cli_model *m)
{
	score_error error;
	cli_output output;
	void *text = NULL;
	size_t size = 0;
	int code;
	if (score_model_export_js(m->model, &job->options, &text, &size, &error) != SCORE_OK)
		return cli_fail_library(job->in_path, &error, NULL);
	code = cli_output_open(job->out_path, &output);
	if (code == CLI_OK) {
		code = cli_output_write(&output, text, size);
		if (code == CLI_OK)
			code = cli_output_commit(&output);
		cli_output_close(&output);
	}
	score_model_free_bytes(m->model, text, size);
	return code;
}

int cli_export(int argc, char **argv)
{
	const cli_model_options model_options = CLI_MODEL_OPTIONS_INIT;
	export_job job = { NULL, NULL, SCORE_EXPORT_OPTIONS_INIT, false };
	cli_model m;
	int code = parse_options(argc, argv, &job);
	if (code == CLI_OK && job.help) {
		fputs(cli_help("export"), stdout);
		return cli_flush_stdout();
	}
	if (code == CLI_OK)
		code = cli_model_open(job.in_path, &model_options, &m);
	if (code != CLI_OK)
		return code;
	code = write_code(&job, &m);
	cli_model_close(&m);
	return code;
}
