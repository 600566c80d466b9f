/*
 * scoreline convert: another library's model file in, .slm out.
 *
 * Comes in: any model file. Goes out: a .slm that was opened again from its bytes, and whose golden rows gave the same
 * margins, before it appears under its name.
 */
#include "cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_ITERATIONS = 256, OPTION_NAME, OPTION_META, OPTION_NO_COVERS, OPTION_ONNX, OPTION_MISSING };

typedef struct convert_job {
	const char *in_path;
	const char *out_path;
	const char **keys; /* metadata, borrowed from argv but for the "=" that was cut */
	const char **values;
	uint32_t n_metadata;
	cli_model_options model_options;
	bool quiet;
	bool no_covers;
	double missing;
} convert_job;

static int add_metadata(convert_job *job, char *entry)
{
	char *equals = strchr(entry, '=');
	if (equals == NULL || equals == entry) {
		cli_quoted found = cli_quote(entry, strlen(entry), 60);
		return cli_usage("convert", "--meta: expected KEY=VALUE, found \"%s\"", found.text);
	}
	*equals = '\0';
	job->keys[job->n_metadata] = entry;
	job->values[job->n_metadata++] = equals + 1;
	return CLI_OK;
}

static int parse_option(int c, char **argv, convert_job *job)
{
	switch (c) {
	case 'o':
		job->out_path = optarg;
		return CLI_OK;
	case 'q':
		job->quiet = true;
		return CLI_OK;
	case OPTION_NAME:
		job->keys[job->n_metadata] = "name";
		job->values[job->n_metadata++] = optarg;
		return CLI_OK;
	case OPTION_NO_COVERS:
		job->no_covers = true;
		return CLI_OK;
	case OPTION_META:
		return add_metadata(job, optarg);
	case OPTION_ITERATIONS:
		if (!cli_parse_range(optarg, &job->model_options.iteration_begin, &job->model_options.iteration_end)) {
			cli_quoted found = cli_quote(optarg, strlen(optarg), 60);
			return cli_usage("convert", "--iterations: expected A:B with A below B, found \"%s\"", found.text);
		}
		return CLI_OK;
	case OPTION_ONNX:
		job->model_options.is_onnx = true;
		if (strcmp(optarg, "onnxruntime") == 0)
			job->model_options.onnx_compat = SCORE_ONNX_RUNTIME;
		else if (strcmp(optarg, "specification") != 0)
			return cli_usage("convert", "--onnx-compat: expected specification or onnxruntime, found \"%s\"",
				cli_quote(optarg, strlen(optarg), 60).text);
		return CLI_OK;
	case OPTION_MISSING:
		if (*optarg == '\0' || !cli_field_value(optarg, strlen(optarg), &job->missing))
			return cli_usage("convert", "--missing: expected a number, found \"%s\"", cli_quote(optarg, strlen(optarg), 60).text);
		job->model_options.missing = &job->missing;
		return CLI_OK;
	default:
		return cli_bad_option("convert", c, argv);
	}
}

static int parse_options(int argc, char **argv, convert_job *job, bool *help)
{
	static const struct option options[] = { { "out", required_argument, NULL, 'o' },
		{ "iterations", required_argument, NULL, OPTION_ITERATIONS }, { "name", required_argument, NULL, OPTION_NAME },
		{ "meta", required_argument, NULL, OPTION_META }, { "onnx-compat", required_argument, NULL, OPTION_ONNX },
		{ "missing", required_argument, NULL, OPTION_MISSING }, { "no-covers", no_argument, NULL, OPTION_NO_COVERS }, { "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	int c;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:qh", options, NULL)) != -1) {
		int code = CLI_OK;
		if (c == 'h')
			*help = true;
		else
			code = parse_option(c, argv, job);
		if (code != CLI_OK)
			return code;
	}
	return CLI_OK;
}

static int check_usage(int argc, char **argv, convert_job *job)
{
	uint32_t i, j;
	if (argc - optind != 1)
		return cli_usage("convert", "expected one IN, found %d", argc - optind);
	if (job->out_path == NULL)
		return cli_usage("convert", "-o OUT.slm is missing");
	job->in_path = argv[optind];
	for (i = 0; i < job->n_metadata; i++)
		for (j = 0; j < i; j++)
			if (strcmp(job->keys[i], job->keys[j]) == 0) {
				cli_quoted key = cli_quote(job->keys[i], strlen(job->keys[i]), 60);
				return cli_usage("convert", "metadata \"%s\" is given twice", key.text);
			}
	return cli_check_overwrite("convert", job->out_path, job->in_path);
}

/* The bytes must open again and give the same margins before they may replace anything. */
static int write_checked(const convert_job *job, const void *data, size_t size)
{
	score_open_options options = SCORE_OPEN_OPTIONS_INIT;
	score_model *again = NULL;
	score_error error;
	cli_output output;
	int code;
	options.flags = SCORE_OPEN_VERIFY;
	options.max_bytes = size;
	if (score_model_open_memory(data, size, &options, &again, &error) != SCORE_OK)
		return cli_fail_library(job->out_path, &error, "the converted model did not pass its own check; nothing was written");
	score_model_free(again);
	code = cli_output_open(job->out_path, &output);
	if (code != CLI_OK)
		return code;
	code = cli_output_write(&output, data, size);
	if (code == CLI_OK)
		code = cli_output_commit(&output);
	cli_output_close(&output);
	return code;
}

static void print_summary(const convert_job *job, const cli_model *m, size_t size)
{
	cli_size before = cli_format_size(m->file_bytes), after = cli_format_size(size);
	const char *objective = score_model_metadata_get(m->model, "objective");
	cli_print_text(stdout, job->in_path);
	printf(" (%s, %s) -> ", cli_model_format_name(m), before.text);
	cli_print_text(stdout, job->out_path);
	printf(" (%s, ratio %.1f): ", after.text, (double)m->file_bytes / (double)size);
	if (m->info.kind == SCORE_KIND_LINEAR)
		printf("linear model, ");
	else
		printf("%u trees, %llu leaves, ", m->info.n_trees, (unsigned long long)m->info.n_leaves);
	printf("%u features, %u output%s", m->info.n_features, m->info.n_outputs, m->info.n_outputs == 1 ? "" : "s");
	if (objective != NULL && objective[0] != '\0') {
		fputs(", ", stdout);
		cli_print_text(stdout, objective);
	}
	putchar('\n');
}

static int run(const convert_job *job, const cli_model *m)
{
	score_save_options options = SCORE_SAVE_OPTIONS_INIT;
	score_error error;
	void *data = NULL;
	size_t size = 0;
	int code;
	options.n_metadata = job->n_metadata;
	options.metadata_keys = job->keys;
	options.metadata_values = job->values;
	options.flags = job->no_covers ? SCORE_SAVE_NO_COVERS : 0;
	if (score_model_save_memory(m->model, &options, &data, &size, &error) != SCORE_OK)
		return cli_fail_library(job->in_path, &error, NULL);
	code = write_checked(job, data, size);
	score_model_free_bytes(m->model, data, size);
	/* Nothing may follow a model that goes to standard output. */
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): parse_options() refuses to go on without a path */
	if (code != CLI_OK || job->quiet || strcmp(job->out_path, "-") == 0)
		return code;
	print_summary(job, m, size);
	return cli_flush_stdout();
}

int cli_convert(int argc, char **argv)
{
	convert_job job = { NULL, NULL, NULL, NULL, 0, CLI_MODEL_OPTIONS_INIT, false,
		false, 0.0 };
	cli_model m;
	bool help = false;
	int code = CLI_OK;
	/* More entries than arguments there cannot be. */
	job.keys = calloc((size_t)argc + 1, sizeof *job.keys);
	job.values = calloc((size_t)argc + 1, sizeof *job.values);
	if (job.keys == NULL || job.values == NULL)
		code = cli_fail_memory("convert");
	if (code == CLI_OK)
		code = parse_options(argc, argv, &job, &help);
	if (code == CLI_OK && help) {
		fputs(cli_help("convert"), stdout);
		code = cli_flush_stdout();
	} else if (code == CLI_OK) {
		code = check_usage(argc, argv, &job);
		if (code == CLI_OK)
			code = cli_model_open(job.in_path, &job.model_options, &m);
		if (code == CLI_OK) {
			code = run(&job, &m);
			cli_model_close(&m);
		}
	}
	free(job.keys);
	free(job.values);
	return code;
}
