/*
 * Scoreline beside the library that trained the model: same rows, same process, one thread, C entry points on both
 * sides, repetitions in turn (A B A B …), medians, all margins compared bit for bit.
 *
 * Comes in: a folder with the models and rows of train_models.py, paths of libxgboost.so and lib_lightgbm.so, the file
 * for the JSON report, the number of rounds. Goes out: a table, the report, and 1 if a single bit differs.
 */
#define _POSIX_C_SOURCE 200809L
#include <scoreline.h>
#include <scoreline/import.h>

#include <dlfcn.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N_FEATURES = 28, N_ROWS = 100000, N_SINGLE = 1000, MAX_ROUNDS = 64 };

/* ---- the peers' C interfaces, as their public headers declare them -------------------------------- */

typedef struct xgboost_api {
	int (*create)(void *const *matrices, uint64_t n, void **out);
	int (*load)(void *booster, const char *path);
	int (*set)(void *booster, const char *name, const char *value);
	int (*predict)(void *booster, const char *array, const char *config, void *proxy, const uint64_t **shape,
		uint64_t *n_dims, const float **result);
	const char *(*last_error)(void);
} xgboost_api;

typedef struct lightgbm_api {
	int (*load)(const char *path, int *n_iterations, void **out);
	int (*predict)(void *booster, const void *data, int dtype, int32_t n_rows, int32_t n_columns, int row_major, int kind,
		int first_iteration, int n_iterations, const char *parameters, int64_t *n_out, double *out);
	int (*fast_init)(void *booster, int kind, int first_iteration, int n_iterations, int dtype, int32_t n_columns,
		const char *parameters, void **fast);
	int (*fast)(void *fast, const void *data, int64_t *n_out, double *out);
	const char *(*last_error)(void);
} lightgbm_api;

enum { LIGHTGBM_F32 = 0, LIGHTGBM_RAW_SCORE = 1 };

/* ---- one model in two libraries ------------------------------------------------------------------- */

typedef struct contest {
	const char *name;
	score_model *model;
	score_options options;
	xgboost_api xgboost;
	lightgbm_api lightgbm;
	void *booster;  /* the peer's */
	void *fast;     /* LightGBM's prepared single row */
	const float *rows;
	double *own;    /* [N_ROWS] */
	double *peer;   /* [N_ROWS] */
} contest;

typedef struct result {
	const char *name;
	int64_t batch;
	double own_ns, peer_ns; /* per row, medians over the rounds */
	int64_t differing;
} result;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_peers: %s: %s\n", what, why ? why : "?");
	exit(1);
}

static void *symbol(void *library, const char *name)
{
	void *found = dlsym(library, name);
	if (found == NULL)
		die(name, dlerror());
	return found;
}

/* ISO C has no cast from void * to a function pointer; POSIX promises that the bits are the same. */
#define BIND(slot, library, name) \
	do { \
		void *found = symbol(library, name); \
		memcpy(&(slot), &found, sizeof found); \
	} while (0)

static void open_xgboost(contest *c, const char *library_path, const char *model_path)
{
	xgboost_api *api = &c->xgboost;
	void *library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		die(library_path, dlerror());
	BIND(api->create, library, "XGBoosterCreate");
	BIND(api->load, library, "XGBoosterLoadModel");
	BIND(api->set, library, "XGBoosterSetParam");
	BIND(api->predict, library, "XGBoosterPredictFromDense");
	BIND(api->last_error, library, "XGBGetLastError");
	if (api->create(NULL, 0, &c->booster) || api->set(c->booster, "nthread", "1") ||
	    api->load(c->booster, model_path) || api->set(c->booster, "nthread", "1"))
		die(model_path, api->last_error());
}

static void open_lightgbm(contest *c, const char *library_path, const char *model_path)
{
	lightgbm_api *api = &c->lightgbm;
	int n_iterations;
	void *library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		die(library_path, dlerror());
	BIND(api->load, library, "LGBM_BoosterCreateFromModelfile");
	BIND(api->predict, library, "LGBM_BoosterPredictForMat");
	BIND(api->fast_init, library, "LGBM_BoosterPredictForMatSingleRowFastInit");
	BIND(api->fast, library, "LGBM_BoosterPredictForMatSingleRowFast");
	BIND(api->last_error, library, "LGBM_GetLastError");
	if (api->load(model_path, &n_iterations, &c->booster) ||
	    api->fast_init(c->booster, LIGHTGBM_RAW_SCORE, 0, -1, LIGHTGBM_F32, N_FEATURES, "num_threads=1", &c->fast))
		die(model_path, api->last_error());
}

static void open_own(contest *c, const char *model_path)
{
	score_error error;
	const score_options margins = { sizeof margins, SCORE_OUTPUT_MARGIN, SCORE_REGIME_AUTO, 0, 0, NULL, NULL, 0 };
	if (score_import_file(model_path, NULL, &c->model, &error))
		die(model_path, error.message);
	c->options = margins;
	c->options.scratch_bytes = score_scratch_bytes(c->model);
	c->options.scratch = malloc(c->options.scratch_bytes + 1);
	c->own = calloc(N_ROWS, sizeof *c->own);
	c->peer = calloc(N_ROWS, sizeof *c->peer);
	if (c->options.scratch == NULL || c->own == NULL || c->peer == NULL)
		die(model_path, "no memory");
}

/* ---- scoring rows [first, first + n) ---------------------------------------------------------------- */

static void score_own(contest *c, int64_t first, int64_t n)
{
	score_error error;
	score_input input = score_input_rows_f32(c->rows + first * N_FEATURES, n, N_FEATURES);
	if (score_batch(c->model, &input, c->own + first, (size_t)n, &c->options, &error))
		die(c->name, error.message);
}

static void score_xgboost(contest *c, int64_t first, int64_t n)
{
	static const char config[] = "{\"type\": 1, \"training\": false, \"iteration_begin\": 0, \"iteration_end\": 0, "
				     "\"strict_shape\": false, \"missing\": NaN, \"cache_id\": 0}";
	char array[200];
	const uint64_t *shape;
	uint64_t n_dims;
	const float *margins;
	snprintf(array, sizeof array,
		"{\"data\": [%" PRIuPTR ", true], \"shape\": [%" PRId64 ", %d], \"typestr\": \"<f4\", \"version\": 3}",
		(uintptr_t)(c->rows + first * N_FEATURES), n, (int)N_FEATURES);
	if (c->xgboost.predict(c->booster, array, config, NULL, &shape, &n_dims, &margins))
		die(c->name, c->xgboost.last_error());
	for (int64_t i = 0; i < n; i++)
		c->peer[first + i] = (double)margins[i];
}

static void score_lightgbm(contest *c, int64_t first, int64_t n)
{
	int64_t n_out;
	const float *rows = c->rows + first * N_FEATURES;
	int failed = n == 1 ? c->lightgbm.fast(c->fast, rows, &n_out, c->peer + first)
	                    : c->lightgbm.predict(c->booster, rows, LIGHTGBM_F32, (int32_t)n, N_FEATURES, 1,
	                                          LIGHTGBM_RAW_SCORE, 0, -1, "num_threads=1", &n_out, c->peer + first);
	if (failed)
		die(c->name, c->lightgbm.last_error());
}

static void score_peer(contest *c, int64_t first, int64_t n)
{
	if (c->fast == NULL)
		score_xgboost(c, first, n);
	else
		score_lightgbm(c, first, n);
}

/* ---- measuring -------------------------------------------------------------------------------------- */

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Nanoseconds per row of rows [0, n), `batch` rows per call. */
static double timed(void (*score)(contest *, int64_t, int64_t), contest *c, int64_t n, int64_t batch)
{
	double began = now_ns();
	for (int64_t first = 0; first < n; first += batch)
		score(c, first, batch);
	return (now_ns() - began) / (double)n;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof *values, ascending);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static result measure(contest *c, int64_t n, int64_t batch, int rounds)
{
	double own[MAX_ROUNDS], peer[MAX_ROUNDS];
	result r = { c->name, batch, 0, 0, 0 };
	timed(score_own, c, n, batch);
	for (int i = 0; i < rounds; i++) {
		own[i] = timed(score_own, c, n, batch);
		peer[i] = timed(score_peer, c, n, batch);
	}
	r.own_ns = median(own, rounds);
	r.peer_ns = median(peer, rounds);
	for (int64_t i = 0; i < n; i++)
		r.differing += memcmp(&c->own[i], &c->peer[i], sizeof(double)) != 0;
	return r;
}

/* ---- report ----------------------------------------------------------------------------------------- */

static void print_table(const result *results, int n, const char *isa)
{
	printf("one thread, %d features, C entry points on both sides, medians of repetitions in turn, kernels: %s\n\n",
		(int)N_FEATURES, isa);
	printf("%-26s %8s %14s %14s %9s %10s\n", "model", "batch", "scoreline", "its library", "ratio", "differing");
	printf("%-26s %8s %14s %14s %9s %10s\n", "", "rows", "ns per row", "ns per row", "", "rows");
	for (int i = 0; i < n; i++)
		printf("%-26s %8" PRId64 " %14.1f %14.1f %8.1fx %10" PRId64 "\n", results[i].name, results[i].batch,
			results[i].own_ns, results[i].peer_ns, results[i].peer_ns / results[i].own_ns,
			results[i].differing);
}

static void write_report(const char *path, const result *results, int n, const char *isa, int rounds)
{
	FILE *f = fopen(path, "w");
	if (f == NULL)
		die(path, "cannot be written");
	fprintf(f, "{\"isa\": \"%s\", \"rounds\": %d, \"results\": [", isa, rounds);
	for (int i = 0; i < n; i++)
		fprintf(f,
			"%s\n  {\"model\": \"%s\", \"batch\": %" PRId64 ", \"scoreline_ns\": %.2f, \"peer_ns\": %.2f, "
			"\"ratio\": %.3f, \"differing_rows\": %" PRId64 "}",
			i ? "," : "", results[i].name, results[i].batch, results[i].own_ns, results[i].peer_ns,
			results[i].peer_ns / results[i].own_ns, results[i].differing);
	fprintf(f, "\n]}\n");
	if (fclose(f))
		die(path, "cannot be written");
}

static float *read_rows(const char *folder)
{
	char path[4096];
	float *rows = malloc((size_t)N_ROWS * N_FEATURES * sizeof *rows);
	FILE *f;
	snprintf(path, sizeof path, "%s/rows.f32", folder);
	f = fopen(path, "rb");
	if (rows == NULL || f == NULL || fread(rows, sizeof *rows * N_FEATURES, N_ROWS, f) != N_ROWS)
		die(path, "100,000 rows of 28 floats were expected; delete the folder to make it anew");
	fclose(f);
	return rows;
}

int main(int argc, char **argv)
{
	char path[4096];
	contest contests[2] = { { .name = "XGBoost 500 x depth 6" }, { .name = "LightGBM 500 x 31 leaves" } };
	result results[4];
	score_model_info info = { .struct_size = sizeof info };
	int64_t differing = 0;
	int rounds = argc == 6 ? atoi(argv[5]) : 0;
	if (rounds < 1 || rounds > MAX_ROUNDS)
		die("usage", "bench_peers FOLDER LIBXGBOOST LIB_LIGHTGBM REPORT.json ROUNDS");

	float *rows = read_rows(argv[1]);
	contests[0].rows = contests[1].rows = rows;
	snprintf(path, sizeof path, "%s/xgboost.ubj", argv[1]);
	open_own(&contests[0], path);
	open_xgboost(&contests[0], argv[2], path);
	snprintf(path, sizeof path, "%s/lightgbm.txt", argv[1]);
	open_own(&contests[1], path);
	open_lightgbm(&contests[1], argv[3], path);
	if (score_model_get_info(contests[0].model, &info))
		die("score_model_get_info", "failed");

	for (int i = 0; i < 2; i++) {
		results[i] = measure(&contests[i], N_ROWS, N_ROWS, rounds);
		results[2 + i] = measure(&contests[i], N_SINGLE, 1, rounds);
	}
	print_table(results, 4, score_isa_name(info.isa));
	write_report(argv[4], results, 4, score_isa_name(info.isa), rounds);
	for (int i = 0; i < 4; i++)
		differing += results[i].differing;
	for (int i = 0; i < 2; i++) {
		score_model_free(contests[i].model);
		free(contests[i].options.scratch);
		free(contests[i].own);
		free(contests[i].peer);
	}
	free(rows);
	return differing != 0;
}
