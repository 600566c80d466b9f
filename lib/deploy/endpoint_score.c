/*
 * The reading side of an endpoint: a request comes in; one configuration, one version and its scores go out; observers and
 * shadows follow. No lock, no loop that another thread could prolong, no allocation; how a configuration stays alive meanwhile is
 * told in served.h.
 */
#include "served.h"

#define STACK_DOUBLES 256

/* ---- scoring and telling ----------------------------------------------------------------------------------------- */

static void tell(const deploy_call *call, const deploy_entity *entity, score_call *finished)
{
	const score_endpoint *e = call->endpoint;
	finished->struct_size = sizeof *finished;
	finished->model = entity->model;
	finished->plan = call->request->plan;
	finished->output = call->request->output;
	finished->out_width = entity->width[call->request->output];
	finished->request_id = call->request->request_id;
	finished->endpoint = e->name;
	finished->served_name = entity->name;
	finished->entity_name = entity->entity_name;
	finished->entity_version = entity->entity_version;
	if (entity->statistics)
		score_statistics_record(entity->statistics, finished);
	if (e->capture)
		(void)deploy_capture_record(e->capture, finished, &entity->texts); /* counts what it loses */
	if (entity->observer.finished)
		entity->observer.finished(entity->observer.context, finished);
	for (size_t i = 0; i < e->n_observers; i++)
		e->observers[i].finished(e->observers[i].context, finished);
}

static score_status score_and_tell(const deploy_call *call, const deploy_entity *entity, const score_input *input,
	double *out, size_t out_len, uint32_t flags, score_error *error)
{
	const score_options o = {.struct_size = sizeof o, .output = call->request->output, .plan = call->request->plan,
		.scratch = call->model_scratch, .scratch_bytes = call->model_scratch_bytes};
	if (!call->c->is_watched)
		return score_batch(entity->model, input, out, out_len, &o, error);
	deploy_clock *clock = &call->reader->clock;
	const int64_t began = deploy_clock_now(clock);
	score_status status = score_batch(entity->model, input, out, out_len, &o, error);
	score_call finished = {.input = input, .out = status == SCORE_OK ? out : NULL, .status = status, .flags = flags};
	const int64_t took = deploy_clock_now(clock) - began;
	finished.latency_ns = took > 0 ? took : 0; /* a thread may have moved to a processor that is a tick behind */
	finished.started_unix_ns = deploy_clock_utc(clock, began);
	tell(call, entity, &finished);
	return status;
}

static void score_shadow(const deploy_call *call, const deploy_entity *entity, const score_input *input, double *out,
	size_t doubles, deploy_room room)
{
	size_t width = entity->width[call->request->output];
	int64_t most = width ? (int64_t)(doubles / width) : 0, n;
	score_error ignored;
	if (most == 0) {
		score_call refused = {.input = input, .status = width ? SCORE_ERR_LIMIT : SCORE_ERR_UNSUPPORTED,
			.flags = SCORE_CALL_SHADOW};
		refused.started_unix_ns = deploy_clock_utc(&call->reader->clock, deploy_clock_now(&call->reader->clock));
		tell(call, entity, &refused);
		return;
	}
	for (int64_t begin = 0; begin < input->n_rows; begin += n) {
		deploy_room rest = room;
		score_input part = *input;
		n = input->n_rows - begin < most ? input->n_rows - begin : most;
		if (n < input->n_rows && !deploy_slice(input, begin, n, &rest, &part)) {
			score_call refused = {.input = input, .status = SCORE_ERR_LIMIT, .flags = SCORE_CALL_SHADOW};
			refused.started_unix_ns = deploy_clock_utc(&call->reader->clock, deploy_clock_now(&call->reader->clock));
			tell(call, entity, &refused);
			return;
		}
		(void)score_and_tell(call, entity, &part, out, (size_t)n * width, SCORE_CALL_SHADOW, &ignored);
	}
}

static void score_shadows(const deploy_call *call, uint32_t served, const score_input *input, deploy_room room)
{
	const deploy_configuration *c = call->c;
	double few[STACK_DOUBLES], *out = few;
	size_t doubles = STACK_DOUBLES, width = c->widest[call->request->output];
	size_t heads = input->layout == SCORE_COLUMNS ? (size_t)input->n_columns * sizeof(score_column) + SL_CACHE_LINE : 0;
	if (room.left > heads && (room.left - heads) / sizeof(double) > doubles) {
		doubles = (room.left - heads) / sizeof(double);
		if (width && doubles / width > (size_t)input->n_rows)
			doubles = width * (size_t)input->n_rows;
		doubles -= doubles > 8 ? doubles % 8 : 0; /* whole cache lines: what is left stays aligned */
		out = deploy_take(&room, doubles * sizeof *out);
	}
	for (uint32_t i = 0; i < c->n_shadows; i++) {
		if (c->shadows[i] != served)
			score_shadow(call, c->entities + c->shadows[i], input, out, doubles, room);
	}
}

score_status deploy_score_rows(deploy_call *call, uint32_t served, const score_input *input, double *out, size_t out_len,
	deploy_room room, score_error *error)
{
	score_status status = score_and_tell(call, call->c->entities + served, input, out, out_len, 0, error);
	/* Nobody asked for shadows that nobody sees. Rows that the answering version refused are no rows for others either. */
	if (call->c->n_shadows && call->c->is_watched && status == SCORE_OK && input->n_rows > 0)
		score_shadows(call, served, input, room);
	return status;
}

/* ---- a request --------------------------------------------------------------------------------------------------- */

static score_status check_request(const score_endpoint_reader *reader, const score_input *input, const score_request *r,
	score_error *error)
{
	if (!input || input->struct_size < sizeof *input)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_batch: input is NULL or has a wrong struct_size");
	if (r->output < 0 || r->output >= DEPLOY_OUTPUTS)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "unknown output %d", (int)r->output);
	if (r->flags & ~SCORE_REQUEST_BY_ID)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_request.flags has unknown bits: 0x%x", r->flags);
	if ((r->flags & SCORE_REQUEST_BY_ID) && !r->request_id)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_request.request_id: NULL, but SCORE_REQUEST_BY_ID asks for it");
	if (atomic_load_explicit(&reader->slot, memory_order_relaxed) != 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the reader is inside a call already: use one per thread, and another one "
			"in an observer");
	return SCORE_OK;
}

/* Precomputed codes belong to one model's dictionary, and callers do not know which model will answer. */
static score_status check_codes(const score_input *input, score_error *error)
{
	const score_column *columns = input->layout == SCORE_COLUMNS ? input->u.columns.columns : NULL;
	for (int64_t i = 0; columns && i < input->n_columns; i++) {
		const score_strings *strings = columns[i].values;
		if (columns[i].dtype == SCORE_STRING && strings && strings->struct_size >= sizeof *strings && strings->codes)
			return sl_fail(error, SCORE_ERR_ARGUMENT, "column %lld has codes of one model; through an endpoint give the "
				"strings alone", (long long)i);
	}
	return SCORE_OK;
}

/* The entity of a call without row keys. */
static score_status choose(deploy_call *call, uint32_t *served, score_error *error)
{
	const score_request *r = call->request;
	const deploy_configuration *c = call->c;
	uint64_t salt = call->endpoint->salt;
	if (r->served_name) {
		*served = deploy_find_entity(c, r->served_name);
		if (*served == UINT32_MAX)
			return sl_fail(error, SCORE_ERR_ARGUMENT, "score_request.served_name: '%s' is not the name of a served entity",
				sl_quote(r->served_name, strlen(r->served_name)).text);
	} else if (r->key) {
		*served = c->slots[deploy_slot_of(salt, r->key, r->key_length)];
	} else if (r->flags & SCORE_REQUEST_BY_ID) {
		*served = c->slots[deploy_slot_of(salt, r->request_id, strlen(r->request_id))];
	} else {
		/* 37 and 100 have no common divisor: all slots have their turn, neighbours far apart. */
		*served = c->slots[call->reader->turn];
		call->reader->turn = (call->reader->turn + 37) % SCORE_TRAFFIC_SLOTS;
	}
	return SCORE_OK;
}

/* The model's share of the scratch comes first; what is beyond that is room. */
static deploy_room share_scratch(deploy_call *call)
{
	const score_request *r = call->request;
	size_t wanted = call->c->model_scratch[r->output];
	call->model_scratch = r->scratch;
	call->model_scratch_bytes = r->scratch ? r->scratch_bytes : 0;
	if (call->model_scratch_bytes <= wanted)
		return (deploy_room){NULL, 0};
	call->model_scratch_bytes = wanted;
	return deploy_room_of((char *)r->scratch + wanted, r->scratch_bytes - wanted);
}

static void fill_answer(const deploy_call *call, const score_input *input, uint32_t served, uint32_t n_served,
	score_answer *to)
{
	const deploy_configuration *c = call->c;
	score_output output = call->request->output;
	score_answer answer = {.generation = c->generation, .served = served,
		.n_served = n_served, .out_width = served == UINT32_MAX ? c->widest[output] : c->entities[served].width[output]};
	answer.scratch_bytes = deploy_scratch_bytes(c, output, (size_t)input->n_columns);
	if (served != UINT32_MAX)
		memcpy(answer.served_name, c->entities[served].name, strlen(c->entities[served].name) + 1);
	sl_give_struct(to, &answer, sizeof answer);
}

static score_status serve(deploy_call *call, const score_input *input, double *out, size_t out_len,
	score_answer *answer, score_error *error)
{
	const score_request *r = call->request;
	uint32_t served = UINT32_MAX, n_served = 1;
	deploy_room room = share_scratch(call);
	score_status status = SCORE_OK;
	if (!(call->endpoint->flags & SCORE_ENDPOINT_SAME_LABELS))
		status = check_codes(input, error);
	if (status != SCORE_OK)
		return status;
	if (r->row_keys && !r->served_name) {
		status = deploy_score_split(call, input, out, out_len, room, &served, &n_served, error);
	} else {
		status = choose(call, &served, error);
		if (status == SCORE_OK)
			status = deploy_score_rows(call, served, input, out, out_len, room, error);
		for (int64_t i = 0; status == SCORE_OK && r->row_served && i < input->n_rows; i++)
			r->row_served[i] = served;
	}
	if (status == SCORE_OK && answer)
		fill_answer(call, input, served, n_served, answer);
	return status;
}

score_status score_endpoint_batch(score_endpoint_reader *reader, const score_input *input, double *out, size_t out_len,
	const score_request *request, score_answer *answer, score_error *error)
{
	score_request older;
	const score_request *r = request;
	score_status status = SCORE_OK;
	if (!reader || (answer && !sl_has_size(answer)))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_batch: %s", reader ? "answer has no struct_size" :
			"reader is NULL");
	if (!request || request->struct_size != sizeof *request) {
		status = sl_take_struct(&older, sizeof older, request, "score_request", error);
		r = &older;
	}
	if (status == SCORE_OK)
		status = check_request(reader, input, r, error);
	if (status != SCORE_OK)
		return status;
	score_endpoint *e = reader->endpoint;
	atomic_store(&reader->slot, atomic_load(&e->epoch));
	deploy_call call = {.endpoint = e, .c = atomic_load(&e->current), .reader = reader, .request = r};
	status = serve(&call, input, out, out_len, answer, error);
	atomic_store_explicit(&reader->slot, 0, memory_order_release);
	return status;
}
