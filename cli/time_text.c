/*
 * Whole numbers and times of day as text: keys and timestamps of feature tables.
 *
 * Comes in: a field. Goes out: int64, or false. Times are UTC unless they carry an offset.
 */
#include "cli.h"

#include <string.h>

bool cli_parse_integer(const char *text, size_t length, int64_t *out)
{
	const bool negative = length > 0 && text[0] == '-';
	const uint64_t most = (uint64_t)INT64_MAX + negative;
	uint64_t n = 0;
	size_t i = negative;
	if (i == length || (text[i] == '0' && (length > i + 1 || negative)))
		return false;
	for (; i < length; i++) {
		const unsigned digit = (unsigned char)text[i] - (unsigned)'0';
		if (digit > 9 || n > (most - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*out = negative ? (int64_t)(0 - n) : (int64_t)n;
	return true;
}

typedef struct reader {
	const char *p;
	const char *end;
} reader;

/* Exactly `n` digits. */
static bool take_number(reader *r, int n, int64_t *out)
{
	*out = 0;
	for (; n > 0; n--, r->p++) {
		if (r->p == r->end || *r->p < '0' || *r->p > '9')
			return false;
		*out = *out * 10 + (*r->p - '0');
	}
	return true;
}

static bool take_char(reader *r, const char *any_of)
{
	if (r->p == r->end || *r->p == '\0' || strchr(any_of, *r->p) == NULL)
		return false;
	r->p++;
	return true;
}

/* Days since 1970-01-01 in the Gregorian calendar; years are counted from March, so that leap days come last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	const int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static bool take_date(reader *r, int64_t *days)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t year, month, day;
	if (!take_number(r, 4, &year) || !take_char(r, "-") || !take_number(r, 2, &month) || !take_char(r, "-") ||
		!take_number(r, 2, &day) || month < 1 || month > 12 || day < 1)
		return false;
	const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (day > lengths[month - 1] + (month == 2 && is_leap))
		return false;
	*days = days_of(year, month, day);
	return true;
}

/* Digits behind the point, up to nine; what is finer than a microsecond is cut off. */
static bool take_fraction(reader *r, int64_t *microseconds)
{
	int64_t unit = 100000;
	int n = 0;
	*microseconds = 0;
	for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++, n++, unit /= 10)
		*microseconds += (*r->p - '0') * unit;
	return n > 0 && n <= 9;
}

static bool take_clock(reader *r, int64_t *microseconds)
{
	int64_t hour, minute, second = 0, fraction = 0;
	if (!take_number(r, 2, &hour) || !take_char(r, ":") || !take_number(r, 2, &minute) || hour > 23 || minute > 59)
		return false;
	if (take_char(r, ":") && (!take_number(r, 2, &second) || second > 59 || (take_char(r, ".") && !take_fraction(r, &fraction))))
		return false;
	*microseconds = ((hour * 60 + minute) * 60 + second) * 1000000 + fraction;
	return true;
}

/* Nothing, Z, +02:00 or +0200. */
static bool take_zone(reader *r, int64_t *microseconds)
{
	int64_t hour, minute;
	*microseconds = 0;
	if (r->p == r->end || take_char(r, "Zz"))
		return true;
	const bool is_west = *r->p == '-';
	if (!take_char(r, "+-") || !take_number(r, 2, &hour))
		return false;
	(void)take_char(r, ":");
	if (!take_number(r, 2, &minute) || hour > 23 || minute > 59)
		return false;
	*microseconds = (hour * 60 + minute) * 60000000 * (is_west ? -1 : 1);
	return true;
}

bool cli_parse_time(const char *text, size_t length, int64_t *microseconds)
{
	reader r = { text, text + length };
	int64_t days, clock = 0, zone = 0;
	if (!take_date(&r, &days))
		return false;
	if (r.p < r.end && (!take_char(&r, "T ") || !take_clock(&r, &clock) || !take_zone(&r, &zone)))
		return false;
	*microseconds = days * 86400000000 + clock - zone;
	return r.p == r.end;
}
