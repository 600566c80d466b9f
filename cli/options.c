/*
 * Values of options, and what is said when they are wrong.
 */
#include "cli.h"

#include <getopt.h>
#include <limits.h>
#include <string.h>

static const char *scan_u32(const char *p, uint32_t *out)
{
	uint64_t n = 0;
	const char *first = p;
	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (uint64_t)(*p - '0');
		if (n > UINT32_MAX)
			return NULL;
	}
	*out = (uint32_t)n;
	return p > first ? p : NULL;
}

bool cli_parse_range(const char *text, uint32_t *begin, uint32_t *end)
{
	const char *p = scan_u32(text, begin);
	if (p == NULL || *p != ':')
		return false;
	p = scan_u32(p + 1, end);
	return p != NULL && *p == '\0' && *begin < *end;
}

bool cli_parse_isa(const char *text, score_isa *out)
{
	static const score_isa all[] = { SCORE_ISA_AUTO, SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2,
		SCORE_ISA_AVX512, SCORE_ISA_NEON };
	size_t i;
	for (i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strcmp(text, score_isa_name(all[i])) == 0) {
			*out = all[i];
			return true;
		}
	return false;
}

bool cli_parse_regime(const char *text, score_regime *out)
{
	static const score_regime all[] = { SCORE_REGIME_AUTO, SCORE_REGIME_BATCH, SCORE_REGIME_WALK,
		SCORE_REGIME_ROW };
	size_t i;
	for (i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strcmp(text, score_regime_name(all[i])) == 0) {
			*out = all[i];
			return true;
		}
	return false;
}

int cli_bad_option(const char *command, int code, char **argv)
{
	/* getopt_long() leaves the letter in optopt, or 0 or the option's value when it was a long one. It goes on to the next word
	 * only behind a word's last letter. */
	const char *word = argv[optind - 1];
	const bool is_long = strncmp(word, "--", 2) == 0;
	if (code == ':')
		return cli_usage(command, "option %s needs a value", cli_quote(word, strlen(word), 60).text);
	if (is_long && strchr(word, '=') != NULL && (optopt > UCHAR_MAX || (optopt != 0 && optopt == word[2])))
		return cli_usage(command, "option %s takes no value", cli_quote(word, strlen(word), 60).text);
	if (optopt > ' ' && optopt < 0x7f)
		return cli_usage(command, "unknown option -%c", optopt);
	if (optopt != 0 && argv[optind] != NULL && (is_long || strchr(word, optopt) == NULL))
		word = argv[optind];
	return cli_usage(command, "unknown option %s", cli_quote(word, strlen(word), 60).text);
}
