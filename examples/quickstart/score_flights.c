/* Score rows from C: a model file and a file of float rows come in, one margin per line goes out. */
#include <scoreline.h>

#include <stdio.h>

int main(int argc, char **argv)
{
	static float rows[1000 * 12];
	static double margins[1000];
	score_options options = SCORE_OPTIONS_INIT;
	score_model *model;
	score_error error;
	FILE *file = argc == 3 ? fopen(argv[2], "rb") : NULL;
	if (file == NULL || fread(rows, sizeof rows, 1, file) != 1)
		return fprintf(stderr, "usage: score MODEL.slm ROWS.f32 (1,000 rows of 12 floats)\n"), 2;
	fclose(file);

	if (score_model_open_file(argv[1], NULL, &model, &error))
		return fprintf(stderr, "%s\n", error.message), 1;
	options.output = SCORE_OUTPUT_MARGIN;
	score_input input = score_input_rows_f32(rows, 1000, 12);
	if (score_batch(model, &input, margins, 1000, &options, &error))
		return fprintf(stderr, "%s\n", error.message), 1;
	for (int i = 0; i < 1000; i++)
		printf("%.9g\n", margins[i]);
	score_model_free(model);
	if (fflush(stdout) != 0 || ferror(stdout)) /* a full disk */
		return fprintf(stderr, "standard output could not be written\n"), 1;
	return 0;
}
