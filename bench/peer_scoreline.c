/*
 * Scoreline as a side, with the instruction set that is asked for; beside it, other sides with its model in other regimes and layouts.
 */
#include "contest.h"

#include <scoreline.h>
#include <scoreline/import.h>

#include <stdlib.h>
#include <string.h>

enum { LAYOUT_F32, LAYOUT_F64, LAYOUT_COLUMNS, LAYOUT_ARROW };

typedef struct scoreline_state {
	score_model *model;
	score_options options;
	int layout;
	int borrowed; /* the model is another side's */
	score_column *columns;
} scoreline_state;

contest_side *open_scoreline(const contest_rows *rows, const char *path, int isa);
contest_side *scoreline_beside(const contest_side *owner, int regime, int layout);
int scoreline_describe(contest_side *side, score_model_info *info, uint64_t *scratch_bytes);
const char *scoreline_isa_name(int isa);
const char *scoreline_regime_name(int regime);
void scoreline_close(contest_side *side);

static int score(contest_side *side, int64_t first, int64_t n)
{
	scoreline_state *s = side->state;
	const contest_rows *rows = side->rows;
	score_error error;
	score_input in;
	switch (s->layout) {
	case LAYOUT_F32:
		in = score_input_rows_f32(rows->f32 + first * rows->n_columns, n, rows->n_columns);
		break;
	case LAYOUT_F64:
		in = score_input_rows_f64(rows->f64 + first * rows->n_columns, n, rows->n_columns);
		break;
	default:
		for (int64_t i = 0; i < rows->n_columns; i++)
			s->columns[i].offset = first;
		in = score_input_columns(s->columns, n, rows->n_columns);
	}
	if (score_batch(s->model, &in, side->out + first, (size_t)n, &s->options, &error))
		return contest_fail("score_batch", error.message);
	return 0;
}

static int make_columns(scoreline_state *s, const contest_rows *rows)
{
	s->columns = calloc((size_t)rows->n_columns, sizeof *s->columns);
	if (s->columns == NULL)
		return contest_fail("columns", "no memory");
	for (int64_t i = 0; i < rows->n_columns; i++) {
		s->columns[i].values = rows->columns + i * rows->n_rows;
		s->columns[i].dtype = SCORE_F32;
		if (s->layout == LAYOUT_ARROW)
			s->columns[i].validity = rows->validity + i * ((rows->n_rows + 7) / 8);
	}
	return 0;
}

static int open_model(const char *path, int isa, score_model **model, score_error *error)
{
	size_t length = strlen(path);
	if (length > 4 && strcmp(path + length - 4, ".slm") == 0) {
		score_open_options options = SCORE_OPEN_OPTIONS_INIT;
		options.isa = isa;
		return score_model_open_file(path, &options, model, error);
	}
	score_import_options options = SCORE_IMPORT_OPTIONS_INIT;
	options.isa = isa;
	return score_import_file(path, &options, model, error);
}

static contest_side *side_of(const contest_rows *rows, score_model *model, int borrowed, int regime, int layout)
{
	contest_side *side = contest_new(rows, sizeof(scoreline_state));
	if (side == NULL)
		return NULL;
	scoreline_state *s = side->state;
	s->model = model;
	s->borrowed = borrowed;
	s->options = (score_options)SCORE_OPTIONS_INIT;
	s->options.output = SCORE_OUTPUT_MARGIN;
	s->options.regime = regime;
	s->options.scratch_bytes = score_scratch_bytes(model);
	s->options.scratch = malloc(s->options.scratch_bytes + 1);
	s->layout = layout;
	if (s->options.scratch == NULL || (layout >= LAYOUT_COLUMNS && make_columns(s, rows)))
		return NULL;
	side->score = score;
	return side;
}

contest_side *open_scoreline(const contest_rows *rows, const char *path, int isa)
{
	score_model *model;
	score_error error;
	if (open_model(path, isa, &model, &error)) {
		contest_fail(path, error.message);
		return NULL;
	}
	return side_of(rows, model, 0, SCORE_REGIME_AUTO, LAYOUT_F32);
}

/* The owner's model, in another regime or from another layout of rows, with scratch of its own. The owner must live as long. */
contest_side *scoreline_beside(const contest_side *owner, int regime, int layout)
{
	const scoreline_state *s = owner->state;
	return side_of(owner->rows, s->model, 1, regime, layout);
}

int scoreline_describe(contest_side *side, score_model_info *info, uint64_t *scratch_bytes)
{
	scoreline_state *s = side->state;
	*scratch_bytes = s->options.scratch_bytes;
	info->struct_size = sizeof *info;
	return score_model_get_info(s->model, info);
}

/* NULL if this machine lacks the instruction set. */
const char *scoreline_isa_name(int isa)
{
	return score_isa_available(isa) ? score_isa_name(isa) : NULL;
}

const char *scoreline_regime_name(int regime)
{
	return score_regime_name(regime);
}

void scoreline_close(contest_side *side)
{
	scoreline_state *s = side->state;
	if (!s->borrowed)
		score_model_free(s->model);
	free(s->options.scratch);
	free(s->columns);
	free(s);
	free(side->out);
	free(side);
}
