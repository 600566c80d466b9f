/*
 * A frame of a segment as a record.
 *
 * Comes in: msgpack whose checksum was right, which says little: anyone can compute one. Goes out: a record
 * whose pointers and sizes fit together, in an arena. Items behind those known here are left alone: later
 * versions may append some.
 */
#include "log_parts.h"

#define VERSION 1

static score_status broken(const log_cursor *c, const char *what, score_error *error)
{
	if (c->is_refused)
		return sl_fail(error, SCORE_ERR_MEMORY, "out of memory: the allocator refused what a %s needs", what);
	if (c->no_memory)
		return sl_fail(error, SCORE_ERR_LIMIT, "a %s needs more memory than max_memory_bytes allows", what);
	return sl_fail(error, SCORE_ERR_CORRUPT, "the frame of a %s has not the items that it should have", what);
}

static score_status read_header(log_cursor *c, uint32_t n_items, score_error *error)
{
	const int64_t version = deploy_log_integer(c, 1, INT32_MAX);
	if (c->failed || n_items < 2)
		return broken(c, "segment's header", error);
	if (version != VERSION)
		return sl_fail(error, SCORE_ERR_VERSION, "this segment has version %lld, this library reads %d: use a newer one",
			(long long)version, VERSION);
	return SCORE_OK;
}

static const char *const *read_texts(log_cursor *c, sl_arena *arena, uint32_t *n)
{
	*n = deploy_log_array(c);
	const char **texts = deploy_log_alloc(c, arena, *n, sizeof *texts);
	for (uint32_t i = 0; i < *n && !c->failed; i++) {
		texts[i] = deploy_log_text(c, arena);
		c->failed |= !texts[i];
	}
	return texts;
}

static score_status read_model(log_cursor *c, uint32_t n_items, log_models *models, score_error *error)
{
	sl_arena *arena = &models->arena;
	score_log_model *m = deploy_log_alloc(c, arena, 1, sizeof *m);
	if (!m)
		return broken(c, "model", error);
	m->struct_size = sizeof *m;
	const uint32_t number = (uint32_t)deploy_log_integer(c, 0, LOG_MAX_MODELS - 1);
	const uint8_t *hash = deploy_log_bytes(c, sizeof m->hash);
	if (hash)
		memcpy(m->hash, hash, sizeof m->hash);
	m->name = deploy_log_text(c, arena);
	m->link = deploy_log_text(c, arena);
	m->n_outputs = (uint32_t)deploy_log_integer(c, 0, UINT32_MAX);
	m->n_predictions = (uint32_t)deploy_log_integer(c, 0, UINT32_MAX);
	m->features = read_texts(c, arena, &m->n_features);
	const uint32_t n_types = deploy_log_array(c);
	score_feature_type *types = deploy_log_alloc(c, arena, n_types, sizeof *types);
	for (uint32_t i = 0; types && i < n_types && !c->failed; i++)
		types[i] = (score_feature_type)deploy_log_integer(c, SCORE_FEATURE_NUMERIC, SCORE_FEATURE_CATEGORY);
	m->types = types;
	m->labels = read_texts(c, arena, &m->n_labels);
	if (c->failed || n_items < 10 || n_types != m->n_features)
		return broken(c, "model", error);
	for (const score_log_model *none = NULL; models->by_number.length <= number;)
		if (!sl_vector_push(&models->by_number, &none, 1))
			/* NOLINTNEXTLINE(bugprone-sizeof-expression): the elements are pointers */
			return sl_fail_memory(error, sizeof none);
	((const score_log_model **)models->by_number.data)[number] = m;
	return SCORE_OK;
}

static const score_log_model *find_model(const log_models *models, int64_t number)
{
	return number < (int64_t)models->by_number.length ? ((const score_log_model **)models->by_number.data)[number] : NULL;
}

static void read_fields(log_cursor *c, const log_models *models, score_log_call *call)
{
	call->model = find_model(models, deploy_log_integer(c, 0, LOG_MAX_MODELS - 1));
	call->started_unix_ns = deploy_log_integer(c, INT64_MIN, INT64_MAX);
	call->latency_ns = deploy_log_integer(c, INT64_MIN, INT64_MAX);
	call->status = (score_status)deploy_log_integer(c, INT32_MIN, INT32_MAX);
	call->flags = (uint32_t)deploy_log_integer(c, 0, UINT32_MAX);
	call->sampling_fraction = deploy_log_number(c);
	call->output = (score_output)deploy_log_integer(c, INT32_MIN, INT32_MAX);
	call->call_rows = (uint64_t)deploy_log_integer(c, 0, INT64_MAX);
	call->first_row = (uint64_t)deploy_log_integer(c, 0, INT64_MAX);
	call->n_rows = (uint32_t)deploy_log_integer(c, 0, UINT32_MAX);
	call->out_width = (uint32_t)deploy_log_integer(c, 0, UINT32_MAX);
}

static void read_inputs(log_cursor *c, sl_arena *arena, score_log_call *call)
{
	const uint64_t n = deploy_log_array(c);
	c->failed |= n != (uint64_t)call->n_rows * call->model->n_features;
	score_log_value *values = deploy_log_alloc(c, arena, (size_t)n, sizeof *values);
	for (uint64_t i = 0; i < n && !c->failed; i++) {
		values[i] = deploy_log_scalar(c);
		if (values[i].kind != SCORE_LOG_TEXT)
			continue;
		char *text = deploy_log_alloc(c, arena, (size_t)values[i].length + 1, 1);
		if (text && values[i].length)
			memcpy(text, values[i].u.text, values[i].length);
		values[i].u.text = text;
	}
	call->inputs = values;
}

static void read_outputs(log_cursor *c, sl_arena *arena, score_log_call *call)
{
	const uint64_t n = deploy_log_array(c);
	c->failed |= call->out_width && call->n_rows > UINT32_MAX / call->out_width;
	c->failed |= n != (uint64_t)call->n_rows * call->out_width;
	double *values = deploy_log_alloc(c, arena, (size_t)n, sizeof *values);
	for (uint64_t i = 0; i < n && !c->failed; i++)
		values[i] = deploy_log_number(c);
	call->outputs = values;
}

static score_status read_call(log_cursor *c, uint32_t n_items, const log_models *models, sl_arena *arena,
	score_log_call *call, score_error *error)
{
	*call = (score_log_call){ .struct_size = sizeof *call };
	read_fields(c, models, call);
	if (c->failed || n_items < 19)
		return broken(c, "call", error);
	if (!call->model)
		return sl_fail(error, SCORE_ERR_CORRUPT, "a call names a model that the segment has not described");
	call->request_id = deploy_log_text(c, arena);
	call->endpoint = deploy_log_text(c, arena);
	call->served_name = deploy_log_text(c, arena);
	call->entity_name = deploy_log_text(c, arena);
	call->entity_version = deploy_log_text(c, arena);
	read_inputs(c, arena, call);
	if (!c->failed)
		read_outputs(c, arena, call);
	return c->failed ? broken(c, "call", error) : SCORE_OK;
}

score_status deploy_log_frame(const uint8_t *body, size_t size, bool is_first, log_models *models, sl_arena *arena,
	score_log_call *call, bool *is_call, score_error *error)
{
	log_cursor c = { body, body + size, false, false, false };
	const uint32_t n_items = deploy_log_array(&c);
	const int64_t kind = deploy_log_integer(&c, 0, INT32_MAX);
	*is_call = false;
	if (c.failed || n_items == 0)
		return broken(&c, "record", error);
	if (is_first != (kind == LOG_FRAME_HEADER))
		return sl_fail(error, SCORE_ERR_CORRUPT, is_first ? "the first frame is not the header of a segment" :
			"the header of a segment stands in the middle of it");
	if (is_first)
		return read_header(&c, n_items, error);
	if (kind == LOG_FRAME_MODEL)
		return read_model(&c, n_items, models, error);
	if (kind != LOG_FRAME_CALL)
		return SCORE_OK; /* of a later version */
	*is_call = true;
	return read_call(&c, n_items, models, arena, call, error);
}
