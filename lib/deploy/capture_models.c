/*
 * The models whose calls are captured: what the log says of each, found by address without a lock.
 *
 * Comes in: models, under the drain lock. Goes out: entries that never change and live as long as the
 * capture, since records in the ring point to them. The table is open addressing; a removed model's slot
 * stays occupied until another takes it, so that a reader's search never ends too early.
 */
#include "capture_parts.h"

#define MAX_LIVE (CAPTURE_MODEL_SLOTS / 2)

static uint64_t first_slot(const score_model *model)
{
	return (uint64_t)(uintptr_t)model * 0x9e3779b97f4a7c15u >> 32;
}

const capture_model *deploy_capture_find_model(const score_capture *capture, const score_model *model)
{
	const uint64_t first = first_slot(model);
	for (uint64_t i = 0; i < CAPTURE_MODEL_SLOTS; i++) {
		const capture_slot *slot = capture->slots + ((first + i) & (CAPTURE_MODEL_SLOTS - 1));
		const score_model *there = atomic_load_explicit(&slot->model, memory_order_acquire);
		if (there == model)
			return atomic_load_explicit(&slot->known, memory_order_acquire);
		if (!there)
			return NULL;
	}
	return NULL;
}

/* The slot that has the model, else one that is free: there are twice as many as models. */
static capture_slot *slot_for(score_capture *capture, const score_model *model)
{
	const uint64_t first = first_slot(model);
	capture_slot *reusable = NULL;
	for (uint64_t i = 0; i < CAPTURE_MODEL_SLOTS; i++) {
		capture_slot *slot = capture->slots + ((first + i) & (CAPTURE_MODEL_SLOTS - 1));
		const score_model *there = atomic_load_explicit(&slot->model, memory_order_relaxed);
		if (there == model)
			return slot;
		if (!reusable && !atomic_load_explicit(&slot->known, memory_order_relaxed))
			reusable = slot;
		if (!there)
			break;
	}
	return reusable;
}

static const char *keep(sl_arena *arena, const char *text, bool *failed)
{
	const char *copy = text ? sl_arena_string(arena, text, strlen(text)) : NULL;
	*failed |= text && !copy;
	return copy;
}

static capture_model *describe(score_capture *capture, const score_model *model, const score_model_info *info)
{
	sl_arena *arena = &capture->arena;
	bool failed = false;
	capture_model *m = sl_arena_alloc(arena, 1, sizeof *m);
	if (!m)
		return NULL;
	m->number = capture->n_models;
	m->n_features = info->n_features;
	m->info = *info;
	m->name = keep(arena, score_model_metadata_get(model, "name"), &failed);
	m->link = keep(arena, score_model_link_name(model), &failed);
	m->n_labels = score_model_class_count(model);
	m->features = sl_arena_alloc(arena, m->n_features, sizeof *m->features);
	m->types = sl_arena_alloc(arena, m->n_features, 1);
	m->labels = sl_arena_alloc(arena, m->n_labels, sizeof *m->labels);
	if (failed || !m->features || !m->types || !m->labels)
		return NULL;
	for (uint32_t i = 0; i < m->n_features; i++) {
		m->features[i] = keep(arena, score_model_feature_name(model, i), &failed);
		m->types[i] = (uint8_t)score_model_feature_type(model, i);
	}
	for (uint32_t i = 0; i < m->n_labels; i++)
		m->labels[i] = keep(arena, score_model_class_label(model, i), &failed);
	return failed ? NULL : m;
}

/* The same file, opened again, is the same model. Models without a file are told apart by being added. */
static const capture_model *known_already(const score_capture *capture, const score_model_info *info)
{
	static const uint8_t none[sizeof info->hash];
	if (memcmp(info->hash, none, sizeof none) == 0)
		return NULL;
	for (const capture_model *m = capture->models; m; m = m->next)
		if (memcmp(m->info.hash, info->hash, sizeof info->hash) == 0)
			return m;
	return NULL;
}

static score_status add(score_capture *capture, const score_model *model, score_error *error)
{
	score_model_info info = { .struct_size = sizeof info };
	capture_slot *slot = slot_for(capture, model);
	score_status status = score_model_get_info(model, &info);
	if (SL_NEVER(status != SCORE_OK)) /* there is a model, and the struct has its size */
		return sl_fail(error, status, "the model cannot be described");
	if (atomic_load_explicit(&slot->known, memory_order_relaxed))
		return SCORE_OK;
	if (capture->n_live_models >= MAX_LIVE)
		return sl_fail(error, SCORE_ERR_LIMIT, "a capture knows at most %u models at a time: remove old ones", MAX_LIVE);
	const capture_model *known = known_already(capture, &info);
	if (!known) {
		if (capture->n_models >= CAPTURE_MAX_MODELS)
			return sl_fail(error, SCORE_ERR_LIMIT, "a capture logs at most %u different models: make a new one",
				CAPTURE_MAX_MODELS);
		capture_model *fresh = describe(capture, model, &info);
		if (!fresh)
			return sl_fail_memory(error, sizeof *fresh);
		fresh->next = capture->models;
		capture->models = fresh;
		capture->n_models++;
		known = fresh;
	}
	capture->n_live_models++;
	atomic_store_explicit(&slot->model, model, memory_order_release);
	atomic_store_explicit(&slot->known, known, memory_order_release);
	return SCORE_OK;
}

score_status score_capture_add_model(score_capture *capture, const score_model *model, score_error *error)
{
	if (!capture || !model)
		return sl_fail(error, SCORE_ERR_ARGUMENT, capture ? "the model is NULL" : "the capture is NULL");
	sl_error_clear(error);
	pthread_mutex_lock(&capture->drain_lock);
	const score_status status = add(capture, model, error);
	pthread_mutex_unlock(&capture->drain_lock);
	return status;
}

void score_capture_remove_model(score_capture *capture, const score_model *model)
{
	if (!capture || !model)
		return;
	pthread_mutex_lock(&capture->drain_lock);
	capture_slot *slot = slot_for(capture, model);
	if (atomic_load_explicit(&slot->known, memory_order_relaxed)) {
		atomic_store_explicit(&slot->known, NULL, memory_order_release);
		capture->n_live_models--;
	}
	pthread_mutex_unlock(&capture->drain_lock);
}
