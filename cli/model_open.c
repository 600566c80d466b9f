/*
 * A model from any file that Scoreline knows.
 *
 * Comes in: a path. Goes out: the model and what its file was. The content decides between .slm and the formats of
 * other libraries.
 */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* docs/format.md */
#define SLM_MAGIC "\x89SLM"
#define SLM_MAGIC_BYTES 4
#define MOST_SIGNED_BYTES ((size_t)1 << 30) /* what the library opens by default */
/* Enough to name the format of an imported file. The importer itself looks at all of it. */
#define DETECT_BYTES 65536

/* The start of the file, enough to tell formats apart, and its size. */
static int read_start(const char *path, unsigned char *start, size_t *length, uint64_t *file_bytes)
{
	struct stat st;
	FILE *file;
	int code = CLI_OK;
	if (stat(path, &st) != 0)
		return cli_fail(path, "cannot be opened: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return cli_fail(path, "is not a regular file; expected a model file");
	file = fopen(path, "rb");
	if (file == NULL)
		return cli_fail(path, "cannot be opened: %s", strerror(errno));
	*length = fread(start, 1, DETECT_BYTES, file);
	*file_bytes = (uint64_t)st.st_size;
	if (ferror(file))
		code = cli_fail(path, "cannot be read");
	else if (*length == 0)
		code = cli_fail(path, "is empty; expected a model file");
	fclose(file);
	return code;
}

static score_status open_any(const char *path, const cli_model_options *options, cli_model *out, score_error *error)
{
	if (out->is_slm) {
		score_open_options open = SCORE_OPEN_OPTIONS_INIT;
		open.isa = options->isa;
		return score_model_open_file(path, &open, &out->model, error);
	} else {
		score_import_options import = SCORE_IMPORT_OPTIONS_INIT;
		import.isa = options->isa;
		import.iteration_begin = options->iteration_begin;
		import.iteration_end = options->iteration_end;
		import.onnx_compat = options->onnx_compat;
		import.missing = options->missing;
		return score_import_file(path, &import, &out->model, error);
	}
}

static bool is_slm(const unsigned char *start, size_t length)
{
	return length >= SLM_MAGIC_BYTES && memcmp(start, SLM_MAGIC, SLM_MAGIC_BYTES) == 0;
}

static int describe(const char *path, cli_model *out)
{
	out->info.struct_size = sizeof out->info;
	if (score_model_get_info(out->model, &out->info) == SCORE_OK)
		return CLI_OK;
	cli_model_close(out);
	return cli_fail(path, "the library does not describe the model; is it older than this command?");
}

int cli_model_open_signed(const char *path, const char *signature, const char *public_key, cli_model *out)
{
	unsigned char *bytes;
	size_t size;
	score_error error;
	int code = cli_read_whole(path, MOST_SIGNED_BYTES, &bytes, &size);
	memset(out, 0, sizeof *out);
	if (code != CLI_OK)
		return code;
	code = cli_check_signature(path, bytes, size, signature, public_key);
	if (code == CLI_OK && !is_slm(bytes, size))
		code = cli_fail(path, "is signed, but is no .slm file; signatures are for what `scoreline convert` wrote");
	out->is_slm = true;
	out->file_bytes = size;
	/* From the bytes that were checked: the file may be another one by now. */
	if (code == CLI_OK && score_model_open_memory(bytes, size, NULL, &out->model, &error) != SCORE_OK)
		code = cli_fail_library(path, &error, NULL);
	free(bytes);
	return code == CLI_OK ? describe(path, out) : code;
}

int cli_model_open(const char *path, const cli_model_options *options, cli_model *out)
{
	static unsigned char start[DETECT_BYTES];
	score_error error;
	size_t length = 0;
	int code;
	memset(out, 0, sizeof *out);
	code = read_start(path, start, &length, &out->file_bytes);
	if (code != CLI_OK)
		return code;
	out->is_slm = is_slm(start, length);
	out->format = score_import_detect(start, length);
	if (out->is_slm && options->iteration_end != 0)
		return cli_fail(path, "--iterations works only on model files of other libraries");
	if (out->is_slm && options->missing != NULL)
		return cli_fail(path, "--missing works only on model files of XGBoost");
	if (options->is_onnx && (out->is_slm || (out->format != SCORE_FORMAT_AUTO && out->format != SCORE_FORMAT_ONNX)))
		return cli_fail(path, "--onnx-compat works only on ONNX files, and this is %s",
			out->is_slm ? "a Scoreline .slm file" : score_format_name(out->format));
	if (open_any(path, options, out, &error) != SCORE_OK)
		return cli_fail_library(path, &error, NULL);
	return describe(path, out);
}

void cli_model_close(cli_model *model)
{
	score_model_free(model->model);
	model->model = NULL;
}

const char *cli_model_format_name(const cli_model *model)
{
	const char *library;
	if (model->is_slm)
		return "Scoreline .slm";
	if (model->format != SCORE_FORMAT_AUTO)
		return score_format_name(model->format);
	library = score_model_metadata_get(model->model, "source.library");
	return library != NULL ? library : "imported model";
}
