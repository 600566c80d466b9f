/*
 * Models by name for the plug-ins: one cache for the process, and the one call that scores.
 */
#include "plugin.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_SCRATCH 8

typedef struct kept_scratch {
	void *memory;
	size_t bytes;
} kept_scratch;

/* Guards the two below. The cache is made by the first call and stays as long as the process. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static score_model_cache *cache;
static kept_scratch kept[KEPT_SCRATCH];

void plugin_set_error(score_error *error, score_status code, const char *format, ...)
{
	va_list arguments;
	if (error == NULL)
		return;
	memset(error, 0, sizeof *error);
	error->code = code;
	error->offset = error->line = -1;
	va_start(arguments, format);
	vsnprintf(error->message, sizeof error->message, format, arguments);
	va_end(arguments);
}

const char *plugin_choice(const char *spec)
{
	const char *mark = strrchr(spec, '#');
	return mark != NULL && strpbrk(mark, "./") == NULL ? mark : NULL;
}

/* Which value of a row is the score; `choice` is the text behind '#', or NULL. */
static bool choose_value(plugin_model *m, const char *choice, score_error *error)
{
	score_options options = SCORE_OPTIONS_INIT;
	char *end = NULL;
	unsigned long value = 0;
	if (choice != NULL && strcmp(choice, "margin") == 0)
		m->output = SCORE_OUTPUT_MARGIN;
	else if (choice != NULL && strcmp(choice, "class") == 0)
		m->output = SCORE_OUTPUT_CLASS;
	else if (choice != NULL && strcmp(choice, "prediction") != 0)
		value = strtoul(choice, &end, 10);
	options.output = m->output;
	m->width = score_output_width(m->model, &options);
	m->value = value;
	if (end != NULL && (end == choice || *end != '\0' || value >= m->width)) {
		plugin_set_error(error, SCORE_ERR_ARGUMENT,
			"expected #prediction, #margin, #class or a number below %zu behind the model, found \"#%.40s\"", m->width, choice);
		return false;
	}
	if (m->width != 1 && end == NULL) {
		plugin_set_error(error, SCORE_ERR_ARGUMENT,
			"the model has %zu values per row; choose one with #0 to #%zu, or #class, behind its name", m->width, m->width - 1);
		return false;
	}
	return true;
}

static bool open_model(plugin_model *m, const char *path, score_error *error)
{
	score_model_info info = { .struct_size = sizeof info };
	score_status status = SCORE_OK;
	pthread_mutex_lock(&lock);
	if (cache == NULL)
		status = score_model_cache_new(NULL, &cache, error);
	pthread_mutex_unlock(&lock);
	if (status == SCORE_OK)
		status = score_model_cache_open(cache, path, &m->ref, error);
	if (status != SCORE_OK)
		return false;
	m->model = score_model_ref_model(m->ref);
	if (score_model_get_info(m->model, &info) != SCORE_OK)
		return false;
	m->n_features = info.n_features;
	m->scratch_bytes = score_scratch_bytes(m->model);
	return true;
}

const plugin_model *plugin_acquire(const char *spec, size_t length, score_error *error)
{
	plugin_model *m = calloc(1, sizeof *m);
	char *path = malloc(length + 1);
	const char *choice;
	bool right = m != NULL && path != NULL;
	if (!right) {
		plugin_set_error(error, SCORE_ERR_MEMORY, "out of memory");
	} else {
		memcpy(path, spec, length);
		path[length] = '\0';
		choice = plugin_choice(path);
		if (choice != NULL)
			path[choice++ - path] = '\0';
		right = open_model(m, path, error) && choose_value(m, choice, error);
	}
	free(path);
	if (right)
		return m;
	plugin_release(m);
	return NULL;
}

void plugin_release(const plugin_model *model)
{
	if (model != NULL)
		score_model_ref_release(model->ref);
	free((void *)(uintptr_t)model);
}

void *plugin_take_scratch(const plugin_model *model)
{
	void *scratch = NULL;
	int i;
	pthread_mutex_lock(&lock);
	for (i = 0; i < KEPT_SCRATCH && scratch == NULL; i++) {
		if (kept[i].bytes != model->scratch_bytes)
			continue;
		scratch = kept[i].memory;
		kept[i] = (kept_scratch){ NULL, 0 };
	}
	pthread_mutex_unlock(&lock);
	return scratch != NULL || model->scratch_bytes == 0 ? scratch : malloc(model->scratch_bytes);
}

void plugin_return_scratch(const plugin_model *model, void *scratch)
{
	void *surplus = scratch;
	int i;
	pthread_mutex_lock(&lock);
	for (i = 0; i < KEPT_SCRATCH && surplus != NULL; i++) {
		/* In the last place the newest one pushes out another model's. */
		if (kept[i].memory != NULL && i < KEPT_SCRATCH - 1)
			continue;
		surplus = kept[i].memory;
		kept[i] = (kept_scratch){ scratch, model->scratch_bytes };
		break;
	}
	pthread_mutex_unlock(&lock);
	free(surplus);
}

plugin_text plugin_text_value(const plugin_model *model, uint32_t feature, const char *text, size_t length, double *out,
	score_error *error)
{
	if (!score_model_dictionary(model->model, feature)) {
		plugin_set_error(error, SCORE_ERR_SHAPE, "feature %u, \"%.60s\", takes numbers, found the text \"%.*s\"", feature,
			score_model_feature_name(model->model, feature), (int)(length < 60 ? length : 60), text);
		return PLUGIN_WRONG;
	}
	score_model_category_find(model->model, feature, text, length, out);
	return *out == SCORE_REFUSE ? PLUGIN_NO_SCORE : PLUGIN_VALUE;
}

static score_status score_wide(const plugin_model *m, const score_input *input, const score_options *options,
	double *scores, score_error *error)
{
	size_t n = (size_t)input->n_rows, i;
	double *all = n > SIZE_MAX / sizeof *all / m->width ? NULL : malloc(n * m->width * sizeof *all);
	score_status status = SCORE_ERR_MEMORY;
	if (all == NULL)
		plugin_set_error(error, status, "out of memory");
	else
		status = score_batch(m->model, input, all, n * m->width, options, error);
	for (i = 0; status == SCORE_OK && i < n; i++)
		scores[i] = all[i * m->width + m->value];
	free(all);
	return status;
}

score_status plugin_score(const plugin_model *model, const score_input *input, const score_plan *plan, void *scratch,
	double *scores, score_error *error)
{
	score_options options = SCORE_OPTIONS_INIT;
	options.output = model->output;
	options.plan = plan;
	options.scratch = scratch;
	options.scratch_bytes = scratch != NULL ? model->scratch_bytes : 0;
	if (model->width != 1)
		return score_wide(model, input, &options, scores, error);
	return score_batch(model->model, input, scores, (size_t)input->n_rows, &options, error);
}

score_status plugin_wrong_count(const plugin_model *model, size_t found, const char *how, score_error *error)
{
	char names[120] = "";
	size_t used = 0;
	uint32_t i;
	for (i = 0; i < model->n_features && used < sizeof names; i++) {
		int n = snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", score_model_feature_name(model->model, i));
		used += (size_t)n;
	}
	plugin_set_error(error, SCORE_ERR_ARGUMENT, "the model takes %u feature%s (%s%s)%s, found %zu", model->n_features,
		model->n_features == 1 ? "" : "s", names, used >= sizeof names ? "…" : "", how, found);
	return SCORE_ERR_ARGUMENT;
}
