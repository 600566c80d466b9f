/* What the fuzz targets share: numbers from bytes, a bounded allocator, and a check that a model scores the same everywhere. */
#include "fuzz.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t fuzz_take(fuzz_bytes *in, size_t n_bytes)
{
	uint64_t value = 0;
	for (size_t i = 0; i < n_bytes && in->size > 0; i++, in->data++, in->size--)
		value |= (uint64_t)*in->data << (8 * i);
	return value;
}

uint32_t fuzz_below(fuzz_bytes *in, uint32_t n)
{
	return (uint32_t)fuzz_take(in, n > 256 ? 2 : 1) % n;
}

double fuzz_value(fuzz_bytes *in)
{
	uint64_t bits;
	double value;
	switch (fuzz_below(in, 12)) {
	case 0: return (double)NAN;
	case 1: return 0.0;
	case 2: return -0.0;
	case 3: return (double)INFINITY;
	case 4: return -(double)INFINITY;
	case 5: return 1e-310;
	case 6: return (double)(int8_t)fuzz_take(in, 1);
	case 7: return 1e300;
	case 8:
		bits = fuzz_take(in, 8);
		memcpy(&value, &bits, sizeof value);
		return value;
	default: return ((double)fuzz_take(in, 2) - 32768.0) / 1024.0;
	}
}

static void *take(void *context, size_t size, size_t align)
{
	fuzz_memory *m = context;
	m->held += size;
	m->most = m->held > m->most ? m->held : m->most;
	if (m->held > m->limit)
		fuzz_fail("%zu bytes are held, the input allows %zu", m->held, m->limit);
	return aligned_alloc(align < 16 ? 16 : align, (size + (align < 16 ? 15 : align - 1)) & ~((align < 16 ? 16 : align) - 1));
}

static void give(void *context, void *pointer, size_t size, size_t align)
{
	(void)align;
	((fuzz_memory *)context)->held -= size;
	free(pointer);
}

score_allocator fuzz_allocator(fuzz_memory *memory, size_t limit)
{
	*memory = (fuzz_memory){0, 0, limit};
	return (score_allocator){take, give, memory};
}

void fuzz_fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

void fuzz_check_failure(score_status status, const void *out, const score_error *error)
{
	if (out)
		fuzz_fail("failed with %s, and gave an object", score_status_name(status));
	if (error->code != status || error->message[0] == '\0' || memchr(error->message, 0, sizeof error->message) == NULL)
		fuzz_fail("status %d, error.code %d, message '%.231s'", (int)status, (int)error->code, error->message);
}

/* ---- scoring ------------------------------------------------------------------------------------ */

#define N_ROWS 5
/* What a fuzzer's run has time for. */
#define MOST_VALUES 200000u

typedef struct trial {
	const score_model *model;
	const double *rows;
	uint32_t n_features;
	size_t width;
	score_output output;
	double *expected, *got;
	void *scratch;
} trial;

static void compare(const trial *t, score_regime regime, size_t scratch_bytes)
{
	score_error error;
	score_options options = SCORE_OPTIONS_INIT;
	score_input in = score_input_rows_f64(t->rows, N_ROWS, t->n_features);
	options.output = t->output;
	options.regime = regime;
	options.scratch = t->scratch;
	options.scratch_bytes = scratch_bytes;
	score_status status = score_batch(t->model, &in, t->got, N_ROWS * t->width, &options, &error);
	if (status == SCORE_ERR_ARGUMENT && regime != SCORE_REGIME_AUTO)
		return;
	if (status != SCORE_OK)
		fuzz_fail("scoring failed: %s", error.message);
	for (size_t i = 0; i < N_ROWS * t->width; i++) {
		int both_nan = isnan(t->expected[i]) && isnan(t->got[i]);
		if (!both_nan && memcmp(t->expected + i, t->got + i, sizeof *t->got) != 0)
			fuzz_fail("value %zu of output %d by regime %s: %a, expected %a", i, (int)t->output, score_regime_name(regime),
				t->got[i], t->expected[i]);
	}
}

static void try_output(const score_model *model, const score_model_info *info, const double *rows, score_output output)
{
	static const score_regime regimes[] = {SCORE_REGIME_AUTO, SCORE_REGIME_BATCH, SCORE_REGIME_WALK, SCORE_REGIME_ROW};
	score_error error;
	score_options options = SCORE_OPTIONS_INIT;
	trial t = {.model = model, .rows = rows, .n_features = info->n_features, .output = output};
	score_input in = score_input_rows_f64(rows, N_ROWS, info->n_features);
	options.output = output;
	t.width = score_output_width(model, &options);
	if (t.width == 0 || t.width > MOST_VALUES)
		return;
	t.expected = malloc(N_ROWS * t.width * sizeof(double));
	t.got = malloc(N_ROWS * t.width * sizeof(double));
	t.scratch = malloc(score_scratch_bytes(model) + 1);
	if (!t.expected || !t.got || !t.scratch)
		abort();
	if (score_batch(model, &in, t.expected, N_ROWS * t.width, &options, &error) != SCORE_OK)
		fuzz_fail("scoring failed: %s", error.message);
	for (size_t i = 0; i < sizeof regimes / sizeof regimes[0]; i++) {
		compare(&t, regimes[i], score_scratch_bytes(model));
		compare(&t, regimes[i], score_scratch_bytes(model) / 2);
	}
	free(t.expected);
	free(t.got);
	free(t.scratch);
}

void fuzz_score(const score_model *model)
{
	static const double values[] = {(double)NAN, 0.0, -0.0, 1.0, 0.5, -3.25, 1e300, 1e-310, 7.0, 1e9, -1.0};
	score_model_info info = {.struct_size = sizeof info};
	if (score_model_get_info(model, &info) != SCORE_OK)
		fuzz_fail("score_model_get_info() failed");
	if (info.n_features > MOST_VALUES)
		return;
	double *rows = malloc((size_t)N_ROWS * info.n_features * sizeof *rows + 1);
	if (!rows)
		abort();
	for (size_t i = 0; i < (size_t)N_ROWS * info.n_features; i++)
		rows[i] = values[(i * 7 + i / info.n_features) % (sizeof values / sizeof values[0])];
	try_output(model, &info, rows, SCORE_OUTPUT_MARGIN);
	try_output(model, &info, rows, SCORE_OUTPUT_PREDICTION);
	if (info.kind == SCORE_KIND_TREES)
		try_output(model, &info, rows, SCORE_OUTPUT_LEAF);
	free(rows);
}
