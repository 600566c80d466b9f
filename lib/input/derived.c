/* Programs of derived columns over runs of rows: a step is a loop over the values. */
#include "derived.h"

#include <math.h>

#define NO_PLACE UINT32_MAX
#define AT_ONCE 16u   /* rows, as the memo has room for on the stack, beside a caller's tile of values there */

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

/* From the program's step `first` on. */
static void take_steps(const forest_derived *d, const forest_program *p, uint32_t first, size_t n, double *x)
{
	for (const forest_step *s = d->steps + p->first_step + first, *end = d->steps + p->first_step + p->n_steps; s < end; s++)
		take_step(d, s, n, x);
}

/* The values at places of hashes: by CatBoost's programs the first step looks them up, which needs no numbers between. */
static void take_places(const forest_derived *d, const forest_program *p, size_t n, const uint32_t *place, double *x)
{
	const forest_step *s = d->steps + p->first_step;
	if (!p->n_steps || s->operation != SCORE_STEP_LOOKUP || s->keys != FOREST_DENSE) {
		for (size_t i = 0; i < n; i++)
			x[i] = place[i] == NO_PLACE ? (double)NAN : (double)place[i];
		take_steps(d, p, 0, n, x);
		return;
	}
	const double *values = d->table_values + d->table_first[s->values];
	uint32_t n_values = d->table_first[s->values + 1] - d->table_first[s->values];
	for (size_t i = 0; i < n; i++) {
		double value = place[i] < n_values ? values[place[i]] : place[i] == NO_PLACE ? s->b : s->a;
		x[i] = s->is_f32 ? (double)(float)value : value;
	}
	take_steps(d, p, 1, n, x);
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
	take_steps(&f->derived, p, 0, n, out);
}

/* The values `x` of a source of hashes as numbers of 32 bits, whichever sign they were written with. */
static void fetch_hashes(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n, double *x,
	input_hashes *out)
{
	plain_values(f, view, column, first, n, x);
	out->column = column;
	out->known = 0;
	for (size_t i = 0; i < n; i++) {
		bool in_range = x[i] >= -2147483648.0 && x[i] <= 4294967295.0;
		int64_t whole = in_range ? (int64_t)x[i] : 0;
		bool known = in_range && (double)whole == x[i];
		out->low[i] = (uint32_t)(uint64_t)whole;
		out->known |= (uint64_t)known << i;
	}
}

static input_hashes *slot_at(const input_memo *memo, uint32_t i)
{
	return (input_hashes *)(void *)(memo->slots + (size_t)i * memo->slot_bytes);
}

/* Columns take turns in the memo. */
static const input_hashes *hashes_of(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n,
	const input_memo *memo)
{
	input_hashes *slot = slot_at(memo, column % memo->n_slots);
	if (slot->column != column)
		fetch_hashes(f, view, column, first, n, memo->source, slot);
	return slot;
}

static void hash_places(const forest *f, const input_view *view, const forest_program *p, int64_t first, size_t n, input_memo *memo)
{
	const forest_derived *d = &f->derived;
	const forest_hash_index *index = d->indexes + p->hashes;
	uint32_t n_hashes = d->hash_first[p->hashes + 1] - d->hash_first[p->hashes];
	uint64_t *hash = memo->hash, known = ~(uint64_t)0;
	memset(hash, 0, n * sizeof *hash);
	for (uint32_t k = d->list_first[p->list]; k < d->list_first[p->list + 1]; k++) {
		const input_hashes *source = hashes_of(f, view, d->list_members[k], first, n, memo);
		known &= source->known;
		for (size_t i = 0; i < n; i++)
			hash[i] = forest_hash(hash[i], (uint64_t)(int64_t)(int32_t)source->low[i]);
	}
	for (size_t i = 0; i < n; i++)
		__builtin_prefetch(index->buckets + (hash[i] >> index->shift));
	for (size_t i = 0; i < n; i++)
		__builtin_prefetch(d->hashes + index->buckets[hash[i] >> index->shift]);
	for (size_t i = 0; i < n; i++) {
		uint32_t place = known >> i & 1 ? forest_find_hash(d, p->hashes, hash[i]) : n_hashes;
		memo->place[i] = place < n_hashes ? place : NO_PLACE;
	}
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

static void find_norms(const forest *f, const input_view *view, const forest_program *p, int64_t first, size_t n,
	const input_memo *memo)
{
	const forest_derived *d = &f->derived;
	double *norm = memo->norm, *source = memo->source;
	for (size_t i = 0; i < n; i++)
		norm[i] = p->root == SCORE_ROOT_NORM_SIGNED_MAX ? -INFINITY : 0.0;
	for (uint32_t k = d->list_first[p->list]; k < d->list_first[p->list + 1]; k++) {
		plain_values(f, view, d->list_members[k], first, n, source);
		join_norms(p, source, n, norm);
	}
}

/* What columns over the same list share: the places of its hashes, or its norms. */
static void take_root(const forest *f, const input_view *view, const forest_program *p, int64_t first, size_t n, input_memo *memo)
{
	if (memo->kind == p->root && memo->list == p->list && memo->hashes == p->hashes && memo->is_f32 == p->is_f32)
		return;
	if (p->root == SCORE_ROOT_HASH)
		hash_places(f, view, p, first, n, memo);
	else
		find_norms(f, view, p, first, n, memo);
	memo->list = p->list;
	memo->hashes = p->hashes;
	memo->kind = p->root;
	memo->is_f32 = p->is_f32;
}

/* ---- doors --------------------------------------------------------------------------------------- */

void input_memo_begin(input_memo *memo, size_t n_rows, void *room, uint32_t n_slots)
{
	memo->list = memo->hashes = 0;
	memo->kind = SCORE_ROOT_VALUE; /* of which nothing is kept */
	memo->is_f32 = 0;
	double *shared = room;
	memo->norm = shared;
	memo->hash = (uint64_t *)(void *)(shared + n_rows);
	memo->source = shared + 2 * n_rows;
	memo->slots = (char *)(shared + 3 * n_rows);
	memo->slot_bytes = (uint32_t)INPUT_HASHES_BYTES(n_rows);
	memo->n_slots = n_slots;
	for (uint32_t i = 0; i < memo->n_slots; i++)
		slot_at(memo, i)->column = UINT32_MAX;
}

void input_derive_run(const forest *f, const input_view *view, uint32_t column, int64_t first, size_t n, input_memo *memo, double *out)
{
	const forest_program *p = f->derived.programs + (column - f->n_features);
	if (p->root == SCORE_ROOT_VALUE) {
		plain_values(f, view, column, first, n, out);
		return;
	}
	take_root(f, view, p, first, n, memo);
	if (p->root == SCORE_ROOT_HASH) {
		take_places(&f->derived, p, n, memo->place, out);
		return;
	}
	plain_values(f, view, p->source, first, n, out);
	for (size_t i = 0; i < n; i++)
		out[i] = normalise(p, out[i], memo->norm[i]);
	take_steps(&f->derived, p, 0, n, out);
}

void input_derive_columns(const forest *f, const input_view *view, uint32_t first_column, size_t n_columns, int64_t first, size_t n,
	score_dtype type, void *out, size_t stride)
{
	double room[INPUT_MEMO_BYTES(AT_ONCE, 1) / sizeof(double)], wide[AT_ONCE];
	for (size_t done = 0; done < n; done += AT_ONCE) {
		input_memo memo;
		const size_t some = n - done < AT_ONCE ? n - done : AT_ONCE;
		input_memo_begin(&memo, some, room, 1);
		for (size_t c = 0; c < n_columns; c++) {
			const size_t at = c * stride + done;
			input_derive_run(f, view, first_column + (uint32_t)c, first + (int64_t)done, some, &memo, wide);
			for (size_t i = 0; i < some; i++) {
				if (type == SCORE_F32)
					((float *)out)[at + i] = (float)wide[i];
				else
					((double *)out)[at + i] = wide[i];
			}
		}
	}
}
