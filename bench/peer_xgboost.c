/*
 * XGBoost as a side: XGBoosterPredictFromDense, which reads the caller's array in place, on one thread.
 */
#include "contest.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct xgboost_state {
	void *booster;
	int (*create)(void *const *matrices, uint64_t n, void **out);
	int (*load)(void *booster, const char *path);
	int (*set)(void *booster, const char *name, const char *value);
	int (*predict)(void *booster, const char *array, const char *config, void *proxy, const uint64_t **shape,
		uint64_t *n_dims, const float **result);
	const char *(*last_error)(void);
} xgboost_state;

contest_side *open_xgboost(const contest_rows *rows, const char *library_path, const char *model_path);

static int score(contest_side *side, int64_t first, int64_t n)
{
	static const char config[] = "{\"type\": 1, \"training\": false, \"iteration_begin\": 0, \"iteration_end\": 0, "
				     "\"strict_shape\": false, \"missing\": NaN, \"cache_id\": 0}";
	xgboost_state *s = side->state;
	char array[200];
	const uint64_t *shape;
	uint64_t n_dims;
	const float *margins;
	snprintf(array, sizeof array,
		"{\"data\": [%" PRIuPTR ", true], \"shape\": [%" PRId64 ", %" PRId64
		"], \"typestr\": \"<f4\", \"version\": 3}",
		(uintptr_t)(side->rows->f32 + first * side->rows->n_columns), n, side->rows->n_columns);
	if (s->predict(s->booster, array, config, NULL, &shape, &n_dims, &margins))
		return contest_fail("XGBoosterPredictFromDense", s->last_error());
	for (int64_t i = 0; i < n; i++)
		side->out[first + i] = (double)margins[i];
	return 0;
}

contest_side *open_xgboost(const contest_rows *rows, const char *library_path, const char *model_path)
{
	contest_side *side = contest_new(rows, sizeof(xgboost_state));
	void *library = contest_library(library_path);
	if (side == NULL || library == NULL)
		return NULL;
	xgboost_state *s = side->state;
	if (contest_bind(&s->create, library, "XGBoosterCreate") || contest_bind(&s->load, library, "XGBoosterLoadModel") ||
	    contest_bind(&s->set, library, "XGBoosterSetParam") ||
	    contest_bind(&s->predict, library, "XGBoosterPredictFromDense") ||
	    contest_bind(&s->last_error, library, "XGBGetLastError"))
		return NULL;
	if (s->create(NULL, 0, &s->booster) || s->load(s->booster, model_path) || s->set(s->booster, "nthread", "1")) {
		contest_fail(model_path, s->last_error());
		return NULL;
	}
	side->score = score;
	return side;
}
