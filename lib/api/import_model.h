/* api: what importing from memory and from files share. */
#ifndef SL_API_IMPORT_MODEL_H
#define SL_API_IMPORT_MODEL_H

#include "../base/base.h"

#include <scoreline/import.h>

/* Options with their defaults, checked. */
score_status sl_import_take_options(const score_import_options *given, score_import_options *o, score_error *error);

#endif
