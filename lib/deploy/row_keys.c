/*
 * A batch with a key per row: rows go to the versions of their keys and come back in their order.
 *
 * Comes in: a request with row_keys. Goes out: scores. Blocks of rows; in each, the rows of a version are copied together and
 * scored at once. Where that has no room, or the layout has no copy (sparse rows), neighbours of one version are
 * scored where they stand.
 */
#include "column_value.h"
#include "served.h"

#define BLOCK DEPLOY_BLOCK_ROWS

/* ---- keys -------------------------------------------------------------------------------------------------------- */

typedef struct keys {
	const score_column *column;
	uint64_t salt;
} keys;

static score_status open_keys(const score_column *column, size_t n_rows, uint64_t salt, keys *out, score_error *error)
{
	*out = (keys){column, salt};
	if (column->dtype != SCORE_STRING && !deploy_is_integer(column->dtype))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_request.row_keys: dtype %d, expected strings or integers", (int)column->dtype);
	return deploy_check_column(column, n_rows, "score_request.row_keys", error);
}

static uint32_t slot_at(const keys *k, int64_t row)
{
	const score_column *c = k->column;
	if (c->dtype == SCORE_STRING || !deploy_is_valid(c, (size_t)row)) {
		size_t length = 0;
		const char *text = c->dtype == SCORE_STRING ? deploy_text_at(c, (size_t)row, &length) : NULL;
		return deploy_slot_of(k->salt, text ? text : "", length);
	}
	unsigned char key[8];
	sl_store_le64(key, (uint64_t)deploy_integer_at(c, (size_t)row));
	return deploy_slot_of(k->salt, key, sizeof key);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

typedef struct split {
	deploy_call *call;
	const score_input *input;
	double *out;
	size_t width;
	deploy_room room;
	uint8_t served[BLOCK]; /* entity of each row of the block */
	uint16_t n_of[DEPLOY_MAX_ENTITIES];
	bool has_scored[DEPLOY_MAX_ENTITIES];
} split;

/* Neighbours of one entity, scored where they stand. */
static score_status score_runs(split *s, int64_t begin, int64_t n, score_error *error)
{
	for (int64_t from = 0, to; from < n; from = to) {
		score_input part = *s->input;
		deploy_room room = s->room;
		for (to = from + 1; to < n && s->served[to] == s->served[from]; to++)
			;
		if (to - from < s->input->n_rows && !deploy_slice(s->input, begin + from, to - from, &room, &part))
			return sl_fail(error, SCORE_ERR_ARGUMENT, "columns with a key per row need scratch: give "
				"score_endpoint_scratch_bytes() of it");
		score_status status = deploy_score_rows(s->call, s->served[from], &part,
			s->out + (size_t)(begin + from) * s->width, (size_t)(to - from) * s->width, room, error);
		if (status != SCORE_OK)
			return status;
	}
	return SCORE_OK;
}

/* The rows of one entity, copied together. `*fits` is false if there is no room for that; then nothing was done. */
static score_status score_together(split *s, uint32_t entity, int64_t begin, int64_t n, bool *fits, score_error *error)
{
	uint16_t rows[BLOCK];
	uint32_t count = 0;
	score_input part;
	deploy_room room = s->room;
	for (int64_t i = 0; i < n; i++) {
		if (s->served[i] == entity)
			rows[count++] = (uint16_t)i;
	}
	double *out = deploy_take(&room, count * s->width * sizeof *out);
	*fits = out && deploy_gather(s->call, s->input, begin, rows, count, &room, &part);
	if (!*fits)
		return SCORE_OK;
	score_status status = deploy_score_rows(s->call, entity, &part, out, count * s->width, room, error);
	for (uint32_t i = 0; status == SCORE_OK && i < count; i++)
		memcpy(s->out + ((size_t)begin + rows[i]) * s->width, out + i * s->width, s->width * sizeof *out);
	return status;
}

static uint32_t most_frequent(const split *s)
{
	uint32_t most = 0;
	for (uint32_t e = 1; e < s->call->c->n_entities; e++) {
		if (s->n_of[e] > s->n_of[most])
			most = e;
	}
	return most;
}

static score_status score_block(split *s, int64_t begin, int64_t n, score_error *error)
{
	uint32_t most = most_frequent(s);
	bool fits = true;
	if (s->n_of[most] == n)
		return score_runs(s, begin, n, error);
	/* Where the most rows fit, fewer fit too: so either all entities are scored together or none. */
	score_status status = score_together(s, most, begin, n, &fits, error);
	if (!fits)
		return score_runs(s, begin, n, error);
	for (uint32_t e = 0; status == SCORE_OK && e < s->call->c->n_entities; e++) {
		if (e != most && s->n_of[e])
			status = score_together(s, e, begin, n, &fits, error);
	}
	return status;
}

score_status deploy_score_split(deploy_call *call, const score_input *input, double *out, size_t out_len,
	deploy_room room, uint32_t *served, uint32_t *n_served, score_error *error)
{
	const deploy_configuration *c = call->c;
	const score_request *r = call->request;
	split s = {.call = call, .input = input, .out = out, .width = c->widest[r->output], .room = room};
	size_t needed = 0;
	keys k;
	score_status status = open_keys(r->row_keys, (size_t)input->n_rows, call->endpoint->salt, &k, error);
	if (status != SCORE_OK)
		return status;
	if (!c->is_mixable[r->output])
		return sl_fail(error, SCORE_ERR_SHAPE, "the versions give different numbers of values per row for this output: they "
			"cannot be mixed in one batch");
	if (input->n_rows < 0 || !sl_mul((size_t)input->n_rows, s.width, &needed) || (needed && !out) || out_len < needed)
		return sl_fail(error, SCORE_ERR_SHAPE, "out has room for %zu values, %lld rows of %zu values need %zu", out_len,
			(long long)input->n_rows, s.width, needed);
	for (int64_t begin = 0, n; begin < input->n_rows; begin += n) {
		n = input->n_rows - begin < BLOCK ? input->n_rows - begin : BLOCK;
		memset(s.n_of, 0, sizeof s.n_of);
		for (int64_t i = 0; i < n; i++) {
			uint8_t entity = s.served[i] = c->slots[slot_at(&k, begin + i)];
			s.n_of[entity]++;
			s.has_scored[entity] = true;
			if (r->row_served)
				r->row_served[begin + i] = entity;
		}
		status = score_block(&s, begin, n, error);
		if (status != SCORE_OK)
			return status;
	}
	*n_served = 0;
	for (uint32_t e = 0; e < c->n_entities; e++) {
		if (s.has_scored[e]) {
			(*n_served)++;
			*served = e;
		}
	}
	if (*n_served != 1)
		*served = UINT32_MAX;
	return SCORE_OK;
}
