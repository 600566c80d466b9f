/*
 * Scores model files on every instruction set and by every regime of this build, and prints one line per file: a digest of
 * the margins' bits and of the leaf numbers. The same files must give the same lines from every build of the library.
 *
 * Comes in: paths of `.slm` files, or, with GOLDENS_IMPORT, of any model file. Goes out: the lines; 1 if instruction sets
 * or regimes differ, or if a model's golden rows do not give their margins. C99 and C++11, public headers only.
 */
#include <scoreline.h>
#if defined(GOLDENS_IMPORT) && !defined(SCORELINE_AMALGAMATED_H)
#include <scoreline/import.h>
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ROWS 301

static int failed(const char *path, const char *what, const score_error *error)
{
	fprintf(stderr, "%s: %s: %s\n", path, what, error->message);
	return 1;
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* Categories, values between them, tiny and huge ones, both zeros, missing. Exact in float. */
static double draw(uint64_t *state)
{
	uint64_t r = next_random(state);
	double small = (double)(r >> 40 & 0xfff) / 256.0 - 4.0;
	switch (r % 11) {
	case 0: return (double)NAN;
	case 1: return 0.0;
	case 2: return -0.0;
	case 3: return (double)(r >> 20 & 15);
	case 4: return (double)HUGE_VAL;
	case 5: return small * 4096.0;
	case 6: return 1.0e-40;
	default: return small;
	}
}

static uint64_t digest(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)data;
	size_t i;
	for (i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3);
	return hash;
}

/* Bits, lowest first on every processor. Any NaN is as good as any other. */
static uint64_t digest_doubles(const double *values, size_t n)
{
	uint64_t hash = UINT64_C(0xCBF29CE484222325);
	size_t i;
	for (i = 0; i < n; i++) {
		unsigned char bytes[8];
		uint64_t bits = UINT64_C(0x7FF8000000000000);
		int k;
		if (values[i] == values[i])
			memcpy(&bits, &values[i], 8);
		for (k = 0; k < 8; k++)
			bytes[k] = (unsigned char)(bits >> (8 * k));
		hash = digest(hash, bytes, 8);
	}
	return hash;
}

static score_status open_model(const char *path, score_isa isa, score_model **out, score_error *error)
{
	score_open_options options = SCORE_OPEN_OPTIONS_INIT;
	size_t length = strlen(path);
	options.isa = isa;
#if defined(GOLDENS_IMPORT)
	if (length < 4 || strcmp(path + length - 4, ".slm") != 0) {
		score_import_options import = SCORE_IMPORT_OPTIONS_INIT;
		import.isa = isa;
		return score_import_file(path, &import, out, error);
	}
#endif
	(void)length;
	return score_model_open_file(path, &options, out, error);
}

/* One digest of one output by one regime. 1: it cannot serve this model; -1: an error. */
static int digest_output(const score_model *model, score_output output, score_regime regime, uint64_t *hash,
	score_error *error)
{
	score_model_info info;
	score_options options = SCORE_OPTIONS_INIT;
	uint64_t state = 1;
	size_t i, n_values, width;
	double *rows, *out;
	score_input input;
	score_status status;
	memset(&info, 0, sizeof info);
	info.struct_size = sizeof info;
	if (score_model_get_info(model, &info))
		return -1;
	options.output = output;
	options.regime = regime;
	options.scratch_bytes = score_scratch_bytes(model);
	options.scratch = malloc(options.scratch_bytes + 1);
	width = score_output_width(model, &options);
	n_values = (size_t)N_ROWS * info.n_features;
	rows = (double *)malloc((n_values + 1) * sizeof *rows);
	out = (double *)malloc(((size_t)N_ROWS * width + 1) * sizeof *out);
	if (!options.scratch || !rows || !out)
		exit(2);
	for (i = 0; i < n_values; i++)
		rows[i] = draw(&state);
	input = score_input_rows_f64(rows, N_ROWS, info.n_features);
	status = score_batch(model, &input, out, (size_t)N_ROWS * width, &options, error);
	*hash = digest_doubles(out, (size_t)N_ROWS * width);
	free(options.scratch);
	free(rows);
	free(out);
	return status == SCORE_OK ? 0 : status == SCORE_ERR_ARGUMENT && regime != SCORE_REGIME_AUTO ? 1 : -1;
}

/* Every regime must agree with `*hash`, the first writes it. */
static int compare(const char *path, const score_model *model, score_output output, int first, uint64_t *hash)
{
	static const score_regime regimes[] = { SCORE_REGIME_AUTO, SCORE_REGIME_BATCH, SCORE_REGIME_WALK, SCORE_REGIME_ROW };
	score_error error;
	size_t i;
	memset(&error, 0, sizeof error);
	for (i = 0; i < sizeof regimes / sizeof regimes[0]; i++) {
		uint64_t got = 0;
		int code = digest_output(model, output, regimes[i], &got, &error);
		if (code < 0)
			return failed(path, "scoring", &error);
		if (code > 0)
			continue;
		if (first && i == 0)
			*hash = got;
		if (got != *hash) {
			fprintf(stderr, "%s: output %d differs by regime %s\n", path, (int)output, score_regime_name(regimes[i]));
			return 1;
		}
	}
	return 0;
}

static int score_file(const char *path)
{
	static const score_isa isas[] = { SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512,
		SCORE_ISA_NEON };
	uint64_t margins = 0, leaves = 0, n_checked = 0;
	const char *name = strrchr(path, '/');
	int n_isas = 0;
	size_t i;
	for (i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		score_model *model = NULL;
		score_model_info info;
		score_error error;
		int bad;
		if (!score_isa_available(isas[i]))
			continue;
		memset(&info, 0, sizeof info);
		info.struct_size = sizeof info;
		if (open_model(path, isas[i], &model, &error))
			return failed(path, "opening", &error);
		if (score_model_verify(model, isas[i], &n_checked, &error))
			return failed(path, score_isa_name(isas[i]), &error);
		bad = score_model_get_info(model, &info) ||
			compare(path, model, SCORE_OUTPUT_MARGIN, n_isas == 0, &margins) ||
			(info.kind == SCORE_KIND_TREES && compare(path, model, SCORE_OUTPUT_LEAF, n_isas == 0, &leaves));
		score_model_free(model);
		if (bad)
			return 1;
		n_isas++;
	}
	fprintf(stderr, "%s: %d instruction sets, %llu golden margins on the last\n", path, n_isas,
		(unsigned long long)n_checked);
	printf("%s margins %016llx leaves %016llx\n", name ? name + 1 : path, (unsigned long long)margins,
		(unsigned long long)leaves);
	return n_isas == 0;
}

int main(int argc, char **argv)
{
	int i, bad = 0;
	for (i = 1; i < argc; i++)
		bad |= score_file(argv[i]);
	return argc < 2 ? 2 : bad;
}
