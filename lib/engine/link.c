/*
 * Links, each in its source library's formula and type (see docs/numerics.md). Row by row: the cost is one or a few
 * calls of the C library's exp per row, far below that of the trees.
 */
#include "link.h"

#include <float.h>
#include <math.h>

/* What was computed in double, as a model of the type `type` gives it. */
static double rounded(score_dtype type, double x)
{
	return type == SCORE_F32 ? (double)(float)x : x;
}

static float sigmoid_xgboost(float x)
{
	float y = 88.7f < -x ? 88.7f : -x; /* a NaN margin stays NaN, as std::min leaves it */
	return 1.0f / ((expf(y) + 1.0f) + 1e-16f);
}

static double sigmoid(score_dtype type, double slope, double x)
{
	if (type == SCORE_F32)
		return (double)(1.0f / (1.0f + expf(-(float)slope * (float)x)));
	return 1.0 / (1.0 + exp(-slope * x));
}

static double exponential(score_dtype type, double x)
{
	return type == SCORE_F32 ? (double)expf((float)x) : exp(x);
}

static void softmax_xgboost(const double *x, uint32_t n, double *out)
{
	float m = (float)x[0];
	double sum = 0.0;
	for (uint32_t i = 1; i < n; i++)
		m = fmaxf(m, (float)x[i]);
	for (uint32_t i = 0; i < n; i++) {
		float e = expf((float)x[i] - m);
		sum += (double)e;
		out[i] = (double)e;
	}
	for (uint32_t i = 0; i < n; i++)
		out[i] = (double)((float)out[i] / (float)sum);
}

static void softmax_f32(const double *x, uint32_t n, double *out)
{
	float m = (float)x[0], sum = 0.0f;
	for (uint32_t i = 1; i < n; i++)
		m = (float)x[i] > m ? (float)x[i] : m;
	for (uint32_t i = 0; i < n; i++) {
		float e = expf((float)x[i] - m);
		sum += e;
		out[i] = (double)e;
	}
	for (uint32_t i = 0; i < n; i++)
		out[i] = (double)((float)out[i] / sum);
}

/* `out` may be `x`. */
static void softmax(score_dtype type, double slope, const double *x, uint32_t n, double *out)
{
	for (uint32_t i = 0; slope != 1.0 && i < n; i++)
		out[i] = type == SCORE_F32 ? (double)((float)slope * (float)x[i]) : slope * x[i];
	if (slope != 1.0)
		x = out;
	if (type == SCORE_F32) {
		softmax_f32(x, n, out);
		return;
	}
	double m = x[0], sum = 0.0;
	for (uint32_t i = 1; i < n; i++)
		m = x[i] > m ? x[i] : m;
	for (uint32_t i = 0; i < n; i++) {
		out[i] = exp(x[i] - m);
		sum += out[i];
	}
	for (uint32_t i = 0; i < n; i++)
		out[i] /= sum;
}

/* Groups of four classes are bounded, the rest is not: CatBoost's vectors have four values. `out` may be `x`. */
static void softmax_catboost(score_dtype type, const double *x, uint32_t n, double *out)
{
	double m = x[0], sum = 0.0;
	for (uint32_t i = 1; i < n; i++)
		m = x[i] > m ? x[i] : m;
	for (uint32_t i = 0; i < n; i++) {
		out[i] = i < n - n % 4 ? engine_exp_catboost_bounded(x[i] - m) : engine_exp_catboost(x[i] - m);
		sum += out[i];
	}
	for (uint32_t i = 0; i < n; i++)
		out[i] = rounded(type, out[i] / sum);
}

static double argmax(const double *x, uint32_t n)
{
	uint32_t best = 0;
	for (uint32_t i = 1; i < n; i++) {
		if (x[i] > x[best])
			best = i;
	}
	return (double)best;
}

static double isolation(score_dtype type, double divisor, double x)
{
	return type == SCORE_F32 ? -(double)powf(2.0f, -((float)x / (float)divisor)) : -pow(2.0, -(x / divisor));
}

static double log1p_exp(score_dtype type, double x)
{
	return type == SCORE_F32 ? (double)log1pf(expf((float)x)) : log1p(exp(x));
}

static double signed_square(score_dtype type, double x)
{
	double sign = (double)((x > 0.0) - (x < 0.0));
	return type == SCORE_F32 ? (double)((float)sign * (float)x * (float)x) : sign * x * x;
}

/* Shell sort: no allocation, and rows are short. NaN stays where it is met. */
static void sort_ascending(double *x, uint32_t n)
{
	for (uint32_t gap = n / 2; gap; gap /= 2) {
		for (uint32_t i = gap; i < n; i++) {
			double v = x[i];
			uint32_t at = i;
			for (; at >= gap && x[at - gap] > v; at -= gap)
				x[at] = x[at - gap];
			x[at] = v;
		}
	}
}

/* A row of zeros, which has no shares, becomes uniform. */
static void normalise(uint32_t n, double *out)
{
	double sum = 0.0;
	for (uint32_t i = 0; i < n; i++)
		sum += out[i];
	for (uint32_t i = 0; i < n; i++)
		out[i] = sum == 0.0 ? 1.0 / (double)n : out[i] / sum;
}

static void sigmoid_normalised(score_dtype type, const double *x, uint32_t n, double *out)
{
	for (uint32_t i = 0; i < n; i++)
		out[i] = sigmoid(type, 1.0, x[i]);
	normalise(n, out);
}

static void modified_huber(const double *x, uint32_t n, double *out)
{
	double first = x[0];
	if (n == 1)
		x = &first;
	double *p = n == 1 ? out + 1 : out;
	for (uint32_t i = 0; i < n; i++) {
		double clipped = x[i] < -1.0 ? -1.0 : x[i] > 1.0 ? 1.0 : x[i];
		p[i] = (clipped + 1.0) / 2.0;
	}
	if (n == 1)
		out[0] = 1.0 - p[0];
	else
		normalise(n, out);
}

/* ---- ONNX-ML: in float, as onnxruntime computes them ----------------------------------------------------- */

static float sigmoid_onnx(float x)
{
	float v = 1.0f / (1.0f + expf(-fabsf(x)));
	return x < 0.0f ? 1.0f - v : v;
}

static void softmax_onnx(const double *x, uint32_t n, double *out)
{
	float m = -FLT_MAX, sum = 0.0f;
	for (uint32_t i = 0; i < n; i++)
		m = (float)x[i] > m ? (float)x[i] : m;
	for (uint32_t i = 0; i < n; i++) {
		float e = expf((float)x[i] - m);
		sum += e;
		out[i] = (double)e;
	}
	for (uint32_t i = 0; i < n; i++)
		out[i] = (double)((float)out[i] / sum);
}

/* Winitzki's approximation of the inverse error function, of 2x - 1. */
static float probit_onnx(float x)
{
	float y = 2.0f * x - 1.0f, sign = y < 0.0f ? -1.0f : 1.0f;
	float l = logf((1.0f - y) * (1.0f + y));
	float v = 2.0f / (3.14159265f * 0.147f) + 0.5f * l;
	float v2 = 1.0f / 0.147f * l;
	return 1.41421356f * (sign * sqrtf(-v + sqrtf(v * v - v2)));
}

/* A link, the type that it is computed in, and the number of margins. */
typedef struct link_spec {
	score_link link;
	double parameter;
	score_dtype sum;
	uint32_t n_outputs;
} link_spec;

/* Of doubles onnxruntime takes maximum, exponentials and their sum as floats, products and quotients as doubles. */
static void softmax_zero_onnx(const link_spec *l, const double *x, double *out)
{
	float m = -FLT_MAX, sum = 0.0f;
	bool wide = l->sum == SCORE_F64, is_rounded = !wide || l->parameter != 2.0;
	for (uint32_t i = 0; i < l->n_outputs; i++)
		m = (float)x[i] > m ? (float)x[i] : m;
	float zero = expf(-m);
	for (uint32_t i = 0; i < l->n_outputs; i++) {
		if (x[i] > (double)1e-7f || x[i] < (double)-1e-7f) {
			float e = expf((float)x[i] - m);
			sum += e;
			out[i] = (double)e;
		} else {
			out[i] = wide ? x[i] * (double)zero : (double)((float)x[i] * zero);
		}
	}
	for (uint32_t i = 0; i < l->n_outputs; i++) {
		double share = out[i] / (double)sum; /* of floats, rounding it gives their quotient in float */
		out[i] = is_rounded ? (double)(float)share : share;
	}
}

/* Links that treat every output alone. */
static double link_one(const link_spec *l, double x)
{
	score_dtype type = l->sum;
	switch (l->link) {
	case SCORE_LINK_SIGMOID_XGBOOST:
		return (double)sigmoid_xgboost((float)x);
	case SCORE_LINK_SIGMOID:
		return sigmoid(type, l->parameter, x);
	case SCORE_LINK_EXP:
		return exponential(type, x);
	case SCORE_LINK_EXP_F64:
		return rounded(type, exp(x));
	case SCORE_LINK_EXP_CATBOOST:
		return rounded(type, engine_exp_catboost(x));
	case SCORE_LINK_EXP_SCALED:
		return type == SCORE_F32 ? (double)(expf((float)x) * (float)l->parameter) : exp(x) * l->parameter;
	case SCORE_LINK_SIGMOID_ONNX:
		return (double)sigmoid_onnx((float)x);
	case SCORE_LINK_PROBIT_ONNX:
		return (double)probit_onnx((float)x);
	case SCORE_LINK_FLOAT:
		return (double)(float)x;
	case SCORE_LINK_ISOLATION:
		return isolation(type, l->parameter, x);
	case SCORE_LINK_HINGE:
		return x > 0.0 ? 1.0 : 0.0;
	case SCORE_LINK_SIGNED_SQUARE:
		return signed_square(type, x);
	case SCORE_LINK_LOG1P_EXP:
		return log1p_exp(type, x);
	default:
		return x;
	}
}

static void pair_onnx(const link_spec *l, double x, double *out)
{
	float narrow = (float)x;
	if (l->link == SCORE_LINK_SIGMOID_PAIR_ONNX) {
		out[0] = (double)sigmoid_onnx(-narrow);
		out[1] = (double)sigmoid_onnx(narrow);
		return;
	}
	if (l->link == SCORE_LINK_OPPOSITE_ONNX)
		out[0] = (double)-narrow;
	else
		out[0] = (double)(l->sum == SCORE_F32 ? 1.0f - narrow : (float)(1.0 - x));
	out[1] = (double)narrow;
}

static void pair(const link_spec *l, double x, double *out)
{
	if (l->link == SCORE_LINK_SOFTMAX_PAIR) {
		double both[2] = {-x, x};
		softmax(l->sum, l->parameter, both, 2, out);
		return;
	}
	if (l->link == SCORE_LINK_COMPLEMENT) {
		out[0] = l->sum == SCORE_F32 ? (double)(1.0f - (float)x) : 1.0 - x;
		out[1] = x;
		return;
	}
	if (l->link != SCORE_LINK_BINARY_PAIR) {
		pair_onnx(l, x, out);
		return;
	}
	double p = sigmoid(l->sum, l->parameter, x);
	out[0] = l->sum == SCORE_F32 ? (double)(1.0f - (float)p) : 1.0 - p;
	out[1] = p;
}

static void link_values(const link_spec *l, const double *x, double *out)
{
	uint32_t n = l->n_outputs;
	switch (l->link) {
	case SCORE_LINK_SOFTMAX_XGBOOST:
		softmax_xgboost(x, n, out);
		return;
	case SCORE_LINK_SOFTMAX:
		softmax(l->sum, l->parameter, x, n, out);
		return;
	case SCORE_LINK_SOFTMAX_CATBOOST:
		softmax_catboost(l->sum, x, n, out);
		return;
	case SCORE_LINK_SOFTMAX_ONNX:
		softmax_onnx(x, n, out);
		return;
	case SCORE_LINK_SOFTMAX_ZERO_ONNX:
		softmax_zero_onnx(l, x, out);
		return;
	case SCORE_LINK_ARGMAX:
		out[0] = argmax(x, n);
		return;
	case SCORE_LINK_OVR_NORMALISED:
		sigmoid_normalised(l->sum, x, n, out);
		return;
	case SCORE_LINK_MODIFIED_HUBER:
		modified_huber(x, n, out);
		return;
	case SCORE_LINK_NORMALISED:
		memmove(out, x, n * sizeof *out);
		normalise(n, out);
		return;
	case SCORE_LINK_BINARY_PAIR:
	case SCORE_LINK_SOFTMAX_PAIR:
	case SCORE_LINK_COMPLEMENT:
	case SCORE_LINK_COMPLEMENT_ONNX:
	case SCORE_LINK_OPPOSITE_ONNX:
	case SCORE_LINK_SIGMOID_PAIR_ONNX:
		pair(l, x[0], out);
		return;
	case SCORE_LINK_MEAN_VARIANCE:
		out[0] = x[0];
		out[1] = exponential(l->sum, 2.0 * x[1]);
		return;
	case SCORE_LINK_MEAN_VARIANCE_CATBOOST:
		out[0] = x[0];
		out[1] = rounded(l->sum, engine_exp_catboost(2.0 * x[1]));
		return;
	default:
		for (uint32_t i = 0; i < n; i++)
			out[i] = link_one(l, x[i]);
		if (l->link == SCORE_LINK_SORT)
			sort_ascending(out, n);
		return;
	}
}

void engine_link_values(score_link link, double parameter, score_dtype sum, uint32_t n, const double *x, double *out)
{
	const link_spec l = {link, parameter, sum, n};
	link_values(&l, x, out);
}

static void link_all(const forest *f, const double *x, double *out)
{
	if (f->link == SCORE_LINK_PARTS)
		engine_combine(f, x, out);
	else
		engine_link_values(f->link, f->link_parameter, f->contract.sum, f->contract.n_outputs, x, out);
}

void engine_link_row(const forest *f, uint32_t iterations, const double *margins, double *out)
{
	if (f->contract.average != SCORE_AVERAGE_PREDICTION || iterations == 0) {
		link_all(f, margins, out);
		return;
	}
	/* Divided before the link, as the source does. A random forest's link takes its outputs one by one or, where it
	 * does not, is not changed by a common factor (argmax). */
	uint32_t n = f->contract.n_outputs;
	if (f->n_predictions != n) {
		double first = margins[0] / (double)iterations;
		link_all(f, n == 1 ? &first : margins, out);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		out[i] = margins[i] / (double)iterations;
	link_all(f, out, out);
}
