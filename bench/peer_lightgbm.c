/*
 * LightGBM as a side: LGBM_BoosterPredictForMat, and its prepared single-row call for one row, on one thread.
 */
#include "contest.h"

enum { LIGHTGBM_F32 = 0, LIGHTGBM_RAW_SCORE = 1 };

typedef struct lightgbm_state {
	void *booster, *fast;
	int (*load)(const char *path, int *n_iterations, void **out);
	int (*predict)(void *booster, const void *data, int dtype, int32_t n_rows, int32_t n_columns, int row_major, int kind,
		int first_iteration, int n_iterations, const char *parameters, int64_t *n_out, double *out);
	int (*fast_init)(void *booster, int kind, int first_iteration, int n_iterations, int dtype, int32_t n_columns,
		const char *parameters, void **fast);
	int (*predict_fast)(void *fast, const void *data, int64_t *n_out, double *out);
	const char *(*last_error)(void);
} lightgbm_state;

contest_side *open_lightgbm(const contest_rows *rows, const char *library_path, const char *model_path);

static int score(contest_side *side, int64_t first, int64_t n)
{
	lightgbm_state *s = side->state;
	const float *rows = side->rows->f32 + first * side->rows->n_columns;
	int64_t n_out;
	int failed = n == 1 ? s->predict_fast(s->fast, rows, &n_out, side->out + first)
	                    : s->predict(s->booster, rows, LIGHTGBM_F32, (int32_t)n, (int32_t)side->rows->n_columns, 1,
	                                 LIGHTGBM_RAW_SCORE, 0, -1, "num_threads=1", &n_out, side->out + first);
	return failed ? contest_fail("LightGBM's predict", s->last_error()) : 0;
}

contest_side *open_lightgbm(const contest_rows *rows, const char *library_path, const char *model_path)
{
	contest_side *side = contest_new(rows, sizeof(lightgbm_state));
	void *library = contest_library(library_path);
	int n_iterations;
	if (side == NULL || library == NULL)
		return NULL;
	lightgbm_state *s = side->state;
	if (contest_bind(&s->load, library, "LGBM_BoosterCreateFromModelfile") ||
	    contest_bind(&s->predict, library, "LGBM_BoosterPredictForMat") ||
	    contest_bind(&s->fast_init, library, "LGBM_BoosterPredictForMatSingleRowFastInit") ||
	    contest_bind(&s->predict_fast, library, "LGBM_BoosterPredictForMatSingleRowFast") ||
	    contest_bind(&s->last_error, library, "LGBM_GetLastError"))
		return NULL;
	if (s->load(model_path, &n_iterations, &s->booster) ||
	    s->fast_init(s->booster, LIGHTGBM_RAW_SCORE, 0, -1, LIGHTGBM_F32, (int32_t)rows->n_columns, "num_threads=1",
	                 &s->fast)) {
		contest_fail(model_path, s->last_error());
		return NULL;
	}
	side->score = score;
	return side;
}
