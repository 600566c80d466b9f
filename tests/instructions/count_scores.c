/*
 * Scores fixed models under callgrind: tests/house/check_instructions.py runs it and compares the instructions that
 * score_batch() takes per row. Models and rows come from integers of a fixed sequence, so they are the same everywhere.
 * Comes in: nothing. Goes out: callgrind's file, with one part per instruction set and case that tells how many rows it
 * is about; on stderr what failed, and then the exit code is 1.
 */
#include <scoreline/build.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <valgrind/callgrind.h>

enum { N_FEATURES = 28, N_CUTS = 200, MAX_LEAVES = 600, MAX_ROWS = 2048, MAX_OUTPUTS = 5 };

typedef enum growth {
	LEVELS,  /* the oldest leaf is split: full trees */
	ANY_LEAF,
	NEW_LEAF /* one of the last three: deep trees */
} growth;

typedef enum layout { ROWS, COLUMNS } layout;

typedef struct test_case {
	const char *name;
	uint32_t n_trees, n_leaves; /* no trees: a linear model */
	growth grows;
	score_dtype type; /* of comparisons, sums and rows */
	layout from;
	int32_t n_rows, rows_per_call;
	uint32_t n_outputs; /* more than one: vector leaves */
	int has_norms;      /* the linear model's columns are the features, each divided by the norm of all */
	score_output output;
} test_case;

static const test_case cases[] = {
	{"100 trees of depth 6, float", 100, 64, LEVELS, SCORE_F32, ROWS, 2048, 2048, 1, 0, SCORE_OUTPUT_MARGIN},
	{"100 trees of depth 6, float, columns", 100, 64, LEVELS, SCORE_F32, COLUMNS, 2048, 2048, 1, 0, SCORE_OUTPUT_MARGIN},
	{"100 trees of depth 6, float, single rows", 100, 64, LEVELS, SCORE_F32, ROWS, 128, 1, 1, 0, SCORE_OUTPUT_MARGIN},
	{"100 trees of 31 leaves, float", 100, 31, ANY_LEAF, SCORE_F32, ROWS, 2048, 2048, 1, 0, SCORE_OUTPUT_MARGIN},
	{"100 trees of 31 leaves, double", 100, 31, ANY_LEAF, SCORE_F64, ROWS, 2048, 2048, 1, 0, SCORE_OUTPUT_MARGIN},
	{"100 trees of 31 leaves, double, single rows", 100, 31, ANY_LEAF, SCORE_F64, ROWS, 128, 1, 1, 0, SCORE_OUTPUT_MARGIN},
	{"30 trees of 255 leaves, float", 30, 255, ANY_LEAF, SCORE_F32, ROWS, 2048, 2048, 1, 0, SCORE_OUTPUT_MARGIN},
	{"20 trees of 31 leaves with 5 values, float", 20, 31, ANY_LEAF, SCORE_F32, ROWS, 2048, 2048, MAX_OUTPUTS, 0, SCORE_OUTPUT_MARGIN},
	{"8 deep trees of 600 leaves, double", 8, MAX_LEAVES, NEW_LEAF, SCORE_F64, ROWS, 256, 256, 1, 0, SCORE_OUTPUT_MARGIN},
	{"8 deep trees of 600 leaves, double, single rows", 8, MAX_LEAVES, NEW_LEAF, SCORE_F64, ROWS, 128, 1, 1, 0, SCORE_OUTPUT_MARGIN},
	{"linear, double", 0, 0, LEVELS, SCORE_F64, ROWS, 2048, 2048, 1, 0, SCORE_OUTPUT_MARGIN},
	{"linear behind norms, double", 0, 0, LEVELS, SCORE_F64, ROWS, 2048, 2048, 1, 1, SCORE_OUTPUT_MARGIN},
	{"linear behind norms, double, contributions", 0, 0, LEVELS, SCORE_F64, ROWS, 256, 256, 1, 1, SCORE_OUTPUT_CONTRIBUTION},
};

static void must(score_status status, const score_error *error)
{
	if (status == SCORE_OK)
		return;
	fprintf(stderr, "%s\n", error->message);
	exit(1);
}

/* splitmix64, of which the upper half is used. */
static uint32_t next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)((x ^ (x >> 31)) >> 32);
}

/* A multiple of 2^-16 below 1: exact in both types. */
static double fraction(uint64_t *state)
{
	return (double)(next(state) >> 16) / 65536.0;
}

/* The place, in the list of leaves, of the one to split. */
static uint32_t choose(growth grows, uint32_t n_leaves, uint64_t *state)
{
	if (grows == LEVELS)
		return 0;
	if (grows == NEW_LEAF && n_leaves > 3)
		return n_leaves - 1 - next(state) % 3;
	return next(state) % n_leaves;
}

static void add_tree(score_builder *builder, const test_case *c, uint64_t *state)
{
	static score_node nodes[2 * MAX_LEAVES];
	static double vectors[MAX_LEAVES * MAX_OUTPUTS];
	uint32_t leaves[MAX_LEAVES] = {0}, n_leaves = 1, n_nodes = 1;
	nodes[0] = (score_node){0};
	while (n_leaves < c->n_leaves) {
		uint32_t place = choose(c->grows, n_leaves, state), node = leaves[place];
		/* Leaves stand in the order in which they were made. */
		for (uint32_t i = place; i + 1 < n_leaves; i++)
			leaves[i] = leaves[i + 1];
		leaves[n_leaves - 1] = n_nodes;
		leaves[n_leaves++] = n_nodes + 1;
		nodes[node] = (score_node){.left = (int32_t)n_nodes, .right = (int32_t)n_nodes + 1,
			.feature = next(state) % N_FEATURES, .test = c->type == SCORE_F32 ? SCORE_TEST_LT : SCORE_TEST_LE,
			.missing = next(state) % 2, .value = (double)(1 + next(state) % N_CUTS) / 256.0};
		nodes[n_nodes++] = (score_node){0};
		nodes[n_nodes++] = (score_node){0};
	}
	for (uint32_t i = 0; i < n_leaves; i++) {
		score_node *leaf = &nodes[leaves[i]];
		leaf->leaf_id = leaf->leaf_vector = i;
		leaf->value = fraction(state) - 0.5;
	}
	score_tree tree = SCORE_TREE_INIT;
	tree.nodes = nodes;
	tree.n_nodes = n_nodes;
	if (c->n_outputs > 1) {
		tree.vectors = vectors;
		tree.n_vectors = n_leaves;
		for (uint32_t i = 0; i < n_leaves * c->n_outputs; i++)
			vectors[i] = fraction(state) - 0.5;
	}
	score_error error;
	must(score_builder_add_tree(builder, &tree, &error), &error);
}

static score_model *make_model(const test_case *c, score_isa isa)
{
	score_contract contract = SCORE_CONTRACT_INIT(N_FEATURES, c->n_outputs);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	score_builder *builder;
	score_model *model;
	score_error error;
	uint64_t state = 1;
	contract.compare = contract.sum = c->type;
	contract.trees_per_iteration = 1;
	options.isa = isa;
	must(score_builder_new(&contract, &options, &builder, &error), &error);
	for (uint32_t t = 0; t < c->n_trees; t++)
		add_tree(builder, c, &state);
	for (uint32_t f = 0, all[N_FEATURES]; c->has_norms && f < N_FEATURES; f++) {
		score_column_program program = SCORE_COLUMN_PROGRAM_INIT;
		for (uint32_t k = 0; k < N_FEATURES; k++)
			all[k] = k;
		program.root = SCORE_ROOT_NORM_L2;
		program.source = f;
		program.sources = all;
		program.n_sources = N_FEATURES;
		must(score_builder_add_column(builder, &program, NULL, &error), &error);
	}
	if (c->n_trees == 0) {
		double weights[N_FEATURES];
		for (int f = 0; f < N_FEATURES; f++)
			weights[f] = fraction(&state) - 0.5;
		must(score_builder_set_linear(builder, weights, 0, &error), &error);
	}
	must(score_builder_finish(builder, &model, &error), &error);
	score_builder_free(builder);
	return model;
}

/* The same values in both types, every fiftieth missing. */
typedef struct values {
	_Alignas(64) float f32[MAX_ROWS * N_FEATURES];
	_Alignas(64) double f64[MAX_ROWS * N_FEATURES];
} values;

static void make_values(values *v)
{
	uint64_t state = 2;
	for (size_t i = 0; i < (size_t)MAX_ROWS * N_FEATURES; i++) {
		v->f64[i] = next(&state) % 50 == 0 ? (double)NAN : fraction(&state);
		v->f32[i] = (float)v->f64[i];
	}
}

/* The call's rows; as columns, the same memory read in the other order. */
static score_input make_input(const test_case *c, const values *v, int32_t first, score_column *columns)
{
	if (c->from == COLUMNS) {
		for (int32_t f = 0; f < N_FEATURES; f++)
			columns[f] = (score_column){.values = v->f32 + f * MAX_ROWS + first, .dtype = SCORE_F32};
		return score_input_columns(columns, c->rows_per_call, N_FEATURES);
	}
	if (c->type == SCORE_F32)
		return score_input_rows_f32(v->f32 + first * N_FEATURES, c->rows_per_call, N_FEATURES);
	return score_input_rows_f64(v->f64 + first * N_FEATURES, c->rows_per_call, N_FEATURES);
}

/* Only score_batch() runs while callgrind counts, but for the loop around the single rows. */
static void count(const test_case *c, score_isa isa, const values *v)
{
	static double out[MAX_ROWS * MAX_OUTPUTS];
	static score_input inputs[MAX_ROWS];
	score_column columns[N_FEATURES];
	score_model *model = make_model(c, isa);
	score_options o = SCORE_OPTIONS_INIT;
	score_error error;
	char name[160];
	int32_t n_calls = c->n_rows / c->rows_per_call;
	o.output = c->output;
	o.scratch_bytes = (score_scratch_bytes(model) + 63) / 64 * 64;
	o.scratch = aligned_alloc(64, o.scratch_bytes + 64);
	if (!o.scratch) {
		fprintf(stderr, "no memory for the scratch\n");
		exit(1);
	}
	for (int32_t i = 0; i < n_calls; i++)
		inputs[i] = make_input(c, v, i * c->rows_per_call, columns);
	snprintf(name, sizeof name, "%s|%s|%d", score_isa_name(isa), c->name, c->n_rows);
	CALLGRIND_START_INSTRUMENTATION;
	CALLGRIND_ZERO_STATS;
	for (int32_t i = 0; i < n_calls; i++)
		must(score_batch(model, &inputs[i], out, sizeof out / sizeof out[0], &o, &error), &error);
	CALLGRIND_DUMP_STATS_AT(name);
	CALLGRIND_STOP_INSTRUMENTATION;
	free(o.scratch);
	score_model_free(model);
}

int main(void)
{
	static const score_isa isas[] = {SCORE_ISA_PORTABLE, SCORE_ISA_SSE42, SCORE_ISA_AVX2};
	static values v;
	make_values(&v);
	for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
		if (!score_isa_available(isas[i]))
			continue;
		for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
			count(&cases[k], isas[i], &v);
	}
	return 0;
}
