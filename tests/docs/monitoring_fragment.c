/*
 * What docs/monitoring.md leaves to the host, around the block that it shows. Afterwards one call must have been counted.
 * Comes in: a model of three features.
 */
#include "fragment.h"

int main(int argc, char **argv)
{
	const double row[] = { 25.0, 12.0, 1.0 };
	double out[1];
	int64_t elapsed = 1700;
	score_input input = score_input_rows_f64(row, 1, 3);
	score_snapshot_info info = { .struct_size = sizeof info };
	score_snapshot *snapshot;
	score_model *model;
	score_error error;
	if (argc != 2 || score_model_open_file(argv[1], NULL, &model, &error) || score_batch(model, &input, out, 1, NULL, &error))
		fail("no model, or no score");
	{
#include BLOCK
		if (score_statistics_snapshot(statistics, &snapshot, &error))
			fail(error.message);
		score_statistics_free(statistics);
	}
	if (score_snapshot_get_info(snapshot, &info) || info.calls != 1 || info.rows != 1)
		fail("not counted");
	score_snapshot_free(snapshot);
	score_model_free(model);
	return 0;
}
