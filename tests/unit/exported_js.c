#include "exported_js.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void must(score_status status, const score_error *error)
{
	if (status != SCORE_OK)
		fail_msg("%s", error->message);
}

score_builder *export_builder(const score_contract *contract)
{
	score_builder *b = NULL;
	score_error error;
	must(score_builder_new(contract, NULL, &b, &error), &error);
	return b;
}

void export_add_stump(score_builder *b, double left, double right)
{
	const score_node nodes[] = {{.left = 1, .right = 2, .test = SCORE_TEST_LT, .missing = SCORE_MISSING_RIGHT, .value = 0.5},
		{.test = SCORE_TEST_LEAF, .value = left}, {.test = SCORE_TEST_LEAF, .value = right}};
	score_tree tree = SCORE_TREE_INIT;
	score_error error;
	tree.nodes = nodes;
	tree.n_nodes = 3;
	must(score_builder_add_tree(b, &tree, &error), &error);
}

score_model *export_finish(score_builder *b)
{
	score_model *model = NULL;
	score_error error;
	must(score_builder_finish(b, &model, &error), &error);
	score_builder_free(b);
	return model;
}

char *export_source(const score_model *model, const char *name, score_output output)
{
	score_export_options o = SCORE_EXPORT_OPTIONS_INIT;
	score_error error;
	void *bytes = NULL;
	size_t size = 0;
	o.name = name;
	o.output = output;
	must(score_model_export_js(model, &o, &bytes, &size, &error), &error);
	char *source = malloc(size + 1);
	memcpy(source, bytes, size);
	source[size] = '\0';
	assert_int_equal(strlen(source), size);
	score_model_free_bytes(model, bytes, size);
	return source;
}

void export_refused(const score_model *model, score_output output, const char *message)
{
	score_export_options o = SCORE_EXPORT_OPTIONS_INIT;
	score_error error;
	void *text = &error;
	size_t size = 7;
	o.output = output;
	assert_int_equal(score_model_export_js(model, &o, &text, &size, &error), SCORE_ERR_UNSUPPORTED);
	assert_string_equal(error.message, message);
	assert_null(text);
	assert_int_equal(size, 0);
}

void expect_text(const char *source, const char *text)
{
	if (strstr(source, text) == NULL)
		fail_msg("the source lacks: %s", text);
}

void expect_no_text(const char *source, const char *text)
{
	if (strstr(source, text) != NULL)
		fail_msg("the source has: %s", text);
}
