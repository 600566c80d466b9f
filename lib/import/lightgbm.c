/*
 * LightGBM's text format: the header, the list of trees, and what stands behind it.
 *
 * Comes in: the untrusted bytes of a model.txt (versions v2 to v4). Goes out: an unfinished builder that
 * gives LightGBM's own margins to the last bit. Relies on base and the public builder interface.
 */
#include "importers.h"
#include "lightgbm.h"

#define MAX_COUNT (1 << 24)

enum header_key {
	VERSION,
	NUM_CLASS,
	NUM_TREE_PER_ITERATION,
	LABEL_INDEX,
	MAX_FEATURE_IDX,
	OBJECTIVE,
	AVERAGE_OUTPUT,
	FEATURE_NAMES,
	FEATURE_INFOS,
	TREE_SIZES,
	N_HEADER_KEYS
};

static const char *const header_keys[N_HEADER_KEYS] = {
	"version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective",
	"average_output", "feature_names", "feature_infos", "tree_sizes",
};

typedef struct lgbm_import {
	lgbm_reader in;
	lgbm_field header[N_HEADER_KEYS];
	score_import_options options;
	score_allocator allocator;
	sl_arena texts; /* terminated copies */
	score_builder *builder;
	lgbm_trees trees;
	uint32_t n_features, n_outputs;
	uint64_t n_trees;
} lgbm_import;

/* ---- header ---------------------------------------------------------------------------------------- */

/* Everything up to the first "Tree=" line, which is left to be read. */
static score_status read_header(lgbm_import *m)
{
	lgbm_text line = {m->in.start, 0, 1};
	if (import_lgbm_starts_with(&(lgbm_text){m->in.start, (size_t)(m->in.end - m->in.start), 1}, "\xEF\xBB\xBF"))
		return LGBM_FAIL(&m->in, &line, SCORE_ERR_CORRUPT,
			"the file begins with a byte order mark, which LightGBM does not read either: save it without one");
	if (!import_lgbm_line(&m->in, &line) || !import_lgbm_equals(&line, "tree"))
		return LGBM_FAIL(&m->in, &line, SCORE_ERR_CORRUPT,
			"no LightGBM model: the first line is not \"tree\"");
	const char *zero = memchr(m->in.start, 0, (size_t)(m->in.end - m->in.start));
	if (zero)
		return sl_fail_at(m->in.error, SCORE_ERR_CORRUPT, zero - m->in.start, -1,
			"a zero byte in a text file");
	for (size_t i = 0; i < N_HEADER_KEYS; i++)
		m->header[i] = (lgbm_field){header_keys[i], {NULL, 0, 0}};
	lgbm_reader before = m->in;
	while (import_lgbm_line(&m->in, &line)) {
		if (import_lgbm_starts_with(&line, "Tree=")) {
			m->in = before;
			return SCORE_OK;
		}
		score_status status = import_lgbm_store(&m->in, &line, m->header, N_HEADER_KEYS);
		if (status != SCORE_OK)
			return status;
		before = m->in;
	}
	return LGBM_FAIL(&m->in, &line, SCORE_ERR_CORRUPT, "the file has no trees, or was cut off before them");
}

static score_status require(lgbm_import *m, enum header_key key)
{
	if (!m->header[key].value.text)
		return sl_fail_at(m->in.error, SCORE_ERR_CORRUPT, -1, -1, "the header has no \"%s\"",
			header_keys[key]);
	return SCORE_OK;
}

static score_status read_number(lgbm_import *m, enum header_key key, int64_t low, int64_t *out)
{
	score_status status = require(m, key);
	lgbm_text rest = m->header[key].value;
	if (status == SCORE_OK)
		status = import_lgbm_next_i64(&m->in, &rest, header_keys[key], low, MAX_COUNT, out);
	return status == SCORE_OK ? import_lgbm_no_more(&m->in, &rest, header_keys[key]) : status;
}

/* Before anything is allocated for the number of features that the header claims. */
static score_status check_per_feature(lgbm_import *m, enum header_key key)
{
	score_status status = require(m, key);
	if (status != SCORE_OK)
		return status;
	size_t n = import_lgbm_count_words(m->header[key].value);
	if (n != m->n_features)
		return LGBM_FAIL(&m->in, &m->header[key].value, SCORE_ERR_CORRUPT,
			"\"%s\" has %zu entries, but there are %u features", header_keys[key], n, m->n_features);
	return SCORE_OK;
}

static score_status read_shape(lgbm_import *m)
{
	int64_t n_classes = 0, per_iteration = 0, label = 0, last_feature = 0;
	score_status status = read_number(m, NUM_CLASS, 1, &n_classes);
	per_iteration = n_classes;
	if (status == SCORE_OK && m->header[NUM_TREE_PER_ITERATION].value.text)
		status = read_number(m, NUM_TREE_PER_ITERATION, 1, &per_iteration);
	if (status == SCORE_OK && per_iteration != n_classes)
		return LGBM_FAIL(&m->in, &m->header[NUM_TREE_PER_ITERATION].value, SCORE_ERR_CORRUPT,
			"num_tree_per_iteration is %lld and num_class %lld, expected the same number",
			(long long)per_iteration, (long long)n_classes);
	if (status == SCORE_OK)
		status = read_number(m, LABEL_INDEX, INT32_MIN, &label);
	if (status == SCORE_OK)
		status = read_number(m, MAX_FEATURE_IDX, 0, &last_feature);
	m->n_outputs = (uint32_t)per_iteration;
	m->n_features = (uint32_t)last_feature + 1;
	if (status == SCORE_OK)
		status = check_per_feature(m, FEATURE_NAMES);
	return status == SCORE_OK ? check_per_feature(m, FEATURE_INFOS) : status;
}

static score_status new_builder(lgbm_import *m)
{
	score_contract contract = SCORE_CONTRACT_INIT(m->n_features, m->n_outputs);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	contract.category_rule = SCORE_CATEGORY_TRUNCATE;
	if (m->header[AVERAGE_OUTPUT].value.text)
		contract.average = SCORE_AVERAGE_PREDICTION;
	options.allocator = &m->allocator;
	options.isa = m->options.isa;
	return score_builder_new(&contract, &options, &m->builder, m->in.error);
}

/* ---- features -------------------------------------------------------------------------------------- */

/* "[min:max]" is a number, "none" was never of use, and "c1:c2:…" are the categories of training. */
static score_status feature_type(lgbm_import *m, const lgbm_text *info, uint8_t *is_category)
{
	*is_category = 0;
	if (info->text[0] == '[' || import_lgbm_equals(info, "none"))
		return SCORE_OK;
	for (size_t i = 0; i < info->length; i++) {
		char c = info->text[i];
		if (c != ':' && c != '-' && (c < '0' || c > '9'))
			return LGBM_FAIL(&m->in, info, SCORE_ERR_CORRUPT,
				"feature_infos holds \"%s\", expected [min:max], c1:c2:… or none",
				sl_quote(info->text, info->length).text);
	}
	*is_category = 1;
	return SCORE_OK;
}

static score_status read_features(lgbm_import *m)
{
	score_status status;
	const char **names = sl_arena_alloc(&m->texts, m->n_features, sizeof *names);
	uint8_t *is_category = sl_arena_alloc(&m->texts, m->n_features, 1);
	if (!names || !is_category)
		return sl_fail_memory(m->in.error, m->n_features * sizeof *names);
	lgbm_text names_left = m->header[FEATURE_NAMES].value, infos_left = m->header[FEATURE_INFOS].value;
	lgbm_text name, info;
	for (uint32_t i = 0; i < m->n_features; i++) {
		import_lgbm_word(&names_left, ' ', &name); /* check_per_feature() counted both */
		import_lgbm_word(&infos_left, ' ', &info);
		names[i] = sl_arena_string(&m->texts, name.text, name.length);
		if (!names[i])
			return sl_fail_memory(m->in.error, name.length);
		status = feature_type(m, &info, &is_category[i]);
		if (status == SCORE_OK)
			status = score_builder_set_feature(m->builder, i, names[i],
				is_category[i] ? SCORE_FEATURE_CATEGORY : SCORE_FEATURE_NUMERIC, m->in.error);
		if (status != SCORE_OK)
			return status;
	}
	m->trees.names = names;
	m->trees.is_category = is_category;
	m->trees.n_features = m->n_features;
	return SCORE_OK;
}

/* ---- objective and metadata ------------------------------------------------------------------------ */

static score_status set_text(lgbm_import *m, const char *key, const lgbm_text *value)
{
	char *copy = sl_arena_string(&m->texts, value->text, value->length);
	if (!copy)
		return sl_fail_memory(m->in.error, value->length);
	return score_builder_set_metadata(m->builder, key, copy, m->in.error);
}

static score_status describe(lgbm_import *m)
{
	score_link link = SCORE_LINK_IDENTITY;
	double parameter = 1.0;
	const lgbm_text *objective = &m->header[OBJECTIVE].value, *version = &m->header[VERSION].value;
	score_status status = score_builder_set_metadata(m->builder, "source.library", "lightgbm", m->in.error);
	if (status == SCORE_OK && version->text)
		status = set_text(m, "source.version", version);
	if (status == SCORE_OK && objective->text)
		status = import_lgbm_objective(&m->in, objective, m->n_outputs, &link, &parameter);
	if (status == SCORE_OK && objective->text)
		status = set_text(m, "objective", objective);
	return status == SCORE_OK ? score_builder_set_link(m->builder, link, parameter, m->in.error) : status;
}

/* ---- trees ----------------------------------------------------------------------------------------- */

static bool is_selected(const lgbm_import *m, uint64_t tree)
{
	const score_import_options *o = &m->options;
	uint64_t iteration = tree / m->n_outputs;
	return (o->iteration_begin == 0 && o->iteration_end == 0) ||
		(iteration >= o->iteration_begin && iteration < o->iteration_end);
}

/* `closed` tells whether anything follows the last tree: the file was not cut off between two trees. */
static score_status read_trees(lgbm_import *m, bool *closed)
{
	lgbm_text line;
	lgbm_reader before = m->in;
	*closed = false;
	while (import_lgbm_line(&m->in, &line)) {
		if (line.length != 0 && !import_lgbm_starts_with(&line, "Tree=")) {
			*closed = true;
			m->in = before;
			break;
		}
		if (line.length != 0) {
			m->trees.in = m->in;
			score_status status = import_lgbm_tree(&m->trees, &line, (uint32_t)(m->n_trees % m->n_outputs),
				is_selected(m, m->n_trees));
			if (status != SCORE_OK)
				return status;
			m->in = m->trees.in;
			m->n_trees++;
		}
		before = m->in;
	}
	return SCORE_OK;
}

/* LightGBM jumps by tree_sizes; here only their number counts, as a proof that the file is whole. */
static score_status check_number_of_trees(lgbm_import *m, bool closed)
{
	const lgbm_text *sizes = &m->header[TREE_SIZES].value;
	unsigned long long n = m->n_trees;
	if (sizes->text && import_lgbm_count_words(*sizes) != m->n_trees)
		return LGBM_FAIL(&m->in, sizes, SCORE_ERR_CORRUPT, "tree_sizes names %zu trees, the file has %llu",
			import_lgbm_count_words(*sizes), n);
	if (!sizes->text && !closed)
		return sl_fail_at(m->in.error, SCORE_ERR_CORRUPT, m->in.end - m->in.start, m->in.line,
			"the file ends after tree %llu without \"end of trees\": it was cut off", n - 1);
	if (m->n_trees % m->n_outputs)
		return sl_fail(m->in.error, SCORE_ERR_CORRUPT,
			"the file has %llu trees, expected a multiple of %u (one per class)", n, m->n_outputs);
	if (m->options.iteration_end > m->n_trees / m->n_outputs)
		return sl_fail(m->in.error, SCORE_ERR_ARGUMENT,
			"iteration_end is %u, but the file has %llu iterations", m->options.iteration_end,
			n / m->n_outputs);
	return SCORE_OK;
}

/* The Python package writes the categories of data frame columns as the last line. */
static score_status read_tail(lgbm_import *m)
{
	static const char key[] = "pandas_categorical:";
	lgbm_text line, last = {NULL, 0, 0};
	while (import_lgbm_line(&m->in, &line)) {
		if (line.length != 0)
			last = line;
	}
	if (!last.text || !import_lgbm_starts_with(&last, key))
		return SCORE_OK;
	last.text += sizeof key - 1;
	last.length -= sizeof key - 1;
	if (import_lgbm_equals(&last, "null") || import_lgbm_equals(&last, "[]"))
		return SCORE_OK;
	score_status status = set_text(m, "source.pandas_categorical", &last);
	return status != SCORE_OK ? status :
		import_lgbm_labels(&m->trees, &last, m->header[FEATURE_INFOS].value, &m->allocator, m->in.error);
}

/* ---- the file -------------------------------------------------------------------------------------- */

static score_status read_file(lgbm_import *m)
{
	bool closed;
	score_status status = read_header(m);
	if (status == SCORE_OK)
		status = read_shape(m);
	if (status == SCORE_OK)
		status = new_builder(m);
	m->trees.builder = m->builder;
	if (status == SCORE_OK)
		status = read_features(m);
	if (status == SCORE_OK)
		status = describe(m);
	if (status == SCORE_OK)
		status = read_trees(m, &closed);
	if (status == SCORE_OK)
		status = check_number_of_trees(m, closed);
	return status == SCORE_OK ? read_tail(m) : status;
}

score_status import_lightgbm(const void *data, size_t size, const score_import_options *options,
	score_builder **out, score_error *error)
{
	const char *text = size ? data : "";
	lgbm_import m = {.in = {text, text, text + size, 1, error}};

	if (options)
		m.options = *options;
	*out = NULL;
	if (m.options.iteration_begin >= m.options.iteration_end && m.options.iteration_begin != 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "iterations [%u, %u) are none", m.options.iteration_begin,
			m.options.iteration_end);
	m.allocator = sl_allocator(m.options.allocator);
	sl_arena_init(&m.texts, &m.allocator, SIZE_MAX);
	import_lgbm_trees_init(&m.trees, &m.allocator);
	score_status status = read_file(&m);
	import_lgbm_trees_free(&m.trees);
	sl_arena_free(&m.texts);
	if (status != SCORE_OK)
		score_builder_free(m.builder);
	else
		*out = m.builder;
	return status;
}
