/*
 * Statistics of a capture log: every row that was kept is counted.
 *
 * Comes in: segments. Goes out: versions with statistics. Edges and expected counts come from the user's models (--model),
 * told apart by their hash; for others a model stands in that has the log's features and nothing else.
 */
#include "report.h"

#include "log_table.h"

#include <scoreline/build.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

/* ---- models -------------------------------------------------------------------------------------- */

static score_status fill_builder(score_builder *builder, const score_log_model *from, score_error *error)
{
	score_tree tree = SCORE_TREE_INIT;
	score_node leaf;
	score_status status = SCORE_OK;
	const bool share = from->link != NULL && (strstr(from->link, "sigmoid") != NULL || strstr(from->link, "softmax") != NULL ||
		strstr(from->link, "ovr") != NULL || strstr(from->link, "binary_pair") != NULL);
	for (uint32_t i = 0; status == SCORE_OK && i < from->n_features; i++)
		status = score_builder_set_feature(builder, i, from->features[i], from->types[i], error);
	if (status == SCORE_OK && share)
		status = score_builder_set_link(builder, SCORE_LINK_SIGMOID, 0, error);
	memset(&leaf, 0, sizeof leaf);
	leaf.left = leaf.right = -1;
	tree.nodes = &leaf;
	tree.n_nodes = 1;
	for (uint32_t o = 0; status == SCORE_OK && o < from->n_predictions; o++) {
		tree.output = o;
		status = score_builder_add_tree(builder, &tree, error);
	}
	return status;
}

static score_model *stand_in(const char *path, const score_log_model *from)
{
	score_contract contract = SCORE_CONTRACT_INIT(from->n_features, from->n_predictions);
	score_builder *builder = NULL;
	score_model *model = NULL;
	score_error error;
	score_status status = score_builder_new(&contract, NULL, &builder, &error);
	if (status == SCORE_OK)
		status = fill_builder(builder, from, &error);
	if (status == SCORE_OK)
		status = score_builder_finish(builder, &model, &error);
	score_builder_free(builder);
	if (status != SCORE_OK)
		cli_fail_library(path, &error, "the log describes a model that cannot be");
	return model;
}

static bool has_features_of(const score_model *model, const score_model_info *info, const score_log_model *from)
{
	if (info->n_features != from->n_features)
		return false;
	for (uint32_t i = 0; i < from->n_features; i++) {
		if (strcmp(or_empty(score_model_feature_name(model, i)), or_empty(from->features[i])) != 0)
			return false;
	}
	return true;
}

/* Models that come from no .slm file have a hash of zeros, all of them. */
static score_model *model_of(const report *r, const score_log_model *from)
{
	static const uint8_t none[sizeof from->hash];
	const bool is_nameless = memcmp(from->hash, none, sizeof none) == 0;
	for (size_t i = 0; i < r->n_models; i++) {
		if (memcmp(r->models[i].info.hash, from->hash, sizeof from->hash) == 0 &&
			(!is_nameless || has_features_of(r->models[i].model, &r->models[i].info, from)))
			return r->models[i].model;
	}
	return NULL;
}

/* ---- versions ------------------------------------------------------------------------------------ */

static bool is_version(const report_version *v, const score_log_call *call)
{
	const char *const labels[4] = { call->endpoint, call->served_name, call->entity_name, call->entity_version };
	if (v->statistics == NULL || memcmp(v->model_hash, call->model->hash, sizeof v->model_hash) != 0)
		return false;
	for (int i = 0; i < 4; i++) {
		const char *own = i == 2 && labels[i] == NULL ? or_empty(call->model->name) : or_empty(labels[i]);
		if (strcmp(v->labels[i], own) != 0)
			return false;
	}
	return true;
}

static report_version *version_of(report *r, const char *path, const score_log_call *call)
{
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	score_error error;
	report_version *v;
	const char *name = call->entity_name == NULL ? call->model->name : call->entity_name;
	const char *const labels[4] = { call->endpoint, call->served_name, name, call->entity_version };
	for (size_t i = 0; i < r->n_versions; i++) {
		if (is_version(r->versions + i, call))
			return r->versions + i;
	}
	v = report_new_version(r, labels, call->model->hash);
	if (v == NULL)
		return NULL;
	v->least_fraction = v->most_fraction = call->sampling_fraction;
	v->model = model_of(r, call->model);
	if (v->model == NULL) {
		v->model = stand_in(path, call->model);
		v->model_owned = true;
	}
	o.endpoint = v->labels[0];
	o.served_name = v->labels[1];
	o.entity_name = v->labels[2];
	o.entity_version = v->labels[3];
	o.sample_every = 1;
	o.n_shards = 1;
	o.output = call->output == SCORE_OUTPUT_MARGIN || call->output == SCORE_OUTPUT_CLASS ? call->output
		: SCORE_OUTPUT_PREDICTION;
	if (v->model != NULL && score_statistics_new(v->model, &o, &v->statistics, &error) != SCORE_OK)
		cli_fail_library(path, &error, NULL);
	return v->statistics == NULL ? NULL : v;
}

/* ---- rows ---------------------------------------------------------------------------------------- */

/* A label that the model does not know must not look like a missing value: no category has this code. */
static double value_of(const score_model *model, uint32_t feature, const score_log_value *v)
{
	double code = -HUGE_VAL;
	switch (v->kind) {
	case SCORE_LOG_NUMBER: return v->u.number;
	case SCORE_LOG_INTEGER: return (double)v->u.integer;
	case SCORE_LOG_UNSIGNED: return (double)v->u.unsigned_integer;
	case SCORE_LOG_TEXT:
		if (!score_model_category_find(model, feature, v->u.text, v->length, &code) &&
			!(score_model_dictionary(model, feature) & SCORE_DICTIONARY_HASH))
			return -HUGE_VAL;
		return code;
	default: return (double)NAN;
	}
}

static int count_call(report_version *v, const char *path, const score_log_call *from)
{
	const uint32_t n_features = from->model->n_features;
	score_call call = SCORE_CALL_INIT;
	score_input input;
	double *values = malloc(((size_t)from->n_rows * n_features + 1) * sizeof *values);
	if (values == NULL)
		return cli_fail_memory(path);
	for (size_t i = 0; i < (size_t)from->n_rows * n_features; i++)
		values[i] = value_of(v->model, (uint32_t)(i % n_features), from->inputs + i);
	input = score_input_rows_f64(values, from->n_rows, n_features);
	call.model = v->model;
	call.input = &input;
	call.out = from->out_width > 0 ? from->outputs : NULL;
	call.out_width = from->out_width;
	call.output = from->output;
	call.status = from->status;
	call.started_unix_ns = from->started_unix_ns;
	call.latency_ns = from->latency_ns;
	call.flags = from->flags | (from->first_row > 0 ? SCORE_CALL_CONTINUED : 0);
	score_statistics_record(v->statistics, &call);
	free(values);
	if (from->first_row == 0)
		v->kept_calls++;
	if (from->sampling_fraction < v->least_fraction)
		v->least_fraction = from->sampling_fraction;
	if (from->sampling_fraction > v->most_fraction)
		v->most_fraction = from->sampling_fraction;
	return CLI_OK;
}

static int count_calls(report *r, const char *path, score_log *log)
{
	for (;;) {
		const score_log_call *call;
		score_error error;
		report_version *v;
		if (score_log_next(log, &call, &error) != SCORE_OK)
			return cli_fail_library(path, &error, NULL);
		if (call == NULL)
			return CLI_OK;
		v = version_of(r, path, call);
		if (v == NULL || count_call(v, path, call) != CLI_OK)
			return CLI_FAILED;
	}
}

static int note_damage(report *r, const score_log *log)
{
	for (uint32_t i = 0; i < score_log_segment_count(log); i++) {
		score_log_segment s = { .struct_size = sizeof s };
		if (score_log_get_segment(log, i, &s) != SCORE_OK || s.end == SCORE_LOG_WHOLE)
			continue;
		if (s.end == SCORE_LOG_CORRUPT && r->corrupt_path == NULL) {
			r->corrupt_path = strdup(s.path);
			r->corruption = s.damage;
			if (r->corrupt_path == NULL)
				return cli_fail_memory(s.path);
		}
		if (report_add_note(r, "Segment %.120s could be read up to byte %llu of %llu: %.160s", s.path,
			(unsigned long long)s.good_bytes, (unsigned long long)s.bytes, s.damage.message) != CLI_OK)
			return CLI_FAILED;
	}
	return CLI_OK;
}

int report_add_log(report *r, const char *path)
{
	score_log *log;
	score_error error;
	int code;
	if (score_log_open(&path, 1, NULL, &log, &error) != SCORE_OK)
		return cli_fail_library(path, &error, NULL);
	r->n_logs++;
	code = cli_log_check_overwrite("report", r->out_path, log);
	if (code == CLI_OK)
		code = count_calls(r, path, log);
	if (code == CLI_OK)
		code = note_damage(r, log);
	score_log_close(log);
	return code;
}
