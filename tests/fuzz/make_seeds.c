/*
 * Seeds for targets whose files no other program makes: small feature tables, segments of a capture log, snapshots of statistics,
 * model files of every kind. Comes in: a folder. Goes out: FOLDER/sft, log, snapshot and slm; the same in every run.
 */
#define _XOPEN_SOURCE 700
#include "capture_fixture.h"
#include "random_model.h"
#include "sample_tables.h"

#include <scoreline/statistics.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *folder;

/* Path of a seed, valid until the next call. */
static const char *seed_path(const char *target, const char *name)
{
	static char path[600];
	snprintf(path, sizeof path, "%s/%s", folder, target);
	(void)mkdir(path, 0777);
	snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
	return path;
}

/* ---- feature tables ------------------------------------------------------------------------------ */

#define N_ROWS 5

static const int64_t ids[] = {7, -3, 1000000, 12, 13};
static const double amounts[] = {1.5, -0.0, 1e300, 4.25, 0.1};
static const float rates[] = {0.5f, 0.25f, 3.0f, -1.0f, 2.0f};
static const int64_t counts[] = {1, 2, 3, INT64_MAX, 5};
static const int32_t codes[] = {4, 5, 6, 7, -8};
static const uint8_t flags[] = {0, 1, 1, 0, 1}, valid[] = {0x1b};
static const char *const cities[] = {"Oslo", "", NULL, "Bergen on the coast", "Oslo"};
static const char *const users[] = {"a", "bb", "a name of a user that is long", "bcd", ""};
static const int64_t users_again[] = {1, 1, 1, 2, 2}, times[] = {10, 20, 30, 5, 15};

static void write_table(const char *name, const sample_table *t)
{
	score_error error;
	if (sample_table_build(seed_path("sft", name), t, &error) != SCORE_OK)
		fail_msg("%s", error.message);
}

static void make_tables(void)
{
	static const score_table_field columns[] = {{"flag", SCORE_BOOL, 0}, {"amount", SCORE_F64, 0}, {"rate", SCORE_F32, 0},
		{"count", SCORE_I64, 0}, {"code", SCORE_I32, 0}, {"city", SCORE_STRING, 0}};
	static const score_table_field id[] = {{"id", SCORE_I64, 0}}, user[] = {{"user", SCORE_STRING, 0}},
		both[] = {{"user", SCORE_STRING, 0}, {"id", SCORE_I64, 0}};
	score_column data[] = {sample_column(SCORE_I64, ids, NULL), sample_column(SCORE_BOOL, flags, NULL),
		sample_column(SCORE_F64, amounts, valid), sample_column(SCORE_F32, rates, NULL), sample_column(SCORE_I64, counts, valid),
		sample_column(SCORE_I32, codes, NULL), sample_texts(cities, N_ROWS)};
	sample_table t = {id, 1, NULL, columns, 6, data, N_ROWS, NULL, 0};
	write_table("types", &t);
	score_column texts[] = {sample_texts(users, N_ROWS), sample_column(SCORE_F64, amounts, NULL)};
	t = (sample_table){user, 1, NULL, columns + 1, 1, texts, N_ROWS, NULL, 0};
	write_table("texts", &t);
	score_column pairs[] = {texts[0], data[0], data[6]};
	t = (sample_table){both, 2, NULL, columns + 5, 1, pairs, N_ROWS, NULL, 0};
	write_table("pairs", &t);
	score_column history[] = {sample_column(SCORE_I64, users_again, NULL), sample_column(SCORE_I64, times, NULL), data[2]};
	t = (sample_table){id, 1, "at", columns + 1, 1, history, N_ROWS, NULL, 0};
	write_table("times", &t);
}

/* ---- capture logs -------------------------------------------------------------------------------- */

static void record_strings(score_capture *capture, const score_model *model)
{
	static const char *const texts[] = {"Bonn", "K\xc3\xb6ln", NULL, "elsewhere", ""};
	score_column columns[] = {sample_column(SCORE_I64, counts, NULL), sample_texts(texts, N_ROWS), sample_texts(texts, N_ROWS)};
	const score_input in = score_input_columns(columns, N_ROWS, 3);
	double out[N_ROWS];
	assert_int_equal(score_batch(model, &in, out, N_ROWS, NULL, NULL), SCORE_OK);
	score_call call = fixture_call(model, &in, out, 1);
	assert_int_equal(score_capture_record(capture, &call), 1);
	call.status = SCORE_ERR_SHAPE;
	call.out = NULL;
	call.request_id = "a call that failed";
	assert_int_equal(score_capture_record(capture, &call), 1);
}

static void write_segment(const char *name, const score_model *model, int with_strings)
{
	fixture_directory d;
	char path[600];
	size_t size;
	fixture_directory_make(&d);
	score_capture *capture = fixture_capture(&d);
	assert_int_equal(score_capture_add_model(capture, model, NULL), SCORE_OK);
	if (with_strings)
		record_strings(capture, model);
	else
		for (uint64_t i = 0; i < 3; i++)
			assert_int_equal(fixture_record(capture, model, i), 1);
	score_capture_free(capture);
	fixture_segment(&d, ".slog", path, sizeof path);
	uint8_t *bytes = sample_read(path, &size);
	sample_write(seed_path("log", name), bytes, size);
	free(bytes);
	fixture_directory_remove(&d);
}

static void make_segments(void)
{
	score_model *model = fixture_model(4);
	write_segment("numbers", model, 0);
	score_model_free(model);
	model = fixture_string_model();
	write_segment("strings", model, 1);
	score_model_free(model);
}

/* ---- models and their statistics ------------------------------------------------------------------ */

static const struct {
	const char *name;
	random_spec spec;
} forests[] = {
	{"numeric", {.seed = 1, .n_features = 4, .n_outputs = 1, .n_trees = 3, .max_leaves = 5, .cuts_per_feature = 5,
		.compare = SCORE_F32, .sum = SCORE_F32, .link = SCORE_LINK_SIGMOID}},
	{"categories", {.seed = 3, .n_features = 4, .n_outputs = 2, .n_trees = 4, .max_leaves = 6, .cuts_per_feature = 6,
		.category_features = 2, .compare = SCORE_F64, .sum = SCORE_F64, .link = SCORE_LINK_SOFTMAX}},
	{"hashed", {.seed = 2, .n_features = 3, .n_outputs = 1, .n_trees = 3, .max_leaves = 4, .cuts_per_feature = 6,
		.category_features = 2, .n_derived = 4, .compare = SCORE_F32, .sum = SCORE_F64}},
	{"derived", {.seed = 4, .n_features = 3, .n_outputs = 1, .n_trees = 3, .max_leaves = 4, .cuts_per_feature = 4, .n_derived = 6,
		.compare = SCORE_F64, .sum = SCORE_F64, .zero_is_missing = 1}},
	{"linear_leaves", {.seed = 6, .n_features = 3, .n_outputs = 1, .n_trees = 3, .max_leaves = 4, .cuts_per_feature = 4,
		.linear_leaves = 1, .compare = SCORE_F64, .sum = SCORE_F64}},
	{"vectors", {.seed = 7, .n_features = 3, .n_outputs = 3, .n_trees = 2, .max_leaves = 4, .cuts_per_feature = 4,
		.vector_leaves = 1, .compare = SCORE_F32, .sum = SCORE_F32}},
	{"parts", {.seed = 9, .n_features = 3, .n_outputs = 4, .n_trees = 4, .max_leaves = 4, .cuts_per_feature = 4, .n_parts = 2,
		.compare = SCORE_F32, .sum = SCORE_F64}},
};

static void write_model(const score_model *model, const char *name)
{
	score_error error;
	if (score_model_save_file(model, seed_path("slm", name), NULL, &error) != SCORE_OK)
		fail_msg("%s", error.message);
}

static void write_snapshot(const score_model *model, const random_spec *spec, const char *name)
{
	double rows[20 * 4], out[20 * 2];
	score_statistics_options o = SCORE_STATISTICS_OPTIONS_INIT;
	score_statistics *statistics = NULL;
	score_snapshot *reference = NULL, *snapshot = NULL;
	random_rows(spec, 5, 20, rows);
	const score_input in = score_input_rows_f64(rows, 20, spec->n_features);
	void *bytes = NULL;
	size_t size = 0;
	assert_int_equal(score_reference_new(model, &in, NULL, &reference, NULL), SCORE_OK);
	o.reference = reference;
	o.sample_every = 1;
	o.n_shards = 1;
	assert_int_equal(score_statistics_new(model, &o, &statistics, NULL), SCORE_OK);
	assert_int_equal(score_batch(model, &in, out, 20 * spec->n_outputs, NULL, NULL), SCORE_OK);
	score_call call = fixture_call(model, &in, out, spec->n_outputs);
	score_statistics_record(statistics, &call);
	assert_int_equal(score_statistics_snapshot(statistics, &snapshot, NULL), SCORE_OK);
	assert_int_equal(score_snapshot_serialise(snapshot, &bytes, &size, NULL), SCORE_OK);
	uint8_t *seed = malloc(size + 1);
	for (uint8_t i = 0; i < 2; i++) { /* the first byte says what the others are */
		char both[64];
		snprintf(both, sizeof both, "%s.%s", name, i ? "reference" : "snapshot");
		seed[0] = i;
		memcpy(seed + 1, bytes, size);
		sample_write(seed_path("snapshot", both), seed, size + 1);
	}
	free(seed);
	score_snapshot_free_bytes(snapshot, bytes, size);
	score_snapshot_free(snapshot);
	score_statistics_free(statistics);
	score_snapshot_free(reference);
}

static void make_models(void)
{
	for (size_t i = 0; i < sizeof forests / sizeof forests[0]; i++) {
		score_model *model = random_model(&forests[i].spec);
		write_model(model, forests[i].name);
		if (i < 2)
			write_snapshot(model, &forests[i].spec, forests[i].name);
		score_model_free(model);
	}
	score_model *model = fixture_model(3);
	write_model(model, "weights");
	score_model_free(model);
	model = fixture_string_model();
	write_model(model, "labels");
	score_model_free(model);
}

int main(int argc, char **argv)
{
	if (argc != 2 || (mkdir(argv[1], 0777) != 0 && access(argv[1], W_OK) != 0)) {
		fprintf(stderr, "usage: make_seeds FOLDER\n");
		return 2;
	}
	folder = argv[1];
	make_tables();
	make_segments();
	make_models();
	return sample_cleanup(NULL);
}
