/*
 * JSON to events, with the library yajl.
 *
 * Comes in: text that may have a byte order mark and, as XGBoost writes them, bare NaN, Infinity and
 * -Infinity. yajl takes only strict JSON, so each such word is replaced on its way by the number 0, and the
 * event for that 0 shows the word again. Goes out: events; numbers as text, so that a float is rounded only
 * once. Relies on yajl for the rest.
 */
#include "document.h"

#include <setjmp.h>
#include <yajl/yajl_parse.h>

/* yajl frees without a size, and on some errors not at all: its blocks are chained, and freed together at the
 * end. It also uses what its allocator returns without a look, so a failed allocation leaves it by
 * longjmp. */
#define BLOCK_ALIGN 16

typedef struct block {
	struct block *next;
	struct block *previous;
	size_t size; /* with this head */
	size_t unused;
} block;

typedef struct json {
	score_allocator allocator;
	block blocks; /* head of the chain */
	yajl_handle yajl;
	import_handler *handler;
	void *context;
	score_error *error;
	score_status status; /* of the handler or of a limit */
	size_t base;         /* offset in the file of the piece that yajl is parsing */
	const char *word;    /* stands in the file where yajl gets 0, or NULL */
	size_t word_length;
	uint32_t depth;
	jmp_buf no_memory;
	size_t wanted;       /* bytes that could not be had */
} json;

static void *block_alloc(void *context, size_t size)
{
	json *j = context;
	size_t total;
	block *b = sl_add(size, sizeof(block), &total) ? sl_alloc(&j->allocator, total, BLOCK_ALIGN) : NULL;
	if (!b) {
		j->wanted = size;
		longjmp(j->no_memory, 1);
	}
	b->size = total;
	b->next = j->blocks.next;
	b->previous = &j->blocks;
	if (b->next)
		b->next->previous = b;
	j->blocks.next = b;
	return b + 1;
}

static void block_free(void *context, void *pointer)
{
	json *j = context;
	if (SL_NEVER(!pointer)) /* yajl looks first */
		return;
	block *b = (block *)pointer - 1;
	b->previous->next = b->next;
	if (b->next)
		b->next->previous = b->previous;
	sl_free(&j->allocator, b, b->size, BLOCK_ALIGN);
}

static void *block_resize(void *context, void *pointer, size_t size)
{
	void *fresh = block_alloc(context, size);
	if (pointer) {
		size_t old = ((block *)pointer - 1)->size - sizeof(block);
		memcpy(fresh, pointer, old < size ? old : size);
		block_free(context, pointer);
	}
	return fresh;
}

static int emit(json *j, import_event_kind kind, const char *text, size_t length)
{
	import_event e = {.kind = kind, .text = text, .length = length,
		.offset = (int64_t)(j->base + yajl_get_bytes_consumed(j->yajl))};
	j->status = j->handler(j->context, &e);
	return j->status == SCORE_OK;
}

static int on_null(void *context)
{
	return emit(context, IMPORT_NULL, NULL, 0);
}

static int on_boolean(void *context, int value)
{
	json *j = context;
	import_event e = {.kind = IMPORT_INTEGER, .integer = value != 0,
		.offset = (int64_t)(j->base + yajl_get_bytes_consumed(j->yajl))};
	j->status = j->handler(j->context, &e);
	return j->status == SCORE_OK;
}

static int on_number(void *context, const char *text, size_t length)
{
	json *j = context;
	if (j->word)
		return emit(j, IMPORT_DECIMAL, j->word, j->word_length);
	return emit(j, IMPORT_DECIMAL, text, length);
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
	return emit(context, IMPORT_STRING, (const char *)text, length);
}

static int on_key(void *context, const unsigned char *text, size_t length)
{
	return emit(context, IMPORT_KEY, (const char *)text, length);
}

static int begin(json *j, import_event_kind kind)
{
	if (++j->depth > IMPORT_MAX_NESTING) {
		j->status = sl_fail_at(j->error, SCORE_ERR_LIMIT,
			(int64_t)(j->base + yajl_get_bytes_consumed(j->yajl)), -1,
			"objects and arrays are nested more than %d deep", IMPORT_MAX_NESTING);
		return 0;
	}
	return emit(j, kind, NULL, 0);
}

static int on_object_begin(void *context)
{
	return begin(context, IMPORT_OBJECT_BEGIN);
}

static int on_array_begin(void *context)
{
	return begin(context, IMPORT_ARRAY_BEGIN);
}

static int on_object_end(void *context)
{
	json *j = context;
	j->depth--;
	return emit(j, IMPORT_OBJECT_END, NULL, 0);
}

static int on_array_end(void *context)
{
	json *j = context;
	j->depth--;
	return emit(j, IMPORT_ARRAY_END, NULL, 0);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object_begin,
	.yajl_map_key = on_key,
	.yajl_end_map = on_object_end,
	.yajl_start_array = on_array_begin,
	.yajl_end_array = on_array_end,
};

/* Turn what yajl says into a status; its text is "parse error: …\n" or "lexical error: …\n". */
static score_status outcome(json *j, yajl_status result)
{
	if (result == yajl_status_ok)
		return SCORE_OK;
	if (j->status != SCORE_OK)
		return j->status;
	size_t offset = j->base + yajl_get_bytes_consumed(j->yajl);
	const char *text = (const char *)yajl_get_error(j->yajl, 0, NULL, 0);
	return sl_fail_at(j->error, SCORE_ERR_CORRUPT, (int64_t)offset, -1, "the file is not valid JSON: %.*s",
		(int)strcspn(text, "\n"), text);
}

static score_status feed(json *j, const char *text, size_t length, size_t base)
{
	j->base = base;
	return length ? outcome(j, yajl_parse(j->yajl, (const unsigned char *)text, length)) : SCORE_OK;
}

/* Length of NaN, Infinity or -Infinity at `p`, or 0. */
static size_t special_word(const char *p, const char *end)
{
	static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		size_t length = strlen(words[i]);
		if ((size_t)(end - p) >= length && memcmp(p, words[i], length) == 0)
			return length;
	}
	return 0;
}

/* Skip a string, `p` behind its opening quote. */
static const char *string_end(const char *p, const char *end)
{
	while (p < end && *p != '"') {
		if (*p == '\\')
			p++;
		if (p < end)
			p++;
	}
	return p < end ? p + 1 : end;
}

static score_status feed_all(json *j, const char *text, size_t size, size_t skip)
{
	static const char placeholder[] = " 0 ";
	const char *end = text + size, *piece = text + skip, *p = piece;
	while (p < end) {
		if (*p == '"') {
			p = string_end(p + 1, end);
			continue;
		}
		size_t length = *p == 'N' || *p == 'I' || *p == '-' ? special_word(p, end) : 0;
		if (!length) {
			p++;
			continue;
		}
		score_status status = feed(j, piece, (size_t)(p - piece), (size_t)(piece - text));
		if (status != SCORE_OK)
			return status;
		j->word = p;
		j->word_length = length;
		status = feed(j, placeholder, sizeof placeholder - 1, (size_t)(p - text));
		j->word = NULL;
		if (status != SCORE_OK)
			return status;
		p += length;
		piece = p;
	}
	score_status status = feed(j, piece, (size_t)(end - piece), (size_t)(piece - text));
	return status == SCORE_OK ? outcome(j, yajl_complete_parse(j->yajl)) : status;
}

static score_status run(json *j, const char *text, size_t size)
{
	yajl_alloc_funcs functions = {block_alloc, block_resize, block_free, j};
	if (setjmp(j->no_memory))
		return sl_fail_memory(j->error, j->wanted);
	j->yajl = yajl_alloc(&callbacks, &functions, j);
	bool mark = size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0;
	return feed_all(j, text, size, mark ? 3 : 0);
}

score_status import_read_json(const void *data, size_t size, const score_allocator *allocator,
	import_handler *handler, void *context, score_error *error)
{
	json j = {.allocator = sl_allocator(allocator), .handler = handler, .context = context, .error = error};
	score_status status = run(&j, data, size);
	while (j.blocks.next)
		block_free(&j, j.blocks.next + 1);
	return status;
}
