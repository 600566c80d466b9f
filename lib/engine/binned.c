/*
 * Rows as codes: what codes mean, and how rows that are codes already take the place of values.
 *
 * Comes in: columns of codes that engine_bin() made, perhaps for another model of the same bins. Goes out: codes as the regimes
 * want them. Codes of other origin give other answers, but never read beyond a table.
 */
#include "parts.h"

#include <xxhash.h>

const char *engine_cannot_bin(const engine *e)
{
	if (e->f->kind == SCORE_KIND_LINEAR)
		return "a linear model sums values, not bins";
	return engine_has_linear_leaves(e) ? "the model has leaves that are linear in the values" : NULL;
}

uint32_t engine_n_columns(const engine *e)
{
	return e->n_columns;
}

const uint8_t *engine_bins_hash(const engine *e)
{
	return e->bins_hash;
}

engine_column engine_get_column(const engine *e, uint32_t column)
{
	const code_column *c = e->columns + column;
	uint32_t all_bits = e->code_bytes == 4 ? UINT32_MAX : ((uint32_t)1 << 8 * e->code_bytes) - 1;
	const column_tables none = {.n_categories = 0}, *tables = c->is_category ? e->tables + column : &none;
	uint32_t missing = c->is_category ? tables->n_categories + 1 : c->missing == MISSING_HIGH ? all_bits : 0;
	return (engine_column){c->feature, missing, c->is_category, c->zero_is_missing, tables->n_categories, tables->categories};
}

bool engine_answers_right(const engine *e, const question *q, uint32_t code)
{
	if (e->columns[q->column].is_category)
		return engine_table_bit(engine_table(e->tables, q), code);
	return code > q->cut;
}

/* ---- what codes mean, as a hash ----------------------------------------------------------------------------- */

/* Each piece by itself joins the hash of those before it: no piece can end in the next one. */
static void hash_bytes(XXH128_hash_t *state, const void *bytes, size_t n, size_t size)
{
	XXH128_hash_t both[2] = {*state, XXH3_128bits(n ? bytes : "", n * size)};
	*state = XXH3_128bits(both, sizeof both);
}

static void hash_dictionary(XXH128_hash_t *state, const forest_dictionary *d)
{
	uint32_t head[] = {d ? d->n_labels : UINT32_MAX, d ? d->flags : 0};
	hash_bytes(state, head, 2, sizeof *head);
	if (!d)
		return;
	hash_bytes(state, &d->unknown, 1, sizeof d->unknown);
	hash_bytes(state, d->codes, d->n_labels, sizeof *d->codes);
	hash_bytes(state, d->text, d->n_labels ? d->starts[d->n_labels] : 0, 1);
}

static void hash_derived(XXH128_hash_t *state, const forest_derived *d)
{
	hash_bytes(state, d->programs, d->n, sizeof *d->programs);
	hash_bytes(state, d->steps, d->n_steps, sizeof *d->steps);
	hash_bytes(state, d->list_first, (size_t)d->n_lists + 1, sizeof *d->list_first);
	hash_bytes(state, d->list_members, d->n_list_members, sizeof *d->list_members);
	hash_bytes(state, d->table_first, (size_t)d->n_tables + 1, sizeof *d->table_first);
	hash_bytes(state, d->table_values, d->n_table_values, sizeof *d->table_values);
	hash_bytes(state, d->hash_first, (size_t)d->n_hash_tables + 1, sizeof *d->hash_first);
	hash_bytes(state, d->hashes, d->n_hashes, sizeof *d->hashes);
}

/* `cuts` has room for those of each feature. */
static void hash_column(XXH128_hash_t *state, const engine *e, uint32_t column, double *cuts)
{
	const forest *f = e->f;
	const code_column *c = e->columns + column;
	const engine_column categories = engine_get_column(e, column);
	const forest_feature *feature = f->features + c->feature;
	uint32_t n_cuts = c->is_category ? 0 : feature->n_cuts;
	uint32_t head[] = {c->feature, c->missing, c->zero_is_missing, c->is_category, categories.n_categories, n_cuts};
	hash_bytes(state, head, 6, sizeof *head);
	hash_bytes(state, categories.categories, categories.n_categories, sizeof *categories.categories);
	for (uint32_t i = 0; i < n_cuts; i++)
		cuts[i] = forest_real(&f->cuts, (size_t)feature->first_cut + i);
	hash_bytes(state, cuts, n_cuts, sizeof *cuts);
}

static size_t most_cuts(const forest *f)
{
	size_t most = 0;
	for (uint32_t i = 0; i < forest_columns(f); i++)
		most = f->features[i].n_cuts > most ? f->features[i].n_cuts : most;
	return most;
}

score_status engine_hash_bins(engine *e, const score_allocator *allocator, score_error *error)
{
	const forest *f = e->f;
	const size_t bytes = (most_cuts(f) + 1) * sizeof(double);
	double *cuts = sl_alloc(allocator, bytes, SL_CACHE_LINE);
	if (!cuts)
		return sl_fail_memory(error, bytes);
	XXH128_hash_t state = {0, 0};
	uint32_t head[] = {e->code_bytes, e->n_columns, f->n_features, (uint32_t)f->contract.compare,
		(uint32_t)f->contract.category_rule, f->derived.n};
	hash_bytes(&state, head, 6, sizeof *head);
	for (uint32_t i = 0; i < f->n_features; i++) {
		hash_bytes(&state, f->features[i].name, strlen(f->features[i].name) + 1, 1);
		hash_dictionary(&state, f->features[i].dictionary);
	}
	for (uint32_t c = 0; c < e->n_columns; c++)
		hash_column(&state, e, c, cuts);
	sl_free(allocator, cuts, bytes, SL_CACHE_LINE);
	if (f->derived.n)
		hash_derived(&state, &f->derived);
	XXH128_canonical_t hash;
	XXH128_canonicalFromHash(&hash, state);
	memcpy(e->bins_hash, hash.digest, sizeof e->bins_hash);
	return SCORE_OK;
}

/* ---- codes in place of values --------------------------------------------------------------------------------- */

static const char *code_address(const engine *e, const input_view *view, uint32_t column, int64_t row)
{
	return view->codes + (int64_t)column * view->code_stride + row * (int64_t)e->code_bytes;
}

/* A table of a category column ends with its codes; byte codes have tables of 256, unless the model is small. */
static uint32_t within(const engine *e, uint32_t column, uint32_t code)
{
	if (!e->columns[column].is_category)
		return code;
	const uint32_t n = e->tables[column].n_categories;
	return code > n ? n + 1 : code;
}

uint32_t engine_code_at(const engine *e, const input_view *view, uint32_t column, int64_t row)
{
	const char *from = code_address(e, view, column, row);
	uint16_t two;
	uint32_t four;
	if (e->code_bytes == 1)
		return within(e, column, *(const uint8_t *)from);
	if (e->code_bytes == 2)
		return within(e, column, (memcpy(&two, from, sizeof two), two));
	return within(e, column, (memcpy(&four, from, sizeof four), four));
}

static void put_code(const engine *e, void *codes, size_t at, uint32_t code)
{
	if (e->code_bytes == 1)
		((uint8_t *)codes)[at] = (uint8_t)code;
	else if (e->code_bytes == 2)
		((uint16_t *)codes)[at] = (uint16_t)code;
	else
		((uint32_t *)codes)[at] = code;
}

void engine_copy_columns(const engine *e, const input_view *view, row_range rows, void *codes)
{
	size_t to_plane = (size_t)64 * e->k->plane_words;
	for (uint32_t c = 0; c < e->n_columns; c++) {
		char *to = (char *)codes + (size_t)c * BLOCK_ROWS * e->code_bytes;
		if ((e->code_bytes == 1 && !e->small) || !e->columns[c].is_category)
			memcpy(to, code_address(e, view, c, rows.first), rows.n * e->code_bytes);
		else
			for (size_t r = 0; r < rows.n; r++)
				put_code(e, to, r, engine_code_at(e, view, c, rows.first + (int64_t)r));
		/* Kernels work on whole planes and read nothing that was never written. */
		if (rows.n < to_plane)
			memset(to + rows.n * e->code_bytes, 0, (to_plane - rows.n) * e->code_bytes);
	}
}

void engine_copy_row(const engine *e, const input_view *view, int64_t row, void *codes)
{
	for (uint32_t c = 0; c < e->n_columns; c++)
		put_code(e, codes, c, engine_code_at(e, view, c, row));
}
