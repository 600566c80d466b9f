/*
 * scoreline verify: the model's golden rows on every instruction set of this machine, and before them its signature.
 */
#include "cli.h"

#include <getopt.h>
#include <string.h>

static int verify_isa(const char *path, const cli_model *m, score_isa isa, bool quiet)
{
	score_error error;
	uint64_t n = 0;
	if (!score_isa_available(isa)) {
		if (!quiet)
			printf("%-10s not run: this machine or build does not have it\n", score_isa_name(isa));
		return CLI_OK;
	}
	if (score_model_verify(m->model, isa, &n, &error) != SCORE_OK) {
		printf("%-10s FAILED\n", score_isa_name(isa));
		fflush(stdout);
		return cli_fail_library(path, &error, NULL);
	}
	if (!quiet)
		printf("%-10s ok: %llu margins compared, all bits equal\n", score_isa_name(isa), (unsigned long long)n);
	return CLI_OK;
}

static int verify_all(const char *path, const cli_model *m, bool quiet)
{
	static const score_isa all[] = { SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512,
		SCORE_ISA_NEON };
	int code = CLI_OK, flushed;
	size_t i;
	if (m->info.n_golden_rows == 0)
		return cli_fail(path, "has no golden rows, so there is nothing to verify");
	if (!quiet)
		printf("%u golden row%s\n", m->info.n_golden_rows, m->info.n_golden_rows == 1 ? "" : "s");
	for (i = 0; i < sizeof all / sizeof all[0]; i++)
		if (verify_isa(path, m, all[i], quiet) != CLI_OK)
			code = CLI_FAILED;
	flushed = cli_flush_stdout();
	return code != CLI_OK ? code : flushed;
}

int cli_verify(int argc, char **argv)
{
	static const struct option options[] = {
		{ "signature", required_argument, NULL, 's' }, { "public-key", required_argument, NULL, 'k' },
		{ "quiet", no_argument, NULL, 'q' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }
	};
	const cli_model_options model_options = CLI_MODEL_OPTIONS_INIT;
	const char *signature = NULL, *public_key = NULL;
	bool quiet = false;
	cli_model m;
	int c, code;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":qh", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(cli_help("verify"), stdout);
			return cli_flush_stdout();
		}
		if (c != 'q' && c != 's' && c != 'k')
			return cli_bad_option("verify", c, argv);
		signature = c == 's' ? optarg : signature;
		public_key = c == 'k' ? optarg : public_key;
		quiet = quiet || c == 'q';
	}
	if (argc - optind != 1)
		return cli_usage("verify", "expected one FILE, found %d", argc - optind);
	if ((signature == NULL) != (public_key == NULL))
		return cli_usage("verify", "--signature and --public-key go together");
	code = signature != NULL ? cli_model_open_signed(argv[optind], signature, public_key, &m)
				 : cli_model_open(argv[optind], &model_options, &m);
	if (code != CLI_OK)
		return code;
	if (signature != NULL && !quiet) {
		fputs("signature  ok: Ed25519, made with the key of ", stdout);
		cli_print_text(stdout, public_key);
		putchar('\n');
	}
	code = verify_all(argv[optind], &m, quiet);
	cli_model_close(&m);
	return code;
}
