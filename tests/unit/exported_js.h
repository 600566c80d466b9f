/*
 * Small models and their JavaScript, for tests of the exporter. Each function fails the test on an error that it does not name.
 */
#ifndef EXPORTED_JS_H
#define EXPORTED_JS_H

#include <scoreline/build.h>
#include <scoreline/export.h>

void must(score_status status, const score_error *error);

score_builder *export_builder(const score_contract *contract);
/* Feature 0 below 0.5, or not; missing goes right. */
void export_add_stump(score_builder *b, double left, double right);
/* The model of a builder, which is freed. */
score_model *export_finish(score_builder *b);

/* The source, terminated; the caller frees it. `name` may be NULL. */
char *export_source(const score_model *model, const char *name, score_output output);
void export_refused(const score_model *model, score_output output, const char *message);

void expect_text(const char *source, const char *text);
void expect_no_text(const char *source, const char *text);

#endif
