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
	SL_MAP,
	SL_LIST   /* an array whose items are still bytes: see sl_msgpack_outline() */
} sl_value_type;

typedef struct sl_value sl_value;
struct sl_value {
	sl_value_type type;
	uint32_t n; /* bytes of text, items of an array or a list, pairs of a map */
	union {
		uint64_t uint;
		double number;
		const char *text; /* not terminated; points into the bytes */
		const char *list; /* the items, one after the other, likewise */
		sl_value *items; /* of a map: key, value, key, value …    */
	} u;
};

/* One value that fills `size` bytes exactly. `offset` is where the bytes stand in the file, for messages. */
score_status sl_msgpack_parse(const uint8_t *bytes, size_t size, int64_t offset, sl_arena *arena, sl_value *out,
	score_error *error);

/* The same, but arrays that are values of the root's map become lists: most of a header are long arrays of maps, and as values they
 * would take several times their bytes. All of it is decoded once, so that the bytes of lists are known to be msgpack. */
score_status sl_msgpack_outline(const uint8_t *bytes, size_t size, int64_t offset, sl_arena *arena, sl_value *out,
	score_error *error);
/* The next item of a list, whose `n` and `list` move on; n is not 0. `end` is that of all bytes. False: no memory. */
bool sl_msgpack_next(sl_value *list, const uint8_t *end, sl_arena *arena, sl_value *out);
/* Items that are decoded at once, about: the arena of those that were looked at is freed behind as many. */
#define SL_LIST_ITEMS 16u

/* Value of a key; NULL if the map lacks it. `*twice` is set when it has it more than once. */
const sl_value *sl_map_get(const sl_value *map, const char *key, bool *twice);
bool sl_text_is(const sl_value *value, const char *text);

#endif
