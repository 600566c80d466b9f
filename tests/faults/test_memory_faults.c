/*
 * Every allocation failed in turn, once and from there on, while a model is imported from each format, built, saved, opened,
 * bound and explained: no crash, nothing kept, no object, SCORE_ERR_MEMORY and a message. The linker counts what the library
 * would allocate behind the caller's allocator: nothing.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random_model.h"

#include <scoreline/import.h>

/* ---- behind the allocator ------------------------------------------------------------------------------------------ */

static int inside, n_hidden; /* in a call of the library; allocations that did not go through its allocator */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
	n_hidden += inside;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	n_hidden += inside;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	n_hidden += inside;
	return __real_realloc(p, size);
}

typedef struct budget {
	size_t n;       /* allocations so far */
	size_t fail_at; /* the first that fails */
	int once;       /* only that one */
	size_t held;
} budget;

static void *budget_alloc(void *context, size_t size, size_t align)
{
	budget *b = context;
	size_t number = b->n++;
	if (b->once ? number == b->fail_at : number >= b->fail_at)
		return NULL;
	b->held += size;
	size_t a = align < 16 ? 16 : align;
	return aligned_alloc(a, (size + a - 1) & ~(a - 1));
}

static void budget_free(void *context, void *pointer, size_t size, size_t align)
{
	(void)align;
	((budget *)context)->held -= size;
	free(pointer);
}

/* ---- the calls ------------------------------------------------------------------------------------------------------ */

typedef struct subject {
	const void *data; /* a file, or NULL: random_model() */
	size_t size;
	score_format format; /* AUTO: `.slm` */
	score_isa isa;
} subject;

/* What is done with a model; the first failure ends it. `*out` is the object of the last call. */
static score_status use_model(const score_model *model, void **out, score_error *error)
{
	static const double row[3000];
	score_model_info info = {.struct_size = sizeof info};
	score_plan *plan = NULL;
	score_explainer *explainer = NULL;
	void *bytes = NULL;
	size_t size = 0;
	assert_int_equal(score_model_get_info(model, &info), SCORE_OK);
	const char **names = __real_malloc(info.n_features * sizeof *names);
	for (uint32_t i = 0; i < info.n_features; i++)
		names[i] = score_model_feature_name(model, i);
	score_status status = score_model_save_memory(model, NULL, &bytes, &size, error);
	*out = bytes;
	if (status == SCORE_OK) {
		score_model_free_bytes(model, bytes, size);
		status = score_bind(model, names, NULL, info.n_features, &plan, error);
		*out = plan;
	}
	if (status == SCORE_OK && info.kind == SCORE_KIND_TREES && info.n_features <= 1500) {
		score_input background = score_input_rows_f64(row, 2, info.n_features);
		status = score_explainer_new(model, &background, NULL, &explainer, error);
		*out = explainer;
		if (status == SCORE_ERR_UNSUPPORTED) { /* linear leaves */
			assert_null(explainer);
			status = SCORE_OK;
		}
	}
	score_explainer_free(explainer);
	score_plan_free(plan);
	free(names);
	return status;
}

static score_status run(const subject *s, const score_allocator *allocator, void **out, score_error *error)
{
	score_model *model = NULL;
	score_status status;
	score_open_options open = SCORE_OPEN_OPTIONS_INIT;
	score_import_options import = SCORE_IMPORT_OPTIONS_INIT;
	open.allocator = import.allocator = allocator;
	open.flags = SCORE_OPEN_VERIFY;
	open.isa = s->isa;
	import.format = s->format;
	inside = 1;
	if (s->format == SCORE_FORMAT_AUTO)
		status = score_model_open_memory(s->data, s->size, &open, &model, error);
	else
		status = score_import_memory(s->data, s->size, &import, &model, error);
	inside = 0;
	*out = model;
	if (status == SCORE_OK) {
		inside = 1;
		status = use_model(model, out, error);
		inside = 0;
		if (status == SCORE_OK)
			*out = NULL;
	}
	score_model_free(model);
	return status;
}

/* Failing the k-th of all, for every k; large models' hundreds of allocations in steps. */
static size_t fail_each(const subject *s, const char *name, int once)
{
	size_t n_faults = 0;
	for (size_t k = 0;; k++) {
		budget b = {.fail_at = k, .once = once};
		score_allocator allocator = {budget_alloc, budget_free, &b};
		score_error error;
		void *out = NULL;
		memset(&error, 0x5a, sizeof error);
		score_status status = run(s, &allocator, &out, &error);
		assert_int_equal(b.held, 0);
		if (status == SCORE_OK && b.n <= k)
			return n_faults;
		n_faults++;
		if (status == SCORE_OK && once)
			continue; /* memory that it could do without: the golden rows' search, for one */
		if (status != SCORE_ERR_MEMORY || out != NULL)
			fail_msg("%s, allocation %zu: %s (%s), object %p", name, k, score_status_name(status), error.message, out);
		assert_int_equal(error.code, SCORE_ERR_MEMORY);
		assert_true(error.message[0] != '\0' && memchr(error.message, 0, sizeof error.message) != NULL);
	}
}

static void *read_data(const char *name, size_t *size)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", getenv("SCORELINE_TEST_DATA"), name);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	fseek(f, 0, SEEK_END);
	*size = (size_t)ftell(f);
	rewind(f);
	void *data = __real_malloc(*size);
	assert_int_equal(fread(data, 1, *size, f), *size);
	fclose(f);
	return data;
}

static void imports_survive(void **state)
{
	static const struct {
		const char *name;
		score_format format;
	} files[] = {
		{"format/stump.slm", SCORE_FORMAT_AUTO},
		{"format/derived.slm", SCORE_FORMAT_AUTO},
		{"xgboost/categorical-3.2.0.json", SCORE_FORMAT_XGBOOST_JSON},
		{"xgboost/regression-3.2.0.ubj", SCORE_FORMAT_XGBOOST_UBJSON},
		{"lightgbm/categorical.txt", SCORE_FORMAT_LIGHTGBM_TEXT},
		{"lightgbm/linear.txt", SCORE_FORMAT_LIGHTGBM_TEXT},
		{"catboost/one_hot-1.2.10.json", SCORE_FORMAT_CATBOOST_JSON},
#ifdef SL_HAVE_ONNX
		{"onnx/pipeline.onnx", SCORE_FORMAT_ONNX},
		{"onnx/classifier.onnx", SCORE_FORMAT_ONNX},
#endif
	};
	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		subject s = {.format = files[i].format};
		void *data = read_data(files[i].name, &s.size);
		s.data = data;
		n_hidden = 0;
		size_t n = fail_each(&s, files[i].name, 0);
		size_t n_once = fail_each(&s, files[i].name, 1);
		printf("%s: %zu faults\n", files[i].name, n + n_once);
		assert_true(n > 5);
		assert_int_equal(n_hidden, 0);
		free(data);
	}
}

/* A model, opened with each of its allocations failed in turn. */
static void opening_survives(const random_spec *spec, score_isa isa)
{
	score_model *model = random_model(spec);
	void *bytes = NULL;
	subject s = {.format = SCORE_FORMAT_AUTO, .isa = isa};
	assert_int_equal(score_model_save_memory(model, NULL, &bytes, &s.size, NULL), SCORE_OK);
	s.data = bytes;
	assert_true(fail_each(&s, "random", 0) > 5);
	assert_true(fail_each(&s, "random", 1) > 5);
	score_model_free_bytes(model, bytes, s.size);
	score_model_free(model);
}

/* Every way in which the engine lays trees out: heaps, masks, blocks, levels, folds, pages of codes of one byte and of two. */
static void trees_of_every_shape_survive(void **state)
{
	static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2, SCORE_ISA_AVX512, SCORE_ISA_NEON};
	static const struct {
		uint32_t leaves, leafwise, levels, cuts;
	} shapes[] = {{64, 0, 0, 100}, {30, 1, 0, 100}, {60, 1, 0, 100}, {200, 0, 0, 100}, {64, 0, 6, 100}, {900, 0, 0, 100},
		{900, 0, 0, 600}};
	(void)state;
	for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		const random_spec spec = {.seed = 60 + i, .n_features = 6, .n_outputs = 1, .n_trees = 4, .max_leaves = shapes[i].leaves,
			.leafwise = shapes[i].leafwise, .most_levels = shapes[i].levels, .all_levels = shapes[i].levels != 0,
			.cuts_per_feature = shapes[i].cuts, .compare = SCORE_F32, .sum = SCORE_F64};
		for (size_t k = 0; k < sizeof isas / sizeof isas[0]; k++) {
			if (score_isa_available(isas[k]))
				opening_survives(&spec, isas[k]);
		}
	}
}

static void random_models_survive(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		random_spec spec = {.seed = 40 + i, .n_features = 6, .n_outputs = 1 + i % 2, .n_trees = 4, .max_leaves = 12,
			.cuts_per_feature = 9, .category_features = i, .vector_leaves = i == 1, .n_derived = 2 * i, .linear_leaves = i == 2,
			.compare = SCORE_F64, .sum = SCORE_F64};
		opening_survives(&spec, SCORE_ISA_AUTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(imports_survive),
		cmocka_unit_test(random_models_survive),
		cmocka_unit_test(trees_of_every_shape_survive),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
