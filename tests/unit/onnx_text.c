/* See onnx_text.h. Fields by ONNX's numbers (lib/import/onnx.proto). */
#include "onnx_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- protocol buffers ------------------------------------------------------------------------------------ */

onnx_bytes *onnx_new_bytes(size_t n)
{
	onnx_bytes *b = calloc(n, sizeof *b);
	assert_non_null(b);
	return b;
}

void onnx_put_varint(onnx_bytes *b, uint64_t x)
{
	assert_in_range(b->size, 0, sizeof b->data - 10);
	for (; x >= 0x80; x >>= 7)
		b->data[b->size++] = (unsigned char)(x | 0x80);
	b->data[b->size++] = (unsigned char)x;
}

void onnx_put_number(onnx_bytes *b, unsigned field, int64_t x)
{
	onnx_put_varint(b, field << 3);
	onnx_put_varint(b, (uint64_t)x);
}

static void put_raw(onnx_bytes *b, const void *data, size_t size)
{
	assert_in_range(b->size + size, 0, sizeof b->data);
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

void onnx_put_block(onnx_bytes *b, unsigned field, const void *data, size_t size)
{
	onnx_put_varint(b, field << 3 | 2);
	onnx_put_varint(b, size);
	put_raw(b, data, size);
}

void onnx_put_text(onnx_bytes *b, unsigned field, const char *text)
{
	onnx_put_block(b, field, text, strlen(text));
}

static void put_float(onnx_bytes *b, unsigned field, float x)
{
	onnx_put_varint(b, field << 3 | 5);
	put_raw(b, &x, sizeof x);
}

/* `part` as a message of `b`; it is empty afterwards. */
static void put_message(onnx_bytes *b, unsigned field, onnx_bytes *part)
{
	onnx_put_block(b, field, part->data, part->size);
	part->size = 0;
}

/* ---- words ------------------------------------------------------------------------------------------------- */

typedef struct words {
	const char *at, *end;      /* what is left of the line */
	long long next, last;      /* of a range that is being read */
	unsigned long repeats;     /* of `word` */
	char word[256];
} words;

static bool read_word(words *w)
{
	while (w->at < w->end && *w->at == ' ')
		w->at++;
	const char *from = w->at;
	while (w->at < w->end && *w->at != ' ')
		w->at++;
	size_t length = (size_t)(w->at - from);
	assert_in_range(length, 0, sizeof w->word - 1);
	memcpy(w->word, from, length);
	w->word[length] = '\0';
	return length != 0;
}

/* The next word, with ranges and repetitions written out; false at the end of the line or at a semicolon, which is left. */
static bool next_word(words *w)
{
	char *star, *behind;
	if (w->next <= w->last) {
		snprintf(w->word, sizeof w->word, "%lld", w->next++);
		return true;
	}
	if (w->repeats) {
		w->repeats--;
		return true;
	}
	const char *from = w->at;
	if (!read_word(w) || strcmp(w->word, ";") == 0) {
		w->at = from;
		return false;
	}
	star = strchr(w->word, '*');
	if (star && star > w->word) {
		w->repeats = strtoul(w->word, NULL, 10) - 1;
		memmove(w->word, star + 1, strlen(star));
	} else if (strstr(w->word, "..") && w->word[0] >= '0' && w->word[0] <= '9') {
		w->next = strtoll(w->word, &behind, 10);
		w->last = strtoll(behind + 2, NULL, 10);
		return next_word(w);
	}
	return true;
}

static void need_word(words *w)
{
	if (!next_word(w))
		fail_msg("a word is missing before \"%.*s\"", (int)(w->end - w->at), w->at);
}

static bool take_word(words *w, const char *word)
{
	const char *from = w->at;
	if (read_word(w) && strcmp(w->word, word) == 0)
		return true;
	w->at = from;
	return false;
}

/* A text with escapes as a field. */
static void put_escaped(onnx_bytes *b, unsigned field, const char *text, size_t length)
{
	char bytes[256], digits[3] = "";
	size_t n = 0;
	bool empty = length == 2 && memcmp(text, "\"\"", 2) == 0;
	for (size_t i = 0; i < length && !empty; i++) {
		bytes[n++] = text[i];
		if (text[i] == '%') {
			memcpy(digits, text + i + 1, 2);
			bytes[n - 1] = (char)strtoul(digits, NULL, 16);
			i += 2;
		}
	}
	onnx_put_block(b, field, bytes, n);
}

/* Names between commas, each as a field. */
static void put_names(onnx_bytes *b, unsigned field, const char *names)
{
	while (strcmp(names, "-") != 0) {
		size_t length = strcspn(names, ",");
		put_escaped(b, field, names, length);
		if (!names[length])
			return;
		names += length + 1;
	}
}

/* ---- values ------------------------------------------------------------------------------------------------ */

static int64_t type_of(const char *word)
{
	static const struct {
		const char *name;
		int64_t number;
	} types[] = {{"f32", 1}, {"u8", 2}, {"i32", 6}, {"i64", 7}, {"str", 8}, {"bool", 9}, {"f64", 11}};
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (strcmp(types[i].name, word) == 0)
			return types[i].number;
	}
	return strtoll(word, NULL, 10);
}

/* The words that are left, as elements of a type, behind each other. */
static void put_elements(onnx_bytes *out, words *w, int64_t type, bool raw)
{
	while (next_word(w)) {
		const float f = strtof(w->word, NULL);
		const double d = strtod(w->word, NULL);
		const int64_t i = strtoll(w->word, NULL, 10);
		if (type == 1)
			put_raw(out, &f, sizeof f);
		else if (type == 11)
			put_raw(out, &d, sizeof d);
		else if (!raw)
			onnx_put_varint(out, (uint64_t)i);
		else
			put_raw(out, &i, type == 7 ? 8 : type == 6 ? 4 : 1);
	}
}

/* TYPE DIMS VALUES as a tensor. */
static void put_tensor(onnx_bytes *b, words *w)
{
	onnx_bytes *part = onnx_new_bytes(1);
	need_word(w);
	int64_t type = type_of(w->word);
	need_word(w);
	bool raw = strncmp(w->word, "raw:", 4) == 0, external = strncmp(w->word, "ext:", 4) == 0;
	bool own = strncmp(w->word, "own:", 4) == 0;
	const char *dims = w->word + (raw || external || own ? 4 : 0);
	while (*dims && strcmp(dims, "-") != 0) {
		char *behind;
		onnx_put_number(b, 1, strtoll(dims, &behind, 10));
		dims = *behind ? behind + 1 : behind;
	}
	onnx_put_number(b, 2, type);
	if (external)
		onnx_put_number(b, 14, 1);
	if (own)
		onnx_put_text(b, 13, "location");
	if (type == 8 && !raw) {
		while (next_word(w))
			put_escaped(b, 6, w->word, strlen(w->word));
	} else if (!external) {
		put_elements(part, w, type, raw);
		put_message(b, raw ? 9 : type == 1 ? 4 : type == 11 ? 10 : type == 7 ? 7 : 5, part);
	}
	free(part);
}

/* ---- statements --------------------------------------------------------------------------------------------- */

static void put_list(onnx_bytes *a, words *w, char kind)
{
	onnx_bytes *part = onnx_new_bytes(1);
	while (kind == 's' && next_word(w))
		put_escaped(a, 9, w->word, strlen(w->word));
	if (kind != 's') {
		put_elements(part, w, kind == 'f' ? 1 : 7, false);
		put_message(a, kind == 'f' ? 7 : 8, part);
	}
	free(part);
}

/* NAME KIND VALUES */
static void put_attribute(onnx_bytes *node, words *w)
{
	onnx_bytes *a = onnx_new_bytes(2);
	need_word(w);
	onnx_put_text(a, 1, w->word);
	need_word(w);
	char kind = w->word[0];
	bool is_list = w->word[0] == w->word[1];
	if (is_list) {
		put_list(a, w, kind);
	} else if (kind == 't') {
		put_tensor(a + 1, w);
		put_message(a, 5, a + 1);
	} else {
		need_word(w);
		if (kind == 'i')
			onnx_put_number(a, 3, strtoll(w->word, NULL, 10));
		else if (kind == 'f')
			put_float(a, 2, strtof(w->word, NULL));
		else
			put_escaped(a, 4, w->word, strlen(w->word));
	}
	onnx_put_number(a, 20, kind == 't' ? 4 : (kind == 'f' ? 1 : kind == 'i' ? 2 : 3) + (is_list ? 5 : 0));
	put_message(node, 5, a);
	free(a);
}

static void put_node(onnx_bytes *graph, words *w)
{
	onnx_bytes *node = onnx_new_bytes(1);
	char op[256];
	need_word(w);
	snprintf(op, sizeof op, "%s", w->word);
	bool ml = strncmp(op, "ml:", 3) == 0, onnx = strncmp(op, "onnx:", 5) == 0;
	char *name = strchr(op, '@');
	if (name) {
		onnx_put_text(node, 3, name + 1);
		*name = '\0';
	}
	need_word(w);
	put_names(node, 1, w->word);
	assert_true(take_word(w, "->"));
	need_word(w);
	put_names(node, 2, w->word);
	onnx_put_text(node, 4, op + (ml ? 3 : onnx ? 5 : 0));
	if (ml || onnx)
		onnx_put_text(node, 7, ml ? "ai.onnx.ml" : "ai.onnx");
	while (take_word(w, ";"))
		put_attribute(node, w);
	put_message(graph, 1, node);
	free(node);
}

/* NAME TYPE DIMS */
static void put_input(onnx_bytes *graph, words *w)
{
	onnx_bytes *part = onnx_new_bytes(4); /* ValueInfo, Type, TensorType, Shape */
	need_word(w);
	put_names(part, 1, w->word);
	need_word(w);
	onnx_put_number(part + 2, 1, type_of(w->word));
	if (next_word(w)) {
		for (const char *dim = w->word; *dim; dim += strcspn(dim, "x") + (strchr(dim, 'x') != NULL)) {
			onnx_bytes *number = onnx_new_bytes(1);
			if (*dim != '?')
				onnx_put_number(number, 1, strtoll(dim, NULL, 10));
			put_message(part + 3, 1, number);
			free(number);
		}
		put_message(part + 2, 2, part + 3);
	}
	put_message(part + 1, 1, part + 2);
	put_message(part, 2, part + 1);
	put_message(graph, 11, part);
	free(part);
}

static void put_statement(onnx_bytes *model, onnx_bytes *graph, words *w)
{
	onnx_bytes *part = onnx_new_bytes(1);
	if (take_word(w, "node")) {
		put_node(graph, w);
	} else if (take_word(w, "in")) {
		put_input(graph, w);
	} else if (take_word(w, "out")) {
		need_word(w);
		put_names(part, 1, w->word);
		put_message(graph, 12, part);
	} else if (take_word(w, "const")) {
		need_word(w);
		put_names(part, 8, w->word);
		put_tensor(part, w);
		put_message(graph, 5, part);
	} else if (take_word(w, "opset")) {
		need_word(w);
		onnx_put_text(part, 1, w->word);
		need_word(w);
		onnx_put_number(part, 2, strtoll(w->word, NULL, 10));
		put_message(model, 8, part);
	} else if (take_word(w, "producer")) {
		need_word(w);
		put_names(model, 2, w->word);
		need_word(w);
		put_names(model, 3, w->word);
	} else if (take_word(w, "function")) {
		onnx_put_text(model, 25, "own");
	}
	if (read_word(w))
		fail_msg("what is \"%s\"?", w->word);
	free(part);
}

onnx_bytes *onnx_from_text(const char *text)
{
	onnx_bytes *model = onnx_new_bytes(1), *graph = onnx_new_bytes(1);
	onnx_put_number(model, 1, 8);
	while (*text) {
		size_t length = strcspn(text, "\n");
		words w = {.at = text, .end = text + length, .last = -1};
		put_statement(model, graph, &w);
		text += length + (text[length] == '\n');
	}
	put_message(model, 7, graph);
	free(graph);
	return model;
}
