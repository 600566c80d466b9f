/*
 * Numbers as text, in and out, independent of any locale (the command never calls setlocale()).
 *
 * Comes in: fields of CSV files, scores. Goes out: correctly rounded doubles, shortest text that reads back the same.
 */
#include "cli.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Powers of ten that are exact in double. */
static const double exact_powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
	1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

typedef struct decimal {
	uint64_t digits;
	int exponent;   /* of ten */
	unsigned count; /* significant digits seen */
} decimal;

static inline bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

static const char *scan_digits(const char *p, decimal *d, int step)
{
	for (; is_digit(*p); p++) {
		d->digits = d->digits * 10 + (uint64_t)(*p - '0');
		d->count += d->digits != 0;
		d->exponent -= step;
	}
	return p;
}

static const char *scan_exponent(const char *p, decimal *d)
{
	const char *q = p + 1;
	bool negative = *q == '-';
	int e = 0;
	if (*q == '-' || *q == '+')
		q++;
	if (!is_digit(*q))
		return p;
	for (; is_digit(*q); q++)
		if (e < 100000)
			e = e * 10 + (*q - '0');
	d->exponent += negative ? -e : e;
	return q;
}

const char *cli_scan_number(const char *p, double *out)
{
	const char *start = p, *first, *end;
	decimal d = { 0, 0, 0 };
	bool negative = *p == '-', any;
	char *stop;
	if (*p == '-' || *p == '+')
		p++;
	first = p;
	p = scan_digits(p, &d, 0);
	any = p > first;
	if (*p == '.') {
		first = ++p;
		p = scan_digits(p, &d, 1);
		any = any || p > first;
	}
	if (!any)
		return NULL;
	end = *p == 'e' || *p == 'E' ? scan_exponent(p, &d) : p;
	/* Both operands exact, one rounding: the result is the correctly rounded one. */
	if (FLT_EVAL_METHOD == 0 && d.count <= 18 && d.digits <= (uint64_t)1 << 53 && d.exponent >= -22 && d.exponent <= 22) {
		double value = (double)d.digits;
		value = d.exponent < 0 ? value / exact_powers[-d.exponent] : value * exact_powers[d.exponent];
		*out = negative ? -value : value;
		return end;
	}
	*out = strtod(start, &stop);
	return stop == end ? end : NULL;
}

static bool is_word(const char *text, size_t length, const char *word)
{
	size_t i;
	for (i = 0; i < length; i++) {
		char c = text[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (word[i] == '\0' || c != word[i])
			return false;
	}
	return word[length] == '\0';
}

static bool word_value(const char *text, size_t length, double *out)
{
	bool negative;
	if (length == 0 || is_word(text, length, "na") || is_word(text, length, "null")) {
		*out = NAN;
		return true;
	}
	if (is_word(text, length, "true") || is_word(text, length, "false")) {
		*out = length == 4 ? 1.0 : 0.0;
		return true;
	}
	negative = text[0] == '-';
	if (negative || text[0] == '+') {
		text++;
		length--;
	}
	if (is_word(text, length, "nan"))
		*out = NAN;
	else if (is_word(text, length, "inf") || is_word(text, length, "infinity"))
		*out = negative ? -INFINITY : INFINITY;
	else
		return false;
	return true;
}

bool cli_field_value(const char *text, size_t length, double *out)
{
	const char *end;
	while (length > 0 && (text[0] == ' ' || text[0] == '\t')) {
		text++;
		length--;
	}
	while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		length--;
	if (word_value(text, length, out))
		return true;
	end = cli_scan_number(text, out);
	return end == text + length;
}

static size_t format_integer(int64_t value, char *text)
{
	char digits[24];
	size_t n = 0, length = 0;
	uint64_t rest = value < 0 ? (uint64_t)-value : (uint64_t)value;
	do {
		digits[n++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (value < 0)
		text[length++] = '-';
	while (n > 0)
		text[length++] = digits[--n];
	text[length] = '\0';
	return length;
}

static bool reads_back(const char *text, double value, bool single)
{
	return single ? (double)strtof(text, NULL) == value : strtod(text, NULL) == value;
}

size_t cli_format_number(double value, bool single, char text[CLI_NUMBER_TEXT])
{
	int precision, last;
	double least;
	if (isnan(value)) {
		memcpy(text, "nan", 4);
		return 3;
	}
	if (value == 0 && signbit(value)) {
		memcpy(text, "-0", 3);
		return 2;
	}
	if (fabs(value) < 1e7 && value == floor(value))
		return format_integer((int64_t)value, text);
	/* A value that is no float is never shortened to one. */
	single = single && (double)(float)value == value;
	last = single ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
	least = single ? (double)FLT_MIN : DBL_MIN;
	/* Every decimal of so few digits reads back, but for denormals, which have fewer bits. */
	for (precision = fabs(value) < least ? 1 : single ? FLT_DIG : DBL_DIG;; precision++) {
		int length = snprintf(text, CLI_NUMBER_TEXT, "%.*g", precision, value);
		if (precision == last || reads_back(text, value, single))
			return (size_t)length;
	}
}
