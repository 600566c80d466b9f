/*
 * Models by name for the plug-ins: a cache for the process, and the one call that scores.
 */
#include "plugin.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KEPT_MODELS 64 /* opened and not in use */
#define KEPT_SCRATCH 8 /* per model             */

/* Which file it was: another one under the same name differs. */
typedef struct identity {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
} identity;

typedef struct entry {
	plugin_model model; /* first: what users hold */
	char *spec;
	identity file;
	size_t users;
	bool current; /* new users may have it */
	size_t n_scratch;
	void *scratch[KEPT_SCRATCH];
	struct entry *next;
} entry;

/* Guards the list and what it leads to, the models themselves apart. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static entry *entries;

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

static bool identify(const char *path, identity *out, score_error *error)
{
	struct stat st;
	if (stat(path, &st) != 0) {
		plugin_set_error(error, SCORE_ERR_IO, "there is no model %.120s: %s", path, strerror(errno));
		return false;
	}
	memset(out, 0, sizeof *out);
	out->device = st.st_dev;
	out->inode = st.st_ino;
	out->size = st.st_size;
	out->modified = st.st_mtim;
	return true;
}

static bool same_file(const identity *a, const identity *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
		a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
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

static void free_entry(entry *e)
{
	while (e->n_scratch)
		free(e->scratch[--e->n_scratch]);
	score_model_free(e->model.model);
	free(e->spec);
	free(e);
}

static entry *open_entry(const char *spec, const char *path, const char *choice, score_error *error)
{
	score_model_info info = { .struct_size = sizeof info };
	entry *e = calloc(1, sizeof *e);
	if (e != NULL)
		e->spec = strdup(spec);
	if (e == NULL || e->spec == NULL) {
		plugin_set_error(error, SCORE_ERR_MEMORY, "out of memory");
		free(e);
		return NULL;
	}
	e->current = true;
	if (!identify(path, &e->file, error) || score_model_open_file(path, NULL, &e->model.model, error) != SCORE_OK ||
		score_model_get_info(e->model.model, &info) != SCORE_OK || !choose_value(&e->model, choice, error)) {
		free_entry(e);
		return NULL;
	}
	e->model.n_features = info.n_features;
	e->model.scratch_bytes = score_scratch_bytes(e->model.model);
	return e;
}

/* Under the lock: forget replaced models, and the oldest ones when too many are idle. */
static void forget_unused(void)
{
	size_t idle = 0;
	entry **at = &entries;
	while (*at != NULL) {
		entry *e = *at;
		if (e->users == 0 && (!e->current || ++idle > KEPT_MODELS)) {
			*at = e->next;
			free_entry(e);
		} else {
			at = &e->next;
		}
	}
}

/* Under the lock: the entry for `spec`, if its file is still the one that was opened. */
static entry *find_entry(const char *spec, const identity *file)
{
	entry *e;
	for (e = entries; e != NULL; e = e->next) {
		if (!e->current || strcmp(e->spec, spec) != 0)
			continue;
		if (same_file(&e->file, file))
			return e;
		e->current = false;
	}
	return NULL;
}

const plugin_model *plugin_acquire(const char *spec, size_t length, score_error *error)
{
	char *name = malloc(length + 1), *path = malloc(length + 1), *choice;
	entry *e = NULL;
	identity file;
	if (name == NULL || path == NULL) {
		plugin_set_error(error, SCORE_ERR_MEMORY, "out of memory");
	} else {
		memcpy(name, spec, length);
		name[length] = '\0';
		strcpy(path, name);
		choice = strrchr(path, '#');
		if (choice != NULL)
			*choice++ = '\0';
		/* Opening under the lock: two threads that ask for the same model open it once. */
		pthread_mutex_lock(&lock);
		if (identify(path, &file, error) && (e = find_entry(name, &file)) == NULL &&
			(e = open_entry(name, path, choice, error)) != NULL) {
			e->next = entries;
			entries = e;
		}
		if (e != NULL)
			e->users++;
		forget_unused();
		pthread_mutex_unlock(&lock);
	}
	free(name);
	free(path);
	return e != NULL ? &e->model : NULL;
}

void plugin_release(const plugin_model *model)
{
	entry *e = (entry *)(uintptr_t)model;
	if (e == NULL)
		return;
	pthread_mutex_lock(&lock);
	e->users--;
	forget_unused();
	pthread_mutex_unlock(&lock);
}

void *plugin_take_scratch(const plugin_model *model)
{
	entry *e = (entry *)(uintptr_t)model;
	void *scratch = NULL;
	pthread_mutex_lock(&lock);
	if (e->n_scratch)
		scratch = e->scratch[--e->n_scratch];
	pthread_mutex_unlock(&lock);
	return scratch != NULL || model->scratch_bytes == 0 ? scratch : malloc(model->scratch_bytes);
}

void plugin_return_scratch(const plugin_model *model, void *scratch)
{
	entry *e = (entry *)(uintptr_t)model;
	pthread_mutex_lock(&lock);
	if (scratch != NULL && e->n_scratch < KEPT_SCRATCH) {
		e->scratch[e->n_scratch++] = scratch;
		scratch = NULL;
	}
	pthread_mutex_unlock(&lock);
	free(scratch);
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
