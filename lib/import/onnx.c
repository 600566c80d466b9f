/*
 * ONNX-ML files to the builder: read, follow the graph, build.
 *
 * Comes in: untrusted bytes. Goes out: an unfinished builder with the graph's tree ensemble or linear model. Relies on the
 * builder for what the numeric contract can hold.
 */
#include "onnx.h"

#include "importers.h"

#include <stdio.h>

static score_status new_builder(const onnx_file *file, const onnx_model *m, score_builder **out)
{
	score_contract contract = SCORE_CONTRACT_INIT(m->n_features, m->scores.n_outputs);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	score_error inner;
	bool is_f64 = m->columns.is_f64;
	contract.trees_per_iteration = 1;
	contract.compare = is_f64 && !m->columns.narrowed ? SCORE_F64 : SCORE_F32;
	contract.sum = is_f64 ? SCORE_F64 : SCORE_F32;
	contract.base_position = SCORE_BASE_LAST;
	contract.average = m->ensemble.average ? SCORE_AVERAGE_MARGIN : SCORE_AVERAGE_NONE;
	contract.category_rule = SCORE_CATEGORY_EXACT;
	options.allocator = file->options->allocator;
	options.isa = file->options->isa;
	return import_onnx_from_builder(file, m->op, score_builder_new(&contract, &options, out, &inner), &inner);
}

/* One input of several columns leaves its features unnamed; otherwise a column has its input's name, and its number. */
static score_status set_name(const onnx_file *file, const onnx_model *m, const onnx_input *in, uint32_t k, score_builder *b)
{
	char name[240] = "";
	int length = (int)in->name.len;
	score_error inner;
	if (m->n_inputs > 1 && in->n > 1)
		snprintf(name, sizeof name, "%.*s[%u]", length, (const char *)in->name.data, k);
	else if (in->n == 1)
		snprintf(name, sizeof name, "%.*s", length, (const char *)in->name.data);
	score_feature_type type = in->dictionaries ? SCORE_FEATURE_CATEGORY : SCORE_FEATURE_NUMERIC;
	score_status status = score_builder_set_feature(b, in->first + k, name, type, &inner);
	if (status == SCORE_OK && in->dictionaries) {
		const onnx_dictionary *d = in->dictionaries + k;
		status = score_builder_set_dictionary(b, in->first + k, d->labels, NULL, d->n, d->unknown, 0, &inner);
	}
	return import_onnx_from_builder(file, m->op, status, &inner);
}

static score_status set_names(const onnx_file *file, const onnx_model *m, score_builder *b)
{
	score_status status = SCORE_OK;
	for (size_t i = 0; i < m->n_inputs; i++) {
		const onnx_input *in = m->inputs + i;
		if (m->n_inputs == 1 && in->n > 1 && !in->dictionaries)
			return SCORE_OK;
		if (in->name.len == 0 || in->name.len > 200 || !import_onnx_is_text(in->name))
			return sl_fail(file->error, SCORE_ERR_CORRUPT, "the name of input %zu is no text of 1 to 200 bytes", i);
		for (uint32_t k = 0; k < in->n && status == SCORE_OK; k++)
			status = set_name(file, m, in, k, b);
		if (status != SCORE_OK)
			return status;
	}
	return SCORE_OK;
}

static void as_text(onnx_text from, char *to, size_t size)
{
	size_t n = from.len < size && import_onnx_is_text(from) ? from.len : 0;
	if (n)
		memcpy(to, from.data, n);
	to[n] = 0;
}

static score_status set_metadata(const onnx_file *file, const onnx_model *m, score_builder *b)
{
	char producer[64], release[32], version[100], kind[48];
	as_text(file->model->producer_name, producer, sizeof producer);
	as_text(file->model->producer_version, release, sizeof release);
	as_text(m->op->op_type, kind, sizeof kind);
	snprintf(version, sizeof version, "%s%s%s", producer, *producer && *release ? " " : "", release);
	const char *const pairs[][2] = {{"source.library", "onnx"}, {"source.version", version},
		{"objective", kind}, {"class_labels", m->scores.labels}, {"class_rule", m->scores.class_rule}};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		score_error inner;
		if (!pairs[i][1] || !*pairs[i][1])
			continue;
		score_status status = score_builder_set_metadata(b, pairs[i][0], pairs[i][1], &inner);
		if (status != SCORE_OK)
			return import_onnx_from_builder(file, m->op, status, &inner);
	}
	return SCORE_OK;
}

static score_status describe(const onnx_file *file, const onnx_model *m, score_builder *b)
{
	score_error inner;
	score_status status = set_names(file, m, b);
	if (status == SCORE_OK)
		status = set_metadata(file, m, b);
	if (status != SCORE_OK)
		return status;
	if (m->scores.base)
		status = import_onnx_from_builder(file, m->op,
			score_builder_set_base(b, m->scores.base, m->scores.n_outputs, &inner), &inner);
	if (status == SCORE_OK)
		status = import_onnx_from_builder(file, m->op,
			score_builder_set_link(b, m->scores.link, m->scores.parameter, &inner), &inner);
	return status;
}

static score_status add_columns(const onnx_file *file, const onnx_model *m, score_builder *b)
{
	score_error inner;
	score_status status = SCORE_OK;
	const score_column_program *p = m->programs.data;
	for (size_t i = 0; i < m->programs.length && status == SCORE_OK; i++)
		status = import_onnx_from_builder(file, m->op, score_builder_add_column(b, p + i, NULL, &inner), &inner);
	return status;
}

/* A linear model sums all columns from one on: the last ones must be those that the operator reads, in its order. */
static score_status align_columns(const onnx_file *file, const onnx_model *m, score_builder *b, uint32_t *first)
{
	uint32_t n = m->columns.n, n_all = m->n_features + (uint32_t)m->programs.length;
	bool in_place = n <= n_all;
	score_error inner;
	score_status status = SCORE_OK;
	*first = in_place ? n_all - n : n_all;
	for (uint32_t i = 0; i < n && in_place; i++)
		in_place = m->columns.column[i] == *first + i && (*first == 0 || *first >= m->n_features);
	if (in_place)
		return SCORE_OK;
	*first = n_all;
	for (uint32_t i = 0; i < n && status == SCORE_OK; i++) {
		score_column_program copy = SCORE_COLUMN_PROGRAM_INIT;
		copy.source = m->columns.column[i];
		status = import_onnx_from_builder(file, m->op, score_builder_add_column(b, &copy, NULL, &inner), &inner);
	}
	return status;
}

static score_status set_linear(onnx_file *file, const onnx_model *m, score_builder *b)
{
	const onnx_linear *l = &m->linear;
	uint32_t first, n_outputs = m->scores.n_outputs;
	score_error inner;
	score_status status = align_columns(file, m, b, &first);
	if (status == SCORE_OK && first)
		status = import_onnx_from_builder(file, m->op, score_builder_set_linear_columns(b, first, &inner), &inner);
	if (status != SCORE_OK)
		return status;
	double *weights = sl_arena_alloc(&file->arena, (size_t)m->columns.n * n_outputs, sizeof *weights);
	if (!weights)
		return import_onnx_no_memory(file, (size_t)m->columns.n * n_outputs * sizeof *weights);
	for (size_t i = 0; i < m->columns.n; i++) {
		for (size_t o = 0; o < n_outputs; o++)
			weights[i * n_outputs + o] = l->weights[i * l->n_outputs + (l->chosen >= 0 ? (size_t)l->chosen : o)];
	}
	return import_onnx_from_builder(file, m->op, score_builder_set_linear(b, weights, 0, &inner), &inner);
}

/* One of several scores alone. What the labels follow from is then not there. */
static void choose(onnx_model *m)
{
	if (!m->linear.weights || m->linear.chosen < 0)
		return;
	m->scores.n_outputs = 1;
	m->scores.base = m->scores.base ? m->scores.base + m->linear.chosen : NULL;
	m->scores.labels = m->scores.class_rule = NULL;
}

static score_status build(onnx_file *file, onnx_model *m, score_builder **out)
{
	choose(m);
	score_status status = new_builder(file, m, out);
	if (status == SCORE_OK)
		status = describe(file, m, *out);
	if (status == SCORE_OK)
		status = add_columns(file, m, *out);
	if (status == SCORE_OK && m->linear.weights)
		return set_linear(file, m, *out);
	return status == SCORE_OK ? import_onnx_emit(file, &m->ensemble, &m->columns, &m->scores, *out) : status;
}

score_status import_onnx(const void *data, size_t size, const score_import_options *options, score_builder **out,
	score_error *error)
{
	static const score_import_options defaults = SCORE_IMPORT_OPTIONS_INIT;
	options = options ? options : &defaults;
	*out = NULL;
	onnx_model model = {.op = NULL};
	onnx_file file = {.allocator = sl_allocator(options->allocator), .error = error, .options = options,
		.like_runtime = options->onnx_compat == SCORE_ONNX_RUNTIME};
	if (options->iteration_begin || options->iteration_end)
		return sl_fail(error, SCORE_ERR_ARGUMENT,
			"an ONNX file knows no boosting iterations; convert all of it and score a range of trees");
	sl_vector_init(&model.programs, &file.allocator, sizeof(score_column_program));
	score_status status = import_onnx_read(&file, data, size);
	if (status == SCORE_OK)
		status = import_onnx_graph(&file, &model);
	if (status == SCORE_OK)
		status = build(&file, &model, out);
	sl_vector_free(&model.programs);
	import_onnx_free(&file);
	if (status != SCORE_OK) {
		score_builder_free(*out);
		*out = NULL;
	}
	return status;
}
