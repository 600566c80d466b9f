/*
 * Lines, keys and numbers of LightGBM's text format.
 *
 * Comes in: untrusted bytes. Goes out: pieces that point into them, and numbers in the range that was asked
 * for, or an error with line and offset. Copies and allocates nothing.
 */
#include "lightgbm.h"

bool import_lgbm_line(lgbm_reader *in, lgbm_text *line)
{
	const char *p = in->at;
	if (p == in->end)
		return false;
	while (p != in->end && *p != '\n' && *p != '\r')
		p++;
	*line = (lgbm_text){in->at, (size_t)(p - in->at), in->line};
	if (p != in->end && *p == '\r')
		p++;
	if (p != in->end && *p == '\n')
		p++;
	in->at = p;
	in->line++;
	return true;
}

bool import_lgbm_equals(const lgbm_text *piece, const char *word)
{
	return piece->length == strlen(word) && memcmp(piece->text, word, piece->length) == 0;
}

bool import_lgbm_starts_with(const lgbm_text *piece, const char *word)
{
	size_t n = strlen(word);
	return piece->length >= n && memcmp(piece->text, word, n) == 0;
}

score_status import_lgbm_store(lgbm_reader *in, const lgbm_text *line, lgbm_field *fields, size_t n)
{
	lgbm_text key = *line, value = {line->text + line->length, 0, line->line};
	const char *equals = memchr(line->text, '=', line->length);
	if (equals) {
		key.length = (size_t)(equals - line->text);
		value.text = equals + 1;
		value.length = line->length - key.length - 1;
	}
	for (size_t i = 0; i < n; i++) {
		if (!import_lgbm_equals(&key, fields[i].key))
			continue;
		if (fields[i].value.text)
			return LGBM_FAIL(in, line, SCORE_ERR_CORRUPT,
				"\"%s\" stands here for the second time, first in line %lld", fields[i].key,
				(long long)fields[i].value.line);
		fields[i].value = value;
	}
	return SCORE_OK;
}

bool import_lgbm_word(lgbm_text *rest, char separator, lgbm_text *word)
{
	const char *p = rest->text, *end = p + rest->length;
	while (p != end && *p == separator)
		p++;
	*word = (lgbm_text){p, 0, rest->line};
	while (p != end && *p != separator)
		p++;
	word->length = (size_t)(p - word->text);
	rest->text = p;
	rest->length = (size_t)(end - p);
	return word->length != 0;
}

size_t import_lgbm_count_words(lgbm_text rest)
{
	lgbm_text word;
	size_t n = 0;
	while (import_lgbm_word(&rest, ' ', &word))
		n++;
	return n;
}

/* Where a word should have been. */
static score_status missing_number(lgbm_reader *in, const lgbm_text *rest, const char *what)
{
	return LGBM_FAIL(in, rest, SCORE_ERR_CORRUPT, "\"%s\" has too few numbers", what);
}

score_status import_lgbm_next_i64(lgbm_reader *in, lgbm_text *rest, const char *what, int64_t low,
	int64_t high, int64_t *out)
{
	lgbm_text word;
	if (!import_lgbm_word(rest, ' ', &word))
		return missing_number(in, rest, what);
	if (sl_parse_i64(word.text, word.length, out) != word.length || *out < low || *out > high)
		return LGBM_FAIL(in, &word, SCORE_ERR_CORRUPT,
			"\"%s\" holds \"%s\", expected a whole number from %lld to %lld", what,
			sl_quote(word.text, word.length).text, (long long)low, (long long)high);
	return SCORE_OK;
}

score_status import_lgbm_next_f64(lgbm_reader *in, lgbm_text *rest, const char *what, double *out)
{
	lgbm_text word;
	if (!import_lgbm_word(rest, ' ', &word))
		return missing_number(in, rest, what);
	if (sl_parse_f64(word.text, word.length, out) != word.length)
		return LGBM_FAIL(in, &word, SCORE_ERR_CORRUPT, "\"%s\" holds \"%s\", expected a number", what,
			sl_quote(word.text, word.length).text);
	return SCORE_OK;
}

score_status import_lgbm_no_more(lgbm_reader *in, const lgbm_text *rest, const char *what)
{
	lgbm_text left = *rest, word;
	if (import_lgbm_word(&left, ' ', &word))
		return LGBM_FAIL(in, &word, SCORE_ERR_CORRUPT, "\"%s\" goes on with \"%s\", expected its end here",
			what, sl_quote(word.text, word.length).text);
	return SCORE_OK;
}
