/*
 * The header of an .npy file: a Python dictionary of three known keys in one line of text.
 *
 * Comes in: the text, untrusted. Goes out: type, order and shape, or what is wrong with it. NumPy writes
 * {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), } and pads it with spaces.
 */
#include "cli.h"

#include <string.h>

typedef struct scanner {
	const char *p;
	const char *end;
} scanner;

static char problem[160];

static void skip_space(scanner *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t'))
		s->p++;
}

static bool accept(scanner *s, const char *word)
{
	size_t length = strlen(word);
	skip_space(s);
	if ((size_t)(s->end - s->p) < length || memcmp(s->p, word, length) != 0)
		return false;
	s->p += length;
	return true;
}

static bool scan_string(scanner *s, const char **text, size_t *length)
{
	const char *close;
	char quote;
	skip_space(s);
	if (s->p == s->end || (*s->p != '\'' && *s->p != '"'))
		return false;
	quote = *s->p++;
	close = memchr(s->p, quote, (size_t)(s->end - s->p));
	if (close == NULL)
		return false;
	*text = s->p;
	*length = (size_t)(close - s->p);
	s->p = close + 1;
	return true;
}

static const char *parse_type(scanner *s, cli_npy_header *out)
{
	const char *text;
	size_t length;
	if (!scan_string(s, &text, &length))
		return "has a structured type; expected a plain array of float32 or float64";
	if (length == 3 && strchr("<>=", text[0]) != NULL && text[1] == 'f' && (text[2] == '4' || text[2] == '8')) {
		out->big_endian = text[0] == '>';
		out->value_bytes = (uint32_t)(text[2] - '0');
		return NULL;
	}
	snprintf(problem, sizeof problem, "has type '%s'; expected '<f4' or '<f8': save it as x.astype(numpy.float64)",
		cli_quote(text, length, 24).text);
	return problem;
}

static bool scan_extent(scanner *s, uint64_t *out)
{
	uint64_t n = 0;
	const char *first;
	skip_space(s);
	first = s->p;
	for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++) {
		if (n > (UINT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (uint64_t)(*s->p - '0');
	}
	*out = n;
	return s->p > first;
}

static const char *parse_shape(scanner *s, cli_npy_header *out)
{
	static const char *const bad = "has a header whose shape is not a tuple of numbers";
	if (!accept(s, "("))
		return bad;
	while (!accept(s, ")")) {
		uint64_t extent;
		if (!scan_extent(s, &extent))
			return bad;
		if (out->n_dimensions < 2)
			out->shape[out->n_dimensions] = extent;
		out->n_dimensions++;
		if (!accept(s, ",")) {
			if (!accept(s, ")"))
				return bad;
			break;
		}
	}
	return NULL;
}

static bool is_key(const char *text, size_t length, const char *key)
{
	return length == strlen(key) && memcmp(text, key, length) == 0;
}

static const char *parse_entry(scanner *s, unsigned *found, cli_npy_header *out)
{
	const char *key;
	size_t length;
	unsigned bit;
	const char *wrong = NULL;
	if (!scan_string(s, &key, &length) || !accept(s, ":"))
		return "has a damaged header; expected {'descr': …, 'fortran_order': …, 'shape': …}";
	if (is_key(key, length, "descr")) {
		bit = 1;
		wrong = parse_type(s, out);
	} else if (is_key(key, length, "fortran_order")) {
		bit = 2;
		out->fortran_order = accept(s, "True");
		if (!out->fortran_order && !accept(s, "False"))
			wrong = "has a header whose fortran_order is neither True nor False";
	} else if (is_key(key, length, "shape")) {
		bit = 4;
		wrong = parse_shape(s, out);
	} else {
		return "has a header with an unknown key; expected descr, fortran_order and shape";
	}
	if (wrong == NULL && (*found & bit) != 0)
		wrong = "has a header with a doubled key";
	*found |= bit;
	return wrong;
}

const char *cli_npy_parse_header(const char *text, size_t length, cli_npy_header *out)
{
	scanner s = { text, text + length };
	unsigned found = 0;
	memset(out, 0, sizeof *out);
	if (!accept(&s, "{"))
		return "has a damaged header; expected a dictionary";
	while (!accept(&s, "}")) {
		const char *wrong = parse_entry(&s, &found, out);
		if (wrong != NULL)
			return wrong;
		if (!accept(&s, ",")) {
			if (!accept(&s, "}"))
				return "has a damaged header; expected , or }";
			break;
		}
	}
	skip_space(&s);
	if (s.p != s.end)
		return "has text behind its header";
	if (found != 7)
		return "has an incomplete header; expected descr, fortran_order and shape";
	return NULL;
}
