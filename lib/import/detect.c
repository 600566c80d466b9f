/*
 * Which library wrote a model file, told from its content.
 *
 * Comes in: untrusted bytes. Goes out: the format to import, or an error that names what the file is instead
 * and what to do about it.
 */
#include "importers.h"

typedef struct span {
	const char *text;
	size_t length;
} span;

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static span skip_space(span s)
{
	while (s.length && is_space(*s.text)) {
		s.text++;
		s.length--;
	}
	return s;
}

/* Text behind a byte order mark and white space. */
static span start_of(const void *data, size_t size)
{
	span s = {data, size};
	if (size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0) {
		s.text += 3;
		s.length -= 3;
	}
	return skip_space(s);
}

static bool starts_with(span s, const char *prefix, size_t length)
{
	return s.length >= length && memcmp(s.text, prefix, length) == 0;
}

static bool contains(span s, const char *word)
{
	size_t length = strlen(word);
	while (s.length >= length) {
		const char *hit = memchr(s.text, word[0], s.length - length + 1);
		if (!hit)
			return false;
		s.length -= (size_t)(hit - s.text);
		s.text = hit;
		if (memcmp(hit, word, length) == 0)
			return true;
		s.text++;
		s.length--;
	}
	return false;
}

/* An object whose first key is quoted, or an empty one. */
static bool is_json_object(span s)
{
	if (!s.length || *s.text != '{')
		return false;
	span inside = skip_space((span){s.text + 1, s.length - 1});
	return inside.length && (*inside.text == '"' || *inside.text == '}');
}

/* An object whose first key is a length with its type letter. */
static bool is_ubjson_object(span s)
{
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): a zero byte is no type letter */
	return s.length >= 2 && s.text[0] == '{' && memchr("LlIUi", s.text[1], 5);
}

static bool is_lightgbm_text(span s)
{
	return starts_with(s, "tree", 4) && s.length > 4 && (s.text[4] == '\n' || s.text[4] == '\r');
}

/* A protocol buffer's varint at `at`, which moves behind it; UINT64_MAX when there is none. */
static uint64_t varint(span s, size_t *at)
{
	uint64_t x = 0;
	for (unsigned shift = 0; shift < 64 && *at < s.length; shift += 7) {
		uint8_t byte = (uint8_t)s.text[(*at)++];
		x |= (uint64_t)(byte & 0x7F) << shift;
		if (byte < 0x80)
			return x;
	}
	return UINT64_MAX;
}

/* Protocol buffers have no magic. An ONNX model is a few fields of ModelProto, one behind the other up to the end of the
 * file, with a graph (7) and an IR version (1) or operator sets (8) among them. */
static bool is_onnx(span s)
{
	size_t at = 0;
	uint32_t seen = 0;
	while (at < s.length) {
		uint64_t key = varint(s, &at), field = key >> 3;
		if (field < 1 || field > 31 || ((key & 7) != 0 && (key & 7) != 2))
			return false;
		uint64_t x = varint(s, &at);
		if (x == UINT64_MAX && (key & 7) == 2)
			return false;
		/* A file that was cut off is one still; its importer says so. */
		at = (key & 7) == 0 ? at : x < s.length - at ? at + (size_t)x : s.length;
		seen |= (uint32_t)1 << field;
	}
	return (seen & 1u << 7) && (seen & (1u << 1 | 1u << 8));
}

static score_format json_format(span s)
{
	/* A feature or category of CatBoost may have the name "learner". */
	bool is_xgboost = contains(s, "\"learner\"");
	if (is_xgboost && !contains(s, "\"features_info\""))
		return SCORE_FORMAT_XGBOOST_JSON;
	bool is_catboost = contains(s, "\"oblivious_trees\"") || contains(s, "\"scale_and_bias\"");
	if (is_xgboost && !is_catboost)
		return SCORE_FORMAT_XGBOOST_JSON;
	return is_catboost ? SCORE_FORMAT_CATBOOST_JSON : SCORE_FORMAT_AUTO;
}

score_format import_detect(const void *data, size_t size)
{
	if (!data || size == 0)
		return SCORE_FORMAT_AUTO;
	span raw = {data, size}, text = start_of(data, size);
	if (is_lightgbm_text(text))
		return SCORE_FORMAT_LIGHTGBM_TEXT;
	if (is_json_object(text))
		return json_format(text);
	if (is_ubjson_object(raw))
		return contains(raw, "learner") ? SCORE_FORMAT_XGBOOST_UBJSON : SCORE_FORMAT_AUTO;
	return is_onnx(raw) ? SCORE_FORMAT_ONNX : SCORE_FORMAT_AUTO;
}

/* ---- what we refuse ----------------------------------------------------------------------------- */

#define PICKLE "a Python pickle, which only Python may open; save the model with its own save_model()"
#define OLD_XGBOOST \
	"an XGBoost binary model of before 1.0; open it with XGBoost 1.x to 3.0 and save_model(\"model.json\")"
#define COMPRESSED "a compressed file; unpack it first"

static const struct signature {
	const char *bytes;
	size_t length;
	const char *what;
} signatures[] = {
	{"\x80\x02", 2, PICKLE},
	{"\x80\x03", 2, PICKLE},
	{"\x80\x04", 2, PICKLE},
	{"\x80\x05", 2, PICKLE},
	{"\x89SLM", 4, "a Scoreline model already: open it, it needs no conversion"},
	{"CBM1", 4, "a CatBoost binary model; open it with CatBoost and save_model(\"model.json\", format=\"json\")"},
	{"binf", 4, OLD_XGBOOST},
	{"bs64", 4, OLD_XGBOOST},
	{"\x1F\x8B", 2, COMPRESSED},
	{"PK\x03\x04", 4, COMPRESSED},
	{"BZh", 3, COMPRESSED},
	{"\xFD""7zXZ", 5, COMPRESSED},
	{"\x28\xB5\x2F\xFD", 4, COMPRESSED},
	{"\x89HDF", 4, "an HDF5 file (Keras?); supported are trees and linear models: export those as ONNX"},
	{"booster[", 8, "a text dump of XGBoost, which is not exact; save the model with save_model()"},
	{"<?xml", 5, "XML (PMML?); save the model by the library that trained it, or as ONNX"},
	{"<PMML", 5, "PMML; save the model by the library that trained it, or as ONNX"},
};

/* The old binary format has no magic; behind 136 bytes of numbers stand objective and booster. */
static bool is_old_xgboost(span s)
{
	static const char *const boosters[] = {"gbtree", "gblinear", "dart"};
	span head = {s.text, s.length < 512 ? s.length : 512};
	if (s.length < 136 || memchr(s.text, 0, 16) == NULL)
		return false;
	for (int i = 0; i < 3; i++) {
		if (contains(head, boosters[i]))
			return true;
	}
	return false;
}

static const char *what_json(span s)
{
	if (contains(s, "\"tree_info\"") && contains(s, "\"num_tree_per_iteration\""))
		return "a JSON dump of LightGBM; save the model with save_model() instead, as text";
	return "JSON without the key \"learner\" of XGBoost or \"oblivious_trees\" or \"scale_and_bias\" of CatBoost; save the model with save_model()";
}

static const char *what_is(span raw, span text)
{
	for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
		if (starts_with(raw, signatures[i].bytes, signatures[i].length))
			return signatures[i].what;
	}
	if (is_json_object(text))
		return what_json(text);
	if (starts_with(text, "[", 1) && contains(text, "\"nodeid\""))
		return "a JSON dump of XGBoost, which is not exact; save the model with save_model()";
	if (is_ubjson_object(raw))
		return "UBJSON without the key \"learner\", so no XGBoost model; save the model with save_model()";
	return is_old_xgboost(raw) ? OLD_XGBOOST : NULL;
}

score_status import_refuse_unknown(const void *data, size_t size, score_error *error)
{
	if (!data || size == 0)
		return sl_fail(
			error, SCORE_ERR_CORRUPT, "the file is empty; expected a model of XGBoost, LightGBM or CatBoost, or ONNX");
	const char *what = what_is((span){data, size}, start_of(data, size));
	if (what)
		return sl_fail(error, SCORE_ERR_UNSUPPORTED, "the file is %s", what);
	return sl_fail(error, SCORE_ERR_UNSUPPORTED,
		"the content is of no known model format; expected XGBoost JSON or UBJSON, LightGBM text, CatBoost JSON, or ONNX");
}
