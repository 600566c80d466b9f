/*
 * The grammar of XGBoost model files.
 *
 * Comes in: the events of a document, JSON or UBJSON. Goes out: the parts that scoring needs, in an xgb_file.
 * Keys that are not in the table are skipped with all they hold. A key of the table may come once.
 */
#include "xgboost.h"

typedef enum place {
	IN_ROOT,
	IN_LEARNER,
	IN_PARAMETERS,
	IN_OBJECTIVE,
	IN_BOOSTER,
	IN_INNER_BOOSTER, /* `dart` up to 3.2 has a whole `gbtree` inside */
	IN_MODEL,
	IN_MODEL_PARAMETERS,
	IN_TREE,
	IN_TREE_PARAMETERS,
	IN_CATEGORIES,
	IN_LABELS, /* of one feature */
	IN_DICTIONARY,
	IN_ARRAY,
	PLACES
} place;

typedef enum kind {
	OBJECT,  /* `slot` is a place */
	OBJECTS, /* array of them */
	DICTIONARY, /* any keys with strings, into a list */
	INTEGERS,
	FLOATS,
	STRINGS,
	STRING,
	INTEGER
} kind;

typedef struct key {
	place place;
	const char *name;
	kind kind;
	int slot;
} key;

static const key keys[] = {
	{IN_ROOT, "Model", OBJECT, IN_ROOT}, /* in a memory snapshot, beside "Config" */
	{IN_ROOT, "learner", OBJECT, IN_LEARNER},
	{IN_ROOT, "version", INTEGERS, XGB_VERSION},
	{IN_LEARNER, "attributes", DICTIONARY, XGB_ATTRIBUTES},
	{IN_LEARNER, "feature_names", STRINGS, XGB_FEATURE_NAMES},
	{IN_LEARNER, "feature_types", STRINGS, XGB_FEATURE_TYPES},
	{IN_LEARNER, "learner_model_param", OBJECT, IN_PARAMETERS},
	{IN_LEARNER, "objective", OBJECT, IN_OBJECTIVE},
	{IN_LEARNER, "gradient_booster", OBJECT, IN_BOOSTER},
	{IN_PARAMETERS, "base_score", STRING, XGB_BASE_SCORE},
	{IN_PARAMETERS, "num_class", INTEGER, XGB_NUM_CLASS},
	{IN_PARAMETERS, "num_feature", INTEGER, XGB_NUM_FEATURE},
	{IN_PARAMETERS, "num_target", INTEGER, XGB_NUM_TARGET},
	{IN_OBJECTIVE, "name", STRING, XGB_OBJECTIVE},
	{IN_BOOSTER, "name", STRING, XGB_BOOSTER},
	{IN_BOOSTER, "gbtree", OBJECT, IN_INNER_BOOSTER},
	{IN_BOOSTER, "model", OBJECT, IN_MODEL},
	{IN_BOOSTER, "weight_drop", FLOATS, XGB_WEIGHT_DROP},
	{IN_INNER_BOOSTER, "model", OBJECT, IN_MODEL},
	{IN_INNER_BOOSTER, "weight_drop", FLOATS, XGB_WEIGHT_DROP},
	{IN_MODEL, "gbtree_model_param", OBJECT, IN_MODEL_PARAMETERS},
	{IN_MODEL, "trees", OBJECTS, IN_TREE},
	{IN_MODEL, "cats", OBJECT, IN_CATEGORIES},
	{IN_CATEGORIES, "enc", OBJECTS, IN_LABELS},
	{IN_LABELS, "offsets", INTEGERS, XGB_LABEL_OFFSETS},
	{IN_LABELS, "values", INTEGERS, XGB_LABEL_VALUES},
	{IN_MODEL, "tree_info", INTEGERS, XGB_TREE_INFO},
	{IN_MODEL, "iteration_indptr", INTEGERS, XGB_ITERATIONS},
	{IN_MODEL, "weight_drop", FLOATS, XGB_WEIGHT_DROP},
	{IN_MODEL, "weights", FLOATS, XGB_WEIGHTS},
	{IN_MODEL_PARAMETERS, "num_trees", INTEGER, XGB_NUM_TREES},
	{IN_MODEL_PARAMETERS, "num_parallel_tree", INTEGER, XGB_PARALLEL_TREES},
	{IN_TREE, "id", INTEGER, XGB_TREE_ID},
	{IN_TREE, "tree_param", OBJECT, IN_TREE_PARAMETERS},
	{IN_TREE, "left_children", INTEGERS, XGB_LEFT},
	{IN_TREE, "right_children", INTEGERS, XGB_RIGHT},
	{IN_TREE, "split_indices", INTEGERS, XGB_FEATURE},
	{IN_TREE, "split_conditions", FLOATS, XGB_CONDITIONS},
	{IN_TREE, "default_left", INTEGERS, XGB_DEFAULT_LEFT},
	{IN_TREE, "split_type", INTEGERS, XGB_SPLIT_TYPE},
	{IN_TREE, "categories_nodes", INTEGERS, XGB_CATEGORY_NODES},
	{IN_TREE, "categories_segments", INTEGERS, XGB_CATEGORY_SEGMENTS},
	{IN_TREE, "categories_sizes", INTEGERS, XGB_CATEGORY_SIZES},
	{IN_TREE, "categories", INTEGERS, XGB_CATEGORIES},
	{IN_TREE, "base_weights", FLOATS, XGB_BASE_WEIGHTS},
	{IN_TREE, "leaf_weights", FLOATS, XGB_LEAF_WEIGHTS},
	{IN_TREE, "sum_hessian", FLOATS, XGB_SUM_HESSIAN},
	{IN_TREE_PARAMETERS, "num_nodes", INTEGER, XGB_NUM_NODES},
	{IN_TREE_PARAMETERS, "num_deleted", INTEGER, XGB_NUM_DELETED},
	{IN_TREE_PARAMETERS, "size_leaf_vector", INTEGER, XGB_LEAF_SIZE},
};

/* An open object or array of the table. */
typedef struct frame {
	place place;
	const key *key; /* that it is the value of; NULL for the root and for an object of an array */
} frame;

#define MAX_FRAMES 16

typedef struct reader {
	xgb_file *file;
	frame frames[MAX_FRAMES];
	size_t depth;
	size_t skip;      /* open objects and arrays that nobody wants */
	const key *next;  /* of the value that follows; NULL to skip it */
	bool entered[PLACES];
} reader;

static bool column_is_float(int name)
{
	return name == XGB_CONDITIONS || name == XGB_BASE_WEIGHTS || name == XGB_LEAF_WEIGHTS ||
		name == XGB_SUM_HESSIAN || name == XGB_WEIGHT_DROP || name == XGB_WEIGHTS;
}

static score_status corrupt(const reader *r, const import_event *e, const key *k, const char *what)
{
	return sl_fail_at(r->file->error, SCORE_ERR_CORRUPT, e->offset, -1, "\"%s\": %s", k->name, what);
}

/* ---- values ------------------------------------------------------------------------------------- */

static bool event_integer(const import_event *e, int64_t *out)
{
	if (e->kind == IMPORT_INTEGER) {
		*out = e->integer;
		return true;
	}
	if (e->kind != IMPORT_DECIMAL && e->kind != IMPORT_STRING)
		return false;
	return e->length > 0 && sl_parse_i64(e->text, e->length, out) == e->length;
}

static bool event_float(const import_event *e, float *out)
{
	switch (e->kind) {
	case IMPORT_DECIMAL:
		return sl_parse_f32(e->text, e->length, out) == e->length;
	case IMPORT_INTEGER:
		*out = (float)e->integer;
		return true;
	case IMPORT_REAL:
		*out = (float)e->real;
		return e->real != e->real || (double)*out == e->real;
	default:
		return false;
	}
}

static score_status add_number(const reader *r, const import_event *e, const key *k)
{
	sl_vector *values = &r->file->columns[k->slot].values;
	int64_t whole;
	float real;
	if (k->kind == FLOATS) {
		if (e->kind == IMPORT_STRING || !event_float(e, &real))
			return corrupt(r, e, k, "expected numbers that are float values");
		return import_keep(values, &real, e->offset, k->name, r->file->error);
	}
	if (e->kind == IMPORT_STRING || !event_integer(e, &whole))
		return corrupt(r, e, k, "expected whole numbers of at most 64 bits");
	return import_keep(values, &whole, e->offset, k->name, r->file->error);
}

static score_status add_string(const reader *r, const import_event *e, xgb_list *list, const key *k)
{
	size_t start = list->text.length;
	if (e->length && memchr(e->text, 0, e->length))
		return corrupt(r, e, k, "a string with a zero byte");
	score_status status = import_keep(&list->starts, &start, e->offset, k->name, r->file->error);
	return status == SCORE_OK ? import_keep_text(&list->text, e, k->name, r->file->error) : status;
}

static bool *present(reader *r, const key *k, int64_t **offset)
{
	xgb_file *f = r->file;
	switch (k->kind) {
	case INTEGERS:
	case FLOATS:
		*offset = &f->columns[k->slot].offset;
		return &f->columns[k->slot].present;
	case INTEGER:
		*offset = &f->integers[k->slot].offset;
		return &f->integers[k->slot].present;
	case OBJECT:
	case OBJECTS:
		*offset = NULL;
		return &r->entered[k->slot];
	default:
		*offset = &f->lists[k->slot].offset;
		return &f->lists[k->slot].present;
	}
}

/* The value of a key of the table begins: it must be the first one. */
static score_status claim(reader *r, const import_event *e, const key *k)
{
	int64_t *offset;
	bool *seen = present(r, k, &offset);
	if (*seen)
		return corrupt(r, e, k, "the key is there twice");
	*seen = true;
	if (offset)
		*offset = e->offset;
	return SCORE_OK;
}

/* ---- structure ---------------------------------------------------------------------------------- */

static score_status enter(reader *r, place where, const key *k)
{
	r->frames[r->depth++] = (frame){where, k};
	r->next = NULL;
	return SCORE_OK;
}

static score_status begin_labels(reader *r)
{
	for (int i = XGB_LABEL_OFFSETS; i < XGB_FEATURE_COLUMNS; i++) {
		r->file->columns[i].values.length = 0;
		r->file->columns[i].present = false;
	}
	return enter(r, IN_LABELS, NULL);
}

static score_status begin_tree(reader *r, const import_event *e)
{
	xgb_file *f = r->file;
	for (int i = 0; i < XGB_TREE_COLUMNS; i++) {
		f->columns[i].values.length = 0;
		f->columns[i].present = false;
	}
	for (int i = 0; i < XGB_TREE_INTEGERS; i++)
		f->integers[i].present = false;
	r->entered[IN_TREE_PARAMETERS] = false;
	f->tree_offset = e->offset;
	return enter(r, IN_TREE, NULL);
}

static score_status on_object_begin(reader *r, const import_event *e)
{
	if (r->depth == 0)
		return enter(r, IN_ROOT, NULL);
	const frame *top = &r->frames[r->depth - 1];
	if (top->place == IN_ARRAY && top->key->kind == OBJECTS)
		return top->key->slot == IN_TREE ? begin_tree(r, e) : begin_labels(r);
	const key *k = top->place == IN_ARRAY ? top->key : r->next;
	if (!k) {
		r->skip = 1;
		return SCORE_OK;
	}
	bool fits = k->kind == OBJECT || (k->kind == DICTIONARY && top->place != IN_DICTIONARY);
	if (top->place == IN_ARRAY || !fits)
		return corrupt(r, e, k, "expected no object here");
	if (k->kind == OBJECT && k->slot == IN_ROOT)
		return enter(r, IN_ROOT, k);
	score_status status = claim(r, e, k);
	return status == SCORE_OK ? enter(r, k->kind == OBJECT ? (place)k->slot : IN_DICTIONARY, k) : status;
}

static score_status on_array_begin(reader *r, const import_event *e)
{
	if (r->depth == 0)
		return sl_fail_at(r->file->error, SCORE_ERR_CORRUPT, e->offset, -1,
			"an XGBoost model is an object with the key \"learner\", not an array");
	const frame *top = &r->frames[r->depth - 1];
	const key *k = top->place == IN_ARRAY ? top->key : r->next;
	if (!k) {
		r->skip = 1;
		return SCORE_OK;
	}
	if (top->place == IN_ARRAY ||
		(k->kind != OBJECTS && k->kind != INTEGERS && k->kind != FLOATS && k->kind != STRINGS))
		return corrupt(r, e, k, "expected no array here");
	score_status status = claim(r, e, k);
	return status == SCORE_OK ? enter(r, IN_ARRAY, k) : status;
}

static score_status on_numbers(reader *r, const import_event *e)
{
	score_status status = on_array_begin(r, e);
	if (status != SCORE_OK)
		return status;
	if (r->skip) {
		r->skip = 0;
		return SCORE_OK;
	}
	const key *k = r->frames[--r->depth].key;
	if (e->count && k->kind != INTEGERS && k->kind != FLOATS)
		return corrupt(r, e, k, "expected no array of numbers here");
	for (size_t i = 0; i < e->count && status == SCORE_OK; i++) {
		import_event number = import_packed_number(e, i);
		status = add_number(r, &number, k);
	}
	return status;
}

static score_status on_key(reader *r, const import_event *e)
{
	place here = r->frames[r->depth - 1].place;
	r->next = NULL;
	if (here == IN_DICTIONARY) {
		r->next = r->frames[r->depth - 1].key;
		return add_string(r, e, &r->file->lists[r->next->slot], r->next);
	}
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const key *k = &keys[i];
		if (k->place == here && strlen(k->name) == e->length && memcmp(k->name, e->text, e->length) == 0)
			r->next = k;
	}
	return SCORE_OK;
}

static score_status on_element(reader *r, const import_event *e, const key *k)
{
	switch (k->kind) {
	case INTEGERS:
	case FLOATS:
		return add_number(r, e, k);
	case STRINGS:
		if (e->kind != IMPORT_STRING)
			return corrupt(r, e, k, "expected strings");
		return add_string(r, e, &r->file->lists[k->slot], k);
	default:
		return corrupt(r, e, k, "expected objects");
	}
}

static score_status on_scalar(reader *r, const import_event *e)
{
	xgb_file *f = r->file;
	if (r->depth == 0)
		return sl_fail_at(
			f->error, SCORE_ERR_CORRUPT, e->offset, -1, "an XGBoost model is an object, not a single value");
	const frame *top = &r->frames[r->depth - 1];
	if (top->place == IN_ARRAY)
		return on_element(r, e, top->key);
	const key *k = r->next;
	r->next = NULL;
	if (!k)
		return SCORE_OK;
	if (top->place == IN_DICTIONARY && e->kind == IMPORT_STRING)
		return add_string(r, e, &f->lists[k->slot], k);
	if (top->place == IN_DICTIONARY)
		return corrupt(r, e, k, "expected strings");
	score_status status = k->kind == INTEGER || k->kind == STRING ? claim(r, e, k) : SCORE_OK;
	if (status != SCORE_OK)
		return status;
	if (k->kind == INTEGER && event_integer(e, &f->integers[k->slot].value))
		return SCORE_OK;
	if (k->kind == INTEGER)
		return corrupt(r, e, k, "expected a whole number");
	if (k->kind == STRING && e->kind == IMPORT_STRING)
		return add_string(r, e, &f->lists[k->slot], k);
	return corrupt(r, e, k, k->kind == STRING ? "expected a string" : "expected an object or an array");
}

static score_status on_end(reader *r)
{
	place left = r->frames[--r->depth].place;
	r->next = NULL;
	if (left == IN_LABELS)
		return import_xgb_keep_labels(r->file);
	return left == IN_TREE ? import_xgb_keep_tree(r->file) : SCORE_OK;
}

static score_status on_event(void *context, const import_event *e)
{
	reader *r = context;
	bool begins = e->kind == IMPORT_OBJECT_BEGIN || e->kind == IMPORT_ARRAY_BEGIN;
	bool ends = e->kind == IMPORT_OBJECT_END || e->kind == IMPORT_ARRAY_END;
	if (r->skip) {
		r->skip = begins ? r->skip + 1 : ends ? r->skip - 1 : r->skip;
		return SCORE_OK;
	}
	if ((begins || e->kind == IMPORT_NUMBERS) && r->depth == MAX_FRAMES)
		return sl_fail_at(
			r->file->error, SCORE_ERR_CORRUPT, e->offset, -1, "the model is nested too deep for XGBoost");
	switch (e->kind) {
	case IMPORT_OBJECT_BEGIN:
		return on_object_begin(r, e);
	case IMPORT_ARRAY_BEGIN:
		return on_array_begin(r, e);
	case IMPORT_NUMBERS:
		return on_numbers(r, e);
	case IMPORT_KEY:
		return on_key(r, e);
	case IMPORT_OBJECT_END:
	case IMPORT_ARRAY_END:
		return on_end(r);
	default:
		return on_scalar(r, e);
	}
}

/* ---- the whole file ----------------------------------------------------------------------------- */

score_status import_xgb_read(xgb_file *f, const void *data, size_t size, score_format format)
{
	reader r = {.file = f};
	for (int i = 0; i < XGB_COLUMNS; i++) {
		sl_vector_init(
			&f->columns[i].values, &f->allocator, column_is_float(i) ? sizeof(float) : sizeof(int64_t));
		f->columns[i].offset = -1;
	}
	for (int i = 0; i < XGB_INTEGERS; i++)
		f->integers[i].offset = -1;
	for (int i = 0; i < XGB_LISTS; i++) {
		f->lists[i].offset = -1;
		sl_vector_init(&f->lists[i].text, &f->allocator, 1);
		sl_vector_init(&f->lists[i].starts, &f->allocator, sizeof(size_t));
	}
	sl_vector_init(&f->labels, &f->allocator, sizeof(import_labels));
	sl_vector_init(&f->trees, &f->allocator, sizeof(xgb_tree));
	sl_vector_init(&f->nodes, &f->allocator, sizeof(xgb_node));
	sl_vector_init(&f->sets, &f->allocator, sizeof(xgb_set));
	sl_vector_init(&f->categories, &f->allocator, sizeof(uint32_t));
	sl_vector_init(&f->vectors, &f->allocator, sizeof(float));
	sl_vector_init(&f->covers, &f->allocator, sizeof(float));
	if (format == SCORE_FORMAT_XGBOOST_JSON)
		return import_read_json(data, size, &f->allocator, on_event, &r, f->error);
	return import_read_ubjson(data, size, on_event, &r, f->error);
}

void import_xgb_free(xgb_file *f)
{
	for (int i = 0; i < XGB_COLUMNS; i++)
		sl_vector_free(&f->columns[i].values);
	for (int i = 0; i < XGB_LISTS; i++) {
		sl_vector_free(&f->lists[i].text);
		sl_vector_free(&f->lists[i].starts);
	}
	for (size_t i = 0; i < f->labels.length; i++)
		import_labels_free(sl_vector_at(&f->labels, i));
	sl_vector_free(&f->labels);
	sl_vector_free(&f->trees);
	sl_vector_free(&f->nodes);
	sl_vector_free(&f->sets);
	sl_vector_free(&f->categories);
	sl_vector_free(&f->vectors);
	sl_vector_free(&f->covers);
}

const char *import_xgb_string(const xgb_list *list, size_t i)
{
	return sl_vector_at(&list->text, ((const size_t *)list->starts.data)[i]);
}
