/*
 * What docs/features.md leaves to the host, around the block that it shows: a model, a table, a request that has a key and an
 * amount. The lookup must change the score.
 * Comes in: a model of the features amount, avg_transaction_amount and transaction_frequency, a table of the last two, a key that
 * it has.
 */
#include "fragment.h"

int main(int argc, char **argv)
{
	static const char *const request_names[] = { "customer_id", "amount" };
	static const score_dtype request_types[] = { SCORE_I64, SCORE_F64 };
	const int64_t keys[] = { 4711, -1 };
	const double amounts[] = { 50, 50 };
	const int64_t n_rows = 2, n_columns = 2;
	const size_t out_len = 2;
	double out[2];
	score_column columns[] = { { .values = keys, .dtype = SCORE_I64 }, { .values = amounts, .dtype = SCORE_F64 } };
	score_input request = score_input_columns(columns, n_rows, n_columns), rows;
	score_options options = SCORE_OPTIONS_INIT;
	score_table_source *profile;
	score_feature_plan *plan;
	score_model *model;
	score_error error;
	if (argc != 3 || score_model_open_file(argv[1], NULL, &model, &error) ||
		score_table_source_open(argv[2], NULL, &profile, &error))
		fail("no model, or no table");
	{
#include BLOCK
		free(scratch);
	}
	if (out[0] == out[1])
		fail("the customer is as good as unknown");
	score_feature_plan_free(plan);
	score_table_source_free(profile);
	score_model_free(model);
	return 0;
}
