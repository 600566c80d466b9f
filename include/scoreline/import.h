/*
 * Read other libraries' model files. The format is recognised from the content. Whatever is not supported is
 * refused with its name (SCORE_ERR_UNSUPPORTED); nothing is guessed. Input bytes are untrusted.
 */
#ifndef SCORELINE_IMPORT_H
#define SCORELINE_IMPORT_H

#include <scoreline.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t score_format;
#define SCORE_FORMAT_AUTO 0
#define SCORE_FORMAT_XGBOOST_JSON 1
#define SCORE_FORMAT_XGBOOST_UBJSON 2
#define SCORE_FORMAT_LIGHTGBM_TEXT 3
#define SCORE_FORMAT_CATBOOST_JSON 4
#define SCORE_FORMAT_ONNX 5 /* ONNX-ML: tree ensembles and linear models */

/* Where onnxruntime departs from the ONNX-ML specification: whose answers (docs/onnx.md lists the differences). */
typedef int32_t score_onnx_compat;
#define SCORE_ONNX_SPECIFICATION 0
#define SCORE_ONNX_RUNTIME 1

typedef struct score_import_options {
	size_t struct_size;
	const score_allocator *allocator; /* NULL: malloc and free                                          */
	uint64_t max_bytes;               /* refuse larger files; 0 means 1 GiB                             */
	score_format format;              /* SCORE_FORMAT_AUTO: from the content                            */
	score_isa isa;
	uint32_t iteration_begin;         /* boosting iterations [begin, end), at least one; both 0: all    */
	uint32_t iteration_end;
	score_onnx_compat onnx_compat;    /* SCORE_FORMAT_ONNX only                                         */
	uint32_t reserved;
	const double *missing;            /* XGBoost only: the value, as float, that counts as missing beside NaN   */
} score_import_options;

#define SCORE_IMPORT_OPTIONS_INIT { sizeof(score_import_options), NULL, 0, 0, SCORE_ISA_AUTO, 0, 0, 0, 0, NULL }

/* Errors name the byte offset or line where there is one. `options` may be NULL. */
SCORE_API SCORE_MUST_CHECK score_status score_import_file(const char *path, const score_import_options *options,
	score_model **out, score_error *error);
SCORE_API SCORE_MUST_CHECK score_status score_import_memory(const void *data, size_t size,
	const score_import_options *options, score_model **out, score_error *error);

/* What the content looks like; SCORE_FORMAT_AUTO if it is none of the known formats. */
SCORE_API score_format score_import_detect(const void *data, size_t size);
SCORE_API const char *score_format_name(score_format format);

#ifdef __cplusplus
}
#endif
#endif
