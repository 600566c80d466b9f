/*
 * msgpack from untrusted bytes, item by item.
 *
 * A frame has one known shape, so that it needs no tree of values: nothing is allocated for what a container
 * promises, and nothing is deeper than two levels. msgpack-c's unpacker would do both.
 */
#include "log_parts.h"

void *deploy_log_alloc(log_cursor *c, sl_arena *arena, size_t n, size_t size)
{
	void *p = c->failed ? NULL : sl_arena_alloc(arena, n, size);
	c->no_memory |= !c->failed && !p;
	c->over_limit |= !c->failed && !p && arena->over_limit;
	c->failed |= !p;
	return p;
}

static const uint8_t *take(log_cursor *c, uint64_t n)
{
	if (c->failed || n > (uint64_t)(c->end - c->at)) {
		c->failed = true;
		return NULL;
	}
	const uint8_t *p = c->at;
	c->at += n;
	return p;
}

/* A big-endian number of `n` bytes. */
static uint64_t take_be(log_cursor *c, unsigned n)
{
	const uint8_t *p = take(c, n);
	uint64_t v = 0;
	for (unsigned i = 0; p && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static score_log_value from_unsigned(uint64_t v)
{
	score_log_value out = { SCORE_LOG_NUMBER, 0, { 0 } };
	if (v <= (uint64_t)1 << 53) {
		out.u.number = (double)v;
	} else if (v <= INT64_MAX) {
		out.kind = SCORE_LOG_INTEGER;
		out.u.integer = (int64_t)v;
	} else {
		out.kind = SCORE_LOG_UNSIGNED;
		out.u.unsigned_integer = v;
	}
	return out;
}

static score_log_value from_signed(int64_t v)
{
	if (v >= 0)
		return from_unsigned((uint64_t)v);
	if (v >= -((int64_t)1 << 53))
		return (score_log_value){ SCORE_LOG_NUMBER, 0, { .number = (double)v } };
	return (score_log_value){ SCORE_LOG_INTEGER, 0, { .integer = v } };
}

static score_log_value from_text(log_cursor *c, uint64_t n)
{
	const uint8_t *p = take(c, n);
	return (score_log_value){ p ? SCORE_LOG_TEXT : SCORE_LOG_MISSING, (uint32_t)n, { .text = (const char *)p } };
}

/* Sign-extend the low `bits`. */
static int64_t extend(uint64_t v, unsigned bits)
{
	const uint64_t sign = (uint64_t)1 << (bits - 1);
	return (int64_t)((v ^ sign) - sign);
}

score_log_value deploy_log_scalar(log_cursor *c)
{
	const uint8_t *p = take(c, 1);
	score_log_value none = { SCORE_LOG_MISSING, 0, { 0 } };
	if (!p)
		return none;
	const unsigned b = *p;
	if (b < 0x80)
		return from_unsigned(b);
	if (b >= 0xe0)
		return from_signed((int64_t)b - 256);
	if (b >= 0xa0 && b <= 0xbf)
		return from_text(c, b & 31);
	switch (b) {
	case 0xc0:
		return none;
	case 0xca:
		none.u.number = (double)sl_f32_from_bits((uint32_t)take_be(c, 4));
		none.kind = SCORE_LOG_NUMBER;
		return none;
	case 0xcb:
		none.u.number = sl_f64_from_bits(take_be(c, 8));
		none.kind = SCORE_LOG_NUMBER;
		return none;
	case 0xcc:
	case 0xcd:
	case 0xce:
	case 0xcf:
		return from_unsigned(take_be(c, 1u << (b - 0xcc)));
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return from_signed(extend(take_be(c, 1u << (b - 0xd0)), 8u << (b - 0xd0)));
	case 0xd9:
	case 0xda:
	case 0xdb:
		return from_text(c, take_be(c, 1u << (b - 0xd9)));
	default:
		c->failed = true;
		return none;
	}
}

uint32_t deploy_log_array(log_cursor *c)
{
	const uint8_t *p = take(c, 1);
	uint64_t n = 0;
	if (!p)
		return 0;
	if (*p >= 0x90 && *p <= 0x9f)
		n = *p & 15;
	else if (*p == 0xdc || *p == 0xdd)
		n = take_be(c, *p == 0xdc ? 2 : 4);
	else
		c->failed = true;
	c->failed |= n > (uint64_t)(c->end - c->at);
	return c->failed ? 0 : (uint32_t)n;
}

int64_t deploy_log_integer(log_cursor *c, int64_t least, int64_t most)
{
	const score_log_value v = deploy_log_scalar(c);
	int64_t i = v.u.integer;
	/* cppcheck-suppress incorrectLogicOperator ; it cannot read hexadecimal floats */
	if (v.kind == SCORE_LOG_NUMBER && v.u.number >= -0x1p53 && v.u.number <= 0x1p53)
		i = (int64_t)v.u.number;
	else
		c->failed |= v.kind != SCORE_LOG_INTEGER;
	c->failed |= !c->failed && (i < least || i > most || (v.kind == SCORE_LOG_NUMBER && (double)i != v.u.number));
	return c->failed ? 0 : i;
}

double deploy_log_number(log_cursor *c)
{
	const score_log_value v = deploy_log_scalar(c);
	switch (v.kind) {
	case SCORE_LOG_NUMBER:
		return v.u.number;
	case SCORE_LOG_INTEGER:
		return (double)v.u.integer;
	case SCORE_LOG_UNSIGNED:
		return (double)v.u.unsigned_integer;
	default:
		c->failed = true;
		return 0;
	}
}

const char *deploy_log_text(log_cursor *c, sl_arena *arena)
{
	const score_log_value v = deploy_log_scalar(c);
	if (c->failed || v.kind == SCORE_LOG_MISSING)
		return NULL;
	c->failed |= v.kind != SCORE_LOG_TEXT;
	char *text = deploy_log_alloc(c, arena, (size_t)v.length + 1, 1);
	if (text && v.length)
		memcpy(text, v.u.text, v.length);
	return text;
}

const uint8_t *deploy_log_bytes(log_cursor *c, uint32_t size)
{
	const uint8_t *p = take(c, 2);
	c->failed |= p && (p[0] != 0xc4 || p[1] != size);
	return take(c, size);
}
