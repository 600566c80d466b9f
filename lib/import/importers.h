/*
 * import: other libraries' model files to a score_builder.
 *
 * Comes in: the untrusted bytes of a whole file. Goes out: an unfinished builder that holds the model; the
 * caller looks at it no further, finishes it and frees it. Relies on base and on the public builder
 * interface.
 */
#ifndef SL_IMPORTERS_H
#define SL_IMPORTERS_H

#include "../base/base.h"

#include <scoreline/build.h>
#include <scoreline/import.h>

/* What the content looks like, by its first bytes and keys; SCORE_FORMAT_AUTO if it is none of the known
 * formats. */
score_format import_detect(const void *data, size_t size);

/* The error for a file that import_detect() does not know; names what it is where that can be told. Never
 * SCORE_OK. */
score_status import_refuse_unknown(const void *data, size_t size, score_error *error);

/* Whether a tree's covers can be kept: objectives of users' own make negative ones, and NaN. A model without covers still
 * scores. */
static inline bool import_covers_usable(const double *covers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!(covers[i] >= 0.0 && covers[i] <= 1e300))
			return false;
	}
	return true;
}

/* A builder speaks of wrong arguments; here they come from the file. */
static inline score_status import_builder_status(score_status status)
{
	return status == SCORE_ERR_ARGUMENT ? SCORE_ERR_CORRUPT : status;
}

/* What the builder said, `inner`, about what stands at `offset` of the file, or -1. */
static inline score_status import_from_builder(score_status status, const score_error *inner, int64_t offset, score_error *error)
{
	return status == SCORE_OK ? SCORE_OK : sl_fail_at(error, import_builder_status(status), offset, -1, "%s", inner->message);
}

/* `format` is SCORE_FORMAT_XGBOOST_JSON or SCORE_FORMAT_XGBOOST_UBJSON; `options` may be NULL. */
score_status import_xgboost(const void *data, size_t size, score_format format,
	const score_import_options *options, score_builder **out, score_error *error);

/* LightGBM's text format; `options` may be NULL. */
score_status import_lightgbm(const void *data, size_t size, const score_import_options *options,
	score_builder **out, score_error *error);

/* CatBoost's JSON; `options` may be NULL. */
score_status import_catboost(const void *data, size_t size, const score_import_options *options,
	score_builder **out, score_error *error);

#ifdef SL_HAVE_ONNX
/* ONNX-ML; `options` may be NULL. */
score_status import_onnx(const void *data, size_t size, const score_import_options *options, score_builder **out,
	score_error *error);
#endif

#endif
