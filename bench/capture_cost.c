/*
 * What score_capture_record() costs a thread that scores: one row of 28 features, by position and bound by
 * name, with and without a request id, sampled out, and lost because the ring is full. Prints nanoseconds
 * per call: the best of many rounds, each as many calls as fit into the ring; draining is not counted.
 * Beside them stands what one memcpy of the same bytes costs.
 *
 *   cc -O2 -Iinclude bench/capture_cost.c -Lbuild/lib -lscoreline -o capture_cost && ./capture_cost
 *   DIRECTORY
 */
#define _POSIX_C_SOURCE 200809L
#include <scoreline/build.h>
#include <scoreline/capture.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N_FEATURES 28
#define ROUNDS 200
#define CALLS 4000

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static void check(score_status status, const score_error *error)
{
	if (status == SCORE_OK)
		return;
	fprintf(stderr, "capture_cost: %s\n", error->message);
	exit(1);
}

static score_model *make_model(void)
{
	const score_contract contract = SCORE_CONTRACT_INIT(N_FEATURES, 1);
	double weights[N_FEATURES];
	score_builder *b;
	score_model *model;
	score_error error;
	for (int i = 0; i < N_FEATURES; i++)
		weights[i] = i;
	check(score_builder_new(&contract, NULL, &b, &error), &error);
	check(score_builder_set_linear(b, weights, 0, &error), &error);
	check(score_builder_finish(b, &model, &error), &error);
	score_builder_free(b);
	return model;
}

static score_capture *make_capture(const char *directory, double fraction, const score_model *model)
{
	score_capture_options o = SCORE_CAPTURE_OPTIONS_INIT;
	score_capture *capture;
	score_error error;
	o.directory = directory;
	o.sampling_fraction = fraction;
	check(score_capture_new(&o, &capture, &error), &error);
	check(score_capture_add_model(capture, model, &error), &error);
	return capture;
}

/* `expected`: what every call must return; the ring is drained between rounds unless it is to stay full. */
static double time_calls(score_capture *capture, score_call *call, const char *const *ids, int expected)
{
	double best = 1e30;
	for (int round = 0; round < ROUNDS; round++) {
		int sum = 0;
		const double began = now_ns();
		for (int i = 0; i < CALLS; i++) {
			call->request_id = ids ? ids[i % 64] : NULL;
			sum += score_capture_record(capture, call);
		}
		const double ns = (now_ns() - began) / CALLS;
		best = ns < best ? ns : best;
		if (sum != expected * CALLS) {
			fprintf(stderr, "capture_cost: calls returned %d in sum, expected %d each\n", sum, expected);
			exit(1);
		}
		if (expected != -1) {
			score_error error;
			check(score_capture_drain(capture, NULL, &error), &error);
		}
	}
	return best;
}

static double time_copy(const void *from, size_t size)
{
	static unsigned char to[1 << 22];
	double best = 1e30;
	for (int round = 0; round < ROUNDS; round++) {
		const double began = now_ns();
		for (int i = 0; i < CALLS; i++) {
			memcpy(to + (size_t)i * 512, from, size);
			__asm__ volatile("" ::: "memory");
		}
		const double ns = (now_ns() - began) / CALLS;
		best = ns < best ? ns : best;
	}
	return best;
}

int main(int argc, char **argv)
{
	static char text[64][40];
	const char *ids[64], *names[N_FEATURES];
	float row[N_FEATURES];
	double out = 0.5;
	score_error error;
	score_plan *plan;
	if (argc != 2) {
		fprintf(stderr, "usage: capture_cost DIRECTORY\n");
		return 2;
	}
	score_model *model = make_model();
	for (int i = 0; i < 64; i++) {
		snprintf(text[i], sizeof text[i], "6f1c2a4e-0000-4000-8000-%012d", i);
		ids[i] = text[i];
	}
	for (uint32_t i = 0; i < N_FEATURES; i++) {
		row[i] = (float)i * 0.5f;
		names[i] = score_model_feature_name(model, i);
	}
	check(score_bind(model, names, NULL, N_FEATURES, &plan, &error), &error);
	const score_input input = score_input_rows_f32(row, 1, N_FEATURES);
	score_call call = SCORE_CALL_INIT;
	call.model = model;
	call.input = &input;
	call.out = &out;
	call.out_width = 1;
	call.endpoint = "fraud-detection-endpoint";
	call.served_name = "fraud_model-1";
	call.entity_name = "fraud_model";
	call.entity_version = "1";
	score_capture *all = make_capture(argv[1], 1, model), *few = make_capture(argv[1], 1e-12, model);
	printf("%-44s %6.1f ns\n", "copy of 400 bytes", time_copy(text, 400));
	printf("%-44s %6.1f ns\n", "record, by position", time_calls(all, &call, NULL, 1));
	printf("%-44s %6.1f ns\n", "record, by position, request id of 36 bytes", time_calls(all, &call, ids, 1));
	call.plan = plan;
	printf("%-44s %6.1f ns\n", "record, bound by name, request id", time_calls(all, &call, ids, 1));
	call.plan = NULL;
	/* Without an id the first call of a count is always kept. */
	score_capture_record(few, &call);
	printf("%-44s %6.1f ns\n", "sampled out, by request id", time_calls(few, &call, ids, 0));
	while (score_capture_record(all, &call) != -1)
		;
	printf("%-44s %6.1f ns\n", "lost, the ring is full", time_calls(all, &call, ids, -1));
	score_capture_free(all);
	score_capture_free(few);
	score_plan_free(plan);
	score_model_free(model);
	return 0;
}
