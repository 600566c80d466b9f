/*
 * Libraries whose scoring is one C function that Python hands over by address: tl2cgen's generated predict(), lleaves'
 * compiled forest, and Treelite's own interpreter (GTIL).
 *
 * tl2cgen takes an array of unions per row, in which NaN cannot stand: -1 in the integer member means missing. As a float
 * those bits are a NaN, so rows whose NaNs are all ones are such an array already. Python makes them so beforehand; the
 * conversion that a host would need is not counted against it.
 */
#include "contest.h"

#include <string.h>

typedef void predict_row_f32(const void *row, int margin, float *out);
typedef void predict_row_f64(const void *row, int margin, double *out);
typedef void predict_range(const double *rows, double *out, int32_t first, int32_t end);
typedef int predict_gtil(void *model, const void *rows, const char *type, uint64_t n, void *out, void *config);

typedef struct compiled_state {
	predict_row_f32 *row_f32;
	predict_row_f64 *row_f64;
	predict_range *range;
	predict_gtil *gtil;
	void *model, *config;
	int is_f32;
} compiled_state;

contest_side *open_tl2cgen(const contest_rows *rows, const char *library_path, int is_f32);
contest_side *open_lleaves(const contest_rows *rows, void *function);
contest_side *open_gtil(const contest_rows *rows, const char *library_path, void *model, void *config, int is_f32);

static int score_tl2cgen(contest_side *side, int64_t first, int64_t n)
{
	const compiled_state *s = side->state;
	int64_t width = side->rows->n_columns;
	for (int64_t i = first; i < first + n; i++) {
		side->out[i] = 0.0;
		if (s->is_f32) {
			float margin = 0.0F;
			s->row_f32(side->rows->f32 + i * width, 1, &margin);
			side->out[i] = (double)margin;
		} else {
			s->row_f64(side->rows->f64 + i * width, 1, side->out + i);
		}
	}
	return 0;
}

contest_side *open_tl2cgen(const contest_rows *rows, const char *library_path, int is_f32)
{
	contest_side *side = contest_new(rows, sizeof(compiled_state));
	void *library = contest_library(library_path);
	if (side == NULL || library == NULL)
		return NULL;
	compiled_state *s = side->state;
	s->is_f32 = is_f32;
	if (is_f32 ? contest_bind(&s->row_f32, library, "predict") : contest_bind(&s->row_f64, library, "predict"))
		return NULL;
	side->score = score_tl2cgen;
	return side;
}

static int score_lleaves(contest_side *side, int64_t first, int64_t n)
{
	const compiled_state *s = side->state;
	memset(side->out + first, 0, (size_t)n * sizeof *side->out);
	s->range(side->rows->f64 + first * side->rows->n_columns, side->out + first, 0, (int32_t)n);
	return 0;
}

contest_side *open_lleaves(const contest_rows *rows, void *function)
{
	contest_side *side = contest_new(rows, sizeof(compiled_state));
	if (side == NULL)
		return NULL;
	compiled_state *s = side->state;
	memcpy(&s->range, &function, sizeof function);
	side->score = score_lleaves;
	return side;
}

static int score_gtil(contest_side *side, int64_t first, int64_t n)
{
	const compiled_state *s = side->state;
	int64_t at = first * side->rows->n_columns;
	if (!s->is_f32)
		return s->gtil(s->model, side->rows->f64 + at, "float64", (uint64_t)n, side->out + first, s->config)
		               ? contest_fail("TreeliteGTILPredict", "failed") : 0;
	/* Its floats are written into the doubles' own memory and widened from the last to the first. */
	float *narrow = (float *)(void *)(side->out + first);
	if (s->gtil(s->model, side->rows->f32 + at, "float32", (uint64_t)n, narrow, s->config))
		return contest_fail("TreeliteGTILPredict", "failed");
	for (int64_t i = n; i-- > 0;) {
		float margin;
		double wide;
		memcpy(&margin, (char *)narrow + (size_t)i * sizeof margin, sizeof margin);
		wide = (double)margin;
		memcpy(side->out + first + i, &wide, sizeof wide);
	}
	return 0;
}

contest_side *open_gtil(const contest_rows *rows, const char *library_path, void *model, void *config, int is_f32)
{
	contest_side *side = contest_new(rows, sizeof(compiled_state));
	void *library = contest_library(library_path);
	if (side == NULL || library == NULL)
		return NULL;
	compiled_state *s = side->state;
	s->model = model;
	s->config = config;
	s->is_f32 = is_f32;
	if (contest_bind(&s->gtil, library, "TreeliteGTILPredict"))
		return NULL;
	side->score = score_gtil;
	return side;
}
