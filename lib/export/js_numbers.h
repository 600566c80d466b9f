/* Text of exported code: what js.c needs to write numbers. */
#ifndef SL_EXPORT_JS_NUMBERS_H
#define SL_EXPORT_JS_NUMBERS_H

#include <stdint.h>

extern const uint64_t export_exp_table[128][2];

#endif
