/*
 * Decode msgpack by msgpack-c's template with callbacks of our own: it calls, we allocate from an arena and count.
 */
#include "msgpack.h"

#include <msgpack/unpack.h>
#include <msgpack/unpack_define.h>

/* msgpack-c's installed headers are those of one byte order; a cross build that picks up the wrong ones would write
 * floats that no other host can read. */
#if defined(__BYTE_ORDER__) && defined(MSGPACK_ENDIAN_BIG_BYTE)
_Static_assert((__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) == (MSGPACK_ENDIAN_BIG_BYTE != 0),
	"msgpack-c's headers are for another byte order: define MSGPACK_ENDIAN_BIG_BYTE and MSGPACK_ENDIAN_LITTLE_BYTE");
#endif

typedef struct unpack_user {
	sl_arena *arena;
	size_t items_left; /* items that containers may still promise */
	bool out_of_memory;
} unpack_user;

#define KEEP(NAME, TYPE, FIELD, VALUE, ARGUMENT) \
	static int on##NAME(unpack_user *user, ARGUMENT x, sl_value *out) \
	{ \
		(void)user; \
		out->type = TYPE; \
		out->n = 0; \
		out->u.FIELD = VALUE; \
		return 0; \
	}
KEEP(_uint8, SL_UINT, uint, x, uint8_t)
KEEP(_uint16, SL_UINT, uint, x, uint16_t)
KEEP(_uint32, SL_UINT, uint, x, uint32_t)
KEEP(_uint64, SL_UINT, uint, x, uint64_t)
KEEP(_int8, x < 0 ? SL_NEGATIVE : SL_UINT, uint, (uint64_t)x, int8_t)
KEEP(_int16, x < 0 ? SL_NEGATIVE : SL_UINT, uint, (uint64_t)x, int16_t)
KEEP(_int32, x < 0 ? SL_NEGATIVE : SL_UINT, uint, (uint64_t)x, int32_t)
KEEP(_int64, x < 0 ? SL_NEGATIVE : SL_UINT, uint, (uint64_t)x, int64_t)
KEEP(_float, SL_FLOAT, number, (double)x, float)
KEEP(_double, SL_FLOAT, number, x, double)
#undef KEEP

static int keep_bool(sl_value *out, sl_value_type type, uint64_t value)
{
	out->type = type;
	out->n = 0;
	out->u.uint = value;
	return 0;
}

static int on_nil(unpack_user *user, sl_value *out)
{
	(void)user;
	return keep_bool(out, SL_NIL, 0);
}

static int on_false(unpack_user *user, sl_value *out)
{
	(void)user;
	return keep_bool(out, SL_BOOL, 0);
}

static int on_true(unpack_user *user, sl_value *out)
{
	(void)user;
	return keep_bool(out, SL_BOOL, 1);
}

static sl_value on_root(unpack_user *user)
{
	(void)user;
	return (sl_value){ .type = SL_NIL };
}

static int keep_bytes(sl_value *out, sl_value_type type, const char *text, unsigned int length)
{
	out->type = type;
	out->n = length;
	out->u.text = length == 0 ? "" : text; /* the decoder has no position for an empty string */
	return 0;
}

static int on_str(unpack_user *user, const char *base, const char *text, unsigned int length, sl_value *out)
{
	(void)user;
	(void)base;
	return keep_bytes(out, SL_TEXT, text, length);
}

static int on_bin(unpack_user *user, const char *base, const char *bytes, unsigned int length, sl_value *out)
{
	(void)user;
	(void)base;
	return keep_bytes(out, SL_BYTES, bytes, length);
}

static int on_ext(unpack_user *user, const char *base, const char *bytes, unsigned int length, sl_value *out)
{
	return on_bin(user, base, bytes, length, out);
}

/* Every item takes at least one byte, so honest containers never promise more items than there are bytes. */
static int start_items(unpack_user *user, sl_value_type type, uint64_t values, sl_value *out)
{
	if (values > user->items_left)
		return -1;
	user->items_left -= (size_t)values;
	out->type = type;
	out->n = 0;
	out->u.items = sl_arena_alloc(user->arena, (size_t)values, sizeof(sl_value));
	user->out_of_memory = out->u.items == NULL;
	return user->out_of_memory ? -1 : 0;
}

static int on_array(unpack_user *user, unsigned int n, sl_value *out)
{
	return start_items(user, SL_ARRAY, n, out);
}

static int on_map(unpack_user *user, unsigned int n, sl_value *out)
{
	return start_items(user, SL_MAP, (uint64_t)n * 2, out);
}

static int on_array_item(unpack_user *user, sl_value *array, sl_value item)
{
	(void)user;
	array->u.items[array->n++] = item;
	return 0;
}

static int on_map_item(unpack_user *user, sl_value *map, sl_value key, sl_value value)
{
	(void)user;
	map->u.items[2 * (size_t)map->n] = key;
	map->u.items[2 * (size_t)map->n + 1] = value;
	map->n++;
	return 0;
}

#define msgpack_unpack_struct(name) struct sl_unpack##name
#define msgpack_unpack_func(result, name) static result sl_unpack##name
#define msgpack_unpack_callback(name) on##name
#define msgpack_unpack_object sl_value
#define msgpack_unpack_user unpack_user
#include <msgpack/unpack_template.h>

score_status sl_msgpack_parse(const uint8_t *bytes, size_t size, int64_t offset, sl_arena *arena, sl_value *out,
	score_error *error)
{
	struct sl_unpack_context context;
	size_t at = 0;
	memset(&context, 0, sizeof context);
	sl_unpack_init(&context);
	context.user = (unpack_user){ arena, size, false };
	const int result = sl_unpack_execute(&context, (const char *)bytes, size, &at);
	if (context.user.out_of_memory)
		return sl_fail_memory(error, size);
	if (result == 0)
		return sl_fail_at(error, SCORE_ERR_CORRUPT, offset + (int64_t)size, -1,
			"the data ends inside a msgpack value; it is damaged");
	if (result < 0)
		return sl_fail_at(error, SCORE_ERR_CORRUPT, offset + (int64_t)at, -1,
			"the bytes are not msgpack of at most 32 levels; they are damaged");
	if (at != size)
		return sl_fail_at(error, SCORE_ERR_CORRUPT, offset + (int64_t)at, -1,
			"expected one msgpack value, found more bytes after it");
	*out = sl_unpack_data(&context);
	return SCORE_OK;
}

bool sl_text_is(const sl_value *value, const char *text)
{
	return value->type == SL_TEXT && value->n == strlen(text) && memcmp(value->u.text, text, value->n) == 0;
}

const sl_value *sl_map_get(const sl_value *map, const char *key, bool *twice)
{
	const sl_value *found = NULL;
	*twice = false;
	for (uint32_t i = 0; i < map->n; i++) {
		const sl_value *pair = map->u.items + 2 * (size_t)i;
		if (!sl_text_is(pair, key))
			continue;
		*twice = found != NULL;
		found = pair + 1;
		if (*twice)
			break;
	}
	return found;
}
