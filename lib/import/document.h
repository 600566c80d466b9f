/*
 * A JSON-like document as a stream of events, whatever its encoding.
 *
 * Comes in: untrusted bytes. Goes out: one event after the other to a handler that knows a grammar. The
 * readers promise balanced begin and end events, a key before every value of an object, nesting of at most
 * IMPORT_MAX_NESTING, one root object and nothing after it.
 */
#ifndef SL_IMPORT_DOCUMENT_H
#define SL_IMPORT_DOCUMENT_H

#include "../base/base.h"

#define IMPORT_MAX_NESTING 100

typedef enum import_event_kind {
	IMPORT_OBJECT_BEGIN,
	IMPORT_OBJECT_END,
	IMPORT_ARRAY_BEGIN,
	IMPORT_ARRAY_END,
	IMPORT_KEY,     /* text, length */
	IMPORT_STRING,  /* text, length */
	IMPORT_DECIMAL, /* text, length: a number as it stands in the file; also NaN, Infinity, -Infinity */
	IMPORT_INTEGER, /* integer; also true and false as 1 and 0 */
	IMPORT_REAL,    /* real */
	IMPORT_NULL,
	IMPORT_NUMBERS  /* a whole array: `count` packed big-endian numbers of type `type` at `text` */
} import_event_kind;

typedef struct import_event {
	import_event_kind kind;
	char type;        /* UBJSON letter of packed numbers: i U I l L d D */
	const char *text; /* valid during the call only; not terminated */
	size_t length;
	size_t count;
	int64_t integer;
	double real;
	int64_t offset;   /* where in the file the event's value stands, about */
} import_event;

/* Anything but SCORE_OK stops the reader, which returns it. The handler has filled its own error. */
typedef score_status import_handler(void *context, const import_event *event);

score_status import_read_json(const void *data, size_t size, const score_allocator *allocator,
	import_handler *handler, void *context, score_error *error);
score_status import_read_ubjson(const void *data, size_t size, import_handler *handler, void *context,
	score_error *error);

/* MEMORY: `to` had no room for `n` more elements of what the value of `key` at `offset` says. */
static inline score_status import_no_room(const sl_vector *to, size_t n, int64_t offset, const char *key, score_error *error)
{
	return sl_fail_at(error, SCORE_ERR_MEMORY, offset, -1, "\"%s\": out of memory: the allocator refused %zu bytes", key,
		sl_vector_refused(to, n));
}

/* Append what the value of `key` at `offset` says. */
static inline score_status import_keep(sl_vector *to, const void *from, int64_t offset, const char *key, score_error *error)
{
	return sl_vector_push(to, from, 1) ? SCORE_OK : import_no_room(to, 1, offset, key, error);
}

/* Append the text of an event and its end. */
static inline score_status import_keep_text(sl_vector *to, const import_event *e, const char *key, score_error *error)
{
	return sl_vector_push_text(to, e->text, e->length) ? SCORE_OK : import_no_room(to, e->length + 1, e->offset, key, error);
}

/* Element `i` of an IMPORT_NUMBERS event as an IMPORT_INTEGER or IMPORT_REAL event. */
import_event import_packed_number(const import_event *numbers, size_t i);
/* Bytes of one packed number of a UBJSON type, 0 if the letter names no number. */
size_t import_packed_size(char type);

#endif
