/*
 * A msgpack value from untrusted bytes as a tree of plain values.
 *
 * Relies on msgpack-c's decoder template, which keeps its own stack of 32 levels and never recurses. Memory is bounded
 * by the bytes: containers may not promise more items than bytes are left.
 */
#ifndef SL_MSGPACK_H
#define SL_MSGPACK_H

#include "base.h"

typedef enum sl_value_type {
	SL_NIL,
	SL_BOOL,
	SL_UINT,
	SL_NEGATIVE,
	SL_FLOAT,
	SL_TEXT,
	SL_BYTES, /* bin and ext: carried, never looked into */
	SL_ARRAY,
	SL_MAP
} sl_value_type;

typedef struct sl_value sl_value;
struct sl_value {
	sl_value_type type;
	uint32_t n; /* bytes of text, items of an array, pairs of a map */
	union {
		uint64_t uint;
		double number;
		const char *text; /* not terminated; points into the bytes */
		sl_value *items; /* of a map: key, value, key, value …    */
	} u;
};

/* One value that fills `size` bytes exactly. `offset` is where the bytes stand in the file, for messages. */
score_status sl_msgpack_parse(const uint8_t *bytes, size_t size, int64_t offset, sl_arena *arena, sl_value *out,
	score_error *error);

/* Value of a key; NULL if the map lacks it. `*twice` is set when it has it more than once. */
const sl_value *sl_map_get(const sl_value *map, const char *key, bool *twice);
bool sl_text_is(const sl_value *value, const char *text);

#endif
