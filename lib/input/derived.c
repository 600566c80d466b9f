/* Programs of derived columns over runs of rows: a step is a loop over the values. */
#include "derived.h"

#include <math.h>

#define CHUNK 64u /* values of a run that are worked on at a time where more than one array is needed */

/* ---- steps --------------------------------------------------------------------------------------- */

/* Place of x among ascending keys, or n. */
static uint32_t find_key(const double *keys, uint32_t n, double x)
{
	const double *base = keys;
	for (uint32_t left = n; left > 1;) {
		uint32_t half = left / 2;
		base = base[half] <= x ? base + half : base;
		left -= half;
	}
	return n && *base == x ? (uint32_t)(base - keys) : n;
}

static void look_up(const forest_derived *d, const forest_step *s, size_t n, double *x)
{
	const double *values = d->table_values + d->table_first[s->values];
	uint32_t n_values = d->table_first[s->values + 1] - d->table_first[s->values];
	const double *keys = s->keys == FOREST_DENSE ? NULL : d->table_values + d->table_first[s->keys];
	for (size_t i = 0; i < n; i++) {
		uint32_t at = n_values;
		if (keys)
			at = find_key(keys, n_values, x[i]);
		else if (x[i] >= 0.0 && x[i] < (double)n_values && (double)(uint32_t)x[i] == x[i])
			at = (uint32_t)x[i];
		x[i] = at < n_values ? values[at] : x[i] != x[i] ? s->b : s->a;
	}
}

#define FOR_EACH(expression) \
	for (size_t i = 0; i < n; i++) \
		x[i] = (expression); \
	break

static void take_step(const forest_derived *d, const forest_step *s, size_t n, double *x)
{
	double a = s->a, b = s->b;
	switch (s->operation) {
	case SCORE_STEP_ADD:
		FOR_EACH(x[i] + a);
	case SCORE_STEP_SUBTRACT:
		FOR_EACH(x[i] - a);
	case SCORE_STEP_MULTIPLY:
		FOR_EACH(x[i] * a);
	case SCORE_STEP_DIVIDE:
		FOR_EACH(x[i] / a);
	case SCORE_STEP_CLIP:
		FOR_EACH(x[i] < a ? a : x[i] > b ? b : x[i]);
	case SCORE_STEP_REPLACE_MISSING:
		FOR_EACH(x[i] == x[i] ? x[i] : a);
	case SCORE_STEP_REPLACE:
		FOR_EACH(x[i] == a ? b : x[i]);
	case SCORE_STEP_GREATER:
		FOR_EACH(x[i] == x[i] ? (x[i] > a ? 1.0 : 0.0) : b);
	case SCORE_STEP_EQUAL:
		FOR_EACH(x[i] == x[i] ? (x[i] == a ? 1.0 : 0.0) : b);
	case SCORE_STEP_IS_MISSING:
		FOR_EACH(x[i] == x[i] ? 0.0 : 1.0);
	case SCORE_STEP_TRUNCATE:
		FOR_EACH(trunc(x[i]));
	case SCORE_STEP_LOOKUP:
		look_up(d, s, n, x);
		break;
	default: /* SCORE_STEP_IDENTITY: forest_check() let nothing else through */
		break;
	}
	for (size_t i = 0; i < n && s->is_f32; i++)
		x[i] = (double)(float)x[i];
}

static void take_steps(const forest_derived *d, const forest_program *p, size_t n, double *x)
{
	for (const forest_step *s = d->steps + p->first_step, *end = s + p->n_steps; s < end; s++)
		take_step(d, s, n, x);
}

/* ---- roots --------------------------------------------------------------------------------------- */

/* What programs see of an input: of a category that is known by its hash, the hash. */
static void input_values(const forest *f, const input_view *view, uint32_t input, int64_t first, size_t n, double *out)
{
	if (!forest_is_hashed(f, input)) {
		input_fetch_f64(view, input, first, n, out);
		return;
	}
	input_fetch_hashed(view, input, first, n, out);
	for (size_t i = 0; i < n; i++) {
		int64_t category = forest_category(f->contract.category_rule, out[i]);
		out[i] = category < 0 ? (double)NAN : (double)category;
	}
}

/* An input, or a column that comes from one by steps alone. */
static void plain_values(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n, double *out)
{
	if (column < f->n_features) {
		input_values(f, view, column, first, n, out);
		return;
	}
	const forest_program *p = f->derived.programs + (column - f->n_features);
	input_values(f, view, p->source, first, n, out);
	take_steps(&f->derived, p, n, out);
}

static double place_of(const uint64_t *hashes, uint32_t n, uint64_t hash)
{
	const uint64_t *base = hashes;
	for (uint32_t left = n; left > 1;) {
		uint32_t half = left / 2;
		base = base[half] <= hash ? base + half : base;
		left -= half;
	}
	return n && *base == hash ? (double)(base - hashes) : (double)NAN;
}

/* At most CHUNK rows. */
static void hash_places(const forest *f, const input_view *view, const forest_program *p, int64_t first, size_t n,
	double *out)
{
	const forest_derived *d = &f->derived;
	const uint64_t *hashes = d->hashes + d->hash_first[p->hashes];
	uint32_t n_hashes = d->hash_first[p->hashes + 1] - d->hash_first[p->hashes];
	uint64_t hash[CHUNK] = {0};
	bool known[CHUNK];
	memset(known, 1, n);
	for (uint32_t k = d->list_first[p->list]; k < d->list_first[p->list + 1]; k++) {
		plain_values(f, view, d->list_members[k], first, n, out);
		for (size_t i = 0; i < n; i++) {
			bool in_range = out[i] >= -2147483648.0 && out[i] <= 4294967295.0;
			int64_t whole = in_range ? (int64_t)out[i] : 0;
			known[i] = known[i] && in_range && (double)whole == out[i];
			/* A number of 32 bits, whichever sign it was written with. */
			uint64_t low = (uint64_t)whole & 0xffffffffu;
			hash[i] = forest_hash(hash[i], low | (low >> 31 ? 0xffffffff00000000u : 0));
		}
	}
	for (size_t i = 0; i < n; i++)
		out[i] = known[i] ? place_of(hashes, n_hashes, hash[i]) : (double)NAN;
}

static double narrowed(const forest_program *p, double x)
{
	return p->is_f32 ? (double)(float)x : x;
}

/* One source more joins the norms. */
static void join_norms(const forest_program *p, const double *source, size_t n, double *norm)
{
	for (size_t i = 0; i < n; i++) {
		double s = narrowed(p, source[i]);
		switch (p->root) {
		case SCORE_ROOT_NORM_L1:
			norm[i] = narrowed(p, norm[i] + fabs(s));
			break;
		case SCORE_ROOT_NORM_MAX:
			norm[i] = fabs(s) > norm[i] ? fabs(s) : norm[i];
			break;
		case SCORE_ROOT_NORM_SIGNED_MAX:
			norm[i] = s > norm[i] ? s : norm[i];
			break;
		default:
			norm[i] = narrowed(p, norm[i] + narrowed(p, s * s));
			break;
		}
	}
}

static double normalise(const forest_program *p, double x, double norm)
{
	x = narrowed(p, x);
	if (p->root == SCORE_ROOT_NORM_L2)
		norm = narrowed(p, sqrt(norm));
	if (norm == 0.0 || fabs(norm) < p->least)
		return x;
	if (p->root == SCORE_ROOT_NORM_L2_RATIO)
		return copysign(narrowed(p, sqrt(narrowed(p, narrowed(p, x * x) / norm))), x);
	return narrowed(p, x / norm);
}

/* At most CHUNK rows. */
static void normal_values(const forest *f, const input_view *view, const forest_program *p, int64_t first, size_t n,
	double *out)
{
	const forest_derived *d = &f->derived;
	double norm[CHUNK];
	for (size_t i = 0; i < n; i++)
		norm[i] = p->root == SCORE_ROOT_NORM_SIGNED_MAX ? -INFINITY : 0.0;
	for (uint32_t k = d->list_first[p->list]; k < d->list_first[p->list + 1]; k++) {
		plain_values(f, view, d->list_members[k], first, n, out);
		join_norms(p, out, n, norm);
	}
	plain_values(f, view, p->source, first, n, out);
	for (size_t i = 0; i < n; i++)
		out[i] = normalise(p, out[i], norm[i]);
}

/* ---- doors --------------------------------------------------------------------------------------- */

void input_derive_f64(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n, double *out)
{
	const forest_program *p = f->derived.programs + (column - f->n_features);
	if (p->root == SCORE_ROOT_VALUE) {
		plain_values(f, view, column, first, n, out);
		return;
	}
	for (size_t done = 0; done < n; done += CHUNK) {
		size_t some = n - done < CHUNK ? n - done : CHUNK;
		if (p->root == SCORE_ROOT_HASH)
			hash_places(f, view, p, first + (int64_t)done, some, out + done);
		else
			normal_values(f, view, p, first + (int64_t)done, some, out + done);
		take_steps(&f->derived, p, some, out + done);
	}
}

void input_derive_f32(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n, float *out)
{
	double wide[CHUNK];
	for (size_t done = 0; done < n; done += CHUNK) {
		size_t some = n - done < CHUNK ? n - done : CHUNK;
		input_derive_f64(f, view, column, first + (int64_t)done, some, wide);
		for (size_t i = 0; i < some; i++)
			out[done + i] = (float)wide[i];
	}
}
