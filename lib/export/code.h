/*
 * export: models as source code of other languages.
 *
 * Comes in: a checked forest. Goes out: text in a vector of bytes, or why the model cannot be written so.
 */
#ifndef SL_EXPORT_CODE_H
#define SL_EXPORT_CODE_H

#include "../forest/forest.h"

/* A function of ECMAScript 5. `name` is what the host calls it, for a comment. `prediction`: with the link. */
score_status export_js(const forest *f, const char *name, bool prediction, sl_vector *out, score_error *error);

/* The parts of the function that are the same for all models (js_text.c). */
extern const char export_js_begin[];      /* reading arguments, powers of two, floats                 */
extern const char export_js_trees[];      /* walking trees                                            */
extern const char export_js_linear[];
extern const char export_js_exp[];        /* the C library's exp and expf                             */
extern const char export_js_exp_catboost[];
extern const char export_js_links[];      /* from margins to predictions                              */
extern const char export_js_end[];

#endif
