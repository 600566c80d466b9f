/* Making and freeing models, and what they tell about themselves. */
#include "model.h"

score_status sl_model_make(sl_arena *arena, const forest *f, score_isa isa, bool small, score_model **out, score_error *error)
{
	engine *e = NULL;
	score_status status = SCORE_OK;
	*out = NULL;
	if (isa != SCORE_ISA_AUTO && !engine_isa_available(isa))
		status = sl_fail(error, SCORE_ERR_ARGUMENT, "this processor or build has no instruction set '%s'",
			score_isa_name(isa));
	score_model *model = status == SCORE_OK ? sl_arena_alloc(arena, 1, sizeof *model) : NULL;
	if (status == SCORE_OK && !model)
		status = sl_fail_memory(error, sizeof *model);
	if (status == SCORE_OK)
		status = engine_compile(f, isa, small, arena, &e, error);
	if (status == SCORE_OK) {
		model->f = f;
		model->e = e;
		status = sl_model_take_classes(model, arena, error);
	}
	if (status != SCORE_OK) {
		/* The engine does not ask why its arena gave nothing. */
		if (status == SCORE_ERR_MEMORY && arena->over_limit)
			status = forest_fail_memory(arena, arena->used, error);
		sl_arena_free(arena);
		return status;
	}
	model->arena = *arena;
	*out = model;
	return SCORE_OK;
}

void score_model_free(score_model *model)
{
	if (!model)
		return;
	sl_arena arena = model->arena; /* the model itself lies in it */
	sl_free(&arena.allocator, atomic_load(&model->wide_cuts), model->f->n_cuts * sizeof(double), SL_CACHE_LINE);
	sl_arena_free(&arena);
}

static void find_maxima(const forest *f, score_model_info *info)
{
	for (uint32_t i = 0; i < f->n_trees; i++) {
		if (f->trees[i].n_splits + 1 > info->max_leaves)
			info->max_leaves = f->trees[i].n_splits + 1;
		if (f->trees[i].depth > info->max_depth)
			info->max_depth = f->trees[i].depth;
	}
	for (uint32_t i = 0; i < forest_columns(f); i++) {
		if (f->features[i].n_cuts > info->max_cuts)
			info->max_cuts = f->features[i].n_cuts;
	}
}

score_status score_model_get_info(const score_model *model, score_model_info *out)
{
	if (!model || !sl_has_size(out))
		return SCORE_ERR_ARGUMENT;
	const forest *f = model->f;
	score_model_info info = {
		.kind = f->kind,
		.n_features = f->n_features,
		.n_outputs = f->contract.n_outputs,
		.n_predictions = f->n_predictions,
		.n_trees = f->n_trees,
		.trees_per_iteration = f->contract.trees_per_iteration,
		.n_splits = f->n_splits,
		.n_leaves = f->n_leaves,
		.n_tests = f->n_tests,
		.code_bytes = engine_code_bytes(model->e),
		.isa = engine_isa(model->e),
		.batch_regime = engine_batch_regime(model->e),
		.row_regime = engine_row_regime(model->e),
		.n_golden_rows = f->n_golden,
		.memory_bytes = model->arena.used + (atomic_load(&model->wide_cuts) ? f->n_cuts * sizeof(double) : 0),
		.file_bytes = model->file_bytes,
		.margin_is_f32 = f->contract.sum == SCORE_F32,
		.n_categories = f->n_set_members,
		.has_covers = f->leaf_covers.values != NULL,
		.n_derived = f->derived.n,
	};
	find_maxima(f, &info);
	memcpy(info.hash, model->hash, sizeof info.hash);
	sl_give_struct(out, &info, sizeof info);
	return SCORE_OK;
}

const char *score_model_feature_name(const score_model *model, uint32_t i)
{
	return model && i < model->f->n_features ? model->f->features[i].name : NULL;
}

score_name_match score_model_feature_find(const score_model *model, const char *name, size_t length, uint32_t *i)
{
	uint32_t feature = UINT32_MAX;
	score_name_match match = model && name ? forest_find_feature(model->f, name, length, &feature) : SCORE_NAME_NONE;
	if (i)
		*i = feature;
	return match;
}

score_feature_type score_model_feature_type(const score_model *model, uint32_t i)
{
	return model && i < model->f->n_features ? (score_feature_type)model->f->features[i].type : SCORE_FEATURE_NUMERIC;
}

static const forest_dictionary *dictionary(const score_model *model, uint32_t i)
{
	return model && i < model->f->n_features ? model->f->features[i].dictionary : NULL;
}

uint32_t score_model_dictionary(const score_model *model, uint32_t i)
{
	const forest_dictionary *d = dictionary(model, i);
	bool is_hashed = model && i < model->f->n_features && forest_is_hashed(model->f, i);
	return d ? d->flags : is_hashed ? SCORE_DICTIONARY | SCORE_DICTIONARY_HASH : 0;
}

double score_model_category_unknown(const score_model *model, uint32_t i)
{
	const forest_dictionary *d = dictionary(model, i);
	return d ? d->unknown : (double)NAN;
}

uint32_t score_model_category_count(const score_model *model, uint32_t i)
{
	const forest_dictionary *d = dictionary(model, i);
	return d ? d->n_labels : 0;
}

const char *score_model_category_name(const score_model *model, uint32_t i, uint32_t k)
{
	const forest_dictionary *d = dictionary(model, i);
	return d && k < d->n_labels ? d->text + d->starts[k] : NULL;
}

double score_model_category_code(const score_model *model, uint32_t i, uint32_t k)
{
	const forest_dictionary *d = dictionary(model, i);
	return d && k < d->n_labels ? d->codes[k] : (double)NAN;
}

int score_model_category_find(const score_model *model, uint32_t i, const char *text, size_t length, double *code)
{
	double found = (double)NAN;
	bool known = score_model_dictionary(model, i) && text && input_string_code(model->f, i, text, length, &found);
	if (code)
		*code = found;
	return known;
}

uint32_t score_model_metadata_count(const score_model *model)
{
	return model ? model->f->n_metadata : 0;
}

const char *score_model_metadata_key(const score_model *model, uint32_t i)
{
	return model && i < model->f->n_metadata ? model->f->metadata[i].key : NULL;
}

const char *score_model_metadata_value(const score_model *model, uint32_t i)
{
	return model && i < model->f->n_metadata ? model->f->metadata[i].value : NULL;
}

const char *score_model_metadata_get(const score_model *model, const char *key)
{
	for (uint32_t i = 0; model && key && i < model->f->n_metadata; i++) {
		if (strcmp(model->f->metadata[i].key, key) == 0)
			return model->f->metadata[i].value;
	}
	return NULL;
}

uint32_t score_model_golden(const score_model *model, const double **rows, const double **margins)
{
	if (rows)
		*rows = model ? model->f->golden_rows : NULL;
	if (margins)
		*margins = model ? model->f->golden_margins : NULL;
	return model ? model->f->n_golden : 0;
}
