/*
 * ONNX Runtime as a side, by its C interface: one session on one thread, the caller's rows as input tensor, an output
 * tensor over memory that was allocated before. Its wheel ships the library without headers, so the few entries of its
 * function table that are needed are named here by their position, which never changes: the table only grows.
 */
#include "contest.h"

#include <stdlib.h>

enum {
	ORT_API_VERSION = 1,
	ORT_GET_ERROR_MESSAGE = 2,
	ORT_CREATE_ENV = 3,
	ORT_CREATE_SESSION = 7,
	ORT_RUN = 9,
	ORT_CREATE_SESSION_OPTIONS = 10,
	ORT_SET_INTRA_OP_THREADS = 24,
	ORT_SET_INTER_OP_THREADS = 25,
	ORT_CREATE_TENSOR_WITH_DATA = 49,
	ORT_CREATE_CPU_MEMORY_INFO = 69,
	ORT_RELEASE_VALUE = 96,
	ORT_FLOAT = 1, ORT_WARNINGS = 3, ORT_ARENA = 1, ORT_DEFAULT_MEMORY = 0
};

typedef void any_function(void);
typedef struct ort_api_base {
	any_function *const *(*get_api)(uint32_t version);
	const char *(*get_version)(void);
} ort_api_base;

typedef const char *get_message(const void *status);
typedef void *create_env(int level, const char *id, void **out);
typedef void *create_options(void **out);
typedef void *set_threads(void *options, int n);
typedef void *create_session(void *env, const char *path, const void *options, void **out);
typedef void *create_memory_info(int allocator, int memory, void **out);
typedef void *create_tensor(const void *memory, void *data, size_t size, const int64_t *shape, size_t n_dims, int type,
	void **out);
typedef void *run(void *session, const void *options, const char *const *in_names, const void *const *in, size_t n_in,
	const char *const *out_names, size_t n_out, void **out);
typedef void release(void *value);

typedef struct ort_state {
	any_function *const *api;
	void *session, *memory;
	float *margins;
	const char *in_name, *out_name;
	size_t out_rank; /* some models answer [n], others [n, 1] */
} ort_state;

contest_side *open_onnxruntime(const contest_rows *rows, const char *library_path, const char *model_path,
	const char *in_name, const char *out_name, int out_rank);

static int failed(const ort_state *s, void *status)
{
	return status ? contest_fail("ONNX Runtime", ((get_message *)s->api[ORT_GET_ERROR_MESSAGE])(status)) : 0;
}

static int score(contest_side *side, int64_t first, int64_t n)
{
	ort_state *s = side->state;
	int64_t width = side->rows->n_columns;
	const int64_t in_shape[2] = { n, width }, out_shape[2] = { n, 1 };
	void *in = NULL, *out = NULL;
	create_tensor *tensor = (create_tensor *)s->api[ORT_CREATE_TENSOR_WITH_DATA];
	release *drop = (release *)s->api[ORT_RELEASE_VALUE];
	/* The interface has no const, and an input is only read. */
	void *data = (void *)(uintptr_t)(side->rows->f32 + first * width);
	if (failed(s, tensor(s->memory, data, (size_t)(n * width) * sizeof(float), in_shape, 2, ORT_FLOAT, &in)) ||
	    failed(s, tensor(s->memory, s->margins, (size_t)n * sizeof(float), out_shape, s->out_rank, ORT_FLOAT, &out)))
		return 1;
	const void *inputs[1] = { in };
	if (failed(s, ((run *)s->api[ORT_RUN])(s->session, NULL, &s->in_name, inputs, 1, &s->out_name, 1, &out)))
		return 1;
	drop(in);
	drop(out);
	for (int64_t i = 0; i < n; i++)
		side->out[first + i] = (double)s->margins[i];
	return 0;
}

static int start(ort_state *s, const char *model_path)
{
	void *env, *options;
	return failed(s, ((create_env *)s->api[ORT_CREATE_ENV])(ORT_WARNINGS, "bench", &env)) ||
	       failed(s, ((create_options *)s->api[ORT_CREATE_SESSION_OPTIONS])(&options)) ||
	       failed(s, ((set_threads *)s->api[ORT_SET_INTRA_OP_THREADS])(options, 1)) ||
	       failed(s, ((set_threads *)s->api[ORT_SET_INTER_OP_THREADS])(options, 1)) ||
	       failed(s, ((create_session *)s->api[ORT_CREATE_SESSION])(env, model_path, options, &s->session)) ||
	       failed(s, ((create_memory_info *)s->api[ORT_CREATE_CPU_MEMORY_INFO])(ORT_ARENA, ORT_DEFAULT_MEMORY,
	                                                                            &s->memory));
}

contest_side *open_onnxruntime(const contest_rows *rows, const char *library_path, const char *model_path,
	const char *in_name, const char *out_name, int out_rank)
{
	contest_side *side = contest_new(rows, sizeof(ort_state));
	void *library = contest_library(library_path);
	const ort_api_base *(*get_base)(void);
	if (side == NULL || library == NULL || contest_bind(&get_base, library, "OrtGetApiBase"))
		return NULL;
	ort_state *s = side->state;
	s->api = get_base()->get_api(ORT_API_VERSION);
	s->margins = calloc((size_t)rows->n_rows, sizeof *s->margins);
	s->in_name = in_name;
	s->out_name = out_name;
	s->out_rank = (size_t)out_rank;
	if (s->api == NULL || s->margins == NULL || start(s, model_path))
		return NULL;
	side->score = score;
	return side;
}
