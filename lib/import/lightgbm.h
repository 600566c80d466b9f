/*
 * Shared by the files that read LightGBM's text format: lines, words, and what is known of the model so far.
 */
#ifndef IMPORT_LIGHTGBM_H
#define IMPORT_LIGHTGBM_H

#include "../base/base.h"

#include <scoreline/build.h>

/* A piece of the file. `text` is NULL for a key that the file does not have. */
typedef struct lgbm_text {
	const char *text;
	size_t length;
	int64_t line; /* from 1 */
} lgbm_text;

/* A key that the importer wants, and what the file gives it. */
typedef struct lgbm_field {
	const char *key;
	lgbm_text value;
} lgbm_field;

typedef struct lgbm_reader {
	const char *start, *at, *end;
	int64_t line; /* of `at` */
	score_error *error;
} lgbm_reader;

/* Return this for a fault at `piece`. */
#define LGBM_FAIL(reader, piece, code, ...) \
	sl_fail_at((reader)->error, code, (piece)->text - (reader)->start, (piece)->line, __VA_ARGS__)

/* ---- lightgbm_text.c ------------------------------------------------------------------------------- */

/* The next line, without its end (\n, \r\n or \r); false at the end of the file. */
bool import_lgbm_line(lgbm_reader *in, lgbm_text *line);
bool import_lgbm_equals(const lgbm_text *piece, const char *word);
bool import_lgbm_starts_with(const lgbm_text *piece, const char *word);
/* The first of n fields with the key of this "key=value" or bare "key" line receives the value; unknown
 * keys are ignored, a key that comes twice is refused. */
score_status import_lgbm_store(lgbm_reader *in, const lgbm_text *line, lgbm_field *fields, size_t n);
/* Cut the next word between single characters `separator` off `rest`; false if there is none. */
bool import_lgbm_word(lgbm_text *rest, char separator, lgbm_text *word);
size_t import_lgbm_count_words(lgbm_text rest);
/* Cut the next number off `rest`; `what` names the list in messages. */
score_status import_lgbm_next_i64(lgbm_reader *in, lgbm_text *rest, const char *what, int64_t low,
	int64_t high, int64_t *out);
score_status import_lgbm_next_f64(lgbm_reader *in, lgbm_text *rest, const char *what, double *out);
/* Refuses whatever is left in `rest`. */
score_status import_lgbm_no_more(lgbm_reader *in, const lgbm_text *rest, const char *what);

/* ---- lightgbm_objective.c -------------------------------------------------------------------------- */

/* The link that belongs to the value of the file's "objective" line. */
score_status import_lgbm_objective(lgbm_reader *in, const lgbm_text *objective, uint32_t n_outputs,
	score_link *link, double *parameter);

/* ---- lightgbm_tree.c ------------------------------------------------------------------------------- */

/* What trees need of the model, and room that they use one after the other. */
typedef struct lgbm_trees {
	lgbm_reader in;
	score_builder *builder;
	uint32_t n_features;
	const char **names;   /* [n_features] */
	uint8_t *is_category; /* [n_features] */
	uint64_t n_named;     /* categories named by all splits so far */
	sl_vector nodes;      /* score_node  */
	sl_vector categories; /* uint32_t: members of all sets of the tree */
	sl_vector set_first;  /* uint32_t: set k has categories [set_first[k], set_first[k + 1]) */
	sl_vector covers;     /* double: of the nodes, or empty */
	sl_vector linear_leaves; /* score_linear_leaf per node; empty for a plain tree */
	sl_vector term_features, coefficients; /* uint32_t, double */
} lgbm_trees;

void import_lgbm_trees_init(lgbm_trees *trees, const score_allocator *allocator);
void import_lgbm_trees_free(lgbm_trees *trees);
/* Read the lines below `head`, a "Tree=" line, up to the empty one. With `add`, the builder gets the tree. */
score_status import_lgbm_tree(lgbm_trees *trees, const lgbm_text *head, uint32_t output, bool add);

/* ---- lightgbm_labels.c ----------------------------------------------------------------------------- */

/* Dictionaries from the list of labels in `json`; `infos` is the value of "feature_infos". */
score_status import_lgbm_labels(const lgbm_trees *trees, const lgbm_text *json, lgbm_text infos,
	const score_allocator *allocator, score_error *error);

#endif
