/*
 * What the header promises about a call of score_batch(): no allocation, any number of threads, and the same bits whatever the
 * host did to the processor's float control word. test_stack.c has its stack.
 */
#define _XOPEN_SOURCE 700
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <scoreline/endpoint.h>

#include "random_model.h"
#include "served_models.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#define N_ROWS 1300

/* ---- allocation: the linker sends the library's calls here ------------------------------------------------------ */

static int n_allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

void *__wrap_malloc(size_t size)
{
	n_allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	n_allocations++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	n_allocations++;
	return __real_realloc(p, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	n_allocations++;
	return __real_aligned_alloc(align, size);
}

/* ---- the models --------------------------------------------------------------------------------------------------- */

typedef struct subject {
	random_spec spec;
	score_model *model;
	double *rows, *expected;
	score_options options;
	size_t width;
} subject;

static random_spec spec_of(unsigned i)
{
	random_spec s = {.seed = 100 + i, .n_features = 24, .n_outputs = 1, .n_trees = 60, .max_leaves = 60,
		.cuts_per_feature = 100, .compare = SCORE_F32, .sum = SCORE_F32};
	if (i == 1) {
		s.compare = s.sum = SCORE_F64;
		s.leafwise = 1;
		s.category_features = 4;
	} else if (i == 2) {
		s.max_leaves = 900;
		s.n_outputs = 3;
		s.n_trees = 9;
		s.link = SCORE_LINK_SOFTMAX;
	} else if (i == 3) {
		s.n_features = 3000;
		s.link = SCORE_LINK_SIGMOID;
	} else if (i == 4) {
		s.max_leaves = 250;
		s.leafwise = 1;
	}
	return s;
}

#define N_SUBJECTS 5u

static void score(const subject *s, int64_t n, double *out)
{
	score_error error;
	score_input in = score_input_rows_f64(s->rows, n, s->spec.n_features);
	if (score_batch(s->model, &in, out, (size_t)n * s->width, &s->options, &error) != SCORE_OK)
		fail_msg("%s", error.message);
}

static subject open_subject(unsigned i, bool with_scratch)
{
	subject s = {.spec = spec_of(i), .options = SCORE_OPTIONS_INIT};
	s.model = random_model(&s.spec);
	s.rows = malloc((size_t)N_ROWS * s.spec.n_features * sizeof(double));
	random_rows(&s.spec, i, N_ROWS, s.rows);
	s.options.output = i & 1 ? SCORE_OUTPUT_MARGIN : SCORE_OUTPUT_PREDICTION;
	s.width = score_output_width(s.model, &s.options);
	s.expected = malloc(N_ROWS * s.width * sizeof(double));
	if (with_scratch) {
		s.options.scratch_bytes = score_scratch_bytes(s.model);
		s.options.scratch = malloc(s.options.scratch_bytes);
	}
	score(&s, N_ROWS, s.expected);
	return s;
}

static void close_subject(subject *s)
{
	score_model_free(s->model);
	free(s->rows);
	free(s->expected);
	free(s->options.scratch);
}

static void same_bits(const double *a, const double *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (memcmp(a + i, b + i, sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
			fail_msg("value %zu: %a, expected %a", i, a[i], b[i]);
	}
}

/* ---- tests ---------------------------------------------------------------------------------------------------------- */

static void count_rows(void *context, const score_call *call)
{
	*(int64_t *)context += call->input->n_rows;
}

static void an_endpoint_allocates_nothing(void **state)
{
	subject s = open_subject(0, false);
	int64_t keys[N_ROWS], n_rows = 0;
	const score_observer observer = {count_rows, &n_rows};
	const score_column column = {.values = keys, .dtype = SCORE_I64};
	score_endpoint *endpoint = two_versions(s.model, s.model, 50, 50, "m-2", &observer);
	score_endpoint_reader *reader = NULL;
	score_request request = SCORE_REQUEST_INIT;
	score_input in = score_input_rows_f64(s.rows, N_ROWS, s.spec.n_features);
	double *out = malloc(N_ROWS * s.width * sizeof *out);
	(void)state;
	for (int64_t i = 0; i < N_ROWS; i++)
		keys[i] = i;
	assert_int_equal(score_endpoint_reader_new(endpoint, &reader, NULL), SCORE_OK);
	request.output = s.options.output;
	request.scratch_bytes = score_endpoint_scratch_bytes(endpoint, request.output, s.spec.n_features);
	request.scratch = malloc(request.scratch_bytes);
	for (int i = 0; i < 4; i++) {
		int before = n_allocations;
		request.row_keys = i & 1 ? &column : NULL;
		request.scratch_bytes = i & 2 ? 0 : request.scratch_bytes;
		assert_int_equal(score_endpoint_batch(reader, &in, out, N_ROWS * s.width, &request, NULL, NULL), SCORE_OK);
		assert_int_equal(n_allocations, before);
		assert_memory_equal(out, s.expected, N_ROWS * s.width * sizeof *out);
	}
	assert_true(n_rows > 4 * N_ROWS); /* shadows too */
	score_endpoint_reader_free(reader);
	score_endpoint_free(endpoint);
	free(request.scratch);
	free(out);
	close_subject(&s);
}

static void allocates_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * N_SUBJECTS; i++) {
		subject s = open_subject(i / 2, i & 1);
		double *out = malloc(N_ROWS * s.width * sizeof *out);
		int before = n_allocations;
		assert_true(before > 0);
		score(&s, N_ROWS, out);
		score(&s, 1, out);
		assert_int_equal(n_allocations, before);
		free(out);
		close_subject(&s);
	}
}

typedef struct job {
	const subject *s;
	double *out;
	int rounds;
} job;

static void *run_job(void *argument)
{
	const job *j = argument;
	for (int i = 0; i < j->rounds; i++)
		score(j->s, N_ROWS, j->out);
	return NULL;
}

/* The same for contributions, which need no covers against a background. */
static void contributions_allocate_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_SUBJECTS; i++) {
		subject s = open_subject(i, false);
		score_explainer *explainer = NULL;
		score_input three = score_input_rows_f64(s.rows, 3, s.spec.n_features);
		assert_int_equal(score_explainer_new(s.model, &three, NULL, &explainer, NULL), SCORE_OK);
		s.options.output = SCORE_OUTPUT_CONTRIBUTION;
		s.options.explainer = explainer;
		s.options.scratch_bytes = score_contribution_scratch_bytes(s.model);
		s.options.scratch = malloc(s.options.scratch_bytes);
		s.width = score_output_width(s.model, &s.options);
		double *out = malloc(N_ROWS * s.width * sizeof *out);
		int before = n_allocations;
		score(&s, 40, out);
		assert_int_equal(n_allocations, before);
		score_explainer_free(explainer);
		free(out);
		close_subject(&s);
	}
}

static void serves_threads(void **state)
{
	(void)state;
	enum { N_THREADS = 4 };
	for (unsigned i = 0; i < N_SUBJECTS; i++) {
		subject shared = open_subject(i, false), own[N_THREADS];
		pthread_t threads[N_THREADS];
		job jobs[N_THREADS];
		size_t bytes = score_scratch_bytes(shared.model);
		for (unsigned t = 0; t < N_THREADS; t++) {
			own[t] = shared;
			own[t].options.scratch = t & 1 ? malloc(bytes) : NULL;
			own[t].options.scratch_bytes = t & 1 ? bytes : 0;
			jobs[t] = (job){&own[t], malloc(N_ROWS * shared.width * sizeof(double)), i == 3 ? 1 : 5};
			assert_int_equal(pthread_create(&threads[t], NULL, run_job, &jobs[t]), 0);
		}
		for (unsigned t = 0; t < N_THREADS; t++) {
			assert_int_equal(pthread_join(threads[t], NULL), 0);
			same_bits(jobs[t].out, shared.expected, N_ROWS * shared.width);
			free(jobs[t].out);
			free(own[t].options.scratch);
		}
		close_subject(&shared);
	}
}

static void ignores_the_hosts_control_word(void **state)
{
	(void)state;
#if defined(__SSE2__)
	/* Flush to zero, denormals are zero, round up. */
	const unsigned host_word = 0x1f80u | 0x8000u | 0x0040u | 0x4000u;
	for (unsigned i = 0; i < 2 * N_SUBJECTS; i++) {
		subject s = open_subject(i / 2, i & 1);
		double *out = malloc(N_ROWS * s.width * sizeof *out);
		unsigned before = _mm_getcsr();
		_mm_setcsr(host_word);
		score(&s, N_ROWS, out);
		unsigned after = _mm_getcsr();
		_mm_setcsr(before);
		assert_int_equal(after & ~0x3fu, host_word);
		same_bits(out, s.expected, N_ROWS * s.width);
		free(out);
		close_subject(&s);
	}
#else
	print_message("not tested: this processor has no SSE control word\n");
	skip();
#endif
}

static void zero_rows_touch_nothing(void **state)
{
	(void)state;
	subject s = open_subject(0, false);
	score_input in = score_input_rows_f64(NULL, 0, s.spec.n_features);
	assert_int_equal(score_batch(s.model, &in, NULL, 0, NULL, NULL), SCORE_OK);
	close_subject(&s);
}

static void says_what_does_not_fit(void **state)
{
	(void)state;
	subject s = open_subject(0, false);
	double out[4];
	score_error error;
	score_input in = score_input_rows_f64(s.rows, 4, s.spec.n_features - 1);
	assert_int_equal(score_batch(s.model, &in, out, 4, NULL, &error), SCORE_ERR_SHAPE);
	assert_non_null(strstr(error.message, "23 columns"));
	in = score_input_rows_f64(s.rows, 5, s.spec.n_features);
	assert_int_equal(score_batch(s.model, &in, out, 4, NULL, &error), SCORE_ERR_SHAPE);
	in = score_input_rows_f64((const double *)(const void *)((const char *)s.rows + 1), 4, s.spec.n_features);
	assert_int_equal(score_batch(s.model, &in, out, 4, NULL, &error), SCORE_ERR_ARGUMENT);
	score_options o = SCORE_OPTIONS_INIT;
	o.tree_end = 61;
	in = score_input_rows_f64(s.rows, 4, s.spec.n_features);
	assert_int_equal(score_batch(s.model, &in, out, 4, &o, &error), SCORE_ERR_ARGUMENT);
	o.tree_end = 0;
	o.regime = SCORE_REGIME_BATCH;
	assert_int_equal(score_batch(s.model, &in, out, 4, &o, &error), SCORE_ERR_ARGUMENT);
	assert_non_null(strstr(error.message, "scratch"));
	const char *names[] = {"f0", "f1", "f1", "other"};
	score_plan *plan = NULL;
	assert_int_equal(score_bind(s.model, names, NULL, 4, &plan, &error), SCORE_ERR_SHAPE);
	assert_null(plan);
	assert_non_null(strstr(error.message, "f2"));
	close_subject(&s);
}

/* What the row regime does not take is said, and served by AUTO all the same. */
static void says_what_the_row_regime_needs(void **state)
{
	(void)state;
	static const struct {
		score_isa isa;
		uint32_t max_leaves, n_features, categories, cuts;
		score_output output;
		const char *says;
	} cases[] = {
		{SCORE_ISA_PORTABLE, 16, 20, 0, 60, SCORE_OUTPUT_MARGIN, "AVX-512"},
		{SCORE_ISA_AVX512, 300, 20, 0, 60, SCORE_OUTPUT_MARGIN, "256 leaves"},
		{SCORE_ISA_AVX512, 64, 200, 0, 60, SCORE_OUTPUT_MARGIN, "128 columns"},
		{SCORE_ISA_AVX512, 16, 4, 0, 2000, SCORE_OUTPUT_MARGIN, "255 cuts"},
		{SCORE_ISA_AVX512, 16, 20, 5, 60, SCORE_OUTPUT_MARGIN, "no categories"},
		{SCORE_ISA_AVX512, 16, 20, 0, 60, SCORE_OUTPUT_LEAF, NULL},
		{SCORE_ISA_AVX512, 16, 20, 0, 60, SCORE_OUTPUT_MARGIN, NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (!score_isa_available(cases[i].isa))
			continue;
		random_spec spec = {.seed = 200 + i, .n_features = cases[i].n_features, .n_outputs = 1, .n_trees = 1000,
			.max_leaves = cases[i].max_leaves, .cuts_per_feature = cases[i].cuts, .compare = SCORE_F32,
			.sum = SCORE_F32, .category_features = cases[i].categories, .isa = cases[i].isa};
		score_model *model = random_model(&spec);
		double row[200] = {0}, out[1000];
		score_error error;
		score_options o = SCORE_OPTIONS_INIT;
		o.output = cases[i].output;
		o.regime = SCORE_REGIME_ROW;
		score_input in = score_input_rows_f64(row, 1, spec.n_features);
		score_status status = score_batch(model, &in, out, 1000, &o, &error);
		assert_int_equal(status, cases[i].says ? SCORE_ERR_ARGUMENT : SCORE_OK);
		if (cases[i].says)
			assert_non_null(strstr(error.message, cases[i].says));
		o.regime = SCORE_REGIME_AUTO;
		assert_int_equal(score_batch(model, &in, out, 1000, &o, &error), SCORE_OK);
		score_model_free(model);
	}
}

static void binds_by_name(void **state)
{
	(void)state;
	subject s = open_subject(0, true);
	uint32_t n = s.spec.n_features;
	/* Columns in reverse order, with one that nobody asked for between each two. */
	const char **names = malloc(2 * n * sizeof *names);
	double *rows = malloc((size_t)N_ROWS * 2 * n * sizeof *rows), *out = malloc(N_ROWS * s.width * sizeof *out);
	for (uint32_t i = 0; i < n; i++) {
		names[2 * i] = score_model_feature_name(s.model, n - 1 - i);
		names[2 * i + 1] = "unused";
		for (size_t r = 0; r < N_ROWS; r++) {
			rows[r * 2 * n + 2 * i] = s.rows[r * n + n - 1 - i];
			rows[r * 2 * n + 2 * i + 1] = 1e9;
		}
	}
	score_plan *plan = NULL;
	assert_int_equal(score_bind(s.model, names, NULL, 2 * n, &plan, NULL), SCORE_OK);
	assert_int_equal(score_plan_column(plan, 0), 2 * n - 2);
	s.options.plan = plan;
	score_input in = score_input_rows_f64(rows, N_ROWS, 2 * n);
	assert_int_equal(score_batch(s.model, &in, out, N_ROWS * s.width, &s.options, NULL), SCORE_OK);
	same_bits(out, s.expected, N_ROWS * s.width);
	score_plan_free(plan);
	free(names);
	free(rows);
	free(out);
	close_subject(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocates_nothing),
		cmocka_unit_test(an_endpoint_allocates_nothing),
		cmocka_unit_test(contributions_allocate_nothing),
		cmocka_unit_test(serves_threads),
		cmocka_unit_test(ignores_the_hosts_control_word),
		cmocka_unit_test(zero_rows_touch_nothing),
		cmocka_unit_test(says_what_does_not_fit),
		cmocka_unit_test(says_what_the_row_regime_needs),
		cmocka_unit_test(binds_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
