/*
 * scoreline inspect --json: what a model is, for programs. Keys are only ever added.
 */
#include "cli.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Names come from other libraries' files and need not be UTF-8; what JSON cannot hold becomes '?'. */
static json_t *text_value(const char *text)
{
	json_t *value;
	char *copy;
	size_t i;
	if (text == NULL)
		return json_null();
	value = json_string(text);
	if (value != NULL)
		return value;
	copy = strdup(text);
	if (copy == NULL)
		return NULL;
	for (i = 0; copy[i] != '\0'; i++)
		if ((unsigned char)copy[i] >= 0x80)
			copy[i] = '?';
	value = json_string(copy);
	free(copy);
	return value;
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *metadata_value(const cli_model *m, const char *key)
{
	return text_value(score_model_metadata_get(m->model, key));
}

static json_t *hash_value(const cli_model *m)
{
	char text[2 * sizeof m->info.hash + 1];
	size_t i;
	if (!m->is_slm)
		return json_null();
	for (i = 0; i < sizeof m->info.hash; i++)
		snprintf(text + 2 * i, 3, "%02x", m->info.hash[i]);
	return json_string(text);
}

/* Codes by label; NaN, a label that means missing, is null. */
static json_t *label_map(const cli_model *m, uint32_t feature)
{
	json_t *labels = json_object();
	uint32_t k, n = score_model_category_count(m->model, feature);
	for (k = 0; k < n; k++) {
		double code = score_model_category_code(m->model, feature, k);
		if (json_object_set_new(labels, score_model_category_name(m->model, feature, k),
				code != code ? json_null() : json_real(code)) != 0) {
			json_decref(labels);
			return NULL;
		}
	}
	return labels;
}

static json_t *feature_list(const cli_model *m)
{
	json_t *list = json_array();
	uint32_t i;
	for (i = 0; i < m->info.n_features; i++) {
		bool category = score_model_feature_type(m->model, i) == SCORE_FEATURE_CATEGORY;
		json_t *feature = json_pack("{s:o, s:s}", "name", text_value(score_model_feature_name(m->model, i)), "type",
			category ? "category" : "numeric");
		if (feature != NULL && score_model_dictionary(m->model, i) &&
			json_object_set_new(feature, "labels", label_map(m, i)) != 0) {
			json_decref(feature);
			feature = NULL;
		}
		if (json_array_append_new(list, feature) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *metadata_object(const cli_model *m)
{
	json_t *object = json_object();
	uint32_t i, n = score_model_metadata_count(m->model);
	for (i = 0; i < n; i++) {
		json_t *key = text_value(score_model_metadata_key(m->model, i));
		int failed = json_object_set_new(object, json_string_value(key),
			text_value(score_model_metadata_value(m->model, i)));
		json_decref(key);
		if (failed) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

typedef struct entry {
	const char *key;
	json_t *value;
} entry;

/* Takes over the values, also on failure. */
static bool set_all(json_t *object, const entry *entries, size_t n)
{
	bool ok = true;
	size_t i;
	for (i = 0; i < n; i++)
		if (json_object_set_new(object, entries[i].key, entries[i].value) != 0)
			ok = false;
	return ok;
}

static bool set_description(json_t *object, const char *path, const cli_model *m)
{
	const score_model_info *info = &m->info;
	const entry entries[] = {
		{ "file", text_value(path) },
		{ "format", json_string(cli_model_format_name(m)) },
		{ "file_bytes", number(m->file_bytes) },
		{ "hash", hash_value(m) },
		{ "name", metadata_value(m, "name") },
		{ "kind", json_string(info->kind == SCORE_KIND_LINEAR ? "linear" : "trees") },
		{ "source_library", metadata_value(m, "source.library") },
		{ "source_version", metadata_value(m, "source.version") },
		{ "objective", metadata_value(m, "objective") },
		{ "link", json_string(score_model_link_name(m->model)) },
		{ "n_features", number(info->n_features) },
		{ "features", feature_list(m) },
		{ "n_derived", number(info->n_derived) },
		{ "n_outputs", number(info->n_outputs) },
		{ "n_predictions", number(info->n_predictions) },
		{ "margin_type", json_string(info->margin_is_f32 ? "float32" : "float64") },
	};
	return set_all(object, entries, sizeof entries / sizeof entries[0]);
}

static bool set_size(json_t *object, const cli_model *m)
{
	const score_model_info *info = &m->info;
	const entry entries[] = {
		{ "n_trees", number(info->n_trees) },
		{ "trees_per_iteration", number(info->trees_per_iteration) },
		{ "n_leaves", number(info->n_leaves) },
		{ "n_splits", number(info->n_splits) },
		{ "n_tests", number(info->n_tests) },
		{ "n_categories", number(info->n_categories) },
		{ "max_leaves", number(info->max_leaves) },
		{ "max_depth", number(info->max_depth) },
		{ "max_cuts", number(info->max_cuts) },
		{ "code_bytes", number(info->code_bytes) },
		{ "isa", json_string(score_isa_name(info->isa)) },
		{ "batch_regime", json_string(score_regime_name(info->batch_regime)) },
		{ "row_regime", json_string(score_regime_name(info->row_regime)) },
		{ "memory_bytes", number(info->memory_bytes) },
		{ "scratch_bytes", number(score_scratch_bytes(m->model)) },
		{ "n_golden_rows", number(info->n_golden_rows) },
		{ "metadata", metadata_object(m) },
	};
	return set_all(object, entries, sizeof entries / sizeof entries[0]);
}

int cli_inspect_json(const char *path, const cli_model *m)
{
	json_t *object = json_object();
	bool ok = set_description(object, path, m);
	ok = set_size(object, m) && ok;
	/* A dump fails only for memory or for stdout, which the flush reports. */
	if (ok)
		ok = json_dumpf(object, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0 || ferror(stdout);
	json_decref(object);
	if (!ok)
		return cli_fail_memory(path);
	putchar('\n');
	return cli_flush_stdout();
}
