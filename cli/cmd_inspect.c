/*
 * scoreline inspect: what a model is, for a person.
 */
#include "cli.h"

#include <scoreline/statistics.h>

#include <getopt.h>
#include <string.h>

#define FIRST_LABELS 8
#define FIRST_FEATURES 8

enum { OPTION_JSON = 256, OPTION_FEATURES };

static void print_field(const char *label, const char *value)
{
	printf("%-14s", label);
	cli_print_text(stdout, value);
	putchar('\n');
}

static void print_metadata_field(const cli_model *m, const char *label, const char *key)
{
	const char *value = score_model_metadata_get(m->model, key);
	if (value != NULL && value[0] != '\0')
		print_field(label, value);
}

static void print_source(const cli_model *m)
{
	const char *library = score_model_metadata_get(m->model, "source.library");
	const char *version = score_model_metadata_get(m->model, "source.version");
	if (library == NULL)
		return;
	printf("%-14s", "trained by");
	cli_print_text(stdout, library);
	if (version != NULL && version[0] != '\0') {
		putchar(' ');
		cli_print_text(stdout, version);
	}
	putchar('\n');
}

static void print_file(const char *path, const cli_model *m)
{
	cli_size size = cli_format_size(m->file_bytes);
	size_t i;
	print_field("file", path);
	printf("%-14s%s, %s\n", "format", cli_model_format_name(m), size.text);
	if (!m->is_slm)
		return;
	printf("%-14s", "hash");
	for (i = 0; i < sizeof m->info.hash; i++)
		printf("%02x", m->info.hash[i]);
	putchar('\n');
}

/* One line per feature that has a dictionary. */
static void print_labels(const cli_model *m, uint32_t feature, bool all)
{
	uint32_t dictionary = score_model_dictionary(m->model, feature), n = score_model_category_count(m->model, feature);
	uint32_t shown = all || n <= FIRST_LABELS + 2 ? n : FIRST_LABELS, k;
	double unknown = score_model_category_unknown(m->model, feature);
	char code[CLI_NUMBER_TEXT];
	if (!dictionary)
		return;
	printf("  %-10s    ", "");
	if (dictionary & SCORE_DICTIONARY_HASH) {
		puts("any text, by its hash");
		return;
	}
	for (k = 0; k < shown; k++) {
		size_t length = cli_format_number(score_model_category_code(m->model, feature, k), false, code);
		fputs(k ? ", " : "", stdout);
		cli_print_text(stdout, score_model_category_name(m->model, feature, k));
		printf(" = %.*s", (int)length, code);
	}
	if (shown < n)
		printf(" and %u more", n - shown);
	printf("; others are %s\n", unknown == SCORE_REFUSE ? "refused" : unknown != unknown ? "missing" : "unknown categories");
}

static void print_features(const cli_model *m, bool all)
{
	uint32_t n = m->info.n_features, shown = all || n <= FIRST_FEATURES + 2 ? n : FIRST_FEATURES, i, categories = 0;
	for (i = 0; i < n; i++)
		categories += score_model_feature_type(m->model, i) == SCORE_FEATURE_CATEGORY;
	printf("%-14s%u (%u numeric, %u category)\n", "features", n, n - categories, categories);
	for (i = 0; i < shown; i++) {
		printf("  %-10u  ", i);
		cli_print_text(stdout, score_model_feature_name(m->model, i));
		fputs(score_model_feature_type(m->model, i) == SCORE_FEATURE_CATEGORY ? "  (category)\n" : "\n", stdout);
		print_labels(m, i, all);
	}
	if (shown < n)
		printf("  and %u more; --features lists all\n", n - shown);
	if (m->info.n_derived != 0)
		printf("%-14s%u computed from the features\n", "derived", m->info.n_derived);
}

static void print_shape(const cli_model *m)
{
	const score_model_info *info = &m->info;
	printf("%-14s%u margin%s (%s), %u prediction%s per row\n", "outputs", info->n_outputs,
		info->n_outputs == 1 ? "" : "s", info->margin_is_f32 ? "float32" : "float64", info->n_predictions,
		info->n_predictions == 1 ? "" : "s");
	print_field("link", score_model_link_name(m->model));
	if (info->kind == SCORE_KIND_LINEAR)
		return;
	printf("%-14s%u (%u per iteration)\n", "trees", info->n_trees, info->trees_per_iteration);
	printf("%-14s%llu, at most %u in one tree\n", "leaves", (unsigned long long)info->n_leaves, info->max_leaves);
	printf("%-14s%llu, at most %u on a path\n", "splits", (unsigned long long)info->n_splits, info->max_depth);
	printf("%-14s%llu distinct, at most %u thresholds of one feature\n", "tests", (unsigned long long)info->n_tests,
		info->max_cuts);
	if (info->n_categories != 0)
		printf("%-14s%u named by splits\n", "categories", info->n_categories);
}

static void print_engine(const cli_model *m)
{
	const score_model_info *info = &m->info;
	cli_size memory = cli_format_size(info->memory_bytes), scratch = cli_format_size(score_scratch_bytes(m->model));
	printf("%-14s%s\n", "instructions", score_isa_name(info->isa));
	printf("%-14s%s for batches, %s for single rows\n", "regime", score_regime_name(info->batch_regime),
		score_regime_name(info->row_regime));
	if (info->code_bytes != 0)
		printf("%-14s%u byte%s per value\n", "codes", info->code_bytes, info->code_bytes == 1 ? "" : "s");
	printf("%-14s%s, and %s of scratch per thread\n", "memory", memory.text, scratch.text);
	printf("%-14s%u\n", "golden rows", info->n_golden_rows);
}

/* Metadata that the library writes stands further up already. */
static bool is_own_key(const char *key)
{
	static const char *const own[] = { "name", "objective", "source.library", "source.version" };
	size_t i;
	for (i = 0; i < sizeof own / sizeof own[0]; i++)
		if (strcmp(own[i], key) == 0)
			return true;
	return false;
}

/* The reference is kilobytes of base64: of use to programs only. */
static void print_value(const char *key, const char *value)
{
	if (strcmp(key, SCORE_REFERENCE_KEY) == 0)
		printf("%s of text: histograms of training data", cli_format_size(strlen(value)).text);
	else
		cli_print_text(stdout, value);
}

static void print_metadata(const cli_model *m)
{
	uint32_t i, n = score_model_metadata_count(m->model);
	bool first = true;
	for (i = 0; i < n; i++) {
		const char *key = score_model_metadata_key(m->model, i);
		if (is_own_key(key))
			continue;
		printf("%-14s", first ? "metadata" : "");
		cli_print_text(stdout, key);
		fputs(" = ", stdout);
		print_value(key, score_model_metadata_value(m->model, i));
		putchar('\n');
		first = false;
	}
}

static int print_all(const char *path, const cli_model *m, bool features)
{
	print_metadata_field(m, "name", "name");
	print_file(path, m);
	print_field("kind", m->info.kind == SCORE_KIND_LINEAR ? "linear model" : "trees");
	print_source(m);
	print_metadata_field(m, "objective", "objective");
	print_shape(m);
	print_features(m, features);
	print_engine(m);
	print_metadata(m);
	return cli_flush_stdout();
}

int cli_inspect(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, OPTION_JSON },
		{ "features", no_argument, NULL, OPTION_FEATURES }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	const cli_model_options model_options = CLI_MODEL_OPTIONS_INIT;
	bool json = false, features = false;
	cli_model m;
	int c, code;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(cli_help("inspect"), stdout);
			return cli_flush_stdout();
		}
		if (c != OPTION_JSON && c != OPTION_FEATURES)
			return cli_bad_option("inspect", c, argv);
		json = json || c == OPTION_JSON;
		features = features || c == OPTION_FEATURES;
	}
	if (argc - optind != 1)
		return cli_usage("inspect", "expected one FILE, found %d", argc - optind);
	code = cli_model_open(argv[optind], &model_options, &m);
	if (code != CLI_OK)
		return code;
	code = json ? cli_inspect_json(argv[optind], &m) : print_all(argv[optind], &m, features);
	cli_model_close(&m);
	return code;
}
