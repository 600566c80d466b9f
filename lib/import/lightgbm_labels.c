/*
 * The labels behind LightGBM's categories: the last line of a file that its Python package wrote.
 *
 * Comes in: a JSON list with one list of labels for each column of dtype category, in the order of the columns. Goes out:
 * dictionaries. The file does not say which columns these were; they are known if there are as many lists as features with
 * categories and every category of training has a label. Otherwise the line only stays in the metadata.
 */
#include "document.h"
#include "labels.h"
#include "lightgbm.h"

#include <math.h>

typedef struct reader {
	const score_allocator *allocator;
	sl_vector lists; /* import_labels */
	uint32_t depth;
	bool strange;    /* not what the package writes */
	score_error *error;
} reader;

static score_status begin_list(reader *r)
{
	if (++r->depth < 2)
		return SCORE_OK;
	import_labels *list = sl_vector_grow(&r->lists, 1);
	if (!list)
		return sl_fail_memory(r->error, sizeof *list);
	import_labels_init(list, r->allocator);
	return SCORE_OK;
}

static score_status add_label(reader *r, const import_event *e)
{
	import_labels *list = sl_vector_at(&r->lists, r->lists.length - 1);
	bool added = true;
	if (e->kind == IMPORT_STRING)
		added = import_labels_add_text(list, e->text, e->length);
	else if (e->kind == IMPORT_DECIMAL)
		added = import_labels_add_decimal(list, e->text, e->length);
	else if (e->kind == IMPORT_INTEGER)
		added = import_labels_add_integer(list, e->integer);
	else
		list->is_broken = true;
	return added ? SCORE_OK : sl_fail_memory(r->error, e->length);
}

static score_status on_event(void *context, const import_event *e)
{
	reader *r = context;
	if (e->kind == IMPORT_ARRAY_BEGIN && r->depth < 2)
		return begin_list(r);
	if (e->kind == IMPORT_ARRAY_END) {
		r->depth--;
		return SCORE_OK;
	}
	if (r->depth == 2 && e->kind != IMPORT_ARRAY_BEGIN && e->kind != IMPORT_OBJECT_BEGIN)
		return add_label(r, e);
	r->strange = true;
	return SCORE_ERR_UNSUPPORTED;
}

/* The largest category in "c1:c2:…". */
static int64_t largest(lgbm_text info)
{
	int64_t most = -1, value;
	lgbm_text word;
	while (import_lgbm_word(&info, ':', &word)) {
		if (sl_parse_i64(word.text, word.length, &value) == word.length && value > most)
			most = value;
	}
	return most;
}

static bool fits(const reader *r, const lgbm_trees *trees, lgbm_text infos)
{
	const import_labels *lists = r->lists.data;
	size_t used = 0;
	lgbm_text info;
	for (uint32_t i = 0; i < trees->n_features && import_lgbm_word(&infos, ' ', &info); i++) {
		if (!trees->is_category[i])
			continue;
		if (used == r->lists.length || largest(info) >= (int64_t)lists[used].starts.length)
			return false;
		used++;
	}
	return used == r->lists.length;
}

static score_status set_all(const reader *r, const lgbm_trees *trees)
{
	const import_labels *list = r->lists.data;
	score_status status = SCORE_OK;
	bool made;
	for (uint32_t i = 0; i < trees->n_features && status == SCORE_OK; i++) {
		if (trees->is_category[i])
			status = import_labels_set(list++, trees->builder, i, (double)NAN, &made, r->error);
	}
	return status;
}

score_status import_lgbm_labels(const lgbm_trees *trees, const lgbm_text *json, lgbm_text infos,
	const score_allocator *allocator, score_error *error)
{
	reader r = {.allocator = allocator, .error = error};
	sl_vector_init(&r.lists, allocator, sizeof(import_labels));
	score_status status = import_read_json(json->text, json->length, allocator, on_event, &r, error);
	if (status == SCORE_OK && fits(&r, trees, infos))
		status = set_all(&r, trees);
	for (size_t i = 0; i < r.lists.length; i++)
		import_labels_free(sl_vector_at(&r.lists, i));
	sl_vector_free(&r.lists);
	/* The line is a comment to LightGBM, which scores without it. */
	if (status == SCORE_OK || (!r.strange && status != SCORE_ERR_CORRUPT && status != SCORE_ERR_LIMIT))
		return status;
	sl_error_clear(error);
	return SCORE_OK;
}
