/*
 * What a model's metadata say of its classes: labels, and the rule that decides.
 *
 * Comes in: metadata texts, which may hold anything. Goes out: label texts in the model's arena, and a rule. The list of
 * labels is JSON of one level: texts, numbers, true, false.
 */
#include "model.h"

#define MOST_LABELS ((size_t)1 << 20)

/* A list being read: tokens end with a zero byte in `to`, a copy of the text that never grows. */
typedef struct label_reader {
	const char *p;
	char *to;
} label_reader;

static void skip_blanks(label_reader *r)
{
	while (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r')
		r->p++;
}

static bool read_hex4(label_reader *r, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++, r->p++) {
		char c = *r->p;
		static const char digits[] = "0123456789abcdef";
		const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
		if (!at)
			return false;
		*out = *out << 4 | (uint32_t)(at - digits);
	}
	return true;
}

/* Behind "\u": one code point, of a surrogate pair both halves. Not zero, which would end the text. */
static bool read_code_point(label_reader *r)
{
	uint32_t c, low;
	if (!read_hex4(r, &c))
		return false;
	if (c >= 0xd800 && c < 0xdc00) {
		if (r->p[0] != '\\' || r->p[1] != 'u')
			return false;
		r->p += 2;
		if (!read_hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
			return false;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c == 0 || (c >= 0xdc00 && c <= 0xdfff)) {
		return false;
	}
	int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
	*r->to++ = (char)(lead[more] | c >> 6 * more);
	for (; more > 0; more--)
		*r->to++ = (char)(0x80 | (c >> 6 * (more - 1) & 0x3f));
	return true;
}

static bool read_text(label_reader *r)
{
	static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	for (r->p++; *r->p != '"'; ) {
		if ((unsigned char)*r->p < 0x20)
			return false; /* the end of the text, too */
		if (*r->p != '\\') {
			*r->to++ = *r->p++;
			continue;
		}
		char kind = *++r->p;
		if (kind == '\0')
			return false;
		r->p++;
		const char *at = strchr(escapes, kind);
		if (at)
			*r->to++ = meanings[at - escapes];
		else if (kind != 'u' || !read_code_point(r))
			return false;
	}
	r->p++;
	*r->to++ = '\0';
	return true;
}

/* A number, true or false as it is spelled. */
static bool read_word(label_reader *r)
{
	size_t n = strspn(r->p, "+-.0123456789abcdefghijklmnopqrstuvwxyzEIN");
	bool is_number = r->p[0] == '-' || (r->p[0] >= '0' && r->p[0] <= '9');
	if (!is_number && !(n == 4 && memcmp(r->p, "true", 4) == 0) && !(n == 5 && memcmp(r->p, "false", 5) == 0))
		return false;
	memcpy(r->to, r->p, n);
	r->to[n] = '\0';
	r->to += n + 1;
	r->p += n;
	return true;
}

/* False if the text is no list of labels. `labels` has room for one more than the text has commas. */
static bool read_list(label_reader *r, const char **labels, uint32_t *n)
{
	*n = 0;
	skip_blanks(r);
	if (*r->p++ != '[')
		return false;
	do {
		skip_blanks(r);
		labels[(*n)++] = r->to;
		if (*r->p == '"' ? !read_text(r) : !read_word(r))
			return false;
		skip_blanks(r);
	} while (*r->p++ == ',');
	if (r->p[-1] != ']')
		return false;
	skip_blanks(r);
	return *r->p == '\0';
}

static score_status take_labels(score_model *model, sl_arena *arena, const char *text, score_error *error)
{
	size_t n = 1, length = strlen(text);
	for (const char *p = text; *p; p++)
		n += *p == ',';
	if (n > MOST_LABELS)
		return SCORE_OK;
	const char **labels = sl_arena_alloc(arena, n, sizeof *labels);
	char *texts = sl_arena_alloc(arena, length + 1, 1);
	if (!labels || !texts)
		return sl_fail_memory(error, n * sizeof *labels + length + 1);
	label_reader reader = {text, texts};
	if (read_list(&reader, labels, &model->n_class_labels))
		model->class_labels = labels;
	else
		model->n_class_labels = 0;
	return SCORE_OK;
}

static engine_class_rule parse_rule(const char *text)
{
	static const struct {
		const char *words;
		engine_class_kind kind;
	} rules[] = {
		{"largest prediction", ENGINE_CLASS_LARGEST_PREDICTION}, {"largest margin", ENGINE_CLASS_LARGEST_MARGIN},
		{"prediction > ", ENGINE_CLASS_PREDICTION_ABOVE}, {"margin > ", ENGINE_CLASS_MARGIN_ABOVE},
		{"margin >= ", ENGINE_CLASS_MARGIN_AT_LEAST},
	};
	engine_class_rule rule = {ENGINE_CLASS_UNKNOWN, 0.0};
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		size_t n = strlen(rules[i].words), rest = strlen(text);
		if (rest < n || memcmp(text, rules[i].words, n) != 0)
			continue;
		if (i < 2 ? rest == n : rest > n && sl_parse_f64(text + n, rest - n, &rule.border) == rest - n)
			rule.kind = rules[i].kind;
	}
	return rule;
}

score_status sl_model_take_classes(score_model *model, sl_arena *arena, score_error *error)
{
	const char *labels = score_model_metadata_get(model, "class_labels");
	const char *rule = score_model_metadata_get(model, "class_rule");
	model->class_rule = rule ? parse_rule(rule) : engine_default_class_rule(model->f);
	return labels ? take_labels(model, arena, labels, error) : SCORE_OK;
}

uint32_t score_model_class_count(const score_model *model)
{
	return model ? model->n_class_labels : 0;
}

const char *score_model_class_label(const score_model *model, uint32_t i)
{
	return model && i < model->n_class_labels ? model->class_labels[i] : NULL;
}
