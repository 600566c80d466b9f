/*
 * A msgpack value from untrusted bytes as a tree of plain values.
 *
 * Relies on msgpack-c's decoder template, which keeps its own stack of 32 levels and never recurses. Memory is bounded
 * by the bytes: containers may not promise more items than bytes are left.
 */
#ifndef SL_SLM_MSGPACK_H
#define SL_SLM_MSGPACK_H

#include "../base/base.h"

typedef enum slm_type {
	SLM_NIL,
	SLM_BOOL,
	SLM_UINT,
	SLM_NEGATIVE,
	SLM_FLOAT,
	SLM_TEXT,
	SLM_BYTES, /* bin and ext: carried, never looked into */
	SLM_ARRAY,
	SLM_MAP
} slm_type;

typedef struct slm_value slm_value;
struct slm_value {
	slm_type type;
	uint32_t n; /* bytes of text, items of an array, pairs of a map */
	union {
		uint64_t uint;
		double number;
		const char *text; /* not terminated; points into the bytes */
		slm_value *items; /* of a map: key, value, key, value …    */
	} u;
};

/* One value that fills `size` bytes exactly. `offset` is where the bytes stand in the file, for messages. */
score_status slm_msgpack_parse(const uint8_t *bytes, size_t size, int64_t offset, sl_arena *arena, slm_value *out,
	score_error *error);

/* Value of a key; NULL if the map lacks it. `*twice` is set when it has it more than once. */
const slm_value *slm_map_get(const slm_value *map, const char *key, bool *twice);
bool slm_text_is(const slm_value *value, const char *text);

#endif
