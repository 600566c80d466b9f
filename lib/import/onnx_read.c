/*
 * ONNX files to messages, attributes and tensors to plain arrays.
 *
 * Comes in: untrusted bytes. Goes out: the messages of onnx.proto, parsed by protobuf-c with the caller's allocator and
 * within a bound that follows from the size of the file, and arrays whose lengths were checked. Relies on onnx.proto: its
 * schema is not recursive, so the parser's depth is bounded, and has no message that a parser would have to merge.
 */
#include "importers.h"
#include "onnx.h"

#include <stdarg.h>
#include <stdio.h>

/* A parsed field of two bytes takes up to 32 bytes of bookkeeping while its message is read, doubled by growth. */
#define BYTES_PER_BYTE 96u
#define BYTES_AT_LEAST ((size_t)1 << 20)
#define HEAD 16u /* before each block: its size */

/* AttributeProto.type */
#define TYPE_FLOAT 1
#define TYPE_INT 2
#define TYPE_STRING 3
#define TYPE_TENSOR 4
#define TYPE_FLOATS 6
#define TYPE_INTS 7
#define TYPE_STRINGS 8

/* ---- memory --------------------------------------------------------------------------------------- */

static void *take(void *context, size_t size)
{
	onnx_file *file = context;
	size_t whole;
	if (!sl_add(size, HEAD, &whole) || whole > file->limit - file->used) {
		file->too_large = true;
		return NULL;
	}
	char *block = sl_alloc(&file->allocator, whole, HEAD);
	if (!block) {
		file->no_memory = true;
		return NULL;
	}
	memcpy(block, &whole, sizeof whole);
	file->used += whole;
	return block + HEAD;
}

static void give(void *context, void *pointer)
{
	onnx_file *file = context;
	size_t whole;
	if (SL_NEVER(!pointer)) /* protobuf-c gives back only what it took */
		return;
	char *block = (char *)pointer - HEAD;
	memcpy(&whole, block, sizeof whole);
	file->used -= whole;
	sl_free(&file->allocator, block, whole, HEAD);
}

/* ---- the file ------------------------------------------------------------------------------------- */

static score_status find_graph(onnx_file *file)
{
	const Import__Onnx__Model *m = file->model;
	if (m->n_graph != 1)
		return sl_fail(file->error, SCORE_ERR_CORRUPT, "the ONNX file has %zu graphs, expected one", m->n_graph);
	if (m->n_functions)
		return sl_fail(file->error, SCORE_ERR_UNSUPPORTED,
			"the ONNX file defines %zu functions of its own; inline them (onnx.inliner) and convert again", m->n_functions);
	file->graph = m->graph[0];
	if (file->graph->n_sparse_initializer)
		return sl_fail(file->error, SCORE_ERR_UNSUPPORTED, "the ONNX graph has %zu sparse constants (sparse_initializer); make them dense initializers",
			file->graph->n_sparse_initializer);
	return SCORE_OK;
}

score_status import_onnx_read(onnx_file *file, const void *data, size_t size)
{
	ProtobufCAllocator allocator = {take, give, file};
	file->limit = size > (SIZE_MAX - BYTES_AT_LEAST) / BYTES_PER_BYTE ? SIZE_MAX : size * BYTES_PER_BYTE + BYTES_AT_LEAST;
	sl_arena_init(&file->arena, &file->allocator, file->limit);
	file->model = import__onnx__model__unpack(&allocator, size, data);
	if (file->model)
		return find_graph(file);
	if (file->no_memory)
		return sl_fail_memory(file->error, size);
	if (file->too_large)
		return sl_fail(file->error, SCORE_ERR_LIMIT,
			"the ONNX file of %zu bytes takes more than %zu bytes when it is parsed, as no model does", size, file->limit);
	return sl_fail(file->error, SCORE_ERR_CORRUPT,
		"the content is no ONNX model: expected a protocol buffer of onnx.ModelProto; the file may be cut off");
}

void import_onnx_free(onnx_file *file)
{
	ProtobufCAllocator allocator = {take, give, file};
	if (file->model)
		import__onnx__model__free_unpacked(file->model, &allocator);
	sl_arena_free(&file->arena);
}

/* ---- text and errors ------------------------------------------------------------------------------- */

bool import_onnx_is(onnx_text text, const char *word)
{
	return text.len == strlen(word) && (text.len == 0 || memcmp(text.data, word, text.len) == 0);
}

bool import_onnx_same(onnx_text a, onnx_text b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool import_onnx_is_text(onnx_text text)
{
	return sl_utf8_prefix((const char *)text.data, text.len) == text.len &&
		(text.len == 0 || !memchr(text.data, 0, text.len));
}

static sl_quoted quote(onnx_text text)
{
	return sl_quote((const char *)text.data, text.len);
}

score_status import_onnx_fail(const onnx_file *file, const onnx_op *op, score_status code, const char *format, ...)
{
	char text[200] = "";
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (op->name.len)
		return sl_fail(file->error, code, "%s '%s': %s", quote(op->op_type).text, quote(op->name).text, text);
	if (op->n_output && op->output[0].len) /* each result has a name of its own */
		return sl_fail(file->error, code, "%s, which makes '%s': %s", quote(op->op_type).text, quote(op->output[0]).text, text);
	return sl_fail(file->error, code, "%s: %s", quote(op->op_type).text, text);
}

score_status import_onnx_no_memory(const onnx_file *file, size_t bytes)
{
	/* The arena's bound follows from the file's size; past it the file asks for more than it can mean. */
	if (bytes > file->arena.limit - file->arena.used)
		return sl_fail(file->error, SCORE_ERR_LIMIT, "the ONNX file asks for %zu bytes more than its size justifies",
			bytes);
	return sl_fail_memory(file->error, bytes);
}

score_status import_onnx_from_builder(const onnx_file *file, const onnx_op *op, score_status status,
	const score_error *inner)
{
	if (status == SCORE_OK)
		return status;
	return import_onnx_fail(file, op, import_builder_status(status), "%s", inner->message);
}

/* ---- attributes ------------------------------------------------------------------------------------ */

static score_status find(const onnx_file *file, const onnx_op *op, const char *name, int type,
	const Import__Onnx__Attribute **out)
{
	*out = NULL;
	for (size_t i = 0; i < op->n_attribute; i++) {
		if (!import_onnx_is(op->attribute[i]->name, name))
			continue;
		if (*out)
			return import_onnx_fail(file, op, SCORE_ERR_CORRUPT, "the attribute %s is there twice", name);
		*out = op->attribute[i];
	}
	if (*out && (*out)->has_type && (*out)->type != type)
		return import_onnx_fail(file, op, SCORE_ERR_CORRUPT, "the attribute %s is of type %d, expected %d", name,
			(int)(*out)->type, type);
	return SCORE_OK;
}

score_status import_onnx_ints(onnx_file *file, const onnx_op *op, const char *name, onnx_ints *out)
{
	const Import__Onnx__Attribute *a;
	score_status status = find(file, op, name, TYPE_INTS, &a);
	*out = a && status == SCORE_OK ? (onnx_ints){a->ints, a->n_ints} : (onnx_ints){NULL, 0};
	return status;
}

score_status import_onnx_texts(const onnx_file *file, const onnx_op *op, const char *name, onnx_texts *out)
{
	const Import__Onnx__Attribute *a;
	score_status status = find(file, op, name, TYPE_STRINGS, &a);
	*out = a && status == SCORE_OK ? (onnx_texts){a->strings, a->n_strings} : (onnx_texts){NULL, 0};
	return status;
}

static score_status widen(onnx_file *file, const float *from, size_t n, onnx_reals *out)
{
	double *to = sl_arena_alloc(&file->arena, n, sizeof *to);
	if (!to)
		return import_onnx_no_memory(file, n * sizeof *to);
	for (size_t i = 0; i < n; i++)
		to[i] = (double)from[i];
	*out = (onnx_reals){to, n, false};
	return SCORE_OK;
}

score_status import_onnx_reals(onnx_file *file, const onnx_op *op, const char *name, onnx_reals *out)
{
	const Import__Onnx__Attribute *a;
	const onnx_tensor *t = NULL;
	char as_tensor[64];
	*out = (onnx_reals){NULL, 0, false};
	snprintf(as_tensor, sizeof as_tensor, "%s_as_tensor", name);
	score_status status = find(file, op, name, TYPE_FLOATS, &a);
	if (status == SCORE_OK)
		status = import_onnx_tensor(file, op, as_tensor, &t);
	if (status != SCORE_OK)
		return status;
	if (a && t && a->n_floats)
		return import_onnx_fail(file, op, SCORE_ERR_CORRUPT, "%s and %s are both there, expected one", name, as_tensor);
	return t ? import_onnx_tensor_reals(file, op, t, out) : a ? widen(file, a->floats, a->n_floats, out) : SCORE_OK;
}

score_status import_onnx_int(const onnx_file *file, const onnx_op *op, const char *name, int64_t otherwise,
	int64_t *out)
{
	const Import__Onnx__Attribute *a;
	score_status status = find(file, op, name, TYPE_INT, &a);
	*out = a ? a->i : otherwise;
	return status;
}

score_status import_onnx_real(const onnx_file *file, const onnx_op *op, const char *name, float otherwise, float *out)
{
	const Import__Onnx__Attribute *a;
	score_status status = find(file, op, name, TYPE_FLOAT, &a);
	*out = a ? a->f : otherwise;
	return status;
}

score_status import_onnx_word(const onnx_file *file, const onnx_op *op, const char *name, const char *const *words,
	size_t n_words, uint32_t *out)
{
	const Import__Onnx__Attribute *a;
	score_status status = find(file, op, name, TYPE_STRING, &a);
	*out = 0;
	if (status != SCORE_OK || !a)
		return status;
	for (uint32_t i = 0; i < n_words; i++) {
		if (import_onnx_is(a->s, words[i])) {
			*out = i;
			return SCORE_OK;
		}
	}
	return import_onnx_fail(file, op, SCORE_ERR_CORRUPT, "the attribute %s is the unknown '%s'", name,
		quote(a->s).text);
}

/* ---- tensors --------------------------------------------------------------------------------------- */

score_status import_onnx_tensor(const onnx_file *file, const onnx_op *op, const char *name, const onnx_tensor **out)
{
	const Import__Onnx__Attribute *a;
	score_status status = find(file, op, name, TYPE_TENSOR, &a);
	*out = NULL;
	if (status != SCORE_OK || !a)
		return status;
	if (a->n_t != 1)
		return import_onnx_fail(file, op, SCORE_ERR_CORRUPT, "the attribute %s has %zu tensors, expected one", name,
			a->n_t);
	*out = a->t[0];
	return SCORE_OK;
}

/* Number of elements that the dimensions promise and the data has: in `raw_data` of `width` bytes, or `listed`. */
static score_status count(const onnx_file *file, const onnx_op *op, const onnx_tensor *t, size_t width, size_t listed,
	size_t *out)
{
	size_t n = t->has_raw_data ? t->raw_data.len / width : listed, promised = 1;
	if (t->n_external_data || t->data_location)
		return import_onnx_fail(file, op, SCORE_ERR_UNSUPPORTED,
			"the tensor '%s' lies in a file of its own; save the model with its data inside (onnx.save_model)",
			quote(t->name).text);
	for (size_t i = 0; i < t->n_dims; i++) {
		if (t->dims[i] < 0 || !sl_mul(promised, (size_t)t->dims[i], &promised))
			promised = SIZE_MAX;
	}
	if (promised != n || (t->has_raw_data && (t->raw_data.len % width || listed)))
		return import_onnx_fail(file, op, SCORE_ERR_CORRUPT,
			"the tensor '%s' has %zu elements, its dimensions say otherwise", quote(t->name).text, n);
	*out = n;
	return SCORE_OK;
}

static uint64_t little_endian(const uint8_t *p, size_t width)
{
	uint64_t x = 0;
	for (size_t i = 0; i < width; i++)
		x |= (uint64_t)p[i] << (8 * i);
	return x;
}

score_status import_onnx_tensor_reals(onnx_file *file, const onnx_op *op, const onnx_tensor *t, onnx_reals *out)
{
	bool wide = t->data_type == ONNX_F64;
	size_t n = 0, width = wide ? 8 : 4;
	*out = (onnx_reals){NULL, 0, wide};
	if (!wide && t->data_type != ONNX_F32)
		return import_onnx_fail(file, op, SCORE_ERR_UNSUPPORTED, "the tensor '%s' is of type %d (TensorProto.DataType); expected float or double",
			quote(t->name).text, (int)t->data_type);
	score_status status = count(file, op, t, width, wide ? t->n_double_data : t->n_float_data, &n);
	if (status != SCORE_OK)
		return status;
	double *to = sl_arena_alloc(&file->arena, n, sizeof *to);
	if (!to)
		return import_onnx_no_memory(file, n * sizeof *to);
	for (size_t i = 0; i < n; i++) {
		if (!t->has_raw_data)
			to[i] = wide ? t->double_data[i] : (double)t->float_data[i];
		else if (wide)
			to[i] = sl_f64_from_bits(little_endian(t->raw_data.data + 8 * i, 8));
		else
			to[i] = (double)sl_f32_from_bits((uint32_t)little_endian(t->raw_data.data + 4 * i, 4));
	}
	*out = (onnx_reals){to, n, wide};
	return SCORE_OK;
}

score_status import_onnx_tensor_texts(onnx_file *file, const onnx_op *op, const onnx_tensor *t, onnx_texts *out)
{
	size_t n = 0;
	*out = (onnx_texts){NULL, 0};
	if (t->data_type != ONNX_STRING || t->has_raw_data)
		return import_onnx_fail(file, op, SCORE_ERR_CORRUPT, "the tensor '%s' is of type %d; expected text",
			quote(t->name).text, (int)t->data_type);
	score_status status = count(file, op, t, 1, t->n_string_data, &n);
	*out = (onnx_texts){t->string_data, n};
	return status;
}

score_status import_onnx_tensor_ints(onnx_file *file, const onnx_op *op, const onnx_tensor *t, onnx_ints *out)
{
	bool wide = t->data_type == ONNX_I64, is_byte = t->data_type == ONNX_U8 || t->data_type == ONNX_BOOL;
	size_t n = 0, width = wide ? 8 : is_byte ? 1 : 4;
	*out = (onnx_ints){NULL, 0};
	if (!wide && !is_byte && t->data_type != ONNX_I32)
		return import_onnx_fail(file, op, SCORE_ERR_UNSUPPORTED, "the tensor '%s' is of type %d (TensorProto.DataType); expected int64, int32, uint8 or bool",
			quote(t->name).text, (int)t->data_type);
	score_status status = count(file, op, t, width, wide ? t->n_int64_data : t->n_int32_data, &n);
	if (status != SCORE_OK)
		return status;
	int64_t *to = sl_arena_alloc(&file->arena, n, sizeof *to);
	if (!to)
		return import_onnx_no_memory(file, n * sizeof *to);
	for (size_t i = 0; i < n; i++) {
		if (!t->has_raw_data)
			to[i] = wide ? t->int64_data[i] : t->int32_data[i];
		else if (width == 4)
			to[i] = (int32_t)(uint32_t)little_endian(t->raw_data.data + 4 * i, 4);
		else
			to[i] = (int64_t)little_endian(t->raw_data.data + width * i, width);
	}
	*out = (onnx_ints){to, n};
	return SCORE_OK;
}
