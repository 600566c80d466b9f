/*
 * From a finished call to records in the ring: what the threads that score run.
 *
 * Comes in: a score_call, borrowed. Goes out: 1, 0 or -1 and a count. No locks, no memory, no system calls.
 */
#include "call_texts.h"
#include "capture_parts.h"

#include "../base/inline_xxhash.h"

/* Endpoints choose a version by the hash of a key with seed 0; a sample by the same hash would be one of
 * single versions. */
#define SAMPLING_SEED 0x73616d706c696e67u

static void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static int lose(_Atomic uint64_t *counter)
{
	count(counter);
	return -1;
}

static bool is_sampled(score_capture *capture, const char *request_id)
{
	if (capture->threshold == UINT64_MAX)
		return true;
	/* Multiples of the golden ratio spread evenly: n calls give n times the fraction, give or take one or
	 * two. */
	const uint64_t hash = request_id ? XXH3_64bits_withSeed(request_id, strlen(request_id), SAMPLING_SEED) :
		atomic_fetch_add_explicit(&capture->n_unnamed, 1, memory_order_relaxed) * 0x9e3779b97f4a7c15u;
	return hash < capture->threshold;
}

/* What is the same in all records of a call. */
typedef struct source {
	const score_call *call;
	capture_record record;
	const char *texts[N_TEXTS];
	const deploy_call_texts *joined; /* all but the request id; NULL: as they are in `texts` */
	size_t fixed_bytes; /* of a record, beside outputs and cells */
	size_t row_bytes;   /* of outputs and cells; of tagged cells: outputs only */
	uint64_t n_rows;
} source;

/* A length that does not fit in 32 bits makes a record that is too large, which is asked for before anything is copied. */
static void measure_texts(source *s)
{
	const int n_measured = s->joined ? TEXT_ENDPOINT : N_TEXTS;
	s->fixed_bytes = sizeof(capture_record);
	for (int i = 0; i < n_measured; i++) {
		const size_t n = s->texts[i] ? strlen(s->texts[i]) : 0;
		s->record.text_bytes[i] = s->texts[i] ? (uint32_t)n : TEXT_NULL;
		s->fixed_bytes += n;
	}
	if (s->joined) {
		memcpy(s->record.text_bytes + TEXT_ENDPOINT, s->joined->bytes, sizeof s->joined->bytes);
		s->fixed_bytes += s->joined->joined_bytes;
	}
}

static void put_texts(const source *s, unsigned char *to)
{
	const int n_single = s->joined ? TEXT_ENDPOINT : N_TEXTS;
	for (int i = 0; i < n_single; i++) {
		if (!s->texts[i])
			continue;
		memcpy(to, s->texts[i], s->record.text_bytes[i]);
		to += s->record.text_bytes[i];
	}
	if (s->joined)
		memcpy(to, s->joined->joined, s->joined->joined_bytes);
}

static bool describe(const score_call *call, const capture_model *model, const deploy_call_texts *texts, source *s)
{
	const bool scored = call->status == SCORE_OK;
	const int64_t n_rows = call->input ? call->input->n_rows : 0;
	*s = (source){ .call = call,
		.record = { model, call->started_unix_ns, call->latency_ns, n_rows > 0 ? (uint64_t)n_rows : 0, 0, 0, 0,
			call->status, call->output, call->flags, CELLS_NONE, 0, { 0 } },
		.texts = { call->request_id, call->endpoint, call->served_name, call->entity_name, call->entity_version },
		.joined = texts };
	measure_texts(s);
	if (!scored)
		return true;
	s->record.cells = deploy_cells_form(call->input, call->plan, model->n_features);
	if (s->record.cells == CELLS_NONE || (call->out && call->out_width > UINT32_MAX / sizeof(double)))
		return false;
	s->record.out_width = call->out ? (uint32_t)call->out_width : 0;
	s->n_rows = s->record.call_rows;
	s->row_bytes = s->record.out_width * sizeof(double);
	if (s->record.cells != CELLS_TAGGED)
		s->row_bytes += deploy_cells_row_bytes(call->input, call->plan, model->n_features, s->record.cells, 0);
	return true;
}

/* How many rows from `first` on fit in one record, and the bytes of their cells; 0 if not even one. */
static uint64_t rows_that_fit(const source *s, uint64_t first, size_t limit, size_t *cell_bytes)
{
	const size_t out_bytes = s->record.out_width * sizeof(double);
	const uint64_t left = s->n_rows - first;
	if (s->record.cells != CELLS_TAGGED) {
		const uint64_t most = s->row_bytes ? (limit - s->fixed_bytes) / s->row_bytes : UINT32_MAX;
		const uint64_t n = left < most ? left : most;
		*cell_bytes = (size_t)n * (s->row_bytes - out_bytes);
		return n;
	}
	size_t room = limit - s->fixed_bytes;
	uint64_t n = 0;
	for (*cell_bytes = 0; n < left; n++) {
		const size_t bytes = deploy_cells_row_bytes(s->call->input, s->call->plan, s->record.model->n_features,
			CELLS_TAGGED, (int64_t)(first + n));
		if (bytes > room || out_bytes > room - bytes)
			break;
		*cell_bytes += bytes;
		room -= bytes + out_bytes;
	}
	return n;
}

static bool put_record(score_capture *capture, const source *s, uint64_t first, uint64_t n, size_t cell_bytes)
{
	const size_t out_bytes = (size_t)n * s->record.out_width * sizeof(double);
	uint64_t position;
	unsigned char *to = deploy_ring_reserve(&capture->ring, s->fixed_bytes + out_bytes + cell_bytes, &position);
	if (!to)
		return false;
	/* Before the bytes: a locked instruction waits until everything stored before it has left the core. */
	count(first + n >= s->n_rows ? &capture->n_kept : &capture->n_parts);
	capture_record *record = (capture_record *)(void *)to;
	*record = s->record;
	record->first_row = first;
	record->n_rows = (uint32_t)n;
	record->cell_bytes = (uint32_t)cell_bytes;
	to += sizeof *record;
	if (out_bytes)
		memcpy(to, s->call->out + first * s->record.out_width, out_bytes);
	to += out_bytes;
	const unsigned host = sl_enter_default_float(); /* denormals are written as they are */
	if (n)
		to = deploy_cells_write(s->call->input, s->call->plan, s->record.model->n_features, s->record.cells,
			(int64_t)first, (int64_t)n, to);
	sl_leave_default_float(host);
	put_texts(s, to);
	deploy_ring_commit(&capture->ring, position);
	return true;
}

int deploy_capture_record(score_capture *capture, const score_call *call, const deploy_call_texts *texts)
{
	if (!is_sampled(capture, call->request_id)) {
		count(&capture->n_sampled_out);
		return 0;
	}
	source s;
	const capture_model *model = deploy_capture_find_model(capture, call->model);
	if (!model || !describe(call, model, texts, &s))
		return lose(&capture->n_lost_invalid);
	if (s.fixed_bytes > capture->max_record_bytes)
		return lose(&capture->n_lost_size);
	uint64_t first = 0;
	do {
		size_t cell_bytes;
		const uint64_t n = rows_that_fit(&s, first, capture->max_record_bytes, &cell_bytes);
		if (n == 0 && s.n_rows > 0)
			return lose(&capture->n_lost_size);
		if (!put_record(capture, &s, first, n, cell_bytes))
			return lose(&capture->n_lost_full);
		first += n;
	} while (first < s.n_rows);
	return 1;
}

int score_capture_record(score_capture *capture, const score_call *call)
{
	if (!capture || !call || call->struct_size < sizeof *call)
		return capture ? lose(&capture->n_lost_invalid) : -1;
	return deploy_capture_record(capture, call, NULL);
}
