/*
 * How much memory opening a model takes, beside its file.
 *
 *   open_memory MODEL.slm …
 *
 * Prints a line of JSON per file: its bytes, the most that the allocator had handed out at once while score_model_open_file()
 * read it (with SCORE_OPEN_MMAP and without), what the model keeps, and what an explainer of 64 rows takes beside that.
 */
#include <scoreline.h>

#include <stdio.h>
#include <stdlib.h>

typedef struct counter {
	size_t held, most;
} counter;

static void *count_alloc(void *context, size_t size, size_t align)
{
	counter *c = context;
	size_t a = align < sizeof(max_align_t) ? sizeof(max_align_t) : align;
	void *memory = aligned_alloc(a, (size + a - 1) / a * a);
	if (memory != NULL)
		c->held += size;
	c->most = c->held > c->most ? c->held : c->most;
	return memory;
}

static void count_free(void *context, void *memory, size_t size, size_t align)
{
	(void)align;
	((counter *)context)->held -= size;
	free(memory);
}

static int open_counted(const char *path, uint32_t flags, counter *c, score_allocator *allocator, score_model **model)
{
	score_open_options options = SCORE_OPEN_OPTIONS_INIT;
	score_error error;
	*c = (counter){ 0, 0 };
	*allocator = (score_allocator){ count_alloc, count_free, c };
	options.allocator = allocator;
	options.flags = flags;
	int failed = score_model_open_file(path, &options, model, &error) != SCORE_OK;
	if (failed)
		fprintf(stderr, "open_memory: %s: %s\n", path, error.message);
	return failed;
}

static size_t explainer_bytes(const score_model *model, uint32_t n_features, counter *c)
{
	enum { ROWS = 64 };
	double *rows = calloc((size_t)ROWS * n_features, sizeof *rows);
	score_input input = score_input_rows_f64(rows, ROWS, n_features);
	score_explainer *explainer = NULL;
	size_t before = c->held, bytes = 0;
	if (rows != NULL && score_explainer_new(model, &input, NULL, &explainer, NULL) == SCORE_OK)
		bytes = c->held - before;
	score_explainer_free(explainer);
	free(rows);
	return bytes;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return fprintf(stderr, "usage: open_memory MODEL.slm ...\n"), 2;
	for (int i = 1; i < argc; i++) {
		counter read, mapped;
		score_allocator allocator;
		score_model *model = NULL;
		score_model_info info = { .struct_size = sizeof info };
		if (open_counted(argv[i], 0, &read, &allocator, &model))
			return 1;
		score_model_free(model);
		if (open_counted(argv[i], SCORE_OPEN_MMAP, &mapped, &allocator, &model) ||
			score_model_get_info(model, &info) != SCORE_OK)
			return 1;
		size_t kept = mapped.held;
		printf("{\"model\": \"%s\", \"file\": %llu, \"peak_read\": %zu, \"peak_mapped\": %zu, \"kept\": %zu, \"explainer\": %zu, "
		       "\"peak_per_byte\": %.2f, \"kept_per_byte\": %.2f}\n", argv[i], (unsigned long long)info.file_bytes, read.most,
			mapped.most, kept, explainer_bytes(model, info.n_features, &mapped), (double)read.most / (double)info.file_bytes,
			(double)kept / (double)info.file_bytes);
		score_model_free(model);
		if (mapped.held != 0)
			return fprintf(stderr, "open_memory: %s: %zu bytes were not freed\n", argv[i], mapped.held), 1;
	}
	return 0;
}
