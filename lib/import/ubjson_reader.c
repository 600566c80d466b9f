/*
 * UBJSON to events: the subset that XGBoost reads and writes.
 *
 * Comes in: untrusted bytes. Goes out: events; an array of packed numbers is one event that points into the
 * bytes. Iterative: open objects and arrays stand on a small stack. Every length is checked against the bytes
 * that are left.
 */
#include "document.h"

typedef struct container {
	bool is_object;
	bool is_counted; /* an array of `left` more values, without a closing mark */
	size_t left;
} container;

typedef struct ubjson {
	const uint8_t *data;
	size_t size;
	size_t at;
	import_handler *handler;
	void *context;
	score_error *error;
	uint32_t depth;
	container open[IMPORT_MAX_NESTING];
} ubjson;

size_t import_packed_size(char type)
{
	switch (type) {
	case 'i':
	case 'U':
		return 1;
	case 'I':
		return 2;
	case 'l':
	case 'd':
		return 4;
	case 'L':
	case 'D':
		return 8;
	default:
		return 0;
	}
}

static uint64_t big_endian(const uint8_t *p, size_t size)
{
	uint64_t v = 0;
	for (size_t i = 0; i < size; i++)
		v = v << 8 | p[i];
	return v;
}

/* Number of a type with import_packed_size() > 0. */
static import_event number_at(const uint8_t *p, char type, int64_t offset)
{
	import_event e = {.kind = IMPORT_INTEGER, .offset = offset};
	uint64_t bits = big_endian(p, import_packed_size(type));
	switch (type) {
	case 'i':
		/* NOLINTNEXTLINE(bugprone-signed-char-misuse,cert-str34-c): a number, whose sign extends */
		e.integer = (int8_t)bits;
		break;
	case 'I':
		e.integer = (int16_t)bits;
		break;
	case 'l':
		e.integer = (int32_t)bits;
		break;
	case 'd':
		e.kind = IMPORT_REAL;
		e.real = (double)sl_f32_from_bits((uint32_t)bits);
		break;
	case 'D':
		e.kind = IMPORT_REAL;
		e.real = sl_f64_from_bits(bits);
		break;
	default:
		e.integer = (int64_t)bits;
	}
	return e;
}

import_event import_packed_number(const import_event *numbers, size_t i)
{
	size_t size = import_packed_size(numbers->type);
	return number_at(
		(const uint8_t *)numbers->text + i * size, numbers->type, numbers->offset + (int64_t)(i * size));
}

static score_status fail(const ubjson *u, const char *what)
{
	return sl_fail_at(
		u->error, SCORE_ERR_CORRUPT, (int64_t)u->at, -1, "the file is not valid UBJSON: %s", what);
}

static score_status send(const ubjson *u, import_event *e, size_t offset)
{
	e->offset = (int64_t)offset;
	return u->handler(u->context, e);
}

static score_status take_byte(ubjson *u, char *out)
{
	if (u->at >= u->size)
		return fail(u, "it ends in the middle of a value");
	*out = (char)u->data[u->at++];
	return SCORE_OK;
}

/* A length with its type letter, of things that take at least `unit` bytes each. */
static score_status take_length(ubjson *u, size_t unit, size_t *out)
{
	char type = 0;
	score_status status = take_byte(u, &type);
	if (status != SCORE_OK)
		return status;
	size_t bytes = import_packed_size(type);
	if (bytes == 0 || type == 'd' || type == 'D') {
		u->at--;
		return fail(u, "expected an integer type letter before a length");
	}
	if (bytes > u->size - u->at)
		return fail(u, "it ends in the middle of a length");
	int64_t length = number_at(u->data + u->at, type, 0).integer;
	u->at += bytes;
	if (length < 0 || (uint64_t)length > (u->size - u->at) / unit)
		return fail(u, "a length is negative or longer than the rest of the file");
	*out = (size_t)length;
	return SCORE_OK;
}

static score_status take_text(ubjson *u, import_event_kind kind)
{
	import_event e = {.kind = kind};
	size_t start = u->at;
	score_status status = take_length(u, 1, &e.length);
	if (status != SCORE_OK)
		return status;
	e.text = (const char *)u->data + u->at;
	size_t valid = sl_utf8_prefix(e.text, e.length);
	u->at += valid;
	if (valid < e.length)
		return fail(u, "a string is not UTF-8");
	return send(u, &e, start);
}

static score_status push(ubjson *u, bool is_object, bool is_counted, size_t left, size_t start)
{
	if (u->depth == IMPORT_MAX_NESTING)
		return sl_fail_at(u->error, SCORE_ERR_LIMIT, (int64_t)start, -1,
			"objects and arrays are nested more than %d deep", IMPORT_MAX_NESTING);
	u->open[u->depth++] = (container){is_object, is_counted, left};
	import_event e = {.kind = is_object ? IMPORT_OBJECT_BEGIN : IMPORT_ARRAY_BEGIN};
	return send(u, &e, start);
}

static score_status pop(ubjson *u)
{
	import_event e = {.kind = u->open[--u->depth].is_object ? IMPORT_OBJECT_END : IMPORT_ARRAY_END};
	return send(u, &e, u->at);
}

/* Behind `[$`: type, '#', length, packed numbers. */
static score_status take_packed(ubjson *u)
{
	import_event e = {.kind = IMPORT_NUMBERS};
	char mark = 0;
	score_status status = take_byte(u, &e.type);
	if (status != SCORE_OK)
		return status;
	size_t unit = import_packed_size(e.type);
	if (unit == 0)
		return fail(u, "an array of packed values is of no known number type");
	status = take_byte(u, &mark);
	if (status != SCORE_OK)
		return status;
	if (mark != '#')
		return fail(u, "expected '#' and a length in an array of packed numbers");
	status = take_length(u, unit, &e.count);
	if (status != SCORE_OK)
		return status;
	e.text = (const char *)u->data + u->at;
	e.length = e.count * unit;
	u->at += e.length;
	return send(u, &e, u->at - e.length);
}

static score_status take_array(ubjson *u, size_t start)
{
	char mark = u->at < u->size ? (char)u->data[u->at] : 0;
	if (mark == '$') {
		u->at++;
		return take_packed(u);
	}
	if (mark != '#')
		return push(u, false, false, 0, start);
	size_t left;
	u->at++;
	score_status status = take_length(u, 1, &left);
	return status == SCORE_OK ? push(u, false, true, left, start) : status;
}

static score_status take_number(ubjson *u, char type, size_t start)
{
	type = type == 'C' ? 'U' : type;
	size_t bytes = import_packed_size(type);
	if (bytes == 0) {
		u->at = start;
		return fail(u, "expected the type letter of a value");
	}
	if (bytes > u->size - u->at)
		return fail(u, "it ends in the middle of a number");
	import_event e = number_at(u->data + u->at, type, 0);
	u->at += bytes;
	return send(u, &e, start);
}

static score_status take_value(ubjson *u)
{
	size_t start = u->at;
	char type = 0;
	score_status status = take_byte(u, &type);
	if (status != SCORE_OK)
		return status;
	import_event e = {.kind = IMPORT_INTEGER, .integer = type == 'T'};
	switch (type) {
	case '{':
		if (u->at < u->size && (u->data[u->at] == '$' || u->data[u->at] == '#'))
			return fail(u, "an object with a type or a count, which XGBoost does not write");
		return push(u, true, false, 0, start);
	case '[':
		return take_array(u, start);
	case 'S':
		return take_text(u, IMPORT_STRING);
	case 'T':
	case 'F':
		return send(u, &e, start);
	case 'Z':
		e.kind = IMPORT_NULL;
		return send(u, &e, start);
	default:
		return take_number(u, type, start);
	}
}

/* One step inside the innermost open container: its end, or its next value, with the key before it. */
static score_status step(ubjson *u)
{
	container *c = &u->open[u->depth - 1];
	if (c->is_counted) {
		if (c->left == 0)
			return pop(u);
		c->left--;
		return take_value(u);
	}
	if (u->at >= u->size)
		return fail(u, "it ends inside an object or an array");
	if (u->data[u->at] == (c->is_object ? '}' : ']')) {
		u->at++;
		return pop(u);
	}
	if (c->is_object) {
		score_status status = take_text(u, IMPORT_KEY);
		if (status != SCORE_OK)
			return status;
	}
	return take_value(u);
}

score_status import_read_ubjson(const void *data, size_t size, import_handler *handler, void *context,
	score_error *error)
{
	ubjson u = {.data = data, .size = size, .handler = handler, .context = context, .error = error};
	if (size == 0 || u.data[0] != '{')
		return fail(&u, "expected an object at the start of the file");
	score_status status = take_value(&u);
	while (status == SCORE_OK && u.depth > 0)
		status = step(&u);
	if (status == SCORE_OK && u.at != size)
		return fail(&u, "there are bytes behind the end of the model");
	return status;
}
