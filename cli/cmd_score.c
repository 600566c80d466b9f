/*
 * scoreline score: rows in, scores out, in blocks of bounded size.
 *
 * Comes in: a model file and a table. Goes out: one line per row. An error stops the work with exit code 1; a file
 * named by -o then stays as it was.
 */
#include "cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_ROWS ((size_t)4096)
#define BLOCK_VALUES ((size_t)1 << 20)

enum { OPTION_OUTPUT = 256, OPTION_FORMAT, OPTION_TREES, OPTION_ISA, OPTION_REGIME, OPTION_NO_HEADER, OPTION_POSITION };

typedef struct score_job {
	const char *model_path;
	const char *in_path;
	const char *out_path;
	cli_model_options model_options;
	cli_rows_options rows_options;
	score_options options;
} score_job;

/* Buffers of one run. */
typedef struct block {
	double *rows;
	double *scores;
	void *scratch;
	size_t n_rows;
	size_t width;
} block;

static bool parse_output(const char *text, score_output *out)
{
	static const char *const names[] = { "prediction", "margin", "leaf", "class", "contribution" };
	size_t i;
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (score_output)i;
			return true;
		}
	return false;
}

static bool parse_table(const char *text, cli_table *out)
{
	static const char *const names[] = { "csv", "jsonl", "npy" };
	size_t i;
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (cli_table)(CLI_TABLE_CSV + i);
			return true;
		}
	return false;
}

static int parse_named(int c, const char *text, score_job *job)
{
	cli_quoted found = cli_quote(text, strlen(text), 60);
	if (c == OPTION_OUTPUT && !parse_output(text, &job->options.output))
		return cli_usage("score", "--output: expected prediction, margin, class, leaf or contribution, found \"%s\"; -o names "
			"the file", found.text);
	if (c == OPTION_FORMAT && !parse_table(text, &job->rows_options.table))
		return cli_usage("score", "--format: expected csv, jsonl or npy, found \"%s\"", found.text);
	if (c == OPTION_TREES && !cli_parse_range(text, &job->options.tree_begin, &job->options.tree_end))
		return cli_usage("score", "--trees: expected A:B with A below B, found \"%s\"", found.text);
	if (c == OPTION_ISA && !cli_parse_isa(text, &job->model_options.isa))
		return cli_usage("score", "--isa: expected auto, portable, sse42, avx2, avx512 or neon, found \"%s\"", found.text);
	if (c == OPTION_REGIME && !cli_parse_regime(text, &job->options.regime))
		return cli_usage("score", "--regime: expected auto, batch, walk or row, found \"%s\"", found.text);
	return CLI_OK;
}

/* CLI_OK, or an exit code; *help: the help text was asked for. */
static int parse_options(int argc, char **argv, score_job *job, bool *help)
{
	static const struct option options[] = { { "out", required_argument, NULL, 'o' },
		{ "output", required_argument, NULL, OPTION_OUTPUT }, { "format", required_argument, NULL, OPTION_FORMAT },
		{ "trees", required_argument, NULL, OPTION_TREES }, { "isa", required_argument, NULL, OPTION_ISA },
		{ "regime", required_argument, NULL, OPTION_REGIME }, { "no-header", no_argument, NULL, OPTION_NO_HEADER },
		{ "by-position", no_argument, NULL, OPTION_POSITION }, { "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	int c, code;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:qh", options, NULL)) != -1) {
		if (c == 'h')
			*help = true;
		else if (c == 'o')
			job->out_path = optarg;
		else if (c == 'q')
			job->rows_options.quiet = true;
		else if (c == OPTION_NO_HEADER)
			job->rows_options.no_header = true;
		else if (c == OPTION_POSITION)
			job->rows_options.by_position = true;
		else if (c >= OPTION_OUTPUT) {
			if ((code = parse_named(c, optarg, job)) != CLI_OK)
				return code;
		} else
			return cli_bad_option("score", c, argv);
	}
	return CLI_OK;
}

static int check_usage(int argc, char **argv, score_job *job)
{
	const cli_rows_options *rows = &job->rows_options;
	int code;
	if (argc - optind != 2)
		return cli_usage("score", "expected FILE and IN, found %d name%s", argc - optind, argc - optind == 1 ? "" : "s");
	job->model_path = argv[optind];
	job->in_path = argv[optind + 1];
	if (rows->no_header && rows->by_position)
		return cli_usage("score", "--no-header and --by-position exclude each other");
	if ((rows->no_header || rows->by_position) && rows->table != CLI_TABLE_AUTO && rows->table != CLI_TABLE_CSV)
		return cli_usage("score", "--no-header and --by-position are for CSV");
	code = cli_check_overwrite("score", job->out_path, job->model_path);
	return code == CLI_OK ? cli_check_overwrite("score", job->out_path, job->in_path) : code;
}

/* Why the model has no such output, in the library's words. */
static int fail_output(const cli_model *m, const score_job *job)
{
	score_input none = score_input_rows_f64(NULL, 0, m->info.n_features);
	score_error error;
	if (score_batch(m->model, &none, NULL, 0, &job->options, &error) == SCORE_OK)
		return CLI_OK;
	return cli_fail_library(job->model_path, &error, NULL);
}

static int make_block(const cli_model *m, score_job *job, block *b)
{
	size_t widest, n_features = m->info.n_features;
	b->width = score_output_width(m->model, &job->options);
	if (b->width == 0 && job->options.output >= SCORE_OUTPUT_CLASS)
		return fail_output(m, job);
	if (b->width == 0 && m->info.kind == SCORE_KIND_LINEAR)
		return cli_fail(job->model_path, "is a linear model: it has no trees, and so no --trees and no leaf numbers");
	if (b->width == 0)
		return cli_fail(job->model_path, "cannot give this output: it has %u trees; check --trees and --output",
			m->info.n_trees);
	widest = n_features > b->width ? n_features : b->width;
	b->n_rows = BLOCK_VALUES / widest;
	b->n_rows = b->n_rows > BLOCK_ROWS ? BLOCK_ROWS : b->n_rows < 1 ? 1 : b->n_rows;
	b->rows = malloc((b->n_rows * n_features + 1) * sizeof *b->rows);
	b->scores = malloc(b->n_rows * b->width * sizeof *b->scores);
	job->options.scratch_bytes = job->options.output == SCORE_OUTPUT_CONTRIBUTION ? score_contribution_scratch_bytes(m->model)
										      : score_scratch_bytes(m->model);
	b->scratch = malloc(job->options.scratch_bytes + 1);
	job->options.scratch = b->scratch;
	if (b->rows == NULL || b->scores == NULL || b->scratch == NULL)
		return cli_fail_memory(job->model_path);
	return CLI_OK;
}

static int score_block(const cli_model *m, const score_job *job, const block *b, size_t n, cli_writer *writer)
{
	score_input input = score_input_rows_f64(b->rows, (int64_t)n, m->info.n_features);
	score_error error;
	if (score_batch(m->model, &input, b->scores, n * b->width, &job->options, &error) != SCORE_OK)
		return cli_fail_library(job->model_path, &error, NULL);
	return cli_writer_write(writer, b->scores, n);
}

static int score_rows(const cli_model *m, const score_job *job, const block *b, const cli_bytes *bytes, cli_rows *rows,
	cli_writer *writer)
{
	cli_progress progress;
	size_t n;
	int code;
	/* Scores on a terminal are progress enough, and would stand behind the line. */
	cli_progress_start(&progress, job->rows_options.quiet || isatty(writer->output.fd) == 1);
	do {
		code = rows->read(rows, b->rows, b->n_rows, &n);
		if (code == CLI_OK && n > 0)
			code = score_block(m, job, b, n, writer);
		cli_progress_update(&progress, writer->n_rows, bytes->total);
	} while (code == CLI_OK && n > 0);
	cli_progress_hide();
	if (code == CLI_OK)
		code = rows->finish(rows);
	return code;
}

static int run(const cli_model *m, score_job *job, cli_bytes *bytes)
{
	block b = { NULL, NULL, NULL, 0, 0 };
	cli_rows *rows = NULL;
	cli_writer writer;
	int code = make_block(m, job, &b);
	if (code == CLI_OK)
		code = cli_rows_open(bytes, m->model, m->info.n_features, &job->rows_options, &rows);
	if (code == CLI_OK)
		code = cli_writer_open(job->out_path, job->options.output, b.width, &m->info, m->model, &writer);
	if (code == CLI_OK) {
		code = score_rows(m, job, &b, bytes, rows, &writer);
		if (code == CLI_OK)
			code = cli_writer_commit(&writer);
		cli_writer_close(&writer);
	}
	if (rows != NULL)
		rows->free(rows);
	free(b.rows);
	free(b.scores);
	free(b.scratch);
	return code;
}

int cli_score(int argc, char **argv)
{
	score_job job = { NULL, NULL, NULL, CLI_MODEL_OPTIONS_INIT, { CLI_TABLE_AUTO, false, false, false },
		SCORE_OPTIONS_INIT };
	cli_model m;
	cli_bytes bytes;
	bool help = false;
	int code = parse_options(argc, argv, &job, &help);
	if (code == CLI_OK && help) {
		fputs(cli_help("score"), stdout);
		return cli_flush_stdout();
	}
	if (code == CLI_OK)
		code = check_usage(argc, argv, &job);
	if (code == CLI_OK)
		code = cli_model_open(job.model_path, &job.model_options, &m);
	if (code != CLI_OK)
		return code;
	code = cli_bytes_open(job.in_path, &bytes);
	if (code == CLI_OK) {
		code = run(&m, &job, &bytes);
		cli_bytes_close(&bytes);
	}
	cli_model_close(&m);
	return code;
}
