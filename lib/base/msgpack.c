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

/* Bytes that are decoded value by value. */
typedef struct msgpack_cursor {
	const uint8_t *bytes;
	size_t size, at;
	int64_t offset;
	score_error *error;
} msgpack_cursor;

static score_status not_msgpack(const msgpack_cursor *c)
{
	return sl_fail_at(c->error, SCORE_ERR_CORRUPT, c->offset + (int64_t)c->at, -1,
		"the bytes are not msgpack of at most 32 levels; they are damaged");
}

static score_status decode(msgpack_cursor *c, sl_arena *arena, sl_value *out)
{
	struct sl_unpack_context context;
	memset(&context, 0, sizeof context);
	sl_unpack_init(&context);
	context.user = (unpack_user){ arena, c->size - c->at, false };
	const int result = c->at < c->size ? sl_unpack_execute(&context, (const char *)c->bytes, c->size, &c->at) : 0;
	if (context.user.out_of_memory)
		return sl_fail_memory(c->error, c->size);
	if (result == 0)
		return sl_fail_at(c->error, SCORE_ERR_CORRUPT, c->offset + (int64_t)c->size, -1,
			"the data ends inside a msgpack value; it is damaged");
	if (result < 0)
		return not_msgpack(c);
	*out = sl_unpack_data(&context);
	return SCORE_OK;
}

static score_status check_end(const msgpack_cursor *c)
{
	return c->at == c->size ? SCORE_OK : sl_fail_at(c->error, SCORE_ERR_CORRUPT, c->offset + (int64_t)c->at, -1,
		"expected one msgpack value, found more bytes after it");
}

score_status sl_msgpack_parse(const uint8_t *bytes, size_t size, int64_t offset, sl_arena *arena, sl_value *out,
	score_error *error)
{
	msgpack_cursor c = { bytes, size, 0, offset, error };
	const score_status status = decode(&c, arena, out);
	return status == SCORE_OK ? check_end(&c) : status;
}

/* Go past the head of a container, if the next value is one of the kind whose short form is `small` and whose form of 16 bits is
 * `wide`. */
static bool open_container(msgpack_cursor *c, uint8_t small, uint8_t wide, uint32_t *n)
{
	const uint8_t *head = c->bytes + c->at;
	const size_t left = c->size - c->at;
	size_t size = 1;
	if (left == 0)
		return false;
	if ((head[0] & 0xf0) == small)
		*n = head[0] & 0x0f;
	else if (head[0] == wide || head[0] == wide + 1)
		size = head[0] == wide ? 3 : 5;
	else
		return false;
	if (size > left)
		return false;
	for (size_t i = 1; i < size; i++)
		*n = (i == 1 ? 0 : *n << 8) | head[i];
	c->at += size;
	return true;
}

/* Behind the head of an array. */
static score_status pass_items(msgpack_cursor *c, sl_arena *items, uint32_t n, sl_value *out)
{
	sl_value item;
	if (n > c->size - c->at) /* as start_items() says */
		return not_msgpack(c);
	*out = (sl_value){ .type = SL_LIST, .n = n, .u.list = (const char *)c->bytes + c->at };
	for (uint32_t i = 0; i < n; i++) {
		const score_status status = decode(c, items, &item);
		if (status != SCORE_OK)
			return status;
		if (i % SL_LIST_ITEMS == SL_LIST_ITEMS - 1)
			sl_arena_free(items);
	}
	return SCORE_OK;
}

/* Behind the head of the root's map. */
static score_status decode_pairs(msgpack_cursor *c, sl_arena *arena, sl_arena *items, uint32_t n, sl_value *out)
{
	uint32_t n_items;
	if (n > (c->size - c->at) / 2)
		return not_msgpack(c);
	sl_value *pairs = sl_arena_alloc(arena, (size_t)n * 2, sizeof *pairs);
	if (pairs == NULL)
		return sl_fail_memory(c->error, (size_t)n * 2 * sizeof *pairs);
	*out = (sl_value){ .type = SL_MAP, .n = n, .u.items = pairs };
	for (uint32_t i = 0; i < n; i++) {
		sl_value *pair = pairs + 2 * (size_t)i;
		score_status status = decode(c, arena, pair);
		if (status == SCORE_OK && open_container(c, 0x90, 0xdc, &n_items))
			status = pass_items(c, items, n_items, pair + 1);
		else if (status == SCORE_OK)
			status = decode(c, arena, pair + 1);
		if (status != SCORE_OK)
			return status;
	}
	return check_end(c);
}

score_status sl_msgpack_outline(const uint8_t *bytes, size_t size, int64_t offset, sl_arena *arena, sl_value *out,
	score_error *error)
{
	msgpack_cursor c = { bytes, size, 0, offset, error };
	uint32_t n;
	if (!open_container(&c, 0x80, 0xde, &n))
		return sl_msgpack_parse(bytes, size, offset, arena, out, error);
	sl_arena items;
	sl_arena_init(&items, &arena->allocator, arena->limit > arena->used ? arena->limit - arena->used : 1);
	const score_status status = decode_pairs(&c, arena, &items, n, out);
	arena->over_limit = arena->over_limit || items.over_limit;
	sl_arena_free(&items);
	return status;
}

bool sl_msgpack_next(sl_value *list, const uint8_t *end, sl_arena *arena, sl_value *out)
{
	const uint8_t *bytes = (const uint8_t *)list->u.list;
	msgpack_cursor c = { bytes, (size_t)(end - bytes), 0, 0, NULL };
	const score_status status = decode(&c, arena, out); /* the bytes are known to hold the item */
	list->n--;
	list->u.list += c.at;
	return status == SCORE_OK;
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
