/*
 * Numbers and bytes as text that no locale changes.
 */
#include "statistics_parts.h"

#include <math.h>
#include <stdio.h>

static size_t write_number(double value, char text[DEPLOY_NUMBER_TEXT])
{
	if (!isfinite(value)) {
		const char *word = isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
		memcpy(text, word, strlen(word) + 1);
		return strlen(word);
	}
	for (int precision = 15;; precision++) {
		double back;
		int n = snprintf(text, DEPLOY_NUMBER_TEXT, "%.*g", precision, value);
		/* Between the digits stands the locale's point, of one byte or several. */
		size_t length = 0;
		for (int i = 0; i < n; i++) {
			const char c = text[i];
			const bool own = (c >= '0' && c <= '9') || c == '-' || c == '+' || c == 'e';
			if (own || length == 0 || text[length - 1] != '.')
				text[length++] = own ? c : '.';
		}
		text[length] = '\0';
		if (precision == 17 || (sl_parse_f64(text, length, &back) == length && back == value))
			return length;
	}
}

/* A denormal is not the zero that its text would be read as. */
size_t deploy_number_text(double value, char text[DEPLOY_NUMBER_TEXT])
{
	const unsigned host = sl_enter_default_float();
	const size_t length = write_number(value, text);
	sl_leave_default_float(host);
	return length;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void deploy_base64_encode(const uint8_t *bytes, size_t n, char *text)
{
	for (size_t i = 0; i < n; i += 3, text += 4) {
		const size_t left = n - i;
		const uint32_t word = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
			(left > 2 ? bytes[i + 2] : 0);
		text[0] = alphabet[word >> 18];
		text[1] = alphabet[word >> 12 & 63];
		text[2] = left > 1 ? alphabet[word >> 6 & 63] : '=';
		text[3] = left > 2 ? alphabet[word & 63] : '=';
	}
	*text = '\0';
}

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool deploy_base64_decode(const char *text, size_t length, uint8_t *bytes, size_t *n)
{
	size_t padding = 0;
	*n = 0;
	if (length % 4)
		return false;
	while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < length; i += 4) {
		uint32_t word = 0;
		const size_t digits = i + 4 == length ? 4 - padding : 4;
		for (size_t k = 0; k < 4; k++) {
			const int digit = k < digits ? digit_of(text[i + k]) : 0;
			if (digit < 0)
				return false;
			word = word << 6 | (uint32_t)digit;
		}
		for (size_t k = 0; k + 1 < digits; k++)
			bytes[(*n)++] = (uint8_t)(word >> (16 - 8 * k));
	}
	return true;
}
