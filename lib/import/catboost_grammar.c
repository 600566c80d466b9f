/*
 * The grammar of CatBoost's JSON model files.
 *
 * Comes in: the events of a document. Goes out: the parts that scoring needs, in a cb_file. Keys that are not
 * in the table are skipped with all they hold; a key of the table may come once in its object; null is the
 * same as an absent key. Nesting is bounded by the reader of the document, and nothing here recurses.
 */
#include "catboost.h"

#include <stdio.h>

typedef enum place {
	IN_ROOT,
	IN_INFO,
	IN_PARAMS,
	IN_LOSS,
	IN_CLASSES,
	IN_FEATURES,
	IN_FLOAT,
	IN_CATEGORY,
	IN_SYMMETRIC,
	IN_NODE,
	IN_SPLIT,
	IN_ARRAY /* of the values of a key */
} place;

typedef enum kind {
	OBJECT,  /* `slot` is a place */
	OBJECTS, /* array of them */
	NUMBERS, /* array, nested arrays and a single number too; `slot` is a target */
	LABELS,
	WORD,    /* `slot` is a word_name */
	WHOLE,   /* `slot` is a whole_name; true and false are 1 and 0 */
	REFUSED  /* array that must be empty */
} kind;

typedef enum target { BORDERS, HASHES, SYMMETRIC_VALUES, SYMMETRIC_COVERS, NODE_VALUES, NODE_COVER, SCALE } target;
typedef enum word_name { LOSS, VERSION, THRESHOLD, FEATURE_ID, FEATURE_NAME, NAN_TREATMENT, SPLIT_TYPE, WORDS } word_name;
typedef enum whole_name { INDEX, COLUMN, HAS_NANS, SPLIT_FEATURE, SPLIT_CATEGORY, SPLIT_VALUE, SPLIT_INDEX, WHOLES } whole_name;

typedef struct key {
	place place;
	const char *name;
	kind kind;
	int slot;
} key;

static const key keys[] = {
	{IN_ROOT, "model_info", OBJECT, IN_INFO},
	{IN_ROOT, "features_info", OBJECT, IN_FEATURES},
	{IN_ROOT, "oblivious_trees", OBJECTS, IN_SYMMETRIC},
	{IN_ROOT, "trees", OBJECTS, IN_NODE},
	{IN_ROOT, "scale_and_bias", NUMBERS, SCALE},
	{IN_INFO, "params", OBJECT, IN_PARAMS},
	{IN_INFO, "class_params", OBJECT, IN_CLASSES},
	{IN_INFO, "catboost_version_info", WORD, VERSION},
	{IN_INFO, "binclass_probability_threshold", WORD, THRESHOLD},
	{IN_PARAMS, "loss_function", OBJECT, IN_LOSS},
	{IN_LOSS, "type", WORD, LOSS},
	{IN_CLASSES, "class_names", LABELS, 0},
	{IN_FEATURES, "float_features", OBJECTS, IN_FLOAT},
	{IN_FEATURES, "categorical_features", OBJECTS, IN_CATEGORY},
	{IN_FEATURES, "text_features", REFUSED, 0},
	{IN_FEATURES, "embedding_features", REFUSED, 0},
	{IN_FLOAT, "feature_index", WHOLE, INDEX},
	{IN_FLOAT, "flat_feature_index", WHOLE, COLUMN},
	{IN_FLOAT, "has_nans", WHOLE, HAS_NANS},
	{IN_FLOAT, "nan_value_treatment", WORD, NAN_TREATMENT},
	{IN_FLOAT, "borders", NUMBERS, BORDERS},
	{IN_FLOAT, "feature_id", WORD, FEATURE_ID},
	{IN_FLOAT, "feature_name", WORD, FEATURE_NAME},
	{IN_CATEGORY, "feature_index", WHOLE, INDEX},
	{IN_CATEGORY, "flat_feature_index", WHOLE, COLUMN},
	{IN_CATEGORY, "feature_id", WORD, FEATURE_ID},
	{IN_CATEGORY, "feature_name", WORD, FEATURE_NAME},
	{IN_CATEGORY, "values", NUMBERS, HASHES},
	{IN_SYMMETRIC, "splits", OBJECTS, IN_SPLIT},
	{IN_SYMMETRIC, "leaf_values", NUMBERS, SYMMETRIC_VALUES},
	{IN_SYMMETRIC, "leaf_weights", NUMBERS, SYMMETRIC_COVERS},
	{IN_NODE, "split", OBJECT, IN_SPLIT},
	{IN_NODE, "left", OBJECT, IN_NODE},
	{IN_NODE, "right", OBJECT, IN_NODE},
	{IN_NODE, "value", NUMBERS, NODE_VALUES},
	{IN_NODE, "weight", NUMBERS, NODE_COVER},
	{IN_SPLIT, "split_type", WORD, SPLIT_TYPE},
	{IN_SPLIT, "float_feature_index", WHOLE, SPLIT_FEATURE},
	{IN_SPLIT, "cat_feature_index", WHOLE, SPLIT_CATEGORY},
	{IN_SPLIT, "value", WHOLE, SPLIT_VALUE},
	{IN_SPLIT, "split_index", WHOLE, SPLIT_INDEX},
	{IN_SPLIT, "border", NUMBERS, BORDERS},
};
#define N_KEYS (sizeof keys / sizeof keys[0])

#define OF_THE_MODEL FEATURE_ID /* the words before it are the model's, the others those of a feature or split */

/* An open object, or an array of the table. */
typedef struct frame {
	place place;
	const key *key;   /* that it is the value of */
	uint64_t seen;    /* keys that came, by number in the table */
	int64_t offset;
	size_t node;      /* of a non-symmetric tree */
	size_t nested;    /* open arrays inside an array of numbers */
} frame;

#define ABSENT INT64_MIN

typedef struct reader {
	cb_file *file;
	frame frames[IMPORT_MAX_NESTING + 1];
	size_t depth;
	size_t skip;     /* open objects and arrays that nobody wants */
	const key *next; /* of the value that follows; NULL to skip it */
	size_t words[WORDS];    /* into text; of the object that is being read */
	int64_t wholes[WHOLES]; /* ABSENT, or what the object says */
	size_t first_border;    /* of the feature or the split that is being read */
	size_t first_value;     /* of the category */
	bool has_trees;
} reader;

static frame *top(reader *r)
{
	return &r->frames[r->depth - 1];
}

static score_status corrupt(const reader *r, int64_t offset, const char *name, const char *what)
{
	return sl_fail_at(r->file->error, SCORE_ERR_CORRUPT, offset, -1, "\"%s\": %s", name, what);
}

static score_status no_memory(const reader *r)
{
	return sl_fail_memory(r->file->error, 0);
}

/* ---- whole objects ------------------------------------------------------------------------------ */

static score_status check_index(const reader *r, const frame *f, const char *list, size_t expected)
{
	if (r->wholes[INDEX] != (int64_t)expected)
		return sl_fail_at(r->file->error, SCORE_ERR_CORRUPT, f->offset, -1,
			"\"%s\": feature %zu has another \"feature_index\" or none; expected %zu", list, expected, expected);
	if (r->wholes[COLUMN] < 0 || r->wholes[COLUMN] >= INT32_MAX)
		return sl_fail_at(r->file->error, SCORE_ERR_CORRUPT, f->offset, -1,
			"\"%s\": the \"flat_feature_index\" of feature %zu is missing, negative or too large", list, expected);
	return SCORE_OK;
}

/* Where a missing value goes; false for an unknown word. */
static bool nan_goes_right(const reader *r, bool *right)
{
	const char *word = import_cb_text(r->file, r->words[NAN_TREATMENT]);
	bool as_true = strcmp(word, "AsTrue") == 0;
	*right = as_true && r->wholes[HAS_NANS] == 1;
	return as_true || !*word || strcmp(word, "AsFalse") == 0 || strcmp(word, "AsIs") == 0;
}

static score_status end_float(reader *r, const frame *f)
{
	cb_file *file = r->file;
	size_t n = file->float_features.length;
	const float *borders = file->borders.data;
	bool right;
	score_status status = check_index(r, f, "float_features", n);
	if (status != SCORE_OK)
		return status;
	if (!nan_goes_right(r, &right))
		return corrupt(r, f->offset, "nan_value_treatment", "expected AsIs, AsFalse or AsTrue");
	for (size_t i = r->first_border; i < file->borders.length; i++) {
		if (borders[i] != borders[i] || (i > r->first_border && borders[i] < borders[i - 1]))
			return corrupt(r, f->offset, "borders", "expected numbers in ascending order");
	}
	if (file->borders.length > UINT32_MAX)
		return sl_fail_at(file->error, SCORE_ERR_LIMIT, f->offset, -1, "the model has more than 4294967295 borders");
	size_t name = r->words[FEATURE_NAME] ? r->words[FEATURE_NAME] : r->words[FEATURE_ID];
	cb_feature feature = {.column = r->wholes[COLUMN], .offset = f->offset, .name = name,
		.first_border = r->first_border, .n_borders = (uint32_t)(file->borders.length - r->first_border),
		.nan_right = right};
	return sl_vector_push(&file->float_features, &feature, 1) ? SCORE_OK : no_memory(r);
}

static score_status end_category(reader *r, const frame *f)
{
	sl_vector *features = &r->file->cat_features;
	score_status status = check_index(r, f, "categorical_features", features->length);
	if (status != SCORE_OK)
		return status;
	size_t name = r->words[FEATURE_NAME] ? r->words[FEATURE_NAME] : r->words[FEATURE_ID];
	if (r->file->values.length > UINT32_MAX)
		return sl_fail_at(r->file->error, SCORE_ERR_LIMIT, f->offset, -1, "the model has more than 4294967295 values");
	cb_feature feature = {.column = r->wholes[COLUMN], .offset = f->offset, .name = name, .is_category = 1,
		.first_border = r->first_value, .n_borders = (uint32_t)(r->file->values.length - r->first_value)};
	return sl_vector_push(features, &feature, 1) ? SCORE_OK : no_memory(r);
}

#define WITHOUT "; train with numeric features only, for example target-encoded ones"

static score_status refuse_split(const reader *r, const frame *f, const char *type)
{
	if (strcmp(type, "OnlineCtr") == 0)
		return sl_fail_at(r->file->error, SCORE_ERR_UNSUPPORTED, f->offset, -1,
			"splits on CTRs, statistics of categorical features (OnlineCtr), are not supported" WITHOUT);
	return sl_fail_at(r->file->error, SCORE_ERR_UNSUPPORTED, f->offset, -1,
		"splits of the type \"%s\" are not supported; supported are FloatFeature and OneHotFeature",
		sl_quote(type, strlen(type)).text);
}

static score_status take_feature(const reader *r, const frame *f, whole_name from, const char *name, uint32_t *out)
{
	if (r->wholes[from] < 0 || r->wholes[from] > UINT32_MAX)
		return corrupt(r, f->offset, name, "missing, negative or too large");
	*out = (uint32_t)r->wholes[from];
	return SCORE_OK;
}

static score_status fill_float_split(const reader *r, const frame *f, cb_split *split)
{
	score_status status = take_feature(r, f, SPLIT_FEATURE, "float_feature_index", &split->feature);
	if (status != SCORE_OK)
		return status;
	if (r->file->borders.length != r->first_border + 1)
		return corrupt(r, f->offset, "border", "expected one number");
	split->border = ((const float *)r->file->borders.data)[r->first_border];
	return split->border == split->border ? SCORE_OK :
		corrupt(r, f->offset, "border", "expected a number, not NaN");
}

static score_status fill_one_hot_split(const reader *r, const frame *f, cb_split *split)
{
	int64_t value = r->wholes[SPLIT_VALUE];
	if (value < INT32_MIN || value > INT32_MAX)
		return corrupt(r, f->offset, "value", "missing, or no number of 32 bits");
	split->kind = CB_ONE_HOT;
	split->value = (uint32_t)(int32_t)value;
	return take_feature(r, f, SPLIT_CATEGORY, "cat_feature_index", &split->feature);
}

/* The features may stand behind the trees: whether the border is one of theirs is checked in the end. */
static score_status end_split(reader *r, const frame *f)
{
	cb_file *file = r->file;
	const char *type = import_cb_text(file, r->words[SPLIT_TYPE]);
	if (!*type)
		return corrupt(r, f->offset, "split_type", "missing");
	cb_split split = {.number = r->wholes[SPLIT_INDEX] == ABSENT ? -1 : r->wholes[SPLIT_INDEX]};
	score_status status = strcmp(type, "FloatFeature") == 0 ? fill_float_split(r, f, &split) :
		strcmp(type, "OneHotFeature") == 0 ? fill_one_hot_split(r, f, &split) : refuse_split(r, f, type);
	if (status != SCORE_OK)
		return status;
	if (r->wholes[SPLIT_INDEX] != ABSENT && split.number < 0)
		return corrupt(r, f->offset, "split_index", "expected a number that is not negative");
	file->borders.length = r->first_border;
	const frame *owner = &r->frames[r->depth - 2]; /* the node, or the array of a symmetric tree */
	if (owner->place == IN_NODE)
		((cb_node *)file->nodes.data)[owner->node].split = (int64_t)file->splits.length;
	return sl_vector_push(&file->splits, &split, 1) ? SCORE_OK : no_memory(r);
}

static score_status end_node(reader *r, const frame *f)
{
	const cb_node *node = (const cb_node *)r->file->nodes.data + f->node;
	bool is_split = node->split >= 0 && node->left >= 0 && node->right >= 0;
	bool is_bare = node->split < 0 && node->left < 0 && node->right < 0;
	if (node->n_values ? !is_bare : !is_split)
		return corrupt(r, f->offset, "trees", "a node needs either \"value\", or \"split\", \"left\" and \"right\"");
	return SCORE_OK;
}

static score_status end_object(reader *r)
{
	const frame *f = top(r);
	cb_file *file = r->file;
	score_status status = SCORE_OK;
	if (f->place == IN_FLOAT)
		status = end_float(r, f);
	else if (f->place == IN_CATEGORY)
		status = end_category(r, f);
	else if (f->place == IN_SPLIT)
		status = end_split(r, f);
	else if (f->place == IN_NODE)
		status = end_node(r, f);
	if (status == SCORE_OK && (f->place == IN_SYMMETRIC || (f->place == IN_NODE && !f->key))) {
		cb_tree *tree = (cb_tree *)file->trees.data + file->trees.length - 1;
		tree->n_splits = file->splits.length - tree->first_split;
		tree->n_values = file->leaf_values.length - tree->first_value;
		tree->n_nodes = file->nodes.length - tree->first_node;
		tree->n_covers = file->covers.length - tree->first_cover;
	}
	r->depth--;
	return status;
}

/* ---- beginnings --------------------------------------------------------------------------------- */

static score_status begin_tree(reader *r, const frame *f)
{
	const cb_file *file = r->file;
	cb_tree tree = {.offset = f->offset, .first_split = file->splits.length,
		.first_value = file->leaf_values.length, .first_node = file->nodes.length,
		.first_cover = file->covers.length};
	return sl_vector_push(&r->file->trees, &tree, 1) ? SCORE_OK : no_memory(r);
}

static score_status begin_node(reader *r, frame *f)
{
	cb_file *file = r->file;
	cb_node node = {.left = -1, .right = -1, .split = -1, .cover = -1};
	f->node = file->nodes.length;
	score_status status = f->key ? SCORE_OK : begin_tree(r, f);
	if (status != SCORE_OK)
		return status;
	size_t number = f->node - ((const cb_tree *)file->trees.data)[file->trees.length - 1].first_node;
	if (number >= INT32_MAX)
		return sl_fail_at(file->error, SCORE_ERR_LIMIT, f->offset, -1, "a tree has too many nodes");
	if (f->key) {
		cb_node *parent = (cb_node *)file->nodes.data + r->frames[r->depth - 2].node;
		*(f->key->name[0] == 'l' ? &parent->left : &parent->right) = (int32_t)number;
	}
	return sl_vector_push(&file->nodes, &node, 1) ? SCORE_OK : no_memory(r);
}

static score_status begin_object(reader *r, place where, const key *k, int64_t offset)
{
	r->frames[r->depth++] = (frame){.place = where, .key = k, .offset = offset};
	r->next = NULL;
	if (where == IN_FLOAT || where == IN_CATEGORY || where == IN_SPLIT) {
		for (int i = OF_THE_MODEL; i < WORDS; i++)
			r->words[i] = 0;
		for (int i = 0; i < WHOLES; i++)
			r->wholes[i] = ABSENT;
		r->first_border = r->file->borders.length;
		r->first_value = r->file->values.length;
	}
	if (where == IN_SYMMETRIC)
		return begin_tree(r, top(r));
	return where == IN_NODE ? begin_node(r, top(r)) : SCORE_OK;
}

static score_status on_object_begin(reader *r, const import_event *e)
{
	if (r->depth == 0)
		return begin_object(r, IN_ROOT, NULL, e->offset);
	const frame *f = top(r);
	const key *k = f->place == IN_ARRAY ? f->key : r->next;
	if (!k) {
		r->skip = 1;
		return SCORE_OK;
	}
	if (f->place == IN_ARRAY && k->kind == OBJECTS)
		return begin_object(r, (place)k->slot, NULL, e->offset);
	if (f->place == IN_ARRAY || k->kind != OBJECT)
		return corrupt(r, e->offset, k->name, "expected no object here");
	return begin_object(r, (place)k->slot, k, e->offset);
}

static score_status begin_values(reader *r, const key *k, int64_t offset)
{
	cb_file *file = r->file;
	if (k->kind == NUMBERS && k->slot == SCALE)
		file->scale_offset = offset;
	if (k->kind == NUMBERS && k->slot == NODE_VALUES)
		((cb_node *)file->nodes.data)[top(r)->node].first_value = file->leaf_values.length;
	if (k->kind == OBJECTS && (k->slot == IN_SYMMETRIC || k->slot == IN_NODE)) {
		if (r->has_trees)
			return corrupt(r, offset, k->name, "the model has both \"trees\" and \"oblivious_trees\"");
		r->has_trees = true;
	}
	return SCORE_OK;
}

static score_status on_array_begin(reader *r, const import_event *e)
{
	if (r->depth == 0)
		return sl_fail_at(r->file->error, SCORE_ERR_CORRUPT, e->offset, -1,
			"a CatBoost model is an object, not an array");
	frame *f = top(r);
	if (f->place == IN_ARRAY && f->key->kind == NUMBERS && f->key->slot == SCALE && !f->nested) {
		f->nested++;
		return SCORE_OK;
	}
	const key *k = f->place == IN_ARRAY ? f->key : r->next;
	if (!k) {
		r->skip = 1;
		return SCORE_OK;
	}
	if (f->place == IN_ARRAY || k->kind == OBJECT || k->kind == WORD || k->kind == WHOLE ||
		(f->place == IN_SPLIT && k->kind == NUMBERS))
		return corrupt(r, e->offset, k->name, "expected no array here");
	score_status status = begin_values(r, k, e->offset);
	r->frames[r->depth++] = (frame){.place = IN_ARRAY, .key = k, .offset = e->offset};
	r->next = NULL;
	return status;
}

static score_status on_key(reader *r, const import_event *e)
{
	frame *f = top(r);
	r->next = NULL;
	for (size_t i = 0; i < N_KEYS; i++) {
		const key *k = &keys[i];
		if (k->place != f->place || strlen(k->name) != e->length || memcmp(k->name, e->text, e->length) != 0)
			continue;
		if (f->seen & (uint64_t)1 << i)
			return corrupt(r, e->offset, k->name, "the key is there twice");
		f->seen |= (uint64_t)1 << i;
		r->next = k;
	}
	return SCORE_OK;
}

/* ---- single values ------------------------------------------------------------------------------ */

static score_status add_hash(reader *r, const import_event *e)
{
	int64_t value;
	if (sl_parse_i64(e->text, e->length, &value) != e->length || value < INT32_MIN || value > INT32_MAX)
		return corrupt(r, e->offset, "values", "expected whole numbers of 32 bits");
	uint32_t hash = (uint32_t)(int32_t)value;
	return sl_vector_push(&r->file->values, &hash, 1) ? SCORE_OK : no_memory(r);
}

static score_status add_number(reader *r, const import_event *e, const key *k, size_t node)
{
	cb_file *file = r->file;
	double x;
	if (e->kind != IMPORT_DECIMAL || sl_parse_f64(e->text, e->length, &x) != e->length)
		return corrupt(r, e->offset, k->name, "expected numbers");
	float narrow = (float)x;
	if (k->slot == HASHES)
		return add_hash(r, e);
	if (k->slot == BORDERS)
		return sl_vector_push(&file->borders, &narrow, 1) ? SCORE_OK : no_memory(r);
	if (k->slot == NODE_COVER) {
		((cb_node *)file->nodes.data)[node].cover = x;
		return SCORE_OK;
	}
	if (k->slot == NODE_VALUES)
		((cb_node *)file->nodes.data)[node].n_values++;
	sl_vector *values = k->slot == SCALE ? &file->scale_and_bias :
		k->slot == SYMMETRIC_COVERS ? &file->covers : &file->leaf_values;
	return sl_vector_push(values, &x, 1) ? SCORE_OK : no_memory(r);
}

static score_status add_word(reader *r, const import_event *e, const key *k)
{
	sl_vector *text = &r->file->text;
	if (e->kind != IMPORT_STRING || (e->length && memchr(e->text, 0, e->length)))
		return corrupt(r, e->offset, k->name, "expected a string without zero bytes");
	if (k->slot == LOSS)
		r->file->loss_offset = e->offset;
	r->words[k->slot] = e->length ? text->length : 0;
	return sl_vector_push(text, e->text, e->length) && sl_vector_push(text, "", 1) ? SCORE_OK : no_memory(r);
}

static score_status add_whole(reader *r, const import_event *e, const key *k)
{
	int64_t value = e->integer;
	bool good = e->kind == IMPORT_INTEGER ||
		(e->kind == IMPORT_DECIMAL && sl_parse_i64(e->text, e->length, &value) == e->length);
	if (!good)
		return corrupt(r, e->offset, k->name, "expected a whole number, true or false");
	r->wholes[k->slot] = value;
	return SCORE_OK;
}

/* A label behind the others, as JSON text. */
static score_status add_label(reader *r, const import_event *e)
{
	sl_vector *out = &r->file->classes;
	bool good = sl_vector_push(out, out->length ? "," : "[", 1);
	if (e->kind == IMPORT_DECIMAL)
		return good && sl_vector_push(out, e->text, e->length) ? SCORE_OK : no_memory(r);
	if (e->kind == IMPORT_INTEGER)
		return good && sl_vector_push(out, e->integer ? "true" : "false", e->integer ? 4 : 5) ? SCORE_OK : no_memory(r);
	if (e->kind != IMPORT_STRING || (e->length && memchr(e->text, 0, e->length)))
		return corrupt(r, e->offset, "class_names", "expected numbers or strings without zero bytes");
	good = good && sl_vector_push(out, "\"", 1);
	for (size_t i = 0; i < e->length && good; i++) {
		unsigned char c = (unsigned char)e->text[i];
		char escaped[8];
		int n = snprintf(escaped, sizeof escaped, c < 0x20 ? "\\u%04x" : c == '"' || c == '\\' ? "\\%c" : "%c", c);
		good = sl_vector_push(out, escaped, (size_t)n);
	}
	return good && sl_vector_push(out, "\"", 1) ? SCORE_OK : no_memory(r);
}

static score_status on_element(reader *r, const import_event *e, const frame *f)
{
	if (f->key->kind == NUMBERS)
		return add_number(r, e, f->key, r->frames[r->depth - 2].node);
	if (f->key->kind == LABELS)
		return add_label(r, e);
	if (f->key->kind == REFUSED)
		return SCORE_OK; /* refused at the end of the array */
	return corrupt(r, e->offset, f->key->name, "expected objects");
}

static score_status on_scalar(reader *r, const import_event *e)
{
	if (r->depth == 0)
		return sl_fail_at(r->file->error, SCORE_ERR_CORRUPT, e->offset, -1,
			"a CatBoost model is an object, not a single value");
	const frame *f = top(r);
	if (f->place == IN_ARRAY)
		return on_element(r, e, f);
	const key *k = r->next;
	r->next = NULL;
	if (!k || e->kind == IMPORT_NULL)
		return SCORE_OK;
	if (k->kind == WORD)
		return add_word(r, e, k);
	if (k->kind == WHOLE)
		return add_whole(r, e, k);
	if (k->kind == NUMBERS && (f->place == IN_SPLIT || f->place == IN_NODE)) {
		score_status status = begin_values(r, k, e->offset);
		return status == SCORE_OK ? add_number(r, e, k, f->node) : status;
	}
	return corrupt(r, e->offset, k->name, "expected an object or an array");
}

static score_status on_array_end(reader *r, const import_event *e)
{
	frame *f = top(r);
	if (f->nested) {
		f->nested--;
		return SCORE_OK;
	}
	r->depth--;
	if (f->key->kind == LABELS && r->file->classes.length && !sl_vector_push(&r->file->classes, "]", 1))
		return no_memory(r);
	if (f->key->kind == NUMBERS && f->key->slot == NODE_VALUES &&
		((const cb_node *)r->file->nodes.data)[top(r)->node].n_values == 0)
		return corrupt(r, e->offset, "value", "expected at least one number");
	return SCORE_OK;
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
	if (r->depth && top(r)->place == IN_ARRAY && top(r)->key->kind == REFUSED && !ends)
		return sl_fail_at(r->file->error, SCORE_ERR_UNSUPPORTED, e->offset, -1,
			"models with \"%s\" are not supported" WITHOUT, top(r)->key->name);
	switch (e->kind) {
	case IMPORT_OBJECT_BEGIN:
		return on_object_begin(r, e);
	case IMPORT_OBJECT_END:
		return end_object(r);
	case IMPORT_ARRAY_BEGIN:
		return on_array_begin(r, e);
	case IMPORT_ARRAY_END:
		return on_array_end(r, e);
	case IMPORT_KEY:
		return on_key(r, e);
	default:
		return on_scalar(r, e);
	}
}

/* ---- the whole file ----------------------------------------------------------------------------- */

score_status import_cb_read(cb_file *f, const void *data, size_t size)
{
	reader r = {.file = f};
	if (!sl_vector_push(&f->text, "", 1)) /* position 0 is the empty string */
		return no_memory(&r);
	score_status status = import_read_json(data, size, &f->allocator, on_event, &r, f->error);
	f->loss = r.words[LOSS];
	f->version = r.words[VERSION];
	f->threshold = r.words[THRESHOLD];
	if (status == SCORE_OK && !r.has_trees)
		return sl_fail(f->error, SCORE_ERR_CORRUPT,
			"not a CatBoost model: there is neither \"oblivious_trees\" nor \"trees\"");
	return status;
}
