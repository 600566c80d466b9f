/*
 * Keys of a request in, doubles from Redis out.
 */
#include "redis_source.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FEATURES 256
#define MAX_KEY 1024

static int is_valid(const score_column *column, int64_t at)
{
	return column->validity == NULL || (column->validity[at >> 3] >> (at & 7) & 1);
}

/* "PREFIX:KEY"; its length, 0 if the row has no key, -1 if it does not fit. */
static int write_key(const redis_source *source, const score_column *keys, size_t r, char *out)
{
	const int64_t at = keys->offset + (int64_t)r;
	int length;
	if (!is_valid(keys, at))
		return 0;
	if (keys->dtype == SCORE_I64) {
		const int64_t stride = keys->stride_bytes != 0 ? keys->stride_bytes : (int64_t)sizeof(int64_t);
		int64_t number;
		memcpy(&number, (const char *)keys->values + at * stride, sizeof number);
		length = snprintf(out, MAX_KEY, "%s:%" PRId64, source->prefix, number);
	} else {
		const score_strings *texts = keys->values;
		const int is_wide = texts->offset_type == SCORE_I64;
		const int64_t begin = is_wide ? ((const int64_t *)texts->offsets)[at] : ((const int32_t *)texts->offsets)[at];
		const int64_t end = is_wide ? ((const int64_t *)texts->offsets)[at + 1] : ((const int32_t *)texts->offsets)[at + 1];
		if (end - begin >= MAX_KEY)
			return -1;
		length = snprintf(out, MAX_KEY, "%s:%.*s", source->prefix, (int)(end - begin), texts->data + begin);
	}
	return length < MAX_KEY ? length : -1;
}

/* One HMGET goes into the output buffer of the connection. */
static int send_row(const redis_source *source, const char *key, int length)
{
	const char *words[2 + MAX_FEATURES] = { "HMGET", key };
	size_t lengths[2 + MAX_FEATURES] = { 5, (size_t)length };
	for (size_t c = 0; c < source->n_features; c++) {
		words[2 + c] = source->features[c];
		lengths[2 + c] = strlen(source->features[c]);
	}
	return redisAppendCommandArgv(source->connection, 2 + (int)source->n_features, words, lengths) == REDIS_OK ? 0 : ENOMEM;
}

static double number_of(const redisReply *field)
{
	char *end;
	if (field->type != REDIS_REPLY_STRING || field->len == 0)
		return (double)NAN;
	const double value = strtod(field->str, &end);
	return end == field->str + field->len ? value : (double)NAN;
}

static int receive_row(const redis_source *source, size_t r, double *const *columns)
{
	redisReply *reply = NULL;
	if (redisGetReply(source->connection, (void **)&reply) != REDIS_OK)
		return source->connection->err;
	const int is_row = reply->type == REDIS_REPLY_ARRAY && reply->elements == source->n_features;
	for (size_t c = 0; is_row && c < source->n_features; c++)
		columns[c][r] = number_of(reply->element[c]);
	freeReplyObject(reply);
	return is_row ? 0 : REDIS_ERR_PROTOCOL;
}

static int lookup_rows(const redis_source *source, size_t n_rows, const score_column *keys, double *const *columns)
{
	char key[MAX_KEY];
	size_t n_sent = 0;
	int code = 0;
	for (size_t r = 0; r < n_rows && code == 0; r++) {
		const int length = write_key(source, keys, r, key);
		if (length > 0)
			code = send_row(source, key, length);
		n_sent += length > 0 && code == 0;
	}
	/* Also after a failure: the next lookup would take what is left unread for its own rows. */
	for (size_t r = 0; n_sent > 0 && source->connection->err == 0; r++) {
		if (write_key(source, keys, r, key) <= 0)
			continue;
		const int failed = receive_row(source, r, columns);
		code = code != 0 ? code : failed;
		n_sent--;
	}
	return code;
}

int redis_source_lookup(void *context, size_t n_rows, const score_column *keys, size_t n_keys,
	const score_column *timestamp, double *const *columns, size_t n_columns)
{
	const redis_source *source = context;
	char key[MAX_KEY];
	if (n_keys != 1 || timestamp != NULL || n_columns != source->n_features || n_columns > MAX_FEATURES)
		return EINVAL;
	if (keys->dtype != SCORE_I64 && (keys->dtype != SCORE_STRING || ((const score_strings *)keys->values)->indices != NULL))
		return EINVAL;
	for (size_t r = 0; r < n_rows; r++)
		if (write_key(source, keys, r, key) < 0)
			return EINVAL;
	/* Redis has a decimal point wherever the host is: strtod() would read 0.5 as 0 where numbers have a comma. */
	const locale_t numbers = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
	if (numbers == (locale_t)0)
		return ENOMEM;
	const locale_t before = uselocale(numbers);
	const int code = lookup_rows(source, n_rows, keys, columns);
	uselocale(before);
	freelocale(numbers);
	return code;
}
