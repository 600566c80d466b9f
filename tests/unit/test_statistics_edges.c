/*
 * Statistics of odd models, calls and values: classes, several outputs, hashed categories, categories that are no edges, infinite
 * scores, latencies of hours; references of little data; snapshots that do not belong together; both ways of counting in bins.
 */
#define _POSIX_C_SOURCE 200809L
#include "deploy/statistics_parts.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect_error.h"
#include "random_model.h"
#include "served_models.h"

static score_error error;

static bool no_avx2;
int __real_score_isa_available(score_isa isa);
int __wrap_score_isa_available(score_isa isa);

int __wrap_score_isa_available(score_isa isa)
{
	return no_avx2 ? 0 : __real_score_isa_available(isa);
}

/* ---- models ---------------------------------------------------------------------------------------------------------------- */

enum { NUMBER, LABELS, CODES, HASHED };

typedef struct shape_spec {
	const int *kinds;
	uint32_t n_features, n_outputs, n_labels; /* labels of a feature of LABELS have the codes 0, 1, … */
	const char *first_name, *classes;
	score_link link;
} shape_spec;

static const char *label_of(uint32_t k)
{
	static char text[64][24];
	snprintf(text[k], sizeof text[k], "label %u", (unsigned)k);
	return text[k];
}

static score_model *make_model(const shape_spec *spec)
{
	static const score_node leaf[] = {{.test = SCORE_TEST_LEAF, .value = 0.5}};
	score_contract contract = SCORE_CONTRACT_INIT(spec->n_features, spec->n_outputs);
	const char *labels[64];
	double codes[64];
	score_builder *b;
	score_model *model;
	contract.category_rule = spec->kinds[0] == HASHED ? SCORE_CATEGORY_HASH : contract.category_rule;
	assert_int_equal(score_builder_new(&contract, NULL, &b, NULL), SCORE_OK);
	for (uint32_t i = 0; i < spec->n_features; i++) {
		char name[16];
		snprintf(name, sizeof name, "f%u", (unsigned)i);
		assert_int_equal(score_builder_set_feature(b, i, i == 0 && spec->first_name ? spec->first_name : name,
			spec->kinds[i] == NUMBER ? SCORE_FEATURE_NUMERIC : SCORE_FEATURE_CATEGORY, NULL), SCORE_OK);
		for (uint32_t k = 0; k < spec->n_labels; k++) {
			labels[k] = label_of(k);
			codes[k] = k == 1 ? (double)NAN : k == 3 ? 2 : k; /* one is missing, two are the same */
		}
		if (spec->kinds[i] == LABELS)
			assert_int_equal(score_builder_set_dictionary(b, i, labels, codes, spec->n_labels, -1, 0, &error), SCORE_OK);
	}
	for (uint32_t k = 0; k < spec->n_outputs; k++) {
		score_tree tree = SCORE_TREE_INIT;
		tree.nodes = leaf;
		tree.n_nodes = 1;
		tree.output = k;
		assert_int_equal(score_builder_add_tree(b, &tree, NULL), SCORE_OK);
	}
	assert_int_equal(score_builder_set_link(b, spec->link, 1, NULL), SCORE_OK);
	if (spec->classes)
		assert_int_equal(score_builder_set_metadata(b, "class_labels", spec->classes, NULL), SCORE_OK);
	if (score_builder_finish(b, &model, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	score_builder_free(b);
	return model;
}

static score_statistics *counting(const score_model *model, score_output output, const score_snapshot *reference)
{
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	score_statistics *s;
	o.output = output;
	o.reference = reference;
	o.sample_every = 1;
	o.n_shards = 1;
	if (score_statistics_new(model, &o, &s, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	return s;
}

static score_snapshot *take(score_statistics *s)
{
	score_snapshot *out;
	assert_int_equal(score_statistics_snapshot(s, &out, NULL), SCORE_OK);
	score_statistics_free(s);
	return out;
}

static score_histogram feature_of(const score_snapshot *s, uint32_t i)
{
	score_histogram h = {.struct_size = sizeof h};
	assert_int_equal(score_snapshot_feature(s, i, &h), SCORE_OK);
	return h;
}

static score_histogram score_of(const score_snapshot *s, uint32_t i)
{
	score_histogram h = {.struct_size = sizeof h};
	assert_int_equal(score_snapshot_score(s, i, &h), SCORE_OK);
	return h;
}

/* One call of these rows; `out` may be NULL. */
static void record(score_statistics *s, const score_model *model, const score_input *in, const double *out, size_t width, score_output output)
{
	score_call call = SCORE_CALL_INIT;
	call.model = model;
	call.input = in;
	call.out = out;
	call.out_width = width;
	call.output = output;
	score_statistics_record(s, &call);
}

static char *metrics(const score_snapshot *const *list, size_t n, uint32_t flags)
{
	score_prometheus_options o = SCORE_PROMETHEUS_OPTIONS_INIT;
	size_t needed;
	o.flags = flags;
	if (score_prometheus_text(list, n, &o, NULL, 0, &needed, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	char *text = malloc(needed + 1);
	assert_int_equal(score_prometheus_text(list, n, &o, text, needed + 1, NULL, NULL), SCORE_OK);
	return text;
}

/* ---- usual edges ---------------------------------------------------------------------------------------------------------------- */

static void categories_have_the_edges_of_their_codes(void **state)
{
	static const int kinds[] = {LABELS, CODES}, hashed_kind[] = {HASHED};
	score_model *hashed = make_model(&(shape_spec){hashed_kind, 1, 1, 0, NULL, NULL, SCORE_LINK_IDENTITY}),
		*few = make_model(&(shape_spec){kinds, 2, 1, 5, NULL, NULL, SCORE_LINK_IDENTITY}),
		*many = make_model(&(shape_spec){kinds, 1, 1, 40, NULL, NULL, SCORE_LINK_IDENTITY});
	(void)state;
	score_snapshot *s = take(counting(few, SCORE_OUTPUT_PREDICTION, NULL));
	const score_histogram h = feature_of(s, 0);
	static const double codes[] = {0, 2, 4}; /* without the missing one, and 2 once */
	assert_int_equal(h.n_edges, 3);
	assert_memory_equal(h.edges, codes, sizeof codes);
	assert_int_equal(feature_of(s, 1).n_edges, 20);
	score_snapshot_free(s);
	s = take(counting(hashed, SCORE_OUTPUT_PREDICTION, NULL));
	assert_int_equal(feature_of(s, 0).n_edges, 0);
	score_snapshot_free(s);
	s = take(counting(many, SCORE_OUTPUT_PREDICTION, NULL));
	assert_int_equal(feature_of(s, 0).n_edges, 31); /* 32 codes, of which two are the same */
	score_snapshot_free(s);
	score_model_free(hashed);
	score_model_free(few);
	score_model_free(many);
}

static void hashed_categories_are_all_known(void **state)
{
	static const int kinds[] = {HASHED};
	static const double rows[] = {7, -7, 7, (double)NAN, 0.25, 0x1p70};
	static const int64_t offsets[] = {0, 1, 3};
	score_strings texts = SCORE_STRINGS_INIT;
	score_model *model = make_model(&(shape_spec){kinds, 1, 1, 0, NULL, NULL, SCORE_LINK_IDENTITY});
	score_input in = score_input_rows_f64(rows, 6, 1);
	score_reference_options o = SCORE_REFERENCE_OPTIONS_INIT;
	score_snapshot *reference;
	(void)state;
	assert_int_equal(score_model_dictionary(model, 0), SCORE_DICTIONARY | SCORE_DICTIONARY_HASH);
	assert_int_equal(score_reference_new(model, &in, &o, &reference, &error), SCORE_OK);
	/* A whole number is its decimal text: 7 in rows and "7" in columns are one category. */
	texts.offsets = offsets;
	texts.offset_type = SCORE_I64;
	texts.data = "7-7";
	const score_column column = {.values = &texts, .dtype = SCORE_STRING};
	score_statistics *s = counting(model, SCORE_OUTPUT_PREDICTION, reference);
	in = score_input_columns(&column, 2, 1);
	record(s, model, &in, NULL, 0, SCORE_OUTPUT_PREDICTION);
	score_snapshot *found = take(s);
	const score_histogram h = feature_of(found, 0);
	uint64_t sum = 0, both = 0;
	for (uint32_t k = 0; k <= h.n_edges; k++) {
		sum += h.counts[k];
		both += h.counts[k] && h.expected[k];
	}
	assert_true(sum == 2 && both == 2 && h.unknown == 0 && h.missing == 0);
	assert_int_equal(h.expected_missing, 1);
	assert_int_equal(h.n_edges, 4); /* "7", "-7", 0.25 and 2^70, which are no whole numbers of 64 bits */
	score_snapshot_free(found);
	score_snapshot_free(reference);
	score_model_free(model);
}

/* A category that the model knows and the reference had too rarely is none of the edges, and lies between two of them. */
static void a_rare_category_is_another(void **state)
{
	static const int kinds[] = {CODES};
	static const double trained[] = {0, 0, 0, 5, 5, 5, 5, 3, 9}, rows[] = {3, 5, -1, 0.5, 77};
	score_model *model = make_model(&(shape_spec){kinds, 1, 1, 0, NULL, NULL, SCORE_LINK_IDENTITY});
	score_input in = score_input_rows_f64(trained, 9, 1);
	score_reference_options o = SCORE_REFERENCE_OPTIONS_INIT;
	score_snapshot *reference;
	(void)state;
	o.n_categories = 2;
	assert_int_equal(score_reference_new(model, &in, &o, &reference, &error), SCORE_OK);
	score_histogram h = feature_of(reference, 0);
	static const double frequent[] = {0, 5};
	assert_int_equal(h.n_edges, 2);
	assert_memory_equal(h.edges, frequent, sizeof frequent);
	static const uint64_t counted[] = {3, 4, 2};
	assert_memory_equal(h.counts, counted, sizeof counted);
	score_statistics *s = counting(model, SCORE_OUTPUT_PREDICTION, reference);
	in = score_input_rows_f64(rows, 5, 1);
	record(s, model, &in, NULL, 0, SCORE_OUTPUT_PREDICTION);
	score_snapshot *found = take(s);
	h = feature_of(found, 0);
	static const uint64_t expected[] = {0, 1, 2};
	assert_memory_equal(h.counts, expected, sizeof expected);
	assert_int_equal(h.unknown, 2); /* negative, and no whole number */
	score_snapshot_free(found);
	score_snapshot_free(reference);
	score_model_free(model);
}

/* ---- scores ---------------------------------------------------------------------------------------------------------------------- */

static void classes_are_counted_by_number(void **state)
{
	static const int kinds[] = {CODES};
	static const double rows[300], classes[300] = {0, 1, 2, 2, 7};
	score_model *named = make_model(&(shape_spec){kinds, 1, 3, 0, NULL, "[\"a\", \"b\", \"c\"]", SCORE_LINK_SOFTMAX}),
		*unnamed = make_model(&(shape_spec){kinds, 1, 1, 0, NULL, NULL, SCORE_LINK_SIGMOID});
	const score_input in = score_input_rows_f64(rows, 300, 1);
	(void)state;
	score_statistics *s = counting(named, SCORE_OUTPUT_CLASS, NULL);
	record(s, named, &in, classes, 1, SCORE_OUTPUT_CLASS);
	score_snapshot *found = take(s);
	const score_histogram h = score_of(found, 0);
	static const uint64_t expected[] = {296, 1, 2, 1};
	assert_int_equal(h.n_edges, 3);
	assert_memory_equal(h.counts, expected, sizeof expected);
	assert_string_equal(h.name, "class");
	/* Only categories: no histogram of numbers is there, neither of scores nor of features. */
	char *text = metrics((const score_snapshot *const[]){found}, 1, SCORE_PROMETHEUS_FEATURE_BINS);
	assert_non_null(strstr(text, "# TYPE scoreline_class_total counter\n"));
	assert_non_null(strstr(text, "class=\"0\"} 296\n"));
	assert_non_null(strstr(text, "class=\"other\"} 1\n"));
	assert_null(strstr(text, "scoreline_score"));
	assert_null(strstr(text, "scoreline_feature{"));
	assert_null(strstr(text, "scoreline_drift"));
	free(text);
	/* Beside one whose scores are numbers each family has its own. */
	s = counting(unnamed, SCORE_OUTPUT_MARGIN, NULL);
	record(s, unnamed, &in, rows, 1, SCORE_OUTPUT_MARGIN);
	score_snapshot *numbers = take(s);
	numbers->shape.labels[0] = "other";
	const score_snapshot *const both[] = {found, numbers};
	text = metrics(both, 2, SCORE_PROMETHEUS_OPENMETRICS);
	assert_non_null(strstr(text, "class=\"other\"} 1\n"));
	assert_non_null(strstr(text, "scoreline_score_bucket{endpoint=\"other\",le=\"-1000000.0\"} 0\n"));
	assert_null(strstr(text, "scoreline_score_sum")); /* with bounds below zero OpenMetrics has none */
	free(text);
	text = metrics(both, 2, 0);
	assert_non_null(strstr(text, "scoreline_score_sum{endpoint=\"other\"} 0"));
	free(text);
	score_snapshot_free(numbers);
	score_snapshot_free(found);
	found = take(counting(unnamed, SCORE_OUTPUT_CLASS, NULL));
	assert_int_equal(score_of(found, 0).n_edges, 2);
	score_snapshot_free(found);
	/* The reference of classes. */
	score_reference_options o = SCORE_REFERENCE_OPTIONS_INIT;
	o.output = SCORE_OUTPUT_CLASS;
	assert_int_equal(score_reference_new(named, &in, &o, &found, &error), SCORE_OK);
	assert_int_equal(score_of(found, 0).counts[0], 300);
	score_snapshot_free(found);
	score_model_free(named);
	score_model_free(unnamed);
}

static void every_output_has_its_histogram(void **state)
{
	static const int kinds[] = {NUMBER};
	static const double rows[300];
	static double out[300 * 20];
	score_model *wide = make_model(&(shape_spec){kinds, 1, 20, 0, NULL, NULL, SCORE_LINK_IDENTITY});
	const score_input in = score_input_rows_f64(rows, 300, 1);
	(void)state;
	for (int r = 0; r < 300; r++)
		for (int k = 0; k < 20; k++)
			out[r * 20 + k] = k;
	score_statistics *s = counting(wide, SCORE_OUTPUT_PREDICTION, NULL);
	record(s, wide, &in, out, 20, SCORE_OUTPUT_PREDICTION);
	record(s, wide, &in, out, 19, SCORE_OUTPUT_PREDICTION); /* of another width */
	score_snapshot *found = take(s);
	score_snapshot_info info = {.struct_size = sizeof info};
	assert_int_equal(score_snapshot_get_info(found, &info), SCORE_OK);
	assert_true(info.n_scores == 16 && info.rows == 600 && info.unscored_rows == 300);
	for (uint32_t k = 0; k < 16; k++) {
		char name[32];
		const score_histogram h = score_of(found, k);
		snprintf(name, sizeof name, "prediction[%u]", (unsigned)k);
		assert_string_equal(h.name, name);
		assert_true(h.sum == 300.0 * k);
	}
	score_snapshot_free(found);
	score_model_free(wide);
}

static void odd_calls_are_counted_as_what_they_are(void **state)
{
	static const int kinds[] = {NUMBER, NUMBER};
	static const double rows[] = {1, 2}, infinite[] = {(double)INFINITY};
	score_model *model = make_model(&(shape_spec){kinds, 2, 1, 0, NULL, NULL, SCORE_LINK_IDENTITY});
	score_input in = score_input_rows_f64(rows, 1, 2);
	score_statistics *s = counting(model, SCORE_OUTPUT_PREDICTION, NULL);
	score_call call = SCORE_CALL_INIT;
	(void)state;
	call.model = model;
	call.latency_ns = INT64_MAX;
	score_statistics_record(s, &call); /* without input: no rows */
	call.input = &in;
	call.flags = SCORE_CALL_CONTINUED;
	call.out = infinite;
	call.out_width = 1;
	score_statistics_record(s, &call); /* rows, and no call; a sum that is none */
	in.n_rows = 0;
	score_statistics_record(s, &call);
	in = score_input_rows_f64(rows, 1, 1); /* the second feature is not in the row */
	in.u.rows.column_stride_bytes = 0;
	score_statistics_record(s, &call);
	call.flags = 0;
	static const score_status statuses[] = {-5, 15, 99, SCORE_ERR_SHAPE};
	for (int i = 0; i < 4; i++) {
		call.status = statuses[i];
		score_statistics_record(s, &call);
	}
	score_snapshot *found = take(s);
	score_snapshot_info info = {.struct_size = sizeof info};
	assert_int_equal(score_snapshot_get_info(found, &info), SCORE_OK);
	assert_true(info.calls == 5 && info.rows == 2 && info.errors == 4);
	assert_int_equal(score_snapshot_errors(found, -1), 3);
	assert_int_equal(score_snapshot_errors(found, SCORE_ERR_SHAPE), 1);
	assert_int_equal(score_snapshot_errors(found, -2), 0);
	assert_int_equal(score_snapshot_errors(found, 15), 0);
	assert_true(score_snapshot_latency(found, 1) > 0x1p41); /* in the last bucket */
	assert_true(isnan(score_snapshot_latency(found, 1.5)) && isnan(score_snapshot_latency(found, -0.5)));
	assert_int_equal(score_snapshot_latency_within(found, 42), 5);
	assert_int_equal(score_snapshot_latency_within(found, 41), 0);
	assert_int_equal(score_snapshot_latency_within(found, 43), 0);
	const score_histogram h = score_of(found, 0);
	assert_true(h.sum == 0 && h.counts[h.n_edges] == 2);
	assert_int_equal(feature_of(found, 0).missing, 0);
	assert_int_equal(feature_of(found, 1).missing, 1);
	score_snapshot_free(found);
	score_model_free(model);
}

/* ---- references -------------------------------------------------------------------------------------------------------------------- */

static void references_of_little_data(void **state)
{
	static const int kinds[] = {NUMBER, NUMBER, NUMBER, NUMBER};
	enum { ROWS = 40 };
	static double rows[ROWS][4];
	score_model *model = make_model(&(shape_spec){kinds, 4, 1, 0, NULL, NULL, SCORE_LINK_IDENTITY});
	score_reference_options o = SCORE_REFERENCE_OPTIONS_INIT;
	score_snapshot *s;
	(void)state;
	for (int r = 0; r < ROWS; r++) { /* nothing, the least number there is, one number, mostly one */
		rows[r][0] = r % 2 ? (double)NAN : (double)INFINITY;
		rows[r][1] = -1.7976931348623157e308;
		rows[r][2] = 3;
		rows[r][3] = r < 30 ? 1 : r;
	}
	score_input in = score_input_rows_f64(rows[0], ROWS, 4);
	o.n_bins = 4;
	o.n_categories = 3;
	o.max_features = 4;
	assert_int_equal(score_reference_new(model, &in, &o, &s, &error), SCORE_OK);
	assert_int_equal(feature_of(s, 0).n_edges, 0);
	assert_int_equal(feature_of(s, 1).n_edges, 0);
	score_histogram h = feature_of(s, 2);
	static const uint64_t all_in_the_middle[] = {0, ROWS, 0};
	assert_true(h.n_edges == 2 && h.edges[0] < 3 && h.edges[1] == 3);
	assert_memory_equal(h.counts, all_in_the_middle, sizeof all_in_the_middle);
	h = feature_of(s, 3);
	assert_true(h.n_edges == 1 && h.edges[0] == 1 && h.counts[0] == 30); /* quartiles are the same number */
	score_snapshot_free(s);
	char message[120];
	in.n_rows = (int64_t)1 << 62;
	snprintf(message, sizeof message, "too many rows: %zu of 1 values", (size_t)1 << 62);
	expect_error(score_reference_new(model, &in, NULL, &s, &error), &error, SCORE_ERR_LIMIT, message);
	score_model *wide = make_model(&(shape_spec){kinds, 4, 5, 0, NULL, NULL, SCORE_LINK_IDENTITY});
	snprintf(message, sizeof message, "too many rows: %zu of 5 values", (size_t)1 << 62);
	expect_error(score_reference_new(wide, &in, NULL, &s, &error), &error, SCORE_ERR_LIMIT, message);
	score_model_free(wide);
	score_model_free(model);
}

static score_snapshot *refer(const score_model *model, const double *rows, int64_t n, uint32_t columns, uint32_t bins, score_output output)
{
	const score_input in = score_input_rows_f64(rows, n, columns);
	score_reference_options o = SCORE_REFERENCE_OPTIONS_INIT;
	score_snapshot *s;
	o.n_bins = bins;
	o.output = output;
	if (score_reference_new(model, &in, &o, &s, &error) != SCORE_OK)
		fail_msg("%s", error.message);
	return s;
}

static void a_reference_belongs_to_its_model(void **state)
{
	static const int kinds[] = {NUMBER, NUMBER};
	static const double rows[] = {1, 2, 3, 4};
	score_model *model = make_model(&(shape_spec){kinds, 2, 1, 0, NULL, NULL, SCORE_LINK_IDENTITY}),
		*other = make_model(&(shape_spec){kinds, 2, 1, 0, "amount", NULL, SCORE_LINK_IDENTITY});
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	score_statistics *s = (score_statistics *)&error;
	(void)state;
	score_snapshot *reference = refer(model, rows, 2, 2, 10, SCORE_OUTPUT_PREDICTION);
	o.reference = reference;
	expect_error(score_statistics_new(other, &o, &s, &error), &error, SCORE_ERR_SHAPE,
		"feature 0 is \"f0\" in the reference and \"amount\" in the model: make the reference from this model");
	assert_null(s);
	o.output = SCORE_OUTPUT_MARGIN;
	expect_error(score_statistics_new(model, &o, &s, &error), &error, SCORE_ERR_SHAPE,
		"the reference has 2 features and 1 scores of output 0, the model 2 and 1 of output 1: make it from this model, or set "
		"SCORE_STATISTICS_NO_REFERENCE");
	/* Of as many features as are asked for. */
	o = (score_statistics_options)SCORE_STATISTICS_OPTIONS_INIT;
	o.max_features = 1;
	assert_int_equal(score_statistics_new(model, &o, &s, &error), SCORE_OK);
	score_snapshot *found = take(s);
	assert_int_equal(found->shape.n_features, 1);
	score_snapshot_free(found);
	score_snapshot_free(reference);
	score_model_free(model);
	score_model_free(other);
}

/* ---- merging ------------------------------------------------------------------------------------------------------------------------- */

static void only_snapshots_of_one_kind_are_merged(void **state)
{
	static const int numbers[] = {NUMBER, NUMBER}, first_coded[] = {CODES, NUMBER};
	static const double rows[] = {1, 1, 1, 1, 2, 2}, others[] = {1, 1, 2, 2, 2, 2}, spread[] = {1, 1, 3, 3, 5, 5};
	score_model *models[] = {make_model(&(shape_spec){numbers, 2, 1, 0, NULL, NULL, SCORE_LINK_IDENTITY}),
		make_model(&(shape_spec){numbers, 1, 1, 0, NULL, NULL, SCORE_LINK_IDENTITY}),
		make_model(&(shape_spec){numbers, 2, 2, 0, NULL, NULL, SCORE_LINK_IDENTITY}),
		make_model(&(shape_spec){numbers, 2, 1, 0, "amount", NULL, SCORE_LINK_IDENTITY}),
		make_model(&(shape_spec){first_coded, 2, 1, 0, NULL, NULL, SCORE_LINK_IDENTITY})};
	score_snapshot *first = take(counting(models[0], SCORE_OUTPUT_PREDICTION, NULL));
	static const char *const counts[] = {NULL, "1 features and 1 scores of output 0", "2 features and 2 scores of output 0"};
	char message[300];
	(void)state;
	for (int i = 1; i < 5; i++) {
		score_snapshot *other = take(counting(models[i], SCORE_OUTPUT_PREDICTION, NULL));
		if (i < 3)
			snprintf(message, sizeof message, "the snapshots count different things: %s here, 2 and 1 of output 0 there", counts[i]);
		else
			snprintf(message, sizeof message, "histogram 0, \"%s\" here and \"f0\" there, has other names, edges or expected counts: merge "
				"snapshots of one model and one reference", i == 3 ? "amount" : "f0");
		expect_error(score_snapshot_merge(other, first, &error), &error, SCORE_ERR_SHAPE, message);
		score_snapshot_free(other);
	}
	score_snapshot *margins = take(counting(models[0], SCORE_OUTPUT_MARGIN, NULL));
	expect_error(score_snapshot_merge(margins, first, &error), &error, SCORE_ERR_SHAPE,
		"the snapshots count different things: 2 features and 1 scores of output 1 here, 2 and 1 of output 0 there");
	score_snapshot_free(margins);
	/* References of two rows and of three, of other counts, of other edges. */
	const double *const data[] = {rows, rows, others, spread};
	for (int i = 0; i < 4; i++) {
		score_snapshot *a = refer(models[0], rows, 3, 2, 10, SCORE_OUTPUT_PREDICTION),
			*b = refer(models[0], data[i], i ? 3 : 2, 2, 10, SCORE_OUTPUT_PREDICTION);
		score_snapshot *of_a = take(counting(models[0], SCORE_OUTPUT_PREDICTION, a)), *of_b = take(counting(models[0], SCORE_OUTPUT_PREDICTION, b));
		assert_int_equal(score_snapshot_merge(of_a, of_b, &error), i == 1 ? SCORE_OK : SCORE_ERR_SHAPE);
		if (i == 0)
			assert_string_equal(error.message, "the snapshots are for different references: of 3 rows here, of 2 there");
		score_snapshot_free(a);
		score_snapshot_free(b);
		score_snapshot_free(of_a);
		score_snapshot_free(of_b);
	}
	score_snapshot_free(first);
	for (int i = 0; i < 5; i++)
		score_model_free(models[i]);
}

/* What two versions of a model counted is of neither. */
static void a_merged_snapshot_is_of_no_single_model(void **state)
{
	static const uint8_t none[16];
	score_snapshot *s[2];
	score_snapshot_info info = {.struct_size = sizeof info};
	(void)state;
	for (int i = 0; i < 2; i++) {
		size_t size;
		score_model *built = answering_model(i);
		void *bytes = model_bytes(built, 0, &size);
		score_model *opened = model_of_bytes(bytes, size);
		s[i] = take(counting(opened, SCORE_OUTPUT_PREDICTION, NULL));
		score_model_free(opened);
		score_model_free(built);
		free(bytes);
	}
	s[0]->shape.labels[3] = "1";
	s[1]->shape.labels[3] = "2";
	s[0]->shape.labels[0] = s[1]->shape.labels[0] = "fraud";
	assert_memory_not_equal(s[0]->shape.model_hash, s[1]->shape.model_hash, 16);
	assert_int_equal(score_snapshot_merge(s[0], s[1], &error), SCORE_OK);
	assert_int_equal(score_snapshot_get_info(s[0], &info), SCORE_OK);
	assert_memory_equal(info.model_hash, none, sizeof none);
	assert_string_equal(info.entity_version, "");
	assert_string_equal(info.endpoint, "fraud");
	score_snapshot_free(s[0]);
	score_snapshot_free(s[1]);
}

/* Counts of which a few sums would overflow are not believed. */
static void counts_beyond_all_reason(void **state)
{
	static const double rows[] = {1, 2, 3, 4, 5, 6};
	static const int kinds[] = {NUMBER, NUMBER};
	score_model *model = make_model(&(shape_spec){kinds, 2, 1, 0, NULL, NULL, SCORE_LINK_IDENTITY});
	score_snapshot *s = refer(model, rows, 3, 2, 10, SCORE_OUTPUT_PREDICTION), *again;
	const uint64_t most = UINT64_C(1) << 50;
	const deploy_histogram *h = s->shape.histograms;
	const struct {
		uint64_t *count;
		const char *key, *expected;
	} cases[] = {
		{s->cells + DEPLOY_CELL_ROWS, "calls", "counts of at most 2^50"},
		{s->cells + DEPLOY_CELL_ERRORS + 3, "errors", "16 counts"},
		{s->cells + DEPLOY_CELL_LATENCY + 5, "latency", "pairs of a bucket and its count"},
		{s->cells + h->cell, "counts", "a count for every bin"},
		{s->cells + h->cell + h->n_edges + 1 + DEPLOY_AFTER_MISSING, "missing", "a count"},
		{s->cells + h->cell + h->n_edges + 1 + DEPLOY_AFTER_UNKNOWN, "unknown", "a count"},
		{&s->shape.expected_rows, "expected_rows", "a count"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const uint64_t before = *cases[i].count;
		char message[120];
		for (int beyond = 0; beyond < 2; beyond++) {
			void *bytes;
			size_t size;
			if (cases[i].count == &s->shape.expected_rows && !beyond)
				continue; /* the expected counts are then missing */
			*cases[i].count = most + (uint64_t)beyond;
			again = (score_snapshot *)&error;
			assert_int_equal(score_snapshot_serialise(s, &bytes, &size, NULL), SCORE_OK);
			const score_status status = score_snapshot_read(bytes, size, NULL, &again, &error);
			snprintf(message, sizeof message, "statistics: \"%s\" is damaged: expected %s", cases[i].key, cases[i].expected);
			if (beyond) {
				expect_error(status, &error, SCORE_ERR_CORRUPT, message);
				assert_null(again);
			} else {
				assert_int_equal(status, SCORE_OK);
			}
			score_snapshot_free(again);
			score_snapshot_free_bytes(s, bytes, size);
		}
		*cases[i].count = before;
	}
	score_snapshot_free(s);
	score_model_free(model);
}

/* ---- drift ----------------------------------------------------------------------------------------------------------------------------- */

static score_drift drift_of(const uint64_t counts[3], uint64_t missing, const uint64_t expected[5])
{
	static const double edges[] = {1, 2};
	score_histogram h = {.struct_size = sizeof h, .name = "x", .n_edges = 2, .edges = edges, .counts = counts, .expected = expected,
		.missing = missing, .expected_missing = expected[3], .expected_unknown = expected[4]};
	score_drift d = {.struct_size = sizeof d};
	assert_int_equal(score_drift_of(&h, &d, &error), SCORE_OK);
	return d;
}

static void drift_that_cannot_be_said(void **state)
{
	static const uint64_t some[] = {50, 50, 50}, none[] = {0, 0, 0}, one[] = {90, 0, 0};
	static const uint64_t expected_some[] = {50, 50, 50, 0, 0}, all_missing[] = {0, 0, 0, 90, 0},
		one_bin[] = {90, 0, 0, 0, 0}, few[] = {1, 1, 90, 0, 0};
	(void)state;
	/* Missing values have no place among the others: where there is nothing else there is no distance. */
	score_drift d = drift_of(none, 90, expected_some);
	assert_true(isnan(d.ks_statistic) && d.level == SCORE_DRIFT_SHIFTED && d.missing_rate == 1);
	d = drift_of(some, 0, all_missing);
	assert_true(isnan(d.ks_statistic) && d.missing_change == -1);
	d = drift_of(none, 0, expected_some); /* no rows */
	assert_int_equal(d.level, SCORE_DRIFT_UNKNOWN);
	/* One bin cannot differ; expectations below one cannot be tested. */
	d = drift_of(one, 0, one_bin);
	assert_true(d.chi2_df == 0 && d.chi2 == 0 && isnan(d.chi2_p_value) && d.psi == 0 && d.ks_statistic == 0 && d.ks_p_value == 1);
	static const uint64_t two[] = {1, 0, 1};
	d = drift_of(two, 0, few);
	assert_true(isnan(d.chi2_p_value) && d.chi2 > 0);
	assert_true(deploy_kolmogorov_above(0) == 1 && deploy_kolmogorov_above(-1) == 1 && deploy_chi2_above(0, 3) == 1);
	assert_true(deploy_kolmogorov_above((double)NAN) == 1 && deploy_chi2_above((double)NAN, 2) == 1);
	assert_string_equal(score_drift_level_name(-1), "unknown");
	assert_string_equal(score_drift_level_name(SCORE_DRIFT_STABLE), "stable");
}

static int stop_at_once(void *context, const char *text, size_t length)
{
	(void)text;
	(void)length;
	++*(int *)context;
	return 1;
}

static void snapshots_stand_side_by_side(void **state)
{
	static const int kinds[] = {NUMBER, NUMBER};
	static const double rows[] = {1, 2, 3, 4, 5, 6};
	score_model *model = make_model(&(shape_spec){kinds, 2, 1, 0, NULL, NULL, SCORE_LINK_IDENTITY});
	score_snapshot *plain = take(counting(model, SCORE_OUTPUT_PREDICTION, NULL));
	score_snapshot *reference = refer(model, rows, 3, 2, 10, SCORE_OUTPUT_PREDICTION);
	score_statistics *s = counting(model, SCORE_OUTPUT_PREDICTION, reference);
	const score_input in = score_input_rows_f64(rows, 3, 2);
	int n_calls = 0;
	(void)state;
	record(s, model, &in, rows, 1, SCORE_OUTPUT_PREDICTION);
	score_snapshot *watched = take(s);
	for (uint32_t i = 0; i < 4; i++) { /* any one of the labels tells them apart */
		plain->shape.labels[i] = "p";
		watched->shape.labels[i] = "w";
		const score_snapshot *const both[] = {plain, watched};
		char *text = metrics(both, 2, SCORE_PROMETHEUS_FEATURE_BINS | SCORE_PROMETHEUS_OPENMETRICS);
		assert_non_null(strstr(text, "# UNIT scoreline_batch_duration_seconds seconds\n"));
		assert_non_null(strstr(text, "scoreline_drift_psi{"));
		assert_non_null(strstr(text, "scoreline_feature_bucket{"));
		assert_string_equal(text + strlen(text) - 6, "# EOF\n");
		free(text);
		text = metrics(both, 2, SCORE_PROMETHEUS_NO_FEATURES);
		assert_null(strstr(text, "feature="));
		free(text);
		plain->shape.labels[i] = watched->shape.labels[i] = "";
	}
	const score_snapshot *const same[] = {plain, watched}, *const one[] = {watched};
	expect_error(score_prometheus_text(same, 2, NULL, NULL, 0, NULL, &error), &error, SCORE_ERR_ARGUMENT, "snapshots 0 and 1 have the same "
		"endpoint, served_name, entity_name and entity_version: merge them, or give them different ones");
	expect_error(score_prometheus_write(one, 1, NULL, stop_at_once, &n_calls, &error), &error, SCORE_ERR_IO,
		"the sink did not take all of the metrics");
	assert_int_equal(n_calls, 1);
	char *text = metrics(NULL, 0, 0); /* of nothing: the families */
	assert_null(strstr(text, "scoreline_drift"));
	free(text);
	score_snapshot_free(plain);
	score_snapshot_free(reference);
	score_snapshot_free(watched);
	score_model_free(model);
}

/* ---- bins ------------------------------------------------------------------------------------------------------------------------------ */

static void both_ways_of_counting_agree(void **state)
{
	enum { N = 256, EDGES = 13 };
	double x[N], edges[SCORE_MAX_EDGES], sums[2] = {0, 0};
	uint64_t seed = 5, above[2][SCORE_MAX_EDGES] = {{0}}, valid[2];
	uint32_t placed[2][DEPLOY_BLOCK];
	(void)state;
	for (int k = 0; k < SCORE_MAX_EDGES; k++)
		edges[k] = k < EDGES ? k : HUGE_VAL;
	for (int i = 0; i < N; i++)
		x[i] = i % 17 == 0 ? (double)NAN : (double)(random_u64(&seed) % 64) / 4;
	for (int k = 0; k < 2; k++) {
		no_avx2 = k;
		const deploy_bins bins = deploy_bins_choose();
		valid[k] = bins.count(x, N - 4, edges, EDGES, above[k], sums + k);
		bins.place(x, DEPLOY_BLOCK, edges, EDGES, placed[k]);
	}
	no_avx2 = false;
	assert_true(valid[0] == valid[1] && sums[0] == sums[1]);
	assert_memory_equal(above[0], above[1], EDGES * sizeof(uint64_t));
	assert_memory_equal(placed[0], placed[1], sizeof placed[0]);
	for (int i = 0; i < DEPLOY_BLOCK; i++) {
		uint32_t below = 0;
		for (int k = 0; k < EDGES; k++)
			below += edges[k] < x[i];
		assert_int_equal(placed[1][i], isnan(x[i]) ? EDGES + 1 : below);
	}
}

static void base64_refuses_other_characters(void **state)
{
	uint8_t bytes[8];
	size_t n;
	(void)state;
	for (int c = 1; c < 256; c++) {
		const char text[] = {'A', (char)c, 'A', 'A', 0};
		const bool is_digit = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", c) != NULL;
		assert_int_equal(deploy_base64_decode(text, 4, bytes, &n), is_digit);
	}
}

/* Rows of the expected distribution, and few of another, are no alarm: they may be so by chance. */
static void few_rows_raise_no_alarm(void **state)
{
	static const struct {
		uint64_t counts[4];
		score_drift_level level;
	} cases[] = {
		{{0, 1, 0, 2}, SCORE_DRIFT_UNKNOWN},       /* fewer than five rows per bin               */
		{{2, 9, 3, 8}, SCORE_DRIFT_UNKNOWN},       /* a PSI of 0.36; the noise is 0.14           */
		{{20, 90, 30, 80}, SCORE_DRIFT_SHIFTED},   /* the same of ten times the rows             */
		{{40, 70, 40, 70}, SCORE_DRIFT_STABLE},
		{{30, 70, 40, 80}, SCORE_DRIFT_MODERATE},
		{{0, 40, 0, 0}, SCORE_DRIFT_SHIFTED},      /* few rows, but another world                */
	};
	static const double edges[] = {1, 2, 3};
	static const uint64_t expected[] = {2500, 2500, 2500, 2500};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		score_histogram h = {.struct_size = sizeof h, .n_edges = 3, .edges = edges, .counts = cases[i].counts, .expected = expected};
		score_drift drift = {.struct_size = sizeof drift};
		assert_int_equal(score_drift_of(&h, &drift, NULL), SCORE_OK);
		if (drift.level != cases[i].level)
			fail_msg("case %zu: %s, psi %g, noise %g", i, score_drift_level_name(drift.level), drift.psi, drift.noise);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(categories_have_the_edges_of_their_codes),
		cmocka_unit_test(hashed_categories_are_all_known),
		cmocka_unit_test(a_rare_category_is_another),
		cmocka_unit_test(classes_are_counted_by_number),
		cmocka_unit_test(every_output_has_its_histogram),
		cmocka_unit_test(odd_calls_are_counted_as_what_they_are),
		cmocka_unit_test(references_of_little_data),
		cmocka_unit_test(a_reference_belongs_to_its_model),
		cmocka_unit_test(only_snapshots_of_one_kind_are_merged),
		cmocka_unit_test(a_merged_snapshot_is_of_no_single_model),
		cmocka_unit_test(counts_beyond_all_reason),
		cmocka_unit_test(drift_that_cannot_be_said),
		cmocka_unit_test(snapshots_stand_side_by_side),
		cmocka_unit_test(both_ways_of_counting_agree),
		cmocka_unit_test(base64_refuses_other_characters),
		cmocka_unit_test(few_rows_raise_no_alarm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
