/*
 * What docs/capture.md leaves to the host, around the block that it shows: a model, a call that was scored, an end on errors.
 * Comes in: a model of three features. The folder calls/ is there.
 */
#include "fragment.h"

int main(int argc, char **argv)
{
	const double row[] = { 25.0, 12.0, 1.0 };
	double out[1];
	int64_t started = INT64_C(1795816800000000000), latency = 1700;
	score_input input = score_input_rows_f64(row, 1, 3);
	score_options score_options = SCORE_OPTIONS_INIT;
	score_model *model;
	score_error error;
	if (argc != 2 || score_model_open_file(argv[1], NULL, &model, &error) ||
		score_batch(model, &input, out, 1, &score_options, &error))
		fail("no model, or no score");
	{
#include BLOCK
	}
	score_model_free(model);
	return 0;
}
