/*
 * How far counts are from the expected ones.
 *
 * Comes in: a histogram with expected counts. Goes out: the usual measures, each as its textbook has it.
 */
#include "statistics_parts.h"

#include <math.h>

#define LEAST_SHARE 1e-4 /* of a bin, in the PSI */
#define LEAST_FOR_P 25   /* values on each side  */
/* A PSI of so many times its noise is no chance: at 3, few of a thousand equal distributions of ten bins have one. */
#define CLEAR_OF_NOISE 3
/* Of fewer rows per bin many are empty by chance, and the least share makes their PSI large. */
#define LEAST_PER_BIN 5

/* Both sides bin by bin: values, missing, unknown (categories only). */
typedef struct pairs {
	double expected[SCORE_MAX_EDGES + 3];
	double actual[SCORE_MAX_EDGES + 3];
	uint32_t n_values; /* bins of values */
	uint32_t n;
	double expected_rows, actual_rows;
} pairs;

static pairs pair_up(const score_histogram *h)
{
	pairs p = { .n_values = h->n_edges + 1 };
	for (uint32_t k = 0; k < p.n_values; k++) {
		p.expected[k] = (double)h->expected[k];
		p.actual[k] = (double)h->counts[k];
	}
	p.n = p.n_values;
	p.expected[p.n] = (double)h->expected_missing;
	p.actual[p.n++] = (double)h->missing;
	if (h->type == SCORE_FEATURE_CATEGORY) {
		p.expected[p.n] = (double)h->expected_unknown;
		p.actual[p.n++] = (double)h->unknown;
	}
	for (uint32_t k = 0; k < p.n; k++) {
		p.expected_rows += p.expected[k];
		p.actual_rows += p.actual[k];
	}
	return p;
}

static double psi_of(const pairs *p)
{
	double sum = 0;
	for (uint32_t k = 0; k < p->n; k++) {
		double e = p->expected[k] / p->expected_rows, a = p->actual[k] / p->actual_rows;
		if (p->expected[k] == 0 && p->actual[k] == 0)
			continue; /* a bin that nobody uses says nothing, with or without a floor */
		e = e < LEAST_SHARE ? LEAST_SHARE : e;
		a = a < LEAST_SHARE ? LEAST_SHARE : a;
		sum += (a - e) * log(a / e);
	}
	return sum;
}

static double js_of(const pairs *p)
{
	double sum = 0;
	for (uint32_t k = 0; k < p->n; k++) {
		const double e = p->expected[k] / p->expected_rows, a = p->actual[k] / p->actual_rows, m = (e + a) / 2;
		if (e > 0)
			sum += e * log2(e / m);
		if (a > 0)
			sum += a * log2(a / m);
	}
	return sqrt(sum > 0 ? sum / 2 : 0);
}

static void set_ks(const pairs *p, score_drift *out)
{
	double n = 0, m = 0, e = 0, a = 0, largest = 0;
	for (uint32_t k = 0; k < p->n_values; k++) {
		n += p->expected[k];
		m += p->actual[k];
	}
	if (n == 0 || m == 0)
		return;
	for (uint32_t k = 0; k < p->n_values; k++) {
		e += p->expected[k];
		a += p->actual[k];
		const double distance = fabs(e / n - a / m);
		largest = distance > largest ? distance : largest;
	}
	out->ks_statistic = largest;
	if (n >= LEAST_FOR_P && m >= LEAST_FOR_P)
		out->ks_p_value = deploy_kolmogorov_above(sqrt(n * m / (n + m)) * largest);
}

/* Pearson's test of the table bins x (expected, actual). */
static void set_chi2(const pairs *p, score_drift *out)
{
	const double all = p->expected_rows + p->actual_rows;
	uint32_t bins = 0, small = 0;
	bool tiny = false;
	double sum = 0;
	for (uint32_t k = 0; k < p->n; k++) {
		const double row = p->expected[k] + p->actual[k];
		const double e = row * p->expected_rows / all, a = row * p->actual_rows / all;
		if (row == 0)
			continue;
		sum += (p->expected[k] - e) * (p->expected[k] - e) / e + (p->actual[k] - a) * (p->actual[k] - a) / a;
		small += (e < 5 ? 1u : 0u) + (a < 5 ? 1u : 0u);
		tiny = tiny || e < 1 || a < 1;
		bins++;
	}
	out->chi2 = sum;
	out->chi2_df = bins - 1;
	if (bins > 1 && !tiny && small * 5 <= 2 * bins)
		out->chi2_p_value = deploy_chi2_above(sum, bins - 1);
}

static void measure(const score_histogram *h, const pairs *p, score_drift *out)
{
	out->psi = psi_of(p);
	out->js_distance = js_of(p);
	out->missing_rate = (double)h->missing / p->actual_rows;
	out->missing_change = out->missing_rate - (double)h->expected_missing / p->expected_rows;
	out->unknown_rate = (double)h->unknown / p->actual_rows;
	uint32_t used = 0;
	for (uint32_t k = 0; k < p->n; k++)
		used += p->expected[k] > 0 || p->actual[k] > 0;
	out->noise = (used - 1) * (1 / p->expected_rows + 1 / p->actual_rows);
	const double fewer = p->actual_rows < p->expected_rows ? p->actual_rows : p->expected_rows;
	const bool chance = out->psi < CLEAR_OF_NOISE * out->noise || fewer < LEAST_PER_BIN * used;
	out->level = out->psi < 0.1 ? SCORE_DRIFT_STABLE : chance ? SCORE_DRIFT_UNKNOWN : out->psi < 0.25 ? SCORE_DRIFT_MODERATE :
		SCORE_DRIFT_SHIFTED;
	if (h->type == SCORE_FEATURE_NUMERIC)
		set_ks(p, out);
	set_chi2(p, out);
}

static score_status compute_drift(const score_histogram *histogram, score_drift *out, score_error *error)
{
	score_histogram h;
	const double nan = (double)NAN;
	sl_error_clear(error);
	if (!sl_has_size(out))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_drift_of: out is NULL or has no struct_size");
	score_drift d = { sizeof d, SCORE_DRIFT_UNKNOWN, 0, 0, 0, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan };
	if (!histogram)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_drift_of: histogram is NULL");
	score_status status = sl_take_struct(&h, sizeof h, histogram, "score_histogram", error);
	if (status != SCORE_OK)
		return status;
	if (h.n_edges > SCORE_MAX_EDGES || !h.counts)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_histogram has %u edges and %s counts: at most %d edges and a count for "
			"every bin are needed", h.n_edges, h.counts ? "its" : "no", SCORE_MAX_EDGES);
	if (h.expected) {
		const pairs p = pair_up(&h);
		d.expected_rows = (uint64_t)p.expected_rows;
		d.actual_rows = (uint64_t)p.actual_rows;
		if (p.expected_rows > 0 && p.actual_rows > 0)
			measure(&h, &p, &d);
	}
	sl_give_struct(out, &d, sizeof d);
	return SCORE_OK;
}

score_status score_drift_of(const score_histogram *histogram, score_drift *out, score_error *error)
{
	const unsigned host = sl_enter_default_float();
	const score_status status = compute_drift(histogram, out, error);
	sl_leave_default_float(host);
	return status;
}

const char *score_drift_level_name(score_drift_level level)
{
	static const char *const names[] = { "unknown", "stable", "moderate", "shifted" };
	return level >= 0 && level <= SCORE_DRIFT_SHIFTED ? names[level] : names[0];
}

/* ---- distributions ------------------------------------------------------------------------------- */

/* Either of two series for the same function: one converges fast for small x, the other for large x. */
double deploy_kolmogorov_above(double x)
{
	const double pi = 3.14159265358979323846;
	double sum = 0;
	if (!(x > 0))
		return 1;
	if (x < 0.82) {
		for (int k = 1; k < 20; k += 2)
			sum += exp(-(k * k) * pi * pi / (8 * x * x));
		return 1 - sqrt(2 * pi) / x * sum;
	}
	for (int k = 1; k < 20; k++)
		sum += (k % 2 ? 2 : -2) * exp(-2.0 * k * k * x * x);
	return sum;
}

/* A finite sum for whole degrees of freedom: a Poisson tail for even ones, the same from the error function on for odd. */
double deploy_chi2_above(double x, uint32_t df)
{
	const double half = x / 2;
	double term, sum;
	uint32_t from;
	if (!(x > 0))
		return 1;
	if (df % 2 == 0) {
		term = exp(-half);
		sum = term;
		from = 2;
	} else {
		term = sqrt(half) * exp(-half) * 2 / sqrt(3.14159265358979323846);
		sum = erfc(sqrt(half)) + (df > 1 ? term : 0);
		from = 3;
	}
	for (uint32_t k = from; k < df; k += 2) {
		term *= x / k;
		sum += term;
	}
	return sum;
}
