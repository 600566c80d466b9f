/* Rows as codes: what a model's codes mean, how rows become codes, and how codes are taken for rows. */
#include "model.h"

#include <scoreline/bins.h>

score_status score_model_get_bins(const score_model *model, score_bins *out)
{
	score_bins bins = SCORE_BINS_INIT;
	if (!model || !sl_has_size(out))
		return SCORE_ERR_ARGUMENT;
	if (!engine_cannot_bin(model->e)) {
		memcpy(bins.hash, engine_bins_hash(model->e), sizeof bins.hash);
		bins.n_columns = engine_n_columns(model->e);
		bins.code_bytes = engine_code_bytes(model->e);
	}
	sl_give_struct(out, &bins, sizeof bins);
	return SCORE_OK;
}

/* The cuts of all features as doubles; NULL: no memory. Floats become doubles once: who comes second with them gives his back. */
static const double *cuts_as_doubles(const score_model *model)
{
	const forest *f = model->f;
	if (f->cuts.bytes == sizeof(double))
		return f->cuts.values;
	_Atomic(double *) *place = (_Atomic(double *) *)(uintptr_t)&model->wide_cuts;
	double *made = atomic_load(place), *none = NULL;
	const size_t bytes = f->n_cuts * sizeof *made;
	if (made || !(made = sl_alloc(&model->arena.allocator, bytes, SL_CACHE_LINE)))
		return made;
	for (uint32_t i = 0; i < f->n_cuts; i++)
		made[i] = forest_real(&f->cuts, i);
	if (atomic_compare_exchange_strong(place, &none, made))
		return made;
	sl_free(&model->arena.allocator, made, bytes, SL_CACHE_LINE);
	return none;
}

score_status score_model_get_bin_column(const score_model *model, uint32_t i, score_bin_column *out, score_error *error)
{
	sl_error_clear(error);
	if (!model || !sl_has_size(out))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_model_get_bin_column: model and column must not be NULL, and "
			"struct_size set");
	uint32_t n = engine_cannot_bin(model->e) ? 0 : engine_n_columns(model->e);
	if (i >= n)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "there is no column %u of codes, the model has %u", i, n);
	const forest *f = model->f;
	const engine_column c = engine_get_column(model->e, i);
	const forest_feature *feature = f->features + c.feature;
	uint32_t flags = (c.is_category ? SCORE_BIN_CATEGORY : 0) | (c.zero_is_missing ? SCORE_BIN_ZERO_IS_MISSING : 0) |
		(c.feature >= f->n_features ? SCORE_BIN_DERIVED : 0);
	const double *cuts = c.is_category || !feature->n_cuts ? NULL : cuts_as_doubles(model);
	if (!cuts && !c.is_category && feature->n_cuts)
		return sl_fail_memory(error, f->n_cuts * sizeof *cuts);
	const score_bin_column column = {sizeof column, c.feature, flags, c.missing, c.is_category ? 0 : feature->n_cuts, c.n_categories, 0,
		cuts ? cuts + feature->first_cut : NULL, c.categories};
	sl_give_struct(out, &column, sizeof column);
	return SCORE_OK;
}

/* ---- making codes -------------------------------------------------------------------------------------------------- */

static score_status check_table(const score_model *model, const input_view *view, const void *codes, size_t bytes,
	int64_t stride, score_error *error)
{
	size_t size = engine_code_bytes(model->e), n_columns = engine_n_columns(model->e), needed = SIZE_MAX;
	if (stride < 0 || (uint64_t)stride % size || (uint64_t)stride / size < (uint64_t)view->n_rows)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "columns of %lld rows of codes of %zu bytes cannot be %lld bytes apart: "
			"expected a multiple of %zu, at least %lld", (long long)view->n_rows, size, (long long)stride, size,
			(long long)view->n_rows * (long long)size);
	if (!sl_mul((size_t)stride, n_columns, &needed) || (needed && !codes) || bytes < needed)
		return sl_fail(error, SCORE_ERR_SHAPE, "codes has room for %zu bytes, %zu columns that are %lld bytes apart need "
			"%zu", codes ? bytes : 0, n_columns, (long long)stride, needed);
	if ((uintptr_t)codes % size)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "codes must be aligned to %zu bytes", size);
	return SCORE_OK;
}

score_status score_bin(const score_model *model, const score_input *input, const score_plan *plan, void *codes,
	size_t codes_bytes, int64_t column_stride_bytes, score_error *error)
{
	input_view view;
	sl_error_clear(error);
	if (!model)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_bin: model is NULL");
	const char *reason = engine_cannot_bin(model->e);
	if (reason)
		return sl_fail(error, SCORE_ERR_UNSUPPORTED, "rows cannot be binned: %s; give score_batch() the rows", reason);
	score_status status = sl_model_open_input(model, input, plan, &view, error);
	if (status == SCORE_OK && view.codes)
		status = sl_fail(error, SCORE_ERR_ARGUMENT, "score_bin: the rows are codes already");
	if (status == SCORE_OK)
		status = check_table(model, &view, codes, codes_bytes, column_stride_bytes, error);
	if (status != SCORE_OK || view.n_rows == 0)
		return status;
	input_refusal refusal = {-1, 0};
	view.refusal = &refusal;
	engine_bin(model->e, &view, codes, (size_t)column_stride_bytes / engine_code_bytes(model->e));
	return refusal.row < 0 ? SCORE_OK : input_refuse(&view, error);
}

/* ---- taking codes -------------------------------------------------------------------------------------------------- */

static score_status open_binned(const score_model *model, const score_input *in, const score_plan *plan, input_view *view,
	score_error *error)
{
	int64_t size = (int64_t)engine_code_bytes(model->e), stride = in->u.binned.column_stride_bytes;
	const char *reason = engine_cannot_bin(model->e);
	memset(view, 0, sizeof *view);
	if (reason)
		return sl_fail(error, SCORE_ERR_UNSUPPORTED, "codes cannot be scored: %s", reason);
	if (plan)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "codes take no plan: names were bound when they were made");
	if (memcmp(in->u.binned.hash, engine_bins_hash(model->e), sizeof in->u.binned.hash) != 0 ||
		in->u.binned.code_bytes != (uint32_t)size || in->n_columns != (int64_t)engine_n_columns(model->e))
		return sl_fail(error, SCORE_ERR_SHAPE, "the codes were made for other bins than this model has: bin the rows with "
			"this model, or with one whose score_bins.hash is the same");
	if (in->n_rows < 0 || (in->n_rows && !in->u.binned.codes && in->n_columns))
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the input has %lld rows, and codes at %p", (long long)in->n_rows,
			in->u.binned.codes);
	if (stride < 0 || stride % size || (uintptr_t)in->u.binned.codes % (uintptr_t)size || stride / size < in->n_rows)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "codes and the distance of their columns, %lld, must be multiples of "
			"their %lld bytes, and columns must not overlap", (long long)stride, (long long)size);
	/* A model that asks nothing has no codes, and never reads these. */
	static const char none[1] = {0};
	view->n_rows = in->n_rows;
	view->f = model->f;
	view->codes = in->u.binned.codes ? in->u.binned.codes : none;
	view->code_stride = stride;
	return SCORE_OK;
}

score_status sl_model_open_input(const score_model *model, const score_input *input, const score_plan *plan,
	input_view *view, score_error *error)
{
	score_input in;
	if (input) {
		score_status status = sl_take_struct(&in, sizeof in, input, "score_input", error);
		if (status == SCORE_OK && in.layout == SCORE_BINNED)
			return open_binned(model, &in, plan, view, error);
	}
	return input_open(input, plan, model->f, view, error);
}
