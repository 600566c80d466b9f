/*
 * Models as source code of other languages, for hosts that take no library.
 */
#ifndef SCORELINE_EXPORT_H
#define SCORELINE_EXPORT_H

#include <scoreline.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct score_export_options {
	size_t struct_size;
	const char *name;    /* what the host will call it; stands in a comment; NULL: the model's metadata "name" */
	score_output output; /* SCORE_OUTPUT_PREDICTION or SCORE_OUTPUT_MARGIN                                     */
	int32_t reserved;
} score_export_options;

#define SCORE_EXPORT_OPTIONS_INIT { sizeof(score_export_options), NULL, 0, 0 }

/*
 * One self-contained JavaScript function of ECMAScript 5, `function main(feature, …)`, that takes the features in the model's order
 * and returns a number, or an array of numbers where the model has several values per row. null, undefined and NaN are
 * missing; a string is a category, or a number in text; what is neither is missing. Where the model refuses an unknown category
 * the result is null. It never throws.
 *
 * Margins have the bits of score_batch(). So have predictions whose link has no exponential; the others follow the
 * arithmetic of the GNU C library's exp and expf on processors with fused multiply-add, and have its bits (docs/javascript.md).
 *
 * Not every model can be written so: derived columns, hashed categories (CatBoost), linear leaves and some links are
 * SCORE_ERR_UNSUPPORTED, by name.
 *
 * `*out`, UTF-8 without a terminating zero, comes from the model's allocator: score_model_free_bytes(). `options` may be NULL.
 */
SCORE_API SCORE_MUST_CHECK score_status score_model_export_js(const score_model *model,
	const score_export_options *options, void **out, size_t *out_size, score_error *error);

#ifdef __cplusplus
}
#endif
#endif
