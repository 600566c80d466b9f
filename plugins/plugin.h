/*
 * What the plug-ins for SQL engines share: models named in SQL, opened once per process, and how a row becomes a score.
 *
 * Comes in: "PATH", "PATH#margin", "PATH#class", or "PATH#2" for prediction number 2 (from 0) of a model with several.
 * Folders and files may have '#' in their names, too: what chooses stands behind the last one and has no '.' and no '/'.
 * Goes out: one double per row, or SQL's NULL. Relies on: the public headers.
 *
 * Any number of threads may call everything here. A file that was replaced (by rename) is opened anew by the next
 * plugin_acquire(); who holds the old model keeps it.
 */
#ifndef SCORELINE_PLUGIN_H
#define SCORELINE_PLUGIN_H

#include <scoreline/endpoint.h>

#include <stdbool.h>
#include <stddef.h>

/* PostgreSQL 15 does not mark what it looks for in a module, so that one is compiled with everything visible but this. */
#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

typedef struct plugin_model {
	const score_model *model;
	score_model_ref *ref;
	uint32_t n_features;
	size_t scratch_bytes;
	score_output output;
	size_t width; /* values per row that score_batch() writes */
	size_t value; /* which of them is the score               */
} plugin_model;

/* Where `spec` begins to choose a value, at the '#'; NULL: nowhere. */
const char *plugin_choice(const char *spec);
/* NULL and a message when there is no such model, or when it has several values per row and `spec` does not choose one. */
const plugin_model *plugin_acquire(const char *spec, size_t length, score_error *error);
/* NULL is allowed. */
void plugin_release(const plugin_model *model);

/* Scratch for one call on one thread, kept for the next one; NULL (slower, still right) when memory is short. */
void *plugin_take_scratch(const plugin_model *model);
void plugin_return_scratch(const plugin_model *model, void *scratch);

/* What a text means to a feature. NO_SCORE: the model refuses unknown categories, the row's score is NULL. WRONG: the
 * feature takes numbers; `error` says so. */
typedef enum plugin_text { PLUGIN_VALUE, PLUGIN_NO_SCORE, PLUGIN_WRONG } plugin_text;
plugin_text plugin_text_value(const plugin_model *model, uint32_t feature, const char *text, size_t length, double *out,
	score_error *error);

/* Score rows into scores[n_rows]. `input` has the model's features by position, unless there is a plan. */
score_status plugin_score(const plugin_model *model, const score_input *input, const score_plan *plan, void *scratch,
	double *scores, score_error *error);

/* Status ARGUMENT and "the model takes 3 features (temperature, humidity, pressure), found N", and how to give them. */
score_status plugin_wrong_count(const plugin_model *model, size_t found, const char *how, score_error *error);

void plugin_set_error(score_error *error, score_status code, const char *format, ...)
#if defined(__GNUC__)
	__attribute__((format(printf, 3, 4)))
#endif
	;

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
