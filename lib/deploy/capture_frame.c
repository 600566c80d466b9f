/*
 * Frames: what stands in a segment file. docs/capture.md is the description.
 *
 * Comes in: a record from the ring, a model. Goes out: length, msgpack, checksum. Relies on msgpack-c's
 * packer and XXH3.
 */
#include "capture_parts.h"

#include "../base/inline_xxhash.h"

#include <msgpack/pack.h>

/* Kinds of frames: the first item of each. */
enum { FRAME_HEADER, FRAME_MODEL, FRAME_CALL };

typedef struct packer {
	msgpack_packer pack;
	unsigned char *to, *end;
	bool is_full;
} packer;

static int append(void *data, const char *bytes, size_t size)
{
	packer *p = data;
	if (p->is_full || (size_t)(p->end - p->to) < size) {
		p->is_full = true;
		return -1;
	}
	memcpy(p->to, bytes, size);
	p->to += size;
	return 0;
}

static void begin(packer *p, unsigned char *buffer, size_t size, size_t used)
{
	msgpack_packer_init(&p->pack, p, append);
	p->to = buffer + used;
	p->end = buffer + size;
	p->is_full = size - used < 4;
	if (!p->is_full)
		p->to += 4;
}

/* Length in front, checksum behind; `*used` moves only if all of it fitted. */
static bool finish(packer *p, unsigned char *buffer, size_t *used)
{
	unsigned char *frame = buffer + *used;
	unsigned char sum[8];
	if (p->is_full)
		return false;
	const size_t length = (size_t)(p->to - frame) - 4;
	for (int i = 0; i < 4; i++)
		frame[i] = (unsigned char)(length >> 8 * i);
	sl_store_le64(sum, XXH3_64bits(frame, 4 + length));
	if (append(p, (const char *)sum, sizeof sum) != 0)
		return false;
	*used = (size_t)(p->to - buffer);
	return true;
}

static void put_text(packer *p, const char *text, size_t n)
{
	if (!text) {
		msgpack_pack_nil(&p->pack);
		return;
	}
	msgpack_pack_str(&p->pack, n);
	msgpack_pack_str_body(&p->pack, text, n);
}

static void put_string(packer *p, const char *text)
{
	put_text(p, text, text ? strlen(text) : 0);
}

/* The shortest form that reads back as the same double; NaN is missing and becomes nil. */
static void put_number(packer *p, double x)
{
	if (x != x)
		msgpack_pack_nil(&p->pack);
	else if (x >= -32768 && x <= 65535 && x == (double)(int32_t)x && sl_f64_bits(x) != sl_f64_bits(-0.0))
		msgpack_pack_int32(&p->pack, (int32_t)x);
	else if (x >= -3.4e38 && x <= 3.4e38 && (double)(float)x == x)
		msgpack_pack_float(&p->pack, (float)x);
	else
		msgpack_pack_double(&p->pack, x);
}

/* An output may be NaN, which is not missing. */
static void put_output(packer *p, double x)
{
	if (x != x)
		msgpack_pack_double(&p->pack, x);
	else
		put_number(p, x);
}

bool deploy_frame_header(unsigned char *buffer, size_t size, size_t *used, const score_capture *capture,
	int64_t created_unix_ns)
{
	packer p;
	begin(&p, buffer, size, *used);
	msgpack_pack_array(&p.pack, 6);
	msgpack_pack_int(&p.pack, FRAME_HEADER);
	msgpack_pack_int(&p.pack, 1);
	put_string(&p, SCORE_VERSION_STRING);
	msgpack_pack_int64(&p.pack, created_unix_ns);
	msgpack_pack_int64(&p.pack, capture->process);
	msgpack_pack_uint64(&p.pack, capture->sequence);
	return finish(&p, buffer, used);
}

bool deploy_frame_model(unsigned char *buffer, size_t size, size_t *used, const capture_model *model)
{
	packer p;
	begin(&p, buffer, size, *used);
	msgpack_pack_array(&p.pack, 10);
	msgpack_pack_int(&p.pack, FRAME_MODEL);
	msgpack_pack_uint32(&p.pack, model->number);
	msgpack_pack_bin(&p.pack, sizeof model->info.hash);
	msgpack_pack_bin_body(&p.pack, model->info.hash, sizeof model->info.hash);
	put_string(&p, model->name);
	put_string(&p, model->link);
	msgpack_pack_uint32(&p.pack, model->info.n_outputs);
	msgpack_pack_uint32(&p.pack, model->info.n_predictions);
	msgpack_pack_array(&p.pack, model->n_features);
	for (uint32_t i = 0; i < model->n_features; i++)
		put_string(&p, model->features[i]);
	msgpack_pack_array(&p.pack, model->n_features);
	for (uint32_t i = 0; i < model->n_features; i++)
		msgpack_pack_uint8(&p.pack, model->types[i]);
	msgpack_pack_array(&p.pack, model->n_labels);
	for (uint32_t i = 0; i < model->n_labels; i++)
		put_string(&p, model->labels[i]);
	return finish(&p, buffer, used);
}

/* ---- calls ---------------------------------------------------------------------------------------- */

static const unsigned char *put_tagged(packer *p, const unsigned char *from)
{
	const unsigned tag = *from++;
	if (tag == CELL_MISSING) {
		msgpack_pack_nil(&p->pack);
		return from;
	}
	if (tag == CELL_TEXT) {
		const uint32_t n = sl_load_u32(from);
		put_text(p, (const char *)from + 4, n);
		return from + 4 + n;
	}
	const uint64_t bits = sl_load_u64(from);
	if (tag == CELL_F64)
		put_number(p, sl_f64_from_bits(bits));
	else if (tag == CELL_I64)
		msgpack_pack_int64(&p->pack, (int64_t)bits);
	else
		msgpack_pack_uint64(&p->pack, bits);
	return from + 8;
}

static void put_cells(packer *p, const capture_record *record, const unsigned char *from)
{
	const uint64_t n = record->cells == CELLS_NONE ? 0 : (uint64_t)record->n_rows * record->model->n_features;
	msgpack_pack_array(&p->pack, (size_t)n);
	for (uint64_t i = 0; i < n && !p->is_full; i++) {
		if (record->cells == CELLS_F32)
			put_number(p, (double)sl_f32_from_bits(sl_load_u32(from + 4 * i)));
		else if (record->cells == CELLS_F64)
			put_number(p, sl_f64_from_bits(sl_load_u64(from + 8 * i)));
		else
			from = put_tagged(p, from);
	}
}

static void put_fields(packer *p, const capture_record *record, double sampling_fraction)
{
	msgpack_pack_uint32(&p->pack, record->model->number);
	msgpack_pack_int64(&p->pack, record->started_unix_ns);
	msgpack_pack_int64(&p->pack, record->latency_ns);
	msgpack_pack_int32(&p->pack, record->status);
	msgpack_pack_uint32(&p->pack, record->flags);
	put_number(p, sampling_fraction);
	msgpack_pack_int32(&p->pack, record->output);
	msgpack_pack_uint64(&p->pack, record->call_rows);
	msgpack_pack_uint64(&p->pack, record->first_row);
	msgpack_pack_uint32(&p->pack, record->n_rows);
	msgpack_pack_uint32(&p->pack, record->out_width);
}

bool deploy_frame_call(unsigned char *buffer, size_t size, size_t *used, const capture_record *record,
	double sampling_fraction)
{
	packer p;
	const uint64_t n_outputs = (uint64_t)record->n_rows * record->out_width;
	const unsigned char *outputs = (const unsigned char *)(record + 1);
	const unsigned char *cells = outputs + n_outputs * sizeof(double);
	const char *text = (const char *)cells + record->cell_bytes;
	begin(&p, buffer, size, *used);
	msgpack_pack_array(&p.pack, 19);
	msgpack_pack_int(&p.pack, FRAME_CALL);
	put_fields(&p, record, sampling_fraction);
	for (int i = 0; i < N_TEXTS; i++) {
		const bool given = record->text_bytes[i] != TEXT_NULL;
		put_text(&p, given ? text : NULL, given ? record->text_bytes[i] : 0);
		text += given ? record->text_bytes[i] : 0;
	}
	put_cells(&p, record, cells);
	msgpack_pack_array(&p.pack, (size_t)n_outputs);
	for (uint64_t i = 0; i < n_outputs && !p.is_full; i++)
		put_output(&p, sl_f64_from_bits(sl_load_u64(outputs + 8 * i)));
	return finish(&p, buffer, used);
}
